/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When the next CWMP session is due and which events it carries: TR-069 clauses 3.2.1.1 (retry), 3.7.1.5
 * (event delivery), 3.7.1.6 (cumulative behaviour), ManagementServer.PeriodicInform*. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/moment.h"
#include "base/rng.h"
#include "status.h"

/* X(name, event code); in the order in which an Inform lists them. */
#define SCHEDULE_EVENTS(X)                                                                                   \
    X(BOOTSTRAP, "0 BOOTSTRAP")                                                                              \
    X(BOOT, "1 BOOT")                                                                                        \
    X(PERIODIC, "2 PERIODIC")                                                                                \
    X(VALUE_CHANGE, "4 VALUE CHANGE")

typedef enum ScheduleEvent {
#define X(name, code) EVENT_##name,
    SCHEDULE_EVENTS(X)
#undef X
        EVENTS_,
} ScheduleEvent;

const char *schedule_event_code(ScheduleEvent event);

#define SCHEDULE_RETRY_STEPS  10                                   /* the table of 3.2.1.1 grows no further */
#define SCHEDULE_DELAY_MAX    (UINT64_C(7) * 86400 * USEC_PER_SEC) /* whatever m and k say */
#define SCHEDULE_TIME_UNKNOWN INT64_MIN                            /* PeriodicInformTime not set */

/* What has to survive a restart of the daemon or the box. BOOT and PERIODIC do not (3.7.1.5), and after
 * a BOOT the HeMS reads again what has changed. */
typedef struct ScheduleSnapshot {
    char bootstrapped_url[URL_MAX_BYTES]; /* the HeMS that has accepted 0 BOOTSTRAP; "" none yet */
} ScheduleSnapshot;

/* ManagementServer's parameters of these names. */
typedef struct SchedulePolicy {
    bool periodic_enable;
    uint32_t periodic_interval;  /* seconds, 1.. */
    int64_t periodic_time;       /* seconds since 1970, SCHEDULE_TIME_UNKNOWN */
    uint32_t retry_minimum_wait; /* m, seconds */
    uint32_t retry_multiplier;   /* k, thousandths */
} SchedulePolicy;

/* What a session that starts now says. */
typedef struct ScheduleStart {
    size_t n_events;
    ScheduleEvent events[EVENTS_]; /* may be none: the retry of a session whose events were delivered */
    uint32_t retry_count;
} ScheduleStart;

typedef struct Schedule Schedule;

/* *snapshot* may be NULL: never bootstrapped. *rng* must outlive it; its draws give each box delays and a
 * phase of its own. No session is due yet. 0 or -ENOMEM. */
int schedule_new(Schedule **ret, const ScheduleSnapshot *snapshot, const SchedulePolicy *policy, Rng *rng,
                 Moment now);
void schedule_free(Schedule *schedule);

/* The box (or the agent) started, and *url* is its HeMS: 1 BOOT, and 0 BOOTSTRAP unless *url* has accepted
 * it. */
void schedule_boot(Schedule *schedule, const char *url, Moment now);
/* Sessions are with *url* from now on. If it differs from the one before: 0 BOOTSTRAP alone, retry count 0
 * (3.7.1.5); but as long as no session was started since schedule_boot(), nobody was told of the boot, and it
 * is as if the box had booted with this one. While a session runs it counts from that one's end, and what
 * that one still delivers does not touch it. Returns whether it differs. */
bool schedule_url_changed(Schedule *schedule, const char *url, Moment now);
/* Something the HeMS goes by has changed, and not by its own doing: 4 VALUE CHANGE. */
void schedule_value_changed(Schedule *schedule, Moment now);
/* New values of the parameters. Equal values change nothing; a new interval keeps the phase. */
void schedule_set_policy(Schedule *schedule, const SchedulePolicy *policy, Moment now);

/* When to call schedule_due(): USEC_NEVER while a session runs or nothing is to come. */
usec_t schedule_deadline(const Schedule *schedule);
/* Takes up what has become due; true when a session is to start now. */
bool schedule_due(Schedule *schedule, Moment now);

/* A session starts with what *ret* says. */
void schedule_session_started(Schedule *schedule, ScheduleStart *ret);
/* Its InformResponse is here: its events are delivered. Returns true when the snapshot changed. */
bool schedule_delivered(Schedule *schedule);
/* It ended well. */
void schedule_session_ended(Schedule *schedule, Moment now);
/* It failed (or could not be tried: the name did not resolve). The next one is tried after the returned
 * delay, drawn from the table, not sooner than *at_least* (HTTP Retry-After, else 0), or when a new event
 * comes. */
usec_t schedule_session_failed(Schedule *schedule, usec_t at_least, Moment now);

void schedule_snapshot(const Schedule *schedule, ScheduleSnapshot *ret);
