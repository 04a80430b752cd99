/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See ike-responder.h. */
#include "ike-responder.h"

#include <check.h>
#include <stdio.h>

#include "files.h"

/* Helpers of all IKE tests ------------------------------------------------------------------------------- */

Blob test_file(const char *name) {
    Blob b;
    b.data = (uint8_t *)data_read("ike", name, &b.size);
    return b;
}

Blob test_unhex(const char *p) {
    Blob b = {malloc(strlen(p) / 2 + 1), 0};
    unsigned v;
    for (; sscanf(p, "%2x", &v) == 1; p += 2)
        b.data[b.size++] = (uint8_t)v;
    return b;
}

Credential *test_credential(const char *certificate, const char *key) {
    Blob c = test_file(certificate), k = test_file(key);
    char error[ERROR_MAX_BYTES] = "";
    Credential *credential;

    int r = credential_load(&credential, c.data, c.size, k.data, k.size, error);
    ck_assert_msg(r == 0, "%s, %s: %s", certificate, key, error);
    free(c.data);
    free(k.data);
    return credential;
}

TrustStore *test_trust(const char *name) {
    Blob b = test_file(name);
    char error[ERROR_MAX_BYTES] = "";
    TrustStore *store;

    int r = trust_store_load(&store, b.data, b.size, error);
    ck_assert_msg(r == 0, "%s: %s", name, error);
    free(b.data);
    return store;
}

/* A PEM certificate's DER, by our own hand: the base64 between the lines. */
static Blob pem_decode(Blob pem) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *p = strstr((char *)pem.data, "-----BEGIN CERTIFICATE-----\n"), *q;
    Blob der = {malloc(pem.size), 0};
    uint32_t bits = 0;
    unsigned n = 0;

    ck_assert_ptr_nonnull(p);
    for (p = strchr(p, '\n'); *p != '-' && *p != '='; p++) {
        if (*p == '\n' || !(q = strchr(digits, *p)))
            continue;
        bits = bits << 6 | (uint32_t)(q - digits);
        if ((n += 6) >= 8)
            der.data[der.size++] = (uint8_t)(bits >> (n -= 8));
    }
    return der;
}

TestChain test_chain(const char *const *names) {
    TestChain chain = {};
    for (; **names; names++) {
        Blob pem = test_file(*names);
        ck_assert_uint_lt(chain.n, ARRAY_SIZE(chain.der));
        chain.der[chain.n++] = pem_decode(pem);
        free(pem.data);
    }
    return chain;
}

void test_chain_free(TestChain *chain) {
    for (size_t i = 0; i < chain->n; i++)
        free(chain->der[i].data);
    *chain = (TestChain){};
}

/* Writing ------------------------------------------------------------------------------------------------ */

#define TYPE_UNKNOWN          200
#define NOTIFY_UNKNOWN_STATUS 40000
#define NOTIFY_REKEY_SA       16393

static void unknown_payload_write(IkeWriter *m, bool critical) {
    ike_blob_write(m, TYPE_UNKNOWN, "odd", 3);
    if (critical)
        m->w.data[m->payload + 1] |= 0x80;
}

static void header_write(Responder *r, IkeWriter *m, Message *ret, uint8_t exchange, uint8_t flags,
                         uint32_t id) {
    IkeHeader h = {
        .spi_i = r->spi_i, .spi_r = r->spi_r, .exchange = exchange, .flags = flags, .message_id = id};
    ike_writer_start(m, ret->bytes, sizeof ret->bytes, &h);
}

static void clear_finish(Responder *r, IkeWriter *m, Message *ret) {
    if (r->switches.unknown_payloads) {
        unknown_payload_write(m, false);
        ike_notify_write(m, IKE_PROTOCOL_NONE, NOTIFY_UNKNOWN_STATUS, "x", 1);
        ret->bytes[17] |= 0x01; /* minor version */
        ret->bytes[19] |= 0x97; /* version and reserved flags */
    }
    ck_assert_int_eq(ike_writer_finish(m), 0);
    ret->size = m->w.len;
}

typedef struct Seal {
    size_t sk, iv, plain;
} Seal;

static Seal seal_begin(Responder *r, IkeWriter *m) {
    ike_writer_begin(m, IKE_PAYLOAD_SK);
    Seal s = {.sk = m->payload, .iv = m->w.len};
    writer_reserve(&m->w, r->keys.responder.encr->iv_size);
    s.plain = m->w.len;
    return s;
}

