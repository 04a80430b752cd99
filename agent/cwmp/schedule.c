/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See schedule.h. */
#include "cwmp/schedule.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/macro.h"

#define INFORM_RECORD       "ScheduleInform " /* and a number */
#define INFORM_RECORD_BYTES (EVENT_KEY_BYTES + 64)
#define RECORDS_MAX         (EVENT_QUEUE_MAX + SCHEDULE_INFORMS_MAX)

/* One ScheduleInform. */
typedef struct Inform {
    bool waiting;
    bool stored;
    bool guessed;    /* *due* is without the clock, which was not trusted after the start */
    usec_t due;      /* USEC_NEVER while not waiting */
    usec_t due_real; /* the same by the clock; 0: that was never trusted */
    uint32_t left;   /* of the delay, in seconds, when it was saved */
    char command_key[EVENT_KEY_BYTES];
} Inform;

struct Schedule {
    ScheduleConfig config;
    SchedulePolicy policy;
    char url[URL_MAX_BYTES], bootstrapped_url[URL_MAX_BYTES];
    bool bootstrapped_unsaved;
    EventQueue queue;
    Inform informs[SCHEDULE_INFORMS_MAX];
    bool running;
    bool booted;          /* and no session was started since */
    bool first;           /* 0 BOOTSTRAP was raised, and no session has started with it yet */
    bool url_is_new;      /* the URL changed while the running session lasts */
    bool active;          /* 4 VALUE CHANGE waits, and wants a session; */
    bool active_sent;     /* that of the running one did */
    uint32_t failures;    /* in a row: RetryCount */
    usec_t due_at;        /* when to start a session, USEC_NEVER */
    usec_t notify_at;     /* when to start one for active notification alone, USEC_NEVER */
    usec_t quiet_from;    /* the end of the last session that went well, */
    bool had_session;     /* if there was one */
    usec_t next_periodic; /* when 2 PERIODIC comes up, USEC_NEVER */
    usec_t phase;         /* of the periodic Inform without PeriodicInformTime, or a clock to go by */
    bool has_phase;
    bool clock_trusted;
    usec_t clock_offset; /* of CLOCK_REALTIME to the other one, when it was last looked at; it may wrap */
};

/* Saving ----------------------------------------------------------------------------------------------- */

typedef struct Records {
    size_t n;
    ScheduleRecord items[RECORDS_MAX];
    char keys[RECORDS_MAX][EVENT_RECORD_BYTES];
    char values[SCHEDULE_INFORMS_MAX][INFORM_RECORD_BYTES];
} Records;

static void records_add(Records *r, const char *value) {
    r->items[r->n] = (ScheduleRecord){r->keys[r->n], value};
    r->n++;
}

static void records_of_queue(Records *r, const EventQueue *queue) {
    for (size_t i = 0; i < queue->n; i++) {
        const QueuedEvent *item = &queue->items[i];
        const bool wanted = event_is_wanted(item);
        if (wanted == item->stored)
            continue;
        event_record_key(&item->event, r->keys[r->n]);
        records_add(r, wanted ? "" : NULL);
    }
}

static void records_of_informs(Records *r, const Inform *informs) {
    for (size_t i = 0; i < SCHEDULE_INFORMS_MAX; i++) {
        const Inform *inform = &informs[i];
        if (inform->waiting == inform->stored)
            continue;
        snprintf(r->keys[r->n], sizeof r->keys[0], INFORM_RECORD "%zu", i);
        snprintf(r->values[i], sizeof r->values[0], "%" PRIu64 " %" PRIu32 " %s",
                 (inform->due_real + USEC_PER_SEC - 1) / USEC_PER_SEC, inform->left, inform->command_key);
        records_add(r, inform->waiting ? r->values[i] : NULL);
    }
}

static bool has_unsaved(const Schedule *s) {
    bool unsaved = s->bootstrapped_unsaved;

    for (size_t i = 0; i < s->queue.n; i++)
        unsaved |= event_is_wanted(&s->queue.items[i]) != s->queue.items[i].stored;
    for (size_t i = 0; i < SCHEDULE_INFORMS_MAX; i++)
        unsaved |= s->informs[i].waiting != s->informs[i].stored;
    return unsaved;
}

