/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/data/ike/revocation for the tests of revocation: certificates, CRLs, OCSP responses. What is read
 * lives as long as the process of the test. */
#pragma once

#include "files.h"
#include "ike/certificate.h"
#include "ike/pem.h"
#include "suite.h"

#define DATA_NOW (1780272000 * USEC_PER_SEC) /* 2026-06-01 */

/* Lives until the process ends, and is found by the leak checker until then. */
static inline void *data_keep(void *p) {
    static void *kept[16384];
    static size_t n;
    ck_assert_uint_lt(n, ARRAY_SIZE(kept));
    return kept[n++] = p;
}

static inline Reader data_file(const char *name) {
    size_t size;
    char *data = data_read("ike/revocation", name, &size);
    uint8_t *exact = data_keep(malloc(size)); /* for the sanitizer to see a read beyond */
    memcpy(exact, data, size);
    free(data);
    return reader_new(exact, size);
}

/* "good" is good.ocsp.der or good.crl.der. */
static inline Reader data_response(const char *name) {
    char file[128];
    snprintf(file, sizeof file, "%s.ocsp.der", name);
    return data_file(file);
}

static inline Reader data_crl(const char *name) {
    char file[128];
    snprintf(file, sizeof file, "%s.crl.der", name);
    return data_file(file);
}

static inline Certificate data_certificate(const char *name) {
    char file[128];
    Certificate x;
    uint8_t *der;
    size_t at = 0, size;
    snprintf(file, sizeof file, "%s.pem", name);
    Reader pem = data_file(file);
    ck_assert_int_eq(pem_next(pem.data, pem.left, "CERTIFICATE", &at, &der, &size), 1);
    data_keep(der);
    ck_assert_int_eq(x509_parse(der, size, &x), 0);
    return x;
}

/* Certificates from the end entity to the root; "" ends. */
static inline CertificatePath data_path(const char *const *names) {
    CertificatePath path = {};
    for (; names[path.n][0]; path.n++)
        path.certificates[path.n] = data_certificate(names[path.n]);
    return path;
}

/* A malloc'ed copy of exactly these bytes. */
static inline uint8_t *data_copy(Reader r) {
    uint8_t *copy = malloc(r.left ?: 1);
    memcpy(copy, r.data, r.left);
    return copy;
}
