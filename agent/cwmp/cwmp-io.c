/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See cwmp-io.h. */
#include "cwmp/cwmp-io.h"

#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/log.h"
#include "base/macro.h"
#include "base/url.h"
#include "curl-io.h"

struct CwmpIo {
    sd_event *event;
    const TlsConfig *tls_config;
    Tls *tls;     /* of an https session */
    CurlIo *curl; /* one a session, so that no connection outlives it */
    CURL *easy;
    struct curl_slist *headers, *headers_empty, *connect_to;
    char interface[IFNAMSIZ];
    Address source;
    char *request;
    CwmpIoHandler handler; /* of the POST that is out; NULL: none is */
    void *userdata;
    char *body;
    size_t size, capacity, header_size;
    bool header_ended;         /* by its empty line */
    char why[ERROR_MAX_BYTES]; /* our reason for stopping libcurl, "" none */
    int why_error;             /* which errno that is, where libcurl's code does not tell; 0: it does */
    char curl_error[CURL_ERROR_SIZE];
};

/* libcurl repeats a POST by itself, on a new socket, when a reused connection dies before the first byte of
 * an answer. Whether the HeMS has seen it is then not known, and the session is broken (TR-069 3.7.2.4). */
static bool is_repetition(const CwmpIo *io) {
    long sent = 0; /* of this POST, on a socket of before */
    return curl_easy_getinfo(io->easy, CURLINFO_REQUEST_SIZE, &sent) != CURLE_OK || sent > 0;
}

/* A socket that cannot be bound is a failure, never a reason to go another way: SO_BINDTODEVICE and bind()
 * before libcurl connects, and CURL_SOCKOPT_ERROR makes it close the socket. */
static int bind_socket(void *userdata, curl_socket_t fd, curlsocktype purpose) {
    CwmpIo *io = userdata;
    struct sockaddr_storage address;

    if (is_repetition(io)) {
        snprintf(io->why, sizeof io->why, "the connection was closed before an answer");
        io->why_error = -ECONNRESET;
        return CURL_SOCKOPT_ERROR;
    }
    if (io->interface[0] && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, io->interface,
                                       (socklen_t)strlen(io->interface) + 1) < 0) {
        snprintf(io->why, sizeof io->why, "cannot bind to interface %s: %s", io->interface, strerror(errno));
        return CURL_SOCKOPT_ERROR;
    }
    if (io->source.family == AF_UNSPEC)
        return CURL_SOCKOPT_OK;
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int)); /* saves ports only */
    socklen_t size = endpoint_to_sockaddr(&(Endpoint){.address = io->source}, &address);
    if (bind(fd, (struct sockaddr *)&address, size) < 0) {
        snprintf(io->why, sizeof io->why, "cannot bind to %s: %s", ADDRESS_STR(&io->source), strerror(errno));
        return CURL_SOCKOPT_ERROR;
    }
    return CURL_SOCKOPT_OK;
}

/* SetParameterValues brings passwords: no copy is left behind. */
static void free_body(char *body, size_t size) {
    if (body)
        explicit_bzero(body, size);
    free(body);
}

static int grow_body(CwmpIo *io, size_t size) {
    size_t capacity = MAX(2 * io->capacity, size);
    char *body = malloc(capacity);
    if (!body)
        return -ENOMEM;
    if (io->body)
        memcpy(body, io->body, io->size);
    free_body(io->body, io->size);
    io->body = body;
    io->capacity = capacity;
    return 0;
}

static size_t take_body(char *data, size_t one, size_t n, void *userdata) {
    CwmpIo *io = userdata;
    if (n > CWMP_IO_BODY_MAX - io->size) {
        snprintf(io->why, sizeof io->why, "an answer of more than %d bytes", CWMP_IO_BODY_MAX);
        return 0;
    }
    if (n > io->capacity - io->size && grow_body(io, io->size + n) < 0) {
        snprintf(io->why, sizeof io->why, "out of memory");
        io->why_error = -ENOMEM;
        return 0;
    }
    memcpy(io->body + io->size, data, n);
    io->size += n;
    return n;
}

/* libcurl keeps header lines in memory, without a limit of its own in the versions we meet. */
static size_t take_header(char *data, size_t one, size_t n, void *userdata) {
    CwmpIo *io = userdata;
    if (n > CWMP_IO_HEADERS_MAX - io->header_size) {
        snprintf(io->why, sizeof io->why, "header lines of more than %d bytes", CWMP_IO_HEADERS_MAX);
        return 0;
    }
    io->header_size += n;
    if (n <= 2) /* the empty line; after 100 Continue another header begins, after chunks come trailers */
        io->header_ended = true;
    else if (n > 5 && memcmp(data, "HTTP/", 5) == 0)
        io->header_ended = false;
    return n;
}

static void forget_answer(CwmpIo *io) {
    free_body(TAKE_PTR(io->body), io->size);
    free(TAKE_PTR(io->request));
    io->size = io->capacity = io->header_size = 0;
    io->header_ended = false;
    io->why[0] = io->curl_error[0] = 0;
    io->why_error = 0;
}

