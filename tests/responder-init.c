/* SPDX-License-Identifier: GPL-3.0-or-later */
/* IKE_SA_INIT of the responder. Cookies, groups and redirects are answered without state. */
#include "responder-internal.h"

static void init_notify(Responder *r, const IkeHeader *h, const Endpoint *from, unsigned type,
                        const void *data, size_t size) {
    IkeHeader header = {.spi_i = h->spi_i, .exchange = IKE_EXCHANGE_SA_INIT, .flags = IKE_FLAG_RESPONSE};
    Message message;
    IkeWriter m;

    ike_writer_start(&m, message.bytes, sizeof message.bytes, &header);
    ike_notify_write(&m, IKE_PROTOCOL_NONE, (uint16_t)type, data, size);
    gw_clear_finish(r, &m, &message);
    gw_send_bytes(r, &r->local, from, message.bytes, message.size);
}

/* Over SPIi and the nonce, and KE when the responder is of the unoptimized kind. */
static void cookie_make(Responder *r, uint64_t spi_i, const IkePayload *nonce, const IkePayload *ke,
                        uint8_t ret[static 32]) {
    struct iovec parts[] = {{&spi_i, 8}, {(void *)nonce->data, nonce->size}, {(void *)ke->data, ke->size}};
    uint8_t full[HASH_SIZE_MAX];
    ck_assert_int_eq(crypto_hash(HASH_SHA2_256, parts, r->switches.cookie_covers_ke ? 3 : 2, full), 0);
    memcpy(ret, full, 32);
}

/* True: answered with a cookie. */
static bool ask_cookie(Responder *r, const IkeHeader *h, const IkePayloads *payloads, const Endpoint *from) {
    const IkePayload *nonce = ike_payloads_find(payloads, IKE_PAYLOAD_NONCE, 0),
                     *ke = ike_payloads_find(payloads, IKE_PAYLOAD_KE, 0);
    uint8_t cookie[32];
    IkeNotify n;

    if (r->switches.endless_cookies) {
        r->rng.fill(r->rng.userdata, cookie, sizeof cookie);
        init_notify(r, h, from, IKE_NOTIFY_COOKIE, cookie, sizeof cookie);
        return true;
    }
    if (!r->switches.cookie)
        return false;
    cookie_make(r, h->spi_i, nonce, ke, cookie);
    if (gw_find_notify(payloads, IKE_NOTIFY_COOKIE, &n)) {
        ck_assert_uint_eq(payloads->items[0].type, IKE_PAYLOAD_NOTIFY); /* 2.6: first */
        r->cookies_seen++;
        if (n.size == sizeof cookie && memcmp(n.data, cookie, n.size) == 0)
            return false;
    }
    init_notify(r, h, from, IKE_NOTIFY_COOKIE, cookie, sizeof cookie);
    return true;
}

static bool ask_group(Responder *r, const IkeHeader *h, uint16_t group, const Endpoint *from) {
    const uint8_t data[] = {(uint8_t)(r->switches.group >> 8), (uint8_t)r->switches.group};

    if (!r->switches.group || (group == r->switches.group && !r->switches.endless_group))
        return false;
    init_notify(r, h, from, IKE_NOTIFY_INVALID_KE_PAYLOAD, data, sizeof data);
    return true;
}

void gw_redirect_write(IkeWriter *m, const char *target, const void *nonce, size_t nonce_size) {
    uint8_t data[2 + HOST_MAX_BYTES + IKE_NONCE_MAX];
    Writer w = writer_new(data, sizeof data);
    Address a;

    /* RFC 5685 8.2: type, length, identity, then the nonce in IKE_SA_INIT. */
    if (address_parse(target, &a) == 0) {
        writer_u8(&w, a.family == AF_INET ? 1 : 2);
        writer_u8(&w, (uint8_t)address_size(a.family));
        writer_bytes(&w, a.bytes, address_size(a.family));
    } else {
        writer_u8(&w, 3);
        writer_u8(&w, (uint8_t)strlen(target));
        writer_bytes(&w, target, strlen(target));
    }
    if (nonce)
        writer_bytes(&w, nonce, nonce_size);
    ck_assert(!w.bad);
    ike_notify_write(m, IKE_PROTOCOL_NONE, NOTIFY_REDIRECT, data, w.len);
}

