/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See callers.h. */
#include "dbus/callers.h"

#include <stdio.h>

#include "base/log.h"

#define DAEMON "org.freedesktop.DBus"

/* Whoever has not called for longest makes place for another one. More than one user may have connections:
 * who calls in turn with many pushes none of them out before the bus is asked about it. */
#define CALLERS_MAX     512
#define CALLER_NAME_MAX 32 /* ":1.4294967295" and room; the bus daemon makes these names */

typedef struct Caller {
    Callers *callers;
    char name[CALLER_NAME_MAX];
    unsigned calls; /* since the daemon was asked */
    bool deaf;
    uint64_t last; /* the number of its last call of all calls */
    sd_bus_slot *question;
} Caller;

struct Callers {
    sd_bus *bus;
    sd_bus_slot *filter;
    uint64_t calls;
    Caller items[CALLERS_MAX];
};

static void caller_judge(Caller *caller, uint32_t unread) {
    const bool deaf = unread > CALLERS_UNREAD;

    if (deaf && !caller->deaf)
        log_warning("D-Bus: %s leaves %u bytes unread: it is not answered until it has read them",
                    caller->name, unread);
    if (!deaf && caller->deaf)
        log_info("D-Bus: %s reads again", caller->name);
    caller->deaf = deaf;
}

/* A dictionary; a caller that has gone meanwhile, and a daemon that does not tell, are errors. */
static int on_stats(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    Caller *caller = userdata;
    const char *key;
    uint32_t unread = 0;

    caller->question = sd_bus_slot_unref(caller->question);
    if (sd_bus_message_is_method_error(reply, NULL) ||
        sd_bus_message_enter_container(reply, 'a', "{sv}") <= 0)
        return 0;
    while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
        int r = sd_bus_message_read(reply, "s", &key);
        if (r >= 0)
            r = streq(key, "OutgoingBytes") ? sd_bus_message_read(reply, "v", "u", &unread)
                                            : sd_bus_message_skip(reply, "v");
        if (r < 0 || sd_bus_message_exit_container(reply) < 0)
            return 0;
    }
    caller_judge(caller, unread);
    return 0;
}

static void caller_ask(Caller *caller) {
    int r = sd_bus_call_method_async(caller->callers->bus, &caller->question, DAEMON, "/org/freedesktop/DBus",
                                     DAEMON ".Debug.Stats", "GetConnectionStats", on_stats, caller, "s",
                                     caller->name);
    if (r < 0)
        log_warning("D-Bus: the bus cannot be asked about %s: %s", caller->name, strerror(-r));
}

static Caller *caller_find(Callers *callers, const char *name) {
    Caller *oldest = &callers->items[0];

    for (size_t i = 0; i < CALLERS_MAX; i++) {
        Caller *caller = &callers->items[i];
        if (streq(caller->name, name))
            return caller;
        if (caller->last < oldest->last)
            oldest = caller;
    }
    sd_bus_slot_unref(oldest->question);
    *oldest = (Caller){.callers = callers};
    snprintf(oldest->name, sizeof oldest->name, "%s", name);
    return oldest;
}

/* Reading without wanting the answer costs the same, and a caller may have any number of such calls on the
 * way: the bus counts those alone that wait for a reply. */
static bool is_idle(sd_bus_message *m) {
    const char *interface = strempty(sd_bus_message_get_interface(m));

    return sd_bus_message_get_expect_reply(m) == 0 &&
           strncmp(interface, DAEMON ".", strlen(DAEMON ".")) == 0 &&
           !streq(strempty(sd_bus_message_get_member(m)), "Set");
}

/* 1: the call is dealt with, nobody else sees it. */
static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    Callers *callers = userdata;
    const char *sender = sd_bus_message_get_sender(m);

    if (!sender || sd_bus_message_is_method_call(m, NULL, NULL) <= 0)
        return 0;
    if (is_idle(m))
        return 1;
    Caller *caller = caller_find(callers, sender);
    caller->last = ++callers->calls;
    if ((++caller->calls >= CALLERS_UNASKED || caller->deaf) && !caller->question) {
        caller->calls = 0;
        caller_ask(caller);
    }
    return caller->deaf;
}

int callers_new(Callers **ret, sd_bus *bus) {
    _cleanup_(callers_freep) Callers *callers = calloc(1, sizeof *callers);

    if (!callers)
        return -ENOMEM;
    callers->bus = bus;
    int r = sd_bus_add_filter(bus, &callers->filter, on_message, callers);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(callers);
    return 0;
}

void callers_free(Callers *callers) {
    if (!callers)
        return;
    sd_bus_slot_unref(callers->filter);
    for (size_t i = 0; i < CALLERS_MAX; i++)
        sd_bus_slot_unref(callers->items[i].question);
    free(callers);
}
