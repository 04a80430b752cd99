/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See der.h. */
#include "ike/der.h"

#include <time.h>

#include "base/macro.h"

Element der_read(Reader *r) {
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

Element der_expect(Reader *r, uint8_t tag) {
    Element e = der_read(r);
    if (e.tag != tag || e.body.bad) {
        r->bad = true;
        e.body = (Reader){.bad = true};
    }
    return e;
}

bool der_optional(Reader *r, uint8_t tag, Element *ret) {
    if (r->bad || r->left == 0 || r->data[0] != tag)
        return false;
    *ret = der_read(r);
    return true;
}

bool der_oid_is(const Reader *oid, const void *bytes, size_t size) {
    return oid->left == size && memcmp(oid->data, bytes, size) == 0;
}

bool der_flag(Reader *r) {
    Element e;
    return der_optional(r, DER_BOOLEAN, &e) && reader_u8(&e.body) != 0;
}

Reader der_bits(Reader *r) {
    Element e = der_expect(r, DER_BIT_STRING);
    if (reader_u8(&e.body) != 0)
        e.body.bad = true;
    r->bad |= e.body.bad;
    return e.body;
}

static int two_digits(Reader *r) {
    uint8_t a = reader_u8(r), b = reader_u8(r);
    if (a < '0' || a > '9' || b < '0' || b > '9') {
        r->bad = true;
        return 0;
    }
    return (a - '0') * 10 + (b - '0');
}

usec_t der_time(Reader *r) {
    Element e = der_read(r);
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

Extension der_extension(Reader *list) {
    Element whole = der_expect(list, DER_SEQUENCE);
    Extension extension = {.oid = der_expect(&whole.body, DER_OID).body};

    extension.critical = der_flag(&whole.body);
    extension.value = der_expect(&whole.body, DER_OCTET_STRING).body;
    list->bad |= whole.body.bad;
    return extension;
}

int der_id_ce(const Extension *extension) {
    const Reader *oid = &extension->oid;
    return oid->left == 3 && oid->data[0] == 0x55 && oid->data[1] == 0x1d ? oid->data[2] : -1;
}

size_t der_head_size(size_t size) {
    return size < 0x80 ? 2 : size < 0x100 ? 3 : 4;
}

void der_write_head(Writer *w, uint8_t tag, size_t size) {
    assert(size < 0x10000);
    writer_u8(w, tag);
    if (size < 0x80)
        writer_u8(w, (uint8_t)size);
    else if (size < 0x100) {
        writer_u8(w, 0x81);
        writer_u8(w, (uint8_t)size);
    } else {
        writer_u8(w, 0x82);
        writer_u16(w, (uint16_t)size);
    }
}
