/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See owner-table.h. Bus names: D-Bus specification, "Valid Names". */
#include "base/owner-table.h"

#include "base/macro.h"

#define FAP_CONTROL_LTE "Device.Services.FAPService.1.FAPControl.LTE."

static const char *const on_air[] = {FAP_CONTROL_LTE "OpState", FAP_CONTROL_LTE "RFTxStatus"};
static_assert(ARRAY_SIZE(on_air) == OWNER_ON_AIR_MAX, "room for each");

static bool covers(const char *path, const char *name) {
    size_t len = strlen(path);
    return path[len - 1] == '.' ? strncmp(path, name, len) == 0 : streq(path, name);
}

const OwnerRow *owner_table_find(const OwnerTable *table, const char *path) {
    const OwnerRow *best = NULL;

    for (size_t i = 0; i < table->n; i++) {
        const OwnerRow *row = &table->rows[i];
        if (covers(row->path, path) && (!best || strlen(row->path) > strlen(best->path)))
            best = row;
    }
    return best;
}

bool owner_table_owns(const OwnerTable *table, const char *name, const char *path) {
    const OwnerRow *row = owner_table_find(table, path);
    return row && streq(row->name, name);
}

static bool path_is_valid(const char *path) {
    static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

    return strncmp(path, "Device.", strlen("Device.")) == 0 && strspn(path, chars) == strlen(path) &&
           !strstr(path, "..");
}

/* A well-known one: at least two elements, none empty or with a digit in front. */
static bool name_is_valid(const char *name) {
    static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    size_t elements = 0;

    for (const char *p = name;; p++) {
        size_t len = strspn(p, chars);
        if (len == 0 || (*p >= '0' && *p <= '9'))
            return false;
        elements++;
        p += len;
        if (*p == 0)
            return elements > 1;
        if (*p != '.')
            return false;
    }
}

const char *owner_table_set(OwnerTable *table, const char *path, const char *name) {
    size_t i = 0;

    if (strlen(path) >= OWNER_PATH_MAX || !path_is_valid(path))
        return "not a parameter (Device.A.B) or a partial path (Device.A.)";
    while (i < table->n && !streq(table->rows[i].path, path))
        i++;
    if (!name || !*name) {
        if (i < table->n) {
            table->n--;
            memmove(&table->rows[i], &table->rows[i + 1], (table->n - i) * sizeof table->rows[0]);
        }
        return NULL;
    }
    if (strlen(name) >= OWNER_NAME_MAX || !name_is_valid(name))
        return "not a well-known name of a bus (org.example.Radio)";
    if (streq(name, OWNER_OURS) || strncmp(name, "org.freedesktop.DBus", strlen("org.freedesktop.DBus")) == 0)
        return "not another daemon's name";
    if (i == OWNERS_MAX)
        return "more owners than 32";
    static_assert(OWNERS_MAX == 32, "the number above");
    if (i == table->n)
        table->n++;
    strcpy(table->rows[i].path, path);
    strcpy(table->rows[i].name, name);
    return NULL;
}

size_t owner_table_on_air(const OwnerTable *table, const char *name,
                          const char *ret[static OWNER_ON_AIR_MAX]) {
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(on_air); i++)
        if (owner_table_owns(table, name, on_air[i]))
            ret[n++] = on_air[i];
    return n;
}
