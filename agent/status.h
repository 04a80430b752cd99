/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the agent tells the other daemons of the box: plain data, published by dbus/bus.c. */
#pragma once

#include <net/if.h>

#include "base/address.h"
#include "base/log.h"
#include "base/url.h"

/* The published states. dbus/API.md says what each means for an S1 stack. */
typedef enum AgentState {
    AGENT_IDLE,
    AGENT_WAITING_NETWORK,
    AGENT_DISCOVERING,
    AGENT_REGISTERING,
    AGENT_REGISTERED_WITHOUT_MME,
    AGENT_REGISTERED,
    AGENT_RETRYING,
    AGENT_DEREGISTERED,
    AGENT_FAILED_CONFIG,
    AGENT_STATES_,
} AgentState;

/* "waiting-network" and so on, the words on the bus. */
const char *agent_state_to_string(AgentState state);

/* S1SigLinkServerList has 256 characters in FAPService:2, which is room for more short entries than this: a
 * longer list is refused. */
#define MME_MAX 16

typedef struct Mme {
    char entry[HOST_MAX_BYTES]; /* as the HeMS configured it: a name or an address */
    AddressList addresses;      /* in the order to try */
    uint16_t port;              /* SCTP */
} Mme;

typedef struct MmeList {
    size_t n;
    Mme items[MME_MAX];
} MmeList;

/* What the HeMS configured for S1 (FAPControl.LTE), as it stood at one moment. */
typedef struct S1Config {
    MmeList mme;             /* S1SigLinkServerList, S1SigLinkPort */
    char connection_mode[8]; /* "One" or "All" */
    bool admin_state;
} S1Config;

typedef struct Status {
    AgentState state;
    MmeList mme;                      /* non-empty only in AGENT_REGISTERED */
    MmeList mme_stored;               /* of an earlier registration; no permission to start S1 */
    char s1_connection_mode[8];       /* "One" or "All" */
    bool admin_state;                 /* FAPControl.LTE.AdminState */
    bool clock_trusted;               /* not before the day of the build and the last time known as good */
    AddressList inner_addresses;      /* the box's addresses inside the tunnel; empty without a tunnel */
    char tunnel_interface[IFNAMSIZ];  /* "henb0" */
    char segw[HOST_MAX_BYTES];        /* the SeGW in use or being tried, as configured */
    Address segw_address;             /* the address of it in use or being tried */
    char hems[URL_MAX_BYTES];         /* the HeMS's URL */
    char step[64];                    /* what the procedure does now, in words */
    char clause[32];                  /* where TS 32.593 says so: "5.1.2.2 step 3" */
    char last_error[ERROR_MAX_BYTES]; /* the latest failure, "" after a registration */
} Status;
