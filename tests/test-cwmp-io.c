/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The HTTP side of a session against a server on the loopback that answers from a script. */
#include <check.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cwmp/cwmp-io.h"
#include "cwmp/digest.h"
#include "base/macro.h"
#include "suite.h"

#define REQUESTS_MAX     16
#define OK_BODY(body, n) "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: " n "\r\n\r\n" body

/* One answer of the script. */
typedef struct Answer {
    const char *text;
    size_t repeat; /* this many more times *part* behind it */
    const char *part;
    bool close;       /* and then the connection is closed */
    useconds_t pause; /* before each part */
} Answer;

typedef struct Server {
    int fd;
    uint16_t port;
    pthread_t thread;
    const Answer *answers;
    size_t n_answers;
    /* Written by the thread, read after server_stop(). */
    char *requests[REQUESTS_MAX];
    size_t connection[REQUESTS_MAX]; /* which connection a request came on, from 1 */
    size_t n_requests, n_connections;
    char peer[ADDRESS_STR_MAX];
} Server;

/* Reads one request with its body; false at the end of the connection. */
static bool server_read(Server *s, int fd) {
    size_t size = 0, capacity = 1 << 20;
    char *text = calloc(1, capacity), *end, *length;
    for (;;) {
        ssize_t n = recv(fd, text + size, capacity - size - 1, 0);
        if (n <= 0) {
            free(text);
            return false;
        }
        size += (size_t)n;
        end = strstr(text, "\r\n\r\n");
        length = end ? strstr(text, "Content-Length: ") : NULL;
        if (end && size >= (size_t)(end + 4 - text) + (length ? strtoul(length + 16, NULL, 10) : 0))
            break;
    }
    ck_assert_uint_lt(s->n_requests, REQUESTS_MAX);
    s->connection[s->n_requests] = s->n_connections;
    s->requests[s->n_requests++] = text;
    return true;
}

