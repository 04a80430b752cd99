/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See fake-timesync.h. */
#include "fake-timesync.h"

#include <check.h>

#include "base/macro.h"

char fake_timesync_servers[256];

static int on_servers(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const char *server;
    strcpy(fake_timesync_servers, "=");
    ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "s"), 0);
    while (sd_bus_message_read(m, "s", &server) > 0)
        strcat(strcat(fake_timesync_servers, server), " ");
    return streq(fake_timesync_servers, "=bad ")
               ? sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, "Invalid NTP server name")
               : sd_bus_reply_method_return(m, NULL);
}

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("SetRuntimeNTPServers", "as", "", on_servers, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

void fake_timesync_start(sd_bus *bus) {
    ck_assert_int_ge(sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/timesync1",
                                              "org.freedesktop.timesync1.Manager", vtable, NULL),
                     0);
    ck_assert_int_ge(sd_bus_request_name(bus, "org.freedesktop.timesync1", 0), 0);
}
