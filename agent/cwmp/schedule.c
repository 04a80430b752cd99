/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See schedule.h. */
#include "cwmp/schedule.h"

#include <stdio.h>

#include "base/macro.h"

struct Schedule {
    Rng *rng;
    SchedulePolicy policy;
    char url[URL_MAX_BYTES], bootstrapped_url[URL_MAX_BYTES];
    unsigned pending; /* events not delivered, as bits 1 << ScheduleEvent */
    unsigned sent;    /* those of them that the running session's Inform carries */
    bool running;
    bool booted;          /* and no session was started since */
    bool url_is_new;      /* the URL changed while the running session lasts */
    uint32_t failures;    /* in a row: RetryCount */
    usec_t due_at;        /* when to start a session, USEC_NEVER */
    usec_t next_periodic; /* when 2 PERIODIC comes up, USEC_NEVER */
    usec_t phase;         /* of the periodic Inform while PeriodicInformTime is unknown */
    bool has_phase;
};

const char *schedule_event_code(ScheduleEvent event) {
    static const char *const codes[EVENTS_] = {
#define X(name, code) [EVENT_##name] = code,
        SCHEDULE_EVENTS(X)
#undef X
    };
    return codes[event];
}

/* An event that was not pending starts a session at once, also during a wait after a failure (3.2.1.1). */
static void schedule_raise(Schedule *s, ScheduleEvent event, Moment now) {
    if (s->pending & 1u << event)
        return;
    s->pending |= 1u << event;
    s->due_at = now.mono;
}

/* PeriodicInformTime is a phase: sessions are a whole number of intervals away from it, before or after.
 * Without one each box has a phase of its own, so that a fleet that got power together does not inform
 * together. */
static usec_t next_occurrence(Schedule *s, Moment now) {
    usec_t interval = s->policy.periodic_interval * USEC_PER_SEC;

    if (s->policy.periodic_time != SCHEDULE_TIME_UNKNOWN) {
        int64_t reference = s->policy.periodic_time * (int64_t)USEC_PER_SEC;
        int64_t left = (reference - (int64_t)now.real) % (int64_t)interval;
        return now.mono + (usec_t)(left > 0 ? left : left + (int64_t)interval);
    }
    if (!s->has_phase) {
        s->phase = now.mono + rng_below(s->rng, interval);
        s->has_phase = true;
    }
    if (s->phase > now.mono)
        return now.mono + ((s->phase - now.mono - 1) % interval) + 1;
    return now.mono + interval - (now.mono - s->phase) % interval;
}

static void schedule_plan_periodic(Schedule *s, Moment now) {
    bool enabled = s->policy.periodic_enable && s->policy.periodic_interval > 0;
    s->next_periodic = enabled ? next_occurrence(s, now) : USEC_NEVER;
}

int schedule_new(Schedule **ret, const ScheduleSnapshot *snapshot, const SchedulePolicy *policy, Rng *rng,
                 Moment now) {
    Schedule *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->rng = rng;
    s->policy = *policy;
    s->due_at = USEC_NEVER;
    if (snapshot)
        snprintf(s->bootstrapped_url, sizeof s->bootstrapped_url, "%s", snapshot->bootstrapped_url);
    schedule_plan_periodic(s, now);
    *ret = s;
    return 0;
}

void schedule_free(Schedule *schedule) {
    free(schedule);
}

void schedule_boot(Schedule *schedule, const char *url, Moment now) {
    snprintf(schedule->url, sizeof schedule->url, "%s", url);
    schedule->failures = 0;
    schedule->booted = true;
    schedule_raise(schedule, EVENT_BOOT, now);
    if (!streq(schedule->url, schedule->bootstrapped_url))
        schedule_raise(schedule, EVENT_BOOTSTRAP, now);
}

