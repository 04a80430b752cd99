/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files fetched from and sent to a server that goes wrong in every way, which is tests/transfer-server.py. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"
#include "transfer-server.h"
#include "transfer-io.h"

#define ID "0123456789abcdef"

static char directory[64];
static unsigned port;
static sd_event *event;
static Spool *spool;
static TransferIo *io;
static struct {
    bool told;
    int fault;
    char text[512];
    uint64_t size;
} outcome;

static void open_spool(TransferIoConfig config) {
    ck_assert_int_eq(spool_new(&spool, directory), 0);
    ck_assert_int_ge(sd_event_new(&event), 0);
    config.event = event;
    config.spool = spool;
    config.resume_wait = config.resume_wait ?: USEC_PER_MSEC;
    ck_assert_int_eq(transfer_io_new(&io, &config), 0);
}

static void start(TransferIoConfig config) {
    strcpy(directory, "/tmp/henb-spool-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    port = transfer_server_start();
    open_spool(config);
}

static void close_spool(void) {
    transfer_io_free(io);
    spool_free(spool);
    sd_event_unref(event);
}

static bool knows_nothing(void *userdata, const char *id) {
    return false;
}

static void stop(void) {
    spool_sweep(spool, knows_nothing, NULL);
    close_spool();
    ck_assert_msg(rmdir(directory) == 0, "something is left in %s", directory);
}

static void on_told(void *userdata, const char *id, int fault, const char *text, uint64_t size) {
    ck_assert_str_eq(id, ID);
    ck_assert(!outcome.told);
    outcome.told = true;
    outcome.fault = fault;
    outcome.size = size;
    snprintf(outcome.text, sizeof outcome.text, "%s", text);
}

static TransferIoTarget target(const char *path) {
    static char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/%s", port, path);
    return (TransferIoTarget){
        .url = url, .address = address("127.0.0.1"), .username = "user", .password = "s3cret"};
}

static void wait_told(void) {
    for (int i = 0; i < 2000 && !outcome.told; i++)
        ck_assert_int_ge(sd_event_run(event, 50 * USEC_PER_MSEC), 0);
    ck_assert_msg(outcome.told, "nothing is told");
}

static int fetch_from(const char *path, uint64_t size, bool resume) {
    TransferIoTarget t = target(path);
    memset(&outcome, 0, sizeof outcome);
    ck_assert_int_eq(transfer_io_fetch(io, ID, &t, size, resume, on_told, NULL), 0);
    wait_told();
    return outcome.fault;
}

static int fetch(const char *path) {
    return fetch_from(path, 0, false);
}

/* What lies in the spool is this file of the server's. */
static void check_file(size_t size, unsigned factor, unsigned modulus) {
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s.file", directory, ID);
    FILE *f = fopen(path, "re");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fstat(fileno(f), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    ck_assert_uint_eq((size_t)st.st_size, size);
    for (size_t i = 0; i < size; i++)
        if (fgetc(f) != (int)(i * factor % modulus))
            ck_abort_msg("byte %zu is wrong", i);
    fclose(f);
    ck_assert(spool_has(spool, ID));
    spool_forget(spool, ID);
}
#define CHECK_FILE()  check_file(100000, 7, 251)
#define CHECK_OTHER() check_file(90000, 11, 241)

static uint64_t count(const char *path) {
    char counted[64], file[128], text[32] = "";
    snprintf(counted, sizeof counted, "count/%s", path);
    ck_assert_int_eq(fetch(counted), 0);
    snprintf(file, sizeof file, "%s/%s.file", directory, ID);
    FILE *f = fopen(file, "re");
    ck_assert_ptr_nonnull(fgets(text, sizeof text, f));
    fclose(f);
    spool_forget(spool, ID);
    return strtoull(text, NULL, 10);
}

START_TEST(files_arrive) {
    start((TransferIoConfig){0});
    ck_assert_int_eq(fetch("whole"), 0);
    ck_assert_uint_eq(outcome.size, 100000);
    CHECK_FILE();
    ck_assert_int_eq(fetch("chunked"), 0);
    CHECK_FILE();
    ck_assert_int_eq(fetch_from("whole", 100000, false), 0);
    CHECK_FILE();
    ck_assert_int_eq(fetch("empty"), 0);
    check_file(0, 1, 1);
    stop();
}
END_TEST

START_TEST(broken_connections_are_resumed) {
    start((TransferIoConfig){0});
    ck_assert_int_eq(fetch("breaks"), 0);
    CHECK_FILE();
    ck_assert_uint_eq(count("breaks"), 4);  /* and not from the beginning each time */
    ck_assert_int_eq(fetch("untagged"), 0); /* without a validator from the beginning */
    CHECK_FILE();
    ck_assert_int_eq(fetch("changes"), 0); /* into another file: no mixture of both */
    CHECK_OTHER();
    ck_assert_int_eq(fetch("wrong-part"), 9017);
    ck_assert_int_eq(fetch("dead"), 9017);
    ck_assert_uint_eq(count("dead"), TRANSFER_IO_BREAKS_MAX + 1);
    stop();
}
END_TEST

START_TEST(resumed_after_a_restart) {
    TransferIoTarget t;
    struct stat st;
    char path[128];

    start((TransferIoConfig){.resume_wait = 3600 * USEC_PER_SEC});
    t = target("breaks");
    ck_assert_int_eq(transfer_io_fetch(io, ID, &t, 0, false, on_told, NULL), 0);
    snprintf(path, sizeof path, "%s/%s.part", directory, ID);
    for (int i = 0; i < 1000 && (stat(path, &st) < 0 || st.st_size < 30000); i++)
        ck_assert_int_ge(sd_event_run(event, 10 * USEC_PER_MSEC), 0);
    close_spool();
    open_spool((TransferIoConfig){0});
    ck_assert_int_eq(fetch_from("breaks", 0, true), 0);
    CHECK_FILE();
    ck_assert_uint_eq(count("breaks"), 4);
    stop();
}
END_TEST

START_TEST(sizes_and_limits) {
    start((TransferIoConfig){.size_max = 99999});
    ck_assert_int_eq(fetch("whole"), 9010);
    ck_assert_ptr_nonnull(strstr(outcome.text, "99999"));
    ck_assert_int_eq(fetch("chunked"), 9010);
    ck_assert_int_eq(fetch("endless"), 9010);
    ck_assert_int_eq(fetch("headers"), 9010);
    ck_assert_int_eq(fetch_from("chunked", 5000, false), 9018);
    stop();
    start((TransferIoConfig){0});
    ck_assert_int_eq(fetch_from("whole", 100001, false), 9018);
    ck_assert_int_eq(fetch("huge"), 9010);
    stop();
    start((TransferIoConfig){.reserve = UINT64_C(1) << 60});
    ck_assert_int_eq(fetch("whole"), 9010);
    ck_assert_ptr_nonnull(strstr(outcome.text, "free"));
    stop();
}
END_TEST

START_TEST(full_disk) {
    start((TransferIoConfig){0});
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {50000, 50000};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(fetch("whole"), 9010);
    ck_assert_ptr_nonnull(strstr(outcome.text, "cannot write"));
    ck_assert(!spool_has(spool, ID));
    stop();
}
END_TEST

START_TEST(slow_server) {
    start((TransferIoConfig){.stall_timeout = USEC_PER_SEC});
    ck_assert_int_eq(fetch("stalls"), 9015);
    stop();
}
END_TEST

START_TEST(answers_have_their_faults) {
    static const struct {
        const char *path;
        int fault;
    } rows[] = {{"404", 9016}, {"403", 9016}, {"410", 9016}, {"500", 9015},      {"503", 9015},
                {"429", 9015}, {"418", 9010}, {"204", 9010}, {"redirect", 9016}, {"407", 9012}};
    start((TransferIoConfig){0});
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        ck_assert_msg(fetch(rows[i].path) == rows[i].fault, "%s: %d", rows[i].path, outcome.fault);
        ck_assert(!spool_has(spool, ID));
    }
    TransferIoTarget t = target("whole");
    t.url = "http://127.0.0.1:1/";
    memset(&outcome, 0, sizeof outcome);
    ck_assert_int_eq(transfer_io_fetch(io, ID, &t, 0, false, on_told, NULL), 0);
    wait_told();
    ck_assert_int_eq(outcome.fault, 9015);
    t.url = "https://127.0.0.1:1/";
    ck_assert_int_eq(transfer_io_fetch(io, ID, &t, 0, false, on_told, NULL), -EPROTONOSUPPORT);
    ck_assert_int_eq(transfer_io_fault(-EPROTONOSUPPORT, true), 9013);
    t.url = "http://127.0.0.2/"; /* not where its address says */
    ck_assert_int_eq(transfer_io_fetch(io, ID, &t, 0, false, on_told, NULL), -EINVAL);
    t = target("whole");
    t.interface = "none0"; /* and never another way */
    memset(&outcome, 0, sizeof outcome);
    ck_assert_int_eq(transfer_io_fetch(io, ID, &t, 0, false, on_told, NULL), 0);
    wait_told();
    ck_assert_int_eq(outcome.fault, 9015);
    ck_assert_ptr_nonnull(strstr(outcome.text, "none0"));
    stop();
}
END_TEST

START_TEST(authentication) {
    start((TransferIoConfig){0});
    ck_assert_int_eq(fetch("digest"), 0);
    CHECK_FILE();
    ck_assert_int_eq(fetch("basic"), 9012); /* a password in the clear is not shown */
    ck_assert_uint_eq(count("basic-shown"), 0);
    TransferIoTarget t = target("digest");
    t.password = "wrong";
    memset(&outcome, 0, sizeof outcome);
    ck_assert_int_eq(transfer_io_fetch(io, ID, &t, 0, false, on_told, NULL), 0);
    wait_told();
    ck_assert_int_eq(outcome.fault, 9012);
    stop();
}
END_TEST

static void make_file(size_t size) {
    int fd;
    ck_assert_int_eq(spool_create(spool, ID, &fd), 0);
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(i * 7 % 251);
        ck_assert_int_eq(write(fd, &byte, 1), 1);
    }
    ck_assert_int_eq(spool_commit(spool, ID, fd), 0);
}

