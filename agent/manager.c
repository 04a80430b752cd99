/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See manager.h. No protocol is known here: the procedure decides, tunnel.c, cpe.c and the resolvers perform.
 */
#include "manager.h"

#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "base/url.h"
#include "clock-watch-io.h"
#include "clock.h"
#include "cpe.h"
#include "device.h"
#include "cwmp/tls.h"
#include "dbus/bus.h"
#include "deregistration.h"
#include "discovery/procedure.h"
#include "discovery/resolv-conf-io.h"
#include "factory-data.h"
#include "faults.h"
#include "good-time.h"
#include "names.h"
#include "others.h"
#include "rng-io.h"
#include "shown.h"
#include "tunnel-facts.h"
#include "tunnel.h"

#define RESOLV_CONF "/etc/resolv.conf"
/* How often the clock is looked at: until it can be believed, and then, to remember the time. */
#define CLOCK_POLL (1 * USEC_PER_SEC)
#define CLOCK_KEEP (3600 * USEC_PER_SEC)

struct Manager {
    sd_event *event;
    const Config *config;
    const char *state; /* directory */
    Security *security;
    ManagerReload reload;
    Rng rng;
    Store *store;
    Deregistration deregistration;
    TlsConfig tls;
    GoodTime good_time;
    Bus *bus;
    BusRequest *deregister; /* waits for the session's end */
    NetlinkIo *netlink;
    IkeIo *ike;
    Tunnel *tunnel;
    RevocationIo *revocation;
    Names *names; /* for the procedure */
    ResolvConfWatch *resolv_conf;
    Device *device;
    Others others;
    Cpe *cpe;
    bool session; /* one runs */
    Procedure *procedure;
    IkeConfiguration inside; /* of the tunnel that is up; no addresses without one */
    /* Of one that is up with other addresses than before, until the procedure takes it. */
    IkeConfiguration kept;
    Status status;
    Shown shown;
    sd_event_source *timer, *clock_timer, *stop_timer;
    ClockWatch *clock_watch;
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

static void on_answer(void *userdata, const ResolverAnswer *answer) {
    tell(userdata, &(ProcedureEvent){.type = EVENT_RESOLVED,
                                     .text = answer->error < 0 ? answer->text : NULL,
                                     .addresses = &answer->addresses,
                                     .ttl = answer->ttl,
                                     .silent = answer->error == -ETIMEDOUT,
                                     .absent = answer->error == -ENXIO});
}

static void on_resolv_conf(void *userdata) {
    tell(userdata, &(ProcedureEvent){.type = EVENT_DNS_CHANGED});
}

static void resolve(Manager *m, const ProcedureAction *action) {
    char text[ERROR_MAX_BYTES];
    int r = names_resolve(m->names, action->side, action->name, action->outside, on_answer, m);

    if (r == 0) {
        if (action->side == RESOLVER_PUBLIC)
            tunnel_prepare(m->tunnel);
        return;
    }
    snprintf(text, sizeof text, "%s: %s", action->name,
             r == -EDESTADDRREQ ? "the SeGW named no DNS server for the inside, and there is no PrivateDNS="
                                : strerror(-r));
    tell(m, &(ProcedureEvent){.type = EVENT_RESOLVED, .text = text});
}

/* The clock ------------------------------------------------------------------------------------------- */

static void clock_timer_set(Manager *m) {
    timer_set(m->clock_timer, clock_now().mono + (good_time_now(&m->good_time) ? CLOCK_KEEP : CLOCK_POLL));
}

static void clock_look(Manager *m) {
    clock_timer_set(m);
    cpe_clock(m->cpe, good_time_now(&m->good_time));
    manager_run(m); /* which publishes whether the clock is believed */
}

static int on_clock_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Manager *m = userdata;
    if (m->good_time.seen.real > 0) /* nothing new otherwise, and this comes each second */
        good_time_keep(&m->good_time);
    clock_look(m);
    return 0;
}

static void on_clock_set(void *userdata) {
    clock_look(userdata);
}

/* Tunnel ---------------------------------------------------------------------------------------------- */

/* *refusal* NULL: it is done. */
static void deregister_answer(Manager *m, const char *refusal) {
    if (m->deregister)
        bus_request_done(TAKE_PTR(m->deregister), refusal);
}

