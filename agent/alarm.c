/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See alarm.h. */
#include "alarm.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/utf8.h"
#include "cwmp/value.h"

/* Characters, of TR-181. */
#define NAME_MAX_CHARS   64
#define PROBLEM_MAX      128
#define OBJECT_MAX       512
#define TEXT_MAX         256
#define UTF8_BYTES(n)    (4 * (n) + 1)
#define IDENTIFIER_BYTES 40
#define ANY_SEVERITY     "*"
#define CLEARED_ALARM    "ClearedAlarm"

typedef enum Mechanism {
    EXPEDITED,
    QUEUED,
    LOGGED,
    DISABLED,
    MECHANISMS_,
} Mechanism;

static const char *const mechanisms[] = {
    [EXPEDITED] = "0 Expedited",
    [QUEUED] = "1 Queued",
    [LOGGED] = "2 Logged",
    [DISABLED] = "3 Disabled",
};
static_assert(ARRAY_SIZE(mechanisms) == MECHANISMS_, "a word for each");

static const char *const severities[] = {"Critical", "Major", "Minor", "Warning", "Indeterminate"};

/* What we find ourselves. Types and causes are X.733's. That there is no way to the HeMS is no reason to try
 * one sooner: it goes with the next session. */
static const struct {
    const char *event_type, *probable_cause, *specific_problem, *severity;
    Mechanism mechanism;
} own[] = {
    [ALARM_SEGW_UNREACHABLE] = {"Communications Alarm", "Connection Establishment Error",
                                "Security gateway unreachable", "Critical", QUEUED},
    [ALARM_HEMS_UNREACHABLE] = {"Communications Alarm", "Connection Establishment Error",
                                "Management system unreachable", "Major", QUEUED},
    [ALARM_CERTIFICATE_EXPIRES] = {"Processing Error Alarm", "Key Expired", "Certificate expires soon",
                                   "Warning", EXPEDITED},
    [ALARM_STORE_DAMAGED] = {"Processing Error Alarm", "Corrupt Data", "Stored configuration damaged",
                             "Major", EXPEDITED},
    [ALARM_CLOCK_UNTRUSTED] = {"Processing Error Alarm", "Timing Problem", "Clock cannot be trusted", "Minor",
                               QUEUED},
};
static_assert(ARRAY_SIZE(own) == ALARM_OWN_, "a row for each");

/* A kind of alarm: a row of SupportedAlarm, and whether there is one now. */
typedef struct Kind {
    char event_type[UTF8_BYTES(NAME_MAX_CHARS)], probable_cause[UTF8_BYTES(NAME_MAX_CHARS)];
    char specific_problem[UTF8_BYTES(PROBLEM_MAX)];
    Mechanism mechanism;
    uint32_t row; /* of SupportedAlarm, 0: none */

    bool lasting;
    const char *severity;
    char identifier[IDENTIFIER_BYTES];
    char object[UTF8_BYTES(OBJECT_MAX)], text[UTF8_BYTES(TEXT_MAX)], information[UTF8_BYTES(TEXT_MAX)];
    usec_t raised, changed;
    uint32_t current; /* row of CurrentAlarm, 0: not in it */
} Kind;

/* A table of events: rows in the order they were written. */
typedef struct Ring {
    const char *table;
    size_t limit, n, next;
    uint32_t rows[ALARM_HISTORY_MAX];
    char identifiers[ALARM_REPORTED_MAX][IDENTIFIER_BYTES]; /* not of the history, where they come again */
} Ring;

struct Alarms {
    Rows rows;
    uint64_t seed, last; /* of identifiers */
    size_t n;
    Kind *kinds[ALARM_SUPPORTED_MAX]; /* ours come first */
    Ring history, expedited, queued;
};
static_assert(ALARM_REPORTED_MAX <= ALARM_HISTORY_MAX, "Ring.rows");
static_assert(ALARM_OWN_ < ALARM_CURRENT_MAX && ALARM_OWN_ < ALARM_SUPPORTED_MAX, "room for ours");

