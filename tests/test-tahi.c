/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The initiator's part of the IPv6 Ready Logo conformance tests for IKEv2 (TAHI project, specification 1.1.0,
 * end node), by number and title, with today's algorithms in place of 3DES, SHA-1 and the 1024-bit group,
 * certificates in place of shared keys and tunnel mode throughout: a table, and a script for each row. Where
 * a number or a title is not publicly known the row has that of its group, or says what the group is about.
 */
#include <check.h>
#include <stdio.h>

#include "ike-link.h"
#include "suite.h"

#define SECOND USEC_PER_SEC

static Link *established(const Switches *switches) {
    Link *l = link_new(switches, NULL, 1);
    link_assert_up(l);
    link_run_for(l, SECOND);
    return l;
}

/* The i-th datagram of the HeNB that is a request or response of *exchange*. */
static const Sent *sent(const Link *l, uint8_t exchange, bool response, unsigned i) {
    for (size_t k = 0; k < l->n_sent; k++)
        if (!l->sent[k].by_gateway && l->sent[k].header.exchange == exchange &&
            !!(l->sent[k].header.flags & IKE_FLAG_RESPONSE) == response && i-- == 0)
            return &l->sent[k];
    ck_abort_msg("exchange %u was not sent", exchange);
}

static void lose_exchange(Link *l, const Sent *s, Fate *ret) {
    if (s->header.exchange == *(uint8_t *)l->userdata && !s->by_gateway)
        ret->copies = 0;
}

static void lose_all(Link *l, const Sent *s, Fate *ret) {
    (void)l;
    (void)s;
    ret->copies = 0;
}

/* 1.1.1, 1.1.2: the initial exchanges
 * ---------------------------------------------------------------------------- */

static void sends_ike_sa_init(void) {
    _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);
    link_start(l);
    const Sent *s = sent(l, IKE_EXCHANGE_SA_INIT, false, 0);
    ck_assert(s->header.spi_i != 0 && s->header.spi_r == 0 && s->header.message_id == 0);
    ck_assert(s->header.version == 0x20 && s->header.flags == IKE_FLAG_INITIATOR &&
              s->header.length == s->size);
    ck_assert_uint_eq(s->header.next_payload, IKE_PAYLOAD_SA);
    ck_assert(s->from.port == 500 && s->to.port == 500);
    ck_assert(link_establish(l)); /* SA, KE and nonce were good for the gateway */
}

static void sends_ike_auth(void) {
    _cleanup_(link_freep) Link *l = established(&(Switches){});
    const Sent *s = sent(l, IKE_EXCHANGE_AUTH, false, 0);
    ck_assert(s->header.spi_r == l->responder.spi_r && s->header.message_id == 1);
    ck_assert(s->header.flags == IKE_FLAG_INITIATOR && s->header.next_payload == IKE_PAYLOAD_SK);
    ck_assert(l->responder.peer_authenticated && l->responder.peer_id_size > 0);
}

static void uses_the_child_sa(void) {
    _cleanup_(link_freep) Link *l = established(&(Switches){});
    link_assert_one_pair(l);
}

static void retransmits(uint8_t exchange, bool stop) {
    _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);
    l->userdata = &exchange;
    l->fate = lose_exchange;
    link_start(l);
    link_run_for(l, stop ? 60 * SECOND : 3 * SECOND);
    unsigned n = link_count(l, exchange, false);
    ck_assert_uint_eq(n, stop ? IKE_RETRANSMIT_TRIES : 3);
    for (unsigned i = 1; i < n; i++)
        ck_assert(sent(l, exchange, false, i)->hash ==
                  sent(l, exchange, false, 0)->hash); /* the same bytes */
    ck_assert_int_eq(l->ends, stop);
    if (stop)
        ck_assert_int_eq(l->end, IKE_END_SILENT);
    else {
        l->fate = NULL;
        ck_assert(link_establish(l));
    }
}

static void retransmits_ike_sa_init(void) {
    retransmits(IKE_EXCHANGE_SA_INIT, false);
}
static void stops_ike_sa_init(void) {
    retransmits(IKE_EXCHANGE_SA_INIT, true);
}
static void retransmits_ike_auth(void) {
    retransmits(IKE_EXCHANGE_AUTH, false);
}
static void stops_ike_auth(void) {
    retransmits(IKE_EXCHANGE_AUTH, true);
}

/* 1.1.3: state
 * ----------------------------------------------------------------------------------------------------- */

