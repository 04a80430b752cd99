/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The other ways of TS 32.593 5.1: through an Initial HeMS (5.1.2.3, 5.1.2.4), back to it when the serving
 * side is dead, from a restart, and out (5.1.4). Scripts of events on a fake clock; test-procedure.c
 * has 5.1.2.2 and 5.1.3. */
#include "files.h"
#include "discovery/far-end.h"
#include "procedure-script.h"

#define INITIAL_URL "http://hems.initial.example:7547/"
#define PUBLIC_URL  "https://hems.initial.example/"
#define SERVING_URL "http://hems.serving.example:7547/"

static Site serving;

static void setup_initial(const char *segw) {
    ProcedureConfig config = config_of(SITE_INITIAL, site(segw, "hems.initial.example"));
    config.sites.fallback_rounds = 3;
    config.sites.fallback_time = HOUR;
    setup_config(&config);
    serving = site("segw.serving.example", "hems.serving.example");
}

static void learn_also(const char *segw) {
    snprintf(serving.segws[serving.n_segws++], sizeof serving.segws[0], "%s", segw);
}

/* 5.1.2.3 steps 1.1 to 2.2. */
static void to_initial_session(void) {
    setup_initial("segw.initial.example");
    start(INITIAL_URL);
    expect_question(RESOLVER_PUBLIC, "segw.initial.example");
    expect_clause("5.1.2.3 steps 1.1-1.2");
    resolved(1);
    expect_tunnel("segw.initial.example");
    expect_clause("5.1.2.3 step 1.3");
    tunnel_up(AF_INET);
    expect_question(RESOLVER_PRIVATE, "hems.initial.example");
    expect_clause("5.1.2.3 steps 1.4-1.5");
    resolved(1);
    expect_session(INITIAL_URL, false);
    expect_clause("5.1.2.3 steps 2.1-2.2");
    expect_state(AGENT_DISCOVERING, STEP_INITIAL_INFORM);
    event(EVENT_SESSION_ACCEPTED);
    expect_state(AGENT_DISCOVERING, STEP_ASSIGNMENT);
}

/* Steps 6.3 to 6.5 and 5.1.3, from the action for the tunnel on. */
static void to_registered(void) {
    tunnel_up(AF_INET);
    expect_question(RESOLVER_PRIVATE, "hems.serving.example");
    resolved(1);
    expect_session(SERVING_URL, false);
    event(EVENT_SESSION_ACCEPTED);
    with_mme(EVENT_SESSION_ANSWERED, mmes("10.0.0.20", NULL));
    expect_state(AGENT_REGISTERED, STEP_REGISTERED);
    ended(&serving, mmes("10.0.0.20", NULL));
    expect_state(AGENT_REGISTERED, STEP_REGISTERED);
    expect_nothing();
}

START_TEST(way_of_5_1_2_3_by_names) {
    to_initial_session();
    /* What the Initial HeMS says of S1 waits for the Serving one. */
    with_mme(EVENT_SESSION_ANSWERED, mmes("10.0.0.20", NULL));
    expect_nothing();
    expect_state(AGENT_DISCOVERING, STEP_ASSIGNMENT);
    ended(&serving, mmes("10.0.0.20", NULL));
    expect_hems(SERVING_URL);
    expect_question(RESOLVER_PRIVATE, "segw.serving.example");
    expect_clause("5.1.2.3 steps 6.1-6.2");
    resolved(1);
    expect_next(ACTION_CLOSE);
    expect_tunnel("segw.serving.example");
    expect_clause("5.1.2.3 step 6.3");
    tunnel_up(AF_INET);
    expect_question(RESOLVER_PRIVATE, "hems.serving.example");
    expect_clause("5.1.2.3 steps 6.4-6.5");
    resolved(1);
    expect_session(SERVING_URL, false);
    expect_state(AGENT_REGISTERING, STEP_INFORM);
    event(EVENT_SESSION_ACCEPTED);
    /* MME from the Initial HeMS only: the Serving one lets it stand. */
    ended(&serving, mmes("10.0.0.20", NULL));
    expect_state(AGENT_REGISTERED, STEP_REGISTERED);
    expect_nothing();
}
END_TEST

START_TEST(way_of_5_1_2_4_by_names) {
    setup_initial(NULL);
    start(PUBLIC_URL);
    expect_question(RESOLVER_PUBLIC, "hems.initial.example");
    expect_clause("5.1.2.4 steps 1.1-1.2");
    resolved(1);
    expect_session(PUBLIC_URL, true);
    expect_clause("5.1.2.4 steps 1.3-2.2");
    event(EVENT_SESSION_ACCEPTED);
    ended(&serving, mmes(NULL, NULL));
    expect_hems(SERVING_URL);
    expect_question(RESOLVER_PUBLIC, "segw.serving.example");
    expect_clause("5.1.2.4 steps 5.1-5.2");
    resolved(1);
    expect_tunnel("segw.serving.example");
    expect_clause("5.1.2.4 step 5.3");
    to_registered();
}
END_TEST

