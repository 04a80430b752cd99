/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the agent publishes, as a tree of JSON: henbctl reads everything into one, prints it as it is with
 * --json, and makes its texts from it. What is missing reads as empty, so that an older agent can be asked.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

/* Of an object; "", 0, false, NULL without. The tree's, not the caller's. */
const char *tree_text(const json_object *object, const char *key);
uint64_t tree_number(const json_object *object, const char *key);
bool tree_flag(const json_object *object, const char *key);
json_object *tree_child(const json_object *object, const char *key);
/* The i-th of an array in an object; NULL: no more. */
json_object *tree_item(const json_object *object, const char *key, size_t i);
size_t tree_length(const json_object *array); /* 0 of anything else */
/* The array's texts with *between* them; "" for none. Written to *ret*, cut to *size*. */
const char *tree_join(const json_object *array, const char *between, char *ret, size_t size);

static inline void json_object_putp(json_object **p) {
    json_object_put(*p);
}

/* From the answer to GetManagedObjects: {"agent": {...}, "tunnels": [...], "session": {...}}. The caller's.
 */
json_object *tree_of_objects(const json_object *objects);
/* From the property Timeline: an array of objects with start, end, clause, title, outcome, error. The
 * caller's. */
json_object *tree_of_timeline(const json_object *steps);
/* From the answer to Parameters.Get: {name: {"type": ..., "value": ...}}. The caller's. */
json_object *tree_of_parameters(const json_object *parameters);
