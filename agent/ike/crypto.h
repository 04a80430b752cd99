/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hashes, PRFs and the protection of messages (RFC 7296 2.13, 3.14; RFC 5282, 7634) on wolfSSL. This,
 * key-exchange.c, private-key.c and certificate.c are the only files that see wolfSSL, and keep its traps. */
#pragma once

#include <sys/uio.h>

#include "base/macro.h"
#include "base/rng.h"
#include "ike/transform.h"

#define HASH_SIZE_MAX 64
#define PRF_SIZE_MAX  64

typedef enum HashAlgorithm {
    HASH_SHA1, /* NAT detection and CERTREQ only (RFC 7296 2.23, 3.7); never in a signature */
    HASH_SHA2_256,
    HASH_SHA2_384,
    HASH_SHA2_512,
    HASH_IDENTITY, /* the octets themselves (RFC 8420 2); nothing computes it */
    HASH_ALGORITHMS_,
} HashAlgorithm;

size_t hash_size(HashAlgorithm hash);
/* Hashes the *n* parts into *ret* (HASH_SIZE_MAX bytes). 0 or -EIO (the library failed). */
int crypto_hash(HashAlgorithm hash, const struct iovec *parts, size_t n, uint8_t *ret);

/* prf(key, parts) of RFC 7296 2.13 into *ret*, transform->key_size bytes; also the integrity algorithms'
 * HMAC. */
int crypto_prf(const Transform *prf, const uint8_t *key, size_t key_size, const struct iovec *parts, size_t n,
               uint8_t *ret);
/* prf+ of 2.13, *size* bytes into *ret*. */
int crypto_prf_plus(const Transform *prf, const uint8_t *key, size_t key_size, const struct iovec *seed,
                    size_t n, uint8_t *ret, size_t size);

/* One direction of an SK payload's protection (RFC 7296 3.14, RFC 5282). */
typedef struct SealKeys {
    const Transform *encr, *integ;   /* integ NULL with AEAD */
    uint8_t encryption[ESP_KEY_MAX]; /* key then salt */
    uint8_t integrity[PRF_SIZE_MAX];
} SealKeys;

/* Bytes that sealing *size* bytes adds: IV, padding, pad length, checksum. */
size_t seal_overhead(const SealKeys *keys, size_t size);
/* Seals in place. *message* (whole, *message_size* bytes) ends with the SK payload's body: room for the IV at
 * *iv_offset*, *plain_size* bytes of plaintext behind it, then room for the rest of seal_overhead(). The IV
 * of an AEAD is *counter*, which must never repeat under one key; that of CBC is random. 0 or -EIO. */
int crypto_seal(const SealKeys *keys, uint8_t *message, size_t message_size, size_t iv_offset,
                size_t plain_size, uint64_t counter, const Rng *rng);
/* Opens in place: *message* is a whole datagram whose SK body starts at *iv_offset*. *ret_plain*, *ret_size*
 * the payloads inside. 0 or -EBADMSG (checksum or padding wrong, too short). */
int crypto_open(const SealKeys *keys, uint8_t *message, size_t message_size, size_t iv_offset,
                uint8_t **ret_plain, size_t *ret_size);

bool crypto_equal(const void *a, const void *b, size_t size); /* constant time */

/* Frees what wolfSSL remembers of P-256 keys (about 13 MB after ten of them). Call after each handshake. */
void crypto_forget_caches(void);
