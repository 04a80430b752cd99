/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "schedule-world.h"

START_TEST(first_contact) {
    Schedule *s = new_schedule("", &quiet);
    ck_assert_uint_eq(schedule_deadline(s), USEC_NEVER);
    ck_assert(!schedule_due(s, at(1)));
    schedule_boot(s, URL_A, at(2));
    ck_assert_uint_eq(schedule_deadline(s), at(2).mono);
    ck_assert(schedule_due(s, at(2)));
    ck_assert_str_eq(start_session(s), "0 BOOTSTRAP,1 BOOT/0");
    ck_assert(!schedule_due(s, at(3))); /* one at a time */
    ck_assert_uint_eq(schedule_deadline(s), USEC_NEVER);
    ck_assert_str_eq(kept_url, "");
    ck_assert_int_eq(schedule_delivered(s), 0);
    ck_assert_str_eq(kept_url, URL_A);
    ck_assert_str_eq(schedule_bootstrapped_url(s), URL_A);
    schedule_session_ended(s, at(4));
    ck_assert(!schedule_due(s, at(100000)));
    ck_assert_uint_eq(schedule_deadline(s), USEC_NEVER);
    schedule_free(s);
}
END_TEST

START_TEST(expectation_35_a_restart_does_not_bootstrap_again) {
    Schedule *s = new_schedule(URL_A, &quiet);
    schedule_boot(s, URL_A, at(0));
    ck_assert_str_eq(start_session(s), "1 BOOT/0");
    ck_assert_int_eq(schedule_delivered(s), 0);
    schedule_free(s);
    s = new_schedule(URL_A, &quiet);
    schedule_boot(s, URL_B, at(0));
    ck_assert_str_eq(start_session(s), "0 BOOTSTRAP,1 BOOT/0");
    schedule_free(s);
}
END_TEST

/* TR-069 3.2.1.1: the table, for two boxes and every step. */
START_TEST(expectation_43_waits_follow_the_table) {
    static const double low[] = {5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 2560, 2560};
    for (uint64_t box = 1; box <= 200; box++) {
        Schedule *s = new_schedule("", &quiet);
        Moment now = at(0);
        seed = box * 77;
        schedule_boot(s, URL_A, now);
        for (uint32_t n = 0; n < ARRAY_SIZE(low); n++) {
            char expected[64];
            ck_assert(schedule_due(s, now));
            snprintf(expected, sizeof expected, "0 BOOTSTRAP,1 BOOT/%u", n);
            ck_assert_str_eq(start_session(s), expected);
            usec_t delay = schedule_session_failed(s, 0, now);
            ck_assert_uint_ge(delay, (usec_t)(low[n] * (double)USEC_PER_SEC));
            ck_assert_uint_le(delay, (usec_t)(2 * low[n] * (double)USEC_PER_SEC));
            ck_assert_uint_eq(schedule_deadline(s), now.mono + delay);
            now.mono += delay - 1;
            ck_assert(!schedule_due(s, now));
            now.mono += 1;
        }
        /* Success starts the table anew. */
        (void)start_session(s);
        schedule_delivered(s);
        schedule_session_ended(s, now);
        schedule_boot(s, URL_A, now);
        ck_assert_str_eq(start_session(s), "1 BOOT/0");
        schedule_free(s);
    }
}
END_TEST

START_TEST(expectation_43_a_fleet_does_not_retry_in_step) {
    usec_t first = 0;
    size_t different = 0;
    for (uint64_t box = 1; box <= 100; box++) {
        Schedule *s = new_schedule("", &quiet);
        seed = box * 1234567;
        schedule_boot(s, URL_A, at(0));
        (void)start_session(s);
        usec_t delay = schedule_session_failed(s, 0, at(0));
        different += box > 1 && delay != first;
        first = box == 1 ? delay : first;
        schedule_free(s);
    }
    ck_assert_uint_ge(different, 98);
}
END_TEST

