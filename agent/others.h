/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The other daemons of the box (org.henb.Agent1.Parameters, .Alarms, .Counters and .Downloads): what they may
 * read of the data model, what of it they report, the sets of a HeMS they are asked about, their alarms and
 * counters, and the files they want. */
#pragma once

#include "cpe.h"
#include "cwmp/pm-counters.h"
#include "dbus/bus.h"
#include "device.h"
#include "owner-io.h"

typedef struct Others {
    Device *device;
    OwnerIo *owners;
    const OwnerTable *table;
    PmCounters *counters;
    Cpe *cpe; /* NULL: nobody can want a file */
    /* Values have been reported, all that belong together. */
    void (*reported)(void *userdata);
    void *userdata;
} Others;

/* systemd-timesyncd hears which servers the HeMS has set. */
void others_tell_time_servers(const Others *others, Bus *bus);
/* Sets what of *handlers* is about them. *others* must outlive the bus. */
void others_handle(Others *others, BusHandlers *handlers);
