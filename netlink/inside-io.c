/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See inside-io.h. */
#include "netlink/inside-io.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>

#include "base/log.h"
#include "netlink/esp-mtu.h"
#include "netlink/former-io.h"
#include "netlink/route-io.h"

struct Inside {
    NetlinkChannel *route;
    Sad *sad;
    char interface[IF_NAMESIZE];
    uint32_t id;
    int ifindex;
    unsigned mtu;      /* of the interface */
    unsigned room;     /* for an inner packet in one outer one */
    AddressList inner; /* on the interface, whether we or a predecessor put them there */
    Former former;
};

#define DO(inside, name, ...) ROUTE_DO((inside)->route, name, __VA_ARGS__)

static int refused(Inside *inside, const char *what, int error) {
    log_error("%s: the kernel refuses %s: %s", inside->interface, what, channel_reason(inside->route, error));
    return error;
}

/* -- the interface -- */

static int take_link(struct nlmsghdr *answer, void *userdata) {
    return link_read_link(answer, userdata);
}

static int interface_make(Inside *inside) {
    int r = DO(inside, make, inside->interface, inside->id);
    if (r == -EOPNOTSUPP)
        log_error("This kernel has no XFRM interfaces, so there can be no %s: it needs CONFIG_XFRM_INTERFACE",
                  inside->interface);
    else if (r == -EEXIST) {
        log_error("%s: another XFRM interface has if_id %u; remove it or set another InterfaceId=",
                  inside->interface, inside->id);
        return -ENOTUNIQ;
    } else if (r < 0)
        refused(inside, "the interface", r);
    else
        log_info("%s: XFRM interface made, if_id %u", inside->interface, inside->id);
    return r;
}

static int interface_check(const Inside *inside, const LinkState *link) {
    if (!link->is_xfrm)
        log_error(
            "%s: an interface of this name exists and is no XFRM interface; it is left alone, rename it "
            "or set another TunnelInterface=",
            inside->interface);
    else if (link->if_id != inside->id)
        log_error(
            "%s: an XFRM interface of this name exists with if_id %u instead of %u; it is left alone, "
            "remove it or set another TunnelInterface=",
            inside->interface, link->if_id, inside->id);
    else
        return 0;
    return -EEXIST;
}

/* Makes or adopts the interface and brings it up, whatever state it was left in. */
static int interface_ensure(Inside *inside) {
    LinkState link = {0};
    int r = ROUTE_ASK(inside->route, take_link, &link, get, inside->interface);
    if (r == -ENODEV) {
        r = interface_make(inside);
        if (r < 0)
            return r;
        r = ROUTE_ASK(inside->route, take_link, &link, get, inside->interface);
    }
    if (r < 0)
        return refused(inside, "to tell about the interface", r);
    r = interface_check(inside, &link);
    if (r < 0)
        return r;
    inside->ifindex = link.ifindex;

    (void)DO(inside, quiet, inside->ifindex); /* refused by a kernel without IPv6, which is as quiet */
    r = DO(inside, up, inside->ifindex, inside->mtu);
    return r < 0 ? refused(inside, "to bring the interface up", r) : 0;
}

/* -- what is there already -- */

static bool list_contains(const AddressList *list, const Address *a) {
    for (size_t i = 0; i < list->n; i++)
        if (address_equal(&list->items[i], a))
            return true;
    return false;
}

/* Addresses something of ours is about, but for those on the list *except*. */
typedef struct Collection {
    const Inside *inside;
    const AddressList *except;
    AddressList found;
} Collection;

/* What is beyond ADDRESSES_MAX is found the next time. */
static void collection_add(const Address *a, void *userdata) {
    Collection *c = userdata;
    if (c->found.n < ADDRESSES_MAX && !list_contains(c->except, a) && !list_contains(&c->found, a))
        c->found.items[c->found.n++] = *a;
}

static int collect_address(struct nlmsghdr *answer, void *userdata) {
    Collection *c = userdata;
    Address address;
    int ifindex, r = link_read_address(answer, &ifindex, &address);
    if (r < 0)
        return r;
    /* Old kernels tell of every interface. A link-local address is not the tunnel's. */
    if (ifindex == c->inside->ifindex && address.family != AF_UNSPEC && !address_is_link_local(&address))
        collection_add(&address, c);
    return 0;
}

