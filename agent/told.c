/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See told.h. */
#include "told.h"

#include "base/macro.h"

static const struct {
    const char *path, *key;
} parameters[] = {
    {TOLD_SOFTWARE_VERSION, "told-software-version"},
    {TOLD_CONNECTION_REQUEST_URL, "told-connection-request-url"},
};

static const char *key_of(const char *path) {
    for (size_t i = 0; i < ARRAY_SIZE(parameters); i++)
        if (streq(parameters[i].path, path))
            return parameters[i].key;
    assert(false);
}

int told_put(Store *store, Model *model, const char *path, const char *value) {
    _cleanup_free_ char *told = NULL;

    if (store_get_meta(store, key_of(path), &told) == 0 && model_put_quietly(model, path, told) == -ENOMEM)
        return -ENOMEM;
    return model_put(model, path, value);
}

void told_keep(Store *store, const Model *model) {
    for (size_t i = 0; i < ARRAY_SIZE(parameters); i++) {
        _cleanup_free_ char *told = NULL;
        const char *value = model_get(model, parameters[i].path);
        bool known = store_get_meta(store, parameters[i].key, &told) == 0;

        if (*value && !(known && streq(told, value)))
            (void)store_set_meta(store, parameters[i].key, value);
    }
}
