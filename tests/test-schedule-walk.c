/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The schedule under everything at once: random walks over events, sessions that end well or fail at any
 * point, clocks that are set, disks that are full and power cuts between any two steps, held against a list
 * of what has happened and what a HeMS has taken. */
#include "schedule-world.h"

#define WALKS      3000
#define WALK_STEPS 300
#define HAPPENED   4096
#define INTERVAL   600
#define THROTTLE   30

/* Something that must not be lost. Each has a CommandKey of its own, so that it is known again. */
typedef struct Happened {
    Event event;
    usec_t not_before;    /* ScheduleInform: its time */
    bool delivered, sent; /* by the InformResponse; in the running session's Inform */
    bool dropped;         /* by 0 BOOTSTRAP */
    bool asleep;          /* M Reboot before the reboot */
    bool may_come_again;  /* the disk did not take that it was delivered, and the power was cut */
} Happened;

static struct {
    Schedule *schedule;
    SchedulePolicy policy;
    Moment now;
    uint64_t state; /* of the walk's own dice */
    const char *url;
    bool running, answered;
    bool bootstrap_due; /* no HeMS of this URL has taken it */
    bool first;         /* and none was tried since the URL changed, or the start */
    bool booted;
    uint32_t failures;
    ScheduleStart start;
    unsigned remembered; /* connection requests accepted and not in an Inform yet */
    usec_t due_by;       /* the latest moment for the next session, USEC_NEVER */
    bool value_changed, value_sent;
    size_t n;
    Happened happened[HAPPENED];
    unsigned sessions, delivered, lives;
} w;

static unsigned dice(unsigned sides) {
    const Rng own = {seeded_fill, &w.state};
    return (unsigned)rng_below(&own, sides);
}

static Happened *happened_find(const Event *event) {
    for (size_t i = 0; i < w.n; i++)
        if (w.happened[i].event.type == event->type &&
            streq(w.happened[i].event.command_key, event->command_key))
            return &w.happened[i];
    return NULL;
}

static Happened *happened_add(EventType type) {
    ck_assert_uint_lt(w.n, HAPPENED);
    Happened *h = &w.happened[w.n];
    *h = (Happened){.event.type = type};
    snprintf(h->event.command_key, sizeof h->event.command_key, "%zu", w.n);
    w.n++;
    return h;
}

/* What must not be lost and is due waits, if no session has it. */
static bool anything_waits(void) {
    if (w.bootstrap_due)
        return true;
    for (size_t i = 0; i < w.n; i++) {
        const Happened *h = &w.happened[i];
        /* A record counts in seconds. */
        const usec_t due = h->not_before ? h->not_before + USEC_PER_SEC : 0;
        if (!h->delivered && !h->dropped && !h->asleep && !h->sent && due <= w.now.mono)
            return true;
    }
    return false;
}

/* Steps ------------------------------------------------------------------------------------------------- */

static void step_raise(void) {
    static const EventType types[] = {EVENT_M_DOWNLOAD, EVENT_M_UPLOAD, EVENT_M_SCHEDULE_DOWNLOAD};
    Happened *h = happened_add(types[dice(3)]);
    int r = schedule_raise(w.schedule, h->event.type, h->event.command_key, w.now);
    ck_assert_int_eq(r, save_error);
    if (r < 0)
        w.n--; /* it has not happened */
}

static void step_inform(void) {
    Happened *h = happened_add(EVENT_M_SCHEDULE_INFORM);
    const uint32_t delay = 1 + dice(2000);
    int r = schedule_inform(w.schedule, delay, h->event.command_key, w.now);
    ck_assert(r == save_error || r == -E2BIG);
    h->not_before = w.now.mono + delay * USEC_PER_SEC;
    if (r < 0)
        w.n--;
}

static void step_value(void) {
    schedule_value_changed(w.schedule, dice(2), w.now);
    w.value_changed = true;
}

static void step_request(void) {
    schedule_connection_request(w.schedule, w.now);
    w.remembered++;
    if (!w.running)
        ck_assert_uint_le(schedule_deadline(w.schedule), w.now.mono); /* at once, also during a wait */
}

static void step_policy(void) {
    const usec_t before = schedule_deadline(w.schedule);
    schedule_set_policy(w.schedule, &w.policy, w.now); /* as some do at each contact: nothing moves */
    ck_assert_uint_eq(schedule_deadline(w.schedule), before);
}

static void step_clock(void) {
    if (save_error < 0) /* then a restart finds delays that go by the old one */
        return;
    w.now.real = w.now.real + dice(2 * 86400) * USEC_PER_SEC - 86400 * USEC_PER_SEC;
    schedule_clock(w.schedule, true, w.now);
}

static void step_disk(void) {
    save_error = save_error || dice(4) ? 0 : -ENOSPC;
}

