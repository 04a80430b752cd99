/* SPDX-License-Identifier: GPL-3.0-or-later */
/* org.henb.Agent1 on a bus of our own, with clients that ask much and read nothing: what else is on the event
 * loop has its turn, and the bus keeps room for everybody. tests/bench/bus measures the same. */
#include <check.h>
#include <stdio.h>
#include <systemd/sd-bus.h>

#include "base/log.h"
#include "base/macro.h"
#include "dbus/bus.h"
#include "dbus/callers.h"
#include "private-bus.h"
#include "suite.h"

#define NAME        "org.henb.Agent1"
#define PATH        "/org/henb/Agent1"
#define TUNNEL      NAME ".Tunnel"
#define TUNNEL_PATH PATH "/tunnel/0"
#define PROPERTIES  "org.freedesktop.DBus.Properties"
#define DAEMON      "org.freedesktop.DBus"
#define LOG         "org.freedesktop.LogControl1"
#define LOG_PATH    "/org/freedesktop/LogControl1"
#define FLOOD       "org.example.Flood"
#define ANSWER      8192 /* bytes */
#define WAITING     60   /* calls at once: the bus lets 128 of a client wait for an answer */
#define READ        20   /* calls whose answers are not too much */
/* Answers until one is found out: its socket takes as much as the bus may keep. */
#define ENOUGH (2 * (CALLERS_UNREAD / ANSWER + CALLERS_UNASKED))
#define CROWD  65

static PrivateBus private_bus;
static sd_event *event;
static sd_bus *client; /* one that reads */
static sd_bus *deaf;   /* on no event loop */
static Bus *bus;
static size_t handled, counted; /* calls of Get, readings of counters */
static size_t done;             /* deaf ones of which the bus daemon has passed on all they have sent */

static int on_read(void *userdata, const char *name, BusVisitor visitor, void *to) {
    static char value[ANSWER];
    handled++;
    memset(value, 'v', sizeof value - 1);
    return visitor(to, "Device.A.B", "string", value);
}

static void on_counters(void *userdata, TunnelCounters *ret) {
    *ret = (TunnelCounters){.packets_in = ++counted};
}

static const BusHandlers handlers = {.read = on_read, .tunnel_counters = on_counters};

static int on_done(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    done++;
    return 0;
}

static void bus_setup(void) {
    private_bus_start(&private_bus, NULL);
    ck_assert_int_ge(sd_event_new(&event), 0);
    ck_assert_int_eq(bus_new(&bus, event, &(Status){.s1_connection_mode = "One"}, &handlers), 0);
    ck_assert_int_ge(sd_bus_open_system(&client), 0);
    ck_assert_int_ge(sd_bus_attach_event(client, event, 0), 0);
    ck_assert_int_ge(sd_bus_match_signal(client, NULL, NULL, NULL, FLOOD, "Done", on_done, NULL), 0);
    ck_assert_int_ge(sd_bus_open_system(&deaf), 0);
}

static void bus_teardown(void) {
    sd_bus_close_unref(deaf);
    sd_bus_flush_close_unref(client);
    bus_free(bus);
    sd_event_unref(event);
    private_bus_stop(&private_bus);
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    *(bool *)userdata = true;
    ck_assert(!sd_bus_message_is_method_error(m, NULL));
    return 0;
}

/* Everything that was on its way to the agent before has been dealt with. */
static void settle(void) {
    bool replied = false;
    ck_assert_int_ge(sd_bus_call_method_async(client, NULL, NAME, PATH, "org.freedesktop.DBus.Peer", "Ping",
                                              on_reply, &replied, ""),
                     0);
    while (!replied)
        ck_assert_int_ge(sd_event_run(event, UINT64_MAX), 0);
    while (sd_event_run(event, 0) > 0)
        ;
}

/* *from* calls Get *n* times, and says that it has. */
static void flood(sd_bus *from, size_t n) {
    uint64_t cookie; /* which makes it a call that wants its answer */
    for (size_t i = 0; i < n; i++) {
        sd_bus_message *m;
        ck_assert_int_ge(sd_bus_message_new_method_call(from, &m, NAME, PATH, NAME ".Parameters", "Get"), 0);
        ck_assert_int_ge(sd_bus_message_append(m, "as", 1, "Device."), 0);
        ck_assert_int_ge(sd_bus_send(from, m, &cookie), 0);
        sd_bus_message_unref(m);
    }
    ck_assert_int_ge(sd_bus_emit_signal(from, "/", FLOOD, "Done", ""), 0);
    ck_assert_int_ge(sd_bus_flush(deaf), 0);
}

/* And the agent has dealt with them; returns how many it has answered. */
static size_t flooded(size_t n) {
    const size_t before = handled;
    done = 0;
    flood(deaf, n);
    while (done == 0)
        ck_assert_int_ge(sd_event_run(event, UINT64_MAX), 0);
    settle();
    return handled - before;
}

/* Its own call waits for all that the bus had for it before. */
static void deaf_reads(void) {
    ck_assert_int_ge(
        sd_bus_call_method(deaf, DAEMON, "/org/freedesktop/DBus", DAEMON, "GetId", NULL, NULL, ""), 0);
}

