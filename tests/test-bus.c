/* SPDX-License-Identifier: GPL-3.0-or-later */
/* org.henb.Agent1 on a bus of our own: what another daemon reads and hears, what it may have done (a polkit
 * of our own has a say), and what the bus policy allows. */
#include <check.h>
#include <grp.h>
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

#define POLKIT       "org.freedesktop.PolicyKit1"
#define NOBODY       65534 /* a user and group the tests run as, if they are root */
#define OTHER_GROUP  1     /* "daemon" everywhere: the bus daemon wants one that has a name */
#define REQUESTS_MAX 16    /* as in bus.c */

static PrivateBus private_bus;
static sd_event *event;
static sd_bus *client;
static Bus *bus;
static Status status;

/* What the agent was asked for. */
static BusRequest *deregister, *clear;
static bool done_at_once;
static char reported[1024];

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
    if (streq(interface, NAME ".Parameters")) /* test-bus-parameters.c */
        return 0;
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

static void on_deregister(void *userdata, BusRequest *request) {
    ck_assert_ptr_eq(userdata, &status);
    ck_assert_ptr_null(deregister);
    if (done_at_once)
        bus_request_done(request, NULL);
    else
        deregister = request;
}

static void on_clear(void *userdata, BusRequest *request) {
    ck_assert_ptr_eq(userdata, &status);
    ck_assert_ptr_null(clear);
    clear = request;
}

static const char *on_value(void *userdata, const char *path, const char *value) {
    ck_assert_ptr_eq(userdata, &status);
    if (streq(path, "Device.A.Bad"))
        return "not a number";
    snprintf(reported + strlen(reported), sizeof reported - strlen(reported), "%s=%s;", path, value);
    return NULL;
}

static void on_reported(void *userdata) {
    ck_assert_ptr_eq(userdata, &status);
    strcat(reported, ".");
}

/* What a daemon of the box has: this test's own name for another one. */
#define RADIO "org.example.Radio"
static const OwnerTable owners = {.n = 2,
                                  .rows = {{"Device.A.", RADIO}, {"Device.A.Other.", "org.example.Other"}}};

static const BusHandlers handlers = {
    .deregister = on_deregister,
    .clear_deregistration = on_clear,
    .others = &status,
    .report_value = on_value,
    .reported = on_reported,
    .owners = &owners,
    .userdata = &status,
};

