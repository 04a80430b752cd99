/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The agent over time. */
#pragma once

#include <systemd/sd-bus.h>

#include "base/moment.h"
#include "dbus/ctl/style.h"

/* Until the agent is registered; it may start meanwhile. 0; -ETIME after *timeout* (USEC_NEVER: never); or
 * another negative errno. */
int follow_until_registered(sd_bus *bus, usec_t timeout);
/* Prints what the agent's objects are, then each change as it comes, and that the agent goes or comes.
 * *json*: each as one line of JSON. Returns only when the bus is gone: a negative errno. */
int follow_changes(sd_bus *bus, const Style *style, bool json);
