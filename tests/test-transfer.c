/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Transfers: each request, its windows, and a HeMS that is told once, whenever the power fails. */
#include "quick-check.h"

#include <stdio.h>

#include "base/log.h"
#include "cwmp/fault.h"
#include "cwmp/transfer.h"
#include "seeded.h"
#include "suite.h"

#define RECORDS_MAX 64
#define SECOND      USEC_PER_SEC
#define EPOCH       (UINT64_C(1790000000) * SECOND)

/* The disk, and what survives on it of events. */
typedef struct World {
    char *keys[RECORDS_MAX], *values[RECORDS_MAX];
    size_t n;
    bool full;    /* nothing can be written */
    int crash_in; /* the power fails with this write, after it; 0: it does not */
    bool crashed;
    unsigned raised[TRANSFER_KINDS_];
    char raised_keys[4096]; /* " key key " */
    const char *boot_id;
    bool clock_trusted;
    uint64_t seed;
    Rng rng;
    Transfers *t;
    Moment now;
} World;

static int world_save(void *userdata, const char *key, const char *value) {
    World *w = userdata;
    size_t i = 0;

    if (w->full || w->crashed)
        return -ENOSPC;
    while (i < w->n && !streq(w->keys[i], key))
        i++;
    if (i < w->n) {
        free(w->keys[i]);
        free(w->values[i]);
        w->keys[i] = w->keys[--w->n];
        w->values[i] = w->values[w->n];
    }
    if (value) {
        ck_assert_uint_lt(w->n, RECORDS_MAX);
        w->keys[w->n] = strdup(key);
        w->values[w->n++] = strdup(value);
    }
    if (w->crash_in > 0 && --w->crash_in == 0)
        w->crashed = true;
    return 0;
}

static void world_raise(void *userdata, TransferKind kind, const char *command_key) {
    World *w = userdata;
    char key[160];

    if (w->crashed)
        return;
    w->raised[kind]++;
    snprintf(key, sizeof key, " %s ", command_key);
    if (!strstr(w->raised_keys, key) && strlen(w->raised_keys) + strlen(key) < sizeof w->raised_keys)
        strcat(w->raised_keys, key);
}

static void world_boot(World *w) {
    TransfersConfig config = {
        .rng = &w->rng,
        .boot_id = w->boot_id,
        .clock_trusted = w->clock_trusted,
        .save = world_save,
        .raise = world_raise,
        .userdata = w,
    };

    transfers_free(w->t);
    w->crashed = false;
    w->crash_in = 0;
    ck_assert_int_eq(transfers_new(&w->t, &config), 0);
    for (size_t i = 0; i < w->n; i++)
        ck_assert_int_eq(transfers_load(w->t, w->keys[i], w->values[i]), 0);
    transfers_start(w->t, w->now);
}

static World *world_new(uint64_t seed) {
    World *w = calloc(1, sizeof *w);
    w->rng = seeded_rng(&w->seed, seed);
    w->boot_id = "boot-1";
    w->clock_trusted = true;
    w->now = (Moment){1000 * SECOND, EPOCH};
    world_boot(w);
    return w;
}

static void world_free(World *w) {
    transfers_free(w->t);
    for (size_t i = 0; i < w->n; i++) {
        free(w->keys[i]);
        free(w->values[i]);
    }
    free(w);
}

static void world_wait(World *w, uint64_t seconds) {
    w->now.mono += seconds * SECOND;
    w->now.real += seconds * SECOND;
    transfers_tick(w->t, w->now);
}

static RpcDownload a_download(const char *key) {
    return (RpcDownload){.command_key = key,
                         .file_type = "1 Firmware Upgrade Image",
                         .url = "http://files.example/image",
                         .username = "user",
                         .password = "s3cret\n%",
                         .target_file_name = "",
                         .success_url = "",
                         .failure_url = ""};
}

static int download(World *w, const char *key, uint32_t delay) {
    RpcDownload d = a_download(key);
    const char *text = NULL;
    d.delay = delay;
    return transfers_download(w->t, w->now, &d, &text);
}

static RpcScheduleDownload a_schedule(const char *key) {
    return (RpcScheduleDownload){
        .command_key = key,
        .file_type = "1 Firmware Upgrade Image",
        .url = "https://files.example/image",
        .username = "",
        .password = "",
        .target_file_name = "",
        .n_windows = 2,
        .windows = {{100, 200, RPC_WINDOW_AT_ANY_TIME, "", 1}, {1000, 2000, RPC_WINDOW_IMMEDIATELY, "", 0}}};
}

