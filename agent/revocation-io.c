/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See revocation-io.h. */
#include "revocation-io.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "base/bound-io.h"
#include "clock.h"
#include "curl-io.h"

typedef struct Fetch {
    RevocationIo *io;
    size_t need;
    bool open; /* no answer yet */
    unsigned hops;
    char url[URL_MAX_BYTES]; /* where it is now */
    AddressList addresses;   /* of its host */
    size_t address;
    CURL *easy;
    struct curl_slist *headers, *connect_to;
    uint8_t *body;
    size_t size, capacity, size_max, header_size;
    char why[ERROR_MAX_BYTES]; /* our reason for stopping libcurl, "" none */
    char curl_error[CURL_ERROR_SIZE];
} Fetch;

struct RevocationIo {
    RevocationIoConfig config;
    sd_event *event;
    sd_event_source *begin, *deadline;
    RevocationJob *job; /* NULL: none */
    bool dated;
    RevocationIoHandler handler;
    void *userdata;
    Resolver *resolver; /* one a job, so that no question outlives it */
    CurlIo *curl;
    size_t n_open;
    Fetch fetches[REVOCATION_NEEDS_MAX];
};

static void advance(RevocationIo *io);
static void fetch_resolve(Fetch *f);

static Moment now_for(const RevocationIo *io) {
    Moment now = clock_now();
    if (!io->dated)
        now.real = CERTIFICATE_UNDATED;
    return now;
}

static void transfer_forget(Fetch *f) {
    if (f->easy) {
        curl_io_remove(f->io->curl, f->easy);
        curl_easy_cleanup(TAKE_PTR(f->easy));
    }
    curl_slist_free_all(TAKE_PTR(f->headers));
    curl_slist_free_all(TAKE_PTR(f->connect_to));
    free(TAKE_PTR(f->body));
    f->size = f->capacity = f->header_size = 0;
    f->why[0] = f->curl_error[0] = 0;
}

/* Hands over the body, or why there is none. */
static void answer(Fetch *f, const char *error) {
    RevocationIo *io = f->io;
    uint8_t *der = error ? NULL : TAKE_PTR(f->body);
    char text[ERROR_MAX_BYTES] = "";

    if (error)
        snprintf(text, sizeof text, "%s", error); /* it may lie in what is forgotten now */
    size_t size = f->size;
    transfer_forget(f);
    f->open = false;
    io->n_open--;
    revocation_job_answer(io->job, now_for(io), f->need, der, size, text);
}

static void fetch_finish(Fetch *f, const char *error) {
    RevocationIo *io = f->io;
    answer(f, error);
    if (io->n_open == 0)
        advance(io);
}

/* bind() before libcurl connects; the routes of the uplink do the rest. */
static int bind_socket(void *userdata, curl_socket_t fd, curlsocktype purpose) {
    Fetch *f = userdata;
    const Address *source = address_list_find(&f->io->config.sources, f->addresses.items[f->address].family);

    if (!source)
        return CURL_SOCKOPT_OK;
    return bound_io_bind(fd, NULL, &(Endpoint){.address = *source}, f->why, sizeof f->why) < 0
               ? CURL_SOCKOPT_ERROR
               : CURL_SOCKOPT_OK;
}

static size_t take_body(char *data, size_t one, size_t n, void *userdata) {
    Fetch *f = userdata;

    if (n > f->size_max - f->size) {
        snprintf(f->why, sizeof f->why, "an answer of more than %zu bytes", f->size_max);
        return 0;
    }
    if (f->size + n > f->capacity) {
        size_t capacity = MAX(2 * f->capacity, f->size + n);
        capacity = MIN(capacity, f->size_max);
        uint8_t *body = realloc(f->body, capacity);
        if (!body) {
            snprintf(f->why, sizeof f->why, "out of memory");
            return 0;
        }
        f->body = body;
        f->capacity = capacity;
    }
    memcpy(f->body + f->size, data, n);
    f->size += n;
    return n;
}

static size_t take_header(char *data, size_t one, size_t n, void *userdata) {
    Fetch *f = userdata;

    f->header_size += n;
    if (f->header_size <= REVOCATION_IO_HEADERS_MAX)
        return n;
    snprintf(f->why, sizeof f->why, "header lines of more than %d bytes", REVOCATION_IO_HEADERS_MAX);
    return 0;
}

