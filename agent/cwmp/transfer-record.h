/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One transfer of a file (TR-069 A.3.2.8, A.4.1.5, A.4.1.8, or the box's own), and the text by which the
 * store keeps it. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"
#include "cwmp/rpc-services.h"

#define TRANSFER_ID_BYTES      17 /* 16 hexadecimal digits, with NUL */
#define TRANSFER_BOOT_ID_BYTES 40

typedef enum TransferKind {
    TRANSFER_DOWNLOAD,
    TRANSFER_UPLOAD,
    TRANSFER_SCHEDULED,  /* ScheduleDownload */
    TRANSFER_AUTONOMOUS, /* an upload that nobody asked for: a PM file */
    TRANSFER_KINDS_,
} TransferKind;

typedef enum TransferState {
    TRANSFER_WAITING,    /* for its time, for a free line, or for the next try */
    TRANSFER_MOVING,     /* it is fetched or sent */
    TRANSFER_INSTALLING, /* the installer has the file */
    TRANSFER_DONE,       /* the HeMS has to be told how */
    TRANSFER_GONE,       /* never stored: its files are still to be removed, or its record */
    TRANSFER_STATES_,
} TransferState;

typedef struct TransferWindow {
    uint32_t start, end; /* seconds from the receipt */
    int32_t max_retries; /* -1: ours to say */
} TransferWindow;

typedef struct Transfer Transfer;
struct Transfer {
    /* What the store keeps. */
    char id[TRANSFER_ID_BYTES]; /* the key; never given twice, as results of installers bear it */
    TransferKind kind;
    TransferState state;
    char command_key[RPC_BYTES(RPC_COMMAND_KEY_MAX)];
    char file_type[RPC_BYTES(RPC_FILE_TYPE_MAX)];
    char url[RPC_BYTES(RPC_URL_MAX)];
    char username[RPC_BYTES(RPC_USERNAME_MAX)];
    char password[RPC_BYTES(RPC_PASSWORD_MAX)]; /* wiped as soon as nothing moves any more */
    char target[RPC_BYTES(RPC_FILE_NAME_MAX)];
    uint32_t
        outside; /* 1: the HeMS that asked for it was reached outside of the tunnel, and so is the file */
    uint32_t size;
    uint32_t delay;
    uint32_t n_windows;
    TransferWindow windows[RPC_WINDOWS_MAX];
    uint32_t window, attempts; /* which window it is in, and how often it failed there */
    uint32_t starts;           /* how often it was begun */
    int64_t received;          /* seconds since 1970, RPC_TIME_UNKNOWN */
    int64_t start_time, complete_time;
    char boot_id[TRANSFER_BOOT_ID_BYTES]; /* of the boot in which the installer was started */
    int32_t fault;
    char text[RPC_BYTES(RPC_FAULT_STRING_MAX)];

    /* What it does not. */
    int64_t base;      /* on the monotonic clock, microseconds: when it was received; may be negative */
    bool base_guessed; /* the clock could not tell */
    uint64_t due;      /* microseconds: not before this */
    uint64_t give_up;  /* the installer's last moment */
    unsigned wants;    /* actions to be told, bits 1 << TransferActionKind */
    unsigned refusals; /* faults that the HeMS answered its TransferComplete with */
    bool again;        /* INSTALL: it was started before this start of the agent */
    bool unsaved;      /* the record on the disk is older */
    Transfer *next;
};

/* With its secrets wiped. NULL is fine. */
void transfer_free(Transfer *transfer);
DEFINE_CLEANUP(Transfer, transfer_free)
/* User name and password are nothing any more. */
void transfer_wipe(Transfer *transfer);

/* The text of its record; it may hold a password, so record_free() takes it. NULL: no memory. */
char *transfer_encode(const Transfer *transfer);
void record_free(char *text);
/* 0, -ENOMEM, or -EINVAL: no record of this version. */
int transfer_decode(const char *id, const char *text, Transfer **ret);
bool transfer_id_is_valid(const char *id);

static inline bool transfer_is_download(const Transfer *t) {
    return t->kind == TRANSFER_DOWNLOAD || t->kind == TRANSFER_SCHEDULED;
}
