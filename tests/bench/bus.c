/* SPDX-License-Identifier: GPL-3.0-or-later */
/* usage: bus [ROUNDS]. What clients on the bus cost the agent: tests/bench/bus shows it. The agent's side of
 * the bus in this process, with a timer as IKE has them on the same event loop, which publishes; the clients
 * in processes of their own, on a bus daemon of ours. Exits with 1 when more is handled at once, or left with
 * the bus, than may be; time is printed alone.
 *
 * What was found with it:
 * - A wake-up handles one message, however many wait, and the event loop takes sources of one priority in
 *   turn: a timer waits for two wake-ups of the bus at most. So the bus needs no lower priority, with which
 *   packets from the network could silence it.
 * - Publishing costs the same with 50 subscribed: the bus daemon makes the copies.
 * - What a client leaves unread is the sender's in the eyes of the bus daemon. When all of that was
 *   max_incoming_bytes, 127 MB, which took some seconds of such calls, it read nothing more of the agent,
 *   and nobody heard of anything any more. Now such a client is found out (dbus/callers.h).
 * - Calls that want no answer were worked on all the same, and a client may have any number of these on the
 *   way. Now they are passed over.
 * - Each counter of one answer had the kernel asked again. Now one answer has it asked once.
 * - What is left is the bus daemon's own: it is one thread, and whatever it passes on or refuses, others wait
 *   for. */
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macro.h"
#include "base/moment.h"
#include "clock.h"
#include "dbus/bus.h"
#include "dbus/callers.h"
#include "private-bus.h"

#define NAME        "org.henb.Agent1"
#define PATH        "/org/henb/Agent1"
#define PROPERTIES  "org.freedesktop.DBus.Properties"
#define SUBSCRIBERS 50
#define PARAMETERS  50 /* in an answer */
#define DEAF_MAX    40
#define PAUSE       (10 * USEC_PER_MSEC)
#define ROUND       (2 * USEC_PER_MSEC)

/* Of max_incoming_bytes, 127 MB: what those who do not read may take of it. */
#define UNREAD_MAX (UINT64_C(127000000) / 2)

/* Wake-ups until a timer that is due has its turn: the one that was under way, and two of the bus, which has
 * a source for what comes and one for what it has read already. */
#define WAKEUPS_MAX 3

/* What the clients tell us. */
typedef struct Shared {
    uint64_t signals;        /* that the subscribers have heard */
    uint64_t calls;          /* that the deaf ones have made */
    usec_t pause;            /* of the deaf ones */
    uint64_t gets, sum, max; /* of the one who reads: how many, and microseconds */
} Shared;

/* One column of the table. */
typedef struct Setting {
    const char *name, *limits;
    size_t subscribers, deaf;
    usec_t pause; /* of the deaf ones */
} Setting;

typedef struct Agent {
    sd_event *event;
    sd_event_source *timer;
    Bus *bus;
    Status status;
    TunnelStatus tunnel;
    SessionStatus session;
    size_t rounds, left;
    usec_t publishing, slowest, late, latest;
    size_t handled, waited; /* calls in this wake-up; wake-ups since the timer is due */
    size_t wakeups, handled_most, handled_all, waited_most, heap_most;
    uint64_t unread;    /* of ours, that the bus keeps for all others, in the end */
    usec_t cpu, daemon; /* of the processor: ours, and the bus daemon's */
} Agent;

static Shared *shared;

