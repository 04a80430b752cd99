/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See manager.h. No protocol is known here: the procedure decides, tunnel.c, cpe.c and the resolvers perform.
 */
#include "manager.h"

#include <stdio.h>
#include <sys/random.h>
#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "base/url.h"
#include "clock.h"
#include "cpe.h"
#include "dbus/bus.h"
#include "discovery/procedure.h"
#include "discovery/resolve-io.h"
#include "tunnel.h"

struct Manager {
    sd_event *event;
    const Config *config;
    Rng rng;
    Bus *bus;
    NetlinkIo *netlink;
    IkeIo *ike;
    Tunnel *tunnel;
    Resolver *resolvers[RESOLVER_PRIVATE + 1]; /* by side; the private one lives as long as the tunnel */
    ResolverSide asked;                        /* whose answer is waited for */
    Cpe *cpe;
    Procedure *procedure;
    IkeConfiguration inside; /* of the tunnel that is up; no addresses without one */
    Status status;
    sd_event_source *timer, *stop_timer;
    bool running, stopping, network;
};

static void manager_run(Manager *m);

static void tell(Manager *m, const ProcedureEvent *e) {
    if (m->stopping)
        return;
    procedure_event(m->procedure, clock_now(), e);
    manager_run(m);
}

/* Names ----------------------------------------------------------------------------------------------- */

/* What cannot be reached from inside the tunnel is no address there. */
static AddressList reachable_inside(const Manager *m, const AddressList *list) {
    AddressList kept = {};
    for (size_t i = 0; i < list->n; i++)
        if (address_list_find(&m->inside.addresses, list->items[i].family))
            kept.items[kept.n++] = list->items[i];
    return kept;
}

static void on_answer(void *userdata, const ResolverAnswer *answer) {
    Manager *m = userdata;
    AddressList list = answer->addresses;
    const char *text = answer->error < 0 ? answer->text : NULL;

    if (!text && m->asked == RESOLVER_PRIVATE) {
        list = reachable_inside(m, &list);
        if (list.n == 0)
            text =
                "the name has addresses of the other family only, for which the tunnel has no inner address";
    }
    m->asked = RESOLVER_NONE;
    tell(m, &(ProcedureEvent){.type = EVENT_RESOLVED,
                              .text = text,
                              .addresses = &list,
                              .silent = answer->error == -ETIMEDOUT});
}

static int public_resolver_new(Manager *m) {
    ResolverConfig config = {.n_servers = m->config->n_public_dns};

    memcpy(config.servers, m->config->public_dns, sizeof config.servers);
    return resolver_new(&m->resolvers[RESOLVER_PUBLIC], m->event, &config);
}

/* The servers the SeGW handed out, asked through the tunnel and nowhere else. None: -EDESTADDRREQ. */
static int private_resolver_new(Manager *m) {
    ResolverConfig config = {.interface = m->config->tunnel_interface, .sources = m->inside.addresses};

    config.n_servers = MIN(m->inside.dns.n, (size_t)DNS_SERVERS_MAX);
    if (config.n_servers == 0)
        return -EDESTADDRREQ;
    memcpy(config.servers, m->inside.dns.items, config.n_servers * sizeof config.servers[0]);
    return resolver_new(&m->resolvers[RESOLVER_PRIVATE], m->event, &config);
}

static void resolver_drop(Manager *m, ResolverSide side) {
    resolver_free(TAKE_PTR(m->resolvers[side]));
    if (m->asked == side)
        m->asked = RESOLVER_NONE;
}

static void resolve(Manager *m, const ProcedureAction *action) {
    char text[ERROR_MAX_BYTES];
    int r = 0;

    if (m->asked != RESOLVER_NONE) /* a new question replaces an unanswered one */
        resolver_drop(m, m->asked);
    if (!m->resolvers[action->side])
        r = action->side == RESOLVER_PUBLIC ? public_resolver_new(m) : private_resolver_new(m);
    if (r == 0)
        r = resolver_resolve(m->resolvers[action->side], action->name, on_answer, m);
    if (r == 0) {
        m->asked = action->side;
        return;
    }
    snprintf(text, sizeof text, "%s: %s", action->name,
             r == -EDESTADDRREQ ? "the SeGW named no DNS server for the inside" : strerror(-r));
    tell(m, &(ProcedureEvent){.type = EVENT_RESOLVED, .text = text});
}