/* The session, in the tunnel or outside, and the private DNS. */
static void inside_forget(Manager *m) {
    cpe_abort(m->cpe);
    m->session = false;
    shown_session_over(&m->shown, false, "it broke off");
    names_forget(m->names);
    deregister_answer(m, "the TR-069 session broke off");
    m->inside = (IkeConfiguration){};
    cpe_inside(m->cpe, m->config->tunnel_interface);
}

/* Nobody inside needs to hear of a successor that gives them the same. */
static bool inside_is_same(const Manager *m, const IkeConfiguration *c) {
    return address_list_equal(&m->inside.addresses, &c->addresses) &&
           address_list_equal(&m->inside.dns, &c->dns);
}

static void inside_set(Manager *m, const IkeConfiguration *configuration) {
    m->inside = *configuration;
    m->kept = (IkeConfiguration){};
    good_time_seen(&m->good_time);
    cpe_inside(m->cpe, m->config->tunnel_interface);
    tell(m, &(ProcedureEvent){.type = EVENT_TUNNEL_UP, .addresses = &m->inside.addresses});
}

static void on_tunnel(void *userdata, const TunnelReport *report) {
    Manager *m = userdata;

    if (report->again && (!report->configuration || inside_is_same(m, report->configuration))) {
        tunnel_facts_report(m->tunnel, m->device);
        manager_run(m);
        return;
    }
    inside_forget(m);
    tunnel_facts_report(m->tunnel, m->device);
    m->kept = report->again ? *report->configuration : (IkeConfiguration){};
    if (report->again)
        tell(m, &(ProcedureEvent){EVENT_TUNNEL_DOWN, .text = "the SeGW gives another inner address",
                                  .moved = true});
    else if (report->configuration)
        inside_set(m, report->configuration);
    else
        tell(m, &(ProcedureEvent){EVENT_TUNNEL_DOWN, report->text, .moved = report->moved,
                                  .message = report->message});
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
    char text[ERROR_MAX_BYTES];

    if (m->kept.addresses.n > 0 &&
        streq(tunnel_view(m->tunnel).identity, security_segw_identity(m->security, action->name))) {
        IkeConfiguration kept = m->kept;
        inside_set(m, &kept);
        return;
    }

    int r = tunnel_open(m->tunnel, security_segw_identity(m->security, action->name), &action->address);
    if (r == 0)
        return;
    snprintf(text, sizeof text, "SeGW %s: %s", ADDRESS_STR(&action->address), strerror(-r));
    tell(m, &(ProcedureEvent){.type = EVENT_TUNNEL_DOWN, .text = text});
}

/* De-registration (5.1.4) ----------------------------------------------------------------------------- */

/* NULL, or why the mark could not be stored. By the HeMS's word (*binding*) the box stays away all the same.
 */
static const char *deregister(Manager *m, bool binding) {
    int r = deregistration_set(&m->deregistration, binding);

    if (r < 0 && !binding)
        return strerror(-r);
    if (cpe_reset(m->cpe) < 0)
        log_error("what was learned could not be forgotten: that is done with the next start");
    good_time_keep(&m->good_time);
    tell(m, &(ProcedureEvent){.type = EVENT_DEREGISTERED});
    return NULL;
}

/* "The HeNB must not initiate this procedure if there is an active TR-069 session": it waits for its end. */
static void on_deregister(void *userdata, BusRequest *request) {
    Manager *m = userdata;

    if (m->stopping)
        bus_request_done(request, "the agent is stopping");
    else if (m->session)
        m->deregister = request;
    else
        bus_request_done(request, m->deregistration.in_force ? NULL : deregister(m, false));
}

static void on_clear_deregistration(void *userdata, BusRequest *request) {
    Manager *m = userdata;

    if (m->stopping || !deregistration_is_marked(&m->deregistration)) {
        bus_request_done(request,
                         m->stopping ? "the agent is stopping" : "the box has not been de-registered");
        return;
    }
    int r = deregistration_clear(&m->deregistration);
    if (r == 0)
        tell(m, &(ProcedureEvent){.type = EVENT_START});
    bus_request_done(request, r < 0 ? strerror(-r) : NULL);
}

/* NULL, or why nobody at the box can want anything of the operator's side now. */
static const char *away(const Manager *m) {
    return m->stopping || m->deregistration.in_force ? "the box is de-registered, or the agent is stopping"
                                                     : NULL;
}