/* What anybody can send, be it ICMP (which does not reach the engine) or IKE, ends nothing. */
static void unprotected(unsigned type) {
    _cleanup_(link_freep) Link *l = established(&(Switches){});
    Message *m = malloc(sizeof *m);
    for (unsigned i = 0; i < 20; i++) {
        forge_notify(l->responder.spi_i, l->responder.spi_r, IKE_EXCHANGE_INFORMATIONAL,
                     i % 2 ? IKE_FLAG_RESPONSE : 0, i / 2, type, m);
        link_inject(l, &(Endpoint){l->config.remote, IKE_PORT}, m->bytes, m->size, i * USEC_PER_MSEC);
    }
    free(m);
    link_run_for(l, 20 * SECOND);
    ck_assert_uint_eq(l->ends, 0);
    ck_assert_uint_le(l->responder.liveness, 3);
    link_assert_one_pair(l);
}

static void icmp(void) {
    _cleanup_(link_freep) Link *l = established(&(Switches){});
    unsigned before = l->responder.liveness;
    link_run_for(l, 61 * SECOND);
    ck_assert_uint_eq(l->responder.liveness, before + 1);
    ck_assert_uint_eq(l->ends, 0);
}

static void invalid_ike_spi(void) {
    unprotected(IKE_NOTIFY_INVALID_IKE_SPI);
}

static void invalid_spi(void) {
    unprotected(11);
}

static void repeated_attempts_fail(void) {
    _cleanup_(link_freep) Link *l = established(&(Switches){});
    l->fate = lose_all;
    usec_t start = l->now.mono;
    link_run_for(l, 200 * SECOND);
    ck_assert(l->ends == 1 && l->end == IKE_END_SILENT);
    ck_assert_uint_le(l->ended_at - start, 76 * SECOND);
    ck_assert_uint_eq(link_count(l, IKE_EXCHANGE_INFORMATIONAL, false), IKE_RETRANSMIT_TRIES);
}

/* Sent by whoever begins, which a gateway never does; as a status it is nothing to us. */
static void initial_contact(void) {
    _cleanup_(link_freep) Link *l = link_new(
        &(Switches){.unknown_payloads = true, .unknown_notify = IKE_NOTIFY_INITIAL_CONTACT}, NULL, 1);
    link_assert_up(l);
    ck_assert_uint_eq(l->responder.init_contacts, 1); /* ours */
    link_gateway_wants(l, REQUEST_LIVENESS, 0);
    link_run_for(l, SECOND);
    link_assert_one_pair(l);
}

static void liveness_check(void) {
    _cleanup_(link_freep) Link *l = established(&(Switches){});
    usec_t up = l->now.mono - SECOND;
    link_run_for(l, 65 * SECOND);
    const Sent *s = sent(l, IKE_EXCHANGE_INFORMATIONAL, false, 0);
    ck_assert(s->header.message_id == 2 && s->header.next_payload == IKE_PAYLOAD_SK);
    ck_assert_uint_ge(s->at, up + 60 * SECOND - LINK_DELAY);
    ck_assert_uint_eq(l->responder.liveness, 1);
}

static void delete_ike_sa(void) {
    _cleanup_(link_freep) Link *l = established(&(Switches){});
    link_close(l);
    link_run_for(l, SECOND);
    ck_assert(l->responder.deletes_ike == 1 && l->ends == 1);
    ck_assert_uint_eq(responder_count_ikes(&l->responder), 0);
}

static void delete_child_sa(void) {
    _cleanup_(link_freep) Link *l = established(&(Switches){});
    link_rekey_child(l);
    link_run_for(l, SECOND);
    ck_assert_uint_eq(l->responder.deletes_child, 1);
    ck_assert_uint_eq(responder_count_children(&l->responder), 1);
}

static void liveness_with_unprotected_messages(void) {
    _cleanup_(link_freep) Link *l = established(&(Switches){});
    Message *m = malloc(sizeof *m);
    for (unsigned i = 0; i < 100; i++) { /* they are no sign of life */
        forge_notify(l->responder.spi_i, l->responder.spi_r, IKE_EXCHANGE_INFORMATIONAL, 0, i, 16384, m);
        link_inject(l, &(Endpoint){l->config.remote, IKE_PORT}, m->bytes, m->size, i * SECOND);
    }
    free(m);
    link_run_for(l, 65 * SECOND);
    ck_assert_uint_eq(l->responder.liveness, 1);
}

/* 1.1.4, 1.1.11: what is not known
 * ------------------------------------------------------------------------------ */

static const uint8_t unknown_types[] = {1, 32, 49, 255};

