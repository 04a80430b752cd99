/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the HeMS changes: SetParameterValues, AddObject, DeleteObject, each prepared and then committed. */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "cwmp/fault.h"
#include "cwmp/model-tree.h"
#include "cwmp/value.h"

#define PARAMETER_KEY "Device.ManagementServer.ParameterKey"

struct ModelTransaction {
    Model *model;
    ModelChange *changes; /* the first *n_shown* are for others than the store */
    size_t n, n_shown;
    ModelOutcome outcome;
    ModelNode *added;   /* not attached yet */
    bool deleting;      /* the row that the first change names */
    ModelFault *faults; /* room for one each wish */
    size_t n_faults;
};

void model_transaction_free(ModelTransaction *t) {
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++) {
        free((char *)t->changes[i].name);
        value_free((char *)t->changes[i].old_value);
        value_free((char *)t->changes[i].new_value);
    }
    free(t->changes);
    node_free(t->model, t->added);
    free(t->faults);
    free(t);
}
DEFINE_CLEANUP(ModelTransaction, model_transaction_free)

const ModelChange *model_transaction_changes(const ModelTransaction *transaction, size_t *ret_n) {
    *ret_n = transaction->n_shown;
    return transaction->changes;
}

/* Copies the strings. 0 or -ENOMEM. */
static int add_change(ModelTransaction *t, const ModelChange *change) {
    if (LIST_ADD(t->changes, t->n, *change) < 0)
        return -ENOMEM;
    ModelChange *copy = &t->changes[t->n - 1];
    copy->name = strdup(change->name);
    copy->old_value = change->old_value ? strdup(change->old_value) : NULL;
    copy->new_value = change->new_value ? strdup(change->new_value) : NULL;
    return copy->name && !copy->old_value == !change->old_value && !copy->new_value == !change->new_value
               ? 0
               : -ENOMEM;
}

/* The key is no wish of its own: read-only for the HeMS, but part of the same commit (A.3.2.1). */
static int add_key(ModelTransaction *t, const char *key) {
    char why[VALUE_WHY_MAX];
    _cleanup_free_ char *value = NULL;
    ModelRef ref;

    bool found = model_find(t->model, PARAMETER_KEY, &ref);
    assert(found);
    int r = value_canonical(ref.parameter, key, &value, why);
    if (r != 0)
        return r > 0 ? FAULT_INVALID_ARGUMENTS : r;
    const char *old = cell_value(ref.cell, ref.parameter);
    return streq(old, value) ? 0 : add_change(t, &(ModelChange){PARAMETER_KEY, ref.parameter, old, value});
}

static int transaction_new(Model *model, ModelTransaction **ret) {
    *ret = calloc(1, sizeof **ret);
    if (!*ret)
        return -ENOMEM;
    (*ret)->model = model;
    return 0;
}

/* SetParameterValues ---------------------------------------------------------------------------------- */

static void add_fault(ModelTransaction *t, const char *name, int code, const char *text) {
    ModelFault *fault = &t->faults[t->n_faults++];
    *fault = (ModelFault){.name = name, .code = code};
    snprintf(fault->text, sizeof fault->text, "%s", text);
}

