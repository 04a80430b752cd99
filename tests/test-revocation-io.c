/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fetching OCSP responses and CRLs from a server of our own on loopback, good, slow, dead and hostile, which
 * the names in the certificates lead to by a DNS server of our own; the loop ticks on meanwhile. */
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>

#include "base/wire.h"
#include "clock.h"
#include "revocation-data.h"
#include "revocation-io.h"
#include "seeded.h"

#define TICK          (10 * USEC_PER_MSEC)
#define TIMEOUT       (3 * USEC_PER_SEC) /* of a job here */
#define FETCH_TIMEOUT (1 * USEC_PER_SEC)

typedef enum Act {
    SERVE,     /* the file *value* */
    TYPED,     /* the same, as text/html */
    STATUS,    /* *value* */
    REDIRECT,  /* to *value* */
    SILENCE,   /* takes the request and never answers */
    CRAWL,     /* a byte a while, for ever */
    ENDLESS,   /* a body without end */
    HEADERS,   /* a header without end */
    TOO_LARGE, /* a Content-Length beyond the limit */
    CUT,       /* closes within the body */
    GARBAGE,   /* what is not HTTP */
    EMPTY,
} Act;

typedef struct Page {
    const char *path; /* "/" is the OCSP responder's, "/ca.crl" the CRL's */
    Act act;
    const char *value;
} Page;

static sd_event *event;
static RevocationCache *cache;
static RevocationIo *io;
static int http_fd, dns_fd;
static uint16_t http_port, dns_port;
static const Page *pages;
static bool dns_dead;
static size_t ticks, requests;
static char request[4096]; /* the last one */

static struct {
    size_t calls;
    bool good;
    RevocationVerdict verdict;
    char text[ERROR_MAX_BYTES];
} got;

static int listener(int type, uint16_t *ret_port) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof in;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    if (type == SOCK_STREAM)
        ck_assert_int_eq(listen(fd, 16), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &size), 0);
    *ret_port = ntohs(in.sin_port);
    return fd;
}

static void say(int fd, const char *format, ...) _printf_(2, 3);
static void say(int fd, const char *format, ...) {
    char text[2048];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    (void)!send(fd, text, (size_t)n, MSG_NOSIGNAL);
}

static void serve_file(int fd, const char *name, const char *type) {
    size_t size;
    char *data = data_read("ike/revocation", name, &size);
    say(fd, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", type, size);
    (void)!send(fd, data, size, MSG_NOSIGNAL);
    free(data);
}

static void page_act(int fd, const Page *page) {
    static const char junk[65536] = "x";
    switch (page->act) {
    case SERVE:
        serve_file(fd, page->value, "application/ocsp-response");
        break;
    case TYPED:
        serve_file(fd, page->value, "text/html; charset=utf-8");
        break;
    case STATUS:
        say(fd, "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", page->value);
        break;
    case REDIRECT:
        say(fd, "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", page->value);
        break;
    case SILENCE:
        poll(NULL, 0, 2000);
        break;
    case CRAWL:
        for (int i = 0; i < 200 && send(fd, i == 0 ? "H" : "x", 1, MSG_NOSIGNAL) == 1; i++)
            poll(NULL, 0, 10);
        break;
    case ENDLESS:
        say(fd, "HTTP/1.1 200 OK\r\n\r\n");
        for (int i = 0; i < 1000 && send(fd, junk, sizeof junk, MSG_NOSIGNAL) > 0; i++)
            ;
        break;
    case HEADERS:
        say(fd, "HTTP/1.1 200 OK\r\n");
        for (int i = 0; i < 1000; i++)
            say(fd, "X: %01000d\r\n", i);
        break;
    case TOO_LARGE:
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n");
        for (int i = 0; i < 80 && send(fd, junk, sizeof junk, MSG_NOSIGNAL) > 0; i++)
            ;
        break;
    case CUT:
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc");
        break;
    case GARBAGE:
        say(fd, "220 mail.example ESMTP\r\n");
        break;
    case EMPTY:
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        break;
    }
}

/* One connection is one request. */
static void *serve_one(void *userdata) {
    int fd = (int)(intptr_t)userdata;
    char in[4096] = "", path[1024] = "";
    size_t size = 0, body = 0;
    const char *end = NULL, *length;

    while (size < sizeof in - 1) {
        ssize_t n = recv(fd, in + size, sizeof in - 1 - size, 0);
        if (n <= 0)
            break;
        size += (size_t)n;
        if (!end && (end = memmem(in, size, "\r\n\r\n", 4)) &&
            (length = memmem(in, size, "Content-Length: ", 16)))
            body = strtoul(length + 16, NULL, 10);
        if (end && size >= (size_t)(end + 4 - in) + body)
            break;
    }
    memcpy(request, in, sizeof request);
    __atomic_add_fetch(&requests, 1, __ATOMIC_SEQ_CST);
    (void)sscanf(in, "%*s %1023s", path);
    for (const Page *page = pages; page->path; page++)
        if (streq(page->path, path)) {
            page_act(fd, page);
            break;
        }
    shutdown(fd, SHUT_WR);
    close(fd);
    return NULL;
}

static int on_http(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    pthread_t thread;
    int connection = accept(fd, NULL, NULL);
    ck_assert_int_ge(connection, 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, serve_one, (void *)(intptr_t)connection), 0);
    pthread_detach(thread);
    return 0;
}

