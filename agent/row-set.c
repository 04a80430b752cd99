/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See row-set.h. */
#include "row-set.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"

typedef struct SetRow {
    uint32_t instance;
    bool kept;
    char key[ROW_KEY_MAX];
} SetRow;

struct RowSet {
    const Rows *rows;
    char table[ROW_PATH_MAX];
    size_t limit, n;
    SetRow items[];
};

int row_set_new(RowSet **ret, const Rows *rows, const char *table, size_t limit) {
    RowSet *set = calloc(1, sizeof *set + limit * sizeof set->items[0]);

    if (!set)
        return -ENOMEM;
    set->rows = rows;
    set->limit = limit;
    assert(strlen(table) < sizeof set->table);
    strcpy(set->table, table);
    *ret = set;
    return 0;
}

void row_set_free(RowSet *set) {
    free(set);
}

void row_set_begin(RowSet *set) {
    for (size_t i = 0; i < set->n; i++)
        set->items[i].kept = false;
}

uint32_t row_set_keep(RowSet *set, const char *key, bool *ret_new) {
    uint32_t instance;

    if (ret_new)
        *ret_new = false;
    for (size_t i = 0; i < set->n; i++)
        if (streq(set->items[i].key, key)) {
            set->items[i].kept = true;
            return set->items[i].instance;
        }
    if (set->n == set->limit || strlen(key) >= ROW_KEY_MAX)
        return 0;
    int r = set->rows->add(set->rows->userdata, set->table, &instance);
    if (r < 0) {
        log_debug("no row of %s can be made: %s", set->table, strerror(-r));
        return 0;
    }
    SetRow *row = &set->items[set->n++];
    *row = (SetRow){.instance = instance, .kept = true};
    strcpy(row->key, key);
    if (ret_new)
        *ret_new = true;
    return instance;
}

void row_set_sweep(RowSet *set, void (*gone)(void *userdata, const char *key), void *userdata) {
    char path[ROW_PATH_MAX + 16];
    size_t kept = 0;

    for (size_t i = 0; i < set->n; i++) {
        const SetRow *row = &set->items[i];
        if (row->kept) {
            set->items[kept++] = *row;
            continue;
        }
        if (gone)
            gone(userdata, row->key);
        snprintf(path, sizeof path, "%s%" PRIu32 ".", set->table, row->instance);
        int r = set->rows->remove(set->rows->userdata, path);
        if (r < 0)
            log_debug("%s cannot be removed: %s", path, strerror(-r));
    }
    set->n = kept;
}

const char *row_set_key(const RowSet *set, uint32_t instance) {
    for (size_t i = 0; i < set->n; i++)
        if (set->items[i].instance == instance)
            return set->items[i].key;
    return NULL;
}

void row_set_report(const RowSet *set, uint32_t instance, const char *name, const char *value) {
    char path[ROW_PATH_MAX + 80];

    snprintf(path, sizeof path, "%s%" PRIu32 ".%s", set->table, instance, name);
    int r = set->rows->report(set->rows->userdata, path, value);
    if (r != 0)
        log_debug("%s=%s is not taken (%d)", path, value, r);
}
