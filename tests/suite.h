/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SUITE("title", test, ...) makes main() of a libcheck test program out of its START_TEST functions. And what
 * many tests say: address("192.0.2.1"). */
#pragma once

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"

static inline Address address(const char *literal) {
    Address a;
    ck_assert_msg(address_parse(literal, &a) == 0, "%s", literal);
    return a;
}

/* Runs *suite* and frees it; main()'s status. */
static inline int suite_end(Suite *suite) {
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static inline int suite_run(const char *title, const TTest *const tests[], size_t n) {
    Suite *suite = suite_create(title);
    for (size_t i = 0; i < n; i++) {
        TCase *tcase = tcase_create(tests[i]->name);
        tcase_set_timeout(tcase, 60);
        tcase_add_test(tcase, tests[i]);
        suite_add_tcase(suite, tcase);
    }
    return suite_end(suite);
}

#define SUITE(title, ...)                                                                                    \
    int main(void) {                                                                                         \
        const TTest *const tests[] = {__VA_ARGS__};                                                          \
        return suite_run(title, tests, sizeof tests / sizeof tests[0]);                                      \
    }

/* The same for tests that need something of the machine: *unable* returns why it lacks it, or NULL. Status 77
 * is how meson is told of a skip. */
#define SUITE_IF_ABLE(unable, title, ...)                                                                    \
    int main(void) {                                                                                         \
        const TTest *const tests[] = {__VA_ARGS__};                                                          \
        const char *why = (unable)();                                                                        \
        if (why) {                                                                                           \
            fprintf(stderr, "%s: skipped: %s\n", title, why);                                                \
            return 77;                                                                                       \
        }                                                                                                    \
        return suite_run(title, tests, sizeof tests / sizeof tests[0]);                                      \
    }

/* Runs *call* and then *judge*, which finds what went to standard error meanwhile in _log. */
#define WITH_LOG(call, judge)                                                                                \
    do {                                                                                                     \
        int _pipe[2], _saved = dup(STDERR_FILENO);                                                           \
        char _log[8192] = "";                                                                                \
        ck_assert_int_eq(pipe(_pipe), 0);                                                                    \
        dup2(_pipe[1], STDERR_FILENO);                                                                       \
        close(_pipe[1]);                                                                                     \
        call;                                                                                                \
        dup2(_saved, STDERR_FILENO);                                                                         \
        close(_saved);                                                                                       \
        ck_assert_int_ge(read(_pipe[0], _log, sizeof _log - 1), 0);                                          \
        close(_pipe[0]);                                                                                     \
        judge;                                                                                               \
    } while (0)
/* The log of *call* has *text* in it. */
#define LOG_OF(call, text)                                                                                   \
    WITH_LOG(call, ck_assert_msg(strstr(_log, text), "not in the log: %s\n%s", text, _log))
