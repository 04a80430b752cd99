/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bytes that are not ours: handshakes of strongSwan with itself, captured with their secrets by
 * tests/data/ike/capture. Codec, key derivation, SK payload, certificates and AUTH are held against them. */
#include <check.h>
#include <stdio.h>

#include "ike-responder.h"
#include "ike/fragment.h"
#include "suite.h"

#define NOW       (1780272000 * USEC_PER_SEC) /* 2026-06-01 */
#define MESSAGES  6
#define DATAGRAMS 16

typedef struct Capture {
    size_t n_secrets, n_datagrams;
    struct {
        char name[16];
        Blob value;
    } secrets[16];
    struct {
        bool by_initiator;
        Blob bytes;
    } datagrams[DATAGRAMS];

    /* What test code reads out of it. */
    Suite suite, esp;
    Nonces nonces;
    uint64_t spi_i, spi_r;
    IkeKeys keys;
} Capture;

static Capture *capture_load(const char *name) {
    Capture *c = calloc(1, sizeof *c);
    Blob file = test_file(name);

    for (char *line = strtok((char *)file.data, "\n"); line; line = strtok(NULL, "\n")) {
        char *value = strchr(line, ' ');
        if (line[0] == '#')
            continue;
        ck_assert_ptr_nonnull(value);
        *value++ = 0;
        bool initiator = streq(line, "initiator");
        if (initiator || streq(line, "responder")) {
            ck_assert_uint_lt(c->n_datagrams, DATAGRAMS);
            c->datagrams[c->n_datagrams].by_initiator = initiator;
            c->datagrams[c->n_datagrams++].bytes = test_unhex(value);
        } else {
            ck_assert_uint_lt(c->n_secrets, ARRAY_SIZE(c->secrets));
            snprintf(c->secrets[c->n_secrets].name, 16, "%s", line);
            c->secrets[c->n_secrets++].value = test_unhex(value);
        }
    }
    free(file.data);
    ck_assert_uint_ge(c->n_datagrams, MESSAGES);
    return c;
}

static void capture_free(Capture *c) {
    for (size_t i = 0; i < c->n_secrets; i++)
        free(c->secrets[i].value.data);
    for (size_t i = 0; i < c->n_datagrams; i++)
        free(c->datagrams[i].bytes.data);
    free(c);
}
DEFINE_CLEANUP(Capture, capture_free)

static const Blob *secret(const Capture *c, const char *name) {
    for (size_t i = 0; i < c->n_secrets; i++)
        if (streq(c->secrets[i].name, name))
            return &c->secrets[i].value;
    return NULL;
}

static void assert_secret(const Capture *c, const char *name, const uint8_t *ours, size_t size) {
    const Blob *theirs = secret(c, name);
    ck_assert_msg((theirs ? theirs->size : 0) == size, "%s: %zu bytes", name, size);
    ck_assert_msg(size == 0 || memcmp(theirs->data, ours, size) == 0, "%s differs", name);
}

/* Fragment *k* of message *i*, or all of it; NULL when there are no more. */
static const Blob *message(const Capture *c, size_t i, size_t k, IkeHeader *ret, IkePayloads *ret_payloads) {
    for (size_t d = 0; d < c->n_datagrams; d++) {
        const Blob *b = &c->datagrams[d].bytes;
        Reader r = reader_new(b->data, b->size);
        uint8_t type;

        ck_assert_int_eq(ike_header_decode(&r, ret), 0);
        if (c->datagrams[d].by_initiator != (i % 2 == 0) || ret->message_id != i / 2 || k-- > 0)
            continue;
        ck_assert_uint_eq(!!(ret->flags & IKE_FLAG_INITIATOR), i % 2 == 0);
        ck_assert_uint_eq(!!(ret->flags & IKE_FLAG_RESPONSE), i % 2);
        ck_assert_int_eq(ike_payloads_split(r, ret->next_payload, ret_payloads, &type), 0);
        return b;
    }
    return NULL;
}

static const IkePayload *need(const IkePayloads *payloads, uint8_t type) {
    const IkePayload *p = ike_payloads_find(payloads, type, 0);
    ck_assert_msg(p != NULL, "no payload %u", type);
    return p;
}

