/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Owns everything: performs what the procedure asks for and tells it what came of it. */
#pragma once

#include <systemd/sd-event.h>

#include "base/macro.h"
#include "config.h"
#include "ike/certificate.h"

typedef struct Manager Manager;

/* At most this long a stop waits for the SeGW's answer to our DELETE. */
#define MANAGER_STOP_TIMEOUT (2 * USEC_PER_SEC)

/* Takes the bus name, the sockets, the kernel's interface, the store. 0 or negative errno, logged;
 * -EOPNOTSUPP: the kernel cannot do it (CONFIG_XFRM_INTERFACE). *config*, *trust* and *credential* must
 * outlive it. */
int manager_new(Manager **ret, sd_event *event, const Config *config, const TrustStore *trust,
                const Credential *credential, const char *store);
void manager_free(Manager *manager);
DEFINE_CLEANUP(Manager, manager_free)
/* Starts the procedure. */
void manager_start(Manager *manager);
/* Takes traffic off, deletes the IKE SA and ends the event loop, after MANAGER_STOP_TIMEOUT at the latest. */
void manager_stop(Manager *manager);
