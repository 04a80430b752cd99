/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tunnel there is, in the data model (ipsec-facts.h). */
#pragma once

#include "device.h"
#include "tunnel.h"

/* What is told when it changes. */
void tunnel_facts_report(const Tunnel *tunnel, const Device *device);
/* What is asked for, as DeviceConfig.live has it. */
int tunnel_facts_live(const Tunnel *tunnel, bool clock_trusted, const char *name, char *buf, size_t size);
