/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The store on disks that are full, read-only or closed to it: what was stored is there, whole; what cannot
 * be stored is refused; and when the disk is back it is used again. The disks are the test's own where it is
 * root. */
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#include "state.h"
#include "suite.h"

/* fsync() and fdatasync() of a folder, here and in SQLite, fail so often. */
static unsigned folder_syncs_failing;

static int folder_sync(int fd, long call) {
    struct stat st;
    if (folder_syncs_failing > 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        folder_syncs_failing--;
        errno = EIO;
        return -1;
    }
    return (int)syscall(call, fd);
}

int fsync(int fd) {
    return folder_sync(fd, SYS_fsync);
}

int fdatasync(int fd) {
    return folder_sync(fd, SYS_fdatasync);
}

/* The clock of the store, which looks for a disk from time to time only. */
static time_t later_sec;

int clock_gettime(clockid_t id, struct timespec *ret) {
    int r = (int)syscall(SYS_clock_gettime, id, ret);
    ret->tv_sec += later_sec;
    return r;
}

static void disk_is_looked_for(void) {
    later_sec += (time_t)(STORE_THAW_INTERVAL / USEC_PER_SEC);
}

/* Full disks ------------------------------------------------------------------------------------------ */

/* What was there is there, whole; -ENOSPC is said once; and once there is room the next one is written. */
static void commits_find_no_room(Store *store, const char *contents) {
    log_begin();
    ck_assert_int_eq(state_fill(store, "new", STATE_FILLED), -ENOSPC);
    ck_assert_int_eq(state_fill(store, "new", STATE_FILLED), -ENOSPC);
    const char *log = log_end();
    ck_assert_msg(log_lines(log) == 1, "%s", log);
    ck_assert_str_eq(state_contents(store), contents);
    Store *other = state_open();
    ck_assert_str_eq(state_contents(other), contents);
    store_close(other);
}

static void commits_find_room(Store *store) {
    log_begin();
    ck_assert_int_eq(state_fill(store, "new", STATE_FILLED), 0);
    ck_assert_int_eq(state_fill(store, "newer", STATE_FILLED), 0);
    const char *log = log_end();
    ck_assert_msg(log_lines(log) == 1 && strstr(log, "can be written again"), "%s", log);
    ck_assert_ptr_null(strstr(state_contents(store), "kept"));
    ck_assert_ptr_nonnull(strstr(state_contents(store), "newer"));
}

/* Each write in turn is the first one that fails. */
START_TEST(failing_from_any_write_on) {
    static const struct {
        int system, error;
    } cases[] = {{ENOSPC, -ENOSPC}, {EDQUOT, -ENOSPC}, {EROFS, -EROFS}, {EIO, -EIO}};
    char *contents;
    size_t size;
    int r;
    state_start();
    char *data = state_filled(&size, &contents);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        unsigned after = 0;
        state_clear();
        file_write(state_path, data, size);
        Store *store = state_open();
        fault_errno = cases[i].system;
        do {
            fault_arm(FAULT_FAIL, after++);
            r = state_fill(store, "new", STATE_FILLED);
            ck_assert_msg(r == 0 || r == cases[i].error, "%s: %d", strerror(cases[i].system), r);
            fault_arm(FAULT_NONE, 0);
            if (r < 0) {
                ck_assert_str_eq(state_contents(store), contents);
                Store *other = state_open();
                ck_assert_str_eq(state_contents(other), contents);
                store_close(other);
            }
        } while (r < 0);
        ck_assert_uint_ge(after, 10);
        ck_assert_str_eq(state_files(), "state.db");
        store_close(store);
    }
    free(data);
    free(contents);
    state_stop();
}
END_TEST

/* No room for the first database; it is made as soon as there is some. */
START_TEST(full_from_the_first_start_on) {
    state_start();
    for (unsigned after = 0;; after++) {
        state_clear();
        fault_arm(FAULT_FAIL, after);
        log_begin();
        Store *store = state_open();
        if (!strstr(log_end(), "NOTHING CAN BE STORED")) {
            ck_assert_uint_ge(after, 4);
            store_close(store);
            break;
        }
        ck_assert_int_eq(state_put(store, "a", "1"), -ENOSPC);
        ck_assert_str_eq(state_contents(store), "");
        ck_assert_int_eq(store_set_mark(store, "x"), 0); /* this file still found room */
        fault_arm(FAULT_NONE, 0);
        ck_assert_int_eq(state_put(store, "a", "1"), -ENOSPC); /* not looked at again yet */
        disk_is_looked_for();
        LOG_OF(ck_assert_int_eq(state_put(store, "a", "1"), 0), "can be written again");
        ck_assert_str_eq(state_contents(store), "a=1;");
        store_close(store);
        store = state_open();
        ck_assert_str_eq(state_contents(store), "a=1;");
        store_close(store);
        ck_assert_str_eq(state_files(), "deregistered state.db");
    }
    state_stop();
}
END_TEST

