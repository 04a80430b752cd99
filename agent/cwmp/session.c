/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See session.h. */
#include "cwmp/session.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "base/macro.h"
#include "cwmp/fault.h"
#include "cwmp/inform.h"
#include "cwmp/rpc.h"
#include "cwmp/session-request.h"
#include "cwmp/value.h"

/* A clock before this has not been set: CurrentTime is the Unknown Time then (TR-106 3.2). */
#define TIME_PLAUSIBLE (INT64_C(1704067200) * (int64_t)USEC_PER_SEC) /* 2024 */

/* One input leads to at most this many: ANSWERED, ACCEPTED, CHANGED, one REPLIED each request, and POST or
 * ENDED; two in reserve. */
#define ACTIONS_MAX (SESSION_REQUESTS_MAX + 6)

typedef enum SessionState {
    STATE_INFORMING, /* the Inform is out, its InformResponse has to be the next thing */
    STATE_ASKING,    /* a request of ours is out, its response has to be the next thing */
    STATE_DECIDING,  /* nothing is out: the verdict on what the HeMS sets is not here yet */
    STATE_SERVING,   /* the empty POST or an answer of ours is out; the HeMS asks or ends */
    STATE_LEAVING,   /* the FactoryResetResponse is out; whatever answers it, we end */
    STATE_ENDED,
} SessionState;

struct Session {
    SessionState state;
    char url[URL_MAX_BYTES];
    Model *model;
    char *body; /* of the POST that is out */
    size_t size;
    bool acknowledges_set; /* the POST that is out carries a SetParameterValuesResponse */
    bool factory_reset;    /* the HeMS has taken a FactoryResetResponse */
    CwmpVersion version;   /* of the Inform, then of the InformResponse */
    bool version_refused;  /* the Inform in it was */
    bool hold;             /* HoldRequests of the last envelope */
    const RpcServices *services;
    SoapMessage strings; /* of the requests */
    SessionRequest requests[SESSION_REQUESTS_MAX];
    size_t n_requests, next_request; /* the one that is out, or the next one */
    unsigned repeats;                /* of what is out, for an 8005 */
    unsigned n_ids;
    SoapMessage request, answer; /* DECIDING; answer borrows from request */
    RpcEffect effect;            /* DECIDING */
    bool acknowledges_reboot;    /* the POST that is out carries a RebootResponse */
    bool reboot;                 /* the HeMS has taken one */
    char reboot_key[RPC_BYTES(RPC_COMMAND_KEY_MAX)];
    char replied[ERROR_MAX_BYTES];
    usec_t answer_deadline, end_deadline;
    SessionAction actions[ACTIONS_MAX];
    size_t n_actions, next_action;
    char text[ERROR_MAX_BYTES]; /* why it ended */
    int fault;                  /* of CWMP that ended it, 0: none did */
};

static void session_push(Session *s, const SessionAction *action) {
    if (s->next_action == s->n_actions)
        s->next_action = s->n_actions = 0;
    assert(s->n_actions < ACTIONS_MAX);
    s->actions[s->n_actions++] = *action;
}

/* Takes over *body*; NULL: the empty POST. */
static void session_post(Session *s, Moment now, char *body, size_t size) {
    free(s->body);
    s->body = body;
    s->size = size;
    s->answer_deadline = now.mono + SESSION_ANSWER_TIMEOUT;
    session_push(s, &(SessionAction){.kind = SESSION_POST, .body = body ? body : "", .size = size});
}

static void session_end(Session *s, int error, usec_t retry_after, const char *format, ...) _printf_(4, 5);
static void session_end(Session *s, int error, usec_t retry_after, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    vsnprintf(s->text, sizeof s->text, format, ap);
    va_end(ap);
    s->state = STATE_ENDED;
    session_push(s, &(SessionAction){.kind = SESSION_ENDED,
                                     .error = error,
                                     .factory_reset = s->factory_reset,
                                     .reboot = s->reboot,
                                     .command_key = s->reboot_key,
                                     .version_refused = s->version_refused,
                                     .text = s->text,
                                     .fault = s->fault,
                                     .retry_after = retry_after});
}

