/* SPDX-License-Identifier: GPL-3.0-or-later */
/* org.henb.Agent1 on a bus of our own: what another daemon reads and hears, and what the bus policy allows.
 */
#include <check.h>
#include <libxml/parser.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "base/macro.h"
#include "dbus/bus.h"
#include "files.h"
#include "private-bus.h"
#include "suite.h"

#define NAME "org.henb.Agent1"
#define PATH "/org/henb/Agent1"

static PrivateBus private_bus;
static sd_event *event;
static sd_bus *client;
static Bus *bus;
static Status status;

/* What PropertiesChanged said, as "A,B;C" for one signal with A and B and one with C. */
static char heard[512];

static const Status initial = {
    .state = AGENT_IDLE,
    .s1_connection_mode = "One",
    .tunnel_interface = "henb0",
    .segw = "segw.operator.example",
    .hems = "http://hems.operator.example:7547/",
};

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const char *interface, *name;
    ck_assert_int_ge(sd_bus_message_read(m, "s", &interface), 0);
    ck_assert_str_eq(interface, NAME);
    if (*heard)
        strcat(heard, ";");
    ck_assert_int_ge(sd_bus_message_enter_container(m, 'a', "{sv}"), 0);
    for (bool first = true; sd_bus_message_enter_container(m, 'e', "sv") > 0; first = false) {
        ck_assert_int_ge(sd_bus_message_read(m, "s", &name), 0);
        strcat(strcat(heard, first ? "" : ","), name);
        ck_assert_int_ge(sd_bus_message_skip(m, "v"), 0);
        ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
    }
    ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
    /* Nothing is merely invalidated: the new value is always in the signal. */
    ck_assert_int_ge(sd_bus_message_enter_container(m, 'a', "s"), 0);
    ck_assert_int_eq(sd_bus_message_at_end(m, false), 1);
    return 0;
}

static void bus_setup(void) {
    private_bus_start(&private_bus, NULL);
    ck_assert_int_ge(sd_event_new(&event), 0);
    status = initial;
    int r = bus_new(&bus, event, &status);
    ck_assert_msg(r == 0, "bus_new: %s", strerror(-r));
    ck_assert_int_ge(sd_bus_open_system(&client), 0);
    ck_assert_int_ge(sd_bus_attach_event(client, event, 0), 0);
    ck_assert_int_ge(sd_bus_match_signal(client, NULL, NAME, PATH, "org.freedesktop.DBus.Properties",
                                         "PropertiesChanged", on_changed, NULL),
                     0);
}

static void bus_teardown(void) {
    sd_bus_flush_close_unref(client);
    bus_free(bus);
    sd_event_unref(event);
    private_bus_stop(&private_bus);
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    *(sd_bus_message **)userdata = sd_bus_message_ref(m);
    return 0;
}

/* Calls a method of the agent with strings as arguments; agent and caller share the event loop. */
static sd_bus_message *call(const char *interface, const char *method, const char *first,
                            const char *second) {
    sd_bus_message *m, *reply = NULL;
    ck_assert_int_ge(sd_bus_message_new_method_call(client, &m, NAME, PATH, interface, method), 0);
    if (first)
        ck_assert_int_ge(sd_bus_message_append_basic(m, 's', first), 0);
    if (second)
        ck_assert_int_ge(sd_bus_message_append_basic(m, 's', second), 0);
    ck_assert_int_ge(sd_bus_call_async(client, NULL, m, on_reply, &reply, 0), 0);
    sd_bus_message_unref(m);
    while (!reply)
        ck_assert_int_ge(sd_event_run(event, UINT64_MAX), 0);
    return reply;
}

static sd_bus_message *get(const char *property) {
    sd_bus_message *m = call("org.freedesktop.DBus.Properties", "Get", NAME, property);
    ck_assert_msg(!sd_bus_message_is_method_error(m, NULL), "%s: %s", property,
                  strempty(sd_bus_message_get_error(m) ? sd_bus_message_get_error(m)->message : NULL));
    return m;
}

static void check_text(const char *property, const char *expected) {
    const char *value;
    sd_bus_message *m = get(property);
    ck_assert_int_ge(sd_bus_message_read(m, "v", "s", &value), 0);
    ck_assert_str_eq(value, expected);
    sd_bus_message_unref(m);
}

/* *expected*: the strings of an array with spaces between. */
static void check_texts(sd_bus_message *m, const char *expected) {
    char text[512] = "";
    const char *value;
    ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "s"), 0);
    while (sd_bus_message_read(m, "s", &value) > 0)
        strcat(strcat(text, *text ? " " : ""), value);
    ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
    ck_assert_str_eq(text, expected);
}

static void publish(void) {
    ck_assert_int_eq(bus_publish(bus, &status), 0);
}

