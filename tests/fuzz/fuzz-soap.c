/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SOAP: an envelope of a HeMS, answered by a CPE without a data model's help. */
#include "base/macro.h"
#include "cwmp/soap.h"
#include "fuzz.h"
#include "status.h"

#define ITEMS_MAX ((size_t)8) /* enough of each list */

/* What *m* has, in every list that an answer can have. */
static void fill(const SoapMessage *m, SoapMessage *answer) {
    const RpcTransfer transfer = {m->command_key, RPC_TRANSFER_IN_PROGRESS, true, false, m->file_type,
                                  m->file_size,   m->target_file_name};
    MUST(soap_add_transfer(answer, &transfer) == 0);
    MUST(soap_add_event(answer, &(SoapEvent){"M Download", m->command_key}) == 0);
    for (size_t i = 0; i < MIN(m->n_names, ITEMS_MAX); i++) {
        MUST(soap_add_name(answer, m->names[i]) == 0);
        MUST(soap_add_info(answer, &(SoapInfo){m->names[i], i % 2}) == 0);
    }
    for (size_t i = 0; i < MIN(m->n_parameters, ITEMS_MAX); i++) {
        const SoapParameter p = {m->parameters[i].name, "string", m->parameters[i].value};
        MUST(soap_add_parameter(answer, &p) == 0);
        MUST(soap_add_parameter_fault(answer, &(SoapParameterFault){p.name, 9007, p.value}) == 0);
    }
    for (size_t i = 0; i < MIN(m->n_attributes, ITEMS_MAX); i++)
        MUST(soap_add_attributes(answer, &m->attributes[i]) == 0);
}

/* What we write can be read. */
static void answer_with(const SoapMessage *m, SoapKind kind) {
    char error[ERROR_MAX_BYTES] = "", *text;
    SoapMessage answer = {
        .version = m->version, .id = m->id, .kind = kind, .fault = 9003, .fault_text = m->name};
    SoapMessage back;
    size_t n;

    fill(m, &answer);
    if (soap_encode(&answer, &text, &n) == 0) {
        MUST(soap_decode(text, n, &back, error) == 0);
        MUST(back.kind == kind && (kind != SOAP_FAULT || back.fault == 9003));
        if (kind == SOAP_GET_RPC_METHODS_RESPONSE)
            for (size_t i = 0; i < answer.n_names; i++)
                MUST(streq(back.names[i], answer.names[i]));
        soap_message_clear(&back);
        free(text);
    }
    soap_message_clear(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char error[ERROR_MAX_BYTES] = "";
    SoapMessage m = {0};

    int r = soap_decode(data, size, &m, error);
    if (r != 0) {
        MUST((r == -EBADMSG || r == -E2BIG) && *error && strlen(error) < sizeof error);
        return 0;
    }
    MUST(m.kind < SOAP_KINDS_ && m.version < CWMP_VERSIONS_ && m.n_windows <= RPC_WINDOWS_MAX);
    MUST(soap_since(m.kind) < CWMP_VERSIONS_ && (m.kind == SOAP_EMPTY || *m.name));
    answer_with(&m, m.kind > SOAP_FAULT && m.kind + 1 < SOAP_KINDS_ ? m.kind + 1 : SOAP_FAULT);
    if (m.kind > SOAP_FAULT)
        answer_with(&m, m.n_names > 0 ? SOAP_GET_RPC_METHODS_RESPONSE : SOAP_FAULT);
    soap_message_clear(&m);
    return 0;
}
