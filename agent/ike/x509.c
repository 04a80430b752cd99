/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See x509.h. Definite-length DER only; each element narrows a sub-reader. */
#include "ike/x509.h"

#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "base/macro.h"

enum {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_OID = 0x06,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_CONTEXT = 0x80,
    DER_CONTEXT_CONSTRUCTED = 0xa0,
};

typedef struct Element {
    uint8_t tag;
    const uint8_t *start; /* of tag and length */
    size_t total;
    Reader body;
} Element;

static Element element_read(Reader *r) {
    Element e = {.start = r->data};
    size_t before = r->left;

    e.tag = reader_u8(r);
    size_t length = reader_u8(r);
    if (length & 0x80) {
        size_t bytes = length & 0x7f;
        if (bytes == 0 || bytes > 3)
            r->bad = true;
        length = 0;
        for (size_t i = 0; i < bytes && !r->bad; i++)
            length = length << 8 | reader_u8(r);
    }
    e.body = reader_sub(r, length);
    e.total = before - r->left;
    return e;
}

/* The next element, which must be of *tag*; marks *r* bad otherwise. */
static Element element_expect(Reader *r, uint8_t tag) {
    Element e = element_read(r);
    if (e.tag != tag) {
        r->bad = true;
        e.body = (Reader){.bad = true};
    }
    return e;
}

static bool oid_is(const Reader *oid, const void *bytes, size_t size) {
    return oid->left == size && memcmp(oid->data, bytes, size) == 0;
}

static int two_digits(Reader *r) {
    uint8_t a = reader_u8(r), b = reader_u8(r);
    if (a < '0' || a > '9' || b < '0' || b > '9') {
        r->bad = true;
        return 0;
    }
    return (a - '0') * 10 + (b - '0');
}

/* RFC 5280 4.1.2.5: YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ. */
static usec_t time_read(Reader *r) {
    Element e = element_read(r);
    struct tm tm = {};

    if (e.tag == DER_UTC_TIME) {
        int year = two_digits(&e.body);
        tm.tm_year = year < 50 ? year + 100 : year;
    } else if (e.tag == DER_GENERALIZED_TIME) {
        tm.tm_year = two_digits(&e.body) * 100 - 1900;
        tm.tm_year += two_digits(&e.body);
    } else
        r->bad = true;
    tm.tm_mon = two_digits(&e.body) - 1;
    tm.tm_mday = two_digits(&e.body);
    tm.tm_hour = two_digits(&e.body);
    tm.tm_min = two_digits(&e.body);
    tm.tm_sec = two_digits(&e.body);
    if (reader_u8(&e.body) != 'Z' || !reader_done(&e.body))
        r->bad = true;
    time_t t = timegm(&tm);
    return t < 0 ? 0 : (usec_t)t * USEC_PER_SEC;
}

