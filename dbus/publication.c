/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See publication.h. */
#include "dbus/publication.h"

#include "base/address.h"
#include "dbus/text.h"

#define METHODS_MAX 8

struct Publication {
    sd_bus *bus;
    sd_bus_slot *slot;
    PublicationConfig config;
    void *data;         /* what readers see */
    uint64_t refreshed; /* the wake-up of the event loop in which it was brought up to date */
    sd_bus_vtable vtable[PUBLISHED_MAX + METHODS_MAX + 2];
};

/* Fields ---------------------------------------------------------------------------------------------- */

int append_text(sd_bus_message *m, const void *field) {
    return bus_append_text(m, field);
}

int append_bool(sd_bus_message *m, const void *field) {
    return sd_bus_message_append_basic(m, 'b', &(int){*(const bool *)field});
}

int append_u64(sd_bus_message *m, const void *field) {
    return sd_bus_message_append_basic(m, 't', field);
}

int append_address(sd_bus_message *m, const void *field) {
    return bus_append_text(m, ADDRESS_STR((const Address *)field));
}

int append_addresses(sd_bus_message *m, const void *field) {
    const AddressList *list = field;
    int r = sd_bus_message_open_container(m, 'a', "s");
    for (size_t i = 0; i < list->n && r >= 0; i++)
        r = sd_bus_message_append_basic(m, 's', ADDRESS_STR(&list->items[i]));
    return r < 0 ? r : sd_bus_message_close_container(m);
}

/* Not memcmp(): behind a string's NUL and a list's end anything may stand. */

bool text_equal(const void *a, const void *b) {
    return streq(a, b);
}

bool bool_equal(const void *a, const void *b) {
    return *(const bool *)a == *(const bool *)b;
}

bool u64_equal(const void *a, const void *b) {
    return *(const uint64_t *)a == *(const uint64_t *)b;
}

bool address_field_equal(const void *a, const void *b) {
    return address_equal(a, b);
}

bool addresses_equal(const void *a, const void *b) {
    return address_list_equal(a, b);
}

/* The interface --------------------------------------------------------------------------------------- */

/* A wake-up handles one message: what is counted is asked for once for one answer, and is of one moment. */
static void refresh(Publication *p) {
    uint64_t now = 0;

    if (!p->config.refresh)
        return;
    if (sd_event_get_iteration(sd_bus_get_event(p->bus), &now) >= 0 && now == p->refreshed)
        return;
    p->refreshed = now;
    p->config.refresh(p->config.userdata, p->data);
}

static int on_get(sd_bus *bus, const char *path, const char *interface, const char *name, sd_bus_message *m,
                  void *userdata, sd_bus_error *error) {
    Publication *p = userdata;

    for (size_t i = 0; i < p->config.n; i++) {
        const PublishedProperty *property = &p->config.properties[i];
        if (!streq(property->name, name))
            continue;
        if (property->news != NEWS_TOLD)
            refresh(p);
        return property->append(m, (const char *)p->data + property->offset);
    }
    return -ENOENT;
}

static sd_bus_vtable vtable_row(const PublishedProperty *property) {
    const char *name = property->name, *signature = property->signature;

    switch (property->news) {
    case NEWS_TOLD:
        break;
    case NEWS_SILENT:
        return (sd_bus_vtable)SD_BUS_PROPERTY(name, signature, on_get, 0, 0);
    case NEWS_ASKED:
        return (sd_bus_vtable)SD_BUS_PROPERTY(name, signature, on_get, 0, SD_BUS_VTABLE_PROPERTY_EXPLICIT);
    }
    return (sd_bus_vtable)SD_BUS_PROPERTY(name, signature, on_get, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE);
}

/* sd-bus hands every row of a vtable the same pointer: the methods get the publication's. */
static void vtable_fill(Publication *p) {
    sd_bus_vtable *row = p->vtable;
    const sd_bus_vtable *method = p->config.methods;

    *row++ = (sd_bus_vtable)SD_BUS_VTABLE_START(0);
    for (size_t i = 0; i < p->config.n; i++)
        *row++ = vtable_row(&p->config.properties[i]);
    for (; method && method->type != _SD_BUS_VTABLE_END; method++) {
        assert(row < p->vtable + ARRAY_SIZE(p->vtable) - 1);
        *row++ = *method;
    }
    *row = (sd_bus_vtable)SD_BUS_VTABLE_END;
}

int publication_new(Publication **ret, sd_bus *bus, const PublicationConfig *config, const void *initial) {
    _cleanup_(publication_freep) Publication *p = calloc(1, sizeof *p);

    assert(config->n <= PUBLISHED_MAX);
    if (!p)
        return -ENOMEM;
    p->bus = bus;
    p->config = *config;
    p->data = malloc(config->size);
    if (!p->data)
        return -ENOMEM;
    memcpy(p->data, initial, config->size);
    vtable_fill(p);
    int r = sd_bus_add_object_vtable(bus, &p->slot, config->path, config->interface, p->vtable, p);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(p);
    return 0;
}

void publication_free(Publication *p) {
    if (!p)
        return;
    sd_bus_slot_unref(p->slot);
    free(p->data);
    free(p);
}

void *publication_userdata(const Publication *p) {
    return p->config.userdata;
}

int publication_set(Publication *p, const void *data) {
    char *changed[PUBLISHED_MAX + 1];
    size_t n = 0;

    for (size_t i = 0; i < p->config.n; i++) {
        const PublishedProperty *property = &p->config.properties[i];
        if (property->news == NEWS_TOLD &&
            !property->equal((const char *)p->data + property->offset, (const char *)data + property->offset))
            changed[n++] = (char *)property->name;
    }
    memcpy(p->data, data, p->config.size); /* before the signal, whose values the getter reads here */
    if (n == 0)
        return 0;
    changed[n] = NULL;
    int r = sd_bus_emit_properties_changed_strv(p->bus, p->config.path, p->config.interface, changed);
    return r < 0 ? r : 0;
}
