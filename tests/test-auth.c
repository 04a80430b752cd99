/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signatures, the keys that make them, and the AUTH payload: against openssl's and RFC 8032's, and against what must
 * be refused. */
#include <check.h>

#include "seeded.h"
#include "suite.h"
#include "vectors.h"

static const struct iovec octets[] = {{(void *)"octets to ", 10}, {(void *)"be signed", 9}};

typedef struct Pair {
    Credential *credential;
    Certificate certificate;
} Pair;

static Pair pair(const char *name) {
    char certificate[64], key[64];
    Pair p = {};
    snprintf(certificate, sizeof certificate, "%s.pem", name);
    snprintf(key, sizeof key, "%s.key.pem", name);
    p.credential = test_credential(certificate, key);
    ck_assert_int_eq(x509_parse(p.credential->chain[0].data, p.credential->chain[0].size, &p.certificate), 0);
    return p;
}

static int verify(const Pair *p, SignatureForm form, HashAlgorithm hash, const uint8_t *signature,
                  size_t size) {
    return crypto_verify(p->certificate.spki, p->certificate.spki_size, form, hash, octets, 2, signature,
                         size);
}

static const struct {
    const char *name;
    KeyKind kind;
    size_t raw; /* 0: RSA */
} keys[] = {
    {"device-ecdsa", KEY_ECDSA_P256, 64},
    {"device-p384", KEY_ECDSA_P384, 96},
    {"device-p521", KEY_ECDSA_P521, 132},
    {"device-rsa", KEY_RSA, 0},
    {"device-rsa-4096", KEY_RSA, 0},
    {"device-ed25519", KEY_ED25519, 0},
};

/* Good as it is; bad with another hash, form or key, a bit changed, less, more, or nothing. */
static void assert_only_so(const Pair *pairs, size_t i, SignatureForm form, HashAlgorithm hash, uint8_t *s,
                           size_t size) {
    const Pair *p = &pairs[i];
    HashAlgorithm other = hash == HASH_SHA2_256 ? HASH_SHA2_384 : HASH_SHA2_256;

    ck_assert_int_eq(verify(p, form, hash, s, size), 0);
    ck_assert_int_ne(verify(p, form, other, s, size), 0);
    if (hash != HASH_IDENTITY)
        ck_assert_int_ne(verify(p, form, HASH_IDENTITY, s, size), 0);
    for (SignatureForm f = SIGNATURE_RSA_PKCS1; f <= SIGNATURE_ED25519; f++)
        if (f != form)
            ck_assert_int_ne(verify(p, f, hash, s, size), 0);
    for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
        if (k != i)
            ck_assert_int_ne(verify(&pairs[k], form, hash, s, size), 0);
    for (size_t at = 0; at < size; at += 9) {
        s[at] ^= 0x10;
        ck_assert_int_ne(verify(p, form, hash, s, size), 0);
        s[at] ^= 0x10;
    }
    ck_assert_int_ne(verify(p, form, hash, s, size - 1), 0);
    ck_assert_int_ne(verify(p, form, hash, s, 0), 0);
    s[size] = 0;
    ck_assert_int_ne(verify(p, form, hash, s, size + 1), 0);
}

START_TEST(sign_and_verify_in_every_form) {
    uint64_t random;
    Rng rng = seeded_rng(&random, 1);
    Pair pairs[ARRAY_SIZE(keys)];

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        pairs[i] = pair(keys[i].name);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        const PrivateKey *key = pairs[i].credential->key;
        ck_assert_int_eq(private_key_kind(key), keys[i].kind);
        if (keys[i].kind == KEY_ED25519) {
            uint8_t s[SIGNATURE_SIZE_MAX + 1];
            size_t size;
            ck_assert_int_eq(
                private_key_sign(key, SIGNATURE_ED25519, HASH_IDENTITY, octets, 2, &rng, s, &size), 0);
            ck_assert_uint_eq(size, 64);
            assert_only_so(pairs, i, SIGNATURE_ED25519, HASH_IDENTITY, s, size);
            continue;
        }
        for (HashAlgorithm hash = HASH_SHA2_256; hash <= HASH_SHA2_512; hash++)
            for (unsigned other = 0; other < 2; other++) {
                SignatureForm form = keys[i].raw ? (other ? SIGNATURE_ECDSA_RAW : SIGNATURE_ECDSA_DER)
                                                 : (other ? SIGNATURE_RSA_PSS : SIGNATURE_RSA_PKCS1);
                uint8_t s[SIGNATURE_SIZE_MAX + 1];
                size_t size;
                ck_assert_int_eq(private_key_sign(key, form, hash, octets, 2, &rng, s, &size), 0);
                if (form == SIGNATURE_ECDSA_RAW)
                    ck_assert_uint_eq(size, keys[i].raw);
                assert_only_so(pairs, i, form, hash, s, size);
            }
    }
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        credential_free(pairs[i].credential);
}
END_TEST

