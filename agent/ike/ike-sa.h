/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An IKE SA from the initiator's side through all its rekeyings (RFC 7296): datagrams, time and the kernel's
 * answers in, actions out. */
#pragma once

#include "base/moment.h"
#include "ike/certificate.h"
#include "ike/child-sa.h"
#include "ike/prepared.h"
#include "ike/proposal.h"
#include "ike/usim.h"

typedef struct IkeSa IkeSa;

/* An unanswered request is sent again after 0.5, 1, 2 and 4 s (each shifted by up to a tenth, so that boxes
 * do not march in step) and given up 8 s later: 15.5 s in all. A silent gateway costs 2280 bytes on the
 * uplink that way over IPv4 and 2380 over IPv6, headers included. */
#define IKE_RETRANSMIT_FIRST (500 * USEC_PER_MSEC)
#define IKE_RETRANSMIT_TRIES 5
/* A gateway from which nothing was heard for so long, be it IKE or ESP, is asked whether it lives (2.4). A
 * dead one is noticed after this and the retransmissions: 75.5 s after its last packet, and up to
 * IKE_TRAFFIC_INTERVAL later when that was ESP. */
#define IKE_LIVENESS_INTERVAL (60 * USEC_PER_SEC)
/* So often the kernel is asked what went through the tunnel. */
#define IKE_TRAFFIC_INTERVAL (10 * USEC_PER_SEC)
/* So many times so long in a row in which we sent and heard nothing while IKE was answered: the way of the
 * data is broken, and mended by an address update (RFC 4555) or new keys. */
#define IKE_DEAF_INTERVAL  (60 * USEC_PER_SEC)
#define IKE_DEAF_INTERVALS 3
/* An error in the answer to IKE_SA_INIT may be forged: a good answer is waited for this much longer (2.21.1).
 */
#define IKE_ERROR_GRACE (2 * USEC_PER_SEC)
/* The inbound SA of a pair that was replaced takes what is still on the way for so long after its DELETE. */
#define IKE_CHILD_LINGER (5 * USEC_PER_SEC)
/* A pair the gateway made in place of another is used for sending when the gateway deletes the old one (2.8):
 * before, the answer that made it may not have arrived. At the latest so long after. */
#define IKE_CHILD_SWITCH (30 * USEC_PER_SEC)
/* What the gateway should have deleted and did not, we delete. */
#define IKE_DELETE_PATIENCE (30 * USEC_PER_SEC)
/* After TEMPORARY_FAILURE (2.25), between this and twice as long, or less when the end of life is near. */
#define IKE_RETRY_PAUSE (5 * USEC_PER_SEC)
/* Word that the gateway does not know us, which anybody can send, has it asked no more often than this. */
#define IKE_DOUBT_INTERVAL (10 * USEC_PER_SEC)
/* A set-up that takes longer, in however many answered requests, is given up. */
#define IKE_SET_UP_MAX (120 * USEC_PER_SEC)
/* A successor is asked for again after this, and then after twice as long each time, up to the second. */
#define IKE_REAUTHENTICATE_PAUSE     (30 * USEC_PER_SEC)
#define IKE_REAUTHENTICATE_PAUSE_MAX (3600 * USEC_PER_SEC)
/* An AUTH_LIFETIME that is shorter counts as so long. */
#define IKE_AUTH_LIFETIME_MIN (10 * USEC_PER_SEC)
#define IKE_COOKIES_MAX       4 /* COOKIE answers followed in one set-up */
#define IKE_GROUPS_MAX        3 /* INVALID_KE_PAYLOAD answers followed in one exchange */
#define IKE_CHILDREN_MAX      8 /* pairs at once: in use, replaced, new, and a few the gateway makes */

/* Defaults of what may be 0 in IkeConfig. */
#define IKE_LIFETIME_DEFAULT       (24 * 3600 * USEC_PER_SEC)
#define IKE_CHILD_LIFETIME_DEFAULT (4 * 3600 * USEC_PER_SEC)

