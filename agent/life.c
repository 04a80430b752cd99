/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See life.h. */
#include "life.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "base/log-journal-io.h"
#include "base/log.h"
#include "clock.h"
#include "manager.h"
#include "reload.h"

typedef struct Life {
    const char *path, *state;
    Config *config, *spare; /* *spare*: of the last reload, or of before */
    Security *security;
    sd_event *event;
    Manager *manager;
    bool stopping;
    bool again; /* this manager makes way for one with *spare* */
} Life;

/* Reload ---------------------------------------------------------------------------------------------- */

/* From 253 on systemd wants to know since when. */
static void notify_reloading(void) {
    sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_read(CLOCK_MONOTONIC));
}

/* *error*: why not, when that is negative. */
static int reload_try(Life *l, char *error) {
    Reloaded done;

    notify_reloading();
    int r = reload(l->path, l->config, l->security, l->spare, &done, error);
    if (r < 0)
        log_message(LOG_ERR, MESSAGE_RELOAD_REFUSED, &(LogFields){.error = error},
                    "reload refused, nothing has changed: %s", error);
    else if (done.restart)
        l->again = true; /* READY=1 comes with what begins again: systemd waits for it */
    else
        manager_reloaded(l->manager, done.log_level, done.credentials);
    if (!l->again)
        sd_notify(false, "READY=1");
    return r;
}

/* *request* NULL: it was a signal. */
static void on_reload(void *userdata, BusRequest *request) {
    Life *l = userdata;
    char error[ERROR_MAX_BYTES];
    const bool leaving = l->stopping || l->again;
    int r = leaving ? error_line(error, "the agent is stopping%s", l->again ? ", to begin again" : "")
                    : reload_try(l, error);

    if (request) /* before the bus is left */
        bus_request_done(request, r < 0 ? error : NULL);
    else if (leaving)
        log_notice("reload: %s", error);
    if (l->again && !leaving) {
        manager_stop(l->manager);
        sd_notify(false, "STATUS=Restarting with the new configuration");
    }
}

/* Signals --------------------------------------------------------------------------------------------- */

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
    Life *l = userdata;

    l->stopping = true;
    l->again = false;
    sd_notify(false, "STOPPING=1\nSTATUS=Deleting the tunnel");
    manager_stop(l->manager);
    return 0;
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
    on_reload(userdata, NULL);
    return 0;
}

static const struct {
    int signal;
    sd_event_signal_handler_t handler;
} signals[] = {{SIGTERM, on_stop}, {SIGINT, on_stop}, {SIGHUP, on_hangup}};

/* For good: what comes between two managers waits for the second. */
static void signals_block(void) {
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        sigaddset(&set, signals[i].signal);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static int signals_add(Life *l) {
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(signals) && r >= 0; i++)
        r = sd_event_add_signal(l->event, NULL, signals[i].signal, signals[i].handler, l);
    return r;
}

/* One manager ----------------------------------------------------------------------------------------- */

/* What manager_new() could not do, as an exit status. */
static int start_failed(const Config *config, int error) {
    char id[16], text[ERROR_MAX_BYTES];

    switch (error) {
    case -EOPNOTSUPP:
        return EX_UNAVAILABLE;
    case -EEXIST:
        config_refuse(config, "Network", "TunnelInterface", config->tunnel_interface,
                      "an interface of this name exists and is not the agent's", text);
        log_error("%s", text);
        return EX_CONFIG;
    case -ENOTUNIQ:
        snprintf(id, sizeof id, "%u", config->interface_id);
        config_refuse(config, "Network", "InterfaceId", id, "another XFRM interface has this number", text);
        log_error("%s", text);
        return EX_CONFIG;
    }
    log_error("cannot start: %s", strerror(-error));
    return EXIT_FAILURE;
}

static int manager_make(Life *l) {
    const ManagerReload wanted = {.wanted = on_reload, .userdata = l};
    int r = sd_event_new(&l->event);

    if (r < 0) {
        log_error("event loop: %s", strerror(-r));
        return EXIT_FAILURE;
    }
    r = manager_new(&l->manager, l->event, l->config, l->security, l->state, &wanted);
    if (r < 0)
        return start_failed(l->config, r);
    r = signals_add(l);
    if (r >= 0)
        r = sd_event_set_watchdog(l->event, true);
    if (r < 0) {
        log_error("signals and watchdog: %s", strerror(-r));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

static void end(Life *l) {
    manager_free(l->manager);
    l->manager = NULL;
    l->event = sd_event_unref(l->event);
}

static void tell_start(const Life *l) {
    const char *identity = security_credential(l->security)->identity;
    const Config *c = l->config;

    log_message(LOG_INFO, MESSAGE_STARTED, &(LogFields){.version = VERSION, .identity = identity},
                "henb-agentd " VERSION " for %s %s %s, IKE identity %s", c->oui, c->product_class,
                c->serial_number, identity);
}

/* Exit status; without success nothing of it is left. */
static int begin(Life *l) {
    int status = manager_make(l);

    if (status == EXIT_SUCCESS) {
        log_journal_use();
        tell_start(l);
        sd_notify(false, "READY=1");
        manager_start(l->manager);
    } else {
        end(l);
    }
    return status;
}

/* With the other configuration. */
static int begin_with_spare(Life *l) {
    Config *former = l->config;
    char error[ERROR_MAX_BYTES];

    security_free(l->security);
    l->security = NULL;
    l->config = l->spare;
    l->spare = former;
    if (l->config->log_level != former->log_level)
        log_set_level(l->config->log_level);
    int r = security_new(&l->security, l->config, l->state, error);
    if (r == 0)
        return begin(l);
    log_error("%s", error);
    return r == -ENOMEM ? EXIT_FAILURE : EX_CONFIG;
}

static int begin_again(Life *l) {
    int status;

    l->again = false;
    status = begin_with_spare(l);
    if (status == EXIT_SUCCESS)
        return status;
    log_error("the new configuration cannot be used after all: the agent goes on with the previous one");
    return begin_with_spare(l);
}

/* ----------------------------------------------------------------------------------------------------- */

int life_run(const char *path, const char *state, Config *config, Security *security) {
    Life l = {.path = path, .state = state, .config = config, .security = security};
    _cleanup_free_ Config *other = calloc(1, sizeof *other);

    l.spare = other;
    signals_block();
    int status = other ? begin(&l) : EXIT_FAILURE;
    while (status == EXIT_SUCCESS) {
        int r = sd_event_loop(l.event);
        if (r < 0)
            log_error("event loop: %s", strerror(-r));
        end(&l);
        status = r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        if (r != 0 || !l.again)
            break;
        status = begin_again(&l);
    }
    security_free(l.security);
    return status;
}
