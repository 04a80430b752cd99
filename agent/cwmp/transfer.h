/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Transfers of files (TR-069 A.3.2.8 Download, A.4.1.5 Upload, A.4.1.8 ScheduleDownload, A.4.1.9
 * CancelTransfer, A.3.3.2 TransferComplete, A.3.3.3 AutonomousTransferComplete): the queue, when each one
 * begins, and what the HeMS is told of it, once, through reboots and power cuts. Pure: time and outcomes in,
 * actions out.
 *
 * A request is saved before its response says Status 1; an outcome is saved before its events are raised, and
 * forgotten when the HeMS has answered its TransferComplete. How its owner lives with it:
 *
 * - Start: transfers_new(), transfers_load() for each record of store kind TRANSFER (one that is no record is
 *   to be forgotten), transfers_start(); files in the spool whose transfer transfers_knows() not are left
 * from before, and go.
 * - After each call: transfers_next() until it is false, then a timer for transfers_deadline().
 * - Session: when transfers_reports() is not 0, schedule_renew() before schedule_session_started(), and the
 *   requests among SessionConfig.requests; each SESSION_REPLIED of these kinds to transfers_answered().
 * - Another HeMS, or de-registration: transfers_reset(). */
#pragma once

#include "base/moment.h"
#include "base/rng.h"
#include "cwmp/transfer-record.h"

#define TRANSFERS_MAX            RPC_QUEUED_MAX /* of the HeMS; 9004 beyond. TR-069 wants 3 */
#define TRANSFERS_AUTONOMOUS_MAX 4
#define TRANSFER_STARTS_MAX      5 /* a transfer that takes the box down with it is not tried for ever */
#define TRANSFER_RETRIES         3 /* where MaxRetries is -1, and of autonomous ones */
#define TRANSFER_RETRY_WAIT      (60 * USEC_PER_SEC) /* doubled with each one */
#define TRANSFER_INSTALL_TIMEOUT (2 * 3600 * USEC_PER_SEC)
#define TRANSFER_SAVE_INTERVAL   (60 * USEC_PER_SEC) /* an outcome that the disk did not take */
#define TRANSFER_REFUSALS_MAX    3 /* a HeMS that answers TransferComplete with faults is not told for ever */

typedef struct TransfersConfig {
    const Rng *rng;      /* for ids; must outlive it */
    const char *boot_id; /* of the kernel; copied */
    bool clock_trusted;
    /* On the disk when this returns 0; *value* NULL: forget it. *value* may hold a password. */
    int (*save)(void *userdata, const char *key, const char *value);
    /* The events of *kind* are due: 7 TRANSFER COMPLETE with M Download, M Upload or M ScheduleDownload, or
     * 10 AUTONOMOUS TRANSFER COMPLETE. */
    void (*raise)(void *userdata, TransferKind kind, const char *command_key);
    void *userdata;
} TransfersConfig;

/* ManagementServer.AutonomousTransferCompletePolicy. */
typedef struct TransferPolicy {
    bool enable;
    bool uploads;             /* TransferTypeFilter: Upload or Both; all that we do by ourselves */
    bool successes, failures; /* ResultTypeFilter */
    const char *file_types;   /* FileTypeFilter, a list; copied */
} TransferPolicy;

typedef enum TransferActionKind {
    TRANSFER_STOP,  /* fetch or send no more, without a word */
    TRANSFER_FETCH, /* to the spool; then transfers_moved() */
    TRANSFER_SEND,  /* make the file that *file_type* names, or the one left in the spool for a PM upload, and
                       PUT it; then transfers_moved() */
    TRANSFER_INSTALL, /* give the file in the spool to the installer; *again*: it has it already, and perhaps
                         the box has been rebooted (*rebooted*): ask for the result. Then
                         transfers_installed() */
    TRANSFER_FORGET,  /* remove its files */
} TransferActionKind;

/* Strings until the next call. */
typedef struct TransferAction {
    TransferActionKind kind;
    const char *id;
    TransferKind transfer;
    const char *file_type, *url, *username, *password, *target;
    bool outside;  /* of the tunnel */
    uint32_t size; /* 0: not known */
    bool resume;   /* FETCH: what is in the spool may be the beginning */
    bool again, rebooted;
} TransferAction;

typedef struct Transfers Transfers;

int transfers_new(Transfers **ret, const TransfersConfig *config);
void transfers_free(Transfers *transfers);
DEFINE_CLEANUP(Transfers, transfers_free)
/* 0, -ENOMEM, or -EINVAL: no record, or more than there can be. */
int transfers_load(Transfers *transfers, const char *key, const char *value);
void transfers_start(Transfers *transfers, Moment now);
bool transfers_knows(const Transfers *transfers, const char *id);
/* CLOCK_REALTIME was set, or is trusted from now on. */
void transfers_clock(Transfers *transfers, bool trusted, Moment now);
/* 0 or -ENOMEM. */
int transfers_set_policy(Transfers *transfers, const TransferPolicy *policy);

/* What is asked for from now on comes from a HeMS within the tunnel, as in the beginning, or outside: there
 * nothing is fetched or sent without TLS (9013). */
void transfers_side(Transfers *transfers, bool outside);

/* The methods, as RpcServices has them: 0, -ENOMEM or a CwmpFault. */
int transfers_download(Transfers *transfers, Moment now, const RpcDownload *download, const char **ret_text);
int transfers_upload(Transfers *transfers, Moment now, const RpcUpload *upload, const char **ret_text);
int transfers_schedule_download(Transfers *transfers, Moment now, const RpcScheduleDownload *download,
                                const char **ret_text);
int transfers_cancel(Transfers *transfers, Moment now, const char *command_key, const char **ret_text);
int transfers_visit(const Transfers *transfers, RpcTransferVisitor visitor, void *userdata);

/* An upload of the box's own. *upload->command_key* means nothing. 0: *ret_id* is the name under which its
 * file has to be in the spool before the actions are drained; -ENOMEM, a CwmpFault (9004: enough wait). */
int transfers_autonomous(Transfers *transfers, Moment now, const RpcUpload *upload, const char *target,
                         char ret_id[static TRANSFER_ID_BYTES]);

/* What became of FETCH or SEND: *fault* 0, or 9001 to 9019 with *text*. Of one that is not known, or was
 * stopped: nothing. */
void transfers_moved(Transfers *transfers, Moment now, const char *id, int fault, const char *text,
                     uint64_t size);
void transfers_installed(Transfers *transfers, Moment now, const char *id, int fault, const char *text);

usec_t transfers_deadline(const Transfers *transfers);
void transfers_tick(Transfers *transfers, Moment now);
bool transfers_next(Transfers *transfers, TransferAction *ret);

/* The requests that the next session has to make, at most *max*; strings until the next call. */
size_t transfers_reports(const Transfers *transfers, SessionRequest *ret, size_t max);
void transfers_answered(Transfers *transfers, Moment now, const SessionAnswer *answer);

/* Forgets all, but what is with the installer, whose outcome nobody will be told. Records go with the
 * caller's store_reset(), or by save. */
void transfers_reset(Transfers *transfers, Moment now);