static int add_parameter(void *userdata, const char *name, const ModelParameter *parameter,
                         const char *value) {
    SoapParameter p = {name, model_type_wire(parameter->type), value};
    return soap_add_parameter(userdata, &p);
}

static int build_inform(const SessionConfig *config, Moment now, char **ret, size_t *ret_size) {
    _cleanup_(soap_message_clear) SoapMessage m = {
        /* The oldest namespace if nothing else is known, since there are HeMSs that know no other; what we
         * know beyond it is an offer. */
        .version = config->version,
        .supported_versions = true,
        .id = "1",
        .kind = SOAP_INFORM,
        .device = config->device,
        .max_envelopes = 1,
        .retry_count = config->retry_count,
    };
    char current_time[VALUE_TIME_MAX];

    m.current_time = (int64_t)now.real < TIME_PLAUSIBLE
                         ? SOAP_TIME_UNKNOWN
                         : value_format_time((int64_t)(now.real / USEC_PER_SEC), current_time);
    for (size_t i = 0; i < config->n_events; i++)
        if (soap_add_event(&m, &config->events[i]) < 0)
            return -ENOMEM;
    int r = inform_parameters(config->model, strempty(config->inform_parameters), config->events,
                              config->n_events, add_parameter, &m);
    return r < 0 ? r : soap_encode(&m, ret, ret_size);
}

int session_new(Session **ret, const SessionConfig *config, Moment now) {
    char *inform;
    size_t size;

    if (config->n_events > SESSION_EVENTS_MAX || config->n_requests > SESSION_REQUESTS_MAX)
        return -E2BIG;
    int r = build_inform(config, now, &inform, &size);
    if (r < 0)
        return r;
    Session *s = calloc(1, sizeof *s);
    if (!s) {
        free(inform);
        return -ENOMEM;
    }
    s->model = config->model;
    s->services = config->services;
    s->version = config->version;
    s->n_ids = 1;
    for (; r == 0 && s->n_requests < config->n_requests; s->n_requests += r == 0)
        r = session_request_copy(&s->strings, &config->requests[s->n_requests], &s->requests[s->n_requests]);
    if (r < 0) {
        free(inform);
        session_free(s);
        return r;
    }
    s->end_deadline = now.mono + SESSION_TIMEOUT;
    snprintf(s->url, sizeof s->url, "%s", config->url);
    session_post(s, now, inform, size);
    *ret = s;
    return 0;
}

static void decision_clear(Session *s) {
    model_transaction_free(TAKE_PTR(s->effect.transaction));
    soap_message_clear(&s->answer);
    soap_message_clear(&s->request);
}

void session_free(Session *session) {
    if (!session)
        return;
    decision_clear(session);
    for (size_t i = 0; i < session->n_requests; i++)
        free((void *)session->requests[i].args);
    soap_message_clear(&session->strings);
    free(session->body);
    free(session);
}

usec_t session_deadline(const Session *session) {
    return session->state == STATE_ENDED ? USEC_NEVER : MIN(session->answer_deadline, session->end_deadline);
}

bool session_next(Session *session, SessionAction *ret) {
    if (session->next_action == session->n_actions)
        return false;
    *ret = session->actions[session->next_action++];
    return true;
}

/* TR-069 A.5.2: 8005 asks for the same request once more, in this session. */
static bool session_repeats(Session *s, Moment now, const SoapMessage *m) {
    if (m->fault != CWMP_FAULT_RETRY || (s->state != STATE_INFORMING && s->state != STATE_ASKING) ||
        s->repeats == SESSION_REPEATS_MAX)
        return false;
    s->repeats++;
    char *body = TAKE_PTR(s->body);
    session_post(s, now, body, s->size);
    return true;
}

/* A Fault where we cannot go on. */
static void session_fault(Session *s, const SoapMessage *m, unsigned status, usec_t retry_after) {
    s->fault = m->fault;
    session_end(s, -ECONNREFUSED, retry_after, "HTTP %u from %s: fault %d %.200s", status, s->url, m->fault,
                m->fault_text);
}

