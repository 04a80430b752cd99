/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Drives the agent's CPE (agent/cpe.h) against a HeMS without a tunnel around it, for test_cpe.py.
 *
 *     cpe-driver [-ift] [-s VERSION] [-p PATH=VALUE]... [-r PATH=VALUE]... [-l PATH=VALUE]... [-n PATHS]
 *                [-b HOST] [-a WORD] [-d TYPE] URL ADDRESS,... STORE WORD COUNT
 *
 * The factory data have URL as the serving HeMS, with -i as the initial one, behind segw.operator.example.
 * Its host, and that of any other HeMS, is at these addresses; nothing is bound to an interface. A session
 * starts whenever the schedule says so, with the HeMS that was assigned, if there is one, with -f with URL
 * all the same. Each report is a line on standard output, S1 stands for "ENTRY,... PORT MODE ADMINSTATE":
 *
 *     REPORTED LOCATION    after all of -r: "here" or "nowhere"; "REPORTED PATH: WHY" for one not taken
 *     DUE MILLISECONDS     since the last session's end, or since the start
 *     UNREACHED TEXT       then the next address is tried
 *     ACCEPTED
 *     ANSWERED S1          "ANSWERED S1 without MMEs" if those were not set
 *     ENDED S1             well
 *     FAILED S1 TEXT
 *     ASSIGNED URL SEGW,... behind both, if any was
 *     RESET                behind ENDED: the HeMS has taken a FactoryResetResponse, and it was carried out
 *
 * It ends with the COUNTth report WORD, as the daemon ends: in the middle of a session, if that is where it
 * is. -a aborts the session at the first report WORD, as a lost tunnel does. -p is in the store before the
 * start, -r is reported after it, the nth -l after the nth good session, -s is SoftwareVersion= (1), -n is
 * InformParameters=, -b a host of an operator from which the box is de-registered; -d wants a file of that
 * type; -t is for transfers, whose names must not come again: then waits are drawn somewhere. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <systemd/sd-event.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macro.h"
#include "clock.h"
#include "cpe.h"
#include "store/store.h"

#define FACTS_MAX 16
#define SEGW      "segw.operator.example"

typedef struct Driver {
    sd_event *event;
    Store *store;
    Device *device;
    Cpe *cpe;
    IkeConfiguration inside; /* as if loopback were a tunnel */
    char url[URL_MAX_BYTES];
    char folder[PATH_MAX]; /* of the store */
    const char *factory_url, *last, *abort_at, *barred, *paths, *version, *wanted;
    bool initial, fall_back, transfers;
    char *facts[FACTS_MAX], *reported[FACTS_MAX], *later[FACTS_MAX]; /* PATH=VALUE */
    size_t n_facts, n_reported, n_later, next_later;
    AddressList addresses;
    size_t next_address;
    unsigned count;
    usec_t idle_since;
} Driver;

/* Draws the lower end of every wait, so that a test knows how long it is. */
static void fill_zero(void *userdata, void *ret, size_t size) {
    memset(ret, 0, size);
}

/* Numbers that do not come again, for the names of transfers; a whole day each as a phase. */
static void fill_days(void *userdata, void *ret, size_t size) {
    static uint64_t n;

    if (n == 0)
        (void)getrandom(&n, 2, 0);
    const uint64_t v = ++n * 86400 * USEC_PER_SEC;
    memset(ret, 0, size);
    memcpy(ret, &v, MIN(size, sizeof v));
}

static void say_s1(const char *word, const S1Config *s1) {
    printf("%s ", word);
    for (size_t i = 0; i < s1->mme.n; i++)
        printf("%s%s", i ? "," : "", s1->mme.items[i].entry);
    printf(" %u %s %d", s1->mme.n ? s1->mme.items[0].port : 0, s1->connection_mode, s1->admin_state);
}

static void say_site(const Site *site) {
    printf("ASSIGNED %s ", site->hems_url);
    for (size_t i = 0; i < site->n_segws; i++)
        printf("%s%s", i ? "," : "", site->segws[i]);
    puts("");
}

/* Says the report; returns its word. */
static const char *report_say(const Driver *d, const CpeReport *report) {
    switch (report->type) {
    case CPE_ACCEPTED:
        puts("ACCEPTED");
        return "ACCEPTED";
    case CPE_ANSWERED:
        say_s1("ANSWERED", report->s1);
        puts(report->mme_set ? "" : " without MMEs");
        return "ANSWERED";
    case CPE_ENDED:
        say_s1(report->text ? "FAILED" : "ENDED", report->s1);
        printf("%s%s\n", report->text ? " " : "", strempty(report->text));
        return report->text ? "FAILED" : "ENDED";
    case CPE_UNREACHED:
        printf("UNREACHED %s\n", report->text);
        return "UNREACHED";
    case CPE_DUE:
        printf("DUE %u\n", (unsigned)((clock_now().mono - d->idle_since) / USEC_PER_MSEC));
        return "DUE";
    }
    assert(false);
}

