/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CRLs as openssl makes them: what is taken, what they say, what is refused; a large one; damage. */
#include "ike/crl.h"
#include "revocation-data.h"

START_TEST(kinds) {
    static const struct {
        const char *crl;
        int r;
        const char *text;
    } cases[] = {
        {"good", 0, ""},
        {"revoking", 0, ""},
        {"empty", 0, ""},
        {"expired", 0, ""},
        {"pss", 0, ""},
        {"sha1", 0, ""}, /* whose signature is not looked at here */
        {"idp-user", 0, ""},
        {"idp-authority", 0, ""},
        {"idp-here", 0, ""},
        {"idp-reasons", -ENOTSUP, "some reasons"},
        {"idp-indirect", -ENOTSUP, "indirect"},
        {"idp-delta", -ENOTSUP, "delta"},
        {"idp-unknown", -ENOTSUP, "critical extension"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Reader der = data_crl(cases[i].crl);
        char why[ERROR_MAX_BYTES] = "";
        Crl crl;
        int r = crl_parse(der.data, der.left, &crl, why);
        ck_assert_msg(r == cases[i].r && (r == 0 || strstr(why, cases[i].text)), "%s: %d \"%s\"",
                      cases[i].crl, r, why);
    }
}
END_TEST

START_TEST(coverage) {
    static const struct {
        const char *crl, *x;
        bool covered;
    } cases[] = {
        {"good", "gateway", true},
        {"good", "intermediate", true},
        {"good", "below", false},
        {"intermediate", "below", true},
        {"idp-user", "gateway", true},
        {"idp-user", "intermediate", false},
        {"idp-authority", "gateway", false},
        {"idp-authority", "intermediate", true},
        {"idp-here", "gateway", true},
        {"idp-elsewhere", "gateway", false},
        {"idp-here", "silent", false},
        {"stranger", "gateway", true}, /* the same name */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Reader der = data_crl(cases[i].crl);
        Certificate x = data_certificate(cases[i].x);
        char why[ERROR_MAX_BYTES];
        Crl crl;
        ck_assert_int_eq(crl_parse(der.data, der.left, &crl, why), 0);
        ck_assert_msg(crl_covers(&crl, &x) == cases[i].covered, "%s, %s", cases[i].crl, cases[i].x);
    }
}
END_TEST

START_TEST(signatures) {
    static const struct {
        const char *crl, *issuer, *text; /* NULL: right */
    } cases[] = {
        {"good", "ca", NULL},
        {"intermediate", "intermediate", NULL},
        {"rsa", "rsa-ca", NULL},
        {"pss", "rsa-ca", NULL},
        {"stranger", "ca", "signature is wrong"},
        {"good", "other-ca", "signature is wrong"},
        {"good", "intermediate", "another issuer"},
        {"no-crl", "no-crl-ca", "may not sign CRLs"},
        {"sha1", "ca", "below SHA-256"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Reader der = data_crl(cases[i].crl);
        Certificate issuer = data_certificate(cases[i].issuer);
        char why[ERROR_MAX_BYTES] = "";
        Crl crl;
        ck_assert_int_eq(crl_parse(der.data, der.left, &crl, why), 0);
        int r = crl_verify(&crl, &issuer, why);
        ck_assert_msg(cases[i].text ? r == IKE_NOTIFY_AUTHENTICATION_FAILED && strstr(why, cases[i].text)
                                    : r == 0,
                      "%s by %s: %d \"%s\"", cases[i].crl, cases[i].issuer, r, why);
    }
}
END_TEST

START_TEST(serial_numbers) {
    static const struct {
        const char *x;
        Standing standing;
        int reason;
        uint64_t at;
    } cases[] = {
        {"gateway", STANDING_GOOD, -1, 0},
        {"revoked", STANDING_REVOKED, 1, UINT64_C(1777593600)},
        {"held", STANDING_REVOKED, 6, UINT64_C(1777691045)},
        {"leading", STANDING_REVOKED, -1, UINT64_C(1777766400)}, /* its INTEGER begins with a zero */
    };
    Reader der = data_crl("revoking");
    char why[ERROR_MAX_BYTES];
    Crl crl;

    ck_assert_int_eq(crl_parse(der.data, der.left, &crl, why), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Certificate x = data_certificate(cases[i].x);
        Evidence e = crl_look_up(&crl, x.serial);
        ck_assert_msg(e.standing == cases[i].standing, "%s", cases[i].x);
        ck_assert_int_eq(e.reason, cases[i].reason);
        ck_assert_uint_eq(e.revoked_at, cases[i].at * USEC_PER_SEC);
        ck_assert_uint_eq(e.this_update, UINT64_C(1779235200) * USEC_PER_SEC); /* 05-20 */
        ck_assert_uint_eq(e.next_update, UINT64_C(1781913600) * USEC_PER_SEC); /* 06-20 */
    }
    /* A part of a number is not the number. */
    ck_assert_int_eq(crl_look_up(&crl, reader_new("\x10", 1)).standing, STANDING_GOOD);
    ck_assert_int_eq(crl_look_up(&crl, reader_new("\x10\x02\x00", 3)).standing, STANDING_GOOD);
    ck_assert_int_eq(crl_look_up(&crl, reader_new("\x00\x10\x02", 3)).standing, STANDING_REVOKED);
    ck_assert_int_eq(crl_look_up(&crl, reader_new(NULL, 0)).standing, STANDING_GOOD);
}
END_TEST

static void head_write(Writer *w, uint8_t tag, size_t size) {
    writer_u8(w, tag);
    writer_u8(w, 0x83);
    writer_u8(w, (uint8_t)(size >> 16));
    writer_u16(w, (uint16_t)size);
}

/* Entries of 27 bytes each, as many as fit into *size*; unsigned. */
static Reader large_crl(size_t size, const uint8_t *entry_extensions, size_t extensions_size) {
    static const uint8_t algorithm[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 2};
    Certificate issuer = data_certificate("ca");
    size_t entry = 2 + 6 + 15 + extensions_size, tbs_fixed = sizeof algorithm + issuer.subject_size + 30 + 5;
    size_t n = (size - 200 - tbs_fixed) / entry;
    Writer w = writer_new(data_keep(malloc(size)), size);

    head_write(&w, DER_SEQUENCE, 5 + tbs_fixed + n * entry + sizeof algorithm + 3);
    head_write(&w, DER_SEQUENCE, tbs_fixed + n * entry);
    writer_bytes(&w, algorithm, sizeof algorithm);
    writer_bytes(&w, issuer.subject, issuer.subject_size);
    writer_bytes(&w,
                 "\x17\x0d"
                 "260520000000Z",
                 15);
    writer_bytes(&w,
                 "\x17\x0d"
                 "260620000000Z",
                 15);
    head_write(&w, DER_SEQUENCE, n * entry);
    for (size_t i = 0; i < n; i++) {
        der_write_head(&w, DER_SEQUENCE, entry - 2);
        writer_u16(&w, 0x0204);
        writer_u32(&w, (uint32_t)i + 0x1000000);
        writer_bytes(&w,
                     "\x17\x0d"
                     "260501000000Z",
                     15);
        writer_bytes(&w, entry_extensions, extensions_size);
    }
    writer_bytes(&w, algorithm, sizeof algorithm);
    writer_bytes(&w, "\x03\x01\x00", 3);
    ck_assert(!w.bad);
    return reader_new(w.data, w.len);
}

START_TEST(megabytes) {
    Reader der = large_crl(CRL_SIZE_MAX, NULL, 0);
    char why[ERROR_MAX_BYTES] = "";
    Crl crl;

    ck_assert_uint_gt(der.left, CRL_SIZE_MAX - 300);
    ck_assert_msg(crl_parse(der.data, der.left, &crl, why) == 0, "%s", why);
    ck_assert_int_eq(crl_look_up(&crl, reader_new("\x01\x00\x00\x00", 4)).standing, STANDING_REVOKED);
    ck_assert_int_eq(crl_look_up(&crl, reader_new("\x01\x02\x00\x00", 4)).standing, STANDING_REVOKED);
    ck_assert_int_eq(crl_look_up(&crl, reader_new("\x02\x02\x00\x00", 4)).standing, STANDING_GOOD);
    der = large_crl(CRL_SIZE_MAX + 300, NULL, 0);
    ck_assert_int_eq(crl_parse(der.data, der.left, &crl, why), -EBADMSG);
    ck_assert_msg(strstr(why, "4 MiB"), "%s", why);
}
END_TEST

/* RFC 5280 5.3: a critical extension of any entry that is not known spoils the whole; 5.3.3: an indirect CRL
 * even where it does not say so. */
START_TEST(entry_extensions) {
    static const struct {
        uint8_t size, bytes[24];
        int r;
    } cases[] = {
        {14, {0x30, 12, 0x30, 10, 6, 3, 0x55, 0x1d, 21, 4, 3, 10, 1, 1}, 0}, /* reasonCode */
        {17, {0x30, 15, 0x30, 13, 6, 3, 0x55, 0x1d, 21, 1, 1, 0xff, 4, 3, 10, 1, 1}, 0},
        {16, {0x30, 14, 0x30, 12, 6, 3, 0x55, 0x1d, 99, 1, 1, 0xff, 4, 2, 5, 0}, -ENOTSUP},
        {13, {0x30, 11, 0x30, 9, 6, 3, 0x55, 0x1d, 99, 4, 2, 5, 0}, 0},           /* not critical */
        {13, {0x30, 11, 0x30, 9, 6, 3, 0x55, 0x1d, 29, 4, 2, 0x30, 0}, -ENOTSUP}, /* certificateIssuer */
        {13, {0x30, 11, 0x30, 9, 6, 3, 0x55, 0x1d, 99, 4, 9, 5, 0}, -EBADMSG},
        {2, {5, 0}, -EBADMSG},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Reader der = large_crl(1000, cases[i].bytes, cases[i].size);
        char why[ERROR_MAX_BYTES] = "";
        Crl crl;
        int r = crl_parse(der.data, der.left, &crl, why);
        ck_assert_msg(r == cases[i].r, "case %zu: %d %s", i, r, why);
    }
}
END_TEST

START_TEST(damage) {
    static const char *const names[] = {"revoking", "idp-here"};
    Certificate issuer = data_certificate("ca"), x = data_certificate("revoked");
    char why[ERROR_MAX_BYTES];
    Crl crl;

    for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
        Reader der = data_crl(names[k]);
        for (size_t size = 0; size < der.left; size++) {
            uint8_t *copy = data_copy(reader_new(der.data, size));
            ck_assert_int_ne(crl_parse(copy, size, &crl, why), 0);
            free(copy);
        }
        for (size_t i = 0; i < der.left; i++) {
            uint8_t *copy = data_copy(der);
            copy[i] ^= (uint8_t)(1 << i % 8);
            if (crl_parse(copy, der.left, &crl, why) == 0) {
                (void)crl_covers(&crl, &x);
                (void)crl_look_up(&crl, x.serial);
                ck_assert_msg(crl_verify(&crl, &issuer, why) != 0, "%s, byte %zu", names[k], i);
            }
            free(copy);
        }
    }
}
END_TEST

START_TEST(pem) {
    static const struct {
        const char *text;
        int r;
        const char *bytes;
    } cases[] = {
        {"-----BEGIN X-----\nQUJD\n-----END X-----\n", 1, "ABC"},
        {"-----BEGIN X-----\r\nQUI=\r\n-----END X-----", 1, "AB"},
        {"words\n-----BEGIN X-----QQ==-----END X-----", 1, "A"},
        {"-----BEGIN Y-----\nQUJD\n-----END Y-----\n", 0, NULL},
        {"", 0, NULL},
        {"-----BEGIN X-----\nQUJD\n", -EBADMSG, NULL},
        {"-----BEGIN X-----\n-----END X-----", -EBADMSG, NULL},
        {"-----BEGIN X-----\nQUJ\n-----END X-----", -EBADMSG, NULL},
        {"-----BEGIN X-----\nQU=D\n-----END X-----", -EBADMSG, NULL},
        {"-----BEGIN X-----\nQ===\n-----END X-----", -EBADMSG, NULL},
        {"-----BEGIN X-----\nQU.D\n-----END X-----", -EBADMSG, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t at = 0, size = 0;
        uint8_t *der = NULL;
        int r = pem_next((const uint8_t *)cases[i].text, strlen(cases[i].text), "X", &at, &der, &size);
        ck_assert_msg(r == cases[i].r, "case %zu: %d", i, r);
        if (r == 1) {
            ck_assert_uint_eq(size, strlen(cases[i].bytes));
            ck_assert_mem_eq(der, cases[i].bytes, size);
            ck_assert_int_eq(
                pem_next((const uint8_t *)cases[i].text, strlen(cases[i].text), "X", &at, &der, &size), 0);
            free(der);
        }
    }
}
END_TEST

SUITE("crl", kinds, coverage, signatures, serial_numbers, megabytes, entry_extensions, damage, pem)
