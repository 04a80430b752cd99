/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See resolve-io.h. The DNS queries of TS 32.593 clause 5.1 (RFC 1035, RFC 3596). c-ares does the protocol,
 * one channel a question: it reads resolv.conf when it is made, and nothing of one question outlives it. */
#include "discovery/resolve-io.h"

#include <ares.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/bound-io.h"
#include "status.h"

/* RFC 1035 3.2.2, 3.2.4 and 4.2.1, RFC 3596 2.1. */
#define DNS_TYPE_A    1
#define DNS_TYPE_AAAA 28
#define DNS_CLASS_IN  1
#define DNS_PORT      53

typedef struct Question Question;
typedef struct Record Record;

/* A socket of c-ares while c-ares wants it watched. */
typedef struct Socket {
    struct Socket *next;
    Question *question;
    int fd;
    sd_event_source *source;
} Socket;

/* What a question asks for each family. */
typedef struct RecordType {
    int family;
    int number;
    int (*parse)(Record *record, const unsigned char *reply, int size);
} RecordType;

struct Record {
    Question *question;
    const RecordType *type;
    bool done;
    int status; /* ARES_* */
    AddressList addresses;
    usec_t ttl;
};

#define RECORD_TYPES 2

struct Question {
    Question *next;
    Resolver *resolver;
    char name[HOST_MAX_BYTES];
    ResolverHandler handler;
    void *userdata;
    Address literal; /* AF_UNSPEC unless *name* is one */
    ares_channel channel;
    bool closing; /* c-ares' last callbacks are not answers */
    Socket *sockets;
    sd_event_source *timer, *deliver;
    usec_t deadline; /* CLOCK_MONOTONIC, which c-ares' time-outs count on too */
    Record records[RECORD_TYPES];
    int bind_error;
    int server_failure; /* ARES_*: the latest refusal of a server */
};

struct Resolver {
    sd_event *event;
    ResolverConfig config;
    char interface[IFNAMSIZ];
    char *resolv_conf;
    Question *questions;
};

/* An address nobody can be reached at is no address of the name. */
static void record_add(Record *record, const void *bytes, int ttl) {
    const Address a = address_from_bytes(record->type->family, bytes);

    if (!address_is_unicast(&a) || record->addresses.n == ADDRESSES_MAX)
        return;
    record->addresses.items[record->addresses.n++] = a;
    /* RFC 2181 8: a TTL with the top bit set is taken for zero. */
    const usec_t lifetime = ttl > 0 ? (usec_t)ttl * USEC_PER_SEC : 0;
    record->ttl = MIN(record->ttl, lifetime);
}

/* Both parsers follow the chain of CNAMEs in the answer and count the TTLs in it. */
static int parse_a(Record *record, const unsigned char *reply, int size) {
    struct ares_addrttl found[ADDRESSES_MAX];
    int n = ARRAY_SIZE(found), status = ares_parse_a_reply(reply, size, NULL, found, &n);

    for (int i = 0; status == ARES_SUCCESS && i < n; i++)
        record_add(record, &found[i].ipaddr, found[i].ttl);
    return status == ARES_SUCCESS && n == 0 ? ARES_ENODATA : status;
}

static int parse_aaaa(Record *record, const unsigned char *reply, int size) {
    struct ares_addr6ttl found[ADDRESSES_MAX];
    int n = ARRAY_SIZE(found), status = ares_parse_aaaa_reply(reply, size, NULL, found, &n);

    for (int i = 0; status == ARES_SUCCESS && i < n; i++)
        record_add(record, &found[i].ip6addr, found[i].ttl);
    return status == ARES_SUCCESS && n == 0 ? ARES_ENODATA : status;
}

/* Addresses are tried by turns, IPv4 first: a path that is dead shows itself to IKE only by time-outs of half
 * a minute, IPv4 is the family every access line has, and by turns the second try is of the other one. */
static const RecordType record_types[RECORD_TYPES] = {
    {AF_INET, DNS_TYPE_A, parse_a},
    {AF_INET6, DNS_TYPE_AAAA, parse_aaaa},
};

/* How a question without any address failed. When A and AAAA failed differently, the one further up counts:
 * NXDOMAIN speaks for all types, "no address" for its own only. A server that cannot be reached is one that
 * does not answer: both questions share c-ares' socket, and which of them sees the ICMP error is chance. */