/* A call behind the signals: the bus keeps their order, so when its reply is here they have been heard. */
static void check_heard(const char *expected) {
    sd_bus_message_unref(call("org.freedesktop.DBus.Peer", "Ping", NULL, NULL));
    ck_assert_str_eq(heard, expected);
    *heard = 0;
}

/* The members of an interface in XML as sorted lines "property State s read". */
static int line_compare(const void *a, const void *b) {
    return strcmp(a, b);
}

static void members_list(const char *xml, char *ret, size_t size) {
    static char lines[64][128];
    size_t n = 0, len = 0;
    xmlDoc *doc = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL, XML_PARSE_NONET);
    ck_assert_ptr_nonnull(doc);
    for (xmlNode *i = xmlDocGetRootElement(doc)->children; i; i = i->next) {
        _cleanup_free_ char *interface = (char *)xmlGetProp(i, (xmlChar *)"name");
        if (!interface || !streq(interface, NAME))
            continue;
        for (xmlNode *m = i->children; m; m = m->next) {
            if (m->type != XML_ELEMENT_NODE)
                continue;
            _cleanup_free_ char *name = (char *)xmlGetProp(m, (xmlChar *)"name");
            _cleanup_free_ char *type = (char *)xmlGetProp(m, (xmlChar *)"type");
            _cleanup_free_ char *access = (char *)xmlGetProp(m, (xmlChar *)"access");
            ck_assert_uint_lt(n, ARRAY_SIZE(lines));
            /* An annotation would say that changes are not signalled. */
            snprintf(lines[n++], sizeof lines[0], "%s %s %s %s%s", (const char *)m->name, strempty(name),
                     strempty(type), strempty(access), xmlFirstElementChild(m) ? " annotated" : "");
        }
    }
    xmlFreeDoc(doc);
    qsort(lines, n, sizeof lines[0], line_compare);
    *ret = 0;
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(ret + len, size - len, "%s\n", lines[i]);
    ck_assert_uint_gt(len, 0);
}

START_TEST(introspection_is_the_xml_file) {
    char documented[4096], live[4096];
    const char *xml;

    bus_setup();
    _cleanup_free_ char *file = file_read(getenv("INTERFACE_XML"), NULL);
    sd_bus_message *m = call("org.freedesktop.DBus.Introspectable", "Introspect", NULL, NULL);
    ck_assert_int_ge(sd_bus_message_read(m, "s", &xml), 0);
    members_list(file, documented, sizeof documented);
    members_list(xml, live, sizeof live);
    ck_assert_str_eq(live, documented);
    sd_bus_message_unref(m);
    bus_teardown();
}
END_TEST

START_TEST(initial_status_is_readable) {
    bus_setup();
    check_text("State", "idle");
    check_text("S1ConnectionMode", "One");
    check_text("TunnelInterface", "henb0");
    check_text("SeGW", "segw.operator.example");
    check_text("SeGWAddress", "");
    check_text("HeMS", "http://hems.operator.example:7547/");
    check_text("LastError", "");
    sd_bus_message *m = get("Mme");
    ck_assert_int_gt(sd_bus_message_enter_container(m, 'v', "a(sasq)"), 0);
    ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "(sasq)"), 0);
    ck_assert_int_eq(sd_bus_message_at_end(m, false), 1);
    sd_bus_message_unref(m);
    m = call("org.freedesktop.DBus.Properties", "Get", NAME, "NoSuchThing");
    ck_assert(sd_bus_message_is_method_error(m, SD_BUS_ERROR_UNKNOWN_PROPERTY));
    sd_bus_message_unref(m);
    bus_teardown();
}
END_TEST

START_TEST(changes_are_told_once_with_their_names) {
    static const AgentState states[] = {AGENT_WAITING_NETWORK, AGENT_DISCOVERING, AGENT_RETRYING};
    bus_setup();
    publish();
    check_heard("");
    status.state = AGENT_DISCOVERING;
    publish();
    publish();
    check_heard("State");
    status.state = AGENT_REGISTERING;
    status.admin_state = true;
    strcpy(status.s1_connection_mode, "All");
    strcpy(status.tunnel_interface, "henb1");
    strcpy(status.segw, "other.example");
    status.segw_address = address("192.0.2.1");
    strcpy(status.hems, "http://other.example/");
    strcpy(status.step, "building the tunnel");
    strcpy(status.clause, "5.1.2.2 step 3");
    strcpy(status.last_error, "no answer");
    status.inner_addresses = (AddressList){.n = 1, .items = {address("10.0.0.1")}};
    publish();
    check_heard(
        "State,S1ConnectionMode,AdminState,InnerAddresses,TunnelInterface,SeGW,SeGWAddress,HeMS,Step,"
        "Clause,LastError");
    check_text("SeGWAddress", "192.0.2.1");
    check_text("Clause", "5.1.2.2 step 3");
    /* Behind the end of a string or list nothing counts. */
    strcpy(status.segw + 200, "rubbish");
    status.inner_addresses.items[1] = address("10.0.0.9");
    publish();
    check_heard("");
    status.inner_addresses.items[0] = address("10.0.0.2");
    publish();
    check_heard("InnerAddresses");
    /* Each one of several in a row is told by itself. */
    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        status.state = states[i];
        publish();
    }
    check_heard("State;State;State");
    bus_teardown();
}
END_TEST