START_TEST(a_hems_without_a_segw_is_an_error_in_5_1_2_4) {
    setup_initial(NULL);
    start(PUBLIC_URL);
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_SESSION);
    event(EVENT_SESSION_ACCEPTED);
    serving.n_segws = 0;
    ended(&serving, mmes(NULL, NULL));
    expect_nothing();
    expect_state(AGENT_RETRYING, STEP_INITIAL_WAIT);
    ck_assert_ptr_nonnull(strstr(procedure_view(p).last_error, "SecGWServer1"));
    event(EVENT_SESSION_DUE);
    expect_session(PUBLIC_URL, true);
}
END_TEST

START_TEST(no_assignment_waits_for_the_next_session) {
    to_initial_session();
    ended(NULL, mmes("10.0.0.20", NULL));
    expect_nothing();
    expect_state(AGENT_RETRYING, STEP_INITIAL_WAIT);
    ck_assert(procedure_view(p).waits_for_session);
    /* A tunnel that comes back does not make a session due. */
    failure(EVENT_TUNNEL_DOWN, "deleted");
    tick();
    expect_question(RESOLVER_PUBLIC, "segw.initial.example");
    resolved(1);
    expect_action(ACTION_TUNNEL);
    tunnel_up(AF_INET);
    expect_nothing();
    event(EVENT_SESSION_DUE);
    expect_question(RESOLVER_PRIVATE, "hems.initial.example");
}
END_TEST

START_TEST(the_same_segw_keeps_its_tunnel) {
    to_initial_session();
    snprintf(serving.segws[0], sizeof serving.segws[0], "SEGW.initial.example");
    ended(&serving, mmes(NULL, NULL));
    expect_hems(SERVING_URL);
    expect_question(RESOLVER_PRIVATE, "hems.serving.example");
    resolved(1);
    expect_session(SERVING_URL, false);
}
END_TEST

/* It names another SeGW, and so is the serving HeMS itself; there it is informed like any other. */
START_TEST(the_same_hems_behind_another_segw) {
    to_initial_session();
    snprintf(serving.hems_url, sizeof serving.hems_url, INITIAL_URL);
    ended(&serving, mmes("10.0.0.20", NULL));
    expect_next(ACTION_MOVED);
    expect_question(RESOLVER_PRIVATE, "segw.serving.example");
    resolved(1);
    expect_next(ACTION_CLOSE);
    expect_action(ACTION_TUNNEL);
    tunnel_up(AF_INET);
    expect_question(RESOLVER_PRIVATE, "hems.initial.example");
    resolved(1);
    expect_session(INITIAL_URL, false);
    event(EVENT_SESSION_ACCEPTED);
    ended(&serving, mmes("10.0.0.20", NULL));
    expect_nothing();
    expect_state(AGENT_REGISTERED, STEP_REGISTERED);
}
END_TEST

START_TEST(a_segw_unknown_inside_is_asked_for_in_public) {
    to_initial_session();
    learn_also("segw2.serving.example");
    ended(&serving, mmes(NULL, NULL));
    expect_hems(SERVING_URL);
    expect_question(RESOLVER_PRIVATE, "segw.serving.example");
    absent("NXDOMAIN");
    expect_question(RESOLVER_PRIVATE, "segw2.serving.example");
    resolved(1);
    expect_next(ACTION_CLOSE);
    expect_question(RESOLVER_PUBLIC, "segw.serving.example");
    absent("NXDOMAIN"); /* here too: the second one, which the private side knew */
    expect_tunnel("segw2.serving.example");
}
END_TEST

START_TEST(a_silent_private_dns_sends_no_name_to_the_public_one) {
    to_initial_session();
    ended(&serving, mmes(NULL, NULL));
    expect_hems(SERVING_URL);
    expect_action(ACTION_RESOLVE);
    silent("no answer");
    for (unsigned round = 1; round < PROCEDURE_SILENT_ROUNDS; round++) {
        expect_nothing(); /* the tunnel stays: it is the only one whose DNS may know */
        expect_state(AGENT_RETRYING, STEP_WAIT);
        tick();
        expect_question(RESOLVER_PRIVATE, "segw.serving.example");
        if (round % 2)
            failure(EVENT_RESOLVED, "SERVFAIL");
        else
            silent("no answer");
    }
    expect_action(ACTION_CLOSE);
    expect_state(AGENT_RETRYING, STEP_WAIT);
    tick(); /* with the tunnel gone, as from saved data */
    expect_question(RESOLVER_PUBLIC, "segw.serving.example");
    expect_clause("5.1.2.2 steps 1-2");
}
END_TEST

