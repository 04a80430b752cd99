/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See ike-sa.h. Messages and time come in here and go to the exchange they belong to; here is what comes
 * next, and what ends an SA. */
#include "ike/ike-sa-internal.h"

#include <stdio.h>

/* Actions -------------------------------------------------------------------------------------------------
 */

int blob_copy(Blob *ret, const void *data, size_t size) {
    uint8_t *copy = malloc(size ?: 1);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, data, size);
    free(ret->data);
    *ret = (Blob){copy, size};
    return 0;
}

void ike_sa_set_state(IkeSa *sa, State state) {
    sa->state = state;
}

void ike_sa_push(IkeSa *sa, IkeAction action) {
    assert(sa->n_actions < ACTIONS_MAX);
    sa->actions[sa->n_actions++] = action;
}

static void action_free(IkeAction *a) {
    if (a->type == IKE_SEND)
        free((void *)a->send.data);
}

static Child *child_of(IkeSa *sa, const ChildSa *child) {
    for (size_t i = 0; i < IKE_CHILDREN_MAX; i++)
        if (&sa->children[i].sa == child)
            return &sa->children[i];
    return NULL;
}

/* Whether an action about *c* still waits to be taken. */
static bool child_is_queued(const IkeSa *sa, const Child *c) {
    for (size_t i = 0; i < sa->n_actions; i++)
        if (sa->actions[i].type == IKE_CHILD_REMOVE && sa->actions[i].child.child == &c->sa)
            return true;
    return false;
}

/* What was taken last has been done: the kernel has the keys, or nothing of the pair any more. */
static void taken_done(IkeSa *sa) {
    const IkeAction *a = &sa->taken;
    bool up = a->type == IKE_CHILD_UP, install = a->type == IKE_CHILD_INSTALL;
    Child *c = up                                       ? child_of(sa, a->up.child)
               : install || a->type == IKE_CHILD_REMOVE ? child_of(sa, a->child.child)
                                                        : NULL;
    unsigned parts = up ? CHILD_IN | CHILD_OUT : install ? a->child.parts : 0;

    action_free(&sa->taken);
    if (c && (parts & CHILD_IN))
        explicit_bzero(&c->sa.keys_in, sizeof c->sa.keys_in);
    if (c && (parts & CHILD_OUT))
        explicit_bzero(&c->sa.keys_out, sizeof c->sa.keys_out);
    if (c && c->state == CHILD_GONE && a->type == IKE_CHILD_REMOVE && !child_is_queued(sa, c))
        explicit_bzero(c, sizeof *c);
    else if (c && c->switching && install)
        child_switched(sa, c);
    sa->taken = (IkeAction){.type = IKE_ENDED};
}

bool ike_sa_next(IkeSa *sa, IkeAction *ret) {
    taken_done(sa);
    if (sa->n_actions == 0)
        return false;
    *ret = sa->taken = sa->actions[0];
    sa->n_actions--;
    memmove(sa->actions, sa->actions + 1, sa->n_actions * sizeof sa->actions[0]);
    return true;
}

/* The end -------------------------------------------------------------------------------------------------
 */

void ike_sa_reason(IkeSa *sa, IkeEnd end, const char *format, va_list ap) {
    sa->end = end;
    vsnprintf(sa->ended_text, sizeof sa->ended_text, format, ap);
}

Generation *generation_add(IkeSa *sa) {
    Generation *place = NULL;

    for (size_t i = 0; i < GENERATIONS_MAX && !(place && !place->used); i++) {
        Generation *g = &sa->generations[i];
        if (!g->used || g->gone)
            place = g;
    }
    if (!place)
        return NULL;
    generation_free(sa, place);
    *place = (Generation){.used = true, .until = USEC_NEVER, .request.deadline = USEC_NEVER};
    return place;
}

void generation_free(IkeSa *sa, Generation *g) {
    request_forget(&g->request);
    fragments_free(&g->response);
    reassembly_reset(&g->requests);
    reassembly_reset(&g->responses);
    explicit_bzero(g, sizeof *g);
    if (sa->current == g)
        sa->current = NULL;
}

