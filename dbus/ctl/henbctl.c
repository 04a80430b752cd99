/* SPDX-License-Identifier: GPL-3.0-or-later */
/* henbctl: looks at the agent and tells it what to do, all over D-Bus, so that looking needs no privileges.
 * One table of verbs. */
#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/macro.h"
#include "clock.h"
#include "config.h"
#include "dbus/ctl/agent-io.h"
#include "dbus/ctl/follow-io.h"
#include "dbus/ctl/status-text.h"
#include "dbus/ctl/style-io.h"
#include "dbus/ctl/timeline-view.h"

#define ERROR_REFUSED AGENT_INTERFACE ".Error.Refused"
#define EXIT_ABSENT   3 /* of a unit that does not run, after LSB and systemctl */
/* polkit may ask for a password, for two minutes. */
#define ACT_TIMEOUT (150 * USEC_PER_SEC)
/* And a session that runs is waited for. */
#define DEREGISTER_TIMEOUT (10 * 60 * USEC_PER_SEC)
#define JSON_LINE          (JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE)
#define JSON_TREE          (JSON_C_TO_STRING_PRETTY | JSON_LINE)

typedef struct Ctl {
    sd_bus *bus;
    sd_bus_error error;
    Style style;
    bool json, svg, names;
    usec_t timeout;
    char **arguments; /* of the verb, NULL last */
    Moment now;
} Ctl;

static void json_print(json_object *o, int flags) {
    style_print_json(stdout, json_object_to_json_string_ext(o, flags));
    putchar('\n');
}

/* Says what went wrong, where it is looked for. Exit status. */
static int failed(Ctl *ctl, int r) {
    bool absent = agent_is_absent(&ctl->error);
    const char *text = absent                               ? "the agent is not running"
                       : ctl->error.message                 ? ctl->error.message
                       : r == -ENOTCONN || r == -ECONNRESET ? "the bus has closed the connection"
                                                            : strerror(-r);

    if (ctl->json) {
        _cleanup_(json_object_putp) json_object *o = json_object_new_object();
        json_object_object_add(o, "error", json_object_new_string(ctl->error.name ?: ""));
        json_object_object_add(o, "message", json_object_new_string(text));
        json_print(o, JSON_LINE);
    }
    fprintf(stderr, "henbctl: ");
    style_print(stderr, &ctl->style, text);
    fputc('\n', stderr);
    return absent ? EXIT_ABSENT : EXIT_FAILURE;
}

/* Looking --------------------------------------------------------------------------------------------- */

typedef void (*TreePrinter)(FILE *out, const Style *style, Moment now, const json_object *tree);

static int tree_show(Ctl *ctl, TreePrinter print, json_object *tree, json_object *json) {
    if (ctl->json)
        json_print(json, JSON_TREE);
    else
        print(stdout, &ctl->style, ctl->now, tree);
    return EXIT_SUCCESS;
}

/* *part*: of the tree, for JSON. */
static int look(Ctl *ctl, TreePrinter print, const char *part) {
    _cleanup_(json_object_putp) json_object *tree = NULL;
    int r = agent_read_all(ctl->bus, &tree, &ctl->error);

    return r < 0 ? failed(ctl, r) : tree_show(ctl, print, tree, tree_child(tree, part));
}

static int verb_status(Ctl *ctl) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_(json_object_putp) json_object *tree = NULL;
    json_object *steps = NULL;
    int r = agent_read_all(ctl->bus, &tree, &ctl->error);

    if (r < 0) {
        r = failed(ctl, r);
        if (r == EXIT_ABSENT && !ctl->json)
            status_print_absent(stdout, &ctl->style);
        return r;
    }
    if (agent_read_timeline(ctl->bus, &steps, &error) >= 0) /* an older agent has none */
        json_object_object_add(tree, "timeline", steps);
    return tree_show(ctl, status_print, tree, tree);
}

static int verb_tunnels(Ctl *ctl) {
    return look(ctl, tunnels_print, "tunnels");
}

static int verb_session(Ctl *ctl) {
    return look(ctl, session_print, "session");
}

