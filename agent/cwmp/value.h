/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lexical values of the data model's types (TR-106 3.2, XML Schema part 2). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cwmp/model.h"

#define VALUE_WHY_MAX 96 /* bytes of an explanation, with its NUL */

/* Checks *text* against type and constraint of *parameter* and gives it in canonical form, malloc'ed. 0,
 * -ENOMEM, or FAULT_INVALID_VALUE with *why* ("not 1..65535"), which never quotes the value. */
int value_canonical(const ModelParameter *parameter, const char *text, char **ret,
                    char why[static VALUE_WHY_MAX]);

/* Seconds since 1970 of an xsd:dateTime (without a zone it is UTC, TR-106 3.2). 0 or -EINVAL. */
int value_parse_time(const char *text, int64_t *ret);
/* "2026-11-23T07:08:09Z"; *buf* has VALUE_TIME_MAX bytes. */
#define VALUE_TIME_MAX 32
const char *value_format_time(int64_t seconds, char buf[static VALUE_TIME_MAX]);

/* The next item of a comma-separated list without white space around it: its size, *item* set to it and
 * *list* moved on, to NULL after the last one. Do not call with NULL. */
size_t value_next_item(const char **list, const char **item);