static void names_read(Reader r, Certificate *x) {
    Element sequence = element_expect(&r, DER_SEQUENCE);
    while (sequence.body.left > 0 && !sequence.body.bad) {
        Element e = element_read(&sequence.body);
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
    Element sequence = element_expect(&r, DER_SEQUENCE);
    if (sequence.body.left > 0 && sequence.body.data[0] == DER_BOOLEAN) {
        Element ca = element_read(&sequence.body);
        x->ca = reader_u8(&ca.body) != 0;
    }
    if (sequence.body.left > 0) {
        Element path = element_expect(&sequence.body, DER_INTEGER);
        /* Longer than a byte is as good as unlimited, and a negative one as none. */
        x->path_length = path.body.left == 1 ? (int8_t)reader_u8(&path.body) : -1;
        if (path.body.bad || x->path_length < 0)
            x->path_length = path.body.bad ? 0 : x->path_length;
    }
}

static void key_usage_read(Reader r, Certificate *x) {
    Element bits = element_expect(&r, DER_BIT_STRING);
    reader_u8(&bits.body); /* unused bits */
    uint8_t first = reader_u8(&bits.body);
    x->has_key_usage = true;
    x->digital_signature = first & 0xc0; /* digitalSignature or nonRepudiation: RFC 4945 5.1.3.2 */
    x->certificate_sign = first & 0x04;
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
    Element sequence = element_expect(&r, DER_SEQUENCE);

    x->ike_use = false;
    while (sequence.body.left > 0 && !sequence.body.bad) {
        Element oid = element_expect(&sequence.body, DER_OID);
        for (size_t i = 0; i < ARRAY_SIZE(fitting) && !oid.body.bad; i++)
            x->ike_use |= oid_is(&oid.body, fitting[i].oid, fitting[i].size);
    }
}

/* id-ce is 2.5.29; the last byte tells which. */
static const struct {
    uint8_t id;
    void (*read)(Reader value, Certificate *x);
} extensions[] = {
    {15, key_usage_read},
    {17, names_read},
    {19, basic_constraints_read},
    {37, extended_key_usage_read},
};

static void extensions_read(Reader *r, Certificate *x) {
    Element list = element_expect(r, DER_SEQUENCE);

    while (list.body.left > 0 && !list.body.bad) {
        Element extension = element_expect(&list.body, DER_SEQUENCE);
        Element oid = element_expect(&extension.body, DER_OID);
        if (extension.body.left > 0 && extension.body.data[0] == DER_BOOLEAN)
            element_read(&extension.body);
        Element value = element_expect(&extension.body, DER_OCTET_STRING);
        if (oid.body.bad || value.body.bad) {
            list.body.bad = true;
            break;
        }
        for (size_t i = 0; i < ARRAY_SIZE(extensions); i++)
            if (oid_is(&oid.body, (uint8_t[]){0x55, 0x1d, extensions[i].id}, 3))
                extensions[i].read(value.body, x);
    }
    r->bad |= list.body.bad;
}

/* RFC 4055 3.1: without parameters, or without the first of them, PSS means SHA-1. */
static bool pss_is_strong(Reader *parameters) {
    static const uint8_t sha2[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02};
    Element sequence = element_expect(parameters, DER_SEQUENCE);
    Element tagged = element_expect(&sequence.body, DER_CONTEXT_CONSTRUCTED);
    Element hash = element_expect(&tagged.body, DER_SEQUENCE);
    Element oid = element_expect(&hash.body, DER_OID);

    return oid.body.left == sizeof sha2 + 1 && memcmp(oid.body.data, sha2, sizeof sha2) == 0 &&
           oid.body.data[sizeof sha2] >= 1 && oid.body.data[sizeof sha2] <= 3;
}

/* TS 33.310 6.1 forbids what is below SHA-256: what is not on this list is weak. *algorithm* stands behind
 * the OID. */
static bool signature_is_weak(const Reader *oid, Reader algorithm) {
    static const struct {
        size_t size;
        uint8_t prefix[8];
        uint8_t first, last; /* of the byte behind it */
    } strong[] = {
        {8, {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01}, 11, 13}, /* PKCS#1, SHA-256 to SHA-512 */
        {7, {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03}, 2, 4},         /* ECDSA, the same */
        {2, {0x2b, 0x65}, 112, 113},                                   /* Ed25519, Ed448 */
    };
    static const uint8_t pss[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a};

    for (size_t i = 0; i < ARRAY_SIZE(strong); i++)
        if (oid->left == strong[i].size + 1 && memcmp(oid->data, strong[i].prefix, strong[i].size) == 0 &&
            oid->data[strong[i].size] >= strong[i].first && oid->data[strong[i].size] <= strong[i].last)
            return false;
    return !oid_is(oid, pss, sizeof pss) || !pss_is_strong(&algorithm);
}

int x509_parse(const uint8_t *der, size_t size, Certificate *ret) {
    Certificate x = {.der = der, .der_size = size, .path_length = -1, .ike_use = true};
    Reader r = reader_new(der, size);

    if (size > X509_DER_MAX)
        return -EBADMSG;
    Element certificate = element_expect(&r, DER_SEQUENCE);
    Element tbs = element_expect(&certificate.body, DER_SEQUENCE);
    Reader *t = &tbs.body;
    if (t->left > 0 && t->data[0] == DER_CONTEXT_CONSTRUCTED)
        element_read(t); /* version */
    element_expect(t, DER_INTEGER);
    Element algorithm = element_expect(t, DER_SEQUENCE);
    Element oid = element_expect(&algorithm.body, DER_OID);
    Element issuer = element_expect(t, DER_SEQUENCE);
    Element validity = element_expect(t, DER_SEQUENCE);
    x.not_before = time_read(&validity.body);
    x.not_after = time_read(&validity.body);
    Element subject = element_expect(t, DER_SEQUENCE);
    Element spki = element_expect(t, DER_SEQUENCE);
    if (t->bad || algorithm.body.bad || validity.body.bad || oid.body.bad || !reader_done(&r))
        return -EBADMSG;
    x.weak_signature = signature_is_weak(&oid.body, algorithm.body);
    x.issuer = issuer.start, x.issuer_size = issuer.total;
    x.subject = subject.start, x.subject_size = subject.total;
    x.spki = spki.start, x.spki_size = spki.total;

    while (t->left > 0 && !t->bad) {
        Element e = element_read(t);
        if (e.tag == (DER_CONTEXT_CONSTRUCTED | 3)) {
            extensions_read(&e.body, &x);
            t->bad |= e.body.bad;
        }
    }
    if (t->bad)
        return -EBADMSG;
    *ret = x;
    return 0;
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
static Reader common_name(const Certificate *x) {
    Reader r = reader_new(x->subject, x->subject_size);
    Element subject = element_expect(&r, DER_SEQUENCE);

    while (subject.body.left > 0 && !subject.body.bad) {
        Element set = element_expect(&subject.body, DER_SET);
        Element pair = element_expect(&set.body, DER_SEQUENCE);
        Element oid = element_expect(&pair.body, DER_OID);
        if (oid_is(&oid.body, (uint8_t[]){0x55, 0x04, 0x03}, 3))
            return element_read(&pair.body).body;
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
    Reader cn = common_name(x);
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
