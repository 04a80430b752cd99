/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The verdict on every kind of certificate chain, roots, and the box's own credential. */
#include <check.h>
#include <stdio.h>

#include "ike-responder.h"
#include "suite.h"

#define NOW (1780272000 * USEC_PER_SEC) /* 2026-06-01 */

static int verify(const char *trust, const char *const *names, const char *identity, usec_t now,
                  Certificate *ret, char *verdict) {
    _cleanup_(trust_store_freep) TrustStore *store = test_trust(trust);
    TestChain chain = test_chain(names);
    Reader readers[ARRAY_SIZE(chain.der)];

    for (size_t i = 0; i < chain.n; i++)
        readers[i] = reader_new(chain.der[i].data, chain.der[i].size);
    strcpy(verdict, "");
    int r = certificate_verify(store, readers, chain.n, identity, now, ret, verdict);
    test_chain_free(&chain);
    return r;
}

#define SEGW "segw.operator.example"

START_TEST(verdicts) {
    static const struct {
        const char *trust, *identity, *chain[8], *text; /* text NULL: trusted */
    } cases[] = {
        {"ca.pem", SEGW, {"gateway.pem", ""}, NULL},
        {"ca.pem", "203.0.113.1", {"gateway.pem", ""}, NULL},
        {"ca.pem", "SeGW.Operator.EXAMPLE", {"gateway.pem", ""}, NULL},
        {"ca.pem", SEGW, {"gateway-p384.pem", ""}, NULL},
        {"ca.pem", SEGW, {"gateway-rsa.pem", ""}, NULL},
        {"ca.pem", SEGW, {"gateway-plain.pem", ""}, NULL},
        {"rsa-ca.pem", SEGW, {"gateway-pss.pem", ""}, NULL},
        {"ca.pem", "2001:db8::1", {"gateway-address.pem", ""}, NULL},
        {"ca.pem", "2001:db8:0:0::1", {"gateway-address.pem", ""}, NULL},
        {"ca.pem", SEGW, {"gateway-intermediate.pem", "intermediate.pem", ""}, NULL},
        {"ca.pem", SEGW, {"gateway-intermediate.pem", "ca.pem", "intermediate.pem", ""}, NULL},
        {"ca.pem", SEGW, {"gateway-control.pem", ""}, "subjectAltName"},
        /* identity */
        {"ca.pem", "segw.operator.exampl", {"gateway.pem", ""}, "subjectAltName"},
        {"ca.pem", "operator.example", {"gateway.pem", ""}, "subjectAltName"},
        {"ca.pem", "203.0.113.2", {"gateway.pem", ""}, "subjectAltName"},
        {"ca.pem", "", {"gateway.pem", ""}, "subjectAltName"},
        {"ca.pem", SEGW, {"gateway-other.pem", ""}, "subjectAltName"},
        {"ca.pem", SEGW, {"gateway-cn.pem", ""}, "subjectAltName"},
        {"ca.pem", SEGW, {"gateway-wildcard.pem", ""}, "subjectAltName"},
        {"ca.pem", SEGW, {"gateway-address.pem", ""}, "subjectAltName"},
        {"ca.pem", SEGW, {"device-ecdsa.pem", ""}, "subjectAltName"},
        /* trust */
        {"ca.pem", SEGW, {"gateway-unknown.pem", ""}, "issued by a CA that is not trusted"},
        {"ca.pem", SEGW, {"gateway-unknown.pem", "unknown-ca.pem", ""}, "not trusted"},
        {"ca.pem", SEGW, {"gateway-intermediate.pem", ""}, "issued by a CA that is not trusted"},
        {"rsa-ca.pem", SEGW, {"gateway.pem", "ca.pem", ""}, "not trusted"},
        {"ca.pem", SEGW, {"gateway-not-ca.pem", "not-ca.pem", ""}, "CA:FALSE"},
        {"ca.pem", SEGW, {"gateway-not-signing.pem", "not-signing.pem", ""}, "keyUsage"},
        {"ca.pem", SEGW, {"gateway-path.pem", "path.pem", "intermediate.pem", ""}, "path length"},
        {"ca.pem", SEGW, {"gateway-misnamed.pem", "misnamed.pem", "intermediate.pem", ""}, "not trusted"},
        {"ca.pem", SEGW, {"gateway-constrained.pem", "constrained.pem", ""}, "name constraint"},
        {"ca.pem",
         SEGW,
         {"gateway-constrained-below.pem", "constrained-below.pem", "constrained.pem", ""},
         "name constraint"},
        /* validity */
        {"ca.pem", SEGW, {"gateway-expired.pem", ""}, "expired"},
        {"ca.pem", SEGW, {"gateway-future.pem", ""}, "not yet valid"},
        {"ca.pem", SEGW, {"gateway-intermediate-expired.pem", "intermediate-expired.pem", ""}, "expired"},
        /* profile */
        {"ca.pem", SEGW, {"gateway-sha1.pem", ""}, "hash below SHA-256"},
        {"rsa-ca.pem", SEGW, {"gateway-pss-sha1.pem", ""}, "hash below SHA-256"},
        {"ca.pem", SEGW, {"gateway-usage.pem", ""}, "digitalSignature"},
        {"ca.pem", SEGW, {"gateway-client.pem", ""}, "extendedKeyUsage"},
        {"ca.pem", SEGW, {"gateway-critical.pem", ""}, "critical extension"},
        {"ca.pem", SEGW, {""}, "no readable certificate"},
    };
    unsigned wrong = 0;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Certificate certificate;
        char verdict[ERROR_MAX_BYTES];
        int r = verify(cases[i].trust, cases[i].chain, cases[i].identity, NOW, &certificate, verdict);
        bool good = cases[i].text
                        ? r == IKE_NOTIFY_AUTHENTICATION_FAILED && strstr(verdict, cases[i].text) &&
                              strstr(verdict, "expected identity: ") && strstr(verdict, cases[i].identity)
                        : r == 0;
        if (!good)
            wrong++,
                fprintf(stderr, "%s for %s: %d \"%s\"\n", cases[i].chain[0], cases[i].identity, r, verdict);
    }
    ck_assert_uint_eq(wrong, 0);
    /* Without a time the same verdicts, but those that are about time. */
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *text = cases[i].text;
        Certificate certificate;
        char verdict[ERROR_MAX_BYTES];
        int r = verify(cases[i].trust, cases[i].chain, cases[i].identity, CERTIFICATE_UNDATED, &certificate,
                       verdict);
        if (text && (streq(text, "expired") || streq(text, "not yet valid")))
            text = NULL;
        ck_assert_msg(text ? r > 0 && strstr(verdict, text) : r == 0, "%s: %d \"%s\"", cases[i].chain[0], r,
                      verdict);
    }
}
END_TEST

