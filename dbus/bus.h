/* SPDX-License-Identifier: GPL-3.0-or-later */
/* org.henb.Agent1 on the system bus: properties over struct Status, one emitter of their changes, and the
 * methods of API.md. */
#pragma once

#include <systemd/sd-event.h>

#include "base/macro.h"
#include "status.h"

typedef struct Bus Bus;
/* A Deregister() or ClearDeregistration() whose caller may have it done; owned by the bus. */
typedef struct BusRequest BusRequest;

/* What callers want. At most one request of each kind is with its handler; it is answered by
 * bus_request_done(), at once or later, also when its caller has gone: what was authorized stays so. */
typedef struct BusHandlers {
    void (*deregister)(void *userdata, BusRequest *request);
    void (*clear_deregistration)(void *userdata, BusRequest *request);
    /* Another daemon reports the value of a parameter. NULL, or why it is not taken (static, UTF-8). */
    const char *(*report_value)(void *userdata, const char *path, const char *value);
    /* These were all the values of one report: what belongs together came together. */
    void (*reported)(void *userdata);
    void *userdata;
} BusHandlers;

/* Connects to the system bus (DBUS_SYSTEM_BUS_ADDRESS is honoured), adds the object and takes the name
 * org.henb.Agent1 without queueing or replacing. 0, -ENOMEM, or -EIO after a line that says what it was: no
 * bus, the name is taken, the bus policy does not let us have it. Publishes *initial*. A bus that goes away
 * ends the event loop with EXIT_FAILURE. Waits for the bus daemon's answers: for the start of the program. */
int bus_new(Bus **ret, sd_event *event, const Status *initial, const BusHandlers *handlers);
/* Refuses what has not been answered (the requests are gone then), sends what is still queued and
 * disconnects. NULL is fine. */
void bus_free(Bus *bus);
/* Makes *status* what readers see. Emits at most one PropertiesChanged, with exactly the names and new values
 * of the properties that differ from what was published before. *status* holds an MME only in
 * AGENT_REGISTERED. 0 or negative errno. */
int bus_publish(Bus *bus, const Status *status);
/* Answers a request a handler was given, exactly once. *refusal*: NULL, it is done; else why not, a line for
 * the caller (org.henb.Agent1.Error.Refused). *request* is gone afterwards. */
void bus_request_done(BusRequest *request, const char *refusal);

DEFINE_CLEANUP(Bus, bus_free)