START_TEST(extreme_parameters_stay_sane) {
    SchedulePolicy extreme = quiet;
    extreme.retry_minimum_wait = 65535;
    extreme.retry_multiplier = 65535;
    Schedule *s = new_schedule("", &extreme);
    schedule_boot(s, URL_A, at(0));
    for (int i = 0; i < 20; i++) {
        (void)start_session(s);
        usec_t delay = schedule_session_failed(s, 0, at(0));
        ck_assert_uint_ge(delay, 65535 * USEC_PER_SEC);
        ck_assert_uint_le(delay, SCHEDULE_DELAY_MAX);
    }
    /* k = 1000: no growth, and a range of nothing. */
    extreme.retry_multiplier = 1000;
    schedule_set_policy(s, &extreme, at(0));
    (void)start_session(s);
    ck_assert_uint_eq(schedule_session_failed(s, 0, at(0)), 65535 * USEC_PER_SEC);
    schedule_free(s);
}
END_TEST

START_TEST(retry_after_is_honoured_when_longer) {
    Schedule *s = new_schedule("", &quiet);
    schedule_boot(s, URL_A, at(0));
    (void)start_session(s);
    ck_assert_uint_eq(schedule_session_failed(s, 120 * USEC_PER_SEC, at(0)), 120 * USEC_PER_SEC);
    (void)start_session(s);
    ck_assert_uint_ge(schedule_session_failed(s, 1, at(0)), 10 * USEC_PER_SEC);
    (void)start_session(s);
    ck_assert_uint_eq(schedule_session_failed(s, USEC_NEVER, at(0)), SCHEDULE_DELAY_MAX);
    schedule_free(s);
}
END_TEST

/* Events go with the InformResponse; what fails after it is tried again all the same, for the HeMS's sake. */
START_TEST(a_session_that_fails_late_is_repeated_without_events) {
    Schedule *s = new_schedule("", &quiet);
    schedule_boot(s, URL_A, at(0));
    (void)start_session(s);
    schedule_delivered(s);
    usec_t delay = schedule_session_failed(s, 0, at(0));
    ck_assert_uint_ge(delay, 5 * USEC_PER_SEC);
    ck_assert(schedule_due(s, at(11)));
    ck_assert_str_eq(start_session(s), "/1");
    schedule_free(s);
}
END_TEST

START_TEST(a_new_event_ends_the_wait) {
    SchedulePolicy policy = quiet;
    policy.periodic_enable = true;
    policy.periodic_interval = 100;
    Schedule *s = new_schedule(URL_A, &policy);
    Moment now = at(0);
    schedule_boot(s, URL_A, now);
    /* Fail until the wait is longer than the interval. */
    for (int i = 0; i < 8; i++) {
        (void)start_session(s);
        schedule_session_failed(s, 0, now);
    }
    now.mono = schedule_deadline(s); /* the periodic one, before the end of a wait of 640 s or more */
    ck_assert_uint_le(now.mono, at(101).mono);
    ck_assert(schedule_due(s, now));
    ck_assert_str_eq(start_session(s), "1 BOOT,2 PERIODIC/8");
    usec_t delay = schedule_session_failed(s, 0, now);
    /* It is pending now: the next interval brings nothing new, the wait lasts. */
    usec_t end = now.mono + delay;
    size_t wakes = 0;
    while (now.mono < end) {
        now.mono = schedule_deadline(s);
        ck_assert(schedule_due(s, now) == (now.mono >= end));
        wakes++;
    }
    ck_assert_uint_ge(wakes, 6);
    ck_assert_uint_eq(now.mono, end);
    schedule_free(s);
}
END_TEST

START_TEST(expectation_35_a_new_url_bootstraps_alone_and_at_once) {
    Schedule *s = new_schedule("", &quiet);
    schedule_boot(s, URL_A, at(0));
    (void)start_session(s);
    ck_assert_int_eq(schedule_delivered(s), 0);
    schedule_url_changed(s, URL_A, at(1)); /* the same: nothing */
    schedule_url_changed(s, URL_B, at(1));
    ck_assert(!schedule_due(s, at(1))); /* the old session goes on to its end */
    schedule_session_ended(s, at(2));
    ck_assert(schedule_due(s, at(2)));
    ck_assert_str_eq(start_session(s), "0 BOOTSTRAP/0");
    ck_assert_int_eq(schedule_delivered(s), 0);
    ck_assert_str_eq(kept_url, URL_B);
    /* And if the old one fails instead of ending, it does not matter. */
    schedule_url_changed(s, URL_A, at(3));
    ck_assert_uint_eq(schedule_session_failed(s, 0, at(4)), 0);
    ck_assert(schedule_due(s, at(4)));
    ck_assert_str_eq(start_session(s), "0 BOOTSTRAP/0");
    /* A failure of the new one does. */
    ck_assert_uint_ge(schedule_session_failed(s, 0, at(5)), 5 * USEC_PER_SEC);
    schedule_free(s);
}
END_TEST

