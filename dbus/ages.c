/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See ages.h: an array sorted by path. */
#include "dbus/ages.h"

typedef struct Age {
    char *path;
    usec_t reported;
} Age;

struct Ages {
    size_t n;
    Age items[AGES_MAX];
};

int ages_new(Ages **ret) {
    Ages *ages = calloc(1, sizeof *ages);

    if (!ages)
        return -ENOMEM;
    *ret = ages;
    return 0;
}

void ages_free(Ages *ages) {
    if (!ages)
        return;
    for (size_t i = 0; i < ages->n; i++)
        free(ages->items[i].path);
    free(ages);
}

/* The first one that does not come before *path*. */
static size_t lower_bound(const Ages *ages, const char *path) {
    size_t from = 0, to = ages->n;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (strcmp(ages->items[middle].path, path) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

void ages_note(Ages *ages, const char *path, usec_t now) {
    size_t i = lower_bound(ages, path);

    if (i == ages->n || !streq(ages->items[i].path, path)) {
        char *copy = ages->n < AGES_MAX ? strdup(path) : NULL;
        if (!copy)
            return;
        memmove(&ages->items[i + 1], &ages->items[i], (ages->n - i) * sizeof ages->items[0]);
        ages->n++;
        ages->items[i].path = copy;
    }
    ages->items[i].reported = now;
}

void ages_forget(Ages *ages, const char *path) {
    size_t i = lower_bound(ages, path);

    if (i == ages->n || !streq(ages->items[i].path, path))
        return;
    free(ages->items[i].path);
    ages->n--;
    memmove(&ages->items[i], &ages->items[i + 1], (ages->n - i) * sizeof ages->items[0]);
}

int ages_visit(const Ages *ages, const char *path,
               int (*visitor)(void *userdata, const char *path, usec_t reported), void *userdata) {
    const size_t len = strlen(path);
    const bool partial = len == 0 || path[len - 1] == '.';

    for (size_t i = lower_bound(ages, path); i < ages->n; i++) {
        const Age *age = &ages->items[i];
        if (partial ? strncmp(age->path, path, len) != 0 : !streq(age->path, path))
            break;
        int r = visitor(userdata, age->path, age->reported);
        if (r != 0)
            return r;
    }
    return 0;
}
