/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What stands beside the association in use: successors, redirections, moves, the kernel's events, and
 * questions about revocation. See tunnel-world.h. */
#include "tunnel-world.h"

static const char *const elsewhere[] = {"203.0.113.2", "other.operator.example"};

/* The one in use is replaced after 80 to 90 % of it. */
#define LIFETIME 1000

static void renew(Fixture *f) {
    tunnel_reauthenticate(world.tunnel, f->trust, f->device);
}

/* -- successors -- */

START_TEST(authentication_ends) {
    Fixture f = fixture_new(&(Switches){.lifetime = LIFETIME}, 0);
    up(0);
    ck_assert_uint_eq(world.gateways[0].init_contacts, 1);
    ck_assert_int_eq(world.gateways[0].peer_asked.family, AF_UNSPEC);
    uint64_t first = world.gateways[0].spi_i;
    world.calls[0] = 0;
    run(LIFETIME * USEC_PER_SEC * 79 / 100);
    ck_assert_uint_eq(world.begun[0], 1);
    run(LIFETIME * USEC_PER_SEC * 12 / 100);
    ck_assert_uint_eq(world.begun[0], 2);
    ck_assert_uint_ne(world.gateways[0].spi_i, first);
    ck_assert_str_eq(world.calls, "reserve inner install remove remove ");
    ck_assert_uint_eq(world.gateways[0].init_contacts, 1);
    ck_assert_str_eq(ADDRESS_STR(&world.gateways[0].peer_asked), "10.1.0.7");
    ck_assert_uint_eq(world.ups, 2);
    ck_assert_uint_eq(world.again, 1);
    ck_assert_uint_eq(world.downs + world.idles, 0);
    ck_assert_uint_eq(world.gateways[0].deletes_ike, 1);
    ck_assert_uint_eq(world.gaps, 0);
    assert_one(0);
    assert_outer(gateway_addresses[0], false, false);
    run(LIFETIME * USEC_PER_SEC); /* and so on */
    ck_assert_uint_eq(world.again, 2);
    ck_assert_uint_eq(world.gaps, 0);
    assert_one(0);
    fixture_free(&f);
}
END_TEST

START_TEST(certificate_is_another) {
    Fixture f = fixture_new(&(Switches){}, 0);
    TrustStore *trust = test_trust("ca.pem");
    Credential *device = test_credential("device-ecdsa.pem", "device-ecdsa.key.pem");

    tunnel_reauthenticate(world.tunnel, f.trust, f.device); /* nothing is open */
    ck_assert_uint_eq(world.n_spis, 0);
    up(0);
    world.calls[0] = 0;
    tunnel_reauthenticate(world.tunnel, trust, device);
    assert_kernel(1);
    run(0);
    ck_assert_str_eq(world.calls, "reserve inner install remove remove ");
    ck_assert_uint_eq(world.again, 1);
    ck_assert_uint_eq(world.gateways[0].deletes_ike, 1);
    ck_assert_uint_eq(world.gateways[0].init_contacts, 1);
    ck_assert_uint_eq(world.gaps + world.downs, 0);
    assert_one(0);
    /* Twice in a row: the first successor is closed halfway. */
    renew(&f);
    ck_assert(arrive());
    renew(&f);
    run(30 * USEC_PER_SEC);
    ck_assert_uint_eq(world.again, 2);
    ck_assert_uint_eq(world.gaps + world.downs, 0);
    assert_one(0);
    fixture_free(&f);
    credential_free(device);
    trust_store_free(trust);
}
END_TEST

