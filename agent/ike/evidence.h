/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a CRL or an OCSP response says of one certificate, and whether it still counts. */
#pragma once

#include "base/log.h"
#include "ike/x509.h"

/* How far the clocks of the two sides may differ. */
#define EVIDENCE_TOLERANCE (5 * 60 * USEC_PER_SEC)
/* How old an OCSP response without nextUpdate may be: it means "there is always a newer one" (RFC 6960
 * 4.2.2.1), which a response that was stored somewhere cannot claim for long. */
#define EVIDENCE_AGE_MAX (60 * 60 * USEC_PER_SEC)

typedef enum Standing {
    STANDING_GOOD,
    STANDING_REVOKED,
    STANDING_UNKNOWN, /* the responder does not know the certificate */
} Standing;

typedef struct Evidence {
    Standing standing;
    usec_t this_update, next_update; /* next: USEC_NEVER, it does not say */
    usec_t revoked_at;
    int reason; /* CRLReason (RFC 5280 5.3.1), -1: none given */
} Evidence;

#define REASON_CERTIFICATE_HOLD 6

/* "keyCompromise"; "no reason given". */
const char *evidence_reason(int reason);
/* Whether evidence of these dates counts at *now*; CERTIFICATE_UNDATED (USEC_NEVER): always. 0, or -ESTALE
 * with words in *error* (ERROR_MAX_BYTES): "it expired on 2026-05-01 00:00:00 UTC". */
int evidence_check_dates(usec_t this_update, usec_t next_update, usec_t now, char *error);
/* "2026-05-01 00:00:00 UTC". */
#define EVIDENCE_TIME_MAX 32
const char *evidence_format_time(usec_t t, char buf[static EVIDENCE_TIME_MAX]);
