/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See ike-link.h. */
#include "ike-link.h"

#include <check.h>
#include <stdio.h>

const LinkFiles link_files_quick = {"ed25519-ca.pem", "device-ed25519.pem", "device-ed25519.key.pem",
                                    "gateway-ed25519-ed25519.pem", "gateway-ed25519.key.pem"};

Link *link_new(const Switches *switches, const LinkFiles *files, uint64_t seed) {
    static const LinkFiles usual = {"ca.pem", "device-ecdsa.pem", "device-ecdsa.key.pem", "gateway.pem",
                                    "gateway.key.pem"};
    Link *l = calloc(1, sizeof *l);
    Endpoint gateway = {.port = IKE_PORT};
    Switches s = *switches;

    files = files ?: &usual;
    l->now = (Moment){.mono = 1000 * USEC_PER_SEC, .real = LINK_START};
    l->rng = seeded_rng(&l->random[2], seed ^ 0x1111);
    l->trust = test_trust(files->trust ?: usual.trust);
    l->device = test_credential(files->device ?: usual.device, files->device_key ?: usual.device_key);
    l->gateway = test_credential(files->gateway ?: usual.gateway, files->gateway_key ?: usual.gateway_key);
    l->config = (IkeConfig){.identity = "segw.operator.example",
                            .trust = l->trust,
                            .credential = l->device,
                            .allocate_spi = kernel_allocate,
                            .userdata = &l->kernel,
                            .rng = seeded_rng(&l->random[0], seed)};
    ck_assert_int_eq(address_parse("198.51.100.7", &l->config.local), 0);
    ck_assert_int_eq(address_parse("203.0.113.1", &l->config.remote), 0);
    if (!s.credential)
        s.credential = l->gateway;
    gateway.address = l->config.remote;
    Rng rng = seeded_rng(&l->random[1], seed ^ 0x2222);
    responder_init(&l->responder, &s, &rng, &gateway);
    return l;
}

void link_free(Link *l) {
    if (!l)
        return;
    for (size_t i = 0; i < l->n_flights; i++)
        free(l->flights[i].data);
    ike_sa_free(l->sa);
    trust_store_free(l->trust);
    credential_free(l->device);
    credential_free(l->gateway);
    responder_free(&l->responder);
    free(l);
}

static Flight *flight_add(Link *l, const Flight *flight) {
    ck_assert_uint_lt(l->n_flights, LINK_FLIGHTS_MAX);
    l->flights[l->n_flights] = *flight;
    return &l->flights[l->n_flights++];
}

static void fly(Link *l, bool to_gateway, const Endpoint *from, const Endpoint *to, const void *data,
                size_t size, usec_t delay) {
    Flight *f = flight_add(
        l, &(Flight){
               .at = l->now.mono + delay, .to_gateway = to_gateway, .from = *from, .to = *to, .size = size});
    f->data = malloc(size ?: 1); /* of exactly this size, so that a sanitizer sees what runs past it */
    memcpy(f->data, data, size);
}

void link_inject(Link *l, const Endpoint *from, const void *data, size_t size, usec_t delay) {
    fly(l, false, from, &(Endpoint){l->config.local, IKE_PORT}, data, size, delay);
}

static void transmit(Link *l, bool by_gateway, const Endpoint *from, const Endpoint *to, const uint8_t *data,
                     size_t size) {
    Fate fate = {.copies = 1, .delays = {LINK_DELAY, LINK_DELAY, LINK_DELAY, LINK_DELAY}};
    Reader r = reader_new(data, size);
    uint8_t bytes[RESPONDER_MESSAGE_MAX];
    size_t n = size;

    Sent last, *s = l->unrecorded ? &last : &l->sent[l->n_sent++];
    ck_assert_uint_le(l->n_sent, LINK_SENT_MAX);
    *s = (Sent){.at = l->now.mono,
                .by_gateway = by_gateway,
                .from = *from,
                .to = *to,
                .size = size,
                .hash = bytes_hash(data, size)};
    ck_assert_int_eq(ike_header_decode(&r, &s->header) == 0 || by_gateway, 1);
    if (l->fate)
        l->fate(l, s, &fate);
    memcpy(bytes, data, size);
    for (unsigned i = 0; i < fate.copies; i++) {
        if (l->mangle)
            l->mangle(l, by_gateway, bytes, &n);
        fly(l, !by_gateway, from, to, bytes, n, fate.delays[i]);
    }
}

void link_send_message(Link *l, const Message *m) {
    if (m->size > 0)
        transmit(l, true, &l->responder.local, &l->responder.peer, m->bytes, m->size);
}

