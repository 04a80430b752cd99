/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The registration of clauses 5.1.2.2 and 5.1.3: scripts of events on a fake clock. test-ways.c has the other
 * clauses, test-closure.c what must always hold. */
#include "procedure-script.h"

#define URL "http://hems.example:7547/"

/* Up to the session with the HeMS. */
static void to_session(void) {
    start(URL);
    ck_assert_str_eq(expect_action(ACTION_RESOLVE).name, "segw.example");
    resolved(1);
    expect_action(ACTION_TUNNEL);
    tunnel_up(AF_INET);
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_SESSION);
}

static void to_registered(void) {
    setup("segw.example", "hems.example");
    to_session();
    event(EVENT_SESSION_ACCEPTED);
    with_mme(EVENT_SESSION_ANSWERED, mmes("10.0.0.20", NULL));
    expect_state(AGENT_REGISTERED, STEP_REGISTERED);
}

START_TEST(way_of_5_1_2_2_by_names) {
    setup("segw.example", "hems.example");
    expect_state(AGENT_IDLE, STEP_IDLE);
    event(EVENT_START);
    expect_hems(URL);
    expect_state(AGENT_WAITING_NETWORK, STEP_NETWORK);
    expect_nothing();
    event(EVENT_NETWORK_UP);
    ProcedureAction a = expect_action(ACTION_RESOLVE);
    ck_assert_int_eq(a.side, RESOLVER_PUBLIC);
    ck_assert_str_eq(a.name, "segw.example");
    expect_state(AGENT_DISCOVERING, STEP_SEGW_DNS);
    resolved(2);
    a = expect_action(ACTION_TUNNEL);
    ck_assert_str_eq(ADDRESS_STR(&a.address), "203.0.113.1");
    tunnel_up(AF_INET);
    a = expect_action(ACTION_RESOLVE);
    ck_assert_int_eq(a.side, RESOLVER_PRIVATE);
    ck_assert_str_eq(a.name, "hems.example");
    resolved(1);
    a = expect_action(ACTION_SESSION);
    ck_assert_str_eq(a.name, "http://hems.example:7547/");
    expect_state(AGENT_REGISTERING, STEP_INFORM);
    event(EVENT_SESSION_ACCEPTED);
    expect_state(AGENT_REGISTERING, STEP_MME);
    with_mme(EVENT_SESSION_ANSWERED, mmes("mme.example", "10.0.0.21"));
    a = expect_action(ACTION_RESOLVE);
    ck_assert_int_eq(a.side, RESOLVER_PRIVATE);
    ck_assert_str_eq(a.name, "mme.example");
    expect_state(AGENT_REGISTERING, STEP_MME_DNS);
    resolved(2);
    expect_state(AGENT_REGISTERED, STEP_REGISTERED);
    ck_assert_uint_eq(procedure_view(p).s1->mme.n, 2);
    ck_assert_uint_eq(procedure_view(p).s1->mme.items[0].addresses.n, 2);
    with_mme(EVENT_SESSION_ENDED, mmes("mme.example", "10.0.0.21"));
    expect_nothing();
    expect_state(AGENT_REGISTERED, STEP_REGISTERED);
}
END_TEST

START_TEST(addresses_skip_every_question) {
    setup("203.0.113.1", "10.0.0.10");
    start("http://10.0.0.10:7547/");
    expect_action(ACTION_TUNNEL);
    tunnel_up(AF_INET);
    expect_action(ACTION_SESSION);
}
END_TEST

START_TEST(clock_before_the_build_is_waited_for) {
    setup("203.0.113.1", "10.0.0.10");
    now.real = 0;
    start("http://10.0.0.10:7547/");
    expect_state(AGENT_WAITING_NETWORK, STEP_CLOCK);
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(procedure_deadline(p), now.mono + PROCEDURE_CLOCK_POLL);
        now.mono = procedure_deadline(p);
        procedure_tick(p, now);
        expect_nothing();
    }
    now.mono = procedure_deadline(p);
    now.real = BUILD_DAY;
    procedure_tick(p, now);
    expect_action(ACTION_TUNNEL);
}
END_TEST

