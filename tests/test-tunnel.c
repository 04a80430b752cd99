/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tunnel between two gateways, a kernel and an event loop of the test's own: what it asks of the kernel
 * and in which order, what it remembers from one SA to the next. */
#include <check.h>
#include <stdio.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "ike-responder.h"
#include "seeded.h"
#include "suite.h"
#include "tunnel.h"
#include "ike/gateways.h"

#define GATEWAYS 2
#define START    (1780272000 * USEC_PER_SEC)
#define BUILT_AT (START - 86400 * USEC_PER_SEC)

/* -- the world -- */

struct sd_event_source {
    clockid_t clock;
    uint64_t at;
    bool enabled;
    sd_event_time_handler_t handler;
    void *userdata;
};

/* What was sent by a gateway and has not arrived. */
typedef struct Arriving {
    unsigned from; /* gateway */
    Endpoint address;
    Message *message;
} Arriving;

static struct {
    usec_t mono, real;
    sd_event_source timers[2];
    size_t n_timers;
    uint64_t random[2];
    size_t drawn; /* bytes of randomness the tunnel asked for */

    Address source[2]; /* IPv4, IPv6; AF_UNSPEC: no route */
    Credential *credential;
    Responder gateways[GATEWAYS];
    bool silent[GATEWAYS]; /* hears nothing */
    bool slow[GATEWAYS];   /* what it sends stays under way */
    unsigned inits[GATEWAYS];
    uint64_t spis[16]; /* of all IKE_SA_INIT that began an SA */
    size_t n_spis;
    size_t n_arriving;
    Arriving arriving[32];

    uint32_t next_spi;
    size_t n_reserved, n_installed;
    uint32_t reserved[8], installed[8]; /* inbound SPIs */
    int install_error;
    char calls[256];

    Tunnel *tunnel;
    unsigned ups, downs, moves, idles;
    char text[512];
    const char *reopen; /* what the next report down does */
} world;

static const char *const gateway_addresses[GATEWAYS] = {"203.0.113.1", "203.0.113.2"};

int clock_gettime(clockid_t clock, struct timespec *ret) {
    usec_t now = clock == CLOCK_REALTIME ? world.real : world.mono;
    *ret = (struct timespec){(time_t)(now / USEC_PER_SEC), (long)(now % USEC_PER_SEC * 1000)};
    return 0;
}

int sd_event_add_time(sd_event *event, sd_event_source **ret, clockid_t clock, uint64_t usec,
                      uint64_t accuracy, sd_event_time_handler_t handler, void *userdata) {
    ck_assert_uint_lt(world.n_timers, ARRAY_SIZE(world.timers));
    *ret = &world.timers[world.n_timers++];
    **ret = (sd_event_source){clock, usec, true, handler, userdata};
    return 0;
}

int sd_event_source_set_time(sd_event_source *source, uint64_t usec) {
    source->at = usec;
    return 0;
}

int sd_event_source_set_enabled(sd_event_source *source, int enabled) {
    source->enabled = enabled != SD_EVENT_OFF;
    return 0;
}

sd_event_source *sd_event_source_disable_unref(sd_event_source *source) {
    if (source)
        source->enabled = false;
    return NULL;
}

/* -- IKE's sockets -- */

int ike_io_source(const Address *remote, Address *ret) {
    const Address *source = &world.source[remote->family == AF_INET6];
    if (source->family == AF_UNSPEC)
        return -ENETUNREACH;
    *ret = *source;
    return 0;
}

static unsigned gateway_at(const Address *a) {
    for (unsigned i = 0; i < GATEWAYS; i++)
        if (streq(ADDRESS_STR(a), gateway_addresses[i]))
            return i;
    ck_abort_msg("no gateway at %s", ADDRESS_STR(a));
}

static void gateway_restart(unsigned i, const Switches *switches) {
    Switches s = *switches;
    Endpoint local = {address(gateway_addresses[i]), IKE_PORT};
    Rng rng = seeded_rng(&world.random[1], 77 + i);
    s.credential = world.credential;
    responder_init(&world.gateways[i], &s, &rng, &local);
}

