/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cwmp-messages.h"

#include <check.h>
#include <stdio.h>

#include "base/macro.h"
#include "cwmp/fault.h"
#include "cwmp/rpc.h"
#include "cwmp/session-request.h"
#include "cwmp/session.h"

typedef struct Walk {
    CwmpVersion version;
    MessageVisitor visitor;
    void *userdata;
} Walk;

static void visit(const Walk *w, const char *what, const SoapMessage *m) {
    char *text;
    size_t size;
    ck_assert_msg(soap_encode(m, &text, &size) == 0, "%s", what);
    w->visitor(w->userdata, what, text, size);
    free(text);
}

/* *n* characters with those that XML has to escape, or cannot carry, among them. */
static const char *long_text(SoapMessage *owner, size_t n) {
    static const char *const some[] = {"<", "&", "\"", ">", "\xc3\xa4", "\xf0\x9f\x98\x80", "]", "x"};
    char *text = calloc(1, 4 * n + 8), *end = text;
    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < n; i++)
        end = stpcpy(end, some[i % ARRAY_SIZE(some)]);
    strcpy(end, "\x01\x1f\xff");
    const char *copy = soap_string(owner, text, strlen(text));
    free(text);
    return copy;
}

typedef enum Filling { BARE, TYPICAL, FULL, FILLINGS_ } Filling;

static void fill(SoapMessage *m, Filling filling) {
    static const SessionFileArg args[] = {{"Version", "1.2"}, {"a<b", "&"}};
    static const char *const types[][2] = {{"string", " a  b "},
                                           {"int", "-5"},
                                           {"unsignedInt", "4294967295"},
                                           {"boolean", "true"},
                                           {"dateTime", "2026-11-23T07:00:00Z"},
                                           {"dateTime", SOAP_TIME_UNKNOWN},
                                           {"base64Binary", "AQID"},
                                           {"hexBinary", "0aFF"},
                                           {"long", "-9223372036854775808"},
                                           {"unsignedLong", "18446744073709551615"}};
    size_t n = filling == BARE ? 0 : filling == TYPICAL ? 1 : 16;

    m->device = filling == FULL ? (SoapDevice){long_text(m, 64), "00A0BC", long_text(m, 64), long_text(m, 64)}
                                : (SoapDevice){"Example", "00A0BC", "", "1"};
    m->current_time = filling == BARE ? SOAP_TIME_UNKNOWN : "2026-11-23T07:00:00Z";
    m->max_envelopes = 1;
    m->retry_count = filling == FULL ? UINT32_MAX : 0;
    m->instance = filling == FULL ? UINT32_MAX : 1;
    m->status = filling != BARE;
    m->file_type = filling == FULL ? "3 Vendor Configuration File" : "1 Firmware Upgrade Image";
    m->file_size = filling == FULL ? UINT32_MAX : 0;
    m->is_download = filling != BARE;
    if (filling != BARE) {
        m->command_key = long_text(m, RPC_COMMAND_KEY_MAX);
        m->announce_url = m->transfer_url = "http://files.example/?a=1&b=2";
        m->target_file_name = long_text(m, RPC_FILE_NAME_MAX);
        m->start_time = "2026-11-23T07:00:00Z";
        m->complete_time = "2026-11-23T07:00:01Z";
        m->transfer_fault = FAULT_TRANSFER_FAILED;
        m->transfer_fault_text = long_text(m, RPC_FAULT_STRING_MAX);
        m->args = args;
        m->n_args = 2;
    }
    ck_assert_int_eq(soap_add_name(m, "GetRPCMethods"), 0); /* A.3.1.1: it is always there */
    for (size_t i = 0; i < n; i++) {
        const RpcTransfer transfer = {i ? long_text(m, RPC_COMMAND_KEY_MAX) : "k",
                                      RPC_TRANSFER_NOT_STARTED + (int)(i % 3),
                                      i % 2,
                                      false,
                                      "1 Firmware Upgrade Image",
                                      UINT32_MAX,
                                      long_text(m, RPC_FILE_NAME_MAX)};
        const SoapEvent event = i % 2 ? (SoapEvent){"M Reboot", long_text(m, RPC_COMMAND_KEY_MAX)}
                                      : (SoapEvent){"0 BOOTSTRAP", ""};
        const SoapAttributes attributes = {
            .name = "Device.A", .notification = (int)(i % 3), .access = i % 2 ? "" : "Subscriber"};
        ck_assert_int_eq(soap_add_transfer(m, &transfer), 0);
        ck_assert_int_eq(soap_add_event(m, &event), 0);
        ck_assert_int_eq(soap_add_attributes(m, &attributes), 0);
        ck_assert_int_eq(soap_add_info(m, &(SoapInfo){"Device.A.", i % 2}), 0);
        ck_assert_int_eq(soap_add_name(m, "Download"), 0);
        ck_assert_int_eq(soap_add_parameter_fault(m, &(SoapParameterFault){"Device.A", 9007, "too <large>"}),
                         0);
    }
    for (size_t i = 0; n > 0 && i < ARRAY_SIZE(types); i++)
        ck_assert_int_eq(soap_add_parameter(m, &(SoapParameter){"Device.A", types[i][0], types[i][1]}), 0);
}