START_TEST(addresses_skip_every_question) {
    ProcedureConfig config = config_of(SITE_INITIAL, site("203.0.113.1", "10.0.0.10"));
    setup_config(&config);
    start("http://10.0.0.10:7547/");
    expect_address(ACTION_TUNNEL, "203.0.113.1");
    tunnel_up(AF_INET);
    expect_address(ACTION_SESSION, "10.0.0.10");
    event(EVENT_SESSION_ACCEPTED);
    Site learned = site("203.0.113.2", "10.0.1.10");
    ended(&learned, mmes(NULL, NULL));
    expect_hems("http://10.0.1.10:7547/");
    expect_next(ACTION_CLOSE);
    expect_address(ACTION_TUNNEL, "203.0.113.2");
    tunnel_up(AF_INET);
    expect_address(ACTION_SESSION, "10.0.1.10");
}
END_TEST

START_TEST(saved_serving_data_are_used_first) {
    ProcedureConfig config = config_of(SITE_INITIAL, site("segw.initial.example", "hems.initial.example"));
    config.sites.items[SITE_LEARNED] = serving = site("segw.serving.example", "hems.serving.example");
    setup_config(&config);
    start(SERVING_URL);
    expect_question(RESOLVER_PUBLIC, "segw.serving.example");
    expect_clause("5.1.2.2 steps 1-2");
    resolved(1);
    expect_tunnel("segw.serving.example");
    to_registered();
}
END_TEST

/* A whole round of the current side fails: its only SeGW is not found. */
static void round_fails(const char *name) {
    expect_question(RESOLVER_PUBLIC, name);
    absent("NXDOMAIN");
    expect_state(AGENT_RETRYING, STEP_WAIT);
}

START_TEST(a_dead_serving_side_is_left_for_the_initial_one) {
    ProcedureConfig config = config_of(SITE_INITIAL, site("segw.initial.example", "hems.initial.example"));
    config.sites.items[SITE_LEARNED] = serving = site("segw.serving.example", "hems.serving.example");
    config.sites.fallback_rounds = 3;
    config.sites.fallback_time = HOUR;
    setup_config(&config);
    start(SERVING_URL);
    Moment begin = now;
    unsigned rounds = 0;
    for (;; rounds++) {
        bool due = now.mono - begin.mono >= HOUR && rounds >= 2;
        expect_question(RESOLVER_PUBLIC, "segw.serving.example");
        absent("NXDOMAIN");
        if (due)
            break;
        expect_nothing();
        tick();
    }
    ck_assert_uint_ge(rounds, 2);
    expect_hems(INITIAL_URL); /* another HeMS: 0 BOOTSTRAP there */
    expect_nothing();
    tick();
    expect_clause("5.1.2.3 steps 1.1-1.2");
    /* From here on by turns, until one of them is well again. */
    expect_question(RESOLVER_PUBLIC, "segw.initial.example");
    absent("NXDOMAIN");
    expect_hems(SERVING_URL);
    tick();
    expect_question(RESOLVER_PUBLIC, "segw.serving.example");
    absent("NXDOMAIN");
    expect_hems(INITIAL_URL);
    tick();
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_tunnel("segw.initial.example");
    tunnel_up(AF_INET);
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_session(INITIAL_URL, false);
    event(EVENT_SESSION_ACCEPTED);
    ended(&serving, mmes(NULL, NULL)); /* the same again: it is tried again, with its counts fresh */
    expect_hems(SERVING_URL);
    expect_question(RESOLVER_PRIVATE, "segw.serving.example");
    resolved(1);
    expect_next(ACTION_CLOSE);
    expect_tunnel("segw.serving.example");
    failure(EVENT_TUNNEL_DOWN, "silent");
    expect_nothing();
    expect_state(AGENT_RETRYING, STEP_WAIT);
    tick();
    round_fails("segw.serving.example");
    expect_nothing();
}
END_TEST

START_TEST(sessions_that_fail_are_rounds_too) {
    ProcedureConfig config = config_of(SITE_INITIAL, site(NULL, "hems.initial.example"));
    config.sites.items[SITE_LEARNED] = serving = site("203.0.113.1", "10.0.0.10");
    config.sites.fallback_rounds = 2;
    setup_config(&config);
    start("http://10.0.0.10:7547/");
    expect_action(ACTION_TUNNEL);
    tunnel_up(AF_INET);
    expect_action(ACTION_SESSION);
    failure(EVENT_SESSION_ENDED, "HTTP 503");
    expect_nothing();
    expect_state(AGENT_RETRYING, STEP_WAIT_SESSION);
    event(EVENT_SESSION_DUE);
    expect_action(ACTION_SESSION);
    failure(EVENT_SESSION_UNREACHED, "refused");
    expect_next(ACTION_SESSION_MISSED);
    expect_next(ACTION_CLOSE);
    expect_hems(PUBLIC_URL);
    expect_nothing();
    tick();
    expect_question(RESOLVER_PUBLIC, "hems.initial.example");
}
END_TEST