static void step_url(void) {
    w.url = streq(w.url, URL_A) ? URL_B : URL_A;
    const bool new_url = !streq(w.url, kept_url);
    ck_assert(schedule_url_changed(w.schedule, w.url, w.now));
    w.bootstrap_due = !w.booted || new_url;
    w.first = w.bootstrap_due;
    w.failures = 0;
    /* What the running session still delivers does not touch the new one. */
    for (size_t i = 0; i < w.n; i++)
        w.happened[i].sent = false;
    w.value_changed |= w.value_sent;
    w.value_sent = false;
    w.start.n_events = 0;
}

/* The Inform: all that has happened, nothing that was delivered. */
static void step_start(void) {
    bool bootstrap = false, scheduled = false, transfer = false, request = false;

    schedule_session_started(w.schedule, &w.start);
    w.sessions++;
    w.running = true;
    w.answered = false;
    ck_assert_uint_eq(w.start.retry_count, w.failures);
    ck_assert_int_eq(w.start.forget, w.first);
    if (w.first)
        for (size_t i = 0; i < w.n; i++)
            w.happened[i].dropped |= !w.happened[i].delivered;
    for (size_t i = 0; i < w.start.n_events; i++) {
        const Event *e = &w.start.events[i];
        Happened *h = happened_find(e);
        bootstrap |= e->type == EVENT_BOOTSTRAP;
        scheduled |= e->type == EVENT_SCHEDULED;
        transfer |= e->type == EVENT_TRANSFER_COMPLETE;
        request |= e->type == EVENT_CONNECTION_REQUEST;
        ck_assert(i == 0 || e->type >= w.start.events[i - 1].type);
        w.value_sent |= e->type == EVENT_VALUE_CHANGE;
        if (!(event_flags(e->type) & EVENT_MULTIPLE))
            continue;
        ck_assert_ptr_nonnull(h);
        ck_assert_msg(!h->delivered || h->may_come_again, "%s is sent again", h->event.command_key);
        ck_assert(!h->dropped || h->may_come_again);
        ck_assert(!h->asleep);
        ck_assert(h->not_before <= w.now.mono);
        ck_assert(e->type == EVENT_M_REBOOT || (e->type == EVENT_M_SCHEDULE_INFORM ? scheduled : transfer));
        h->sent = true;
    }
    ck_assert_int_eq(bootstrap, w.bootstrap_due);
    ck_assert(!w.first || w.start.n_events == 1u + w.booted);
    ck_assert(w.first || request == (w.remembered > 0));
    ck_assert(w.first || !w.value_changed || w.value_sent);
    ck_assert(w.start.n_events == EVENTS_SENT_MAX || !anything_waits() || bootstrap);
    w.value_changed = false;
    w.remembered = 0;
    w.first = w.booted = false;
}

static void step_answer(void) {
    int r = schedule_delivered(w.schedule);
    ck_assert(r == 0 || r == save_error);
    w.answered = true;
    for (size_t i = 0; i < w.start.n_events; i++)
        if (w.start.events[i].type == EVENT_BOOTSTRAP)
            w.bootstrap_due = false;
    for (size_t i = 0; i < w.n; i++) {
        Happened *h = &w.happened[i];
        if (h->sent) {
            w.delivered += !h->delivered;
            h->delivered = true;
            h->sent = false;
        }
    }
    w.value_sent = false;
    w.start.n_events = 0;
}

static void step_end(void) {
    schedule_session_ended(w.schedule, w.now);
    w.running = false;
    w.failures = 0;
    if (anything_waits() || w.remembered > 0)
        ck_assert_uint_le(schedule_deadline(w.schedule), w.now.mono);
}

static void step_fail(bool new_url) {
    usec_t delay = schedule_session_failed(w.schedule, 0, w.now);
    w.running = false;
    for (size_t i = 0; i < w.n; i++)
        w.happened[i].sent = false;
    w.value_changed |= w.value_sent;
    w.value_sent = false;
    w.start.n_events = 0;
    if (new_url) {
        w.failures = 0;
        ck_assert_uint_eq(delay, 0);
        return;
    }
    w.failures++;
    if (w.remembered == 0) {
        const usec_t low = (usec_t)(5 << (MIN(w.failures, 10u) - 1)) * USEC_PER_SEC;
        ck_assert_uint_ge(delay, low);
        ck_assert_uint_le(delay, 2 * low);
    }
    ck_assert_uint_le(schedule_deadline(w.schedule), w.now.mono + delay);
}

/* A session that runs takes one of these steps; the URL may change in it. */
static void step_session(void) {
    static bool new_url;

    if (!w.running) {
        new_url = false;
        if (schedule_due(w.schedule, w.now))
            step_start();
        return;
    }
    switch (dice(5)) {
    case 0:
        if (w.answered && dice(3) == 0) {
            step_url();
            new_url = true;
        }
        break;
    case 1:
        step_fail(new_url);
        break;
    default:
        if (w.answered)
            step_end();
        else
            step_answer();
        break;
    }
}