/* Tables ------------------------------------------------------------------------------------------------ */

static uint32_t row_add(Alarms *a, const char *table) {
    char path[64];
    uint32_t instance;

    snprintf(path, sizeof path, ALARM_FAULT_MGMT "%s.", table);
    int r = a->rows.add(a->rows.userdata, path, &instance);
    if (r >= 0)
        return instance;
    log_warning("no row of %s can be made: %s", path, strerror(-r));
    return 0;
}

static void row_report(Alarms *a, const char *table, uint32_t row, const char *name, const char *value) {
    char path[128];

    snprintf(path, sizeof path, ALARM_FAULT_MGMT "%s.%" PRIu32 ".%s", table, row, name);
    int r = a->rows.report(a->rows.userdata, path, value);
    if (r != 0)
        log_warning("%s cannot be told (%d)", path, r);
}

static void time_format(char ret[static VALUE_TIME_MAX], usec_t real) {
    if (real == 0)
        strcpy(ret, "0001-01-01T00:00:00Z"); /* TR-106: the Unknown Time */
    else
        value_format_time((int64_t)(real / USEC_PER_SEC), ret);
}

static void row_report_time(Alarms *a, const char *table, uint32_t row, const char *name, usec_t real) {
    char text[VALUE_TIME_MAX];

    time_format(text, real);
    row_report(a, table, row, name, text);
}

/* What rows of CurrentAlarm and of the event tables have in common. */
static void row_report_kind(Alarms *a, const char *table, uint32_t row, const Kind *k, const char *severity) {
    const struct {
        const char *name, *value;
    } values[] = {
        {"AlarmIdentifier", k->identifier},
        {"ManagedObjectInstance", k->object},
        {"EventType", k->event_type},
        {"ProbableCause", k->probable_cause},
        {"SpecificProblem", k->specific_problem},
        {"PerceivedSeverity", severity},
        {"AdditionalText", k->text},
        {"AdditionalInformation", k->information},
    };

    for (size_t i = 0; i < ARRAY_SIZE(values); i++)
        row_report(a, table, row, values[i].name, values[i].value);
}

/* The row for an event: the one of the same alarm where there is but one of each, a new one, or the oldest.
 */
static uint32_t ring_row(Alarms *a, Ring *ring, const Kind *k) {
    const bool once = ring != &a->history;
    size_t i;

    for (i = 0; once && i < ring->n; i++)
        if (streq(ring->identifiers[i], k->identifier))
            return ring->rows[i];
    if (ring->n < ring->limit) {
        uint32_t row = row_add(a, ring->table);
        if (row == 0)
            return 0;
        i = ring->n++;
        ring->rows[i] = row;
    } else {
        i = ring->next;
        ring->next = (ring->next + 1) % ring->limit;
    }
    if (once)
        strcpy(ring->identifiers[i], k->identifier);
    return ring->rows[i];
}

static void ring_write(Alarms *a, Ring *ring, const Kind *k, usec_t real, const char *notification,
                       const char *severity) {
    uint32_t row = ring_row(a, ring, k);

    if (row == 0)
        return;
    row_report_time(a, ring->table, row, "EventTime", real);
    row_report(a, ring->table, row, "NotificationType", notification);
    row_report_kind(a, ring->table, row, k, severity);
}

static void event_log(const Kind *k, const char *notification, const char *severity) {
    char problem[sizeof k->specific_problem + sizeof k->text + 2];

    snprintf(problem, sizeof problem, "%s%s%s", k->specific_problem, *k->text ? ": " : "", k->text);
    if (streq(notification, CLEARED_ALARM))
        log_message(LOG_NOTICE, MESSAGE_ALARM_CLEARED, &(LogFields){.alarm = k->identifier, .error = problem},
                    "alarm %s, %s: %s: %s", k->identifier, notification, severity, problem);
    else
        log_message(LOG_NOTICE, MESSAGE_ALARM_RAISED,
                    &(LogFields){.alarm = k->identifier, .severity = severity, .error = problem},
                    "alarm %s, %s: %s: %s", k->identifier, notification, severity, problem);
}

