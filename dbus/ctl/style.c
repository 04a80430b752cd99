/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See style.h. */
#include "dbus/ctl/style.h"

#include <inttypes.h>
#include <time.h>

#include "base/macro.h"
#include "base/utf8.h"

const char *style_on(const Style *style, Colour colour) {
    static const char *const codes[] = {
        [COLOUR_PLAIN] = "",           [COLOUR_GOOD] = "\x1b[0;1;32m",      [COLOUR_BUSY] = "\x1b[0;1;33m",
        [COLOUR_BAD] = "\x1b[0;1;31m", [COLOUR_FAINT] = "\x1b[0;38;5;245m",
    };
    return style->colours ? codes[colour] : "";
}

const char *style_off(const Style *style) {
    return style->colours ? "\x1b[0m" : "";
}

/* One character as it may be shown; returns its bytes. */
static size_t character_take(const char *text, const char **ret) {
    size_t n = utf8_sequence(text);

    *ret = n == 0 || (unsigned char)*text < 0x20 || *text == 0x7f ? "?" : text;
    return n == 0 ? 1 : n;
}

static unsigned columns_of(const char *text) {
    const char *shown;
    unsigned columns = 0;
    for (; *text; text += character_take(text, &shown))
        columns++;
    return columns;
}

unsigned style_print(FILE *out, const Style *style, const char *text, unsigned columns) {
    const char *mark = style->utf8 ? "\xe2\x80\xa6" : "~";
    bool cut = columns > 0 && columns_of(text) > columns;
    unsigned printed = 0;
    const char *shown;

    for (size_t n; *text && !(cut && printed + 1 >= columns); text += n, printed++) {
        n = character_take(text, &shown);
        fwrite(shown, 1, shown == text ? n : 1, out);
    }
    if (cut) {
        fputs(mark, out);
        printed++;
    }
    return printed;
}

const char *duration_format(usec_t usec, char ret[static DURATION_MAX]) {
    static const struct {
        uint64_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    uint64_t seconds = usec / USEC_PER_SEC;
    size_t i = 0;

    if (seconds < 60) {
        unsigned msec = (unsigned)(usec % USEC_PER_SEC / USEC_PER_MSEC);
        snprintf(ret, DURATION_MAX, msec ? "%" PRIu64 ".%03us" : "%" PRIu64 "s", seconds, msec);
        return ret;
    }
    while (seconds < units[i].seconds)
        i++;
    uint64_t first = seconds / units[i].seconds, second = seconds % units[i].seconds / units[i + 1].seconds;
    int n = snprintf(ret, DURATION_MAX, "%" PRIu64 "%s", first, units[i].name);
    if (second > 0)
        snprintf(ret + n, DURATION_MAX - (size_t)n, " %" PRIu64 "%s", second, units[i + 1].name);
    return ret;
}

const char *time_format(usec_t real, char ret[static TIME_MAX]) {
    time_t seconds = (time_t)(real / USEC_PER_SEC);
    struct tm tm;

    if (!localtime_r(&seconds, &tm) || strftime(ret, TIME_MAX, "%a %Y-%m-%d %H:%M:%S %Z", &tm) == 0)
        snprintf(ret, TIME_MAX, "?");
    return ret;
}
