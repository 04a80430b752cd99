/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One tunnel to a SeGW: performs what its IKE SA asks for, with IKE's sockets and the kernel. */
#pragma once

#include <systemd/sd-event.h>

#include "ike/ike-io.h"
#include "ike/ike-sa.h"
#include "netlink/netlink-io.h"

typedef struct Tunnel Tunnel;

typedef struct TunnelConfig {
    sd_event *event;
    IkeIo *ike;
    NetlinkIo *netlink;
    const TrustStore *trust;
    const Credential *credential;
    Rng rng;
    /* The tunnel carries traffic (*configuration*), or an attempt failed or an established tunnel is gone
     * (NULL, *text*: one line that says why). Not called by tunnel_close(). */
    void (*report)(void *userdata, const IkeConfiguration *configuration, const char *text);
    /* The DELETE of a closed tunnel was answered or given up. */
    void (*idle)(void *userdata);
    void *userdata;
} TunnelConfig;

/* 0 or negative errno. Everything in *config* must outlive the tunnel. */
int tunnel_new(Tunnel **ret, const TunnelConfig *config);
/* Without a DELETE; what the kernel holds is removed. NULL is fine. */
void tunnel_free(Tunnel *tunnel);
DEFINE_CLEANUP(Tunnel, tunnel_free)

/* Starts IKE with *remote*, whose certificate must carry *identity*. 0, or negative errno: then nothing is
 * reported. */
int tunnel_open(Tunnel *tunnel, const char *identity, const Address *remote);
/* Takes traffic off at once and deletes the SA at the gateway in the background. */
void tunnel_close(Tunnel *tunnel);
/* Nothing is open, and no DELETE waits for its answer. */
bool tunnel_is_idle(const Tunnel *tunnel);
/* A datagram of IKE's sockets. */
void tunnel_input(Tunnel *tunnel, uint8_t *datagram, size_t size, const Endpoint *from);
/* Addresses or routes may have changed: a tunnel whose outer address is gone is reported down. */
void tunnel_uplink_changed(Tunnel *tunnel);