static void on_reconnect(void *userdata, BusRequest *request) {
    Manager *m = userdata;
    const char *refusal = away(m);

    if (!refusal)
        tell(m, &(ProcedureEvent){.type = EVENT_RECONNECT});
    bus_request_done(request, refusal);
}

static void on_inform(void *userdata, BusRequest *request) {
    Manager *m = userdata;
    const char *refusal = away(m);

    if (!refusal)
        cpe_inform(m->cpe);
    bus_request_done(request, refusal);
}

static bool is_barred(void *userdata, const char *host) {
    const Manager *m = userdata;
    return deregistration_bars(&m->deregistration, host);
}

/* Sessions -------------------------------------------------------------------------------------------- */

/* A session is over: does it, or somebody at the box, take the box out of service? */
static bool session_over(Manager *m, const CpeReport *report) {
    BusRequest *request = TAKE_PTR(m->deregister); /* answered here, not by what the de-registration closes */
    const char *refusal = report->text;
    bool done = false;

    m->session = false;
    shown_session_over(&m->shown, report->type == CPE_UNREACHED, report->text);
    if (report->factory_reset || (request && !refusal)) {
        refusal = deregister(m, report->factory_reset);
        done = !refusal;
    }
    if (request)
        bus_request_done(request, refusal);
    return done;
}

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
                        .silent = report->silent,
                        .fault = report->fault,
                        .site = report->assignment};
    S1Config s1;

    if (report->assignment)
        deregistration_learn(&m->deregistration, report->assignment->hems_url);
    if ((report->type == CPE_ENDED || report->type == CPE_UNREACHED) && session_over(m, report))
        return;
    if (report->s1) {
        s1 = *report->s1;
        for (size_t i = 0; i < s1.mme.n; i++) /* a literal of the wrong family is refused like a name of it */
            s1.mme.items[i].addresses = names_reachable(m->names, &s1.mme.items[i].addresses);
        e.s1 = &s1;
    }
    tell(m, &e);
}

static void session_start(Manager *m, const ProcedureAction *action) {
    char text[ERROR_MAX_BYTES];

    m->session = true; /* before: it may be over at once */
    shown_session_begun(&m->shown);
    int r = cpe_open(m->cpe, action->name, &action->address,
                     action->outside ? NULL : m->config->tunnel_interface);
    if (r == 0)
        return;
    m->session = false;
    snprintf(text, sizeof text, "HeMS %s at %s: %s", action->name, ADDRESS_STR(&action->address),
             r == -EAFNOSUPPORT ? "no inner address of that family" : strerror(-r));
    shown_session_over(&m->shown, true, text);
    tell(m, &(ProcedureEvent){.type = EVENT_SESSION_UNREACHED, .text = text});
}

static void on_reported(void *userdata) {
    Manager *m = userdata;
    if (device_location_known(m->device))
        tell(m, &(ProcedureEvent){.type = EVENT_LOCATION});
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
    case ACTION_HEMS:
        cpe_hems(m->cpe, action->name);
        return;
    case ACTION_MOVED:
        cpe_value_changed(m->cpe, true); /* the inner address is another */
        return;
    case ACTION_CLOSE:
        inside_forget(m);
        tunnel_close(m->tunnel);
        tunnel_facts_report(m->tunnel, m->device);
        return;
    case ACTION_SESSION:
        session_start(m, action);
        return;
    case ACTION_SESSION_MISSED:
        cpe_missed(m->cpe);
        return;
    }
}

/* What is known of S1 before any HeMS has spoken, and where the box stands. */
static void status_fill(Manager *m, const ProcedureView *view) {
    Status *s = &m->status;
    S1Config stored;

    model_s1(device_model(m->device), &stored);
    s->mme_stored = stored.mme;
    s->admin_state = view->s1->admin_state;
    memcpy(s->s1_connection_mode, view->s1->connection_mode, sizeof s->s1_connection_mode);
    s->clock_trusted = good_time_now(&m->good_time);
    snprintf(s->segw, sizeof s->segw, "%s", view->segw);
    snprintf(s->hems, sizeof s->hems, "%s", view->hems_url);
}