/* TS 32.593 5.1.2.3: from the initial HeMS (A) to the serving one (B), and back when that one stays dead. */
START_TEST(the_way_of_a_new_box) {
    Schedule *s = new_schedule("", &quiet);
    schedule_boot(s, URL_A, at(0));
    good_session(s, "0 BOOTSTRAP,1 BOOT/0", at(0));
    schedule_url_changed(s, URL_B, at(1));
    /* A failure leaves the serving HeMS its event. */
    ck_assert(schedule_due(s, at(1)));
    ck_assert_str_eq(start_session(s), "0 BOOTSTRAP/0");
    (void)schedule_session_failed(s, 0, at(1));
    good_session(s, "0 BOOTSTRAP/1", at(20));
    ck_assert_uint_eq(schedule_deadline(s), USEC_NEVER);

    s = restarted(s, URL_B, &quiet, at(30));
    good_session(s, "1 BOOT/0", at(30));
    schedule_url_changed(s, URL_A, at(40));
    good_session(s, "0 BOOTSTRAP/0", at(40));
    schedule_url_changed(s, URL_B, at(50));
    /* Power lost before the serving HeMS has it: it comes again. */
    s = restarted(s, URL_B, &quiet, at(60));
    good_session(s, "0 BOOTSTRAP,1 BOOT/0", at(60));
    schedule_free(s);
}
END_TEST

/* Nobody has heard of the boot before the first session: the one that does hears of it. */
START_TEST(a_url_that_changes_before_the_first_session) {
    Schedule *s = new_schedule(URL_A, &quiet);
    schedule_boot(s, URL_A, at(0));
    ck_assert_uint_ge(schedule_session_failed(s, 0, at(0)), 5 * USEC_PER_SEC); /* could not be tried */
    schedule_url_changed(s, URL_B, at(1));
    ck_assert(schedule_due(s, at(1))); /* at once */
    schedule_url_changed(s, URL_A, at(2));
    ck_assert(schedule_due(s, at(2)));
    schedule_url_changed(s, URL_B, at(3));
    ck_assert_str_eq(start_session(s), "0 BOOTSTRAP,1 BOOT/0");
    (void)schedule_session_failed(s, 0, at(3));
    schedule_url_changed(s, URL_A, at(4)); /* the boot was tried to be told, and goes with the rest */
    good_session(s, "0 BOOTSTRAP/0", at(4));
    schedule_free(s);

    s = new_schedule(URL_A, &quiet);
    schedule_boot(s, URL_B, at(0));
    schedule_url_changed(s, URL_A, at(1));
    good_session(s, "1 BOOT/0", at(1));
    schedule_free(s);
}
END_TEST

START_TEST(what_happens_during_a_session_comes_after_it) {
    SchedulePolicy policy = quiet;
    policy.periodic_enable = true;
    policy.periodic_interval = 10;
    Schedule *s = new_schedule(URL_A, &policy);
    schedule_boot(s, URL_A, at(0));
    (void)start_session(s);
    ck_assert(!schedule_due(s, at(11))); /* takes the event up */
    schedule_delivered(s);               /* of what the Inform carried only */
    schedule_session_ended(s, at(12));
    ck_assert(schedule_due(s, at(12)));
    ck_assert_str_eq(start_session(s), "2 PERIODIC/0");
    schedule_free(s);
}
END_TEST

