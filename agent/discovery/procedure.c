/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See procedure.h. */
#include "discovery/procedure.h"

#include <stdio.h>

#include "base/log.h"
#include "discovery/answer.h"
#include "discovery/far-end.h"
#include "discovery/procedure-log.h"

#define ACTIONS_MAX 6

/* How the registration stands, independent of the step: a later session, or a failed one, does not take it
 * back; the loss of the tunnel does, and another HeMS. */
typedef enum Outcome {
    OUTCOME_NONE,
    OUTCOME_WITHOUT_MME,
    OUTCOME_REGISTERED,
} Outcome;

struct Procedure {
    ProcedureConfig config; /* sites in it change */
    Rng rng;
    ProcedureStep step;
    ProcedureStep failed; /* what a waiting step waits to do again */
    Way way;
    char hems_url[URL_MAX_BYTES];   /* of the sessions: what the last ACTION_HEMS said */
    char hems_host[HOST_MAX_BYTES]; /* of it */
    bool network, tunnel, session;
    bool due;                       /* a session is to be had; false: CWMP's schedule brings the next */
    char tunnel_to[HOST_MAX_BYTES]; /* which SeGW the tunnel is, or is to be, to, as configured */
    Address segw_address;           /* of it */
    Answer segws[SITE_SEGWS_MAX], hems;
    size_t segw, segw_index; /* to be tried next: which SeGW of the site, which of its addresses */
    size_t hems_index;
    unsigned tries;  /* addresses of SeGWs since the last wait */
    size_t handover; /* SeGW of the site whose name the private DNS is asked for */
    bool location;   /* is known, or was waited for long enough */
    usec_t location_deadline;
    FarEnd far_end;
    Outcome outcome;
    bool confirmed;        /* the far end is the word of the HeMS of *hems_url* since the start, not what was
                            * stored before */
    unsigned failures;     /* of the whole way, in a row */
    unsigned silent;       /* rounds in which nothing inside answered, in a row */
    unsigned mme_failures; /* rounds of questions for its names that left one open, in a row */
    usec_t deadline;
    char last_error[ERROR_MAX_BYTES];
    size_t n_actions;
    ProcedureAction actions[ACTIONS_MAX];
};

static void error_set(Procedure *p, const ProcedureEvent *e, const char *text);
static void registration_end(Procedure *p);

static void push(Procedure *p, ProcedureAction action) {
    assert(p->n_actions < ACTIONS_MAX);
    p->actions[p->n_actions++] = action;
}

/* Sites ----------------------------------------------------------------------------------------------- */

static const Site *site_of(const Procedure *p) {
    return sites_current(&p->config.sites);
}

static bool is_initial(const Procedure *p) {
    return p->config.sites.current == SITE_INITIAL;
}

/* Is there a SeGW before the HeMS of this side? */
static bool is_private(const Procedure *p) {
    return site_of(p)->n_segws > 0;
}

/* The tunnel there is leads to a SeGW of this side. */
static bool tunnel_fits(const Procedure *p) {
    return p->tunnel && site_has_segw(site_of(p), p->tunnel_to);
}

static void segws_forget(Procedure *p) {
    for (size_t i = 0; i < SITE_SEGWS_MAX; i++)
        p->segws[i].list.n = 0;
}

/* The search for a SeGW begins with the first one, whose name is asked for. */
static void segws_restart(Procedure *p) {
    p->segw = p->segw_index = 0;
    segws_forget(p);
}

/* Another HeMS's word counts from now on; or that of the same one, reached another way: behind another
 * gateway a name may be another machine's. To be registered is to have informed it there. */
static void hems_use(Procedure *p, const char *url) {
    Url parsed;

    p->hems.list.n = 0;
    p->confirmed = false;
    p->due = true;
    if (streq(p->hems_url, url)) {
        push(p, (ProcedureAction){.type = ACTION_MOVED});
        return;
    }
    registration_end(p);
    snprintf(p->hems_url, sizeof p->hems_url, "%s", url);
    p->hems_host[0] = 0;
    if (url_parse(url, &parsed, NULL) == 0)
        snprintf(p->hems_host, sizeof p->hems_host, "%s", parsed.host);
    push(p, (ProcedureAction){.type = ACTION_HEMS, .name = p->hems_url});
}

/* Goes by another side from now on: the current one of the sites. */
static void site_use(Procedure *p) {
    segws_restart(p);
    hems_use(p, site_of(p)->hems_url);
}

/* What the steps do and when they can be skipped ------------------------------------------------------- */

static bool network_skip(Procedure *p, Moment now) {
    return p->network;
}

static bool clock_skip(Procedure *p, Moment now) {
    return p->config.clock_lenient || now.real >= p->config.clock_floor;
}

static void clock_do(Procedure *p, Moment now) {
    error_set(p, &(ProcedureEvent){EVENT_NONE},
              "the clock stands before the day this program was built, or before a time it has seen: "
              "certificates cannot be judged");
    p->deadline = now.mono + PROCEDURE_CLOCK_POLL;
}

/* Asks the side that the step's row names. */
static void ask(Procedure *p, const char *name, bool outside) {
    push(p, (ProcedureAction){.type = ACTION_RESOLVE,
                              .side = procedure_row(p->step)->resolver,
                              .name = name,
                              .outside = outside});
}