START_TEST(a_registration_is_not_left_for_another_side) {
    to_initial_session();
    ended(&serving, mmes(NULL, NULL));
    expect_hems(SERVING_URL);
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_next(ACTION_CLOSE);
    expect_action(ACTION_TUNNEL);
    to_registered();
    for (int i = 0; i < 20; i++) {
        now.mono += HOUR;
        event(EVENT_SESSION_DUE);
        expect_action(ACTION_RESOLVE);
        resolved(1);
        expect_action(ACTION_SESSION);
        failure(EVENT_SESSION_ENDED, "HTTP 503");
        expect_nothing();
        expect_state(AGENT_REGISTERED, STEP_WAIT_SESSION);
    }
}
END_TEST

START_TEST(segws_are_tried_in_order) {
    ProcedureConfig config = config_of(SITE_INITIAL, site("segw.initial.example", "hems.initial.example"));
    serving = site("segw1.example", "hems.serving.example");
    learn_also("203.0.113.9");
    learn_also("segw3.example");
    config.sites.items[SITE_LEARNED] = serving;
    setup_config(&config);
    start(SERVING_URL);
    for (int round = 0; round < 2; round++) {
        expect_question(RESOLVER_PUBLIC, "segw1.example");
        resolved(2);
        expect_address(ACTION_TUNNEL, "203.0.113.1");
        failure(EVENT_TUNNEL_DOWN, "silent");
        expect_address(ACTION_TUNNEL, "203.0.113.2");
        failure(EVENT_TUNNEL_DOWN, "silent");
        expect_address(ACTION_TUNNEL, "203.0.113.9");
        failure(EVENT_TUNNEL_DOWN, "silent");
        expect_question(RESOLVER_PUBLIC, "segw3.example");
        absent("NXDOMAIN");
        expect_state(AGENT_RETRYING, STEP_WAIT);
        expect_nothing();
        tick();
    }
    expect_question(RESOLVER_PUBLIC, "segw1.example");
    absent("NXDOMAIN");
    expect_address(ACTION_TUNNEL, "203.0.113.9");
    ck_assert_str_eq(procedure_view(p).segw, "203.0.113.9");
    to_registered();
}
END_TEST

/* However many addresses there are, an attempt takes a few of them, and the next one goes on behind those. */
START_TEST(many_addresses_have_their_turn) {
    setup("segw.example", "hems.example");
    start("http://hems.example:7547/");
    bool tried[ADDRESSES_MAX] = {};
    for (unsigned round = 0; round < 4; round++) {
        expect_question(RESOLVER_PUBLIC, "segw.example");
        resolved(ADDRESSES_MAX);
        for (unsigned i = 0; i < PROCEDURE_TRIES && round * PROCEDURE_TRIES + i < ADDRESSES_MAX; i++) {
            ProcedureAction action = expect_action(ACTION_TUNNEL);
            tried[action.address.bytes[3] - 1] = true;
            failure(EVENT_TUNNEL_DOWN, "silent");
        }
        expect_state(AGENT_RETRYING, STEP_WAIT);
        expect_nothing();
        tick();
    }
    for (size_t i = 0; i < ADDRESSES_MAX; i++)
        ck_assert_msg(tried[i], "address %zu was never tried", i);
}
END_TEST