static void driver_wait(Driver *d) {
    d->idle_since = clock_now().mono;
    d->next_address = 0;
    cpe_expect(d->cpe, true);
}

static void driver_open(Driver *d) {
    const Address *address = &d->addresses.items[d->next_address++];

    cpe_expect(d->cpe, false);
    int r = cpe_open(d->cpe, d->url, address, "lo");
    if (r < 0) {
        printf("cannot open: %s\n", strerror(-r));
        sd_event_exit(d->event, EXIT_FAILURE);
    }
}

static bool word_is_last(Driver *d, const char *word) {
    if (!streq(word, d->last) || --d->count > 0)
        return false;
    sd_event_exit(d->event, EXIT_SUCCESS);
    return true;
}

/* The value of *fact*, PATH=VALUE, which is cut in two; it has one: main() looked. */
static const char *fact_cut(char *fact) {
    char *value = strchr(fact, '=');
    *value = 0;
    return value + 1;
}

static void fact_report(const Driver *d, char *fact) {
    const char *value = fact_cut(fact), *why = device_report(d->device, fact, value);
    if (why)
        printf("REPORTED %s: %s\n", fact, why);
}

/* Acts on what an ended session has brought, as who decides about the way would. */
static void driver_take(Driver *d, const CpeReport *report) {
    if (report->type == CPE_ENDED && !report->text && d->next_later < d->n_later)
        fact_report(d, d->later[d->next_later++]);
    if (report->assignment && !report->text && !report->factory_reset) {
        snprintf(d->url, sizeof d->url, "%s", report->assignment->hems_url);
        cpe_hems(d->cpe, d->url);
    }
    if (report->factory_reset) {
        int r = cpe_reset(d->cpe);
        Site site;
        snprintf(d->url, sizeof d->url, "%s", d->factory_url);
        printf("RESET%s%s\n", r < 0 ? " failed" : "", device_assignment(d->device, &site) ? " in vain" : "");
        (void)word_is_last(d, "RESET");
    }
}

static void driver_go_on(Driver *d, CpeReportType type) {
    switch (type) {
    case CPE_ACCEPTED:
    case CPE_ANSWERED:
        break;
    case CPE_UNREACHED:
        if (d->next_address < d->addresses.n) {
            driver_open(d);
            break;
        }
        cpe_missed(d->cpe);
        driver_wait(d);
        break;
    case CPE_ENDED:
        driver_wait(d);
        break;
    case CPE_DUE:
        driver_open(d);
        break;
    }
}

static void on_report(void *userdata, const CpeReport *report) {
    Driver *d = userdata;
    const char *word = report_say(d, report);

    if (report->assignment)
        say_site(report->assignment);
    driver_take(d, report);
    if (word_is_last(d, word)) {
        cpe_expect(d->cpe, false);
    } else if (d->abort_at && streq(word, d->abort_at)) {
        d->abort_at = NULL;
        cpe_abort(d->cpe);
        driver_wait(d);
    } else {
        driver_go_on(d, report->type);
    }
}

static bool on_barred(void *userdata, const char *host) {
    const Driver *d = userdata;
    return d->barred && strcasecmp(d->barred, host) == 0;
}

static void on_noticed(void *userdata, int notification) {
    const Driver *d = userdata;
    if (d->cpe)
        cpe_value_changed(d->cpe, notification == 2);
}

