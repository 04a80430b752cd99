/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What Linux tells of the box: texts of /proc as the data model wants them, and rows for what comes and goes.
 */
#include <check.h>
#include <stdio.h>

#include "box.h"
#include "row-set.h"
#include "suite.h"

START_TEST(fields) {
    static const char text[] =
        "MemTotal:        2048 kB\nMemFree:\t17 kB\nMemNone: kB\nXfrmInNoStates     \t3\nLast: 9";
    uint64_t n;
    ck_assert(box_field(text, "MemTotal:", &n) && n == 2048);
    ck_assert(box_field(text, "MemFree:", &n) && n == 17);
    ck_assert(box_field(text, "XfrmInNoStates", &n) && n == 3);
    ck_assert(box_field(text, "Last:", &n) && n == 9);
    ck_assert(!box_field(text, "MemNone:", &n));
    ck_assert(!box_field(text, "Mem", &n));
    ck_assert(!box_field(text, "Total:", &n));
    ck_assert(!box_field("", "A", &n));
}
END_TEST

START_TEST(processors) {
    BoxCpu a, b;
    ck_assert(box_cpu("cpu  100 10 40 800 50 0 0 0 7 0\ncpu0 1 1 1 1\n", &a));
    ck_assert_uint_eq(a.total, 1000);
    ck_assert_uint_eq(a.busy, 150);
    ck_assert(box_cpu("cpu  130 10 50 850 60 0 0 0 7 0\n", &b));
    ck_assert_uint_eq(box_cpu_usage(&a, &b), 40);
    ck_assert_uint_eq(box_cpu_usage(&a, &a), 0);
    ck_assert_uint_eq(box_cpu_usage(&b, &a), 0);
    ck_assert_uint_eq(box_cpu_usage(&(BoxCpu){}, &a), 15);
    ck_assert(!box_cpu("intr 1 2 3", &a));
    ck_assert(!box_cpu("cpu  1 2 3", &a));
}
END_TEST

#define TAIL(state, priority)                                                                                \
    " " state " 1 2 3 4 5 6 7 8 9 10 150 50 13 14 " priority " 0 1 0 4711 18 25 20\n"

START_TEST(processes) {
    BoxProcess p;
    ck_assert(box_process("17 (a) b (c) d)" TAIL("S", "20"), 100, 4096, &p));
    ck_assert_str_eq(p.command, "a) b (c) d");
    ck_assert_str_eq(p.state, "Sleeping");
    ck_assert_uint_eq(p.cpu_msec, 2000);
    ck_assert_uint_eq(p.size_kib, 100);
    ck_assert_uint_eq(p.start, 4711);
    ck_assert_uint_eq(p.priority, 85);
    ck_assert(box_process("17 (a)" TAIL("R", "-100"), 100, 4096, &p));
    ck_assert_str_eq(p.state, "Running");
    ck_assert_uint_eq(p.priority, 0);
    ck_assert(box_process("17 (a)" TAIL("Z", "39"), 100, 4096, &p));
    ck_assert_uint_eq(p.priority, 99);
    ck_assert_str_eq(p.state, "Zombie");
    ck_assert(box_process("17 ()" TAIL("D", "999999"), 0, 4096, &p));
    ck_assert_uint_eq(p.priority, 99);
    ck_assert(!box_process("17 (a) S 1 2", 100, 4096, &p));
    ck_assert(!box_process("17 a S", 100, 4096, &p));
    ck_assert(!box_process(")(", 100, 4096, &p));
    ck_assert(!box_process("", 100, 4096, &p));
}
END_TEST

START_TEST(esp_counters) {
    ck_assert_str_eq(box_xfrm_names("UnknownSPIErrors")[0], "XfrmInNoStates");
    ck_assert_ptr_null(box_xfrm_names("UnknownSPIErrors")[1]);
    ck_assert_ptr_null(box_xfrm_names("PolicyErrors")[5]);
    ck_assert_ptr_null(box_xfrm_names("BytesSent"));
}
END_TEST

static char said[1024];
static uint32_t last;
static bool full;

static int on_add(void *userdata, const char *table, uint32_t *ret) {
    if (full)
        return -ENOMEM;
    *ret = ++last;
    snprintf(said + strlen(said), sizeof said - strlen(said), "+%s%u;", table, *ret);
    return 0;
}

static int on_remove(void *userdata, const char *row) {
    snprintf(said + strlen(said), sizeof said - strlen(said), "-%s;", row);
    return 0;
}

static int on_report(void *userdata, const char *path, const char *value) {
    snprintf(said + strlen(said), sizeof said - strlen(said), "%s=%s;", path, value);
    return streq(value, "bad") ? 9007 : 0;
}

static void on_gone(void *userdata, const char *key) {
    snprintf(said + strlen(said), sizeof said - strlen(said), "gone %s;", key);
}

static void check_said(const char *expected) {
    ck_assert_str_eq(said, expected);
    *said = 0;
}

START_TEST(rows_come_and_go) {
    static const Rows rows = {on_add, on_remove, on_report, NULL};
    char longer[ROW_KEY_MAX + 1];
    RowSet *set;
    bool new;
    ck_assert_int_eq(row_set_new(&set, &rows, "T.", 3), 0);
    row_set_begin(set);
    ck_assert_uint_eq(row_set_keep(set, "a", &new), 1);
    ck_assert(new);
    ck_assert_uint_eq(row_set_keep(set, "b", NULL), 2);
    ck_assert_uint_eq(row_set_keep(set, "a", &new), 1);
    ck_assert(!new);
    row_set_sweep(set, on_gone, NULL);
    check_said("+T.1;+T.2;");
    row_set_begin(set);
    ck_assert_uint_eq(row_set_keep(set, "b", &new), 2);
    ck_assert(!new);
    ck_assert_uint_eq(row_set_keep(set, "c", &new), 3);
    row_set_sweep(set, on_gone, NULL);
    check_said("+T.3;gone a;-T.1.;");
    ck_assert_ptr_null(row_set_key(set, 1));
    ck_assert_str_eq(row_set_key(set, 3), "c");
    row_set_report(set, 3, "Name", "x");
    row_set_report(set, 3, "Name", "bad");
    check_said("T.3.Name=x;T.3.Name=bad;");
    /* The limit, a key that is too long, no memory. */
    ck_assert_uint_eq(row_set_keep(set, "d", NULL), 4);
    ck_assert_uint_eq(row_set_keep(set, "e", &new), 0);
    ck_assert(!new);
    row_set_begin(set);
    row_set_sweep(set, NULL, NULL);
    memset(longer, 'x', ROW_KEY_MAX);
    longer[ROW_KEY_MAX] = 0;
    ck_assert_uint_eq(row_set_keep(set, longer, NULL), 0);
    full = true;
    ck_assert_uint_eq(row_set_keep(set, "f", NULL), 0);
    row_set_free(set);
}
END_TEST

SUITE("box", fields, processors, processes, esp_counters, rows_come_and_go)
