/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Strings come from servers and files too, and the bus disconnects who sends anything but UTF-8: what is none
 * becomes a question mark. */
#pragma once

#include <systemd/sd-bus.h>

/* The caller frees; NULL: no memory. */
char *bus_text_clean(const char *text);
/* 0 or negative errno. */
int bus_append_text(sd_bus_message *m, const char *text);
