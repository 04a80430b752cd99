/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The vendor log that a HeMS may ask for (TR-069 A.4.1.5, "4 Vendor Log File 1"): the end of the journal as
 * text, the newest lines that fit, written a few at a time so that nothing else waits. The agent's user has
 * to be in the group systemd-journal; without it, only its own lines are there. */
#pragma once

#include <systemd/sd-event.h>

#include "base/macro.h"

#define VENDOR_LOG_MAX  (1024 * 1024) /* bytes, unless VendorLogConfig says */
#define VENDOR_LOG_STEP 64            /* entries at a time */
#define VENDOR_LOG_LINE 4096          /* bytes of one; longer ones are cut */

typedef struct VendorLog VendorLog;

typedef struct VendorLogConfig {
    sd_event *event;
    int fd;                /* where to, at its position; the caller's, which it outlives */
    size_t max;            /* bytes; 0: VENDOR_LOG_MAX */
    const char *directory; /* of the journal; NULL: the system's */
} VendorLogConfig;

/* *error* 0: all is written; or negative errno. Once, from the event loop; it may free the VendorLog. */
typedef void (*VendorLogHandler)(void *userdata, int error);

/* 0 or negative errno. */
int vendor_log_new(VendorLog **ret, const VendorLogConfig *config, VendorLogHandler handler, void *userdata);
/* NULL is fine. */
void vendor_log_free(VendorLog *log);
DEFINE_CLEANUP(VendorLog, vendor_log_free)