static void init_remember(unsigned i, const IkeHeader *h) {
    world.inits[i]++;
    for (size_t k = 0; k < world.n_spis; k++)
        if (world.spis[k] == h->spi_i)
            return;
    ck_assert_uint_lt(world.n_spis, ARRAY_SIZE(world.spis));
    world.spis[world.n_spis++] = h->spi_i;
}

int ike_io_send(IkeIo *io, const Endpoint *local, const Endpoint *remote, const uint8_t *data, size_t size) {
    unsigned i = gateway_at(&remote->address);
    Reader reader = reader_new(data, size);
    Responder *r = &world.gateways[i];
    IkeHeader h;

    ck_assert_int_eq(ike_header_decode(&reader, &h), 0);
    if (h.exchange == IKE_EXCHANGE_SA_INIT) {
        init_remember(i, &h);
        if (r->state != RESPONDER_NEW && h.spi_i != r->spi_i) { /* another SA: of one each is all it keeps */
            Switches s = r->switches;
            gateway_restart(i, &s);
        }
    }
    if (world.silent[i])
        return 0;
    Message *answer = malloc(sizeof *answer);
    r->local.port = remote->port;
    responder_input(r, data, size, local, answer);
    if (answer->size == 0) {
        free(answer);
        return 0;
    }
    ck_assert_uint_lt(world.n_arriving, ARRAY_SIZE(world.arriving));
    world.arriving[world.n_arriving++] = (Arriving){i, *remote, answer};
    return 0;
}

void ike_io_keepalive(IkeIo *io, const Endpoint *local, const Endpoint *remote) {}

int resolver_new(Resolver **ret, sd_event *event, const ResolverConfig *config) {
    ck_abort_msg("no name is asked for");
}

int resolver_resolve(Resolver *resolver, const char *name, ResolverHandler handler, void *userdata) {
    ck_abort_msg("no name is asked for");
}

void resolver_free(Resolver *resolver) {}

void revocation_io_cancel(RevocationIo *io) {}

int revocation_io_start(RevocationIo *io, RevocationJob *job, bool dated, RevocationIoHandler handler, void *userdata) {
    ck_abort_msg("revocation is not asked about");
}

/* -- the kernel -- */

static void called(const char *what) {
    strncat(world.calls, what, sizeof world.calls - strlen(world.calls) - 1);
}

static bool take(uint32_t *list, size_t *n, uint32_t spi) {
    for (size_t i = 0; i < *n; i++)
        if (list[i] == spi) {
            list[i] = list[--*n];
            return true;
        }
    return false;
}

int netlink_io_allocate_spi(NetlinkIo *io, const Address *remote, const Address *local, uint32_t *ret_spi) {
    called("reserve ");
    *ret_spi = world.reserved[world.n_reserved++] = ++world.next_spi;
    return 0;
}

int netlink_io_remove_sa(NetlinkIo *io, const Address *destination, uint32_t spi) {
    called("give-back ");
    ck_assert_msg(take(world.reserved, &world.n_reserved, spi), "SPI %u is not reserved", spi);
    return 0;
}

int netlink_io_set_inner(NetlinkIo *io, const AddressList *inner) {
    called("inner ");
    return 0;
}

int netlink_io_install(NetlinkIo *io, const ChildSa *child, unsigned parts) {
    called("install ");
    ck_assert_msg(take(world.reserved, &world.n_reserved, child->spi_in), "an SPI that is not reserved");
    if (world.install_error)
        return world.install_error;
    world.installed[world.n_installed++] = child->spi_in;
    return 0;
}

int netlink_io_remove(NetlinkIo *io, const ChildSa *child, unsigned parts) {
    called("remove ");
    (void)take(world.installed, &world.n_installed, child->spi_in); /* what is not there is left alone */
    return 0;
}

int netlink_io_move(NetlinkIo *io, const ChildSa *child, const Endpoint *old_local, const Endpoint *old_remote) {
    called("move ");
    return 0;
}

int netlink_io_traffic(NetlinkIo *io, const ChildSa *child, uint64_t *ret_packets_in, uint64_t *ret_packets_out) {
    *ret_packets_in = *ret_packets_out = 0;
    return 0;
}

bool netlink_io_has(const NetlinkIo *io, unsigned features) {
    return false;
}

static void assert_kernel(size_t installed) {
    ck_assert_uint_eq(world.n_installed, installed);
    ck_assert_uint_eq(world.n_reserved, 0);
}

