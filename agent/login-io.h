/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reboot of the box (TR-069 A.3.2.9) by org.freedesktop.login1, which asks polkit whether the agent may
 * (policy/50-henb-agent.rules). */
#pragma once

#include <systemd/sd-event.h>

#include "base/macro.h"

typedef struct LoginIo LoginIo;

/* Called once from the event loop if the box does not go down: one line that says why. */
typedef void (*LoginIoRefused)(void *userdata, const char *text);

int login_io_new(LoginIo **ret, sd_event *event);
void login_io_free(LoginIo *login);
DEFINE_CLEANUP(LoginIo, login_io_free)
/* Asks for it; SIGTERM is what follows. 0; -EALREADY: it has been asked for; or negative errno: no bus. */
int login_io_reboot(LoginIo *login, LoginIoRefused refused, void *userdata);
