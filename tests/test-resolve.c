/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The resolver against a DNS server of our own on loopback, in the same event loop: what it asks, whom and
 * from where, and what it makes of answers, of none, and of wrong ones. */
#include <check.h>
#include <stdio.h>
#include <unistd.h>

#include "base/wire.h"
#include "discovery/resolve-io.h"
#include "status.h"
#include "files.h"
#include "suite.h"

#define SHORT_TIMEOUT (50 * USEC_PER_MSEC)
#define SHORT_BUDGET  (300 * USEC_PER_MSEC)
#define TYPE_A        1
#define TYPE_CNAME    5
#define TYPE_MX       15
#define TYPE_AAAA     28
#define CLASS_IN      1
#define ANY           0 /* as a type in the zone */

typedef enum Act {
    ANSWER,
    REFUSE,       /* value: an RCODE */
    SILENCE,      /* no answer at all */
    SHORT,        /* five bytes */
    RUBBISH,      /* a right header, then an answer section that is none */
    POINTER_LOOP, /* a compressed name that points at itself */
    FORGE,        /* wrong answers first: other port, other id, other question, nothing; then the right one */
    TRUNCATE,     /* UDP only says: ask by TCP */
} Act;

static const struct {
    const char *name;
    uint16_t type;
    Act act;
    const char *value;
    uint32_t ttl;
} zone[] = {
    {"v4.example", TYPE_A, ANSWER, "192.0.2.1", 300},
    {"v4.example", TYPE_A, ANSWER, "192.0.2.2", 200},
    {"v6.example", TYPE_AAAA, ANSWER, "2001:db8::1", 300},
    {"both.example", TYPE_A, ANSWER, "192.0.2.1", 300},
    {"both.example", TYPE_A, ANSWER, "192.0.2.2", 300},
    {"both.example", TYPE_A, ANSWER, "192.0.2.3", 300},
    {"both.example", TYPE_AAAA, ANSWER, "2001:db8::1", 100},
    {"alias.example", TYPE_CNAME, ANSWER, "alias2.example", 50},
    {"alias2.example", TYPE_CNAME, ANSWER, "both.example", 60},
    {"dangling.example", TYPE_CNAME, ANSWER, "nothing.example", 60},
    {"nothing.example", TYPE_MX, ANSWER, "", 0},
    {"zero.example", TYPE_A, ANSWER, "0.0.0.0", 300},
    {"zero.example", TYPE_AAAA, ANSWER, "ff02::1", 300},
    {"old.example", TYPE_A, ANSWER, "192.0.2.1", 0x80000001},
    {"servfail.example", ANY, REFUSE, "\2", 0},
    {"refused.example", ANY, REFUSE, "\5", 0},
    {"v4-fail6.example", TYPE_A, ANSWER, "192.0.2.1", 300},
    {"v4-fail6.example", TYPE_AAAA, REFUSE, "\2", 0},
    {"v4-silent6.example", TYPE_A, ANSWER, "192.0.2.1", 300},
    {"v4-silent6.example", TYPE_AAAA, SILENCE, "", 0},
    {"v6-rubbish4.example", TYPE_AAAA, ANSWER, "2001:db8::1", 300},
    {"v6-rubbish4.example", TYPE_A, RUBBISH, "", 0},
    {"silent6.example", TYPE_AAAA, SILENCE, "", 0},
    {"silent.example", ANY, SILENCE, "", 0},
    {"short.example", ANY, SHORT, "", 0},
    {"rubbish.example", ANY, RUBBISH, "", 0},
    {"loop.example", ANY, POINTER_LOOP, "", 0},
    {"forged.example", TYPE_A, FORGE, "192.0.2.1", 300},
    {"tcp.example", TYPE_A, TRUNCATE, "192.0.2.1", 300},
    {"localhost", TYPE_A, ANSWER, "192.0.2.77", 300},
    {"segw.search.example", TYPE_A, ANSWER, "192.0.2.66", 300},
};