/* Tunnel ---------------------------------------------------------------------------------------------- */

static void inside_forget(Manager *m) {
    cpe_abort(m->cpe);
    resolver_drop(m, RESOLVER_PRIVATE);
    m->inside = (IkeConfiguration){};
}

static void on_tunnel(void *userdata, const TunnelReport *report) {
    Manager *m = userdata;

    inside_forget(m);
    if (report->configuration) {
        m->inside = *report->configuration;
        tell(m, &(ProcedureEvent){.type = EVENT_TUNNEL_UP,
                                  .addresses = &m->inside.addresses,
                                  .session_due = cpe_is_due(m->cpe)});
    } else
        tell(m, &(ProcedureEvent){.type = EVENT_TUNNEL_DOWN, .text = report->text});
}

static int finish(Manager *m) {
    return sd_event_exit(m->event, 0);
}

static void on_tunnel_idle(void *userdata) {
    Manager *m = userdata;
    if (m->stopping)
        finish(m);
}

static void on_datagram(void *userdata, uint8_t *datagram, size_t size, const Endpoint *from) {
    Manager *m = userdata;
    tunnel_input(m->tunnel, datagram, size, from);
}

static void tunnel_start(Manager *m, const ProcedureAction *action) {
    const char *identity =
        m->config->serving.segw_identity[0] ? m->config->serving.segw_identity : action->name;
    char text[ERROR_MAX_BYTES];

    int r = tunnel_open(m->tunnel, identity, &action->address);
    if (r == 0)
        return;
    snprintf(text, sizeof text, "SeGW %s: %s", ADDRESS_STR(&action->address), strerror(-r));
    tell(m, &(ProcedureEvent){.type = EVENT_TUNNEL_DOWN, .text = text});
}

/* Sessions -------------------------------------------------------------------------------------------- */

static void on_cpe(void *userdata, const CpeReport *report) {
    static const ProcedureEventType events[] = {
        [CPE_ACCEPTED] = EVENT_SESSION_ACCEPTED, [CPE_ANSWERED] = EVENT_SESSION_ANSWERED,
        [CPE_ENDED] = EVENT_SESSION_ENDED,       [CPE_UNREACHED] = EVENT_SESSION_UNREACHED,
        [CPE_DUE] = EVENT_SESSION_DUE,
    };
    Manager *m = userdata;
    ProcedureEvent e = {.type = events[report->type],
                        .text = report->text,
                        .mme_set = report->mme_set,
                        .silent = report->silent};
    S1Config s1;

    if (report->s1) {
        s1 = *report->s1;
        for (size_t i = 0; i < s1.mme.n; i++) /* a literal of the wrong family is refused like a name of it */
            s1.mme.items[i].addresses = reachable_inside(m, &s1.mme.items[i].addresses);
        e.s1 = &s1;
    }
    tell(m, &e);
}

static void session_start(Manager *m, const ProcedureAction *action) {
    const Address *source = address_list_find(&m->inside.addresses, action->address.family);
    char text[ERROR_MAX_BYTES];
    int r = -EAFNOSUPPORT;

    if (source)
        r = cpe_open(m->cpe, action->name, &action->address, m->config->tunnel_interface, source);
    if (r == 0)
        return;
    snprintf(text, sizeof text, "HeMS %s at %s: %s", action->name, ADDRESS_STR(&action->address),
             source ? strerror(-r) : "no inner address of that family");
    tell(m, &(ProcedureEvent){.type = EVENT_SESSION_UNREACHED, .text = text});
}

/* Actions and status ---------------------------------------------------------------------------------- */