static void secrets_wipe(IkeSa *sa) {
    for (size_t i = 0; i < GENERATIONS_MAX; i++) {
        request_forget(&sa->generations[i].request);
        reassembly_reset(&sa->generations[i].requests);
        reassembly_reset(&sa->generations[i].responses);
        ike_keys_wipe(&sa->generations[i].keys);
    }
    for (size_t i = 0; i < IKE_CHILDREN_MAX; i++)
        child_sa_wipe_keys(&sa->children[i].sa);
    key_exchange_free(TAKE_PTR(sa->creating.key_exchange));
    explicit_bzero(&sa->creating, sizeof sa->creating);
    key_exchange_free(TAKE_PTR(sa->key_exchange));
    hosting_forget(sa);
    explicit_bzero(&sa->nonces, sizeof sa->nonces);
    crypto_forget_caches();
}

static void children_drop(IkeSa *sa) {
    for (size_t i = 0; i < IKE_CHILDREN_MAX; i++)
        child_drop(sa, &sa->children[i]);
}

/* The gateway has one IKE SA more when its own rekeying is not done with. */
static void generations_delete(IkeSa *sa) {
    Generation *peer = generation_of_peer(sa);

    sa->current->delete_wanted = true;
    if (peer)
        peer->replaced = peer->delete_wanted = true;
}

void ike_sa_closed(IkeSa *sa) {
    if (sa->state == STATE_ENDED)
        return;
    sa->grace = USEC_NEVER;
    children_drop(sa);
    secrets_wipe(sa);
    peer_chain_free(&sa->chain);
    ike_sa_set_state(sa, STATE_ENDED);
    ike_sa_push(sa, (IkeAction){.type = IKE_ENDED, .ended = {sa->end, sa->ended_text}});
}

void ike_sa_end(IkeSa *sa, IkeEnd end, const char *format, ...) {
    va_list ap;

    if (sa->state == STATE_ENDED)
        return;
    va_start(ap, format);
    ike_sa_reason(sa, end, format, ap);
    va_end(ap);
    ike_sa_closed(sa);
}

void ike_sa_refuse(IkeSa *sa, IkeEnd end, const char *format, ...) {
    va_list ap;

    if (sa->state == STATE_CLOSING || sa->state == STATE_ENDED)
        return;
    va_start(ap, format);
    ike_sa_reason(sa, end, format, ap);
    va_end(ap);
    creating_forget(sa);
    if (sa->superseded)
        children_silence(sa);
    else
        children_drop(sa);
    if (sa->state == STATE_ESTABLISHED && end != IKE_END_CLOSED)
        ike_sa_push(sa, (IkeAction){.type = IKE_CHILD_DOWN, .ended = {end, sa->ended_text}});
    ike_sa_set_state(sa, STATE_CLOSING);
    generations_delete(sa);
    for (size_t i = 0; i < GENERATIONS_MAX; i++) /* of a set-up one answer may still come, of the rest none */
        if (sa->generations[i].request.task > TASK_DELETE)
            sa->generations[i].request.task = TASK_NONE;
}

void ike_sa_reauthenticate(IkeSa *sa, Moment now, const char *text) {
    sa->reauthenticate_text = text;
    sa->reauthenticate_at = now.mono;
}

/* Tasks ------------------------------------------------------------------------------------------------- */

/* The most urgent of what *g* has to say; *ret_child* what it is about. */
static Task task_wanted(IkeSa *sa, const Generation *g, Moment now, Child **ret_child) {
    bool current = g == sa->current && sa->state == STATE_ESTABLISHED;
    Task creating = current ? creating_wanted(sa, now) : TASK_NONE;

    *ret_child = NULL;
    if (g->delete_wanted)
        return TASK_DELETE;
    if (!current)
        return TASK_NONE;
    if (sa->mobility.wanted)
        return TASK_ADDRESS;
    for (size_t i = 0; i < IKE_CHILDREN_MAX; i++)
        if (sa->children[i].delete_wanted) {
            *ret_child = &sa->children[i];
            return TASK_DELETE_CHILD;
        }
    return creating ? creating : sa->liveness_wanted ? TASK_LIVENESS : TASK_NONE;
}

