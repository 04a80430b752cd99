/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The far end of S1 (TS 32.593 5.1.3 step 2.1): the HeMS's word, the names in it on their way to addresses,
 * and what of it is published. Pure. */
#pragma once

#include "discovery/answer.h"
#include "status.h"

typedef struct FarEnd {
    S1Config word;  /* of the HeMS; names get their addresses here */
    size_t index;   /* of the entry whose name is to be asked for */
    usec_t expires; /* when the first of its answers has grown old; USEC_NEVER: none does */
    S1Config published;
} FarEnd;

/* *s1* is the HeMS's word now: literals with their address, names without. A name that is published keeps its
 * addresses while they live. That the cell is locked is published at once. */
void far_end_take(FarEnd *f, const S1Config *s1, Moment now);
/* The next name to ask for, NULL: all have been asked. */
const char *far_end_name(FarEnd *f);
/* What is kept of a name whose answer was not to be had is asked for again after this. */
#define FAR_END_RETRY (60 * USEC_PER_SEC)
/* Its answer; NULL: none was to be had, and what was published of it stays good until DNS says something
 * else. */
void far_end_answer(FarEnd *f, const AddressList *list, usec_t ttl, Moment now);
/* Has any entry an address? */
bool far_end_usable(const FarEnd *f);
/* What can be used is published, in one piece. */
void far_end_publish(FarEnd *f);
/* Is all of the word published? */
bool far_end_is_complete(const FarEnd *f);
/* Those that are open are asked for again; with *all*, every name: by another tunnel's DNS, or because
 * answers have grown old. A literal of a family that *inside* (NULL: whatever it was) has no address of is no
 * use. */
void far_end_ask_again(FarEnd *f, bool all, const AddressList *inside);
/* No MME is published any more; the HeMS's word is kept. */
void far_end_withdraw(FarEnd *f);