/* With another certificate there is no second word of the gateway's: it is tried until it is there. */
START_TEST(successor_fails) {
    static const Switches cases[] = {{.init_error = IKE_NOTIFY_NO_PROPOSAL_CHOSEN},
                                     {.auth_error = IKE_NOTIFY_AUTHENTICATION_FAILED},
                                     {.child_error = IKE_NOTIFY_NO_PROPOSAL_CHOSEN},
                                     {.bad_auth = true},
                                     {}}; /* silent to the new one: what it sends is lost */
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        for (unsigned limited = 0; limited < 2; limited++) {
            Fixture f = fixture_new(&(Switches){.lifetime = limited ? LIFETIME : 0}, 0);
            up(0);
            Switches good = world.gateways[0].switches, bad = cases[i];
            bool silent = i == ARRAY_SIZE(cases) - 1;
            bad.credential = good.credential;
            bad.lifetime = good.lifetime;
            if (limited)
                run(LIFETIME * USEC_PER_SEC * 79 / 100);
            world.gateways[0].switches = bad;
            if (!limited)
                renew(&f);
            if (silent) {
                while (world.begun[0] == 1)
                    run(USEC_PER_SEC);
                world.silent[0] = true;
                run(5 * USEC_PER_SEC);
                world.silent[0] = false;
            } else
                run((limited ? LIFETIME * 12 / 100 : 10) * USEC_PER_SEC);
            ck_assert_uint_eq(world.downs, 0);
            ck_assert_uint_eq(world.gaps, 0);
            if (!silent)
                ck_assert_uint_eq(world.ups, 1);
            world.gateways[0].switches = good;
            run(200 * USEC_PER_SEC);
            ck_assert_msg(world.ups == 2 && world.again == 1, "case %zu: %u ups", i, world.ups);
            ck_assert_uint_eq(world.gaps + world.downs, 0);
            assert_one(0);
            ck_assert_uint_eq(responder_count_ikes(&world.gateways[0]), 1);
            fixture_free(&f);
        }
}
END_TEST

/* Nothing comes of attempts for an hour but the attempts. */
START_TEST(successor_fails_for_long) {
    Fixture f = fixture_new(&(Switches){}, 0);
    up(0);
    world.gateways[0].switches.init_error = IKE_NOTIFY_NO_PROPOSAL_CHOSEN;
    renew(&f);
    run(3600 * USEC_PER_SEC);
    /* 30 to 60 s apart at first, then twice as long each time. */
    ck_assert_uint_ge(world.begun[0], 6);
    ck_assert_uint_le(world.begun[0], 10);
    ck_assert_uint_eq(world.downs + world.gaps, 0);
    assert_one(0);
    fixture_free(&f);
}
END_TEST

START_TEST(kernel_refuses_the_successor) {
    Fixture f = fixture_new(&(Switches){}, 0);
    up(0);
    world.gateways[0].switches.inner[0] = "10.1.0.99";
    world.install_error = -EINVAL;
    renew(&f);
    run(0);
    ck_assert_uint_eq(world.ups, 1);
    ck_assert_uint_eq(world.downs + world.gaps, 0);
    ck_assert_str_eq(ADDRESS_STR(&world.inner), "10.1.0.7"); /* that of the one in use is back */
    assert_one(0);
    world.install_error = 0;
    run(200 * USEC_PER_SEC);
    ck_assert_uint_eq(world.again, 1);
    ck_assert_str_eq(ADDRESS_STR(&world.inner), "10.1.0.99");
    assert_one(0);
    fixture_free(&f);
}
END_TEST

START_TEST(other_inner_address) {
    Fixture f = fixture_new(&(Switches){}, 0);
    up(0);
    world.gateways[0].switches.inner[0] = "10.1.0.99";
    renew(&f);
    run(0);
    ck_assert_str_eq(ADDRESS_STR(&world.gateways[0].peer_asked), "10.1.0.7");
    ck_assert_str_eq(ADDRESS_STR(&world.inner), "10.1.0.99");
    ck_assert_uint_eq(world.again, 1);
    ck_assert_uint_eq(world.gaps, 0);
    renew(&f);
    run(0);
    ck_assert_str_eq(ADDRESS_STR(&world.gateways[0].peer_asked), "10.1.0.99");
    fixture_free(&f);
}
END_TEST

/* The one in use dies at each step of its successor: told once, and nothing is left. */
START_TEST(death_beside_the_successor) {
    for (unsigned arrived = 0; arrived < 2; arrived++)
        for (unsigned how = 0; how < 2; how++) {
            Fixture f = fixture_new(&(Switches){}, 0);
            up(0);
            Message *m = malloc(sizeof *m);
            responder_request(&world.gateways[0], IKE_EXCHANGE_INFORMATIONAL,
                              how ? payload_delete_child : payload_delete_ike, m);
            renew(&f);
            for (unsigned i = 0; i < arrived; i++)
                ck_assert(arrive());
            world.slow[0] = true;
            Address gateway = address(gateway_addresses[0]);
            tunnel_input(world.tunnel, m->bytes, m->size, &(Endpoint){gateway, IKE_NAT_PORT});
            free(m);
            ck_assert_uint_eq(world.downs, 1);
            assert_kernel(0);
            world.slow[0] = false;
            run(60 * USEC_PER_SEC);
            ck_assert_uint_eq(world.downs, 1);
            ck_assert_uint_eq(world.ups, 1);
            ck_assert(tunnel_is_idle(world.tunnel));
            assert_kernel(0);
            if (how) /* it has not forgotten the one it deleted by hand */
                ck_assert_uint_eq(responder_count_ikes(&world.gateways[0]), 0);
            fixture_free(&f);
        }
}
END_TEST