/* The verdict names what the certificate carries, the field's words first. */
START_TEST(both_identities) {
    Certificate certificate;
    char verdict[ERROR_MAX_BYTES];

    verify("ca.pem", (const char *[]){"gateway-other.pem", ""}, SEGW, NOW, &certificate, verdict);
    ck_assert_str_eq(verdict,
                     "certificate of other.operator.example, 203.0.113.9, "
                     "segw.operator.example.evil.example: subjectAltName does not carry the expected "
                     "identity (expected identity: segw.operator.example)");
    verify("ca.pem", (const char *[]){"gateway-cn.pem", ""}, SEGW, NOW, &certificate, verdict);
    ck_assert_ptr_nonnull(strstr(verdict, "certificate of \"segw.operator.example\" (no subjectAltName): "));
}
END_TEST

/* A stranger's names go into a log line: nothing in them may end the line or fake another. */
START_TEST(hostile_names) {
    Certificate certificate;
    char verdict[ERROR_MAX_BYTES];

    verify("rsa-ca.pem", (const char *[]){"gateway-control.pem", ""}, SEGW, NOW, &certificate, verdict);
    for (const char *p = verdict; *p; p++)
        ck_assert_msg(*p >= ' ' && *p < 0x7f, "byte %d in \"%s\"", *p, verdict);
    ck_assert_ptr_nonnull(strstr(verdict, "evil"));
}
END_TEST

START_TEST(chain_in_any_order_among_rubbish) {
    static const char *others[] = {"intermediate.pem", "unknown-ca.pem", "gateway-expired.pem", "not-ca.pem",
                                   "gateway-sha1.pem"};
    Certificate certificate;
    char verdict[ERROR_MAX_BYTES];

    for (size_t turn = 0; turn < ARRAY_SIZE(others); turn++) {
        const char *chain[8] = {"gateway-intermediate.pem"};
        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
            chain[1 + i] = others[(i + turn) % ARRAY_SIZE(others)];
        chain[6] = "";
        int r = verify("ca.pem", chain, SEGW, NOW, &certificate, verdict);
        ck_assert_msg(r == 0, "turn %zu: %s", turn, verdict);
    }
}
END_TEST

