/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The objects of org.henb.Agent1 on a bus of our own, each as its XML file and API.md describe it: the
 * tunnel, the session, the log level, how the last registration went, and the methods an engineer calls. */
#include <check.h>
#include <libxml/parser.h>
#include <stdio.h>
#include <sys/stat.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macro.h"
#include "dbus/bus.h"
#include "files.h"
#include "private-bus.h"
#include "suite.h"

#define NAME         "org.henb.Agent1"
#define ROOT         "/org/henb"
#define PATH         ROOT "/Agent1"
#define TUNNEL       NAME ".Tunnel"
#define TUNNEL_PATH  PATH "/tunnel/0"
#define SESSION      NAME ".Session"
#define SESSION_PATH PATH "/session"
#define LOG          "org.freedesktop.LogControl1"
#define LOG_PATH     "/org/freedesktop/LogControl1"
#define PROPERTIES   "org.freedesktop.DBus.Properties"

static PrivateBus private_bus;
static sd_event *event;
static sd_bus *client;
static Bus *bus;
static TunnelStatus tunnel;
static SessionStatus session;
static TunnelCounters counters;
static Timeline timeline;
static BusRequest *request;
static const char *requested;

/* What PropertiesChanged said, as "A,B;C" for one signal with A and B and one with C. */
static char heard[512];

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const char *name;
    if (*heard)
        strcat(heard, ";");
    ck_assert_int_ge(sd_bus_message_skip(m, "s"), 0);
    ck_assert_int_ge(sd_bus_message_enter_container(m, 'a', "{sv}"), 0);
    for (bool first = true; sd_bus_message_enter_container(m, 'e', "sv") > 0; first = false) {
        ck_assert_int_ge(sd_bus_message_read(m, "s", &name), 0);
        strcat(strcat(heard, first ? "" : ","), name);
        ck_assert_int_ge(sd_bus_message_skip(m, "v"), 0);
        ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
    }
    ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
    ck_assert_int_ge(sd_bus_message_enter_container(m, 'a', "s"), 0);
    ck_assert_int_eq(sd_bus_message_at_end(m, false), 1); /* nothing is merely invalidated */
    return 0;
}

static void request_take(const char *method, BusRequest *r) {
    ck_assert_ptr_null(request);
    request = r;
    requested = method;
}

static void on_reconnect(void *userdata, BusRequest *r) {
    request_take("Reconnect", r);
}

static void on_inform(void *userdata, BusRequest *r) {
    request_take("Inform", r);
}

static void on_reload(void *userdata, BusRequest *r) {
    request_take("Reload", r);
}

static unsigned counted;

static void on_counters(void *userdata, TunnelCounters *ret) {
    counted++;
    *ret = counters;
}

static const BusHandlers handlers = {
    .reconnect = on_reconnect,
    .inform = on_inform,
    .reload = on_reload,
    .tunnel_counters = on_counters,
    .timeline = &timeline,
};