static size_t turns;
static bool due;

static int on_timer(sd_event_source *s, uint64_t time, void *userdata) {
    due = false;
    turns++;
    return 0;
}

/* After each call a timer is due: it has its turn before three more of them. */
START_TEST(a_flood_keeps_no_timer_waiting) {
    sd_event_source *timer;
    size_t since = 0;
    bus_setup();
    flood(deaf, WAITING);
    deaf_reads(); /* so the bus daemon has all of them */
    ck_assert_int_ge(sd_event_add_time(event, &timer, CLOCK_BOOTTIME, UINT64_MAX, 1, on_timer, NULL), 0);
    while (handled < WAITING) {
        const size_t before = handled;
        ck_assert_int_ge(sd_event_run(event, UINT64_MAX), 0);
        ck_assert_uint_le(handled - before, 1); /* one message a wake-up */
        ck_assert(!due || handled - since < 3);
        if (handled == before || due)
            continue;
        due = true;
        since = handled;
        ck_assert_int_ge(sd_event_source_set_time(timer, 0), 0);
        ck_assert_int_ge(sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT), 0);
    }
    ck_assert_uint_ge(turns, WAITING / 3);
    sd_event_source_unref(timer);
    bus_teardown();
}
END_TEST

START_TEST(who_does_not_read_is_not_answered) {
    bus_setup();
    size_t n, answered = 0;
    while ((n = flooded(WAITING)) > 0) {
        answered += n;
        ck_assert_uint_le(answered, ENOUGH + WAITING);
    }
    ck_assert_uint_ge(answered, CALLERS_UNREAD / ANSWER);
    /* Once it has read, it is as before: its first call has the bus asked again. */
    deaf_reads();
    ck_assert_uint_eq(flooded(1), 0);
    settle();
    ck_assert_uint_eq(flooded(1), 1);
    bus_teardown();
}
END_TEST

/* Each of the crowd calls once; returns how many were answered. */
static size_t crowd_calls(sd_bus *crowd[static CROWD]) {
    const size_t before = handled;
    done = 0;
    for (size_t i = 0; i < CROWD; i++)
        flood(crowd[i], 1);
    while (done < CROWD)
        ck_assert_int_ge(sd_event_run(event, UINT64_MAX), 0);
    settle();
    return handled - before;
}

/* In turn: none of them makes the agent forget another. */
START_TEST(many_who_do_not_read_are_not_answered) {
    sd_bus *crowd[CROWD];
    size_t rounds = 0;
    bus_setup();
    for (size_t i = 0; i < CROWD; i++) { /* one by one: the bus lets few come in at the same time */
        ck_assert_int_ge(sd_bus_open_system(&crowd[i]), 0);
        ck_assert_int_ge(sd_bus_flush(crowd[i]), 0);
    }
    while (crowd_calls(crowd) > 0)
        ck_assert_uint_lt(++rounds, ENOUGH);
    for (size_t i = 0; i < CROWD; i++)
        sd_bus_close_unref(crowd[i]);
    bus_teardown();
}
END_TEST

START_TEST(who_reads_is_always_answered) {
    bus_setup();
    for (size_t i = 0; i < 2 * CALLERS_UNREAD / ANSWER / READ + 1; i++) {
        ck_assert_uint_eq(flooded(READ), READ);
        deaf_reads();
    }
    bus_teardown();
}
END_TEST

static void send_without_reply(sd_bus_message *m) {
    ck_assert_int_ge(sd_bus_message_set_expect_reply(m, 0), 0);
    ck_assert_int_ge(sd_bus_send(client, m, NULL), 0);
    sd_bus_message_unref(m);
    settle();
}

START_TEST(reading_without_an_answer_is_no_work) {
    sd_bus_message *m;
    bool replied = false;
    bus_setup();
    ck_assert_int_ge(sd_bus_message_new_method_call(client, &m, NAME, TUNNEL_PATH, PROPERTIES, "GetAll"), 0);
    ck_assert_int_ge(sd_bus_message_append(m, "s", TUNNEL), 0);
    send_without_reply(m);
    ck_assert_uint_eq(counted, 0);
    /* All counters of one answer come of one reading. */
    ck_assert_int_ge(sd_bus_call_method_async(client, NULL, NAME, TUNNEL_PATH, PROPERTIES, "GetAll", on_reply,
                                              &replied, "s", TUNNEL),
                     0);
    settle();
    ck_assert(replied);
    ck_assert_uint_eq(counted, 1);
    /* To write is to have it done, whoever waits for that. */
    ck_assert_int_ge(sd_bus_message_new_method_call(client, &m, NAME, LOG_PATH, PROPERTIES, "Set"), 0);
    ck_assert_int_ge(sd_bus_message_append(m, "ssv", LOG, "LogLevel", "s", "err"), 0);
    send_without_reply(m);
    ck_assert_int_eq(log_get_level(), LOG_ERR);
    bus_teardown();
}
END_TEST

SUITE("bus-flood", a_flood_keeps_no_timer_waiting, who_does_not_read_is_not_answered,
      many_who_do_not_read_are_not_answered, who_reads_is_always_answered,
      reading_without_an_answer_is_no_work)
