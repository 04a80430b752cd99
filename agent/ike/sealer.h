/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A protected message under construction (RFC 7296 3.14): payloads are written in clear behind the header of
 * an SK payload, and sealed at the end, into one datagram or into fragments (RFC 7383). */
#pragma once

#include "ike/certificate.h"
#include "ike/fragment.h"
#include "ike/keys.h"

#define SEALER_MESSAGE_MAX 16384 /* bytes of a message of ours */

typedef struct Sealer {
    IkeWriter m; /* for the payloads */
    uint8_t buffer[SEALER_MESSAGE_MAX];
    IkeHeader header;
    const SealKeys *keys;
    size_t sk, iv, plain; /* offsets */
} Sealer;

/* The datagrams of one message, kept to be sent again. */
typedef struct Datagrams {
    size_t n;
    Blob items[FRAGMENTS_MAX];
} Datagrams;

/* Borrows *keys*. Write payloads to s->m next. */
void sealer_start(Sealer *s, const IkeHeader *header, const SealKeys *keys);
/* Seals what was written: one datagram when it has at most *size_max* bytes (0: however long it is), else
 * fragments of at most so many. *counter* is counted up by what was used of it. *ret* (empty before) is for
 * datagrams_free(). 0, -ENOBUFS (too long), -ENOMEM, -EIO. */
int sealer_finish(Sealer *s, uint64_t *counter, const Rng *rng, size_t size_max, Datagrams *ret);
/* One datagram, as it is. 0 or -ENOMEM. */
int datagrams_copy(Datagrams *ret, const void *data, size_t size);
void datagrams_free(Datagrams *d);
