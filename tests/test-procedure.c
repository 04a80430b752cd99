/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The registration procedure: scripts of events on a fake clock, and random walks that check what must always
 * hold. */
#include <check.h>
#include <stdio.h>

#include "base/macro.h"
#include "discovery/procedure.h"
#include "files.h"
#include "seeded.h"
#include "suite.h"

#define BUILD_DAY (1000 * USEC_PER_SEC)

static uint64_t seed;

static const Rng rng = {.fill = seeded_fill, .userdata = &seed};
static Moment now;
static Procedure *p;

static void setup(const char *segw, const char *hems_host) {
    ProcedureConfig config = {.built = BUILD_DAY};
    snprintf(config.segw, sizeof config.segw, "%s", segw);
    snprintf(config.hems_host, sizeof config.hems_host, "%s", hems_host);
    snprintf(config.hems_url, sizeof config.hems_url, "http://%s:7547/", hems_host);
    seed = 1;
    now = (Moment){.mono = 5 * USEC_PER_SEC, .real = 2 * BUILD_DAY};
    procedure_free(p);
    ck_assert_int_eq(procedure_new(&p, &config, &rng), 0);
}

static AddressList addresses(size_t n) {
    AddressList list = {.n = n};
    for (size_t i = 0; i < n; i++)
        list.items[i] = (Address){.family = AF_INET, .bytes = {203, 0, 113, (uint8_t)(i + 1)}};
    return list;
}

static void event(ProcedureEventType type) {
    AddressList inside = {.n = 1, .items = {{.family = AF_INET}}};
    procedure_event(p, now, &(ProcedureEvent){.type = type, .addresses = &inside, .session_due = true});
}

static void tunnel_up(int family, bool session_due) {
    AddressList inside = {.n = 1, .items = {{.family = family}}};
    procedure_event(
        p, now, &(ProcedureEvent){.type = EVENT_TUNNEL_UP, .addresses = &inside, .session_due = session_due});
}

static void failure(ProcedureEventType type, const char *text) {
    procedure_event(p, now, &(ProcedureEvent){.type = type, .text = text});
}

static void resolved(size_t n) {
    AddressList list = addresses(n);
    procedure_event(p, now, &(ProcedureEvent){.type = EVENT_RESOLVED, .addresses = &list});
}

/* "10.0.0.20" is a literal, other entries are names. */
static S1Config mmes(const char *a, const char *b) {
    S1Config s1 = {.admin_state = true, .connection_mode = "One"};
    MmeList *list = &s1.mme;
    const char *each[] = {a, b};
    for (size_t i = 0; i < 2 && each[i]; i++) {
        Mme *mme = &list->items[list->n++];
        snprintf(mme->entry, sizeof mme->entry, "%s", each[i]);
        mme->port = 36412;
        if (address_parse(each[i], &mme->addresses.items[0]) == 0)
            mme->addresses.n = 1;
    }
    return s1;
}

static void with_mme(ProcedureEventType type, S1Config s1) {
    procedure_event(p, now, &(ProcedureEvent){.type = type, .s1 = &s1, .mme_set = true});
}

/* The next action must be this one, and the only one. */
static ProcedureAction expect_action(ProcedureActionType type) {
    ProcedureAction action, more;
    ck_assert(procedure_next(p, &action));
    ck_assert_int_eq(action.type, type);
    ck_assert(!procedure_next(p, &more));
    return action;
}

static void expect_address(ProcedureActionType type, const char *address) {
    ProcedureAction action = expect_action(type);
    ck_assert_str_eq(ADDRESS_STR(&action.address), address);
}

static void expect_nothing(void) {
    ProcedureAction action;
    ck_assert(!procedure_next(p, &action));
}

static void expect_state(AgentState state, ProcedureStep step) {
    ProcedureView view = procedure_view(p);
    ck_assert_int_eq(view.step, step);
    ck_assert_str_eq(agent_state_to_string(view.state), agent_state_to_string(state));
    ck_assert((view.s1->mme.n > 0) == (view.state == AGENT_REGISTERED));
}

