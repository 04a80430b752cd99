/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See utf8.h. */
#include "base/utf8.h"

#include "base/macro.h"

/* RFC 3629 clause 4: first byte, range of the second byte, length. Later bytes are 80..BF. */
static const struct {
    uint8_t first_min, first_max, second_min, second_max, length;
} sequences[] = {
    {0x01, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

size_t utf8_sequence(const char *s) {
    const uint8_t *p = (const uint8_t *)s;

    for (size_t i = 0; i < ARRAY_SIZE(sequences); i++) {
        if (p[0] < sequences[i].first_min || p[0] > sequences[i].first_max)
            continue;
        if (sequences[i].length > 1 && (p[1] < sequences[i].second_min || p[1] > sequences[i].second_max))
            return 0;
        for (size_t k = 2; k < sequences[i].length; k++)
            if (p[k] < 0x80 || p[k] > 0xbf)
                return 0;
        return sequences[i].length;
    }
    return 0;
}

bool utf8_is_valid(const char *s) {
    for (size_t n; (n = utf8_sequence(s)) > 0;)
        s += n;
    return *s == 0;
}

bool utf8_is_line(const char *s, size_t min, size_t max) {
    size_t chars = 0;

    for (size_t n; *s; s += n, chars++) {
        n = utf8_sequence(s);
        if (n == 0 || (unsigned char)*s < ' ' || *s == 0x7f)
            return false;
    }
    return chars >= min && chars <= max;
}
