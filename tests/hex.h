/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bytes written as hexadecimal digits, for tests. */
#pragma once

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Returns how many bytes; more than *size*, or what is not hexadecimal, fails the test. */
static inline size_t hex_bytes(const char *digits, uint8_t *ret, size_t size) {
    size_t n = strlen(digits) / 2;

    ck_assert_msg(strlen(digits) % 2 == 0 && n <= size, "%s", digits);
    for (size_t i = 0; i < n; i++) {
        unsigned byte;
        ck_assert_msg(sscanf(digits + 2 * i, "%2x", &byte) == 1, "%s", digits);
        ret[i] = (uint8_t)byte;
    }
    return n;
}

#define ck_assert_hex_eq(data, size, digits)                                                                 \
    do {                                                                                                     \
        uint8_t _expected[2048];                                                                             \
        size_t _n = hex_bytes(digits, _expected, sizeof _expected);                                          \
        ck_assert_uint_eq(size, _n);                                                                         \
        ck_assert_mem_eq(data, _expected, _n);                                                               \
    } while (0)
