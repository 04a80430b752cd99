/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See event.h. */
#include "cwmp/event.h"

#include <stdio.h>

#include "base/macro.h"

static const struct {
    const char *code;
    unsigned flags;
    EventType companion;
} types[EVENT_TYPES_] = {
#define X(name, code, flags, with) [EVENT_##name] = {code, flags, EVENT_##with},
    EVENTS(X)
#undef X
};

const char *event_code(EventType type) {
    return types[type].code;
}

unsigned event_flags(EventType type) {
    return types[type].flags;
}

EventType event_companion(EventType type) {
    return types[type].companion;
}

void event_record_key(const Event *event, char ret[static EVENT_RECORD_BYTES]) {
    const bool multiple = types[event->type].flags & EVENT_MULTIPLE;
    snprintf(ret, EVENT_RECORD_BYTES, "%s%s%s", types[event->type].code, multiple ? " " : "",
             event->command_key);
}

int event_parse_record_key(const char *key, Event *ret) {
    for (EventType type = 0; type < EVENT_TYPES_; type++) {
        const size_t n = strlen(types[type].code);
        const bool multiple = types[type].flags & EVENT_MULTIPLE;
        if (!(types[type].flags & EVENT_KEPT) || strncmp(key, types[type].code, n) != 0 ||
            key[n] != (multiple ? ' ' : 0))
            continue;
        const char *command_key = multiple ? key + n + 1 : "";
        if (strlen(command_key) >= EVENT_KEY_BYTES)
            return -EINVAL;
        *ret = (Event){.type = type};
        strcpy(ret->command_key, command_key);
        return 0;
    }
    return -EINVAL;
}

QueuedEvent *event_queue_place(EventQueue *queue, EventType type, const char *command_key) {
    if (!(types[type].flags & EVENT_MULTIPLE))
        command_key = "";
    for (size_t i = 0; i < queue->n; i++) {
        QueuedEvent *item = &queue->items[i];
        if (item->event.type == type && streq(item->event.command_key, command_key))
            return item;
    }
    /* The single ones always find room. */
    const size_t room = types[type].flags & EVENT_MULTIPLE ? EVENT_QUEUE_MAX - EVENT_TYPES_ : EVENT_QUEUE_MAX;
    if (queue->n >= room || strlen(command_key) >= EVENT_KEY_BYTES)
        return NULL;
    QueuedEvent *item = &queue->items[queue->n++];
    *item = (QueuedEvent){.event.type = type};
    strcpy(item->event.command_key, command_key);
    return item;
}

bool event_queue_waits(const EventQueue *queue, EventType type) {
    for (size_t i = 0; i < queue->n; i++)
        if (queue->items[i].waiting && queue->items[i].event.type == type)
            return true;
    return false;
}

bool event_queue_waits_besides(const EventQueue *queue, EventType type) {
    for (size_t i = 0; i < queue->n; i++)
        if (queue->items[i].waiting && queue->items[i].event.type != type)
            return true;
    return false;
}

bool event_is_wanted(const QueuedEvent *item) {
    return (item->waiting || item->sent || item->asleep) && types[item->event.type].flags & EVENT_KEPT;
}

void event_queue_sweep(EventQueue *queue) {
    size_t n = 0;

    for (size_t i = 0; i < queue->n; i++) {
        const QueuedEvent *item = &queue->items[i];
        if (item->waiting || item->sent || item->asleep || item->stored)
            queue->items[n++] = *item;
    }
    queue->n = n;
}

/* So many of this type, of those that come first. */
static void send_type(EventQueue *queue, EventType type, size_t *room) {
    for (size_t i = 0; i<queue->n && * room> 0; i++) {
        QueuedEvent *item = &queue->items[i];
        if (item->event.type != type || !item->waiting)
            continue;
        item->waiting = false;
        item->sent = true;
        --*room;
    }
}

/* Is one of those that *type* goes with to be sent, and it not yet? */
static bool companion_missing(const EventQueue *queue, EventType type) {
    bool wanted = false;

    for (size_t i = 0; i < queue->n; i++) {
        const QueuedEvent *item = &queue->items[i];
        if (item->event.type == type && (item->waiting || item->sent))
            return false;
        wanted |= item->waiting && types[item->event.type].companion == type;
    }
    return wanted;
}

size_t event_queue_send(EventQueue *queue, Event ret[static EVENTS_SENT_MAX]) {
    size_t room = EVENTS_SENT_MAX, n = 0;

    for (EventType type = 0; type < EVENT_TYPES_; type++)
        if (companion_missing(queue, type))
            event_queue_place(queue, type, "")->waiting = true;
    for (EventType type = 0; type < EVENT_TYPES_; type++)
        send_type(queue, type, &room);
    for (EventType type = 0; type < EVENT_TYPES_; type++)
        for (size_t i = 0; i < queue->n; i++)
            if (queue->items[i].sent && queue->items[i].event.type == type)
                ret[n++] = queue->items[i].event;
    return n;
}

void event_queue_delivered(EventQueue *queue) {
    for (size_t i = 0; i < queue->n; i++)
        queue->items[i].sent = false;
}

void event_queue_not_delivered(EventQueue *queue) {
    for (size_t i = 0; i < queue->n; i++) {
        QueuedEvent *item = &queue->items[i];
        item->waiting |= item->sent && !(types[item->event.type].flags & EVENT_ONCE);
        item->sent = false;
    }
}

void event_queue_drop(EventQueue *queue, unsigned keep) {
    for (size_t i = 0; i < queue->n; i++) {
        QueuedEvent *item = &queue->items[i];
        if (!(keep & 1u << item->event.type))
            item->waiting = item->sent = item->asleep = false;
    }
}
