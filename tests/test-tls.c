/* SPDX-License-Identifier: GPL-3.0-or-later */
/* TLS with a HeMS: real handshakes on the loopback with servers and certificates, good and bad, made here. */
#include <check.h>
#include <openssl/ocsp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/macro.h"
#include "cwmp/cwmp-io.h"
#include "files.h"
#include "suite.h"
#include "tls-authority.h"
#include "tls-server.h"

#define HOST   "hems-initial.example.net"
#define SAN    "DNS:" HOST
#define WANTED "(expected identity: " HOST ")"

/* The HeNB -------------------------------------------------------------------------------------------- */

static char folder[64], ca[128], certificate[128], key[128], crl[128];
static Identity root, device;
static TlsConfig config;
static sd_event *event;
static CwmpIo *io;
static struct {
    bool done;
    int error;
    char text[ERROR_MAX_BYTES];
} got;

static const char *path_of(char *buf, const char *name) {
    snprintf(buf, 128, "%s/%s", folder, name);
    return buf;
}

static void start(void) {
    snprintf(folder, sizeof folder, "/tmp/henb-test-tls-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    root = identity_make(&(IdentityOptions){.cn = "Root", .ca = true});
    device =
        identity_make(&(IdentityOptions){.cn = "henb-000001", .issuer = &root, .san = "DNS:henb.example"});
    identity_save(&root, NULL, path_of(ca, "ca.pem"));
    identity_save(&device, NULL, path_of(certificate, "henb.pem"));
    identity_save_key(&device, path_of(key, "henb-key.pem"), NULL);
    path_of(crl, "crl.pem");
    config =
        (TlsConfig){.ca = ca, .certificate = certificate, .key = key, .clock_floor = BUILT * USEC_PER_SEC};
    ck_assert_int_ge(sd_event_new(&event), 0);
    ck_assert_int_eq(cwmp_io_new(&io, event, &config), 0);
}

static void stop(void) {
    static const char *const names[] = {"ca.pem", "henb.pem", "henb-key.pem", "crl.pem", "other"};
    char path[128];
    cwmp_io_free(io);
    sd_event_unref(event);
    identity_free(&root);
    identity_free(&device);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        (void)unlink(path_of(path, names[i]));
    ck_assert_int_eq(rmdir(folder), 0);
}

static void on_answer(void *userdata, const SessionResponse *response) {
    got.done = true;
    got.error = response->error;
    snprintf(got.text, sizeof got.text, "%s", response->error ? response->error_text : "");
    ck_assert(response->error || response->status == 200);
}

static void post(void) {
    got.done = false;
    ck_assert_int_eq(cwmp_io_post(io, "<Inform/>", 9, on_answer, NULL), 0);
    while (!got.done)
        ck_assert_int_ge(sd_event_run(event, 20 * USEC_PER_SEC), 0);
}

static void open_to(const Server *s, const char *host) {
    char url[512];
    CwmpIoTarget target = {.url = url, .address = address(s->options.address ?: "127.0.0.1")};
    snprintf(url, sizeof url, strchr(host, ':') ? "https://[%s]:%u/acs" : "https://%s:%u/acs", host, s->port);
    ck_assert_int_eq(cwmp_io_open(io, &target), 0);
}

/* One session with one POST. Returns what was wrong, "" nothing; *ret* may have the server's records. */
static const char *attempt_at(const char *host, const ServerOptions *options, Server *ret) {
    Server *s = server_start(options);
    open_to(s, host);
    post();
    cwmp_io_close(io);
    server_stop(s);
    ck_assert_msg(got.error == 0 || s->n_requests == 0 || s->version[6] == '3', "%s", got.text);
    ck_assert_msg(!strchr(got.text, '\n'), "%s", got.text);
    if (ret)
        *ret = *s;
    server_free(s);
    return got.text;
}

static const char *attempt(const ServerOptions *options, Server *ret) {
    return attempt_at(HOST, options, ret);
}

/* The same of a certificate of the root with these options. */
static const char *attempt_with(IdentityOptions o) {
    if (!o.issuer)
        o.issuer = &root;
    Identity hems = identity_make(&o);
    const char *text = attempt(&(ServerOptions){.identity = &hems}, NULL);
    identity_free(&hems);
    return text;
}

#define assert_refused(text, what)                                                                           \
    do {                                                                                                     \
        const char *_text = (text);                                                                          \
        ck_assert_msg(strstr(_text, (what)), "%s, not %s", _text, (what));                                   \
    } while (0)

/* Tests ----------------------------------------------------------------------------------------------- */

START_TEST(a_good_hems) {
    static const struct {
        int version, rsa_bits;
        bool demand;
        const char *says, *cipher;
    } cases[] = {
        {TLS1_2_VERSION, 0, true, "TLSv1.2", "ECDHE-ECDSA-AES"},
        {TLS1_2_VERSION, 2048, true, "TLSv1.2", "ECDHE-RSA-AES"},
        {TLS1_3_VERSION, 0, true, "TLSv1.3", "TLS_AES_"},
        {TLS1_3_VERSION, 2048, true, "TLSv1.3", "TLS_AES_"},
        {TLS1_2_VERSION, 0, false, "TLSv1.2", "ECDHE-ECDSA-AES"},
        {TLS1_3_VERSION, 0, false, "TLSv1.3", "TLS_AES_"},
    };
    start();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Server s;
        Identity hems = identity_make(&(IdentityOptions){
            .issuer = &root, .san = SAN, .extended_usage = "serverAuth", .rsa_bits = cases[i].rsa_bits});
        ck_assert_str_eq(attempt(&(ServerOptions){.identity = &hems,
                                                  .max = cases[i].version,
                                                  .clients = cases[i].demand ? &root : NULL},
                                 &s),
                         "");
        ck_assert_uint_eq(s.n_requests, 1);
        ck_assert_str_eq(s.version, cases[i].says);
        ck_assert_msg(strncmp(s.cipher, cases[i].cipher, strlen(cases[i].cipher)) == 0, "%s", s.cipher);
        ck_assert_ptr_nonnull(strstr(s.cipher, "GCM"));
        ck_assert_str_eq(s.sni, HOST);
        ck_assert_str_eq(s.peer, cases[i].demand ? "henb-000001" : "");
        ck_assert_uint_eq(s.alpn_size, 9);
        ck_assert_mem_eq(s.alpn, "\x08http/1.1", 9);
        identity_free(&hems);
    }
    stop();
}
END_TEST

