/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Values that live in the system: uptime, memory, processes, time, interfaces and their addresses, ESP's
 * counters. Parameters are read when somebody asks (box_live()); rows are made by box_refresh().
 *
 * In the sandbox of the unit other users' processes are hidden (ProtectProc=invisible), and the state of the
 * clock may not be asked of the kernel (ProtectClock=yes): Device.Time.Status comes from systemd-timesyncd's
 * file. */
#pragma once

#include "base/macro.h"
#include "cwmp/model.h"
#include "row-set.h"

#define BOX_INTERFACES_MAX 16
#define BOX_ADDRESSES_MAX  16 /* of an interface and family */
#define BOX_PROCESSES_MAX  64

typedef struct Box Box;

typedef struct BoxConfig {
    Rows rows;
    const char *tunnel_interface; /* borrowed, as the next one */
    const char *state_directory;  /* what is persistent */
} BoxConfig;

/* 0 or -ENOMEM. */
int box_new(Box **ret, const BoxConfig *config);
void box_free(Box *box);
DEFINE_CLEANUP(Box, box_free)

/* Makes Device.IP.Interface, its addresses, and ProcessStatus.Process what they are now: before a session,
 * and when the uplink has changed. */
void box_refresh(Box *box);

/* For ModelConfig.live; *box* is a Box. 0 with the value in *buf*, or negative errno: -ENOENT: the system
 * does not tell this one. */
int box_live(void *box, const char *name, const ModelParameter *parameter, char *buf, size_t size);
