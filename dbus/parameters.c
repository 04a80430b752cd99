/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See parameters.h. Who may call at all is the bus policy's matter; whose a parameter is, [Owners]' of
 * agent.conf. */
#include "dbus/parameters.h"

#include "base/log.h"
#include "base/moment.h"
#include "dbus/ages.h"
#include "dbus/text.h"

#define INTERFACE         "org.henb.Agent1.Parameters"
#define REPORT_VALUES_MAX 64     /* of one Report call */
#define NAMES_MAX         64     /* of one Get or Ages call */
#define ROWS_MAX          131072 /* of one answer to Get */

struct BusParameters {
    sd_bus *bus;
    const char *path;
    const BusHandlers *handlers;
    OwnerTable nobody;
    const OwnerTable *table;
    BusOwners *owners;
    Ages *ages;
    sd_bus_slot *slot;
};

static usec_t now_read(const BusParameters *p) {
    uint64_t now = 0;
    sd_event_now(sd_bus_get_event(p->bus), CLOCK_BOOTTIME, &now);
    return now;
}

/* Reads an array of names into *names*. Returns how many, negative errno, or what *error* says. */
static int names_read(sd_bus_message *m, const char *names[static NAMES_MAX], sd_bus_error *error) {
    const char *name;
    int n = 0;

    int r = sd_bus_message_enter_container(m, 'a', "s");
    while (r >= 0 && (r = sd_bus_message_read_basic(m, 's', &name)) > 0) {
        if (n == NAMES_MAX)
            return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "more names than %d in one call",
                                     NAMES_MAX);
        names[n++] = name;
    }
    return r < 0 ? r : n;
}

typedef struct Rows {
    sd_bus_message *reply;
    size_t n;
    usec_t now;
} Rows;

static int on_parameter(void *userdata, const char *name, const char *type, const char *value) {
    Rows *rows = userdata;

    if (++rows->n > ROWS_MAX)
        return -E2BIG;
    int r = sd_bus_message_open_container(rows->reply, 'r', "sss");
    if (r >= 0)
        r = sd_bus_message_append(rows->reply, "ss", name, type);
    if (r >= 0)
        r = bus_append_text(rows->reply, value);
    if (r >= 0)
        r = sd_bus_message_close_container(rows->reply);
    return r < 0 ? r : 0;
}

static int on_get(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const BusParameters *p = userdata;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    const char *names[NAMES_MAX];

    if (!p->handlers->read)
        return sd_bus_error_set(error, SD_BUS_ERROR_NOT_SUPPORTED, "there is no data model");
    int n = names_read(m, names, error);
    if (n < 0)
        return n;
    int r = sd_bus_message_new_method_return(m, &reply);
    if (r >= 0)
        r = sd_bus_message_open_container(reply, 'a', "(sss)");
    Rows rows = {.reply = reply};
    for (int i = 0; i < n && r >= 0; i++) {
        r = p->handlers->read(p->handlers->others, names[i], on_parameter, &rows);
        if (r == -ENOENT)
            return bus_refuse(error, BUS_ERROR_REFUSED, "%s: there is no such parameter", names[i]);
        if (r == -E2BIG)
            return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                     "more parameters than %d in one call", ROWS_MAX);
    }
    if (r >= 0)
        r = sd_bus_message_close_container(reply);
    return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int on_age(void *userdata, const char *path, usec_t reported) {
    Rows *rows = userdata;
    uint64_t seconds = (rows->now - MIN(reported, rows->now)) / USEC_PER_SEC;

    if (++rows->n > ROWS_MAX)
        return -E2BIG;
    return MIN(sd_bus_message_append(rows->reply, "(st)", path, seconds), 0);
}

static int on_ages(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const BusParameters *p = userdata;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    const char *names[NAMES_MAX];
    int n = names_read(m, names, error);

    if (n < 0)
        return n;
    int r = sd_bus_message_new_method_return(m, &reply);
    if (r >= 0)
        r = sd_bus_message_open_container(reply, 'a', "(st)");
    Rows rows = {.reply = reply, .now = now_read(p)};
    for (int i = 0; i < n && r >= 0; i++)
        r = ages_visit(p->ages, names[i], on_age, &rows);
    if (r == -E2BIG)
        return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "more parameters than %d in one call",
                                 ROWS_MAX);
    if (r >= 0)
        r = sd_bus_message_close_container(reply);
    return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

typedef struct Value {
    const char *path, *value;
} Value;

/* Each value is the caller's to report, or none of them is taken. */
static int report_authorize(const BusParameters *p, const char *sender, const Value *values, size_t n,
                            sd_bus_error *error) {
    for (size_t i = 0; i < n; i++) {
        const OwnerRow *row = owner_table_find(p->table, values[i].path);
        if (row && bus_owners_is(p->owners, row->name, sender))
            continue;
        log_warning("D-Bus: Report of %.200s by %s is refused: it belongs to %s", values[i].path, sender,
                    row ? row->name : "nobody");
        return row ? bus_refuse(error, BUS_ERROR_REFUSED, "%.200s: it belongs to %s", values[i].path,
                                row->name)
                   : bus_refuse(error, BUS_ERROR_REFUSED,
                                "%.200s: it belongs to nobody, see [Owners] in agent.conf", values[i].path);
    }
    return 0;
}

