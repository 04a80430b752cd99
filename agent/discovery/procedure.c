/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See procedure.h. */
#include "discovery/procedure.h"

#include <stdio.h>

#include "base/log.h"

#define ACTIONS_MAX 4

/* How the registration stands, independent of the step: a later session, or a failed one, does not take it
 * back; the loss of the tunnel does. */
typedef enum Outcome {
    OUTCOME_NONE,
    OUTCOME_WITHOUT_MME,
    OUTCOME_REGISTERED,
} Outcome;

struct Procedure {
    ProcedureConfig config;
    Rng rng;
    ProcedureStep step;
    ProcedureStep failed; /* what a waiting step waits to do again */
    bool network, tunnel, session;
    AddressList segw, hems; /* as resolved last, in the order to try */
    size_t segw_index, hems_index;
    S1Config candidate; /* as set by the HeMS, its names being resolved */
    size_t candidate_index;
    S1Config s1; /* published */
    Outcome outcome;
    bool confirmed;        /* *candidate* is the HeMS's word since the start, not what was stored before */
    unsigned failures;     /* of the whole way, in a row */
    unsigned silent;       /* rounds in which nothing inside answered, in a row */
    unsigned mme_failures; /* questions for the candidate's names that left one open, in a row */
    usec_t deadline;
    char last_error[ERROR_MAX_BYTES];
    size_t n_actions;
    ProcedureAction actions[ACTIONS_MAX];
};

static void push(Procedure *p, ProcedureAction action) {
    assert(p->n_actions < ACTIONS_MAX);
    p->actions[p->n_actions++] = action;
}

static void error_set(Procedure *p, const char *text) {
    snprintf(p->last_error, sizeof p->last_error, "%s", text);
    log_warning("%s", text);
}

/* What the steps do and when they can be skipped ------------------------------------------------------- */

static bool literal(const char *name, AddressList *ret) {
    Address a;
    if (address_parse(name, &a) < 0)
        return false;
    *ret = (AddressList){.n = 1, .items = {a}};
    return true;
}

static bool network_skip(Procedure *p, Moment now) {
    return p->network;
}

static bool clock_skip(Procedure *p, Moment now) {
    return now.real >= p->config.built;
}

static void clock_do(Procedure *p, Moment now) {
    error_set(p, "the clock stands before the day this program was built: certificates cannot be judged");
    p->deadline = now.mono + PROCEDURE_CLOCK_POLL;
}

/* Asks the side that the step's row names. */
static void ask(Procedure *p, const char *name) {
    push(p,
         (ProcedureAction){.type = ACTION_RESOLVE, .side = procedure_row(p->step)->resolver, .name = name});
}

static bool segw_dns_skip(Procedure *p, Moment now) {
    p->segw_index = 0;
    return literal(p->config.segw, &p->segw);
}

static void segw_dns_do(Procedure *p, Moment now) {
    ask(p, p->config.segw);
}

static void tunnel_do(Procedure *p, Moment now) {
    push(p, (ProcedureAction){
                .type = ACTION_TUNNEL, .name = p->config.segw, .address = p->segw.items[p->segw_index]});
}

static bool hems_dns_skip(Procedure *p, Moment now) {
    p->hems_index = 0;
    return literal(p->config.hems_host, &p->hems);
}

static void hems_dns_do(Procedure *p, Moment now) {
    ask(p, p->config.hems_host);
}

static void inform_do(Procedure *p, Moment now) {
    p->session = true;
    push(p, (ProcedureAction){
                .type = ACTION_SESSION, .name = p->config.hems_url, .address = p->hems.items[p->hems_index]});
}

static bool mme_dns_skip(Procedure *p, Moment now) {
    const MmeList *mme = &p->candidate.mme;
    while (p->candidate_index < mme->n && mme->items[p->candidate_index].addresses.n > 0)
        p->candidate_index++;
    return p->candidate_index == mme->n;
}

static void mme_dns_do(Procedure *p, Moment now) {
    ask(p, p->candidate.mme.items[p->candidate_index].entry);
}