static void bus_setup(const BusHandlers *h) {
    private_bus_start(&private_bus, NULL);
    ck_assert_int_ge(sd_event_new(&event), 0);
    int r = bus_new(&bus, event, &(Status){.s1_connection_mode = "One"}, h);
    ck_assert_msg(r == 0, "bus_new: %s", strerror(-r));
    ck_assert_int_ge(sd_bus_open_system(&client), 0);
    ck_assert_int_ge(sd_bus_attach_event(client, event, 0), 0);
    ck_assert_int_ge(
        sd_bus_match_signal(client, NULL, NAME, NULL, PROPERTIES, "PropertiesChanged", on_changed, NULL), 0);
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

/* Sends *m* and waits for the reply; agent and caller share the event loop. */
static sd_bus_message *send_and_wait(sd_bus_message *m) {
    sd_bus_message *reply = NULL;
    ck_assert_int_ge(sd_bus_call_async(client, NULL, m, on_reply, &reply, 0), 0);
    sd_bus_message_unref(m);
    while (!reply)
        ck_assert_int_ge(sd_event_run(event, UINT64_MAX), 0);
    return reply;
}

static sd_bus_message *call(const char *path, const char *interface, const char *method, const char *first,
                            const char *second) {
    sd_bus_message *m;
    ck_assert_int_ge(sd_bus_message_new_method_call(client, &m, NAME, path, interface, method), 0);
    if (first)
        ck_assert_int_ge(sd_bus_message_append_basic(m, 's', first), 0);
    if (second)
        ck_assert_int_ge(sd_bus_message_append_basic(m, 's', second), 0);
    return send_and_wait(m);
}

/* The value, with the variant entered. */
static sd_bus_message *get(const char *path, const char *interface, const char *property, const char *type) {
    sd_bus_message *m = call(path, PROPERTIES, "Get", interface, property);
    ck_assert_msg(!sd_bus_message_is_method_error(m, NULL), "%s: %s", property,
                  strempty(sd_bus_message_get_error(m) ? sd_bus_message_get_error(m)->message : NULL));
    ck_assert_msg(sd_bus_message_enter_container(m, 'v', type) > 0, "%s is no %s", property, type);
    return m;
}

static void check_text(const char *path, const char *interface, const char *property, const char *expected) {
    const char *value;
    sd_bus_message *m = get(path, interface, property, "s");
    ck_assert_int_gt(sd_bus_message_read(m, "s", &value), 0);
    ck_assert_str_eq(value, expected);
    sd_bus_message_unref(m);
}

static void check_number(const char *path, const char *interface, const char *property, uint64_t expected) {
    uint64_t value;
    sd_bus_message *m = get(path, interface, property, "t");
    ck_assert_int_gt(sd_bus_message_read(m, "t", &value), 0);
    ck_assert_uint_eq(value, expected);
    sd_bus_message_unref(m);
}

/* A call behind the signals: the bus keeps their order, so when its reply is here they have been heard. */
static void check_heard(const char *expected) {
    sd_bus_message_unref(call(PATH, "org.freedesktop.DBus.Peer", "Ping", NULL, NULL));
    ck_assert_str_eq(heard, expected);
    *heard = 0;
}

/* The members of our interfaces in XML as sorted lines "org.henb.Agent1 property State s read"; a method's
 * arguments stand behind it. */
static int line_compare(const void *a, const void *b) {
    return strcmp(a, b);
}

/* Those of one document are sorted, and stand behind what *ret* holds. */
static void members_list(const char *xml, const char *only, char *ret, size_t size) {
    static char lines[96][256];
    size_t n = 0, len = strlen(ret);
    xmlDoc *doc = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL, XML_PARSE_NONET);
    ck_assert_ptr_nonnull(doc);
    for (xmlNode *i = xmlDocGetRootElement(doc)->children; i; i = i->next) {
        _cleanup_free_ char *interface = (char *)xmlGetProp(i, (xmlChar *)"name");
        if (!interface || !streq(interface, only))
            continue;
        for (xmlNode *m = i->children; m; m = m->next) {
            if (m->type != XML_ELEMENT_NODE)
                continue;
            _cleanup_free_ char *name = (char *)xmlGetProp(m, (xmlChar *)"name");
            _cleanup_free_ char *type = (char *)xmlGetProp(m, (xmlChar *)"type");
            _cleanup_free_ char *access = (char *)xmlGetProp(m, (xmlChar *)"access");
            ck_assert_uint_lt(n, ARRAY_SIZE(lines));
            int at = snprintf(lines[n], sizeof lines[0], "%s %s %s %s %s", interface, (const char *)m->name,
                              strempty(name), strempty(type), strempty(access));
            /* An annotation would say that changes are not signalled, or that a method is for root alone. */
            for (xmlNode *a = xmlFirstElementChild(m); a; a = xmlNextElementSibling(a)) {
                _cleanup_free_ char *arg_name = (char *)xmlGetProp(a, (xmlChar *)"name");
                _cleanup_free_ char *arg_type = (char *)xmlGetProp(a, (xmlChar *)"type");
                _cleanup_free_ char *direction = (char *)xmlGetProp(a, (xmlChar *)"direction");
                _cleanup_free_ char *value = (char *)xmlGetProp(a, (xmlChar *)"value");
                at += snprintf(lines[n] + at, sizeof lines[0] - (size_t)at, " %s %s %s %s %s",
                               (const char *)a->name, strempty(arg_name), strempty(arg_type),
                               strempty(direction), strempty(value));
            }
            n++;
        }
    }
    xmlFreeDoc(doc);
    qsort(lines, n, sizeof lines[0], line_compare);
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(ret + len, size - len, "%s\n", lines[i]);
    ck_assert_uint_gt(n, 0);
}