/* -- what happens next -- */

static bool arrive(void) {
    for (size_t i = 0; i < world.n_arriving; i++) {
        Arriving a = world.arriving[i];
        if (world.slow[a.from])
            continue;
        memmove(&world.arriving[i], &world.arriving[i + 1], (--world.n_arriving - i) * sizeof a);
        tunnel_input(world.tunnel, a.message->bytes, a.message->size, &a.address);
        free(a.message);
        return true;
    }
    return false;
}

static usec_t timer_due(const sd_event_source *s) {
    if (!s->enabled || s->at == USEC_NEVER)
        return USEC_NEVER;
    usec_t now = s->clock == CLOCK_REALTIME ? world.real : world.mono;
    return world.mono + (s->at > now ? s->at - now : 0);
}

/* Lets *usec* pass. */
static void run(usec_t usec) {
    usec_t until = world.mono + usec;
    for (;;) {
        while (arrive())
            ;
        sd_event_source *next = NULL;
        for (size_t i = 0; i < world.n_timers; i++)
            if (!next || timer_due(&world.timers[i]) < timer_due(next))
                next = &world.timers[i];
        usec_t to = MIN(timer_due(next), until);
        world.real += to - world.mono;
        world.mono = to;
        if (timer_due(next) > until)
            return;
        next->enabled = false;
        next->handler(next, next->at, next->userdata);
    }
}

/* -- the tunnel -- */

static void fill(void *userdata, void *ret, size_t size) {
    Rng rng = {.fill = seeded_fill, .userdata = &world.random[0]};
    world.drawn += size;
    rng.fill(rng.userdata, ret, size);
}

static void on_report(void *userdata, const TunnelReport *report) {
    if (report->configuration) {
        world.ups++;
        return;
    }
    world.downs++;
    world.moves += report->moved;
    snprintf(world.text, sizeof world.text, "%s", report->text);
    if (world.reopen) {
        Address next = address(world.reopen);
        world.reopen = NULL;
        ck_assert_int_eq(tunnel_open(world.tunnel, "segw.operator.example", &next), 0);
    }
}

static void on_idle(void *userdata) {
    world.idles++;
}

typedef struct Fixture {
    TrustStore *trust;
    Credential *device;
} Fixture;

static Fixture fixture_new(const Switches *switches, usec_t clock_floor) {
    Fixture f = {test_trust("ca.pem"), test_credential("device-ecdsa.pem", "device-ecdsa.key.pem")};

    memset(&world, 0, sizeof world);
    world.mono = 1000 * USEC_PER_SEC;
    world.real = START;
    world.random[0] = 11;
    world.source[0] = address("198.51.100.7");
    world.credential = test_credential("gateway.pem", "gateway.key.pem");
    for (unsigned i = 0; i < GATEWAYS; i++)
        gateway_restart(i, switches);
    TunnelConfig config = {.ike = {.trust = f.trust,
                                   .credential = f.device,
                                   .rng = {.fill = fill},
                                   .clock_floor = clock_floor,
                                   .clock_lenient = clock_floor > 0},
                           .report = on_report,
                           .idle = on_idle};
    ck_assert_int_eq(tunnel_new(&world.tunnel, &config), 0);
    return f;
}

static void fixture_free(Fixture *f) {
    tunnel_free(world.tunnel);
    for (unsigned i = 0; i < GATEWAYS; i++)
        responder_free(&world.gateways[i]);
    assert_kernel(0);
    for (size_t i = 0; i < world.n_arriving; i++)
        free(world.arriving[i].message);
    credential_free(world.credential);
    credential_free(f->device);
    trust_store_free(f->trust);
}

static void open_gateway(unsigned i) {
    Address remote = address(gateway_addresses[i]);
    ck_assert_int_eq(tunnel_open(world.tunnel, "segw.operator.example", &remote), 0);
}

static void up(unsigned i) {
    unsigned before = world.ups;
    open_gateway(i);
    run(0);
    ck_assert_msg(world.ups == before + 1, "not up: %s", world.text);
    assert_kernel(1);
}