static void codec_messages(const Walk *w) {
    for (SoapKind kind = SOAP_FAULT + 1; kind < SOAP_KINDS_; kind++)
        for (Filling filling = BARE; filling < FILLINGS_ && soap_since(kind) <= w->version; filling++) {
            SoapMessage m = {.version = w->version, .id = "1", .kind = kind};
            char what[80], *text;
            size_t size;
            fill(&m, filling);
            snprintf(what, sizeof what, "kind %d, filling %d", (int)kind, (int)filling);
            int r = soap_encode(&m, &text, &size);
            ck_assert(r == 0 || r == -EINVAL);
            if (r == 0) {
                free(text);
                visit(w, what, &m);
            }
            soap_message_clear(&m);
        }
}

static void faults(const Walk *w) {
    static const int codes[] = {
#define X(name, code, whose, text) code,
        CWMP_FAULTS(X)
#undef X
    };
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        char what[80];
        SoapMessage m = {.version = w->version,
                         .id = "",
                         .kind = SOAP_FAULT,
                         .fault_code = cwmp_fault_whose(codes[i]),
                         .fault = codes[i],
                         .fault_text = cwmp_fault_text(codes[i])};
        snprintf(what, sizeof what, "fault %d", codes[i]);
        visit(w, what, &m);
        soap_message_clear(&m);
        for (SessionRequestKind kind = 0; kind < SESSION_REQUESTS_; kind++) {
            const SessionRequest request = {.kind = kind,
                                            .file_type = "1 Firmware Upgrade Image",
                                            .fault = codes[i],
                                            .fault_string = cwmp_fault_text(codes[i]),
                                            .start_time = RPC_TIME_UNKNOWN,
                                            .complete_time = 1795417689};
            char *text;
            size_t size;
            if (soap_since(session_request_kind(kind)) > w->version)
                continue;
            snprintf(what, sizeof what, "request %d with fault %d", (int)kind, codes[i]);
            ck_assert_int_eq(session_request_encode(&request, w->version, "5", &text, &size), 0);
            w->visitor(w->userdata, what, text, size);
            free(text);
        }
    }
}

