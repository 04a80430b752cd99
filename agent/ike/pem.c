/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See pem.h. */
#include "ike/pem.h"

#include <stdio.h>

#include "base/macro.h"

static int digit(uint8_t c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Bytes written to *ret*, or -EBADMSG. */
static ssize_t base64_decode(const uint8_t *text, size_t size, uint8_t *ret) {
    uint32_t bits = 0;
    size_t n = 0, digits = 0, padding = 0;

    for (size_t i = 0; i < size; i++) {
        uint8_t c = text[i];
        if (c == '\n' || c == '\r' || c == ' ' || c == '\t')
            continue;
        int value = c == '=' ? 0 : digit(c);
        padding += c == '=';
        if (value < 0 || (padding > 0 && c != '=') || padding > 2)
            return -EBADMSG;
        bits = bits << 6 | (uint32_t)value;
        if (++digits % 4 != 0)
            continue;
        for (size_t byte = 0; byte < 3 - padding; byte++)
            ret[n++] = (uint8_t)(bits >> (16 - 8 * byte));
    }
    return digits > 0 && digits % 4 == 0 ? (ssize_t)n : -EBADMSG;
}

int pem_next(const uint8_t *text, size_t size, const char *label, size_t *at, uint8_t **ret,
             size_t *ret_size) {
    char begin[64], end[64];

    snprintf(begin, sizeof begin, "-----BEGIN %s-----", label);
    snprintf(end, sizeof end, "-----END %s-----", label);
    const uint8_t *start = *at < size ? memmem(text + *at, size - *at, begin, strlen(begin)) : NULL;
    if (!start)
        return 0;
    start += strlen(begin);
    size_t left = size - (size_t)(start - text);
    const uint8_t *stop = memmem(start, left, end, strlen(end));
    if (!stop)
        return -EBADMSG;
    size_t length = (size_t)(stop - start);
    _cleanup_free_ uint8_t *der = malloc(length ?: 1);
    if (!der)
        return -ENOMEM;
    ssize_t n = base64_decode(start, length, der);
    if (n < 0)
        return -EBADMSG;
    *ret = TAKE_PTR(der);
    *ret_size = (size_t)n;
    *at = (size_t)(stop - text) + strlen(end);
    return 1;
}
