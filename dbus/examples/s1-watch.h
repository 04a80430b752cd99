/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tells an S1 stack when to connect and when to stop, by what org.henb.Agent1 publishes (API.md, "For an S1
 * stack"). s1-watch.c and this file can be taken into a stack as they are; s1-print.c shows what is left to
 * do.
 *
 * Everything happens in callbacks of the caller's sd_bus, one at a time. */
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#define S1_ADDRESSES_MAX 16
#define S1_MMES_MAX      16
#define S1_TEXT_MAX      257

typedef struct S1Addresses {
    size_t n;
    char items[S1_ADDRESSES_MAX][INET6_ADDRSTRLEN];
} S1Addresses;

typedef struct S1Mme {
    char entry[S1_TEXT_MAX]; /* as the operator configured it: a name or an address */
    S1Addresses addresses;   /* in the order to try */
    uint16_t port;
} S1Mme;

/* Both ends of S1. */
typedef struct S1Ends {
    char interface[IFNAMSIZ]; /* bind to it (SO_BINDTODEVICE) */
    S1Addresses local;        /* bind to the one of the MME's family: nothing then leaves in clear */
    bool to_all;              /* connect to all MMEs; or else to the first that answers */
    size_t n_mmes;
    S1Mme mmes[S1_MMES_MAX];
} S1Ends;

/* What the caller has. Connect. Never called twice without an s1_down() between. */
void s1_up(const S1Ends *ends);
/* Disconnect, or stay so. Called for each new reason while S1 is down, too; *why* is for a person. */
void s1_down(const char *why);

/* What is known of the agent. */
typedef struct S1Seen {
    bool known; /* it is on the bus, and all of this has been read */
    char state[S1_TEXT_MAX];
    bool admin_state;
    S1Ends ends;
} S1Seen;

/* All zeroes before s1_watch_start(). */
typedef struct S1Watch {
    sd_bus *bus;
    sd_bus_slot *owner_match, *change_match;
    sd_bus_slot *reading; /* a call that has not been answered */
    S1Seen seen;
    bool up;
    char why[S1_TEXT_MAX]; /* it is not */
} S1Watch;

/* Begins to follow the agent on *bus*, which has to outlive the watch. It may be there or not. 0 or a
 * negative errno. */
int s1_watch_start(S1Watch *watch, sd_bus *bus);
/* Ends that, with a last s1_down(). */
void s1_watch_stop(S1Watch *watch, const char *why);
