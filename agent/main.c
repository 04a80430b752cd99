/* SPDX-License-Identifier: GPL-3.0-or-later */
/* henb-agentd: reads who the box is, then hands over to the manager until told to stop. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <sys/stat.h>

#include "base/log.h"
#include "config.h"
#include "manager.h"

#define STATE_DIRECTORY_DEFAULT "/var/lib/henb-agent"
#define PEM_MAX                 (256 * 1024)

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

/* One line about a value of agent.conf that cannot be used, as for what config_load() refuses. */
static void value_refused(const Config *config, const char *section, const char *key, const char *value,
                          const char *error) {
    log_error("%s%s: %s", config_origin(config, section, key), value, error);
}

/* Reads the whole PEM file *path*, the value of *key*. 0 or negative errno, logged. */
static int file_read(const Config *config, const char *key, const char *path, uint8_t **ret,
                     size_t *ret_size) {
    FILE *f = fopen(path, "re");
    uint8_t *data = f ? malloc(PEM_MAX) : NULL;
    int r = f && !data ? -ENOMEM : -errno;

    if (data) {
        setvbuf(f, NULL, _IONBF, 0); /* no second copy of a private key */
        size_t n = fread(data, 1, PEM_MAX, f);
        r = ferror(f) ? -EIO : n == PEM_MAX ? -EFBIG : 0;
        if (r == 0) {
            *ret_size = n;
            *ret = TAKE_PTR(data);
        }
        free(data);
    }
    if (f)
        fclose(f);
    if (r < 0)
        value_refused(config, "Trust", key, path, strerror(-r));
    return r;
}

static int trust_read(const Config *config, TrustStore **ret) {
    _cleanup_free_ uint8_t *pem = NULL;
    char error[ERROR_MAX_BYTES];
    size_t size;

    int r = file_read(config, "CA", config->ca, &pem, &size);
    if (r < 0)
        return r;
    r = trust_store_load(ret, pem, size, error);
    if (r < 0)
        value_refused(config, "Trust", "CA", config->ca, r == -EINVAL ? error : strerror(-r));
    return r;
}

static int credential_read(const Config *config, Credential **ret) {
    _cleanup_free_ uint8_t *certificate = NULL, *key = NULL;
    size_t certificate_size, key_size;
    char error[ERROR_MAX_BYTES];

    int r = file_read(config, "Certificate", config->certificate, &certificate, &certificate_size);
    if (r < 0)
        return r;
    r = file_read(config, "Key", config->key, &key, &key_size);
    if (r < 0)
        return r;
    r = credential_load(ret, certificate, certificate_size, key, key_size, error);
    explicit_bzero(key, key_size);
    if (r == -EKEYREJECTED)
        value_refused(config, "Trust", "Key", config->key, error);
    else if (r < 0)
        value_refused(config, "Trust", "Certificate", config->certificate,
                      r == -EINVAL ? error : strerror(-r));
    return r;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
    sd_notify(false, "STOPPING=1\nSTATUS=Deleting the tunnel");
    manager_stop(userdata);
    return 0;
}

static int signals_add(sd_event *event, Manager *manager) {
    static const int signals[] = {SIGTERM, SIGINT};
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(signals) && r >= 0; i++)
        r = sd_event_add_signal(event, NULL, signals[i] | SD_EVENT_SIGNAL_PROCMASK, on_signal, manager);
    return r;
}

static const char *store_path(char buf[static PATH_MAX]) {
    const char *directory = getenv("STATE_DIRECTORY");
    snprintf(buf, PATH_MAX, "%s/state.db", directory && directory[0] ? directory : STATE_DIRECTORY_DEFAULT);
    return buf;
}

/* What manager_new() could not do, as an exit status: 69 and 78 are not started again. */
static int start_failed(const Config *config, int error) {
    char id[16];

    switch (error) {
    case -EOPNOTSUPP:
        return EX_UNAVAILABLE;
    case -EEXIST:
        value_refused(config, "Network", "TunnelInterface", config->tunnel_interface,
                      "an interface of this name exists and is not the agent's");
        return EX_CONFIG;
    case -ENOTUNIQ:
        snprintf(id, sizeof id, "%u", config->interface_id);
        value_refused(config, "Network", "InterfaceId", id, "another XFRM interface has this number");
        return EX_CONFIG;
    }
    log_error("cannot start: %s", strerror(-error));
    return EXIT_FAILURE;
}

/* Runs until stopped. Exit status. */
static int run(const Config *config, const TrustStore *trust, const Credential *credential) {
    _cleanup_(sd_event_unrefp) sd_event *event = NULL;
    _cleanup_(manager_freep) Manager *manager = NULL;

    int r = sd_event_default(&event);
    if (r < 0) {
        log_error("event loop: %s", strerror(-r));
        return EXIT_FAILURE;
    }
    r = manager_new(&manager, event, config, trust, credential, store_path((char[PATH_MAX]){0}));
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
    _cleanup_(trust_store_freep) TrustStore *trust = NULL;
    _cleanup_(credential_freep) Credential *credential = NULL;
    static Config config;
    char error[ERROR_MAX_BYTES];
    Options options;

    int r = options_parse(argc, argv, &options);
    if (r != 0)
        return r < 0 ? EX_USAGE : EXIT_SUCCESS;
    umask(0077);
    if (config_load(&config, options.config, error) < 0) {
        log_error("%s", error);
        return EX_CONFIG;
    }
    log_set_level(config.log_level);
    r = trust_read(&config, &trust);
    if (r == 0)
        r = credential_read(&config, &credential);
    if (r < 0)
        return r == -ENOMEM ? EXIT_FAILURE : EX_CONFIG;
    if (options.check) {
        printf("%s: ok, this box is %s\n", options.config, credential->identity);
        return EXIT_SUCCESS;
    }
    log_info("henb-agentd " VERSION " for %s %s %s, IKE identity %s", config.oui, config.product_class,
             config.serial_number, credential->identity);
    return run(&config, trust, credential);
}
