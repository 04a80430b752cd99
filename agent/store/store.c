/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See store.h. A rollback journal that is deleted at each commit, with synchronous=EXTRA: the file, and the
 * directory after the deletion, are on the disk before a commit returns, so that a power cut neither loses
 * nor revives anything. Between commits there is one file and nothing else; a write-ahead log would need two
 * more files even for reading, and its checkpoints make no sense for a few writes a day.
 *
 * All of the file is checked when it is opened. SQLite finds broken pages so, not a changed letter inside a
 * value: the data model looks at every value it takes. */
#include "store/store.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macro.h"
#include "store/mark-io.h"

#define STORE_APPLICATION_ID 0x48654e42 /* "HeNB": not just any SQLite file */
#define STORE_VERSION        2          /* 1 had the kinds PARAMETER and META only */
#define STORE_BUSY_MSEC      500        /* somebody may be reading with sqlite3(1) */
#define META_MARK            MARK_FILE

struct Store {
    char *path;
    int directory; /* the folder of *path*; negative: there is none */
    sqlite3 *db;
    sqlite3_stmt *put[STORE_KINDS_], *forget[STORE_KINDS_];
    int frozen;        /* why nothing can be written: negative errno; 0: it can */
    int said;          /* the error of the last write; not said again while it lasts */
    usec_t thaw_after; /* CLOCK_BOOTTIME: when to look again whether it can */
    char why[ERROR_MAX_BYTES];
    char lost[ERROR_MAX_BYTES]; /* why the file is a new one; "": it is not */
};

/* As SQLite keeps the text: check_tables() compares it. */
#define TABLE(table, column)                                                                                 \
    "TABLE " table "(" column " TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID"

static const struct {
    unsigned since; /* STORE_VERSION */
    const char *table, *sql, *put, *forget, *load;
} kinds[] = {
#define X(name, table, column)                                                                               \
    [STORE_##name] = {STORE_##name <= STORE_META ? 1 : 2,                                                    \
                      table,                                                                                 \
                      TABLE(table, column),                                                                  \
                      "INSERT OR REPLACE INTO " table " VALUES(?1,?2)",                                      \
                      "DELETE FROM " table " WHERE " column "=?1",                                           \
                      "SELECT * FROM " table " ORDER BY " column},
    STORE_KINDS(X)
#undef X
};

/* Errors ------------------------------------------------------------------------------------------------- */

_printf_(3, 4) static int failed(Store *store, int error, const char *format, ...) {
    va_list ap;

    va_start(ap, format);
    vsnprintf(store->why, sizeof store->why, format, ap);
    va_end(ap);
    return error;
}

/* Why no file can be made beside the database, as the journal is one; 0: it can. SQLite has lost that errno,
 * since it then tries to read the file that it could not make. */
static int place_errno(const Store *store) {
    static const char name[] = "state.try";

    if (store->directory < 0)
        return ENOENT;
    int fd = openat(store->directory, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0)
        return errno;
    close(fd);
    (void)unlinkat(store->directory, name, 0);
    return 0;
}

/* The errno for what SQLite said, which is kept for the log. */
static int sqlite_failed(Store *store, const char *what, int rc) {
    static const struct {
        int rc, error;
    } errors[] = {
        {SQLITE_IOERR_NOMEM, -ENOMEM}, {SQLITE_IOERR_LOCK, -ENOLCK}, {SQLITE_IOERR_RDLOCK, -ENOLCK},
        {SQLITE_NOMEM, -ENOMEM},       {SQLITE_FULL, -ENOSPC},       {SQLITE_READONLY, -EROFS},
        {SQLITE_BUSY, -EBUSY},         {SQLITE_LOCKED, -EBUSY},      {SQLITE_CORRUPT, -EBADMSG},
        {SQLITE_NOTADB, -EBADMSG},     {SQLITE_CANTOPEN, -EACCES},   {SQLITE_PERM, -EACCES},
    };
    const int basic = rc & 0xff, extended = sqlite3_extended_errcode(store->db);
    int error = -EIO;

    for (size_t i = 0; error == -EIO && i < ARRAY_SIZE(errors); i++)
        if (errors[i].rc == basic || errors[i].rc == extended)
            error = errors[i].error;
    if (basic != SQLITE_IOERR && basic != SQLITE_CANTOPEN)
        return failed(store, error, "%s: %s", what, sqlite3_errmsg(store->db));
    /* A full or read-only disk has more ways to say so than SQLite has codes for. */
    const int system = basic == SQLITE_IOERR ? sqlite3_system_errno(store->db) : place_errno(store);
    if (system == ENOSPC || system == EDQUOT || system == EFBIG)
        error = -ENOSPC;
    else if (system == EROFS)
        error = -EROFS;
    return failed(store, error, "%s: %s%s%s", what, sqlite3_errmsg(store->db), system ? ", " : "",
                  system ? strerror(system) : "");
}