/* Whoever sets the interval at each contact neither loses nor speeds up the timer. */
START_TEST(expectation_44_periodic_keeps_its_phase) {
    SchedulePolicy policy = quiet;
    policy.periodic_enable = true;
    policy.periodic_interval = 300;
    policy.periodic_time = 100; /* so at 100 s, 400 s, ... after the hour, since 3600 is a multiple of 300 */
    Schedule *s = new_schedule(URL_A, &policy);
    Moment now = at(0);
    schedule_boot(s, URL_A, now);
    good_session(s, "1 BOOT/0", now);
    for (int i = 0; i < 50; i++) {
        usec_t before = now.mono, step = schedule_deadline(s) - before;
        now.mono += step;
        now.real += step;
        ck_assert_uint_eq(now.real % (300 * USEC_PER_SEC), 100 * USEC_PER_SEC);
        ck_assert(i == 0 || step == 300 * USEC_PER_SEC);
        ck_assert(schedule_due(s, now));
        ck_assert_str_eq(start_session(s), "2 PERIODIC/0");
        now.mono += 7 * USEC_PER_SEC;
        now.real += 7 * USEC_PER_SEC;
        schedule_delivered(s);
        schedule_set_policy(s, &policy, now);
        schedule_session_ended(s, now);
        now.mono -= 7 * USEC_PER_SEC;
        now.real -= 7 * USEC_PER_SEC;
    }
    schedule_free(s);
}
END_TEST

START_TEST(a_time_in_the_future_is_a_phase_too) {
    SchedulePolicy policy = quiet;
    policy.periodic_enable = true;
    policy.periodic_interval = 86400;
    policy.periodic_time = 4102444800 + 3600; /* 2100-01-01T01:00:00Z */
    Schedule *s = new_schedule(URL_A, &policy);
    schedule_boot(s, URL_A, at(0));
    good_session(s, "1 BOOT/0", at(0));
    /* at(0) is 07:08:09: the next 01:00:00 is 17:51:51 away. */
    ck_assert_uint_eq(schedule_deadline(s) - at(0).mono, (17 * 3600 + 51 * 60 + 51) * USEC_PER_SEC);
    schedule_free(s);
}
END_TEST

START_TEST(without_a_time_each_box_has_its_own_phase) {
    SchedulePolicy policy = quiet;
    policy.periodic_enable = true;
    policy.periodic_interval = 1000;
    usec_t deadlines[50];
    for (size_t i = 0; i < ARRAY_SIZE(deadlines); i++) {
        seed = i + 1;
        Schedule *s = schedule_restored(&policy, true, at(0));
        schedule_boot(s, URL_A, at(0));
        good_session(s, i ? "1 BOOT/0" : "0 BOOTSTRAP,1 BOOT/0", at(0));
        deadlines[i] = schedule_deadline(s);
        ck_assert_uint_gt(deadlines[i], at(0).mono);
        ck_assert_uint_le(deadlines[i], at(1000).mono);
        for (size_t k = 0; k < i; k++)
            ck_assert_uint_ne(deadlines[i], deadlines[k]);
        /* Off and on again, or another interval: the phase stays. */
        policy.periodic_interval = 500;
        schedule_set_policy(s, &policy, at(0));
        ck_assert_uint_eq((deadlines[i] - schedule_deadline(s)) % (500 * USEC_PER_SEC), 0);
        policy.periodic_enable = false;
        schedule_set_policy(s, &policy, at(1));
        ck_assert_uint_eq(schedule_deadline(s), USEC_NEVER);
        policy.periodic_enable = true;
        policy.periodic_interval = 1000;
        schedule_set_policy(s, &policy, at(5000.5));
        ck_assert_uint_eq((schedule_deadline(s) - deadlines[i]) % (1000 * USEC_PER_SEC), 0);
        ck_assert_uint_gt(schedule_deadline(s), at(5000.5).mono);
        schedule_free(s);
    }
}
END_TEST

START_TEST(a_value_change_is_told_at_once) {
    Schedule *s = new_schedule(URL_A, &quiet);
    schedule_boot(s, URL_A, at(0));
    ck_assert_str_eq(start_session(s), "1 BOOT/0");
    ck_assert_int_eq(schedule_delivered(s), 0);
    schedule_value_changed(s, true, at(1)); /* during a session: after it */
    ck_assert(!schedule_due(s, at(1)));
    schedule_session_ended(s, at(2));
    ck_assert(schedule_due(s, at(2)));
    ck_assert_str_eq(start_session(s), "4 VALUE CHANGE/0");
    schedule_free(s);
}
END_TEST

/* Notification ---------------------------------------------------------------------------------------- */

