/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What survives restarts and power cuts: SQLite, one transaction a change. */
#pragma once

#include <stddef.h>

typedef struct Store Store;

typedef struct StoreChange {
    const char *path;
    const char *value; /* NULL: forget it */
} StoreChange;

/* Opens or makes the file (mode 0600: it holds passwords). 0; -EBADMSG: damaged or not ours;
 * -EPROTONOSUPPORT: written by a later version; or another negative errno. Why is logged. */
int store_open(Store **ret, const char *path);
void store_close(Store *store);

/* Non-zero stops and is returned. */
typedef int (*StoreVisitor)(void *userdata, const char *path, const char *value);
int store_load_parameters(Store *store, StoreVisitor visitor, void *userdata);
/* All of *changes* or none, on the disk when this returns 0; negative errno otherwise. */
int store_commit(Store *store, const StoreChange *changes, size_t n);
/* De-registration: all parameters but those of *keep*, and all facts, are gone. All or nothing, like a
 * commit. */
int store_reset(Store *store, const char *const *keep, size_t n);

/* Single facts that are no parameters ("bootstrapped-url"). get: *ret* is malloc'ed; -ENOENT. A NULL *value*
 * forgets the key. */
int store_get_meta(Store *store, const char *key, char **ret);
int store_set_meta(Store *store, const char *key, const char *value);