/* Whether the error goes away by itself, */
static bool error_passes(int error) {
    return error == -EBUSY || error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}

/* or is one of the place and says nothing about the file. */
static bool error_of_place(int error) {
    return error == -EROFS || error == -ENOSPC || error == -ENOLCK || error == -ENOENT || error == -ENOTDIR;
}

/* *error* or 0 of a write: a cause that lasts is said once. */
static int write_said(Store *store, int error) {
    if (error == store->said)
        return error;
    if (error < 0)
        log_message(LOG_ERR, MESSAGE_STORE_FAILED, &(LogFields){.error = store->why}, "state %s: %s%s",
                    store->path, store->why, error == -EBADMSG ? "; it is kept aside at the next start" : "");
    else
        log_message(LOG_NOTICE, MESSAGE_STORE_WORKS, &(LogFields){}, "state %s: can be written again",
                    store->path);
    store->said = error;
    return error;
}

/* Opening ------------------------------------------------------------------------------------------------ */

static int run(Store *store, const char *what, const char *sql) {
    int rc = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : sqlite_failed(store, what, rc);
}

/* The one text that *sql* answers, malloc'ed; "" for NULL. */
static int query(Store *store, const char *sql, char **ret) {
    sqlite3_stmt *statement;
    int rc = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    char *text = rc == SQLITE_ROW ? strdup(strempty((const char *)sqlite3_column_text(statement, 0))) : NULL;
    int r = rc != SQLITE_ROW ? sqlite_failed(store, "open", rc) : text ? 0 : -ENOMEM;
    sqlite3_finalize(statement);
    if (r == 0)
        *ret = text;
    return r;
}

static int query_number(Store *store, const char *sql, int64_t *ret) {
    _cleanup_free_ char *text = NULL;
    int r = query(store, sql, &text);
    if (r == 0)
        *ret = strtoll(text, NULL, 10);
    return r;
}

/* The tables of *version*, as made here, and none in the place of a later one. */
static int check_tables(Store *store, unsigned version) {
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        char sql[512];
        int64_t sound = 0;
        snprintf(sql, sizeof sql,
                 kinds[i].since <= version ? "SELECT count(*) FROM sqlite_schema WHERE sql='CREATE %s'"
                                           : "SELECT count(*)=0 FROM sqlite_schema WHERE name='%s'",
                 kinds[i].since <= version ? kinds[i].sql : kinds[i].table);
        int r = query_number(store, sql, &sound);
        if (r < 0)
            return r;
        if (sound != 1)
            return failed(store, -EBADMSG, "damaged: not the tables of this program");
    }
    return 0;
}

/* Damage deep in the file. SQLite takes a last page that is cut short for one that ends in zeroes. */
static int check_pages(Store *store) {
    _cleanup_free_ char *verdict = NULL;
    int64_t size = 0, count = 0;
    struct stat st;

    int r = query_number(store, "PRAGMA page_size", &size);
    if (r == 0)
        r = query_number(store, "PRAGMA page_count", &count);
    if (r == 0)
        r = query(store, "PRAGMA integrity_check(1)", &verdict);
    if (r < 0)
        return r;
    if (!streq(verdict, "ok"))
        return failed(store, -EBADMSG, "damaged: %s", verdict);
    if (stat(store->path, &st) < 0 || st.st_size != size * count)
        return failed(store, -EBADMSG, "damaged: not as long as its first page says");
    /* A header can say "for reading only" too (its write version). */
    if (!store->frozen && sqlite3_db_readonly(store->db, "main") == 1)
        return failed(store, -EBADMSG, "damaged: a format that can only be read");
    return 0;
}

