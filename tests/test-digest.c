/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HTTP authentication: vectors of RFC 2617 3.5, RFC 2069 2.4 (as corrected) and RFC 7616 3.9.1, and headers
 * as they come. */
#include <errno.h>

#include "base/macro.h"
#include "cwmp/digest.h"
#include "suite.h"

#define FIRST_NONCE  "dcd98b7102dd2f0e8b11d0f600bfb0c093"
#define LATER_NONCE  "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
#define LATER_CNONCE "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"

static AuthFields fields;

static int parse(const char *text, size_t n) {
    return auth_parse(text, strlen(text), n, &fields);
}

START_TEST(vectors_of_the_rfcs) {
    static const struct {
        DigestInput input;
        const char *response;
    } vectors[] = {
        {{DIGEST_MD5, "Mufasa", "testrealm@host.com", "Circle Of Life", "GET", "/dir/index.html", FIRST_NONCE,
          "00000001", "0a4f113b", "auth"},
         "6629fae49393a05397450978507c4ef1"},
        {{DIGEST_MD5, "Mufasa", "testrealm@host.com", "Circle Of Life", "GET", "/dir/index.html",
          FIRST_NONCE},
         "670fd8c2df070c60b045671b8b24ff02"},
        {{DIGEST_MD5, "Mufasa", "http-auth@example.org", "Circle of Life", "GET", "/dir/index.html",
          LATER_NONCE, "00000001", LATER_CNONCE, "auth"},
         "8ca523f5e9506fed4657c9700eebdbec"},
        {{DIGEST_SHA_256, "Mufasa", "http-auth@example.org", "Circle of Life", "GET", "/dir/index.html",
          LATER_NONCE, "00000001", LATER_CNONCE, "auth"},
         "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
    };
    char response[DIGEST_HEX_MAX];
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        ck_assert_int_eq(digest_response(&vectors[i].input, response), 0);
        ck_assert_str_eq(response, vectors[i].response);
        ck_assert(digest_equal(response, vectors[i].response));
        response[5] ^= 1;
        ck_assert(!digest_equal(response, vectors[i].response));
    }
    ck_assert(!digest_equal("a", "ab"));
}
END_TEST

/* Expectation 39: quotes or none, any case, an empty opaque, white space and commas as they come. */
START_TEST(expectation_39_spellings_of_credentials) {
    static const char *const same[] = {
        "Digest username=\"a\", realm=\"r\", nonce=\"n\", uri=\"/x\", qop=auth, nc=00000001, cnonce=\"c\", "
        "response=\"0\", algorithm=MD5, opaque=\"\"",
        "DIGEST "
        "USERNAME=\"a\",Realm=\"r\",NONCE=\"n\",uri=\"/"
        "x\",QOP=\"auth\",NC=\"00000001\",cnonce=\"c\",Response="
        "\"0\",Algorithm=\"MD5\",opaque=\"\"",
        " digest\tusername = \"a\" realm=r nonce=n uri=/x qop=auth nc=00000001 cnonce=c response=0 ,, "
        "algorithm=md5 opaque=,",
        "Digest username=\"\\a\", realm=\"r\", nonce=\"n\", uri=\"/x\", x-more=\"a, \\\"b\\\"\", "
        "qop=\"auth\", "
        "nc=00000001, cnonce=\"c\", response=\"0\", algorithm=MD5, opaque=\"\"",
    };
    DigestAlgorithm algorithm = DIGEST_SHA_256;
    for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
        ck_assert_msg(parse(same[i], 0) == 0, "%s", same[i]);
        ck_assert_int_eq(auth_digest_algorithm(&fields, &algorithm), 0);
        ck_assert_int_eq(algorithm, DIGEST_MD5);
        ck_assert_str_eq(fields.username, "a");
        ck_assert_str_eq(fields.realm, "r");
        ck_assert_str_eq(fields.nonce, "n");
        ck_assert_str_eq(fields.uri, "/x");
        ck_assert_str_eq(fields.qop, "auth");
        ck_assert_str_eq(fields.nc, "00000001");
        ck_assert_str_eq(fields.cnonce, "c");
        ck_assert_str_eq(fields.response, "0");
        ck_assert_str_eq(fields.opaque, "");
        ck_assert_ptr_null(fields.stale);
    }
    ck_assert_int_eq(parse("Digest uri=/x?a=b==&c", 0), 0);
    ck_assert_str_eq(fields.uri, "/x?a=b==&c");
}
END_TEST

