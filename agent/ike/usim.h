/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What EAP-AKA asks of a USIM (TS 31.102; HPSIM of TS 31.104), whichever way it is reached: a small driver.
 */
#pragma once

#include "base/url.h"
#include "ike/milenage.h"

#define IMSI_MIN      6 /* MCC, MNC and something behind them */
#define IMSI_MAX      15
#define AKA_RES_MIN   4 /* TS 33.102 6.3.7: 32 to 128 bits */
#define AKA_RES_MAX   16
#define NAI_MAX_BYTES (1 + IMSI_MAX + 1 + HOST_MAX_BYTES) /* with its NUL */

typedef enum UsimVerdict {
    USIM_ACCEPTED,     /* RES, CK, IK */
    USIM_SYNC_FAILURE, /* AUTN is genuine, its sequence number was there before: AUTS */
    USIM_MAC_FAILURE,  /* AUTN is not of this subscriber's network */
} UsimVerdict;

typedef struct UsimAnswer {
    UsimVerdict verdict;
    uint8_t res[AKA_RES_MAX];
    size_t res_size;
    uint8_t ck[AKA_KEY_BYTES], ik[AKA_KEY_BYTES];
    uint8_t auts[AKA_AUTS_BYTES];
} UsimAnswer;

/* Both calls return 0 or a negative errno (no card, no reader, PIN wanted), and may take a card's time. */
typedef struct Usim {
    const char *name; /* for the log: "milenage", "pcsc" */
    /* The digits, and how many of them behind the three of the MCC are the MNC: 2 or 3. */
    int (*identity)(void *userdata, char imsi[static IMSI_MAX + 1], size_t *ret_mnc_size);
    int (*authenticate)(void *userdata, const uint8_t rand[static AKA_RAND_BYTES],
                        const uint8_t autn[static AKA_AUTN_BYTES], UsimAnswer *ret);
    void *userdata;
} Usim;

void usim_answer_wipe(UsimAnswer *answer);

/* IMSI_MIN to IMSI_MAX digits. */
bool imsi_is_valid(const char *imsi);
/* The permanent identity as a NAI: "0IMSI@wlan.mncMNC.mccMCC.3gppnetwork.org", the MNC always with three
 * digits (RFC 4187 4.1.1.6, TS 23.003 14.2, 14.3); with *realm* that one behind the @ instead. 0, -EINVAL
 * (the IMSI or MNC size is none), or what the driver says. */
int usim_nai(const Usim *usim, const char *realm, char ret[static NAI_MAX_BYTES]);
