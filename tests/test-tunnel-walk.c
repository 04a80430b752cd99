/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tunnel under everything at once: handlers of its reports that open and close, and short walks over all
 * that can happen, held against the kernel of tunnel-world.h. */
#include <stdlib.h>

#include "tunnel-world.h"

static const char other_name[] = "other.operator.example";

/* -- handlers that open and close -- */

/* What a report's handler does. */
typedef enum Reaction {
    REACTION_CLOSE,
    REACTION_OPEN,
    REACTION_CLOSE_OPEN,
    REACTION_THREE, /* in a row: more than there are places for what leaves */
    REACTION_RENEW,
    REACTION_UPLINK,
    REACTIONS_,
} Reaction;

static struct {
    Reaction reaction;
    unsigned times; /* still */
    unsigned gateway;
    const Fixture *fixture;
} handler;

static void handler_open(void) {
    handler.gateway = !handler.gateway;
    Address remote = address(gateway_addresses[handler.gateway]);
    (void)tunnel_open(world.tunnel, IDENTITY, &remote);
}

static void react(const TunnelReport *report) {
    if (handler.times == 0)
        return;
    handler.times--;
    switch (handler.reaction) {
    case REACTION_CLOSE:
        tunnel_close(world.tunnel);
        return;
    case REACTION_CLOSE_OPEN:
        tunnel_close(world.tunnel);
        handler_open();
        return;
    case REACTION_THREE:
        for (unsigned i = 0; i < 3; i++)
            handler_open();
        tunnel_close(world.tunnel);
        handler_open();
        return;
    case REACTION_OPEN:
        handler_open();
        return;
    case REACTION_RENEW:
        tunnel_reauthenticate(world.tunnel, handler.fixture->trust, handler.fixture->device);
        return;
    case REACTION_UPLINK:
        tunnel_uplink_changed(world.tunnel);
        return;
    case REACTIONS_:
        break;
    }
}

static void uplink_is(const char *literal) {
    world.source[0] = literal ? address(literal) : (Address){};
    tunnel_uplink_changed(world.tunnel);
}

static void event_up(const Fixture *f) {
}

static void event_again(const Fixture *f) {
    handler.times++;
    tunnel_reauthenticate(world.tunnel, f->trust, f->device);
}

static void event_deleted(const Fixture *f) {
    handler.times++;
    if (responder_current(&world.gateways[0]))
        responder_want(&world.gateways[0], REQUEST_DELETE_CHILD, 0);
}

static void event_silent(const Fixture *f) {
    handler.times++;
    world.silent[0] = true;
}

static void event_moved(const Fixture *f) {
    handler.times++;
    uplink_is("198.51.100.8");
}

static void event_uplink(const Fixture *f) {
    handler.times++;
    uplink_is(NULL);
    run(TUNNEL_UPLINK_GRACE + 1);
    uplink_is("198.51.100.7");
}

static void event_no_name(const Fixture *f) {
    if (!responder_current(&world.gateways[0]))
        return;
    handler.times++;
    responder_want_redirect(&world.gateways[0], other_name);
    run(0);
    if (world.resolving)
        world_resolve(NULL);
}

/* Each reaction to each report, with what follows under way: at the end one tunnel that is up, or none. */
START_TEST(handlers_react) {
    static void (*const events[])(const Fixture *) = {event_up,    event_again,  event_deleted, event_silent,
                                                      event_moved, event_uplink, event_no_name};
    for (size_t e = 0; e < ARRAY_SIZE(events); e++)
        for (Reaction reaction = 0; reaction < REACTIONS_; reaction++) {
            Fixture f = fixture_new(&(Switches){}, 0);
            memset(&handler, 0, sizeof handler);
            handler.reaction = reaction;
            handler.fixture = &f;
            handler.times = e == 0;
            world.on_report = react;
            open_gateway(0);
            run(0);
            events[e](&f);
            run(200 * USEC_PER_SEC);
            ck_assert_uint_eq(world.n_arriving, 0);
            size_t n = world.n_pairs;
            for (size_t i = 0; i < world.n_pairs; i++)
                n -= world.pairs[i].refused && !world.pairs[i].parts;
            ck_assert_msg(n <= 1, "event %zu, reaction %u: %zu pairs", e, reaction, n);
            assert_kernel(n);
            tunnel_close(world.tunnel);
            run(60 * USEC_PER_SEC);
            ck_assert(tunnel_is_idle(world.tunnel));
            assert_kernel(0);
            fixture_free(&f);
        }
}
END_TEST

