/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which parameters an Inform carries. */
#include <check.h>

#include "base/macro.h"
#include "cwmp/fault.h"
#include "cwmp/inform.h"
#include "cwmp/session.h"
#include "suite.h"

#define MS    "Device.ManagementServer."
#define GPS   "Device.FAP.GPS."
#define CELL1 "Device.Services.FAPService.1.REM.LTE.Cell.1."
#define TABLE MS "InformParameter."

DEFINE_CLEANUP(Model, model_free)

static Model *new_model(void) {
    Model *model;
    ck_assert_int_eq(model_new(&model, &(ModelConfig){0}), 0);
    return model;
}

static void put(Model *model, const char *path, const char *value) {
    ck_assert_int_eq(model_put(model, path, value), 0);
}

static void report(Model *model, const char *path, const char *value) {
    ck_assert_int_eq(model_report(model, path, value), 0);
}

static int report_one(void *userdata, const char *name, const ModelParameter *p, const char *value) {
    if (p->flags & MODEL_REPORTED)
        report(userdata, name, p->type == MODEL_ADDRESS ? "192.0.2.1" : *p->initial ? p->initial : "x");
    return 0;
}

/* Everything that can be reported is. */
static void report_all(Model *model) {
    ck_assert_int_eq(model_read(model, "", report_one, model), 0);
}

typedef struct Seen {
    size_t n;
    char text[32768]; /* of what is beyond the forced ones: "name=value " */
} Seen;

static int collect(void *userdata, const char *name, const ModelParameter *parameter, const char *value) {
    Seen *seen = userdata;
    seen->n++;
    if (!(parameter->flags & MODEL_FORCED_INFORM))
        sprintf(seen->text + strlen(seen->text), "%s=%s ", name, value);
    return 0;
}

/* The extras of an Inform with one event, "" for none. */
static const char *extras(const Model *model, const char *paths, const char *event) {
    static Seen seen;
    const SoapEvent events[] = {{"9 NEVER", ""}, {event, ""}};
    seen = (Seen){0};
    ck_assert_int_eq(inform_parameters(model, paths, events, *event ? 2 : 0, collect, &seen), 0);
    size_t extra = 0;
    for (const char *c = seen.text; (c = strchr(c, ' ')); c++)
        extra++;
    ck_assert_uint_eq(seen.n, extra + 9); /* the forced ones, each once */
    return seen.text;
}

START_TEST(by_default_what_is_known_of_the_place) {
    _cleanup_(model_freep) Model *model = new_model();
    char text[ERROR_MAX_BYTES];
    ck_assert_pstr_eq(inform_check(model, INFORM_LOCATION, text), NULL);
    ck_assert_str_eq(extras(model, INFORM_LOCATION, "1 BOOT"), "");
    report(model, GPS "LockedLongitude", "-13404954");
    report(model, GPS "LockedLatitude", "52520008");
    report(model, GPS "ScanStatus", "Success");
    report(model, CELL1 "RF.PhyCellID", "0"); /* 0 is known, too */
    report(model, CELL1 "RF.RSRP", "-80");
    report(model, CELL1 "BCCH.PLMNList.1.PLMNID", "00101");
    report(model, "Device.IPsec.IKEv2SA.1.LocalAddress", "192.0.2.7");
    ck_assert_str_eq(extras(model, INFORM_LOCATION, "1 BOOT"),
                     GPS "ScanStatus=Success " GPS "LockedLatitude=52520008 " GPS
                         "LockedLongitude=-13404954 Device.IPsec.IKEv2SA.1.LocalAddress=192.0.2.7 " CELL1
                         "RF.PhyCellID=0 " CELL1 "RF.RSRP=-80 " CELL1 "BCCH.PLMNList.1.PLMNID=00101 ");
    report_all(model);
    const char *all = extras(model, INFORM_LOCATION, ""), *last = NULL;
    for (unsigned i = 1; i <= 4; i++) {
        char name[128];
        snprintf(name, sizeof name, "Cell.%u.RF.EUTRACarrierARFCN=", i);
        last = strstr(all, name);
        ck_assert_ptr_nonnull(last);
    }
    ck_assert_ptr_nonnull(strstr(last, ".BCCH.PLMNList.1.PLMNID="));
    ck_assert_ptr_null(strstr(all, "NumberOfEntries"));
    model_free(model);
    model = new_model();
    report(model, GPS "LockedLongitude", "-13404954");
    report(model, CELL1 "RF.RSRP", "-80");
    report(model, CELL1 "BCCH.PLMNList.1.PLMNID", "00101");
    report(model, "Device.IPsec.IKEv2SA.1.LocalAddress", "192.0.2.7");
    report(model, GPS "ScanStatus", "Error");
    report(model, GPS "ScanStatus", "");
    ck_assert_str_eq(extras(model, INFORM_LOCATION, ""),
                     GPS "LockedLongitude=-13404954 Device.IPsec.IKEv2SA.1.LocalAddress=192.0.2.7 " CELL1
                         "RF.RSRP=-80 " CELL1 "BCCH.PLMNList.1.PLMNID=00101 ");
}
END_TEST

