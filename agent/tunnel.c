/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See tunnel.h. */
#include "tunnel.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "clock.h"
#include "ike/gateways.h"

/* An IKE SA and what belongs to it in the kernel. */
typedef struct Association {
    IkeSa *sa;
    Address local, remote;
    uint16_t group; /* of the first KE */
    uint32_t spi;   /* reserved or in use, 0: none */
    ChildSa child;  /* programmed when installed */
    bool installed;
} Association;

struct Tunnel {
    TunnelConfig config;
    sd_event_source *timer, *clock_timer;
    Gateways gateways;
    IkePrepared *prepared; /* for the next SA, or NULL */
    usec_t prepared_until;
    usec_t uplink_given_up; /* when the lack of a way to the gateway is no moment any more */
    AddressList inside;     /* inner addresses that the box has, with or without a tunnel */
    Association current;
    Association leaving; /* closed, its DELETE not answered yet */
    bool running;        /* tunnel_run() is on the stack */
};

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata);

int tunnel_new(Tunnel **ret, const TunnelConfig *config) {
    _cleanup_(tunnel_freep) Tunnel *t = calloc(1, sizeof *t);

    if (!t)
        return -ENOMEM;
    t->config = *config;
    t->prepared_until = t->uplink_given_up = USEC_NEVER;
    int r = sd_event_add_time(config->event, &t->timer, CLOCK_BOOTTIME, UINT64_MAX, 1, on_timer, t);
    /* The kernel has this one go off also when the clock is set past it: nothing needs to look at the clock
     * again and again. */
    if (r >= 0)
        r = sd_event_add_time(config->event, &t->clock_timer, CLOCK_REALTIME, UINT64_MAX, 1, on_timer, t);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(t);
    return 0;
}

/* Traffic stops: policies and SAs go, the interface and what guards the inner addresses stay. */
static void association_uninstall(Tunnel *t, Association *a) {
    if (a->installed)
        netlink_io_remove(t->config.netlink, &a->child, CHILD_IN | CHILD_OUT);
    else if (a->spi)
        netlink_io_remove_sa(t->config.netlink, &a->local, a->spi);
    child_sa_wipe(&a->child);
    a->installed = false;
    a->spi = 0;
}

/* What a gateway, or somebody in its name, sent that was not fit to be looked at. */
static void counters_log(const Association *a) {
    const IkeCounters *c = ike_sa_counters(a->sa);
    if (c->malformed || c->foreign || c->unexpected || c->forged || c->retransmitted)
        log_info("IKE SA with %s: dropped %" PRIu64 " malformed, %" PRIu64 " foreign, %" PRIu64
                 " unexpected, %" PRIu64 " forged messages; sent %" PRIu64 " again",
                 ADDRESS_STR(&a->remote), c->malformed, c->foreign, c->unexpected, c->forged,
                 c->retransmitted);
}

static void association_drop(Tunnel *t, Association *a) {
    if (a->sa)
        counters_log(a);
    association_uninstall(t, a);
    ike_sa_free(TAKE_PTR(a->sa));
}

/* What was made ahead was not used: the key is not left lying about. */
static void prepared_drop(Tunnel *t) {
    if (!t->prepared)
        return;
    ike_prepared_free(TAKE_PTR(t->prepared));
    t->prepared_until = USEC_NEVER;
    crypto_forget_caches();
}

void tunnel_free(Tunnel *t) {
    if (!t)
        return;
    association_drop(t, &t->current);
    association_drop(t, &t->leaving);
    prepared_drop(t);
    sd_event_source_disable_unref(t->timer);
    sd_event_source_disable_unref(t->clock_timer);
    explicit_bzero(t, sizeof *t);
    free(t);
}

/* Inner address and guard first, then the SAs: at no time is there a policy without its guard. 0 or negative
 * errno. */
static int child_install(Tunnel *t, Association *a, const ChildSa *child,
                         const IkeConfiguration *configuration) {
    int r = netlink_io_set_inner(t->config.netlink, &configuration->addresses);
    if (r < 0)
        return r;
    t->inside = configuration->addresses;
    r = netlink_io_install(t->config.netlink, child, CHILD_IN | CHILD_OUT);
    if (r < 0) {
        a->spi = 0; /* taken back with the batch */
        return r;
    }
    a->child = *child; /* which SAs and policies to remove; the keys are the kernel's only */
    child_sa_wipe_keys(&a->child);
    a->installed = true;
    return 0;
}

static void report_down(Tunnel *t, const char *text) {
    t->config.report(t->config.userdata, &(TunnelReport){.text = text});
}

