/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rekeying of the IKE SA in both roles (RFC 7296 1.3.2, 2.8.2, 2.18, 2.25.2). */
#include "responder-internal.h"

/* 2.8.1: octet by octet, and one that ends first is the lower one. */
static int order_of(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size) {
    int c = memcmp(a, b, MIN(a_size, b_size));
    return c ?: (a_size > b_size) - (a_size < b_size);
}

bool gw_lowest_is_in(const Nonces *a, const Nonces *b) {
    bool a_initiator = order_of(a->i, a->i_size, a->r, a->r_size) < 0;
    bool b_initiator = order_of(b->i, b->i_size, b->r, b->r_size) < 0;
    return order_of(a_initiator ? a->i : a->r, a_initiator ? a->i_size : a->r_size, b_initiator ? b->i : b->r,
                    b_initiator ? b->i_size : b->r_size) < 0;
}

static ResponderIke *ike_made(Responder *r, const ResponderIke *old, bool initiator, uint64_t spi_i,
                              uint64_t spi_r, const Suite *suite, const Nonces *nonces, const uint8_t *secret,
                              size_t secret_size) {
    ResponderIke *ike = gw_ike_add(r);

    ike->initiator = initiator;
    ike->spi_i = spi_i;
    ike->spi_r = spi_r;
    ike->suite = *suite;
    ike->nonces = *nonces;
    ike->local = old->local;
    ike->peer = old->peer;
    ike->fragments = old->fragments;
    ike->nat = old->nat;
    ike->mobike = old->mobike;
    ike->redirects = old->redirects;
    memcpy(ike->identity, old->identity, ike->identity_size = old->identity_size);
    ck_assert_int_eq(ike_keys_rekey(&old->suite, old->keys.sk_d, suite, secret, secret_size, nonces, spi_i,
                                    spi_r, &ike->keys),
                     0);
    ike->heard = r->now;
    gw_ike_set_state(r, ike, RESPONDER_ESTABLISHED);
    return ike;
}

static void inherit(Responder *r, ResponderIke *old, ResponderIke *new) {
    for (size_t i = 0; i < RESPONDER_CHILDREN; i++)
        if (r->children[i].state != CHILD_NONE && r->children[i].ike == old)
            r->children[i].ike = new;
    for (size_t i = 0; i < old->n_queue; i++)
        if (old->queue[i].type != REQUEST_REKEY_IKE && old->queue[i].type != REQUEST_DELETE_IKE) {
            ck_assert_uint_lt(new->n_queue, RESPONDER_REQUESTS);
            new->queue[new->n_queue++] = old->queue[i];
        }
    old->n_queue = 0;
    if (old->state == RESPONDER_ESTABLISHED)
        gw_ike_set_state(r, old, RESPONDER_REPLACED);
}

void gw_rekey_ike_input(Responder *r, ResponderIke *ike, const IkePayloads *payloads,
                        const IkeProposal *offered, size_t n_offered, IkeWriter *m) {
    const IkePayload *ke = ike_payloads_find(payloads, IKE_PAYLOAD_KE, 0),
                     *nonce = ike_payloads_find(payloads, IKE_PAYLOAD_NONCE, 0);
    const uint8_t wanted[] = {(uint8_t)(r->switches.group >> 8), (uint8_t)r->switches.group};
    _cleanup_(key_exchange_freep) KeyExchange *key = NULL;
    uint8_t secret[SHARED_SECRET_MAX];
    size_t secret_size, public_size;
    Nonces nonces = {.r_size = 32};
    IkeProposal chosen;
    uint16_t group;
    uint64_t spi_r = 0;
    Reader value;

    ck_assert(ke && nonce && nonce->size >= 16 && !ike_payloads_find(payloads, IKE_PAYLOAD_TSI, 0));
    ck_assert_int_eq(ike_ke_decode(ke, &group, &value), 0);
    for (size_t i = 0; i < n_offered; i++)
        ck_assert(offered[i].spi_size == 8 && offered[i].spi != 0 && offered[i].spi == offered[0].spi);
    bool closing =
        ike->busy && (gw_request_is_child(&ike->request) || ike->request.type == REQUEST_DELETE_IKE);
    if (ike->state != RESPONDER_ESTABLISHED || closing || ike->peers_new) {
        ike_notify_write(m, IKE_PROTOCOL_NONE, NOTIFY_TEMPORARY_FAILURE, NULL, 0);
        r->refused++;
        return;
    }
    if (gw_demanded(r, r->switches.rekey_ike_error, m))
        return;
    if (r->switches.group && group != r->switches.group) {
        ike_notify_write(m, IKE_PROTOCOL_NONE, IKE_NOTIFY_INVALID_KE_PAYLOAD, wanted, sizeof wanted);
        r->refused++;
        return;
    }
    if (!gw_choose(r, offered, n_offered, r->switches.proposal ?: 1, group, &chosen)) {
        ike_notify_write(m, IKE_PROTOCOL_NONE, IKE_NOTIFY_NO_PROPOSAL_CHOSEN, NULL, 0);
        r->refused++;
        return;
    }
    Suite suite = gw_chosen_suite(&chosen);
    memcpy(nonces.i, nonce->data, nonces.i_size = nonce->size);
    r->rng.fill(r->rng.userdata, nonces.r, nonces.r_size);
    while (spi_r == 0)
        r->rng.fill(r->rng.userdata, &spi_r, sizeof spi_r);
    ck_assert_int_eq(key_exchange_new(&key, suite.by_type[IKE_TRANSFORM_DH], &r->rng), 0);
    ck_assert_int_eq(key_exchange_agree(key, value.data, value.left, secret, &secret_size), 0);
    chosen.spi = spi_r;
    ike_sa_payload_write(m, &chosen, 1);
    ike_blob_write(m, IKE_PAYLOAD_NONCE, nonces.r, nonces.r_size);
    const uint8_t *public_value = key_exchange_public(key, &public_size);
    ike_ke_write(m, group, public_value, public_size);

    ResponderIke *new = ike_made(r, ike, false, offered[0].spi, spi_r, &suite, &nonces, secret, secret_size);
    r->rekeys_ike++;
    ike->peers_new = new;
    if (!(ike->busy && ike->request.type == REQUEST_REKEY_IKE))
        inherit(r, ike, new);
}