/* While it is set up: with the old certificate, and then with the other one. */
START_TEST(certificate_is_another_meanwhile) {
    Fixture f = fixture_new(&(Switches){.lifetime = LIFETIME}, 0);
    open_gateway(0);
    ck_assert(arrive());
    renew(&f);
    run(10 * USEC_PER_SEC);
    ck_assert_uint_eq(world.ups, 2);
    ck_assert_uint_eq(world.again, 1);
    ck_assert_uint_eq(world.gaps + world.downs, 0);
    assert_one(0);
    fixture_free(&f);
}
END_TEST

/* -- redirections -- */

static void redirect(unsigned exchange, const char *target) {
    world.gateways[0].switches.redirect_init = exchange == 0 ? target : NULL;
    world.gateways[0].switches.redirect_auth = exchange == 1 ? target : NULL;
    if (exchange == 2) {
        up(0);
        responder_want_redirect(&world.gateways[0], target);
    } else
        open_gateway(0);
    run(0);
}

START_TEST(redirected) {
    for (unsigned exchange = 0; exchange < 3; exchange++)
        for (unsigned named = 0; named < 2; named++) {
            Fixture f = fixture_new(&(Switches){}, 0);
            redirect(exchange, elsewhere[named]);
            ck_assert_uint_eq(world.names, named);
            if (named) {
                ck_assert_str_eq(world.name, elsewhere[1]);
                assert_kernel(exchange == 2);
                world_resolve(gateway_addresses[1]);
            }
            run(30 * USEC_PER_SEC);
            ck_assert_uint_eq(world.downs, 0);
            ck_assert_uint_eq(world.ups, 1 + (exchange == 2));
            ck_assert_uint_eq(world.again, exchange == 2);
            ck_assert_uint_eq(world.gateways[1].redirected_from, 1);
            ck_assert_uint_eq(world.gateways[0].deletes_ike, exchange > 0);
            ck_assert_uint_eq(world.gateways[1].init_contacts, exchange < 2);
            ck_assert_uint_eq(world.gaps, 0);
            ck_assert(!world.resolving);
            assert_one(1);
            assert_outer(gateway_addresses[1], false, false);
            fixture_free(&f);
        }
}
END_TEST

/* The other gateway is not who was wanted. */
START_TEST(redirected_to_a_stranger) {
    for (unsigned exchange = 0; exchange < 3; exchange++) {
        Fixture f = fixture_new(&(Switches){}, 0);
        static const char *const names[] = {"gateway-other.pem", ""};
        TestChain chain = test_chain(names);
        world.gateways[1].switches.chain = &chain;
        redirect(exchange, elsewhere[0]);
        run(60 * USEC_PER_SEC);
        ck_assert_uint_ge(world.gateways[1].redirected_from, 1);
        ck_assert_uint_eq(world.downs, exchange < 2);
        ck_assert_uint_eq(world.ups, exchange == 2);
        ck_assert_uint_eq(world.gaps, 0);
        if (exchange == 2)
            assert_one(0);
        else
            ck_assert_ptr_nonnull(strstr(world.text, gateway_addresses[1]));
        fixture_free(&f);
        test_chain_free(&chain);
    }
}
END_TEST

START_TEST(redirected_to_the_dead) {
    static const char *const dead[] = {"203.0.113.2", "203.0.113.77", "2001:db8::77"};
    for (unsigned exchange = 0; exchange < 3; exchange++)
        for (size_t i = 0; i < ARRAY_SIZE(dead); i++) {
            Fixture f = fixture_new(&(Switches){}, 0);
            world.silent[1] = true;
            redirect(exchange, dead[i]);
            world.gateways[0].switches.redirect_init = world.gateways[0].switches.redirect_auth = NULL;
            run(60 * USEC_PER_SEC);
            ck_assert_uint_eq(world.downs, exchange < 2);
            if (exchange < 2)
                up(0);
            ck_assert_uint_eq(world.ups, 1);
            ck_assert_uint_eq(world.gaps, 0);
            assert_one(0);
            fixture_free(&f);
        }
}
END_TEST

