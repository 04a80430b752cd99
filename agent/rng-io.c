/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See rng-io.h. */
#include "rng-io.h"

#include <sys/random.h>

#include "base/macro.h"

static void fill(void *userdata, void *ret, size_t size) {
    uint8_t *p = ret;
    while (size > 0) {
        ssize_t n = getrandom(p, size, 0);
        if (n > 0) {
            p += n;
            size -= (size_t)n;
        } else
            assert(errno == EINTR);
    }
}

Rng rng_system(void) {
    return (Rng){.fill = fill};
}
