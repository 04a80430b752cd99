/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The IKEv2 codec (RFC 7296 clause 3): bytes to structs and back. Straight-line decoders over a Reader; no
 * decoder sends, allocates or keeps anything. What they return points into the datagram. */
#pragma once

#include "base/address.h"
#include "base/wire.h"
#include "ike/child-sa.h"
#include "ike/ikev2.h"

#define IKE_PAYLOADS_MAX   64 /* payloads of one message that we look at; more is malformed */
#define IKE_PROPOSALS_MAX  16
#define IKE_TRANSFORMS_MAX 32 /* of one proposal */
#define IKE_NONCE_MIN      16 /* 3.9 */
#define IKE_NONCE_MAX      256
#define IKE_COOKIE_MAX     64 /* 2.6 */
#define IKE_KE_MAX         512
#define IKE_SPIS_MAX       32 /* of one DELETE payload */

typedef struct IkeHeader {
    uint64_t spi_i, spi_r;
    uint8_t next_payload;
    uint8_t version;
    uint8_t exchange;
    uint8_t flags;
    uint32_t message_id;
    uint32_t length; /* of the whole message */
} IkeHeader;

typedef struct IkePayload {
    uint8_t type;
    const uint8_t *data; /* the body, after the generic header */
    size_t size;
} IkePayload;

typedef struct IkePayloads {
    size_t n;
    IkePayload items[IKE_PAYLOADS_MAX];
    uint8_t inner_type; /* with an SK or SKF payload: the type of the first payload sealed in it */
} IkePayloads;

typedef struct IkeTransform {
    uint8_t type;
    uint16_t id;
    uint16_t key_bits; /* 0: no Key Length attribute */
    bool unknown;      /* carried an attribute we do not know: it must not be chosen (3.3.6) */
} IkeTransform;

typedef struct IkeProposal {
    uint8_t number;
    uint8_t protocol;
    uint8_t spi_size; /* 0, 4 or 8 */
    uint64_t spi;
    size_t n_transforms;
    IkeTransform transforms[IKE_TRANSFORMS_MAX];
} IkeProposal;

typedef struct IkeNotify {
    uint8_t protocol;
    uint16_t type;
    uint32_t spi; /* ESP, when there is one */
    const uint8_t *data;
    size_t size;
} IkeNotify;

typedef struct IkeDelete {
    uint8_t protocol;
    size_t n_spis;
    uint32_t spis[IKE_SPIS_MAX]; /* ESP only */
} IkeDelete;

typedef struct IkeConfiguration { /* CFG_REPLY, what we asked for of it */
    AddressList addresses;
    AddressList dns;
} IkeConfiguration;

/* Decoders: 0, -EBADMSG for bytes that break the format, or a positive IKE_NOTIFY_* where the RFC names the
 * answer. Each must consume its input entirely. */

/* 3.1. Reads the header off *r* and checks version and length against what is there. */
int ike_header_decode(Reader *r, IkeHeader *ret);
/* 3.2. Splits a chain of payloads starting with *first_type*. Unknown payloads are left out, or, when
 * critical, answered IKE_NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD with the type in *ret_critical*. An SK or SKF
 * payload ends the chain. */
int ike_payloads_split(Reader r, uint8_t first_type, IkePayloads *ret, uint8_t *ret_critical);
/* The *i*-th payload of *type*, or NULL. */
const IkePayload *ike_payloads_find(const IkePayloads *payloads, uint8_t type, size_t i);
/* Checks the payload types against the table of what may stand in a message of this *exchange*, request or
 * response, sealed in SK or in the clear (RFC 7296 appendix C). 0 or IKE_NOTIFY_INVALID_SYNTAX, with
 * *ret_type* the payload that is missing, too many or not allowed. */
int ike_payloads_check(const IkePayloads *payloads, uint8_t exchange, bool response, bool sealed,
                       uint8_t *ret_type);