static void seal_end(Responder *r, IkeWriter *m, Seal *s, Message *ret) {
    const SealKeys *keys = &r->keys.responder;

    if (r->switches.unknown_payloads) {
        unknown_payload_write(m, false);
        m->w.data[m->payload + 1] |= 0x7f; /* reserved bits */
        ike_notify_write(m, IKE_PROTOCOL_NONE, NOTIFY_UNKNOWN_STATUS, NULL, 0);
    }
    size_t plain = m->w.len - s->plain;
    if (r->switches.mangle_inner)
        r->switches.mangle_inner(r->switches.userdata, ret->bytes[18], ret->bytes + s->plain, plain);
    writer_reserve(&m->w, seal_overhead(keys, plain) - keys->encr->iv_size);
    writer_patch_u16(&m->w, s->sk + 2, (uint16_t)(m->w.len - s->sk));
    ck_assert_int_eq(ike_writer_finish(m), 0);
    ret->size = m->w.len;
    ck_assert_int_eq(crypto_seal(keys, ret->bytes, ret->size, s->iv, plain, r->seal_counter++, &r->rng), 0);
}

void forge_notify(uint64_t spi_i, uint64_t spi_r, uint8_t exchange, uint8_t flags, uint32_t id, unsigned type,
                  Message *ret) {
    IkeHeader h = {.spi_i = spi_i, .spi_r = spi_r, .exchange = exchange, .flags = flags, .message_id = id};
    IkeWriter m;
    ike_writer_start(&m, ret->bytes, sizeof ret->bytes, &h);
    ike_notify_write(&m, IKE_PROTOCOL_NONE, (uint16_t)type, NULL, 0);
    ck_assert_int_eq(ike_writer_finish(&m), 0);
    ret->size = m.w.len;
}

/* IKE_SA_INIT -------------------------------------------------------------------------------------------- */

static void init_notify(Responder *r, Message *ret, unsigned type, const void *data, size_t size) {
    IkeWriter m;
    header_write(r, &m, ret, IKE_EXCHANGE_SA_INIT, IKE_FLAG_RESPONSE, 0);
    ike_notify_write(&m, IKE_PROTOCOL_NONE, (uint16_t)type, data, size);
    clear_finish(r, &m, ret);
}

/* Over SPIi and the nonce, and KE when the responder is of the unoptimized kind. */
static void cookie_make(Responder *r, const IkePayload *nonce, const IkePayload *ke, uint8_t ret[static 32]) {
    struct iovec parts[] = {{&r->spi_i, 8}, {(void *)nonce->data, nonce->size}, {(void *)ke->data, ke->size}};
    uint8_t full[HASH_SIZE_MAX];
    ck_assert_int_eq(crypto_hash(HASH_SHA2_256, parts, r->switches.cookie_covers_ke ? 3 : 2, full), 0);
    memcpy(ret, full, 32);
}

static bool find_notify(const IkePayloads *payloads, unsigned type, IkeNotify *ret) {
    const IkePayload *p;
    for (size_t i = 0; (p = ike_payloads_find(payloads, IKE_PAYLOAD_NOTIFY, i)); i++)
        if (ike_notify_decode(p, ret) == 0 && ret->type == type)
            return true;
    return false;
}

/* True: answered with a cookie. */
static bool ask_cookie(Responder *r, const IkePayloads *payloads, Message *ret) {
    const IkePayload *nonce = ike_payloads_find(payloads, IKE_PAYLOAD_NONCE, 0),
                     *ke = ike_payloads_find(payloads, IKE_PAYLOAD_KE, 0);
    uint8_t cookie[32];
    IkeNotify n;

    if (r->switches.endless_cookies) {
        r->rng.fill(r->rng.userdata, cookie, sizeof cookie);
        init_notify(r, ret, IKE_NOTIFY_COOKIE, cookie, sizeof cookie);
        return true;
    }
    if (!r->switches.cookie)
        return false;
    cookie_make(r, nonce, ke, cookie);
    if (find_notify(payloads, IKE_NOTIFY_COOKIE, &n)) {
        ck_assert_uint_eq(payloads->items[0].type, IKE_PAYLOAD_NOTIFY); /* 2.6: first */
        r->cookies_seen++;
        if (n.size == sizeof cookie && memcmp(n.data, cookie, n.size) == 0)
            return false;
    }
    init_notify(r, ret, IKE_NOTIFY_COOKIE, cookie, sizeof cookie);
    return true;
}

