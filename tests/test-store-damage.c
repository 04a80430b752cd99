/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The store and what happens to files: whatever is found at its place the box comes up, can store again where
 * anything can be stored, and what was there is kept aside as it was. */
#include "seeded.h"
#include "state.h"
#include "suite.h"

#define SEED 3

static unsigned below(Rng *rng, size_t n) {
    uint32_t x;
    rng->fill(rng->userdata, &x, sizeof x);
    return x % (unsigned)n;
}

/* Opens what is there now, stores something and finds it again. What was found in it; log in *log*. */
static char *comes_up(const char *what, const char **log) {
    Store *store;
    log_begin();
    int r = store_open(&store, state_path);
    *log = log_end();
    ck_assert_msg(r == 0, "%s: %d\n%s", what, r, *log);
    char *found = strdup(state_contents(store));
    r = state_put(store, "Z", "stored after that");
    ck_assert_msg(r == 0, "%s: %d\n%s", what, r, *log);
    ck_assert_msg(!store_trouble(store) == !strstr(*log, "kept aside"), "%s: %s", what, *log);
    store_close(store);
    store = state_open();
    ck_assert_msg(!store_trouble(store), "%s", what);
    ck_assert_msg(strstr(state_contents(store), "Z=stored after that;"), "%s", what);
    store_close(store);
    return found;
}

/* Comes up as from the factory, and the file is *size* bytes of *data*, kept aside, in one line. */
static void comes_up_new(const char *what, const void *data, size_t size) {
    const char *log;
    char *found = comes_up(what, &log);
    ck_assert_msg(found[0] == 0, "%s: %s", what, found);
    ck_assert_msg(strstr(log, "kept aside as ") && strstr(log, "starting from factory data"), "%s: %s", what,
                  log);
    ck_assert_msg(log_lines(log) == 2, "%s: %s", what, log); /* and that a new one was made */
    ck_assert_msg(state_file_is(state_beside("state.db.damaged-1"), data, size), "%s", what);
    free(found);
}

START_TEST(cut_short_anywhere) {
    uint64_t state;
    Rng rng = seeded_rng(&state, SEED);
    const char *log;
    char what[64], *contents;
    size_t size, cuts[400], n = 0;
    state_start();
    char *data = state_filled(&size, &contents);
    for (size_t page = 0; page < size; page += 4096) {
        cuts[n++] = page;
        cuts[n++] = page + 1;
        cuts[n++] = page + 4095;
    }
    for (size_t i = 0; i < 100; i++)
        cuts[n++] = below(&rng, size);
    for (size_t i = 0; i < 30; i++) /* the header of SQLite's */
        cuts[n++] = below(&rng, 120);
    for (size_t i = 0; i < n; i++) {
        state_clear();
        file_write(state_path, data, cuts[i]);
        snprintf(what, sizeof what, "%zu of %zu bytes", cuts[i], size);
        if (cuts[i] > 1) { /* one byte is none to SQLite */
            comes_up_new(what, data, cuts[i]);
            continue;
        }
        char *found = comes_up(what, &log); /* nothing to keep, but it is said */
        ck_assert_str_eq(found, "");
        ck_assert_ptr_nonnull(strstr(log, "state.db: new"));
        ck_assert_str_eq(state_files(), "state.db");
        free(found);
    }
    /* Something behind its end is damage as well; all of it is none. */
    state_clear();
    char *longer = calloc(1, size + 4096);
    memcpy(longer, data, size);
    file_write(state_path, longer, size + 4096);
    comes_up_new("longer", longer, size + 4096);
    state_clear();
    file_write(state_path, data, size);
    char *found = comes_up("whole", &log);
    ck_assert_str_eq(found, contents);
    ck_assert_str_eq(state_files(), "state.db");
    free(found);
    free(longer);
    free(data);
    free(contents);
    state_stop();
}
END_TEST

