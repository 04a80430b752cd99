/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See transform.h. */
#include "ike/transform.h"

#include <stdio.h>
#include <strings.h>

#include "base/macro.h"

static const Transform transforms[] = {
    /* type, id, key bits, keyword, key, salt, IV, ICV (DH: public value), kernel */
    {IKE_TRANSFORM_ENCR, IKE_ENCR_AES_GCM_16, 256, "aes256gcm16", 32, 4, 8, 16, "rfc4106(gcm(aes))"},
    {IKE_TRANSFORM_ENCR, IKE_ENCR_AES_GCM_16, 128, "aes128gcm16", 16, 4, 8, 16, "rfc4106(gcm(aes))"},
    {IKE_TRANSFORM_ENCR, IKE_ENCR_CHACHA20_POLY1305, 0, "chacha20poly1305", 32, 4, 8, 16,
     "rfc7539esp(chacha20,poly1305)"},
    {IKE_TRANSFORM_ENCR, IKE_ENCR_AES_CBC, 256, "aes256", 32, 0, 16, 0, "cbc(aes)"},
    {IKE_TRANSFORM_ENCR, IKE_ENCR_AES_CBC, 192, "aes192", 24, 0, 16, 0, "cbc(aes)"},
    {IKE_TRANSFORM_ENCR, IKE_ENCR_AES_CBC, 128, "aes128", 16, 0, 16, 0, "cbc(aes)"},
    {IKE_TRANSFORM_PRF, IKE_PRF_HMAC_SHA2_256, 0, "prfsha256", 32, 0, 0, 0, NULL},
    {IKE_TRANSFORM_PRF, IKE_PRF_HMAC_SHA2_384, 0, "prfsha384", 48, 0, 0, 0, NULL},
    {IKE_TRANSFORM_PRF, IKE_PRF_HMAC_SHA2_512, 0, "prfsha512", 64, 0, 0, 0, NULL},
    {IKE_TRANSFORM_INTEG, IKE_INTEG_HMAC_SHA2_256_128, 0, "sha256", 32, 0, 0, 16, "hmac(sha256)"},
    {IKE_TRANSFORM_INTEG, IKE_INTEG_HMAC_SHA2_384_192, 0, "sha384", 48, 0, 0, 24, "hmac(sha384)"},
    {IKE_TRANSFORM_INTEG, IKE_INTEG_HMAC_SHA2_512_256, 0, "sha512", 64, 0, 0, 32, "hmac(sha512)"},
    {IKE_TRANSFORM_DH, IKE_DH_ECP_256, 0, "ecp256", 0, 0, 0, 64, NULL},
    {IKE_TRANSFORM_DH, IKE_DH_CURVE25519, 0, "x25519", 0, 0, 0, 32, NULL},
    {IKE_TRANSFORM_DH, IKE_DH_ECP_384, 0, "ecp384", 0, 0, 0, 96, NULL},
    {IKE_TRANSFORM_DH, IKE_DH_ECP_521, 0, "ecp521", 0, 0, 0, 132, NULL},
    {IKE_TRANSFORM_DH, IKE_DH_MODP_2048, 0, "modp2048", 0, 0, 0, 256, NULL},
    {IKE_TRANSFORM_DH, IKE_DH_MODP_3072, 0, "modp3072", 0, 0, 0, 384, NULL},
    {IKE_TRANSFORM_DH, IKE_DH_MODP_4096, 0, "modp4096", 0, 0, 0, 512, NULL},
    {IKE_TRANSFORM_ESN, IKE_ESN_YES, 0, "esn", 0, 0, 0, 0, NULL},
    {IKE_TRANSFORM_ESN, IKE_ESN_NO, 0, "noesn", 0, 0, 0, 0, NULL},
};

const Transform *transform_find(uint8_t type, uint16_t id, uint16_t key_bits) {
    for (size_t i = 0; i < ARRAY_SIZE(transforms); i++)
        if (transforms[i].type == type && transforms[i].id == id && transforms[i].key_bits == key_bits)
            return &transforms[i];
    return NULL;
}

const Transform *transform_by_keyword(const char *word, size_t len) {
    for (size_t i = 0; i < ARRAY_SIZE(transforms); i++)
        if (strlen(transforms[i].keyword) == len && strncasecmp(transforms[i].keyword, word, len) == 0)
            return &transforms[i];
    return NULL;
}

const char *suite_format(const Suite *suite, char buf[static SUITE_STR_MAX]) {
    /* As the field writes it: encryption, integrity, PRF, group. */
    static const uint8_t order[] = {IKE_TRANSFORM_ENCR, IKE_TRANSFORM_INTEG, IKE_TRANSFORM_PRF,
                                    IKE_TRANSFORM_DH, IKE_TRANSFORM_ESN};
    size_t len = 0;

    buf[0] = 0;
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        const Transform *t = suite->by_type[order[i]];
        if (t && t->type == IKE_TRANSFORM_ESN && t->id == IKE_ESN_NO)
            continue; /* goes without saying */
        if (t && len < SUITE_STR_MAX)
            len += (size_t)snprintf(buf + len, SUITE_STR_MAX - len, "%s%s", len ? "-" : "", t->keyword);
    }
    return buf;
}

bool suite_has_esn(const Suite *suite) {
    const Transform *esn = suite->by_type[IKE_TRANSFORM_ESN];
    return esn && esn->id == IKE_ESN_YES;
}

EspAlgorithms suite_esp_algorithms(const Suite *suite) {
    const Transform *encr = suite->by_type[IKE_TRANSFORM_ENCR], *integ = suite->by_type[IKE_TRANSFORM_INTEG];

    if (transform_is_aead(encr))
        return (EspAlgorithms){.aead = encr->kernel, .icv_bits = (uint16_t)(8 * encr->icv_size)};
    return (EspAlgorithms){.encryption = encr->kernel,
                           .integrity = integ->kernel,
                           .truncation_bits = (uint16_t)(8 * integ->icv_size)};
}