/* The tables that came after *version*, in the file or, where it cannot be written, beside it in memory. */
static int tables_make(Store *store, unsigned version, bool in_memory) {
    sqlite3_str *sql = sqlite3_str_new(store->db);
    sqlite3_str_appendall(sql, in_memory ? "PRAGMA temp_store=MEMORY; BEGIN;" : "BEGIN IMMEDIATE;");
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (kinds[i].since > version)
            sqlite3_str_appendf(sql, "CREATE %s%s;", in_memory ? "TEMP " : "", kinds[i].sql);
    if (!in_memory)
        sqlite3_str_appendf(sql, "PRAGMA application_id=%d; PRAGMA user_version=%d;", STORE_APPLICATION_ID,
                            STORE_VERSION);
    sqlite3_str_appendall(sql, "COMMIT");
    char *text = sqlite3_str_finish(sql);
    int r = text ? run(store, "make tables", text) : failed(store, -ENOMEM, "%s", strerror(ENOMEM));
    sqlite3_free(text);
    if (r < 0 && !sqlite3_get_autocommit(store->db))
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return r;
}

/* What an earlier version has stored must not be lost because it cannot be written right now. */
static int upgrade(Store *store, unsigned version) {
    int r = store->frozen ?: tables_make(store, version, false);
    if (r == 0)
        log_notice("state %s: brought from version %u to %d", store->path, version, STORE_VERSION);
    if (r == 0 || error_passes(r) || r == -EBADMSG)
        return r;
    store->frozen = r;
    r = tables_make(store, version, true);
    /* Half an upgrade that cannot be rolled back now: no damage, so it stays where it is. */
    return r == 0 || error_passes(r) ? r : -EROFS;
}

/* An empty file becomes a store; a store of this version or an earlier one is taken; anything else is not
 * touched. */
static int check(Store *store) {
    int64_t application = 0, version = 0, objects = 0;
    int r = query_number(store, "PRAGMA application_id", &application);
    if (r == 0)
        r = query_number(store, "PRAGMA user_version", &version);
    if (r == 0)
        r = query_number(store, "SELECT count(*) FROM sqlite_schema", &objects);
    if (r < 0)
        return r;
    if (application == 0 && version == 0 && objects == 0) {
        r = tables_make(store, 0, false);
        if (r == 0)
            log_notice("state %s: new, as on a box from the factory", store->path);
        return r;
    }
    if (application != STORE_APPLICATION_ID)
        return failed(store, -EBADMSG, "not a file of this program");
    if (version > STORE_VERSION)
        return failed(store, -EPROTONOSUPPORT, "written by a later version (%d, this one knows %d)",
                      (int)version, STORE_VERSION);
    if (version < 1)
        return failed(store, -EBADMSG, "damaged: no version of this program");
    r = check_tables(store, (unsigned)version);
    if (r == 0)
        r = check_pages(store);
    if (r == 0 && version < STORE_VERSION)
        r = upgrade(store, (unsigned)version);
    return r;
}

static int prepare(Store *store) {
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        int rc =
            sqlite3_prepare_v3(store->db, kinds[i].put, -1, SQLITE_PREPARE_PERSISTENT, &store->put[i], NULL);
        if (rc == SQLITE_OK)
            rc = sqlite3_prepare_v3(store->db, kinds[i].forget, -1, SQLITE_PREPARE_PERSISTENT,
                                    &store->forget[i], NULL);
        if (rc != SQLITE_OK)
            return sqlite_failed(store, "open", rc);
    }
    return 0;
}

static void database_close(Store *store) {
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        sqlite3_finalize(TAKE_PTR(store->put[i]));
        sqlite3_finalize(TAKE_PTR(store->forget[i]));
    }
    sqlite3_close(TAKE_PTR(store->db));
}

/* Makes the file, for its mode: it will hold passwords. *store*->frozen: it can be read only. */
static int file_open(Store *store) {
    const int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    struct stat st;

    store->frozen = 0;
    int fd = open(store->path, O_RDWR | O_CREAT | flags, 0600);
    if (fd < 0 && (errno == EROFS || errno == EACCES)) {
        store->frozen = -errno;
        fd = open(store->path, O_RDONLY | flags);
    }
    if (fd < 0) {
        int error = store->frozen ?: errno == EDQUOT ? -ENOSPC : -errno;
        return failed(store, error, "%s", strerror(-error));
    }
    bool regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    close(fd);
    return regular ? 0 : failed(store, -EBADMSG, "not a regular file");
}

static int database_open(Store *store) {
    int r = file_open(store);
    if (r < 0)
        return r;
    int rc = sqlite3_open_v2(store->path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL);
    if (rc != SQLITE_OK)
        return store->db ? sqlite_failed(store, "open", rc) : -ENOMEM;
    sqlite3_busy_timeout(store->db, STORE_BUSY_MSEC);
    r = run(store, "open",
            "PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA;"
            "PRAGMA trusted_schema=OFF; PRAGMA secure_delete=ON;");
    if (r == 0)
        r = check(store);
    if (r == 0)
        r = prepare(store);
    return r;
}