START_TEST(the_serving_hems_moves_the_box) {
    ProcedureConfig config = config_of(SITE_FACTORY, site("segw.example", "hems.example"));
    setup_config(&config);
    serving = site("segw.example", "hems.example");
    start("http://hems.example:7547/");
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_TUNNEL);
    tunnel_up(AF_INET);
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_SESSION);
    event(EVENT_SESSION_ACCEPTED);
    with_mme(EVENT_SESSION_ANSWERED, mmes("10.0.0.20", NULL));
    ended(&serving, mmes("10.0.0.20", NULL)); /* the same pair, said by the HeMS: nothing moves */
    expect_nothing();
    expect_state(AGENT_REGISTERED, STEP_REGISTERED);
    /* Weeks later: another gateway. */
    now.mono += 500 * HOUR;
    event(EVENT_SESSION_DUE);
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_SESSION);
    event(EVENT_SESSION_ACCEPTED);
    Site moved = site("segw2.example", "hems.example");
    ended(&moved, mmes("10.0.0.20", NULL));
    expect_next(ACTION_MOVED);
    expect_question(RESOLVER_PRIVATE, "segw2.example");
    resolved(1);
    expect_next(ACTION_CLOSE);
    expect_action(ACTION_TUNNEL);
    expect_state(AGENT_DISCOVERING, STEP_TUNNEL);
    tunnel_up(AF_INET);
    expect_nothing();
    expect_state(AGENT_REGISTERED, STEP_REGISTERED);
    ck_assert(procedure_view(p).waits_for_session); /* which CWMP's schedule has due: 4 VALUE CHANGE */
    /* Another HeMS behind the same gateway: the MME goes until that one has spoken. */
    event(EVENT_SESSION_DUE);
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_SESSION);
    event(EVENT_SESSION_ACCEPTED);
    snprintf(moved.hems_url, sizeof moved.hems_url, "http://hems2.example:7547/");
    ended(&moved, mmes("10.0.0.20", NULL));
    expect_hems("http://hems2.example:7547/");
    expect_question(RESOLVER_PRIVATE, "hems2.example");
    expect_state(AGENT_DISCOVERING, STEP_HEMS_DNS);
}
END_TEST

START_TEST(another_uplink_address_waits_for_nothing) {
    to_initial_session();
    procedure_event(
        p, now,
        &(ProcedureEvent){.type = EVENT_TUNNEL_DOWN, .text = "the address is another", .moved = true});
    expect_question(RESOLVER_PUBLIC, "segw.initial.example");
    expect_state(AGENT_DISCOVERING, STEP_INITIAL_SEGW_DNS);
}
END_TEST

START_TEST(other_dns_servers_end_a_wait_for_dns) {
    to_initial_session();
    failure(EVENT_TUNNEL_DOWN, "deleted");
    event(EVENT_DNS_CHANGED); /* that one does not wait for DNS */
    expect_nothing();
    tick();
    expect_action(ACTION_RESOLVE);
    silent("no answer");
    expect_state(AGENT_RETRYING, STEP_WAIT);
    event(EVENT_DNS_CHANGED);
    expect_question(RESOLVER_PUBLIC, "segw.initial.example");
}
END_TEST

START_TEST(the_network_goes_during_a_session_outside) {
    setup_initial(NULL);
    start(PUBLIC_URL);
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_SESSION);
    event(EVENT_NETWORK_DOWN);
    expect_action(ACTION_CLOSE);
    expect_state(AGENT_WAITING_NETWORK, STEP_NETWORK);
    event(EVENT_NETWORK_UP);
    expect_nothing(); /* CWMP's schedule counts the session as failed and brings the next */
    expect_state(AGENT_RETRYING, STEP_INITIAL_WAIT);
    event(EVENT_SESSION_DUE);
    expect_question(RESOLVER_PUBLIC, "hems.initial.example");
}
END_TEST

START_TEST(the_first_inform_waits_for_the_location) {
    ProcedureConfig config = config_of(SITE_INITIAL, site("203.0.113.1", "10.0.0.10"));
    config.wait_for_location = 30 * USEC_PER_SEC;
    setup_config(&config);
    start("http://10.0.0.10:7547/");
    expect_action(ACTION_TUNNEL);
    tunnel_up(AF_INET);
    expect_nothing();
    expect_state(AGENT_DISCOVERING, STEP_INITIAL_LOCATION);
    ck_assert_uint_eq(procedure_deadline(p), now.mono + 30 * USEC_PER_SEC);
    now.mono += USEC_PER_SEC;
    event(EVENT_LOCATION);
    expect_action(ACTION_SESSION);

    setup_config(&config);
    start("http://10.0.0.10:7547/");
    expect_action(ACTION_TUNNEL);
    tunnel_up(AF_INET);
    tick(); /* long enough */
    expect_action(ACTION_SESSION);
    event(EVENT_SESSION_ACCEPTED);
    Site learned = site("203.0.113.1", "10.0.1.10");
    ended(&learned, mmes(NULL, NULL));
    expect_hems("http://10.0.1.10:7547/");
    expect_action(ACTION_SESSION); /* and once only */
}
END_TEST

START_TEST(a_lenient_clock_goes_on) {
    ProcedureConfig config = config_of(SITE_FACTORY, site("203.0.113.1", "10.0.0.10"));
    config.clock_lenient = true;
    setup_config(&config);
    now.real = 0;
    start("http://10.0.0.10:7547/");
    expect_action(ACTION_TUNNEL);
}
END_TEST

