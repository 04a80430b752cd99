/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a CA makes, for tests of TLS: certificates, CRLs and OCSP responses, good and bad. Whatever fails here
 * fails the test. */
#pragma once

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

#define DAY (24 * 60 * 60)

typedef struct Identity {
    EVP_PKEY *key;
    X509 *certificate;
} Identity;

/* What a certificate is like; zero is good for a day on each side of now, of ECDSA P-256 and SHA-256. */
typedef struct IdentityOptions {
    const Identity *issuer; /* NULL: itself */
    const char *cn;
    const char *san;   /* as OpenSSL writes it, "DNS:a, IP:192.0.2.1"; NULL: no subjectAltName */
    const char *usage; /* keyUsage, default critical,digitalSignature or for a CA what it needs */
    const char *extended_usage;
    bool ca;
    long from, to; /* seconds from now */
    int rsa_bits;
    bool sha1;
} IdentityOptions;

Identity identity_make(const IdentityOptions *options);
void identity_free(Identity *identity);
/* The certificate, then that of *issuer* unless NULL, to a PEM file; and the key to another. */
void identity_save(const Identity *identity, const Identity *issuer, const char *path);
void identity_save_key(const Identity *identity, const char *path, const char *passphrase);

/* A CRL that holds *revoked* (NULL: nobody), valid between seconds from now, appended to a PEM file or
 * written in DER. */
void crl_append(const Identity *issuer, const X509 *revoked, long from, long to, const char *path);
void crl_save_der(const Identity *issuer, const X509 *revoked, const char *path);

typedef struct Bytes {
    unsigned char *data; /* OPENSSL_free() */
    size_t size;
} Bytes;

/* An OCSP response about *x*: *status* is V_OCSP_CERTSTATUS_*, *to* 0: without nextUpdate. */
Bytes staple_make(const Identity *signer, const Identity *issuer, const X509 *x, int status, long from,
                  long to);
/* A good one whose signature is of *hash*, by RSA-PSS if *pss*. */
Bytes staple_signed(const Identity *signer, const Identity *issuer, const X509 *x, const EVP_MD *hash,
                    bool pss);
/* One that only says an error, OCSP_RESPONSE_STATUS_*. */
Bytes staple_error(int status);
