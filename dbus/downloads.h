/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The interface org.henb.Agent1.Downloads (API.md): other daemons want a file of the HeMS. */
#pragma once

#include <systemd/sd-bus.h>

#include "dbus/bus.h"

/* Adds the interface to the object *path*. *handlers* is borrowed. 0 or negative errno. */
int bus_downloads_add(sd_bus *bus, const char *path, const BusHandlers *handlers);