static void bus_setup(void) {
    private_bus_start(&private_bus, NULL);
    ck_assert_int_ge(sd_event_new(&event), 0);
    status = initial;
    int r = bus_new(&bus, event, &status, &handlers);
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
    status.clock_trusted = true;
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
        "State,S1ConnectionMode,AdminState,ClockTrusted,InnerAddresses,TunnelInterface,SeGW,SeGWAddress,HeMS,"
        "Step,"
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
    /* After a restart it is shown as what it is: an earlier one. */
    status.mme_stored = status.mme;
    status.mme.n = 0;
    status.state = AGENT_DISCOVERING;
    publish();
    check_heard("State,Mme,MmeStored");
    m = get("MmeStored");
    ck_assert_int_gt(sd_bus_message_enter_container(m, 'v', "a(sasq)"), 0);
    ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "(sasq)"), 0);
    ck_assert_int_gt(sd_bus_message_enter_container(m, 'r', "sasq"), 0);
    ck_assert_int_gt(sd_bus_message_read(m, "s", &entry), 0);
    ck_assert_str_eq(entry, "mme2.operator.example");
    sd_bus_message_unref(m);
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
    LOG_OF(ck_assert_int_eq(bus_new(&second, event, &initial, &handlers), -EIO),
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
    LOG_OF(ck_assert_int_eq(bus_new(&bus, event, &initial, &handlers), -EIO),
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

/* A polkit of our own. */
typedef enum PolkitWay {
    GRANTS,
    DENIES,
    CHALLENGES,
    FAILS,
    SILENT, /* keeps the question, for polkit_answer() */
} PolkitWay;
static PolkitWay polkit_way;
static sd_bus *polkit;
static sd_bus_message *polkit_question;
static char polkit_asked[256]; /* "KIND NAME ACTION FLAGS" */

static void polkit_answer(sd_bus_message *question, bool authorized, bool challenge) {
    ck_assert_int_ge(sd_bus_reply_method_return(question, "(bba{ss})", authorized, challenge, 0), 0);
}

static int on_check_authorization(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const char *kind, *key, *name, *action, *cancellation;
    uint32_t flags;
    ck_assert_int_ge(sd_bus_message_read(m, "(sa{sv})s", &kind, 1, &key, "s", &name, &action), 0);
    ck_assert_str_eq(key, "name");
    ck_assert_int_ge(sd_bus_message_enter_container(m, 'a', "{ss}"), 0); /* details: root's privilege */
    ck_assert_int_eq(sd_bus_message_at_end(m, false), 1);
    ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
    ck_assert_int_ge(sd_bus_message_read(m, "us", &flags, &cancellation), 0);
    snprintf(polkit_asked, sizeof polkit_asked, "%s %s %s %u", kind, name, action, flags);
    switch (polkit_way) {
    case GRANTS:
    case DENIES:
    case CHALLENGES:
        polkit_answer(m, polkit_way == GRANTS, polkit_way == CHALLENGES);
        return 1;
    case FAILS:
        return sd_bus_error_set(error, POLKIT ".Error.Failed", "out of order");
    case SILENT:
        ck_assert_ptr_null(polkit_question);
        polkit_question = sd_bus_message_ref(m);
        return 1;
    }
    return 0;
}

static const sd_bus_vtable polkit_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})", on_check_authorization,
                  SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static void polkit_start(PolkitWay way) {
    polkit_way = way;
    ck_assert_int_ge(sd_bus_open_system(&polkit), 0);
    ck_assert_int_ge(sd_bus_attach_event(polkit, event, 0), 0);
    ck_assert_int_ge(sd_bus_add_object_vtable(polkit, NULL, "/org/freedesktop/PolicyKit1/Authority",
                                              POLKIT ".Authority", polkit_vtable, NULL),
                     0);
    ck_assert_int_ge(sd_bus_request_name(polkit, POLKIT, 0), 0);
}

static void polkit_stop(void) {
    sd_bus_message_unref(polkit_question);
    polkit_question = NULL;
    sd_bus_flush_close_unref(polkit);
    polkit = NULL;
}

/* A connection of a user other than root. The bus takes who connects for who calls. */
static sd_bus *stranger_connect(void) {
    sd_bus *stranger;
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(NOBODY), 0);
    ck_assert_int_ge(sd_bus_open_system(&stranger), 0);
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_ge(sd_bus_attach_event(stranger, event, 0), 0);
    return stranger;
}

/* Asks for a privileged method; *ret* gets the reply when it comes. */
static void ask(sd_bus *caller, const char *method, bool interactive, sd_bus_message **ret) {
    sd_bus_message *m;
    *ret = NULL;
    ck_assert_int_ge(sd_bus_message_new_method_call(caller, &m, NAME, PATH, NAME, method), 0);
    ck_assert_int_ge(sd_bus_message_set_allow_interactive_authorization(m, interactive), 0);
    ck_assert_int_ge(sd_bus_call_async(caller, NULL, m, on_reply, ret, 30 * UINT64_C(1000000)), 0);
    sd_bus_message_unref(m);
}

#define RUN_UNTIL(condition)                                                                                 \
    while (!(condition))                                                                                     \
    ck_assert_int_ge(sd_event_run(event, UINT64_MAX), 0)

