/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See transfer-io.h. */
#include "transfer-io.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"
#include "base/url.h"
#include "curl-io.h"
#include "cwmp/fault.h"
#include "cwmp/transfer-fault.h"
#include "cwmp/transfer-record.h"
#include "spool-io.h"

#define SPACE_CHECK_BYTES (UINT64_C(1) << 20)

typedef enum Auth { AUTH_UNTRIED, AUTH_GIVEN } Auth;

typedef struct Job Job;
struct Job {
    TransferIo *io;
    Job *next;
    char id[TRANSFER_ID_BYTES];
    bool download, secure;
    CurlIo *curl;
    CURL *easy;
    Tls *tls;
    struct curl_slist *headers, *connect_to;
    sd_event_source *timer; /* until it is resumed */
    char interface[IFNAMSIZ];
    Address source;
    char *username, *password;
    usec_t started;
    int fd;
    uint64_t expected; /* bytes the HeMS said, 0: nothing */
    uint64_t size;     /* upload: of the file */
    uint64_t offset;   /* download: bytes on the disk; upload: bytes read */
    uint64_t checked;  /* download: up to here there was room */
    uint64_t furthest; /* download: as far as it ever came */
    char tag[TRANSFER_IO_TAG_MAX];
    unsigned breaks;
    Auth auth;
    TransferIoHandler handler;
    void *userdata;
    /* Of one answer. */
    bool opened;     /* the body is that of the file, and its place in it is known */
    bool ended;      /* its header, by the empty line */
    unsigned status; /* of the last header */
    bool offers_digest, offers_basic;
    uint64_t range_start, length; /* UINT64_MAX: not said */
    char new_tag[TRANSFER_IO_TAG_MAX];
    size_t header_size, error_size;
    int fault;                 /* why we stopped it ourselves; 0: we did not */
    char why[ERROR_MAX_BYTES]; /* then */
    char curl_error[CURL_ERROR_SIZE];
};

struct TransferIo {
    TransferIoConfig config;
    int directory; /* the spool's */
    Job *jobs;
};

static void job_close(Job *job) {
    if (job->easy)
        curl_io_remove(job->curl, job->easy);
    curl_easy_cleanup(TAKE_PTR(job->easy));
    curl_io_free(TAKE_PTR(job->curl)); /* and its connection, which knows *tls* */
}

static void free_secret(char *secret) {
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

static void job_free(Job *job) {
    if (!job)
        return;
    for (Job **p = &job->io->jobs; *p; p = &(*p)->next)
        if (*p == job) {
            *p = job->next;
            break;
        }
    job_close(job);
    tls_free(job->tls);
    sd_event_source_disable_unref(job->timer);
    curl_slist_free_all(job->headers);
    curl_slist_free_all(job->connect_to);
    if (job->fd >= 0)
        close(job->fd);
    free_secret(job->username);
    free_secret(job->password);
    free(job);
}
DEFINE_CLEANUP(Job, job_free)

static Job *find(TransferIo *io, const char *id) {
    for (Job *job = io->jobs; job; job = job->next)
        if (streq(job->id, id))
            return job;
    return NULL;
}

int transfer_io_new(TransferIo **ret, const TransferIoConfig *config) {
    _cleanup_(transfer_io_freep) TransferIo *io = calloc(1, sizeof *io);

    if (!io)
        return -ENOMEM;
    io->config = *config;
    io->config.event = sd_event_ref(config->event);
    io->config.size_max = config->size_max ?: TRANSFER_IO_SIZE_MAX;
    io->config.reserve = config->reserve ?: TRANSFER_IO_RESERVE;
    io->config.stall_timeout = config->stall_timeout ?: TRANSFER_IO_STALL_TIMEOUT;
    io->config.resume_wait = config->resume_wait ?: TRANSFER_IO_RESUME_WAIT;
    io->directory = spool_directory(config->spool);
    *ret = TAKE_PTR(io);
    return 0;
}

void transfer_io_free(TransferIo *io) {
    if (!io)
        return;
    while (io->jobs)
        job_free(io->jobs);
    sd_event_unref(io->config.event);
    free(io);
}

/* Our own end of a transfer, by which libcurl is stopped. */
static void give_up(Job *job, int fault, const char *format, ...) _printf_(3, 4);
static void give_up(Job *job, int fault, const char *format, ...) {
    va_list args;

    if (job->fault)
        return;
    job->fault = fault;
    va_start(args, format);
    vsnprintf(job->why, sizeof job->why, format, args);
    va_end(args);
}

static int bind_socket(void *userdata, curl_socket_t fd, curlsocktype purpose) {
    Job *job = userdata;
    struct sockaddr_storage address;

    if (job->interface[0] && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, job->interface,
                                        (socklen_t)strlen(job->interface) + 1) < 0) {
        give_up(job, FAULT_SERVER_UNREACHABLE, "cannot bind to interface %s: %s", job->interface,
                strerror(errno));
        return CURL_SOCKOPT_ERROR;
    }
    if (job->source.family == AF_UNSPEC)
        return CURL_SOCKOPT_OK;
    socklen_t size = endpoint_to_sockaddr(&(Endpoint){.address = job->source}, &address);
    if (bind(fd, (struct sockaddr *)&address, size) < 0) {
        give_up(job, FAULT_SERVER_UNREACHABLE, "cannot bind to %s: %s", ADDRESS_STR(&job->source),
                strerror(errno));
        return CURL_SOCKOPT_ERROR;
    }
    return CURL_SOCKOPT_OK;
}

