/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See bus.h. org.henb.Agent1, as API.md describes it: one table of properties, from which come the vtable,
 * the comparison of two states and the names in PropertiesChanged. */
#include "dbus/bus.h"

#include <systemd/sd-bus.h>

#include "base/log.h"
#include "base/macro.h"
#include "base/utf8.h"

#define BUS_NAME      "org.henb.Agent1"
#define BUS_PATH      "/org/henb/Agent1"
#define BUS_INTERFACE "org.henb.Agent1"

/* Strings come from servers and files too, and the bus disconnects who sends anything but UTF-8: what is none
 * becomes a question mark. */
static int append_text(sd_bus_message *m, const char *text) {
    if (utf8_is_valid(text))
        return sd_bus_message_append_basic(m, 's', text);
    _cleanup_free_ char *copy = strdup(text);
    if (!copy)
        return -ENOMEM;
    for (char *p = copy; *p;) {
        size_t n = utf8_sequence(p);
        if (n == 0)
            *p = '?';
        p += n == 0 ? 1 : n;
    }
    return sd_bus_message_append_basic(m, 's', copy);
}

static int append_addresses(sd_bus_message *m, const AddressList *list) {
    int r = sd_bus_message_open_container(m, 'a', "s");
    for (size_t i = 0; i < list->n && r >= 0; i++)
        r = sd_bus_message_append_basic(m, 's', ADDRESS_STR(&list->items[i]));
    return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_mme(sd_bus_message *m, const Mme *mme) {
    int r = sd_bus_message_open_container(m, 'r', "sasq");
    if (r >= 0)
        r = append_text(m, mme->entry);
    if (r >= 0)
        r = append_addresses(m, &mme->addresses);
    if (r >= 0)
        r = sd_bus_message_append_basic(m, 'q', &mme->port);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

/* Getters; *field* is the property's member of the published Status. */

static int get_text(sd_bus *bus, const char *path, const char *interface, const char *name, sd_bus_message *m,
                    void *field, sd_bus_error *error) {
    return append_text(m, field);
}

static int get_state(sd_bus *bus, const char *path, const char *interface, const char *name,
                     sd_bus_message *m, void *field, sd_bus_error *error) {
    return append_text(m, agent_state_to_string(*(const AgentState *)field));
}

static int get_bool(sd_bus *bus, const char *path, const char *interface, const char *name, sd_bus_message *m,
                    void *field, sd_bus_error *error) {
    return sd_bus_message_append_basic(m, 'b', &(int){*(const bool *)field});
}

static int get_address(sd_bus *bus, const char *path, const char *interface, const char *name,
                       sd_bus_message *m, void *field, sd_bus_error *error) {
    return append_text(m, ADDRESS_STR((const Address *)field));
}

static int get_addresses(sd_bus *bus, const char *path, const char *interface, const char *name,
                         sd_bus_message *m, void *field, sd_bus_error *error) {
    return append_addresses(m, field);
}

static int get_mme(sd_bus *bus, const char *path, const char *interface, const char *name, sd_bus_message *m,
                   void *field, sd_bus_error *error) {
    const MmeList *list = field;
    int r = sd_bus_message_open_container(m, 'a', "(sasq)");
    for (size_t i = 0; i < list->n && r >= 0; i++)
        r = append_mme(m, &list->items[i]);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

/* Comparisons of two fields. Not memcmp(): behind a string's NUL and a list's end anything may stand. */

static bool text_equal(const void *a, const void *b) {
    return streq(a, b);
}

static bool state_equal(const void *a, const void *b) {
    return *(const AgentState *)a == *(const AgentState *)b;
}

static bool bool_equal(const void *a, const void *b) {
    return *(const bool *)a == *(const bool *)b;
}

static bool address_field_equal(const void *a, const void *b) {
    return address_equal(a, b);
}

static bool addresses_equal(const void *a, const void *b) {
    const AddressList *x = a, *y = b;
    if (x->n != y->n)
        return false;
    for (size_t i = 0; i < x->n; i++)
        if (!address_equal(&x->items[i], &y->items[i]))
            return false;
    return true;
}

static bool mme_equal(const void *a, const void *b) {
    const MmeList *x = a, *y = b;
    if (x->n != y->n)
        return false;
    for (size_t i = 0; i < x->n; i++)
        if (!streq(x->items[i].entry, y->items[i].entry) || x->items[i].port != y->items[i].port ||
            !addresses_equal(&x->items[i].addresses, &y->items[i].addresses))
            return false;
    return true;
}

static const struct {
    const char *name, *signature;
    size_t offset;
    sd_bus_property_get_t get;
    bool (*equal)(const void *a, const void *b);
} properties[] = {
    {"State", "s", offsetof(Status, state), get_state, state_equal},
    {"Mme", "a(sasq)", offsetof(Status, mme), get_mme, mme_equal},
    {"S1ConnectionMode", "s", offsetof(Status, s1_connection_mode), get_text, text_equal},
    {"AdminState", "b", offsetof(Status, admin_state), get_bool, bool_equal},
    {"InnerAddresses", "as", offsetof(Status, inner_addresses), get_addresses, addresses_equal},
    {"TunnelInterface", "s", offsetof(Status, tunnel_interface), get_text, text_equal},
    {"SeGW", "s", offsetof(Status, segw), get_text, text_equal},
    {"SeGWAddress", "s", offsetof(Status, segw_address), get_address, address_field_equal},
    {"HeMS", "s", offsetof(Status, hems), get_text, text_equal},
    {"Step", "s", offsetof(Status, step), get_text, text_equal},
    {"Clause", "s", offsetof(Status, clause), get_text, text_equal},
    {"LastError", "s", offsetof(Status, last_error), get_text, text_equal},
};

struct Bus {
    sd_bus *connection;
    Status status; /* what readers see */
    sd_bus_vtable vtable[ARRAY_SIZE(properties) + 2];
};

static void vtable_fill(sd_bus_vtable *vtable) {
    *vtable++ = (sd_bus_vtable)SD_BUS_VTABLE_START(0);
    for (size_t i = 0; i < ARRAY_SIZE(properties); i++)
        *vtable++ =
            (sd_bus_vtable)SD_BUS_PROPERTY(properties[i].name, properties[i].signature, properties[i].get,
                                           properties[i].offset, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE);
    *vtable = (sd_bus_vtable)SD_BUS_VTABLE_END;
}

/* An MME is only told while registered: a stack that sees one connects. */
static void status_check(const Status *status) {
    assert(status->mme.n == 0 || status->state == AGENT_REGISTERED);
    assert(status->mme.n <= MME_MAX);
}

/* Connects, adds the object, takes the name. 0 or negative errno. */
static int bus_open(Bus *bus, sd_event *event) {
    int r = sd_bus_open_system(&bus->connection);
    if (r >= 0)
        r = sd_bus_add_object_vtable(bus->connection, NULL, BUS_PATH, BUS_INTERFACE, bus->vtable,
                                     &bus->status);
    if (r >= 0)
        r = sd_bus_attach_event(bus->connection, event, SD_EVENT_PRIORITY_NORMAL);
    if (r >= 0)
        r = sd_bus_set_exit_on_disconnect(bus->connection, true);
    if (r < 0) {
        log_error("system bus: %s", strerror(-r));
        return r;
    }
    r = sd_bus_request_name(bus->connection, BUS_NAME, 0);
    if (r == -EEXIST)
        log_error("system bus: another process has the name " BUS_NAME);
    else if (r == -EACCES)
        log_error("system bus: this user may not have the name " BUS_NAME "; is the policy " BUS_NAME
                  ".conf installed and read (systemctl reload dbus)?");
    else if (r < 0)
        log_error("system bus: cannot have the name " BUS_NAME ": %s", strerror(-r));
    return r;
}

int bus_new(Bus **ret, sd_event *event, const Status *initial) {
    _cleanup_(bus_freep) Bus *bus = calloc(1, sizeof *bus);

    if (!bus)
        return -ENOMEM;
    status_check(initial);
    bus->status = *initial;
    vtable_fill(bus->vtable);
    /* The bus daemon may answer anything, and some errors mean more to the caller: one for all. */
    if (bus_open(bus, event) < 0)
        return -EIO;
    *ret = TAKE_PTR(bus);
    return 0;
}

void bus_free(Bus *bus) {
    if (!bus)
        return;
    sd_bus_flush_close_unref(bus->connection);
    free(bus);
}

int bus_publish(Bus *bus, const Status *status) {
    char *changed[ARRAY_SIZE(properties) + 1];
    size_t n = 0;

    status_check(status);
    for (size_t i = 0; i < ARRAY_SIZE(properties); i++) {
        const size_t offset = properties[i].offset;
        if (!properties[i].equal((const char *)&bus->status + offset, (const char *)status + offset))
            changed[n++] = (char *)properties[i].name;
    }
    if (n == 0)
        return 0;
    changed[n] = NULL;
    bus->status = *status; /* before the signal, whose values the getters read here */
    int r = sd_bus_emit_properties_changed_strv(bus->connection, BUS_PATH, BUS_INTERFACE, changed);
    return r < 0 ? r : 0;
}