static const struct {
    int status, error;
    const char *words;
} failures[] = {
    {ARES_ENOTFOUND, -ENXIO, "the name does not exist (NXDOMAIN)"},
    {ARES_EBADNAME, -EINVAL, "not a name that DNS can be asked for"},
    {ARES_ENOMEM, -ENOMEM, "out of memory"},
    {ARES_ESERVFAIL, -EAGAIN, "the server failed (SERVFAIL)"},
    {ARES_EREFUSED, -EAGAIN, "the server refused (REFUSED)"},
    {ARES_ENOTIMP, -EAGAIN, "the server does not answer such questions (NOTIMP)"},
    {ARES_EFORMERR, -EAGAIN, "the server did not understand (FORMERR)"},
    {ARES_EBADRESP, -EBADMSG, "an answer that cannot be read"},
    {ARES_ETIMEOUT, -ETIMEDOUT, "no server answered"},
    {ARES_ECANCELLED, -ETIMEDOUT, "no server answered"},
    {ARES_ECONNREFUSED, -ETIMEDOUT, "no server answered"},
    {ARES_ENODATA, -ENXIO, "the name has no address"},
    {ARES_SUCCESS, -ENXIO, "the name has no address that can be used"},
};

static usec_t question_now(const Question *q) {
    uint64_t now = 0;
    sd_event_now(q->resolver->event, CLOCK_MONOTONIC, &now);
    return now;
}

static void question_free(Question *q) {
    q->closing = true;
    if (q->channel)
        ares_destroy(q->channel); /* ends with socket_state() for each socket */
    assert(!q->sockets);
    sd_event_source_disable_unref(q->timer);
    sd_event_source_disable_unref(q->deliver);
    free(q);
}
DEFINE_CLEANUP(Question, question_free)

static void question_unlink(Question *q) {
    Question **p = &q->resolver->questions;

    while (*p != q)
        p = &(*p)->next;
    *p = q->next;
}

/* Sets the timer to what comes first: c-ares' next time-out or the end of the question. */
static void question_arm(Question *q) {
    struct timeval tv;
    usec_t now = question_now(q), next = q->deadline;

    if (ares_timeout(q->channel, NULL, &tv))
        next = MIN(next, now + (usec_t)tv.tv_sec * USEC_PER_SEC + (usec_t)tv.tv_usec);
    sd_event_source_set_time(q->timer, next);
    sd_event_source_set_enabled(q->timer, SD_EVENT_ONESHOT);
}

static int on_socket(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    Question *q = ((Socket *)userdata)->question; /* the Socket may go while c-ares works */
    const bool readable = events & (EPOLLIN | EPOLLHUP | EPOLLERR);

    ares_process_fd(q->channel, readable ? fd : ARES_SOCKET_BAD, events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
    question_arm(q);
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Question *q = userdata;

    if (question_now(q) >= q->deadline)
        ares_cancel(q->channel);
    else {
        ares_process_fd(q->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
        question_arm(q);
    }
    return 0;
}

static int socket_watch(Question *q, int fd, uint32_t events) {
    _cleanup_free_ Socket *s = calloc(1, sizeof *s);

    if (!s)
        return -ENOMEM;
    *s = (Socket){.question = q, .fd = fd, .next = q->sockets};
    int r = sd_event_add_io(q->resolver->event, &s->source, fd, events, on_socket, s);
    if (r < 0)
        return r;
    q->sockets = TAKE_PTR(s);
    return 0;
}

/* c-ares opens a socket, wants something else of it, or is about to close it (nothing wanted). A socket that
 * cannot be watched makes a question that is not answered: its deadline ends it. */
static void socket_state(void *userdata, int fd, int readable, int writable) {
    Question *q = userdata;
    const uint32_t events = (readable ? (uint32_t)EPOLLIN : 0) | (writable ? (uint32_t)EPOLLOUT : 0);
    Socket **p = &q->sockets;

    while (*p && (*p)->fd != fd)
        p = &(*p)->next;
    if (*p && events)
        sd_event_source_set_io_events((*p)->source, events);
    else if (*p) {
        _cleanup_free_ Socket *gone = *p;
        *p = gone->next;
        sd_event_source_disable_unref(gone->source);
    } else if (events)
        socket_watch(q, fd, events);
}

static int socket_bind(const Resolver *resolver, int fd) {
    char why[ERROR_MAX_BYTES]; /* question_explain() says more */
    socklen_t size = sizeof(int);
    int family;

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) < 0)
        return -errno;
    const Address *source = address_list_find(&resolver->config.sources, family);
    if (!source)
        return -EAFNOSUPPORT;
    return bound_io_bind(fd, resolver->interface, &(Endpoint){.address = *source}, why, sizeof why);
}

