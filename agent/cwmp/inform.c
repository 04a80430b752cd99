/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See inform.h. */
#include "cwmp/inform.h"

#include <stdio.h>

#include "base/log.h"
#include "base/macro.h"
#include "cwmp/event.h"
#include "cwmp/fault.h"
#include "cwmp/value.h"

#define NAME_MAX_BYTES 257 /* A.3.2.2: names are of 256 characters at most */
#define TABLE          "Device.ManagementServer.InformParameter."

typedef struct Selection {
    const Model *model;
    size_t n_taken;
    char **taken;    /* names */
    size_t n_forced; /* of them, which come first */
    bool partial;    /* partial paths are taken now: after full names, which they shall not crowd out */
    bool all;        /* also what is not known */
    size_t n, bytes; /* beyond what has to be there */
    bool too_much;
    ModelVisitor visitor;
    void *userdata;
} Selection;

static void selection_clear(Selection *s) {
    for (size_t i = 0; i < s->n_taken; i++)
        free(s->taken[i]);
    free(s->taken);
}

static bool is_taken(const Selection *s, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++)
        if (streq(s->taken[i], name))
            return true;
    return false;
}

static int take(Selection *s, const char *name, const ModelParameter *parameter, const char *value) {
    char *copy = strdup(name);
    if (!copy || LIST_ADD(s->taken, s->n_taken, copy) < 0) {
        free(copy);
        return -ENOMEM;
    }
    return s->visitor ? s->visitor(s->userdata, name, parameter, value) : 0;
}

static int select_forced(void *userdata, const char *name, const ModelParameter *parameter,
                         const char *value) {
    Selection *s = userdata;
    s->n_forced++;
    return take(s, name, parameter, value);
}

/* None is too much: each has to be there (3.7.1.5), and the model names none twice. */
static int select_changed(void *userdata, const char *name, const ModelParameter *parameter,
                          const char *value) {
    Selection *s = userdata;
    return is_taken(s, s->n_forced, name) ? 0 : take(s, name, parameter, value);
}

static int select_extra(void *userdata, const char *name, const ModelParameter *parameter,
                        const char *value) {
    Selection *s = userdata;
    size_t bytes = strlen(name) + strlen(value);

    if (is_taken(s, s->n_taken, name) || (!s->all && !model_is_known(s->model, name)))
        return 0;
    if (s->n >= INFORM_EXTRA_MAX || (!s->all && s->bytes + bytes > INFORM_EXTRA_BYTES)) {
        s->too_much = true;
        return 0;
    }
    s->n++;
    s->bytes += bytes;
    return take(s, name, parameter, value);
}

static bool is_partial(const char *path) {
    size_t n = strlen(path);
    return n > 0 && path[n - 1] == '.';
}

/* 0, FAULT_INVALID_NAME, or what the visitor returned. */
static int selection_add(Selection *s, const char *path) {
    if (s->partial != is_partial(path))
        return 0;
    /* The empty path means everything to GetParameterValues, nothing here. */
    return *path ? model_read(s->model, path, select_extra, s) : FAULT_INVALID_NAME;
}

/* The next of *paths*, which moves on, in *name*, cut to what no parameter's name fills; false after the last
 * one. */
static bool next_path(const char **paths, char name[static NAME_MAX_BYTES]) {
    *paths += strspn(*paths, " \t");
    size_t n = strcspn(*paths, " \t");
    snprintf(name, NAME_MAX_BYTES, "%.*s", (int)MIN(n, (size_t)NAME_MAX_BYTES - 1), *paths);
    *paths += n;
    return n > 0;
}

