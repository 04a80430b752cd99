/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses that change (RFC 4555): the box's, the gateway's, and NATs that come, go and map anew. */
#include <check.h>
#include <stdio.h>

#include "ike-link.h"
#include "suite.h"

#define SECOND USEC_PER_SEC

static const char first_home[] = "198.51.100.7", second_home[] = "192.0.2.44", third_home[] = "192.0.2.45";

static Link *established(const Switches *switches) {
    Link *l = link_new(switches, NULL, 1);

    link_assert_up(l);
    link_run_for(l, SECOND);
    l->home = l->config.local;
    l->packet_interval = 20 * USEC_PER_MSEC;
    l->packet_at = l->now.mono;
    return l;
}

/* The box is somewhere else now. What the engine says to that. */
static bool move(Link *l, const char *home) {
    l->home = address(home);
    bool follows = ike_sa_moved(l->sa, l->now, &l->home);
    link_drain(l);
    return follows;
}

static void assert_home(Link *l, const char *home, const char *gateway) {
    const KernelPair *p = kernel_outbound(&l->kernel);

    ck_assert_msg(l->ends == 0 && p != NULL, "ended: %s", l->text);
    ck_assert_str_eq(ADDRESS_STR(&p->sa.local.address), home);
    ck_assert_str_eq(ADDRESS_STR(&p->sa.remote.address), gateway);
    ck_assert_str_eq(ADDRESS_STR(&responder_child(&l->responder, 0)->sa.remote.address), home);
    ck_assert_str_eq(ADDRESS_STR(&responder_child(&l->responder, 0)->sa.local.address), gateway);
    ck_assert_int_eq(p->sa.local.port, p->sa.remote.port);
    link_assert_one_pair(l);
}

START_TEST(new_address_of_the_box) {
    _cleanup_(link_freep) Link *l = established(&(Switches){.mobike = true});
    ChildSa before = kernel_outbound(&l->kernel)->sa;
    unsigned installed = l->kernel.installed;

    ck_assert(move(l, second_home));
    link_run_for(l, SECOND);
    assert_home(l, second_home, "203.0.113.1");
    ck_assert_uint_eq(l->responder.updates, 1);
    ck_assert(l->responder.cookies2_good == 1 && l->responder.cookies2_bad == 0);
    /* In place: same SPIs and keys, so that counters and replay state stay. */
    ck_assert(l->kernel.installed == installed && l->kernel.moved == 1);
    ck_assert_uint_eq(kernel_outbound(&l->kernel)->sa.spi_out, before.spi_out);
    ck_assert_mem_eq(&kernel_outbound(&l->kernel)->sa.keys_in, &before.keys_in, sizeof before.keys_in);
    ck_assert(kernel_outbound(&l->kernel)->sa.encapsulate == before.encapsulate);

    /* It lives on there. */
    ike_sa_expire(l->sa, l->now, before.spi_in, false);
    link_drain(l);
    link_run_for(l, 20 * SECOND);
    assert_home(l, second_home, "203.0.113.1");
    ck_assert_uint_eq(l->responder.rekeys_child, 1);
    ck_assert(move(l, first_home));
    link_run_for(l, SECOND);
    assert_home(l, first_home, "203.0.113.1");
    ck_assert(l->packets_lost[0] == 0 && l->packets_lost[1] == 0);
}
END_TEST

START_TEST(moved_twice_at_once) {
    for (unsigned ms = 0; ms < 60; ms += 3) {
        _cleanup_(link_freep) Link *l = established(&(Switches){.mobike = true});
        ck_assert(move(l, second_home));
        link_run_for(l, ms * USEC_PER_MSEC);
        ck_assert(move(l, third_home));
        link_run_for(l, 5 * SECOND);
        assert_home(l, third_home, "203.0.113.1");
    }
}
END_TEST

