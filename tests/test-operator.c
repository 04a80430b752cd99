/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who the operator is and whom a de-registered box stays away from. */
#include <check.h>

#include "base/macro.h"
#include "base/operator.h"
#include "seeded.h"
#include "suite.h"

#define TEN      "abcdefghij"
#define LABEL_60 TEN TEN TEN TEN TEN TEN

START_TEST(names) {
    static const struct {
        const char *configured, *host, *name;
    } cases[] = {
        {"Example Telecom", "hems.other.example", "Example Telecom"},
        {"", "hems.operator.example", "operator.example"},
        {NULL, "HeMS.Operator.Example", "operator.example"},
        {NULL, "hems.operator.example.", "operator.example"},
        {NULL, "a.hems.operator.example", "hems.operator.example"},
        {NULL, "operator.example", "operator.example"}, /* nobody's name is "example" */
        {NULL, "HEMS", "hems"},
        {NULL, "192.0.2.1", "192.0.2.1"},
        {NULL, "2001:DB8:0::1", "2001:db8::1"},
        {NULL, "", ""},
        {NULL, ".", ""},
        {NULL, "no_name.example.com", ""},
        {NULL, NULL, ""},
        /* As many last labels as fit into 64. */
        {NULL, "hems." LABEL_60 ".example", "example"},
        {NULL, "hems.x." LABEL_60 ".com", LABEL_60 ".com"},
        {NULL, "hems." LABEL_60 "." LABEL_60, LABEL_60},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char name[OPERATOR_NAME_MAX_BYTES] = "untouched";
        operator_name(cases[i].configured, cases[i].host, name);
        ck_assert_msg(streq(name, cases[i].name), "%s: %s", cases[i].host, name);
    }
}
END_TEST

START_TEST(who_is_barred) {
    static const struct {
        const char *left, *host; /* the box was de-registered by, and wants to go to */
        bool barred;
    } cases[] = {
        {"hems.operator.example", "hems.operator.example", true},
        {"hems.operator.example", "HEMS2.OPERATOR.EXAMPLE", true},
        {"HEMS.Operator.Example", "a.b.c.operator.example", true},
        {"hems.operator.example", "operator.example", true},
        {"hems.operator.example", "operator.example.", true},
        {"hems.operator.example.", "segw.operator.example", true},
        {"hems.operator.example", "hems.anoperator.example", false}, /* not at a label */
        {"hems.operator.example", "anoperator.example", false},
        {"hems.operator.example", "hems.other.example", false},
        {"hems.operator.example", "example", false},
        {"hems.operator.example", "operator.example.org", false},
        {"a.com", "a.com", true},
        {"a.com", "hems.a.com", true},
        {"a.com", "b.com", false}, /* not half the world */
        {"a.com", "com", false},
        {"hems", "hems", true},
        {"hems", "HeMS", true},
        {"hems", "hems.example", false},
        {"hems", "x.hems", true}, /* under it */
        {"hems", "other", false},
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.1", "1.192.0.2.1", false},
        {"192.0.2.1", "::ffff:192.0.2.1", true},
        {"::FFFF:C000:201", "192.0.2.1", true},
        {"2001:db8::1", "2001:0DB8:0:0:0:0:0:1", true},
        {"2001:db8::1", "2001:db8::2", false},
        {"2001:db8::1", "2001:db8::1:1", false},
        {"192.0.2.1", "hems.operator.example", false},
        {"hems.operator.example", "192.0.2.1", false},
        {"hems.operator.example", "", false},
        {"hems.operator.example", ".operator.example", false}, /* no host: goes nowhere */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        OperatorMark mark = {};
        ck_assert(!operator_mark_bars_host(&mark, cases[i].host));
        ck_assert_int_eq(operator_mark_add_host(&mark, cases[i].left), 0);
        ck_assert_msg(operator_mark_bars_host(&mark, cases[i].host) == cases[i].barred, "%s, %s",
                      cases[i].left, cases[i].host);
    }
    OperatorMark mark = {.name = "Example Telecom"};
    ck_assert(operator_mark_bars_name(&mark, "Example Telecom"));
    ck_assert(operator_mark_bars_name(&mark, "EXAMPLE telecom"));
    ck_assert(!operator_mark_bars_name(&mark, "Example Telecom 2"));
    ck_assert(!operator_mark_bars_name(&mark, ""));
    ck_assert(!operator_mark_bars_name(&(OperatorMark){}, ""));
}
END_TEST

START_TEST(no_doubles_and_a_bound) {
    OperatorMark mark = {};
    char host[64];
    ck_assert_int_eq(operator_mark_add_host(&mark, "hems.operator.example"), 0);
    ck_assert_int_eq(operator_mark_add_host(&mark, "HEMS2.operator.EXAMPLE."), 0);
    ck_assert_int_eq(operator_mark_add_host(&mark, "a.b.operator.example"), 0); /* under it */
    ck_assert_uint_eq(mark.n, 1);
    ck_assert_str_eq(mark.suffixes[0], "operator.example");
    ck_assert_int_eq(operator_mark_add_host(&mark, "2001:DB8::0:1"), 0);
    ck_assert_int_eq(operator_mark_add_host(&mark, "2001:db8::1"), 0);
    ck_assert_uint_eq(mark.n, 2);
    ck_assert_str_eq(mark.suffixes[1], "2001:db8::1");
    ck_assert_int_eq(operator_mark_add_host(&mark, ""), -EINVAL);
    ck_assert_int_eq(operator_mark_add_host(&mark, "a b"), -EINVAL);
    ck_assert_uint_eq(mark.n, 2);

    for (unsigned i = 2; i < OPERATOR_SUFFIXES_MAX; i++) {
        snprintf(host, sizeof host, "a.%u.wide.example", i);
        ck_assert_int_eq(operator_mark_add_host(&mark, host), 0);
    }
    ck_assert_uint_eq(mark.n, OPERATOR_SUFFIXES_MAX);
    ck_assert_int_eq(operator_mark_add_host(&mark, "hems.more.example"), -ENOSPC);
    ck_assert_int_eq(operator_mark_add_host(&mark, "hems.operator.example"), 0); /* is in it */
    ck_assert(operator_mark_bars_host(&mark, "x.31.wide.example"));
    ck_assert(!operator_mark_bars_host(&mark, "more.example"));
    /* A wider one takes the place of those under it. */
    ck_assert_int_eq(operator_mark_add_host(&mark, "hems.wide.example"), 0);
    ck_assert_uint_eq(mark.n, 3);
    ck_assert(operator_mark_bars_host(&mark, "x.31.wide.example"));
    ck_assert(operator_mark_bars_host(&mark, "2001:db8::1"));
    ck_assert(operator_mark_bars_host(&mark, "operator.example"));
}
END_TEST

