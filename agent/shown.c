/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See shown.h. */
#include "shown.h"

#include <stdio.h>

#include "clock.h"
#include "tunnel-status.h"

static void on_counters(void *userdata, TunnelCounters *ret) {
    const Shown *s = userdata;
    tunnel_counters(s->tunnel, s->netlink, ret);
}

void shown_handle(Shown *s, BusHandlers *ret) {
    ret->timeline = &s->timeline;
    ret->tunnel_counters = on_counters;
    ret->shown = s;
}

static int tell(Shown *s) {
    TunnelStatus tunnel;

    tunnel_status(s->tunnel, security_credential(s->security)->identity, &tunnel);
    snprintf(s->session.url, sizeof s->session.url, "%s", s->hems);
    int r = bus_publish_tunnel(s->bus, &tunnel);
    return r < 0 ? r : bus_publish_session(s->bus, &s->session);
}

/* Who follows would keep what no longer holds: it hears of our end instead. */
static int on_after(sd_event_source *source, void *userdata) {
    int r = tell(userdata);
    if (r < 0) {
        log_error("D-Bus: a change could not be told: %s", strerror(-r));
        sd_event_exit(sd_event_source_get_event(source), r);
    }
    return 0;
}

int shown_start(Shown *s, sd_event *event, Bus *bus) {
    s->bus = bus;
    int r = tell(s);
    if (r >= 0)
        r = sd_event_add_post(event, &s->after, on_after, s);
    return r < 0 ? r : 0;
}

void shown_stop(Shown *s) {
    s->after = sd_event_source_disable_unref(s->after);
}

void shown_step(Shown *s, AgentState state, const char *title, const char *clause, const char *error) {
    timeline_note(&s->timeline, clock_now().mono, state, title, clause, error);
}

void shown_session_begun(Shown *s) {
    s->session.running = true;
}

void shown_session_over(Shown *s, bool unreached, const char *fault) {
    SessionStatus *session = &s->session;

    if (!session->running)
        return;
    session->running = false;
    session->last_session = clock_now().real;
    session->last_outcome = !fault ? SESSION_SUCCEEDED : unreached ? SESSION_UNREACHED : SESSION_FAILED;
    snprintf(session->last_fault, sizeof session->last_fault, "%s", strempty(fault));
}