/* The next action is of this kind; its id. */
static const char *expect(World *w, TransferActionKind kind) {
    static char id[TRANSFER_ID_BYTES];
    TransferAction a;
    ck_assert(transfers_next(w->t, &a));
    ck_assert_int_eq(a.kind, kind);
    strcpy(id, a.id);
    return id;
}

static void expect_nothing(World *w) {
    TransferAction a;
    ck_assert(!transfers_next(w->t, &a));
}

static SessionRequest report(World *w) {
    SessionRequest r[4];
    ck_assert_uint_eq(transfers_reports(w->t, r, 4), 1);
    return r[0];
}

static void answer(World *w, uint64_t id, int fault) {
    transfers_answered(w->t, w->now, &(SessionAnswer){.id = id, .fault = fault});
}

START_TEST(expectation_36_download_is_reported_once) {
    World *w = world_new(1);

    ck_assert_int_eq(download(w, "key 1", 0), 0);
    ck_assert_uint_eq(w->n, 1); /* Status 1 is on the disk */
    TransferAction a;
    ck_assert(transfers_next(w->t, &a));
    ck_assert_int_eq(a.kind, TRANSFER_FETCH);
    ck_assert_str_eq(a.password, "s3cret\n%");
    ck_assert(!a.resume);
    const char *id = a.id;
    transfers_moved(w->t, w->now, id, 0, NULL, 77);
    id = expect(w, TRANSFER_INSTALL);
    SessionRequest none;
    ck_assert_uint_eq(transfers_reports(w->t, &none, 1), 0);
    world_wait(w, 5);
    transfers_installed(w->t, w->now, id, 0, NULL);
    expect(w, TRANSFER_FORGET);
    ck_assert_uint_eq(w->raised[TRANSFER_DOWNLOAD], 1);
    ck_assert_ptr_null(strstr(w->values[0], "s3cret")); /* nor is it kept any longer than needed */
    ck_assert_ptr_null(strstr(w->values[0], "password"));
    for (int boots = 0; boots < 3; boots++) { /* as long as nobody has answered, also after reboots */
        SessionRequest r = report(w);
        ck_assert_int_eq(r.kind, SESSION_REQUEST_TRANSFER_COMPLETE);
        ck_assert_str_eq(r.command_key, "key 1");
        ck_assert_int_eq(r.fault, 0);
        ck_assert_str_eq(r.fault_string, "");
        ck_assert_int_eq(r.start_time, (int64_t)(EPOCH / SECOND));
        ck_assert_int_eq(r.complete_time, (int64_t)(EPOCH / SECOND) + 5);
        world_boot(w);
    }
    answer(w, report(w).id, 0);
    ck_assert_uint_eq(w->n, 0);
    ck_assert_uint_eq(transfers_reports(w->t, &none, 1), 0);
    world_free(w);
}
END_TEST

START_TEST(expectation_36_failure_is_reported) {
    World *w = world_new(2);

    ck_assert_int_eq(download(w, "k", 0), 0);
    transfers_moved(w->t, w->now, expect(w, TRANSFER_FETCH), FAULT_FILE_INACCESSIBLE, "404", 0);
    expect(w, TRANSFER_FORGET);
    expect_nothing(w);
    world_wait(w, 86400); /* A.3.2.8: not repeated by ourselves */
    expect_nothing(w);
    ck_assert_int_eq(report(w).fault, 9016);
    ck_assert_str_eq(report(w).fault_string, "404");
    /* A fault is not for ever. */
    for (int i = 0; i < TRANSFER_REFUSALS_MAX; i++)
        answer(w, report(w).id, 8002);
    SessionRequest none;
    ck_assert_uint_eq(transfers_reports(w->t, &none, 1), 0);
    world_free(w);
}
END_TEST

START_TEST(sixteen_wait) {
    World *w = world_new(3);
    char key[32];

    for (int i = 0; i < TRANSFERS_MAX; i++) {
        snprintf(key, sizeof key, "k%d", i);
        ck_assert_int_eq(download(w, key, 3600), 0);
    }
    ck_assert_int_eq(download(w, "more", 0), 9004);
    expect_nothing(w);
    const char *text = NULL;
    ck_assert_int_eq(transfers_cancel(w->t, w->now, "k3", &text), 0);
    ck_assert_int_eq(download(w, "more", 0), 0);
    world_free(w);
}
END_TEST

