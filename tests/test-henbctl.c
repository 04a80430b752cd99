/* SPDX-License-Identifier: GPL-3.0-or-later */
/* henbctl as a program, on a bus of our own where this test is the agent: its own bus code with what the test
 * publishes. */
#include <check.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/moment.h"
#include "dbus/bus.h"
#include "private-bus.h"
#include "suite.h"

static PrivateBus private_bus;
static sd_event *event;
static Bus *bus;
static Timeline timeline;
static Status status = {.s1_connection_mode = "One", .segw = "segw.example"};
static char asked[64], reported[256];

/* One run of it. */
typedef struct Run {
    pid_t pid;
    sd_event_source *end, *output;
    int out;
    char text[16384]; /* standard output and error */
    size_t size;
    bool over;
    int status;
} Run;

static void request_take(const char *what, BusRequest *request, const char *refusal) {
    snprintf(asked, sizeof asked, "%s", what);
    bus_request_done(request, refusal);
}

static void on_deregister(void *userdata, BusRequest *request) {
    request_take("deregister", request, "the TR-069 session broke off");
}

static void on_clear(void *userdata, BusRequest *request) {
    request_take("clear-deregistration", request, NULL);
}

static void on_reconnect(void *userdata, BusRequest *request) {
    request_take("reconnect", request, NULL);
}

static void on_inform(void *userdata, BusRequest *request) {
    request_take("inform", request, NULL);
}

static void on_reload(void *userdata, BusRequest *request) {
    request_take("reload", request, NULL);
}

static int on_read(void *userdata, const char *name, BusVisitor visitor, void *to) {
    if (streq(name, "Device."))
        return visitor(to, "Device.A", "string", "a=b") ?: visitor(to, "Device.B.1.C", "boolean", "true");
    if (streq(name, "Device.E"))
        return visitor(to, "Device.E", "string", "\x1b[2J");
    return streq(name, "Device.A") ? visitor(to, "Device.A", "string", "a=b") : -ENOENT;
}

static void on_counters(void *userdata, TunnelCounters *ret) {
    *ret = (TunnelCounters){.packets_in = 77, .bytes_in = 4620};
}

static const char *on_report(void *userdata, const char *path, const char *value) {
    if (streq(value, "north"))
        return "not a number";
    snprintf(reported + strlen(reported), sizeof reported - strlen(reported), "%s=%s;", path, value);
    return NULL;
}

static void on_reported(void *userdata) {
}

static OwnerTable owners = {
    .n = 3,
    .rows = {{"Device.GPS.", "org.example.Gps"},
             {"Device.GPS.Radio", "org.example.Radio"},
             {"Device.Other.", "org.henb.Other"}},
};

static const BusHandlers handlers = {
    .owners = &owners,
    .report_value = on_report,
    .reported = on_reported,
    .deregister = on_deregister,
    .clear_deregistration = on_clear,
    .reconnect = on_reconnect,
    .inform = on_inform,
    .reload = on_reload,
    .read = on_read,
    .tunnel_counters = on_counters,
    .timeline = &timeline,
};

static void agent_start(void) {
    ck_assert_int_eq(bus_new(&bus, event, &status, &handlers), 0);
}

static void agent_stop(void) {
    bus_free(bus);
    bus = NULL;
}

static void setup_with(const char *policy) {
    private_bus_start(&private_bus, policy);
    ck_assert_int_ge(sd_event_new(&event), 0);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    ck_assert_int_eq(sigprocmask(SIG_BLOCK, &mask, NULL), 0);
}

static void setup(void) {
    setup_with(NULL);
}

static void teardown(void) {
    if (bus)
        agent_stop();
    sd_event_unref(event);
    private_bus_stop(&private_bus);
}

static int on_exit_of(sd_event_source *source, const siginfo_t *info, void *userdata) {
    Run *run = userdata;
    run->over = true;
    run->status = info->si_code == CLD_EXITED ? info->si_status : 100 + info->si_status;
    return 0;
}

