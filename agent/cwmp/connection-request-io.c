/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See connection-request-io.h. libmicrohttpd has no thread, no listening socket and no timer of its own:
 * connections are accepted here, its epoll descriptor is a source of the loop, and a connection that has to
 * go is shut down and left to it. */
#include "cwmp/connection-request-io.h"

#include <microhttpd.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/bound-io.h"
#include "base/log.h"
#include "clock.h"

#define BACKLOG         64
#define ACCEPTS_AT_ONCE 16 /* then others have their turn */

typedef struct Peer {
    int fd; /* -1: free. libmicrohttpd's */
    usec_t since;
} Peer;

struct ConnectionRequestIo {
    sd_event *event;
    ConnectionRequest *request;
    char path[CONNECTION_REQUEST_PATH];
    ConnectionRequestHandler handler;
    void *userdata;

    struct MHD_Daemon *daemon;
    int fd;
    sd_event_source *listening, *daemon_ready, *timer, *tell;
    Peer peers[CONNECTION_REQUEST_SOCKETS];
};

/* Requests -------------------------------------------------------------------------------------------- */

/* One request, from its first line to its end. */
typedef struct Request {
    bool begun, start;
    char target[URL_MAX_BYTES];
} Request;

/* The target as it came: libmicrohttpd decodes it and takes it to pieces. One that is too long is none of
 * ours. */
static void *note_target(void *userdata, const char *target, struct MHD_Connection *connection) {
    Request *request = calloc(1, sizeof *request);

    if (request)
        (void)snprintf(request->target, sizeof request->target, "%s", target);
    return request;
}

static enum MHD_Result answer(struct MHD_Connection *connection, const ConnectionRequestAnswer *a) {
    struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);

    if (!response)
        return MHD_NO;
    enum MHD_Result r = a->header ? MHD_add_response_header(response, a->header, a->value) : MHD_YES;
    if (r == MHD_YES)
        r = MHD_queue_response(connection, a->status, response);
    MHD_destroy_response(response);
    return r;
}

static bool has_body(struct MHD_Connection *connection) {
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length") ||
           MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Transfer-Encoding");
}

/* libmicrohttpd: header lines are here, then all is. To answer the first call is to close the connection,
 * which is right where a body would follow, and nowhere else. MHD_NO closes, too. */
static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *size,
                                  void **context) {
    ConnectionRequestIo *io = userdata;
    Request *request = *context;
    ConnectionRequestAnswer a;
    const char *credentials = NULL;
    size_t credentials_size = 0;

    if (!request)
        return MHD_NO;
    if (!request->begun && !has_body(connection)) {
        request->begun = true;
        return MHD_YES;
    }
    (void)MHD_lookup_connection_value_n(connection, MHD_HEADER_KIND, "Authorization", strlen("Authorization"),
                                        &credentials, &credentials_size);
    const ConnectionRequestQuery query = {method, request->target, credentials, credentials_size};
    if (connection_request_answer(io->request, clock_now().mono, &query, &a) < 0)
        return MHD_NO;
    request->start = a.start;
    log_info("connection request: %u", a.status);
    return answer(connection, &a);
}

/* The answer is out, or the other side has gone, which has asked all the same. Not now: the handler may free
 * what libmicrohttpd is in. */
static void on_completed(void *userdata, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code) {
    ConnectionRequestIo *io = userdata;
    _cleanup_free_ Request *request = *context;

    *context = NULL;
    if (request && request->start)
        (void)sd_event_source_set_enabled(io->tell, SD_EVENT_ONESHOT);
}

static int on_tell(sd_event_source *source, void *userdata) {
    ConnectionRequestIo *io = userdata;
    io->handler(io->userdata);
    return 0;
}

/* Connections ----------------------------------------------------------------------------------------- */

static int fd_of(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

static void on_connection(void *userdata, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code) {
    ConnectionRequestIo *io = userdata;

    if (code != MHD_CONNECTION_NOTIFY_CLOSED)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(io->peers); i++)
        if (io->peers[i].fd == fd_of(connection))
            io->peers[i].fd = -1;
}

/* libmicrohttpd notices, and closes. */
static void peer_end(Peer *peer) {
    (void)shutdown(peer->fd, SHUT_RDWR);
}

static Peer *peer_oldest(ConnectionRequestIo *io) {
    Peer *oldest = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(io->peers); i++)
        if (io->peers[i].fd >= 0 && (!oldest || io->peers[i].since < oldest->since))
            oldest = &io->peers[i];
    return oldest;
}

static Peer *peer_free(ConnectionRequestIo *io) {
    for (size_t i = 0; i < ARRAY_SIZE(io->peers); i++)
        if (io->peers[i].fd < 0)
            return &io->peers[i];
    return NULL;
}

static void run(ConnectionRequestIo *io) {
    MHD_UNSIGNED_LONG_LONG msec;
    Peer *oldest;

    if (MHD_run(io->daemon) != MHD_YES)
        log_error("connection requests: libmicrohttpd cannot go on");
    usec_t now = clock_now().mono, next = USEC_NEVER;
    if ((oldest = peer_oldest(io)))
        next = oldest->since + CONNECTION_REQUEST_LIFETIME;
    if (MHD_get_timeout(io->daemon, &msec) == MHD_YES)
        next = MIN(next, now + msec * USEC_PER_MSEC);
    timer_set(io->timer, next);
}

static int on_daemon_ready(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    run(userdata);
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    ConnectionRequestIo *io = userdata;
    usec_t now = clock_now().mono;

    for (size_t i = 0; i < ARRAY_SIZE(io->peers); i++)
        if (io->peers[i].fd >= 0 && now - io->peers[i].since >= CONNECTION_REQUEST_LIFETIME)
            peer_end(&io->peers[i]);
    run(io);
    return 0;
}