/* c-ares' sockets are made, bound and read here. There is no moment at which one of the tunnel side exists
 * without its bind (ares_set_local_dev() asks outside the tunnel when that fails). */
static int socket_open(int family, int type, int protocol, void *userdata) {
    Question *q = userdata;
    int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);

    if (fd < 0 || !*q->resolver->interface)
        return fd;
    int r = socket_bind(q->resolver, fd);
    if (r == 0)
        return fd;
    q->bind_error = r;
    close(fd);
    errno = -r;
    return -1;
}

static int socket_close(int fd, void *userdata) {
    return close(fd);
}

static int socket_connect(int fd, const struct sockaddr *sa, socklen_t size, void *userdata) {
    return connect(fd, sa, size);
}

/* c-ares goes to the next server when one answers with a failure of its own, and after the last one only says
 * that none was left; what they said is noted here. RFC 1035 4.1.1: RCODE is the low half of the fourth byte.
 */
static ssize_t socket_receive(int fd, void *data, size_t size, int flags, struct sockaddr *from,
                              socklen_t *from_size, void *userdata) {
    static const int statuses[16] = {[2] = ARES_ESERVFAIL, [4] = ARES_ENOTIMP, [5] = ARES_EREFUSED};
    Question *q = userdata;
    ssize_t n = recvfrom(fd, data, size, flags, from, from_size);

    if (from && n > 3 && statuses[((uint8_t *)data)[3] & 0x0f]) /* a datagram; TCP comes in pieces */
        q->server_failure = statuses[((uint8_t *)data)[3] & 0x0f];
    return n;
}

static ssize_t socket_send(int fd, const struct iovec *iov, int n, void *userdata) {
    const struct msghdr message = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n};
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static const struct ares_socket_functions socket_functions = {
    .asocket = socket_open,
    .aclose = socket_close,
    .aconnect = socket_connect,
    .arecvfrom = socket_receive,
    .asendv = socket_send,
};

static bool question_done(const Question *q) {
    for (size_t i = 0; i < RECORD_TYPES; i++)
        if (!q->records[i].done)
            return false;
    return true;
}

static void on_record(void *userdata, int status, int timeouts, unsigned char *reply, int size) {
    Record *record = userdata;
    Question *q = record->question;

    if (q->closing)
        return;
    record->done = true;
    record->status = status == ARES_SUCCESS ? record->type->parse(record, reply, size) : status;
    if (q->server_failure && (status == ARES_ECONNREFUSED || status == ARES_ETIMEOUT))
        record->status = q->server_failure;
    if (question_done(q))
        sd_event_source_set_enabled(q->deliver, SD_EVENT_ONESHOT);
    else if (record->addresses.n > 0)
        q->deadline = MIN(q->deadline, question_now(q) + q->resolver->config.grace);
}

/* The addresses of both families by turns. */
static void addresses_merge(const Question *q, ResolverAnswer *answer) {
    answer->ttl = USEC_NEVER;
    for (size_t i = 0; i < ADDRESSES_MAX; i++)
        for (size_t k = 0; k < RECORD_TYPES; k++) {
            const Record *record = &q->records[k];
            if (i >= record->addresses.n || answer->addresses.n == ADDRESSES_MAX)
                continue;
            answer->addresses.items[answer->addresses.n++] = record->addresses.items[i];
            answer->ttl = MIN(answer->ttl, record->ttl);
        }
}