START_TEST(introspection_is_the_xml_file) {
    static const struct {
        const char *path, *interface;
    } interfaces[] = {
        {PATH, NAME},
        {PATH, NAME ".Parameters"},
        {PATH, NAME ".Alarms"},
        {PATH, NAME ".Counters"},
        {PATH, NAME ".Downloads"},
        {TUNNEL_PATH, TUNNEL},
        {SESSION_PATH, SESSION},
    };
    size_t described = 0;
    const char *xml;

    bus_setup(&handlers);
    _cleanup_free_ char *file = file_read(getenv("INTERFACE_XML"), NULL);
    for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++) {
        char documented[8192] = "", live[8192] = "";
        sd_bus_message *m =
            call(interfaces[i].path, "org.freedesktop.DBus.Introspectable", "Introspect", NULL, NULL);
        ck_assert_int_ge(sd_bus_message_read(m, "s", &xml), 0);
        members_list(file, interfaces[i].interface, documented, sizeof documented);
        members_list(xml, interfaces[i].interface, live, sizeof live);
        ck_assert_str_eq(live, documented);
        sd_bus_message_unref(m);
    }
    for (const char *at = file; (at = strstr(at, "<interface ")); at++)
        described++;
    ck_assert_uint_eq(described, ARRAY_SIZE(interfaces));
    bus_teardown();
}
END_TEST

START_TEST(one_call_tells_of_all_objects) {
    char paths[512] = "";
    const char *path;
    bus_setup(&handlers);
    sd_bus_message *m = call(ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL, NULL);
    ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "{oa{sa{sv}}}"), 0);
    while (sd_bus_message_enter_container(m, 'e', "oa{sa{sv}}") > 0) {
        ck_assert_int_gt(sd_bus_message_read(m, "o", &path), 0);
        strcat(strcat(paths, path), " ");
        ck_assert_int_ge(sd_bus_message_skip(m, "a{sa{sv}}"), 0);
        ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
    }
    ck_assert_ptr_nonnull(strstr(paths, PATH " "));
    ck_assert_ptr_nonnull(strstr(paths, TUNNEL_PATH " "));
    ck_assert_ptr_nonnull(strstr(paths, SESSION_PATH " "));
    sd_bus_message_unref(m);
    bus_teardown();
}
END_TEST

static void tunnel_fill(void) {
    tunnel = (TunnelStatus){
        .up = true,
        .local = address("192.0.2.10"),
        .remote = address("198.51.100.1"),
        .local_identity = "henb.example",
        .peer_identity = "segw.example",
        .ike_algorithms = "AES",
        .esp_algorithms = "GCM",
        .ike_spi_i = 1,
        .ike_spi_r = UINT64_MAX,
        .child_spi_in = 2,
        .child_spi_out = UINT32_MAX,
        .nat_remote = true,
        .encapsulated = true,
        .inner_addresses = {.n = 1, .items = {address("10.0.0.1")}},
        .next_rekey = 77,
    };
}

