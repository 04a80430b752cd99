/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See cwmp-io.h. */
#include "cwmp/cwmp-io.h"

#include <inttypes.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <strings.h>
#include <sys/random.h>

#include "base/bound-io.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/url.h"
#include "curl-io.h"
#include "cwmp/digest.h"

/* How the HeMS wants to know who we are. */
typedef enum Auth {
    AUTH_NONE,
    AUTH_BASIC,
    AUTH_DIGEST,
} Auth;

struct CwmpIo {
    sd_event *event;
    const TlsConfig *tls_config;
    CwmpIoRedirected redirected;
    void *redirected_userdata;
    Tls *tls;     /* of an https session */
    CurlIo *curl; /* one a session, so that no connection outlives it */
    CURL *easy;
    struct curl_slist *headers, *connect_to;
    char interface[IFNAMSIZ];
    Address source;
    char uri[URL_MAX_BYTES]; /* path and query, as in the request line */

    char *username, *password;                /* NULL: none */
    Auth auth, offered;                       /* what is sent; the best of the answer that comes in */
    AuthFields fields[2], *challenge, *offer; /* of these two, if they are AUTH_DIGEST */
    uint32_t nonce_count;                     /* how often the nonce of *challenge* was used */
    unsigned challenges;                      /* 401 answered in this POST */
    unsigned redirects;                       /* of this POST */

    char *request;
    size_t request_size;
    CwmpIoHandler handler; /* of the POST that is out; NULL: none is */
    void *userdata;
    bool away; /* the POST waits for cwmp_io_redirect() */
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

    if (is_repetition(io)) {
        snprintf(io->why, sizeof io->why, "the connection was closed before an answer");
        io->why_error = -ECONNRESET;
        return CURL_SOCKOPT_ERROR;
    }
    return bound_io_bind(fd, io->interface, &(Endpoint){.address = io->source}, io->why, sizeof io->why) < 0
               ? CURL_SOCKOPT_ERROR
               : CURL_SOCKOPT_OK;
}

/* SetParameterValues brings passwords: no copy is left behind. */
static void free_secret(char *secret, size_t size) {
    if (secret)
        explicit_bzero(secret, size);
    free(secret);
}