/* Two gateways that send us to each other. */
START_TEST(redirected_for_ever) {
    for (unsigned exchange = 0; exchange < 2; exchange++) {
        Fixture f = fixture_new(&(Switches){}, 0);
        for (unsigned i = 0; i < GATEWAYS; i++) {
            world.gateways[i].switches.redirect_init = exchange ? NULL : gateway_addresses[!i];
            world.gateways[i].switches.redirect_auth = exchange ? gateway_addresses[!i] : NULL;
        }
        open_gateway(0);
        run(60 * USEC_PER_SEC);
        ck_assert_uint_eq(world.n_spis, 1 + TUNNEL_REDIRECTS_MAX);
        ck_assert_uint_eq(world.downs, 1);
        open_gateway(0); /* the period goes on */
        run(60 * USEC_PER_SEC);
        ck_assert_uint_eq(world.n_spis, 2 + TUNNEL_REDIRECTS_MAX);
        ck_assert_uint_eq(world.downs, 2);
        run(TUNNEL_REDIRECT_PERIOD);
        open_gateway(0);
        run(60 * USEC_PER_SEC);
        ck_assert_uint_eq(world.n_spis, 3 + 2 * TUNNEL_REDIRECTS_MAX);
        ck_assert_uint_eq(world.downs, 3);
        ck_assert(tunnel_is_idle(world.tunnel));
        fixture_free(&f);
    }
}
END_TEST

/* The same by INFORMATIONAL: what is up stays so. */
START_TEST(redirected_while_up_for_ever) {
    Fixture f = fixture_new(&(Switches){}, 0);
    up(0);
    for (unsigned i = 0; i < 3 * TUNNEL_REDIRECTS_MAX; i++) {
        unsigned at = responder_count_ikes(&world.gateways[1]);
        responder_want_redirect(&world.gateways[at], gateway_addresses[!at]);
        run(10 * USEC_PER_SEC);
        ck_assert_uint_eq(world.gaps + world.downs, 0);
    }
    ck_assert_uint_eq(world.again, TUNNEL_REDIRECTS_MAX);
    assert_one(TUNNEL_REDIRECTS_MAX % 2);
    fixture_free(&f);
}
END_TEST

START_TEST(redirected_to_no_name) {
    for (unsigned exchange = 0; exchange < 3; exchange++) {
        Fixture f = fixture_new(&(Switches){}, 0);
        redirect(exchange, elsewhere[1]);
        world_resolve(NULL);
        run(30 * USEC_PER_SEC);
        ck_assert(!world.resolving);
        ck_assert_uint_eq(world.downs, exchange < 2);
        if (exchange < 2)
            ck_assert_ptr_nonnull(strstr(world.text, "NXDOMAIN"));
        else
            assert_one(0);
        fixture_free(&f);
    }
}
END_TEST

/* Its name has an address, to which no way leads: the line says so, whatever becomes of the tunnel. */
START_TEST(redirected_out_of_reach) {
    for (unsigned exchange = 0; exchange < 3; exchange++) {
        Fixture f = fixture_new(&(Switches){}, 0);
        redirect(exchange, elsewhere[1]);
        if (exchange < 2)
            world_resolve("2001:db8::1");
        else
            LOG_OF(world_resolve("2001:db8::1"),
                   "<4>the gateway we were redirected to cannot be reached; the one in use stays\n");
        ck_assert_uint_eq(world.downs, exchange < 2);
        if (exchange < 2)
            ck_assert_str_eq(world.text, "the gateway we were redirected to cannot be reached");
        else
            assert_one(0);
        fixture_free(&f);
    }
}
END_TEST