/* libcurl by itself takes the CN of a certificate without names, and wildcards. */
START_TEST(names) {
    static const struct {
        const char *host, *cn, *san;
        bool good;
    } cases[] = {
        {HOST, "x", "DNS:other.example, " SAN, true},
        {"HEMS-Initial.example.net", "x", SAN, true},
        {HOST, HOST, NULL, false},
        {HOST, HOST, "DNS:other.example", false},
        {HOST, HOST, "DNS:hems-initial.example.ne", false},
        {HOST, HOST, "DNS:*.example.net", false},
        {HOST, HOST, "DNS:" HOST ".example", false},
        {HOST, HOST, "URI:https://" HOST "/, email:a@" HOST, false},
        {"127.0.0.1", "x", "IP:127.0.0.1", true},
        {"127.0.0.1", "127.0.0.1", "IP:127.0.0.2", false},
        {"127.0.0.1", "127.0.0.1", "DNS:127.0.0.1", false},
        {"127.0.0.1", "127.0.0.1", NULL, false},
        {"::1", "x", "DNS:localhost, IP:0:0:0:0:0:0:0:1", true},
        {"::1", "::1", "IP:127.0.0.1", false},
    };
    start();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Server s;
        Identity hems =
            identity_make(&(IdentityOptions){.issuer = &root, .cn = cases[i].cn, .san = cases[i].san});
        const char *text = attempt_at(
            cases[i].host,
            &(ServerOptions){.identity = &hems, .address = strchr(cases[i].host, ':') ? "::1" : NULL}, &s);
        ck_assert_msg(cases[i].good == (text[0] == 0), "%s for %s: %s", cases[i].san, cases[i].host, text);
        if (!cases[i].good) {
            assert_refused(text,
                           ": subjectAltName does not carry the expected identity (expected identity: ");
            assert_refused(text, cases[i].host);
            ck_assert_uint_eq(s.n_requests, 0);
        } else if (address_is_literal(cases[i].host))
            ck_assert_str_eq(s.sni, ""); /* RFC 6066 3: names only */
        identity_free(&hems);
    }
    assert_refused(attempt_with((IdentityOptions){.cn = HOST}),
                   "certificate of \"" HOST "\" (no subjectAltName): ");
    assert_refused(attempt_with((IdentityOptions){.cn = "evil\nline", .san = "DNS:a.example, IP:192.0.2.1"}),
                   "certificate of a.example, 192.0.2.1: ");
    assert_refused(attempt_with((IdentityOptions){.cn = "evil\nline"}), "\"evil?line\"");
    stop();
}
END_TEST

