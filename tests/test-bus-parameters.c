/* SPDX-License-Identifier: GPL-3.0-or-later */
/* org.henb.Agent1.Parameters and org.henb.Agent1.Alarms on a bus of our own: what daemons of the box read,
 * hear, report and are asked, against the agent's side of it (agent/owner-io.h). */
#include <check.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "base/macro.h"
#include "clock.h"
#include "dbus/ages.h"
#include "dbus/bus.h"
#include "fake-timesync.h"
#include "owner-io.h"
#include "private-bus.h"
#include "suite.h"

#define NAME       "org.henb.Agent1"
#define PATH       "/org/henb/Agent1"
#define PARAMETERS NAME ".Parameters"
#define RADIO      "org.example.Radio"
#define REM        "org.example.Rem"
#define CLIENTS    50
#define NOBODY     65534
#define OUR_GROUP  1

static PrivateBus private_bus;
static sd_event *event;
static Bus *bus;
static OwnerIo *engine;
static const Status status = {.state = AGENT_IDLE};
static const OwnerTable table = {
    .n = 3, .rows = {{"Device.A.", RADIO}, {"Device.A.Rem.", REM}, {"Device.Services.FAPService.1.", RADIO}}};

/* What the agent's side was told, a line each. */
static char told[4096];
static bool verdict, commit_at_once;
static size_t n_faults;
static char fault[256];

static void tell(const char *format, ...) _printf_(1, 2);
static void tell(const char *format, ...) {
    size_t len = strlen(told);
    va_list ap;
    va_start(ap, format);
    vsnprintf(told + len, sizeof told - len, format, ap);
    va_end(ap);
}

static void check_told(const char *expected) {
    ck_assert_str_eq(told, expected);
    *told = 0;
}

static void on_request(void *userdata, BusRequest *request) {
    ck_abort();
}

static const char *on_value(void *userdata, const char *path, const char *value) {
    if (streq(path, "Device.A.Written"))
        return "the box does not determine it";
    tell("%s=%s\n", path, value);
    return NULL;
}

static void on_reported(void *userdata) {
    tell(".\n");
}

static int on_read(void *userdata, const char *name, BusVisitor visitor, void *to) {
    if (streq(name, "Device.Endless."))
        for (int r = 0;;) {
            r = visitor(to, "Device.Endless.X", "string", "");
            if (r != 0)
                return r;
        }
    if (!streq(name, "Device.A."))
        return -ENOENT;
    int r = visitor(to, "Device.A.Name", "string",
                    "a\xff"
                    "b");
    return r != 0 ? r : visitor(to, "Device.A.Number", "unsignedInt", "17");
}

static void on_verdict(void *userdata, const OwnerFault *faults, size_t n) {
    ck_assert(!verdict);
    verdict = true;
    n_faults = n;
    if (n > 0)
        snprintf(fault, sizeof fault, "%s:%d:%s", faults[0].name, faults[0].code, faults[0].text);
    if (commit_at_once && n == 0)
        owner_io_end(engine, true);
}

static void on_enters(void *userdata, const char *name) {
    tell("%s wants\n", name);
    owner_io_enters(engine, name);
}

static void on_left(void *userdata, const char *name) {
    const char *down[OWNER_ON_AIR_MAX];
    size_t n = owner_table_on_air(&table, name, down);
    tell("%s left", name);
    for (size_t i = 0; i < n; i++)
        tell(" %s=false", down[i]);
    tell("\n");
    owner_io_left(engine, name);
}

static void on_answered(void *userdata, const char *name, uint64_t id, bool agreed,
                        const OwnerObjection *objections, size_t n) {
    owner_io_answered(engine, name, id, agreed, objections, n);
}

static void on_failed(void *userdata, const char *name, uint64_t id, const char *why) {
    owner_io_failed(engine, name, id, why);
}

static const char *on_raise(void *userdata, const BusAlarm *alarm) {
    tell("raise %s|%s|%s|%s|%s|%s|%s\n", alarm->event_type, alarm->probable_cause, alarm->specific_problem,
         alarm->severity, alarm->object, alarm->text, alarm->information);
    return streq(alarm->severity, "Bad") ? "no such severity" : NULL;
}

static const char *on_clear(void *userdata, const BusAlarm *alarm) {
    tell("clear %s|%s|%s\n", alarm->event_type, alarm->probable_cause, alarm->specific_problem);
    return NULL;
}

static const char *on_counter(void *userdata, const BusCounter *c) {
    if (c->counts)
        tell("count %s|%s|%s|%" PRIu64 "\n", c->info, c->object, c->type, c->total);
    else
        tell("measure %s|%s|%s|%s\n", c->info, c->object, c->type, c->value);
    return !c->counts && strcmp(c->value, "much") == 0 ? "no number" : NULL;
}