static Suite suite_of(const IkePayload *p) {
    IkeProposal chosen[IKE_PROPOSALS_MAX];
    Suite suite = {};
    size_t n;

    ck_assert_int_eq(ike_sa_payload_decode(p, chosen, &n), 0);
    ck_assert_uint_eq(n, 1);
    for (size_t i = 0; i < chosen->n_transforms; i++) {
        const IkeTransform *t = &chosen->transforms[i];
        suite.by_type[t->type] = transform_find(t->type, t->id, t->key_bits);
        ck_assert_ptr_nonnull(suite.by_type[t->type]);
    }
    return suite;
}

/* IKE_SA_INIT: the suite, KE and nonces decode; all keys come out as charon logged them. */
static void init_and_keys(Capture *c) {
    const Blob *g_ir = secret(c, "g_ir");
    IkePayloads request, response;
    uint16_t group;
    Reader value;
    uint8_t type;
    IkeHeader h;

    message(c, 0, 0, &h, &request);
    ck_assert(h.exchange == IKE_EXCHANGE_SA_INIT && h.spi_r == 0);
    message(c, 1, 0, &h, &response);
    c->spi_i = h.spi_i;
    c->spi_r = h.spi_r;
    ck_assert_int_eq(ike_payloads_check(&response, h.exchange, true, false, &type), 0);
    c->suite = suite_of(need(&response, IKE_PAYLOAD_SA));
    ck_assert_int_eq(ike_ke_decode(need(&response, IKE_PAYLOAD_KE), &group, &value), 0);
    ck_assert_uint_eq(group, c->suite.by_type[IKE_TRANSFORM_DH]->id);
    ck_assert_uint_eq(value.left, c->suite.by_type[IKE_TRANSFORM_DH]->icv_size);
    const IkePayload *ni = need(&request, IKE_PAYLOAD_NONCE), *nr = need(&response, IKE_PAYLOAD_NONCE);
    memcpy(c->nonces.i, ni->data, c->nonces.i_size = ni->size);
    memcpy(c->nonces.r, nr->data, c->nonces.r_size = nr->size);

    ck_assert_int_eq(
        ike_keys_derive(&c->suite, g_ir->data, g_ir->size, &c->nonces, c->spi_i, c->spi_r, &c->keys), 0);
    const Transform *encr = c->suite.by_type[IKE_TRANSFORM_ENCR], *prf = c->suite.by_type[IKE_TRANSFORM_PRF],
                    *integ = c->suite.by_type[IKE_TRANSFORM_INTEG];
    size_t encr_size = encr->key_size + encr->salt_size, integ_size = integ ? integ->key_size : 0;
    assert_secret(c, "SK_d", c->keys.sk_d, prf->key_size);
    assert_secret(c, "SK_pi", c->keys.sk_pi, prf->key_size);
    assert_secret(c, "SK_pr", c->keys.sk_pr, prf->key_size);
    assert_secret(c, "SK_ai", c->keys.initiator.integrity, integ_size);
    assert_secret(c, "SK_ar", c->keys.responder.integrity, integ_size);
    assert_secret(c, "SK_ei", c->keys.initiator.encryption, encr_size);
    assert_secret(c, "SK_er", c->keys.responder.encryption, encr_size);
}

/* Opens the fragments of message *i*, the last one first. */
static void open_fragments(Capture *c, size_t i, const SealKeys *keys, Reassembled *ret) {
    FragmentVerdict verdict = FRAGMENT_KEPT;
    Reassembly re = {};
    IkePayloads outer;
    IkeHeader h;
    size_t n = 0;

    while (message(c, i, n, &h, &outer))
        n++;
    for (size_t k = n; k-- > 0;) {
        const Blob *b = message(c, i, k, &h, &outer);
        _cleanup_free_ uint8_t *copy = malloc(b->size);
        memcpy(copy, b->data, b->size);
        outer.items[0].data = copy + (outer.items[0].data - b->data);
        verdict = reassembly_add(&re, keys, &h, &outer, copy, b->size, ret);
        ck_assert_int_eq(verdict, k > 0 ? FRAGMENT_KEPT : FRAGMENT_COMPLETED);
    }
    ck_assert_uint_ge(n, 2);
}