START_TEST(what_the_factory_data_name) {
    static const struct {
        const char *paths, *extras;
    } cases[] = {
        {"", ""},
        {"  \t ", ""},
        {" " MS "PeriodicInformInterval  " MS "PeriodicInformEnable",
         MS "PeriodicInformInterval=86400 " MS "PeriodicInformEnable=true "},
        /* None twice, whichever way it is named, and not the forced ones once more. */
        {MS "PeriodicInformEnable " MS "PeriodicInformEnable " MS "ParameterKey",
         MS "PeriodicInformEnable=true "},
        {MS "DownloadAvailability.Query. " MS "DownloadAvailability.Query.URL",
         MS "DownloadAvailability.Query.URL= " MS "DownloadAvailability.Query.Enable=false " MS
            "DownloadAvailability.Query.Status=Disabled "}, /* full names first */
        {MS "Password", MS "Password= "},                   /* a secret stays one */
        {GPS "ScanStatus", ""},                             /* unknown, also when it is asked for */
    };
    _cleanup_(model_freep) Model *model = new_model();
    put(model, MS "Password", "s3cret");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[ERROR_MAX_BYTES];
        ck_assert_pstr_eq(inform_check(model, cases[i].paths, text), NULL);
        ck_assert_str_eq(extras(model, cases[i].paths, "1 BOOT"), cases[i].extras);
    }
}
END_TEST

START_TEST(what_cannot_be_named) {
    static const struct {
        const char *paths, *says;
    } cases[] = {
        {"Device.Nothing", "Device.Nothing is no parameter"},
        {MS "ParameterKey Device.Nothing.", "Device.Nothing. is no parameter"},
        {"Device.DeviceInfo",
         "Device.DeviceInfo is no parameter of this box, and no partial path with a dot"},
        {MS "ParameterKey," MS "URL", "is no parameter"},
        {"Device.", "more than 64 parameters"},
    };
    _cleanup_(model_freep) Model *model = new_model();
    char text[ERROR_MAX_BYTES], longest[3000] = "";
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *why = inform_check(model, cases[i].paths, text);
        ck_assert_ptr_nonnull(why);
        ck_assert_msg(strstr(why, cases[i].says) != NULL, "%s", why);
    }
    memset(longest, 'a', sizeof longest - 1);
    ck_assert_ptr_nonnull(inform_check(model, longest, text));
    /* And if it is asked for all the same: never more than the limit. */
    Seen seen = {0};
    report_all(model);
    ck_assert_int_eq(inform_parameters(model, "Device.Nothing Device.", NULL, 0, collect, &seen), 0);
    ck_assert_uint_eq(seen.n, 9 + INFORM_EXTRA_MAX);
}
END_TEST