/* *error*: NULL for a reply that is none. The reply is freed. */
static void check_reply(sd_bus_message **reply, const char *error, const char *text) {
    RUN_UNTIL(*reply);
    const sd_bus_error *e = sd_bus_message_get_error(*reply);
    if (error) {
        ck_assert_msg(e != NULL, "no error, where %s was expected", error);
        ck_assert_str_eq(e->name, error);
        ck_assert_msg(strstr(e->message, text) != NULL, "%s", e->message);
    } else
        ck_assert_msg(e == NULL, "%s: %s", e->name, e->message);
    *reply = sd_bus_message_unref(*reply);
}

/* Everything that is on its way has arrived. */
static void settle(void) {
    sd_bus_message_unref(call("org.freedesktop.DBus.Peer", "Ping", NULL, NULL));
    while (sd_event_run(event, 0) > 0)
        ;
}

START_TEST(root_may_without_polkit) {
    sd_bus_message *reply;
    if (getuid() != 0) {
        printf("bus: only root can try what root may\n");
        return;
    }
    bus_setup();
    ask(client, "Deregister", false, &reply);
    RUN_UNTIL(deregister);
    settle();
    ck_assert_ptr_null(reply); /* the answer waits for us */
    bus_request_done(deregister, NULL);
    check_reply(&reply, NULL, NULL);
    ask(client, "ClearDeregistration", false, &reply);
    RUN_UNTIL(clear);
    bus_request_done(clear, NULL);
    check_reply(&reply, NULL, NULL);
    bus_teardown();
}
END_TEST

START_TEST(polkit_is_asked_about_the_caller) {
    char expected[256];
    const char *name;
    sd_bus_message *reply;
    bus_setup();
    polkit_start(GRANTS);
    sd_bus *stranger = stranger_connect();
    ask(stranger, "Deregister", false, &reply);
    RUN_UNTIL(deregister);
    ck_assert_int_ge(sd_bus_get_unique_name(stranger, &name), 0);
    snprintf(expected, sizeof expected, "system-bus-name %s org.henb.agent1.deregister 0", name);
    ck_assert_str_eq(polkit_asked, expected);
    bus_request_done(deregister, NULL);
    check_reply(&reply, NULL, NULL);
    ask(stranger, "ClearDeregistration", true, &reply);
    RUN_UNTIL(clear);
    snprintf(expected, sizeof expected, "system-bus-name %s org.henb.agent1.clear-deregistration 1", name);
    ck_assert_str_eq(polkit_asked, expected);
    bus_request_done(clear, NULL);
    check_reply(&reply, NULL, NULL);
    sd_bus_flush_close_unref(stranger);
    polkit_stop();
    bus_teardown();
}
END_TEST

START_TEST(polkit_says_no) {
    static const struct {
        PolkitWay way;
        bool interactive;
        const char *error, *text;
    } cases[] = {
        {DENIES, false, SD_BUS_ERROR_ACCESS_DENIED, "polkit does not allow it"},
        {DENIES, true, SD_BUS_ERROR_ACCESS_DENIED, "polkit does not allow it"},
        {CHALLENGES, false, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, "polkit wants to ask"},
        {CHALLENGES, true, SD_BUS_ERROR_ACCESS_DENIED, "has nobody to ask for it: use sudo, or pkttyagent"},
        {FAILS, false, SD_BUS_ERROR_ACCESS_DENIED, "only root may do this: out of order"},
    };
    sd_bus_message *reply;
    bus_setup();
    polkit_start(GRANTS);
    sd_bus *stranger = stranger_connect();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        polkit_way = cases[i].way;
        ask(stranger, i % 2 ? "Deregister" : "ClearDeregistration", cases[i].interactive, &reply);
        check_reply(&reply, cases[i].error, cases[i].text);
        ck_assert(!deregister && !clear);
    }
    sd_bus_flush_close_unref(stranger);
    polkit_stop();
    bus_teardown();
}
END_TEST