START_TEST(delay_counts_through_reboots) {
    World *w = world_new(4);

    ck_assert_int_eq(download(w, "k", 100), 0);
    ck_assert_uint_eq(transfers_deadline(w->t), w->now.mono + 100 * SECOND);
    w->now.real += 60 * SECOND; /* the box was off, and its clock goes from 0 */
    w->now.mono = 5 * SECOND;
    world_boot(w);
    ck_assert_uint_eq(transfers_deadline(w->t), w->now.mono + 40 * SECOND);
    w->clock_trusted = false; /* a clock that says nothing: the delay once more, until it does */
    w->now.mono = 5 * SECOND;
    world_boot(w);
    ck_assert_uint_eq(transfers_deadline(w->t), w->now.mono + 100 * SECOND);
    transfers_clock(w->t, true, w->now);
    ck_assert_uint_eq(transfers_deadline(w->t), w->now.mono + 40 * SECOND);
    world_wait(w, 39);
    expect_nothing(w);
    world_wait(w, 1);
    expect(w, TRANSFER_FETCH);
    world_free(w);
}
END_TEST

START_TEST(what_is_refused) {
    World *w = world_new(5);
    const char *text = NULL;
    RpcDownload d = a_download("k");

    d.url = "ftp://files.example/image";
    ck_assert_int_eq(transfers_download(w->t, w->now, &d, &text), 9013);
    d.url = "http://user:pw@files.example/image";
    ck_assert_int_eq(transfers_download(w->t, w->now, &d, &text), 9003);
    d = a_download("k");
    d.file_type = "4 Tone File";
    ck_assert_int_eq(transfers_download(w->t, w->now, &d, &text), 9003);
    RpcUpload u = {.command_key = "u",
                   .file_type = "4 Vendor Log File 2",
                   .url = "http://f.example/",
                   .username = "",
                   .password = ""};
    ck_assert_int_eq(transfers_upload(w->t, w->now, &u, &text), 9003);
    u.file_type = "4 Vendor Log File 1";
    RpcScheduleDownload s = a_schedule("s");
    s.windows[1].mode = RPC_WINDOW_CONFIRMATION_NEEDED;
    ck_assert_int_eq(transfers_schedule_download(w->t, w->now, &s, &text), 9001);
    w->full = true; /* what cannot be kept is not promised */
    ck_assert_int_eq(download(w, "k", 0), 9002);
    ck_assert_int_eq(transfers_upload(w->t, w->now, &u, &text), 9002);
    expect_nothing(w);
    w->full = false;
    ck_assert_int_eq(transfers_upload(w->t, w->now, &u, &text), 0);
    expect(w, TRANSFER_SEND);
    world_free(w);
}
END_TEST

START_TEST(outside_of_the_tunnel) {
    World *w = world_new(6);
    const char *text = NULL;
    RpcDownload d = a_download("k");
    TransferAction a;

    transfers_side(w->t, true);
    ck_assert_int_eq(transfers_download(w->t, w->now, &d, &text), 9013);
    d.url = "https://files.example/image";
    ck_assert_int_eq(transfers_download(w->t, w->now, &d, &text), 0);
    world_boot(w); /* whoever is the HeMS then */
    ck_assert(transfers_next(w->t, &a));
    ck_assert(a.kind == TRANSFER_FETCH && a.outside);
    d.url = "http://files.example/image"; /* within, as in the beginning */
    ck_assert_int_eq(transfers_download(w->t, w->now, &d, &text), 0);
    transfers_moved(w->t, w->now, a.id, 9010, "", 0);
    expect(w, TRANSFER_FORGET);
    ck_assert(transfers_next(w->t, &a));
    ck_assert(a.kind == TRANSFER_FETCH && !a.outside);
    world_free(w);
}
END_TEST

START_TEST(windows) {
    World *w = world_new(6);
    const char *text = NULL;
    RpcScheduleDownload s = a_schedule("s");

    ck_assert_int_eq(transfers_schedule_download(w->t, w->now, &s, &text), 0);
    world_wait(w, 99);
    expect_nothing(w);
    world_wait(w, 1);
    transfers_moved(w->t, w->now, expect(w, TRANSFER_FETCH), FAULT_SERVER_UNREACHABLE, "no route", 0);
    expect(w, TRANSFER_FORGET);
    expect_nothing(w);
    world_wait(w, 60); /* one retry in the first window, and the end of it comes */
    expect(w, TRANSFER_FETCH);
    world_wait(w, 40);
    expect(w, TRANSFER_STOP);
    expect_nothing(w);
    world_wait(w, 799);
    expect_nothing(w);
    world_wait(w, 1);
    expect(w, TRANSFER_FETCH);
    world_wait(w, 1000);
    expect(w, TRANSFER_STOP);
    expect(w, TRANSFER_FORGET);
    ck_assert_int_eq(report(w).fault, 9020);
    ck_assert_uint_eq(w->raised[TRANSFER_SCHEDULED], 1);
    world_free(w);
}
END_TEST

