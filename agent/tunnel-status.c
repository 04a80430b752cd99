/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See tunnel-status.h. */
#include "tunnel-status.h"

#include <stdio.h>

static void algorithms_format(const IkeSa *sa, const ChildSa *child, TunnelStatus *ret) {
    const Suite *suite = ike_sa_suite(sa);
    const EspAlgorithms *esp = child ? &child->algorithms : NULL;

    if (suite)
        snprintf(ret->ike_algorithms, sizeof ret->ike_algorithms, "%s",
                 suite_format(suite, (char[SUITE_STR_MAX]){0}));
    if (esp && esp->aead)
        snprintf(ret->esp_algorithms, sizeof ret->esp_algorithms, "%s", esp->aead);
    else if (esp)
        snprintf(ret->esp_algorithms, sizeof ret->esp_algorithms, "%s with %s", esp->encryption,
                 esp->integrity);
}

static void child_fill(const ChildSa *child, TunnelStatus *ret) {
    ret->child_spi_in = child->spi_in;
    ret->child_spi_out = child->spi_out;
    ret->encapsulated = child->encapsulate;
}

void tunnel_status(const Tunnel *tunnel, const char *identity, TunnelStatus *ret) {
    const IkeSa *sa = tunnel_sa(tunnel);
    Endpoint local, remote;

    *ret = (TunnelStatus){.up = sa != NULL};
    snprintf(ret->local_identity, sizeof ret->local_identity, "%s", identity);
    if (!sa)
        return;
    const ChildSa *child = ike_sa_child_in_use(sa);
    usec_t rekey = ike_sa_next_rekey(sa);
    ike_sa_endpoints(sa, &local, &remote);
    ret->local = local.address;
    ret->remote = remote.address;
    ret->nat_local = ike_sa_nat_local(sa);
    ret->nat_remote = ike_sa_nat_remote(sa);
    snprintf(ret->peer_identity, sizeof ret->peer_identity, "%s", ike_sa_identity(sa));
    ret->ike_spi_i = ike_sa_spi_i(sa);
    ret->ike_spi_r = ike_sa_spi_r(sa);
    ret->inner_addresses = *tunnel_inside(tunnel);
    ret->next_rekey = rekey == USEC_NEVER ? 0 : rekey;
    algorithms_format(sa, child, ret);
    if (child)
        child_fill(child, ret);
}

void tunnel_counters(const Tunnel *tunnel, NetlinkIo *netlink, TunnelCounters *ret) {
    const IkeSa *sa = tunnel_sa(tunnel);

    *ret = (TunnelCounters){};
    if (!sa)
        return;
    const ChildSa *child = ike_sa_child_in_use(sa);
    const IkeCounters *c = ike_sa_counters(sa);
    ret->malformed = c->malformed;
    ret->foreign = c->foreign;
    ret->unexpected = c->unexpected;
    ret->forged = c->forged;
    ret->retransmitted = c->retransmitted;
    if (child)
        (void)netlink_io_traffic(netlink, child, &ret->packets_in, &ret->packets_out);
}
