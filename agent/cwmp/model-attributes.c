/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Attributes of parameters: notification and access list (TR-069 A.3.2.4, A.3.2.5). */
#include <stdio.h>

#include "base/log.h"
#include "cwmp/fault.h"
#include "cwmp/model-tree.h"

/* The only entity that TR-069 names. */
#define SUBSCRIBER "Subscriber"

typedef struct Attributes {
    int notification; /* -1: not set */
    int access;       /* -1: not set; 0 nobody but the HeMS, 1 subscriber */
} Attributes;

static Attributes cell_attributes(const ModelCell *cell) {
    return (Attributes){cell->notification_set ? cell->notification : -1,
                        cell->access_set ? !cell->access_none : -1};
}

static void cell_set_attributes(ModelCell *cell, Attributes a) {
    cell->notification_set = a.notification >= 0;
    cell->notification = (uint8_t)MAX(a.notification, 0);
    cell->access_set = a.access >= 0;
    cell->access_none = a.access == 0;
}

/* A name of each parameter at and below *path*, and what it is. */
typedef int (*CellVisitor)(void *userdata, const char *name, const ModelRef *ref);

static int visit_node(const Model *model, ModelNode *node, CellVisitor visitor, void *userdata) {
    char name[MODEL_NAME_MAX];
    int r = 0;

    model_path(model, node, NULL, name);
    size_t n = strlen(name);
    for (size_t i = 0; i < node_object(node)->n && r == 0; i++) {
        ModelRef ref = {node, &node->cells[i], node_parameter(node, i)};
        snprintf(name + n, sizeof name - n, "%s", ref.parameter->name);
        r = visitor(userdata, name, &ref);
    }
    for (size_t i = 0; i < node_branches(model, node) && r == 0; i++)
        for (size_t k = 0; k < node->branches[i].n && r == 0; k++)
            r = visit_node(model, node->branches[i].rows[k], visitor, userdata);
    return r;
}

static int visit_path(const Model *model, const char *path, CellVisitor visitor, void *userdata) {
    size_t n = strlen(path);
    ModelPlace place;
    ModelRef ref;
    int r = 0;

    if (n > 0 && path[n - 1] != '.')
        return model_find(model, path, &ref) ? visitor(userdata, path, &ref) : FAULT_INVALID_NAME;
    if (!model_find_place(model, path, &place))
        return FAULT_INVALID_NAME;
    if (!place.branch)
        return visit_node(model, place.node, visitor, userdata);
    for (size_t i = 0; i < place.branch->n && r == 0; i++)
        r = visit_node(model, place.branch->rows[i], visitor, userdata);
    return r;
}

typedef struct Reader {
    ModelAttributesVisitor visitor;
    void *userdata;
} Reader;

static int read_cell(void *userdata, const char *name, const ModelRef *ref) {
    const Reader *reader = userdata;
    bool subscriber = ref->cell->access_set && !ref->cell->access_none;
    return reader->visitor(reader->userdata,
                           &(ModelAttributes){.name = name,
                                              .notification = cell_notification(ref->cell, ref->parameter),
                                              .access = subscriber ? SUBSCRIBER : ""});
}

int model_attributes_read(const Model *model, const char *path, ModelAttributesVisitor visitor,
                          void *userdata) {
    Reader reader = {visitor, userdata};
    return visit_path(model, path, read_cell, &reader);
}

/* One cell on its way to other attributes. */
typedef struct AttributeChange {
    char *name;
    ModelRef ref;
    Attributes before, wish;
    char text[4];
} AttributeChange;

typedef struct Writer {
    const ModelAttributes *wish;
    AttributeChange *changes;
    size_t n;
} Writer;

static void writer_clear(Writer *w) {
    for (size_t i = 0; i < w->n; i++)
        free(w->changes[i].name);
    free(w->changes);
}

static int write_cell(void *userdata, const char *name, const ModelRef *ref) {
    Writer *w = userdata;
    const ModelAttributes *wish = w->wish;
    unsigned flags = ref->parameter->flags;

    /* Of a partial path, what cannot be had is passed over: the HeMS has not named it. */
    bool named = streq(name, wish->name);
    bool denied = wish->set_notification && ((flags & MODEL_ACTIVE_FORCED && wish->notification != 2) ||
                                             (flags & MODEL_CANDENY && wish->notification == 2));
    if (denied)
        return named ? FAULT_NOTIFICATION_REJECTED : 0;
    AttributeChange change = {.name = strdup(name), .ref = *ref};
    if (change.name && LIST_ADD(w->changes, w->n, change) == 0)
        return 0;
    free(change.name);
    return -ENOMEM;
}

/* An empty list: the HeMS alone. An entity that TR-069 does not know of is none that could write here. -1:
 * no list. */
