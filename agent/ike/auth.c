/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See auth.h. */
#include "ike/auth.h"

#include <stdio.h>

const uint8_t auth_hashes[6] = {0, IKE_HASH_SHA2_256, 0, IKE_HASH_SHA2_384, 0, IKE_HASH_SHA2_512};

HashSet auth_hashes_decode(const uint8_t *data, size_t size) {
    Reader r = reader_new(data, size);
    HashSet set = 0;

    while (r.left >= 2) {
        uint16_t hash = reader_u16(&r);
        if (hash < 32)
            set |= UINT32_C(1) << hash;
    }
    return set;
}

/* RFC 7427 appendix A: the AlgorithmIdentifiers, compared whole. SHA-1 has no row, nor have PSS's empty or
 * default parameters, which mean SHA-1. Ours to sign with comes first for its kind of key. */
#define ECDSA(last)                                                                                          \
    { 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, last }
#define PKCS1(last)                                                                                          \
    { 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, last, 0x05, 0x00 }
#define PSS(hash, salt)                                                                                      \
    {                                                                                                        \
        0x30, 0x41, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a, 0x30, 0x34, 0xa0,      \
            0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, hash, 0x05, 0x00,  \
            0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08, 0x30,  \
            0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, hash, 0x05, 0x00, 0xa2, 0x03,  \
            0x02, 0x01, salt                                                                                 \
    }

static const struct Algorithm {
    SignatureForm form;
    HashAlgorithm hash;
    unsigned ike_hash;
    uint8_t size;
    uint8_t identifier[72];
} algorithms[] = {
    {SIGNATURE_ECDSA_DER, HASH_SHA2_256, IKE_HASH_SHA2_256, 12, ECDSA(0x02)},
    {SIGNATURE_ECDSA_DER, HASH_SHA2_384, IKE_HASH_SHA2_384, 12, ECDSA(0x03)},
    {SIGNATURE_ECDSA_DER, HASH_SHA2_512, IKE_HASH_SHA2_512, 12, ECDSA(0x04)},
    {SIGNATURE_RSA_PSS, HASH_SHA2_256, IKE_HASH_SHA2_256, 67, PSS(0x01, 32)},
    {SIGNATURE_RSA_PSS, HASH_SHA2_384, IKE_HASH_SHA2_384, 67, PSS(0x02, 48)},
    {SIGNATURE_RSA_PSS, HASH_SHA2_512, IKE_HASH_SHA2_512, 67, PSS(0x03, 64)},
    {SIGNATURE_RSA_PKCS1, HASH_SHA2_256, IKE_HASH_SHA2_256, 15, PKCS1(0x0b)},
    {SIGNATURE_RSA_PKCS1, HASH_SHA2_384, IKE_HASH_SHA2_384, 15, PKCS1(0x0c)},
    {SIGNATURE_RSA_PKCS1, HASH_SHA2_512, IKE_HASH_SHA2_512, 15, PKCS1(0x0d)},
};

/* The hash that fits the key's strength. */
static unsigned preferred_hash(KeyKind kind) {
    switch (kind) {
    case KEY_RSA:
    case KEY_ECDSA_P256:
        return IKE_HASH_SHA2_256;
    case KEY_ECDSA_P384:
        return IKE_HASH_SHA2_384;
    case KEY_ECDSA_P521:
    case KEY_KINDS_:
        break;
    }
    return IKE_HASH_SHA2_512;
}

static const struct Algorithm *signing_algorithm(const PrivateKey *key, HashSet peer_hashes) {
    KeyKind kind = private_key_kind(key);
    SignatureForm form = kind == KEY_RSA ? SIGNATURE_RSA_PSS : SIGNATURE_ECDSA_DER;
    const struct Algorithm *found = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
        const struct Algorithm *a = &algorithms[i];
        if (a->form != form || !(peer_hashes & UINT32_C(1) << a->ike_hash))
            continue;
        if (a->ike_hash == preferred_hash(kind))
            return a;
        found = found ?: a;
    }
    return found;
}