/* True: sent elsewhere. */
static bool redirect(Responder *r, const IkeHeader *h, const IkePayloads *payloads, const Endpoint *from) {
    const IkePayload *nonce = ike_payloads_find(payloads, IKE_PAYLOAD_NONCE, 0);
    IkeHeader header = {.spi_i = h->spi_i, .exchange = IKE_EXCHANGE_SA_INIT, .flags = IKE_FLAG_RESPONSE};
    uint8_t echo[IKE_NONCE_MAX];
    Message message;
    IkeWriter m;
    IkeNotify n;

    r->redirected_from += gw_find_notify(payloads, NOTIFY_REDIRECTED_FROM, &n);
    if (!r->switches.redirect_init || !(gw_find_notify(payloads, NOTIFY_REDIRECT_SUPPORTED, &n) ||
                                        gw_find_notify(payloads, NOTIFY_REDIRECTED_FROM, &n)))
        return false;
    memcpy(echo, nonce->data, nonce->size);
    echo[0] ^= r->switches.redirect_bad_nonce;
    ike_writer_start(&m, message.bytes, sizeof message.bytes, &header);
    gw_redirect_write(&m, r->switches.redirect_init, echo, nonce->size);
    gw_clear_finish(r, &m, &message);
    gw_send_bytes(r, &r->local, from, message.bytes, message.size);
    return true;
}

static bool proposal_has(const IkeProposal *p, uint8_t type, uint16_t id) {
    for (size_t i = 0; i < p->n_transforms; i++)
        if (p->transforms[i].type == type && p->transforms[i].id == id)
            return true;
    return false;
}

static bool proposal_has_groups(const IkeProposal *p) {
    for (size_t i = 0; i < p->n_transforms; i++)
        if (p->transforms[i].type == IKE_TRANSFORM_DH && p->transforms[i].id != IKE_DH_NONE)
            return true;
    return false;
}

static bool proposal_fits(const IkeProposal *p, unsigned kind, uint16_t group) {
    if (kind && !proposal_has(p, IKE_TRANSFORM_ENCR, kind == 1 ? IKE_ENCR_AES_GCM_16 : IKE_ENCR_AES_CBC))
        return false;
    if (group)
        return proposal_has(p, IKE_TRANSFORM_DH, group);
    return !proposal_has_groups(p) || proposal_has(p, IKE_TRANSFORM_DH, IKE_DH_NONE);
}

bool gw_choose(Responder *r, const IkeProposal *offered, size_t n_offered, unsigned kind, uint16_t group,
               IkeProposal *ret) {
    unsigned prf = r->switches.prf ?: IKE_PRF_HMAC_SHA2_256, bits = r->switches.key_bits ?: 256;

    for (size_t i = 0; i < n_offered; i++) {
        const IkeProposal *p = &offered[i];
        if (!proposal_fits(p, kind, group))
            continue;
        IkeProposal chosen = {.number = p->number, .protocol = p->protocol, .spi_size = p->spi_size};
        for (size_t t = 0; t < p->n_transforms; t++) {
            const IkeTransform *x = &p->transforms[t];
            bool seen = false;
            for (size_t k = 0; k < chosen.n_transforms; k++)
                seen |= chosen.transforms[k].type == x->type;
            if (!seen && (x->type != IKE_TRANSFORM_DH || x->id == group) &&
                (x->type != IKE_TRANSFORM_PRF || x->id == prf) &&
                (x->type != IKE_TRANSFORM_ENCR ||
                 (x->key_bits == bits &&
                  (!kind || x->id == (kind == 1 ? IKE_ENCR_AES_GCM_16 : IKE_ENCR_AES_CBC)))))
                chosen.transforms[chosen.n_transforms++] = *x;
        }
        *ret = chosen;
        return true;
    }
    return false;
}

Suite gw_chosen_suite(const IkeProposal *chosen) {
    Suite suite = {};
    for (size_t i = 0; i < chosen->n_transforms; i++) {
        const IkeTransform *t = &chosen->transforms[i];
        if (t->id == 0 && (t->type == IKE_TRANSFORM_DH || t->type == IKE_TRANSFORM_INTEG))
            continue;
        suite.by_type[t->type] = transform_find(t->type, t->id, t->key_bits);
        ck_assert_ptr_nonnull(suite.by_type[t->type]);
    }
    return suite;
}