static void output_take(Run *run) {
    ssize_t n;
    while ((n = read(run->out, run->text + run->size, sizeof run->text - 1 - run->size)) > 0)
        run->size += (size_t)n;
    run->text[run->size] = 0;
}

static int on_output(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    Run *run = userdata;
    size_t before = run->size;
    output_take(run);
    if (run->size == before)
        sd_event_source_set_enabled(source, SD_EVENT_OFF); /* its end */
    return 0;
}

/* *words*: its arguments with spaces between. *writing* is where it writes, *reading* where that comes out.
 */
static void run_spawn(Run *run, const char *words, int reading, int writing) {
    char copy[256], *arguments[16] = {(char *)"henbctl"}, *rest = copy, *word;

    *run = (Run){.out = reading};
    snprintf(copy, sizeof copy, "%s", words);
    for (size_t n = 1; (word = strsep(&rest, " ")) && n < ARRAY_SIZE(arguments) - 1;)
        if (*word)
            arguments[n++] = word;
    ck_assert_int_eq(fcntl(reading, F_SETFL, O_NONBLOCK), 0);
    run->pid = fork();
    ck_assert_int_ge(run->pid, 0);
    if (run->pid == 0) {
        dup2(writing, STDOUT_FILENO);
        dup2(writing, STDERR_FILENO);
        execv(getenv("HENBCTL"), arguments);
        _exit(127);
    }
    close(writing);
    ck_assert_int_ge(sd_event_add_child(event, &run->end, run->pid, WEXITED, on_exit_of, run), 0);
    ck_assert_int_ge(sd_event_add_io(event, &run->output, run->out, 1 /* EPOLLIN */, on_output, run), 0);
}

static void run_start(Run *run, const char *words) {
    int pipes[2];

    ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
    run_spawn(run, words, pipes[0], pipes[1]);
}

static void run_start_in_terminal(Run *run, const char *words, unsigned short columns) {
    struct winsize size = {.ws_row = 24, .ws_col = columns};
    int controller, terminal;

    ck_assert_int_eq(openpty(&controller, &terminal, NULL, NULL, &size), 0);
    fcntl(controller, F_SETFD, FD_CLOEXEC);
    run_spawn(run, words, controller, terminal);
}

#define RUN_UNTIL(condition)                                                                                 \
    while (!(condition))                                                                                     \
    ck_assert_int_ge(sd_event_run(event, UINT64_MAX), 0)

static void run_end(Run *run, int expected) {
    RUN_UNTIL(run->over);
    output_take(run);
    sd_event_source_unref(run->end); /* or it would write to a run that is no more */
    sd_event_source_unref(run->output);
    close(run->out);
    ck_assert_msg(run->status == expected, "status %d, not %d: %s", run->status, expected, run->text);
}

static void run_kill(Run *run) {
    ck_assert_int_eq(kill(run->pid, SIGTERM), 0);
    run_end(run, 100 + SIGTERM);
}

/* A run to its end, which says *expected* somewhere. */
static void check_run(const char *words, int exit_status, const char *expected) {
    Run run;
    run_start(&run, words);
    run_end(&run, exit_status);
    ck_assert_msg(strstr(run.text, expected) != NULL, "%s: no \"%s\" in:\n%s", words, expected, run.text);
}

/* The same with JSON on standard output. The caller's. */
static json_object *check_json(const char *words, int exit_status) {
    Run run;
    run_start(&run, words);
    run_end(&run, exit_status);
    const char *json = run.text; /* what is said to a person may stand in a line before it */
    while (json && *json != '{' && *json != '[') {
        json = strchr(json, '\n');
        json = json ? json + 1 : NULL;
    }
    json_object *o = json ? json_tokener_parse(json) : NULL;
    ck_assert_msg(o != NULL, "%s: no JSON:\n%s", words, run.text);
    return o;
}

