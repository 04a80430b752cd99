/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An IkeSa and a Responder with a network between them on a fake clock: every datagram asks *fate* how often
 * and how late it arrives. */
#pragma once

#include "ike-responder.h"
#include "kernel-model.h"
#include "seeded.h"
#include "ike/ike-sa.h"

#define LINK_FLIGHTS_MAX 512
#define LINK_SENT_MAX    2048
#define LINK_START       (1780272000 * USEC_PER_SEC) /* 2026-06-01 00:00 UTC */
#define LINK_DELAY       (10 * USEC_PER_MSEC)

typedef struct Fate {
    unsigned copies;  /* 0: lost */
    usec_t delays[4]; /* of each copy */
} Fate;

typedef struct Flight {
    usec_t at;
    bool to_gateway;
    Endpoint from, to;
    size_t size;
    uint8_t *data; /* NULL: an ESP packet of this SPI, sealed with these keys */
    uint32_t spi;
    EspKeys keys;
} Flight;

/* One datagram as it was sent. */
typedef struct Sent {
    usec_t at;
    bool by_gateway;
    Endpoint from, to;
    IkeHeader header;
    size_t size;
    uint64_t hash; /* of its bytes: the same means sent again */
} Sent;

typedef struct Link Link;
struct Link {
    Moment now;
    uint64_t random[3]; /* engine, responder, network */
    Rng rng;            /* of the network */
    IkeConfig config;
    TrustStore *trust;
    Credential *device, *gateway;
    IkeSa *sa;
    Responder responder;
    void (*fate)(Link *link, const Sent *sent, Fate *ret);
    /* Called with each datagram before it flies; may change bytes and size. */
    void (*mangle)(Link *link, bool by_gateway, uint8_t *data, size_t *size);
    void *userdata;
    KernelModel kernel;
    bool gateway_silent; /* the gateway is off */
    Address home;        /* where the box is; what is sent elsewhere is lost. AF_UNSPEC: everywhere */
    bool unrecorded;     /* *sent* is not kept: a long run */
    /* ESP packets each way, one in so many microseconds; 0: none. The network delays them by up to *jitter*,
     * and loses none: what is lost is the doing of the two ends. */
    usec_t packet_interval, packet_jitter, packet_at;
    unsigned packets_sent[2], packets_lost[2]; /* by us, by the gateway */
    unsigned packets_unsent[2];                /* without an SA to send with */
    /* The answer to IKE_REVOCATION: *judge*'s, which says in *text* (ERROR_MAX_BYTES) why not; without one
     * that of *revoked*, NULL: good. */
    bool (*judge)(Link *link, const PeerChain *chain, const Blob *ocsp, size_t n_ocsp, char *text);
    const char *revoked;
    size_t n_ocsp; /* responses that came with it, and the first one */
    uint8_t ocsp[64];
    size_t ocsp_size;
    size_t n_chain; /* certificates to be judged */

    size_t n_flights, n_sent;
    Flight flights[LINK_FLIGHTS_MAX];
    Sent sent[LINK_SENT_MAX];
    unsigned ups, downs, ends, keepalives, queries, revocations;
    unsigned reauthentications;
    bool redirected; /* the last one */
    bool undated;    /* the last up */
    usec_t down_at;
    ChildSa child;
    IkeConfiguration configuration;
    IkeEnd end;
    char text[1024];
    usec_t ended_at;
};

/* Fills in everything good for *switches*, nothing sent yet; the caller may still change config and switches.
 * Aborts the test on failure. *trust* etc. are files of tests/data/ike. */
typedef struct LinkFiles {
    const char *trust, *device, *device_key, *gateway, *gateway_key;
} LinkFiles;
extern const LinkFiles link_files_quick; /* nothing but Ed25519 */
Link *link_new(const Switches *switches, const LinkFiles *files, uint64_t seed);
void link_free(Link *link);
DEFINE_CLEANUP(Link, link_free)

void link_start(Link *link);
/* Runs until nothing is left to happen, the SA has ended, or *until* on the link's clock. */
void link_run(Link *link, usec_t until);
/* Runs until established (true) or ended. */
bool link_establish(Link *link);
/* Puts bytes on the wire to the HeNB as if they came from *from*, past fate and mangle. */
void link_inject(Link *link, const Endpoint *from, const void *data, size_t size, usec_t delay);
/* Sends what a side wants to send now. */
void link_send_message(Link *link, const Message *m);
void link_drain(Link *link);
void link_gateway(Link *link);
/* The kernel says that the pair in use wants new keys: we rekey it. */
void link_rekey_child(Link *link);
/* The gateway begins an exchange; *child* as in responder_want(). */
void link_gateway_wants(Link *link, RequestType type, uint32_t child);
/* Somebody sets the clock. */
void link_set_clock(Link *link, usec_t real);
void link_close(Link *link);
/* The next thing that happens, if it happens before *until*; else false. */
bool link_step(Link *link, usec_t until);
/* Runs for so long. */
void link_run_for(Link *link, usec_t time);
/* Exactly one pair, the same in the engine, in the kernel and at the gateway, and one IKE SA at the gateway.
 */
void link_assert_one_pair(Link *link);
#define LINK_WHY_MAX 1200
bool link_is_one_pair(Link *link, char ret_why[static LINK_WHY_MAX]);
/* Whether a packet that each side sent now would be taken by the other. */
bool link_echo(Link *link);
/* Both ends hold the same pair, seen from opposite sides; or the SA ended so. */
void link_assert_agreed(const Link *link);
void link_assert_up(Link *link);
void link_assert_ended(Link *link, IkeEnd end, const char *text);
#define CONTAINS(text, part) ck_assert_msg(strstr(text, part) != NULL, "\"%s\" lacks \"%s\"", text, part)

/* How many datagrams the HeNB sent of *exchange*, requests or responses. */
unsigned link_count(const Link *link, uint8_t exchange, bool response);
