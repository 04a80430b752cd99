/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rekeying in both roles against the tests' own gateway, with packets both ways all the time: plain, refused,
 * and every way in which the messages of both sides cross (RFC 7296 1.3, 2.8, 2.25). Tests called thread_N_
 * are what users of other programs ran into; the numbers are those of the table in tests/README.md. */
#include <check.h>
#include <stdio.h>

#include "ike-link.h"
#include "suite.h"

#define SECOND USEC_PER_SEC

enum {
    TEMPORARY_FAILURE = 43,
    CHILD_SA_NOT_FOUND = 44,
    NO_ADDITIONAL_SAS = 35,
    TS_UNACCEPTABLE = 38,
    NO_PROPOSAL_CHOSEN = 14,
};

/* Established, and a packet each way every 10 ms from now on. */
static Link *established(const Switches *switches, uint64_t seed, usec_t ike_lifetime) {
    /* A tenth of the time that P-256 takes. */
    Link *l = link_new(switches, switches->group ? NULL : &link_files_quick, seed);

    if (!switches->group)
        l->config.group = IKE_DH_CURVE25519;
    l->config.ike_lifetime = ike_lifetime;
    link_assert_up(l);
    link_run_for(l, SECOND);
    l->packet_at = l->now.mono;
    l->packet_interval = 10 * USEC_PER_MSEC;
    l->packet_jitter = 3 * USEC_PER_MSEC;
    return l;
}

static void assert_nothing_lost(const Link *l) {
    ck_assert_uint_gt(l->packets_sent[0], 0);
    ck_assert_msg(l->packets_lost[0] == 0 && l->packets_lost[1] == 0 && l->packets_unsent[0] == 0 &&
                      l->packets_unsent[1] == 0,
                  "of %u packets %u of ours and %u of the gateway's were lost, %u and %u never sent",
                  l->packets_sent[0], l->packets_lost[0], l->packets_lost[1], l->packets_unsent[0],
                  l->packets_unsent[1]);
}

static void settle(Link *l, usec_t time) {
    link_run_for(l, time);
    ck_assert_msg(l->ends == 0 && l->downs == 0, "ended: %s", l->text);
    link_assert_one_pair(l);
    assert_nothing_lost(l);
}

/* Plain ----------------------------------------------------------------------------------------------- */

START_TEST(child_rekeyed_by_us) {
    static const Pfs pfs[] = {PFS_NO, PFS_PREFER, PFS_YES};
    for (unsigned i = 0; i < 6; i++) {
        Switches s = {.no_pfs = i >= 3, .esp_proposal = (uint8_t)(1 + i % 2)};
        if (pfs[i % 3] == PFS_YES && s.no_pfs)
            continue;
        _cleanup_(link_freep) Link *l = link_new(&s, NULL, i);
        l->config.pfs = pfs[i % 3];
        link_assert_up(l);
        l->packet_interval = 10 * USEC_PER_MSEC;
        l->packet_at = l->now.mono;
        for (unsigned k = 1; k <= 5; k++) {
            uint32_t old = ike_sa_child_in_use(l->sa)->spi_in;
            link_rekey_child(l);
            settle(l, 10 * SECOND);
            ck_assert_uint_ne(ike_sa_child_in_use(l->sa)->spi_in, old);
            ck_assert_uint_eq(l->responder.rekeys_child, k);
            ck_assert_uint_eq(l->responder.deletes_child, k);
            bool with = responder_child(&l->responder, 0)->esp.by_type[IKE_TRANSFORM_DH];
            ck_assert(with == (pfs[i % 3] != PFS_NO && !s.no_pfs));
        }
    }
}
END_TEST

START_TEST(child_rekeyed_by_the_gateway) {
    for (unsigned i = 0; i < 4; i++) {
        Switches s = {.own_pfs = i % 2, .eager = i / 2};
        _cleanup_(link_freep) Link *l = established(&s, i, 0);
        for (unsigned k = 1; k <= 5; k++) {
            link_gateway_wants(l, REQUEST_REKEY_CHILD, 0);
            settle(l, 10 * SECOND);
            ck_assert_uint_eq(l->responder.own_rekeys_child, k);
        }
    }
}
END_TEST

