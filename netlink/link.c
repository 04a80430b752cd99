/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See link.h. */
#include "netlink/link.h"

#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet6.h>
#include <netlink/route/link/xfrmi.h>
#include <netlink/route/route.h>
#include <netlink/route/rule.h>

#define METRIC_UNREACHABLE 4000 /* after the route into the tunnel, which the kernel ranks at 0 or 1024 */

static inline void addressp(struct nl_addr **p) {
    nl_addr_put(*p);
}
static inline void link_objectp(struct rtnl_link **p) {
    rtnl_link_put(*p);
}
static inline void address_objectp(struct rtnl_addr **p) {
    rtnl_addr_put(*p);
}
static inline void route_objectp(struct rtnl_route **p) {
    rtnl_route_put(*p);
}
static inline void rule_objectp(struct rtnl_rule **p) {
    rtnl_rule_put(*p);
}

/* Building a request touches memory only, so anything libnl refuses otherwise is a mistake of ours. */
static int built(int nl_error, LinkRequest *request, LinkRequest **ret) {
    if (nl_error == -NLE_NOMEM)
        return -ENOMEM;
    assert(nl_error >= 0);
    nlmsg_hdr(request)->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
    *ret = request;
    return 0;
}

int link_request_get(const char *name, LinkRequest **ret) {
    LinkRequest *request = NULL;
    int r = rtnl_link_build_get_request(0, name, &request);
    return built(r, request, ret);
}

int link_request_make(const char *name, uint32_t id, LinkRequest **ret) {
    _cleanup_(link_objectp) struct rtnl_link *link = rtnl_link_xfrmi_alloc();
    if (!link)
        return -ENOMEM;
    rtnl_link_set_name(link, name);
    rtnl_link_xfrmi_set_if_id(link, id);

    LinkRequest *request = NULL;
    int r = rtnl_link_build_add_request(link, NLM_F_CREATE | NLM_F_EXCL, &request);
    return built(r, request, ret);
}

static int link_change(int ifindex, struct rtnl_link *changes, LinkRequest **ret) {
    _cleanup_(link_objectp) struct rtnl_link *link = rtnl_link_alloc();
    if (!link)
        return -ENOMEM;
    rtnl_link_set_ifindex(link, ifindex);

    LinkRequest *request = NULL;
    int r = rtnl_link_build_change_request(link, changes, 0, &request);
    return built(r, request, ret);
}

int link_request_by_index(int ifindex, LinkRequest **ret) {
    LinkRequest *request = NULL;
    int r = rtnl_link_build_get_request(ifindex, NULL, &request);
    return built(r, request, ret);
}

int link_request_up(int ifindex, unsigned mtu, LinkRequest **ret) {
    _cleanup_(link_objectp) struct rtnl_link *changes = rtnl_link_alloc();
    if (!changes)
        return -ENOMEM;
    rtnl_link_set_flags(changes, IFF_UP);
    rtnl_link_set_mtu(changes, mtu);
    return link_change(ifindex, changes, ret);
}

int link_request_quiet(int ifindex, LinkRequest **ret) {
    _cleanup_(link_objectp) struct rtnl_link *changes = rtnl_link_alloc();
    if (!changes || rtnl_link_inet6_set_addr_gen_mode(changes, IN6_ADDR_GEN_MODE_NONE) < 0)
        return -ENOMEM;
    return link_change(ifindex, changes, ret);
}

static struct nl_addr *address_whole(const Address *a) {
    struct nl_addr *whole = nl_addr_build(a->family, a->bytes, address_size(a->family));
    if (whole)
        nl_addr_set_prefixlen(whole, (int)(8 * address_size(a->family)));
    return whole;
}

/* Neither family's kernel may take the inner address for a packet that leaves by the uplink, as it would when
 * the uplink has lost its own: IPv4 never borrows an address of scope link from another interface, and IPv6
 * avoids a deprecated one. Programs that bind it are not affected, and inside it is the route's source. */
static void address_keep_inside(struct rtnl_addr *address, int family) {
    if (family == AF_INET) {
        rtnl_addr_set_scope(address, RT_SCOPE_LINK);
        return;
    }
    rtnl_addr_set_preferred_lifetime(address, 0);
    rtnl_addr_set_valid_lifetime(address, UINT32_MAX);
    rtnl_addr_set_flags(address, IFA_F_NODAD | IFA_F_NOPREFIXROUTE);
}

int link_request_address(bool add, int ifindex, const Address *inner, LinkRequest **ret) {
    _cleanup_(address_objectp) struct rtnl_addr *address = rtnl_addr_alloc();
    _cleanup_(addressp) struct nl_addr *whole = address_whole(inner);
    if (!address || !whole)
        return -ENOMEM;
    rtnl_addr_set_ifindex(address, ifindex);
    rtnl_addr_set_local(address, whole);
    address_keep_inside(address, inner->family);

    LinkRequest *request = NULL;
    int r = add ? rtnl_addr_build_add_request(address, NLM_F_CREATE | NLM_F_REPLACE, &request)
                : rtnl_addr_build_delete_request(address, 0, &request);
    return built(r, request, ret);
}