static bool segw_dns_skip(Procedure *p, Moment now) {
    return p->tunnel || !is_private(p) || answer_known(&p->segws[p->segw], site_of(p)->segws[p->segw], now);
}

static void segw_dns_do(Procedure *p, Moment now) {
    ask(p, site_of(p)->segws[p->segw], true);
}

static bool tunnel_skip(Procedure *p, Moment now) {
    return p->tunnel || !is_private(p);
}

static void tunnel_do(Procedure *p, Moment now) {
    const AddressList *list = &p->segws[p->segw].list;

    if (p->segw_index >= list->n)
        p->segw_index = 0;
    p->tries = MIN(p->tries + 1, (unsigned)PROCEDURE_TRIES);
    p->segw_address = list->items[p->segw_index];
    snprintf(p->tunnel_to, sizeof p->tunnel_to, "%s", site_of(p)->segws[p->segw]);
    push(p, (ProcedureAction){.type = ACTION_TUNNEL, .name = p->tunnel_to, .address = p->segw_address});
}

static bool session_wait_skip(Procedure *p, Moment now) {
    return p->due;
}

static bool hems_known(Procedure *p, Moment now) {
    p->hems_index = 0;
    return answer_known(&p->hems, p->hems_host, now);
}

static bool hems_dns_skip(Procedure *p, Moment now) {
    return !is_private(p) || hems_known(p, now);
}

static bool public_hems_dns_skip(Procedure *p, Moment now) {
    return is_private(p) || hems_known(p, now);
}

static void hems_dns_do(Procedure *p, Moment now) {
    ask(p, p->hems_host, !is_private(p));
}

static bool location_skip(Procedure *p, Moment now) {
    if (p->location_deadline == USEC_NEVER)
        p->location_deadline = now.mono + p->config.wait_for_location;
    p->location = p->location || now.mono >= p->location_deadline;
    return p->location;
}

static void location_do(Procedure *p, Moment now) {
    p->deadline = p->location_deadline;
}

static void inform_do(Procedure *p, Moment now) {
    p->session = true;
    p->due = false;
    push(p, (ProcedureAction){.type = ACTION_SESSION,
                              .name = p->hems_url,
                              .address = p->hems.list.items[p->hems_index],
                              .outside = !is_private(p)});
}

/* Step 5: is there no tunnel but one that fits this side? */
static bool release_skip(Procedure *p, Moment now) {
    return !p->tunnel || tunnel_fits(p);
}

/* 6.1: the tunnel of before is there to be asked for the SeGW behind which the box will live. */
static bool handover_dns_skip(Procedure *p, Moment now) {
    const Site *site = site_of(p);

    if (release_skip(p, now))
        return true;
    while (p->handover < site->n_segws && answer_known(&p->segws[p->handover], site->segws[p->handover], now))
        p->handover++;
    return p->handover == site->n_segws;
}

static void handover_dns_do(Procedure *p, Moment now) {
    ask(p, site_of(p)->segws[p->handover], true);
}

/* Everything that hangs on the tunnel goes with it, what its DNS said too. */
static void tunnel_forget(Procedure *p, bool close) {
    if (close)
        push(p, (ProcedureAction){.type = ACTION_CLOSE});
    p->tunnel = p->session = false;
    registration_end(p);
    p->hems.list.n = 0;
}

static void release_do(Procedure *p, Moment now) {
    tunnel_forget(p, true);
}

static bool mme_dns_skip(Procedure *p, Moment now) {
    return !far_end_name(&p->far_end);
}

static void mme_dns_do(Procedure *p, Moment now) {
    ask(p, far_end_name(&p->far_end), false);
}

/* Uniform in [least, 2 * least), doubling with each failure in a row. */
static void wait_set(Procedure *p, Moment now, unsigned *failures) {
    usec_t least = PROCEDURE_WAIT_FIRST << MIN(*failures, (unsigned)PROCEDURE_DOUBLINGS);

    if (*failures <= PROCEDURE_DOUBLINGS)
        (*failures)++;
    p->deadline = now.mono + least + rng_below(&p->rng, least);
}

/* When the names of the published are asked for again: soon, where one is open, or when answers have grown
 * old. */
static void refresh_plan(Procedure *p, Moment now) {
    if (!far_end_is_complete(&p->far_end))
        wait_set(p, now, &p->mme_failures);
    else if (p->far_end.expires != USEC_NEVER)
        p->deadline = MAX(p->far_end.expires, now.mono + PROCEDURE_MME_REFRESH);
}

/* 5.1.3 is complete: what can be used is published, in one piece. A name that is still open is asked for
 * again soon, the others when their answers have grown old. */
static void registered_do(Procedure *p, Moment now) {
    far_end_publish(&p->far_end);
    p->outcome = p->far_end.published.mme.n > 0 ? OUTCOME_REGISTERED : OUTCOME_WITHOUT_MME;
    p->failures = 0;
    sites_succeeded(&p->config.sites);
    if (far_end_is_complete(&p->far_end)) {
        p->mme_failures = 0;
        p->last_error[0] = 0;
    }
    refresh_plan(p, now);
}

