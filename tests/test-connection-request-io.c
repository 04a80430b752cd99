/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The server of connection requests on the loopback: what reaches it, and what must not disturb it. */
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/macro.h"
#include "clock.h"
#include "cwmp/connection-request-io.h"
#include "seeded.h"
#include "suite.h"

#define PATH "0123456789abcdef0123456789abcdef"
#define USER "00A0BC-1"
#define WORD "let me in"

static sd_event *event;
static ConnectionRequestIo *io;
static unsigned asked;
static Endpoint at;
static char url[URL_MAX_BYTES];

static void on_asked(void *userdata) {
    asked++;
}

static void open_at(const char *literal) {
    Url parsed;
    at.address = address(literal);
    ck_assert_int_eq(connection_request_io_open(io, "lo", &at.address, 0, url), 0);
    ck_assert_int_eq(url_parse(url, &parsed, NULL), 0);
    ck_assert_str_eq(parsed.path, "/" PATH);
    ck_assert_str_eq(parsed.host, literal);
    at.port = parsed.port;
}

static void start(void) {
    static uint64_t state;
    const Rng rng = seeded_rng(&state, 3);
    asked = 0;
    ck_assert_int_ge(sd_event_new(&event), 0);
    ck_assert_int_eq(connection_request_io_new(&io, event, PATH, &rng, on_asked, NULL), 0);
    connection_request_io_set_credentials(io, USER, WORD);
}

static void stop(void) {
    connection_request_io_free(io);
    sd_event_unref(event);
}

static int dial(void) {
    struct sockaddr_storage ss;
    socklen_t size = endpoint_to_sockaddr(&at, &ss);
    int fd = socket(at.address.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(fd, 0);
    (void)connect(fd, (struct sockaddr *)&ss, size);
    return fd;
}

/* Reads until the answer's header has ended or the connection has; the loop runs meanwhile. */
static const char *answer_of(int fd, bool to_the_end) {
    static char text[4096];
    size_t length = 0;
    usec_t end = clock_now().mono + 5 * USEC_PER_SEC;

    text[0] = 0;
    while (clock_now().mono < end) {
        ck_assert_int_ge(sd_event_run(event, 10 * USEC_PER_MSEC), 0);
        ssize_t n = recv(fd, text + length, sizeof text - length - 1, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != ENOTCONN))
            break;
        length += n > 0 ? (size_t)n : 0;
        text[length] = 0;
        if (!to_the_end && strstr(text, "\r\n\r\n"))
            break;
    }
    ck_assert_msg(clock_now().mono < end, "no end of: %s", text);
    return text;
}

static void say(int fd, const char *text) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    ck_assert_int_eq(poll(&poll_fd, 1, 1000), 1);
    ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void settle(usec_t time) {
    usec_t end = clock_now().mono + time;
    while (clock_now().mono < end)
        ck_assert_int_ge(sd_event_run(event, 5 * USEC_PER_MSEC), 0);
}

/* Asks as a HeMS does, the way from the challenge to 200; *more*: header lines. */
static void ask_well(int fd, const char *target, const char *header, const char *more) {
    char line[2048], response[DIGEST_HEX_MAX], nonce[128];
    AuthFields f;

    snprintf(line, sizeof line, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target);
    say(fd, line);
    const char *answer = answer_of(fd, false);
    ck_assert_msg(strncmp(answer, "HTTP/1.1 401 ", 13) == 0, "%s", answer);
    const char *challenge = strstr(answer, "\r\nWWW-Authenticate: ");
    ck_assert_msg(challenge != NULL, "%s", answer);
    challenge += strlen("\r\nWWW-Authenticate: ");
    ck_assert_int_eq(auth_parse(challenge, strcspn(challenge, "\r"), 0, &f), 0);
    snprintf(nonce, sizeof nonce, "%s", f.nonce);
    const DigestInput input = {
        .username = USER, .realm = f.realm, .password = WORD, .method = "GET", .uri = target, .nonce = nonce};
    ck_assert_int_eq(digest_response(&input, response), 0);
    snprintf(
        line, sizeof line,
        "GET %s HTTP/1.1\r\nHost: x\r\n%s: Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"%s\", "
        "response=\"%s\"\r\n%s\r\n",
        target, header, USER, f.realm, nonce, target, response, more);
    say(fd, line);
}

static void expect(const char *answer, unsigned status) {
    char line[32];
    snprintf(line, sizeof line, "HTTP/1.1 %u ", status);
    ck_assert_msg(strncmp(answer, line, strlen(line)) == 0, "%u: %s", status, answer);
    const char *body = strstr(answer, "\r\n\r\n");
    ck_assert_ptr_nonnull(body);
    ck_assert_str_eq(body, "\r\n\r\n");
}

