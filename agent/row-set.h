/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows of the data model that the box itself makes: how they are made, and one table of them that is to show
 * a set of things (interfaces, addresses, processes), each with a key of its own. Pure. */
#pragma once

#include <stdint.h>

#include "base/macro.h"

#define ROW_KEY_MAX  64 /* bytes, with the NUL */
#define ROW_PATH_MAX 96

/* The data model's side. 0 or negative errno. Paths are full names, with a dot at the end for tables and
 * rows. *report* takes the value of any parameter, also of one that a HeMS could set. */
typedef struct Rows {
    int (*add)(void *userdata, const char *table, uint32_t *ret_instance);
    int (*remove)(void *userdata, const char *row);
    int (*report)(void *userdata, const char *path, const char *value);
    void *userdata;
} Rows;

typedef struct RowSet RowSet;

/* *table* ends with a dot. *limit*: rows at most. *rows* is borrowed. 0 or -ENOMEM. */
int row_set_new(RowSet **ret, const Rows *rows, const char *table, size_t limit);
/* The rows stay. */
void row_set_free(RowSet *set);
DEFINE_CLEANUP(RowSet, row_set_free)

/* What is there is told anew: row_set_keep() of each, then row_set_sweep(). */
void row_set_begin(RowSet *set);
/* The instance number of the row for *key*, which is made if there is none; 0: there is no room, or a longer
 * key than ROW_KEY_MAX. *ret_new* may be NULL. */
uint32_t row_set_keep(RowSet *set, const char *key, bool *ret_new);
/* Removes the rows that were not kept. *gone*, which may be NULL, is told of each before. */
void row_set_sweep(RowSet *set, void (*gone)(void *userdata, const char *key), void *userdata);
/* The key of a row; NULL: there is no such row. Lives until the row goes. */
const char *row_set_key(const RowSet *set, uint32_t instance);
/* A value of a row; what the data model does not take is logged for debugging. */
void row_set_report(const RowSet *set, uint32_t instance, const char *name, const char *value);