static int task_start(IkeSa *sa, Generation *g, Moment now, Task task, Child *child) {
    if (task == TASK_REKEY_IKE || task == TASK_REKEY_CHILD)
        return creating_start(sa, now, task);
    return informational_start(sa, g, now, task, child);
}

void ike_sa_proceed(IkeSa *sa, Moment now) {
    for (size_t i = 0; i < GENERATIONS_MAX && sa->state >= STATE_ESTABLISHED; i++) {
        Generation *g = &sa->generations[i];
        Child *child;
        Task task;

        /* An attempt that could not even be made has taken back what it wanted, and the next one has its
         * turn.
         */
        while (g->used && !generation_busy(g) && sa->state < STATE_ENDED &&
               (task = task_wanted(sa, g, now, &child)) != TASK_NONE)
            if (task_start(sa, g, now, task, child) < 0)
                ike_sa_end(sa, IKE_END_FAILED, "an IKE request could not be made");
    }
}

/* Life ----------------------------------------------------------------------------------------------------
 */

static void proposals_take(IkeSa *sa) {
    const IkeConfig *c = &sa->config;

    if (c->ike_proposals)
        sa->ike_proposals = *c->ike_proposals;
    else
        proposals_default(&sa->ike_proposals, IKE_PROTOCOL_IKE, c->esn);
    if (c->esp_proposals)
        sa->esp_proposals = *c->esp_proposals;
    else
        proposals_default(&sa->esp_proposals, IKE_PROTOCOL_ESP, c->esn);
    proposals_complete(&sa->esp_proposals, c->esn);
    sa->n_ike_offered = proposals_offer(&sa->ike_proposals, 0, sa->ike_offered);
}

int ike_sa_new(IkeSa **ret, const IkeConfig *config, Moment now) {
    _cleanup_(ike_sa_freep) IkeSa *sa = calloc(1, sizeof *sa);

    if (!sa)
        return -ENOMEM;
    assert(!address_is_unspecified(&config->local) && config->local.family == config->remote.family);
    sa->taken.type = IKE_ENDED;
    sa->config = *config;
    sa->config.prepared = NULL;
    sa->local = (Endpoint){config->local, IKE_PORT};
    sa->remote = (Endpoint){config->remote, IKE_PORT};
    sa->grace = sa->rekey_at = sa->traffic_at = USEC_NEVER;
    sa->reauthenticate_at = sa->reauthenticate_real = USEC_NEVER;
    sa->reauthenticate_pause = IKE_REAUTHENTICATE_PAUSE;
    sa->expires = now.mono + IKE_SET_UP_MAX;
    sa->heard = sa->said = now.mono;
    sa->deaf_limit = IKE_DEAF_INTERVALS;
    sa->current = generation_add(sa);
    sa->current->initiator = true;
    sa->now = now;
    proposals_take(sa);
    int r = init_prepare(sa, config->prepared);
    if (r < 0)
        return r;
    ike_sa_set_state(sa, STATE_INIT);
    r = init_start(sa, now);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(sa);
    return 0;
}

void ike_sa_free(IkeSa *sa) {
    if (!sa)
        return;
    for (size_t i = 0; i < sa->n_actions; i++)
        action_free(&sa->actions[i]);
    action_free(&sa->taken);
    secrets_wipe(sa);
    for (size_t i = 0; i < GENERATIONS_MAX; i++)
        generation_free(sa, &sa->generations[i]);
    peer_chain_free(&sa->chain);
    for (size_t i = 0; i < OCSP_MAX; i++)
        blob_free(&sa->ocsp[i]);
    blob_free(&sa->init_request);
    blob_free(&sa->init_response);
    explicit_bzero(sa, sizeof *sa);
    free(sa);
}

void ike_sa_close(IkeSa *sa, Moment now) {
    switch (sa->state) {
    case STATE_INIT:
        ike_sa_end(sa, IKE_END_CLOSED, "closed");
        return;
    case STATE_AUTH: /* the gateway may have set it up already: deleted once it has answered */
    case STATE_REVOCATION:
    case STATE_ESTABLISHED:
        ike_sa_refuse(sa, IKE_END_CLOSED, "closed");
        ike_sa_proceed(sa, now);
        return;
    case STATE_CLOSING:
    case STATE_ENDED:
        return;
    }
}

