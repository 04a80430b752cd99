/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The interface org.henb.Agent1.Parameters (API.md): other daemons read the data model, report what they own,
 * hear what a HeMS has changed, and say that they want to be asked before. */
#pragma once

#include "dbus/bus.h"
#include "dbus/owners.h"

typedef struct BusParameters BusParameters;

/* Adds the interface to the object *path* and looks who is there. *handlers* is borrowed. 0 or negative
 * errno. */
int bus_parameters_new(BusParameters **ret, sd_bus *bus, const char *path, const BusHandlers *handlers);
void bus_parameters_free(BusParameters *parameters);
DEFINE_CLEANUP(BusParameters, bus_parameters_free)

BusOwners *bus_parameters_owners(const BusParameters *parameters);
/* As bus_changed(). */
int bus_parameters_changed(BusParameters *parameters, const OwnerChange *changes, size_t n);
