/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See revocation.h. */
#include "ike/revocation.h"

#include <stdarg.h>
#include <stdio.h>

#define TROUBLE_MAX 320

typedef enum SourceState {
    SOURCE_UNTRIED,
    SOURCE_ASKED,
    SOURCE_TRIED,
} SourceState;

typedef struct Source {
    bool is_crl;
    SourceState state;
    Reader url;
} Source;

/* A certificate of the path, and how far we are with it. */
typedef struct Subject {
    size_t n;
    Source sources[REVOCATION_SOURCES_MAX];
    uint8_t nonce[OCSP_NONCE_BYTES];
    bool judged;               /* before: what was wrong with what is at hand is not told again */
    char trouble[TROUBLE_MAX]; /* what was of no use, "a; b" */
} Subject;

typedef struct Asked {
    size_t subject, source;
} Asked;

struct RevocationJob {
    RevocationCache *cache;
    Revocation policy;
    const Rng *rng;
    CertificatePath *path;
    Subject subjects[CHAIN_MAX];
    size_t n_stapled, n_needs;
    Blob stapled[REVOCATION_STAPLED_MAX];
    RevocationNeed needs[REVOCATION_NEEDS_MAX];
    Asked asked[REVOCATION_NEEDS_MAX];
};

static_assert(CHAIN_MAX <= REVOCATION_NEEDS_MAX, "one need for each certificate");

/* What all evidence about a certificate amounts to. */
typedef enum Weight {
    WEIGHT_NONE,
    WEIGHT_OLD, /* it counts if nothing newer is to be had */
    WEIGHT_GOOD,
    WEIGHT_REVOKED,
} Weight;

typedef struct Judgement {
    Weight weight;
    char *text; /* ERROR_MAX_BYTES; written with REVOKED */
} Judgement;

static void trouble(Subject *s, const char *format, ...) _printf_(2, 3);
static void trouble(Subject *s, const char *format, ...) {
    size_t len = strlen(s->trouble);
    va_list ap;

    if (len > 0 && len + 2 < sizeof s->trouble)
        len += (size_t)snprintf(s->trouble + len, sizeof s->trouble - len, "; ");
    va_start(ap, format);
    vsnprintf(s->trouble + len, sizeof s->trouble - len, format, ap);
    va_end(ap);
}

static void sources_add(Subject *s, const X509Urls *urls, bool is_crl) {
    for (size_t i = 0; i < urls->n; i++)
        s->sources[s->n++] = (Source){.is_crl = is_crl, .url = urls->items[i]};
}

int revocation_job_new(RevocationJob **ret, RevocationCache *cache, Revocation policy,
                       const CertificatePath *path, const Reader *ocsp, size_t n_ocsp, const Rng *rng) {
    _cleanup_(revocation_job_freep) RevocationJob *job = calloc(1, sizeof *job);

    if (!job || certificate_path_copy(&job->path, path) < 0)
        return -ENOMEM;
    job->cache = cache;
    job->policy = policy;
    job->rng = rng;
    for (size_t i = 0; i < n_ocsp && i < REVOCATION_STAPLED_MAX; i++) {
        if (ocsp[i].left == 0 || ocsp[i].left > OCSP_RESPONSE_MAX)
            continue;
        uint8_t *copy = malloc(ocsp[i].left);
        if (!copy)
            return -ENOMEM;
        memcpy(copy, ocsp[i].data, ocsp[i].left);
        job->stapled[job->n_stapled++] = (Blob){copy, ocsp[i].left};
    }
    for (size_t i = 0; i + 1 < job->path->n; i++) {
        const Certificate *x = &job->path->certificates[i];
        sources_add(&job->subjects[i], &x->ocsp_urls, false);
        sources_add(&job->subjects[i], &x->crl_urls, true);
    }
    *ret = TAKE_PTR(job);
    return 0;
}

void revocation_job_free(RevocationJob *job) {
    if (!job)
        return;
    for (size_t i = 0; i < job->n_stapled; i++)
        free(job->stapled[i].data);
    free(job->path);
    free(job);
}

/* Where something is from, and about what: the same URL may serve responses about many. */
static void key_make(const Certificate *x, Reader url, bool is_crl, uint8_t *ret) {
    uint8_t hash[HASH_SIZE_MAX], kind = is_crl;
    struct iovec parts[] = {
        {&kind, 1},
        {(void *)x->issuer, x->issuer_size},
        {(void *)x->serial.data, is_crl ? 0 : x->serial.left},
        {(void *)url.data, url.left},
    };
    if (crypto_hash(HASH_SHA2_256, parts, ARRAY_SIZE(parts), hash) < 0)
        memset(hash, 0, sizeof hash); /* no such key is looked for again, but by the same failure */
    memcpy(ret, hash, REVOCATION_KEY_BYTES);
}

