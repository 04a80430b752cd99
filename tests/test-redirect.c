/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A gateway that sends us elsewhere (RFC 5685): in IKE_SA_INIT, in IKE_AUTH, and later. Who follows, and how
 * often, is the tunnel's business. */
#include <check.h>
#include <stdio.h>

#include "ike-link.h"
#include "suite.h"

#define SECOND USEC_PER_SEC

static const struct {
    const char *text;
    bool address;
} targets[] = {{"203.0.113.77", true}, {"2001:db8::77", true}, {"segw-2.operator.example", false}};

static void assert_target(Link *l, size_t i) {
    const IkeRedirect *to = ike_sa_redirect(l->sa);
    ck_assert_int_eq(to->address.family != AF_UNSPEC, targets[i].address);
    ck_assert_str_eq(targets[i].address ? ADDRESS_STR(&to->address) : to->name, targets[i].text);
}

START_TEST(in_ike_sa_init) {
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        _cleanup_(link_freep) Link *l = link_new(&(Switches){.redirect_init = targets[i].text}, NULL, 1);
        link_assert_ended(l, IKE_END_REDIRECTED, targets[i].text);
        assert_target(l, i);
        ck_assert_uint_eq(responder_count_ikes(&l->responder), 0);
        ck_assert_uint_eq(l->responder.requests, 1);
    }
}
END_TEST

/* It asks for a cookie or another group first. */
START_TEST(after_other_answers) {
    static const Switches cases[] = {{.cookie = true}, {.group = IKE_DH_ECP_384}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Switches s = cases[i];
        s.redirect_init = targets[0].text;
        _cleanup_(link_freep) Link *l = link_new(&s, NULL, 1);
        link_assert_ended(l, IKE_END_REDIRECTED, targets[0].text);
    }
}
END_TEST

/* Who does not return our nonce did not see our request: it is not believed. */
START_TEST(with_another_nonce) {
    _cleanup_(link_freep) Link *l =
        link_new(&(Switches){.redirect_init = targets[0].text, .redirect_bad_nonce = true}, NULL, 1);
    link_start(l);
    link_run_for(l, SECOND);
    ck_assert_uint_eq(l->ends, 0);
    ck_assert_uint_ge(ike_sa_counters(l->sa)->malformed, 1);
    l->responder.switches.redirect_init = NULL;
    ck_assert_msg(link_establish(l), "%s", l->text);
}
END_TEST

START_TEST(malformed_in_ike_sa_init) {
    static const char *const hex[] = {
        "",
        "01",
        "0104cb0071",           /* cut short */
        "0204cb00714d",         /* IPv6 of four bytes */
        "0105cb00714d00",       /* IPv4 of five */
        "010400000000",         /* nobody */
        "0300",                 /* no name */
        "0303610062",           /* a NUL in it */
        "03057e7e2f2e2e",       /* no name of a host */
        "0904cb00714d",         /* an unknown kind */
        "0104cb00714dffffffff", /* more than the nonce */
    };
    for (size_t i = 0; i < ARRAY_SIZE(hex); i++) {
        _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);
        Message *m = malloc(sizeof *m);
        Blob data = test_unhex(hex[i]);
        IkeWriter w;

        l->gateway_silent = true;
        link_start(l);
        link_run_for(l, 3 * LINK_DELAY);
        IkeHeader h = {
            .spi_i = ike_sa_spi_i(l->sa), .exchange = IKE_EXCHANGE_SA_INIT, .flags = IKE_FLAG_RESPONSE};
        ike_writer_start(&w, m->bytes, sizeof m->bytes, &h);
        ike_notify_write(&w, IKE_PROTOCOL_NONE, 16407, data.data, data.size);
        ck_assert_int_eq(ike_writer_finish(&w), 0);
        link_inject(l, &(Endpoint){l->config.remote, IKE_PORT}, m->bytes, w.w.len, LINK_DELAY);
        link_run_for(l, 3 * LINK_DELAY);
        ck_assert_uint_eq(l->ends, 0);
        l->gateway_silent = false;
        ck_assert_msg(link_establish(l), "case %zu: %s", i, l->text);
        free(data.data);
        free(m);
    }
}
END_TEST

/* The new gateway is told who sent us (RFC 5685 3). */
START_TEST(redirected_from) {
    for (unsigned i = 0; i < 2; i++) {
        _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);
        l->config.redirected_from = address(i ? "2001:db8::1" : "203.0.113.200");
        link_assert_up(l);
        ck_assert_uint_eq(l->responder.redirected_from, 1);
    }
    _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);
    link_assert_up(l);
    ck_assert_uint_eq(l->responder.redirected_from, 0);
    ck_assert(l->responder.ike[0]->redirects); /* REDIRECT_SUPPORTED */
}
END_TEST

START_TEST(in_ike_auth) {
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        _cleanup_(link_freep) Link *l = link_new(&(Switches){.redirect_auth = targets[i].text}, NULL, 1);
        link_assert_ended(l, IKE_END_REDIRECTED, targets[i].text);
        assert_target(l, i);
        ck_assert_uint_eq(l->responder.deletes_ike, 1); /* 5 */
        ck_assert_uint_eq(responder_count_ikes(&l->responder), 0);
    }
}
END_TEST

/* Who is not the gateway may not send us anywhere. */
START_TEST(in_ike_auth_of_a_stranger) {
    static const struct {
        LinkFiles files;
        Switches switches;
    } cases[] = {
        {{.trust = "expired-ca.pem"}, {}},
        {{}, {.bad_auth = true}},
        {{.gateway = "gateway-other.pem"}, {}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Switches s = cases[i].switches;
        s.redirect_auth = targets[0].text;
        _cleanup_(link_freep) Link *l = link_new(&s, &cases[i].files, 1);
        link_assert_ended(l, IKE_END_UNTRUSTED, "");
    }
}
END_TEST

START_TEST(in_an_established_sa) {
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);
        link_assert_up(l);
        link_run_for(l, SECOND);
        l->responder.now = l->now.mono;
        responder_want_redirect(&l->responder, targets[i].text);
        link_gateway(l);
        link_run_for(l, 5 * LINK_DELAY);
        ck_assert(l->responder.answered && l->responder.response_empty);
        ck_assert(l->reauthentications == 1 && l->redirected);
        assert_target(l, i);
        /* It lives until there is a successor. */
        link_run_for(l, 200 * SECOND);
        ck_assert(l->ends == 0 && link_echo(l));
    }
}
END_TEST

SUITE("redirect", in_ike_sa_init, after_other_answers, with_another_nonce, malformed_in_ike_sa_init,
      redirected_from, in_ike_auth, in_ike_auth_of_a_stranger, in_an_established_sa)
