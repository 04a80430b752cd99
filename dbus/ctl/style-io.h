/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the terminal can and the user wants: SYSTEMD_COLORS, NO_COLOR, TERM, COLUMNS, the locale. */
#pragma once

#include "dbus/ctl/style.h"

/* For standard output. */
void style_detect(Style *ret);
