/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bytes in and out, network byte order, with a sticky error: a decoder reads straight on and asks once at the
 * end. Lengths narrow a sub-reader; nobody computes offsets. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Reader {
    const uint8_t *data; /* next byte; NULL only with left == 0 */
    size_t left;         /* bytes not read yet */
    bool bad;            /* something was read past the end; everything since then reads as zero */
} Reader;

/* A reader over *size* bytes at *data*, which must outlive it. */
Reader reader_new(const void *data, size_t size);
uint8_t reader_u8(Reader *r);
uint16_t reader_u16(Reader *r);
uint32_t reader_u32(Reader *r);
uint64_t reader_u64(Reader *r);
/* The next *size* bytes in place, or NULL (and bad) when fewer are left. Zero bytes give a non-NULL pointer
 * unless already bad. */
const uint8_t *reader_bytes(Reader *r, size_t size);
/* Copies *size* bytes, zeroes when fewer are left. */
void reader_copy(Reader *r, void *ret, size_t size);
/* A reader over the next *size* bytes, which are skipped here. Bad when fewer are left. */
Reader reader_sub(Reader *r, size_t size);
/* Everything read, nothing past the end. */
bool reader_done(const Reader *r);

typedef struct Writer {
    uint8_t *data;
    size_t size; /* capacity */
    size_t len;  /* bytes written */
    bool bad;    /* did not fit; nothing has been written since */
} Writer;

/* A writer into *size* bytes at *data*, which must outlive it. */
Writer writer_new(void *data, size_t size);
void writer_u8(Writer *w, uint8_t v);
void writer_u16(Writer *w, uint16_t v);
void writer_u32(Writer *w, uint32_t v);
void writer_u64(Writer *w, uint64_t v);
void writer_bytes(Writer *w, const void *data, size_t size);
/* Appends *size* bytes for the caller to fill in, or returns NULL (and bad). */
uint8_t *writer_reserve(Writer *w, size_t size);
/* Overwrites a 16-bit or 32-bit number written earlier at *offset*. */
void writer_patch_u16(Writer *w, size_t offset, uint16_t v);
void writer_patch_u32(Writer *w, size_t offset, uint32_t v);
