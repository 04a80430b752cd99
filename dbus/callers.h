/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who calls, and whether they read what they are answered. What a client leaves unread stays in the bus
 * daemon, which counts it as ours: from some amount on (max_incoming_bytes of all of them together) it reads
 * nothing more of the agent, and nobody on the bus hears of anything. So after some calls of one caller the
 * daemon is asked how much it keeps for it (org.freedesktop.DBus.Debug.Stats, of the reference
 * implementation; another one is taken to look after itself), and while that is too much, its calls are
 * passed over. */
#pragma once

#include <systemd/sd-bus.h>

#include "base/macro.h"

/* Between two questions about one caller; an answer may have some ten thousand bytes. A hundred that read
 * nothing must not fill the bus: each keeps what was on its way besides, when it is found out. */
#define CALLERS_UNASKED 16
#define CALLERS_UNREAD  (UINT32_C(256) << 10) /* bytes */

typedef struct Callers Callers;

/* From now on judges every call that comes by *bus*, before the objects see it. 0 or negative errno. */
int callers_new(Callers **ret, sd_bus *bus);
void callers_free(Callers *callers);
DEFINE_CLEANUP(Callers, callers_free)