static void publish(Manager *m, const ProcedureView *view) {
    Status *s = &m->status;
    const TunnelView tunnel = tunnel_view(m->tunnel);

    status_fill(m, view);
    if (!streq(s->step, view->title) || !streq(s->clause, view->clause))
        sd_notifyf(false, "STATUS=%s%s%s%s", view->title, view->clause[0] ? " (" : "", view->clause,
                   view->clause[0] ? ")" : "");
    s->state = view->state;
    s->mme = view->s1->mme;
    s->inner_addresses = m->inside.addresses;
    s->segw_address = tunnel.up ? tunnel.remote : view->segw_address;
    snprintf(s->step, sizeof s->step, "%s", view->title);
    snprintf(s->clause, sizeof s->clause, "%s", view->clause);
    snprintf(s->last_error, sizeof s->last_error, "%s", view->last_error);
    shown_status(&m->shown, s);
}

static void faults_check(Manager *m, const ProcedureView *view) {
    const FaultsFacts facts = {
        .real = device_real(m->device),
        .tunnel_wanted = *view->segw && view->state != AGENT_DEREGISTERED,
        .tunnel = tunnel_view(m->tunnel).up,
        .waiting = view->state == AGENT_RETRYING,
        .failed_sessions = cpe_view(m->cpe).failures,
        .certificate_ends = security_credential(m->security)->not_after,
        .store = store_trouble(m->store),
        .last_error = view->last_error,
    };
    faults_look(device_alarms(m->device), &facts);
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
    faults_check(m, &view);
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
    if (!m->stopping)
        tunnel_uplink_changed(m->tunnel);
    if (m->device)
        device_refresh(m->device);
}

static void on_expired(void *userdata, uint32_t spi, bool hard) {
    Manager *m = userdata;
    if (m->tunnel)
        tunnel_expired(m->tunnel, spi, hard);
}

static void on_mapping(void *userdata, uint32_t spi_in, const Endpoint *from) {
    Manager *m = userdata;
    if (m->tunnel)
        tunnel_mapping(m->tunnel, spi_in, from);
}

/* Life ------------------------------------------------------------------------------------------------ */

/* What a HeMS assigned is of use only with a SeGW, and not when the box may not go there any more. */
static void site_from_assignment(const Manager *m, Site *ret) {
    Url url;
    if (!device_assignment(m->device, ret) || ret->n_segws == 0 || url_parse(ret->hems_url, &url, NULL) < 0 ||
        deregistration_bars(&m->deregistration, url.host))
        *ret = (Site){};
}

static int procedure_make(Manager *m) {
    ProcedureConfig config = {
        .sites.fallback_rounds = m->config->fallback_rounds,
        .sites.fallback_time = m->config->fallback_time * USEC_PER_SEC,
        .clock_floor = m->good_time.floor,
        .clock_lenient = m->config->clock_policy == CLOCK_LENIENT,
        .wait_for_location = m->config->wait_for_location * USEC_PER_SEC,
        .deregistered = m->deregistration.in_force,
    };

    site_from_assignment(m, &config.sites.items[SITE_LEARNED]);
    factory_data_site(&config.sites.items[SITE_FACTORY], &m->config->serving);
    factory_data_site(&config.sites.items[SITE_INITIAL], &m->config->initial);
    model_s1(device_model(m->device), &config.s1);
    return procedure_new(&m->procedure, &config, &m->rng);
}

/* Where the box stood, and who it must stay away from. */
static int store_read(Manager *m) {
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/state.db", m->state);
    int r = store_open(&m->store, path);
    if (r == 0)
        r = good_time_load(&m->good_time, m->store);
    return r < 0 ? r : deregistration_load(&m->deregistration, m->store, m->config);
}

/* What was learned is none of this box's any more when it was de-registered (power may have failed between
 * the mark and the rest of it), or has got other factory data since. 0 or negative errno. */
static int learned_check(Manager *m) {
    const FactoryDataNews news = factory_data_compare(m->config, m->store);
    const bool forget = m->deregistration.in_force || news == FACTORY_DATA_OTHER;
    int r = 0;

    if (news == FACTORY_DATA_OTHER)
        log_notice("the factory data are others than before: what HeMSs have set is forgotten");
    if (forget) { /* the factory data, too */
        r = cpe_reset(m->cpe);
        good_time_keep(&m->good_time);
    }
    if (forget || news == FACTORY_DATA_FIRST)
        factory_data_keep(m->config, m->store);
    return r;
}

static void on_noticed(void *userdata, int notification) {
    const Manager *m = userdata;
    if (m->cpe)
        cpe_value_changed(m->cpe, notification == 2);
}