/* What comes after something of ours was answered: our next request, else the empty POST. 0 or -ENOMEM. */
static int session_advance(Session *s, Moment now) {
    char id[12], *body;
    size_t size;

    for (; !s->hold && s->next_request < s->n_requests; s->next_request++) {
        const SessionRequest *request = &s->requests[s->next_request];
        if (soap_since(session_request_kind(request->kind)) > s->version) {
            session_push(s,
                         &(SessionAction){.kind = SESSION_REPLIED,
                                          .answer = {request->id, request->kind, FAULT_METHOD_NOT_SUPPORTED,
                                                     "not in this version of CWMP"}});
            continue;
        }
        snprintf(id, sizeof id, "%u", ++s->n_ids);
        int r = session_request_encode(request, s->version, id, &body, &size);
        if (r < 0)
            return r;
        s->state = STATE_ASKING;
        s->repeats = 0;
        session_post(s, now, body, size);
        return 0;
    }
    s->state = STATE_SERVING;
    session_post(s, now, NULL, 0);
    return 0;
}

/* A Fault to a request of ours (not the Inform) is an answer like any other: who made it knows what to do. */
static int session_replied(Session *s, Moment now, const SoapMessage *m) {
    const SessionRequest *request = &s->requests[s->next_request];
    SoapKind expected = session_request_answer(request->kind);
    bool fault = m->kind == SOAP_FAULT;

    if (fault && session_repeats(s, now, m))
        return 0;
    if (!fault && (m->kind != expected || m->not_understood)) {
        session_end(s, -EPROTO, 0, "%.60s from %s instead of a response to our request",
                    *m->name ? m->name : "an empty Body", s->url);
        return 0;
    }
    snprintf(s->replied, sizeof s->replied, "%.200s", fault ? m->fault_text : "");
    if (fault)
        log_message(LOG_NOTICE, MESSAGE_HEMS_FAULT,
                    &(LogFields){.peer = s->url, .cwmp_fault = LOG_NUMBER(m->fault), .error = s->replied},
                    "fault %d %s from %s to our request", m->fault, s->replied, s->url);
    session_push(s, &(SessionAction){.kind = SESSION_REPLIED,
                                     .answer = {request->id, request->kind,
                                                !fault     ? 0
                                                : m->fault ? m->fault
                                                           : CWMP_FAULT_ACS_INTERNAL,
                                                s->replied}});
    s->next_request++;
    return session_advance(s, now);
}

/* HTTP says no (a status other than 200 and 204); a SOAP Fault in it says why. 0 or -ENOMEM. */
static int session_refused(Session *s, Moment now, const SessionResponse *response) {
    _cleanup_(soap_message_clear) SoapMessage m = {0};
    char ignored[ERROR_MAX_BYTES];

    s->version_refused = s->state == STATE_INFORMING && s->version > CWMP_1_0 &&
                         (response->status == 400 || response->status == 500);
    if (response->status == 401)
        session_end(s, -EACCES, 0, "HTTP 401 from %s: it wants a user name and password", s->url);
    else if (response->size > 0 && soap_decode(response->body, response->size, &m, ignored) == 0 &&
             m.kind == SOAP_FAULT) {
        if (s->state == STATE_ASKING)
            return session_replied(s, now, &m);
        if (!session_repeats(s, now, &m))
            session_fault(s, &m, response->status, response->retry_after);
    } else
        session_end(s, -EPROTO, response->retry_after, "HTTP %u from %s", response->status, s->url);
    return 0;
}

/* TR-069 3.4.8: UseCWMPVersion, without it the namespace of the InformResponse. */
static CwmpVersion negotiated_version(const SoapMessage *m) {
    if (!m->use_version)
        return m->version;
    return streq(m->use_version, "1.0") ? CWMP_1_0 : streq(m->use_version, "1.1") ? CWMP_1_1 : CWMP_1_2;
}

static int session_informed(Session *s, Moment now, const SoapMessage *m) {
    if (m->kind == SOAP_FAULT) {
        if (session_repeats(s, now, m))
            return 0;
        s->version_refused = s->version > CWMP_1_0;
        session_fault(s, m, 200, 0);
    } else if (m->kind != SOAP_INFORM_RESPONSE) {
        session_end(s, -EPROTO, 0, "%s from %s instead of an InformResponse",
                    *m->name ? m->name : "an empty Body", s->url);
    } else if (m->not_understood) {
        session_end(s, -EPROTO, 0, "InformResponse from %s demands the unknown header %.100s", s->url,
                    m->not_understood);
    } else {
        s->version = negotiated_version(m);
        session_push(s, &(SessionAction){.kind = SESSION_ACCEPTED, .version = s->version});
        return session_advance(s, now);
    }
    return 0;
}