/* Opens message *i* into *ret_message*, where *ret* points. */
static void open_message(Capture *c, size_t i, Reassembled *ret_message, IkePayloads *ret) {
    const SealKeys *keys = i % 2 == 0 ? &c->keys.initiator : &c->keys.responder;
    IkePayloads outer;
    uint8_t type;
    IkeHeader h;

    const Blob *b = message(c, i, 0, &h, &outer);
    ck_assert_uint_eq(outer.n, 1);
    if (outer.items[0].type == IKE_PAYLOAD_SKF)
        open_fragments(c, i, keys, ret_message);
    else {
        _cleanup_free_ uint8_t *copy = malloc(b->size);
        uint8_t *plain;
        size_t size;
        ck_assert_uint_eq(outer.items[0].type, IKE_PAYLOAD_SK);
        memcpy(copy, b->data, b->size);
        ck_assert_int_eq(
            crypto_open(keys, copy, b->size, (size_t)(outer.items[0].data - b->data), &plain, &size), 0);
        *ret_message = (Reassembled){outer.inner_type, {malloc(size ?: 1), size}};
        memcpy(ret_message->plain.data, plain, size);
    }
    const Blob *plain = &ret_message->plain;
    ck_assert_int_eq(
        ike_payloads_split(reader_new(plain->data, plain->size), ret_message->first_type, ret, &type), 0);
    if (i % 2)
        ck_assert_int_eq(ike_payloads_check(ret, h.exchange, true, true, &type), 0);
    /* No way to cut the chain short passes for a whole one. */
    for (size_t cut = 1; cut < plain->size; cut++) {
        IkePayloads part;
        ck_assert_int_eq(
            ike_payloads_split(reader_new(plain->data, cut), ret_message->first_type, &part, &type),
            -EBADMSG);
    }
}

static void auth_verifies(Capture *c, size_t i, const IkePayloads *payloads, const char *identity,
                          unsigned method, bool good) {
    const Transform *prf = c->suite.by_type[IKE_TRANSFORM_PRF];
    const IkePayload *id = need(payloads, i == 2 ? IKE_PAYLOAD_IDI : IKE_PAYLOAD_IDR);
    _cleanup_(trust_store_freep) TrustStore *trust = test_trust("ca.pem");
    uint8_t mac[PRF_SIZE_MAX], encoding, id_type, auth_method;
    char verdict[ERROR_MAX_BYTES] = "";
    Certificate certificate;
    Reader data, chain, name;

    ck_assert_int_eq(ike_cert_decode(need(payloads, IKE_PAYLOAD_CERT), &encoding, &chain), 0);
    ck_assert_uint_eq(encoding, IKE_CERT_X509_SIGNATURE);
    ck_assert_int_eq(ike_id_decode(id, &id_type, &name), 0);
    ck_assert_uint_eq(id_type, IKE_ID_FQDN);
    ck_assert_uint_eq(name.left, strlen(identity));
    ck_assert_mem_eq(name.data, identity, name.left);
    int r = certificate_verify(trust, &chain, 1, identity, NOW, &certificate, verdict);
    ck_assert_msg(r == 0, "%s", verdict);

    const Blob *init = &c->datagrams[i - 2].bytes;
    ck_assert_int_eq(crypto_prf(prf, i == 2 ? c->keys.sk_pi : c->keys.sk_pr, prf->key_size,
                                &(struct iovec){(void *)id->data, id->size}, 1, mac),
                     0);
    struct iovec octets[] = {{init->data, init->size},
                             i == 2 ? (struct iovec){c->nonces.r, c->nonces.r_size}
                                    : (struct iovec){c->nonces.i, c->nonces.i_size},
                             {mac, prf->key_size}};
    ck_assert_int_eq(ike_auth_decode(need(payloads, IKE_PAYLOAD_AUTH), &auth_method, &data), 0);
    ck_assert_uint_eq(auth_method, method);
    r = auth_verify(&certificate, auth_method, data, octets, 3, verdict);
    ck_assert_msg(r == (good ? 0 : IKE_NOTIFY_AUTHENTICATION_FAILED), "%d %s", r, verdict);
    mac[0] ^= 1;
    ck_assert_int_eq(auth_verify(&certificate, auth_method, data, octets, 3, verdict),
                     IKE_NOTIFY_AUTHENTICATION_FAILED);
}