/* " 192.0.2.53 192.0.2.54": whom c-ares asked, be it from the configuration or from resolv.conf. */
static void servers_format(const Question *q, char *ret, size_t size) {
    struct ares_addr_port_node *servers = NULL;
    size_t len = 0;

    *ret = 0;
    if (ares_get_servers_ports(q->channel, &servers) != ARES_SUCCESS)
        return;
    for (const struct ares_addr_port_node *s = servers; s && len < size; s = s->next) {
        const Address a = address_from_bytes(s->family, &s->addr);
        len += (size_t)snprintf(ret + len, size - len, " %s", ADDRESS_STR(&a));
    }
    ares_free_data(servers);
}

static bool question_has_status(const Question *q, int status) {
    for (size_t i = 0; i < RECORD_TYPES; i++)
        if (q->records[i].status == status)
            return true;
    return false;
}

static int question_explain(const Question *q, char *text, size_t size) {
    const Resolver *resolver = q->resolver;
    char servers[128], other[128];
    const char *words = other;
    int error = -EIO;
    size_t i = 0;

    while (i < ARRAY_SIZE(failures) && !question_has_status(q, failures[i].status))
        i++;
    if (i == ARRAY_SIZE(failures))
        snprintf(other, sizeof other, "%s", ares_strerror(q->records[0].status));
    else if (failures[i].status == ARES_ECONNREFUSED && q->bind_error < 0) {
        error = q->bind_error;
        snprintf(other, sizeof other, "cannot bind to interface %s and its address: %s", resolver->interface,
                 strerror(-error));
    } else {
        error = failures[i].error;
        words = failures[i].words;
    }
    servers_format(q, servers, sizeof servers);
    if (*resolver->interface)
        snprintf(text, size, "%s: %s; asked private DNS%s through %s", q->name, words, servers,
                 resolver->interface);
    else
        snprintf(text, size, "%s: %s; asked public DNS%s", q->name, words, servers);
    return error;
}

/* The question is gone before the handler runs, so the handler may do anything, freeing the resolver too. */
static int on_deliver(sd_event_source *source, void *userdata) {
    _cleanup_(question_freep) Question *q = userdata;
    const ResolverHandler handler = q->handler;
    void *handler_userdata = q->userdata;
    ResolverAnswer answer = {0};
    char text[ERROR_MAX_BYTES];

    if (q->literal.family != AF_UNSPEC) {
        answer.addresses = (AddressList){.n = 1, .items = {q->literal}};
        answer.ttl = USEC_NEVER;
    } else
        addresses_merge(q, &answer);
    if (answer.addresses.n == 0) {
        answer.error = question_explain(q, text, sizeof text);
        answer.text = text;
    }
    question_unlink(q);
    question_free(TAKE_PTR(q));
    handler(handler_userdata, &answer);
    return 0;
}

static int channel_set_servers(ares_channel channel, const ResolverConfig *config) {
    struct ares_addr_port_node nodes[DNS_SERVERS_MAX] = {0};

    for (size_t i = 0; i < config->n_servers; i++) {
        nodes[i].next = i + 1 < config->n_servers ? &nodes[i + 1] : NULL;
        nodes[i].family = config->servers[i].family;
        memcpy(&nodes[i].addr, config->servers[i].bytes, address_size(config->servers[i].family));
        nodes[i].udp_port = nodes[i].tcp_port = config->port;
    }
    return ares_set_servers_ports(channel, nodes);
}

/* Everything that resolv.conf or the environment (RES_OPTIONS, LOCALDOMAIN, HOSTALIASES) could say other than
 * the servers is said here. */
static int channel_open(Question *q) {
    const Resolver *resolver = q->resolver;
    const ResolverConfig *config = &resolver->config;
    static char lookups[] = "b", nowhere[] = "/dev/null";
    struct ares_options options = {
        .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
        .lookups = lookups,
        .timeout = (int)(config->timeout / USEC_PER_MSEC),
        .tries = RESOLVER_TRIES,
        .ndots = 0,
        .udp_port = config->port,
        .tcp_port = config->port,
        .sock_state_cb = socket_state,
        .sock_state_cb_data = q,
        /* With servers of our own a failure to set them must not leave those of the file. */
        .resolvconf_path = config->n_servers > 0 ? nowhere : resolver->resolv_conf,
    };
    int mask = ARES_OPT_FLAGS | ARES_OPT_LOOKUPS | ARES_OPT_DOMAINS | ARES_OPT_NDOTS | ARES_OPT_NOROTATE |
               ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_UDP_PORT | ARES_OPT_TCP_PORT |
               ARES_OPT_SOCK_STATE_CB;

    if (options.resolvconf_path)
        mask |= ARES_OPT_RESOLVCONF;
    int status = ares_init_options(&q->channel, &options, mask);
    if (status != ARES_SUCCESS) {
        q->channel = NULL;
        return status == ARES_ENOMEM ? -ENOMEM : -EIO;
    }
    ares_set_socket_functions(q->channel, &socket_functions, q);
    if (config->n_servers > 0)
        status = channel_set_servers(q->channel, config);
    if (status != ARES_SUCCESS)
        return status == ARES_ENOMEM ? -ENOMEM : -EIO;
    return 0;
}

