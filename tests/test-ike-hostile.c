/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine of one IKE SA against requests of the gateway's own, attackers without keys, a network that
 * loses and repeats at random, and mutated bytes. Random tests print their seed when they fail. */
#include <check.h>
#include <stdio.h>

#include "ike-link.h"
#include "suite.h"

static Link *established(const Switches *s) {
    Link *l = link_new(s ?: &(Switches){}, NULL, 1);
    link_assert_up(l);
    return l;
}

/* A request of the gateway's, and time for its answer. */
static void gateway_asks(Link *l, uint8_t exchange, ResponderPayload payload) {
    Message *m = malloc(sizeof *m);
    responder_request(&l->responder, exchange, payload, m);
    link_send_message(l, m);
    free(m);
    link_run(l, l->now.mono + 10 * LINK_DELAY);
}

/* Requests of the gateway -------------------------------------------------------------------------------- */

START_TEST(gateway_checks_liveness) {
    _cleanup_(link_freep) Link *l = established(NULL);
    for (unsigned i = 0; i < 5; i++) {
        gateway_asks(l, IKE_EXCHANGE_INFORMATIONAL, NULL);
        ck_assert(l->responder.answered && l->responder.response_empty);
    }
    ck_assert_uint_eq(l->ends, 0);
}
END_TEST

START_TEST(gateway_deletes_the_ike_sa) {
    _cleanup_(link_freep) Link *l = established(NULL);
    gateway_asks(l, IKE_EXCHANGE_INFORMATIONAL, payload_delete_ike);
    ck_assert(l->responder.answered && l->responder.response_empty); /* 1.4.1 */
    ck_assert_uint_eq(l->ends, 1);
    ck_assert_uint_eq(l->end, IKE_END_DELETED);
    ck_assert_uint_eq(l->responder.deletes_ike, 0);
}
END_TEST

START_TEST(gateway_deletes_the_child_sa) {
    _cleanup_(link_freep) Link *l = established(NULL);
    gateway_asks(l, IKE_EXCHANGE_INFORMATIONAL, payload_delete_child);
    ck_assert(l->responder.answered);
    ck_assert_uint_eq(l->responder.deletes_child, 1); /* our half of the pair, in the answer */
    ck_assert_uint_eq(l->downs, 1);                   /* told at once, not after the DELETE's answer */
    link_run(l, USEC_NEVER);
    ck_assert_uint_eq(l->end, IKE_END_DELETED);
    CONTAINS(l->text, "Child SA");
    ck_assert_uint_eq(l->responder.deletes_ike, 1);
}
END_TEST

START_TEST(gateway_rekeys) {
    _cleanup_(link_freep) Link *l = established(NULL);
    gateway_asks(l, IKE_EXCHANGE_CREATE_CHILD_SA, payload_rekey_child);
    ck_assert(l->responder.answered);
    ck_assert_uint_eq(l->responder.response_notify, 0);
    ck_assert_uint_eq(l->ends, 0);
    gateway_asks(l, IKE_EXCHANGE_INFORMATIONAL, NULL); /* still there */
    ck_assert(l->responder.answered);
}
END_TEST

START_TEST(repeated_request_gets_the_same_bytes) {
    _cleanup_(link_freep) Link *l = established(NULL);
    Message *m = malloc(sizeof *m);
    size_t before;

    responder_request(&l->responder, IKE_EXCHANGE_INFORMATIONAL, NULL, m);
    before = l->n_sent + 1;
    for (unsigned i = 0; i < 3; i++) {
        link_send_message(l, m);
        link_run(l, l->now.mono + 10 * LINK_DELAY);
    }
    ck_assert_uint_eq(l->n_sent - before, 5); /* answer, request, answer, request, answer */
    ck_assert_uint_eq(l->sent[before].hash, l->sent[before + 2].hash);
    ck_assert_uint_eq(l->sent[before].hash, l->sent[before + 4].hash);
    ck_assert(!l->sent[before].by_gateway);
    /* An older one is a replay. */
    gateway_asks(l, IKE_EXCHANGE_INFORMATIONAL, NULL);
    uint64_t unexpected = ike_sa_counters(l->sa)->unexpected;
    before = l->n_sent + 1;
    link_send_message(l, m);
    link_run(l, l->now.mono + 10 * LINK_DELAY);
    ck_assert_uint_eq(l->n_sent, before);
    ck_assert_uint_eq(ike_sa_counters(l->sa)->unexpected, unexpected + 1);
    free(m);
}
END_TEST

