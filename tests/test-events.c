/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which events a session carries, which outlive a failure, a power cut, another HeMS, and a store that cannot
 * be written. test-schedule.c has when. */
#include "schedule-world.h"

/* What a session takes up: everything that happened, in the order of the codes, once each. */
START_TEST(events_accumulate_in_the_order_of_their_codes) {
    SchedulePolicy policy = quiet;
    policy.periodic_enable = true;
    policy.periodic_interval = 10;
    Schedule *s = new_schedule(URL_A, &policy);
    schedule_boot(s, URL_A, at(0));
    ck_assert_int_eq(schedule_raise(s, EVENT_M_UPLOAD, "u", at(0)), 0);
    ck_assert_int_eq(schedule_raise(s, EVENT_M_DOWNLOAD, "2", at(0)), 0);
    ck_assert_int_eq(schedule_raise(s, EVENT_M_DOWNLOAD, "1", at(0)), 0);
    ck_assert_int_eq(schedule_raise(s, EVENT_M_DOWNLOAD, "2", at(0)), 0); /* the same */
    ck_assert_int_eq(schedule_raise(s, EVENT_M_SCHEDULE_DOWNLOAD, "", at(0)), 0);
    ck_assert_int_eq(schedule_raise(s, EVENT_AUTONOMOUS_TRANSFER, "", at(0)), 0);
    ck_assert_int_eq(schedule_raise(s, EVENT_AUTONOMOUS_TRANSFER, "", at(0)), 0);
    ck_assert_int_eq(schedule_raise(s, EVENT_DIAGNOSTICS_COMPLETE, "", at(0)), 0);
    ck_assert_int_eq(schedule_raise(s, EVENT_REQUEST_DOWNLOAD, "", at(0)), 0);
    schedule_connection_request(s, at(0));
    schedule_connection_request(s, at(0));
    schedule_value_changed(s, false, at(0));
    ck_assert_int_eq(schedule_inform(s, 5, "si", at(0)), 0);
    good_session(s,
                 "1 BOOT,2 PERIODIC,3 SCHEDULED,4 VALUE CHANGE,6 CONNECTION REQUEST,7 TRANSFER COMPLETE,8 "
                 "DIAGNOSTICS COMPLETE,9 REQUEST DOWNLOAD,10 AUTONOMOUS TRANSFER COMPLETE,M ScheduleInform "
                 "si,M Download 2,M Download 1,M ScheduleDownload ,M Upload u/0",
                 at(20));
    ck_assert_str_eq(kept_keys(), "");
    ck_assert(!schedule_due(s, at(20)));
    schedule_free(s);
}
END_TEST

/* What 3.7.1.5 says of each: which survive a power cut, and which a failure. */
START_TEST(expectation_35_undelivered_events_survive_power_loss) {
    Schedule *s = new_schedule(URL_A, &quiet);
    schedule_boot(s, URL_A, at(0));
    good_session(s, "1 BOOT/0", at(0));
    ck_assert_int_eq(schedule_raise(s, EVENT_M_DOWNLOAD, "it's one", at(1)), 0);
    ck_assert_int_eq(schedule_raise(s, EVENT_AUTONOMOUS_TRANSFER, "", at(1)), 0);
    ck_assert_int_eq(schedule_raise(s, EVENT_DIAGNOSTICS_COMPLETE, "", at(1)), 0);
    ck_assert_int_eq(schedule_raise(s, EVENT_REQUEST_DOWNLOAD, "", at(1)), 0);
    schedule_value_changed(s, true, at(1));
    schedule_connection_request(s, at(1));
    ck_assert(schedule_due(s, at(1)));
    ck_assert_str_eq(
        start_session(s),
        "4 VALUE CHANGE,6 CONNECTION REQUEST,7 TRANSFER COMPLETE,8 DIAGNOSTICS COMPLETE,9 REQUEST "
        "DOWNLOAD,10 AUTONOMOUS TRANSFER COMPLETE,M Download it's one/0");
    /* A session that broke off took nothing, and 6 is not tried again. */
    schedule_session_failed(s, 0, at(2));
    ck_assert(schedule_due(s, at(12)));
    ck_assert_str_eq(start_session(s),
                     "4 VALUE CHANGE,7 TRANSFER COMPLETE,8 DIAGNOSTICS COMPLETE,9 REQUEST DOWNLOAD,10 "
                     "AUTONOMOUS TRANSFER COMPLETE,M Download it's one/1");
    /* Power lost before the InformResponse. */
    s = restarted(s, URL_A, &quiet, at(20));
    ck_assert(schedule_due(s, at(20)));
    ck_assert_str_eq(start_session(s),
                     "1 BOOT,7 TRANSFER COMPLETE,10 AUTONOMOUS TRANSFER COMPLETE,M Download it's one/0");
    ck_assert_int_eq(schedule_delivered(s), 0);
    ck_assert_str_eq(kept_keys(), "");
    /* Power lost after it. */
    s = restarted(s, URL_A, &quiet, at(30));
    good_session(s, "1 BOOT/0", at(30));
    schedule_free(s);
}
END_TEST

