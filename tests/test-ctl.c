/* SPDX-License-Identifier: GPL-3.0-or-later */
/* henbctl's texts, character by character: data/ctl/NAME.json is what the agent publishes, NAME.KIND.txt what
 * is said of it. */
#include <check.h>
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

static void check_cut(const Style *style, const char *text, unsigned columns, const char *expected,
                      unsigned taken) {
    _cleanup_free_ char *printed = NULL;
    size_t size;
    FILE *out = open_memstream(&printed, &size);
    unsigned n = style_print(out, style, text, columns);
    fclose(out);
    ck_assert_str_eq(printed, expected);
    ck_assert_uint_eq(n, taken);
}

START_TEST(texts_are_cut_and_harmless) {
    check_cut(&plain, "abcdef", 0, "abcdef", 6);
    check_cut(&plain, "abcdef", 6, "abcdef", 6);
    check_cut(&plain, "abcdef", 5, "abcd~", 5);
    check_cut(&rich, "\xc3\xa4\xc3\xb6\xc3\xbc", 3, "\xc3\xa4\xc3\xb6\xc3\xbc", 3);
    check_cut(&rich, "\xc3\xa4\xc3\xb6\xc3\xbc", 2, "\xc3\xa4\xe2\x80\xa6", 2);
    check_cut(&rich, "a\x1b[31m\n\xff\x7f", 0, "a?[31m???", 9);
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

SUITE("ctl", golden_texts, durations, texts_are_cut_and_harmless, odd_timelines, trees_of_answers)
