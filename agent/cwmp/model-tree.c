/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See model-tree.h. */
#include "cwmp/model-tree.h"

#include <inttypes.h>
#include <stdio.h>

void value_free(char *value) {
    if (value)
        explicit_bzero(value, strlen(value));
    free(value);
}

size_t node_branches(const Model *model, const ModelNode *node) {
    return model->shapes[node->object].n_children;
}

void node_free(Model *model, ModelNode *node) {
    if (!node)
        return;
    for (size_t i = 0; node->branches && i < node_branches(model, node); i++)
        branch_clear(model, &node->branches[i]);
    for (size_t i = 0; i < node_object(node)->n; i++)
        if (node->cells[i].value) {
            model->n_bytes -= strlen(node->cells[i].value);
            value_free(node->cells[i].value);
        }
    model->n_parameters -= node_object(node)->n;
    free(node->branches);
    free(node);
}

void branch_clear(Model *model, ModelBranch *branch) {
    for (size_t i = 0; i < branch->n; i++)
        node_free(model, branch->rows[i]);
    free(branch->rows);
}

static int branch_fill(Model *model, ModelNode *node, ModelBranch *branch) {
    const ModelObject *object = &model_objects_[branch->object];
    size_t rows = object->table ? object->initial : 1;

    for (uint32_t i = 1; i <= rows; i++) {
        ModelNode *row;
        int r = branch_reserve(branch);
        if (r == 0)
            r = node_new(model, branch->object, node, object->table ? i : 0, &row);
        if (r < 0)
            return r;
        branch_attach(model, node, branch, row, false);
    }
    return 0;
}

int node_new(Model *model, uint16_t object, ModelNode *parent, uint32_t instance, ModelNode **ret) {
    size_t n = model_objects_[object].n;
    ModelNode *node = calloc(1, sizeof *node + n * sizeof node->cells[0]);

    if (!node)
        return -ENOMEM;
    node->object = object;
    node->parent = parent;
    node->instance = instance;
    model->n_parameters += n;
    size_t branches = node_branches(model, node), i = 0;
    node->branches = calloc(branches + 1, sizeof *node->branches);
    int r = node->branches ? 0 : -ENOMEM;
    for (uint16_t child = model->shapes[object].first_child; r == 0 && child > 0;
         child = model->shapes[child].next_sibling)
        node->branches[i++].object = child;
    for (i = 0; r == 0 && i < branches; i++)
        r = branch_fill(model, node, &node->branches[i]);
    if (r < 0) {
        node_free(model, node);
        return r;
    }
    *ret = node;
    return 0;
}