/* Makes the store say what this says. 0, or it says what it said. */
static int schedule_save(Schedule *s) {
    if (s->config.save && has_unsaved(s)) {
        _cleanup_free_ Records *records = calloc(1, sizeof *records);
        if (!records)
            return -ENOMEM;
        records_of_queue(records, &s->queue);
        records_of_informs(records, s->informs);
        int r = s->config.save(s->config.userdata, records->items, records->n,
                               s->bootstrapped_unsaved ? s->bootstrapped_url : NULL);
        if (r < 0)
            return r;
    }
    s->bootstrapped_unsaved = false;
    for (size_t i = 0; i < s->queue.n; i++)
        s->queue.items[i].stored = event_is_wanted(&s->queue.items[i]);
    for (size_t i = 0; i < SCHEDULE_INFORMS_MAX; i++)
        s->informs[i].stored = s->informs[i].waiting;
    event_queue_sweep(&s->queue);
    return 0;
}

/* Events ----------------------------------------------------------------------------------------------- */

/* A single event that is not kept. One that was not waiting starts a session at once, also during a wait
 * after a failure (3.2.1.1). */
static void raise_single(Schedule *s, EventType type, Moment now) {
    QueuedEvent *item = event_queue_place(&s->queue, type, "");
    if (item->waiting)
        return;
    item->waiting = true;
    s->due_at = MIN(s->due_at, now.mono);
}

/* It waits, or is asleep, and that is saved. 0; or it is as it was: -E2BIG, or what save() returned. */
static int set_safely(Schedule *s, EventType type, const char *command_key, bool asleep) {
    QueuedEvent *item = event_queue_place(&s->queue, type, command_key);
    if (!item)
        return -E2BIG;
    bool *set = asleep ? &item->asleep : &item->waiting;
    const bool before = *set;
    *set = true;
    int r = event_flags(type) & EVENT_KEPT ? schedule_save(s) : 0;
    if (r < 0) {
        *set = before;
        event_queue_sweep(&s->queue);
    }
    return r;
}

int schedule_renew(Schedule *schedule, EventType type, const char *command_key) {
    return set_safely(schedule, type, command_key, false);
}

int schedule_raise(Schedule *schedule, EventType type, const char *command_key, Moment now) {
    QueuedEvent *item = event_queue_place(&schedule->queue, type, command_key);
    const bool waited = item && item->waiting;

    int r = schedule_renew(schedule, type, command_key);
    if (r == 0 && !waited)
        schedule->due_at = MIN(schedule->due_at, now.mono);
    return r;
}

void schedule_connection_request(Schedule *schedule, Moment now) {
    raise_single(schedule, EVENT_CONNECTION_REQUEST, now);
}

void schedule_now(Schedule *schedule, Moment now) {
    event_queue_place(&schedule->queue, EVENT_PERIODIC, "")->waiting = true;
    schedule->due_at = MIN(schedule->due_at, now.mono);
}

int schedule_reboot(Schedule *schedule, const char *command_key) {
    return set_safely(schedule, EVENT_M_REBOOT, command_key, true);
}

void schedule_reboot_refused(Schedule *schedule) {
    for (size_t i = 0; i < schedule->queue.n; i++)
        schedule->queue.items[i].asleep = false;
    (void)schedule_save(schedule);
}

/* Active notification ---------------------------------------------------------------------------------- */

static void plan_notification(Schedule *s, Moment now) {
    s->notify_at = USEC_NEVER;
    if (!s->active || !event_queue_waits(&s->queue, EVENT_VALUE_CHANGE))
        return;
    s->notify_at = now.mono;
    if (s->had_session)
        s->notify_at = MAX(now.mono, s->quiet_from + s->policy.throttle * USEC_PER_SEC);
}

void schedule_value_changed(Schedule *schedule, bool active, Moment now) {
    QueuedEvent *item = event_queue_place(&schedule->queue, EVENT_VALUE_CHANGE, "");

    /* One that waits for a session is no new one, so that a value that changes all the time ends no wait. */
    if (item->waiting && (!active || schedule->active))
        return;
    item->waiting = true;
    schedule->active |= active;
    if (active)
        plan_notification(schedule, now);
}

/* Periodic Inform -------------------------------------------------------------------------------------- */

/* PeriodicInformTime is a phase: sessions are a whole number of intervals away from it, before or after.
 * Without one each box has a phase of its own, so that a fleet that got power together does not inform
 * together. */
