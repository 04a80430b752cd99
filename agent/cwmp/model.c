/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See model.h. */
#include "cwmp/model.h"

#include <stdio.h>

#include "base/log.h"
#include "base/macro.h"
#include "cwmp/fault.h"
#include "cwmp/value.h"

#define PARAMETER_KEY    "Device.ManagementServer.ParameterKey"
#define S1_PORT_STANDARD 36412 /* IANA s1-control, TS 36.412 */

/* The words of parameters.def. */
#define ANY              0, 0, NULL
#define SIZE(low, high)  low, high, NULL
#define RANGE(low, high) low, high, NULL
#define VALUES(list)     0, 0, list
#define R                0
#define W                MODEL_WRITE
#define FORCED           MODEL_FORCED_INFORM
#define HIDDEN           MODEL_HIDDEN
#define REPORTED         MODEL_REPORTED
#define ASSIGNED         MODEL_ASSIGNED
#define MME              MODEL_TOPIC_MME
#define S1               MODEL_TOPIC_S1
#define GATEWAY          MODEL_TOPIC_GATEWAY
#define ACS              MODEL_TOPIC_ACS
#define PERIODIC         MODEL_TOPIC_PERIODIC
#define RETRY            MODEL_TOPIC_RETRY
#define CONNECTION       MODEL_TOPIC_CONNECTION

#define PARAMETER(path, type, constraint, initial, flags) {path, MODEL_##type, constraint, initial, flags},
static const ModelParameter parameters[] = {
#include "cwmp/parameters.def"
};
#undef PARAMETER

#define PARAMETERS ARRAY_SIZE(parameters)

struct Model {
    ModelConfig config;
    char *values[PARAMETERS];
    bool reported[PARAMETERS];
    uint16_t by_name[PARAMETERS]; /* rows in order of their paths, for the binary search */
};

const ModelParameter *model_parameters(size_t *ret_n) {
    *ret_n = PARAMETERS;
    return parameters;
}

const char *model_type_wire(ModelType type) {
    static const char *const types[MODEL_TYPES_] = {
        [MODEL_STRING] = "string",
        [MODEL_BOOLEAN] = "boolean",
        [MODEL_INT] = "int",
        [MODEL_UNSIGNED_INT] = "unsignedInt",
        [MODEL_DATE_TIME] = "dateTime",
        [MODEL_ENUMERATION] = "string",
        [MODEL_LIST] = "string",
        [MODEL_ADDRESS] = "string",
        [MODEL_HOST] = "string",
        [MODEL_HOST_LIST] = "string",
        [MODEL_URL] = "string",
    };
    return types[type];
}

/* Passwords are among the values. */
static void value_free(char *value) {
    if (value)
        explicit_bzero(value, strlen(value));
    free(value);
}

static int compare_rows(const void *a, const void *b) {
    return strcmp(parameters[*(const uint16_t *)a].path, parameters[*(const uint16_t *)b].path);
}

static int compare_name(const void *name, const void *row) {
    return strcmp(name, parameters[*(const uint16_t *)row].path);
}

/* The row of *name*, or PARAMETERS. */
static size_t model_find(const Model *model, const char *name) {
    const uint16_t *row = bsearch(name, model->by_name, PARAMETERS, sizeof model->by_name[0], compare_name);
    return row ? *row : PARAMETERS;
}

int model_new(Model **ret, const ModelConfig *config) {
    Model *model = calloc(1, sizeof *model);
    if (!model)
        return -ENOMEM;
    model->config = *config;
    for (uint16_t i = 0; i < PARAMETERS; i++) {
        model->by_name[i] = i;
        model->values[i] = strdup(parameters[i].initial);
        if (!model->values[i]) {
            model_free(model);
            return -ENOMEM;
        }
    }
    qsort(model->by_name, PARAMETERS, sizeof model->by_name[0], compare_rows);
    *ret = model;
    return 0;
}

void model_free(Model *model) {
    if (!model)
        return;
    for (size_t i = 0; i < PARAMETERS; i++)
        value_free(model->values[i]);
    free(model);
}