static int verb_timeline(Ctl *ctl) {
    _cleanup_(json_object_putp) json_object *steps = NULL;
    int r = agent_read_timeline(ctl->bus, &steps, &ctl->error);

    if (r < 0)
        return failed(ctl, r);
    if (ctl->json)
        json_print(steps, JSON_TREE);
    else if (ctl->svg)
        timeline_print_svg(stdout, ctl->now.mono, steps);
    else
        timeline_print(stdout, &ctl->style, ctl->now.mono, steps);
    return EXIT_SUCCESS;
}

/* The bus says this in its own words, which name its rules. */
static int parameters_failed(Ctl *ctl, int r) {
    if (sd_bus_error_has_name(&ctl->error, SD_BUS_ERROR_ACCESS_DENIED)) {
        sd_bus_error_free(&ctl->error);
        sd_bus_error_set_const(&ctl->error, SD_BUS_ERROR_ACCESS_DENIED,
                               "the data model is for root and the group henb");
    }
    return failed(ctl, r);
}

static int parameters(Ctl *ctl, char **names) {
    _cleanup_(json_object_putp) json_object *tree = NULL;
    int r = agent_read_parameters(ctl->bus, names, &tree, &ctl->error);

    if (r < 0)
        return parameters_failed(ctl, r);
    if (ctl->json)
        json_print(tree, JSON_TREE);
    else
        parameters_print(stdout, &ctl->style, tree, ctl->names);
    return EXIT_SUCCESS;
}

static int verb_get(Ctl *ctl) {
    return parameters(ctl, ctl->arguments);
}

static int verb_list(Ctl *ctl) {
    char *all[] = {(char[]){"Device."}, NULL};
    return parameters(ctl, ctl->arguments[0] ? ctl->arguments : all);
}

static int verb_monitor(Ctl *ctl) {
    int r = follow_changes(ctl->bus, &ctl->style, ctl->json);
    return failed(ctl, r);
}

/* Acting ---------------------------------------------------------------------------------------------- */

static int done(const Ctl *ctl) {
    if (ctl->json)
        puts("{ \"done\": true }");
    return EXIT_SUCCESS;
}

static int act(Ctl *ctl, const char *method, usec_t timeout) {
    int r = agent_call(ctl->bus, method, timeout, &ctl->error);
    return r < 0 ? failed(ctl, r) : done(ctl);
}

/* Becomes the owner of the parameter, for as long as this program runs. */
static int owner_become(Ctl *ctl, const OwnerTable *owners, const char *assignment) {
    _cleanup_free_ char *name = strndup(assignment, strcspn(assignment, "="));
    const OwnerRow *row = name ? owner_table_find(owners, name) : NULL;

    if (!name)
        return -ENOMEM;
    if (!row)
        return sd_bus_error_setf(&ctl->error, ERROR_REFUSED,
                                 "%s: it belongs to nobody on this box (agent.conf, [Owners]), so that only "
                                 "the HeMS or the agent itself sets it",
                                 name);
    int r = agent_own(ctl->bus, row->name);
    if (r == -EEXIST)
        return sd_bus_error_setf(&ctl->error, ERROR_REFUSED,
                                 "%s: it belongs to %s, which runs and reports it itself", name, row->name);
    if (r == -EACCES || r == -EPERM)
        return sd_bus_error_setf(&ctl->error, SD_BUS_ERROR_ACCESS_DENIED,
                                 "%s: it belongs to %s, and the bus does not let you have that name", name,
                                 row->name);
    return r;
}

static int verb_set(Ctl *ctl) {
    OwnerTable owners;

    for (char **a = ctl->arguments; *a; a++)
        if (**a == '=' || !strchr(*a, '=')) {
            fprintf(stderr, "henbctl: set wants NAME=VALUE\n");
            return EX_USAGE;
        }
    int r = agent_read_owners(ctl->bus, &owners, &ctl->error);
    for (char **a = ctl->arguments; *a && r >= 0; a++)
        r = owner_become(ctl, &owners, *a);
    if (r < 0)
        return failed(ctl, r);
    r = agent_report(ctl->bus, ctl->arguments, &ctl->error);
    return r < 0 ? parameters_failed(ctl, r) : done(ctl);
}

