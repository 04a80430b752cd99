/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The file with the password for the HeMS: one line. */
#pragma once

#include "base/macro.h"
#include "cwmp/rpc-services.h"

#define PASSWORD_MAX_BYTES                                                                                   \
    (RPC_PASSWORD_MAX + 1) /* of ManagementServer.Password (TR-181: 256), with its NUL */

/* Reads it without the newline at its end. 0, or negative errno: then *error* (ERROR_MAX_BYTES) says in one
 * line, which has nothing of the password, what is wrong. The caller wipes *ret*. */
int password_read(const char *path, char ret[static PASSWORD_MAX_BYTES], char *error);
