/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A stand-in for systemd-timesyncd on a test's bus, on a connection of the test's own. */
#pragma once

#include <systemd/sd-bus.h>

/* What it was told last, "=SERVER SERVER "; "": nothing since the test has emptied it. It refuses "bad"
 * alone. */
extern char fake_timesync_servers[256];

/* Takes the name on *bus*. */
void fake_timesync_start(sd_bus *bus);
