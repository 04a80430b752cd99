/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The process from its start to its end, with managers that only note what is done with them: what systemd
 * hears, who is answered when, which configuration the next manager gets. */
#include <check.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <systemd/sd-event.h>

#include "base/log.h"
#include "files.h"
#include "life.h"
#include "manager.h"
#include "suite.h"

#define PATH_BYTES 128
#define STEPS_MAX  8

typedef void (*Step)(Manager *m);

struct Manager {
    sd_event *event;
    const Config *config;
    ManagerReload reload;
    sd_event_source *steps;
    size_t step;
};

static char dir[] = "/tmp/henb-life-XXXXXX";
static char path[PATH_BYTES];
static Config config;
static char error[ERROR_MAX_BYTES];
static int notified; /* the socket that is systemd's */
/* What has happened, a word each: "new start stop free". And what the managers do, one list each. */
static char events[512];
static Step script[3][STEPS_MAX];
static int new_fails[3]; /* manager_new()'s answer, 0: makes one */
static size_t managers;  /* tried */

static void note(const char *format, ...) _printf_(1, 2);
static void note(const char *format, ...) {
    size_t len = strlen(events);
    va_list ap;

    if (len > 0)
        events[len++] = ' ';
    va_start(ap, format);
    vsnprintf(events + len, sizeof events - len, format, ap);
    va_end(ap);
}

/* The manager ----------------------------------------------------------------------------------------- */

int manager_new(Manager **ret, sd_event *event, const Config *its, Security *security, const char *state,
                const ManagerReload *reload) {
    const int fails = new_fails[managers++];

    ck_assert_ptr_nonnull(security_credential(security));
    ck_assert_str_eq(state, dir);
    note("new(%s)", its->serving.hems);
    if (fails < 0)
        return fails;
    Manager *m = calloc(1, sizeof *m);
    ck_assert_ptr_nonnull(m);
    *m = (Manager){.event = event, .config = its, .reload = *reload};
    *ret = m;
    return 0;
}

void manager_free(Manager *m) {
    if (!m)
        return;
    note("free");
    sd_event_source_disable_unref(m->steps);
    free(m);
}

/* After all that is pending. */
static int on_step(sd_event_source *source, void *userdata) {
    Manager *m = userdata;
    Step step = script[managers - 1][m->step++];

    ck_assert(step);
    step(m);
    return 0;
}

void manager_start(Manager *m) {
    note("start");
    ck_assert_int_ge(sd_event_add_defer(m->event, &m->steps, on_step, m), 0);
    sd_event_source_set_priority(m->steps, SD_EVENT_PRIORITY_IDLE);
    sd_event_source_set_enabled(m->steps, SD_EVENT_ON);
}

static int on_stopped(sd_event_source *source, void *userdata) {
    return sd_event_exit(userdata, 0);
}

static Step while_it_stops;

/* It takes its time, as a DELETE does. */
void manager_stop(Manager *m) {
    note("stop");
    sd_event_source_set_enabled(m->steps, SD_EVENT_OFF);
    Step meanwhile = while_it_stops;
    while_it_stops = NULL;
    if (meanwhile)
        meanwhile(m);
    sd_event_source *source;
    ck_assert_int_ge(sd_event_add_defer(m->event, &source, on_stopped, m->event), 0);
    sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IDLE);
    sd_event_source_set_floating(source, true);
    sd_event_source_unref(source);
}

void manager_reloaded(Manager *m, bool log_level, bool credentials) {
    note("reloaded(%d,%d)", log_level, credentials);
}

static const char *answer_holds;
void bus_request_done(BusRequest *request, const char *refusal) {
    ck_assert_ptr_eq(request, (BusRequest *)&answer_holds);
    note(refusal ? "refused" : "done");
    if (answer_holds)
        ck_assert_msg(refusal && strstr(refusal, answer_holds), "%s", strempty(refusal));
}

/* What is done --------------------------------------------------------------------------------------------
 */

static void write_config(const char *hems, const char *more) {
    char text[2048];
    const char *data = getenv("TEST_DATA") ?: "tests/data";

    snprintf(
        text, sizeof text,
        "[Identity]\nManufacturer=Example\nOUI=00A0BC\nProductClass=HeNB\nSerialNumber=000001\nOperator=Tel\n"
        "[Serving]\nSeGW=segw.operator.example\nHeMS=%s\n[Trust]\nCA=%s/ike/ca.pem\n"
        "Certificate=%s/ike/device-ecdsa.pem\nKey=%s/ike/device-ecdsa.key.pem\n%s",
        hems, data, data, data, more);
    file_write_text(path, text);
}

