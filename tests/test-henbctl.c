/* SPDX-License-Identifier: GPL-3.0-or-later */
/* henbctl as a program, on a bus of our own where this test is the agent: its own bus code with what the test
 * publishes. */
#include <check.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
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
static char asked[64];

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
    return streq(name, "Device.A") ? visitor(to, "Device.A", "string", "a=b") : -ENOENT;
}

static void on_counters(void *userdata, TunnelCounters *ret) {
    *ret = (TunnelCounters){.packets_in = 77, .bytes_in = 4620};
}

static const BusHandlers handlers = {
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

static void setup(void) {
    private_bus_start(&private_bus, NULL);
    ck_assert_int_ge(sd_event_new(&event), 0);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    ck_assert_int_eq(sigprocmask(SIG_BLOCK, &mask, NULL), 0);
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

/* *words*: its arguments with spaces between. */
static void run_start(Run *run, const char *words) {
    char copy[256], *arguments[16] = {(char *)"henbctl"}, *rest = copy, *word;
    int pipes[2];

    *run = (Run){};
    snprintf(copy, sizeof copy, "%s", words);
    for (size_t n = 1; (word = strsep(&rest, " ")) && n < ARRAY_SIZE(arguments) - 1;)
        if (*word)
            arguments[n++] = word;
    ck_assert_int_eq(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
    run->pid = fork();
    ck_assert_int_ge(run->pid, 0);
    if (run->pid == 0) {
        fcntl(pipes[1], F_SETFL, 0);
        dup2(pipes[1], STDOUT_FILENO);
        dup2(pipes[1], STDERR_FILENO);
        execv(getenv("HENBCTL"), arguments);
        _exit(127);
    }
    close(pipes[1]);
    run->out = pipes[0];
    ck_assert_int_ge(sd_event_add_child(event, &run->end, run->pid, WEXITED, on_exit_of, run), 0);
    ck_assert_int_ge(sd_event_add_io(event, &run->output, run->out, 1 /* EPOLLIN */, on_output, run), 0);
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
    const char *json = strpbrk(run.text, "{["); /* what is said to a person may stand before it */
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
        {"--json inform", "\"done\": true"},
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
    check_run("--help", 0, "clear-deregistration");
    check_run("--version", 0, "henbctl ");
    teardown();
}
END_TEST

START_TEST(checking_a_configuration) {
    char words[256], path[] = "/tmp/henbctl-conf-XXXXXX";
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_gt(dprintf(fd, "[Identity]\nOUI=xyz\n"), 0);
    close(fd);
    setup();
    snprintf(words, sizeof words, "check-config %s", path);
    check_run(words, 1, ":2: [Identity] OUI=");
    unlink(path);
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

START_TEST(monitoring_as_json) {
    Run run;
    setup();
    agent_start();
    run_start(&run, "--json monitor");
    RUN_UNTIL(strchr(run.text, '\n'));
    state_set(AGENT_RETRYING);
    RUN_UNTIL(strstr(run.text, "\"changed\":{\"State\":\"retrying\"}}\n"));
    run_kill(&run);
    teardown();
}
END_TEST

SUITE("henbctl", looking, looking_as_json, acting, no_agent, wrong_command_lines, checking_a_configuration,
      waiting, monitoring_as_json)
