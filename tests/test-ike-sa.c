/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine of one IKE SA against a responder of the tests' own, on a fake clock: scripted. */
#include <check.h>
#include <stdio.h>

#include "ike-link.h"
#include "suite.h"

/* The plain case and its variety ------------------------------------------------------------------------ */

START_TEST(plain_handshake) {
    _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);
    const Responder *r = &l->responder;

    link_assert_up(l);
    ck_assert_uint_eq(r->requests, 2);
    ck_assert(r->peer_certreq && r->peer_asked_address);
    ck_assert_uint_eq(r->init_contacts, 1);
    ck_assert_uint_eq(r->peer_certificates, 1);
    ck_assert_uint_eq(r->peer_auth_method, IKE_AUTH_DIGITAL_SIGNATURE);
    ck_assert_uint_eq(r->peer_hashes, 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5);
    ck_assert_uint_eq(r->peer_id_size, strlen("henb-000001.operator.example"));
    ck_assert_mem_eq(r->peer_id, "henb-000001.operator.example", r->peer_id_size);
    ck_assert_str_eq(suite_format(ike_sa_suite(l->sa), (char[SUITE_STR_MAX]){0}),
                     "aes256gcm16-prfsha256-ecp256");
    ck_assert_str_eq(l->child.algorithms.aead, "rfc4106(gcm(aes))");
    ck_assert_uint_eq(l->child.algorithms.icv_bits, 128);
    ck_assert_uint_eq(l->child.keys_in.encryption_size, 36);
    ck_assert(!l->child.encapsulate);
    ck_assert_uint_ge(l->child.replay_window, 128);
    ck_assert_str_eq(ENDPOINT_STR(&l->child.local), "198.51.100.7:4500");
    ck_assert_str_eq(ENDPOINT_STR(&l->child.remote), "203.0.113.1:4500");
    ck_assert_uint_eq(l->configuration.addresses.n, 1);
    ck_assert_str_eq(ADDRESS_STR(&l->configuration.addresses.items[0]), "10.1.0.7");
    ck_assert_uint_eq(l->configuration.dns.n, 1);
    ck_assert_str_eq(ADDRESS_STR(&l->configuration.dns.items[0]), "10.0.0.53");
    ck_assert_uint_eq(l->child.n_local_ts, 1);
    ck_assert_uint_eq(l->child.local_ts[0].prefix, 32);
    ck_assert_uint_eq(l->child.n_remote_ts, 1);
    ck_assert_uint_eq(l->child.remote_ts[0].prefix, 0);
    ck_assert_mem_eq(ike_sa_counters(l->sa), &(IkeCounters){}, sizeof(IkeCounters));
    ck_assert_uint_eq(ike_sa_spi_i(l->sa), r->spi_i);
}
END_TEST

START_TEST(every_suite) {
    static const uint16_t groups[] = {IKE_DH_ECP_256, IKE_DH_ECP_384, IKE_DH_CURVE25519, IKE_DH_MODP_2048};
    static const uint8_t prfs[] = {IKE_PRF_HMAC_SHA2_256, IKE_PRF_HMAC_SHA2_384, IKE_PRF_HMAC_SHA2_512};

    for (unsigned i = 0; i < 48; i++) {
        Switches s = {.group = groups[i % 4],
                      .prf = prfs[i / 4 % 3],
                      .proposal = (uint8_t)(1 + i / 12 % 2),
                      .esp_proposal = (uint8_t)(1 + i / 24 % 2),
                      .key_bits = i % 3 ? 256 : 128};
        _cleanup_(link_freep) Link *l = link_new(&s, NULL, i);
        link_assert_up(l);
        ck_assert_uint_eq(link_count(l, IKE_EXCHANGE_SA_INIT, false), s.group == IKE_DH_ECP_256 ? 1 : 2);
        ck_assert_uint_eq(ike_sa_suite(l->sa)->by_type[IKE_TRANSFORM_DH]->id, s.group);
        ck_assert_uint_eq(ike_sa_suite(l->sa)->by_type[IKE_TRANSFORM_PRF]->id, s.prf);
        ck_assert(!!l->child.algorithms.aead == (s.esp_proposal == 1));
        if (s.esp_proposal == 2) {
            ck_assert_str_eq(l->child.algorithms.encryption, "cbc(aes)");
            ck_assert_str_eq(l->child.algorithms.integrity, "hmac(sha256)");
            ck_assert_uint_eq(l->child.algorithms.truncation_bits, 128);
            ck_assert_uint_eq(l->child.keys_in.integrity_size, 32);
        }
        link_close(l);
        link_run(l, USEC_NEVER);
        ck_assert_uint_eq(l->responder.deletes_ike, 1);
    }
}
END_TEST