typedef struct Asked {
    char name[HOST_MAX_BYTES];
    uint16_t type;
    Endpoint from;
    bool tcp;
} Asked;

static sd_event *event;
static int udp_fd, tcp_fd, other_fd;
static uint16_t port;
static Asked asked[256];
static size_t n_asked;

static struct {
    size_t calls;
    int error;
    AddressList addresses;
    usec_t ttl;
    char text[ERROR_MAX_BYTES];
} got;

/* The server. */

static void name_write(Writer *w, const char *name) {
    while (*name) {
        size_t n = strcspn(name, ".");
        writer_u8(w, (uint8_t)n);
        writer_bytes(w, name, n);
        name += n + (name[n] ? 1 : 0);
    }
    writer_u8(w, 0);
}

static void name_read(Reader *r, char *ret) {
    size_t len = 0;
    for (uint8_t n; (n = reader_u8(r)) > 0;) {
        if (len > 0)
            ret[len++] = '.';
        ck_assert_uint_lt(len + n, HOST_MAX_BYTES);
        reader_copy(r, ret + len, n);
        len += n;
    }
    ret[len] = 0;
}

static void header_write(Writer *w, uint16_t id, uint16_t flags, const Asked *q, uint16_t answers) {
    writer_u16(w, id);
    writer_u16(w, (uint16_t)(0x8180 | flags)); /* a response, recursion desired and available */
    writer_u16(w, 1);
    writer_u16(w, answers);
    writer_u32(w, 0);
    name_write(w, q->name);
    writer_u16(w, q->type);
    writer_u16(w, CLASS_IN);
}

static void record_write(Writer *w, const char *owner, uint16_t type, uint32_t ttl, const char *value) {
    Address a;
    name_write(w, owner);
    writer_u16(w, type);
    writer_u16(w, CLASS_IN);
    writer_u32(w, ttl);
    size_t at = w->len;
    writer_u16(w, 0);
    if (type == TYPE_CNAME)
        name_write(w, value);
    else {
        a = address(value);
        writer_bytes(w, a.bytes, address_size(a.family));
    }
    writer_patch_u16(w, at, (uint16_t)(w->len - at - 2));
}

/* NXDOMAIN for names the zone does not know; the chain of CNAMEs with what stands at its end. */
static void answer_write(Writer *w, uint16_t id, const Asked *q) {
    const char *owner = q->name;
    uint16_t answers = 0;
    bool known = false, more = true;

    header_write(w, id, 0, q, 0);
    while (more) {
        more = false;
        for (size_t i = 0; i < ARRAY_SIZE(zone); i++) {
            if (!streq(zone[i].name, owner))
                continue;
            known = true;
            if (zone[i].type != q->type && zone[i].type != TYPE_CNAME)
                continue;
            record_write(w, owner, zone[i].type, zone[i].ttl, zone[i].value);
            answers++;
            if (zone[i].type == TYPE_CNAME) {
                owner = zone[i].value;
                more = true;
                break;
            }
        }
    }
    writer_patch_u16(w, 6, answers);
    if (!known)
        writer_patch_u16(w, 2, 0x8183);
    ck_assert(!w->bad);
}

static void udp_send(int fd, const Asked *to, const Writer *w) {
    struct sockaddr_storage ss;
    socklen_t size = endpoint_to_sockaddr(&to->from, &ss);
    ck_assert_int_eq(sendto(fd, w->data, w->len, 0, (struct sockaddr *)&ss, size), (ssize_t)w->len);
}

static void forgeries_send(uint16_t id, const Asked *q) {
    uint8_t buf[512];
    Asked other = *q;

    Writer w = writer_new(buf, sizeof buf);
    header_write(&w, id, 0, q, 1);
    record_write(&w, q->name, TYPE_A, 300, "198.51.100.6");
    udp_send(other_fd, q, &w); /* all right but for where it comes from */
    writer_patch_u16(&w, 0, (uint16_t)(id + 1));
    udp_send(udp_fd, q, &w);
    strcpy(other.name, "other.example");
    w = writer_new(buf, sizeof buf);
    header_write(&w, id, 0, &other, 1);
    record_write(&w, q->name, TYPE_A, 300, "198.51.100.6");
    udp_send(udp_fd, q, &w);
    w.len = 0;
    udp_send(udp_fd, q, &w);
}

