/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Is standard error the journal's? What a line looks like there, the scenario "journal" shows. */
#include "suite.h"

#include <inttypes.h>
#include <sys/stat.h>

#include "base/log-journal-io.h"

/* JOURNAL_STREAM as systemd sets it for standard error, the inode *off* away from it. */
static void stream_set(ino_t off) {
    char text[64];
    struct stat st;

    ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
    snprintf(text, sizeof text, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)(st.st_ino + off));
    ck_assert_int_eq(setenv("JOURNAL_STREAM", text, 1), 0);
}

START_TEST(is_there) {
    stream_set(0);
    ck_assert(log_journal_is_there());
}
END_TEST

/* From a terminal, or with standard error led elsewhere within a unit. */
START_TEST(is_not_there) {
    unsetenv("JOURNAL_STREAM");
    ck_assert(!log_journal_is_there());
    stream_set(1);
    ck_assert(!log_journal_is_there());
    setenv("JOURNAL_STREAM", "", 1);
    ck_assert(!log_journal_is_there());
}
END_TEST

START_TEST(standard_error_is_closed) {
    stream_set(0);
    int saved = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    bool there = log_journal_is_there();
    dup2(saved, STDERR_FILENO);
    close(saved);
    ck_assert(!there);
}
END_TEST

SUITE("log-journal-io", is_there, is_not_there, standard_error_is_closed)