/* A is loopback, and there is no AAAA. */
static int on_dns(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    struct sockaddr_storage from;
    socklen_t from_size = sizeof from;
    uint8_t q[512], a[600];
    ssize_t n = recvfrom(fd, q, sizeof q, 0, (struct sockaddr *)&from, &from_size);
    ck_assert_int_gt(n, 17);
    size_t end = 12;
    while (q[end] != 0)
        end += q[end] + 1u;
    bool is_a = q[end + 2] == 1;
    if (dns_dead)
        return 0;
    Writer w = writer_new(a, sizeof a);
    writer_bytes(&w, q, 2);
    writer_u16(&w, 0x8180);
    writer_u16(&w, 1);
    writer_u16(&w, is_a);
    writer_u32(&w, 0);
    writer_bytes(&w, q + 12, end + 5 - 12);
    if (is_a) {
        writer_u16(&w, 0xc00c);
        writer_u16(&w, 1);
        writer_u16(&w, 1);
        writer_u32(&w, 60);
        writer_u16(&w, 4);
        writer_u32(&w, INADDR_LOOPBACK);
    }
    (void)!sendto(fd, a, w.len, 0, (struct sockaddr *)&from, from_size);
    return 0;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata) {
    ticks++;
    sd_event_source_set_time_relative(source, TICK);
    sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    return 0;
}

static void on_verdict(void *userdata, bool good, RevocationVerdict verdict, const char *text) {
    got.calls++;
    got.good = good;
    got.verdict = verdict;
    snprintf(got.text, sizeof got.text, "%s", text);
    if (userdata) /* it may be freed by its handler */
        revocation_io_free(TAKE_PTR(io));
}

static void set_up(const Page *served, usec_t timeout) {
    pages = served;
    ck_assert_int_ge(sd_event_new(&event), 0);
    http_fd = listener(SOCK_STREAM, &http_port);
    dns_fd = listener(SOCK_DGRAM, &dns_port);
    RevocationIoConfig config = {.resolver = {.n_servers = 1,
                                              .servers = {address("127.0.0.1")},
                                              .port = dns_port,
                                              .timeout = 50 * USEC_PER_MSEC,
                                              .budget = 300 * USEC_PER_MSEC},
                                 .sources = {.n = 1, .items = {address("127.0.0.1")}},
                                 .timeout = timeout,
                                 .fetch_timeout = FETCH_TIMEOUT,
                                 .port = http_port};
    ck_assert_int_ge(sd_event_add_io(event, NULL, http_fd, EPOLLIN, on_http, NULL), 0);
    ck_assert_int_ge(sd_event_add_io(event, NULL, dns_fd, EPOLLIN, on_dns, NULL), 0);
    ck_assert_int_ge(sd_event_add_time_relative(event, NULL, CLOCK_MONOTONIC, TICK, 1, on_tick, NULL), 0);
    ck_assert_int_eq(revocation_cache_new(&cache), 0);
    ck_assert_int_eq(revocation_io_new(&io, event, &config), 0);
    memset(&got, 0, sizeof got);
    ticks = requests = 0;
}

static void tear_down(void) {
    revocation_io_free(TAKE_PTR(io));
    revocation_cache_free(cache);
    close(http_fd);
    close(dns_fd);
    sd_event_unref(event);
}

static uint64_t state;
static Rng rng;

static RevocationJob *job_for(Revocation policy, const char *x) {
    CertificatePath path = data_path((const char *[]){x, "ca", ""});
    RevocationJob *job;
    rng = seeded_rng(&state, 1);
    ck_assert_int_eq(revocation_job_new(&job, cache, policy, &path, NULL, 0, &rng), 0);
    return job;
}

static void run(usec_t time) {
    usec_t end = clock_read(CLOCK_MONOTONIC) + time;
    while (got.calls == 0 && clock_read(CLOCK_MONOTONIC) < end)
        sd_event_run(event, 100 * USEC_PER_MSEC);
}

static void play(Revocation policy, const char *x, bool dated, void *userdata) {
    ck_assert_int_eq(revocation_io_start(io, job_for(policy, x), dated, on_verdict, userdata), 0);
    ck_assert_uint_eq(got.calls, 0); /* never from within */
    run(6 * USEC_PER_SEC);
    for (int i = 0; i < 5; i++) /* and not a second time */
        sd_event_run(event, TICK);
    ck_assert_uint_eq(got.calls, 1);
}

