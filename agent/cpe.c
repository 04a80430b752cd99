/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See cpe.h. */
#include "cpe.h"

#include <net/if.h>
#include <stdio.h>

#include "base/log.h"
#include "clock.h"
#include "cwmp/cwmp-io.h"
#include "cwmp/fault.h"
#include "cwmp/inform.h"
#include "cwmp/schedule.h"
#include "cwmp/session.h"
#include "download-request.h"
#include "file-transfers.h"
#include "login-io.h"
#include "measurements.h"
#include "names.h"
#include "passage.h"
#include "reachable.h"
#include "told.h"

#define META_BOOTSTRAPPED "bootstrapped-url"
#define META_VERSION      "acs-version" /* "1 URL": what that HeMS spoke last, as CwmpVersion */

struct Cpe {
    CpeConfig config;
    Model *model; /* the device's, until it is reset */
    Schedule *schedule;
    Session *session;
    CwmpIo *io;
    Names *names; /* of hosts that a HeMS redirects to */
    Reachable *reachable;
    OwnerIo *owners;
    LoginIo *login;
    FileTransfers *files;
    Measurements *measurements;
    DownloadRequest download_request;
    bool running, voting; /* session_run(); owners are asked, or have agreed, and nothing is committed yet */
    RpcServices services;
    char url[URL_MAX_BYTES];      /* of the session that runs */
    char interface[IF_NAMESIZE];  /* of the session that runs; "": it is outside of a tunnel */
    char redirect[URL_MAX_BYTES]; /* where a HeMS wants it to go on */
    sd_event_source *session_timer, *due_timer;
    bool expected;
    ScheduleStart start; /* of the session that runs or is tried at one address after another */
    bool started, heard; /* schedule_session_started() was called; the HeMS has said something */
    S1Config set;        /* as left by the SetParameterValues that waits for its HTTP answer */
    unsigned set_topics; /* of it, 0: none waits */
};

static void report(Cpe *cpe, CpeReport r) {
    cpe->config.report(cpe->config.userdata, &r);
}

/* What the Inform carries beyond the forced parameters and the HeMS's own choice. */
static const char *inform_paths(const Cpe *cpe) {
    const char *configured = cpe->config.factory->inform_parameters;
    return *configured ? configured : INFORM_LOCATION;
}

static int inform_open(const Cpe *cpe) {
    char text[ERROR_MAX_BYTES];
    const char *why = inform_check(cpe->model, inform_paths(cpe), text);

    if (!why)
        return 0;
    log_error("%s %s", config_origin(cpe->config.factory, "Registration", "InformParameters"), why);
    return -EINVAL;
}

/* Schedule -------------------------------------------------------------------------------------------- */

static SchedulePolicy policy_read(const Model *model) {
    return (SchedulePolicy){
        .periodic_enable = model_get_boolean(model, "Device.ManagementServer.PeriodicInformEnable"),
        .periodic_interval = model_get_unsigned(model, "Device.ManagementServer.PeriodicInformInterval"),
        .periodic_time = model_get_time(model, "Device.ManagementServer.PeriodicInformTime"),
        .retry_minimum_wait =
            model_get_unsigned(model, "Device.ManagementServer.CWMPRetryMinimumWaitInterval"),
        .retry_multiplier = model_get_unsigned(model, "Device.ManagementServer.CWMPRetryIntervalMultiplier"),
        .throttle = model_get_unsigned(model, "Device.ManagementServer.DefaultActiveNotificationThrottle"),
    };
}

/* The schedule's records: one transaction. */
static int on_save(void *userdata, const ScheduleRecord *records, size_t n, const char *bootstrapped_url) {
    Cpe *cpe = userdata;
    _cleanup_free_ StoreChange *changes = calloc(n + 1, sizeof *changes);

    if (!changes)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        changes[i] = (StoreChange){STORE_EVENT, records[i].key, records[i].value};
    if (bootstrapped_url)
        changes[n++] = (StoreChange){STORE_META, META_BOOTSTRAPPED, bootstrapped_url};
    return store_commit(cpe->config.store, changes, n);
}

