/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See ocsp.h. */
#include "ike/ocsp.h"

#include <stdio.h>

static const uint8_t id_basic[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01};
static const uint8_t id_nonce[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02};
/* AlgorithmIdentifier of SHA-1 with its NULL. */
static const uint8_t sha1[] = {0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00};

static int refuse(char *error, int r, const char *text) {
    snprintf(error, ERROR_MAX_BYTES, "%s", text);
    return r;
}

/* issuerNameHash and issuerKeyHash (4.1.1). */
static int issuer_hashes(const Certificate *x, const Certificate *issuer, HashAlgorithm hash,
                         uint8_t *ret_name, uint8_t *ret_key) {
    struct iovec name = {(void *)x->issuer, x->issuer_size},
                 key = {(void *)issuer->key.data, issuer->key.left};
    return crypto_hash(hash, &name, 1, ret_name) < 0 || crypto_hash(hash, &key, 1, ret_key) < 0 ? -EIO : 0;
}

static size_t framed(size_t size) {
    return der_head_size(size) + size;
}

static void element_write(Writer *w, uint8_t tag, const void *data, size_t size) {
    der_write_head(w, tag, size);
    writer_bytes(w, data, size);
}

/* Extensions { Extension { id-pkix-ocsp-nonce, OCTET STRING { OCTET STRING } } } */
static void nonce_write(Writer *w, const uint8_t *nonce) {
    size_t value = framed(OCSP_NONCE_BYTES), extension = framed(sizeof id_nonce) + framed(value);

    der_write_head(w, DER_CONTEXT_CONSTRUCTED | 2, framed(framed(extension)));
    der_write_head(w, DER_SEQUENCE, framed(extension));
    der_write_head(w, DER_SEQUENCE, extension);
    element_write(w, DER_OID, id_nonce, sizeof id_nonce);
    der_write_head(w, DER_OCTET_STRING, value);
    element_write(w, DER_OCTET_STRING, nonce, OCSP_NONCE_BYTES);
}

int ocsp_request_encode(const Certificate *x, const Certificate *issuer, const uint8_t *nonce, uint8_t *ret) {
    uint8_t name[HASH_SIZE_MAX], key[HASH_SIZE_MAX], extensions[128];
    size_t hash = hash_size(HASH_SHA1);
    Writer e = writer_new(extensions, sizeof extensions), w = writer_new(ret, OCSP_REQUEST_MAX);

    if (x->serial.left > 64)
        return -EINVAL;
    if (issuer_hashes(x, issuer, HASH_SHA1, name, key) < 0)
        return -EIO;
    if (nonce)
        nonce_write(&e, nonce);
    size_t id = sizeof sha1 + 2 * framed(hash) + framed(x->serial.left);
    size_t list = framed(framed(id)); /* a Request is a SEQUENCE of the CertID */
    size_t tbs = framed(list) + e.len;
    der_write_head(&w, DER_SEQUENCE, framed(tbs));
    der_write_head(&w, DER_SEQUENCE, tbs);
    der_write_head(&w, DER_SEQUENCE, list);
    der_write_head(&w, DER_SEQUENCE, framed(id));
    der_write_head(&w, DER_SEQUENCE, id);
    writer_bytes(&w, sha1, sizeof sha1);
    element_write(&w, DER_OCTET_STRING, name, hash);
    element_write(&w, DER_OCTET_STRING, key, hash);
    element_write(&w, DER_INTEGER, x->serial.data, x->serial.left);
    writer_bytes(&w, extensions, e.len);
    return w.bad || e.bad ? -EINVAL : (int)w.len;
}

typedef struct Response {
    Signed whole;
    uint8_t responder_tag; /* [1]: a Name; [2]: the SHA-1 of its key */
    Reader responder;
    Reader answers;
    Reader extensions;
    Reader certificates;
} Response;

static const char *failure(uint8_t status) {
    static const char *const texts[] = {
        [1] = "the responder says: malformedRequest", [2] = "the responder says: internalError",
        [3] = "the responder says: tryLater",         [5] = "the responder says: sigRequired",
        [6] = "the responder says: unauthorized",
    };
    return status < ARRAY_SIZE(texts) && texts[status] ? texts[status] : "the responder says that it failed";
}

