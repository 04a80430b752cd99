/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Alarms: what becomes of the tables of Device.FaultMgmt, and the limits. */
#include <check.h>
#include <stdio.h>

#include "alarm.h"
#include "faults.h"
#include "base/log.h"
#include "seeded.h"
#include "suite.h"

#define START (UINT64_C(1767225600) * USEC_PER_SEC) /* 2026-01-01T00:00:00Z */
#define FM    "Device.FaultMgmt."

/* A data model of nothing but rows. */
typedef struct FakeRow {
    char path[64];
    struct {
        char name[32], value[600];
    } values[12];
    size_t n;
} FakeRow;
static FakeRow rows[512];
static size_t n_rows;
static uint32_t last_instance;
static size_t reports;
static bool full;

static int on_add(void *userdata, const char *table, uint32_t *ret) {
    if (full)
        return -ENOMEM;
    ck_assert_uint_lt(n_rows, ARRAY_SIZE(rows));
    *ret = ++last_instance;
    rows[n_rows] = (FakeRow){};
    snprintf(rows[n_rows++].path, sizeof rows[0].path, "%s%u.", table, *ret);
    return 0;
}

static FakeRow *row_find(const char *path) {
    for (size_t i = 0; i < n_rows; i++)
        if (strncmp(rows[i].path, path, strlen(rows[i].path)) == 0)
            return &rows[i];
    return NULL;
}

static int on_remove(void *userdata, const char *row) {
    FakeRow *r = row_find(row);
    ck_assert_ptr_nonnull(r);
    *r = rows[--n_rows];
    return 0;
}

static int on_report(void *userdata, const char *path, const char *value) {
    FakeRow *r = row_find(path);
    size_t i = 0;
    ck_assert_msg(r != NULL, "%s: no such row", path);
    const char *name = path + strlen(r->path);
    while (i < r->n && !streq(r->values[i].name, name))
        i++;
    r->n += i == r->n;
    ck_assert_uint_le(r->n, ARRAY_SIZE(r->values));
    snprintf(r->values[i].name, sizeof r->values[i].name, "%s", name);
    snprintf(r->values[i].value, sizeof r->values[i].value, "%s", value);
    reports++;
    return 0;
}

static const Rows table = {on_add, on_remove, on_report, NULL};
static Alarms *alarms;

static void setup(void) {
    log_set_level(LOG_WARNING);
    n_rows = last_instance = 0;
    full = false;
    ck_assert_int_eq(alarms_new(&alarms, &table, 0xabc), 0);
}

static void teardown(void) {
    alarms_free(TAKE_PTR(alarms));
}

static size_t count(const char *name) {
    char prefix[64];
    size_t n = 0;
    snprintf(prefix, sizeof prefix, FM "%s.", name);
    for (size_t i = 0; i < n_rows; i++)
        n += strncmp(rows[i].path, prefix, strlen(prefix)) == 0;
    return n;
}

/* The rows of a table of ours: "EventTime NotificationType Severity Problem Text" of each. */
static const char *get(const FakeRow *row, const char *name) {
    for (size_t i = 0; i < row->n; i++)
        if (streq(row->values[i].name, name))
            return row->values[i].value;
    return "-";
}

static const FakeRow *nth(const char *name, size_t n) {
    char prefix[64];
    snprintf(prefix, sizeof prefix, FM "%s.", name);
    for (uint32_t instance = 1; instance <= last_instance; instance++)
        for (size_t i = 0; i < n_rows; i++) {
            char path[96];
            snprintf(path, sizeof path, "%s%u.", prefix, instance);
            if (streq(rows[i].path, path) && n-- == 0)
                return &rows[i];
        }
    ck_abort_msg("%s has no such row", name);
    return NULL;
}

static void check_row(const char *name, size_t n, const char *expected) {
    char text[1024];
    const FakeRow *row = nth(name, n);
    snprintf(text, sizeof text, "%s|%s|%s|%s|%s", get(row, "EventTime"), get(row, "NotificationType"),
             get(row, "PerceivedSeverity"), get(row, "SpecificProblem"), get(row, "AdditionalText"));
    ck_assert_str_eq(text, expected);
}