START_TEST(every_key) {
    static const LinkFiles files[] = {
        {.device = "device-rsa.pem", .device_key = "device-rsa.key.pem"},
        {.device = "device-p384.pem", .device_key = "device-p384.key.pem"},
        {.device = "device-p521.pem", .device_key = "device-p521.key.pem"},
        {.device = "device-rsa-4096.pem", .device_key = "device-rsa-4096.key.pem"},
        {.device = "device-ed25519.pem", .device_key = "device-ed25519.key.pem"},
        {.gateway = "gateway-ed25519.pem", .gateway_key = "gateway-ed25519.key.pem"},
        {.gateway = "gateway-rsa.pem", .gateway_key = "gateway-rsa.key.pem"},
        {.gateway = "gateway-p384.pem", .gateway_key = "gateway-p384.key.pem"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        _cleanup_(link_freep) Link *l = link_new(&(Switches){}, &files[i], i);
        link_assert_up(l);
        ck_assert_uint_eq(l->responder.peer_auth_method, IKE_AUTH_DIGITAL_SIGNATURE);
    }
}
END_TEST

START_TEST(without_rfc7427) {
    static const struct {
        LinkFiles files;
        Switches switches;
        unsigned method; /* 0: no way */
    } cases[] = {
        {{}, {.no_hashes = true}, IKE_AUTH_ECDSA_256},
        {{}, {.only_sha1 = true}, IKE_AUTH_ECDSA_256},
        {{.device = "device-rsa.pem", .device_key = "device-rsa.key.pem"}, {.no_hashes = true}, IKE_AUTH_RSA},
        {{.device = "device-p384.pem", .device_key = "device-p384.key.pem"},
         {.no_hashes = true},
         IKE_AUTH_ECDSA_384},
        {{.device = "device-p521.pem", .device_key = "device-p521.key.pem"},
         {.no_hashes = true},
         IKE_AUTH_ECDSA_521},
        {{.device = "device-ed25519.pem", .device_key = "device-ed25519.key.pem"}, {.no_hashes = true}, 0},
        {{}, {.classic_auth = true}, IKE_AUTH_DIGITAL_SIGNATURE},
        {{.gateway = "gateway-rsa.pem", .gateway_key = "gateway-rsa.key.pem"},
         {.classic_auth = true, .no_hashes = true},
         IKE_AUTH_ECDSA_256},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(link_freep) Link *l = link_new(&cases[i].switches, &cases[i].files, i);
        if (cases[i].method == 0) {
            link_assert_ended(l, IKE_END_UNACCEPTABLE, "RFC 7427");
            continue;
        }
        link_assert_up(l);
        ck_assert_uint_eq(l->responder.peer_auth_method, cases[i].method);
    }
}
END_TEST

/* "10.1.0.7 2001:db8:1::7", valid until the next call. */
static const char *list_format(const AddressList *list) {
    static char text[ADDRESSES_MAX * ADDRESS_STR_MAX];

    text[0] = 0;
    for (size_t i = 0; i < list->n; i++) {
        strcat(text, i ? " " : "");
        strcat(text, ADDRESS_STR(&list->items[i]));
    }
    return text;
}

START_TEST(nat_over_ipv6) {
    Switches s = {.inner = {"2001:db8:1::7"}, .nat_initiator = true};
    TestChain chain = test_chain((const char *[]){"gateway-address.pem", ""});
    _cleanup_(link_freep) Link *l = link_new(&s, NULL, 1);

    l->config.local = address("2001:db8:2::9");
    l->config.remote = address("2001:db8::1");
    l->responder.local.address = l->config.remote;
    strcpy(l->config.identity, "2001:db8::1");
    l->responder.switches.chain = &chain;
    l->responder.switches.id_type = IKE_ID_IPV6_ADDR;
    l->responder.switches.id_data = (Blob){l->config.remote.bytes, 16};
    link_assert_up(l);
    ck_assert(l->child.encapsulate);
    ck_assert_str_eq(ENDPOINT_STR(&l->child.remote), "[2001:db8::1]:4500");
    test_chain_free(&chain);
}
END_TEST

/* A gateway over either family gives inner addresses of either or of both, or refuses one of them: by leaving
 * it away, by empty attributes, or by not carrying its traffic. */
START_TEST(outside_and_inside) {
    static const struct {
        Switches switches;
        const char *addresses, *dns;
    } cases[] = {
        {{.inner = {"10.1.0.7"}}, "10.1.0.7", "10.0.0.53"},
        {{.inner = {"2001:db8:1::7"}, .dns = {"2001:db8:1::53"}}, "2001:db8:1::7", "2001:db8:1::53"},
        {{.inner = {"10.1.0.7", "2001:db8:1::7"}, .dns = {"2001:db8:1::53", "10.0.0.53"}},
         "10.1.0.7 2001:db8:1::7",
         "2001:db8:1::53 10.0.0.53"},
        {{.inner = {"2001:db8:1::7", "10.1.0.7"}}, "2001:db8:1::7 10.1.0.7", "10.0.0.53"},
        {{.inner = {"10.1.0.7"}, .refuses = AF_INET6}, "10.1.0.7", "10.0.0.53"},
        {{.inner = {"2001:db8:1::7"}, .dns = {"2001:db8:1::53"}, .refuses = AF_INET},
         "2001:db8:1::7",
         "2001:db8:1::53"},
        {{.inner = {"2001:db8:1::7", "10.1.0.7"},
          .dns = {"2001:db8:1::53", "10.0.0.53"},
          .without_ts = AF_INET6},
         "10.1.0.7",
         "10.0.0.53"},
        {{.inner = {"10.1.0.7", "2001:db8:1::7"}, .without_tsr = AF_INET}, "2001:db8:1::7", ""},
        {{.inner = {"0.0.0.0", "2001:db8:1::7"}, .dns = {"2001:db8:1::53"}},
         "2001:db8:1::7",
         "2001:db8:1::53"},
        {{.inner = {"10.1.0.7", "fe80::1"}}, "10.1.0.7", "10.0.0.53"},
        {{.inner = {"10.1.0.7"}, .child_notify = IKE_NOTIFY_INTERNAL_ADDRESS_FAILURE},
         "10.1.0.7",
         "10.0.0.53"},
    };
    for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
        TestChain chain = test_chain((const char *[]){"gateway-address.pem", ""});
        _cleanup_(link_freep) Link *l = link_new(&cases[i / 2].switches, NULL, i);
        if (i % 2) {
            l->config.local = address("2001:db8:2::9");
            l->config.remote = l->responder.local.address = address("2001:db8::1");
            strcpy(l->config.identity, "2001:db8::1");
            l->responder.switches.chain = &chain;
            l->responder.switches.id_type = IKE_ID_IPV6_ADDR;
            l->responder.switches.id_data = (Blob){l->config.remote.bytes, 16};
        }
        link_assert_up(l);
        ck_assert_str_eq(list_format(&l->configuration.addresses), cases[i / 2].addresses);
        ck_assert_str_eq(list_format(&l->configuration.dns), cases[i / 2].dns);
        ck_assert_uint_eq(l->child.n_local_ts, l->configuration.addresses.n);
        for (size_t k = 0; k < l->child.n_local_ts; k++) {
            const TrafficSelector *ts = &l->child.local_ts[k];
            ck_assert(address_equal(&ts->address, &l->configuration.addresses.items[k]));
            ck_assert_uint_eq(ts->prefix, 8 * address_size(ts->address.family));
        }
        ck_assert_int_eq(l->child.local.address.family, i % 2 ? AF_INET6 : AF_INET);
        ck_assert(!l->child.encapsulate);
        test_chain_free(&chain);
    }
}
END_TEST