START_TEST(active_notification_is_throttled) {
    SchedulePolicy policy = quiet;
    policy.throttle = 60;
    Schedule *s = new_schedule(URL_A, &policy);
    schedule_boot(s, URL_A, at(0));
    schedule_value_changed(s, true, at(0)); /* no session yet: nothing to be away from */
    ck_assert(schedule_due(s, at(0)));
    good_session(s, "1 BOOT,4 VALUE CHANGE/0", at(0));
    schedule_value_changed(s, true, at(10));
    ck_assert_uint_eq(schedule_deadline(s), at(60).mono);
    ck_assert(!schedule_due(s, at(59)));
    good_session(s, "4 VALUE CHANGE/0", at(60));
    schedule_value_changed(s, true, at(200)); /* long after: at once */
    good_session(s, "4 VALUE CHANGE/0", at(200));
    /* It goes with a session that there is anyway. */
    schedule_value_changed(s, true, at(210));
    schedule_connection_request(s, at(211));
    good_session(s, "4 VALUE CHANGE,6 CONNECTION REQUEST/0", at(211));
    ck_assert_uint_eq(schedule_deadline(s), USEC_NEVER);
    /* During a session: counts from its end. Another throttle is heeded at once. */
    schedule_connection_request(s, at(300));
    ck_assert(schedule_due(s, at(300)));
    (void)start_session(s);
    schedule_delivered(s);
    schedule_value_changed(s, true, at(301));
    schedule_session_ended(s, at(310));
    ck_assert_uint_eq(schedule_deadline(s), at(370).mono);
    policy.throttle = 20;
    schedule_set_policy(s, &policy, at(311));
    ck_assert_uint_eq(schedule_deadline(s), at(330).mono);
    policy.throttle = 0;
    schedule_set_policy(s, &policy, at(311));
    good_session(s, "4 VALUE CHANGE/0", at(311));
    /* A session that failed is none to be away from. */
    policy.throttle = 60;
    schedule_set_policy(s, &policy, at(400));
    schedule_connection_request(s, at(400));
    ck_assert(schedule_due(s, at(400)));
    (void)start_session(s);
    schedule_session_failed(s, 100 * USEC_PER_SEC, at(401));
    schedule_value_changed(s, true, at(402));
    ck_assert(schedule_due(s, at(402)));
    ck_assert_str_eq(start_session(s), "4 VALUE CHANGE/1");
    /* And one that waits to be tried again ends no wait, however often its value changes. */
    usec_t delay = schedule_session_failed(s, 0, at(403));
    schedule_value_changed(s, true, at(404));
    ck_assert_uint_eq(schedule_deadline(s), at(403).mono + delay);
    /* Nor does one that changed in the session that failed. */
    Moment now = at(403);
    pass(&now, delay);
    ck_assert(schedule_due(s, now));
    ck_assert_str_eq(start_session(s), "4 VALUE CHANGE/2");
    schedule_delivered(s);
    schedule_value_changed(s, true, now);
    delay = schedule_session_failed(s, 0, now);
    ck_assert_uint_ge(delay, 20 * USEC_PER_SEC);
    ck_assert_uint_eq(schedule_deadline(s), now.mono + delay);
    schedule_free(s);
}
END_TEST

/* Somebody at the box wants one: at once, also during a wait, and the period stays as it is. */
START_TEST(now_by_hand) {
    SchedulePolicy policy = quiet;
    policy.periodic_enable = true;
    policy.periodic_interval = 1000;
    Schedule *s = new_schedule(URL_A, &policy);
    schedule_boot(s, URL_A, at(0));
    ck_assert_uint_eq(schedule_waiting(s), 1U << EVENT_BOOT);
    good_session(s, "1 BOOT/0", at(0));
    ck_assert_uint_eq(schedule_waiting(s), 0);
    const usec_t next = schedule_deadline(s);
    schedule_now(s, at(5));
    ck_assert_uint_eq(schedule_waiting(s), 1U << EVENT_PERIODIC);
    ck_assert_uint_le(schedule_deadline(s), at(5).mono);
    ck_assert(schedule_due(s, at(5)));
    ck_assert_str_eq(start_session(s), "2 PERIODIC/0");
    schedule_now(s, at(6)); /* during it: one more after it */
    schedule_delivered(s);
    schedule_session_ended(s, at(7));
    good_session(s, "2 PERIODIC/0", at(7));
    ck_assert_uint_eq(schedule_deadline(s), next);
    schedule_now(s, at(8));
    ck_assert(schedule_due(s, at(8)));
    (void)start_session(s);
    ck_assert_uint_gt(schedule_session_failed(s, 0, at(9)), 0);
    schedule_now(s, at(9)); /* it waits already, and need not any more */
    ck_assert(schedule_due(s, at(9)));
    ck_assert_str_eq(start_session(s), "2 PERIODIC/1");
    schedule_free(s);
}
END_TEST

