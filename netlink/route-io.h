/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is asked of rtnetlink: a request of link.h, sent by a channel. */
#pragma once

#include "netlink/channel-io.h"
#include "netlink/link.h"

/* Sends what a link_request_…() made (*made* is its return value) and frees it. */
int route_ask(NetlinkChannel *route, int made, LinkRequest *request, NetlinkAnswer answer, void *userdata);

/* *name* is what follows link_request_; then its arguments. */
#define ROUTE_ASK(route, answer, userdata, name, ...)                                                        \
    ({                                                                                                       \
        LinkRequest *_request = NULL;                                                                        \
        int _made = link_request_##name(__VA_ARGS__, &_request);                                             \
        route_ask((route), _made, _request, (answer), (userdata));                                           \
    })
#define ROUTE_DO(route, name, ...) ROUTE_ASK((route), NULL, NULL, name, __VA_ARGS__)

/* Dumps. One that others change under way is asked again, so *answer* may see an item twice. */
int route_addresses(NetlinkChannel *route, int ifindex, NetlinkAnswer answer, void *userdata);
/* A kernel without *family* has no rules of it. */
int route_rules(NetlinkChannel *route, int family, NetlinkAnswer answer, void *userdata);

/* Which way the kernel would send a packet to *destination*; its errno when it would not. */
int way_ask(NetlinkChannel *route, const Address *destination, LinkWay *ret);
