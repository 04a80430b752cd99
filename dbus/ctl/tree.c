/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See tree.h. */
#include "dbus/ctl/tree.h"

#include <stdio.h>
#include <string.h>

#include "base/macro.h"

#define AGENT   "org.henb.Agent1"
#define TUNNEL  "org.henb.Agent1.Tunnel"
#define SESSION "org.henb.Agent1.Session"

json_object *tree_child(const json_object *object, const char *key) {
    json_object *child = NULL;
    if (json_object_is_type(object, json_type_object))
        json_object_object_get_ex(object, key, &child);
    return child;
}

const char *tree_text(const json_object *object, const char *key) {
    json_object *child = tree_child(object, key);
    return json_object_is_type(child, json_type_string) ? json_object_get_string(child) : "";
}

uint64_t tree_number(const json_object *object, const char *key) {
    json_object *child = tree_child(object, key);
    return json_object_is_type(child, json_type_int) ? json_object_get_uint64(child) : 0;
}

bool tree_flag(const json_object *object, const char *key) {
    json_object *child = tree_child(object, key);
    return json_object_is_type(child, json_type_boolean) && json_object_get_boolean(child);
}

size_t tree_length(const json_object *array) {
    return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

static json_object *item(const json_object *array, size_t i) {
    return i < tree_length(array) ? json_object_array_get_idx(array, i) : NULL;
}

json_object *tree_item(const json_object *object, const char *key, size_t i) {
    return item(tree_child(object, key), i);
}

const char *tree_join(const json_object *array, const char *between, char *ret, size_t size) {
    size_t length = tree_length(array), n = 0;

    *ret = 0;
    for (size_t i = 0; n < size && i < length; i++)
        n += (size_t)snprintf(ret + n, size - n, "%s%s", i ? between : "",
                              strempty(json_object_get_string(item(array, i))));
    return ret;
}

/* A copy of *from*'s members in *to*. */
static void members_take(json_object *to, const json_object *from) {
    if (!from)
        return;
    json_object_object_foreach((json_object *)from, key, value)
        json_object_object_add(to, key, json_object_get(value));
}

json_object *tree_of_objects(const json_object *objects) {
    json_object *tree = json_object_new_object(), *tunnels = json_object_new_array();
    json_object *agent = json_object_new_object(), *session = json_object_new_object();

    json_object_object_foreach((json_object *)objects, path, interfaces) {
        json_object *tunnel = tree_child(interfaces, TUNNEL);
        members_take(agent, tree_child(interfaces, AGENT));
        members_take(session, tree_child(interfaces, SESSION));
        if (!tunnel)
            continue;
        json_object *one = json_object_new_object();
        json_object_object_add(one, "Path", json_object_new_string(path));
        members_take(one, tunnel);
        json_object_array_add(tunnels, one);
    }
    json_object_object_add(tree, "agent", agent);
    json_object_object_add(tree, "tunnels", tunnels);
    json_object_object_add(tree, "session", session);
    return tree;
}

json_object *tree_of_timeline(const json_object *steps) {
    static const char *const keys[] = {"start", "end", "clause", "title", "outcome", "error"};
    json_object *tree = json_object_new_array(), *step;

    for (size_t i = 0; (step = item(steps, i)); i++) {
        json_object *one = json_object_new_object();
        for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
            json_object_object_add(one, keys[k], json_object_get(item(step, k)));
        json_object_array_add(tree, one);
    }
    return tree;
}

json_object *tree_of_parameters(const json_object *parameters) {
    json_object *tree = json_object_new_object(), *row;

    for (size_t i = 0; (row = item(parameters, i)); i++) {
        json_object *one = json_object_new_object();
        json_object_object_add(one, "type", json_object_get(item(row, 1)));
        json_object_object_add(one, "value", json_object_get(item(row, 2)));
        json_object_object_add(tree, strempty(json_object_get_string(item(row, 0))), one);
    }
    return tree;
}
