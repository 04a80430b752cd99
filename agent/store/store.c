/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See store.h. A rollback journal that is deleted at each commit, with synchronous=EXTRA: the file, and the
 * directory after the deletion, are on the disk before a commit returns, so that a power cut neither loses
 * nor revives anything. Between commits there is one file and nothing else; a write-ahead log would need two
 * more files even for reading, and its checkpoints make no sense for a few writes a day. */
#include "store/store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macro.h"

#define STORE_APPLICATION_ID 0x48654e42 /* "HeNB": not just any SQLite file */
#define STORE_VERSION        1
#define STORE_BUSY_MSEC      500 /* somebody may be reading with sqlite3(1) */
/* Nothing is thrown away unasked: what the operator set may be in it. */
#define STORE_WAY_OUT "; move the file away and the box starts as from factory data"

struct Store {
    sqlite3 *db;
    sqlite3_stmt *put, *forget;
};

static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE parameter(path TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE meta(key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;"
    "PRAGMA application_id=1214598722;" /* STORE_APPLICATION_ID */
    "PRAGMA user_version=1;"            /* STORE_VERSION */
    "COMMIT;";
static_assert(STORE_APPLICATION_ID == 1214598722 && STORE_VERSION == 1, "the schema repeats them");

/* The errno for what SQLite said; the extended code is for the log. */
static int store_error(const Store *store, const char *what, int rc) {
    static const struct {
        int rc, error;
    } errors[] = {
        {SQLITE_NOMEM, -ENOMEM},   {SQLITE_FULL, -ENOSPC},     {SQLITE_READONLY, -EROFS},
        {SQLITE_BUSY, -EBUSY},     {SQLITE_LOCKED, -EBUSY},    {SQLITE_CORRUPT, -EBADMSG},
        {SQLITE_NOTADB, -EBADMSG}, {SQLITE_CANTOPEN, -EACCES}, {SQLITE_PERM, -EACCES},
    };
    int error = -EIO;

    for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
        if (errors[i].rc == (rc & 0xff))
            error = errors[i].error;
    log_error("state %s: %s: %s%s", sqlite3_db_filename(store->db, "main"), what, sqlite3_errmsg(store->db),
              error == -EBADMSG ? STORE_WAY_OUT : "");
    return error;
}

static int store_run(Store *store, const char *what, const char *sql) {
    int rc = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : store_error(store, what, rc);
}

/* The number a PRAGMA answers. */
static int store_pragma(Store *store, const char *sql, int64_t *ret) {
    sqlite3_stmt *statement;
    int rc = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        *ret = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return rc == SQLITE_ROW ? 0 : store_error(store, "open", rc);
}

/* An empty file becomes a store; a store of this version is taken; anything else is not touched. */
static int store_check(Store *store, const char *path) {
    int64_t application = 0, version = 0, objects = 0;
    int r = store_pragma(store, "PRAGMA application_id", &application);
    if (r == 0)
        r = store_pragma(store, "PRAGMA user_version", &version);
    if (r == 0)
        r = store_pragma(store, "SELECT count(*) FROM sqlite_master", &objects);
    if (r < 0)
        return r;
    if (application == 0 && version == 0 && objects == 0)
        return store_run(store, "make tables", schema);
    if (application != STORE_APPLICATION_ID) {
        log_error("state %s: not a file of this program" STORE_WAY_OUT, path);
        return -EBADMSG;
    }
    if (version > STORE_VERSION) {
        log_error("state %s: written by a later version (%d, this one knows %d)" STORE_WAY_OUT, path,
                  (int)version, STORE_VERSION);
        return -EPROTONOSUPPORT;
    }
    return 0;
}

static int store_prepare(Store *store) {
    int rc = sqlite3_prepare_v3(store->db, "INSERT OR REPLACE INTO parameter VALUES(?1,?2)", -1,
                                SQLITE_PREPARE_PERSISTENT, &store->put, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v3(store->db, "DELETE FROM parameter WHERE path=?1", -1,
                                SQLITE_PREPARE_PERSISTENT, &store->forget, NULL);
    return rc == SQLITE_OK ? 0 : store_error(store, "open", rc);
}

DEFINE_CLEANUP(Store, store_close)

int store_open(Store **ret, const char *path) {
    _cleanup_(store_closep) Store *store = calloc(1, sizeof *store);
    if (!store)
        return -ENOMEM;
    /* Made here for its mode: it will hold passwords. */
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        int error = -errno;
        log_error("state %s: %s", path, strerror(-error));
        return error;
    }
    close(fd);
    int rc = sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL);
    if (rc != SQLITE_OK)
        return store->db ? store_error(store, "open", rc) : -ENOMEM;
    sqlite3_busy_timeout(store->db, STORE_BUSY_MSEC);
    int r = store_run(store, "open",
                      "PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA;"
                      "PRAGMA trusted_schema=OFF; PRAGMA secure_delete=ON;");
    if (r == 0)
        r = store_check(store, path);
    if (r == 0)
        r = store_prepare(store);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(store);
    return 0;
}

void store_close(Store *store) {
    if (!store)
        return;
    sqlite3_finalize(store->put);
    sqlite3_finalize(store->forget);
    sqlite3_close(store->db);
    free(store);
}

int store_load_parameters(Store *store, StoreVisitor visitor, void *userdata) {
    sqlite3_stmt *rows;
    int r = 0,
        rc = sqlite3_prepare_v2(store->db, "SELECT path,value FROM parameter ORDER BY path", -1, &rows, NULL);

    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(rows);
        if (rc == SQLITE_ROW)
            r = visitor(userdata, (const char *)sqlite3_column_text(rows, 0),
                        (const char *)sqlite3_column_text(rows, 1));
        if (r != 0)
            rc = SQLITE_DONE;
    }
    sqlite3_finalize(rows);
    return rc == SQLITE_DONE ? r : store_error(store, "read parameters", rc);
}

