/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a D-Bus message holds, as JSON: dictionaries are objects, arrays and structs arrays, variants what is
 * in them. */
#pragma once

#include <json-c/json.h>
#include <systemd/sd-bus.h>

/* The next complete type. 0, -ENODATA at the end, or another negative errno. *ret* is the caller's. */
int message_read_json(sd_bus_message *m, json_object **ret);