START_TEST(the_tunnel) {
    uint64_t spis[2];
    uint32_t child[2];
    bus_setup(&handlers);
    check_text(TUNNEL_PATH, TUNNEL, "PeerAddress", "");
    ck_assert_int_eq(bus_publish_tunnel(bus, &tunnel), 0);
    check_heard("");
    tunnel_fill();
    ck_assert_int_eq(bus_publish_tunnel(bus, &tunnel), 0);
    ck_assert_int_eq(bus_publish_tunnel(bus, &tunnel), 0);
    check_heard(
        "Up,PeerAddress,LocalAddress,PeerIdentity,LocalIdentity,IkeAlgorithms,EspAlgorithms,IkeSpis,"
        "ChildSpis,Nat,UdpEncapsulation,InnerAddresses,NextRekey");
    check_text(TUNNEL_PATH, TUNNEL, "PeerAddress", "198.51.100.1");
    check_text(TUNNEL_PATH, TUNNEL, "LocalAddress", "192.0.2.10");
    check_text(TUNNEL_PATH, TUNNEL, "PeerIdentity", "segw.example");
    check_text(TUNNEL_PATH, TUNNEL, "LocalIdentity", "henb.example");
    check_text(TUNNEL_PATH, TUNNEL, "IkeAlgorithms", "AES");
    check_text(TUNNEL_PATH, TUNNEL, "EspAlgorithms", "GCM");
    check_text(TUNNEL_PATH, TUNNEL, "Nat", "remote");
    check_number(TUNNEL_PATH, TUNNEL, "NextRekey", 77);
    sd_bus_message *m = get(TUNNEL_PATH, TUNNEL, "IkeSpis", "(tt)");
    ck_assert_int_gt(sd_bus_message_read(m, "(tt)", &spis[0], &spis[1]), 0);
    ck_assert(spis[0] == 1 && spis[1] == UINT64_MAX);
    sd_bus_message_unref(m);
    m = get(TUNNEL_PATH, TUNNEL, "ChildSpis", "(uu)");
    ck_assert_int_gt(sd_bus_message_read(m, "(uu)", &child[0], &child[1]), 0);
    ck_assert(child[0] == 2 && child[1] == UINT32_MAX);
    sd_bus_message_unref(m);
    /* Each half of a pair makes a change. */
    tunnel.ike_spi_r = 5;
    ck_assert_int_eq(bus_publish_tunnel(bus, &tunnel), 0);
    tunnel.child_spi_out = 6;
    ck_assert_int_eq(bus_publish_tunnel(bus, &tunnel), 0);
    tunnel.nat_local = true;
    ck_assert_int_eq(bus_publish_tunnel(bus, &tunnel), 0);
    check_heard("IkeSpis;ChildSpis;Nat");
    check_text(TUNNEL_PATH, TUNNEL, "Nat", "both");
    bus_teardown();
}
END_TEST

/* Each reading asks; nobody is told of them. */
START_TEST(counters_are_read_when_asked_for) {
    const char *key;
    uint64_t value, sum = 0;
    bus_setup(&handlers);
    counters = (TunnelCounters){.packets_in = 1,
                                .packets_out = 2,
                                .bytes_in = 100,
                                .bytes_out = 200,
                                .esp_replayed = 50,
                                .esp_forged = 60,
                                .retransmitted = 3,
                                .malformed = 10,
                                .foreign = 20,
                                .unexpected = 30,
                                .forged = 40};
    check_number(TUNNEL_PATH, TUNNEL, "PacketsIn", 1);
    counters.packets_in = 11;
    check_number(TUNNEL_PATH, TUNNEL, "PacketsIn", 11);
    check_number(TUNNEL_PATH, TUNNEL, "PacketsOut", 2);
    check_number(TUNNEL_PATH, TUNNEL, "BytesIn", 100);
    check_number(TUNNEL_PATH, TUNNEL, "BytesOut", 200);
    check_number(TUNNEL_PATH, TUNNEL, "Retransmitted", 3);
    sd_bus_message *m = get(TUNNEL_PATH, TUNNEL, "Dropped", "a{st}");
    ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "{st}"), 0);
    while (sd_bus_message_read(m, "{st}", &key, &value) > 0)
        sum += streq(key, "Malformed") && value == 10     ? 1
               : streq(key, "Foreign") && value == 20     ? 2
               : streq(key, "Unexpected") && value == 30  ? 4
               : streq(key, "Forged") && value == 40      ? 8
               : streq(key, "EspReplayed") && value == 50 ? 16
               : streq(key, "EspForged") && value == 60   ? 32
                                                          : 64;
    ck_assert_uint_eq(sum, 63);
    sd_bus_message_unref(m);
    /* All of them are the answer to one question. */
    counted = 0;
    sd_bus_message_unref(call(TUNNEL_PATH, PROPERTIES, "GetAll", TUNNEL, NULL));
    ck_assert_uint_eq(counted, 1);
    ck_assert_int_eq(bus_publish_tunnel(bus, &tunnel), 0);
    check_heard("");
    check_number(TUNNEL_PATH, TUNNEL, "PacketsIn", 11);
    bus_teardown();
}
END_TEST