static void udp_answer(uint16_t id, const Asked *q) {
    static const uint8_t rubbish[] = {0x3f, 'x', 0xff, 0xff, 0xff, 0xff, 0x80};
    uint8_t buf[512];
    Writer w = writer_new(buf, sizeof buf);
    Act act = ANSWER;
    const char *value = "";

    for (size_t i = 0; i < ARRAY_SIZE(zone); i++)
        if (streq(zone[i].name, q->name) && (zone[i].type == q->type || zone[i].type == ANY)) {
            act = zone[i].act;
            value = zone[i].value;
        }
    switch (act) {
    case SILENCE:
        return;
    case REFUSE:
        header_write(&w, id, (uint16_t)*value, q, 0);
        break;
    case SHORT:
        writer_u16(&w, id);
        writer_bytes(&w, "\x81\x80", 3);
        break;
    case RUBBISH:
        header_write(&w, id, 0, q, 3);
        writer_bytes(&w, rubbish, sizeof rubbish);
        break;
    case POINTER_LOOP:
        header_write(&w, id, 0, q, 1);
        writer_u16(&w, (uint16_t)(0xc000 | w.len));
        writer_bytes(&w, "\0\1\0\1\0\0\0\1\0\4\1\2\3\4", 14);
        break;
    case TRUNCATE:
        header_write(&w, id, 0x0200, q, 0);
        break;
    case FORGE:
        forgeries_send(id, q);
        answer_write(&w, id, q);
        break;
    case ANSWER:
        answer_write(&w, id, q);
        break;
    }
    udp_send(udp_fd, q, &w);
}

static const Asked *question_note(Reader *r, const struct sockaddr *from, bool tcp, uint16_t *ret_id) {
    ck_assert_uint_lt(n_asked, ARRAY_SIZE(asked));
    Asked *q = &asked[n_asked++];
    *ret_id = reader_u16(r);
    ck_assert_uint_eq(reader_u16(r), 0x0100); /* a question, recursion desired */
    ck_assert_uint_eq(reader_u16(r), 1);
    reader_bytes(r, 6);
    name_read(r, q->name);
    q->type = reader_u16(r);
    ck_assert_uint_eq(reader_u16(r), CLASS_IN);
    ck_assert(reader_done(r));
    ck_assert_int_eq(endpoint_from_sockaddr(from, &q->from), 0);
    q->tcp = tcp;
    return q;
}

static int on_udp(sd_event_source *s, int fd, uint32_t events, void *userdata) {
    struct sockaddr_storage from;
    socklen_t size = sizeof from;
    uint8_t buf[512];
    uint16_t id;

    ssize_t n = recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)&from, &size);
    ck_assert_int_gt(n, 0);
    Reader r = reader_new(buf, (size_t)n);
    const Asked *q = question_note(&r, (struct sockaddr *)&from, false, &id);
    udp_answer(id, q);
    return 0;
}

/* RFC 1035 4.2.2: each message after its length. c-ares writes it in one piece, here it is read in one. */
static int on_peer(sd_event_source *s, int fd, uint32_t events, void *userdata) {
    struct sockaddr_storage from;
    socklen_t size = sizeof from;
    uint8_t in[1024], out[1024];
    uint16_t id;

    ssize_t n = read(fd, in, sizeof in);
    if (n <= 0) {
        sd_event_source_disable_unref(s);
        return 0;
    }
    ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&from, &size), 0);
    Reader stream = reader_new(in, (size_t)n);
    while (!reader_done(&stream)) {
        Reader r = reader_sub(&stream, reader_u16(&stream));
        const Asked *q = question_note(&r, (struct sockaddr *)&from, true, &id);
        Writer w = writer_new(out + 2, sizeof out - 2), length = writer_new(out, 2);
        answer_write(&w, id, q);
        writer_u16(&length, (uint16_t)w.len);
        ck_assert_int_eq(write(fd, out, w.len + 2), (ssize_t)w.len + 2);
    }
    return 0;
}