/* Raw signatures have a fixed length, also when r or s is short. */
START_TEST(raw_ecdsa_is_padded) {
    Pair p = pair("device-ecdsa");
    unsigned found = 0;
    uint64_t random;
    Rng rng = seeded_rng(&random, 1);

    for (unsigned i = 0; i < 3000 && found < 3; i++) {
        uint8_t s[SIGNATURE_SIZE_MAX];
        size_t size;
        ck_assert_int_eq(private_key_sign(p.credential->key, SIGNATURE_ECDSA_RAW, HASH_SHA2_256, octets, 2,
                                          &rng, s, &size),
                         0);
        ck_assert_uint_eq(size, 64);
        if (s[0] == 0 || s[32] == 0) {
            found++;
            ck_assert_int_eq(verify(&p, SIGNATURE_ECDSA_RAW, HASH_SHA2_256, s, size), 0);
        }
    }
    ck_assert_uint_eq(found, 3);
    credential_free(p.credential);
}
END_TEST

START_TEST(signatures_of_openssl) {
    static const struct {
        const char *name, *signature;
        SignatureForm form;
        HashAlgorithm hash;
    } cases[] = {
        {"device-ecdsa", "device-ecdsa.sig", SIGNATURE_ECDSA_DER, HASH_SHA2_256},
        {"device-p384", "device-p384.sig", SIGNATURE_ECDSA_DER, HASH_SHA2_384},
        {"device-p521", "device-p521.sig", SIGNATURE_ECDSA_DER, HASH_SHA2_512},
        {"device-rsa", "device-rsa.sig", SIGNATURE_RSA_PKCS1, HASH_SHA2_256},
        {"device-rsa", "device-rsa-pss.sig", SIGNATURE_RSA_PSS, HASH_SHA2_256},
        {"device-rsa-4096", "device-rsa-4096-sha384.sig", SIGNATURE_RSA_PKCS1, HASH_SHA2_384},
        {"device-rsa-4096", "device-rsa-4096-sha512.sig", SIGNATURE_RSA_PKCS1, HASH_SHA2_512},
        {"device-rsa-4096", "device-rsa-4096-pss-sha384.sig", SIGNATURE_RSA_PSS, HASH_SHA2_384},
        {"device-rsa-4096", "device-rsa-4096-pss-sha512.sig", SIGNATURE_RSA_PSS, HASH_SHA2_512},
        {"device-ed25519", "device-ed25519.sig", SIGNATURE_ED25519, HASH_IDENTITY},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Blob s = test_file(cases[i].signature);
        Pair p = pair(cases[i].name);
        ck_assert_int_eq(verify(&p, cases[i].form, cases[i].hash, s.data, s.size), 0);
        credential_free(p.credential);
        free(s.data);
    }
}
END_TEST

/* By a good key, but with a salt of another length than RFC 7427's, or with SHA-1 (TS 33.310 6.2.1b). */
START_TEST(foreign_signatures_that_are_refused) {
    static const char *const names[] = {"device-rsa-pss-salt20.sig", "device-rsa-sha1.sig"};
    Pair p = pair("device-rsa");

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        Blob s = test_file(names[i]);
        char verdict[ERROR_MAX_BYTES];
        for (SignatureForm form = SIGNATURE_RSA_PKCS1; form <= SIGNATURE_RSA_PSS; form++)
            for (HashAlgorithm hash = HASH_SHA2_256; hash <= HASH_SHA2_512; hash++)
                ck_assert_int_ne(verify(&p, form, hash, s.data, s.size), 0);
        ck_assert_int_eq(
            auth_verify(&p.certificate, IKE_AUTH_RSA, reader_new(s.data, s.size), octets, 2, verdict),
            IKE_NOTIFY_AUTHENTICATION_FAILED);
        free(s.data);
    }
    credential_free(p.credential);
}
END_TEST

