/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel through netlink: XFRM by libmnl, links, addresses, routes and rules by libnl-route.
 *
 * Everything of ours carries the one number `id`: XFRM if_id and reqid, routing table, priority of our rules
 * and of our policies. Nothing else is ever changed or removed. Requests are answered by the kernel within
 * the system call, so these functions are synchronous; only notifications come through the event loop. */
#pragma once

#include <systemd/sd-event.h>

#include "base/address.h"
#include "ike/child-sa.h"

typedef struct NetlinkIo NetlinkIo;

typedef struct NetlinkConfig {
    const char *interface; /* name of the tunnel interface */
    uint32_t id;
    /* Something about links, addresses or routes may have changed; ask netlink_io_uplink() again. May be
     * NULL. */
    void (*changed)(void *userdata);
    void *userdata;
} NetlinkConfig;

/* Opens the sockets; fails with -EOPNOTSUPP and a log line naming CONFIG_XFRM_INTERFACE (or CONFIG_XFRM_USER)
 * on a kernel without it; with -EEXIST when *interface* is one that is not ours, with -ENOTUNIQ when another
 * interface has the number. Makes or adopts the tunnel interface, removes SAs and policies a killed
 * predecessor left. */
int netlink_io_new(NetlinkIo **ret, sd_event *event, const NetlinkConfig *config);
/* Removes our SAs and tunnel policies; the interface, inner addresses, rules, table and block policies stay.
 */
void netlink_io_free(NetlinkIo *io);

/* Is there a way out: a usable source address and a route that is not our own? One route request a family, no
 * dump. 0 with *ret* the source address, or -ENETUNREACH. */
int netlink_io_uplink(NetlinkIo *io, int family, Address *ret);

/* Reserves an inbound ESP SPI from *remote* to *local* (XFRM_MSG_ALLOCSPI). 0 or negative errno. */
int netlink_io_allocate_spi(NetlinkIo *io, const Address *remote, const Address *local, uint32_t *ret_spi);
/* Gives back a reserved SPI, or removes one SA. */
int netlink_io_remove_sa(NetlinkIo *io, const Address *destination, uint32_t spi);

/* Programs one SA pair and its policies in one batch; any refusal takes the whole batch back, the reserved
 * SPI included. 0 or the first negative errno, logged with the kernel's own text. Several may be installed at
 * once (make before break): policies they share go with the last of them. */
int netlink_io_install(NetlinkIo *io, const ChildSa *child);
/* Removes policies, then SAs, of what netlink_io_install() made. Everything is tried; the first error is
 * returned. */
int netlink_io_remove(NetlinkIo *io, const ChildSa *child);

/* Makes the inside reachable by *inner* (n >= 1 addresses). Each is guarded before it exists: block policy,
 * table ending in `unreachable`, rules; then address and route. Addresses of before that are not in *inner*
 * go last, with their block policy; what is still sent from them goes nowhere, until another link has the
 * address (former-io.h). Whatever is already there stays. 0, -EADDRINUSE when the box or its link has an
 * address of *inner* elsewhere (to guard that one would cut the box off), or the first negative errno. */
int netlink_io_set_inner(NetlinkIo *io, const AddressList *inner);
