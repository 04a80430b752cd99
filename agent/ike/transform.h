/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The algorithms we speak: one row each feeds the proposal, the key lengths, wolfSSL's and the kernel's name.
 * What is not here is refused (RFC 8247, RFC 8221). */
#pragma once

#include "ike/child-sa.h"
#include "ike/payload.h"

typedef struct Transform {
    uint8_t type;        /* IKE_TRANSFORM_* */
    uint16_t id;         /* of that type's registry */
    uint16_t key_bits;   /* Key Length attribute, 0: has none */
    const char *keyword; /* as in "aes256gcm16-prfsha384-ecp384" */
    size_t key_size;     /* bytes of key material: ENCR without salt; PRF and INTEG: output of the hash */
    size_t salt_size;    /* ENCR: implicit part of the nonce, behind the key (RFC 5282 7.1, RFC 4106 8.1) */
    size_t iv_size;      /* ENCR: explicit IV */
    size_t icv_size;     /* AEAD, INTEG: bytes of the checksum; DH: bytes of the public value */
    const char *kernel;  /* ENCR, INTEG: Linux crypto API */
} Transform;

/* A negotiated suite; NULL where the kind of suite has none (AEAD has no integrity algorithm). */
typedef struct Suite {
    const Transform *by_type[IKE_TRANSFORM_TYPES_];
} Suite;

/* The row, or NULL. *key_bits* counts only for encryption. */
const Transform *transform_find(uint8_t type, uint16_t id, uint16_t key_bits);
/* By its keyword, of *len* bytes in upper or lower case. NULL: none of that name. */
const Transform *transform_by_keyword(const char *word, size_t len);
static inline bool transform_is_aead(const Transform *t) {
    return t->icv_size > 0 && t->type == IKE_TRANSFORM_ENCR;
}

/* "aes256gcm16-prfsha256-ecp256" */
#define SUITE_STR_MAX 96
const char *suite_format(const Suite *suite, char buf[static SUITE_STR_MAX]);
/* Extended sequence numbers were agreed (RFC 4304). */
bool suite_has_esn(const Suite *suite);
/* The kernel's names for an ESP suite. */
EspAlgorithms suite_esp_algorithms(const Suite *suite);