void ike_sa_supersede(IkeSa *sa, Moment now) {
    sa->superseded = sa->state == STATE_ESTABLISHED;
    ike_sa_close(sa, now);
}

/* Messages ------------------------------------------------------------------------------------------------
 */

const char *notify_text(unsigned type, char buf[static NOTIFY_TEXT_MAX]) {
    const char *name = ike_notify_name(type);
    if (name)
        snprintf(buf, NOTIFY_TEXT_MAX, "%s", name);
    else
        snprintf(buf, NOTIFY_TEXT_MAX, "error notify %u", type);
    return buf;
}

/* Our answer to the gateway's DELETE may be lost, and is repeated for a while. */
static void generation_gone(Generation *g, Moment now) {
    request_forget(&g->request);
    g->gone = g->replaced = true;
    g->delete_wanted = false;
    g->until = now.mono + IKE_DELETE_PATIENCE;
}

/* *g* is no more, by the gateway's DELETE or by the answer to ours. The SA lives on in another one. */
static void generation_deleted(IkeSa *sa, Generation *g, Moment now) {
    if (g != sa->current) {
        generation_gone(g, now);
        return;
    }
    if (sa->state == STATE_CLOSING) {
        ike_sa_closed(sa);
        return;
    }
    /* 2.25.2: closed while we rekey it; the gateway's own rekeying may have made another. */
    Generation *other = generation_of_peer(sa);
    if (other) {
        creating_forget(sa);
        generation_use(sa, other, now);
        generation_gone(g, now);
        return;
    }
    ike_sa_end(sa, IKE_END_DELETED, "the gateway deleted the IKE SA");
}

static void peer_request(IkeSa *sa, Generation *g, Moment now, const IkeHeader *h,
                         const IkePayloads *payloads, int error, uint8_t error_type) {
    _cleanup_(sealer_freep) Sealer *s = sealer_begin(g, h->exchange, true, h->message_id);
    Verdict verdict = VERDICT_STAYS;

    if (!s)
        return;
    if (error == IKE_NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD)
        ike_notify_write(&s->m, IKE_PROTOCOL_NONE, (uint16_t)error, &error_type, 1);
    else if (error > 0)
        ike_notify_write(&s->m, IKE_PROTOCOL_NONE, (uint16_t)error, NULL, 0);
    else if (h->exchange == IKE_EXCHANGE_CREATE_CHILD_SA)
        creating_answer(sa, g, now, payloads, &s->m);
    else
        verdict = informational_answer(sa, g, now, payloads, &s->m);
    if (response_seal(sa, g, now, s) < 0)
        return;
    g->peer_next_id++;
    reassembly_reset(&g->requests);

    if (error == IKE_NOTIFY_INVALID_SYNTAX) /* 2.21.3: this is fatal */
        ike_sa_refuse(sa, IKE_END_UNACCEPTABLE, "the gateway sent a request with invalid syntax");
    else if (verdict == VERDICT_GENERATION_DELETED)
        generation_deleted(sa, g, now);
    else if (verdict == VERDICT_TUNNEL_DELETED)
        ike_sa_refuse(sa, IKE_END_DELETED, "the gateway deleted the Child SA");
}

/* An answer that ends what was being closed: to our DELETE, whatever it holds, or an IKE_AUTH by which the
 * gateway set nothing up. */
static bool closing_is_done(Task task, const IkeHeader *h, const IkePayloads *payloads, int error) {
    if (h->exchange == IKE_EXCHANGE_AUTH)
        return !error && ike_notify_error(payloads) && !ike_payloads_find(payloads, IKE_PAYLOAD_AUTH, 0);
    return task == TASK_DELETE;
}