START_TEST(each_address_of_the_segw_is_tried) {
    setup("segw.example", "hems.example");
    start(URL);
    expect_action(ACTION_RESOLVE);
    resolved(2);
    expect_action(ACTION_TUNNEL);
    failure(EVENT_TUNNEL_DOWN, "silent");
    expect_address(ACTION_TUNNEL, "203.0.113.2");
    failure(EVENT_TUNNEL_DOWN, "silent too");
    expect_state(AGENT_RETRYING, STEP_WAIT);
    ck_assert_str_eq(procedure_view(p).last_error, "silent too");
    ck_assert_str_eq(procedure_view(p).clause, "5.1.2.2 step 3");
    tick();
    expect_action(ACTION_RESOLVE); /* asked again, not remembered */
}
END_TEST

START_TEST(reconnect_begins_anew) {
    setup("segw.example", "10.0.0.10");
    event(EVENT_RECONNECT); /* before the start there is nothing to do again */
    expect_nothing();
    start("http://10.0.0.10:7547/");
    expect_action(ACTION_RESOLVE);
    failure(EVENT_RESOLVED, "NXDOMAIN");
    event(EVENT_RECONNECT); /* ends a wait */
    expect_next(ACTION_CLOSE);
    expect_action(ACTION_RESOLVE);
    resolved(2);
    expect_action(ACTION_TUNNEL);
    tunnel_up(AF_INET);
    expect_action(ACTION_SESSION);
    event(EVENT_SESSION_ACCEPTED);
    with_mme(EVENT_SESSION_ENDED, mmes("10.0.0.21", NULL));
    expect_state(AGENT_REGISTERED, STEP_REGISTERED);
    event(EVENT_RECONNECT);
    expect_next(ACTION_CLOSE);
    expect_action(ACTION_RESOLVE); /* however long the answer of before would have lived */
    expect_state(AGENT_DISCOVERING, STEP_SEGW_DNS);
    ck_assert_uint_eq(procedure_view(p).s1->mme.n, 0);
    resolved(1);
    expect_action(ACTION_TUNNEL);
    tunnel_up(AF_INET); /* the HeMS's word holds */
    expect_nothing();
    expect_state(AGENT_REGISTERED, STEP_REGISTERED);
}
END_TEST

START_TEST(waits_grow_to_their_limit) {
    setup("segw.example", "hems.example");
    start(URL);
    usec_t least = PROCEDURE_WAIT_FIRST;
    for (int i = 0; i < 12; i++) {
        expect_action(ACTION_RESOLVE);
        failure(EVENT_RESOLVED, "NXDOMAIN");
        expect_state(AGENT_RETRYING, STEP_WAIT);
        usec_t wait = procedure_deadline(p) - now.mono;
        ck_assert_uint_ge(wait, least);
        ck_assert_uint_lt(wait, 2 * least);
        if (i < PROCEDURE_DOUBLINGS)
            least *= 2;
        now.mono = procedure_deadline(p);
        procedure_tick(p, now);
    }
}
END_TEST

START_TEST(private_dns_that_fails_costs_the_tunnel) {
    setup("segw.example", "hems.example");
    start(URL);
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_TUNNEL);
    tunnel_up(AF_INET);
    expect_action(ACTION_RESOLVE);
    failure(EVENT_RESOLVED, "silent");
    expect_action(ACTION_CLOSE);
    expect_state(AGENT_RETRYING, STEP_WAIT);
}
END_TEST

