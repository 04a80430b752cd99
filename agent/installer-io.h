/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The installer of downloaded files: a systemd unit of the manufacturer's, henb-install@ID.service, which is
 * started over D-Bus (org.freedesktop.systemd1) and leaves its result in a file, also after a reboot of its
 * own. The contract is written down in units/henb-install@.service. */
#pragma once

#include <systemd/sd-event.h>

#include "base/macro.h"
#include "base/moment.h"

#define INSTALLER_RESULTS "/var/lib/henb-install"
#define INSTALLER_POLL    (5 * USEC_PER_SEC)
#define INSTALLER_REBOOT_WAIT                                                                                \
    (600 * USEC_PER_SEC) /* after a reboot it may still have to judge the new system */
#define INSTALLER_CALL_TIMEOUT (30 * USEC_PER_SEC)
#define INSTALLER_RESULT_MAX   1024 /* bytes of a result that are read */

typedef struct InstallerIo InstallerIo;

typedef struct InstallerIoConfig {
    sd_event *event;
    const char *results;      /* directory; NULL: INSTALLER_RESULTS. Must outlive it */
    usec_t poll, reboot_wait; /* 0: as above; tests are in a hurry */
} InstallerIoConfig;

/* *fault* 0, or one of TransferComplete with *text*. Called once from the event loop, unless freed before. */
typedef void (*InstallerIoHandler)(void *userdata, const char *id, int fault, const char *text);

int installer_io_new(InstallerIo **ret, const InstallerIoConfig *config);
/* Forgets what runs; the installer goes on. NULL is fine. */
void installer_io_free(InstallerIo *installer);
DEFINE_CLEANUP(InstallerIo, installer_io_free)
/* Starts it for the file of transfer *id*. *again*: it was started by the agent before this one, so only its
 * result is asked for; *rebooted*: and the box has been rebooted since. -EBUSY: one runs; -EINVAL: no id; or
 * -ENOMEM. What the bus says is told later. */
int installer_io_start(InstallerIo *installer, const char *id, bool again, bool rebooted,
                       InstallerIoHandler handler, void *userdata);
