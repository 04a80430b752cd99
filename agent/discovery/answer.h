/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What DNS said of one name, for as long as it may be believed. */
#pragma once

#include "base/address.h"
#include "base/moment.h"

/* An answer of DNS lives for its TTL, no longer than the one and no shorter than the other: what has been
 * asked for is used. */
#define ANSWER_TTL_MAX (3600 * USEC_PER_SEC)
#define ANSWER_TTL_MIN (5 * USEC_PER_SEC)

typedef struct Answer {
    AddressList list; /* in the order to try; empty: not asked, or nothing to be believed any more */
    usec_t expires;   /* USEC_NEVER for a literal */
} Answer;

/* When addresses with *ttl* are not to be believed any more. */
usec_t answer_expiry(usec_t ttl, Moment now);
/* *name* as one address when it is a literal. */
bool answer_literal(const char *name, AddressList *ret);
/* Is there nothing to ask for *name*? A literal answers itself; what has grown old is forgotten. */
bool answer_known(Answer *answer, const char *name, Moment now);
void answer_set(Answer *answer, const AddressList *list, usec_t ttl, Moment now);
