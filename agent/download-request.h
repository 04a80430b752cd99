/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A file that the box asks its HeMS for: RequestDownload (TR-069 A.4.2.2), in the session of its 9 REQUEST
 * DOWNLOAD. One at a time. It does not outlive the agent, nor its HeMS: whoever wants the file asks again.
 * What the HeMS makes of it is a Download of its own. Pure. */
#pragma once

#include <stdbool.h>

#include "cwmp/rpc-services.h"

#define DOWNLOAD_REQUEST_NAME  64  /* characters of a FileTypeArg's name */
#define DOWNLOAD_REQUEST_VALUE 256 /* and of its value */

/* Zero: none waits. */
typedef struct DownloadRequest {
    bool waits;
    uint64_t id; /* of the last one */
    char file_type[RPC_BYTES(RPC_FILE_TYPE_MAX)];
    size_t n;
    struct {
        char name[RPC_BYTES(DOWNLOAD_REQUEST_NAME)], value[RPC_BYTES(DOWNLOAD_REQUEST_VALUE)];
    } args[RPC_FILE_ARGS_MAX];
    SessionFileArg told[RPC_FILE_ARGS_MAX];
} DownloadRequest;

/* Copies it. NULL, or why not (static text). */
const char *download_request_set(DownloadRequest *request, const char *file_type, const SessionFileArg *args,
                                 size_t n);
/* What the session is to ask; false: nothing. Strings live until the next one is set. */
bool download_request_get(DownloadRequest *request, SessionRequest *ret);
/* It is over, if that is its answer, whichever. True: it is. */
bool download_request_answered(DownloadRequest *request, const SessionAnswer *answer);
