/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See procedure-log.h. */
#include "discovery/procedure-log.h"

#include <stdio.h>

#include "base/log.h"

#define MMES_TEXT 512

static const char *mmes_format(const MmeList *list, char ret[static MMES_TEXT]) {
    size_t n = 0;

    ret[0] = 0;
    for (size_t i = 0; i < list->n && n < MMES_TEXT; i++)
        n += (size_t)snprintf(ret + n, MMES_TEXT - n, "%s%s", i ? " " : "", list->items[i].entry);
    return ret;
}
#define MMES_STR(list) mmes_format((list), (char[MMES_TEXT]){0})

void procedure_log_step(const ProcedureView *v, usec_t wait) {
    const char *state = agent_state_to_string(v->state);

    if (wait == USEC_NEVER) {
        log_message(LOG_INFO, MESSAGE_STEP,
                    &(LogFields){.step = v->title, .clause = v->clause, .state = state}, "%s%s%s%s", v->title,
                    v->clause[0] ? " (" : "", v->clause, v->clause[0] ? ")" : "");
        return;
    }
    const char *seconds = LOG_NUMBER((int64_t)(wait / USEC_PER_SEC));
    log_message(LOG_INFO, MESSAGE_RETRY,
                &(LogFields){.step = v->title, .state = state, .error = v->last_error, .retry_sec = seconds},
                "%s: %s s", v->title, seconds);
}

void procedure_log_registered(const ProcedureView *v) {
    const char *state = agent_state_to_string(v->state);

    if (v->state == AGENT_REGISTERED)
        log_message(LOG_NOTICE, MESSAGE_REGISTERED,
                    &(LogFields){.step = v->title,
                                 .clause = v->clause,
                                 .state = state,
                                 .peer = v->hems_url,
                                 .mme = MMES_STR(&v->s1->mme)},
                    "%s (%s)", v->title, v->clause);
    else
        log_message(LOG_NOTICE, MESSAGE_WITHOUT_MME,
                    &(LogFields){.step = v->title, .clause = v->clause, .state = state, .peer = v->hems_url},
                    "%s (%s), which has named no MME yet", v->title, v->clause);
}

void procedure_log_lost(const ProcedureView *v) {
    log_message(LOG_WARNING, MESSAGE_REGISTRATION_LOST,
                &(LogFields){
                    .step = v->title, .clause = v->clause, .peer = v->hems_url, .mme = MMES_STR(&v->s1->mme)},
                "no longer registered with %s", v->hems_url);
}

static bool builds_tunnel(const ProcedureView *v) {
    return v->step == STEP_INITIAL_TUNNEL || v->step == STEP_TUNNEL;
}

static LogMessage message_of(const ProcedureView *v, const ProcedureEvent *e) {
    if (e->type == EVENT_SESSION_ENDED || e->type == EVENT_SESSION_UNREACHED)
        return MESSAGE_SESSION_FAILED;
    if (e->message != MESSAGE_NONE)
        return e->message;
    return e->type == EVENT_TUNNEL_DOWN && !builds_tunnel(v) ? MESSAGE_TUNNEL_LOST : MESSAGE_STEP_FAILED;
}

/* Whom it is about: a SeGW by its address, or its name while it has none; a HeMS by its URL. */
static const char *peer_of(const ProcedureView *v, const ProcedureEvent *e, const char *name,
                           char address[static ADDRESS_STR_MAX]) {
    if (e->type == EVENT_TUNNEL_DOWN || builds_tunnel(v))
        return address_format(&v->segw_address, address);
    if (v->step == STEP_INITIAL_SEGW_DNS || v->step == STEP_SEGW_DNS)
        return v->segw;
    return name ?: v->hems_url;
}

void procedure_log_failure(const ProcedureView *v, const ProcedureEvent *e, const char *name,
                           const char *text) {
    const LogMessage message = message_of(v, e);

    log_message(LOG_WARNING, message,
                &(LogFields){.step = v->title,
                             .clause = v->clause,
                             .peer = peer_of(v, e, name, (char[ADDRESS_STR_MAX]){0}),
                             .error = text,
                             .cwmp_fault = e->fault ? LOG_NUMBER(e->fault) : NULL},
                "%s", text);
}
