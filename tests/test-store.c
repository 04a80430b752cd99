/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The store on a disk that works, and a process that may die at any moment. test-store-damage.c has the rest.
 */
#include <sys/resource.h>

#include "seeded.h"
#include "state.h"
#include "suite.h"

START_TEST(values_survive_a_reopen) {
    Store *store;
    char *value;
    struct stat st;
    state_start();
    log_begin();
    ck_assert_int_eq(store_open(&store, state_path), 0);
    const char *log = log_end();
    ck_assert_msg(log_lines(log) == 1 && strstr(log, "state.db: new"), "%s", log);
    ck_assert_int_eq(stat(state_path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    ck_assert_str_eq(state_contents(store), "");
    ck_assert_int_eq(store_commit(store,
                                  (const StoreChange[]){{STORE_PARAMETER, "b", "2"},
                                                        {STORE_PARAMETER, "a", "1 ' \""},
                                                        {STORE_PARAMETER, "c", ""}},
                                  3),
                     0);
    ck_assert_int_eq(store_set_meta(store, "bootstrapped-url", "http://x/"), 0);
    ck_assert_int_eq(store_get_meta(store, "nothing", &value), -ENOENT);
    store_close(store);

    log_begin();
    store = state_open();
    ck_assert_str_eq(log_end(), "");
    ck_assert_str_eq(state_contents(store), "a=1 ' \";b=2;c=;");
    ck_assert_int_eq(store_get_meta(store, "bootstrapped-url", &value), 0);
    ck_assert_str_eq(value, "http://x/");
    free(value);
    ck_assert_int_eq(store_commit(store,
                                  (const StoreChange[]){{STORE_PARAMETER, "b", NULL},
                                                        {STORE_PARAMETER, "a", "9"},
                                                        {STORE_PARAMETER, "absent", NULL}},
                                  3),
                     0);
    ck_assert_int_eq(store_set_meta(store, "bootstrapped-url", NULL), 0);
    ck_assert_int_eq(store_get_meta(store, "bootstrapped-url", &value), -ENOENT);
    ck_assert_str_eq(state_contents(store), "a=9;c=;");
    ck_assert_int_eq(store_commit(store, NULL, 0), 0);
    store_close(store);
    ck_assert_str_eq(state_files(), "state.db");
    state_stop();
}
END_TEST

START_TEST(a_path_without_a_folder) {
    Store *store;
    state_start();
    ck_assert_int_eq(chdir(state_directory), 0);
    ck_assert_int_eq(store_open(&store, "state.db"), 0);
    ck_assert_int_eq(store_set_mark(store, "x"), 0);
    store_close(store);
    ck_assert_str_eq(state_files(), "deregistered state.db");
    state_stop();
}
END_TEST

static int stop_at_first(void *userdata, const char *name, const char *value) {
    ++*(int *)userdata;
    return -ECANCELED;
}

START_TEST(a_visitor_can_stop) {
    int calls = 0;
    state_start();
    Store *store = state_open();
    ck_assert_int_eq(
        store_commit(store, (const StoreChange[]){{STORE_PARAMETER, "a", "1"}, {STORE_PARAMETER, "b", "2"}},
                     2),
        0);
    ck_assert_int_eq(store_load(store, STORE_PARAMETER, stop_at_first, &calls), -ECANCELED);
    ck_assert_int_eq(calls, 1);
    store_close(store);
    state_stop();
}
END_TEST

static int event_and_more(void *userdata, const char *key, const char *value) {
    char **end = userdata;
    *end += sprintf(*end, "%s=%s ", key, value);
    return 0;
}

/* "key=value " of each kind, in the order of the kinds. */
static const char *kinds_contents(Store *store) {
    static char text[4096];
    char *end = text;
    for (StoreKind kind = 0; kind < STORE_KINDS_; kind++) {
        end += sprintf(end, "%s", kind ? "| " : "");
        ck_assert_int_eq(store_load(store, kind, event_and_more, &end), 0);
    }
    return text;
}

START_TEST(kinds_are_apart_and_commit_together) {
    sqlite3 *other;
    char *value;
    state_start();
    Store *store = state_open();
    ck_assert_str_eq(kinds_contents(store), "| | | | | ");
    const StoreChange changes[] = {
        {STORE_TRANSFER, "k", "6"},  {STORE_EVENT, "k", "5"},     {STORE_INSTANCE, "k", "4"},
        {STORE_ATTRIBUTE, "k", "3"}, {STORE_META, "k", "2"},      {STORE_PARAMETER, "k", "1"},
        {STORE_EVENT, "gone", "x"},  {STORE_EVENT, "gone", NULL}, {STORE_EVENT, "M Download it's", ""},
    };
    /* Together or not at all. */
    ck_assert_int_eq(sqlite3_open(state_path, &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN; SELECT * FROM parameter", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(store_commit(store, changes, ARRAY_SIZE(changes)), -EBUSY);
    ck_assert_str_eq(kinds_contents(store), "| | | | | ");
    ck_assert_int_eq(sqlite3_close(other), SQLITE_OK);
    ck_assert_int_eq(store_commit(store, changes, ARRAY_SIZE(changes)), 0);
    store_close(store);
    store = state_open();
    ck_assert_str_eq(kinds_contents(store), "k=1 | k=2 | k=3 | k=4 | M Download it's= k=5 | k=6 ");
    ck_assert_int_eq(store_get_meta(store, "k", &value), 0);
    ck_assert_str_eq(value, "2");
    free(value);
    ck_assert_int_eq(store_commit(store, &(StoreChange){STORE_EVENT, "k", NULL}, 1), 0);
    ck_assert_str_eq(kinds_contents(store), "k=1 | k=2 | k=3 | k=4 | M Download it's= | k=6 ");
    ck_assert_int_eq(store_set_mark(store, "x"), 0);
    ck_assert_int_eq(store_reset(store, (const char *const[]){"k"}, 1), 0);
    ck_assert_ptr_eq(strstr(kinds_contents(store), "k=1 | deregistered="), kinds_contents(store));
    ck_assert_ptr_nonnull(strstr(kinds_contents(store), "\nx | | | | "));
    store_close(store);
    state_stop();
}
END_TEST

/* Another process holds the file: all of a commit or none. */
START_TEST(a_commit_that_cannot_be_made_leaves_nothing) {
    Store *store, *second;
    sqlite3 *other;
    state_start();
    store = state_open();
    ck_assert_int_eq(state_put(store, "a", "1"), 0);
    ck_assert_int_eq(sqlite3_open(state_path, &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(
        store_commit(store, (const StoreChange[]){{STORE_PARAMETER, "a", "2"}, {STORE_PARAMETER, "b", "2"}},
                     2),
        -EBUSY);
    /* It is no damage either. */
    ck_assert_int_eq(store_open(&second, state_path), -EBUSY);
    ck_assert_str_eq(state_files(), "state.db");
    ck_assert_int_eq(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_str_eq(state_contents(store), "a=1;");

    /* A reader that stays makes the COMMIT itself fail, when the rows are written already. */
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN; SELECT * FROM parameter", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(
        store_commit(store, (const StoreChange[]){{STORE_PARAMETER, "a", "2"}, {STORE_PARAMETER, "b", "2"}},
                     2),
        -EBUSY);
    ck_assert_int_eq(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_str_eq(state_contents(store), "a=1;");
    ck_assert_int_eq(
        store_commit(store, (const StoreChange[]){{STORE_PARAMETER, "a", "2"}, {STORE_PARAMETER, "b", "2"}},
                     2),
        0);
    ck_assert_str_eq(state_contents(store), "a=2;b=2;");
    sqlite3_close(other);
    store_close(store);
    state_stop();
}
END_TEST

/* Killed at any moment, again and again on the same file: what is read then is one of the commits, whole, and
 * none that was reported is lost. */
START_TEST(a_killed_writer_leaves_a_whole_commit) {
    char text[64], byte;
    int pipes[2], status;
    unsigned least = 0;
    uint64_t state;
    Rng rng = seeded_rng(&state, 20);
    state_start();
    for (int round = 0; round < 25; round++) {
        uint16_t wait;
        rng.fill(rng.userdata, &wait, sizeof wait);
        ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
        pid_t pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            Store *store;
            close(pipes[0]);
            if (store_open(&store, state_path) < 0)
                _exit(1);
            for (unsigned i = least + 1;; i++) {
                snprintf(text, sizeof text, "%u", i);
                if (store_commit(store,
                                 (const StoreChange[]){{STORE_PARAMETER, "a", text},
                                                       {STORE_PARAMETER, "b", text},
                                                       {STORE_PARAMETER, "c", text}},
                                 3) < 0 ||
                    write(pipes[1], "x", 1) != 1)
                    _exit(1);
            }
        }
        close(pipes[1]);
        for (int i = 0; i < 3; i++, least++)
            ck_assert_int_eq(read(pipes[0], &byte, 1), 1);
        usleep(wait % 4096);
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFSIGNALED(status));
        while (read(pipes[0], &byte, 1) == 1)
            least++;
        close(pipes[0]);

        unsigned a = 0, b = 0, c = 0;
        Store *store = state_open();
        ck_assert_int_eq(sscanf(state_contents(store), "a=%u;b=%u;c=%u;", &a, &b, &c), 3);
        ck_assert(a == b && b == c);
        ck_assert(a == least || a == least + 1); /* that one was not reported yet */
        least = a;
        store_close(store);
    }
    ck_assert_ptr_null(strstr(state_files(), "damaged"));
    state_stop();
}
END_TEST

/* Every call ------------------------------------------------------------------------------------------ */

#define FILLED 60

static void commit_new(Store *store) {
    if (state_fill(store, "new", FILLED) < 0)
        _exit(2);
}

static void reset_but_two(Store *store) {
    const char *const keep[] = {"Device.A.Rather.Long.Path.To.Parameter.007", "no such path", "it's"};
    if (store_reset(store, keep, ARRAY_SIZE(keep)) < 0)
        _exit(2);
}

/* Everything that matters, as one text; malloc'ed. */
static char *everything(void) {
    static const char *const keys[] = {"bootstrapped-url", "last-good-time"};
    Store *store = state_open();
    char *all = NULL, *value;
    ck_assert_int_ge(asprintf(&all, "%s", state_contents(store)), 0);
    for (size_t i = 0; i < ARRAY_SIZE(keys) + 1; i++) {
        int r = i < ARRAY_SIZE(keys) ? store_get_meta(store, keys[i], &value) : store_get_mark(store, &value);
        ck_assert(r == 0 || r == -ENOENT);
        char *longer;
        ck_assert_int_ge(asprintf(&longer, "%s%s;", all, r == 0 ? value : "-"), 0);
        free(all);
        all = longer;
        if (r == 0)
            free(value);
    }
    store_close(store);
    return all;
}

/* Dies in each call in turn that changes something on the disk, in the middle of it: all of *work* is there,
 * or nothing of it. Returns what all of it leaves; malloc'ed. */
static char *killed_in_every_call(void (*work)(Store *store)) {
    char *old, *new = NULL;
    unsigned after = 0, journals = 0, done = 0;
    size_t size, file_size;
    bool died;

    state_start();
    Store *store = state_open();
    ck_assert_int_eq(state_fill(store, "old", FILLED), 0);
    ck_assert_int_eq(
        store_commit(store,
                     (const StoreChange[]){{STORE_PARAMETER, "it's", "x"}, {STORE_PARAMETER, "q", "y"}}, 2),
        0);
    ck_assert_int_eq(store_set_meta(store, "bootstrapped-url", "http://x/"), 0);
    ck_assert_int_eq(store_set_meta(store, "last-good-time", "1"), 0);
    ck_assert_int_eq(store_set_mark(store, "marked"), 0);
    store_close(store);
    _cleanup_free_ char *database = file_read(state_path, &size);
    _cleanup_free_ char *mark = file_read(state_beside("deregistered"), &file_size);
    old = everything();
    do {
        state_clear();
        file_write(state_path, database, size);
        file_write(state_beside("deregistered"), mark, file_size);
        died = state_killed(after++, work);
        journals += access(state_beside("state.db-journal"), F_OK) == 0;
        char *now = everything();
        ck_assert_ptr_null(strstr(state_files(), "damaged"));
        if (!streq(now, old)) {
            ck_assert(!new || streq(now, new));
            free(new);
            new = TAKE_PTR(now);
            done++;
        } else
            ck_assert_msg(done == 0, "%u: what was there is gone again", after);
        free(now);
    } while (died);
    printf("%u calls, %u left a journal, %u after the commit\n", after - 1, journals, done - 1);
    ck_assert_uint_ge(after, 8);
    ck_assert_uint_ge(journals, 4);
    ck_assert_ptr_nonnull(new);
    ck_assert_str_ne(new, old);
    free(old);
    state_stop();
    return new;
}

START_TEST(a_commit_killed_in_every_call) {
    char *new = killed_in_every_call(commit_new);
    ck_assert_ptr_null(strstr(new, "old"));
    ck_assert_ptr_nonnull(strstr(new, "it's=x;q=y;http://x/;1;marked;"));
    free(new);
}
END_TEST

START_TEST(a_reset_killed_in_every_call) {
    char *new = killed_in_every_call(reset_but_two);
    ck_assert_str_eq(new,
                     "Device.A.Rather.Long.Path.To.Parameter.007=old, the value that belongs to parameter 7;"
                     "it's=x;-;-;marked;");
    free(new);
}
END_TEST

static void nothing(Store *store) {
}

/* The very first start. */
START_TEST(a_new_store_killed_in_every_call) {
    unsigned after = 0;
    int status;
    state_start();
    do {
        state_clear();
        pid_t pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            Store *store;
            fault_arm(FAULT_KILL, after);
            _exit(store_open(&store, state_path) < 0);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        Store *store = state_open();
        ck_assert_int_eq(state_put(store, "a", "1"), 0);
        store_close(store);
        ck_assert_str_eq(state_files(), "state.db");
        ck_assert(!state_killed(1000, nothing));
        after++;
    } while (WIFSIGNALED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    ck_assert_uint_ge(after, 5);
    state_stop();
}
END_TEST

/* Reset and mark -------------------------------------------------------------------------------------- */

START_TEST(a_reset_leaves_what_is_to_be_kept) {
    char *value;
    state_start();
    Store *store = state_open();
    ck_assert_int_eq(store_commit(store,
                                  (const StoreChange[]){{STORE_PARAMETER, "a", "1"},
                                                        {STORE_PARAMETER, "b", "2"},
                                                        {STORE_PARAMETER, "c'", "3"}},
                                  3),
                     0);
    ck_assert_int_eq(store_set_meta(store, "assigned", "x"), 0);
    ck_assert_int_eq(store_reset(store, (const char *const[]){"c'", "z"}, 2), 0);
    ck_assert_str_eq(state_contents(store), "c'=3;");
    ck_assert_int_eq(store_get_meta(store, "assigned", &value), -ENOENT);
    ck_assert_int_eq(store_reset(store, NULL, 0), 0);
    ck_assert_str_eq(state_contents(store), "");
    ck_assert_int_eq(store_reset(store, NULL, 0), 0);
    store_close(store);
    /* Nothing of it is in the file any more. */
    size_t size;
    char *data = file_read(state_path, &size);
    ck_assert_ptr_null(memmem(data, size, "assigned", 8));
    free(data);
    state_stop();
}
END_TEST

static void mark_is(const char *expected) {
    Store *store = state_open();
    char *text = NULL;
    int r = store_get_mark(store, &text);
    if (!expected)
        ck_assert_int_eq(r, -ENOENT);
    else {
        ck_assert_int_eq(r, 0);
        ck_assert_str_eq(text, expected);
    }
    free(text);
    store_close(store);
}

static void mark_put(const char *text) {
    Store *store = state_open();
    ck_assert_int_eq(store_set_mark(store, text), 0);
    store_close(store);
}

/* The copy in the table goes, or becomes *value*. */
static void table_copy(const char *value) {
    Store *store = state_open();
    ck_assert_int_eq(store_set_meta(store, "deregistered", value), 0);
    store_close(store);
}

START_TEST(the_mark_is_there_while_one_copy_is) {
    static const char first[] = "operator example\nsuffix b.example\n", later[] = "operator other\n";
    struct stat st;
    state_start();
    mark_is(NULL);
    mark_put(first);
    ck_assert_int_eq(stat(state_beside("deregistered"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    mark_is(first);
    /* The file alone, the table alone, and each mends the other. */
    for (int i = 0; i < 3; i++) {
        table_copy(NULL);
        mark_is(first);
        ck_assert_int_eq(unlink(state_beside("deregistered")), 0);
        mark_is(first);
    }
    /* The database is gone, also for another reason. */
    ck_assert_int_eq(unlink(state_path), 0);
    mark_is(first);
    file_write_text(state_path, "no database");
    mark_is(first);
    ck_assert_int_eq(unlink(state_beside("deregistered")), 0);
    mark_is(first);

    /* Of two the later one, whichever it is. */
    size_t size;
    char *old = file_read(state_beside("deregistered"), &size);
    mark_put(later);
    file_write(state_beside("deregistered"), old, size);
    mark_is(later);
    mark_is(later);
    table_copy(old);
    mark_is(later);
    table_copy(NULL);
    mark_is(later);

    mark_put(NULL);
    mark_is(NULL);
    mark_put(NULL);
    ck_assert_ptr_null(strstr(state_files(), "deregistered"));
    mark_put("");
    mark_is("");
    free(old);
    state_stop();
}
END_TEST

/* Every byte of either copy changed in turn: never believed, and never taken for "not de-registered". */
START_TEST(a_damaged_copy_of_the_mark) {
    static const char text[] = "operator example\n";
    char *value;
    size_t size;
    state_start();
    mark_put(text);
    char *kept = file_read(state_beside("deregistered"), &size);
    Store *store = state_open();
    for (size_t i = 0; i < size; i++) {
        char *bad = strndup(kept, size);
        bad[i] ^= 1;
        file_write(state_beside("deregistered"), bad, size);
        ck_assert_int_eq(store_get_mark(store, &value), 0);
        ck_assert_str_eq(value, text);
        free(value);
        ck_assert_int_eq(store_set_meta(store, "deregistered", bad), 0);
        ck_assert_int_eq(store_get_mark(store, &value), 0);
        ck_assert_str_eq(value, text);
        free(value);

        file_write(state_beside("deregistered"), bad, i); /* cut short */
        ck_assert_int_eq(store_set_meta(store, "deregistered", bad), 0);
        LOG_OF(ck_assert_int_eq(store_get_mark(store, &value), -EBADMSG), "damaged");
        ck_assert_int_eq(store_set_meta(store, "deregistered", NULL), 0);
        LOG_OF(ck_assert_int_eq(store_get_mark(store, &value), -EBADMSG), "damaged");
        free(bad);
        ck_assert_int_eq(store_set_mark(store, text), 0); /* that mends it */
    }
    ck_assert_int_eq(store_set_meta(store, "deregistered", NULL), 0);
    file_write(state_beside("deregistered"), "1 \0\n", 4);
    ck_assert_int_eq(store_get_mark(store, &value), -EBADMSG);
    /* The database is damaged as well: a new one does not make the box registered again. */
    store_close(store);
    file_write_text(state_path, "no database");
    LOG_OF(store = state_open(), "kept aside");
    LOG_OF(ck_assert_int_eq(store_get_mark(store, &value), -EBADMSG), "damaged");
    ck_assert_int_eq(store_set_mark(store, NULL), 0); /* and that clears it */
    ck_assert_int_eq(store_get_mark(store, &value), -ENOENT);
    store_close(store);
    free(kept);
    state_stop();
}
END_TEST

/* Nobody knows then whether there is one: the caller tries again, and no copy is mended from the other. */
START_TEST(a_mark_that_cannot_be_read_now) {
    char *value;
    sqlite3 *other;
    struct rlimit limit;
    state_start();
    Store *store = state_open();
    ck_assert_int_eq(sqlite3_open(state_path, &other), SQLITE_OK);
    for (int marked = 0; marked < 2; marked++) {
        if (marked)
            ck_assert_int_eq(store_set_mark(store, "x"), 0);
        ck_assert_int_eq(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
        ck_assert_int_eq(store_get_mark(store, &value), -EBUSY);
        ck_assert_int_eq(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);

        ck_assert_int_eq(store_get_meta(store, "no such key", &value), -ENOENT); /* with its file open */
        ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, limit.rlim_max}), 0);
        ck_assert_int_eq(store_get_mark(store, &value), -EMFILE);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    }
    ck_assert_int_eq(store_get_mark(store, &value), 0);
    ck_assert_str_eq(value, "x");
    free(value);
    sqlite3_close(other);
    store_close(store);
    state_stop();
}
END_TEST

START_TEST(a_mark_that_can_be_kept_once_only) {
    static char long_text[40000];
    char *value;
    state_start();
    Store *store = state_open();
    ck_assert_int_eq(mkdir(state_beside("deregistered"), 0700), 0);
    LOG_OF(ck_assert_int_eq(store_set_mark(store, "x"), 0), "the file deregistered");
    ck_assert_str_eq(state_files(), "deregistered state.db");
    ck_assert_int_eq(store_get_mark(store, &value), 0);
    ck_assert_str_eq(value, "x");
    free(value);
    /* It cannot be cleared for good: something is there that stands for a mark. */
    ck_assert_int_eq(store_set_mark(store, NULL), -EISDIR);
    ck_assert_int_eq(store_get_mark(store, &value), -EBADMSG);
    ck_assert_int_eq(rmdir(state_beside("deregistered")), 0);
    ck_assert_int_eq(store_get_mark(store, &value), -ENOENT);

    memset(long_text, 'x', sizeof long_text - 1);
    ck_assert_int_eq(store_set_mark(store, long_text), -E2BIG);
    ck_assert_int_eq(store_get_mark(store, &value), -ENOENT);

    sqlite3 *other;
    ck_assert_int_eq(sqlite3_open(state_path, &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(store_set_mark(store, "y"), 0);
    ck_assert_int_eq(sqlite3_close(other), SQLITE_OK);
    ck_assert_int_eq(store_get_mark(store, &value), 0);
    ck_assert_str_eq(value, "y");
    free(value);
    store_close(store);
    state_stop();
}
END_TEST

/* The mark changed and changed again by a process that is killed: one of the two, or for a box that is being
 * cleared, still the old one. */
START_TEST(a_killed_writer_leaves_a_mark) {
    int pipes[2], status;
    char byte, *value;
    state_start();
    for (int round = 0; round < 20; round++) {
        ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
        pid_t pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            Store *store;
            if (store_open(&store, state_path) < 0)
                _exit(1);
            for (unsigned i = 0;; i++)
                if (store_set_mark(store, i % 2 ? "operator a\n" : "operator b\n") < 0 ||
                    write(pipes[1], "x", 1) != 1)
                    _exit(1);
        }
        ck_assert_int_eq(read(pipes[0], &byte, 1), 1);
        usleep((unsigned)round * 300);
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFSIGNALED(status));
        close(pipes[0]);
        close(pipes[1]);
        Store *store = state_open();
        ck_assert_int_eq(store_get_mark(store, &value), 0);
        ck_assert(streq(value, "operator a\n") || streq(value, "operator b\n"));
        free(value);
        store_close(store);
    }
    mark_put(NULL);
    mark_is(NULL);
    state_stop();
}
END_TEST

SUITE("store", values_survive_a_reopen, a_path_without_a_folder, a_visitor_can_stop,
      kinds_are_apart_and_commit_together, a_commit_that_cannot_be_made_leaves_nothing,
      a_killed_writer_leaves_a_whole_commit, a_commit_killed_in_every_call, a_reset_killed_in_every_call,
      a_new_store_killed_in_every_call, a_reset_leaves_what_is_to_be_kept,
      the_mark_is_there_while_one_copy_is, a_damaged_copy_of_the_mark, a_mark_that_cannot_be_read_now,
      a_mark_that_can_be_kept_once_only, a_killed_writer_leaves_a_mark)