/* Takes one wish up. 0 (a fault of it is noted) or -ENOMEM. */
static int add_wish(ModelTransaction *t, const ModelSet *wish) {
    const ModelConfig *config = &t->model->config;
    _cleanup_(freep) char *value = NULL;
    char why[VALUE_WHY_MAX];
    ModelRef ref = {};
    int code = !model_find(t->model, wish->name, &ref) ? FAULT_INVALID_NAME
               : !(ref.parameter->flags & MODEL_WRITE) ? FAULT_NOT_WRITABLE
               : ref.cell->named                       ? FAULT_INVALID_ARGUMENTS
                                                       : 0;
    if (code != 0) {
        add_fault(t, wish->name, code,
                  code == FAULT_INVALID_ARGUMENTS ? "named twice" : cwmp_fault_text(code));
        return 0;
    }
    const ModelParameter *p = ref.parameter;
    ref.cell->named = true;
    /* There are HeMSs that type loosely: the value decides (TR-069 A.2.1 would let us refuse with 9006). */
    bool other_type = *wish->type && !streq(wish->type, model_type_wire(p->type));
    if (other_type)
        log_info("%s: came as xsd:%.32s, is xsd:%s", wish->name, wish->type, model_type_wire(p->type));
    int r = value_canonical(p, wish->value, &value, why);
    if (r > 0)
        add_fault(t, wish->name, other_type ? FAULT_INVALID_TYPE : r, why);
    if (r != 0)
        return MIN(r, 0);
    const char *old = cell_value(ref.cell, p);
    bool equal = streq(old, value);
    t->outcome.topics_set |= p->flags & MODEL_TOPICS;
    if (!equal)
        t->outcome.topics_changed |= p->flags & MODEL_TOPICS;
    const ModelChange change = {wish->name, p, old, value};
    const char *objection = config->veto ? config->veto(config->userdata, &change) : NULL;
    if (objection)
        add_fault(t, wish->name, FAULT_REQUEST_DENIED, objection);
    if (!objection && (!equal || p->flags & MODEL_ASSIGNED))
        r = add_change(t, &change);
    explicit_bzero(value, strlen(value));
    return r;
}

/* Exchanges the values of the tree with those of the changes; a second time, it is as before. */
static void swap_values(ModelTransaction *t) {
    for (size_t i = 0; i < t->n; i++) {
        ModelRef ref;
        if (!model_find(t->model, t->changes[i].name, &ref))
            continue;
        char *value = ref.cell->value;
        ref.cell->value = (char *)t->changes[i].new_value;
        t->changes[i].new_value = value;
    }
}

static size_t cell_index(const ModelNode *node, uint16_t parameter) {
    return (size_t)parameter - node_object(node)->first;
}

static bool counts_for_key(const ModelNode *row, const uint16_t *key) {
    const ModelObject *object = node_object(row);

    if (object->enabled != MODEL_NONE && !streq(model_parameters_[key[0]].name, "Alias")) {
        size_t i = cell_index(row, object->enabled);
        if (!streq(cell_value(&row->cells[i], node_parameter(row, i)), "true"))
            return false;
    }
    /* A row that nobody has given a name has none. */
    for (; *key != MODEL_NONE; key++) {
        size_t i = cell_index(row, *key);
        if (*cell_value(&row->cells[i], node_parameter(row, i)))
            return true;
    }
    return false;
}

static int compare_keys(const void *a, const void *b, void *userdata) {
    const ModelNode *x = *(ModelNode *const *)a, *y = *(ModelNode *const *)b;
    int r = 0;

    for (const uint16_t *key = userdata; *key != MODEL_NONE && r == 0; key++) {
        size_t i = cell_index(x, *key);
        const ModelParameter *p = node_parameter(x, i);
        r = strcmp(cell_value(&x->cells[i], p), cell_value(&y->cells[i], p));
    }
    return r;
}

static int mark_key(const ModelBranch *branch, size_t k) {
    const uint16_t *key = model_objects_[branch->object].keys[k];
    _cleanup_free_ ModelNode **rows = calloc(branch->n + 1, sizeof *rows);
    size_t n = 0;

    if (!rows)
        return -ENOMEM;
    for (size_t i = 0; i < branch->n; i++)
        if (counts_for_key(branch->rows[i], key))
            rows[n++] = branch->rows[i];
    qsort_r(rows, n, sizeof(ModelNode *), compare_keys, (void *)key);
    for (size_t i = 1; i < n; i++)
        if (compare_keys(&rows[i - 1], &rows[i], (void *)key) == 0) {
            rows[i - 1]->same_keys |= (uint8_t)(1 << k);
            rows[i]->same_keys |= (uint8_t)(1 << k);
        }
    return 0;
}