START_TEST(only_the_configured_roots) {
    char other[128];
    start();
    Identity unknown = identity_make(&(IdentityOptions){.cn = "Root", .ca = true});
    Identity middle = identity_make(&(IdentityOptions){.cn = "Middle", .issuer = &root, .ca = true});
    Identity leaf = identity_make(&(IdentityOptions){.issuer = &root, .san = SAN});
    Identity deep = identity_make(&(IdentityOptions){.issuer = &middle, .san = SAN});
    Identity below_leaf = identity_make(&(IdentityOptions){.issuer = &leaf, .san = SAN});
    Identity self = identity_make(&(IdentityOptions){.san = SAN});
    const ServerOptions through_leaf = {.identity = &below_leaf, .intermediate = &leaf};

    /* What OpenSSL calls the system's. */
    identity_save(&unknown, NULL, path_of(other, "other"));
    setenv("SSL_CERT_FILE", other, 1);
    setenv("CURL_CA_BUNDLE", other, 1);
    assert_refused(attempt_with((IdentityOptions){.issuer = &unknown, .san = SAN}),
                   "certificate of " HOST ": issued by a CA that is not trusted " WANTED);
    assert_refused(attempt(&(ServerOptions){.identity = &self}, NULL), "issued by a CA that is not trusted");
    assert_refused(attempt(&(ServerOptions){.identity = &deep}, NULL), "issued by a CA that is not trusted");
    ck_assert_str_eq(attempt(&(ServerOptions){.identity = &deep, .intermediate = &middle}, NULL), "");
    assert_refused(attempt(&through_leaf, NULL), "intermediate is not a CA");
    identity_save(&middle, NULL, ca); /* as for IKE, a CA below a root will do */
    ck_assert_str_eq(attempt(&(ServerOptions){.identity = &deep}, NULL), "");
    assert_refused(attempt(&(ServerOptions){.identity = &leaf}, NULL), "issued by a CA that is not trusted");
    identity_free(&unknown);
    identity_free(&middle);
    identity_free(&leaf);
    identity_free(&deep);
    identity_free(&below_leaf);
    identity_free(&self);
    stop();
}
END_TEST

START_TEST(what_a_certificate_must_be_like) {
    start();
    assert_refused(attempt_with((IdentityOptions){.san = SAN, .extended_usage = "clientAuth"}),
                   "keyUsage or extendedKeyUsage does not fit " WANTED);
    assert_refused(attempt_with((IdentityOptions){.san = SAN, .rsa_bits = 2048, .usage = "keyEncipherment"}),
                   "keyUsage lacks digitalSignature " WANTED);
    assert_refused(attempt_with((IdentityOptions){.san = SAN, .rsa_bits = 1024}), "key is too short " WANTED);
    assert_refused(attempt_with((IdentityOptions){.san = SAN, .sha1 = true}),
                   "signed with a hash below SHA-256 " WANTED);
    stop();
}
END_TEST

START_TEST(dates_and_the_clock) {
    const IdentityOptions expired = {.san = SAN, .from = -2 * DAY, .to = -DAY};
    const IdentityOptions future = {.san = SAN, .from = DAY, .to = 2 * DAY};
    start();
    for (int believed = 0; believed < 2; believed++)
        for (int lenient = 0; lenient < 2; lenient++) {
            config.clock_floor = believed ? BUILT * USEC_PER_SEC : USEC_NEVER;
            config.clock_lenient = lenient;
            if (lenient && !believed) {
                ck_assert_str_eq(attempt_with(expired), "");
                LOG_OF(ck_assert_str_eq(attempt_with(future), ""), "the clock is not to be believed");
                assert_refused(attempt_with((IdentityOptions){.cn = HOST}), "subjectAltName");
            } else {
                assert_refused(attempt_with(expired), "certificate of " HOST ": expired " WANTED);
                assert_refused(attempt_with(future), "certificate of " HOST ": not yet valid " WANTED);
            }
        }
    stop();
}
END_TEST

