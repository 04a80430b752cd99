/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See gateways.h. */
#include "ike/gateways.h"

static size_t gateways_find(const Gateways *g, const Address *address) {
    size_t i = 0;
    while (i < GATEWAYS_MAX && (g->items[i].group == 0 || !address_equal(&g->items[i].address, address)))
        i++;
    return i;
}

uint16_t gateways_group(const Gateways *g, const Address *address) {
    size_t i = gateways_find(g, address);
    return i < GATEWAYS_MAX ? g->items[i].group : 0;
}

void gateways_remember(Gateways *g, const Address *address, uint16_t group) {
    size_t i = gateways_find(g, address);

    if (i == GATEWAYS_MAX) {
        if (group == 0)
            return;
        i = g->next;
        g->next = (g->next + 1) % GATEWAYS_MAX;
        g->items[i].address = *address;
    }
    g->items[i].group = group;
}
