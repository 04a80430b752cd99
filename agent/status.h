/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the agent tells the other daemons of the box: plain data, published by dbus/bus.c. */
#pragma once

#include <net/if.h>

#include "base/address.h"
#include "base/log.h"
#include "base/moment.h"
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

/* The tunnel as dbus/tunnel.c publishes it. Without one everything but *local_identity* is empty. */
typedef struct TunnelStatus {
    bool up;               /* it carries traffic */
    Address local, remote; /* outer */
    char local_identity[HOST_MAX_BYTES];
    char peer_identity[HOST_MAX_BYTES]; /* that the gateway's certificate must carry */
    char ike_algorithms[128], esp_algorithms[128];
    uint64_t ike_spi_i, ike_spi_r;
    uint32_t child_spi_in, child_spi_out; /* of the pair used for sending */
    bool nat_local, nat_remote;           /* we are behind a NAT, the gateway is */
    bool encapsulated;                    /* ESP in UDP */
    AddressList inner_addresses;
    usec_t next_rekey; /* Moment.mono, of the IKE SA or the pair, whichever is first; 0: not planned */
} TunnelStatus;

/* What is counted, read when somebody asks and told to nobody by itself. */
typedef struct TunnelCounters {
    /* The kernel's, of the pair in use. */
    uint64_t packets_in, packets_out, bytes_in, bytes_out;
    uint64_t esp_replayed, esp_forged; /* packets in: seen before, or too old to tell; checksum wrong */
    /* Of the IKE SA in use: messages thrown away, and requests sent again. */
    uint64_t malformed, foreign, unexpected, forged, retransmitted;
} TunnelCounters;

typedef enum SessionOutcome {
    SESSION_NONE, /* none has ended since the start */
    SESSION_SUCCEEDED,
    SESSION_FAILED,
    SESSION_UNREACHED, /* nothing was heard from the HeMS */
    SESSION_OUTCOMES_,
} SessionOutcome;

/* "none", "succeeded", "failed", "unreached". */
const char *session_outcome_to_string(SessionOutcome outcome);

#define SESSION_PENDING_MAX 16 /* kinds of events */

/* The sessions with the HeMS as dbus/session.c publishes them. */
typedef struct SessionStatus {
    char url[URL_MAX_BYTES]; /* of the HeMS of these sessions */
    bool running;
    usec_t last_session; /* Moment.real, its end; 0: there was none since the start */
    SessionOutcome last_outcome;
    char last_fault[ERROR_MAX_BYTES]; /* of the last one that did not succeed; "" after one that did */
    usec_t next_inform;               /* Moment.mono, when the next one is due; 0: not planned */
    size_t n_pending;
    const char *pending[SESSION_PENDING_MAX]; /* "1 BOOT": what the next Inform carries; static */
} SessionStatus;