START_TEST(nothing_inside) {
    static const Switches cases[] = {
        {.inner = {"10.1.0.7"}, .without_tsr = AF_INET, .refuses = AF_INET6},
        {.inner = {"10.1.0.7", "2001:db8:1::7"}, .ts_local = "10.1.0.8"},
        {.inner = {"0.0.0.0", "::"}, .ts_local = "10.1.0.7"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(link_freep) Link *l = link_new(&cases[i], NULL, i);
        link_assert_ended(l, IKE_END_UNACCEPTABLE, "traffic selectors");
        ck_assert_uint_eq(l->responder.deletes_ike, 1);
    }
}
END_TEST

/* 2.5, and TAHI 1.1.4.1, 1.1.11.1 to 1.1.11.5: unknown payloads, reserved bits, versions, unknown statuses.
 */
START_TEST(tolerates_the_future) {
    _cleanup_(link_freep) Link *l = link_new(&(Switches){.unknown_payloads = true}, NULL, 1);
    link_assert_up(l);
    ck_assert_uint_eq(ike_sa_counters(l->sa)->malformed, 0);
}
END_TEST

/* COOKIE and INVALID_KE_PAYLOAD ------------------------------------------------------------------------- */

START_TEST(cookies_and_groups) {
    static const struct {
        const char *name;
        Switches switches;
        unsigned inits, cookies;
    } cases[] = {
        {"cookie", {.cookie = true}, 2, 1},
        {"group", {.group = IKE_DH_CURVE25519}, 2, 0},
        {"cookie, then group", {.cookie = true, .group = IKE_DH_ECP_384}, 3, 2},
        {"the same, unoptimized", {.cookie = true, .cookie_covers_ke = true, .group = IKE_DH_ECP_384}, 4, 3},
        {"group, then cookie", {.cookie = true, .group = IKE_DH_MODP_2048, .group_first = true}, 3, 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(link_freep) Link *l = link_new(&cases[i].switches, NULL, i);
        link_assert_up(l);
        ck_assert_msg(link_count(l, IKE_EXCHANGE_SA_INIT, false) == cases[i].inits, "%s: %u requests",
                      cases[i].name, link_count(l, IKE_EXCHANGE_SA_INIT, false));
        ck_assert_uint_eq(l->responder.cookies_seen, cases[i].cookies);
    }
}
END_TEST

START_TEST(cookies_for_ever) {
    _cleanup_(link_freep) Link *l = link_new(&(Switches){.endless_cookies = true}, NULL, 1);
    link_assert_ended(l, IKE_END_SILENT, "IKE_SA_INIT");
    ck_assert_uint_le(link_count(l, IKE_EXCHANGE_SA_INIT, false), IKE_COOKIES_MAX + IKE_RETRANSMIT_TRIES);
}
END_TEST

START_TEST(groups_for_ever) {
    _cleanup_(link_freep) Link *l =
        link_new(&(Switches){.group = IKE_DH_ECP_384, .endless_group = true}, NULL, 1);
    link_assert_ended(l, IKE_END_REFUSED, "INVALID_KE_PAYLOAD");
    ck_assert_uint_le(l->n_sent, 16);
}
END_TEST

START_TEST(group_not_offered) {
    _cleanup_(link_freep) Link *l = link_new(&(Switches){.group = 2, .endless_group = true}, NULL, 1);
    link_assert_ended(l, IKE_END_REFUSED, "INVALID_KE_PAYLOAD");
}
END_TEST

/* What the caller remembers and makes ahead ------------------------------------------------------------- */

START_TEST(a_known_group_costs_nothing) {
    static const uint16_t groups[] = {IKE_DH_ECP_256, IKE_DH_ECP_384, IKE_DH_CURVE25519, IKE_DH_MODP_2048};

    for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
        for (unsigned cookie = 0; cookie < 2; cookie++) {
            Switches s = {.group = groups[i], .cookie = cookie};
            _cleanup_(link_freep) Link *first = link_new(&s, NULL, i), *second = link_new(&s, NULL, i + 10);
            link_assert_up(first);
            ck_assert_uint_eq(link_count(first, IKE_EXCHANGE_SA_INIT, false), 1 + (i > 0) + cookie);
            ck_assert_uint_eq(ike_sa_group(first->sa), groups[i]);
            second->config.group = ike_sa_group(first->sa);
            link_assert_up(second);
            ck_assert_uint_eq(link_count(second, IKE_EXCHANGE_SA_INIT, false), 1 + cookie);
            ck_assert_uint_eq(ike_sa_group(second->sa), groups[i]);
        }
    /* What was remembered is wrong, or was never ours to offer. */
    _cleanup_(link_freep) Link *changed = link_new(&(Switches){.group = IKE_DH_ECP_256}, NULL, 1);
    changed->config.group = IKE_DH_MODP_2048;
    link_assert_up(changed);
    ck_assert_uint_eq(link_count(changed, IKE_EXCHANGE_SA_INIT, false), 2);
    ck_assert_uint_eq(ike_sa_group(changed->sa), IKE_DH_ECP_256);
    _cleanup_(link_freep) Link *unknown = link_new(&(Switches){}, NULL, 1);
    unknown->config.group = 2;
    link_assert_up(unknown);
    ck_assert_uint_eq(ike_sa_group(unknown->sa), IKE_DH_ECP_256);
}
END_TEST

/* The public value, nonce and SPI that an SA sent. */
static void assert_init_differs(const Link *a, const Link *b) {
    ck_assert_uint_ne(a->responder.spi_i, b->responder.spi_i);
    ck_assert_mem_ne(a->responder.nonces.i, b->responder.nonces.i, IKE_NONCE_SIZE);
    ck_assert_mem_ne(a->responder.init_request.bytes, b->responder.init_request.bytes,
                     a->responder.init_request.size);
}

START_TEST(prepared_is_for_one_sa) {
    _cleanup_(link_freep) Link *a = link_new(&(Switches){}, NULL, 1), *b = link_new(&(Switches){}, NULL, 2);
    IkePrepared *prepared = NULL;
    uint8_t nonce[IKE_NONCE_SIZE], public_value[64];
    size_t size;

    {
        Rng temporary = a->config.rng; /* the pair outlives whoever lent the randomness */
        ck_assert_int_eq(ike_prepared_new(&prepared, IKE_DH_ECP_256, &temporary), 0);
        temporary = (Rng){};
    }
    uint64_t spi = prepared->spi_i;
    memcpy(nonce, prepared->nonce, sizeof nonce);
    memcpy(public_value, key_exchange_public(prepared->key_exchange, &size), sizeof public_value);
    ck_assert_uint_eq(size, sizeof public_value);
    a->config.prepared = b->config.prepared = &prepared;
    link_assert_up(a);
    ck_assert_ptr_null(prepared);
    link_assert_up(b);
    const Message *sent = &a->responder.init_request;
    ck_assert_uint_eq(a->responder.spi_i, spi);
    ck_assert_mem_eq(a->responder.nonces.i, nonce, sizeof nonce);
    ck_assert_ptr_nonnull(memmem(sent->bytes, sent->size, public_value, size));
    assert_init_differs(a, b);
    sent = &b->responder.init_request;
    ck_assert_ptr_null(memmem(sent->bytes, sent->size, public_value, size));
}
END_TEST

/* It waits for an SA that it fits; and after INVALID_KE_PAYLOAD it is as good as any. */
START_TEST(prepared_of_another_group) {
    _cleanup_(link_freep) Link *a = link_new(&(Switches){}, NULL, 1),
                               *b = link_new(&(Switches){.group = IKE_DH_ECP_384}, NULL, 2);
    IkePrepared *prepared = NULL;

    ck_assert_int_eq(ike_prepared_new(&prepared, IKE_DH_ECP_256, &a->config.rng), 0);
    a->config.prepared = b->config.prepared = &prepared;
    a->config.group = IKE_DH_CURVE25519;
    link_assert_up(a);
    ck_assert_ptr_nonnull(prepared);
    ck_assert_uint_ne(a->responder.spi_i, prepared->spi_i);
    link_assert_up(b);
    ck_assert_ptr_null(prepared);
    ck_assert_uint_eq(ike_sa_group(b->sa), IKE_DH_ECP_384);
    assert_init_differs(a, b);
    /* Never used. */
    ck_assert_int_eq(ike_prepared_new(&prepared, IKE_DH_MODP_2048, &a->config.rng), 0);
    ike_prepared_free(prepared);
}
END_TEST

/* Loss, duplicates, time -------------------------------------------------------------------------------- */

typedef struct Rule {
    int by_gateway, exchange; /* -1: any */
    unsigned skip, drop;      /* of those that match: let so many pass, then lose so many */
} Rule;

static void rule_fate(Link *l, const Sent *s, Fate *fate) {
    Rule *rule = l->userdata;
    if ((rule->by_gateway >= 0 && rule->by_gateway != s->by_gateway) ||
        (rule->exchange >= 0 && rule->exchange != s->header.exchange))
        return;
    if (rule->skip > 0)
        rule->skip--;
    else if (rule->drop > 0) {
        rule->drop--;
        fate->copies = 0;
    }
}

START_TEST(each_message_lost) {
    static const usec_t later[] = {0, 500, 1500, 3500, 7500}; /* ms */
    static const uint8_t exchanges[] = {IKE_EXCHANGE_SA_INIT, IKE_EXCHANGE_AUTH};

    for (unsigned i = 0; i < 16; i++) {
        Rule rule = {.by_gateway = i & 1, .exchange = exchanges[i >> 1 & 1], .drop = 1 + i / 4};
        _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, i);
        usec_t start = l->now.mono, due = later[rule.drop] * USEC_PER_MSEC;
        l->fate = rule_fate;
        l->userdata = &rule;
        link_assert_up(l);
        usec_t took = l->now.mono - start - 4 * LINK_DELAY;
        ck_assert_uint_ge(took, due - due / 10);
        ck_assert_uint_le(took, due + due / 10);
        ck_assert_uint_eq(ike_sa_counters(l->sa)->retransmitted, 1 + i / 4);
    }
}
END_TEST

START_TEST(dead_gateway) {
    usec_t first[8];

    for (unsigned seed = 0; seed < 8; seed++) {
        Rule rule = {.by_gateway = false, .exchange = -1, .drop = 1000};
        _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, seed);
        usec_t start = l->now.mono, wait = IKE_RETRANSMIT_FIRST;
        l->fate = rule_fate;
        l->userdata = &rule;
        link_assert_ended(l, IKE_END_SILENT, "203.0.113.1 does not answer IKE_SA_INIT");
        ck_assert_uint_eq(l->n_sent, IKE_RETRANSMIT_TRIES);
        ck_assert_uint_eq(l->sent[0].at, start);
        for (unsigned i = 1; i < l->n_sent; i++, wait *= 2) {
            usec_t gap = l->sent[i].at - l->sent[i - 1].at;
            ck_assert_uint_ge(gap, wait - wait / 10);
            ck_assert_uint_le(gap, wait + wait / 10);
            ck_assert_uint_eq(l->sent[i].hash, l->sent[0].hash);
        }
        ck_assert_uint_ge(l->ended_at - start, 15500 * USEC_PER_MSEC * 9 / 10);
        ck_assert_uint_le(l->ended_at - start, 15500 * USEC_PER_MSEC * 11 / 10);
        first[seed] = l->sent[1].at;
    }
    /* Boxes do not march in step. */
    ck_assert(first[0] != first[1] && first[1] != first[2] && first[0] != first[2]);
}
END_TEST