static bool ask_group(Responder *r, uint16_t group, Message *ret) {
    const uint8_t data[] = {(uint8_t)(r->switches.group >> 8), (uint8_t)r->switches.group};

    if (!r->switches.group || (group == r->switches.group && !r->switches.endless_group))
        return false;
    init_notify(r, ret, IKE_NOTIFY_INVALID_KE_PAYLOAD, data, sizeof data);
    return true;
}

/* Picks one transform of each type out of the proposal the switches name. */
static IkeProposal choose(Responder *r, const IkeProposal *offered, size_t n_offered, unsigned number,
                          uint16_t group) {
    unsigned prf = r->switches.prf ?: IKE_PRF_HMAC_SHA2_256, bits = r->switches.key_bits ?: 256;
    IkeProposal chosen = {.number = (uint8_t)(number ?: 1)};

    for (size_t i = 0; i < n_offered; i++) {
        const IkeProposal *p = &offered[i];
        if (p->number != chosen.number)
            continue;
        chosen.protocol = p->protocol;
        chosen.spi_size = p->spi_size;
        for (size_t t = 0; t < p->n_transforms; t++) {
            const IkeTransform *x = &p->transforms[t];
            bool seen = false;
            for (size_t k = 0; k < chosen.n_transforms; k++)
                seen |= chosen.transforms[k].type == x->type;
            if (!seen && (x->type != IKE_TRANSFORM_DH || x->id == group) &&
                (x->type != IKE_TRANSFORM_PRF || x->id == prf) &&
                (x->type != IKE_TRANSFORM_ENCR || x->key_bits == bits))
                chosen.transforms[chosen.n_transforms++] = *x;
        }
    }
    return chosen;
}

static Suite chosen_suite(const IkeProposal *chosen) {
    Suite suite = {};
    for (size_t i = 0; i < chosen->n_transforms; i++) {
        const IkeTransform *t = &chosen->transforms[i];
        suite.by_type[t->type] = transform_find(t->type, t->id, t->key_bits);
        ck_assert_ptr_nonnull(suite.by_type[t->type]);
    }
    return suite;
}

/* 2.23, computed here and not by the engine. */
static void nat_notify(Responder *r, IkeWriter *m, unsigned type, const Endpoint *e, bool lie) {
    uint8_t buffer[64], hash[HASH_SIZE_MAX];
    Writer w = writer_new(buffer, sizeof buffer);
    Endpoint seen = *e;

    if (lie)
        seen.address.bytes[3] ^= 0x40;
    writer_u64(&w, r->spi_i);
    writer_u64(&w, r->spi_r);
    writer_bytes(&w, seen.address.bytes, address_size(seen.address.family));
    writer_u16(&w, seen.port);
    ck_assert_int_eq(crypto_hash(HASH_SHA1, &(struct iovec){buffer, w.len}, 1, hash), 0);
    ike_notify_write(m, IKE_PROTOCOL_NONE, (uint16_t)type, hash, 20);
}

