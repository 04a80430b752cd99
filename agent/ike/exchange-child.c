/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CREATE_CHILD_SA (RFC 7296 1.3, 2.8, 2.18, 2.25), from both sides: Child SAs and the IKE SA are rekeyed, and
 * the gateway may add a pair. */
#include "ike/ike-sa-internal.h"
#include "ike/selectors.h"

#define NONCE_SIZE 32

/* After TEMPORARY_FAILURE, for what lives *until*: sooner when there is little time left. */
static usec_t retry_time(IkeSa *sa, Moment now, usec_t until) {
    usec_t left = until > now.mono ? until - now.mono : 0, pause = MIN(IKE_RETRY_PAUSE, left / 8);
    pause = MAX(pause, IKE_RETRANSMIT_FIRST / 2);
    return now.mono + pause + rng_below(&sa->config.rng, pause + 1);
}

/* Our request ----------------------------------------------------------------------------------------- */

void creating_forget(IkeSa *sa) {
    Child *c = child_find(sa, sa->creating.spi_in);

    if (c && c->state == CHILD_RESERVED)
        child_drop(sa, c);
    key_exchange_free(TAKE_PTR(sa->creating.key_exchange));
    explicit_bzero(&sa->creating, sizeof sa->creating);
}

static Child *child_due(const IkeSa *sa, Moment now) {
    for (size_t i = 0; i < IKE_CHILDREN_MAX; i++) {
        Child *c = (Child *)&sa->children[i];
        if (child_may_rekey(sa, c) && now.mono >= c->rekey_at)
            return c;
    }
    return NULL;
}

Task creating_wanted(const IkeSa *sa, Moment now) {
    if (sa->creating.task)
        return TASK_NONE;
    return now.mono >= sa->rekey_at ? TASK_REKEY_IKE : child_due(sa, now) ? TASK_REKEY_CHILD : TASK_NONE;
}

static int creating_send(IkeSa *sa, Moment now) {
    Creating *x = &sa->creating;
    const Child *old = child_find(sa, x->old);
    _cleanup_(sealer_freep) Sealer *s =
        sealer_begin(sa->current, IKE_EXCHANGE_CREATE_CHILD_SA, false, sa->current->next_id);
    size_t size;

    if (!s)
        return -ENOMEM;
    if (old && !old->lost)
        ike_notify_spi_write(&s->m, IKE_PROTOCOL_ESP, old->sa.spi_in, IKE_NOTIFY_REKEY_SA);
    ike_sa_payload_write(&s->m, x->offered, x->n_offered);
    ike_blob_write(&s->m, IKE_PAYLOAD_NONCE, x->nonces.i, x->nonces.i_size);
    if (x->key_exchange) {
        const uint8_t *value = key_exchange_public(x->key_exchange, &size);
        ike_ke_write(&s->m, key_exchange_group(x->key_exchange), value, size);
    }
    if (old) {
        ike_ts_write(&s->m, IKE_PAYLOAD_TSI, old->sa.local_ts, old->sa.n_local_ts);
        ike_ts_write(&s->m, IKE_PAYLOAD_TSR, old->sa.remote_ts, old->sa.n_remote_ts);
    }
    return request_seal(sa, sa->current, now, TAKE_PTR(s), x->task);
}

int creating_start(IkeSa *sa, Moment now, Task task) {
    uint16_t group = sa->current->suite.by_type[IKE_TRANSFORM_DH]->id;
    Creating *x = &sa->creating;
    Child *old = NULL, *reserved;

    *x = (Creating){.task = task, .nonces.i_size = NONCE_SIZE};
    sa->config.rng.fill(sa->config.rng.userdata, x->nonces.i, NONCE_SIZE);
    if (task == TASK_REKEY_IKE) {
        x->spi = rng_spi(&sa->config.rng);
        x->n_offered = proposals_offer(&sa->ike_proposals, x->spi, x->offered);
    } else {
        old = child_due(sa, now);
        reserved = child_reserve(sa);
        if (!reserved) {
            creating_forget(sa);
            old->rekey_at = now.mono + RETRY_LATER;
            return 0;
        }
        x->old = old->sa.spi_in;
        x->spi_in = reserved->sa.spi_in;
        x->n_offered = proposals_child(&sa->esp_proposals, sa->config.pfs, group, x->spi_in, x->offered);
        group = proposals_child_group(&sa->esp_proposals, sa->config.pfs, group);
    }
    int r = group ? key_exchange_renew(&x->key_exchange, group, &sa->config.rng) : 0;
    return r < 0 ? r : creating_send(sa, now);
}

