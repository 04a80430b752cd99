/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See bus.h. What API.md describes, and where each part of it is: Status here, tunnel and session in files of
 * their own, all by publication.h; the methods in requests.h. */
#include "dbus/bus.h"

#include <systemd/sd-bus.h>

#include "base/log.h"
#include "dbus/alarms.h"
#include "dbus/callers.h"
#include "dbus/counters.h"
#include "dbus/downloads.h"
#include "dbus/log-control.h"
#include "dbus/parameters.h"
#include "dbus/publication.h"
#include "dbus/requests.h"
#include "dbus/session.h"
#include "dbus/text.h"
#include "dbus/time-sync.h"
#include "dbus/tunnel.h"

#define BUS_NAME      "org.henb.Agent1"
#define BUS_ROOT      "/org/henb"
#define BUS_PATH      BUS_ROOT "/Agent1"
#define BUS_INTERFACE "org.henb.Agent1"

struct Bus {
    sd_bus *connection;
    Callers *callers;
    BusHandlers handlers;
    BusRequests *requests;
    BusParameters *parameters;
    TimeSync *time_sync;
    Publication *agent, *tunnel, *session;
};

/* What is published of the agent. */
typedef struct Published {
    Status status;
    const Timeline *timeline;
} Published;

static int append_state(sd_bus_message *m, const void *field) {
    return bus_append_text(m, agent_state_to_string(*(const AgentState *)field));
}