/* Values are taken in their order up to the first one that is refused. */
static int on_report(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const BusParameters *p = userdata;
    const BusHandlers *handlers = p->handlers;
    Value values[REPORT_VALUES_MAX], one;
    const char *wrong = NULL;
    size_t n = 0, i = 0;

    int r = sd_bus_message_enter_container(m, 'a', "(ss)");
    while (r >= 0 && (r = sd_bus_message_read(m, "(ss)", &one.path, &one.value)) > 0) {
        if (n == REPORT_VALUES_MAX)
            return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "more values than %d in one call",
                                     REPORT_VALUES_MAX);
        values[n++] = one;
    }
    if (r >= 0)
        r = report_authorize(p, sd_bus_message_get_sender(m), values, n, error);
    if (r < 0)
        return r;
    for (; i < n; i++) {
        wrong = handlers->report_value(handlers->others, values[i].path, values[i].value);
        if (wrong)
            break;
        if (*values[i].value)
            ages_note(p->ages, values[i].path, now_read(p));
        else
            ages_forget(p->ages, values[i].path);
    }
    handlers->reported(handlers->others);
    if (wrong)
        return bus_refuse(error, BUS_ERROR_REFUSED, "%s: %s", values[i].path, wrong);
    return sd_bus_reply_method_return(m, NULL);
}

static int on_own(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const BusParameters *p = userdata;
    const char *names[OWNERS_MAX], *sender = sd_bus_message_get_sender(m);
    size_t n = bus_owners_of(p->owners, sender, names);

    if (n == 0) {
        log_warning("D-Bus: Own by %s is refused: it has the name of no owner", sender);
        return sd_bus_error_set(error, BUS_ERROR_REFUSED,
                                "the caller has no name that is in [Owners] of agent.conf");
    }
    if (!p->handlers->owner_enters)
        return sd_bus_error_set(error, SD_BUS_ERROR_NOT_SUPPORTED, "there is no data model");
    for (size_t i = 0; i < n; i++) {
        log_notice("D-Bus: %s will be asked before changes of its parameters", names[i]);
        p->handlers->owner_enters(p->handlers->others, names[i]);
    }
    return sd_bus_reply_method_return(m, NULL);
}

static int get_owners(sd_bus *bus, const char *path, const char *interface, const char *name,
                      sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const BusParameters *p = userdata;
    int r = sd_bus_message_open_container(m, 'a', "(ssb)");

    for (size_t i = 0; i < p->table->n && r >= 0; i++)
        r = sd_bus_message_append(m, "(ssb)", p->table->rows[i].path, p->table->rows[i].name,
                                  bus_owners_present(p->owners, p->table->rows[i].name));
    return r < 0 ? r : sd_bus_message_close_container(m);
}

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("Owners", "a(ssb)", get_owners, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_METHOD_WITH_ARGS("Get", SD_BUS_ARGS("as", names), SD_BUS_RESULT("a(sss)", parameters), on_get,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Ages", SD_BUS_ARGS("as", names), SD_BUS_RESULT("a(st)", ages), on_ages,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Report", SD_BUS_ARGS("a(ss)", values), SD_BUS_NO_RESULT, on_report,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Own", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, on_own, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL_WITH_ARGS("Changed", SD_BUS_ARGS("a(sss)", changes), 0),
    SD_BUS_VTABLE_END,
};

static void on_owner_changed(void *userdata, const char *name, bool present) {
    const BusParameters *p = userdata;

    if (!present && p->handlers->owner_left)
        p->handlers->owner_left(p->handlers->others, name);
    int r = sd_bus_emit_properties_changed(p->bus, p->path, INTERFACE, "Owners", NULL);
    if (r < 0)
        log_warning("D-Bus: Owners cannot be told: %s", strerror(-r));
}

static void on_owner_answered(void *userdata, const char *name, uint64_t id, bool agreed,
                              const OwnerObjection *objections, size_t n) {
    const BusParameters *p = userdata;
    if (p->handlers->owner_answered)
        p->handlers->owner_answered(p->handlers->others, name, id, agreed, objections, n);
}

static void on_owner_failed(void *userdata, const char *name, uint64_t id, const char *why) {
    const BusParameters *p = userdata;

    log_warning("D-Bus: %s, asked about change set %llu: %.200s", name, (unsigned long long)id, why);
    if (p->handlers->owner_failed)
        p->handlers->owner_failed(p->handlers->others, name, id, why);
}

int bus_parameters_new(BusParameters **ret, sd_bus *bus, const char *path, const BusHandlers *handlers) {
    _cleanup_(bus_parameters_freep) BusParameters *p = calloc(1, sizeof *p);

    if (!p)
        return -ENOMEM;
    p->bus = bus;
    p->path = path;
    p->handlers = handlers;
    p->table = handlers->owners ?: &p->nobody;
    const BusOwnersConfig config = {bus, p->table, on_owner_changed, on_owner_answered, on_owner_failed, p};
    int r = ages_new(&p->ages);
    if (r >= 0)
        r = bus_owners_new(&p->owners, &config);
    if (r >= 0)
        r = sd_bus_add_object_vtable(bus, &p->slot, path, INTERFACE, vtable, p);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(p);
    return 0;
}

void bus_parameters_free(BusParameters *p) {
    if (!p)
        return;
    sd_bus_slot_unref(p->slot);
    bus_owners_free(p->owners);
    ages_free(p->ages);
    free(p);
}

BusOwners *bus_parameters_owners(const BusParameters *p) {
    return p->owners;
}

int bus_parameters_changed(BusParameters *p, const OwnerChange *changes, size_t n) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

    if (n == 0)
        return 0;
    int r = sd_bus_message_new_signal(p->bus, &m, p->path, INTERFACE, "Changed");
    if (r >= 0)
        r = bus_append_changes(m, changes, n);
    if (r >= 0)
        r = sd_bus_send(p->bus, m, NULL);
    return r < 0 ? r : 0;
}
