/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the daemons that count have told, for several granularity periods that run side by side (one for each
 * row of FAP.PerfMgmt.Config). Pure. */
#pragma once

#include "cwmp/pm-file.h"

#define PM_PERIODS_MAX 8

typedef struct PmCounters PmCounters;

/* 0 or -ENOMEM. */
int pm_counters_new(PmCounters **ret);
void pm_counters_free(PmCounters *counters);
DEFINE_CLEANUP(PmCounters, pm_counters_free)

/* A counter stands at *total*, and only grows while its daemon lives: each period has its growth. The first
 * total ever is where it begins, a smaller one shows that the daemon began anew. *counter->value* means
 * nothing. 0; -EINVAL: a name is empty or too long; -E2BIG: PM_COUNTERS_MAX; -ENOMEM. */
int pm_counters_count(PmCounters *counters, const PmCounter *counter, uint64_t total);
/* Something was measured: each period has what came last in it. Errors as above. */
int pm_counters_measure(PmCounters *counters, const PmCounter *counter);

/* A period (0..PM_PERIODS_MAX - 1) begins: nothing has come in it yet. */
void pm_counters_begin(PmCounters *counters, size_t period);
/* The XML of what has come in it (pm_file_write()); what else is known of has no value in it. 0 or -ENOMEM.
 */
int pm_counters_write(const PmCounters *counters, size_t period, const PmHeader *header, char **ret,
                      size_t *ret_size);