static int question_start(Question *q) {
    Resolver *resolver = q->resolver;

    q->deadline = question_now(q) + resolver->config.budget;
    int r = sd_event_add_defer(resolver->event, &q->deliver, on_deliver, q);
    if (r < 0 || q->literal.family != AF_UNSPEC)
        return r;
    sd_event_source_set_enabled(q->deliver, SD_EVENT_OFF);
    r = sd_event_add_time(resolver->event, &q->timer, CLOCK_MONOTONIC, q->deadline, 0, on_timer, q);
    if (r < 0)
        return r;
    r = channel_open(q);
    if (r < 0)
        return r;
    for (size_t i = 0; i < RECORD_TYPES; i++)
        q->records[i] = (Record){.question = q, .type = &record_types[i], .ttl = USEC_NEVER};
    /* Each may call on_record() at once, which only notes it down. */
    for (size_t i = 0; i < RECORD_TYPES; i++)
        ares_query(q->channel, q->name, DNS_CLASS_IN, q->records[i].type->number, on_record, &q->records[i]);
    question_arm(q);
    return 0;
}

int resolver_resolve(Resolver *resolver, const char *name, ResolverHandler handler, void *userdata) {
    _cleanup_(question_freep) Question *q = NULL;

    if (strlen(name) >= HOST_MAX_BYTES || !*name)
        return -EINVAL;
    q = calloc(1, sizeof *q);
    if (!q)
        return -ENOMEM;
    q->resolver = resolver;
    q->handler = handler;
    q->userdata = userdata;
    strcpy(q->name, name);
    if (address_parse(name, &q->literal) < 0)
        q->literal = (Address){.family = AF_UNSPEC};
    int r = question_start(q);
    if (r < 0)
        return r;
    q->next = resolver->questions;
    resolver->questions = TAKE_PTR(q);
    return 0;
}

int resolver_new(Resolver **ret, sd_event *event, const ResolverConfig *config) {
    _cleanup_(resolver_freep) Resolver *resolver = NULL;

    assert(config->n_servers <= DNS_SERVERS_MAX);
    assert(!config->interface || (config->n_servers > 0 && strlen(config->interface) < IFNAMSIZ));
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
        return -ENOMEM;
    resolver = calloc(1, sizeof *resolver);
    if (!resolver) {
        ares_library_cleanup();
        return -ENOMEM;
    }
    resolver->event = sd_event_ref(event);
    resolver->config = *config;
    if (config->interface)
        strcpy(resolver->interface, config->interface);
    if (config->resolv_conf && !(resolver->resolv_conf = strdup(config->resolv_conf)))
        return -ENOMEM;
    resolver->config.interface = resolver->config.resolv_conf = NULL; /* the caller's */
    if (config->timeout == 0)
        resolver->config.timeout = RESOLVER_TIMEOUT;
    if (config->budget == 0)
        resolver->config.budget = RESOLVER_BUDGET;
    if (config->grace == 0)
        resolver->config.grace = RESOLVER_GRACE;
    if (config->port == 0)
        resolver->config.port = DNS_PORT;
    *ret = TAKE_PTR(resolver);
    return 0;
}

void resolver_free(Resolver *resolver) {
    if (!resolver)
        return;
    while (resolver->questions) {
        Question *q = resolver->questions;
        question_unlink(q);
        question_free(q);
    }
    sd_event_unref(resolver->event);
    free(resolver->resolv_conf);
    free(resolver);
    ares_library_cleanup();
}
