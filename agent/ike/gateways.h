/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is remembered of gateways, to save a round trip the next time: the Diffie-Hellman group that one
 * wanted instead of ours (RFC 7296 1.2). A guess that turns out wrong costs that round trip and nothing else.
 */
#pragma once

#include "base/address.h"

#define GATEWAYS_MAX 16 /* a further one takes the place of the one that was remembered first */

typedef struct Gateways {
    size_t next;
    struct {
        Address address;
        uint16_t group;
    } items[GATEWAYS_MAX];
} Gateways;

/* The group to offer first; 0: nothing is remembered. */
uint16_t gateways_group(const Gateways *gateways, const Address *address);
/* *group* 0: forgets what was remembered. */
void gateways_remember(Gateways *gateways, const Address *address, uint16_t group);