int ike_sa_payload_decode(const IkePayload *p, IkeProposal ret[static IKE_PROPOSALS_MAX], size_t *ret_n);
int ike_ke_decode(const IkePayload *p, uint16_t *ret_group, Reader *ret_public);
int ike_notify_decode(const IkePayload *p, IkeNotify *ret);
/* The first notify of *type* in a message; those that are malformed are passed over. */
bool ike_notify_find(const IkePayloads *payloads, unsigned type, IkeNotify *ret);
/* The type of the first error notify, 0 without one. */
unsigned ike_notify_error(const IkePayloads *payloads);
int ike_delete_decode(const IkePayload *p, IkeDelete *ret);
/* IDi, IDr: the type; *ret_data* the identification data. */
int ike_id_decode(const IkePayload *p, uint8_t *ret_type, Reader *ret_data);
/* CERT, CERTREQ, AUTH: one byte, then data. AUTH has three reserved bytes between them. */
int ike_cert_decode(const IkePayload *p, uint8_t *ret_encoding, Reader *ret_data);
int ike_auth_decode(const IkePayload *p, uint8_t *ret_method, Reader *ret_data);
/* SKF (RFC 7383 2.5): the fragment's number from 1 on, never more than the total; *ret_sealed* starts with
 * the IV. */
int ike_skf_decode(const IkePayload *p, uint16_t *ret_number, uint16_t *ret_total, Reader *ret_sealed);
/* Selectors whose range is no prefix, or of an unknown type, are left out. */
int ike_ts_decode(const IkePayload *p, TrafficSelector ret[static TS_MAX], size_t *ret_n);
/* Takes a CFG_REPLY; unknown attributes are ignored (3.15.1). */
int ike_cp_decode(const IkePayload *p, IkeConfiguration *ret);

/* One message being written. Payloads chain themselves; lengths are patched at the end of each. */
typedef struct IkeWriter {
    Writer w;
    size_t next_offset; /* where the type of the next payload goes */
    size_t payload;     /* start of the payload being written */
} IkeWriter;

/* Writes the header; the length is patched by ike_writer_finish(). */
void ike_writer_start(IkeWriter *m, void *buffer, size_t size, const IkeHeader *header);
/* One payload. A bare chain, for what will be sealed, starts with *next_offset* at a byte that takes the
 * first one's type. */
void ike_writer_begin(IkeWriter *m, uint8_t type);
void ike_writer_end(IkeWriter *m);
/* Patches the message length. 0 or -ENOBUFS. */
int ike_writer_finish(IkeWriter *m);

void ike_notify_write(IkeWriter *m, uint8_t protocol, uint16_t type, const void *data, size_t size);
/* One that is about an SA: 4 bytes of SPI. */
void ike_notify_spi_write(IkeWriter *m, uint8_t protocol, uint32_t spi, uint16_t type);
void ike_sa_payload_write(IkeWriter *m, const IkeProposal *proposals, size_t n);
void ike_ke_write(IkeWriter *m, uint16_t group, const uint8_t *public_value, size_t size);
/* A payload that is nothing but its data (nonce), and one that starts with a byte and *reserved* zero bytes
 * (ID and AUTH: 3, CERT and CERTREQ: 0). */
void ike_blob_write(IkeWriter *m, uint8_t type, const void *data, size_t size);
void ike_typed_blob_write(IkeWriter *m, uint8_t type, uint8_t kind, size_t reserved, const void *data,
                          size_t size);
void ike_delete_write(IkeWriter *m, uint8_t protocol, const uint32_t *spis, size_t n);
/* TSi or TSr. */
void ike_ts_write(IkeWriter *m, uint8_t type, const TrafficSelector *ts, size_t n);
/* CFG_REQUEST for an address and DNS servers of both families; for those of *inner* where it has one. */
void ike_cp_request_write(IkeWriter *m, const AddressList *inner);
