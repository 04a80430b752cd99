/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See eap-aka-attributes.h. */
#include "ike/eap-aka-attributes.h"

#include <stdio.h>

#define UNIT      4 /* bytes that an attribute's length counts */
#define SKIPPABLE 128
#define NO_HASH   2 /* AT_CHECKCODE without a hash: two reserved bytes */

#define X(name, number, size, where) [AT_INDEX_##name] = {#name, number, size, where},
static const struct {
    const char *name;
    uint8_t type;
    size_t size;
    unsigned where;
} table[] = {AKA_ATTRIBUTES(X)};
#undef X

static size_t table_find(uint8_t type) {
    size_t i = 0;
    while (i < ARRAY_SIZE(table) && table[i].type != type)
        i++;
    return i;
}

static bool size_fits(size_t i, size_t size) {
    return table[i].size == 0 || table[i].size == size || (i == AT_INDEX_CHECKCODE && size == NO_HASH);
}

int aka_attributes_parse(AkaAttributes *ret, unsigned where, const uint8_t *data, size_t size,
                         char text[static AKA_TEXT_MAX]) {
    Reader r = reader_new(data, size);

    *ret = (AkaAttributes){};
    while (r.left > 0 && !r.bad) {
        uint8_t type = reader_u8(&r);
        size_t units = reader_u8(&r), i = table_find(type);
        if (r.bad || units == 0 || units * UNIT - 2 > r.left) {
            snprintf(text, AKA_TEXT_MAX, "attribute %u is cut", type);
            return -EBADMSG;
        }
        AkaValue value = {.size = units * UNIT - 2};
        value.data = reader_bytes(&r, value.size);
        if (i == ARRAY_SIZE(table) || !(table[i].where & where)) {
            if (type >= SKIPPABLE)
                continue;
            snprintf(text, AKA_TEXT_MAX, "attribute %u (%s) does not belong there", type,
                     i < ARRAY_SIZE(table) ? table[i].name : "unknown");
            return -EBADMSG;
        }
        if (ret->at[i].data || !size_fits(i, value.size)) {
            snprintf(text, AKA_TEXT_MAX, "AT_%s %s", table[i].name,
                     ret->at[i].data ? "is there twice" : "has a wrong length");
            return -EBADMSG;
        }
        ret->at[i] = value;
    }
    return 0;
}

uint8_t *aka_attribute_write(Writer *w, uint8_t type, const void *value, size_t size) {
    const size_t units = (2 + size + UNIT - 1) / UNIT;

    assert(units <= UINT8_MAX);
    writer_u8(w, type);
    writer_u8(w, (uint8_t)units);
    uint8_t *at = writer_reserve(w, units * UNIT - 2);
    if (!at)
        return NULL;
    memset(at, 0, units * UNIT - 2);
    if (value)
        memcpy(at, value, size);
    return at;
}