static const char *on_request_download(void *userdata, const char *file_type, const BusArgument *arguments,
                                       size_t n) {
    tell("request %s", file_type);
    for (size_t i = 0; i < n; i++)
        tell(" %s=%s", arguments[i].name, arguments[i].value);
    tell("\n");
    return *file_type ? NULL : "there is no such type";
}

static const BusHandlers handlers = {
    .deregister = on_request,
    .clear_deregistration = on_request,
    .report_value = on_value,
    .reported = on_reported,
    .owners = &table,
    .read = on_read,
    .owner_enters = on_enters,
    .owner_left = on_left,
    .owner_answered = on_answered,
    .owner_failed = on_failed,
    .raise_alarm = on_raise,
    .clear_alarm = on_clear,
    .request_download = on_request_download,
    .count = on_counter,
};

static sd_bus *connect_as(const char *name) {
    sd_bus *c;
    ck_assert_int_ge(sd_bus_open_system(&c), 0);
    ck_assert_int_ge(sd_bus_attach_event(c, event, 0), 0);
    if (name)
        ck_assert_int_ge(sd_bus_request_name(c, name, 0), 0);
    return c;
}

static void agent_start(const char *policy) {
    private_bus_start(&private_bus, policy);
    ck_assert_int_ge(sd_event_new(&event), 0);
    const OwnerIoConfig config = {event, &table, on_verdict, NULL};
    ck_assert_int_eq(owner_io_new(&engine, &config), 0);
}

static void agent_open(void) {
    ck_assert_int_eq(bus_new(&bus, event, &status, &handlers), 0);
    owner_io_bus(engine, bus);
}

static void agent_stop(void) {
    bus_free(bus);
    owner_io_free(engine);
    sd_event_unref(event);
    private_bus_stop(&private_bus);
}

#define RUN_UNTIL(condition)                                                                                 \
    while (!(condition))                                                                                     \
    ck_assert_int_ge(sd_event_run(event, UINT64_MAX), 0)

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    *(sd_bus_message **)userdata = sd_bus_message_ref(m);
    return 0;
}

/* Calls a method of the agent; the caller frees the reply. */
static sd_bus_message *call(sd_bus *client, const char *interface, const char *method, const char *types,
                            ...) {
    sd_bus_message *m, *reply = NULL;
    va_list ap;
    ck_assert_int_ge(sd_bus_message_new_method_call(client, &m, NAME, PATH, interface, method), 0);
    va_start(ap, types);
    ck_assert_int_ge(sd_bus_message_appendv(m, types, ap), 0);
    va_end(ap);
    ck_assert_int_ge(sd_bus_call_async(client, NULL, m, on_reply, &reply, 0), 0);
    sd_bus_message_unref(m);
    RUN_UNTIL(reply);
    return reply;
}

/* *text* NULL: no error. Frees the reply. */
static void check_error(sd_bus_message *reply, const char *name, const char *text) {
    const sd_bus_error *e = sd_bus_message_get_error(reply);
    if (!name)
        ck_assert_msg(e == NULL, "%s: %s", e->name, e->message);
    else {
        ck_assert_ptr_nonnull(e);
        ck_assert_str_eq(e->name, name);
        ck_assert_msg(strstr(e->message, text) != NULL, "%s", e->message);
    }
    sd_bus_message_unref(reply);
}

/* All that is on its way to and from *client* has arrived. */
static void settle(sd_bus *client) {
    sd_bus_message_unref(call(client, "org.freedesktop.DBus.Peer", "Ping", ""));
    while (sd_event_run(event, 0) > 0)
        ;
}

