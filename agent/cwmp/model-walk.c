/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading: GetParameterNames, GetParameterValues, what an Inform carries. */
#include <inttypes.h>
#include <stdio.h>

#include "cwmp/fault.h"
#include "cwmp/model-tree.h"

typedef enum Wanted {
    WANT_ALL,
    WANT_FORCED,
    WANT_CHANGED,
    WANT_REPORTED,
} Wanted;

typedef struct Walk {
    const Model *model;
    Wanted wanted;
    bool objects; /* are visited too */
    ModelVisitor visitor;
    void *userdata;
    char name[MODEL_NAME_MAX];
    size_t n; /* of the object the walk is in */
} Walk;

static bool is_wanted(const Walk *w, const ModelCell *cell, const ModelParameter *p) {
    switch (w->wanted) {
    case WANT_ALL:
        return true;
    case WANT_FORCED:
        return p->flags & MODEL_FORCED_INFORM;
    case WANT_CHANGED:
        return cell->changed;
    case WANT_REPORTED:
        return cell->reported;
    }
    return false;
}

static int walk_cell(Walk *w, ModelCell *cell, const ModelParameter *p) {
    const ModelConfig *config = &w->model->config;
    char live[MODEL_LIVE_MAX];

    if (!is_wanted(w, cell, p))
        return 0;
    if (w->wanted == WANT_CHANGED)
        cell->read = true;
    snprintf(w->name + w->n, sizeof w->name - w->n, "%s", p->name);
    const char *value = p->flags & MODEL_HIDDEN ? "" : cell_value(cell, p);
    if (p->flags & MODEL_LIVE && config->live &&
        config->live(config->userdata, w->name, p, live, sizeof live) == 0)
        value = live;
    return w->visitor(w->userdata, w->name, p, value);
}

static int walk_object(Walk *w) {
    return w->objects ? w->visitor(w->userdata, w->name, NULL, NULL) : 0;
}

/* The name grows by "segment." or "instance."; returns what it was, for walk_leave(). */
static size_t walk_enter(Walk *w, const ModelBranch *branch, const ModelNode *row) {
    const struct ModelShape *shape = &w->model->shapes[branch->object];
    size_t before = w->n, left = sizeof w->name - w->n;

    w->n += row ? (size_t)snprintf(w->name + w->n, left, "%" PRIu32 ".", row->instance)
                : (size_t)snprintf(w->name + w->n, left, "%.*s.", (int)shape->size, shape->segment);
    assert(w->n < sizeof w->name);
    return before;
}

static void walk_leave(Walk *w, size_t before) {
    w->n = before;
    w->name[before] = 0;
}

static int walk_rows(Walk *w, const ModelBranch *branch);

/* What is in an object, itself without. */
static int walk_node(Walk *w, const ModelNode *node) {
    int r = 0;

    for (size_t i = 0; i < node_object(node)->n && r == 0; i++) {
        r = walk_cell(w, (ModelCell *)&node->cells[i], node_parameter(node, i));
        w->name[w->n] = 0;
    }
    for (size_t i = 0; i < node_branches(w->model, node) && r == 0; i++) {
        const ModelBranch *branch = &node->branches[i];
        size_t before = walk_enter(w, branch, NULL);
        r = walk_object(w);
        if (r == 0)
            r = model_objects_[branch->object].table ? walk_rows(w, branch) : walk_node(w, branch->rows[0]);
        walk_leave(w, before);
    }
    return r;
}

static int walk_rows(Walk *w, const ModelBranch *branch) {
    int r = 0;

    for (size_t i = 0; i < branch->n && r == 0; i++) {
        size_t before = walk_enter(w, branch, branch->rows[i]);
        r = walk_object(w);
        if (r == 0)
            r = walk_node(w, branch->rows[i]);
        walk_leave(w, before);
    }
    return r;
}

static int walk_place(Walk *w, const ModelPlace *place) {
    model_path(w->model, place->node, place->branch, w->name);
    w->n = strlen(w->name);
    return place->branch ? walk_rows(w, place->branch) : walk_node(w, place->node);
}

