/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Owners of parts of the data model: whose a parameter is, and the vote on a change set: by hand, in every
 * order that three owners' words can come in, and at random. */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>

#include "owner.h"
#include "seeded.h"
#include "suite.h"

#define REM   "Device.Services.FAPService.1.REM."
#define RADIO "Device.Services.FAPService.1."

static OwnerTable table;
static Owners *owners;
static usec_t now;
static char said[4096]; /* the actions, as lines */

static void table_make(void) {
    table = (OwnerTable){};
    ck_assert_ptr_null(owner_table_set(&table, RADIO, "org.example.Radio"));
    ck_assert_ptr_null(owner_table_set(&table, REM, "org.example.Rem"));
    ck_assert_ptr_null(owner_table_set(&table, "Device.FAP.GPS.", "org.example.Gps"));
}

static void setup(void) {
    table_make();
    now = USEC_PER_SEC;
    *said = 0;
    ck_assert_int_eq(owners_new(&owners, &table), 0);
    ck_assert(owners_enter(owners, "org.example.Radio"));
    ck_assert(owners_enter(owners, "org.example.Rem"));
    ck_assert(owners_enter(owners, "org.example.Gps"));
}

static void teardown(void) {
    owners_free(TAKE_PTR(owners));
}

static void say(const char *format, ...) _printf_(1, 2);
static void say(const char *format, ...) {
    size_t len = strlen(said);
    va_list ap;
    va_start(ap, format);
    vsnprintf(said + len, sizeof said - len, format, ap);
    va_end(ap);
}

static void drain(void) {
    OwnerAction a;
    while (owners_next(owners, &a))
        switch (a.type) {
        case OWNER_PREPARE:
            say("prepare %s", a.name);
            for (size_t i = 0; i < a.n; i++)
                say(" %s %s=%s", a.changes[i].kind, a.changes[i].name, a.changes[i].value);
            say("\n");
            break;
        case OWNER_COMMIT:
            say("commit %s\n", a.name);
            break;
        case OWNER_ABORT:
            say("abort %s\n", a.name);
            break;
        case OWNER_VERDICT:
            say("verdict");
            for (size_t i = 0; i < a.n; i++)
                say(" %s:%d:%s", a.faults[i].name, a.faults[i].code, a.faults[i].text);
            say("\n");
            break;
        }
}

static void check_said(const char *expected) {
    drain();
    ck_assert_str_eq(said, expected);
    *said = 0;
}

static void begin(const OwnerChange *changes, size_t n) {
    ck_assert_int_eq(owners_begin(owners, now, changes, n), 0);
}

static const OwnerChange all[] = {
    {RADIO "CellConfig.LTE.EPC.TAC", "set", "17"},
    {REM "LTE.ScanOnBoot", "set", "true"},
    {"Device.Time.NTPServer1", "set", "ntp.example"},
    {"Device.FAP.GPS.ScanOnBoot", "set", "false"},
    {RADIO "CellConfig.LTE.RAN.NeighborList.LTECell.3.", "delete", ""},
};