/* What is published is refreshed, whether the HeMS can be reached or not. */
static void session_wait_do(Procedure *p, Moment now) {
    if (p->outcome != OUTCOME_NONE)
        refresh_plan(p, now);
}

static void wait_do(Procedure *p, Moment now) {
    p->tries = 0;
    p->hems.list.n = 0; /* an attempt after a failure asks again, beginning where the last one ended */
    segws_forget(p);
    wait_set(p, now, &p->failures);
}

static void wait_mme_do(Procedure *p, Moment now) {
    wait_set(p, now, &p->mme_failures);
}

/* The table ------------------------------------------------------------------------------------------- */

#define ALL(clause)                                                                                          \
    { clause, clause, clause }
static const struct Row {
    ProcedureRow row;
    bool initial;                           /* at the Initial HeMS's side only */
    bool (*skip)(Procedure *p, Moment now); /* true: straight to *next* */
    void (*perform)(Procedure *p, Moment now);
    ProcedureEventType event; /* waited for; EVENT_NONE: nothing, *next* follows */
    ProcedureStep next;
    ProcedureStep on_failure;
} table[STEPS_] = {
    /* step: {title, {clause and steps on each way}, whose DNS, state},
     *       initial side only, skip if, does, waits for, next, on failure */
    /* clang-format off */
    [STEP_IDLE] =             {{"Not started", {}, RESOLVER_NONE, AGENT_IDLE},
                               false, NULL, NULL, EVENT_START, STEP_NETWORK, STEP_IDLE},
    [STEP_NETWORK] =          {{"Wait for the network", {"5.1.2.2 pre-condition", "5.1.2.3 pre-condition", "5.1.2.4 pre-condition"},
                                RESOLVER_NONE, AGENT_WAITING_NETWORK},
                               false, network_skip, NULL, EVENT_NETWORK_UP, STEP_CLOCK, STEP_NETWORK},
    [STEP_CLOCK] =            {{"Wait for a plausible clock", {"5.1.2.2 pre-condition", "5.1.2.3 pre-condition", "5.1.2.4 pre-condition"},
                                RESOLVER_NONE, AGENT_WAITING_NETWORK},
                               false, clock_skip, clock_do, EVENT_START, STEP_INITIAL_SEGW_DNS, STEP_NETWORK},

    [STEP_INITIAL_SEGW_DNS] = {{"Ask the public DNS for the Initial SeGW", {NULL, "5.1.2.3 steps 1.1-1.2", NULL},
                                RESOLVER_PUBLIC, AGENT_DISCOVERING},
                               true, segw_dns_skip, segw_dns_do, EVENT_RESOLVED, STEP_INITIAL_TUNNEL, STEP_WAIT},
    [STEP_INITIAL_TUNNEL] =   {{"Establish the IPsec tunnel to the Initial SeGW", {NULL, "5.1.2.3 step 1.3", NULL},
                                RESOLVER_NONE, AGENT_DISCOVERING},
                               true, tunnel_skip, tunnel_do, EVENT_TUNNEL_UP, STEP_INITIAL_WAIT, STEP_WAIT},
    [STEP_INITIAL_WAIT] =     {{"Wait for the next TR-069 session with the Initial HeMS", {NULL, "5.1.2.3 step 2.1", "5.1.2.4 step 2.1"},
                                RESOLVER_NONE, AGENT_RETRYING},
                               true, session_wait_skip, NULL, EVENT_SESSION_DUE, STEP_INITIAL_HEMS_DNS, STEP_WAIT},
    [STEP_INITIAL_HEMS_DNS] = {{"Ask the private DNS for the Initial HeMS", {NULL, "5.1.2.3 steps 1.4-1.5", NULL},
                                RESOLVER_PRIVATE, AGENT_DISCOVERING},
                               true, hems_dns_skip, hems_dns_do, EVENT_RESOLVED, STEP_PUBLIC_HEMS_DNS, STEP_WAIT},
    [STEP_PUBLIC_HEMS_DNS] =  {{"Ask the public DNS for the Initial HeMS", {NULL, NULL, "5.1.2.4 steps 1.1-1.2"},
                                RESOLVER_PUBLIC, AGENT_DISCOVERING},
                               true, public_hems_dns_skip, hems_dns_do, EVENT_RESOLVED, STEP_INITIAL_LOCATION, STEP_WAIT},
    [STEP_INITIAL_LOCATION] = {{"Wait for the box's location", {NULL, "5.1.2.3 step 2.1", "5.1.2.4 step 2.1"},
                                RESOLVER_NONE, AGENT_DISCOVERING},
                               true, location_skip, location_do, EVENT_LOCATION, STEP_INITIAL_INFORM, STEP_WAIT},
    [STEP_INITIAL_INFORM] =   {{"Open a TR-069 session with the Initial HeMS", {NULL, "5.1.2.3 steps 2.1-2.2", "5.1.2.4 steps 1.3-2.2"},
                                RESOLVER_NONE, AGENT_DISCOVERING},
                               true, NULL, inform_do, EVENT_SESSION_ACCEPTED, STEP_ASSIGNMENT, STEP_INITIAL_WAIT},
    [STEP_ASSIGNMENT] =       {{"Wait for the serving side from the Initial HeMS", {NULL, "5.1.2.3 steps 3.1-4", "5.1.2.4 steps 3.1-4"},
                                RESOLVER_NONE, AGENT_DISCOVERING},
                               true, NULL, NULL, EVENT_SESSION_ENDED, STEP_HANDOVER_DNS, STEP_INITIAL_WAIT},

    [STEP_HANDOVER_DNS] =     {{"Ask the private DNS for the Serving SeGW", {NULL, "5.1.2.3 steps 6.1-6.2", NULL},
                                RESOLVER_PRIVATE, AGENT_DISCOVERING},
                               false, handover_dns_skip, handover_dns_do, EVENT_RESOLVED, STEP_RELEASE, STEP_WAIT},
    [STEP_RELEASE] =          {{"Release the tunnel to the previous SeGW", {NULL, "5.1.2.3 step 5", NULL},
                                RESOLVER_NONE, AGENT_DISCOVERING},
                               false, release_skip, release_do, EVENT_NONE, STEP_SEGW_DNS, STEP_WAIT},

    [STEP_SEGW_DNS] =         {{"Ask the public DNS for the Serving SeGW", {"5.1.2.2 steps 1-2", "5.1.2.3 steps 6.1-6.2", "5.1.2.4 steps 5.1-5.2"},
                                RESOLVER_PUBLIC, AGENT_DISCOVERING},
                               false, segw_dns_skip, segw_dns_do, EVENT_RESOLVED, STEP_TUNNEL, STEP_WAIT},
    [STEP_TUNNEL] =           {{"Establish the IPsec tunnel to the Serving SeGW", {"5.1.2.2 step 3", "5.1.2.3 step 6.3", "5.1.2.4 step 5.3"},
                                RESOLVER_NONE, AGENT_DISCOVERING},
                               false, tunnel_skip, tunnel_do, EVENT_TUNNEL_UP, STEP_WAIT_SESSION, STEP_WAIT},
    [STEP_WAIT_SESSION] =     {{"Wait for the next TR-069 session", ALL("5.1.3 step 1.1"), RESOLVER_NONE, AGENT_RETRYING},
                               false, session_wait_skip, session_wait_do, EVENT_SESSION_DUE, STEP_HEMS_DNS, STEP_WAIT},
    [STEP_HEMS_DNS] =         {{"Ask the private DNS for the Serving HeMS", {"5.1.2.2 steps 4-5", "5.1.2.3 steps 6.4-6.5", "5.1.2.4 steps 5.4-5.5"},
                                RESOLVER_PRIVATE, AGENT_DISCOVERING},
                               false, hems_dns_skip, hems_dns_do, EVENT_RESOLVED, STEP_LOCATION, STEP_WAIT},
    [STEP_LOCATION] =         {{"Wait for the box's location", ALL("5.1.3 step 1.1"), RESOLVER_NONE, AGENT_REGISTERING},
                               false, location_skip, location_do, EVENT_LOCATION, STEP_INFORM, STEP_WAIT},
    [STEP_INFORM] =           {{"Open a TR-069 session with the Serving HeMS", ALL("5.1.3 steps 1.1-1.2"), RESOLVER_NONE, AGENT_REGISTERING},
                               false, NULL, inform_do, EVENT_SESSION_ACCEPTED, STEP_MME, STEP_WAIT_SESSION},
    [STEP_MME] =              {{"Wait for the MME from the Serving HeMS", ALL("5.1.3 steps 2.1-2.2"), RESOLVER_NONE, AGENT_REGISTERING},
                               false, NULL, NULL, EVENT_SESSION_ANSWERED, STEP_MME_DNS, STEP_WAIT_SESSION},
    [STEP_MME_DNS] =          {{"Ask the private DNS for the MME", ALL("5.1.3 step 2.1"), RESOLVER_PRIVATE, AGENT_REGISTERING},
                               false, mme_dns_skip, mme_dns_do, EVENT_RESOLVED, STEP_REGISTERED, STEP_WAIT_MME},
    [STEP_REGISTERED] =       {{"Registered with the Serving HeMS", ALL("5.1.3 steps 3-4"), RESOLVER_NONE, AGENT_REGISTERED},
                               false, NULL, registered_do, EVENT_SESSION_DUE, STEP_HEMS_DNS, STEP_WAIT},
    [STEP_WAIT_MME] =         {{"Wait before asking for the MME again", {}, RESOLVER_NONE, AGENT_RETRYING},
                               false, NULL, wait_mme_do, EVENT_SESSION_DUE, STEP_HEMS_DNS, STEP_WAIT},
    [STEP_WAIT] =             {{"Wait before the next attempt", {}, RESOLVER_NONE, AGENT_RETRYING},
                               false, NULL, wait_do, EVENT_START, STEP_NETWORK, STEP_WAIT},
    [STEP_DEREGISTERED] =     {{"De-registered by the operator", ALL("5.1.4"), RESOLVER_NONE, AGENT_DEREGISTERED},
                               false, NULL, NULL, EVENT_START, STEP_NETWORK, STEP_DEREGISTERED},
    /* clang-format on */
};