/* Is there room for *bytes* more? */
static bool has_room(Job *job, uint64_t bytes) {
    struct statvfs fs;

    if (fstatvfs(job->io->directory, &fs) < 0)
        return true; /* writing will tell */
    uint64_t available = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (available >= bytes && available - bytes >= job->io->config.reserve)
        return true;
    give_up(job, FAULT_TRANSFER_FAILED, "%llu bytes are free, and %llu would have to be",
            (unsigned long long)available, (unsigned long long)(bytes + job->io->config.reserve));
    return false;
}

static bool is_within_limits(Job *job, uint64_t total) {
    if (job->expected && total > job->expected) {
        give_up(job, FAULT_FILE_CORRUPTED, "a file of more than the %llu bytes expected",
                (unsigned long long)job->expected);
        return false;
    }
    if (total > job->io->config.size_max) {
        give_up(job, FAULT_TRANSFER_FAILED, "a file of more than %llu bytes",
                (unsigned long long)job->io->config.size_max);
        return false;
    }
    return true;
}

static void save_tag(Job *job) {
    const char *name = SPOOL_NAME(job->id, "tag");
    size_t n = strlen(job->new_tag);

    strcpy(job->tag, job->new_tag);
    if (n == 0) {
        (void)unlinkat(job->io->directory, name, 0);
        return;
    }
    int fd = openat(job->io->directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return;
    if (write(fd, job->tag, n) != (ssize_t)n) /* it cannot be resumed after a restart, then */
        (void)unlinkat(job->io->directory, name, 0);
    close(fd);
}

static void load_tag(Job *job) {
    int fd = openat(job->io->directory, SPOOL_NAME(job->id, "tag"), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    ssize_t n = read(fd, job->tag, sizeof job->tag - 1);
    job->tag[n > 0 ? n : 0] = 0;
    close(fd);
}

static bool start_over(Job *job) {
    job->offset = job->checked = 0;
    if (ftruncate(job->fd, 0) == 0)
        return true;
    give_up(job, FAULT_TRANSFER_FAILED, "cannot write: %s", strerror(errno));
    return false;
}

/* The first byte of the body: where does it belong, and is there room for the rest? */
static bool open_body(Job *job) {
    job->opened = true;
    if (job->status == 206) {
        if (job->range_start != job->offset) {
            give_up(job, FAULT_FILE_INCOMPLETE, "an answer with another part than the one asked for");
            return false;
        }
    } else if (job->offset > 0 && !start_over(job)) { /* 200: all of it, perhaps of another file */
        return false;
    }
    save_tag(job);
    uint64_t rest = job->length != UINT64_MAX ? job->length
                    : job->expected           ? job->expected - MIN(job->expected, job->offset)
                                              : 0;
    return rest <= UINT64_MAX - job->offset && is_within_limits(job, job->offset + rest) &&
           has_room(job, rest);
}

static size_t take_body(char *data, size_t one, size_t n, void *userdata) {
    Job *job = userdata;

    if (!job->download || (job->status != 200 && job->status != 206)) {
        job->error_size += MIN(n, (size_t)TRANSFER_IO_ERROR_BODY_MAX);
        return job->error_size > TRANSFER_IO_ERROR_BODY_MAX ? 0 : n;
    }
    if (!job->opened && !open_body(job))
        return 0;
    if (!is_within_limits(job, job->offset + n))
        return 0;
    if (job->offset + n >= job->checked + SPACE_CHECK_BYTES) {
        job->checked = job->offset;
        if (!has_room(job, n))
            return 0;
    }
    for (size_t done = 0; done < n;) {
        ssize_t written = pwrite(job->fd, data + done, n - done, (off_t)job->offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            give_up(job, FAULT_TRANSFER_FAILED, "cannot write: %s", strerror(written < 0 ? errno : EIO));
            return 0;
        }
        done += (size_t)written;
        job->offset += (uint64_t)written;
    }
    if (job->offset >
        job->furthest) { /* a server that breaks off at the same place for ever is no progress */
        job->furthest = job->offset;
        job->breaks = 0;
    }
    return n;
}

/* The value of a header line of this name, without the white space around it; NULL: another line. */
static const char *header_value(const char *line, size_t n, const char *name, size_t *ret) {
    size_t size = strlen(name);

    if (n <= size || line[size] != ':' || strncasecmp(line, name, size) != 0)
        return NULL;
    line += size + 1;
    n -= size + 1;
    while (n > 0 && (*line == ' ' || *line == '\t')) {
        line++;
        n--;
    }
    while (n > 0 && strchr(" \t\r\n", line[n - 1]))
        n--;
    *ret = n;
    return line;
}

static uint64_t read_number(const char *s, size_t n, size_t *ret) {
    uint64_t v = 0;
    size_t i = 0;
    for (; i < n && s[i] >= '0' && s[i] <= '9' && v < UINT64_C(1) << 56; i++)
        v = v * 10 + (uint64_t)(s[i] - '0');
    *ret = i;
    return i > 0 ? v : UINT64_MAX;
}

static void new_header(Job *job, const char *line, size_t n) {
    job->status = n >= 12 ? (unsigned)strtoul(line + 9, NULL, 10) : 0;
    job->range_start = job->length = UINT64_MAX;
    job->new_tag[0] = 0;
    job->offers_digest = job->offers_basic = job->ended = false;
}

static void read_header(Job *job, const char *line, size_t n) {
    size_t size, digits;
    const char *v;

    if ((v = header_value(line, n, "Content-Length", &size)))
        job->length = read_number(v, size, &digits);
    if ((v = header_value(line, n, "Content-Range", &size)) && size > 6 && strncasecmp(v, "bytes ", 6) == 0)
        job->range_start = read_number(v + 6, size - 6, &digits);
    /* Only a strong validator can put two parts together (RFC 9110 13.1.5). */
    if ((v = header_value(line, n, "ETag", &size)) && size >= 2 && size < sizeof job->new_tag &&
        v[0] == '"') {
        memcpy(job->new_tag, v, size);
        job->new_tag[size] = 0;
    }
    if ((v = header_value(line, n, "WWW-Authenticate", &size))) {
        job->offers_digest |= size >= 7 && strncasecmp(v, "Digest ", 7) == 0;
        job->offers_basic |= size >= 5 && strncasecmp(v, "Basic", 5) == 0;
    }
}

static size_t take_header(char *data, size_t one, size_t n, void *userdata) {
    Job *job = userdata;

    if (n > TRANSFER_IO_HEADERS_MAX - job->header_size) {
        give_up(job, FAULT_TRANSFER_FAILED, "header lines of more than %d bytes", TRANSFER_IO_HEADERS_MAX);
        return 0;
    }
    job->header_size += n;
    if (n > 5 && memcmp(data, "HTTP/", 5) == 0)
        new_header(job, data, n);
    else if (n <= 2)
        job->ended = true;
    else if (!job->ended)
        read_header(job, data, n);
    return n;
}

static size_t give_body(char *buffer, size_t one, size_t n, void *userdata) {
    Job *job = userdata;
    ssize_t got = pread(job->fd, buffer, n, (off_t)job->offset);
    if (got < 0) {
        give_up(job, FAULT_UPLOAD_FAILED, "cannot read: %s", strerror(errno));
        return CURL_READFUNC_ABORT;
    }
    job->offset += (uint64_t)got;
    return (size_t)got;
}

static int seek_body(void *userdata, curl_off_t offset, int origin) {
    Job *job = userdata;
    if (origin != SEEK_SET || offset < 0)
        return CURL_SEEKFUNC_FAIL;
    job->offset = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* TR-069 A.5.1. */
static const struct {
    CURLcode code;
    int download, upload;
    bool breaks; /* the connection broke: a download may go on from there */
} curl_faults[] = {
    {CURLE_COULDNT_CONNECT, FAULT_SERVER_UNREACHABLE, FAULT_SERVER_UNREACHABLE, true},
    {CURLE_OPERATION_TIMEDOUT, FAULT_SERVER_UNREACHABLE, FAULT_SERVER_UNREACHABLE, true},
    {CURLE_PARTIAL_FILE, FAULT_FILE_INCOMPLETE, FAULT_UPLOAD_FAILED, true},
    {CURLE_RECV_ERROR, FAULT_FILE_INCOMPLETE, FAULT_UPLOAD_FAILED, true},
    {CURLE_SEND_ERROR, FAULT_FILE_INCOMPLETE, FAULT_UPLOAD_FAILED, true},
    {CURLE_GOT_NOTHING, FAULT_FILE_INCOMPLETE, FAULT_UPLOAD_FAILED, true},
    {CURLE_SSL_CONNECT_ERROR, FAULT_SERVER_UNREACHABLE, FAULT_SERVER_UNREACHABLE, false},
    {CURLE_PEER_FAILED_VERIFICATION, FAULT_SERVER_AUTHENTICATION, FAULT_SERVER_AUTHENTICATION, false},
    {CURLE_UNSUPPORTED_PROTOCOL, FAULT_PROTOCOL_NOT_SUPPORTED, FAULT_PROTOCOL_NOT_SUPPORTED, false},
};

static int fault_of_curl(CURLcode code, bool download, bool *ret_breaks) {
    for (size_t i = 0; i < ARRAY_SIZE(curl_faults); i++)
        if (curl_faults[i].code == code) {
            *ret_breaks = curl_faults[i].breaks;
            return download ? curl_faults[i].download : curl_faults[i].upload;
        }
    *ret_breaks = false;
    return transfer_fault_general(download);
}

int transfer_io_fault(int error, bool download) {
    switch (-error) {
    case EPROTONOSUPPORT:
        return FAULT_PROTOCOL_NOT_SUPPORTED;
    case EINVAL:
    case ENETUNREACH:
    case EHOSTUNREACH:
        return FAULT_SERVER_UNREACHABLE;
    default:
        return transfer_fault_general(download);
    }
}

/* Tells, and is gone. */
static void finish(Job *job, int fault, const char *text) {
    TransferIoHandler handler = job->handler;
    void *userdata = job->userdata;
    char id[TRANSFER_ID_BYTES], line[ERROR_MAX_BYTES];
    uint64_t size = job->download ? job->offset : job->size;

    strcpy(id, job->id);
    snprintf(line, sizeof line, "%s", text);
    job_free(job);
    handler(userdata, id, fault, line, size);
}

static int whole(Job *job) {
    TransferIo *io = job->io;

    if (job->expected && job->offset != job->expected) {
        give_up(job, FAULT_FILE_CORRUPTED, "a file of %llu bytes, and not the %llu expected",
                (unsigned long long)job->offset, (unsigned long long)job->expected);
        return -EINVAL;
    }
    if (fsync(job->fd) < 0 ||
        renameat(io->directory, SPOOL_NAME(job->id, "part"), io->directory, SPOOL_NAME(job->id, "file")) <
            0 ||
        fsync(io->directory) < 0) {
        give_up(job, FAULT_TRANSFER_FAILED, "cannot write: %s", strerror(errno));
        return -errno;
    }
    (void)unlinkat(io->directory, SPOOL_NAME(job->id, "tag"), 0);
    return 0;
}

static int job_begin(Job *job);

static int on_resume(sd_event_source *source, uint64_t usec, void *userdata) {
    Job *job = userdata;
    job->timer = sd_event_source_disable_unref(job->timer);
    int r = job_begin(job);
    if (r < 0)
        finish(job, transfer_fault_general(job->download), strerror(-r));
    return 0;
}

static usec_t boottime(const Job *job) {
    uint64_t now = 0;
    (void)sd_event_now(job->io->config.event, CLOCK_BOOTTIME, &now);
    return now;
}

/* Another connection, later. */
static bool go_on(Job *job) {
    if (job->breaks++ >= TRANSFER_IO_BREAKS_MAX || boottime(job) - job->started > TRANSFER_IO_TIMEOUT)
        return false;
    return sd_event_add_time_relative(job->io->config.event, &job->timer, CLOCK_BOOTTIME,
                                      job->io->config.resume_wait << MIN(job->breaks - 1, 4u), 0, on_resume,
                                      job) >= 0;
}

/* A 401 says what the server takes. Not before that: libcurl would first try a PUT without its body, which a
 * server that asks for nothing would take for the file. A password is never shown to who reads along. */
static bool answer_challenge(Job *job) {
    if (job->status != 401 || job->auth == AUTH_GIVEN || !job->username)
        return false;
    long method = job->offers_digest                 ? (long)CURLAUTH_DIGEST
                  : job->offers_basic && job->secure ? (long)CURLAUTH_BASIC
                                                     : 0;
    if (method == 0)
        return false;
    job->auth = AUTH_GIVEN;
    return curl_easy_setopt(job->easy, CURLOPT_HTTPAUTH, method) == CURLE_OK &&
           curl_easy_setopt(job->easy, CURLOPT_USERNAME, job->username) == CURLE_OK &&
           curl_easy_setopt(job->easy, CURLOPT_PASSWORD, strempty(job->password)) == CURLE_OK;
}

static void forget_answer(Job *job) {
    job->opened = job->ended = job->offers_digest = job->offers_basic = false;
    job->status = 0;
    job->header_size = job->error_size = 0;
    job->curl_error[0] = 0;
    job->range_start = job->length = UINT64_MAX;
    job->new_tag[0] = 0;
    if (!job->download)
        job->offset = 0;
}

static bool is_success(const Job *job) {
    return job->download ? job->status == 200 || job->status == 206 : job->status >= 200 && job->status < 300;
}

static void on_done(void *userdata, CURL *easy, CURLcode code) {
    Job *job = userdata;
    char text[ERROR_MAX_BYTES];
    bool breaks = false;

    if (job->fault) {
        finish(job, job->fault, job->why);
        return;
    }
    /* Closed within the header is to libcurl an answer without a body. */
    if (code == CURLE_OK && !job->ended)
        code = CURLE_GOT_NOTHING;
    if (code == CURLE_OK && is_success(job)) {
        /* An empty file has no first byte that would have emptied what was there. */
        if (job->download && !job->opened)
            (void)open_body(job);
        if (!job->fault && job->download)
            (void)whole(job);
        finish(job, job->fault, job->why);
        return;
    }
    if (code == CURLE_OK && answer_challenge(job)) {
        forget_answer(job);
        if (curl_io_add(job->curl, job->easy) == 0)
            return;
    }
    /* What was there was all, or another file's: once more from the start. */
    if (code == CURLE_OK && job->status == 416 && job->offset > 0 && start_over(job) && go_on(job))
        return;
    if (code == CURLE_OK) {
        snprintf(text, sizeof text, "HTTP %u", job->status);
        finish(job, transfer_fault_of_status(job->status, job->download), text);
        return;
    }
    int fault = fault_of_curl(code, job->download, &breaks);
    const char *refusal = job->tls ? tls_refusal(job->tls) : "";
    if (*refusal) {
        fault = FAULT_SERVER_AUTHENTICATION;
        breaks = false;
    }
    snprintf(text, sizeof text, "%s",
             *refusal             ? refusal
             : job->curl_error[0] ? job->curl_error
                                  : curl_easy_strerror(code));
    if (job->download && breaks && go_on(job)) {
        log_info("the download %s broke off at %llu bytes: %s", job->id, (unsigned long long)job->offset,
                 text);
        return;
    }
    finish(job, fault, text);
}

static int add_header(Job *job, const char *line) {
    struct curl_slist *list = curl_slist_append(job->headers, line);
    if (!list)
        return -ENOMEM;
    job->headers = list;
    return 0;
}

/* Without a validator nobody knows that it is still the same file. */
static int make_headers(Job *job) {
    char line[TRANSFER_IO_TAG_MAX + 64];

    curl_slist_free_all(TAKE_PTR(job->headers));
    int r = add_header(job, "Expect:");
    if (r == 0)
        r = add_header(job, "Accept-Encoding:");
    if (r == 0 && !job->download)
        r = add_header(job, "Content-Type: application/octet-stream");
    if (r < 0 || !job->download || job->offset == 0)
        return r;
    if (!job->tag[0])
        return start_over(job) ? 0 : -EIO;
    snprintf(line, sizeof line, "Range: bytes=%llu-", (unsigned long long)job->offset);
    r = add_header(job, line);
    snprintf(line, sizeof line, "If-Range: %s", job->tag);
    return r < 0 ? r : add_header(job, line);
}

#define MSEC(usec) ((long)((usec) / USEC_PER_MSEC))

/* Gives the handle its headers and starts it. */
static int job_begin(Job *job) {
    int r = make_headers(job);
    if (r < 0)
        return r;
    forget_answer(job);
    if (curl_easy_setopt(job->easy, CURLOPT_HTTPHEADER, job->headers) != CURLE_OK)
        return -ENOMEM;
    return curl_io_add(job->curl, job->easy);
}

static int set_options(Job *job, const char *url) {
    CURL *e = job->easy;
    const TransferIoConfig *config = &job->io->config;
    CURLcode codes[] = {
        curl_easy_setopt(e, CURLOPT_URL, url),
        curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, job->secure ? "https" : "http"),
        curl_easy_setopt(e, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L),
        curl_easy_setopt(e, CURLOPT_CONNECT_TO, job->connect_to),
        curl_easy_setopt(e, CURLOPT_PROXY, ""),
        curl_easy_setopt(e, CURLOPT_NOPROXY, "*"),
        curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L),
        curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED),
        curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_NONE),
        curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1),
        curl_easy_setopt(e, CURLOPT_HTTP09_ALLOWED, 0L),
        curl_easy_setopt(e, CURLOPT_USERAGENT, "henb-agentd/" VERSION),
        curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L),
        curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L), /* none may outlive *tls* */
        curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, MSEC(TRANSFER_IO_CONNECT_TIMEOUT)),
        curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, MSEC(TRANSFER_IO_TIMEOUT)),
        curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L),
        curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, (long)(config->stall_timeout / USEC_PER_SEC)),
        curl_easy_setopt(e, CURLOPT_SOCKOPTFUNCTION, bind_socket),
        curl_easy_setopt(e, CURLOPT_SOCKOPTDATA, job),
        curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_body),
        curl_easy_setopt(e, CURLOPT_WRITEDATA, job),
        curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, take_header),
        curl_easy_setopt(e, CURLOPT_HEADERDATA, job),
        curl_easy_setopt(e, CURLOPT_ERRORBUFFER, job->curl_error),
    };
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        if (codes[i] != CURLE_OK)
            return codes[i] == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
    return 0;
}

