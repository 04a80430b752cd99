/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See counters.h. Who may call is the bus policy's matter; what a counter may be, agent/cwmp/pm-counters.h's.
 */
#include "dbus/counters.h"

#include "base/log.h"
#include "dbus/text.h"

#define INTERFACE "org.henb.Agent1.Counters"

/* One of the array; 0: there is none left. */
static int read_one(sd_bus_message *m, bool counts, BusCounter *ret) {
    *ret = (BusCounter){.counts = counts};
    return counts ? sd_bus_message_read(m, "(ssst)", &ret->info, &ret->object, &ret->type, &ret->total)
                  : sd_bus_message_read(m, "(ssss)", &ret->info, &ret->object, &ret->type, &ret->value);
}

/* Those before the first one that is refused are taken. */
static int take(sd_bus_message *m, const BusHandlers *handlers, bool counts, sd_bus_error *error) {
    BusCounter counter;

    if (!handlers->count)
        return sd_bus_error_set(error, SD_BUS_ERROR_NOT_SUPPORTED, "there is no data model");
    int r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, counts ? "(ssst)" : "(ssss)");
    while (r >= 0 && (r = read_one(m, counts, &counter)) > 0) {
        const char *wrong = handlers->count(handlers->others, &counter);
        if (wrong) {
            log_info("D-Bus: counters of %s are refused: %s", sd_bus_message_get_sender(m), wrong);
            return bus_refuse(error, BUS_ERROR_REFUSED, "%s: %s", counter.type, wrong);
        }
    }
    return r < 0 ? r : sd_bus_reply_method_return(m, NULL);
}

static int on_count(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    return take(m, userdata, true, error);
}

static int on_measure(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    return take(m, userdata, false, error);
}

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_ARGS("Count", SD_BUS_ARGS("a(ssst)", totals), SD_BUS_NO_RESULT, on_count,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Measure", SD_BUS_ARGS("a(ssss)", values), SD_BUS_NO_RESULT, on_measure,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

int bus_counters_add(sd_bus *bus, const char *path, const BusHandlers *handlers) {
    int r = sd_bus_add_object_vtable(bus, NULL, path, INTERFACE, vtable, (void *)handlers);
    return r < 0 ? r : 0;
}