/* Up to the session with the HeMS. */
static void to_session(void) {
    event(EVENT_NETWORK_UP);
    event(EVENT_START);
    ck_assert_str_eq(expect_action(ACTION_RESOLVE).name, "segw.example");
    resolved(1);
    expect_action(ACTION_TUNNEL);
    event(EVENT_TUNNEL_UP);
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
    event(EVENT_TUNNEL_UP);
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
    event(EVENT_START);
    event(EVENT_NETWORK_UP);
    expect_action(ACTION_TUNNEL);
    event(EVENT_TUNNEL_UP);
    expect_action(ACTION_SESSION);
}
END_TEST

START_TEST(clock_before_the_build_is_waited_for) {
    setup("203.0.113.1", "10.0.0.10");
    now.real = 0;
    event(EVENT_START);
    event(EVENT_NETWORK_UP);
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
    event(EVENT_START);
    event(EVENT_NETWORK_UP);
    expect_action(ACTION_RESOLVE);
    resolved(2);
    expect_action(ACTION_TUNNEL);
    failure(EVENT_TUNNEL_DOWN, "silent");
    expect_address(ACTION_TUNNEL, "203.0.113.2");
    failure(EVENT_TUNNEL_DOWN, "silent too");
    expect_state(AGENT_RETRYING, STEP_WAIT);
    ck_assert_str_eq(procedure_view(p).last_error, "silent too");
    ck_assert_str_eq(procedure_view(p).clause, "5.1.2.2 step 3");
    now.mono = procedure_deadline(p);
    procedure_tick(p, now);
    expect_action(ACTION_RESOLVE); /* asked again, not remembered */
}
END_TEST

START_TEST(waits_grow_to_their_limit) {
    setup("segw.example", "hems.example");
    event(EVENT_START);
    event(EVENT_NETWORK_UP);
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
    event(EVENT_NETWORK_UP);
    event(EVENT_START);
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_TUNNEL);
    event(EVENT_TUNNEL_UP);
    expect_action(ACTION_RESOLVE);
    failure(EVENT_RESOLVED, "silent");
    expect_action(ACTION_TUNNEL_CLOSE);
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
    event(EVENT_SESSION_DUE);
    expect_action(ACTION_RESOLVE);
    resolved(2);
    expect_action(ACTION_SESSION);
    failure(EVENT_SESSION_UNREACHED, "connection refused");
    expect_address(ACTION_SESSION, "203.0.113.2");
    failure(EVENT_SESSION_UNREACHED, "connection refused");
    expect_action(ACTION_SESSION_MISSED); /* once a round */
    expect_state(AGENT_RETRYING, STEP_WAIT_SESSION);
    event(EVENT_SESSION_DUE);
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
    event(EVENT_SESSION_DUE);
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
    event(EVENT_SESSION_DUE);
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
    event(EVENT_SESSION_DUE);
    expect_action(ACTION_RESOLVE);
    failure(EVENT_RESOLVED, "private DNS silent");
    expect_action(ACTION_SESSION_MISSED);
    expect_state(AGENT_REGISTERED, STEP_WAIT_SESSION);
    event(EVENT_SESSION_DUE);
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
    now.mono = procedure_deadline(p);
    procedure_tick(p, now);
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_TUNNEL);
    tunnel_up(AF_INET, false);
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
    event(EVENT_SESSION_DUE);
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
    now.mono = procedure_deadline(p);
    procedure_tick(p, now);
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_TUNNEL);
    tunnel_up(AF_INET6, false);
    ck_assert_str_eq(expect_action(ACTION_RESOLVE).name, "10.0.0.20"); /* which the private side refuses */
}
END_TEST

