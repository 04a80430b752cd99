/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See download-request.h. */
#include "download-request.h"

#include <string.h>

#include "base/macro.h"
#include "base/utf8.h"

const char *download_request_set(DownloadRequest *request, const char *file_type, const SessionFileArg *args,
                                 size_t n) {
    if (request->waits)
        return "the HeMS has not answered the request before";
    if (!utf8_is_line(file_type, 1, RPC_FILE_TYPE_MAX))
        return "the file type is not 1 to 64 characters";
    if (n > RPC_FILE_ARGS_MAX)
        return "there are more than 16 arguments";
    for (size_t i = 0; i < n; i++)
        if (!utf8_is_line(args[i].name, 1, DOWNLOAD_REQUEST_NAME) ||
            !utf8_is_line(args[i].value, 0, DOWNLOAD_REQUEST_VALUE))
            return "an argument's name is not 1 to 64 characters, or its value has more than 256";
    *request = (DownloadRequest){.waits = true, .id = request->id + 1, .n = n};
    strcpy(request->file_type, file_type);
    for (size_t i = 0; i < n; i++) {
        strcpy(request->args[i].name, args[i].name);
        strcpy(request->args[i].value, args[i].value);
    }
    return NULL;
}

bool download_request_get(DownloadRequest *request, SessionRequest *ret) {
    if (!request->waits)
        return false;
    for (size_t i = 0; i < request->n; i++)
        request->told[i] = (SessionFileArg){request->args[i].name, request->args[i].value};
    *ret = (SessionRequest){
        .kind = SESSION_REQUEST_REQUEST_DOWNLOAD,
        .id = request->id,
        .file_type = request->file_type,
        .args = request->told,
        .n_args = request->n,
    };
    return true;
}

bool download_request_answered(DownloadRequest *request, const SessionAnswer *answer) {
    if (answer->kind != SESSION_REQUEST_REQUEST_DOWNLOAD || answer->id != request->id)
        return false;
    request->waits = false;
    return true;
}
