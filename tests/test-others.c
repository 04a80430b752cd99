/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The device on a bus of our own: what other daemons tell of faults is in the data model, NTP servers of the
 * data model are told, and the HeMS's word on either counts from then on and after the next start. */
#include <systemd/sd-bus.h>

#include "clock.h"
#include "fake-timesync.h"
#include "others.h"
#include "private-bus.h"
#include "state.h"
#include "suite.h"

#define NAME      "org.henb.Agent1"
#define FM        "Device.FaultMgmt."
#define SUPPORTED FM "SupportedAlarm."

static PrivateBus private_bus;
static sd_event *event;
static Bus *bus;
static Store *store;
static Device *device;
static Others others;
static unsigned active, passive;

static void fill(void *userdata, void *ret, size_t size) {
    memset(ret, 7, size);
}

static void on_request(void *userdata, BusRequest *request) {
    ck_abort();
}

static void on_noticed(void *userdata, int notification) {
    active += notification == 2;
    passive += notification == 1;
}

static void on_changed(void *userdata, unsigned topics) {
    if (topics & MODEL_TOPIC_TIME)
        others_tell_time_servers(&others, bus);
}

static usec_t on_real(void *userdata) {
    return clock_now().real;
}

static void box_start(void) {
    static const Rng rng = {.fill = fill};
    static const Config factory = {.manufacturer = "Example",
                                   .oui = "0A1B2C",
                                   .product_class = "HeNB",
                                   .serial_number = "1",
                                   .hardware_version = "1",
                                   .software_version = "1",
                                   .tunnel_interface = "lo",
                                   .serving = {.hems = "http://10.0.0.1/", .segw = "segw.example"}};
    static const OwnerTable nobody;
    static const Status status = {.state = AGENT_IDLE};
    const DeviceConfig config = {.factory = &factory,
                                 .store = store,
                                 .state_directory = "/",
                                 .rng = &rng,
                                 .noticed = on_noticed,
                                 .real = on_real,
                                 .changed = on_changed};
    BusHandlers handlers = {.deregister = on_request, .clear_deregistration = on_request};
    ck_assert_int_eq(device_new(&device, &config), 0);
    others = (Others){.device = device, .table = &nobody};
    others_handle(&others, &handlers);
    ck_assert_int_eq(bus_new(&bus, event, &status, &handlers), 0);
    others_tell_time_servers(&others, bus);
}

static void box_stop(void) {
    bus_free(TAKE_PTR(bus));
    device_free(TAKE_PTR(device));
}

static void setup(void) {
    private_bus_start(&private_bus, NULL);
    state_start();
    store = state_open();
    ck_assert_int_ge(sd_event_new(&event), 0);
    box_start();
}

static void teardown(void) {
    box_stop();
    store_close(store);
    sd_event_unref(event);
    private_bus_stop(&private_bus);
}

static sd_bus *connect_as(const char *name) {
    sd_bus *c;
    ck_assert_int_ge(sd_bus_open_system(&c), 0);
    ck_assert_int_ge(sd_bus_attach_event(c, event, 0), 0);
    if (name)
        ck_assert_int_ge(sd_bus_request_name(c, name, 0), 0);
    return c;
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    *(sd_bus_message **)userdata = sd_bus_message_ref(m);
    return 0;
}

/* What Alarms' method answers; NULL: it is done. */
static const char *called(sd_bus *client, const char *method, const char *types, ...) {
    static char said[256];
    sd_bus_message *m, *reply = NULL;
    va_list ap;
    ck_assert_int_ge(
        sd_bus_message_new_method_call(client, &m, NAME, "/org/henb/Agent1", NAME ".Alarms", method), 0);
    va_start(ap, types);
    ck_assert_int_ge(sd_bus_message_appendv(m, types, ap), 0);
    va_end(ap);
    ck_assert_int_ge(sd_bus_call_async(client, NULL, m, on_reply, &reply, 0), 0);
    sd_bus_message_unref(m);
    while (!reply)
        ck_assert_int_ge(sd_event_run(event, UINT64_MAX), 0);
    const sd_bus_error *e = sd_bus_message_get_error(reply);
    snprintf(said, sizeof said, "%s", e ? e->message : "");
    sd_bus_message_unref(reply);
    return *said ? said : NULL;
}

static int count_rows(void *userdata, const char *name, const ModelParameter *parameter, const char *value) {
    *(unsigned *)userdata += streq(strrchr(name, '.'), ".AlarmIdentifier");
    return 0;
}

static unsigned rows_of(const char *table) {
    char path[64];
    unsigned n = 0;
    snprintf(path, sizeof path, FM "%s.", table);
    ck_assert_int_eq(model_read(device_model(device), path, count_rows, &n), 0);
    return n;
}

typedef struct Search {
    const char *suffix, *value;
    char path[256];
} Search;

static int search(void *userdata, const char *name, const ModelParameter *parameter, const char *value) {
    Search *s = userdata;
    if (!streq(strrchr(name, '.') + 1, s->suffix) || !streq(value, s->value))
        return 0;
    snprintf(s->path, sizeof s->path, "%.*s", (int)(strrchr(name, '.') + 1 - name), name);
    return 1;
}

/* The row of a table in which a parameter has this value, with a dot. */
static const char *row_with(const char *table, const char *parameter, const char *value) {
    static Search s;
    s = (Search){.suffix = parameter, .value = value};
    ck_assert_int_eq(model_read(device_model(device), table, search, &s), 1);
    return s.path;
}