static void versions_and_suites_refused(void) {
    /* An old server, which knows of no supported_versions: ServerHello with version 1.1. */
    static const char hello[2 + 3 + 4 + 38] = "\x16\x03\x02\x00\x2a\x02\x00\x00\x26\x03\x02";
    /* Fatal alerts: one may be about suites, of the other only the name is known. */
    static const char insufficient[] = "\x15\x03\x03\x00\x02\x02\x47",
                      internal[] = "\x15\x03\x03\x00\x02\x02\x50";
    Identity ec = identity_make(&(IdentityOptions){.issuer = &root, .san = SAN});
    Identity rsa = identity_make(&(IdentityOptions){.issuer = &root, .san = SAN, .rsa_bits = 2048});
    const struct {
        ServerOptions server;
        const char *says;
    } cases[] = {
        {{.identity = &ec, .max = TLS1_1_VERSION}, "TLS version: TLS 1.1 or older is all the HeMS has"},
        {{.identity = &ec, .max = TLS1_VERSION}, "TLS version: TLS 1.1 or older is all the HeMS has"},
        {{.raw = hello, .raw_size = sizeof hello}, "TLS version: TLS 1.1 or older is all the HeMS has"},
        {{.identity = &ec, .max = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-AES128-SHA"},
         "nor TLS 1.2 with ECDHE"},
        {{.identity = &ec, .max = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-AES256-SHA384"},
         "nor TLS 1.2 with ECDHE"},
        {{.identity = &ec, .max = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305"},
         "nor TLS 1.2 with"},
        {{.identity = &rsa, .max = TLS1_2_VERSION, .ciphers = "AES128-GCM-SHA256"}, "nor TLS 1.2 with ECDHE"},
        {{.identity = &rsa, .max = TLS1_2_VERSION, .ciphers = "DHE-RSA-AES128-SHA256"},
         "nor TLS 1.2 with ECDHE"},
        {{.identity = &rsa, .max = TLS1_2_VERSION, .ciphers = "aNULL:eNULL"}, "nor TLS 1.2 with ECDHE"},
        {{.identity = &ec, .min = TLS1_3_VERSION, .suites = "TLS_CHACHA20_POLY1305_SHA256"},
         "neither TLS 1.3"},
        {{.raw = insufficient, .raw_size = 7}, "neither TLS 1.3"},
        {{.raw = internal, .raw_size = 7}, "TLS alert internal error of the HeMS " WANTED},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_refused(attempt(&cases[i].server, NULL), cases[i].says);
        assert_refused(got.text, WANTED);
        ck_assert_int_lt(got.error, 0);
    }
    identity_free(&ec);
    identity_free(&rsa);
}

START_TEST(versions_and_suites) {
    start();
    versions_and_suites_refused();
    stop();
}
END_TEST

/* The profile is not the machine's affair: SSL_CTX_new() has read all of this. */
START_TEST(an_openssl_conf_that_allows_everything) {
    static const char text[] =
        "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\n"
        "MinProtocol = TLSv1\nMaxProtocol = TLSv1.2\nCipherString = ALL:eNULL:@SECLEVEL=0\n"
        "Options = UnsafeLegacyRenegotiation, UnsafeLegacyServerConnect\n"
        "VerifyMode = None\n";
    char path[64], log[64];
    snprintf(path, sizeof path, "/tmp/henb-test-tls-%d.cnf", getpid());
    snprintf(log, sizeof log, "/tmp/henb-test-tls-%d.keys", getpid());
    file_write_text(path, text);
    setenv("OPENSSL_CONF", path, 1);
    setenv("SSLKEYLOGFILE", log, 1);
    start();
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    ck_assert_int_eq(SSL_CTX_get_min_proto_version(ctx), TLS1_VERSION);
    SSL_CTX_free(ctx);
    ck_assert_int_eq(unlink(path), 0);
    versions_and_suites_refused();
    assert_refused(attempt_with((IdentityOptions){.san = SAN, .rsa_bits = 1024}), "key is too short");
    assert_refused(attempt_with((IdentityOptions){.cn = HOST}), "subjectAltName");
    Server s;
    Identity hems = identity_make(&(IdentityOptions){.issuer = &root, .san = SAN});
    ck_assert_str_eq(attempt(&(ServerOptions){.identity = &hems, .max = TLS1_3_VERSION}, &s), "");
    ck_assert_str_eq(s.version, "TLSv1.3");
    identity_free(&hems);
    struct stat st;
    ck_assert(stat(log, &st) < 0 || st.st_size == 0);
    (void)unlink(log);
    stop();
}
END_TEST

/* Revocation ------------------------------------------------------------------------------------------ */

typedef enum Crl {
    CRL_NONE,
    CRL_GOOD,
    CRL_DER,
    CRL_REVOKED,
    CRL_OLD,
    CRL_OLD_REVOKED,
    CRL_OTHER,
    CRL_FORGED
} Crl;
typedef enum Stapled {
    NONE,
    GOOD,
    REVOKED,
    UNKNOWN,
    OLD,
    EARLY,
    OPEN,       /* without nextUpdate, of now */
    OPEN_OLD,   /* and of long ago */
    BY_HELPER,  /* signed by a responder of the issuer's */
    BY_OTHER,   /* by a certificate that is not one */
    BY_UNKNOWN, /* by another CA */
    OF_ANOTHER,
    BROKEN,
    LATER,
} Stapled;

static struct { Identity hems, other, helper, unknown; } revocable;

static void make_crl(Crl kind) {
    const X509 *x = revocable.hems.certificate;
    (void)unlink(crl);
    if (kind == CRL_DER)
        crl_save_der(&root, revocable.other.certificate, crl);
    else if (kind == CRL_GOOD)
        crl_append(&root, revocable.other.certificate, -DAY, DAY, crl);
    else if (kind == CRL_REVOKED) {
        crl_append(&revocable.unknown, NULL, -DAY, DAY, crl);
        crl_append(&root, x, -DAY, DAY, crl);
    } else if (kind == CRL_OLD || kind == CRL_OLD_REVOKED)
        crl_append(&root, kind == CRL_OLD ? NULL : x, -2 * DAY, -DAY, crl);
    else if (kind == CRL_OTHER)
        crl_append(&revocable.unknown, x, -DAY, DAY, crl);
    else if (kind == CRL_FORGED)
        crl_append(&(Identity){revocable.other.key, root.certificate}, NULL, -DAY, DAY, crl);
    config.crl = kind == CRL_NONE ? NULL : crl;
}

static Bytes make_staple(Stapled kind) {
    const X509 *x = revocable.hems.certificate;
    switch (kind) {
    case NONE:
        return (Bytes){0};
    case GOOD:
        return staple_make(&root, &root, x, V_OCSP_CERTSTATUS_GOOD, -3600, 3600);
    case REVOKED:
        return staple_make(&root, &root, x, V_OCSP_CERTSTATUS_REVOKED, -3600, 3600);
    case UNKNOWN:
        return staple_make(&root, &root, x, V_OCSP_CERTSTATUS_UNKNOWN, -3600, 3600);
    case OLD:
        return staple_make(&root, &root, x, V_OCSP_CERTSTATUS_GOOD, -2 * DAY, -DAY);
    case EARLY:
        return staple_make(&root, &root, x, V_OCSP_CERTSTATUS_GOOD, 3600, DAY);
    case OPEN:
        return staple_make(&root, &root, x, V_OCSP_CERTSTATUS_GOOD, -60, 0);
    case OPEN_OLD:
        return staple_make(&root, &root, x, V_OCSP_CERTSTATUS_GOOD, -2 * DAY, 0);
    case BY_HELPER:
        return staple_make(&revocable.helper, &root, x, V_OCSP_CERTSTATUS_GOOD, -3600, 3600);
    case BY_OTHER:
        return staple_make(&revocable.other, &root, x, V_OCSP_CERTSTATUS_GOOD, -3600, 3600);
    case BY_UNKNOWN:
        return staple_make(&revocable.unknown, &root, x, V_OCSP_CERTSTATUS_GOOD, -3600, 3600);
    case OF_ANOTHER:
        return staple_make(&root, &root, revocable.other.certificate, V_OCSP_CERTSTATUS_GOOD, -3600, 3600);
    case BROKEN:
        return (Bytes){OPENSSL_memdup("\x30\x03\x0a\x01\x00", 5), 5};
    case LATER:
        return staple_error(OCSP_RESPONSE_STATUS_TRYLATER);
    }
    return (Bytes){0};
}

static const char UNCHECKED[] = "revocation cannot be checked: ";

/* What becomes of a HeMS under if-available and under strict: NULL taken, or the words of the refusal. */
static const struct {
    Crl crl;
    Stapled staple;
    const char *if_available, *strict;
} revocations[] = {
    {CRL_NONE, NONE, NULL,
     "revocation cannot be checked: no stapled OCSP response, and no current CRL of its issuer"},
    {CRL_GOOD, NONE, NULL, NULL},
    {CRL_DER, NONE, NULL, NULL},
    {CRL_REVOKED, NONE, "revoked (CRL)", "revoked (CRL)"},
    {CRL_OLD, NONE, NULL, UNCHECKED},
    {CRL_OLD_REVOKED, NONE, "revoked (CRL)", "revoked (CRL)"},
    {CRL_OTHER, NONE, NULL, UNCHECKED},
    {CRL_FORGED, NONE, NULL, UNCHECKED},
    {CRL_NONE, GOOD, NULL, NULL},
    {CRL_OLD, GOOD, NULL, NULL},
    {CRL_OTHER, GOOD, NULL, NULL},
    {CRL_REVOKED, GOOD, "revoked (CRL)", "revoked (CRL)"},
    {CRL_NONE, REVOKED, "revoked (stapled OCSP response)", "revoked (stapled OCSP response)"},
    {CRL_GOOD, REVOKED, "revoked (stapled OCSP response)", "revoked (stapled OCSP response)"},
    {CRL_NONE, UNKNOWN, NULL, "an OCSP response that does not know the certificate"},
    {CRL_NONE, OLD, NULL, "an OCSP response of another time"},
    {CRL_GOOD, OLD, NULL, NULL},
    {CRL_NONE, EARLY, NULL, "an OCSP response of another time"},
    {CRL_NONE, OPEN, NULL, NULL},
    {CRL_NONE, OPEN_OLD, NULL, "an OCSP response of another time"},
    {CRL_NONE, BY_HELPER, NULL, NULL},
    {CRL_NONE, BY_OTHER, "is not signed by the issuer", "is not signed by the issuer"},
    {CRL_NONE, BY_UNKNOWN, "is not signed by the issuer", "is not signed by the issuer"},
    {CRL_GOOD, BY_UNKNOWN, "is not signed by the issuer", "is not signed by the issuer"},
    {CRL_NONE, OF_ANOTHER, "is about another certificate", "is about another certificate"},
    {CRL_NONE, BROKEN, "stapled OCSP response cannot be read", "stapled OCSP response cannot be read"},
    {CRL_NONE, LATER, NULL, "an OCSP response that is only an error"},
};

static void start_revocable(void) {
    start();
    revocable.hems = identity_make(&(IdentityOptions){.issuer = &root, .san = SAN});
    revocable.other = identity_make(&(IdentityOptions){.issuer = &root, .san = SAN});
    revocable.helper = identity_make(
        &(IdentityOptions){.cn = "Responder", .issuer = &root, .extended_usage = "OCSPSigning"});
    revocable.unknown = identity_make(&(IdentityOptions){.cn = "Other Root", .ca = true});
}

static void stop_revocable(void) {
    identity_free(&revocable.hems);
    identity_free(&revocable.other);
    identity_free(&revocable.helper);
    identity_free(&revocable.unknown);
    stop();
}

static void assert_revocation(size_t i, int version, Revocation policy, const char *says) {
    Bytes staple = make_staple(revocations[i].staple);
    make_crl(revocations[i].crl);
    config.revocation = policy;
    Server s;
    const char *text =
        attempt(&(ServerOptions){.identity = &revocable.hems, .max = version, .staple = staple}, &s);
    ck_assert_msg(says ? strstr(text, says) != NULL : text[0] == 0, "case %zu, policy %d: %s, not %s", i,
                  policy, text, says);
    if (says) {
        assert_refused(text, "certificate of " HOST ": ");
        assert_refused(text, WANTED);
        ck_assert_uint_eq(s.n_requests, 0);
    }
    OPENSSL_free(staple.data);
}

START_TEST(revocation) {
    start_revocable();
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++)
        for (size_t i = 0; i < ARRAY_SIZE(revocations); i++) {
            assert_revocation(i, version, REVOCATION_OFF, NULL);
            assert_revocation(i, version, REVOCATION_IF_AVAILABLE, revocations[i].if_available);
            assert_revocation(i, version, REVOCATION_STRICT, revocations[i].strict);
        }
    stop_revocable();
}
END_TEST

START_TEST(revocation_is_told_in_the_log) {
    const ServerOptions server = {.identity = &revocable.hems};
    start_revocable();
    config.revocation = REVOCATION_IF_AVAILABLE;
    make_crl(CRL_OLD);
    LOG_OF(ck_assert_str_eq(attempt(&server, NULL), ""),
           "the CRL of the issuer of " HOST " does not count: CRL has expired");
    config.crl = "/nonexistent/crl.pem";
    LOG_OF(ck_assert_str_eq(attempt(&server, NULL), ""),
           "CRL /nonexistent/crl.pem cannot be used: No such file or directory");
    file_write_text(crl, "not a CRL\n");
    config.crl = crl;
    LOG_OF(ck_assert_str_eq(attempt(&server, NULL), ""), "crl.pem cannot be used: ");
    config.revocation = REVOCATION_STRICT;
    assert_refused(attempt(&server, NULL), UNCHECKED);
    config.crl = "";
    assert_refused(attempt(&server, NULL), UNCHECKED);
    stop_revocable();
}
END_TEST

START_TEST(a_crl_before_a_broken_one_counts) {
    start_revocable();
    const ServerOptions server = {.identity = &revocable.hems};
    for (int policy = REVOCATION_IF_AVAILABLE; policy <= REVOCATION_STRICT; policy++)
        for (int revoked = 0; revoked < 2; revoked++) {
            config.revocation = policy;
            make_crl(revoked ? CRL_REVOKED : CRL_GOOD);
            FILE *f = fopen(crl, "ae");
            ck_assert_ptr_nonnull(f);
            fputs("-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n", f);
            ck_assert_int_eq(fclose(f), 0);
            LOG_OF((void)attempt(&server, NULL), "cannot be used from a broken one in it on: ");
            if (revoked)
                assert_refused(got.text, "revoked (CRL)");
            else
                ck_assert_str_eq(got.text, "");
        }
    stop_revocable();
}
END_TEST

START_TEST(responses_of_weak_signatures) {
    start_revocable();
    Identity rsa = identity_make(&(IdentityOptions){
        .cn = "Responder", .issuer = &root, .extended_usage = "OCSPSigning", .rsa_bits = 2048});
    Identity weak = identity_make(&(IdentityOptions){
        .cn = "Responder", .issuer = &root, .extended_usage = "OCSPSigning", .sha1 = true});
    const struct {
        const Identity *signer;
        const EVP_MD *hash;
        bool pss;
        const char *says;
    } cases[] = {
        {&root, EVP_sha256(), false, ""},
        {&rsa, EVP_sha256(), false, ""},
        {&rsa, EVP_sha384(), true, ""},
        {&root, EVP_sha1(), false, "is signed with a hash below SHA-256 " WANTED},
        {&rsa, EVP_sha1(), false, "is signed with a hash below SHA-256 " WANTED},
        {&rsa, EVP_sha1(), true, "is signed with a hash below SHA-256 " WANTED},
        {&rsa, EVP_md5(), false, "is signed with a hash below SHA-256 " WANTED},
        {&weak, EVP_sha256(), false, "is not signed by the issuer " WANTED},
    };
    config.revocation = REVOCATION_STRICT;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Bytes staple =
            staple_signed(cases[i].signer, &root, revocable.hems.certificate, cases[i].hash, cases[i].pss);
        attempt(&(ServerOptions){.identity = &revocable.hems, .staple = staple}, NULL);
        ck_assert_msg(cases[i].says[0] ? strstr(got.text, cases[i].says) != NULL : got.text[0] == 0,
                      "case %zu: %s", i, got.text);
        OPENSSL_free(staple.data);
    }
    identity_free(&rsa);
    identity_free(&weak);
    stop_revocable();
}
END_TEST

/* Dates that cannot be judged do not count here either. */
START_TEST(revocation_with_a_clock_that_is_wrong) {
    static const struct {
        Crl crl;
        Stapled staple;
    } good[] = {{CRL_OLD, NONE}, {CRL_NONE, OLD}, {CRL_NONE, EARLY}, {CRL_NONE, OPEN_OLD}};
    start_revocable();
    config.revocation = REVOCATION_STRICT;
    config.clock_floor = USEC_NEVER;
    config.clock_lenient = true;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        Bytes staple = make_staple(good[i].staple);
        make_crl(good[i].crl);
        ck_assert_str_eq(attempt(&(ServerOptions){.identity = &revocable.hems, .staple = staple}, NULL), "");
        OPENSSL_free(staple.data);
    }
    make_crl(CRL_OLD_REVOKED);
    assert_refused(attempt(&(ServerOptions){.identity = &revocable.hems}, NULL), "revoked (CRL)");
    stop_revocable();
}
END_TEST