static int response_parse(const uint8_t *der, size_t size, Response *ret, char *error) {
    Reader r = reader_new(der, size);
    Element whole = der_expect(&r, DER_SEQUENCE), e;
    Element status = der_expect(&whole.body, DER_ENUMERATED);
    Response response = {};

    if (status.body.bad || status.body.left != 1 || !reader_done(&r) || size > OCSP_RESPONSE_MAX)
        return refuse(error, -EBADMSG, "it is no OCSP response");
    if (status.body.data[0] != 0)
        return refuse(error, -EAGAIN, failure(status.body.data[0]));
    Element tagged = der_expect(&whole.body, DER_CONTEXT_CONSTRUCTED);
    Element bytes = der_expect(&tagged.body, DER_SEQUENCE);
    Element type = der_expect(&bytes.body, DER_OID);
    Element octets = der_expect(&bytes.body, DER_OCTET_STRING);
    Element basic = der_expect(&octets.body, DER_SEQUENCE);
    if (basic.body.bad || !der_oid_is(&type.body, id_basic, sizeof id_basic))
        return refuse(error, -EBADMSG, "it is no basic OCSP response");
    response.whole = signed_read(&basic.body);
    if (der_optional(&basic.body, DER_CONTEXT_CONSTRUCTED, &e))
        response.certificates = der_expect(&e.body, DER_SEQUENCE).body;

    Reader t = response.whole.data.body;
    (void)der_optional(&t, DER_CONTEXT_CONSTRUCTED, &e); /* version */
    Element responder = der_read(&t);
    response.responder_tag = responder.tag;
    response.responder =
        der_expect(&responder.body,
                   responder.tag == (DER_CONTEXT_CONSTRUCTED | 1) ? DER_SEQUENCE : DER_OCTET_STRING)
            .body;
    (void)der_time(&t); /* producedAt */
    response.answers = der_expect(&t, DER_SEQUENCE).body;
    if (der_optional(&t, DER_CONTEXT_CONSTRUCTED | 1, &e))
        response.extensions = der_expect(&e.body, DER_SEQUENCE).body;
    if (!reader_done(&t) || !reader_done(&basic.body) || response.responder.bad || response.extensions.bad ||
        response.certificates.bad)
        return refuse(error, -EBADMSG, "it cannot be read");
    *ret = response;
    return 0;
}

/* Whether a CertID is that of *x*; marks *r* bad. */
static bool id_matches(Reader *r, const Certificate *x, const Certificate *issuer) {
    uint8_t our_name[HASH_SIZE_MAX], our_key[HASH_SIZE_MAX];
    HashAlgorithm hash;
    Element id = der_expect(r, DER_SEQUENCE);
    Element algorithm = der_expect(&id.body, DER_SEQUENCE);
    Reader name = der_expect(&id.body, DER_OCTET_STRING).body;
    Reader key = der_expect(&id.body, DER_OCTET_STRING).body;
    Reader serial = der_expect(&id.body, DER_INTEGER).body;

    r->bad |= id.body.bad;
    return !id.body.bad && x509_same_bytes(serial.data, serial.left, x->serial.data, x->serial.left) &&
           hash_algorithm_read(algorithm.body, &hash) == 0 &&
           issuer_hashes(x, issuer, hash, our_name, our_key) == 0 &&
           x509_same_bytes(name.data, name.left, our_name, hash_size(hash)) &&
           x509_same_bytes(key.data, key.left, our_key, hash_size(hash));
}

/* None of those RFC 6960 4.4 knows has to be critical, but the nonce may be. */
static bool extensions_are_known(Reader list) {
    while (list.left > 0) {
        Extension extension = der_extension(&list);
        if (list.bad || (extension.critical && !der_oid_is(&extension.oid, id_nonce, sizeof id_nonce)))
            return false;
    }
    return true;
}

static Evidence status_read(Reader *r) {
    Element e = der_read(r), reason;
    Evidence evidence = {.standing = STANDING_UNKNOWN, .next_update = USEC_NEVER, .reason = -1};

    switch (e.tag) {
    case DER_CONTEXT:
        evidence.standing = STANDING_GOOD;
        break;
    case DER_CONTEXT_CONSTRUCTED | 1:
        evidence.standing = STANDING_REVOKED;
        evidence.revoked_at = der_time(&e.body);
        if (der_optional(&e.body, DER_CONTEXT_CONSTRUCTED, &reason)) {
            Element code = der_expect(&reason.body, DER_ENUMERATED);
            evidence.reason = code.body.left == 1 ? code.body.data[0] : -1;
        }
        r->bad |= e.body.bad;
        break;
    case DER_CONTEXT | 2:
        break;
    default:
        r->bad = true;
    }
    return evidence;
}

/* The answer about *x* among the SingleResponses. */
static int answer_find(Reader answers, const Certificate *x, const Certificate *issuer, Evidence *ret,
                       char *error) {
    for (size_t n = 0; answers.left > 0 && n < OCSP_ANSWERS_MAX; n++) {
        Element single = der_expect(&answers, DER_SEQUENCE), e;
        bool ours = id_matches(&single.body, x, issuer);
        Evidence evidence = status_read(&single.body);
        Reader extensions = {};

        evidence.this_update = der_time(&single.body);
        if (der_optional(&single.body, DER_CONTEXT_CONSTRUCTED, &e)) {
            evidence.next_update = der_time(&e.body);
            single.body.bad |= e.body.bad;
        }
        if (der_optional(&single.body, DER_CONTEXT_CONSTRUCTED | 1, &e))
            extensions = der_expect(&e.body, DER_SEQUENCE).body;
        if (!reader_done(&single.body) || extensions.bad)
            return refuse(error, -EBADMSG, "it cannot be read");
        if (!ours)
            continue;
        if (!extensions_are_known(extensions))
            return refuse(error, IKE_NOTIFY_AUTHENTICATION_FAILED,
                          "it has a critical extension that is not known");
        *ret = evidence;
        return 0;
    }
    return answers.bad ? refuse(error, -EBADMSG, "it cannot be read")
                       : refuse(error, -ENOENT, "it is not about this certificate");
}

