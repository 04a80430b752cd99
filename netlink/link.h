/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Links, addresses, routes and rules: requests laid out and answers read by libnl-route; nothing here has a
 * socket. Requests carry NLM_F_ACK and sequence number 0 for the sender to fill in.
 *
 * What is made for the inside, with ID our one number: an XFRM interface, the inner addresses on it, a table
 * ID of `default dev INTERFACE src INNER` and `unreachable default metric 4000`, and rules of priority ID,
 * `oif INTERFACE lookup ID` and `from INNER lookup ID`. For addresses of
 * before, `from FORMER unreachable` (former-io.h). */
#pragma once

#include <linux/netlink.h>
#include <netlink/msg.h>

#include "base/address.h"
#include "base/macro.h"

/* Every request below: 0 with *ret* for nlmsg_free(), or -ENOMEM. */
typedef struct nl_msg LinkRequest;
static inline void link_requestp(LinkRequest **p) {
    nlmsg_free(*p);
}
#define _cleanup_request_ _cleanup_(link_requestp)

int link_request_get(const char *name, LinkRequest **ret);
/* An XFRM interface with *id* as its if_id and no underlying device: outer packets follow the routes. */
int link_request_make(const char *name, uint32_t id, LinkRequest **ret);
/* MTU and up. */
int link_request_up(int ifindex, unsigned mtu, LinkRequest **ret);
int link_request_by_index(int ifindex, LinkRequest **ret);
/* No link-local address of its own: then the kernel sends nothing by itself into the tunnel. Refused by a
 * kernel without IPv6. */
int link_request_quiet(int ifindex, LinkRequest **ret);

/* *add*: also fine for an address that is there; else removes it. */
int link_request_address(bool add, int ifindex, const Address *inner, LinkRequest **ret);
/* The addresses of one interface (the kernel filters with NETLINK_GET_STRICT_CHK). */
int link_request_addresses(int ifindex, LinkRequest **ret);

/* Route and rules of the inside; adding replaces what is there, except for rules, which answer EEXIST. */
int link_request_route_unreachable(int family, uint32_t id, LinkRequest **ret);
/* *mss*: what TCP tells the other end (RTAX_ADVMSS). */
int link_request_route_default(int ifindex, const Address *source, uint32_t id, unsigned mss,
                               LinkRequest **ret);
int link_request_rule_interface(int family, const char *name, uint32_t id, LinkRequest **ret);
int link_request_rule_source(bool add, const Address *inner, uint32_t id, LinkRequest **ret);
int link_request_rule_former(bool add, const Address *former, uint32_t id, LinkRequest **ret);
int link_request_rules(int family, LinkRequest **ret);
/* Which way the kernel would send a packet to *destination*. */
int link_request_way(const Address *destination, LinkRequest **ret);

typedef struct LinkState {
    int ifindex;
    bool is_xfrm;
    uint32_t if_id; /* of an XFRM interface */
    unsigned mtu;
} LinkState;

typedef struct LinkRule {
    uint32_t priority, table;
    bool is_unreachable; /* instead of leading to *table* */
    Address source;      /* AF_UNSPEC: not a rule for one address */
} LinkRule;

typedef struct LinkWay {
    uint8_t type; /* RTN_UNICAST, RTN_LOCAL, … */
    int ifindex;
    Address source; /* AF_UNSPEC: none */
    unsigned mtu;   /* of the way itself, learnt or set; 0: the interface's */
} LinkWay;

/* fe80::/10, and 169.254.0.0/16: reaches nothing beyond its link. */
bool address_is_link_local(const Address *a);

/* From RTM_NEWLINK, RTM_NEWADDR, RTM_NEWRULE, RTM_NEWROUTE. 0, -EBADMSG or -ENOMEM. */
int link_read_link(struct nlmsghdr *answer, LinkState *ret);
int link_read_address(struct nlmsghdr *answer, int *ret_ifindex, Address *ret);
int link_read_rule(struct nlmsghdr *answer, LinkRule *ret);
int link_read_way(struct nlmsghdr *answer, LinkWay *ret);