START_TEST(polkit_is_absent) {
    sd_bus_message *reply;
    bus_setup();
    sd_bus *stranger = stranger_connect();
    ask(stranger, "Deregister", true, &reply);
    check_reply(&reply, SD_BUS_ERROR_ACCESS_DENIED,
                "polkit could not be asked, and without it only root may");
    ck_assert_ptr_null(deregister);
    sd_bus_flush_close_unref(stranger);
    bus_teardown();
}
END_TEST

START_TEST(polkit_never_answers) {
    sd_bus_message *reply, *second;
    ck_assert_int_eq(setenv("SYSTEMD_BUS_TIMEOUT", "3s", 1), 0); /* for 25 s */
    bus_setup();
    polkit_start(SILENT);
    sd_bus *stranger = stranger_connect();
    ask(stranger, "Deregister", false, &reply);
    RUN_UNTIL(polkit_question);
    /* Meanwhile the same user has no second one, and root is not kept waiting. */
    ask(stranger, "ClearDeregistration", false, &second);
    check_reply(&second, NAME ".Error.Busy", "polkit is still asked about another call of this user");
    if (getuid() == 0) {
        ask(client, "Deregister", false, &second);
        RUN_UNTIL(deregister);
        bus_request_done(deregister, NULL);
        deregister = NULL;
        check_reply(&second, NULL, NULL);
    }
    check_reply(&reply, SD_BUS_ERROR_ACCESS_DENIED, "polkit could not be asked");
    /* Too late. */
    polkit_answer(polkit_question, true, false);
    settle();
    ck_assert_ptr_null(deregister);
    sd_bus_flush_close_unref(stranger);
    polkit_stop();
    bus_teardown();
}
END_TEST

START_TEST(answer_after_the_caller_left) {
    sd_bus_message *reply;
    bus_setup();
    polkit_start(SILENT);
    sd_bus *stranger = stranger_connect();
    ask(stranger, "Deregister", false, &reply);
    RUN_UNTIL(polkit_question);
    sd_bus_flush_close_unref(stranger);
    settle();
    polkit_answer(polkit_question, true, false);
    RUN_UNTIL(deregister);
    bus_request_done(deregister, NULL);
    deregister = NULL;
    /* The place is free again. */
    polkit_way = GRANTS;
    stranger = stranger_connect();
    ask(stranger, "Deregister", false, &reply);
    RUN_UNTIL(deregister);
    bus_request_done(deregister, "a reason");
    check_reply(&reply, NAME ".Error.Refused", "a reason");
    sd_bus_flush_close_unref(stranger);
    polkit_stop();
    bus_teardown();
}
END_TEST

START_TEST(one_request_of_a_kind_waits) {
    sd_bus_message *first, *second, *other;
    bus_setup();
    polkit_start(GRANTS);
    sd_bus *stranger = stranger_connect();
    ask(stranger, "Deregister", false, &first);
    RUN_UNTIL(deregister);
    ask(stranger, "Deregister", false, &second);
    check_reply(&second, NAME ".Error.Busy", "an earlier call has not been answered yet");
    ask(stranger, "ClearDeregistration", false, &other);
    RUN_UNTIL(clear);
    bus_request_done(clear, "the box is not deregistered");
    check_reply(&other, NAME ".Error.Refused", "the box is not deregistered");
    /* Who asked may go: it holds. */
    sd_bus_flush_close_unref(stranger);
    settle();
    bus_request_done(deregister, NULL);
    settle();
    polkit_stop();
    bus_teardown();
}
END_TEST

START_TEST(refusal_is_told_and_may_hold_anything) {
    sd_bus_message *reply;
    bus_setup();
    polkit_start(GRANTS);
    sd_bus *stranger = stranger_connect();
    ask(stranger, "Deregister", false, &reply);
    RUN_UNTIL(deregister);
    LOG_OF(bus_request_done(deregister, "the HeMS said \xff\xc3\xa4 100%s"), "the HeMS said ?\xc3\xa4 100%s");
    check_reply(&reply, NAME ".Error.Refused", "the HeMS said ?\xc3\xa4 100%s");
    sd_bus_flush_close_unref(stranger);
    polkit_stop();
    bus_teardown();
}
END_TEST