START_TEST(mme_as_an_s1_stack_reads_it) {
    const char *entry;
    uint16_t port;

    bus_setup();
    status.state = AGENT_REGISTERED;
    status.mme.n = 2;
    status.mme.items[0] = (Mme){
        .entry = "mme.operator.example",
        .addresses = {.n = 2, .items = {address("10.1.0.1"), address("2001:db8::1")}},
        .port = 36412,
    };
    status.mme.items[1] =
        (Mme){.entry = "10.1.0.9", .addresses = {.n = 1, .items = {address("10.1.0.9")}}, .port = 7};
    publish();
    check_heard("State,Mme");
    publish();
    check_heard("");
    sd_bus_message *m = get("Mme");
    ck_assert_int_gt(sd_bus_message_enter_container(m, 'v', "a(sasq)"), 0);
    ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "(sasq)"), 0);
    ck_assert_int_gt(sd_bus_message_enter_container(m, 'r', "sasq"), 0);
    ck_assert_int_gt(sd_bus_message_read(m, "s", &entry), 0);
    ck_assert_str_eq(entry, "mme.operator.example");
    check_texts(m, "10.1.0.1 2001:db8::1");
    ck_assert_int_gt(sd_bus_message_read(m, "q", &port), 0);
    ck_assert_uint_eq(port, 36412);
    ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
    ck_assert_int_gt(sd_bus_message_enter_container(m, 'r', "sasq"), 0);
    ck_assert_int_gt(sd_bus_message_read(m, "s", &entry), 0);
    ck_assert_str_eq(entry, "10.1.0.9");
    check_texts(m, "10.1.0.9");
    ck_assert_int_gt(sd_bus_message_read(m, "q", &port), 0);
    ck_assert_uint_eq(port, 7);
    sd_bus_message_unref(m);

    /* Each of its parts makes a change. */
    status.mme.items[1].port = 8;
    publish();
    check_heard("Mme");
    status.mme.items[1].addresses.items[0] = address("10.1.0.8");
    publish();
    check_heard("Mme");
    strcpy(status.mme.items[0].entry, "mme2.operator.example");
    publish();
    check_heard("Mme");
    status.mme.n = 0;
    status.state = AGENT_REGISTERED_WITHOUT_MME;
    publish();
    check_heard("State,Mme");
    bus_teardown();
}
END_TEST

START_TEST(mme_outside_registered_is_our_bug) {
    int wait_status = -1;
    bus_setup();
    status.state = AGENT_RETRYING;
    status.mme.n = 1;
    pid_t child = fork();
    if (child == 0) {
        close(STDERR_FILENO); /* assert()'s line is no news here */
        _exit(bus_publish(bus, &status));
    }
    ck_assert_int_eq(waitpid(child, &wait_status, 0), child);
    ck_assert(WIFSIGNALED(wait_status));
    ck_assert_int_eq(WTERMSIG(wait_status), SIGABRT);
    bus_teardown();
}
END_TEST

START_TEST(text_that_is_no_utf8_is_told_all_the_same) {
    bus_setup();
    strcpy(status.last_error, "HeMS says: \xff\xc3\xa4\xc3(");
    publish();
    check_heard("LastError");
    check_text("LastError", "HeMS says: ?\xc3\xa4?(");
    bus_teardown();
}
END_TEST

START_TEST(taken_name) {
    Bus *second = NULL;
    bus_setup();
    LOG_OF(ck_assert_int_eq(bus_new(&second, event, &initial), -EIO),
           "another process has the name org.henb.Agent1");
    ck_assert_ptr_null(second);
    bus_teardown();
}
END_TEST

START_TEST(denied_name) {
    private_bus_start(&private_bus,
                      "<policy context=\"default\"><allow user=\"*\"/><deny own=\"*\"/>"
                      "<allow send_destination=\"*\"/><allow receive_sender=\"*\"/></policy>");
    ck_assert_int_ge(sd_event_new(&event), 0);
    LOG_OF(ck_assert_int_eq(bus_new(&bus, event, &initial), -EIO),
           "this user may not have the name org.henb.Agent1");
    sd_event_unref(event);
    private_bus_stop(&private_bus);
}
END_TEST