START_TEST(bad_requests) {
    static const struct {
        ResponderPayload payload;
        unsigned notify, data;
        bool fatal; /* 2.21.3 */
    } cases[] = {
        {payload_critical, IKE_NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD, 200, false},
        {payload_misplaced, IKE_NOTIFY_INVALID_SYNTAX, 0, true},
        {payload_delete_malformed, IKE_NOTIFY_INVALID_SYNTAX, 0, true},
        {payload_unknown_notify, 0, 0, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(link_freep) Link *l = established(NULL);
        gateway_asks(l, IKE_EXCHANGE_INFORMATIONAL, cases[i].payload);
        ck_assert(l->responder.answered);
        ck_assert_msg(l->responder.response_notify == cases[i].notify, "case %zu: notify %u", i,
                      l->responder.response_notify);
        ck_assert_uint_eq(l->responder.response_notify_data, cases[i].data);
        ck_assert_uint_eq(l->responder.deletes_ike, cases[i].fatal);
        link_run(l, l->now.mono + USEC_PER_SEC);
        ck_assert_uint_eq(l->ends, cases[i].fatal);
        if (cases[i].fatal)
            ck_assert_uint_eq(l->end, IKE_END_UNACCEPTABLE);
        if (cases[i].notify)
            ck_assert_uint_eq(ike_sa_counters(l->sa)->malformed, 1);
    }
}
END_TEST

/* Each end deletes at once: one answer each, no third DELETE, and our reason stays. */
START_TEST(both_delete) {
    _cleanup_(link_freep) Link *l = established(NULL);
    Message *m = malloc(sizeof *m);
    responder_request(&l->responder, IKE_EXCHANGE_INFORMATIONAL, payload_delete_ike, m);
    link_send_message(l, m);
    free(m);
    link_close(l);
    link_run(l, USEC_NEVER);
    ck_assert_uint_eq(l->ends, 1);
    ck_assert_uint_eq(l->end, IKE_END_CLOSED);
    ck_assert_uint_eq(l->responder.deletes_ike, 1);
}
END_TEST

/* While we delete, a gateway that talks nonsense does not make us delete again. */
static void mangle_delete_answer(void *userdata, uint8_t exchange, uint8_t *plain, size_t size) {
    if (exchange == IKE_EXCHANGE_INFORMATIONAL && size > 3)
        plain[3] = 99;
}

START_TEST(malformed_answer_to_delete) {
    _cleanup_(link_freep) Link *l =
        established(&(Switches){.mangle_inner = mangle_delete_answer, .unknown_payloads = true});
    link_close(l);
    link_run(l, USEC_NEVER);
    ck_assert_uint_eq(l->end, IKE_END_CLOSED);
    ck_assert_uint_eq(l->responder.deletes_ike, 1);
}
END_TEST

/* A malformed answer to the liveness check ends the SA (2.21.3), with one DELETE. */
START_TEST(malformed_answer_to_liveness) {
    _cleanup_(link_freep) Link *l =
        established(&(Switches){.mangle_inner = mangle_delete_answer, .unknown_payloads = true});
    link_run(l, USEC_NEVER);
    ck_assert_uint_eq(l->end, IKE_END_UNACCEPTABLE);
    ck_assert_uint_eq(l->responder.deletes_ike, 1);
}
END_TEST

/* Attackers without keys --------------------------------------------------------------------------------- */

/* 1.1.3.8 of the TAHI suite, 2.21.4: what comes in the clear proves nothing and ends nothing. */
START_TEST(clear_messages_do_nothing) {
    static const struct {
        uint8_t exchange, flags;
        uint32_t id;
        unsigned type;
        unsigned wrong; /* 0: SPIs right; 1: SPIi wrong; 2: SPIr wrong; 3: another address */
    } cases[] = {
        {IKE_EXCHANGE_INFORMATIONAL, IKE_FLAG_RESPONSE, 2, IKE_NOTIFY_INVALID_IKE_SPI, 0},
        {IKE_EXCHANGE_INFORMATIONAL, 0, 0, IKE_NOTIFY_INVALID_IKE_SPI, 0},
        {IKE_EXCHANGE_INFORMATIONAL, 0, 0, IKE_NOTIFY_INVALID_SPI, 0},
        {IKE_EXCHANGE_AUTH, IKE_FLAG_RESPONSE, 1, IKE_NOTIFY_AUTHENTICATION_FAILED, 0},
        {IKE_EXCHANGE_SA_INIT, IKE_FLAG_RESPONSE, 0, IKE_NOTIFY_NO_PROPOSAL_CHOSEN, 0},
        {IKE_EXCHANGE_SA_INIT, 0, 0, IKE_NOTIFY_COOKIE, 0},
        {IKE_EXCHANGE_INFORMATIONAL, 0, 0, IKE_NOTIFY_INVALID_IKE_SPI, 1},
        {IKE_EXCHANGE_INFORMATIONAL, 0, 0, IKE_NOTIFY_INVALID_IKE_SPI, 2},
        {IKE_EXCHANGE_INFORMATIONAL, 0, 0, IKE_NOTIFY_INVALID_IKE_SPI, 3},
        {IKE_EXCHANGE_INFORMATIONAL, IKE_FLAG_INITIATOR, 0, IKE_NOTIFY_INVALID_IKE_SPI, 0},
        {99, 0, 0, IKE_NOTIFY_INVALID_SYNTAX, 0},
    };
    _cleanup_(link_freep) Link *l = established(NULL);
    Message *m = malloc(sizeof *m);
    size_t sent = l->n_sent;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Endpoint from = l->child.remote;
        from.address.bytes[3] ^= cases[i].wrong == 3;
        IkeCounters before = *ike_sa_counters(l->sa);
        forge_notify(l->responder.spi_i ^ (cases[i].wrong == 1), l->responder.spi_r ^ (cases[i].wrong == 2),
                     cases[i].exchange, cases[i].flags, cases[i].id, cases[i].type, m);
        link_inject(l, &from, m->bytes, m->size, 1);
        link_run(l, l->now.mono + LINK_DELAY);
        const IkeCounters *after = ike_sa_counters(l->sa);
        ck_assert_msg(after->malformed + after->foreign + after->unexpected + after->forged ==
                          before.malformed + before.foreign + before.unexpected + before.forged + 1,
                      "case %zu is not counted", i);
        bool foreign = cases[i].wrong || cases[i].flags & IKE_FLAG_INITIATOR;
        ck_assert_uint_eq(after->foreign - before.foreign, foreign);
    }
    /* Word that the gateway does not know us has it asked, once, and answer. */
    ck_assert_uint_eq(l->n_sent, sent + 2);
    ck_assert_uint_eq(l->ends, 0);
    link_run(l, l->now.mono + 2 * IKE_LIVENESS_INTERVAL);
    ck_assert_uint_eq(l->ends, 0);
    free(m);
}
END_TEST