static void unknown_uncritical(void) {
    for (size_t i = 0; i < ARRAY_SIZE(unknown_types); i++) {
        _cleanup_(link_freep) Link *l =
            established(&(Switches){.unknown_payloads = true, .unknown_type = unknown_types[i]});
        link_rekey_child(l);
        link_run_for(l, 20 * SECOND);
        link_gateway_wants(l, REQUEST_REKEY_CHILD, 0);
        link_run_for(l, 20 * SECOND);
        link_assert_one_pair(l);
    }
}

static void unknown_critical(void) {
    for (size_t i = 0; i < ARRAY_SIZE(unknown_types); i++) {
        Message *m = malloc(sizeof *m);
        _cleanup_(link_freep) Link *init =
            link_new(&(Switches){.critical_init = true, .unknown_type = unknown_types[i]}, NULL, 1);
        link_assert_ended(init, IKE_END_SILENT, "");
        _cleanup_(link_freep) Link *auth =
            link_new(&(Switches){.critical_auth = true, .unknown_type = unknown_types[i]}, NULL, 1);
        link_assert_ended(auth, IKE_END_UNACCEPTABLE, "");
        _cleanup_(link_freep) Link *l = established(&(Switches){.unknown_type = unknown_types[i]});
        responder_request(&l->responder, IKE_EXCHANGE_INFORMATIONAL, payload_critical, m);
        link_send_message(l, m);
        link_run_for(l, SECOND);
        ck_assert_uint_eq(l->responder.response_notify, IKE_NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD);
        ck_assert_uint_eq(l->responder.response_notify_data, unknown_types[i]);
        link_assert_one_pair(l);
        free(m);
    }
}

/* unknown_payloads sets reserved bits and version bits in the header and in payloads as well. */
static void reserved_bits(void) {
    _cleanup_(link_freep) Link *l = established(&(Switches){.unknown_payloads = true});
    link_assert_one_pair(l);
}

static void unknown_error_notify(void) {
    _cleanup_(link_freep) Link *l = link_new(&(Switches){.child_notify = 16383}, NULL, 1);
    link_assert_ended(l, IKE_END_REFUSED, "16383");
    Message *m = malloc(sizeof *m);
    _cleanup_(link_freep) Link *later = established(&(Switches){});
    responder_request(&later->responder, IKE_EXCHANGE_INFORMATIONAL, payload_unknown_notify, m);
    link_send_message(later, m);
    link_run_for(later, SECOND);
    ck_assert(later->responder.answered);
    link_assert_one_pair(later);
    free(m);
}

static void unknown_status_notify(void) {
    _cleanup_(link_freep) Link *l =
        established(&(Switches){.unknown_payloads = true, .unknown_notify = 65535});
    link_assert_one_pair(l);
}

/* 1.1.5, 1.1.6: cookies and negotiation
 * ---------------------------------------------------------------------------- */

static void cookies(const Switches *s, unsigned requests) {
    _cleanup_(link_freep) Link *l = link_new(s, NULL, 1);
    link_assert_up(l);
    ck_assert_uint_ge(l->responder.cookies_seen, 1);
    ck_assert_uint_eq(link_count(l, IKE_EXCHANGE_SA_INIT, false), requests);
}

static void cookie(void) {
    cookies(&(Switches){.cookie = true}, 2);
}
static void cookie_and_group(void) {
    cookies(&(Switches){.cookie = true, .group = IKE_DH_ECP_384}, 3);
}
static void cookie_of_an_unoptimized_responder(void) {
    cookies(&(Switches){.cookie = true, .cookie_covers_ke = true, .group = IKE_DH_ECP_384}, 4);
}

static void ike_suites(void) {
    static const uint8_t prfs[] = {IKE_PRF_HMAC_SHA2_256, IKE_PRF_HMAC_SHA2_384, IKE_PRF_HMAC_SHA2_512};
    for (unsigned i = 0; i < 12; i++) {
        _cleanup_(link_freep) Link *l = established(&(Switches){
            .proposal = (uint8_t)(1 + i % 2), .prf = prfs[i / 2 % 3], .key_bits = i / 6 ? 128 : 256});
        ck_assert_uint_eq(ike_sa_suite(l->sa)->by_type[IKE_TRANSFORM_PRF]->id, prfs[i / 2 % 3]);
        link_assert_one_pair(l);
    }
}

static void child_suites(void) {
    for (unsigned i = 0; i < 4; i++) {
        _cleanup_(link_freep) Link *l =
            established(&(Switches){.esp_proposal = (uint8_t)(1 + i % 2), .key_bits = i / 2 ? 128 : 256});
        ck_assert(!!l->child.algorithms.aead == (i % 2 == 0));
        link_rekey_child(l);
        link_run_for(l, 20 * SECOND);
        link_assert_one_pair(l);
    }
}

