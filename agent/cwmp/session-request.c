/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See session-request.h. */
#include "cwmp/session-request.h"

#include "base/macro.h"
#include "cwmp/value.h"

SoapKind session_request_kind(SessionRequestKind kind) {
    static const SoapKind kinds[SESSION_REQUESTS_] = {
#define X(name, method) [SESSION_REQUEST_##name] = SOAP_##name,
        SESSION_REQUESTS(X)
#undef X
    };
    return kinds[kind];
}

SoapKind session_request_answer(SessionRequestKind kind) {
    static const SoapKind kinds[SESSION_REQUESTS_] = {
#define X(name, method) [SESSION_REQUEST_##name] = SOAP_##name##_RESPONSE,
        SESSION_REQUESTS(X)
#undef X
    };
    return kinds[kind];
}

static bool copy(SoapMessage *owner, const char **s) {
    const char *from = strempty(*s);
    return (*s = soap_string(owner, from, strlen(from)));
}

int session_request_copy(SoapMessage *owner, const SessionRequest *request, SessionRequest *ret) {
    SessionRequest r = *request;
    bool ok = copy(owner, &r.command_key) && copy(owner, &r.announce_url) && copy(owner, &r.transfer_url) &&
              copy(owner, &r.target_file_name) && copy(owner, &r.file_type) && copy(owner, &r.fault_string);
    _cleanup_free_ SessionFileArg *args = calloc(r.n_args + 1, sizeof *args);

    for (size_t i = 0; ok && args && i < r.n_args; i++) {
        args[i] = request->args[i];
        ok = copy(owner, &args[i].name) && copy(owner, &args[i].value);
    }
    if (!ok || !args)
        return -ENOMEM;
    r.args = TAKE_PTR(args);
    *ret = r;
    return 0;
}

int session_request_encode(const SessionRequest *request, CwmpVersion version, const char *id, char **ret,
                           size_t *ret_size) {
    char start[VALUE_TIME_MAX], complete[VALUE_TIME_MAX];
    const SoapMessage m = {
        .version = version,
        .id = id,
        .kind = session_request_kind(request->kind),
        .command_key = request->command_key,
        .announce_url = request->announce_url,
        .transfer_url = request->transfer_url,
        .is_download = request->is_download,
        .file_type = request->file_type,
        .file_size = request->file_size,
        .target_file_name = request->target_file_name,
        .transfer_fault = request->fault,
        .transfer_fault_text = request->fault_string,
        .start_time =
            request->start_time == RPC_TIME_UNKNOWN ? NULL : value_format_time(request->start_time, start),
        .complete_time = request->complete_time == RPC_TIME_UNKNOWN
                             ? NULL
                             : value_format_time(request->complete_time, complete),
        .n_args = request->n_args,
        .args = request->args,
    };
    return soap_encode(&m, ret, ret_size);
}
