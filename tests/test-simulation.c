/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Months of an IKE SA in seconds: an engine, the tests' own gateway and a model of the kernel on a fake
 * clock. Rough hours (loss, reordering, duplicates, delays beyond the retransmission budget, dead links,
 * gateways that lose all they know, clocks that jump) alternate with calm ones, in which there must be
 * exactly one IKE SA and one pair of Child SAs within SETTLE, the same for all three, and no packet may be
 * lost any more.
 *
 * SEED=n runs that one alone; SIMULATION_DAYS (30) and SIMULATION_SEEDS (1) scale it. */
#include <check.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "ike-link.h"
#include "suite.h"

#define SECOND USEC_PER_SEC
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)

#define ROUGH (40 * 60 * SECOND)
/* The engine notices a dead gateway after 75.5 s and waits up to a minute before it tries again; the gateway
 * gives up what the engine has forgotten after its own liveness check and 63 s of repeating it, and what it
 * should have been rid of 30 s before that. */
#define SETTLE (180 * SECOND)

/* Bytes that are allocated now. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));
static size_t allocated(void) {
    return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes()
                                                   : mallinfo2().uordblks + mallinfo2().hblkhd;
}

typedef struct Weather {
    bool rough;
    unsigned loss, duplicates, late, very_late; /* percent */
    usec_t dead_until;                          /* the link */
} Weather;

typedef struct World {
    Link *l;
    Weather weather;
    usec_t restart_at; /* a new IKE SA; USEC_NEVER: there is one */
    usec_t backoff;
    usec_t off_until; /* the gateway */
    unsigned restarts, crashes, jumps, dead_links;
    unsigned rekeyed, collisions;
    usec_t slowest; /* to settle */
} World;

static void fate(Link *l, const Sent *s, Fate *ret) {
    World *w = l->userdata;
    Weather *v = &w->weather;

    (void)s;
    if (l->now.mono < v->dead_until) {
        ret->copies = 0;
        return;
    }
    if (!v->rough)
        return;
    ret->copies = rng_below(&l->rng, 100) < v->loss ? 0 : 1 + (rng_below(&l->rng, 100) < v->duplicates);
    for (unsigned i = 0; i < ret->copies; i++) {
        ret->delays[i] = LINK_DELAY + rng_below(&l->rng, 30 * USEC_PER_MSEC);
        if (rng_below(&l->rng, 100) < v->late)
            ret->delays[i] += rng_below(&l->rng, 2 * SECOND);
        if (rng_below(&l->rng, 100) < v->very_late)
            ret->delays[i] += rng_below(&l->rng, 60 * SECOND);
    }
}

/* What tunnel.c does: an IKE SA that has ended is followed by another, after a pause that grows. */
static void ended(World *w) {
    Link *l = w->l;

    kernel_assert_empty(&l->kernel);
    ck_assert_uint_eq(l->ups, l->downs + (l->ups > l->downs));
    w->rekeyed += (unsigned)ike_sa_counters(l->sa)->rekeyed;
    w->backoff = l->ups ? SECOND : MIN(2 * w->backoff, 60 * SECOND);
    w->restart_at = l->now.mono + w->backoff + rng_below(&l->rng, w->backoff / 4 + 1);
    w->restarts++;
    ike_sa_free(TAKE_PTR(l->sa));
    l->ups = l->downs = l->ends = l->reauthentications = 0;
    l->text[0] = 0;
}

static void run(World *w, usec_t until) {
    Link *l = w->l;

    while (l->now.mono < until) {
        usec_t next = MIN(MIN(until, w->restart_at), w->off_until);
        while (link_step(l, next) && !l->ends && !l->reauthentications)
            ;
        if (l->ends)
            ended(w);
        else if (l->reauthentications) { /* a successor, without the overlap */
            l->reauthentications = 0;
            link_close(l);
        }
        if (l->now.mono >= w->off_until) {
            l->gateway_silent = false;
            w->off_until = USEC_NEVER;
        }
        if (l->now.mono >= w->restart_at) {
            w->restart_at = USEC_NEVER;
            link_start(l);
        }
    }
}

static void gateway_crashes(World *w) {
    Link *l = w->l;

    w->crashes++;
    responder_crash(&l->responder);
    l->responder.switches.invalid_spi = rng_below(&l->rng, 2);
    if (rng_below(&l->rng, 2)) {
        l->gateway_silent = true;
        w->off_until = l->now.mono + rng_below(&l->rng, 180 * SECOND);
    }
}

