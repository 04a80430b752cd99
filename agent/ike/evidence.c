/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See evidence.h. */
#include "ike/evidence.h"

#include <stdio.h>
#include <time.h>

const char *evidence_reason(int reason) {
    static const char *const names[] = {
        [0] = "unspecified",        [1] = "keyCompromise", [2] = "cACompromise",
        [3] = "affiliationChanged", [4] = "superseded",    [5] = "cessationOfOperation",
        [6] = "certificateHold",    [8] = "removeFromCRL", [9] = "privilegeWithdrawn",
        [10] = "aACompromise",
    };
    if (reason < 0)
        return "no reason given";
    return (size_t)reason < ARRAY_SIZE(names) && names[reason] ? names[reason] : "an unknown reason";
}

const char *evidence_format_time(usec_t t, char buf[static EVIDENCE_TIME_MAX]) {
    time_t seconds = (time_t)(t / USEC_PER_SEC);
    struct tm tm;

    if (!gmtime_r(&seconds, &tm) || strftime(buf, EVIDENCE_TIME_MAX, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
        strcpy(buf, "?");
    return buf;
}

static int stale(char *error, const char *what, usec_t t) {
    snprintf(error, ERROR_MAX_BYTES, "it %s %s", what, evidence_format_time(t, (char[EVIDENCE_TIME_MAX]){0}));
    return -ESTALE;
}

int evidence_check_dates(usec_t this_update, usec_t next_update, usec_t now, char *error) {
    if (now == USEC_NEVER)
        return 0;
    if (this_update > now + EVIDENCE_TOLERANCE)
        return stale(error, "is of the future, of", this_update);
    if (next_update == USEC_NEVER)
        return now > this_update + EVIDENCE_AGE_MAX + EVIDENCE_TOLERANCE
                   ? stale(error, "has no nextUpdate and is of", this_update)
                   : 0;
    return now > next_update + EVIDENCE_TOLERANCE ? stale(error, "expired on", next_update) : 0;
}
