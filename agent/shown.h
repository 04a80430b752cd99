/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the bus shows beside the status: the tunnel, the sessions, and how the last registration went. After
 * each event that the program has handled it is looked at, and what has become other is told, once: a
 * rekeying is seen like an attempt, and nobody has to remember to tell of it. */
#pragma once

#include <systemd/sd-event.h>

#include "cpe.h"
#include "dbus/bus.h"
#include "security.h"
#include "timeline.h"
#include "tunnel.h"

typedef struct Shown {
    const Tunnel *tunnel;
    const Cpe *cpe;
    const Security *security; /* who the box is */
    const char *hems;         /* a text that others change */
    /* From here on its own. */
    sd_event *event;
    Bus *bus;
    Timeline timeline;
    SessionStatus session;
    sd_event_source *after;
} Shown;

/* What of the handlers it is, with all filled that is not its own; *shown* must outlive the bus. */
void shown_handle(Shown *shown, BusHandlers *ret);
/* From now on it is told on *bus*. 0 or negative errno. */
int shown_start(Shown *shown, sd_event *event, Bus *bus);
void shown_stop(Shown *shown);

/* The box stands here now. */
void shown_status(Shown *shown, const Status *status);
/* A session runs from now on. */
void shown_session_begun(Shown *shown);
/* It has ended; nothing where none ran. *fault* NULL: well. */
void shown_session_over(Shown *shown, bool unreached, const char *fault);
