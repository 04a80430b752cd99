/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a HeMS asks for a session (TR-069 3.2.2): the port within the tunnel, its URL and who may ask, as
 * ManagementServer.ConnectionRequest* and HTTPConnectionRequestEnable say. Outside of a tunnel nobody can. */
#pragma once

#include <systemd/sd-event.h>

#include "base/rng.h"
#include "cwmp/connection-request-io.h"
#include "cwmp/model.h"
#include "store/store.h"

#define REACHABLE_PORT 7547 /* IANA cwmp */

typedef struct Reachable Reachable;

/* Closed. The URL's path is as random as 16 bytes, and the same after a restart, as the store allows.
 * *handler*: a HeMS wants a session, and has its answer. *store* must outlive it. 0 or negative errno. */
int reachable_new(Reachable **ret, sd_event *event, Store *store, const Rng *rng,
                  ConnectionRequestHandler handler, void *userdata);
void reachable_free(Reachable *reachable);
DEFINE_CLEANUP(Reachable, reachable_free)

/* Within the tunnel the box is *address* of *interface* (copied) from now on; NULL: there is none. Sets
 * ConnectionRequestURL in *model*. */
void reachable_move(Reachable *reachable, Model *model, const char *interface, const Address *address);
/* The parameters have changed, or it is another *model*. */
void reachable_update(Reachable *reachable, Model *model);
