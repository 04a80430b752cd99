/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See text.h. */
#include "dbus/text.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"

/* U+FDD0 to U+FDEF, and the last two of each plane: legal in XML, but libsystemd sends none of them. */
static bool is_noncharacter(const uint8_t *p, size_t n) {
    if (n == 3 && p[0] == 0xef && p[1] == 0xb7)
        return p[2] >= 0x90 && p[2] <= 0xaf;
    if (n == 3 && (p[0] != 0xef || p[1] != 0xbf))
        return false;
    if (n == 4 && ((p[1] & 0x0f) != 0x0f || p[2] != 0xbf))
        return false;
    return n >= 3 && p[n - 1] >= 0xbe;
}

char *bus_text_clean(const char *text) {
    char *copy = strdup(text), *to = copy;

    for (const char *p = copy; p && *p;) {
        const size_t n = utf8_sequence(p);
        const bool good = n > 0 && !is_noncharacter((const uint8_t *)p, n);
        memmove(to, good ? p : "?", good ? n : 1);
        to += good ? n : 1;
        p += MAX(n, (size_t)1);
    }
    if (to)
        *to = 0;
    return copy;
}

int bus_append_text(sd_bus_message *m, const char *text) {
    _cleanup_free_ char *clean = bus_text_clean(text);
    return clean ? sd_bus_message_append_basic(m, 's', clean) : -ENOMEM;
}

int bus_refuse(sd_bus_error *error, const char *name, const char *format, ...) {
    _cleanup_free_ char *text = NULL, *clean = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    clean = text ? bus_text_clean(text) : NULL;
    return clean ? sd_bus_error_set(error, name, clean) : -ENOMEM;
}