START_TEST(retries_of_a_window) {
    World *w = world_new(7);
    const char *text = NULL;
    RpcScheduleDownload s = a_schedule("s");

    ck_assert_int_eq(transfers_schedule_download(w->t, w->now, &s, &text), 0);
    world_wait(w, 100);
    for (int i = 0; i < 2; i++) {
        transfers_moved(w->t, w->now, expect(w, TRANSFER_FETCH), FAULT_SERVER_UNREACHABLE, NULL, 0);
        expect(w, TRANSFER_FORGET);
        world_wait(w, i == 0 ? 60 : 0);
    }
    expect_nothing(w);
    world_wait(w, 840);
    transfers_moved(w->t, w->now, expect(w, TRANSFER_FETCH), FAULT_FILE_CORRUPTED, "bad", 0);
    ck_assert_int_eq(report(w).fault, 9018);
    world_free(w);
}
END_TEST

START_TEST(cancel) {
    World *w = world_new(8);
    const char *text = NULL;

    ck_assert_int_eq(transfers_cancel(w->t, w->now, "k", &text), 9001);
    ck_assert_int_eq(download(w, "k", 0), 0);
    ck_assert_int_eq(download(w, "k2", 0), 0);
    expect(w, TRANSFER_FETCH);
    expect_nothing(w); /* one at a time */
    ck_assert_int_eq(transfers_cancel(w->t, w->now, "k", &text), 0);
    expect(w, TRANSFER_STOP);
    expect(w, TRANSFER_FORGET);
    transfers_moved(w->t, w->now, expect(w, TRANSFER_FETCH), 0, NULL, 5);
    ck_assert_int_eq(transfers_cancel(w->t, w->now, "k2", &text), 9021);
    transfers_installed(w->t, w->now, expect(w, TRANSFER_INSTALL), 0, NULL);
    ck_assert_int_eq(transfers_cancel(w->t, w->now, "k2", &text), 9021);
    ck_assert_str_eq(report(w).command_key, "k2");
    ck_assert_uint_eq(w->n, 1);
    world_free(w);
}
END_TEST

START_TEST(installer_reboots) {
    World *w = world_new(9);
    TransferAction a;

    ck_assert_int_eq(download(w, "k", 0), 0);
    transfers_moved(w->t, w->now, expect(w, TRANSFER_FETCH), 0, NULL, 5);
    expect(w, TRANSFER_INSTALL);
    world_boot(w); /* the agent only */
    ck_assert(transfers_next(w->t, &a));
    ck_assert(a.kind == TRANSFER_INSTALL && a.again && !a.rebooted);
    w->boot_id = "boot-2";
    world_boot(w);
    ck_assert(transfers_next(w->t, &a));
    ck_assert(a.kind == TRANSFER_INSTALL && a.again && a.rebooted);
    world_wait(w, TRANSFER_INSTALL_TIMEOUT / SECOND); /* and there is never a result */
    ck_assert_int_eq(report(w).fault, 9010);
    world_free(w);
}
END_TEST

START_TEST(a_transfer_that_takes_the_box_down) {
    World *w = world_new(10);
    TransferAction a;

    ck_assert_int_eq(download(w, "k", 0), 0);
    for (int i = 0; i < TRANSFER_STARTS_MAX; i++) {
        ck_assert(transfers_next(w->t, &a));
        ck_assert_int_eq(a.kind, TRANSFER_FETCH);
        ck_assert_int_eq(a.resume, i > 0);
        world_boot(w);
    }
    expect(w, TRANSFER_FORGET);
    ck_assert_int_eq(report(w).fault, 9010);
    world_free(w);
}
END_TEST

START_TEST(a_disk_that_is_full_at_the_end) {
    World *w = world_new(11);
    SessionRequest r;

    ck_assert_int_eq(download(w, "k", 0), 0);
    w->full = true; /* not to be installed: it would be again after a reboot */
    transfers_moved(w->t, w->now, expect(w, TRANSFER_FETCH), 0, NULL, 5);
    expect(w, TRANSFER_FORGET);
    ck_assert_uint_eq(transfers_reports(w->t, &r, 1), 0);
    ck_assert_uint_eq(w->raised[TRANSFER_DOWNLOAD], 0);
    w->full = false;
    world_wait(w, 60);
    ck_assert_int_eq(report(w).fault, 9002);
    ck_assert_uint_eq(w->raised[TRANSFER_DOWNLOAD], 1);
    world_free(w);
}
END_TEST

