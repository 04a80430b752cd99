/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See crl.h. */
#include "ike/crl.h"

#include <stdio.h>

enum { /* id-ce, RFC 5280 5.2 and 5.3 */
       CE_CRL_NUMBER = 20,
       CE_REASON_CODE = 21,
       CE_INVALIDITY_DATE = 24,
       CE_DELTA_CRL_INDICATOR = 27,
       CE_ISSUING_DISTRIBUTION_POINT = 28,
       CE_CERTIFICATE_ISSUER = 29,
       CE_AUTHORITY_KEY_ID = 35,
};

static int refuse(char *error, int r, const char *text) {
    snprintf(error, ERROR_MAX_BYTES, "%s", text);
    return r;
}

typedef struct Entry {
    Reader serial;
    usec_t revoked_at;
    int reason;
    bool unknown_critical;
} Entry;

static void entry_extensions_read(Reader *r, Entry *entry) {
    Element list = der_expect(r, DER_SEQUENCE);

    while (list.body.left > 0 && !list.body.bad) {
        Extension extension = der_extension(&list.body);
        int id = der_id_ce(&extension);
        if (id == CE_REASON_CODE) {
            Element reason = der_expect(&extension.value, DER_ENUMERATED);
            entry->reason = reason.body.left == 1 ? reason.body.data[0] : -1;
        } else if (id != CE_INVALIDITY_DATE)
            entry->unknown_critical |= extension.critical || id == CE_CERTIFICATE_ISSUER;
    }
    r->bad |= list.body.bad;
}

/* The next of revokedCertificates; marks *r* bad. */
static Entry entry_read(Reader *r) {
    Element whole = der_expect(r, DER_SEQUENCE);
    Entry entry = {.reason = -1};

    entry.serial = der_expect(&whole.body, DER_INTEGER).body;
    entry.revoked_at = der_time(&whole.body);
    if (whole.body.left > 0)
        entry_extensions_read(&whole.body, &entry);
    r->bad |= whole.body.bad || entry.serial.left > CRL_SERIAL_MAX;
    return entry;
}

static int entries_check(Reader entries, char *error) {
    while (entries.left > 0) {
        Entry entry = entry_read(&entries);
        if (entries.bad)
            return refuse(error, -EBADMSG, "an entry of it cannot be read");
        if (entry.unknown_critical)
            return refuse(error, -ENOTSUP,
                          "an entry of it has a critical extension that is not known, or another issuer");
    }
    return 0;
}

/* RFC 5280 5.2.5; the tags are its own, implicit ones. */
static int distribution_point_read(Reader value, Crl *crl, char *error) {
    Element sequence = der_expect(&value, DER_SEQUENCE), name, e;
    Reader *r = &sequence.body;

    if (der_optional(r, DER_CONTEXT_CONSTRUCTED, &name)) {
        crl->points = der_expect(&name.body, DER_CONTEXT_CONSTRUCTED).body;
        if (name.body.bad)
            return refuse(error, -ENOTSUP, "its distribution point is relative to its issuer");
    }
    if (der_optional(r, DER_CONTEXT | 1, &e))
        crl->only_user = reader_u8(&e.body) != 0;
    if (der_optional(r, DER_CONTEXT | 2, &e))
        crl->only_ca = reader_u8(&e.body) != 0;
    if (der_optional(r, DER_CONTEXT | 3, &e))
        return refuse(error, -ENOTSUP, "it is for some reasons only");
    if (der_optional(r, DER_CONTEXT | 4, &e) && reader_u8(&e.body) != 0)
        return refuse(error, -ENOTSUP, "it is an indirect CRL");
    if (der_optional(r, DER_CONTEXT | 5, &e) && reader_u8(&e.body) != 0)
        return refuse(error, -ENOTSUP, "it is for attribute certificates");
    return reader_done(r) && !(crl->only_user && crl->only_ca)
               ? 0
               : refuse(error, -EBADMSG, "its issuingDistributionPoint cannot be read");
}

