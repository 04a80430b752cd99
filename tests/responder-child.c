/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CREATE_CHILD_SA of Child SAs, in both roles, and the rules for when both sides do it at once (RFC 7296 1.3,
 * 2.8, 2.25.1). */
#include "responder-internal.h"

ResponderChild *responder_child(Responder *r, uint32_t spi_in) {
    for (size_t i = 0; i < RESPONDER_CHILDREN; i++)
        if (r->children[i].state != CHILD_NONE && r->children[i].sa.spi_in == (spi_in ?: r->in_use))
            return &r->children[i];
    return NULL;
}

ResponderChild *gw_child_by_spi_out(Responder *r, uint32_t spi_out) {
    for (size_t i = 0; i < RESPONDER_CHILDREN; i++)
        if (r->children[i].state != CHILD_NONE && r->children[i].sa.spi_out == spi_out)
            return &r->children[i];
    return NULL;
}

uint32_t gw_child_spi(Responder *r) {
    uint32_t spi;
    r->rng.fill(r->rng.userdata, &spi, sizeof spi);
    return spi | 0x1000;
}

ResponderChild *gw_child_add(Responder *r, ResponderIke *ike) {
    ResponderChild *child = NULL;

    for (size_t i = 0; i < RESPONDER_CHILDREN; i++) {
        ResponderChild *c = &r->children[i];
        if (c->state == CHILD_NONE || (c->state == CHILD_GONE && !child))
            child = c;
        if (c->state == CHILD_NONE)
            break;
    }
    ck_assert_ptr_nonnull(child);
    *child = (ResponderChild){.state = CHILD_ACTIVE, .since = r->now, .ike = ike};
    child->sa.spi_in = gw_child_spi(r);
    child->sa.local = ike->local;
    child->sa.remote = ike->peer;
    return child;
}

void gw_child_use(Responder *r, ResponderChild *child) {
    r->in_use = child->sa.spi_in;
    r->child = child->sa;
}

/* The one to send with when *child* is not there any more. */
static ResponderChild *successor(Responder *r, const ResponderChild *child) {
    ResponderChild *best = child->peers_new ? responder_child(r, child->peers_new) : NULL;

    if (best && best->state == CHILD_ACTIVE)
        return best;
    best = NULL;
    for (size_t i = 0; i < RESPONDER_CHILDREN; i++) {
        ResponderChild *c = &r->children[i];
        if (c->state == CHILD_ACTIVE && c != child && (!best || c->since >= best->since))
            best = c;
    }
    return best;
}

void gw_child_gone(Responder *r, ResponderChild *child) {
    child->state = CHILD_GONE;
    child->since = r->now;
    if (r->in_use != child->sa.spi_in)
        return;
    ResponderChild *next = successor(r, child);
    r->in_use = 0;
    if (next)
        gw_child_use(r, next);
}

static void notify_spi_write(IkeWriter *m, unsigned type, uint32_t spi) {
    uint8_t data[8] = {IKE_PROTOCOL_ESP, 4, (uint8_t)(type >> 8), (uint8_t)type};
    Writer w = writer_new(data + 4, 4);
    writer_u32(&w, spi);
    ike_blob_write(m, IKE_PAYLOAD_NOTIFY, data, sizeof data);
}

static void refuse(Responder *r, IkeWriter *m, unsigned type) {
    ike_notify_write(m, IKE_PROTOCOL_NONE, (uint16_t)type, NULL, 0);
    r->refused++;
}

bool gw_demanded(Responder *r, unsigned error, IkeWriter *m) {
    if (!error || (r->switches.error_times && r->errors_given >= r->switches.error_times))
        return false;
    r->errors_given++;
    refuse(r, m, error);
    return true;
}

/* With a KE payload: the responder's value and the secret. */
static void exchange_keys(Responder *r, const Suite *esp, const Reader *peer, IkeWriter *m,
                          uint8_t secret[static SHARED_SECRET_MAX], size_t *ret_size) {
    _cleanup_(key_exchange_freep) KeyExchange *key = NULL;
    const Transform *group = esp->by_type[IKE_TRANSFORM_DH];
    size_t size;

    ck_assert_int_eq(key_exchange_new(&key, group, &r->rng), 0);
    ck_assert_int_eq(key_exchange_agree(key, peer->data, peer->left, secret, ret_size), 0);
    const uint8_t *value = key_exchange_public(key, &size);
    ike_ke_write(m, group->id, value, size);
}