START_TEST(passive_notification_goes_with_the_next_session) {
    SchedulePolicy policy = quiet;
    policy.periodic_enable = true;
    policy.periodic_interval = 1000;
    Schedule *s = new_schedule(URL_A, &policy);
    schedule_boot(s, URL_A, at(0));
    good_session(s, "1 BOOT/0", at(0));
    const usec_t periodic = schedule_deadline(s);
    schedule_value_changed(s, false, at(1));
    ck_assert_uint_eq(schedule_deadline(s), periodic);
    ck_assert(!schedule_due(s, at(1)));
    Moment now = at(1);
    pass(&now, periodic - now.mono);
    ck_assert(schedule_due(s, now));
    ck_assert_str_eq(start_session(s), "2 PERIODIC,4 VALUE CHANGE/0");
    /* A change after the Inform was made is another one: kept until it is delivered. */
    schedule_value_changed(s, false, now);
    ck_assert_int_eq(schedule_delivered(s), 0);
    schedule_session_ended(s, now);
    ck_assert(!schedule_due(s, now));
    /* An active one brings it along. */
    schedule_value_changed(s, true, now);
    good_session(s, "4 VALUE CHANGE/0", now);
    schedule_free(s);
}
END_TEST

/* Clock ----------------------------------------------------------------------------------------------- */

START_TEST(schedule_informs_come_in_time) {
    Schedule *s = new_schedule(URL_A, &quiet);
    schedule_boot(s, URL_A, at(0));
    good_session(s, "1 BOOT/0", at(0));
    ck_assert_int_eq(schedule_inform(s, 0, "none", at(0)), -EINVAL);
    ck_assert_int_eq(schedule_inform(s, 30, "c", at(0)), 0);
    ck_assert_int_eq(schedule_inform(s, 10, "a", at(0)), 0);
    ck_assert_int_eq(schedule_inform(s, 20, "b", at(0)), 0);
    ck_assert_int_eq(schedule_inform(s, 20, "b", at(0)), 0); /* one event, if they come together */
    ck_assert_uint_eq(schedule_deadline(s), at(10).mono);
    ck_assert(!schedule_due(s, at(9)));
    good_session(s, "3 SCHEDULED,M ScheduleInform a/0", at(10));
    good_session(s, "3 SCHEDULED,M ScheduleInform b/0", at(20));
    ck_assert_str_eq(kept_keys(), "ScheduleInform 0");
    good_session(s, "3 SCHEDULED,M ScheduleInform c/0", at(31));
    ck_assert_str_eq(kept_keys(), "");
    for (size_t i = 0; i < SCHEDULE_INFORMS_MAX; i++)
        ck_assert_int_eq(schedule_inform(s, UINT32_MAX, "x", at(40)), 0);
    ck_assert_int_eq(schedule_inform(s, 1, "y", at(40)), -E2BIG);
    ck_assert_uint_eq(schedule_deadline(s), at(40).mono + UINT32_MAX * USEC_PER_SEC);
    schedule_free(s);
}
END_TEST