static void assert_outer(const char *remote, bool nat_local, bool nat_remote) {
    TunnelOuter outer;
    tunnel_outer(world.tunnel, &outer);
    ck_assert_str_eq(ADDRESS_STR(&outer.local), remote[0] ? "198.51.100.7" : "");
    ck_assert_str_eq(ADDRESS_STR(&outer.remote), remote);
    ck_assert(outer.nat_local == nat_local && outer.nat_remote == nat_remote);
}

/* -- tests -- */

START_TEST(one_tunnel) {
    Fixture f = fixture_new(&(Switches){}, 0);
    open_gateway(0);
    assert_outer("", false, false);
    run(0);
    ck_assert_str_eq(world.calls, "reserve inner install ");
    assert_outer(gateway_addresses[0], false, false);
    tunnel_close(world.tunnel);
    ck_assert_str_eq(world.calls, "reserve inner install remove ");
    assert_outer("", false, false);
    ck_assert(!tunnel_is_idle(world.tunnel));
    run(0);
    ck_assert(tunnel_is_idle(world.tunnel));
    ck_assert_uint_eq(world.idles, 1);
    ck_assert_uint_eq(world.downs, 0);
    ck_assert_uint_eq(world.gateways[0].deletes_ike, 1);
    fixture_free(&f);
}
END_TEST

START_TEST(nat_as_it_was_seen) {
    static const Switches cases[] = {{}, {.nat_initiator = true}, {.nat_responder = true}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Fixture f = fixture_new(&cases[i], 0);
        up(0);
        assert_outer(gateway_addresses[0], cases[i].nat_initiator, cases[i].nat_responder);
        fixture_free(&f);
    }
}
END_TEST

/* Two gateways give the very same inner address and everything as selectors, so the second one's policies are
 * in the first one's slots. The first is silent: its DELETE is on the way all the while, and given up. */
START_TEST(one_after_the_other) {
    Fixture f = fixture_new(&(Switches){}, 0);
    up(0);
    world.silent[0] = true;
    world.calls[0] = 0;
    tunnel_close(world.tunnel);
    assert_kernel(0);
    up(1);
    ck_assert_str_eq(world.calls, "remove reserve inner install ");
    run(30 * USEC_PER_SEC);
    ck_assert_str_eq(world.calls, "remove reserve inner install ");
    assert_kernel(1);
    assert_outer(gateway_addresses[1], false, false);
    ck_assert_uint_eq(world.downs + world.idles, 0);
    fixture_free(&f);
}
END_TEST

/* The same, and what the first one still sends arrives late: its answer to the DELETE, a DELETE of its own.
 */
START_TEST(late_words_of_the_first) {
    Fixture f = fixture_new(&(Switches){}, 0);
    Message *m = malloc(sizeof *m);

    up(0);
    world.slow[0] = true;
    responder_request(&world.gateways[0], IKE_EXCHANGE_INFORMATIONAL, payload_delete_child, m);
    world.arriving[world.n_arriving++] = (Arriving){0, {address(gateway_addresses[0]), IKE_PORT}, m};
    tunnel_close(world.tunnel);
    up(1);
    world.calls[0] = 0;
    world.slow[0] = false;
    run(30 * USEC_PER_SEC);
    ck_assert_uint_eq(world.n_arriving, 0);
    ck_assert_str_eq(world.calls, "");
    ck_assert_uint_eq(world.downs, 0);
    assert_outer(gateway_addresses[1], false, false);
    fixture_free(&f);
}
END_TEST

/* Closed at every step of its set-up, with the answer that was under way coming in when the next tunnel is
 * up: the first one programs nothing any more. */
START_TEST(closed_halfway) {
    for (unsigned arrived = 0; arrived < 2; arrived++) {
        Fixture f = fixture_new(&(Switches){}, 0);
        open_gateway(0);
        for (unsigned i = 0; i < arrived; i++)
            ck_assert(arrive());
        ck_assert_uint_eq(world.n_reserved, arrived);
        world.slow[0] = true;
        tunnel_close(world.tunnel);
        assert_kernel(0);
        up(1);
        world.calls[0] = 0;
        world.slow[0] = false;
        run(30 * USEC_PER_SEC);
        ck_assert_str_eq(world.calls, "");
        ck_assert_uint_eq(world.gateways[0].deletes_ike, arrived);
        assert_outer(gateway_addresses[1], false, false);
        ck_assert_uint_eq(world.ups, 1);
        ck_assert_uint_eq(world.downs, 0);
        fixture_free(&f);
    }
}
END_TEST