static int on_tcp(sd_event_source *s, int fd, uint32_t events, void *userdata) {
    sd_event_source *source;
    int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

    ck_assert_int_ge(peer, 0);
    ck_assert_int_ge(sd_event_add_io(event, &source, peer, EPOLLIN, on_peer, NULL), 0);
    ck_assert_int_ge(sd_event_source_set_io_fd_own(source, true), 0);
    return 0;
}

static int loopback_socket(int type, const char *address, uint16_t wanted) {
    Endpoint e = {.port = wanted};
    struct sockaddr_storage ss;
    ck_assert_int_eq(address_parse(address, &e.address), 0);
    socklen_t size = endpoint_to_sockaddr(&e, &ss);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_msg(bind(fd, (struct sockaddr *)&ss, size) == 0, "bind: %m");
    return fd;
}

static void server_start(void) {
    struct sockaddr_storage ss;
    socklen_t size = sizeof ss;
    Endpoint e;

    ck_assert_int_ge(sd_event_new(&event), 0);
    tcp_fd = loopback_socket(SOCK_STREAM, "127.0.0.1", 0);
    ck_assert_int_eq(listen(tcp_fd, 8), 0);
    ck_assert_int_eq(getsockname(tcp_fd, (struct sockaddr *)&ss, &size), 0);
    ck_assert_int_eq(endpoint_from_sockaddr((struct sockaddr *)&ss, &e), 0);
    port = e.port;
    udp_fd = loopback_socket(SOCK_DGRAM, "127.0.0.1", port);
    other_fd = loopback_socket(SOCK_DGRAM, "127.0.0.1", 0);
    ck_assert_int_ge(sd_event_add_io(event, NULL, udp_fd, EPOLLIN, on_udp, NULL), 0);
    ck_assert_int_ge(sd_event_add_io(event, NULL, tcp_fd, EPOLLIN, on_tcp, NULL), 0);
}

static void server_stop(void) {
    sd_event_unref(event);
    close(udp_fd);
    close(tcp_fd);
    close(other_fd);
}

/* The client's side of the tests. */

static ResolverConfig config_for(const char *server) {
    ResolverConfig config = {
        .port = port, .timeout = SHORT_TIMEOUT, .budget = SHORT_BUDGET, .grace = SHORT_TIMEOUT};
    if (server) {
        config.n_servers = 1;
        config.servers[0] = address(server);
    }
    return config;
}

static void on_answer(void *userdata, const ResolverAnswer *answer) {
    got.calls++;
    got.error = answer->error;
    got.addresses = answer->addresses;
    got.ttl = answer->ttl;
    strcpy(got.text, strempty(answer->text));
    ck_assert((answer->error == 0) == (answer->addresses.n > 0));
    ck_assert((answer->error == 0) == (answer->text == NULL));
}

static void ask_resolver(Resolver *resolver, const char *name) {
    memset(&got, 0, sizeof got);
    n_asked = 0;
    ck_assert_int_eq(resolver_resolve(resolver, name, on_answer, NULL), 0);
    ck_assert_uint_eq(got.calls, 0); /* never from within */
    while (got.calls == 0)
        ck_assert_int_ge(sd_event_run(event, UINT64_MAX), 0);
}

static void ask_with(const ResolverConfig *config, const char *name) {
    _cleanup_(resolver_freep) Resolver *resolver = NULL;
    ck_assert_int_eq(resolver_new(&resolver, event, config), 0);
    ask_resolver(resolver, name);
    ck_assert_uint_eq(got.calls, 1);
}

