/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See tunnel-world.h. */
#include "tunnel-world.h"

#include <time.h>

World world;
const char *const gateway_addresses[GATEWAYS] = {"203.0.113.1", "203.0.113.2"};

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

/* IKE's sockets --------------------------------------------------------------------------------------- */

int ike_io_source(const Address *remote, Address *ret) {
    const Address *source = &world.source[remote->family == AF_INET6];
    if (source->family == AF_UNSPEC)
        return -ENETUNREACH;
    *ret = *source;
    return 0;
}

static int gateway_at(const Address *a) {
    for (int i = 0; i < GATEWAYS; i++)
        if (streq(ADDRESS_STR(a), gateway_addresses[i]))
            return i;
    return -1; /* nobody is there */
}

void gateway_restart(unsigned i, const Switches *switches) {
    Switches s = *switches;
    Endpoint local = {address(gateway_addresses[i]), IKE_PORT};
    Rng rng = seeded_rng(&world.random[1], 77 + i);
    s.credential = world.credential;
    responder_init(&world.gateways[i], &s, &rng, &local);
    world.gateways[i].now = world.mono;
}

/* What the gateway wants to send is on its way. */
static void gateway_drain(unsigned i) {
    ResponderDatagram d;

    while (responder_next(&world.gateways[i], &d)) {
        ck_assert_uint_lt(world.n_arriving, ARRAY_SIZE(world.arriving));
        Arriving *a = &world.arriving[world.n_arriving++];
        *a = (Arriving){i, d.local, d.remote.address, d.size, malloc(d.size)};
        memcpy(a->data, d.data, d.size);
    }
}

void arrive_later(unsigned i, const Message *m) {
    ck_assert_uint_lt(world.n_arriving, ARRAY_SIZE(world.arriving));
    Arriving *a = &world.arriving[world.n_arriving++];
    *a = (Arriving){i, {address(gateway_addresses[i]), IKE_NAT_PORT}, {}, m->size, malloc(m->size)};
    memcpy(a->data, m->bytes, m->size);
}

int ike_io_send(IkeIo *io, const Endpoint *local, const Endpoint *remote, const uint8_t *data, size_t size) {
    int i = gateway_at(&remote->address);
    Reader reader = reader_new(data, size);
    IkeHeader h;

    ck_assert_int_eq(ike_header_decode(&reader, &h), 0);
    if (i < 0 || !address_equal(&local->address, &world.source[local->address.family == AF_INET6]))
        return 0; /* lost */
    Responder *r = &world.gateways[i];
    if (h.exchange == IKE_EXCHANGE_SA_INIT) {
        world.inits[i]++;
        if (h.spi_i != world.last_spi) {
            world.begun[i]++;
            world.n_spis++;
        }
        world.last_spi = h.spi_i;
    }
    if (world.silent[i])
        return 0;
    r->local.port = remote->port;
    r->now = world.mono;
    responder_input(r, data, size, local, NULL);
    gateway_drain((unsigned)i);
    return 0;
}

void ike_io_keepalive(IkeIo *io, const Endpoint *local, const Endpoint *remote) {
}

/* The resolver ---------------------------------------------------------------------------------------- */

int resolver_new(Resolver **ret, sd_event *event, const ResolverConfig *config) {
    ck_assert(!world.resolving); /* one question at a time, or the one before leaks */
    world.resolving = true;
    *ret = (Resolver *)&world.resolving;
    return 0;
}

int resolver_resolve(Resolver *resolver, const char *name, ResolverHandler handler, void *userdata) {
    ck_assert(world.resolving);
    snprintf(world.name, sizeof world.name, "%s", name);
    world.resolved = handler;
    world.resolved_for = userdata;
    world.names++;
    return 0;
}

void resolver_free(Resolver *resolver) {
    if (!resolver)
        return;
    ck_assert(world.resolving);
    world.resolving = false;
    world.resolved = NULL;
}

void world_resolve(const char *literal) {
    ResolverAnswer answer = {.error = -ENXIO, .text = "the name does not exist (NXDOMAIN)"};

    ck_assert_ptr_nonnull(world.resolved);
    if (literal)
        answer = (ResolverAnswer){.addresses = {.n = 1, .items = {address(literal)}}};
    ResolverHandler handler = world.resolved;
    world.resolved = NULL;
    handler(world.resolved_for, &answer);
}