/* Says of each row which of its keys another one has too: of a whole table at once, for sets are long. */
static int mark_keys(ModelBranch *branch) {
    const ModelObject *object = &model_objects_[branch->object];
    int r = 0;

    for (size_t i = 0; i < branch->n; i++)
        branch->rows[i]->same_keys = 0;
    for (size_t k = 0; k < MODEL_KEYS && object->keys[k][0] != MODEL_NONE && r == 0; k++)
        r = mark_key(branch, k);
    branch->marked = true;
    return r;
}

/* Is this change one that makes its row the same as another one? Its table is marked. */
static bool breaks_key(const ModelRef *ref) {
    const ModelObject *object = node_object(ref->node);
    uint16_t parameter = (uint16_t)(ref->parameter - model_parameters_);

    for (size_t k = 0; k < MODEL_KEYS && object->keys[k][0] != MODEL_NONE; k++) {
        bool part = parameter == object->enabled;
        for (const uint16_t *p = object->keys[k]; *p != MODEL_NONE; p++)
            part |= *p == parameter;
        if (part && ref->node->same_keys & 1 << k)
            return true;
    }
    return false;
}

/* Unique keys (TR-106 3.2) are looked at as all of the set would leave them. 0 or -ENOMEM. */
static int check_keys(ModelTransaction *t, const ModelSet *sets, size_t n) {
    ModelRef ref;
    int r = 0;

    swap_values(t);
    for (size_t i = 0; i < n && r == 0; i++) {
        if (!model_find(t->model, sets[i].name, &ref) || ref.node->instance == 0)
            continue;
        ModelBranch *branch = branch_of(ref.node);
        r = branch->marked ? 0 : mark_keys(branch);
        if (r == 0 && breaks_key(&ref))
            add_fault(t, sets[i].name, FAULT_INVALID_VALUE, "another row of the table has it");
    }
    swap_values(t);
    for (size_t i = 0; i < n; i++)
        if (model_find(t->model, sets[i].name, &ref) && ref.node->instance > 0)
            branch_of(ref.node)->marked = false;
    return r;
}

static int check_size(const ModelTransaction *t) {
    size_t more = 0;
    for (size_t i = 0; i < t->n; i++)
        more += t->changes[i].new_value ? strlen(t->changes[i].new_value) : 0;
    return more > MODEL_BYTES_MAX - MIN(t->model->n_bytes, (size_t)MODEL_BYTES_MAX) ? FAULT_RESOURCES_EXCEEDED
                                                                                    : 0;
}

int model_prepare_set(Model *model, const ModelSet *sets, size_t n, const char *parameter_key,
                      ModelTransaction **ret, ModelFault **ret_faults, size_t *ret_n_faults) {
    _cleanup_(model_transaction_freep) ModelTransaction *t = NULL;
    ModelRef ref;

    *ret_faults = NULL;
    *ret_n_faults = 0;
    int r = transaction_new(model, &t);
    if (r < 0 || !(t->faults = calloc(n + 1, sizeof *t->faults)))
        return -ENOMEM;
    for (size_t i = 0; i < n && r == 0; i++)
        r = add_wish(t, &sets[i]);
    for (size_t i = 0; i < n; i++)
        if (model_find(model, sets[i].name, &ref))
            ref.cell->named = false;
    if (r < 0)
        return r;
    if (t->n_faults == 0)
        r = check_keys(t, sets, n);
    if (r < 0)
        return r;
    if (t->n_faults > 0) {
        *ret_faults = TAKE_PTR(t->faults);
        *ret_n_faults = t->n_faults;
        return FAULT_INVALID_ARGUMENTS;
    }
    r = add_key(t, parameter_key);
    if (r == 0)
        r = check_size(t);
    if (r != 0)
        return r;
    t->n_shown = t->n;
    *ret = TAKE_PTR(t);
    return 0;
}

int model_set(Model *model, const ModelSet *sets, size_t n, const char *parameter_key, ModelOutcome *ret,
              ModelFault **ret_faults, size_t *ret_n_faults) {
    ModelTransaction *transaction;
    int r = model_prepare_set(model, sets, n, parameter_key, &transaction, ret_faults, ret_n_faults);
    return r == 0 ? model_commit(model, transaction, ret) : r;
}