static int set_options(Fetch *f) {
    CURL *e = f->easy;
    CURLcode codes[] = {
        curl_easy_setopt(e, CURLOPT_URL, f->url),
        curl_easy_setopt(e, CURLOPT_PRIVATE, f),
        curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http"),
        curl_easy_setopt(e, CURLOPT_CONNECT_TO, f->connect_to),
        curl_easy_setopt(e, CURLOPT_HTTPHEADER, f->headers),
        curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L),
        curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L),
        curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, CURL_IO_MSEC(f->io->config.fetch_timeout)),
        curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
                         CURL_IO_MSEC(f->io->config.fetch_timeout / REVOCATION_IO_ADDRESSES)),
        curl_easy_setopt(e, CURLOPT_SOCKOPTFUNCTION, bind_socket),
        curl_easy_setopt(e, CURLOPT_SOCKOPTDATA, f),
        curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_body),
        curl_easy_setopt(e, CURLOPT_WRITEDATA, f),
        curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, take_header),
        curl_easy_setopt(e, CURLOPT_HEADERDATA, f),
        curl_easy_setopt(e, CURLOPT_ERRORBUFFER, f->curl_error),
    };
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        if (codes[i] != CURLE_OK)
            return -EINVAL;
    return 0;
}

/* The request of OCSP goes by POST (RFC 6960 A.1), through redirects as well: it changes nothing there. */
static int set_request(Fetch *f, const RevocationNeed *need) {
    static const char *const lines[] = {"Content-Type: application/ocsp-request",
                                        "Expect:", "Accept-Encoding:"};

    for (size_t i = need->request_size > 0 ? 0 : 1; i < ARRAY_SIZE(lines); i++)
        if (curl_io_header(&f->headers, lines[i]) < 0)
            return -ENOMEM;
    if (need->request_size == 0)
        return 0;
    return curl_easy_setopt(f->easy, CURLOPT_POSTFIELDSIZE, (long)need->request_size) == CURLE_OK &&
                   curl_easy_setopt(f->easy, CURLOPT_COPYPOSTFIELDS, need->request) == CURLE_OK
               ? 0
               : -ENOMEM;
}

/* Connects to the address whose turn it is, whatever the URL's host: libcurl never asks a resolver. */
static void fetch_transfer(Fetch *f) {
    const Address *address = &f->addresses.items[f->address];
    const RevocationNeed *need = revocation_job_need(f->io->job, f->need);

    transfer_forget(f);
    f->size_max = need->size_max;
    f->connect_to = curl_io_connect_to(address, f->io->config.port);
    if (!f->connect_to || curl_io_easy(&f->easy) < 0 || set_request(f, need) < 0 || set_options(f) < 0 ||
        curl_io_add(f->io->curl, f->easy) < 0)
        fetch_finish(f, "out of memory");
}

static void on_addresses(void *userdata, const ResolverAnswer *got) {
    Fetch *f = userdata;

    if (got->error != 0) {
        fetch_finish(f, got->text);
        return;
    }
    f->addresses = got->addresses;
    f->address = 0;
    fetch_transfer(f);
}

static void fetch_resolve(Fetch *f) {
    const char *why = NULL;
    Url url;

    if (url_parse(f->url, &url, &why) < 0)
        fetch_finish(f, why);
    else if (url.tls)
        fetch_finish(f, "redirected to another scheme than http");
    else if (resolver_resolve(f->io->resolver, url.host, on_addresses, f) < 0)
        fetch_finish(f, "its host cannot be resolved");
}

static void follow(Fetch *f) {
    char *to = NULL;

    curl_easy_getinfo(f->easy, CURLINFO_REDIRECT_URL, &to);
    if (!to || strlen(to) >= sizeof f->url)
        fetch_finish(f, "redirected to nowhere");
    else if (f->hops == REVOCATION_IO_REDIRECTS)
        fetch_finish(f, "redirected more than twice");
    else if (strncasecmp(to, "http://", 7) != 0)
        fetch_finish(f, "redirected to another scheme than http");
    else {
        f->hops++;
        snprintf(f->url, sizeof f->url, "%s", to);
        transfer_forget(f);
        fetch_resolve(f);
    }
}

static void on_done(void *userdata, CURL *easy, CURLcode code) {
    Fetch *f = NULL;
    long status = 0;
    curl_off_t connected = 0;
    char *type = NULL, text[128];

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&f);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
    curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connected);
    bool unreached = code == CURLE_COULDNT_CONNECT || (code == CURLE_OPERATION_TIMEDOUT && connected == 0);
    if (unreached && !f->why[0] && f->address + 1 < MIN(f->addresses.n, (size_t)REVOCATION_IO_ADDRESSES)) {
        f->address++;
        fetch_transfer(f);
    } else if (code != CURLE_OK)
        fetch_finish(f, f->why[0] ? f->why : f->curl_error[0] ? f->curl_error : curl_easy_strerror(code));
    else if (status >= 300 && status < 400)
        follow(f);
    else if (status != 200) {
        snprintf(text, sizeof text, "HTTP status %ld", status);
        fetch_finish(f, text);
    } else if (type && strncasecmp(type, "text/", 5) == 0) { /* a page of words, from a portal perhaps */
        snprintf(text, sizeof text, "an answer of type %.64s", type);
        fetch_finish(f, text);
    } else
        fetch_finish(f, f->size > 0 ? NULL : "an empty answer");
}

