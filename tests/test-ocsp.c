/* SPDX-License-Identifier: GPL-3.0-or-later */
/* OCSP requests as openssl makes them, and its responses: good ones, and those of everybody who must not be
 * believed. */
#include "ike/ocsp.h"
#include "revocation-data.h"

static const uint8_t nonce[OCSP_NONCE_BYTES] = {1, 2, 3};

START_TEST(requests) {
    Certificate x = data_certificate("gateway"), issuer = data_certificate("ca");
    Reader expected = data_file("request.der");
    uint8_t request[OCSP_REQUEST_MAX];

    ck_assert_int_eq(ocsp_request_encode(&x, &issuer, NULL, request), (int)expected.left);
    ck_assert_mem_eq(request, expected.data, expected.left);
    int size = ocsp_request_encode(&x, &issuer, nonce, request);
    ck_assert_int_gt(size, (int)expected.left + OCSP_NONCE_BYTES);
    ck_assert_ptr_nonnull(memmem(request, (size_t)size, nonce, sizeof nonce));
    /* Its lengths add up to its end. */
    Reader r = reader_new(request, (size_t)size);
    Element whole = der_expect(&r, DER_SEQUENCE), tbs = der_expect(&whole.body, DER_SEQUENCE);
    der_expect(&tbs.body, DER_SEQUENCE);
    Element tagged = der_expect(&tbs.body, DER_CONTEXT_CONSTRUCTED | 2);
    Element list = der_expect(&tagged.body, DER_SEQUENCE);
    Extension extension = der_extension(&list.body);
    Reader value = der_expect(&extension.value, DER_OCTET_STRING).body;
    ck_assert(reader_done(&r) && reader_done(&whole.body) && reader_done(&tbs.body) &&
              reader_done(&list.body) && value.left == sizeof nonce && !extension.critical);
    /* The longest serial number there may be, and one beyond all bounds. */
    uint8_t serial[65] = {1};
    x.serial = reader_new(serial, 64);
    ck_assert_int_gt(ocsp_request_encode(&x, &issuer, nonce, request), 0);
    x.serial = reader_new(serial, 65);
    ck_assert_int_eq(ocsp_request_encode(&x, &issuer, nonce, request), -EINVAL);
}
END_TEST