static void session_fill(void) {
    session = (SessionStatus){
        .url = "https://hems.example/",
        .running = true,
        .last_session = 9,
        .last_outcome = SESSION_UNREACHED,
        .last_fault = "no \xef\xb7\x90 answer \xff\xf0\x9f\xbf\xbe\xef\xbf\xbf|\xef\xb7\xb0\xf0\x9f\xbf\xbd",
        .next_inform = 8,
        .n_pending = 1,
        .pending = {"1 BOOT"}};
}

START_TEST(the_session) {
    bus_setup(&handlers);
    check_text(SESSION_PATH, SESSION, "LastOutcome", "none");
    ck_assert_int_eq(bus_publish_session(bus, &session), 0);
    check_heard("");
    session_fill();
    ck_assert_int_eq(bus_publish_session(bus, &session), 0);
    ck_assert_int_eq(bus_publish_session(bus, &session), 0);
    check_heard("Url,Running,LastSession,LastOutcome,LastFault,NextInform,PendingEvents");
    check_text(SESSION_PATH, SESSION, "Url", "https://hems.example/");
    check_text(SESSION_PATH, SESSION, "LastOutcome", "unreached");
    check_text(SESSION_PATH, SESSION, "LastFault", "no ? answer ???|\xef\xb7\xb0\xf0\x9f\xbf\xbd");
    check_number(SESSION_PATH, SESSION, "LastSession", 9);
    check_number(SESSION_PATH, SESSION, "NextInform", 8);
    const char *first = NULL;
    sd_bus_message *m = get(SESSION_PATH, SESSION, "PendingEvents", "as");
    ck_assert_int_gt(sd_bus_message_read(m, "as", 1, &first), 0);
    ck_assert_str_eq(first, "1 BOOT");
    sd_bus_message_unref(m);
    /* Behind the end of the list nothing counts. */
    session.pending[1] = "2 PERIODIC";
    ck_assert_int_eq(bus_publish_session(bus, &session), 0);
    check_heard("");
    session.pending[0] = "4 VALUE CHANGE";
    ck_assert_int_eq(bus_publish_session(bus, &session), 0);
    session.n_pending = 2;
    ck_assert_int_eq(bus_publish_session(bus, &session), 0);
    check_heard("PendingEvents;PendingEvents");
    bus_teardown();
}
END_TEST

START_TEST(how_the_registration_went) {
    uint64_t start, end;
    const char *clause, *title, *outcome, *error;
    bus_setup(&handlers);
    timeline_note(&timeline, 5, AGENT_DISCOVERING, "Build", "5.1.2.2 step 3", "");
    timeline_note(&timeline, 7, AGENT_RETRYING, "Wait", "", "no \xff");
    sd_bus_message *m = get(PATH, NAME, "Timeline", "a(ttssss)");
    ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "(ttssss)"), 0);
    ck_assert_int_gt(sd_bus_message_read(m, "(ttssss)", &start, &end, &clause, &title, &outcome, &error), 0);
    ck_assert(start == 5 && end == 7);
    ck_assert_str_eq(clause, "5.1.2.2 step 3");
    ck_assert_str_eq(title, "Build");
    ck_assert_str_eq(outcome, "failed");
    ck_assert_str_eq(error, "no ?");
    ck_assert_int_gt(sd_bus_message_read(m, "(ttssss)", &start, &end, &clause, &title, &outcome, &error), 0);
    ck_assert(start == 7 && end == 0);
    ck_assert_str_eq(outcome, "running");
    ck_assert_int_eq(sd_bus_message_at_end(m, false), 1);
    sd_bus_message_unref(m);
    /* It is large: who reads all of the rest does not get it. */
    m = call(PATH, PROPERTIES, "GetAll", NAME, NULL);
    ck_assert_int_gt(sd_bus_message_enter_container(m, 'a', "{sv}"), 0);
    while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
        ck_assert_int_gt(sd_bus_message_read(m, "s", &title), 0);
        ck_assert_str_ne(title, "Timeline");
        ck_assert_int_ge(sd_bus_message_skip(m, "v"), 0);
        ck_assert_int_ge(sd_bus_message_exit_container(m), 0);
    }
    sd_bus_message_unref(m);
    bus_teardown();
}
END_TEST