START_TEST(expectation_35_a_bootstrap_drops_what_was_not_delivered) {
    ScheduleStart start;
    Schedule *s = new_schedule(URL_A, &quiet);
    schedule_boot(s, URL_A, at(0));
    ck_assert_int_eq(schedule_raise(s, EVENT_M_DOWNLOAD, "d", at(0)), 0);
    ck_assert_int_eq(schedule_inform(s, 100, "si", at(0)), 0);
    ck_assert(schedule_due(s, at(0)));
    schedule_session_started(s, &start);
    ck_assert(!start.forget);
    ck_assert_str_eq(start_text(&start), "1 BOOT,7 TRANSFER COMPLETE,M Download d/0");
    schedule_session_failed(s, 0, at(1));
    ck_assert_int_eq(schedule_reboot(s, "r"), 0);
    schedule_url_changed(s, URL_B, at(2));
    schedule_session_started(s, &start);
    ck_assert(start.forget);
    ck_assert_str_eq(start_text(&start), "0 BOOTSTRAP/0");
    ck_assert_str_eq(kept_keys(), "");
    /* What happens from then on is the new one's. */
    ck_assert_int_eq(schedule_raise(s, EVENT_M_DOWNLOAD, "e", at(3)), 0);
    schedule_session_failed(s, 0, at(3));
    ck_assert(schedule_due(s, at(13)));
    schedule_session_started(s, &start);
    ck_assert(!start.forget);
    ck_assert_str_eq(start_text(&start), "0 BOOTSTRAP,7 TRANSFER COMPLETE,M Download e/1");
    ck_assert_int_eq(schedule_delivered(s), 0);
    schedule_session_ended(s, at(14));
    ck_assert(!schedule_due(s, at(1000)));
    schedule_free(s);
}
END_TEST

/* The URL changes before the InformResponse: that is the old one's acceptance, not the new one's. */
START_TEST(expectation_50_the_old_hems_does_not_answer_for_the_new_one) {
    Schedule *s = new_schedule("", &quiet);
    schedule_boot(s, URL_A, at(0));
    ck_assert_int_eq(schedule_raise(s, EVENT_M_DOWNLOAD, "d", at(0)), 0);
    ck_assert(schedule_due(s, at(0)));
    ck_assert_str_eq(start_session(s), "0 BOOTSTRAP,1 BOOT/0");
    ck_assert(schedule_url_changed(s, URL_B, at(1)));
    ck_assert_int_eq(schedule_delivered(s), 0);
    ck_assert_str_eq(kept_url, "");
    schedule_session_ended(s, at(2));
    good_session(s, "0 BOOTSTRAP/0", at(2));
    ck_assert_str_eq(kept_url, URL_B);
    schedule_free(s);
}
END_TEST

/* The box tries another HeMS at a start, is not heard, and returns: nobody was told 0 BOOTSTRAP, so nothing
 * is dropped. */