static void clock_jumps(World *w) {
    Link *l = w->l;
    usec_t by = rng_below(&l->rng, 3 * DAY);

    w->jumps++;
    l->now.real = rng_below(&l->rng, 2) ? l->now.real + by : l->now.real - by;
    if (l->now.real < LINK_START || l->now.real > LINK_START + 100 * DAY)
        l->now.real = LINK_START;
}

static void gateway_wishes(World *w, RequestType type) {
    Link *l = w->l;
    ResponderIke *ike = responder_current(&l->responder);

    if (!ike || !l->responder.in_use || l->gateway_silent || ike->n_queue > 4)
        return;
    l->responder.now = l->now.mono;
    responder_want(&l->responder, type, 0);
    link_gateway(l);
}

static void something_happens(World *w) {
    Link *l = w->l;
    static const RequestType wishes[] = {REQUEST_LIVENESS, REQUEST_REKEY_CHILD, REQUEST_REKEY_IKE,
                                         REQUEST_DELETE_CHILD, REQUEST_DELETE_IKE};

    switch (rng_below(&l->rng, 6)) {
    case 0:
        gateway_crashes(w);
        break;
    case 1:
        clock_jumps(w);
        break;
    case 2:
        w->dead_links++;
        w->weather.dead_until = l->now.mono + rng_below(&l->rng, 300 * SECOND);
        break;
    case 3:
        if (l->sa && ike_sa_child_in_use(l->sa)) {
            ike_sa_expire(l->sa, l->now, ike_sa_child_in_use(l->sa)->spi_in, false);
            link_drain(l);
        }
        if (rng_below(&l->rng, 2)) /* and the gateway at the same time */
            gateway_wishes(w, REQUEST_REKEY_CHILD);
        break;
    default:
        gateway_wishes(w, wishes[rng_below(&l->rng, ARRAY_SIZE(wishes))]);
    }
}

static void rough_hour(World *w) {
    Link *l = w->l;
    usec_t until = l->now.mono + ROUGH;

    w->weather = (Weather){.rough = true, .loss = 30, .duplicates = 10, .late = 20, .very_late = 2};
    while (l->now.mono < until) {
        run(w, MIN(until, l->now.mono + rng_below(&l->rng, 600 * SECOND) + 1));
        something_happens(w);
    }
    /* The rough weather is over; what is on its way arrives in its time. */
    w->weather = (Weather){};
    if (w->off_until != USEC_NEVER)
        w->off_until = l->now.mono;
}

static void calm(World *w, usec_t time) {
    Link *l = w->l;
    usec_t start = l->now.mono;
    char why[LINK_WHY_MAX] = "nothing ran";
    bool one = false;

    run(w, start + 1);
    while (!(one = l->sa && link_is_one_pair(l, why)) && l->now.mono < start + SETTLE)
        run(w, l->now.mono + SECOND);
    /* From there on only rekeying may have more for a moment. */
    w->slowest = MAX(w->slowest, l->now.mono - start);
    run(w, MAX(start + SETTLE, l->now.mono));
    unsigned restarts = w->restarts;
    for (unsigned i = 0; !(one = l->sa && link_is_one_pair(l, why)) && i < 60; i++)
        run(w, l->now.mono + SECOND);
    ck_assert_msg(one, "%" PRIu64 " s after the weather had become calm: %s", (l->now.mono - start) / SECOND,
                  why);

    memset(l->packets_sent, 0, sizeof l->packets_sent);
    memset(l->packets_lost, 0, sizeof l->packets_lost);
    memset(l->packets_unsent, 0, sizeof l->packets_unsent);
    l->packet_at = l->now.mono;
    l->packet_interval = SECOND;
    l->packet_jitter = 3 * USEC_PER_MSEC;
    run(w, start + time);
    l->packet_interval = 0;
    run(w, l->now.mono + SECOND);
    ck_assert_uint_gt(l->packets_sent[0], 0);
    ck_assert_msg(w->restarts == restarts, "in calm weather the IKE SA ended");
    ck_assert_msg(l->packets_lost[0] + l->packets_lost[1] + l->packets_unsent[0] + l->packets_unsent[1] == 0,
                  "in calm weather packets were lost: %u, %u, not sent: %u, %u", l->packets_lost[0],
                  l->packets_lost[1], l->packets_unsent[0], l->packets_unsent[1]);
}