static const AlarmWish fan = {
    .event_type = "Equipment Alarm",
    .probable_cause = "Heating/Ventilation/Cooling System Problem",
    .specific_problem = "Fan stuck",
    .severity = "Minor",
    .object = "Device.Services.FAPService.1.",
    .text = "rpm 0",
    .information = "fan 2",
};

START_TEST(ours_are_supported) {
    setup();
    ck_assert_uint_eq(count("SupportedAlarm"), ALARM_OWN_);
    ck_assert_uint_eq(n_rows, ALARM_OWN_);
    for (size_t i = 0; i < ALARM_OWN_; i++)
        ck_assert_uint_eq(nth("SupportedAlarm", i)->n, 5);
    ck_assert_str_eq(get(nth("SupportedAlarm", ALARM_SEGW_UNREACHABLE), "ReportingMechanism"), "1 Queued");
    ck_assert_str_eq(get(nth("SupportedAlarm", ALARM_CERTIFICATE_EXPIRES), "ReportingMechanism"),
                     "0 Expedited");
    ck_assert_str_eq(get(nth("SupportedAlarm", ALARM_CLOCK_UNTRUSTED), "ReportingMechanism"), "1 Queued");
    teardown();
}
END_TEST

START_TEST(one_of_ours_comes_changes_and_goes) {
    setup();
    ck_assert(alarms_configure(alarms, START, "Device.FaultMgmt.SupportedAlarm.1.ReportingMechanism",
                               "0 Expedited"));
    alarm_set(alarms, START, ALARM_SEGW_UNREACHABLE, false, "");
    ck_assert_uint_eq(n_rows, ALARM_OWN_);
    alarm_set(alarms, START, ALARM_SEGW_UNREACHABLE, true, "no answer");
    ck_assert_uint_eq(alarms_lasting(alarms), 1);
    const FakeRow *current = nth("CurrentAlarm", 0);
    ck_assert_str_eq(get(current, "AlarmIdentifier"), "abc-1");
    ck_assert_str_eq(get(current, "AlarmRaisedTime"), "2026-01-01T00:00:00Z");
    ck_assert_str_eq(get(current, "PerceivedSeverity"), "Critical");
    ck_assert_str_eq(get(current, "EventType"), "Communications Alarm");
    ck_assert_uint_eq(current->n, 10);
    check_row("HistoryEvent", 0,
              "2026-01-01T00:00:00Z|NewAlarm|Critical|Security gateway unreachable|no answer");
    check_row("ExpeditedEvent", 0,
              "2026-01-01T00:00:00Z|NewAlarm|Critical|Security gateway unreachable|no answer");
    ck_assert_uint_eq(count("QueuedEvent"), 0);
    ck_assert_uint_eq(nth("HistoryEvent", 0)->n, 10);
    /* The same again is no news. */
    size_t before = reports;
    alarm_set(alarms, START + USEC_PER_SEC, ALARM_SEGW_UNREACHABLE, true, "no answer");
    ck_assert_uint_eq(reports, before);
    alarm_set(alarms, START + USEC_PER_SEC, ALARM_SEGW_UNREACHABLE, true, "refused");
    current = nth("CurrentAlarm", 0);
    ck_assert_str_eq(get(current, "AlarmRaisedTime"), "2026-01-01T00:00:00Z");
    ck_assert_str_eq(get(current, "AlarmChangedTime"), "2026-01-01T00:00:01Z");
    check_row("HistoryEvent", 1,
              "2026-01-01T00:00:01Z|ChangedAlarm|Critical|Security gateway unreachable|refused");
    /* One row for each alarm there. */
    ck_assert_uint_eq(count("ExpeditedEvent"), 1);
    check_row("ExpeditedEvent", 0,
              "2026-01-01T00:00:01Z|ChangedAlarm|Critical|Security gateway unreachable|refused");
    alarm_set(alarms, START + 2 * USEC_PER_SEC, ALARM_SEGW_UNREACHABLE, false, NULL);
    ck_assert_uint_eq(count("CurrentAlarm"), 0);
    ck_assert_uint_eq(count("HistoryEvent"), 3);
    check_row("ExpeditedEvent", 0,
              "2026-01-01T00:00:02Z|ClearedAlarm|Cleared|Security gateway unreachable|refused");
    ck_assert_uint_eq(alarms_lasting(alarms), 0);
    /* The next one is another. */
    alarm_set(alarms, 0, ALARM_SEGW_UNREACHABLE, true, "no answer");
    ck_assert_str_eq(get(nth("CurrentAlarm", 0), "AlarmIdentifier"), "abc-2");
    ck_assert_str_eq(get(nth("CurrentAlarm", 0), "AlarmRaisedTime"), "0001-01-01T00:00:00Z");
    ck_assert_uint_eq(count("ExpeditedEvent"), 2);
    teardown();
}
END_TEST