static int put(const char *path) {
    TransferIoTarget t = target(path);
    memset(&outcome, 0, sizeof outcome);
    make_file(100000);
    ck_assert_int_eq(transfer_io_send(io, ID, &t, on_told, NULL), 0);
    wait_told();
    return outcome.fault;
}

START_TEST(uploads) {
    TransferIoTarget t;
    start((TransferIoConfig){0});
    t = target("put");
    ck_assert_int_eq(transfer_io_send(io, ID, &t, on_told, NULL), -ENOENT);
    ck_assert_int_eq(put("put"), 0);
    ck_assert_uint_eq(outcome.size, 100000);
    ck_assert_int_eq(fetch("stored/put"), 0);
    CHECK_FILE();
    ck_assert_int_eq(put("put-digest"), 0);
    ck_assert_int_eq(fetch("stored/put-digest"), 0);
    CHECK_FILE();
    ck_assert_int_eq(put("403"), 9016);
    ck_assert_int_eq(put("418"), 9011);
    ck_assert_int_eq(put("507"), 9015);
    stop();
}
END_TEST

START_TEST(stopped_without_a_word) {
    start((TransferIoConfig){0});
    TransferIoTarget t = target("stalls");
    memset(&outcome, 0, sizeof outcome);
    ck_assert_int_eq(transfer_io_fetch(io, ID, &t, 0, false, on_told, NULL), 0);
    ck_assert_int_eq(transfer_io_fetch(io, ID, &t, 0, false, on_told, NULL), -EBUSY);
    for (int i = 0; i < 5; i++)
        ck_assert_int_ge(sd_event_run(event, 20 * USEC_PER_MSEC), 0);
    transfer_io_stop(io, ID);
    for (int i = 0; i < 5; i++)
        ck_assert_int_ge(sd_event_run(event, 20 * USEC_PER_MSEC), 0);
    ck_assert(!outcome.told);
    ck_assert_int_eq(spool_describe(spool, ID, "1 Firmware\nUpgrade", "../x"), 0);
    stop();
}
END_TEST

SUITE("transfer-io", files_arrive, broken_connections_are_resumed, resumed_after_a_restart, sizes_and_limits,
      full_disk, slow_server, answers_have_their_faults, authentication, uploads, stopped_without_a_word)
