/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DER of X.680/X.690 as far as certificates, CRLs and OCSP responses need it: definite lengths up to 16 MiB,
 * one-byte tags, each element narrowing a sub-reader. No recursion, no allocation. And the few encoders of a
 * request. */
#pragma once

#include "base/moment.h"
#include "base/wire.h"

enum {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_NULL = 0x05,
    DER_OID = 0x06,
    DER_ENUMERATED = 0x0a,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_CONTEXT = 0x80,             /* | number, of a primitive element */
    DER_CONTEXT_CONSTRUCTED = 0xa0, /* | number */
};

typedef struct Element {
    uint8_t tag;
    const uint8_t *start; /* of tag and length */
    size_t total;         /* bytes from there to the end of the body */
    Reader body;
} Element;

/* The next element; a bad one marks *r*, and has an empty, bad body. */
Element der_read(Reader *r);
/* The same of an element that must have *tag*. */
Element der_expect(Reader *r, uint8_t tag);
/* Reads the next element if it has *tag*. False, and nothing read, if it has not or there is none. */
bool der_optional(Reader *r, uint8_t tag, Element *ret);
bool der_oid_is(const Reader *oid, const void *bytes, size_t size);
/* A BOOLEAN DEFAULT FALSE. */
bool der_flag(Reader *r);
/* A BIT STRING of whole bytes. */
Reader der_bits(Reader *r);
/* UTCTime or GeneralizedTime with seconds and 'Z' (RFC 5280 4.1.2.5); 0 for what lies before 1970. */
usec_t der_time(Reader *r);
/* An Extension (RFC 5280 4.2), or an entry of any list that is made like it. */
typedef struct Extension {
    Reader oid, value;
    bool critical;
} Extension;
/* The next of a list; marks *list* bad when it is none. */
Extension der_extension(Reader *list);
/* The last byte of an OID of id-ce (2.5.29.x), or -1. */
int der_id_ce(const Extension *extension);

/* Writes tag and length of an element of *size* bytes, which follow. */
void der_write_head(Writer *w, uint8_t tag, size_t size);
/* The bytes that takes. */
size_t der_head_size(size_t size);