/* AddObject and DeleteObject -------------------------------------------------------------------------- */

/* What model_put_instances() reads, with *row* added or without it. malloc'ed; NULL: no memory. */
static char *instances_text(const ModelBranch *branch, uint32_t added, uint32_t deleted) {
    size_t room = (branch->n + 2) * sizeof "4294967295,", n;
    char *text = malloc(room);

    if (!text)
        return NULL;
    n = (size_t)snprintf(text, room, "%" PRIu32 ":", MAX(branch->last, added));
    for (size_t i = 0; i <= branch->n; i++) {
        uint32_t instance = i < branch->n ? branch->rows[i]->instance : added;
        if (instance > 0 && instance != deleted)
            n += (size_t)snprintf(text + n, room - n, "%s%" PRIu32, text[n - 1] == ':' ? "" : ",", instance);
    }
    return text;
}

static int add_instances(ModelTransaction *t, const char *table, const ModelBranch *branch, uint32_t added,
                         uint32_t deleted) {
    _cleanup_free_ char *text = instances_text(branch, added, deleted);
    return text ? add_change(t, &(ModelChange){table, NULL, NULL, text, MODEL_CHANGE_INSTANCES}) : -ENOMEM;
}

/* 0, 9005 for what is no table with room for wishes, 9004, or -ENOMEM. */
static int find_creatable(const Model *model, const char *path, ModelPlace *ret) {
    if (!model_find_place(model, path, ret) || !ret->branch || !model_objects_[ret->branch->object].create)
        return FAULT_INVALID_NAME;
    return branch_has_room(model, ret->branch) ? 0 : FAULT_RESOURCES_EXCEEDED;
}

int model_prepare_add(Model *model, const char *path, const char *parameter_key, ModelTransaction **ret,
                      uint32_t *ret_instance) {
    _cleanup_(model_transaction_freep) ModelTransaction *t = NULL;
    char name[MODEL_NAME_MAX + 16];
    ModelPlace place;

    int r = find_creatable(model, path, &place);
    if (r == 0)
        r = transaction_new(model, &t);
    if (r != 0)
        return r;
    uint32_t instance = place.branch->last + 1;
    snprintf(name, sizeof name, "%s%" PRIu32 ".", path, instance);
    r = node_new(model, place.branch->object, place.node, instance, &t->added);
    if (r == 0)
        r = add_change(t, &(ModelChange){name, NULL, NULL, "", MODEL_CHANGE_ROW});
    if (r == 0)
        r = add_key(t, parameter_key);
    if (r != 0)
        return r;
    t->n_shown = t->n;
    r = add_instances(t, path, place.branch, instance, 0);
    if (r < 0)
        return r;
    *ret_instance = instance;
    *ret = TAKE_PTR(t);
    return 0;
}

/* All that the store may have of a row that goes. */
static int add_forgotten(ModelTransaction *t, const ModelNode *node) {
    char path[MODEL_NAME_MAX];
    int r = 0;

    for (size_t i = 0; i < node_object(node)->n && r == 0; i++) {
        const ModelCell *cell = &node->cells[i];
        const ModelParameter *p = node_parameter(node, i);
        model_path(t->model, node, NULL, path);
        size_t n = strlen(path);
        snprintf(path + n, sizeof path - n, "%s", p->name);
        if (cell->value && p->flags & MODEL_WRITE)
            r = add_change(t, &(ModelChange){path, p, cell->value, NULL, MODEL_CHANGE_VALUE});
        if (r == 0 && (cell->notification_set || cell->access_set))
            r = add_change(t, &(ModelChange){path, p, NULL, NULL, MODEL_CHANGE_ATTRIBUTE});
    }
    for (size_t i = 0; i < node_branches(t->model, node) && r == 0; i++) {
        const ModelBranch *branch = &node->branches[i];
        model_path(t->model, node, branch, path);
        if (model_objects_[branch->object].create)
            r = add_change(t, &(ModelChange){path, NULL, NULL, NULL, MODEL_CHANGE_INSTANCES});
        for (size_t k = 0; k < branch->n && r == 0; k++)
            r = add_forgotten(t, branch->rows[k]);
    }
    return r;
}

