/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Diffie-Hellman: MODP, ECP and X25519 groups (RFC 3526, 5903, 8031). Public values are checked before use
 * (RFC 6989), numbers padded to full length (RFC 7296 2.14), all-zero secrets refused. */
#pragma once

#include "ike/crypto.h"

#define SHARED_SECRET_MAX IKE_KE_MAX

/* One ephemeral Diffie-Hellman key pair. */
typedef struct KeyExchange KeyExchange;
/* 0, -EIO, -ENOMEM. */
int key_exchange_new(KeyExchange **ret, const Transform *group, const Rng *rng);
/* Takes the place of *key*, which may be NULL, with one of *group* (IKE_DH_*). On failure *key* stays. */
int key_exchange_renew(KeyExchange **key, uint16_t group, const Rng *rng);
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