START_TEST(failed_session_waits_for_cwmp) {
    setup("segw.example", "hems.example");
    to_session();
    failure(EVENT_SESSION_ENDED, "HTTP 404");
    expect_state(AGENT_RETRYING, STEP_WAIT_SESSION);
    expect_nothing(); /* the tunnel stays */
    ck_assert(procedure_view(p).waits_for_session);
    session_due();
    expect_action(ACTION_RESOLVE);
    resolved(2);
    expect_action(ACTION_SESSION);
    failure(EVENT_SESSION_UNREACHED, "connection refused");
    expect_address(ACTION_SESSION, "203.0.113.2");
    failure(EVENT_SESSION_UNREACHED, "connection refused");
    expect_action(ACTION_SESSION_MISSED); /* once a round */
    expect_state(AGENT_RETRYING, STEP_WAIT_SESSION);
    session_due();
    expect_action(ACTION_RESOLVE);
    resolved(2);
    expect_action(ACTION_SESSION);
    failure(EVENT_SESSION_ENDED, "HTTP 503"); /* it was heard: not the next address */
    expect_nothing();
    expect_state(AGENT_RETRYING, STEP_WAIT_SESSION);
}
END_TEST

START_TEST(session_that_breaks_before_its_answer_publishes_nothing) {
    setup("segw.example", "hems.example");
    to_session();
    event(EVENT_SESSION_ACCEPTED);
    failure(EVENT_SESSION_ENDED, "connection reset");
    expect_state(AGENT_RETRYING, STEP_WAIT_SESSION);
    /* What was stored is confirmed by the next session that ends well. */
    session_due();
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_SESSION);
    event(EVENT_SESSION_ACCEPTED);
    expect_state(AGENT_REGISTERING, STEP_MME);
    with_mme(EVENT_SESSION_ENDED, mmes("10.0.0.20", NULL));
    expect_state(AGENT_REGISTERED, STEP_REGISTERED);
    ck_assert_str_eq(procedure_view(p).last_error, "");
}
END_TEST

START_TEST(no_mme_is_a_state_of_its_own) {
    setup("segw.example", "hems.example");
    to_session();
    event(EVENT_SESSION_ACCEPTED);
    with_mme(EVENT_SESSION_ENDED, mmes(NULL, NULL));
    expect_state(AGENT_REGISTERED_WITHOUT_MME, STEP_REGISTERED);
    ck_assert_uint_eq(procedure_deadline(p), USEC_NEVER); /* no sessions but CWMP's own */
    session_due();
    expect_action(ACTION_RESOLVE);
    expect_state(AGENT_REGISTERED_WITHOUT_MME, STEP_HEMS_DNS);
    resolved(1);
    expect_action(ACTION_SESSION);
    event(EVENT_SESSION_ACCEPTED);
    with_mme(EVENT_SESSION_ANSWERED, mmes("10.0.0.20", NULL));
    expect_state(AGENT_REGISTERED, STEP_REGISTERED);
}
END_TEST

START_TEST(later_trouble_does_not_take_the_registration_back) {
    to_registered();
    failure(EVENT_SESSION_ENDED, "connection reset");
    expect_state(AGENT_REGISTERED, STEP_REGISTERED);
    ck_assert_str_eq(procedure_view(p).last_error, "connection reset");
    session_due();
    expect_action(ACTION_RESOLVE);
    failure(EVENT_RESOLVED, "private DNS silent");
    expect_action(ACTION_SESSION_MISSED);
    expect_state(AGENT_REGISTERED, STEP_WAIT_SESSION);
    session_due();
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_SESSION);
    failure(EVENT_SESSION_ENDED, "HTTP 503");
    expect_state(AGENT_REGISTERED, STEP_WAIT_SESSION);
}
END_TEST