static void finish(RevocationIo *io, RevocationVerdict verdict, const char *text) {
    bool good = revocation_passes(revocation_job_policy(io->job), verdict);
    RevocationIoHandler handler = io->handler;
    void *userdata = io->userdata;

    revocation_io_cancel(io);
    handler(userdata, good, verdict, text);
}

/* A round of fetches is over, or none has been. */
static void advance(RevocationIo *io) {
    char text[ERROR_MAX_BYTES];
    const RevocationNeed *need;

    RevocationVerdict verdict = revocation_job_evaluate(io->job, now_for(io), text);
    if (verdict != REVOCATION_NEEDED) {
        finish(io, verdict, text);
        return;
    }
    size_t n = 0;
    for (; (need = revocation_job_need(io->job, n)); n++) {
        Fetch *f = &io->fetches[n];
        *f = (Fetch){.io = io, .need = n, .open = true};
        snprintf(f->url, sizeof f->url, "%s", need->url);
    }
    io->n_open = n + 1; /* one that fails at once must not end the round */
    for (size_t i = 0; i < n; i++)
        fetch_resolve(&io->fetches[i]);
    if (--io->n_open == 0)
        sd_event_source_set_enabled(io->begin, SD_EVENT_ONESHOT);
}

static int on_begin(sd_event_source *source, void *userdata) {
    advance(userdata);
    return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
    RevocationIo *io = userdata;
    char text[ERROR_MAX_BYTES], why[64];

    snprintf(why, sizeof why, "no answer within %" PRIu64 " s", io->config.timeout / USEC_PER_SEC);
    for (size_t i = 0; i < ARRAY_SIZE(io->fetches); i++)
        if (io->fetches[i].open)
            answer(&io->fetches[i], why);
    snprintf(why, sizeof why, "no time was left for other sources");
    revocation_job_give_up(io->job, why);
    RevocationVerdict verdict = revocation_job_evaluate(io->job, now_for(io), text);
    finish(io, verdict, text);
    return 0;
}

int revocation_io_new(RevocationIo **ret, sd_event *event, const RevocationIoConfig *config) {
    RevocationIo *io = calloc(1, sizeof *io);

    if (!io)
        return -ENOMEM;
    io->config = *config;
    io->config.timeout = config->timeout ?: REVOCATION_IO_TIMEOUT;
    io->config.fetch_timeout = config->fetch_timeout ?: REVOCATION_IO_FETCH_TIMEOUT;
    io->config.resolver.budget = config->resolver.budget ?: REVOCATION_IO_DNS_TIMEOUT;
    io->event = sd_event_ref(event);
    *ret = io;
    return 0;
}

void revocation_io_free(RevocationIo *io) {
    if (!io)
        return;
    revocation_io_cancel(io);
    sd_event_unref(io->event);
    free(io);
}

int revocation_io_start(RevocationIo *io, RevocationJob *job, bool dated, RevocationIoHandler handler,
                        void *userdata) {
    if (io->job)
        return -EBUSY;
    int r = resolver_new(&io->resolver, io->event, &io->config.resolver);
    if (r >= 0)
        r = curl_io_new(&io->curl, io->event, on_done, io);
    if (r >= 0)
        r = sd_event_add_defer(io->event, &io->begin, on_begin, io);
    if (r >= 0)
        r = sd_event_add_time_relative(io->event, &io->deadline, CLOCK_BOOTTIME, io->config.timeout,
                                       USEC_PER_MSEC, on_deadline, io);
    if (r < 0) {
        revocation_io_cancel(io);
        return r;
    }
    io->job = job;
    io->dated = dated;
    io->handler = handler;
    io->userdata = userdata;
    return 0;
}

void revocation_io_cancel(RevocationIo *io) {
    for (size_t i = 0; i < ARRAY_SIZE(io->fetches); i++)
        if (io->fetches[i].io)
            transfer_forget(&io->fetches[i]);
    memset(io->fetches, 0, sizeof io->fetches);
    io->n_open = 0;
    curl_io_free(TAKE_PTR(io->curl));
    resolver_free(TAKE_PTR(io->resolver));
    io->begin = sd_event_source_disable_unref(io->begin);
    io->deadline = sd_event_source_disable_unref(io->deadline);
    revocation_job_free(TAKE_PTR(io->job));
}
