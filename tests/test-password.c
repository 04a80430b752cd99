/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The password's file: one line, and what is wrong with another. */
#include <unistd.h>

#include "base/log.h"
#include "files.h"
#include "password-io.h"
#include "suite.h"

static char path[] = "/tmp/henb-password-XXXXXX";
static char password[PASSWORD_MAX_BYTES], error[ERROR_MAX_BYTES];

static int read_file_of(const char *text, size_t size) {
    memset(password, 'x', sizeof password);
    memset(error, 0, sizeof error);
    file_write(path, text, size);
    return password_read(path, password, error);
}

static void path_make(void) {
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

START_TEST(one_line) {
    char longest[PASSWORD_MAX_BYTES];

    path_make();
    ck_assert_int_eq(read_file_of(" a b; \"c\"= \n", 12), 0);
    ck_assert_str_eq(password, " a b; \"c\"= ");
    ck_assert_int_eq(read_file_of("z", 1), 0);
    ck_assert_str_eq(password, "z");
    memset(longest, 'p', sizeof longest);
    ck_assert_int_eq(read_file_of(longest, 256), 0);
    longest[256] = '\n';
    ck_assert_int_eq(read_file_of(longest, 257), 0);
    ck_assert_uint_eq(strlen(password), 256);
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(what_is_no_password) {
    static const struct {
        const char *text;
        size_t size;
        const char *error;
    } cases[] = {
        {"", 0, "there is no password in it"},
        {"\n", 1, "there is no password in it"},
        {"a\0b\n", 4, "holds a NUL byte"},
        {"a\nb\n", 4, "holds more than one line"},
        {"a\n\n", 3, "holds more than one line"},
        {"a\r\n", 3, "holds a control character"},
        {"a\xff\n", 3, "not UTF-8"},
    };
    char *large = malloc(100000);

    ck_assert_ptr_nonnull(large);
    path_make();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        ck_assert_int_eq(read_file_of(cases[i].text, cases[i].size), -EINVAL);
        ck_assert_str_eq(error, cases[i].error);
        ck_assert_int_eq(password[0], 'x');
    }
    memset(large, 'p', 100000);
    for (size_t size = 257; size < 262; size++)
        ck_assert_int_eq(read_file_of(large, size), -EINVAL);
    ck_assert_int_eq(read_file_of(large, 100000), -EINVAL);
    ck_assert_str_eq(error, "more than 256 bytes");
    large[257] = '\n';
    ck_assert_int_eq(read_file_of(large, 258), -EINVAL);
    ck_assert_str_eq(error, "more than 256 bytes");
    ck_assert_int_eq(unlink(path), 0);
    free(large);
}
END_TEST

START_TEST(no_file) {
    ck_assert_int_eq(password_read("/nowhere/at/all", password, error), -ENOENT);
    ck_assert_str_eq(error, "No such file or directory");
    ck_assert_int_eq(password_read("/tmp", password, error), -EISDIR);
    ck_assert_str_eq(error, "Is a directory");
}
END_TEST

SUITE("password", one_line, what_is_no_password, no_file)
