/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Randomness as engines see it: an argument. The daemon passes getrandom(), a test a seeded sequence. */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct Rng {
    /* Fills *size* bytes at *ret*. Cannot fail: a source that can (getrandom before the pool is ready) waits.
     */
    void (*fill)(void *userdata, void *ret, size_t size);
    void *userdata;
} Rng;

/* A uniformly distributed number in [0, bound), 0 when *bound* is 0. */
static inline uint64_t rng_below(const Rng *rng, uint64_t bound) {
    uint64_t v;
    if (bound == 0)
        return 0;
    /* Rejects the top of the range, which would favour small results. */
    do
        rng->fill(rng->userdata, &v, sizeof v);
    while (v >= UINT64_MAX - UINT64_MAX % bound);
    return v % bound;
}

/* Not 0. */
static inline uint64_t rng_spi(const Rng *rng) {
    uint64_t v = 0;
    while (v == 0)
        rng->fill(rng->userdata, &v, sizeof v);
    return v;
}
