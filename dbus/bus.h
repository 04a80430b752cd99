/* SPDX-License-Identifier: GPL-3.0-or-later */
/* org.henb.Agent1 on the system bus: properties over struct Status, and one emitter of their changes. */
#pragma once

#include <systemd/sd-event.h>

#include "status.h"

typedef struct Bus Bus;

/* Connects to the system bus (DBUS_SYSTEM_BUS_ADDRESS is honoured), adds the object and takes the name
 * org.henb.Agent1 without queueing or replacing. 0 or negative errno (-EEXIST: the name is taken). Publishes
 * *initial*. A bus that goes away ends the event loop with an error. */
int bus_new(Bus **ret, sd_event *event, const Status *initial);
void bus_free(Bus *bus);
/* Makes *status* what readers see. Emits at most one PropertiesChanged, with exactly the names and new values
 * of the properties that differ from what was published before. */
int bus_publish(Bus *bus, const Status *status);