START_TEST(ike_sa_rekeyed_by_us) {
    _cleanup_(link_freep) Link *l = established(&(Switches){}, 1, 1000 * SECOND);
    uint64_t first = ike_sa_spi_i(l->sa);

    for (unsigned k = 1; k <= 5; k++) {
        link_run_for(l, 901 * SECOND);
        settle(l, SECOND);
        ck_assert_uint_eq(l->responder.rekeys_ike, k);
        ck_assert_uint_eq(l->responder.deletes_ike, k);
        link_rekey_child(l); /* the new IKE SA works */
        settle(l, 10 * SECOND);
        ck_assert_uint_eq(l->responder.rekeys_child, k);
    }
    ck_assert_uint_ne(ike_sa_spi_i(l->sa), first);
}
END_TEST

START_TEST(ike_sa_rekeyed_by_the_gateway) {
    _cleanup_(link_freep) Link *l = established(&(Switches){}, 1, 0);

    for (unsigned k = 1; k <= 5; k++) {
        link_gateway_wants(l, REQUEST_REKEY_IKE, 0);
        settle(l, 5 * SECOND);
        ck_assert_uint_eq(l->responder.own_rekeys_ike, k);
        link_rekey_child(l); /* we are the responder of this IKE SA now */
        settle(l, 10 * SECOND);
        link_gateway_wants(l, REQUEST_REKEY_CHILD, 0);
        settle(l, 10 * SECOND);
        link_gateway_wants(l, REQUEST_LIVENESS, 0);
        settle(l, SECOND);
        ck_assert(l->responder.answered && l->responder.response_empty);
    }
    link_close(l);
    l->packet_interval = 0;
    link_run_for(l, 5 * SECOND);
    ck_assert(l->ends == 1 && l->end == IKE_END_CLOSED);
    ck_assert_uint_eq(responder_count_ikes(&l->responder), 0);
}
END_TEST

/* Each takes the group of the first, whatever it is; another one is asked for by INVALID_KE_PAYLOAD. */
START_TEST(groups_of_rekeyings) {
    static const uint16_t groups[] = {IKE_DH_ECP_256, IKE_DH_CURVE25519, IKE_DH_ECP_384, IKE_DH_MODP_2048};
    for (size_t i = 0; i < 2 * ARRAY_SIZE(groups); i++) {
        Switches s = {.group = groups[i % 4], .pfs_group = groups[i / 4 ? (i + 1) % 4 : i % 4]};
        _cleanup_(link_freep) Link *l = established(&s, i, 1000 * SECOND);
        link_rekey_child(l);
        settle(l, 10 * SECOND);
        link_run_for(l, 901 * SECOND);
        settle(l, SECOND);
        ck_assert(l->responder.rekeys_ike == 1 && l->responder.rekeys_child == 1);
        ck_assert_uint_eq(l->responder.refused, i / 4);
    }
}
END_TEST

START_TEST(by_time_and_count) {
    _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);
    l->config.child_lifetime = 100 * SECOND;
    l->config.ike_lifetime = 1000 * SECOND;
    link_assert_up(l);
    usec_t start = l->now.mono;
    link_run(l, start + 79 * SECOND);
    ck_assert_uint_eq(l->responder.rekeys_child, 0);
    link_run(l, start + 91 * SECOND);
    ck_assert_uint_eq(l->responder.rekeys_child, 1);
    link_run(l, start + 795 * SECOND);
    ck_assert_uint_eq(l->responder.rekeys_ike, 0);
    link_run(l, start + 905 * SECOND);
    ck_assert_uint_eq(l->responder.rekeys_ike, 1);
    link_run_for(l, 3600 * SECOND);
    ck_assert_uint_ge(l->responder.rekeys_child, 45);
    ck_assert_uint_le(l->responder.rekeys_child, 57);
    ck_assert(l->ends == 0 && link_echo(l));
}
END_TEST

/* One Child SA carries everything; another one is for a gateway that wants to narrow. */
START_TEST(additional_child_of_the_gateway) {
    _cleanup_(link_freep) Link *l = established(&(Switches){}, 1, 0);

    link_gateway_wants(l, REQUEST_NEW_CHILD, 0);
    link_run_for(l, 5 * SECOND);
    ck_assert_uint_eq(l->responder.response_notify, NO_ADDITIONAL_SAS);
    settle(l, SECOND);
    l->responder.switches.narrow = true;
    link_gateway_wants(l, REQUEST_NEW_CHILD, 0);
    link_run_for(l, 5 * SECOND);
    ck_assert_uint_eq(l->responder.own_new_children, 1);
    ck_assert_uint_eq(l->kernel.n, 2);
    assert_nothing_lost(l);
    for (unsigned i = 0; i < 6; i++)
        link_gateway_wants(l, REQUEST_NEW_CHILD, 0);
    link_run_for(l, 5 * SECOND);
    ck_assert_uint_eq(l->kernel.n, 2);
    l->responder.switches.narrow = false;
    link_rekey_child(l);
    link_run_for(l, 30 * SECOND);
    ck_assert_uint_eq(l->responder.rekeys_child, 1);
    ck_assert(l->ends == 0 && link_echo(l));
}
END_TEST