static usec_t next_occurrence(Schedule *s, Moment now) {
    usec_t interval = s->policy.periodic_interval * USEC_PER_SEC;

    if (s->policy.periodic_time != SCHEDULE_TIME_UNKNOWN && s->clock_trusted) {
        int64_t reference = s->policy.periodic_time * (int64_t)USEC_PER_SEC;
        int64_t left = (reference - (int64_t)now.real) % (int64_t)interval;
        return now.mono + (usec_t)(left > 0 ? left : left + (int64_t)interval);
    }
    if (!s->has_phase) {
        s->phase = now.mono + rng_below(s->config.rng, interval);
        s->has_phase = true;
    }
    if (s->phase > now.mono)
        return now.mono + ((s->phase - now.mono - 1) % interval) + 1;
    return now.mono + interval - (now.mono - s->phase) % interval;
}

static void plan_periodic(Schedule *s, Moment now) {
    bool enabled = s->policy.periodic_enable && s->policy.periodic_interval > 0;
    s->next_periodic = enabled ? next_occurrence(s, now) : USEC_NEVER;
}

void schedule_set_policy(Schedule *schedule, const SchedulePolicy *policy, Moment now) {
    const SchedulePolicy old = schedule->policy;

    schedule->policy = *policy;
    /* There are HeMSs that set the interval at every contact. */
    if (old.periodic_enable != policy->periodic_enable ||
        old.periodic_interval != policy->periodic_interval || old.periodic_time != policy->periodic_time)
        plan_periodic(schedule, now);
    if (old.throttle != policy->throttle && schedule->notify_at != USEC_NEVER)
        plan_notification(schedule, now);
}

/* ScheduleInform --------------------------------------------------------------------------------------- */

int schedule_inform(Schedule *schedule, uint32_t delay_seconds, const char *command_key, Moment now) {
    Inform *inform = NULL;

    if (delay_seconds == 0)
        return -EINVAL;
    for (size_t i = 0; !inform && i < SCHEDULE_INFORMS_MAX; i++)
        if (!schedule->informs[i].waiting && !schedule->informs[i].stored)
            inform = &schedule->informs[i];
    if (!inform || strlen(command_key) >= EVENT_KEY_BYTES)
        return -E2BIG;
    const usec_t delay = delay_seconds * USEC_PER_SEC;
    *inform = (Inform){.waiting = true,
                       .due = now.mono + delay,
                       .due_real = schedule->clock_trusted ? now.real + delay : 0,
                       .left = delay_seconds};
    strcpy(inform->command_key, command_key);
    int r = schedule_save(schedule);
    if (r < 0)
        *inform = (Inform){.due = USEC_NEVER};
    return r;
}

/* By the clock: it knows how long the box was off. Never more than what was left before. */
static void inform_time(Inform *inform, bool clock_trusted, Moment now) {
    usec_t left = inform->left * USEC_PER_SEC;

    inform->guessed = !clock_trusted;
    if (clock_trusted && inform->due_real > 0)
        left = inform->due_real > now.real ? MIN(left, inform->due_real - now.real) : 0;
    else if (clock_trusted) {
        inform->due_real = now.real + left;
        inform->stored = false;
    }
    inform->due = now.mono + left;
}

static int inform_load(Schedule *s, const char *key, const char *value, Moment now) {
    uint64_t real;
    uint32_t left;
    unsigned number;
    int end = 0, key_end = 0;

    if (sscanf(key, INFORM_RECORD "%u%n", &number, &key_end) != 1 || key[key_end] ||
        number >= SCHEDULE_INFORMS_MAX || s->informs[number].waiting ||
        sscanf(value, "%" SCNu64 " %" SCNu32 "%n", &real, &left, &end) != 2 || value[end] != ' ' ||
        real > INT64_MAX / USEC_PER_SEC || strlen(value + end + 1) >= EVENT_KEY_BYTES)
        return -EINVAL;
    Inform *inform = &s->informs[number];
    *inform = (Inform){.waiting = true, .stored = true, .due_real = real * USEC_PER_SEC, .left = left};
    strcpy(inform->command_key, value + end + 1);
    inform_time(inform, s->clock_trusted, now);
    return 0;
}

/* Their record is what is left while the event cannot be saved: it counts all the same. */
static void informs_take(Schedule *s, Moment now) {
    bool taken = false;

    for (size_t i = 0; i < SCHEDULE_INFORMS_MAX; i++) {
        Inform *inform = &s->informs[i];
        if (!inform->waiting || now.mono < inform->due)
            continue;
        QueuedEvent *item = event_queue_place(&s->queue, EVENT_M_SCHEDULE_INFORM, inform->command_key);
        if (!item) { /* later, when there is room */
            inform->due = now.mono + 60 * USEC_PER_SEC;
            continue;
        }
        item->waiting = true;
        event_queue_place(&s->queue, EVENT_SCHEDULED, "")->waiting = true;
        inform->waiting = false;
        inform->due = USEC_NEVER;
        taken = true;
    }
    if (!taken)
        return;
    s->due_at = MIN(s->due_at, now.mono);
    (void)schedule_save(s);
}

