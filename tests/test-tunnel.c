/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tunnel, one at a time: what it asks of the kernel and in which order, what it remembers from one SA to
 * the next. See tunnel-world.h; what stands beside it is in test-successor.c. */
#include "ike/gateways.h"
#include "tunnel-status.h"
#include "tunnel-world.h"

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

/* What the bus tells of it: nothing without a tunnel but who the box is; others after each rekeying. */
START_TEST(what_is_shown) {
    Fixture f = fixture_new(&(Switches){.nat_initiator = true}, 0);
    TunnelStatus before, after;
    TunnelCounters counters;

    open_gateway(0);
    tunnel_status(world.tunnel, "henb.example", &before);
    ck_assert(!before.up && before.child_spi_in == 0 && before.next_rekey == 0 && !*before.peer_identity);
    ck_assert_str_eq(before.local_identity, "henb.example");
    run(0);
    tunnel_status(world.tunnel, "henb.example", &before);
    ck_assert(before.up && before.nat_local && !before.nat_remote && before.encapsulated);
    ck_assert_str_eq(ADDRESS_STR(&before.remote), gateway_addresses[0]);
    ck_assert_uint_eq(before.child_spi_out, world_outbound()->spi_out);
    ck_assert_uint_eq(before.child_spi_in, world_outbound()->spi_in);
    ck_assert(before.ike_spi_i != 0 && before.ike_spi_r != 0);
    ck_assert(*before.peer_identity && *before.ike_algorithms && *before.esp_algorithms);
    ck_assert_uint_eq(before.inner_addresses.n, 1);
    ck_assert(address_equal(&before.inner_addresses.items[0], &world.inner));
    ck_assert_uint_gt(before.next_rekey, world.mono);
    run(before.next_rekey - world.mono);
    tunnel_status(world.tunnel, "henb.example", &after);
    ck_assert_uint_ne(after.child_spi_in, before.child_spi_in);
    ck_assert_uint_gt(after.next_rekey, world.mono);
    tunnel_counters(world.tunnel, &counters);
    ck_assert_uint_eq(counters.malformed + counters.foreign + counters.forged, 0);
    tunnel_close(world.tunnel);
    tunnel_status(world.tunnel, "", &after);
    ck_assert(!after.up && after.ike_spi_i == 0 && after.inner_addresses.n == 0);
    fixture_free(&f);
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
    arrive_later(0, m);
    free(m);
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
        ck_assert_uint_eq(world.n_pairs, arrived);
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
    arrive_later(0, m);
    free(m);
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
    ck_assert_int_eq(world.message, MESSAGE_SEGW_REFUSED);
    gateway_restart(0, &(Switches){.group = IKE_DH_ECP_256});
    ck_assert_uint_eq(inits_of(0), 1);
    /* A silent one has refused nothing. */
    gateway_restart(0, &(Switches){.group = IKE_DH_ECP_384});
    ck_assert_uint_eq(inits_of(0), 2);
    world.silent[0] = true;
    open_gateway(0);
    run(20 * USEC_PER_SEC);
    ck_assert_uint_eq(world.downs, 2);
    ck_assert_int_eq(world.message, MESSAGE_NONE);
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
            ck_assert_int_eq(world.message, MESSAGE_SEGW_UNTRUSTED);
            ck_assert_uint_eq(world.gateways[0].deletes_ike, 1);
        }
        fixture_free(&f);
    }
    test_chain_free(&chain);
}
END_TEST

SUITE("tunnel", one_tunnel, nat_as_it_was_seen, what_is_shown, one_after_the_other, late_words_of_the_first,
      closed_halfway, reopened_in_the_report, the_kernel_refuses, groups_by_gateway, group_is_forgotten,
      groups_are_bounded, prepared_once, prepared_of_another_group, prepared_for_long, uplink_moves,
      uplink_goes, uplink_goes_while_ike_gives_up, no_way_there, clock_is_set)
