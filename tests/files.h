/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whole files, for tests: what cannot be read or written fails the test. */
#pragma once

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_SIZE_MAX (1024 * 1024)

/* What is in the file, malloc'ed, with a NUL behind it; *ret_size* may be NULL. */
static inline char *file_read(const char *path, size_t *ret_size) {
    ck_assert_ptr_nonnull(path);
    FILE *f = fopen(path, "re");
    ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
    char *data = malloc(FILE_SIZE_MAX);
    ck_assert_ptr_nonnull(data);
    size_t size = fread(data, 1, FILE_SIZE_MAX, f);
    ck_assert_msg(size > 0 && size < FILE_SIZE_MAX && !ferror(f), "%s: %zu bytes", path, size);
    fclose(f);
    data = realloc(data, size + 1); /* no more, for the sanitizer to see a read beyond */
    ck_assert_ptr_nonnull(data);
    data[size] = 0;
    if (ret_size)
        *ret_size = size;
    return data;
}

/* The same of a file in tests/data. */
static inline char *data_read(const char *folder, const char *name, size_t *ret_size) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s/%s", getenv("TEST_DATA") ?: "tests/data", folder, name);
    return file_read(path, ret_size);
}

static inline void file_write(const char *path, const void *data, size_t size) {
    FILE *f = fopen(path, "we");
    ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
    ck_assert_uint_eq(fwrite(data, 1, size, f), size);
    ck_assert_int_eq(fclose(f), 0);
}

static inline void file_write_text(const char *path, const char *text) {
    file_write(path, text, strlen(text));
}
