/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A message bus of a test's own: dbus-daemon with its own configuration and socket, named to every library by
 * DBUS_SYSTEM_BUS_ADDRESS. */
#pragma once

#include <sys/types.h>

typedef struct PrivateBus {
    char directory[32];
    pid_t daemon;
} PrivateBus;

/* Starts the daemon and returns when it listens. *policy*: what stands between <busconfig> and </busconfig>
 * to say who may do what; NULL: everyone everything. Fails the test if it cannot. The daemon ends with the
 * test. */
void private_bus_start(PrivateBus *bus, const char *policy);
void private_bus_stop(PrivateBus *bus);
