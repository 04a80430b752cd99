/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See auth.h. */
#include "ike/auth.h"

#include <stdio.h>

const uint8_t auth_hashes[8] = {0, IKE_HASH_SHA2_256, 0, IKE_HASH_SHA2_384,
                                0, IKE_HASH_SHA2_512, 0, IKE_HASH_IDENTITY};

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
#define ED25519                                                                                              \
    { 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70 } /* RFC 8420 3 */

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
    {SIGNATURE_ED25519, HASH_IDENTITY, IKE_HASH_IDENTITY, 7, ED25519},
};

/* The methods before RFC 7427, where the number alone says how. RSA: with SHA-256 (TS 33.310; SHA-1 is
 * forbidden there). ECDSA: one hash a curve, and two numbers as long as the curve's (RFC 4754 3). */
static const struct Method {
    uint8_t method;
    KeyKind kind;
    SignatureForm form;
    HashAlgorithm hash;
    size_t size; /* of the signature; 0: the key's */
} methods[] = {
    {IKE_AUTH_RSA, KEY_RSA, SIGNATURE_RSA_PKCS1, HASH_SHA2_256, 0},
    {IKE_AUTH_ECDSA_256, KEY_ECDSA_P256, SIGNATURE_ECDSA_RAW, HASH_SHA2_256, 64},
    {IKE_AUTH_ECDSA_384, KEY_ECDSA_P384, SIGNATURE_ECDSA_RAW, HASH_SHA2_384, 96},
    {IKE_AUTH_ECDSA_521, KEY_ECDSA_P521, SIGNATURE_ECDSA_RAW, HASH_SHA2_512, 132},
};

/* How a kind of key signs under RFC 7427, and with the hash that fits its strength if the peer takes that. */
static const struct Preference {
    SignatureForm form;
    unsigned ike_hash;
} preferences[KEY_KINDS_] = {
    [KEY_RSA] = {SIGNATURE_RSA_PSS, IKE_HASH_SHA2_256},
    [KEY_ECDSA_P256] = {SIGNATURE_ECDSA_DER, IKE_HASH_SHA2_256},
    [KEY_ECDSA_P384] = {SIGNATURE_ECDSA_DER, IKE_HASH_SHA2_384},
    [KEY_ECDSA_P521] = {SIGNATURE_ECDSA_DER, IKE_HASH_SHA2_512},
    [KEY_ED25519] = {SIGNATURE_ED25519, IKE_HASH_IDENTITY},
};

static const struct Algorithm *signing_algorithm(KeyKind kind, HashSet peer_hashes) {
    const struct Algorithm *found = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
        const struct Algorithm *a = &algorithms[i];
        if (a->form != preferences[kind].form || !(peer_hashes & UINT32_C(1) << a->ike_hash))
            continue;
        if (a->ike_hash == preferences[kind].ike_hash)
            return a;
        found = found ?: a;
    }
    return found;
}

static const struct Method *signing_method(KeyKind kind) {
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        if (methods[i].kind == kind)
            return &methods[i];
    return NULL;
}

int auth_sign(const PrivateKey *key, HashSet peer_hashes, const struct iovec *octets, size_t n,
              const Rng *rng, uint8_t *ret_method, uint8_t *ret, size_t *ret_size) {
    const struct Algorithm *a = signing_algorithm(private_key_kind(key), peer_hashes);
    const struct Method *m = signing_method(private_key_kind(key));
    uint8_t signature[SIGNATURE_SIZE_MAX];
    size_t size;

    if (!a && !m)
        return -ENOTSUP;
    int r =
        private_key_sign(key, a ? a->form : m->form, a ? a->hash : m->hash, octets, n, rng, signature, &size);
    if (r < 0)
        return r;
    Writer w = writer_new(ret, AUTH_MAX);
    if (a) {
        writer_u8(&w, a->size);
        writer_bytes(&w, a->identifier, a->size);
    }
    writer_bytes(&w, signature, size);
    assert(!w.bad);
    *ret_method = a ? IKE_AUTH_DIGITAL_SIGNATURE : m->method;
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

static int digital_signature_verify(const Certificate *certificate, Reader data, const struct iovec *octets,
                                    size_t n, char *verdict) {
    Reader identifier = reader_sub(&data, reader_u8(&data));

    if (data.bad)
        return refuse(verdict, "AUTH is malformed");
    for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++)
        if (algorithms[i].size == identifier.left &&
            memcmp(algorithms[i].identifier, identifier.data, identifier.left) == 0)
            return verify(certificate, algorithms[i].form, algorithms[i].hash, data, octets, n, verdict);
    return refuse(verdict, "AUTH uses a signature algorithm that is not accepted");
}

/* The hash stands in the signature's DigestInfo; SHA-1 is none of them (TS 33.310). */
static int rsa_method_verify(const Certificate *certificate, Reader data, const struct iovec *octets,
                             size_t n, char *verdict) {
    int r = IKE_NOTIFY_AUTHENTICATION_FAILED;

    for (HashAlgorithm hash = HASH_SHA2_256; hash <= HASH_SHA2_512 && r != 0; hash++)
        r = verify(certificate, SIGNATURE_RSA_PKCS1, hash, data, octets, n, verdict);
    return r;
}

int auth_verify(const Certificate *certificate, uint8_t method, Reader data, const struct iovec *octets,
                size_t n, char *verdict) {
    if (method == IKE_AUTH_DIGITAL_SIGNATURE)
        return digital_signature_verify(certificate, data, octets, n, verdict);
    if (method == IKE_AUTH_RSA)
        return rsa_method_verify(certificate, data, octets, n, verdict);
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        if (methods[i].method == method) {
            if (data.left == methods[i].size)
                return verify(certificate, methods[i].form, methods[i].hash, data, octets, n, verdict);
            snprintf(verdict, ERROR_MAX_BYTES, "AUTH uses method %u with a signature of another curve",
                     method);
            return IKE_NOTIFY_AUTHENTICATION_FAILED;
        }
    snprintf(verdict, ERROR_MAX_BYTES, "AUTH uses method %u, which is not accepted", method);
    return IKE_NOTIFY_AUTHENTICATION_FAILED;
}