START_TEST(looking) {
    setup();
    agent_start();
    TunnelStatus tunnel = {.up = true, .peer_identity = "segw.example", .esp_algorithms = "gcm"};
    SessionStatus session = {.url = "http://hems.example/", .last_fault = "HTTP status 503"};
    ck_assert_int_eq(bus_publish_tunnel(bus, &tunnel), 0);
    ck_assert_int_eq(bus_publish_session(bus, &session), 0);
    timeline_note(&timeline, 5 * USEC_PER_SEC, AGENT_DISCOVERING, "Build the tunnel", "5.1.2.2 step 3", "");
    timeline_note(&timeline, 6 * USEC_PER_SEC, AGENT_RETRYING, "Wait", "", "no answer");
    check_run("", 0, "henb-agent - idle\n");
    check_run("status", 0, "SeGW: segw.example\n");
    check_run("tunnels", 0, "Packets: 77 (4.5K) in, 0 (0B) out\n");
    check_run("session", 0, "Fault: HTTP status 503\n");
    check_run("timeline", 0, "Build the tunnel (5.1.2.2 step 3)\n");
    check_run("timeline --svg", 0, "<rect class=\"failed\"");
    check_run("get Device.A", 0, "Device.A=a=b\n");
    check_run("list", 0, "Device.A=a=b\nDevice.B.1.C=true\n");
    check_run("list --names Device.", 0, "Device.A\nDevice.B.1.C\n");
    check_run("get Device.X", 1, "henbctl: Device.X: there is no such parameter\n");
    teardown();
}
END_TEST

START_TEST(looking_as_json) {
    static const struct {
        const char *words, *expected;
    } cases[] = {
        {"--json status", "\"State\": \"idle\""},
        {"--json tunnels", "\"PacketsIn\": 77"},
        {"-j session", "\"LastOutcome\": \"none\""},
        {"--json timeline", "["},
        {"--json list", "\"Device.B.1.C\": { \"type\": \"boolean\", \"value\": \"true\" }"},
        {"--json get Device.A", "{ \"Device.A\": { \"type\": \"string\", \"value\": \"a=b\" } }"},
        {"--json status", "\"timeline\": ["},
        {"--json inform", "\"done\": true"},
        {"--json reconnect", "\"done\": true"},
        {"--json reload", "\"done\": true"},
        {"--json clear-deregistration", "\"done\": true"},
    };
    setup();
    agent_start();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        json_object *o = check_json(cases[i].words, 0);
        const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_SPACED);
        ck_assert_msg(strstr(text, cases[i].expected) != NULL, "%s: %s", cases[i].words, text);
        json_object_put(o);
    }
    teardown();
}
END_TEST

START_TEST(acting) {
    static const char *const verbs[] = {"inform", "reconnect", "reload", "clear-deregistration"};
    if (getuid() != 0) {
        printf("henbctl: only root is let without polkit\n");
        return;
    }
    setup();
    agent_start();
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        check_run(verbs[i], 0, "");
        ck_assert_str_eq(asked, verbs[i]);
    }
    check_run("deregister", 1, "henbctl: the TR-069 session broke off\n");
    ck_assert_str_eq(asked, "deregister");
    teardown();
}
END_TEST

/* A value is reported in the name of its owner, if that does not run and the bus lets us have it. */
START_TEST(setting) {
    static const char policy[] =
        "<policy context=\"default\"><allow user=\"*\"/><allow own=\"org.henb.Agent1\"/>"
        "<allow own_prefix=\"org.example\"/><allow send_destination=\"*\"/><allow receive_sender=\"*\"/>"
        "</policy>";
    sd_bus *radio = NULL;

    setup_with(policy);
    agent_start();
    check_run("set Device.GPS.A=1=2 Device.GPS.B=", 0, "");
    ck_assert_str_eq(reported, "Device.GPS.A=1=2;Device.GPS.B=;");
    check_run("set Device.GPS.A=1 Device.GPS.Radio=2", 0, "");
    check_run("set Device.GPS.A=north", 1, "henbctl: Device.GPS.A: not a number\n");
    check_run("set Device.X=1", 1, "henbctl: Device.X: it belongs to nobody on this box");
    check_run(
        "set Device.GPS.A=1 Device.Other.B=2", 1,
        "henbctl: Device.Other.B: it belongs to org.henb.Other, and the bus does not let you have that");
    ck_assert_int_ge(sd_bus_open_system(&radio), 0);
    ck_assert_int_ge(sd_bus_request_name(radio, "org.example.Radio", 0), 0);
    check_run("set Device.GPS.Radio=1", 1, "it belongs to org.example.Radio, which runs");
    sd_bus_flush_close_unref(radio);
    ck_assert_str_eq(reported, "Device.GPS.A=1=2;Device.GPS.B=;Device.GPS.A=1;Device.GPS.Radio=2;");
    teardown();
}
END_TEST