static void on_child_up(Tunnel *t, Association *a, const IkeAction *action) {
    const ChildSa *child = action->up.child;
    const Suite *suite = ike_sa_suite(a->sa);

    int r = child_install(t, a, child, action->up.configuration);
    if (r < 0) {
        char text[128];
        snprintf(text, sizeof text, "the kernel refused the tunnel to %s: %s", ADDRESS_STR(&a->remote),
                 strerror(-r));
        tunnel_close(t);
        report_down(t, text);
        return;
    }
    uint16_t group = ike_sa_group(a->sa);
    gateways_remember(&t->gateways, &a->remote, group == proposals_groups()[0] ? 0 : group);
    log_info("tunnel to %s is up: IKE %s, ESP %s%s%s, SPIs %08x in, %08x out%s", ADDRESS_STR(&a->remote),
             suite ? suite_format(suite, (char[SUITE_STR_MAX]){0}) : "",
             child->algorithms.aead ?: child->algorithms.encryption, child->algorithms.aead ? "" : " with ",
             child->algorithms.aead ? "" : child->algorithms.integrity, child->spi_in, child->spi_out,
             child->encapsulate ? ", in UDP (NAT on the way)" : "");
    if (action->up.undated)
        log_notice(
            "SeGW %s: the time is not known yet, so the validity dates of its certificates are passed over "
            "for now",
            ADDRESS_STR(&a->remote));
    t->config.report(t->config.userdata, &(TunnelReport){.configuration = action->up.configuration});
}

/* The SA has its DELETE to bring home, the tunnel is gone now. */
static void on_child_down(Tunnel *t, const IkeAction *action) {
    char text[ERROR_MAX_BYTES];

    snprintf(text, sizeof text, "SeGW %s: %s", ADDRESS_STR(&t->current.remote), action->ended.text);
    tunnel_close(t);
    report_down(t, text);
}

static void on_ended(Tunnel *t, Association *a, const IkeAction *action) {
    char text[ERROR_MAX_BYTES];
    bool current = a == &t->current;

    if (current)
        snprintf(text, sizeof text, "SeGW %s: %s", ADDRESS_STR(&a->remote), action->ended.text);
    /* Never up: the group we remembered may be what the gateway has refused. */
    if (current && !a->installed && (action->ended.end == IKE_END_REFUSED || ike_sa_group(a->sa) != a->group))
        gateways_remember(&t->gateways, &a->remote, 0);
    association_drop(t, a);
    if (!current) {
        if (tunnel_is_idle(t))
            t->config.idle(t->config.userdata);
        return;
    }
    t->uplink_given_up = USEC_NEVER; /* nothing is left to be given up */
    report_down(t, text);
}

/* Performs one action. */
static void perform(Tunnel *t, Association *a, const IkeAction *action) {
    switch (action->type) {
    case IKE_SEND:
        ike_io_send(t->config.ike, &action->send.local, &action->send.remote, action->send.data,
                    action->send.size);
        return;
    case IKE_ALLOCATE_SPI:
        if (netlink_io_allocate_spi(t->config.netlink, &a->remote, &a->local, &a->spi) < 0)
            a->spi = 0;
        ike_sa_spi(a->sa, clock_now(), a->spi);
        return;
    case IKE_CHILD_UP:
        if (a == &t->current)
            on_child_up(t, a, action);
        return;
    case IKE_CHILD_DOWN:
        if (a == &t->current)
            on_child_down(t, action);
        return;
    case IKE_ENDED:
        on_ended(t, a, action);
        return;
    }
}

/* Drains both SAs; what a report starts is picked up by the same loop. */
static void tunnel_run(Tunnel *t) {
    Association *each[] = {&t->leaving, &t->current};
    IkeAction action;

    if (t->running)
        return;
    t->running = true;
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < ARRAY_SIZE(each); i++)
            if (each[i]->sa && ike_sa_next(each[i]->sa, &action)) {
                perform(t, each[i], &action);
                more = true;
            }
    }
    t->running = false;

    usec_t deadline = MIN(t->prepared_until, t->uplink_given_up), real = USEC_NEVER;
    for (size_t i = 0; i < ARRAY_SIZE(each); i++)
        if (each[i]->sa) {
            deadline = MIN(deadline, ike_sa_deadline(each[i]->sa));
            real = MIN(real, ike_sa_real_deadline(each[i]->sa));
        }
    timer_set(t->timer, deadline);
    timer_set(t->clock_timer, real);
}

/* No DELETE leaves from an address that is gone; INITIAL_CONTACT cleans up. */
static void uplink_lost(Tunnel *t, const char *text) {
    association_drop(t, &t->current);
    t->uplink_given_up = USEC_NEVER;
    t->config.report(t->config.userdata, &(TunnelReport){.text = text, .moved = true});
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Tunnel *t = userdata;
    Association *each[] = {&t->leaving, &t->current};

    for (size_t i = 0; i < ARRAY_SIZE(each); i++)
        if (each[i]->sa)
            ike_sa_tick(each[i]->sa, clock_now());
    if (clock_now().mono >= t->prepared_until)
        prepared_drop(t);
    if (clock_now().mono >= t->uplink_given_up)
        uplink_lost(t, "the uplink has had no way to the SeGW for a while");
    tunnel_run(t);
    return 0;
}