/* Both families, kept alive and closed, by path and by URL; the session comes after the answer. */
START_TEST(expectation_38_39_asked_and_answered) {
    static const char *const addresses[] = {"127.0.0.1", "::1"};
    for (size_t i = 0; i < 2 * ARRAY_SIZE(addresses); i++) {
        start();
        open_at(addresses[i / 2]);
        int fd = dial();
        ask_well(fd, i % 2 ? url : "/" PATH, i % 2 ? "AUTHORIZATION" : "authorization",
                 i % 2 ? "Connection: close\r\n" : "");
        expect(answer_of(fd, i % 2), 200);
        settle(20 * USEC_PER_MSEC);
        ck_assert_uint_eq(asked, 1);
        if (i % 2 == 0) { /* on the same connection, and no more with credentials that were good once */
            ask_well(fd, "/" PATH, "Authorization", "");
            expect(answer_of(fd, false), 200);
            settle(20 * USEC_PER_MSEC);
            ck_assert_uint_eq(asked, 2);
            connection_request_io_set_credentials(io, USER, "another");
            ask_well(fd, "/" PATH, "Authorization", "");
            expect(answer_of(fd, false), 401);
            settle(20 * USEC_PER_MSEC);
            ck_assert_uint_eq(asked, 2);
        }
        close(fd);
        stop();
    }
}
END_TEST

START_TEST(expectation_38_what_starts_no_session) {
    static const struct {
        const char *request;
        unsigned status;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 404},
        {"GET /" PATH "?a=b HTTP/1.1\r\nHost: x\r\n\r\n", 404},
        {"GET /%30"
         "123456789abcdef0123456789abcdef HTTP/1.1\r\nHost: x\r\n\r\n",
         404},
        {"POST /" PATH " HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 405},
        {"PUT /" PATH " HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", 405},
        {"GET /" PATH " HTTP/1.1\r\nHost: x\r\nAuthorization: Basic MDBBMEJDLTE6bGV0IG1lIGlu\r\n\r\n", 401},
        {"GET /" PATH " HTTP/1.1\r\nHost: x\r\nAuthorization:\r\n\r\n", 401},
    };
    start();
    open_at("127.0.0.1");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int fd = dial();
        say(fd, cases[i].request);
        expect(answer_of(fd, false), cases[i].status);
        close(fd);
    }
    settle(20 * USEC_PER_MSEC);
    ck_assert_uint_eq(asked, 0);
    stop();
}
END_TEST

/* Headers without end, bytes that are no HTTP: the connection goes, whatever the answer, and the next one is
 * served. */
START_TEST(expectation_41_junk) {
    static char large[64 * 1024];
    static const char *const junk[] = {"\x16\x03\x01\x02\x01\x01\xff\xfe\r\n\r\n",
                                       "\r\n\r\n\r\n\r\n\r\n\r\n",
                                       "GET\r\n\r\n",
                                       "GET /" PATH "\r\n\r\n",
                                       "GET /" PATH " HTTP/9.9\r\n\r\n",
                                       "GET /" PATH
                                       " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"};
    start();
    open_at("127.0.0.1");
    for (size_t i = 0; i < ARRAY_SIZE(junk) + 2; i++) {
        int fd = dial();
        struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
        ck_assert_int_eq(poll(&poll_fd, 1, 1000), 1);
        if (i < ARRAY_SIZE(junk))
            (void)send(fd, junk[i], strlen(junk[i]), MSG_NOSIGNAL);
        else { /* one line of 64 kB, or many */
            memset(large, 'a', sizeof large);
            memcpy(large, "GET /" PATH " HTTP/1.1\r\nX: ", 5 + 32 + 9 + 2 + 3);
            for (size_t k = 100; i > ARRAY_SIZE(junk) && k + 10 < sizeof large; k += 10)
                memcpy(large + k, "\r\nY: ", 5);
            for (size_t sent = 0; sent < sizeof large;) {
                ssize_t n = send(fd, large + sent, sizeof large - sent, MSG_NOSIGNAL);
                if (n < 0 && errno != EAGAIN)
                    break;
                sent += n > 0 ? (size_t)n : 0;
                settle(USEC_PER_MSEC);
                if (n < 0 && recv(fd, &(char[1]){}, 1, MSG_PEEK) >= 0)
                    break;
            }
        }
        settle(20 * USEC_PER_MSEC);
        close(fd);
        fd = dial();
        say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        expect(answer_of(fd, false), 404);
        close(fd);
    }
    ck_assert_uint_eq(asked, 0);
    stop();
}
END_TEST