/* Of CAs above the HeMS's certificate. */
START_TEST(a_revoked_intermediate) {
    start();
    Identity middle = identity_make(&(IdentityOptions){.cn = "Middle", .issuer = &root, .ca = true});
    Identity hems = identity_make(&(IdentityOptions){.issuer = &middle, .san = SAN});
    Bytes staple = staple_make(&middle, &middle, hems.certificate, V_OCSP_CERTSTATUS_GOOD, -3600, 3600);
    const ServerOptions server = {.identity = &hems, .intermediate = &middle, .staple = staple};

    for (int policy = REVOCATION_IF_AVAILABLE; policy <= REVOCATION_STRICT; policy++) {
        bool strict = policy == REVOCATION_STRICT;
        config.revocation = policy;
        config.crl = NULL;
        ck_assert_str_eq(attempt(&server, NULL), "");
        config.crl = crl;
        crl_append(&root, NULL, -DAY, DAY, crl);
        ck_assert_str_eq(attempt(&server, NULL), "");
        ck_assert_int_eq(unlink(crl), 0);
        crl_append(&root, NULL, -2 * DAY, -DAY, crl);
        ck_assert_msg((attempt(&server, NULL)[0] == 0) == !strict, "%s", got.text);
        crl_append(&root, middle.certificate, -DAY, DAY, crl);
        assert_refused(attempt(&server, NULL),
                       "certificate of \"Middle\" (no subjectAltName): revoked (CRL) " WANTED);
        ck_assert_int_eq(unlink(crl), 0);
    }
    OPENSSL_free(staple.data);
    identity_free(&middle);
    identity_free(&hems);
    stop();
}
END_TEST