static void hangup(Manager *m) {
    raise(SIGHUP);
}

static void terminate(Manager *m) {
    raise(SIGTERM);
}

static void call(Manager *m) {
    m->reload.wanted(m->reload.userdata, (BusRequest *)&answer_holds);
}

static void other_hems(Manager *m) {
    write_config("http://b/", "");
}

static void other_level(Manager *m) {
    write_config("http://a/", "[Log]\nLevel=warning\n");
}

static void mistake(Manager *m) {
    write_config("http://a/", "[Log]\nLevel=loud\n");
    answer_holds = "agent.conf:15: [Log] Level=: not one of";
}

static void level_is_warning(Manager *m) {
    ck_assert_int_eq(log_get_level(), LOG_WARNING);
    ck_assert_int_eq(m->config->log_level, LOG_WARNING);
}

/* The run --------------------------------------------------------------------------------------------- */

static void notify_listen(void) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    char variable[sizeof name.sun_path];

    notified = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int n = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "henb-test-life-%d", getpid());
    ck_assert_int_eq(bind(notified, (struct sockaddr *)&name,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)),
                     0);
    snprintf(variable, sizeof variable, "@%s", name.sun_path + 1);
    setenv("NOTIFY_SOCKET", variable, 1);
}

/* Runs the script from http://a/ on; what systemd hears has to be *heard*, first lines with spaces between
 * them. */
