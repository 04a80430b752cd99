/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The clocks, and timers on them, for the files that touch the world. */
#pragma once

#include <systemd/sd-event.h>
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

/* Has *timer* go off once, at a moment of its own clock; USEC_NEVER: not at all. */
static inline void timer_set(sd_event_source *timer, usec_t at) {
    sd_event_source_set_time(timer, at);
    sd_event_source_set_enabled(timer, at == USEC_NEVER ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}
