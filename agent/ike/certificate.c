/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See certificate.h. */
#include "ike/certificate.h"

#include <stdio.h>

#include <wolfssl/options.h>
#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"
#define PEM_END   "-----END CERTIFICATE-----"

/* Reads the certificates of a PEM file into *ret*. 0, -EINVAL, -ENOMEM; *ret_n* certificates are to be freed
 * always. */
static int pem_read(const uint8_t *pem, size_t size, Blob *ret, size_t max, size_t *ret_n, char *error) {
    const char *p = (const char *)pem, *end = p + size;

    *ret_n = 0;
    while ((p = memmem(p, (size_t)(end - p), PEM_BEGIN, strlen(PEM_BEGIN)))) {
        const char *stop = memmem(p, (size_t)(end - p), PEM_END, strlen(PEM_END));
        if (!stop)
            return error_line(error, "certificate %zu has no end line", *ret_n + 1);
        stop += strlen(PEM_END);
        if (*ret_n == max)
            return error_line(error, "more than %zu certificates", max);
        size_t length = (size_t)(stop - p);
        uint8_t *der = malloc(length);
        if (!der)
            return -ENOMEM;
        int n = wc_CertPemToDer((const uint8_t *)p, (int)length, der, (int)length, CERT_TYPE);
        if (n <= 0) {
            free(der);
            return error_line(error, "certificate %zu is not valid PEM", *ret_n + 1);
        }
        ret[(*ret_n)++] = (Blob){der, (size_t)n};
        p = stop;
    }
    return *ret_n > 0 ? 0 : error_line(error, "holds no PEM certificate");
}

static void blobs_free(Blob *blobs, size_t n) {
    for (size_t i = 0; i < n; i++)
        free(blobs[i].data);
}

int trust_store_load(TrustStore **ret, const uint8_t *pem, size_t size, char *error) {
    _cleanup_(trust_store_freep) TrustStore *store = calloc(1, sizeof *store);
    Certificate x;

    if (!store)
        return -ENOMEM;
    int r = pem_read(pem, size, store->anchors, ANCHORS_MAX, &store->n, error);
    if (r < 0)
        return r;
    for (size_t i = 0; i < store->n; i++) {
        const Blob *anchor = &store->anchors[i];
        if (x509_parse(anchor->data, anchor->size, &x) < 0)
            return error_line(error, "certificate %zu cannot be read", i + 1);
        if (!x.ca)
            return error_line(error, "certificate %zu (%s) is not a CA (basicConstraints)", i + 1,
                        x509_format_names(&x, (char[128]){0}, 128));
        r = crypto_hash(HASH_SHA1, &(struct iovec){(void *)x.spki, x.spki_size}, 1, store->key_hashes[i]);
        if (r < 0)
            return r;
    }
    *ret = TAKE_PTR(store);
    return 0;
}

void trust_store_free(TrustStore *store) {
    if (!store)
        return;
    blobs_free(store->anchors, store->n);
    free(store);
}

int credential_load(Credential **ret, const uint8_t *certificate_pem, size_t certificate_size,
                    const uint8_t *key_pem, size_t key_size, char *error) {
    _cleanup_(credential_freep) Credential *c = calloc(1, sizeof *c);
    Certificate x;

    if (!c)
        return -ENOMEM;
    int r = pem_read(certificate_pem, certificate_size, c->chain, CHAIN_MAX, &c->n, error);
    if (r < 0)
        return r;
    if (x509_parse(c->chain[0].data, c->chain[0].size, &x) < 0)
        return error_line(error, "the first certificate cannot be read");
    if (x509_dns_name(&x, c->identity, sizeof c->identity) < 0)
        return error_line(error, "the first certificate has no dNSName, which is the box's IKE identity");
    r = private_key_load(&c->key, key_pem, key_size);
    if (r == -ENOMEM)
        return r;
    if (r == -ENOTSUP)
        (void)error_line(error,
                   "the key is of a kind that is not used (RSA 2048 to 4096, ECDSA P-256, P-384, P-521)");
    else if (r < 0)
        (void)error_line(error, "the key file holds no private key in PEM without a passphrase");
    else if (!private_key_matches(c->key, x.spki, x.spki_size))
        (void)error_line(error, "the key does not belong to the certificate of %s", c->identity);
    else {
        c->not_after = x.not_after;
        *ret = TAKE_PTR(c);
        return 0;
    }
    return -EKEYREJECTED;
}

void credential_free(Credential *c) {
    if (!c)
        return;
    blobs_free(c->chain, c->n);
    private_key_free(c->key);
    free(c);
}

/* wolfSSL asks for the time through a callback without context. */
static time_t verification_time;

static time_t verification_clock(time_t *t) {
    if (t)
        *t = verification_time;
    return verification_time;
}

