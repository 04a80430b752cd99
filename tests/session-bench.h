/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A session against a scripted HeMS, on a clock of the test's. */
#pragma once

#include <check.h>

#include "base/macro.h"
#include "cwmp/session.h"
#include "status.h"
#include "files.h"

#define URL "http://hems.example:7547/"
#define LTE "Device.Services.FAPService.1.FAPControl.LTE."

static const Moment start_time = {.mono = 1000 * USEC_PER_SEC, .real = UINT64_C(1795417689) * USEC_PER_SEC};

typedef struct Bench {
    Model *model;
    Session *session;
    Moment now;
    SoapMessage last; /* the POST that is out, decoded; SOAP_EMPTY with no arena: the empty POST */
    char *last_text;
    CwmpVersion version;  /* of SESSION_ACCEPTED */
    SessionAnswer answer; /* of the last SESSION_REPLIED */
    bool silent;          /* no verdict */
    const ModelFault *objections;
    size_t n_objections;
    SessionAction end;    /* of SESSION_ENDED */
    ModelOutcome outcome; /* of the last SESSION_CHANGED */
    char seen[256];       /* kinds of actions since the last look, a letter each */
} Bench;

static inline void bench_drain(Bench *b) {
    static const char letters[] = {
        [SESSION_POST] = 'p',     [SESSION_ACCEPTED] = 'a', [SESSION_CHANGED] = 'c', [SESSION_REPLIED] = 'r',
        [SESSION_PREPARED] = 'v', [SESSION_ANSWERED] = 'w', [SESSION_ENDED] = 'e'};
    SessionAction action;
    while (session_next(b->session, &action)) {
        size_t n = strlen(b->seen);
        b->seen[n] = letters[action.kind];
        if (action.kind == SESSION_POST && action.size == 0)
            b->seen[n] = '0';
        b->seen[n + 1] = 0;
        if (action.kind == SESSION_ENDED)
            b->end = action;
        if (action.kind == SESSION_ACCEPTED)
            b->version = action.version;
        if (action.kind == SESSION_REPLIED)
            b->answer = action.answer;
        if (action.kind == SESSION_PREPARED && !b->silent) {
            b->seen[n] = 0;
            session_verdict(b->session, b->now, b->objections, b->n_objections);
        }
        if (action.kind == SESSION_CHANGED)
            b->outcome = action.outcome;
        if (action.kind != SESSION_POST)
            continue;
        char error[ERROR_MAX_BYTES];
        free(b->last_text);
        soap_message_clear(&b->last);
        b->last_text = strndup(action.body, action.size);
        if (action.size > 0)
            ck_assert_msg(soap_decode(action.body, action.size, &b->last, error) == 0, "%s", error);
    }
}

/* What has happened since the last time: "p" POST, "0" empty POST, "a" accepted, "c" changed, "w" answered,
 * "e" ended. */
static inline const char *bench_seen(Bench *b) {
    static char seen[sizeof b->seen];
    bench_drain(b);
    memcpy(seen, b->seen, sizeof seen);
    b->seen[0] = 0;
    return seen;
}

/* With what *more* says beside URL, device and model. */
static inline Bench bench_with(const SessionConfig *more) {
    Bench b = {.now = start_time};
    SessionConfig config = *more;
    ck_assert_int_eq(model_new(&b.model, &(ModelConfig){0}), 0);
    config.url = URL;
    config.device = (SoapDevice){"Example", "00A0BC", "HeNB", "000001"};
    config.model = b.model;
    ck_assert_int_eq(session_new(&b.session, &config, b.now), 0);
    ck_assert_str_eq(bench_seen(&b), "p");
    return b;
}

static inline Bench bench_new(const SoapEvent *events, size_t n, uint32_t retry_count) {
    return bench_with(&(SessionConfig){.events = events, .n_events = n, .retry_count = retry_count});
}

static inline Bench bench_boot(void) {
    static const SoapEvent events[] = {{"0 BOOTSTRAP", ""}, {"1 BOOT", ""}};
    return bench_new(events, 2, 0);
}

static inline void bench_done(Bench *b) {
    session_free(b->session);
    model_free(b->model);
    soap_message_clear(&b->last);
    free(b->last_text);
}

static inline void bench_answer(Bench *b, unsigned status, const char *type, const char *body, size_t size) {
    const SessionResponse response = {.status = status, .content_type = type, .body = body, .size = size};
    b->now.mono += USEC_PER_SEC;
    ck_assert_int_eq(session_input(b->session, b->now, &response), 0);
    bench_drain(b);
}

static inline void bench_text(Bench *b, unsigned status, const char *body) {
    bench_answer(b, status, "text/xml", body, strlen(body));
}

static inline void bench_file(Bench *b, const char *name) {
    size_t size;
    _cleanup_free_ char *data = data_read("cwmp", name, &size);
    bench_answer(b, 200, "text/xml; charset=\"utf-8\"", data, size);
}

static inline void bench_broken(Bench *b, unsigned status) {
    const SessionResponse response = {.error = -ECONNRESET,
                                      .error_text = "Recv failure: Connection reset by peer",
                                      .status = status,
                                      .content_type = "",
                                      .body = ""};
    b->now.mono += USEC_PER_SEC;
    ck_assert_int_eq(session_input(b->session, b->now, &response), 0);
}

static inline void expect_end(Bench *b, int error, const char *says) {
    ck_assert_msg(b->end.kind == SESSION_ENDED, "not ended");
    ck_assert_msg(b->end.error == error, "%d: %s", b->end.error, b->end.text);
    ck_assert_msg(strstr(b->end.text, says) != NULL, "%s", b->end.text);
    ck_assert_uint_eq(session_deadline(b->session), USEC_NEVER);
    /* And then nothing more. */
    bench_text(b, 200, "<x/>");
    session_tick(b->session, (Moment){.mono = USEC_NEVER - 1});
    ck_assert_str_eq(bench_seen(b), "");
}

#define ENVELOPE(body)                                                                                       \
    "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" "                                     \
    "xmlns:c=\"urn:dslforum-org:cwmp-1-0\"><e:Header><c:ID>9</c:ID></e:Header><e:Body>" body                 \
    "</e:Body></e:Envelope>"

#define FAULT(code)                                                                                          \
    ENVELOPE(                                                                                                \
        "<e:Fault><faultcode>Server</faultcode><faultstring>CWMP fault</faultstring><detail><c:Fault>"       \
        "<FaultCode>" code "</FaultCode><FaultString>no</FaultString></c:Fault></detail></e:Fault>")

static inline Bench bench_asking(const SessionRequest *requests, size_t n) {
    return bench_with(&(SessionConfig){.requests = requests, .n_requests = n});
}
