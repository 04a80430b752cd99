/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A USIM for laboratories, of a credential in a file instead of a card: Milenage, and the sequence numbers of
 * TS 33.102 annex C. Who has the file has the subscription; a hosting party's own is a card. */
#pragma once

#include "ike/usim.h"

/* SQN = SEQ, IND (C.1.1.1): the last five bits choose one of 32 places. */
#define SQN_IND_BITS    5
#define SQN_PLACES      (1 << SQN_IND_BITS)
#define SQN_MAX         ((UINT64_C(1) << 48) - 1)
#define SQN_DELTA       (UINT64_C(1) << 28) /* C.2.1: SEQ may not go up by more at once */
#define CREDENTIAL_MAX  4096                /* bytes of the file */
#define CREDENTIAL_TEXT 128                 /* of what is wrong with it, with its NUL */

/* What the card would keep: the highest SEQ accepted in each place (C.2.2). */
typedef struct SqnArray {
    uint64_t seq[SQN_PLACES];
} SqnArray;

typedef struct UsimMilenage {
    char imsi[IMSI_MAX + 1];
    size_t mnc_size;
    Milenage milenage;
    SqnArray sqn;
    /* Keeps *sqn* for the next start. Called before an answer is given: what is not kept could be replayed.
     * 0, or a negative errno, with which the authentication fails. NULL: nothing is kept. */
    int (*keep)(void *userdata, const SqnArray *sqn);
    void *userdata;
} UsimMilenage;

/* From the text of a credential file, lines of Key=Value; # begins a comment:
 *     IMSI=001010123456789      MNCLength=2 (or 3; 2 when not there)
 *     K=32 hexadecimal digits   OP=the same, or OPc=the same
 *     SQN=12 hexadecimal digits (as if that number had been accepted last; 0 when not there)
 * 0, or -EINVAL with "line N: what is wrong" in *text* (CREDENTIAL_TEXT bytes), or -EIO. Nothing of the
 * secrets is in *text*. keep() and *userdata* are left NULL. */
int usim_milenage_parse(UsimMilenage *ret, const char *file, size_t size, char *text);
void usim_milenage_wipe(UsimMilenage *usim);
/* The driver; *usim* must outlive it. */
Usim usim_milenage_driver(UsimMilenage *usim);

/* SQN_MS: the highest accepted (C.2.2). */
uint64_t sqn_array_highest(const SqnArray *sqn);
/* Whether *number* is fresh; takes it if so. */
bool sqn_array_accept(SqnArray *sqn, uint64_t number);
