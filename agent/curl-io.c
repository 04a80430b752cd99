/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See curl-io.h. */
#include "curl-io.h"

#include <stdio.h>

#include "base/log.h"
#include "base/moment.h"
#include "cwmp/tls.h"

struct CurlIo {
    sd_event *event;
    sd_event_source *timer; /* libcurl's */
    CURLM *multi;
    CurlIoHandler handler;
    void *userdata;
    bool busy, freed; /* handlers are called; one of them has freed it */
};

/* Handlers may free *io*: that is done afterwards. */
static void check_finished(CurlIo *io) {
    CURLMsg *message;
    int left;

    io->busy = true;
    while (!io->freed && (message = curl_multi_info_read(io->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        curl_multi_remove_handle(io->multi, easy);
        io->handler(io->userdata, easy, code);
    }
    io->busy = false;
    if (io->freed)
        curl_io_free(io);
}

static int on_socket(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    CurlIo *io = userdata;
    int running, mask = (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                        (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                        (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
    if (curl_multi_socket_action(io->multi, fd, mask, &running) != CURLM_OK)
        log_error("libcurl cannot go on");
    check_finished(io);
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    CurlIo *io = userdata;
    int running;
    if (curl_multi_socket_action(io->multi, CURL_SOCKET_TIMEOUT, 0, &running) != CURLM_OK)
        log_error("libcurl cannot go on");
    check_finished(io);
    return 0;
}

/* libcurl: watch *fd* for *what*. The event source is what it keeps for us about the socket. */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socket_data) {
    static const uint32_t masks[] = {
        [CURL_POLL_NONE] = 0,
        [CURL_POLL_IN] = EPOLLIN,
        [CURL_POLL_OUT] = EPOLLOUT,
        [CURL_POLL_INOUT] = EPOLLIN | EPOLLOUT,
    };
    CurlIo *io = userdata;
    sd_event_source *source = socket_data;

    if (what == CURL_POLL_REMOVE) {
        sd_event_source_disable_unref(source);
        curl_multi_assign(io->multi, fd, NULL);
        return 0;
    }
    if (source)
        return sd_event_source_set_io_events(source, masks[what]) < 0 ? -1 : 0;
    if (sd_event_add_io(io->event, &source, fd, masks[what], on_socket, io) < 0)
        return -1;
    (void)sd_event_source_set_description(source, "curl-socket");
    curl_multi_assign(io->multi, fd, source);
    return 0;
}

static int set_timer(CURLM *multi, long msec, void *userdata) {
    CurlIo *io = userdata;
    if (msec < 0)
        return sd_event_source_set_enabled(io->timer, SD_EVENT_OFF) < 0 ? -1 : 0;
    return sd_event_source_set_time_relative(io->timer, (uint64_t)msec * USEC_PER_MSEC) < 0 ||
                   sd_event_source_set_enabled(io->timer, SD_EVENT_ONESHOT) < 0
               ? -1
               : 0;
}

static int set_options(CurlIo *io) {
    return curl_multi_setopt(io->multi, CURLMOPT_SOCKETFUNCTION, watch_socket) == CURLM_OK &&
                   curl_multi_setopt(io->multi, CURLMOPT_SOCKETDATA, io) == CURLM_OK &&
                   curl_multi_setopt(io->multi, CURLMOPT_TIMERFUNCTION, set_timer) == CURLM_OK &&
                   curl_multi_setopt(io->multi, CURLMOPT_TIMERDATA, io) == CURLM_OK
               ? 0
               : -EINVAL;
}

int curl_io_new(CurlIo **ret, sd_event *event, CurlIoHandler handler, void *userdata) {
    static bool initialised;

    if (!initialised && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return -ENOMEM;
    initialised = true;
    _cleanup_(curl_io_freep) CurlIo *io = calloc(1, sizeof *io);
    if (!io)
        return -ENOMEM;
    io->event = sd_event_ref(event);
    io->handler = handler;
    io->userdata = userdata;
    io->multi = curl_multi_init();
    if (!io->multi)
        return -ENOMEM;
    int r = sd_event_add_time_relative(event, &io->timer, CLOCK_BOOTTIME, 0, USEC_PER_MSEC, on_timer, io);
    if (r >= 0)
        r = sd_event_source_set_enabled(io->timer, SD_EVENT_OFF);
    if (r >= 0)
        r = set_options(io);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(io);
    return 0;
}

void curl_io_free(CurlIo *io) {
    if (!io)
        return;
    if (io->busy) {
        io->freed = true;
        return;
    }
    curl_multi_cleanup(io->multi);
    sd_event_source_disable_unref(io->timer);
    sd_event_unref(io->event);
    free(io);
}

int curl_io_add(CurlIo *io, CURL *easy) {
    return curl_multi_add_handle(io->multi, easy) == CURLM_OK ? 0 : -ENOMEM;
}

void curl_io_remove(CurlIo *io, CURL *easy) {
    curl_multi_remove_handle(io->multi, easy);
}

/* The first of *codes* that is none of success, in our words. */
static int check_options(const CURLcode *codes, size_t n, int unknown) {
    for (size_t i = 0; i < n; i++)
        if (codes[i] != CURLE_OK)
            return codes[i] == CURLE_OUT_OF_MEMORY ? -ENOMEM : unknown;
    return 0;
}

int curl_io_easy(CURL **ret) {
    CURL *e = curl_easy_init();

    if (!e)
        return -ENOMEM;
    const CURLcode codes[] = {
        curl_easy_setopt(e, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L),
        curl_easy_setopt(e, CURLOPT_PROXY, ""),
        curl_easy_setopt(e, CURLOPT_NOPROXY, "*"),
        curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L),
        curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED),
        curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_NONE),
        curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1),
        curl_easy_setopt(e, CURLOPT_HTTP09_ALLOWED, 0L),
        curl_easy_setopt(e, CURLOPT_USERAGENT, "henb-agentd/" VERSION),
        curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L),
    };
    int r = check_options(codes, ARRAY_SIZE(codes), -EINVAL);
    if (r < 0)
        curl_easy_cleanup(e);
    else
        *ret = e;
    return r;
}

static CURLcode set_up_tls(CURL *easy, void *ssl_ctx, void *userdata) {
    return tls_set_up(userdata, ssl_ctx) < 0 ? CURLE_SSL_CERTPROBLEM : CURLE_OK;
}

int curl_io_secure(CURL *easy, Tls *tls) {
    const CURLcode codes[] = {
        curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2),
        curl_easy_setopt(easy, CURLOPT_CAINFO, NULL), /* the system's, by default */
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL),
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L),
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L),
        curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L),
        curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, set_up_tls),
        curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, tls),
    };
    return check_options(codes, ARRAY_SIZE(codes), -EPROTONOSUPPORT);
}

int curl_io_header(struct curl_slist **lines, const char *line) {
    struct curl_slist *longer = curl_slist_append(*lines, line);

    if (!longer)
        return -ENOMEM;
    *lines = longer;
    return 0;
}

struct curl_slist *curl_io_connect_to(const Address *address, uint16_t port) {
    char to[ADDRESS_STR_MAX + 16], digits[8] = "";

    if (port > 0)
        snprintf(digits, sizeof digits, "%u", port);
    snprintf(to, sizeof to, address->family == AF_INET6 ? "::[%s]:%s" : "::%s:%s", ADDRESS_STR(address),
             digits);
    return curl_slist_append(NULL, to);
}
