/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macro.h"
#include "store/store.h"
#include "files.h"
#include "suite.h"

static char directory[] = "/tmp/henb-test-store-XXXXXX";
static char path[128];

static void start(void) {
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/state.db", directory);
}

static void stop(void) {
    char journal[160];
    snprintf(journal, sizeof journal, "%s-journal", path);
    unlink(journal);
    unlink(path);
    ck_assert_int_eq(rmdir(directory), 0); /* nothing else was left in it */
}

static int collect(void *userdata, const char *name, const char *value) {
    char *text = userdata;
    sprintf(text + strlen(text), "%s=%s;", name, value);
    return 0;
}

static const char *contents(Store *store) {
    static char text[1024];
    text[0] = 0;
    ck_assert_int_eq(store_load_parameters(store, collect, text), 0);
    return text;
}

START_TEST(values_survive_a_reopen) {
    Store *store;
    char *value;
    struct stat st;
    start();
    ck_assert_int_eq(store_open(&store, path), 0);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    ck_assert_str_eq(contents(store), "");
    ck_assert_int_eq(store_commit(store, (const StoreChange[]){{"b", "2"}, {"a", "1 ' \""}, {"c", ""}}, 3),
                     0);
    ck_assert_int_eq(store_set_meta(store, "bootstrapped-url", "http://x/"), 0);
    ck_assert_int_eq(store_get_meta(store, "nothing", &value), -ENOENT);
    store_close(store);

    ck_assert_int_eq(store_open(&store, path), 0);
    ck_assert_str_eq(contents(store), "a=1 ' \";b=2;c=;");
    ck_assert_int_eq(store_get_meta(store, "bootstrapped-url", &value), 0);
    ck_assert_str_eq(value, "http://x/");
    free(value);
    ck_assert_int_eq(store_commit(store, (const StoreChange[]){{"b", NULL}, {"a", "9"}, {"absent", NULL}}, 3),
                     0);
    ck_assert_int_eq(store_set_meta(store, "bootstrapped-url", NULL), 0);
    ck_assert_int_eq(store_get_meta(store, "bootstrapped-url", &value), -ENOENT);
    ck_assert_str_eq(contents(store), "a=9;c=;");
    ck_assert_int_eq(store_commit(store, NULL, 0), 0);
    store_close(store);
    stop();
}
END_TEST

static int stop_at_first(void *userdata, const char *name, const char *value) {
    ++*(int *)userdata;
    return -ECANCELED;
}

START_TEST(a_visitor_can_stop) {
    Store *store;
    int calls = 0;
    start();
    ck_assert_int_eq(store_open(&store, path), 0);
    ck_assert_int_eq(store_commit(store, (const StoreChange[]){{"a", "1"}, {"b", "2"}}, 2), 0);
    ck_assert_int_eq(store_load_parameters(store, stop_at_first, &calls), -ECANCELED);
    ck_assert_int_eq(calls, 1);
    store_close(store);
    stop();
}
END_TEST

