/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Drives the agent's CPE (agent/cpe.h) against a HeMS without a tunnel around it, for test_cpe.py.
 *
 *     cpe-driver [-p PATH=VALUE]... [-a WORD] URL ADDRESS,... STORE WORD COUNT
 *
 * The host of URL is at these addresses, nothing is bound to an interface. A session starts whenever the
 * schedule says so. Each report is a line on standard output, S1 stands for "ENTRY,... PORT MODE ADMINSTATE":
 *
 *     DUE MILLISECONDS     since the last session's end, or since the start
 *     UNREACHED TEXT       then the next address is tried
 *     ACCEPTED
 *     ANSWERED S1          "ANSWERED S1 without MMEs" if those were not set
 *     ENDED S1             well
 *     FAILED S1 TEXT
 *
 * It ends with the COUNTth report WORD, as the daemon ends: in the middle of a session, if that is where it
 * is. -a aborts the session at the first report WORD, as a lost tunnel does. -p is in the store before the
 * start. */
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macro.h"
#include "clock.h"
#include "cpe.h"
#include "store/store.h"

typedef struct Driver {
    sd_event *event;
    Cpe *cpe;
    const char *url, *last, *abort_at;
    AddressList addresses;
    size_t next_address;
    unsigned count;
    usec_t idle_since;
} Driver;

/* Draws the lower end of every wait, so that a test knows how long it is. */
static void fill_zero(void *userdata, void *ret, size_t size) {
    memset(ret, 0, size);
}

static void say_s1(const char *word, const S1Config *s1) {
    printf("%s ", word);
    for (size_t i = 0; i < s1->mme.n; i++)
        printf("%s%s", i ? "," : "", s1->mme.items[i].entry);
    printf(" %u %s %d", s1->mme.n ? s1->mme.items[0].port : 0, s1->connection_mode, s1->admin_state);
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
    int r = cpe_open(d->cpe, d->url, address, NULL, &(Address){});
    if (r < 0) {
        printf("cannot open: %s\n", strerror(-r));
        sd_event_exit(d->event, EXIT_FAILURE);
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

    if (streq(word, d->last) && --d->count == 0) {
        sd_event_exit(d->event, EXIT_SUCCESS);
    } else if (d->abort_at && streq(word, d->abort_at)) {
        d->abort_at = NULL;
        cpe_abort(d->cpe);
        driver_wait(d);
    } else {
        driver_go_on(d, report->type);
    }
}

/* *fact*: PATH=VALUE, is cut in two. */
static int store_put(const char *path, char *fact) {
    Store *store;
    char *value = strchr(fact, '=');

    if (!value)
        return -EINVAL;
    *value++ = 0;
    int r = store_open(&store, path);
    if (r < 0)
        return r;
    r = store_commit(store, &(StoreChange){fact, value}, 1);
    store_close(store);
    return r;
}

static int driver_run(Driver *d, const char *store) {
    Config factory = {.manufacturer = "Example",
                      .oui = "0A1B2C",
                      .product_class = "HeNB",
                      .serial_number = "1",
                      .hardware_version = "1",
                      .software_version = "1"};
    Rng rng = {.fill = fill_zero};
    CpeConfig config = {.event = d->event,
                        .factory = &factory,
                        .store = store,
                        .rng = &rng,
                        .report = on_report,
                        .userdata = d};

    snprintf(factory.serving.hems, sizeof factory.serving.hems, "%s", d->url);
    int r = cpe_new(&d->cpe, &config);
    if (r < 0)
        return r;
    driver_wait(d);
    r = sd_event_loop(d->event);
    cpe_free(d->cpe);
    return r;
}

static int addresses_parse(AddressList *list, char *text) {
    for (char *item; (item = strsep(&text, ","));)
        if (list->n == ARRAY_SIZE(list->items) || address_parse(item, &list->items[list->n++]) < 0)
            return -EINVAL;
    return 0;
}

int main(int argc, char *argv[]) {
    Driver d = {};
    char *facts[8];
    size_t n_facts = 0;
    int r = 0, option;

    while ((option = getopt(argc, argv, "a:p:")) != -1) {
        if (option == 'a')
            d.abort_at = optarg;
        else if (option == 'p' && n_facts < ARRAY_SIZE(facts))
            facts[n_facts++] = optarg;
        else
            return 2;
    }
    argv += optind;
    if (argc - optind != 5 || addresses_parse(&d.addresses, argv[1]) < 0)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    log_set_level(LOG_DEBUG);
    d.url = argv[0];
    d.last = argv[3];
    d.count = (unsigned)atoi(argv[4]);
    for (size_t i = 0; r == 0 && i < n_facts; i++)
        r = store_put(argv[2], facts[i]);
    if (r == 0)
        r = sd_event_new(&d.event);
    if (r >= 0)
        r = driver_run(&d, argv[2]);
    sd_event_unref(d.event);
    if (r < 0)
        fprintf(stderr, "cpe-driver: %s\n", strerror(-r));
    return r < 0 ? EXIT_FAILURE : r;
}