static void nonces_take(Responder *r, Nonces *nonces, const IkePayload *nonce) {
    ck_assert(nonce && nonce->size >= 16 && nonce->size <= sizeof nonces->i);
    memcpy(nonces->i, nonce->data, nonces->i_size = nonce->size);
    nonces->r_size = 32;
    r->rng.fill(r->rng.userdata, nonces->r, nonces->r_size);
}

/* A group of another's choice: 1.3.1, 1.2. True: answered. */
static bool ask_group(Responder *r, const IkeProposal *offered, size_t n_offered, uint16_t group,
                      IkeWriter *m) {
    const uint8_t data[] = {(uint8_t)(r->switches.pfs_group >> 8), (uint8_t)r->switches.pfs_group};
    IkeProposal chosen;

    if (!r->switches.pfs_group || !group || group == r->switches.pfs_group)
        return false;
    r->refused++;
    if (gw_choose(r, offered, n_offered, r->switches.esp_proposal, r->switches.pfs_group, &chosen))
        ike_notify_write(m, IKE_PROTOCOL_NONE, IKE_NOTIFY_INVALID_KE_PAYLOAD, data, sizeof data);
    else
        ike_notify_write(m, IKE_PROTOCOL_NONE, IKE_NOTIFY_NO_PROPOSAL_CHOSEN, NULL, 0);
    return true;
}

static void child_answer(Responder *r, ResponderIke *ike, const IkePayloads *payloads,
                         const IkeProposal *offered, size_t n_offered, ResponderChild *old, IkeWriter *m) {
    const IkePayload *ke = ike_payloads_find(payloads, IKE_PAYLOAD_KE, 0);
    uint8_t secret[SHARED_SECRET_MAX];
    size_t secret_size = 0;
    IkeProposal chosen;
    uint16_t group = 0;
    Reader value;

    ck_assert(ike_payloads_find(payloads, IKE_PAYLOAD_TSI, 0) &&
              ike_payloads_find(payloads, IKE_PAYLOAD_TSR, 0));
    ck_assert(!ke || ike_ke_decode(ke, &group, &value) == 0);
    if (ask_group(r, offered, n_offered, group, m))
        return;
    if (r->switches.no_pfs)
        group = 0;
    if (!gw_choose(r, offered, n_offered, r->switches.esp_proposal, group, &chosen)) {
        refuse(r, m, IKE_NOTIFY_NO_PROPOSAL_CHOSEN);
        return;
    }
    ResponderChild *child = gw_child_add(r, ike);
    child->sa.spi_out = (uint32_t)chosen.spi ?: (uint32_t)offered[0].spi;
    for (size_t i = 0; i < n_offered; i++)
        ck_assert_uint_eq(offered[i].spi, child->sa.spi_out);
    ck_assert_uint_ge(child->sa.spi_out, 256);
    chosen.spi = child->sa.spi_in;
    child->esp = gw_chosen_suite(&chosen);
    child->sa.algorithms = suite_esp_algorithms(&child->esp);
    nonces_take(r, &child->nonces, ike_payloads_find(payloads, IKE_PAYLOAD_NONCE, 0));
    ike_sa_payload_write(m, &chosen, 1);
    ike_blob_write(m, IKE_PAYLOAD_NONCE, child->nonces.r, child->nonces.r_size);
    if (group)
        exchange_keys(r, &child->esp, &value, m, secret, &secret_size);
    ck_assert_int_eq(child_keys_derive(&ike->suite, &ike->keys, &child->esp, group ? secret : NULL,
                                       secret_size, &child->nonces, &child->sa.keys_in, &child->sa.keys_out),
                     0);
    gw_ts_write(r, m, false);
    if (!old) {
        r->new_children++;
        return;
    }
    r->rekeys_child++;
    child->replaces = old->sa.spi_in;
    old->peers_new = child->sa.spi_in;
    if (r->switches.eager)
        gw_child_use(r, child);
    if (r->switches.delete_after_answer)
        gw_want(r, ike, REQUEST_DELETE_CHILD, old->sa.spi_in, 0);
}