static void must(bool good, const char *what) {
    if (good)
        return;
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

/* Clients --------------------------------------------------------------------------------------------- */

static sd_bus *client_open(void) {
    sd_bus *client;
    must(sd_bus_open_system(&client) >= 0, "a client cannot connect");
    return client;
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    __atomic_add_fetch(&shared->signals, 1, __ATOMIC_RELAXED);
    return 0;
}

static void subscribers_be(void) {
    sd_event *event;
    must(sd_event_new(&event) >= 0, "no memory");
    for (size_t i = 0; i < SUBSCRIBERS; i++) {
        sd_bus *client = client_open();
        must(sd_bus_match_signal(client, NULL, NAME, NULL, PROPERTIES, "PropertiesChanged", on_signal,
                                 NULL) >= 0 &&
                 sd_bus_attach_event(client, event, 0) >= 0,
             "a client cannot subscribe");
    }
    sd_event_loop(event);
}

/* One after the other, and each answer is waited for. */
static void reader_be(void) {
    sd_bus *client = client_open();
    for (;;) {
        usec_t begin = clock_now().mono;
        int r =
            sd_bus_call_method(client, NAME, PATH, NAME ".Parameters", "Get", NULL, NULL, "as", 1, "Device.");
        usec_t took = clock_now().mono - begin;
        if (r < 0)
            return;
        shared->gets++;
        shared->sum += took;
        shared->max = MAX(shared->max, took);
        usleep(USEC_PER_MSEC);
    }
}

/* What is counted in the agent: one for each call, and two in a row are never both of one kind. */
static int deaf_call(sd_bus *client, size_t i, sd_bus_message **ret) {
    if (i % 2 == 0) {
        int r = sd_bus_message_new_method_call(client, ret, NAME, PATH, NAME ".Parameters", "Get");
        return r < 0 ? r : sd_bus_message_append(*ret, "as", 1, "Device.");
    }
    if (i % 4 == 1)
        return sd_bus_message_new_method_call(client, ret, NAME, "/org/henb",
                                              "org.freedesktop.DBus.ObjectManager", "GetManagedObjects");
    int r = sd_bus_message_new_method_call(client, ret, NAME, PATH "/tunnel/0", PROPERTIES, "GetAll");
    return r < 0 ? r : sd_bus_message_append(*ret, "s", NAME ".Tunnel");
}

/* Calls 20 times between two pauses, and reads nothing. */
static void deaf_be(void) {
    sd_bus *client = client_open();

    for (size_t i = 0;; i++) {
        sd_bus_message *m;
        uint64_t cookie; /* which makes it a call that wants its answer */
        must(deaf_call(client, i, &m) >= 0 && sd_bus_send(client, m, &cookie) >= 0 &&
                 sd_bus_flush(client) >= 0,
             "a call cannot be sent");
        sd_bus_message_unref(m);
        __atomic_add_fetch(&shared->calls, 1, __ATOMIC_RELAXED);
        if (i % 20 == 19)
            usleep((useconds_t)shared->pause);
    }
}

static pid_t client_start(void (*be)(void)) {
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        be();
        _exit(0);
    }
    return pid;
}

/* The agent ------------------------------------------------------------------------------------------- */

static void on_counters(void *userdata, TunnelCounters *ret) {
    Agent *agent = userdata;
    agent->handled++;
    *ret = (TunnelCounters){};
}

static int on_read(void *userdata, const char *name, BusVisitor visitor, void *to) {
    Agent *agent = userdata;
    agent->handled++;
    for (size_t i = 0; i < PARAMETERS; i++) {
        int r =
            visitor(to, "Device.Services.FAPService.1.CellConfig.LTE.RAN.RF.PhyCellID", "unsignedInt", "1");
        if (r != 0)
            return r;
    }
    return 0;
}

static void publish(Agent *agent) {
    usec_t begin = clock_now().mono;
    snprintf(agent->status.step, sizeof agent->status.step, "step %zu", agent->left);
    agent->tunnel.next_rekey = agent->left;
    agent->session.next_inform = agent->left;
    must(bus_publish(agent->bus, &agent->status) == 0 &&
             bus_publish_tunnel(agent->bus, &agent->tunnel) == 0 &&
             bus_publish_session(agent->bus, &agent->session) == 0,
         "what changes cannot be published");
    usec_t took = clock_now().mono - begin;
    agent->publishing += took;
    agent->slowest = MAX(agent->slowest, took);
}

