/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inside of the tunnel as the rest of the box sees it: the XFRM interface, inner addresses, rules and the
 * table. All of it outlives SAs, the process and the tunnel, so that nothing inner ever goes out in clear. */
#pragma once

#include "base/address.h"
#include "netlink/channel-io.h"
#include "netlink/link.h"
#include "netlink/sad-io.h"

typedef struct Inside Inside;

/* Makes or adopts the interface; *route* and *sad* are borrowed. Errors as netlink_io_new(). */
int inside_new(Inside **ret, NetlinkChannel *route, Sad *sad, const char *interface, uint32_t id);
/* Forgets, and leaves all of it in place. */
void inside_free(Inside *inside);
DEFINE_CLEANUP(Inside, inside_free)

/* As netlink_io_set_inner(). */
int inside_set(Inside *inside, const AddressList *inner);
/* Links or addresses have changed: rules of former inner addresses that another link has now are removed. */
void inside_yield(Inside *inside);
/* Whether a packet that goes this way stays inside, or would carry an inner address outside. *inside*
 * may be NULL: nothing is. */
bool inside_owns(const Inside *inside, const LinkWay *way);
