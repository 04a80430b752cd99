/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See former-io.h. */
#include "netlink/former-io.h"

#include <linux/rtnetlink.h>

#include "base/log.h"
#include "netlink/route-io.h"

typedef struct Reading {
    uint32_t id;
    const AddressList *inner;
    Former found, leading; /* of all of them, those that still lead to the table */
} Reading;

static bool items_contain(const Address *items, size_t n, const Address *a) {
    for (size_t i = 0; i < n; i++)
        if (address_equal(&items[i], a))
            return true;
    return false;
}

static void former_add(Former *former, const Address *a) {
    if (former->n < ARRAY_SIZE(former->items) && !items_contain(former->items, former->n, a))
        former->items[former->n++] = *a;
}

static int take_rule(struct nlmsghdr *answer, void *userdata) {
    Reading *reading = userdata;
    LinkRule rule;
    int r = link_read_rule(answer, &rule);
    if (r < 0)
        return r;
    if (rule.priority != reading->id || (!rule.is_unreachable && rule.table != reading->id) ||
        rule.source.family == AF_UNSPEC ||
        items_contain(reading->inner->items, reading->inner->n, &rule.source))
        return 0;
    former_add(&reading->found, &rule.source);
    if (!rule.is_unreachable)
        former_add(&reading->leading, &rule.source);
    return 0;
}

static int rule_refused(NetlinkChannel *route, const char *what, const Address *a, int error) {
    log_error("The kernel refuses to %s the rule for the former inner address %s: %s", what, ADDRESS_STR(a),
              channel_reason(route, error));
    return error;
}

int former_retire(NetlinkChannel *route, uint32_t id, const Address *inner) {
    int r = ROUTE_DO(route, rule_former, true, inner, id);
    if (r < 0 && r != -EEXIST)
        return rule_refused(route, "make", inner, r);
    r = ROUTE_DO(route, rule_source, false, inner, id);
    return r < 0 && r != -ENOENT ? rule_refused(route, "change", inner, r) : 0;
}

int former_revive(NetlinkChannel *route, uint32_t id, const Address *inner) {
    int r = ROUTE_DO(route, rule_former, false, inner, id);
    return r < 0 && r != -ENOENT ? rule_refused(route, "remove", inner, r) : 0;
}

int former_read(NetlinkChannel *route, uint32_t id, const AddressList *inner, Former *ret) {
    Reading reading = {.id = id, .inner = inner};
    int r = route_rules(route, AF_INET, take_rule, &reading);
    if (r == 0)
        r = route_rules(route, AF_INET6, take_rule, &reading);
    if (r < 0) {
        log_error("The kernel refuses to tell the rules: %s", channel_reason(route, r));
        return r;
    }
    for (size_t i = 0; i < reading.leading.n && r == 0; i++)
        r = former_retire(route, id, &reading.leading.items[i]);
    if (r == 0)
        *ret = reading.found;
    return r;
}

static void former_drop(Former *former, size_t i) {
    former->n--;
    memmove(&former->items[i], &former->items[i + 1], (former->n - i) * sizeof former->items[0]);
}

void former_forget(Former *former, const AddressList *inner) {
    for (size_t i = former->n; i-- > 0;)
        if (items_contain(inner->items, inner->n, &former->items[i]))
            former_drop(former, i);
}

static int former_remove(NetlinkChannel *route, uint32_t id, Former *former, size_t i) {
    int r = ROUTE_DO(route, rule_former, false, &former->items[i], id);
    if (r < 0 && r != -ENOENT)
        return rule_refused(route, "remove", &former->items[i], r);
    former_drop(former, i);
    return 0;
}

void former_yield(NetlinkChannel *route, uint32_t id, Former *former) {
    for (size_t i = former->n; i-- > 0;) {
        Address address = former->items[i];
        LinkWay way = {0};
        if (way_ask(route, &address, &way) == 0 && way.type == RTN_LOCAL &&
            former_remove(route, id, former, i) == 0)
            log_notice("The former inner address %s is another link's now; its rule is removed",
                       ADDRESS_STR(&address));
    }
}

/* An IPv4 rule goes before any of IPv6, however young: the kernel itself sends nothing from an IPv4 address
 * the box has not (but for sockets with IP_TRANSPARENT or IP_HDRINCL, which send from any address they like),
 * so its rule is the second lock of that door. Of IPv6 it is the only one. There the oldest goes: a socket
 * still bound to it has slept through FORMER_MAX changes of the address, and a box that looks at ever more
 * rules for each packet comes to a stop some day. */
static size_t former_least(const Former *former) {
    for (size_t i = 0; i < former->n; i++)
        if (former->items[i].family == AF_INET)
            return i;
    return 0;
}

int former_trim(NetlinkChannel *route, uint32_t id, Former *former) {
    int r = 0;
    while (former->n > FORMER_MAX && r == 0)
        r = former_remove(route, id, former, former_least(former));
    return r;
}
