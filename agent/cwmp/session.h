/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One CWMP session of the CPE (TR-069 clause 3.7): Inform, InformResponse, our own requests one by one, empty
 * POST, the HeMS's requests, end. Pure: HTTP answers and time in, POSTs and events out. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/moment.h"
#include "cwmp/model.h"
#include "cwmp/rpc-services.h"
#include "cwmp/soap.h"

/* TR-069 3.7.2.4 allows not less than 30 s for an HTTP answer. */
#define SESSION_ANSWER_TIMEOUT (60 * USEC_PER_SEC)
/* A HeMS that never ends a session must not keep the next one from happening. */
#define SESSION_TIMEOUT    (60 * 60 * USEC_PER_SEC)
#define SESSION_EVENTS_MAX 64 /* cwmp-1-0.xsd: EventList */
/* Our own requests in one session; the others have to wait for the next one. */
#define SESSION_REQUESTS_MAX 32
/* How often a request is repeated that the HeMS answers with 8005 (TR-069 A.5.2: retry request). */
#define SESSION_REPEATS_MAX 3
/* For others to object to what a HeMS sets; silence is 9002. */
#define SESSION_VERDICT_TIMEOUT (2 * USEC_PER_SEC)

typedef struct SessionConfig {
    const char *url;   /* of the HeMS, for what a person reads; copied */
    SoapDevice device; /* copied into the Inform at once */
    const SoapEvent *events;
    size_t n_events;
    uint32_t retry_count;
    const char *inform_parameters;  /* as for inform_parameters(); NULL: none */
    CwmpVersion version;            /* what this HeMS spoke last time; CWMP_1_0 for one that is not known */
    const SessionRequest *requests; /* our own; copied */
    size_t n_requests;
    const RpcServices *services; /* NULL: none; must outlive the session */
    Model *model;                /* must outlive the session */
} SessionConfig;

/* What came back for a POST. */
typedef struct SessionResponse {
    int error;                /* 0, or negative errno: the answer is missing or not whole */
    const char *error_text;   /* then: one line for a person */
    unsigned status;          /* HTTP status, 0 when not even that arrived */
    const char *content_type; /* "" when absent */
    const void *body;
    size_t size;
    usec_t retry_after; /* HTTP Retry-After as a time from now, 0 when absent */
} SessionResponse;

typedef enum SessionActionKind {
    SESSION_POST,     /* send *body*, *size* bytes, 0: the empty POST; then call session_input() */
    SESSION_ACCEPTED, /* the InformResponse is here (TS 32.593 5.1.3 step 1.2): the events are delivered; the
                         next session with this HeMS may use *version* */
    SESSION_REPLIED,  /* one of our own requests was answered; *answer* says which and how */
    SESSION_PREPARED, /* *n_changes* *changes* are asked for: call session_verdict(), at once or within
                         SESSION_VERDICT_TIMEOUT */
    SESSION_CHANGED,  /* a SetParameterValues, AddObject or DeleteObject has been committed (step 2.1);
                       *outcome* says what it touched */
    SESSION_ANSWERED, /* the HTTP answer to the POST that carried its response has arrived, whatever it holds
                         (step 2.2) */
    SESSION_ENDED,    /* the last action: *error* 0 or negative errno with *text* */
} SessionActionKind;

typedef struct SessionAction {
    SessionActionKind kind;
    const void *body; /* until the next session_input() */
    size_t size;
    CwmpVersion version;        /* ACCEPTED */
    SessionAnswer answer;       /* REPLIED */
    const ModelChange *changes; /* PREPARED, until the verdict */
    size_t n_changes;
    ModelOutcome outcome;
    int error;
    bool factory_reset; /* ENDED well: the HeMS has taken our FactoryResetResponse (TS 32.593 5.1.4) */
    bool reboot;        /* ENDED, well or not: a 2xx showed that the HeMS has taken our RebootResponse; with
                         *command_key* */
    const char *command_key; /* until session_free() */
    bool version_refused;    /* ENDED with an error: the HeMS refused an Inform in a namespace after cwmp-1-0,
                                which the next one should be in */
    const char *text;        /* "HTTP 404 from http://hems.example:7547/", until session_free() */
    usec_t retry_after;      /* ENDED with an error: the HeMS asked for at least this pause */
    int fault;               /* ENDED with an error: CWMP's, if it was one */
} SessionAction;

typedef struct Session Session;

/* Starts a session; its first action is the POST of the Inform. 0, -ENOMEM, -E2BIG (events,
 * requests). */
int session_new(Session **ret, const SessionConfig *config, Moment now);
void session_free(Session *session);
/* The outcome of the POST last asked for. After SESSION_ENDED nothing happens any more. 0 or -ENOMEM (the
 * session has then ended with it, too). */
int session_input(Session *session, Moment now, const SessionResponse *response);
/* What others say to the changes of SESSION_PREPARED: *n* objections (9001, 9007), 0: none. Too late it means
 * nothing. 0 or -ENOMEM as above. */
int session_verdict(Session *session, Moment now, const ModelFault *faults, size_t n);
void session_tick(Session *session, Moment now);
/* When session_tick() is due; USEC_NEVER after the end. */
usec_t session_deadline(const Session *session);
/* The next action; false when there is none. Drain it after new, input and tick. */
bool session_next(Session *session, SessionAction *ret);
