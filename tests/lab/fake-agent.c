/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A puppet of org.henb.Agent1 for tests of its clients: what it publishes comes line by line on standard
 * input.
 *
 *     take                          takes the bus name
 *     drop                          gives it back
 *     State registered              sets a property and says so with PropertiesChanged
 *     AdminState 1
 *     S1ConnectionMode All
 *     TunnelInterface henb0
 *     InnerAddresses 10.64.0.1 2001:db8::1
 *     Mme ENTRY PORT ADDRESS...     one MME; alone, none
 *     Mme+ ENTRY PORT ADDRESS...    one more
 *
 * Each line is answered with "ok" on standard output when it is done. Ends with its input. */
#include <stdio.h>
#include <sys/epoll.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/macro.h"

#define WORDS_MAX 16
#define MMES_MAX  4
#define PATH      "/org/henb/Agent1"
#define NAME      "org.henb.Agent1"

typedef struct Words {
    size_t n;
    char *items[WORDS_MAX];
} Words;

typedef struct Agent {
    sd_bus *bus;
    const char *state;
    const char *interface;
    const char *mode;
    int admin_state;
    Words inner;
    size_t n_mme;
    Words mme[MMES_MAX]; /* entry, port, addresses */
} Agent;

static int get_words(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *data, sd_bus_error *error) {
    Words *words = data;
    int r = sd_bus_message_open_container(reply, 'a', "s");
    for (size_t i = 0; r >= 0 && i < words->n; i++)
        r = sd_bus_message_append(reply, "s", words->items[i]);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_mme(sd_bus *bus, const char *path, const char *interface, const char *property,
                   sd_bus_message *reply, void *data, sd_bus_error *error) {
    Agent *agent = data;
    int r = sd_bus_message_open_container(reply, 'a', "(sasq)");
    for (size_t i = 0; r >= 0 && i < agent->n_mme; i++) {
        Words *mme = &agent->mme[i], addresses = {.n = mme->n - 2};
        memcpy(addresses.items, mme->items + 2, addresses.n * sizeof(char *));
        r = sd_bus_message_open_container(reply, 'r', "sasq");
        if (r >= 0)
            r = sd_bus_message_append(reply, "s", mme->items[0]);
        if (r >= 0)
            r = get_words(bus, path, interface, property, reply, &addresses, error);
        if (r >= 0)
            r = sd_bus_message_append(reply, "q", (uint16_t)atoi(mme->items[1]));
        if (r >= 0)
            r = sd_bus_message_close_container(reply);
    }
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static const sd_bus_vtable VTABLE[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("State", "s", NULL, offsetof(Agent, state), SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("AdminState", "b", NULL, offsetof(Agent, admin_state),
                    SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("TunnelInterface", "s", NULL, offsetof(Agent, interface),
                    SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("S1ConnectionMode", "s", NULL, offsetof(Agent, mode),
                    SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("InnerAddresses", "as", get_words, offsetof(Agent, inner),
                    SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("Mme", "a(sasq)", get_mme, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("Step", "s", NULL, offsetof(Agent, state), SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_VTABLE_END};

/* The line's words; they live as long as the puppet does. */
static Words words_split(const char *line) {
    Words words = {};
    char *copy = strdup(line), *rest = copy, *word;
    assert(copy);
    while ((word = strsep(&rest, " \n")) && words.n < WORDS_MAX)
        if (*word)
            words.items[words.n++] = word;
    return words;
}

/* Does what a line says. The name of the property it changed in *ret_property, NULL if none. */
static int agent_obey(Agent *agent, const Words *line, const char **ret_property) {
    const char *verb = line->items[0];
    Words rest = {.n = line->n - 1};
    memcpy(rest.items, line->items + 1, rest.n * sizeof(char *));
    *ret_property = verb;
    if (streq(verb, "take") || streq(verb, "drop")) {
        *ret_property = NULL;
        return streq(verb, "take") ? sd_bus_request_name(agent->bus, NAME, 0)
                                   : sd_bus_release_name(agent->bus, NAME);
    }
    if (streq(verb, "InnerAddresses"))
        agent->inner = rest;
    else if (streq(verb, "Mme") || streq(verb, "Mme+")) {
        *ret_property = "Mme";
        agent->n_mme = streq(verb, "Mme") ? 0 : agent->n_mme;
        if (rest.n >= 2 && agent->n_mme < MMES_MAX)
            agent->mme[agent->n_mme++] = rest;
    } else if (rest.n != 1)
        return -EINVAL;
    else if (streq(verb, "State"))
        agent->state = rest.items[0];
    else if (streq(verb, "TunnelInterface"))
        agent->interface = rest.items[0];
    else if (streq(verb, "S1ConnectionMode"))
        agent->mode = rest.items[0];
    else if (streq(verb, "AdminState"))
        agent->admin_state = atoi(rest.items[0]);
    else
        return -EINVAL;
    return 0;
}

static int on_line(sd_event_source *source, int fd, uint32_t revents, void *data) {
    Agent *agent = data;
    char line[1024];
    ssize_t n = read(fd, line, sizeof line - 1); /* the tests send the next line after our "ok" */
    if (n <= 0)
        return sd_event_exit(sd_event_source_get_event(source), 0);
    line[n] = 0;
    Words words = words_split(line);
    const char *property = NULL;
    int r = words.n == 0 ? -EINVAL : agent_obey(agent, &words, &property);
    if (r >= 0 && property)
        r = sd_bus_emit_properties_changed(agent->bus, PATH, NAME, property, NULL);
    if (r >= 0)
        r = sd_bus_flush(agent->bus);
    printf("%s\n", r < 0 ? strerror(-r) : "ok");
    return 0;
}

int main(void) {
    static Agent agent = {.state = "idle", .interface = "henb0", .mode = "One", .admin_state = 1};
    sd_event *event;
    setvbuf(stdout, NULL, _IOLBF, 0);
    int r = sd_event_default(&event);
    if (r >= 0)
        r = sd_bus_open_system(&agent.bus);
    if (r >= 0)
        r = sd_bus_attach_event(agent.bus, event, 0);
    if (r >= 0)
        r = sd_bus_add_object_vtable(agent.bus, NULL, PATH, NAME, VTABLE, &agent);
    if (r >= 0)
        r = sd_event_add_io(event, NULL, STDIN_FILENO, EPOLLIN, on_line, &agent);
    if (r >= 0)
        r = sd_event_loop(event);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
