/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Drives the agent's CPE (agent/cpe.h) against a HeMS without a tunnel around it, for test_cpe.py.
 *
 *     cpe-driver [-p PATH=VALUE]... [-a WORD] URL ADDRESS STORE WORD COUNT
 *
 * The host of URL is at ADDRESS, nothing is bound to an interface. A session starts whenever the schedule
 * says so. Each report is a line on standard output:
 *
 *     DUE MILLISECONDS                         since the last session's end, or since the start
 *     ACCEPTED
 *     ANSWERED ENTRY,... PORT MODE ADMINSTATE  the S1 parameters
 *     ENDED                                    well
 *     FAILED TEXT
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
    Address address;
    unsigned count;
    usec_t idle_since;
} Driver;

/* Draws the lower end of every wait, so that a test knows how long it is. */
static void fill_zero(void *userdata, void *ret, size_t size) {
    memset(ret, 0, size);
}

static void say_answered(const Cpe *cpe) {
    ModelMme mme;
    cpe_mme(cpe, &mme);
    printf("ANSWERED ");
    for (size_t i = 0; i < mme.list.n; i++)
        printf("%s%s", i ? "," : "", mme.list.items[i].entry);
    printf(" %u %s %d\n", mme.list.n ? mme.list.items[0].port : 0, mme.connection_mode, mme.admin_state);
}

/* Says the report; returns its word. */
static const char *report_say(Driver *d, CpeReport report, const char *text) {
    switch (report) {
    case CPE_ACCEPTED:
        puts("ACCEPTED");
        return "ACCEPTED";
    case CPE_ANSWERED:
        say_answered(d->cpe);
        return "ANSWERED";
    case CPE_ENDED:
        printf("%s%s%s\n", text ? "FAILED" : "ENDED", text ? " " : "", strempty(text));
        return text ? "FAILED" : "ENDED";
    case CPE_DUE:
        printf("DUE %u\n", (unsigned)((clock_now().mono - d->idle_since) / USEC_PER_MSEC));
        return "DUE";
    }
    assert(false);
}

static void driver_wait(Driver *d) {
    d->idle_since = clock_now().mono;
    cpe_expect(d->cpe, true);
}

static void driver_open(Driver *d) {
    cpe_expect(d->cpe, false);
    int r = cpe_open(d->cpe, d->url, &d->address, NULL, &(Address){});
    if (r < 0) {
        printf("FAILED to open: %s\n", strerror(-r));
        sd_event_exit(d->event, EXIT_FAILURE);
    }
}

static void on_report(void *userdata, CpeReport report, const char *text) {
    Driver *d = userdata;
    const char *word = report_say(d, report, text);

    if (streq(word, d->last) && --d->count == 0) {
        sd_event_exit(d->event, EXIT_SUCCESS);
    } else if (d->abort_at && streq(word, d->abort_at)) {
        d->abort_at = NULL;
        cpe_abort(d->cpe);
        driver_wait(d);
    } else if (report == CPE_DUE) {
        driver_open(d);
    } else if (report == CPE_ENDED) {
        driver_wait(d);
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
    if (argc - optind != 5 || address_parse(argv[optind + 1], &d.address) < 0)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    log_set_level(LOG_DEBUG);
    d.url = argv[optind];
    d.last = argv[optind + 3];
    d.count = (unsigned)atoi(argv[optind + 4]);
    for (size_t i = 0; r == 0 && i < n_facts; i++)
        r = store_put(argv[optind + 2], facts[i]);
    if (r == 0)
        r = sd_event_new(&d.event);
    if (r >= 0)
        r = driver_run(&d, argv[optind + 2]);
    sd_event_unref(d.event);
    if (r < 0)
        fprintf(stderr, "cpe-driver: %s\n", strerror(-r));
    return r < 0 ? EXIT_FAILURE : r;
}
