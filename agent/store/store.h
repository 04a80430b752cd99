/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What survives restarts and power cuts: SQLite, one transaction a change.
 *
 * A box has to come up whatever its disk looks like. A file that is damaged, foreign or of a later version,
 * or a sound one that may not be read (-EACCES), is kept aside (PATH.damaged-1, -2, ...) and a new one is
 * begun, as on a box from the factory. Where nothing can be written the store holds what could be read,
 * perhaps nothing, and every write fails, so that nobody is told that a value is kept which is not; a write
 * looks whether the disk is back, at most once in STORE_THAW_INTERVAL. */
#pragma once

#include <stddef.h>

#include "base/moment.h"

#define STORE_THAW_INTERVAL (10 * USEC_PER_SEC)

/* Files kept aside: the first ones stay for good, the last is written over. */
#define STORE_ASIDE_MAX 4

typedef struct Store Store;

/* X(name, table, its first column): what is kept, each kind with keys of its own. The store does not look
 * into keys and values; whoever keeps them says what they are. */
#define STORE_KINDS(X)                                                                                       \
    X(PARAMETER, "parameter", "path") /* full name: value */                                                 \
    X(META, "meta", "key")            /* single facts: "bootstrapped-url" */                                 \
    X(ATTRIBUTE, "attribute", "key")  /* full name or partial path: what was set */                          \
    X(INSTANCE, "instance", "key")    /* table path: rows, and the highest number ever given */              \
    X(EVENT, "event", "key")          /* events that no HeMS has taken yet, and what schedule.h keeps */     \
    X(TRANSFER, "transfer", "key")    /* requested and not yet reported as complete */

typedef enum StoreKind {
#define X(name, table, column) STORE_##name,
    STORE_KINDS(X)
#undef X
        STORE_KINDS_,
} StoreKind;

typedef struct StoreChange {
    StoreKind kind;
    const char *key;
    const char *value; /* NULL: forget it */
} StoreChange;

/* Opens or makes the file (mode 0600: it holds passwords), or brings one of version 1 up to this one, at once
 * or, where that cannot be written, when it can. What is wrong with it or with the place is logged
 * in one line and is no error. 0, or what passes: -EBUSY (another process holds it), -ENOMEM, -EMFILE,
 * -ENFILE. */
int store_open(Store **ret, const char *path);
void store_close(Store *store);
/* Something that was kept is lost, or nothing can be kept now: why, one line that lives until the next call;
 * NULL: all is well. */
const char *store_trouble(Store *store);

/* Non-zero stops and is returned. The visitor must not write to the store. */
typedef int (*StoreVisitor)(void *userdata, const char *key, const char *value);
/* All of this kind, by key in the order of its bytes. 0, what the visitor returned, or negative errno,
 * logged. */
int store_load(Store *store, StoreKind kind, StoreVisitor visitor, void *userdata);
/* All of *changes*, of whatever kinds, in this order, or none, on the disk when this returns 0; else negative
 * errno: -ENOSPC, -EROFS, -EBUSY, -EBADMSG (damaged since it was opened) or another. Why is logged once,
 * until a write succeeds or fails for another reason. */
int store_commit(Store *store, const StoreChange *changes, size_t n);
/* One of STORE_META. get: *ret* is malloc'ed; -ENOENT. A NULL *value* forgets the key. Errors of set are
 * those of store_commit(). */
int store_get_meta(Store *store, const char *key, char **ret);
int store_set_meta(Store *store, const char *key, const char *value);

/* De-registration (TS 32.593 5.1.4): in one transaction all parameters but those at the *n* paths of *keep*,
 * and all of the other kinds, are gone; the mark stays. Errors of store_commit(). A start that finds the mark
 * calls this again: the power may have failed between the two. */
int store_reset(Store *store, const char *const *keep, size_t n);

/* The mark that this box is de-registered, a text of the caller's. It is kept twice, in the database and in
 * the file "deregistered" beside it, and survives the loss of either. get: *ret* is malloc'ed. One copy is
 * enough and mends the other; of two the later one counts. -ENOENT: none; -EBADMSG: there was one and no copy
 * of it is sound, which does not make the box registered again. Whether there is one is not known after other
 * errors: -EBUSY, -ENOMEM, -EMFILE or -ENFILE of either copy, or another where no copy is sound. */
int store_get_mark(Store *store, char **ret);
/* 0 when it is on the disk at least once. NULL clears; 0 then only when no copy is left. Negative errno
 * otherwise: -E2BIG, or as store_commit(); where there was no mark, there is none then either if that can be
 * had. */
int store_set_mark(Store *store, const char *text);
