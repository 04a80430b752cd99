/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See login-io.h. */
#include "login-io.h"

#include <stdio.h>
#include <systemd/sd-bus.h>

#include "base/log.h"

struct LoginIo {
    sd_event *event;
    sd_bus *bus;
    sd_bus_slot *call;
    LoginIoRefused refused;
    void *userdata;
};

int login_io_new(LoginIo **ret, sd_event *event) {
    LoginIo *l = calloc(1, sizeof *l);

    if (!l)
        return -ENOMEM;
    l->event = sd_event_ref(event);
    *ret = l;
    return 0;
}

static void forget(LoginIo *l) {
    l->call = sd_bus_slot_unref(l->call);
    l->bus = sd_bus_close_unref(l->bus);
}

void login_io_free(LoginIo *l) {
    if (!l)
        return;
    forget(l);
    sd_event_unref(l->event);
    free(l);
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *ret) {
    LoginIo *l = userdata;
    const sd_bus_error *error = sd_bus_message_get_error(m);
    char text[ERROR_MAX_BYTES];

    if (!error) { /* the call stays: it is not asked for twice */
        log_notice("the box is going to reboot");
        return 0;
    }
    snprintf(text, sizeof text, "%s (%s)", error->message ?: "", error->name);
    forget(l);
    l->refused(l->userdata, text);
    return 0;
}

/* Not interactive: nobody is there whom polkit could ask. */
int login_io_reboot(LoginIo *l, LoginIoRefused refused, void *userdata) {
    if (l->call)
        return -EALREADY;
    l->refused = refused;
    l->userdata = userdata;
    int r = sd_bus_open_system_with_description(&l->bus, "login");
    if (r >= 0)
        r = sd_bus_attach_event(l->bus, l->event, 0);
    if (r >= 0)
        r = sd_bus_call_method_async(l->bus, &l->call, "org.freedesktop.login1", "/org/freedesktop/login1",
                                     "org.freedesktop.login1.Manager", "Reboot", on_answer, l, "b", 0);
    if (r < 0)
        forget(l);
    return r < 0 ? r : 0;
}
