/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tunnel in use in the words of the bus. */
#pragma once

#include "status.h"
#include "tunnel.h"

/* *identity*: the box's own. */
void tunnel_status(const Tunnel *tunnel, const char *identity, TunnelStatus *ret);
/* What the kernel does not tell is 0. */
void tunnel_counters(const Tunnel *tunnel, TunnelCounters *ret);
