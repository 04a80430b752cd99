/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See shown.h. */
#include "shown.h"

#include <stdio.h>

#include "clock.h"
#include "cwmp/event.h"
#include "tunnel-status.h"

static_assert(EVENT_TYPES_ <= SESSION_PENDING_MAX, "each kind of event can wait");

static void on_counters(void *userdata, TunnelCounters *ret) {
    const Shown *s = userdata;
    tunnel_counters(s->tunnel, ret);
}

void shown_handle(Shown *s, BusHandlers *ret) {
    ret->timeline = &s->timeline;
    ret->tunnel_counters = on_counters;
    ret->shown = s;
}

/* Who follows would keep what no longer holds: it hears of our end instead. */
static void must_be_told(Shown *s, int r) {
    if (r < 0) {
        log_error("D-Bus: a change could not be told: %s", strerror(-r));
        sd_event_exit(s->event, r);
    }
}

static int tell(Shown *s) {
    const CpeView cpe = cpe_view(s->cpe);
    TunnelStatus tunnel;

    tunnel_status(s->tunnel, security_credential(s->security)->identity, &tunnel);
    snprintf(s->session.url, sizeof s->session.url, "%s", s->hems);
    s->session.next_inform = cpe.due == USEC_NEVER ? 0 : cpe.due;
    s->session.n_pending = 0;
    for (EventType type = 0; type < EVENT_TYPES_; type++)
        if (cpe.waiting & 1U << type)
            s->session.pending[s->session.n_pending++] = event_code(type);
    int r = bus_publish_tunnel(s->bus, &tunnel);
    return r < 0 ? r : bus_publish_session(s->bus, &s->session);
}

static int on_after(sd_event_source *source, void *userdata) {
    Shown *s = userdata;
    must_be_told(s, tell(s));
    return 0;
}

int shown_start(Shown *s, sd_event *event, Bus *bus) {
    s->event = event;
    s->bus = bus;
    int r = tell(s);
    if (r >= 0)
        r = sd_event_add_post(event, &s->after, on_after, s);
    return r < 0 ? r : 0;
}

void shown_stop(Shown *s) {
    s->after = sd_event_source_disable_unref(s->after);
}

void shown_status(Shown *s, const Status *status) {
    timeline_note(&s->timeline, clock_now().mono, status->state, status->step, status->clause,
                  status->last_error);
    must_be_told(s, bus_publish(s->bus, status));
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
