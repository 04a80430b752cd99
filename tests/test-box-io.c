/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Values of this very machine: what has to be true of them on any. */
#include <check.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "box-io.h"
#include "cwmp/value.h"
#include "suite.h"

static struct { char path[160], value[80]; } values[1024];
static size_t n_values;
static uint32_t last;

static int on_add(void *userdata, const char *table, uint32_t *ret) {
    *ret = ++last;
    return 0;
}

static int on_remove(void *userdata, const char *row) {
    return 0;
}

static int on_report(void *userdata, const char *path, const char *value) {
    ck_assert_uint_lt(n_values, ARRAY_SIZE(values));
    snprintf(values[n_values].path, sizeof values[0].path, "%s", path);
    snprintf(values[n_values++].value, sizeof values[0].value, "%s", value);
    return 0;
}

static Box *box;

static void setup(void) {
    const BoxConfig config = {{on_add, on_remove, on_report, NULL}, "lo", "/"};
    ck_assert_int_eq(box_new(&box, &config), 0);
}

static uint64_t number(const char *name) {
    char text[64] = "", *end;
    int r = box_live(box, name, NULL, text, sizeof text);
    ck_assert_msg(r == 0, "%s: %s", name, strerror(-r));
    uint64_t n = strtoull(text, &end, 10);
    ck_assert_msg(*text && *end == 0, "%s: \"%s\"", name, text);
    return n;
}

START_TEST(single_values) {
    char text[64];
    int64_t seconds;
    setup();
    ck_assert_uint_gt(number("Device.DeviceInfo.UpTime"), 0);
    uint64_t total = number("Device.DeviceInfo.MemoryStatus.Total");
    ck_assert_uint_gt(total, 1024);
    ck_assert_uint_le(number("Device.DeviceInfo.MemoryStatus.Free"), total);
    ck_assert_uint_le(number("Device.DeviceInfo.MemoryStatus.FreePersistent"),
                      number("Device.DeviceInfo.MemoryStatus.TotalPersistent"));
    ck_assert_uint_le(number("Device.DeviceInfo.ProcessStatus.CPUUsage"), 100);
    ck_assert_int_eq(box_live(box, "Device.Time.CurrentLocalTime", NULL, text, sizeof text), 0);
    ck_assert_msg(value_parse_time(text, &seconds) == 0, "%s", text);
    ck_assert_int_le(llabs(seconds - time(NULL)), 5);
    /* The zone of the box. */
    ck_assert_int_eq(setenv("TZ", "XYZ5:30", 1), 0);
    tzset();
    ck_assert_int_eq(box_live(box, "Device.Time.CurrentLocalTime", NULL, text, sizeof text), 0);
    ck_assert_str_eq(text + 19, "-05:30");
    ck_assert_msg(value_parse_time(text, &seconds) == 0 && llabs(seconds - time(NULL)) <= 5, "%s", text);
    ck_assert_int_eq(box_live(box, "Device.Time.Status", NULL, text, sizeof text), 0);
    ck_assert(streq(text, "Synchronized") || streq(text, "Unsynchronized"));
    ck_assert_int_eq(box_live(box, "Device.DeviceInfo.HardwareVersion", NULL, text, sizeof text), -ENOENT);
    number("Device.IPsec.Stats.BytesSent"); /* of the interface that is the tunnel's here */
    ck_assert_int_eq(box_live(box, "Device.IPsec.Stats.NegotiationFailures", NULL, text, sizeof text),
                     -ENOENT);
    box_free(box);
}
END_TEST

static const char *row_of(const char *name, const char *value) {
    static char row[160];
    for (size_t i = 0; i < n_values; i++) {
        size_t len = strlen(values[i].path), n = strlen(name);
        if (len > n && streq(values[i].path + len - n, name) && streq(values[i].value, value)) {
            snprintf(row, sizeof row, "%.*s", (int)(len - n), values[i].path);
            return row;
        }
    }
    return NULL;
}

START_TEST(this_process_has_a_row) {
    char pid[16], name[200], text[64];
    setup();
    box_refresh(box);
    snprintf(pid, sizeof pid, "%d", getpid());
    const char *row = row_of("PID", pid);
    if (!row) { /* more processes than rows */
        box_free(box);
        return;
    }
    ck_assert_ptr_nonnull(row_of("Command", "test-box-io"));
    row = row_of("PID", pid);
    snprintf(name, sizeof name, "%sState", row);
    ck_assert_int_eq(box_live(box, name, NULL, text, sizeof text), 0);
    ck_assert_str_eq(text, "Running");
    snprintf(name, sizeof name, "%sSize", row);
    ck_assert_uint_gt(number(name), 100);
    snprintf(name, sizeof name, "%sNothing", row);
    ck_assert_int_eq(box_live(box, name, NULL, text, sizeof text), -ENOENT);
    /* What is there still is not made anew. */
    uint32_t before = last;
    box_refresh(box);
    ck_assert_uint_le(last - before, 8); /* processes that came in between */
    box_free(box);
}
END_TEST

START_TEST(interfaces_have_rows) {
    char name[200], text[64];
    setup();
    ck_assert_int_eq(box_live(box, "Device.IP.Interface.1.Status", NULL, text, sizeof text), -ENOENT);
    box_refresh(box);
    ck_assert_ptr_null(row_of("Name", "lo"));
    for (size_t i = 0; i < n_values; i++) {
        size_t len = strlen(values[i].path);
        if (strncmp(values[i].path, "Device.IP.Interface.", 20) != 0 || len < 25 ||
            !streq(values[i].path + len - 5, ".Name"))
            continue;
        snprintf(name, sizeof name, "%.*sStats.BytesReceived", (int)len - 4, values[i].path);
        number(name);
        snprintf(name, sizeof name, "%.*sMaxMTUSize", (int)len - 4, values[i].path);
        ck_assert_uint_ge(number(name), 64);
        snprintf(name, sizeof name, "%.*sStatus", (int)len - 4, values[i].path);
        ck_assert_int_eq(box_live(box, name, NULL, text, sizeof text), 0);
        ck_assert(*text >= 'A' && *text <= 'Z');
    }
    static const char *const wrong[] = {"0.Status", "x.Status", "1Status", "1", "", "99999999999.Status"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        snprintf(name, sizeof name, "Device.IP.Interface.%s", wrong[i]);
        ck_assert_int_eq(box_live(box, name, NULL, text, sizeof text), -ENOENT);
    }
    box_free(box);
}
END_TEST

SUITE("box-io", single_values, this_process_has_a_row, interfaces_have_rows)