START_TEST(parameters_are_read) {
    const char *name, *type, *value;
    agent_start(NULL);
    agent_open();
    sd_bus *client = connect_as(NULL);
    sd_bus_message *reply = call(client, PARAMETERS, "Get", "as", 1, "Device.A.");
    ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(sss)"), 0);
    ck_assert_int_gt(sd_bus_message_read(reply, "(sss)", &name, &type, &value), 0);
    ck_assert_str_eq(name, "Device.A.Name");
    ck_assert_str_eq(type, "string");
    ck_assert_str_eq(value, "a?b");
    ck_assert_int_gt(sd_bus_message_read(reply, "(sss)", &name, &type, &value), 0);
    ck_assert_str_eq(name, "Device.A.Number");
    ck_assert_str_eq(value, "17");
    ck_assert_int_eq(sd_bus_message_at_end(reply, false), 1);
    sd_bus_message_unref(reply);
    check_error(call(client, PARAMETERS, "Get", "as", 2, "Device.A.", "Device.B"), NAME ".Error.Refused",
                "Device.B: there is no such parameter");
    check_error(call(client, PARAMETERS, "Get", "as", 1, "Device.Endless."), SD_BUS_ERROR_LIMITS_EXCEEDED,
                "more parameters");
    check_error(call(client, PARAMETERS, "Get", "as", 0), NULL, NULL);
    sd_bus_message *m;
    reply = NULL;
    ck_assert_int_ge(sd_bus_message_new_method_call(client, &m, NAME, PATH, PARAMETERS, "Get"), 0);
    ck_assert_int_ge(sd_bus_message_open_container(m, 'a', "s"), 0);
    for (size_t i = 0; i < 65; i++)
        ck_assert_int_ge(sd_bus_message_append(m, "s", "Device.A."), 0);
    ck_assert_int_ge(sd_bus_message_close_container(m), 0);
    ck_assert_int_ge(sd_bus_call_async(client, NULL, m, on_reply, &reply, 0), 0);
    sd_bus_message_unref(m);
    RUN_UNTIL(reply);
    check_error(reply, SD_BUS_ERROR_LIMITS_EXCEEDED, "more names than 64");
    sd_bus_flush_close_unref(client);
    agent_stop();
}
END_TEST

START_TEST(only_the_owner_reports) {
    agent_start(NULL);
    agent_open();
    sd_bus *stranger = connect_as(NULL), *radio = connect_as(RADIO), *rem = connect_as(REM);
    check_error(call(radio, PARAMETERS, "Report", "a(ss)", 1, "Device.A.X", "1"), NULL, NULL);
    check_told("Device.A.X=1\n.\n");
    check_error(call(rem, PARAMETERS, "Report", "a(ss)", 1, "Device.A.Rem.X", "2"), NULL, NULL);
    check_told("Device.A.Rem.X=2\n.\n");
    LOG_OF(
        check_error(call(radio, PARAMETERS, "Report", "a(ss)", 2, "Device.A.X", "1", "Device.A.Rem.X", "1"),
                    NAME ".Error.Refused", "Device.A.Rem.X: it belongs to " REM),
        "Report of Device.A.Rem.X by ");
    check_error(call(stranger, PARAMETERS, "Report", "a(ss)", 1, "Device.A.X", "1"), NAME ".Error.Refused",
                "Device.A.X: it belongs to " RADIO);
    check_error(call(radio, PARAMETERS, "Report", "a(ss)", 1, "Device.ManagementServer.URL", "http://evil/"),
                NAME ".Error.Refused", "it belongs to nobody");
    char path[512] = "a"; /* is cut off within a character */
    while (strlen(path) < 300)
        strcat(path, "\xc3\xa9");
    check_error(call(stranger, PARAMETERS, "Report", "a(ss)", 1, path, "1"), NAME ".Error.Refused",
                "\xc3\xa9?: it belongs to nobody");
    check_told(""); /* nothing of a call that is refused */
    check_error(call(radio, PARAMETERS, "Report", "a(ss)", 1, "Device.A.Written", "1"), NAME ".Error.Refused",
                "Device.A.Written: the box does not determine it");
    check_told(".\n");
    /* The name is gone: so is the right. */
    ck_assert_int_ge(sd_bus_release_name(radio, RADIO), 0);
    check_error(call(radio, PARAMETERS, "Report", "a(ss)", 1, "Device.A.X", "1"), NAME ".Error.Refused",
                "it belongs to " RADIO);
    sd_bus_flush_close_unref(stranger);
    sd_bus_flush_close_unref(radio);
    sd_bus_flush_close_unref(rem);
    agent_stop();
}
END_TEST

static int ages_count(sd_bus_message *reply) {
    const char *name;
    uint64_t seconds;
    int n = 0;
    ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(st)"), 0);
    for (; sd_bus_message_read(reply, "(st)", &name, &seconds) > 0; n++)
        ck_assert_uint_le(seconds, 60);
    sd_bus_message_unref(reply);
    return n;
}

START_TEST(ages_of_what_was_reported) {
    agent_start(NULL);
    agent_open();
    sd_bus *radio = connect_as(RADIO);
    check_error(call(radio, PARAMETERS, "Report", "a(ss)", 3, "Device.A.X", "1", "Device.A.Y", "1",
                     "Device.A.Z.A", "1"),
                NULL, NULL);
    ck_assert_int_eq(ages_count(call(radio, PARAMETERS, "Ages", "as", 1, "Device.")), 3);
    ck_assert_int_eq(ages_count(call(radio, PARAMETERS, "Ages", "as", 2, "Device.A.Z.", "Device.A.X")), 2);
    ck_assert_int_eq(ages_count(call(radio, PARAMETERS, "Ages", "as", 1, "Device.B.")), 0);
    check_error(call(radio, PARAMETERS, "Report", "a(ss)", 1, "Device.A.X", ""), NULL, NULL);
    ck_assert_int_eq(ages_count(call(radio, PARAMETERS, "Ages", "as", 1, "")), 2);
    sd_bus_flush_close_unref(radio);
    agent_stop();
}
END_TEST