static void perform(Manager *m, const ProcedureAction *action) {
    switch (action->type) {
    case ACTION_RESOLVE:
        resolve(m, action);
        return;
    case ACTION_TUNNEL:
        tunnel_start(m, action);
        return;
    case ACTION_TUNNEL_CLOSE:
        inside_forget(m);
        tunnel_close(m->tunnel);
        return;
    case ACTION_SESSION:
        session_start(m, action);
        return;
    case ACTION_SESSION_MISSED:
        cpe_missed(m->cpe);
        return;
    }
}

static void publish(Manager *m, const ProcedureView *view) {
    Status *s = &m->status;

    if (!streq(s->step, view->title))
        sd_notifyf(false, "STATUS=%s%s%s%s", view->title, view->clause[0] ? " (" : "", view->clause,
                   view->clause[0] ? ")" : "");
    s->state = view->state;
    s->mme = view->s1->mme;
    s->admin_state = view->s1->admin_state;
    memcpy(s->s1_connection_mode, view->s1->connection_mode, sizeof s->s1_connection_mode);
    s->inner_addresses = m->inside.addresses;
    s->segw_address = view->segw_address;
    snprintf(s->step, sizeof s->step, "%s", view->title);
    snprintf(s->clause, sizeof s->clause, "%s", view->clause);
    snprintf(s->last_error, sizeof s->last_error, "%s", view->last_error);
    int r = bus_publish(m->bus, s);
    if (r < 0) { /* a follower would keep what no longer holds: it hears of our end instead */
        log_error("D-Bus: a change could not be told: %s", strerror(-r));
        sd_event_exit(m->event, r);
    }
}

/* Performs until the procedure asks for nothing more, then publishes what has become of it, once. */
static void manager_run(Manager *m) {
    ProcedureAction action;

    if (m->running || m->stopping)
        return;
    m->running = true;
    while (procedure_next(m->procedure, &action))
        perform(m, &action);
    m->running = false;

    ProcedureView view = procedure_view(m->procedure);
    cpe_expect(m->cpe, view.waits_for_session);
    publish(m, &view);
    timer_set(m->timer, procedure_deadline(m->procedure));
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Manager *m = userdata;
    procedure_tick(m->procedure, clock_now());
    manager_run(m);
    return 0;
}

/* Network --------------------------------------------------------------------------------------------- */

static void on_network(void *userdata) {
    Manager *m = userdata;
    Address source;
    bool up = netlink_io_uplink(m->netlink, AF_INET, &source) == 0 ||
              netlink_io_uplink(m->netlink, AF_INET6, &source) == 0;

    if (up != m->network) {
        m->network = up;
        tell(m, &(ProcedureEvent){.type = up ? EVENT_NETWORK_UP : EVENT_NETWORK_DOWN});
    }
    if (up && !m->stopping)
        tunnel_uplink_changed(m->tunnel);
}

/* Life ------------------------------------------------------------------------------------------------ */

static void rng_fill(void *userdata, void *ret, size_t size) {
    uint8_t *p = ret;
    while (size > 0) {
        ssize_t n = getrandom(p, size, 0);
        if (n > 0) {
            p += n;
            size -= (size_t)n;
        } else
            assert(errno == EINTR);
    }
}

static int procedure_start(Manager *m) {
    ProcedureConfig config = {.built = BUILT * USEC_PER_SEC};
    Url url;

    int r = url_parse(m->config->serving.hems, &url, NULL);
    if (r < 0)
        return r;
    cpe_s1(m->cpe, &config.s1);
    snprintf(config.segw, sizeof config.segw, "%s", m->config->serving.segw);
    snprintf(config.hems_url, sizeof config.hems_url, "%s", m->config->serving.hems);
    snprintf(config.hems_host, sizeof config.hems_host, "%s", url.host);
    return procedure_new(&m->procedure, &config, &m->rng);
}

static void status_start(Manager *m) {
    Status *s = &m->status;
    S1Config s1;

    cpe_s1(m->cpe, &s1);
    s->admin_state = s1.admin_state;
    memcpy(s->s1_connection_mode, s1.connection_mode, sizeof s->s1_connection_mode);
    snprintf(s->tunnel_interface, sizeof s->tunnel_interface, "%s", m->config->tunnel_interface);
    snprintf(s->segw, sizeof s->segw, "%s", m->config->serving.segw);
    snprintf(s->hems, sizeof s->hems, "%s", m->config->serving.hems);
}