START_TEST(mode_and_lock_alone_do_not_confirm_old_mmes) {
    setup("segw.example", "hems.example");
    to_session();
    event(EVENT_SESSION_ACCEPTED);
    S1Config s1 = mmes("10.0.0.20", NULL); /* stored before the restart */
    procedure_event(p, now, &(ProcedureEvent){.type = EVENT_SESSION_ANSWERED, .s1 = &s1});
    expect_state(AGENT_REGISTERING, STEP_MME);
    with_mme(EVENT_SESSION_ANSWERED, mmes("10.0.0.21", NULL));
    expect_state(AGENT_REGISTERED, STEP_REGISTERED);
    ck_assert_str_eq(procedure_view(p).s1->mme.items[0].entry, "10.0.0.21");
    /* Registered, a lock goes out at once though the names take their time; an unlock comes with what it was
     * set with. */
    s1 = mmes("mme.example", NULL);
    s1.admin_state = false;
    procedure_event(p, now, &(ProcedureEvent){.type = EVENT_SESSION_ANSWERED, .s1 = &s1});
    expect_action(ACTION_RESOLVE);
    ck_assert(!procedure_view(p).s1->admin_state);
    s1.admin_state = true;
    procedure_event(p, now, &(ProcedureEvent){.type = EVENT_SESSION_ANSWERED, .s1 = &s1});
    expect_action(ACTION_RESOLVE);
    ck_assert(!procedure_view(p).s1->admin_state);
    ck_assert_str_eq(procedure_view(p).s1->mme.items[0].entry, "10.0.0.21");
    resolved(1);
    ck_assert(procedure_view(p).s1->admin_state);
    ck_assert_str_eq(procedure_view(p).s1->mme.items[0].entry, "mme.example");
}
END_TEST

/* A later SetParameterValues of the same session says the lock's last word, whatever the MMEs' names do
 * meanwhile. */
START_TEST(the_lock_after_the_list_is_not_lost) {
    setup("segw.example", "hems.example");
    to_session();
    event(EVENT_SESSION_ACCEPTED);
    S1Config s1 = mmes("mme.example", NULL);
    s1.admin_state = false;
    with_mme(EVENT_SESSION_ANSWERED, s1);
    expect_action(ACTION_RESOLVE);
    failure(EVENT_RESOLVED, "silent");
    expect_state(AGENT_RETRYING, STEP_WAIT_MME);
    s1.admin_state = true;
    procedure_event(p, now, &(ProcedureEvent){.type = EVENT_SESSION_ANSWERED, .s1 = &s1});
    expect_action(ACTION_RESOLVE);
    with_mme(EVENT_SESSION_ENDED, s1);
    resolved(1);
    expect_state(AGENT_REGISTERED, STEP_REGISTERED);
    ck_assert(procedure_view(p).s1->admin_state);
}
END_TEST

START_TEST(a_name_that_was_open_is_asked_for_in_the_next_tunnel) {
    setup("segw.example", "hems.example");
    to_session();
    event(EVENT_SESSION_ACCEPTED);
    with_mme(EVENT_SESSION_ANSWERED, mmes("mme.example", NULL));
    expect_action(ACTION_RESOLVE);
    failure(EVENT_RESOLVED, "silent");
    with_mme(EVENT_SESSION_ENDED, mmes("mme.example", NULL));
    failure(EVENT_TUNNEL_DOWN, "the SeGW restarts");
    tick();
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_TUNNEL);
    tunnel_up(AF_INET);
    ck_assert_str_eq(expect_action(ACTION_RESOLVE).name, "mme.example");
}
END_TEST

START_TEST(a_published_mme_stays_when_its_name_fails_later) {
    setup("segw.example", "hems.example");
    to_session();
    event(EVENT_SESSION_ACCEPTED);
    with_mme(EVENT_SESSION_ANSWERED, mmes("mme.example", "10.0.0.21"));
    expect_action(ACTION_RESOLVE);
    resolved(1);
    with_mme(EVENT_SESSION_ENDED, mmes("mme.example", "10.0.0.21"));
    session_due();
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_SESSION);
    event(EVENT_SESSION_ACCEPTED);
    with_mme(EVENT_SESSION_ENDED, mmes("mme.example", "10.0.0.21"));
    expect_action(ACTION_RESOLVE);
    failure(EVENT_RESOLVED, "silent");
    expect_state(AGENT_REGISTERED, STEP_REGISTERED);
    ck_assert_uint_eq(procedure_view(p).s1->mme.n, 2);
}
END_TEST