/* Every message of a handshake first comes with one bit wrong; nothing is believed, nothing is lost. */
static void corrupt_sealed(Link *l, bool by_gateway, uint8_t *data, size_t *size) {
    if (by_gateway && data[18] != IKE_EXCHANGE_SA_INIT) {
        uint8_t *copy = malloc(*size);
        memcpy(copy, data, *size);
        copy[28 + rng_below(&l->rng, *size - 28)] ^= (uint8_t)(1 << rng_below(&l->rng, 8));
        link_inject(l, &l->responder.local, copy, *size, 1);
        free(copy);
    }
}

START_TEST(sealed_messages_with_a_bit_wrong) {
    for (unsigned seed = 0; seed < 60; seed++) {
        Switches s = {.proposal = (uint8_t)(1 + seed % 2)};
        _cleanup_(link_freep) Link *l = link_new(&s, NULL, seed);
        l->mangle = corrupt_sealed;
        link_assert_up(l);
        ck_assert_uint_ge(ike_sa_counters(l->sa)->forged + ike_sa_counters(l->sa)->malformed, 1);
        link_close(l);
        link_run(l, USEC_NEVER);
        ck_assert_uint_eq(l->end, IKE_END_CLOSED);
        ck_assert_uint_eq(l->responder.deletes_ike, 1);
    }
}
END_TEST

/* Datagrams cut short, at each length, and with more behind. */
START_TEST(truncated_messages) {
    static uint8_t init[RESPONDER_MESSAGE_MAX];
    _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);
    link_start(l);
    link_run(l, l->now.mono + LINK_DELAY); /* the answer is in flight */
    ck_assert_uint_eq(l->n_flights, 1);
    size_t size = l->flights[0].size;
    memcpy(init, l->flights[0].data, size);
    for (size_t cut = 0; cut < size; cut++)
        link_inject(l, &l->responder.local, init, cut, 1), link_run(l, l->now.mono + 2);
    init[size] = 0;
    link_inject(l, &l->responder.local, init, size + 1, 1);
    /* The same with the header's length put right. */
    for (size_t cut = 28; cut < size; cut++) {
        init[26] = (uint8_t)(cut >> 8);
        init[27] = (uint8_t)cut;
        link_inject(l, &l->responder.local, init, cut, 1), link_run(l, l->now.mono + 2);
    }
    ck_assert_uint_ge(ike_sa_counters(l->sa)->malformed, 2 * size - 28);
    link_assert_up(l);
}
END_TEST