/* What a gateway costs on the uplink that never answers, headers of IP and UDP included: of these an outage's
 * budget (200 kB an hour) is spent. And one that falls silent before IKE_AUTH. */
START_TEST(a_silent_address_in_bytes) {
    static const size_t limits[] = {2280, 2380, 9000, 9000};

    for (unsigned i = 0; i < ARRAY_SIZE(limits); i++) {
        Rule rule = {.by_gateway = false, .exchange = i < 2 ? -1 : IKE_EXCHANGE_AUTH, .drop = 1000};
        _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);
        size_t bytes = 0, headers = i % 2 ? 40 + 8 : 20 + 8;
        if (i % 2) {
            l->config.local = address("2001:db8:2::9");
            l->config.remote = l->responder.local.address = address("2001:db8::1");
        }
        l->fate = rule_fate;
        l->userdata = &rule;
        link_assert_ended(l, IKE_END_SILENT, "does not answer");
        for (size_t k = 0; k < l->n_sent; k++)
            bytes += l->sent[k].by_gateway ? 0 : l->sent[k].size + headers;
        printf("a gateway over IPv%d that is silent %s: %zu bytes on the uplink\n", i % 2 ? 6 : 4,
               i < 2 ? "from the start" : "after IKE_SA_INIT", bytes);
        ck_assert_uint_le(bytes, limits[i]);
    }
}
END_TEST