/* 2.23, computed here and not by the engine. */
void gw_nat_notify(Responder *r, IkeWriter *m, uint64_t spi_i, uint64_t spi_r, unsigned type,
                   const Endpoint *e, bool lie) {
    uint8_t buffer[64], hash[HASH_SIZE_MAX];
    Writer w = writer_new(buffer, sizeof buffer);
    Endpoint seen = *e;

    if (lie)
        seen.address.bytes[3] ^= 0x40;
    writer_u64(&w, spi_i);
    writer_u64(&w, spi_r);
    writer_bytes(&w, seen.address.bytes, address_size(seen.address.family));
    writer_u16(&w, seen.port);
    ck_assert_int_eq(crypto_hash(HASH_SHA1, &(struct iovec){buffer, w.len}, 1, hash), 0);
    ike_notify_write(m, IKE_PROTOCOL_NONE, (uint16_t)type, hash, 20);
}

static void supported_write(Responder *r, const IkePayloads *payloads, ResponderIke *ike, IkeWriter *m) {
    const Switches *s = &r->switches;
    IkeNotify n;

    r->peer_fragments = gw_find_notify(payloads, NOTIFY_FRAGMENTATION_SUPPORTED, &n);
    ike->fragments = r->peer_fragments && s->fragment > 0;
    if (ike->fragments)
        ike_notify_write(m, IKE_PROTOCOL_NONE, NOTIFY_FRAGMENTATION_SUPPORTED, NULL, 0);
    ike->redirects = gw_find_notify(payloads, NOTIFY_REDIRECT_SUPPORTED, &n) ||
                     gw_find_notify(payloads, NOTIFY_REDIRECTED_FROM, &n);
    if (s->multiple_auth)
        ike_notify_write(m, IKE_PROTOCOL_NONE, NOTIFY_MULTIPLE_AUTH_SUPPORTED, NULL, 0);
}

static void init_answer(Responder *r, const IkeHeader *h, const IkePayloads *payloads, const Endpoint *from,
                        const uint8_t *datagram, size_t size) {
    static const uint8_t hashes[] = {0, 2, 0, 3, 0, 4, 0, 5}, sha1[] = {0, 1}, zeros[512];
    const IkePayload *ke = ike_payloads_find(payloads, IKE_PAYLOAD_KE, 0),
                     *nonce = ike_payloads_find(payloads, IKE_PAYLOAD_NONCE, 0);
    _cleanup_(key_exchange_freep) KeyExchange *key = NULL;
    IkeProposal offered[IKE_PROPOSALS_MAX], chosen;
    uint8_t secret[SHARED_SECRET_MAX];
    size_t secret_size, public_size, n_offered;
    uint16_t group;
    Reader value;
    IkeWriter m;
    IkeNotify n;

    ck_assert_int_eq(
        ike_sa_payload_decode(ike_payloads_find(payloads, IKE_PAYLOAD_SA, 0), offered, &n_offered), 0);
    ck_assert_int_eq(ike_ke_decode(ke, &group, &value), 0);
    if (!gw_choose(r, offered, n_offered, r->switches.proposal ?: 1, group, &chosen)) {
        init_notify(r, h, from, IKE_NOTIFY_NO_PROPOSAL_CHOSEN, NULL, 0);
        return;
    }
    ResponderIke *ike = gw_ike_add(r);
    ike->local = r->local;
    ike->peer = *from;
    ike->spi_i = h->spi_i;
    ike->suite = gw_chosen_suite(&chosen);
    ike->peer_hashes = gw_find_notify(payloads, IKE_NOTIFY_SIGNATURE_HASH_ALGORITHMS, &n)
                           ? auth_hashes_decode(n.data, n.size)
                           : 0;
    ck_assert_int_eq(key_exchange_new(&key, ike->suite.by_type[IKE_TRANSFORM_DH], &r->rng), 0);
    ck_assert_int_eq(key_exchange_agree(key, value.data, value.left, secret, &secret_size), 0);
    while (ike->spi_r == 0)
        r->rng.fill(r->rng.userdata, &ike->spi_r, sizeof ike->spi_r);
    memcpy(ike->nonces.i, nonce->data, nonce->size);
    ike->nonces.i_size = nonce->size;
    ike->nonces.r_size = r->switches.short_nonce ? 15 : 37;
    r->rng.fill(r->rng.userdata, ike->nonces.r, ike->nonces.r_size);
    ck_assert_int_eq(
        ike_keys_derive(&ike->suite, secret, secret_size, &ike->nonces, ike->spi_i, ike->spi_r, &ike->keys),
        0);
    memcpy(ike->init_request.bytes, datagram, ike->init_request.size = size);

    Message *answer = &ike->init_response;
    IkeHeader header = {.spi_i = ike->spi_i,
                        .spi_r = ike->spi_r,
                        .exchange = IKE_EXCHANGE_SA_INIT,
                        .flags = IKE_FLAG_RESPONSE};
    ike_writer_start(&m, answer->bytes, sizeof answer->bytes, &header);
    if (r->switches.foreign_algorithm)
        chosen.transforms[0].id = 23; /* Camellia-CBC */
    ike_sa_payload_write(&m, &chosen, 1);
    const uint8_t *public_value = key_exchange_public(key, &public_size);
    ike_ke_write(&m, group, r->switches.bad_public ? zeros : public_value, public_size);
    ike_blob_write(&m, IKE_PAYLOAD_NONCE, ike->nonces.r, ike->nonces.r_size);
    if (!r->switches.no_nat_detection) {
        gw_nat_notify(r, &m, ike->spi_i, ike->spi_r, IKE_NOTIFY_NAT_DETECTION_SOURCE_IP, &r->local,
                      r->switches.nat_responder);
        gw_nat_notify(r, &m, ike->spi_i, ike->spi_r, IKE_NOTIFY_NAT_DETECTION_DESTINATION_IP, from,
                      r->switches.nat_initiator);
        ike->nat = r->switches.nat_responder || r->switches.nat_initiator;
    }
    if (r->switches.only_sha1)
        ike_notify_write(&m, IKE_PROTOCOL_NONE, IKE_NOTIFY_SIGNATURE_HASH_ALGORITHMS, sha1, sizeof sha1);
    else if (!r->switches.no_hashes)
        ike_notify_write(&m, IKE_PROTOCOL_NONE, IKE_NOTIFY_SIGNATURE_HASH_ALGORITHMS, hashes, sizeof hashes);
    supported_write(r, payloads, ike, &m);
    for (size_t i = 0; i < r->switches.n_certreqs; i++) {
        const TestCertreq *c = &r->switches.certreqs[i];
        ike_typed_blob_write(&m, IKE_PAYLOAD_CERTREQ, c->encoding, 0, c->data.data, c->data.size);
    }
    if (r->switches.critical_init)
        gw_unknown_payload_write(r, &m, true);
    gw_clear_finish(r, &m, answer);
    gw_send_bytes(r, &r->local, from, answer->bytes, answer->size);
    gw_ike_set_state(r, ike, RESPONDER_HALF_OPEN);
    ike->peer_next_id = 1;

    r->spi_i = ike->spi_i;
    r->spi_r = ike->spi_r;
    r->peer_hashes = ike->peer_hashes;
    r->nonces = ike->nonces;
    memcpy(r->init_request.bytes, datagram, r->init_request.size = size);
}

