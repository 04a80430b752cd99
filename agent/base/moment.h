/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Time as engines see it: an argument, never a system call. */
#pragma once

#include <stdint.h>

typedef uint64_t usec_t;

#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC  UINT64_C(1000000)
#define USEC_NEVER    UINT64_MAX

/* One reading of both clocks. Deadlines are on *mono* (CLOCK_BOOTTIME: it counts while suspended and never
 * jumps); *real* (CLOCK_REALTIME, since 1970) is for certificates and for CWMP's CurrentTime only. */
typedef struct Moment {
    usec_t mono;
    usec_t real;
} Moment;