static int on_live(void *userdata, const char *name, char *buf, size_t size) {
    const Manager *m = userdata;
    return tunnel_facts_live(m->tunnel, good_time_now(&m->good_time), name, buf, size);
}

static void on_changed(void *userdata, unsigned topics) {
    const Manager *m = userdata;
    if (topics & MODEL_TOPIC_TIME && m->bus) /* else it is told when there is one */
        others_tell_time_servers(&m->others, m->bus);
}

static usec_t on_real(void *userdata) {
    const Manager *m = userdata;
    return good_time_now(&m->good_time) ? clock_now().real : 0;
}

static int device_make(Manager *m) {
    DeviceConfig config = {
        .factory = m->config,
        .password = security_password(m->security),
        .store = m->store,
        .state_directory = m->state,
        .rng = &m->rng,
        .barred = is_barred,
        .live = on_live,
        .noticed = on_noticed,
        .changed = on_changed,
        .real = on_real,
        .userdata = m,
    };
    return device_new(&m->device, &config);
}

static int cpe_make(Manager *m) {
    CpeConfig config = {
        .event = m->event,
        .factory = m->config,
        .store = m->store,
        .device = m->device,
        .state_directory = m->state,
        .inside = &m->inside,
        .clock_trusted = good_time_now(&m->good_time),
        .tls = &m->tls,
        .barred = is_barred,
        .rng = &m->rng,
        .report = on_cpe,
        .userdata = m,
    };
    Site site;

    m->tls = (TlsConfig){
        .ca = m->config->ca,
        .certificate = m->config->certificate,
        .key = m->config->key,
        .crl = m->config->crl,
        .revocation = (int)m->config->revocation,
        .clock_floor = m->good_time.floor,
        .clock_lenient = m->config->clock_policy == CLOCK_LENIENT,
    };
    int r = cpe_new(&m->cpe, &config);
    if (r == 0)
        r = learned_check(m);
    if (r == 0 && device_assignment(m->device, &site))
        deregistration_learn(&m->deregistration, site.hems_url);
    return r;
}

static int tunnel_make(Manager *m) {
    RevocationIoConfig revocation = {.resolver = names_public(m->config)};
    int r = revocation_io_new(&m->revocation, m->event, &revocation);

    if (r < 0)
        return r;
    TunnelConfig config = {
        .event = m->event,
        .io = m->ike,
        .netlink = m->netlink,
        .ike = security_ike(m->security),
        .resolver = revocation.resolver,
        .revocation = m->revocation,
        .revocation_cache = security_revocation(m->security),
        .revocation_policy = m->config->revocation,
        .report = on_tunnel,
        .idle = on_tunnel_idle,
        .userdata = m,
    };
    config.ike.rng = m->rng;
    config.ike.clock_floor = m->good_time.floor;
    return tunnel_new(&m->tunnel, &config);
}

void manager_reloaded(Manager *m, bool log_level, bool credentials) {
    if (log_level)
        bus_log_level_changed(m->bus);
    if (credentials)
        tunnel_reauthenticate(m->tunnel, security_trust(m->security), security_credential(m->security));
}

static void on_reload(void *userdata, BusRequest *request) {
    const Manager *m = userdata;
    m->reload.wanted(m->reload.userdata, request);
}

static int stop_elapsed(sd_event_source *source, uint64_t usec, void *userdata) {
    log_warning("the SeGW did not answer the DELETE in time");
    return finish(userdata);
}

static int bus_make(Manager *m) {
    BusHandlers handlers = {
        .deregister = on_deregister,
        .clear_deregistration = on_clear_deregistration,
        .reconnect = on_reconnect,
        .inform = on_inform,
        .reload = on_reload,
        .userdata = m,
    };
    ProcedureView view = procedure_view(m->procedure);

    m->others = (Others){.device = m->device,
                         .owners = cpe_owners(m->cpe),
                         .table = &m->config->owners,
                         .counters = cpe_counters(m->cpe),
                         .cpe = m->cpe,
                         .reported = on_reported,
                         .userdata = m};
    others_handle(&m->others, &handlers);
    snprintf(m->status.tunnel_interface, sizeof m->status.tunnel_interface, "%s",
             m->config->tunnel_interface);
    status_fill(m, &view);
    m->shown = (Shown){.tunnel = m->tunnel, .cpe = m->cpe, .security = m->security, .hems = m->status.hems};
    shown_handle(&m->shown, &handlers);
    int r = bus_new(&m->bus, m->event, &m->status, &handlers);
    if (r < 0)
        return r;
    owner_io_bus(cpe_owners(m->cpe), m->bus);
    others_tell_time_servers(&m->others, m->bus);
    return shown_start(&m->shown, m->event, m->bus);
}

