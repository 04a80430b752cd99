/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See owner-io.h. */
#include "owner-io.h"

#include "base/log.h"
#include "clock.h"

struct OwnerIo {
    OwnerIoConfig config;
    Owners *owners;
    Bus *bus;
    sd_event_source *timer;
    OwnerChange *changes; /* of the set under way, NULL without one; with their strings */
    size_t n;
    bool performing;
};

static void changes_forget(OwnerIo *io) {
    for (size_t i = 0; i < io->n; i++) {
        free((char *)io->changes[i].name);
        free((char *)io->changes[i].value);
    }
    free(io->changes);
    io->changes = NULL;
    io->n = 0;
}

static void prepare(OwnerIo *io, const OwnerAction *action) {
    int r = io->bus ? bus_owner_prepare(io->bus, action->name, action->id, action->changes, action->n)
                    : -ENOTCONN;
    if (r < 0)
        owners_failed(io->owners, action->id, action->name, strerror(-r));
}

/* What the engine wants done. The verdict may begin or end a change set, which leads here again: it goes on
 * where this is called first. */
static void perform(OwnerIo *io) {
    OwnerAction action;

    if (io->performing)
        return;
    io->performing = true;
    while (owners_next(io->owners, &action))
        switch (action.type) {
        case OWNER_PREPARE:
            prepare(io, &action);
            break;
        case OWNER_COMMIT:
        case OWNER_ABORT:
            if (io->bus)
                bus_owner_end(io->bus, action.name, action.id, action.type == OWNER_COMMIT);
            break;
        case OWNER_VERDICT:
            if (action.n > 0)
                changes_forget(io);
            io->config.verdict(io->config.userdata, action.faults, action.n);
            break;
        }
    io->performing = false;
    timer_set(io->timer, owners_deadline(io->owners));
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    OwnerIo *io = userdata;

    owners_tick(io->owners, clock_now().mono);
    perform(io);
    return 0;
}

int owner_io_new(OwnerIo **ret, const OwnerIoConfig *config) {
    _cleanup_(owner_io_freep) OwnerIo *io = calloc(1, sizeof *io);

    if (!io)
        return -ENOMEM;
    io->config = *config;
    int r = owners_new(&io->owners, config->table);
    if (r < 0)
        return r;
    r = sd_event_add_time(config->event, &io->timer, CLOCK_BOOTTIME, USEC_NEVER, 10 * USEC_PER_MSEC, on_timer,
                          io);
    if (r < 0)
        return r;
    timer_set(io->timer, USEC_NEVER);
    *ret = TAKE_PTR(io);
    return 0;
}

void owner_io_free(OwnerIo *io) {
    if (!io)
        return;
    changes_forget(io);
    sd_event_source_unref(io->timer);
    owners_free(io->owners);
    free(io);
}

void owner_io_bus(OwnerIo *io, Bus *bus) {
    io->bus = bus;
}

int owner_io_begin(OwnerIo *io, const OwnerChange *changes, size_t n) {
    if (io->changes)
        return -EBUSY;
    io->changes = calloc(n ?: 1, sizeof *io->changes);
    if (!io->changes)
        return -ENOMEM;
    for (; io->n < n; io->n++) {
        OwnerChange *copy = &io->changes[io->n];
        *copy = (OwnerChange){strdup(changes[io->n].name), changes[io->n].kind, strdup(changes[io->n].value)};
        if (copy->name && copy->value)
            continue;
        io->n++;
        changes_forget(io);
        return -ENOMEM;
    }
    int r = owners_begin(io->owners, clock_now().mono, changes, n);
    if (r < 0) {
        changes_forget(io);
        return r;
    }
    perform(io);
    return 0;
}

void owner_io_end(OwnerIo *io, bool committed) {
    if (!io->changes)
        return;
    int r = committed && io->bus ? bus_changed(io->bus, io->changes, io->n) : 0;
    if (r < 0)
        log_warning("D-Bus: what has changed cannot be told: %s", strerror(-r));
    changes_forget(io);
    owners_end(io->owners, committed);
    perform(io);
}

void owner_io_enters(OwnerIo *io, const char *name) {
    (void)owners_enter(io->owners, name);
}

void owner_io_left(OwnerIo *io, const char *name) {
    owners_leave(io->owners, name);
    perform(io);
}

void owner_io_answered(OwnerIo *io, const char *name, uint64_t id, bool agreed,
                       const OwnerObjection *objections, size_t n) {
    owners_answer(io->owners, id, name, agreed, objections, n);
    perform(io);
}

void owner_io_failed(OwnerIo *io, const char *name, uint64_t id, const char *why) {
    owners_failed(io->owners, id, name, why);
    perform(io);
}