static void event(Alarms *a, const Kind *k, usec_t real, const char *notification, const char *severity) {
    event_log(k, notification, severity);
    ring_write(a, &a->history, k, real, notification, severity);
    switch (k->mechanism) {
    case EXPEDITED:
        ring_write(a, &a->expedited, k, real, notification, severity);
        break;
    case QUEUED:
        ring_write(a, &a->queued, k, real, notification, severity);
        break;
    case LOGGED:
    case DISABLED:
    case MECHANISMS_:
        break;
    }
}

/* Kinds ------------------------------------------------------------------------------------------------- */

static Kind *kind_find(Alarms *a, const char *event_type, const char *probable_cause,
                       const char *specific_problem) {
    for (size_t i = 0; i < a->n; i++) {
        Kind *k = a->kinds[i];
        if (streq(k->event_type, event_type) && streq(k->probable_cause, probable_cause) &&
            streq(k->specific_problem, specific_problem))
            return k;
    }
    return NULL;
}

static bool kind_is_own(const Alarms *a, const Kind *k) {
    for (size_t i = 0; i < ALARM_OWN_ && i < a->n; i++)
        if (a->kinds[i] == k)
            return true;
    return false;
}

/* The texts fit. NULL: no memory, or no room. */
static Kind *kind_add(Alarms *a, const char *event_type, const char *probable_cause,
                      const char *specific_problem, const char *severity, Mechanism mechanism) {
    Kind *k = a->n < ALARM_SUPPORTED_MAX ? calloc(1, sizeof *k) : NULL;

    if (!k)
        return NULL;
    strcpy(k->event_type, event_type);
    strcpy(k->probable_cause, probable_cause);
    strcpy(k->specific_problem, specific_problem);
    k->mechanism = mechanism;
    a->kinds[a->n++] = k;
    k->row = row_add(a, "SupportedAlarm");
    if (k->row == 0)
        return k;
    row_report(a, "SupportedAlarm", k->row, "EventType", event_type);
    row_report(a, "SupportedAlarm", k->row, "ProbableCause", probable_cause);
    row_report(a, "SupportedAlarm", k->row, "SpecificProblem", specific_problem);
    row_report(a, "SupportedAlarm", k->row, "PerceivedSeverity", severity);
    row_report(a, "SupportedAlarm", k->row, "ReportingMechanism", mechanisms[mechanism]);
    return k;
}

static void current_write(Alarms *a, Kind *k) {
    if (k->current == 0)
        k->current = row_add(a, "CurrentAlarm");
    if (k->current == 0)
        return;
    row_report_time(a, "CurrentAlarm", k->current, "AlarmRaisedTime", k->raised);
    row_report_time(a, "CurrentAlarm", k->current, "AlarmChangedTime", k->changed);
    row_report_kind(a, "CurrentAlarm", k->current, k, k->severity);
}

static void current_remove(Alarms *a, Kind *k) {
    char row[64];

    if (k->current == 0)
        return;
    snprintf(row, sizeof row, ALARM_FAULT_MGMT "CurrentAlarm.%" PRIu32 ".", k->current);
    k->current = 0;
    int r = a->rows.remove(a->rows.userdata, row);
    if (r < 0)
        log_warning("%s cannot be removed: %s", row, strerror(-r));
}

/* Copies up to *max* characters, without control characters and what is no UTF-8. Whether *ret* is another
 * now. */