/* Nothing at all, where there is no file to hold something. */
static int database_open_empty(Store *store, int why) {
    database_close(store);
    store->frozen = why;
    int rc = sqlite3_open_v2(":memory:", &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (rc != SQLITE_OK || tables_make(store, 0, false) < 0)
        return -ENOMEM;
    return prepare(store);
}

/* *ret* (PATH_MAX bytes) is where it is now. */
static int file_keep_aside(Store *store, char *ret) {
    static const char *const suffixes[] = {"-journal", "-wal"};
    char from[PATH_MAX], to[PATH_MAX];
    struct stat st;
    unsigned n = 1;

    do
        if (snprintf(ret, PATH_MAX, "%s.damaged-%u", store->path, n) >= PATH_MAX)
            return -ENAMETOOLONG;
    while (lstat(ret, &st) == 0 && n++ < STORE_ASIDE_MAX);
    if (rename(store->path, ret) < 0)
        return -errno;
    /* Without them the file is not what it was. They go last: beside an empty file SQLite ignores them, while
     * a file that has lost its journal may look sound and be a mix of two transactions. */
    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
        if (snprintf(from, sizeof from, "%s%s", store->path, suffixes[i]) < PATH_MAX &&
            snprintf(to, sizeof to, "%s%s", ret, suffixes[i]) < PATH_MAX)
            if (rename(from, to) < 0)
                (void)unlink(to); /* of a file that was written over */
    return store->directory >= 0 && fsync(store->directory) < 0 ? -errno : 0;
}

/* A sound file, or a new one after what was there has been kept aside. */
static int file_open_or_renew(Store *store) {
    char aside[PATH_MAX];

    int r = database_open(store);
    if (r == 0 || error_passes(r) || error_of_place(r))
        return r;
    database_close(store);
    int moved = file_keep_aside(store, aside);
    if (moved < 0) {
        const size_t n = strlen(store->why);
        snprintf(store->why + n, sizeof store->why - n, ", and cannot be moved: %s", strerror(-moved));
        return moved == -ENOSPC ? moved : -EROFS;
    }
    log_message(LOG_ERR, MESSAGE_STORE_DAMAGED, &(LogFields){.error = store->why},
                "state %s: %s; kept aside as %s, starting from factory data", store->path, store->why, aside);
    snprintf(store->lost, sizeof store->lost, "%s", store->why);
    return database_open(store);
}

static int store_new(Store **ret, const char *path) {
    const char *slash = strrchr(path, '/');
    Store *store = calloc(1, sizeof *store);
    _cleanup_free_ char *folder =
        !slash ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));

    if (!store || !folder || !(store->path = strdup(path))) {
        free(store);
        return -ENOMEM;
    }
    store->directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *ret = store;
    return 0;
}

DEFINE_CLEANUP(Store, store_close)

const char *store_trouble(Store *store) {
    return *store->lost      ? store->lost
           : store->frozen   ? strerror(-store->frozen)
           : store->said < 0 ? strerror(-store->said)
                             : NULL;
}

int store_open(Store **ret, const char *path) {
    _cleanup_(store_closep) Store *store = NULL;

    int r = store_new(&store, path);
    if (r < 0)
        return r;
    r = file_open_or_renew(store);
    if (error_passes(r)) {
        log_error("state %s: %s", path, r == -ENOMEM ? strerror(ENOMEM) : store->why);
        return r;
    }
    if (r < 0) {
        log_message(LOG_ERR, MESSAGE_STORE_FAILED, &(LogFields){.error = store->why},
                    "state %s: %s; starting from factory data, and NOTHING CAN BE STORED", path, store->why);
        r = database_open_empty(store, r);
        if (r < 0)
            return r;
    } else if (store->frozen)
        log_message(LOG_ERR, MESSAGE_STORE_FAILED, &(LogFields){.error = strerror(-store->frozen)},
                    "state %s: %s; what was stored is used, but NOTHING CAN BE STORED", path,
                    strerror(-store->frozen));
    store->said = store->frozen;
    *ret = TAKE_PTR(store);
    return 0;
}

void store_close(Store *store) {
    if (!store)
        return;
    database_close(store);
    if (store->directory >= 0)
        close(store->directory);
    free(store->path);
    free(store);
}

/* Writing ------------------------------------------------------------------------------------------------ */