/* An owner: what it was asked, and what it says. */
typedef struct Daemon {
    sd_bus *bus;
    enum { AGREES, OBJECTS, SILENT, GARBLES, FAILS } way;
    size_t prepared, committed, aborted;
    uint64_t id;
    char changes[512];
} Daemon;

static int on_prepare(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    Daemon *d = userdata;
    const char *name, *kind, *value;
    d->prepared++;
    *d->changes = 0;
    ck_assert_int_gt(sd_bus_message_read(m, "t", &d->id), 0);
    ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "(sss)"), 0);
    while (sd_bus_message_read(m, "(sss)", &name, &kind, &value) > 0)
        snprintf(d->changes + strlen(d->changes), sizeof d->changes - strlen(d->changes), "%s %s=%s;", kind,
                 name, value);
    switch (d->way) {
    case AGREES:
        return sd_bus_reply_method_return(m, "ba(ss)", true, 0);
    case OBJECTS:
        return sd_bus_reply_method_return(m, "ba(ss)", false, 1, name, "the cell is on the air");
    case GARBLES:
        return sd_bus_reply_method_return(m, "s", "yes");
    case FAILS:
        return sd_bus_error_set(error, "org.example.Error", "out of order");
    case SILENT:
        break;
    }
    return 1;
}

static int on_end(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    Daemon *d = userdata;
    uint64_t id;
    ck_assert_int_gt(sd_bus_message_read(m, "t", &id), 0);
    ck_assert_uint_eq(id, d->id);
    *(streq(sd_bus_message_get_member(m), "Commit") ? &d->committed : &d->aborted) += 1;
    ck_assert_int_eq(sd_bus_message_get_expect_reply(m), 0);
    return sd_bus_reply_method_return(m, NULL);
}

static const sd_bus_vtable owner_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Prepare", "ta(sss)", "ba(ss)", on_prepare, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Commit", "t", "", on_end, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Abort", "t", "", on_end, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static const sd_bus_vtable garbling_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Prepare", "ta(sss)", "s", on_prepare, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Abort", "t", "", on_end, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static void daemon_start_with(Daemon *d, const char *name, const sd_bus_vtable *vtable) {
    *d = (Daemon){.bus = connect_as(name)};
    ck_assert_int_ge(sd_bus_add_object_vtable(d->bus, NULL, PATH "/Owner", NAME ".Owner", vtable, d), 0);
}

static void daemon_start(Daemon *d, const char *name) {
    daemon_start_with(d, name, owner_vtable);
}

static const OwnerChange changes[] = {{"Device.A.X", "set", "1"}, {"Device.A.Rem.Y", "set", "2"}};

/* A HeMS sets *n* of them. */
static void set(size_t n) {
    verdict = false;
    n_faults = 0;
    *fault = 0;
    ck_assert_int_eq(owner_io_begin(engine, changes, n), 0);
}

START_TEST(owners_agree) {
    Daemon radio, rem;
    agent_start(NULL);
    agent_open();
    daemon_start(&radio, RADIO);
    daemon_start(&rem, REM);
    /* Not before they want it. */
    set(2);
    ck_assert(verdict && n_faults == 0);
    owner_io_end(engine, true);
    check_error(call(radio.bus, PARAMETERS, "Own", ""), NULL, NULL);
    check_error(call(rem.bus, PARAMETERS, "Own", ""), NULL, NULL);
    check_told(RADIO " wants\n" REM " wants\n");
    set(2);
    ck_assert(!verdict);
    RUN_UNTIL(verdict);
    ck_assert_uint_eq(n_faults, 0);
    ck_assert_str_eq(radio.changes, "set Device.A.X=1;");
    ck_assert_str_eq(rem.changes, "set Device.A.Rem.Y=2;");
    settle(radio.bus);
    ck_assert_uint_eq(radio.committed + rem.committed, 0);
    owner_io_end(engine, true);
    settle(radio.bus);
    settle(rem.bus);
    ck_assert(radio.committed == 1 && rem.committed == 1 && radio.aborted + rem.aborted == 0);
    set(1);
    RUN_UNTIL(verdict);
    ck_assert_uint_eq(rem.prepared, 1);
    owner_io_end(engine, false);
    settle(radio.bus);
    ck_assert(radio.committed == 1 && radio.aborted == 1);
    sd_bus_flush_close_unref(radio.bus);
    sd_bus_flush_close_unref(rem.bus);
    agent_stop();
}
END_TEST

