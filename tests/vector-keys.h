/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keys that tests/data/ike/make-vectors seals with. */
#pragma once

#include <string.h>

#include "ike/crypto.h"

/* *encryption* as its proposals' word, "aes256gcm16"; what is not AEAD comes with HMAC-SHA2-256-128. */
static inline SealKeys vector_keys(const char *encryption) {
    SealKeys k = {.encr = transform_by_keyword(encryption, strlen(encryption))};
    bool aead = transform_is_aead(k.encr);
    if (!aead)
        k.integ = transform_find(IKE_TRANSFORM_INTEG, IKE_INTEG_HMAC_SHA2_256_128, 0);
    for (uint8_t i = 0; i < 32; i++) {
        k.encryption[i] = i;
        k.integrity[i] = (uint8_t)(0x80 + i);
    }
    for (uint8_t i = 0; i < 4 && aead; i++)
        k.encryption[k.encr->key_size + i] = (uint8_t)(0xa0 + i);
    return k;
}
