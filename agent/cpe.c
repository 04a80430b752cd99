/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See cpe.h. */
#include "cpe.h"

#include <stdio.h>
#include <strings.h>

#include "base/log.h"
#include "base/url.h"
#include "clock.h"
#include "cwmp/cwmp-io.h"
#include "cwmp/schedule.h"
#include "cwmp/session.h"
#include "store/store.h"

#define CHANGES_MAX       4096 /* values of one SetParameterValues */
#define META_BOOTSTRAPPED "bootstrapped-url"

struct Cpe {
    CpeConfig config;
    Store *store;
    Model *model;
    Schedule *schedule;
    Session *session;
    CwmpIo *io;
    sd_event_source *session_timer, *due_timer;
    bool expected;
    ScheduleStart start; /* of the session that runs or is tried at one address after another */
    bool started, heard; /* schedule_session_started() was called; the HeMS has said something */
    S1Config set;        /* as left by the SetParameterValues that waits for its HTTP answer */
    unsigned set_topics; /* of it, 0: none waits */
};

/* Store ---------------------------------------------------------------------------------------------------
 */

/* The model's commit: one transaction. */
static int on_commit(void *userdata, const ModelChange *changes, size_t n) {
    Cpe *cpe = userdata;
    _cleanup_free_ StoreChange *stored = calloc(n ?: 1, sizeof *stored);

    if (!stored || n > CHANGES_MAX)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        stored[i] = (StoreChange){changes[i].parameter->path, changes[i].new_value};
    return store_commit(cpe->store, stored, n);
}

static void report(Cpe *cpe, CpeReport r) {
    cpe->config.report(cpe->config.userdata, &r);
}

/* The same place, however it is spelt: case of the host, port left out, no path. */
static bool url_means(const char *a, const char *b) {
    Url x, y;
    if (url_parse(a, &x, NULL) < 0 || url_parse(b, &y, NULL) < 0)
        return false;
    const char *path_a = strchr(strstr(a, "//") + 2, '/'), *path_b = strchr(strstr(b, "//") + 2, '/');
    return x.tls == y.tls && x.port == y.port && strcasecmp(x.host, y.host) == 0 &&
           streq(path_a ? path_a : "/", path_b ? path_b : "/");
}

/* Another HeMS or SeGW than the factory data's is the matter of clauses 5.1.2.3 and 5.1.2.4, which are not
 * built yet: a HeMS that wants to hand the box over is told so instead of being obeyed in appearance. */
static const char *on_veto(void *userdata, const ModelChange *change) {
    const Cpe *cpe = userdata;
    const ConfigPair *factory = &cpe->config.factory->serving;
    bool same = true;

    if (change->parameter->flags & MODEL_TOPIC_GATEWAY)
        same = change->new_value[0] == 0 || strcasecmp(change->new_value, factory->segw) == 0;
    else if (streq(change->parameter->path, "Device.ManagementServer.URL"))
        same = url_means(change->new_value, factory->hems);
    return same ? NULL : "another HeMS or SeGW than the factory data's is not supported by this version";
}

static int on_stored(void *userdata, const char *path, const char *value) {
    int r = model_put(userdata, path, value);
    if (r > 0) { /* of another version's model: nothing that must keep the box from starting */
        log_warning("store: %s does not fit the data model any more (CWMP fault %d) and is ignored", path, r);
        return 0;
    }
    return r;
}

/* What factory data says outranks what was stored: it is what the box is. */
static int factory_put(Model *model, const Config *f) {
    const struct {
        const char *path, *value;
    } values[] = {
        {"Device.DeviceInfo.Manufacturer", f->manufacturer},
        {"Device.DeviceInfo.ManufacturerOUI", f->oui},
        {"Device.DeviceInfo.ProductClass", f->product_class},
        {"Device.DeviceInfo.SerialNumber", f->serial_number},
        {"Device.DeviceInfo.HardwareVersion", f->hardware_version},
        {"Device.DeviceInfo.SoftwareVersion", f->software_version},
        {"Device.ManagementServer.URL", f->serving.hems},
    };

    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        int r = model_put(model, values[i].path, values[i].value);
        if (r != 0) {
            log_error("%s=%s does not fit the data model (CWMP fault %d)", values[i].path, values[i].value,
                      r);
            return r < 0 ? r : -EINVAL;
        }
    }
    return 0;
}