/* What is asked about is not wanted any more. */
START_TEST(redirected_and_closed) {
    for (unsigned exchange = 0; exchange < 3; exchange++)
        for (unsigned how = 0; how < 3; how++) {
            Fixture f = fixture_new(&(Switches){}, 0);
            redirect(exchange, elsewhere[1]);
            ck_assert(world.resolving);
            ck_assert(how > 0 || !tunnel_is_idle(world.tunnel));
            if (how == 0)
                tunnel_close(world.tunnel);
            else if (how == 1)
                open_gateway(1);
            if (how < 2) {
                ck_assert(!world.resolving);
                run(30 * USEC_PER_SEC);
                ck_assert_uint_eq(world.names, 1);
                ck_assert_uint_eq(world.downs, 0);
                if (how == 0)
                    ck_assert(tunnel_is_idle(world.tunnel));
                else
                    assert_one(1);
            }
            fixture_free(&f); /* or in the middle of it */
        }
}
END_TEST

/* Beside the question about a name another successor is made, or the uplink goes. */
START_TEST(redirected_and_renewed) {
    Fixture f = fixture_new(&(Switches){}, 0);
    redirect(2, elsewhere[1]);
    renew(&f);
    ck_assert(arrive());
    if (world.resolving)
        world_resolve(gateway_addresses[1]);
    run(30 * USEC_PER_SEC);
    ck_assert_uint_eq(world.gaps + world.downs, 0);
    ck_assert_uint_ge(world.again, 1);
    assert_kernel(1);
    ck_assert_uint_eq(responder_count_ikes(&world.gateways[0]) + responder_count_ikes(&world.gateways[1]), 1);
    fixture_free(&f);

    f = fixture_new(&(Switches){}, 0);
    redirect(2, elsewhere[1]);
    world.source[0] = address("198.51.100.8");
    tunnel_uplink_changed(world.tunnel);
    ck_assert_uint_eq(world.moves, 1);
    ck_assert(!world.resolving);
    assert_kernel(0);
    fixture_free(&f);
}
END_TEST

/* -- rekeyings that the kernel refuses -- */

START_TEST(kernel_refuses_rekeyings) {
    Fixture f = fixture_new(&(Switches){}, 0);
    up(0);
    world.refuse_installs = 20;
    uint32_t spi = world_outbound()->spi_in;
    world_expire(spi, false);
    for (unsigned i = 0; world.refuse_installs > 0 && i < 3600; i++) {
        run(USEC_PER_SEC);
        ck_assert_ptr_nonnull(world_outbound());
        if (world.refuse_installs > 0)
            ck_assert_uint_eq(world_outbound()->spi_in, spi);
        ck_assert_uint_eq(responder_count_ikes(&world.gateways[0]), 1);
    }
    ck_assert_uint_eq(world.installs_refused, 20);
    for (unsigned i = 2; i < 20; i++)
        ck_assert_uint_ge(world.refused_at[i] - world.refused_at[i - 1] + USEC_PER_SEC,
                          world.refused_at[i - 1] - world.refused_at[i - 2]);
    ck_assert_uint_ge(world.refused_at[1] - world.refused_at[0], 5 * USEC_PER_SEC);
    ck_assert_uint_ge(world.gateways[0].deletes_child, 19);
    run(600 * USEC_PER_SEC);
    ck_assert_uint_ne(world_outbound()->spi_in, spi);
    ck_assert_uint_eq(world.downs + world.gaps, 0);
    ck_assert_uint_eq(world.n_spis, 1);
    assert_one(0);
    fixture_free(&f);
}
END_TEST

/* -- moves -- */

START_TEST(moves_along) {
    for (unsigned nat = 0; nat < 2; nat++) {
        Fixture f = fixture_new(&(Switches){.mobike = true, .nat_initiator = nat}, 0);
        up(0);
        world.source[0] = address("198.51.100.8");
        tunnel_uplink_changed(world.tunnel);
        run(30 * USEC_PER_SEC);
        ck_assert_uint_eq(world.moves_done, 1);
        ck_assert_str_eq(ADDRESS_STR(&world.moved_from[0].address), "198.51.100.7");
        ck_assert_str_eq(ADDRESS_STR(&world.moved_to[0].address), "198.51.100.8");
        ck_assert_str_eq(ADDRESS_STR(&world.moved_from[1].address), gateway_addresses[0]);
        ck_assert_str_eq(ADDRESS_STR(&world.moved_to[1].address), gateway_addresses[0]);
        ck_assert_uint_eq(world.gateways[0].updates, 1);
        ck_assert_uint_eq(world.gateways[0].cookies2_good, 1);
        ck_assert_uint_eq(world.ups, 1);
        ck_assert_uint_eq(world.downs + world.gaps, 0);
        assert_one(0);
        TunnelView view = tunnel_view(world.tunnel);
        ck_assert_str_eq(ADDRESS_STR(&view.local), "198.51.100.8");
        run(300 * USEC_PER_SEC); /* it lives */
        ck_assert_uint_eq(world.downs, 0);
        fixture_free(&f);
    }
}
END_TEST