START_TEST(the_longest_path_owns) {
    const char *down[OWNER_ON_AIR_MAX];
    table_make();
    ck_assert_str_eq(owner_table_find(&table, REM "LTE.ScanOnBoot")->name, "org.example.Rem");
    ck_assert_str_eq(owner_table_find(&table, REM)->name, "org.example.Rem");
    ck_assert_str_eq(owner_table_find(&table, RADIO "FAPControl.LTE.OpState")->name, "org.example.Radio");
    ck_assert_ptr_null(owner_table_find(&table, "Device.Services.FAPService.10.REM.LTE.ScanOnBoot"));
    ck_assert_ptr_null(owner_table_find(&table, "Device."));
    ck_assert_ptr_null(owner_table_find(&table, ""));
    ck_assert(owner_table_owns(&table, "org.example.Rem", REM "A"));
    ck_assert(!owner_table_owns(&table, "org.example.Radio", REM "A"));
    /* A full name is no prefix. */
    ck_assert_ptr_null(owner_table_set(&table, "Device.FAP.GPS.ScanOnBoot", "org.example.Boot"));
    ck_assert_str_eq(owner_table_find(&table, "Device.FAP.GPS.ScanOnBoot")->name, "org.example.Boot");
    ck_assert_str_eq(owner_table_find(&table, "Device.FAP.GPS.ScanOnBootX")->name, "org.example.Gps");
    ck_assert_uint_eq(owner_table_on_air(&table, "org.example.Radio", down), 2);
    ck_assert_str_eq(down[0], RADIO "FAPControl.LTE.OpState");
    ck_assert_str_eq(down[1], RADIO "FAPControl.LTE.RFTxStatus");
    ck_assert_uint_eq(owner_table_on_air(&table, "org.example.Rem", down), 0);
    /* An empty name takes it out, another one replaces it. */
    ck_assert_ptr_null(owner_table_set(&table, REM, ""));
    ck_assert_str_eq(owner_table_find(&table, REM "A")->name, "org.example.Radio");
    ck_assert_ptr_null(owner_table_set(&table, RADIO, "org.example.Other"));
    ck_assert_str_eq(owner_table_find(&table, REM "A")->name, "org.example.Other");
    ck_assert_uint_eq(table.n, 3);
}
END_TEST

START_TEST(tables_that_make_no_sense) {
    static const char *const paths[] = {"", "Device", "Services.A.", "Device..A", "Device.A B.", "Device.A/"};
    static const char *const names[] = {
        "org",           "org.",    ".org.a",  "org..a",          "org.1a",
        ":1.5",          "org.a b", "org/a.b", "org.henb.Agent1", "org.freedesktop.DBus",
        "org.\xc3\xa4.a"};
    char path[32];
    OwnerTable t = {};
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        ck_assert_msg(owner_table_set(&t, paths[i], "org.example.A") != NULL, "%s", paths[i]);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        ck_assert_msg(owner_table_set(&t, "Device.A.", names[i]) != NULL, "%s", names[i]);
    ck_assert_uint_eq(t.n, 0);
    for (size_t i = 0; i < OWNERS_MAX; i++) {
        snprintf(path, sizeof path, "Device.A%zu.", i);
        ck_assert_ptr_null(owner_table_set(&t, path, "org.example.A-b_9"));
    }
    ck_assert_str_eq(owner_table_set(&t, "Device.B.", "org.example.A"), "more owners than 32");
    ck_assert_ptr_null(owner_table_set(&t, "Device.A3.", "org.example.B"));
}
END_TEST

START_TEST(all_agree) {
    setup();
    begin(all, ARRAY_SIZE(all));
    check_said("prepare org.example.Radio set " RADIO "CellConfig.LTE.EPC.TAC=17 delete " RADIO
               "CellConfig.LTE.RAN.NeighborList.LTECell.3.=\n"
               "prepare org.example.Rem set " REM
               "LTE.ScanOnBoot=true\n"
               "prepare org.example.Gps set Device.FAP.GPS.ScanOnBoot=false\n");
    ck_assert_uint_eq(owners_deadline(owners), now + OWNER_LIMIT);
    owners_answer(owners, 1, "org.example.Rem", true, NULL, 0);
    owners_answer(owners, 1, "org.example.Radio", true, NULL, 0);
    check_said("");
    owners_answer(owners, 1, "org.example.Gps", true, NULL, 0);
    check_said("verdict\n");
    ck_assert_uint_eq(owners_deadline(owners), USEC_NEVER);
    ck_assert_int_eq(owners_begin(owners, now, all, 1), -EBUSY);
    owners_end(owners, true);
    ck_assert_int_eq(owners_begin(owners, now, all, 1), -EBUSY); /* its last words are not drained */
    check_said("commit org.example.Radio\ncommit org.example.Rem\ncommit org.example.Gps\n");
    owners_end(owners, false);
    check_said("");
    /* The next one is another. */
    begin(all + 1, 1);
    check_said("prepare org.example.Rem set " REM "LTE.ScanOnBoot=true\n");
    owners_answer(owners, 1, "org.example.Rem", true, NULL, 0);
    check_said("");
    owners_answer(owners, 2, "org.example.Rem", true, NULL, 0);
    check_said("verdict\n");
    /* Agreed, but the store is full. */
    owners_end(owners, false);
    check_said("abort org.example.Rem\n");
    teardown();
}
END_TEST