int model_put(Model *model, const char *path, const char *value) {
    size_t row = model_find(model, path);
    char why[VALUE_WHY_MAX], *canonical;

    if (row == PARAMETERS)
        return FAULT_INVALID_NAME;
    int r = value_canonical(&parameters[row], value, &canonical, why);
    if (r != 0) {
        if (r > 0)
            log_warning("%s: the value is %s, keeping the one before", path, why);
        return r;
    }
    value_free(model->values[row]);
    model->values[row] = canonical;
    return 0;
}

int model_report(Model *model, const char *path, const char *value) {
    size_t row = model_find(model, path);

    if (row == PARAMETERS)
        return FAULT_INVALID_NAME;
    if (!(parameters[row].flags & MODEL_REPORTED))
        return FAULT_NOT_WRITABLE;
    int r = model_put(model, path, *value ? value : parameters[row].initial);
    if (r == 0)
        model->reported[row] = *value;
    return r;
}

bool model_is_known(const Model *model, const ModelParameter *parameter) {
    return !(parameter->flags & MODEL_REPORTED) || model->reported[parameter - parameters];
}

const ModelParameter *model_parameter(const Model *model, const char *path) {
    size_t row = model_find(model, path);
    return row == PARAMETERS ? NULL : &parameters[row];
}