/* RFC 8032 7.1: what is signed, and that it verifies. Then s + the order of the group, which verifies as well
 * where nobody looks (5.1.7). */
START_TEST(ed25519_of_the_rfc) {
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                      0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    for (unsigned i = 1; i <= 3; i++) {
        Blob pem = vector("ed25519-%u-pem", i), spki = vector("ed25519-%u-spki", i),
             message = vector("ed25519-%u-message", i), expected = vector("ed25519-%u-signature", i);
        struct iovec whole = {message.data, message.size};
        uint8_t s[SIGNATURE_SIZE_MAX];
        PrivateKey *key;
        size_t size;

        ck_assert_int_eq(private_key_load(&key, pem.data, pem.size), 0);
        ck_assert(private_key_matches(key, spki.data, spki.size));
        ck_assert_int_eq(private_key_sign(key, SIGNATURE_ED25519, HASH_IDENTITY, &whole, 1, NULL, s, &size), 0);
        ck_assert_uint_eq(size, expected.size);
        ck_assert_mem_eq(s, expected.data, size);
        ck_assert_int_eq(
            crypto_verify(spki.data, spki.size, SIGNATURE_ED25519, HASH_IDENTITY, &whole, 1, s, size), 0);
        for (unsigned k = 0, carry = 0; k < 32; k++) {
            carry += s[32 + k] + order[k];
            s[32 + k] = (uint8_t)carry;
            carry >>= 8;
        }
        ck_assert_int_ne(
            crypto_verify(spki.data, spki.size, SIGNATURE_ED25519, HASH_IDENTITY, &whole, 1, s, size), 0);
        private_key_free(key);
        free(pem.data), free(spki.data), free(message.data), free(expected.data);
    }
}
END_TEST

/* More than a message can be is not collected. */
START_TEST(ed25519_of_too_much) {
    uint8_t s[SIGNATURE_SIZE_MAX];
    _cleanup_free_ uint8_t *much = calloc(1, SIGNED_SIZE_MAX);
    struct iovec parts[] = {{much, SIGNED_SIZE_MAX}, {much, 1}};
    Pair p = pair("device-ed25519");
    size_t size;

    ck_assert_int_eq(
        private_key_sign(p.credential->key, SIGNATURE_ED25519, HASH_IDENTITY, parts, 1, NULL, s, &size), 0);
    ck_assert_int_eq(
        private_key_sign(p.credential->key, SIGNATURE_ED25519, HASH_IDENTITY, parts, 2, NULL, s, &size), -EIO);
    ck_assert_int_ne(crypto_verify(p.certificate.spki, p.certificate.spki_size, SIGNATURE_ED25519,
                                   HASH_IDENTITY, parts, 2, s, size),
                     0);
    credential_free(p.credential);
}
END_TEST

START_TEST(keys_that_are_not_used) {
    static const struct {
        const char *name;
        int result;
    } cases[] = {{"rsa-1024.key.pem", -ENOTSUP},
                 {"rsa-4608.key.pem", -ENOTSUP},
                 {"ed448.key.pem", -EINVAL},
                 {"device-encrypted.key.pem", -EINVAL},
                 {"device-ecdsa.pem", -EINVAL}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Blob pem = test_file(cases[i].name);
        PrivateKey *key = NULL;
        int r = private_key_load(&key, pem.data, pem.size);
        ck_assert_msg(r == cases[i].result && !key, "%s: %d", cases[i].name, r);
        free(pem.data);
    }
}
END_TEST