/* The next one is opened from within the report about the first. */
START_TEST(reopened_in_the_report) {
    Fixture f = fixture_new(&(Switches){}, 0);
    Message *m = malloc(sizeof *m);

    up(0);
    world.reopen = gateway_addresses[1];
    responder_request(&world.gateways[0], IKE_EXCHANGE_INFORMATIONAL, payload_delete_child, m);
    world.arriving[world.n_arriving++] = (Arriving){0, {address(gateway_addresses[0]), IKE_PORT}, m};
    run(0);
    ck_assert_uint_eq(world.downs, 1);
    ck_assert_uint_eq(world.ups, 2);
    assert_kernel(1);
    assert_outer(gateway_addresses[1], false, false);
    ck_assert_uint_eq(world.gateways[0].deletes_ike, 1);
    fixture_free(&f);
}
END_TEST

START_TEST(the_kernel_refuses) {
    Fixture f = fixture_new(&(Switches){}, 0);
    world.install_error = -EINVAL;
    open_gateway(0);
    run(0);
    ck_assert_uint_eq(world.downs, 1);
    ck_assert_ptr_nonnull(strstr(world.text, "the kernel refused"));
    ck_assert_uint_eq(world.gateways[0].deletes_ike, 1);
    assert_kernel(0);
    assert_outer("", false, false);
    fixture_free(&f);
}
END_TEST

/* -- what is remembered -- */

static unsigned inits_of(unsigned gateway) {
    unsigned before = world.inits[gateway];
    up(gateway);
    tunnel_close(world.tunnel);
    run(0);
    return world.inits[gateway] - before;
}

START_TEST(groups_by_gateway) {
    Fixture f = fixture_new(&(Switches){.group = IKE_DH_ECP_384}, 0);
    gateway_restart(1, &(Switches){});
    ck_assert_uint_eq(inits_of(0), 2);
    ck_assert_uint_eq(inits_of(0), 1);
    ck_assert_uint_eq(inits_of(1), 1); /* is not asked for the other one's group */
    ck_assert_uint_eq(inits_of(0), 1);
    gateway_restart(0, &(Switches){.group = IKE_DH_CURVE25519}); /* changes its mind */
    ck_assert_uint_eq(inits_of(0), 2);
    ck_assert_uint_eq(inits_of(0), 1);
    gateway_restart(0, &(Switches){.group = IKE_DH_ECP_256}); /* to what is ours anyway */
    ck_assert_uint_eq(inits_of(0), 2);
    ck_assert_uint_eq(inits_of(0), 1);
    fixture_free(&f);
}
END_TEST

/* Refused with the group that was remembered: then it is not offered again. */
START_TEST(group_is_forgotten) {
    Fixture f = fixture_new(&(Switches){.group = IKE_DH_ECP_384}, 0);
    ck_assert_uint_eq(inits_of(0), 2);
    gateway_restart(0, &(Switches){.init_error = IKE_NOTIFY_NO_PROPOSAL_CHOSEN});
    open_gateway(0);
    run(10 * USEC_PER_SEC);
    ck_assert_uint_eq(world.downs, 1);
    gateway_restart(0, &(Switches){.group = IKE_DH_ECP_256});
    ck_assert_uint_eq(inits_of(0), 1);
    /* A silent one has refused nothing. */
    gateway_restart(0, &(Switches){.group = IKE_DH_ECP_384});
    ck_assert_uint_eq(inits_of(0), 2);
    world.silent[0] = true;
    open_gateway(0);
    run(20 * USEC_PER_SEC);
    ck_assert_uint_eq(world.downs, 2);
    world.silent[0] = false;
    ck_assert_uint_eq(inits_of(0), 1);
    fixture_free(&f);
}
END_TEST

