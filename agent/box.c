/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See box.h. Formats: proc(5); Linux Documentation/networking/xfrm_proc.rst. */
#include "box.h"

#include <stdio.h>

#include "base/macro.h"

bool box_field(const char *text, const char *key, uint64_t *ret) {
    const size_t len = strlen(key);

    for (const char *line = text; line && *line; line = strchr(line, '\n'), line += line != NULL) {
        if (strncmp(line, key, len) != 0 || !strchr(" \t", line[len]))
            continue;
        const char *number = line + len + strspn(line + len, " \t");
        if (*number < '0' || *number > '9')
            return false;
        *ret = strtoull(number, NULL, 10);
        return true;
    }
    return false;
}

/* "cpu  user nice system idle iowait irq softirq steal guest guest_nice"; guests are in user. */
bool box_cpu(const char *stat, BoxCpu *ret) {
    unsigned long long f[8] = {};

    if (sscanf(stat, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &f[0], &f[1], &f[2], &f[3], &f[4], &f[5],
               &f[6], &f[7]) < 4)
        return false;
    *ret = (BoxCpu){};
    for (size_t i = 0; i < ARRAY_SIZE(f); i++)
        ret->total += f[i];
    ret->busy = ret->total - f[3] - f[4];
    return true;
}

unsigned box_cpu_usage(const BoxCpu *before, const BoxCpu *after) {
    if (after->total <= before->total || after->busy < before->busy)
        return 0;
    return (unsigned)MIN(UINT64_C(100), (after->busy - before->busy) * 100 / (after->total - before->total));
}

static const char *state_word(char letter) {
    switch (letter) {
    case 'R':
        return "Running";
    case 'D':
        return "Uninterruptible";
    case 'T':
    case 't':
        return "Stopped";
    case 'Z':
    case 'X':
        return "Zombie";
    case 'I':
        return "Idle";
    default:
        return "Sleeping";
    }
}

/* "PID (COMMAND) STATE ..."; a command may hold anything, so its end is the last parenthesis. */
bool box_process(const char *stat, unsigned hz, unsigned page_size, BoxProcess *ret) {
    const char *open = strchr(stat, '('), *end = strrchr(stat, ')');
    unsigned long long user, system, start;
    long long priority, pages;
    char letter;

    if (!open || !end || end < open ||
        sscanf(end + 1,
               " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %lld %*d %*d %*d %llu %*u %lld",
               &letter, &user, &system, &priority, &start, &pages) != 6)
        return false;
    *ret = (BoxProcess){
        .state = state_word(letter),
        /* The kernel's -100 (real time) to 39 (nice 19). */
        .priority = (unsigned)(priority < -100 ? 0
                               : priority > 39 ? 139
                                               : priority + 100) *
                    99 / 139,
        .cpu_msec = (user + system) * 1000 / MAX(hz, 1U),
        .size_kib = (uint64_t)MAX(0, pages) * page_size / 1024,
        .start = start,
    };
    snprintf(ret->command, sizeof ret->command, "%.*s", (int)(end - open - 1), open + 1);
    return true;
}

const char *const *box_xfrm_names(const char *parameter) {
    static const struct {
        const char *parameter, *names[BOX_XFRM_MAX + 1];
    } counters[] = {
        {"UnknownSPIErrors", {"XfrmInNoStates"}},
        /* The kernel does not tell a wrong key from a wrong hash: AEADs know only one of them. */
        {"IntegrityErrors", {"XfrmInStateProtoError"}},
        {"DecryptionErrors", {"XfrmInStateModeError"}},
        {"ReplayErrors", {"XfrmInStateSeqError"}},
        {"PolicyErrors",
         {"XfrmInTmplMismatch", "XfrmInNoPols", "XfrmInPolBlock", "XfrmInPolError", "XfrmInStateMismatch"}},
        {"OtherReceiveErrors",
         {"XfrmInError", "XfrmInBufferError", "XfrmInHdrError", "XfrmInStateExpired", "XfrmInStateInvalid"}},
        {"ErrorsSent",
         {"XfrmOutError", "XfrmOutStateProtoError", "XfrmOutStateSeqError", "XfrmOutStateExpired",
          "XfrmOutStateInvalid", "XfrmOutNoStates"}},
    };

    for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
        if (streq(parameter, counters[i].parameter))
            return counters[i].names;
    return NULL;
}