START_TEST(expectation_35_a_hems_that_was_not_tried_drops_nothing) {
    Schedule *s = new_schedule(URL_A, &quiet);
    schedule_boot(s, URL_A, at(0));
    good_session(s, "1 BOOT/0", at(0));
    ck_assert_int_eq(schedule_raise(s, EVENT_M_DOWNLOAD, "d", at(1)), 0);
    s = restarted(s, URL_A, &quiet, at(2));
    schedule_url_changed(s, URL_B, at(3));
    schedule_url_changed(s, URL_A, at(4));
    good_session(s, "1 BOOT,7 TRANSFER COMPLETE,M Download d/0", at(4));
    schedule_free(s);
}
END_TEST

/* What cannot be saved has not happened, and is not sent. */
START_TEST(an_event_counts_once_it_is_saved) {
    Schedule *s = new_schedule(URL_A, &quiet);
    schedule_boot(s, URL_A, at(0));
    good_session(s, "1 BOOT/0", at(0));
    save_error = -ENOSPC;
    ck_assert_int_eq(schedule_raise(s, EVENT_M_DOWNLOAD, "d", at(1)), -ENOSPC);
    ck_assert_int_eq(schedule_inform(s, 10, "si", at(1)), -ENOSPC);
    ck_assert_int_eq(schedule_reboot(s, "r"), -ENOSPC);
    ck_assert_int_eq(schedule_raise(s, EVENT_REQUEST_DOWNLOAD, "", at(1)), 0); /* is not kept at all */
    good_session(s, "9 REQUEST DOWNLOAD/0", at(1));
    ck_assert_uint_eq(schedule_deadline(s), USEC_NEVER);
    save_error = 0;
    s = restarted(s, URL_A, &quiet, at(2));
    good_session(s, "1 BOOT/0", at(2));
    /* Delivered, and that cannot be saved: not again, but for a restart; and it is saved when that can be. */
    ck_assert_int_eq(schedule_raise(s, EVENT_M_DOWNLOAD, "d", at(3)), 0);
    ck_assert(schedule_due(s, at(3)));
    ck_assert_str_eq(start_session(s), "7 TRANSFER COMPLETE,M Download d/0");
    save_error = -EROFS;
    ck_assert_int_eq(schedule_delivered(s), -EROFS);
    schedule_session_ended(s, at(4));
    ck_assert(!schedule_due(s, at(1000)));
    save_error = 0;
    ck_assert_ptr_nonnull(strstr(kept_keys(), "M Download d"));
    ck_assert_int_eq(schedule_raise(s, EVENT_M_UPLOAD, "u", at(1001)), 0);
    ck_assert_str_eq(kept_keys(), "M Upload u");
    schedule_free(s);
}
END_TEST

/* cwmp-1-0.xsd: 64 in an Inform; each part has the event that goes with it. */
START_TEST(more_events_than_an_inform_takes) {
    static ScheduleStart start;
    char key[16];
    size_t n = 0;
    Schedule *s = new_schedule(URL_A, &quiet);
    schedule_boot(s, URL_A, at(0));
    good_session(s, "1 BOOT/0", at(0));
    for (unsigned i = 0;; i++, n++) {
        snprintf(key, sizeof key, "%03u", i);
        int r = schedule_raise(s, i % 2 ? EVENT_M_DOWNLOAD : EVENT_M_UPLOAD, key, at(1));
        if (r == -E2BIG)
            break;
        ck_assert_int_eq(r, 0);
    }
    ck_assert_uint_ge(n, 128);
    /* The single ones find room all the same. */
    ck_assert_int_eq(schedule_raise(s, EVENT_AUTONOMOUS_TRANSFER, "", at(1)), 0);
    ck_assert_int_eq(schedule_inform(s, 1, "si", at(1)), 0);
    schedule_connection_request(s, at(1));
    for (size_t sent = 0, session = 0; sent < n; session++) {
        ck_assert(schedule_due(s, at(1.5)));
        schedule_session_started(s, &start);
        ck_assert_uint_le(start.n_events, 64);
        ck_assert(start.n_events == 64 || session == 2);
        size_t multiple = 0, companions = 0;
        for (size_t i = 0; i < start.n_events; i++) {
            multiple += start.events[i].type > EVENT_M_REBOOT;
            companions += start.events[i].type == EVENT_TRANSFER_COMPLETE;
            ck_assert(i == 0 || start.events[i].type >= start.events[i - 1].type);
        }
        ck_assert_uint_eq(companions, 1);
        sent += multiple;
        ck_assert_int_eq(schedule_delivered(s), 0);
        schedule_session_ended(s, at(1.5));
    }
    ck_assert_str_eq(kept_keys(), "ScheduleInform 0");
    good_session(s, "3 SCHEDULED,M ScheduleInform si/0", at(200));
    schedule_free(s);
}
END_TEST

