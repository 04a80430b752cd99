/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See password-io.h. */
#include "password-io.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/utf8.h"

/* Up to *size* bytes of the file. How many, or negative errno. */
static ssize_t file_read(const char *path, char *ret, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = 1, len = 0;

    if (fd < 0)
        return -errno;
    while (n > 0 && (size_t)len < size) {
        n = read(fd, ret + len, size - (size_t)len);
        len = n < 0 ? -errno : len + n;
    }
    close(fd);
    return len;
}

/* What is wrong with the *len* bytes at *text*, behind which stands a NUL; or NULL. */
static const char *password_judge(const char *text, size_t len) {
    if (len == 0)
        return "there is no password in it";
    if (len >= PASSWORD_MAX_BYTES && !memchr(text, '\n', len))
        return "more than 256 bytes";
    if (memchr(text, '\0', len))
        return "holds a NUL byte";
    if (memchr(text, '\n', len))
        return "holds more than one line";
    for (size_t i = 0; i < len; i++)
        if (iscntrl((unsigned char)text[i]))
            return "holds a control character";
    return utf8_is_valid(text) ? NULL : "not UTF-8";
}
static_assert(PASSWORD_MAX_BYTES == 257, "the number in password_judge()'s text");

int password_read(const char *path, char ret[static PASSWORD_MAX_BYTES], char *error) {
    char text[PASSWORD_MAX_BYTES + 2]; /* one byte too many, its newline, a NUL */
    const char *wrong;

    ssize_t n = file_read(path, text, sizeof text - 1);
    size_t len = n > 0 ? (size_t)n : 0;
    len -= len > 0 && text[len - 1] == '\n';
    text[len] = '\0';
    wrong = n < 0 ? strerror((int)-n) : password_judge(text, len);
    if (wrong)
        snprintf(error, ERROR_MAX_BYTES, "%s", wrong);
    else
        memcpy(ret, text, len + 1);
    explicit_bzero(text, sizeof text);
    return !wrong ? 0 : n < 0 ? (int)n : -EINVAL;
}