START_TEST(bus_that_goes_away_ends_the_loop) {
    bus_setup();
    sd_bus_close_unref(client);
    client = NULL;
    private_bus_stop(&private_bus);
    ck_assert_int_eq(sd_event_loop(event), EXIT_FAILURE);
    bus_free(bus);
    sd_event_unref(event);
}
END_TEST

/* The installed policy, with the user who runs this test in the place of henb: what an other user gets. */
static void policy_read(char *ret, size_t size) {
    _cleanup_free_ char *text = file_read(getenv("BUS_POLICY"), NULL);
    char user[32];
    snprintf(user, sizeof user, "%u", getuid());
    char *from = strstr(text, "<busconfig>") + strlen("<busconfig>"), *end = strstr(text, "</busconfig>"),
         *at;
    *end = 0;
    /* As in the system bus' own configuration: nothing but what services allow. */
    int n = snprintf(ret, size,
                     "<policy context=\"default\"><allow user=\"*\"/><deny own=\"*\"/>"
                     "<deny send_type=\"method_call\"/><allow send_type=\"signal\"/>"
                     "<allow send_requested_reply=\"true\" send_type=\"method_return\"/>"
                     "<allow send_requested_reply=\"true\" send_type=\"error\"/>"
                     "<allow receive_type=\"method_call\"/><allow receive_type=\"method_return\"/>"
                     "<allow receive_type=\"error\"/><allow receive_type=\"signal\"/>"
                     "<allow send_destination=\"org.freedesktop.DBus\"/></policy>");
    while ((at = strstr(from, "\"henb\""))) {
        n += snprintf(ret + n, size - (size_t)n, "%.*s\"%s\"", (int)(at - from), from, user);
        from = at + strlen("\"henb\"");
    }
    snprintf(ret + n, size - (size_t)n, "%s", from);
}

/* Runs as an other user in a process of its own; its exit status says which line was wrong. */
static int stranger_try(void) {
    static const struct {
        const char *interface, *method, *types;
        const char *arguments[2];
        const char *error;
    } calls[] = {
        {"org.freedesktop.DBus.Properties", "Get", "ss", {NAME, "State"}, NULL},
        {"org.freedesktop.DBus.Properties", "GetAll", "s", {NAME}, NULL},
        {"org.freedesktop.DBus.Introspectable", "Introspect", "", {NULL}, NULL},
        {"org.freedesktop.DBus.Peer", "Ping", "", {NULL}, NULL},
        {"org.freedesktop.DBus.Properties", "Set", "ss", {NAME, "State"}, SD_BUS_ERROR_ACCESS_DENIED},
        {"org.henb.Agent1", "Deregister", "", {NULL}, SD_BUS_ERROR_ACCESS_DENIED},
    };
    sd_bus *other;

    if (setgid(65534) < 0 || setuid(65534) < 0 || sd_bus_open_system(&other) < 0)
        return 100;
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_call_method(other, NAME, PATH, calls[i].interface, calls[i].method, &error, NULL,
                                   calls[i].types, calls[i].arguments[0], calls[i].arguments[1]);
        if (calls[i].error ? !sd_bus_error_has_name(&error, calls[i].error) : r < 0)
            return (int)i + 1;
    }
    return sd_bus_request_name(other, "org.henb.Agent1", SD_BUS_NAME_REPLACE_EXISTING) == -EACCES ? 0 : 101;
}

static int on_stranger(sd_event_source *s, const siginfo_t *info, void *userdata) {
    return sd_event_exit(event, info->si_code == CLD_EXITED ? info->si_status : 102);
}

START_TEST(policy_lets_everyone_read_and_no_more) {
    char policy[8192];
    sigset_t mask;

    if (getuid() != 0) {
        printf("bus: only root can try the policy as another user\n");
        return;
    }
    policy_read(policy, sizeof policy);
    private_bus_start(&private_bus, policy);
    ck_assert_int_ge(sd_event_new(&event), 0);
    ck_assert_int_eq(bus_new(&bus, event, &initial), 0);
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    ck_assert_int_eq(sigprocmask(SIG_BLOCK, &mask, NULL), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(stranger_try());
    ck_assert_int_gt(child, 0);
    ck_assert_int_ge(sd_event_add_child(event, NULL, child, WEXITED, on_stranger, NULL), 0);
    ck_assert_int_eq(sd_event_loop(event), 0);
    bus_free(bus);
    sd_event_unref(event);
    private_bus_stop(&private_bus);
}
END_TEST

SUITE("bus", introspection_is_the_xml_file, initial_status_is_readable,
      changes_are_told_once_with_their_names, mme_as_an_s1_stack_reads_it, mme_outside_registered_is_our_bug,
      text_that_is_no_utf8_is_told_all_the_same, taken_name, denied_name, bus_that_goes_away_ends_the_loop,
      policy_lets_everyone_read_and_no_more)
