/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One Child SA pair as negotiated (RFC 7296 2.17): what the IKE SA hands out and netlink/ programs into the
 * kernel. Plain data, so that keys are not copied from one struct into another on the way. */
#pragma once

#include "base/address.h"

#define ESP_KEY_MAX           64  /* the longest ESP encryption (with salt) or integrity key in use */
#define REPLAY_WINDOW_DEFAULT 128 /* packets */
#define TS_MAX                8   /* traffic selectors kept a side */

/* One traffic selector (RFC 7296 3.13.1), address range as a prefix. */
typedef struct TrafficSelector {
    Address address;
    uint8_t prefix;              /* bits */
    uint8_t protocol;            /* 0: any */
    uint16_t port_min, port_max; /* 0..65535: any */
} TrafficSelector;

/* Kernel names as in Linux's crypto API; one row of ike/transforms gives all of them. */
typedef struct EspAlgorithms {
    const char *aead;         /* "rfc4106(gcm(aes))", or NULL */
    uint16_t icv_bits;        /* of the AEAD */
    const char *encryption;   /* "cbc(aes)" when not AEAD */
    const char *integrity;    /* "hmac(sha256)" when not AEAD */
    uint16_t truncation_bits; /* of the integrity algorithm: 128 for HMAC-SHA2-256-128 */
} EspAlgorithms;

typedef struct EspKeys {
    uint8_t encryption[ESP_KEY_MAX]; /* AEAD: key then salt */
    size_t encryption_size;          /* bytes */
    uint8_t integrity[ESP_KEY_MAX];
    size_t integrity_size;
} EspKeys;

/* The directions of a pair, for programming one without the other. */
enum {
    CHILD_IN = 1,
    CHILD_OUT = 2,
};

/* ESP in tunnel mode. */
typedef struct ChildSa {
    uint32_t spi_in, spi_out; /* host byte order; in: what the peer sends to us */
    Endpoint local, remote;   /* outer; the ports matter with *encapsulate* */
    bool encapsulate;         /* ESP in UDP (RFC 3948) */
    EspAlgorithms algorithms;
    EspKeys keys_in, keys_out;
    bool esn;                          /* extended sequence numbers (RFC 4303 2.2.1) */
    uint32_t replay_window;            /* packets */
    uint64_t byte_limit, packet_limit; /* of one direction, when the kernel says "soft"; 0: none */
    uint32_t nat_keepalive;            /* seconds between the kernel's keepalives; 0: not the kernel */
    size_t n_local_ts, n_remote_ts;
    TrafficSelector local_ts[TS_MAX], remote_ts[TS_MAX];
} ChildSa;

/* What an installed pair has carried, and what was refused on it. */
typedef struct ChildTraffic {
    uint64_t bytes_in, packets_in, bytes_out, packets_out;
    uint32_t replayed, forged; /* packets in: outside of the replay window, or seen before; checksum wrong */
} ChildTraffic;

#define ESP_STR_MAX 128
/* "rfc4106(gcm(aes))", "cbc(aes) with hmac(sha256)". Returns *ret*. */
const char *esp_format(const EspAlgorithms *algorithms, char ret[static ESP_STR_MAX]);
/* Wipes the keys alone: what is left says which SAs and policies there are. */
void child_sa_wipe_keys(ChildSa *child);