static int request_dump(int type, const void *header, size_t size, LinkRequest **ret) {
    _cleanup_request_ LinkRequest *request = nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_DUMP);
    if (!request || nlmsg_append(request, (void *)header, size, NLMSG_ALIGNTO) < 0)
        return -ENOMEM;
    *ret = TAKE_PTR(request);
    return 0;
}

int link_request_addresses(int ifindex, LinkRequest **ret) {
    const struct ifaddrmsg header = {.ifa_index = (uint32_t)ifindex};
    return request_dump(RTM_GETADDR, &header, sizeof header, ret);
}

int link_request_rules(int family, LinkRequest **ret) {
    const struct fib_rule_hdr header = {.family = (uint8_t)family};
    return request_dump(RTM_GETRULE, &header, sizeof header, ret);
}

static int request_route(struct rtnl_route *route, int family, uint32_t id, LinkRequest **ret) {
    _cleanup_(addressp) struct nl_addr *any = nl_addr_build(family, NULL, 0);
    if (!any)
        return -ENOMEM;
    rtnl_route_set_family(route, (uint8_t)family);
    rtnl_route_set_dst(route, any);
    rtnl_route_set_table(route, id);
    rtnl_route_set_protocol(route, RTPROT_STATIC);

    LinkRequest *request = NULL;
    int r = rtnl_route_build_add_request(route, NLM_F_CREATE | NLM_F_REPLACE, &request);
    return built(r, request, ret);
}

int link_request_route_unreachable(int family, uint32_t id, LinkRequest **ret) {
    _cleanup_(route_objectp) struct rtnl_route *route = rtnl_route_alloc();
    if (!route)
        return -ENOMEM;
    rtnl_route_set_type(route, RTN_UNREACHABLE);
    rtnl_route_set_scope(route, RT_SCOPE_UNIVERSE);
    rtnl_route_set_priority(route, METRIC_UNREACHABLE);
    return request_route(route, family, id, ret);
}

int link_request_route_default(int ifindex, const Address *source, uint32_t id, unsigned mss,
                               LinkRequest **ret) {
    _cleanup_(route_objectp) struct rtnl_route *route = rtnl_route_alloc();
    _cleanup_(addressp) struct nl_addr *whole = address_whole(source);
    struct rtnl_nexthop *hop = route && whole ? rtnl_route_nh_alloc() : NULL;
    if (!hop)
        return -ENOMEM;
    rtnl_route_nh_set_ifindex(hop, ifindex);
    rtnl_route_add_nexthop(route, hop); /* the route owns it now */
    rtnl_route_set_type(route, RTN_UNICAST);
    rtnl_route_set_scope(route, RT_SCOPE_LINK);
    rtnl_route_set_pref_src(route, whole);
    if (rtnl_route_set_metric(route, RTAX_ADVMSS, mss) < 0)
        return -ENOMEM;
    return request_route(route, source->family, id, ret);
}

static int request_rule(bool add, struct rtnl_rule *rule, uint8_t action, uint32_t id, LinkRequest **ret) {
    rtnl_rule_set_action(rule, action);
    if (action == FR_ACT_TO_TBL)
        rtnl_rule_set_table(rule, id);
    rtnl_rule_set_prio(rule, id);

    LinkRequest *request = NULL;
    int r = add ? rtnl_rule_build_add_request(rule, NLM_F_CREATE | NLM_F_EXCL, &request)
                : rtnl_rule_build_delete_request(rule, 0, &request);
    return built(r, request, ret);
}

int link_request_rule_interface(int family, const char *name, uint32_t id, LinkRequest **ret) {
    _cleanup_(rule_objectp) struct rtnl_rule *rule = rtnl_rule_alloc();
    if (!rule)
        return -ENOMEM;
    rtnl_rule_set_family(rule, family);
    rtnl_rule_set_oif(rule, name);
    return request_rule(true, rule, FR_ACT_TO_TBL, id, ret);
}

static int request_rule_source(bool add, const Address *inner, uint8_t action, uint32_t id,
                               LinkRequest **ret) {
    _cleanup_(rule_objectp) struct rtnl_rule *rule = rtnl_rule_alloc();
    _cleanup_(addressp) struct nl_addr *whole = address_whole(inner);
    if (!rule || !whole)
        return -ENOMEM;
    rtnl_rule_set_family(rule, inner->family);
    rtnl_rule_set_src(rule, whole);
    return request_rule(add, rule, action, id, ret);
}

int link_request_rule_source(bool add, const Address *inner, uint32_t id, LinkRequest **ret) {
    return request_rule_source(add, inner, FR_ACT_TO_TBL, id, ret);
}

int link_request_rule_former(bool add, const Address *former, uint32_t id, LinkRequest **ret) {
    return request_rule_source(add, former, FR_ACT_UNREACHABLE, id, ret);
}