START_TEST(groups_are_bounded) {
    Gateways g = {};
    Address a = address("192.0.2.0"), six = address("2001:db8::");

    ck_assert_uint_eq(gateways_group(&g, &a), 0);
    for (unsigned i = 0; i < 3 * GATEWAYS_MAX; i++) {
        a.bytes[3] = (uint8_t)i;
        gateways_remember(&g, &a, (uint16_t)(100 + i));
        gateways_remember(&g, &six, 0); /* nothing to forget */
    }
    for (unsigned i = 0; i < 3 * GATEWAYS_MAX; i++) {
        a.bytes[3] = (uint8_t)i;
        ck_assert_uint_eq(gateways_group(&g, &a), i < 2 * GATEWAYS_MAX ? 0 : 100 + i);
    }
    gateways_remember(&g, &a, 7); /* in its place */
    ck_assert_uint_eq(gateways_group(&g, &a), 7);
    gateways_remember(&g, &a, 0);
    ck_assert_uint_eq(gateways_group(&g, &a), 0);
    a.bytes[3]--;
    ck_assert_uint_ne(gateways_group(&g, &a), 0);
}
END_TEST

/* -- what is made ahead -- */

/* Bytes of randomness that opening takes: with a pair made ahead only the jitter of the first packet. */
static size_t drawn_by_open(unsigned gateway) {
    size_t before = world.drawn;
    open_gateway(gateway);
    size_t drawn = world.drawn - before;
    tunnel_close(world.tunnel);
    run(0);
    return drawn;
}

START_TEST(prepared_once) {
    Fixture f = fixture_new(&(Switches){}, 0);
    size_t usual = drawn_by_open(0);
    ck_assert_uint_ge(usual, 8 + 32 + 32);
    tunnel_prepare(world.tunnel);
    size_t before = world.drawn;
    tunnel_prepare(world.tunnel); /* there is one */
    ck_assert_uint_eq(world.drawn, before);
    ck_assert_uint_le(drawn_by_open(0), 2 * sizeof(uint64_t));
    ck_assert_uint_ge(drawn_by_open(0), 8 + 32 + 32); /* and it is gone */
    tunnel_prepare(world.tunnel);
    up(1);
    ck_assert_uint_eq(world.n_spis, 4);
    tunnel_prepare(world.tunnel); /* never used: freed with the tunnel */
    fixture_free(&f);
}
END_TEST

START_TEST(prepared_of_another_group) {
    Fixture f = fixture_new(&(Switches){.group = IKE_DH_ECP_384}, 0);
    gateway_restart(1, &(Switches){});
    ck_assert_uint_eq(inits_of(0), 2);
    tunnel_prepare(world.tunnel);
    ck_assert_uint_ge(drawn_by_open(0), 8 + 32 + 48); /* remembered, so it does not fit */
    ck_assert_uint_le(drawn_by_open(1), 2 * sizeof(uint64_t));
    fixture_free(&f);
}
END_TEST

START_TEST(prepared_for_long) {
    Fixture f = fixture_new(&(Switches){}, 0);
    tunnel_prepare(world.tunnel);
    run(TUNNEL_PREPARED_MAX - 1);
    ck_assert_uint_le(drawn_by_open(0), 2 * sizeof(uint64_t));
    tunnel_prepare(world.tunnel);
    run(TUNNEL_PREPARED_MAX + 1);
    ck_assert_uint_ge(drawn_by_open(0), 8 + 32 + 32);
    for (size_t i = 0; i < world.n_timers; i++)
        ck_assert_uint_eq(timer_due(&world.timers[i]), USEC_NEVER);
    fixture_free(&f);
}
END_TEST

/* -- the uplink -- */

START_TEST(uplink_moves) {
    Fixture f = fixture_new(&(Switches){}, 0);
    up(0);
    tunnel_uplink_changed(world.tunnel);
    world.source[0] = (Address){}; /* no way at all: may be over in a moment */
    tunnel_uplink_changed(world.tunnel);
    ck_assert_uint_eq(world.downs, 0);
    world.source[0] = address("198.51.100.7");
    tunnel_uplink_changed(world.tunnel);
    ck_assert_uint_eq(world.downs, 0);
    world.source[0] = address("198.51.100.8");
    tunnel_uplink_changed(world.tunnel);
    ck_assert_uint_eq(world.downs, 1);
    ck_assert_uint_eq(world.moves, 1);
    ck_assert_str_eq(world.text, "the uplink's address is 198.51.100.8 now, no longer 198.51.100.7");
    assert_kernel(0);
    assert_outer("", false, false);
    tunnel_uplink_changed(world.tunnel);
    ck_assert_uint_eq(world.downs, 1);
    fixture_free(&f);
}
END_TEST