/* Revocation ------------------------------------------------------------------------------------------ */

void revocation_io_cancel(RevocationIo *io) {
    revocation_job_free(TAKE_PTR(world.job));
}

int revocation_io_start(RevocationIo *io, RevocationJob *job, bool dated, RevocationIoHandler handler,
                        void *userdata) {
    if (world.job)
        return -EBUSY;
    world.job = job;
    world.judged = handler;
    world.judged_for = userdata;
    world.questions++;
    return 0;
}

void world_judge(bool good) {
    ck_assert_ptr_nonnull(world.job);
    revocation_job_free(TAKE_PTR(world.job));
    world.judged(world.judged_for, good, good ? REVOCATION_GOOD : REVOCATION_REVOKED,
                 good ? "" : "certificate 4711 is revoked");
}

/* The kernel ------------------------------------------------------------------------------------------ */

static void called(const char *what) {
    strncat(world.calls, what, sizeof world.calls - strlen(world.calls) - 1);
}

static WorldPair *pair_find(uint32_t spi) {
    for (size_t i = 0; i < world.n_pairs; i++)
        if (world.pairs[i].spi_in == spi)
            return &world.pairs[i];
    return NULL;
}

static unsigned outbound(void) {
    unsigned n = 0;
    for (size_t i = 0; i < world.n_pairs; i++)
        n += !!(world.pairs[i].parts & CHILD_OUT);
    return n;
}

WorldPair *world_outbound(void) {
    for (size_t i = 0; i < world.n_pairs; i++)
        if (world.pairs[i].parts & CHILD_OUT)
            return &world.pairs[i];
    return NULL;
}

static void pair_take_off(WorldPair *p, unsigned parts) {
    unsigned before = outbound();

    p->parts &= ~parts;
    world.gaps += before > 0 && outbound() == 0;
    if (p->parts == 0 && (!p->refused || parts & CHILD_IN || parts == 0))
        *p = world.pairs[--world.n_pairs];
}

int netlink_io_allocate_spi(NetlinkIo *io, const Address *remote, const Address *local, uint32_t *ret_spi) {
    called("reserve ");
    ck_assert_uint_lt(world.n_pairs, WORLD_PAIRS_MAX);
    *ret_spi = 0x1000 + ++world.next_spi;
    world.pairs[world.n_pairs++] = (WorldPair){.spi_in = *ret_spi, .remote = *remote};
    return 0;
}

int netlink_io_remove_sa(NetlinkIo *io, const Address *destination, uint32_t spi) {
    WorldPair *p = pair_find(spi);
    called("give-back ");
    /* What the kernel refused it has given back already. */
    ck_assert_msg(p ? p->parts == 0 : world.installs_refused > 0 || world.install_error,
                  "SPI %x is not reserved", spi);
    if (p)
        pair_take_off(p, 0);
    return 0;
}

int netlink_io_set_inner(NetlinkIo *io, const AddressList *inner) {
    called("inner ");
    ck_assert_uint_ge(inner->n, 1);
    world.inner = inner->items[0];
    return 0;
}

int netlink_io_install(NetlinkIo *io, const ChildSa *child, unsigned parts) {
    WorldPair *p = pair_find(child->spi_in);

    called("install ");
    ck_assert_msg(p && !p->refused && (p->parts & parts) == 0, "SPI %x is installed again", child->spi_in);
    if (world.install_error || world.refuse_installs > 0) {
        world.refuse_installs -= world.refuse_installs > 0;
        ck_assert_uint_lt(world.installs_refused, ARRAY_SIZE(world.refused_at));
        world.refused_at[world.installs_refused++] = world.mono;
        p->refused = true;
        return world.install_error ?: world.installs_refused % 2 ? -EINVAL : -ENOMEM;
    }
    p->parts |= parts;
    p->spi_out = child->spi_out;
    p->remote = child->remote.address;
    return 0;
}

int netlink_io_remove(NetlinkIo *io, const ChildSa *child, unsigned parts) {
    WorldPair *p = pair_find(child->spi_in);

    called("remove ");
    ck_assert_msg(p != NULL, "SPI %x is removed, which is not there", child->spi_in);
    pair_take_off(p, parts);
    return 0;
}

