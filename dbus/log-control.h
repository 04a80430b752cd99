/* SPDX-License-Identifier: GPL-3.0-or-later */
/* org.freedesktop.LogControl1(5): the log level, for "systemctl service-log-level henb-agent.service". */
#pragma once

#include <systemd/sd-bus.h>

/* 0 or negative errno. */
int bus_log_control_add(sd_bus *bus);
/* The level has changed by other means than the bus: its readers hear of it. */
void bus_log_control_changed(sd_bus *bus);