void gw_init_input(Responder *r, const IkeHeader *h, const IkePayloads *payloads, const uint8_t *datagram,
                   size_t size, const Endpoint *from) {
    const IkePayload *sa = ike_payloads_find(payloads, IKE_PAYLOAD_SA, 0),
                     *ke = ike_payloads_find(payloads, IKE_PAYLOAD_KE, 0),
                     *nonce = ike_payloads_find(payloads, IKE_PAYLOAD_NONCE, 0);
    uint16_t group;
    Reader value;

    ck_assert(sa && ke && nonce && h->spi_r == 0 && h->message_id == 0);
    ck_assert_uint_ge(nonce->size, 16);
    ck_assert_int_eq(ike_ke_decode(ke, &group, &value), 0);
    for (size_t i = 0; i < RESPONDER_IKES; i++) {
        ResponderIke *ike = r->ike[i];
        if (!ike || ike->spi_i != h->spi_i)
            continue;
        if (ike->state == RESPONDER_HALF_OPEN && ike->init_request.size == size &&
            memcmp(ike->init_request.bytes, datagram, size) == 0) { /* 2.1 */
            gw_send_bytes(r, &r->local, from, ike->init_response.bytes, ike->init_response.size);
            return;
        }
        if (!ike->initiator)
            return; /* late, and established already */
    }
    r->spi_i = h->spi_i;
    if (r->switches.init_error)
        init_notify(r, h, from, r->switches.init_error, NULL, 0);
    else if (!(r->switches.group_first && ask_group(r, h, group, from)) &&
             !ask_cookie(r, h, payloads, from) && !ask_group(r, h, group, from) &&
             !redirect(r, h, payloads, from))
        init_answer(r, h, payloads, from, datagram, size);
}