/* Everything in it, as one text, passwords as well. */
static int contents(Store *store, char **ret) {
    sqlite3_str *sql = sqlite3_str_new(store->db);
    sqlite3_str_appendall(sql, "WITH r(kind,a,b) AS (");
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        sqlite3_str_appendf(sql, "%sSELECT %d,* FROM %s", i ? " UNION ALL " : "", (int)i, kinds[i].table);
    sqlite3_str_appendall(sql, ") SELECT group_concat(kind||quote(a)||quote(b)) FROM r");
    char *text = sqlite3_str_finish(sql);
    int r = text ? query(store, text, ret) : -ENOMEM;
    sqlite3_free(text);
    return r;
}

static void secret_freep(char **text) {
    if (*text)
        explicit_bzero(*text, strlen(*text));
    free(*text);
}

static usec_t clock_mono(void) {
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (usec_t)now.tv_sec * USEC_PER_SEC + (usec_t)now.tv_nsec / 1000;
}

/* The disk may be back. To look means to check all of the file: not with each write. What is in memory
 * elsewhere was built on what this store held, so that only a file that holds the same can take its place. */
static void store_thaw(Store *store) {
    _cleanup_(store_closep) Store *fresh = NULL;
    _cleanup_(secret_freep) char *old = NULL, *new = NULL;

    const usec_t now = clock_mono();
    if (now < store->thaw_after)
        return;
    store->thaw_after = now + STORE_THAW_INTERVAL;
    if (store_new(&fresh, store->path) < 0 || file_open_or_renew(fresh) < 0 || fresh->frozen)
        return;
    if (contents(store, &old) < 0 || contents(fresh, &new) < 0)
        return;
    if (!streq(old, new)) {
        store->frozen = failed(store, -ESTALE, "can be read again, and is from the next start on");
        return;
    }
    fresh->said = store->said;
    const Store frozen = *store;
    *store = *fresh;
    *fresh = frozen;
}

static int transaction_begin(Store *store) {
    if (store->frozen)
        store_thaw(store);
    return store->frozen ?: run(store, "begin", "BEGIN IMMEDIATE");
}

/* *r*: what became of it so far. */
static int transaction_end(Store *store, int r) {
    if (r == 0)
        r = run(store, "commit", "COMMIT");
    /* SQLite may have rolled back by itself (a full disk), and a failed COMMIT leaves the transaction open.
     */
    if (r < 0 && !sqlite3_get_autocommit(store->db))
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return write_said(store, r);
}

/* Runs *statement* with one or two strings. */
static int step(Store *store, sqlite3_stmt *statement, const char *a, const char *b) {
    int rc = sqlite3_bind_text(statement, 1, a, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK && b)
        rc = sqlite3_bind_text(statement, 2, b, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    int r = rc == SQLITE_DONE ? 0 : sqlite_failed(store, "write", rc);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return r;
}

int store_commit(Store *store, const StoreChange *changes, size_t n) {
    int r = transaction_begin(store);
    for (size_t i = 0; r == 0 && i < n; i++) {
        const StoreChange *c = &changes[i];
        r = step(store, c->value ? store->put[c->kind] : store->forget[c->kind], c->key, c->value);
    }
    return transaction_end(store, r);
}

int store_set_meta(Store *store, const char *key, const char *value) {
    return store_commit(store, &(StoreChange){STORE_META, key, value}, 1);
}

int store_reset(Store *store, const char *const *keep, size_t n) {
    int r = transaction_begin(store);
    if (r == 0) {
        sqlite3_str *sql = sqlite3_str_new(store->db);
        sqlite3_str_appendall(sql, "DELETE FROM meta WHERE key<>'" META_MARK "';");
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
            if (i != STORE_PARAMETER && i != STORE_META)
                sqlite3_str_appendf(sql, "DELETE FROM %s;", kinds[i].table);
        sqlite3_str_appendall(sql, "DELETE FROM parameter WHERE path NOT IN (''");
        for (size_t i = 0; i < n; i++)
            sqlite3_str_appendf(sql, ",%Q", keep[i]);
        sqlite3_str_appendall(sql, ")");
        char *text = sqlite3_str_finish(sql);
        r = text ? run(store, "reset", text) : failed(store, -ENOMEM, "reset: %s", strerror(ENOMEM));
        sqlite3_free(text);
    }
    return transaction_end(store, r);
}

/* Reading ------------------------------------------------------------------------------------------------ */

static int read_failed(Store *store, int rc) {
    int r = sqlite_failed(store, "read", rc);
    log_message(LOG_ERR, MESSAGE_STORE_FAILED, &(LogFields){.error = store->why}, "state %s: %s", store->path,
                store->why);
    return r;
}

int store_load(Store *store, StoreKind kind, StoreVisitor visitor, void *userdata) {
    sqlite3_stmt *rows;
    int r = 0, rc = sqlite3_prepare_v2(store->db, kinds[kind].load, -1, &rows, NULL);

    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(rows);
        if (rc == SQLITE_ROW)
            r = visitor(userdata, strempty((const char *)sqlite3_column_text(rows, 0)),
                        strempty((const char *)sqlite3_column_text(rows, 1)));
        if (r != 0)
            rc = SQLITE_DONE;
    }
    if (rc != SQLITE_DONE)
        r = read_failed(store, rc);
    sqlite3_finalize(rows);
    return r;
}

