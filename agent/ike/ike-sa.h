/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One IKE SA from the initiator's side (RFC 7296): datagrams, time and the kernel's answers in, actions out.
 */
#pragma once

#include "base/moment.h"
#include "ike/certificate.h"
#include "ike/child-sa.h"
#include "ike/prepared.h"

typedef struct IkeSa IkeSa;

/* An unanswered request is sent again after 0.5, 1, 2 and 4 s (each shifted by up to a tenth, so that boxes
 * do not march in step) and given up 8 s later: 15.5 s in all. A silent gateway costs 2190 bytes on the
 * uplink that way over IPv4 and 2290 over IPv6, headers included. */
#define IKE_RETRANSMIT_FIRST (500 * USEC_PER_MSEC)
#define IKE_RETRANSMIT_TRIES 5
/* A gateway from which nothing was heard for so long is asked whether it lives (2.4). */
#define IKE_LIVENESS_INTERVAL (60 * USEC_PER_SEC)
/* An error in the answer to IKE_SA_INIT may be forged: a good answer is waited for this much longer (2.21.1).
 */
#define IKE_ERROR_GRACE (2 * USEC_PER_SEC)
#define IKE_COOKIES_MAX 4     /* COOKIE answers followed in one set-up */
#define IKE_GROUPS_MAX  3     /* INVALID_KE_PAYLOAD answers followed */
#define IKE_MESSAGE_MAX 16384 /* of ours */

typedef struct IkeConfig {
    Address local, remote;         /* never unspecified */
    char identity[HOST_MAX_BYTES]; /* what the gateway's certificate must carry */
    const TrustStore *trust;       /* both must outlive the SA */
    const Credential *credential;
    Rng rng;
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
} IkeConfig;

/* Why an SA ended. */
typedef enum IkeEnd {
    IKE_END_CLOSED,       /* ike_sa_close() */
    IKE_END_SILENT,       /* the gateway did not answer within the budget */
    IKE_END_REFUSED,      /* the gateway sent an error */
    IKE_END_UNTRUSTED,    /* we refuse the gateway's certificate, identity or signature */
    IKE_END_UNACCEPTABLE, /* what the gateway proposed cannot be used: algorithms, addresses, selectors */
    IKE_END_DELETED,      /* the gateway deleted it */
    IKE_END_FAILED,       /* we failed: memory, cryptography, the kernel */
} IkeEnd;

typedef enum IkeActionType {
    IKE_SEND,         /* a datagram */
    IKE_ALLOCATE_SPI, /* reserve an inbound ESP SPI; answer with ike_sa_spi() */
    IKE_CHILD_UP,     /* program this pair; on failure call ike_sa_close() */
    /* Take the pair off: *ended* says why, and an IKE_ENDED with the same follows the DELETE. */
    IKE_CHILD_DOWN,
    IKE_ENDED, /* the last action: forget the SPI or the Child SA, and the SA itself */
} IkeActionType;

typedef struct IkeAction {
    IkeActionType type;
    union {
        struct {
            Endpoint local, remote; /* port 4500: the sender puts the non-ESP marker before it */
            const uint8_t *data;    /* valid until the next call on the SA */
            size_t size;
        } send;
        struct {
            const ChildSa *child; /* both valid as long as the SA, but keys only until the next call */
            const IkeConfiguration *configuration;
            bool undated; /* the dates of the gateway's certificates are not judged yet */
        } up;
        struct {
            IkeEnd end;
            const char *text; /* one line; valid as long as the SA */
        } ended;
    };
} IkeAction;

/* What was thrown away, and what was repeated. */
typedef struct IkeCounters {
    uint64_t malformed;     /* broke the format or a rule */
    uint64_t foreign;       /* SPIs or source address of no SA of ours */
    uint64_t unexpected;    /* message ID or exchange type that is not due: replays, late answers */
    uint64_t forged;        /* checksum wrong */
    uint64_t retransmitted; /* requests we sent again */
} IkeCounters;

/* Starts with IKE_SA_INIT at *now*. 0, -ENOMEM, -EIO. Copies *config*. */
int ike_sa_new(IkeSa **ret, const IkeConfig *config, Moment now);
void ike_sa_free(IkeSa *sa);
DEFINE_CLEANUP(IkeSa, ike_sa_free)

/* A datagram came *from* somewhere, non-ESP marker already taken off. It is decrypted in place. Never fails:
 * what is wrong with it is counted, answered or ends the SA by an action. */
void ike_sa_input(IkeSa *sa, Moment now, uint8_t *datagram, size_t size, const Endpoint *from);
/* Answer to IKE_ALLOCATE_SPI; 0 when the kernel refused. */
void ike_sa_spi(IkeSa *sa, Moment now, uint32_t spi);
/* Tears down: DELETE when there is something to delete, IKE_ENDED after its answer (or the retransmission
 * budget, which a caller in a hurry need not wait for). A second call changes nothing. */
void ike_sa_close(IkeSa *sa, Moment now);
void ike_sa_tick(IkeSa *sa, Moment now);
/* When to call ike_sa_tick() at the latest, on Moment.mono; USEC_NEVER. */
usec_t ike_sa_deadline(const IkeSa *sa);
/* The same on Moment.real: a clock that is set passes it at any moment of the other. */
usec_t ike_sa_real_deadline(const IkeSa *sa);
/* Takes the next action; drain until false after each call above. */
bool ike_sa_next(IkeSa *sa, IkeAction *ret);

/* The algorithms of the IKE SA, NULL before they are negotiated. */
const Suite *ike_sa_suite(const IkeSa *sa);
const IkeCounters *ike_sa_counters(const IkeSa *sa);
/* The initiator's SPI, for matching datagrams and for logs. */
uint64_t ike_sa_spi_i(const IkeSa *sa);
/* The Diffie-Hellman group: of the last KE sent, and once that was answered the negotiated one. */
uint16_t ike_sa_group(const IkeSa *sa);
/* A NAT seen on the way (2.23): we are behind it, the gateway is. False before IKE_SA_INIT was answered. */
bool ike_sa_nat_local(const IkeSa *sa);
bool ike_sa_nat_remote(const IkeSa *sa);