/* The oldest makes room for another. libmicrohttpd closes *fd* if it does not take it. */
static void peer_add(ConnectionRequestIo *io, int fd, const struct sockaddr *address, socklen_t size) {
    if (!peer_free(io)) {
        peer_end(peer_oldest(io));
        run(io);
    }
    Peer *peer = peer_free(io);
    if (!peer) {
        close(fd);
        return;
    }
    *peer = (Peer){fd, clock_now().mono};
    if (MHD_add_connection(io->daemon, fd, address, size) != MHD_YES)
        peer->fd = -1;
}

static int on_listening(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    ConnectionRequestIo *io = userdata;

    for (size_t i = 0; i < ACCEPTS_AT_ONCE; i++) {
        struct sockaddr_storage address;
        socklen_t size = sizeof address;
        int peer = accept4(fd, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (peer < 0)
            break;
        peer_add(io, peer, (struct sockaddr *)&address, size);
    }
    run(io);
    return 0;
}

/* Opening and closing --------------------------------------------------------------------------------- */

int connection_request_io_new(ConnectionRequestIo **ret, sd_event *event, const char *path, const Rng *rng,
                              ConnectionRequestHandler handler, void *userdata) {
    _cleanup_(connection_request_io_freep) ConnectionRequestIo *io = calloc(1, sizeof *io);

    if (!io)
        return -ENOMEM;
    io->event = sd_event_ref(event);
    io->handler = handler;
    io->userdata = userdata;
    io->fd = -EBADF;
    int r = connection_request_new(&io->request, path, rng);
    if (r < 0)
        return r;
    strcpy(io->path, path);
    *ret = TAKE_PTR(io);
    return 0;
}

void connection_request_io_free(ConnectionRequestIo *io) {
    if (!io)
        return;
    connection_request_io_close(io);
    connection_request_free(io->request);
    sd_event_unref(io->event);
    free(io);
}

void connection_request_io_set_credentials(ConnectionRequestIo *io, const char *username,
                                           const char *password) {
    connection_request_set_credentials(io->request, username, password);
}

void connection_request_io_close(ConnectionRequestIo *io) {
    io->listening = sd_event_source_disable_unref(io->listening);
    io->daemon_ready = sd_event_source_disable_unref(io->daemon_ready);
    io->timer = sd_event_source_disable_unref(io->timer);
    if (io->daemon)
        MHD_stop_daemon(TAKE_PTR(io->daemon)); /* closes the connections; may tell of one that was answered */
    io->tell = sd_event_source_disable_unref(io->tell);
    if (io->fd >= 0)
        close(TAKE_FD(io->fd));
}

static int listen_at(ConnectionRequestIo *io, const char *interface, Endpoint *at, char *why, size_t size) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;

    snprintf(why, size, "no socket");
    io->fd = socket(at->address.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (io->fd < 0)
        return -errno;
    (void)setsockopt(io->fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    int r = bound_io_bind(io->fd, interface, at, why, size);
    if (r < 0)
        return r;
    if (listen(io->fd, BACKLOG) < 0 || getsockname(io->fd, (struct sockaddr *)&address, &length) < 0) {
        r = -errno;
        snprintf(why, size, "cannot listen: %s", strerror(-r));
        return r;
    }
    return endpoint_from_sockaddr((struct sockaddr *)&address, at);
}

static int daemon_start(ConnectionRequestIo *io) {
    for (size_t i = 0; i < ARRAY_SIZE(io->peers); i++)
        io->peers[i].fd = -1;
    /* clang-format off */
    io->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_request, io,
        MHD_OPTION_URI_LOG_CALLBACK, note_target, io,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, io,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, io,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTION_REQUEST_SOCKETS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_REQUEST_MEMORY,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(CONNECTION_REQUEST_LIFETIME / USEC_PER_SEC),
        MHD_OPTION_END);
    /* clang-format on */
    if (!io->daemon)
        return -ENOMEM;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(io->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info)
        return -EOPNOTSUPP;
    int r = sd_event_add_io(io->event, &io->daemon_ready, info->epoll_fd, EPOLLIN, on_daemon_ready, io);
    if (r >= 0)
        r = sd_event_add_io(io->event, &io->listening, io->fd, EPOLLIN, on_listening, io);
    if (r >= 0)
        r = sd_event_add_time(io->event, &io->timer, CLOCK_BOOTTIME, UINT64_MAX, 1, on_timer, io);
    if (r >= 0)
        r = sd_event_add_defer(io->event, &io->tell, on_tell, io);
    return r < 0 ? r : sd_event_source_set_enabled(io->tell, SD_EVENT_OFF);
}

int connection_request_io_open(ConnectionRequestIo *io, const char *interface, const Address *address,
                               uint16_t port, char *ret_url) {
    char why[ERROR_MAX_BYTES], url[URL_MAX_BYTES];
    Endpoint at = {*address, port};

    connection_request_io_close(io);
    int r = listen_at(io, interface, &at, why, sizeof why);
    if (r == 0) {
        snprintf(why, sizeof why, "no HTTP server");
        r = daemon_start(io);
    }
    if (r < 0) {
        log_error("connection requests at %s: %s", ENDPOINT_STR(&at), why);
        connection_request_io_close(io);
        return r;
    }
    if (ret_url)
        strcpy(ret_url, connection_request_url(&at, io->path, url));
    log_info("connection requests are taken at %s", ENDPOINT_STR(&at));
    return 0;
}
