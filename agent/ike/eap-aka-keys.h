/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keys of EAP-AKA (RFC 4187 clause 7): a master key of identity, IK and CK, and everything else from the
 * generator of FIPS 186-2, change notice 1. */
#pragma once

#include "ike/crypto-aka.h"
#include "ike/milenage.h"

#define EAP_MSK_BYTES 64 /* RFC 3748 7.10; EMSK has the same */

typedef struct EapAkaKeys {
    uint8_t encr[16]; /* K_encr */
    uint8_t aut[16];  /* K_aut */
    uint8_t msk[EAP_MSK_BYTES];
    uint8_t emsk[EAP_MSK_BYTES];
} EapAkaKeys;

/* 0 or -EIO. */
int eap_aka_keys_derive(const char *identity, const uint8_t ik[static AKA_KEY_BYTES],
                        const uint8_t ck[static AKA_KEY_BYTES], EapAkaKeys *ret);
void eap_aka_keys_wipe(EapAkaKeys *keys);
/* *size* bytes, a multiple of 20, of the generator with *key* as XKEY and no seed. 0 or -EIO. */
int fips186_generate(const uint8_t key[static SHA1_BYTES], uint8_t *ret, size_t size);