static void run(int status, const char *happened, const char *heard) {
    Security *security = NULL;
    char text[512] = "", seen[1024] = "";

    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/agent.conf", dir);
    write_config("http://a/", "");
    ck_assert_msg(config_load(&config, path, error) == 0, "%s", error);
    ck_assert_msg(security_new(&security, &config, dir, error) == 0, "%s", error);
    notify_listen();
    ck_assert_int_eq(life_run(path, dir, &config, security), status);
    ck_assert_str_eq(events, happened);
    ssize_t n;
    while ((n = recv(notified, text, sizeof text - 1, 0)) > 0) {
        text[n] = 0;
        if (strncmp(text, "RELOADING=1\n", strlen("RELOADING=1\n")) == 0)
            ck_assert_msg(strstr(text, "\nMONOTONIC_USEC="), "%s", text);
        text[strcspn(text, "\n")] = 0;
        snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s%s", *seen ? ", " : "", text);
    }
    ck_assert_str_eq(seen, heard);
    char command[PATH_BYTES];
    snprintf(command, sizeof command, "rm -r %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static void script_set(size_t manager, const Step *steps, size_t n) {
    memcpy(script[manager], steps, n * sizeof *steps);
}
#define SCRIPT(manager, ...)                                                                                 \
    script_set(manager, (const Step[]){__VA_ARGS__}, sizeof((const Step[]){__VA_ARGS__}) / sizeof(Step))

START_TEST(stopped) {
    SCRIPT(0, terminate);
    run(0, "new(http://a/) start stop free", "READY=1, STOPPING=1");
}
END_TEST

START_TEST(cannot_start) {
    new_fails[0] = -EEXIST;
    LOG_OF(run(EX_CONFIG, "new(http://a/)", ""),
           "/agent.conf: [Network] TunnelInterface=henb0: an interface of this");
}
END_TEST

START_TEST(without_a_kernel_for_it) {
    new_fails[0] = -EOPNOTSUPP;
    run(EX_UNAVAILABLE, "new(http://a/)", "");
}
END_TEST

START_TEST(nothing_has_changed) {
    SCRIPT(0, hangup, call, terminate);
    run(0, "new(http://a/) start reloaded(0,0) reloaded(0,0) done stop free",
        "READY=1, RELOADING=1, READY=1, RELOADING=1, READY=1, STOPPING=1");
}
END_TEST

START_TEST(taken_in_place) {
    SCRIPT(0, other_level, call, level_is_warning, terminate);
    run(0, "new(http://a/) start reloaded(1,0) done stop free", "READY=1, RELOADING=1, READY=1, STOPPING=1");
}
END_TEST

START_TEST(refused) {
    SCRIPT(0, mistake, call, hangup, terminate);
    LOG_OF(run(0, "new(http://a/) start refused stop free",
               "READY=1, RELOADING=1, READY=1, RELOADING=1, READY=1, STOPPING=1"),
           "<3>reload refused, nothing has changed: ");
}
END_TEST

/* The caller is answered before the bus is left; systemd waits for the new manager. */
START_TEST(another_hems) {
    SCRIPT(0, other_hems, call);
    SCRIPT(1, hangup, terminate);
    run(0, "new(http://a/) start done stop free new(http://b/) start reloaded(0,0) stop free",
        "READY=1, RELOADING=1, STATUS=Restarting with the new configuration, READY=1, RELOADING=1, READY=1, "
        "STOPPING=1");
}
END_TEST

START_TEST(another_hems_by_a_signal) {
    SCRIPT(0, other_hems, hangup);
    SCRIPT(1, terminate);
    run(0, "new(http://a/) start stop free new(http://b/) start stop free",
        "READY=1, RELOADING=1, STATUS=Restarting with the new configuration, READY=1, STOPPING=1");
}
END_TEST

/* The configuration of before comes back when the new one is of no use, and can be replaced again. */
START_TEST(of_no_use_after_all) {
    SCRIPT(0, other_hems, call);
    SCRIPT(2, terminate);
    new_fails[1] = -ENOTUNIQ;
    LOG_OF(run(0, "new(http://a/) start done stop free new(http://b/) new(http://a/) start stop free",
               "READY=1, RELOADING=1, STATUS=Restarting with the new configuration, READY=1, STOPPING=1"),
           "<3>the new configuration cannot be used after all: the agent goes on with the previous one\n");
}
END_TEST

START_TEST(neither_is_of_use) {
    SCRIPT(0, other_hems, call);
    new_fails[1] = -ENOTUNIQ;
    new_fails[2] = -EIO;
    run(EXIT_FAILURE, "new(http://a/) start done stop free new(http://b/) new(http://a/)",
        "READY=1, RELOADING=1, STATUS=Restarting with the new configuration");
}
END_TEST

/* systemd wants it to end while it makes way: nothing begins any more. */
START_TEST(stopped_while_it_makes_way) {
    SCRIPT(0, other_hems, call);
    while_it_stops = terminate;
    run(0, "new(http://a/) start done stop stop free",
        "READY=1, RELOADING=1, STATUS=Restarting with the new configuration, STOPPING=1");
}
END_TEST

static void call_refused(Manager *m) {
    answer_holds = "the agent is stopping";
    call(m);
}

START_TEST(reload_while_it_makes_way) {
    SCRIPT(0, other_hems, call);
    SCRIPT(1, terminate);
    while_it_stops = call_refused;
    run(0, "new(http://a/) start done stop refused free new(http://b/) start stop free",
        "READY=1, RELOADING=1, STATUS=Restarting with the new configuration, READY=1, STOPPING=1");
}
END_TEST

/* Nobody waits for the answer to a signal: the journal has it. */
START_TEST(a_signal_while_it_stops) {
    SCRIPT(0, terminate);
    while_it_stops = hangup;
    LOG_OF(run(0, "new(http://a/) start stop free", "READY=1, STOPPING=1"),
           "<5>reload: the agent is stopping\n");
}
END_TEST

START_TEST(a_signal_while_it_makes_way) {
    SCRIPT(0, other_hems, call);
    SCRIPT(1, terminate);
    while_it_stops = hangup;
    LOG_OF(run(0, "new(http://a/) start done stop free new(http://b/) start stop free",
               "READY=1, RELOADING=1, STATUS=Restarting with the new configuration, READY=1, STOPPING=1"),
           "<5>reload: the agent is stopping, to begin again\n");
}
END_TEST

START_TEST(reload_while_it_stops) {
    SCRIPT(0, terminate);
    while_it_stops = call_refused;
    run(0, "new(http://a/) start stop refused free", "READY=1, STOPPING=1");
}
END_TEST

SUITE("life", stopped, cannot_start, without_a_kernel_for_it, nothing_has_changed, taken_in_place, refused,
      another_hems, another_hems_by_a_signal, of_no_use_after_all, neither_is_of_use,
      stopped_while_it_makes_way, reload_while_it_makes_way, reload_while_it_stops, a_signal_while_it_stops,
      a_signal_while_it_makes_way)
