/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SUITE("title", test, ...) makes main() of a libcheck test program out of its START_TEST functions. */
#pragma once

#include <check.h>
#include <stdlib.h>

#define SUITE(title, ...)                                                                                    \
    int main(void) {                                                                                         \
        const TTest *const tests[] = {__VA_ARGS__};                                                          \
        Suite *suite = suite_create(title);                                                                  \
        for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {                                        \
            TCase *tcase = tcase_create(tests[i]->name);                                                     \
            tcase_set_timeout(tcase, 60);                                                                    \
            tcase_add_test(tcase, tests[i]);                                                                 \
            suite_add_tcase(suite, tcase);                                                                   \
        }                                                                                                    \
        SRunner *runner = srunner_create(suite);                                                             \
        srunner_run_all(runner, CK_NORMAL);                                                                  \
        int failed = srunner_ntests_failed(runner);                                                          \
        srunner_free(runner);                                                                                \
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;                                                         \
    }
