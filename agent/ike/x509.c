/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See x509.h. */
#include "ike/x509.h"

#include <stdio.h>
#include <strings.h>

#include "base/macro.h"

static void names_read(Reader r, Certificate *x) {
    Element sequence = der_expect(&r, DER_SEQUENCE);
    while (sequence.body.left > 0 && !sequence.body.bad) {
        Element e = der_read(&sequence.body);
        CertificateName name = {.data = e.body.data, .size = e.body.left};
        if (e.tag == (DER_CONTEXT | 2))
            name.family = AF_UNSPEC;
        else if (e.tag == (DER_CONTEXT | 7) && (name.size == 4 || name.size == 16))
            name.family = name.size == 4 ? AF_INET : AF_INET6;
        else
            continue;
        if (x->n_names < X509_NAMES_MAX && !e.body.bad)
            x->names[x->n_names++] = name;
    }
}

static void basic_constraints_read(Reader r, Certificate *x) {
    Element sequence = der_expect(&r, DER_SEQUENCE);
    if (sequence.body.left > 0 && sequence.body.data[0] == DER_BOOLEAN) {
        Element ca = der_read(&sequence.body);
        x->ca = reader_u8(&ca.body) != 0;
    }
    if (sequence.body.left > 0) {
        Element path = der_expect(&sequence.body, DER_INTEGER);
        /* Longer than a byte is as good as unlimited, and a negative one as none. */
        x->path_length = path.body.left == 1 ? (int8_t)reader_u8(&path.body) : -1;
        if (path.body.bad || x->path_length < 0)
            x->path_length = path.body.bad ? 0 : x->path_length;
    }
}

static void key_usage_read(Reader r, Certificate *x) {
    Element bits = der_expect(&r, DER_BIT_STRING);
    reader_u8(&bits.body); /* unused bits */
    uint8_t first = reader_u8(&bits.body);
    x->has_key_usage = true;
    x->digital_signature = first & 0xc0; /* digitalSignature or nonRepudiation: RFC 4945 5.1.3.2 */
    x->certificate_sign = first & 0x04;
    x->crl_sign = first & 0x02;
}

static void extended_key_usage_read(Reader r, Certificate *x) {
    static const struct {
        uint8_t oid[8];
        size_t size;
    } fitting[] = {
        {{0x55, 0x1d, 0x25, 0x00}, 4},                         /* anyExtendedKeyUsage */
        {{0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x11}, 8}, /* id-kp-ipsecIKE */
        {{0x2b, 0x06, 0x01, 0x05, 0x05, 0x08, 0x02, 0x02}, 8}, /* iKEIntermediate */
        {{0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01}, 8}, /* serverAuth: TS 33.310 6.1 */
    };
    static const uint8_t ocsp_signing[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x09};
    Element sequence = der_expect(&r, DER_SEQUENCE);

    x->ike_use = false;
    while (sequence.body.left > 0 && !sequence.body.bad) {
        Element oid = der_expect(&sequence.body, DER_OID);
        for (size_t i = 0; i < ARRAY_SIZE(fitting) && !oid.body.bad; i++)
            x->ike_use |= der_oid_is(&oid.body, fitting[i].oid, fitting[i].size);
        x->ocsp_signing |= der_oid_is(&oid.body, ocsp_signing, sizeof ocsp_signing);
    }
}

static void subject_key_read(Reader r, Certificate *x) {
    x->key_id = der_expect(&r, DER_OCTET_STRING).body;
}

static void authority_key_read(Reader r, Certificate *x) {
    Element sequence = der_expect(&r, DER_SEQUENCE), id;
    if (der_optional(&sequence.body, DER_CONTEXT, &id))
        x->issuer_key_id = id.body;
}

static void url_keep(X509Urls *urls, Reader url) {
    if (urls->n < X509_URLS_MAX && !url.bad && url.left > 0)
        urls->items[urls->n++] = url;
}

/* Points that have all reasons from the certificate's own issuer: others are for indirect CRLs and parts of
 * one, which are not taken (crl.h). */