static int collect_addresses(Inside *inside, Collection *c) {
    int r = route_addresses(inside->route, inside->ifindex, collect_address, c);
    return r < 0 ? refused(inside, "to tell its addresses", r) : 0;
}

static int read_inner(Inside *inside) {
    const AddressList none = {0};
    Collection c = {.inside = inside, .except = &none};
    int r = collect_addresses(inside, &c);
    if (r == 0)
        inside->inner = c.found;
    return r;
}

/* Of inside->inner being the addresses that are in use. */
static int read_former(Inside *inside) {
    int r = former_read(inside->route, inside->id, &inside->inner, &inside->former);
    if (r < 0)
        return r;
    former_yield(inside->route, inside->id, &inside->former);
    return former_trim(inside->route, inside->id, &inside->former);
}

void inside_yield(Inside *inside) {
    former_yield(inside->route, inside->id, &inside->former);
}

int inside_new(Inside **ret, NetlinkChannel *route, Sad *sad, const char *interface, uint32_t id) {
    _cleanup_(inside_freep) Inside *inside = calloc(1, sizeof *inside);
    if (!inside)
        return -ENOMEM;
    inside->route = route;
    inside->sad = sad;
    inside->id = id;
    inside->mtu = inside->room = INNER_MTU_MAX;
    if (strlen(interface) >= sizeof inside->interface)
        return -EINVAL;
    strcpy(inside->interface, interface);

    int r = interface_ensure(inside);
    if (r == 0)
        r = read_inner(inside);
    if (r == 0)
        r = read_former(inside);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(inside);
    return 0;
}

void inside_free(Inside *inside) {
    free(inside);
}

/* -- the way of packets -- */

bool inside_owns(const Inside *inside, const LinkWay *way) {
    return inside && (way->ifindex == inside->ifindex || list_contains(&inside->inner, &way->source));
}

/* -- setting -- */

/* Multicast, and the class E of IPv4: without a route the kernel does not say so. */
static bool address_is_group(const Address *a) {
    return a->bytes[0] >= (a->family == AF_INET ? 224 : 255);
}

/* To guard an address the box has elsewhere, say the one ESP arrives at, would cut the box off; and what is
 * no host's address cannot be ours. No way there at all is as good as a way by the uplink. */
static int inner_check(Inside *inside, const Address *inner) {
    static const bool refused_types[] = {
        [RTN_LOCAL] = true, [RTN_BROADCAST] = true, [RTN_ANYCAST] = true, [RTN_MULTICAST] = true};
    LinkWay way = {0};
    if (list_contains(&inside->inner, inner))
        return 0;
    if (!address_is_group(inner) && (way_ask(inside->route, inner, &way) < 0 ||
                                     way.type >= ARRAY_SIZE(refused_types) || !refused_types[way.type]))
        return 0;
    log_error(
        "The gateway's inner address %s is one this box or its link has already; the tunnel cannot use it",
        ADDRESS_STR(inner));
    return -EADDRINUSE;
}

/* What makes sure that neither answer nor question of *inner* goes past the tunnel, before it exists. */
static int inner_guard(Inside *inside, const Address *inner) {
    int r = sad_guard(inside->sad, inner);
    if (r < 0)
        return r;
    r = DO(inside, route_unreachable, inner->family, inside->id);
    if (r < 0)
        return refused(inside, "the unreachable route", r);
    r = DO(inside, rule_interface, inner->family, inside->interface, inside->id);
    if (r < 0 && r != -EEXIST)
        return refused(inside, "the rule for the interface", r);
    r = DO(inside, rule_source, true, inner, inside->id);
    if (r < 0 && r != -EEXIST)
        return refused(inside, "the rule for the inner address", r);
    return former_revive(inside->route, inside->id, inner);
}

static int inner_add(Inside *inside, const Address *inner) {
    int r = DO(inside, address, true, inside->ifindex, inner);
    if (r < 0)
        return refused(inside, "the inner address", r);
    log_info("%s: inner address %s", inside->interface, ADDRESS_STR(inner));
    return 0;
}

/* What TCP may put into one inner packet besides the headers without options (RFC 9293 3.7.1). */
static unsigned mss_of(const Inside *inside, int family) {
    return inside->room - (family == AF_INET ? 40 : 60);
}