/* The offers themselves. */
static void offers(uint8_t type, size_t least) {
    _cleanup_(link_freep) Link *l = established(&(Switches){});
    const Message *m = &l->responder.init_request;
    IkeProposal p[IKE_PROPOSALS_MAX];
    IkePayloads payloads;
    uint8_t unknown;
    size_t n, of_type = 0;
    ck_assert_int_eq(ike_payloads_split(reader_new(m->bytes + IKE_HEADER_SIZE, m->size - IKE_HEADER_SIZE),
                                        m->bytes[IKE_NEXT_PAYLOAD_OFFSET], &payloads, &unknown),
                     0);
    ck_assert_int_eq(ike_sa_payload_decode(ike_payloads_find(&payloads, IKE_PAYLOAD_SA, 0), p, &n), 0);
    for (size_t i = 0; i < n; i++) {
        ck_assert_uint_eq(p[i].number, i + 1); /* 3.3.1 */
        ck_assert_uint_eq(p[i].protocol, IKE_PROTOCOL_IKE);
    }
    for (size_t i = 0; i < p[0].n_transforms; i++)
        of_type += p[0].transforms[i].type == type;
    ck_assert_uint_ge(type ? of_type : n, least);
}

static void several_transforms(void) {
    offers(IKE_TRANSFORM_DH, 2);
    offers(IKE_TRANSFORM_PRF, 2);
}
static void several_proposals(void) {
    offers(0, 2);
}

static void another_group(void) {
    _cleanup_(link_freep) Link *l = established(&(Switches){.group = IKE_DH_MODP_2048});
    ck_assert_uint_eq(ike_sa_suite(l->sa)->by_type[IKE_TRANSFORM_DH]->id, IKE_DH_MODP_2048);
}

static void no_proposal_chosen(void) {
    _cleanup_(link_freep) Link *init =
        link_new(&(Switches){.init_error = IKE_NOTIFY_NO_PROPOSAL_CHOSEN}, NULL, 1);
    link_assert_ended(init, IKE_END_REFUSED, "NO_PROPOSAL_CHOSEN");
    _cleanup_(link_freep) Link *auth =
        link_new(&(Switches){.child_error = IKE_NOTIFY_NO_PROPOSAL_CHOSEN}, NULL, 1);
    link_assert_ended(auth, IKE_END_REFUSED, "NO_PROPOSAL_CHOSEN");
}

static void inconsistent_ike_answer(void) {
    _cleanup_(link_freep) Link *l = link_new(&(Switches){.foreign_algorithm = true}, NULL, 1);
    link_assert_ended(l, IKE_END_UNACCEPTABLE, "not offered");
}

static void inconsistent_child_answer(void) {
    _cleanup_(link_freep) Link *l = link_new(&(Switches){.esp_foreign = true}, NULL, 1);
    link_assert_ended(l, IKE_END_UNACCEPTABLE, "");
    ck_assert_uint_eq(l->responder.deletes_ike, 1);
}

/* Part A: the responder's SPI is zero, as the gateway sends it; part B: it is not. */
static void number_spi_r(Link *l, bool by_gateway, uint8_t *data, size_t *size) {
    if (by_gateway && *size > 18 && data[18] == IKE_EXCHANGE_SA_INIT &&
        data[IKE_NEXT_PAYLOAD_OFFSET] == IKE_PAYLOAD_NOTIFY)
        data[15] = 0x42;
}

static void invalid_ke_payload(void) {
    for (unsigned part = 0; part < 2; part++) {
        _cleanup_(link_freep) Link *l = link_new(&(Switches){.group = IKE_DH_ECP_384}, NULL, 1);
        l->mangle = part ? number_spi_r : NULL;
        link_assert_up(l);
        ck_assert_uint_eq(link_count(l, IKE_EXCHANGE_SA_INIT, false), 2);
        ck_assert_uint_eq(sent(l, IKE_EXCHANGE_SA_INIT, false, 1)->header.spi_r, 0);
    }
}

/* 1.1.7 to 1.1.10
 * ----------------------------------------------------------------------------------------------------- */