static int on_event_stored(void *userdata, const char *key, const char *value) {
    Cpe *cpe = userdata;
    if (schedule_load(cpe->schedule, key, value, clock_now()) < 0)
        log_warning("store: an event \"%s\" cannot be taken up again", key);
    return 0;
}

/* *url*: of the first HeMS. */
static int schedule_open(Cpe *cpe, const char *url) {
    _cleanup_free_ char *bootstrapped = NULL;

    int r = store_get_meta(cpe->config.store, META_BOOTSTRAPPED, &bootstrapped);
    if (r < 0 && r != -ENOENT)
        return r;
    ScheduleConfig config = {.bootstrapped_url = bootstrapped,
                             .policy = policy_read(cpe->model),
                             .clock_trusted = cpe->config.clock_trusted,
                             .rng = cpe->config.rng,
                             .save = on_save,
                             .userdata = cpe};
    r = schedule_new(&cpe->schedule, &config, clock_now());
    if (r == 0)
        r = store_load(cpe->config.store, STORE_EVENT, on_event_stored, cpe);
    if (r < 0)
        return r;
    schedule_boot(cpe->schedule, url, clock_now());
    if (model_read_changed(cpe->model, model_any, NULL) == 1) /* before the start */
        schedule_value_changed(cpe->schedule, true, clock_now());
    return 0;
}

static void timers_set(Cpe *cpe) {
    timer_set(cpe->session_timer, cpe->session ? session_deadline(cpe->session) : USEC_NEVER);
    timer_set(cpe->due_timer, cpe->expected ? schedule_deadline(cpe->schedule) : USEC_NEVER);
}

static int on_due(sd_event_source *source, uint64_t usec, void *userdata) {
    Cpe *cpe = userdata;
    if (cpe->expected && schedule_due(cpe->schedule, clock_now()))
        report(cpe, (CpeReport){.type = CPE_DUE});
    timers_set(cpe);
    return 0;
}

void cpe_expect(Cpe *cpe, bool expected) {
    if (cpe->expected == expected)
        return;
    cpe->expected = expected;
    timers_set(cpe);
}

static void session_failed(Cpe *cpe, usec_t retry_after) {
    usec_t delay = schedule_session_failed(cpe->schedule, retry_after, clock_now());
    cpe->started = false;
    log_info("next TR-069 session in %u s", (unsigned)(delay / USEC_PER_SEC));
    timers_set(cpe);
}

void cpe_missed(Cpe *cpe) {
    session_failed(cpe, 0);
}

void cpe_clock(Cpe *cpe, bool trusted) {
    schedule_clock(cpe->schedule, trusted, clock_now());
    file_transfers_clock(cpe->files, trusted);
    measurements_clock(cpe->measurements, trusted);
    timers_set(cpe);
}

static void on_connection_request(void *userdata) {
    Cpe *cpe = userdata;
    log_info("the HeMS asks for a session");
    schedule_connection_request(cpe->schedule, clock_now());
    timers_set(cpe);
}

void cpe_inside(Cpe *cpe, const char *interface) {
    const AddressList *inside = &cpe->config.inside->addresses;
    reachable_move(cpe->reachable, cpe->model, interface, inside->n > 0 ? &inside->items[0] : NULL);
    file_transfers_inside(cpe->files);
}

/* Transfers -------------------------------------------------------------------------------------------- */

static void on_transfer(void *userdata, EventType type, const char *command_key) {
    Cpe *cpe = userdata;
    int r = schedule_raise(cpe->schedule, type, command_key, clock_now());
    if (r < 0) /* the next session says it all the same, see session_begin() */
        log_warning("%s could not be stored: %s", event_code(type), strerror(-r));
    timers_set(cpe);
}