START_TEST(a_tunnel_in_which_nobody_answers_is_built_anew) {
    to_registered();
    with_mme(EVENT_SESSION_ENDED, mmes("10.0.0.20", NULL));
    for (unsigned round = 1; round <= PROCEDURE_SILENT_ROUNDS; round++) {
        event(EVENT_SESSION_DUE);
        expect_action(ACTION_RESOLVE);
        procedure_event(p, now,
                        &(ProcedureEvent){.type = EVENT_RESOLVED, .text = "no answer", .silent = true});
        expect_action(round < PROCEDURE_SILENT_ROUNDS ? ACTION_SESSION_MISSED : ACTION_TUNNEL_CLOSE);
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
    now.mono = procedure_deadline(p);
    procedure_tick(p, now);
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_TUNNEL);
    tunnel_up(AF_INET, false);
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
    now.mono = procedure_deadline(p);
    procedure_tick(p, now);
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_TUNNEL);
    tunnel_up(AF_INET, false);
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
    now.mono = procedure_deadline(p);
    procedure_tick(p, now);
    expect_action(ACTION_RESOLVE);
    resolved(1);
    ck_assert_uint_eq(procedure_view(p).s1->mme.n, 2);
    ck_assert_uint_eq(procedure_deadline(p), USEC_NEVER);

    setup("segw.example", "hems.example");
    to_session();
    event(EVENT_SESSION_ACCEPTED);
    with_mme(EVENT_SESSION_ANSWERED, mmes("a.example", NULL));
    expect_action(ACTION_RESOLVE);
    failure(EVENT_RESOLVED, "a.example: NXDOMAIN");
    expect_state(AGENT_RETRYING, STEP_WAIT_MME);
    now.mono = procedure_deadline(p);
    procedure_tick(p, now);
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
    event(EVENT_SESSION_DUE); /* not without a tunnel */
    expect_nothing();
    now.mono = procedure_deadline(p);
    procedure_tick(p, now);
    expect_action(ACTION_RESOLVE);
    resolved(1);
    expect_action(ACTION_TUNNEL);
}
END_TEST

START_TEST(network_that_goes_and_comes) {
    setup("segw.example", "hems.example");
    event(EVENT_START);
    event(EVENT_NETWORK_UP);
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
    expect_action(ACTION_TUNNEL_CLOSE);
    expect_state(AGENT_WAITING_NETWORK, STEP_NETWORK);
}
END_TEST

/* Any event at any time, answers only where something was asked: invariants hold, and a good world leads to
 * `registered` from wherever the walk ends. */
START_TEST(random_walks_hold_the_invariants) {
    for (uint64_t walk = 1; walk <= 2000; walk++) {
        setup(walk & 1 ? "segw.example" : "203.0.113.1", walk & 2 ? "hems.example" : "10.0.0.10");
        seed = walk;
        bool tunnel = false, session = false, network = false;
        unsigned asked = 0;
        event(EVENT_START);
        for (int i = 0; i < 300; i++) {
            ProcedureAction action;
            bool good = i >= 240;
            while (procedure_next(p, &action))
                switch (action.type) {
                case ACTION_RESOLVE:
                    ck_assert(action.side == RESOLVER_PUBLIC || tunnel);
                    ck_assert(streq(action.name, "segw.example") == (action.side == RESOLVER_PUBLIC));
                    asked = 1;
                    break;
                case ACTION_TUNNEL:
                    ck_assert(!tunnel);
                    asked = 2;
                    break;
                case ACTION_TUNNEL_CLOSE:
                    tunnel = session = false;
                    break;
                case ACTION_SESSION:
                    ck_assert(tunnel && !session);
                    session = true;
                    break;
                case ACTION_SESSION_MISSED:
                    break;
                }
            ProcedureView view = procedure_view(p);
            ck_assert_msg((view.s1->mme.n > 0) == (view.state == AGENT_REGISTERED), "walk %lu",
                          (unsigned long)walk);
            ck_assert_msg(view.s1->mme.n == 0 || tunnel, "MME without a tunnel in walk %lu",
                          (unsigned long)walk);

            uint64_t dice = good ? 0 : rng_below(&rng, 8);
            if (!network && (good || dice < 3)) {
                network = true;
                event(EVENT_NETWORK_UP);
            } else if (!good && dice == 7 && rng_below(&rng, 4) == 0) {
                network = false;
                event(EVENT_NETWORK_DOWN);
            } else if (!good && dice == 6 && tunnel) {
                tunnel = session = false;
                failure(EVENT_TUNNEL_DOWN, "gone");
            } else if (asked == 1) {
                asked = 0;
                good || dice < 5 ? resolved(1 + rng_below(&rng, 2)) : failure(EVENT_RESOLVED, "no answer");
            } else if (asked == 2) {
                asked = 0;
                if (good || dice < 5) {
                    tunnel = view.step == STEP_TUNNEL;
                    event(EVENT_TUNNEL_UP);
                } else
                    failure(EVENT_TUNNEL_DOWN, "refused");
            } else if (session && view.step == STEP_INFORM && dice < 5)
                event(EVENT_SESSION_ACCEPTED);
            else if (session && dice < 2)
                with_mme(EVENT_SESSION_ANSWERED, mmes("10.0.0.20", good || dice ? NULL : "mme.example"));
            else if (session && dice == 2) {
                session = false;
                with_mme(EVENT_SESSION_ENDED, mmes(NULL, NULL));
            } else if (session && dice == 5) {
                session = false;
                failure(EVENT_SESSION_ENDED, "broken");
            } else if (view.waits_for_session)
                event(EVENT_SESSION_DUE);
            else if (procedure_deadline(p) != USEC_NEVER) {
                ck_assert_uint_gt(procedure_deadline(p), now.mono); /* no cycle without a delay */
                now.mono = procedure_deadline(p);
                procedure_tick(p, now);
            }
        }
        ck_assert_msg(procedure_view(p).state == AGENT_REGISTERED, "walk %lu ends in %s", (unsigned long)walk,
                      procedure_view(p).title);
    }
}
END_TEST

