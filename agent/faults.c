/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See faults.h. */
#include "faults.h"

#include <stdio.h>

#include "cwmp/value.h"

static void certificate_look(Alarms *alarms, const FaultsFacts *f) {
    char time[VALUE_TIME_MAX], text[128] = "";
    bool ends = f->real > 0 && f->certificate_ends != USEC_NEVER &&
                f->certificate_ends < f->real + FAULTS_CERTIFICATE;

    if (ends)
        snprintf(text, sizeof text, "the certificate of this box %s %s",
                 f->certificate_ends <= f->real ? "ended on" : "ends on",
                 value_format_time((int64_t)(f->certificate_ends / USEC_PER_SEC), time));
    if (f->real > 0) /* else nothing is known that was not before */
        alarm_set(alarms, f->real, ALARM_CERTIFICATE_EXPIRES, ends, text);
}

/* The text is that of its beginning: one that changes with each attempt is no news. */
static void unreachable_look(Alarms *alarms, const FaultsFacts *f, AlarmOwn which, bool begins, bool ends) {
    if (ends)
        alarm_set(alarms, f->real, which, false, "");
    else if (begins && !alarm_lasts(alarms, which))
        alarm_set(alarms, f->real, which, true, f->last_error);
}

void faults_look(Alarms *alarms, const FaultsFacts *f) {
    const bool reached = f->tunnel || !f->tunnel_wanted;

    unreachable_look(alarms, f, ALARM_SEGW_UNREACHABLE, f->waiting, reached);
    unreachable_look(alarms, f, ALARM_HEMS_UNREACHABLE, reached && f->failed_sessions >= FAULTS_SESSIONS,
                     f->failed_sessions == 0);
    certificate_look(alarms, f);
    alarm_set(alarms, f->real, ALARM_STORE_DAMAGED, f->store, strempty(f->store));
    alarm_set(alarms, f->real, ALARM_CLOCK_UNTRUSTED, f->real == 0,
              f->real == 0 ? "the time of day cannot be right, or is not known yet" : "");
}
