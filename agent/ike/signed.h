/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What certificates, CRLs and OCSP responses have in common: SEQUENCE { to be signed, AlgorithmIdentifier,
 * BIT STRING } (RFC 5280 4.1.1, 5.1.1; RFC 6960 4.2.1). */
#pragma once

#include "base/log.h"
#include "ike/crypto.h"
#include "ike/der.h"

/* Points into the DER it was read from. */
typedef struct Signed {
    Element data;     /* that is signed, whole */
    Reader algorithm; /* body of the AlgorithmIdentifier */
    Reader signature;
} Signed;

/* Reads the three from *body*, the outer SEQUENCE's; marks it bad. What may follow (an OCSP response's
 * certificates) is left in it. */
Signed signed_read(Reader *body);
/* Below SHA-256 (TS 33.310 6.1), or unknown. *algorithm* is the body of an AlgorithmIdentifier. */
bool signature_is_weak(Reader algorithm);
/* Whether the key of *spki* signed it. 0; IKE_NOTIFY_AUTHENTICATION_FAILED with words in *error*
 * (ERROR_MAX_BYTES): a weak or unknown algorithm, a wrong signature; -EIO, -ENOMEM. */
int signed_verify(const Signed *s, const uint8_t *spki, size_t spki_size, char *error);
/* The hash of an AlgorithmIdentifier's body: SHA-1 or SHA-2. 0 or -ENOTSUP. */
int hash_algorithm_read(Reader algorithm, HashAlgorithm *ret);
