/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What scripts of events for the procedure are written with: one procedure on a fake clock, events in, the
 * next action expected. */
#pragma once

#include <check.h>
#include <stdio.h>

#include "base/macro.h"
#include "discovery/procedure.h"
#include "seeded.h"
#include "suite.h"

#define BUILD_DAY (1000 * USEC_PER_SEC)
#define HOUR      (3600 * USEC_PER_SEC)

static uint64_t seed;
static const Rng rng = {.fill = seeded_fill, .userdata = &seed};
static Moment now;
static Procedure *p;

/* *segw* NULL: none; *hems* a host, behind a SeGW with http, without one with https. */
static inline Site site(const char *segw, const char *hems) {
    Site s = {};
    if (segw)
        snprintf(s.segws[s.n_segws++], sizeof s.segws[0], "%s", segw);
    snprintf(s.hems_url, sizeof s.hems_url, segw ? "http://%s:7547/" : "https://%s/", hems);
    return s;
}

static inline void setup_config(const ProcedureConfig *config) {
    seed = 1;
    now = (Moment){.mono = 5 * USEC_PER_SEC, .real = 2 * BUILD_DAY};
    procedure_free(p);
    ck_assert_int_eq(procedure_new(&p, config, &rng), 0);
}

static inline ProcedureConfig config_of(SiteKind kind, Site s) {
    ProcedureConfig config = {.clock_floor = BUILD_DAY};
    config.sites.items[kind] = s;
    return config;
}

static inline void setup(const char *segw, const char *hems_host) {
    ProcedureConfig config = config_of(SITE_FACTORY, site(segw, hems_host));
    setup_config(&config);
}

static inline AddressList addresses(size_t n) {
    AddressList list = {.n = n};
    for (size_t i = 0; i < n; i++)
        list.items[i] = (Address){.family = AF_INET, .bytes = {203, 0, 113, (uint8_t)(i + 1)}};
    return list;
}

static inline void event(ProcedureEventType type) {
    procedure_event(p, now, &(ProcedureEvent){.type = type});
}

/* So much later that nothing DNS has said holds any more. */
static inline void session_due(void) {
    now.mono += 2 * HOUR;
    procedure_event(p, now, &(ProcedureEvent){.type = EVENT_SESSION_DUE});
}

static inline void tunnel_up(int family) {
    AddressList inside = {.n = 1, .items = {{.family = family}}};
    procedure_event(p, now, &(ProcedureEvent){.type = EVENT_TUNNEL_UP, .addresses = &inside});
}

static inline void failure(ProcedureEventType type, const char *text) {
    procedure_event(p, now, &(ProcedureEvent){.type = type, .text = text});
}

static inline void absent(const char *text) {
    procedure_event(p, now, &(ProcedureEvent){.type = EVENT_RESOLVED, .text = text, .absent = true});
}

static inline void silent(const char *text) {
    procedure_event(p, now, &(ProcedureEvent){.type = EVENT_RESOLVED, .text = text, .silent = true});
}

static inline void resolved(size_t n) {
    AddressList list = addresses(n);
    procedure_event(p, now, &(ProcedureEvent){.type = EVENT_RESOLVED, .addresses = &list, .ttl = HOUR});
}

/* "10.0.0.20" is a literal, other entries are names. */
static inline S1Config mmes(const char *a, const char *b) {
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

static inline void with_mme(ProcedureEventType type, S1Config s1) {
    procedure_event(p, now, &(ProcedureEvent){.type = type, .s1 = &s1, .mme_set = true});
}

/* The session ends well; *assigned* NULL: no HeMS has assigned anything so far. */
static inline void ended(const Site *assigned, S1Config s1) {
    procedure_event(p, now, &(ProcedureEvent){.type = EVENT_SESSION_ENDED, .s1 = &s1, .site = assigned});
}

static inline void tick(void) {
    ck_assert_uint_ne(procedure_deadline(p), USEC_NEVER);
    now.mono = procedure_deadline(p);
    procedure_tick(p, now);
}

/* The next action must be this one. */
static inline ProcedureAction expect_next(ProcedureActionType type) {
    ProcedureAction action;
    ck_assert_msg(procedure_next(p, &action), "no action");
    ck_assert_int_eq(action.type, type);
    return action;
}

static inline void expect_nothing(void) {
    ProcedureAction action;
    ck_assert(!procedure_next(p, &action));
}

/* And the only one. */
static inline ProcedureAction expect_action(ProcedureActionType type) {
    ProcedureAction action = expect_next(type);
    expect_nothing();
    return action;
}

static inline void expect_address(ProcedureActionType type, const char *literal) {
    ProcedureAction action = expect_action(type);
    ck_assert_str_eq(ADDRESS_STR(&action.address), literal);
}

/* *side* is asked for *name*, and nothing else is wanted. */
static inline void expect_question(ResolverSide side, const char *name) {
    ProcedureAction action = expect_action(ACTION_RESOLVE);
    ck_assert_int_eq(action.side, side);
    ck_assert_str_eq(action.name, name);
}

static inline void expect_tunnel(const char *name) {
    ck_assert_str_eq(expect_action(ACTION_TUNNEL).name, name);
}

static inline void expect_session(const char *url, bool outside) {
    ProcedureAction action = expect_action(ACTION_SESSION);
    ck_assert_str_eq(action.name, url);
    ck_assert_int_eq(action.outside, outside);
}

/* Sessions are with another HeMS from now on; other actions follow. */
static inline void expect_hems(const char *url) {
    ck_assert_str_eq(expect_next(ACTION_HEMS).name, url);
}

static inline void expect_state(AgentState state, ProcedureStep step) {
    ProcedureView view = procedure_view(p);
    ck_assert_int_eq(view.step, step);
    ck_assert_str_eq(agent_state_to_string(view.state), agent_state_to_string(state));
    ck_assert((view.s1->mme.n > 0) == (view.state == AGENT_REGISTERED));
}

static inline void expect_clause(const char *clause) {
    ck_assert_str_eq(procedure_view(p).clause, clause);
}

static inline void start(const char *url) {
    event(EVENT_NETWORK_UP);
    event(EVENT_START);
    expect_hems(url);
}
