/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the CWMP tests share: envelopes from tests/data/cwmp, a repeatable source of randomness. */
#pragma once

#include <check.h>
#include <stdio.h>

#include "base/macro.h"
#include "base/rng.h"

/* A file of tests/data/cwmp, malloc'ed, with a NUL behind it. */
static inline char *data_read(const char *name, size_t *ret_size) {
    char path[4096];
    const char *directory = getenv("TEST_DATA");
    ck_assert_ptr_nonnull(directory);
    snprintf(path, sizeof path, "%s/cwmp/%s", directory, name);
    FILE *f = fopen(path, "re");
    ck_assert_msg(f != NULL, "%s", path);
    char *data = calloc(1, 65536);
    *ret_size = fread(data, 1, 65535, f);
    ck_assert_uint_gt(*ret_size, 0);
    fclose(f);
    return data;
}

/* xorshift64*: the same numbers in every run; *userdata* is its uint64_t state, not 0. */
static inline void seeded_fill(void *userdata, void *ret, size_t size) {
    uint64_t *state = userdata;
    for (size_t i = 0; i < size; i++) {
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        ((uint8_t *)ret)[i] = (uint8_t)((*state * UINT64_C(2685821657736338717)) >> 56);
    }
}
