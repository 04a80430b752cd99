/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which parts of the HeMS's data model belong to which other daemons of the box: agent.conf's [Owners], a
 * path to a well-known name on the system bus. Plain data. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define OWNERS_MAX          32
#define OWNER_PATH_MAX      198 /* bytes with the NUL: a line of agent.conf is not longer */
#define OWNER_NAME_MAX      198 /* the bus itself would take 255 */
#define OWNER_OURS          "org.henb.Agent1"
#define OWNER_CHANGE_SET    "set"
#define OWNER_CHANGE_ADD    "add"
#define OWNER_CHANGE_DELETE "delete"

typedef struct OwnerRow {
    char path[OWNER_PATH_MAX]; /* a full name, or a partial path with a dot at its end */
    char name[OWNER_NAME_MAX];
} OwnerRow;

typedef struct OwnerTable {
    size_t n;
    OwnerRow rows[OWNERS_MAX];
} OwnerTable;

/* One change of the data model, as other daemons see it: *name* ends with a dot for a row, which was added
 * (*kind* OWNER_CHANGE_ADD) or deleted. The strings are borrowed. */
typedef struct OwnerChange {
    const char *name;
    const char *kind;  /* OWNER_CHANGE_* */
    const char *value; /* "" for rows and for hidden parameters */
} OwnerChange;

/* Why an owner will not have a change, in its words. Borrowed. */
typedef struct OwnerObjection {
    const char *name, *reason;
} OwnerObjection;

/* The row that *path* belongs to, the one with the longest path of several; NULL: nobody's. */
const OwnerRow *owner_table_find(const OwnerTable *table, const char *path);
/* Whether *path* belongs to *name*. */
bool owner_table_owns(const OwnerTable *table, const char *name, const char *path);
/* Sets *path* to *name*, or takes it out ("" or NULL). NULL, or what is wrong with them (static text). */
const char *owner_table_set(OwnerTable *table, const char *path, const char *name);

/* Of the parameters that say whether the cell is on the air, those that belong to *name*: they become false
 * when it leaves the bus. Returns how many. */
#define OWNER_ON_AIR_MAX 2
size_t owner_table_on_air(const OwnerTable *table, const char *name,
                          const char *ret[static OWNER_ON_AIR_MAX]);