static int next_level(Walk *w, const ModelPlace *place) {
    int r = 0;

    model_path(w->model, place->node, place->branch, w->name);
    w->n = strlen(w->name);
    for (size_t i = 0; place->branch && i < place->branch->n && r == 0; i++) {
        size_t before = walk_enter(w, place->branch, place->branch->rows[i]);
        r = walk_object(w);
        walk_leave(w, before);
    }
    if (place->branch)
        return r;
    for (size_t i = 0; i < node_object(place->node)->n && r == 0; i++) {
        r = walk_cell(w, &place->node->cells[i], node_parameter(place->node, i));
        w->name[w->n] = 0;
    }
    for (size_t i = 0; i < node_branches(w->model, place->node) && r == 0; i++) {
        size_t before = walk_enter(w, &place->node->branches[i], NULL);
        r = walk_object(w);
        walk_leave(w, before);
    }
    return r;
}

/* A name that ends in a dot, or none at all. */
static bool is_partial(const char *path) {
    size_t n = strlen(path);
    return n == 0 || path[n - 1] == '.';
}

static int read_one(Walk *w, const char *name) {
    ModelRef ref;

    if (!model_find(w->model, name, &ref))
        return FAULT_INVALID_NAME;
    model_path(w->model, ref.node, NULL, w->name);
    w->n = strlen(w->name);
    return walk_cell(w, ref.cell, ref.parameter);
}

int model_any(void *userdata, const char *name, const ModelParameter *parameter, const char *value) {
    return 1;
}

int model_list(const Model *model, const char *path, bool only_next, ModelVisitor visitor, void *userdata) {
    Walk w = {model, .objects = true, .visitor = visitor, .userdata = userdata};
    ModelPlace place;

    if (!is_partial(path))
        return only_next ? FAULT_INVALID_ARGUMENTS : read_one(&w, path);
    if (!model_find_place(model, path, &place))
        return FAULT_INVALID_NAME;
    if (only_next && !*path)
        return visitor(userdata, "Device.", NULL, NULL);
    if (only_next)
        return next_level(&w, &place);
    model_path(model, place.node, place.branch, w.name);
    int r = walk_object(&w);
    return r == 0 ? walk_place(&w, &place) : r;
}

static int walk_path(const Model *model, const char *path, Wanted wanted, ModelVisitor visitor,
                     void *userdata) {
    Walk w = {model, .wanted = wanted, .visitor = visitor, .userdata = userdata};
    ModelPlace place;

    if (!is_partial(path))
        return read_one(&w, path);
    return model_find_place(model, path, &place) ? walk_place(&w, &place) : FAULT_INVALID_NAME;
}

int model_read(const Model *model, const char *path, ModelVisitor visitor, void *userdata) {
    return walk_path(model, path, WANT_ALL, visitor, userdata);
}

int model_read_forced(const Model *model, ModelVisitor visitor, void *userdata) {
    return walk_path(model, "", WANT_FORCED, visitor, userdata);
}

int model_read_reported(const Model *model, const char *path, ModelVisitor visitor, void *userdata) {
    return walk_path(model, path, WANT_REPORTED, visitor, userdata);
}

int model_read_changed(const Model *model, ModelVisitor visitor, void *userdata) {
    return walk_path(model, "", WANT_CHANGED, visitor, userdata);
}

static void forget_changes(const Model *model, ModelNode *node) {
    for (size_t i = 0; i < node_object(node)->n; i++)
        if (node->cells[i].read)
            node->cells[i].changed = node->cells[i].read = false;
    for (size_t i = 0; i < node_branches(model, node); i++)
        for (size_t k = 0; k < node->branches[i].n; k++)
            forget_changes(model, node->branches[i].rows[k]);
}

void model_changes_delivered(Model *model) {
    forget_changes(model, model->root);
}

bool model_is_creatable(const Model *model, const char *path) {
    ModelPlace place;

    if (!model_find_place(model, path, &place))
        return false;
    return model_objects_[place.branch ? place.branch->object : place.node->object].create;
}
