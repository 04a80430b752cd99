/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Second opinions on the bus: the vote of agent/owner.h, with its timer and dbus/bus.h. */
#pragma once

#include <systemd/sd-event.h>

#include "dbus/bus.h"
#include "owner.h"

typedef struct OwnerIo OwnerIo;

typedef struct OwnerIoConfig {
    sd_event *event;
    const OwnerTable *table; /* borrowed */
    /* What the owners say of the change set of owner_io_begin(): no faults: it may be committed, then
     * owner_io_end(); else it is over already. May call any function here but owner_io_free(). */
    void (*verdict)(void *userdata, const OwnerFault *faults, size_t n);
    void *userdata;
} OwnerIoConfig;

/* 0 or negative errno. */
int owner_io_new(OwnerIo **ret, const OwnerIoConfig *config);
void owner_io_free(OwnerIo *io);
DEFINE_CLEANUP(OwnerIo, owner_io_free)

/* The bus, once there is one; NULL: it goes away. Without one nobody is asked, and nothing is told. */
void owner_io_bus(OwnerIo *io, Bus *bus);

/* A change set is about to be committed: with all that is another afterwards. Copies. 0, then *verdict* is
 * called, at once if nobody has to be asked; -EBUSY while another one is under way, -ENOMEM. */
int owner_io_begin(OwnerIo *io, const OwnerChange *changes, size_t n);
/* It was committed: owners and everybody else are told; or it was given up, also before the verdict, which
 * then does not come. Nothing when none is under way. */
void owner_io_end(OwnerIo *io, bool committed);

/* BusHandlers' words. */
void owner_io_enters(OwnerIo *io, const char *name);
void owner_io_left(OwnerIo *io, const char *name);
void owner_io_answered(OwnerIo *io, const char *name, uint64_t id, bool agreed,
                       const OwnerObjection *objections, size_t n);
void owner_io_failed(OwnerIo *io, const char *name, uint64_t id, const char *why);
