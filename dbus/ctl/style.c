/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See style.h. */
#include "dbus/ctl/style.h"

#include <inttypes.h>
#include <limits.h>
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

typedef struct Range {
    uint32_t first, last;
} Range;

/* C0, DEL and C1, line and paragraph separators, and what has no width or turns the direction of writing. */
static const Range unsafe[] = {
    {0x0001, 0x001f}, {0x007f, 0x009f}, {0x00ad, 0x00ad}, {0x0300, 0x036f},   {0x061c, 0x061c},
    {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f}, {0xe000, 0xf8ff},   {0xfe00, 0xfe0f},
    {0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0xe0000, 0xe0fff}, {0xf0000, 0x10ffff},
};
/* Two columns: East Asian Wide and Fullwidth (UAX 11), in its large blocks. */
static const Range wide[] = {
    {0x1100, 0x115f}, {0x2e80, 0x303e}, {0x3041, 0xa4cf}, {0xac00, 0xd7a3},   {0xf900, 0xfaff},
    {0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1faff}, {0x20000, 0x3fffd},
};

#define IN(ranges, code) range_has(ranges, ARRAY_SIZE(ranges), code)
static bool range_has(const Range *ranges, size_t n, uint32_t code) {
    for (size_t i = 0; i < n; i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return false;
}

/* One character as it may be shown. */
typedef struct Glyph {
    const char *shown;
    size_t length, taken; /* bytes of *shown*, and of the text */
    unsigned columns;
    uint32_t code; /* 0: not UTF-8 */
} Glyph;

static uint32_t code_of(const char *text, size_t n) {
    static const uint8_t masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code = (uint8_t)text[0] & masks[n];

    for (size_t i = 1; i < n; i++)
        code = code << 6 | ((uint8_t)text[i] & 0x3f);
    return code;
}

static Glyph glyph_take(const char *text, bool utf8) {
    size_t n = utf8_sequence(text);
    uint32_t code = code_of(text, n);

    if (n == 0 || IN(unsafe, code) || (n > 1 && !utf8))
        return (Glyph){"?", 1, n == 0 ? 1 : n, 1, code};
    return (Glyph){text, n, n, IN(wide, code) ? 2 : 1, code};
}

size_t style_character(const char *text, const char **ret) {
    Glyph g = glyph_take(text, true);

    *ret = g.shown;
    return g.taken;
}

/* The columns of the first *bytes* of it. */
static unsigned columns_of(const Style *style, const char *text, size_t bytes) {
    unsigned columns = 0;

    for (size_t i = 0; i < bytes;) {
        Glyph g = glyph_take(text + i, style->utf8);
        columns += g.columns;
        i += g.taken;
    }
    return columns;
}

/* Prints characters of the first *bytes* while they fit. Returns how many bytes these were. */
static size_t glyphs_print(FILE *out, const Style *style, const char *text, size_t bytes, unsigned columns) {
    size_t i = 0;

    while (i < bytes) {
        Glyph g = glyph_take(text + i, style->utf8);
        if (columns < g.columns)
            break;
        fwrite(g.shown, 1, g.length, out);
        columns -= g.columns;
        i += g.taken;
    }
    return i;
}

static void line_break(FILE *out, unsigned indent) {
    fprintf(out, "\n%*s", (int)indent, "");
}

void style_print(FILE *out, const Style *style, const char *text) {
    glyphs_print(out, style, text, strlen(text), UINT_MAX);
}

unsigned style_wrap(FILE *out, const Style *style, const char *text, unsigned indent, unsigned columns) {
    unsigned used = 0;

    columns = columns == 0 ? UINT_MAX : MAX(columns, 2u); /* one wide character */
    while (*(text += strspn(text, " "))) {
        size_t word = strcspn(text, " ");
        unsigned needed = columns_of(style, text, word);
        if (used > 0 && (needed > columns || used + 1 + needed > columns)) {
            line_break(out, indent);
            used = 0;
        } else if (used > 0) {
            fputc(' ', out);
            used++;
        }
        size_t n = glyphs_print(out, style, text, word, columns - used);
        used += columns_of(style, text, n);
        text += n;
        if (n < word) {
            line_break(out, indent);
            used = 0;
        }
    }
    return used;
}

void style_print_json(FILE *out, const char *json) {
    for (Glyph g; *json; json += g.taken) {
        g = glyph_take(json, true);
        if (*json == '\n') /* not of a text */
            fputc('\n', out);
        else if (g.shown == json || g.code == 0)
            fwrite(g.shown, 1, g.length, out);
        else if (g.code > 0xffff)
            fprintf(out, "\\u%04x\\u%04x", 0xd800 + ((g.code - 0x10000) >> 10), 0xdc00 + (g.code & 0x3ff));
        else
            fprintf(out, "\\u%04x", g.code);
    }
}

const char *size_format(uint64_t bytes, char ret[static SIZE_TEXT_MAX]) {
    static const char units[] = "BKMGTPE";
    uint64_t tenths = 0;
    size_t i = 0;

    for (; bytes >= 1024; bytes /= 1024, i++)
        tenths = bytes % 1024 * 10 / 1024;
    if (i == 0)
        snprintf(ret, SIZE_TEXT_MAX, "%" PRIu64 "B", bytes);
    else
        snprintf(ret, SIZE_TEXT_MAX, "%" PRIu64 ".%" PRIu64 "%c", bytes, tenths, units[i]);
    return ret;
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
