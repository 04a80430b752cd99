/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The way to the outside: whether there is one, and word when that may have changed. */
#pragma once

#include <systemd/sd-event.h>

#include "netlink/inside-io.h"

typedef struct Uplink Uplink;

/* Listens to links, addresses and routes. *changed* is called once a wakeup and may be NULL. */
int uplink_new(Uplink **ret, sd_event *event, void (*changed)(void *userdata), void *userdata);
void uplink_free(Uplink *uplink);
DEFINE_CLEANUP(Uplink, uplink_free)

/* As netlink_io_uplink(); what *inside* owns is no way out. A route that forbids the very address we ask
 * about would have us wait for ever: that is logged, once until there is a way again. */
int uplink_find(Uplink *uplink, NetlinkChannel *route, const Inside *inside, int family, Address *ret);

/* Logs a warning when Linux answers ARP for any address on any link (units/sysctl.conf). */
void uplink_warn_of_arp(void);