static void simulate(uint64_t seed, unsigned days) {
    Switches s = {.child_lifetime = 102 * SECOND,
                  .ike_lifetime = 765 * SECOND,
                  .liveness = 60 * SECOND,
                  .own_pfs = seed % 2,
                  .invalid_spi = seed % 3 == 0,
                  .fragment = seed % 2 ? 576 : 0};
    _cleanup_(link_freep) Link *l = link_new(&s, &link_files_quick, seed);
    World w = {.l = l, .restart_at = l->now.mono, .off_until = USEC_NEVER, .backoff = SECOND};
    size_t baseline = 0, most = 0;

    fprintf(stderr, "simulation: SEED=%" PRIu64 ", %u days\n", seed, days);
    l->config.group = IKE_DH_CURVE25519;
    l->config.child_lifetime = 120 * SECOND;
    l->config.ike_lifetime = 900 * SECOND;
    l->unrecorded = true;
    l->userdata = &w;
    l->fate = fate;
    for (unsigned hour = 0; hour < days * 24; hour++) {
        rough_hour(&w);
        calm(&w, HOUR - ROUGH);
        size_t now = allocated();
        if (hour == 9)
            baseline = now;
        most = MAX(most, now);
        ck_assert_msg(hour < 10 || now < baseline + 512 * 1024, "hour %u: %zu bytes, after the tenth %zu",
                      hour, now, baseline);
        ck_assert_uint_lt(l->n_flights, 100);
    }
    w.rekeyed += (unsigned)ike_sa_counters(l->sa)->rekeyed;
    fprintf(stderr,
            "simulation: SEED=%" PRIu64
            ": %u rekeyings, %u collisions of pairs and %u of IKE SAs, %u IKE SAs, %u crashes, "
            "%u dead links, %u jumps of the clock; settled in %.1f s at the latest; %zu pairs at most; %zu "
            "bytes, %zu at most\n",
            seed, w.rekeyed, l->responder.collisions_child, l->responder.collisions_ike, w.restarts + 1,
            w.crashes, w.dead_links, w.jumps, (double)w.slowest / 1e6, l->kernel.most, allocated(), most);
    ck_assert_uint_gt(w.rekeyed, days * 50);
    ck_assert_uint_le(l->kernel.most, 8);
}

static unsigned number(const char *name, unsigned otherwise) {
    const char *text = getenv(name);
    return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

START_TEST(months) {
    if (getenv("SEED")) {
        simulate(number("SEED", 0), number("SIMULATION_DAYS", 30));
        return;
    }
    for (unsigned seed = 1; seed <= number("SIMULATION_SEEDS", 1); seed++)
        simulate(seed, number("SIMULATION_DAYS", 30));
}
END_TEST

/* The gateway deletes right after the set-up in every second cycle. */
START_TEST(thread_13_establish_and_delete) {
    unsigned cycles = number("SIMULATION_CYCLES", 10000);
    Switches s = {};
    _cleanup_(link_freep) Link *l = link_new(&s, &link_files_quick, 1);
    size_t baseline = 0;

    l->config.group = IKE_DH_CURVE25519;
    l->unrecorded = true;
    for (unsigned i = 0; i < cycles; i++) {
        ck_assert_msg(link_establish(l), "cycle %u: %s", i, l->text);
        if (i % 2) {
            l->responder.now = l->now.mono;
            responder_want(&l->responder, i % 4 == 1 ? REQUEST_DELETE_IKE : REQUEST_DELETE_CHILD, 0);
            link_gateway(l);
        } else
            link_close(l);
        link_run(l, USEC_NEVER);
        ck_assert(l->ends == 1 && l->ups == 1);
        kernel_assert_empty(&l->kernel);
        ike_sa_free(TAKE_PTR(l->sa));
        l->ups = l->downs = l->ends = 0;
        link_run_for(l, 120 * SECOND); /* the gateway's tombstones go */
        if (i == 100)
            baseline = allocated();
        ck_assert_msg(i <= 100 || allocated() <= baseline + 4096, "cycle %u: %zu bytes, after the 100th %zu",
                      i, allocated(), baseline);
    }
    fprintf(stderr, "%u cycles: %zu bytes, after the 100th %zu\n", cycles, allocated(), baseline);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("simulation");
    const TTest *const tests[] = {months, thread_13_establish_and_delete};

    for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
        TCase *tcase = tcase_create(tests[i]->name);
        tcase_set_timeout(tcase, 24 * 3600);
        tcase_add_test(tcase, tests[i]);
        suite_add_tcase(suite, tcase);
    }
    return suite_end(suite);
}