START_TEST(uplink_goes) {
    Fixture f = fixture_new(&(Switches){}, 0);
    up(0);
    Address before = world.source[0];
    world.source[0] = (Address){};
    tunnel_uplink_changed(world.tunnel);
    run(TUNNEL_UPLINK_GRACE - 1);
    world.source[0] = before; /* back in time */
    tunnel_uplink_changed(world.tunnel);
    run(TUNNEL_UPLINK_GRACE);
    ck_assert_uint_eq(world.downs, 0);
    world.source[0] = (Address){};
    tunnel_uplink_changed(world.tunnel);
    run(TUNNEL_UPLINK_GRACE / 2);
    tunnel_uplink_changed(world.tunnel); /* more of the same begins no new wait */
    run(TUNNEL_UPLINK_GRACE / 2 + 1);
    ck_assert_uint_eq(world.downs, 1);
    ck_assert_uint_eq(world.moves, 1);
    assert_kernel(0);
    fixture_free(&f);
}
END_TEST

/* IKE gives up before the uplink is given up: it is told once. */
START_TEST(uplink_goes_while_ike_gives_up) {
    Fixture f = fixture_new(&(Switches){}, 0);
    Address gateway = address("203.0.113.1");
    world.silent[0] = true;
    ck_assert_int_eq(tunnel_open(world.tunnel, "segw.operator.example", &gateway), 0);
    run(UINT64_C(10) * USEC_PER_SEC); /* of IKE's 15.5 s */
    world.source[0] = (Address){};
    tunnel_uplink_changed(world.tunnel);
    run(2 * TUNNEL_UPLINK_GRACE);
    ck_assert_uint_eq(world.downs, 1);
    ck_assert_uint_eq(world.moves, 0);
    fixture_free(&f);
}
END_TEST

/* A family without a way fails at once, also when the kernel would lend it an inner address. */
START_TEST(no_way_there) {
    Fixture f = fixture_new(&(Switches){.inner = {"10.1.0.7", "2001:db8:1::7"}}, 0);
    Address six = address("2001:db8::1");
    ck_assert_int_eq(tunnel_open(world.tunnel, "segw.operator.example", &six), -ENETUNREACH);
    up(0);
    world.source[1] = address("2001:db8:1::7");
    ck_assert_int_eq(tunnel_open(world.tunnel, "segw.operator.example", &six), -ENETUNREACH);
    ck_assert_uint_eq(world.downs, 0);
    assert_kernel(0);
    fixture_free(&f);
}
END_TEST

/* -- the clock -- */

START_TEST(clock_is_set) {
    static const char *const expired[] = {"gateway-expired.pem", ""};
    TestChain chain = test_chain(expired);
    for (unsigned bad = 0; bad < 2; bad++) {
        Fixture f = fixture_new(&(Switches){.chain = bad ? &chain : NULL}, BUILT_AT);
        world.real = 0;
        LOG_OF(up(0), "SeGW 203.0.113.1: the time is not known yet");
        run(3 * IKE_LIVENESS_INTERVAL);
        ck_assert_uint_eq(world.downs, 0);
        world.real = START; /* the kernel fires the timer on the clock that was set */
        run(0);
        ck_assert_uint_eq(world.downs, bad);
        assert_kernel(!bad);
        if (bad) {
            ck_assert_ptr_nonnull(strstr(world.text, "SeGW 203.0.113.1: gateway not trusted now"));
            ck_assert_ptr_nonnull(strstr(world.text, "expired"));
            ck_assert_uint_eq(world.gateways[0].deletes_ike, 1);
        }
        fixture_free(&f);
    }
    test_chain_free(&chain);
}
END_TEST

SUITE("tunnel", one_tunnel, nat_as_it_was_seen, one_after_the_other, late_words_of_the_first, closed_halfway,
      reopened_in_the_report, the_kernel_refuses, groups_by_gateway, group_is_forgotten, groups_are_bounded,
      prepared_once, prepared_of_another_group, prepared_for_long, uplink_moves, uplink_goes,
      uplink_goes_while_ike_gives_up, no_way_there, clock_is_set)
