/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The cryptography of IKEv2 on wolfSSL. This and certificate.c are the only files that see wolfSSL; its traps
 * are kept here: public values are checked before use (RFC 6989), secrets padded to full length (RFC
 * 7296 2.14), all-zero secrets refused, the P-256 cache freed. */
#pragma once

#include <sys/uio.h>

#include "base/macro.h"
#include "base/rng.h"
#include "ike/transform.h"

#define HASH_SIZE_MAX      64
#define PRF_SIZE_MAX       64
#define SIGNATURE_SIZE_MAX 512 /* RSA-4096 */
#define SHARED_SECRET_MAX  IKE_KE_MAX

typedef enum HashAlgorithm {
    HASH_SHA1, /* NAT detection and CERTREQ only (RFC 7296 2.23, 3.7); never in a signature */
    HASH_SHA2_256,
    HASH_SHA2_384,
    HASH_SHA2_512,
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

/* One ephemeral Diffie-Hellman key pair. */
typedef struct KeyExchange KeyExchange;
/* 0, -EIO, -ENOMEM. */
int key_exchange_new(KeyExchange **ret, const Transform *group, const Rng *rng);
void key_exchange_free(KeyExchange *key);
DEFINE_CLEANUP(KeyExchange, key_exchange_free)
/* The KE payload's data, transform->icv_size bytes. */
const uint8_t *key_exchange_public(const KeyExchange *key, size_t *ret_size);
uint16_t key_exchange_group(const KeyExchange *key);
/* The shared secret, left-padded to its full length, into *ret* (SHARED_SECRET_MAX). 0;
 * IKE_NOTIFY_INVALID_SYNTAX for a public value that RFC 6989 tells us to refuse or of the wrong length; -EIO.
 */
int key_exchange_agree(KeyExchange *key, const uint8_t *peer, size_t peer_size, uint8_t *ret,
                       size_t *ret_size);

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

typedef enum KeyKind {
    KEY_RSA,
    KEY_ECDSA_P256,
    KEY_ECDSA_P384,
    KEY_ECDSA_P521,
    KEY_KINDS_,
} KeyKind;

typedef enum SignatureForm {
    SIGNATURE_RSA_PKCS1,
    SIGNATURE_RSA_PSS, /* salt as long as the hash */
    SIGNATURE_ECDSA_DER,
    SIGNATURE_ECDSA_RAW, /* r | s, RFC 4754 */
} SignatureForm;

/* A private key in memory, wiped when freed. */
typedef struct PrivateKey PrivateKey;
/* From a PEM file's bytes: PKCS#8, SEC1 or PKCS#1, not encrypted. 0, -EINVAL (no usable key in it), -ENOTSUP
 * (a kind or size we do not use: RSA below 2048 or above 4096 bits, other curves), -ENOMEM. */
int private_key_load(PrivateKey **ret, const uint8_t *pem, size_t size);
void private_key_free(PrivateKey *key);
DEFINE_CLEANUP(PrivateKey, private_key_free)
KeyKind private_key_kind(const PrivateKey *key);
/* Whether *spki* (a SubjectPublicKeyInfo, DER) is this key's public half. */
bool private_key_matches(const PrivateKey *key, const uint8_t *spki, size_t spki_size);
/* Signs the hash of the parts. *ret* has SIGNATURE_SIZE_MAX bytes. 0 or -EIO. */
int private_key_sign(const PrivateKey *key, SignatureForm form, HashAlgorithm hash, const struct iovec *parts,
                     size_t n, const Rng *rng, uint8_t *ret, size_t *ret_size);

/* 0; IKE_NOTIFY_AUTHENTICATION_FAILED when the signature does not verify or the key is of another kind or too
 * weak; -EIO, -ENOMEM. */
int crypto_verify(const uint8_t *spki, size_t spki_size, SignatureForm form, HashAlgorithm hash,
                  const struct iovec *parts, size_t n, const uint8_t *signature, size_t signature_size);

/* Frees what wolfSSL remembers of P-256 keys (about 13 MB after ten of them). Call after each handshake. */
void crypto_forget_caches(void);