/* What SQLite can find it finds; a changed letter inside a value it does not. The box comes up either way. */
START_TEST(bytes_changed_at_random) {
    uint64_t state;
    const char *log;
    char what[64], *contents;
    unsigned aside = 0, values = 0, unchanged = 0;
    size_t size;
    state_start();
    char *data = state_filled(&size, &contents), *bad = malloc(size);
    printf("seeds from %d\n", SEED);
    for (unsigned round = 0; round < 500; round++) {
        Rng rng = seeded_rng(&state, SEED + round);
        /* All over the file, in its first page, and where a page says what is in it. */
        const unsigned flips = 1 + below(&rng, round % 4 == 3 ? 40 : 3), where = round % 3;
        memcpy(bad, data, size);
        for (unsigned i = 0; i < flips; i++) {
            size_t at = where == 0   ? below(&rng, size)
                        : where == 1 ? below(&rng, 160)
                                     : below(&rng, size / 4096) * 4096 + below(&rng, 100);
            bad[at] ^= (char)(1 + below(&rng, 255));
        }
        state_clear();
        file_write(state_path, bad, size);
        snprintf(what, sizeof what, "seed %u", SEED + round);
        char *found = comes_up(what, &log);
        if (strstr(log, "kept aside")) {
            aside++;
            ck_assert_msg(found[0] == 0, "%s", what);
            ck_assert_msg(streq(state_files(), "state.db state.db.damaged-1"), "%s: %s", what, state_files());
        } else if (streq(found, contents))
            unchanged++;
        else
            values++;
        free(found);
    }
    printf("%u kept aside, %u with other values, %u the same\n", aside, values, unchanged);
    ck_assert_uint_ge(aside, 250);
    free(bad);
    free(data);
    free(contents);
    state_stop();
}
END_TEST

/* Each byte of the part of the header that says what file this is and how it is to be written. */
START_TEST(each_byte_of_the_header) {
    const char *log;
    char what[64], *contents;
    size_t size;
    state_start();
    char *data = state_filled(&size, &contents), *bad = malloc(size);
    for (size_t at = 0; at < 108; at++)
        for (unsigned value = 0; value < 3; value++) {
            memcpy(bad, data, size);
            bad[at] = (char)(value == 0 ? 0xff : value == 1 ? data[at] + 1 : data[at] ^ 2);
            state_clear();
            file_write(state_path, bad, size);
            snprintf(what, sizeof what, "byte %zu is %02x", at, (unsigned char)bad[at]);
            char *found = comes_up(what, &log);
            ck_assert_msg(streq(found, strstr(log, "kept aside") ? "" : contents), "%s: %s", what, log);
            free(found);
        }
    free(bad);
    free(data);
    free(contents);
    state_stop();
}
END_TEST

START_TEST(pages_of_nothing) {
    static const char zeroes[3 * 4096], text[] = "this is not a database, whatever its name says";
    char *contents;
    size_t size;
    state_start();
    char *data = state_filled(&size, &contents);
    state_clear();
    file_write(state_path, zeroes, sizeof zeroes);
    comes_up_new("zeroes", zeroes, sizeof zeroes);
    state_clear();
    file_write(state_path, text, sizeof text);
    comes_up_new("text", text, sizeof text);
    for (size_t page = 0; page < size; page += 4096) {
        char what[64], *bad = malloc(size);
        snprintf(what, sizeof what, "page %zu of zeroes", page / 4096);
        memcpy(bad, data, size);
        memset(bad + page, 0, 4096);
        state_clear();
        file_write(state_path, bad, size);
        comes_up_new(what, bad, size);
        free(bad);
    }
    free(data);
    free(contents);
    state_stop();
}
END_TEST