START_TEST(what_the_table_names) {
    _cleanup_(model_freep) Model *model = new_model();
    put(model, TABLE "1.ParameterName", MS "PeriodicInformInterval"); /* not enabled */
    put(model, TABLE "2.Enable", "true");
    put(model, TABLE "2.ParameterName", MS "PeriodicInformEnable");
    put(model, TABLE "2.EventList", "1 BOOT, 2 PERIODIC");
    put(model, TABLE "3.Enable", "true");
    put(model, TABLE "3.ParameterName", MS "Username"); /* every Inform */
    put(model, TABLE "4.Enable", "true");
    put(model, TABLE "4.ParameterName", "Device.NoMore");
    put(model, TABLE "5.Enable", "true"); /* no name at all */
    put(model, TABLE "8.Enable", "true");
    put(model, TABLE "8.ParameterName", MS "Username");
    ck_assert_str_eq(extras(model, "", "1 BOOT"), MS "PeriodicInformEnable=true " MS "Username= ");
    ck_assert_str_eq(extras(model, "", "2 PERIODIC"), MS "PeriodicInformEnable=true " MS "Username= ");
    ck_assert_str_eq(extras(model, "", "2 PERIOD"), MS "Username= ");
    ck_assert_str_eq(extras(model, "", "0 BOOTSTRAP"), MS "Username= ");
    ck_assert_str_eq(extras(model, MS "Username", ""), MS "Username= ");
    LOG_OF((void)extras(model, "", ""), TABLE "4. is ignored: there is no parameter \"Device.NoMore\"");
    LOG_OF((void)extras(model, "", ""), TABLE "5. is ignored");
}
END_TEST

START_TEST(an_inform_stays_small) {
    _cleanup_(model_freep) Model *model = new_model();
    static char name[257], list[1025];
    char path[128];
    memset(name, 'n', sizeof name - 1);
    memset(list, 'l', sizeof list - 1);
    for (unsigned i = 1; i <= 8; i++) {
        snprintf(path, sizeof path, TABLE "%u.ParameterName", i);
        put(model, path, name);
        snprintf(path, sizeof path, TABLE "%u.EventList", i);
        put(model, path, list);
    }
    size_t n = strlen(extras(model, TABLE, ""));
    ck_assert_uint_le(n, INFORM_EXTRA_BYTES);
    ck_assert_uint_ge(n, 8000);
    put(model, TABLE "1.Enable", "true");
    put(model, TABLE "1.ParameterName", "Device.");
    put(model, TABLE "1.EventList", "");
    report_all(model);
    LOG_OF((void)extras(model, "", ""), "the Inform carries 64 parameters beyond the forced ones");
}
END_TEST

static int stop(void *userdata, const char *name, const ModelParameter *parameter, const char *value) {
    return --*(int *)userdata ? 0 : -ENOMEM;
}

/* 4 VALUE CHANGE asks for what has changed; it is no event for the table. */
START_TEST(what_the_table_says_of_value_change) {
    _cleanup_(model_freep) Model *model = new_model();
    Seen seen = {0};
    const SoapEvent alone[] = {{"4 VALUE CHANGE", ""}}, two[] = {{"1 BOOT", ""}, {"4 VALUE CHANGE", ""}};
    put(model, TABLE "2.Enable", "true");
    put(model, TABLE "2.ParameterName", MS "PeriodicInformEnable");
    put(model, TABLE "2.EventList", "4 VALUE CHANGE");
    put(model, TABLE "3.Enable", "true");
    put(model, TABLE "3.ParameterName", MS "Username");
    ck_assert_int_eq(inform_parameters(model, "", alone, 1, collect, &seen), 0);
    ck_assert_str_eq(seen.text, "");
    ck_assert_int_eq(inform_parameters(model, "", two, 2, collect, &seen), 0);
    ck_assert_str_eq(seen.text, MS "Username= ");
}
END_TEST

static int count(void *userdata, const char *name, const ModelParameter *parameter, const char *value) {
    ++*(size_t *)userdata;
    return 0;
}

static const char *row_name(unsigned i) {
    static char name[96];
    snprintf(name, sizeof name, "Device.FaultMgmt.HistoryEvent.%u.AlarmIdentifier", i);
    return name;
}

