/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See uplink-io.h. */
#include "netlink/uplink-io.h"

#include <linux/rtnetlink.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "netlink/route-io.h"

#define NOTIFICATIONS_A_WAKEUP 256 /* read at once; what is left wakes us again */

struct Uplink {
    int fd;
    sd_event_source *source;
    void (*changed)(void *userdata);
    void *userdata;
    bool told[2]; /* of a dead end: IPv4, IPv6 */
};

static int notifications_open(void) {
    const struct sockaddr_nl groups = {
        .nl_family = AF_NETLINK,
        .nl_groups =
            RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
    };
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)&groups, sizeof groups) < 0) {
        int r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

/* Whether anything was said. Nothing is parsed: the answer to any change is to ask anew, so a notification
 * lost for want of buffer (ENOBUFS) says as much as one that was read. */
static bool notifications_drain(int fd) {
    bool any = false;
    for (unsigned i = 0; i < NOTIFICATIONS_A_WAKEUP; i++) {
        uint8_t byte;
        ssize_t n = recv(fd, &byte, sizeof byte, MSG_TRUNC);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != ENOBUFS)
            return any;
        any = true;
    }
    return any;
}

static int notifications_arrived(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    Uplink *uplink = userdata;
    if (notifications_drain(fd) && uplink->changed)
        uplink->changed(uplink->userdata);
    return 0;
}

int uplink_new(Uplink **ret, sd_event *event, void (*changed)(void *userdata), void *userdata) {
    _cleanup_(uplink_freep) Uplink *uplink = calloc(1, sizeof *uplink);
    if (!uplink)
        return -ENOMEM;
    uplink->changed = changed;
    uplink->userdata = userdata;
    int r = uplink->fd = notifications_open();
    if (r >= 0)
        r = sd_event_add_io(event, &uplink->source, uplink->fd, EPOLLIN, notifications_arrived, uplink);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(uplink);
    return 0;
}

void uplink_free(Uplink *uplink) {
    if (!uplink)
        return;
    sd_event_source_disable_unref(uplink->source);
    if (uplink->fd >= 0)
        close(uplink->fd);
    free(uplink);
}

/* Where the default route leads, seen by asking for the way to an address that no host has and no sane
 * network routes: the benchmark ranges of RFC 2544 and RFC 5180. The documentation ranges would do in the
 * field, but labs use those as networks, and a network on the link is no default route. */
static Address uplink_probe(int family) {
    static const uint8_t v4[] = {198, 19, 255, 254};                                  /* 198.18.0.0/15 */
    static const uint8_t v6[16] = {0x20, 0x01, 0x00, 0x02, [14] = 0xff, [15] = 0xfe}; /* 2001:2::/48 */
    return address_from_bytes(family, family == AF_INET ? v4 : v6);
}

/* The errors that routes of these types answer with; for want of any route it is ENETUNREACH. */
static const char *dead_end_name(int error) {
    static const struct {
        int error;
        const char *name;
    } dead_ends[] = {{-EINVAL, "blackhole"}, {-EHOSTUNREACH, "unreachable"}, {-EACCES, "prohibit"}};
    for (size_t i = 0; i < ARRAY_SIZE(dead_ends); i++)
        if (error == dead_ends[i].error)
            return dead_ends[i].name;
    return NULL;
}

/* A filter of bogons takes the probe for one. */
static void dead_end_tell(Uplink *uplink, const Address *probe, int error) {
    bool *told = &uplink->told[probe->family == AF_INET6];
    const char *name = dead_end_name(error);
    if (!name || *told)
        return;
    *told = true;
    log_notice(
        "No way out over %s: the default route is looked for by asking the way to %s, and the kernel "
        "says it is %s (%s); if a default route exists, exempt this address",
        probe->family == AF_INET ? "IPv4" : "IPv6", ADDRESS_STR(probe), name, strerror(-error));
}

int uplink_find(Uplink *uplink, NetlinkChannel *route, const Inside *inside, int family, Address *ret) {
    Address probe = uplink_probe(family);
    LinkWay way = {0};
    int r = way_ask(route, &probe, &way);
    if (r < 0)
        dead_end_tell(uplink, &probe, r);
    if (r < 0 || way.type != RTN_UNICAST || address_size(way.source.family) == 0 ||
        address_is_link_local(&way.source) || inside_owns(inside, &way))
        return -ENETUNREACH;
    uplink->told[family == AF_INET6] = false;
    *ret = way.source;
    return 0;
}

void uplink_warn_of_arp(void) {
    int mode;
    FILE *f = fopen("/proc/sys/net/ipv4/conf/all/arp_ignore", "re");
    if (!f)
        return; /* nothing is known, so nothing is said */
    if (fscanf(f, "%d", &mode) == 1 && mode == 0)
        log_warning(
            "Linux answers ARP for the inner address on other links (net.ipv4.conf.all.arp_ignore=0)");
    fclose(f);
}