static bool mme_known(const Procedure *p) {
    for (size_t i = 0; i < p->candidate.mme.n; i++)
        if (p->candidate.mme.items[i].addresses.n > 0)
            return true;
    return false;
}

/* Uniform in [least, 2 * least), doubling with each failure in a row. */
static void wait_set(Procedure *p, Moment now, unsigned *failures) {
    usec_t least = PROCEDURE_WAIT_FIRST << MIN(*failures, (unsigned)PROCEDURE_DOUBLINGS);

    (*failures)++;
    p->deadline = now.mono + least + rng_below(&p->rng, least);
}

/* 5.1.3 is complete: what can be used is published, in one piece. A name that is still open is asked for
 * again. */
static void registered_do(Procedure *p, Moment now) {
    const MmeList *mme = &p->candidate.mme;

    p->s1 = p->candidate;
    p->s1.mme = (MmeList){};
    for (size_t i = 0; i < mme->n; i++)
        if (mme->items[i].addresses.n > 0)
            p->s1.mme.items[p->s1.mme.n++] = mme->items[i];
    p->outcome = p->s1.mme.n > 0 ? OUTCOME_REGISTERED : OUTCOME_WITHOUT_MME;
    p->failures = 0;
    if (p->s1.mme.n < mme->n)
        wait_set(p, now, &p->mme_failures);
    else {
        p->mme_failures = 0;
        p->last_error[0] = 0;
    }
}

static void wait_do(Procedure *p, Moment now) {
    wait_set(p, now, &p->failures);
}

static void wait_mme_do(Procedure *p, Moment now) {
    wait_set(p, now, &p->mme_failures);
}

/* The table ------------------------------------------------------------------------------------------- */

static const struct Row {
    ProcedureRow row;
    bool (*skip)(Procedure *p, Moment now); /* true: straight to *next* */
    void (*perform)(Procedure *p, Moment now);
    ProcedureEventType event; /* waited for */
    ProcedureStep next;
    ProcedureStep on_failure;
} table[STEPS_] = {
    /* step: {title, clause and steps, whose DNS, state},
     *       skip if, does, waits for, next, on failure */
    /* clang-format off */
    [STEP_IDLE] =         {{"Not started", "", RESOLVER_NONE, AGENT_IDLE},
                           NULL, NULL, EVENT_START, STEP_NETWORK, STEP_IDLE},
    [STEP_NETWORK] =      {{"Wait for the network", "5.1.2.2 pre-condition", RESOLVER_NONE, AGENT_WAITING_NETWORK},
                           network_skip, NULL, EVENT_NETWORK_UP, STEP_CLOCK, STEP_NETWORK},
    [STEP_CLOCK] =        {{"Wait for a plausible clock", "5.1.2.2 pre-condition", RESOLVER_NONE, AGENT_WAITING_NETWORK},
                           clock_skip, clock_do, EVENT_START, STEP_SEGW_DNS, STEP_NETWORK},
    [STEP_SEGW_DNS] =     {{"Ask the public DNS for the Serving SeGW", "5.1.2.2 steps 1-2", RESOLVER_PUBLIC, AGENT_DISCOVERING},
                           segw_dns_skip, segw_dns_do, EVENT_RESOLVED, STEP_TUNNEL, STEP_WAIT},
    [STEP_TUNNEL] =       {{"Establish the IPsec tunnel to the Serving SeGW", "5.1.2.2 step 3", RESOLVER_NONE, AGENT_DISCOVERING},
                           NULL, tunnel_do, EVENT_TUNNEL_UP, STEP_HEMS_DNS, STEP_WAIT},
    [STEP_HEMS_DNS] =     {{"Ask the private DNS for the Serving HeMS", "5.1.2.2 steps 4-5", RESOLVER_PRIVATE, AGENT_DISCOVERING},
                           hems_dns_skip, hems_dns_do, EVENT_RESOLVED, STEP_INFORM, STEP_WAIT},
    [STEP_INFORM] =       {{"Open a TR-069 session with the Serving HeMS", "5.1.3 steps 1.1-1.2", RESOLVER_NONE, AGENT_REGISTERING},
                           NULL, inform_do, EVENT_SESSION_ACCEPTED, STEP_MME, STEP_WAIT_SESSION},
    [STEP_MME] =          {{"Wait for the MME from the Serving HeMS", "5.1.3 steps 2.1-2.2", RESOLVER_NONE, AGENT_REGISTERING},
                           NULL, NULL, EVENT_SESSION_ANSWERED, STEP_MME_DNS, STEP_WAIT_SESSION},
    [STEP_MME_DNS] =      {{"Ask the private DNS for the MME", "5.1.3 step 2.1", RESOLVER_PRIVATE, AGENT_REGISTERING},
                           mme_dns_skip, mme_dns_do, EVENT_RESOLVED, STEP_REGISTERED, STEP_WAIT_MME},
    [STEP_REGISTERED] =   {{"Registered with the Serving HeMS", "5.1.3 steps 3-4", RESOLVER_NONE, AGENT_REGISTERED},
                           NULL, registered_do, EVENT_SESSION_DUE, STEP_HEMS_DNS, STEP_WAIT},
    [STEP_WAIT] =         {{"Wait before the next attempt", "", RESOLVER_NONE, AGENT_RETRYING},
                           NULL, wait_do, EVENT_START, STEP_NETWORK, STEP_WAIT},
    [STEP_WAIT_MME] =     {{"Wait before asking for the MME again", "", RESOLVER_NONE, AGENT_RETRYING},
                           NULL, wait_mme_do, EVENT_SESSION_DUE, STEP_MME_DNS, STEP_WAIT},
    [STEP_WAIT_SESSION] = {{"Wait for the next TR-069 session", "5.1.3 step 1.1", RESOLVER_NONE, AGENT_RETRYING},
                           NULL, NULL, EVENT_SESSION_DUE, STEP_HEMS_DNS, STEP_WAIT},
    /* clang-format on */
};

