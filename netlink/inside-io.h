/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inside of the tunnel as the rest of the box sees it: the XFRM interface, inner addresses, rules and the
 * table. All of it outlives SAs, the process and the tunnel, so that nothing inner ever goes out in clear. */
#pragma once

#include "base/address.h"
#include "netlink/channel-io.h"
#include "netlink/link.h"
#include "netlink/sad-io.h"

/* The largest inner packet that a link of 1500 bytes carries in one piece however it is wrapped: AES-CBC with
 * HMAC-SHA2-256 in UDP over IPv6 adds 40 + 8 + 8 + 16 (IV) + 16 (ICV) bytes and pads inner packet and trailer
 * to 16, which leaves 1406. Outer fragments get lost at NATs and firewalls. Not more for a suite that needs
 * less: of the way beyond the first link nothing is known. */
#define INNER_MTU_MAX 1400
#define INNER_MTU_MIN 1280 /* RFC 8200 5 */

typedef struct Inside Inside;

/* Makes or adopts the interface; *route* and *sad* are borrowed. Errors as netlink_io_new(). */
int inside_new(Inside **ret, NetlinkChannel *route, Sad *sad, const char *interface, uint32_t id);
/* Forgets, and leaves all of it in place. */
void inside_free(Inside *inside);
DEFINE_CLEANUP(Inside, inside_free)

/* As netlink_io_set_inner(). */
int inside_set(Inside *inside, const AddressList *inner);
/* The guards of the inner addresses, should somebody have removed them. 0 or negative errno, logged. */
int inside_guard(Inside *inside);
/* Gives the interface the MTU, and the route the MSS, that the way to the gateway of *child* has room for: no
 * more than INNER_MTU_MAX, and no less than the 1280 bytes that IPv6 needs, where the kernel then fragments
 * the outer packets; TCP, told the truth by the MSS, needs none of that. 0 or negative errno, logged. */
int inside_fit(Inside *inside, const ChildSa *child);
/* Links or addresses have changed: rules of former inner addresses that another link has now are removed. */
void inside_yield(Inside *inside);
/* Whether a packet that goes this way stays inside, or would carry an inner address outside. *inside*
 * may be NULL: nothing is. */
bool inside_owns(const Inside *inside, const LinkWay *way);
