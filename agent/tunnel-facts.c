/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See tunnel-facts.h. */
#include "tunnel-facts.h"

#include "clock.h"
#include "ipsec-facts.h"

#define COUNTERS IPSEC_CHILD_SA "Stats."

/* The time of day of a moment that has passed; 0: not known. */
static usec_t real_of(Moment now, bool trusted, usec_t mono) {
    usec_t ago = now.mono - mono;
    return trusted && mono <= now.mono && ago <= now.real ? now.real - ago : 0;
}

static IpsecFacts facts_of(const Tunnel *tunnel, bool clock_trusted) {
    const TunnelView view = tunnel_view(tunnel);
    const Moment now = clock_now();

    if (!view.up)
        return (IpsecFacts){};
    return (IpsecFacts){
        .up = true,
        .local = view.local,
        .remote = view.remote,
        .nat_local = view.nat_local,
        .nat_remote = view.nat_remote,
        .suite = view.suite,
        .created = real_of(now, clock_trusted, view.times.created),
        .spi_in = view.child ? view.child->spi_in : 0,
        .spi_out = view.child ? view.child->spi_out : 0,
        .child_created = real_of(now, clock_trusted, view.times.child_created),
    };
}

void tunnel_facts_report(const Tunnel *tunnel, const Device *device) {
    const IpsecFacts facts = facts_of(tunnel, false);
    ipsec_facts_report(device_rows(device), &facts);
}

int tunnel_facts_live(const Tunnel *tunnel, bool clock_trusted, const char *name, char *buf, size_t size) {
    ChildTraffic traffic;

    if (strncmp(name, IPSEC_IKE_SA, strlen(IPSEC_IKE_SA)) != 0)
        return -ENOENT;
    if (strncmp(name, COUNTERS, strlen(COUNTERS)) != 0) {
        const IpsecFacts facts = facts_of(tunnel, clock_trusted);
        return ipsec_facts_value(&facts, name + strlen(IPSEC_IKE_SA), buf, size);
    }
    int r = tunnel_traffic(tunnel, &traffic);
    return r < 0 ? r : ipsec_facts_counter(&traffic, name + strlen(COUNTERS), buf, size);
}