const ProcedureRow *procedure_row(ProcedureStep step) {
    return &table[step].row;
}

static const char *clause_of(const Procedure *p, ProcedureStep step) {
    return strempty(table[step].row.clauses[p->way]);
}

/* The journal ------------------------------------------------------------------------------------------- */

/* What is published, with the HeMS of the sessions. */
static ProcedureView view_for_log(const Procedure *p) {
    ProcedureView view = procedure_view(p);
    view.hems_url = p->hems_url;
    return view;
}

/* What went wrong at this step, by *e*. */
static void error_set(Procedure *p, const ProcedureEvent *e, const char *text) {
    const ProcedureView view = view_for_log(p);
    const char *name = p->step == STEP_HANDOVER_DNS ? site_of(p)->segws[p->handover]
                       : p->step == STEP_MME_DNS    ? far_end_name(&p->far_end)
                                                    : NULL;

    snprintf(p->last_error, sizeof p->last_error, "%s", text);
    procedure_log_failure(&view, e, name, text);
}

static void registration_end(Procedure *p) {
    const ProcedureView view = view_for_log(p);

    if (p->outcome == OUTCOME_REGISTERED)
        procedure_log_lost(&view);
    p->outcome = OUTCOME_NONE;
    far_end_withdraw(&p->far_end);
}