const char *inform_check(const Model *model, const char *paths, char text[static ERROR_MAX_BYTES]) {
    _cleanup_(selection_clear) Selection s = {.model = model, .all = true};
    char name[NAME_MAX_BYTES];

    if (model_read_forced(model, select_forced, &s) < 0)
        return "out of memory";
    while (next_path(&paths, name)) {
        s.partial = is_partial(name);
        int r = selection_add(&s, name);
        if (r == -ENOMEM)
            return "out of memory";
        if (r != 0) {
            snprintf(text, ERROR_MAX_BYTES,
                     "%s is no parameter of this box, and no partial path with a dot at its end", name);
            return text;
        }
    }
    if (!s.too_much)
        return NULL;
    snprintf(text, ERROR_MAX_BYTES, "these are more than %d parameters", INFORM_EXTRA_MAX);
    return text;
}

/* Field *name* of the table's row. */
static const char *row_get(const Model *model, const char *row, const char *name) {
    char path[NAME_MAX_BYTES];
    snprintf(path, sizeof path, "%s%s", row, name);
    return model_get(model, path);
}

/* TR-181 InformParameter.{i}.EventList: one of its codes is enough, and an empty list fits every Inform but
 * one for 4 VALUE CHANGE alone, which has no place in a list either. */
static bool events_fit(const char *list, const SoapEvent *events, size_t n) {
    const char *item;

    if (!*list)
        return n != 1 || !streq(events[0].code, event_code(EVENT_VALUE_CHANGE));
    while (list) {
        size_t size = value_next_item(&list, &item);
        for (size_t i = 0; i < n; i++)
            if (strlen(events[i].code) == size && memcmp(events[i].code, item, size) == 0 &&
                !streq(events[i].code, event_code(EVENT_VALUE_CHANGE)))
                return true;
    }
    return false;
}

typedef struct TableWalk {
    Selection *selection;
    const SoapEvent *events;
    size_t n_events;
} TableWalk;

static int select_row(void *userdata, const char *row, const ModelParameter *parameter, const char *value) {
    const TableWalk *walk = userdata;
    const Model *model = walk->selection->model;

    if (parameter || !streq(row_get(model, row, "Enable"), "true") ||
        !events_fit(row_get(model, row, "EventList"), walk->events, walk->n_events))
        return 0;
    const char *name = row_get(model, row, "ParameterName");
    int r = selection_add(walk->selection, name);
    if (r != FAULT_INVALID_NAME)
        return r;
    log_notice("%s is ignored: there is no parameter \"%s\"", row, name);
    return 0;
}

/* inform_check() has said what of *paths* is not there. */
static int selection_add_paths(Selection *s, const char *paths) {
    char name[NAME_MAX_BYTES];
    int r = 0;

    while ((r == 0 || r == FAULT_INVALID_NAME) && next_path(&paths, name))
        r = selection_add(s, name);
    return r == FAULT_INVALID_NAME ? 0 : r;
}

static int selection_add_table(Selection *s, const SoapEvent *events, size_t n_events) {
    TableWalk walk = {s, events, n_events};
    int r = model_list(s->model, TABLE, true, select_row, &walk);
    return r == FAULT_INVALID_NAME ? 0 : r; /* no rows */
}

static bool has_event(const SoapEvent *events, size_t n, EventType type) {
    for (size_t i = 0; i < n; i++)
        if (streq(events[i].code, event_code(type)))
            return true;
    return false;
}

int inform_parameters(const Model *model, const char *paths, const SoapEvent *events, size_t n_events,
                      ModelVisitor visitor, void *userdata) {
    _cleanup_(selection_clear) Selection s = {.model = model, .visitor = visitor, .userdata = userdata};

    int r = model_read_forced(model, select_forced, &s);
    if (r == 0 && has_event(events, n_events, EVENT_VALUE_CHANGE))
        r = model_read_changed(model, select_changed, &s);
    for (int partial = 0; r == 0 && partial < 2; partial++) {
        s.partial = partial;
        r = selection_add_table(&s, events, n_events);
        if (r == 0)
            r = selection_add_paths(&s, paths);
    }
    if (r == 0 && s.too_much)
        log_warning(
            "the Inform carries %zu parameters beyond the forced ones, and not all that are asked for", s.n);
    return r;
}
