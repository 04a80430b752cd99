/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What we read in an X.509 certificate ourselves: its DER. */
#include "base/macro.h"
#include "base/url.h"
#include "fuzz.h"
#include "ike/x509.h"

static void inside(const Certificate *x, const uint8_t *data, size_t size) {
    MUST(data >= x->der && size <= x->der_size && data + size <= x->der + x->der_size);
}

/* A log line of any length: terminated, and nothing in it that ends it. */
static void line_check(const char *buf, size_t size) {
    size_t length = strnlen(buf, size);
    MUST(length < size);
    for (size_t i = 0; i < length; i++)
        MUST(buf[i] >= ' ' && buf[i] <= '~');
}

static void format(const Certificate *x, size_t size) {
    _cleanup_free_ char *buf = malloc(size);
    MUST(x509_format_names(x, buf, size) == buf);
    line_check(buf, size);
    if (size <= 2)
        return;
    MUST(x509_format_serial(x->serial, buf, size) == buf);
    line_check(buf, size);
    MUST(x509_format_name(x->issuer, x->issuer_size, buf, size) == buf);
    line_check(buf, size);
}

static void dns_name(const Certificate *x, size_t size) {
    _cleanup_free_ char *name = malloc(size);
    int r = x509_dns_name(x, name, size);
    MUST(r == 0 || r == -ENOENT || r == -ENAMETOOLONG);
    if (r == 0)
        MUST(strnlen(name, size) < size && strlen(name) > 0 &&
             (address_is_literal(name) || x509_has_identity(x, name)));
}

/* What a certificate bears it has, and not a byte less or more of it. */
static void identity(const Certificate *x, const CertificateName *name) {
    char text[HOST_MAX_BYTES + 1];

    inside(x, name->data, name->size);
    if (name->family != AF_UNSPEC) {
        MUST(name->size == address_size(name->family));
        Address a = address_from_bytes(name->family, name->data);
        MUST(x509_has_identity(x, ADDRESS_STR(&a)));
    } else if (name->size < HOST_MAX_BYTES && !memchr(name->data, 0, name->size)) {
        memcpy(text, name->data, name->size);
        text[name->size] = 0;
        MUST(address_is_literal(text) || x509_has_identity(x, text));
        if (x->n_names == 1) {
            memcpy(text + name->size, "x", 2);
            MUST(!x509_has_identity(x, text));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Certificate x;

    int e = x509_parse(data, size, &x);
    MUST(e == 0 || e == -EBADMSG);
    if (e != 0)
        return 0;
    MUST(x.der == data && x.der_size == size && size <= X509_DER_MAX);
    inside(&x, x.issuer, x.issuer_size);
    inside(&x, x.subject, x.subject_size);
    inside(&x, x.spki, x.spki_size);
    (void)x509_is_issuer_of(&x, &x);
    MUST(x.n_names <= X509_NAMES_MAX && x.path_length >= -128 && x.path_length <= 127);
    for (size_t i = 0; i < x.n_names; i++)
        identity(&x, &x.names[i]);
    for (size_t n = 1; n <= 512; n *= 8)
        format(&x, n);
    dns_name(&x, 8);
    dns_name(&x, HOST_MAX_BYTES);
    return 0;
}