static int driver_store(Driver *d, const char *path) {
    snprintf(d->folder, sizeof d->folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    int r = store_open(&d->store, path);
    for (size_t i = 0; r == 0 && i < d->n_facts; i++) {
        const char *value = fact_cut(d->facts[i]);
        r = store_commit(d->store, &(StoreChange){STORE_PARAMETER, d->facts[i], value}, 1);
    }
    return r;
}

static void driver_report(Driver *d) {
    for (size_t i = 0; i < d->n_reported; i++)
        fact_report(d, d->reported[i]);
    if (d->n_reported > 0)
        printf("REPORTED %s\n", device_location_known(d->device) ? "here" : "nowhere");
}

static void driver_want(Driver *d) {
    const SessionFileArg version = {"Version", "2.1"};
    if (d->wanted && cpe_request_download(d->cpe, d->wanted, &version, 1))
        puts("REFUSED");
}

static int driver_run(Driver *d) {
    static Config factory = {.manufacturer = "Example",
                             .oui = "0A1B2C",
                             .product_class = "HeNB",
                             .serial_number = "1",
                             .hardware_version = "1"};
    ConfigPair *pair = d->initial ? &factory.initial : &factory.serving;
    Rng rng = {.fill = d->transfers ? fill_days : fill_zero};
    const DeviceConfig device = {.factory = &factory,
                                 .store = d->store,
                                 .state_directory = "/",
                                 .rng = &rng,
                                 .barred = on_barred,
                                 .noticed = on_noticed,
                                 .userdata = d};
    CpeConfig config = {.event = d->event,
                        .factory = &factory,
                        .store = d->store,
                        .state_directory = d->folder,
                        .inside = &d->inside,
                        .clock_trusted = true,
                        .barred = on_barred,
                        .rng = &rng,
                        .report = on_report,
                        .userdata = d};
    Site site;

    (void)address_parse("127.0.0.1", &d->inside.addresses.items[d->inside.addresses.n++]);
    d->inside.dns = d->inside.addresses; /* where nobody is asked: hosts of redirects are literal */
    snprintf(factory.tunnel_interface, sizeof factory.tunnel_interface, "lo");
    snprintf(pair->hems, sizeof pair->hems, "%s", d->url);
    snprintf(pair->segw, sizeof pair->segw, "%s", SEGW);
    snprintf(factory.software_version, sizeof factory.software_version, "%s", d->version ? d->version : "1");
    snprintf(factory.inform_parameters, sizeof factory.inform_parameters, "%s", strempty(d->paths));
    int r = device_new(&d->device, &device);
    if (r < 0)
        return r;
    config.device = d->device;
    r = cpe_new(&d->cpe, &config);
    if (r < 0)
        return r;
    if (d->fall_back)
        cpe_hems(d->cpe, d->url);
    else if (device_assignment(d->device, &site))
        snprintf(d->url, sizeof d->url, "%s", site.hems_url);
    driver_report(d);
    driver_want(d);
    driver_wait(d);
    r = sd_event_loop(d->event);
    cpe_free(d->cpe);
    device_free(d->device);
    return r;
}

static int addresses_parse(AddressList *list, char *text) {
    for (char *item; (item = strsep(&text, ","));)
        if (list->n == ARRAY_SIZE(list->items) || address_parse(item, &list->items[list->n++]) < 0)
            return -EINVAL;
    return 0;
}

static bool fact_add(char **facts, size_t *n, char *fact) {
    if (*n == FACTS_MAX || !strchr(fact, '='))
        return false;
    facts[(*n)++] = fact;
    return true;
}

static bool option_take(Driver *d, int option) {
    switch (option) {
    case 'a':
        d->abort_at = optarg;
        return true;
    case 'b':
        d->barred = optarg;
        return true;
    case 'f':
        return d->fall_back = true;
    case 'i':
        return d->initial = true;
    case 'l':
        return fact_add(d->later, &d->n_later, optarg);
    case 'n':
        d->paths = optarg;
        return true;
    case 'p':
        return fact_add(d->facts, &d->n_facts, optarg);
    case 's':
        d->version = optarg;
        return true;
    case 't':
        return d->transfers = true;
    case 'd':
        d->wanted = optarg;
        return true;
    case 'r':
        return fact_add(d->reported, &d->n_reported, optarg);
    }
    return false;
}

int main(int argc, char *argv[]) {
    Driver d = {};
    int option;

    while ((option = getopt(argc, argv, "a:b:d:fil:n:p:r:s:t")) != -1)
        if (!option_take(&d, option))
            return 2;
    argv += optind;
    if (argc - optind != 5 || addresses_parse(&d.addresses, argv[1]) < 0)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    log_set_level(LOG_DEBUG);
    d.factory_url = argv[0];
    snprintf(d.url, sizeof d.url, "%s", argv[0]);
    d.last = argv[3];
    d.count = (unsigned)atoi(argv[4]);
    int r = driver_store(&d, argv[2]);
    if (r == 0)
        r = sd_event_new(&d.event);
    if (r >= 0)
        r = driver_run(&d);
    store_close(d.store);
    sd_event_unref(d.event);
    if (r < 0)
        fprintf(stderr, "cpe-driver: %s\n", strerror(-r));
    return r < 0 ? EXIT_FAILURE : r;
}
