/* SPDX-License-Identifier: GPL-3.0-or-later */
/* henbctl's texts, character by character: data/ctl/NAME.json is what the agent publishes, NAME.KIND.txt what
 * is said of it. */
#include <check.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>

#include "base/macro.h"
#include "dbus/ctl/status-text.h"
#include "dbus/ctl/timeline-view.h"
#include "files.h"
#include "suite.h"

/* 03:07:15 UTC on 25 November 2026; 1.5 s after the last step of timeline.json began. */
static const Moment now = {.mono = 5501000, .real = UINT64_C(1795576035000000)};
static const Style plain = {.width = 80};
static const Style narrow = {.width = 40, .utf8 = true};
static const Style rich = {.width = 80, .colours = true, .utf8 = true};

static json_object *tree_read(const char *name) {
    _cleanup_free_ char *text = data_read("ctl", name, NULL);
    json_object *tree = json_tokener_parse(text);
    ck_assert_msg(tree != NULL, "%s is no JSON", name);
    return tree;
}

typedef void (*Printer)(FILE *out, const Style *style, Moment at, const json_object *tree);

static void timeline_at(FILE *out, const Style *style, Moment at, const json_object *tree) {
    timeline_print(out, style, at.mono, tree);
}

static void svg_at(FILE *out, const Style *style, Moment at, const json_object *tree) {
    timeline_print_svg(out, at.mono, tree);
}

static void check_print(Printer print, const Style *style, const char *json, const char *expected) {
    _cleanup_(json_object_putp) json_object *tree = tree_read(json);
    _cleanup_free_ char *text = NULL, *golden = data_read("ctl", expected, NULL);
    size_t size;
    FILE *out = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(out);
    print(out, style, now, tree);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_msg(streq(text, golden), "%s is not what is said:\n%s", expected, text);
}

START_TEST(golden_texts) {
    ck_assert_int_eq(setenv("TZ", "UTC", 1), 0);
    tzset();
    check_print(status_print, &plain, "registered.json", "registered.status.txt");
    check_print(status_print, &rich, "registered.json", "registered.rich.txt");
    check_print(tunnels_print, &plain, "registered.json", "registered.tunnels.txt");
    check_print(session_print, &plain, "registered.json", "registered.session.txt");
    check_print(status_print, &rich, "retrying.json", "retrying.rich.txt");
    check_print(tunnels_print, &plain, "retrying.json", "retrying.tunnels.txt");
    check_print(session_print, &plain, "retrying.json", "retrying.session.txt");
    check_print(status_print, &plain, "older.json", "older.status.txt");
    check_print(timeline_at, &plain, "timeline.json", "timeline.plain.txt");
    check_print(timeline_at, &rich, "timeline.json", "timeline.rich.txt");
    check_print(timeline_at, &narrow, "timeline.json", "timeline.narrow.txt");
    check_print(status_print, &narrow, "registered.json", "registered.narrow.txt");
    check_print(svg_at, &plain, "timeline.json", "timeline.svg");
}
END_TEST

START_TEST(durations) {
    static const struct {
        usec_t usec;
        const char *text;
    } cases[] = {
        {0, "0s"},
        {999, "0s"},
        {1000, "0.001s"},
        {12345678, "12.345s"},
        {59 * USEC_PER_SEC, "59s"},
        {60 * USEC_PER_SEC, "1min"},
        {125 * USEC_PER_SEC, "2min 5s"},
        {3600 * USEC_PER_SEC, "1h"},
        {7260 * USEC_PER_SEC, "2h 1min"},
        {7201 * USEC_PER_SEC, "2h"},
        {90000 * USEC_PER_SEC, "1d 1h"},
        {USEC_NEVER, "213503982d 8h"},
    };
    char text[DURATION_MAX];
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        ck_assert_str_eq(duration_format(cases[i].usec, text), cases[i].text);
}
END_TEST

static void check_shown(const Style *style, const char *text, unsigned columns, const char *expected,
                        unsigned last) {
    _cleanup_free_ char *printed = NULL;
    size_t size;
    FILE *out = open_memstream(&printed, &size);
    unsigned n = style_wrap(out, style, text, 2, columns);
    fclose(out);
    ck_assert_str_eq(printed, expected);
    ck_assert_uint_eq(n, last);
}

