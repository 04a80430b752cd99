/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See owners.h. */
#include "dbus/owners.h"

#include <stdio.h>

#include "base/log.h"
#include "dbus/text.h"

#define OWNER_INTERFACE "org.henb.Agent1.Owner"
#define OWNER_OBJECT    "/org/henb/Agent1/Owner"
#define DAEMON          "org.freedesktop.DBus"
#define OBJECTIONS_MAX  256 /* of one answer; more are not read */

/* One well-known name of the table. */
typedef struct Presence {
    BusOwners *owners;
    const char *name;
    char *peer; /* the connection that has it; NULL: none */
    sd_bus_slot *match;
    sd_bus_slot *question;
    uint64_t id; /* of the change set it is asked about */
} Presence;

struct BusOwners {
    BusOwnersConfig config;
    size_t n;
    Presence items[OWNERS_MAX];
};

static Presence *presence_find(const BusOwners *owners, const char *name) {
    for (size_t i = 0; i < owners->n; i++)
        if (streq(owners->items[i].name, name))
            return (Presence *)&owners->items[i];
    return NULL;
}

bool bus_owners_present(const BusOwners *owners, const char *name) {
    const Presence *p = presence_find(owners, name);
    return p && p->peer;
}

bool bus_owners_is(const BusOwners *owners, const char *name, const char *peer) {
    const Presence *p = presence_find(owners, name);
    return p && p->peer && peer && streq(p->peer, peer);
}

size_t bus_owners_of(const BusOwners *owners, const char *peer, const char *ret[static OWNERS_MAX]) {
    size_t n = 0;

    for (size_t i = 0; i < owners->n; i++)
        if (bus_owners_is(owners, owners->items[i].name, peer))
            ret[n++] = owners->items[i].name;
    return n;
}

static void presence_set(Presence *p, const char *peer) {
    const BusOwnersConfig *config = &p->owners->config;

    p->question = sd_bus_slot_unref(p->question);
    if (p->peer) {
        free(TAKE_PTR(p->peer));
        log_notice("D-Bus: %s has left the bus", p->name);
        config->changed(config->userdata, p->name, false);
    }
    if (!*peer)
        return;
    p->peer = strdup(peer);
    if (!p->peer) {
        log_error("D-Bus: %s is on the bus: %s", p->name, strerror(ENOMEM));
        return;
    }
    log_notice("D-Bus: %s is on the bus", p->name);
    config->changed(config->userdata, p->name, true);
}

static int on_name_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    Presence *p = userdata;
    const char *name, *old, *new;

    int r = sd_bus_message_read(m, "sss", &name, &old, &new);
    if (r < 0)
        return r;
    /* What was heard with GetNameOwner may come once more. */
    if (streq(name, p->name) && !streq(strempty(p->peer), new))
        presence_set(p, new);
    return 0;
}