void gw_create_child_input(Responder *r, ResponderIke *ike, const IkePayloads *payloads, IkeWriter *m) {
    const IkePayload *sa = ike_payloads_find(payloads, IKE_PAYLOAD_SA, 0);
    IkeProposal offered[IKE_PROPOSALS_MAX];
    ResponderChild *old = NULL;
    size_t n_offered;
    IkeNotify n;

    ck_assert_ptr_nonnull(sa);
    ck_assert_int_eq(ike_sa_payload_decode(sa, offered, &n_offered), 0);
    if (offered[0].protocol == IKE_PROTOCOL_IKE) {
        gw_rekey_ike_input(r, ike, payloads, offered, n_offered, m);
        return;
    }
    bool rekey = gw_find_notify(payloads, NOTIFY_REKEY_SA, &n);
    if (ike->state != RESPONDER_ESTABLISHED ||
        (ike->busy && (ike->request.type == REQUEST_REKEY_IKE || ike->request.type == REQUEST_DELETE_IKE))) {
        refuse(r, m, NOTIFY_TEMPORARY_FAILURE); /* 2.25.2 */
        return;
    }
    if (rekey) {
        ck_assert_uint_eq(n.protocol, IKE_PROTOCOL_ESP);
        old = gw_child_by_spi_out(r, n.spi);
        if (!old || old->state == CHILD_GONE || old->ike != ike) {
            notify_spi_write(m, NOTIFY_CHILD_SA_NOT_FOUND, n.spi);
            r->refused++;
            return;
        }
        if (old->state == CHILD_DELETING) {
            refuse(r, m, NOTIFY_TEMPORARY_FAILURE);
            return;
        }
    }
    if (!gw_demanded(r, rekey ? r->switches.rekey_child_error : r->switches.new_child_error, m))
        child_answer(r, ike, payloads, offered, n_offered, old, m);
}

/* Its own ------------------------------------------------------------------------------------------------ */

static IkeProposal proposal_of(const Suite *suite, uint16_t group, uint32_t spi) {
    IkeProposal p = {.number = 1, .protocol = IKE_PROTOCOL_ESP, .spi_size = 4, .spi = spi};

    for (uint8_t type = 0; type < IKE_TRANSFORM_TYPES_; type++) {
        const Transform *t = suite->by_type[type];
        if (t && type != IKE_TRANSFORM_DH)
            p.transforms[p.n_transforms++] =
                (IkeTransform){.type = type, .id = t->id, .key_bits = t->key_bits};
    }
    if (group)
        p.transforms[p.n_transforms++] = (IkeTransform){.type = IKE_TRANSFORM_DH, .id = group};
    return p;
}

void gw_create_child_request(Responder *r, ResponderIke *ike, ResponderRequest *q, IkeWriter *m) {
    ResponderChild *old = responder_child(r, q->child);

    ck_assert_ptr_nonnull(old);
    if (r->switches.own_pfs && !q->group)
        q->group = ike->suite.by_type[IKE_TRANSFORM_DH]->id;
    q->spi = gw_child_spi(r);
    q->child = old->sa.spi_in;
    q->nonces.i_size = 32;
    r->rng.fill(r->rng.userdata, q->nonces.i, q->nonces.i_size);
    IkeProposal offer = proposal_of(&old->esp, q->group, q->spi);
    if (q->type == REQUEST_REKEY_CHILD) {
        old->rekeying = true;
        notify_spi_write(m, NOTIFY_REKEY_SA, old->sa.spi_in);
    }
    ike_sa_payload_write(m, &offer, 1);
    ike_blob_write(m, IKE_PAYLOAD_NONCE, q->nonces.i, q->nonces.i_size);
    if (q->group) {
        size_t size;
        ck_assert_int_eq(key_exchange_new(&q->key, transform_find(IKE_TRANSFORM_DH, q->group, 0), &r->rng),
                         0);
        const uint8_t *value = key_exchange_public(q->key, &size);
        ike_ke_write(m, q->group, value, size);
    }
    gw_ts_write(r, m, true);
}

