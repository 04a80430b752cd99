/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SOAP: an envelope of a HeMS, answered by a CPE without a data model's help. */
#include "base/macro.h"
#include "cwmp/soap.h"
#include "fuzz.h"
#include "status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char error[ERROR_MAX_BYTES] = "", *text;
    SoapMessage m = {0};
    size_t n;

    int r = soap_decode(data, size, &m, error);
    if (r != 0) {
        MUST((r == -EBADMSG || r == -E2BIG) && *error && strlen(error) < sizeof error);
        return 0;
    }
    MUST(m.kind < SOAP_KINDS_ && m.version < CWMP_VERSIONS_ && m.n_windows <= RPC_WINDOWS_MAX);
    MUST(m.kind == SOAP_EMPTY || *m.name);

    /* What it names comes back as it is: what we write can be read. */
    SoapMessage answer = {
        .version = m.version, .id = m.id, .kind = SOAP_FAULT, .fault = 9003, .fault_text = m.name};
    MUST(soap_encode(&answer, &text, &n) == 0);
    soap_message_clear(&answer);
    MUST(soap_decode(text, n, &answer, error) == 0);
    MUST(answer.kind == SOAP_FAULT && answer.fault == 9003);
    soap_message_clear(&answer);
    free(text);
    soap_message_clear(&m);
    return 0;
}
