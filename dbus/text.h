/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Strings come from servers, files and callers too, and the bus disconnects who sends anything but UTF-8, as
 * libsystemd refuses to: what is none, and what is no character of Unicode, becomes a question mark. */
#pragma once

#include <systemd/sd-bus.h>

#include "base/macro.h"

/* The caller frees; NULL: no memory. */
char *bus_text_clean(const char *text);
/* 0 or negative errno. */
int bus_append_text(sd_bus_message *m, const char *text);
/* As sd_bus_error_setf(), for a text with foreign parts, or one that may be cut off within a character. */
int bus_refuse(sd_bus_error *error, const char *name, const char *format, ...) _printf_(3, 4);