const ProcedureRow *procedure_row(ProcedureStep step) {
    return &table[step].row;
}

/* The one place that writes the step; goes on over steps that have nothing to do. */
static void step_set(Procedure *p, Moment now, ProcedureStep step, const char *cause) {
    for (;;) {
        const struct Row *from = &table[p->step], *to = &table[step];
        if (step != p->step)
            log_debug("procedure: %s -> %s (%s)", from->row.title, to->row.title, cause);
        p->step = step;
        p->deadline = USEC_NEVER;
        if (!to->skip || !to->skip(p, now)) {
            log_info("%s%s%s%s", to->row.title, to->row.clause[0] ? " (" : "", to->row.clause,
                     to->row.clause[0] ? ")" : "");
            if (to->perform)
                to->perform(p, now);
            return;
        }
        step = to->next;
        cause = "already there";
    }
}

/* Everything that hangs on the tunnel goes with it. */
static void tunnel_forget(Procedure *p, bool close) {
    if (close)
        push(p, (ProcedureAction){.type = ACTION_TUNNEL_CLOSE});
    p->tunnel = p->session = false;
    p->outcome = OUTCOME_NONE;
    p->s1.mme = (MmeList){};
}

/* Events ---------------------------------------------------------------------------------------------- */

/* One step failed for good. Before the registration the way is tried again from its start, with a new tunnel,
 * where no mere session failed; a registration that stands is not taken back for a later session. */
static void step_failed(Procedure *p, Moment now, const char *text) {
    ProcedureStep on_failure = table[p->step].on_failure;

    error_set(p, text);
    p->failed = p->step;
    if (p->tunnel && p->silent >= PROCEDURE_SILENT_ROUNDS) {
        error_set(p, "nothing inside the tunnel answers: building it anew");
        tunnel_forget(p, true);
        on_failure = STEP_WAIT;
    } else if (on_failure == STEP_WAIT && p->outcome != OUTCOME_NONE) {
        push(p, (ProcedureAction){.type = ACTION_SESSION_MISSED});
        on_failure = STEP_WAIT_SESSION;
    } else if (on_failure == STEP_WAIT && p->tunnel)
        tunnel_forget(p, true);
    step_set(p, now, on_failure, text);
}

