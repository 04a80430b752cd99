/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See netlink-io.h. */
#include "netlink/netlink-io.h"

#include <linux/rtnetlink.h>
#include <unistd.h>

#include "base/log.h"
#include "netlink/channel-io.h"
#include "netlink/inside-io.h"
#include "netlink/sad-io.h"

#define NOTIFICATIONS_A_WAKEUP 256 /* read at once; what is left wakes us again */

struct NetlinkIo {
    void (*changed)(void *userdata);
    void *userdata;
    NetlinkChannel *route;
    Sad *sad;
    Inside *inside;
    int notifications;
    sd_event_source *source;
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
    NetlinkIo *io = userdata;
    if (notifications_drain(fd) && io->changed)
        io->changed(io->userdata);
    return 0;
}

/* What carries our if_id before we made anything is of a predecessor that was killed. */
static int leftovers_remove(NetlinkIo *io) {
    size_t n = 0;
    int r = sad_flush(io->sad, &n);
    if (r == 0 && n > 0)
        log_notice("Removed %zu SAs and policies a previous run left in the kernel", n);
    return r;
}

static void io_close(NetlinkIo *io) {
    sd_event_source_disable_unref(io->source);
    if (io->notifications >= 0)
        close(io->notifications);
    inside_free(io->inside);
    sad_free(io->sad);
    channel_free(io->route);
    free(io);
}
DEFINE_CLEANUP(NetlinkIo, io_close)

int netlink_io_new(NetlinkIo **ret, sd_event *event, const NetlinkConfig *config) {
    _cleanup_(io_closep) NetlinkIo *io = calloc(1, sizeof *io);
    if (!io)
        return -ENOMEM;
    io->changed = config->changed;
    io->userdata = config->userdata;

    /* Listening comes before looking, so that no change falls between. */
    int r = io->notifications = notifications_open();
    if (r >= 0)
        r = sd_event_add_io(event, &io->source, io->notifications, EPOLLIN, notifications_arrived, io);
    if (r >= 0)
        r = channel_new(&io->route, NETLINK_ROUTE);
    if (r < 0) {
        log_error("rtnetlink socket: %s", strerror(-r));
        return r;
    }
    r = sad_new(&io->sad, config->id);
    if (r == 0)
        r = inside_new(&io->inside, io->route, io->sad, config->interface, config->id);
    if (r == 0)
        r = leftovers_remove(io);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(io);
    return 0;
}

void netlink_io_free(NetlinkIo *io) {
    size_t n;
    if (!io)
        return;
    (void)sad_flush(io->sad, &n); /* which logs what stays */
    io_close(io);
}

/* Where the default route leads, seen by asking for the way to an address that no host has and no sane
 * network routes: the benchmark ranges of RFC 2544 and RFC 5180. The documentation ranges would do in the
 * field, but labs use those as networks, and a network on the link is no default route. */
static Address uplink_probe(int family) {
    static const uint8_t v4[] = {198, 19, 255, 254};                                  /* 198.18.0.0/15 */
    static const uint8_t v6[16] = {0x20, 0x01, 0x00, 0x02, [14] = 0xff, [15] = 0xfe}; /* 2001:2::/48 */
    return address_from_bytes(family, family == AF_INET ? v4 : v6);
}

int netlink_io_uplink(NetlinkIo *io, int family, Address *ret) {
    Address probe = uplink_probe(family);
    LinkWay way = {0};
    int r = way_ask(io->route, &probe, &way);
    if (r < 0 || way.type != RTN_UNICAST || address_size(way.source.family) == 0 ||
        address_is_link_local(&way.source) || inside_owns(io->inside, &way))
        return -ENETUNREACH;
    *ret = way.source;
    return 0;
}

int netlink_io_allocate_spi(NetlinkIo *io, const Address *remote, const Address *local, uint32_t *ret_spi) {
    return sad_allocate_spi(io->sad, remote, local, ret_spi);
}

int netlink_io_remove_sa(NetlinkIo *io, const Address *destination, uint32_t spi) {
    return sad_remove_sa(io->sad, destination, spi);
}

int netlink_io_install(NetlinkIo *io, const ChildSa *child) {
    return sad_install(io->sad, child);
}

int netlink_io_remove(NetlinkIo *io, const ChildSa *child) {
    return sad_remove(io->sad, child);
}

int netlink_io_set_inner(NetlinkIo *io, const AddressList *inner) {
    return inside_set(io->inside, inner);
}