void tunnel_prepare(Tunnel *t) {
    if (t->prepared || ike_prepared_new(&t->prepared, proposals_groups()[0], &t->config.rng) < 0)
        return; /* then it is made when it is needed */
    t->prepared_until = clock_now().mono + TUNNEL_PREPARED_MAX;
    tunnel_run(t);
}

/* An inner address is none to send IKE from: with nothing better the kernel offers it for a link that has a
 * route and no address of its own (RFC 6724 prefers its scope). */
static int outer_source(const Tunnel *t, const Address *remote, Address *ret) {
    Address source;

    int r = ike_io_source(remote, &source);
    for (size_t i = 0; i < t->inside.n && r == 0; i++)
        if (address_equal(&t->inside.items[i], &source))
            r = -ENETUNREACH;
    if (r == 0)
        *ret = source;
    return r;
}

int tunnel_open(Tunnel *t, const char *identity, const Address *remote) {
    IkeConfig config = {.remote = *remote,
                        .trust = t->config.trust,
                        .credential = t->config.credential,
                        .rng = t->config.rng,
                        .group = gateways_group(&t->gateways, remote),
                        .prepared = &t->prepared,
                        .clock_floor = t->config.clock_floor,
                        .clock_lenient = t->config.clock_lenient};

    tunnel_close(t);
    int r = outer_source(t, remote, &config.local);
    if (r < 0)
        return r;
    snprintf(config.identity, sizeof config.identity, "%s", identity);
    r = ike_sa_new(&t->current.sa, &config, clock_now());
    if (!t->prepared)
        t->prepared_until = USEC_NEVER;
    if (r < 0)
        return r;
    t->current.group = ike_sa_group(t->current.sa);
    t->current.local = config.local;
    t->current.remote = *remote;
    log_info("IKE_SA_INIT from %s to %s, whose certificate must carry %s", ADDRESS_STR(&config.local),
             ADDRESS_STR(remote), identity);
    tunnel_run(t);
    return 0;
}

void tunnel_close(Tunnel *t) {
    t->uplink_given_up = USEC_NEVER;
    if (!t->current.sa)
        return;
    association_uninstall(t, &t->current);
    /* One DELETE at a time is waited for; of two in a row the older had its chance. */
    association_drop(t, &t->leaving);
    t->leaving = t->current;
    t->current = (Association){};
    ike_sa_close(t->leaving.sa, clock_now());
    tunnel_run(t);
}

bool tunnel_is_idle(const Tunnel *t) {
    return !t->current.sa && !t->leaving.sa;
}

void tunnel_input(Tunnel *t, uint8_t *datagram, size_t size, const Endpoint *from) {
    Association *each[] = {&t->leaving, &t->current};
    Reader r = reader_new(datagram, size);
    uint64_t spi_i = reader_u64(&r);
    Association *to = t->current.sa ? &t->current : &t->leaving; /* what is nobody's is counted there */

    for (size_t i = 0; i < ARRAY_SIZE(each); i++)
        if (each[i]->sa && ike_sa_spi_i(each[i]->sa) == spi_i)
            to = each[i];
    if (to->sa)
        ike_sa_input(to->sa, clock_now(), datagram, size, from);
    tunnel_run(t);
}

void tunnel_uplink_changed(Tunnel *t) {
    char text[128];
    Address now;

    if (!t->current.sa)
        return;
    if (outer_source(t, &t->current.remote, &now) < 0) { /* which may be over in a moment */
        if (t->uplink_given_up == USEC_NEVER)
            t->uplink_given_up = clock_now().mono + TUNNEL_UPLINK_GRACE;
        tunnel_run(t);
        return;
    }
    t->uplink_given_up = USEC_NEVER;
    if (address_equal(&now, &t->current.local))
        return;
    snprintf(text, sizeof text, "the uplink's address is %s now, no longer %s", ADDRESS_STR(&now),
             ADDRESS_STR(&t->current.local));
    uplink_lost(t, text); /* the gateway drops what comes from another one (RFC 4555 is another stage's) */
}

void tunnel_outer(const Tunnel *t, TunnelOuter *ret) {
    const Association *a = &t->current;

    *ret = (TunnelOuter){};
    if (a->installed)
        *ret = (TunnelOuter){a->local, a->remote, ike_sa_nat_local(a->sa), ike_sa_nat_remote(a->sa)};
}
