/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines of the log: one line each whatever is in them, and what a sink gets of those with a MESSAGE_ID. */
#include "suite.h"

#include "base/log.h"

static struct {
    int calls, level, result;
    char id[64], text[4096], fields[32][1024];
    size_t n;
} told;

static int on_line(int level, const char *id, const char *text, const char *const *fields, size_t n) {
    told.calls++;
    told.level = level;
    told.n = n;
    snprintf(told.id, sizeof told.id, "%s", id);
    snprintf(told.text, sizeof told.text, "%s", text);
    for (size_t i = 0; i < n; i++)
        snprintf(told.fields[i], sizeof told.fields[i], "%s", fields[i]);
    errno = EIO;
    return told.result;
}

static void sink(int result) {
    memset(&told, 0, sizeof told);
    told.result = result;
    log_set_sink(on_line);
}

/* What *call* writes to standard error is *text*, no more and no less. */
#define WRITES(call, text) WITH_LOG(call, ck_assert_str_eq(_log, text))

static void lost(void) {
    log_message(LOG_WARNING, MESSAGE_TUNNEL_LOST,
                &(LogFields){.step = "Registered", .clause = "", .peer = "192.0.2.1", .error = "gone"},
                "SeGW %s: gone", "192.0.2.1");
}

START_TEST(plain_lines) {
    WRITES(log_notice("one %d", 1), "<5>one 1\n");
    WRITES(log_debug("one"), "");
    sink(0);
    WRITES(log_error("two"), "");
    ck_assert_int_eq(told.calls, 1);
    ck_assert_str_eq(told.text, "two");
}
END_TEST

/* Not from a peer: a line of its own, the screen's control, what is no text. */
START_TEST(control_characters) {
    WRITES(log_notice("%s", "a\nb\r\x1b[2J\x7f"), "<5>a?b??[2J?\n");
    WRITES(log_notice("%s", "\xc3\xa9 \xff \xc3 \xc2\x9b \xe2\x82\xac"), "<5>\xc3\xa9 ? ? ?? \xe2\x82\xac\n");
    sink(0);
    log_message(LOG_NOTICE, MESSAGE_OTHER_HEMS, &(LogFields){.peer = "a\nMESSAGE_ID=b\xff\x01"}, "%s",
                "x\ny");
    ck_assert_str_eq(told.text, "x?y");
    ck_assert_str_eq(told.fields[0], "PEER=a?MESSAGE_ID=b??");
}
END_TEST

START_TEST(without_a_sink) {
    WRITES(lost(), "<4>SeGW 192.0.2.1: gone\n");
}
END_TEST

/* A field without a value is none. */
START_TEST(a_sink_has_it_all) {
    sink(0);
    WRITES(lost(), "");
    ck_assert_int_eq(told.calls, 1);
    ck_assert_int_eq(told.level, LOG_WARNING);
    ck_assert_str_eq(told.id, "fd09b2e16f8c4c2cac2a30da922fb45b");
    ck_assert_str_eq(told.text, "SeGW 192.0.2.1: gone");
    ck_assert_uint_eq(told.n, 3);
    ck_assert_str_eq(told.fields[0], "STEP=Registered");
    ck_assert_str_eq(told.fields[1], "PEER=192.0.2.1");
    ck_assert_str_eq(told.fields[2], "ERROR=gone");
}
END_TEST

START_TEST(a_sink_that_cannot) {
    sink(-ENOBUFS);
    WRITES(lost(), "<4>SeGW 192.0.2.1: gone\n");
    ck_assert_int_eq(told.calls, 1);
}
END_TEST

START_TEST(less_important_than_the_level) {
    sink(0);
    log_set_level(LOG_ERR);
    WRITES(lost(), "");
    ck_assert_int_eq(told.calls, 0);
    log_set_level(LOG_WARNING);
    WRITES(lost(), "");
    ck_assert_int_eq(told.calls, 1);
}
END_TEST

START_TEST(errno_stays) {
    sink(0);
    errno = ENOENT;
    lost();
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

/* Cut, never beyond what there is room for, and not in the middle of a character. */
START_TEST(long_ones) {
    static char text[3000];

    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    sink(0);
    log_message(LOG_NOTICE, MESSAGE_OTHER_HEMS, &(LogFields){.peer = text}, "%s", text);
    ck_assert_uint_eq(strlen(told.text), 2047);
    ck_assert_str_eq(told.text + 2044, "\xc3\xa9?");
    ck_assert_uint_eq(strlen(told.fields[0]), 511);
    told.fields[0][7] = 0;
    ck_assert_str_eq(told.fields[0], "PEER=\xc3\xa9");
}
END_TEST

START_TEST(numbers) {
    ck_assert_str_eq(LOG_NUMBER(-9001), "-9001");
    ck_assert_str_eq(LOG_SPI(0xc0ffee), "00c0ffee");
    ck_assert_str_eq(LOG_IKE_SPI(0x123456789abcdef0), "123456789abcdef0");
}
END_TEST

SUITE("log", plain_lines, control_characters, without_a_sink, a_sink_has_it_all, a_sink_that_cannot,
      less_important_than_the_level, errno_stays, long_ones, numbers)