static bool on_barred(void *userdata, const char *host) {
    const Cpe *cpe = userdata;
    return cpe->config.barred && cpe->config.barred(cpe->config.userdata, host);
}

static int files_open(Cpe *cpe) {
    const CpeConfig *c = &cpe->config;
    const FileTransfersConfig config = {.event = c->event,
                                        .factory = c->factory,
                                        .store = c->store,
                                        .device = c->device,
                                        .state_directory = c->state_directory,
                                        .tls = c->tls,
                                        .inside = c->inside,
                                        .clock_trusted = c->clock_trusted,
                                        .rng = c->rng,
                                        .barred = on_barred,
                                        .raise = on_transfer,
                                        .userdata = cpe};
    int r = file_transfers_new(&cpe->files, &config);
    if (r < 0)
        return r;
    file_transfers_start(cpe->files);
    const MeasurementsConfig measurements = {.event = c->event,
                                             .factory = c->factory,
                                             .device = c->device,
                                             .files = cpe->files,
                                             .rng = c->rng,
                                             .clock_trusted = c->clock_trusted};
    return measurements_new(&cpe->measurements, &measurements);
}

/* What hangs on parameters of the model, which is another or has changed. */
static void files_update(Cpe *cpe) {
    file_transfers_policy(cpe->files);
    measurements_update(cpe->measurements);
}

PmCounters *cpe_counters(const Cpe *cpe) {
    return measurements_counters(cpe->measurements);
}

static int on_download(void *userdata, const RpcDownload *download, const char **ret_text) {
    const Cpe *cpe = userdata;
    return file_transfers_download(cpe->files, download, ret_text);
}

static int on_upload(void *userdata, const RpcUpload *upload, const char **ret_text) {
    const Cpe *cpe = userdata;
    return file_transfers_upload(cpe->files, upload, ret_text);
}

static int on_schedule_download(void *userdata, const RpcScheduleDownload *download, const char **ret_text) {
    const Cpe *cpe = userdata;
    return file_transfers_schedule(cpe->files, download, ret_text);
}

static int on_cancel_transfer(void *userdata, const char *command_key, const char **ret_text) {
    const Cpe *cpe = userdata;
    return file_transfers_cancel(cpe->files, command_key, ret_text);
}

static int on_visit_transfers(void *userdata, RpcTransferVisitor visitor, void *visitor_userdata) {
    const Cpe *cpe = userdata;
    return file_transfers_visit(cpe->files, visitor, visitor_userdata);
}

/* Session --------------------------------------------------------------------------------------------- */

static void on_response(void *userdata, const SessionResponse *response);
static void session_run(Cpe *cpe);

/* Owners hear of what was committed, or that it was not. */
static void vote_end(Cpe *cpe, bool committed) {
    if (cpe->voting)
        owner_io_end(cpe->owners, committed);
    cpe->voting = false;
}

static void on_verdict(void *userdata, const OwnerFault *faults, size_t n) {
    Cpe *cpe = userdata;
    _cleanup_free_ ModelFault *refusals = calloc(n + 1, sizeof *refusals);

    if (!refusals) /* the session's own limit ends it */
        return;
    for (size_t i = 0; i < n; i++) {
        refusals[i] = (ModelFault){.name = faults[i].name, .code = faults[i].code};
        snprintf(refusals[i].text, sizeof refusals[i].text, "%s", faults[i].text);
    }
    if (n > 0)
        cpe->voting = false; /* it is over already */
    (void)session_verdict(cpe->session, clock_now(), refusals, n);
    if (!cpe->running)
        session_run(cpe);
}

