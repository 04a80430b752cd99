/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether a gateway's certificates are revoked (RFC 5280 6.3, RFC 6960, RFC 4806, TS 33.310 6): weighs the
 * evidence at hand under the policy, and says what would have to be fetched. Every certificate below the root
 * is asked about, by OCSP first, then by CRL.
 *
 * What is revoked is refused under every policy but off, by old evidence as well: only a hold can end. The
 * evidence otherwise counts while its dates are right (evidence.h), which is passed over while nobody knows
 * the time, as a certificate's own dates are. What remains unknown passes under if-available, with a notice
 * to be logged, and is refused under strict.
 *
 * A job is one question: evaluate, fetch what is needed, answer for each, evaluate again, until the verdict
 * is another than REVOCATION_NEEDED. Each round asks one source for each certificate; what failed is not
 * asked again by this job, so it ends. */
#pragma once

#include "base/revocation-policy.h"
#include "ike/certificate.h"
#include "ike/revocation-cache.h"

#define REVOCATION_STAPLED_MAX 8                   /* OCSP responses in CERT payloads that are looked at */
#define REVOCATION_SOURCES_MAX (2 * X509_URLS_MAX) /* of one certificate */
#define REVOCATION_NEEDS_MAX   CHAIN_MAX           /* of one round */

typedef enum RevocationVerdict {
    REVOCATION_GOOD,    /* of all that is known, or nobody asked */
    REVOCATION_REVOKED, /* text: which certificate, its serial number, since when, why, who says so */
    REVOCATION_UNKNOWN, /* text: of which certificate, and what was tried in vain */
    REVOCATION_NEEDED,
} RevocationVerdict;

/* Something to be fetched. */
typedef struct RevocationNeed {
    bool is_crl;
    char url[URL_MAX_BYTES];           /* http */
    uint8_t request[OCSP_REQUEST_MAX]; /* to be POSTed as application/ocsp-request */
    size_t request_size;               /* 0: a GET */
    size_t size_max;                   /* of the answer */
} RevocationNeed;

typedef struct RevocationJob RevocationJob;

/* Copies *path* and the responses *ocsp* that came with it; *cache* and *rng* must outlive the job. 0 or
 * -ENOMEM. */
int revocation_job_new(RevocationJob **ret, RevocationCache *cache, Revocation policy,
                       const CertificatePath *path, const Reader *ocsp, size_t n_ocsp, const Rng *rng);
void revocation_job_free(RevocationJob *job);
DEFINE_CLEANUP(RevocationJob, revocation_job_free)
/* *now.real* may be CERTIFICATE_UNDATED. *text* (ERROR_MAX_BYTES) is one line, "" with GOOD and NEEDED. */
RevocationVerdict revocation_job_evaluate(RevocationJob *job, Moment now, char *text);
/* What the last evaluation said is needed, to be fetched at once, side by side: *i* counts up from 0, NULL
 * ends. Valid until the next evaluation. */
const RevocationNeed *revocation_job_need(const RevocationJob *job, size_t i);
/* What came for need *i*: *der* (malloc'ed, taken) or, NULL, why nothing did ("timed out"). Once for each. */
void revocation_job_answer(RevocationJob *job, Moment now, size_t i, uint8_t *der, size_t size,
                           const char *error);
/* Gives up what is still to be asked (the time is up): the next evaluation does without. */
void revocation_job_give_up(RevocationJob *job, const char *why);
/* Whether the gateway is let in. */
bool revocation_passes(Revocation policy, RevocationVerdict verdict);
