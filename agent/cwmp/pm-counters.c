/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See pm-counters.h: an array sorted by kind of object, object and name. */
#include "cwmp/pm-counters.h"

#include <inttypes.h>
#include <stdio.h>

typedef struct Entry {
    char *info, *object, *type;
    bool counts;
    uint64_t total;                  /* as it was told last */
    uint64_t growth[PM_PERIODS_MAX]; /* of a counter */
    char value[PM_VALUE_MAX];        /* else: what came last */
    bool suspect;
    unsigned told; /* in these periods, bits */
} Entry;

struct PmCounters {
    Entry *entries;
    size_t n, capacity;
};

static_assert(PM_PERIODS_MAX <= 32, "a bit each");

int pm_counters_new(PmCounters **ret) {
    *ret = calloc(1, sizeof **ret);
    return *ret ? 0 : -ENOMEM;
}

static void entry_clear(Entry *e) {
    free(e->info);
    free(e->object);
    free(e->type);
}

void pm_counters_free(PmCounters *c) {
    if (!c)
        return;
    for (size_t i = 0; i < c->n; i++)
        entry_clear(&c->entries[i]);
    free(c->entries);
    free(c);
}

static int compare(const Entry *e, const PmCounter *counter) {
    int r = strcmp(e->info, counter->info);
    if (r == 0)
        r = strcmp(e->object, counter->object);
    return r ?: strcmp(e->type, counter->type);
}

/* The first one that does not come before it. */
static size_t lower_bound(const PmCounters *c, const PmCounter *counter) {
    size_t from = 0, to = c->n;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (compare(&c->entries[middle], counter) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static int make_room(PmCounters *c) {
    if (c->n < c->capacity)
        return 0;
    if (c->n >= PM_COUNTERS_MAX)
        return -E2BIG;
    size_t capacity = MIN(MAX(2 * c->capacity, (size_t)64), (size_t)PM_COUNTERS_MAX);
    Entry *entries = realloc(c->entries, capacity * sizeof *entries);
    if (!entries)
        return -ENOMEM;
    c->entries = entries;
    c->capacity = capacity;
    return 0;
}

/* Its entry, made if there is none. *ret_new*: it was. */
static int place(PmCounters *c, const PmCounter *counter, Entry **ret, bool *ret_new) {
    if (!pm_counter_is_valid(counter))
        return -EINVAL;
    size_t i = lower_bound(c, counter);
    *ret_new = i == c->n || compare(&c->entries[i], counter) != 0;
    if (*ret_new) {
        int r = make_room(c);
        if (r < 0)
            return r;
        Entry e = {
            .info = strdup(counter->info), .object = strdup(counter->object), .type = strdup(counter->type)};
        if (!e.info || !e.object || !e.type) {
            entry_clear(&e);
            return -ENOMEM;
        }
        memmove(&c->entries[i + 1], &c->entries[i], (c->n - i) * sizeof e);
        c->entries[i] = e;
        c->n++;
    }
    *ret = &c->entries[i];
    (*ret)->suspect = counter->suspect;
    (*ret)->told = UINT32_MAX;
    return 0;
}

int pm_counters_count(PmCounters *c, const PmCounter *counter, uint64_t total) {
    const PmCounter named = {counter->info, counter->object, counter->type, NULL, counter->suspect};
    bool is_new;
    Entry *e;

    int r = place(c, &named, &e, &is_new);
    if (r < 0)
        return r;
    if (!is_new && e->counts) {
        const uint64_t growth = total >= e->total ? total - e->total : total;
        for (size_t i = 0; i < PM_PERIODS_MAX; i++)
            e->growth[i] += growth;
    }
    e->counts = true;
    e->total = total;
    return 0;
}

int pm_counters_measure(PmCounters *c, const PmCounter *counter) {
    bool is_new;
    Entry *e;

    int r = place(c, counter, &e, &is_new);
    if (r < 0)
        return r;
    e->counts = false;
    snprintf(e->value, sizeof e->value, "%s", strempty(counter->value));
    return 0;
}

void pm_counters_begin(PmCounters *c, size_t period) {
    for (size_t i = 0; i < c->n; i++) {
        c->entries[i].growth[period] = 0;
        c->entries[i].told &= ~(1u << period);
    }
}

int pm_counters_write(const PmCounters *c, size_t period, const PmHeader *header, char **ret,
                      size_t *ret_size) {
    _cleanup_(pm_file_freep) PmFile *file = NULL;
    char growth[24];

    int r = pm_file_new(&file);
    for (size_t i = 0; i < c->n && r == 0; i++) {
        const Entry *e = &c->entries[i];
        snprintf(growth, sizeof growth, "%" PRIu64, e->growth[period]);
        const char *value = !(e->told & 1u << period) ? "" : e->counts ? growth : e->value;
        r = pm_file_add(file, &(PmCounter){e->info, e->object, e->type, value, e->suspect});
    }
    return r < 0 ? r : pm_file_write(file, header, ret, ret_size);
}