START_TEST(calls_are_bounded) {
    sd_bus_message *replies[REQUESTS_MAX + 3];
    size_t denied = 0, busy = 0, full = 0;
    const char *id;
    bus_setup();
    polkit_start(DENIES);
    sd_bus *stranger = stranger_connect();
    for (size_t i = 0; i < ARRAY_SIZE(replies); i++)
        ask(stranger, "Deregister", false, &replies[i]);
    /* All of them are in the agent's queue before the answers to its first question are. */
    sd_bus_message *m;
    ck_assert_int_ge(sd_bus_call_method(stranger, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                        "org.freedesktop.DBus", "GetId", NULL, &m, ""),
                     0);
    ck_assert_int_ge(sd_bus_message_read(m, "s", &id), 0);
    sd_bus_message_unref(m);
    for (size_t i = 0; i < ARRAY_SIZE(replies); i++) {
        RUN_UNTIL(replies[i]);
        denied += sd_bus_message_is_method_error(replies[i], SD_BUS_ERROR_ACCESS_DENIED) > 0;
        busy += sd_bus_message_is_method_error(replies[i], NAME ".Error.Busy") > 0;
        full += sd_bus_message_is_method_error(replies[i], SD_BUS_ERROR_LIMITS_EXCEEDED) > 0;
        sd_bus_message_unref(replies[i]);
    }
    ck_assert_uint_eq(full, 3);
    ck_assert_uint_ge(denied, 1);
    ck_assert_uint_eq(denied + busy, REQUESTS_MAX);
    /* And it goes on. */
    ask(stranger, "Deregister", false, &replies[0]);
    check_reply(&replies[0], SD_BUS_ERROR_ACCESS_DENIED, "polkit does not allow it");
    sd_bus_flush_close_unref(stranger);
    polkit_stop();
    bus_teardown();
}
END_TEST

START_TEST(stop_answers_who_waits) {
    sd_bus_message *first, *second;
    bus_setup();
    polkit_start(GRANTS);
    sd_bus *stranger = stranger_connect();
    ask(stranger, "Deregister", false, &first);
    RUN_UNTIL(deregister);
    polkit_way = SILENT;
    ask(stranger, "ClearDeregistration", false, &second);
    RUN_UNTIL(polkit_question);
    bus_free(bus);
    bus = NULL;
    check_reply(&first, NAME ".Error.Refused", "the agent is stopping");
    check_reply(&second, NAME ".Error.Refused", "the agent is stopping");
    sd_bus_flush_close_unref(stranger);
    polkit_stop();
    bus_teardown();
}
END_TEST

/* Reports *n* times the same value behind the others. */
static void report(const char *const values[][2], size_t n_values, size_t n, sd_bus_message **ret) {
    sd_bus_message *m;
    *ret = NULL;
    *reported = 0;
    ck_assert_int_ge(sd_bus_message_new_method_call(client, &m, NAME, PATH, NAME ".Parameters", "Report"), 0);
    ck_assert_int_ge(sd_bus_message_open_container(m, 'a', "(ss)"), 0);
    for (size_t i = 0; i < n_values; i++)
        ck_assert_int_ge(sd_bus_message_append(m, "(ss)", values[i][0], values[i][1]), 0);
    for (size_t i = 0; i < n; i++)
        ck_assert_int_ge(sd_bus_message_append(m, "(ss)", "Device.A.D", "1"), 0);
    ck_assert_int_ge(sd_bus_message_close_container(m), 0);
    ck_assert_int_ge(sd_bus_call_async(client, NULL, m, on_reply, ret, 0), 0);
    sd_bus_message_unref(m);
}