START_TEST(schedule_informs_survive_a_restart) {
    Schedule *s = new_schedule(URL_A, &quiet);
    schedule_boot(s, URL_A, at(0));
    good_session(s, "1 BOOT/0", at(0));
    ck_assert_int_eq(schedule_inform(s, 100, "k", at(0)), 0);
    ck_assert_int_eq(schedule_inform(s, 1000, "l", at(0)), 0);
    /* Off for a while; the other clock begins anew. */
    Moment now = {.mono = 5, .real = at(40).real};
    s = restarted(s, URL_A, &quiet, now);
    good_session(s, "1 BOOT/0", now);
    ck_assert_uint_eq(schedule_deadline(s), now.mono + 60 * USEC_PER_SEC);
    /* Off beyond that. */
    now = (Moment){.mono = 5, .real = at(400).real};
    s = restarted(s, URL_A, &quiet, now);
    good_session(s, "1 BOOT,3 SCHEDULED,M ScheduleInform k/0", now);
    ck_assert_uint_eq(schedule_deadline(s), now.mono + 600 * USEC_PER_SEC);
    /* A clock that went back: never later than the delay that was asked for. */
    now = (Moment){.mono = 5, .real = at(0).real - 86400 * USEC_PER_SEC};
    s = restarted(s, URL_A, &quiet, now);
    good_session(s, "1 BOOT/0", now);
    ck_assert_uint_eq(schedule_deadline(s), now.mono + 1000 * USEC_PER_SEC);
    /* No clock: the delay begins anew, until there is one. */
    schedule_free(s);
    now = (Moment){.mono = 5, .real = 7};
    s = schedule_restored(&quiet, false, now);
    schedule_boot(s, URL_A, now);
    good_session(s, "1 BOOT/0", now);
    ck_assert_uint_eq(schedule_deadline(s), now.mono + 1000 * USEC_PER_SEC);
    now = (Moment){.mono = 100, .real = at(900).real};
    schedule_clock(s, true, now);
    ck_assert_uint_eq(schedule_deadline(s), now.mono + 100 * USEC_PER_SEC);
    /* The clock that came is behind: not later for it than it was without. */
    schedule_free(s);
    now = (Moment){.mono = 5, .real = 7};
    s = schedule_restored(&quiet, false, now);
    schedule_boot(s, URL_A, now);
    good_session(s, "1 BOOT/0", now);
    schedule_clock(s, true, (Moment){.mono = 900 * USEC_PER_SEC, .real = at(0).real});
    ck_assert_uint_eq(schedule_deadline(s), now.mono + 1000 * USEC_PER_SEC);
    now = (Moment){.mono = 100, .real = at(900).real};
    /* One that came while there was no clock is known by it later. */
    schedule_clock(s, false, now);
    ck_assert_int_eq(schedule_inform(s, 50, "m", now), 0);
    pass(&now, 10 * USEC_PER_SEC);
    schedule_clock(s, true, now);
    now = (Moment){.mono = 5, .real = now.real + 15 * USEC_PER_SEC};
    s = restarted(s, URL_A, &quiet, now);
    good_session(s, "1 BOOT/0", now);
    ck_assert_uint_eq(schedule_deadline(s), now.mono + 25 * USEC_PER_SEC);
    schedule_free(s);
}
END_TEST

/* The clock is set while the box runs: a delay is not measured with it, and is found again by the new one. */
START_TEST(a_clock_that_is_set_moves_no_delay) {
    static const int64_t jumps[] = {86400 + 3 * 3600, -2 * 86400, 365 * 86400, 5, -5};
    Moment now = at(0);
    Schedule *s = new_schedule(URL_A, &quiet);
    schedule_boot(s, URL_A, now);
    good_session(s, "1 BOOT/0", now);
    for (size_t i = 0; i < ARRAY_SIZE(jumps); i++) {
        ck_assert_int_eq(schedule_inform(s, 100, "k", now), 0);
        const usec_t due = schedule_deadline(s);
        now.real += (usec_t)(jumps[i] * (int64_t)USEC_PER_SEC);
        schedule_clock(s, true, now);
        ck_assert_uint_eq(schedule_deadline(s), due);
        pass(&now, 30 * USEC_PER_SEC);
        s = restarted(s, URL_A, &quiet, now);
        good_session(s, "1 BOOT/0", now);
        ck_assert_uint_eq(schedule_deadline(s), now.mono + 70 * USEC_PER_SEC);
        pass(&now, 70 * USEC_PER_SEC);
        good_session(s, "3 SCHEDULED,M ScheduleInform k/0", now);
    }
    /* One that drifts a little is not worth writing. */
    ck_assert_int_eq(schedule_inform(s, 100, "k", now), 0);
    const unsigned before = saves;
    now.real += USEC_PER_SEC;
    schedule_clock(s, true, now);
    ck_assert_uint_eq(saves, before);
    schedule_free(s);
}
END_TEST

