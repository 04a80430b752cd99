/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fetches what a revocation job needs (ike/revocation.h) while the loop goes on: OCSP and CRLs by http, over
 * the uplink and never through a tunnel, for they are about the gateway before it is let in. Names are asked
 * of the public resolver. No proxy, no https, no credentials, and redirects to http only. */
#pragma once

#include "discovery/resolve-io.h"
#include "ike/revocation.h"

#define REVOCATION_IO_TIMEOUT (10 * USEC_PER_SEC) /* of all that one job fetches */
#define REVOCATION_IO_FETCH_TIMEOUT                                                                          \
    (4 * USEC_PER_SEC) /* of one transfer, so that the next source has its turn */
#define REVOCATION_IO_DNS_TIMEOUT (3 * USEC_PER_SEC) /* of one name */
#define REVOCATION_IO_REDIRECTS   2
#define REVOCATION_IO_ADDRESSES   3 /* of one host that are tried */
#define REVOCATION_IO_HEADERS_MAX (16 * 1024)

typedef struct RevocationIo RevocationIo;

typedef struct RevocationIoConfig {
    ResolverConfig resolver; /* the public side's; its strings must outlive the io. budget 0: DNS_TIMEOUT */
    AddressList sources;     /* the outer addresses: bound to where the family is there */
    /* For tests; 0: the constants above, and the port of the URL. */
    usec_t timeout, fetch_timeout;
    uint16_t port;
} RevocationIoConfig;

/* Whether the gateway is let in, after REVOCATION_GOOD, REVOKED or UNKNOWN, and the line to be logged: ""
 * with GOOD. The io is free again and may be freed. */
typedef void (*RevocationIoHandler)(void *userdata, bool good, RevocationVerdict verdict, const char *text);

/* 0 or negative errno. Takes a reference of *event*. One for each tunnel. */
int revocation_io_new(RevocationIo **ret, sd_event *event, const RevocationIoConfig *config);
/* Cancels. NULL is fine. */
void revocation_io_free(RevocationIo *io);
DEFINE_CLEANUP(RevocationIo, revocation_io_free)
/* Takes *job* and works it to its end. *dated*: the clock is believed. Calls *handler* exactly once, from the
 * loop and never from within this function, unless cancelled. 0; -EBUSY: another is under way, *job* is not
 * taken; or another negative errno, the same. */
int revocation_io_start(RevocationIo *io, RevocationJob *job, bool dated, RevocationIoHandler handler,
                        void *userdata);
/* Forgets the job; no handler is called. None under way is fine. */
void revocation_io_cancel(RevocationIo *io);