/* Random ------------------------------------------------------------------------------------------------- */

static void random_fate(Link *l, const Sent *s, Fate *fate) {
    fate->copies = (unsigned)rng_below(&l->rng, 10);
    fate->copies = fate->copies < 3 ? 0 : fate->copies < 8 ? 1 : 2;
    for (unsigned i = 0; i < fate->copies; i++)
        fate->delays[i] = LINK_DELAY + rng_below(&l->rng, 800 * USEC_PER_MSEC);
}

START_TEST(random_loss) {
    static const uint16_t groups[] = {0, IKE_DH_CURVE25519, IKE_DH_ECP_384};
    unsigned up = 0;

    for (unsigned seed = 0; seed < 150; seed++) {
        Switches s = {.cookie = seed & 1,
                      .cookie_covers_ke = seed & 2,
                      .group_first = seed & 4,
                      .group = groups[seed % 3]};
        _cleanup_(link_freep) Link *l = link_new(&s, NULL, seed);
        l->fate = random_fate;
        if (link_establish(l)) {
            link_assert_agreed(l);
            up++;
            link_run(l, l->now.mono + 20 * USEC_PER_SEC);
            ck_assert_msg(l->ends == 0, "seed %u: ended %d: %s", seed, l->end, l->text);
            link_close(l);
            link_run(l, USEC_NEVER);
            ck_assert_msg(l->end == IKE_END_CLOSED, "seed %u: ended %d: %s", seed, l->end, l->text);
        } else
            ck_assert_msg(l->end == IKE_END_SILENT, "seed %u: ended %d: %s", seed, l->end, l->text);
        ck_assert_msg(ike_sa_counters(l->sa)->forged + ike_sa_counters(l->sa)->malformed == 0, "seed %u",
                      seed);
    }
    ck_assert_msg(up >= 135, "only %u of 150", up);
}
END_TEST

/* Mutations of what flies to us, sealed or not, in half of the datagrams. */
static void mutate(const Rng *rng, uint8_t *data, size_t *size) {
    for (uint64_t n = 1 + rng_below(rng, 4); n > 0 && *size > 0; n--) {
        size_t at = (size_t)rng_below(rng, *size);
        switch (rng_below(rng, 5)) {
        case 0:
            data[at] ^= (uint8_t)(1 << rng_below(rng, 8));
            break;
        case 1:
            data[at] = (uint8_t)rng_below(rng, 256);
            break;
        case 2:
            data[at] = rng_below(rng, 2) ? 0xff : 0;
            break;
        case 3: /* a run of bytes from elsewhere */
            memmove(data + at, data + rng_below(rng, *size - at + 1), rng_below(rng, *size - at) / 2);
            break;
        case 4:
            if (rng_below(rng, 4) == 0) {
                *size = at;
                if (*size >= 28) {
                    data[26] = (uint8_t)(*size >> 8);
                    data[27] = (uint8_t)*size;
                }
            }
            break;
        }
    }
}

static void mutate_half(Link *l, bool by_gateway, uint8_t *data, size_t *size) {
    if (by_gateway && rng_below(&l->rng, 2))
        mutate(&l->rng, data, size);
}

START_TEST(random_bytes_on_the_wire) {
    unsigned up = 0;
    for (unsigned seed = 0; seed < 200; seed++) {
        Switches s = {.proposal = (uint8_t)(1 + seed % 2), .cookie = seed % 5 == 0};
        _cleanup_(link_freep) Link *l = link_new(&s, NULL, seed);
        l->mangle = mutate_half;
        if (link_establish(l)) {
            link_assert_agreed(l);
            up++;
        }
        link_close(l);
        link_run(l, USEC_NEVER);
        ck_assert_msg(l->ends == 1, "seed %u", seed);
    }
    ck_assert_uint_gt(up, 0);
}
END_TEST

/* The gateway holds the keys and is out of its mind: mutated payloads, properly sealed. */
typedef struct Madness {
    Rng rng;
    bool mad;
} Madness;