static void distribution_points_read(Reader r, Certificate *x) {
    Element sequence = der_expect(&r, DER_SEQUENCE);
    while (sequence.body.left > 0 && !sequence.body.bad) {
        Element point = der_expect(&sequence.body, DER_SEQUENCE), name, full;
        if (!der_optional(&point.body, DER_CONTEXT_CONSTRUCTED, &name) || point.body.left > 0 ||
            !der_optional(&name.body, DER_CONTEXT_CONSTRUCTED, &full))
            continue;
        while (full.body.left > 0 && !full.body.bad) {
            Element e = der_read(&full.body);
            if (e.tag == (DER_CONTEXT | 6))
                url_keep(&x->crl_urls, e.body);
        }
    }
}

static void information_access_read(Reader r, Certificate *x) {
    static const uint8_t id_ad_ocsp[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01};
    Element sequence = der_expect(&r, DER_SEQUENCE);
    while (sequence.body.left > 0 && !sequence.body.bad) {
        Element access = der_expect(&sequence.body, DER_SEQUENCE);
        Element method = der_expect(&access.body, DER_OID);
        Element location = der_read(&access.body);
        if (location.tag == (DER_CONTEXT | 6) && der_oid_is(&method.body, id_ad_ocsp, sizeof id_ad_ocsp))
            url_keep(&x->ocsp_urls, location.body);
    }
}

static void ocsp_nocheck_read(Reader r, Certificate *x) {
    x->ocsp_nocheck = true;
}

static const struct {
    uint8_t size, oid[9];
    void (*read)(Reader value, Certificate *x);
} extensions[] = {
    {3, {0x55, 0x1d, 14}, subject_key_read},
    {3, {0x55, 0x1d, 15}, key_usage_read},
    {3, {0x55, 0x1d, 17}, names_read},
    {3, {0x55, 0x1d, 19}, basic_constraints_read},
    {3, {0x55, 0x1d, 31}, distribution_points_read},
    {3, {0x55, 0x1d, 35}, authority_key_read},
    {3, {0x55, 0x1d, 37}, extended_key_usage_read},
    {8, {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x01}, information_access_read},
    {9, {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x05}, ocsp_nocheck_read},
};

static void extensions_read(Reader *r, Certificate *x) {
    Element list = der_expect(r, DER_SEQUENCE);

    while (list.body.left > 0 && !list.body.bad) {
        Extension extension = der_extension(&list.body);
        bool known = false;
        for (size_t i = 0; i < ARRAY_SIZE(extensions) && !list.body.bad; i++)
            if (der_oid_is(&extension.oid, extensions[i].oid, extensions[i].size)) {
                extensions[i].read(extension.value, x);
                known = true;
            }
        x->unknown_critical |= extension.critical && !known;
    }
    r->bad |= list.body.bad;
}

static Reader key_bits(const Element *spki) {
    Reader r = spki->body;
    der_expect(&r, DER_SEQUENCE);
    return der_bits(&r);
}

int x509_parse(const uint8_t *der, size_t size, Certificate *ret) {
    Certificate x = {.der = der, .der_size = size, .path_length = -1, .ike_use = true};
    Reader r = reader_new(der, size);
    Element version;

    if (size > X509_DER_MAX)
        return -EBADMSG;
    Element certificate = der_expect(&r, DER_SEQUENCE);
    x.whole = signed_read(&certificate.body);
    Reader t = x.whole.data.body;
    (void)der_optional(&t, DER_CONTEXT_CONSTRUCTED, &version);
    x.serial = der_expect(&t, DER_INTEGER).body;
    Element algorithm = der_expect(&t, DER_SEQUENCE);
    Element issuer = der_expect(&t, DER_SEQUENCE);
    Element validity = der_expect(&t, DER_SEQUENCE);
    x.not_before = der_time(&validity.body);
    x.not_after = der_time(&validity.body);
    Element subject = der_expect(&t, DER_SEQUENCE);
    Element spki = der_expect(&t, DER_SEQUENCE);
    x.key = key_bits(&spki);
    if (t.bad || x.key.bad || validity.body.bad || !reader_done(&certificate.body) || !reader_done(&r))
        return -EBADMSG;
    x.weak_signature = signature_is_weak(algorithm.body) || signature_is_weak(x.whole.algorithm);
    x.issuer = issuer.start, x.issuer_size = issuer.total;
    x.subject = subject.start, x.subject_size = subject.total;
    x.spki = spki.start, x.spki_size = spki.total;

    while (t.left > 0 && !t.bad) {
        Element e = der_read(&t);
        if (e.tag == (DER_CONTEXT_CONSTRUCTED | 3)) {
            extensions_read(&e.body, &x);
            t.bad |= e.body.bad;
        }
    }
    if (t.bad)
        return -EBADMSG;
    *ret = x;
    return 0;
}