static const char *describe(const Certificate *x, char *buf, size_t size) {
    snprintf(buf, size, "certificate of %s (serial %s)", x509_format_names(x, (char[160]){0}, 160),
             x509_format_serial(x->serial, (char[48]){0}, 48));
    return buf;
}
#define DESCRIBE(x) describe((x), (char[256]){0}, 256)

static void judge_revoked(Judgement *j, const Certificate *x, const Evidence *e, const char *who) {
    j->weight = WEIGHT_REVOKED;
    snprintf(j->text, ERROR_MAX_BYTES, "%s was revoked on %s (%s), says %.120s", DESCRIBE(x),
             evidence_format_time(e->revoked_at, (char[EVIDENCE_TIME_MAX]){0}), evidence_reason(e->reason),
             who);
}

/* Weighs one piece of evidence whose signature is right. */
static void weigh(Judgement *j, Subject *s, const Certificate *x, const Evidence *e, bool old, Moment now,
                  const char *who) {
    char why[ERROR_MAX_BYTES];
    bool stale = evidence_check_dates(e->this_update, e->next_update, now.real, why) < 0;

    if (e->standing == STANDING_REVOKED && !(stale && e->reason == REASON_CERTIFICATE_HOLD)) {
        judge_revoked(j, x, e, who);
        return;
    }
    if (stale)
        trouble(s, "%s: %s", who, why);
    else if (e->standing == STANDING_UNKNOWN)
        trouble(s, "%s does not know it", who);
    else if (e->standing == STANDING_GOOD)
        j->weight = !old || j->weight == WEIGHT_GOOD ? WEIGHT_GOOD : WEIGHT_OLD;
}

static bool is_old(const RevocationEntry *entry, Moment now) {
    return !entry->is_file && now.mono - entry->fetched >= REVOCATION_REFRESH;
}

/* A large CRL is hashed once for the key that signed it. */
static bool entry_verify(RevocationEntry *entry, const Certificate *issuer, char *why) {
    uint8_t signer[HASH_SIZE_MAX];

    if (crypto_hash(HASH_SHA2_256, &(struct iovec){(void *)issuer->spki, issuer->spki_size}, 1, signer) < 0)
        return false;
    if (entry->verified && memcmp(entry->signer, signer, sizeof entry->signer) == 0)
        return true;
    if (crl_verify(&entry->crl, issuer, why) != 0)
        return false;
    memcpy(entry->signer, signer, sizeof entry->signer);
    entry->verified = true;
    return true;
}

static void crls_weigh(RevocationJob *job, Judgement *j, Subject *s, const Certificate *x,
                       const Certificate *issuer, Moment now) {
    RevocationEntry *entry;
    char why[ERROR_MAX_BYTES] = "", who[160];

    for (size_t i = 0; (entry = revocation_cache_entry(job->cache, i)) && j->weight != WEIGHT_REVOKED; i++) {
        if (!entry->is_crl || !crl_covers(&entry->crl, x))
            continue;
        snprintf(who, sizeof who, "%s CRL of %s", entry->is_file ? "the file's" : "the",
                 x509_format_name(entry->crl.issuer, entry->crl.issuer_size, (char[120]){0}, 120));
        if (!entry_verify(entry, issuer, why)) {
            trouble(s, "%s: %s", who, why);
            continue;
        }
        Evidence evidence = crl_look_up(&entry->crl, x->serial);
        weigh(j, s, x, &evidence, is_old(entry, now), now, who);
    }
}

/* A responder's own certificate may be revoked, too, unless its issuer says that nobody need ask (RFC 6960
 * 4.2.2.2.1). Only CRLs that are at hand count: no more is fetched for it. */
static bool delegate_is_revoked(RevocationJob *job, const OcspAnswer *answer, const Certificate *issuer,
                                Moment now) {
    char text[ERROR_MAX_BYTES];
    Judgement j = {.text = text};
    Subject nowhere = {};

    if (answer->delegated && !answer->delegate.ocsp_nocheck)
        crls_weigh(job, &j, &nowhere, &answer->delegate, issuer, now);
    return j.weight == WEIGHT_REVOKED;
}

