/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See log-control.h. Of those sd-bus lets write, root and the agent's user, the bus policy lets root alone.
 * The level lasts until the agent ends or a reload finds another one in agent.conf. */
#include "dbus/log-control.h"

#include "base/log-journal-io.h"
#include "base/log.h"
#include "dbus/text.h"

#define LOG_CONTROL_PATH      "/org/freedesktop/LogControl1"
#define LOG_CONTROL_INTERFACE "org.freedesktop.LogControl1"

static const char *const levels[] = {"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"};

static int level_get(sd_bus *bus, const char *path, const char *interface, const char *name,
                     sd_bus_message *m, void *userdata, sd_bus_error *error) {
    return sd_bus_message_append_basic(m, 's', levels[log_get_level()]);
}

static int level_set(sd_bus *bus, const char *path, const char *interface, const char *name,
                     sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const char *level;
    int r = sd_bus_message_read(m, "s", &level);

    if (r < 0)
        return r;
    for (int i = 0; i < (int)ARRAY_SIZE(levels); i++)
        if (streq(levels[i], level)) {
            log_notice("D-Bus: log level %s, by %s", level, sd_bus_message_get_sender(m));
            log_set_level(i);
            r = sd_bus_emit_properties_changed(bus, path, interface, name, NULL);
            return r < 0 ? r : 1;
        }
    return bus_refuse(error, SD_BUS_ERROR_INVALID_ARGS, "\"%.32s\" is no log level", level);
}

/* Standard error and the journal are one there, whichever of both ways a line goes. */
static int target_get(sd_bus *bus, const char *path, const char *interface, const char *name,
                      sd_bus_message *m, void *userdata, sd_bus_error *error) {
    return sd_bus_message_append_basic(m, 's', log_journal_is_there() ? "journal" : "console");
}

static int identifier_get(sd_bus *bus, const char *path, const char *interface, const char *name,
                          sd_bus_message *m, void *userdata, sd_bus_error *error) {
    return sd_bus_message_append_basic(m, 's', "henb-agentd");
}

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_WRITABLE_PROPERTY("LogLevel", "s", level_get, level_set, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("LogTarget", "s", target_get, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("SyslogIdentifier", "s", identifier_get, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_VTABLE_END,
};

int bus_log_control_add(sd_bus *bus) {
    int r = sd_bus_add_object_vtable(bus, NULL, LOG_CONTROL_PATH, LOG_CONTROL_INTERFACE, vtable, NULL);
    return r < 0 ? r : 0;
}

void bus_log_control_changed(sd_bus *bus) {
    sd_bus_emit_properties_changed(bus, LOG_CONTROL_PATH, LOG_CONTROL_INTERFACE, "LogLevel", NULL);
}