START_TEST(deregistered_box_sends_nothing) {
    to_initial_session();
    ended(&serving, mmes(NULL, NULL));
    expect_hems(SERVING_URL);
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_next(ACTION_CLOSE);
    expect_action(ACTION_TUNNEL);
    to_registered();
    event(EVENT_DEREGISTERED);
    expect_action(ACTION_CLOSE);
    expect_state(AGENT_DEREGISTERED, STEP_DEREGISTERED);
    expect_clause("5.1.4");
    ck_assert_uint_eq(procedure_deadline(p), USEC_NEVER);
    event(EVENT_NETWORK_DOWN);
    event(EVENT_NETWORK_UP);
    event(EVENT_DNS_CHANGED);
    event(EVENT_SESSION_DUE);
    event(EVENT_LOCATION);
    failure(EVENT_TUNNEL_DOWN, "late");
    expect_nothing();
    expect_state(AGENT_DEREGISTERED, STEP_DEREGISTERED);
    /* Taken back: as from factory data. */
    event(EVENT_START);
    expect_hems(INITIAL_URL);
    expect_question(RESOLVER_PUBLIC, "segw.initial.example");
}
END_TEST

START_TEST(deregistered_box_starts_deregistered) {
    ProcedureConfig config = config_of(SITE_FACTORY, site("segw.example", "hems.example"));
    config.deregistered = true;
    setup_config(&config);
    event(EVENT_NETWORK_UP);
    event(EVENT_START);
    expect_nothing();
    expect_state(AGENT_DEREGISTERED, STEP_DEREGISTERED);
    event(EVENT_START);
    expect_hems("http://hems.example:7547/");
    expect_question(RESOLVER_PUBLIC, "segw.example");
}
END_TEST

START_TEST(answers_live_for_their_ttl) {
    setup("segw.example", "hems.example");
    start("http://hems.example:7547/");
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_TUNNEL);
    tunnel_up(AF_INET);
    expect_action(ACTION_RESOLVE);
    AddressList list = addresses(1);
    procedure_event(p, now,
                    &(ProcedureEvent){.type = EVENT_RESOLVED, .addresses = &list, .ttl = 1000 * HOUR});
    expect_action(ACTION_SESSION);
    event(EVENT_SESSION_ACCEPTED);
    with_mme(EVENT_SESSION_ENDED, mmes("mme.example", NULL));
    expect_question(RESOLVER_PRIVATE, "mme.example");
    procedure_event(p, now, &(ProcedureEvent){.type = EVENT_RESOLVED, .addresses = &list, .ttl = HOUR / 2});
    expect_state(AGENT_REGISTERED, STEP_REGISTERED);
    ck_assert_uint_eq(procedure_deadline(p), now.mono + HOUR / 2);
    now.mono += HOUR / 4;
    event(EVENT_SESSION_DUE);
    expect_action(ACTION_SESSION); /* nobody is asked for what is known */
    event(EVENT_SESSION_ACCEPTED);
    with_mme(EVENT_SESSION_ENDED, mmes("mme.example", NULL));
    expect_nothing();
    tick();
    expect_question(RESOLVER_PRIVATE, "mme.example"); /* grown old while published */
    failure(EVENT_RESOLVED, "silent");
    expect_state(AGENT_REGISTERED, STEP_REGISTERED);
    ck_assert_uint_eq(procedure_view(p).s1->mme.items[0].addresses.n, 1);
    ck_assert_uint_eq(procedure_deadline(p), now.mono + FAR_END_RETRY); /* kept, and asked for again */
    now.mono += HOUR;
    event(EVENT_SESSION_DUE);
    expect_question(RESOLVER_PRIVATE, "hems.example"); /* one hour at most */
}
END_TEST

static void resolved_to(const char *literal, usec_t ttl) {
    AddressList list = {.n = 1};
    ck_assert_int_eq(address_parse(literal, &list.items[0]), 0);
    procedure_event(p, now, &(ProcedureEvent){.type = EVENT_RESOLVED, .addresses = &list, .ttl = ttl});
}

/* The gateway has moved, and liveness noticed: its name is asked for, however long the answer of before was
 * to hold, and the tunnel leads where the new one says; also when that one is dead and the next is another.
 */
START_TEST(thread_8_a_changed_record_is_used) {
    setup("segw.example", "10.0.0.10");
    start("http://10.0.0.10:7547/");
    expect_question(RESOLVER_PUBLIC, "segw.example");
    resolved_to("203.0.113.1", 1000 * HOUR);
    expect_address(ACTION_TUNNEL, "203.0.113.1");
    tunnel_up(AF_INET);
    expect_session("http://10.0.0.10:7547/", false);
    event(EVENT_SESSION_ACCEPTED);
    with_mme(EVENT_SESSION_ENDED, mmes("10.0.0.20", NULL));
    now.mono += HOUR / 4;
    static const char *const records[] = {"198.51.100.7", "198.51.100.8", "203.0.113.1"};
    failure(EVENT_TUNNEL_DOWN, "the gateway does not answer");
    for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
        expect_nothing();
        tick();
        expect_question(RESOLVER_PUBLIC, "segw.example");
        resolved_to(records[i], 1000 * HOUR);
        expect_address(ACTION_TUNNEL, records[i]);
        if (i + 1 < ARRAY_SIZE(records))
            failure(EVENT_TUNNEL_DOWN, "the gateway does not answer");
    }
    tunnel_up(AF_INET);
    expect_state(AGENT_REGISTERED, STEP_REGISTERED);
    expect_nothing();
}
END_TEST