static void child_up(Link *l, const IkeAction *a) {
    l->ups++;
    l->child = *a->up.child;
    l->configuration = *a->up.configuration;
    l->undated = a->up.undated;
}

static void answer_traffic(Link *l, const IkeAction *a) {
    const KernelPair *p = kernel_inbound(&l->kernel, a->child.child->spi_in);
    l->queries++;
    if (p)
        ike_sa_traffic(l->sa, l->now, p->sa.spi_in, p->packets_in, p->packets_out);
}

static void revocation_note(Link *l, const IkeAction *a) {
    l->revocations++;
    l->n_chain = a->revocation.chain->n;
    l->n_ocsp = a->revocation.n_ocsp;
    l->ocsp_size = 0;
    if (l->n_ocsp > 0)
        memcpy(l->ocsp, a->revocation.ocsp[0].data,
               l->ocsp_size = MIN(a->revocation.ocsp[0].size, sizeof l->ocsp));
}

static void revocation_answer(Link *l, const IkeAction *a) {
    char text[ERROR_MAX_BYTES] = "";

    revocation_note(l, a);
    bool good = l->judge ? l->judge(l, a->revocation.chain, a->revocation.ocsp, a->revocation.n_ocsp, text)
                         : !l->revoked;
    ike_sa_revocation(l->sa, l->now, good, l->judge ? text : l->revoked);
}

static void perform(Link *l, const IkeAction *a) {
    uint32_t spi;

    switch (a->type) {
    case IKE_SEND:
        transmit(l, false, &a->send.local, &a->send.remote, a->send.data, a->send.size);
        break;
    case IKE_KEEPALIVE:
        l->keepalives++;
        break;
    case IKE_CHILD_UP:
        child_up(l, a);
        if (!kernel_perform(&l->kernel, a))
            ike_sa_close(l->sa, l->now);
        break;
    case IKE_CHILD_INSTALL:
        spi = a->child.child->spi_in;
        if (!kernel_perform(&l->kernel, a))
            ike_sa_child_failed(l->sa, l->now, spi);
        break;
    case IKE_CHILD_REMOVE:
    case IKE_CHILD_MOVED:
        kernel_perform(&l->kernel, a);
        break;
    case IKE_CHILD_DOWN:
        ck_assert_uint_eq(l->ups, l->downs + 1);
        l->downs++;
        l->down_at = l->now.mono;
        snprintf(l->text, sizeof l->text, "%s", a->ended.text);
        break;
    case IKE_QUERY_TRAFFIC:
        answer_traffic(l, a);
        break;
    case IKE_REVOCATION:
        revocation_answer(l, a);
        break;
    case IKE_REAUTHENTICATE:
        l->reauthentications++;
        l->redirected = a->reauthenticate.redirected;
        snprintf(l->text, sizeof l->text, "%s", a->reauthenticate.text);
        break;
    case IKE_ENDED:
        l->ends++;
        l->end = a->ended.end;
        l->ended_at = l->now.mono;
        snprintf(l->text, sizeof l->text, "%s", a->ended.text);
        kernel_assert_empty(&l->kernel);
        break;
    }
}

void link_drain(Link *l) {
    IkeAction a;

    while (ike_sa_next(l->sa, &a))
        perform(l, &a);
    kernel_assert_settled(&l->kernel);
}

void link_start(Link *l) {
    ck_assert_int_eq(ike_sa_new(&l->sa, &l->config, l->now), 0);
    link_drain(l);
}

void link_close(Link *l) {
    ike_sa_close(l->sa, l->now);
    link_drain(l);
}

void link_gateway(Link *l) {
    ResponderDatagram d;

    while (responder_next(&l->responder, &d))
        transmit(l, true, &d.local, &d.remote, d.data, d.size);
}

/* One ESP packet each way, if there is something to send it with. */
static void packets_send(Link *l) {
    KernelPair *out = kernel_outbound(&l->kernel);
    ResponderChild *child = l->responder.in_use ? responder_child(&l->responder, 0) : NULL;

    if (out) {
        flight_add(l, &(Flight){.at = l->now.mono + LINK_DELAY + rng_below(&l->rng, l->packet_jitter + 1),
                                .to_gateway = true,
                                .spi = out->sa.spi_out,
                                .keys = out->sa.keys_out});
        out->packets_out++;
    }
    if (child)
        flight_add(l, &(Flight){.at = l->now.mono + LINK_DELAY + rng_below(&l->rng, l->packet_jitter + 1),
                                .spi = child->sa.spi_out,
                                .keys = child->sa.keys_out});
    l->packets_unsent[0] += !out;
    l->packets_unsent[1] += !child;
    l->packets_sent[0] += out != NULL;
    l->packets_sent[1] += child != NULL;
}