static void ask(const char *name) {
    const ResolverConfig config = config_for("127.0.0.1");
    ask_with(&config, name);
}

/* *expected*: addresses with spaces between, in order. */
static void check_addresses(const char *expected) {
    char text[1024] = "";
    ck_assert_msg(got.error == 0, "%s", got.text);
    for (size_t i = 0; i < got.addresses.n; i++) {
        strcat(text, i ? " " : "");
        strcat(text, ADDRESS_STR(&got.addresses.items[i]));
    }
    ck_assert_str_eq(text, expected);
}

static void check_failure(int error, const char *text) {
    ck_assert_int_eq(got.error, error);
    ck_assert_str_eq(got.text, text);
}

static bool was_asked(const char *name, uint16_t type) {
    for (size_t i = 0; i < n_asked; i++)
        if (streq(asked[i].name, name) && asked[i].type == type)
            return true;
    return false;
}

START_TEST(answers) {
    static const struct {
        const char *name, *addresses;
        unsigned ttl;
    } cases[] = {
        {"v4.example", "192.0.2.1 192.0.2.2", 200},
        {"v6.example", "2001:db8::1", 300},
        {"both.example", "192.0.2.1 2001:db8::1 192.0.2.2 192.0.2.3", 100},
        {"alias.example", "192.0.2.1 2001:db8::1 192.0.2.2 192.0.2.3", 50},
        {"old.example", "192.0.2.1", 0},
        /* One type that fails does not lose the other. */
        {"v4-fail6.example", "192.0.2.1", 300},
        {"v4-silent6.example", "192.0.2.1", 300},
        {"v6-rubbish4.example", "2001:db8::1", 300},
        {"forged.example", "192.0.2.1", 300},
    };
    server_start();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        ask(cases[i].name);
        check_addresses(cases[i].addresses);
        ck_assert_uint_eq(got.ttl, cases[i].ttl * USEC_PER_SEC);
        ck_assert(was_asked(cases[i].name, TYPE_A) && was_asked(cases[i].name, TYPE_AAAA));
    }
    server_stop();
}
END_TEST

START_TEST(failures) {
    static const struct {
        const char *name;
        int error;
        const char *words;
    } cases[] = {
        {"unknown.example", -ENXIO, "the name does not exist (NXDOMAIN)"},
        {"nothing.example", -ENXIO, "the name has no address"},
        {"dangling.example", -ENXIO, "the name has no address"},
        {"zero.example", -ENXIO, "the name has no address that can be used"},
        {"servfail.example", -EAGAIN, "the server failed (SERVFAIL)"},
        {"refused.example", -EAGAIN, "the server refused (REFUSED)"},
        {"silent.example", -ETIMEDOUT, "no server answered"},
        {"short.example", -ETIMEDOUT, "no server answered"},
        {"rubbish.example", -EBADMSG, "an answer that cannot be read"},
        {"loop.example", -EBADMSG, "an answer that cannot be read"},
        {"not..a.name", -EINVAL, "not a name that DNS can be asked for"},
    };
    server_start();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[ERROR_MAX_BYTES];
        snprintf(text, sizeof text, "%s: %s; asked public DNS 127.0.0.1", cases[i].name, cases[i].words);
        ask(cases[i].name);
        check_failure(cases[i].error, text);
    }
    server_stop();
}
END_TEST

START_TEST(silence_is_asked_again_within_the_budget) {
    uint64_t before, after;
    server_start();
    sd_event_now(event, CLOCK_MONOTONIC, &before);
    ask("silent.example");
    sd_event_now(event, CLOCK_MONOTONIC, &after);
    ck_assert_uint_ge(n_asked, 4);
    ck_assert_uint_ge(after - before, SHORT_TIMEOUT);
    /* The budget, and ten times as much for a busy machine. */
    ck_assert_uint_lt(after - before, 10 * SHORT_BUDGET);
    server_stop();
}
END_TEST

