/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What gateways do, or do not do any more, in the life of an IKE SA: fragments, OCSP on the way, gateways
 * that are dead, half-dead or know nothing any more, NATs that forget, certificates that end. */
#include <check.h>
#include <stdio.h>

#include "ike-link.h"
#include "revocation-data.h"
#include "suite.h"
#include "ike/revocation.h"

#define SECOND USEC_PER_SEC
#define HOUR   (3600 * SECOND)

static void packets(Link *l, usec_t interval) {
    l->packet_interval = interval;
    l->packet_at = l->now.mono;
}

/* Fragments ------------------------------------------------------------------------------------------------
 */

typedef struct Shuffle {
    unsigned lose; /* percent */
    unsigned sent;
    size_t largest;
} Shuffle;

static void shuffle(Link *l, const Sent *s, Fate *ret) {
    Shuffle *x = l->userdata;

    x->largest = MAX(x->largest, s->size);
    x->sent++;
    ret->copies = rng_below(&l->rng, 100) < x->lose ? 0 : 1 + x->sent % 3 / 2;
    for (unsigned i = 0; i < ret->copies; i++)
        ret->delays[i] = LINK_DELAY + rng_below(&l->rng, 5 * USEC_PER_MSEC);
}

/* In any order, twice, and with some lost. */
START_TEST(fragments_both_ways) {
    static const LinkFiles rsa = {.device = "device-rsa.pem",
                                  .device_key = "device-rsa.key.pem",
                                  .gateway = "gateway-rsa.pem",
                                  .gateway_key = "gateway-rsa.key.pem"};
    for (unsigned i = 0; i < 12; i++) {
        Switches s = {.fragment = 300 + 100 * (i % 3), .proposal = (uint8_t)(1 + i % 2), .own_pfs = true};
        Shuffle x = {.lose = i / 3 * 5};
        _cleanup_(link_freep) Link *l = link_new(&s, i % 2 ? &rsa : NULL, i);
        l->userdata = &x;
        l->fate = shuffle;
        l->config.datagram_max = 576;
        link_assert_up(l);
        ck_assert(l->responder.fragments_in >= 2 && l->responder.fragments_out >= 2);
        link_rekey_child(l);
        link_run_for(l, 20 * SECOND);
        link_gateway_wants(l, REQUEST_REKEY_IKE, 0);
        link_run_for(l, 20 * SECOND);
        link_gateway_wants(l, REQUEST_REKEY_CHILD, 0);
        link_run_for(l, 20 * SECOND);
        link_assert_one_pair(l);
        ck_assert_uint_ge(l->responder.own_rekeys_ike, 1);
        for (size_t k = 0; k < l->n_sent; k++) /* IPv4, UDP, non-ESP marker */
            if (!l->sent[k].by_gateway && l->sent[k].header.exchange != IKE_EXCHANGE_SA_INIT)
                ck_assert_uint_le(l->sent[k].size + 20 + 8 + (l->sent[k].to.port == IKE_NAT_PORT ? 4 : 0),
                                  576);
    }
}
END_TEST

/* A gateway that knows no RFC 7383 gets whole messages. */
START_TEST(no_fragments_for_those_who_know_none) {
    _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);
    l->config.datagram_max = 576;
    link_assert_up(l);
    ck_assert(l->responder.peer_fragments && l->responder.fragments_in == 0);
}
END_TEST

/* Certificates and what is known of them --------------------------------------------------------------------
 */

START_TEST(ocsp_on_the_way) {
    static const char bytes[] = "a response of the gateway's responder";
    Blob response = {(uint8_t *)bytes, sizeof bytes};
    for (unsigned i = 0; i < 4; i++) {
        _cleanup_(link_freep) Link *l = link_new(&(Switches){.ocsp = i < 3 ? &response : NULL}, NULL, 1);
        l->config.check_revocation = i > 0;
        l->revoked = i == 2 ? "revoked yesterday" : NULL;
        if (i == 2)
            link_assert_ended(l, IKE_END_UNTRUSTED, "revoked yesterday");
        else
            link_assert_up(l);
        ck_assert(l->responder.peer_certreq_ocsp == (i > 0));
        ck_assert_int_eq(l->revocations, i > 0);
        ck_assert_uint_eq(l->n_ocsp, i == 1 || i == 2);
        if (l->n_ocsp) {
            ck_assert_uint_eq(l->ocsp_size, sizeof bytes);
            ck_assert_mem_eq(l->ocsp, bytes, sizeof bytes);
        }
        if (i > 0)
            ck_assert_uint_ge(l->n_chain, 1);
    }
}
END_TEST