/* What waits to be taken off the kernel is, when its association has to make place in the same report. */
START_TEST(three_closed_in_one_report) {
    Fixture f = fixture_new(&(Switches){}, 0);
    memset(&handler, 0, sizeof handler);
    handler.reaction = REACTION_THREE;
    handler.times = 1;
    world.on_report = react;
    open_gateway(0);
    run(60 * USEC_PER_SEC);
    ck_assert_uint_eq(world.ups, 2);
    assert_kernel(1);
    fixture_free(&f);
}
END_TEST

/* -- walks -- */

typedef struct Walk {
    uint64_t random;
    Fixture fixture;
} Walk;

static unsigned draw(Walk *w, unsigned n) {
    uint32_t v;
    seeded_fill(&w->random, &v, sizeof v);
    return v % n;
}

static Switches walk_switches(Walk *w) {
    static const char *const targets[] = {
        NULL, NULL, NULL, NULL, "203.0.113.1", "203.0.113.2", "other.operator.example", "203.0.113.99"};
    static const unsigned errors[] = {
        0, 0, 0, 0, 0, 0, IKE_NOTIFY_NO_PROPOSAL_CHOSEN, IKE_NOTIFY_TEMPORARY_FAILURE};
    return (Switches){.mobike = draw(w, 2),
                      .nat_initiator = !draw(w, 3),
                      .nat_responder = !draw(w, 3),
                      .lifetime = draw(w, 3) ? 0 : 60,
                      .redirect_init = targets[draw(w, ARRAY_SIZE(targets))],
                      .redirect_auth = draw(w, 4) ? NULL : targets[draw(w, ARRAY_SIZE(targets))],
                      .init_error = errors[draw(w, ARRAY_SIZE(errors))],
                      .auth_error = draw(w, 4) ? 0 : errors[draw(w, ARRAY_SIZE(errors))],
                      .rekey_child_error = errors[draw(w, ARRAY_SIZE(errors))],
                      .child_lifetime = draw(w, 4) ? 0 : 40 * USEC_PER_SEC,
                      .invalid_spi = draw(w, 2)};
}

static void walk_ask_gateway(Walk *w) {
    static const RequestType types[] = {REQUEST_DELETE_CHILD, REQUEST_DELETE_IKE, REQUEST_REKEY_CHILD,
                                        REQUEST_REKEY_IKE, REQUEST_LIVENESS};
    Responder *r = &world.gateways[draw(w, GATEWAYS)];
    ResponderIke *ike = responder_current(r);

    if (!ike || ike->n_queue > RESPONDER_REQUESTS / 2)
        return;
    if (!draw(w, 3))
        responder_want_redirect(r, draw(w, 3) ? gateway_addresses[draw(w, GATEWAYS)] : other_name);
    else
        responder_want(r, types[draw(w, ARRAY_SIZE(types))], 0);
}

static void walk_step(Walk *w) {
    WorldPair *out = world_outbound();
    Endpoint from = {address(draw(w, 2) ? "203.0.113.1" : "203.0.113.60"), (uint16_t)(4500 + draw(w, 2))};

    switch (draw(w, 16)) {
    case 0:
        open_gateway(draw(w, GATEWAYS));
        break;
    case 1:
        tunnel_close(world.tunnel);
        break;
    case 2:
        tunnel_reauthenticate(world.tunnel, w->fixture.trust, w->fixture.device);
        break;
    case 3:
    case 4:
        walk_ask_gateway(w);
        break;
    case 5:
        uplink_is("198.51.100.8");
        uplink_is(draw(w, 2) ? "198.51.100.7" : "198.51.100.9");
        break;
    case 6:
        uplink_is(NULL);
        run(draw(w, 2) ? USEC_PER_SEC : TUNNEL_UPLINK_GRACE + 1);
        uplink_is("198.51.100.7");
        break;
    case 7:
        if (out)
            world_expire(draw(w, 2) ? out->spi_in : out->spi_out, draw(w, 2));
        world_expire(draw(w, 2) ? 4711 : 0, draw(w, 2));
        break;
    case 8:
        tunnel_mapping(world.tunnel, out && draw(w, 3) ? out->spi_in : 4711, &from);
        break;
    case 9:
        world.refuse_installs = draw(w, 3);
        break;
    case 10:
        world.silent[draw(w, GATEWAYS)] ^= true;
        break;
    case 11:
        world.slow[draw(w, GATEWAYS)] ^= true;
        break;
    case 12:
        if (world.resolved)
            world_resolve(draw(w, 3) ? gateway_addresses[draw(w, GATEWAYS)] : NULL);
        break;
    case 13:
        if (world.job)
            world_judge(draw(w, 3));
        break;
    case 14:
        handler.times = draw(w, 3);
        handler.reaction = draw(w, REACTIONS_);
        break;
    default:
        run(draw(w, 20) * USEC_PER_SEC);
    }
    for (unsigned n = draw(w, 4); n > 0 && arrive(); n--)
        ;
    if (draw(w, 2))
        run(0);
}