/* What came from a peer does not reach the terminal as it came. */
START_TEST(hostile_words_from_the_bus) {
    static const char *const runs[] = {"status",     "tunnels",      "session",
                                       "timeline",   "get Device.E", "-j status",
                                       "-j tunnels", "-j timeline",  "-j get Device.E"};
    TunnelStatus tunnel = {.up = true, .peer_identity = "\x1b[2J\x7f\xc2\x9b\x31m"};
    SessionStatus session = {.url = "http://h/\x1b]0;x\a", .last_fault = "\xe2\x80\xae\r\n"};

    setup();
    timeline_note(&timeline, 5, AGENT_RETRYING, "Wait", "", "\x1b[31m\xff");
    snprintf(status.last_error, sizeof status.last_error, "\x1b[31m");
    agent_start();
    ck_assert_int_eq(bus_publish_tunnel(bus, &tunnel), 0);
    ck_assert_int_eq(bus_publish_session(bus, &session), 0);
    for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
        Run run;
        run_start(&run, runs[i]);
        run_end(&run, 0);
        for (const char *c = run.text; *c; c++)
            if (((unsigned char)*c < 0x20 && *c != '\n') || *c == 0x7f || strncmp(c, "\xc2\x9b", 2) == 0 ||
                strncmp(c, "\xe2\x80\xae", 3) == 0)
                ck_abort_msg("%s: byte %d in %s", runs[i], *c, run.text);
    }
    teardown();
}
END_TEST

static void variable_set(const char *name, const char *value) {
    ck_assert_int_eq(value ? setenv(name, value, 1) : unsetenv(name), 0);
}

/* SYSTEMD_COLORS, NO_COLOR and TERM, as systemd's tools have them. */
START_TEST(colours) {
    static const struct {
        bool terminal;
        const char *term, *colours, *no_color;
        bool coloured;
    } cases[] = {
        {false, "xterm", NULL, NULL, false},       {false, "xterm", "1", NULL, true},
        {false, "xterm", "1", "1", true},          {false, "xterm", "256", NULL, true},
        {false, "xterm", "auto-256", NULL, false}, {true, "xterm", NULL, NULL, true},
        {true, "xterm", "auto-16", NULL, true},    {true, "xterm", "0", NULL, false},
        {true, "xterm", "no", NULL, false},        {true, "xterm", NULL, "1", false},
        {true, "dumb", NULL, NULL, false},         {true, NULL, NULL, NULL, false},
    };
    setup();
    agent_start();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Run run;
        variable_set("TERM", cases[i].term);
        variable_set("SYSTEMD_COLORS", cases[i].colours);
        variable_set("NO_COLOR", cases[i].no_color);
        if (cases[i].terminal)
            run_start_in_terminal(&run, "tunnels", 80);
        else
            run_start(&run, "tunnels");
        run_end(&run, 0);
        ck_assert_msg((strchr(run.text, 0x1b) != NULL) == cases[i].coloured, "case %zu: %s", i, run.text);
    }
    teardown();
}
END_TEST

