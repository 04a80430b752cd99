/* SPDX-License-Identifier: GPL-3.0-or-later */
/* org.henb.Agent1 on the system bus: properties over plain structs, one emitter of their changes, and the
 * methods of API.md. */
#pragma once

#include <systemd/sd-event.h>

#include "base/macro.h"
#include "base/owner-table.h"
#include "status.h"
#include "timeline.h"

#define BUS_ERROR_REFUSED "org.henb.Agent1.Error.Refused"

typedef struct Bus Bus;
/* A call of Deregister() or another method of its kind whose caller may have it done; owned by the bus. */
typedef struct BusRequest BusRequest;

/* Takes one parameter, with its type on the wire and its value as everybody may see it. 0, or negative errno,
 * which ends the walk. */
typedef int (*BusVisitor)(void *to, const char *name, const char *type, const char *value);

/* A fault that another daemon tells of, in the words of TR-181's FaultMgmt. All strings are there; those
 * behind *specific_problem* are NULL when it is over. */
typedef struct BusAlarm {
    const char *event_type, *probable_cause, *specific_problem;
    const char *severity, *object, *text, *information;
} BusAlarm;

/* What another daemon counts, or measures, in the words of TS 32.435; see agent/cwmp/pm-counters.h. */
typedef struct BusCounter {
    const char *info, *object, *type;
    bool counts;
    uint64_t total;    /* where the counter stands */
    const char *value; /* of what does not count */
} BusCounter;

/* What a file that somebody wants is to be like. */
#define BUS_ARGUMENTS_MAX 16
typedef struct BusArgument {
    const char *name, *value;
} BusArgument;

typedef void (*BusRequestHandler)(void *userdata, BusRequest *request);

/* What callers want. At most one request of each kind is with its handler; it is answered by
 * bus_request_done(), at once or later, also when its caller has gone: what was authorized stays so. */
typedef struct BusHandlers {
    BusRequestHandler deregister, clear_deregistration;
    void *userdata;

    /* agent.conf's [Owners], borrowed; NULL: nobody owns anything. */
    const OwnerTable *owners;
    /* How the last registration went, borrowed; NULL: nobody knows. */
    const Timeline *timeline;
    void *others; /* the userdata of those below */
    /* The owner of a parameter reports its value. NULL, or why it is not taken (static, UTF-8). */
    const char *(*report_value)(void *userdata, const char *path, const char *value);
    /* These were all the values of one report: what belongs together came together. */
    void (*reported)(void *userdata);
    /* Those below may be NULL: then nobody may, or nobody is told. */

    BusRequestHandler reconnect, inform, reload;
    /* What is counted of the tunnel; *shown* is its userdata. */
    void (*tunnel_counters)(void *userdata, TunnelCounters *ret);
    void *shown;

    /* Tells *visitor* of a parameter, or of all below a partial path. 0; -ENOENT: there is none; or what the
     * visitor returned. */
    int (*read)(void *userdata, const char *name, BusVisitor visitor, void *to);
    /* An owner wants to be asked before its parameters change (Own()); it has left the bus, having wanted
     * that or not. */
    void (*owner_enters)(void *userdata, const char *name);
    void (*owner_left)(void *userdata, const char *name);
    /* What became of bus_owner_prepare(). */
    void (*owner_answered)(void *userdata, const char *name, uint64_t id, bool agreed,
                           const OwnerObjection *objections, size_t n);
    void (*owner_failed)(void *userdata, const char *name, uint64_t id, const char *why);
    /* NULL, or why not (static, UTF-8). */
    const char *(*raise_alarm)(void *userdata, const BusAlarm *alarm);
    const char *(*clear_alarm)(void *userdata, const BusAlarm *alarm);
    /* The HeMS is to be asked for a file. NULL, or why not (static, UTF-8). */
    const char *(*request_download)(void *userdata, const char *file_type, const BusArgument *arguments,
                                    size_t n);
    const char *(*count)(void *userdata, const BusCounter *counter);
} BusHandlers;

/* Connects to the system bus (DBUS_SYSTEM_BUS_ADDRESS is honoured), adds the objects and takes the name
 * org.henb.Agent1 without queueing or replacing. 0, -ENOMEM, or -EIO after a line that says what it was: no
 * bus, the name is taken, the bus policy does not let us have it. Publishes *initial*. A bus that goes away
 * ends the event loop with EXIT_FAILURE. Waits for the bus daemon's answers: for the start of the program. */
int bus_new(Bus **ret, sd_event *event, const Status *initial, const BusHandlers *handlers);
/* Refuses what has not been answered (the requests are gone then), sends what is still queued and
 * disconnects. NULL is fine. */
void bus_free(Bus *bus);
/* Makes *status* what readers see. Emits at most one PropertiesChanged, with exactly the names and new values
 * of the properties that differ from what was published before. *status* holds an MME only in
 * AGENT_REGISTERED. 0 or negative errno. */
int bus_publish(Bus *bus, const Status *status);
/* The same for the objects of the tunnel and of the session, of which nothing is known at first. */
int bus_publish_tunnel(Bus *bus, const TunnelStatus *status);
int bus_publish_session(Bus *bus, const SessionStatus *status);
/* Answers a request a handler was given, exactly once. *refusal*: NULL, it is done; else why not, a line for
 * the caller (org.henb.Agent1.Error.Refused). *request* is gone afterwards. */
void bus_request_done(BusRequest *request, const char *refusal);

/* Asks the owner *name* about a change set; owner_answered or owner_failed is called later, unless it leaves
 * or bus_owner_end() is called before. 0, or negative errno: it cannot be asked. */
int bus_owner_prepare(Bus *bus, const char *name, uint64_t id, const OwnerChange *changes, size_t n);
/* Tells it how that change set has ended. */
void bus_owner_end(Bus *bus, const char *name, uint64_t id, bool committed);
/* The signal Changed, for a change set that is committed; none without a change. 0 or negative errno. */
int bus_changed(Bus *bus, const OwnerChange *changes, size_t n);

/* log_get_level() is another than before: org.freedesktop.LogControl1 tells of it. */
void bus_log_level_changed(Bus *bus);

/* The NTP servers a HeMS has set (Device.Time.NTPServer1 to 5, those that are not empty), for
 * systemd-timesyncd, now and whenever it comes (dbus/time-sync.h). What goes wrong is logged. */
void bus_time_servers(Bus *bus, const char *const *servers, size_t n);

DEFINE_CLEANUP(Bus, bus_free)
