/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the kernel says went through the tunnel: whether the gateway was heard, whether a NAT wants to be kept
 * awake (RFC 3948 2.3), whether the way of the data is broken while IKE is answered. */
#include "ike/ike-sa-internal.h"

static bool keeps_nat_alive(const IkeSa *sa) {
    return sa->nat_local && sa->config.nat_keepalive > 0 && !sa->kernel_keepalive;
}

static usec_t traffic_interval(const IkeSa *sa) {
    return keeps_nat_alive(sa) ? MIN(sa->config.nat_keepalive, IKE_TRAFFIC_INTERVAL) : IKE_TRAFFIC_INTERVAL;
}

void traffic_ask(IkeSa *sa, Moment now) {
    const Child *c = child_in_use(sa);

    sa->traffic_at = now.mono + traffic_interval(sa);
    sa->traffic_asked = now.mono;
    if (c)
        ike_sa_push(sa, (IkeAction){.type = IKE_QUERY_TRAFFIC, .child.child = &c->sa});
}

/* Nothing comes back through the tunnel, while IKE is answered: addresses are told anew, or else new keys are
 * made; the next time only after twice as long, since it may just be that nobody answers inside. */
static void mend_data_path(IkeSa *sa, Moment now, Child *c) {
    sa->deaf = 0;
    sa->deaf_limit = MIN(2 * sa->deaf_limit, 1000u);
    if (sa->mobility.supported)
        sa->mobility.wanted = true;
    else
        c->rekey_at = now.mono;
}

void ike_sa_traffic(IkeSa *sa, Moment now, uint32_t spi_in, uint64_t packets_in, uint64_t packets_out) {
    Child *c = child_in_use(sa);

    if (sa->state != STATE_ESTABLISHED || !c || c->sa.spi_in != spi_in)
        return;
    bool same = sa->traffic_spi == spi_in;
    bool in = packets_in > (same ? sa->packets_in : 0), out = packets_out > (same ? sa->packets_out : 0);
    sa->traffic_spi = spi_in;
    sa->packets_in = packets_in;
    sa->packets_out = packets_out;
    if (out)
        sa->said = now.mono;
    if (in) {
        sa->heard = now.mono;
        sa->deaf = 0;
        sa->deaf_at = now.mono;
        sa->deaf_limit = IKE_DEAF_INTERVALS;
    } else if (out && now.mono >= sa->deaf_at + IKE_DEAF_INTERVAL) {
        sa->deaf_at = now.mono;
        if (++sa->deaf >= sa->deaf_limit)
            mend_data_path(sa, now, c);
    }
    if (keeps_nat_alive(sa) && now.mono >= sa->said + sa->config.nat_keepalive) {
        sa->said = now.mono;
        ike_sa_push(sa,
                    (IkeAction){.type = IKE_KEEPALIVE, .send = {.local = sa->local, .remote = sa->remote}});
    }
    ike_sa_proceed(sa, now);
}

void ike_sa_kernel_keepalive(IkeSa *sa) {
    sa->kernel_keepalive = true;
}
