/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rules of former inner addresses. A socket bound to an inner address may outlive it, and IPv6 goes on
 * sending from an address the box has no more: by the table main, past the tunnel, in clear. So when an
 * address goes, `from INNER unreachable` takes the place of `from INNER lookup ID`. The latter alone would
 * not do: what henb0 drops for want of an SA it answers with an ICMP error that quotes it, and sends that to
 * the source, which is now an address like any other beyond the uplink. */
#pragma once

#include "netlink/channel-io.h"
#include "netlink/link.h"

/* Most rules kept; each is looked at for every packet of the box. */
#define FORMER_MAX 64

typedef struct Former {
    size_t n;
    Address items[FORMER_MAX + ADDRESSES_MAX]; /* by age of the rule, oldest first */
} Former;

/* Before *inner* is taken off the interface: its rule leads nowhere from now on, without a moment when there
 * is none. And when it is to be an inner address again, once its rule into the table is there. 0 or negative
 * errno, logged. */
int former_retire(NetlinkChannel *route, uint32_t id, const Address *inner);
int former_revive(NetlinkChannel *route, uint32_t id, const Address *inner);

/* The addresses of our source rules (priority *id*) that are not in *inner*; those that still lead to the
 * table, say of a run that broke off, are retired. What there is no room for is found the next time. 0 or
 * negative errno, logged. */
int former_read(NetlinkChannel *route, uint32_t id, const AddressList *inner, Former *ret);
/* These are inner addresses again. */
void former_forget(Former *former, const AddressList *inner);
/* Takes away the rules of addresses that are of this box again and so of another link: what the uplink sends
 * must not be swallowed. What cannot be taken away is logged and stays on the list. */
void former_yield(NetlinkChannel *route, uint32_t id, Former *former);
/* Takes rules away until FORMER_MAX are left. 0 or negative errno, logged. */
int former_trim(NetlinkChannel *route, uint32_t id, Former *former);