static int error_of_curl(CURLcode code) {
    static const struct {
        CURLcode code;
        int error;
    } errors[] = {
        {CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT},
        {CURLE_COULDNT_CONNECT, -ECONNREFUSED},
        {CURLE_OUT_OF_MEMORY, -ENOMEM},
        {CURLE_ABORTED_BY_CALLBACK, -ENETUNREACH},
        {CURLE_WRITE_ERROR, -E2BIG},
    };
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
        if (errors[i].code == code)
            return errors[i].error;
    return -EPROTO;
}

/* Hands over what came. The handler may free *io*: nothing of it is used after the call. */
static void finish_post(CwmpIo *io, CURLcode code) {
    CwmpIoHandler handler = io->handler;
    char *type = NULL, text[ERROR_MAX_BYTES];
    long status = 0;
    curl_off_t retry_after = 0;

    curl_easy_getinfo(io->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(io->easy, CURLINFO_CONTENT_TYPE, &type);
    curl_easy_getinfo(io->easy, CURLINFO_RETRY_AFTER, &retry_after);
    /* To libcurl a connection that closes within the header is an answer without a body; to TR-069 that would
     * be the end of the session. */
    if (code == CURLE_OK && !io->header_ended) {
        code = CURLE_PARTIAL_FILE;
        snprintf(io->why, sizeof io->why, "the connection was closed within the answer's header");
    }
    const char *refusal = io->tls ? tls_refusal(io->tls) : "";
    snprintf(text, sizeof text, "%s",
             io->why[0]          ? io->why
             : refusal[0]        ? refusal
             : io->curl_error[0] ? io->curl_error
                                 : curl_easy_strerror(code));
    _cleanup_free_ char *content_type = strdup(strempty(type));
    char *body = TAKE_PTR(io->body);
    SessionResponse response = {
        .error = code == CURLE_OK ? 0 : io->why_error ?: error_of_curl(code),
        .error_text = text,
        .status = status >= 200 ? (unsigned)status : 0, /* 100 Continue is no answer yet */
        .content_type = strempty(content_type),
        .body = body ? body : "",
        .size = io->size,
        .retry_after = (usec_t)MAX(retry_after, (curl_off_t)0) * USEC_PER_SEC,
    };
    io->handler = NULL;
    forget_answer(io);
    handler(io->userdata, &response);
    free_body(body, response.size);
}

static void on_done(void *userdata, CURL *easy, CURLcode code) {
    finish_post(userdata, code);
}

int cwmp_io_new(CwmpIo **ret, sd_event *event, const TlsConfig *tls) {
    CwmpIo *io = calloc(1, sizeof *io);

    if (!io)
        return -ENOMEM;
    io->event = sd_event_ref(event);
    io->tls_config = tls;
    *ret = io;
    return 0;
}

void cwmp_io_free(CwmpIo *io) {
    if (!io)
        return;
    cwmp_io_close(io);
    sd_event_unref(io->event);
    free(io);
}

void cwmp_io_close(CwmpIo *io) {
    if (io->easy && io->handler)
        curl_io_remove(io->curl, io->easy);
    io->handler = NULL;
    curl_easy_cleanup(TAKE_PTR(io->easy)); /* cookies go with it */
    curl_io_free(TAKE_PTR(io->curl));      /* and its connection, which knows *tls* */
    tls_free(TAKE_PTR(io->tls));
    curl_slist_free_all(TAKE_PTR(io->headers));
    curl_slist_free_all(TAKE_PTR(io->headers_empty));
    curl_slist_free_all(TAKE_PTR(io->connect_to));
    forget_answer(io);
}

/* A URL whose host is an address must not go elsewhere than it says. */
static int read_url(CwmpIo *io, const char *text, const Address *address) {
    Address literal;
    Url url;

    int r = url_parse(text, &url, NULL);
    if (r < 0)
        return r;
    if (address_parse(url.host, &literal) == 0 && !address_equal(&literal, address))
        return -EINVAL;
    if (!url.tls)
        return 0;
    return io->tls_config ? tls_new(&io->tls, io->tls_config, url.host) : -EPROTONOSUPPORT;
}

/* Every transfer goes to *address*, whatever the URL's host: no resolver is ever asked. */
static int make_lists(CwmpIo *io, const Address *address) {
    static const char *const lines[] = {
        "Content-Type: text/xml; charset=utf-8",
        "SOAPAction;", /* libcurl's way to send a header without a value */
        "Expect:",     /* never wait for 100 Continue */
        "Accept-Encoding:",
    };
    /* The empty POST has no content to have a type (TR-069 3.4.5): the headers libcurl would add are off. */
    static const char *const lines_empty[] = {"Content-Type:", "Expect:", "Accept-Encoding:"};
    char to[ADDRESS_STR_MAX + 8];

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct curl_slist *list = curl_slist_append(io->headers, lines[i]);
        if (!list)
            return -ENOMEM;
        io->headers = list;
    }
    for (size_t i = 0; i < ARRAY_SIZE(lines_empty); i++) {
        struct curl_slist *list = curl_slist_append(io->headers_empty, lines_empty[i]);
        if (!list)
            return -ENOMEM;
        io->headers_empty = list;
    }
    snprintf(to, sizeof to, address->family == AF_INET6 ? "::[%s]:" : "::%s:", ADDRESS_STR(address));
    io->connect_to = curl_slist_append(NULL, to);
    return io->connect_to ? 0 : -ENOMEM;
}