#define RADIO "org.example.Radio"

/* Every field is another than at first. */
static Status status_fill(void) {
    return (Status){
        .state = AGENT_REGISTERED,
        .mme = {.n = 1, .items = {{.entry = "10.0.0.1", .port = 36412}}},
        .mme_stored = {.n = 1, .items = {{.entry = "10.0.0.1", .port = 36412}}},
        .s1_connection_mode = "All",
        .admin_state = true,
        .clock_trusted = true,
        .inner_addresses = {.n = 1, .items = {address("10.0.0.1")}},
        .tunnel_interface = "henb1",
        .segw = "segw.example",
        .segw_address = address("192.0.2.1"),
        .hems = "http://hems.example/",
        .step = "Step",
        .clause = "5.1.3",
        .last_error = "none",
    };
}

/* Whether changes of the property are in PropertiesChanged, as the XML file has it. */
static bool is_told(xmlNode *property) {
    bool told = true;
    for (xmlNode *a = xmlFirstElementChild(property); a; a = xmlNextElementSibling(a)) {
        _cleanup_free_ char *name = (char *)xmlGetProp(a, (xmlChar *)"name");
        _cleanup_free_ char *value = (char *)xmlGetProp(a, (xmlChar *)"value");
        if (streq(name, "org.freedesktop.DBus.Property.EmitsChangedSignal"))
            told = !streq(value, "false");
    }
    return told;
}

/* All of an interface has changed: what was heard is what the XML file says is told, in its order. */
static void check_annotations(xmlDoc *doc, const char *interface) {
    char told[512] = "";
    for (xmlNode *i = xmlFirstElementChild(xmlDocGetRootElement(doc)); i; i = xmlNextElementSibling(i)) {
        _cleanup_free_ char *of = (char *)xmlGetProp(i, (xmlChar *)"name");
        for (xmlNode *m = xmlFirstElementChild(i); m && streq(of, interface); m = xmlNextElementSibling(m)) {
            _cleanup_free_ char *name = (char *)xmlGetProp(m, (xmlChar *)"name");
            if (streq((const char *)m->name, "property") && is_told(m))
                strcat(strcat(told, *told ? "," : ""), name);
        }
    }
    ck_assert_str_ne(told, "");
    check_heard(told);
}

START_TEST(annotations_say_what_is_signalled) {
    static const OwnerTable table = {.n = 1, .rows = {{"Device.A.", RADIO}}};
    BusHandlers with_owners = handlers;
    size_t size;

    with_owners.owners = &table;
    bus_setup(&with_owners);
    _cleanup_free_ char *file = file_read(getenv("INTERFACE_XML"), &size);
    xmlDoc *doc = xmlReadMemory(file, (int)size, NULL, NULL, XML_PARSE_NONET);
    ck_assert_ptr_nonnull(doc);
    Status status = status_fill();
    ck_assert_int_eq(bus_publish(bus, &status), 0);
    check_annotations(doc, NAME);
    tunnel_fill();
    counters = (TunnelCounters){.packets_in = 1, .packets_out = 1, .bytes_in = 1, .bytes_out = 1};
    ck_assert_int_eq(bus_publish_tunnel(bus, &tunnel), 0);
    check_annotations(doc, TUNNEL);
    session_fill();
    ck_assert_int_eq(bus_publish_session(bus, &session), 0);
    check_annotations(doc, SESSION);
    ck_assert_int_ge(sd_bus_request_name(client, RADIO, 0), 0);
    check_annotations(doc, NAME ".Parameters");
    xmlFreeDoc(doc);
    bus_teardown();
}
END_TEST

static sd_bus_message *level_set(const char *level) {
    sd_bus_message *m;
    ck_assert_int_ge(sd_bus_message_new_method_call(client, &m, NAME, LOG_PATH, PROPERTIES, "Set"), 0);
    ck_assert_int_ge(sd_bus_message_append(m, "ssv", LOG, "LogLevel", "s", level), 0);
    return send_and_wait(m);
}