START_TEST(another_daemons) {
    AlarmWish wish = fan;
    setup();
    ck_assert_ptr_null(alarm_raise(alarms, START, &wish));
    ck_assert_uint_eq(count("SupportedAlarm"), ALARM_OWN_ + 1);
    ck_assert_str_eq(get(nth("SupportedAlarm", ALARM_OWN_), "PerceivedSeverity"), "*");
    check_row("QueuedEvent", 0, "2026-01-01T00:00:00Z|NewAlarm|Minor|Fan stuck|rpm 0");
    ck_assert_str_eq(get(nth("QueuedEvent", 0), "ManagedObjectInstance"), "Device.Services.FAPService.1.");
    ck_assert_uint_eq(count("ExpeditedEvent"), 0);
    wish.severity = "Critical";
    ck_assert_ptr_null(alarm_raise(alarms, START, &wish));
    check_row("QueuedEvent", 0, "2026-01-01T00:00:00Z|ChangedAlarm|Critical|Fan stuck|rpm 0");
    ck_assert_uint_eq(count("CurrentAlarm"), 1);
    ck_assert_ptr_null(alarm_clear(alarms, START, fan.event_type, fan.probable_cause, "another"));
    ck_assert_uint_eq(count("CurrentAlarm"), 1);
    ck_assert_ptr_null(alarm_clear(alarms, START, fan.event_type, fan.probable_cause, fan.specific_problem));
    ck_assert_ptr_null(alarm_clear(alarms, START, fan.event_type, fan.probable_cause, fan.specific_problem));
    ck_assert_uint_eq(count("CurrentAlarm"), 0);
    ck_assert_uint_eq(count("HistoryEvent"), 3);
    teardown();
}
END_TEST

START_TEST(wishes_that_are_refused) {
    char longer[600] = "Device.";
    const struct {
        AlarmWish wish;
        const char *why;
    } cases[] = {
        {{"", "b", "c", "Major", "", "", ""}, "event type"},
        {{"a\n", "b", "c", "Major", "", "", ""}, "event type"},
        {{"a\xff", "b", "c", "Major", "", "", ""}, "event type"},
        {{longer, "b", "c", "Major", "", "", ""}, "event type"},
        {{"a", "", "c", "Major", "", "", ""}, "probable cause"},
        {{"a", "b", longer, "Major", "", "", ""}, "specific problem"},
        {{"a", "b", "c", "Cleared", "", "", ""}, "severity"},
        {{"a", "b", "c", "major", "", "", ""}, "severity"},
        {{"a", "b", "c", "Major", "InternetGatewayDevice.", "", ""}, "object"},
        {{"a", "b", "c", "Major", longer, "", ""}, "object"},
        {{"Communications Alarm", "Connection Establishment Error", "Security gateway unreachable", "Major",
          "", "", ""},
         "agent's own"},
    };
    memset(longer + strlen(longer), 'x', sizeof longer - strlen(longer) - 1);
    longer[sizeof longer - 1] = 0;
    setup();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *why = alarm_raise(alarms, START, &cases[i].wish);
        ck_assert_msg(why && strstr(why, cases[i].why), "case %zu: %s", i, strempty(why));
    }
    const AlarmWish *ours = &cases[ARRAY_SIZE(cases) - 1].wish;
    alarm_set(alarms, START, ALARM_SEGW_UNREACHABLE, true, "");
    ck_assert_ptr_nonnull(
        alarm_clear(alarms, START, ours->event_type, ours->probable_cause, ours->specific_problem));
    ck_assert_uint_eq(alarms_lasting(alarms), 1);
    /* Long texts are cut between characters. */
    AlarmWish wish = fan;
    char euros[1000] = "";
    for (size_t i = 0; i < 300; i++)
        strcat(euros, "\xe2\x82\xac");
    wish.text = euros;
    wish.information = "a\nb\xff";
    ck_assert_ptr_null(alarm_raise(alarms, START, &wish));
    ck_assert_str_eq(get(nth("CurrentAlarm", 1), "AdditionalInformation"), "a?b?");
    teardown();
}
END_TEST