START_TEST(dead_after_init) {
    Rule rule = {.by_gateway = true, .exchange = IKE_EXCHANGE_AUTH, .drop = 1000};
    _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);
    l->fate = rule_fate;
    l->userdata = &rule;
    link_assert_ended(l, IKE_END_SILENT, "does not answer IKE_AUTH");
    ck_assert_uint_eq(link_count(l, IKE_EXCHANGE_AUTH, false), IKE_RETRANSMIT_TRIES);
    for (size_t i = 0, first = 0; i < l->n_sent; i++)
        if (!l->sent[i].by_gateway && l->sent[i].header.exchange == IKE_EXCHANGE_AUTH) {
            first = first ?: i;
            ck_assert_uint_eq(l->sent[i].hash, l->sent[first].hash);
        }
}
END_TEST

static void threefold(Link *l, const Sent *s, Fate *fate) {
    *fate = (Fate){3, {LINK_DELAY, LINK_DELAY, 40 * LINK_DELAY}};
}

START_TEST(everything_threefold) {
    static const Switches cases[] = {
        {},
        {.cookie = true},
        {.group = IKE_DH_CURVE25519},
        {.cookie = true, .cookie_covers_ke = true, .group = IKE_DH_ECP_384},
        {.cookie = true, .group_first = true, .group = IKE_DH_ECP_384},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(link_freep) Link *l = link_new(&cases[i], NULL, i);
        l->fate = threefold;
        link_assert_up(l);
        link_run(l, l->now.mono + 5 * USEC_PER_SEC);
        ck_assert_uint_eq(l->ends, 0);
        link_assert_agreed(l);
        ck_assert_uint_gt(ike_sa_counters(l->sa)->unexpected, 0);
        ck_assert_uint_eq(ike_sa_counters(l->sa)->forged + ike_sa_counters(l->sa)->malformed, 0);
        /* Copies of an answer make us send nothing anew. */
        ck_assert_uint_eq(l->responder.requests % 3, 0);
        ck_assert_uint_le(l->n_sent, 3 * 2 * 6);
        link_close(l);
        link_run(l, USEC_NEVER);
        ck_assert_uint_eq(l->end, IKE_END_CLOSED);
        ck_assert_uint_eq(l->responder.deletes_ike, 1);
    }
}
END_TEST

/* A copy of INVALID_KE_PAYLOAD that comes after we have changed the group says nothing new, even when the
 * second try takes its time. */
static void late_group(Link *l, const Sent *s, Fate *fate) {
    if (s->by_gateway && l->n_sent == 2)
        *fate = (Fate){2, {LINK_DELAY, 3 * LINK_DELAY}};
    else if (!s->by_gateway && l->now.mono < 1000 * USEC_PER_SEC + 3 * USEC_PER_SEC && l->n_sent > 1)
        fate->copies = 0;
}