START_TEST(nobody_is_asked) {
    setup();
    begin(all + 2, 1); /* nobody's */
    check_said("verdict\n");
    owners_end(owners, true);
    check_said("");
    begin(NULL, 0);
    check_said("verdict\n");
    owners_end(owners, true);
    owners_leave(owners, "org.example.Rem");
    begin(all + 1, 1); /* of one who is not there */
    check_said("verdict\n");
    owners_end(owners, true);
    check_said("");
    ck_assert(!owners_enter(owners, "org.example.Stranger"));
    teardown();
}
END_TEST

START_TEST(a_veto_with_its_reason) {
    static const OwnerObjection objections[] = {
        {RADIO "CellConfig.LTE.EPC.TAC", "the cell is on\nthe air"},
        {"Device.Time.NTPServer1", "none of its business"},
        {RADIO "CellConfig.LTE.EPC.TAC", "twice"},
    };
    setup();
    begin(all, ARRAY_SIZE(all));
    drain();
    *said = 0;
    owners_answer(owners, 1, "org.example.Radio", false, objections, ARRAY_SIZE(objections));
    owners_answer(owners, 1, "org.example.Rem", true, NULL, 0);
    check_said("");
    owners_answer(owners, 1, "org.example.Gps", false, NULL, 0);
    check_said(
        "abort org.example.Radio\nabort org.example.Rem\nabort org.example.Gps\n"
        "verdict " RADIO
        "CellConfig.LTE.EPC.TAC:9001:the cell is on?the air "
        "Device.FAP.GPS.ScanOnBoot:9001:refused by the part of the box that it concerns\n");
    owners_end(owners, false); /* over already */
    check_said("");
    /* "Yes" with objections is no; what is none of its changes concerns all of them. */
    begin(all, ARRAY_SIZE(all));
    drain();
    *said = 0;
    owners_answer(owners, 2, "org.example.Radio", true, objections + 1, 1);
    owners_answer(owners, 2, "org.example.Rem", true, NULL, 0);
    owners_answer(owners, 2, "org.example.Gps", true, NULL, 0);
    check_said(
        "abort org.example.Radio\nabort org.example.Rem\nabort org.example.Gps\n"
        "verdict " RADIO "CellConfig.LTE.EPC.TAC:9001:none of its business " RADIO
        "CellConfig.LTE.RAN.NeighborList.LTECell.3.:9001:none of its business\n");
    teardown();
}
END_TEST

START_TEST(reasons_are_cut_between_characters) {
    char reason[400] = "";
    OwnerObjection objection = {REM "LTE.ScanOnBoot", reason};
    OwnerAction a;
    setup();
    for (size_t i = 0; i < 100; i++)
        strcat(reason, "\xe2\x82\xac"); /* 3 bytes each */
    begin(all + 1, 1);
    drain();
    owners_answer(owners, 1, "org.example.Rem", false, &objection, 1);
    ck_assert(owners_next(owners, &a) && a.type == OWNER_ABORT);
    ck_assert(owners_next(owners, &a) && a.type == OWNER_VERDICT);
    ck_assert_uint_eq(strlen(a.faults[0].text), 126);
    teardown();
}
END_TEST

START_TEST(silence_and_failure) {
    setup();
    begin(all, ARRAY_SIZE(all));
    drain();
    *said = 0;
    owners_answer(owners, 1, "org.example.Radio", true, NULL, 0);
    owners_failed(owners, 1, "org.example.Gps", "no such method");
    now += OWNER_LIMIT - 1;
    owners_tick(owners, now);
    check_said("");
    owners_tick(owners, ++now);
    check_said(
        "abort org.example.Radio\nabort org.example.Rem\nabort org.example.Gps\n"
        "verdict Device.FAP.GPS.ScanOnBoot:9002:org.example.Gps failed: no such method " REM
        "LTE.ScanOnBoot:9002:org.example.Rem did not answer\n");
    owners_answer(owners, 1, "org.example.Rem", true, NULL, 0); /* too late */
    owners_tick(owners, now + USEC_PER_SEC);
    check_said("");
    teardown();
}
END_TEST

