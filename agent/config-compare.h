/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What two readings of agent.conf differ in, and whether a running agent can take it: the table of what a
 * reload does with each key. Plain data. */
#pragma once

#include "config.h"

#define CONFIG_NAMES_MAX 2048 /* "[SECTION] KEY=, [SECTION] KEY=" of all keys there are, with its NUL */

typedef struct ConfigDifference {
    char in_place[CONFIG_NAMES_MAX]; /* taken while everything goes on; "": none */
    char restart[CONFIG_NAMES_MAX];  /* what runs was made with them: all begins again; "": none */
} ConfigDifference;

/* Holds two loaded configurations against each other, key by key. Where a value was set, and in how many
 * lines, is no difference. */
void config_compare(const Config *now, const Config *next, ConfigDifference *ret);