static bool keys_equal(const EspKeys *a, const EspKeys *b) {
    return memcmp(a, b, sizeof *a) == 0;
}

static bool packet_arrives(Link *l, const Flight *f) {
    if (f->to_gateway) {
        ResponderChild *child = responder_child(&l->responder, f->spi);
        return f->spi && child && keys_equal(&child->sa.keys_in, &f->keys);
    }
    KernelPair *p = kernel_inbound(&l->kernel, f->spi);
    bool good = p && keys_equal(&p->sa.keys_in, &f->keys);
    if (good)
        p->packets_in++;
    return good;
}

bool link_echo(Link *l) {
    KernelPair *out = kernel_outbound(&l->kernel);
    ResponderChild *child = l->responder.in_use ? responder_child(&l->responder, 0) : NULL;

    return out && child &&
           packet_arrives(l,
                          &(Flight){.to_gateway = true, .spi = out->sa.spi_out, .keys = out->sa.keys_out}) &&
           packet_arrives(l, &(Flight){.spi = child->sa.spi_out, .keys = child->sa.keys_out});
}

static void deliver(Link *l, size_t i) {
    Flight f = l->flights[i];
    memmove(&l->flights[i], &l->flights[i + 1], (--l->n_flights - i) * sizeof f);
    if (!f.data)
        l->packets_lost[!f.to_gateway] += !packet_arrives(l, &f);
    else if (f.to_gateway) {
        l->responder.local = f.to;
        l->responder.now = l->now.mono;
        if (!l->gateway_silent)
            responder_input(&l->responder, f.data, f.size, &f.from, NULL);
        link_gateway(l);
    } else if (l->sa && (l->home.family == AF_UNSPEC || address_equal(&f.to.address, &l->home))) {
        ike_sa_input(l->sa, l->now, f.data, f.size, &f.from);
        link_drain(l);
    }
    free(f.data);
}

static void advance(Link *l, usec_t to) {
    if (to <= l->now.mono)
        return;
    l->now.real += to - l->now.mono;
    l->now.mono = to;
}

void link_set_clock(Link *l, usec_t real) {
    l->now.real = real;
    if (real >= ike_sa_real_deadline(l->sa)) {
        ike_sa_tick(l->sa, l->now);
        link_drain(l);
    }
}

/* Both deadlines on the clock that is not set. */
static usec_t sa_deadline(const Link *l) {
    usec_t deadline = ike_sa_deadline(l->sa), real = ike_sa_real_deadline(l->sa);
    if (real != USEC_NEVER)
        deadline = MIN(deadline, l->now.mono + (real > l->now.real ? real - l->now.real : 0));
    return deadline;
}

/* Whose turn is next. */
typedef enum Turn {
    TURN_NONE,
    TURN_ENGINE,
    TURN_GATEWAY,
    TURN_PACKETS,
    TURN_FLIGHT,
} Turn;

static Turn turn_next(const Link *l, usec_t *ret_at, size_t *ret_flight) {
    usec_t next = !l->sa || l->ends ? USEC_NEVER : sa_deadline(l),
           gateway = responder_deadline(&l->responder);
    Turn turn = next == USEC_NEVER ? TURN_NONE : TURN_ENGINE;

    if (gateway < next && !l->gateway_silent) {
        next = gateway;
        turn = TURN_GATEWAY;
    }
    if (l->packet_interval && l->packet_at < next) {
        next = l->packet_at;
        turn = TURN_PACKETS;
    }
    for (size_t i = 0; i < l->n_flights; i++)
        if (l->flights[i].at < next || (l->flights[i].at == next && turn != TURN_FLIGHT)) {
            next = l->flights[i].at;
            turn = TURN_FLIGHT;
            *ret_flight = i;
        }
    *ret_at = next;
    return turn;
}

bool link_step(Link *l, usec_t until) {
    size_t flight = 0;
    usec_t next;
    Turn turn = turn_next(l, &next, &flight);
    /* What a gateway does with itself is no reason to run on for ever. */
    bool idle = until == USEC_NEVER && l->ends && l->n_flights == 0;

    if (turn == TURN_NONE || next > until || idle) {
        if (until != USEC_NEVER)
            advance(l, until);
        return false;
    }
    advance(l, next);
    l->responder.now = l->now.mono;
    switch (turn) {
    case TURN_NONE:
        break;
    case TURN_FLIGHT:
        deliver(l, flight);
        break;
    case TURN_GATEWAY:
        responder_tick(&l->responder);
        link_gateway(l);
        break;
    case TURN_PACKETS:
        l->packet_at += l->packet_interval;
        packets_send(l);
        break;
    case TURN_ENGINE:
        ike_sa_tick(l->sa, l->now);
        link_drain(l);
        break;
    }
    return true;
}