START_TEST(there_is_always_room_for_ours) {
    char problem[32];
    AlarmWish wish = fan;
    size_t taken = 0;
    setup();
    wish.specific_problem = problem;
    for (size_t i = 0; i < 100; i++) {
        snprintf(problem, sizeof problem, "number %zu", i);
        taken += alarm_raise(alarms, START, &wish) == NULL;
    }
    ck_assert_uint_eq(taken, ALARM_CURRENT_MAX - ALARM_OWN_);
    for (size_t i = 0; i < ALARM_OWN_; i++)
        alarm_set(alarms, START, (AlarmOwn)i, true, "");
    ck_assert_uint_eq(count("CurrentAlarm"), ALARM_CURRENT_MAX);
    /* One of many kinds that come and go: those of before make room. */
    for (size_t i = 0; i < 100; i++) {
        snprintf(problem, sizeof problem, "number %zu", i);
        alarm_clear(alarms, START, wish.event_type, wish.probable_cause, problem);
    }
    for (size_t i = 0; i < 500; i++) {
        snprintf(problem, sizeof problem, "passing %zu", i);
        ck_assert_ptr_null(alarm_raise(alarms, START, &wish));
        ck_assert_ptr_null(alarm_clear(alarms, START, wish.event_type, wish.probable_cause, problem));
    }
    ck_assert_uint_eq(count("SupportedAlarm"), ALARM_SUPPORTED_MAX);
    ck_assert_uint_eq(count("HistoryEvent"), ALARM_HISTORY_MAX);
    ck_assert_uint_eq(count("QueuedEvent"), ALARM_REPORTED_MAX);
    teardown();
}
END_TEST

START_TEST(the_oldest_event_is_written_over) {
    char expected[128];
    bool seen = false;
    setup();
    for (size_t i = 0; i < ALARM_HISTORY_MAX + 3; i++)
        alarm_set(alarms, START + i * USEC_PER_SEC, ALARM_STORE_DAMAGED, i % 2 == 0, "");
    ck_assert_uint_eq(count("HistoryEvent"), ALARM_HISTORY_MAX);
    check_row("HistoryEvent", 0, "2026-01-01T00:01:04Z|NewAlarm|Major|Stored configuration damaged|");
    check_row("HistoryEvent", 2, "2026-01-01T00:01:06Z|NewAlarm|Major|Stored configuration damaged|");
    check_row("HistoryEvent", 3, "2026-01-01T00:00:03Z|ClearedAlarm|Cleared|Stored configuration damaged|");
    ck_assert_uint_eq(count("ExpeditedEvent"), ALARM_REPORTED_MAX);
    /* No identifier is there twice. */
    for (size_t i = 0; i < ALARM_REPORTED_MAX; i++)
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(get(nth("ExpeditedEvent", i), "AlarmIdentifier"),
                             get(nth("ExpeditedEvent", j), "AlarmIdentifier"));
    snprintf(expected, sizeof expected, "abc-%d", ALARM_HISTORY_MAX / 2 + 2);
    for (size_t i = 0; i < ALARM_REPORTED_MAX; i++)
        seen |= streq(get(nth("ExpeditedEvent", i), "AlarmIdentifier"), expected);
    ck_assert(seen);
    teardown();
}
END_TEST