static int on_timer(sd_event_source *s, uint64_t due, void *userdata) {
    Agent *agent = userdata;
    usec_t late = clock_now().mono - due;

    agent->late += late;
    agent->latest = MAX(agent->latest, late);
    agent->waited = 0;
    publish(agent);
    agent->left--;
    return sd_event_source_set_time(s, clock_now().mono + ROUND);
}

static void wake(Agent *agent) {
    uint64_t due;
    agent->handled = 0;
    must(sd_event_run(agent->event, UINT64_MAX) >= 0, "the event loop ends");
    agent->wakeups++;
    agent->handled_all += agent->handled;
    agent->handled_most = MAX(agent->handled_most, agent->handled);
    must(sd_event_source_get_time(agent->timer, &due) >= 0, "no timer");
    agent->waited = clock_now().mono > due ? agent->waited + 1 : 0;
    agent->waited_most = MAX(agent->waited_most, agent->waited);
    const struct mallinfo2 info = mallinfo2();
    agent->heap_most = MAX(agent->heap_most, info.uordblks + info.hblkhd);
}

static void agent_open(Agent *agent, size_t rounds) {
    const BusHandlers handlers = {
        .read = on_read, .others = agent, .tunnel_counters = on_counters, .shown = agent};

    *agent = (Agent){.status = {.s1_connection_mode = "One"}, .rounds = rounds, .left = rounds};
    must(sd_event_new(&agent->event) >= 0, "no memory");
    must(bus_new(&agent->bus, agent->event, &agent->status, &handlers) == 0, "no bus");
    must(sd_event_add_time(agent->event, &agent->timer, CLOCK_BOOTTIME, clock_now().mono + ROUND, 1, on_timer,
                           agent) >= 0 &&
             sd_event_source_set_enabled(agent->timer, SD_EVENT_ON) >= 0,
         "no timer");
}

static void agent_close(Agent *agent) {
    sd_event_source_unref(agent->timer);
    bus_free(agent->bus);
    sd_event_unref(agent->event);
}

/* What the bus counts as ours: when that is max_incoming_bytes, it reads nothing more of us. */
static uint64_t unread_read(void) {
    sd_bus *client = client_open();
    sd_bus_message *reply;
    const char *key;
    uint32_t unread = 0;

    must(sd_bus_call_method(client, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                            "org.freedesktop.DBus.Debug.Stats", "GetConnectionStats", NULL, &reply, "s",
                            NAME) >= 0 &&
             sd_bus_message_enter_container(reply, 'a', "{sv}") > 0,
         "the bus does not tell what it keeps");
    while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
        must(sd_bus_message_read(reply, "s", &key) > 0, "the bus does not tell what it keeps");
        if (streq(key, "IncomingBytes"))
            sd_bus_message_read(reply, "v", "u", &unread);
        else
            sd_bus_message_skip(reply, "v");
        sd_bus_message_exit_container(reply);
    }
    sd_bus_message_unref(reply);
    sd_bus_flush_close_unref(client);
    return unread;
}

/* What it says of clients that ask too much is no news here. */
static void bus_start(PrivateBus *bus, const char *policy) {
    int old = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    must(old >= 0 && null >= 0 && dup2(null, STDERR_FILENO) >= 0, "no standard error");
    private_bus_start(bus, policy);
    must(dup2(old, STDERR_FILENO) >= 0, "no standard error");
    close(old);
    close(null);
}

static double mean(uint64_t sum, uint64_t n) {
    return n > 0 ? (double)sum / (double)n : 0;
}

static void print(const Setting *setting, const Agent *agent, const Agent *first) {
    const double publishing = mean(agent->publishing, agent->rounds);

    printf("%-30s | %6.1f %5.2f %7" PRIu64 " | %7.0f %7" PRIu64 " %4zu | %8zu %5.2f %4zu | %7" PRIu64
           " %8.0f %8" PRIu64 " | %8" PRIu64 " %6" PRIu64 " %7" PRIu64 " %6zu | %7" PRIu64 " %7" PRIu64 "\n",
           setting->name, publishing, publishing / mean(first->publishing, first->rounds), agent->slowest,
           mean(agent->late, agent->rounds), agent->latest, agent->waited_most, agent->wakeups,
           mean(agent->handled_all, agent->wakeups), agent->handled_most, shared->gets,
           mean(shared->sum, shared->gets), shared->max, shared->signals, shared->calls, agent->unread / 1024,
           agent->heap_most / 1024, agent->cpu / 1000, agent->daemon / 1000);
    fflush(stdout);
}