static void narrowing(void) {
    _cleanup_(link_freep) Link *l = established(&(Switches){.narrow = true});
    ck_assert_uint_eq(l->child.n_remote_ts, 1);
    ck_assert_uint_eq(l->child.remote_ts[0].prefix, 8);
    _cleanup_(link_freep) Link *wide = established(&(Switches){.ts_wide = true});
    ck_assert_uint_eq(wide->child.local_ts[0].prefix, 32); /* never more than our address */
    _cleanup_(link_freep) Link *none =
        link_new(&(Switches){.child_error = IKE_NOTIFY_TS_UNACCEPTABLE}, NULL, 1);
    link_assert_ended(none, IKE_END_REFUSED, "TS_UNACCEPTABLE");
}

static void identification(void) {
    static const Switches cases[] = {
        {}, {.id_type = IKE_ID_IPV4_ADDR, .id_data = {(uint8_t *)"\xcb\x00\x71\x01", 4}}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(link_freep) Link *l = link_new(&cases[i], NULL, 1);
        if (i) {
            TestChain chain = test_chain((const char *[]){"gateway-address.pem", ""});
            strcpy(l->config.identity, "203.0.113.1");
            l->responder.switches.chain = &chain;
            link_assert_up(l);
            test_chain_free(&chain);
        } else
            link_assert_up(l);
        ck_assert_uint_eq(l->responder.peer_id_size, strlen("henb-000001.operator.example"));
    }
}

static void wrong_identification(void) {
    _cleanup_(link_freep) Link *l = link_new(&(Switches){.id = "other.operator.example"}, NULL, 1);
    link_assert_ended(l, IKE_END_UNTRUSTED, "");
}

static void sends_cert(void) {
    _cleanup_(link_freep) Link *l = established(&(Switches){});
    ck_assert_uint_ge(l->responder.peer_certificates, 1);
}
static void sends_certreq(void) {
    _cleanup_(link_freep) Link *l = established(&(Switches){});
    ck_assert(l->responder.peer_certreq);
}
static void rsa_signature(void) {
    static const LinkFiles files = {.device = "device-rsa.pem",
                                    .device_key = "device-rsa.key.pem",
                                    .gateway = "gateway-rsa.pem",
                                    .gateway_key = "gateway-rsa.key.pem"};
    for (unsigned i = 0; i < 2; i++) {
        _cleanup_(link_freep) Link *l =
            link_new(&(Switches){.no_hashes = i == 1, .classic_auth = i == 1}, &files, 1);
        link_assert_up(l);
        ck_assert_uint_eq(l->responder.peer_auth_method, i ? IKE_AUTH_RSA : IKE_AUTH_DIGITAL_SIGNATURE);
    }
}

/* Group 2: CREATE_CHILD_SA
 * -------------------------------------------------------------------------------------------- */

static void create_child_format(void) {
    _cleanup_(link_freep) Link *l = established(&(Switches){});
    link_rekey_child(l);
    const Sent *s = sent(l, IKE_EXCHANGE_CREATE_CHILD_SA, false, 0);
    ck_assert(s->header.message_id == 2 && s->header.flags == IKE_FLAG_INITIATOR &&
              s->header.next_payload == IKE_PAYLOAD_SK);
    link_run_for(l, SECOND);
    ck_assert_uint_eq(l->responder.rekeys_child, 1); /* which looks at SA, nonce, KE, TS and REKEY_SA */
}

static void create_child_retransmission(void) {
    uint8_t exchange = IKE_EXCHANGE_CREATE_CHILD_SA;
    for (unsigned stop = 0; stop < 2; stop++) {
        _cleanup_(link_freep) Link *l = established(&(Switches){});
        l->userdata = &exchange;
        l->fate = lose_exchange;
        link_rekey_child(l);
        link_run_for(l, stop ? 60 * SECOND : 3 * SECOND);
        ck_assert(sent(l, exchange, false, 1)->hash == sent(l, exchange, false, 0)->hash);
        ck_assert_int_eq(l->ends, stop);
        l->fate = NULL;
        link_run_for(l, 20 * SECOND);
        if (!stop)
            link_assert_one_pair(l);
        ck_assert_uint_eq(l->responder.rekeys_child, !stop);
    }
}

static void closes_the_replaced_child(void) {
    delete_child_sa();
}

static void uses_the_new_child(void) {
    _cleanup_(link_freep) Link *l = established(&(Switches){});
    uint32_t old = kernel_outbound(&l->kernel)->sa.spi_out;
    link_rekey_child(l);
    link_run_for(l, 20 * SECOND);
    ck_assert_uint_ne(kernel_outbound(&l->kernel)->sa.spi_out, old);
    link_assert_one_pair(l);
}

