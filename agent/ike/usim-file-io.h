/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The USIM of a credential file (usim-milenage.h) with its sequence numbers in a file of the agent's own
 * folder, on the disk before an answer is given. */
#pragma once

#include "ike/usim-milenage.h"

#define USIM_SQN_FILE "usim-sqn"

typedef struct UsimFile UsimFile;

/* Reads the credential *path*, and what was kept of its sequence numbers in *folder*: those of another IMSI
 * do not count, damaged ones are an error. 0; negative errno with one line in *text* (CREDENTIAL_TEXT bytes)
 * that names no secret and not *path*. */
int usim_file_new(UsimFile **ret, const char *path, const char *folder, char *text);
/* Wipes it. */
void usim_file_free(UsimFile *usim);
DEFINE_CLEANUP(UsimFile, usim_file_free)
/* The driver; *usim* must outlive it. */
Usim usim_file_driver(UsimFile *usim);