typedef struct IkeConfig {
    Address local, remote;         /* never unspecified */
    char identity[HOST_MAX_BYTES]; /* what the gateway's certificate must carry */
    const TrustStore *trust;       /* both must outlive the SA */
    const Credential *credential;
    Rng rng;
    /* Reserves an inbound ESP SPI in the kernel; 0 when it refuses. An argument like *rng*. */
    uint32_t (*allocate_spi)(void *userdata);
    void *userdata;
    const ProposalSet *ike_proposals, *esp_proposals; /* NULL: the defaults; must outlive the SA */
    Pfs pfs;
    Esn esn; /* of ESP proposals that say nothing about it */
    /* The Diffie-Hellman group of the first KE, as this gateway is known to want it. One that we do not offer
     * (0 is none): the default. */
    uint16_t group;
    /* May be NULL or point to NULL. What it points to is taken when it is of that group, and then it points
     * to NULL, also when ike_sa_new() fails; else it stays the caller's. */
    IkePrepared **prepared;
    /* Real time before this is not believed. When lenient, the validity dates of the gateway's chain are
     * passed over then, and judged at ike_sa_real_deadline(). Everything else is checked at once. */
    usec_t clock_floor;
    bool clock_lenient;
    bool check_revocation; /* ask by IKE_REVOCATION */
    /* The hosting party's, for a second authentication (RFC 4739); NULL: none. Must outlive the SA, as
     * *realm* must (usim_nai(); NULL: its own). It is asked in ike_sa_input(), for as long as a card takes.
     */
    const Usim *usim;
    const char *realm;
    /* This one takes the place of an SA that lives: no INITIAL_CONTACT, which would end that one (2.8.3). */
    bool successor;
    AddressList inner;       /* that are asked for; n 0: any */
    Address redirected_from; /* AF_UNSPEC: nobody has sent us here (RFC 5685 3) */
    /* 0: the defaults. An SA is rekeyed when between 80 and 90 % of its time are over. */
    usec_t ike_lifetime, child_lifetime;
    uint64_t child_bytes, child_packets; /* after which a pair is rekeyed; 0: no such limit */
    uint32_t replay_window;              /* packets; 0: the default */
    size_t datagram_max;  /* bytes of an IP datagram; larger messages go in fragments (RFC 7383) */
    usec_t nat_keepalive; /* behind a NAT, when nothing was sent for so long; 0: never */
} IkeConfig;

/* Why an SA ended. */
typedef enum IkeEnd {
    IKE_END_CLOSED,       /* ike_sa_close() */
    IKE_END_SILENT,       /* the gateway did not answer within the budget */
    IKE_END_REFUSED,      /* the gateway sent an error */
    IKE_END_UNTRUSTED,    /* we refuse the gateway's certificate, identity or signature */
    IKE_END_UNACCEPTABLE, /* what the gateway proposed cannot be used: algorithms, addresses, selectors */
    IKE_END_DELETED,      /* the gateway deleted it */
    IKE_END_REDIRECTED,   /* the gateway sends us elsewhere: ike_sa_redirect() */
    IKE_END_FAILED,       /* we failed: memory, cryptography, the kernel */
} IkeEnd;

typedef enum IkeActionType {
    IKE_SEND,      /* a datagram */
    IKE_KEEPALIVE, /* the one byte that keeps a NAT's mapping (RFC 3948 2.3) */
    /* Program this first pair, both ways; the tunnel is up. On failure call ike_sa_close(). */
    IKE_CHILD_UP,
    /* Program *parts* of a further pair; on refusal call ike_sa_child_failed(). */
    IKE_CHILD_INSTALL,
    /* Take *parts* of a pair off; without parts only its reserved SPI is given back. */
    IKE_CHILD_REMOVE,
    /* The outer addresses or the encapsulation of a pair are others now. */
    IKE_CHILD_MOVED,
    /* The tunnel is down: *ended* says why, and an IKE_ENDED with the same follows the DELETE. */
    IKE_CHILD_DOWN,
    IKE_QUERY_TRAFFIC,  /* answer with ike_sa_traffic() */
    IKE_REVOCATION,     /* answer with ike_sa_revocation() */
    IKE_REAUTHENTICATE, /* build a successor now; comes again as long as it is wanted */
    IKE_ENDED,          /* the last action: forget the SA */
} IkeActionType;

typedef struct IkeAction {
    IkeActionType type;
    union {
        struct {
            Endpoint local, remote; /* port 4500: the sender puts the non-ESP marker before it */
            const uint8_t *data;    /* valid until the next call on the SA */
            size_t size;
        } send; /* also of IKE_KEEPALIVE, without data */
        struct {
            const ChildSa *child; /* both valid as long as the SA, but keys only until the next call */
            const IkeConfiguration *configuration;
            bool undated; /* the dates of the gateway's certificates are not judged yet */
        } up;
        struct {
            const ChildSa *child; /* valid until the next call */
            unsigned parts;       /* CHILD_IN, CHILD_OUT */
            Endpoint old_local, old_remote;
        } child;
        struct {
            const PeerChain *chain; /* valid until the SA ends */
            const Blob *ocsp;       /* responses the gateway sent along (RFC 4806) */
            size_t n_ocsp;
        } revocation;
        struct {
            const char *text;
            bool redirected; /* to where ike_sa_redirect() says */
        } reauthenticate;
        struct {
            IkeEnd end;
            const char *text; /* one line; valid as long as the SA */
        } ended;
    };
} IkeAction;

/* Where a gateway sends us (RFC 5685 3): an address, or a name. */
typedef struct IkeRedirect {
    Address address; /* AF_UNSPEC: *name* */
    char name[HOST_MAX_BYTES];
} IkeRedirect;

/* What was thrown away, and what was repeated. */
typedef struct IkeCounters {
    uint64_t malformed;     /* broke the format or a rule */
    uint64_t foreign;       /* SPIs or source address of no SA of ours */
    uint64_t unexpected;    /* message ID or exchange type that is not due: replays, late answers */
    uint64_t forged;        /* checksum wrong */
    uint64_t retransmitted; /* requests we sent again */
    uint64_t rekeyed;       /* IKE SAs and pairs that took the place of others */
} IkeCounters;