/* Other daemons see what is another afterwards, and no secret. */
static void on_prepared(Cpe *cpe, const ModelChange *changes, size_t n) {
    _cleanup_free_ OwnerChange *seen = calloc(n + 1, sizeof *seen);
    size_t n_seen = 0;
    int r = seen ? 0 : -ENOMEM;

    for (size_t i = 0; i < n && r == 0; i++) {
        const ModelChange *c = &changes[i];
        if (c->kind == MODEL_CHANGE_ROW)
            seen[n_seen++] = (OwnerChange){
                .name = c->name,
                .kind = c->new_value ? OWNER_CHANGE_ADD : OWNER_CHANGE_DELETE,
                .value = "",
            };
        else if (!streq(c->old_value, c->new_value))
            seen[n_seen++] = (OwnerChange){
                .name = c->name,
                .kind = OWNER_CHANGE_SET,
                .value = c->parameter->flags & MODEL_HIDDEN ? "" : c->new_value,
            };
    }
    cpe->voting = true;
    if (r == 0)
        r = owner_io_begin(cpe->owners, seen, n_seen);
    if (r < 0) {
        cpe->voting = false;
        log_error("the owners of what a HeMS sets cannot be asked: %s", strerror(-r));
    }
}

static void on_reboot_refused(void *userdata, const char *text) {
    Cpe *cpe = userdata;
    log_error("the box does not reboot as the HeMS wants: %s", text);
    schedule_reboot_refused(cpe->schedule);
}

/* Once the HeMS has our RebootResponse. */
static void box_reboot(Cpe *cpe, const char *command_key) {
    int r = schedule_reboot(cpe->schedule, command_key);
    if (r == 0)
        r = login_io_reboot(cpe->login, on_reboot_refused, cpe);
    if (r < 0 && r != -EALREADY)
        on_reboot_refused(cpe, strerror(-r));
}

static int on_schedule_inform(void *userdata, uint32_t delay, const char *command_key,
                              const char **ret_text) {
    Cpe *cpe = userdata;
    int r = schedule_inform(cpe->schedule, delay, command_key, clock_now());
    return r == 0 || r == -ENOMEM ? r
           : r == -EINVAL         ? FAULT_INVALID_ARGUMENTS
           : r == -E2BIG          ? FAULT_RESOURCES_EXCEEDED
                                  : FAULT_INTERNAL_ERROR;
}

/* Whether it can be is seen when it is done. */
static int on_reboot(void *userdata, const char *command_key, const char **ret_text) {
    return 0;
}

/* What *url* spoke the last time. */
static CwmpVersion version_load(const Cpe *cpe, const char *url) {
    _cleanup_free_ char *stored = NULL;

    if (store_get_meta(cpe->config.store, META_VERSION, &stored) < 0 || stored[0] < '0' ||
        stored[0] >= '0' + CWMP_VERSIONS_ || stored[1] != ' ' || !streq(stored + 2, url))
        return CWMP_1_0;
    return (CwmpVersion)(stored[0] - '0');
}

static void version_keep(Cpe *cpe, CwmpVersion version) {
    char text[URL_MAX_BYTES + 2];

    if (version_load(cpe, cpe->url) == version)
        return;
    snprintf(text, sizeof text, "%d %s", (int)version, cpe->url);
    (void)store_set_meta(cpe->config.store, META_VERSION, version == CWMP_1_0 ? NULL : text);
}

static void session_close(Cpe *cpe) {
    vote_end(cpe, false);
    names_forget(cpe->names);
    cwmp_io_close(cpe->io);
    session_free(TAKE_PTR(cpe->session));
    cpe->set_topics = 0;
}

static bool has_event(const ScheduleStart *start, EventType type) {
    for (size_t i = 0; i < start->n_events; i++)
        if (start->events[i].type == type)
            return true;
    return false;
}

static void on_delivered(Cpe *cpe) {
    if (has_event(&cpe->start, EVENT_VALUE_CHANGE))
        model_changes_delivered(cpe->model);
    told_keep(cpe->config.store, cpe->model);
    if (!*cpe->interface)
        file_transfers_outside(cpe->files);
    if (schedule_delivered(cpe->schedule) < 0)
        log_warning("what the HeMS has taken of the events could not be stored: it may hear of them again");
    report(cpe, (CpeReport){.type = CPE_ACCEPTED});
}