void link_run(Link *l, usec_t until) {
    while (link_step(l, until))
        ;
}

void link_run_for(Link *l, usec_t time) {
    link_run(l, l->now.mono + time);
}

bool link_establish(Link *l) {
    if (!l->sa)
        link_start(l);
    while (!l->ups && !l->ends && link_step(l, USEC_NEVER))
        ;
    return l->ups > 0 && !l->ends;
}

unsigned link_count(const Link *l, uint8_t exchange, bool response) {
    unsigned n = 0;
    for (size_t i = 0; i < l->n_sent; i++)
        n += !l->sent[i].by_gateway && l->sent[i].header.exchange == exchange &&
             !!(l->sent[i].header.flags & IKE_FLAG_RESPONSE) == response;
    return n;
}

void link_assert_agreed(const Link *l) {
    const ChildSa *a = &l->child, *b = &l->responder.child;

    ck_assert_uint_eq(l->ups, 1);
    ck_assert(l->responder.peer_authenticated);
    ck_assert_uint_eq(a->spi_in, b->spi_out);
    ck_assert_uint_eq(a->spi_out, b->spi_in);
    ck_assert_uint_gt(a->keys_in.encryption_size, 0);
    ck_assert_mem_eq(&a->keys_in, &b->keys_out, sizeof a->keys_in);
    ck_assert_mem_eq(&a->keys_out, &b->keys_in, sizeof a->keys_in);
    ck_assert_mem_ne(&a->keys_out, &a->keys_in, sizeof a->keys_in);
}

void link_assert_ended(Link *l, IkeEnd end, const char *text) {
    ck_assert_msg(!link_establish(l), "established");
    link_run(l, USEC_NEVER);
    ck_assert_uint_eq(l->ends, 1);
    ck_assert_msg(l->end == end, "ended %d (%s), not %d", l->end, l->text, end);
    CONTAINS(l->text, text);
    ck_assert_uint_eq(l->ups, 0);
    ck_assert(ike_sa_deadline(l->sa) == USEC_NEVER);
}

void link_assert_up(Link *l) {
    ck_assert_msg(link_establish(l), "ended %d: %s", l->end, l->text);
    link_assert_agreed(l);
}

bool link_is_one_pair(Link *l, char ret_why[static LINK_WHY_MAX]) {
    const ChildSa *child = l->sa ? ike_sa_child_in_use(l->sa) : NULL;
    KernelPair *out = kernel_outbound(&l->kernel);
    unsigned parts, pairs = 0, ikes = responder_count_ikes(&l->responder),
                    children = responder_count_children(&l->responder);

    for (size_t i = 0; l->sa && ike_sa_child(l->sa, i, &parts); i++)
        pairs++;
    snprintf(ret_why, LINK_WHY_MAX,
             "%u pairs of the engine, %zu in the kernel, %u at the gateway, %u IKE SAs%s%s", pairs,
             l->kernel.n, children, ikes, l->ends ? ", ended: " : "", l->ends ? l->text : "");
    if (!child || pairs != 1 || l->kernel.n != 1 || children != 1 || ikes != 1)
        return false;
    snprintf(ret_why, LINK_WHY_MAX, "the pairs differ: engine %08x/%08x, kernel %08x/%08x, gateway %08x/%08x",
             child->spi_in, child->spi_out, out ? out->sa.spi_in : 0, out ? out->sa.spi_out : 0,
             l->responder.child.spi_out, l->responder.child.spi_in);
    return out && out->parts == (CHILD_IN | CHILD_OUT) && out->sa.spi_in == child->spi_in &&
           out->sa.spi_out == child->spi_out && link_echo(l);
}

void link_assert_one_pair(Link *l) {
    char why[LINK_WHY_MAX];
    ck_assert_msg(link_is_one_pair(l, why), "%s", why);
}

void link_rekey_child(Link *l) {
    ike_sa_expire(l->sa, l->now, ike_sa_child_in_use(l->sa)->spi_in, false);
    link_drain(l);
}

void link_gateway_wants(Link *l, RequestType type, uint32_t child) {
    l->responder.now = l->now.mono;
    responder_want(&l->responder, type, child);
    link_gateway(l);
}