/* Sessions -------------------------------------------------------------------------------------------- */

START_TEST(our_own_files) {
    char other[128];
    start();
    Identity hems = identity_make(&(IdentityOptions){.issuer = &root, .san = SAN});
    const ServerOptions server = {.identity = &hems, .clients = &root};
    path_of(other, "other");

    config.ca = "/nonexistent/ca.pem";
    assert_refused(attempt(&server, NULL),
                   "CA file /nonexistent/ca.pem cannot be used for TLS: No such file or directory");
    config.ca = key; /* no certificate in it */
    assert_refused(attempt(&server, NULL), "henb-key.pem cannot be used for TLS: ");
    config.ca = ca;
    config.certificate = "/nonexistent/henb.pem";
    assert_refused(attempt(&server, NULL),
                   "certificate /nonexistent/henb.pem cannot be used for TLS: No such");
    config.certificate = certificate;
    config.key = "/nonexistent/key.pem";
    assert_refused(attempt(&server, NULL), "key /nonexistent/key.pem cannot be used for TLS: No such");
    identity_save_key(&hems, other, NULL);
    config.key = other;
    assert_refused(attempt(&server, NULL), "other cannot be used for TLS: key values mismatch");
    identity_save_key(&device, other, "secret");
    assert_refused(attempt(&server, NULL), "other cannot be used for TLS: ");
    config.key = key;
    ck_assert_str_eq(attempt(&server, NULL), "");
    identity_free(&hems);
    stop();
}
END_TEST

