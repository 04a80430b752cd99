/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Second opinions: before a change set is committed, each daemon that owns a part of it (agent.conf's
 * [Owners]) and wants to be asked prepares for it, or objects. Pure: time in, actions out.
 *
 *              owners_begin()         all have agreed, or none was to be asked
 *      IDLE ------------------> ASKING ----------------------------------------> AGREED
 *       ^    PREPARE to each      |                                     VERDICT    |
 *       |                         | an objection when all have answered, a         | owners_end(): COMMIT or
 *       +-------------------------+ failure, 2 s: VERDICT with faults, ABORT       | ABORT to each asked
 *       +--------------------------------------------------------------------------+
 *
 * Each one that was asked and is still there gets exactly one COMMIT or ABORT, its last word of that change
 * set. */
#pragma once

#include "base/macro.h"
#include "base/moment.h"
#include "base/owner-table.h"

/* For all of them together. Shorter than the 2 s that a HeMS's session waits, so that it hears who was
 * silent. */
#define OWNER_LIMIT      (1900 * USEC_PER_MSEC)
#define OWNER_REASON_MAX 128 /* bytes of a fault's text, with its NUL */

typedef struct Owners Owners;

/* Why one parameter will not be set. */
typedef struct OwnerFault {
    const char *name; /* of the change; lives as long as the verdict */
    int code;         /* of CWMP: 9001, or 9002 for an owner that did not answer */
    char text[OWNER_REASON_MAX];
} OwnerFault;

typedef enum OwnerActionType {
    OWNER_PREPARE, /* ask *name* about *changes*, which are those of its part; owners_answer() or
                      owners_failed() */
    OWNER_COMMIT,
    OWNER_ABORT,
    OWNER_VERDICT, /* *faults*: none: commit, then owners_end(); else it is over already */
} OwnerActionType;

typedef struct OwnerAction {
    OwnerActionType type;
    uint64_t id;      /* of the change set */
    const char *name; /* the owner's; NULL for OWNER_VERDICT */
    const OwnerChange *changes;
    const OwnerFault *faults;
    size_t n; /* of changes or faults */
} OwnerAction;

/* *table* is borrowed. 0 or -ENOMEM. */
int owners_new(Owners **ret, const OwnerTable *table);
void owners_free(Owners *owners);
DEFINE_CLEANUP(Owners, owners_free)

/* *name* is on the bus and wants to be asked from now on. An owner that is not there, or does not want to, is
 * not asked. False: it is no owner. */
bool owners_enter(Owners *owners, const char *name);
/* It has left the bus: that is no answer, and it hears nothing more. */
void owners_leave(Owners *owners, const char *name);

/* A change set is about to be committed. Copies. 0, then OWNER_VERDICT follows; -EBUSY while another one has
 * not come to its end or actions of it wait, -ENOMEM. */
int owners_begin(Owners *owners, usec_t now, const OwnerChange *changes, size_t n);
/* *name* agrees to change set *id* (no objections), or does not: with no parameter of its own it objects to
 * each of its changes. What comes late, twice or from somebody else is ignored. */
void owners_answer(Owners *owners, uint64_t id, const char *name, bool agreed,
                   const OwnerObjection *objections, size_t n);
/* *name* has answered with an error, or cannot be asked: 9002. */
void owners_failed(Owners *owners, uint64_t id, const char *name, const char *why);
void owners_tick(Owners *owners, usec_t now);
/* When owners_tick() is due; USEC_NEVER: not. */
usec_t owners_deadline(const Owners *owners);
/* The change set that runs was committed, or was given up, also before the verdict, which then does not come.
 * Nothing without one. */
void owners_end(Owners *owners, bool committed);
/* False: nothing to do. What *ret* points to lives until the next call of another function but
 * owners_answer(), owners_failed() and owners_deadline(). */
bool owners_next(Owners *owners, OwnerAction *ret);
