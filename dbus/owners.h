/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The owners of parts of the data model on the bus: which of them are there, and what the agent asks them
 * (org.henb.Agent1.Owner, API.md). */
#pragma once

#include <systemd/sd-bus.h>

#include "base/macro.h"
#include "base/owner-table.h"

/* An owner's answer is waited for so long; agent/owner.h has its own, shorter limit. */
#define OWNER_CALL_TIMEOUT (2 * UINT64_C(1000000))

typedef struct BusOwners BusOwners;

/* None of them may call bus_owners_free(). */
typedef struct BusOwnersConfig {
    sd_bus *bus;
    const OwnerTable *table; /* borrowed */
    /* *name* is on the bus now, or has left it; a new connection that takes the name over is both. */
    void (*changed)(void *userdata, const char *name, bool present);
    void (*answered)(void *userdata, const char *name, uint64_t id, bool agreed,
                     const OwnerObjection *objections, size_t n);
    void (*failed)(void *userdata, const char *name, uint64_t id, const char *why);
    void *userdata;
} BusOwnersConfig;

/* Waits for the bus daemon's answers. 0 or negative errno. *changed* is not called from here. */
int bus_owners_new(BusOwners **ret, const BusOwnersConfig *config);
void bus_owners_free(BusOwners *owners);
DEFINE_CLEANUP(BusOwners, bus_owners_free)

/* Whether the connection *peer* has the well-known name *name*. */
bool bus_owners_is(const BusOwners *owners, const char *name, const char *peer);
bool bus_owners_present(const BusOwners *owners, const char *name);
/* The names that *peer* has; returns how many. */
size_t bus_owners_of(const BusOwners *owners, const char *peer, const char *ret[static OWNERS_MAX]);

/* Asks *name* about change set *id*: *answered* or *failed* is called later, unless the owner leaves or
 * bus_owners_end() is called before. 0, or negative errno: it cannot be asked. */
int bus_owners_prepare(BusOwners *owners, const char *name, uint64_t id, const OwnerChange *changes,
                       size_t n);
/* Tells *name* how change set *id* has ended. No answer is waited for. */
void bus_owners_end(BusOwners *owners, const char *name, uint64_t id, bool committed);

/* Appends changes as an array of (name, kind, value). 0 or negative errno. */
int bus_append_changes(sd_bus_message *m, const OwnerChange *changes, size_t n);
