/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See follow-io.h. First the matches, then what is there now: nothing is missed in between. */
#include "dbus/ctl/follow-io.h"

#include <stdio.h>
#include <time.h>

#include "base/macro.h"
#include "clock.h"
#include "dbus/ctl/agent-io.h"
#include "dbus/ctl/message-io.h"

#define RULE_CHANGES                                                                                         \
    "type='signal',sender='" AGENT_NAME "',path_namespace='" AGENT_ROOT                                      \
    "',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged'"
#define RULE_OWNER                                                                                           \
    "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"                              \
    "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" AGENT_NAME "'"
#define JSON_LINE (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

/* How long an agent has to answer, whatever is left. */
#define ASK_MIN USEC_PER_SEC
#define ASK_MAX (25 * USEC_PER_SEC)

static int matches_add(sd_bus *bus, sd_bus_message_handler_t changes, sd_bus_message_handler_t owner,
                       void *userdata) {
    int r = sd_bus_add_match(bus, NULL, RULE_CHANGES, changes, userdata);
    return r < 0 ? r : sd_bus_add_match(bus, NULL, RULE_OWNER, owner, userdata);
}

/* Until registered ------------------------------------------------------------------------------------ */

static int on_news(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    *(bool *)userdata = true;
    return 0;
}

/* 1, 0, or negative errno; -EAGAIN: there was no answer in time, and nothing may come that tells of it. */
static int is_registered(sd_bus *bus, usec_t left) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_free_ char *state = NULL;
    int r = sd_bus_set_method_call_timeout(bus, MIN(MAX(left, ASK_MIN), ASK_MAX));

    if (r >= 0)
        r = agent_read_state(bus, &state, &error);
    if (r >= 0)
        return streq(state, "registered");
    if (agent_is_absent(&error) || sd_bus_error_has_name(&error, SD_BUS_ERROR_NO_REPLY))
        return 0;
    return r == -ETIMEDOUT ? -EAGAIN : r;
}

/* Until there is news. 0, -ETIME, or negative errno. */
static int news_wait(sd_bus *bus, const bool *news, usec_t until) {
    while (!*news) {
        int r = sd_bus_process(bus, NULL);
        if (r < 0)
            return r;
        if (r > 0)
            continue;
        usec_t now = clock_now().mono;
        if (now >= until)
            return -ETIME;
        r = sd_bus_wait(bus, until == USEC_NEVER ? UINT64_MAX : until - now);
        if (r < 0 && r != -EINTR)
            return r;
    }
    return 0;
}

static usec_t left_until(usec_t until) {
    usec_t now = clock_now().mono;
    return until == USEC_NEVER ? USEC_NEVER : until - MIN(now, until);
}

int follow_until_registered(sd_bus *bus, usec_t timeout) {
    usec_t until = timeout == USEC_NEVER ? USEC_NEVER : clock_now().mono + timeout;
    bool news = false;
    int r = matches_add(bus, on_news, on_news, &news);

    while (r >= 0) {
        news = false;
        r = is_registered(bus, left_until(until));
        if (r > 0)
            return 0;
        if (r == -EAGAIN && left_until(until) > 0)
            r = 0;
        else if (r == -EAGAIN)
            r = -ETIME;
        else if (r == 0)
            r = news_wait(bus, &news, until);
    }
    return r;
}

/* Changes --------------------------------------------------------------------------------------------- */

typedef struct Follower {
    const Style *style;
    bool json;
} Follower;

static void stamp_print(const Follower *f) {
    time_t now = (time_t)(clock_now().real / USEC_PER_SEC);
    struct tm tm;
    char text[16] = "";

    if (localtime_r(&now, &tm))
        strftime(text, sizeof text, "%H:%M:%S", &tm);
    printf("%s%s%s ", style_on(f->style, COLOUR_FAINT), text, style_off(f->style));
}