START_TEST(autonomous_by_policy) {
    static const struct {
        TransferPolicy policy;
        int fault;
        bool told;
    } rows[] = {
        {{false, true, true, true, "X 001122 PM"}, 0, false},
        {{true, true, true, true, "X 001122 PM"}, 0, true},
        {{true, false, true, true, "X 001122 PM"}, 0, false},
        {{true, true, false, true, "X 001122 PM"}, 0, false},
        {{true, true, false, true, "1 Firmware Upgrade Image, X 001122 PM"}, 9011, true},
        {{true, true, true, false, "X 001122 PM"}, 9011, false},
        {{true, true, true, true, "X 001122 PMX,4 Vendor Log File"}, 0, false},
        {{true, true, true, true, ""}, 0, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        World *w = world_new(20 + i);
        char id[TRANSFER_ID_BYTES];
        RpcUpload u = {
            .file_type = "X 001122 PM", .url = "http://pm.example/", .username = "u", .password = "p"};
        ck_assert_int_eq(transfers_set_policy(w->t, &rows[i].policy), 0);
        ck_assert_int_eq(transfers_autonomous(w->t, w->now, &u, "A1.xml", id), 0);
        for (int try = 0; try < (rows[i].fault ? TRANSFER_RETRIES + 1 : 1); try++) {
            world_wait(w, 3600);
            ck_assert_str_eq(expect(w, TRANSFER_SEND), id);
            transfers_moved(w->t, w->now, id, rows[i].fault, "no", 9);
        }
        expect(w, TRANSFER_FORGET);
        expect_nothing(w);
        ck_assert_uint_eq(w->raised[TRANSFER_AUTONOMOUS], rows[i].told);
        ck_assert_uint_eq(w->n, rows[i].told);
        if (rows[i].told) {
            ck_assert_int_eq(report(w).kind, SESSION_REQUEST_AUTONOMOUS_TRANSFER_COMPLETE);
            ck_assert_str_eq(report(w).transfer_url, u.url);
            answer(w, report(w).id, 9000);
        }
        ck_assert_uint_eq(w->n, 0);
        world_free(w);
    }
}
END_TEST

START_TEST(records_that_are_none) {
    static const char *const bad[] = {"",
                                      "kind",
                                      "kind=9\nurl=x\n",
                                      "url=%zz\n",
                                      "url=%00\n",
                                      "kind=2\nurl=x\n",
                                      "kind=0\nstate=4\nurl=x\n",
                                      "kind=-1\nurl=x\n",
                                      "url=x\nsize=99999999999\n",
                                      "url=x\nwindow=1\n"};
    World *w = world_new(12);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        ck_assert_int_eq(transfers_load(w->t, "0123456789abcdef", bad[i]), -EINVAL);
    ck_assert_int_eq(transfers_load(w->t, "1", "url=x\n"), -EINVAL);
    ck_assert_int_eq(transfers_load(w->t, "0123456789abcdef", "url=x\nlater=1"), 0);
    ck_assert_int_eq(transfers_load(w->t, "0123456789abcdef", "url=x\n"), -EINVAL);
    world_free(w);
}
END_TEST

/* A HeMS that asks for transfers at random, a box whose power fails at any write, and sessions that fail. */

#define KEYS 40

typedef struct Told {
    bool promised, cancelled, maybe;
    unsigned told;
} Told;

static size_t number(const char *key) {
    return (size_t)atoi(key + 1);
}

static void drain(World *w, char id[static TRANSFER_ID_BYTES], TransferActionKind *ret) {
    TransferAction a;
    while (transfers_next(w->t, &a))
        if (a.kind == TRANSFER_FETCH || a.kind == TRANSFER_SEND || a.kind == TRANSFER_INSTALL) {
            strcpy(id, a.id);
            *ret = a.kind;
        }
}

static void hold_session(World *w, Told *told, bool lost) {
    SessionRequest r[TRANSFERS_MAX];
    char key[160];
    size_t n = transfers_reports(w->t, r, TRANSFERS_MAX);
    uint64_t ids[TRANSFERS_MAX];

    for (size_t i = 0; i < n; i++) {
        snprintf(key, sizeof key, " %s ", r[i].command_key);
        ck_assert_msg(strstr(w->raised_keys, key), "%s is reported without its event", key);
        ids[i] = r[i].id;
        if (!lost)
            told[number(r[i].command_key)].told++;
    }
    for (size_t i = 0; i < n && !lost; i++)
        answer(w, ids[i], 0);
}

static void ask(World *w, Told *told, size_t k) {
    char key[32];
    const char *text = NULL;
    int r;

    snprintf(key, sizeof key, "k%zu", k);
    uint64_t kind = rng_below(&w->rng, 3);
    if (kind == 0) {
        r = download(w, key, (uint32_t)rng_below(&w->rng, 100));
    } else if (kind == 1) {
        RpcUpload u = {key, "4 Vendor Log File 1", "http://f.example/", "", "", 3};
        r = transfers_upload(w->t, w->now, &u, &text);
    } else {
        RpcScheduleDownload s = a_schedule(key);
        r = transfers_schedule_download(w->t, w->now, &s, &text);
    }
    /* The power failed before the response went out: the HeMS was promised nothing, and may yet be told. */
    told[k].promised = r == 0 && !w->crashed;
    told[k].maybe = w->crashed;
}

static void live(uint64_t seed) {
    World *w = world_new(seed);
    Told told[KEYS] = {0};
    char id[TRANSFER_ID_BYTES], key[32];
    TransferActionKind kind = TRANSFER_FORGET;
    size_t asked = 0;
    const char *text = NULL;

    for (int step = 0; step < 600 || w->n > 0; step++) {
        ck_assert_msg(step < 6000, "seed %llu does not come to an end", (unsigned long long)seed);
        bool calm = step >= 600;
        if (!calm && rng_below(&w->rng, 4) == 0)
            w->crash_in = 1 + (int)rng_below(&w->rng, 3);
        switch (rng_below(&w->rng, 6)) {
        case 0:
            if (!calm && asked < KEYS)
                ask(w, told, asked++);
            break;
        case 1:
            if (rng_below(&w->rng, 4) == 0 && asked > 0 && !calm) {
                size_t k = rng_below(&w->rng, asked);
                snprintf(key, sizeof key, "k%zu", k);
                /* Whether a response gets there is not what is looked at here. */
                w->crash_in = 0;
                if (transfers_cancel(w->t, w->now, key, &text) == 0)
                    told[k].cancelled = true;
            }
            break;
        case 2:
            /* An answer that arrived and was not written would be had twice: nothing can be done about it. */
            w->crash_in = 0;
            hold_session(w, told, rng_below(&w->rng, 2) == 0);
            break;
        case 3:
            if (kind == TRANSFER_FETCH || kind == TRANSFER_SEND)
                transfers_moved(w->t, w->now, id, rng_below(&w->rng, 3) ? 0 : 9015, "x", 1);
            else if (kind == TRANSFER_INSTALL)
                transfers_installed(w->t, w->now, id, rng_below(&w->rng, 3) ? 0 : 9018, "x");
            break;
        case 4:
            world_wait(w, rng_below(&w->rng, 200));
            break;
        case 5:
            if (rng_below(&w->rng, 8) == 0 && !calm)
                world_boot(w);
            break;
        }
        if (w->crashed)
            world_boot(w);
        drain(w, id, &kind);
    }
    for (size_t k = 0; k < asked; k++) {
        if (told[k].cancelled)
            ck_assert_uint_eq(told[k].told, 0);
        else if (told[k].promised)
            ck_assert_msg(told[k].told == 1, "seed %llu: k%zu was told %u times", (unsigned long long)seed, k,
                          told[k].told);
        else
            ck_assert_uint_le(told[k].told, told[k].maybe);
    }
    world_free(w);
}

START_TEST(expectation_36_exactly_once_whenever_the_power_fails) {
    log_set_level(LOG_ERR);
    for (uint64_t seed = 1; seed <= 400; seed++)
        live(seed);
}
END_TEST

SUITE("transfer", expectation_36_download_is_reported_once, expectation_36_failure_is_reported, sixteen_wait,
      delay_counts_through_reboots, what_is_refused, outside_of_the_tunnel, windows, retries_of_a_window,
      cancel, installer_reboots, a_transfer_that_takes_the_box_down, a_disk_that_is_full_at_the_end,
      autonomous_by_policy, records_that_are_none, expectation_36_exactly_once_whenever_the_power_fails)