/* The file is in its place, and SQLite's journal is gone, when the folder fails. */
START_TEST(a_refused_mark_is_not_there) {
    char *value;
    state_start();
    Store *store = state_open();
    for (unsigned failing = 3; failing < 7; failing++) {
        folder_syncs_failing = failing;
        ck_assert_int_eq(store_set_mark(store, "x"), -EIO);
        folder_syncs_failing = 0;
        ck_assert_ptr_null(strstr(state_files(), "deregistered"));
        store_close(store);
        store = state_open();
        ck_assert_int_eq(store_get_mark(store, &value), -ENOENT);
    }
    /* One that was there before stays. */
    ck_assert_int_eq(store_set_mark(store, "x"), 0);
    folder_syncs_failing = 9;
    ck_assert_int_eq(store_set_mark(store, "y"), -EIO);
    folder_syncs_failing = 0;
    store_close(store);
    store = state_open();
    ck_assert_int_eq(store_get_mark(store, &value), 0);
    free(value);
    store_close(store);
    state_stop();
}
END_TEST

/* The kernel's own refusal, as it comes without root too. */
START_TEST(a_file_that_may_not_grow) {
    struct rlimit limit;
    char *contents;
    size_t size;
    state_start();
    char *data = state_filled(&size, &contents);
    Store *store = state_open();
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){8192, limit.rlim_max}), 0);
    commits_find_no_room(store, contents);
    /* Even a store that is healthy is not taken for damaged then. */
    Store *other = state_open();
    ck_assert_str_eq(state_contents(other), contents);
    store_close(other);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    commits_find_room(store);
    store_close(store);
    ck_assert_str_eq(state_files(), "state.db");
    free(data);
    free(contents);
    state_stop();
}
END_TEST

/* A disk of its own for the folder, in a mount namespace; false without root. Gone with the process. */
static bool disk_mount(const char *options) {
    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0) {
        fprintf(stderr, "skipped: a disk of its own needs root\n");
        state_stop();
        return false;
    }
    ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    ck_assert_int_eq(mount("tmpfs", state_directory, "tmpfs", 0, options), 0);
    return true;
}

static void disk_remount(unsigned long flags) {
    ck_assert_int_eq(mount(NULL, state_directory, NULL, MS_REMOUNT | flags, NULL), 0);
}

static void disk_umount(void) {
    ck_assert_int_eq(umount(state_directory), 0);
    ck_assert_int_eq(rmdir(state_directory), 0);
}