/* Answers to our rekeying ----------------------------------------------------------------------------- */

START_TEST(our_child_rekeying_refused) {
    static const unsigned errors[] = {TEMPORARY_FAILURE,
                                      NO_PROPOSAL_CHOSEN,
                                      TS_UNACCEPTABLE,
                                      CHILD_SA_NOT_FOUND,
                                      NO_ADDITIONAL_SAS,
                                      17 /* INVALID_KE_PAYLOAD without a group */,
                                      7};
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        Switches s = {.rekey_child_error = errors[i], .error_times = 1};
        _cleanup_(link_freep) Link *l = established(&s, i, 0);
        link_rekey_child(l);
        link_run_for(l, SECOND);
        ck_assert_msg(l->ends == 0 && link_echo(l), "error %u: %s", errors[i], l->text);
        link_run_for(l, 200 * SECOND); /* it is tried again */
        ck_assert_msg(l->ends == 0, "error %u: %s", errors[i], l->text);
        link_assert_one_pair(l);
        ck_assert(l->responder.rekeys_child + l->responder.new_children == 1);
    }
}
END_TEST

START_TEST(our_ike_rekeying_refused) {
    static const unsigned errors[] = {TEMPORARY_FAILURE, NO_PROPOSAL_CHOSEN, 17, 7};
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        Switches s = {.rekey_ike_error = errors[i], .error_times = 1};
        _cleanup_(link_freep) Link *l = established(&s, i, 1000 * SECOND);
        link_run_for(l, 901 * SECOND);
        settle(l, 90 * SECOND);
        ck_assert_uint_eq(l->responder.refused, 1);
        ck_assert_uint_eq(l->responder.rekeys_ike, 1);
    }
}
END_TEST

/* Crossing -------------------------------------------------------------------------------------------- */

/* What happens to one of the four crossing messages the first time it is sent. */
typedef enum Blow {
    BLOW_NONE,
    BLOW_DROP,
    BLOW_DELAY,      /* past its retransmission */
    BLOW_DELAY_LESS, /* past everything else of the crossing */
    BLOW_DUPLICATE,  /* the copy comes when all is over */
    BLOWS_,
} Blow;

typedef struct Crossing {
    bool armed, engine_started;
    unsigned message; /* our request, the gateway's, our answer, the gateway's */
    Blow blow;
    bool seen[4];
} Crossing;

static void crossing_fate(Link *l, const Sent *s, Fate *ret) {
    Crossing *c = l->userdata;
    bool response = s->header.flags & IKE_FLAG_RESPONSE;
    unsigned which = (response ? 2 : 0) + s->by_gateway;

    if (!c->armed || (s->header.exchange != IKE_EXCHANGE_CREATE_CHILD_SA &&
                      s->header.exchange != IKE_EXCHANGE_INFORMATIONAL))
        return;
    c->engine_started |= !s->by_gateway && !response;
    if (c->seen[which])
        return;
    c->seen[which] = true;
    if (which != c->message)
        return;
    switch (c->blow) {
    case BLOW_NONE:
    case BLOWS_:
        break;
    case BLOW_DROP:
        ret->copies = 0;
        break;
    case BLOW_DELAY:
        ret->delays[0] = 1700 * USEC_PER_MSEC;
        break;
    case BLOW_DELAY_LESS:
        ret->delays[0] = 130 * USEC_PER_MSEC;
        break;
    case BLOW_DUPLICATE:
        ret->copies = 2;
        ret->delays[1] = 4 * SECOND;
        break;
    }
}

#define CROSSINGS (4 * BLOWS_)

