/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See s1-watch.h. To try it:
 *
 *     cc -Wall -o s1-watch s1-watch.c s1-print.c $(pkg-config --cflags --libs libsystemd)
 *     ./s1-watch
 */
#include "s1-watch.h"

#include <stdio.h>
#include <string.h>

#define AGENT      "org.henb.Agent1" /* the name and the interface */
#define PATH       "/org/henb/Agent1"
#define PROPERTIES "org.freedesktop.DBus.Properties"

/* Reading what is published -------------------------------------------------------------------------- */

/* Rests of what was there before would make equal ends look different. */
static int text_read(sd_bus_message *m, char *ret, size_t size) {
    const char *text;
    int r = sd_bus_message_read(m, "s", &text);
    if (r < 0)
        return r;
    memset(ret, 0, size);
    snprintf(ret, size, "%s", text);
    return 0;
}

static int addresses_read(sd_bus_message *m, S1Addresses *ret) {
    char rest[INET6_ADDRSTRLEN];
    int r = sd_bus_message_enter_container(m, 'a', "s");
    if (r < 0)
        return r;
    memset(ret, 0, sizeof *ret);
    while ((r = sd_bus_message_at_end(m, 0)) == 0) {
        bool fits = ret->n < S1_ADDRESSES_MAX;
        r = text_read(m, fits ? ret->items[ret->n] : rest, INET6_ADDRSTRLEN);
        if (r < 0)
            return r;
        ret->n += fits;
    }
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int mme_read(sd_bus_message *m, S1Mme *ret) {
    int r = sd_bus_message_enter_container(m, 'r', "sasq");
    if (r >= 0)
        r = text_read(m, ret->entry, sizeof ret->entry);
    if (r >= 0)
        r = addresses_read(m, &ret->addresses);
    if (r >= 0)
        r = sd_bus_message_read(m, "q", &ret->port);
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int mmes_read(sd_bus_message *m, S1Seen *ret) {
    S1Mme rest;
    int r = sd_bus_message_enter_container(m, 'a', "(sasq)");
    if (r < 0)
        return r;
    memset(ret->ends.mmes, 0, sizeof ret->ends.mmes);
    ret->ends.n_mmes = 0;
    while ((r = sd_bus_message_at_end(m, 0)) == 0) {
        bool fits = ret->ends.n_mmes < S1_MMES_MAX;
        r = mme_read(m, fits ? &ret->ends.mmes[ret->ends.n_mmes] : &rest);
        if (r < 0)
            return r;
        ret->ends.n_mmes += fits;
    }
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int state_read(sd_bus_message *m, S1Seen *ret) {
    return text_read(m, ret->state, sizeof ret->state);
}

static int admin_state_read(sd_bus_message *m, S1Seen *ret) {
    int yes, r = sd_bus_message_read(m, "b", &yes);
    ret->admin_state = r >= 0 && yes;
    return r;
}

static int mode_read(sd_bus_message *m, S1Seen *ret) {
    const char *mode;
    int r = sd_bus_message_read(m, "s", &mode);
    ret->ends.to_all = r >= 0 && strcmp(mode, "All") == 0;
    return r;
}

static int interface_read(sd_bus_message *m, S1Seen *ret) {
    return text_read(m, ret->ends.interface, sizeof ret->ends.interface);
}

static int local_read(sd_bus_message *m, S1Seen *ret) {
    return addresses_read(m, &ret->ends.local);
}

static const struct {
    const char *name, *type;
    int (*read)(sd_bus_message *m, S1Seen *ret);
} properties[] = {
    {"State", "s", state_read},           {"AdminState", "b", admin_state_read},
    {"S1ConnectionMode", "s", mode_read}, {"TunnelInterface", "s", interface_read},
    {"InnerAddresses", "as", local_read}, {"Mme", "a(sasq)", mmes_read},
};

/* The value of one property, which may be none of ours. */
static int property_read(sd_bus_message *m, const char *name, S1Seen *ret) {
    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++) {
        if (strcmp(properties[i].name, name) != 0)
            continue;
        int r = sd_bus_message_enter_container(m, 'v', properties[i].type);
        if (r >= 0)
            r = properties[i].read(m, ret);
        return r < 0 ? r : sd_bus_message_exit_container(m);
    }
    return sd_bus_message_skip(m, "v");
}

/* Names and values, as GetAll answers and PropertiesChanged tells them. */
static int properties_read(sd_bus_message *m, S1Seen *ret) {
    int r = sd_bus_message_enter_container(m, 'a', "{sv}");
    if (r < 0)
        return r;
    while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        const char *name;
        r = sd_bus_message_read(m, "s", &name);
        if (r >= 0)
            r = property_read(m, name, ret);
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
        if (r < 0)
            return r;
    }
    return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* Judging it ----------------------------------------------------------------------------------------- */

/* The rule of API.md: why S1 has to be down, or NULL. */
static const char *forbidden(const S1Seen *seen) {
    if (!seen->known)
        return "the agent is not on the bus";
    if (strcmp(seen->state, "registered") != 0)
        return seen->state;
    if (seen->ends.n_mmes == 0)
        return "there is no MME";
    return seen->admin_state ? NULL : "AdminState is false";
}

static void go_down(S1Watch *watch, const char *why) {
    if (!watch->up && strcmp(watch->why, why) == 0)
        return;
    watch->up = false;
    snprintf(watch->why, sizeof watch->why, "%s", why);
    s1_down(watch->why);
}

static void judge(S1Watch *watch, const S1Seen *now) {
    const char *why = forbidden(now);
    bool other_ends = memcmp(&watch->seen.ends, &now->ends, sizeof now->ends) != 0;
    watch->seen = *now;
    if (why) {
        go_down(watch, why);
        return;
    }
    if (watch->up && other_ends)
        go_down(watch, "MME, inner address or interface have changed");
    if (!watch->up) {
        watch->up = true;
        s1_up(&watch->seen.ends);
    }
}

/* Following it --------------------------------------------------------------------------------------- */

static int on_all(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    S1Watch *watch = userdata;
    S1Seen now = {0};
    (void)error;
    watch->reading = sd_bus_slot_unref(watch->reading);
    /* An error: nobody has the name. When somebody takes it, NameOwnerChanged tells. */
    if (!sd_bus_message_is_method_error(reply, NULL)) {
        int r = properties_read(reply, &now);
        if (r < 0)
            fprintf(stderr, "what the agent answers cannot be read: %s\n", strerror(-r));
        now.known = r >= 0;
    }
    judge(watch, &now);
    return 0;
}

static int read_all(S1Watch *watch) {
    sd_bus_message *call = NULL;
    watch->reading = sd_bus_slot_unref(watch->reading);
    int r = sd_bus_message_new_method_call(watch->bus, &call, AGENT, PATH, PROPERTIES, "GetAll");
    if (r >= 0)
        r = sd_bus_message_append(call, "s", AGENT);
    if (r >= 0)
        r = sd_bus_call_async(watch->bus, &watch->reading, call, on_all, watch, 0);
    sd_bus_message_unref(call);
    return r;
}

static int on_change(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    S1Watch *watch = userdata;
    S1Seen now = watch->seen;
    (void)error;
    /* Before the answer to GetAll, what a signal tells is older than that answer. */
    if (!now.known)
        return watch->reading ? 0 : read_all(watch);
    int r = sd_bus_message_skip(m, "s");
    if (r >= 0)
        r = properties_read(m, &now);
    if (r < 0)
        return read_all(watch);
    judge(watch, &now);
    return 0;
}

/* *before* and *after* are empty where there was, or is, none. */
static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    S1Watch *watch = userdata;
    const char *name, *before, *after;
    int r = sd_bus_message_read(m, "sss", &name, &before, &after);
    (void)error;
    if (r < 0)
        return r;
    watch->reading = sd_bus_slot_unref(watch->reading);
    if (*before)
        judge(watch, &(S1Seen){0}); /* a new agent begins from the start, whatever the old one said last */
    return *after ? read_all(watch) : 0;
}

/* Subscribes first and reads then. The bus keeps the order, so nothing is missed between the two. */
int s1_watch_start(S1Watch *watch, sd_bus *bus) {
    watch->bus = bus;
    int r = sd_bus_add_match_async(bus, &watch->owner_match,
                                   "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',"
                                   "arg0='" AGENT "'",
                                   on_owner, NULL, watch);
    if (r >= 0)
        r = sd_bus_add_match_async(bus, &watch->change_match,
                                   "type='signal',sender='" AGENT "',path='" PATH "',interface='" PROPERTIES
                                   "',member='PropertiesChanged',arg0='" AGENT "'",
                                   on_change, NULL, watch);
    return r < 0 ? r : read_all(watch);
}

void s1_watch_stop(S1Watch *watch, const char *why) {
    sd_bus_slot_unref(watch->reading);
    sd_bus_slot_unref(watch->change_match);
    sd_bus_slot_unref(watch->owner_match);
    go_down(watch, why);
    memset(watch, 0, sizeof *watch);
}