static int timers_make(Manager *m) {
    int r = sd_event_add_time(m->event, &m->timer, CLOCK_BOOTTIME, UINT64_MAX, 1, on_timer, m);
    if (r >= 0)
        r = sd_event_add_time(m->event, &m->clock_timer, CLOCK_BOOTTIME, UINT64_MAX, 1, on_clock_timer, m);
    if (r >= 0)
        r = clock_watch_new(&m->clock_watch, m->event, on_clock_set, m);
    return r < 0 ? r : 0;
}

int manager_new(Manager **ret, sd_event *event, const Config *config, Security *security, const char *state,
                const ManagerReload *reload) {
    _cleanup_(manager_freep) Manager *m = calloc(1, sizeof *m);

    if (!m)
        return -ENOMEM;
    m->event = sd_event_ref(event);
    m->config = config;
    m->security = security;
    m->state = state;
    m->reload = *reload;
    m->rng = rng_system();
    NetlinkConfig netlink = {.interface = config->tunnel_interface,
                             .id = config->interface_id,
                             .changed = on_network,
                             .expired = on_expired,
                             .mapping = on_mapping,
                             .userdata = m};
    /* The ports first: of two agents the second one stops here, before it takes the first one's SAs for
     * leftovers. */
    int r = ike_io_new(&m->ike, event, on_datagram, m);
    if (r == 0)
        r = netlink_io_new(&m->netlink, event, &netlink);
    if (r == 0)
        r = store_read(m);
    if (r == 0)
        r = names_new(&m->names, event, config, &m->inside);
    if (r == 0)
        r = tunnel_make(m);
    if (r == 0)
        r = device_make(m);
    if (r == 0)
        r = cpe_make(m);
    if (r == 0)
        r = procedure_make(m);
    if (r == 0)
        r = timers_make(m);
    if (r == 0)
        r = resolv_conf_watch_new(&m->resolv_conf, event, RESOLV_CONF, on_resolv_conf, m);
    if (r == 0)
        r = bus_make(m);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(m);
    return 0;
}

void manager_free(Manager *m) {
    if (!m)
        return;
    shown_stop(&m->shown);
    names_free(m->names);
    resolv_conf_watch_free(m->resolv_conf);
    cpe_free(m->cpe);
    device_free(m->device);
    store_close(m->store);
    tunnel_free(m->tunnel);
    revocation_io_free(m->revocation);
    ike_io_free(m->ike);
    netlink_io_free(m->netlink);
    procedure_free(m->procedure);
    bus_free(m->bus);
    sd_event_source_disable_unref(m->timer);
    sd_event_source_disable_unref(m->clock_timer);
    clock_watch_free(m->clock_watch);
    sd_event_source_disable_unref(m->stop_timer);
    sd_event_unref(m->event);
    free(m);
}

void manager_start(Manager *m) {
    tell(m, &(ProcedureEvent){.type = EVENT_START});
    on_network(m);
    clock_timer_set(m);
}

void manager_stop(Manager *m) {
    if (m->stopping)
        return;
    m->stopping = true;
    good_time_keep(&m->good_time);
    inside_forget(m);
    cpe_expect(m->cpe, false);
    sd_event_source_set_enabled(m->timer, SD_EVENT_OFF);
    sd_event_source_set_enabled(m->clock_timer, SD_EVENT_OFF);
    ProcedureView view = procedure_view(m->procedure);
    S1Config s1 = *view.s1;
    s1.mme = (MmeList){};
    publish(m, &(ProcedureView){.title = "Stopping",
                                .clause = "",
                                .s1 = &s1,
                                .segw = view.segw,
                                .hems_url = view.hems_url,
                                .last_error = view.last_error});
    tunnel_close(m->tunnel);
    if (tunnel_is_idle(m->tunnel) || sd_event_add_time_relative(m->event, &m->stop_timer, CLOCK_BOOTTIME,
                                                                MANAGER_STOP_TIMEOUT, 1, stop_elapsed, m) < 0)
        finish(m);
}
