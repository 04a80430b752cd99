/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names are asked for at the side that knows them (TS 32.593 5.1.2): the public DNS, or the operator's within
 * the tunnel. One question at a time; whoever has another question beside it has Names of its own. */
#pragma once

#include "config.h"
#include "discovery/procedure.h"
#include "discovery/resolve-io.h"
#include "ike/ike-sa.h"

typedef struct Names Names;

/* The public servers of *config*; none: those of /etc/resolv.conf. */
ResolverConfig names_public(const Config *config);

/* *config* and *inside* must outlive it; *inside* is the configuration of the tunnel that is up, without
 * addresses when none is. 0 or -ENOMEM. */
int names_new(Names **ret, sd_event *event, const Config *config, const IkeConfiguration *inside);
void names_free(Names *names);
DEFINE_CLEANUP(Names, names_free)

/* Asks for *name*; a question still unanswered is dropped. The answer comes once, from the event loop, unless
 * names_forget() comes first. For what is reached inside the tunnel (*outside* false), addresses of a family
 * without an inner address are left out, and none left is an error. 0, -EDESTADDRREQ: there is no server to
 * ask inside; or another negative errno: then no answer comes. */
int names_resolve(Names *names, ResolverSide side, const char *name, bool outside, ResolverHandler handler,
                  void *userdata);
/* The tunnel goes, or is another: the question is dropped, and the servers inside with it. */
void names_forget(Names *names);
/* Those of *list* that can be reached from inside the tunnel. */
AddressList names_reachable(const Names *names, const AddressList *list);
