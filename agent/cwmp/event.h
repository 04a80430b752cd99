/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The events of an Inform (TR-069 3.7.1.5) and the queue of those that no HeMS has taken yet: which may come
 * several times, with a CommandKey each (3.7.1.6), which outlive a reboot, which are tried once. Pure.
 *
 * 5 KICKED is deprecated, 11 and 12 belong to deployment units, 13 WAKEUP to standby and 14 HEARTBEAT to a
 * policy that this box does not offer: nothing can raise them, so they are not here. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef enum EventFlag {
    EVENT_MULTIPLE = 1 << 0, /* one for each CommandKey; the others are single and have none */
    EVENT_KEPT = 1 << 1,     /* never discarded but by a 0 BOOTSTRAP, through reboots */
    EVENT_ONCE = 1 << 2,     /* not tried again (6 CONNECTION REQUEST) */
} EventFlag;

/* X(name, code, flags, the event that goes with it in an Inform), in the order in which an Inform lists them.
 * 0 BOOTSTRAP outlives a reboot too, but not here: it is due as long as ManagementServer.URL has not accepted
 * one. Those without flags are retried until the next boot, as 3.7.1.5 has it for them (9: "may"). */
#define EVENTS(X)                                                                                            \
    X(BOOTSTRAP, "0 BOOTSTRAP", 0, BOOTSTRAP)                                                                \
    X(BOOT, "1 BOOT", 0, BOOT)                                                                               \
    X(PERIODIC, "2 PERIODIC", 0, PERIODIC)                                                                   \
    X(SCHEDULED, "3 SCHEDULED", EVENT_KEPT, SCHEDULED)                                                       \
    X(VALUE_CHANGE, "4 VALUE CHANGE", 0, VALUE_CHANGE)                                                       \
    X(CONNECTION_REQUEST, "6 CONNECTION REQUEST", EVENT_ONCE, CONNECTION_REQUEST)                            \
    X(TRANSFER_COMPLETE, "7 TRANSFER COMPLETE", EVENT_KEPT, TRANSFER_COMPLETE)                               \
    X(DIAGNOSTICS_COMPLETE, "8 DIAGNOSTICS COMPLETE", 0, DIAGNOSTICS_COMPLETE)                               \
    X(REQUEST_DOWNLOAD, "9 REQUEST DOWNLOAD", 0, REQUEST_DOWNLOAD)                                           \
    X(AUTONOMOUS_TRANSFER, "10 AUTONOMOUS TRANSFER COMPLETE", EVENT_KEPT, AUTONOMOUS_TRANSFER)               \
    X(M_REBOOT, "M Reboot", EVENT_KEPT | EVENT_MULTIPLE, M_REBOOT)                                           \
    X(M_SCHEDULE_INFORM, "M ScheduleInform", EVENT_KEPT | EVENT_MULTIPLE, SCHEDULED)                         \
    X(M_DOWNLOAD, "M Download", EVENT_KEPT | EVENT_MULTIPLE, TRANSFER_COMPLETE)                              \
    X(M_SCHEDULE_DOWNLOAD, "M ScheduleDownload", EVENT_KEPT | EVENT_MULTIPLE, TRANSFER_COMPLETE)             \
    X(M_UPLOAD, "M Upload", EVENT_KEPT | EVENT_MULTIPLE, TRANSFER_COMPLETE)

typedef enum EventType {
#define X(name, code, flags, with) EVENT_##name,
    EVENTS(X)
#undef X
        EVENT_TYPES_,
} EventType;

#define EVENT_KEY_BYTES    129 /* CommandKey: 32 characters of UTF-8 */
#define EVENT_RECORD_BYTES (EVENT_KEY_BYTES + 64)
#define EVENTS_SENT_MAX    64  /* cwmp-1-0.xsd: EventList */
#define EVENT_QUEUE_MAX    160 /* the ones that come from requests are bounded by those who take these */

/* "0 BOOTSTRAP" */
const char *event_code(EventType type);
unsigned event_flags(EventType type);
EventType event_companion(EventType type);

typedef struct Event {
    EventType type;
    char command_key[EVENT_KEY_BYTES]; /* "" for the single ones */
} Event;

/* The key of its record: its code, and for the multiple ones a space and the CommandKey. */
void event_record_key(const Event *event, char ret[static EVENT_RECORD_BYTES]);
/* -EINVAL: no key of an event that is kept. */
int event_parse_record_key(const char *key, Event *ret);

typedef struct QueuedEvent {
    Event event;
    bool waiting; /* for the next session */
    bool sent;    /* the running session's Inform carries it; it may wait as well, having come again */
    bool asleep;  /* counts from the next start on (M Reboot) */
    bool stored;  /* there is a record of it */
} QueuedEvent;

typedef struct EventQueue {
    size_t n;
    QueuedEvent items[EVENT_QUEUE_MAX];
} EventQueue;

/* Its place, made if there is none yet; NULL: no room, or the CommandKey is too long. Its flags are the
 * caller's to set. */
QueuedEvent *event_queue_place(EventQueue *queue, EventType type, const char *command_key);
bool event_queue_waits(const EventQueue *queue, EventType type);
/* Does anything wait, besides an event of this type? */
bool event_queue_waits_besides(const EventQueue *queue, EventType type);

/* Has it a record, and should it? Those that differ are what is to be stored or forgotten. */
bool event_is_wanted(const QueuedEvent *item);
/* Places that hold nothing any more, nor a record, go. Pointers into the queue do not survive it. */
void event_queue_sweep(EventQueue *queue);

/* An Inform goes out: at most EVENTS_SENT_MAX of what waits, in its order; each with the one that goes with
 * it, also where that was taken before. The others wait on. Returns how many. */
size_t event_queue_send(EventQueue *queue, Event ret[static EVENTS_SENT_MAX]);
/* What was sent is delivered; or it was not, and waits again, if it may be tried again at all. */
void event_queue_delivered(EventQueue *queue);
void event_queue_not_delivered(EventQueue *queue);
/* Nothing waits any more but an event of the types in *keep*, bits 1 << EventType. */
void event_queue_drop(EventQueue *queue, unsigned keep);