static void log_answer(const Session *s, const SoapMessage *request, const SoapMessage *answer) {
    if (answer->kind == SOAP_FAULT)
        log_message(LOG_NOTICE, MESSAGE_REQUEST_REFUSED,
                    &(LogFields){.peer = s->url,
                                 .cwmp_method = request->name,
                                 .cwmp_fault = LOG_NUMBER(answer->fault),
                                 .error = answer->fault_text},
                    "%s from %s: fault %d %s", request->name, s->url, answer->fault, answer->fault_text);
    else
        log_info("%s from %s: answered", request->name, s->url);
    for (size_t i = 0; i < answer->n_parameter_faults; i++)
        log_notice("%s from %s: fault %d for %s: %s", request->name, s->url, answer->parameter_faults[i].code,
                   answer->parameter_faults[i].name, answer->parameter_faults[i].text);
}

/* Sends the answer to a request that is decided. */
static int session_answer(Session *s, Moment now, const SoapMessage *request, const SoapMessage *answer,
                          const RpcEffect *effect) {
    char *body;
    size_t size;

    if (effect->values_set)
        session_push(s, &(SessionAction){.kind = SESSION_CHANGED, .outcome = effect->outcome});
    log_answer(s, request, answer);
    int r = soap_encode(answer, &body, &size);
    if (r < 0)
        return r;
    s->acknowledges_set = effect->values_set;
    s->acknowledges_reboot = effect->reboot;
    if (effect->reboot)
        snprintf(s->reboot_key, sizeof s->reboot_key, "%s", request->command_key);
    s->state = effect->factory_reset ? STATE_LEAVING : STATE_SERVING;
    session_post(s, now, body, size);
    return 0;
}

/* Takes *request* over if the answer has to wait for a verdict. */
static int session_serve(Session *s, Moment now, SoapMessage *request) {
    _cleanup_(soap_message_clear) SoapMessage answer = {0};
    RpcEffect effect = {0};

    int r = rpc_answer(s->model, s->services, request, &answer, &effect);
    if (r < 0)
        return r;
    if (!effect.transaction)
        return session_answer(s, now, request, &answer, &effect);
    SessionAction action = {.kind = SESSION_PREPARED};
    action.changes = model_transaction_changes(effect.transaction, &action.n_changes);
    s->request = *request;
    s->answer = answer;
    s->effect = effect;
    *request = answer = (SoapMessage){0};
    s->state = STATE_DECIDING;
    s->answer_deadline = now.mono + SESSION_VERDICT_TIMEOUT;
    session_push(s, &action);
    return 0;
}

static int session_decide(Session *s, Moment now, int fault, const ModelFault *faults, size_t n) {
    int r = rpc_conclude(s->model, fault, faults, n, &s->answer, &s->effect);
    if (r == 0)
        r = session_answer(s, now, &s->request, &s->answer, &s->effect);
    decision_clear(s);
    if (r < 0)
        session_end(s, r, 0, "out of memory in the session with %s", s->url);
    return r;
}

int session_verdict(Session *session, Moment now, const ModelFault *faults, size_t n) {
    return session->state == STATE_DECIDING ? session_decide(session, now, 0, faults, n) : 0;
}

void session_tick(Session *session, Moment now) {
    if (session->state == STATE_ENDED)
        return;
    if (now.mono >= session->end_deadline)
        session_end(session, -ETIMEDOUT, 0, "%s does not end the session, after %u minutes", session->url,
                    (unsigned)(SESSION_TIMEOUT / USEC_PER_SEC / 60));
    else if (now.mono >= session->answer_deadline && session->state == STATE_DECIDING)
        session_decide(session, now, FAULT_INTERNAL_ERROR, NULL, 0);
    else if (now.mono >= session->answer_deadline)
        session_end(session, -ETIMEDOUT, 0, "no answer from %s for %u s", session->url,
                    (unsigned)(SESSION_ANSWER_TIMEOUT / USEC_PER_SEC));
}

