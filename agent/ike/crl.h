/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Certificate revocation lists (RFC 5280 5): complete ones of the certificates' own issuer. Indirect CRLs,
 * delta CRLs, those of some reasons or of attribute certificates, and any with a critical extension that is
 * not known are refused (5.2, 6.3.3). Read where they lie, in one pass, without a copy of an entry. */
#pragma once

#include "ike/evidence.h"

#define CRL_SIZE_MAX   (4 * 1024 * 1024)
#define CRL_SERIAL_MAX 40 /* bytes of a serial number; RFC 5280 4.1.2.2 allows 20 */

/* Points into the DER it was read from. */
typedef struct Crl {
    Signed whole;
    const uint8_t *issuer; /* a Name, whole */
    size_t issuer_size;
    usec_t this_update, next_update; /* next: USEC_NEVER without */
    Reader entries;                  /* all of them well-formed */
    bool only_ca, only_user;         /* issuingDistributionPoint (5.2.5) */
    Reader points;                   /* its names: GeneralNames' body; empty: all points */
} Crl;

/* Reads a CRL and checks the form of every entry. 0; -EBADMSG: unreadable or larger than CRL_SIZE_MAX;
 * -ENOTSUP: of a kind that is refused. Words in *error* (ERROR_MAX_BYTES). *der* must outlive *ret*. */
int crl_parse(const uint8_t *der, size_t size, Crl *ret, char *error);
/* Whether it covers *x* at all: same issuer, its kind of certificate, one of its distribution points. */
bool crl_covers(const Crl *crl, const Certificate *x);
/* Whether *issuer*, which must bear the name, signed it and may. 0; IKE_NOTIFY_AUTHENTICATION_FAILED with
 * words in *error*; -EIO, -ENOMEM. */
int crl_verify(const Crl *crl, const Certificate *issuer, char *error);
/* What it says of the certificate with this serial number. Looks at neither dates nor signature. */
Evidence crl_look_up(const Crl *crl, Reader serial);
