/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The transfers of files (TR-069 A.3.2.8, A.4.1.5, A.4.1.8): cwmp/transfer.h with all it needs of the world:
 * store, spool, the ways to servers, the installer. */
#pragma once

#include <systemd/sd-event.h>

#include "config.h"
#include "cwmp/event.h"
#include "cwmp/transfer.h"
#include "device.h"
#include "ike/ike-sa.h"
#include "store/store.h"

struct TlsConfig;
typedef struct FileTransfers FileTransfers;

typedef struct FileTransfersConfig {
    sd_event *event;
    const Config *factory;
    Store *store;
    const Device *device;        /* as its model is at the time */
    const char *state_directory; /* where the spool is made when it is needed */
    const char *results;         /* of installers; NULL: INSTALLER_RESULTS */
    usec_t poll;                 /* for results; 0: INSTALLER_POLL */
    const struct TlsConfig *tls; /* NULL: no https */
    const IkeConfiguration *inside;
    bool clock_trusted;
    const Rng *rng;
    bool (*barred)(void *userdata, const char *host); /* as Passage has it */
    /* An event for schedule_raise(): M Download, M Upload, M ScheduleDownload or 10. */
    void (*raise)(void *userdata, EventType type, const char *command_key);
    void *userdata;
} FileTransfersConfig;

/* What *config* points to must outlive it. Loads what the store has; nothing moves yet. 0 or negative
 * errno. */
int file_transfers_new(FileTransfers **ret, const FileTransfersConfig *config);
/* What moves stops; the next start goes on with it. NULL is fine. */
void file_transfers_free(FileTransfers *files);
DEFINE_CLEANUP(FileTransfers, file_transfers_free)
/* Once, when events can be raised. */
void file_transfers_start(FileTransfers *files);

/* As RpcServices has them. */
int file_transfers_download(FileTransfers *files, const RpcDownload *download, const char **ret_text);
int file_transfers_upload(FileTransfers *files, const RpcUpload *upload, const char **ret_text);
int file_transfers_schedule(FileTransfers *files, const RpcScheduleDownload *download, const char **ret_text);
int file_transfers_cancel(FileTransfers *files, const char *command_key, const char **ret_text);
int file_transfers_visit(const FileTransfers *files, RpcTransferVisitor visitor, void *userdata);

/* Sends *data* as *upload* says, its command key apart, without having been asked to
 * (transfers_autonomous()). 0, negative errno, or a CwmpFault: 9004: enough wait. */
int file_transfers_autonomous(FileTransfers *files, const RpcUpload *upload, const char *name,
                              const char *data, size_t size);

/* A session is about to start, within the tunnel or outside. What there is to report belongs to it: which
 * events have to be in its Inform, 1 << EventType. */
unsigned file_transfers_announce(FileTransfers *files, bool outside);
/* The reports of what was announced last, at most *max*; strings until the next call. */
size_t file_transfers_reports(const FileTransfers *files, SessionRequest *ret, size_t max);
/* Of answers to other requests: nothing. */
void file_transfers_answered(FileTransfers *files, const SessionAnswer *answer);

/* The tunnel is up, another one, or gone. */
void file_transfers_inside(FileTransfers *files);
/* A session outside of a tunnel was had: there is a way. */
void file_transfers_outside(FileTransfers *files);
void file_transfers_clock(FileTransfers *files, bool trusted);
/* Parameters of the model have changed. */
void file_transfers_policy(FileTransfers *files);
/* Another HeMS, or none: see transfers_reset(). */
void file_transfers_reset(FileTransfers *files);