/* 200 who say nothing, or half a request: whoever comes then is answered at once, and they are not kept. */
START_TEST(expectation_41_two_hundred_sockets) {
    int fds[200];
    start();
    open_at("127.0.0.1");
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = dial();
        if (i % 2)
            say(fds[i], "GET /" PATH " HTTP/1.1\r\nX: ");
        settle(USEC_PER_MSEC);
    }
    usec_t before = clock_now().mono;
    int fd = dial();
    ask_well(fd, "/" PATH, "Authorization", "");
    expect(answer_of(fd, false), 200);
    ck_assert_uint_lt(clock_now().mono - before, 2 * USEC_PER_SEC);
    settle(50 * USEC_PER_MSEC);
    ck_assert_uint_eq(asked, 1);
    size_t open = 0;
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        open += recv(fds[i], &(char[1]){}, 1, 0) < 0 && errno == EAGAIN;
    ck_assert_uint_eq(open, CONNECTION_REQUEST_SOCKETS - 1);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        close(fds[i]);
    close(fd);
    settle(50 * USEC_PER_MSEC);
    stop();
}
END_TEST

/* A byte now and then: it ends all the same. Between its bytes the loop sleeps. */
START_TEST(expectation_41_slowloris) {
    start();
    open_at("127.0.0.1");
    int fd = dial();
    usec_t begin = clock_now().mono;
    unsigned turns = 0;
    say(fd, "GET /" PATH " HTTP/1.1\r\nX: ");
    for (usec_t next = begin; clock_now().mono < begin + CONNECTION_REQUEST_LIFETIME + 3 * USEC_PER_SEC;
         turns++) {
        ck_assert_int_ge(sd_event_run(event, 500 * USEC_PER_MSEC), 0);
        ssize_t n = recv(fd, &(char[1]){}, 1, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            break;
        if (clock_now().mono >= next) {
            (void)send(fd, "x", 1, MSG_NOSIGNAL);
            next = clock_now().mono + 500 * USEC_PER_MSEC;
        }
    }
    usec_t lived = clock_now().mono - begin;
    ck_assert_uint_ge(lived, CONNECTION_REQUEST_LIFETIME - USEC_PER_SEC);
    ck_assert_uint_lt(lived, CONNECTION_REQUEST_LIFETIME + 2 * USEC_PER_SEC);
    ck_assert_uint_lt(turns, 500);
    close(fd);
    stop();
}
END_TEST

/* The port moves with the address, and is gone when it is closed; an address that is not ours is an error. */
START_TEST(expectation_42_opened_moved_closed) {
    start();
    open_at("127.0.0.1");
    Endpoint before = at;
    int kept = dial();
    settle(20 * USEC_PER_MSEC);
    open_at("127.0.0.2");
    ck_assert_str_eq(answer_of(kept, true), "");
    close(kept);
    int fd = dial();
    say(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(answer_of(fd, false), 404);
    close(fd);
    at.address = before.address;
    at.port = before.port;
    fd = dial();
    settle(20 * USEC_PER_MSEC);
    int error = 0;
    socklen_t size = sizeof error;
    ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
    ck_assert_int_eq(error, ECONNREFUSED);
    close(fd);

    const Address foreign = address("192.0.2.1"), ours = address("127.0.0.1");
    LOG_OF(ck_assert_int_eq(connection_request_io_open(io, "lo", &foreign, 0, NULL), -EADDRNOTAVAIL),
           "connection requests at 192.0.2.1:0: cannot bind to 192.0.2.1: ");
    LOG_OF(ck_assert_int_eq(connection_request_io_open(io, "henb-none0", &ours, 0, NULL), -ENODEV),
           "cannot bind to interface henb-none0: No such device");
    connection_request_io_close(io);
    stop();
}
END_TEST

static void on_asked_free(void *userdata) {
    asked++;
    connection_request_io_free(io);
    io = NULL;
}

START_TEST(a_handler_may_free) {
    static uint64_t state;
    const Rng rng = seeded_rng(&state, 3);
    start();
    connection_request_io_free(io);
    ck_assert_int_eq(connection_request_io_new(&io, event, PATH, &rng, on_asked_free, NULL), 0);
    connection_request_io_set_credentials(io, USER, WORD);
    open_at("127.0.0.1");
    int fd = dial();
    ask_well(fd, "/" PATH, "Authorization", "");
    expect(answer_of(fd, true), 200);
    settle(20 * USEC_PER_MSEC);
    ck_assert_uint_eq(asked, 1);
    ck_assert_ptr_null(io);
    close(fd);
    stop();
}
END_TEST

SUITE("connection-request-io", expectation_38_39_asked_and_answered, expectation_38_what_starts_no_session,
      expectation_41_junk, expectation_41_two_hundred_sockets, expectation_41_slowloris,
      expectation_42_opened_moved_closed, a_handler_may_free)