/* Runs *statement* with one or two strings. */
static int store_step(Store *store, sqlite3_stmt *statement, const char *a, const char *b) {
    int rc = sqlite3_bind_text(statement, 1, a, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK && b)
        rc = sqlite3_bind_text(statement, 2, b, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return rc == SQLITE_DONE ? 0 : store_error(store, "write", rc);
}

int store_commit(Store *store, const StoreChange *changes, size_t n) {
    int r = store_run(store, "begin", "BEGIN IMMEDIATE");
    if (r < 0)
        return r;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = store_step(store, changes[i].value ? store->put : store->forget, changes[i].path,
                       changes[i].value);
    if (r == 0)
        r = store_run(store, "commit", "COMMIT");
    /* SQLite may have rolled back by itself (a full disk), and a failed COMMIT leaves the transaction open.
     */
    if (r < 0 && !sqlite3_get_autocommit(store->db))
        (void)store_run(store, "roll back", "ROLLBACK");
    return r;
}

/* Forgets every parameter that is not one of *keep*. */
static int store_forget_others(Store *store, const char *const *keep, size_t n) {
    sqlite3_stmt *rows;
    int r = 0,
        rc = sqlite3_prepare_v2(store->db, "SELECT path FROM parameter ORDER BY path", -1, &rows, NULL);

    while (r == 0 && (rc == SQLITE_OK || rc == SQLITE_ROW)) {
        rc = sqlite3_step(rows);
        const char *path = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(rows, 0) : NULL;
        bool kept = false;
        for (size_t i = 0; path && i < n; i++)
            kept |= streq(path, keep[i]);
        if (path && !kept)
            r = store_step(store, store->forget, path, NULL);
    }
    sqlite3_finalize(rows);
    return r == 0 && rc != SQLITE_DONE ? store_error(store, "read parameters", rc) : r;
}

int store_reset(Store *store, const char *const *keep, size_t n) {
    int r = store_run(store, "begin", "BEGIN IMMEDIATE");
    if (r < 0)
        return r;
    r = store_forget_others(store, keep, n);
    if (r == 0)
        r = store_run(store, "write", "DELETE FROM meta");
    if (r == 0)
        r = store_run(store, "commit", "COMMIT");
    if (r < 0 && !sqlite3_get_autocommit(store->db))
        (void)store_run(store, "roll back", "ROLLBACK");
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
    sqlite3_finalize(row);
    if (rc == SQLITE_DONE)
        return -ENOENT;
    if (rc != SQLITE_ROW)
        return store_error(store, "read", rc);
    if (!value)
        return -ENOMEM;
    *ret = value;
    return 0;
}

int store_set_meta(Store *store, const char *key, const char *value) {
    sqlite3_stmt *statement;
    int rc = sqlite3_prepare_v2(
        store->db, value ? "INSERT OR REPLACE INTO meta VALUES(?1,?2)" : "DELETE FROM meta WHERE key=?1", -1,
        &statement, NULL);
    if (rc != SQLITE_OK)
        return store_error(store, "write", rc);
    int r = store_step(store, statement, key, value);
    sqlite3_finalize(statement);
    return r;
}