static void peer_response(IkeSa *sa, Generation *g, Moment now, const IkeHeader *h,
                          const IkePayloads *payloads, int error) {
    Request q = g->request;

    g->request.datagrams = (Fragments){};
    request_forget(&g->request);
    reassembly_reset(&g->responses);
    if (sa->state == STATE_CLOSING || q.task == TASK_DELETE) {
        if (g != sa->current)
            generation_free(sa, g);
        else if (closing_is_done(q.task, h, payloads, error))
            ike_sa_closed(sa);
    } else if (error) /* protected, so it is the gateway's own doing (2.21.2) */
        ike_sa_refuse(sa, IKE_END_UNACCEPTABLE, "the gateway's answer breaks the protocol (%s)",
                      error > 0 ? NOTIFY_TEXT((unsigned)error) : "malformed");
    else if (h->exchange == IKE_EXCHANGE_AUTH)
        auth_response(sa, now, payloads);
    else if (h->exchange == IKE_EXCHANGE_CREATE_CHILD_SA)
        creating_response(sa, g, now, payloads);
    else
        informational_response(sa, now, &q, payloads);
    fragments_free(&q.datagrams);
}

/* Notifies and deletes are walked through more than once: here they are held against the format. */
static int bodies_check(const IkePayloads *payloads) {
    IkeNotify n;
    IkeDelete d;

    for (size_t i = 0; i < payloads->n; i++) {
        const IkePayload *p = &payloads->items[i];
        int r = p->type == IKE_PAYLOAD_NOTIFY   ? ike_notify_decode(p, &n)
                : p->type == IKE_PAYLOAD_DELETE ? ike_delete_decode(p, &d)
                                                : 0;
        if (r != 0)
            return r;
    }
    return 0;
}

static const SealKeys *peer_keys(const Generation *g) {
    return g->initiator ? &g->keys.responder : &g->keys.initiator;
}

/* A message that was proved to be the gateway's. */
static void plain_input(IkeSa *sa, Generation *g, Moment now, const IkeHeader *h, const uint8_t *plain,
                        size_t plain_size, uint8_t inner_type) {
    bool response = h->flags & IKE_FLAG_RESPONSE;
    IkePayloads payloads = {};
    uint8_t type = 0;

    int error = ike_payloads_split(reader_new(plain, plain_size), inner_type, &payloads, &type);
    if (error == 0)
        error = ike_payloads_check(&payloads, h->exchange, response, true, &type);
    if (error == 0)
        error = bodies_check(&payloads);
    if (error == -EBADMSG)
        error = IKE_NOTIFY_INVALID_SYNTAX;
    if (error)
        sa->counters.malformed++;
    if (response)
        peer_response(sa, g, now, h, &payloads, error);
    else
        peer_request(sa, g, now, h, &payloads, error, type);
    ike_sa_proceed(sa, now);
}

/* 2.23: whoever is not behind a NAT follows the peer that is; the other way round anybody on the path could
 * lead us away. */
static bool follows_peer(const IkeSa *sa) {
    return sa->nat_remote && !sa->nat_local && sa->state == STATE_ESTABLISHED;
}

/* An authenticated message or packet came *from* there. */
static void endpoint_follow(IkeSa *sa, const Endpoint *from) {
    if (follows_peer(sa) && !endpoint_equal(from, &sa->remote))
        addresses_move(sa, &sa->local, from);
}

void ike_sa_mapping(IkeSa *sa, Moment now, uint32_t spi_in, const Endpoint *from) {
    if (sa->state == STATE_ESTABLISHED && child_find(sa, spi_in))
        endpoint_follow(sa, from);
}

/* Opens the one payload of a protected message and goes on with what is in it. */
static void sealed_input(IkeSa *sa, Generation *g, Moment now, const IkeHeader *h, uint8_t *datagram,
                         size_t size, const IkePayloads *outer, const Endpoint *from) {
    uint8_t *plain;
    size_t plain_size;

    if (crypto_open(peer_keys(g), datagram, size, (size_t)(outer->items[0].data - datagram), &plain,
                    &plain_size) < 0) {
        sa->counters.forged++;
        return;
    }
    sa->heard = now.mono;
    endpoint_follow(sa, from);
    plain_input(sa, g, now, h, plain, plain_size, outer->inner_type);
}