bool schedule_url_changed(Schedule *schedule, const char *url, Moment now) {
    if (streq(schedule->url, url))
        return false;
    if (schedule->booted) {
        schedule->pending &= ~(1u << EVENT_BOOT | 1u << EVENT_BOOTSTRAP);
        schedule_boot(schedule, url, now);
        return true;
    }
    snprintf(schedule->url, sizeof schedule->url, "%s", url);
    schedule->pending = schedule->sent = 0;
    schedule->failures = 0;
    schedule->url_is_new = schedule->running;
    schedule_raise(schedule, EVENT_BOOTSTRAP, now);
    return true;
}

void schedule_value_changed(Schedule *schedule, Moment now) {
    schedule_raise(schedule, EVENT_VALUE_CHANGE, now);
}

void schedule_set_policy(Schedule *schedule, const SchedulePolicy *policy, Moment now) {
    const SchedulePolicy old = schedule->policy;

    schedule->policy = *policy;
    /* There are HeMSs that set the interval at every contact. */
    if (old.periodic_enable != policy->periodic_enable ||
        old.periodic_interval != policy->periodic_interval || old.periodic_time != policy->periodic_time)
        schedule_plan_periodic(schedule, now);
}

usec_t schedule_deadline(const Schedule *schedule) {
    return schedule->running ? USEC_NEVER : MIN(schedule->due_at, schedule->next_periodic);
}

bool schedule_due(Schedule *schedule, Moment now) {
    if (now.mono >= schedule->next_periodic) {
        schedule_raise(schedule, EVENT_PERIODIC, now);
        schedule_plan_periodic(schedule, now);
    }
    return !schedule->running && now.mono >= schedule->due_at;
}

void schedule_session_started(Schedule *schedule, ScheduleStart *ret) {
    ScheduleStart start = {.retry_count = schedule->failures};

    assert(!schedule->running);
    schedule->running = true;
    schedule->booted = false;
    schedule->url_is_new = false;
    schedule->due_at = USEC_NEVER;
    schedule->sent = schedule->pending;
    for (unsigned event = 0; event < EVENTS_; event++)
        if (schedule->sent & 1u << event)
            start.events[start.n_events++] = (ScheduleEvent)event;
    *ret = start;
}

bool schedule_delivered(Schedule *schedule) {
    bool bootstrapped = schedule->sent & 1u << EVENT_BOOTSTRAP;

    schedule->pending &= ~schedule->sent;
    schedule->sent = 0;
    if (bootstrapped)
        memcpy(schedule->bootstrapped_url, schedule->url, sizeof schedule->bootstrapped_url);
    return bootstrapped;
}

void schedule_session_ended(Schedule *schedule, Moment now) {
    schedule->running = false;
    schedule->sent = 0;
    schedule->failures = 0;
    schedule->due_at = schedule->pending ? now.mono : USEC_NEVER;
}

/* The limits of the n-th wait are m*(k/1000)^(n-1) and m*(k/1000)^n. */
static usec_t draw_delay(const Schedule *s) {
    usec_t low = s->policy.retry_minimum_wait * USEC_PER_SEC;
    uint32_t steps = MIN(s->failures, (uint32_t)SCHEDULE_RETRY_STEPS);
    usec_t high = low;

    for (uint32_t i = 0; i < steps; i++) {
        low = high;
        high = MIN(high * s->policy.retry_multiplier / 1000, SCHEDULE_DELAY_MAX);
    }
    return low + rng_below(s->rng, high > low ? high - low + 1 : 1);
}

usec_t schedule_session_failed(Schedule *schedule, usec_t at_least, Moment now) {
    bool url_is_new = schedule->url_is_new;

    schedule->url_is_new = false;
    if (url_is_new) {
        /* How the session with the old HeMS ended does not matter to the new one. */
        schedule_session_ended(schedule, now);
        return 0;
    }
    schedule->running = false;
    schedule->sent = 0;
    schedule->failures++;
    usec_t delay = MIN(MAX(draw_delay(schedule), at_least), SCHEDULE_DELAY_MAX);
    schedule->due_at = now.mono + delay;
    return delay;
}

void schedule_snapshot(const Schedule *schedule, ScheduleSnapshot *ret) {
    memcpy(ret->bootstrapped_url, schedule->bootstrapped_url, sizeof ret->bootstrapped_url);
}