static void lifetimes(usec_t child, usec_t ike) {
    _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);
    l->config.child_lifetime = child;
    l->config.ike_lifetime = ike;
    link_assert_up(l);
    link_run_for(l, (child ?: ike) + SECOND);
    ck_assert_int_eq(l->responder.rekeys_child, child ? 1 : 0);
    ck_assert_int_eq(l->responder.rekeys_ike, ike ? 1 : 0);
    link_run_for(l, 6 * SECOND);
    link_assert_one_pair(l);
}

static void child_lifetime(void) {
    lifetimes(30 * SECOND, 0);
}
static void ike_lifetime(void) {
    lifetimes(0, 60 * SECOND);
}

static void child_negotiation(void) {
    child_suites();
}

static void perfect_forward_secrecy(void) {
    for (unsigned i = 0; i < 2; i++) {
        _cleanup_(link_freep) Link *l = link_new(&(Switches){.no_pfs = i == 1}, NULL, 1);
        link_assert_up(l);
        link_rekey_child(l);
        link_run_for(l, 20 * SECOND);
        ck_assert_int_eq(responder_child(&l->responder, 0)->esp.by_type[IKE_TRANSFORM_DH] != NULL, i == 0);
        link_assert_one_pair(l);
    }
}

static void closes_the_replaced_ike_sa(void) {
    _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);
    l->config.ike_lifetime = 60 * SECOND;
    link_assert_up(l);
    uint64_t first = ike_sa_spi_i(l->sa);
    link_run_for(l, 61 * SECOND);
    ck_assert(l->responder.deletes_ike == 1 && ike_sa_spi_i(l->sa) != first);
    ck_assert_uint_eq(responder_count_ikes(&l->responder), 1);
    link_assert_one_pair(l);
}

static void group_of_an_ike_rekeying(void) {
    _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);
    l->config.ike_lifetime = 60 * SECOND;
    link_assert_up(l);
    l->responder.switches.group = IKE_DH_ECP_384; /* another from now on */
    link_run_for(l, 61 * SECOND);
    ck_assert(l->responder.refused == 1 && l->responder.rekeys_ike == 1);
    ck_assert_uint_eq(ike_sa_suite(l->sa)->by_type[IKE_TRANSFORM_DH]->id, IKE_DH_ECP_384);
    link_assert_one_pair(l);
}

/* We want one pair and ask for no other; the gateway may. */
static void additional_child(void) {
    _cleanup_(link_freep) Link *l = established(&(Switches){.no_pfs = true});
    l->responder.switches.narrow = true;
    link_gateway_wants(l, REQUEST_NEW_CHILD, 0);
    link_run_for(l, SECOND);
    ck_assert_uint_eq(l->responder.own_new_children, 1);
    ck_assert(l->kernel.n == 2 && link_echo(l));
}

static void additional_child_refused(void) {
    _cleanup_(link_freep) Link *l = established(&(Switches){});
    link_gateway_wants(l, REQUEST_NEW_CHILD, 0);
    link_run_for(l, SECOND);
    ck_assert_uint_eq(l->responder.response_notify, IKE_NOTIFY_NO_ADDITIONAL_SAS);
    link_assert_one_pair(l);
}

static void collide(bool ours_is_ike, RequestType theirs) {
    for (unsigned seed = 1; seed <= 6; seed++) {
        _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, seed);
        l->config.ike_lifetime = 100 * SECOND;
        link_assert_up(l);
        if (ours_is_ike)
            while (link_count(l, IKE_EXCHANGE_CREATE_CHILD_SA, false) == 0)
                ck_assert(link_step(l, USEC_NEVER));
        else
            link_rekey_child(l);
        link_gateway_wants(l, theirs, 0);
        link_run_for(l, 45 * SECOND);
        link_assert_one_pair(l);
        ck_assert(l->ends == 0 && l->downs == 0);
    }
}

static void children_collide(void) {
    collide(false, REQUEST_REKEY_CHILD);
}
static void ike_sas_collide(void) {
    collide(true, REQUEST_REKEY_IKE);
}
static void child_while_ike(void) {
    collide(true, REQUEST_REKEY_CHILD);
}
static void ike_while_child(void) {
    collide(false, REQUEST_REKEY_IKE);
}
static void delete_while_ike(void) {
    _cleanup_(link_freep) Link *l = established(&(Switches){});
    link_rekey_child(l);
    while (link_count(l, IKE_EXCHANGE_INFORMATIONAL, false) == 0) /* half-closed */
        ck_assert(link_step(l, USEC_NEVER));
    link_gateway_wants(l, REQUEST_REKEY_IKE, 0);
    link_run_for(l, LINK_DELAY + 1);
    link_run_for(l, 30 * SECOND);
    ck_assert_uint_eq(l->responder.own_rekeys_ike, 1); /* in the end */
    link_assert_one_pair(l);
}

