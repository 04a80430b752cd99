/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every message that the CPE sends, in several fillings, for tests that look at the bytes of them all. */
#pragma once

#include "cwmp/soap.h"

/* *what* names the message for a person; *text* has a NUL behind its *size* bytes. */
typedef void (*MessageVisitor)(void *userdata, const char *what, const char *text, size_t size);

/* Those that namespace *version* has, from the codec, from the table of methods with a model behind it, and
 * from a session. */
void cwmp_messages(CwmpVersion version, MessageVisitor visitor, void *userdata);