START_TEST(values_are_reported) {
    static const char *const good[][2] = {{"Device.A.A", "1"}, {"Device.A.B", "\xc3\xa4"}};
    static const char *const bad[][2] = {{"Device.A.A", "1"}, {"Device.A.Bad", "x"}, {"Device.A.B", "2"}};
    sd_bus_message *reply;
    bus_setup();
    ck_assert_int_ge(sd_bus_request_name(client, RADIO, 0), 0);
    report(good, ARRAY_SIZE(good), 0, &reply);
    check_reply(&reply, NULL, NULL);
    ck_assert_str_eq(reported, "Device.A.A=1;Device.A.B=\xc3\xa4;.");
    report(bad, ARRAY_SIZE(bad), 0, &reply);
    check_reply(&reply, NAME ".Error.Refused", "Device.A.Bad: not a number");
    ck_assert_str_eq(reported, "Device.A.A=1;.");
    report(NULL, 0, 0, &reply);
    check_reply(&reply, NULL, NULL);
    report(NULL, 0, 65, &reply);
    check_reply(&reply, SD_BUS_ERROR_LIMITS_EXCEEDED, "more values than 64 in one call");
    ck_assert_str_eq(reported, "");
    report(NULL, 0, 64, &reply);
    check_reply(&reply, NULL, NULL);
    reply = call(NAME ".Parameters", "Report", "Device.A.A", "1"); /* ss */
    ck_assert(sd_bus_message_is_method_error(reply, SD_BUS_ERROR_INVALID_ARGS));
    sd_bus_message_unref(reply);
    bus_teardown();
}
END_TEST

#define LOG_CONTROL      "org.freedesktop.LogControl1"
#define LOG_CONTROL_PATH "/org/freedesktop/LogControl1"

typedef struct StrangerCall {
    const char *interface, *method, *types, *arguments[2];
    const char *error; /* NULL: allowed */
    const char *path;  /* NULL: PATH */
} StrangerCall;

