/* SPDX-License-Identifier: GPL-3.0-or-later */
/* henb-agentd: reads who the box is, then hands over to the manager until told to stop. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <sys/stat.h>

#include "base/log-journal-io.h"
#include "base/log.h"
#include "config.h"
#include "key-export-io.h"
#include "manager.h"
#include "security.h"

#define STATE_DIRECTORY_DEFAULT "/var/lib/henb-agent"

static const char usage[] =
    "henb-agentd - brings a Home eNodeB onto the operator's network (3GPP TS 32.593 clause 5.1)\n"
    "\n"
    "Usage: henb-agentd [--config=FILE] [--check]\n"
    "\n"
    "  -c, --config=FILE  factory data, default " CONFIG_FILE_DEFAULT
    "\n"
    "                     (and FILE.d/*.conf)\n"
    "      --check        only check the factory data, certificate and key\n"
    "  -h, --help         this text\n"
    "  -V, --version      the version\n"
    "\n"
    "Exit status: 0 stopped; 69 the kernel lacks XFRM interfaces; 78 the factory data cannot be used;\n"
    "1 any other failure, worth a restart.\n";

typedef struct Options {
    const char *config;
    bool check;
} Options;

/* 0 to go on, 1 when all is said, -EINVAL. */
static int options_parse(int argc, char **argv, Options *ret) {
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"check", no_argument, NULL, 'k'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {}};
    int c;

    *ret = (Options){.config = CONFIG_FILE_DEFAULT};
    while ((c = getopt_long(argc, argv, "c:hV", options, NULL)) >= 0)
        switch (c) {
        case 'c':
            ret->config = optarg;
            break;
        case 'k':
            ret->check = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return 1;
        case 'V':
            puts("henb-agentd " VERSION);
            return 1;
        default:
            return -EINVAL;
        }
    if (optind < argc) {
        fprintf(stderr, "henb-agentd: unexpected argument \"%s\"\n", argv[optind]);
        return -EINVAL;
    }
    return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
    sd_notify(false, "STOPPING=1\nSTATUS=Deleting the tunnel");
    manager_stop(userdata);
    return 0;
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
    sd_notify(false, "RELOADING=1");
    manager_reload(userdata);
    sd_notify(false, "READY=1");
    return 0;
}

static int signals_add(sd_event *event, Manager *manager) {
    static const struct {
        int signal;
        sd_event_signal_handler_t handler;
    } signals[] = {{SIGTERM, on_signal}, {SIGINT, on_signal}, {SIGHUP, on_hangup}};
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(signals) && r >= 0; i++)
        r = sd_event_add_signal(event, NULL, signals[i].signal | SD_EVENT_SIGNAL_PROCMASK, signals[i].handler,
                                manager);
    return r;
}

static const char *state_folder(void) {
    const char *directory = getenv("STATE_DIRECTORY");
    return directory && directory[0] ? directory : STATE_DIRECTORY_DEFAULT;
}

/* What manager_new() could not do, as an exit status: 69 and 78 are not started again. */
static int start_failed(const Config *config, int error) {
    char id[16];

    switch (error) {
    case -EOPNOTSUPP:
        return EX_UNAVAILABLE;
    case -EEXIST:
        config_refuse(config, "Network", "TunnelInterface", config->tunnel_interface,
                      "an interface of this name exists and is not the agent's");
        return EX_CONFIG;
    case -ENOTUNIQ:
        snprintf(id, sizeof id, "%u", config->interface_id);
        config_refuse(config, "Network", "InterfaceId", id, "another XFRM interface has this number");
        return EX_CONFIG;
    }
    log_error("cannot start: %s", strerror(-error));
    return EXIT_FAILURE;
}

/* Runs until stopped. Exit status. */
static int run(const Config *config, Security *security) {
    _cleanup_(sd_event_unrefp) sd_event *event = NULL;
    _cleanup_(manager_freep) Manager *manager = NULL;
    int r = sd_event_default(&event);
    if (r < 0) {
        log_error("event loop: %s", strerror(-r));
        return EXIT_FAILURE;
    }
    r = manager_new(&manager, event, config, security, state_folder());
    if (r < 0)
        return start_failed(config, r);
    r = signals_add(event, manager);
    if (r >= 0)
        r = sd_event_set_watchdog(event, true);
    if (r < 0) {
        log_error("signals and watchdog: %s", strerror(-r));
        return EXIT_FAILURE;
    }
    sd_notify(false, "READY=1");
    manager_start(manager);
    r = sd_event_loop(event);
    if (r < 0)
        log_error("event loop: %s", strerror(-r));
    return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv) {
    _cleanup_(security_freep) Security *security = NULL;
    static Config config;
    char error[ERROR_MAX_BYTES];
    Options options;

    int r = options_parse(argc, argv, &options);
    if (r != 0)
        return r < 0 ? EX_USAGE : EXIT_SUCCESS;
    umask(0077);
    log_journal_use();
    if (config_load(&config, options.config, error) < 0) {
        log_error("%s", error);
        return EX_CONFIG;
    }
    log_set_level(config.log_level);
    /* --check leaves the state alone, where the USIM's numbers are. */
    r = security_new(&security, &config, options.check ? NULL : state_folder());
    if (r < 0)
        return r == -ENOMEM ? EXIT_FAILURE : EX_CONFIG;
    if (options.check) {
        printf("%s: ok, this box is %s\n", options.config, security_credential(security)->identity);
        return EXIT_SUCCESS;
    }
    const char *identity = security_credential(security)->identity;
    log_message(LOG_INFO, MESSAGE_STARTED, &(LogFields){.version = VERSION, .identity = identity},
                "henb-agentd " VERSION " for %s %s %s, IKE identity %s", config.oui, config.product_class,
                config.serial_number, identity);
    key_export_begin(state_folder());
    return run(&config, security);
}
