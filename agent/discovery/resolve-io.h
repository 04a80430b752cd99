/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DNS by c-ares on sd-event. One Resolver is one side: "public" (the uplink's servers) or "tunnel" (the
 * servers the SeGW handed out, asked from the inner address through the tunnel interface and nowhere else).
 * No hosts file, no search list; A and AAAA are asked at once. */
#pragma once

#include <systemd/sd-event.h>

#include "base/address.h"
#include "base/macro.h"
#include "base/moment.h"

typedef struct Resolver Resolver;

/* Wait for a server's first answer; it doubles each time all servers have been asked. */
#define RESOLVER_TIMEOUT (1 * USEC_PER_SEC)
/* How often each server is asked. */
#define RESOLVER_TRIES 3
/* The longest a question takes, with however many servers. */
#define RESOLVER_BUDGET (10 * USEC_PER_SEC)
/* Once one family has addresses, how much longer the other one is waited for: a server that drops AAAA
 * questions must not cost the whole budget each time. */
#define RESOLVER_GRACE (1 * USEC_PER_SEC)

typedef struct ResolverConfig {
    /* Servers to ask, in order. None: those of /etc/resolv.conf, read anew for each question. Never none
     * together with an interface. */
    size_t n_servers;
    Address servers[DNS_SERVERS_MAX];
    /* Tunnel side: every socket is bound to this interface and to the address of the server's family in
     * *sources*; a bind that fails is a failed question. Public side: NULL. */
    const char *interface;
    AddressList sources;
    /* For tests; zero means what the field's comment says. */
    const char *resolv_conf;       /* /etc/resolv.conf */
    uint16_t port;                 /* 53 */
    usec_t timeout, budget, grace; /* the constants above */
} ResolverConfig;

/* The answer to one question: error == 0 and at least one address in the order to try; or error != 0 and
 * *text* a line that names the question, what went wrong and who was asked ("segw.example: the name does not
 * exist (NXDOMAIN); asked public DNS 192.0.2.53"): -ENXIO: the name does not exist or has no address;
 * -ETIMEDOUT: no server answered in time or could be reached; -EAGAIN: the server's own failure (SERVFAIL,
 * REFUSED ...); -EBADMSG: an answer that cannot be read; -EINVAL: not a name; tunnel side: the errno of the
 * bind that failed. */
typedef struct ResolverAnswer {
    int error;
    AddressList addresses;
    usec_t ttl;       /* smallest TTL of the addresses used; USEC_NEVER for a literal */
    const char *text; /* NULL without error; valid while the handler runs */
} ResolverAnswer;

typedef void (*ResolverHandler)(void *userdata, const ResolverAnswer *answer);

/* 0 or negative errno. Copies *config* and the strings in it. */
int resolver_new(Resolver **ret, sd_event *event, const ResolverConfig *config);
/* Cancels what is under way without calling handlers; may be called by a handler. NULL is fine. */
void resolver_free(Resolver *resolver);
/* Asks for the addresses of *name*, or takes it for what it says when it is a literal address; calls
 * *handler* exactly once, from the event loop and never from within this function, unless the resolver is
 * freed first. 0 or negative errno (then the handler is not called). */
int resolver_resolve(Resolver *resolver, const char *name, ResolverHandler handler, void *userdata);

DEFINE_CLEANUP(Resolver, resolver_free)
