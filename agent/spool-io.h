/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The directory where the files of transfers lie, by the transfer's id, all of mode 0600: ID.part is one that
 * is not whole yet, ID.tag the validator it came with (RFC 9110 8.8), ID.file is whole, ID.type says to the
 * installer what it is (installer-io.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"
#include "cwmp/transfer-record.h"

typedef struct Spool Spool;

/* Makes the directory (0700) if it is not there. 0 or negative errno. */
int spool_new(Spool **ret, const char *path);
void spool_free(Spool *spool);
DEFINE_CLEANUP(Spool, spool_free)
/* A descriptor of it, for openat(); the spool's own. */
int spool_directory(const Spool *spool);
/* "ID.part" */
#define SPOOL_NAME(id, suffix) spool_name((id), (suffix), (char[TRANSFER_ID_BYTES + 8]){0})
const char *spool_name(const char *id, const char *suffix, char ret[static TRANSFER_ID_BYTES + 8]);

/* A file of our own: written to the descriptor that *ret* gets, then committed or abandoned; both close it. 0
 * or negative errno. */
int spool_create(Spool *spool, const char *id, int *ret);
int spool_commit(Spool *spool, const char *id, int fd);
void spool_abandon(Spool *spool, const char *id, int fd);
/* Says what ID.file is: two lines. 0 or negative errno. */
int spool_describe(Spool *spool, const char *id, const char *file_type, const char *target);
/* Is ID.file there? */
bool spool_has(const Spool *spool, const char *id);
/* Removes all that is there of it; nothing may write it any more. */
void spool_forget(Spool *spool, const char *id);
/* And of all that *knows* does not know. */
void spool_sweep(Spool *spool, bool (*knows)(void *userdata, const char *id), void *userdata);
