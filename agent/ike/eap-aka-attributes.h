/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The attributes of EAP-AKA (RFC 4187 clauses 8 and 10): which there are, how long they are, and where they
 * may be; one table. */
#pragma once

#include "base/macro.h"
#include "base/wire.h"

enum { /* subtypes: RFC 4187 11 */
       AKA_CHALLENGE = 1,
       AKA_AUTHENTICATION_REJECT = 2,
       AKA_SYNCHRONIZATION_FAILURE = 4,
       AKA_IDENTITY = 5,
       AKA_NOTIFICATION = 12,
       AKA_REAUTHENTICATION = 13,
       AKA_CLIENT_ERROR = 14,
};

/* Name, number, bytes behind type and length (0: any, AKA_CHECKCODE_BYTES: none or a hash too), where a
 * request may have it. Numbers below 128 may not be skipped by who does not know them (8.1). */
#define AKA_ATTRIBUTES(X)                                                                                    \
    X(RAND, 1, 18, IN_CHALLENGE)                                                                             \
    X(AUTN, 2, 18, IN_CHALLENGE)                                                                             \
    X(RES, 3, 0, IN_NONE)                                                                                    \
    X(AUTS, 4, 14, IN_NONE)                                                                                  \
    X(PADDING, 6, 0, IN_ENCRYPTED)                                                                           \
    X(PERMANENT_ID_REQ, 10, 2, IN_IDENTITY)                                                                  \
    X(MAC, 11, 18, IN_CHALLENGE | IN_NOTIFICATION)                                                           \
    X(NOTIFICATION, 12, 2, IN_NOTIFICATION)                                                                  \
    X(ANY_ID_REQ, 13, 2, IN_IDENTITY)                                                                        \
    X(IDENTITY, 14, 0, IN_NONE)                                                                              \
    X(FULLAUTH_ID_REQ, 17, 2, IN_IDENTITY)                                                                   \
    X(CLIENT_ERROR_CODE, 22, 2, IN_NONE)                                                                     \
    X(IV, 129, 18, IN_CHALLENGE)                                                                             \
    X(ENCR_DATA, 130, 0, IN_CHALLENGE)                                                                       \
    X(NEXT_PSEUDONYM, 132, 0, IN_ENCRYPTED)                                                                  \
    X(NEXT_REAUTH_ID, 133, 0, IN_ENCRYPTED)                                                                  \
    X(CHECKCODE, 134, AKA_CHECKCODE_BYTES, IN_CHALLENGE)                                                     \
    X(RESULT_IND, 135, 2, IN_CHALLENGE)                                                                      \
    X(BIDDING, 136, 2, IN_CHALLENGE)

#define AKA_CHECKCODE_BYTES 22 /* reserved (2), SHA-1 of the AKA-Identity packets */

#define X(name, number, size, where) AT_##name = number,
enum { AKA_ATTRIBUTES(X) };
#undef X

#define X(name, number, size, where) AT_INDEX_##name,
enum { AKA_ATTRIBUTES(X) AT_INDICES_ };
#undef X

/* Where attributes stand: in a request's subtype, or in what AT_ENCR_DATA hides. */
enum {
    IN_NONE = 0,
    IN_CHALLENGE = 1 << 0,
    IN_IDENTITY = 1 << 1,
    IN_NOTIFICATION = 1 << 2,
    IN_ENCRYPTED = 1 << 3,
};

/* What follows type and length of an attribute, in place; data NULL: the attribute is not there. */
typedef struct AkaValue {
    const uint8_t *data;
    size_t size;
} AkaValue;

typedef struct AkaAttributes {
    AkaValue at[AT_INDICES_];
} AkaAttributes;

/* 0, or -EBADMSG with a line in *text*: lengths that do not fit, one twice, one that does not belong *where*
 * it is or is unknown, unless its number says that it may be skipped. */
#define AKA_TEXT_MAX 64
int aka_attributes_parse(AkaAttributes *ret, unsigned where, const uint8_t *data, size_t size,
                         char text[static AKA_TEXT_MAX]);

/* Appends an attribute with *size* bytes behind type and length, padded with zeroes to a multiple of 4.
 * *value* NULL: zeroes. Returns where the value stands, or NULL (and bad). */
uint8_t *aka_attribute_write(Writer *w, uint8_t type, const void *value, size_t size);