static int append_mme(sd_bus_message *m, const Mme *mme) {
    int r = sd_bus_message_open_container(m, 'r', "sasq");
    if (r >= 0)
        r = bus_append_text(m, mme->entry);
    if (r >= 0)
        r = append_addresses(m, &mme->addresses);
    if (r >= 0)
        r = sd_bus_message_append_basic(m, 'q', &mme->port);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_mmes(sd_bus_message *m, const void *field) {
    const MmeList *list = field;
    int r = sd_bus_message_open_container(m, 'a', "(sasq)");
    for (size_t i = 0; i < list->n && r >= 0; i++)
        r = append_mme(m, &list->items[i]);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_step(sd_bus_message *m, const TimelineStep *step) {
    _cleanup_free_ char *error = bus_text_clean(step->error);
    int r = error ? sd_bus_message_append(m, "(ttssss)", step->start, step->end, step->clause, step->title,
                                          timeline_outcome_to_string(step->outcome), error)
                  : -ENOMEM;
    return r;
}

static int append_timeline(sd_bus_message *m, const void *field) {
    const Timeline *timeline = *(const Timeline *const *)field;
    const TimelineStep *step;
    int r = sd_bus_message_open_container(m, 'a', "(ttssss)");
    for (size_t i = 0; r >= 0 && timeline && (step = timeline_step(timeline, i)); i++)
        r = append_step(m, step);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

static bool state_equal(const void *a, const void *b) {
    return *(const AgentState *)a == *(const AgentState *)b;
}

static bool mmes_equal(const void *a, const void *b) {
    const MmeList *x = a, *y = b;
    if (x->n != y->n)
        return false;
    for (size_t i = 0; i < x->n; i++)
        if (!streq(x->items[i].entry, y->items[i].entry) || x->items[i].port != y->items[i].port ||
            !addresses_equal(&x->items[i].addresses, &y->items[i].addresses))
            return false;
    return true;
}

#define FIELD(field) offsetof(Published, status.field)
static const PublishedProperty properties[] = {
    {"State", "s", FIELD(state), append_state, state_equal},
    {"Mme", "a(sasq)", FIELD(mme), append_mmes, mmes_equal},
    {"MmeStored", "a(sasq)", FIELD(mme_stored), append_mmes, mmes_equal},
    {"S1ConnectionMode", "s", FIELD(s1_connection_mode), append_text, text_equal},
    {"AdminState", "b", FIELD(admin_state), append_bool, bool_equal},
    {"ClockTrusted", "b", FIELD(clock_trusted), append_bool, bool_equal},
    {"InnerAddresses", "as", FIELD(inner_addresses), append_addresses, addresses_equal},
    {"TunnelInterface", "s", FIELD(tunnel_interface), append_text, text_equal},
    {"SeGW", "s", FIELD(segw), append_text, text_equal},
    {"SeGWAddress", "s", FIELD(segw_address), append_address, address_field_equal},
    {"HeMS", "s", FIELD(hems), append_text, text_equal},
    {"Step", "s", FIELD(step), append_text, text_equal},
    {"Clause", "s", FIELD(clause), append_text, text_equal},
    {"LastError", "s", FIELD(last_error), append_text, text_equal},
    {"Timeline", "a(ttssss)", offsetof(Published, timeline), append_timeline, NULL, NEWS_ASKED},
};

/* The answer comes later. */
static int on_request(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const Bus *bus = publication_userdata(userdata);
    return bus_requests_begin(bus->requests, m, error);
}

/* "Unprivileged" methods are those sd-bus leaves to us and to the bus policy: itself it would ask for
 * CAP_SYS_ADMIN. */
static const sd_bus_vtable methods[] = {
    SD_BUS_METHOD("Deregister", NULL, NULL, on_request, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ClearDeregistration", NULL, NULL, on_request, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Reconnect", NULL, NULL, on_request, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Inform", NULL, NULL, on_request, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Reload", NULL, NULL, on_request, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

/* An MME is only told while registered: a stack that sees one connects. */
static void status_check(const Status *status) {
    assert(status->mme.n == 0 || status->state == AGENT_REGISTERED);
    assert(status->mme.n <= MME_MAX && status->mme_stored.n <= MME_MAX);
}

static int agent_add(Bus *bus, const Status *initial) {
    const PublicationConfig config = {.path = BUS_PATH,
                                      .interface = BUS_INTERFACE,
                                      .properties = properties,
                                      .n = ARRAY_SIZE(properties),
                                      .size = sizeof(Published),
                                      .methods = methods,
                                      .userdata = bus};
    Published published = {*initial, bus->handlers.timeline};

    return publication_new(&bus->agent, bus->connection, &config, &published);
}

static int objects_add(Bus *bus, const Status *initial) {
    int r = bus_requests_new(&bus->requests, bus->connection, &bus->handlers);
    if (r >= 0)
        r = sd_bus_add_object_manager(bus->connection, NULL, BUS_ROOT);
    if (r >= 0)
        r = agent_add(bus, initial);
    if (r >= 0)
        r = bus_parameters_new(&bus->parameters, bus->connection, BUS_PATH, &bus->handlers);
    if (r >= 0)
        r = bus_alarms_add(bus->connection, BUS_PATH, &bus->handlers);
    if (r >= 0)
        r = bus_counters_add(bus->connection, BUS_PATH, &bus->handlers);
    if (r >= 0)
        r = bus_downloads_add(bus->connection, BUS_PATH, &bus->handlers);
    if (r >= 0)
        r = bus_tunnel_add(&bus->tunnel, bus->connection, BUS_PATH "/tunnel/0", &bus->handlers);
    if (r >= 0)
        r = bus_session_add(&bus->session, bus->connection, BUS_PATH "/session");
    if (r >= 0)
        r = bus_log_control_add(bus->connection);
    return r;
}

/* Connects, adds the objects, takes the name. 0 or negative errno. */
static int bus_open(Bus *bus, sd_event *event, const Status *initial) {
    int r = sd_bus_open_system(&bus->connection);
    if (r >= 0)
        r = callers_new(&bus->callers, bus->connection);
    if (r >= 0)
        r = objects_add(bus, initial);
    if (r >= 0)
        r = time_sync_new(&bus->time_sync, bus->connection);
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

int bus_new(Bus **ret, sd_event *event, const Status *initial, const BusHandlers *handlers) {
    _cleanup_(bus_freep) Bus *bus = calloc(1, sizeof *bus);

    if (!bus)
        return -ENOMEM;
    status_check(initial);
    bus->handlers = *handlers;
    /* The bus daemon may answer anything, and some errors mean more to the caller: one for all. */
    if (bus_open(bus, event, initial) < 0)
        return -EIO;
    *ret = TAKE_PTR(bus);
    return 0;
}

void bus_free(Bus *bus) {
    if (!bus)
        return;
    callers_free(bus->callers);
    bus_requests_free(bus->requests);
    publication_free(bus->agent);
    publication_free(bus->tunnel);
    publication_free(bus->session);
    bus_parameters_free(bus->parameters);
    time_sync_free(bus->time_sync);
    sd_bus_flush_close_unref(bus->connection);
    free(bus);
}

int bus_owner_prepare(Bus *bus, const char *name, uint64_t id, const OwnerChange *changes, size_t n) {
    return bus_owners_prepare(bus_parameters_owners(bus->parameters), name, id, changes, n);
}

void bus_owner_end(Bus *bus, const char *name, uint64_t id, bool committed) {
    bus_owners_end(bus_parameters_owners(bus->parameters), name, id, committed);
}

int bus_changed(Bus *bus, const OwnerChange *changes, size_t n) {
    return bus_parameters_changed(bus->parameters, changes, n);
}

int bus_publish(Bus *bus, const Status *status) {
    Published published = {*status, bus->handlers.timeline};

    status_check(status);
    return publication_set(bus->agent, &published);
}

int bus_publish_tunnel(Bus *bus, const TunnelStatus *status) {
    return bus_tunnel_publish(bus->tunnel, status);
}

int bus_publish_session(Bus *bus, const SessionStatus *status) {
    return publication_set(bus->session, status);
}

void bus_time_servers(Bus *bus, const char *const *servers, size_t n) {
    time_sync_set(bus->time_sync, servers, n);
}

void bus_log_level_changed(Bus *bus) {
    bus_log_control_changed(bus->connection);
}