/* The answer to our request --------------------------------------------------------------------------- */

Generation *generation_of_peer(IkeSa *sa) {
    for (size_t i = 0; i < GENERATIONS_MAX; i++) {
        Generation *g = &sa->generations[i];
        if (g->used && g != sa->current && !g->initiator && !g->replaced && !g->delete_wanted)
            return g;
    }
    return NULL;
}

void generation_use(IkeSa *sa, Generation *g, Moment now) {
    usec_t lifetime = sa->config.ike_lifetime ?: IKE_LIFETIME_DEFAULT;

    sa->current->replaced = true;
    sa->current->until = now.mono + IKE_DELETE_PATIENCE;
    sa->current = g;
    g->until = USEC_NEVER;
    sa->expires = now.mono + lifetime;
    sa->rekey_at = now.mono + rekey_time(sa, lifetime);
    sa->counters.rekeyed++;
}

/* 2.25: rekeying is refused for now, or for good; then a new IKE SA is made beside this one. */
static void rekey_child_refused(IkeSa *sa, Moment now, Child *old, unsigned error) {
    if (!old || old->state != CHILD_IN_USE) {
        if (!child_in_use(sa))
            ike_sa_refuse(sa, IKE_END_DELETED, "the gateway deleted the Child SA");
        return;
    }
    if (error == IKE_NOTIFY_TEMPORARY_FAILURE)
        old->rekey_at = retry_time(sa, now, old->until);
    else if (error == IKE_NOTIFY_CHILD_SA_NOT_FOUND && !old->lost) {
        old->lost = true; /* it is asked for a new one */
        old->rekey_at = now.mono;
    } else {
        old->rekey_at = now.mono + RETRY_LATER;
        ike_sa_reauthenticate(sa, now, "the gateway does not rekey the Child SA");
    }
}

static void creating_failed(IkeSa *sa, Moment now, unsigned error) {
    Task task = sa->creating.task;
    uint32_t spi = sa->creating.old;
    Generation *peer = generation_of_peer(sa);

    creating_forget(sa);
    if (task == TASK_REKEY_CHILD) {
        if (!child_replacement(sa, spi)) /* else the gateway's own is as good */
            rekey_child_refused(sa, now, child_find(sa, spi), error);
    } else if (peer)
        generation_use(sa, peer, now);
    else if (error == IKE_NOTIFY_TEMPORARY_FAILURE)
        sa->rekey_at = retry_time(sa, now, sa->expires);
    else {
        sa->rekey_at = now.mono + RETRY_LATER;
        ike_sa_reauthenticate(sa, now, "the gateway does not rekey the IKE SA");
    }
}

static bool group_is_offered(const Creating *x, uint16_t group) {
    for (size_t i = 0; i < x->n_offered; i++)
        for (size_t k = 0; k < x->offered[i].n_transforms; k++)
            if (x->offered[i].transforms[k].type == IKE_TRANSFORM_DH &&
                x->offered[i].transforms[k].id == group)
                return group != IKE_DH_NONE;
    return false;
}

/* 1.3: another group, if we offered it. */
static bool creating_group(IkeSa *sa, Moment now, const IkePayloads *payloads) {
    Creating *x = &sa->creating;
    IkeNotify n;

    const Child *old = child_find(sa, x->old);

    if (!x->key_exchange || x->groups == IKE_GROUPS_MAX ||
        (x->task == TASK_REKEY_CHILD && (!old || old->state != CHILD_IN_USE)) ||
        !ike_notify_find(payloads, IKE_NOTIFY_INVALID_KE_PAYLOAD, &n))
        return false;
    Reader r = reader_new(n.data, n.size);
    uint16_t group = reader_u16(&r);
    if (!reader_done(&r) || group == key_exchange_group(x->key_exchange) || !group_is_offered(x, group))
        return false;
    x->groups++;
    return key_exchange_renew(&x->key_exchange, group, &sa->config.rng) == 0 && creating_send(sa, now) == 0;
}

/* The payloads that all CREATE_CHILD_SA messages have, and the secret when there is a KE. */
typedef struct Created {
    IkeProposal proposals[IKE_PROPOSALS_MAX];
    size_t n_proposals;
    const IkePayload *ke;
    uint8_t secret[SHARED_SECRET_MAX];
    size_t secret_size; /* 0: without PFS */
} Created;

static void created_wipe(Created *c) {
    explicit_bzero(c->secret, sizeof c->secret);
}