/* "Tunnel.Up" for a person; those of the agent itself have no prefix. */
static void change_print(const Follower *f, const char *interface, const char *name, json_object *value) {
    const char *prefix = strncmp(interface, AGENT_INTERFACE ".", strlen(AGENT_INTERFACE ".")) == 0
                             ? interface + strlen(AGENT_INTERFACE ".")
                             : "";
    const char *text = json_object_is_type(value, json_type_string)
                           ? json_object_get_string(value)
                           : json_object_to_json_string_ext(value, JSON_LINE);
    stamp_print(f);
    style_print(stdout, f->style, prefix);
    fputs(*prefix ? "." : "", stdout);
    style_print(stdout, f->style, name);
    fputs(": ", stdout);
    style_print(stdout, f->style, text);
    putchar('\n');
}

/* *object* is the caller's still. */
static void line_print(json_object *object) {
    style_print_json(stdout, json_object_to_json_string_ext(object, JSON_LINE));
    putchar('\n');
    fflush(stdout);
}

static json_object *line_new(void) {
    json_object *line = json_object_new_object();
    json_object_object_add(line, "time", json_object_new_uint64(clock_now().real));
    return line;
}

static void changes_print(const Follower *f, const char *path, const char *interface, json_object *changes) {
    if (!f->json) {
        json_object_object_foreach(changes, name, value) change_print(f, interface, name, value);
        fflush(stdout);
        return;
    }
    _cleanup_(json_object_putp) json_object *line = line_new();
    json_object_object_add(line, "path", json_object_new_string(path));
    json_object_object_add(line, "interface", json_object_new_string(interface));
    json_object_object_add(line, "changed", json_object_get(changes));
    line_print(line);
}

static int on_changes(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    _cleanup_(json_object_putp) json_object *changes = NULL;
    const char *interface;
    int r = sd_bus_message_read(m, "s", &interface);

    if (r >= 0)
        r = message_read_json(m, &changes);
    if (r >= 0)
        changes_print(userdata, sd_bus_message_get_path(m), interface, changes);
    return r;
}

static void absence_print(const Follower *f) {
    if (!f->json) {
        stamp_print(f);
        puts("not running");
        fflush(stdout);
        return;
    }
    _cleanup_(json_object_putp) json_object *line = line_new();
    json_object_object_add(line, "running", json_object_new_boolean(false));
    line_print(line);
}

/* Each object as if all of it had changed. */
static void tree_print(const Follower *f, json_object *tree) {
    json_object *tunnel;

    changes_print(f, AGENT_PATH, AGENT_INTERFACE, tree_child(tree, "agent"));
    for (size_t i = 0; (tunnel = tree_item(tree, "tunnels", i)); i++) {
        _cleanup_free_ char *path = strdup(tree_text(tunnel, "Path"));
        json_object_object_del(tunnel, "Path");
        changes_print(f, strempty(path), AGENT_INTERFACE ".Tunnel", tunnel);
    }
    changes_print(f, AGENT_PATH "/session", AGENT_INTERFACE ".Session", tree_child(tree, "session"));
}

static int all_print(sd_bus *bus, const Follower *f) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_(json_object_putp) json_object *tree = NULL;
    int r = agent_read_all(bus, &tree, &error);

    if (r < 0 && agent_is_absent(&error)) {
        absence_print(f);
        return 0;
    }
    if (r >= 0)
        tree_print(f, tree);
    return MIN(r, 0);
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const Follower *f = userdata;
    const char *name, *before, *after;
    int r = sd_bus_message_read(m, "sss", &name, &before, &after);

    if (r < 0)
        return r;
    if (!*after)
        absence_print(f);
    else
        r = all_print(sd_bus_message_get_bus(m), f);
    return r;
}

int follow_changes(sd_bus *bus, const Style *style, bool json) {
    Follower f = {style, json};
    bool never = false;
    int r = matches_add(bus, on_changes, on_owner, &f);

    if (r >= 0)
        r = all_print(bus, &f);
    return r < 0 ? r : news_wait(bus, &never, USEC_NEVER);
}