static void on_ended(Cpe *cpe, const SessionAction *action) {
    char text[ERROR_MAX_BYTES];
    bool failed = action->error < 0, factory_reset = action->factory_reset;
    S1Config s1;
    Site site;

    snprintf(text, sizeof text, "TR-069 session: %s", strempty(action->text));
    if (action->version_refused)
        version_keep(cpe, CWMP_1_0);
    if (action->reboot)
        box_reboot(cpe, action->command_key);
    usec_t retry_after = action->retry_after;
    int fault = action->fault;
    session_close(cpe); /* and what *action* points to */
    if (failed && !cpe->heard) {
        report(cpe, (CpeReport){.type = CPE_UNREACHED, .text = text, .silent = action->error == -ETIMEDOUT});
        return;
    }
    if (failed)
        session_failed(cpe, retry_after);
    else {
        schedule_session_ended(cpe->schedule, clock_now());
        cpe->started = false;
        log_message(LOG_INFO, MESSAGE_SESSION_ENDED, &(LogFields){.peer = cpe->url}, "TR-069 session ended");
    }
    model_s1(cpe->model, &s1);
    report(cpe, (CpeReport){.type = CPE_ENDED,
                            .text = failed ? text : NULL,
                            .s1 = &s1,
                            .fault = fault,
                            .factory_reset = factory_reset,
                            .assignment = device_assignment(cpe->config.device, &site) ? &site : NULL});
}

static void on_changed(Cpe *cpe, const ModelOutcome *outcome) {
    SchedulePolicy policy;

    cpe->set_topics = outcome->topics_set & (MODEL_TOPIC_MME | MODEL_TOPIC_S1);
    if (cpe->set_topics) /* now: the HTTP answer may bring the next set */
        model_s1(cpe->model, &cpe->set);
    if (outcome->topics_set & MODEL_TOPIC_CONNECTION)
        reachable_update(cpe->reachable, cpe->model);
    device_changed(cpe->config.device, outcome->topics_changed);
    if (outcome->topics_changed & (MODEL_TOPIC_PERIODIC | MODEL_TOPIC_RETRY)) {
        policy = policy_read(cpe->model);
        schedule_set_policy(cpe->schedule, &policy, clock_now());
    }
    files_update(cpe);
}

static void on_answered(Cpe *cpe) {
    bool mme_set = cpe->set_topics & MODEL_TOPIC_MME;

    if (!cpe->set_topics)
        return;
    cpe->set_topics = 0;
    report(cpe, (CpeReport){.type = CPE_ANSWERED, .s1 = &cpe->set, .mme_set = mme_set});
}

static void on_replied(Cpe *cpe, const SessionAnswer *answer) {
    if (download_request_answered(&cpe->download_request, answer) && answer->fault)
        log_notice("the HeMS has no file for the box: fault %d %s", answer->fault, strempty(answer->text));
    file_transfers_answered(cpe->files, answer);
}

/* Performs what the session asks for until it asks for nothing more. A report may end the session. */
static void session_run(Cpe *cpe) {
    SessionAction action;

    cpe->running = true;
    while (cpe->session && session_next(cpe->session, &action))
        switch (action.kind) {
        case SESSION_POST: {
            vote_end(cpe, false);
            int r = cwmp_io_post(cpe->io, action.body, action.size, on_response, cpe);
            if (r < 0) {
                SessionResponse failed = {.error = r, .error_text = strerror(-r), .content_type = ""};
                session_input(cpe->session, clock_now(), &failed);
            }
            break;
        }
        case SESSION_ACCEPTED:
            version_keep(cpe, action.version);
            on_delivered(cpe);
            break;
        case SESSION_REPLIED:
            on_replied(cpe, &action.answer);
            break;
        case SESSION_PREPARED:
            on_prepared(cpe, action.changes, action.n_changes);
            break;
        case SESSION_CHANGED:
            vote_end(cpe, true);
            on_changed(cpe, &action.outcome);
            break;
        case SESSION_ANSWERED:
            on_answered(cpe);
            break;
        case SESSION_ENDED:
            on_ended(cpe, &action);
            break;
        }
    cpe->running = false;
    timers_set(cpe);
}

