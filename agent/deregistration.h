/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether this box is de-registered (TS 32.593 5.1.4), and from whom: the operator's mark, as the store keeps
 * it. */
#pragma once

#include "base/operator.h"
#include "config.h"
#include "store/store.h"

typedef struct Deregistration {
    Store *store; /* not owned */
    const Config *factory;
    char operator_name[OPERATOR_NAME_MAX_BYTES]; /* of the factory data */
    OperatorMark mark;                           /* empty: never de-registered */
    OperatorMark known; /* hosts of HeMSs that were ever assigned, for the next mark */
    bool in_force;      /* the factory data are those of the operator that de-registered the box */
} Deregistration;

/* Reads the mark. A mark that cannot be read is in force: there was one. 0 or negative errno. */
int deregistration_load(Deregistration *ret, Store *store, const Config *factory);
/* Has any operator de-registered the box? */
bool deregistration_is_marked(const Deregistration *d);
/* Must the box stay away from *host*, a name or an address? */
bool deregistration_bars(const Deregistration *d, const char *host);
/* A HeMS has assigned the HeMS of this URL: it is one of the operator's, wherever the box goes from there. */
void deregistration_learn(Deregistration *d, const char *url);
/* Marks the operator of the factory data, with all hosts known of it: those of the factory data and all that
 * were ever assigned. 0, or negative errno: then nothing is marked, or, with *binding*, until the next start
 * only. */
int deregistration_set(Deregistration *d, bool binding);
/* 0, or negative errno: then it is as before. */
int deregistration_clear(Deregistration *d);