static void disk_fill(void) {
    static const char block[4096];
    int fd = open(state_beside("other"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    while (write(fd, block, sizeof block) > 0)
        ;
    ck_assert_int_eq(errno, ENOSPC);
    close(fd);
}

START_TEST(a_full_disk) {
    char *contents, *value;
    size_t size;
    state_start();
    if (!disk_mount("size=400k"))
        return;
    char *data = state_filled(&size, &contents);
    Store *store = state_open();
    ck_assert_int_eq(store_set_mark(store, "before"), 0);
    disk_fill();
    commits_find_no_room(store, contents);
    LOG_OF(ck_assert_int_eq(store_set_mark(store, "after"), -ENOSPC), "the file deregistered");
    ck_assert_int_eq(store_reset(store, NULL, 0), -ENOSPC);
    ck_assert_int_eq(store_set_meta(store, "assigned", "x"), -ENOSPC);
    ck_assert_str_eq(state_files(), "deregistered other state.db");
    ck_assert_int_eq(store_get_mark(store, &value), 0);
    ck_assert_str_eq(value, "before");
    free(value);
    store_close(store);
    store = state_open(); /* a start with a full disk */
    ck_assert_str_eq(state_contents(store), contents);
    commits_find_no_room(store, contents);
    ck_assert_int_eq(unlink(state_beside("other")), 0);
    commits_find_room(store);
    ck_assert_int_eq(store_set_mark(store, "after"), 0);
    store_close(store);

    /* Full from the first start on, and a damaged one that still is kept aside. */
    state_clear();
    disk_fill();
    LOG_OF(store = state_open(), "NOTHING CAN BE STORED");
    ck_assert_int_eq(state_put(store, "a", "1"), -ENOSPC);
    store_close(store);
    state_clear();
    file_write_text(state_path, "damage");
    disk_fill();
    LOG_OF(store = state_open(), "kept aside");
    ck_assert_int_eq(state_put(store, "a", "1"), -ENOSPC);
    ck_assert_int_eq(unlink(state_beside("other")), 0);
    disk_is_looked_for();
    ck_assert_int_eq(state_put(store, "a", "1"), 0);
    store_close(store);
    ck_assert_str_eq(state_files(), "state.db state.db.damaged-1");
    free(data);
    free(contents);
    disk_umount();
}
END_TEST

/* No room for another file, as a journal is one. */
START_TEST(a_disk_without_inodes) {
    state_start();
    if (!disk_mount("size=4m,nr_inodes=3"))
        return;
    Store *store = state_open();
    ck_assert_int_eq(state_put(store, "a", "1"), 0);
    file_write_text(state_beside("other"), "x");
    ck_assert_int_eq(state_put(store, "a", "2"), -ENOSPC);
    ck_assert_int_eq(store_set_mark(store, "x"), -ENOSPC);
    ck_assert_str_eq(state_contents(store), "a=1;");
    ck_assert_int_eq(unlink(state_beside("other")), 0);
    ck_assert_int_eq(state_put(store, "a", "2"), 0);
    store_close(store);
    ck_assert_str_eq(state_files(), "state.db");
    disk_umount();
}
END_TEST

/* Read-only disks ------------------------------------------------------------------------------------- */

START_TEST(a_read_only_disk) {
    char *contents, *value;
    size_t size;
    Store *store;
    state_start();
    if (!disk_mount("size=4m"))
        return;
    char *data = state_filled(&size, &contents);
    store = state_open();
    ck_assert_int_eq(store_set_mark(store, "before"), 0);

    store_close(store);
    disk_remount(MS_RDONLY);
    log_begin();
    store = state_open();
    const char *log = log_end();
    ck_assert_msg(log_lines(log) == 1 && strstr(log, "what was stored is used") &&
                      strstr(log, "NOTHING CAN BE STORED"),
                  "%s", log);
    ck_assert_str_eq(state_contents(store), contents);
    log_begin();
    ck_assert_int_eq(state_put(store, "a", "1"), -EROFS);
    ck_assert_int_eq(store_set_meta(store, "a", "1"), -EROFS);
    ck_assert_int_eq(store_reset(store, NULL, 0), -EROFS);
    ck_assert_str_eq(log_end(), "");
    ck_assert_int_eq(store_set_mark(store, "after"), -EROFS);
    ck_assert_int_eq(store_set_mark(store, NULL), -EROFS);
    ck_assert_int_eq(store_get_mark(store, &value), 0);
    ck_assert_str_eq(value, "before");
    free(value);
    ck_assert_int_eq(store_get_meta(store, "bootstrapped-url", &value), 0);
    free(value);
    disk_remount(0);
    disk_is_looked_for();
    LOG_OF(ck_assert_int_eq(state_put(store, "a", "1"), 0), "can be written again");
    ck_assert_ptr_nonnull(strstr(state_contents(store), "a=1;"));
    store_close(store);

    /* Nothing there, and damage that cannot be kept aside: in memory, until the disk is back. */
    for (int i = 0; i < 2; i++) {
        state_clear();
        if (i)
            file_write_text(state_path, "damage");
        disk_remount(MS_RDONLY);
        LOG_OF(store = state_open(), "NOTHING CAN BE STORED");
        ck_assert_str_eq(state_contents(store), "");
        ck_assert_int_eq(state_put(store, "a", "1"), -EROFS);
        ck_assert_str_eq(state_contents(store), "");
        ck_assert_str_eq(state_files(), i ? "state.db" : "");
        disk_remount(0);
        disk_is_looked_for();
        ck_assert_int_eq(state_put(store, "a", "1"), 0);
        store_close(store);
        ck_assert_str_eq(state_files(), i ? "state.db state.db.damaged-1" : "state.db");
        store = state_open();
        ck_assert_str_eq(state_contents(store), "a=1;");
        store_close(store);
    }
    free(data);
    free(contents);
    disk_umount();
}
END_TEST

/* What a power cut and the check of the file system may leave: half a commit, and a disk that must not be
 * written. It can only be rolled back later; half of it is never shown. */
START_TEST(half_a_commit_on_a_read_only_disk) {
    char *contents;
    size_t size;
    state_start();
    if (!disk_mount("size=4m"))
        return;
    char *data = state_filled(&size, &contents);
    state_interrupt(data, size);
    disk_remount(MS_RDONLY);
    Store *store;
    LOG_OF(store = state_open(), "NOTHING CAN BE STORED");
    ck_assert_str_eq(state_contents(store), "");
    ck_assert_int_eq(state_put(store, "a", "1"), -EROFS);
    disk_remount(0);
    disk_is_looked_for();
    /* What the box has built on since then is not what the file holds. */
    log_begin();
    ck_assert_int_eq(state_put(store, "a", "1"), -ESTALE);
    ck_assert_int_eq(state_put(store, "a", "1"), -ESTALE);
    const char *log = log_end();
    ck_assert_msg(log_lines(log) == 1 && strstr(log, "from the next start on"), "%s", log);
    store_close(store);
    store = state_open();
    ck_assert_str_eq(state_contents(store), contents);
    store_close(store);
    ck_assert_str_eq(state_files(), "state.db");
    free(data);
    free(contents);
    disk_umount();
}
END_TEST

/* Permissions; they bind nobody who is root. */
START_TEST(no_permission) {
    char *contents;
    size_t size;
    Store *store;
    state_start();
    char *data = state_filled(&size, &contents);
    ck_assert_int_eq(chmod(state_directory, 0755), 0);
    const bool root = geteuid() == 0;
    if (root) {
        ck_assert_int_eq(chown(state_path, 65534, 65534), 0);
        ck_assert_int_eq(chown(state_directory, 65534, 65534), 0);
        ck_assert_int_eq(setgroups(0, NULL), 0);
        ck_assert_int_eq(setresgid(65534, 65534, 0), 0);
        ck_assert_int_eq(setresuid(65534, 65534, 0), 0);
    }
    /* The file can be read only: that is used. */
    ck_assert_int_eq(chmod(state_path, 0400), 0);
    LOG_OF(store = state_open(), "what was stored is used");
    ck_assert_str_eq(state_contents(store), contents);
    ck_assert_int_eq(state_put(store, "a", "1"), -EACCES);
    ck_assert_int_eq(chmod(state_path, 0600), 0);
    disk_is_looked_for();
    ck_assert_int_eq(state_put(store, "a", "1"), 0);
    store_close(store);
    /* No file can be made in the folder. */
    ck_assert_int_eq(chmod(state_directory, 0555), 0);
    store = state_open();
    ck_assert_int_lt(state_put(store, "a", "2"), 0);
    ck_assert_int_eq(chmod(state_directory, 0755), 0);
    ck_assert_int_eq(state_put(store, "a", "2"), 0);
    store_close(store);
    /* The file cannot be read: kept aside; in a folder that is closed too, in memory. */
    ck_assert_int_eq(chmod(state_path, 0), 0);
    ck_assert_int_eq(chmod(state_directory, 0555), 0);
    LOG_OF(store = state_open(), "NOTHING CAN BE STORED");
    ck_assert_int_lt(state_put(store, "a", "3"), 0);
    store_close(store);
    ck_assert_int_eq(chmod(state_directory, 0755), 0);
    LOG_OF(store = state_open(), "kept aside");
    ck_assert_int_eq(state_put(store, "a", "3"), 0);
    store_close(store);
    ck_assert_str_eq(state_files(), "state.db state.db.damaged-1");
    free(data);
    free(contents);
    if (root)
        ck_assert_int_eq(setresuid(0, 0, 0), 0);
    state_stop();
}
END_TEST

SUITE("store-disk", failing_from_any_write_on, full_from_the_first_start_on, a_refused_mark_is_not_there,
      a_file_that_may_not_grow, a_full_disk, a_disk_without_inodes, a_read_only_disk,
      half_a_commit_on_a_read_only_disk, no_permission)
