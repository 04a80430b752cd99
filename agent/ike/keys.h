/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keying material of an IKE SA and its Child SAs (RFC 7296 2.14, 2.17, 2.18). */
#pragma once

#include "ike/key-exchange.h"

/* Wiped by ike_keys_wipe(). */
typedef struct IkeKeys {
    uint8_t sk_d[PRF_SIZE_MAX]; /* as long as the PRF's output, like the two below */
    uint8_t sk_pi[PRF_SIZE_MAX], sk_pr[PRF_SIZE_MAX];
    SealKeys initiator, responder; /* what each side seals with */
} IkeKeys;

typedef struct Nonces {
    uint8_t i[IKE_NONCE_MAX], r[IKE_NONCE_MAX];
    size_t i_size, r_size;
} Nonces;

/* The order of collisions (2.8.1): octet by octet, and a beginning is lower than the whole. Below 0, 0,
 * above. */
int nonce_compare(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size);
void nonces_lowest(const Nonces *nonces, uint8_t ret[static IKE_NONCE_MAX], size_t *ret_size);

/* 0 or -EIO. */
int ike_keys_derive(const Suite *suite, const uint8_t *secret, size_t secret_size, const Nonces *nonces,
                    uint64_t spi_i, uint64_t spi_r, IkeKeys *ret);
void ike_keys_wipe(IkeKeys *keys);
/* The keys of an IKE SA that replaces another (2.18): SKEYSEED comes from the *old* one's SK_d and PRF, the
 * rest from the new *suite*. Nonces and SPIs are those of the exchange that made it. 0 or -EIO. */
int ike_keys_rekey(const Suite *old, const uint8_t *old_sk_d, const Suite *suite, const uint8_t *secret,
                   size_t secret_size, const Nonces *nonces, uint64_t spi_i, uint64_t spi_r, IkeKeys *ret);
/* A Child SA's keys (2.17): *ret_out* from the initiator of the exchange that made it to its responder,
 * nonces those of that exchange. *secret* is its Diffie-Hellman secret, NULL when it had none. 0 or -EIO. */
int child_keys_derive(const Suite *ike, const IkeKeys *keys, const Suite *esp, const uint8_t *secret,
                      size_t secret_size, const Nonces *nonces, EspKeys *ret_out, EspKeys *ret_in);
