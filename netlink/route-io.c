/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See route-io.h. */
#include "netlink/route-io.h"

#define DUMP_TRIES 5

int route_ask(NetlinkChannel *route, int made, LinkRequest *request, NetlinkAnswer answer, void *userdata) {
    if (made < 0)
        return made;
    int r = channel_request(route, nlmsg_hdr(request), answer, userdata);
    nlmsg_free(request);
    return r;
}

int route_addresses(NetlinkChannel *route, int ifindex, NetlinkAnswer answer, void *userdata) {
    int r = -EINTR;
    for (unsigned i = 0; i < DUMP_TRIES && r == -EINTR; i++)
        r = ROUTE_ASK(route, answer, userdata, addresses, ifindex);
    return r;
}

int route_rules(NetlinkChannel *route, int family, NetlinkAnswer answer, void *userdata) {
    int r = -EINTR;
    for (unsigned i = 0; i < DUMP_TRIES && r == -EINTR; i++)
        r = ROUTE_ASK(route, answer, userdata, rules, family);
    return r == -EOPNOTSUPP || r == -EAFNOSUPPORT ? 0 : r;
}

static int take_way(struct nlmsghdr *answer, void *userdata) {
    return link_read_way(answer, userdata);
}

int way_ask(NetlinkChannel *route, const Address *destination, LinkWay *ret) {
    return ROUTE_ASK(route, take_way, ret, way, destination);
}
