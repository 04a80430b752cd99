/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See log-journal-io.h. */
#define SD_JOURNAL_SUPPRESS_LOCATION /* it would be this file's */
#include "base/log-journal-io.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/log.h"

#define PARTS      4 /* besides the fields */
#define FIELDS_MAX 32

bool log_journal_is_there(void) {
    const char *stream = getenv("JOURNAL_STREAM");
    char own[64];
    struct stat st;

    if (!stream || fstat(STDERR_FILENO, &st) < 0)
        return false;
    snprintf(own, sizeof own, "%" PRIuMAX ":%" PRIuMAX, (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return streq(stream, own);
}

static struct iovec part(const char *text) {
    return (struct iovec){(void *)text, strlen(text)};
}

static int send_to_journal(int level, const char *id, const char *text, const char *const *fields, size_t n) {
    char priority[16], message_id[64], *message;
    struct iovec parts[PARTS + FIELDS_MAX];
    int used = 0;

    if (n > FIELDS_MAX || asprintf(&message, "MESSAGE=%s", text) < 0)
        return -ENOMEM;
    snprintf(priority, sizeof priority, "PRIORITY=%d", level);
    snprintf(message_id, sizeof message_id, "MESSAGE_ID=%s", strempty(id));
    parts[used++] = part(message);
    parts[used++] = part(priority);
    parts[used++] = part("SYSLOG_IDENTIFIER=henb-agentd");
    if (id)
        parts[used++] = part(message_id);
    for (size_t i = 0; i < n; i++)
        parts[used++] = part(fields[i]);
    int r = sd_journal_sendv(parts, used);
    free(message);
    return r;
}

void log_journal_use(void) {
    /* Without the socket sd_journal_sendv() would drop the lines and call it a success. */
    if (log_journal_is_there() && access("/run/systemd/journal/socket", F_OK) == 0)
        log_set_sink(send_to_journal);
}
