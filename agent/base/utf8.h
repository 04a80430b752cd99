/* SPDX-License-Identifier: GPL-3.0-or-later */
/* UTF-8 as RFC 3629 defines it: D-Bus disconnects and XML parsers refuse whoever sends anything else. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Bytes (1 to 4) of the character that *s* begins with; 0 at the end of the string and where *s* is not UTF-8
 * (overlong, a surrogate, past U+10FFFF, cut off). */
size_t utf8_sequence(const char *s);
bool utf8_is_valid(const char *s);
/* It is, has *min* to *max* characters, and none of them is a control (C0, DEL). */
bool utf8_is_line(const char *s, size_t min, size_t max);