START_TEST(owners_object_fail_or_are_silent) {
    static const struct {
        int way;
        const char *fault;
    } cases[] = {
        {OBJECTS, "Device.A.X:9001:the cell is on the air"},
        {FAILS, "Device.A.X:9002:" RADIO " failed: out of order"},
        {SILENT, "Device.A.X:9002:" RADIO " did not answer"},
    };
    Daemon radio, rem;
    agent_start(NULL);
    agent_open();
    daemon_start(&radio, RADIO);
    daemon_start(&rem, REM);
    check_error(call(radio.bus, PARAMETERS, "Own", ""), NULL, NULL);
    check_error(call(rem.bus, PARAMETERS, "Own", ""), NULL, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        radio.way = cases[i].way;
        set(2);
        usec_t begin = clock_now().mono;
        RUN_UNTIL(verdict);
        usec_t took = clock_now().mono - begin;
        ck_assert(cases[i].way == SILENT ? took > USEC_PER_SEC && took < 2 * USEC_PER_SEC
                                         : took < USEC_PER_SEC);
        ck_assert_uint_eq(n_faults, 1);
        ck_assert_str_eq(fault, cases[i].fault);
        settle(radio.bus);
        settle(rem.bus);
        ck_assert_uint_eq(radio.aborted, i + 1);
        ck_assert_uint_eq(rem.aborted, i + 1);
        ck_assert_uint_eq(radio.committed + rem.committed, 0);
    }
    sd_bus_flush_close_unref(radio.bus);
    sd_bus_flush_close_unref(rem.bus);
    agent_stop();
}
END_TEST

START_TEST(commits_from_within_the_verdict) {
    Daemon radio;
    agent_start(NULL);
    agent_open();
    daemon_start(&radio, RADIO);
    commit_at_once = true;
    set(1); /* asks nobody */
    ck_assert(verdict);
    check_error(call(radio.bus, PARAMETERS, "Own", ""), NULL, NULL);
    for (size_t i = 1; i <= 3; i++) {
        set(1);
        ck_assert_int_eq(owner_io_begin(engine, changes, 1), -EBUSY);
        RUN_UNTIL(verdict);
        settle(radio.bus);
        ck_assert_uint_eq(radio.committed, i);
    }
    ck_assert_uint_eq(radio.aborted, 0);
    commit_at_once = false;
    sd_bus_flush_close_unref(radio.bus);
    agent_stop();
}
END_TEST

START_TEST(an_answer_that_is_none) {
    Daemon radio;
    agent_start(NULL);
    agent_open();
    daemon_start_with(&radio, RADIO, garbling_vtable);
    radio.way = GARBLES;
    check_error(call(radio.bus, PARAMETERS, "Own", ""), NULL, NULL);
    set(1);
    RUN_UNTIL(verdict);
    ck_assert_str_eq(fault, "Device.A.X:9002:" RADIO " failed: its answer is none");
    settle(radio.bus);
    ck_assert_uint_eq(radio.aborted, 1);
    sd_bus_flush_close_unref(radio.bus);
    agent_stop();
}
END_TEST

START_TEST(an_owner_leaves_the_bus) {
    Daemon radio;
    const char *path, *name;
    int present;
    agent_start(NULL);
    /* It was there before the agent. */
    daemon_start(&radio, RADIO);
    agent_open();
    radio.way = SILENT;
    check_error(call(radio.bus, PARAMETERS, "Own", ""), NULL, NULL);
    sd_bus *client = connect_as(NULL);
    sd_bus_message *reply =
        call(client, "org.freedesktop.DBus.Properties", "Get", "ss", PARAMETERS, "Owners");
    ck_assert_int_gt(sd_bus_message_enter_container(reply, 'v', "a(ssb)"), 0);
    ck_assert_int_gt(sd_bus_message_enter_container(reply, 'a', "(ssb)"), 0);
    ck_assert_int_gt(sd_bus_message_read(reply, "(ssb)", &path, &name, &present), 0);
    ck_assert_str_eq(path, "Device.A.");
    ck_assert_str_eq(name, RADIO);
    ck_assert(present);
    ck_assert_int_gt(sd_bus_message_read(reply, "(ssb)", &path, &name, &present), 0);
    ck_assert_str_eq(name, REM);
    ck_assert(!present);
    sd_bus_message_unref(reply);
    *told = 0;
    set(1);
    RUN_UNTIL(radio.prepared == 1);
    sd_bus_flush_close_unref(radio.bus);
    RUN_UNTIL(verdict);
    ck_assert_str_eq(fault, "Device.A.X:9002:" RADIO " has left the bus");
    check_told(RADIO
               " left Device.Services.FAPService.1.FAPControl.LTE.OpState=false "
               "Device.Services.FAPService.1.FAPControl.LTE.RFTxStatus=false\n");
    /* Back again, it is asked when it says so again. */
    daemon_start(&radio, RADIO);
    settle(client);
    set(1);
    ck_assert(verdict && n_faults == 0);
    owner_io_end(engine, true);
    check_told("");
    sd_bus_flush_close_unref(client);
    sd_bus_flush_close_unref(radio.bus);
    agent_stop();
}
END_TEST

