/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When the next CWMP session is due and which events it carries: TR-069 clauses 3.2.1.1 (retry), 3.7.1.5
 * (event delivery), 3.7.1.6 (cumulative behaviour), A.4.1.2 (ScheduleInform),
 * ManagementServer.PeriodicInform* and DefaultActiveNotificationThrottle. Pure.
 *
 * What must not be lost is saved before it counts, and forgotten only when an InformResponse has taken it.
 * How its owner lives with it:
 *
 * - Start: schedule_new(), then schedule_load() for each record of store kind EVENT, then schedule_boot().
 *   save() makes one transaction of its records (kind EVENT) and of the HeMS that has accepted 0 BOOTSTRAP (a
 *   place of its own).
 * - Clocks: schedule_clock() when CLOCK_REALTIME was set (a timerfd with TFD_TIMER_CANCEL_ON_SET tells) and
 *   when it has become trusted. Without it, what hangs on the time of day follows later.
 * - Timer: schedule_due() at schedule_deadline(), which any other call may have moved. If it is true, a
 *   session: schedule_session_started() once, however many addresses are tried.
 * - Session: schedule_delivered() at the InformResponse; at its end schedule_session_ended() or
 *   schedule_session_failed(), one of them, once.
 * - Model: schedule_value_changed() when ModelConfig.noticed says so; an Inform with 4 VALUE CHANGE carries
 *   model_read_changed() (inform.h), and its schedule_delivered() goes with model_changes_delivered().
 *   schedule_set_policy() when a parameter of SchedulePolicy has changed.
 * - Connection requests: schedule_connection_request() for one that was answered with 200.
 * - ScheduleInform: schedule_inform(), before it is answered.
 * - Reboot: schedule_reboot() when the session has ended well, before the box goes down;
 *   schedule_reboot_refused() if it does not.
 * - Transfers: when one is done, and its own record says so, schedule_raise() of EVENT_M_DOWNLOAD, _M_UPLOAD
 *   or _M_SCHEDULE_DOWNLOAD, with which 7 TRANSFER COMPLETE goes by itself, or of EVENT_AUTONOMOUS_TRANSFER;
 *   once more at each start while it is done and not reported, for the power may have failed in between.
 *   Where the event was delivered and TransferComplete not answered, schedule_renew() just before
 *   schedule_session_started(): each session that calls it has its 7 TRANSFER COMPLETE, and no wait is cut
 *   short. ScheduleStart.forget: those of the HeMS before are not the new one's business. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/moment.h"
#include "base/rng.h"
#include "cwmp/event.h"
#include "status.h"

#define SCHEDULE_RETRY_STEPS  10                                   /* the table of 3.2.1.1 grows no further */
#define SCHEDULE_DELAY_MAX    (UINT64_C(7) * 86400 * USEC_PER_SEC) /* whatever m and k say */
#define SCHEDULE_TIME_UNKNOWN INT64_MIN                            /* PeriodicInformTime not set */
#define SCHEDULE_INFORMS_MAX  32                                   /* of ScheduleInform that wait together */
#define SCHEDULE_CLOCK_STEP   (2 * USEC_PER_SEC) /* less than that is no jump of the clock */

/* ManagementServer's parameters of these names. */
typedef struct SchedulePolicy {
    bool periodic_enable;
    uint32_t periodic_interval;  /* seconds, 1.. */
    int64_t periodic_time;       /* seconds since 1970, SCHEDULE_TIME_UNKNOWN */
    uint32_t retry_minimum_wait; /* m, seconds */
    uint32_t retry_multiplier;   /* k, thousandths */
    uint32_t throttle;           /* DefaultActiveNotificationThrottle, seconds */
} SchedulePolicy;

typedef struct ScheduleRecord {
    const char *key;
    const char *value; /* NULL: forget it */
} ScheduleRecord;

typedef struct ScheduleConfig {
    const char *bootstrapped_url; /* the HeMS that has accepted 0 BOOTSTRAP; "" or NULL: none yet */
    SchedulePolicy policy;
    /* CLOCK_REALTIME means something. Else PeriodicInformTime is no phase yet: boxes that all begin in 1970
     * would inform together. */
    bool clock_trusted;
    /* Must outlive the schedule. Delays and a phase of the box's own are drawn from it, so that a fleet that
     * lost power, or its HeMS, does not come back in step: the daemon passes getrandom(2), which the kernel
     * seeds for each box and which waits until it has; never a clock. */
    const Rng *rng;
    /* All of it or nothing, on the disk when this returns 0; else negative errno. *bootstrapped_url* NULL: as
     * it was. NULL: nothing is kept (a test). */
    int (*save)(void *userdata, const ScheduleRecord *records, size_t n, const char *bootstrapped_url);
    void *userdata;
} ScheduleConfig;

