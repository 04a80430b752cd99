/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signatures and the keys that make them (RFC 8017, 4754, 8032). */
#pragma once

#include "ike/crypto.h"

#define SIGNATURE_SIZE_MAX 512     /* RSA-4096 */
#define SIGNED_SIZE_MAX    0x20000 /* bytes that Ed25519 signs: a message, a nonce, a MAC */

typedef enum KeyKind {
    KEY_RSA,
    KEY_ECDSA_P256,
    KEY_ECDSA_P384,
    KEY_ECDSA_P521,
    KEY_ED25519,
    KEY_KINDS_,
} KeyKind;

typedef enum SignatureForm {
    SIGNATURE_RSA_PKCS1,
    SIGNATURE_RSA_PSS, /* salt as long as the hash */
    SIGNATURE_ECDSA_DER,
    SIGNATURE_ECDSA_RAW, /* r | s, RFC 4754 */
    SIGNATURE_ED25519,   /* of the octets themselves: with HASH_IDENTITY and no other hash */
} SignatureForm;

/* A private key in memory, wiped when freed. */
typedef struct PrivateKey PrivateKey;
/* From a PEM file's bytes: PKCS#8, SEC1 or PKCS#1, not encrypted; RSA, ECDSA or Ed25519. 0, -EINVAL (no
 * usable key in it), -ENOTSUP (a kind or size we do not use: RSA below 2048 or above 4096 bits, other
 * curves), -ENOMEM. */
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