static void child_agrees(Capture *c, const IkePayloads *request, const IkePayloads *response) {
    TrafficSelector ts[TS_MAX];
    IkeConfiguration configuration;
    EspKeys out, in;
    size_t n;

    c->esp = suite_of(need(response, IKE_PAYLOAD_SA));
    ck_assert_int_eq(child_keys_derive(&c->suite, &c->keys, &c->esp, NULL, 0, &c->nonces, &out, &in), 0);
    assert_secret(c, "ESP_ei", out.encryption, out.encryption_size);
    assert_secret(c, "ESP_er", in.encryption, in.encryption_size);
    assert_secret(c, "ESP_ai", out.integrity, out.integrity_size);
    assert_secret(c, "ESP_ar", in.integrity, in.integrity_size);

    ck_assert_int_eq(ike_cp_decode(need(response, IKE_PAYLOAD_CP), &configuration), 0);
    ck_assert_int_ne(ike_cp_decode(need(request, IKE_PAYLOAD_CP), &configuration), 0); /* a CFG_REQUEST */
    ck_assert_uint_eq(configuration.addresses.n, 1);
    ck_assert_str_eq(ADDRESS_STR(&configuration.addresses.items[0]), "10.1.0.1");
    ck_assert_uint_eq(configuration.dns.n, 1);
    ck_assert_str_eq(ADDRESS_STR(&configuration.dns.items[0]), "10.0.0.53");
    ck_assert_int_eq(ike_ts_decode(need(response, IKE_PAYLOAD_TSI), ts, &n), 0);
    ck_assert_uint_eq(n, 1);
    ck_assert_str_eq(ADDRESS_STR(&ts[0].address), "10.1.0.1");
    ck_assert_uint_eq(ts[0].prefix, 32);
    ck_assert_int_eq(ike_ts_decode(need(response, IKE_PAYLOAD_TSR), ts, &n), 0);
    ck_assert_uint_eq(n, 1);
    ck_assert_uint_eq(ts[0].prefix, 0);
}

static void whole_capture(const char *name, unsigned method, bool good) {
    _cleanup_(capture_freep) Capture *c = capture_load(name);
    Reassembled messages[MESSAGES] = {};
    IkePayloads payloads[MESSAGES];
    IkeDelete d;

    init_and_keys(c);
    for (size_t i = 2; i < MESSAGES; i++)
        open_message(c, i, &messages[i], &payloads[i]);
    auth_verifies(c, 2, &payloads[2], "henb-000001.operator.example", method, good);
    auth_verifies(c, 3, &payloads[3], "segw.operator.example", method, good);
    child_agrees(c, &payloads[2], &payloads[3]);
    ck_assert_int_eq(ike_delete_decode(need(&payloads[4], IKE_PAYLOAD_DELETE), &d), 0);
    ck_assert_uint_eq(d.protocol, IKE_PROTOCOL_IKE);
    ck_assert_uint_eq(payloads[5].n, 0);
    for (size_t i = 0; i < MESSAGES; i++)
        reassembled_free(&messages[i]);
}

START_TEST(ecdsa_gcm_ecp256) {
    whole_capture("strongswan-ecdsa.hex", IKE_AUTH_DIGITAL_SIGNATURE, true);
}
END_TEST

START_TEST(ecdsa_plain_cbc_ecp384) {
    whole_capture("strongswan-ecdsa-plain.hex", IKE_AUTH_ECDSA_256, true);
}
END_TEST

START_TEST(rsa_pss_cbc_x25519) {
    whole_capture("strongswan-rsa-pss.hex", IKE_AUTH_DIGITAL_SIGNATURE, true);
}
END_TEST

START_TEST(rsa_pkcs1_gcm_sha512) {
    whole_capture("strongswan-rsa-pkcs1.hex", IKE_AUTH_DIGITAL_SIGNATURE, true);
}
END_TEST

/* strongSwan's method 1 is SHA-1, which TS 33.310 6.2.1b forbids: refused, though all else agrees. */
START_TEST(rsa_plain_gcm_modp2048) {
    whole_capture("strongswan-rsa-plain.hex", IKE_AUTH_RSA, false);
}
END_TEST

START_TEST(fragments_gcm) {
    whole_capture("strongswan-fragments-gcm.hex", IKE_AUTH_DIGITAL_SIGNATURE, true);
}
END_TEST

START_TEST(fragments_cbc) {
    whole_capture("strongswan-fragments-cbc.hex", IKE_AUTH_DIGITAL_SIGNATURE, true);
}
END_TEST

SUITE("strongswan", ecdsa_gcm_ecp256, ecdsa_plain_cbc_ecp384, rsa_pss_cbc_x25519, rsa_pkcs1_gcm_sha512,
      rsa_plain_gcm_modp2048, fragments_gcm, fragments_cbc)