int netlink_io_move(NetlinkIo *io, const ChildSa *child, const Endpoint *old_local,
                    const Endpoint *old_remote) {
    WorldPair *p = pair_find(child->spi_in);

    called("move ");
    ck_assert_ptr_nonnull(p);
    if (!p->parts) /* somebody has taken it away */
        return -ENOENT;
    if (world.move_error) {
        world.gaps += p->parts & CHILD_OUT ? 1 : 0;
        p->parts = 0; /* then it is removed */
        p->refused = true;
        return world.move_error;
    }
    ck_assert(address_equal(&p->remote, &old_remote->address));
    world.moves_done++;
    world.moved_from[0] = *old_local;
    world.moved_from[1] = *old_remote;
    world.moved_to[0] = child->local;
    world.moved_to[1] = child->remote;
    p->remote = child->remote.address;
    return 0;
}

int netlink_io_traffic(NetlinkIo *io, const ChildSa *child, ChildTraffic *ret) {
    *ret = (ChildTraffic){};
    return 0;
}

int netlink_io_resync(NetlinkIo *io) {
    called("resync ");
    return 0;
}

bool netlink_io_has(const NetlinkIo *io, unsigned features) {
    return false;
}

void world_expire(uint32_t spi, bool hard) {
    for (size_t i = 0; i < world.n_pairs && hard; i++) {
        WorldPair *p = &world.pairs[i];
        unsigned part = p->spi_in == spi ? CHILD_IN : p->spi_out == spi && spi ? CHILD_OUT : 0;
        p->parts &= ~part;
        p->refused |= part != 0;
    }
    tunnel_expired(world.tunnel, spi, hard);
}

void assert_kernel(size_t installed) {
    size_t n = 0;

    for (size_t i = 0; i < world.n_pairs; i++) {
        const WorldPair *p = &world.pairs[i];
        ck_assert_msg(p->parts || p->refused, "SPI %x is still reserved", p->spi_in);
        n += p->parts != 0;
    }
    ck_assert_uint_eq(n, installed);
}

void assert_one(unsigned i) {
    assert_kernel(1);
    ck_assert_uint_eq(world.pairs[0].parts, CHILD_IN | CHILD_OUT);
    ck_assert_str_eq(ADDRESS_STR(&world.pairs[0].remote), gateway_addresses[i]);
    ck_assert_uint_eq(responder_count_ikes(&world.gateways[i]), 1);
    ck_assert_uint_eq(responder_count_children(&world.gateways[i]), 1);
    ck_assert_uint_eq(responder_count_ikes(&world.gateways[!i]), 0);
}

/* What happens next ----------------------------------------------------------------------------------- */

bool arrive(void) {
    for (size_t i = 0; i < world.n_arriving; i++) {
        Arriving a = world.arriving[i];
        if (world.slow[a.from])
            continue;
        memmove(&world.arriving[i], &world.arriving[i + 1], (--world.n_arriving - i) * sizeof a);
        if (a.to.family == AF_UNSPEC || address_equal(&a.to, &world.source[a.to.family == AF_INET6]))
            tunnel_input(world.tunnel, a.data, a.size, &a.address);
        free(a.data);
        ck_assert_uint_le(outbound(), 1);
        return true;
    }
    return false;
}

usec_t timer_due(const sd_event_source *s) {
    if (!s->enabled || s->at == USEC_NEVER)
        return USEC_NEVER;
    usec_t now = s->clock == CLOCK_REALTIME ? world.real : world.mono;
    return world.mono + (s->at > now ? s->at - now : 0);
}

static void time_passes(usec_t to) {
    world.real += to - world.mono;
    world.mono = to;
    for (unsigned i = 0; i < GATEWAYS; i++)
        world.gateways[i].now = to;
}

void run(usec_t usec) {
    usec_t until = world.mono + usec;

    for (unsigned steps = 0;; steps++) {
        ck_assert_msg(steps < 100000, "time stands still");
        for (unsigned i = 0; i < GATEWAYS; i++)
            gateway_drain(i);
        while (arrive())
            ;
        sd_event_source *next = NULL;
        for (size_t i = 0; i < world.n_timers; i++)
            if (!next || timer_due(&world.timers[i]) < timer_due(next))
                next = &world.timers[i];
        usec_t to = MIN(timer_due(next), until);
        unsigned gateway = GATEWAYS;
        for (unsigned i = 0; i < GATEWAYS; i++) {
            usec_t deadline = MAX(responder_deadline(&world.gateways[i]), world.mono);
            if (deadline < to) {
                to = deadline;
                gateway = i;
            }
        }
        time_passes(to);
        if (gateway < GATEWAYS)
            responder_tick(&world.gateways[gateway]);
        else if (timer_due(next) > until)
            return;
        else {
            next->enabled = false;
            next->handler(next, next->at, next->userdata);
            ck_assert_uint_le(outbound(), 1);
        }
    }
}