static usec_t next_inform(const Schedule *s) {
    usec_t next = USEC_NEVER;

    for (size_t i = 0; i < SCHEDULE_INFORMS_MAX; i++)
        if (s->informs[i].waiting)
            next = MIN(next, s->informs[i].due);
    return next;
}

static void informs_drop(Schedule *s) {
    for (size_t i = 0; i < SCHEDULE_INFORMS_MAX; i++) {
        s->informs[i].waiting = false;
        s->informs[i].due = USEC_NEVER;
    }
}

/* Clock ------------------------------------------------------------------------------------------------ */

static bool clock_jumped(const Schedule *s, Moment now) {
    usec_t step = now.real - now.mono - s->clock_offset; /* of either sign */
    return step > SCHEDULE_CLOCK_STEP && -step > SCHEDULE_CLOCK_STEP;
}

/* What runs on goes by the other clock; what has to be found again after a restart goes by this one. */
static void informs_follow_clock(Schedule *s, Moment now) {
    for (size_t i = 0; i < SCHEDULE_INFORMS_MAX; i++) {
        Inform *inform = &s->informs[i];
        if (!inform->waiting)
            continue;
        if (inform->guessed && inform->due_real > 0) {
            usec_t before = inform->due;
            inform_time(inform, true, now);
            inform->due = MIN(inform->due, before);
            continue;
        }
        const usec_t left = inform->due > now.mono ? inform->due - now.mono : 0;
        inform->guessed = false;
        inform->due_real = now.real + left;
        inform->left = (uint32_t)((left + USEC_PER_SEC - 1) / USEC_PER_SEC);
        inform->stored = false;
    }
    (void)schedule_save(s);
}

void schedule_clock(Schedule *schedule, bool trusted, Moment now) {
    const bool news = trusted && (!schedule->clock_trusted || clock_jumped(schedule, now));

    schedule->clock_trusted = trusted;
    schedule->clock_offset = now.real - now.mono;
    if (!news)
        return;
    informs_follow_clock(schedule, now);
    if (schedule->policy.periodic_time != SCHEDULE_TIME_UNKNOWN)
        plan_periodic(schedule, now);
}

/* Start ------------------------------------------------------------------------------------------------ */

int schedule_new(Schedule **ret, const ScheduleConfig *config, Moment now) {
    Schedule *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->config = *config;
    s->policy = config->policy;
    s->due_at = s->notify_at = USEC_NEVER;
    s->clock_trusted = config->clock_trusted;
    s->clock_offset = now.real - now.mono;
    snprintf(s->bootstrapped_url, sizeof s->bootstrapped_url, "%s", strempty(config->bootstrapped_url));
    informs_drop(s);
    plan_periodic(s, now);
    *ret = s;
    return 0;
}

void schedule_free(Schedule *schedule) {
    free(schedule);
}

int schedule_load(Schedule *schedule, const char *key, const char *value, Moment now) {
    Event event;

    if (strncmp(key, INFORM_RECORD, strlen(INFORM_RECORD)) == 0)
        return inform_load(schedule, key, value, now);
    if (event_parse_record_key(key, &event) < 0)
        return -EINVAL;
    QueuedEvent *item = event_queue_place(&schedule->queue, event.type, event.command_key);
    if (!item)
        return -E2BIG;
    item->waiting = item->stored = true;
    return 0;
}

static void raise_bootstrap(Schedule *s, Moment now) {
    s->first = true;
    raise_single(s, EVENT_BOOTSTRAP, now);
}

void schedule_boot(Schedule *schedule, const char *url, Moment now) {
    snprintf(schedule->url, sizeof schedule->url, "%s", url);
    schedule->failures = 0;
    schedule->booted = true;
    schedule->first = false;
    raise_single(schedule, EVENT_BOOT, now);
    if (!streq(schedule->url, schedule->bootstrapped_url))
        raise_bootstrap(schedule, now);
    (void)schedule_save(schedule); /* of what was loaded: when it is due by the clock */
}

