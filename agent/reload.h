/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A reload: agent.conf, its drop-ins and the files they name are read anew, and what the running agent can
 * take of it is taken. */
#pragma once

#include "config-compare.h"
#include "security.h"

typedef struct Reloaded {
    bool restart;     /* *next* holds what nothing that runs can take; the rest below is not done then */
    bool log_level;   /* is another, and in force */
    bool credentials; /* roots, certificate or lists are others: *security* has them */
} Reloaded;

/* Reads *path* into *next*, and whole as it is into *config* when nothing has to begin again for it. What it
 * comes to is logged, with the keys that make it so. Negative errno with a line in *error* (ERROR_MAX_BYTES)
 * that names file, line and key: nothing has changed. The files that are only read by what begins again
 * (USIM) are not looked into. */
int reload(const char *path, Config *config, Security *security, Config *next, Reloaded *ret, char *error);