static void on_response(void *userdata, const SessionResponse *response) {
    Cpe *cpe = userdata;
    cpe->heard |= response->status != 0;
    session_input(cpe->session, clock_now(), response);
    session_run(cpe);
}

static int on_session_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Cpe *cpe = userdata;
    if (cpe->session)
        session_tick(cpe->session, clock_now());
    session_run(cpe);
    return 0;
}

/* What is told to whom: once, however many addresses are tried. */
static void session_begin(Cpe *cpe) {
    const EventType reports[] = {EVENT_TRANSFER_COMPLETE, EVENT_AUTONOMOUS_TRANSFER};
    const unsigned announced = file_transfers_announce(cpe->files, !*cpe->interface);

    for (size_t i = 0; i < ARRAY_SIZE(reports); i++)
        if (announced & 1u << reports[i])
            (void)schedule_renew(cpe->schedule, reports[i], ""); /* else it is for another session */
    if (cpe->download_request.waits)
        (void)schedule_renew(cpe->schedule, EVENT_REQUEST_DOWNLOAD, "");
    schedule_session_started(cpe->schedule, &cpe->start);
    cpe->started = true;
    device_refresh(cpe->config.device);
    if (cpe->start.forget) {
        cpe->download_request.waits = false;
        file_transfers_reset(cpe->files);
    }
    if (cpe->start.forget && model_attributes_reset(cpe->model) < 0)
        log_error("what the HeMS before wanted to be told of could not be forgotten");
}

/* Those whose event the Inform has. */
static size_t requests_make(Cpe *cpe, SessionRequest ret[static SESSION_REQUESTS_MAX]) {
    size_t n = 0, n_reports = file_transfers_reports(cpe->files, ret, SESSION_REQUESTS_MAX);

    for (size_t i = 0; i < n_reports; i++)
        if (has_event(&cpe->start, ret[i].kind == SESSION_REQUEST_TRANSFER_COMPLETE
                                       ? EVENT_TRANSFER_COMPLETE
                                       : EVENT_AUTONOMOUS_TRANSFER))
            ret[n++] = ret[i];
    if (n < SESSION_REQUESTS_MAX && has_event(&cpe->start, EVENT_REQUEST_DOWNLOAD))
        n += download_request_get(&cpe->download_request, &ret[n]);
    return n;
}

static int session_open(Cpe *cpe, const char *url) {
    const Config *f = cpe->config.factory;
    SoapEvent events[EVENTS_SENT_MAX];
    SessionRequest requests[SESSION_REQUESTS_MAX];

    if (!cpe->started)
        session_begin(cpe);
    cpe->heard = false;
    for (size_t i = 0; i < cpe->start.n_events; i++)
        events[i] = (SoapEvent){event_code(cpe->start.events[i].type), cpe->start.events[i].command_key};
    SessionConfig config = {
        .url = url,
        .device = {.manufacturer = f->manufacturer,
                   .oui = f->oui,
                   .product_class = f->product_class,
                   .serial_number = f->serial_number},
        .events = events,
        .n_events = cpe->start.n_events,
        .retry_count = cpe->start.retry_count,
        .inform_parameters = inform_paths(cpe),
        .requests = requests,
        .n_requests = requests_make(cpe, requests),
        .version = version_load(cpe, url),
        .services = &cpe->services,
        .model = cpe->model,
    };
    snprintf(cpe->url, sizeof cpe->url, "%s", url);
    return session_new(&cpe->session, &config, clock_now());
}

void cpe_hems(Cpe *cpe, const char *url) {
    if (schedule_url_changed(cpe->schedule, url, clock_now()) && cpe->started && !cpe->session)
        cpe_missed(cpe);
    timers_set(cpe);
}