static void response_weigh(RevocationJob *job, Judgement *j, Subject *s, size_t index, const uint8_t *der,
                           size_t size, bool old, Moment now, const char *who) {
    const Certificate *x = &job->path->certificates[index], *issuer = x + 1;
    char why[ERROR_MAX_BYTES];
    OcspAnswer answer;

    int r = ocsp_response_read(der, size, x, issuer, NULL, now.real, &answer, why);
    if (r == -ENOENT) /* another certificate of the path may be meant */
        return;
    if (r != 0)
        trouble(s, "%s: %s", who, r == -ENOMEM || r == -EIO ? "it could not be verified" : why);
    else if (delegate_is_revoked(job, &answer, issuer, now))
        trouble(s, "%s: its responder's certificate is revoked", who);
    else
        weigh(j, s, x, &answer.evidence, old, now, who);
}

/* All that is at hand about certificate *index*. */
static Weight subject_judge(RevocationJob *job, size_t index, Moment now, char *text) {
    const Certificate *x = &job->path->certificates[index], *issuer = x + 1;
    Subject *s = &job->subjects[index], again = {};
    Judgement j = {.text = text};
    const RevocationEntry *entry;

    if (s->judged)
        s = &again;
    job->subjects[index].judged = true;
    for (size_t i = 0; i < job->n_stapled && j.weight != WEIGHT_REVOKED; i++)
        response_weigh(job, &j, s, index, job->stapled[i].data, job->stapled[i].size, false, now,
                       "the OCSP response in IKE");
    if (j.weight != WEIGHT_REVOKED)
        crls_weigh(job, &j, s, x, issuer, now);
    for (size_t i = 0; (entry = revocation_cache_entry(job->cache, i)) && j.weight != WEIGHT_REVOKED; i++)
        if (!entry->is_crl)
            response_weigh(job, &j, s, index, entry->der.data, entry->der.size, is_old(entry, now), now,
                           "the OCSP responder");
    return j.weight;
}

/* Why a URL of a certificate is not to be fetched from, or NULL. */
static const char *url_problem(Reader raw, char *ret) {
    const char *why = NULL;
    Url url;

    if (raw.left >= URL_MAX_BYTES || memchr(raw.data, 0, raw.left))
        return "a URL that is none";
    memcpy(ret, raw.data, raw.left);
    ret[raw.left] = 0;
    int r = url_parse(ret, &url, &why);
    return r == -EPROTONOSUPPORT || (r == 0 && url.tls) ? "a URL that is not http" : r < 0 ? why : NULL;
}

static bool request_make(RevocationJob *job, size_t index, RevocationNeed *need) {
    const Certificate *x = &job->path->certificates[index];
    uint8_t *nonce = job->subjects[index].nonce;

    job->rng->fill(job->rng->userdata, nonce, OCSP_NONCE_BYTES);
    int r = ocsp_request_encode(x, x + 1, nonce, need->request);
    need->request_size = r < 0 ? 0 : (size_t)r;
    return r >= 0;
}

/* The next source for certificate *index* that can be asked becomes a need. False: none is left. */
static bool subject_ask(RevocationJob *job, size_t index, Moment now) {
    Subject *s = &job->subjects[index];
    RevocationNeed *need = &job->needs[job->n_needs];
    uint8_t key[REVOCATION_KEY_BYTES];

    for (size_t i = 0; i < s->n; i++) {
        Source *source = &s->sources[i];
        const char *kind = source->is_crl ? "CRL" : "OCSP";
        if (source->state != SOURCE_UNTRIED)
            continue;
        source->state = SOURCE_TRIED;
        *need = (RevocationNeed){.is_crl = source->is_crl,
                                 .size_max = source->is_crl ? CRL_SIZE_MAX : OCSP_RESPONSE_MAX};
        const char *problem = url_problem(source->url, need->url);
        key_make(&job->path->certificates[index], source->url, source->is_crl, key);
        if (problem)
            trouble(s, "%s: %s", kind, problem);
        else if (job->policy == REVOCATION_IF_AVAILABLE && revocation_cache_failed(job->cache, key, now.mono))
            trouble(s, "%s %s failed less than a minute ago", kind, need->url);
        else if (!source->is_crl && !request_make(job, index, need))
            trouble(s, "OCSP: no request can be made");
        else {
            source->state = SOURCE_ASKED;
            job->asked[job->n_needs++] = (Asked){index, i};
            return true;
        }
    }
    return false;
}

