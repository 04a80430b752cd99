/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of the schedule share: a store that survives its restarts and may fail, clocks, and sessions
 * as one line of text. */
#pragma once

#include <check.h>
#include <stdio.h>

#include "base/macro.h"
#include "cwmp/schedule.h"
#include "seeded.h"
#include "suite.h"

#define URL_A "http://a.example/"
#define URL_B "http://b.example/"

static uint64_t seed;
static const Rng rng = {seeded_fill, &seed};

static const SchedulePolicy quiet = {
    .periodic_time = SCHEDULE_TIME_UNKNOWN, .retry_minimum_wait = 5, .retry_multiplier = 2000};

/* The store. Each test is a process of its own. */
static struct { char key[EVENT_RECORD_BYTES], value[EVENT_RECORD_BYTES]; } kept[400];
static size_t n_kept;
static char kept_url[URL_MAX_BYTES];
static unsigned saves;
static int save_error; /* of every save, 0: they work */

static inline Moment at(double seconds) {
    usec_t t = (usec_t)(seconds * (double)USEC_PER_SEC);
    return (Moment){.mono = 1000000 + t, .real = UINT64_C(1795417689) * USEC_PER_SEC + t};
}

/* So much later, by both clocks. */
static inline void pass(Moment *now, usec_t step) {
    now->mono += step;
    now->real += step;
}

static inline void kept_change(const char *key, const char *value) {
    size_t i = 0;
    while (i < n_kept && !streq(kept[i].key, key))
        i++;
    if (!value) {
        ck_assert_msg(i < n_kept, "%s is forgotten, and was not kept", key);
        kept[i] = kept[--n_kept];
        return;
    }
    ck_assert_uint_lt(i, ARRAY_SIZE(kept));
    n_kept += i == n_kept;
    ck_assert_uint_lt(snprintf(kept[i].key, sizeof kept[i].key, "%s", key), (int)sizeof kept[i].key);
    ck_assert_uint_lt(snprintf(kept[i].value, sizeof kept[i].value, "%s", value), (int)sizeof kept[i].value);
}

static inline int on_save(void *userdata, const ScheduleRecord *records, size_t n, const char *url) {
    ck_assert_uint_gt(n + (url != NULL), 0); /* no transaction for nothing */
    if (save_error < 0)
        return save_error;
    saves++;
    for (size_t i = 0; i < n; i++)
        kept_change(records[i].key, records[i].value);
    if (url)
        snprintf(kept_url, sizeof kept_url, "%s", url);
    return 0;
}

/* Keys of what is kept, in any order, with a comma between two. */
static inline const char *kept_keys(void) {
    static char text[ARRAY_SIZE(kept) * EVENT_RECORD_BYTES];
    char *end = text;
    *end = 0;
    for (size_t i = 0; i < n_kept; i++)
        end = stpcpy(stpcpy(end, i ? "," : ""), kept[i].key);
    return text;
}

/* A start of the agent, before it knows its HeMS. */
static inline Schedule *schedule_restored(const SchedulePolicy *policy, bool clock_trusted, Moment now) {
    Schedule *s;
    const ScheduleConfig config = {.bootstrapped_url = kept_url,
                                   .policy = *policy,
                                   .clock_trusted = clock_trusted,
                                   .rng = &rng,
                                   .save = on_save};
    ck_assert_int_eq(schedule_new(&s, &config, now), 0);
    for (size_t i = 0; i < n_kept; i++)
        ck_assert_int_eq(schedule_load(s, kept[i].key, kept[i].value, now), 0);
    return s;
}

/* One with a HeMS that has accepted 0 BOOTSTRAP before, "" none. */
static inline Schedule *new_schedule(const char *bootstrapped, const SchedulePolicy *policy) {
    seed = 7;
    snprintf(kept_url, sizeof kept_url, "%s", bootstrapped);
    return schedule_restored(policy, true, at(0));
}

static inline const char *start_text(const ScheduleStart *start) {
    static char text[EVENTS_SENT_MAX * EVENT_RECORD_BYTES];
    char key[EVENT_RECORD_BYTES];
    text[0] = 0;
    for (size_t i = 0; i < start->n_events; i++) {
        event_record_key(&start->events[i], key);
        sprintf(text + strlen(text), "%s%s", i ? "," : "", key);
    }
    sprintf(text + strlen(text), "/%u", start->retry_count);
    return text;
}

/* The events of a session that starts now, "0 BOOTSTRAP,M Reboot key/retry count". */
static inline const char *start_session(Schedule *s) {
    static ScheduleStart start;
    schedule_session_started(s, &start);
    return start_text(&start);
}

/* A session that is due, its events, delivered, and its end. */
static inline void good_session(Schedule *s, const char *events, Moment now) {
    ck_assert(schedule_due(s, now));
    ck_assert_str_eq(start_session(s), events);
    (void)schedule_delivered(s);
    schedule_session_ended(s, now);
}

/* The power goes and comes back. */
static inline Schedule *restarted(Schedule *s, const char *url, const SchedulePolicy *policy, Moment now) {
    schedule_free(s);
    s = schedule_restored(policy, true, now);
    schedule_boot(s, url, now);
    return s;
}
