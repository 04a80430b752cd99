/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One tunnel to a SeGW: performs what its IKE SA asks for, with IKE's sockets and the kernel. */
#pragma once

#include <systemd/sd-event.h>

#include "ike/ike-io.h"
#include "ike/ike-sa.h"
#include "netlink/netlink-io.h"

typedef struct Tunnel Tunnel;

/* So long a key pair made ahead by tunnel_prepare() is kept. */
#define TUNNEL_PREPARED_MAX (60 * USEC_PER_SEC)
/* A link that comes back within this time costs nothing. */
#define TUNNEL_UPLINK_GRACE (10 * USEC_PER_SEC)

typedef struct TunnelReport {
    const IkeConfiguration *configuration; /* the tunnel carries traffic; NULL: an attempt failed or an
                                              established tunnel is gone, and *text* says why in one line */
    const char *text;
    bool moved; /* the uplink's address has changed: nobody failed */
} TunnelReport;

/* The outside of the tunnel as NAT detection saw it; AF_UNSPEC without a tunnel that is up. */
typedef struct TunnelOuter {
    Address local, remote;
    bool nat_local, nat_remote; /* we are behind a NAT, the gateway is */
} TunnelOuter;

typedef struct TunnelConfig {
    sd_event *event;
    IkeIo *ike;
    NetlinkIo *netlink;
    const TrustStore *trust;
    const Credential *credential;
    Rng rng;
    usec_t clock_floor; /* real time before this is not believed; see IkeConfig */
    bool clock_lenient;
    /* Not called by tunnel_close(). */
    void (*report)(void *userdata, const TunnelReport *report);
    /* The DELETE of a closed tunnel was answered or given up. */
    void (*idle)(void *userdata);
    void *userdata;
} TunnelConfig;

/* 0 or negative errno. Everything in *config* must outlive the tunnel. */
int tunnel_new(Tunnel **ret, const TunnelConfig *config);
/* Without a DELETE; what the kernel holds is removed. NULL is fine. */
void tunnel_free(Tunnel *tunnel);
DEFINE_CLEANUP(Tunnel, tunnel_free)

/* A tunnel will be opened soon: what does not depend on the gateway is made now, while its name is asked for.
 */
void tunnel_prepare(Tunnel *tunnel);
/* Starts IKE with *remote*, whose certificate must carry *identity*. 0, or negative errno: then nothing is
 * reported. */
int tunnel_open(Tunnel *tunnel, const char *identity, const Address *remote);
/* Takes traffic off at once and deletes the SA at the gateway in the background. */
void tunnel_close(Tunnel *tunnel);
/* Nothing is open, and no DELETE waits for its answer. */
bool tunnel_is_idle(const Tunnel *tunnel);
/* A datagram of IKE's sockets. */
void tunnel_input(Tunnel *tunnel, uint8_t *datagram, size_t size, const Endpoint *from);
/* Addresses or routes may have changed: a tunnel whose outer address is another now is reported down, and one
 * whose gateway has had no way to it for TUNNEL_UPLINK_GRACE. */
void tunnel_uplink_changed(Tunnel *tunnel);
void tunnel_outer(const Tunnel *tunnel, TunnelOuter *ret);