typedef struct Judge {
    Revocation policy;
    RevocationVerdict verdict;
    unsigned asked; /* sources beyond what came along; none answers */
} Judge;

static bool judge(Link *l, const PeerChain *chain, const Blob *ocsp, size_t n_ocsp, char *text) {
    Judge *j = l->userdata;
    _cleanup_(revocation_cache_freep) RevocationCache *cache = NULL;
    _cleanup_(revocation_job_freep) RevocationJob *job = NULL;
    CertificatePath path;

    ck_assert_int_eq(peer_chain_path(chain, l->trust, l->config.identity, l->now.real, &path, text), 0);
    ck_assert_int_eq(revocation_cache_new(&cache), 0);
    ck_assert_int_eq(revocation_job_new(&job, cache, j->policy, &path, ocsp, n_ocsp, &l->config.rng), 0);
    while ((j->verdict = revocation_job_evaluate(job, l->now, text)) == REVOCATION_NEEDED)
        for (size_t i = 0; revocation_job_need(job, i); i++) {
            j->asked++;
            revocation_job_answer(job, l->now, i, NULL, 0, "timed out");
        }
    return revocation_passes(j->policy, j->verdict);
}

/* A responder's own bytes, from the gateway's CERT payload to the verdict, whole and in fragments. */
START_TEST(ocsp_is_judged) {
    static const struct {
        Revocation policy;
        const char *gateway, *response;
        RevocationVerdict verdict;
        unsigned asked;      /* OCSP and CRL, when what came along does not do */
        const char *refused; /* NULL: let in */
    } cases[] = {
        {REVOCATION_STRICT, "gateway", "good", REVOCATION_GOOD, 0, NULL},
        {REVOCATION_STRICT, "gateway", "delegate", REVOCATION_GOOD, 0, NULL},
        {REVOCATION_IF_AVAILABLE, "gateway", "good", REVOCATION_GOOD, 0, NULL},
        {REVOCATION_STRICT, "revoked", "revoked", REVOCATION_REVOKED, 0, "was revoked on 2026-05-01"},
        {REVOCATION_IF_AVAILABLE, "revoked", "revoked", REVOCATION_REVOKED, 0, "(serial 1002)"},
        {REVOCATION_IF_AVAILABLE, "held", "held", REVOCATION_REVOKED, 0, "certificateHold"},
        /* Another's, a stranger's, an old one: as if none had come. */
        {REVOCATION_STRICT, "revoked", "good", REVOCATION_UNKNOWN, 2, "timed out"},
        {REVOCATION_STRICT, "gateway", "stranger", REVOCATION_UNKNOWN, 2, "timed out"},
        {REVOCATION_STRICT, "gateway", "expired", REVOCATION_UNKNOWN, 2, "timed out"},
        {REVOCATION_IF_AVAILABLE, "gateway", "stranger", REVOCATION_UNKNOWN, 2, NULL},
    };
    for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
        const typeof(cases[0]) *c = &cases[i / 2];
        char gateway[128];
        snprintf(gateway, sizeof gateway, "revocation/%s.pem", c->gateway);
        const LinkFiles files = {
            .trust = "revocation/ca.pem", .gateway = gateway, .gateway_key = "revocation/gateway.key.pem"};
        Reader bytes = data_response(c->response);
        Blob response = {(uint8_t *)bytes.data, bytes.left};
        Judge j = {.policy = c->policy};
        _cleanup_(link_freep) Link *l =
            link_new(&(Switches){.ocsp = &response, .fragment = i % 2 ? 300 : 0}, &files, i);
        l->config.check_revocation = true;
        l->judge = judge;
        l->userdata = &j;
        if (c->refused)
            link_assert_ended(l, IKE_END_UNTRUSTED, c->refused);
        else
            link_assert_up(l);
        ck_assert_uint_eq(l->n_ocsp, 1);
        ck_assert_msg(j.verdict == c->verdict && j.asked == c->asked, "%s for %s: verdict %d, asked %u",
                      c->response, c->gateway, j.verdict, j.asked);
        ck_assert(i % 2 == 0 || l->responder.fragments_out >= 4);
    }
}
END_TEST