/* Both start within one flight of a datagram. */
static void cross(const Switches *switches, bool engine_ike, RequestType gateway, unsigned seed,
                  unsigned message, Blow blow, usec_t head_start) {
    Crossing c = {.message = message, .blow = blow};
    _cleanup_(link_freep) Link *l = established(switches, seed, engine_ike ? 1000 * SECOND : 0);

    l->userdata = &c;
    l->fate = crossing_fate;
    if (engine_ike) {
        l->packet_interval = 0;
        link_run_for(l, 795 * SECOND);
        l->packet_interval = 10 * USEC_PER_MSEC;
        l->packet_at = l->now.mono;
        c.armed = true;
        while (!c.engine_started)
            ck_assert(link_step(l, USEC_NEVER));
    } else {
        c.armed = true;
        link_rekey_child(l);
        ck_assert(c.engine_started);
    }
    link_run_for(l, head_start);
    link_gateway_wants(l, gateway, 0);
    link_run_for(l, 8 * SECOND);
    ck_assert_msg(l->ends == 0 && l->downs == 0, "ended: %s", l->text);
    ck_assert(link_echo(l));
    /* Long before everything is tidied up both have the same idea of which one is to stay (2.8.1). */
    for (unsigned i = 0; i < 50 && kernel_outbound(&l->kernel)->sa.spi_out != l->responder.child.spi_in; i++)
        link_run_for(l, 100 * USEC_PER_MSEC);
    ck_assert_uint_eq(kernel_outbound(&l->kernel)->sa.spi_out, l->responder.child.spi_in);
    ck_assert_uint_eq(kernel_outbound(&l->kernel)->sa.spi_in, l->responder.child.spi_out);
    l->packet_interval = 50 * USEC_PER_MSEC;
    settle(l, 120 * SECOND);
    if (gateway == REQUEST_REKEY_CHILD || gateway == REQUEST_REKEY_IKE) {
        unsigned rekeyed = l->responder.rekeys_child + l->responder.own_rekeys_child +
                           l->responder.rekeys_ike + l->responder.own_rekeys_ike;
        ck_assert_uint_ge(rekeyed, 1);
    }
    /* It lives on. */
    link_rekey_child(l);
    settle(l, 40 * SECOND);
    link_gateway_wants(l, REQUEST_REKEY_IKE, 0);
    settle(l, 40 * SECOND);
    l->packet_interval = 0;
    link_close(l);
    link_run_for(l, 20 * SECOND);
    ck_assert_uint_eq(l->ends, 1);
    ck_assert_uint_eq(responder_count_ikes(&l->responder), 0);
}

/* *i*: which message and blow. */
static void cross_all(const Switches *switches, bool engine_ike, RequestType gateway, unsigned i) {
    unsigned message = i % 4, blow = i / 4;

    for (unsigned seed = 1; seed <= 4; seed++)
        for (unsigned late = 0; late < 2; late++) {
            fprintf(stderr, "engine %s, gateway %d, seed %u, message %u, blow %u, head start %u\n",
                    engine_ike ? "IKE" : "child", gateway, seed, message, blow, late);
            cross(switches, engine_ike, gateway, seed, message, blow, late * 7 * USEC_PER_MSEC);
        }
}

START_TEST(thread_1_child_and_child) {
    cross_all(&(Switches){}, false, REQUEST_REKEY_CHILD, (unsigned)_i);
}
END_TEST

START_TEST(child_and_child_with_pfs) {
    cross_all(&(Switches){.own_pfs = true}, false, REQUEST_REKEY_CHILD, (unsigned)_i);
}
END_TEST

START_TEST(ike_and_ike) {
    cross_all(&(Switches){}, true, REQUEST_REKEY_IKE, (unsigned)_i);
}
END_TEST

START_TEST(child_and_ike) {
    cross_all(&(Switches){}, false, REQUEST_REKEY_IKE, (unsigned)_i);
}
END_TEST

START_TEST(ike_and_child) {
    cross_all(&(Switches){}, true, REQUEST_REKEY_CHILD, (unsigned)_i);
}
END_TEST

START_TEST(liveness_and_rekeyings) {
    cross_all(&(Switches){}, _i % 2, REQUEST_LIVENESS, (unsigned)_i / 2);
}
END_TEST

/* Both delete what the rekeying left: nobody deletes what is in use. */
START_TEST(a_gateway_that_deletes_the_wrong_one) {
    for (unsigned seed = 1; seed <= 6; seed++) {
        Crossing c = {};
        _cleanup_(link_freep) Link *l = established(&(Switches){.wrong_loser = true}, seed, 0);
        l->userdata = &c;
        l->fate = crossing_fate;
        link_rekey_child(l);
        link_gateway_wants(l, REQUEST_REKEY_CHILD, 0);
        link_run_for(l, 120 * SECOND);
        /* What a gateway does that leaves no pair is its own fault; a half-dead tunnel is ours. */
        if (l->ends == 0)
            link_assert_one_pair(l);
        else
            ck_assert_uint_eq(l->downs, 1);
    }
}
END_TEST