START_TEST(command_keys_of_any_kind) {
    static const char *const keys[] = {
        "", " ", "it's", "\"<&>", "M Download", "\xc3\xa9\xc3\xa9", "0123456789abcdef0123456789abcdef"};
    char expected[512] = "1 BOOT,7 TRANSFER COMPLETE", longest[EVENT_KEY_BYTES + 1] = "";
    Schedule *s = new_schedule(URL_A, &quiet);
    schedule_boot(s, URL_A, at(0));
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        ck_assert_int_eq(schedule_raise(s, EVENT_M_DOWNLOAD, keys[i], at(0)), 0);
        sprintf(expected + strlen(expected), ",M Download %s", keys[i]);
    }
    memset(longest, 'k', EVENT_KEY_BYTES);
    ck_assert_int_eq(schedule_raise(s, EVENT_M_DOWNLOAD, longest, at(0)), -E2BIG);
    ck_assert_int_eq(schedule_inform(s, 1, longest, at(0)), -E2BIG);
    longest[EVENT_KEY_BYTES - 1] = 0;
    ck_assert_int_eq(schedule_inform(s, 1, longest, at(0)), 0);
    strcat(expected, "/0");
    s = restarted(s, URL_A, &quiet, at(0));
    good_session(s, expected, at(0));
    s = restarted(s, URL_A, &quiet, at(0));
    ck_assert(schedule_due(s, at(1)));
    const char *text = start_session(s);
    ck_assert_ptr_nonnull(strstr(text, longest));
    schedule_free(s);
}
END_TEST

/* Of another version, or damaged: ignored, and nothing else suffers. */
START_TEST(records_that_are_none) {
    static const struct {
        const char *key, *value;
    } cases[] = {
        {"", ""},
        {"M Download", ""},
        {"M Downloa x", ""},
        {"1 BOOT", ""},
        {"6 CONNECTION REQUEST", ""},
        {"3 SCHEDULED ", ""},
        {"11 DU STATE CHANGE COMPLETE", ""},
        {"ScheduleInform ", "0 5 k"},
        {"ScheduleInform x", "0 5 k"},
        {"ScheduleInform 32", "0 5 k"},
        {"ScheduleInform 0x", "0 5 k"},
        {"ScheduleInform 0", ""},
        {"ScheduleInform 0", "0 5"},
        {"ScheduleInform 0", "99999999999999999 5 k"},
        {"ScheduleInform 0", "x 5 k"},
    };
    char longest[EVENT_KEY_BYTES + 16] = "M Download ";
    Schedule *s = new_schedule(URL_A, &quiet);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        ck_assert_int_eq(schedule_load(s, cases[i].key, cases[i].value, at(0)), -EINVAL);
    memset(longest + 11, 'k', EVENT_KEY_BYTES);
    ck_assert_int_eq(schedule_load(s, longest, "", at(0)), -EINVAL);
    ck_assert_int_eq(schedule_load(s, "ScheduleInform 0", "0 5 ", at(0)), 0);
    ck_assert_int_eq(schedule_load(s, "ScheduleInform 0", "0 5 ", at(0)), -EINVAL); /* twice */
    strcpy(kept[n_kept++].key, "ScheduleInform 0");
    schedule_boot(s, URL_A, at(0));
    good_session(s, "1 BOOT/0", at(0));
    good_session(s, "3 SCHEDULED,M ScheduleInform /0", at(5));
    schedule_free(s);
}
END_TEST

