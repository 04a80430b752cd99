/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See model.h. Values from this side: what the store kept, what the box reports. */
#include <stdio.h>

#include "base/log.h"
#include "cwmp/fault.h"
#include "cwmp/model-tree.h"
#include "cwmp/value.h"

#define S1_PORT_STANDARD 36412 /* IANA s1-control, TS 36.412 */

const ModelParameter *model_parameters(size_t *ret_n) {
    *ret_n = model_n_parameters;
    return model_parameters_;
}

const char *model_type_wire(ModelType type) {
    static const char *const types[MODEL_TYPES_] = {
        [MODEL_BOOLEAN] = "boolean",          [MODEL_DATE_TIME] = "dateTime",
        [MODEL_HEX_BINARY] = "hexBinary",     [MODEL_INT] = "int",
        [MODEL_UNSIGNED_INT] = "unsignedInt", [MODEL_UNSIGNED_LONG] = "unsignedLong",
    };
    return types[type] ? types[type] : "string";
}

int model_new(Model **ret, const ModelConfig *config) {
    Model *model = calloc(1, sizeof *model + model_n_objects * sizeof model->shapes[0]);

    if (!model)
        return -ENOMEM;
    model->config = *config;
    for (uint16_t i = 1; i < model_n_objects; i++) {
        const ModelObject *object = &model_objects_[i];
        struct ModelShape *parent = &model->shapes[object->parent], *shape = &model->shapes[i];
        uint16_t *link = &parent->first_child;
        shape->segment = object->path + strlen(model_objects_[object->parent].path);
        shape->size = strcspn(shape->segment, ".");
        while (*link > 0)
            link = &model->shapes[*link].next_sibling;
        *link = i;
        parent->n_children++;
    }
    int r = node_new(model, 0, NULL, 0, &model->root);
    if (r < 0) {
        free(model);
        return r;
    }
    *ret = model;
    return 0;
}

void model_free(Model *model) {
    if (!model)
        return;
    node_free(model, model->root);
    free(model);
}

void model_watch(Model *model) {
    model->watching = true;
}

static int put(Model *model, const char *name, const ModelRef *ref, const char *value) {
    char why[VALUE_WHY_MAX], *canonical;

    if (ref->parameter->flags & MODEL_COUNT)
        return FAULT_NOT_WRITABLE;
    int r = value_canonical(ref->parameter, value, &canonical, why);
    if (r != 0) {
        if (r > 0)
            log_warning("%s: the value is %s, keeping the one before", name, why);
        return r;
    }
    if (streq(canonical, cell_value(ref->cell, ref->parameter))) {
        value_free(canonical);
        return 0;
    }
    cell_set(model, ref, canonical);
    cell_notice(model, ref);
    return 0;
}

int model_put(Model *model, const char *path, const char *value) {
    ModelRef ref;
    return model_find(model, path, &ref) ? put(model, path, &ref, value) : FAULT_INVALID_NAME;
}

int model_put_quietly(Model *model, const char *path, const char *value) {
    bool watching = model->watching;

    model->watching = false;
    int r = model_put(model, path, value);
    model->watching = watching;
    return r;
}

/* The template of *path*, a full name, if it may be reported; else NULL. */
static const ModelParameter *find_reported(const char *path) {
    char template[MODEL_NAME_MAX];
    size_t n = 0;

    for (const char *s = path; *s && n < sizeof template - 4;) {
        size_t digits = strspn(s, "0123456789");
        if (digits > 0 && s > path && s[-1] == '.' && s[digits] == '.' && *s != '0') {
            memcpy(template + n, "{i}", 3);
            n += 3;
            s += digits;
        } else {
            template[n++] = *s++;
        }
    }
    template[n] = 0;
    for (size_t i = 0; i < model_n_parameters; i++)
        if (model_parameters_[i].flags & MODEL_REPORTED && streq(model_parameters_[i].path, template))
            return &model_parameters_[i];
    return NULL;
}

