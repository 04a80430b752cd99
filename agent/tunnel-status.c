/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See tunnel-status.h. */
#include "tunnel-status.h"

#include <stdio.h>

static void algorithms_format(const TunnelView *view, TunnelStatus *ret) {
    if (view->suite)
        snprintf(ret->ike_algorithms, sizeof ret->ike_algorithms, "%s",
                 suite_format(view->suite, (char[SUITE_STR_MAX]){0}));
    if (view->child)
        snprintf(ret->esp_algorithms, sizeof ret->esp_algorithms, "%s",
                 esp_format(&view->child->algorithms, (char[ESP_STR_MAX]){0}));
}

void tunnel_status(const Tunnel *tunnel, const char *identity, TunnelStatus *ret) {
    const TunnelView view = tunnel_view(tunnel);

    *ret = (TunnelStatus){.up = view.up};
    snprintf(ret->local_identity, sizeof ret->local_identity, "%s", identity);
    if (!view.up)
        return;
    const usec_t rekey = MIN(view.times.rekey, view.times.child_rekey);
    snprintf(ret->peer_identity, sizeof ret->peer_identity, "%s", view.identity);
    ret->local = view.local;
    ret->remote = view.remote;
    ret->nat_local = view.nat_local;
    ret->nat_remote = view.nat_remote;
    ret->ike_spi_i = view.spi_i;
    ret->ike_spi_r = view.spi_r;
    ret->inner_addresses = *view.inside;
    ret->next_rekey = rekey == USEC_NEVER ? 0 : rekey;
    algorithms_format(&view, ret);
    if (!view.child)
        return;
    ret->child_spi_in = view.child->spi_in;
    ret->child_spi_out = view.child->spi_out;
    ret->encapsulated = view.child->encapsulate;
}

void tunnel_counters(const Tunnel *tunnel, TunnelCounters *ret) {
    const TunnelView view = tunnel_view(tunnel);
    const IkeCounters *ike = view.counters;
    ChildTraffic esp = {};

    *ret = (TunnelCounters){};
    if (!view.up)
        return;
    (void)tunnel_traffic(tunnel, &esp);
    *ret = (TunnelCounters){.packets_in = esp.packets_in,
                            .packets_out = esp.packets_out,
                            .bytes_in = esp.bytes_in,
                            .bytes_out = esp.bytes_out,
                            .esp_replayed = esp.replayed,
                            .esp_forged = esp.forged,
                            .malformed = ike->malformed,
                            .foreign = ike->foreign,
                            .unexpected = ike->unexpected,
                            .forged = ike->forged,
                            .retransmitted = ike->retransmitted};
}