START_TEST(answers) {
    static const struct {
        const char *title, *x;
        Page pages[5];
        RevocationVerdict verdict;
        const char *text;
        size_t requests;
    } cases[] = {
        {"good", "gateway", {{"/", SERVE, "good.ocsp.der"}}, REVOCATION_GOOD, "", 1},
        {"revoked", "revoked", {{"/", SERVE, "revoked.ocsp.der"}}, REVOCATION_REVOKED, "1002", 1},
        {"CRL", "crl-only", {{"/ca.crl", SERVE, "good.crl.der"}}, REVOCATION_GOOD, "", 1},
        {"CRL after 500",
         "gateway",
         {{"/", STATUS, "500 No"}, {"/ca.crl", SERVE, "good.crl.der"}},
         REVOCATION_GOOD,
         "",
         2},
        {"404",
         "gateway",
         {{"/", STATUS, "500 No"}, {"/ca.crl", STATUS, "404 No"}},
         REVOCATION_UNKNOWN,
         "HTTP status 500; CRL http://crl.operator.example/ca.crl: HTTP status 404",
         2},
        {"slow, then CRL",
         "gateway",
         {{"/", SILENCE}, {"/ca.crl", SERVE, "good.crl.der"}},
         REVOCATION_GOOD,
         "",
         2},
        {"crawling", "gateway", {{"/", CRAWL}, {"/ca.crl", SERVE, "good.crl.der"}}, REVOCATION_GOOD, "", 2},
        {"endless", "crl-only", {{"/ca.crl", ENDLESS}}, REVOCATION_UNKNOWN, "more than 4194304 bytes", 1},
        {"large", "crl-only", {{"/ca.crl", TOO_LARGE}}, REVOCATION_UNKNOWN, "more than 4194304 bytes", 1},
        {"large response",
         "gateway",
         {{"/", TOO_LARGE}, {"/ca.crl", EMPTY}},
         REVOCATION_UNKNOWN,
         "more than 16384 bytes",
         2},
        {"header lines",
         "crl-only",
         {{"/ca.crl", HEADERS}},
         REVOCATION_UNKNOWN,
         "header lines of more than",
         1},
        {"cut", "crl-only", {{"/ca.crl", CUT}}, REVOCATION_UNKNOWN, "", 1},
        {"no HTTP", "crl-only", {{"/ca.crl", GARBAGE}}, REVOCATION_UNKNOWN, "HTTP/0.9", 1},
        {"empty", "crl-only", {{"/ca.crl", EMPTY}}, REVOCATION_UNKNOWN, "an empty answer", 1},
        {"wrong type",
         "crl-only",
         {{"/ca.crl", TYPED, "good.crl.der"}},
         REVOCATION_UNKNOWN,
         "type text/html",
         1},
        {"rubbish",
         "crl-only",
         {{"/ca.crl", SERVE, "good.crl.pem"}},
         REVOCATION_UNKNOWN,
         "cannot be read",
         1},
        {"redirect",
         "crl-only",
         {{"/ca.crl", REDIRECT, "http://other.example/2"},
          {"/2", REDIRECT, "/3"},
          {"/3", SERVE, "good.crl.der"}},
         REVOCATION_GOOD,
         "",
         3},
        {"redirects",
         "crl-only",
         {{"/ca.crl", REDIRECT, "/2"}, {"/2", REDIRECT, "/3"}, {"/3", REDIRECT, "/ca.crl"}},
         REVOCATION_UNKNOWN,
         "more than twice",
         3},
        {"to https",
         "crl-only",
         {{"/ca.crl", REDIRECT, "https://x.example/"}},
         REVOCATION_UNKNOWN,
         "another scheme",
         1},
        {"to a file",
         "crl-only",
         {{"/ca.crl", REDIRECT, "file:///etc/passwd"}},
         REVOCATION_UNKNOWN,
         "another scheme",
         1},
        {"to credentials",
         "crl-only",
         {{"/ca.crl", REDIRECT, "http://a:b@x.example/"}},
         REVOCATION_UNKNOWN,
         "",
         1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        set_up(cases[i].pages, TIMEOUT);
        play(REVOCATION_STRICT, cases[i].x, false, NULL);
        ck_assert_msg(got.verdict == cases[i].verdict && strstr(got.text, cases[i].text), "%s: %d \"%s\"",
                      cases[i].title, got.verdict, got.text);
        ck_assert_int_eq(got.good, cases[i].verdict == REVOCATION_GOOD);
        ck_assert_msg(requests == cases[i].requests, "%s: %zu requests", cases[i].title, requests);
        tear_down();
    }
}
END_TEST

START_TEST(what_is_asked) {
    static const Page served[] = {{"/", SERVE, "good.ocsp.der"}, {}};

    set_up(served, TIMEOUT);
    play(REVOCATION_STRICT, "gateway", false, NULL);
    ck_assert_msg(strstr(request, "POST / HTTP/1.1\r\n") == request, "%s", request);
    ck_assert_ptr_nonnull(strstr(request, "\r\nHost: ocsp.operator.example\r\n"));
    ck_assert_ptr_nonnull(strstr(request, "\r\nContent-Type: application/ocsp-request\r\n"));
    ck_assert_ptr_null(strstr(request, "Expect:"));
    const uint8_t *body = (const uint8_t *)strstr(request, "\r\n\r\n") + 4;
    ck_assert_uint_eq(body[0], DER_SEQUENCE);
    tear_down();
}
END_TEST

/* Nobody answers: the time of the whole is kept, and the loop lives. */
START_TEST(total_time) {
    static const Page served[] = {{"/", SILENCE, NULL}, {"/ca.crl", SILENCE, NULL}, {}};
    for (Revocation policy = REVOCATION_IF_AVAILABLE; policy <= REVOCATION_STRICT; policy++) {
        set_up(served, 500 * USEC_PER_MSEC);
        usec_t begin = clock_read(CLOCK_MONOTONIC);
        play(policy, "gateway", false, NULL);
        usec_t took = clock_read(CLOCK_MONOTONIC) - begin;
        ck_assert_uint_ge(took, 500 * USEC_PER_MSEC);
        ck_assert_uint_le(took, 2 * USEC_PER_SEC);
        ck_assert_uint_gt(ticks, 10);
        ck_assert_int_eq(got.verdict, REVOCATION_UNKNOWN);
        ck_assert_int_eq(got.good, policy == REVOCATION_IF_AVAILABLE);
        ck_assert_msg(strstr(got.text, "no answer within") && strstr(got.text, "no time was left"), "%s",
                      got.text);
        tear_down();
    }
}
END_TEST

START_TEST(names_that_do_not_resolve) {
    static const Page served[] = {{}};
    dns_dead = true;
    set_up(served, TIMEOUT);
    play(REVOCATION_IF_AVAILABLE, "gateway", false, NULL);
    ck_assert_int_eq(got.verdict, REVOCATION_UNKNOWN);
    ck_assert_msg(got.good && strstr(got.text, "ocsp.operator.example"), "%s", got.text);
    ck_assert_uint_eq(requests, 0);
    tear_down();
    dns_dead = false;
}
END_TEST

START_TEST(nobody_listens) {
    static const Page served[] = {{}};
    set_up(served, TIMEOUT);
    shutdown(http_fd, SHUT_RDWR);
    close(http_fd);
    play(REVOCATION_STRICT, "crl-only", false, NULL);
    ck_assert_msg(got.verdict == REVOCATION_UNKNOWN && !got.good && got.text[0], "%s", got.text);
    http_fd = -1;
    tear_down();
}
END_TEST

/* The world's own clock: what is good for 2026-06 is not any more. */
START_TEST(dated) {
    static const Page served[] = {{"/", SERVE, "good.ocsp.der"}, {"/ca.crl", SERVE, "good.crl.der"}, {}};
    set_up(served, TIMEOUT);
    play(REVOCATION_STRICT, "gateway", true, NULL);
    ck_assert_msg(got.verdict == REVOCATION_UNKNOWN && strstr(got.text, "it "), "%s", got.text);
    tear_down();
}
END_TEST

START_TEST(cancelled_and_freed) {
    static const Page served[] = {{"/", SERVE, "good.ocsp.der"}, {}};
    set_up(served, TIMEOUT);
    for (usec_t after = 0; after <= 20 * USEC_PER_MSEC; after += 2 * USEC_PER_MSEC) {
        RevocationJob *job = job_for(REVOCATION_STRICT, "gateway");
        ck_assert_int_eq(revocation_io_start(io, job, false, on_verdict, NULL), 0);
        RevocationJob *second = job_for(REVOCATION_STRICT, "gateway");
        ck_assert_int_eq(revocation_io_start(io, second, false, on_verdict, NULL), -EBUSY);
        revocation_job_free(second);
        run(after);
        revocation_io_cancel(io);
        size_t calls = got.calls;
        for (int i = 0; i < 3; i++)
            sd_event_run(event, TICK);
        ck_assert_uint_eq(got.calls, calls);
        got.calls = 0;
    }
    play(REVOCATION_STRICT, "gateway", false, &state); /* the handler frees it */
    ck_assert_ptr_null(io);
    ck_assert(got.good);
    tear_down();
}
END_TEST

SUITE("revocation-io", answers, what_is_asked, total_time, names_that_do_not_resolve, nobody_listens, dated,
      cancelled_and_freed)
