/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What Linux tells of the box in /proc, as the data model wants it (TR-181 Device.DeviceInfo, Device.IPsec).
 * Pure: the texts are arguments. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BOX_COMMAND_MAX 64

/* The number behind *key* at the beginning of a line ("MemTotal:", "XfrmInNoStates"). False: there is none.
 */
bool box_field(const char *text, const char *key, uint64_t *ret);

/* Jiffies of all processors together, since the start (/proc/stat). */
typedef struct BoxCpu {
    uint64_t busy, total;
} BoxCpu;
bool box_cpu(const char *stat, BoxCpu *ret);
/* Percent between two of them; 0 where no time has passed. */
unsigned box_cpu_usage(const BoxCpu *before, const BoxCpu *after);

/* A line of /proc/PID/stat. */
typedef struct BoxProcess {
    char command[BOX_COMMAND_MAX];
    const char *state;        /* in TR-181's words */
    unsigned priority;        /* 0 to 99, 0 the most urgent */
    uint64_t cpu_msec;        /* used so far */
    uint64_t size_kib;        /* of its address space that is in memory */
    unsigned long long start; /* jiffies since the start of the box: with its number, it is this process */
} BoxProcess;
/* *hz*: jiffies in a second, *page_size* in bytes. */
bool box_process(const char *stat, unsigned hz, unsigned page_size, BoxProcess *ret);

/* The names of /proc/net/xfrm_stat that make up a parameter of Device.IPsec.Stats, "DecryptionErrors"; NULL:
 * not from there. Up to BOX_XFRM_MAX, ended by NULL. */
#define BOX_XFRM_MAX 6
const char *const *box_xfrm_names(const char *parameter);