static Blob concatenated(const char *a, const char *b, const char *c) {
    Blob parts[] = {test_file(a), test_file(b), test_file(c)}, all = {malloc(1), 0};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        all.data = realloc(all.data, all.size + parts[i].size);
        memcpy(all.data + all.size, parts[i].data, parts[i].size);
        all.size += parts[i].size;
        free(parts[i].data);
    }
    return all;
}

/* Whatever the trust store has, all that the box was given goes out; and every authority is asked for. */
START_TEST(thread_24_own_full_chain) {
    Blob chain = concatenated("device-ecdsa.pem", "intermediate.pem", "ca.pem"),
         authorities = concatenated("ca.pem", "ed25519-ca.pem", "p521-ca.pem"),
         key = test_file("device-ecdsa.key.pem");
    char error[ERROR_MAX_BYTES] = "";
    _cleanup_(credential_freep) Credential *credential = NULL;
    _cleanup_(trust_store_freep) TrustStore *trust = NULL;

    ck_assert_msg(credential_load(&credential, chain.data, chain.size, key.data, key.size, error) == 0, "%s",
                  error);
    ck_assert_msg(trust_store_load(&trust, authorities.data, authorities.size, error) == 0, "%s", error);
    _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);
    l->config.credential = credential;
    l->config.trust = trust;
    link_assert_up(l);
    ck_assert_uint_eq(l->responder.peer_certificates, 3);
    ck_assert_uint_eq(l->responder.peer_authorities, 3);
    ike_sa_free(TAKE_PTR(l->sa));
    free(chain.data);
    free(authorities.data);
    free(key.data);
}
END_TEST

/* Hashes of keys as they stand in a CERTREQ. */
static Blob authorities_of(const TrustStore *trust, size_t n) {
    return (Blob){(uint8_t *)trust->key_hashes, 20 * n};
}

/* RFC 4945 3.2.7: whichever authorities the gateway asks for, in however many payloads and encodings, ours
 * or strangers', what goes out is our own full chain, end entity first. */