/* Threads --------------------------------------------------------------------------------------------- */

/* The answer to our rekeying, and right behind it the gateway's own DELETE for the old one: in one wakeup,
 * and in the wrong order. */
static void delete_first(Link *l, const Sent *s, Fate *ret) {
    (void)l;
    if (s->by_gateway && s->header.exchange == IKE_EXCHANGE_CREATE_CHILD_SA)
        ret->delays[0] = LINK_DELAY + 400;
}

START_TEST(thread_2_answer_and_delete_at_once) {
    for (unsigned i = 0; i < 4; i++) {
        Switches s = {.delete_after_answer = true, .eager = i / 2};
        _cleanup_(link_freep) Link *l = established(&s, i, 0);
        if (i % 2)
            l->fate = delete_first;
        for (unsigned k = 1; k <= 3; k++) {
            link_rekey_child(l);
            link_run_for(l, 30 * SECOND);
            ck_assert_msg(l->ends == 0, "ended: %s", l->text);
            link_assert_one_pair(l);
        }
        if (i % 2 == 0)
            assert_nothing_lost(l);
    }
}
END_TEST

START_TEST(thread_3_ours_refused_theirs_succeeds) {
    for (unsigned seed = 0; seed < 4; seed++) {
        Switches s = {.rekey_child_error = seed % 2 ? TS_UNACCEPTABLE : TEMPORARY_FAILURE, .error_times = 1};
        _cleanup_(link_freep) Link *l = established(&s, seed, 0);
        link_rekey_child(l);
        link_gateway_wants(l, REQUEST_REKEY_CHILD, 0);
        link_run_for(l, 3 * SECOND);
        ck_assert_uint_eq(l->responder.own_rekeys_child, 1);
        ck_assert_uint_eq(kernel_outbound(&l->kernel)->sa.spi_out, l->responder.child.spi_in);
        settle(l, 60 * SECOND);
    }
}
END_TEST

START_TEST(thread_4_rekeyed_twice_before_deleting) {
    _cleanup_(link_freep) Link *l = established(&(Switches){.keep_old = true}, 1, 0);
    uint32_t first = l->responder.in_use;

    for (unsigned i = 0; i < 3; i++) {
        link_gateway_wants(l, REQUEST_REKEY_CHILD, first);
        link_run_for(l, i * 100 * USEC_PER_MSEC + 50 * USEC_PER_MSEC);
    }
    settle(l, 120 * SECOND);
    ck_assert_uint_ge(l->responder.own_rekeys_child, 1);
}
END_TEST

static void deaf_for_six_seconds(Link *l, const Sent *s, Fate *ret) {
    usec_t *from = l->userdata;
    if (s->header.exchange != IKE_EXCHANGE_CREATE_CHILD_SA)
        return;
    if (*from == 0 && !s->by_gateway)
        *from = l->now.mono;
    if (*from && s->by_gateway && l->now.mono < *from + 6 * SECOND)
        ret->copies = 0;
}

START_TEST(thread_5_link_bounces_in_an_ike_rekey) {
    usec_t from = 0;
    _cleanup_(link_freep) Link *l = established(&(Switches){}, 1, 1000 * SECOND);

    link_run_for(l, 795 * SECOND);
    l->userdata = &from;
    l->fate = deaf_for_six_seconds;
    link_run_for(l, 120 * SECOND);
    ck_assert_uint_ne(from, 0);
    settle(l, 30 * SECOND);
    ck_assert_uint_eq(l->responder.rekeys_ike, 1);
    ck_assert_uint_eq(l->responder.deletes_ike, 1);
}
END_TEST

static void black_hole(Link *l, const Sent *s, Fate *ret) {
    (void)s;
    if (l->now.mono < *(usec_t *)l->userdata)
        ret->copies = 0;
}

START_TEST(thread_6_dead_route_during_a_rekey) {
    for (unsigned i = 0; i < 4; i++) {
        Switches s = {};
        _cleanup_(link_freep) Link *l = established(&s, i, 0);
        usec_t until = l->now.mono + (i % 2 ? 7 : 1) * SECOND;
        l->userdata = &until;
        l->fate = black_hole;
        link_rekey_child(l);
        if (i / 2)
            link_gateway_wants(l, REQUEST_REKEY_CHILD, 0);
        settle(l, 120 * SECOND);
        ck_assert_uint_le(l->kernel.most, 3); /* in use, and a replacement of each side */
    }
}
END_TEST

