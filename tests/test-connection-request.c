/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Connection requests as a HeMS makes them, and as it should not (TR-069 3.2.2). */
#include <ctype.h>
#include <stdio.h>

#include "base/macro.h"
#include "cwmp/connection-request.h"
#include "seeded.h"
#include "suite.h"

#define PATH "0123456789abcdef0123456789abcdef"
#define USER "00A0BC-1"
#define WORD "let me in"

static ConnectionRequest *request;
static ConnectionRequestAnswer answer;
static usec_t now;
static uint64_t state;

static void start(void) {
    const Rng rng = seeded_rng(&state, 7);
    now = 1000 * USEC_PER_SEC;
    ck_assert_int_eq(connection_request_new(&request, PATH, &rng), 0);
    connection_request_set_credentials(request, USER, WORD);
}

static void stop(void) {
    connection_request_free(request);
}

static void ask_with(const char *method, const char *target, const char *authorization) {
    const ConnectionRequestQuery query = {method, target, authorization,
                                          authorization ? strlen(authorization) : 0};
    ck_assert_int_eq(connection_request_answer(request, now, &query, &answer), 0);
    ck_assert_int_eq(answer.start, answer.status == 200);
}

static void ask(const char *authorization) {
    ask_with("GET", "/" PATH, authorization);
}

static bool challenged_stale(void) {
    ck_assert_uint_eq(answer.status, 401);
    ck_assert_str_eq(answer.header, "WWW-Authenticate");
    return strstr(answer.value, ", stale=true") != NULL;
}

/* What a client makes of credentials and a nonce; *qop* NULL: without. */
typedef struct Client {
    DigestAlgorithm algorithm;
    const char *username, *password, *method, *uri, *realm, *qop;
} Client;

static const Client good = {DIGEST_MD5, USER, WORD, "GET", "/" PATH, CONNECTION_REQUEST_REALM, "auth"};

static const char *nonce_new(void) {
    static char nonce[128];
    AuthFields fields;
    ask(NULL);
    ck_assert(!challenged_stale());
    ck_assert_int_eq(auth_parse(answer.value, strlen(answer.value), 0, &fields), 0);
    ck_assert_str_eq(fields.scheme, "Digest");
    ck_assert_str_eq(fields.qop, "auth");
    ck_assert_str_eq(fields.algorithm, "MD5");
    snprintf(nonce, sizeof nonce, "%s", fields.nonce);
    return nonce;
}

static const char *credentials_with(const Client *client, const char *nonce, const char *nc,
                                    const char *format) {
    static char line[2048];
    char response[DIGEST_HEX_MAX];
    const DigestInput input = {client->algorithm, client->username, client->realm, client->password,
                               client->method,    client->uri,      nonce,         nc,
                               "0a4f113b",        client->qop};
    ck_assert_int_eq(digest_response(&input, response), 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(line, sizeof line, format, client->username, client->realm, nonce, client->uri, response, nc);
#pragma GCC diagnostic pop
    return line;
}

#define BARE "Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"%s\", response=\"%s\""

static const char *credentials(const Client *client, const char *nonce, const char *nc) {
    return credentials_with(client, nonce, nc,
                            client->qop ? BARE ", qop=auth, nc=%s, cnonce=\"0a4f113b\"" : BARE);
}

START_TEST(expectation_38_answers) {
    static const char *const elsewhere[] = {"/",
                                            "/" PATH "/",
                                            "/" PATH "?x",
                                            "",
                                            "*",
                                            PATH,
                                            "/favicon.ico",
                                            "http://192.0.2.1",
                                            "http://192.0.2.1/",
                                            "ftp://a/" PATH};
    static const char *const methods[] = {"POST", "HEAD", "OPTIONS", "get", "CONNECT"};
    start();
    for (size_t i = 0; i < ARRAY_SIZE(elsewhere); i++) {
        ask_with("GET", elsewhere[i], credentials(&good, nonce_new(), "00000001"));
        ck_assert_msg(answer.status == 404 && !answer.header, "%s", elsewhere[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        Client client = good;
        client.method = methods[i];
        ask_with(methods[i], "/" PATH, credentials(&client, nonce_new(), "00000001"));
        ck_assert_uint_eq(answer.status, 405);
        ck_assert_str_eq(answer.header, "Allow");
        ck_assert_str_eq(answer.value, "GET");
    }
    ask(credentials(&good, nonce_new(), "00000001"));
    ck_assert_uint_eq(answer.status, 200);
    ck_assert_ptr_null(answer.header);
    stop();
}
END_TEST

START_TEST(expectation_38_nobody_without_the_password) {
    Client clients[7];
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
        clients[i] = good;
    clients[0].username = "00A0BC-2";
    clients[1].password = "let me out";
    clients[2].realm = "another";
    clients[3].method = "POST";
    clients[4].uri = "/";
    clients[5].uri = "/" PATH "x";
    clients[6].password = "";
    start();
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
        ask(credentials(&clients[i], nonce_new(), "00000001"));
        ck_assert_msg(!challenged_stale(), "%zu", i);
    }
    static const char *const broken[] = {"", "Basic MDBBMEJDLTE6bGV0IG1lIGlu", "Digest", "Digest username=\"",
                                         "Digest username=\"" USER "\", realm=\"" CONNECTION_REQUEST_REALM
                                         "\""};
    for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
        ask(broken[i]);
        ck_assert(!challenged_stale());
    }
    /* A password that is not set, or that is too long to be one, lets nobody in. */
    static char longest[CONNECTION_REQUEST_SECRET + 1];
    memset(longest, 'x', sizeof longest - 1);
    const char *const none[] = {"", longest};
    for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
        Client client = good;
        client.username = client.password = none[i];
        connection_request_set_credentials(request, none[i], none[i]);
        ask(credentials(&client, nonce_new(), "00000001"));
        ck_assert(!challenged_stale());
    }
    connection_request_set_credentials(request, "other", "word");
    ask(credentials(&good, nonce_new(), "00000001"));
    ck_assert(!challenged_stale());
    Client other = good;
    other.username = "other";
    other.password = "word";
    ask(credentials(&other, nonce_new(), "00000001"));
    ck_assert_uint_eq(answer.status, 200);
    stop();
}
END_TEST

