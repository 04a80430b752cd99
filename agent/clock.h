/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The clocks, for the files that touch the world. */
#pragma once

#include <time.h>

#include "base/moment.h"

static inline usec_t clock_read(clockid_t id) {
    struct timespec ts;
    clock_gettime(id, &ts);
    return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

static inline Moment clock_now(void) {
    return (Moment){.mono = clock_read(CLOCK_BOOTTIME), .real = clock_read(CLOCK_REALTIME)};
}
