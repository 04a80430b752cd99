/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See key-export-io.h. */
#include "key-export-io.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "ike/key-lines.h"

#define IKE_FILE    "ikev2_decryption_table"
#define ESP_FILE    "esp_sa"
#define WRITTEN_MAX 16 /* more IKE SAs than are ever alive at a time */

static struct {
    char folder[PATH_MAX];
    uint64_t written[WRITTEN_MAX]; /* the initiator's SPIs of IKE SAs, a ring */
    size_t n_written;
} export;

void key_export_begin(const char *state) {
    snprintf(export.folder, sizeof export.folder, "%s/" KEY_EXPORT_FOLDER, state);
    if (mkdir(export.folder, 0700) < 0 && errno != EEXIST)
        log_error("%s: %s", export.folder, strerror(errno));
    log_warning(
        "THIS BUILD GIVES ALL KEYS AWAY: who reads %s reads IKE and the tunnel. It is for laboratories.",
        export.folder);
}

/* Wipes *line*. */
static void line_append(const char *file, char line[static KEY_LINE_MAX]) {
    char path[PATH_MAX + 32];
    size_t size = strlen(line);
    int r = 0;

    snprintf(path, sizeof path, "%s/%s", export.folder, file);
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        r = -errno;
    else if (write(fd, line, size) != (ssize_t)size)
        r = -EIO;
    if (fd >= 0)
        close(fd);
    if (r < 0)
        log_error("%s: %s", path, strerror(-r));
    else if (size == 0)
        log_notice("%s: Wireshark has no name for the algorithms of this SA", path);
    explicit_bzero(line, KEY_LINE_MAX);
}

static bool is_new(uint64_t spi) {
    for (size_t i = 0; i < WRITTEN_MAX; i++)
        if (export.written[i] == spi)
            return false;
    export.written[export.n_written++ % WRITTEN_MAX] = spi;
    return true;
}

static void child_export(const ChildSa *child, unsigned parts) {
    char line[KEY_LINE_MAX];

    for (unsigned direction = CHILD_IN; direction <= CHILD_OUT; direction++)
        if (parts & direction) {
            key_line_esp(child, direction, line);
            line_append(ESP_FILE, line);
        }
}

void key_export(const IkeSa *sa, const IkeAction *action) {
    char line[KEY_LINE_MAX];
    uint64_t spi;

    for (size_t i = 0; key_line_ike(sa, i, &spi, line); i++)
        if (is_new(spi))
            line_append(IKE_FILE, line);
    explicit_bzero(line, sizeof line);
    if (action->type == IKE_CHILD_UP)
        child_export(action->up.child, CHILD_IN | CHILD_OUT);
    else if (action->type == IKE_CHILD_INSTALL)
        child_export(action->child.child, action->child.parts);
}