START_TEST(kernel_refuses_the_new_pair) {
    for (unsigned i = 0; i < 2; i++) {
        _cleanup_(link_freep) Link *l = established(&(Switches){}, i, 0);
        l->kernel.refuse_installs = 1;
        if (i)
            link_gateway_wants(l, REQUEST_REKEY_CHILD, 0);
        else
            link_rekey_child(l);
        link_run_for(l, 150 * SECOND);
        ck_assert_uint_eq(l->kernel.refuse_installs, 0);
        if (l->ends) { /* the gateway's DELETE for the old one was under way already */
            ck_assert(i == 1 && l->end == IKE_END_DELETED);
            ck_assert_uint_eq(responder_count_ikes(&l->responder), 0);
            continue;
        }
        link_assert_one_pair(l);
        link_rekey_child(l);
        link_run_for(l, 90 * SECOND);
        link_assert_one_pair(l);
    }
}
END_TEST

START_TEST(no_spi_for_the_new_pair) {
    for (unsigned i = 0; i < 2; i++) {
        _cleanup_(link_freep) Link *l = established(&(Switches){}, i, 0);
        l->kernel.refuse_spis = 1;
        if (i)
            link_gateway_wants(l, REQUEST_REKEY_CHILD, 0);
        else
            link_rekey_child(l);
        settle(l, 150 * SECOND);
        ck_assert_uint_eq(l->responder.rekeys_child + l->responder.own_rekeys_child, 1);
    }
}
END_TEST

/* RFC 7296 2.25, line by line
 * -------------------------------------------------------------------------------- */

/* Drops the HeNB's requests of *exchange*, from *from* on. */
typedef struct Gag {
    uint8_t exchange;
    bool on;
    unsigned dropped;
} Gag;

static void gagged(Link *l, const Sent *s, Fate *ret) {
    Gag *g = l->userdata;
    if (g->on && !s->by_gateway && !(s->header.flags & IKE_FLAG_RESPONSE) &&
        s->header.exchange == g->exchange) {
        ret->copies = 0;
        g->dropped++;
    }
}

static uint32_t asked_spi;

static void payload_rekey_asked(Responder *r, IkeWriter *m) {
    r->child.spi_in = asked_spi;
    payload_rekey_child(r, m);
}

static void payload_delete_asked(Responder *r, IkeWriter *m) {
    (void)r;
    ike_delete_write(m, IKE_PROTOCOL_ESP, &asked_spi, 1);
}

static void gateway_asks(Link *l, uint8_t exchange, ResponderPayload payload) {
    Message *m = malloc(sizeof *m);
    responder_request(&l->responder, exchange, payload, m);
    link_send_message(l, m);
    free(m);
    link_run_for(l, 5 * LINK_DELAY);
    ck_assert(l->responder.answered);
}

static Link *gagged_link(Gag *gag, uint8_t exchange, usec_t ike_lifetime) {
    Link *l = established(&(Switches){}, 1, ike_lifetime);
    *gag = (Gag){.exchange = exchange};
    l->userdata = gag;
    l->fate = gagged;
    return l;
}

/* The HeNB's DELETE for the old pair does not get through. */
static Link *closing_a_child(Gag *gag) {
    Link *l = gagged_link(gag, IKE_EXCHANGE_INFORMATIONAL, 0);
    asked_spi = l->responder.in_use;
    gag->on = true;
    link_rekey_child(l);
    link_run_for(l, 5 * LINK_DELAY);
    ck_assert_uint_ge(gag->dropped, 1);
    return l;
}

START_TEST(rekey_of_a_child_that_is_being_closed) {
    Gag gag;
    _cleanup_(link_freep) Link *l = closing_a_child(&gag);
    gateway_asks(l, IKE_EXCHANGE_CREATE_CHILD_SA, payload_rekey_asked);
    ck_assert_uint_eq(l->responder.response_notify, TEMPORARY_FAILURE);
    gag.on = false;
    settle(l, 60 * SECOND);
}
END_TEST

START_TEST(rekey_of_a_child_that_is_not_there) {
    _cleanup_(link_freep) Link *l = established(&(Switches){}, 1, 0);
    ChildSa child = l->responder.child;
    asked_spi = 0xdead1234;
    gateway_asks(l, IKE_EXCHANGE_CREATE_CHILD_SA, payload_rekey_asked);
    ck_assert_uint_eq(l->responder.response_notify, CHILD_SA_NOT_FOUND);
    l->responder.child = child;
    settle(l, 60 * SECOND);
}
END_TEST