/* Before rows are made for it: does *value* fit? 0, -ENOMEM, 9005, or 9007. */
static int check_report(const char *path, const char *value) {
    const ModelParameter *parameter = strlen(path) < MODEL_NAME_MAX ? find_reported(path) : NULL;
    char why[VALUE_WHY_MAX], *canonical;

    if (!parameter)
        return FAULT_INVALID_NAME;
    int r = value_canonical(parameter, *value ? value : parameter->initial, &canonical, why);
    if (r == 0)
        value_free(canonical);
    return r;
}

/* One that others number. 0, -ENOMEM, 9004, or 9005 in a table that HeMSs fill. */
static int make_row(Model *model, const ModelPlace *place, unsigned long instance) {
    const ModelObject *object = &model_objects_[place->branch->object];
    ModelNode *row;

    if (object->create || instance < 1)
        return FAULT_INVALID_NAME;
    if (instance > (object->max ? object->max : MODEL_REPORTED_ROWS_MAX) ||
        !branch_has_room(model, place->branch))
        return FAULT_RESOURCES_EXCEEDED;
    int r = branch_reserve(place->branch);
    if (r == 0)
        r = node_new(model, place->branch->object, place->node, (uint32_t)instance, &row);
    if (r == 0)
        branch_attach(model, place->node, place->branch, row, true);
    return r;
}

/* Others number what they report (cells): the rows of *path*, which fits a template, that are missing are
 * made as they say. 0, -ENOMEM, 9004, or 9005, then none is. */
static int make_rows(Model *model, const char *path) {
    char part[MODEL_NAME_MAX];
    ModelPlace outer = {};
    uint32_t made = 0, last = 0;
    int r = 0;

    for (const char *dot = strchr(path, '.'); dot && r == 0; dot = strchr(dot + 1, '.')) {
        ModelPlace place;
        size_t n = (size_t)(dot - path) + 1;
        unsigned long instance = strtoul(dot + 1, NULL, 10);
        memcpy(part, path, n);
        part[n] = 0;
        if (!model_find_place(model, part, &place))
            r = FAULT_INVALID_NAME;
        if (r != 0 || !place.branch || branch_find(place.branch, (uint32_t)instance))
            continue;
        const uint32_t last_before = place.branch->last;
        r = make_row(model, &place, instance);
        if (r == 0 && made == 0) {
            outer = place;
            made = (uint32_t)instance;
            last = last_before;
        }
    }
    if (r != 0 && made > 0) {
        ModelNode *row = branch_find(outer.branch, made);
        branch_detach(model, outer.node, outer.branch, row, true);
        outer.branch->last = last;
        node_free(model, row);
    }
    return r;
}

int model_report(Model *model, const char *path, const char *value) {
    ModelRef ref;

    if (!model_find(model, path, &ref)) {
        int r = check_report(path, value);
        if (r == 0)
            r = make_rows(model, path);
        if (r != 0)
            return r;
        if (!model_find(model, path, &ref))
            return FAULT_INVALID_NAME;
    }
    if (!(ref.parameter->flags & MODEL_REPORTED))
        return FAULT_NOT_WRITABLE;
    int r = put(model, path, &ref, *value ? value : ref.parameter->initial);
    if (r == 0)
        ref.cell->reported = *value;
    return r;
}

bool model_is_known(const Model *model, const char *path) {
    ModelRef ref;
    return model_find(model, path, &ref) && (!(ref.parameter->flags & MODEL_REPORTED) || ref.cell->reported);
}

const ModelParameter *model_parameter(const Model *model, const char *path) {
    ModelRef ref;
    return model_find(model, path, &ref) ? ref.parameter : NULL;
}

const char *model_get(const Model *model, const char *path) {
    ModelRef ref;
    bool found = model_find(model, path, &ref);
    assert(found);
    return cell_value(ref.cell, ref.parameter);
}

bool model_get_boolean(const Model *model, const char *path) {
    return streq(model_get(model, path), "true");
}

uint32_t model_get_unsigned(const Model *model, const char *path) {
    return (uint32_t)strtoul(model_get(model, path), NULL, 10);
}