static void on_network(Procedure *p, Moment now, bool up) {
    p->network = up;
    if (up) {
        if (p->step == STEP_NETWORK)
            step_set(p, now, STEP_CLOCK, "network is up");
        return;
    }
    /* With a tunnel, IKE finds out whether it still lives: an address that comes back changes nothing. */
    if (!p->tunnel && p->step != STEP_IDLE && p->step != STEP_NETWORK) {
        if (p->step == STEP_TUNNEL)
            tunnel_forget(p, true);
        error_set(p, "the uplink lost its address or default route");
        step_set(p, now, STEP_NETWORK, "network is down");
    }
}

/* What was published of a name stays good until DNS says something else. */
static void mme_keep(Procedure *p) {
    Mme *mme = &p->candidate.mme.items[p->candidate_index];
    for (size_t i = 0; i < p->s1.mme.n; i++)
        if (streq(p->s1.mme.items[i].entry, mme->entry))
            mme->addresses = p->s1.mme.items[i].addresses;
}

static void on_resolved(Procedure *p, Moment now, const ProcedureEvent *e) {
    if (p->step == STEP_MME_DNS) {
        if (e->text) { /* one name that does not resolve must not cost the others */
            error_set(p, e->text);
            mme_keep(p);
        } else
            p->candidate.mme.items[p->candidate_index].addresses = *e->addresses;
        p->candidate_index++;
        if (!mme_dns_skip(p, now))
            step_set(p, now, STEP_MME_DNS, "next name");
        else if (mme_known(p))
            step_set(p, now, STEP_REGISTERED, "MME resolved");
        else
            step_failed(p, now, e->text ? e->text : "no MME has an address");
        return;
    }
    if (e->text) {
        if (p->tunnel && e->silent)
            p->silent++;
        step_failed(p, now, e->text);
        return;
    }
    *(p->step == STEP_SEGW_DNS ? &p->segw : &p->hems) = *e->addresses;
    step_set(p, now, table[p->step].next, "resolved");
}

static void on_tunnel_down(Procedure *p, Moment now, const char *text) {
    if (p->step == STEP_TUNNEL && p->segw_index + 1 < p->segw.n) {
        error_set(p, text);
        p->segw_index++;
        step_set(p, now, STEP_TUNNEL, "next address");
        return;
    }
    if (p->step != STEP_TUNNEL && !p->tunnel)
        return;
    tunnel_forget(p, false);
    error_set(p, text);
    p->failed = STEP_TUNNEL;
    step_set(p, now, STEP_WAIT, text);
}

/* The HeMS's word on S1: resolved, then published. That the cell is locked waits for nothing. */
static void on_s1(Procedure *p, Moment now, const S1Config *s1, const char *cause) {
    p->candidate = *s1;
    p->candidate_index = 0;
    p->confirmed = true;
    p->mme_failures = 0;
    p->s1.admin_state &= s1->admin_state;
    if (s1->mme.n == 0)
        step_set(p, now, STEP_REGISTERED, "no MME yet");
    else
        step_set(p, now, STEP_MME_DNS, cause);
}

/* A tunnel that came back carries on where the HeMS left the box: no session without an event that calls for
 * one, and none before CWMP's retry wait is over. Names are asked for again. */
static void on_tunnel_up(Procedure *p, Moment now, const ProcedureEvent *e) {
    p->tunnel = true;
    p->silent = 0;
    if (!p->confirmed) {
        step_set(p, now, e->session_due ? STEP_HEMS_DNS : STEP_WAIT_SESSION, "tunnel is up");
        return;
    }
    S1Config s1 = p->candidate;
    for (size_t i = 0; i < s1.mme.n; i++) {
        AddressList *list = &s1.mme.items[i].addresses;
        if (!literal(s1.mme.items[i].entry, list) || !address_list_find(e->addresses, list->items[0].family))
            list->n = 0;
    }
    on_s1(p, now, &s1, "tunnel is back");
}