/* Takes the other side's SA and nonce. 0, or IKE_NOTIFY_INVALID_SYNTAX. */
static int created_read(Created *c, const IkePayloads *payloads, uint8_t nonce[static IKE_NONCE_MAX],
                        size_t *ret_nonce_size) {
    const IkePayload *sa_payload = ike_payloads_find(payloads, IKE_PAYLOAD_SA, 0),
                     *n = ike_payloads_find(payloads, IKE_PAYLOAD_NONCE, 0);

    c->ke = ike_payloads_find(payloads, IKE_PAYLOAD_KE, 0);
    if (!sa_payload || !n || n->size < IKE_NONCE_MIN || n->size > IKE_NONCE_MAX ||
        ike_sa_payload_decode(sa_payload, c->proposals, &c->n_proposals) != 0)
        return IKE_NOTIFY_INVALID_SYNTAX;
    memcpy(nonce, n->data, n->size);
    *ret_nonce_size = n->size;
    return 0;
}

/* g^ir with the KE of the other side. 0, IKE_NOTIFY_INVALID_KE_PAYLOAD (another group),
 * IKE_NOTIFY_INVALID_SYNTAX, or negative errno. */
static int created_agree(Created *c, KeyExchange *key) {
    uint16_t group;
    Reader value;

    if (!c->ke || ike_ke_decode(c->ke, &group, &value) != 0)
        return IKE_NOTIFY_INVALID_SYNTAX;
    if (group != key_exchange_group(key))
        return IKE_NOTIFY_INVALID_KE_PAYLOAD;
    return key_exchange_agree(key, value.data, value.left, c->secret, &c->secret_size);
}

/* Selectors of a pair: ours are the inner addresses and nothing else. */
static bool created_selectors(const IkeSa *sa, ChildSa *child, const IkePayload *ours,
                              const IkePayload *theirs) {
    return ours && theirs && ike_ts_decode(ours, child->local_ts, &child->n_local_ts) == 0 &&
           ike_ts_decode(theirs, child->remote_ts, &child->n_remote_ts) == 0 && child->n_remote_ts > 0 &&
           selectors_narrow(child, &sa->configuration.addresses);
}

/* Completes the pair we asked for. NULL, or what is wrong with the answer. */
static const char *child_complete(IkeSa *sa, const Generation *g, Child *c, const IkePayloads *payloads) {
    _cleanup_(created_wipe) Created answer = {};
    Creating *x = &sa->creating;
    Suite esp;

    if (created_read(&answer, payloads, x->nonces.r, &x->nonces.r_size) != 0 ||
        proposal_accept(x->offered, x->n_offered, answer.proposals, answer.n_proposals, &esp) != 0 ||
        answer.proposals[0].spi < 256)
        return "algorithms that were not offered, or an invalid SPI";
    c->sa.spi_out = (uint32_t)answer.proposals[0].spi;
    if (esp.by_type[IKE_TRANSFORM_DH] &&
        (esp.by_type[IKE_TRANSFORM_DH]->id != key_exchange_group(x->key_exchange) ||
         created_agree(&answer, x->key_exchange) != 0))
        return "an unacceptable Diffie-Hellman value";
    if (!created_selectors(sa, &c->sa, ike_payloads_find(payloads, IKE_PAYLOAD_TSI, 0),
                           ike_payloads_find(payloads, IKE_PAYLOAD_TSR, 0)))
        return "traffic selectors that cannot be used";
    if (child_keys_derive(&g->suite, &g->keys, &esp, answer.secret_size ? answer.secret : NULL,
                          answer.secret_size, &x->nonces, &c->sa.keys_out, &c->sa.keys_in) < 0)
        return "nothing that keys could be derived from";
    child_fill(sa, c, &esp);
    nonces_lowest(&x->nonces, c->lowest, &c->lowest_size);
    return NULL;
}

static void rekey_child_done(IkeSa *sa, Generation *g, Moment now, const IkePayloads *payloads) {
    Creating *x = &sa->creating;
    Child *c = child_find(sa, x->spi_in), *peer = child_replacement(sa, x->old);
    const char *problem = child_complete(sa, g, c, payloads);

    c->ours = true;
    if (problem) { /* the gateway has something that we do not use */
        child_replace(c, now);
        c->delete_wanted = true;
        creating_failed(sa, now, IKE_NOTIFY_NO_PROPOSAL_CHOSEN);
        return;
    }
    bool lost = peer && nonce_compare(c->lowest, c->lowest_size, peer->lowest, peer->lowest_size) < 0;
    if (lost) { /* 2.8.1: whoever made it deletes it; the gateway may send on it until then */
        child_replace(c, now);
        child_install(sa, c, CHILD_IN);
        c->delete_wanted = true;
    } else {
        c->replaces = x->old;
        child_switch(sa, c, now);
        if (peer) {
            child_remove(sa, peer, CHILD_OUT);
            child_replace(peer, now);
        }
    }
    creating_forget(sa);
}