START_TEST(mmes_are_refreshed_while_the_hems_fails) {
    setup("203.0.113.1", "10.0.0.10");
    start("http://10.0.0.10:7547/");
    expect_action(ACTION_TUNNEL);
    tunnel_up(AF_INET);
    expect_action(ACTION_SESSION);
    event(EVENT_SESSION_ACCEPTED);
    with_mme(EVENT_SESSION_ENDED, mmes("mme.example", NULL));
    expect_action(ACTION_RESOLVE);
    resolved(1);
    event(EVENT_SESSION_DUE);
    expect_action(ACTION_SESSION);
    failure(EVENT_SESSION_ENDED, "HTTP 503");
    expect_state(AGENT_REGISTERED, STEP_WAIT_SESSION);
    ck_assert_uint_eq(procedure_deadline(p), now.mono + HOUR);
    tick();
    expect_question(RESOLVER_PRIVATE, "mme.example");
    resolved(2);
    expect_state(AGENT_REGISTERED, STEP_REGISTERED);
    ck_assert_uint_eq(procedure_view(p).s1->mme.items[0].addresses.n, 2);
    ck_assert(procedure_view(p).waits_for_session);
}
END_TEST

START_TEST(a_silent_hems_alone_keeps_the_tunnel) {
    setup("203.0.113.1", "hems.example");
    start("http://hems.example:7547/");
    expect_action(ACTION_TUNNEL);
    tunnel_up(AF_INET);
    for (unsigned round = 0; round < 3 * PROCEDURE_SILENT_ROUNDS; round++) {
        expect_question(RESOLVER_PRIVATE, "hems.example");
        resolved(1); /* somebody inside answers */
        expect_action(ACTION_SESSION);
        procedure_event(
            p, now, &(ProcedureEvent){.type = EVENT_SESSION_UNREACHED, .text = "no answer", .silent = true});
        expect_action(ACTION_SESSION_MISSED);
        event(EVENT_SESSION_DUE);
    }
}
END_TEST

/* A gateway that takes the box in and throws it out again is a dead side, too. */
START_TEST(a_tunnel_that_never_lasts_is_a_failed_round) {
    ProcedureConfig config = config_of(SITE_INITIAL, site("203.0.113.7", "10.0.0.7"));
    config.sites.items[SITE_LEARNED] = site("203.0.113.1", "10.0.0.10");
    config.sites.fallback_rounds = 2;
    setup_config(&config);
    start("http://10.0.0.10:7547/");
    for (unsigned round = 0; round < 2; round++) {
        expect_address(ACTION_TUNNEL, "203.0.113.1");
        tunnel_up(AF_INET);
        expect_action(ACTION_SESSION);
        failure(EVENT_TUNNEL_DOWN, "deleted");
        if (round == 0) {
            tick();
            expect_address(ACTION_TUNNEL, "203.0.113.1");
            failure(EVENT_TUNNEL_DOWN, "deleted");
            break;
        }
    }
    expect_hems("http://10.0.0.7:7547/");
    tick();
    expect_address(ACTION_TUNNEL, "203.0.113.7");
}
END_TEST

/* One silent answer does not undo the HeMS's word. */
START_TEST(a_move_survives_a_silent_dns) {
    setup("segw.example", "hems.example");
    start("http://hems.example:7547/");
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_TUNNEL);
    tunnel_up(AF_INET);
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_SESSION);
    event(EVENT_SESSION_ACCEPTED);
    with_mme(EVENT_SESSION_ANSWERED, mmes("10.0.0.20", NULL));
    serving = site("segw2.example", "hems.example");
    ended(&serving, mmes("10.0.0.20", NULL));
    expect_next(ACTION_MOVED);
    expect_question(RESOLVER_PRIVATE, "segw2.example");
    silent("no answer");
    expect_nothing();
    expect_state(AGENT_REGISTERED, STEP_WAIT);
    tick();
    expect_question(RESOLVER_PRIVATE, "segw2.example");
    resolved(1);
    expect_next(ACTION_CLOSE);
    expect_tunnel("segw2.example");
}
END_TEST