/* What a session that starts now says. */
typedef struct ScheduleStart {
    size_t n_events;
    Event events[EVENTS_SENT_MAX]; /* may be none: the retry of a session whose events were delivered */
    uint32_t retry_count;
    bool forget; /* a first 0 BOOTSTRAP: what was undelivered for the HeMS before has been dropped */
} ScheduleStart;

typedef struct Schedule Schedule;

/* No session is due yet. 0 or -ENOMEM. *config* is copied. */
int schedule_new(Schedule **ret, const ScheduleConfig *config, Moment now);
void schedule_free(Schedule *schedule);
/* A record as it was saved. 0; -EINVAL: it is none of this version's, and ignored; -E2BIG: it is one too
 * many. */
int schedule_load(Schedule *schedule, const char *key, const char *value, Moment now);

/* The box (or the agent) started, and *url* is its HeMS: 1 BOOT, what was loaded, and 0 BOOTSTRAP unless
 * *url* has accepted it; that drops the rest when its session starts. An empty URL: idle, events wait. */
void schedule_boot(Schedule *schedule, const char *url, Moment now);
/* Sessions are with *url* from now on. If it differs from the one before: 0 BOOTSTRAP alone, retry count 0
 * (3.7.1.5); but as long as no session was started since schedule_boot(), nobody was told of the boot, and it
 * is as if the box had booted with this one. While a session runs it counts from that one's end, and what
 * that one still delivers does not touch it. Returns whether it differs. */
bool schedule_url_changed(Schedule *schedule, const char *url, Moment now);

/* An event other than 0, 1, 2, 4 and 6, *command_key* "" for the single ones: a session at once, also during
 * a wait after a failure. One that waits already is no new one. 0 once it is safe; or it has not happened:
 * -E2BIG (too many wait, or the CommandKey is too long), or what save() returned. */
int schedule_raise(Schedule *schedule, EventType type, const char *command_key, Moment now);
/* The same, but it goes with the next session, whenever that is. */
int schedule_renew(Schedule *schedule, EventType type, const char *command_key);
/* A connection request was accepted: 6 CONNECTION REQUEST, at once; during a session: one further session
 * after it, however often. It ends a wait and leaves RetryCount as it is; it is not tried again. */
void schedule_connection_request(Schedule *schedule, Moment now);
/* Somebody at the box wants a session now: 2 PERIODIC before its time, which changes no phase; during a
 * session, one more after it. */
void schedule_now(Schedule *schedule, Moment now);
/* A value has changed, and not by the HeMS's doing: 4 VALUE CHANGE. Active notification: at once, but not
 * sooner than the throttle says after the end of the last session that went well; passive: with the next
 * session. */
void schedule_value_changed(Schedule *schedule, bool active, Moment now);
/* ScheduleInform: in so many seconds 3 SCHEDULED and M ScheduleInform. 0 once it is safe; -EINVAL: no delay
 * (9003); -E2BIG: too many (9004), or what save() returned (9002). After a restart what is left of the delay
 * is known by the clock, if it was trusted before and after; otherwise the delay begins anew. */
int schedule_inform(Schedule *schedule, uint32_t delay_seconds, const char *command_key, Moment now);
/* The box is about to reboot on a HeMS's request: the next start has M Reboot. Errors as schedule_raise(). */
int schedule_reboot(Schedule *schedule, const char *command_key);
/* It does not: no M Reboot. */
void schedule_reboot_refused(Schedule *schedule);

/* New values of the parameters. Equal values change nothing; a new interval keeps the phase. */
void schedule_set_policy(Schedule *schedule, const SchedulePolicy *policy, Moment now);
/* The clock was set, or its trust is this now. */
void schedule_clock(Schedule *schedule, bool trusted, Moment now);

/* When to call schedule_due(): USEC_NEVER while a session runs or nothing is to come. */
usec_t schedule_deadline(const Schedule *schedule);
/* Takes up what has become due; true when a session is to start now. */
bool schedule_due(Schedule *schedule, Moment now);

/* A session starts with what *ret* says. */
void schedule_session_started(Schedule *schedule, ScheduleStart *ret);
/* Its InformResponse is here: its events are delivered. 0, or what save() returned: then they are not sent
 * again until the next restart all the same, and saving goes on to be tried with each change. */
int schedule_delivered(Schedule *schedule);
/* It ended well. */
void schedule_session_ended(Schedule *schedule, Moment now);
/* It failed (or could not be tried: the name did not resolve). The next one is tried after the returned
 * delay, drawn from the table, not sooner than *at_least* (HTTP Retry-After, else 0), or when a new event
 * comes. */
usec_t schedule_session_failed(Schedule *schedule, usec_t at_least, Moment now);

/* The events that wait for a session, bits 1 << EventType. */
unsigned schedule_waiting(const Schedule *schedule);
/* Sessions that have failed in a row: RetryCount. */
uint32_t schedule_failures(const Schedule *schedule);
/* The HeMS that has accepted 0 BOOTSTRAP, "" none yet. */
const char *schedule_bootstrapped_url(const Schedule *schedule);
