/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of hosts and URLs: what is taken, what is not, and the words for why not. */
#include <check.h>

#include "base/macro.h"
#include "base/url.h"
#include "suite.h"

#define TEN      "abcdefghij"
#define LABEL_63 TEN TEN TEN TEN TEN TEN "abc"
#define NAME_253 LABEL_63 "." LABEL_63 "." LABEL_63 "." TEN TEN TEN TEN TEN TEN "a"

START_TEST(hosts) {
    static const char *const good[] = {
        "segw.operator.example",
        "a",
        "A-1.Example",
        "3com.example", /* RFC 1123 2.1: a digit may come first */
        "1.2.3.4.example",
        "1.2.3.x4",
        "a--b.example",
        LABEL_63 ".example",
        NAME_253,
        "192.0.2.1",
        "127.0.0.1",
        "2001:db8::1",
        "::ffff:192.0.2.1",
        "fe80::1",
    };
    static const char *const bad[] = {
        "",
        ".",
        "a..b",
        ".a",
        "segw.example.",  /* a second spelling */
        "segw_1.example", /* no name of a host */
        "-a.example",
        "a-.example",
        "a.-b",
        "example-",
        "a b",
        " a",
        "a\n",
        "a\tb",
        "a\x7f",
        "a\001b",
        "h\xc3\xb6me.example",
        "a/b",
        "a:7547",
        "a@b",
        "*.example",
        LABEL_63 "d.example",
        NAME_253 "b",
        "192.0.2.300", /* meant to be addresses */
        "192.0.2",
        "1",
        "example.1",
        "192.0.2.1.",
        "192.0.2.01",
        "192.0.2.1 ",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "255.255.255.255",
        "ff02::1",
        "[2001:db8::1]",
        "2001:db8::1%eth0",
        "2001:db8::g",
        ":::",
    };
    ck_assert_uint_eq(strlen(NAME_253), 253);
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        ck_assert_msg(host_is_valid(good[i]), "\"%s\"", good[i]);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        ck_assert_msg(!host_is_valid(bad[i]), "\"%s\"", bad[i]);
}
END_TEST

