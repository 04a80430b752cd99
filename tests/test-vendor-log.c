/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The end of the journal as a file. Journals are made by journald alone: where the machine has one, it is
 * read. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"
#include "vendor-log-io.h"

static int told, error;

static void on_done(void *userdata, int r) {
    told++;
    error = r;
}

static off_t size_of(const char *directory, size_t max) {
    char path[] = "/tmp/henb-log-XXXXXX";
    sd_event *event;
    VendorLog *log;
    struct stat st;

    told = 0;
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    unlink(path);
    ck_assert_int_ge(sd_event_new(&event), 0);
    VendorLogConfig config = {.event = event, .fd = fd, .max = max, .directory = directory};
    ck_assert_int_eq(vendor_log_new(&log, &config, on_done, NULL), 0);
    for (int i = 0; i < 100000 && !told; i++)
        ck_assert_int_ge(sd_event_run(event, 1000000), 0);
    ck_assert_int_eq(told, 1);
    ck_assert_int_eq(error, 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    vendor_log_free(log);
    sd_event_unref(event);
    close(fd);
    return st.st_size;
}

START_TEST(no_journal_is_an_empty_file) {
    char path[] = "/tmp/henb-journal-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(path));
    ck_assert_int_eq(size_of(path, 0), 0);
    rmdir(path);
}
END_TEST

START_TEST(bounded) {
    ck_assert_int_le(size_of(NULL, 0), VENDOR_LOG_MAX);
    ck_assert_int_le(size_of(NULL, 2000), 2000);
}
END_TEST

START_TEST(freed_in_the_middle) {
    sd_event *event;
    VendorLog *log;
    ck_assert_int_ge(sd_event_new(&event), 0);
    VendorLogConfig config = {.event = event, .fd = -1};
    ck_assert_int_eq(vendor_log_new(&log, &config, on_done, NULL), 0);
    vendor_log_free(log);
    ck_assert_int_ge(sd_event_run(event, 0), 0);
    sd_event_unref(event);
}
END_TEST

SUITE("vendor-log", no_journal_is_an_empty_file, bounded, freed_in_the_middle)