static void fragment_input(IkeSa *sa, Generation *g, Moment now, const IkeHeader *h, uint8_t *datagram,
                           size_t size, const IkePayloads *outer, const Endpoint *from) {
    Reassembly *collected = h->flags & IKE_FLAG_RESPONSE ? &g->responses : &g->requests;
    _cleanup_(reassembled_free) Reassembled message = {};

    switch (sa->fragmentation ? reassembly_add(collected, peer_keys(g), h, outer, datagram, size, &message)
                              : FRAGMENT_MALFORMED) {
    case FRAGMENT_COMPLETED:
        sa->heard = now.mono;
        endpoint_follow(sa, from);
        plain_input(sa, g, now, h, message.plain.data, message.plain.size, message.first_type);
        return;
    case FRAGMENT_KEPT:
        sa->heard = now.mono;
        return;
    case FRAGMENT_FORGED:
        sa->counters.forged++;
        return;
    case FRAGMENT_REPEATED:
        sa->counters.unexpected++;
        return;
    case FRAGMENT_MALFORMED:
    case FRAGMENT_REFUSED:
        sa->counters.malformed++;
        return;
    case FRAGMENT_LOST:
        return;
    }
}

/* Whether a message with this ID and exchange is due; answers a repeated request with the same bytes (2.1).
 */
static bool message_is_due(IkeSa *sa, Generation *g, Moment now, const IkeHeader *h, bool repeats) {
    const Request *q = &g->request;

    if (h->flags & IKE_FLAG_RESPONSE)
        return generation_busy(g) && h->message_id == q->id && h->exchange == q->exchange;
    if (sa->state < STATE_REVOCATION)
        return false;
    if (repeats && g->response.n > 0 && h->message_id + 1 == g->peer_next_id)
        response_repeat(sa, g, now);
    return !g->gone && h->message_id == g->peer_next_id &&
           (h->exchange == IKE_EXCHANGE_INFORMATIONAL || h->exchange == IKE_EXCHANGE_CREATE_CHILD_SA);
}

/* Before the gateway's SPI is known any will do; an error may come without one. */
static bool is_init_response(const IkeSa *sa, const IkeHeader *h) {
    return sa->state == STATE_INIT && h->exchange == IKE_EXCHANGE_SA_INIT && (h->flags & IKE_FLAG_RESPONSE);
}

static Generation *generation_find(IkeSa *sa, const IkeHeader *h) {
    for (size_t i = 0; i < GENERATIONS_MAX; i++) {
        Generation *g = &sa->generations[i];
        if (g->used && h->spi_i == g->spi_i && (h->spi_r == g->spi_r || is_init_response(sa, h)) &&
            !(h->flags & IKE_FLAG_INITIATOR) == g->initiator)
            return g;
    }
    return NULL;
}

bool ike_sa_owns(const IkeSa *sa, const uint8_t *datagram, size_t size) {
    Reader r = reader_new(datagram, size);
    uint64_t spi_i = reader_u64(&r), spi_r = reader_u64(&r);

    for (size_t i = 0; i < GENERATIONS_MAX && !r.bad; i++) {
        const Generation *g = &sa->generations[i];
        if (g->used && spi_i == g->spi_i && (spi_r == g->spi_r || g->spi_r == 0))
            return true;
    }
    return false;
}

/* Anybody can say that the gateway does not know us: it is asked, now and then (2.4). */
static void doubt(IkeSa *sa, Moment now, const IkeHeader *h, const IkePayloads *payloads) {
    IkeNotify n;

    if (sa->state != STATE_ESTABLISHED || !(h->flags & IKE_FLAG_RESPONSE) ||
        !ike_notify_find(payloads, IKE_NOTIFY_INVALID_IKE_SPI, &n) ||
        (sa->doubted && now.mono < sa->doubted + IKE_DOUBT_INTERVAL))
        return;
    sa->doubted = now.mono;
    sa->liveness_wanted = true;
    ike_sa_proceed(sa, now);
}

