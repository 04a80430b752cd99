/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See mark-io.h. */
#include "store/mark-io.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macro.h"

#define MARK_FILE_NEW "deregistered.new" /* until it is whole; one that a power cut left is written over */

static void closep(int *fd) {
    if (*fd >= 0)
        close(*fd);
}

void mark_clear(Mark *mark) {
    free(mark->text);
    *mark = (Mark){};
}

/* FNV-1a: against worn-out flash, not against people. */
static uint64_t checksum(uint64_t number, const char *text) {
    uint64_t sum = UINT64_C(14695981039346656037) ^ number;

    for (; *text; text++)
        sum = (sum ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return sum;
}

int mark_encode(uint64_t number, const char *text, char **ret) {
    if (asprintf(ret, "%" PRIu64 " %016" PRIx64 "\n%s", number, checksum(number, text), text) < 0)
        return -ENOMEM;
    if (strlen(*ret) < MARK_MAX_BYTES)
        return 0;
    free(TAKE_PTR(*ret));
    return -E2BIG;
}

int mark_decode(const char *kept, Mark *ret) {
    uint64_t number, sum;
    int used = 0;

    if (sscanf(kept, "%" SCNu64 " %16" SCNx64 "%n", &number, &sum, &used) != 2 || kept[used] != '\n' ||
        number == 0 || checksum(number, kept + used + 1) != sum)
        return -EBADMSG;
    char *text = strdup(kept + used + 1);
    if (!text)
        return -ENOMEM;
    *ret = (Mark){number, text};
    return 0;
}

/* Whether there is a mark is not known without a descriptor or memory; whatever else cannot be opened stands
 * for one. */
static int open_error(int error) {
    switch (error) {
    case ENOENT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EIO:
        return -error;
    default:
        return -EBADMSG;
    }
}

int mark_file_read(int directory, Mark *ret) {
    _cleanup_free_ char *kept = NULL;
    struct stat st;

    if (directory < 0)
        return -ENOENT;
    _cleanup_(closep) int fd = openat(directory, MARK_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return open_error(errno);
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_size >= MARK_MAX_BYTES)
        return -EBADMSG;
    kept = calloc(1, MARK_MAX_BYTES);
    if (!kept)
        return -ENOMEM;
    ssize_t n = read(fd, kept, MARK_MAX_BYTES - 1);
    if (n < 0)
        return -errno;
    if (n != st.st_size || strlen(kept) != (size_t)n)
        return -EBADMSG;
    return mark_decode(kept, ret);
}

static int file_fill(int fd, const char *text) {
    size_t left = strlen(text);

    while (left > 0) {
        ssize_t n = write(fd, text, left);
        if (n < 0)
            return -errno;
        text += n;
        left -= (size_t)n;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

static int file_replace(int directory, const char *kept) {
    _cleanup_(closep) int fd = openat(
        directory, MARK_FILE_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0)
        return -errno;
    int r = file_fill(fd, kept);
    if (r == 0 && renameat(directory, MARK_FILE_NEW, directory, MARK_FILE) < 0)
        r = -errno;
    if (r < 0)
        (void)unlinkat(directory, MARK_FILE_NEW, 0);
    return r;
}

int mark_file_write(int directory, const char *kept) {
    int r = 0;

    if (directory < 0)
        return -ENOENT;
    if (kept)
        r = file_replace(directory, kept);
    else if (unlinkat(directory, MARK_FILE, 0) < 0 && errno != ENOENT)
        r = -errno;
    if (r == 0 && fsync(directory) < 0)
        r = -errno;
    return r;
}
