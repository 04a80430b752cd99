/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which of the agent's own alarms last (alarm.h), from what is known of the box. Pure. */
#pragma once

#include "alarm.h"

/* Sessions that fail in a row, before the HeMS counts as unreachable: one may. */
#define FAULTS_SESSIONS 2
/* A certificate is to be replaced by then. */
#define FAULTS_CERTIFICATE (14 * UINT64_C(86400) * USEC_PER_SEC)

typedef struct FaultsFacts {
    usec_t real;              /* the time of day; 0: not known */
    bool tunnel_wanted;       /* not on the way to an Initial HeMS on the internet, or out of service */
    bool tunnel, waiting;     /* there is one; the last attempt has failed, and the next one is waited for */
    unsigned failed_sessions; /* in a row */
    usec_t certificate_ends;  /* USEC_NEVER: there is none */
    const char *store;        /* what is wrong with it; NULL: nothing */
    const char *last_error;
} FaultsFacts;

/* As often as one likes. */
void faults_look(Alarms *alarms, const FaultsFacts *facts);