void ike_sa_input(IkeSa *sa, Moment now, uint8_t *datagram, size_t size, const Endpoint *from) {
    Reader r = reader_new(datagram, size);
    IkePayloads payloads;
    uint8_t type;
    IkeHeader h;

    if (sa->state == STATE_ENDED)
        return;
    sa->now = now;
    auth_judge_dates(sa, now);
    if (ike_header_decode(&r, &h) != 0) {
        sa->counters.malformed++;
        return;
    }
    Generation *g = generation_find(sa, &h);
    if (!g || (!address_equal(&from->address, &sa->remote.address) && !follows_peer(sa))) {
        sa->counters.foreign++;
        return;
    }
    int error = ike_payloads_split(r, h.next_payload, &payloads, &type);
    uint8_t sealed = !error && payloads.n == 1 ? payloads.items[0].type : IKE_PAYLOAD_NONE;
    if (!error && sealed != IKE_PAYLOAD_SK && sealed != IKE_PAYLOAD_SKF)
        doubt(sa, now, &h, &payloads);
    if (!message_is_due(sa, g, now, &h, sealed != IKE_PAYLOAD_NONE && fragment_repeats(&payloads))) {
        sa->counters.unexpected++;
        return;
    }
    if (is_init_response(sa, &h)) {
        if (error == 0)
            error = ike_payloads_check(&payloads, h.exchange, true, false, &type);
        if (error)
            sa->counters.malformed++; /* may be anybody's: wait for a better one */
        else
            init_response(sa, now, &h, &payloads, datagram, size);
        return;
    }
    /* Nothing else may stand in the clear of what follows IKE_SA_INIT. */
    if (h.exchange != IKE_EXCHANGE_SA_INIT && sealed == IKE_PAYLOAD_SK)
        sealed_input(sa, g, now, &h, datagram, size, &payloads, from);
    else if (h.exchange != IKE_EXCHANGE_SA_INIT && sealed == IKE_PAYLOAD_SKF)
        fragment_input(sa, g, now, &h, datagram, size, &payloads, from);
    else
        sa->counters.malformed++;
}

/* Time ----------------------------------------------------------------------------------------------------
 */

static const char *request_text(const Request *q) {
    switch (q->exchange) {
    case IKE_EXCHANGE_SA_INIT:
        return "IKE_SA_INIT";
    case IKE_EXCHANGE_AUTH:
        return "IKE_AUTH";
    case IKE_EXCHANGE_CREATE_CHILD_SA:
        return "CREATE_CHILD_SA";
    default:
        return "the liveness check";
    }
}

static void request_expired(IkeSa *sa, Generation *g, Moment now) {
    Request *q = &g->request;

    if (q->sent < IKE_RETRANSMIT_TRIES) {
        sa->counters.retransmitted++;
        request_repeat(sa, g, now);
    } else if (g != sa->current)
        generation_free(sa, g);
    else if (mobility_try_other(sa, now))
        return;
    else if (sa->state == STATE_CLOSING)
        ike_sa_closed(sa);
    else
        ike_sa_end(sa, IKE_END_SILENT, "the gateway %s does not answer %s", ADDRESS_STR(&sa->remote.address),
                   request_text(q));
}

static bool liveness_is_due(const IkeSa *sa) {
    return sa->state == STATE_ESTABLISHED && !generation_busy(sa->current) && !sa->liveness_wanted;
}

static void established_tick(IkeSa *sa, Moment now) {
    if (now.mono >= sa->expires) {
        ike_sa_refuse(sa, IKE_END_FAILED, "the IKE SA could not be rekeyed in its lifetime");
        return;
    }
    bool asked = sa->traffic_asked && now.mono < sa->traffic_asked + USEC_PER_SEC;
    bool silent = liveness_is_due(sa) && now.mono >= sa->heard + IKE_LIVENESS_INTERVAL;
    if (silent && asked) /* and ESP was not heard either */
        sa->liveness_wanted = true;
    else if (silent || now.mono >= sa->traffic_at)
        traffic_ask(sa, now); /* what is silent comes back here at once */
    if (now.mono >= sa->reauthenticate_at || now.real >= sa->reauthenticate_real) {
        sa->reauthenticate_at =
            now.mono + sa->reauthenticate_pause + rng_below(&sa->config.rng, sa->reauthenticate_pause);
        sa->reauthenticate_pause = MIN(2 * sa->reauthenticate_pause, IKE_REAUTHENTICATE_PAUSE_MAX);
        sa->reauthenticate_real = USEC_NEVER;
        ike_sa_push(sa, (IkeAction){.type = IKE_REAUTHENTICATE,
                                    .reauthenticate = {strempty(sa->reauthenticate_text), false}});
    }
    child_tick(sa, now);
}