/* Group 3: INFORMATIONAL
 * ------------------------------------------------------------------------------------------------ */

static void informational_format(void) {
    liveness_check();
}

static void informational_retransmission(void) {
    uint8_t exchange = IKE_EXCHANGE_INFORMATIONAL;
    _cleanup_(link_freep) Link *l = established(&(Switches){});
    l->userdata = &exchange;
    l->fate = lose_exchange;
    link_run_for(l, 63 * SECOND);
    ck_assert_uint_ge(link_count(l, exchange, false), 3);
    ck_assert(sent(l, exchange, false, 2)->hash == sent(l, exchange, false, 0)->hash);
    l->fate = NULL;
    link_run_for(l, 20 * SECOND);
    ck_assert_uint_eq(l->responder.liveness, 1);
    ck_assert_uint_eq(l->ends, 0);
}

/* Section 2: tunnel mode, to a security gateway
 * ----------------------------------------------------------------------- */

static void sends_cfg_request(void) {
    _cleanup_(link_freep) Link *l = established(&(Switches){});
    ck_assert(l->responder.peer_asked_address);
}

static void takes_cfg_reply(void) {
    _cleanup_(link_freep) Link *l =
        established(&(Switches){.inner = {"2001:db8:1::7"}, .dns = {"2001:db8:1::53"}});
    ck_assert_uint_eq(l->configuration.addresses.n, 1);
    ck_assert_str_eq(ADDRESS_STR(&l->configuration.addresses.items[0]), "2001:db8:1::7");
    ck_assert_str_eq(ADDRESS_STR(&l->configuration.dns.items[0]), "2001:db8:1::53");
    ck_assert_uint_eq(l->child.local_ts[0].prefix, 128);
}