static int set_upload_options(Job *job) {
    CURL *e = job->easy;
    CURLcode codes[] = {
        curl_easy_setopt(e, CURLOPT_UPLOAD, 1L),
        curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)job->size),
        curl_easy_setopt(e, CURLOPT_READFUNCTION, give_body),
        curl_easy_setopt(e, CURLOPT_READDATA, job),
        curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, seek_body),
        curl_easy_setopt(e, CURLOPT_SEEKDATA, job),
    };
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        if (codes[i] != CURLE_OK)
            return -ENOMEM;
    return 0;
}

static CURLcode set_up_tls(CURL *easy, void *ssl_ctx, void *userdata) {
    return tls_set_up(userdata, ssl_ctx) < 0 ? CURLE_SSL_CERTPROBLEM : CURLE_OK;
}

static int set_tls_options(Job *job) {
    CURL *e = job->easy;
    CURLcode codes[] = {
        curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2),
        curl_easy_setopt(e, CURLOPT_CAINFO, NULL),
        curl_easy_setopt(e, CURLOPT_CAPATH, NULL),
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L),
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L),
        curl_easy_setopt(e, CURLOPT_SSL_SESSIONID_CACHE, 0L),
        curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, set_up_tls),
        curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, job->tls),
    };
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        if (codes[i] != CURLE_OK)
            return codes[i] == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EPROTONOSUPPORT;
    return 0;
}

