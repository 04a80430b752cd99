/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See inform.h. */
#include "cwmp/inform.h"

#include <stdio.h>

#include "base/log.h"
#include "base/macro.h"
#include "cwmp/fault.h"
#include "cwmp/value.h"

#define NAME_MAX_BYTES 257 /* A.3.2.2: names are of 256 characters at most */
#define TABLE          "Device.ManagementServer.InformParameter."

typedef struct Selection {
    const Model *model;
    const ModelParameter *rows; /* of the model */
    bool *taken;                /* by row */
    bool all;                   /* also what is not known */
    size_t n, bytes;            /* beyond the forced ones */
    bool too_much;
    ModelVisitor visitor;
    void *userdata;
} Selection;

static void selection_clear(Selection *s) {
    free(s->taken);
}

static int selection_init(Selection *s) {
    size_t n;
    s->rows = model_parameters(&n);
    s->taken = calloc(n, sizeof *s->taken);
    return s->taken ? 0 : -ENOMEM;
}

static int select_forced(void *userdata, const char *name, const ModelParameter *parameter,
                         const char *value) {
    Selection *s = userdata;
    s->taken[parameter - s->rows] = true;
    return s->visitor ? s->visitor(s->userdata, name, parameter, value) : 0;
}

static int select_extra(void *userdata, const char *name, const ModelParameter *parameter,
                        const char *value) {
    Selection *s = userdata;
    size_t bytes = strlen(name) + strlen(value);

    if (s->taken[parameter - s->rows] || (!s->all && !model_is_known(s->model, parameter)))
        return 0;
    if (s->n >= INFORM_EXTRA_MAX || (!s->all && s->bytes + bytes > INFORM_EXTRA_BYTES)) {
        s->too_much = true;
        return 0;
    }
    s->n++;
    s->bytes += bytes;
    return select_forced(s, name, parameter, value);
}

/* 0, FAULT_INVALID_NAME, or what the visitor returned. */
static int selection_add(Selection *s, const char *path) {
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

    if (selection_init(&s) < 0 || model_read_forced(model, select_forced, &s) < 0)
        return "out of memory";
    while (next_path(&paths, name))
        if (selection_add(&s, name) != 0) {
            snprintf(text, ERROR_MAX_BYTES,
                     "%s is no parameter of this box, and no partial path with a dot at its end", name);
            return text;
        }
    if (!s.too_much)
        return NULL;
    snprintf(text, ERROR_MAX_BYTES, "these are more than %d parameters", INFORM_EXTRA_MAX);
    return text;
}

/* Field *name* of row *i* of the table. */
static const char *table_get(const Model *model, unsigned i, const char *name) {
    char path[NAME_MAX_BYTES];
    snprintf(path, sizeof path, TABLE "%u.%s", i, name);
    return model_get(model, path);
}

/* TR-181 InformParameter.{i}.EventList: one of its codes is enough, and an empty list fits every Inform. */
static bool events_fit(const char *list, const SoapEvent *events, size_t n) {
    const char *item;

    if (!*list)
        return true;
    while (list) {
        size_t size = value_next_item(&list, &item);
        for (size_t i = 0; i < n; i++)
            if (strlen(events[i].code) == size && memcmp(events[i].code, item, size) == 0)
                return true;
    }
    return false;
}

static int selection_add_table(Selection *s, const SoapEvent *events, size_t n_events) {
    const unsigned n = model_get_unsigned(s->model, "Device.ManagementServer.InformParameterNumberOfEntries");

    for (unsigned i = 1; i <= n; i++) {
        const char *name = table_get(s->model, i, "ParameterName");
        if (!streq(table_get(s->model, i, "Enable"), "true") ||
            !events_fit(table_get(s->model, i, "EventList"), events, n_events))
            continue;
        int r = selection_add(s, name);
        if (r == FAULT_INVALID_NAME)
            log_notice(TABLE "%u. is ignored: there is no parameter \"%s\"", i, name);
        else if (r != 0)
            return r;
    }
    return 0;
}

int inform_parameters(const Model *model, const char *paths, const SoapEvent *events, size_t n_events,
                      ModelVisitor visitor, void *userdata) {
    _cleanup_(selection_clear) Selection s = {.model = model, .visitor = visitor, .userdata = userdata};
    char name[NAME_MAX_BYTES];

    int r = selection_init(&s);
    if (r == 0)
        r = model_read_forced(model, select_forced, &s);
    while (r == 0 && next_path(&paths, name)) {
        r = selection_add(&s, name);
        if (r == FAULT_INVALID_NAME) /* inform_check() has said so */
            r = 0;
    }
    if (r == 0)
        r = selection_add_table(&s, events, n_events);
    if (r == 0 && s.too_much)
        log_warning(
            "the Inform carries %zu parameters beyond the forced ones, and not all that are asked for", s.n);
    return r;
}
