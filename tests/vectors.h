/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/data/ike/vectors.hex, made by make-vectors beside it. */
#pragma once

#include <stdarg.h>
#include <stdio.h>

#include "ike-responder.h"

/* One line of vectors.hex; free *data. */
static inline Blob vector(const char *format, ...) _printf_(1, 2);
static inline Blob vector(const char *format, ...) {
    Blob file = test_file("vectors.hex"), found = {};
    char name[64];
    va_list ap;

    va_start(ap, format);
    vsnprintf(name, sizeof name, format, ap);
    va_end(ap);
    for (char *line = strtok((char *)file.data, "\n"); line; line = strtok(NULL, "\n"))
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ' ')
            found = test_unhex(line + strlen(name) + 1);
    ck_assert_msg(found.data != NULL, "no vector %s", name);
    free(file.data);
    return found;
}
