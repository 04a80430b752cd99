/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See selectors.h. */
#include "ike/selectors.h"

#include "base/macro.h"

size_t selectors_any(TrafficSelector ret[static 2]) {
    static const int families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < 2; i++)
        ret[i] = (TrafficSelector){.address = {.family = families[i]}, .port_max = UINT16_MAX};
    return 2;
}

static bool address_is_usable(const Address *a) {
    if (address_is_unspecified(a))
        return false;
    if (a->family == AF_INET)
        return a->bytes[0] != 0 && a->bytes[0] != 127 && a->bytes[0] < 224;
    return !IN6_IS_ADDR_MULTICAST(&a->in6) && !IN6_IS_ADDR_LOOPBACK(&a->in6) &&
           !IN6_IS_ADDR_LINKLOCAL(&a->in6) && !IN6_IS_ADDR_V4MAPPED(&a->in6);
}

static bool selector_covers(const TrafficSelector *ts, const Address *a) {
    bool inside = ts->address.family == a->family;
    for (unsigned bit = 0; inside && bit < ts->prefix; bit++)
        inside = ((ts->address.bytes[bit / 8] ^ a->bytes[bit / 8]) >> (7 - bit % 8) & 1) == 0;
    return inside;
}

static bool selectors_cover(const TrafficSelector *ts, size_t n, const Address *a) {
    for (size_t i = 0; i < n; i++)
        if (selector_covers(&ts[i], a))
            return true;
    return false;
}

static bool selectors_have(const TrafficSelector *ts, size_t n, int family) {
    for (size_t i = 0; i < n; i++)
        if (ts[i].address.family == family)
            return true;
    return false;
}

static AddressList addresses_settle(const ChildSa *child, const AddressList *given) {
    AddressList kept = {};
    for (size_t i = 0; i < given->n; i++) {
        const Address *a = &given->items[i];
        if (address_is_usable(a) && selectors_cover(child->local_ts, child->n_local_ts, a) &&
            selectors_have(child->remote_ts, child->n_remote_ts, a->family))
            kept.items[kept.n++] = *a;
    }
    return kept;
}

static AddressList dns_settle(const AddressList *given, const AddressList *inner) {
    AddressList kept = {};
    for (size_t i = 0; i < given->n; i++)
        if (address_list_find(inner, given->items[i].family))
            kept.items[kept.n++] = given->items[i];
    return kept;
}

/* However wide TSi is: who is inside must not reach the box's other addresses, whose answers would leave
 * outside. A policy narrower than agreed is always allowed. */
bool selectors_narrow(ChildSa *child, const AddressList *inner) {
    TrafficSelector narrow[TS_MAX];
    size_t n = 0;

    for (size_t a = 0; a < inner->n; a++)
        for (size_t i = 0; i < child->n_local_ts && n < TS_MAX; i++) {
            if (!selector_covers(&child->local_ts[i], &inner->items[a]))
                continue;
            narrow[n] = child->local_ts[i];
            narrow[n].address = inner->items[a];
            narrow[n++].prefix = (uint8_t)(8 * address_size(inner->items[a].family));
        }
    memcpy(child->local_ts, narrow, n * sizeof narrow[0]);
    child->n_local_ts = n;
    return n > 0;
}

bool selectors_settle(ChildSa *child, IkeConfiguration *c) {
    c->addresses = addresses_settle(child, &c->addresses);
    c->dns = dns_settle(&c->dns, &c->addresses);
    return selectors_narrow(child, &c->addresses);
}

bool selectors_equal(const ChildSa *a, const ChildSa *b) {
    return a->n_local_ts == b->n_local_ts && a->n_remote_ts == b->n_remote_ts &&
           memcmp(a->local_ts, b->local_ts, a->n_local_ts * sizeof a->local_ts[0]) == 0 &&
           memcmp(a->remote_ts, b->remote_ts, a->n_remote_ts * sizeof a->remote_ts[0]) == 0;
}