/* As wide as COLUMNS says, or else the terminal; in the characters of the locale. */
START_TEST(widths_and_locales) {
    Run run;

    setup();
    agent_start();
    variable_set("COLUMNS", NULL);
    variable_set("TERM", "dumb");
    run_start_in_terminal(&run, "status", 40);
    run_end(&run, 0);
    ck_assert_msg(
        strstr(run.text, "\r\n          S1: to one of the MMEs; the\r\n              operator has not let"),
        "%s", run.text);
    variable_set("COLUMNS", "30");
    variable_set("LC_ALL", "C");
    check_run("status", 0,
              "\n          S1: to one of the MMEs;\n              the operator has not\n"
              "              let the cell on the\n              air\n");
    check_run("status", 0, "* henb-agent");
    variable_set("LC_ALL", "C.UTF-8");
    check_run("status", 0, "\xe2\x97\x8f henb-agent");
    teardown();
}
END_TEST

START_TEST(no_agent) {
    setup();
    check_run("status", 3, "henb-agent - not running\n");
    check_run("inform", 3, "henbctl: the agent is not running\n");
    check_run("timeline", 3, "henbctl: the agent is not running\n");
    check_run("wait --timeout=0", 1, "henbctl: not registered in time\n");
    json_object *o = check_json("--json session", 3);
    ck_assert_ptr_nonnull(strstr(json_object_to_json_string(o), "ServiceUnknown"));
    json_object_put(o);
    teardown();
}
END_TEST

START_TEST(wrong_command_lines) {
    setup();
    check_run("frobnicate", 64, "there is no \"frobnicate\"");
    check_run("get", 64, "Usage: henbctl get NAME...");
    check_run("status now", 64, "Usage: henbctl status");
    check_run("wait --timeout=soon", 64, "no number of seconds");
    check_run("wait --timeout=-1", 64, "no number of seconds");
    check_run("status --timeout=1", 64, "status takes no --timeout");
    check_run("status --svg", 64, "status takes no --svg");
    check_run("timeline --names", 64, "timeline takes no --names");
    check_run("timeline --json --svg", 64, "--json does not go with --svg");
    check_run("set Device.A", 64, "set wants NAME=VALUE");
    check_run("set =1", 64, "set wants NAME=VALUE");
    check_run("--frobnicate", 64, "frobnicate");
    check_run("--help", 0, "clear-deregistration");
    check_run("--version", 0, "henbctl ");
    teardown();
}
END_TEST

/* What could not be written was not said. */
START_TEST(output_that_fails) {
    char command[512];

    snprintf(command, sizeof command, "%s --help >/dev/full 2>/dev/null", getenv("HENBCTL"));
    ck_assert_int_eq(WEXITSTATUS(system(command)), 1);
}
END_TEST

static void check_configuration(const char *text, int exit_status, const char *expected) {
    char words[256], path[] = "/tmp/henbctl-conf-XXXXXX";
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_gt(dprintf(fd, "%s", text), 0);
    close(fd);
    snprintf(words, sizeof words, "check-config %s", path);
    check_run(words, exit_status, expected);
    snprintf(words, sizeof words, "--json check-config %s", path);
    json_object *o = check_json(words, exit_status);
    const char *message = json_object_get_string(json_object_object_get(o, "message"));
    ck_assert(exit_status == 0 ? json_object_get_boolean(json_object_object_get(o, "done"))
                               : strstr(message, expected) != NULL);
    json_object_put(o);
    unlink(path);
}

START_TEST(checking_a_configuration) {
    setup();
    setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere", 1); /* it needs no bus */
    check_configuration("[Identity]\nOUI=xyz\n", 1, ":2: [Identity] OUI=");
    check_configuration("[Identity]\nOUI\n", 1, ":2: neither [Section] nor Key=Value");
    check_configuration("[Identity]\nOui=00A0BC\n", 1, ":2: ");
    check_configuration(
        "[Identity]\nManufacturer=E\nOUI=00A0BC\nProductClass=H\nSerialNumber=1\n"
        "[Trust]\nCA=/proc/self/status\nCertificate=/proc/self/status\nKey=/proc/self/status\n"
        "[Serving]\nSeGW=segw.operator.example\nHeMS=hems.operator.example\n",
        0, ": ok\n");
    check_run("check-config /nowhere/agent.conf", 1,
              "henbctl: /nowhere/agent.conf: No such file or directory\n");
    check_run("status", 1, "henbctl: no system bus: ");
    teardown();
}
END_TEST

