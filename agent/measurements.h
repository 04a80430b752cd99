/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Performance measurements (FAP.PerfMgmt.Config, TR-196): what the daemons of the box have counted goes to
 * the servers of the operator as files (TS 32.435), at the end of each period. Times are the clock's: as long
 * as it cannot be believed no period begins. */
#pragma once

#include <systemd/sd-event.h>

#include "cwmp/pm-counters.h"
#include "device.h"
#include "file-transfers.h"

typedef struct Measurements Measurements;

typedef struct MeasurementsConfig {
    sd_event *event;
    const Config *factory;
    const Device *device;
    FileTransfers *files;
    const Rng *rng; /* for a phase of the box's own, where the HeMS has set none */
    bool clock_trusted;
} MeasurementsConfig;

/* What *config* points to must outlive it. 0 or negative errno. */
int measurements_new(Measurements **ret, const MeasurementsConfig *config);
void measurements_free(Measurements *measurements);
DEFINE_CLEANUP(Measurements, measurements_free)
/* For pm_counters_count() and _measure(). */
PmCounters *measurements_counters(const Measurements *measurements);
/* The rows may be others: one that is new, or has another interval or phase, begins a period. */
void measurements_update(Measurements *measurements);
/* The clock was set, or whether it can be believed has changed: what it is not within any more begins anew.
 */
void measurements_clock(Measurements *measurements, bool trusted);