START_TEST(a_literal_of_the_other_family_is_not_published_again) {
    to_registered();
    failure(EVENT_TUNNEL_DOWN, "gone");
    tick();
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_TUNNEL);
    tunnel_up(AF_INET6);
    ck_assert_str_eq(expect_action(ACTION_RESOLVE).name, "10.0.0.20"); /* which the private side refuses */
}
END_TEST

START_TEST(a_tunnel_in_which_nobody_answers_is_built_anew) {
    to_registered();
    with_mme(EVENT_SESSION_ENDED, mmes("10.0.0.20", NULL));
    for (unsigned round = 1; round <= PROCEDURE_SILENT_ROUNDS; round++) {
        session_due();
        expect_action(ACTION_RESOLVE);
        procedure_event(p, now,
                        &(ProcedureEvent){.type = EVENT_RESOLVED, .text = "no answer", .silent = true});
        expect_action(round < PROCEDURE_SILENT_ROUNDS ? ACTION_SESSION_MISSED : ACTION_CLOSE);
    }
    expect_state(AGENT_RETRYING, STEP_WAIT);
}
END_TEST

START_TEST(tunnel_that_comes_back_carries_on) {
    to_registered();
    with_mme(EVENT_SESSION_ENDED, mmes("10.0.0.20", NULL));
    with_mme(EVENT_SESSION_ANSWERED, mmes("mme.example", NULL)); /* of a session that is over: nothing */
    expect_nothing();
    failure(EVENT_TUNNEL_DOWN, "liveness");
    tick();
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_TUNNEL);
    tunnel_up(AF_INET);
    expect_nothing(); /* no session without an event */
    expect_state(AGENT_REGISTERED, STEP_REGISTERED);
    ck_assert(procedure_view(p).waits_for_session);
}
END_TEST

START_TEST(tunnel_that_comes_back_keeps_the_retry_wait) {
    setup("segw.example", "hems.example");
    to_session();
    failure(EVENT_SESSION_ENDED, "HTTP 503");
    failure(EVENT_TUNNEL_DOWN, "deleted");
    tick();
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_TUNNEL);
    tunnel_up(AF_INET);
    expect_nothing();
    expect_state(AGENT_RETRYING, STEP_WAIT_SESSION);
}
END_TEST

START_TEST(new_mme_replaces_the_old_without_a_gap) {
    to_registered();
    with_mme(EVENT_SESSION_ANSWERED, mmes("mme2.example", NULL));
    expect_action(ACTION_RESOLVE);
    expect_state(AGENT_REGISTERED, STEP_MME_DNS);
    ck_assert_str_eq(procedure_view(p).s1->mme.items[0].entry, "10.0.0.20");
    resolved(1);
    ck_assert_str_eq(procedure_view(p).s1->mme.items[0].entry, "mme2.example");
    /* And an emptied list takes it away. */
    with_mme(EVENT_SESSION_ANSWERED, mmes(NULL, NULL));
    expect_state(AGENT_REGISTERED_WITHOUT_MME, STEP_REGISTERED);
}
END_TEST