void cpe_value_changed(Cpe *cpe, bool active) {
    schedule_value_changed(cpe->schedule, active, clock_now());
    timers_set(cpe);
}

/* Inside a tunnel the session goes on at the same interface. -EAFNOSUPPORT: there is no inner address of the
 * family. */
static int target_make(const Cpe *cpe, const char *url, const Address *address, CwmpIoTarget *ret) {
    Address source;

    int r = passage_source(cpe->config.inside, !*cpe->interface, address, &source);
    if (r < 0)
        return r;
    *ret = (CwmpIoTarget){.url = url,
                          .address = *address,
                          .interface = *cpe->interface ? cpe->interface : NULL,
                          .source = source,
                          .username = model_get(cpe->model, "Device.ManagementServer.Username"),
                          .password = model_get(cpe->model, "Device.ManagementServer.Password")};
    return 0;
}

static void redirect_failed(Cpe *cpe, int error, const char *why) {
    char text[ERROR_MAX_BYTES];
    snprintf(text, sizeof text, "redirected to %.300s: %s", cpe->redirect, why);
    cwmp_io_redirect_fail(cpe->io, error, text);
}

static void on_redirect_found(void *userdata, const ResolverAnswer *answer) {
    Cpe *cpe = userdata;
    CwmpIoTarget target;

    if (answer->error < 0) {
        redirect_failed(cpe, answer->error, answer->text);
        return;
    }
    int r = target_make(cpe, cpe->redirect, &answer->addresses.items[0], &target);
    if (r == 0)
        r = cwmp_io_redirect(cpe->io, &target);
    if (r < 0)
        redirect_failed(cpe, r, strerror(-r));
}

/* Asked at the side where the session is. */
static void on_redirected(void *userdata, const char *url) {
    Cpe *cpe = userdata;
    const Passage passage = {.outside = !*cpe->interface, .barred = on_barred, .userdata = cpe};
    const char *why;

    snprintf(cpe->redirect, sizeof cpe->redirect, "%s", url);
    log_info("the HeMS redirects to %s", url);
    int r = passage_ask(&passage, cpe->names, url, on_redirect_found, cpe, &why);
    if (r < 0)
        redirect_failed(cpe, r, why);
}

int cpe_open(Cpe *cpe, const char *url, const Address *address, const char *interface) {
    CwmpIoTarget target;
    Url parsed;

    assert(!cpe->session);
    snprintf(cpe->interface, sizeof cpe->interface, "%s", strempty(interface));
    if (!passage_may_go(url, !interface, &parsed))
        return -EPROTONOSUPPORT;
    int r = target_make(cpe, url, address, &target);
    if (r < 0)
        return r;
    r = session_open(cpe, url);
    if (r == 0)
        r = cwmp_io_open(cpe->io, &target);
    if (r < 0) {
        session_close(cpe);
        return r;
    }
    session_run(cpe);
    return 0;
}

void cpe_abort(Cpe *cpe) {
    session_close(cpe);
    if (cpe->started)
        cpe_missed(cpe);
}

CpeView cpe_view(const Cpe *cpe) {
    return (CpeView){.failures = schedule_failures(cpe->schedule),
                     .waiting = schedule_waiting(cpe->schedule),
                     .due = schedule_deadline(cpe->schedule)};
}

void cpe_inform(Cpe *cpe) {
    schedule_now(cpe->schedule, clock_now());
    timers_set(cpe);
}

const char *cpe_request_download(Cpe *cpe, const char *file_type, const SessionFileArg *args, size_t n) {
    const char *wrong = download_request_set(&cpe->download_request, file_type, args, n);

    if (wrong)
        return wrong;
    int r = schedule_raise(cpe->schedule, EVENT_REQUEST_DOWNLOAD, "", clock_now());
    if (r < 0) /* the next session asks all the same */
        log_warning("%s: %s", event_code(EVENT_REQUEST_DOWNLOAD), strerror(-r));
    timers_set(cpe);
    return NULL;
}