static int verb_inform(Ctl *ctl) {
    return act(ctl, "Inform", ACT_TIMEOUT);
}

static int verb_reconnect(Ctl *ctl) {
    return act(ctl, "Reconnect", ACT_TIMEOUT);
}

static int verb_reload(Ctl *ctl) {
    return act(ctl, "Reload", ACT_TIMEOUT);
}

static int verb_deregister(Ctl *ctl) {
    return act(ctl, "Deregister", DEREGISTER_TIMEOUT);
}

static int verb_clear_deregistration(Ctl *ctl) {
    return act(ctl, "ClearDeregistration", ACT_TIMEOUT);
}

static int verb_wait(Ctl *ctl) {
    int r = follow_until_registered(ctl->bus, ctl->timeout);

    if (r == -ETIME)
        sd_bus_error_set_const(&ctl->error, SD_BUS_ERROR_TIMEOUT, "not registered in time");
    return r < 0 ? failed(ctl, r) : done(ctl);
}

static int verb_check_config(Ctl *ctl) {
    static Config config;
    const char *file = ctl->arguments[0] ?: CONFIG_FILE_DEFAULT;
    char error[ERROR_MAX_BYTES];
    int r = config_check(&config, file, error);

    if (r < 0) {
        sd_bus_error_set(&ctl->error, "org.freedesktop.DBus.Error.InvalidFileContent", error);
        return failed(ctl, r);
    }
    if (!ctl->json)
        printf("%s: ok\n", file);
    return done(ctl);
}

/* Verbs ----------------------------------------------------------------------------------------------- */

enum {
    OFFLINE = 1 << 0, /* needs no bus */
    SVG = 1 << 1,     /* takes --svg */
    NAMES = 1 << 2,   /* and so on */
    TIMEOUT = 1 << 3,
};

static const struct {
    const char *name, *arguments, *help;
    unsigned min, max;
    int (*run)(Ctl *ctl);
    unsigned flags;
} verbs[] = {
    {"status", "", "What the box is and where it stands (default)", 0, 0, verb_status},
    {"timeline", "", "The last registration, step by step", 0, 0, verb_timeline, SVG},
    {"monitor", "", "What changes, as it comes", 0, 0, verb_monitor},
    {"tunnels", "", "The IPsec tunnels", 0, 0, verb_tunnels},
    {"session", "", "The TR-069 sessions", 0, 0, verb_session},
    {"get", " NAME...", "Parameters of the data model", 1, 64, verb_get, NAMES},
    {"list", " [PATH...]", "All parameters below paths", 0, 64, verb_list, NAMES},
    {"set", " NAME=VALUE...", "Report parameters as their owner", 1, 64, verb_set},
    {"inform", "", "Start a TR-069 session now", 0, 0, verb_inform},
    {"reconnect", "", "Build the tunnel anew", 0, 0, verb_reconnect},
    {"reload", "", "Read agent.conf, certificates, key and revocation lists anew", 0, 0, verb_reload},
    {"deregister", "", "Take the box out of the operator's service", 0, 0, verb_deregister},
    {"clear-deregistration", "", "Let it register again", 0, 0, verb_clear_deregistration},
    {"wait", "", "Wait until the box is registered", 0, 0, verb_wait, TIMEOUT},
    {"check-config", " [FILE]", "Check agent.conf and its drop-ins", 0, 1, verb_check_config, OFFLINE},
};

static void help(void) {
    puts(
        "henbctl - looks at the HeNB agent and tells it what to do\n\n"
        "Usage: henbctl [OPTIONS...] VERB\n");
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        printf("  %s%-*s %s\n", verbs[i].name, (int)(24 - strlen(verbs[i].name)), verbs[i].arguments,
               verbs[i].help);
    puts(
        "\n"
        "  -j, --json               Print JSON\n"
        "      --svg                timeline: a picture\n"
        "      --names              get, list: only the names\n"
        "      --timeout=SECONDS    wait: no longer than this\n"
        "  -h, --help               This text\n"
        "  -V, --version            The version\n\n"
        "Exit status: 0 done; 3 the agent is not running; 64 a wrong command line; 1 any other failure.");
}

