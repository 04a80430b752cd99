/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The AUTH payload: methods and their signatures (RFC 7296 2.15, RFC 4754, 7427, 8420, TS 33.310 6.2.1b). */
#pragma once

#include "ike/certificate.h"

#define AUTH_MAX 640

/* Bit set of IKE_HASH_* numbers a peer announced in SIGNATURE_HASH_ALGORITHMS; 0: it did not (no RFC 7427).
 */
typedef uint32_t HashSet;
/* What we announce: SHA-256, SHA-384, SHA-512 and identity, as the notify's data (network order). */
extern const uint8_t auth_hashes[8];
/* From the notify's data. */
HashSet auth_hashes_decode(const uint8_t *data, size_t size);

/* Signs *octets* (RFC 7296 2.15's signed octets, in parts). *ret* (AUTH_MAX bytes) is the payload's data
 * after the method. 0; -ENOTSUP when this key can sign in no way the peer takes; -EIO. */
int auth_sign(const PrivateKey *key, HashSet peer_hashes, const struct iovec *octets, size_t n,
              const Rng *rng, uint8_t *ret_method, uint8_t *ret, size_t *ret_size);
/* Verifies the peer's. 0 or IKE_NOTIFY_AUTHENTICATION_FAILED with a line in *verdict* (ERROR_MAX_BYTES). */
int auth_verify(const Certificate *certificate, uint8_t method, Reader data, const struct iovec *octets,
                size_t n, char *verdict);
