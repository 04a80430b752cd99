/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Owns everything: performs what the procedure asks for and tells it what came of it. */
#pragma once

#include <systemd/sd-event.h>

#include "base/macro.h"
#include "config.h"
#include "dbus/bus.h"
#include "security.h"

typedef struct Manager Manager;

/* At most this long a stop waits for the SeGW's answer to our DELETE. */
#define MANAGER_STOP_TIMEOUT (2 * USEC_PER_SEC)

/* The bus wants a reload: to be answered with bus_request_done(). */
typedef struct ManagerReload {
    void (*wanted)(void *userdata, BusRequest *request);
    void *userdata;
} ManagerReload;

/* Takes the kernel's interface, the sockets, the store, the bus name. 0 or negative errno; who failed logged
 * a line that names what could not be had. Only from netlink_io_new() come -EOPNOTSUPP (the kernel lacks XFRM
 * or CONFIG_XFRM_INTERFACE), -EEXIST (TunnelInterface= is an interface of somebody else) and -ENOTUNIQ
 * (InterfaceId= is in use): the others have no such error of their own, and bus_new() maps what the bus
 * daemon may answer. *state* is the directory of what is kept. *config*, *security* and *state* must outlive
 * it. */
int manager_new(Manager **ret, sd_event *event, const Config *config, Security *security, const char *state,
                const ManagerReload *reload);
/* *config* and *security* are others now: the bus hears of the log level, a tunnel that is up gets a
 * successor made with the new certificates. */
void manager_reloaded(Manager *manager, bool log_level, bool credentials);
void manager_free(Manager *manager);
DEFINE_CLEANUP(Manager, manager_free)
/* Starts the procedure. */
void manager_start(Manager *manager);
/* Takes traffic off, deletes the IKE SA and ends the event loop, after MANAGER_STOP_TIMEOUT at the latest. */
void manager_stop(Manager *manager);