/* Whatever happened: good gateways and a good kernel, and one tunnel comes of it. */
static void walk_settle(Walk *w) {
    memset(&handler, 0, sizeof handler);
    for (unsigned i = 0; i < GATEWAYS; i++) {
        Switches good = {.credential = world.credential};
        world.gateways[i].switches = good;
        world.silent[i] = world.slow[i] = false;
    }
    world.refuse_installs = 0;
    uplink_is("198.51.100.7");
    if (world.resolved)
        world_resolve(gateway_addresses[0]);
    if (world.job)
        world_judge(true);
    unsigned before = world.downs;
    if (draw(w, 2) || (tunnel_is_idle(world.tunnel) && draw(w, 2)))
        open_gateway(draw(w, GATEWAYS));
    for (unsigned i = 0; i < 30; i++) {
        run(10 * USEC_PER_SEC);
        if (world.job)
            world_judge(true);
        if (world.resolved)
            world_resolve(gateway_addresses[0]);
    }
    TunnelView view = tunnel_view(world.tunnel);
    size_t n = 0;
    for (size_t i = 0; i < world.n_pairs; i++)
        n += world.pairs[i].parts != 0;
    assert_kernel(n);
    ck_assert_uint_le(n, 1);
    ck_assert(n == (view.remote.family != AF_UNSPEC));
    ck_assert(n == 1 || world.downs > before || tunnel_is_idle(world.tunnel));
    ck_assert(!n || world_outbound());
}

static void walk(uint64_t seed) {
    Walk w = {.random = seed * 2 + 1};
    Switches switches = walk_switches(&w);

    w.fixture = draw(&w, 4) ? fixture_new(&switches, 0) : fixture_new_asking(&switches);
    switches = walk_switches(&w);
    gateway_restart(1, &switches);
    memset(&handler, 0, sizeof handler);
    handler.fixture = &w.fixture;
    world.on_report = react;
    open_gateway(draw(&w, GATEWAYS));
    if (draw(&w, 3))
        run(0);
    for (unsigned i = 4 + draw(&w, 10); i > 0; i--)
        walk_step(&w);
    if (draw(&w, 2))
        walk_settle(&w);
    fixture_free(&w.fixture); /* or in the middle of it: nothing is left in the kernel */
}

#define WALKS 320 /* TUNNEL_WALKS: another number */
#define PARTS 8

/* In parts, for the time one test has. TUNNEL_WALK takes one alone. */
static void walks(unsigned part) {
    const char *one = getenv("TUNNEL_WALK"), *all = getenv("TUNNEL_WALKS");
    unsigned n = (all ? (unsigned)strtoul(all, NULL, 10) : WALKS) / PARTS;
    for (unsigned i = 0; i < n; i++) {
        unsigned seed = part * n + i;
        if (one && strtoul(one, NULL, 10) != seed)
            continue;
        fprintf(stderr, "walk %u\n", seed); /* the last one of a part is what failed */
        walk(seed);
    }
}

#define WALK(part)                                                                                           \
    START_TEST(walks_##part) {                                                                               \
        walks(part);                                                                                         \
    }                                                                                                        \
    END_TEST

WALK(0)
WALK(1)
WALK(2)
WALK(3)
WALK(4)
WALK(5)
WALK(6)
WALK(7)

SUITE("tunnel-walk", handlers_react, three_closed_in_one_report, walks_0, walks_1, walks_2, walks_3, walks_4,
      walks_5, walks_6, walks_7)
