/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See bus.h. org.henb.Agent1, as API.md describes it: one table of properties, from which come the vtable,
 * the comparison of two states and the names in PropertiesChanged; and the methods. The two privileged ones
 * go caller's uid -> polkit -> handler, each step asynchronous, and are answered when the handler says so. */
#include "dbus/bus.h"

#include <stdio.h>
#include <systemd/sd-bus.h>

#include "base/log.h"
#include "base/macro.h"
#include "base/moment.h"
#include "dbus/alarms.h"
#include "dbus/counters.h"
#include "dbus/downloads.h"
#include "dbus/parameters.h"
#include "dbus/text.h"
#include "dbus/time-sync.h"

#define BUS_NAME      "org.henb.Agent1"
#define BUS_PATH      "/org/henb/Agent1"
#define BUS_INTERFACE "org.henb.Agent1"
#define ERROR_BUSY    BUS_INTERFACE ".Error.Busy"

#define POLKIT_NAME                   "org.freedesktop.PolicyKit1"
#define POLKIT_PATH                   "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE              "org.freedesktop.PolicyKit1.Authority"
#define POLKIT_ALLOW_USER_INTERACTION UINT32_C(1)

/* A person who is asked for a password takes so long; without one polkit has sd-bus' own limit, 25 s. */
#define INTERACTION_TIMEOUT (2 * 60 * USEC_PER_SEC)

/* Any local user may call: so many calls are held at once, and of one user polkit is asked about one. */
#define REQUESTS_MAX 16

