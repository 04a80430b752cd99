/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The methods of org.henb.Agent1 that are not for everybody: who calls, whether polkit lets them, then the
 * handler, which answers when it is done. */
#pragma once

#include <systemd/sd-bus.h>

#include "dbus/bus.h"

typedef struct BusRequests BusRequests;

/* *handlers* is borrowed. 0 or -ENOMEM. */
int bus_requests_new(BusRequests **ret, sd_bus *bus, const BusHandlers *handlers);
/* Refuses what has not been answered; the requests are gone then. */
void bus_requests_free(BusRequests *requests);
/* A method was called, one of the table in requests.c: for sd-bus' handlers. */
int bus_requests_begin(BusRequests *requests, sd_bus_message *m, sd_bus_error *error);