START_TEST(as_text_and_back) {
    char text[OPERATOR_MARK_MAX_BYTES], host[HOST_MAX_BYTES];
    OperatorMark mark = {.name = "Example Telecom"}, back = {.n = 7};
    ck_assert_int_eq(operator_mark_add_host(&mark, "hems.operator.example"), 0);
    ck_assert_int_eq(operator_mark_add_host(&mark, "2001:db8::1"), 0);
    ck_assert_int_eq(operator_mark_format(&mark, text, sizeof text), 0);
    ck_assert_str_eq(text, "operator Example Telecom\nsuffix operator.example\nsuffix 2001:db8::1\n");
    ck_assert_int_eq(operator_mark_parse(text, &back), 0);
    ck_assert_str_eq(back.name, mark.name);
    ck_assert_uint_eq(back.n, 2);
    ck_assert_str_eq(back.suffixes[0], mark.suffixes[0]);
    ck_assert_str_eq(back.suffixes[1], mark.suffixes[1]);
    for (size_t size = 0; size <= strlen(text); size++)
        ck_assert_int_eq(operator_mark_format(&mark, (char[256]){}, size), -ENOBUFS);

    /* The longest there can be. */
    memset(mark.name, 'n', sizeof mark.name - 1);
    mark.n = 0;
    for (unsigned i = 0; i < OPERATOR_SUFFIXES_MAX; i++) {
        snprintf(host, sizeof host, "a.%02u%s." LABEL_60 "." LABEL_60 "." LABEL_60 ".ab", i,
                 TEN TEN TEN TEN TEN);
        ck_assert_int_eq(operator_mark_add_host(&mark, host), 0);
    }
    ck_assert_int_eq(operator_mark_format(&mark, text, sizeof text), 0);
    ck_assert_int_eq(operator_mark_parse(text, &back), 0);
    ck_assert_uint_eq(back.n, OPERATOR_SUFFIXES_MAX);
    ck_assert_str_eq(back.suffixes[31], mark.suffixes[31]);
    strcat(text, "suffix one.more\n");
    ck_assert_int_eq(operator_mark_parse(text, &back), -EBADMSG);

    /* Nobody is known: still a mark. */
    ck_assert_int_eq(operator_mark_format(&(OperatorMark){}, text, sizeof text), 0);
    ck_assert_int_eq(operator_mark_parse(text, &back), 0);
    ck_assert_uint_eq(back.n, 0);
    ck_assert_str_eq(back.name, "");
    ck_assert_int_eq(operator_mark_parse("since 2030\noperator x\nreason none\n", &back), 0);
    ck_assert_str_eq(back.name, "x");
}
END_TEST

START_TEST(texts_that_are_no_marks) {
    static const char *const bad[] = {
        "",
        "\n",
        "operator x",
        "suffix a.example\n",
        "operator x\noperator y\n",
        "operator x\nsuffix \n",
        "operator x\nsuffix A.example\n", /* not as it is written here */
        "operator x\nsuffix a.example.\n",
        "operator x\nsuffix a b\n",
        "operator x\nsuffix 2001:DB8::1\n",
        "operator x\nsuffix a.example",
        "operator " LABEL_60 "abcde\n",
    };
    const OperatorMark untouched = {.name = "untouched", .n = 3};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        OperatorMark mark = untouched;
        ck_assert_msg(operator_mark_parse(bad[i], &mark) == -EBADMSG, "\"%s\"", bad[i]);
        ck_assert_mem_eq(&mark, &untouched, sizeof mark);
    }
    /* And any other text, made of pieces of good ones. */
    static const char *const pieces[] = {"operator ", "suffix ", "\n", "a.example", ".", "192.0.2.1",
                                         "::1",       LABEL_60,  "x",  " ",         "-", "operator x\n"};
    uint64_t state;
    Rng rng = seeded_rng(&state, 1);
    for (unsigned round = 0; round < 20000; round++) {
        char text[2048] = "";
        uint8_t pick[12];
        OperatorMark mark;
        rng.fill(rng.userdata, pick, sizeof pick);
        for (size_t i = 0; i < pick[0] % sizeof pick; i++)
            strcat(text, pieces[pick[i] % ARRAY_SIZE(pieces)]);
        if (operator_mark_parse(text, &mark) == 0) {
            char again[OPERATOR_MARK_MAX_BYTES];
            OperatorMark back;
            ck_assert_int_eq(operator_mark_format(&mark, again, sizeof again), 0);
            ck_assert_int_eq(operator_mark_parse(again, &back), 0);
            ck_assert_uint_eq(back.n, mark.n);
        }
    }
}
END_TEST

SUITE("operator", names, who_is_barred, no_doubles_and_a_bound, as_text_and_back, texts_that_are_no_marks)