/* A good signature by a key of 1024 bits (TS 33.310 6.1). */
START_TEST(weak_rsa) {
    Blob s = test_file("rsa-1024.sig");
    TestChain chain = test_chain((const char *[]){"gateway-rsa-1024.pem", ""});
    Certificate x;
    ck_assert_int_eq(x509_parse(chain.der[0].data, chain.der[0].size, &x), 0);
    ck_assert_int_eq(
        crypto_verify(x.spki, x.spki_size, SIGNATURE_RSA_PKCS1, HASH_SHA2_256, octets, 2, s.data, s.size),
        IKE_NOTIFY_AUTHENTICATION_FAILED);
    test_chain_free(&chain);
    free(s.data);
}
END_TEST

/* r or s zero; numbers too large; lengths that do not fit. */
START_TEST(degenerate_signatures) {
    static const uint8_t zero_der[] = {0x30, 6, 2, 1, 0, 2, 1, 0}, one_der[] = {0x30, 6, 2, 1, 1, 2, 1, 0};
    Pair p = pair("device-ecdsa");
    uint8_t raw[600] = {};

    ck_assert_int_ne(verify(&p, SIGNATURE_ECDSA_DER, HASH_SHA2_256, zero_der, sizeof zero_der), 0);
    ck_assert_int_ne(verify(&p, SIGNATURE_ECDSA_DER, HASH_SHA2_256, one_der, sizeof one_der), 0);
    ck_assert_int_ne(verify(&p, SIGNATURE_ECDSA_RAW, HASH_SHA2_256, raw, 64), 0);
    memset(raw, 0xff, sizeof raw);
    ck_assert_int_ne(verify(&p, SIGNATURE_ECDSA_RAW, HASH_SHA2_256, raw, 64), 0);
    ck_assert_int_ne(verify(&p, SIGNATURE_ECDSA_RAW, HASH_SHA2_256, raw, sizeof raw), 0);
    ck_assert_int_ne(verify(&p, SIGNATURE_ECDSA_DER, HASH_SHA2_256, raw, sizeof raw), 0);
    credential_free(p.credential);
    p = pair("device-rsa");
    ck_assert_int_ne(verify(&p, SIGNATURE_RSA_PKCS1, HASH_SHA2_256, raw, 256), 0);
    ck_assert_int_ne(verify(&p, SIGNATURE_RSA_PKCS1, HASH_SHA2_256, raw, sizeof raw), 0);
    ck_assert_int_ne(verify(&p, SIGNATURE_RSA_PSS, HASH_SHA2_256, raw, sizeof raw), 0);
    credential_free(p.credential);
}
END_TEST