static void init_answer(Responder *r, const IkePayload *ke, const IkePayload *nonce,
                        const IkeProposal *offered, size_t n_offered, Message *ret) {
    static const uint8_t hashes[] = {0, 2, 0, 3, 0, 4}, sha1[] = {0, 1}, zeros[512];
    _cleanup_(key_exchange_freep) KeyExchange *key = NULL;
    uint8_t secret[SHARED_SECRET_MAX];
    size_t secret_size, public_size;
    uint16_t group;
    Reader value;
    IkeWriter m;

    ck_assert_int_eq(ike_ke_decode(ke, &group, &value), 0);
    IkeProposal chosen = choose(r, offered, n_offered, r->switches.proposal, group);
    r->suite = chosen_suite(&chosen);
    ck_assert_int_eq(key_exchange_new(&key, r->suite.by_type[IKE_TRANSFORM_DH], &r->rng), 0);
    ck_assert_int_eq(key_exchange_agree(key, value.data, value.left, secret, &secret_size), 0);
    while (r->spi_r == 0)
        r->rng.fill(r->rng.userdata, &r->spi_r, sizeof r->spi_r);
    memcpy(r->nonces.i, nonce->data, nonce->size);
    r->nonces.i_size = nonce->size;
    r->nonces.r_size = r->switches.short_nonce ? 15 : 37;
    r->rng.fill(r->rng.userdata, r->nonces.r, r->nonces.r_size);
    ck_assert_int_eq(
        ike_keys_derive(&r->suite, secret, secret_size, &r->nonces, r->spi_i, r->spi_r, &r->keys), 0);

    header_write(r, &m, ret, IKE_EXCHANGE_SA_INIT, IKE_FLAG_RESPONSE, 0);
    if (r->switches.foreign_algorithm)
        chosen.transforms[0].id = 23; /* Camellia-CBC */
    ike_sa_payload_write(&m, &chosen, 1);
    const uint8_t *public_value = key_exchange_public(key, &public_size);
    ike_ke_write(&m, group, r->switches.bad_public ? zeros : public_value, public_size);
    ike_blob_write(&m, IKE_PAYLOAD_NONCE, r->nonces.r, r->nonces.r_size);
    if (!r->switches.no_nat_detection) {
        nat_notify(r, &m, IKE_NOTIFY_NAT_DETECTION_SOURCE_IP, &r->local, r->switches.nat_responder);
        nat_notify(r, &m, IKE_NOTIFY_NAT_DETECTION_DESTINATION_IP, &r->peer, r->switches.nat_initiator);
    }
    if (r->switches.only_sha1)
        ike_notify_write(&m, IKE_PROTOCOL_NONE, IKE_NOTIFY_SIGNATURE_HASH_ALGORITHMS, sha1, sizeof sha1);
    else if (!r->switches.no_hashes)
        ike_notify_write(&m, IKE_PROTOCOL_NONE, IKE_NOTIFY_SIGNATURE_HASH_ALGORITHMS, hashes, sizeof hashes);
    if (r->switches.critical_init)
        unknown_payload_write(&m, true);
    clear_finish(r, &m, ret);
    r->init_response = *ret;
    r->state = RESPONDER_HALF_OPEN;
    r->peer_next_id = 1;
}

static void init_input(Responder *r, const IkeHeader *h, const IkePayloads *payloads, const uint8_t *datagram,
                       size_t size, Message *ret) {
    const IkePayload *sa = ike_payloads_find(payloads, IKE_PAYLOAD_SA, 0),
                     *ke = ike_payloads_find(payloads, IKE_PAYLOAD_KE, 0),
                     *nonce = ike_payloads_find(payloads, IKE_PAYLOAD_NONCE, 0);
    IkeProposal offered[IKE_PROPOSALS_MAX];
    size_t n_offered;
    uint16_t group;
    Reader value;
    IkeNotify n;

    ck_assert(sa && ke && nonce && h->spi_r == 0 && h->message_id == 0);
    ck_assert_uint_ge(nonce->size, 16);
    ck_assert_int_eq(ike_sa_payload_decode(sa, offered, &n_offered), 0);
    ck_assert_int_eq(ike_ke_decode(ke, &group, &value), 0);
    r->spi_i = h->spi_i;
    if (r->switches.init_error) {
        init_notify(r, ret, r->switches.init_error, NULL, 0);
        return;
    }
    if (r->switches.group_first && ask_group(r, group, ret))
        return;
    if (ask_cookie(r, payloads, ret) || ask_group(r, group, ret))
        return;
    r->peer_hashes = find_notify(payloads, IKE_NOTIFY_SIGNATURE_HASH_ALGORITHMS, &n)
                         ? auth_hashes_decode(n.data, n.size)
                         : 0;
    r->init_request.size = size;
    memcpy(r->init_request.bytes, datagram, size);
    init_answer(r, ke, nonce, offered, n_offered, ret);
}

/* IKE_AUTH ----------------------------------------------------------------------------------------------- */

static void octets_make(Responder *r, bool ours, const uint8_t *id, size_t id_size,
                        uint8_t mac[static PRF_SIZE_MAX], struct iovec ret[static 3]) {
    const Transform *prf = r->suite.by_type[IKE_TRANSFORM_PRF];
    Message *m = ours ? &r->init_response : &r->init_request;

    ck_assert_int_eq(crypto_prf(prf, ours ? r->keys.sk_pr : r->keys.sk_pi, prf->key_size,
                                &(struct iovec){(void *)id, id_size}, 1, mac),
                     0);
    ret[0] = (struct iovec){m->bytes, m->size};
    ret[1] =
        ours ? (struct iovec){r->nonces.i, r->nonces.i_size} : (struct iovec){r->nonces.r, r->nonces.r_size};
    ret[2] = (struct iovec){mac, prf->key_size};
}

