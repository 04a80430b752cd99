/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A changed resolv.conf is noticed, however it is written. */
#include "discovery/resolv-conf-io.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "suite.h"

static char folder[] = "/tmp/henb-resolv-conf.XXXXXX";
static unsigned changes;

static void on_changed(void *userdata) {
    changes++;
}

static const char *in_folder(const char *name) {
    static char paths[4][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, PATH_MAX, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *path) {
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs("nameserver 192.0.2.53\n", f);
    fclose(f);
}

/* Until nothing more comes at once. */
static bool noticed(sd_event *event) {
    unsigned before = changes;
    while (sd_event_run(event, 0) > 0)
        ;
    return changes > before;
}

START_TEST(every_way_of_writing_is_noticed) {
    _cleanup_(sd_event_unrefp) sd_event *event = NULL;
    _cleanup_(resolv_conf_watch_freep) ResolvConfWatch *watch = NULL;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_ge(sd_event_new(&event), 0);
    ck_assert_int_eq(mkdir(in_folder("run"), 0700), 0);
    write_file(in_folder("run/stub.conf"));
    ck_assert_int_eq(symlink(in_folder("run/stub.conf"), in_folder("resolv.conf")), 0);
    ck_assert_int_eq(resolv_conf_watch_new(&watch, event, in_folder("resolv.conf"), on_changed, NULL), 0);
    ck_assert(!noticed(event));

    write_file(in_folder("run/stub.conf")); /* what the link leads to, in place */
    ck_assert(noticed(event));
    write_file(in_folder("run/new"));
    ck_assert(!noticed(event));
    ck_assert_int_eq(rename(in_folder("run/new"), in_folder("run/stub.conf")), 0); /* or replaced */
    ck_assert(noticed(event));
    write_file(in_folder("other.conf"));
    ck_assert(!noticed(event));
    ck_assert_int_eq(rename(in_folder("other.conf"), in_folder("resolv.conf")), 0); /* a file for the link */
    ck_assert(noticed(event));
    write_file(in_folder("resolv.conf"));
    ck_assert(noticed(event));
    ck_assert_int_eq(unlink(in_folder("resolv.conf")), 0);
    ck_assert_int_eq(symlink(in_folder("run/stub.conf"), in_folder("resolv.conf")), 0);
    ck_assert(noticed(event));

    ck_assert_int_eq(unlink(in_folder("resolv.conf")), 0);
    ck_assert_int_eq(unlink(in_folder("run/stub.conf")), 0);
    ck_assert_int_eq(rmdir(in_folder("run")), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_no_error) {
    _cleanup_(sd_event_unrefp) sd_event *event = NULL;
    _cleanup_(resolv_conf_watch_freep) ResolvConfWatch *watch = NULL;
    ck_assert_int_ge(sd_event_new(&event), 0);
    ck_assert_int_eq(resolv_conf_watch_new(&watch, event, "/nowhere/resolv.conf", on_changed, NULL), 0);
}
END_TEST

SUITE("resolv-conf", every_way_of_writing_is_noticed, a_folder_that_is_not_there_is_no_error)