START_TEST(an_owner_leaves) {
    setup();
    begin(all, ARRAY_SIZE(all));
    drain();
    *said = 0;
    owners_leave(owners, "org.example.Rem");
    owners_leave(owners, "org.example.Rem");
    /* Who comes instead is asked the next time. */
    ck_assert(owners_enter(owners, "org.example.Rem"));
    owners_answer(owners, 1, "org.example.Rem", true, NULL, 0);
    owners_answer(owners, 1, "org.example.Radio", true, NULL, 0);
    check_said("");
    owners_answer(owners, 1, "org.example.Gps", true, NULL, 0);
    check_said("abort org.example.Radio\nabort org.example.Gps\nverdict " REM
               "LTE.ScanOnBoot:9002:org.example.Rem has left the bus\n");
    /* Who has agreed and goes hears nothing more; it does not hold up the others. */
    begin(all, ARRAY_SIZE(all));
    drain();
    *said = 0;
    owners_answer(owners, 2, "org.example.Rem", true, NULL, 0);
    owners_leave(owners, "org.example.Rem");
    owners_answer(owners, 2, "org.example.Radio", true, NULL, 0);
    owners_answer(owners, 2, "org.example.Gps", true, NULL, 0);
    owners_leave(owners, "org.example.Gps");
    check_said("verdict\n");
    owners_end(owners, true);
    check_said("commit org.example.Radio\n");
    /* There already. */
    begin(all, 1);
    drain();
    *said = 0;
    ck_assert(owners_enter(owners, "org.example.Radio"));
    check_said("");
    owners_leave(owners, "org.example.Radio");
    check_said("verdict " RADIO "CellConfig.LTE.EPC.TAC:9002:org.example.Radio has left the bus\n");
    teardown();
}
END_TEST

START_TEST(given_up_before_the_verdict) {
    setup();
    begin(all, ARRAY_SIZE(all));
    owners_end(owners, false); /* before anybody was asked */
    check_said("");
    begin(all, ARRAY_SIZE(all));
    drain();
    *said = 0;
    owners_answer(owners, 2, "org.example.Radio", true, NULL, 0);
    owners_end(owners, false);
    check_said("abort org.example.Radio\nabort org.example.Rem\nabort org.example.Gps\n");
    owners_answer(owners, 2, "org.example.Rem", true, NULL, 0);
    check_said("");
    ck_assert_uint_eq(owners_deadline(owners), USEC_NEVER);
    teardown();
}
END_TEST

/* What each one asked does: */
typedef enum Word {
    AGREES,
    OBJECTS,
    FAILS,
    LEAVES,
    SILENT,
    WORDS_,
} Word;

static void speak(uint64_t id, size_t member, Word word) {
    static const char *const names[] = {"org.example.Radio", "org.example.Rem", "org.example.Gps"};
    switch (word) {
    case AGREES:
        owners_answer(owners, id, names[member], true, NULL, 0);
        break;
    case OBJECTS:
        owners_answer(owners, id, names[member], false, NULL, 0);
        break;
    case FAILS:
        owners_failed(owners, id, names[member], "\xff bytes");
        break;
    case LEAVES:
        owners_leave(owners, names[member]);
        break;
    case SILENT:
    case WORDS_:
        break;
    }
}

/* Counts what each peer hears; checks that a last word follows a question, once. */
typedef struct Heard {
    size_t asked, committed, aborted;
} Heard;
static Heard heard[3];
static size_t verdicts, faults;