bool schedule_url_changed(Schedule *schedule, const char *url, Moment now) {
    if (streq(schedule->url, url))
        return false;
    event_queue_not_delivered(&schedule->queue);
    event_queue_place(&schedule->queue, EVENT_BOOTSTRAP, "")->waiting = false;
    schedule->due_at = USEC_NEVER;
    if (schedule->booted) {
        event_queue_place(&schedule->queue, EVENT_BOOT, "")->waiting = false;
        schedule_boot(schedule, url, now);
        return true;
    }
    snprintf(schedule->url, sizeof schedule->url, "%s", url);
    schedule->failures = 0;
    schedule->url_is_new = schedule->running;
    raise_bootstrap(schedule, now);
    return true;
}

/* Session ---------------------------------------------------------------------------------------------- */

usec_t schedule_deadline(const Schedule *schedule) {
    if (schedule->running || !*schedule->url)
        return USEC_NEVER;
    const usec_t session = MIN(schedule->due_at, schedule->notify_at), inform = next_inform(schedule);
    const usec_t event = MIN(schedule->next_periodic, inform);
    return MIN(session, event);
}

bool schedule_due(Schedule *schedule, Moment now) {
    if (clock_jumped(schedule, now) && now.mono < schedule->next_periodic)
        schedule_clock(schedule, schedule->clock_trusted, now);
    if (now.mono >= schedule->next_periodic) {
        raise_single(schedule, EVENT_PERIODIC, now);
        plan_periodic(schedule, now);
    }
    informs_take(schedule, now);
    return !schedule->running && *schedule->url && now.mono >= MIN(schedule->due_at, schedule->notify_at);
}

void schedule_session_started(Schedule *schedule, ScheduleStart *ret) {
    assert(!schedule->running);
    ret->retry_count = schedule->failures;
    ret->forget = schedule->first;
    /* What the HeMS before has not taken is not for this one (3.7.1.5). */
    if (schedule->first) {
        event_queue_drop(&schedule->queue, 1u << EVENT_BOOTSTRAP | (schedule->booted ? 1u << EVENT_BOOT : 0));
        informs_drop(schedule);
    }
    schedule->running = true;
    schedule->booted = schedule->first = schedule->url_is_new = false;
    schedule->active_sent = schedule->active;
    schedule->active = false;
    schedule->due_at = schedule->notify_at = USEC_NEVER;
    ret->n_events = event_queue_send(&schedule->queue, ret->events);
    (void)schedule_save(schedule);
}

int schedule_delivered(Schedule *schedule) {
    for (size_t i = 0; i < schedule->queue.n; i++) {
        const QueuedEvent *item = &schedule->queue.items[i];
        if (item->sent && item->event.type == EVENT_BOOTSTRAP) {
            memcpy(schedule->bootstrapped_url, schedule->url, sizeof schedule->bootstrapped_url);
            schedule->bootstrapped_unsaved = true;
        }
    }
    event_queue_delivered(&schedule->queue);
    schedule->active_sent = false;
    return schedule_save(schedule);
}

void schedule_session_ended(Schedule *schedule, Moment now) {
    event_queue_not_delivered(&schedule->queue); /* none: there was an InformResponse */
    schedule->running = false;
    schedule->failures = 0;
    schedule->had_session = true;
    schedule->quiet_from = now.mono;
    schedule->due_at =
        event_queue_waits_besides(&schedule->queue, EVENT_VALUE_CHANGE) ? now.mono : USEC_NEVER;
    plan_notification(schedule, now);
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
    return low + rng_below(s->config.rng, high > low ? high - low + 1 : 1);
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
    event_queue_not_delivered(&schedule->queue);
    schedule->failures++;
    schedule->active |= schedule->active_sent;
    schedule->active_sent = false;
    schedule->notify_at = USEC_NEVER; /* it comes with the retry */
    usec_t delay = MIN(MAX(draw_delay(schedule), at_least), SCHEDULE_DELAY_MAX);
    /* One that was accepted while that session ran was promised a session. */
    if (event_queue_waits(&schedule->queue, EVENT_CONNECTION_REQUEST))
        delay = 0;
    schedule->due_at = now.mono + delay;
    return delay;
}

unsigned schedule_waiting(const Schedule *schedule) {
    unsigned waiting = 0;

    for (size_t i = 0; i < schedule->queue.n; i++)
        if (schedule->queue.items[i].waiting)
            waiting |= 1U << schedule->queue.items[i].event.type;
    return waiting;
}

uint32_t schedule_failures(const Schedule *schedule) {
    return schedule->failures;
}

const char *schedule_bootstrapped_url(const Schedule *schedule) {
    return schedule->bootstrapped_url;
}