START_TEST(literals_are_not_asked_for) {
    server_start();
    ask("192.0.2.9");
    check_addresses("192.0.2.9");
    ck_assert_uint_eq(got.ttl, USEC_NEVER);
    ask("2001:db8::9");
    check_addresses("2001:db8::9");
    ck_assert_uint_eq(n_asked, 0);
    server_stop();
}
END_TEST

START_TEST(truncated_answers_are_fetched_by_tcp) {
    server_start();
    ask("tcp.example");
    check_addresses("192.0.2.1");
    ck_assert(asked[n_asked - 1].tcp);
    server_stop();
}
END_TEST

START_TEST(next_server_is_asked) {
    server_start();
    ResolverConfig config = config_for("127.0.0.3"); /* nothing listens there */
    config.n_servers = 2;
    config.servers[1] = address("127.0.0.1");
    ask_with(&config, "v4.example");
    check_addresses("192.0.2.1 192.0.2.2");
    config.n_servers = 1;
    ask_with(&config, "v4.example");
    check_failure(-ETIMEDOUT, "v4.example: no server answered; asked public DNS 127.0.0.3");
    server_stop();
}
END_TEST

/* The public side without servers of its own: those of resolv.conf and nothing else of it, nothing of the
 * environment, nothing of the hosts file, and the file as it is when the question is asked. */
START_TEST(resolv_conf) {
    char path[] = "/tmp/henb-resolv-XXXXXX";
    _cleanup_(resolver_freep) Resolver *resolver = NULL;

    server_start();
    close(mkstemp(path));
    ResolverConfig config = config_for(NULL);
    config.resolv_conf = path;
    ck_assert_int_eq(resolver_new(&resolver, event, &config), 0);
    file_write_text(path, "nameserver 127.0.0.3\n");
    ask_resolver(resolver, "v4.example");
    check_failure(-ETIMEDOUT, "v4.example: no server answered; asked public DNS 127.0.0.3");

    file_write_text(path, "nameserver 127.0.0.1\nsearch search.example\noptions ndots:5\n");
    ck_assert_int_eq(setenv("LOCALDOMAIN", "search.example", 1), 0);
    ck_assert_int_eq(setenv("RES_OPTIONS", "ndots:5", 1), 0);
    ask_resolver(resolver, "v4.example");
    check_addresses("192.0.2.1 192.0.2.2");
    ask_resolver(resolver, "segw");
    check_failure(-ENXIO, "segw: the name does not exist (NXDOMAIN); asked public DNS 127.0.0.1");
    ck_assert(was_asked("segw", TYPE_A) && !was_asked("segw.search.example", TYPE_A));

    ask_resolver(resolver, "localhost");
    check_addresses("192.0.2.77");

    file_write_text(path, "nameserver 127.0.0.1\n");
    char aliases[] = "/tmp/henb-aliases-XXXXXX";
    close(mkstemp(aliases));
    file_write_text(aliases, "segw segw.search.example\n");
    ck_assert_int_eq(setenv("HOSTALIASES", aliases, 1), 0);
    ask_resolver(resolver, "segw");
    check_failure(-ENXIO, "segw: the name does not exist (NXDOMAIN); asked public DNS 127.0.0.1");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(unlink(aliases), 0);
    server_stop();
}
END_TEST

static ResolverConfig tunnel_config(const char *interface, const char *source) {
    ResolverConfig config = config_for("127.0.0.1");
    config.interface = interface;
    if (source) {
        config.sources.n = 1;
        config.sources.items[0] = address(source);
    }
    return config;
}

START_TEST(tunnel_side_asks_from_the_inner_address) {
    server_start();
    ResolverConfig config = tunnel_config("lo", "127.0.0.5");
    ask_with(&config, "tcp.example");
    check_addresses("192.0.2.1");
    ck_assert_uint_ge(n_asked, 3);
    ck_assert(asked[n_asked - 1].tcp);
    for (size_t i = 0; i < n_asked; i++)
        ck_assert_str_eq(ADDRESS_STR(&asked[i].from.address), "127.0.0.5");
    server_stop();
}
END_TEST

