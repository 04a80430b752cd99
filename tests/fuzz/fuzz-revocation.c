/* SPDX-License-Identifier: GPL-3.0-or-later */
/* OCSP responses, CRLs, and files of them (PEM): a byte that chooses which and about which certificate of
 * tests/data/ike/revocation, then the bytes. The fuzzer's signatures are null-verify.c's. */
#include "base/macro.h"
#include "fuzz.h"
#include "ike/certificate.h"
#include "ike/crl.h"
#include "ike/ocsp.h"
#include "ike/pem.h"

#define NOW (1780272000 * USEC_PER_SEC) /* 2026-06-01 */

static Certificate certificate_load(const char *name) {
    static char text[16 * 1024];
    char path[4096];
    size_t der_size, at = 0;
    Certificate x;
    uint8_t *der;

    snprintf(path, sizeof path, "%s/ike/revocation/%s.pem", getenv("TEST_DATA") ?: "tests/data", name);
    FILE *f = fopen(path, "re");
    if (!f) {
        fprintf(stderr, "%s: not read\n", path);
        exit(2);
    }
    size_t size = fread(text, 1, sizeof text, f);
    fclose(f);
    MUST(pem_next((uint8_t *)text, size, "CERTIFICATE", &at, &der, &der_size) == 1);
    MUST(x509_parse(der, der_size, &x) == 0); /* points into *der*, which stays */
    return x;
}

static const struct {
    const char *x, *issuer;
} names[] = {{"gateway", "ca"},        {"below", "intermediate"}, {"rsa-gateway", "rsa-ca"},
             {"odd-urls", "ca"},       {"revoked", "ca"},         {"held", "ca"},
             {"gateway", "no-crl-ca"}, {"leading", "ca"}};

static Certificate certificates[ARRAY_SIZE(names)], issuers[ARRAY_SIZE(names)];

static void evidence_check(const Evidence *e, usec_t now) {
    char error[ERROR_MAX_BYTES] = "", time[EVIDENCE_TIME_MAX];

    MUST(e->standing <= STANDING_UNKNOWN && e->reason >= -1 && e->reason <= 255);
    MUST(evidence_reason(e->reason)[0]);
    MUST(strlen(evidence_format_time(e->this_update, time)) < sizeof time);
    MUST(strlen(evidence_format_time(e->revoked_at, time)) < sizeof time);
    int r = evidence_check_dates(e->this_update, e->next_update, now, error);
    MUST(r == 0 || (r == -ESTALE && error[0]));
    MUST(now != USEC_NEVER || r == 0);
}

static void ocsp(const uint8_t *data, size_t size, const Certificate *x, const Certificate *issuer,
                 const uint8_t *nonce, usec_t now) {
    uint8_t request[OCSP_REQUEST_MAX];
    char error[ERROR_MAX_BYTES] = "";
    OcspAnswer answer;

    int r = ocsp_response_read(data, size, x, issuer, nonce, now, &answer, error);
    MUST(r == 0 || r == -EBADMSG || r == -EAGAIN || r == -ENOENT || r == IKE_NOTIFY_AUTHENTICATION_FAILED);
    MUST(r == 0 || (error[0] && strnlen(error, sizeof error) < sizeof error));
    if (r == 0) {
        evidence_check(&answer.evidence, now);
        MUST(!answer.nonce || nonce);
        MUST(!answer.delegated || (answer.delegate.der >= data && answer.delegate.der < data + size));
    }
    r = ocsp_request_encode(x, issuer, nonce, request);
    MUST(r > 0 && r <= OCSP_REQUEST_MAX);
}

static void crl(const uint8_t *data, size_t size, const Certificate *x, const Certificate *issuer,
                usec_t now) {
    char error[ERROR_MAX_BYTES] = "";
    Crl list;

    int r = crl_parse(data, size, &list, error);
    MUST(r == 0 || r == -EBADMSG || r == -ENOTSUP);
    MUST(r == 0 || error[0]);
    if (r != 0)
        return;
    (void)crl_covers(&list, x);
    r = crl_verify(&list, issuer, error);
    MUST(r == 0 || r == IKE_NOTIFY_AUTHENTICATION_FAILED);
    Evidence evidence = crl_look_up(&list, x->serial);
    MUST(evidence.standing != STANDING_UNKNOWN);
    evidence_check(&evidence, now);
}

static void pem(const uint8_t *data, size_t size) {
    size_t at = 0, der_size, before = 0;
    uint8_t *der;

    for (int r = 1; r == 1; before = at) {
        r = pem_next(data, size, "X509 CRL", &at, &der, &der_size);
        MUST(r == 1 || r == 0 || r == -EBADMSG);
        if (r == 1) {
            MUST(at > before && at <= size && der_size > 0 && der_size < size);
            free(der);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t nonce[OCSP_NONCE_BYTES] = {1, 2, 3}, serial[40] = {4, 5, 6};

    if (!certificates[0].der)
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
            certificates[i] = certificate_load(names[i].x);
            issuers[i] = certificate_load(names[i].issuer);
        }
    certificates[3].serial = reader_new(serial, sizeof serial);
    if (size == 0)
        return 0;
    size_t i = data[0] >> 2 & 7;
    usec_t now = data[0] & 0x80 ? CERTIFICATE_UNDATED : data[0] & 0x40 ? 0 : NOW;
    switch (data[0] & 3) {
    case 0:
    case 1:
        ocsp(data + 1, size - 1, &certificates[i], &issuers[i], data[0] & 0x20 ? nonce : NULL, now);
        return 0;
    case 2:
        crl(data + 1, size - 1, &certificates[i], &issuers[i], now);
        return 0;
    case 3:
        pem(data + 1, size - 1);
        return 0;
    }
    return 0;
}
