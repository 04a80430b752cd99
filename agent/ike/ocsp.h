/* SPDX-License-Identifier: GPL-3.0-or-later */
/* OCSP (RFC 6960): a request for one certificate, and what a response says of it. The responder is the
 * certificate's issuer or one that the issuer made it (4.2.2.2); nobody else is believed. */
#pragma once

#include "ike/evidence.h"

#define OCSP_REQUEST_MAX      256
#define OCSP_RESPONSE_MAX     (16 * 1024)
#define OCSP_NONCE_BYTES      32 /* RFC 8954 2.1 */
#define OCSP_CERTIFICATES_MAX 4  /* of a response's own that are looked at */
#define OCSP_ANSWERS_MAX      64 /* SingleResponses that are looked at */

/* A request about *x*, issued by *issuer*, with SHA-1 in its CertID, which every responder knows (RFC 5019
 * 2.1.1); *nonce* has OCSP_NONCE_BYTES, NULL: none. Returns its size; *ret* has OCSP_REQUEST_MAX bytes.
 * -EIO (the library failed), -EINVAL (a serial number beyond all bounds). */
int ocsp_request_encode(const Certificate *x, const Certificate *issuer, const uint8_t *nonce, uint8_t *ret);

typedef struct OcspAnswer {
    Evidence evidence;
    bool nonce; /* it carried ours */
    bool delegated;
    Certificate delegate; /* who signed, unless the issuer did; points into the response */
} OcspAnswer;

/* Reads a response and believes it as far as its signature goes: dates are the caller's business, for
 * *now* (or CERTIFICATE_UNDATED) counts for the delegate's certificate only. *nonce* (OCSP_NONCE_BYTES) was
 * in the request, NULL: there was none. A response may leave ours out (RFC 5019 4) but not bring another. 0;
 * or with words in *error* (ERROR_MAX_BYTES): -EBADMSG: unreadable; -EAGAIN: the responder says that it
 * failed; -ENOENT: not about *x*; IKE_NOTIFY_AUTHENTICATION_FAILED: by nobody who may, signature or nonce
 * wrong, a critical extension that is not known; -EIO, -ENOMEM. */
int ocsp_response_read(const uint8_t *der, size_t size, const Certificate *x, const Certificate *issuer,
                       const uint8_t *nonce, usec_t now, OcspAnswer *ret, char *error);