static int append_addresses(sd_bus_message *m, const AddressList *list) {
    int r = sd_bus_message_open_container(m, 'a', "s");
    for (size_t i = 0; i < list->n && r >= 0; i++)
        r = sd_bus_message_append_basic(m, 's', ADDRESS_STR(&list->items[i]));
    return r < 0 ? r : sd_bus_message_close_container(m);
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

/* Getters; *field* is the property's member of the published Status. */

static int get_text(sd_bus *bus, const char *path, const char *interface, const char *name, sd_bus_message *m,
                    void *field, sd_bus_error *error) {
    return bus_append_text(m, field);
}

static int get_state(sd_bus *bus, const char *path, const char *interface, const char *name,
                     sd_bus_message *m, void *field, sd_bus_error *error) {
    return bus_append_text(m, agent_state_to_string(*(const AgentState *)field));
}

static int get_bool(sd_bus *bus, const char *path, const char *interface, const char *name, sd_bus_message *m,
                    void *field, sd_bus_error *error) {
    return sd_bus_message_append_basic(m, 'b', &(int){*(const bool *)field});
}

static int get_address(sd_bus *bus, const char *path, const char *interface, const char *name,
                       sd_bus_message *m, void *field, sd_bus_error *error) {
    return bus_append_text(m, ADDRESS_STR((const Address *)field));
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
    {"MmeStored", "a(sasq)", offsetof(Status, mme_stored), get_mme, mme_equal},
    {"S1ConnectionMode", "s", offsetof(Status, s1_connection_mode), get_text, text_equal},
    {"AdminState", "b", offsetof(Status, admin_state), get_bool, bool_equal},
    {"ClockTrusted", "b", offsetof(Status, clock_trusted), get_bool, bool_equal},
    {"InnerAddresses", "as", offsetof(Status, inner_addresses), get_addresses, addresses_equal},
    {"TunnelInterface", "s", offsetof(Status, tunnel_interface), get_text, text_equal},
    {"SeGW", "s", offsetof(Status, segw), get_text, text_equal},
    {"SeGWAddress", "s", offsetof(Status, segw_address), get_address, address_field_equal},
    {"HeMS", "s", offsetof(Status, hems), get_text, text_equal},
    {"Step", "s", offsetof(Status, step), get_text, text_equal},
    {"Clause", "s", offsetof(Status, clause), get_text, text_equal},
    {"LastError", "s", offsetof(Status, last_error), get_text, text_equal},
};

typedef enum Method {
    METHOD_DEREGISTER,
    METHOD_CLEAR_DEREGISTRATION,
    METHODS_,
} Method;

/* The actions are those of policy/org.henb.agent1.policy. */
static const struct {
    const char *name, *action;
} methods[] = {
    [METHOD_DEREGISTER] = {"Deregister", "org.henb.agent1.deregister"},
    [METHOD_CLEAR_DEREGISTRATION] = {"ClearDeregistration", "org.henb.agent1.clear-deregistration"},
};
static_assert(ARRAY_SIZE(methods) == METHODS_, "a row for each method");

struct BusRequest {
    Bus *bus;
    Method method;
    sd_bus_message *call; /* NULL: this entry is free */
    sd_bus_slot *slot;    /* the question to the bus daemon or to polkit */
    uint32_t uid;         /* of the caller, from on_caller() on */
    bool asking;          /* polkit is asked */
    bool authorized;      /* with the handler, until bus_request_done() */
};

struct Bus {
    sd_bus *connection;
    BusParameters *parameters;
    TimeSync *time_sync;
    BusHandlers handlers;
    Status status; /* what readers see */
    BusRequest requests[REQUESTS_MAX];
    sd_bus_vtable vtable[ARRAY_SIZE(properties) + METHODS_ + 2];
};

/* Answers the call, unless nobody waits for an answer, and frees the entry. *error*: NULL for "done". */
static void request_answer(BusRequest *request, const char *error, const char *text) {
    _cleanup_free_ char *clean = error ? bus_text_clean(text) : NULL;

    if (error)
        log_info("D-Bus: %s by %s: %s", methods[request->method].name,
                 sd_bus_message_get_sender(request->call), strempty(clean));
    int r = error ? sd_bus_reply_method_errorf(request->call, error, "%s", strempty(clean))
                  : sd_bus_reply_method_return(request->call, NULL);
    if (r < 0)
        log_warning("D-Bus: %s cannot be answered: %s", methods[request->method].name, strerror(-r));
    sd_bus_slot_unref(request->slot);
    sd_bus_message_unref(request->call);
    *request = (BusRequest){};
}

void bus_request_done(BusRequest *request, const char *refusal) {
    assert(request->authorized);
    request_answer(request, refusal ? BUS_ERROR_REFUSED : NULL, refusal);
}

static void request_authorized(BusRequest *request, const char *by) {
    const BusHandlers *handlers = &request->bus->handlers;

    for (size_t i = 0; i < REQUESTS_MAX; i++) {
        const BusRequest *other = &request->bus->requests[i];
        if (other->authorized && other->method == request->method) {
            request_answer(request, ERROR_BUSY, "an earlier call has not been answered yet");
            return;
        }
    }
    log_notice("D-Bus: %s by %s, user %u, authorized by %s", methods[request->method].name,
               sd_bus_message_get_sender(request->call), request->uid, by);
    request->authorized = true;
    switch (request->method) {
    case METHOD_DEREGISTER:
        handlers->deregister(handlers->userdata, request);
        break;
    case METHOD_CLEAR_DEREGISTRATION:
        handlers->clear_deregistration(handlers->userdata, request);
        break;
    case METHODS_:
        assert(false);
    }
}

/* polkit's AuthorizationResult: yes or no, and whether a person's password would make it a yes. */
static int on_polkit(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    BusRequest *request = userdata;
    int authorized, challenge;
    const sd_bus_error *failure = sd_bus_message_get_error(reply);

    request->asking = false;
    request->slot = sd_bus_slot_unref(request->slot);
    int r =
        failure ? -sd_bus_error_get_errno(failure) : sd_bus_message_enter_container(reply, 'r', "bba{ss}");
    if (r >= 0)
        r = sd_bus_message_read(reply, "bb", &authorized, &challenge);
    if (r < 0) {
        char text[ERROR_MAX_BYTES];
        snprintf(text, sizeof text, "polkit could not be asked, and without it only root may do this: %s",
                 failure && failure->message ? failure->message : strerror(-r));
        request_answer(request, SD_BUS_ERROR_ACCESS_DENIED, text);
    } else if (authorized)
        request_authorized(request, "polkit");
    else if (challenge && !sd_bus_message_get_allow_interactive_authorization(request->call))
        request_answer(request, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                       "polkit wants to ask for a password, and the call does not allow it");
    else
        request_answer(request, SD_BUS_ERROR_ACCESS_DENIED, "polkit does not allow it");
    return 0;
}

static int polkit_ask(BusRequest *request) {
    const bool interactive = sd_bus_message_get_allow_interactive_authorization(request->call) > 0;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

    int r = sd_bus_message_new_method_call(request->bus->connection, &m, POLKIT_NAME, POLKIT_PATH,
                                           POLKIT_INTERFACE, "CheckAuthorization");
    if (r >= 0)
        r = sd_bus_message_append(m, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s",
                                  sd_bus_message_get_sender(request->call), methods[request->method].action,
                                  0, interactive ? POLKIT_ALLOW_USER_INTERACTION : 0, "");
    if (r >= 0)
        r = sd_bus_call_async(request->bus->connection, &request->slot, m, on_polkit, request,
                              interactive ? INTERACTION_TIMEOUT : 0);
    request->asking = r >= 0;
    return r;
}

/* Who calls, as the bus daemon knows. root may always, as polkit would say: a reset button works on a box
 * whose polkit does not. */
static int on_caller(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    BusRequest *request = userdata;

    request->slot = sd_bus_slot_unref(request->slot);
    if (sd_bus_message_is_method_error(reply, NULL) || sd_bus_message_read(reply, "u", &request->uid) <= 0) {
        request_answer(request, SD_BUS_ERROR_ACCESS_DENIED, "the bus does not say who the caller is");
        return 0;
    }
    if (request->uid == 0) {
        request_authorized(request, "being root");
        return 0;
    }
    for (size_t i = 0; i < REQUESTS_MAX; i++)
        if (request->bus->requests[i].asking && request->bus->requests[i].uid == request->uid) {
            request_answer(request, ERROR_BUSY, "polkit is still asked about another call of this user");
            return 0;
        }
    int r = polkit_ask(request);
    if (r < 0)
        request_answer(request, SD_BUS_ERROR_FAILED, strerror(-r));
    return 0;
}

/* Deregister and ClearDeregistration. The answer comes later. */
static int request_begin(Bus *bus, Method method, sd_bus_message *m, sd_bus_error *error) {
    BusRequest *request = NULL;

    for (size_t i = 0; i < REQUESTS_MAX && !request; i++)
        if (!bus->requests[i].call)
            request = &bus->requests[i];
    if (!request)
        return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "%d calls wait already", REQUESTS_MAX);
    sd_bus_slot *slot;
    int r = sd_bus_call_method_async(bus->connection, &slot, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                     "org.freedesktop.DBus", "GetConnectionUnixUser", on_caller, request, "s",
                                     sd_bus_message_get_sender(m));
    if (r < 0)
        return r;
    *request = (BusRequest){.bus = bus, .method = method, .call = sd_bus_message_ref(m), .slot = slot};
    return 1;
}

