/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A message bus of a test's own: dbus-daemon with its own configuration and socket, named to every library by
 * DBUS_SYSTEM_BUS_ADDRESS. */
#pragma once

#include <stddef.h>
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

/* The policy that is installed (BUS_POLICY), where nothing is allowed but what services allow, as on the
 * system bus: with the user who runs the test in the place of henb, and *group* in that of the group.
 * *more_default*, *more*: rules that stand behind those of everybody, and policies. Writes *size* bytes. */
void private_bus_policy(char *ret, size_t size, gid_t group, const char *more_default, const char *more);