static int parse_access(const char *access) {
    int r = 0;
    for (const char *s = access; *s;) {
        size_t n = strcspn(s, ",");
        if (n == strlen(SUBSCRIBER) && memcmp(s, SUBSCRIBER, n) == 0)
            r = 1;
        else if (n < 2 || memcmp(s, "X_", 2) != 0)
            return -1;
        s += n + (s[n] == ',');
    }
    return r;
}

/* A later wish for the same cell counts more: the store takes them in this order, too. */
static void apply(Writer *w) {
    for (size_t i = 0; i < w->n; i++) {
        AttributeChange *c = &w->changes[i];
        Attributes a = c->before = cell_attributes(c->ref.cell);
        a.notification = c->wish.notification >= 0 ? c->wish.notification : a.notification;
        a.access = c->wish.access >= 0 ? c->wish.access : a.access;
        cell_set_attributes(c->ref.cell, a);
        snprintf(c->text, sizeof c->text, "%c%c", a.notification < 0 ? '-' : '0' + a.notification,
                 a.access < 0 ? '-' : '0' + a.access);
    }
}

static void take_back(Writer *w) {
    for (size_t i = w->n; i > 0; i--)
        cell_set_attributes(w->changes[i - 1].ref.cell, w->changes[i - 1].before);
}

static int commit(Model *model, Writer *w) {
    _cleanup_free_ ModelChange *changes = calloc(w->n + 1, sizeof *changes);

    if (!changes)
        return -ENOMEM;
    for (size_t i = 0; i < w->n; i++)
        changes[i] = (ModelChange){w->changes[i].name, w->changes[i].ref.parameter, NULL, w->changes[i].text,
                                   MODEL_CHANGE_ATTRIBUTE};
    if (w->n == 0 || !model->config.commit)
        return 0;
    int r = model->config.commit(model->config.userdata, changes, w->n);
    if (r < 0)
        log_error("no attribute changed, the store said: %s", strerror(-r));
    return r < 0 ? FAULT_INTERNAL_ERROR : 0;
}

/* What has notification no more is no change to tell of. */
static void forget_silent(const ModelRef *ref) {
    if (cell_notification(ref->cell, ref->parameter) == 0)
        ref->cell->changed = ref->cell->read = false;
}

int model_attributes_set(Model *model, const ModelAttributes *attributes, size_t n) {
    _cleanup_(writer_clear) Writer w = {};
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++) {
        const ModelAttributes *wish = w.wish = &attributes[i];
        size_t first = w.n;
        int access = wish->set_access ? parse_access(wish->access) : 0;
        if (access < 0 || (wish->set_notification && (wish->notification < 0 || wish->notification > 2)))
            return FAULT_INVALID_ARGUMENTS;
        r = visit_path(model, wish->name, write_cell, &w);
        for (; first < w.n; first++)
            w.changes[first].wish = (Attributes){wish->set_notification ? wish->notification : -1,
                                                 wish->set_access ? access : -1};
    }
    if (r != 0)
        return r;
    apply(&w);
    r = commit(model, &w);
    if (r != 0)
        take_back(&w);
    for (size_t i = 0; i < w.n; i++)
        forget_silent(&w.changes[i].ref);
    return r;
}

int model_put_attribute(Model *model, const char *name, const char *text) {
    ModelRef ref;

    if (!model_find(model, name, &ref))
        return FAULT_INVALID_NAME;
    if (strlen(text) != 2 || !strchr("-012", text[0]) || !strchr("-01", text[1]))
        return FAULT_INVALID_VALUE;
    cell_set_attributes(
        ref.cell, (Attributes){text[0] == '-' ? -1 : text[0] - '0', text[1] == '-' ? -1 : text[1] - '0'});
    return 0;
}

typedef struct Forgetting {
    ModelChange *changes;
    size_t n;
} Forgetting;

static int forget_cell(void *userdata, const char *name, const ModelRef *ref) {
    Forgetting *f = userdata;

    if (!ref->cell->notification_set && !ref->cell->access_set)
        return 0;
    char *copy = strdup(name);
    const ModelChange change = {copy, ref->parameter, NULL, NULL, MODEL_CHANGE_ATTRIBUTE};
    if (copy && LIST_ADD(f->changes, f->n, change) == 0)
        return 0;
    free(copy);
    return -ENOMEM;
}

int model_attributes_reset(Model *model) {
    Forgetting f = {};
    ModelRef ref;

    int r = visit_path(model, "", forget_cell, &f);
    if (r == 0 && f.n > 0 && model->config.commit)
        r = model->config.commit(model->config.userdata, f.changes, f.n);
    for (size_t i = 0; i < f.n; i++) {
        if (r == 0 && model_find(model, f.changes[i].name, &ref)) {
            cell_set_attributes(ref.cell, (Attributes){-1, -1});
            forget_silent(&ref);
        }
        free((char *)f.changes[i].name);
    }
    free(f.changes);
    return r;
}
