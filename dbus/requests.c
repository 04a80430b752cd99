/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See requests.h. Caller's uid -> polkit -> handler, each step asynchronous. */
#include "dbus/requests.h"

#include <stdio.h>

#include "base/log.h"
#include "base/moment.h"
#include "dbus/text.h"

#define ERROR_BUSY "org.henb.Agent1.Error.Busy"

#define POLKIT_NAME                   "org.freedesktop.PolicyKit1"
#define POLKIT_PATH                   "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE              "org.freedesktop.PolicyKit1.Authority"
#define POLKIT_ALLOW_USER_INTERACTION UINT32_C(1)

/* A person who is asked for a password takes so long; without one polkit has sd-bus' own limit, 25 s. */
#define INTERACTION_TIMEOUT (2 * 60 * USEC_PER_SEC)

/* Any local user may call: so many calls are held at once, and of one user polkit is asked about one. */
#define REQUESTS_MAX 16

typedef enum Method {
    METHOD_DEREGISTER,
    METHOD_CLEAR_DEREGISTRATION,
    METHOD_RECONNECT,
    METHOD_INFORM,
    METHOD_RELOAD,
    METHODS_,
} Method;

/* The actions are those of policy/org.henb.agent1.policy. */
static const struct {
    const char *name, *action;
    size_t handler; /* in BusHandlers */
} methods[] = {
    [METHOD_DEREGISTER] = {"Deregister", "org.henb.agent1.deregister", offsetof(BusHandlers, deregister)},
    [METHOD_CLEAR_DEREGISTRATION] = {"ClearDeregistration", "org.henb.agent1.clear-deregistration",
                                     offsetof(BusHandlers, clear_deregistration)},
    [METHOD_RECONNECT] = {"Reconnect", "org.henb.agent1.reconnect", offsetof(BusHandlers, reconnect)},
    [METHOD_INFORM] = {"Inform", "org.henb.agent1.inform", offsetof(BusHandlers, inform)},
    [METHOD_RELOAD] = {"Reload", "org.henb.agent1.reload", offsetof(BusHandlers, reload)},
};
static_assert(ARRAY_SIZE(methods) == METHODS_, "a row for each method");

struct BusRequest {
    BusRequests *all;
    Method method;
    sd_bus_message *call; /* NULL: this entry is free */
    sd_bus_slot *slot;    /* the question to the bus daemon or to polkit */
    uint32_t uid;         /* of the caller, from on_caller() on */
    bool asking;          /* polkit is asked */
    bool authorized;      /* with the handler, until bus_request_done() */
};

struct BusRequests {
    sd_bus *bus;
    const BusHandlers *handlers;
    BusRequest items[REQUESTS_MAX];
};

static const BusRequestHandler *handler_of(const BusHandlers *handlers, Method method) {
    return (const BusRequestHandler *)((const char *)handlers + methods[method].handler);
}

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
    const BusHandlers *handlers = request->all->handlers;
    BusRequestHandler handler = *handler_of(handlers, request->method);

    for (size_t i = 0; i < REQUESTS_MAX; i++) {
        const BusRequest *other = &request->all->items[i];
        if (other->authorized && other->method == request->method) {
            request_answer(request, ERROR_BUSY, "an earlier call has not been answered yet");
            return;
        }
    }
    log_notice("D-Bus: %s by %s, user %u, authorized by %s", methods[request->method].name,
               sd_bus_message_get_sender(request->call), request->uid, by);
    request->authorized = true;
    handler(handlers->userdata, request);
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
    else if (challenge)
        request_answer(request, SD_BUS_ERROR_ACCESS_DENIED,
                       "polkit wants a password and has nobody to ask for it: use sudo, or pkttyagent");
    else
        request_answer(request, SD_BUS_ERROR_ACCESS_DENIED, "polkit does not allow it");
    return 0;
}

static int polkit_ask(BusRequest *request) {
    const bool interactive = sd_bus_message_get_allow_interactive_authorization(request->call) > 0;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

    int r = sd_bus_message_new_method_call(request->all->bus, &m, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                                           "CheckAuthorization");
    if (r >= 0)
        r = sd_bus_message_append(m, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s",
                                  sd_bus_message_get_sender(request->call), methods[request->method].action,
                                  0, interactive ? POLKIT_ALLOW_USER_INTERACTION : 0, "");
    if (r >= 0)
        r = sd_bus_call_async(request->all->bus, &request->slot, m, on_polkit, request,
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
        if (request->all->items[i].asking && request->all->items[i].uid == request->uid) {
            request_answer(request, ERROR_BUSY, "polkit is still asked about another call of this user");
            return 0;
        }
    int r = polkit_ask(request);
    if (r < 0)
        request_answer(request, SD_BUS_ERROR_FAILED, strerror(-r));
    return 0;
}

static Method method_of(const char *name) {
    Method method = 0;
    while (method < METHODS_ && !streq(methods[method].name, name))
        method++;
    assert(method < METHODS_); /* sd-bus calls us for what is in the vtable */
    return method;
}

int bus_requests_begin(BusRequests *all, sd_bus_message *m, sd_bus_error *error) {
    const Method method = method_of(sd_bus_message_get_member(m));
    BusRequest *request = NULL;
    sd_bus_slot *slot;

    if (!*handler_of(all->handlers, method))
        return sd_bus_error_set(error, SD_BUS_ERROR_NOT_SUPPORTED, "nobody is there to do it");
    for (size_t i = 0; i < REQUESTS_MAX && !request; i++)
        if (!all->items[i].call)
            request = &all->items[i];
    if (!request)
        return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "%d calls wait already", REQUESTS_MAX);
    int r = sd_bus_call_method_async(all->bus, &slot, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                     "org.freedesktop.DBus", "GetConnectionUnixUser", on_caller, request, "s",
                                     sd_bus_message_get_sender(m));
    if (r < 0)
        return r;
    *request = (BusRequest){.all = all, .method = method, .call = sd_bus_message_ref(m), .slot = slot};
    return 1;
}

int bus_requests_new(BusRequests **ret, sd_bus *bus, const BusHandlers *handlers) {
    BusRequests *all = calloc(1, sizeof *all);

    if (!all)
        return -ENOMEM;
    all->bus = bus;
    all->handlers = handlers;
    *ret = all;
    return 0;
}

void bus_requests_free(BusRequests *all) {
    if (!all)
        return;
    for (size_t i = 0; i < REQUESTS_MAX; i++)
        if (all->items[i].call)
            request_answer(&all->items[i], BUS_ERROR_REFUSED, "the agent is stopping");
    free(all);
}