/* The server could be reached all right without the bind; it must not be. */
START_TEST(tunnel_side_never_asks_unbound) {
    static const struct {
        const char *interface, *source;
        int error;
    } cases[] = {
        {"henb-gone0", "127.0.0.5", -ENODEV},
        {"lo", "192.0.2.99", -EADDRNOTAVAIL},
        {"lo", "2001:db8::99", -EAFNOSUPPORT},
        {"lo", NULL, -EAFNOSUPPORT},
    };
    server_start();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[ERROR_MAX_BYTES];
        ResolverConfig config = tunnel_config(cases[i].interface, cases[i].source);
        snprintf(text, sizeof text,
                 "v4.example: cannot bind to interface %s and its address: %s; asked private DNS 127.0.0.1 "
                 "through %s",
                 cases[i].interface, strerror(-cases[i].error), cases[i].interface);
        ask_with(&config, "v4.example");
        check_failure(cases[i].error, text);
        ck_assert_uint_eq(n_asked, 0);
        ck_assert_int_eq(sd_event_run(event, 0), 0); /* nor does anything arrive now */
    }
    server_stop();
}
END_TEST

static void on_answer_free(void *userdata, const ResolverAnswer *answer) {
    Resolver **resolver = userdata;
    got.calls++;
    resolver_free(*resolver);
    *resolver = NULL;
}

START_TEST(handler_may_free_the_resolver) {
    Resolver *resolver = NULL;
    server_start();
    const ResolverConfig config = config_for("127.0.0.1");
    ck_assert_int_eq(resolver_new(&resolver, event, &config), 0);
    ck_assert_int_eq(resolver_resolve(resolver, "silent.example", on_answer_free, &resolver), 0);
    ck_assert_int_eq(resolver_resolve(resolver, "v4.example", on_answer_free, &resolver), 0);
    while (got.calls == 0)
        ck_assert_int_ge(sd_event_run(event, UINT64_MAX), 0);
    ck_assert_ptr_null(resolver);
    /* Nothing is left that could call the other handler: no timer, no socket. */
    ck_assert_int_eq(resolver_new(&resolver, event, &config), 0);
    ck_assert_int_eq(resolver_resolve(resolver, "192.0.2.1", on_answer_free, &resolver), 0);
    ck_assert_int_eq(resolver_resolve(resolver, "192.0.2.2", on_answer_free, &resolver), 0);
    while (sd_event_run(event, 2 * SHORT_BUDGET) > 0)
        ;
    ck_assert_uint_eq(got.calls, 2);
    server_stop();
}
END_TEST

START_TEST(questions_do_not_mix) {
    _cleanup_(resolver_freep) Resolver *resolver = NULL;
    server_start();
    const ResolverConfig config = config_for("127.0.0.1");
    ck_assert_int_eq(resolver_new(&resolver, event, &config), 0);
    ck_assert_int_eq(resolver_resolve(resolver, "unknown.example", on_answer, NULL), 0);
    ck_assert_int_eq(resolver_resolve(resolver, "v4.example", on_answer, NULL), 0);
    ck_assert_int_eq(resolver_resolve(resolver, "silent.example", on_answer, NULL), 0);
    while (got.calls < 3)
        ck_assert_int_ge(sd_event_run(event, UINT64_MAX), 0);
    ck_assert_int_eq(got.error, -ETIMEDOUT); /* the last to end */
    ck_assert_int_eq(resolver_resolve(resolver, "", on_answer, NULL), -EINVAL);
    server_stop();
}
END_TEST

SUITE("resolve", answers, failures, silence_is_asked_again_within_the_budget, literals_are_not_asked_for,
      truncated_answers_are_fetched_by_tcp, next_server_is_asked, resolv_conf,
      tunnel_side_asks_from_the_inner_address, tunnel_side_never_asks_unbound, handler_may_free_the_resolver,
      questions_do_not_mix)