START_TEST(names_of_mmes_that_fail) {
    setup("segw.example", "hems.example");
    to_session();
    event(EVENT_SESSION_ACCEPTED);
    with_mme(EVENT_SESSION_ANSWERED, mmes("a.example", "b.example"));
    expect_action(ACTION_RESOLVE);
    failure(EVENT_RESOLVED, "a.example: NXDOMAIN");
    ck_assert_str_eq(expect_action(ACTION_RESOLVE).name, "b.example");
    resolved(1);
    expect_state(AGENT_REGISTERED, STEP_REGISTERED);
    ck_assert_uint_eq(procedure_view(p).s1->mme.n, 1);
    ck_assert_str_eq(procedure_view(p).last_error, "a.example: NXDOMAIN");
    /* The open one is asked for again, with growing waits. */
    for (usec_t least = PROCEDURE_WAIT_FIRST; least < 4 * PROCEDURE_WAIT_FIRST; least *= 2) {
        ck_assert_uint_ge(procedure_deadline(p) - now.mono, least);
        ck_assert_uint_lt(procedure_deadline(p) - now.mono, 2 * least);
        now.mono = procedure_deadline(p);
        procedure_tick(p, now);
        ck_assert_str_eq(expect_action(ACTION_RESOLVE).name, "a.example");
        failure(EVENT_RESOLVED, "a.example: NXDOMAIN");
        expect_state(AGENT_REGISTERED, STEP_REGISTERED);
    }
    tick();
    expect_action(ACTION_RESOLVE);
    resolved(1);
    ck_assert_uint_eq(procedure_view(p).s1->mme.n, 2);
    ck_assert_uint_gt(procedure_deadline(p), now.mono + HOUR / 2); /* when the answers have grown old */

    setup("segw.example", "hems.example");
    to_session();
    event(EVENT_SESSION_ACCEPTED);
    with_mme(EVENT_SESSION_ANSWERED, mmes("a.example", NULL));
    expect_action(ACTION_RESOLVE);
    failure(EVENT_RESOLVED, "a.example: NXDOMAIN");
    expect_state(AGENT_RETRYING, STEP_WAIT_MME);
    tick();
    ck_assert_str_eq(expect_action(ACTION_RESOLVE).name, "a.example");
    resolved(1);
    expect_state(AGENT_REGISTERED, STEP_REGISTERED);
}
END_TEST

START_TEST(lost_tunnel_takes_the_mme_and_starts_over) {
    to_registered();
    failure(EVENT_TUNNEL_DOWN, "the gateway deleted the IKE SA");
    expect_state(AGENT_RETRYING, STEP_WAIT);
    expect_nothing();
    session_due(); /* not without a tunnel */
    expect_nothing();
    tick();
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_TUNNEL);
}
END_TEST

START_TEST(network_that_goes_and_comes) {
    setup("segw.example", "hems.example");
    start(URL);
    expect_action(ACTION_RESOLVE);
    event(EVENT_NETWORK_DOWN);
    expect_state(AGENT_WAITING_NETWORK, STEP_NETWORK);
    resolved(1); /* a late answer changes nothing */
    expect_nothing();
    event(EVENT_NETWORK_UP);
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_TUNNEL);
    event(EVENT_NETWORK_DOWN);
    expect_action(ACTION_CLOSE);
    expect_state(AGENT_WAITING_NETWORK, STEP_NETWORK);
}
END_TEST

SUITE("procedure", way_of_5_1_2_2_by_names, addresses_skip_every_question,
      clock_before_the_build_is_waited_for, each_address_of_the_segw_is_tried, reconnect_begins_anew, waits_grow_to_their_limit,
      private_dns_that_fails_costs_the_tunnel, failed_session_waits_for_cwmp,
      session_that_breaks_before_its_answer_publishes_nothing, no_mme_is_a_state_of_its_own,
      later_trouble_does_not_take_the_registration_back, new_mme_replaces_the_old_without_a_gap,
      mode_and_lock_alone_do_not_confirm_old_mmes, the_lock_after_the_list_is_not_lost,
      a_name_that_was_open_is_asked_for_in_the_next_tunnel, a_published_mme_stays_when_its_name_fails_later,
      a_literal_of_the_other_family_is_not_published_again, a_tunnel_in_which_nobody_answers_is_built_anew,
      tunnel_that_comes_back_carries_on, tunnel_that_comes_back_keeps_the_retry_wait, names_of_mmes_that_fail,
      lost_tunnel_takes_the_mme_and_starts_over, network_that_goes_and_comes)
