/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A protected message under construction (RFC 7296 3.14): its payloads are written in clear, and sealed at
 * the end into one datagram or several. */
#pragma once

#include "ike/fragment.h"

#define SEALER_MAX 16384 /* bytes of payloads */

typedef struct Sealer {
    IkeWriter m; /* for the payloads */
    IkeHeader header;
    const SealKeys *keys;
    uint8_t buffer[1 + SEALER_MAX]; /* the type of the first payload, then all of them */
} Sealer;

/* Borrows *keys*. NULL without memory. */
Sealer *sealer_new(const IkeHeader *header, const SealKeys *keys);
/* Wipes it. */
void sealer_free(Sealer *sealer);
DEFINE_CLEANUP(Sealer, sealer_free)

/* Seals what was written. *limit* and *more_than* as in FragmentSource, *counter* as in fragments_seal(). 0,
 * -ENOBUFS (more than SEALER_MAX), or its errors. Can be repeated. */
int sealer_finish(const Sealer *sealer, uint64_t *counter, const Rng *rng, size_t limit, size_t more_than,
                  Fragments *ret);