/* All that has changed, each once, and only with its event. */
START_TEST(what_has_changed) {
    _cleanup_(model_freep) Model *model = new_model();
    const ModelAttributes passive = {.name = "Device.", .set_notification = true, .notification = 1};
    const SoapEvent events[] = {{"2 PERIODIC", ""}, {"4 VALUE CHANGE", ""}};
    size_t changed = 0;
    uint32_t row;
    Seen seen = {0};
    put(model, TABLE "3.Enable", "true");
    put(model, TABLE "3.ParameterName", MS "Username");
    for (unsigned i = 0; i < 2 * INFORM_EXTRA_MAX; i++)
        ck_assert_int_eq(model_row_add(model, "Device.FaultMgmt.HistoryEvent.", &row), 0);
    ck_assert_int_eq(model_attributes_set(model, &passive, 1), 0);
    model_watch(model);
    put(model, MS "Username", "me");
    put(model, "Device.DeviceInfo.SoftwareVersion", "2"); /* forced */
    report(model, GPS "ScanStatus", "Error");
    ck_assert_int_eq(inform_parameters(model, MS "Username", events, 1, collect, &seen), 0);
    ck_assert_str_eq(seen.text, MS "Username=me ");
    seen = (Seen){0};
    ck_assert_int_eq(inform_parameters(model, MS "Username", events, 2, collect, &seen), 0);
    ck_assert_str_eq(seen.text, MS "Username=me " GPS "ScanStatus=Error ");
    ck_assert_uint_eq(seen.n, 9 + 2);
    /* No limit, and the others still have theirs. */
    for (unsigned i = 1; i <= 2 * INFORM_EXTRA_MAX; i++)
        put(model, row_name(i), "1");
    ck_assert_int_eq(model_read_changed(model, count, &changed), 0);
    ck_assert_uint_eq(changed, 3 + 2 * INFORM_EXTRA_MAX);
    seen = (Seen){0};
    ck_assert_int_eq(inform_parameters(model, "Device.", events, 2, collect, &seen), 0);
    ck_assert_uint_eq(seen.n, 9 + changed - 1 + INFORM_EXTRA_MAX);
    int left = 9 + INFORM_EXTRA_MAX;
    ck_assert_int_eq(inform_parameters(model, "", events, 2, stop, &left), -ENOMEM);
}
END_TEST

/* In DeviceId and in the ParameterList: there are HeMSs that go by either. */
START_TEST(expectation_48_who_the_box_is) {
    static const char *const names[] = {"SerialNumber", "SoftwareVersion", "HardwareVersion"};
    _cleanup_(model_freep) Model *model = new_model();
    SessionAction action;
    Session *session;
    const SoapEvent events[] = {{"1 BOOT", ""}, {"M Reboot", "k<1>"}};
    const SessionConfig config = {.url = "http://hems.example/",
                                  .device = {"Example", "0A1B2C", "HeNB", "serial-7"},
                                  .events = events,
                                  .n_events = 2,
                                  .model = model};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char path[64];
        snprintf(path, sizeof path, "Device.DeviceInfo.%s", names[i]);
        put(model, path, i == 0 ? "serial-7" : "version-8");
    }
    ck_assert_int_eq(session_new(&session, &config, (Moment){1, 1}), 0);
    ck_assert(session_next(session, &action));
    char *body = strndup(action.body, action.size);
    ck_assert_ptr_nonnull(strstr(body, "<OUI>0A1B2C</OUI>"));
    ck_assert_ptr_nonnull(strstr(body, "<ProductClass>HeNB</ProductClass>"));
    ck_assert_ptr_nonnull(strstr(body, "<SerialNumber>serial-7</SerialNumber>"));
    ck_assert_ptr_nonnull(strstr(body, "<CommandKey>k&lt;1&gt;</CommandKey>"));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char path[96];
        snprintf(path, sizeof path, "<Name>Device.DeviceInfo.%s</Name>", names[i]);
        const char *name = strstr(body, path);
        ck_assert_ptr_nonnull(name);
        const char *value = strstr(name, i == 0 ? ">serial-7</Value>" : ">version-8</Value>");
        ck_assert_ptr_nonnull(value);
        ck_assert_int_lt(value - name, 150);
    }
    free(body);
    session_free(session);
}
END_TEST

START_TEST(a_visitor_can_stop_it) {
    _cleanup_(model_freep) Model *model = new_model();
    for (int n = 1; n <= 9 + 3; n++) {
        int left = n;
        ck_assert_int_eq(inform_parameters(model, "Device.DeviceInfo.", NULL, 0, stop, &left), -ENOMEM);
        ck_assert_int_eq(left, 0);
    }
}
END_TEST

SUITE("inform", by_default_what_is_known_of_the_place, what_the_factory_data_name, what_cannot_be_named,
      what_the_table_names, an_inform_stays_small, what_the_table_says_of_value_change, what_has_changed,
      expectation_48_who_the_box_is, a_visitor_can_stop_it)