START_TEST(a_reboot_on_request) {
    Schedule *s = new_schedule(URL_A, &quiet);
    schedule_boot(s, URL_A, at(0));
    good_session(s, "1 BOOT/0", at(0));
    ck_assert_int_eq(schedule_reboot(s, "now"), 0);
    ck_assert(!schedule_due(s, at(1))); /* not before it has happened */
    schedule_connection_request(s, at(1));
    good_session(s, "6 CONNECTION REQUEST/0", at(1));
    s = restarted(s, URL_A, &quiet, at(2));
    good_session(s, "1 BOOT,M Reboot now/0", at(2));
    ck_assert_str_eq(kept_keys(), "");
    /* It does not come to it. */
    ck_assert_int_eq(schedule_reboot(s, "never"), 0);
    schedule_reboot_refused(s);
    ck_assert_str_eq(kept_keys(), "");
    s = restarted(s, URL_A, &quiet, at(3));
    good_session(s, "1 BOOT/0", at(3));
    schedule_free(s);
}
END_TEST

/* TransferComplete was not answered though its event was delivered: each session that calls it says so. */
START_TEST(a_transfer_that_is_told_again) {
    Schedule *s = new_schedule(URL_A, &quiet);
    schedule_boot(s, URL_A, at(0));
    ck_assert_int_eq(schedule_raise(s, EVENT_M_DOWNLOAD, "d", at(0)), 0);
    ck_assert(schedule_due(s, at(0)));
    ck_assert_str_eq(start_session(s), "1 BOOT,7 TRANSFER COMPLETE,M Download d/0");
    ck_assert_int_eq(schedule_delivered(s), 0);
    usec_t delay = schedule_session_failed(s, 0, at(1));
    ck_assert_int_eq(schedule_renew(s, EVENT_M_DOWNLOAD, "d"), 0);
    ck_assert_uint_eq(schedule_deadline(s), at(1).mono + delay); /* the wait goes on */
    Moment now = at(1);
    pass(&now, delay);
    good_session(s, "7 TRANSFER COMPLETE,M Download d/1", now);
    schedule_free(s);
}
END_TEST

/* Connection requests --------------------------------------------------------------------------------- */

START_TEST(expectation_40_a_request_during_a_session_is_remembered_once) {
    Schedule *s = new_schedule(URL_A, &quiet);
    schedule_boot(s, URL_A, at(0));
    schedule_connection_request(s, at(0));
    ck_assert(schedule_due(s, at(0)));
    ck_assert_str_eq(start_session(s), "1 BOOT,6 CONNECTION REQUEST/0");
    schedule_connection_request(s, at(1)); /* before the InformResponse, */
    ck_assert_int_eq(schedule_delivered(s), 0);
    schedule_connection_request(s, at(2)); /* and after it */
    schedule_connection_request(s, at(2));
    ck_assert(!schedule_due(s, at(2)));
    schedule_session_ended(s, at(3));
    good_session(s, "6 CONNECTION REQUEST/0", at(3));
    ck_assert(!schedule_due(s, at(1000)));
    ck_assert_uint_eq(schedule_deadline(s), USEC_NEVER);

    /* Also when the session fails in which it came. */
    schedule_connection_request(s, at(1001));
    ck_assert(schedule_due(s, at(1001)));
    ck_assert_str_eq(start_session(s), "6 CONNECTION REQUEST/0");
    schedule_connection_request(s, at(1002));
    ck_assert_uint_eq(schedule_session_failed(s, 0, at(1003)), 0);
    ck_assert(schedule_due(s, at(1003)));
    ck_assert_str_eq(start_session(s), "6 CONNECTION REQUEST/1");
    ck_assert_uint_ge(schedule_session_failed(s, 0, at(1004)), 10 * USEC_PER_SEC);
    ck_assert(schedule_due(s, at(1024)));
    ck_assert_str_eq(start_session(s), "/2");
    schedule_free(s);
}
END_TEST