static bool step_has_session(const Procedure *p) {
    return p->step == STEP_INFORM || p->step == STEP_MME;
}

static void on_session_ended(Procedure *p, Moment now, const ProcedureEvent *e) {
    p->session = false;
    if (!e->text) {
        if (step_has_session(p)) /* the values of before, confirmed by a session that ended well */
            on_s1(p, now, e->s1, "session ended");
        return;
    }
    if (step_has_session(p))
        step_failed(p, now, e->text);
    else /* what is published stays: the HeMS has taken our answer to it */
        error_set(p, e->text);
}

/* TR-069 3.2.1.1: each address of the HeMS once; a failure is counted when none was to be had. */
static void on_session_unreached(Procedure *p, Moment now, const ProcedureEvent *e) {
    p->session = false;
    if (p->step == STEP_INFORM && p->hems_index + 1 < p->hems.n) {
        error_set(p, e->text);
        p->hems_index++;
        step_set(p, now, STEP_INFORM, "next address");
        return;
    }
    push(p, (ProcedureAction){.type = ACTION_SESSION_MISSED});
    p->silent = e->silent ? p->silent + 1 : 0;
    step_failed(p, now, e->text);
}

static bool waits_for_session(const Procedure *p) {
    return p->tunnel && !p->session && table[p->step].event == EVENT_SESSION_DUE;
}

void procedure_event(Procedure *p, Moment now, const ProcedureEvent *e) {
    switch (e->type) {
    case EVENT_START:
        if (p->step == STEP_IDLE)
            step_set(p, now, STEP_NETWORK, "start");
        return;
    case EVENT_NETWORK_UP:
    case EVENT_NETWORK_DOWN:
        on_network(p, now, e->type == EVENT_NETWORK_UP);
        return;
    case EVENT_RESOLVED:
        if (table[p->step].event == EVENT_RESOLVED)
            on_resolved(p, now, e);
        return;
    case EVENT_TUNNEL_UP:
        if (p->step == STEP_TUNNEL)
            on_tunnel_up(p, now, e);
        return;
    case EVENT_TUNNEL_DOWN:
        on_tunnel_down(p, now, e->text);
        return;
    case EVENT_SESSION_ACCEPTED:
        p->silent = 0;
        if (p->step == STEP_INFORM)
            step_set(p, now, STEP_MME, "InformResponse");
        return;
    case EVENT_SESSION_ANSWERED:
        /* Mode and AdminState alone say nothing about the MMEs of before: those wait for the session's end.
         */
        if (p->session && (e->mme_set || p->confirmed))
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
        if (waits_for_session(p))
            step_set(p, now, STEP_HEMS_DNS, "session due");
        return;
    }
}

void procedure_tick(Procedure *p, Moment now) {
    if (now.mono < p->deadline)
        return;
    if (p->step == STEP_CLOCK && !clock_skip(p, now))
        p->deadline = now.mono + PROCEDURE_CLOCK_POLL;
    else if (p->step == STEP_WAIT_MME || p->step == STEP_REGISTERED) {
        p->candidate_index = 0;
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

ProcedureView procedure_view(const Procedure *p) {
    static const AgentState by_outcome[] = {
        [OUTCOME_WITHOUT_MME] = AGENT_REGISTERED_WITHOUT_MME,
        [OUTCOME_REGISTERED] = AGENT_REGISTERED,
    };
    const ProcedureRow *row = procedure_row(p->step);

    return (ProcedureView){
        .state = p->outcome == OUTCOME_NONE ? row->state : by_outcome[p->outcome],
        .step = p->step,
        .title = row->title,
        .clause = row->clause[0] ? row->clause : procedure_row(p->failed)->clause,
        .s1 = &p->s1,
        .segw_address = p->segw_index < p->segw.n ? p->segw.items[p->segw_index] : (Address){},
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
    p->s1 = config->s1;
    p->s1.mme = (MmeList){};
    p->step = STEP_IDLE;
    p->deadline = USEC_NEVER;
    *ret = p;
    return 0;
}

void procedure_free(Procedure *p) {
    free(p);
}