static int extensions_check(Reader list, Crl *crl, char *error) {
    while (list.left > 0) {
        Extension extension = der_extension(&list);
        if (list.bad)
            return refuse(error, -EBADMSG, "an extension of it cannot be read");
        int r = 0, id = der_id_ce(&extension);
        if (id == CE_DELTA_CRL_INDICATOR)
            r = refuse(error, -ENOTSUP, "it is a delta CRL");
        else if (id == CE_ISSUING_DISTRIBUTION_POINT)
            r = distribution_point_read(extension.value, crl, error);
        else if (extension.critical && id != CE_CRL_NUMBER && id != CE_AUTHORITY_KEY_ID)
            r = refuse(error, -ENOTSUP, "it has a critical extension that is not known");
        if (r < 0)
            return r;
    }
    return 0;
}

static bool is_time(const Reader *r) {
    return r->left > 0 && (r->data[0] == DER_UTC_TIME || r->data[0] == DER_GENERALIZED_TIME);
}

int crl_parse(const uint8_t *der, size_t size, Crl *ret, char *error) {
    Reader r = reader_new(der, size);
    Crl crl = {.next_update = USEC_NEVER};
    Element version, e;

    if (size > CRL_SIZE_MAX)
        return refuse(error, -EBADMSG, "it is larger than 4 MiB");
    Element whole = der_expect(&r, DER_SEQUENCE);
    crl.whole = signed_read(&whole.body);
    Reader t = crl.whole.data.body;
    (void)der_optional(&t, DER_INTEGER, &version); /* v1 has none */
    der_expect(&t, DER_SEQUENCE);                  /* the algorithm, which stands outside again */
    Element issuer = der_expect(&t, DER_SEQUENCE);
    crl.issuer = issuer.start, crl.issuer_size = issuer.total;
    crl.this_update = der_time(&t);
    if (is_time(&t))
        crl.next_update = der_time(&t);
    if (der_optional(&t, DER_SEQUENCE, &e))
        crl.entries = e.body;
    Reader extensions = {};
    if (der_optional(&t, DER_CONTEXT_CONSTRUCTED, &e))
        extensions = der_expect(&e.body, DER_SEQUENCE).body;
    if (extensions.bad || !reader_done(&t) || !reader_done(&whole.body) || !reader_done(&r))
        return refuse(error, -EBADMSG, "it cannot be read");
    int s = extensions_check(extensions, &crl, error);
    if (s == 0)
        s = entries_check(crl.entries, error);
    if (s == 0)
        *ret = crl;
    return s;
}

/* 6.3.3 b 2 i: one of the CRL's own names must be among those the certificate refers to. */
static bool points_match(Reader points, const X509Urls *urls) {
    while (points.left > 0) {
        Element e = der_read(&points);
        for (size_t i = 0; i < urls->n && e.tag == (DER_CONTEXT | 6); i++)
            if (x509_same_bytes(e.body.data, e.body.left, urls->items[i].data, urls->items[i].left))
                return true;
    }
    return false;
}

bool crl_covers(const Crl *crl, const Certificate *x) {
    return x509_same_bytes(crl->issuer, crl->issuer_size, x->issuer, x->issuer_size) &&
           !(x->ca ? crl->only_user : crl->only_ca) &&
           (crl->points.left == 0 || points_match(crl->points, &x->crl_urls));
}

int crl_verify(const Crl *crl, const Certificate *issuer, char *error) {
    if (!x509_same_bytes(crl->issuer, crl->issuer_size, issuer->subject, issuer->subject_size))
        return refuse(error, IKE_NOTIFY_AUTHENTICATION_FAILED, "it is of another issuer");
    if (issuer->has_key_usage && !issuer->crl_sign)
        return refuse(error, IKE_NOTIFY_AUTHENTICATION_FAILED, "its issuer may not sign CRLs (keyUsage)");
    return signed_verify(&crl->whole, issuer->spki, issuer->spki_size, error);
}

/* A leading zero says that the number is positive, and some write it where it is not needed. */
static Reader number(Reader serial) {
    while (serial.left > 1 && serial.data[0] == 0)
        reader_u8(&serial);
    return serial;
}

Evidence crl_look_up(const Crl *crl, Reader serial) {
    Evidence evidence = {.this_update = crl->this_update, .next_update = crl->next_update, .reason = -1};
    Reader entries = crl->entries;

    serial = number(serial);
    while (entries.left > 0) {
        Entry entry = entry_read(&entries);
        Reader its = number(entry.serial);
        if (!x509_same_bytes(its.data, its.left, serial.data, serial.left))
            continue;
        evidence.standing = STANDING_REVOKED;
        evidence.revoked_at = entry.revoked_at;
        evidence.reason = entry.reason;
        break;
    }
    return evidence;
}