int store_get_meta(Store *store, const char *key, char **ret) {
    sqlite3_stmt *row;
    int rc = sqlite3_prepare_v2(store->db, "SELECT value FROM meta WHERE key=?1", -1, &row, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(row, 1, key, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(row);
    const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(row, 0) : NULL;
    char *value = text ? strdup(text) : NULL;
    int r = rc == SQLITE_DONE ? -ENOENT : rc != SQLITE_ROW ? read_failed(store, rc) : value ? 0 : -ENOMEM;
    sqlite3_finalize(row);
    if (r == 0)
        *ret = value;
    return r;
}

/* De-registration mark ----------------------------------------------------------------------------------- */

static int table_mark_read(Store *store, Mark *ret) {
    _cleanup_free_ char *kept = NULL;

    int r = store_get_meta(store, META_MARK, &kept);
    return r < 0 ? r : mark_decode(kept, ret);
}

/* Both copies; each stays empty where there is none to believe. 0; -ENOENT: there is none at all; -EBADMSG:
 * what there is is damaged; or why one cannot be read now: it may be the later one, or the only one. */
static int marks_read(Store *store, Mark *file, Mark *table) {
    int f = mark_file_read(store->directory, file), t = table_mark_read(store, table);

    if (error_passes(f) || error_passes(t))
        return error_passes(f) ? f : t;
    if (f == 0 || t == 0)
        return 0;
    if (f != -ENOENT && f != -EBADMSG)
        return f;
    return t != -ENOENT ? t : f;
}

static int file_mark_write(Store *store, const char *kept) {
    int r = mark_file_write(store->directory, kept);
    if (r < 0)
        log_error("state %s: the file " MARK_FILE " beside it: %s", store->path, strerror(-r));
    return r;
}

int store_get_mark(Store *store, char **ret) {
    _cleanup_(mark_clear) Mark file = {}, table = {};
    _cleanup_free_ char *kept = NULL;

    int r = marks_read(store, &file, &table);
    if (r == -EBADMSG)
        log_error("state %s: the de-registration mark is there and damaged", store->path);
    else if (r < 0 && r != -ENOENT)
        log_error("state %s: the de-registration mark cannot be read: %s", store->path, strerror(-r));
    if (r < 0)
        return r;
    Mark *best = file.number >= table.number ? &file : &table;
    if (file.number != table.number) {
        r = mark_encode(best->number, best->text, &kept);
        if (r < 0)
            return r;
        if (best == &file)
            r = store_set_meta(store, META_MARK, kept);
        else
            r = file_mark_write(store, kept);
        if (r == 0)
            log_notice("state %s: a lost copy of the de-registration mark is back", store->path);
    }
    *ret = TAKE_PTR(best->text);
    return 0;
}

int store_set_mark(Store *store, const char *text) {
    _cleanup_(mark_clear) Mark file = {}, table = {};
    _cleanup_free_ char *kept = NULL;
    int before = 0;

    if (text) {
        int r = before = marks_read(store, &file, &table);
        if (r == -ENOMEM)
            return r;
        r = mark_encode(MAX(file.number, table.number) + 1, text, &kept);
        if (r < 0)
            return r;
    }
    int f = file_mark_write(store, kept), t = store_set_meta(store, META_MARK, kept);
    if (!text)
        return t ?: f;
    if (f == 0 || t == 0)
        return 0;
    /* What was refused must not be in force after a restart, and either copy may be there all the same: it
     * is in its place already when fsync() of the folder fails. */
    if (before == -ENOENT)
        (void)store_set_mark(store, NULL);
    return t;
}