static int on_deregister(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    return request_begin(userdata, METHOD_DEREGISTER, m, error);
}

static int on_clear_deregistration(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    return request_begin(userdata, METHOD_CLEAR_DEREGISTRATION, m, error);
}

/* "Unprivileged" methods are those sd-bus leaves to us and to the bus policy: itself it would ask for
 * CAP_SYS_ADMIN. */
static void vtable_fill(sd_bus_vtable *vtable) {
    static const sd_bus_message_handler_t handlers[] = {
        [METHOD_DEREGISTER] = on_deregister,
        [METHOD_CLEAR_DEREGISTRATION] = on_clear_deregistration,
    };
    static_assert(ARRAY_SIZE(handlers) == METHODS_, "a handler for each method");

    *vtable++ = (sd_bus_vtable)SD_BUS_VTABLE_START(0);
    for (size_t i = 0; i < ARRAY_SIZE(properties); i++)
        *vtable++ = (sd_bus_vtable)SD_BUS_PROPERTY(
            properties[i].name, properties[i].signature, properties[i].get,
            offsetof(Bus, status) + properties[i].offset, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE);
    for (size_t i = 0; i < METHODS_; i++)
        *vtable++ = (sd_bus_vtable)SD_BUS_METHOD(methods[i].name, NULL, NULL, handlers[i],
                                                 SD_BUS_VTABLE_UNPRIVILEGED);
    *vtable = (sd_bus_vtable)SD_BUS_VTABLE_END;
}

/* An MME is only told while registered: a stack that sees one connects. */
static void status_check(const Status *status) {
    assert(status->mme.n == 0 || status->state == AGENT_REGISTERED);
    assert(status->mme.n <= MME_MAX && status->mme_stored.n <= MME_MAX);
}

/* Connects, adds the object, takes the name. 0 or negative errno. */
static int bus_open(Bus *bus, sd_event *event) {
    int r = sd_bus_open_system(&bus->connection);
    if (r >= 0)
        r = sd_bus_add_object_vtable(bus->connection, NULL, BUS_PATH, BUS_INTERFACE, bus->vtable, bus);
    if (r >= 0)
        r = bus_parameters_new(&bus->parameters, bus->connection, BUS_PATH, &bus->handlers);
    if (r >= 0)
        r = bus_alarms_add(bus->connection, BUS_PATH, &bus->handlers);
    if (r >= 0)
        r = bus_counters_add(bus->connection, BUS_PATH, &bus->handlers);
    if (r >= 0)
        r = bus_downloads_add(bus->connection, BUS_PATH, &bus->handlers);
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
    bus->status = *initial;
    bus->handlers = *handlers;
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
    for (size_t i = 0; i < REQUESTS_MAX; i++)
        if (bus->requests[i].call)
            request_answer(&bus->requests[i], BUS_ERROR_REFUSED, "the agent is stopping");
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

void bus_time_servers(Bus *bus, const char *const *servers, size_t n) {
    time_sync_set(bus->time_sync, servers, n);
}