/* Whether the initiator proved to hold the key of the certificate it sent. */
static bool peer_verify(Responder *r, const IkePayloads *payloads) {
    const IkePayload *id = ike_payloads_find(payloads, IKE_PAYLOAD_IDI, 0),
                     *auth = ike_payloads_find(payloads, IKE_PAYLOAD_AUTH, 0), *p;
    uint8_t encoding, mac[PRF_SIZE_MAX], type;
    char verdict[ERROR_MAX_BYTES];
    Certificate certificate = {};
    struct iovec octets[3];
    Reader data;

    ck_assert(id && auth);
    for (size_t i = 0; (p = ike_payloads_find(payloads, IKE_PAYLOAD_CERT, i)); i++) {
        ck_assert_int_eq(ike_cert_decode(p, &encoding, &data), 0);
        ck_assert_uint_eq(encoding, IKE_CERT_X509_SIGNATURE);
        if (r->peer_certificates++ == 0)
            ck_assert_int_eq(x509_parse(data.data, data.left, &certificate), 0);
    }
    ck_assert_int_eq(ike_id_decode(id, &type, &data), 0);
    ck_assert(type == IKE_ID_FQDN && data.left < sizeof r->peer_id);
    memcpy(r->peer_id, data.data, r->peer_id_size = data.left);
    octets_make(r, false, id->data, id->size, mac, octets);
    ck_assert_int_eq(ike_auth_decode(auth, &r->peer_auth_method, &data), 0);
    return auth_verify(&certificate, r->peer_auth_method, data, octets, 3, verdict) == 0;
}

static void cert_and_auth_write(Responder *r, IkeWriter *m) {
    const Switches *s = &r->switches;
    const char *name = s->id ?: "segw.operator.example";
    uint8_t id[4 + HOST_MAX_BYTES] = {s->id_type ?: IKE_ID_FQDN}, mac[PRF_SIZE_MAX], data[AUTH_MAX], method;
    size_t id_size = 4 + (s->id_type ? s->id_data.size : strlen(name)), size, n;
    struct iovec octets[3];

    memcpy(id + 4, s->id_type ? s->id_data.data : (const uint8_t *)name, id_size - 4);
    if (!s->no_idr)
        ike_typed_blob_write(m, IKE_PAYLOAD_IDR, id[0], 3, id + 4, id_size - 4);
    if (s->unknown_payloads) { /* the reserved bytes count for AUTH (2.15) */
        id[1] = m->w.data[m->payload + 5] = 0x55;
    }
    const Blob *chain = s->chain ? s->chain->der : s->credential->chain;
    n = s->chain ? s->chain->n : s->credential->n;
    for (size_t i = 0; i < n; i++)
        ike_typed_blob_write(m, IKE_PAYLOAD_CERT, IKE_CERT_X509_SIGNATURE, 0, chain[i].data, chain[i].size);

    octets_make(r, true, id, id_size, mac, octets);
    ck_assert_int_eq(auth_sign(s->credential->key, s->classic_auth ? 0 : r->peer_hashes, octets, 3, &r->rng,
                               &method, data, &size),
                     0);
    if (s->bad_auth)
        data[size - 1] ^= 1;
    if (!s->no_auth)
        ike_typed_blob_write(m, IKE_PAYLOAD_AUTH, method, 3, data, size);
}

static void cp_addresses_write(Writer *w, const char *const texts[3], uint16_t v4_type, uint16_t v6_type,
                               bool v6_prefix) {
    for (size_t i = 0; i < 3 && texts[i]; i++) {
        Address a;
        ck_assert_int_eq(address_parse(texts[i], &a), 0);
        size_t size = address_size(a.family);
        bool prefix = a.family == AF_INET6 && v6_prefix;
        writer_u16(w, a.family == AF_INET6 ? v6_type : v4_type);
        writer_u16(w, (uint16_t)(size + prefix));
        writer_bytes(w, a.bytes, size);
        if (prefix)
            writer_u8(w, 64);
    }
}