static int grow_body(CwmpIo *io, size_t size) {
    size_t capacity = MAX(2 * io->capacity, size);
    char *body = malloc(capacity);
    if (!body)
        return -ENOMEM;
    if (io->body)
        memcpy(body, io->body, io->size);
    free_secret(io->body, io->size);
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

/* A digest that we can make is best, whatever stands before it; Basic shows the password to who reads along.
 */
static void take_challenges(CwmpIo *io, const char *value, size_t size) {
    DigestAlgorithm algorithm;

    for (size_t n = 0; io->offered != AUTH_DIGEST && auth_parse(value, size, n, io->offer) == 0; n++)
        if (auth_digest_algorithm(io->offer, &algorithm) == 0 && io->offer->realm && io->offer->nonce &&
            auth_qop_fits(io->offer->qop))
            io->offered = AUTH_DIGEST;
        else if (auth_is_basic(io->offer) && io->tls)
            io->offered = AUTH_BASIC;
}

/* libcurl keeps header lines in memory, without a limit of its own in the versions we meet. */
static size_t take_header(char *data, size_t one, size_t n, void *userdata) {
    static const char challenge[] = "WWW-Authenticate:";
    CwmpIo *io = userdata;
    const size_t taken = n;
    if (n > CWMP_IO_HEADERS_MAX - io->header_size) {
        snprintf(io->why, sizeof io->why, "header lines of more than %d bytes", CWMP_IO_HEADERS_MAX);
        return 0;
    }
    io->header_size += n;
    if (n <= 2) /* the empty line; after 100 Continue another header begins, after chunks come trailers */
        io->header_ended = true;
    else if (n > 5 && memcmp(data, "HTTP/", 5) == 0) {
        io->header_ended = false;
        io->offered = AUTH_NONE;
    } else if (n > strlen(challenge) && strncasecmp(data, challenge, strlen(challenge)) == 0) {
        while (n > 0 && (data[n - 1] == '\r' || data[n - 1] == '\n'))
            n--;
        take_challenges(io, data + strlen(challenge), n - strlen(challenge));
    }
    return taken;
}

static void forget_answer(CwmpIo *io) {
    free_secret(TAKE_PTR(io->body), io->size);
    io->size = io->capacity = io->header_size = 0;
    io->header_ended = false;
    io->why[0] = io->curl_error[0] = 0;
    io->why_error = 0;
    io->offered = AUTH_NONE;
}

static void forget_request(CwmpIo *io) {
    free_secret(TAKE_PTR(io->request), io->request_size);
    io->request_size = 0;
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
static void deliver(CwmpIo *io, SessionResponse response) {
    CwmpIoHandler handler = io->handler;
    char *type = NULL;

    if (io->easy)
        curl_easy_getinfo(io->easy, CURLINFO_CONTENT_TYPE, &type);
    _cleanup_free_ char *content_type = strdup(strempty(type));
    char *body = TAKE_PTR(io->body);
    response.content_type = strempty(content_type);
    response.body = body ? body : "";
    response.size = io->size;
    io->handler = NULL;
    forget_answer(io);
    forget_request(io);
    handler(io->userdata, &response);
    free_secret(body, response.size);
}

/* Nothing of what came counts. */
static void deliver_error(CwmpIo *io, int error, const char *text) {
    char copy[ERROR_MAX_BYTES];

    snprintf(copy, sizeof copy, "%s", text); /* *text* may be our own */
    forget_answer(io);
    deliver(io, (SessionResponse){.error = error, .error_text = copy});
}

/* Redirects (TR-069 3.4.6) ---------------------------------------------------------------------------- */

/* NULL: it may be gone there; or why not. */
static const char *refuse_redirect(const CwmpIo *io, const char *url, int *ret_error) {
    Url parsed;

    *ret_error = -ELOOP;
    if (io->redirects == CWMP_IO_REDIRECTS_MAX)
        return "redirected too often";
    *ret_error = -EINVAL;
    if (!url || url_parse(url, &parsed, NULL) < 0)
        return "redirected to what is no URL";
    *ret_error = -EPROTONOSUPPORT;
    return io->tls && !parsed.tls ? "redirected from https to http" : NULL;
}

static void redirect(CwmpIo *io) {
    char *url = NULL;
    int error;

    curl_easy_getinfo(io->easy, CURLINFO_REDIRECT_URL, &url); /* Location, made whole */
    const char *why = refuse_redirect(io, url, &error);
    if (why) {
        deliver_error(io, error, why);
        return;
    }
    io->redirects++;
    io->away = true;
    _cleanup_free_ char *copy = strdup(url);
    if (copy)
        io->redirected(io->redirected_userdata, copy);
    else
        deliver_error(io, -ENOMEM, "out of memory");
}

/* Authentication (TR-069 3.4.4) ----------------------------------------------------------------------- */

/* The first 401 of a POST is answered, with credentials of another nonce in it or not; those after it only
 * when they say that they are about the nonce. */
static bool may_answer_challenge(const CwmpIo *io) {
    if (io->offered == AUTH_NONE || !io->username || io->challenges == CWMP_IO_CHALLENGES_MAX)
        return false;
    return io->challenges == 0 || (io->offered == AUTH_DIGEST && auth_is_stale(io->offer));
}

static void adopt_offer(CwmpIo *io) {
    AuthFields *offer = io->offer;

    io->auth = io->offered;
    io->offer = io->challenge;
    io->challenge = offer;
    io->nonce_count = 0;
    io->challenges++;
}

static int write_digest(CwmpIo *io, char ret[static AUTH_HEADER_MAX]) {
    char nc[9], cnonce[33];
    uint64_t random[2];
    DigestInput input = {
        .username = io->username,
        .password = io->password,
        .realm = io->challenge->realm,
        .nonce = io->challenge->nonce,
        .method = "POST",
        .uri = io->uri,
        .nc = nc,
        .cnonce = cnonce,
        .qop = io->challenge->qop ? "auth" : NULL,
    };

    if (getrandom(random, sizeof random, 0) != sizeof random ||
        auth_digest_algorithm(io->challenge, &input.algorithm) < 0)
        return -EIO;
    snprintf(nc, sizeof nc, "%08" PRIx32, ++io->nonce_count);
    snprintf(cnonce, sizeof cnonce, "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
    return digest_authorization(io->challenge, &input, ret);
}

static int add_authorization(CwmpIo *io) {
    static const char name[] = "Authorization: ";
    char line[sizeof name - 1 + AUTH_HEADER_MAX] = "Authorization: ";
    char *value = line + strlen(name);

    if (io->auth == AUTH_NONE)
        return 0;
    int r = io->auth == AUTH_DIGEST ? write_digest(io, value)
                                    : basic_authorization(io->username, io->password, value);
    if (r == 0)
        r = curl_io_header(&io->headers, line);
    explicit_bzero(line, sizeof line);
    return r;
}

static void free_headers(CwmpIo *io) {
    for (struct curl_slist *item = io->headers; item; item = item->next)
        explicit_bzero(item->data, strlen(item->data)); /* Basic is the password */
    curl_slist_free_all(TAKE_PTR(io->headers));
}

/* POSTs ----------------------------------------------------------------------------------------------- */

static int make_headers(CwmpIo *io) {
    static const char *const lines[] = {
        "Content-Type: text/xml; charset=utf-8",
        "SOAPAction;", /* libcurl's way to send a header without a value */
    };
    /* The empty POST has no content to have a type (TR-069 3.4.5): the header libcurl would add is off. */
    static const char *const lines_empty[] = {"Content-Type:"};
    static const char *const lines_always[] = {"Expect:" /* never wait for 100 Continue */,
                                               "Accept-Encoding:"};
    int r = 0;

    free_headers(io);
    for (size_t i = 0; r == 0 && io->request_size > 0 && i < ARRAY_SIZE(lines); i++)
        r = curl_io_header(&io->headers, lines[i]);
    for (size_t i = 0; r == 0 && io->request_size == 0 && i < ARRAY_SIZE(lines_empty); i++)
        r = curl_io_header(&io->headers, lines_empty[i]);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(lines_always); i++)
        r = curl_io_header(&io->headers, lines_always[i]);
    return r == 0 ? add_authorization(io) : r;
}

/* Sends *request*, for the first time or again. */
static int send_request(CwmpIo *io) {
    CURL *e = io->easy;

    forget_answer(io);
    int r = make_headers(io);
    if (r < 0)
        return r;
    return curl_easy_setopt(e, CURLOPT_POSTFIELDS, io->request) == CURLE_OK &&
                   curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)io->request_size) ==
                       CURLE_OK &&
                   curl_easy_setopt(e, CURLOPT_HTTPHEADER, io->headers) == CURLE_OK &&
                   curl_io_add(io->curl, e) == 0
               ? 0
               : -ENOMEM;
}