static bool text_set(char *ret, const char *text, size_t max) {
    char copy[UTF8_BYTES(OBJECT_MAX)];
    size_t len = 0;

    for (size_t chars = 0; *text && chars < max; chars++) {
        size_t n = utf8_sequence(text);
        memcpy(copy + len, text, n ?: 1);
        if (n == 0 || (unsigned char)*text < ' ' || *text == 0x7f)
            copy[len] = '?';
        len += n ?: 1;
        text += n ?: 1;
    }
    copy[len] = 0;
    if (streq(ret, copy))
        return false;
    strcpy(ret, copy);
    return true;
}

static void kind_begin(Alarms *a, Kind *k, usec_t real) {
    snprintf(k->identifier, sizeof k->identifier, "%" PRIx64 "-%" PRIu64, a->seed, ++a->last);
    k->raised = k->changed = real;
    if (k->mechanism == DISABLED)
        return;
    current_write(a, k);
    event(a, k, real, "NewAlarm", k->severity);
}

static void kind_raise(Alarms *a, Kind *k, usec_t real, const char *severity, const char *object,
                       const char *text, const char *information) {
    bool changed = !k->severity || !streq(k->severity, severity);

    k->severity = severity;
    changed |= text_set(k->object, object, OBJECT_MAX);
    changed |= text_set(k->text, text, TEXT_MAX);
    changed |= text_set(k->information, information, TEXT_MAX);
    if (!k->lasting) {
        k->lasting = true;
        kind_begin(a, k, real);
        return;
    }
    if (!changed)
        return;
    k->changed = real;
    if (k->mechanism == DISABLED)
        return;
    current_write(a, k);
    event(a, k, real, "ChangedAlarm", k->severity);
}

static void kind_clear(Alarms *a, Kind *k, usec_t real) {
    if (!k->lasting)
        return;
    k->lasting = false;
    if (k->mechanism == DISABLED)
        return;
    current_remove(a, k);
    event(a, k, real, CLEARED_ALARM, "Cleared");
}

/* ------------------------------------------------------------------------------------------------------- */

int alarms_new(Alarms **ret, const Rows *rows, uint64_t seed) {
    _cleanup_(alarms_freep) Alarms *a = calloc(1, sizeof *a);

    if (!a)
        return -ENOMEM;
    a->rows = *rows;
    a->seed = seed;
    a->history = (Ring){.table = "HistoryEvent", .limit = ALARM_HISTORY_MAX};
    a->expedited = (Ring){.table = "ExpeditedEvent", .limit = ALARM_REPORTED_MAX};
    a->queued = (Ring){.table = "QueuedEvent", .limit = ALARM_REPORTED_MAX};
    for (size_t i = 0; i < ALARM_OWN_; i++)
        if (!kind_add(a, own[i].event_type, own[i].probable_cause, own[i].specific_problem, own[i].severity,
                      own[i].mechanism))
            return -ENOMEM;
    *ret = TAKE_PTR(a);
    return 0;
}

void alarms_free(Alarms *alarms) {
    if (!alarms)
        return;
    for (size_t i = 0; i < alarms->n; i++)
        free(alarms->kinds[i]);
    free(alarms);
}

void alarm_set(Alarms *alarms, usec_t real, AlarmOwn which, bool raised, const char *text) {
    Kind *k = alarms->kinds[which];

    if (raised)
        kind_raise(alarms, k, real, own[which].severity, "", text, "");
    else
        kind_clear(alarms, k, real);
}

bool alarm_lasts(const Alarms *alarms, AlarmOwn which) {
    return alarms->kinds[which]->lasting;
}

static const char *severity_find(const char *word) {
    for (size_t i = 0; i < ARRAY_SIZE(severities); i++)
        if (streq(severities[i], word))
            return severities[i];
    return NULL;
}

size_t alarms_lasting(const Alarms *alarms) {
    size_t n = 0;

    for (size_t i = 0; i < alarms->n; i++)
        n += alarms->kinds[i]->lasting;
    return n;
}