/* Where the clock stands while *x* is looked at: wolfSSL holds a certificate's own dates against it, not
 * those of its issuers, which have had their turn. Without a time each one's is that of its own issue. */
static void clock_set_for(const Certificate *x, usec_t now) {
    verification_time = (time_t)((now == CERTIFICATE_UNDATED ? x->not_before : now) / USEC_PER_SEC);
}

static const char *wolf_reason(int r) {
    switch (r) {
    case ASN_NO_SIGNER_E:
    case ASN_SELF_SIGNED_E:
        return "issued by a CA that is not trusted";
    case ASN_BEFORE_DATE_E:
        return "not yet valid";
    case ASN_AFTER_DATE_E:
        return "expired";
    case ASN_SIG_CONFIRM_E:
        return "signature of the issuer is wrong";
    case ASN_NAME_INVALID_E:
        return "violates a name constraint of its issuer";
    case ASN_PATHLEN_INV_E:
    case ASN_PATHLEN_SIZE_E:
        return "violates the path length of its issuer";
    case ASN_CRIT_EXT_E:
        return "has a critical extension that is not known";
    }
    return NULL;
}

typedef struct Chain {
    size_t n;
    Certificate certificates[CHAIN_MAX];
    bool trusted[CHAIN_MAX]; /* loaded into the manager */
    int depth[CHAIN_MAX];    /* CA certificates that may still stand below it; -1: unlimited */
} Chain;

static int refuse(char *verdict, const Certificate *x, const char *what, const char *identity) {
    snprintf(verdict, ERROR_MAX_BYTES, "certificate of %s: %s (expected identity: %s)",
             x509_format_names(x, (char[256]){0}, 256), what, identity);
    return IKE_NOTIFY_AUTHENTICATION_FAILED;
}

/* What the next lower certificate may have below itself, given its issuer's remaining depth and its own
 * limit. */
static int depth_below(int issuer_depth, int own_limit) {
    int inherited = issuer_depth < 0 ? -1 : issuer_depth - 1;
    if (own_limit < 0)
        return inherited;
    return inherited < 0 ? own_limit : MIN(inherited, own_limit);
}

/* The largest remaining depth among the certificates already trusted that bear the issuer's name; -2: none
 * does. */
static int issuer_depth(const TrustStore *store, const Chain *chain, const Certificate *x) {
    int best = -2;

    for (size_t i = 0; i < store->n; i++) {
        Certificate anchor;
        if (x509_parse(store->anchors[i].data, store->anchors[i].size, &anchor) == 0 &&
            x509_is_issuer_of(&anchor, x))
            best = anchor.path_length < 0 ? -1 : MAX(best, anchor.path_length);
    }
    for (size_t i = 0; i < chain->n && best != -1; i++)
        if (chain->trusted[i] && x509_is_issuer_of(&chain->certificates[i], x))
            best = chain->depth[i] < 0 ? -1 : MAX(best, chain->depth[i]);
    return best;
}

/* Whether another certificate of the chain calls *x* its issuer. */
static bool is_an_issuer(const Chain *chain, const Certificate *x) {
    for (size_t i = 0; i < chain->n; i++) {
        const Certificate *below = &chain->certificates[i];
        if (below != x && x509_is_issuer_of(x, below))
            return true;
    }
    return false;
}

/* Loads the intermediates that are needed and hold, each only after it was verified against what is trusted
 * so far: wolfSSL itself would trust anything that is loaded. The order they came in does not matter.
 * Remembers why one was refused. */
static int load_intermediates(WOLFSSL_CERT_MANAGER *manager, const TrustStore *store, Chain *chain, char *why,
                              const char *identity, usec_t now) {
    for (bool progress = true; progress;) {
        progress = false;
        for (size_t i = 1; i < chain->n; i++) {
            Certificate *x = &chain->certificates[i];
            if (chain->trusted[i] || !is_an_issuer(chain, x)) /* wolfSSL keeps one certificate a key */
                continue;
            clock_set_for(x, now);
            int r =
                wolfSSL_CertManagerVerifyBuffer(manager, x->der, (long)x->der_size, WOLFSSL_FILETYPE_ASN1);
            if (r != WOLFSSL_SUCCESS) {
                if (r != ASN_NO_SIGNER_E && r != ASN_SELF_SIGNED_E && !why[0])
                    refuse(why, x, wolf_reason(r) ?: "cannot be verified", identity);
                continue;
            }
            int depth = issuer_depth(store, chain, x);
            const char *problem = !x->ca ? "intermediate is not a CA (basicConstraints CA:FALSE)"
                                  : x->has_key_usage && !x->certificate_sign
                                      ? "intermediate may not sign certificates (keyUsage)"
                                  : x->weak_signature ? "signed with a hash below SHA-256"
                                  : depth == -2       ? "names another issuer than the one that signed it"
                                  : depth == 0        ? "violates the path length of its issuer"
                                                      : NULL;
            if (problem) {
                refuse(why, x, problem, identity);
                continue;
            }
            if (wolfSSL_CertManagerLoadCABuffer(manager, x->der, (long)x->der_size, WOLFSSL_FILETYPE_ASN1) !=
                WOLFSSL_SUCCESS)
                return -ENOMEM;
            chain->trusted[i] = progress = true;
            chain->depth[i] = depth_below(depth, x->path_length);
        }
    }
    return 0;
}