START_TEST(the_hems_chooses_the_mechanism) {
    setup();
    ck_assert(
        !alarms_configure(alarms, START, "Device.FaultMgmt.SupportedAlarm.9.ReportingMechanism", "2 Logged"));
    ck_assert(!alarms_configure(alarms, START, "Device.FaultMgmt.SupportedAlarm.1.EventType", "2 Logged"));
    ck_assert(alarms_configure(alarms, START, FM "SupportedAlarm.1.ReportingMechanism", "2 Logged"));
    alarm_set(alarms, START, ALARM_SEGW_UNREACHABLE, true, "a");
    ck_assert_uint_eq(count("HistoryEvent"), 1);
    ck_assert_uint_eq(count("CurrentAlarm"), 1);
    ck_assert_uint_eq(count("ExpeditedEvent") + count("QueuedEvent"), 0);
    /* Disabled: it is not there; the box knows all the same. */
    ck_assert(alarms_configure(alarms, START, FM "SupportedAlarm.1.ReportingMechanism", "3 Disabled"));
    ck_assert_uint_eq(count("CurrentAlarm"), 0);
    alarm_set(alarms, START, ALARM_SEGW_UNREACHABLE, true, "b");
    alarm_set(alarms, START, ALARM_SEGW_UNREACHABLE, false, "");
    alarm_set(alarms, START, ALARM_SEGW_UNREACHABLE, true, "c");
    ck_assert_uint_eq(count("HistoryEvent"), 1);
    ck_assert_uint_eq(alarms_lasting(alarms), 1);
    ck_assert(alarms_configure(alarms, START, FM "SupportedAlarm.1.ReportingMechanism", "1 Queued"));
    check_row("QueuedEvent", 0, "2026-01-01T00:00:00Z|NewAlarm|Critical|Security gateway unreachable|c");
    ck_assert_uint_eq(count("CurrentAlarm"), 1);
    /* As the store loads it again. */
    ck_assert(alarms_configure(alarms, START, FM "SupportedAlarm.1.ReportingMechanism", "1 Queued"));
    ck_assert_uint_eq(count("HistoryEvent"), 2);
    teardown();
}
END_TEST

START_TEST(without_memory_for_rows) {
    setup();
    full = true;
    alarm_set(alarms, START, ALARM_SEGW_UNREACHABLE, true, "a");
    ck_assert_ptr_null(alarm_raise(alarms, START, &fan));
    ck_assert_uint_eq(n_rows, ALARM_OWN_);
    full = false;
    alarm_set(alarms, START, ALARM_SEGW_UNREACHABLE, true, "b");
    ck_assert_uint_eq(count("CurrentAlarm"), 1);
    alarm_set(alarms, START, ALARM_SEGW_UNREACHABLE, false, "");
    ck_assert_ptr_null(alarm_clear(alarms, START, fan.event_type, fan.probable_cause, fan.specific_problem));
    ck_assert_uint_eq(count("CurrentAlarm"), 0);
    teardown();
}
END_TEST

/* CurrentAlarm is always what lasts and is not disabled. */
START_TEST(anything_at_random) {
    uint64_t state;
    const Rng rng = seeded_rng(&state, 0xa1a);
    static const char *const words[] = {"0 Expedited", "1 Queued", "2 Logged", "3 Disabled"};
    static const char *const levels[] = {"Critical", "Major", "Minor", "Warning", "Indeterminate"};
    char problem[16], path[64], text[16];
    setup();
    for (size_t i = 0; i < 20000; i++) {
        AlarmWish wish = fan;
        snprintf(problem, sizeof problem, "p%u", (unsigned)rng_below(&rng, 80));
        snprintf(text, sizeof text, "%u", (unsigned)rng_below(&rng, 3));
        snprintf(path, sizeof path, FM "SupportedAlarm.%u.ReportingMechanism", (unsigned)rng_below(&rng, 90));
        wish.specific_problem = problem;
        wish.severity = levels[rng_below(&rng, 5)];
        wish.text = text;
        switch (rng_below(&rng, 4)) {
        case 0:
            alarm_set(alarms, START, (AlarmOwn)rng_below(&rng, ALARM_OWN_), rng_below(&rng, 2), text);
            break;
        case 1:
            alarm_raise(alarms, START, &wish);
            break;
        case 2:
            alarm_clear(alarms, START, wish.event_type, wish.probable_cause, problem);
            break;
        case 3:
            alarms_configure(alarms, START, path, words[rng_below(&rng, 4)]);
            break;
        }
        ck_assert_uint_le(count("CurrentAlarm"), alarms_lasting(alarms));
        ck_assert_uint_le(alarms_lasting(alarms), ALARM_CURRENT_MAX);
        ck_assert_uint_le(count("SupportedAlarm"), ALARM_SUPPORTED_MAX);
        ck_assert_uint_le(n_rows, ALARM_SUPPORTED_MAX + ALARM_CURRENT_MAX + ALARM_HISTORY_MAX +
                                      2 * ALARM_REPORTED_MAX);
    }
    teardown();
}
END_TEST