int auth_sign(const PrivateKey *key, HashSet peer_hashes, const struct iovec *octets, size_t n,
              const Rng *rng, uint8_t *ret_method, uint8_t *ret, size_t *ret_size) {
    const struct Algorithm *a = signing_algorithm(key, peer_hashes);
    uint8_t signature[SIGNATURE_SIZE_MAX], method;
    size_t size;
    int r;

    /* Without RFC 7427 the method alone says how: RSA with SHA-256 (TS 33.310; SHA-1 is forbidden there), or
     * ECDSA P-256 with SHA-256, raw. */
    if (a) {
        method = IKE_AUTH_DIGITAL_SIGNATURE;
        r = private_key_sign(key, a->form, a->hash, octets, n, rng, signature, &size);
    } else if (private_key_kind(key) == KEY_RSA) {
        method = IKE_AUTH_RSA;
        r = private_key_sign(key, SIGNATURE_RSA_PKCS1, HASH_SHA2_256, octets, n, rng, signature, &size);
    } else if (private_key_kind(key) == KEY_ECDSA_P256) {
        method = IKE_AUTH_ECDSA_256;
        r = private_key_sign(key, SIGNATURE_ECDSA_RAW, HASH_SHA2_256, octets, n, rng, signature, &size);
    } else
        return -ENOTSUP;
    if (r < 0)
        return r;

    Writer w = writer_new(ret, AUTH_MAX);
    if (a) {
        writer_u8(&w, a->size);
        writer_bytes(&w, a->identifier, a->size);
    }
    writer_bytes(&w, signature, size);
    assert(!w.bad);
    *ret_method = method;
    *ret_size = w.len;
    return 0;
}

static int refuse(char *verdict, const char *text) {
    snprintf(verdict, ERROR_MAX_BYTES, "%s", text);
    return IKE_NOTIFY_AUTHENTICATION_FAILED;
}

static int verify(const Certificate *c, SignatureForm form, HashAlgorithm hash, Reader signature,
                  const struct iovec *octets, size_t n, char *verdict) {
    int r = crypto_verify(c->spki, c->spki_size, form, hash, octets, n, signature.data, signature.left);
    return r == 0
               ? 0
               : refuse(verdict, "the signature in AUTH is not one by the key of the gateway's certificate");
}

int auth_verify(const Certificate *certificate, uint8_t method, Reader data, const struct iovec *octets,
                size_t n, char *verdict) {
    static const HashAlgorithm rsa_hashes[] = {HASH_SHA2_256, HASH_SHA2_384, HASH_SHA2_512};
    int r = IKE_NOTIFY_AUTHENTICATION_FAILED;

    switch (method) {
    case IKE_AUTH_RSA: /* the hash stands in the DigestInfo; SHA-1 is none of them (TS 33.310) */
        for (size_t i = 0; i < ARRAY_SIZE(rsa_hashes) && r != 0; i++)
            r = verify(certificate, SIGNATURE_RSA_PKCS1, rsa_hashes[i], data, octets, n, verdict);
        return r;
    case IKE_AUTH_ECDSA_256: /* P-256 and nothing else (RFC 4754): two numbers of 32 bytes */
        if (data.left != 64)
            return refuse(verdict, "AUTH uses method 9 without a signature of ECDSA P-256");
        return verify(certificate, SIGNATURE_ECDSA_RAW, HASH_SHA2_256, data, octets, n, verdict);
    case IKE_AUTH_DIGITAL_SIGNATURE: {
        Reader identifier = reader_sub(&data, reader_u8(&data));
        if (data.bad)
            return refuse(verdict, "AUTH is malformed");
        for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++)
            if (algorithms[i].size == identifier.left &&
                memcmp(algorithms[i].identifier, identifier.data, identifier.left) == 0)
                return verify(certificate, algorithms[i].form, algorithms[i].hash, data, octets, n, verdict);
        return refuse(verdict, "AUTH uses a signature algorithm that is not accepted");
    }
    }
    snprintf(verdict, ERROR_MAX_BYTES, "AUTH uses method %u, which is not accepted", method);
    return IKE_NOTIFY_AUTHENTICATION_FAILED;
}