static bool send_all(int fd, const char *text) {
    size_t size = strlen(text);
    while (size > 0) {
        ssize_t n = send(fd, text, size, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        text += n;
        size -= (size_t)n;
    }
    return true;
}

static void server_serve(Server *s, int fd) {
    while (server_read(s, fd)) {
        if (s->n_requests > s->n_answers)
            return;
        const Answer *a = &s->answers[s->n_requests - 1];
        bool ok = send_all(fd, a->text);
        for (size_t i = 0; ok && i < a->repeat; i++) {
            usleep(a->pause);
            ok = send_all(fd, a->part);
        }
        if (!ok || a->close)
            return;
    }
}

static void *server_run(void *userdata) {
    Server *s = userdata;
    for (;;) {
        struct sockaddr_storage ss;
        socklen_t size = sizeof ss;
        Endpoint peer;
        int fd = accept(s->fd, (struct sockaddr *)&ss, &size);
        if (fd < 0)
            return NULL;
        s->n_connections++;
        if (endpoint_from_sockaddr((struct sockaddr *)&ss, &peer) == 0)
            address_format(&peer.address, s->peer);
        server_serve(s, fd);
        close(fd);
    }
}

static Server *server_start(const char *address, const Answer *answers, size_t n) {
    Server *s = calloc(1, sizeof *s);
    Endpoint e = {0};
    struct sockaddr_storage ss;
    s->answers = answers;
    s->n_answers = n;
    ck_assert_int_eq(address_parse(address, &e.address), 0);
    s->fd = socket(e.address.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(s->fd, 0);
    socklen_t size = endpoint_to_sockaddr(&e, &ss);
    ck_assert_int_eq(bind(s->fd, (struct sockaddr *)&ss, size), 0);
    ck_assert_int_eq(listen(s->fd, 8), 0);
    ck_assert_int_eq(getsockname(s->fd, (struct sockaddr *)&ss, &size), 0);
    ck_assert_int_eq(endpoint_from_sockaddr((struct sockaddr *)&ss, &e), 0);
    s->port = e.port;
    ck_assert_int_eq(pthread_create(&s->thread, NULL, server_run, s), 0);
    return s;
}

/* After this the records may be read. All connections of the client must be closed. */
static void server_stop(Server *s) {
    shutdown(s->fd, SHUT_RDWR);
    ck_assert_int_eq(pthread_join(s->thread, NULL), 0);
    close(s->fd);
    s->fd = -EBADF;
}

static void server_free(Server *s) {
    for (size_t i = 0; i < s->n_requests; i++)
        free(s->requests[i]);
    free(s);
}

/* What the client got for its last POST. */
typedef struct Got {
    size_t calls;
    int error;
    unsigned status;
    char text[512], type[128];
    char *body;
    size_t size;
    usec_t retry_after;
} Got;

static void on_answer(void *userdata, const SessionResponse *response) {
    Got *got = userdata;
    got->calls++;
    got->error = response->error;
    got->status = response->status;
    got->size = response->size;
    got->retry_after = response->retry_after;
    snprintf(got->text, sizeof got->text, "%s", response->error ? response->error_text : "");
    snprintf(got->type, sizeof got->type, "%s", response->content_type);
    free(got->body);
    got->body = strndup(response->body, response->size);
}

static sd_event *event;
static CwmpIo *io;
static Got got;

static void start(void) {
    ck_assert_int_ge(sd_event_new(&event), 0);
    ck_assert_int_eq(cwmp_io_new(&io, event, NULL), 0);
    got = (Got){0};
}

static void stop(void) {
    cwmp_io_free(io);
    sd_event_unref(event);
    free(got.body);
}

/* POSTs and waits for the answer. */
static void post(const char *body) {
    size_t calls = got.calls;
    ck_assert_int_eq(cwmp_io_post(io, body, strlen(body), on_answer, &got), 0);
    while (got.calls == calls)
        ck_assert_int_ge(sd_event_run(event, 20 * USEC_PER_SEC), 0);
}

static CwmpIoTarget target_of(const Server *s, const char *url_host, const char *address) {
    static char url[256];
    CwmpIoTarget target = {.url = url};
    snprintf(url, sizeof url, "http://%s:%u/acs/cwmp", url_host, s->port);
    ck_assert_int_eq(address_parse(address, &target.address), 0);
    return target;
}

static void open_to(const Server *s) {
    const CwmpIoTarget target = target_of(s, "hems.invalid", "127.0.0.1");
    ck_assert_int_eq(cwmp_io_open(io, &target), 0);
}

/* A name that no resolver knows, a proxy in the environment that is not there: it must not matter. */
START_TEST(expectation_13_headers_of_a_session) {
    static const Answer answers[] = {
        {.text = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nSet-Cookie: a=1; Path=/\r\nset-cookie: b=2\r\n"
                 "Content-Length: 3\r\n\r\n<a>"},
        {.text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n<b\r\n1\r\n>\r\n0\r\n\r\n"},
        {.text = "HTTP/1.1 204 No Content\r\n\r\n"},
    };
    setenv("http_proxy", "http://127.0.0.1:9/", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:9/", 1);
    start();
    Server *s = server_start("127.0.0.1", answers, ARRAY_SIZE(answers));
    open_to(s);
    post("<Inform/>");
    ck_assert_msg(got.error == 0, "%s", got.text);
    ck_assert_uint_eq(got.status, 200);
    ck_assert_str_eq(got.type, "text/xml");
    ck_assert_str_eq(got.body, "<a>");
    post("");
    ck_assert_str_eq(got.body, "<b>");
    ck_assert_str_eq(got.type, "");
    post("<Response/>");
    ck_assert_uint_eq(got.status, 204);
    ck_assert_uint_eq(got.size, 0);
    cwmp_io_close(io);
    server_stop(s);

    ck_assert_uint_eq(s->n_requests, 3);
    ck_assert_uint_eq(s->n_connections, 1);
    char host[64];
    snprintf(host, sizeof host, "Host: hems.invalid:%u\r\n", s->port);
    for (size_t i = 0; i < 3; i++) {
        const char *r = s->requests[i];
        ck_assert_msg(strncmp(r, "POST /acs/cwmp HTTP/1.1\r\n", 25) == 0, "%s", r);
        ck_assert_ptr_nonnull(strstr(r, host));
        ck_assert_ptr_null(strstr(r, "Expect:"));
        ck_assert_ptr_null(strstr(r, "Accept-Encoding:"));
        ck_assert_ptr_null(strstr(r, "Authorization:"));
    }
    ck_assert_ptr_nonnull(strstr(s->requests[0], "\r\nContent-Type: text/xml; charset=utf-8\r\n"));
    ck_assert_ptr_nonnull(strstr(s->requests[0], "\r\nSOAPAction:\r\n"));
    ck_assert_ptr_nonnull(strstr(s->requests[0], "\r\nContent-Length: 9\r\n"));
    ck_assert_ptr_nonnull(strstr(s->requests[0], "\r\n\r\n<Inform/>"));
    ck_assert_ptr_null(strstr(s->requests[0], "Cookie:"));
    ck_assert_ptr_nonnull(strstr(s->requests[1], "\r\nContent-Length: 0\r\n"));
    ck_assert_ptr_null(strstr(s->requests[1], "Content-Type:"));
    ck_assert_ptr_null(strstr(s->requests[1], "SOAPAction"));
    for (size_t i = 1; i < 3; i++) {
        ck_assert_ptr_nonnull(strstr(s->requests[i], "a=1"));
        ck_assert_ptr_nonnull(strstr(s->requests[i], "b=2"));
        ck_assert_ptr_null(strstr(s->requests[i], "Path"));
    }
    ck_assert_ptr_nonnull(strstr(s->requests[2], "\r\nContent-Type: text/xml; charset=utf-8\r\n"));
    server_free(s);
    stop();
}
END_TEST

/* Expectation 4: the HeMS closes the connection, the session goes on with its cookie on another one. And the
 * next session has neither. */
START_TEST(expectation_04_a_closed_connection_is_replaced) {
    static const Answer answers[] = {
        {.text = "HTTP/1.0 200 OK\r\nSet-Cookie: s=x\r\nContent-Length: 1\r\n\r\na", .close = true},
        {.text = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nb", .close = true},
        {.text = OK_BODY("c", "1")},
        {.text = OK_BODY("d", "1")},
    };
    start();
    Server *s = server_start("127.0.0.1", answers, ARRAY_SIZE(answers));
    open_to(s);
    post("1");
    post("2");
    post("3");
    ck_assert_str_eq(got.body, "c");
    open_to(s); /* closes the first session */
    post("4");
    ck_assert_str_eq(got.body, "d");
    cwmp_io_close(io);
    server_stop(s);
    ck_assert_uint_eq(s->n_requests, 4);
    ck_assert_uint_eq(s->n_connections, 4);
    ck_assert_ptr_nonnull(strstr(s->requests[1], "Cookie: s=x\r\n"));
    ck_assert_ptr_nonnull(strstr(s->requests[2], "Cookie: s=x\r\n"));
    ck_assert_ptr_null(strstr(s->requests[3], "Cookie:"));
    server_free(s);
    stop();
}
END_TEST

START_TEST(expectation_09_any_status_is_handed_on) {
    static const Answer answers[] = {
        {.text = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"},
        {.text =
             "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n"},
        {.text = "HTTP/1.1 503 Busy\r\nRetry-After: 90\r\nContent-Length: 0\r\n\r\n"},
        {.text = "HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 7\r\n\r\n<html/>"},
        {.text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
        {.text = "HTTP/1.1 200 OK\r\n\r\nuntil the end", .close = true},
    };
    start();
    Server *s = server_start("127.0.0.1", answers, ARRAY_SIZE(answers));
    open_to(s);
    static const unsigned statuses[] = {302, 401, 503, 404, 200, 200};
    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
        post("x");
        ck_assert_msg(got.error == 0, "%s", got.text);
        ck_assert_uint_eq(got.status, statuses[i]);
        ck_assert_uint_eq(got.retry_after, statuses[i] == 503 ? 90 * USEC_PER_SEC : 0);
    }
    ck_assert_str_eq(got.body, "until the end");
    cwmp_io_close(io);
    server_stop(s);
    ck_assert_uint_eq(s->n_requests, ARRAY_SIZE(answers)); /* nothing asked twice */
    server_free(s);
    stop();
}
END_TEST

START_TEST(expectation_14_answers_that_are_not_whole) {
    static const Answer answers[] = {
        {.text = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", .close = true},
        {.text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", .close = true},
        {.text = "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
         .repeat = CWMP_IO_BODY_MAX / 10 + 1,
         .part = "0123456789"},
        {.text = "HTTP/1.1 200 OK\r\n",
         .repeat = CWMP_IO_HEADERS_MAX / 10 + 1,
         .part = "X: 567\r\n"
                 "Y: 12345678\r\n"},
        {.text = "", .close = true},
        {.text = "SSH-2.0-OpenSSH_9.2\r\n", .close = true},
    };
    static const struct {
        unsigned status;
        const char *says;
    } expected[] = {{200, ""},
                    {200, ""},
                    {200, "an answer of more than 2097152 bytes"},
                    {200, "header lines of more than 65536 bytes"},
                    {0, ""},
                    {0, ""}};
    start();
    Server *s = server_start("127.0.0.1", answers, ARRAY_SIZE(answers));
    open_to(s);
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        post("x");
        ck_assert_msg(got.error < 0, "%zu", i);
        ck_assert_msg(got.status == expected[i].status, "%zu: %u %s", i, got.status, got.text);
        ck_assert_uint_gt(strlen(got.text), 0);
        ck_assert_msg(strstr(got.text, expected[i].says) != NULL, "%s", got.text);
    }
    cwmp_io_close(io);
    server_stop(s);
    server_free(s);
    stop();
}
END_TEST

/* A byte now and then is no answer: neither in the header nor in the body. */
START_TEST(expectation_14_answers_that_drip) {
    static const Answer answers[] = {
        {.text = "HTTP/1.1 200 OK\r\nX: ", .repeat = 100, .part = "x", .pause = 50000},
        {.text = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
         .repeat = 100,
         .part = "x",
         .pause = 50000}};
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        start();
        Server *s = server_start("127.0.0.1", &answers[i], 1);
        CwmpIoTarget target = target_of(s, "hems.invalid", "127.0.0.1");
        target.timeout = 400 * USEC_PER_MSEC;
        ck_assert_int_eq(cwmp_io_open(io, &target), 0);
        post("x");
        ck_assert_int_eq(got.error, -ETIMEDOUT);
        cwmp_io_close(io);
        server_stop(s);
        server_free(s);
        stop();
    }
}
END_TEST

/* Nothing inner leaves by another way: a socket that cannot be bound does not connect. */
START_TEST(a_socket_that_cannot_be_bound_does_not_connect) {
    static const Answer answers[] = {{.text = OK_BODY("x", "1")}};
    start();
    Server *s = server_start("127.0.0.1", answers, ARRAY_SIZE(answers));
    CwmpIoTarget target = target_of(s, "hems.invalid", "127.0.0.1");
    target.interface = "henb-none0";
    ck_assert_int_eq(cwmp_io_open(io, &target), 0);
    post("x");
    ck_assert_int_lt(got.error, 0);
    ck_assert_uint_eq(got.status, 0);
    ck_assert_msg(strstr(got.text, "cannot bind to interface henb-none0: No such device") != NULL, "%s",
                  got.text);

    target.interface = NULL;
    target.source = address("192.0.2.77");
    ck_assert_int_eq(cwmp_io_open(io, &target), 0);
    post("x");
    ck_assert_int_lt(got.error, 0);
    ck_assert_msg(strstr(got.text, "cannot bind to 192.0.2.77: ") != NULL, "%s", got.text);
    target.source = address("::1"); /* of the other family */
    ck_assert_int_eq(cwmp_io_open(io, &target), 0);
    post("x");
    ck_assert_int_lt(got.error, 0);
    ck_assert_msg(strstr(got.text, "cannot bind to ::1: ") != NULL, "%s", got.text);
    cwmp_io_close(io);
    server_stop(s);
    ck_assert_uint_eq(s->n_connections, 0);
    server_free(s);
    stop();
}
END_TEST

START_TEST(a_bound_socket_shows_its_address) {
    static const Answer answers[] = {{.text = OK_BODY("x", "1")}};
    start();
    Server *s = server_start("127.0.0.1", answers, ARRAY_SIZE(answers));
    CwmpIoTarget target = target_of(s, "hems.invalid", "127.0.0.1");
    target.interface = "lo";
    target.source = address("127.0.0.2");
    ck_assert_int_eq(cwmp_io_open(io, &target), 0);
    post("x");
    ck_assert_msg(got.error == 0, "%s", got.text);
    cwmp_io_close(io);
    server_stop(s);
    ck_assert_str_eq(s->peer, "127.0.0.2");
    server_free(s);
    stop();
}
END_TEST

START_TEST(ipv6_by_name_and_by_address) {
    static const Answer answers[] = {{.text = OK_BODY("x", "1")}, {.text = OK_BODY("y", "1")}};
    static const char *const hosts[] = {"hems.invalid", "[::1]"};
    start();
    Server *s = server_start("::1", answers, ARRAY_SIZE(answers));
    for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
        const CwmpIoTarget target = target_of(s, hosts[i], "::1");
        ck_assert_int_eq(cwmp_io_open(io, &target), 0);
        post("x");
        ck_assert_msg(got.error == 0, "%s", got.text);
    }
    ck_assert_str_eq(got.body, "y");
    cwmp_io_close(io);
    server_stop(s);
    ck_assert_uint_eq(s->n_requests, 2);
    server_free(s);
    stop();
}
END_TEST

START_TEST(nobody_listens) {
    start();
    Server *s = server_start("127.0.0.1", NULL, 0);
    const CwmpIoTarget target = target_of(s, "hems.invalid", "127.0.0.1");
    server_stop(s);
    ck_assert_int_eq(cwmp_io_open(io, &target), 0);
    post("x");
    ck_assert_int_eq(got.error, -ECONNREFUSED);
    ck_assert_uint_eq(got.status, 0);
    server_free(s);
    stop();
}
END_TEST

START_TEST(targets_that_are_refused) {
    static const struct {
        const char *url, *address;
        int error;
    } cases[] = {
        {"https://hems.example/", "127.0.0.1", -EPROTONOSUPPORT},
        {"ftp://hems.example/", "127.0.0.1", -EPROTONOSUPPORT},
        {"http://user:password@hems.example/", "127.0.0.1", -EINVAL},
        {"http://user@hems.example/", "127.0.0.1", -EINVAL},
        {"hems.example", "127.0.0.1", -EINVAL},
        {"", "127.0.0.1", -EINVAL},
        {"http://192.0.2.1/", "127.0.0.1", -EINVAL}, /* it would go elsewhere than it says */
        {"http://[2001:db8::1]/", "2001:db8::2", -EINVAL},
        {"http://[2001:db8:0::1]/", "2001:db8::1", 0},
        {"HTTP://hems.example", "127.0.0.1", 0},
    };
    start();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CwmpIoTarget target = {.url = cases[i].url};
        target.address = address(cases[i].address);
        int r = cwmp_io_open(io, &target);
        ck_assert_msg(r == cases[i].error, "%s: %d", cases[i].url, r);
    }
    cwmp_io_close(io);
    ck_assert_int_eq(cwmp_io_post(io, "x", 1, on_answer, &got), -ENOTCONN);
    const CwmpIoTarget nowhere = {.url = "http://hems.example/"};
    ck_assert_int_eq(cwmp_io_open(io, &nowhere), -EINVAL);
    stop();
}
END_TEST

static void free_io(void *userdata, const SessionResponse *response) {
    cwmp_io_free(TAKE_PTR(io));
    on_answer(userdata, response);
}

static void post_again(void *userdata, const SessionResponse *response) {
    ck_assert_int_eq(cwmp_io_post(io, "again", 5, free_io, userdata), 0);
}

START_TEST(handlers_may_post_and_free) {
    static const Answer answers[] = {{.text = OK_BODY("1", "1")}, {.text = OK_BODY("2", "1")}};
    start();
    Server *s = server_start("127.0.0.1", answers, ARRAY_SIZE(answers));
    open_to(s);
    ck_assert_int_eq(cwmp_io_post(io, "x", 1, post_again, &got), 0);
    ck_assert_int_eq(cwmp_io_post(io, "y", 1, on_answer, &got), -EBUSY);
    while (got.calls == 0)
        ck_assert_int_ge(sd_event_run(event, 20 * USEC_PER_SEC), 0);
    ck_assert_ptr_null(io);
    ck_assert_str_eq(got.body, "2");
    server_stop(s);
    ck_assert_uint_eq(s->n_connections, 1);
    server_free(s);
    stop();
}
END_TEST

static void never(void *userdata, const SessionResponse *response) {
    ck_abort_msg("a closed session was answered");
}

START_TEST(closing_calls_nobody) {
    static const Answer answers[] = {{.text = OK_BODY("1", "1")}, {.text = OK_BODY("2", "1")}};
    start();
    Server *s = server_start("127.0.0.1", answers, ARRAY_SIZE(answers));
    open_to(s);
    ck_assert_int_eq(cwmp_io_post(io, "x", 1, never, NULL), 0);
    ck_assert_int_ge(sd_event_run(event, 0), 0); /* connecting; an answer takes more rounds */
    open_to(s);
    post("y");
    ck_assert_msg(got.error == 0, "%s", got.text);
    cwmp_io_close(io);
    ck_assert_int_ge(sd_event_run(event, 0), 0);
    server_stop(s);
    server_free(s);
    stop();
}
END_TEST

/* A registration with engine, codec, model and HTTP together, wired as the manager wires them. */
#define SOAP(body)                                                                                           \
    "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\" "                                     \
    "xmlns:c=\"urn:dslforum-org:cwmp-1-0\"><e:Header><c:ID>9</c:ID></e:Header><e:Body>" body                 \
    "</e:Body></e:Envelope>"
#define CLOSING "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"

typedef struct Registration {
    Session *session;
    char seen[16]; /* kinds of actions but for POSTs */
    bool ended;
} Registration;

static Moment now(void) {
    struct timespec ts;
    ck_assert_int_eq(clock_gettime(CLOCK_BOOTTIME, &ts), 0);
    return (Moment){.mono = (usec_t)ts.tv_sec * USEC_PER_SEC, .real = UINT64_C(1795417689) * USEC_PER_SEC};
}

static void registration_answer(void *userdata, const SessionResponse *response);

static void registration_drain(Registration *r) {
    static const char letters[] = {[SESSION_POST] = 'p',
                                   [SESSION_ACCEPTED] = 'a',
                                   [SESSION_PREPARED] = 'v',
                                   [SESSION_CHANGED] = 'c',
                                   [SESSION_ANSWERED] = 'w',
                                   [SESSION_ENDED] = 'e'};
    SessionAction action;
    while (session_next(r->session, &action)) {
        r->seen[strlen(r->seen)] = letters[action.kind];
        if (action.kind == SESSION_POST)
            ck_assert_int_eq(cwmp_io_post(io, action.body, action.size, registration_answer, r), 0);
        if (action.kind == SESSION_PREPARED)
            ck_assert_int_eq(session_verdict(r->session, now(), NULL, 0), 0);
        if (action.kind == SESSION_ENDED) {
            ck_assert_msg(action.error == 0, "%s", action.text);
            r->ended = true;
        }
    }
}

static void registration_answer(void *userdata, const SessionResponse *response) {
    Registration *r = userdata;
    ck_assert_int_eq(session_input(r->session, now(), response), 0);
    registration_drain(r);
}

START_TEST(a_registration_over_http) {
    static const Answer answers[] = {
        {.text = CLOSING SOAP("<c:InformResponse><MaxEnvelopes>1</MaxEnvelopes></c:InformResponse>"),
         .close = true},
        {.text =
             CLOSING SOAP("<c:SetParameterValues><ParameterList><P><Name>Device.Services.FAPService.1."
                          "FAPControl.LTE.Gateway.S1SigLinkServerList</Name><Value>mme.example</Value></P>"
                          "</ParameterList><ParameterKey/></c:SetParameterValues>"),
         .close = true},
        {.text = "HTTP/1.1 204 No Content\r\n\r\n"},
    };
    static const SoapEvent events[] = {{"0 BOOTSTRAP", ""}, {"1 BOOT", ""}};
    Registration r = {0};
    Model *model;
    S1Config mme;

    start();
    Server *s = server_start("127.0.0.1", answers, ARRAY_SIZE(answers));
    open_to(s);
    ck_assert_int_eq(model_new(&model, &(ModelConfig){0}), 0);
    const SessionConfig config = {.url = "http://hems.invalid/",
                                  .device = {"Example", "00A0BC", "HeNB", "000001"},
                                  .events = events,
                                  .n_events = ARRAY_SIZE(events),
                                  .model = model};
    ck_assert_int_eq(session_new(&r.session, &config, now()), 0);
    registration_drain(&r);
    while (!r.ended)
        ck_assert_int_ge(sd_event_run(event, 20 * USEC_PER_SEC), 0);
    ck_assert_str_eq(r.seen, "papvcpwe");
    model_s1(model, &mme);
    ck_assert_uint_eq(mme.mme.n, 1);
    ck_assert_str_eq(mme.mme.items[0].entry, "mme.example");
    session_free(r.session);
    model_free(model);
    cwmp_io_close(io);
    server_stop(s);
    ck_assert_uint_eq(s->n_requests, 3);
    ck_assert_ptr_nonnull(strstr(s->requests[0], "<cwmp:Inform>"));
    ck_assert_ptr_nonnull(strstr(s->requests[1], "Content-Length: 0\r\n"));
    ck_assert_ptr_nonnull(strstr(s->requests[2], "<cwmp:SetParameterValuesResponse><Status>0</Status>"));
    server_free(s);
    stop();
}
END_TEST

/* Authentication ------------------------------------------------------------------------------------- */

#define USER                    "0A1B2C-HeNB-1"
#define WORD                    "not a secret"
#define UNAUTHORIZED(challenge) "HTTP/1.1 401 Unauthorized\r\n" challenge "Content-Length: 6\r\n\r\n<html>"
#define DIGEST(more)            "WWW-Authenticate: Digest realm=\"acs\", " more "\r\n"

static void open_with(const Server *s, const char *username, const char *password) {
    CwmpIoTarget target = target_of(s, "hems.invalid", "127.0.0.1");
    target.username = username;
    target.password = password;
    ck_assert_int_eq(cwmp_io_open(io, &target), 0);
}

/* The request has a digest that is right, of this nonce and count, NULL: without qop. */
static void check_digest(const char *request, const char *nonce, const char *nc) {
    const char *line = strstr(request, "\r\nAuthorization: ");
    char response[DIGEST_HEX_MAX];
    AuthFields f;

    ck_assert_msg(line != NULL, "%s", request);
    line += strlen("\r\nAuthorization: ");
    ck_assert_int_eq(auth_parse(line, strcspn(line, "\r"), 0, &f), 0);
    ck_assert_str_eq(f.scheme, "Digest");
    ck_assert_str_eq(f.username, USER);
    ck_assert_str_eq(f.nonce, nonce);
    ck_assert_str_eq(f.uri, "/acs/cwmp");
    ck_assert_str_eq(strempty(f.nc), strempty(nc));
    ck_assert_int_eq(!f.qop, !nc);
    const DigestInput input = {.username = USER,
                               .realm = "acs",
                               .password = WORD,
                               .method = "POST",
                               .uri = f.uri,
                               .nonce = f.nonce,
                               .nc = f.nc,
                               .cnonce = f.cnonce,
                               .qop = f.qop};
    ck_assert_int_eq(digest_response(&input, response), 0);
    ck_assert_str_eq(f.response, response);
}

/* The whole Inform goes out first, and again on the same connection with the digest. */
START_TEST(expectation_06_digests) {
    static const struct {
        const char *challenge;
        bool qop;
    } kinds[] = {
        {DIGEST("qop=\"auth\", nonce=\"n\", algorithm=MD5, opaque=\"o\""), true},
        {DIGEST("qop=\"auth,auth-int\", nonce=\"n\""), true},
        {DIGEST("nonce=\"n\", qop=auth"), true},
        {DIGEST("nonce=\"n\""), false},
        {"WWW-Authenticate: Basic realm=\"acs\"\r\n" DIGEST("nonce=\"n\""), false},
        {"www-authenticate: Basic realm=\"acs\", DIGEST REALM=acs NONCE=n QOP=auth\r\n", true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        char text[512];
        snprintf(text, sizeof text, UNAUTHORIZED("%s"), kinds[i].challenge);
        const Answer answers[] = {{.text = text}, {.text = OK_BODY("a", "1")}, {.text = OK_BODY("b", "1")}};
        start();
        Server *s = server_start("127.0.0.1", answers, ARRAY_SIZE(answers));
        open_with(s, USER, WORD);
        post("<Inform/>");
        ck_assert_msg(got.error == 0 && got.status == 200, "%zu: %u %s", i, got.status, got.text);
        ck_assert_str_eq(got.body, "a");
        post("");
        cwmp_io_close(io);
        server_stop(s);
        ck_assert_uint_eq(s->n_connections, 1);
        ck_assert_uint_eq(s->n_requests, 3);
        ck_assert_ptr_null(strstr(s->requests[0], "Authorization"));
        check_digest(s->requests[1], "n", kinds[i].qop ? "00000001" : NULL);
        check_digest(s->requests[2], "n", kinds[i].qop ? "00000002" : NULL);
        ck_assert_ptr_nonnull(strstr(s->requests[1], "\r\n\r\n<Inform/>"));
        server_free(s);
        stop();
    }
}
END_TEST

/* Basic over http would show the password to anybody; without credentials, or with a challenge that asks for
 * what we have not, there is nothing to say. */
START_TEST(expectation_06_challenges_that_are_not_answered) {
    static const char *const challenges[] = {"WWW-Authenticate: Basic realm=\"acs\"\r\n",
                                             DIGEST("nonce=n, algorithm=SHA-512-256"),
                                             DIGEST("nonce=n, qop=\"auth-int\""),
                                             DIGEST("qop=auth"),
                                             "WWW-Authenticate: Negotiate\r\n",
                                             "WWW-Authenticate: Digest nonce=\"\r\n",
                                             ""};
    for (size_t i = 0; i <= ARRAY_SIZE(challenges); i++) {
        char text[512];
        bool none = i == ARRAY_SIZE(challenges);
        snprintf(text, sizeof text, UNAUTHORIZED("%s"), none ? DIGEST("nonce=n") : challenges[i]);
        const Answer answers[] = {{.text = text}};
        start();
        Server *s = server_start("127.0.0.1", answers, 1);
        open_with(s, none ? "" : USER, none ? "" : WORD);
        post("<Inform/>");
        ck_assert_int_eq(got.error, 0);
        ck_assert_uint_eq(got.status, 401);
        cwmp_io_close(io);
        server_stop(s);
        ck_assert_msg(s->n_requests == 1, "%zu", i);
        server_free(s);
        stop();
    }
}
END_TEST

START_TEST(expectation_06_credentials_that_are_refused) {
    static const Answer answers[] = {{.text = UNAUTHORIZED(DIGEST("nonce=a, qop=auth"))},
                                     {.text = UNAUTHORIZED(DIGEST("nonce=b, qop=auth"))}};
    start();
    Server *s = server_start("127.0.0.1", answers, ARRAY_SIZE(answers));
    open_with(s, USER, WORD);
    post("<Inform/>");
    ck_assert_int_eq(got.error, 0);
    ck_assert_uint_eq(got.status, 401);
    cwmp_io_close(io);
    server_stop(s);
    ck_assert_uint_eq(s->n_requests, 2);
    server_free(s);
    stop();
}
END_TEST

START_TEST(expectation_07_the_first_post_has_its_body) {
    static const Answer answers[] = {{.text = UNAUTHORIZED(DIGEST("nonce=a"))}, {.text = OK_BODY("x", "1")}};
    start();
    Server *s = server_start("127.0.0.1", answers, ARRAY_SIZE(answers));
    open_with(s, USER, WORD);
    post("<Inform/>");
    cwmp_io_close(io);
    server_stop(s);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_ptr_nonnull(strstr(s->requests[i], "\r\nContent-Length: 9\r\n"));
        ck_assert_ptr_nonnull(strstr(s->requests[i], "\r\n\r\n<Inform/>"));
    }
    server_free(s);
    stop();
}
END_TEST

/* A nonce that is old within the session, said to be stale or not, and one that is old at once: the same
 * message again, but not for ever. */
START_TEST(expectation_08_new_nonces) {
    static const Answer answers[] = {
        {.text = UNAUTHORIZED(DIGEST("nonce=a, qop=auth"))},
        {.text = UNAUTHORIZED(DIGEST("nonce=b, qop=auth, stale=true"))},
        {.text = OK_BODY("1", "1")},
        {.text = UNAUTHORIZED(DIGEST("nonce=c, qop=auth"))},
        {.text = OK_BODY("2", "1")},
        {.text = UNAUTHORIZED(DIGEST("nonce=d, qop=auth, stale=\"TRUE\"")), .close = true},
        {.text = OK_BODY("3", "1")},
        {.text = UNAUTHORIZED(DIGEST("nonce=e, stale=true"))},
        {.text = UNAUTHORIZED(DIGEST("nonce=f, stale=true"))},
        {.text = UNAUTHORIZED(DIGEST("nonce=g, stale=true"))},
        {.text = UNAUTHORIZED(DIGEST("nonce=h, stale=true"))},
    };
    start();
    Server *s = server_start("127.0.0.1", answers, ARRAY_SIZE(answers));
    open_with(s, USER, WORD);
    post("one");
    ck_assert_str_eq(got.body, "1");
    post("two");
    ck_assert_str_eq(got.body, "2");
    post("three");
    ck_assert_str_eq(got.body, "3");
    post("four");
    ck_assert_uint_eq(got.status, 401);
    cwmp_io_close(io);
    server_stop(s);
    ck_assert_uint_eq(s->n_requests, ARRAY_SIZE(answers));
    check_digest(s->requests[1], "a", "00000001");
    check_digest(s->requests[2], "b", "00000001");
    check_digest(s->requests[3], "b", "00000002");
    check_digest(s->requests[4], "c", "00000001");
    check_digest(s->requests[6], "d", "00000001");
    ck_assert_ptr_nonnull(strstr(s->requests[4], "\r\n\r\ntwo"));
    ck_assert_ptr_nonnull(strstr(s->requests[6], "\r\n\r\nthree"));
    server_free(s);
    stop();
}
END_TEST

/* Redirects ------------------------------------------------------------------------------------------ */

static char redirected_to[512];
static size_t n_redirected;
static int redirect_error;
static bool redirect_later;

static void on_redirected(void *userdata, const char *url) {
    const CwmpIoTarget *next = userdata;
    n_redirected++;
    snprintf(redirected_to, sizeof redirected_to, "%s", url);
    if (redirect_later)
        return;
    CwmpIoTarget target = next ? *next : (CwmpIoTarget){.address = address("127.0.0.1")};
    target.url = url;
    redirect_error = cwmp_io_redirect(io, &target);
    if (redirect_error < 0)
        cwmp_io_redirect_fail(io, redirect_error, "no way there");
}

static void start_redirecting(CwmpIoTarget *next) {
    start();
    n_redirected = 0;
    redirect_error = 0;
    redirect_later = false;
    cwmp_io_on_redirect(io, on_redirected, next);
}

/* The body again, to the new host: with its credentials and cookies, and for the rest of the session. */
START_TEST(expectation_10_to_another_host) {
    static const unsigned statuses[] = {302, 307};
    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
        static const Answer answers[] = {
            {.text = UNAUTHORIZED(DIGEST("nonce=n, qop=auth"))},
            {.text = "HTTP/1.1 200 OK\r\nSet-Cookie: new=1\r\nContent-Length: 1\r\n\r\na"},
            {.text = OK_BODY("b", "1")}};
        CwmpIoTarget next = {.address = address("127.0.0.2"),
                             .interface = "lo",
                             .source = address("127.0.0.3"),
                             .username = USER,
                             .password = WORD};
        start_redirecting(&next);
        Server *there = server_start("127.0.0.2", answers, ARRAY_SIZE(answers));
        char text[512];
        snprintf(text, sizeof text,
                 "HTTP/1.1 %u Found\r\nSet-Cookie: old=1\r\nLocation: http://other.invalid:%u/acs/cwmp\r\n"
                 "Content-Length: 3\r\n\r\n<a>",
                 statuses[i], there->port);
        const Answer first[] = {{.text = UNAUTHORIZED(DIGEST("nonce=first"))}, {.text = text}};
        Server *here = server_start("127.0.0.1", first, 2);
        open_with(here, USER, WORD);
        redirect_later = i == 1;
        if (redirect_later) { /* as when a name has to be resolved */
            ck_assert_int_eq(cwmp_io_post(io, "<Inform/>", 9, on_answer, &got), 0);
            while (n_redirected == 0)
                ck_assert_int_ge(sd_event_run(event, 20 * USEC_PER_SEC), 0);
            ck_assert_int_eq(cwmp_io_post(io, "x", 1, on_answer, &got), -EBUSY);
            next.url = redirected_to;
            ck_assert_int_eq(cwmp_io_redirect(io, &next), 0);
            ck_assert_int_eq(cwmp_io_redirect(io, &next), -ENOTCONN);
            while (got.calls == 0)
                ck_assert_int_ge(sd_event_run(event, 20 * USEC_PER_SEC), 0);
        } else
            post("<Inform/>");
        ck_assert_msg(got.error == 0 && got.status == 200, "%u %s", got.status, got.text);
        ck_assert_str_eq(got.body, "a");
        post("");
        ck_assert_str_eq(got.body, "b");
        cwmp_io_close(io);
        server_stop(here);
        server_stop(there);
        ck_assert_uint_eq(here->n_requests, 2);
        ck_assert_uint_eq(there->n_requests, 3);
        ck_assert_uint_eq(there->n_connections, 1);
        ck_assert_str_eq(there->peer, "127.0.0.3");
        ck_assert_uint_eq(n_redirected, 1);
        ck_assert_ptr_null(strstr(there->requests[0], "Authorization"));
        ck_assert_ptr_nonnull(strstr(there->requests[0], "\r\nHost: other.invalid:"));
        ck_assert_ptr_nonnull(strstr(there->requests[1], "\r\n\r\n<Inform/>"));
        check_digest(there->requests[1], "n", "00000001");
        check_digest(there->requests[2], "n", "00000002");
        ck_assert_ptr_nonnull(strstr(there->requests[2], "new=1"));
        for (size_t k = 0; k < 3; k++)
            ck_assert_ptr_null(strstr(there->requests[k], "old="));
        server_free(here);
        server_free(there);
        stop();
    }
}
END_TEST

/* A path of the same host, which gets its cookie back; and no more than five in a row. */
START_TEST(expectation_10_five_hops) {
    static const char hop[] =
        "HTTP/1.1 302 Found\r\nSet-Cookie: c=1; Path=/\r\nLocation: /elsewhere?a\r\n"
        "Content-Length: 0\r\n\r\n";
    static const Answer answers[] = {{.text = hop}, {.text = hop}, {.text = hop},
                                     {.text = hop}, {.text = hop}, {.text = OK_BODY("a", "1")},
                                     {.text = hop}, {.text = hop}, {.text = hop},
                                     {.text = hop}, {.text = hop}, {.text = hop}};
    start_redirecting(NULL);
    Server *s = server_start("127.0.0.1", answers, ARRAY_SIZE(answers));
    open_to(s);
    post("1");
    ck_assert_msg(got.error == 0, "%s", got.text);
    ck_assert_uint_eq(n_redirected, CWMP_IO_REDIRECTS_MAX);
    post("2");
    ck_assert_int_eq(got.error, -ELOOP);
    ck_assert_str_eq(got.text, "redirected too often");
    ck_assert_uint_eq(n_redirected, 2 * CWMP_IO_REDIRECTS_MAX);
    cwmp_io_close(io);
    server_stop(s);
    ck_assert_uint_eq(s->n_requests, ARRAY_SIZE(answers));
    ck_assert_ptr_nonnull(strstr(s->requests[1], "POST /elsewhere?a HTTP/1.1\r\n"));
    ck_assert_ptr_nonnull(strstr(s->requests[1], "\r\nCookie: c=1\r\n"));
    server_free(s);
    stop();
}
END_TEST

START_TEST(expectation_10_places_that_are_none) {
    static const char *const locations[] = {"", "Location: ftp://hems.invalid/\r\n",
                                            "Location: http://u:p@hems.invalid/\r\n", "Location: http://\r\n",
                                            "Location: http://hems.invalid/#x\r\n"};
    for (size_t i = 0; i < ARRAY_SIZE(locations); i++) {
        char text[512];
        snprintf(text, sizeof text, "HTTP/1.1 307 Moved\r\n%sContent-Length: 0\r\n\r\n", locations[i]);
        const Answer answers[] = {{.text = text}};
        start_redirecting(NULL);
        Server *s = server_start("127.0.0.1", answers, 1);
        open_to(s);
        post("1");
        ck_assert_msg(got.error == -EINVAL, "%s: %d %s", locations[i], got.error, got.text);
        ck_assert_uint_eq(n_redirected, 0);
        cwmp_io_close(io);
        server_stop(s);
        server_free(s);
        stop();
    }
}
END_TEST

/* Who is to find the way there says that there is none, at once or later; or the session is closed. */
START_TEST(expectation_10_no_way_there) {
    static const Answer answers[] = {
        {.text = "HTTP/1.1 302 Found\r\nLocation: https://other.invalid/\r\nContent-Length: 0\r\n\r\n"}};
    for (size_t i = 0; i < 3; i++) {
        start_redirecting(NULL);
        redirect_later = i > 0;
        Server *s = server_start("127.0.0.1", answers, 1);
        open_to(s);
        ck_assert_int_eq(cwmp_io_post(io, "x", 1, on_answer, &got), 0);
        while (n_redirected == 0)
            ck_assert_int_ge(sd_event_run(event, 20 * USEC_PER_SEC), 0);
        if (i == 1)
            cwmp_io_redirect_fail(io, -ENXIO, "no such name");
        cwmp_io_close(io);
        cwmp_io_redirect_fail(io, -ENXIO, "again");
        ck_assert_uint_eq(got.calls, i < 2);
        if (i == 0)
            ck_assert_int_eq(got.error, -EPROTONOSUPPORT); /* https, and we have no TlsConfig here */
        if (i == 1)
            ck_assert_str_eq(got.text, "no such name");
        server_stop(s);
        server_free(s);
        stop();
    }
}
END_TEST

/* Answers as they come -------------------------------------------------------------------------------- */

START_TEST(expectation_02_03_cookies_and_their_paths) {
    static const Answer answers[] = {
        {.text = "HTTP/1.1 200 OK\r\nSet-Cookie: bare=1\r\nSet-Cookie: root=2; Path=/; HttpOnly\r\n"
                 "Set-Cookie: same=3; Path=/acs/cwmp; Version=1\r\nSet-Cookie: other=4; Path=/other\r\n"
                 "Set-Cookie: far=5; Domain=example.com\r\nContent-Length: 0\r\n\r\n"},
        {.text = "HTTP/1.1 200 OK\r\nSet-Cookie: root=; Path=/; Max-Age=0\r\nContent-Length: 0\r\n\r\n"},
        {.text = OK_BODY("x", "1")},
        {.text = OK_BODY("x", "1")},
    };
    start();
    Server *s = server_start("127.0.0.1", answers, ARRAY_SIZE(answers));
    open_to(s);
    post("1");
    post("2");
    post("3");
    open_to(s);
    post("4");
    cwmp_io_close(io);
    server_stop(s);
    const char *cookies = strstr(s->requests[1], "\r\nCookie: ");
    ck_assert_ptr_nonnull(cookies);
    ck_assert_ptr_null(strstr(cookies + 1, "\r\nCookie: "));
    ck_assert_ptr_nonnull(strstr(cookies, "bare=1"));
    ck_assert_ptr_nonnull(strstr(cookies, "root=2"));
    ck_assert_ptr_nonnull(strstr(cookies, "same=3"));
    static const char *const never[] = {"other=", "far=", "Path", "Http", "Version"};
    for (size_t i = 0; i < ARRAY_SIZE(never); i++)
        ck_assert_ptr_null(strstr(cookies, never[i]));
    ck_assert_ptr_nonnull(strstr(s->requests[2], "bare=1"));
    ck_assert_ptr_null(strstr(s->requests[2], "root="));
    ck_assert_ptr_null(strstr(s->requests[3], "Cookie"));
    server_free(s);
    stop();
}
END_TEST

/* The ways in which a HeMS says that it has nothing more, and those in which it says something. */
START_TEST(expectation_05_12_answers) {
    static const struct {
        Answer answer;
        unsigned status;
        const char *body, *type;
    } cases[] = {
        {{.text = "HTTP/1.1 204 No Content\r\n\r\n"}, 204, "", ""},
        {{.text = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", .close = true}, 204, "", ""},
        {{.text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, 200, "", ""},
        {{.text = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", .close = true},
         200,
         "",
         ""},
        {{.text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}, 200, "", ""},
        {{.text = "HTTP/1.1 200 OK\r\n\r\n", .close = true}, 200, "", ""},
        {{.text =
              "HTTP/1.0 200 OK\r\nConnection: close\r\ncontent-type: text/xml;charset=ISO-8859-1\r\n\r\nab",
          .close = true},
         200,
         "ab",
         "text/xml;charset=ISO-8859-1"},
        {{.text = "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\nTrailer: X\r\n\r\n1;ext=1\r\na\r\n1\r\nb"
                  "\r\n0\r\nX: y\r\n\r\n"},
         200,
         "ab",
         ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        start();
        Server *s = server_start("127.0.0.1", &cases[i].answer, 1);
        open_to(s);
        post("");
        ck_assert_msg(got.error == 0 && got.status == cases[i].status, "%zu: %u %s", i, got.status, got.text);
        ck_assert_str_eq(got.body, cases[i].body);
        ck_assert_str_eq(got.type, cases[i].type);
        cwmp_io_close(io);
        server_stop(s);
        server_free(s);
        stop();
    }
}
END_TEST

/* The connection dies after the request was read: it is not sent a second time, and there is no answer. */
START_TEST(a_header_broken_off_is_no_answer) {
    static const char *const cuts[] = {"HTTP/1.1 2",
                                       "HTTP/1.1 200",
                                       "HTTP/1.1 200 OK\r\n",
                                       "HTTP/1.1 200 OK\r\nContent-Le",
                                       "HTTP/1.1 200 OK\r\nX: y\r\n",
                                       "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"};
    for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
        const Answer answer = {.text = cuts[i], .close = true};
        start();
        Server *s = server_start("127.0.0.1", &answer, 1);
        open_to(s);
        post("1");
        ck_assert_msg(got.error < 0, "%s", cuts[i]);
        cwmp_io_close(io);
        server_stop(s);
        server_free(s);
        stop();
    }
}
END_TEST

START_TEST(a_post_is_never_repeated) {
    static const Answer answers[] = {
        {.text = OK_BODY("a", "1")}, {.text = "", .close = true}, {.text = OK_BODY("b", "1")}};
    static const char *const bodies[] = {"2", ""};
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        start();
        Server *s = server_start("127.0.0.1", answers, ARRAY_SIZE(answers));
        open_to(s);
        post("1");
        ck_assert_int_eq(got.error, 0);
        post(bodies[i]);
        ck_assert_int_eq(got.error, -ECONNRESET);
        ck_assert_uint_eq(got.status, 0);
        ck_assert_ptr_nonnull(strstr(got.text, "closed before an answer"));
        cwmp_io_close(io);
        server_stop(s);
        ck_assert_uint_eq(s->n_requests, 2);
        server_free(s);
        stop();
    }
}
END_TEST

SUITE("cwmp-io", expectation_02_03_cookies_and_their_paths, expectation_05_12_answers, expectation_06_digests,
      expectation_06_challenges_that_are_not_answered, expectation_06_credentials_that_are_refused,
      expectation_07_the_first_post_has_its_body, expectation_08_new_nonces, expectation_10_to_another_host,
      expectation_10_five_hops, expectation_10_places_that_are_none, expectation_10_no_way_there,
      expectation_14_answers_that_drip, a_header_broken_off_is_no_answer, a_post_is_never_repeated,
      a_registration_over_http, expectation_13_headers_of_a_session,
      expectation_04_a_closed_connection_is_replaced, expectation_09_any_status_is_handed_on,
      expectation_14_answers_that_are_not_whole, a_socket_that_cannot_be_bound_does_not_connect,
      a_bound_socket_shows_its_address, ipv6_by_name_and_by_address, nobody_listens, targets_that_are_refused,
      handlers_may_post_and_free, closing_calls_nobody)