int link_request_way(const Address *destination, LinkRequest **ret) {
    _cleanup_(addressp) struct nl_addr *whole = address_whole(destination);
    _cleanup_request_ LinkRequest *request = nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_ACK);
    const struct rtmsg header = {
        .rtm_family = (uint8_t)destination->family,
        .rtm_dst_len = (uint8_t)(8 * address_size(destination->family)),
    };
    if (!whole || !request || nlmsg_append(request, (void *)&header, sizeof header, NLMSG_ALIGNTO) < 0 ||
        nla_put_addr(request, RTA_DST, whole) < 0)
        return -ENOMEM;
    *ret = TAKE_PTR(request);
    return 0;
}

static void object_keep(struct nl_object *object, void *userdata) {
    struct nl_object **kept = userdata;
    if (*kept)
        return;
    nl_object_get(object);
    *kept = object;
}

/* The object libnl makes of *answer*, for nl_object_put(). */
static int answer_parse(struct nlmsghdr *answer, int type, struct nl_object **ret) {
    struct nl_object *object = NULL;
    if (answer->nlmsg_type != type)
        return -EBADMSG;
    _cleanup_request_ LinkRequest *copy = nlmsg_convert(answer);
    if (!copy)
        return -ENOMEM;
    nlmsg_set_proto(copy, NETLINK_ROUTE);
    int r = nl_msg_parse(copy, object_keep, &object);
    if (!object)
        return r == -NLE_NOMEM ? -ENOMEM : -EBADMSG;
    *ret = object;
    return 0;
}

/* AF_UNSPEC for no address, and for anything but one whole address. */
static Address address_read(struct nl_addr *from) {
    Address none = {.family = AF_UNSPEC};
    if (!from)
        return none;
    int family = nl_addr_get_family(from);
    size_t size = address_size(family);
    if (size == 0 || nl_addr_get_len(from) != size || nl_addr_get_prefixlen(from) != 8 * size)
        return none;
    return address_from_bytes(family, nl_addr_get_binary_addr(from));
}

bool address_is_link_local(const Address *a) {
    return a->family == AF_INET6 ? IN6_IS_ADDR_LINKLOCAL(&a->in6) : a->bytes[0] == 169 && a->bytes[1] == 254;
}

int link_read_link(struct nlmsghdr *answer, LinkState *ret) {
    struct nl_object *object = NULL;
    int r = answer_parse(answer, RTM_NEWLINK, &object);
    if (r < 0)
        return r;
    _cleanup_(link_objectp) struct rtnl_link *link = (struct rtnl_link *)object;
    LinkState state = {.ifindex = rtnl_link_get_ifindex(link),
                       .is_xfrm = rtnl_link_is_xfrmi(link),
                       .mtu = rtnl_link_get_mtu(link)};
    if (state.is_xfrm)
        rtnl_link_xfrmi_get_if_id(link, &state.if_id);
    *ret = state;
    return 0;
}

int link_read_address(struct nlmsghdr *answer, int *ret_ifindex, Address *ret) {
    struct nl_object *object = NULL;
    int r = answer_parse(answer, RTM_NEWADDR, &object);
    if (r < 0)
        return r;
    _cleanup_(address_objectp) struct rtnl_addr *address = (struct rtnl_addr *)object;
    *ret_ifindex = rtnl_addr_get_ifindex(address);
    *ret = address_read(rtnl_addr_get_local(address));
    return 0;
}

int link_read_rule(struct nlmsghdr *answer, LinkRule *ret) {
    struct nl_object *object = NULL;
    int r = answer_parse(answer, RTM_NEWRULE, &object);
    if (r < 0)
        return r;
    _cleanup_(rule_objectp) struct rtnl_rule *rule = (struct rtnl_rule *)object;
    *ret = (LinkRule){
        .priority = rtnl_rule_get_prio(rule),
        .table = rtnl_rule_get_table(rule),
        .is_unreachable = rtnl_rule_get_action(rule) == FR_ACT_UNREACHABLE,
        .source = address_read(rtnl_rule_get_src(rule)),
    };
    return 0;
}

int link_read_way(struct nlmsghdr *answer, LinkWay *ret) {
    struct nl_object *object = NULL;
    int r = answer_parse(answer, RTM_NEWROUTE, &object);
    if (r < 0)
        return r;
    _cleanup_(route_objectp) struct rtnl_route *route = (struct rtnl_route *)object;
    struct rtnl_nexthop *hop = rtnl_route_get_nnexthops(route) > 0 ? rtnl_route_nexthop_n(route, 0) : NULL;
    uint32_t mtu = 0;
    if (rtnl_route_get_metric(route, RTAX_MTU, &mtu) < 0)
        mtu = 0;
    *ret = (LinkWay){
        .mtu = mtu,
        .type = rtnl_route_get_type(route),
        .ifindex = hop ? rtnl_route_nh_get_ifindex(hop) : 0,
        .source = address_read(rtnl_route_get_pref_src(route)),
    };
    return 0;
}