/* The address changes in the middle of a rekeying. */
START_TEST(moved_during_a_rekeying) {
    for (unsigned ms = 0; ms < 60; ms += 3) {
        _cleanup_(link_freep) Link *l = established(&(Switches){.mobike = true});
        if (ms % 2)
            ike_sa_expire(l->sa, l->now, kernel_outbound(&l->kernel)->sa.spi_in, false);
        else {
            l->responder.now = l->now.mono;
            responder_want(&l->responder, ms % 4 ? REQUEST_REKEY_IKE : REQUEST_REKEY_CHILD, 0);
            link_gateway(l);
        }
        link_drain(l);
        link_run_for(l, ms * USEC_PER_MSEC);
        ck_assert(move(l, second_home));
        link_run_for(l, 60 * SECOND);
        assert_home(l, second_home, "203.0.113.1");
    }
}
END_TEST

/* Loses the first datagrams after the move. */
static void lost_at_first(Link *l, const Sent *s, Fate *ret) {
    unsigned *left = l->userdata;
    (void)s;
    if (*left > 0) {
        --*left;
        ret->copies = 0;
    }
}

START_TEST(update_lost) {
    for (unsigned n = 1; n <= 3; n++) {
        unsigned left = n;
        _cleanup_(link_freep) Link *l = established(&(Switches){.mobike = true});
        l->userdata = &left;
        l->fate = lost_at_first;
        ck_assert(move(l, second_home));
        link_run_for(l, 10 * SECOND);
        assert_home(l, second_home, "203.0.113.1");
        ck_assert_uint_eq(l->responder.updates, 1);
    }
}
END_TEST

START_TEST(gateway_that_does_not_follow) {
    _cleanup_(link_freep) Link *without = established(&(Switches){});
    ck_assert(!move(without, second_home));

    _cleanup_(link_freep) Link *l = established(&(Switches){.mobike = true, .unacceptable_addresses = true});
    l->packet_interval = 0;
    ck_assert(move(l, second_home));
    link_run_for(l, 20 * SECOND);
    ck_assert(l->ends == 1 && l->end == IKE_END_REFUSED);
    CONTAINS(l->text, "address");
}
END_TEST

/* RFC 4555 3.7: whoever answers without the cookie was not reached there. */
static void spoil_cookie(void *userdata, uint8_t exchange, uint8_t *plain, size_t size) {
    static const uint8_t cookie2[] = {16401 >> 8, 16401 & 0xff};
    (void)userdata;
    for (size_t i = 0; exchange == IKE_EXCHANGE_INFORMATIONAL && i + 18 <= size; i++)
        if (memcmp(plain + i, cookie2, 2) == 0)
            plain[i + 2] ^= 1;
}

START_TEST(answer_without_the_cookie) {
    _cleanup_(link_freep) Link *l =
        established(&(Switches){.mobike = true, .mangle_inner = spoil_cookie, .no_routability = true});
    l->packet_interval = 0;
    ck_assert(move(l, second_home));
    link_run_for(l, 20 * SECOND);
    ck_assert_uint_eq(l->kernel.moved, 0);
    ck_assert(l->ends == 1 && l->end == IKE_END_UNACCEPTABLE);
}
END_TEST

/* The gateway's first address goes dead. */
static void first_is_dead(Link *l, const Sent *s, Fate *ret) {
    Address dead = address("203.0.113.1");
    (void)l;
    if (address_equal(&s->from.address, &dead) || address_equal(&s->to.address, &dead))
        ret->copies = 0;
}

START_TEST(other_address_of_the_gateway) {
    for (unsigned i = 0; i < 2; i++) {
        Switches s = {.mobike = true, .additional = {"2001:db8::99", "203.0.113.2"}};
        if (i) /* told later */
            s.additional[0] = NULL;
        _cleanup_(link_freep) Link *l = established(&s);
        if (i) {
            l->responder.switches.additional[0] = "203.0.113.2";
            l->responder.now = l->now.mono;
            responder_want(&l->responder, REQUEST_ADDRESSES, 0);
            link_gateway(l);
            link_run_for(l, SECOND);
            ck_assert(l->responder.answered && l->responder.response_empty);
        }
        l->packet_interval = 0;
        l->fate = first_is_dead;
        link_run_for(l, 180 * SECOND);
        assert_home(l, first_home, "203.0.113.2");
        ck_assert_uint_eq(l->downs, 0);
    }
}
END_TEST