/* Everything is lost on the way, for an hour from power-up: what IKE_SA_INIT costs the uplink. */
#define SILENT_GATEWAY_BYTES (5 * 600)               /* five IKE_SA_INITs with IP and UDP headers */
#define SILENT_GATEWAY_TIME  (15500 * USEC_PER_MSEC) /* until IKE gives up */
START_TEST(an_hour_of_outage_is_cheap) {
    ProcedureConfig config = config_of(SITE_INITIAL, site("203.0.113.1", "hems.initial.example"));
    serving = site("segw1.example", "hems.serving.example");
    learn_also("segw2.example");
    learn_also("segw3.example");
    config.sites.items[SITE_LEARNED] = serving;
    setup_config(&config);
    start(SERVING_URL);
    usec_t end = now.mono + HOUR;
    size_t bytes = 0;
    while (now.mono < end) {
        ProcedureAction action;
        if (!procedure_next(p, &action)) {
            tick();
        } else if (action.type == ACTION_RESOLVE) {
            resolved(ADDRESSES_MAX); /* from a resolver nearby, at worst */
            bytes += 2 * 2 * 100;
        } else if (action.type == ACTION_TUNNEL) {
            bytes += SILENT_GATEWAY_BYTES;
            now.mono += SILENT_GATEWAY_TIME;
            failure(EVENT_TUNNEL_DOWN, "no answer");
        }
    }
    printf("an hour of outage, 48 addresses of gateways: %zu bytes on the uplink\n", bytes);
    ck_assert_uint_le(bytes, 200000);
}
END_TEST

/* docs/PROCEDURE.md has a row for each step that has a clause, "| clauses | what happens | asked of |", in this
 * order, and no other. */
START_TEST(document_shows_the_same_table) {
    static const char *const asked_of[] = {
        [RESOLVER_NONE] = "", [RESOLVER_PUBLIC] = "public DNS ", [RESOLVER_PRIVATE] = "private DNS "};
    _cleanup_free_ char *document = file_read(getenv("PROCEDURE"), NULL);
    char *line = strtok(document, "\n");

    for (ProcedureStep step = 0; step < STEPS_; step++) {
        const ProcedureRow *row = procedure_row(step);
        char clauses[256] = "", begin[300], end[32];
        for (Way way = 0; way < WAYS_; way++)
            if (row->clauses[way] && !strstr(clauses, row->clauses[way]))
                snprintf(clauses + strlen(clauses), sizeof clauses - strlen(clauses), "%s%s",
                         clauses[0] ? "; " : "", row->clauses[way]);
        if (!clauses[0])
            continue;
        snprintf(begin, sizeof begin, "| %s | ", clauses);
        snprintf(end, sizeof end, " | %s|", asked_of[row->resolver]);
        while (line && strncmp(line, "| 5.", 4) != 0)
            line = strtok(NULL, "\n");
        ck_assert_msg(line && strncmp(line, begin, strlen(begin)) == 0, "%s: docs/PROCEDURE.md says\n%s\nnot\n%s",
                      row->title, line ? line : "nothing", begin);
        ck_assert_msg(streq(line + strlen(line) - strlen(end), end), "%s: does not end in \"%s\"", line, end);
        line = strtok(NULL, "\n");
    }
    while (line && strncmp(line, "| 5.", 4) != 0)
        line = strtok(NULL, "\n");
    ck_assert_msg(!line, "no step of the program: %s", line);
}
END_TEST

SUITE("ways", way_of_5_1_2_3_by_names, way_of_5_1_2_4_by_names, a_hems_without_a_segw_is_an_error_in_5_1_2_4,
      no_assignment_waits_for_the_next_session, the_same_segw_keeps_its_tunnel,
      the_same_hems_behind_another_segw, a_segw_unknown_inside_is_asked_for_in_public,
      a_silent_private_dns_sends_no_name_to_the_public_one, addresses_skip_every_question,
      saved_serving_data_are_used_first, a_dead_serving_side_is_left_for_the_initial_one,
      sessions_that_fail_are_rounds_too, a_registration_is_not_left_for_another_side,
      segws_are_tried_in_order, many_addresses_have_their_turn, the_serving_hems_moves_the_box,
      another_uplink_address_waits_for_nothing, other_dns_servers_end_a_wait_for_dns,
      the_network_goes_during_a_session_outside, the_first_inform_waits_for_the_location,
      a_lenient_clock_goes_on, deregistered_box_sends_nothing, deregistered_box_starts_deregistered,
      answers_live_for_their_ttl, thread_8_a_changed_record_is_used, an_hour_of_outage_is_cheap,
      mmes_are_refreshed_while_the_hems_fails, a_silent_hems_alone_keeps_the_tunnel,
      a_tunnel_that_never_lasts_is_a_failed_round, a_move_survives_a_silent_dns, document_shows_the_same_table)
