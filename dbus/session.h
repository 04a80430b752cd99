/* SPDX-License-Identifier: GPL-3.0-or-later */
/* org.henb.Agent1.Session over struct SessionStatus, which is what publication_set() takes. */
#pragma once

#include "dbus/publication.h"

/* *path* is static. 0 or negative errno. */
int bus_session_add(Publication **ret, sd_bus *bus, const char *path);
