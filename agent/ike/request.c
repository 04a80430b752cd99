/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages of ours on their way (RFC 7296 2.1, 2.3): sealed, in fragments where they are large (RFC 7383),
 * kept and sent again, smaller ones when nobody answers. */
#include "ike/ike-sa-internal.h"

void request_forget(Request *q) {
    fragments_free(&q->datagrams);
    sealer_free(TAKE_PTR(q->sealer));
    q->task = TASK_NONE;
    q->deadline = USEC_NEVER;
}

static void datagrams_send(IkeSa *sa, Moment now, const Fragments *d) {
    sa->said = now.mono;
    for (size_t i = 0; i < d->n; i++) {
        uint8_t *copy = malloc(d->items[i].size);
        if (!copy || sa->n_actions + ACTIONS_RESERVE > ACTIONS_MAX) {
            free(copy);
            return; /* as good as a lost datagram */
        }
        memcpy(copy, d->items[i].data, d->items[i].size);
        ike_sa_push(sa,
                    (IkeAction){.type = IKE_SEND, .send = {sa->local, sa->remote, copy, d->items[i].size}});
    }
}

static void request_send(IkeSa *sa, Request *q, Moment now) {
    uint64_t jitter = rng_below(&sa->config.rng, q->wait / 5 + 1);

    datagrams_send(sa, now, &q->datagrams);
    q->deadline = now.mono + q->wait - q->wait / 10 + jitter;
    q->wait *= 2;
    q->sent++;
}

static void request_begin(IkeSa *sa, Request *q, Moment now, Task task, uint8_t exchange, uint32_t id) {
    q->task = task;
    q->exchange = exchange;
    q->id = id;
    q->sent = 0;
    q->wait = IKE_RETRANSMIT_FIRST;
    request_send(sa, q, now);
}

int request_start(IkeSa *sa, Generation *g, Moment now, Task task, uint8_t exchange, uint32_t id,
                  const void *message, size_t size) {
    request_forget(&g->request);
    int r = blob_copy(&g->request.datagrams.items[0], message, size);
    if (r < 0)
        return r;
    g->request.datagrams.n = 1;
    request_begin(sa, &g->request, now, task, exchange, id);
    return 0;
}

Sealer *sealer_begin(const Generation *g, uint8_t exchange, bool response, uint32_t id) {
    IkeHeader h = {
        .spi_i = g->spi_i,
        .spi_r = g->spi_r,
        .exchange = exchange,
        .message_id = id,
        .flags = (uint8_t)((g->initiator ? IKE_FLAG_INITIATOR : 0) | (response ? IKE_FLAG_RESPONSE : 0))};

    return sealer_new(&h, g->initiator ? &g->keys.initiator : &g->keys.responder);
}

static size_t message_limit(const IkeSa *sa, size_t datagram) {
    return sa->fragmentation ? fragment_limit(sa->remote.address.family, datagram) : SIZE_MAX;
}

static size_t datagram_max(const IkeSa *sa) {
    return sa->config.datagram_max ?: DATAGRAM_FIRST_MAX;
}

/* RFC 7383 2.5.2: nobody answers the large ones. */
static void request_shrink(IkeSa *sa, Generation *g) {
    Request *q = &g->request;
    size_t limit = message_limit(sa, DATAGRAM_SMALL_MAX);
    Fragments smaller = {};

    if (!q->sealer || q->sent != IKE_SHRINK_AFTER || sa->remote.address.family != AF_INET ||
        q->datagrams.items[0].size <= limit ||
        sealer_finish(q->sealer, &g->seal_counter, &sa->config.rng, limit, q->datagrams.n, &smaller) < 0)
        return;
    fragments_free(&q->datagrams);
    q->datagrams = smaller;
}

int request_seal(IkeSa *sa, Generation *g, Moment now, Sealer *s, Task task) {
    size_t limit = message_limit(sa, datagram_max(sa));

    request_forget(&g->request);
    g->request.sealer = s;
    int r = sealer_finish(s, &g->seal_counter, &sa->config.rng, limit, 0, &g->request.datagrams);
    if (r == 0)
        request_begin(sa, &g->request, now, task, s->header.exchange, g->next_id++);
    return r;
}

void request_repeat(IkeSa *sa, Generation *g, Moment now) {
    request_shrink(sa, g);
    request_send(sa, &g->request, now);
}

int response_seal(IkeSa *sa, Generation *g, Moment now, const Sealer *s) {
    size_t limit = message_limit(sa, datagram_max(sa));

    fragments_free(&g->response);
    int r = sealer_finish(s, &g->seal_counter, &sa->config.rng, limit, 0, &g->response);
    if (r == 0)
        response_repeat(sa, g, now);
    return r;
}

void response_repeat(IkeSa *sa, const Generation *g, Moment now) {
    datagrams_send(sa, now, &g->response);
}