/* "PROBLEM:TEXT;" of each that lasts. */
static const char *lasting(const FaultsFacts *facts) {
    static char text[1024];

    faults_look(alarms, facts);
    *text = 0;
    for (size_t i = 0; i < count("CurrentAlarm"); i++) {
        const FakeRow *row = nth("CurrentAlarm", i);
        sprintf(text + strlen(text), "%s:%s;", get(row, "SpecificProblem"), get(row, "AdditionalText"));
    }
    return text;
}

START_TEST(what_is_known_of_the_box) {
    FaultsFacts f = {.real = START, .tunnel_wanted = true, .certificate_ends = USEC_NEVER, .last_error = "a"};
    setup();
    ck_assert_str_eq(lasting(&f), "");
    /* A gateway: from a failure until there is a tunnel, with the reason of the first failure. */
    f.waiting = true;
    ck_assert_str_eq(lasting(&f), "Security gateway unreachable:a;");
    f.waiting = false;
    f.last_error = "b";
    ck_assert_str_eq(lasting(&f), "Security gateway unreachable:a;");
    f.waiting = true;
    f.failed_sessions = 5; /* none could be had */
    ck_assert_str_eq(lasting(&f), "Security gateway unreachable:a;");
    f.tunnel = true;
    f.failed_sessions = FAULTS_SESSIONS - 1;
    ck_assert_str_eq(lasting(&f), "");
    /* A HeMS: from the second failure until a session goes well. */
    f.failed_sessions++;
    ck_assert_str_eq(lasting(&f), "Management system unreachable:b;");
    f.failed_sessions = 1;
    ck_assert_str_eq(lasting(&f), "Management system unreachable:b;");
    f.failed_sessions = 0;
    ck_assert_str_eq(lasting(&f), "");
    /* On the internet there is no gateway to miss. */
    f.tunnel = f.tunnel_wanted = false;
    ck_assert_str_eq(lasting(&f), "");
    f.failed_sessions = FAULTS_SESSIONS;
    ck_assert_str_eq(lasting(&f), "Management system unreachable:b;");
    teardown();
}
END_TEST

START_TEST(certificate_store_and_clock) {
    FaultsFacts f = {.real = START, .certificate_ends = START + FAULTS_CERTIFICATE, .last_error = ""};
    setup();
    ck_assert_str_eq(lasting(&f), "");
    f.certificate_ends--;
    ck_assert_str_eq(lasting(&f),
                     "Certificate expires soon:the certificate of this box ends on 2026-01-14T23:59:59Z;");
    f.certificate_ends = START;
    ck_assert_str_eq(lasting(&f),
                     "Certificate expires soon:the certificate of this box ended on 2026-01-01T00:00:00Z;");
    f.certificate_ends = USEC_NEVER;
    f.store = "damaged: x";
    ck_assert_str_eq(lasting(&f), "Stored configuration damaged:damaged: x;");
    f.store = NULL;
    f.real = 0;
    f.certificate_ends = 1;
    ck_assert_str_eq(lasting(&f),
                     "Clock cannot be trusted:the time of day cannot be right, or is not known yet;");
    teardown();
}
END_TEST

SUITE("alarm", ours_are_supported, one_of_ours_comes_changes_and_goes, another_daemons,
      wishes_that_are_refused, there_is_always_room_for_ours, the_oldest_event_is_written_over,
      the_hems_chooses_the_mechanism, without_memory_for_rows, anything_at_random, what_is_known_of_the_box,
      certificate_store_and_clock)