/* Files of SQLite's that are not this program's, or not as it makes them. */
START_TEST(other_databases) {
    static const struct {
        bool ours;
        const char *sql, *log;
    } cases[] = {
        {false, "CREATE TABLE t(x)", "not a file of this program"},
        {false, "PRAGMA application_id=7", "not a file of this program"},
        {false, "PRAGMA user_version=1", "not a file of this program"},
        {true, "PRAGMA user_version=3", "written by a later version (3, this one knows 2)"},
        {true, "PRAGMA user_version=1", "not the tables of this program"}, /* one of version 2 is there */
        {true, "PRAGMA user_version=0", "no version of this program"},
        {true, "PRAGMA user_version=-1", "no version of this program"},
        {true, "DROP TABLE meta", "not the tables of this program"},
        {true, "DROP TABLE meta; CREATE TABLE meta(key,value)", "not the tables of this program"},
        {true, "ALTER TABLE parameter RENAME value TO valuf", "not the tables of this program"},
        {true, "DROP TABLE event", "not the tables of this program"},
        {true, "DROP TABLE transfer; CREATE VIEW transfer AS SELECT * FROM event", "not the tables"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        sqlite3 *db;
        size_t size;
        state_start();
        if (cases[i].ours)
            store_close(state_open());
        ck_assert_int_eq(sqlite3_open(state_path, &db), SQLITE_OK);
        ck_assert_int_eq(sqlite3_exec(db, cases[i].sql, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        char *data = file_read(state_path, &size);
        Store *store;
        LOG_OF(ck_assert_int_eq(store_open(&store, state_path), 0), cases[i].log);
        ck_assert_str_eq(state_contents(store), "");
        store_close(store);
        ck_assert(state_file_is(state_beside("state.db.damaged-1"), data, size));
        free(data);
        state_stop();
    }
    /* What an engineer with sqlite3(1) may leave is no damage. */
    sqlite3 *db;
    state_start();
    Store *store = state_open();
    ck_assert_int_eq(state_put(store, "a", "1"), 0);
    store_close(store);
    ck_assert_int_eq(sqlite3_open(state_path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "ANALYZE; VACUUM; PRAGMA journal_mode=WAL", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    store = state_open();
    ck_assert_str_eq(state_contents(store), "a=1;");
    ck_assert_int_eq(state_put(store, "b", "2"), 0);
    store_close(store);
    ck_assert_str_eq(state_files(), "state.db");
    state_stop();
}
END_TEST

START_TEST(no_files_at_all) {
    const char *log;
    Store *store;
    struct stat st;
    state_start();
    ck_assert_int_eq(mkdir(state_path, 0700), 0);
    file_write_text(state_beside("state.db/in-it"), "x");
    free(comes_up("a folder", &log));
    ck_assert_ptr_nonnull(strstr(log, "damaged-1"));
    ck_assert_int_eq(access(state_beside("state.db.damaged-1/in-it"), F_OK), 0);

    /* A link is not followed: what it points to is somebody else's. */
    state_clear();
    file_write_text(state_beside("other"), "of somebody else");
    ck_assert_int_eq(symlink("other", state_path), 0);
    free(comes_up("a link", &log));
    ck_assert(state_file_is(state_beside("other"), "of somebody else", 16));
    ck_assert_int_eq(lstat(state_beside("state.db.damaged-1"), &st), 0);
    ck_assert(S_ISLNK(st.st_mode));
    state_clear();
    ck_assert_int_eq(symlink("nowhere", state_path), 0);
    free(comes_up("a link to nowhere", &log));
    ck_assert_str_eq(state_files(), "state.db state.db.damaged-1");

    state_clear();
    ck_assert_int_eq(mkfifo(state_path, 0600), 0);
    free(comes_up("a pipe", &log));
    ck_assert_ptr_nonnull(strstr(log, "not a regular file"));

    /* No folder: nothing can be stored, and the box starts. */
    char *value;
    LOG_OF(ck_assert_int_eq(store_open(&store, "/nonexistent/state.db"), 0), "NOTHING CAN BE STORED");
    ck_assert_str_eq(state_contents(store), "");
    ck_assert_int_eq(store_get_meta(store, "assigned", &value), -ENOENT);
    ck_assert_int_eq(store_get_mark(store, &value), -ENOENT);
    log_begin();
    ck_assert_int_eq(state_put(store, "a", "1"), -ENOENT);
    ck_assert_int_eq(store_set_meta(store, "a", "1"), -ENOENT);
    ck_assert_int_eq(store_reset(store, NULL, 0), -ENOENT);
    ck_assert_str_eq(log_end(), "");
    ck_assert_int_eq(store_set_mark(store, "a"), -ENOENT);
    ck_assert_str_eq(state_contents(store), "");
    store_close(store);
    state_stop();
}
END_TEST

/* Version 1 -------------------------------------------------------------------------------------------- */

/* A file that version 1 has written; so many characters of state_contents(). */
#define VERSION_1_CONTENTS 4241
static char *version_1(size_t *ret_size) {
    return data_read("store", "version-1.db", ret_size);
}

/* Everything it holds, and room for what came later. */
static void is_version_1_upgraded(const char *what, Store *store) {
    char *value, *contents = strdup(state_contents(store));
    ck_assert_msg(strstr(contents, "Device.ManagementServer.Password=it's \"secret\" \xc3\xa9;"), "%s", what);
    ck_assert_msg(strstr(contents, "Device.ManagementServer.URL=;"), "%s", what);
    ck_assert_msg(strstr(contents, ".38.ParameterName=Device.Services.FAPService.1.REM.LTE.Cell.38.RF.RSRP;"),
                  "%s", what);
    ck_assert_uint_eq(strlen(contents), VERSION_1_CONTENTS);
    free(contents);
    ck_assert_int_eq(store_get_meta(store, "bootstrapped-url", &value), 0);
    ck_assert_str_eq(value, "http://x/");
    free(value);
    ck_assert_int_eq(store_get_mark(store, &value), 0);
    ck_assert_str_eq(value, "operator example\n");
    free(value);
    ck_assert_int_eq(store_commit(store, &(StoreChange){STORE_EVENT, "e", "1"}, 1), 0);
    ck_assert_int_eq(store_commit(store, &(StoreChange){STORE_EVENT, "e", NULL}, 1), 0);
}

START_TEST(a_file_of_version_1_is_brought_up) {
    Store *store;
    size_t size;
    state_start();
    _cleanup_free_ char *data = version_1(&size);
    file_write(state_path, data, size);
    LOG_OF(store = state_open(), "brought from version 1 to 2");
    is_version_1_upgraded("once", store);
    store_close(store);
    log_begin();
    store = state_open();
    ck_assert_str_eq(log_end(), "");
    is_version_1_upgraded("again", store);
    store_close(store);
    state_stop();
}
END_TEST

/* Killed in every call of that, and with no room from every call on: nothing is lost, nor kept aside. */
START_TEST(version_1_and_a_start_that_dies_or_finds_no_room) {
    static const Fault faults[] = {FAULT_KILL, FAULT_FAIL};
    static const int errors[] = {ENOSPC, EROFS, EDQUOT};
    size_t size;
    _cleanup_free_ char *data = version_1(&size);
    state_start();
    for (size_t i = 0; i < ARRAY_SIZE(faults) * ARRAY_SIZE(errors); i++) {
        unsigned after = 0;
        int status;
        fault_errno = errors[i / 2];
        do {
            state_clear();
            file_write(state_path, data, size);
            pid_t pid = fork();
            ck_assert_int_ge(pid, 0);
            if (pid == 0) {
                Store *store;
                fault_arm(faults[i % 2], after);
                if (store_open(&store, state_path) < 0)
                    _exit(1);
                if (store_commit(store, &(StoreChange){STORE_EVENT, "e", "1"}, 1) == 0)
                    _exit(0);
                fault_arm(FAULT_NONE, 0);
                /* Half an upgrade that could not be rolled back may show as nothing, as half a commit does.
                 */
                const bool half = access(state_beside("state.db-journal"), F_OK) == 0;
                char *now = strdup(state_contents(store));
                if (strlen(now) != VERSION_1_CONTENTS && (!half || now[0]))
                    _exit(2);
                /* What came later can be read: nothing. */
                char *end = now;
                if (store_load(store, STORE_EVENT, state_collect, &end) != 0 || end != now)
                    _exit(3);
                _exit(4);
            }
            ck_assert_int_eq(waitpid(pid, &status, 0), pid);
            ck_assert_msg(WIFSIGNALED(status) || WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 4,
                          "%s, call %u: %d", strerror(fault_errno), after, WEXITSTATUS(status));
            ck_assert_ptr_null(strstr(state_files(), "damaged"));
            Store *store = state_open();
            is_version_1_upgraded("after that", store);
            store_close(store);
            after++;
        } while (WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
        ck_assert_uint_ge(after, 6);
    }
    state_stop();
}
END_TEST

/* Damage is found in it as in one of this version. */
START_TEST(version_1_and_damage) {
    size_t size;
    const char *log;
    _cleanup_free_ char *data = version_1(&size);
    _cleanup_free_ char *bad = malloc(size);
    unsigned aside = 0;
    state_start();
    for (size_t page = 0; page < size; page += 4096)
        for (int cut = 0; cut < 2; cut++) {
            memcpy(bad, data, size);
            memset(bad + page, 0, 4096);
            state_clear();
            if (cut)
                file_write(state_path, data, page + 7);
            else
                file_write(state_path, bad, size);
            comes_up_new("a damaged one of version 1", cut ? data : bad, cut ? page + 7 : size);
        }
    for (size_t at = 0; at < 108; at++) {
        memcpy(bad, data, size);
        bad[at]++;
        state_clear();
        file_write(state_path, bad, size);
        char *found = comes_up("a header of version 1", &log);
        ck_assert_msg(strlen(found) == (strstr(log, "kept aside") ? 0 : VERSION_1_CONTENTS), "%zu: %s", at,
                      log);
        aside += found[0] == 0;
        free(found);
    }
    ck_assert_uint_ge(aside, 30);
    state_stop();
}
END_TEST

/* The first ones tell how it began, and stay. */
START_TEST(a_bounded_number_is_kept_aside) {
    char text[16];
    const char *log;
    state_start();
    for (unsigned i = 1; i <= 7; i++) {
        snprintf(text, sizeof text, "damage %u", i);
        file_write_text(state_path, text);
        free(comes_up(text, &log));
    }
    ck_assert_str_eq(state_files(),
                     "state.db state.db.damaged-1 state.db.damaged-2 state.db.damaged-3 state.db.damaged-4");
    ck_assert(state_file_is(state_beside("state.db.damaged-1"), "damage 1", 8));
    ck_assert(state_file_is(state_beside("state.db.damaged-3"), "damage 3", 8));
    ck_assert(state_file_is(state_beside("state.db.damaged-4"), "damage 7", 8));
    file_write_text(state_path, "damage 8");
    file_write_text(state_beside("state.db.damaged-4-journal"), "of damage 7");
    free(comes_up(text, &log));
    ck_assert_ptr_null(strstr(state_files(), "journal"));
    state_stop();
}
END_TEST

START_TEST(journals) {
    const char *log;
    char *contents, *found;
    size_t size, journal_size;
    uint64_t state;
    Rng rng = seeded_rng(&state, SEED);
    state_start();
    char *data = state_filled(&size, &contents);
    state_interrupt(data, size);
    ck_assert(!state_file_is(state_path, data, size));
    char *half = file_read(state_path, &size),
         *journal = file_read(state_beside("state.db-journal"), &journal_size);
    found = comes_up("interrupted", &log);
    ck_assert_str_eq(found, contents);
    ck_assert_str_eq(log, "");
    free(found);

    /* A journal that is damaged itself: the half it cannot mend any more is damage, and the box comes up. */
    unsigned aside = 0, old = 0;
    for (unsigned round = 0; round < 150; round++) {
        state_clear();
        file_write(state_path, half, size);
        if (round % 2)
            file_write(state_beside("state.db-journal"), journal, below(&rng, journal_size));
        else {
            char *bad = malloc(journal_size);
            memcpy(bad, journal, journal_size);
            for (unsigned i = 0; i < 5; i++)
                bad[below(&rng, round % 4 ? journal_size : 28)] ^= (char)(1 + below(&rng, 255));
            file_write(state_beside("state.db-journal"), bad, journal_size);
            free(bad);
        }
        found = comes_up("a damaged journal", &log);
        aside += found[0] == 0;
        old += streq(found, contents);
        free(found);
    }
    printf("%u kept aside, %u rolled back\n", aside, old);

    /* One that cannot be opened. */
    state_clear();
    free(data);
    free(contents);
    data = state_filled(&size, &contents);
    ck_assert_int_eq(mkdir(state_beside("state.db-journal"), 0700), 0);
    comes_up_new("a folder for a journal", data, size);
    ck_assert_str_eq(state_files(), "state.db state.db.damaged-1 state.db.damaged-1-journal");

    /* A stale one, without its database, is nothing. */
    state_clear();
    file_write(state_beside("state.db-journal"), journal, journal_size);
    found = comes_up("a stale journal", &log);
    ck_assert_str_eq(found, "");
    ck_assert_str_eq(state_files(), "state.db");
    free(found);
    free(half);
    free(journal);
    free(data);
    free(contents);
    state_stop();
}
END_TEST

SUITE("store-damage", cut_short_anywhere, bytes_changed_at_random, each_byte_of_the_header, pages_of_nothing,
      other_databases, no_files_at_all, a_file_of_version_1_is_brought_up,
      version_1_and_a_start_that_dies_or_finds_no_room, version_1_and_damage, a_bounded_number_is_kept_aside,
      journals)