int model_prepare_delete(Model *model, const char *path, const char *parameter_key, ModelTransaction **ret) {
    _cleanup_(model_transaction_freep) ModelTransaction *t = NULL;
    char table[MODEL_NAME_MAX];
    ModelPlace place;

    if (!model_find_place(model, path, &place) || place.branch || place.node->instance == 0 ||
        !node_object(place.node)->create)
        return FAULT_INVALID_NAME;
    const ModelBranch *branch = branch_of(place.node);
    if (branch->n <= node_object(place.node)->min)
        return FAULT_REQUEST_DENIED;
    int r = transaction_new(model, &t);
    if (r < 0)
        return r;
    t->deleting = true;
    model_path(model, place.node->parent, branch, table);
    r = add_change(t, &(ModelChange){path, NULL, "", NULL, MODEL_CHANGE_ROW});
    if (r == 0)
        r = add_key(t, parameter_key);
    if (r != 0)
        return r;
    t->n_shown = t->n;
    r = add_instances(t, table, branch, 0, place.node->instance);
    if (r == 0)
        r = add_forgotten(t, place.node);
    if (r == 0)
        *ret = TAKE_PTR(t);
    return r;
}

/* Commit ---------------------------------------------------------------------------------------------- */

/* Is the tree still what the transaction was prepared for? The box may have taken a row away meanwhile. */
static int check_tree(ModelTransaction *t, ModelPlace *ret_row) {
    ModelRef ref;

    for (size_t i = 0; i < t->n_shown; i++)
        if (t->changes[i].kind == MODEL_CHANGE_VALUE && !model_find(t->model, t->changes[i].name, &ref))
            return FAULT_INTERNAL_ERROR;
    if (t->deleting && !model_find_place(t->model, t->changes[0].name, ret_row))
        return FAULT_INTERNAL_ERROR;
    if (!t->added)
        return 0;
    char *dot = strrchr(t->changes[0].name, '.'), table[MODEL_NAME_MAX];
    snprintf(table, sizeof table, "%s", t->changes[0].name);
    dot = table + (dot - t->changes[0].name);
    while (dot[-1] != '.')
        dot--;
    *dot = 0;
    if (!model_find_place(t->model, table, ret_row) || !ret_row->branch ||
        ret_row->branch->last + 1 != t->added->instance)
        return FAULT_INTERNAL_ERROR;
    return branch_reserve(ret_row->branch);
}

static void apply_values(ModelTransaction *t) {
    for (size_t i = 0; i < t->n_shown; i++) {
        ModelChange *change = &t->changes[i];
        ModelRef ref;
        if (change->kind == MODEL_CHANGE_VALUE && model_find(t->model, change->name, &ref))
            cell_set(t->model, &ref, (char *)TAKE_PTR(change->new_value));
    }
}

int model_commit(Model *model, ModelTransaction *transaction, ModelOutcome *ret) {
    _cleanup_(model_transaction_freep) ModelTransaction *t = transaction;
    ModelPlace place = {};

    int r = check_tree(t, &place);
    if (r != 0)
        return r;
    if (t->n > 0 && model->config.commit) {
        r = model->config.commit(model->config.userdata, t->changes, t->n);
        if (r < 0) {
            log_error("nothing of what the HeMS set changed, the store said: %s", strerror(-r));
            return FAULT_INTERNAL_ERROR;
        }
    }
    apply_values(t);
    if (t->added) {
        t->added->parent = place.node;
        branch_attach(model, place.node, place.branch, t->added, false);
        t->added = NULL;
    }
    if (t->deleting) {
        branch_detach(model, place.node->parent, branch_of(place.node), place.node, false);
        node_free(model, place.node);
    }
    *ret = t->outcome;
    return 0;
}