static int model_open(Cpe *cpe) {
    ModelConfig config = {.commit = on_commit, .veto = on_veto, .userdata = cpe};

    int r = model_new(&cpe->model, &config);
    if (r < 0)
        return r;
    r = store_load_parameters(cpe->store, on_stored, cpe->model);
    if (r < 0)
        return r;
    return factory_put(cpe->model, cpe->config.factory);
}

/* Schedule ------------------------------------------------------------------------------------------------
 */

static SchedulePolicy policy_read(const Model *model) {
    return (SchedulePolicy){
        .periodic_enable = model_get_boolean(model, "Device.ManagementServer.PeriodicInformEnable"),
        .periodic_interval = model_get_unsigned(model, "Device.ManagementServer.PeriodicInformInterval"),
        .periodic_time = model_get_time(model, "Device.ManagementServer.PeriodicInformTime"),
        .retry_minimum_wait =
            model_get_unsigned(model, "Device.ManagementServer.CWMPRetryMinimumWaitInterval"),
        .retry_multiplier = model_get_unsigned(model, "Device.ManagementServer.CWMPRetryIntervalMultiplier"),
    };
}

static int schedule_open(Cpe *cpe) {
    ScheduleSnapshot snapshot = {};
    _cleanup_free_ char *url = NULL;
    SchedulePolicy policy = policy_read(cpe->model);

    int r = store_get_meta(cpe->store, META_BOOTSTRAPPED, &url);
    if (r < 0 && r != -ENOENT)
        return r;
    snprintf(snapshot.bootstrapped_url, sizeof snapshot.bootstrapped_url, "%s", strempty(url));
    r = schedule_new(&cpe->schedule, &snapshot, &policy, cpe->config.rng, clock_now());
    if (r < 0)
        return r;
    schedule_boot(cpe->schedule, cpe->config.factory->serving.hems, clock_now());
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

bool cpe_is_due(const Cpe *cpe) {
    return !cpe->session && schedule_deadline(cpe->schedule) <= clock_now().mono;
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

/* Session -------------------------------------------------------------------------------------------------
 */

static void session_close(Cpe *cpe) {
    cwmp_io_close(cpe->io);
    session_free(TAKE_PTR(cpe->session));
    cpe->set_topics = 0;
}

static void on_delivered(Cpe *cpe) {
    ScheduleSnapshot snapshot;

    if (schedule_delivered(cpe->schedule)) {
        schedule_snapshot(cpe->schedule, &snapshot);
        /* If this is lost, the HeMS gets 0 BOOTSTRAP once more. */
        if (store_set_meta(cpe->store, META_BOOTSTRAPPED, snapshot.bootstrapped_url) < 0)
            log_warning("the HeMS's acceptance of 0 BOOTSTRAP could not be stored");
    }
    report(cpe, (CpeReport){.type = CPE_ACCEPTED});
}

static void on_ended(Cpe *cpe, const SessionAction *action) {
    char text[ERROR_MAX_BYTES];
    bool failed = action->error < 0;
    S1Config s1;

    snprintf(text, sizeof text, "TR-069 session: %s", strempty(action->text));
    usec_t retry_after = action->retry_after;
    session_close(cpe);
    if (failed && !cpe->heard) {
        report(cpe, (CpeReport){.type = CPE_UNREACHED, .text = text, .silent = action->error == -ETIMEDOUT});
        return;
    }
    if (failed)
        session_failed(cpe, retry_after);
    else {
        schedule_session_ended(cpe->schedule, clock_now());
        cpe->started = false;
        log_info("TR-069 session ended");
    }
    cpe_s1(cpe, &s1);
    report(cpe, (CpeReport){.type = CPE_ENDED, .text = failed ? text : NULL, .s1 = &s1});
}

static void on_response(void *userdata, const SessionResponse *response);

static void on_changed(Cpe *cpe, const ModelOutcome *outcome) {
    SchedulePolicy policy;

    cpe->set_topics = outcome->topics_set & (MODEL_TOPIC_MME | MODEL_TOPIC_S1);
    if (cpe->set_topics) /* now: the HTTP answer may bring the next set */
        cpe_s1(cpe, &cpe->set);
    if (outcome->topics_changed & (MODEL_TOPIC_PERIODIC | MODEL_TOPIC_RETRY)) {
        policy = policy_read(cpe->model);
        schedule_set_policy(cpe->schedule, &policy, clock_now());
    }
}

static void on_answered(Cpe *cpe) {
    bool mme_set = cpe->set_topics & MODEL_TOPIC_MME;

    if (!cpe->set_topics)
        return;
    cpe->set_topics = 0;
    report(cpe, (CpeReport){.type = CPE_ANSWERED, .s1 = &cpe->set, .mme_set = mme_set});
}

/* Performs what the session asks for until it asks for nothing more. A report may end the session. */
static void session_run(Cpe *cpe) {
    SessionAction action;

    while (cpe->session && session_next(cpe->session, &action))
        switch (action.kind) {
        case SESSION_POST: {
            int r = cwmp_io_post(cpe->io, action.body, action.size, on_response, cpe);
            if (r < 0) {
                SessionResponse failed = {.error = r, .error_text = strerror(-r), .content_type = ""};
                session_input(cpe->session, clock_now(), &failed);
            }
            break;
        }
        case SESSION_ACCEPTED:
            on_delivered(cpe);
            break;
        case SESSION_CHANGED:
            on_changed(cpe, &action.outcome);
            break;
        case SESSION_ANSWERED:
            on_answered(cpe);
            break;
        case SESSION_ENDED:
            on_ended(cpe, &action);
            break;
        }
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

static int session_open(Cpe *cpe, const char *url) {
    const Config *f = cpe->config.factory;
    SoapEvent events[EVENTS_];

    if (!cpe->started)
        schedule_session_started(cpe->schedule, &cpe->start);
    cpe->started = true;
    cpe->heard = false;
    for (size_t i = 0; i < cpe->start.n_events; i++)
        events[i] = (SoapEvent){.code = schedule_event_code(cpe->start.events[i]), .command_key = ""};
    SessionConfig config = {
        .url = url,
        .device = {.manufacturer = f->manufacturer,
                   .oui = f->oui,
                   .product_class = f->product_class,
                   .serial_number = f->serial_number},
        .events = events,
        .n_events = cpe->start.n_events,
        .retry_count = cpe->start.retry_count,
        .model = cpe->model,
    };
    return session_new(&cpe->session, &config, clock_now());
}

int cpe_open(Cpe *cpe, const char *url, const Address *address, const char *interface,
             const Address *source) {
    CwmpIoTarget target = {.url = url, .address = *address, .interface = interface, .source = *source};

    assert(!cpe->session);
    int r = session_open(cpe, url);
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

void cpe_s1(const Cpe *cpe, S1Config *ret) {
    model_s1(cpe->model, ret);
}

int cpe_new(Cpe **ret, const CpeConfig *config) {
    _cleanup_(cpe_freep) Cpe *cpe = calloc(1, sizeof *cpe);

    if (!cpe)
        return -ENOMEM;
    cpe->config = *config;
    int r = store_open(&cpe->store, config->store);
    if (r < 0)
        return r;
    r = model_open(cpe);
    if (r < 0)
        return r;
    r = schedule_open(cpe);
    if (r < 0)
        return r;
    r = cwmp_io_new(&cpe->io, config->event, NULL);
    if (r < 0)
        return r;
    r = sd_event_add_time(config->event, &cpe->session_timer, CLOCK_BOOTTIME, UINT64_MAX, 1, on_session_timer,
                          cpe);
    if (r < 0)
        return r;
    r = sd_event_add_time(config->event, &cpe->due_timer, CLOCK_BOOTTIME, UINT64_MAX, 1, on_due, cpe);
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
    cwmp_io_free(cpe->io);
    session_free(cpe->session);
    schedule_free(cpe->schedule);
    model_free(cpe->model);
    store_close(cpe->store);
    free(cpe);
}
