/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The IKE SA of a box that does not know the time yet: validity dates are passed over when it is lenient, and
 * judged when the time is known. */
#include <check.h>
#include <stdio.h>

#include "ike-link.h"
#include "suite.h"

#define EPOCH (86400 * USEC_PER_SEC)                   /* what a box without a battery believes */
#define FLOOR (LINK_START - 30 * 86400 * USEC_PER_SEC) /* when it was built */

static Link *lenient(const Switches *s) {
    Link *l = link_new(s ?: &(Switches){}, NULL, 1);
    l->now.real = EPOCH;
    l->config.clock_floor = FLOOR;
    l->config.clock_lenient = true;
    return l;
}

START_TEST(good_dates_hold_later) {
    _cleanup_(link_freep) Link *l = lenient(NULL);
    link_assert_up(l);
    ck_assert(l->undated);
    ck_assert_uint_eq(ike_sa_real_deadline(l->sa), FLOOR);
    link_set_clock(l, FLOOR - 1); /* set, but not believed either */
    ck_assert_uint_eq(ike_sa_real_deadline(l->sa), FLOOR);
    link_set_clock(l, LINK_START);
    ck_assert_uint_gt(ike_sa_real_deadline(l->sa), l->now.real); /* a certificate's end */
    /* Once: a clock that is set wrong later does no harm. */
    link_set_clock(l, EPOCH);
    link_set_clock(l, LINK_START * 2);
    link_run(l, l->now.mono + 3 * IKE_LIVENESS_INTERVAL);
    ck_assert_uint_eq(l->downs + l->ends, 0);
}
END_TEST

typedef struct Bad {
    const char *chain[4], *text, *whose;
} Bad;
static const Bad bad[] = {
    {{"gateway-expired.pem", ""}, "expired", "certificate of segw.operator.example"},
    {{"gateway-future.pem", ""}, "not yet valid", "certificate of segw.operator.example"},
    {{"gateway-intermediate-expired.pem", "intermediate-expired.pem", ""},
     "expired",
     "certificate of \"Old Gateway CA\""},
};

static void assert_taken_down(Link *l, const Bad *b) {
    ck_assert_uint_eq(l->downs, 1); /* at once; the SA itself when its DELETE is answered */
    ck_assert_uint_eq(l->ends, 0);
    CONTAINS(l->text, b->text);
    CONTAINS(l->text, b->whose);
    CONTAINS(l->text, "now that the time is known");
    link_run(l, USEC_NEVER);
    ck_assert_uint_eq(l->responder.deletes_ike, 1);
    ck_assert_uint_eq(l->ends, 1);
    ck_assert_uint_eq(l->end, IKE_END_UNTRUSTED);
    CONTAINS(l->text, b->text);
    ck_assert_uint_gt(ike_sa_real_deadline(l->sa), l->now.real); /* a certificate's end */
}

START_TEST(bad_dates_end_it) {
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        TestChain chain = test_chain(bad[i].chain);
        _cleanup_(link_freep) Link *l = lenient(&(Switches){.chain = &chain});
        link_assert_up(l);
        link_run(l, l->now.mono + IKE_LIVENESS_INTERVAL / 2);
        ck_assert_uint_eq(l->downs, 0);
        link_set_clock(l, LINK_START);
        assert_taken_down(l, &bad[i]);
        test_chain_free(&chain);
    }
}
END_TEST

/* No tick came: the next datagram will do, whoever sent it. */
START_TEST(judged_at_input) {
    TestChain chain = test_chain(bad[0].chain);
    _cleanup_(link_freep) Link *l = lenient(&(Switches){.chain = &chain});
    link_assert_up(l);
    l->now.real = LINK_START;
    ike_sa_input(l->sa, l->now, (uint8_t[]){0}, 1, &(Endpoint){address("192.0.2.66"), IKE_PORT});
    link_drain(l);
    assert_taken_down(l, &bad[0]);
    test_chain_free(&chain);
}
END_TEST

/* The window is one: the DELETE waits for the answer to the liveness check, the traffic does not. */
START_TEST(judged_during_liveness) {
    TestChain chain = test_chain(bad[0].chain);
    _cleanup_(link_freep) Link *l = lenient(&(Switches){.chain = &chain});
    link_assert_up(l);
    link_run(l, l->now.mono + IKE_LIVENESS_INTERVAL);
    ck_assert_uint_eq(link_count(l, IKE_EXCHANGE_INFORMATIONAL, false), 1);
    link_set_clock(l, LINK_START);
    assert_taken_down(l, &bad[0]);
    ck_assert_uint_eq(l->responder.liveness, 1);
    test_chain_free(&chain);
}
END_TEST

