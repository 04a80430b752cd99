/* SPDX-License-Identifier: GPL-3.0-or-later */
/* org.henb.Agent1.Tunnel over struct TunnelStatus. */
#pragma once

#include "dbus/bus.h"
#include "dbus/publication.h"

/* *path* is static, *handlers* borrowed. 0 or negative errno. */
int bus_tunnel_add(Publication **ret, sd_bus *bus, const char *path, const BusHandlers *handlers);
int bus_tunnel_publish(Publication *tunnel, const TunnelStatus *status);
