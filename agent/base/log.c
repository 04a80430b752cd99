/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See log.h. */
#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/utf8.h"

/* Longer lines, and longer values of fields, are cut. */
#define LINE_MAX_BYTES  2048
#define FIELD_MAX_BYTES 512

#define X(member, name) +1
enum { FIELDS = LOG_FIELDS(X) };
#undef X

static int log_level = LOG_INFO;
static LogSink log_sink;

void log_set_level(int level) {
    log_level = level;
}

int log_get_level(void) {
    return log_level;
}

void log_set_sink(LogSink sink) {
    log_sink = sink;
}

/* What a peer sent may be part of it: one line stays one line, and text. */
static void make_printable(char *text) {
    for (size_t n; *text; text += n) {
        n = utf8_sequence(text);
        bool c1 = n == 2 && (unsigned char)text[0] == 0xc2 && (unsigned char)text[1] < 0xa0;
        if (n == 0 || c1 || (unsigned char)*text < 0x20 || *text == 0x7f) {
            *text = '?';
            n = 1;
        }
    }
}

_printf_(2, 0) static void format_line(char ret[static LINE_MAX_BYTES], const char *format, va_list ap) {
    if (vsnprintf(ret, LINE_MAX_BYTES, format, ap) < 0)
        ret[0] = 0;
    make_printable(ret);
}

static void write_line(int level, const char *text) {
    char line[LINE_MAX_BYTES + 8], mark[8];

    snprintf(mark, sizeof mark, "<%d>", level);
    int n = snprintf(line, sizeof line, "%s%s\n", isatty(STDERR_FILENO) ? "" : mark, text);
    /* One write(2), so that lines of several processes on one pipe do not mix. Nothing to do if it fails. */
    if (write(STDERR_FILENO, line, (size_t)n) < 0) {
    }
}

static void tell(int level, const char *id, const char *text, const char *const *fields, size_t n) {
    if (!log_sink || log_sink(level, id, text, fields, n) < 0)
        write_line(level, text);
}

void log_write(int level, const char *format, ...) {
    char text[LINE_MAX_BYTES];
    int saved_errno = errno;
    va_list ap;

    if (level > log_level)
        return;
    va_start(ap, format);
    format_line(text, format, ap);
    va_end(ap);
    tell(level, NULL, text, NULL, 0);
    errno = saved_errno;
}

/* "NAME=value" of each that has one. How many. */
static size_t format_fields(const LogFields *fields, char ret[static FIELDS][FIELD_MAX_BYTES]) {
#define X(member, name) {name, fields->member},
    const struct { const char *name, *value; } values[] = {LOG_FIELDS(X)};
#undef X
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        if (*strempty(values[i].value)) {
            snprintf(ret[n], FIELD_MAX_BYTES, "%s=%s", values[i].name, values[i].value);
            make_printable(ret[n++]);
        }
    return n;
}

void log_message(int level, LogMessage message, const LogFields *fields, const char *format, ...) {
#define X(name, id, fields) id,
    static const char *const ids[] = {"", LOG_MESSAGES(X)};
#undef X
    char text[LINE_MAX_BYTES], buffer[FIELDS][FIELD_MAX_BYTES];
    const char *list[FIELDS];
    int saved_errno = errno;
    va_list ap;

    assert(message > MESSAGE_NONE && message < MESSAGES_);
    if (level > log_level)
        return;
    va_start(ap, format);
    format_line(text, format, ap);
    va_end(ap);
    size_t n = log_sink ? format_fields(fields, buffer) : 0;
    for (size_t i = 0; i < n; i++)
        list[i] = buffer[i];
    tell(level, ids[message], text, list, n);
    errno = saved_errno;
}

const char *log_number(int64_t number, char ret[static LOG_NUMBER_MAX]) {
    snprintf(ret, LOG_NUMBER_MAX, "%" PRId64, number);
    return ret;
}

const char *log_spi(uint64_t spi, int digits, char ret[static LOG_NUMBER_MAX]) {
    snprintf(ret, LOG_NUMBER_MAX, "%0*" PRIx64, digits, spi);
    return ret;
}

int error_line(char *error, const char *format, ...) {
    va_list ap;

    va_start(ap, format);
    vsnprintf(error, ERROR_MAX_BYTES, format, ap);
    va_end(ap);
    return -EINVAL;
}