static const char *const *inner_addresses(const Responder *r) {
    static const char *const defaults[3] = {"10.1.0.7"};
    return r->switches.inner[0] ? r->switches.inner : defaults;
}

static void cp_write(Responder *r, IkeWriter *m) {
    static const char *const dns[3] = {"10.0.0.53"};
    const Switches *s = &r->switches;
    uint8_t buffer[256];
    Writer w = writer_new(buffer, sizeof buffer);

    writer_u32(&w, (uint32_t)IKE_CFG_REPLY << 24);
    cp_addresses_write(&w, inner_addresses(r), IKE_CP_INTERNAL_IP4_ADDRESS, IKE_CP_INTERNAL_IP6_ADDRESS,
                       true);
    cp_addresses_write(&w, s->dns[0] ? s->dns : dns, IKE_CP_INTERNAL_IP4_DNS, IKE_CP_INTERNAL_IP6_DNS, false);
    if (s->refuses) {
        bool v6 = s->refuses == AF_INET6;
        writer_u32(&w, (uint32_t)(v6 ? IKE_CP_INTERNAL_IP6_ADDRESS : IKE_CP_INTERNAL_IP4_ADDRESS) << 16);
        writer_u32(&w, (uint32_t)(v6 ? IKE_CP_INTERNAL_IP6_DNS : IKE_CP_INTERNAL_IP4_DNS) << 16);
    }
    writer_u32(&w, 7 << 16 | 3); /* APPLICATION_VERSION, which nobody asked for */
    writer_bytes(&w, "gw1", 3);
    ike_blob_write(m, IKE_PAYLOAD_CP, buffer, w.len);
}

static void ts_write(Responder *r, IkeWriter *m) {
    const char *const only[3] = {r->switches.ts_local};
    const char *const *locals = r->switches.ts_local ? only : inner_addresses(r);
    TrafficSelector near[3], far[3];
    size_t n_near = 0, n_far = 0;

    for (size_t i = 0; i < 3 && locals[i]; i++) {
        TrafficSelector ts = {.port_max = UINT16_MAX};
        ck_assert_int_eq(address_parse(locals[i], &ts.address), 0);
        int family = ts.address.family;
        TrafficSelector any = {.address = {.family = family}, .port_max = UINT16_MAX};
        if (family == r->switches.without_ts)
            continue;
        ts.prefix = (uint8_t)(8 * address_size(family));
        near[n_near++] = r->switches.ts_wide ? any : ts;
        if (family != r->switches.without_tsr)
            far[n_far++] = any;
    }
    ike_ts_write(m, IKE_PAYLOAD_TSI, near, n_near);
    ike_ts_write(m, IKE_PAYLOAD_TSR, far, n_far);
    if (r->switches.ts_odd)
        m->w.data[m->w.len - 1] = 0xfe; /* 0.0.0.0 to 255.255.255.254 */
}

static void child_write(Responder *r, const IkePayloads *payloads, IkeWriter *m) {
    const IkePayload *sa = ike_payloads_find(payloads, IKE_PAYLOAD_SA, 0);
    IkeProposal offered[IKE_PROPOSALS_MAX];
    size_t n_offered;

    ck_assert_ptr_nonnull(sa);
    ck_assert_int_eq(ike_sa_payload_decode(sa, offered, &n_offered), 0);
    IkeProposal chosen = choose(r, offered, n_offered, r->switches.esp_proposal, 0);
    Suite esp = chosen_suite(&chosen);
    r->child.spi_out = (uint32_t)offered[0].spi;
    r->rng.fill(r->rng.userdata, &r->child.spi_in, sizeof r->child.spi_in);
    r->child.spi_in |= 0x1000;
    chosen.spi = r->switches.esp_zero_spi ? 0 : r->child.spi_in;
    r->child.algorithms = suite_esp_algorithms(&esp);
    /* The initiator's outbound keys are our inbound ones. */
    ck_assert_int_eq(
        child_keys_derive(&r->suite, &r->keys, &esp, NULL, 0, &r->nonces, &r->child.keys_in, &r->child.keys_out), 0);
    if (r->switches.esp_foreign)
        chosen.transforms[0].key_bits = 192;
    if (!r->switches.no_cp)
        cp_write(r, m);
    ike_sa_payload_write(m, &chosen, 1);
    ts_write(r, m);
}