/* Without ours, for which there is always room. */
static size_t others_lasting(const Alarms *alarms) {
    size_t n = 0;

    for (size_t i = ALARM_OWN_; i < alarms->n; i++)
        n += alarms->kinds[i]->lasting;
    return n;
}

/* The place of a kind that nothing lasts of, and that the HeMS has not configured, may be had by another. */
static void kind_forget_one(Alarms *a) {
    char row[64];

    for (size_t i = ALARM_OWN_; i < a->n; i++) {
        Kind *k = a->kinds[i];
        if (k->lasting || k->mechanism != QUEUED)
            continue;
        snprintf(row, sizeof row, ALARM_FAULT_MGMT "SupportedAlarm.%" PRIu32 ".", k->row);
        if (k->row != 0 && a->rows.remove(a->rows.userdata, row) < 0)
            continue;
        free(k);
        a->n--;
        memmove(&a->kinds[i], &a->kinds[i + 1], (a->n - i) * sizeof a->kinds[0]);
        return;
    }
}

const char *alarm_raise(Alarms *alarms, usec_t real, const AlarmWish *wish) {
    const char *severity = severity_find(wish->severity);

    if (!utf8_is_line(wish->event_type, 1, NAME_MAX_CHARS))
        return "the event type is not 1 to 64 characters";
    if (!utf8_is_line(wish->probable_cause, 1, NAME_MAX_CHARS))
        return "the probable cause is not 1 to 64 characters";
    if (!utf8_is_line(wish->specific_problem, 0, PROBLEM_MAX))
        return "the specific problem is not up to 128 characters";
    if (!severity)
        return "the severity is not one of Critical, Major, Minor, Warning, Indeterminate";
    if (*wish->object && (strncmp(wish->object, "Device.", strlen("Device.")) != 0 ||
                          !utf8_is_line(wish->object, 1, OBJECT_MAX)))
        return "the object is not a path of the data model";
    Kind *k = kind_find(alarms, wish->event_type, wish->probable_cause, wish->specific_problem);
    if (k && kind_is_own(alarms, k))
        return "this alarm is the agent's own";
    if (!(k && k->lasting) && others_lasting(alarms) == ALARM_CURRENT_MAX - ALARM_OWN_)
        return "there are too many alarms";
    if (!k && alarms->n == ALARM_SUPPORTED_MAX)
        kind_forget_one(alarms);
    if (!k)
        k = kind_add(alarms, wish->event_type, wish->probable_cause, wish->specific_problem, ANY_SEVERITY,
                     QUEUED);
    if (!k)
        return "there are too many kinds of alarms";
    kind_raise(alarms, k, real, severity, wish->object, wish->text, wish->information);
    return NULL;
}

const char *alarm_clear(Alarms *alarms, usec_t real, const char *event_type, const char *probable_cause,
                        const char *specific_problem) {
    Kind *k = kind_find(alarms, event_type, probable_cause, specific_problem);

    if (k && kind_is_own(alarms, k))
        return "this alarm is the agent's own";
    if (k)
        kind_clear(alarms, k, real);
    return NULL;
}

bool alarms_configure(Alarms *alarms, usec_t real, const char *path, const char *value) {
    char expected[64];

    for (size_t i = 0; i < alarms->n; i++) {
        Kind *k = alarms->kinds[i];
        snprintf(expected, sizeof expected, ALARM_FAULT_MGMT "SupportedAlarm.%" PRIu32 ".ReportingMechanism",
                 k->row);
        if (!streq(path, expected))
            continue;
        for (size_t m = 0; m < MECHANISMS_; m++) {
            if (!streq(value, mechanisms[m]))
                continue;
            const bool was_disabled = k->mechanism == DISABLED;
            k->mechanism = (Mechanism)m;
            if (m == DISABLED)
                current_remove(alarms, k);
            else if (was_disabled && k->lasting)
                kind_begin(alarms, k, real);
        }
        return true;
    }
    return false;
}
