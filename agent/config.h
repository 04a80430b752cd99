/* SPDX-License-Identifier: GPL-3.0-or-later */
/* agent.conf and its drop-ins: one table of keys {section, key, parser, offset} into struct Config. */
#pragma once

#include <limits.h>
#include <net/if.h>

#include "base/address.h"
#include "base/owner-table.h"
#include "ike/proposal.h"
#include "base/revocation-policy.h"
#include "status.h"

#define CONFIG_FILE_DEFAULT   "/etc/henb-agent/agent.conf"
#define INTERFACE_ID_DEFAULT  32593
#define HEMS_PORT_INSIDE      7547 /* a bare HeMS name behind a SeGW means http://NAME:7547/ */
#define IDENTITY_MAX_BYTES    65   /* TR-069 DeviceIdStruct: strings of 64; Operator= takes the same */
#define USERNAME_MAX_BYTES    257  /* ManagementServer.Username (TR-181: 256), with its NUL */
#define CONFIG_KEYS_MAX       48
#define INFORM_PARAMETERS_MAX 1024 /* bytes of InformParameters=, with its NUL */
#define ORIGIN_MAX_BYTES      256  /* "FILE:LINE: [SECTION] KEY=", with its NUL */

/* A pair of gateway and management system; empty strings when not configured. */
typedef struct ConfigPair {
    char segw[HOST_MAX_BYTES];
    char hems[URL_MAX_BYTES]; /* always a URL after config_load(): a bare name or address was completed */
    char segw_identity[HOST_MAX_BYTES]; /* what the certificate must carry; SeGW's own name or address if
                                           unset */
} ConfigPair;

/* Where the hosting party's USIM is (TS 33.320 5.3). */
typedef enum UsimKind {
    USIM_NONE,     /* there is none: no second authentication */
    USIM_MILENAGE, /* a credential file */
    USIM_PCSC,     /* a card in a reader */
} UsimKind;

typedef struct ConfigUsim {
    UsimKind kind;
    char argument[PATH_MAX]; /* the file; what the reader's name begins with, "" any */
} ConfigUsim;

/* Whether certificates are judged while the clock cannot be believed (TS 33.320 has boxes without a battery).
 */
typedef enum ClockPolicy {
    CLOCK_WAIT,    /* nothing starts before the clock is plausible */
    CLOCK_LENIENT, /* validity dates are passed over, and judged as soon as the time is known */
} ClockPolicy;

typedef struct Config {
    char manufacturer[IDENTITY_MAX_BYTES];
    char oui[7];
    char product_class[IDENTITY_MAX_BYTES];
    char serial_number[IDENTITY_MAX_BYTES];
    char hardware_version[IDENTITY_MAX_BYTES];
    char software_version[IDENTITY_MAX_BYTES];
    char operator_name[IDENTITY_MAX_BYTES];
    ConfigPair initial, serving;
    char ca[PATH_MAX], certificate[PATH_MAX], key[PATH_MAX]; /* paths, absolute */
    char crl[PATH_MAX];                                      /* for gateways and HeMSs; "": none */
    Revocation revocation;
    ClockPolicy clock_policy;
    size_t n_public_dns;
    Address public_dns[DNS_SERVERS_MAX];
    size_t n_private_dns;
    Address private_dns[DNS_SERVERS_MAX];     /* inside the tunnel, where the SeGW names none */
    ProposalSet ike_proposals, esp_proposals; /* ESP's are complete: each says something about ESN */
    Pfs pfs;
    Esn esn;
    uint32_t replay_window;                /* packets */
    uint32_t child_lifetime, ike_lifetime; /* seconds, before there is a successor */
    uint64_t child_bytes, child_packets;   /* of one Child SA and direction; 0: no limit of its own */
    uint32_t nat_keepalive;                /* seconds, 0: none */
    uint32_t fragment_size;                /* bytes of an IP datagram with IKE in it */
    uint32_t wait_for_location;            /* seconds */
    uint32_t fallback_rounds;              /* failed rounds of a site (0: never the next one), and */
    uint32_t fallback_time;                /* seconds without success, before the next site is tried */
    char username[USERNAME_MAX_BYTES];     /* for the HeMS, until one sets another; as the next one */
    char password_file[PATH_MAX];          /* "": no password */
    char inform_parameters[INFORM_PARAMETERS_MAX]; /* names and partial paths, separated by spaces */
    char tunnel_interface[IFNAMSIZ];
    uint32_t interface_id;
    int log_level;
    ConfigUsim usim;
    char realm[HOST_MAX_BYTES];                      /* of the hosting party's identity; "": of its IMSI */
    OwnerTable owners;                               /* [Owners]: other daemons' parts of the data model */
    char origins[CONFIG_KEYS_MAX][ORIGIN_MAX_BYTES]; /* for config_origin() */
} Config;

/* Reads *path*, then PATH.d/ *.conf by name; a later value replaces an earlier one (InformParameters= adds to
 * it), an empty value brings the default back. On error writes one line that names file, line and key (or the
 * key that is missing) to *error* (ERROR_MAX_BYTES) and returns a negative errno; *ret* is then unspecified.
 * Checks what can be checked without the network: that there is a way in (a serving pair, an initial pair, an
 * Initial HeMS on the internet, TS 32.593 5.1.2.2 to 5.1.2.4), http: without a tunnel, who the operator is,
 * files that cannot be read. Logs a warning about what is hardly meant. */
int config_load(Config *ret, const char *path, char *error);
/* The same for anybody but the agent's user, who must not be able to read its key: a file that the caller may
 * not read is no mistake. */
int config_check(Config *ret, const char *path, char *error);
/* Where a key of a loaded configuration was set: "FILE:LINE: [SECTION] KEY=", without ":LINE" when nowhere.
 * For the line about a value that turns out to be unusable later. *section* and *key* must exist. */
const char *config_origin(const Config *config, const char *section, const char *key);
/* Writes that line to *error* (ERROR_MAX_BYTES): *value* of that key cannot be used, and *why*. Always
 * -EINVAL.
 */
int config_refuse(const Config *config, const char *section, const char *key, const char *value,
                  const char *why, char *error);
