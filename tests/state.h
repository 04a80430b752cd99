/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tests of the store share: a folder of their own, what is in it, what was logged, and system calls
 * of SQLite that kill the process or find the disk full. */
#pragma once

#include <check.h>
#include <dirent.h>
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

/* Each test is a process of its own. */
static char state_directory[64];
static char state_path[96]; /* of the database */

static inline const char *state_beside(const char *name) {
    static char paths[4][512];
    static size_t next;
    char *path = paths[next++ % ARRAY_SIZE(paths)];
    snprintf(path, sizeof paths[0], "%s/%s", state_directory, name);
    return path;
}

/* In memory where that can be: there are thousands of commits, and fsync() is not what is tested. */
static inline void state_start(void) {
    strcpy(state_directory, "/dev/shm/henb-test-store-XXXXXX");
    if (!mkdtemp(state_directory)) {
        strcpy(state_directory, "/tmp/henb-test-store-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(state_directory));
    }
    strcpy(state_path, state_beside("state.db"));
}

static int state_visible(const struct dirent *entry) {
    return !streq(entry->d_name, ".") && !streq(entry->d_name, "..");
}

/* The names in the folder, sorted, with a space between two. */
static inline const char *state_files(void) {
    static char text[4096];
    struct dirent **entries;
    int n = scandir(state_directory, &entries, state_visible, alphasort);
    ck_assert_int_ge(n, 0);
    text[0] = 0;
    for (int i = 0; i < n; i++) {
        sprintf(text + strlen(text), "%s%s", i ? " " : "", entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return text;
}

/* Empties it, folders of plain files included. */
static inline void state_clear(void) {
    struct dirent **entries, **inner;
    int n = scandir(state_directory, &entries, state_visible, NULL), m;
    ck_assert_int_ge(n, 0);
    for (int i = 0; i < n; i++) {
        char path[512], deeper[1024];
        snprintf(path, sizeof path, "%s", state_beside(entries[i]->d_name));
        if (unlink(path) < 0) {
            m = scandir(path, &inner, state_visible, NULL);
            ck_assert_int_ge(m, 0);
            for (int k = 0; k < m; k++) {
                snprintf(deeper, sizeof deeper, "%s/%s", path, inner[k]->d_name);
                ck_assert_int_eq(unlink(deeper), 0);
                free(inner[k]);
            }
            free(inner);
            ck_assert_int_eq(rmdir(path), 0);
        }
        free(entries[i]);
    }
    free(entries);
}

static inline void state_stop(void) {
    state_clear();
    ck_assert_int_eq(rmdir(state_directory), 0);
}

static inline Store *state_open(void) {
    Store *store;
    ck_assert_int_eq(store_open(&store, state_path), 0);
    return store;
}

static inline int state_collect(void *userdata, const char *name, const char *value) {
    char **end = userdata;
    *end += sprintf(*end, "%s=%s;", name, value);
    return 0;
}

/* "a=1;b=2;" */
static inline const char *state_contents(Store *store) {
    static char text[256 * 1024];
    char *end = text;
    text[0] = 0;
    ck_assert_int_eq(store_load(store, STORE_PARAMETER, state_collect, &end), 0);
    return text;
}

/* One parameter. */
static inline int state_put(Store *store, const char *name, const char *value) {
    return store_commit(store, &(StoreChange){STORE_PARAMETER, name, value}, 1);
}

/* Commits *n* parameters with this word in each value: some pages. */
static inline int state_fill(Store *store, const char *word, size_t n) {
    static char names[1000][64], values[1000][128];
    StoreChange changes[ARRAY_SIZE(names)];
    ck_assert_uint_le(n, ARRAY_SIZE(names));
    for (size_t i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], "Device.A.Rather.Long.Path.To.Parameter.%03zu", i);
        snprintf(values[i], sizeof values[i], "%s, the value that belongs to parameter %zu", word, i);
        changes[i] = (StoreChange){STORE_PARAMETER, names[i], values[i]};
    }
    return store_commit(store, changes, n);
}

/* Log: what is said between the two calls. */
static int log_pipe, log_saved;

static inline void log_begin(void) {
    int pipes[2];
    ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
    log_saved = dup(STDERR_FILENO);
    dup2(pipes[1], STDERR_FILENO);
    close(pipes[1]);
    log_pipe = pipes[0];
}

static inline const char *log_end(void) {
    static char text[65536];
    dup2(log_saved, STDERR_FILENO);
    close(log_saved);
    ssize_t n = read(log_pipe, text, sizeof text - 1);
    close(log_pipe);
    text[n > 0 ? n : 0] = 0;
    return text;
}

static inline size_t log_lines(const char *text) {
    size_t n = 0;
    for (; (text = strchr(text, '\n')); text++)
        n++;
    return n;
}

/* The system calls with which SQLite changes something: from the armed one on all fail, or the process dies
 * in it, with half of what it was to write written. */
typedef enum Fault {
    FAULT_NONE,
    FAULT_KILL,
    FAULT_FAIL,
} Fault;

static Fault fault;
static int fault_errno = ENOSPC;
static unsigned fault_after; /* calls that still work */

static inline bool fault_strikes(void) {
    if (fault == FAULT_NONE || fault_after-- > 0)
        return false;
    fault_after = 0;
    return true;
}

static inline ssize_t fault_pwrite(int fd, const void *data, size_t size, off_t offset) {
    if (!fault_strikes())
        return pwrite(fd, data, size, offset);
    if (fault == FAULT_KILL) {
        (void)!pwrite(fd, data, size / 2, offset);
        raise(SIGKILL);
    }
    errno = fault_errno;
    return -1;
}

static inline int fault_ftruncate(int fd, off_t size) {
    if (fault == FAULT_KILL && fault_strikes())
        raise(SIGKILL);
    return ftruncate(fd, size);
}

static inline int fault_unlink(const char *path) {
    if (fault == FAULT_KILL && fault_strikes())
        raise(SIGKILL);
    return unlink(path);
}

static inline void fault_arm(Fault f, unsigned after) {
    static const struct {
        const char *name;
        sqlite3_syscall_ptr call;
    } calls[] = {
        {"pwrite", (sqlite3_syscall_ptr)fault_pwrite},
        {"pwrite64", (sqlite3_syscall_ptr)fault_pwrite},
        {"ftruncate", (sqlite3_syscall_ptr)fault_ftruncate},
        {"unlink", (sqlite3_syscall_ptr)fault_unlink},
    };
    sqlite3_initialize();
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
        ck_assert_int_eq(vfs->xSetSystemCall(vfs, calls[i].name, calls[i].call), SQLITE_OK);
    fault = f;
    fault_after = after;
}

/* Runs *work* in a child that dies in the call of SQLite after so many. Whether it died. */
static inline bool state_killed(unsigned after, void (*work)(Store *store)) {
    int status;
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        Store *store;
        if (store_open(&store, state_path) < 0)
            _exit(1);
        fault_arm(FAULT_KILL, after);
        work(store);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

#define STATE_FILLED 200

static inline bool state_file_is(const char *path, const void *data, size_t size) {
    char *found = calloc(1, FILE_SIZE_MAX);
    FILE *f = fopen(path, "re");
    bool same = f && fread(found, 1, FILE_SIZE_MAX, f) == size && memcmp(found, data, size) == 0;
    if (f)
        fclose(f);
    free(found);
    return same;
}

/* A store of some pages, as a file's bytes; malloc'ed. *contents* is malloc'ed too. */
static inline char *state_filled(size_t *size, char **contents) {
    Store *store = state_open();
    ck_assert_int_eq(state_fill(store, "kept", STATE_FILLED), 0);
    ck_assert_int_eq(store_set_meta(store, "bootstrapped-url", "http://x/"), 0);
    *contents = strdup(state_contents(store));
    store_close(store);
    char *data = file_read(state_path, size);
    ck_assert_uint_ge(*size, 5 * 4096);
    return data;
}

static inline void state_commit_new(Store *store) {
    if (state_fill(store, "new", STATE_FILLED) < 0)
        _exit(2);
}

/* Leaves a database of which a commit has written some pages; *data* is what it was. */
static inline void state_interrupt(const char *data, size_t size) {
    unsigned after = 0;
    do {
        state_clear();
        file_write(state_path, data, size);
        ck_assert(state_killed(after++, state_commit_new));
    } while (state_file_is(state_path, data, size));
    state_clear();
    file_write(state_path, data, size);
    ck_assert(state_killed(after + 2, state_commit_new));
    ck_assert(!state_file_is(state_path, data, size));
    ck_assert_int_eq(access(state_beside("state.db-journal"), F_OK), 0);
}