/* The step is reached, and what it does is begun. *before*: how the registration stood. */
static void step_log(const Procedure *p, Moment now, Outcome before) {
    const ProcedureView view = view_for_log(p);
    const bool waits = p->step == STEP_WAIT || p->step == STEP_WAIT_MME;

    if (p->step == STEP_REGISTERED && p->outcome != before)
        procedure_log_registered(&view);
    else
        procedure_log_step(&view, waits ? p->deadline - now.mono : USEC_NEVER);
}

/* The one place that writes the step; goes on over steps that have nothing to do or to wait for. */
static void step_set(Procedure *p, Moment now, ProcedureStep step, const char *cause) {
    const struct Row *from = &table[p->step], *to;
    const Outcome before = p->outcome;

    for (;; step = to->next) {
        to = &table[step];
        p->step = step;
        p->deadline = USEC_NEVER;
        if ((to->initial && !is_initial(p)) || (to->skip && to->skip(p, now)))
            continue;
        log_debug("procedure: %s -> %s (%s)", from->row.title, to->row.title, cause);
        if (to->perform)
            to->perform(p, now);
        step_log(p, now, before);
        if (to->event != EVENT_NONE)
            return;
        from = to;
    }
}

/* From the pre-condition on, at the side whose turn it is. */
static void round_start(Procedure *p, Moment now, const char *cause) {
    if (!p->tunnel)
        p->way = !is_initial(p) ? WAY_SERVING : is_private(p) ? WAY_PRIVATE : WAY_PUBLIC;
    step_set(p, now, STEP_NETWORK, cause);
}

/* Events ---------------------------------------------------------------------------------------------- */

/* A round of this side failed. True when another one's turn has come, and it is that one now. */
static bool side_failed(Procedure *p, Moment now) {
    if (!sites_failed(&p->config.sites, now) || !sites_next(&p->config.sites))
        return false;
    log_message(LOG_NOTICE, MESSAGE_OTHER_HEMS, &(LogFields){.peer = site_of(p)->hems_url},
                "no success: trying HeMS %s", site_of(p)->hems_url);
    if (p->tunnel)
        tunnel_forget(p, true);
    site_use(p);
    return true;
}

/* One step failed for good. Before the registration the way is tried again from its start, with a new tunnel,
 * where no mere session failed, and at another side when this one is dead; a registration that stands is not
 * taken back for a later session. */
static void way_failed(Procedure *p, Moment now, const char *text) {
    ProcedureStep on_failure = table[p->step].on_failure;

    p->failed = p->step;
    if (p->tunnel && p->silent >= PROCEDURE_SILENT_ROUNDS) {
        error_set(p, &(ProcedureEvent){EVENT_TUNNEL_DOWN},
                  "nothing inside the tunnel answers: building it anew");
        tunnel_forget(p, true);
        on_failure = STEP_WAIT;
    } else if (p->step == STEP_HANDOVER_DNS) {
        /* The tunnel is kept: only its DNS may be asked, and what is published stays. */
        p->handover = 0;
        step_set(p, now, STEP_WAIT, text);
        return;
    } else if (on_failure == STEP_WAIT && p->outcome != OUTCOME_NONE) {
        push(p, (ProcedureAction){.type = ACTION_SESSION_MISSED});
        p->due = false;
        on_failure = STEP_WAIT_SESSION;
    } else if (on_failure == STEP_WAIT && p->tunnel)
        tunnel_forget(p, true);
    if (p->outcome == OUTCOME_NONE && on_failure != STEP_WAIT_MME && side_failed(p, now))
        on_failure = STEP_WAIT;
    step_set(p, now, on_failure, text);
}

static void step_failed(Procedure *p, Moment now, const ProcedureEvent *e, const char *text) {
    error_set(p, e, text);
    way_failed(p, now, text);
}