bool x509_is_issuer_of(const Certificate *issuer, const Certificate *x) {
    return x509_same_bytes(issuer->subject, issuer->subject_size, x->issuer, x->issuer_size);
}

bool x509_same_bytes(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size) {
    return a_size == b_size && (a_size == 0 || memcmp(a, b, a_size) == 0);
}

bool x509_has_identity(const Certificate *x, const char *identity) {
    Address address = {};
    size_t length = strlen(identity);

    if (address_parse(identity, &address) < 0)
        address.family = AF_UNSPEC;
    for (size_t i = 0; i < x->n_names; i++) {
        const CertificateName *name = &x->names[i];
        if (name->family != address.family)
            continue;
        if (name->family == AF_UNSPEC
                ? name->size == length && strncasecmp((const char *)name->data, identity, length) == 0
                : memcmp(name->data, address.bytes, name->size) == 0)
            return true;
    }
    return false;
}

/* The commonName of the subject, for a log line only. */
static Reader common_name(const uint8_t *name, size_t size) {
    Reader r = reader_new(name, size);
    Element subject = der_expect(&r, DER_SEQUENCE);

    while (subject.body.left > 0 && !subject.body.bad) {
        Element set = der_expect(&subject.body, DER_SET);
        Element pair = der_expect(&set.body, DER_SEQUENCE);
        Element oid = der_expect(&pair.body, DER_OID);
        if (der_oid_is(&oid.body, (uint8_t[]){0x55, 0x04, 0x03}, 3))
            return der_read(&pair.body).body;
    }
    return (Reader){.bad = true};
}

/* What came from a stranger may not end the line it is written in. */
static void printable(char *s, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (s[i] < ' ' || s[i] > '~')
            s[i] = '?';
}

/* Appends as much as fits; *size* includes the terminating zero. */
static size_t append(char *buf, size_t size, size_t len, const void *data, size_t data_size) {
    size_t n = MIN(data_size, size - 1 - len);
    if (n > 0)
        memcpy(buf + len, data, n);
    printable(buf + len, n);
    buf[len + n] = 0;
    return len + n;
}

static size_t append_text(char *buf, size_t size, size_t len, const char *text) {
    return append(buf, size, len, text, strlen(text));
}

const char *x509_format_names(const Certificate *x, char *buf, size_t size) {
    size_t len = 0;

    for (size_t i = 0; i < x->n_names; i++) {
        const CertificateName *name = &x->names[i];
        Address a = address_from_bytes(name->family, name->data);
        if (i > 0)
            len = append_text(buf, size, len, ", ");
        len = name->family == AF_UNSPEC ? append(buf, size, len, name->data, name->size)
                                        : append_text(buf, size, len, ADDRESS_STR(&a));
    }
    if (x->n_names > 0)
        return buf;
    Reader cn = common_name(x->subject, x->subject_size);
    len = append_text(buf, size, len, "\"");
    len = append(buf, size, len, cn.data, cn.left);
    append_text(buf, size, len, "\" (no subjectAltName)");
    return buf;
}

int x509_dns_name(const Certificate *x, char *ret, size_t size) {
    for (size_t i = 0; i < x->n_names; i++) {
        const CertificateName *name = &x->names[i];
        if (name->family != AF_UNSPEC || name->size == 0 || memchr(name->data, 0, name->size))
            continue;
        if (name->size >= size)
            return -ENAMETOOLONG;
        memcpy(ret, name->data, name->size);
        ret[name->size] = 0;
        return 0;
    }
    return -ENOENT;
}

const char *x509_format_serial(Reader serial, char *buf, size_t size) {
    size_t len = 0;

    buf[0] = 0;
    for (; serial.left > 0 && len + 2 < size; len += 2)
        snprintf(buf + len, 3, "%02x", reader_u8(&serial));
    return buf;
}

const char *x509_format_name(const uint8_t *name, size_t name_size, char *buf, size_t size) {
    Reader cn = common_name(name, name_size);
    size_t len = append_text(buf, size, 0, "\"");
    len = append(buf, size, len, cn.data, cn.left);
    append_text(buf, size, len, "\"");
    return buf;
}
