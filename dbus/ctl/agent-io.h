/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The agent as its clients on the bus have it. What fails is in *error* and, negative, in what is returned.
 */
#pragma once

#include <systemd/sd-bus.h>

#include "base/moment.h"
#include "base/owner-table.h"
#include "dbus/ctl/tree.h"

#define AGENT_NAME      "org.henb.Agent1"
#define AGENT_ROOT      "/org/henb"
#define AGENT_PATH      AGENT_ROOT "/Agent1"
#define AGENT_INTERFACE AGENT_NAME

/* Does the error say that nobody has the agent's name? */
bool agent_is_absent(const sd_bus_error *error);

/* tree_of_objects(), _timeline(), _parameters() of it; the caller's. *names*: at least one, full or partial.
 */
int agent_read_all(sd_bus *bus, json_object **ret, sd_bus_error *error);
int agent_read_timeline(sd_bus *bus, json_object **ret, sd_bus_error *error);
int agent_read_parameters(sd_bus *bus, char **names, json_object **ret, sd_bus_error *error);
/* [Owners] of agent.conf. */
int agent_read_owners(sd_bus *bus, OwnerTable *ret, sd_bus_error *error);
/* Takes an owner's well-known name until *bus* is closed, to report in its place. 0; -EEXIST: somebody has
 * it; another negative errno: what the bus says about it. */
int agent_own(sd_bus *bus, const char *name);
/* Parameters.Report of "NAME=VALUE" texts, which all have a "=". */
int agent_report(sd_bus *bus, char **assignments, sd_bus_error *error);
/* The word in State; the caller's. */
int agent_read_state(sd_bus *bus, char **ret, sd_bus_error *error);
/* Calls a method without arguments of AGENT_INTERFACE; polkit may ask for a password. */
int agent_call(sd_bus *bus, const char *method, usec_t timeout, sd_bus_error *error);