/* What everybody gets. polkit allows it all here, so what is refused is by the bus policy. */
static const StrangerCall stranger_calls[] = {
    {"org.freedesktop.DBus.Properties", "Get", "ss", {NAME, "State"}, NULL},
    {"org.freedesktop.DBus.Properties", "GetAll", "s", {NAME}, NULL},
    {"org.freedesktop.DBus.Introspectable", "Introspect", "", {NULL}, NULL},
    {"org.freedesktop.DBus.Peer", "Ping", "", {NULL}, NULL},
    {NAME, "Deregister", "", {NULL}, NULL},
    {NAME, "Reconnect", "", {NULL}, SD_BUS_ERROR_NOT_SUPPORTED}, /* which is our answer */
    {NAME, "Inform", "", {NULL}, SD_BUS_ERROR_NOT_SUPPORTED},
    {NAME, "Reload", "", {NULL}, SD_BUS_ERROR_NOT_SUPPORTED},
    {"org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "", {NULL}, NULL, "/org/henb"},
    {"org.freedesktop.DBus.Properties", "GetAll", "s", {NAME ".Tunnel"}, NULL, PATH "/tunnel/0"},
    {"org.freedesktop.DBus.Properties", "GetAll", "s", {NAME ".Session"}, NULL, PATH "/session"},
    {"org.freedesktop.DBus.Properties", "GetAll", "s", {LOG_CONTROL}, NULL, LOG_CONTROL_PATH},
    {"org.freedesktop.DBus.Properties",
     "Set",
     "ssv",
     {LOG_CONTROL, "LogLevel"},
     SD_BUS_ERROR_ACCESS_DENIED,
     LOG_CONTROL_PATH},
    {"org.freedesktop.DBus.Properties", "Set", "ss", {NAME, "State"}, SD_BUS_ERROR_ACCESS_DENIED},
    {NAME, "NoSuchMethod", "", {NULL}, SD_BUS_ERROR_ACCESS_DENIED},
    {NAME ".Parameters", "Report", "a(ss)", {"Device.A.A", "1"}, SD_BUS_ERROR_ACCESS_DENIED},
    {NAME ".Parameters", "Get", "as", {"Device."}, SD_BUS_ERROR_ACCESS_DENIED},
    {NAME ".Parameters", "Ages", "as", {"Device."}, SD_BUS_ERROR_ACCESS_DENIED},
    {NAME ".Parameters", "Own", "", {NULL}, SD_BUS_ERROR_ACCESS_DENIED},
    {NAME ".Alarms", "ClearAlarm", "sss", {"a", "b"}, SD_BUS_ERROR_ACCESS_DENIED},
    {NAME ".Counters", "Count", "", {NULL}, SD_BUS_ERROR_ACCESS_DENIED},
    {NAME ".Downloads", "Request", "", {NULL}, SD_BUS_ERROR_ACCESS_DENIED},
    {},
};
/* What a daemon in our group gets. */
static const StrangerCall member_calls[] = {
    {"org.freedesktop.DBus.Properties", "Get", "ss", {NAME, "State"}, NULL},
    {NAME ".Parameters", "Report", "a(ss)", {"Device.A.A", "1"}, NAME ".Error.Refused"}, /* not the owner */
    {NAME ".Parameters", "Own", "", {NULL}, NAME ".Error.Refused"},
    {NAME ".Parameters", "Get", "as", {"Device."}, SD_BUS_ERROR_NOT_SUPPORTED},
    {NAME ".Alarms", "ClearAlarm", "sss", {"a", "b"}, SD_BUS_ERROR_NOT_SUPPORTED},
    {NAME ".Counters", "Count", "", {NULL}, SD_BUS_ERROR_INVALID_ARGS},
    {NAME ".Downloads", "Request", "", {NULL}, SD_BUS_ERROR_INVALID_ARGS},
    {"org.freedesktop.DBus.Properties", "Set", "ss", {NAME, "State"}, SD_BUS_ERROR_ACCESS_DENIED},
    {},
};

/* Runs as nobody in a process of its own; its exit status says which call was wrong. */
static int stranger_try(const StrangerCall *calls, gid_t group) {
    sd_bus *other;

    if (setgroups(1, &group) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0 ||
        sd_bus_open_system(&other) < 0)
        return 100;
    for (const StrangerCall *c = calls; c->method; c++) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *path = c->path ?: PATH;
        int r = c->types[0] == 'a'
                    ? sd_bus_call_method(other, NAME, path, c->interface, c->method, &error, NULL, c->types,
                                         1, c->arguments[0], c->arguments[1])
                    : sd_bus_call_method(other, NAME, path, c->interface, c->method, &error, NULL, c->types,
                                         c->arguments[0], c->arguments[1], "s", "debug");
        if (c->error ? !sd_bus_error_has_name(&error, c->error) : r < 0)
            return (int)(c - calls) + 1;
    }
    return sd_bus_request_name(other, "org.henb.Agent1", SD_BUS_NAME_REPLACE_EXISTING) == -EACCES ? 0 : 101;
}

static int on_stranger(sd_event_source *s, const siginfo_t *info, void *userdata) {
    return sd_event_exit(event, info->si_code == CLD_EXITED ? info->si_status : 102);
}