#define MSEC(usec) ((long)((usec) / USEC_PER_MSEC))

/* Anything that libcurl might do by itself and we do not want is switched off by name. */
static int set_easy_options(CwmpIo *io, const char *url) {
    CURL *e = io->easy;
    CURLcode codes[] = {
        curl_easy_setopt(e, CURLOPT_URL, url),
        curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, io->tls ? "https" : "http"),
        curl_easy_setopt(e, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L),
        curl_easy_setopt(e, CURLOPT_CONNECT_TO, io->connect_to),
        curl_easy_setopt(e, CURLOPT_PROXY, ""),
        curl_easy_setopt(e, CURLOPT_NOPROXY, "*"),
        curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L),
        curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED),
        curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_NONE),
        curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1),
        curl_easy_setopt(e, CURLOPT_HTTP09_ALLOWED, 0L),
        curl_easy_setopt(e, CURLOPT_COOKIEFILE, ""), /* the engine in memory, no file */
        curl_easy_setopt(e, CURLOPT_USERAGENT, "henb-agentd/" VERSION),
        curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L),
        curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, MSEC(CWMP_IO_CONNECT_TIMEOUT)),
        curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, MSEC(CWMP_IO_TIMEOUT)),
        curl_easy_setopt(e, CURLOPT_SOCKOPTFUNCTION, bind_socket),
        curl_easy_setopt(e, CURLOPT_SOCKOPTDATA, io),
        curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_body),
        curl_easy_setopt(e, CURLOPT_WRITEDATA, io),
        curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, take_header),
        curl_easy_setopt(e, CURLOPT_HEADERDATA, io),
        curl_easy_setopt(e, CURLOPT_ERRORBUFFER, io->curl_error),
        curl_easy_setopt(e, CURLOPT_POST, 1L),
    };
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        if (codes[i] != CURLE_OK)
            return codes[i] == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
    return 0;
}

static CURLcode set_up_tls(CURL *easy, void *ssl_ctx, void *userdata) {
    return tls_set_up(userdata, ssl_ctx) < 0 ? CURLE_SSL_CERTPROBLEM : CURLE_OK;
}

/* libcurl's own checks stay on beside ours. No session is resumed: each connection is verified. */
static int set_tls_options(CwmpIo *io) {
    CURL *e = io->easy;
    CURLcode codes[] = {
        curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2),
        curl_easy_setopt(e, CURLOPT_CAINFO, NULL), /* the system's, by default */
        curl_easy_setopt(e, CURLOPT_CAPATH, NULL),
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L),
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L),
        curl_easy_setopt(e, CURLOPT_SSL_SESSIONID_CACHE, 0L),
        curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, set_up_tls),
        curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, io->tls),
    };
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        if (codes[i] != CURLE_OK) /* a libcurl without OpenSSL has no CURLOPT_SSL_CTX_FUNCTION */
            return codes[i] == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EPROTONOSUPPORT;
    return 0;
}

int cwmp_io_open(CwmpIo *io, const CwmpIoTarget *target) {
    cwmp_io_close(io);
    if (target->address.family == AF_UNSPEC || strlen(strempty(target->interface)) >= sizeof io->interface)
        return -EINVAL;
    int r = read_url(io, target->url, &target->address);
    if (r < 0)
        return r;
    snprintf(io->interface, sizeof io->interface, "%s", strempty(target->interface));
    io->source = target->source;
    r = curl_io_new(&io->curl, io->event, on_done, io);
    io->easy = r == 0 ? curl_easy_init() : NULL;
    if (r == 0)
        r = io->easy ? make_lists(io, &target->address) : -ENOMEM;
    if (r == 0)
        r = set_easy_options(io, target->url);
    if (r == 0 && io->tls)
        r = set_tls_options(io);
    if (r < 0)
        cwmp_io_close(io);
    return r;
}

int cwmp_io_post(CwmpIo *io, const void *body, size_t size, CwmpIoHandler handler, void *userdata) {
    if (!io->easy)
        return -ENOTCONN;
    if (io->handler)
        return -EBUSY;
    forget_answer(io);
    io->request = malloc(size + 1);
    if (!io->request)
        return -ENOMEM;
    memcpy(io->request, body, size);
    if (curl_easy_setopt(io->easy, CURLOPT_POSTFIELDS, io->request) != CURLE_OK ||
        curl_easy_setopt(io->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size) != CURLE_OK ||
        curl_easy_setopt(io->easy, CURLOPT_HTTPHEADER, size > 0 ? io->headers : io->headers_empty) !=
            CURLE_OK ||
        curl_io_add(io->curl, io->easy) < 0)
        return -ENOMEM;
    io->handler = handler;
    io->userdata = userdata;
    return 0;
}
