/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The data model in the store: values, rows and attributes. */
#pragma once

#include "cwmp/model.h"
#include "store/store.h"

#define KEPT_CHANGES_MAX 65536 /* records of one commit */

/* What ModelConfig.commit asks for, in one transaction. *assigned* becomes true with a MODEL_ASSIGNED value.
 * 0, or negative errno as store_commit(), then nothing has changed. */
int kept_commit(Store *store, const ModelChange *changes, size_t n, bool *assigned);

/* Puts what is kept into *model*. What does not fit it any more (another version's) is logged and ignored.
 * *assigned* as above. 0 or negative errno. */
int kept_load(Store *store, Model *model, bool *assigned);
