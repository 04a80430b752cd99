/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See ike-link.h. */
#include "ike-link.h"

#include <check.h>
#include <stdio.h>

static uint64_t fnv(const uint8_t *data, size_t size) {
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++)
        h = (h ^ data[i]) * UINT64_C(0x100000001b3);
    return h;
}

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
    free(l);
}

static uint32_t allocate_spi(void *userdata) {
    Link *l = userdata;
    return l->refuse_spi ? 0 : 0xc0ffee01 + l->n_spis++;
}

static void fly(Link *l, bool to_gateway, const Endpoint *from, const Endpoint *to, const void *data,
                size_t size, usec_t delay) {
    ck_assert_uint_lt(l->n_flights, LINK_FLIGHTS_MAX);
    Flight *f = &l->flights[l->n_flights++];
    *f =
        (Flight){.at = l->now.mono + delay, .to_gateway = to_gateway, .from = *from, .to = *to, .size = size};
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

    ck_assert_uint_lt(l->n_sent, LINK_SENT_MAX);
    Sent *s = &l->sent[l->n_sent++];
    *s = (Sent){.at = l->now.mono,
                .by_gateway = by_gateway,
                .from = *from,
                .to = *to,
                .size = size,
                .hash = fnv(data, size)};
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

void link_drain(Link *l) {
    IkeAction a;

    while (ike_sa_next(l->sa, &a))
        switch (a.type) {
        case IKE_SEND:
            transmit(l, false, &a.send.local, &a.send.remote, a.send.data, a.send.size);
            break;
        case IKE_CHILD_UP:
            l->ups++;
            l->child = *a.up.child;
            l->configuration = *a.up.configuration;
            l->undated = a.up.undated;
            break;
        case IKE_CHILD_INSTALL:
        case IKE_CHILD_REMOVE:
        case IKE_CHILD_MOVED:
        case IKE_KEEPALIVE:
        case IKE_QUERY_TRAFFIC:
        case IKE_REVOCATION:
        case IKE_REAUTHENTICATE:
            break;
        case IKE_CHILD_DOWN:
            ck_assert_uint_eq(l->ups, l->downs + 1);
            l->downs++;
            l->down_at = l->now.mono;
            snprintf(l->text, sizeof l->text, "%s", a.ended.text);
            break;
        case IKE_ENDED:
            l->ends++;
            l->end = a.ended.end;
            l->ended_at = l->now.mono;
            snprintf(l->text, sizeof l->text, "%s", a.ended.text);
            break;
        }
}

void link_start(Link *l) {
    l->config.allocate_spi = allocate_spi;
    l->config.userdata = l;
    ck_assert_int_eq(ike_sa_new(&l->sa, &l->config, l->now), 0);
    link_drain(l);
}

void link_close(Link *l) {
    ike_sa_close(l->sa, l->now);
    link_drain(l);
}

static void deliver(Link *l, size_t i) {
    Flight f = l->flights[i];
    memmove(&l->flights[i], &l->flights[i + 1], (--l->n_flights - i) * sizeof f);
    if (f.to_gateway) {
        Message *answer = malloc(sizeof *answer);
        l->responder.local.port = f.to.port;
        responder_input(&l->responder, f.data, f.size, &f.from, answer);
        link_send_message(l, answer);
        free(answer);
    } else {
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

/* The next thing that happens. False: nothing before *until*. */
static bool step(Link *l, usec_t until) {
    usec_t next = l->ends ? USEC_NEVER : sa_deadline(l);
    size_t flight = SIZE_MAX;

    for (size_t i = 0; i < l->n_flights; i++)
        if (l->flights[i].at < next || (l->flights[i].at == next && flight == SIZE_MAX)) {
            next = l->flights[i].at;
            flight = i;
        }
    if (next > until || next == USEC_NEVER) {
        if (until != USEC_NEVER)
            advance(l, until);
        return false;
    }
    advance(l, next);
    if (flight != SIZE_MAX)
        deliver(l, flight);
    else {
        ike_sa_tick(l->sa, l->now);
        link_drain(l);
    }
    return true;
}

void link_run(Link *l, usec_t until) {
    while (step(l, until))
        ;
}

bool link_establish(Link *l) {
    if (!l->sa)
        link_start(l);
    while (!l->ups && !l->ends && step(l, USEC_NEVER))
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