START_TEST(expectation_43_a_request_ends_the_wait_and_leaves_the_count) {
    Schedule *s = new_schedule(URL_A, &quiet);
    schedule_boot(s, URL_A, at(0));
    for (unsigned i = 0; i < 7; i++) {
        (void)start_session(s);
        schedule_session_failed(s, 0, at(0));
    }
    ck_assert(!schedule_due(s, at(100)));
    schedule_connection_request(s, at(100));
    ck_assert_uint_eq(schedule_deadline(s), at(100).mono);
    ck_assert(schedule_due(s, at(100)));
    ck_assert_str_eq(start_session(s), "1 BOOT,6 CONNECTION REQUEST/7");
    ck_assert_uint_ge(schedule_session_failed(s, 0, at(101)), 640 * USEC_PER_SEC);
    /* A new event does too. */
    ck_assert_int_eq(schedule_raise(s, EVENT_M_UPLOAD, "u", at(102)), 0);
    ck_assert(schedule_due(s, at(102)));
    ck_assert_str_eq(start_session(s), "1 BOOT,7 TRANSFER COMPLETE,M Upload u/8");
    ck_assert_uint_ge(schedule_session_failed(s, 0, at(103)), 1280 * USEC_PER_SEC);
    ck_assert_int_eq(schedule_raise(s, EVENT_M_UPLOAD, "u", at(104)), 0); /* waits already: none */
    ck_assert(!schedule_due(s, at(104)));
    schedule_free(s);
}
END_TEST

/* Nothing can be reached, for a week, and there may be no HeMS at all. */
START_TEST(expectation_46_events_wait_for_a_hems) {
    Moment now = at(0);
    Schedule *s = new_schedule("", &quiet);
    schedule_boot(s, "", now);
    ck_assert_int_eq(schedule_raise(s, EVENT_AUTONOMOUS_TRANSFER, "", now), 0);
    ck_assert(!schedule_due(s, now));
    ck_assert_uint_eq(schedule_deadline(s), USEC_NEVER);
    schedule_url_changed(s, URL_A, now);
    ck_assert(schedule_due(s, now));
    ck_assert_str_eq(start_session(s), "0 BOOTSTRAP,1 BOOT/0");
    schedule_session_failed(s, 0, now);
    unsigned tries = 1;
    for (const usec_t end = now.mono + UINT64_C(7) * 86400 * USEC_PER_SEC; now.mono < end; tries++) {
        pass(&now, schedule_deadline(s) - now.mono);
        ck_assert(schedule_due(s, now));
        (void)start_session(s);
        schedule_session_failed(s, 0, now);
    }
    ck_assert_uint_ge(tries, 118);
    ck_assert_uint_le(tries, 250);
    pass(&now, schedule_deadline(s) - now.mono);
    ck_assert(schedule_due(s, now));
    ck_assert_int_eq(strncmp(start_session(s), "0 BOOTSTRAP,1 BOOT/", 19), 0);
    schedule_free(s);
}
END_TEST

SUITE("events", events_accumulate_in_the_order_of_their_codes,
      expectation_35_undelivered_events_survive_power_loss,
      expectation_35_a_bootstrap_drops_what_was_not_delivered,
      expectation_50_the_old_hems_does_not_answer_for_the_new_one,
      expectation_35_a_hems_that_was_not_tried_drops_nothing, an_event_counts_once_it_is_saved,
      more_events_than_an_inform_takes, command_keys_of_any_kind, records_that_are_none, a_reboot_on_request,
      a_transfer_that_is_told_again, expectation_40_a_request_during_a_session_is_remembered_once,
      expectation_43_a_request_ends_the_wait_and_leaves_the_count, expectation_46_events_wait_for_a_hems)