/* The tunnel ------------------------------------------------------------------------------------------ */

static void fill(void *userdata, void *ret, size_t size) {
    Rng rng = {.fill = seeded_fill, .userdata = &world.random[0]};
    world.drawn += size;
    rng.fill(rng.userdata, ret, size);
}

static void on_report(void *userdata, const TunnelReport *report) {
    if (report->again && !report->configuration)
        world.shifts++; /* the same tunnel, at other outer addresses */
    else if (report->configuration) {
        world.ups++;
        world.again += report->again;
    } else {
        ck_assert_ptr_nonnull(report->text);
        world.downs++;
        world.moves += report->moved;
        snprintf(world.text, sizeof world.text, "%s", report->text);
        world.message = report->message;
        if (world.reopen) {
            Address next = address(world.reopen);
            world.reopen = NULL;
            ck_assert_int_eq(tunnel_open(world.tunnel, IDENTITY, &next), 0);
        }
    }
    if (world.on_report)
        world.on_report(report);
}

static void on_idle(void *userdata) {
    ck_assert(tunnel_is_idle(world.tunnel));
    world.idles++;
}

static Fixture make(const Switches *switches, usec_t clock_floor, bool asks) {
    Fixture f = {.trust = test_trust("ca.pem"),
                 .device = test_credential("device-ecdsa.pem", "device-ecdsa.key.pem")};

    memset(&world, 0, sizeof world);
    world.mono = 1000 * USEC_PER_SEC;
    world.real = START;
    world.random[0] = 11;
    world.source[0] = address("198.51.100.7");
    world.credential = test_credential("gateway.pem", "gateway.key.pem");
    for (unsigned i = 0; i < GATEWAYS; i++)
        gateway_restart(i, switches);
    if (asks)
        ck_assert_int_eq(revocation_cache_new(&f.cache), 0);
    TunnelConfig config = {.ike = {.trust = f.trust,
                                   .credential = f.device,
                                   .rng = {.fill = fill},
                                   .clock_floor = clock_floor,
                                   .clock_lenient = clock_floor > 0,
                                   .check_revocation = asks},
                           .revocation_cache = f.cache,
                           .report = on_report,
                           .idle = on_idle};
    ck_assert_int_eq(tunnel_new(&world.tunnel, &config), 0);
    return f;
}

Fixture fixture_new(const Switches *switches, usec_t clock_floor) {
    return make(switches, clock_floor, false);
}

Fixture fixture_new_asking(const Switches *switches) {
    return make(switches, 0, true);
}

void fixture_free(Fixture *f) {
    tunnel_free(world.tunnel);
    for (unsigned i = 0; i < GATEWAYS; i++)
        responder_free(&world.gateways[i]);
    assert_kernel(0);
    ck_assert(!world.resolving);
    ck_assert_ptr_null(world.job);
    for (size_t i = 0; i < world.n_arriving; i++)
        free(world.arriving[i].data);
    revocation_cache_free(f->cache);
    credential_free(world.credential);
    credential_free(f->device);
    trust_store_free(f->trust);
}

void open_gateway(unsigned i) {
    Address remote = address(gateway_addresses[i]);
    ck_assert_int_eq(tunnel_open(world.tunnel, IDENTITY, &remote), 0);
}

void up(unsigned i) {
    unsigned before = world.ups;
    open_gateway(i);
    run(0);
    ck_assert_msg(world.ups == before + 1, "not up: %s", world.text);
    assert_kernel(1);
}

void assert_outer(const char *remote, bool nat_local, bool nat_remote) {
    TunnelView view = tunnel_view(world.tunnel);
    ck_assert_str_eq(ADDRESS_STR(&view.local), remote[0] ? "198.51.100.7" : "");
    ck_assert_str_eq(ADDRESS_STR(&view.remote), remote);
    ck_assert(view.nat_local == nat_local && view.nat_remote == nat_remote);
}