/* A clock that nobody sets gets there by itself. */
START_TEST(the_floor_is_reached) {
    TestChain chain = test_chain(bad[0].chain);
    _cleanup_(link_freep) Link *l = lenient(&(Switches){.chain = &chain});
    l->now.real = FLOOR - 90 * USEC_PER_SEC;
    link_assert_up(l);
    usec_t due = l->now.mono + (FLOOR - l->now.real);
    link_run(l, USEC_NEVER);
    ck_assert_uint_eq(l->down_at, due);
    ck_assert_uint_eq(l->end, IKE_END_UNTRUSTED);
    test_chain_free(&chain);
}
END_TEST

/* By the time of IKE_AUTH the clock is known. */
START_TEST(known_in_time) {
    TestChain chain = test_chain(bad[0].chain);
    _cleanup_(link_freep) Link *l = lenient(&(Switches){.chain = &chain});
    link_start(l);
    link_run(l, l->now.mono + 2 * LINK_DELAY);
    link_set_clock(l, LINK_START);
    link_assert_ended(l, IKE_END_UNTRUSTED, "expired");
    test_chain_free(&chain);

    _cleanup_(link_freep) Link *good = lenient(NULL);
    link_start(good);
    link_set_clock(good, FLOOR);
    link_assert_up(good);
    ck_assert(!good->undated);
    ck_assert_uint_gt(ike_sa_real_deadline(good->sa), good->now.real);
}
END_TEST

/* Nothing but the dates is passed over. */
START_TEST(the_rest_is_checked_at_once) {
    static const struct {
        const char *chain[4], *text;
    } cases[] = {
        {{"gateway-other.pem", ""}, "other.operator.example"},
        {{"gateway-unknown.pem", ""}, "issued by a CA that is not trusted"},
        {{"gateway-not-ca.pem", "not-ca.pem", ""}, "CA:FALSE"},
        {{"gateway-path.pem", "path.pem", "intermediate.pem", ""}, "path length"},
        {{"gateway-sha1.pem", ""}, "hash below SHA-256"},
        {{"gateway-usage.pem", ""}, "digitalSignature"},
        {{"gateway-p384.pem", ""}, "signature in AUTH"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        TestChain chain = test_chain(cases[i].chain);
        _cleanup_(link_freep) Link *l = lenient(&(Switches){.chain = &chain});
        link_assert_ended(l, IKE_END_UNTRUSTED, cases[i].text);
        test_chain_free(&chain);
    }
}
END_TEST

/* Not lenient, or with a clock that is believed, dates are judged at once. */
START_TEST(not_lenient) {
    _cleanup_(link_freep) Link *l = lenient(NULL);
    l->config.clock_lenient = false;
    link_assert_ended(l, IKE_END_UNTRUSTED, "not yet valid");
    _cleanup_(link_freep) Link *believed = lenient(NULL);
    believed->config.clock_floor = EPOCH;
    link_assert_ended(believed, IKE_END_UNTRUSTED, "not yet valid");
}
END_TEST

/* An SA that is on its way out is judged no more: its reason stays. */
START_TEST(closing_is_not_judged) {
    TestChain chain = test_chain(bad[0].chain);
    _cleanup_(link_freep) Link *l = lenient(&(Switches){.chain = &chain});
    link_assert_up(l);
    link_close(l);
    ck_assert_uint_gt(ike_sa_real_deadline(l->sa), l->now.real); /* a certificate's end */
    link_set_clock(l, LINK_START);
    link_run(l, USEC_NEVER);
    ck_assert_uint_eq(l->end, IKE_END_CLOSED);
    ck_assert_uint_eq(l->downs, 0);
    test_chain_free(&chain);
}
END_TEST

/* Of two paths one holds when the time is known: that is enough. */
START_TEST(several_paths) {
    static const char *const chains[][4] = {
        {"gateway-intermediate.pem", "intermediate.pem", "intermediate-expired.pem", ""},
        {"gateway-intermediate.pem", "intermediate-expired.pem", "intermediate.pem", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(chains); i++) {
        TestChain chain = test_chain(chains[i]);
        _cleanup_(link_freep) Link *l = lenient(&(Switches){.chain = &chain});
        link_assert_up(l);
        link_set_clock(l, LINK_START);
        link_run(l, l->now.mono + IKE_LIVENESS_INTERVAL);
        ck_assert_uint_eq(l->downs + l->ends, 0);
        test_chain_free(&chain);
    }
}
END_TEST

SUITE("ike-clock", good_dates_hold_later, bad_dates_end_it, judged_at_input, judged_during_liveness,
      the_floor_is_reached, known_in_time, the_rest_is_checked_at_once, not_lenient, closing_is_not_judged,
      several_paths)
