/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See tunnel.h. */
#include "tunnel.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "clock.h"
#include "ike/gateways.h"
#include "key-export-io.h"

/* An IKE SA with its gateway. Which pairs the kernel has of it, the SA knows. */
typedef struct Association {
    Tunnel *tunnel;
    IkeSa *sa;
    char identity[HOST_MAX_BYTES];
    Address local, remote;
    uint16_t group;    /* of the first KE */
    bool up;           /* has carried traffic */
    bool redirected;   /* another gateway sent us to this one */
    unsigned renewals; /* of the tunnel, when it was started */
} Association;

/* Places for them: what carries traffic or will, what is to take its place, and what is closed and waits for
 * the answer to its DELETE. */
enum {
    CURRENT,
    SUCCESSOR,
    LEAVING,
    LEAVING_LAST = LEAVING + 1,
    ASSOCIATIONS_,
};

struct Tunnel {
    TunnelConfig config;
    sd_event_source *timer, *clock_timer;
    Gateways gateways;
    IkePrepared *prepared; /* for the next SA, or NULL */
    usec_t prepared_until;
    usec_t uplink_given_up; /* when the lack of a way to the gateway is no moment any more */
    AddressList inside;     /* inner addresses that the box has, with or without a tunnel */
    Association *associations[ASSOCIATIONS_];
    bool running;        /* tunnel_run() is on the stack */
    Association *judged; /* whose revocation is being asked about */

    unsigned renewals;     /* times that certificate and trust became others */
    usec_t redirects_from; /* the period that is counted */
    unsigned redirects;
    struct {
        Resolver *resolver; /* the address of its name is asked for; NULL: not. Then: */
        unsigned place;
        char identity[HOST_MAX_BYTES];
        Address from;
    } redirect;
};

static const char renewal_text[] = "certificate or trust are others now";

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata);
static void tunnel_run(Tunnel *t);

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

/* Associations --------------------------------------------------------------------------------------------
 */