static const struct {
    const char *number, *title;
    void (*script)(void);
} titles[] = {
    {"1.1.1.1", "Sending IKE_SA_INIT request", sends_ike_sa_init},
    {"1.1.1.2", "Sending IKE_AUTH request", sends_ike_auth},
    {"1.1.1.3", "Use of CHILD_SA", uses_the_child_sa},
    {"1.1.2.1", "Retransmission of IKE_SA_INIT request", retransmits_ike_sa_init},
    {"1.1.2.2", "Stop of retransmission of IKE_SA_INIT request", stops_ike_sa_init},
    {"1.1.2.3", "Retransmission of IKE_AUTH request", retransmits_ike_auth},
    {"1.1.2.4", "Stop of retransmission of IKE_AUTH request", stops_ike_auth},
    {"1.1.3.1", "State synchronization with ICMP message", icmp},
    {"1.1.3.2", "State synchronization with IKE message", invalid_ike_spi},
    {"1.1.3.3", "Close connection when repeated attempts fail", repeated_attempts_fail},
    {"1.1.3.4", "Close connection when receiving INITIAL_CONTACT", initial_contact},
    {"1.1.3.5", "Sending liveness check", liveness_check},
    {"1.1.3.6", "Sending Delete for IKE_SA", delete_ike_sa},
    {"1.1.3.7", "Sending Delete for CHILD_SA", delete_child_sa},
    {"1.1.3.8", "Sending liveness check with unprotected messages", liveness_with_unprotected_messages},
    {"1.1.4.1", "Unrecognized payload types, critical bit not set", unknown_uncritical},
    {"1.1.4.2", "Unrecognized payload types, critical bit set", unknown_critical},
    {"1.1.5.1", "Retrying IKE_SA_INIT with COOKIE", cookie},
    {"1.1.5.2", "Interaction of COOKIE and INVALID_KE_PAYLOAD", cookie_and_group},
    {"1.1.5.3", "The same with an unoptimized responder", cookie_of_an_unoptimized_responder},
    {"1.1.6.1", "Cryptographic algorithm negotiation for IKE_SA", ike_suites},
    {"1.1.6.2", "Cryptographic algorithm negotiation for CHILD_SA", child_suites},
    {"1.1.6.3", "Sending multiple transforms for IKE_SA", several_transforms},
    {"1.1.6.4", "Sending multiple proposals for IKE_SA", several_proposals},
    {"1.1.6.5", "Sending multiple transforms for CHILD_SA", child_negotiation},
    {"1.1.6.6", "Sending multiple proposals for CHILD_SA", child_negotiation},
    {"1.1.6.7", "Choice of a Diffie-Hellman group", another_group},
    {"1.1.6.8", "Receipt of NO_PROPOSAL_CHOSEN", no_proposal_chosen},
    {"1.1.6.9", "Inconsistent SA payload of IKE_SA_INIT", inconsistent_ike_answer},
    {"1.1.6.10", "Inconsistent SA payload of IKE_AUTH", inconsistent_child_answer},
    {"1.1.6.11", "Receipt of INVALID_KE_PAYLOAD in the initial exchange", invalid_ke_payload},
    {"1.1.7", "Traffic selectors are narrowed", narrowing},
    {"1.1.8", "Error handling: INVALID_IKE_SPI", invalid_ike_spi},
    {"1.1.8", "Error handling: INVALID_SPI", invalid_spi},
    {"1.1.9.1", "Identification type", identification},
    {"1.1.9.2", "Identification that is not the one expected", wrong_identification},
    {"1.1.10.1", "Sending CERT payload", sends_cert},
    {"1.1.10.2", "Sending CERTREQ payload", sends_certreq},
    {"1.1.10.3", "RSA digital signature", rsa_signature},
    {"1.1.11.1", "Non-zero RESERVED fields in IKE_SA_INIT response", reserved_bits},
    {"1.1.11.2", "Non-zero RESERVED fields in IKE_AUTH response", reserved_bits},
    {"1.1.11.3", "Version bit is set", reserved_bits},
    {"1.1.11.4", "Unrecognized Notify message type of error", unknown_error_notify},
    {"1.1.11.5", "Unrecognized Notify message type of status", unknown_status_notify},
    {"1.2.1", "Sending CREATE_CHILD_SA request", create_child_format},
    {"1.2.2", "Retransmission of CREATE_CHILD_SA request", create_child_retransmission},
    {"1.2.3.1", "Close the replaced CHILD_SA", closes_the_replaced_child},
    {"1.2.3.2", "Use of the new CHILD_SA", uses_the_new_child},
    {"1.2.3.3", "Lifetime of CHILD_SA expires", child_lifetime},
    {"1.2.3.4", "Sending multiple transforms in rekeying CHILD_SA", child_negotiation},
    {"1.2.3.5", "Sending multiple proposals in rekeying CHILD_SA", child_negotiation},
    {"1.2.3.6", "Perfect forward secrecy", perfect_forward_secrecy},
    {"1.2.4.1", "Close the replaced IKE_SA", closes_the_replaced_ike_sa},
    {"1.2.4.3", "Lifetime of IKE_SA expires", ike_lifetime},
    {"1.2.4.4", "Sending multiple transforms in rekeying IKE_SA", ike_lifetime},
    {"1.2.4.5", "Choice of a Diffie-Hellman group in rekeying IKE_SA", group_of_an_ike_rekeying},
    {"1.2.5.1", "Creating additional CHILD_SA", additional_child},
    {"1.2.5.2", "Creating additional CHILD_SA is refused", additional_child_refused},
    {"1.2.6", "Simultaneous CHILD_SA rekeying", children_collide},
    {"1.2.6.5", "Simultaneous IKE_SA rekeying", ike_sas_collide},
    {"1.2.6", "Rekeying an IKE_SA while rekeying a CHILD_SA", ike_while_child},
    {"1.2.6.11", "Rekeying a CHILD_SA while rekeying an IKE_SA", child_while_ike},
    {"1.2.6.12", "Rekeying an IKE_SA with half-closed CHILD_SAs", delete_while_ike},
    {"1.3.1", "Sending INFORMATIONAL request", informational_format},
    {"1.3.2.1", "Retransmission of INFORMATIONAL request", informational_retransmission},
    {"2.1.1.1", "Sending IKE_AUTH request to a gateway", sends_ike_auth},
    {"2.1.1.2", "Use of CHILD_SA with a gateway", uses_the_child_sa},
    {"2.1.2.1", "Sending CFG_REQUEST", sends_cfg_request},
    {"2.1.2.2", "Receipt of CFG_REPLY", takes_cfg_reply},
};

START_TEST(by_number) {
    fprintf(stderr, "%s %s\n", titles[_i].number, titles[_i].title);
    titles[_i].script();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("IPv6 Ready IKEv2");

    for (size_t i = 0; i < ARRAY_SIZE(titles); i++) {
        TCase *tcase = tcase_create(titles[i].number);
        tcase_set_timeout(tcase, 60);
        tcase_add_loop_test(tcase, by_number, (int)i, (int)i + 1);
        suite_add_tcase(suite, tcase);
    }
    return suite_end(suite);
}