/* Listens, then looks: nothing is missed in between. */
static int presence_open(Presence *p, sd_bus *bus) {
    char match[OWNER_NAME_MAX + 160];
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    const char *peer;

    snprintf(match, sizeof match,
             "type='signal',sender='" DAEMON "',path='/org/freedesktop/DBus',interface='" DAEMON
             "',member='NameOwnerChanged',arg0='%s'",
             p->name);
    int r = sd_bus_add_match(bus, &p->match, match, on_name_owner_changed, p);
    if (r < 0)
        return r;
    r = sd_bus_call_method(bus, DAEMON, "/org/freedesktop/DBus", DAEMON, "GetNameOwner", &error, &reply, "s",
                           p->name);
    if (r < 0)
        return sd_bus_error_has_name(&error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ? 0 : r;
    r = sd_bus_message_read(reply, "s", &peer);
    if (r < 0)
        return r;
    p->peer = strdup(peer);
    return p->peer ? 0 : -ENOMEM;
}

int bus_owners_new(BusOwners **ret, const BusOwnersConfig *config) {
    _cleanup_(bus_owners_freep) BusOwners *owners = calloc(1, sizeof *owners);

    if (!owners)
        return -ENOMEM;
    owners->config = *config;
    for (size_t i = 0; i < config->table->n; i++) {
        const char *name = config->table->rows[i].name;
        if (presence_find(owners, name))
            continue;
        Presence *p = &owners->items[owners->n++];
        *p = (Presence){.owners = owners, .name = name};
        int r = presence_open(p, config->bus);
        if (r < 0)
            return r;
    }
    *ret = TAKE_PTR(owners);
    return 0;
}

void bus_owners_free(BusOwners *owners) {
    if (!owners)
        return;
    for (size_t i = 0; i < owners->n; i++) {
        sd_bus_slot_unref(owners->items[i].match);
        sd_bus_slot_unref(owners->items[i].question);
        free(owners->items[i].peer);
    }
    free(owners);
}

/* (b agreed, a(ss) objections) */
static int on_prepared(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    Presence *p = userdata;
    const BusOwnersConfig *config = &p->owners->config;
    OwnerObjection objections[OBJECTIONS_MAX], one;
    const sd_bus_error *failure = sd_bus_message_get_error(reply);
    size_t n = 0;
    int agreed;

    p->question = sd_bus_slot_unref(p->question);
    if (failure) {
        config->failed(config->userdata, p->name, p->id, failure->message ?: failure->name);
        return 0;
    }
    int r = sd_bus_message_has_signature(reply, "ba(ss)") ? 0 : -EBADMSG;
    if (r >= 0)
        r = sd_bus_message_read(reply, "b", &agreed);
    if (r >= 0)
        r = sd_bus_message_enter_container(reply, 'a', "(ss)");
    while (r >= 0 && n < OBJECTIONS_MAX &&
           (r = sd_bus_message_read(reply, "(ss)", &one.name, &one.reason)) > 0)
        objections[n++] = one;
    if (r < 0)
        config->failed(config->userdata, p->name, p->id, "its answer is none");
    else
        config->answered(config->userdata, p->name, p->id, agreed, objections, n);
    return 0;
}

static int append_change(sd_bus_message *m, const OwnerChange *change) {
    int r = sd_bus_message_open_container(m, 'r', "sss");
    if (r >= 0)
        r = bus_append_text(m, change->name);
    if (r >= 0)
        r = sd_bus_message_append_basic(m, 's', change->kind);
    if (r >= 0)
        r = bus_append_text(m, change->value);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_append_changes(sd_bus_message *m, const OwnerChange *changes, size_t n) {
    int r = sd_bus_message_open_container(m, 'a', "(sss)");
    for (size_t i = 0; i < n && r >= 0; i++)
        r = append_change(m, &changes[i]);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_owners_prepare(BusOwners *owners, const char *name, uint64_t id, const OwnerChange *changes,
                       size_t n) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    Presence *p = presence_find(owners, name);

    if (!p || !p->peer)
        return -ENOTCONN;
    p->question = sd_bus_slot_unref(p->question);
    int r = sd_bus_message_new_method_call(owners->config.bus, &m, p->peer, OWNER_OBJECT, OWNER_INTERFACE,
                                           "Prepare");
    if (r >= 0)
        r = sd_bus_message_append_basic(m, 't', &id);
    if (r >= 0)
        r = bus_append_changes(m, changes, n);
    if (r >= 0)
        r = sd_bus_call_async(owners->config.bus, &p->question, m, on_prepared, p, OWNER_CALL_TIMEOUT);
    p->id = id;
    return r < 0 ? r : 0;
}

void bus_owners_end(BusOwners *owners, const char *name, uint64_t id, bool committed) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    Presence *p = presence_find(owners, name);

    if (!p || !p->peer)
        return;
    p->question = sd_bus_slot_unref(p->question);
    int r = sd_bus_message_new_method_call(owners->config.bus, &m, p->peer, OWNER_OBJECT, OWNER_INTERFACE,
                                           committed ? "Commit" : "Abort");
    if (r >= 0)
        r = sd_bus_message_append_basic(m, 't', &id);
    if (r >= 0)
        r = sd_bus_message_set_expect_reply(m, false);
    if (r >= 0)
        r = sd_bus_send(owners->config.bus, m, NULL);
    if (r < 0)
        log_warning("D-Bus: %s cannot be told of the end of change set %llu: %s", name,
                    (unsigned long long)id, strerror(-r));
}
