/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See kept.h. */
#include "kept.h"

#include "base/log.h"
#include "base/macro.h"

int kept_commit(Store *store, const ModelChange *changes, size_t n, bool *assigned) {
    static const StoreKind kinds[] = {
        [MODEL_CHANGE_VALUE] = STORE_PARAMETER,
        [MODEL_CHANGE_INSTANCES] = STORE_INSTANCE,
        [MODEL_CHANGE_ATTRIBUTE] = STORE_ATTRIBUTE,
    };
    _cleanup_free_ StoreChange *stored = calloc(n ?: 1, sizeof *stored);
    bool has_assigned = *assigned;
    size_t n_stored = 0;

    if (!stored || n > KEPT_CHANGES_MAX)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const ModelChange *c = &changes[i];
        if (c->kind == MODEL_CHANGE_ROW)
            continue;
        stored[n_stored++] = (StoreChange){kinds[c->kind], c->name, c->new_value};
        has_assigned |= c->kind == MODEL_CHANGE_VALUE && c->parameter->flags & MODEL_ASSIGNED;
    }
    int r = store_commit(store, stored, n_stored);
    if (r == 0)
        *assigned = has_assigned;
    return r;
}

typedef struct Loading {
    Model *model;
    bool *assigned;
} Loading;

/* A fault is of another version's model: nothing that must keep the box from starting. */
static int passed_over(const char *what, const char *key, int r) {
    if (r > 0)
        log_warning("store: %s%s does not fit the data model any more (CWMP fault %d) and is ignored", what,
                    key, r);
    return MIN(r, 0);
}

static int on_value(void *userdata, const char *path, const char *value) {
    const Loading *loading = userdata;
    const ModelParameter *parameter = model_parameter(loading->model, path);
    int r = model_put(loading->model, path, value);

    *loading->assigned |= r == 0 && parameter->flags & MODEL_ASSIGNED;
    return passed_over("", path, r);
}

static int on_instances(void *userdata, const char *table, const char *text) {
    const Loading *loading = userdata;
    return passed_over("what rows there are of ", table, model_put_instances(loading->model, table, text));
}

static int on_attribute(void *userdata, const char *name, const char *text) {
    const Loading *loading = userdata;
    return passed_over("the attributes of ", name, model_put_attribute(loading->model, name, text));
}

int kept_load(Store *store, Model *model, bool *assigned) {
    Loading loading = {model, assigned};
    int r = store_load(store, STORE_INSTANCE, on_instances, &loading);
    if (r == 0)
        r = store_load(store, STORE_PARAMETER, on_value, &loading);
    return r == 0 ? store_load(store, STORE_ATTRIBUTE, on_attribute, &loading) : r;
}