static int tunnel_make(Manager *m, const TrustStore *trust, const Credential *credential) {
    TunnelConfig config = {
        .event = m->event,
        .ike = m->ike,
        .netlink = m->netlink,
        .trust = trust,
        .credential = credential,
        .rng = m->rng,
        .report = on_tunnel,
        .idle = on_tunnel_idle,
        .userdata = m,
    };
    return tunnel_new(&m->tunnel, &config);
}

static int stop_elapsed(sd_event_source *source, uint64_t usec, void *userdata) {
    log_warning("the SeGW did not answer the DELETE in time");
    return finish(userdata);
}

static void on_bus_request(void *userdata, BusRequest *request) {
    bus_request_done(request, "not built yet");
}

static const char *on_bus_value(void *userdata, const char *path, const char *value) {
    return "not built yet";
}

int manager_new(Manager **ret, sd_event *event, const Config *config, const TrustStore *trust,
                const Credential *credential, const char *store) {
    _cleanup_(manager_freep) Manager *m = calloc(1, sizeof *m);

    if (!m)
        return -ENOMEM;
    m->event = sd_event_ref(event);
    m->config = config;
    m->rng = (Rng){.fill = rng_fill};
    NetlinkConfig netlink = {.interface = config->tunnel_interface,
                             .id = config->interface_id,
                             .changed = on_network,
                             .userdata = m};
    CpeConfig cpe = {
        .event = event, .factory = config, .store = store, .rng = &m->rng, .report = on_cpe, .userdata = m};
    BusHandlers handlers = {on_bus_request, on_bus_request, on_bus_value, m};
    /* The ports first: of two agents the second one stops here, before it takes the first one's SAs for
     * leftovers. */
    int r = ike_io_new(&m->ike, event, on_datagram, m);
    if (r < 0)
        return r;
    r = netlink_io_new(&m->netlink, event, &netlink);
    if (r < 0)
        return r;
    r = tunnel_make(m, trust, credential);
    if (r < 0)
        return r;
    r = cpe_new(&m->cpe, &cpe);
    if (r < 0)
        return r;
    r = procedure_start(m);
    if (r < 0)
        return r;
    r = sd_event_add_time(event, &m->timer, CLOCK_BOOTTIME, UINT64_MAX, 1, on_timer, m);
    if (r < 0)
        return r;
    status_start(m);
    r = bus_new(&m->bus, event, &m->status, &handlers);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(m);
    return 0;
}

void manager_free(Manager *m) {
    if (!m)
        return;
    for (ResolverSide side = RESOLVER_PUBLIC; side <= RESOLVER_PRIVATE; side++)
        resolver_free(m->resolvers[side]);
    cpe_free(m->cpe);
    tunnel_free(m->tunnel);
    ike_io_free(m->ike);
    netlink_io_free(m->netlink);
    procedure_free(m->procedure);
    bus_free(m->bus);
    sd_event_source_disable_unref(m->timer);
    sd_event_source_disable_unref(m->stop_timer);
    sd_event_unref(m->event);
    free(m);
}

void manager_start(Manager *m) {
    tell(m, &(ProcedureEvent){.type = EVENT_START});
    on_network(m);
}

void manager_stop(Manager *m) {
    if (m->stopping)
        return;
    m->stopping = true;
    inside_forget(m);
    cpe_expect(m->cpe, false);
    sd_event_source_set_enabled(m->timer, SD_EVENT_OFF);
    ProcedureView view = procedure_view(m->procedure);
    S1Config s1 = *view.s1;
    s1.mme = (MmeList){};
    publish(m, &(ProcedureView){.title = "Stopping", .clause = "", .s1 = &s1, .last_error = view.last_error});
    tunnel_close(m->tunnel);
    if (tunnel_is_idle(m->tunnel) || sd_event_add_time_relative(m->event, &m->stop_timer, CLOCK_BOOTTIME,
                                                                MANAGER_STOP_TIMEOUT, 1, stop_elapsed, m) < 0)
        finish(m);
}
