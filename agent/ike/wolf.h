/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files on wolfSSL share and nobody else sees: its source of randomness, and how its numbers are
 * called here. In crypto.c. */
#pragma once

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/random.h>

#include "ike/private-key.h"

/* wolfSSL's generator drawing from ours. */
typedef struct WolfRng {
    WC_RNG wolf; /* must be first, and its seed first in it: the device gets pointers to them */
    const Rng *source;
} WolfRng;

/* *source* must outlive it. 0 or -EIO. */
int wolf_rng_init(WolfRng *r, const Rng *source);
void wolf_rng_free(WolfRng *r);

typedef struct WolfHash {
    enum wc_HashType wolf;
    int hmac;
    size_t size;
    int mgf;
} WolfHash;

const WolfHash *wolf_hash(HashAlgorithm hash);

/* Elliptic curves in Weierstrass form by their coordinate size: groups of IKE and kinds of key. */
typedef struct Curve {
    int wolf;
    size_t size;
    uint16_t group;
    KeyKind kind;
} Curve;

/* NULL where there is none. */
const Curve *curve_of_wolf(int wolf);
const Curve *curve_of_group(uint16_t group);
const Curve *curve_of_kind(KeyKind kind);

/* Moves a number of *size* bytes to the end of *full* bytes and zeroes those before it (RFC 7296 2.14, RFC
 * 4754 5). */
static inline void pad_left(uint8_t *number, size_t size, size_t full) {
    memmove(number + full - size, number, size);
    memset(number, 0, full - size);
}