static void auth_input(Responder *r, const IkePayloads *payloads, IkeWriter *m) {
    const IkePayload *cp = ike_payloads_find(payloads, IKE_PAYLOAD_CP, 0);
    IkeNotify n;

    r->peer_authenticated = peer_verify(r, payloads);
    r->peer_certreq = ike_payloads_find(payloads, IKE_PAYLOAD_CERTREQ, 0) != NULL;
    r->peer_asked_address = cp && cp->size > 4 && cp->data[0] == IKE_CFG_REQUEST;
    r->init_contacts += find_notify(payloads, IKE_NOTIFY_INITIAL_CONTACT, &n);
    if (r->switches.auth_error) {
        ike_notify_write(m, IKE_PROTOCOL_NONE, (uint16_t)r->switches.auth_error, NULL, 0);
        r->state = RESPONDER_DELETED;
        return;
    }
    cert_and_auth_write(r, m);
    r->state = RESPONDER_ESTABLISHED;
    if (r->switches.critical_auth)
        unknown_payload_write(m, true);
    if (r->switches.child_error)
        ike_notify_write(m, IKE_PROTOCOL_NONE, (uint16_t)r->switches.child_error, NULL, 0);
    else
        child_write(r, payloads, m);
    if (r->switches.child_notify)
        ike_notify_write(m, IKE_PROTOCOL_NONE, (uint16_t)r->switches.child_notify, NULL, 0);
    if (r->switches.bad_inner)
        m->w.data[m->payload + 3] ^= 0x40;
}

/* What comes sealed ------------------------------------------------------------------------------------- */

static void informational_input(Responder *r, const IkePayloads *payloads, IkeWriter *m) {
    const IkePayload *p;
    IkeDelete d;

    r->liveness += payloads->n == 0;
    for (size_t i = 0; (p = ike_payloads_find(payloads, IKE_PAYLOAD_DELETE, i)); i++) {
        ck_assert_int_eq(ike_delete_decode(p, &d), 0);
        if (d.protocol == IKE_PROTOCOL_IKE) {
            r->deletes_ike++;
            r->state = RESPONDER_DELETED;
        } else
            r->deletes_child++;
    }
}

static void response_input(Responder *r, const IkeHeader *h, const IkePayloads *payloads) {
    const IkePayload *p = ike_payloads_find(payloads, IKE_PAYLOAD_NOTIFY, 0);
    IkeNotify n;

    if (r->sent_request.size == 0 || h->message_id != r->next_id)
        return;
    r->next_id++;
    r->sent_request.size = 0;
    r->answered = true;
    r->response_empty = payloads->n == 0;
    r->response_notify = 0;
    if (p && ike_notify_decode(p, &n) == 0) {
        r->response_notify = n.type;
        r->response_notify_data = n.size ? n.data[0] : 0;
    }
    if (ike_payloads_find(payloads, IKE_PAYLOAD_DELETE, 0))
        r->deletes_child++;
}

static void sealed_input(Responder *r, const IkeHeader *h, const IkePayloads *outer, uint8_t *datagram,
                         size_t size, Message *ret) {
    IkePayloads payloads;
    uint8_t *plain, type;
    size_t plain_size;
    IkeWriter m;

    if (outer->n != 1 || outer->items[0].type != IKE_PAYLOAD_SK ||
        crypto_open(&r->keys.initiator, datagram, size, (size_t)(outer->items[0].data - datagram), &plain,
                    &plain_size) != 0)
        return;
    ck_assert_int_eq(ike_payloads_split(reader_new(plain, plain_size), outer->inner_type, &payloads, &type),
                     0);
    if (h->flags & IKE_FLAG_RESPONSE) {
        response_input(r, h, &payloads);
        return;
    }
    r->peer_next_id++;
    header_write(r, &m, ret, h->exchange, IKE_FLAG_RESPONSE, h->message_id);
    Seal s = seal_begin(r, &m);
    if (h->exchange == IKE_EXCHANGE_AUTH)
        auth_input(r, &payloads, &m);
    else
        informational_input(r, &payloads, &m);
    seal_end(r, &m, &s, ret);
}