START_TEST(texts_are_wrapped) {
    check_shown(&plain, "", 10, "", 0);
    check_shown(&plain, "ab cde f", 0, "ab cde f", 8);
    check_shown(&plain, "ab cde f", 8, "ab cde f", 8);
    check_shown(&plain, "ab cde f", 7, "ab cde\n  f", 1);
    check_shown(&plain, "ab cde f", 5, "ab\n  cde f", 5);
    check_shown(&plain, "a abcdefgh b", 3, "a\n  abc\n  def\n  gh\n  b", 1);
    check_shown(&rich, "\xc3\xa4\xc3\xb6\xc3\xbc x", 3, "\xc3\xa4\xc3\xb6\xc3\xbc\n  x", 1);
    check_shown(&rich, "\xe4\xb8\xad\xe6\x96\x87", 3, "\xe4\xb8\xad\n  \xe6\x96\x87", 2);
    check_shown(&rich, "\xe4\xb8\xad", 1, "\xe4\xb8\xad", 2); /* no narrower than a character */
}
END_TEST

/* Control characters of ASCII and of Latin 1, what turns the direction, what is no UTF-8. */
START_TEST(texts_are_harmless) {
    check_shown(&rich, "a\x1b[31m\n\t\xff\x7f", 0, "a?[31m????", 10);
    check_shown(&rich, "\xc2\x9b\x31m \xc2\x85\xc2\xad", 0, "?1m ??", 6);
    check_shown(&rich, "\xe2\x80\xae\xe2\x81\xa6\xe2\x80\x8b\xf3\xa0\x80\x81", 0, "????", 4);
    check_shown(&rich, "\xc0\xaf\xed\xa0\x80", 0, "?????", 5);
    check_shown(&plain, "\xc3\xa4\xe2\x82\xac", 0, "??", 2); /* no UTF-8 there */
}
END_TEST

/* The longest line in columns; UINT_MAX where a control character is part of no colour. */
static unsigned widest(const char *text) {
    unsigned most = 0, n = 0;

    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '\x1b' && c[1] == '[') {
            c += 1 + strspn((const char *)c + 1, "[0123456789;");
            if (*c != 'm')
                return UINT_MAX;
        } else if (*c == '\n') {
            n = 0;
        } else if (*c < 0x20 || *c == 0x7f || (*c == 0xc2 && c[1] < 0xa0)) {
            return UINT_MAX;
        } else if ((*c & 0xc0) != 0x80) {
            n += *c >= 0xe4 && *c <= 0xe9 ? 2 : 1; /* the wide ones of these texts */
            most = MAX(most, n);
        }
    }
    return most;
}

START_TEST(json_is_harmless) {
    _cleanup_(json_object_putp) json_object *o = json_object_new_object(), *again = NULL;
    const char *text = "\x1b[31m\x7f\xc2\x9b\xe2\x80\xae\xc3\xa4\xf3\xa0\x80\x81\"\n";
    _cleanup_free_ char *printed = NULL;
    size_t size;
    FILE *out = open_memstream(&printed, &size);

    json_object_object_add(o, "t", json_object_new_string(text));
    style_print_json(out, json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY));
    fclose(out);
    ck_assert_uint_ne(widest(printed), UINT_MAX);
    ck_assert_ptr_null(strchr(printed, 0x1b));
    ck_assert_ptr_null(strstr(printed, "\xe2\x80\xae"));
    ck_assert_ptr_nonnull(strstr(printed, "\xc3\xa4"));
    again = json_tokener_parse(printed);
    ck_assert_str_eq(tree_text(again, "t"), text);
}
END_TEST

START_TEST(sizes) {
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0B"},         {1023, "1023B"},       {1024, "1.0K"}, {96080, "93.8K"}, {1048575, "1023.9K"},
        {1 << 20, "1.0M"}, {UINT64_MAX, "15.9E"},
    };
    char text[SIZE_TEXT_MAX];
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        ck_assert_str_eq(size_format(cases[i].bytes, text), cases[i].text);
}
END_TEST