START_TEST(delete_of_a_child_that_is_being_closed) {
    Gag gag;
    _cleanup_(link_freep) Link *l = closing_a_child(&gag);
    gateway_asks(l, IKE_EXCHANGE_INFORMATIONAL, payload_delete_asked);
    ck_assert(l->responder.response_empty);
    gag.on = false;
    settle(l, 60 * SECOND);
}
END_TEST

START_TEST(delete_of_a_child_that_is_being_rekeyed) {
    Gag gag;
    _cleanup_(link_freep) Link *l = gagged_link(&gag, IKE_EXCHANGE_CREATE_CHILD_SA, 0);
    asked_spi = l->responder.in_use;
    gag.on = true;
    link_rekey_child(l);
    ck_assert_uint_eq(gag.dropped, 1);
    unsigned deletes = l->responder.deletes_child;
    gateway_asks(l, IKE_EXCHANGE_INFORMATIONAL, payload_delete_asked);
    ck_assert_uint_eq(l->responder.deletes_child, deletes + 1);
    ck_assert(!l->responder.response_empty);
}
END_TEST

START_TEST(delete_of_a_child_that_is_not_there) {
    _cleanup_(link_freep) Link *l = established(&(Switches){}, 1, 0);
    asked_spi = 0xdead1234;
    gateway_asks(l, IKE_EXCHANGE_INFORMATIONAL, payload_delete_asked);
    ck_assert(l->responder.response_empty);
    settle(l, 60 * SECOND);
}
END_TEST

START_TEST(rekey_of_the_ike_sa_while_a_child_is_rekeyed) {
    Gag gag;
    _cleanup_(link_freep) Link *l = gagged_link(&gag, IKE_EXCHANGE_CREATE_CHILD_SA, 0);
    gag.on = true;
    link_rekey_child(l);
    link_gateway_wants(l, REQUEST_REKEY_IKE, 0);
    link_run_for(l, 5 * LINK_DELAY);
    ck_assert_uint_eq(l->responder.response_notify, TEMPORARY_FAILURE);
    gag.on = false;
    settle(l, 60 * SECOND);
    ck_assert(l->responder.own_rekeys_ike == 1 && l->responder.rekeys_child == 1);
}
END_TEST

START_TEST(rekey_of_the_ike_sa_while_a_child_is_closed) {
    Gag gag;
    _cleanup_(link_freep) Link *l = closing_a_child(&gag);
    link_gateway_wants(l, REQUEST_REKEY_IKE, 0);
    link_run_for(l, 5 * LINK_DELAY);
    ck_assert_uint_eq(l->responder.response_notify, TEMPORARY_FAILURE);
    gag.on = false;
    settle(l, 60 * SECOND);
    ck_assert_uint_eq(l->responder.own_rekeys_ike, 1);
}
END_TEST

START_TEST(rekey_of_an_ike_sa_that_is_being_closed) {
    Gag gag;
    _cleanup_(link_freep) Link *l = gagged_link(&gag, IKE_EXCHANGE_INFORMATIONAL, 0);
    gag.on = true;
    l->packet_interval = 0;
    link_close(l);
    link_gateway_wants(l, REQUEST_REKEY_IKE, 0);
    link_run_for(l, 5 * LINK_DELAY);
    ck_assert_uint_eq(l->responder.response_notify, TEMPORARY_FAILURE);
    gag.on = false;
    link_run_for(l, 60 * SECOND);
    ck_assert_uint_eq(l->ends, 1);
    ck_assert_uint_eq(responder_count_ikes(&l->responder), 0);
}
END_TEST

/* Our IKE rekeying does not get through. */
static Link *rekeying_ike(Gag *gag) {
    Link *l = gagged_link(gag, IKE_EXCHANGE_CREATE_CHILD_SA, 1000 * SECOND);
    gag->on = true;
    while (!gag->dropped)
        ck_assert(link_step(l, USEC_NEVER));
    return l;
}

START_TEST(delete_of_an_ike_sa_that_is_being_rekeyed) {
    Gag gag;
    _cleanup_(link_freep) Link *l = rekeying_ike(&gag);
    gateway_asks(l, IKE_EXCHANGE_INFORMATIONAL, payload_delete_ike);
    ck_assert(l->responder.response_empty);
    ck_assert(l->ends == 1 && l->end == IKE_END_DELETED);
}
END_TEST