/* An address of a SeGW, or its name, is no good: the next one, then the next SeGW (SecGWServer1, 2, 3). */
static void segw_failed(Procedure *p, Moment now, const ProcedureEvent *e) {
    error_set(p, e, e->text);
    p->segw_index++;
    if (p->segw_index >= p->segws[p->segw].list.n) {
        p->segw_index = 0;
        p->segw++;
    }
    if (p->segw >= site_of(p)->n_segws) {
        p->segw = 0;
        way_failed(p, now, e->text);
        return;
    }
    p->failed = p->step;
    step_set(p, now,
             p->tries >= PROCEDURE_TRIES ? STEP_WAIT
             : is_initial(p)             ? STEP_INITIAL_SEGW_DNS
                                         : STEP_SEGW_DNS,
             "next SeGW");
}

static bool step_asks_for_segw(const Procedure *p) {
    return p->step == STEP_INITIAL_SEGW_DNS || p->step == STEP_SEGW_DNS;
}

static bool step_builds_tunnel(const Procedure *p) {
    return table[p->step].event == EVENT_TUNNEL_UP;
}

static void on_network(Procedure *p, Moment now, bool up) {
    p->network = up;
    if (up) {
        if (p->step == STEP_NETWORK)
            step_set(p, now, STEP_CLOCK, "network is up");
        return;
    }
    /* With a tunnel, IKE finds out whether it still lives: an address that comes back changes nothing. */
    if (p->tunnel || p->step == STEP_IDLE || p->step == STEP_NETWORK || p->step == STEP_DEREGISTERED)
        return;
    if (step_builds_tunnel(p) || p->session)
        tunnel_forget(p, true);
    error_set(p, &(ProcedureEvent){EVENT_NETWORK_DOWN}, "the uplink lost its address or default route");
    step_set(p, now, STEP_NETWORK, "network is down");
}

static void on_mme_resolved(Procedure *p, Moment now, const ProcedureEvent *e) {
    if (e->text) /* one name that does not resolve must not cost the others */
        error_set(p, e, e->text);
    far_end_answer(&p->far_end, e->text ? NULL : e->addresses, e->ttl, now);
    if (far_end_name(&p->far_end))
        step_set(p, now, STEP_MME_DNS, "next name");
    else if (far_end_usable(&p->far_end))
        step_set(p, now, STEP_REGISTERED, "MME resolved");
    else if (e->text)
        way_failed(p, now, e->text); /* which is told already */
    else
        step_failed(p, now, e, "no MME has an address");
}

/* The private DNS that does not know the Serving SeGW leaves the question to the public one; one that says
 * nothing does not, as long as its tunnel is there. */
static void on_handover_resolved(Procedure *p, Moment now, const ProcedureEvent *e) {
    if (e->text && !e->absent) {
        step_failed(p, now, e, e->text);
        return;
    }
    if (!e->text)
        answer_set(&p->segws[p->handover], e->addresses, e->ttl, now);
    p->handover++;
    step_set(p, now, STEP_HANDOVER_DNS, e->text ? "not known inside" : "resolved");
}

/* Did anything inside answer? What the handover asks for has to be an answer to its question. */
static void silence_count(Procedure *p, const ProcedureEvent *e) {
    bool handover = p->step == STEP_HANDOVER_DNS && e->text && !e->absent;

    if (table[p->step].row.resolver != RESOLVER_PRIVATE)
        return;
    p->silent = e->silent || handover ? MIN(p->silent + 1, (unsigned)PROCEDURE_SILENT_ROUNDS) : 0;
}

static void on_resolved(Procedure *p, Moment now, const ProcedureEvent *e) {
    silence_count(p, e);
    if (p->step == STEP_MME_DNS)
        on_mme_resolved(p, now, e);
    else if (p->step == STEP_HANDOVER_DNS)
        on_handover_resolved(p, now, e);
    else if (!e->text) {
        answer_set(step_asks_for_segw(p) ? &p->segws[p->segw] : &p->hems, e->addresses, e->ttl, now);
        step_set(p, now, table[p->step].next, "resolved");
    } else if (step_asks_for_segw(p)) {
        p->segws[p->segw].list.n = 0;
        segw_failed(p, now, e);
    } else
        step_failed(p, now, e, e->text);
}

static void on_tunnel_down(Procedure *p, Moment now, const ProcedureEvent *e) {
    bool building = step_builds_tunnel(p);

    if (!building && !p->tunnel)
        return;
    if (building && !e->moved) {
        segw_failed(p, now, e);
        return;
    }
    bool registered = p->outcome != OUTCOME_NONE;
    error_set(p, e, e->text);
    tunnel_forget(p, false);
    if (e->moved) { /* nobody failed: at once, by the new address */
        round_start(p, now, e->text);
        return;
    }
    p->failed = is_initial(p) ? STEP_INITIAL_TUNNEL : STEP_TUNNEL;
    if (!registered)
        (void)side_failed(p, now);
    step_set(p, now, STEP_WAIT, e->text);
}

/* On with the HeMS's word on S1: resolved, then published. */
static void s1_follow(Procedure *p, Moment now, const char *cause) {
    p->mme_failures = 0;
    if (p->far_end.word.mme.n == 0)
        step_set(p, now, STEP_REGISTERED, "no MME yet");
    else
        step_set(p, now, STEP_MME_DNS, cause);
}