/* Off for a while, and on again; the agent alone, or the box. */
static void step_restart(bool reboot) {
    const usec_t off = dice(300) * USEC_PER_SEC;

    w.lives++;
    schedule_free(w.schedule);
    pass(&w.now, off);
    w.running = false;
    w.failures = 0;
    w.remembered = 0;
    w.value_changed = w.value_sent = false;
    w.start.n_events = 0;
    for (size_t i = 0; i < w.n; i++) {
        Happened *h = &w.happened[i];
        char key[EVENT_RECORD_BYTES];
        h->sent = h->asleep = false;
        /* What the disk did not take is as it was: delivered or dropped, and there again. */
        h->may_come_again = false;
        if (!h->delivered && !h->dropped)
            continue;
        event_record_key(&h->event, key);
        for (size_t k = 0; k < n_kept; k++)
            h->may_come_again |= streq(kept[k].key, key) || strncmp(kept[k].key, "ScheduleInform", 14) == 0;
    }
    w.schedule = schedule_restored(&w.policy, true, w.now);
    schedule_boot(w.schedule, w.url, w.now);
    w.booted = true;
    w.bootstrap_due = w.first = !streq(w.url, kept_url);
    ck_assert_uint_le(schedule_deadline(w.schedule), w.now.mono);
}

static void step_reboot(void) {
    if (w.running)
        return;
    Happened *h = happened_add(EVENT_M_REBOOT);
    h->asleep = true;
    int r = schedule_reboot(w.schedule, h->event.command_key);
    ck_assert_int_eq(r, save_error);
    if (r < 0) {
        w.n--;
        return;
    }
    if (dice(3) == 0) {
        schedule_reboot_refused(w.schedule);
        h->asleep = false;
        h->dropped = true;
        h->may_come_again = save_error < 0;
        return;
    }
    step_restart(true);
}

/* Time goes on to what comes next, or a part of that. */
static void step_time(void) {
    const usec_t deadline = schedule_deadline(w.schedule);
    usec_t step = dice(120) * USEC_PER_SEC;

    if (deadline != USEC_NEVER && deadline > w.now.mono)
        step = dice(2) ? deadline - w.now.mono : MIN(step, deadline - w.now.mono);
    ck_assert(deadline == USEC_NEVER || w.running || deadline <= w.now.mono + INTERVAL * USEC_PER_SEC);
    pass(&w.now, step);
}

static void step_any(void) {
    switch (dice(24)) {
    case 0 ... 1:
        step_raise();
        break;
    case 2:
        step_inform();
        break;
    case 3:
        step_value();
        break;
    case 4:
        step_request();
        break;
    case 5:
        step_policy();
        break;
    case 6:
        if (dice(8) == 0)
            step_clock();
        break;
    case 7:
        step_disk();
        break;
    case 8:
        if (!w.running && dice(6) == 0)
            step_url();
        break;
    case 9:
        if (dice(3) == 0)
            step_restart(false);
        break;
    case 10:
        if (dice(3) == 0)
            step_reboot();
        break;
    case 11 ... 15:
        step_time();
        break;
    default:
        step_session();
        break;
    }
}

/* In the end everything works: what has happened arrives, in few sessions. */
static void finish(void) {
    save_error = 0;
    for (unsigned i = 0; w.running; i++) {
        ck_assert_uint_lt(i, 100);
        step_session();
    }
    pass(&w.now, 3000 * USEC_PER_SEC);
    for (unsigned i = 0; anything_waits(); i++) {
        ck_assert_uint_lt(i, 20);
        ck_assert(schedule_due(w.schedule, w.now));
        step_start();
        step_answer();
        step_end();
    }
    for (size_t i = 0; i < w.n; i++)
        ck_assert(w.happened[i].delivered || w.happened[i].dropped);
    /* The next session at the latest forgets what could not be forgotten before. */
    step_request();
    ck_assert(schedule_due(w.schedule, w.now));
    step_start();
    step_answer();
    ck_assert_str_eq(kept_keys(), "");
}

static void walk(uint64_t number) {
    memset(&w, 0, offsetof(typeof(w), sessions));
    w.state = number * 2 + 1;
    seed = number * 7919 + 1;
    n_kept = 0;
    kept_url[0] = 0;
    save_error = 0;
    w.policy = quiet;
    w.policy.periodic_enable = true;
    w.policy.periodic_interval = INTERVAL;
    w.policy.periodic_time = 0;
    w.policy.throttle = THROTTLE;
    w.url = URL_A;
    w.now = at(0);
    w.schedule = schedule_restored(&w.policy, true, w.now);
    schedule_boot(w.schedule, w.url, w.now);
    w.bootstrap_due = w.first = w.booted = true;
    for (unsigned i = 0; i < WALK_STEPS; i++)
        step_any();
    finish();
    schedule_free(w.schedule);
}

START_TEST(nothing_is_lost_and_nothing_comes_twice) {
    for (uint64_t i = 1; i <= WALKS; i++)
        walk(i);
    printf("%u sessions, %u events delivered, %u restarts\n", w.sessions, w.delivered, w.lives);
    ck_assert_uint_ge(w.delivered, WALKS);
    ck_assert_uint_ge(w.lives, WALKS);
}
END_TEST

SUITE("schedule-walk", nothing_is_lost_and_nothing_comes_twice)
