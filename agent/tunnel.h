/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One tunnel to a SeGW: performs what its IKE SA asks for, with IKE's sockets and the kernel, and builds a
 * successor beside it when that is wanted (make before break, RFC 7296 2.8.3). */
#pragma once

#include <systemd/sd-event.h>

#include "base/log-messages.h"
#include "ike/ike-io.h"
#include "ike/ike-sa.h"
#include "netlink/netlink-io.h"
#include "revocation-io.h"

typedef struct Tunnel Tunnel;

/* So long a key pair made ahead by tunnel_prepare() is kept. */
#define TUNNEL_PREPARED_MAX (60 * USEC_PER_SEC)
/* A link that comes back within this time costs nothing. */
#define TUNNEL_UPLINK_GRACE (10 * USEC_PER_SEC)
/* Redirections followed within TUNNEL_REDIRECT_PERIOD (RFC 5685 11.1). */
#define TUNNEL_REDIRECTS_MAX   5
#define TUNNEL_REDIRECT_PERIOD (300 * USEC_PER_SEC)

typedef struct TunnelReport {
    const IkeConfiguration *configuration; /* the tunnel carries traffic; NULL: an attempt failed or an
                                              established tunnel is gone, and *text* says why in one line */
    const char *text;
    bool moved;         /* the uplink's address has changed: nobody failed */
    LogMessage message; /* what the journal calls the text; MESSAGE_NONE: nothing of its own */
    /* It carried traffic before and goes on with this *configuration*, or with none: at other outer
     * addresses. */
    bool again;
} TunnelReport;

/* The tunnel as it is. */
typedef struct TunnelView {
    bool up;                    /* false: the rest is empty */
    Address local, remote;      /* outer */
    bool nat_local, nat_remote; /* we are behind a NAT, the gateway is */
    const char *identity;       /* wanted of the gateway */
    const Suite *suite;         /* of the IKE SA; this and the pointers below until the next call */
    const ChildSa *child;       /* in use, without its keys; NULL between two */
    const IkeCounters *counters;
    const AddressList *inside;
    uint64_t spi_i, spi_r; /* of the IKE SA */
    IkeTimes times;
} TunnelView;

typedef struct TunnelConfig {
    sd_event *event;
    IkeIo *io;
    NetlinkIo *netlink;
    ResolverConfig resolver; /* for a gateway we are redirected to by its name: the public side's */
    /* For ike.check_revocation; may be NULL without. */
    RevocationIo *revocation;
    RevocationCache *revocation_cache;
    Revocation revocation_policy;
    IkeConfig ike; /* what of it does not depend on the gateway; trust and credential are borrowed */
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
/* Addresses or routes may have changed: a tunnel whose outer address is another now moves along (RFC 4555) or
 * is reported down, and one whose gateway has had no way to it for TUNNEL_UPLINK_GRACE is. */
void tunnel_uplink_changed(Tunnel *tunnel);
/* Another certificate or other trust, for what is built from now on; a tunnel that is up gets a successor. */
void tunnel_reauthenticate(Tunnel *tunnel, const TrustStore *trust, const Credential *credential);
/* The kernel's events (NetlinkConfig). */
void tunnel_expired(Tunnel *tunnel, uint32_t spi, bool hard);
void tunnel_mapping(Tunnel *tunnel, uint32_t spi_in, const Endpoint *from);
TunnelView tunnel_view(const Tunnel *tunnel);
/* Of the pair in use. 0, -ENOTCONN without one, or negative errno. */
int tunnel_traffic(const Tunnel *tunnel, ChildTraffic *ret);