static void check_value(const char *row, const char *parameter, const char *value) {
    char path[300];
    snprintf(path, sizeof path, "%s%s", row, parameter);
    ck_assert_str_eq(model_get(device_model(device), path), value);
}

/* By the HeMS, as agent/cpe.c does it. */
static void set(const char *path, const char *value) {
    ModelOutcome outcome;
    ModelFault *faults;
    size_t n;
    const ModelSet sets[] = {{path, value, "string"}};
    ck_assert_int_eq(model_set(device_model(device), sets, 1, "", &outcome, &faults, &n), 0);
    device_changed(device, outcome.topics_changed);
}

static const char *fan_raise(sd_bus *client) {
    return called(client, "RaiseAlarm", "sssssss", "Equipment Alarm", "Fan", "stuck", "Major",
                  "Device.DeviceInfo.", "too hot", "");
}

START_TEST(another_daemons_alarm) {
    setup();
    sd_bus *client = connect_as(NULL);
    ck_assert_ptr_null(fan_raise(client));
    ck_assert_uint_eq(rows_of("CurrentAlarm"), 1);
    const char *row = row_with(FM "CurrentAlarm.", "ProbableCause", "Fan");
    check_value(row, "PerceivedSeverity", "Major");
    check_value(row, "AdditionalText", "too hot");
    ck_assert_int_ge(model_get_time(device_model(device), FM "CurrentAlarm.1.AlarmRaisedTime"), BUILT);
    ck_assert_uint_eq(rows_of("QueuedEvent"), 1); /* that is what another daemon's are at first */
    ck_assert_uint_eq(active, 0);
    ck_assert_uint_gt(passive, 0);
    ck_assert_str_eq(called(client, "RaiseAlarm", "sssssss", "Communications Alarm",
                            "Connection Establishment Error", "Security gateway unreachable", "Minor", "", "",
                            ""),
                     "this alarm is the agent's own");
    ck_assert_ptr_null(called(client, "ClearAlarm", "sss", "Equipment Alarm", "Fan", "stuck"));
    ck_assert_uint_eq(rows_of("CurrentAlarm"), 0);
    ck_assert_uint_eq(rows_of("HistoryEvent"), 2);
    sd_bus_flush_close_unref(client);
    teardown();
}
END_TEST

START_TEST(the_hems_chooses_how_it_is_told) {
    setup();
    sd_bus *client = connect_as(NULL);
    ck_assert_ptr_null(fan_raise(client));
    char path[300];
    snprintf(path, sizeof path, "%sReportingMechanism", row_with(SUPPORTED, "ProbableCause", "Fan"));
    set(path, "3 Disabled");
    ck_assert_uint_eq(rows_of("CurrentAlarm"), 0);
    set(path, "0 Expedited");
    ck_assert_uint_eq(rows_of("CurrentAlarm"), 1);
    ck_assert_uint_eq(rows_of("ExpeditedEvent"), 1);
    ck_assert_uint_eq(active, 8); /* all of the row but what is empty, as it was */
    sd_bus_flush_close_unref(client);
    teardown();
}
END_TEST

START_TEST(the_choice_is_kept) {
    setup();
    char path[300];
    snprintf(path, sizeof path, "%sReportingMechanism",
             row_with(SUPPORTED, "SpecificProblem", "Security gateway unreachable"));
    set(path, "2 Logged");
    box_stop();
    box_start();
    check_value(path, "", "2 Logged");
    active = 0;
    alarm_set(device_alarms(device), 0, ALARM_SEGW_UNREACHABLE, true, "no answer");
    ck_assert_uint_eq(rows_of("HistoryEvent"), 1);
    ck_assert_uint_eq(rows_of("ExpeditedEvent"), 0);
    ck_assert_uint_eq(active, 0);
    alarm_set(device_alarms(device), 0, ALARM_STORE_DAMAGED, true, "damaged");
    ck_assert_uint_eq(rows_of("ExpeditedEvent"), 1);
    ck_assert_uint_gt(active, 0);
    teardown();
}
END_TEST

static void check_servers(const char *expected) {
    while (!*fake_timesync_servers)
        ck_assert_int_ge(sd_event_run(event, UINT64_MAX), 0);
    ck_assert_str_eq(fake_timesync_servers, expected);
    *fake_timesync_servers = 0;
}

START_TEST(ntp_servers_of_the_hems) {
    setup();
    sd_bus *timesync = connect_as(NULL);
    fake_timesync_start(timesync);
    ck_assert_ptr_null(called(timesync, "ClearAlarm", "sss", "a", "b", "c")); /* the agent has seen it come */
    set("Device.Time.NTPServer1", "ntp1.example");
    check_servers("=ntp1.example ");
    set("Device.DeviceInfo.ProvisioningCode", "x");
    set("Device.Time.NTPServer4", "192.0.2.4"); /* it is told of this alone: nothing of the set before */
    check_servers("=ntp1.example 192.0.2.4 ");
    box_stop();
    box_start();
    check_servers("=ntp1.example 192.0.2.4 ");
    set("Device.Time.Enable", "false");
    check_servers("=");
    set("Device.Time.Enable", "true");
    check_servers("=ntp1.example 192.0.2.4 ");
    ck_assert_int_eq(store_reset(store, NULL, 0), 0);
    ck_assert_int_eq(device_reset(device), 0);
    check_servers("=");
    sd_bus_flush_close_unref(timesync);
    teardown();
}
END_TEST

SUITE("others", another_daemons_alarm, the_hems_chooses_how_it_is_told, the_choice_is_kept,
      ntp_servers_of_the_hems)
