/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The process from its start to its end: one manager after another, each with the agent.conf of its time, and
 * what systemd hears of it (sd_notify(3)). */
#pragma once

#include "config.h"
#include "security.h"

/* Runs until stopped. *path* is agent.conf's, *state* the directory of what is kept; *config* and *security*
 * are of the start, and *security* is freed. Exit status: 69 and 78 are not started again. */
int life_run(const char *path, const char *state, Config *config, Security *security);
