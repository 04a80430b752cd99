/* SPDX-License-Identifier: GPL-3.0-or-later */
/* henb-agentd: reads who the box is, then lives until told to stop. */
#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>
#include <sys/stat.h>

#include "base/log.h"
#include "config.h"
#include "key-export-io.h"
#include "life.h"
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

static const char *state_folder(void) {
    const char *directory = getenv("STATE_DIRECTORY");
    return directory && directory[0] ? directory : STATE_DIRECTORY_DEFAULT;
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
    if (config_load(&config, options.config, error) < 0) {
        log_error("%s", error);
        return EX_CONFIG;
    }
    log_set_level(config.log_level);
    /* --check leaves the state alone, where the USIM's numbers are. */
    r = security_new(&security, &config, options.check ? NULL : state_folder(), error);
    if (r < 0) {
        log_error("%s", error);
        return r == -ENOMEM ? EXIT_FAILURE : EX_CONFIG;
    }
    if (options.check) {
        printf("%s: ok, this box is %s\n", options.config, security_credential(security)->identity);
        return EXIT_SUCCESS;
    }
    key_export_begin(state_folder());
    return life_run(options.config, state_folder(), &config, TAKE_PTR(security));
}
