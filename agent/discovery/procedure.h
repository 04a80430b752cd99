/* SPDX-License-Identifier: GPL-3.0-or-later */
/* THE procedures of TS 32.593 clause 5.1 as a table: one row a step, in the order of the text. Pure: events
 * and time in, actions out. It asks for "the addresses of NAME", "a tunnel to ADDRESS", "a session with URL"
 * and does not know how those are made. */
#pragma once

#include "base/address.h"
#include "base/macro.h"
#include "base/moment.h"
#include "base/rng.h"
#include "discovery/sites.h"
#include "status.h"

typedef struct Procedure Procedure;

/* After a failure the whole way is tried again after a wait that is uniform in [5 s, 10 s] and doubles with
 * each failure in a row, up to [320 s, 640 s]. */
#define PROCEDURE_WAIT_FIRST (5 * USEC_PER_SEC)
#define PROCEDURE_DOUBLINGS  6
/* Addresses of SeGWs tried between two waits; the others have their turn after the next one. It bounds what
 * an outage costs the uplink, however many addresses DNS names. */
#define PROCEDURE_TRIES 5
/* After so many rounds in a row in which nothing inside the tunnel answered, the tunnel is taken for dead
 * though IKE lives (ESP lost on the way, SAs gone from the kernel): it is built anew. */
#define PROCEDURE_SILENT_ROUNDS 3
/* How often the clock is looked at while it cannot be believed. */
#define PROCEDURE_CLOCK_POLL (1 * USEC_PER_SEC)
/* The names of published MMEs are asked for again when their answers have grown old, and not more often. */
#define PROCEDURE_MME_REFRESH (30 * USEC_PER_SEC)

/* In the order of the text. */
typedef enum ProcedureStep {
    STEP_IDLE,
    STEP_NETWORK,
    STEP_CLOCK,
    /* Only at the Initial HeMS's side. */
    STEP_INITIAL_SEGW_DNS,
    STEP_INITIAL_TUNNEL,
    STEP_INITIAL_WAIT, /* for the next session, which CWMP's own schedule brings */
    STEP_INITIAL_HEMS_DNS,
    STEP_PUBLIC_HEMS_DNS,
    STEP_INITIAL_LOCATION,
    STEP_INITIAL_INFORM,
    STEP_ASSIGNMENT,
    /* From one side to the other. */
    STEP_HANDOVER_DNS,
    STEP_RELEASE,
    /* At the Serving HeMS's side. */
    STEP_SEGW_DNS,
    STEP_TUNNEL,
    STEP_WAIT_SESSION,
    STEP_HEMS_DNS,
    STEP_LOCATION,
    STEP_INFORM,
    STEP_MME,
    STEP_MME_DNS,
    STEP_REGISTERED,
    STEP_WAIT_MME, /* before the MMEs' names are asked for again */
    STEP_WAIT,     /* for the next attempt */
    STEP_DEREGISTERED,
    STEPS_,
} ProcedureStep;

/* Whose DNS: clause 5.1's "public DNS" and "private DNS". */
typedef enum ResolverSide {
    RESOLVER_NONE,
    RESOLVER_PUBLIC,
    RESOLVER_PRIVATE,
} ResolverSide;

/* Which clause's steps are walked. */
typedef enum Way {
    WAY_SERVING, /* 5.1.2.2, and with serving data learned earlier */
    WAY_PRIVATE, /* 5.1.2.3 */
    WAY_PUBLIC,  /* 5.1.2.4 */
    WAYS_,
} Way;

typedef struct ProcedureConfig {
    Sites sites;        /* items and fallback_* of them */
    usec_t clock_floor; /* Moment.real before this is not believed */
    bool clock_lenient; /* and goes on all the same */
    usec_t wait_for_location;
    S1Config s1;       /* as stored: mode and AdminState until the HeMS says otherwise */
    bool deregistered; /* from the operator of the factory data */
} ProcedureConfig;

