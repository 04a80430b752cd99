/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages larger than one datagram (RFC 7383): what is sealed goes out as several SKF payloads, each sealed
 * on its own, and what came so is put together again. */
#pragma once

#include "ike/certificate.h"

#define FRAGMENTS_MAX      64          /* of one message, in either direction */
#define REASSEMBLY_MAX     (64 * 1024) /* bytes of one message collected; twice that while it is joined */
#define DATAGRAM_FIRST_MAX 1280        /* an IP datagram that goes wherever IPv6 does: RFC 7383 2.5.1 */
#define DATAGRAM_SMALL_MAX 576         /* when those do not arrive, over IPv4 */

/* Bytes of an IKE message in an IP datagram of *datagram* bytes: without IP and UDP header, and without the
 * non-ESP marker, whether or not there is going to be one. 0 when nothing fits. */
size_t fragment_limit(int family, size_t datagram);

/* A message to be sealed. */
typedef struct FragmentSource {
    IkeHeader header;   /* SPIs, exchange, flags and message ID */
    uint8_t first_type; /* of the first payload in *plain*; IKE_PAYLOAD_NONE without one */
    const uint8_t *plain;
    size_t plain_size;
    const SealKeys *keys;
    size_t limit;     /* of one IKE message: fragment_limit(), or SIZE_MAX when the peer takes no fragments */
    size_t more_than; /* it went in so many datagrams before, which were too large; 0 the first time */
} FragmentSource;

/* The datagrams of one message, as they go out and are retransmitted. */
typedef struct Fragments {
    size_t n; /* 0: none */
    Blob items[FRAGMENTS_MAX];
} Fragments;

/* Seals into one SK payload when that fits and the message did not go before, else into SKF payloads: as few
 * as fit, but more than *more_than*, which tells the peer to forget the larger ones (RFC 7383 2.5.2, 2.6).
 * *counter* is that of crypto_seal() and counts on with each datagram, also when this fails. 0; -EMSGSIZE: no
 * such number of fragments fits into the limit; -ENOMEM, -EIO. */
int fragments_seal(const FragmentSource *source, uint64_t *counter, const Rng *rng, Fragments *ret);
/* Also of none. */
void fragments_free(Fragments *fragments);

/* A message put together. Wiped when freed. */
typedef struct Reassembled {
    uint8_t first_type; /* of the payloads in *plain* */
    Blob plain;
} Reassembled;

void reassembled_free(Reassembled *message);

/* What has come of one message. Zero is an empty one. A Generation needs two of them, since a response to us
 * and a request of the peer's may be under way at the same time. */
typedef struct Reassembly {
    uint8_t exchange, flags;
    uint32_t message_id;
    uint16_t total; /* 0: nothing is held */
    size_t n, bytes;
    uint8_t first_type;
    Blob parts[FRAGMENTS_MAX];
} Reassembly;

typedef enum FragmentVerdict {
    FRAGMENT_KEPT,      /* authentic and new */
    FRAGMENT_COMPLETED, /* authentic, and the last one that was missing */
    FRAGMENT_REPEATED,  /* not authenticated: one that is held already, or of a former set of larger ones */
    FRAGMENT_MALFORMED, /* not authenticated: no single SKF payload, or numbers that break the rules */
    FRAGMENT_FORGED,    /* checksum wrong */
    FRAGMENT_REFUSED,   /* authentic, but empty, or the message grew beyond REASSEMBLY_MAX and was let go */
    FRAGMENT_LOST,      /* authentic, but there was no memory: like a datagram that got lost */
} FragmentVerdict;

/* Opens, in place, a *datagram* whose header *h* belongs to the message that is due, and whose chain is
 * *payloads*. Nothing is kept before it is authenticated: one with a larger total then, or of another
 * message, replaces what is held (RFC 7383 2.6). With FRAGMENT_COMPLETED the message is in *ret* and nothing
 * is held. */
FragmentVerdict reassembly_add(Reassembly *reassembly, const SealKeys *keys, const IkeHeader *h,
                               const IkePayloads *payloads, uint8_t *datagram, size_t size, Reassembled *ret);
/* Wipes and frees what is held: the message came another way, or is not due any more. */
void reassembly_reset(Reassembly *reassembly);

/* Whether a repeated request is to be answered with the response once more: of its fragments only the first
 * one is (RFC 7383 2.6.1), else each would draw all of the response. Always true of SK. */
bool fragment_repeats(const IkePayloads *payloads);