/* Another process holds the file: all of a commit or none. */
START_TEST(a_commit_that_cannot_be_made_leaves_nothing) {
    Store *store;
    sqlite3 *other;
    start();
    ck_assert_int_eq(store_open(&store, path), 0);
    ck_assert_int_eq(store_commit(store, (const StoreChange[]){{"a", "1"}}, 1), 0);
    ck_assert_int_eq(sqlite3_open(path, &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(store_commit(store, (const StoreChange[]){{"a", "2"}, {"b", "2"}}, 2), -EBUSY);
    ck_assert_int_eq(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_str_eq(contents(store), "a=1;");

    /* A reader that stays makes the COMMIT itself fail, when the rows are written already. */
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN; SELECT * FROM parameter", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(store_commit(store, (const StoreChange[]){{"a", "2"}, {"b", "2"}}, 2), -EBUSY);
    ck_assert_int_eq(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_str_eq(contents(store), "a=1;");
    ck_assert_int_eq(store_commit(store, (const StoreChange[]){{"a", "2"}, {"b", "2"}}, 2), 0);
    ck_assert_str_eq(contents(store), "a=2;b=2;");
    sqlite3_close(other);
    store_close(store);
    stop();
}
END_TEST

/* Killed in the middle of commits: what a parent reads then is one of the commits, whole. */
START_TEST(a_killed_writer_leaves_a_whole_commit) {
    Store *store;
    char text[64], byte;
    int pipes[2], status;
    start();
    ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (store_open(&store, path) < 0)
            _exit(1);
        for (unsigned i = 1;; i++) {
            snprintf(text, sizeof text, "%u", i);
            if (store_commit(store, (const StoreChange[]){{"a", text}, {"b", text}, {"c", text}}, 3) < 0 ||
                write(pipes[1], "x", 1) != 1)
                _exit(1);
        }
    }
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(read(pipes[0], &byte, 1), 1);
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
    close(pipes[0]);
    close(pipes[1]);

    unsigned a = 0, b = 0, c = 0;
    ck_assert_int_eq(store_open(&store, path), 0);
    ck_assert_int_eq(sscanf(contents(store), "a=%u;b=%u;c=%u;", &a, &b, &c), 3);
    ck_assert_uint_ge(a, 20);
    ck_assert(a == b && b == c);
    store_close(store);
    stop();
}
END_TEST

START_TEST(files_that_are_no_store_are_refused_and_left_alone) {
    static const char garbage[8192] = "this is not a database, whatever its name says";
    Store *store;
    sqlite3 *db;
    char back[64];
    start();
    file_write(path, garbage, sizeof garbage);
    LOG_OF(ck_assert_int_eq(store_open(&store, path), -EBADMSG), path);
    LOG_OF(ck_assert_int_eq(store_open(&store, path), -EBADMSG), "move the file away");
    FILE *f = fopen(path, "re");
    ck_assert_uint_eq(fread(back, 1, sizeof back, f), sizeof back);
    ck_assert_mem_eq(back, garbage, sizeof back);
    fclose(f);
    unlink(path);

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "CREATE TABLE t(x)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    LOG_OF(ck_assert_int_eq(store_open(&store, path), -EBADMSG), "move the file away");
    unlink(path);

    ck_assert_int_eq(store_open(&store, path), 0);
    store_close(store);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "PRAGMA user_version=99", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    ck_assert_int_eq(store_open(&store, path), -EPROTONOSUPPORT);
    stop();
}
END_TEST

START_TEST(a_damaged_store_is_refused) {
    Store *store;
    start();
    ck_assert_int_eq(store_open(&store, path), 0);
    static char names[500][64];
    StoreChange changes[ARRAY_SIZE(names)];
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        snprintf(names[i], sizeof names[i], "parameter %u", i);
        changes[i] = (StoreChange){names[i], names[i]};
    }
    ck_assert_int_eq(store_commit(store, changes, ARRAY_SIZE(changes)), 0);
    store_close(store);
    int fd = open(path, O_WRONLY | O_CLOEXEC), r;
    char junk[3000];
    memset(junk, 0xa5, sizeof junk);
    ck_assert_int_eq(pwrite(fd, junk, sizeof junk, 4096 + 8), sizeof junk);
    close(fd);
    r = store_open(&store, path);
    if (r == 0) { /* the damage is in a page that opening does not read */
        char all[65536] = "";
        LOG_OF(r = store_load_parameters(store, collect, all), "move the file away");
        store_close(store);
    }
    ck_assert_int_eq(r, -EBADMSG);
    stop();
}
END_TEST

START_TEST(places_that_cannot_hold_it) {
    Store *store;
    start();
    ck_assert_int_eq(store_open(&store, "/nonexistent/state.db"), -ENOENT);
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    ck_assert_int_eq(store_open(&store, path), -ELOOP);
    stop();
}
END_TEST

SUITE("store", values_survive_a_reopen, a_visitor_can_stop, a_commit_that_cannot_be_made_leaves_nothing,
      a_killed_writer_leaves_a_whole_commit, files_that_are_no_store_are_refused_and_left_alone,
      a_damaged_store_is_refused, places_that_cannot_hold_it)