START_TEST(other_addresses_are_dead_as_well) {
    Switches s = {.mobike = true, .additional = {"203.0.113.2", "203.0.113.3"}};
    _cleanup_(link_freep) Link *l = established(&s);
    l->packet_interval = 0;
    l->gateway_silent = true;
    usec_t start = l->now.mono;
    link_run_for(l, 600 * SECOND);
    ck_assert(l->ends == 1 && l->end == IKE_END_SILENT);
    ck_assert_uint_le(l->ended_at - start, (60 + 3 * 16) * SECOND);
}
END_TEST

START_TEST(other_family) {
    Switches s = {.mobike = true, .additional = {"2001:db8::99"}};
    _cleanup_(link_freep) Link *l = established(&s);
    ck_assert(move(l, "2001:db8:2::9"));
    link_run_for(l, 5 * SECOND);
    assert_home(l, "2001:db8:2::9", "2001:db8::99");

    _cleanup_(link_freep) Link *only_v4 = established(&(Switches){.mobike = true});
    ck_assert(!move(only_v4, "2001:db8:2::9"));
}
END_TEST

START_TEST(into_a_nat_and_out_of_it) {
    _cleanup_(link_freep) Link *l = established(&(Switches){.mobike = true});

    ck_assert(!kernel_outbound(&l->kernel)->sa.encapsulate);
    l->responder.switches.nat_initiator = true;
    ck_assert(move(l, second_home));
    link_run_for(l, 5 * SECOND);
    assert_home(l, second_home, "203.0.113.1");
    ck_assert(kernel_outbound(&l->kernel)->sa.encapsulate && ike_sa_nat_local(l->sa));
    ck_assert_int_eq(kernel_outbound(&l->kernel)->sa.remote.port, IKE_NAT_PORT);
    l->responder.switches.nat_initiator = false;
    ck_assert(move(l, third_home));
    link_run_for(l, 5 * SECOND);
    ck_assert(!kernel_outbound(&l->kernel)->sa.encapsulate && !ike_sa_nat_local(l->sa));
}
END_TEST

/* 2.23: a gateway behind a NAT is followed after an authenticated packet of its, and nobody else is. */
START_TEST(thread_21_mapping_of_the_gateway) {
    for (unsigned nat = 0; nat < 2; nat++) {
        _cleanup_(link_freep) Link *l = established(&(Switches){.nat_responder = nat});
        Endpoint other = {address("203.0.113.1"), 31337};
        ike_sa_mapping(l->sa, l->now, 0xdead, &other);
        link_drain(l);
        ck_assert_uint_eq(l->kernel.moved, 0);
        ike_sa_mapping(l->sa, l->now, kernel_outbound(&l->kernel)->sa.spi_in, &other);
        link_drain(l);
        ck_assert_uint_eq(l->kernel.moved, nat);
        ck_assert_int_eq(kernel_outbound(&l->kernel)->sa.remote.port == 31337, nat);
    }
}
END_TEST

/* An address change while nothing is established has nobody to be told to. */
START_TEST(moved_before_it_is_up) {
    _cleanup_(link_freep) Link *l = link_new(&(Switches){.mobike = true}, NULL, 1);
    Address other = address(second_home);

    link_start(l);
    ck_assert(!ike_sa_moved(l->sa, l->now, &other));
    link_run_for(l, 3 * LINK_DELAY);
    ck_assert(!ike_sa_moved(l->sa, l->now, &other));
    link_close(l);
}
END_TEST

SUITE("mobike", new_address_of_the_box, moved_twice_at_once, moved_during_a_rekeying, update_lost,
      gateway_that_does_not_follow, answer_without_the_cookie, other_address_of_the_gateway,
      other_addresses_are_dead_as_well, other_family, into_a_nat_and_out_of_it,
      thread_21_mapping_of_the_gateway, moved_before_it_is_up)
