/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See usim-file-io.h. */
#include "ike/usim-file-io.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define USIM_SQN_FILE_NEW USIM_SQN_FILE ".new" /* until it is whole */
#define SQN_TEXT_MAX      (IMSI_MAX + 1 + SQN_PLACES * 12 + 1)

struct UsimFile {
    UsimMilenage usim;
    char folder[PATH_MAX];
};

static void closep(int *fd) {
    if (*fd >= 0)
        close(*fd);
}

/* Up to *size* bytes of a file. How many, -EFBIG when there are more, or negative errno. */
static ssize_t file_read(int folder, const char *name, char *ret, size_t size) {
    _cleanup_(closep) int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    size_t len = 0;

    if (fd < 0)
        return -errno;
    while (len < size) {
        ssize_t n = read(fd, ret + len, size - len);
        if (n < 0)
            return -errno;
        if (n == 0)
            return (ssize_t)len;
        len += (size_t)n;
    }
    return -EFBIG;
}

/* "IMSI SEQ SEQ ...", 11 hexadecimal digits each. -EBADMSG: damaged. */
static int sqn_decode(const char *text, const char *imsi, SqnArray *sqn) {
    size_t digits = strspn(text, "0123456789");
    SqnArray kept = {};
    int used = 0;

    if (digits < IMSI_MIN || text[digits] != ' ')
        return -EBADMSG;
    if (digits != strlen(imsi) || strncmp(text, imsi, digits) != 0)
        return 0; /* another subscription's */
    text += digits;
    for (size_t i = 0; i < SQN_PLACES; i++, text += used)
        if (sscanf(text, " %11" SCNx64 "%n", &kept.seq[i], &used) != 1 || used != 12)
            return -EBADMSG;
    if (!streq(text, "\n"))
        return -EBADMSG;
    *sqn = kept;
    return 0;
}

static int sqn_read(UsimFile *u) {
    char text[SQN_TEXT_MAX + 2];
    _cleanup_(closep) int folder = open(u->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return -errno;
    ssize_t n = file_read(folder, USIM_SQN_FILE, text, sizeof text - 1);

    if (n < 0)
        return n == -ENOENT ? 0 : n == -EFBIG ? -EBADMSG : (int)n;
    text[n] = '\0';
    return sqn_decode(text, u->usim.imsi, &u->usim.sqn);
}

static int file_replace(int folder, const char *text, size_t size) {
    _cleanup_(closep) int fd =
        openat(folder, USIM_SQN_FILE_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    ssize_t n = write(fd, text, size);
    if (n < 0 || fsync(fd) < 0)
        return -errno;
    if ((size_t)n < size)
        return -ENOSPC;
    return renameat(folder, USIM_SQN_FILE_NEW, folder, USIM_SQN_FILE) < 0 || fsync(folder) < 0 ? -errno : 0;
}

static int sqn_keep(void *userdata, const SqnArray *sqn) {
    const UsimFile *u = userdata;
    char text[SQN_TEXT_MAX + 2];
    int len = snprintf(text, sizeof text, "%s", u->usim.imsi);

    for (size_t i = 0; i < SQN_PLACES; i++)
        len += snprintf(text + len, sizeof text - (size_t)len, " %011" PRIx64, sqn->seq[i]);
    len += snprintf(text + len, sizeof text - (size_t)len, "\n");
    _cleanup_(closep) int folder = open(u->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder < 0 ? -errno : file_replace(folder, text, (size_t)len);
}

static int text_errno(char *text, int error, const char *of) {
    if (error < 0)
        snprintf(text, CREDENTIAL_TEXT, "%s%s", of, error == -EBADMSG ? "damaged" : strerror(-error));
    return error;
}

int usim_file_new(UsimFile **ret, const char *path, const char *folder, char *text) {
    _cleanup_(usim_file_freep) UsimFile *u = calloc(1, sizeof *u);
    char file[CREDENTIAL_MAX + 1];

    if (!u)
        return text_errno(text, -ENOMEM, "");
    ssize_t n = file_read(AT_FDCWD, path, file, sizeof file);
    int r = n < 0 ? text_errno(text, (int)n, "") : usim_milenage_parse(&u->usim, file, (size_t)n, text);
    explicit_bzero(file, sizeof file);
    if (r < 0)
        return r;
    snprintf(u->folder, sizeof u->folder, "%s", folder);
    r = text_errno(text, sqn_read(u), "kept sequence numbers: ");
    if (r < 0)
        return r;
    u->usim.keep = sqn_keep;
    u->usim.userdata = u;
    *ret = TAKE_PTR(u);
    return 0;
}

void usim_file_free(UsimFile *usim) {
    if (!usim)
        return;
    usim_milenage_wipe(&usim->usim);
    free(usim);
}

Usim usim_file_driver(UsimFile *usim) {
    return usim_milenage_driver(&usim->usim);
}