START_TEST(expectation_38_more_than_the_limit) {
    start();
    for (size_t i = 0; i < 100; i++) { /* what is refused does not count */
        ask(credentials(&(Client){DIGEST_MD5, USER, "", "GET", "/" PATH, CONNECTION_REQUEST_REALM, "auth"},
                        nonce_new(), "00000001"));
        ck_assert_uint_eq(answer.status, 401);
    }
    for (size_t i = 0; i < CONNECTION_REQUEST_MAX; i++) {
        ask(credentials(&good, nonce_new(), "00000001"));
        ck_assert_uint_eq(answer.status, 200);
        now += USEC_PER_SEC;
    }
    ask(credentials(&good, nonce_new(), "00000001"));
    ck_assert_uint_eq(answer.status, 503);
    ck_assert_str_eq(answer.header, "Retry-After");
    ck_assert_str_eq(answer.value, "50");
    now += 50 * USEC_PER_SEC - 1;
    ask(credentials(&good, nonce_new(), "00000001"));
    ck_assert_str_eq(answer.value, "1");
    now++;
    ask(credentials(&good, nonce_new(), "00000001"));
    ck_assert_uint_eq(answer.status, 200);
    ask(credentials(&good, nonce_new(), "00000001"));
    ck_assert_uint_eq(answer.status, 503);
    stop();
}
END_TEST

START_TEST(expectation_39_digests_that_are_taken) {
    static const char *const formats[] = {
        BARE ", qop=auth, nc=%s, cnonce=\"0a4f113b\"",
        BARE ", qop=\"auth\", nc=\"%s\", cnonce=\"0a4f113b\", algorithm=MD5, opaque=\"\"",
        BARE ", qop=auth, nc=%s, cnonce=0a4f113b, algorithm=\"MD5\"",
        "digest USERNAME=\"%s\",REALM=\"%s\",NONCE=\"%s\",URI=\"%s\",RESPONSE=\"%s\",QOP=auth,NC=%s,CNONCE="
        "\"0a4f113b\",ALGORITHM=md5",
    };
    static const char *const uris[] = {"/" PATH, "http://192.0.2.1:7547/" PATH, "HTTP://[2001:db8::1]/" PATH};
    start();
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
        for (size_t k = 0; k < ARRAY_SIZE(uris); k++) {
            Client client = good;
            client.uri = uris[k];
            ask_with("GET", uris[(k + i) % 3],
                     credentials_with(&client, nonce_new(), "00000001", formats[i]));
            ck_assert_msg(answer.status == 200, "%s, %s", formats[i], uris[k]);
            now += CONNECTION_REQUEST_PERIOD;
        }
    Client client = good;
    client.qop = NULL;
    ask(credentials(&client, nonce_new(), ""));
    ck_assert_uint_eq(answer.status, 200);
    client = good;
    client.algorithm = DIGEST_SHA_256;
    ask(credentials_with(&client, nonce_new(), "00000001",
                         BARE ", qop=auth, nc=%s, cnonce=\"0a4f113b\", algorithm=SHA-256"));
    ck_assert_uint_eq(answer.status, 200);
    char upper[2048];
    snprintf(upper, sizeof upper, "%s", credentials(&good, nonce_new(), "00000001"));
    for (char *c = strstr(upper, "response=\"") + strlen("response=\""); *c != '"'; c++)
        *c = (char)toupper(*c);
    ask(upper);
    ck_assert_uint_eq(answer.status, 200);
    stop();
}
END_TEST

