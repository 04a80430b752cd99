/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gives the keys of IKE and ESP away, to look into a capture with Wireshark: only in a build with
 * -Dkey-export=true. Any other build has nothing of it. */
#pragma once

#include "ike/ike-sa.h"

#ifdef KEY_EXPORT
#define KEY_EXPORT_FOLDER "keys" /* under the state's folder; what is in it is for Wireshark's folder */

/* Says in the journal what this build does. */
void key_export_begin(const char *state);
/* Call with each action of *sa* before it is performed: what has become known of its keys is written. */
void key_export(const IkeSa *sa, const IkeAction *action);
#else /* macros: not even a debugger reads their names in the program */
#define key_export_begin(state) ((void)0)
#define key_export(sa, action)  ((void)0)
#endif
