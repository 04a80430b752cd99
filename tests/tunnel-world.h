/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A tunnel between two gateways, a kernel, a resolver and an event loop of the test's own. Each breach of the
 * kernel's rules aborts the test: an SPI that is not there is taken off, two outbound SAs outlive a call. */
#pragma once

#include <stdio.h>
#include <systemd/sd-event.h>

#include "ike-responder.h"
#include "seeded.h"
#include "suite.h"
#include "tunnel.h"

#define GATEWAYS 2
#define START    (1780272000 * USEC_PER_SEC)
#define BUILT_AT (START - 86400 * USEC_PER_SEC)
#define IDENTITY "segw.operator.example"

struct sd_event_source {
    clockid_t clock;
    uint64_t at;
    bool enabled;
    sd_event_time_handler_t handler;
    void *userdata;
};

/* What was sent by a gateway and has not arrived. */
typedef struct Arriving {
    unsigned from; /* gateway */
    Endpoint address;
    Address to; /* AF_UNSPEC: wherever the tunnel is */
    size_t size;
    uint8_t *data;
} Arriving;

/* What the kernel has of a pair. */
typedef struct WorldPair {
    uint32_t spi_in, spi_out;
    unsigned parts; /* 0: reserved */
    bool refused;   /* not taken, or expired: what is not there is taken off all the same */
    Address remote;
} WorldPair;

#define WORLD_PAIRS_MAX 32

typedef struct World {
    usec_t mono, real;
    sd_event_source timers[2];
    size_t n_timers;
    uint64_t random[3];
    size_t drawn; /* bytes of randomness the tunnel asked for */

    Address source[2]; /* IPv4, IPv6; AF_UNSPEC: no route */
    Credential *credential;
    Responder gateways[GATEWAYS];
    bool silent[GATEWAYS]; /* hears nothing */
    bool slow[GATEWAYS];   /* what it sends stays under way */
    unsigned inits[GATEWAYS];
    unsigned begun[GATEWAYS]; /* IKE_SA_INIT that began an SA */
    size_t n_spis;            /* of all gateways */
    uint64_t last_spi;
    size_t n_arriving;
    Arriving arriving[64];

    uint32_t next_spi;
    size_t n_pairs;
    WorldPair pairs[WORLD_PAIRS_MAX];
    unsigned shifts;
    int install_error;
    unsigned refuse_installs; /* so many times from now on */
    unsigned installs_refused;
    usec_t refused_at[64];
    unsigned gaps; /* times the last outbound SA went */
    char calls[512];
    Address inner; /* the first */
    unsigned moves_done;
    int move_error;
    Endpoint moved_from[2], moved_to[2]; /* local, remote of the last one */

    bool resolving;
    char name[HOST_MAX_BYTES];
    ResolverHandler resolved;
    void *resolved_for;
    unsigned names;

    RevocationJob *job;
    RevocationIoHandler judged;
    void *judged_for;
    unsigned questions;

    Tunnel *tunnel;
    unsigned ups, again, downs, moves, idles;
    char text[512];
    LogMessage message;
    const char *reopen; /* what the next report down does */
    void (*on_report)(const TunnelReport *report);
} World;

extern World world;
extern const char *const gateway_addresses[GATEWAYS];

typedef struct Fixture {
    TrustStore *trust;
    Credential *device;
    RevocationCache *cache;
} Fixture;

Fixture fixture_new(const Switches *switches, usec_t clock_floor);
/* Asks about revocation; otherwise the same. */
Fixture fixture_new_asking(const Switches *switches);
void fixture_free(Fixture *f);

void gateway_restart(unsigned i, const Switches *switches);
void open_gateway(unsigned i);
/* Opens it and waits until it is. */
void up(unsigned i);
/* Everything that is due now, then *usec*. */
void run(usec_t usec);
/* The next datagram of a gateway arrives. */
bool arrive(void);
/* A datagram of gateway *i*. */
void arrive_later(unsigned i, const Message *m);
usec_t timer_due(const sd_event_source *s);
void assert_outer(const char *remote, bool nat_local, bool nat_remote);
/* So many pairs, and nothing else. */
void assert_kernel(size_t installed);
/* One pair both ways, with gateway *i*, which holds one IKE SA, and the other gateway none. */
void assert_one(unsigned i);
WorldPair *world_outbound(void);
/* The kernel's EXPIRE: what is hard is gone. */
void world_expire(uint32_t spi, bool hard);
/* The resolver's answer; NULL: the name does not exist. */
void world_resolve(const char *literal);
/* The answer to the question about revocation. */
void world_judge(bool good);
