/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests of the responder's own: a queue for each IKE SA and a window of one (RFC 7296 2.3). */
#include "responder-internal.h"

void gw_request_free(ResponderRequest *q) {
    key_exchange_free(q->key);
    *q = (ResponderRequest){};
}

bool gw_request_is_child(const ResponderRequest *q) {
    return q->type == REQUEST_NEW_CHILD || q->type == REQUEST_REKEY_CHILD || q->type == REQUEST_DELETE_CHILD;
}

static void enqueue(ResponderIke *ike, const ResponderRequest *q) {
    ck_assert_uint_lt(ike->n_queue, RESPONDER_REQUESTS);
    ike->queue[ike->n_queue++] = *q;
}

void gw_want(Responder *r, ResponderIke *ike, RequestType type, uint32_t child, usec_t not_before) {
    enqueue(ike, &(ResponderRequest){.type = type, .child = child, .not_before = not_before});
}

void gw_want_group(Responder *r, ResponderIke *ike, RequestType type, uint32_t child, uint16_t group) {
    if (transform_find(IKE_TRANSFORM_DH, group, 0))
        enqueue(ike, &(ResponderRequest){.type = type, .child = child, .group = group});
}

void responder_want(Responder *r, RequestType type, uint32_t child) {
    ResponderIke *ike = responder_current(r);
    ck_assert_ptr_nonnull(ike);
    gw_want(r, ike, type, child, 0);
    gw_proceed(r);
}

void responder_want_redirect(Responder *r, const char *target) {
    ResponderIke *ike = responder_current(r);
    ck_assert_ptr_nonnull(ike);
    enqueue(ike, &(ResponderRequest){.type = REQUEST_REDIRECT, .target = target});
    gw_proceed(r);
}

/* Whether there is a point in it still. */
static bool is_due(Responder *r, const ResponderIke *ike, const ResponderRequest *q) {
    const ResponderChild *child;

    switch (q->type) {
    case REQUEST_REKEY_CHILD:
    case REQUEST_DELETE_CHILD:
    case REQUEST_NEW_CHILD:
        child = responder_child(r, q->child);
        return child && child->ike == ike && child->state == CHILD_ACTIVE &&
               (q->type != REQUEST_REKEY_CHILD || (!child->peers_new && !child->rekeying));
    case REQUEST_REKEY_IKE:
        return ike->state == RESPONDER_ESTABLISHED && !ike->peers_new;
    case REQUEST_RAW:
    case REQUEST_LIVENESS:
    case REQUEST_DELETE_IKE:
    case REQUEST_ROUTABILITY:
    case REQUEST_REDIRECT:
    case REQUEST_ADDRESSES:
        break;
    }
    return true;
}

static void request_build(Responder *r, ResponderIke *ike, Build *b) {
    ResponderRequest *q = &ike->request;
    bool create =
        q->type == REQUEST_NEW_CHILD || q->type == REQUEST_REKEY_CHILD || q->type == REQUEST_REKEY_IKE;

    if (q->type != REQUEST_RAW)
        q->exchange = create ? IKE_EXCHANGE_CREATE_CHILD_SA : IKE_EXCHANGE_INFORMATIONAL;
    gw_build_start(b, ike, q->exchange, false, ike->next_id);
    if (q->type == REQUEST_RAW) {
        if (q->payload)
            q->payload(r, &b->m);
    } else if (q->type == REQUEST_REKEY_IKE)
        gw_rekey_ike_request(r, ike, q, &b->m);
    else if (create)
        gw_create_child_request(r, ike, q, &b->m);
    else
        gw_informational_request(r, ike, q, &b->m);
    gw_build_finish(r, b, &ike->sent);
}

static void request_start(Responder *r, ResponderIke *ike, const ResponderRequest *q) {
    Build *b = malloc(sizeof *b);

    ike->request = *q;
    ike->busy = true;
    ike->tries = 1;
    ike->resend_at = q->type == REQUEST_RAW ? USEC_NEVER : r->now + RESPONDER_RESEND;
    request_build(r, ike, b);
    free(b);
    r->answered = false;
}

static void ike_proceed(Responder *r, ResponderIke *ike) {
    for (size_t i = 0; i < ike->n_queue && !ike->busy;) {
        ResponderRequest q = ike->queue[i];
        if (q.not_before > r->now) {
            i++;
            continue;
        }
        memmove(&ike->queue[i], &ike->queue[i + 1], (--ike->n_queue - i) * sizeof q);
        if (!is_due(r, ike, &q))
            continue;
        request_start(r, ike, &q);
        gw_send_packets(r, &ike->sent, &ike->local, &ike->peer);
    }
}

