/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inside of the model, for its own files: objects and rows as they are now, each made after its template.
 * A walk over the whole tree costs what the tree holds, a name its own depth. */
#pragma once

#include "base/macro.h"
#include "cwmp/model.h"

typedef struct ModelNode ModelNode;

typedef struct ModelCell {
    char *value; /* NULL: the initial one */
    uint8_t notification;
    bool notification_set : 1;
    bool access_set : 1;
    bool access_none : 1; /* nobody but the HeMS may write */
    bool reported : 1;
    bool changed : 1; /* not by CWMP, and no HeMS knows */
    bool read : 1;    /* model_read_changed() has given this change out */
    bool named : 1;   /* in the set that is being looked at */
} ModelCell;

/* The rows of one table in one object, in order of their numbers; of a plain object, the one there is. */
typedef struct ModelBranch {
    uint16_t object;
    uint32_t last; /* the highest number ever given */
    ModelNode **rows;
    size_t n, room;
    bool marked; /* same_keys of the rows is as the set that is being looked at leaves it */
} ModelBranch;

struct ModelNode {
    ModelNode *parent; /* NULL: Device. */
    uint16_t object;
    uint32_t instance; /* 0: no row */
    uint8_t same_keys; /* a bit for each unique key that another row has too, while the branch is marked */
    ModelBranch *branches;
    ModelCell cells[];
};

struct Model {
    ModelConfig config;
    ModelNode *root;
    bool watching;
    size_t n_parameters, n_bytes;
    /* Of each template: its name in its parent, and its children. */
    struct ModelShape {
        const char *segment;
        size_t size;
        uint16_t first_child, next_sibling, n_children; /* 0: none, as Device. is nobody's child */
    } shapes[];
};

typedef struct ModelRef {
    ModelNode *node;
    ModelCell *cell;
    const ModelParameter *parameter;
} ModelRef;

/* What a path with a dot at its end means: a table's rows, or one object. */
typedef struct ModelPlace {
    ModelNode *node; /* of a table: what it is in */
    ModelBranch *branch;
} ModelPlace;

static inline const ModelObject *node_object(const ModelNode *node) {
    return &model_objects_[node->object];
}

static inline const ModelParameter *node_parameter(const ModelNode *node, size_t i) {
    return &model_parameters_[node_object(node)->first + i];
}

static inline const char *cell_value(const ModelCell *cell, const ModelParameter *parameter) {
    return cell->value ? cell->value : parameter->initial;
}

/* False: there is none. "" and "Device." are the root. */
bool model_find(const Model *model, const char *name, ModelRef *ret);
bool model_find_place(const Model *model, const char *path, ModelPlace *ret);

/* The full name of an object, of one of its tables (*branch* may be NULL), with a dot at its end. */
void model_path(const Model *model, const ModelNode *node, const ModelBranch *branch,
                char buf[static MODEL_NAME_MAX]);

/* With its children and their initial rows. 0 or -ENOMEM. */
int node_new(Model *model, uint16_t object, ModelNode *parent, uint32_t instance, ModelNode **ret);
/* Wipes secrets. NULL is fine. */
void node_free(Model *model, ModelNode *node);
size_t node_branches(const Model *model, const ModelNode *node);

ModelNode *branch_find(const ModelBranch *branch, uint32_t instance);
/* The one that has *row*, which is not the root. */
ModelBranch *branch_of(const ModelNode *row);
/* Makes room for one row more. 0 or -ENOMEM. */
int branch_reserve(ModelBranch *branch);
/* branch_reserve() was called. Entry counts follow; *ours*: they are noticed. */
void branch_attach(Model *model, ModelNode *parent, ModelBranch *branch, ModelNode *row, bool ours);
/* The row is the caller's. */
void branch_detach(Model *model, ModelNode *parent, ModelBranch *branch, ModelNode *row, bool ours);
/* Gives the branch the rows of *rows*, of the same object and made for *parent*, and *rows* those it had. */
void branch_exchange(Model *model, ModelNode *parent, ModelBranch *branch, ModelBranch *rows);
/* Frees the rows. */
void branch_clear(Model *model, ModelBranch *branch);
/* False: one row more is not allowed. */
bool branch_has_room(const Model *model, const ModelBranch *branch);

/* Takes *value*. */
void cell_set(Model *model, const ModelRef *ref, char *value);
/* Notification as it is in force: 0, 1, 2. */
int cell_notification(const ModelCell *cell, const ModelParameter *parameter);
/* It has changed, and not by CWMP. */
void cell_notice(Model *model, const ModelRef *ref);
/* Passwords are among the values. */
void value_free(char *value);
