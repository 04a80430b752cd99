/* SPDX-License-Identifier: GPL-3.0-or-later */
/* THE registration procedure of TS 32.593 clause 5.1 as a table: one row a step. Pure: events and time in,
 * actions out. It asks for "the addresses of NAME", "a tunnel to ADDRESS", "a session with URL" and does not
 * know how those are made. */
#pragma once

#include "base/address.h"
#include "base/macro.h"
#include "base/moment.h"
#include "base/rng.h"
#include "status.h"

typedef struct Procedure Procedure;

/* After a failure the whole way is tried again after a wait that is uniform in [5 s, 10 s] and doubles with
 * each failure in a row, up to [320 s, 640 s]. */
#define PROCEDURE_WAIT_FIRST (5 * USEC_PER_SEC)
#define PROCEDURE_DOUBLINGS  6
/* How often the clock is looked at while it stands before the day this program was built. */
#define PROCEDURE_CLOCK_POLL (1 * USEC_PER_SEC)

typedef enum ProcedureStep {
    STEP_IDLE,
    STEP_NETWORK,
    STEP_CLOCK,
    STEP_SEGW_DNS,
    STEP_TUNNEL,
    STEP_HEMS_DNS,
    STEP_INFORM,
    STEP_MME,
    STEP_MME_DNS,
    STEP_REGISTERED,
    STEP_WAIT,         /* for the next attempt */
    STEP_WAIT_MME,     /* before the MMEs' names are asked for again */
    STEP_WAIT_SESSION, /* for the next CWMP session, which CWMP's own schedule brings */
    STEPS_,
} ProcedureStep;

/* Whose DNS: clause 5.1's "public DNS" and "private DNS". */
typedef enum ResolverSide {
    RESOLVER_NONE,
    RESOLVER_PUBLIC,
    RESOLVER_PRIVATE,
} ResolverSide;

/* The way in of clause 5.1.2.2. */
typedef struct ProcedureConfig {
    char segw[HOST_MAX_BYTES];      /* Serving SeGW, name or address */
    char hems_url[URL_MAX_BYTES];   /* Serving HeMS */
    char hems_host[HOST_MAX_BYTES]; /* its host, name or address */
    usec_t built;                   /* Moment.real before this is not believed */
    S1Config s1;                    /* as stored: mode and AdminState until the HeMS says otherwise */
} ProcedureConfig;

typedef enum ProcedureEventType {
    EVENT_START,
    EVENT_NETWORK_UP, /* an address and a default route */
    EVENT_NETWORK_DOWN,
    EVENT_RESOLVED,          /* answer to ACTION_RESOLVE: addresses, or a text */
    EVENT_TUNNEL_UP,         /* answer to ACTION_TUNNEL: *session_due*; or */
    EVENT_TUNNEL_DOWN,       /* it failed, or an established one is gone: text */
    EVENT_SESSION_ACCEPTED,  /* InformResponse */
    EVENT_SESSION_ANSWERED,  /* the HTTP answer to the POST that answered a SetParameterValues of S1
                              *parameters: *s1*,  mme_set* */
    EVENT_SESSION_ENDED,     /* without error, and *s1* as it now stands, or with a text */
    EVENT_SESSION_UNREACHED, /* nothing was heard from the address: text */
    EVENT_SESSION_DUE,       /* CWMP's schedule wants a session */
} ProcedureEventType;

typedef struct ProcedureEvent {
    ProcedureEventType type;
    const char *text;             /* NULL: went well */
    const AddressList *addresses; /* EVENT_RESOLVED */
    const S1Config *s1;           /* EVENT_SESSION_ANSWERED, _ENDED; literals with, names without addresses */
    bool mme_set;                 /* EVENT_SESSION_ANSWERED: the MMEs themselves were set */
    bool session_due;             /* EVENT_TUNNEL_UP: CWMP's schedule wants a session now */
} ProcedureEvent;

typedef enum ProcedureActionType {
    ACTION_RESOLVE,        /* ask *side* for *name*; a new question replaces an unanswered one */
    ACTION_TUNNEL,         /* to *name* at *address* */
    ACTION_TUNNEL_CLOSE,   /* take it down, and a session in it */
    ACTION_SESSION,        /* with URL *name* at *address* */
    ACTION_SESSION_MISSED, /* the session that was due cannot be had: CWMP's schedule must bring the next */
} ProcedureActionType;

typedef struct ProcedureAction {
    ProcedureActionType type;
    ResolverSide side;
    const char *name; /* valid as long as the procedure */
    Address address;
} ProcedureAction;

/* What the procedure publishes. */
typedef struct ProcedureView {
    AgentState state;
    ProcedureStep step;
    const char *title, *clause; /* of the step */
    const S1Config *s1;         /* published; MMEs only with AGENT_REGISTERED */
    Address segw_address;       /* in use or being tried */
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

/* One row of the table, for the README and its test. */
typedef struct ProcedureRow {
    const char *title, *clause;
    ResolverSide resolver;
    AgentState state;
} ProcedureRow;
const ProcedureRow *procedure_row(ProcedureStep step);