void ike_sa_tick(IkeSa *sa, Moment now) {
    if (sa->state == STATE_ENDED)
        return;
    sa->now = now;
    auth_judge_dates(sa, now);
    if (now.mono >= sa->grace) {
        ike_sa_closed(sa);
        return;
    }
    for (size_t i = 0; i < GENERATIONS_MAX && sa->state != STATE_ENDED; i++) {
        Generation *g = &sa->generations[i];
        if (g->used && now.mono >= g->request.deadline)
            request_expired(sa, g, now);
        if (g->used && now.mono >= g->until) {
            g->until = USEC_NEVER;
            g->delete_wanted = !g->gone;
            if (g->gone)
                generation_free(sa, g);
        }
    }
    if (sa->state == STATE_ESTABLISHED)
        established_tick(sa, now);
    else if (sa->state < STATE_ESTABLISHED && now.mono >= sa->expires)
        ike_sa_end(sa, IKE_END_SILENT, "the set-up with %s does not come to an end",
                   ADDRESS_STR(&sa->remote.address));
    ike_sa_proceed(sa, now);
}

usec_t ike_sa_deadline(const IkeSa *sa) {
    usec_t deadline = sa->grace;

    if (sa->state == STATE_ENDED)
        return USEC_NEVER;
    for (size_t i = 0; i < GENERATIONS_MAX; i++)
        if (sa->generations[i].used) {
            deadline = MIN(deadline, sa->generations[i].request.deadline);
            deadline = MIN(deadline, sa->generations[i].until);
        }
    if (sa->state <= STATE_ESTABLISHED)
        deadline = MIN(deadline, sa->expires);
    if (sa->state != STATE_ESTABLISHED)
        return deadline;
    deadline = MIN(deadline, sa->traffic_at);
    deadline = MIN(deadline, sa->reauthenticate_at);
    if (liveness_is_due(sa))
        deadline = MIN(deadline, sa->heard + IKE_LIVENESS_INTERVAL);
    usec_t child = child_deadline(sa);
    return MIN(deadline, child);
}

usec_t ike_sa_real_deadline(const IkeSa *sa) {
    if (sa->state != STATE_ESTABLISHED)
        return USEC_NEVER;
    return sa->undated ? sa->config.clock_floor : sa->reauthenticate_real;
}

/* Questions -----------------------------------------------------------------------------------------------
 */

bool ike_sa_is_established(const IkeSa *sa) {
    return sa->state == STATE_ESTABLISHED;
}

const ChildSa *ike_sa_child(const IkeSa *sa, size_t i, unsigned *ret_parts) {
    for (size_t k = 0; k < IKE_CHILDREN_MAX; k++) {
        const Child *c = &sa->children[k];
        if (c->state == CHILD_FREE || i-- > 0)
            continue;
        *ret_parts = c->parts;
        return &c->sa;
    }
    return NULL;
}

const ChildSa *ike_sa_child_in_use(const IkeSa *sa) {
    const Child *c = child_in_use(sa);
    return c ? &c->sa : NULL;
}

const IkeRedirect *ike_sa_redirect(const IkeSa *sa) {
    return &sa->redirect;
}

const Suite *ike_sa_suite(const IkeSa *sa) {
    return sa->current && sa->current->spi_r ? &sa->current->suite : NULL;
}

const IkeCounters *ike_sa_counters(const IkeSa *sa) {
    return &sa->counters;
}

uint64_t ike_sa_spi_i(const IkeSa *sa) {
    return sa->current ? sa->current->spi_i : 0;
}

uint64_t ike_sa_spi_r(const IkeSa *sa) {
    return sa->current ? sa->current->spi_r : 0;
}

uint16_t ike_sa_group(const IkeSa *sa) {
    return sa->group;
}