static bool is_answer(const SoapMessage *m) {
    static const char suffix[] = "Response";
    size_t n = strlen(m->name), k = sizeof suffix - 1;
    return n >= k && streq(m->name + n - k, suffix);
}

static int session_asked(Session *s, Moment now, SoapMessage *m) {
    if (m->kind == SOAP_FAULT)
        session_fault(s, m, 200, 0);
    else if (m->kind == SOAP_EMPTY)
        session_end(s, 0, 0, "%s ended the session", s->url);
    else if (is_answer(m))
        session_end(s, -EPROTO, 0, "%s from %s, though nothing was asked", m->name, s->url);
    else
        return session_serve(s, now, m);
    return 0;
}

/* An answer without an envelope: TR-069 3.7.2.4 ends the session, once the Inform is through and unless we
 * have requests that were held back and are not any more. */
static int session_nothing(Session *s, Moment now) {
    if (s->state != STATE_SERVING)
        session_end(s, -EPROTO, 0, "nothing from %s instead of %s", s->url,
                    s->state == STATE_INFORMING ? "an InformResponse" : "a response to our request");
    else if (!s->hold && s->next_request < s->n_requests)
        return session_advance(s, now);
    else
        session_end(s, 0, 0, "%s ended the session", s->url);
    return 0;
}

static bool is_blank(const SessionResponse *response) {
    const char *body = response->body;
    size_t i = 0;
    while (i < response->size && memchr(" \t\r\n", body[i], 4))
        i++;
    return i == response->size;
}

/* TS 32.593 5.1.4: the HeNB terminates the session upon its FactoryResetResponse. Any 2xx shows that the HeMS
 * has it, also one whose body breaks off; what that body asks for is no part of this session any more. */
static int session_leave(Session *s, Moment now, const SessionResponse *response) {
    if (response->status / 100 == 2) {
        s->factory_reset = true;
        session_end(s, 0, 0, "%s has our FactoryResetResponse", s->url);
    } else if (response->error < 0)
        session_end(s, response->error, 0, "%s: %s", s->url, response->error_text);
    else
        return session_refused(s, now, response);
    return 0;
}

static int session_envelope(Session *s, Moment now, const SessionResponse *response) {
    _cleanup_(soap_message_clear) SoapMessage m = {0};
    char error[ERROR_MAX_BYTES];

    int r = soap_decode(response->body, response->size, &m, error);
    if (r == -ENOMEM)
        return r;
    if (r < 0) {
        session_end(s, r, 0, "%.200s (%.60s from %s)", error,
                    *response->content_type ? response->content_type : "no content type", s->url);
        return 0;
    }
    s->hold = m.hold_requests;
    if (s->state == STATE_SERVING)
        return session_asked(s, now, &m);
    return s->state == STATE_ASKING ? session_replied(s, now, &m) : session_informed(s, now, &m);
}

int session_input(Session *session, Moment now, const SessionResponse *response) {
    int r = 0;

    if (session->state == STATE_ENDED || session->state == STATE_DECIDING)
        return 0;
    /* TS 32.593 5.1.3 step 2.2: any answer at all shows that the HeMS got what the POST carried. */
    if (session->acknowledges_set && response->status != 0)
        session_push(session, &(SessionAction){.kind = SESSION_ANSWERED});
    session->acknowledges_set = false;
    /* Only a 2xx shows that the HeMS has taken the RebootResponse. */
    session->reboot |= session->acknowledges_reboot && response->status / 100 == 2;
    session->acknowledges_reboot = false;

    if (session->state == STATE_LEAVING)
        r = session_leave(session, now, response);
    else if (response->error < 0)
        session_end(session, response->error, 0, "%s: %s", session->url, response->error_text);
    else if (response->status != 200 && response->status != 204)
        r = session_refused(session, now, response);
    else if (is_blank(response))
        r = session_nothing(session, now);
    else
        r = session_envelope(session, now, response);
    if (r < 0)
        session_end(session, r, 0, "out of memory in the session with %s", session->url);
    return r;
}