/* README.md has a row for each clause the program speaks of, "| clause | what happens | asked of |", and no
 * other.
 */
START_TEST(readme_shows_the_same_table) {
    static const char *const asked_of[] = {[RESOLVER_NONE] = "| |",
                                           [RESOLVER_PUBLIC] = "| public DNS |",
                                           [RESOLVER_PRIVATE] = "| private DNS |"};
    _cleanup_free_ char *readme = file_read(getenv("README"), NULL);
    unsigned shown = 0;
    bool found[STEPS_] = {};

    for (char *line = strtok(readme, "\n"); line; line = strtok(NULL, "\n")) {
        bool known = false;
        if (strncmp(line, "| 5.", 4) != 0)
            continue;
        shown++;
        for (ProcedureStep step = 0; step < STEPS_; step++) {
            const ProcedureRow *row = procedure_row(step);
            size_t n = strlen(row->clause), tail = strlen(asked_of[row->resolver]);
            if (n == 0 || strncmp(line + 2, row->clause, n) != 0 || strncmp(line + 2 + n, " | ", 3) != 0)
                continue;
            ck_assert_msg(streq(line + strlen(line) - tail, asked_of[row->resolver]), "%s\n%s: not %s", line,
                          row->title, asked_of[row->resolver]);
            found[step] = known = true;
        }
        ck_assert_msg(known, "no step of the program: %s", line);
    }
    ck_assert_uint_gt(shown, 0);
    for (ProcedureStep step = 0; step < STEPS_; step++)
        ck_assert_msg(found[step] || !*procedure_row(step)->clause, "not in README.md: %s (%s)",
                      procedure_row(step)->title, procedure_row(step)->clause);
}
END_TEST

SUITE("procedure", way_of_5_1_2_2_by_names, addresses_skip_every_question,
      clock_before_the_build_is_waited_for, each_address_of_the_segw_is_tried, waits_grow_to_their_limit,
      private_dns_that_fails_costs_the_tunnel, failed_session_waits_for_cwmp,
      session_that_breaks_before_its_answer_publishes_nothing, no_mme_is_a_state_of_its_own,
      later_trouble_does_not_take_the_registration_back, new_mme_replaces_the_old_without_a_gap,
      mode_and_lock_alone_do_not_confirm_old_mmes, the_lock_after_the_list_is_not_lost,
      a_name_that_was_open_is_asked_for_in_the_next_tunnel, a_published_mme_stays_when_its_name_fails_later,
      a_literal_of_the_other_family_is_not_published_again, a_tunnel_in_which_nobody_answers_is_built_anew,
      tunnel_that_comes_back_carries_on, tunnel_that_comes_back_keeps_the_retry_wait, names_of_mmes_that_fail,
      lost_tunnel_takes_the_mme_and_starts_over, network_that_goes_and_comes,
      random_walks_hold_the_invariants, readme_shows_the_same_table)
