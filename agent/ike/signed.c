/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See signed.h. */
#include "ike/signed.h"

#include "ike/private-key.h"

#include <stdio.h>

#include "base/macro.h"
#include "ike/private-key.h"

int hash_algorithm_read(Reader algorithm, HashAlgorithm *ret) {
    static const struct {
        HashAlgorithm hash;
        size_t size;
        uint8_t oid[9];
    } hashes[] = {
        {HASH_SHA1, 5, {0x2b, 0x0e, 0x03, 0x02, 0x1a}},
        {HASH_SHA2_256, 9, {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01}},
        {HASH_SHA2_384, 9, {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02}},
        {HASH_SHA2_512, 9, {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03}},
    };
    Element oid = der_expect(&algorithm, DER_OID);

    for (size_t i = 0; i < ARRAY_SIZE(hashes) && !oid.body.bad; i++)
        if (der_oid_is(&oid.body, hashes[i].oid, hashes[i].size)) {
            *ret = hashes[i].hash;
            return 0;
        }
    return -ENOTSUP;
}

/* RFC 4055 3.1: without parameters, or without the first of them, PSS means SHA-1. */
static int pss_hash(Reader parameters, HashAlgorithm *ret) {
    Element sequence = der_expect(&parameters, DER_SEQUENCE);
    Element tagged = der_expect(&sequence.body, DER_CONTEXT_CONSTRUCTED);
    Element algorithm = der_expect(&tagged.body, DER_SEQUENCE);

    return algorithm.body.bad ? -ENOTSUP : hash_algorithm_read(algorithm.body, ret);
}

typedef struct Method {
    bool edwards; /* Ed25519, Ed448: no hash of their own to be chosen */
    SignatureForm form;
    HashAlgorithm hash;
} Method;

/* What is not on this list is weak. 0 or -ENOTSUP. */
static int method_read(Reader algorithm, Method *ret) {
    static const struct {
        uint8_t size, oid[9];
        Method method;
    } methods[] = {
        {9, {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 11}, {0, SIGNATURE_RSA_PKCS1, HASH_SHA2_256}},
        {9, {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 12}, {0, SIGNATURE_RSA_PKCS1, HASH_SHA2_384}},
        {9, {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 13}, {0, SIGNATURE_RSA_PKCS1, HASH_SHA2_512}},
        {8, {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 2}, {0, SIGNATURE_ECDSA_DER, HASH_SHA2_256}},
        {8, {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 3}, {0, SIGNATURE_ECDSA_DER, HASH_SHA2_384}},
        {8, {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 4}, {0, SIGNATURE_ECDSA_DER, HASH_SHA2_512}},
        {3, {0x2b, 0x65, 112}, {false, SIGNATURE_ED25519, HASH_IDENTITY}},
        {3, {0x2b, 0x65, 113}, {.edwards = true}},
    };
    static const uint8_t pss[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a};
    Element oid = der_expect(&algorithm, DER_OID);
    Method method = {.form = SIGNATURE_RSA_PSS};

    if (oid.body.bad)
        return -ENOTSUP;
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        if (der_oid_is(&oid.body, methods[i].oid, methods[i].size)) {
            *ret = methods[i].method;
            return 0;
        }
    if (!der_oid_is(&oid.body, pss, sizeof pss) || pss_hash(algorithm, &method.hash) < 0 ||
        method.hash == HASH_SHA1)
        return -ENOTSUP;
    *ret = method;
    return 0;
}

Signed signed_read(Reader *body) {
    Signed s = {.data = der_expect(body, DER_SEQUENCE)};
    s.algorithm = der_expect(body, DER_SEQUENCE).body;
    s.signature = der_bits(body);
    return s;
}

bool signature_is_weak(Reader algorithm) {
    Method method;
    return method_read(algorithm, &method) < 0;
}

int signed_verify(const Signed *s, const uint8_t *spki, size_t spki_size, char *error) {
    Method method;

    if (method_read(s->algorithm, &method) < 0) {
        snprintf(error, ERROR_MAX_BYTES, "signed with a hash below SHA-256, or an unknown algorithm");
        return IKE_NOTIFY_AUTHENTICATION_FAILED;
    }
    if (method.edwards) {
        snprintf(error, ERROR_MAX_BYTES, "signed with EdDSA, which is not taken here");
        return IKE_NOTIFY_AUTHENTICATION_FAILED;
    }
    struct iovec part = {(void *)s->data.start, s->data.total};
    int r = crypto_verify(spki, spki_size, method.form, method.hash, &part, 1, s->signature.data,
                          s->signature.left);
    if (r > 0)
        snprintf(error, ERROR_MAX_BYTES, "its signature is wrong");
    return r;
}
