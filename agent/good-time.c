/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See good-time.h. */
#include "good-time.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/macro.h"
#include "clock.h"

#define META_LAST_GOOD_TIME "last-good-time" /* seconds since 1970 */

int good_time_load(GoodTime *ret, Store *store) {
    _cleanup_free_ char *text = NULL;
    int r = store_get_meta(store, META_LAST_GOOD_TIME, &text);

    *ret = (GoodTime){.store = store, .floor = BUILT * USEC_PER_SEC};
    if (r == 0)
        ret->floor = MAX(ret->floor, strtoull(text, NULL, 10) * USEC_PER_SEC);
    return r == -ENOENT ? 0 : r;
}

bool good_time_now(const GoodTime *time) {
    return clock_now().real >= time->floor;
}

void good_time_seen(GoodTime *time) {
    if (good_time_now(time))
        time->seen = clock_now();
    good_time_keep(time);
}

/* A time at which the gateway's certificate was valid. A clock that is only late enough may be years too
 * late, and the box would not believe the right time then. */
void good_time_keep(const GoodTime *time) {
    Moment then = time->seen;
    usec_t good = then.real > 0 ? then.real + (clock_now().mono - then.mono) : time->floor;
    char text[24];

    if (good <= BUILT * USEC_PER_SEC)
        return;
    snprintf(text, sizeof text, "%" PRIu64, good / USEC_PER_SEC);
    (void)store_set_meta(time->store, META_LAST_GOOD_TIME, text); /* which logs why not */
}