/* 0 or -EINVAL. */
static int timeout_parse(const char *text, usec_t *ret) {
    char *end;

    errno = 0;
    unsigned long seconds = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || seconds > UINT32_MAX) {
        fprintf(stderr, "henbctl: --timeout=%s is no number of seconds\n", text);
        return -EINVAL;
    }
    *ret = seconds * USEC_PER_SEC;
    return 0;
}

/* 0 to go on, 1 when all is said, -EINVAL. */
static int options_parse(Ctl *ctl, int argc, char **argv) {
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"svg", no_argument, NULL, 's'},
        {"names", no_argument, NULL, 'n'},
        {"timeout", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {},
    };
    int c;

    while ((c = getopt_long(argc, argv, "jhV", options, NULL)) >= 0)
        switch (c) {
        case 'j':
            ctl->json = true;
            break;
        case 's':
            ctl->svg = true;
            break;
        case 'n':
            ctl->names = true;
            break;
        case 't':
            if (timeout_parse(optarg, &ctl->timeout) < 0)
                return -EINVAL;
            break;
        case 'h':
            help();
            return 1;
        case 'V':
            puts("henbctl " VERSION);
            return 1;
        default:
            return -EINVAL;
        }
    return 0;
}

/* Says which option the verb cannot do anything with. 0 or -EINVAL. */
static int options_check(const Ctl *ctl, const char *verb, unsigned flags) {
    const struct {
        bool given;
        unsigned flag;
        const char *name;
    } given[] = {{ctl->svg, SVG, "svg"},
                 {ctl->names, NAMES, "names"},
                 {ctl->timeout != USEC_NEVER, TIMEOUT, "timeout"}};

    for (size_t i = 0; i < ARRAY_SIZE(given); i++)
        if (given[i].given && !(flags & given[i].flag)) {
            fprintf(stderr, "henbctl: %s takes no --%s\n", verb, given[i].name);
            return -EINVAL;
        }
    if (ctl->json && (ctl->svg || ctl->names)) {
        fprintf(stderr, "henbctl: --json does not go with --%s\n", ctl->svg ? "svg" : "names");
        return -EINVAL;
    }
    return 0;
}

/* Exit status. */
static int verb_run(Ctl *ctl, const char *name, unsigned n) {
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        if (!streq(verbs[i].name, name))
            continue;
        if (n < verbs[i].min || n > verbs[i].max) {
            fprintf(stderr, "Usage: henbctl %s%s\n", name, verbs[i].arguments);
            return EX_USAGE;
        }
        if (options_check(ctl, name, verbs[i].flags) < 0)
            return EX_USAGE;
        int r = verbs[i].flags & OFFLINE ? 0 : sd_bus_open_system(&ctl->bus);
        if (r < 0) {
            sd_bus_error_setf(&ctl->error, SD_BUS_ERROR_DISCONNECTED, "no system bus: %s", strerror(-r));
            return failed(ctl, r);
        }
        return verbs[i].run(ctl);
    }
    fprintf(stderr, "henbctl: there is no \"%s\"; see henbctl --help\n", name);
    return EX_USAGE;
}

/* Exit status. */
static int run(int argc, char **argv) {
    char *none[] = {NULL};
    Ctl ctl = {.timeout = USEC_NEVER, .now = clock_now()};
    int r = options_parse(&ctl, argc, argv);

    if (r != 0)
        return r < 0 ? EX_USAGE : EXIT_SUCCESS;
    style_detect(&ctl.style);
    bool verb = optind < argc;
    ctl.arguments = verb ? argv + optind + 1 : none;
    r = verb_run(&ctl, verb ? argv[optind] : "status", verb ? (unsigned)(argc - optind - 1) : 0);
    sd_bus_error_free(&ctl.error);
    sd_bus_flush_close_unref(ctl.bus);
    return r;
}

int main(int argc, char **argv) {
    int r = run(argc, argv);

    if (fflush(stdout) == 0 && !ferror(stdout))
        return r;
    fprintf(stderr, "henbctl: standard output: %s\n", strerror(errno));
    return r ?: EXIT_FAILURE;
}