typedef enum ProcedureEventType {
    EVENT_NONE,       /* of a row that is done when it is performed */
    EVENT_START,      /* also: no longer de-registered */
    EVENT_NETWORK_UP, /* an address and a default route */
    EVENT_NETWORK_DOWN,
    EVENT_DNS_CHANGED,       /* other public servers than before */
    EVENT_RESOLVED,          /* answer to ACTION_RESOLVE: addresses and *ttl*, or a text */
    EVENT_TUNNEL_UP,         /* answer to ACTION_TUNNEL: *addresses* inside; or */
    EVENT_TUNNEL_DOWN,       /* it failed, or an established one is gone: text */
    EVENT_LOCATION,          /* the box knows where it is */
    EVENT_SESSION_ACCEPTED,  /* InformResponse */
    EVENT_SESSION_ANSWERED,  /* the HTTP answer to the POST that answered a SetParameterValues of S1
                              * parameters: *s1*, *mme_set* */
    EVENT_SESSION_ENDED,     /* without error, *s1* as it now stands and *site*; or with a text */
    EVENT_SESSION_UNREACHED, /* nothing was heard from the address: text */
    EVENT_SESSION_DUE,       /* CWMP's schedule wants a session */
    EVENT_RECONNECT,         /* somebody at the box wants the way gone anew */
    EVENT_DEREGISTERED,      /* 5.1.4: the mark is in the store */
} ProcedureEventType;

typedef struct ProcedureEvent {
    ProcedureEventType type;
    const char *text;             /* NULL: went well */
    const AddressList *addresses; /* RESOLVED, TUNNEL_UP */
    usec_t ttl;                   /* RESOLVED: how long the addresses live */
    bool silent;                  /* RESOLVED, SESSION_UNREACHED with a text: nobody answered in time */
    bool absent;                  /* RESOLVED with a text: the name does not exist or has no address */
    bool moved;         /* TUNNEL_DOWN: the uplink's address is another one, the gateway did not fail */
    const S1Config *s1; /* SESSION_ANSWERED, _ENDED; literals with, names without addresses */
    bool mme_set;       /* SESSION_ANSWERED: the MMEs themselves were set */
    LogMessage message; /* TUNNEL_DOWN: what the journal calls the text; MESSAGE_NONE: any failure */
    int fault;          /* SESSION_ENDED with a text: CWMP's, if it was one */
    const Site *site;   /* SESSION_ENDED: what HeMSs have assigned so far, NULL: nothing */
} ProcedureEvent;

typedef enum ProcedureActionType {
    ACTION_RESOLVE, /* ask *side* for *name*, which is to be reached *outside* of any tunnel or in it; a new
                     * question replaces an unanswered one */
    ACTION_HEMS,    /* sessions are with URL *name* from now on: another one wants 0 BOOTSTRAP */
    ACTION_MOVED,   /* the same HeMS is reached another way: it wants to be told */
    ACTION_TUNNEL,  /* to *name* at *address* */
    ACTION_CLOSE,   /* take the tunnel down, and a session in it or without one */
    ACTION_SESSION, /* with URL *name* at *address*, *outside* of any tunnel or in it */
    ACTION_SESSION_MISSED, /* the session that was due cannot be had: CWMP's schedule must bring the next */
} ProcedureActionType;

typedef struct ProcedureAction {
    ProcedureActionType type;
    ResolverSide side;
    const char *name; /* valid until the next event */
    Address address;
    bool outside;
} ProcedureAction;

/* What the procedure publishes. */
typedef struct ProcedureView {
    AgentState state;
    ProcedureStep step;
    const char *title, *clause; /* of the step; "" */
    const S1Config *s1;         /* published; MMEs only with AGENT_REGISTERED */
    const char *segw;           /* in use, being tried or to be tried first; "": there is none */
    const char *hems_url;
    Address segw_address; /* in use or being tried */
    const char *last_error;
    bool waits_for_session; /* EVENT_SESSION_DUE would be acted on now */
} ProcedureView;

/* 0 or -ENOMEM. Copies both. */
int procedure_new(Procedure **ret, const ProcedureConfig *config, const Rng *rng);
void procedure_free(Procedure *procedure);
DEFINE_CLEANUP(Procedure, procedure_free)

void procedure_event(Procedure *procedure, Moment now, const ProcedureEvent *event);
void procedure_tick(Procedure *procedure, Moment now);
usec_t procedure_deadline(const Procedure *procedure);
/* Takes the next action; drain until false after each call above. */
bool procedure_next(Procedure *procedure, ProcedureAction *ret);
ProcedureView procedure_view(const Procedure *procedure);

/* One row of the table, for docs/PROCEDURE.md and its test. */
typedef struct ProcedureRow {
    const char *title;
    const char *clauses[WAYS_]; /* clause and steps; NULL: not on that way */
    ResolverSide resolver;
    AgentState state;
} ProcedureRow;
const ProcedureRow *procedure_row(ProcedureStep step);
