/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tells when somebody sets CLOCK_REALTIME: what waits for a time of day has to look at it again. */
#pragma once

#include <systemd/sd-event.h>

#include "base/macro.h"

typedef struct ClockWatch ClockWatch;

/* *set* is called from the event loop, after each time that the clock jumped. 0 or negative errno. */
int clock_watch_new(ClockWatch **ret, sd_event *event, void (*set)(void *userdata), void *userdata);
void clock_watch_free(ClockWatch *watch);
DEFINE_CLEANUP(ClockWatch, clock_watch_free)