/* Where *instance* is, or would be. */
static size_t branch_position(const ModelBranch *branch, uint32_t instance) {
    size_t low = 0, high = branch->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (branch->rows[middle]->instance < instance)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

ModelNode *branch_find(const ModelBranch *branch, uint32_t instance) {
    size_t at = branch_position(branch, instance);
    return at < branch->n && branch->rows[at]->instance == instance ? branch->rows[at] : NULL;
}

ModelBranch *branch_of(const ModelNode *row) {
    ModelBranch *branch = row->parent->branches;
    while (branch->object != row->object)
        branch++;
    return branch;
}

int branch_reserve(ModelBranch *branch) {
    if (branch->n < branch->room)
        return 0;
    size_t room = branch->room ? 2 * branch->room : 1;
    ModelNode **rows = reallocarray(branch->rows, room, sizeof *rows);
    if (!rows)
        return -ENOMEM;
    branch->rows = rows;
    branch->room = room;
    return 0;
}

bool branch_has_room(const Model *model, const ModelBranch *branch) {
    const ModelObject *object = &model_objects_[branch->object];
    return branch->n < (object->max ? object->max : MODEL_ROWS_MAX) && branch->last < UINT32_MAX &&
           model->n_parameters < MODEL_PARAMETERS_MAX;
}

/* The entry count, if the table has one, is a value as others are. */
static void count_rows(Model *model, ModelNode *parent, const ModelBranch *branch, bool ours) {
    for (size_t i = 0; i < node_object(parent)->n; i++) {
        const ModelParameter *p = node_parameter(parent, i);
        ModelRef ref = {parent, &parent->cells[i], p};
        char *text;
        if (!(p->flags & MODEL_COUNT) || p->counted != branch->object)
            continue;
        if (asprintf(&text, "%zu", branch->n) < 0)
            return; /* the number before is a lie that the next change ends */
        cell_set(model, &ref, text);
        if (ours)
            cell_notice(model, &ref);
        return;
    }
}

void branch_attach(Model *model, ModelNode *parent, ModelBranch *branch, ModelNode *row, bool ours) {
    size_t at = branch_position(branch, row->instance);

    assert(branch->n < branch->room);
    memmove(&branch->rows[at + 1], &branch->rows[at], (branch->n - at) * sizeof branch->rows[0]);
    branch->rows[at] = row;
    branch->n++;
    branch->last = MAX(branch->last, row->instance);
    count_rows(model, parent, branch, ours);
}

void branch_detach(Model *model, ModelNode *parent, ModelBranch *branch, ModelNode *row, bool ours) {
    size_t at = branch_position(branch, row->instance);

    assert(at < branch->n && branch->rows[at] == row);
    branch->n--;
    memmove(&branch->rows[at], &branch->rows[at + 1], (branch->n - at) * sizeof branch->rows[0]);
    count_rows(model, parent, branch, ours);
}

void branch_exchange(Model *model, ModelNode *parent, ModelBranch *branch, ModelBranch *rows) {
    const ModelBranch before = *branch;

    *branch = *rows;
    *rows = before;
    count_rows(model, parent, branch, false);
}

/* The instance number at the beginning of *s*, ended by a dot, and the rest behind it; 0: none. */
static uint32_t parse_instance(const char **s) {
    uint64_t v = 0;
    const char *c = *s;

    if (*c == '0')
        return 0;
    for (; *c >= '0' && *c <= '9' && v <= UINT32_MAX; c++)
        v = v * 10 + (unsigned)(*c - '0');
    if (c == *s || *c != '.' || v > UINT32_MAX)
        return 0;
    *s = c + 1;
    return (uint32_t)v;
}

/* As far as dots go; *rest* is what is behind the last of them. */
static bool descend(const Model *model, const char *path, ModelPlace *ret, const char **rest) {
    const char *s = path, *dot;
    ModelNode *node = model->root;

    if (strncmp(s, "Device.", 7) != 0)
        return false;
    for (s += 7; (dot = strchr(s, '.'));) {
        size_t size = (size_t)(dot - s), i = 0, n = node_branches(model, node);
        for (; i < n; i++) {
            const struct ModelShape *shape = &model->shapes[node->branches[i].object];
            if (shape->size == size && memcmp(shape->segment, s, size) == 0)
                break;
        }
        if (i == n)
            return false;
        ModelBranch *branch = &node->branches[i];
        s = dot + 1;
        if (!model_objects_[branch->object].table) {
            node = branch->rows[0];
            continue;
        }
        if (!*s) {
            *ret = (ModelPlace){node, branch};
            *rest = s;
            return true;
        }
        node = branch_find(branch, parse_instance(&s));
        if (!node)
            return false;
    }
    *ret = (ModelPlace){.node = node};
    *rest = s;
    return true;
}

bool model_find(const Model *model, const char *name, ModelRef *ret) {
    ModelPlace place;
    const char *rest;

    if (!descend(model, name, &place, &rest) || place.branch)
        return false;
    for (size_t i = 0; i < node_object(place.node)->n; i++)
        if (streq(node_parameter(place.node, i)->name, rest)) {
            *ret = (ModelRef){place.node, &place.node->cells[i], node_parameter(place.node, i)};
            return true;
        }
    return false;
}

bool model_find_place(const Model *model, const char *path, ModelPlace *ret) {
    const char *rest;

    if (!*path) {
        *ret = (ModelPlace){.node = model->root};
        return true;
    }
    return descend(model, path, ret, &rest) && !*rest;
}

static size_t path_append(const Model *model, const ModelNode *node, char *buf) {
    if (!node->parent)
        return (size_t)snprintf(buf, MODEL_NAME_MAX, "Device.");
    size_t n = path_append(model, node->parent, buf);
    const struct ModelShape *shape = &model->shapes[node->object];
    n += (size_t)snprintf(buf + n, MODEL_NAME_MAX - n, "%.*s.", (int)shape->size, shape->segment);
    if (node->instance > 0)
        n += (size_t)snprintf(buf + n, MODEL_NAME_MAX - n, "%" PRIu32 ".", node->instance);
    assert(n < MODEL_NAME_MAX);
    return n;
}

void model_path(const Model *model, const ModelNode *node, const ModelBranch *branch,
                char buf[static MODEL_NAME_MAX]) {
    size_t n = path_append(model, node, buf);
    if (branch) {
        const struct ModelShape *shape = &model->shapes[branch->object];
        snprintf(buf + n, MODEL_NAME_MAX - n, "%.*s.", (int)shape->size, shape->segment);
    }
}

void cell_set(Model *model, const ModelRef *ref, char *value) {
    if (ref->cell->value)
        model->n_bytes -= strlen(ref->cell->value);
    value_free(ref->cell->value);
    ref->cell->value = value;
    model->n_bytes += strlen(value);
}

int cell_notification(const ModelCell *cell, const ModelParameter *parameter) {
    return parameter->flags & MODEL_ACTIVE_FORCED ? 2
           : cell->notification_set               ? cell->notification
           : parameter->flags & MODEL_ACTIVE      ? 2
           : parameter->flags & MODEL_PASSIVE     ? 1
                                                  : 0;
}

void cell_notice(Model *model, const ModelRef *ref) {
    int notification = cell_notification(ref->cell, ref->parameter);

    if (notification == 0 || !model->watching)
        return;
    ref->cell->changed = true;
    ref->cell->read = false;
    if (model->config.noticed)
        model->config.noticed(model->config.userdata, notification);
}
