/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a fuzz target is: one function that takes any bytes. libFuzzer calls it (tests/fuzz/run), and replay.c
 * with the corpus as an ordinary test. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A function in which the fuzzer has nothing to learn, and whose loops cost it time. */
#ifdef __clang__
#define _plain_                                                                                              \
    __attribute__((no_profile_instrument_function, no_sanitize("address", "undefined", "coverage")))
#else
#define _plain_
#endif

/* What must hold whatever the input. */
#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                   \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)