/* Starts with IKE_SA_INIT at *now*. 0, -ENOMEM, -EIO. Copies *config*. */
int ike_sa_new(IkeSa **ret, const IkeConfig *config, Moment now);
void ike_sa_free(IkeSa *sa);
DEFINE_CLEANUP(IkeSa, ike_sa_free)

/* A datagram came *from* somewhere, non-ESP marker already taken off. It is decrypted in place. Never fails:
 * what is wrong with it is counted, answered or ends the SA by an action. */
void ike_sa_input(IkeSa *sa, Moment now, uint8_t *datagram, size_t size, const Endpoint *from);
/* Whether a datagram carries the SPIs of this SA. */
bool ike_sa_owns(const IkeSa *sa, const uint8_t *datagram, size_t size);
/* Tears down: DELETE when there is something to delete, IKE_ENDED after its answer (or the retransmission
 * budget, which a caller in a hurry need not wait for). A second call changes nothing. */
void ike_sa_close(IkeSa *sa, Moment now);
/* The same for one that a successor has taken the place of: what the gateway still sends is taken until it
 * has answered the DELETE. */
void ike_sa_supersede(IkeSa *sa, Moment now);
void ike_sa_tick(IkeSa *sa, Moment now);
/* When to call ike_sa_tick() at the latest, on Moment.mono; USEC_NEVER. */
usec_t ike_sa_deadline(const IkeSa *sa);
/* The same on Moment.real: a clock that is set passes it at any moment of the other. */
usec_t ike_sa_real_deadline(const IkeSa *sa);
/* Takes the next action; drain until false after each call above and below. */
bool ike_sa_next(IkeSa *sa, IkeAction *ret);

/* The kernel refused what IKE_CHILD_INSTALL asked for and has nothing of this pair any more. */
void ike_sa_child_failed(IkeSa *sa, Moment now, uint32_t spi_in);
/* The kernel's EXPIRE for one of our ESP SAs, named by either SPI: a limit was reached; hard: it is gone. */
void ike_sa_expire(IkeSa *sa, Moment now, uint32_t spi, bool hard);
/* The kernel's MAPPING: an authenticated ESP packet of this pair came from another endpoint (2.23). */
void ike_sa_mapping(IkeSa *sa, Moment now, uint32_t spi_in, const Endpoint *from);
/* Packets through the pair so far. */
void ike_sa_traffic(IkeSa *sa, Moment now, uint32_t spi_in, uint64_t packets_in, uint64_t packets_out);
/* The verdict on IKE_REVOCATION; *text* says why not. */
void ike_sa_revocation(IkeSa *sa, Moment now, bool good, const char *text);
/* The box has another outer address now. True: the gateway is told (RFC 4555). False: the gateway does not
 * follow, or nothing is established; close the SA. */
bool ike_sa_moved(IkeSa *sa, Moment now, const Address *local);
/* A successor is wanted from now on: IKE_REAUTHENTICATE follows at the next tick, again and again while this
 * one lives. *text* says why and must outlive the SA. */
void ike_sa_reauthenticate(IkeSa *sa, Moment now, const char *text);
/* The kernel keeps NATs alive by itself. */
void ike_sa_kernel_keepalive(IkeSa *sa);

/* The i-th pair that the kernel has something of, with *ret_parts* what; 0 parts: an SPI that was reserved.
 * NULL: no more. For whoever frees an SA that has not ended. */
const ChildSa *ike_sa_child(const IkeSa *sa, size_t i, unsigned *ret_parts);
/* The pair in use for sending; NULL without one. */
const ChildSa *ike_sa_child_in_use(const IkeSa *sa);
/* When the keys in use began and are to be replaced, on Moment.mono; USEC_NEVER where they are not. */
typedef struct IkeTimes {
    usec_t created, rekey, child_created, child_rekey;
} IkeTimes;
void ike_sa_times(const IkeSa *sa, IkeTimes *ret);
/* The target after IKE_END_REDIRECTED or a redirecting IKE_REAUTHENTICATE. */
const IkeRedirect *ike_sa_redirect(const IkeSa *sa);
bool ike_sa_is_established(const IkeSa *sa);

/* The algorithms of the IKE SA, NULL before they are negotiated. */
const Suite *ike_sa_suite(const IkeSa *sa);
const IkeCounters *ike_sa_counters(const IkeSa *sa);
/* The initiator's SPI and the responder's, for logs. */
uint64_t ike_sa_spi_i(const IkeSa *sa);
uint64_t ike_sa_spi_r(const IkeSa *sa);
/* The Diffie-Hellman group: of the last KE sent, and once that was answered the negotiated one. */
uint16_t ike_sa_group(const IkeSa *sa);
/* A NAT seen on the way (2.23): we are behind it, the gateway is. False before IKE_SA_INIT was answered. */
bool ike_sa_nat_local(const IkeSa *sa);
bool ike_sa_nat_remote(const IkeSa *sa);