static int read_target(Job *job, const TransferIoTarget *target) {
    char to[ADDRESS_STR_MAX + 8];
    Address literal;
    Url url;

    int r = url_parse(target->url, &url, NULL);
    if (r < 0)
        return r;
    if (target->address.family == AF_UNSPEC || strlen(strempty(target->interface)) >= sizeof job->interface ||
        (address_parse(url.host, &literal) == 0 && !address_equal(&literal, &target->address)))
        return -EINVAL;
    job->secure = url.tls;
    strcpy(job->interface, strempty(target->interface));
    job->source = target->source;
    if (*strempty(target->username)) {
        job->username = strdup(target->username);
        job->password = strdup(strempty(target->password));
        if (!job->username || !job->password)
            return -ENOMEM;
    }
    snprintf(to, sizeof to,
             target->address.family == AF_INET6 ? "::[%s]:" : "::%s:", ADDRESS_STR(&target->address));
    job->connect_to = curl_slist_append(NULL, to);
    if (!job->connect_to)
        return -ENOMEM;
    if (!url.tls)
        return 0;
    return job->io->config.tls ? tls_new(&job->tls, job->io->config.tls, url.host) : -EPROTONOSUPPORT;
}

static int job_new(Job **ret, TransferIo *io, const char *id, const TransferIoTarget *target, bool download,
                   TransferIoHandler handler, void *userdata) {
    if (!transfer_id_is_valid(id))
        return -EINVAL;
    if (find(io, id))
        return -EBUSY;
    _cleanup_(job_freep) Job *job = calloc(1, sizeof *job);
    if (!job)
        return -ENOMEM;
    job->io = io;
    job->fd = -EBADF;
    strcpy(job->id, id);
    job->download = download;
    job->handler = handler;
    job->userdata = userdata;
    job->started = boottime(job);
    int r = read_target(job, target);
    if (r < 0)
        return r;
    r = curl_io_new(&job->curl, io->config.event, on_done, job);
    if (r < 0)
        return r;
    job->easy = curl_easy_init();
    r = job->easy ? set_options(job, target->url) : -ENOMEM;
    if (r == 0 && job->tls)
        r = set_tls_options(job);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(job);
    return 0;
}