static void finish_post(CwmpIo *io, CURLcode code) {
    char text[ERROR_MAX_BYTES];
    long status = 0;
    curl_off_t retry_after = 0;

    curl_easy_getinfo(io->easy, CURLINFO_RESPONSE_CODE, &status);
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
    deliver(io, (SessionResponse){
                    .error = code == CURLE_OK ? 0 : io->why_error ?: error_of_curl(code),
                    .error_text = text,
                    .status = status >= 200 ? (unsigned)status : 0, /* 100 Continue is no answer yet */
                    .retry_after = (usec_t)MAX(retry_after, (curl_off_t)0) * USEC_PER_SEC,
                });
}

static void on_done(void *userdata, CURL *easy, CURLcode code) {
    CwmpIo *io = userdata;
    long status = 0;

    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    bool whole = code == CURLE_OK && io->header_ended;
    if (whole && status == 401 && may_answer_challenge(io)) {
        adopt_offer(io);
        int r = send_request(io);
        if (r < 0)
            deliver_error(io, r, "user name and password cannot be sent");
    } else if (whole && (status == 302 || status == 307) && io->redirected)
        redirect(io);
    else
        finish_post(io, code);
}

int cwmp_io_new(CwmpIo **ret, sd_event *event, const TlsConfig *tls) {
    CwmpIo *io = calloc(1, sizeof *io);

    if (!io)
        return -ENOMEM;
    io->event = sd_event_ref(event);
    io->tls_config = tls;
    io->challenge = &io->fields[0];
    io->offer = &io->fields[1];
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

void cwmp_io_on_redirect(CwmpIo *io, CwmpIoRedirected redirected, void *userdata) {
    io->redirected = redirected;
    io->redirected_userdata = userdata;
}

/* Connection, TLS and the way there; not what the session knows. */
static void close_connection(CwmpIo *io) {
    if (io->curl && io->easy && io->handler)
        curl_io_remove(io->curl, io->easy);
    curl_io_free(TAKE_PTR(io->curl));
    curl_slist_free_all(TAKE_PTR(io->connect_to));
}

static void forget_credentials(CwmpIo *io) {
    free_secret(io->username, strlen(strempty(io->username)));
    free_secret(io->password, strlen(strempty(io->password)));
    io->username = io->password = NULL;
    io->auth = AUTH_NONE;
}

void cwmp_io_close(CwmpIo *io) {
    if (io->curl && io->easy && io->handler)
        curl_io_remove(io->curl, io->easy);
    io->handler = NULL;
    curl_easy_cleanup(TAKE_PTR(io->easy)); /* cookies go with it */
    close_connection(io);                  /* and what knows *tls* */
    tls_free(TAKE_PTR(io->tls));
    free_headers(io);
    forget_credentials(io);
    forget_answer(io);
    forget_request(io);
    io->away = false;
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
    snprintf(io->uri, sizeof io->uri, "%s%s", url.path[0] == '/' ? "" : "/", url.path);
    if (!url.tls)
        return 0;
    return io->tls_config ? tls_new(&io->tls, io->tls_config, url.host) : -EPROTONOSUPPORT;
}

static int read_credentials(CwmpIo *io, const CwmpIoTarget *target) {
    forget_credentials(io);
    if (!*strempty(target->username) && !*strempty(target->password))
        return 0;
    io->username = strdup(strempty(target->username));
    io->password = strdup(strempty(target->password));
    return io->username && io->password ? 0 : -ENOMEM;
}

static int set_easy_options(CwmpIo *io, const CwmpIoTarget *target) {
    CURL *e = io->easy;
    CURLcode codes[] = {
        curl_easy_setopt(e, CURLOPT_URL, target->url),
        curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, io->tls ? "https" : "http"),
        curl_easy_setopt(e, CURLOPT_CONNECT_TO, io->connect_to),
        curl_easy_setopt(e, CURLOPT_COOKIEFILE, ""), /* the engine in memory, no file */
        curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, CURL_IO_MSEC(CWMP_IO_CONNECT_TIMEOUT)),
        curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, CURL_IO_MSEC(target->timeout ?: CWMP_IO_TIMEOUT)),
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