START_TEST(certreqs_of_the_gateway) {
    static uint8_t odd[] = {1, 2, 3};
    _cleanup_(trust_store_freep) TrustStore *ours = test_trust("ca.pem"), *other = test_trust("rsa-ca.pem"),
                                            *third = test_trust("ed25519-ca.pem");
    const TestCertreq mine = {IKE_CERT_X509_SIGNATURE, authorities_of(ours, 1)},
                      strange = {IKE_CERT_X509_SIGNATURE, authorities_of(other, 1)},
                      foreign = {IKE_CERT_X509_SIGNATURE, authorities_of(third, 1)},
                      any = {IKE_CERT_X509_SIGNATURE, {}}, ocsp = {IKE_CERT_OCSP, {}},
                      ocsp_by = {IKE_CERT_OCSP, authorities_of(other, 1)}, crl = {7, authorities_of(ours, 1)},
                      by_url = {12, authorities_of(ours, 1)}, unknown = {201, {odd, sizeof odd}},
                      halved = {IKE_CERT_X509_SIGNATURE, {odd, sizeof odd}};
    const struct {
        size_t n;
        TestCertreq items[16]; /* payload.c's limit */
    } cases[] = {
        {0, {}},
        {1, {mine}},
        {1, {any}},
        {1, {strange}},
        {2, {strange, mine}},
        {2, {mine, strange}},
        {3, {strange, foreign, strange}},
        {5, {by_url, strange, ocsp, mine, crl}},
        {3, {unknown, halved, ocsp_by}},
        {16,
         {strange, foreign, any, strange, foreign, by_url, ocsp, crl, unknown, halved, strange, strange,
          strange, strange, strange, mine}},
    };
    Blob pem = concatenated("device-ecdsa.pem", "intermediate.pem", "ca.pem"),
         key = test_file("device-ecdsa.key.pem");
    char error[ERROR_MAX_BYTES] = "";
    _cleanup_(credential_freep) Credential *credential = NULL;

    ck_assert_msg(credential_load(&credential, pem.data, pem.size, key.data, key.size, error) == 0, "%s",
                  error);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Switches s = {.certreqs = cases[i].items, .n_certreqs = cases[i].n, .cookie = i % 2};
        _cleanup_(link_freep) Link *l = link_new(&s, NULL, i);
        l->config.credential = credential;
        link_assert_up(l);
        ck_assert(l->responder.peer_authenticated);
        ck_assert_uint_eq(l->responder.peer_certificates, 3);
        ike_sa_free(TAKE_PTR(l->sa));
    }
    free(pem.data);
    free(key.data);
}
END_TEST

/* All test certificates end on 2045-01-01. */
START_TEST(certificate_ends) {
    usec_t end = UINT64_C(2366841600) * SECOND;
    _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);

    l->unrecorded = true;
    l->now.real = end - 24 * HOUR;
    link_assert_up(l);
    usec_t start = l->now.real;
    while (!l->reauthentications && l->now.real < end)
        link_run_for(l, 60 * SECOND);
    ck_assert_uint_ge(l->reauthentications, 1);
    ck_assert(l->now.real > start + HOUR && l->now.real < end - 600 * SECOND);
    ck_assert_msg(l->ends == 0 && link_echo(l), "%s", l->text);
}
END_TEST

/* Dead, half-dead, new born ---------------------------------------------------------------------------------
 */

/* After the last packet of any kind: between IKE_LIVENESS_INTERVAL and a retransmission budget, and an
 * interval of looking at the counters more when what was heard was ESP. */
START_TEST(thread_22_detection_time) {
    usec_t budget = 15500 * USEC_PER_MSEC, tenth = 1550 * USEC_PER_MSEC;
    for (unsigned i = 0; i < 20; i++) {
        _cleanup_(link_freep) Link *l = link_new(&(Switches){}, &link_files_quick, i);
        bool esp = i % 2;
        link_assert_up(l);
        link_run_for(l, SECOND);
        if (esp)
            packets(l, 100 * USEC_PER_MSEC);
        link_run_for(l, (100 + 7 * i) * SECOND);
        l->gateway_silent = true;
        l->packet_interval = 0;
        usec_t dead = l->now.mono, last = dead;
        for (size_t k = 0; k < l->n_sent && !esp; k++)
            if (l->sent[k].by_gateway)
                last = l->sent[k].at + LINK_DELAY;
        unsigned before = link_count(l, IKE_EXCHANGE_INFORMATIONAL, false);
        link_run_for(l, 300 * SECOND);
        ck_assert(l->ends == 1 && l->end == IKE_END_SILENT);
        ck_assert_uint_eq(link_count(l, IKE_EXCHANGE_INFORMATIONAL, false) - before, IKE_RETRANSMIT_TRIES);
        uint32_t id = l->sent[l->n_sent - 1].header.message_id;
        for (unsigned k = 1; k <= IKE_RETRANSMIT_TRIES; k++) /* one outstanding request */
            ck_assert_uint_eq(l->sent[l->n_sent - k].header.message_id, id);
        usec_t took = l->ended_at - last;
        ck_assert_msg(took >= (esp ? 0 : IKE_LIVENESS_INTERVAL) + budget - tenth &&
                          took <= IKE_LIVENESS_INTERVAL + budget + tenth + (esp ? IKE_TRAFFIC_INTERVAL : 0),
                      "%u: noticed after %.1f s", i, (double)took / 1e6);
    }
}
END_TEST

