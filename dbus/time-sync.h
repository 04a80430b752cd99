/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The NTP servers a HeMS has set, for systemd-timesyncd: SetRuntimeNTPServers of org.freedesktop.timesync1
 * (there since systemd 250). They come before those of its own configuration, and are gone when it ends; so
 * they are told again when it comes. Its polkit action org.freedesktop.timesync1.set-runtime-servers has to
 * be granted to the agent's user. It is not started for this. */
#pragma once

#include <systemd/sd-bus.h>

#include "base/macro.h"

#define TIME_SERVERS_MAX 5

typedef struct TimeSync TimeSync;

/* 0 or negative errno. Waits for the bus daemon's answer. */
int time_sync_new(TimeSync **ret, sd_bus *bus);
void time_sync_free(TimeSync *sync);
DEFINE_CLEANUP(TimeSync, time_sync_free)
/* Names or addresses, at most TIME_SERVERS_MAX; copied. None: those of its own configuration count again.
 * What goes wrong is logged. */
void time_sync_set(TimeSync *sync, const char *const *servers, size_t n);