static ResponderChild *child_made(Responder *r, ResponderIke *ike, ResponderRequest *q,
                                  const IkePayloads *payloads) {
    const IkePayload *nonce = ike_payloads_find(payloads, IKE_PAYLOAD_NONCE, 0),
                     *ke = ike_payloads_find(payloads, IKE_PAYLOAD_KE, 0);
    IkeProposal chosen[IKE_PROPOSALS_MAX];
    uint8_t secret[SHARED_SECRET_MAX];
    size_t n, secret_size = 0;
    uint16_t group;
    Reader value;

    ck_assert_int_eq(ike_sa_payload_decode(ike_payloads_find(payloads, IKE_PAYLOAD_SA, 0), chosen, &n), 0);
    ck_assert(n == 1 && chosen[0].number == 1 && chosen[0].protocol == IKE_PROTOCOL_ESP &&
              chosen[0].spi >= 256);
    ck_assert(nonce && nonce->size >= 16 && !!ke == !!q->key);
    ck_assert(ike_payloads_find(payloads, IKE_PAYLOAD_TSI, 0) &&
              ike_payloads_find(payloads, IKE_PAYLOAD_TSR, 0));
    ResponderChild *child = gw_child_add(r, ike);
    child->sa.spi_in = q->spi;
    child->sa.spi_out = (uint32_t)chosen[0].spi;
    child->esp = gw_chosen_suite(&chosen[0]);
    child->sa.algorithms = suite_esp_algorithms(&child->esp);
    child->nonces = q->nonces;
    memcpy(child->nonces.r, nonce->data, child->nonces.r_size = nonce->size);
    if (q->key) {
        ck_assert_int_eq(ike_ke_decode(ke, &group, &value), 0);
        ck_assert_uint_eq(group, q->group);
        ck_assert_int_eq(key_exchange_agree(q->key, value.data, value.left, secret, &secret_size), 0);
    }
    /* The responder is this exchange's initiator. */
    ck_assert_int_eq(child_keys_derive(&ike->suite, &ike->keys, &child->esp, q->key ? secret : NULL,
                                       secret_size, &child->nonces, &child->sa.keys_out, &child->sa.keys_in),
                     0);
    return child;
}

static void rekey_failed(Responder *r, ResponderIke *ike, ResponderRequest *q, ResponderChild *old) {
    bool alive = old && old->state == CHILD_ACTIVE && !old->peers_new;

    switch (r->response_notify) {
    case NOTIFY_TEMPORARY_FAILURE:
        if (alive)
            gw_want(r, ike, q->type, q->child, r->now + RESPONDER_TRY_AGAIN);
        break;
    case NOTIFY_CHILD_SA_NOT_FOUND:
        if (alive)
            gw_child_gone(r, old);
        break;
    case IKE_NOTIFY_INVALID_KE_PAYLOAD:
        if (alive)
            gw_want_group(r, ike, q->type, q->child, r->response_notify_group);
        break;
    }
}

void gw_create_child_response(Responder *r, ResponderIke *ike, ResponderRequest *q,
                              const IkePayloads *payloads) {
    ResponderChild *old = responder_child(r, q->child), *theirs;

    if (old)
        old->rekeying = false;
    if (!ike_payloads_find(payloads, IKE_PAYLOAD_SA, 0)) {
        rekey_failed(r, ike, q, old);
        return;
    }
    ResponderChild *ours = child_made(r, ike, q, payloads);
    if (q->type == REQUEST_NEW_CHILD) {
        r->own_new_children++;
        return;
    }
    r->own_rekeys_child++;
    ours->replaces = q->child;
    theirs = old && old->peers_new ? responder_child(r, old->peers_new) : NULL;
    r->collisions_child += theirs != NULL;
    if (theirs && gw_lowest_is_in(&ours->nonces, &theirs->nonces) != r->switches.wrong_loser) {
        /* 2.8.1: the one who made the redundant one deletes it; the initiator deletes the old one. */
        if (!r->switches.keep_old)
            gw_want(r, ike, REQUEST_DELETE_CHILD, ours->sa.spi_in, 0);
        if (old->state == CHILD_GONE && theirs->state == CHILD_ACTIVE)
            gw_child_use(r, theirs);
        return;
    }
    gw_child_use(r, ours);
    if (old && old->state == CHILD_ACTIVE && !r->switches.keep_old)
        gw_want(r, ike, REQUEST_DELETE_CHILD, old->sa.spi_in, 0);
}