void responder_input(Responder *r, const uint8_t *datagram, size_t size, const Endpoint *from, Message *ret) {
    uint8_t copy[RESPONDER_MESSAGE_MAX], type;
    IkePayloads payloads;
    IkeHeader h;

    ret->size = 0;
    ck_assert_uint_le(size, sizeof copy);
    memcpy(copy, datagram, size);
    Reader reader = reader_new(copy, size);
    /* Whatever an initiator sends must be well-formed. */
    ck_assert_int_eq(ike_header_decode(&reader, &h), 0);
    ck_assert_int_eq(ike_payloads_split(reader, h.next_payload, &payloads, &type), 0);
    ck_assert(h.flags & IKE_FLAG_INITIATOR);
    r->peer = *from;

    bool request = !(h.flags & IKE_FLAG_RESPONSE);
    r->requests += request;
    if (request && r->last_request.size == size && memcmp(r->last_request.bytes, datagram, size) == 0) {
        *ret = r->last_response;
        return;
    }
    if (h.exchange == IKE_EXCHANGE_SA_INIT) {
        if (r->state != RESPONDER_NEW)
            return;
        init_input(r, &h, &payloads, datagram, size, ret);
    } else if (h.spi_i == r->spi_i && h.spi_r == r->spi_r && r->state != RESPONDER_NEW &&
               (!request || h.message_id == r->peer_next_id))
        sealed_input(r, &h, &payloads, copy, size, ret);
    if (request && ret->size > 0) {
        memcpy(r->last_request.bytes, datagram, r->last_request.size = size);
        r->last_response = *ret;
    }
}

void responder_init(Responder *r, const Switches *switches, const Rng *rng, const Endpoint *local) {
    *r = (Responder){.switches = *switches, .rng = *rng, .local = *local};
}

/* Requests of its own ----------------------------------------------------------------------------------- */

void responder_request(Responder *r, uint8_t exchange, ResponderPayload payload, Message *ret) {
    IkeWriter m;

    ck_assert_uint_eq(r->sent_request.size, 0);
    header_write(r, &m, ret, exchange, 0, r->next_id);
    Seal s = seal_begin(r, &m);
    if (payload)
        payload(r, &m);
    seal_end(r, &m, &s, ret);
    r->sent_request = *ret;
    r->answered = false;
}

void payload_delete_ike(Responder *r, IkeWriter *m) {
    ike_delete_write(m, IKE_PROTOCOL_IKE, NULL, 0);
}

void payload_delete_child(Responder *r, IkeWriter *m) {
    ike_delete_write(m, IKE_PROTOCOL_ESP, &r->child.spi_in, 1);
}

void payload_delete_malformed(Responder *r, IkeWriter *m) {
    ike_blob_write(m, IKE_PAYLOAD_DELETE, (uint8_t[]){IKE_PROTOCOL_ESP, 4, 0, 9, 1, 2, 3, 4}, 8);
}

void payload_rekey_child(Responder *r, IkeWriter *m) {
    IkeProposal offer[IKE_PROPOSALS_MAX];
    uint8_t notify[8] = {IKE_PROTOCOL_ESP, 4, NOTIFY_REKEY_SA >> 8, NOTIFY_REKEY_SA & 0xff}, nonce[32];
    TrafficSelector ts = {.address = {.family = AF_INET}, .port_max = UINT16_MAX};

    Writer w = writer_new(notify + 4, 4);
    writer_u32(&w, r->child.spi_in);
    ike_blob_write(m, IKE_PAYLOAD_NOTIFY, notify, sizeof notify);
    ike_sa_payload_write(m, offer, proposals_esp(offer, 0x7777));
    r->rng.fill(r->rng.userdata, nonce, sizeof nonce);
    ike_blob_write(m, IKE_PAYLOAD_NONCE, nonce, sizeof nonce);
    ike_ts_write(m, IKE_PAYLOAD_TSI, &ts, 1);
    ike_ts_write(m, IKE_PAYLOAD_TSR, &ts, 1);
}

void payload_critical(Responder *r, IkeWriter *m) {
    unknown_payload_write(m, true);
}

void payload_misplaced(Responder *r, IkeWriter *m) {
    ike_blob_write(m, IKE_PAYLOAD_NONCE, "0123456789abcdef", 16);
}

void payload_unknown_notify(Responder *r, IkeWriter *m) {
    ike_notify_write(m, IKE_PROTOCOL_NONE, 16383, NULL, 0);
    ike_notify_write(m, IKE_PROTOCOL_NONE, NOTIFY_UNKNOWN_STATUS, NULL, 0);
}