/* Completes the IKE SA we asked for. False: the answer cannot be used. */
static bool generation_complete(IkeSa *sa, const Generation *old, Generation *g,
                                const IkePayloads *payloads) {
    _cleanup_(created_wipe) Created answer = {};
    Creating *x = &sa->creating;

    g->initiator = true;
    g->spi_i = x->spi;
    if (created_read(&answer, payloads, x->nonces.r, &x->nonces.r_size) != 0 ||
        proposal_accept(x->offered, x->n_offered, answer.proposals, answer.n_proposals, &g->suite) != 0 ||
        answer.proposals[0].spi == 0 ||
        g->suite.by_type[IKE_TRANSFORM_DH]->id != key_exchange_group(x->key_exchange) ||
        created_agree(&answer, x->key_exchange) != 0)
        return false;
    g->spi_r = answer.proposals[0].spi;
    nonces_lowest(&x->nonces, g->lowest, &g->lowest_size);
    return ike_keys_rekey(&old->suite, old->keys.sk_d, &g->suite, answer.secret, answer.secret_size,
                          &x->nonces, g->spi_i, g->spi_r, &g->keys) == 0;
}

static void rekey_ike_done(IkeSa *sa, Generation *old, Moment now, const IkePayloads *payloads) {
    Generation *peer = generation_of_peer(sa), *g = generation_add(sa);

    if (!g || !generation_complete(sa, old, g, payloads)) {
        if (g)
            generation_free(sa, g);
        creating_failed(sa, now, IKE_NOTIFY_NO_PROPOSAL_CHOSEN);
        return;
    }
    creating_forget(sa);
    crypto_forget_caches();
    if (peer && nonce_compare(g->lowest, g->lowest_size, peer->lowest, peer->lowest_size) < 0) {
        generation_use(sa, peer, now); /* which deletes the old one; ours is ours to delete */
        g->replaced = g->delete_wanted = true;
        return;
    }
    generation_use(sa, g, now);
    old->delete_wanted = true;
    if (peer) {
        peer->replaced = true;
        peer->until = now.mono + IKE_DELETE_PATIENCE;
    }
}

void creating_response(IkeSa *sa, Generation *g, Moment now, const IkePayloads *payloads) {
    unsigned error = ike_notify_error(payloads);

    if (sa->creating.task == TASK_NONE) /* forgotten in the meantime */
        return;
    if (error && creating_group(sa, now, payloads))
        return;
    if (error)
        creating_failed(sa, now, error);
    else if (sa->creating.task == TASK_REKEY_IKE)
        rekey_ike_done(sa, g, now, payloads);
    else
        rekey_child_done(sa, g, now, payloads);
}

/* The gateway's request ------------------------------------------------------------------------------- */

/* Our key pair for the group that was chosen, and the secret. 0, IKE_NOTIFY_* or negative errno. */
static int answer_agree(IkeSa *sa, Created *request, const Suite *suite, KeyExchange **ret) {
    const Transform *group = suite->by_type[IKE_TRANSFORM_DH];

    if (!group)
        return 0;
    int r = key_exchange_new(ret, group, &sa->config.rng);
    return r < 0 ? r : created_agree(request, *ret);
}

static void answer_write(IkeWriter *m, const IkeProposal *chosen, const Nonces *nonces,
                         const KeyExchange *key) {
    size_t size;

    ike_sa_payload_write(m, chosen, 1);
    ike_blob_write(m, IKE_PAYLOAD_NONCE, nonces->r, nonces->r_size);
    if (key) {
        const uint8_t *value = key_exchange_public(key, &size);
        ike_ke_write(m, key_exchange_group(key), value, size);
    }
}

/* Two outbound SAs for the same traffic: the kernel has one policy for it, and nobody would know which is
 * used.
 */
static bool child_is_there(const IkeSa *sa, const Child *c) {
    for (size_t i = 0; i < IKE_CHILDREN_MAX; i++)
        if (sa->children[i].state == CHILD_IN_USE && selectors_equal(&sa->children[i].sa, &c->sa))
            return true;
    return false;
}

