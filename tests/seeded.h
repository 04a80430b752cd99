/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A repeatable source of randomness for the engines under test. */
#pragma once

#include "base/rng.h"

/* The fill function of an Rng: xorshift64*, the same numbers in every run; *userdata* is its uint64_t state,
 * not 0. */
static inline void seeded_fill(void *userdata, void *ret, size_t size) {
    uint64_t *state = userdata;
    for (size_t i = 0; i < size; i++) {
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        ((uint8_t *)ret)[i] = (uint8_t)((*state * UINT64_C(2685821657736338717)) >> 56);
    }
}

/* Any *seed*; *state* must live as long as the Rng. */
static inline Rng seeded_rng(uint64_t *state, uint64_t seed) {
    *state = seed * 2 + 1;
    return (Rng){seeded_fill, state};
}