/* Its own ------------------------------------------------------------------------------------------------ */

void gw_rekey_ike_request(Responder *r, ResponderIke *ike, ResponderRequest *q, IkeWriter *m) {
    IkeProposal offer = {.number = 1, .protocol = IKE_PROTOCOL_IKE, .spi_size = 8};
    size_t size;

    q->group = q->group ?: ike->suite.by_type[IKE_TRANSFORM_DH]->id;
    while (q->ike_spi == 0)
        r->rng.fill(r->rng.userdata, &q->ike_spi, sizeof q->ike_spi);
    q->nonces.i_size = 32;
    r->rng.fill(r->rng.userdata, q->nonces.i, q->nonces.i_size);
    offer.spi = q->ike_spi;
    for (uint8_t type = 0; type < IKE_TRANSFORM_TYPES_; type++) {
        const Transform *t = ike->suite.by_type[type];
        if (t)
            offer.transforms[offer.n_transforms++] = (IkeTransform){
                .type = type, .id = type == IKE_TRANSFORM_DH ? q->group : t->id, .key_bits = t->key_bits};
    }
    ike_sa_payload_write(m, &offer, 1);
    ike_blob_write(m, IKE_PAYLOAD_NONCE, q->nonces.i, q->nonces.i_size);
    ck_assert_int_eq(key_exchange_new(&q->key, transform_find(IKE_TRANSFORM_DH, q->group, 0), &r->rng), 0);
    const uint8_t *value = key_exchange_public(q->key, &size);
    ike_ke_write(m, q->group, value, size);
}

static void rekey_failed(Responder *r, ResponderIke *ike, ResponderRequest *q) {
    if (ike->peers_new) /* the initiator did not notice the collision: its one it is */
        inherit(r, ike, ike->peers_new);
    else if (r->response_notify == NOTIFY_TEMPORARY_FAILURE)
        gw_want(r, ike, q->type, 0, r->now + RESPONDER_TRY_AGAIN);
    else if (r->response_notify == IKE_NOTIFY_INVALID_KE_PAYLOAD)
        gw_want_group(r, ike, q->type, 0, r->response_notify_group);
}

void gw_rekey_ike_response(Responder *r, ResponderIke *ike, ResponderRequest *q,
                           const IkePayloads *payloads) {
    const IkePayload *sa = ike_payloads_find(payloads, IKE_PAYLOAD_SA, 0),
                     *ke = ike_payloads_find(payloads, IKE_PAYLOAD_KE, 0),
                     *nonce = ike_payloads_find(payloads, IKE_PAYLOAD_NONCE, 0);
    IkeProposal chosen[IKE_PROPOSALS_MAX];
    uint8_t secret[SHARED_SECRET_MAX];
    size_t n, secret_size;
    uint16_t group;
    Reader value;

    if (!sa) {
        rekey_failed(r, ike, q);
        return;
    }
    ck_assert(ke && nonce && nonce->size >= 16);
    ck_assert_int_eq(ike_sa_payload_decode(sa, chosen, &n), 0);
    ck_assert(n == 1 && chosen[0].protocol == IKE_PROTOCOL_IKE && chosen[0].spi_size == 8 &&
              chosen[0].spi != 0);
    Suite suite = gw_chosen_suite(&chosen[0]);
    memcpy(q->nonces.r, nonce->data, q->nonces.r_size = nonce->size);
    ck_assert_int_eq(ike_ke_decode(ke, &group, &value), 0);
    ck_assert_uint_eq(group, q->group);
    ck_assert_int_eq(key_exchange_agree(q->key, value.data, value.left, secret, &secret_size), 0);
    ResponderIke *ours =
        ike_made(r, ike, true, q->ike_spi, chosen[0].spi, &suite, &q->nonces, secret, secret_size);
    r->own_rekeys_ike++;

    ResponderIke *theirs = ike->peers_new;
    r->collisions_ike += theirs != NULL;
    bool lost = theirs && gw_lowest_is_in(&ours->nonces, &theirs->nonces) != r->switches.wrong_loser;
    inherit(r, ike, lost ? theirs : ours);
    if (r->switches.keep_old)
        return;
    gw_want(r, lost ? ours : ike, REQUEST_DELETE_IKE, 0, 0);
    if (theirs && !lost && theirs->state == RESPONDER_ESTABLISHED) /* if the initiator does not know of it */
        gw_want(r, theirs, REQUEST_DELETE_IKE, 0, r->now + RESPONDER_PATIENCE);
}
