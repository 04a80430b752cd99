/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See time-sync.h. */
#include "dbus/time-sync.h"

#include "base/log.h"
#include "dbus/text.h"

#define TIMESYNC "org.freedesktop.timesync1"

struct TimeSync {
    sd_bus *bus;
    sd_bus_slot *match, *call;
    bool set; /* somebody has ever set some */
    size_t n;
    char *servers[TIME_SERVERS_MAX];
};

static int on_told(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    TimeSync *sync = userdata;
    const sd_bus_error *failure = sd_bus_message_get_error(reply);

    sync->call = sd_bus_slot_unref(sync->call);
    if (!failure)
        log_info("systemd-timesyncd has the HeMS's %zu NTP servers", sync->n);
    else if (sd_bus_error_has_name(failure, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
             sd_bus_error_has_name(failure, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
        log_info("systemd-timesyncd does not run: the HeMS's NTP servers wait for it");
    else
        log_warning("systemd-timesyncd does not take the HeMS's NTP servers: %s",
                    failure->message ?: failure->name);
    return 0;
}

static void tell(TimeSync *sync) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

    sync->call = sd_bus_slot_unref(sync->call);
    int r = sd_bus_message_new_method_call(sync->bus, &m, TIMESYNC, "/org/freedesktop/timesync1",
                                           TIMESYNC ".Manager", "SetRuntimeNTPServers");
    if (r >= 0)
        r = sd_bus_message_set_auto_start(m, false);
    if (r >= 0)
        r = sd_bus_message_open_container(m, 'a', "s");
    for (size_t i = 0; i < sync->n && r >= 0; i++)
        r = bus_append_text(m, sync->servers[i]);
    if (r >= 0)
        r = sd_bus_message_close_container(m);
    if (r >= 0)
        r = sd_bus_call_async(sync->bus, &sync->call, m, on_told, sync, 0);
    if (r < 0)
        log_warning("systemd-timesyncd cannot be told of NTP servers: %s", strerror(-r));
}

static int on_name_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    TimeSync *sync = userdata;
    const char *name, *old, *new;

    int r = sd_bus_message_read(m, "sss", &name, &old, &new);
    if (r < 0)
        return r;
    if (*new && sync->set)
        tell(sync);
    return 0;
}

int time_sync_new(TimeSync **ret, sd_bus *bus) {
    _cleanup_(time_sync_freep) TimeSync *sync = calloc(1, sizeof *sync);

    if (!sync)
        return -ENOMEM;
    sync->bus = bus;
    int r = sd_bus_add_match(bus, &sync->match,
                             "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                             "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" TIMESYNC "'",
                             on_name_owner_changed, sync);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(sync);
    return 0;
}

static void servers_forget(TimeSync *sync) {
    while (sync->n > 0)
        free(sync->servers[--sync->n]);
}

void time_sync_free(TimeSync *sync) {
    if (!sync)
        return;
    sd_bus_slot_unref(sync->match);
    sd_bus_slot_unref(sync->call);
    servers_forget(sync);
    free(sync);
}

void time_sync_set(TimeSync *sync, const char *const *servers, size_t n) {
    if (n == 0 && !sync->set)
        return;
    servers_forget(sync);
    for (size_t i = 0; i < n && i < TIME_SERVERS_MAX; i++) {
        sync->servers[sync->n] = strdup(servers[i]);
        if (!sync->servers[sync->n]) {
            log_error("NTP servers: %s", strerror(ENOMEM));
            return;
        }
        sync->n++;
    }
    sync->set = true;
    tell(sync);
}
