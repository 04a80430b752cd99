/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is said to a UICC and what it answers (TS 102 221 clauses 10 and 11, TS 31.102 7.1.2, TS 31.104).
 * Pure; the reader is usim-pcsc-io.c's. */
#pragma once

#include "ike/usim.h"

#define APDU_MAX       64  /* bytes of a command of ours */
#define APDU_REPLY_MAX 258 /* of an answer, with its status */

typedef struct Apdu {
    uint8_t bytes[APDU_MAX];
    size_t size;
} Apdu;

/* An answer: what stands in front of the two status bytes. */
typedef struct ApduReply {
    const uint8_t *data;
    size_t size;
    uint16_t status; /* SW1, SW2 */
} ApduReply;

enum { /* TS 102 221 10.2.1, TS 31.102 7.3 */
       APDU_OK = 0x9000,
       APDU_MORE = 0x61,  /* SW1: SW2 bytes wait for GET RESPONSE */
       APDU_AGAIN = 0x6c, /* SW1: the same again with SW2 as Le */
       APDU_WRONG_MAC = 0x9862,
       APDU_WANTS_PIN = 0x6982,
       APDU_NO_FILE = 0x6a82,
};

/* The applications that can hold a hosting party's subscription, in the order they are looked for. By the
 * first bytes of their names (AID, TS 101 220 annex E). */
#define APDU_APPLICATIONS 2
Apdu apdu_select_application(size_t i);
#define EF_IMSI 0x6f07
#define EF_AD   0x6fad
Apdu apdu_select_file(uint16_t file);
Apdu apdu_read_binary(uint8_t size);
/* AUTHENTICATE in 3G context (TS 31.102 7.1.2.1). *le*: the protocol (T=1) wants to be told that there is an
 * answer; T=0 does not. */
Apdu apdu_authenticate(const uint8_t rand[static AKA_RAND_BYTES], const uint8_t autn[static AKA_AUTN_BYTES],
                       bool le);

/* 0 or -EBADMSG (no status bytes). */
int apdu_reply_parse(const uint8_t *bytes, size_t size, ApduReply *ret);
/* Whether *reply* to *sent* wants a further command before there is an answer: that command. */
bool apdu_follow(const Apdu *sent, const ApduReply *reply, Apdu *ret);
/* What a status other than APDU_OK means as errno: -EACCES (a PIN is wanted), -ENOENT (no such file or
 * application), -EPROTO. */
int apdu_status_error(uint16_t status);

/* The contents of EF IMSI (TS 31.102 4.2.2) and EF AD (4.2.18; 2 where the card does not say how long the MNC
 * is). 0 or -EBADMSG. */
int apdu_imsi_parse(const ApduReply *reply, char imsi[static IMSI_MAX + 1]);
int apdu_mnc_size_parse(const ApduReply *reply, size_t *ret);
/* The answer to AUTHENTICATE. 0, -EBADMSG, or apdu_status_error(). */
int apdu_authenticate_parse(const ApduReply *reply, UsimAnswer *ret);
