/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See vendor-log-io.h. Back from the newest entry, counting, and then forth, writing. */
#include "vendor-log-io.h"

#include <stdio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/moment.h"
#include "cwmp/value.h"

struct VendorLog {
    VendorLogConfig config;
    sd_journal *journal;
    sd_event_source *source;
    size_t counted;
    bool forth; /* the first one is found */
    VendorLogHandler handler;
    void *userdata;
};

static size_t field(sd_journal *j, const char *name, char *ret, size_t size) {
    const void *data;
    size_t n, prefix = strlen(name) + 1;

    ret[0] = 0;
    if (sd_journal_get_data(j, name, &data, &n) < 0 || n < prefix)
        return 0;
    n = MIN(n - prefix, size - 1);
    memcpy(ret, (const char *)data + prefix, n);
    ret[n] = 0;
    return n;
}

/* "2026-11-24T23:15:00.123456Z unit[pid]: message"; control characters are spaces. */
static size_t format(sd_journal *j, char ret[static VENDOR_LOG_LINE]) {
    char time[VALUE_TIME_MAX], who[64], pid[16], message[VENDOR_LOG_LINE - 256];
    uint64_t usec = 0;

    (void)sd_journal_get_realtime_usec(j, &usec);
    value_format_time((int64_t)(usec / USEC_PER_SEC), time);
    time[strcspn(time, "Z")] = 0;
    if (field(j, "SYSLOG_IDENTIFIER", who, sizeof who) == 0)
        field(j, "_COMM", who, sizeof who);
    field(j, "_PID", pid, sizeof pid);
    field(j, "MESSAGE", message, sizeof message);
    int n = snprintf(ret, VENDOR_LOG_LINE, "%s.%06uZ %s[%s]: %s", time, (unsigned)(usec % USEC_PER_SEC), who,
                     pid, message);
    size_t size = n < 0 ? 0 : MIN((size_t)n, (size_t)VENDOR_LOG_LINE - 2);
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)ret[i] < ' ' || ret[i] == 0x7f)
            ret[i] = ' ';
    ret[size++] = '\n';
    return size;
}

static int write_all(int fd, const char *data, size_t n) {
    while (n > 0) {
        ssize_t written = write(fd, data, n);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? -errno : -EIO;
        data += written;
        n -= (size_t)written;
    }
    return 0;
}

/* 1: more to come, 0: done, or negative errno. */
static int step_back(VendorLog *l, char line[static VENDOR_LOG_LINE]) {
    int r = sd_journal_previous(l->journal);
    if (r < 0)
        return r;
    size_t n = r > 0 ? format(l->journal, line) : 0;
    if (r == 0 || l->counted + n > l->config.max) {
        l->forth = true;
        if (r == 0) /* none is before it */
            r = sd_journal_seek_head(l->journal);
        return r < 0 ? r : 1;
    }
    l->counted += n;
    return 1;
}

static int step_forth(VendorLog *l, char line[static VENDOR_LOG_LINE]) {
    int r = sd_journal_next(l->journal);
    if (r <= 0)
        return r;
    size_t n = format(l->journal, line);
    if (n > l->counted) /* newer than when it was counted */
        return 0;
    l->counted -= n;
    r = write_all(l->config.fd, line, n);
    return r < 0 ? r : 1;
}

static int on_turn(sd_event_source *source, void *userdata) {
    VendorLog *l = userdata;
    char line[VENDOR_LOG_LINE];
    int r = 1;

    for (int i = 0; i < VENDOR_LOG_STEP && r > 0; i++)
        r = l->forth ? step_forth(l, line) : step_back(l, line);
    if (r > 0)
        return 0;
    l->source = sd_event_source_disable_unref(l->source);
    l->handler(l->userdata, r);
    return 0;
}

int vendor_log_new(VendorLog **ret, const VendorLogConfig *config, VendorLogHandler handler, void *userdata) {
    _cleanup_(vendor_log_freep) VendorLog *l = calloc(1, sizeof *l);

    if (!l)
        return -ENOMEM;
    l->config = *config;
    l->config.max = config->max ?: VENDOR_LOG_MAX;
    l->handler = handler;
    l->userdata = userdata;
    int r = config->directory ? sd_journal_open_directory(&l->journal, config->directory, 0)
                              : sd_journal_open(&l->journal, SD_JOURNAL_LOCAL_ONLY);
    if (r >= 0)
        r = sd_journal_seek_tail(l->journal);
    if (r >= 0)
        r = sd_event_add_defer(config->event, &l->source, on_turn, l);
    if (r >= 0) /* everything else comes first */
        r = sd_event_source_set_priority(l->source, SD_EVENT_PRIORITY_IDLE);
    if (r >= 0)
        r = sd_event_source_set_enabled(l->source, SD_EVENT_ON);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(l);
    return 0;
}

void vendor_log_free(VendorLog *l) {
    if (!l)
        return;
    sd_event_source_disable_unref(l->source);
    if (l->journal)
        sd_journal_close(l->journal);
    free(l);
}