static void state_set(AgentState state) {
    status.state = state;
    status.mme.n = state == AGENT_REGISTERED;
    ck_assert_int_eq(bus_publish(bus, &status), 0);
}

/* The agent is not there at first, then comes, then registers. */
START_TEST(waiting) {
    Run run, monitor;
    setup();
    run_start(&run, "wait");
    run_start(&monitor, "monitor");
    RUN_UNTIL(strstr(monitor.text, "not running\n"));
    agent_start();
    RUN_UNTIL(strstr(monitor.text, "State: idle\n"));
    state_set(AGENT_DISCOVERING);
    RUN_UNTIL(strstr(monitor.text, "State: discovering\n"));
    ck_assert(!run.over);
    state_set(AGENT_REGISTERED);
    run_end(&run, 0);
    RUN_UNTIL(strstr(monitor.text, "State: registered\n"));
    check_run("wait", 0, "");
    TunnelStatus tunnel = {.up = true};
    ck_assert_int_eq(bus_publish_tunnel(bus, &tunnel), 0);
    RUN_UNTIL(strstr(monitor.text, "Tunnel.Up: true\n"));
    *strstr(monitor.text, "not running") = '-';
    agent_stop();
    RUN_UNTIL(strstr(monitor.text, "not running\n"));
    run_kill(&monitor);
    teardown();
}
END_TEST

/* An agent that is on the bus and does not answer: this one's loop does not run. */
START_TEST(waiting_for_a_silent_agent) {
    Run run;

    setup();
    agent_start();
    run_start(&run, "wait --timeout=0");
    ck_assert_int_eq(waitid(P_PID, (id_t)run.pid, &(siginfo_t){}, WEXITED | WNOWAIT), 0);
    run_end(&run, 1);
    ck_assert_str_eq(run.text, "henbctl: not registered in time\n");
    teardown();
}
END_TEST

START_TEST(monitoring_as_json) {
    Run run;
    setup();
    agent_start();
    run_start(&run, "--json monitor");
    RUN_UNTIL(strchr(run.text, '\n'));
    state_set(AGENT_RETRYING);
    RUN_UNTIL(strstr(run.text, "\"changed\":{\"State\":\"retrying\"}}\n"));
    agent_stop();
    RUN_UNTIL(strstr(run.text, "\"running\":false}\n"));
    const char *rest = run.text;
    for (size_t n; *rest; rest += n + 1) { /* each line is an object that says when */
        n = strcspn(rest, "\n");
        char line[sizeof run.text];
        snprintf(line, sizeof line, "%.*s", (int)n, rest);
        json_object *o = json_tokener_parse(line);
        ck_assert_msg(json_object_object_get(o, "time") != NULL, "%s", line);
        json_object_put(o);
    }
    ck_assert_ptr_nonnull(
        strstr(run.text, "\"path\":\"/org/henb/Agent1/tunnel/0\",\"interface\":\"org.henb.Agent1.Tunnel\""));
    ck_assert_ptr_nonnull(strstr(run.text, "\"path\":\"/org/henb/Agent1/session\""));
    run_kill(&run);
    teardown();
}
END_TEST

START_TEST(the_bus_goes_away) {
    Run monitor, wait;
    setup();
    run_start(&monitor, "monitor");
    run_start(&wait, "wait");
    RUN_UNTIL(strstr(monitor.text, "not running\n"));
    private_bus_stop(&private_bus);
    run_end(&monitor, 1);
    run_end(&wait, 1);
    ck_assert_ptr_nonnull(strstr(monitor.text, "henbctl: the bus has closed the connection\n"));
    private_bus_start(&private_bus, NULL);
    teardown();
}
END_TEST

SUITE("henbctl", looking, looking_as_json, acting, setting, hostile_words_from_the_bus, colours,
      widths_and_locales, no_agent, wrong_command_lines, output_that_fails, checking_a_configuration, waiting,
      waiting_for_a_silent_agent, monitoring_as_json, the_bus_goes_away)