static void policy_try(const StrangerCall *calls, gid_t group) {
    char policy[8192];
    sigset_t mask;

    private_bus_policy(policy, sizeof policy, OTHER_GROUP, "<allow send_destination=\"" POLKIT "\"/>",
                       "<policy user=\"root\"><allow own=\"" POLKIT "\"/></policy>");
    private_bus_start(&private_bus, policy);
    ck_assert_int_ge(sd_event_new(&event), 0);
    ck_assert_int_eq(bus_new(&bus, event, &initial, &handlers), 0);
    done_at_once = true;
    polkit_start(GRANTS);
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    ck_assert_int_eq(sigprocmask(SIG_BLOCK, &mask, NULL), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(stranger_try(calls, group));
    ck_assert_int_gt(child, 0);
    ck_assert_int_ge(sd_event_add_child(event, NULL, child, WEXITED, on_stranger, NULL), 0);
    ck_assert_int_eq(sd_event_loop(event), 0);
    polkit_stop();
    bus_free(bus);
    sd_event_unref(event);
    private_bus_stop(&private_bus);
}

START_TEST(policy_for_everyone) {
    if (getuid() == 0)
        policy_try(stranger_calls, NOBODY);
    else
        printf("bus: only root can try the policy as another user\n");
}
END_TEST

START_TEST(policy_for_daemons_of_our_group) {
    if (getuid() == 0)
        policy_try(member_calls, OTHER_GROUP);
    else
        printf("bus: only root can try the policy as another user\n");
}
END_TEST

/* polkit tells a user other than root nothing without the owner; a "yes" would let anybody. */
START_TEST(polkit_policy_has_what_is_asked_for) {
    static const struct {
        const char *action, *defaults;
    } expected[] = {
        {"org.henb.agent1.deregister", "auth_admin"},
        {"org.henb.agent1.clear-deregistration", "auth_admin"},
        {"org.henb.agent1.reconnect", "auth_admin_keep"},
        {"org.henb.agent1.inform", "auth_admin_keep"},
        {"org.henb.agent1.reload", "auth_admin_keep"},
    };
    size_t size, n = 0;
    _cleanup_free_ char *text = file_read(getenv("POLKIT_POLICY"), &size);
    xmlDoc *doc = xmlReadMemory(text, (int)size, NULL, NULL, XML_PARSE_NONET);
    ck_assert_ptr_nonnull(doc);
    for (xmlNode *a = xmlFirstElementChild(xmlDocGetRootElement(doc)); a; a = xmlNextElementSibling(a)) {
        bool owner = false;
        size_t defaults = 0;
        if (!streq((const char *)a->name, "action"))
            continue;
        _cleanup_free_ char *id = (char *)xmlGetProp(a, (xmlChar *)"id");
        ck_assert_uint_lt(n, ARRAY_SIZE(expected));
        ck_assert_str_eq(id, expected[n].action);
        for (xmlNode *e = xmlFirstElementChild(a); e; e = xmlNextElementSibling(e)) {
            _cleanup_free_ char *content = (char *)xmlNodeGetContent(e);
            if (streq((const char *)e->name, "annotate"))
                owner = streq(content, "unix-user:henb");
            for (xmlNode *d = xmlFirstElementChild(e); d; d = xmlNextElementSibling(d), defaults++) {
                _cleanup_free_ char *word = (char *)xmlNodeGetContent(d);
                ck_assert_str_eq(word, expected[n].defaults);
            }
        }
        ck_assert(owner);
        ck_assert_uint_eq(defaults, 3);
        n++;
    }
    ck_assert_uint_eq(n, ARRAY_SIZE(expected));
    xmlFreeDoc(doc);
}
END_TEST

SUITE("bus", initial_status_is_readable, changes_are_told_once_with_their_names, mme_as_an_s1_stack_reads_it,
      mme_outside_registered_is_our_bug, text_that_is_no_utf8_is_told_all_the_same, taken_name, denied_name,
      bus_that_goes_away_ends_the_loop, root_may_without_polkit, polkit_is_asked_about_the_caller,
      polkit_says_no, polkit_is_absent, polkit_never_answers, answer_after_the_caller_left,
      one_request_of_a_kind_waits, refusal_is_told_and_may_hold_anything, calls_are_bounded,
      stop_answers_who_waits, values_are_reported, polkit_policy_has_what_is_asked_for, policy_for_everyone,
      policy_for_daemons_of_our_group)