START_TEST(move_fails) {
    for (unsigned how = 0; how < 3; how++) {
        Fixture f = fixture_new(&(Switches){.mobike = true, .unacceptable_addresses = how == 0}, 0);
        up(0);
        world.silent[0] = how == 1;
        world.move_error = how == 2 ? -EINVAL : 0;
        world.source[0] = address("198.51.100.8");
        tunnel_uplink_changed(world.tunnel);
        run(60 * USEC_PER_SEC);
        if (how == 2 && world.downs == 0) /* other keys instead */
            assert_one(0);
        else {
            ck_assert_uint_eq(world.downs, 1);
            assert_kernel(0);
        }
        fixture_free(&f);
    }
}
END_TEST

/* Set up in the old address: nobody waits for it, and it is told. */
START_TEST(moved_while_set_up) {
    for (unsigned arrived = 0; arrived < 2; arrived++) {
        Fixture f = fixture_new(&(Switches){.mobike = true}, 0);
        open_gateway(0);
        for (unsigned i = 0; i < arrived; i++)
            ck_assert(arrive());
        world.reopen = gateway_addresses[0];
        world.source[0] = address("198.51.100.8");
        tunnel_uplink_changed(world.tunnel);
        ck_assert_uint_eq(world.moves, 1);
        ck_assert_uint_eq(world.downs, 1);
        run(30 * USEC_PER_SEC);
        ck_assert_uint_eq(world.ups, 1);
        assert_one(0);
        fixture_free(&f);
    }
}
END_TEST

/* A successor has the old address: it is made anew from the new one, and the one in use moves. */
START_TEST(moved_beside_the_successor) {
    for (unsigned arrived = 0; arrived < 2; arrived++) {
        Fixture f = fixture_new(&(Switches){.mobike = true}, 0);
        up(0);
        renew(&f);
        for (unsigned i = 0; i < arrived; i++)
            ck_assert(arrive());
        world.source[0] = address("198.51.100.8");
        tunnel_uplink_changed(world.tunnel);
        run(100 * USEC_PER_SEC);
        ck_assert_uint_eq(world.moves_done, 1);
        ck_assert_uint_eq(world.downs + world.gaps, 0);
        ck_assert_uint_eq(world.again, 1);
        assert_kernel(1);
        fixture_free(&f);
    }
}
END_TEST

/* The family of the gateway's address has no way any more. */
START_TEST(family_goes) {
    Fixture f = fixture_new(&(Switches){.mobike = true}, 0);
    up(0);
    world.source[0] = (Address){};
    world.source[1] = address("2001:db8:2::7");
    tunnel_uplink_changed(world.tunnel);
    ck_assert_uint_eq(world.downs, 0);
    run(TUNNEL_UPLINK_GRACE + 1);
    ck_assert_uint_eq(world.downs, 1);
    ck_assert_uint_eq(world.moves, 1);
    assert_kernel(0);
    fixture_free(&f);
}
END_TEST

/* -- the kernel's events -- */

START_TEST(expires) {
    for (unsigned hard = 0; hard < 2; hard++)
        for (unsigned out = 0; out < 2; out++) {
            Fixture f = fixture_new(&(Switches){}, 0);
            world_expire(4711, hard); /* nothing is open */
            up(0);
            WorldPair old = *world_outbound();
            world_expire(4711, hard);
            run(USEC_PER_SEC);
            ck_assert_uint_eq(world.gateways[0].rekeys_child, 0);
            world_expire(out ? old.spi_out : old.spi_in, hard);
            run(30 * USEC_PER_SEC);
            ck_assert_uint_eq(world.gateways[0].rekeys_child, 1);
            ck_assert_uint_ne(world_outbound()->spi_in, old.spi_in);
            ck_assert_uint_eq(world.downs + world.gaps, 0);
            assert_one(0);
            world_expire(old.spi_in, hard); /* told again, and of what is gone */
            run(USEC_PER_SEC);
            ck_assert_uint_eq(world.gateways[0].rekeys_child, 1);
            fixture_free(&f);
        }
}
END_TEST

