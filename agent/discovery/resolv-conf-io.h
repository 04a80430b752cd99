/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tells when /etc/resolv.conf has changed: a box may be started with one that names nobody, or come to
 * another network. */
#pragma once

#include <systemd/sd-event.h>

#include "base/macro.h"

typedef struct ResolvConfWatch ResolvConfWatch;

/* *changed* is called from the event loop; *path* is copied. A folder that is not there is not watched, which
 * is logged. 0 or -ENOMEM. */
int resolv_conf_watch_new(ResolvConfWatch **ret, sd_event *event, const char *path,
                          void (*changed)(void *userdata), void *userdata);
void resolv_conf_watch_free(ResolvConfWatch *watch);
DEFINE_CLEANUP(ResolvConfWatch, resolv_conf_watch_free)