START_TEST(good_urls) {
    static const struct {
        const char *url;
        bool tls;
        const char *host;
        uint16_t port;
        const char *authority, *path;
    } cases[] = {
        {"http://hems.example", false, "hems.example", 80, "hems.example", ""},
        {"http://hems.example/", false, "hems.example", 80, "hems.example/", "/"},
        {"https://hems.example/a?b=c/d", true, "hems.example", 443, "hems.example/a?b=c/d", "/a?b=c/d"},
        {"HTTP://Hems:7547/", false, "Hems", 7547, "Hems:7547/", "/"},
        {"hTTps://hems:1", true, "hems", 1, "hems:1", ""},
        {"http://hems:65535/", false, "hems", 65535, "hems:65535/", "/"},
        {"http://hems:007547/", false, "hems", 7547, "hems:007547/", "/"},
        {"http://hems?x=1", false, "hems", 80, "hems?x=1", "?x=1"},
        {"http://192.0.2.1:8080/", false, "192.0.2.1", 8080, "192.0.2.1:8080/", "/"},
        {"http://[2001:db8::1]", false, "2001:db8::1", 80, "[2001:db8::1]", ""},
        {"http://[2001:db8::1]:8080/x", false, "2001:db8::1", 8080, "[2001:db8::1]:8080/x", "/x"},
        {"http://[::ffff:192.0.2.1]/", false, "::ffff:192.0.2.1", 80, "[::ffff:192.0.2.1]/", "/"},
        {"http://hems/a@b:c[d]%20~!$&'()*+,;=", false, "hems", 80,
         "hems/a@b:c[d]%20~!$&'()*+,;=", "/a@b:c[d]%20~!$&'()*+,;="},
        {"http://" NAME_253 ":7547/", false, NAME_253, 7547, NAME_253 ":7547/", "/"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *why = NULL;
        Url url;
        int r = url_parse(cases[i].url, &url, &why);
        ck_assert_msg(r == 0, "%s: %d, %s", cases[i].url, r, why);
        ck_assert_ptr_null(why);
        ck_assert(url.tls == cases[i].tls);
        ck_assert_str_eq(url.host, cases[i].host);
        ck_assert_uint_eq(url.port, cases[i].port);
        ck_assert_str_eq(url.authority, cases[i].authority);
        ck_assert_str_eq(url.path, cases[i].path);
        ck_assert(url.path >= cases[i].url && url.path <= cases[i].url + strlen(cases[i].url));
    }
}
END_TEST

#define NOT_HTTP  "a URL that is neither http: nor https:"
#define NO_URL    "not a URL"
#define CHARACTER "the URL holds a character that has no place in one"
#define SECRET    "a user name or password in the URL"
#define HOST      "the host of the URL is not a name or address"
#define PORT      "the port of the URL is not a number from 1 to 65535"

START_TEST(bad_urls) {
    static const struct {
        const char *url;
        int error;
        const char *why;
    } cases[] = {
        {"", -EINVAL, NO_URL},
        {"hems.example", -EINVAL, NO_URL},
        {"http:hems", -EINVAL, NO_URL},
        {"http:/hems", -EINVAL, NO_URL},
        {" http://hems/", -EPROTONOSUPPORT, NOT_HTTP},
        {"ftp://hems/", -EPROTONOSUPPORT, NOT_HTTP},
        {"httpss://hems/", -EPROTONOSUPPORT, NOT_HTTP},
        {"://hems/", -EPROTONOSUPPORT, NOT_HTTP},
        {"http://hems/a b", -EINVAL, CHARACTER},
        {"http://hems/ ", -EINVAL, CHARACTER},
        {"http://hems /", -EINVAL, CHARACTER},
        {"http://hems/\r\nX: y", -EINVAL, CHARACTER},
        {"http://hems/\t", -EINVAL, CHARACTER},
        {"http://hems/\001", -EINVAL, CHARACTER},
        {"http://hems/\x7f", -EINVAL, CHARACTER},
        {"http://h\xc3\xb6me/", -EINVAL, CHARACTER},
        {"http://hems/\xff", -EINVAL, CHARACTER},
        {"http://hems/#top", -EINVAL, CHARACTER},
        {"http://hems\\@evil/", -EINVAL, CHARACTER},
        {"http://hems/{x}", -EINVAL, CHARACTER},
        {"http://hems/\"", -EINVAL, CHARACTER},
        {"http://hems/<x>", -EINVAL, CHARACTER},
        {"http://user:password@hems/", -EINVAL, SECRET},
        {"http://user@hems", -EINVAL, SECRET},
        {"http://@hems/", -EINVAL, SECRET},
        {"http://user@[2001:db8::1]/", -EINVAL, SECRET},
        {"http://", -EINVAL, HOST},
        {"http:///acs", -EINVAL, HOST},
        {"http://?x", -EINVAL, HOST},
        {"http://:80/", -EINVAL, HOST},
        {"http://hems_1.example/", -EINVAL, HOST},
        {"http://hems.example./", -EINVAL, HOST},
        {"http://192.0.2.300/", -EINVAL, HOST},
        {"http://0.0.0.0/", -EINVAL, HOST},
        {"http://[ff02::1]/", -EINVAL, HOST},
        {"http://[]/", -EINVAL, HOST},
        {"http://[hems]/", -EINVAL, HOST},
        {"http://[192.0.2.1]/", -EINVAL, HOST},
        {"http://[2001:db8::1", -EINVAL, HOST},
        {"http://[2001:db8::1/]", -EINVAL, HOST},
        {"http://[2001:db8::1]x/", -EINVAL, HOST},
        {"http://[2001:db8::1]]/", -EINVAL, HOST},
        {"http://[[2001:db8::1]]/", -EINVAL, HOST},
        {"http://[2001:db8::1%25eth0]/", -EINVAL, HOST},
        {"http://2001:db8::1]/", -EINVAL, PORT},
        {"http://" NAME_253 "b/", -EINVAL, HOST},
        {"http://" NAME_253 NAME_253 "/", -EINVAL, HOST},
        {"http://2001:db8::1/", -EINVAL, PORT},
        {"http://hems:/", -EINVAL, PORT},
        {"http://[2001:db8::1]:", -EINVAL, PORT},
        {"http://hems:0/", -EINVAL, PORT},
        {"http://hems:65536/", -EINVAL, PORT},
        {"http://hems:4294967376/", -EINVAL, PORT}, /* 80 in 32 bits */
        {"http://hems:+80/", -EINVAL, PORT},
        {"http://hems:-1/", -EINVAL, PORT},
        {"http://hems:80a/", -EINVAL, PORT},
        {"http://hems:80:80/", -EINVAL, PORT},
        {"http://hems:99999999999999999999/", -EINVAL, PORT},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const Url untouched = {.port = 7, .host = "untouched"};
        Url url = untouched;
        const char *why = NULL;
        int r = url_parse(cases[i].url, &url, &why);
        ck_assert_msg(r == cases[i].error, "\"%s\": %d", cases[i].url, r);
        ck_assert_msg(streq(why, cases[i].why), "\"%s\": %s", cases[i].url, why);
        ck_assert_mem_eq(&url, &untouched, sizeof url);
        ck_assert_int_eq(url_parse(cases[i].url, &url, NULL), r);
    }
}
END_TEST

START_TEST(length_of_a_url) {
    char text[URL_MAX_BYTES + 1] = "http://hems/";
    const char *why;
    Url url;

    memset(text + strlen(text), 'x', URL_MAX_BYTES - 1 - strlen(text));
    ck_assert_uint_eq(strlen(text), URL_MAX_BYTES - 1);
    ck_assert_int_eq(url_parse(text, &url, NULL), 0);
    strcat(text, "x");
    ck_assert_int_eq(url_parse(text, &url, &why), -EINVAL);
    ck_assert_str_eq(why, "too long");
}
END_TEST

SUITE("url", hosts, good_urls, bad_urls, length_of_a_url)