int64_t model_get_time(const Model *model, const char *path) {
    const char *value = model_get(model, path);
    int64_t seconds, unknown;
    (void)value_parse_time("0001-01-01T00:00:00Z", &unknown);
    return value_parse_time(value, &seconds) < 0 || seconds == unknown ? INT64_MIN : seconds;
}

int model_row_add(Model *model, const char *table, uint32_t *ret_instance) {
    ModelPlace place;
    ModelNode *row;

    if (!model_find_place(model, table, &place) || !place.branch)
        return -ENOENT;
    if (!branch_has_room(model, place.branch))
        return -ENOSPC;
    int r = branch_reserve(place.branch);
    if (r == 0)
        r = node_new(model, place.branch->object, place.node, place.branch->last + 1, &row);
    if (r < 0)
        return r;
    branch_attach(model, place.node, place.branch, row, true);
    *ret_instance = row->instance;
    return 0;
}

int model_row_remove(Model *model, const char *row) {
    ModelPlace place;

    if (!model_find_place(model, row, &place) || place.branch || place.node->instance == 0)
        return -ENOENT;
    branch_detach(model, place.node->parent, branch_of(place.node), place.node, true);
    node_free(model, place.node);
    return 0;
}

/* The rows of "7:1,2,5", in order, behind the highest number ever given. 0, -ENOMEM, or 9007 for a text that
 * is none; *rows* then has some. */
static int read_instances(Model *model, ModelNode *parent, const char *text, ModelBranch *rows) {
    char *end;

    if (text[strspn(text, "0123456789:,")])
        return FAULT_INVALID_VALUE;
    unsigned long last = strtoul(text, &end, 10), before = 0;
    if (end == text || *end != ':' || last > UINT32_MAX)
        return FAULT_INVALID_VALUE;
    for (const char *s = end + 1; *s || *end == ','; s = *end ? end + 1 : end) {
        unsigned long instance = strtoul(s, &end, 10);
        if (end == s || *end == ':' || instance <= before || instance > last || !branch_has_room(model, rows))
            return FAULT_INVALID_VALUE;
        int r = branch_reserve(rows);
        if (r == 0)
            r = node_new(model, rows->object, parent, (uint32_t)instance, &rows->rows[rows->n]);
        if (r < 0)
            return r;
        rows->n++;
        before = instance;
    }
    rows->last = (uint32_t)last;
    return 0;
}

int model_put_instances(Model *model, const char *table, const char *text) {
    ModelPlace place;

    if (!model_find_place(model, table, &place) || !place.branch ||
        !model_objects_[place.branch->object].create)
        return FAULT_INVALID_NAME;
    ModelBranch rows = {.object = place.branch->object};
    int r = read_instances(model, place.node, text, &rows);
    if (r == 0)
        branch_exchange(model, place.node, place.branch, &rows);
    branch_clear(model, &rows);
    return r;
}

#define LTE "Device.Services.FAPService.1.FAPControl.LTE."

void model_s1(const Model *model, S1Config *ret) {
    uint16_t port = (uint16_t)model_get_unsigned(model, LTE "Gateway.S1SigLinkPort");
    const char *list = model_get(model, LTE "Gateway.S1SigLinkServerList"), *item;
    const char *mode = model_get(model, LTE "Gateway.S1ConnectionMode");
    S1Config s1 = {.admin_state = model_get_boolean(model, LTE "AdminState")};

    snprintf(s1.connection_mode, sizeof s1.connection_mode, "%s", *mode ? mode : "One");
    for (list = *list ? list : NULL; list && s1.mme.n < MME_MAX;) {
        Mme *entry = &s1.mme.items[s1.mme.n++];
        size_t size = MIN(value_next_item(&list, &item), sizeof entry->entry - 1);
        memcpy(entry->entry, item, size);
        entry->port = port ? port : S1_PORT_STANDARD;
        if (address_parse(entry->entry, &entry->addresses.items[0]) == 0)
            entry->addresses.n = 1;
    }
    *ret = s1;
}