START_TEST(the_log_level) {
    char stream[64];
    struct stat st;
    bus_setup(&handlers);
    check_text(LOG_PATH, LOG, "LogLevel", "info");
    check_text(LOG_PATH, LOG, "SyslogIdentifier", "henb-agentd");
    ck_assert_int_eq(unsetenv("JOURNAL_STREAM"), 0);
    check_text(LOG_PATH, LOG, "LogTarget", "console");
    ck_assert_int_eq(setenv("JOURNAL_STREAM", "1:2", 1), 0); /* another's: standard error was redirected */
    check_text(LOG_PATH, LOG, "LogTarget", "console");
    ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    ck_assert_int_eq(setenv("JOURNAL_STREAM", stream, 1), 0);
    check_text(LOG_PATH, LOG, "LogTarget", "journal");
    sd_bus_message *m = level_set("debug");
    ck_assert(!sd_bus_message_is_method_error(m, NULL));
    sd_bus_message_unref(m);
    ck_assert_int_eq(log_get_level(), LOG_DEBUG);
    check_heard("LogLevel");
    static const char *const wrong[] = {"loud", "0123456789012345678901234567890\xc3\xa9"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) { /* one is cut off within a character */
        m = level_set(wrong[i]);
        ck_assert(sd_bus_message_is_method_error(m, SD_BUS_ERROR_INVALID_ARGS));
        sd_bus_message_unref(m);
    }
    check_text(LOG_PATH, LOG, "LogLevel", "debug");
    check_heard("");
    log_set_level(LOG_WARNING); /* as a reload does */
    bus_log_level_changed(bus);
    check_text(LOG_PATH, LOG, "LogLevel", "warning");
    check_heard("LogLevel");
    bus_teardown();
}
END_TEST

static const char *const engineers_methods[] = {"Reconnect", "Inform", "Reload"};

START_TEST(methods_of_an_engineer) {
    if (getuid() != 0) {
        printf("bus-objects: only root is let without polkit\n");
        return;
    }
    bus_setup(&handlers);
    for (size_t i = 0; i < ARRAY_SIZE(engineers_methods); i++) {
        sd_bus_message *m, *reply = NULL;
        ck_assert_int_ge(sd_bus_message_new_method_call(client, &m, NAME, PATH, NAME, engineers_methods[i]),
                         0);
        ck_assert_int_ge(sd_bus_call_async(client, NULL, m, on_reply, &reply, 0), 0);
        sd_bus_message_unref(m);
        while (!request)
            ck_assert_int_ge(sd_event_run(event, UINT64_MAX), 0);
        ck_assert_str_eq(requested, engineers_methods[i]);
        ck_assert_ptr_null(reply); /* the answer waits for us */
        bus_request_done(TAKE_PTR(request), i == 2 ? "no key" : NULL);
        while (!reply)
            ck_assert_int_ge(sd_event_run(event, UINT64_MAX), 0);
        ck_assert_int_eq(sd_bus_message_is_method_error(reply, NAME ".Error.Refused"), i == 2);
        ck_assert_int_eq(sd_bus_message_is_method_error(reply, NULL), i == 2);
        sd_bus_message_unref(reply);
    }
    bus_teardown();
}
END_TEST

START_TEST(methods_nobody_does) {
    bus_setup(&(BusHandlers){});
    for (size_t i = 0; i < ARRAY_SIZE(engineers_methods); i++) {
        sd_bus_message *m = call(PATH, NAME, engineers_methods[i], NULL, NULL);
        ck_assert(sd_bus_message_is_method_error(m, SD_BUS_ERROR_NOT_SUPPORTED));
        sd_bus_message_unref(m);
    }
    check_number(TUNNEL_PATH, TUNNEL, "PacketsIn", 0);
    bus_teardown();
}
END_TEST

SUITE("bus-objects", introspection_is_the_xml_file, one_call_tells_of_all_objects, the_tunnel,
      counters_are_read_when_asked_for, the_session, how_the_registration_went,
      annotations_say_what_is_signalled, the_log_level, methods_of_an_engineer, methods_nobody_does)