/* The way to *target*, on which nothing is connected yet. */
static int prepare(CwmpIo *io, const CwmpIoTarget *target) {
    if (target->address.family == AF_UNSPEC || strlen(strempty(target->interface)) >= sizeof io->interface)
        return -EINVAL;
    int r = read_url(io, target->url, &target->address);
    if (r < 0)
        return r;
    snprintf(io->interface, sizeof io->interface, "%s", strempty(target->interface));
    io->source = target->source;
    r = read_credentials(io, target);
    if (r == 0 && !(io->connect_to = curl_io_connect_to(&target->address, 0)))
        r = -ENOMEM;
    if (r == 0)
        r = curl_io_new(&io->curl, io->event, on_done, io);
    if (r == 0)
        r = set_easy_options(io, target);
    return r == 0 && io->tls ? curl_io_secure(io->easy, io->tls) : r;
}

int cwmp_io_open(CwmpIo *io, const CwmpIoTarget *target) {
    cwmp_io_close(io);
    int r = curl_io_easy(&io->easy);
    if (r == 0)
        r = prepare(io, target);
    if (r < 0)
        cwmp_io_close(io);
    return r;
}

int cwmp_io_post(CwmpIo *io, const void *body, size_t size, CwmpIoHandler handler, void *userdata) {
    if (!io->easy)
        return -ENOTCONN;
    if (io->handler)
        return -EBUSY;
    io->request = malloc(size + 1);
    if (!io->request)
        return -ENOMEM;
    memcpy(io->request, body, size);
    io->request_size = size;
    io->challenges = io->redirects = 0;
    int r = send_request(io);
    if (r < 0) {
        forget_request(io);
        return r;
    }
    io->handler = handler;
    io->userdata = userdata;
    return 0;
}

int cwmp_io_redirect(CwmpIo *io, const CwmpIoTarget *target) {
    if (!io->away)
        return -ENOTCONN;
    close_connection(io);
    Tls *before = TAKE_PTR(io->tls);
    int r = prepare(io, target);
    if (r == 0) {
        io->challenges = 0;
        r = send_request(io);
    }
    tls_free(before); /* nothing knows it any more */
    if (r == 0)
        io->away = false;
    return r;
}

void cwmp_io_redirect_fail(CwmpIo *io, int error, const char *text) {
    if (!io->away)
        return;
    io->away = false;
    deliver_error(io, error, text);
}