static void on_s1(Procedure *p, Moment now, const S1Config *s1, const char *cause) {
    far_end_take(&p->far_end, s1, now);
    p->confirmed = true;
    s1_follow(p, now, cause);
}

/* A tunnel that came back carries on where the HeMS left the box: no session without an event that calls for
 * one, and none before CWMP's retry wait is over. */
static void on_tunnel_up(Procedure *p, Moment now, const ProcedureEvent *e) {
    p->tunnel = true;
    p->silent = p->tries = 0;
    segws_restart(p);
    if (!p->confirmed) {
        step_set(p, now, table[p->step].next, "tunnel is up");
        return;
    }
    far_end_ask_again(&p->far_end, true, e->addresses);
    s1_follow(p, now, "tunnel is back");
}

static bool step_has_session(const Procedure *p) {
    return p->step == STEP_INITIAL_INFORM || p->step == STEP_ASSIGNMENT || p->step == STEP_INFORM ||
           p->step == STEP_MME;
}

/* Steps 3 to 6: the session has ended well, and the box lives where the HeMS has said. Where that is the HeMS
 * it has just spoken with, that session was the registration. */
static void assigned(Procedure *p, Moment now, const Site *site, const S1Config *s1) {
    bool initial = is_initial(p), same_hems = streq(site->hems_url, p->hems_url);

    sites_learn(&p->config.sites, site);
    p->failures = 0;
    p->handover = 0;
    if (!initial)
        p->way = WAY_SERVING;
    if (same_hems && tunnel_fits(p)) {
        on_s1(p, now, s1, "at home already");
        return;
    }
    site_use(p);
    if (same_hems && !initial) {
        far_end_take(&p->far_end, s1, now);
        p->confirmed = true; /* it was registered when it said so */
    }
    step_set(p, now, STEP_HANDOVER_DNS, "assigned");
}

static void on_initial_session_ended(Procedure *p, Moment now, const ProcedureEvent *e) {
    if (e->site && e->site->n_segws > 0)
        assigned(p, now, e->site, e->s1);
    else
        step_failed(p, now, e,
                    e->site ? "the Initial HeMS named a Serving HeMS and no Serving SeGW (SecGWServer1 to 3)"
                            : "the Initial HeMS named no serving side");
}

static void on_session_ended(Procedure *p, Moment now, const ProcedureEvent *e) {
    p->session = false;
    if (e->text) {
        if (step_has_session(p))
            step_failed(p, now, e, e->text);
        else /* what is published stays: the HeMS has taken our answer to it */
            error_set(p, e, e->text);
    } else if (is_initial(p)) {
        on_initial_session_ended(p, now, e);
    } else if (e->site && e->site->n_segws > 0 && sites_is_news(&p->config.sites, e->site)) {
        assigned(p, now, e->site, e->s1);
    } else if (step_has_session(p)) /* the values of before, confirmed by a session that ended well */
        on_s1(p, now, e->s1, "session ended");
}

/* TR-069 3.2.1.1: each address of the HeMS once; a failure is counted when none was to be had. */
static void on_session_unreached(Procedure *p, Moment now, const ProcedureEvent *e) {
    p->session = false;
    if (table[p->step].event == EVENT_SESSION_ACCEPTED && p->hems_index + 1 < p->hems.list.n) {
        error_set(p, e, e->text);
        p->hems_index++;
        step_set(p, now, p->step, "next address");
        return;
    }
    push(p, (ProcedureAction){.type = ACTION_SESSION_MISSED});
    p->hems.list.n = 0;
    p->silent = !e->silent ? 0 : MIN(p->silent + 1, (unsigned)PROCEDURE_SILENT_ROUNDS);
    step_failed(p, now, e, e->text);
}

static bool waits_for_session(const Procedure *p) {
    return !p->session && (p->tunnel || (!is_private(p) && p->network)) &&
           table[p->step].event == EVENT_SESSION_DUE;
}

/* 5.1.4. Whatever runs ends; nothing is sent any more. */
static void on_deregistered(Procedure *p, Moment now) {
    tunnel_forget(p, true);
    sites_unlearn(&p->config.sites);
    p->far_end = (FarEnd){.expires = USEC_NEVER, .published.connection_mode = "One"};
    p->confirmed = false;
    p->hems_url[0] = p->last_error[0] = 0;
    p->segw_address = (Address){};
    p->failures = p->silent = 0;
    step_set(p, now, STEP_DEREGISTERED, "FactoryReset");
}

/* What answers, addresses and failures of before are worth, somebody at the box doubts. */
static void on_reconnect(Procedure *p, Moment now) {
    if (p->step == STEP_IDLE || p->step == STEP_DEREGISTERED)
        return;
    tunnel_forget(p, true);
    segws_restart(p);
    p->handover = 0;
    p->failures = p->silent = p->tries = 0;
    round_start(p, now, "asked for");
}