static size_t heard[CLIENTS];

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const char *name, *kind, *value;
    ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "(sss)"), 0);
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        ck_assert_int_gt(sd_bus_message_read(m, "(sss)", &name, &kind, &value), 0);
        ck_assert_str_eq(name, changes[i].name);
        ck_assert_str_eq(kind, changes[i].kind);
        ck_assert_str_eq(value, changes[i].value);
    }
    ++*(size_t *)userdata;
    return 0;
}

START_TEST(changes_are_heard_once_by_fifty) {
    sd_bus *clients[CLIENTS];
    size_t total = 0;
    agent_start(NULL);
    agent_open();
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i] = connect_as(NULL);
        ck_assert_int_ge(
            sd_bus_match_signal(clients[i], NULL, NAME, PATH, PARAMETERS, "Changed", on_changed, &heard[i]),
            0);
    }
    usec_t begin = clock_now().mono;
    ck_assert_int_eq(bus_changed(bus, changes, ARRAY_SIZE(changes)), 0);
    ck_assert_int_eq(bus_changed(bus, NULL, 0), 0); /* nothing has changed, nothing is said */
    usec_t took = clock_now().mono - begin;
    ck_assert_msg(took < 200 * USEC_PER_MSEC, "the agent was busy for %llu us", (unsigned long long)took);
    for (size_t i = 0; i < CLIENTS; i++)
        settle(clients[i]);
    for (size_t i = 0; i < CLIENTS; i++)
        total += heard[i];
    ck_assert_uint_eq(total, CLIENTS);
    for (size_t i = 0; i < CLIENTS; i++)
        sd_bus_flush_close_unref(clients[i]);
    agent_stop();
}
END_TEST

static int on_foreign(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const char *name, *kind, *value;
    ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "(sss)"), 0);
    ck_assert_int_gt(sd_bus_message_read(m, "(sss)", &name, &kind, &value), 0);
    ck_assert_str_eq(value, "a?b??");
    *(bool *)userdata = true;
    return 0;
}

/* What no message can carry is a question mark in it: nobody misses the rest. */
START_TEST(values_of_a_hems_that_are_no_text) {
    const OwnerChange change = {"Device.A.X", "set",
                                "a\xef\xb7\x90"
                                "b\xf0\x9f\xbf\xbe\xff"};
    Daemon radio;
    bool came = false;
    agent_start(NULL);
    agent_open();
    daemon_start(&radio, RADIO);
    check_error(call(radio.bus, PARAMETERS, "Own", ""), NULL, NULL);
    ck_assert_int_ge(
        sd_bus_match_signal(radio.bus, NULL, NAME, PATH, PARAMETERS, "Changed", on_foreign, &came), 0);
    verdict = false;
    ck_assert_int_eq(owner_io_begin(engine, &change, 1), 0);
    RUN_UNTIL(verdict);
    ck_assert_str_eq(radio.changes, "set Device.A.X=a?b??;");
    owner_io_end(engine, true);
    ck_assert_int_eq(bus_changed(bus, &change, 1), 0);
    RUN_UNTIL(came);
    sd_bus_flush_close_unref(radio.bus);
    agent_stop();
}
END_TEST

START_TEST(alarms_are_passed_on) {
    agent_start(NULL);
    agent_open();
    sd_bus *client = connect_as(NULL);
    check_error(call(client, NAME ".Alarms", "RaiseAlarm", "sssssss", "Equipment Alarm", "Fan", "stuck",
                     "Major", "Device.A.", "text", "more"),
                NULL, NULL);
    check_error(call(client, NAME ".Alarms", "RaiseAlarm", "sssssss", "a", "b", "c", "Bad", "", "", ""),
                NAME ".Error.Refused", "no such severity");
    check_error(call(client, NAME ".Alarms", "ClearAlarm", "sss", "Equipment Alarm", "Fan", "stuck"), NULL,
                NULL);
    check_told(
        "raise Equipment Alarm|Fan|stuck|Major|Device.A.|text|more\nraise a|b|c|Bad|||\n"
        "clear Equipment Alarm|Fan|stuck\n");
    sd_bus_flush_close_unref(client);
    agent_stop();
}
END_TEST

