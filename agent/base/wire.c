/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See wire.h. */
#include "base/wire.h"

#include "base/macro.h"

Reader reader_new(const void *data, size_t size) {
    assert(data || size == 0);
    return (Reader){.data = data, .left = size};
}

const uint8_t *reader_bytes(Reader *r, size_t size) {
    static const uint8_t nothing;

    if (r->bad || size > r->left) {
        *r = (Reader){.bad = true};
        return NULL;
    }
    const uint8_t *p = r->data ? r->data : &nothing;
    if (size > 0)
        r->data += size;
    r->left -= size;
    return p;
}

static uint64_t reader_number(Reader *r, size_t size) {
    const uint8_t *p = reader_bytes(r, size);
    uint64_t v = 0;
    for (size_t i = 0; p && i < size; i++)
        v = v << 8 | p[i];
    return v;
}

uint8_t reader_u8(Reader *r) {
    return (uint8_t)reader_number(r, 1);
}

uint16_t reader_u16(Reader *r) {
    return (uint16_t)reader_number(r, 2);
}

uint32_t reader_u32(Reader *r) {
    return (uint32_t)reader_number(r, 4);
}

uint64_t reader_u64(Reader *r) {
    return reader_number(r, 8);
}

void reader_copy(Reader *r, void *ret, size_t size) {
    const uint8_t *p = reader_bytes(r, size);
    if (size == 0)
        return;
    if (p)
        memcpy(ret, p, size);
    else
        memset(ret, 0, size);
}

Reader reader_sub(Reader *r, size_t size) {
    const uint8_t *p = reader_bytes(r, size);
    return p ? reader_new(p, size) : (Reader){.bad = true};
}

bool reader_done(const Reader *r) {
    return !r->bad && r->left == 0;
}

Writer writer_new(void *data, size_t size) {
    return (Writer){.data = data, .size = size};
}

uint8_t *writer_reserve(Writer *w, size_t size) {
    if (w->bad || size > w->size - w->len) {
        w->bad = true;
        return NULL;
    }
    uint8_t *p = w->data + w->len;
    w->len += size;
    return p;
}

static void put(uint8_t *p, uint64_t v, size_t size) {
    for (size_t i = size; i-- > 0; v >>= 8)
        p[i] = (uint8_t)v;
}

static void writer_number(Writer *w, uint64_t v, size_t size) {
    uint8_t *p = writer_reserve(w, size);
    if (p)
        put(p, v, size);
}

void writer_u8(Writer *w, uint8_t v) {
    writer_number(w, v, 1);
}

void writer_u16(Writer *w, uint16_t v) {
    writer_number(w, v, 2);
}

void writer_u32(Writer *w, uint32_t v) {
    writer_number(w, v, 4);
}

void writer_u64(Writer *w, uint64_t v) {
    writer_number(w, v, 8);
}

void writer_bytes(Writer *w, const void *data, size_t size) {
    uint8_t *p = writer_reserve(w, size);
    if (p && size > 0)
        memcpy(p, data, size);
}

static void writer_patch(Writer *w, size_t offset, uint64_t v, size_t size) {
    if (w->bad)
        return;
    assert(offset <= w->len && size <= w->len - offset);
    put(w->data + offset, v, size);
}

void writer_patch_u16(Writer *w, size_t offset, uint16_t v) {
    writer_patch(w, offset, v, 2);
}

void writer_patch_u32(Writer *w, size_t offset, uint32_t v) {
    writer_patch(w, offset, v, 4);
}
