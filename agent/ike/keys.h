/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keying material of an IKE SA and its Child SAs (RFC 7296 2.14, 2.17). */
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

/* 0 or -EIO. */
int ike_keys_derive(const Suite *suite, const uint8_t *secret, size_t secret_size, const Nonces *nonces,
                    uint64_t spi_i, uint64_t spi_r, IkeKeys *ret);
void ike_keys_wipe(IkeKeys *keys);
/* The first Child SA's keys, seen from the initiator: *ret_out* initiator to responder. 0 or -EIO. */
int child_keys_derive(const Suite *ike, const IkeKeys *keys, const Suite *esp, const Nonces *nonces,
                      EspKeys *ret_out, EspKeys *ret_in);