/* 0: as it should be, *ret* whether it is there. */
static int nonce_check(Reader list, const uint8_t *nonce, bool *ret, char *error) {
    while (list.left > 0) {
        Extension extension = der_extension(&list);
        if (!nonce || !der_oid_is(&extension.oid, id_nonce, sizeof id_nonce))
            continue;
        Reader value = der_expect(&extension.value, DER_OCTET_STRING).body;
        if (value.left != OCSP_NONCE_BYTES || !crypto_equal(value.data, nonce, OCSP_NONCE_BYTES))
            return refuse(error, IKE_NOTIFY_AUTHENTICATION_FAILED, "its nonce is not that of the request");
        *ret = true;
    }
    return 0;
}

/* ResponderID (4.2.1). */
static bool is_responder(const Response *response, const Certificate *x) {
    uint8_t hash[HASH_SIZE_MAX];
    Reader subject = reader_new(x->subject, x->subject_size);

    if (response->responder_tag == (DER_CONTEXT_CONSTRUCTED | 1)) {
        subject = der_expect(&subject, DER_SEQUENCE).body;
        return x509_same_bytes(response->responder.data, response->responder.left, subject.data,
                               subject.left);
    }
    return response->responder_tag == (DER_CONTEXT_CONSTRUCTED | 2) &&
           crypto_hash(HASH_SHA1, &(struct iovec){(void *)x->key.data, x->key.left}, 1, hash) == 0 &&
           x509_same_bytes(response->responder.data, response->responder.left, hash, hash_size(HASH_SHA1));
}

/* 4.2.2.2: made one by the very CA that issued *x*. */
static int delegate_check(const Certificate *delegate, const Certificate *issuer, usec_t now, char *error) {
    const char *problem =
        !x509_is_issuer_of(issuer, delegate)
            ? "its responder's certificate is not from the issuer of the certificate asked about"
        : !delegate->ocsp_signing ? "its responder's certificate is not for OCSP (extendedKeyUsage)"
        : delegate->has_key_usage && !delegate->digital_signature
            ? "its responder's certificate is not for signatures (keyUsage)"
        : delegate->unknown_critical
            ? "its responder's certificate has a critical extension that is not known"
        : now != USEC_NEVER && now + EVIDENCE_TOLERANCE < delegate->not_before
            ? "its responder's certificate is not yet valid"
        : now != USEC_NEVER && now > delegate->not_after ? "its responder's certificate has expired"
                                                         : NULL;
    char why[ERROR_MAX_BYTES];

    if (problem)
        return refuse(error, IKE_NOTIFY_AUTHENTICATION_FAILED, problem);
    int r = signed_verify(&delegate->whole, issuer->spki, issuer->spki_size, why);
    if (r > 0)
        snprintf(error, ERROR_MAX_BYTES, "its responder's certificate is not from the issuer: %.400s", why);
    return r;
}

static int signature_check(const Response *response, const Certificate *issuer, usec_t now,
                           OcspAnswer *answer, char *error) {
    Reader certificates = response->certificates;
    int r = refuse(error, IKE_NOTIFY_AUTHENTICATION_FAILED,
                   "its responder is neither the issuer nor one whose certificate came with it");

    if (is_responder(response, issuer))
        return signed_verify(&response->whole, issuer->spki, issuer->spki_size, error);
    for (size_t i = 0; certificates.left > 0 && i < OCSP_CERTIFICATES_MAX; i++) {
        Element e = der_expect(&certificates, DER_SEQUENCE);
        if (e.body.bad || x509_parse(e.start, e.total, &answer->delegate) < 0 ||
            !is_responder(response, &answer->delegate))
            continue;
        r = delegate_check(&answer->delegate, issuer, now, error);
        if (r == 0)
            r = signed_verify(&response->whole, answer->delegate.spki, answer->delegate.spki_size, error);
        if (r <= 0) {
            answer->delegated = true;
            return r;
        }
    }
    return r;
}

int ocsp_response_read(const uint8_t *der, size_t size, const Certificate *x, const Certificate *issuer,
                       const uint8_t *nonce, usec_t now, OcspAnswer *ret, char *error) {
    OcspAnswer answer = {};
    Response response;

    int r = response_parse(der, size, &response, error);
    if (r == 0)
        r = answer_find(response.answers, x, issuer, &answer.evidence, error);
    if (r == 0 && !extensions_are_known(response.extensions))
        r = refuse(error, IKE_NOTIFY_AUTHENTICATION_FAILED, "it has a critical extension that is not known");
    if (r == 0)
        r = nonce_check(response.extensions, nonce, &answer.nonce, error);
    if (r == 0)
        r = signature_check(&response, issuer, now, &answer, error);
    if (r == 0)
        *ret = answer;
    return r;
}