void gw_proceed(Responder *r) {
    for (size_t i = 0; i < RESPONDER_IKES; i++)
        if (r->ike[i] &&
            (r->ike[i]->state == RESPONDER_ESTABLISHED || r->ike[i]->state == RESPONDER_REPLACED))
            ike_proceed(r, r->ike[i]);
}

static void response_note(Responder *r, const IkePayloads *payloads) {
    const IkePayload *p = ike_payloads_find(payloads, IKE_PAYLOAD_NOTIFY, 0);
    IkeNotify n;

    r->answered = true;
    r->response_empty = payloads->n == 0;
    r->response_notify = 0;
    if (p && ike_notify_decode(p, &n) == 0) {
        r->response_notify = n.type;
        r->response_notify_data = n.size ? n.data[0] : 0;
        r->response_notify_group = (uint16_t)(n.size == 2 ? n.data[0] << 8 | n.data[1] : 0);
    }
}

void gw_response_input(Responder *r, ResponderIke *ike, const IkeHeader *h, const IkePayloads *payloads) {
    ResponderRequest q = ike->request;

    if (h->message_id != ike->next_id || h->exchange != q.exchange)
        return;
    ike->next_id++;
    ike->busy = false;
    ike->request = (ResponderRequest){};
    gw_packets_free(&ike->sent);
    response_note(r, payloads);
    switch (q.type) {
    case REQUEST_RAW:
        r->deletes_child += ike_payloads_find(payloads, IKE_PAYLOAD_DELETE, 0) != NULL;
        break;
    case REQUEST_NEW_CHILD:
    case REQUEST_REKEY_CHILD:
        gw_create_child_response(r, ike, &q, payloads);
        break;
    case REQUEST_REKEY_IKE:
        gw_rekey_ike_response(r, ike, &q, payloads);
        break;
    case REQUEST_LIVENESS:
    case REQUEST_DELETE_CHILD:
    case REQUEST_DELETE_IKE:
    case REQUEST_ROUTABILITY:
    case REQUEST_REDIRECT:
    case REQUEST_ADDRESSES:
        gw_informational_response(r, ike, &q, payloads);
        break;
    }
    gw_request_free(&q);
}

/* By hand ------------------------------------------------------------------------------------------------ */

void responder_request(Responder *r, uint8_t exchange, ResponderPayload payload, Message *ret) {
    ResponderIke *ike = responder_current(r);

    ck_assert(ike && !ike->busy);
    request_start(r, ike, &(ResponderRequest){.type = REQUEST_RAW, .exchange = exchange, .payload = payload});
    ck_assert_uint_eq(ike->sent.n, 1);
    memcpy(ret->bytes, ike->sent.items[0].data, ret->size = ike->sent.items[0].size);
}

void responder_forget_request(Responder *r, uint32_t next_id) {
    ResponderIke *ike = responder_current(r);
    gw_packets_free(&ike->sent);
    gw_request_free(&ike->request);
    ike->busy = false;
    ike->next_id = next_id;
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
    uint8_t notify[8] = {IKE_PROTOCOL_ESP, 4, NOTIFY_REKEY_SA >> 8, NOTIFY_REKEY_SA & 0xff}, nonce[32];
    IkeProposal offer = {
        .number = 1,
        .protocol = IKE_PROTOCOL_ESP,
        .spi_size = 4,
        .spi = 0x7777,
        .n_transforms = 2,
        .transforms = {{IKE_TRANSFORM_ENCR, IKE_ENCR_AES_GCM_16, 256}, {IKE_TRANSFORM_ESN, IKE_ESN_NO}}};

    Writer w = writer_new(notify + 4, 4);
    writer_u32(&w, r->child.spi_in);
    ike_blob_write(m, IKE_PAYLOAD_NOTIFY, notify, sizeof notify);
    ike_sa_payload_write(m, &offer, 1);
    r->rng.fill(r->rng.userdata, nonce, sizeof nonce);
    ike_blob_write(m, IKE_PAYLOAD_NONCE, nonce, sizeof nonce);
    gw_ts_write(r, m, true);
}

void payload_critical(Responder *r, IkeWriter *m) {
    gw_unknown_payload_write(r, m, true);
}

void payload_misplaced(Responder *r, IkeWriter *m) {
    ike_blob_write(m, IKE_PAYLOAD_NONCE, "0123456789abcdef", 16);
}

void payload_unknown_notify(Responder *r, IkeWriter *m) {
    ike_notify_write(m, IKE_PROTOCOL_NONE, 16383, NULL, 0);
    ike_notify_write(m, IKE_PROTOCOL_NONE, (uint16_t)(r->switches.unknown_notify ?: NOTIFY_UNKNOWN_STATUS),
                     NULL, 0);
}
