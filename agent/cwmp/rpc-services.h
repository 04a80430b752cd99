/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a method of a HeMS asks of the engines beside the data model (transfers, schedule, reboot), and the
 * requests that those give a session to make. Argument structs borrow: strings live until the call returns,
 * and are never NULL. Lengths are within the limits below (rpc.c has checked them, 9003), and nothing else is
 * judged. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters that TR-069 A.3.2, A.4.1 and the schemas allow; bytes are up to four times that. */
#define RPC_COMMAND_KEY_MAX  32
#define RPC_FILE_TYPE_MAX    64
#define RPC_URL_MAX          256
#define RPC_USERNAME_MAX     256
#define RPC_PASSWORD_MAX     256
#define RPC_FILE_NAME_MAX    256
#define RPC_USER_MESSAGE_MAX 256
#define RPC_FAULT_STRING_MAX 256
#define RPC_WINDOWS_MAX      2  /* A.4.1.8: TimeWindowList */
#define RPC_QUEUED_MAX       16 /* A.4.1.7: TransferList */
#define RPC_FILE_ARGS_MAX    16 /* A.4.2.2: FileTypeArg */

#define RPC_BYTES(characters) (4 * (characters) + 1) /* of UTF-8, NUL included */

#define RPC_TIME_UNKNOWN INT64_MIN /* on the wire 0001-01-01T00:00:00Z */

/* A.3.2.8 */
typedef struct RpcDownload {
    const char *command_key, *file_type, *url, *username, *password;
    uint32_t file_size; /* bytes; 0: not said */
    const char *target_file_name;
    uint32_t delay; /* seconds */
    const char *success_url, *failure_url;
} RpcDownload;

/* A.4.1.5 */
typedef struct RpcUpload {
    const char *command_key, *file_type, *url, *username, *password;
    uint32_t delay; /* seconds */
} RpcUpload;

/* X(name, WindowMode on the wire) */
#define RPC_WINDOW_MODES(X)                                                                                  \
    X(AT_ANY_TIME, "1 At Any Time")                                                                          \
    X(IMMEDIATELY, "2 Immediately")                                                                          \
    X(WHEN_IDLE, "3 When Idle")                                                                              \
    X(CONFIRMATION_NEEDED, "4 Confirmation Needed")

typedef enum RpcWindowMode {
#define X(name, text) RPC_WINDOW_##name,
    RPC_WINDOW_MODES(X)
#undef X
        RPC_WINDOW_MODES_,
} RpcWindowMode;

/* Table 41: seconds from the receipt of the request; end is after start, and a second window does not begin
 * before the first one ends. */
typedef struct RpcWindow {
    uint32_t start, end;
    RpcWindowMode mode;
    const char *user_message;
    int32_t max_retries; /* -1: the CPE decides, 0: none */
} RpcWindow;

/* A.4.1.8 */
typedef struct RpcScheduleDownload {
    const char *command_key, *file_type, *url, *username, *password;
    uint32_t file_size;
    const char *target_file_name;
    size_t n_windows; /* 1..RPC_WINDOWS_MAX */
    RpcWindow windows[RPC_WINDOWS_MAX];
} RpcScheduleDownload;

typedef enum RpcTransferState {
    RPC_TRANSFER_NOT_STARTED = 1, /* as on the wire */
    RPC_TRANSFER_IN_PROGRESS = 2,
    RPC_TRANSFER_COMPLETED = 3, /* its TransferComplete has not been answered yet */
} RpcTransferState;

/* One row of GetQueuedTransfers (A.4.1.1: those of Download and Upload, no others) and GetAllQueuedTransfers
 * (A.4.1.7: all). */
typedef struct RpcTransfer {
    const char *command_key;
    RpcTransferState state;
    bool is_download;
    bool is_autonomous; /* nobody asked for it with Download, Upload or ScheduleDownload */
    const char *file_type;
    uint32_t file_size; /* 0: not known */
    const char *target_file_name;
    bool is_scheduled; /* ScheduleDownload asked for it */
} RpcTransfer;

