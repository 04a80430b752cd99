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
#include "netlink/features.h"

typedef struct NetlinkIo NetlinkIo;

typedef struct NetlinkConfig {
    const char *interface; /* name of the tunnel interface */
    uint32_t id;
    /* Something about links, addresses or routes may have changed; ask netlink_io_uplink() again. May be
     * NULL. */
    void (*changed)(void *userdata);
    /* An SA of an installed pair reached a limit (*hard*: it is gone). It may be told again after a move or
     * when it was removed already; what is not known is to be ignored. May be NULL. */
    void (*expired)(void *userdata, uint32_t spi, bool hard);
    /* An authenticated ESP packet of the pair with *spi_in* came *from* elsewhere than its remote end.
     * Repeated about every second while that goes on; netlink_io_move() ends it. May be NULL. */
    void (*mapping)(void *userdata, uint32_t spi_in, const Endpoint *from);
    void *userdata;
    int event_buffer; /* bytes for what the kernel says by itself, 0: the default */
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

/* Programs *parts* (CHILD_*) of a pair with their policies in one batch; any refusal takes back what this
 * call added, and with CHILD_IN the reserved SPI. 0 or the first negative errno, logged with the kernel's own
 * text. A part that is there already stays as it is. Several pairs may be installed at once: policies they
 * share go with the last of them. Of outbound SAs the kernel uses the newest from the next packet on; it
 * tells ages by whole seconds, so that the caller removes the old one next. With an outbound SA the interface
 * gets the MTU, and its route the MSS, that the path to the gateway has room for. */
int netlink_io_install(NetlinkIo *io, const ChildSa *child, unsigned parts);
/* Removes policies that no other pair needs, then SAs, of *parts*; what is not installed is left alone.
 * Everything is tried; the first error is returned. Keys of *child* are not looked at. */
int netlink_io_remove(NetlinkIo *io, const ChildSa *child, unsigned parts);
/* What of the pair is installed gets the outer addresses, ports and encapsulation that *child* has now, in
 * place of *old_local* and *old_remote*, and so do the policies: replay window, sequence numbers, counters
 * and limits go on. *child* needs no keys. Packets that want out within these few system calls are dropped. A
 * limit that was reached is told again. 0; -ENOENT when there is no such pair; another negative errno,
 * logged, when the pair could not be moved: then it is removed. */
int netlink_io_move(NetlinkIo *io, const ChildSa *child, const Endpoint *old_local,
                    const Endpoint *old_remote);
/* What both SAs of an installed pair have carried. 0 or negative errno, logged. */
int netlink_io_traffic(NetlinkIo *io, const ChildSa *child, ChildTraffic *ret);

/* Compares what is in the kernel with what was installed: policies that vanished are restored, guards of
 * inner addresses too, SAs that vanished are told as expired hard, SAs and policies of ours that nobody knows
 * are removed. Reserved SPIs stay. Done by itself when the kernel says that events were lost; logs one line.
 * 0 or negative errno, logged. */
int netlink_io_resync(NetlinkIo *io);

/* Whether this kernel can do all of *features* (NETLINK_*). */
bool netlink_io_has(const NetlinkIo *io, unsigned features);

/* Makes the inside reachable by *inner* (n >= 1 addresses). Each is guarded before it exists: block policy,
 * table ending in `unreachable`, rules; then address and route. Addresses of before that are not in *inner*
 * go last, with their block policy; what is still sent from them goes nowhere, until another link has the
 * address (former-io.h). Whatever is already there stays. 0, -EADDRINUSE when the box or its link has an
 * address of *inner* elsewhere (to guard that one would cut the box off), or the first negative errno. */
int netlink_io_set_inner(NetlinkIo *io, const AddressList *inner);