START_TEST(wishes_for_files_are_passed_on) {
    agent_start(NULL);
    agent_open();
    sd_bus *client = connect_as(NULL);
    check_error(call(client, NAME ".Downloads", "Request", "sa(ss)", "1 Firmware Upgrade Image", 2, "Version",
                     "2.1", "Size", ""),
                NULL, NULL);
    check_error(call(client, NAME ".Downloads", "Request", "sa(ss)", "", 0), NAME ".Error.Refused",
                "there is no such type");
    check_error(call(client, NAME ".Downloads", "Request", "sa(ss)", "1 A", 17, "a", "", "b", "", "c", "",
                     "d", "", "e", "", "f", "", "g", "", "h", "", "i", "", "j", "", "k", "", "l", "", "m", "",
                     "n", "", "o", "", "p", "", "q", ""),
                NAME ".Error.Refused", "there are too many arguments");
    check_told("request 1 Firmware Upgrade Image Version=2.1 Size=\nrequest \n");
    sd_bus_flush_close_unref(client);
    agent_stop();
}
END_TEST

START_TEST(counters_are_passed_on) {
    agent_start(NULL);
    agent_open();
    sd_bus *client = connect_as(NULL);
    check_error(call(client, NAME ".Counters", "Count", "a(ssst)", 2, "RRC", "Cell=1", "Att", UINT64_C(7),
                     "RRC", "Cell=1", "Succ", UINT64_MAX),
                NULL, NULL);
    check_error(call(client, NAME ".Counters", "Measure", "a(ssss)", 3, "RRC", "Cell=1", "Mean", "1.5", "RRC",
                     "Cell=1", "Max", "much", "RRC", "Cell=1", "Min", "1"),
                NAME ".Error.Refused", "Max: no number");
    check_told(
        "count RRC|Cell=1|Att|7\ncount RRC|Cell=1|Succ|18446744073709551615\n"
        "measure RRC|Cell=1|Mean|1.5\nmeasure RRC|Cell=1|Max|much\n");
    sd_bus_flush_close_unref(client);
    agent_stop();
}
END_TEST

static int on_listened(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    *(bool *)userdata = true;
    return 0;
}

/* As nobody in a process of its own: does Changed arrive, which is sent before the new name's owner is? */
static int listener_run(gid_t group, int ready) {
    bool got = false, over = false;
    sd_bus *other;
    if (setgroups(1, &group) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0 ||
        sd_bus_open_system(&other) < 0 ||
        sd_bus_match_signal(other, NULL, NULL, PATH, PARAMETERS, "Changed", on_listened, &got) < 0 ||
        sd_bus_match_signal(other, NULL, NULL, PATH, "org.freedesktop.DBus.Properties", "PropertiesChanged",
                            on_listened, &over) < 0 ||
        write(ready, "", 1) != 1)
        return 100;
    while (!over) {
        int r = sd_bus_process(other, NULL);
        if (r < 0 || (r == 0 && sd_bus_wait(other, 10 * USEC_PER_SEC) <= 0))
            return 101;
    }
    return got;
}

static int on_child(sd_event_source *s, const siginfo_t *info, void *userdata) {
    return sd_event_exit(event, info->si_code == CLD_EXITED ? info->si_status : 102);
}

