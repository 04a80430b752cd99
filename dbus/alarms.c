/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See alarms.h. Who may call is the bus policy's matter; what an alarm may hold, agent/alarm.h's. */
#include "dbus/alarms.h"

#include "base/log.h"

#define INTERFACE "org.henb.Agent1.Alarms"

/* Answers the call: *wrong* NULL: done. */
static int answer(sd_bus_message *m, const char *method, const char *wrong, sd_bus_error *error) {
    if (!wrong)
        return sd_bus_reply_method_return(m, NULL);
    log_info("D-Bus: %s by %s is refused: %s", method, sd_bus_message_get_sender(m), wrong);
    return sd_bus_error_set(error, BUS_ERROR_REFUSED, wrong);
}

static int on_raise(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const BusHandlers *handlers = userdata;
    BusAlarm alarm;

    if (!handlers->raise_alarm)
        return sd_bus_error_set(error, SD_BUS_ERROR_NOT_SUPPORTED, "there is no data model");
    int r =
        sd_bus_message_read(m, "sssssss", &alarm.event_type, &alarm.probable_cause, &alarm.specific_problem,
                            &alarm.severity, &alarm.object, &alarm.text, &alarm.information);
    return r < 0 ? r : answer(m, "RaiseAlarm", handlers->raise_alarm(handlers->others, &alarm), error);
}

static int on_clear(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const BusHandlers *handlers = userdata;
    BusAlarm alarm = {};

    if (!handlers->clear_alarm)
        return sd_bus_error_set(error, SD_BUS_ERROR_NOT_SUPPORTED, "there is no data model");
    int r = sd_bus_message_read(m, "sss", &alarm.event_type, &alarm.probable_cause, &alarm.specific_problem);
    return r < 0 ? r : answer(m, "ClearAlarm", handlers->clear_alarm(handlers->others, &alarm), error);
}

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_ARGS("RaiseAlarm",
                            SD_BUS_ARGS("s", event_type, "s", probable_cause, "s", specific_problem, "s",
                                        severity, "s", object, "s", text, "s", information),
                            SD_BUS_NO_RESULT, on_raise, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("ClearAlarm",
                            SD_BUS_ARGS("s", event_type, "s", probable_cause, "s", specific_problem),
                            SD_BUS_NO_RESULT, on_clear, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

int bus_alarms_add(sd_bus *bus, const char *path, const BusHandlers *handlers) {
    int r = sd_bus_add_object_vtable(bus, NULL, path, INTERFACE, vtable, (void *)handlers);
    return r < 0 ? r : 0;
}