START_TEST(mappings) {
    static const Switches cases[] = {
        {}, {.nat_initiator = true}, {.nat_responder = true}, {.nat_initiator = true, .nat_responder = true}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Fixture f = fixture_new(&cases[i], 0);
        Endpoint from = {address("203.0.113.50"), 40000};
        tunnel_mapping(world.tunnel, 4711, &from);
        up(0);
        tunnel_mapping(world.tunnel, 4711, &from);
        ck_assert_uint_eq(world.moves_done, 0);
        tunnel_mapping(world.tunnel, world_outbound()->spi_in, &from);
        bool follows = i == 2;
        ck_assert_uint_eq(world.moves_done, follows);
        if (follows) {
            ck_assert_str_eq(ADDRESS_STR(&world.moved_from[1].address), gateway_addresses[0]);
            ck_assert_str_eq(ADDRESS_STR(&world.moved_to[1].address), "203.0.113.50");
            ck_assert_uint_eq(world.moved_to[1].port, 40000);
            tunnel_mapping(world.tunnel, world_outbound()->spi_in, &from);
            ck_assert_uint_eq(world.moves_done, 1);
        }
        ck_assert_uint_eq(world.downs, 0);
        fixture_free(&f);
    }
}
END_TEST

/* -- revocation -- */

START_TEST(revocation_is_asked) {
    for (unsigned good = 0; good < 2; good++) {
        Fixture f = fixture_new_asking(&(Switches){});
        open_gateway(0);
        run(60 * USEC_PER_SEC);
        ck_assert_uint_eq(world.questions, 1);
        ck_assert_uint_eq(world.ups + world.downs, 0);
        world_judge(good);
        run(0);
        ck_assert_uint_eq(world.ups, good);
        ck_assert_uint_eq(world.downs, !good);
        assert_kernel(good);
        if (!good) {
            ck_assert_ptr_nonnull(strstr(world.text, "4711"));
            ck_assert_uint_eq(world.gateways[0].deletes_ike, 1);
        }
        fixture_free(&f);
    }
}
END_TEST

/* Closed, opened elsewhere, deleted by the gateway, or freed, and never answered. */
START_TEST(revocation_is_not_answered) {
    for (unsigned how = 0; how < 4; how++) {
        Fixture f = fixture_new_asking(&(Switches){});
        open_gateway(0);
        run(0);
        ck_assert_ptr_nonnull(world.job);
        if (how == 0)
            tunnel_close(world.tunnel);
        else if (how == 1)
            open_gateway(1);
        else if (how == 2)
            responder_want(&world.gateways[0], REQUEST_DELETE_IKE, 0);
        if (how < 3) {
            run(0);
            ck_assert_uint_eq(world.job != NULL, how == 1);
            ck_assert_uint_eq(world.downs, how == 2);
            ck_assert_uint_eq(responder_count_ikes(&world.gateways[0]), 0);
        }
        if (how == 1) {
            world_judge(true);
            run(0);
            assert_one(1);
        }
        fixture_free(&f);
    }
}
END_TEST

START_TEST(revocation_of_the_successor) {
    for (unsigned good = 0; good < 2; good++) {
        Fixture f = fixture_new_asking(&(Switches){});
        open_gateway(0);
        run(0);
        world_judge(true);
        run(0);
        renew(&f);
        run(0);
        ck_assert_uint_eq(world.questions, 2);
        world_judge(good);
        run(20 * USEC_PER_SEC);
        ck_assert_uint_eq(world.again, good);
        /* A gateway that is revoked now keeps no tunnel of before. */
        ck_assert_uint_eq(world.downs, !good);
        if (good)
            assert_one(0);
        fixture_free(&f);
    }
}
END_TEST

SUITE("successor", authentication_ends, certificate_is_another, successor_fails, successor_fails_for_long,
      kernel_refuses_the_successor, other_inner_address, death_beside_the_successor,
      certificate_is_another_meanwhile, redirected, redirected_to_a_stranger, redirected_to_the_dead,
      redirected_for_ever, redirected_while_up_for_ever, redirected_to_no_name, redirected_out_of_reach,
      redirected_and_closed, redirected_and_renewed, kernel_refuses_rekeyings, moves_along, move_fails,
      moved_while_set_up, moved_beside_the_successor, family_goes, expires, mappings, revocation_is_asked,
      revocation_is_not_answered, revocation_of_the_successor)