/* The answers to these from a model as it is without anything set. */
static void answers(const Walk *w) {
    Model *model;
    const SoapMessage requests[] = {
        {.kind = SOAP_GET_RPC_METHODS, .name = "GetRPCMethods"},
        {.kind = SOAP_GET_PARAMETER_NAMES, .name = "GetParameterNames", .path = ""},
        {.kind = SOAP_GET_PARAMETER_NAMES, .name = "GetParameterNames", .path = "", .next_level = true},
        {.kind = SOAP_GET_PARAMETER_VALUES,
         .name = "GetParameterValues",
         .names = &(const char *){""},
         .n_names = 1},
        {.kind = SOAP_GET_PARAMETER_VALUES, .name = "GetParameterValues"},
        {.kind = SOAP_GET_PARAMETER_VALUES,
         .name = "GetParameterValues",
         .names = &(const char *){"No"},
         .n_names = 1},
        {.kind = SOAP_GET_PARAMETER_ATTRIBUTES,
         .name = "GetParameterAttributes",
         .names = &(const char *){""},
         .n_names = 1},
        {.kind = SOAP_SET_PARAMETER_VALUES,
         .name = "SetParameterValues",
         .parameter_key = "",
         .parameters = &(SoapParameter){"Device.No", "string", "x"},
         .n_parameters = 1},
        {.kind = SOAP_FACTORY_RESET, .name = "FactoryReset"},
        {.kind = SOAP_REBOOT, .name = "Reboot"},
        {.kind = SOAP_UNKNOWN, .name = "X_Vendor"},
        {.kind = SOAP_GET_RPC_METHODS, .name = "GetRPCMethods", .not_understood = "New"},
    };

    ck_assert_int_eq(model_new(&model, &(ModelConfig){0}), 0);
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        SoapMessage request = requests[i], answer;
        RpcEffect effect;
        char what[80];
        request.version = w->version;
        ck_assert_int_eq(rpc_answer(model, NULL, &request, &answer, &effect), 0);
        model_transaction_free(effect.transaction);
        snprintf(what, sizeof what, "answer %zu, to %s", i, request.name);
        visit(w, what, &answer);
        soap_message_clear(&answer);
    }
    model_free(model);
}

static void informs(const Walk *w) {
    static const SoapEvent events[] = {{"0 BOOTSTRAP", ""},
                                       {"1 BOOT", ""},
                                       {"2 PERIODIC", ""},
                                       {"3 SCHEDULED", ""},
                                       {"4 VALUE CHANGE", ""},
                                       {"6 CONNECTION REQUEST", ""},
                                       {"7 TRANSFER COMPLETE", ""},
                                       {"8 DIAGNOSTICS COMPLETE", ""},
                                       {"M Reboot", "key"},
                                       {"M ScheduleInform", "key"},
                                       {"M Download", "key"},
                                       {"M Upload", "key"},
                                       {"9 REQUEST DOWNLOAD", ""},
                                       {"10 AUTONOMOUS TRANSFER COMPLETE", ""},
                                       {"M ScheduleDownload", "key"},
                                       {"13 WAKEUP", ""}};
    static const size_t known[] = {
        [CWMP_1_0] = 12, [CWMP_1_1] = 14, [CWMP_1_2] = 15, [CWMP_1_3] = 15, [CWMP_1_4] = 16};

    for (size_t n = 0; n <= known[w->version]; n++) {
        Model *model;
        Session *session;
        SessionAction action;
        ck_assert_int_eq(model_new(&model, &(ModelConfig){0}), 0);
        const SessionConfig config = {.url = "http://hems.example/",
                                      .device = {"Example & Co", "00A0BC", "HeNB", "000001"},
                                      .events = events,
                                      .n_events = n,
                                      .version = w->version,
                                      .retry_count = (uint32_t)n,
                                      .model = model};
        ck_assert_int_eq(session_new(&session, &config, (Moment){.real = n % 2 * UINT64_C(1795417689000000)}),
                         0);
        ck_assert(session_next(session, &action));
        w->visitor(w->userdata, "Inform", action.body, action.size);
        session_free(session);
        model_free(model);
    }
}

void cwmp_messages(CwmpVersion version, MessageVisitor visitor, void *userdata) {
    const Walk w = {version, visitor, userdata};
    codec_messages(&w);
    faults(&w);
    answers(&w);
    informs(&w);
}