/* A pair by the gateway's wish; *ret* is complete but not installed. 0, IKE_NOTIFY_* or negative errno. */
static int child_answer(IkeSa *sa, const Generation *g, const IkePayloads *payloads, bool additional,
                        IkeWriter *m, uint16_t *ret_group, Child **ret) {
    _cleanup_(created_wipe) Created request = {};
    _cleanup_(key_exchange_freep) KeyExchange *key = NULL;
    Nonces nonces = {.r_size = NONCE_SIZE};
    IkeProposal chosen;
    Suite esp;

    int r = created_read(&request, payloads, nonces.i, &nonces.i_size);
    if (r == 0)
        r = proposal_select(&sa->esp_proposals, request.proposals, request.n_proposals, sa->config.pfs,
                            &chosen, &esp);
    if (r == 0 && chosen.spi < 256)
        r = IKE_NOTIFY_NO_PROPOSAL_CHOSEN;
    if (r == 0) {
        *ret_group = esp.by_type[IKE_TRANSFORM_DH] ? esp.by_type[IKE_TRANSFORM_DH]->id : 0;
        r = answer_agree(sa, &request, &esp, &key);
    }
    if (r != 0)
        return r;
    Child *c = child_reserve(sa);
    if (!c)
        return IKE_NOTIFY_TEMPORARY_FAILURE;
    c->sa.spi_out = (uint32_t)chosen.spi;
    chosen.spi = c->sa.spi_in;
    sa->config.rng.fill(sa->config.rng.userdata, nonces.r, NONCE_SIZE);
    if (!created_selectors(sa, &c->sa, ike_payloads_find(payloads, IKE_PAYLOAD_TSR, 0),
                           ike_payloads_find(payloads, IKE_PAYLOAD_TSI, 0)))
        r = IKE_NOTIFY_TS_UNACCEPTABLE;
    else if (additional && child_is_there(sa, c))
        r = IKE_NOTIFY_NO_ADDITIONAL_SAS;
    else /* the gateway is this exchange's initiator: its direction comes first */
        r = child_keys_derive(&g->suite, &g->keys, &esp, request.secret_size ? request.secret : NULL,
                              request.secret_size, &nonces, &c->sa.keys_in, &c->sa.keys_out);
    if (r != 0) {
        child_drop(sa, c);
        return r;
    }
    child_fill(sa, c, &esp);
    nonces_lowest(&nonces, c->lowest, &c->lowest_size);
    answer_write(m, &chosen, &nonces, key);
    ike_ts_write(m, IKE_PAYLOAD_TSI, c->sa.remote_ts, c->sa.n_remote_ts);
    ike_ts_write(m, IKE_PAYLOAD_TSR, c->sa.local_ts, c->sa.n_local_ts);
    *ret = c;
    return 0;
}

/* 2.25.1. 0 or IKE_NOTIFY_*. */
static int rekey_child_answer(IkeSa *sa, Generation *g, Moment now, const IkePayloads *payloads,
                              const IkeNotify *rekey, IkeWriter *m, uint16_t *ret_group) {
    Child *old = child_find_out(sa, rekey->spi), *c;

    if (!old)
        return IKE_NOTIFY_CHILD_SA_NOT_FOUND;
    if (old->state != CHILD_IN_USE || old->switching || child_replacement(sa, old->sa.spi_in))
        return IKE_NOTIFY_TEMPORARY_FAILURE; /* it is being closed, or was replaced already */
    int r = child_answer(sa, g, payloads, false, m, ret_group, &c);
    if (r != 0)
        return r;
    c->state = CHILD_WAITING;
    c->replaces = old->sa.spi_in;
    c->until = now.mono + IKE_CHILD_SWITCH;
    child_install(sa, c, CHILD_IN);
    return 0;
}

static int add_child_answer(IkeSa *sa, Generation *g, Moment now, const IkePayloads *payloads, IkeWriter *m,
                            uint16_t *ret_group) {
    size_t n = 0;
    Child *c;

    for (size_t i = 0; i < IKE_CHILDREN_MAX; i++)
        n += sa->children[i].state != CHILD_FREE;
    if (n + IKE_CHILDREN_SPARE > IKE_CHILDREN_MAX)
        return IKE_NOTIFY_NO_ADDITIONAL_SAS;
    int r = child_answer(sa, g, payloads, true, m, ret_group, &c);
    if (r != 0)
        return r;
    child_begin(sa, c, now);
    child_install(sa, c, CHILD_IN | CHILD_OUT);
    return 0;
}