START_TEST(expectation_39_an_old_nonce_is_stale) {
    char nonce[128], other[128];
    start();
    snprintf(nonce, sizeof nonce, "%s", nonce_new());
    now += CONNECTION_REQUEST_NONCE - 1;
    ask(credentials(&good, nonce, "00000001"));
    ck_assert_uint_eq(answer.status, 200);
    now++;
    ask(credentials(&good, nonce, "00000002"));
    ck_assert(challenged_stale());
    ask(credentials(&(Client){DIGEST_MD5, USER, "x", "GET", "/" PATH, CONNECTION_REQUEST_REALM, "auth"},
                    nonce, "00000003"));
    ck_assert(!challenged_stale()); /* who does not know the password learns nothing about it */
    ask(credentials(&good, "of another life", "00000001"));
    ck_assert(challenged_stale());
    snprintf(other, sizeof other, "%s", nonce_new());
    for (size_t i = 0; i < strlen(other); i++) { /* forged in any place */
        snprintf(nonce, sizeof nonce, "%s", other);
        nonce[i] = nonce[i] == '0' ? '1' : '0';
        ask(credentials(&good, nonce, "00000001"));
        ck_assert(challenged_stale());
    }
    ask(credentials(&good, other, "00000001"));
    ck_assert_uint_eq(answer.status, 200);
    stop();
}
END_TEST

START_TEST(expectation_39_a_count_is_good_once) {
    static const struct {
        const char *nc;
        bool taken;
    } counts[] = {{"00000001", true}, {"00000001", false}, {"00000003", true}, {"00000002", false},
                  {"0000000a", true}, {"0000000A", false}, {"0000000B", true}, {"00000000", false}};
    start();
    char nonce[128];
    snprintf(nonce, sizeof nonce, "%s", nonce_new());
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        ask(credentials(&good, nonce, counts[i].nc));
        ck_assert_msg(answer.status == (counts[i].taken ? 200 : 401), "%zu", i);
    }
    static const char *const none[] = {"1", "0000000g", "ffffffff", "000000001", ""};
    for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
        ask(credentials(&good, nonce, none[i]));
        ck_assert(!challenged_stale());
    }
    Client bare = good; /* without a count the nonce itself is */
    bare.qop = NULL;
    snprintf(nonce, sizeof nonce, "%s", nonce_new());
    ask(credentials(&bare, nonce, ""));
    ck_assert_uint_eq(answer.status, 200);
    ask(credentials(&bare, nonce, ""));
    ck_assert(challenged_stale());
    ask(credentials(&good, nonce, "00000001"));
    ck_assert(challenged_stale());
    stop();
}
END_TEST

/* More nonces than are remembered: none becomes good again by being forgotten. */
START_TEST(expectation_39_forgotten_nonces_are_stale) {
    enum { N = 3 * CONNECTION_REQUEST_NONCES };
    char nonces[N][128];
    start();
    for (size_t i = 0; i < N; i++, now++)
        snprintf(nonces[i], sizeof nonces[i], "%s", nonce_new());
    for (size_t i = 0; i < N; i++) {
        size_t k = i * 7 % N; /* in no order */
        ask(credentials(&good, nonces[k], "00000001"));
        ck_assert(answer.status == 200 || answer.status == 503 || challenged_stale());
    }
    now += CONNECTION_REQUEST_PERIOD;
    for (size_t i = 0; i < N; i++) {
        ask(credentials(&good, nonces[i], "00000001"));
        ck_assert(challenged_stale());
    }
    stop();
}
END_TEST

START_TEST(expectation_42_urls) {
    char url[URL_MAX_BYTES];
    ck_assert_str_eq(connection_request_url(&(Endpoint){address("192.0.2.7"), 7547}, PATH, url),
                     "http://192.0.2.7:7547/" PATH);
    ck_assert_str_eq(connection_request_url(&(Endpoint){address("2001:db8::7"), 80}, PATH, url),
                     "http://[2001:db8::7]:80/" PATH);
}
END_TEST

START_TEST(paths_that_are_none) {
    static const char *const bad[] = {"", "/", "a/b", "a?b", "a b", "\xc3\xa4", PATH PATH "x"};
    const Rng rng = seeded_rng(&state, 7);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        ck_assert_msg(connection_request_new(&request, bad[i], &rng) == -EINVAL, "%s", bad[i]);
}
END_TEST

SUITE("connection-request", expectation_38_answers, expectation_38_nobody_without_the_password,
      expectation_38_more_than_the_limit, expectation_39_digests_that_are_taken,
      expectation_39_an_old_nonce_is_stale, expectation_39_a_count_is_good_once,
      expectation_39_forgotten_nonces_are_stale, expectation_42_urls, paths_that_are_none)