START_TEST(headers_that_are_refused) {
    static const char *const bad[] = {
        "Digest username=\"a", "Digest username=\"a\\",  "Digest nonce=1, nonce=2",
        "realm=\"x\"",         "Digest username=\"\n\"", "Digest \"x\"",
        "Digest =x",           "Digest a=\x01",          "\x7f",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        ck_assert_msg(parse(bad[i], 0) == -EBADMSG, "%s", bad[i]);
    ck_assert_int_eq(auth_parse("Digest a=\"\0\"", 12, 0, &fields), -EBADMSG);
    ck_assert_int_eq(parse("", 0), -ENOENT);
    ck_assert_int_eq(parse(" ,\t,", 0), -ENOENT);

    char longest[AUTH_HEADER_MAX + 1];
    memset(longest, 'x', sizeof longest);
    ck_assert_int_eq(auth_parse(longest, AUTH_HEADER_MAX, 0, &fields), 0);
    ck_assert_int_eq(auth_parse(longest, AUTH_HEADER_MAX + 1, 0, &fields), -EBADMSG);
    longest[AUTH_HEADER_MAX - 1] = '=';
    ck_assert_int_eq(auth_parse(longest, AUTH_HEADER_MAX, 0, &fields), -EBADMSG);
    memcpy(longest, "D ", 2);
    ck_assert_int_eq(auth_parse(longest, AUTH_HEADER_MAX, 0, &fields), 0);
    for (size_t i = 2; i < AUTH_HEADER_MAX; i++)
        longest[i] = i % 2 ? ' ' : 'x';
    ck_assert_int_eq(auth_parse(longest, 2 * AUTH_ELEMENTS_MAX, 0, &fields), 0);
    ck_assert_int_eq(auth_parse(longest, 2 * AUTH_ELEMENTS_MAX + 2, 0, &fields), -EBADMSG);
}
END_TEST

START_TEST(challenges_in_one_header) {
    static const char header[] =
        "Negotiate abc==, Basic realm=\"b\", Digest realm=\"d, e\", qop=\"auth-int,auth\", "
        "nonce=\"1\", stale=TRUE Digest algorithm=SHA-512-256, nonce=2";
    DigestAlgorithm algorithm;
    /* The word behind Negotiate passes for a parameter that nobody knows. */
    ck_assert_int_eq(parse(header, 0), 0);
    ck_assert_str_eq(fields.scheme, "Negotiate");
    ck_assert_ptr_null(fields.realm);
    ck_assert_int_eq(parse(header, 1), 0);
    ck_assert(auth_is_basic(&fields));
    ck_assert_str_eq(fields.realm, "b");
    ck_assert_int_eq(auth_digest_algorithm(&fields, &algorithm), -ENOENT);
    ck_assert_int_eq(parse(header, 2), 0);
    ck_assert(!auth_is_basic(&fields));
    ck_assert_int_eq(auth_digest_algorithm(&fields, &algorithm), 0);
    ck_assert_str_eq(fields.realm, "d, e");
    ck_assert(auth_is_stale(&fields));
    ck_assert(auth_qop_fits(fields.qop));
    ck_assert_int_eq(parse(header, 3), 0);
    ck_assert_int_eq(auth_digest_algorithm(&fields, &algorithm), -ENOENT);
    ck_assert(!auth_is_stale(&fields));
    ck_assert_int_eq(parse(header, 4), -ENOENT);

    ck_assert(auth_qop_fits(NULL));
    ck_assert(auth_qop_fits("AUTH"));
    ck_assert(!auth_qop_fits("auth-int, authx"));
    ck_assert(!auth_qop_fits(""));
}
END_TEST

START_TEST(authorizations_are_written) {
    const DigestInput input = {DIGEST_MD5, "Mufa\"sa", "r",        "p", "POST",
                               "/acs",     "n\\n",     "00000001", "c", "auth"};
    char line[AUTH_HEADER_MAX], expected[DIGEST_HEX_MAX];
    AuthFields read;

    ck_assert_int_eq(parse("Digest realm=r, nonce=x, algorithm=MD5, opaque=\"o,o\", qop=auth", 0), 0);
    ck_assert_int_eq(digest_authorization(&fields, &input, line), 0);
    ck_assert_ptr_nonnull(strstr(line, ", qop=auth, nc=00000001, cnonce=\"c\""));
    ck_assert_ptr_nonnull(strstr(line, ", algorithm=MD5, opaque=\"o,o\""));
    ck_assert_int_eq(auth_parse(line, strlen(line), 0, &read), 0);
    ck_assert_int_eq(digest_response(&input, expected), 0);
    ck_assert_str_eq(read.response, expected);
    ck_assert_str_eq(read.username, "Mufa\"sa");
    ck_assert_str_eq(read.nonce, "n\\n");
    ck_assert_str_eq(read.opaque, "o,o");

    ck_assert_int_eq(parse("Digest realm=r, nonce=x", 0), 0);
    DigestInput bare = input;
    bare.qop = NULL;
    ck_assert_int_eq(digest_authorization(&fields, &bare, line), 0);
    ck_assert_ptr_null(strstr(line, "qop"));
    ck_assert_ptr_null(strstr(line, "algorithm"));
    bare.username = "a\r\nX: y";
    ck_assert_int_eq(digest_authorization(&fields, &bare, line), -EINVAL);
    char longest[AUTH_HEADER_MAX];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    bare.username = longest;
    ck_assert_int_eq(digest_authorization(&fields, &bare, line), -E2BIG);
}
END_TEST

/* RFC 7617 2, RFC 4648 10. */
START_TEST(basic_is_written) {
    static const struct {
        const char *username, *password, *line;
    } vectors[] = {{"Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
                   {"", "", "Basic Og=="},
                   {"a", "", "Basic YTo="},
                   {"a", "b", "Basic YTpi"}};
    char line[AUTH_HEADER_MAX];
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        ck_assert_int_eq(basic_authorization(vectors[i].username, vectors[i].password, line), 0);
        ck_assert_str_eq(line, vectors[i].line);
    }
    ck_assert_int_eq(basic_authorization("a:b", "c", line), -EINVAL);
    ck_assert_int_eq(basic_authorization("a", "\n", line), -EINVAL);
    char longest[AUTH_HEADER_MAX];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    ck_assert_int_eq(basic_authorization(longest, "", line), -E2BIG);
}
END_TEST

SUITE("digest", vectors_of_the_rfcs, expectation_39_spellings_of_credentials, headers_that_are_refused,
      challenges_in_one_header, authorizations_are_written, basic_is_written)