static void changed_try(gid_t group, bool expected) {
    char policy[8192], byte;
    int fds[2];
    sigset_t mask;
    Status other = status;

    if (getuid() != 0) {
        printf("bus-parameters: only root can try the policy as another user\n");
        return;
    }
    private_bus_policy(policy, sizeof policy, OUR_GROUP, "",
                       "<policy user=\"root\"><allow own=\"" RADIO "\"/></policy>");
    agent_start(policy);
    agent_open();
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    ck_assert_int_eq(sigprocmask(SIG_BLOCK, &mask, NULL), 0);
    ck_assert_int_eq(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(listener_run(group, fds[1]));
    ck_assert_int_eq(read(fds[0], &byte, 1), 1);
    ck_assert_int_ge(sd_event_add_child(event, NULL, child, WEXITED, on_child, NULL), 0);
    ck_assert_int_eq(bus_changed(bus, changes, ARRAY_SIZE(changes)), 0);
    strcpy(other.step, "on");
    ck_assert_int_eq(bus_publish(bus, &other), 0);
    ck_assert_int_eq(sd_event_loop(event), expected);
    agent_stop();
}

START_TEST(changes_are_not_for_everyone) {
    changed_try(NOBODY, false);
}
END_TEST

START_TEST(changes_are_for_our_group) {
    changed_try(OUR_GROUP, true);
}
END_TEST

/* The agent's user may ask owners although a system bus lets nobody call anybody. */
START_TEST(policy_lets_the_agent_ask) {
    char policy[8192];
    Daemon radio;
    if (getuid() != 0)
        return;
    private_bus_policy(policy, sizeof policy, OUR_GROUP, "",
                       "<policy user=\"root\"><allow own=\"" RADIO "\"/></policy>");
    agent_start(policy);
    agent_open();
    daemon_start(&radio, RADIO);
    check_error(call(radio.bus, PARAMETERS, "Own", ""), NULL, NULL);
    set(1);
    RUN_UNTIL(verdict);
    ck_assert_uint_eq(n_faults, 0);
    owner_io_end(engine, true);
    settle(radio.bus);
    ck_assert_uint_eq(radio.committed, 1);
    sd_bus_flush_close_unref(radio.bus);
    agent_stop();
}
END_TEST

static sd_bus *timesync_start(void) {
    sd_bus *t = connect_as(NULL);
    fake_timesync_start(t);
    return t;
}

START_TEST(ntp_servers_go_to_timesyncd) {
    static const char *const two[] = {"ntp1.example", "192.0.2.1"}, *const bad[] = {"bad"};
    agent_start(NULL);
    agent_open();
    sd_bus *timesync = timesync_start();
    settle(timesync);
    bus_time_servers(bus, NULL, 0); /* nobody has set any: its own configuration is left alone */
    settle(timesync);
    ck_assert_str_eq(fake_timesync_servers, "");
    bus_time_servers(bus, two, 2);
    RUN_UNTIL(*fake_timesync_servers);
    ck_assert_str_eq(fake_timesync_servers, "=ntp1.example 192.0.2.1 ");
    /* It has forgotten them when it comes again. */
    sd_bus_flush_close_unref(timesync);
    *fake_timesync_servers = 0;
    timesync = timesync_start();
    RUN_UNTIL(*fake_timesync_servers);
    ck_assert_str_eq(fake_timesync_servers, "=ntp1.example 192.0.2.1 ");
    *fake_timesync_servers = 0;
    bus_time_servers(bus, NULL, 0);
    RUN_UNTIL(*fake_timesync_servers);
    ck_assert_str_eq(fake_timesync_servers, "=");
    LOG_OF(bus_time_servers(bus, bad, 1); settle(timesync);
           settle(timesync), "does not take the HeMS's NTP servers: Invalid NTP");
    sd_bus_flush_close_unref(timesync);
    sd_bus *client = connect_as(NULL);
    settle(client);
    LOG_OF(bus_time_servers(bus, two, 2); settle(client), "systemd-timesyncd does not run");
    sd_bus_flush_close_unref(client);
    agent_stop();
}
END_TEST

static int on_age(void *userdata, const char *path, usec_t reported) {
    snprintf(told + strlen(told), sizeof told - strlen(told), "%s:%u ", path, (unsigned)reported);
    return 0;
}

START_TEST(ages_by_path) {
    _cleanup_(ages_freep) Ages *ages = NULL;
    char path[32];
    ck_assert_int_eq(ages_new(&ages), 0);
    ages_note(ages, "D.B.C", 2);
    ages_note(ages, "D.A", 1);
    ages_note(ages, "D.B", 3);
    ages_note(ages, "D.B.A", 4);
    ages_note(ages, "D.A", 5);
    ages_forget(ages, "D.X");
    ages_visit(ages, "D.", on_age, NULL);
    check_told("D.A:5 D.B:3 D.B.A:4 D.B.C:2 ");
    ages_visit(ages, "D.B.", on_age, NULL);
    check_told("D.B.A:4 D.B.C:2 ");
    ages_visit(ages, "D.B", on_age, NULL);
    check_told("D.B:3 ");
    ages_forget(ages, "D.B.A");
    ages_visit(ages, "", on_age, NULL);
    check_told("D.A:5 D.B:3 D.B.C:2 ");
    for (unsigned i = 0; i < AGES_MAX + 10; i++) {
        snprintf(path, sizeof path, "E.%u", i);
        ages_note(ages, path, i);
    }
    snprintf(path, sizeof path, "E.%u", AGES_MAX + 9);
    ages_visit(ages, path, on_age, NULL);
    check_told("");
}
END_TEST

SUITE("bus-parameters", parameters_are_read, only_the_owner_reports, ages_of_what_was_reported, owners_agree,
      owners_object_fail_or_are_silent, commits_from_within_the_verdict, an_answer_that_is_none,
      an_owner_leaves_the_bus, changes_are_heard_once_by_fifty, values_of_a_hems_that_are_no_text,
      alarms_are_passed_on, counters_are_passed_on, wishes_for_files_are_passed_on,
      changes_are_not_for_everyone, changes_are_for_our_group, policy_lets_the_agent_ask,
      ntp_servers_go_to_timesyncd, ages_by_path)
