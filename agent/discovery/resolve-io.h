/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DNS by c-ares on sd-event. One Resolver is one side: "public" (the uplink's servers) or "tunnel" (the
 * servers the SeGW handed out, asked from the inner address through the tunnel interface and nowhere else).
 * No hosts file, no search list; A and AAAA are asked at once. */
#pragma once

#include <systemd/sd-event.h>

#include "base/address.h"
#include "base/moment.h"

typedef struct Resolver Resolver;

#define RESOLVER_SERVERS_MAX 8

typedef struct ResolverConfig {
    /* Servers to ask, in order. None: those of /etc/resolv.conf, read anew for each question. Never none
     * together with an interface. */
    size_t n_servers;
    Address servers[RESOLVER_SERVERS_MAX];
    /* Tunnel side: every socket is bound to this interface and to the address of the server's family in
     * *sources*; a bind that fails is a failed question. Public side: NULL. */
    const char *interface;
    AddressList sources;
} ResolverConfig;

/* The answer to one question: error == 0 and at least one address in the order to try; or error != 0
 * (-ENXIO: the name does not exist or has no address; -ETIMEDOUT: no server answered; other negative errno)
 * and *text* a line that names the question and what went wrong ("segw.example: NXDOMAIN from 192.0.2.53").
 */
typedef struct ResolverAnswer {
    int error;
    AddressList addresses;
    usec_t ttl; /* smallest TTL of the addresses used */
    const char *text;
} ResolverAnswer;

typedef void (*ResolverHandler)(void *userdata, const ResolverAnswer *answer);

/* 0 or negative errno. Copies *config*. */
int resolver_new(Resolver **ret, sd_event *event, const ResolverConfig *config);
/* Cancels what is under way without calling handlers. NULL is fine. */
void resolver_free(Resolver *resolver);
/* Asks for the addresses of *name*; calls *handler* exactly once, from the event loop, unless the resolver is
 * freed first. *id* (may be NULL) can cancel it. 0 or negative errno (then the handler is not called). */
int resolver_resolve(Resolver *resolver, const char *name, ResolverHandler handler, void *userdata);
