/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What we look at in an X.509 certificate ourselves (RFC 5280), because wolfSSL's verification does not: who
 * it names, what it may be used for, how it was signed. Nothing here is a proof; certificate.h verifies. */
#pragma once

#include "base/address.h"
#include "ike/signed.h"

#define X509_NAMES_MAX 32 /* subjectAltName entries kept */
#define X509_URLS_MAX  4  /* of each kind */
#define X509_DER_MAX   8192

typedef struct X509Urls {
    size_t n;
    Reader items[X509_URLS_MAX]; /* not checked in any way */
} X509Urls;

typedef struct CertificateName {
    int family;          /* AF_INET, AF_INET6: iPAddress; AF_UNSPEC: dNSName */
    const uint8_t *data; /* not terminated */
    size_t size;
} CertificateName;

/* Points into the DER it was read from. */
typedef struct Certificate {
    const uint8_t *der;
    size_t der_size;
    const uint8_t *issuer, *subject, *spki; /* whole DER elements */
    size_t issuer_size, subject_size, spki_size;
    Signed whole;         /* what its issuer signed, and how */
    Reader serial;        /* of the INTEGER */
    Reader key;           /* of the BIT STRING in *spki* */
    Reader key_id;        /* subjectKeyIdentifier; empty without */
    Reader issuer_key_id; /* keyIdentifier of authorityKeyIdentifier; empty without */
    X509Urls ocsp_urls;   /* authorityInfoAccess (RFC 5280 4.2.2.1) */
    X509Urls crl_urls;    /* cRLDistributionPoints (4.2.1.13) */
    usec_t not_before, not_after;
    bool ca;
    int path_length; /* -1: unlimited */
    bool has_key_usage, digital_signature, certificate_sign, crl_sign;
    bool ike_use;          /* no extendedKeyUsage, or one that fits an IPsec gateway (RFC 4945 5.1.3.12) */
    bool ocsp_signing;     /* its extendedKeyUsage says so (RFC 6960 4.2.2.2) */
    bool ocsp_nocheck;     /* id-pkix-ocsp-nocheck (4.2.2.2.1) */
    bool unknown_critical; /* an extension we do not read, name constraints and policies among them */
    bool weak_signature;   /* signed with a hash below SHA-256 */
    size_t n_names;
    CertificateName names[X509_NAMES_MAX];
} Certificate;

/* 0 or -EBADMSG. *der* must outlive *ret*. */
int x509_parse(const uint8_t *der, size_t size, Certificate *ret);
/* Does a subjectAltName carry *identity* (a DNS name, compared without case, or a literal address)? No
 * wildcards, and the CN never counts. */
bool x509_has_identity(const Certificate *x, const char *identity);
/* "segw.example, 192.0.2.1" for a log line: the names it carries, or its commonName and that it has none.
 * Bytes that do not print are shown as '?'. *size* > 0. */
const char *x509_format_names(const Certificate *x, char *buf, size_t size);
/* The first dNSName as a string. 0, -ENOENT, or -ENAMETOOLONG. */
int x509_dns_name(const Certificate *x, char *ret, size_t size);
/* Does *issuer* bear the name that *x* calls its issuer's? */
bool x509_is_issuer_of(const Certificate *issuer, const Certificate *x);
bool x509_same_bytes(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size);
/* "0a1b2c" for a log line; "(commonName)" in quotes of a Name. *size* > 2. */
const char *x509_format_serial(Reader serial, char *buf, size_t size);
const char *x509_format_name(const uint8_t *name, size_t name_size, char *buf, size_t size);