/* Non-zero stops the walk and is returned. */
typedef int (*RpcTransferVisitor)(void *userdata, const RpcTransfer *transfer);

/* Each may be NULL: its methods are then 9000 and not in GetRPCMethods. They return 0 (it is queued, durably:
 * the answer says Status 1), -ENOMEM, or the CwmpFault that the HeMS gets; then they may make *ret_text*
 * point to a FaultString that lives until the next call, and it is NULL before. */
typedef struct RpcServices {
    int (*download)(void *userdata, const RpcDownload *download, const char **ret_text);
    int (*upload)(void *userdata, const RpcUpload *upload, const char **ret_text);
    int (*schedule_download)(void *userdata, const RpcScheduleDownload *download, const char **ret_text);
    int (*cancel_transfer)(void *userdata, const char *command_key, const char **ret_text);
    /* 0, or what the visitor returned. Serves GetQueuedTransfers and GetAllQueuedTransfers. */
    int (*visit_transfers)(void *userdata, RpcTransferVisitor visitor, void *visitor_userdata);
    /* *delay* in seconds, at least 1. */
    int (*schedule_inform)(void *userdata, uint32_t delay, const char *command_key, const char **ret_text);
    /* May it be done at all? Nothing happens yet: SESSION_ENDED tells when the HeMS has the answer. */
    int (*reboot)(void *userdata, const char *command_key, const char **ret_text);
    void *userdata;
} RpcServices;

/* X(name, the method) */
#define SESSION_REQUESTS(X)                                                                                  \
    X(TRANSFER_COMPLETE, "TransferComplete")                                                                 \
    X(AUTONOMOUS_TRANSFER_COMPLETE, "AutonomousTransferComplete")                                            \
    X(REQUEST_DOWNLOAD, "RequestDownload")                                                                   \
    X(GET_RPC_METHODS, "GetRPCMethods")

typedef enum SessionRequestKind {
#define X(name, method) SESSION_REQUEST_##name,
    SESSION_REQUESTS(X)
#undef X
        SESSION_REQUESTS_,
} SessionRequestKind;

typedef struct SessionFileArg {
    const char *name, *value;
} SessionFileArg;

/* One request of the CPE (A.3.3.2, A.3.3.3, A.4.2). Fields that a kind does not have mean nothing; strings
 * may be NULL for "". A session copies it all. */
typedef struct SessionRequest {
    SessionRequestKind kind;
    uint64_t id; /* the owner's, given back in SessionAnswer */

    const char *command_key; /* TransferComplete */

    const char *announce_url;     /* AutonomousTransferComplete */
    const char *transfer_url;     /* AutonomousTransferComplete */
    bool is_download;             /* AutonomousTransferComplete */
    uint32_t file_size;           /* AutonomousTransferComplete */
    const char *target_file_name; /* AutonomousTransferComplete */

    const char *file_type; /* AutonomousTransferComplete, RequestDownload */

    int fault;                  /* both TransferCompletes: 0, or 9001 to 9020 */
    const char *fault_string;   /* both TransferCompletes */
    int64_t start_time;         /* both TransferCompletes: seconds since 1970, RPC_TIME_UNKNOWN */
    int64_t complete_time;      /* both TransferCompletes */
    const SessionFileArg *args; /* RequestDownload */
    size_t n_args;              /* RequestDownload: ..RPC_FILE_ARGS_MAX */
} SessionRequest;

/* What became of a request, once for each that was answered (in SESSION_REPLIED). A request without an answer
 * when the session ends has to be made again in the next one. */
typedef struct SessionAnswer {
    uint64_t id;
    SessionRequestKind kind;
    int fault;        /* 0: done; else the HeMS's fault code (8000..), or 9000: the session's version has no
                         such method and it was not sent */
    const char *text; /* FaultString; until the next session_input() */
} SessionAnswer;