static void check(const Agent *agent) {
    must(agent->handled_most <= 1, "more than one call was handled in one wake-up");
    must(agent->waited_most <= WAKEUPS_MAX, "a timer that was due waited for more than the bus' turn");
    must(agent->unread <= UNREAD_MAX, "clients that do not read are answered all the same");
}

static Agent measure(const Setting *setting, size_t rounds) {
    PrivateBus bus;
    pid_t clients[2 + DEAF_MAX];
    size_t n = 0;
    char policy[512];
    clockid_t clock;
    Agent agent;

    *shared = (Shared){.pause = setting->pause};
    snprintf(policy, sizeof policy,
             "%s<policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>"
             "<allow send_destination=\"*\"/><allow receive_sender=\"*\"/></policy>",
             setting->limits);
    bus_start(&bus, policy);
    agent_open(&agent, rounds);
    clients[n++] = client_start(reader_be);
    if (setting->subscribers > 0)
        clients[n++] = client_start(subscribers_be);
    for (size_t i = 0; i < setting->deaf; i++)
        clients[n++] = client_start(deaf_be);
    agent.cpu = clock_read(CLOCK_PROCESS_CPUTIME_ID);
    while (agent.left > 0)
        wake(&agent);
    agent.cpu = clock_read(CLOCK_PROCESS_CPUTIME_ID) - agent.cpu;
    must(clock_getcpuclockid(bus.daemon, &clock) == 0, "no clock of the bus daemon");
    agent.daemon = clock_read(clock);
    agent.unread = unread_read();
    for (size_t i = 0; i < n; i++)
        kill(clients[i], SIGKILL);
    for (size_t i = 0; i < n; i++)
        waitpid(clients[i], NULL, 0);
    agent_close(&agent);
    private_bus_stop(&bus);
    return agent;
}

int main(int argc, char **argv) {
    static const Setting settings[] = {
        {"one who reads", "", 0, 0},
        {"and 50 subscribed", "", SUBSCRIBERS, 0},
        {"and 1 that reads no answer", "", SUBSCRIBERS, 1, PAUSE},
        {"and 3 of these", "", SUBSCRIBERS, 3, PAUSE},
        {"and 40, as many calls as of 1", "", SUBSCRIBERS, DEAF_MAX, DEAF_MAX * PAUSE},
        /* Far below 127 MB, so that it shows soon whether the bus gets full. */
        {"and 1, the bus keeps 12 MB", "<limit name=\"max_incoming_bytes\">12000000</limit>", SUBSCRIBERS, 1,
         PAUSE},
    };
    const size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 5000;
    Agent first = {};

    log_set_level(LOG_ERR);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(shared != MAP_FAILED, "no memory");
    printf("%30s | %-20s | %-20s | %-19s | %-25s | %-31s | %s\n", "", "publishing, us", "timer late, us",
           "wake-ups", "another's Get, us", "the others", "cpu, ms");
    printf("%30s | %6s %5s %7s | %7s %7s %4s | %8s %5s %4s | %7s %8s %8s | %8s %6s %7s %6s | %7s %7s\n", "",
           "mean", "ratio", "most", "mean", "most", "wake", "", "calls", "most", "", "mean", "most",
           "signals", "calls", "unread", "heap", "agent", "bus");
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        Agent agent = measure(&settings[i], rounds);
        first = i == 0 ? agent : first;
        print(&settings[i], &agent, &first);
        check(&agent);
    }
    return 0;
}