static void child_remove(Tunnel *t, const ChildSa *child, unsigned parts) {
    if (parts)
        netlink_io_remove(t->config.netlink, child, parts);
    else
        netlink_io_remove_sa(t->config.netlink, &child->local.address, child->spi_in);
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

static void judged_forget(Tunnel *t, const Association *a) {
    if (!a || t->judged != a)
        return;
    revocation_io_cancel(t->config.revocation);
    t->judged = NULL;
}

/* Without a DELETE; nothing of it stays in the kernel. */
static void association_drop(Tunnel *t, unsigned place) {
    Association *a = TAKE_PTR(t->associations[place]);
    const ChildSa *child;
    IkeAction action;
    unsigned parts;

    judged_forget(t, a);
    if (!a)
        return;
    if (a->sa) {
        counters_log(a);
        while (ike_sa_next(a->sa, &action)) /* what it has given up already, ike_sa_child() does not tell */
            if (action.type == IKE_CHILD_REMOVE)
                child_remove(t, action.child.child, action.child.parts);
        for (size_t i = 0; (child = ike_sa_child(a->sa, i, &parts)); i++)
            child_remove(t, child, parts);
        ike_sa_free(a->sa);
    }
    free(a);
}

/* Closes it, by ike_sa_close() or ike_sa_supersede(); its DELETE is brought home in the background. */
static void association_leave(Tunnel *t, unsigned place, void (*close)(IkeSa *sa, Moment now)) {
    Association *a = t->associations[place];

    judged_forget(t, a);
    if (!a)
        return;
    if (t->associations[LEAVING]) { /* of three in a row the oldest had its chance */
        association_drop(t, LEAVING_LAST);
        t->associations[LEAVING_LAST] = t->associations[LEAVING];
    }
    t->associations[place] = NULL;
    t->associations[LEAVING] = a;
    close(a->sa, clock_now());
}

/* Of those that are offered: what the first KE is of, where a gateway is not known to want another. */
static uint16_t first_group(const Tunnel *t) {
    uint16_t groups[PROPOSAL_GROUPS_MAX];

    if (!t->config.ike.ike_proposals)
        return proposals_groups()[0];
    proposals_groups_of(t->config.ike.ike_proposals, groups);
    return groups[0];
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
    for (unsigned i = 0; i < ASSOCIATIONS_; i++)
        association_drop(t, i);
    prepared_drop(t);
    resolver_free(t->redirect.resolver);
    sd_event_source_disable_unref(t->timer);
    sd_event_source_disable_unref(t->clock_timer);
    explicit_bzero(t, sizeof *t);
    free(t);
}

static uint32_t allocate_spi(void *userdata) {
    const Association *a = userdata;
    uint32_t spi;

    return netlink_io_allocate_spi(a->tunnel->config.netlink, &a->remote, &a->local, &spi) < 0 ? 0 : spi;
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

/* Starts IKE in an empty place. *from*: the gateway that sent us here, or NULL. 0 or negative errno. */
static int association_start(Tunnel *t, unsigned place, const char *identity, const Address *remote,
                             const Address *from) {
    _cleanup_free_ Association *a = calloc(1, sizeof *a);
    IkeConfig config = t->config.ike;

    if (!a)
        return -ENOMEM;
    *a = (Association){.tunnel = t, .remote = *remote, .redirected = from != NULL, .renewals = t->renewals};
    snprintf(a->identity, sizeof a->identity, "%s", identity);
    int r = outer_source(t, remote, &a->local);
    if (r < 0)
        return r;
    config.local = a->local;
    config.remote = a->remote;
    snprintf(config.identity, sizeof config.identity, "%s", identity);
    config.allocate_spi = allocate_spi;
    config.userdata = a;
    config.group = gateways_group(&t->gateways, remote);
    config.prepared = &t->prepared;
    config.successor = place == SUCCESSOR;
    if (config.successor)
        config.inner = t->inside;
    if (from)
        config.redirected_from = *from;
    r = ike_sa_new(&a->sa, &config, clock_now());
    if (!t->prepared)
        t->prepared_until = USEC_NEVER;
    if (r < 0)
        return r;
    if (netlink_io_has(t->config.netlink, NETLINK_NAT_KEEPALIVE))
        ike_sa_kernel_keepalive(a->sa);
    a->group = ike_sa_group(a->sa);
    log_info("IKE_SA_INIT from %s to %s%s, whose certificate must carry %s", ADDRESS_STR(&a->local),
             ADDRESS_STR(remote), config.successor ? ", beside the one in use" : "", identity);
    t->associations[place] = TAKE_PTR(a);
    return 0;
}

/* Up, on, down --------------------------------------------------------------------------------------------
 */

static void report_down(Tunnel *t, LogMessage message, const char *text) {
    t->uplink_given_up = USEC_NEVER; /* nothing is left to be given up */
    t->config.report(t->config.userdata, &(TunnelReport){.text = text, .message = message});
}

static LogMessage message_of(const Association *a, IkeEnd end) {
    if (end == IKE_END_UNTRUSTED)
        return MESSAGE_SEGW_UNTRUSTED;
    return end == IKE_END_REFUSED && !a->up ? MESSAGE_SEGW_REFUSED : MESSAGE_NONE;
}

/* A successor came to nothing. */
static void successor_failed(const Address *remote, const char *text) {
    log_message(LOG_WARNING, MESSAGE_SUCCESSOR_FAILED,
                &(LogFields){.peer = ADDRESS_STR(remote), .error = text}, "%s; the one in use stays", text);
}

/* Inner address and guard first, then the SAs: at no time is there a policy without its guard. 0 or negative
 * errno. */
static int child_up(Tunnel *t, const ChildSa *child, const IkeConfiguration *configuration) {
    int r = netlink_io_set_inner(t->config.netlink, &configuration->addresses);
    if (r < 0)
        return r;
    t->inside = configuration->addresses;
    return netlink_io_install(t->config.netlink, child, CHILD_IN | CHILD_OUT);
}

/* That of the one in use, after a successor's was there. */
static void inside_restore(Tunnel *t, const AddressList *inside) {
    if (netlink_io_set_inner(t->config.netlink, inside) == 0)
        t->inside = *inside;
}

static void up_log(const Association *a, const IkeAction *action) {
    const ChildSa *child = action->up.child;
    const Suite *suite = ike_sa_suite(a->sa);
    const char *ike = suite ? suite_format(suite, (char[SUITE_STR_MAX]){0}) : "";
    const char *esp = esp_format(&child->algorithms, (char[ESP_STR_MAX]){0});

    log_message(LOG_INFO, MESSAGE_TUNNEL_UP,
                &(LogFields){.peer = ADDRESS_STR(&a->remote),
                             .spi = LOG_SPI(child->spi_in),
                             .spi_out = LOG_SPI(child->spi_out),
                             .ike_spi = LOG_IKE_SPI(ike_sa_spi_i(a->sa)),
                             .ike_algorithms = ike,
                             .esp_algorithms = esp},
                "tunnel to %s is up: IKE %s, ESP %s, SPIs %08x in, %08x out%s", ADDRESS_STR(&a->remote), ike,
                esp, child->spi_in, child->spi_out, child->encapsulate ? ", in UDP (NAT on the way)" : "");
    if (action->up.undated)
        log_message(
            LOG_NOTICE, MESSAGE_CLOCK_DOUBTED, &(LogFields){.peer = ADDRESS_STR(&a->remote)},
            "SeGW %s: the time is not known yet, so the validity dates of its certificates are passed over "
            "for now",
            ADDRESS_STR(&a->remote));
}

static void on_child_up(Tunnel *t, unsigned place, const IkeAction *action) {
    Association *a = t->associations[place];
    const Address remote = a->remote;
    AddressList inside = t->inside;
    uint16_t group = ike_sa_group(a->sa);

    int r = child_up(t, action->up.child, action->up.configuration);
    if (r < 0) {
        char text[128];
        snprintf(text, sizeof text, "the kernel refused the tunnel to %s: %s", ADDRESS_STR(&a->remote),
                 strerror(-r));
        association_leave(t, place, ike_sa_close);
        if (place == CURRENT)
            report_down(t, MESSAGE_NONE, text);
        else {
            successor_failed(&remote, text);
            inside_restore(t, &inside);
        }
        return;
    }
    gateways_remember(&t->gateways, &a->remote, group == first_group(t) ? 0 : group);
    up_log(a, action);
    a->up = true;
    if (a->renewals != t->renewals)
        ike_sa_reauthenticate(a->sa, clock_now(), renewal_text);
    TunnelReport report = {.configuration = action->up.configuration};
    if (place == SUCCESSOR) { /* its pair is the newer one: traffic has gone over to it already */
        report.again = true;
        t->associations[SUCCESSOR] = NULL;
        association_leave(t, CURRENT, ike_sa_supersede);
        t->associations[CURRENT] = a;
    }
    t->config.report(t->config.userdata, &report);
}

/* The SA has its DELETE to bring home, the tunnel is gone now. */
static void on_child_down(Tunnel *t, unsigned place, const IkeAction *action) {
    const Association *a = t->associations[place];
    const LogMessage message = message_of(a, action->ended.end);
    char text[ERROR_MAX_BYTES];

    snprintf(text, sizeof text, "SeGW %s: %s", ADDRESS_STR(&a->remote), action->ended.text);
    tunnel_close(t);
    report_down(t, message, text);
}

/* Redirection (RFC 5685) ----------------------------------------------------------------------------------
 */

static bool redirect_is_allowed(Tunnel *t) {
    usec_t now = clock_now().mono;

    if (t->redirects == 0 || now >= t->redirects_from + TUNNEL_REDIRECT_PERIOD) {
        t->redirects_from = now;
        t->redirects = 0;
    }
    return t->redirects++ < TUNNEL_REDIRECTS_MAX;
}

/* To one of these, with the identity that was wanted of the gateway before. False: none can be tried. */
static bool redirect_start(Tunnel *t, const AddressList *addresses) {
    for (size_t i = 0; i < addresses->n; i++) {
        const Address *to = &addresses->items[i];
        log_info("SeGW %s redirects to %s", ADDRESS_STR(&t->redirect.from), ADDRESS_STR(to));
        if (association_start(t, t->redirect.place, t->redirect.identity, to, &t->redirect.from) == 0)
            return true;
    }
    return false;
}

static void on_redirect_answer(void *userdata, const ResolverAnswer *answer) {
    Tunnel *t = userdata;

    if (!answer->error) /* one that was begun meanwhile goes where we are not wanted */
        association_leave(t, t->redirect.place, ike_sa_close);
    bool started = !answer->error && redirect_start(t, &answer->addresses);
    const char *text = answer->error ? answer->text : "the gateway we were redirected to cannot be reached";

    if (!started && t->redirect.place == CURRENT)
        report_down(t, MESSAGE_NONE, text);
    else if (!started)
        successor_failed(&t->redirect.from, text);
    resolver_free(TAKE_PTR(t->redirect.resolver));
    tunnel_run(t);
}

/* Follows what a gateway said. The one that is set up is given up, one that is up stays until the next one
 * is. False: it is not followed. */
static bool redirect_follow(Tunnel *t, unsigned place) {
    Association *a = t->associations[place];
    IkeRedirect to = *ike_sa_redirect(a->sa);

    if (!redirect_is_allowed(t)) {
        log_warning("SeGW %s redirects once more: %u times in %u minutes are enough", ADDRESS_STR(&a->remote),
                    TUNNEL_REDIRECTS_MAX, (unsigned)(TUNNEL_REDIRECT_PERIOD / USEC_PER_SEC / 60));
        return false;
    }
    t->redirect.place = a->up ? SUCCESSOR : place;
    t->redirect.from = a->remote;
    memcpy(t->redirect.identity, a->identity, sizeof a->identity);
    if (!a->up)
        association_drop(t, place);
    if (to.address.family != AF_UNSPEC)
        return redirect_start(t, &(AddressList){.n = 1, .items = {to.address}});
    resolver_free(TAKE_PTR(t->redirect.resolver));
    int r = resolver_new(&t->redirect.resolver, t->config.event, &t->config.resolver);
    return r == 0 && resolver_resolve(t->redirect.resolver, to.name, on_redirect_answer, t) == 0;
}

static void on_ended(Tunnel *t, unsigned place, const IkeAction *action) {
    Association *a = t->associations[place];
    IkeEnd end = action->ended.end;
    const LogMessage message = message_of(a, end);
    const Address remote = a->remote;
    char text[ERROR_MAX_BYTES];

    snprintf(text, sizeof text, "SeGW %s: %s", ADDRESS_STR(&a->remote), action->ended.text);
    /* Never up: the group we remembered may be what the gateway has refused. */
    if (place <= SUCCESSOR && !a->up && (end == IKE_END_REFUSED || ike_sa_group(a->sa) != a->group))
        gateways_remember(&t->gateways, &a->remote, 0);
    if (place <= SUCCESSOR && end == IKE_END_REDIRECTED && redirect_follow(t, place))
        return;
    association_drop(t, place);
    if (place == CURRENT) {
        tunnel_close(t); /* a successor has nothing to succeed */
        report_down(t, message, text);
    } else if (place == SUCCESSOR)
        successor_failed(&remote, text);
    else if (tunnel_is_idle(t))
        t->config.idle(t->config.userdata);
}

static void on_reauthenticate(Tunnel *t, Association *a, const IkeAction *action) {
    if (a != t->associations[CURRENT] || t->associations[SUCCESSOR])
        return;
    log_message(LOG_INFO, MESSAGE_TUNNEL_RENEWAL,
                &(LogFields){.peer = ADDRESS_STR(&a->remote), .reason = action->reauthenticate.text},
                "SeGW %s: %s; another IKE SA is made beside this one", ADDRESS_STR(&a->remote),
                action->reauthenticate.text);
    if (action->reauthenticate.redirected)
        (void)redirect_follow(t, CURRENT);
    else
        (void)association_start(t, SUCCESSOR, a->identity, &a->remote, NULL);
}

/* Actions -------------------------------------------------------------------------------------------------
 */

/* The pair that takes over has its half for receiving first: only the other half is news. */
static void child_log(const Association *a, const IkeAction *action) {
    const ChildSa *child = action->child.child;

    if (action->child.parts == CHILD_IN)
        log_info("Child SA with %s: SPIs %08x in, %08x out (in)", ADDRESS_STR(&a->remote), child->spi_in,
                 child->spi_out);
    else
        log_message(LOG_INFO, MESSAGE_TUNNEL_REKEYED,
                    &(LogFields){.peer = ADDRESS_STR(&a->remote),
                                 .spi = LOG_SPI(child->spi_in),
                                 .spi_out = LOG_SPI(child->spi_out)},
                    "Child SA with %s: SPIs %08x in, %08x out (%s)", ADDRESS_STR(&a->remote), child->spi_in,
                    child->spi_out, action->child.parts == CHILD_OUT ? "out" : "both");
}

static void on_child_install(Tunnel *t, Association *a, const IkeAction *action) {
    const ChildSa *child = action->child.child;

    if (netlink_io_install(t->config.netlink, child, action->child.parts) < 0) {
        netlink_io_remove(t->config.netlink, child, CHILD_IN | CHILD_OUT); /* and what it had of it before */
        ike_sa_child_failed(a->sa, clock_now(), child->spi_in);
    } else
        child_log(a, action);
}

static void on_child_moved(Tunnel *t, Association *a, const IkeAction *action) {
    const ChildSa *child = action->child.child;

    a->local = child->local.address;
    a->remote = child->remote.address;
    if (netlink_io_move(t->config.netlink, child, &action->child.old_local, &action->child.old_remote) < 0)
        ike_sa_expire(a->sa, clock_now(), child->spi_in, true);
    else if (a == t->associations[CURRENT])
        t->config.report(t->config.userdata, &(TunnelReport){.again = true});
}

static void on_query_traffic(Tunnel *t, Association *a, const IkeAction *action) {
    ChildTraffic traffic;

    if (netlink_io_traffic(t->config.netlink, action->child.child, &traffic) == 0)
        ike_sa_traffic(a->sa, clock_now(), action->child.child->spi_in, traffic.packets_in,
                       traffic.packets_out);
    else /* somebody has taken our SAs away */
        (void)netlink_io_resync(t->config.netlink);
}

static void on_judged(void *userdata, bool good, RevocationVerdict verdict, const char *text) {
    Tunnel *t = userdata;
    Association *a = TAKE_PTR(t->judged);

    if (text[0])
        log_notice("SeGW %s: %s", ADDRESS_STR(&a->remote), text);
    ike_sa_revocation(a->sa, clock_now(), good, text);
    if (verdict == REVOCATION_REVOKED && a == t->associations[SUCCESSOR] && !a->redirected) {
        /* It has proved to be the gateway of the one in use. */
        char reason[ERROR_MAX_BYTES];
        snprintf(reason, sizeof reason, "%s", text);
        tunnel_close(t);
        report_down(t, MESSAGE_SEGW_UNTRUSTED, reason);
    }
    tunnel_run(t);
}

static int revocation_ask(Tunnel *t, Association *a, const IkeAction *action, char *verdict) {
    _cleanup_(revocation_job_freep) RevocationJob *job = NULL;
    bool dated = clock_now().real >= t->config.ike.clock_floor;
    CertificatePath path;

    int r = peer_chain_path(action->revocation.chain, t->config.ike.trust, a->identity,
                            dated ? clock_now().real : CERTIFICATE_UNDATED, &path, verdict);
    if (r != 0)
        return r < 0 ? r : -EKEYREJECTED;
    r = revocation_job_new(&job, t->config.revocation_cache, t->config.revocation_policy, &path,
                           action->revocation.ocsp, action->revocation.n_ocsp, &t->config.ike.rng);
    if (r == 0)
        r = revocation_io_start(t->config.revocation, job, dated, on_judged, t);
    if (r == 0)
        TAKE_PTR(job);
    return r;
}

static void on_revocation(Tunnel *t, Association *a, const IkeAction *action) {
    revocation_io_cancel(t->config.revocation); /* of an attempt that was given up */
    t->judged = NULL;
    char verdict[ERROR_MAX_BYTES] = "";
    int r = revocation_ask(t, a, action, verdict);
    if (r == 0)
        t->judged = a;
    else
        ike_sa_revocation(a->sa, clock_now(), false, verdict[0] ? verdict : strerror(-r));
}

/* Performs one action. */
static void perform(Tunnel *t, unsigned place, const IkeAction *action) {
    Association *a = t->associations[place];

    switch (action->type) {
    case IKE_SEND:
        ike_io_send(t->config.io, &action->send.local, &action->send.remote, action->send.data,
                    action->send.size);
        return;
    case IKE_KEEPALIVE:
        ike_io_keepalive(t->config.io, &action->send.local, &action->send.remote);
        return;
    case IKE_CHILD_UP:
        if (place <= SUCCESSOR)
            on_child_up(t, place, action);
        return;
    case IKE_CHILD_INSTALL:
        on_child_install(t, a, action);
        return;
    case IKE_CHILD_REMOVE:
        child_remove(t, action->child.child, action->child.parts);
        return;
    case IKE_CHILD_MOVED:
        on_child_moved(t, a, action);
        return;
    case IKE_CHILD_DOWN:
        if (place == CURRENT)
            on_child_down(t, place, action);
        return;
    case IKE_QUERY_TRAFFIC:
        on_query_traffic(t, a, action);
        return;
    case IKE_REVOCATION:
        on_revocation(t, a, action);
        return;
    case IKE_REAUTHENTICATE:
        on_reauthenticate(t, a, action);
        return;
    case IKE_ENDED:
        on_ended(t, place, action);
        return;
    }
}

static void timers_set(Tunnel *t) {
    usec_t deadline = MIN(t->prepared_until, t->uplink_given_up), real = USEC_NEVER;

    for (unsigned i = 0; i < ASSOCIATIONS_; i++)
        if (t->associations[i]) {
            usec_t mine = ike_sa_deadline(t->associations[i]->sa);
            usec_t mine_real = ike_sa_real_deadline(t->associations[i]->sa);
            deadline = MIN(deadline, mine);
            real = MIN(real, mine_real);
        }
    timer_set(t->timer, deadline);
    timer_set(t->clock_timer, real);
}

/* Drains all SAs; what a report starts is picked up by the same loop. */
static void tunnel_run(Tunnel *t) {
    IkeAction action;

    if (t->running)
        return;
    t->running = true;
    for (bool more = true; more;) {
        more = false;
        for (unsigned i = ASSOCIATIONS_; i-- > 0;)
            if (t->associations[i] && ike_sa_next(t->associations[i]->sa, &action)) {
                key_export(t->associations[i]->sa, &action);
                perform(t, i, &action);
                more = true;
            }
    }
    t->running = false;
    timers_set(t);
}

/* No DELETE leaves from an address that is gone; INITIAL_CONTACT cleans up. */
static void uplink_lost(Tunnel *t, const char *text) {
    resolver_free(TAKE_PTR(t->redirect.resolver));
    association_drop(t, SUCCESSOR);
    association_drop(t, CURRENT);
    t->uplink_given_up = USEC_NEVER;
    t->config.report(t->config.userdata, &(TunnelReport){.text = text, .moved = true});
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Tunnel *t = userdata;

    for (unsigned i = 0; i < ASSOCIATIONS_; i++)
        if (t->associations[i])
            ike_sa_tick(t->associations[i]->sa, clock_now());
    if (clock_now().mono >= t->prepared_until)
        prepared_drop(t);
    if (clock_now().mono >= t->uplink_given_up)
        uplink_lost(t, "the uplink has had no way to the SeGW for a while");
    tunnel_run(t);
    return 0;
}

/* From outside --------------------------------------------------------------------------------------------
 */

void tunnel_prepare(Tunnel *t) {
    if (t->prepared || ike_prepared_new(&t->prepared, first_group(t), &t->config.ike.rng) < 0)
        return; /* then it is made when it is needed */
    t->prepared_until = clock_now().mono + TUNNEL_PREPARED_MAX;
    tunnel_run(t);
}

int tunnel_open(Tunnel *t, const char *identity, const Address *remote) {
    tunnel_close(t);
    int r = association_start(t, CURRENT, identity, remote, NULL);
    if (r == 0)
        tunnel_run(t);
    return r;
}

void tunnel_close(Tunnel *t) {
    t->uplink_given_up = USEC_NEVER;
    resolver_free(TAKE_PTR(t->redirect.resolver));
    association_leave(t, SUCCESSOR, ike_sa_close);
    association_leave(t, CURRENT, ike_sa_close);
    tunnel_run(t);
}

bool tunnel_is_idle(const Tunnel *t) {
    if (t->redirect.resolver)
        return false;
    for (unsigned i = 0; i < ASSOCIATIONS_; i++)
        if (t->associations[i])
            return false;
    return true;
}

void tunnel_input(Tunnel *t, uint8_t *datagram, size_t size, const Endpoint *from) {
    Association *to = NULL, *any = NULL; /* what is nobody's is counted by the first one */

    for (unsigned i = 0; i < ASSOCIATIONS_; i++) {
        Association *a = t->associations[i];
        any = any ?: a;
        if (a && !to && ike_sa_owns(a->sa, datagram, size))
            to = a;
    }
    if (to || any)
        ike_sa_input((to ?: any)->sa, clock_now(), datagram, size, from);
    tunnel_run(t);
}

void tunnel_uplink_changed(Tunnel *t) {
    Association *a = t->associations[CURRENT];
    char text[128];
    Address now;

    if (!a)
        return;
    if (outer_source(t, &a->remote, &now) < 0) { /* which may be over in a moment */
        if (t->uplink_given_up == USEC_NEVER)
            t->uplink_given_up = clock_now().mono + TUNNEL_UPLINK_GRACE;
        tunnel_run(t);
        return;
    }
    t->uplink_given_up = USEC_NEVER;
    if (address_equal(&now, &a->local))
        return;
    snprintf(text, sizeof text, "the uplink's address is %s now, no longer %s", ADDRESS_STR(&now),
             ADDRESS_STR(&a->local));
    association_drop(t, SUCCESSOR); /* it has the old address, and nobody waits for it */
    if (ike_sa_moved(a->sa, clock_now(), &now)) {
        a->local = now;
        log_info("%s: the SeGW is told", text);
        tunnel_run(t);
    } else
        uplink_lost(t, text);
}

void tunnel_reauthenticate(Tunnel *t, const TrustStore *trust, const Credential *credential) {
    Association *a = t->associations[CURRENT];

    t->config.ike.trust = trust;
    t->config.ike.credential = credential;
    t->renewals++;
    association_leave(t, SUCCESSOR, ike_sa_close); /* made with the old ones */
    if (a && ike_sa_is_established(a->sa)) {
        ike_sa_reauthenticate(a->sa, clock_now(), renewal_text);
        ike_sa_tick(a->sa, clock_now());
    }
    tunnel_run(t);
}

void tunnel_expired(Tunnel *t, uint32_t spi, bool hard) {
    for (unsigned i = 0; i < ASSOCIATIONS_; i++)
        if (t->associations[i])
            ike_sa_expire(t->associations[i]->sa, clock_now(), spi, hard);
    tunnel_run(t);
}

void tunnel_mapping(Tunnel *t, uint32_t spi_in, const Endpoint *from) {
    for (unsigned i = 0; i < ASSOCIATIONS_; i++)
        if (t->associations[i])
            ike_sa_mapping(t->associations[i]->sa, clock_now(), spi_in, from);
    tunnel_run(t);
}

TunnelView tunnel_view(const Tunnel *t) {
    const Association *a = t->associations[CURRENT];
    TunnelView view = {.identity = ""};

    if (!a || !a->up)
        return view;
    view = (TunnelView){.up = true,
                        .local = a->local,
                        .remote = a->remote,
                        .nat_local = ike_sa_nat_local(a->sa),
                        .nat_remote = ike_sa_nat_remote(a->sa),
                        .identity = a->identity,
                        .suite = ike_sa_suite(a->sa),
                        .child = ike_sa_child_in_use(a->sa),
                        .counters = ike_sa_counters(a->sa),
                        .spi_i = ike_sa_spi_i(a->sa),
                        .spi_r = ike_sa_spi_r(a->sa),
                        .inside = &t->inside};
    ike_sa_times(a->sa, &view.times);
    return view;
}

int tunnel_traffic(const Tunnel *t, ChildTraffic *ret) {
    TunnelView view = tunnel_view(t);
    return view.child ? netlink_io_traffic(t->config.netlink, view.child, ret) : -ENOTCONN;
}