/* 2.25.2. 0, IKE_NOTIFY_* or negative errno. */
static int rekey_ike_answer(IkeSa *sa, Generation *old, Moment now, const IkePayloads *payloads, IkeWriter *m,
                            uint16_t *ret_group) {
    _cleanup_(created_wipe) Created request = {};
    _cleanup_(key_exchange_freep) KeyExchange *key = NULL;
    Nonces nonces = {.r_size = NONCE_SIZE};
    IkeProposal chosen;
    Suite suite;

    if (sa->creating.task == TASK_REKEY_CHILD || old->request.task == TASK_DELETE_CHILD ||
        old->request.task == TASK_ADDRESS || generation_of_peer(sa))
        return IKE_NOTIFY_TEMPORARY_FAILURE;
    int r = created_read(&request, payloads, nonces.i, &nonces.i_size);
    if (r == 0)
        r = proposal_select(&sa->ike_proposals, request.proposals, request.n_proposals, PFS_YES, &chosen,
                            &suite);
    if (r == 0 && (chosen.spi_size != IKE_SPI_SIZE || chosen.spi == 0))
        r = IKE_NOTIFY_NO_PROPOSAL_CHOSEN;
    if (r == 0) {
        *ret_group = suite.by_type[IKE_TRANSFORM_DH]->id;
        r = answer_agree(sa, &request, &suite, &key);
    }
    if (r != 0)
        return r;
    Generation *g = generation_add(sa);
    if (!g)
        return IKE_NOTIFY_TEMPORARY_FAILURE;
    g->suite = suite;
    g->spi_i = chosen.spi;
    g->spi_r = rng_spi(&sa->config.rng);
    chosen.spi = g->spi_r;
    sa->config.rng.fill(sa->config.rng.userdata, nonces.r, NONCE_SIZE);
    r = ike_keys_rekey(&old->suite, old->keys.sk_d, &suite, request.secret, request.secret_size, &nonces,
                       g->spi_i, g->spi_r, &g->keys);
    crypto_forget_caches();
    if (r < 0) {
        generation_free(sa, g);
        return r;
    }
    nonces_lowest(&nonces, g->lowest, &g->lowest_size);
    answer_write(m, &chosen, &nonces, key);
    if (sa->creating.task == TASK_NONE)
        generation_use(sa, g, now);
    return 0;
}

void creating_answer(IkeSa *sa, Generation *g, Moment now, const IkePayloads *payloads, IkeWriter *m) {
    const IkePayload *sa_payload = ike_payloads_find(payloads, IKE_PAYLOAD_SA, 0);
    IkeProposal proposals[IKE_PROPOSALS_MAX];
    uint16_t group = 0;
    IkeNotify rekey;
    size_t n;
    int r;

    if (sa->state != STATE_ESTABLISHED || g != sa->current)
        r = IKE_NOTIFY_TEMPORARY_FAILURE;
    else if (!sa_payload || ike_sa_payload_decode(sa_payload, proposals, &n) != 0)
        r = IKE_NOTIFY_INVALID_SYNTAX;
    else if (proposals[0].protocol == IKE_PROTOCOL_IKE)
        r = rekey_ike_answer(sa, g, now, payloads, m, &group);
    else if (sa->creating.task == TASK_REKEY_IKE)
        r = IKE_NOTIFY_TEMPORARY_FAILURE;
    else if (ike_notify_find(payloads, IKE_NOTIFY_REKEY_SA, &rekey))
        r = rekey_child_answer(sa, g, now, payloads, &rekey, m, &group);
    else
        r = add_child_answer(sa, g, now, payloads, m, &group);

    if (r == IKE_NOTIFY_INVALID_KE_PAYLOAD)
        ike_notify_write(m, IKE_PROTOCOL_NONE, IKE_NOTIFY_INVALID_KE_PAYLOAD,
                         (uint8_t[]){(uint8_t)(group >> 8), (uint8_t)group}, 2);
    else if (r == IKE_NOTIFY_CHILD_SA_NOT_FOUND)
        ike_notify_spi_write(m, IKE_PROTOCOL_ESP, rekey.spi, IKE_NOTIFY_CHILD_SA_NOT_FOUND);
    else if (r != 0)
        ike_notify_write(m, IKE_PROTOCOL_NONE, (uint16_t)(r > 0 ? r : IKE_NOTIFY_TEMPORARY_FAILURE), NULL, 0);
}