START_TEST(unreadable_certificates) {
    _cleanup_(trust_store_freep) TrustStore *store = test_trust("ca.pem");
    TestChain chain =
        test_chain((const char *[]){"gateway.pem", "gateway-intermediate.pem", "intermediate.pem", ""});
    char verdict[ERROR_MAX_BYTES];
    Certificate certificate, x;

    /* Every truncation, and every byte changed: never trusted, never read past the end. */
    for (size_t size = 0; size < chain.der[0].size; size++) {
        uint8_t *copy = malloc(size ?: 1);
        memcpy(copy, chain.der[0].data, size);
        ck_assert_int_eq(x509_parse(copy, size, &x), -EBADMSG);
        Reader r = reader_new(copy, size);
        ck_assert_int_ne(certificate_verify(store, &r, 1, SEGW, NOW, &certificate, verdict), 0);
        free(copy);
    }
    for (size_t i = 0; i < chain.der[0].size; i++) {
        uint8_t *copy = malloc(chain.der[0].size);
        memcpy(copy, chain.der[0].data, chain.der[0].size);
        copy[i] ^= (uint8_t)(1 << i % 8);
        Reader r = reader_new(copy, chain.der[0].size);
        ck_assert_msg(certificate_verify(store, &r, 1, SEGW, NOW, &certificate, verdict) != 0, "byte %zu", i);
        free(copy);
    }
    /* Rubbish behind the leaf does no harm. */
    Reader readers[] = {reader_new(chain.der[1].data, chain.der[1].size), reader_new("rubbish", 7),
                        reader_new(NULL, 0), reader_new(chain.der[2].data, chain.der[2].size)};
    ck_assert_int_eq(certificate_verify(store, readers, 4, SEGW, NOW, &certificate, verdict), 0);
    test_chain_free(&chain);
}
END_TEST

/* A root in the file that has run out is no reason to distrust the others. */
START_TEST(expired_root_beside_a_good_one) {
    Blob good = test_file("ca.pem"), expired = test_file("expired-ca.pem"), both = {};
    TestChain chain = test_chain((const char *[]){"gateway.pem", "gateway-unknown.pem", ""});
    char verdict[ERROR_MAX_BYTES] = "";
    Certificate certificate;
    TrustStore *store;

    both.data = malloc(good.size + expired.size);
    memcpy(both.data, expired.data, expired.size);
    memcpy(both.data + expired.size, good.data, good.size);
    both.size = good.size + expired.size;
    ck_assert_int_eq(trust_store_load(&store, both.data, both.size, verdict), 0);
    ck_assert_uint_eq(store->n, 2);
    Reader r = reader_new(chain.der[0].data, chain.der[0].size);
    int e = certificate_verify(store, &r, 1, SEGW, NOW, &certificate, verdict);
    ck_assert_msg(e == 0, "%s", verdict);
    r = reader_new(chain.der[1].data, chain.der[1].size); /* by the expired root's key */
    ck_assert_int_ne(certificate_verify(store, &r, 1, SEGW, NOW, &certificate, verdict), 0);
    trust_store_free(store);
    test_chain_free(&chain);
    free(good.data), free(expired.data), free(both.data);
}
END_TEST

