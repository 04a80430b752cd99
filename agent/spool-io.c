/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See spool-io.h. */
#include "spool-io.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct Spool {
    int directory;
};

const char *spool_name(const char *id, const char *suffix, char ret[static TRANSFER_ID_BYTES + 8]) {
    snprintf(ret, TRANSFER_ID_BYTES + 8, "%s.%s", id, suffix);
    return ret;
}

int spool_new(Spool **ret, const char *path) {
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return -errno;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    Spool *spool = calloc(1, sizeof *spool);
    if (!spool) {
        close(fd);
        return -ENOMEM;
    }
    spool->directory = fd;
    *ret = spool;
    return 0;
}

void spool_free(Spool *spool) {
    if (!spool)
        return;
    close(spool->directory);
    free(spool);
}

int spool_directory(const Spool *spool) {
    return spool->directory;
}

static int make_file(Spool *spool, const char *id, const char *suffix) {
    int fd = openat(spool->directory, SPOOL_NAME(id, suffix),
                    O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? -errno : fd;
}

int spool_create(Spool *spool, const char *id, int *ret) {
    if (!transfer_id_is_valid(id))
        return -EINVAL;
    int fd = make_file(spool, id, "part");
    if (fd < 0)
        return fd;
    *ret = fd;
    return 0;
}

int spool_commit(Spool *spool, const char *id, int fd) {
    if (fsync(fd) < 0 ||
        renameat(spool->directory, SPOOL_NAME(id, "part"), spool->directory, SPOOL_NAME(id, "file")) < 0) {
        int r = -errno;
        spool_abandon(spool, id, fd);
        return r;
    }
    close(fd);
    return 0;
}

void spool_abandon(Spool *spool, const char *id, int fd) {
    close(fd);
    (void)unlinkat(spool->directory, SPOOL_NAME(id, "part"), 0);
}

/* Both come from the HeMS: a line break in them would begin a line of its own. */
static void one_line(char *ret, size_t size, const char *text) {
    snprintf(ret, size, "%s", text);
    for (char *p = ret; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = ' ';
}

int spool_describe(Spool *spool, const char *id, const char *file_type, const char *target) {
    char type[RPC_BYTES(RPC_FILE_TYPE_MAX)], name[RPC_BYTES(RPC_FILE_NAME_MAX)];

    if (!transfer_id_is_valid(id))
        return -EINVAL;
    one_line(type, sizeof type, file_type);
    one_line(name, sizeof name, target);
    int fd = make_file(spool, id, "type");
    if (fd < 0)
        return fd;
    int n = dprintf(fd, "%s\n%s\n", type, name);
    int r = n < 0 || fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return r;
}

bool spool_has(const Spool *spool, const char *id) {
    return faccessat(spool->directory, SPOOL_NAME(id, "file"), F_OK, 0) == 0;
}

void spool_forget(Spool *spool, const char *id) {
    static const char *const suffixes[] = {"part", "tag", "file", "type"};

    if (!transfer_id_is_valid(id))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
        (void)unlinkat(spool->directory, SPOOL_NAME(id, suffixes[i]), 0);
}

/* Files of other names are not ours. */
void spool_sweep(Spool *spool, bool (*knows)(void *userdata, const char *id), void *userdata) {
    int fd = openat(spool->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    char id[TRANSFER_ID_BYTES];

    if (!directory) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *e; (e = readdir(directory));) {
        if (strlen(e->d_name) < TRANSFER_ID_BYTES || e->d_name[TRANSFER_ID_BYTES - 1] != '.')
            continue;
        memcpy(id, e->d_name, TRANSFER_ID_BYTES - 1);
        id[TRANSFER_ID_BYTES - 1] = 0;
        if (transfer_id_is_valid(id) && !knows(userdata, id))
            spool_forget(spool, id);
    }
    closedir(directory);
}