/* Also after a de-registration was taken back. */
static void on_start(Procedure *p, Moment now) {
    if (p->step != STEP_IDLE && p->step != STEP_DEREGISTERED)
        return;
    if (p->config.deregistered && p->step == STEP_IDLE) {
        step_set(p, now, STEP_DEREGISTERED, "start");
        return;
    }
    site_use(p);
    round_start(p, now, "start");
}

void procedure_event(Procedure *p, Moment now, const ProcedureEvent *e) {
    switch (e->type) {
    case EVENT_NONE:
        return;
    case EVENT_START:
        on_start(p, now);
        return;
    case EVENT_NETWORK_UP:
    case EVENT_NETWORK_DOWN:
        on_network(p, now, e->type == EVENT_NETWORK_UP);
        return;
    case EVENT_DNS_CHANGED:
        if (p->step == STEP_WAIT && table[p->failed].row.resolver == RESOLVER_PUBLIC)
            round_start(p, now, "other DNS servers");
        return;
    case EVENT_RESOLVED:
        if (table[p->step].event == EVENT_RESOLVED)
            on_resolved(p, now, e);
        return;
    case EVENT_TUNNEL_UP:
        if (step_builds_tunnel(p))
            on_tunnel_up(p, now, e);
        return;
    case EVENT_TUNNEL_DOWN:
        on_tunnel_down(p, now, e);
        return;
    case EVENT_LOCATION:
        p->location = true;
        if (table[p->step].event == EVENT_LOCATION)
            step_set(p, now, table[p->step].next, "location is known");
        return;
    case EVENT_SESSION_ACCEPTED:
        p->silent = 0;
        if (table[p->step].event == EVENT_SESSION_ACCEPTED)
            step_set(p, now, table[p->step].next, "InformResponse");
        return;
    case EVENT_SESSION_ANSWERED:
        /* Mode and AdminState alone say nothing about the MMEs of before: those wait for the session's end.
         * What the Initial HeMS says of S1 is stored, and counts when the Serving one lets it stand. */
        if (p->session && !is_initial(p) && (e->mme_set || p->confirmed))
            on_s1(p, now, e->s1, "SetParameterValues");
        return;
    case EVENT_SESSION_ENDED:
        if (p->session)
            on_session_ended(p, now, e);
        return;
    case EVENT_SESSION_UNREACHED:
        if (p->session)
            on_session_unreached(p, now, e);
        return;
    case EVENT_SESSION_DUE:
        if (waits_for_session(p)) {
            p->due = true;
            step_set(p, now, table[p->step].next, "session due");
        }
        return;
    case EVENT_RECONNECT:
        on_reconnect(p, now);
        return;
    case EVENT_DEREGISTERED:
        on_deregistered(p, now);
        return;
    }
}

void procedure_tick(Procedure *p, Moment now) {
    if (now.mono < p->deadline)
        return;
    if (p->step == STEP_CLOCK && !clock_skip(p, now))
        p->deadline = now.mono + PROCEDURE_CLOCK_POLL;
    else if (p->step == STEP_WAIT)
        round_start(p, now, "time");
    else if (p->step == STEP_WAIT_MME || p->step == STEP_REGISTERED || p->step == STEP_WAIT_SESSION) {
        far_end_ask_again(&p->far_end, now.mono >= p->far_end.expires, NULL);
        step_set(p, now, STEP_MME_DNS, "time");
    } else
        step_set(p, now, table[p->step].next, "time");
}

usec_t procedure_deadline(const Procedure *p) {
    return p->deadline;
}

bool procedure_next(Procedure *p, ProcedureAction *ret) {
    if (p->n_actions == 0)
        return false;
    *ret = p->actions[0];
    p->n_actions--;
    memmove(p->actions, p->actions + 1, p->n_actions * sizeof p->actions[0]);
    return true;
}

static const char *segw_shown(const Procedure *p) {
    return p->tunnel || step_builds_tunnel(p) ? p->tunnel_to : site_of(p)->segws[p->segw];
}

ProcedureView procedure_view(const Procedure *p) {
    static const AgentState by_outcome[] = {
        [OUTCOME_WITHOUT_MME] = AGENT_REGISTERED_WITHOUT_MME,
        [OUTCOME_REGISTERED] = AGENT_REGISTERED,
    };
    const char *clause = clause_of(p, p->step);

    return (ProcedureView){
        .state = p->outcome == OUTCOME_NONE ? procedure_row(p->step)->state : by_outcome[p->outcome],
        .step = p->step,
        .title = procedure_row(p->step)->title,
        .clause = clause[0] ? clause : clause_of(p, p->failed),
        .s1 = &p->far_end.published,
        .segw = segw_shown(p),
        .hems_url = site_of(p)->hems_url,
        .segw_address = p->segw_address,
        .last_error = p->last_error,
        .waits_for_session = waits_for_session(p),
    };
}

int procedure_new(Procedure **ret, const ProcedureConfig *config, const Rng *rng) {
    Procedure *p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    p->config = *config;
    p->rng = *rng;
    p->far_end.published = config->s1;
    far_end_withdraw(&p->far_end);
    p->step = STEP_IDLE;
    p->deadline = p->location_deadline = p->far_end.expires = USEC_NEVER;
    sites_start(&p->config.sites);
    *ret = p;
    return 0;
}

void procedure_free(Procedure *p) {
    free(p);
}
