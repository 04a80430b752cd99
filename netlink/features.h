/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What some kernels can do for an SA and others ignore without a word: found out by reading back
 * (sad_probe()). */
#pragma once

enum {
    NETLINK_SA_DIR = 1,        /* 6.10: an SA has a direction, and an outbound one no replay window */
    NETLINK_NAT_KEEPALIVE = 2, /* 6.11: the kernel sends RFC 3948's keepalives for an outbound SA */
};