/* From now on it is one of those that move; a failure is told by the return value. */
static int job_start(Job *job) {
    job->next = job->io->jobs;
    job->io->jobs = job;
    int r = job_begin(job);
    if (r < 0)
        job_free(job);
    return r;
}

int transfer_io_fetch(TransferIo *io, const char *id, const TransferIoTarget *target, uint64_t size,
                      bool resume, TransferIoHandler handler, void *userdata) {
    _cleanup_(job_freep) Job *job = NULL;
    struct stat st;

    int r = job_new(&job, io, id, target, true, handler, userdata);
    if (r < 0)
        return r;
    job->expected = size;
    job->fd = openat(io->directory, SPOOL_NAME(id, "part"),
                     O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (resume ? 0 : O_TRUNC), 0600);
    if (job->fd < 0 || fstat(job->fd, &st) < 0)
        return -errno;
    if (resume && st.st_size > 0) {
        load_tag(job);
        job->offset = job->checked = (uint64_t)st.st_size;
    }
    return job_start(TAKE_PTR(job));
}

int transfer_io_send(TransferIo *io, const char *id, const TransferIoTarget *target,
                     TransferIoHandler handler, void *userdata) {
    _cleanup_(job_freep) Job *job = NULL;
    struct stat st;

    int r = job_new(&job, io, id, target, false, handler, userdata);
    if (r < 0)
        return r;
    job->fd = openat(io->directory, SPOOL_NAME(id, "file"), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (job->fd < 0 || fstat(job->fd, &st) < 0)
        return -errno;
    job->size = (uint64_t)st.st_size;
    r = set_upload_options(job);
    return r < 0 ? r : job_start(TAKE_PTR(job));
}

void transfer_io_stop(TransferIo *io, const char *id) {
    job_free(find(io, id));
}
