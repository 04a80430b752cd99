/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What TLS with a HeMS has to be (TS 33.320 8.3, TS 33.210 6.2): the OpenSSL under libcurl is given the
 * versions and suites, the roots, the box's own certificate and the checks of the HeMS's, and what it refuses
 * is put into one line. Nothing here switches verification off. */
#pragma once

#include <stdbool.h>

#include "base/moment.h"
#include "base/revocation-policy.h"

/* Files are read with each connection, so that a new CRL or certificate needs no restart. */
typedef struct TlsConfig {
    const char *ca;          /* PEM: the only roots; the system's are never used */
    const char *certificate; /* PEM: the box's own and those between it and its root */
    const char *key;         /* PEM, without a passphrase */
    const char *crl;         /* PEM, any number, or one in DER; NULL or "": none */
    /* Its own certificate counts by a stapled OCSP response (RFC 6066 8) or by a CRL of its issuer, those of the
     * CAs above it by a CRL that is there. */
    Revocation revocation;
    usec_t clock_floor;      /* a real time before this is not believed */
    bool clock_lenient;      /* and until it is, dates of certificates, CRLs, responses do not count */
} TlsConfig;

/* The TLS of one session. */
typedef struct Tls Tls;

/* *config* must outlive it; *host* is the name or literal address that the HeMS's subjectAltName has to carry
 * (RFC 6125 6.4: dNSName, iPAddress), copied. 0 or -ENOMEM. */
int tls_new(Tls **ret, const TlsConfig *config, const char *host);
/* No connection may be left. NULL is fine. */
void tls_free(Tls *tls);
/* Prepares one connection; *ssl_ctx* is its SSL_CTX. 0, or -EINVAL: tls_refusal() says why. */
int tls_set_up(Tls *tls, void *ssl_ctx);
/* Why the last connection was refused, by us or by the HeMS: a line that names the check and the expected
 * identity. "" when it was not. */
const char *tls_refusal(const Tls *tls);