START_TEST(copy_of_invalid_ke) {
    _cleanup_(link_freep) Link *l = link_new(&(Switches){.group = IKE_DH_ECP_384}, NULL, 3);
    l->fate = late_group;
    link_assert_up(l);
}
END_TEST

/* Forged and wrong IKE_SA_INIT answers ------------------------------------------------------------------- */

static void inject_notify(Link *l, unsigned type, uint64_t spi_r, usec_t delay) {
    Message *m = malloc(sizeof *m);
    forge_notify(ike_sa_spi_i(l->sa), spi_r, IKE_EXCHANGE_SA_INIT, IKE_FLAG_RESPONSE, 0, type, m);
    link_inject(l, &(Endpoint){l->config.remote, IKE_PORT}, m->bytes, m->size, delay);
    free(m);
}

START_TEST(forged_error_then_truth) {
    static const unsigned types[] = {
        IKE_NOTIFY_NO_PROPOSAL_CHOSEN, IKE_NOTIFY_INVALID_SYNTAX, IKE_NOTIFY_AUTHENTICATION_FAILED,
        IKE_NOTIFY_INVALID_KE_PAYLOAD, IKE_NOTIFY_COOKIE,         16383};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);
        link_start(l);
        inject_notify(l, types[i], i % 2 ? 77 : 0, 1);
        link_assert_up(l);
        link_run(l, l->now.mono + 10 * USEC_PER_SEC);
        ck_assert_uint_eq(l->ends, 0);
    }
}
END_TEST

START_TEST(error_alone) {
    _cleanup_(link_freep) Link *l =
        link_new(&(Switches){.init_error = IKE_NOTIFY_NO_PROPOSAL_CHOSEN}, NULL, 1);
    usec_t start = l->now.mono;
    link_assert_ended(l, IKE_END_REFUSED, "NO_PROPOSAL_CHOSEN");
    ck_assert_uint_eq(l->ended_at - start, IKE_ERROR_GRACE + 2 * LINK_DELAY);
}
END_TEST