START_TEST(responses) {
    static const struct {
        const char *response, *x, *issuer;
        int r;
        const char *text;
        Standing standing;
        int reason;
    } cases[] = {
        {"good", "gateway", "ca", 0, "", STANDING_GOOD, -1},
        {"by-key", "gateway", "ca", 0, "", STANDING_GOOD, -1},
        {"no-certificates", "gateway", "ca", 0, "", STANDING_GOOD, -1},
        {"sha384", "gateway", "ca", 0, "", STANDING_GOOD, -1},
        {"certid-sha256", "gateway", "ca", 0, "", STANDING_GOOD, -1},
        {"certid-sha512", "gateway", "ca", 0, "", STANDING_GOOD, -1},
        {"no-next", "gateway", "ca", 0, "", STANDING_GOOD, -1},
        {"expired", "gateway", "ca", 0, "", STANDING_GOOD, -1}, /* dates are another's business */
        {"nonce", "gateway", "ca", 0, "", STANDING_GOOD, -1},
        {"below", "below", "intermediate", 0, "", STANDING_GOOD, -1},
        {"rsa", "rsa-gateway", "rsa-ca", 0, "", STANDING_GOOD, -1},
        {"pss", "rsa-gateway", "rsa-ca", 0, "", STANDING_GOOD, -1},
        {"leading", "leading", "ca", 0, "", STANDING_REVOKED, -1},
        {"delegate", "gateway", "ca", 0, "", STANDING_GOOD, -1},
        {"delegate-by-key", "gateway", "ca", 0, "", STANDING_GOOD, -1},
        {"delegate-checked", "gateway", "ca", 0, "", STANDING_GOOD, -1},
        {"delegate-rsa", "rsa-gateway", "rsa-ca", 0, "", STANDING_GOOD, -1},
        {"delegate-revoked", "revoked", "ca", 0, "", STANDING_REVOKED, 1},
        {"revoked", "revoked", "ca", 0, "", STANDING_REVOKED, 1},
        {"held", "held", "ca", 0, "", STANDING_REVOKED, 6},
        {"unknown", "gateway", "ca", 0, "", STANDING_UNKNOWN, -1},
        /* about another */
        {"good", "revoked", "ca", -ENOENT, "not about this certificate"},
        {"revoked", "gateway", "ca", -ENOENT, "not about this certificate"},
        {"good", "gateway", "other-ca", -ENOENT, "not about this certificate"},
        {"below", "gateway", "ca", -ENOENT, "not about this certificate"},
        /* by nobody who may */
        {"sha1", "gateway", "ca", 24, "below SHA-256"},
        {"stranger", "gateway", "ca", 24, "signature is wrong"}, /* he has the issuer's name */
        {"gateway", "gateway", "ca", 24, "extendedKeyUsage"},
        {"delegate-use", "gateway", "ca", 24, "extendedKeyUsage"},
        {"delegate-stranger", "gateway", "ca", 24, "not from the issuer"},
        {"delegate-expired", "gateway", "ca", 24, "expired"},
        {"delegate-sibling", "gateway", "ca", 24, "not from the issuer"},
        {"delegate-critical", "gateway", "ca", 24, "critical extension"},
        {"delegate-sha1", "gateway", "ca", 24, "below SHA-256"},
        {"delegate-absent", "gateway", "ca", 24, "neither the issuer nor"},
        {"try-later", "gateway", "ca", -EAGAIN, "tryLater"},
        {"unauthorized", "gateway", "ca", -EAGAIN, "unauthorized"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Certificate x = data_certificate(cases[i].x), issuer = data_certificate(cases[i].issuer);
        Reader response = data_response(cases[i].response);
        char why[ERROR_MAX_BYTES] = "";
        OcspAnswer answer = {};
        int r = ocsp_response_read(response.data, response.left, &x, &issuer, NULL, DATA_NOW, &answer, why);
        ck_assert_msg(r == cases[i].r && (r == 0 || strstr(why, cases[i].text)), "%s for %s: %d \"%s\"",
                      cases[i].response, cases[i].x, r, why);
        if (r != 0)
            continue;
        ck_assert_msg(answer.evidence.standing == cases[i].standing, "%s", cases[i].response);
        ck_assert_int_eq(answer.evidence.reason, cases[i].reason);
        ck_assert_int_eq(answer.delegated, strncmp(cases[i].response, "delegate", 8) == 0);
        ck_assert(!answer.nonce);
    }
}
END_TEST

START_TEST(dates_and_words) {
    Certificate x = data_certificate("revoked"), issuer = data_certificate("ca");
    Reader response = data_response("revoked");
    char why[ERROR_MAX_BYTES] = "";
    OcspAnswer answer;

    ck_assert_int_eq(
        ocsp_response_read(response.data, response.left, &x, &issuer, NULL, DATA_NOW, &answer, why), 0);
    ck_assert_uint_eq(answer.evidence.this_update, UINT64_C(1780228800) * USEC_PER_SEC); /* 05-31 12:00 */
    ck_assert_uint_eq(answer.evidence.next_update, UINT64_C(1780833600) * USEC_PER_SEC); /* 06-07 12:00 */
    ck_assert_uint_eq(answer.evidence.revoked_at, UINT64_C(1777593600) * USEC_PER_SEC);  /* 05-01 */
    ck_assert_str_eq(evidence_reason(answer.evidence.reason), "keyCompromise");
    response = data_response("no-next");
    x = data_certificate("gateway");
    ck_assert_int_eq(
        ocsp_response_read(response.data, response.left, &x, &issuer, NULL, DATA_NOW, &answer, why), 0);
    ck_assert_uint_eq(answer.evidence.next_update, USEC_NEVER);
    /* An expired delegate does while nobody knows the time. */
    response = data_response("delegate-expired");
    ck_assert_int_eq(
        ocsp_response_read(response.data, response.left, &x, &issuer, NULL, USEC_NEVER, &answer, why), 0);
}
END_TEST

START_TEST(freshness) {
    const usec_t day = 24 * 3600 * USEC_PER_SEC, minute = 60 * USEC_PER_SEC;
    static const usec_t now = DATA_NOW;
    const struct {
        usec_t this, next;
        const char *text; /* NULL: it counts */
    } cases[] = {
        {now - day, now + day, NULL},
        {now, now, NULL},
        {now - day, now - 5 * minute, NULL}, /* the tolerance, and beyond it */
        {now - day, now - 5 * minute - 1, "expired on"},
        {now + 5 * minute, now + day, NULL},
        {now + 5 * minute + 1, now + day, "of the future"},
        {now - 65 * minute, USEC_NEVER, NULL},
        {now - 65 * minute - 1, USEC_NEVER, "no nextUpdate"},
        {now - day, 0, "expired on 1970-01-01 00:00:00 UTC"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char why[ERROR_MAX_BYTES] = "";
        int r = evidence_check_dates(cases[i].this, cases[i].next, now, why);
        ck_assert_msg(cases[i].text ? r == -ESTALE && strstr(why, cases[i].text) : r == 0, "case %zu: %s", i,
                      why);
        ck_assert_int_eq(evidence_check_dates(cases[i].this, cases[i].next, CERTIFICATE_UNDATED, why), 0);
    }
}
END_TEST

START_TEST(nonces) {
    Certificate x = data_certificate("gateway"), issuer = data_certificate("ca");
    Reader with = data_response("nonce"), without = data_response("good");
    char why[ERROR_MAX_BYTES] = "";
    OcspAnswer answer;

    /* A response may leave ours out, but not bring another. openssl's is of 16 bytes. */
    ck_assert_int_eq(
        ocsp_response_read(without.data, without.left, &x, &issuer, nonce, DATA_NOW, &answer, why), 0);
    ck_assert(!answer.nonce);
    ck_assert_int_eq(ocsp_response_read(with.data, with.left, &x, &issuer, nonce, DATA_NOW, &answer, why),
                     IKE_NOTIFY_AUTHENTICATION_FAILED);
    ck_assert_msg(strstr(why, "nonce"), "%s", why);
}
END_TEST

/* Every truncation and every changed byte: never another answer, never a read beyond. */
START_TEST(damage) {
    static const char *const names[] = {"good", "delegate", "revoked", "nonce"};
    Certificate issuer = data_certificate("ca");

    for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
        Certificate x = data_certificate(streq(names[k], "revoked") ? "revoked" : "gateway");
        Reader response = data_response(names[k]);
        char why[ERROR_MAX_BYTES];
        OcspAnswer answer;
        for (size_t size = 0; size < response.left; size++) {
            uint8_t *copy = data_copy(reader_new(response.data, size));
            ck_assert_int_ne(ocsp_response_read(copy, size, &x, &issuer, NULL, DATA_NOW, &answer, why), 0);
            free(copy);
        }
        for (size_t i = 0; i < response.left; i++) {
            uint8_t *copy = data_copy(response);
            copy[i] ^= (uint8_t)(1 << i % 8);
            int r = ocsp_response_read(copy, response.left, &x, &issuer, NULL, DATA_NOW, &answer, why);
            /* What is not signed may change: the issuer's own certificate that comes along. */
            if (r == 0)
                ck_assert_msg(answer.evidence.standing ==
                                  (streq(names[k], "revoked") ? STANDING_REVOKED : STANDING_GOOD),
                              "%s, byte %zu", names[k], i);
            free(copy);
        }
    }
}
END_TEST

SUITE("ocsp", requests, responses, dates_and_words, freshness, nonces, damage)