const char *model_get(const Model *model, const char *path) {
    size_t row = model_find(model, path);
    assert(row < PARAMETERS);
    return model->values[row];
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

static bool starts_with(const char *s, const char *prefix, size_t n) {
    return strncmp(s, prefix, n) == 0;
}

/* A name that ends in a dot, or none at all. */
static bool is_partial(const char *path) {
    size_t n = strlen(path);
    return n == 0 || path[n - 1] == '.';
}

static const char *visible_value(const Model *model, size_t row) {
    return parameters[row].flags & MODEL_HIDDEN ? "" : model->values[row];
}

static int visit_object(const char *path, size_t n, ModelVisitor visitor, void *userdata) {
    char name[256];
    assert(n < sizeof name);
    memcpy(name, path, n);
    name[n] = 0;
    return visitor(userdata, name, NULL, NULL);
}

/* The objects that contain *path* and did not contain *previous*, from *at_least* bytes on. */
static int visit_new_objects(const char *path, const char *previous, size_t at_least, ModelVisitor visitor,
                             void *userdata) {
    for (const char *dot = strchr(path, '.'); dot; dot = strchr(dot + 1, '.')) {
        size_t n = (size_t)(dot - path) + 1;
        if (n < at_least || starts_with(previous, path, n))
            continue;
        int r = visit_object(path, n, visitor, userdata);
        if (r != 0)
            return r;
    }
    return 0;
}

/* What stands right below the *n* bytes of path: a parameter, or an object not shown for *previous*. */
static int visit_next_level(const Model *model, size_t row, const char *previous, size_t n,
                            ModelVisitor visitor, void *userdata) {
    const char *path = parameters[row].path, *dot = strchr(path + n, '.');
    size_t object = dot ? (size_t)(dot - path) + 1 : 0;

    if (!dot)
        return visitor(userdata, path, &parameters[row], visible_value(model, row));
    return starts_with(previous, path, object) ? 0 : visit_object(path, object, visitor, userdata);
}

int model_list(const Model *model, const char *path, bool next_level, ModelVisitor visitor, void *userdata) {
    const char *previous = "";
    size_t n = strlen(path);

    if (!is_partial(path))
        return next_level ? FAULT_INVALID_ARGUMENTS : model_read(model, path, visitor, userdata);
    for (size_t row = 0; row < PARAMETERS; row++) {
        const ModelParameter *p = &parameters[row];
        int r;
        if (!starts_with(p->path, path, n))
            continue;
        if (next_level) {
            r = visit_next_level(model, row, previous, n, visitor, userdata);
        } else {
            r = visit_new_objects(p->path, previous, n, visitor, userdata);
            if (r == 0)
                r = visitor(userdata, p->path, p, visible_value(model, row));
        }
        if (r != 0)
            return r;
        previous = p->path;
    }
    return *previous ? 0 : FAULT_INVALID_NAME;
}

int model_read(const Model *model, const char *path, ModelVisitor visitor, void *userdata) {
    size_t n = strlen(path), row;
    bool found = false;

    if (!is_partial(path)) {
        row = model_find(model, path);
        return row == PARAMETERS ? FAULT_INVALID_NAME
                                 : visitor(userdata, path, &parameters[row], visible_value(model, row));
    }
    for (row = 0; row < PARAMETERS; row++) {
        if (!starts_with(parameters[row].path, path, n))
            continue;
        found = true;
        int r = visitor(userdata, parameters[row].path, &parameters[row], visible_value(model, row));
        if (r != 0)
            return r;
    }
    return found ? 0 : FAULT_INVALID_NAME;
}

int model_read_forced(const Model *model, ModelVisitor visitor, void *userdata) {
    for (size_t row = 0; row < PARAMETERS; row++) {
        if (!(parameters[row].flags & MODEL_FORCED_INFORM))
            continue;
        int r = visitor(userdata, parameters[row].path, &parameters[row], visible_value(model, row));
        if (r != 0)
            return r;
    }
    return 0;
}

/* A set on its way: new values beside the old ones until the commit. */
typedef struct ModelTransaction ChangeSet;
struct ModelTransaction {
    char *values[PARAMETERS]; /* NULL: not named, or not acceptable */
    bool named[PARAMETERS];
    ModelFault *faults; /* room for one each wish */
    size_t n_faults;
    ModelOutcome outcome;
    ModelChange *changes;
    size_t n_changes;
};

static void change_set_free(ChangeSet *set) {
    for (size_t i = 0; i < PARAMETERS; i++)
        value_free(set->values[i]);
    free(set->faults);
    free(set->changes);
    free(set);
}
DEFINE_CLEANUP(ChangeSet, change_set_free)

static void change_set_fault(ChangeSet *set, const char *name, int code, const char *text) {
    ModelFault *fault = &set->faults[set->n_faults++];
    *fault = (ModelFault){.name = name, .code = code};
    snprintf(fault->text, sizeof fault->text, "%s", text);
}

/* Takes one wish up. 0 (a fault of it is noted) or -ENOMEM. */
static int change_set_add(ChangeSet *set, const Model *model, const ModelSet *wish) {
    size_t row = model_find(model, wish->name);
    const ModelParameter *p = &parameters[row];
    char why[VALUE_WHY_MAX], *value;
    int code = row == PARAMETERS           ? FAULT_INVALID_NAME
               : !(p->flags & MODEL_WRITE) ? FAULT_NOT_WRITABLE
               : set->named[row]           ? FAULT_INVALID_ARGUMENTS
                                           : 0;
    if (code != 0) {
        change_set_fault(set, wish->name, code,
                         code == FAULT_INVALID_ARGUMENTS ? "named twice" : cwmp_fault_text(code));
        return 0;
    }
    set->named[row] = true;
    /* There are HeMSs that type loosely: the value decides (TR-069 A.2.1 would let us refuse with 9006). */
    bool other_type = *wish->type && !streq(wish->type, model_type_wire(p->type));
    if (other_type)
        log_info("%s: came as xsd:%.32s, is xsd:%s", p->path, wish->type, model_type_wire(p->type));
    int r = value_canonical(p, wish->value, &value, why);
    if (r > 0)
        change_set_fault(set, wish->name, other_type ? FAULT_INVALID_TYPE : r, why);
    if (r != 0)
        return MIN(r, 0);
    set->values[row] = value;
    set->outcome.topics_set |= p->flags & MODEL_TOPICS;
    if (model->config.veto) {
        const char *objection =
            model->config.veto(model->config.userdata, &(ModelChange){p->path, p, model->values[row], value});
        if (objection)
            change_set_fault(set, wish->name, FAULT_REQUEST_DENIED, objection);
    }
    return 0;
}

/* What differs from the model goes to the commit, and what is assigned in any case. */
static int change_set_list(ChangeSet *set, const Model *model) {
    set->changes = calloc(PARAMETERS, sizeof *set->changes);
    if (!set->changes)
        return -ENOMEM;
    for (size_t row = 0; row < PARAMETERS; row++) {
        bool equal = set->values[row] && streq(set->values[row], model->values[row]);
        if (!set->values[row] || (equal && !(parameters[row].flags & MODEL_ASSIGNED)))
            continue;
        set->changes[set->n_changes++] =
            (ModelChange){parameters[row].path, &parameters[row], model->values[row], set->values[row]};
        if (!equal)
            set->outcome.topics_changed |= parameters[row].flags & MODEL_TOPICS;
    }
    return 0;
}

/* The key is no wish of its own: read-only for the HeMS, but part of the same commit (A.3.2.1). */
static int change_set_add_key(ChangeSet *set, const Model *model, const char *key) {
    size_t row = model_find(model, PARAMETER_KEY);
    char why[VALUE_WHY_MAX];
    int r = value_canonical(&parameters[row], key, &set->values[row], why);
    return r > 0 ? FAULT_INVALID_ARGUMENTS : r;
}

int model_prepare_set(Model *model, const ModelSet *sets, size_t n, const char *parameter_key,
                      ModelTransaction **ret, ModelFault **ret_faults, size_t *ret_n_faults) {
    _cleanup_(change_set_freep) ChangeSet *set = calloc(1, sizeof *set);
    int r;

    *ret_faults = NULL;
    *ret_n_faults = 0;
    if (!set || !(set->faults = calloc(n + 1, sizeof *set->faults)))
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        r = change_set_add(set, model, &sets[i]);
        if (r < 0)
            return r;
    }
    if (set->n_faults > 0) {
        *ret_faults = TAKE_PTR(set->faults);
        *ret_n_faults = set->n_faults;
        return FAULT_INVALID_ARGUMENTS;
    }
    r = change_set_add_key(set, model, parameter_key);
    if (r == 0)
        r = change_set_list(set, model);
    if (r == 0)
        *ret = TAKE_PTR(set);
    return r;
}