static int chain_parse(const Reader *chain, size_t n, Chain *ret) {
    for (size_t i = 0; i < n && ret->n < CHAIN_MAX; i++) {
        int r = x509_parse(chain[i].data, chain[i].left, &ret->certificates[ret->n]);
        if (r == 0)
            ret->n++;
        else if (i == 0)
            return r;
    }
    return ret->n > 0 ? 0 : -EBADMSG;
}

static int manager_verify(WOLFSSL_CERT_MANAGER *manager, const TrustStore *store, Chain *chain,
                          const char *identity, usec_t now, char *verdict) {
    const Certificate *leaf = &chain->certificates[0];
    char why[ERROR_MAX_BYTES] = "";

    for (size_t i = 0; i < store->n; i++) {
        const Blob *anchor = &store->anchors[i];
        Certificate root;
        if (x509_parse(anchor->data, anchor->size, &root) == 0)
            clock_set_for(&root, now);
        if (wolfSSL_CertManagerLoadCABuffer(manager, anchor->data, (long)anchor->size,
                                            WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS)
            return refuse(verdict, leaf, "a trusted CA certificate cannot be used (expired?)", identity);
    }
    int r = load_intermediates(manager, store, chain, why, identity, now);
    if (r < 0)
        return r;

    clock_set_for(leaf, now);
    r = wolfSSL_CertManagerVerifyBuffer(manager, leaf->der, (long)leaf->der_size, WOLFSSL_FILETYPE_ASN1);
    if (r == ASN_NO_SIGNER_E && why[0]) { /* the reason lies higher up */
        memcpy(verdict, why, ERROR_MAX_BYTES);
        return IKE_NOTIFY_AUTHENTICATION_FAILED;
    }
    if (r != WOLFSSL_SUCCESS) {
        char text[128];
        snprintf(text, sizeof text, "cannot be verified (wolfSSL error %d)", r);
        return refuse(verdict, leaf, wolf_reason(r) ?: text, identity);
    }
    if (leaf->weak_signature)
        return refuse(verdict, leaf, "signed with a hash below SHA-256", identity);
    if (leaf->has_key_usage && !leaf->digital_signature)
        return refuse(verdict, leaf, "keyUsage lacks digitalSignature", identity);
    if (!leaf->ike_use)
        return refuse(verdict, leaf, "extendedKeyUsage does not fit a security gateway", identity);
    if (!x509_has_identity(leaf, identity))
        return refuse(verdict, leaf, "subjectAltName does not carry the expected identity", identity);
    return 0;
}

/* How well *issuer* fits as that of *x*: 0, not at all; 1, by name; 2, and by the key's identifier. */
static int issuer_rank(const Certificate *issuer, const Certificate *x) {
    if (issuer->der == x->der || !x509_is_issuer_of(issuer, x))
        return 0;
    return issuer->key_id.left > 0 && x509_same_bytes(issuer->key_id.data, issuer->key_id.left,
                                                      x->issuer_key_id.data, x->issuer_key_id.left)
               ? 2
               : 1;
}

/* Names and identifiers nearly always tell; where several keys are left, the signature does. */
typedef struct Candidates {
    size_t n;
    int rank;
    bool several_keys;
    Certificate best; /* the first one of *rank* */
} Candidates;

static void candidate_add(Candidates *c, const Certificate *issuer, const Certificate *x) {
    int rank = issuer_rank(issuer, x);
    char error[ERROR_MAX_BYTES];

    if (rank == 0 || rank < c->rank)
        return;
    bool same_key =
        c->n > 0 && x509_same_bytes(c->best.spki, c->best.spki_size, issuer->spki, issuer->spki_size);
    if (rank == c->rank && c->n > 0 &&
        (same_key || signed_verify(&x->whole, c->best.spki, c->best.spki_size, error) == 0))
        return;
    c->rank = rank;
    c->best = *issuer;
    c->n++;
}

/* The issuer of *x* among the roots, else among the intermediates that were verified. */
static bool issuer_find(const TrustStore *store, const Chain *chain, const Certificate *x, Certificate *ret,
                        bool *ret_root) {
    Candidates roots = {}, others = {};

    for (size_t i = 0; i < store->n; i++) {
        Certificate root;
        if (x509_parse(store->anchors[i].data, store->anchors[i].size, &root) == 0)
            candidate_add(&roots, &root, x);
    }
    for (size_t i = 1; i < chain->n; i++)
        if (chain->trusted[i])
            candidate_add(&others, &chain->certificates[i], x);
    *ret_root = roots.n > 0 && roots.rank >= others.rank;
    if (roots.n == 0 && others.n == 0)
        return false;
    *ret = *ret_root ? roots.best : others.best;
    return true;
}

/* After wolfSSL verified: which issuers led to the root. It keeps that to itself. */
static int path_build(const TrustStore *store, const Chain *chain, CertificatePath *ret) {
    bool root = false;

    ret->certificates[0] = chain->certificates[0];
    for (ret->n = 1; ret->n < ARRAY_SIZE(ret->certificates) && !root; ret->n++)
        if (!issuer_find(store, chain, &ret->certificates[ret->n - 1], &ret->certificates[ret->n], &root))
            return -EIO;
    return root ? 0 : -EIO;
}

int certificate_verify_path(const TrustStore *store, const Reader *chain, size_t n, const char *identity,
                            usec_t now, CertificatePath *ret, char *verdict) {
    _cleanup_free_ Chain *parsed = calloc(1, sizeof *parsed);

    if (!parsed)
        return -ENOMEM;
    if (chain_parse(chain, n, parsed) < 0) {
        snprintf(verdict, ERROR_MAX_BYTES, "the gateway sent no readable certificate (expected identity: %s)",
                 identity);
        return IKE_NOTIFY_AUTHENTICATION_FAILED;
    }
    WOLFSSL_CERT_MANAGER *manager = wolfSSL_CertManagerNew();
    if (!manager)
        return -ENOMEM;
    wc_SetTimeCb(verification_clock);
    int r = manager_verify(manager, store, parsed, identity, now, verdict);
    wc_SetTimeCb(NULL);
    wolfSSL_CertManagerFree(manager);
    if (r == 0 && path_build(store, parsed, ret) < 0)
        r = refuse(verdict, &parsed->certificates[0], "the issuers do not lead to a root by their names",
                   identity);
    return r;
}

int certificate_verify(const TrustStore *store, const Reader *chain, size_t n, const char *identity,
                       usec_t now, Certificate *ret, char *verdict) {
    _cleanup_free_ CertificatePath *path = malloc(sizeof *path);

    if (!path)
        return -ENOMEM;
    int r = certificate_verify_path(store, chain, n, identity, now, path, verdict);
    if (r == 0)
        *ret = path->certificates[0];
    return r;
}

int certificate_path_copy(CertificatePath **ret, const CertificatePath *path) {
    size_t size = sizeof *path;

    for (size_t i = 0; i < path->n; i++)
        size += path->certificates[i].der_size;
    CertificatePath *copy = malloc(size);
    if (!copy)
        return -ENOMEM;
    uint8_t *p = (uint8_t *)(copy + 1);
    for (copy->n = 0; copy->n < path->n; copy->n++) {
        const Certificate *from = &path->certificates[copy->n];
        memcpy(p, from->der, from->der_size);
        int r = x509_parse(p, from->der_size, &copy->certificates[copy->n]);
        assert(r == 0); /* it was read before */
        p += from->der_size;
    }
    *ret = copy;
    return 0;
}

int peer_chain_keep(PeerChain *ret, const Reader *chain, size_t n) {
    PeerChain kept = {};

    assert(n <= CHAIN_MAX);
    for (; kept.n < n; kept.n++) {
        const Reader *from = &chain[kept.n];
        uint8_t *copy = malloc(from->left ?: 1);
        if (!copy) {
            peer_chain_free(&kept);
            return -ENOMEM;
        }
        if (from->left > 0)
            memcpy(copy, from->data, from->left);
        kept.certificates[kept.n] = (Blob){copy, from->left};
    }
    *ret = kept;
    return 0;
}

int peer_chain_path(const PeerChain *chain, const TrustStore *store, const char *identity, usec_t now,
                    CertificatePath *ret, char *verdict) {
    Reader readers[CHAIN_MAX];

    for (size_t i = 0; i < chain->n; i++)
        readers[i] = reader_new(chain->certificates[i].data, chain->certificates[i].size);
    return certificate_verify_path(store, readers, chain->n, identity, now, ret, verdict);
}

int peer_chain_verify(const PeerChain *chain, const TrustStore *store, const char *identity, usec_t now,
                      char *verdict) {
    _cleanup_free_ CertificatePath *path = malloc(sizeof *path);

    return path ? peer_chain_path(chain, store, identity, now, path, verdict) : -ENOMEM;
}

void peer_chain_free(PeerChain *chain) {
    blobs_free(chain->certificates, chain->n);
    *chain = (PeerChain){};
}