START_TEST(wrong_init_answers) {
    static const struct {
        Switches switches;
        IkeEnd end;
        const char *text;
    } cases[] = {
        {{.bad_public = true}, IKE_END_UNACCEPTABLE, "Diffie-Hellman value or nonce"},
        {{.short_nonce = true}, IKE_END_UNACCEPTABLE, "Diffie-Hellman value or nonce"},
        {{.foreign_algorithm = true}, IKE_END_UNACCEPTABLE, "not offered"},
        {{.critical_init = true}, IKE_END_SILENT, "IKE_SA_INIT"},
        {{.init_error = 16383}, IKE_END_REFUSED, "error notify 16383"},
        {{.init_error = IKE_NOTIFY_INVALID_MAJOR_VERSION}, IKE_END_REFUSED, "INVALID_MAJOR_VERSION"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(link_freep) Link *l = link_new(&cases[i].switches, NULL, i);
        link_assert_ended(l, cases[i].end, cases[i].text);
        ck_assert_uint_eq(link_count(l, IKE_EXCHANGE_AUTH, false), 0);
    }
}
END_TEST

/* NAT ------------------------------------------------------------------------------------------------- */

START_TEST(nat) {
    static const struct {
        Switches switches;
        bool encapsulate;
    } cases[] = {
        {{.nat_initiator = true}, true},
        {{.nat_responder = true}, true},
        {{.nat_initiator = true, .nat_responder = true}, true},
        {{}, false},
        {{.no_nat_detection = true}, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(link_freep) Link *l = link_new(&cases[i].switches, NULL, i);
        /* RFC 4555 3.3: with or without a NAT, as long as the gateway knows of them. */
        uint16_t port = cases[i].switches.no_nat_detection ? IKE_PORT : IKE_NAT_PORT;
        link_assert_up(l);
        ck_assert(l->child.encapsulate == cases[i].encapsulate);
        ck_assert(ike_sa_nat_local(l->sa) == cases[i].switches.nat_initiator);
        ck_assert(ike_sa_nat_remote(l->sa) == cases[i].switches.nat_responder);
        ck_assert_uint_eq(l->child.local.port, port);
        ck_assert_uint_eq(l->child.remote.port, port);
        for (size_t k = 0; k < l->n_sent; k++) {
            bool init = l->sent[k].header.exchange == IKE_EXCHANGE_SA_INIT;
            ck_assert_uint_eq(l->sent[k].from.port, init ? IKE_PORT : port);
            ck_assert_uint_eq(l->sent[k].to.port, init ? IKE_PORT : port);
        }
    }
}
END_TEST

/* Refusals in IKE_AUTH ----------------------------------------------------------------------------------- */

START_TEST(wrong_auth_answers) {
    static const struct {
        Switches switches;
        IkeEnd end;
        const char *text;
        bool deleted; /* the gateway believes that the IKE SA is up */
    } cases[] = {
        {{.child_error = IKE_NOTIFY_NO_PROPOSAL_CHOSEN}, IKE_END_REFUSED, "NO_PROPOSAL_CHOSEN", true},
        {{.child_error = IKE_NOTIFY_TS_UNACCEPTABLE}, IKE_END_REFUSED, "TS_UNACCEPTABLE", true},
        {{.child_error = IKE_NOTIFY_INTERNAL_ADDRESS_FAILURE},
         IKE_END_REFUSED,
         "INTERNAL_ADDRESS_FAILURE",
         true},
        {{.child_notify = IKE_NOTIFY_TS_UNACCEPTABLE}, IKE_END_REFUSED, "TS_UNACCEPTABLE", true},
        {{.child_error = 16383}, IKE_END_REFUSED, "error notify 16383", true},
        {{.auth_error = IKE_NOTIFY_AUTHENTICATION_FAILED}, IKE_END_REFUSED, "AUTHENTICATION_FAILED", false},
        {{.no_cp = true}, IKE_END_UNACCEPTABLE, "no inner address", true},
        {{.inner = {"0.0.0.0"}, .ts_local = "10.1.0.7"}, IKE_END_UNACCEPTABLE, "inner address", true},
        {{.inner = {"127.0.0.1"}}, IKE_END_UNACCEPTABLE, "inner address", true},
        {{.inner = {"224.0.0.1"}}, IKE_END_UNACCEPTABLE, "inner address", true},
        {{.inner = {"::1"}}, IKE_END_UNACCEPTABLE, "inner address", true},
        {{.inner = {"fe80::1"}}, IKE_END_UNACCEPTABLE, "inner address", true},
        {{.inner = {"::ffff:10.1.0.7"}}, IKE_END_UNACCEPTABLE, "inner address", true},
        {{.ts_local = "10.1.0.8"}, IKE_END_UNACCEPTABLE, "traffic selectors", true},
        {{.ts_odd = true}, IKE_END_UNACCEPTABLE, "traffic selectors", true},
        {{.esp_zero_spi = true}, IKE_END_UNACCEPTABLE, "SPI", true},
        {{.esp_foreign = true}, IKE_END_UNACCEPTABLE, "ESP algorithms", true},
        {{.critical_auth = true}, IKE_END_UNACCEPTABLE, "UNSUPPORTED_CRITICAL_PAYLOAD", true},
        {{.bad_inner = true}, IKE_END_UNACCEPTABLE, "breaks the protocol", true},
        {{.bad_auth = true}, IKE_END_UNTRUSTED, "signature in AUTH", true},
        {{.no_auth = true}, IKE_END_UNACCEPTABLE, "no AUTH", true},
        {{.no_idr = true}, IKE_END_UNACCEPTABLE, "no IDr", true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(link_freep) Link *l = link_new(&cases[i].switches, NULL, i);
        ck_assert_msg(!link_establish(l), "case %zu was established", i);
        link_assert_ended(l, cases[i].end, cases[i].text);
        ck_assert_msg(l->responder.deletes_ike == cases[i].deleted, "case %zu: %u DELETEs", i,
                      l->responder.deletes_ike);
    }
}
END_TEST

/* However wide TSi is, only the inner address is let in: the box has others. */
START_TEST(a_wide_tsi_is_narrowed) {
    static const Switches wide = {.ts_wide = true};
    _cleanup_(link_freep) Link *l = link_new(&wide, NULL, 1);
    ck_assert(link_establish(l));
    ck_assert_uint_eq(l->child.n_local_ts, 1);
    ck_assert_str_eq(ADDRESS_STR(&l->child.local_ts[0].address), "10.1.0.7");
    ck_assert_uint_eq(l->child.local_ts[0].prefix, 32);
    ck_assert_uint_eq(l->child.remote_ts[0].prefix, 0);
}
END_TEST

START_TEST(untrusted_gateways) {
    static const struct {
        const char *chain[4], *text;
    } cases[] = {
        {{"gateway-other.pem", ""}, "other.operator.example"},
        {{"gateway-unknown.pem", ""}, "issued by a CA that is not trusted"},
        {{"gateway-unknown.pem", "unknown-ca.pem", ""}, "not trusted"},
        {{"gateway-expired.pem", ""}, "expired"},
        {{"gateway-future.pem", ""}, "not yet valid"},
        {{"gateway-not-ca.pem", "not-ca.pem", ""}, "CA:FALSE"},
        {{"gateway-cn.pem", ""}, "no subjectAltName"},
        {{"gateway-wildcard.pem", ""}, "*.operator.example"},
        {{"gateway-p384.pem", ""}, "signature in AUTH"}, /* somebody else's good certificate */
        {{""}, "no readable certificate"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        TestChain chain = test_chain(cases[i].chain);
        _cleanup_(link_freep) Link *l = link_new(&(Switches){.chain = &chain}, NULL, i);
        link_assert_ended(l, IKE_END_UNTRUSTED, cases[i].text);
        CONTAINS(l->text, "gateway not trusted");
        ck_assert_uint_eq(l->responder.deletes_ike, 1);
        test_chain_free(&chain);
    }
}
END_TEST

START_TEST(identities) {
    static uint8_t right[] = {203, 0, 113, 1}, wrong[] = {203, 0, 113, 2}, nul[] = "segw.operator.example\0x";
    static const struct {
        const char *expected;
        Switches switches;
        bool good;
    } cases[] = {
        {"SEGW.operator.EXAMPLE", {}, true},
        {"203.0.113.1", {}, true},
        {"203.0.113.1", {.id_type = IKE_ID_IPV4_ADDR, .id_data = {right, 4}}, true},
        {"segw.operator.example", {.id_type = IKE_ID_IPV4_ADDR, .id_data = {right, 4}}, true},
        {"segw.operator.example", {.id_type = IKE_ID_IPV4_ADDR, .id_data = {wrong, 4}}, false},
        {"segw.operator.example", {.id_type = IKE_ID_IPV4_ADDR, .id_data = {right, 3}}, false},
        {"segw.operator.example", {.id_type = IKE_ID_FQDN, .id_data = {nul, 23}}, false},
        {"segw.operator.example", {.id = "other.operator.example"}, false},
        {"segw.operator.example", {.id = "203.0.113.1"}, false}, /* an address is no name */
        {"segw.operator.example", {.id_type = IKE_ID_RFC822_ADDR, .id_data = {right, 4}}, false},
        {"segw.operator.exampl", {}, false},
        {"segw.operator.example.", {}, false},
        {"203.0.113.10", {}, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_(link_freep) Link *l = link_new(&cases[i].switches, NULL, i);
        strcpy(l->config.identity, cases[i].expected);
        if (cases[i].good)
            link_assert_up(l);
        else
            link_assert_ended(l, IKE_END_UNTRUSTED, "expected identity: ");
    }
}
END_TEST

START_TEST(no_spi_from_the_kernel) {
    _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);
    l->kernel.refuse_spis = 1;
    link_assert_ended(l, IKE_END_FAILED, "SPI");
}
END_TEST

/* Close in each state ------------------------------------------------------------------------------------ */

static void assert_closed(Link *l, unsigned deletes) {
    link_run(l, USEC_NEVER);
    ck_assert_uint_eq(l->ends, 1);
    ck_assert_msg(l->end == IKE_END_CLOSED, "%d %s", l->end, l->text);
    ck_assert_uint_eq(l->responder.deletes_ike, deletes);
    link_close(l);
    ck_assert_uint_eq(l->ends, 1);
}

START_TEST(close_before_init_is_answered) {
    _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);
    link_start(l);
    link_close(l);
    assert_closed(l, 0);
}
END_TEST

static void close_during_auth(const Switches *s, unsigned deletes) {
    _cleanup_(link_freep) Link *l = link_new(s, NULL, 1);
    link_start(l);
    link_run(l, l->now.mono + 2 * LINK_DELAY);
    ck_assert_uint_eq(link_count(l, IKE_EXCHANGE_AUTH, false), 1);
    link_close(l);
    ck_assert_uint_eq(l->ends, 0);
    usec_t closed = l->now.mono;
    assert_closed(l, deletes);
    ck_assert_uint_eq(l->ups, 0);
    ck_assert_uint_lt(l->ended_at, closed + USEC_PER_SEC);
}

START_TEST(close_while_auth_is_under_way) {
    close_during_auth(&(Switches){}, 1);
    close_during_auth(&(Switches){.bad_auth = true}, 1);
    close_during_auth(&(Switches){.bad_inner = true}, 1);
    /* The gateway has set nothing up: nothing to delete, nothing to wait for. */
    close_during_auth(&(Switches){.auth_error = IKE_NOTIFY_AUTHENTICATION_FAILED}, 0);
}
END_TEST

START_TEST(close_established) {
    _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);
    link_assert_up(l);
    link_close(l);
    link_close(l);
    assert_closed(l, 1);
    ck_assert_uint_eq(link_count(l, IKE_EXCHANGE_INFORMATIONAL, false), 1);
}
END_TEST

START_TEST(close_with_a_silent_gateway) {
    Rule rule = {.by_gateway = true, .exchange = IKE_EXCHANGE_INFORMATIONAL, .drop = 1000};
    _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);
    link_assert_up(l);
    l->fate = rule_fate;
    l->userdata = &rule;
    usec_t closed = l->now.mono;
    link_close(l);
    assert_closed(l, 1);
    ck_assert_uint_ge(l->ended_at - closed, 13 * USEC_PER_SEC);
    ck_assert_uint_eq(link_count(l, IKE_EXCHANGE_INFORMATIONAL, false), IKE_RETRANSMIT_TRIES);
}
END_TEST

/* A liveness check is under way: the window is one, so the DELETE waits for its answer. */
START_TEST(close_during_liveness) {
    _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);
    link_assert_up(l);
    link_run(l, l->now.mono + IKE_LIVENESS_INTERVAL);
    ck_assert_uint_eq(link_count(l, IKE_EXCHANGE_INFORMATIONAL, false), 1);
    link_close(l);
    ck_assert_uint_eq(link_count(l, IKE_EXCHANGE_INFORMATIONAL, false), 1);
    assert_closed(l, 1);
    ck_assert_uint_eq(l->responder.liveness, 1);
}
END_TEST

