/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* Longer lines are cut. */
#define LINE_MAX_BYTES 2048

static int log_level = LOG_INFO;

void log_set_level(int level) {
    log_level = level;
}

int log_get_level(void) {
    return log_level;
}

void log_write(int level, const char *format, ...) {
    char line[LINE_MAX_BYTES];
    int saved_errno = errno, n;
    va_list ap;

    if (level > log_level)
        return;
    n = snprintf(line, sizeof line, "<%d>", level);
    va_start(ap, format);
    int m = vsnprintf(line + n, sizeof line - (size_t)n, format, ap);
    va_end(ap);
    size_t len = MIN((size_t)n + (size_t)MAX(m, 0), sizeof line - 1);

    /* What a peer sent may be part of the line: one event stays one line. */
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    line[len++] = '\n';
    /* One write(2), so that lines of several processes on one pipe do not mix. Nothing to do if it fails. */
    if (write(STDERR_FILENO, line, len) < 0) {
    }
    errno = saved_errno;
}

int error_line(char *error, const char *format, ...) {
    va_list ap;

    va_start(ap, format);
    vsnprintf(error, ERROR_MAX_BYTES, format, ap);
    va_end(ap);
    return -EINVAL;
}