OwnerIo *cpe_owners(const Cpe *cpe) {
    return cpe->owners;
}

int cpe_reset(Cpe *cpe) {
    static const char *const keep[] = {"Device.Services.FAPService.1.FAPControl.EnclosureTamperingDetected"};

    cpe_abort(cpe);
    int r = store_reset(cpe->config.store, keep, ARRAY_SIZE(keep));
    if (r < 0)
        return r;
    file_transfers_reset(cpe->files);
    r = device_reset(cpe->config.device);
    if (r == 0) {
        Schedule *before = TAKE_PTR(cpe->schedule);
        cpe->model = device_model(cpe->config.device);
        r = schedule_open(cpe, model_get(cpe->model, DEVICE_HEMS_URL));
        if (r < 0)
            cpe->schedule = TAKE_PTR(before);
        schedule_free(before);
        reachable_update(cpe->reachable, cpe->model);
        files_update(cpe);
    }
    if (r == 0)
        cpe->started = false;
    else /* without memory; the next start finds the store as it should be */
        log_error("the parameters could not be reset: %s", strerror(-r));
    timers_set(cpe);
    return r;
}

int cpe_new(Cpe **ret, const CpeConfig *config) {
    _cleanup_(cpe_freep) Cpe *cpe = calloc(1, sizeof *cpe);

    if (!cpe)
        return -ENOMEM;
    cpe->config = *config;
    cpe->model = device_model(config->device);
    int r = inform_open(cpe);
    if (r < 0)
        return r;
    r = schedule_open(cpe, model_get(cpe->model, DEVICE_HEMS_URL));
    if (r < 0)
        return r;
    r = cwmp_io_new(&cpe->io, config->event, config->tls);
    if (r < 0)
        return r;
    cwmp_io_on_redirect(cpe->io, on_redirected, cpe);
    r = names_new(&cpe->names, config->event, config->factory, config->inside);
    if (r < 0)
        return r;
    cpe->services = (RpcServices){.download = on_download,
                                  .upload = on_upload,
                                  .schedule_download = on_schedule_download,
                                  .cancel_transfer = on_cancel_transfer,
                                  .visit_transfers = on_visit_transfers,
                                  .schedule_inform = on_schedule_inform,
                                  .reboot = on_reboot,
                                  .userdata = cpe};
    r = owner_io_new(&cpe->owners, &(OwnerIoConfig){.event = config->event,
                                                    .table = &config->factory->owners,
                                                    .verdict = on_verdict,
                                                    .userdata = cpe});
    if (r < 0)
        return r;
    r = login_io_new(&cpe->login, config->event);
    if (r < 0)
        return r;
    r = reachable_new(&cpe->reachable, config->event, config->store, config->rng, on_connection_request, cpe);
    if (r < 0)
        return r;
    r = sd_event_add_time(config->event, &cpe->session_timer, CLOCK_BOOTTIME, UINT64_MAX, 1, on_session_timer,
                          cpe);
    if (r < 0)
        return r;
    r = sd_event_add_time(config->event, &cpe->due_timer, CLOCK_BOOTTIME, UINT64_MAX, 1, on_due, cpe);
    if (r < 0)
        return r;
    r = files_open(cpe);
    if (r < 0)
        return r;
    timers_set(cpe);
    *ret = TAKE_PTR(cpe);
    return 0;
}

void cpe_free(Cpe *cpe) {
    if (!cpe)
        return;
    sd_event_source_disable_unref(cpe->session_timer);
    sd_event_source_disable_unref(cpe->due_timer);
    measurements_free(cpe->measurements);
    file_transfers_free(cpe->files);
    login_io_free(cpe->login);
    owner_io_free(cpe->owners);
    reachable_free(cpe->reachable);
    cwmp_io_free(cpe->io);
    names_free(cpe->names);
    session_free(cpe->session);
    schedule_free(cpe->schedule);
    free(cpe);
}