START_TEST(a_hems_that_does_not_accept_us) {
    start();
    Identity other = identity_make(&(IdentityOptions){.cn = "Their Root", .ca = true});
    Identity hems = identity_make(&(IdentityOptions){.issuer = &root, .san = SAN});
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++)
        assert_refused(attempt(&(ServerOptions){.identity = &hems, .max = version, .clients = &other}, NULL),
                       "the HeMS (" HOST ") does not accept this box's certificate: TLS alert unknown CA");
    identity_free(&other);
    identity_free(&hems);
    stop();
}
END_TEST

START_TEST(one_connection_a_session_and_none_resumed) {
    start();
    Identity hems = identity_make(&(IdentityOptions){.issuer = &root, .san = SAN});
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++)
        for (int close_each = 0; close_each < 2; close_each++) {
            Server *s = server_start(&(ServerOptions){
                .identity = &hems, .max = version, .clients = &root, .close_each = close_each});
            open_to(s, HOST);
            for (int i = 0; i < 3; i++) {
                post();
                ck_assert_str_eq(got.text, "");
            }
            cwmp_io_close(io);
            server_stop(s);
            ck_assert_uint_eq(s->n_requests, 3);
            ck_assert_uint_eq(s->n_connections, close_each ? 3 : 1);
            ck_assert_uint_eq(s->n_handshakes, s->n_connections);
            ck_assert_uint_eq(s->n_resumed, 0);
            server_free(s);
        }
    identity_free(&hems);
    stop();
}
END_TEST

/* In clear, or by somebody who speaks something else. */
START_TEST(no_tls_at_all) {
    static const char plain[] = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
    start();
    const ServerOptions server = {.raw = plain, .raw_size = strlen(plain)};
    ck_assert_str_ne(attempt(&server, NULL), "");
    ck_assert_int_eq(got.error, -EPROTO);
    const ServerOptions closes = {.raw = "", .raw_size = 0};
    ck_assert_str_ne(attempt(&closes, NULL), "");

    Server *s = server_start(&server);
    server_stop(s);
    open_to(s, HOST);
    post();
    ck_assert_int_eq(got.error, -ECONNREFUSED);
    server_free(s);
    stop();
}
END_TEST

SUITE("tls", a_good_hems, names, only_the_configured_roots, what_a_certificate_must_be_like,
      dates_and_the_clock, versions_and_suites, an_openssl_conf_that_allows_everything, revocation,
      revocation_is_told_in_the_log, a_crl_before_a_broken_one_counts, responses_of_weak_signatures,
      revocation_with_a_clock_that_is_wrong, a_revoked_intermediate, our_own_files,
      a_hems_that_does_not_accept_us, one_connection_a_session_and_none_resumed, no_tls_at_all)
