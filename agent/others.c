/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See others.h. */
#include "others.h"

static const char *on_value(void *userdata, const char *path, const char *value) {
    const Others *others = userdata;
    return device_report(others->device, path, value);
}

static void on_reported(void *userdata) {
    const Others *others = userdata;
    others->reported(others->userdata);
}

typedef struct ParameterReader {
    BusVisitor visitor;
    void *to;
} ParameterReader;

static int on_parameter(void *userdata, const char *name, const ModelParameter *parameter,
                        const char *value) {
    const ParameterReader *reader = userdata;
    return reader->visitor(reader->to, name, model_type_wire(parameter->type), value);
}

static int on_read(void *userdata, const char *name, BusVisitor visitor, void *to) {
    const Others *others = userdata;
    int r = model_read(device_model(others->device), name, on_parameter, &(ParameterReader){visitor, to});
    return r > 0 ? -ENOENT : r;
}

/* The cell is off the air when nobody is left who would know; other values stay, and their age is told. */
static void on_owner_left(void *userdata, const char *name) {
    const Others *others = userdata;
    const char *paths[OWNER_ON_AIR_MAX];
    size_t n = owner_table_on_air(others->table, name, paths);

    for (size_t i = 0; i < n; i++)
        (void)device_report(others->device, paths[i], "false"); /* a boolean that is reported takes it */
    owner_io_left(others->owners, name);
}

static void on_owner_enters(void *userdata, const char *name) {
    const Others *others = userdata;
    owner_io_enters(others->owners, name);
}

static void on_owner_answered(void *userdata, const char *name, uint64_t id, bool agreed,
                              const OwnerObjection *objections, size_t n) {
    const Others *others = userdata;
    owner_io_answered(others->owners, name, id, agreed, objections, n);
}

static void on_owner_failed(void *userdata, const char *name, uint64_t id, const char *why) {
    const Others *others = userdata;
    owner_io_failed(others->owners, name, id, why);
}

static const char *on_count(void *userdata, const BusCounter *counter) {
    const Others *others = userdata;
    const PmCounter pm = {counter->info, counter->object, counter->type, counter->value, false};

    switch (counter->counts ? pm_counters_count(others->counters, &pm, counter->total)
                            : pm_counters_measure(others->counters, &pm)) {
    case 0:
        return NULL;
    case -EINVAL:
        return "a name is empty or too long, or the value is no number";
    case -E2BIG:
        return "there are too many counters";
    default: /* an int, no enum of ours */
        return "out of memory";
    }
}

static const char *on_raise(void *userdata, const BusAlarm *alarm) {
    const Others *others = userdata;
    const AlarmWish wish = {
        .event_type = alarm->event_type,
        .probable_cause = alarm->probable_cause,
        .specific_problem = alarm->specific_problem,
        .severity = alarm->severity,
        .object = alarm->object,
        .text = alarm->text,
        .information = alarm->information,
    };
    return alarm_raise(device_alarms(others->device), device_real(others->device), &wish);
}

static const char *on_clear(void *userdata, const BusAlarm *alarm) {
    const Others *others = userdata;
    return alarm_clear(device_alarms(others->device), device_real(others->device), alarm->event_type,
                       alarm->probable_cause, alarm->specific_problem);
}

static const char *on_request_download(void *userdata, const char *file_type, const BusArgument *arguments,
                                       size_t n) {
    const Others *others = userdata;
    SessionFileArg args[BUS_ARGUMENTS_MAX];

    for (size_t i = 0; i < n; i++)
        args[i] = (SessionFileArg){arguments[i].name, arguments[i].value};
    return cpe_request_download(others->cpe, file_type, args, n);
}

void others_tell_time_servers(const Others *others, Bus *bus) {
    static const char *const paths[] = {"Device.Time.NTPServer1", "Device.Time.NTPServer2",
                                        "Device.Time.NTPServer3", "Device.Time.NTPServer4",
                                        "Device.Time.NTPServer5"};
    const Model *model = device_model(others->device);
    const char *servers[ARRAY_SIZE(paths)];
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(paths) && model_get_boolean(model, "Device.Time.Enable"); i++) {
        servers[n] = model_get(model, paths[i]);
        n += *servers[n] != 0;
    }
    bus_time_servers(bus, servers, n);
}

void others_handle(Others *others, BusHandlers *handlers) {
    handlers->owners = others->table;
    handlers->report_value = on_value;
    handlers->reported = on_reported;
    handlers->read = on_read;
    handlers->owner_enters = on_owner_enters;
    handlers->owner_left = on_owner_left;
    handlers->owner_answered = on_owner_answered;
    handlers->owner_failed = on_owner_failed;
    handlers->count = on_count;
    handlers->raise_alarm = on_raise;
    handlers->clear_alarm = on_clear;
    handlers->request_download = others->cpe ? on_request_download : NULL;
    handlers->others = others;
}