static void hear(void) {
    OwnerAction a;
    while (owners_next(owners, &a)) {
        if (a.type == OWNER_VERDICT) {
            verdicts++;
            faults = a.n;
            for (size_t i = 0; i < a.n; i++)
                ck_assert(a.faults[i].code == 9001 || a.faults[i].code == 9002);
            continue;
        }
        Heard *h = &heard[streq(a.name, "org.example.Radio") ? 0 : streq(a.name, "org.example.Rem") ? 1 : 2];
        h->asked += a.type == OWNER_PREPARE;
        h->committed += a.type == OWNER_COMMIT;
        h->aborted += a.type == OWNER_ABORT;
        ck_assert_uint_le(h->committed + h->aborted, h->asked);
        ck_assert_uint_le(h->asked, 1);
    }
}

START_TEST(every_word_in_every_order) {
    static const size_t orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (size_t order = 0; order < ARRAY_SIZE(orders); order++)
        for (size_t code = 0; code < WORDS_ * WORDS_ * WORDS_ * 2; code++) {
            const Word words[] = {code % WORDS_, code / WORDS_ % WORDS_, code / WORDS_ / WORDS_ % WORDS_};
            const bool commit = code / WORDS_ / WORDS_ / WORDS_; /* does the model take it? */
            bool good = true;
            setup();
            memset(heard, 0, sizeof heard);
            verdicts = faults = 0;
            begin(all, ARRAY_SIZE(all));
            hear();
            for (size_t i = 0; i < 3; i++) {
                speak(1, orders[order][i], words[orders[order][i]]);
                good &= words[i] == AGREES;
                hear();
            }
            owners_tick(owners, now + OWNER_LIMIT);
            hear();
            ck_assert_uint_eq(verdicts, 1);
            ck_assert(good == (faults == 0));
            owners_end(owners, good && commit);
            hear();
            for (size_t i = 0; i < 3; i++) {
                ck_assert_uint_eq(heard[i].asked, 1);
                ck_assert_uint_eq(heard[i].committed, good && commit);
                ck_assert_uint_eq(heard[i].aborted, !(good && commit) && words[i] != LEAVES);
            }
            teardown();
        }
}
END_TEST

/* Anything at any time: nobody gets two last words, a commit only when all who were asked have agreed, and
 * every change set comes to its end. */
START_TEST(anything_at_random) {
    uint64_t state;
    const Rng rng = seeded_rng(&state, 0x5eed);
    setup();
    for (size_t round = 0; round < 20000; round++) {
        bool bad = false;
        static const char *const names[] = {"org.example.Radio", "org.example.Rem", "org.example.Gps"};
        for (size_t i = 0; i < 3; i++)
            ck_assert(owners_enter(owners, names[i]));
        memset(heard, 0, sizeof heard);
        verdicts = faults = 0;
        begin(all, rng_below(&rng, ARRAY_SIZE(all) + 1));
        const uint64_t id = round + 1;
        for (size_t step = 0; step < 12; step++) {
            const size_t member = rng_below(&rng, 3);
            const Word word = (Word)rng_below(&rng, WORDS_);
            if (rng_below(&rng, 4) > 0)
                hear();
            /* A word counts from one who was asked and has said nothing. */
            speak(id - rng_below(&rng, 2), member, word);
            now += rng_below(&rng, 300) * USEC_PER_MSEC;
            owners_tick(owners, now);
        }
        hear();
        owners_tick(owners, now += OWNER_LIMIT);
        hear();
        ck_assert_uint_eq(verdicts, 1);
        bad = faults > 0;
        owners_end(owners, !bad);
        hear();
        for (size_t i = 0; i < 3; i++) {
            ck_assert_uint_le(heard[i].committed + heard[i].aborted, heard[i].asked);
            if (bad)
                ck_assert_uint_eq(heard[i].committed, 0);
            else
                ck_assert_uint_eq(heard[i].aborted, 0);
        }
        ck_assert_uint_eq(owners_deadline(owners), USEC_NEVER);
    }
    teardown();
}
END_TEST

SUITE("owner", the_longest_path_owns, tables_that_make_no_sense, all_agree, nobody_is_asked,
      a_veto_with_its_reason, reasons_are_cut_between_characters, silence_and_failure, an_owner_leaves,
      given_up_before_the_verdict, every_word_in_every_order, anything_at_random)