/* No text of any terminal from 40 columns on is wider than it, and in one that is narrower none is lost. */
START_TEST(nothing_is_wider_than_the_terminal) {
    static const struct {
        Printer print;
        const char *json;
    } cases[] = {
        {status_print, "registered.json"},  {status_print, "retrying.json"}, {status_print, "hostile.json"},
        {tunnels_print, "registered.json"}, {tunnels_print, "hostile.json"}, {session_print, "retrying.json"},
        {session_print, "hostile.json"},    {timeline_at, "timeline.json"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(json_object_putp) json_object *tree = tree_read(cases[i].json);
        for (unsigned width = 1; width <= 210; width++) {
            Style style = {.width = width, .colours = width % 2, .utf8 = width % 3};
            _cleanup_free_ char *text = NULL;
            size_t size;
            FILE *out = open_memstream(&text, &size);
            cases[i].print(out, &style, now, tree);
            fclose(out);
            unsigned most = widest(text);
            ck_assert_msg(most <= MAX(width, 40u), "%s: %u columns of %u:\n%s", cases[i].json, most, width,
                          text);
        }
    }
}
END_TEST

/* A registration that has not begun, and one whose steps lie about their times. */
START_TEST(odd_timelines) {
    _cleanup_(json_object_putp)
        json_object *none = json_object_new_array(),
                    *odd = json_tokener_parse(
                        "[{\"start\":9,\"end\":3,\"title\":\"A\"},{\"start\":1,\"end\":2},"
                        "7,{\"start\":18446744073709551615,\"end\":\"x\"}]");
    _cleanup_free_ char *text = NULL, *svg = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    timeline_print(out, &plain, 0, none);
    fclose(out);
    ck_assert_str_eq(text, "No registration has begun.\n");
    out = open_memstream(&svg, &size);
    timeline_print_svg(out, 0, none);
    timeline_print_svg(out, 0, odd);
    timeline_print(out, &plain, 0, odd);
    fclose(out);
}
END_TEST

/* What XML cannot hold, or a browser would act on, is not in the picture. */
START_TEST(pictures_are_well_formed) {
    _cleanup_(json_object_putp) json_object *steps = json_tokener_parse(
        "[{\"start\":1,\"end\":2,\"outcome\":\"\\\"><x\",\"title\":\"<\\u001b\\u009b\\ufffe\\u202e&>\","
        "\"error\":\"]]>\"}]");
    _cleanup_free_ char *svg = NULL;
    size_t size;
    FILE *out = open_memstream(&svg, &size);

    timeline_print_svg(out, 0, steps);
    fclose(out);
    ck_assert_ptr_nonnull(strstr(svg, ">&lt;????&amp;&gt; ("));
    ck_assert_ptr_nonnull(strstr(svg, "class=\"&quot;&gt;&lt;x\""));
    ck_assert_ptr_nonnull(strstr(svg, "]]&gt;"));
    ck_assert_uint_ne(widest(svg), UINT_MAX);
}
END_TEST

START_TEST(trees_of_answers) {
    _cleanup_(json_object_putp) json_object *objects = json_tokener_parse(
        "{\"/org/henb/Agent1\":{\"org.henb.Agent1\":{\"State\":\"idle\"},\"org.henb.Agent1.Alarms\":{}},"
        "\"/a/tunnel/0\":{\"org.henb.Agent1.Tunnel\":{\"Up\":true}},"
        "\"/a/session\":{\"org.henb.Agent1.Session\":{\"Url\":\"u\"}}}");
    _cleanup_(json_object_putp) json_object *tree = tree_of_objects(objects);
    ck_assert_str_eq(json_object_to_json_string_ext(tree, JSON_C_TO_STRING_NOSLASHESCAPE),
                     "{\"agent\":{\"State\":\"idle\"},\"tunnels\":[{\"Path\":\"/a/tunnel/0\",\"Up\":true}],"
                     "\"session\":{\"Url\":\"u\"}}");
    _cleanup_(json_object_putp) json_object *steps =
        json_tokener_parse("[[1,2,\"c\",\"t\",\"done\",\"\"],[3]]");
    _cleanup_(json_object_putp) json_object *timeline = tree_of_timeline(steps);
    ck_assert_uint_eq(tree_number(json_object_array_get_idx(timeline, 0), "end"), 2);
    ck_assert_str_eq(tree_text(json_object_array_get_idx(timeline, 0), "outcome"), "done");
    ck_assert_str_eq(tree_text(json_object_array_get_idx(timeline, 1), "outcome"), "");
    _cleanup_(json_object_putp) json_object *rows = json_tokener_parse("[[\"Device.A\",\"string\",\"v\"]]");
    _cleanup_(json_object_putp) json_object *parameters = tree_of_parameters(rows);
    ck_assert_str_eq(json_object_to_json_string_ext(parameters, 0),
                     "{\"Device.A\":{\"type\":\"string\",\"value\":\"v\"}}");
}
END_TEST

SUITE("ctl", golden_texts, durations, sizes, texts_are_wrapped, texts_are_harmless, json_is_harmless,
      nothing_is_wider_than_the_terminal, odd_timelines, pictures_are_well_formed, trees_of_answers)