/* The first address of a family is the source of what binds the interface only. */
static int route_set(Inside *inside, const AddressList *inner, int family) {
    for (size_t i = 0; i < inner->n; i++) {
        if (inner->items[i].family != family)
            continue;
        int r =
            DO(inside, route_default, inside->ifindex, &inner->items[i], inside->id, mss_of(inside, family));
        return r < 0 ? refused(inside, "the route into the tunnel", r) : 0;
    }
    return 0;
}

/* The block policy goes only after the address is gone. Sockets bound to it may stay, see former-io.h. */
static int inner_remove(Inside *inside, const Address *inner) {
    int r = former_retire(inside->route, inside->id, inner);
    if (r < 0)
        return r;
    r = DO(inside, address, false, inside->ifindex, inner);
    if (r < 0 && r != -EADDRNOTAVAIL)
        return refused(inside, "to remove an inner address", r);
    r = sad_unguard(inside->sad, inner);
    if (r == 0)
        log_info("%s: inner address %s removed", inside->interface, ADDRESS_STR(inner));
    return r;
}

static int remove_stale(Inside *inside, const AddressList *inner) {
    Collection stale = {.inside = inside, .except = inner};
    int r = collect_addresses(inside, &stale);
    if (r == 0)
        r = sad_guarded(inside->sad, collection_add, &stale);
    for (size_t i = 0; i < stale.found.n && r == 0; i++)
        r = inner_remove(inside, &stale.found.items[i]);
    return r;
}

int inside_set(Inside *inside, const AddressList *inner) {
    assert(inner->n >= 1);
    int r = interface_ensure(inside); /* somebody may have taken it down or away */
    if (r == 0)
        r = read_inner(inside);
    if (r == 0)
        r = read_former(inside);
    for (size_t i = 0; i < inner->n && r == 0; i++)
        r = inner_check(inside, &inner->items[i]);
    if (r == 0)
        former_forget(&inside->former, inner); /* should what follows fail: their rules are no former ones */
    for (size_t i = 0; i < inner->n && r == 0; i++)
        r = inner_guard(inside, &inner->items[i]);
    for (size_t i = 0; i < inner->n && r == 0; i++)
        if (!list_contains(&inside->inner, &inner->items[i]))
            r = inner_add(inside, &inner->items[i]);
    if (r == 0)
        r = route_set(inside, inner, AF_INET);
    if (r == 0)
        r = route_set(inside, inner, AF_INET6);
    if (r == 0)
        r = remove_stale(inside, inner);
    if (r < 0)
        return r;
    inside->inner = *inner;
    return read_former(inside);
}

int inside_guard(Inside *inside) {
    int r = 0;
    for (size_t i = 0; i < inside->inner.n && r == 0; i++)
        r = sad_guard(inside->sad, &inside->inner.items[i]);
    return r;
}

/* -- how much fits -- */

#define ROOM_MIN 576 /* less than any host has to take (RFC 1122 3.3.3): not believed */

static int path_mtu(Inside *inside, const Address *gateway, unsigned *ret) {
    LinkWay way = {0};
    LinkState link = {0};
    int r = way_ask(inside->route, gateway, &way);
    if (r == 0)
        r = ROUTE_ASK(inside->route, take_link, &link, by_index, way.ifindex);
    if (r < 0)
        return r;
    *ret = way.mtu ? MIN(way.mtu, link.mtu) : link.mtu;
    return 0;
}

int inside_fit(Inside *inside, const ChildSa *child) {
    unsigned outer = 0;
    int r = path_mtu(inside, &child->remote.address, &outer);
    if (r < 0) {
        log_warning("%s: the width of the way to %s is not known: %s", inside->interface,
                    ADDRESS_STR(&child->remote.address), channel_reason(inside->route, r));
        return r;
    }
    unsigned room =
        esp_inner_mtu(outer, &child->algorithms, child->encapsulate, child->remote.address.family);
    room = MIN(MAX(room, (unsigned)ROOM_MIN), (unsigned)INNER_MTU_MAX);
    if (room == inside->room)
        return 0;
    inside->room = room;
    inside->mtu = MAX(room, (unsigned)INNER_MTU_MIN);
    log_info("%s: the way to %s takes %u bytes, so inner packets have %u", inside->interface,
             ADDRESS_STR(&child->remote.address), outer, inside->mtu);
    r = DO(inside, up, inside->ifindex, inside->mtu);
    if (r < 0)
        return refused(inside, "the MTU", r);
    r = route_set(inside, &inside->inner, AF_INET);
    return r < 0 ? r : route_set(inside, &inside->inner, AF_INET6);
}