/* The gateway has forgotten all, and says so (which anybody could). */
START_TEST(gateway_forgets) {
    for (unsigned says = 0; says < 2; says++) {
        _cleanup_(link_freep) Link *l = link_new(&(Switches){.invalid_spi = says}, &link_files_quick, 1);
        link_assert_up(l);
        link_run_for(l, SECOND);
        responder_crash(&l->responder);
        usec_t start = l->now.mono;
        link_run_for(l, 300 * SECOND);
        ck_assert(l->ends == 1 && l->end == IKE_END_SILENT);
        ck_assert_uint_le(l->ended_at - start, 77 * SECOND);
    }
}
END_TEST

/* IKE is answered, ESP is not: with MOBIKE the gateway is told our address again, else there are new keys. */
START_TEST(thread_21_data_dead_and_ike_alive) {
    for (unsigned mobike = 0; mobike < 2; mobike++) {
        _cleanup_(link_freep) Link *l = link_new(&(Switches){.mobike = mobike}, &link_files_quick, 1);
        link_assert_up(l);
        link_run_for(l, SECOND);
        packets(l, 100 * USEC_PER_MSEC);
        link_run_for(l, 130 * SECOND);
        ck_assert(l->responder.updates == 0 && l->responder.rekeys_child == 0);
        l->responder.in_use = 0; /* it receives, and sends nothing */
        link_run_for(l, (IKE_DEAF_INTERVALS + 1) * IKE_DEAF_INTERVAL + 20 * SECOND);
        ck_assert_uint_eq(l->ends, 0);
        ck_assert_uint_eq(l->responder.updates, mobike);
        ck_assert_uint_eq(l->responder.rekeys_child, !mobike);
    }
    /* Nothing is sent: nothing is missed. */
    _cleanup_(link_freep) Link *idle = link_new(&(Switches){}, &link_files_quick, 1);
    link_assert_up(idle);
    link_run_for(idle, HOUR);
    ck_assert(idle->responder.rekeys_child == 0 && idle->ends == 0);
}
END_TEST

/* RFC 3948 2.3: when nothing else was sent for so long. */
START_TEST(keepalives) {
    for (unsigned i = 0; i < 4; i++) {
        _cleanup_(link_freep) Link *l =
            link_new(&(Switches){.nat_initiator = i != 1, .nat_responder = i == 1}, &link_files_quick, 1);
        l->config.nat_keepalive = 20 * SECOND;
        link_assert_up(l);
        link_run_for(l, SECOND);
        if (i == 2)
            ike_sa_kernel_keepalive(l->sa);
        if (i == 3)
            packets(l, SECOND);
        link_run_for(l, 1000 * SECOND);
        if (i > 0)
            ck_assert_uint_eq(l->keepalives, 0);
        else { /* liveness checks keep it alive as well */
            ck_assert_uint_ge(l->keepalives, 1000 / 20 - 1000 / 60 - 4);
            ck_assert_uint_le(l->keepalives, 1000 / 20);
        }
        ck_assert_uint_eq(l->ends, 0);
    }
    /* They are no sign of the gateway's life. */
    _cleanup_(link_freep) Link *l = link_new(&(Switches){.nat_initiator = true}, &link_files_quick, 1);
    l->config.nat_keepalive = 20 * SECOND;
    link_assert_up(l);
    l->gateway_silent = true;
    link_run_for(l, 300 * SECOND);
    ck_assert(l->ends == 1 && l->end == IKE_END_SILENT);
    ck_assert_uint_ge(l->keepalives, 1);
}
END_TEST

SUITE("gateway", fragments_both_ways, no_fragments_for_those_who_know_none, ocsp_on_the_way, ocsp_is_judged,
      thread_24_own_full_chain, certreqs_of_the_gateway, certificate_ends, thread_22_detection_time,
      gateway_forgets, thread_21_data_dead_and_ike_alive, keepalives)