/* The AUTH payload: RFC 7427's identifiers and the plain methods. */
START_TEST(auth_payloads) {
    static const struct {
        const char *name;
        HashSet hashes;
        unsigned method; /* 0: none */
        uint8_t last;    /* of the AlgorithmIdentifier's OID */
    } cases[] = {
        {"device-ecdsa", 1 << IKE_HASH_SHA2_256 | 1 << IKE_HASH_SHA2_512, IKE_AUTH_DIGITAL_SIGNATURE, 2},
        {"device-ecdsa", 1 << IKE_HASH_SHA2_512, IKE_AUTH_DIGITAL_SIGNATURE, 4},
        {"device-ecdsa", 1 << IKE_HASH_SHA1, IKE_AUTH_ECDSA_256, 0},
        {"device-ecdsa", 0, IKE_AUTH_ECDSA_256, 0},
        {"device-p384", 1 << IKE_HASH_SHA2_256 | 1 << IKE_HASH_SHA2_384, IKE_AUTH_DIGITAL_SIGNATURE, 3},
        {"device-p384", 0, IKE_AUTH_ECDSA_384, 0},
        {"device-p521", 1 << IKE_HASH_SHA2_256 | 1 << IKE_HASH_SHA2_512, IKE_AUTH_DIGITAL_SIGNATURE, 4},
        {"device-p521", 1 << IKE_HASH_IDENTITY, IKE_AUTH_ECDSA_521, 0},
        {"device-p521", 0, IKE_AUTH_ECDSA_521, 0},
        {"device-rsa", 1 << IKE_HASH_SHA2_256, IKE_AUTH_DIGITAL_SIGNATURE, 0},
        {"device-rsa", 1 << IKE_HASH_SHA1 | 1 << IKE_HASH_IDENTITY, IKE_AUTH_RSA, 0},
        {"device-rsa", 0, IKE_AUTH_RSA, 0},
        {"device-rsa-4096", 1 << IKE_HASH_SHA2_512, IKE_AUTH_DIGITAL_SIGNATURE, 0},
        {"device-ed25519", 0x1c | 1 << IKE_HASH_IDENTITY, IKE_AUTH_DIGITAL_SIGNATURE, 0},
        {"device-ed25519", 0x1c, 0, 0},
        {"device-ed25519", 0, 0, 0},
    };
    uint64_t random;
    Rng rng = seeded_rng(&random, 1);

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t method = 0, data[AUTH_MAX];
        char verdict[ERROR_MAX_BYTES] = "";
        Pair p = pair(cases[i].name);
        size_t size;
        int r = auth_sign(p.credential->key, cases[i].hashes, octets, 2, &rng, &method, data, &size);
        ck_assert_int_eq(r, cases[i].method ? 0 : -ENOTSUP);
        ck_assert_uint_eq(method, cases[i].method);
        if (r == 0) {
            if (cases[i].last)
                ck_assert_uint_eq(data[12], cases[i].last);
            Reader whole = reader_new(data, size);
            ck_assert_int_eq(auth_verify(&p.certificate, method, whole, octets, 2, verdict), 0);
            for (size_t cut = 0; cut < size; cut++)
                ck_assert_int_eq(
                    auth_verify(&p.certificate, method, reader_new(data, cut), octets, 2, verdict),
                    IKE_NOTIFY_AUTHENTICATION_FAILED);
            for (uint8_t other = 0; other < 20; other++)
                if (other != method)
                    ck_assert_int_eq(auth_verify(&p.certificate, other, whole, octets, 2, verdict),
                                     IKE_NOTIFY_AUTHENTICATION_FAILED);
            ck_assert_str_ne(verdict, "");
        }
        credential_free(p.credential);
    }
    ck_assert_uint_eq(auth_hashes_decode((uint8_t[]){0, 2, 0, 5, 0xff, 0xff, 0}, 7), 1 << 2 | 1 << 5);
}
END_TEST

/* Byte for byte as RFC 7427 appendix A and RFC 8420 appendix A have the identifiers, and no others. */
START_TEST(identifiers) {
    static const uint8_t ed25519[] = {0x07, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70};
    static const uint8_t announced[] = {0, 2, 0, 3, 0, 4, 0, 5};
    uint8_t method, data[AUTH_MAX + 8];
    char verdict[ERROR_MAX_BYTES];
    Pair p = pair("device-ed25519");
    size_t size;

    ck_assert_uint_eq(sizeof auth_hashes, sizeof announced);
    ck_assert_mem_eq(auth_hashes, announced, sizeof announced);
    ck_assert_int_eq(auth_sign(p.credential->key, auth_hashes_decode(auth_hashes, sizeof auth_hashes), octets, 2,
                               NULL, &method, data, &size),
                     0);
    ck_assert_uint_eq(size, sizeof ed25519 + 64);
    ck_assert_mem_eq(data, ed25519, sizeof ed25519);
    /* With parameters, which the RFC forbids. */
    memmove(data + 10, data + 8, 64);
    memcpy(data, "\x09\x30\x07\x06\x03\x2b\x65\x70\x05\x00", 10);
    ck_assert_int_eq(auth_verify(&p.certificate, method, reader_new(data, 74), octets, 2, verdict),
                     IKE_NOTIFY_AUTHENTICATION_FAILED);
    ck_assert_ptr_nonnull(strstr(verdict, "not accepted"));
    credential_free(p.credential);
}
END_TEST

SUITE("auth", sign_and_verify_in_every_form, raw_ecdsa_is_padded, signatures_of_openssl,
      foreign_signatures_that_are_refused, ed25519_of_the_rfc, ed25519_of_too_much, keys_that_are_not_used, weak_rsa,
      degenerate_signatures, auth_payloads, identifiers)
