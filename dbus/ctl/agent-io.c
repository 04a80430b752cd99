/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See agent-io.h. */
#include "dbus/ctl/agent-io.h"

#include "base/macro.h"
#include "dbus/ctl/message-io.h"

#define PARAMETERS AGENT_INTERFACE ".Parameters"

bool agent_is_absent(const sd_bus_error *error) {
    return sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
           sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER);
}

/* The first value of *reply*, as *shape* makes a tree of it. */
static int tree_read(sd_bus_message *reply, json_object *(*shape)(const json_object *), json_object **ret) {
    _cleanup_(json_object_putp) json_object *value = NULL;
    int r = message_read_json(reply, &value);

    if (r < 0)
        return r;
    *ret = shape(value);
    return 0;
}

int agent_read_all(sd_bus *bus, json_object **ret, sd_bus_error *error) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    int r = sd_bus_call_method(bus, AGENT_NAME, AGENT_ROOT, "org.freedesktop.DBus.ObjectManager",
                               "GetManagedObjects", error, &reply, NULL);
    return r < 0 ? r : tree_read(reply, tree_of_objects, ret);
}

int agent_read_timeline(sd_bus *bus, json_object **ret, sd_bus_error *error) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    int r = sd_bus_get_property(bus, AGENT_NAME, AGENT_PATH, AGENT_INTERFACE, "Timeline", error, &reply,
                                "a(ttssss)");
    return r < 0 ? r : tree_read(reply, tree_of_timeline, ret);
}

int agent_read_parameters(sd_bus *bus, char **names, json_object **ret, sd_bus_error *error) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
    int r = sd_bus_message_new_method_call(bus, &m, AGENT_NAME, AGENT_PATH, PARAMETERS, "Get");
    if (r >= 0)
        r = sd_bus_message_append_strv(m, names);
    if (r >= 0)
        r = sd_bus_call(bus, m, 0, error, &reply);
    return r < 0 ? r : tree_read(reply, tree_of_parameters, ret);
}

int agent_read_owners(sd_bus *bus, OwnerTable *ret, sd_bus_error *error) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    const char *path, *name;
    int there;

    *ret = (OwnerTable){};
    int r = sd_bus_get_property(bus, AGENT_NAME, AGENT_PATH, PARAMETERS, "Owners", error, &reply, "a(ssb)");
    if (r >= 0)
        r = sd_bus_message_enter_container(reply, 'a', "(ssb)");
    while (r >= 0 && (r = sd_bus_message_read(reply, "(ssb)", &path, &name, &there)) > 0)
        owner_table_set(ret, path, name);
    return r;
}

int agent_own(sd_bus *bus, const char *name) {
    int r = sd_bus_request_name(bus, name, 0);
    return r == -EALREADY ? 0 : MIN(r, 0);
}

static int assignment_append(sd_bus_message *m, const char *assignment) {
    size_t n = strcspn(assignment, "=");
    _cleanup_free_ char *name = strndup(assignment, n);

    return name ? sd_bus_message_append(m, "(ss)", name, assignment + n + 1) : -ENOMEM;
}

int agent_report(sd_bus *bus, char **assignments, sd_bus_error *error) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
    int r = sd_bus_message_new_method_call(bus, &m, AGENT_NAME, AGENT_PATH, PARAMETERS, "Report");

    if (r >= 0)
        r = sd_bus_message_open_container(m, 'a', "(ss)");
    for (; *assignments && r >= 0; assignments++)
        r = assignment_append(m, *assignments);
    if (r >= 0)
        r = sd_bus_message_close_container(m);
    return r < 0 ? r : sd_bus_call(bus, m, 0, error, &reply);
}

int agent_read_state(sd_bus *bus, char **ret, sd_bus_error *error) {
    return sd_bus_get_property_string(bus, AGENT_NAME, AGENT_PATH, AGENT_INTERFACE, "State", error, ret);
}

int agent_call(sd_bus *bus, const char *method, usec_t timeout, sd_bus_error *error) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
    int r = sd_bus_message_new_method_call(bus, &m, AGENT_NAME, AGENT_PATH, AGENT_INTERFACE, method);
    if (r >= 0)
        r = sd_bus_message_set_allow_interactive_authorization(m, true);
    return r < 0 ? r : sd_bus_call(bus, m, timeout, error, &reply);
}
