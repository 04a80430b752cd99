/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See factory-data.h. */
#include "factory-data.h"

#include <stdio.h>

#define META_FACTORY "factory-data"
#define FACTORY_MAX  (IDENTITY_MAX_BYTES + 2 * HOST_MAX_BYTES + 2 * URL_MAX_BYTES + 8)

static void factory_format(const Config *c, char *ret, size_t size) {
    snprintf(ret, size, "%s\n%s\n%s\n%s\n%s\n", c->operator_name, c->initial.segw, c->initial.hems,
             c->serving.segw, c->serving.hems);
}

FactoryDataNews factory_data_compare(const Config *config, Store *store) {
    _cleanup_free_ char *before = NULL;
    char now[FACTORY_MAX];

    if (store_get_meta(store, META_FACTORY, &before) < 0)
        return FACTORY_DATA_FIRST;
    factory_format(config, now, sizeof now);
    return streq(before, now) ? FACTORY_DATA_SAME : FACTORY_DATA_OTHER;
}

void factory_data_keep(const Config *config, Store *store) {
    char now[FACTORY_MAX];

    factory_format(config, now, sizeof now);
    (void)store_set_meta(store, META_FACTORY, now); /* which logs why not */
}

void factory_data_site(Site *ret, const ConfigPair *pair) {
    *ret = (Site){};
    snprintf(ret->hems_url, sizeof ret->hems_url, "%s", pair->hems);
    if (*pair->segw)
        snprintf(ret->segws[ret->n_segws++], sizeof ret->segws[0], "%s", pair->segw);
}
