/* SPDX-License-Identifier: GPL-3.0-or-later */
/* org.henb.Agent1 on the system bus: properties over struct Status, and one emitter of their changes. */
#pragma once

#include <systemd/sd-event.h>

#include "base/macro.h"
#include "status.h"

typedef struct Bus Bus;

/* Connects to the system bus (DBUS_SYSTEM_BUS_ADDRESS is honoured), adds the object and takes the name
 * org.henb.Agent1 without queueing or replacing. 0, -ENOMEM, or -EIO after a line that says what it was: no
 * bus, the name is taken, the bus policy does not let us have it. Publishes *initial*. A bus that goes away
 * ends the event loop with EXIT_FAILURE. Waits for the bus daemon's answers: for the start of the program. */
int bus_new(Bus **ret, sd_event *event, const Status *initial);
/* Sends what is still queued and disconnects. NULL is fine. */
void bus_free(Bus *bus);
/* Makes *status* what readers see. Emits at most one PropertiesChanged, with exactly the names and new values
 * of the properties that differ from what was published before. *status* holds an MME only in
 * AGENT_REGISTERED. 0 or negative errno. */
int bus_publish(Bus *bus, const Status *status);

DEFINE_CLEANUP(Bus, bus_free)