RevocationVerdict revocation_job_evaluate(RevocationJob *job, Moment now, char *text) {
    size_t unknown = SIZE_MAX;

    text[0] = 0;
    job->n_needs = 0;
    if (job->policy == REVOCATION_OFF)
        return REVOCATION_GOOD;
    for (size_t i = 0; i + 1 < job->path->n; i++) {
        Weight weight = subject_judge(job, i, now, text);
        if (weight == WEIGHT_REVOKED) {
            job->n_needs = 0;
            return REVOCATION_REVOKED;
        }
        if (weight != WEIGHT_GOOD && !subject_ask(job, i, now) && weight == WEIGHT_NONE)
            unknown = MIN(unknown, i);
    }
    if (job->n_needs > 0)
        return REVOCATION_NEEDED;
    if (unknown == SIZE_MAX)
        return REVOCATION_GOOD;
    const char *why = job->subjects[unknown].trouble;
    snprintf(text, ERROR_MAX_BYTES, "revocation of the %s cannot be checked: %s",
             describe(&job->path->certificates[unknown], (char[144]){0}, 144),
             why[0] ? why : "it names neither an OCSP responder nor a CRL, and none is at hand");
    return REVOCATION_UNKNOWN;
}

const RevocationNeed *revocation_job_need(const RevocationJob *job, size_t i) {
    return i < job->n_needs ? &job->needs[i] : NULL;
}

/* Fills *entry* from what was fetched, if it is what was asked for and may be kept. */
static bool answer_check(RevocationJob *job, Asked asked, RevocationEntry *entry, usec_t now, Standing *ret,
                         char *why) {
    const Certificate *x = &job->path->certificates[asked.subject], *issuer = x + 1;
    OcspAnswer answer = {};

    if (!entry->is_crl) {
        if (ocsp_response_read(entry->der.data, entry->der.size, x, issuer,
                               job->subjects[asked.subject].nonce, now, &answer, why) != 0)
            return false;
        entry->this_update = answer.evidence.this_update;
        entry->next_update = answer.evidence.next_update;
    } else {
        if (crl_parse(entry->der.data, entry->der.size, &entry->crl, why) < 0)
            return false;
        if (!crl_covers(&entry->crl, x)) {
            snprintf(why, ERROR_MAX_BYTES, "it does not cover this certificate");
            return false;
        }
        if (!entry_verify(entry, issuer, why))
            return false;
        entry->this_update = entry->crl.this_update;
        entry->next_update = entry->crl.next_update;
    }
    *ret = answer.evidence.standing;
    /* One of the future would keep all others out. */
    return now == CERTIFICATE_UNDATED || entry->this_update <= now + EVIDENCE_TOLERANCE ||
           evidence_check_dates(entry->this_update, entry->next_update, now, why) == 0;
}

void revocation_job_answer(RevocationJob *job, Moment now, size_t i, uint8_t *der, size_t size,
                           const char *error) {
    Asked asked = job->asked[i];
    Subject *s = &job->subjects[asked.subject];
    Source *source = &s->sources[asked.source];
    const char *kind = source->is_crl ? "CRL" : "OCSP", *url = job->needs[i].url;
    RevocationEntry entry = {.is_crl = source->is_crl, .der = {der, size}, .fetched = now.mono};
    char why[ERROR_MAX_BYTES] = "it could not be verified";
    Standing standing;

    assert(i < job->n_needs && source->state == SOURCE_ASKED);
    source->state = SOURCE_TRIED;
    key_make(&job->path->certificates[asked.subject], source->url, source->is_crl, entry.key);
    if (!der || !answer_check(job, asked, &entry, now.real, &standing, why)) {
        free(der);
        trouble(s, "%s %.100s: %.120s", kind, url, der ? why : error);
        revocation_cache_fail(job->cache, entry.key, now.mono);
    } else if (!revocation_cache_put(job->cache, &entry))
        trouble(s, "%s %.100s: it is older than one that was seen before", kind, url);
    else if (evidence_check_dates(entry.this_update, entry.next_update, now.real, why) < 0)
        trouble(s, "%s %.100s: %.120s", kind, url, why);
    else if (standing == STANDING_UNKNOWN)
        trouble(s, "%s %.100s does not know it", kind, url);
}

void revocation_job_give_up(RevocationJob *job, const char *why) {
    for (size_t i = 0; i + 1 < job->path->n; i++) {
        Subject *s = &job->subjects[i];
        bool left = false;
        for (size_t k = 0; k < s->n; k++) {
            left |= s->sources[k].state != SOURCE_TRIED;
            s->sources[k].state = SOURCE_TRIED;
        }
        if (left)
            trouble(s, "%s", why);
    }
}

bool revocation_passes(Revocation policy, RevocationVerdict verdict) {
    switch (verdict) {
    case REVOCATION_GOOD:
        return true;
    case REVOCATION_UNKNOWN:
        return policy != REVOCATION_STRICT;
    case REVOCATION_REVOKED:
    case REVOCATION_NEEDED:
        break;
    }
    return false;
}