START_TEST(delete_of_an_ike_sa_that_is_being_closed) {
    Gag gag;
    _cleanup_(link_freep) Link *l = gagged_link(&gag, IKE_EXCHANGE_INFORMATIONAL, 0);
    gag.on = true;
    l->packet_interval = 0;
    link_close(l);
    gateway_asks(l, IKE_EXCHANGE_INFORMATIONAL, payload_delete_ike);
    ck_assert(l->responder.response_empty);
    ck_assert(l->ends == 1 && l->end == IKE_END_CLOSED);
}
END_TEST

START_TEST(rekey_of_a_child_while_the_ike_sa_is_rekeyed) {
    Gag gag;
    _cleanup_(link_freep) Link *l = rekeying_ike(&gag);
    link_gateway_wants(l, REQUEST_REKEY_CHILD, 0);
    link_run_for(l, 5 * LINK_DELAY);
    ck_assert_uint_eq(l->responder.response_notify, TEMPORARY_FAILURE);
    gag.on = false;
    settle(l, 60 * SECOND);
    ck_assert(l->responder.rekeys_ike == 1 && l->responder.own_rekeys_child == 1);
}
END_TEST

START_TEST(new_child_while_the_ike_sa_is_rekeyed) {
    Gag gag;
    _cleanup_(link_freep) Link *l = rekeying_ike(&gag);
    link_gateway_wants(l, REQUEST_NEW_CHILD, 0);
    link_run_for(l, 5 * LINK_DELAY);
    ck_assert_uint_eq(l->responder.response_notify, TEMPORARY_FAILURE);
}
END_TEST

START_TEST(delete_of_a_child_while_the_ike_sa_is_rekeyed) {
    Gag gag;
    _cleanup_(link_freep) Link *l = rekeying_ike(&gag);
    asked_spi = l->responder.in_use;
    gateway_asks(l, IKE_EXCHANGE_INFORMATIONAL, payload_delete_asked);
    ck_assert(!l->responder.response_empty);
    ck_assert_uint_eq(l->responder.response_notify, 0);
}
END_TEST

int main(void) {
    const struct {
        const TTest *test;
        int times;
    } tests[] = {
        {child_rekeyed_by_us, 1},
        {child_rekeyed_by_the_gateway, 1},
        {ike_sa_rekeyed_by_us, 1},
        {ike_sa_rekeyed_by_the_gateway, 1},
        {groups_of_rekeyings, 1},
        {by_time_and_count, 1},
        {additional_child_of_the_gateway, 1},
        {our_child_rekeying_refused, 1},
        {our_ike_rekeying_refused, 1},
        {thread_1_child_and_child, CROSSINGS},
        {child_and_child_with_pfs, CROSSINGS},
        {ike_and_ike, CROSSINGS},
        {child_and_ike, CROSSINGS},
        {ike_and_child, CROSSINGS},
        {liveness_and_rekeyings, 2 * CROSSINGS},
        {a_gateway_that_deletes_the_wrong_one, 1},
        {thread_2_answer_and_delete_at_once, 1},
        {thread_3_ours_refused_theirs_succeeds, 1},
        {thread_4_rekeyed_twice_before_deleting, 1},
        {thread_5_link_bounces_in_an_ike_rekey, 1},
        {thread_6_dead_route_during_a_rekey, 1},
        {kernel_refuses_the_new_pair, 1},
        {no_spi_for_the_new_pair, 1},
        {rekey_of_a_child_that_is_being_closed, 1},
        {rekey_of_a_child_that_is_not_there, 1},
        {delete_of_a_child_that_is_being_closed, 1},
        {delete_of_a_child_that_is_being_rekeyed, 1},
        {delete_of_a_child_that_is_not_there, 1},
        {rekey_of_the_ike_sa_while_a_child_is_rekeyed, 1},
        {rekey_of_the_ike_sa_while_a_child_is_closed, 1},
        {rekey_of_an_ike_sa_that_is_being_closed, 1},
        {delete_of_an_ike_sa_that_is_being_rekeyed, 1},
        {delete_of_an_ike_sa_that_is_being_closed, 1},
        {rekey_of_a_child_while_the_ike_sa_is_rekeyed, 1},
        {new_child_while_the_ike_sa_is_rekeyed, 1},
        {delete_of_a_child_while_the_ike_sa_is_rekeyed, 1},
    };
    Suite *suite = suite_create("rekey");

    for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
        TCase *tcase = tcase_create(tests[i].test->name);
        tcase_set_timeout(tcase, 120);
        tcase_add_loop_test(tcase, tests[i].test, 0, tests[i].times);
        suite_add_tcase(suite, tcase);
    }
    return suite_end(suite);
}