static void mutate_inner(void *userdata, uint8_t exchange, uint8_t *plain, size_t size) {
    Madness *m = userdata;
    size_t n = size;
    if (m->mad)
        mutate(&m->rng, plain, &n);
}

START_TEST(random_bytes_sealed) {
    static const ResponderPayload payloads[] = {NULL,
                                                payload_delete_ike,
                                                payload_delete_child,
                                                payload_delete_malformed,
                                                payload_rekey_child,
                                                payload_critical,
                                                payload_unknown_notify};
    uint64_t random;

    for (unsigned seed = 0; seed < 200; seed++) {
        Madness madness = {seeded_rng(&random, seed), seed % 2};
        Switches s = {.proposal = (uint8_t)(1 + seed % 2),
                      .unknown_payloads = seed % 3 == 0,
                      .mangle_inner = mutate_inner,
                      .userdata = &madness};
        _cleanup_(link_freep) Link *l = link_new(&s, NULL, seed);
        if (link_establish(l))
            madness.mad = true;
        for (unsigned i = 0; i < 20 && !l->ends && l->ups; i++) {
            l->responder.sent_request.size = 0;
            l->responder.next_id = i;
            gateway_asks(l, i % 3 ? IKE_EXCHANGE_INFORMATIONAL : IKE_EXCHANGE_CREATE_CHILD_SA,
                         payloads[rng_below(&madness.rng, ARRAY_SIZE(payloads))]);
        }
        link_close(l);
        link_run(l, USEC_NEVER);
        ck_assert_msg(l->ends == 1, "seed %u", seed);
        ck_assert_msg(l->responder.deletes_ike <= 1, "seed %u: %u DELETEs", seed, l->responder.deletes_ike);
    }
}
END_TEST

/* One bit wrong anywhere in what identifies and proves the gateway: the bodies of IDr, CERT and AUTH. */
typedef struct Bit {
    size_t at;   /* among the bytes that count */
    size_t size; /* how many there are */
    bool done;
} Bit;

static void flip(void *userdata, uint8_t exchange, uint8_t *plain, size_t size) {
    Bit *bit = userdata;
    IkePayloads payloads;
    uint8_t type;

    if (exchange != IKE_EXCHANGE_AUTH || bit->done)
        return;
    ck_assert_int_eq(ike_payloads_split(reader_new(plain, size), IKE_PAYLOAD_IDR, &payloads, &type), 0);
    bit->size = 0;
    for (size_t i = 0; i < payloads.n; i++) {
        const IkePayload *p = &payloads.items[i];
        if (p->type != IKE_PAYLOAD_IDR && p->type != IKE_PAYLOAD_CERT && p->type != IKE_PAYLOAD_AUTH)
            continue;
        for (size_t k = 0; k < p->size; k++) {
            if (p->type == IKE_PAYLOAD_AUTH && k >= 1 && k <= 3) /* reserved, not covered by anything */
                continue;
            if (bit->size++ == bit->at) {
                plain[p->data + k - plain] ^= (uint8_t)(1 << bit->at % 8);
                bit->done = true;
            }
        }
    }
}

START_TEST(no_bit_of_the_proof_is_idle) {
    unsigned tried = 0;
    for (Bit bit = {.size = 1}; bit.at < bit.size; bit = (Bit){.at = bit.at + 5, .size = bit.size}) {
        _cleanup_(link_freep) Link *l =
            link_new(&(Switches){.mangle_inner = flip, .userdata = &bit}, NULL, bit.at);
        ck_assert_msg(!link_establish(l), "established with byte %zu wrong", bit.at);
        ck_assert_msg(l->end == IKE_END_UNTRUSTED || l->end == IKE_END_UNACCEPTABLE, "byte %zu: %s", bit.at,
                      l->text);
        tried += bit.done;
    }
    ck_assert_uint_gt(tried, 100);
}
END_TEST

SUITE("ike-hostile", gateway_checks_liveness, gateway_deletes_the_ike_sa, gateway_deletes_the_child_sa,
      gateway_rekeys, repeated_request_gets_the_same_bytes, bad_requests, both_delete,
      malformed_answer_to_delete, malformed_answer_to_liveness, clear_messages_do_nothing,
      sealed_messages_with_a_bit_wrong, truncated_messages, random_loss, random_bytes_on_the_wire,
      random_bytes_sealed, no_bit_of_the_proof_is_idle)