START_TEST(expectation_44_the_phase_follows_the_clock) {
    static const int64_t jumps[] = {86400 + 3 * 3600 + 17, -2 * 86400 - 61, 365 * 86400 + 1, 100, -100};
    SchedulePolicy policy = quiet;
    policy.periodic_enable = true;
    policy.periodic_interval = 300;
    policy.periodic_time = 100;
    Moment now = at(0);
    Schedule *s = new_schedule(URL_A, &policy);
    schedule_boot(s, URL_A, now);
    good_session(s, "1 BOOT/0", now);
    for (size_t i = 0; i < ARRAY_SIZE(jumps); i++)
        for (int told = 0; told < 2; told++) {
            usec_t last = now.mono;
            now.real += (usec_t)(jumps[i] * (int64_t)USEC_PER_SEC);
            if (told)
                schedule_clock(s, true, now);
            pass(&now, schedule_deadline(s) - now.mono);
            ck_assert(!told || now.real % (300 * USEC_PER_SEC) == 100 * USEC_PER_SEC);
            good_session(s, "2 PERIODIC/0", now);
            ck_assert_uint_le(now.mono - last, 300 * USEC_PER_SEC);
            pass(&now, schedule_deadline(s) - now.mono);
            ck_assert_uint_eq(now.real % (300 * USEC_PER_SEC), 100 * USEC_PER_SEC);
            good_session(s, "2 PERIODIC/0", now);
        }
    schedule_free(s);
}
END_TEST

/* Nobody has told, but it is seen when something else is due. */
START_TEST(expectation_44_a_clock_that_was_set_is_noticed) {
    SchedulePolicy policy = quiet;
    policy.periodic_enable = true;
    policy.periodic_interval = 3600;
    policy.periodic_time = 100;
    Moment now = at(0);
    Schedule *s = new_schedule(URL_A, &policy);
    schedule_boot(s, URL_A, now);
    good_session(s, "1 BOOT/0", now);
    now.real += UINT64_C(86400 + 777) * USEC_PER_SEC;
    schedule_connection_request(s, now);
    good_session(s, "6 CONNECTION REQUEST/0", now);
    pass(&now, schedule_deadline(s) - now.mono);
    ck_assert_uint_eq(now.real % (3600 * USEC_PER_SEC), 100 * USEC_PER_SEC);
    schedule_free(s);
}
END_TEST

/* A fleet that all begins in 1970 does not inform together; with the clock comes the phase. */
START_TEST(expectation_44_no_phase_without_a_clock) {
    SchedulePolicy policy = quiet;
    policy.periodic_enable = true;
    policy.periodic_interval = 1000;
    policy.periodic_time = 0;
    usec_t deadlines[20];
    snprintf(kept_url, sizeof kept_url, "%s", URL_A);
    for (size_t i = 0; i < ARRAY_SIZE(deadlines); i++) {
        Moment now = {.mono = 20 * USEC_PER_SEC, .real = 20 * USEC_PER_SEC};
        seed = i + 1;
        Schedule *s = schedule_restored(&policy, false, now);
        schedule_boot(s, URL_A, now);
        good_session(s, "1 BOOT/0", now);
        deadlines[i] = schedule_deadline(s);
        for (size_t k = 0; k < i; k++)
            ck_assert_uint_ne(deadlines[i], deadlines[k]);
        now.real = UINT64_C(1795417689) * USEC_PER_SEC;
        schedule_clock(s, true, now);
        pass(&now, schedule_deadline(s) - now.mono);
        ck_assert_uint_eq(now.real % (1000 * USEC_PER_SEC), 0);
        schedule_free(s);
    }
}
END_TEST

SUITE("schedule", expectation_44_a_clock_that_was_set_is_noticed, first_contact,
      expectation_35_a_restart_does_not_bootstrap_again, expectation_43_waits_follow_the_table,
      expectation_43_a_fleet_does_not_retry_in_step, extreme_parameters_stay_sane,
      retry_after_is_honoured_when_longer, a_session_that_fails_late_is_repeated_without_events,
      a_new_event_ends_the_wait, expectation_35_a_new_url_bootstraps_alone_and_at_once, the_way_of_a_new_box,
      a_url_that_changes_before_the_first_session, what_happens_during_a_session_comes_after_it,
      expectation_44_periodic_keeps_its_phase, a_time_in_the_future_is_a_phase_too,
      without_a_time_each_box_has_its_own_phase, a_value_change_is_told_at_once,
      active_notification_is_throttled, now_by_hand, passive_notification_goes_with_the_next_session,
      schedule_informs_come_in_time, schedule_informs_survive_a_restart, a_clock_that_is_set_moves_no_delay,
      expectation_44_the_phase_follows_the_clock, expectation_44_no_phase_without_a_clock)
