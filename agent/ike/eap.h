/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The codec of EAP packets (RFC 3748 clause 4 and 5), as they stand in IKE's EAP payload (RFC 7296 3.16). */
#pragma once

#include "base/macro.h"
#include "base/wire.h"

#define EAP_HEADER_SIZE 4
#define EAP_REQUEST_MAX 1020 /* bytes of a packet that we look at; RFC 3748 3.1 */

enum { /* RFC 3748 4 */
       EAP_REQUEST = 1,
       EAP_RESPONSE = 2,
       EAP_SUCCESS = 3,
       EAP_FAILURE = 4,
};

enum { /* RFC 3748 5, RFC 4187 11 */
       EAP_TYPE_IDENTITY = 1,
       EAP_TYPE_NOTIFICATION = 2,
       EAP_TYPE_NAK = 3,
       EAP_TYPE_AKA = 23,
       EAP_TYPE_EXPANDED = 254,
};

typedef struct EapPacket {
    uint8_t code, identifier;
    uint8_t type;        /* of requests and responses */
    const uint8_t *data; /* behind the type; not of success and failure */
    size_t size;
} EapPacket;

/* 0, or -EBADMSG: too short, its length not that of what carries it (RFC 7296 3.16), a request without a
 * type, a success or failure with something behind it, an unknown code, an Expanded type without vendor and
 * type. *ret points into *packet*. */
int eap_decode(const uint8_t *packet, size_t size, EapPacket *ret);

/* Begins a response of that type; eap_end() writes the length, -ENOBUFS when it did not fit. */
Writer eap_begin(void *data, size_t size, uint8_t identifier, uint8_t type);
int eap_end(Writer *w, size_t *ret_size);
/* Legacy or Expanded Nak, as the request was (5.3.1, 5.3.2): that *type* is wanted instead. */
Writer eap_nak(void *data, size_t size, const EapPacket *request, uint8_t type);
