/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See text.h. */
#include "dbus/text.h"

#include "base/macro.h"
#include "base/utf8.h"

char *bus_text_clean(const char *text) {
    char *copy = strdup(text);

    for (char *p = copy; p && *p;) {
        size_t n = utf8_sequence(p);
        if (n == 0)
            *p = '?';
        p += n == 0 ? 1 : n;
    }
    return copy;
}

int bus_append_text(sd_bus_message *m, const char *text) {
    _cleanup_free_ char *clean = bus_text_clean(text);
    return clean ? sd_bus_message_append_basic(m, 's', clean) : -ENOMEM;
}