START_TEST(liveness) {
    _cleanup_(link_freep) Link *l = link_new(&(Switches){}, NULL, 1);
    Rule rule = {.by_gateway = true, .exchange = -1, .drop = 1000};

    link_assert_up(l);
    link_run(l, l->now.mono + 10 * IKE_LIVENESS_INTERVAL + USEC_PER_SEC);
    ck_assert_uint_ge(l->responder.liveness, 9);
    ck_assert_uint_le(l->responder.liveness, 10);
    ck_assert_uint_eq(l->ends, 0);
    l->fate = rule_fate;
    l->userdata = &rule;
    usec_t died = l->now.mono;
    link_run(l, USEC_NEVER);
    ck_assert_uint_eq(l->end, IKE_END_SILENT);
    CONTAINS(l->text, "liveness");
    ck_assert_uint_le(l->ended_at - died, IKE_LIVENESS_INTERVAL + 18 * USEC_PER_SEC);
}
END_TEST

SUITE("ike-sa", plain_handshake, every_suite, every_key, without_rfc7427, nat_over_ipv6, outside_and_inside,
      nothing_inside, tolerates_the_future, cookies_and_groups, cookies_for_ever, groups_for_ever,
      group_not_offered, a_known_group_costs_nothing, prepared_is_for_one_sa, prepared_of_another_group,
      each_message_lost, dead_gateway, a_silent_address_in_bytes, dead_after_init, everything_threefold,
      copy_of_invalid_ke, forged_error_then_truth, error_alone, wrong_init_answers, nat, wrong_auth_answers,
      a_wide_tsi_is_narrowed, untrusted_gateways, identities, no_spi_from_the_kernel,
      close_before_init_is_answered, close_while_auth_is_under_way, close_established,
      close_with_a_silent_gateway, close_during_liveness, liveness)