/* The clock is the caller's. */
START_TEST(clock) {
    static const struct {
        usec_t now;
        const char *text;
    } cases[] = {
        {UINT64_C(1735689599), "not yet valid"},
        {UINT64_C(1735689600), NULL}, /* 2025-01-01 */
        {UINT64_C(2366841600), NULL}, /* 2045-01-01 */
        {UINT64_C(2366841601), "expired"},
        {0, "not yet valid"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Certificate certificate;
        char verdict[ERROR_MAX_BYTES];
        int r = verify("ca.pem", (const char *[]){"gateway.pem", ""}, SEGW, cases[i].now * USEC_PER_SEC,
                       &certificate, verdict);
        ck_assert_msg(cases[i].text ? r != 0 && strstr(verdict, cases[i].text) : r == 0, "case %zu: %d %s", i,
                      r, verdict);
    }
}
END_TEST

START_TEST(parsed_fields) {
    TestChain chain =
        test_chain((const char *[]){"gateway.pem", "intermediate.pem", "ca.pem", "gateway-control.pem", ""});
    char text[256];
    Certificate x;

    ck_assert_int_eq(x509_parse(chain.der[0].data, chain.der[0].size, &x), 0);
    ck_assert(!x.ca && x.has_key_usage && x.digital_signature && !x.certificate_sign && x.ike_use);
    ck_assert_uint_eq(x.not_before, UINT64_C(1735689600) * USEC_PER_SEC);
    ck_assert_uint_eq(x.not_after, UINT64_C(2366841600) * USEC_PER_SEC);
    ck_assert_str_eq(x509_format_names(&x, text, sizeof text), "segw.operator.example, 203.0.113.1");
    ck_assert_int_eq(x509_dns_name(&x, text, sizeof text), 0);
    ck_assert_str_eq(text, SEGW);
    ck_assert_int_eq(x509_dns_name(&x, text, 21), -ENAMETOOLONG);
    ck_assert_int_eq(x509_parse(chain.der[1].data, chain.der[1].size, &x), 0);
    ck_assert(x.ca && x.path_length == 0 && x.certificate_sign && !x.digital_signature);
    ck_assert_int_eq(x509_parse(chain.der[2].data, chain.der[2].size, &x), 0);
    ck_assert(x.ca && x.path_length == -1);
    ck_assert_uint_eq(x.not_after, UINT64_C(3313526400) * USEC_PER_SEC); /* 2075: GeneralizedTime */
    ck_assert_int_eq(x509_dns_name(&x, text, sizeof text), -ENOENT);
    ck_assert_int_eq(x509_parse(chain.der[3].data, chain.der[3].size, &x), 0);
    ck_assert(!x509_has_identity(&x, SEGW)); /* though it reads so up to a zero byte */
    test_chain_free(&chain);
}
END_TEST

START_TEST(credentials) {
    static const struct {
        const char *certificate, *key, *text; /* NULL: good */
        int error;
    } cases[] = {
        {"device-ecdsa.pem", "device-ecdsa.key.pem", NULL},
        {"device-p384.pem", "device-p384.key.pem", NULL},
        {"device-p521.pem", "device-p521.key.pem", NULL},
        {"device-rsa.pem", "device-rsa.key.pem", NULL},
        {"device-rsa-4096.pem", "device-rsa-4096.key.pem", NULL},
        {"device-ed25519.pem", "device-ed25519.key.pem", NULL},
        {"device-ecdsa.pem", "device-ecdsa-sec1.key.pem", NULL},
        {"device-ecdsa.pem", "device-ecdsa-parameters.key.pem", NULL},
        {"device-ecdsa.pem", "device-ecdsa-nopublic.key.pem", NULL},
        {"device-rsa.pem", "device-rsa-pkcs1.key.pem", NULL},
        {"device-ecdsa.pem", "device-p384.key.pem", "does not belong", -EKEYREJECTED},
        {"device-ecdsa.pem", "gateway.key.pem", "does not belong", -EKEYREJECTED},
        {"device-rsa.pem", "device-ecdsa.key.pem", "does not belong", -EKEYREJECTED},
        {"device-ecdsa.pem", "device-encrypted.key.pem", "passphrase", -EKEYREJECTED},
        {"device-ecdsa.pem", "device-ecdsa.pem", "no private key", -EKEYREJECTED},
        {"gateway-rsa-1024.pem", "rsa-1024.key.pem", "kind that is not used", -EKEYREJECTED},
        {"device-ecdsa.pem", "device-ed25519.key.pem", "does not belong", -EKEYREJECTED},
        {"device-ed25519.pem", "gateway-ed25519.key.pem", "does not belong", -EKEYREJECTED},
        {"device-ecdsa.pem", "ed448.key.pem", "no private key", -EKEYREJECTED},
        {"gateway-cn.pem", "gateway.key.pem", "dNSName", -EINVAL},
        {"gateway-address.pem", "gateway.key.pem", "dNSName", -EINVAL},
        {"gateway.key.pem", "gateway.key.pem", "no PEM certificate", -EINVAL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Blob certificate = test_file(cases[i].certificate), key = test_file(cases[i].key);
        char error[ERROR_MAX_BYTES] = "";
        Credential *credential = NULL;
        int r = credential_load(&credential, certificate.data, certificate.size, key.data, key.size, error);
        ck_assert_msg(r == cases[i].error && strstr(error, strempty(cases[i].text)), "%s, %s: %d \"%s\"",
                      cases[i].certificate, cases[i].key, r, error);
        if (r == 0 && strstr(cases[i].certificate, "device"))
            ck_assert_str_eq(credential->identity, "henb-000001.operator.example");
        credential_free(credential);
        free(certificate.data), free(key.data);
    }
}
END_TEST

START_TEST(trust_stores) {
    static const struct {
        const char *file, *text;
    } cases[] = {
        {"ca.pem", NULL},
        {"rsa-ca.pem", NULL},
        {"gateway.pem", "not a CA"},
        {"gateway.key.pem", "no PEM certificate"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Blob b = test_file(cases[i].file);
        char error[ERROR_MAX_BYTES] = "";
        TrustStore *store = NULL;
        int r = trust_store_load(&store, b.data, b.size, error);
        ck_assert_msg(cases[i].text ? r == -EINVAL && strstr(error, cases[i].text) : r == 0, "%s: %d \"%s\"",
                      cases[i].file, r, error);
        trust_store_free(store);
        /* Cut anywhere before its end it is no certificate. */
        for (size_t size = 0; !cases[i].text && size < b.size - 2; size++) {
            ck_assert_int_eq(trust_store_load(&store, b.data, size, error), -EINVAL);
        }
        free(b.data);
    }
}
END_TEST

SUITE("certificate", verdicts, both_identities, hostile_names, chain_in_any_order_among_rubbish,
      unreadable_certificates, expired_root_beside_a_good_one, clock, parsed_fields, credentials,
      trust_stores)