const ModelChange *model_transaction_changes(const ModelTransaction *transaction, size_t *ret_n) {
    *ret_n = transaction->n_changes;
    return transaction->changes;
}

void model_transaction_free(ModelTransaction *transaction) {
    if (transaction)
        change_set_free(transaction);
}

int model_commit(Model *model, ModelTransaction *transaction, ModelOutcome *ret) {
    _cleanup_(change_set_freep) ChangeSet *set = transaction;

    if (set->n_changes > 0 && model->config.commit) {
        int r = model->config.commit(model->config.userdata, set->changes, set->n_changes);
        if (r < 0) {
            log_error("SetParameterValues: nothing changed, the store said: %s", strerror(-r));
            return FAULT_INTERNAL_ERROR;
        }
    }
    for (size_t row = 0; row < PARAMETERS; row++)
        if (set->values[row]) {
            char *old = model->values[row];
            model->values[row] = TAKE_PTR(set->values[row]);
            value_free(old);
        }
    *ret = set->outcome;
    return 0;
}

int model_set(Model *model, const ModelSet *sets, size_t n, const char *parameter_key, ModelOutcome *ret,
              ModelFault **ret_faults, size_t *ret_n_faults) {
    ModelTransaction *transaction;
    int r = model_prepare_set(model, sets, n, parameter_key, &transaction, ret_faults, ret_n_faults);
    return r == 0 ? model_commit(model, transaction, ret) : r;
}

/* No table of this model has rows that a HeMS makes. */
int model_prepare_add(Model *model, const char *path, const char *parameter_key, ModelTransaction **ret,
                      uint32_t *ret_instance) {
    return FAULT_INVALID_NAME;
}

int model_prepare_delete(Model *model, const char *path, const char *parameter_key, ModelTransaction **ret) {
    return FAULT_INVALID_NAME;
}

typedef struct AttributesWalk {
    ModelAttributesVisitor visitor;
    void *userdata;
} AttributesWalk;

static int visit_attributes(void *userdata, const char *name, const ModelParameter *parameter,
                            const char *value) {
    const AttributesWalk *walk = userdata;
    return walk->visitor(walk->userdata, &(ModelAttributes){.name = name, .access = ""});
}

int model_attributes_read(const Model *model, const char *path, ModelAttributesVisitor visitor,
                          void *userdata) {
    AttributesWalk walk = {visitor, userdata};
    return model_read(model, path, visit_attributes, &walk);
}

/* Not kept by this model. */
int model_attributes_set(Model *model, const ModelAttributes *attributes, size_t n) {
    return n == 0 ? 0 : FAULT_REQUEST_DENIED;
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
