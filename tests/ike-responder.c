/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See ike-responder.h. Here: datagrams to IKE SAs, time, and what all parts use. */
#include "ike-responder.h"

#include <stdio.h>

#include "files.h"
#include "responder-internal.h"

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

/* What goes out ------------------------------------------------------------------------------------------ */

uint64_t bytes_hash(const void *data, size_t size) {
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++)
        h = (h ^ ((const uint8_t *)data)[i]) * UINT64_C(0x100000001b3);
    return h;
}

void gw_send_bytes(Responder *r, const Endpoint *local, const Endpoint *remote, const void *data,
                   size_t size) {
    ck_assert_uint_lt(r->n_out, RESPONDER_OUTBOX);
    ResponderDatagram *d = &r->out[r->n_out++];
    *d = (ResponderDatagram){*local, *remote, size, malloc(size)};
    memcpy(d->data, data, size);
}

void gw_send_packets(Responder *r, const Packets *packets, const Endpoint *local, const Endpoint *remote) {
    for (size_t i = 0; i < packets->n; i++)
        gw_send_bytes(r, local, remote, packets->items[i].data, packets->items[i].size);
}

bool responder_next(Responder *r, ResponderDatagram *ret) {
    free(TAKE_PTR(r->handed_out.data));
    if (r->n_out == 0)
        return false;
    *ret = r->handed_out = r->out[0];
    memmove(r->out, r->out + 1, --r->n_out * sizeof r->out[0]);
    return true;
}

void gw_clear_finish(Responder *r, IkeWriter *m, Message *ret) {
    if (r->switches.unknown_payloads) {
        gw_unknown_payload_write(r, m, false);
        ike_notify_write(m, IKE_PROTOCOL_NONE,
                         (uint16_t)(r->switches.unknown_notify ?: NOTIFY_UNKNOWN_STATUS), "x", 1);
        ret->bytes[17] |= 0x01; /* minor version */
        ret->bytes[19] |= 0x97; /* version and reserved flags */
    }
    ck_assert_int_eq(ike_writer_finish(m), 0);
    ret->size = m->w.len;
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

bool gw_find_notify(const IkePayloads *payloads, unsigned type, IkeNotify *ret) {
    const IkePayload *p;
    for (size_t i = 0; (p = ike_payloads_find(payloads, IKE_PAYLOAD_NOTIFY, i)); i++)
        if (ike_notify_decode(p, ret) == 0 && ret->type == type)
            return true;
    return false;
}

/* IKE SAs ------------------------------------------------------------------------------------------------ */

static bool ike_is_alive(const ResponderIke *ike) {
    return ike && (ike->state == RESPONDER_ESTABLISHED || ike->state == RESPONDER_REPLACED);
}

void gw_ike_set_state(Responder *r, ResponderIke *ike, ResponderState state) {
    ike->state = state;
    ike->since = r->now;
    r->state = responder_current(r) ? RESPONDER_ESTABLISHED : state;
}

static void ike_free(Responder *r, size_t i) {
    ResponderIke *ike = r->ike[i];

    if (!ike)
        return;
    gw_packets_free(&ike->last_response);
    gw_packets_free(&ike->sent);
    gw_request_free(&ike->request);
    for (size_t k = 0; k < ARRAY_SIZE(ike->fragment); k++)
        free(ike->fragment[k].data);
    for (size_t k = 0; k < RESPONDER_IKES; k++)
        if (r->ike[k] && r->ike[k]->peers_new == ike)
            r->ike[k]->peers_new = NULL;
    for (size_t k = 0; k < RESPONDER_CHILDREN; k++)
        if (r->children[k].ike == ike)
            r->children[k] = (ResponderChild){};
    free(ike);
    r->ike[i] = NULL;
}

ResponderIke *gw_ike_add(Responder *r) {
    size_t slot = 0, best = 0;

    for (size_t i = 0; i < RESPONDER_IKES; i++) {
        static const size_t worth[] = {[RESPONDER_NEW] = 4,
                                       [RESPONDER_HALF_OPEN] = 3,
                                       [RESPONDER_ESTABLISHED] = 1,
                                       [RESPONDER_REPLACED] = 2,
                                       [RESPONDER_DELETED] = 4};
        size_t w = !r->ike[i] ? 5 : worth[r->ike[i]->state];
        if (w > best || (w == best && r->ike[i] && r->ike[i]->since < r->ike[slot]->since)) {
            best = w;
            slot = i;
        }
    }
    ike_free(r, slot);
    r->ike[slot] = calloc(1, sizeof *r->ike[slot]);
    r->ike[slot]->since = r->now;
    return r->ike[slot];
}

void gw_ike_drop(Responder *r, ResponderIke *ike) {
    for (size_t i = 0; i < RESPONDER_CHILDREN; i++)
        if (r->children[i].state != CHILD_NONE && r->children[i].ike == ike) {
            gw_child_gone(r, &r->children[i]);
            r->children[i].state = CHILD_NONE;
        }
    gw_packets_free(&ike->sent);
    gw_request_free(&ike->request);
    ike->busy = false;
    ike->n_queue = 0;
    gw_ike_set_state(r, ike, RESPONDER_DELETED);
}

ResponderIke *responder_current(Responder *r) {
    ResponderIke *best = NULL;
    for (size_t i = 0; i < RESPONDER_IKES; i++)
        if (r->ike[i] && r->ike[i]->state == RESPONDER_ESTABLISHED &&
            (!best || r->ike[i]->since >= best->since))
            best = r->ike[i];
    return best;
}

unsigned responder_count_ikes(const Responder *r) {
    unsigned n = 0;
    for (size_t i = 0; i < RESPONDER_IKES; i++)
        n += ike_is_alive(r->ike[i]);
    return n;
}

unsigned responder_count_children(const Responder *r) {
    unsigned n = 0;
    for (size_t i = 0; i < RESPONDER_CHILDREN; i++)
        n += r->children[i].state == CHILD_ACTIVE || r->children[i].state == CHILD_DELETING;
    return n;
}

/* What comes in ------------------------------------------------------------------------------------------ */

static void request_input(Responder *r, ResponderIke *ike, const IkeHeader *h, const IkePayloads *payloads,
                          const uint8_t *plain, size_t plain_size, const Endpoint *from) {
    Endpoint local = r->local;
    Build *b = malloc(sizeof *b);

    ike->peer_next_id++;
    if (!ike->mobike)
        ike->peer = *from; /* 2.23 */
    gw_build_start(b, ike, h->exchange, true, h->message_id);
    switch (h->exchange) {
    case IKE_EXCHANGE_AUTH:
        gw_auth_input(r, ike, payloads, plain, plain_size, payloads->inner_type, &b->m);
        break;
    case IKE_EXCHANGE_CREATE_CHILD_SA:
        gw_create_child_input(r, ike, payloads, &b->m);
        break;
    default:
        gw_informational_input(r, ike, payloads, from, &b->m);
    }
    gw_build_finish(r, b, &ike->last_response);
    gw_send_packets(r, &ike->last_response, &local, from);
    free(b);
}

static void sealed_input(Responder *r, ResponderIke *ike, const IkeHeader *h, const uint8_t *original,
                         uint8_t *datagram, size_t size, const Endpoint *from) {
    bool request = !(h->flags & IKE_FLAG_RESPONSE), fragment = h->next_payload == TYPE_SKF;
    uint64_t hash = bytes_hash(original, size);
    IkePayloads payloads;
    uint8_t *plain;
    size_t plain_size;

    if (request && h->message_id + 1 == ike->peer_next_id) {
        /* 2.1; RFC 7383 2.6.1: the first fragment stands for all of them. */
        if (fragment ? size > 33 && original[32] == 0 && original[33] == 1 : hash == ike->last_hash)
            gw_send_packets(r, &ike->last_response, &r->local, from);
        return;
    }
    if (ike->state == RESPONDER_DELETED || ike->state == RESPONDER_NEW ||
        (request && h->message_id != ike->peer_next_id) || (!request && !ike->busy))
        return;
    if ((ike->state == RESPONDER_HALF_OPEN) != (h->exchange == IKE_EXCHANGE_AUTH))
        return;
    if (!gw_seal_open(r, ike, h, datagram, size, &payloads, &plain, &plain_size))
        return;
    if (request) {
        ike->last_hash = hash;
        request_input(r, ike, h, &payloads, plain, plain_size, from);
    } else
        gw_response_input(r, ike, h, &payloads);
}

static ResponderIke *ike_find(Responder *r, const IkeHeader *h) {
    for (size_t i = 0; i < RESPONDER_IKES; i++)
        if (r->ike[i] && r->ike[i]->spi_i == h->spi_i && r->ike[i]->spi_r == h->spi_r)
            return r->ike[i];
    return NULL;
}

static void input(Responder *r, const uint8_t *datagram, size_t size, const Endpoint *from) {
    uint8_t copy[RESPONDER_MESSAGE_MAX], type;
    IkePayloads payloads;
    Message answer;
    IkeHeader h;

    ck_assert_uint_le(size, sizeof copy);
    memcpy(copy, datagram, size);
    Reader reader = reader_new(copy, size);
    /* Whatever an initiator sends must be well-formed. */
    ck_assert_int_eq(ike_header_decode(&reader, &h), 0);
    r->peer = *from;
    r->requests += !(h.flags & IKE_FLAG_RESPONSE);
    if (h.exchange == IKE_EXCHANGE_SA_INIT) {
        ck_assert(h.flags & IKE_FLAG_INITIATOR);
        ck_assert_int_eq(ike_payloads_split(reader, h.next_payload, &payloads, &type), 0);
        gw_init_input(r, &h, &payloads, datagram, size, from);
        return;
    }
    ResponderIke *ike = ike_find(r, &h);
    if (ike) {
        /* 3.1: of the one who started this IKE SA. */
        ck_assert(!!(h.flags & IKE_FLAG_INITIATOR) == !ike->initiator);
        sealed_input(r, ike, &h, datagram, copy, size, from);
    } else if (r->switches.invalid_spi && !(h.flags & IKE_FLAG_RESPONSE)) { /* 2.21.4 */
        forge_notify(h.spi_i, h.spi_r, h.exchange,
                     (uint8_t)(IKE_FLAG_RESPONSE | (h.flags & IKE_FLAG_INITIATOR ? 0 : IKE_FLAG_INITIATOR)),
                     h.message_id, IKE_NOTIFY_INVALID_IKE_SPI, &answer);
        gw_send_bytes(r, &r->local, from, answer.bytes, answer.size);
    }
}

void responder_input(Responder *r, const uint8_t *datagram, size_t size, const Endpoint *from, Message *ret) {
    ResponderDatagram first;

    input(r, datagram, size, from);
    gw_proceed(r);
    if (!ret)
        return;
    ret->size = 0;
    if (responder_next(r, &first))
        memcpy(ret->bytes, first.data, ret->size = first.size);
}

void responder_init(Responder *r, const Switches *switches, const Rng *rng, const Endpoint *local) {
    responder_free(r);
    *r = (Responder){.switches = *switches, .rng = *rng, .local = *local};
}

void responder_crash(Responder *r) {
    for (size_t i = 0; i < RESPONDER_IKES; i++)
        ike_free(r, i);
    memset(r->children, 0, sizeof r->children);
    r->in_use = 0;
    for (size_t i = 0; i < r->n_out; i++)
        free(r->out[i].data);
    r->n_out = 0;
    r->state = RESPONDER_NEW;
}

void responder_free(Responder *r) {
    responder_crash(r);
    free(TAKE_PTR(r->handed_out.data));
}

/* Time --------------------------------------------------------------------------------------------------- */

static usec_t after(usec_t since, usec_t time) {
    return time == 0 || time == USEC_NEVER ? USEC_NEVER : since + time;
}

static usec_t resend_wait(const ResponderIke *ike) {
    return RESPONDER_RESEND << (ike->tries - 1);
}

/* When something happens to it by itself. */
static usec_t ike_deadline(const Responder *r, const ResponderIke *ike) {
    usec_t deadline = USEC_NEVER;

    if (!ike)
        return USEC_NEVER;
    if (!ike_is_alive(ike))
        return ike->since + 2 * RESPONDER_HALF_OPEN_FOR;
    if (ike->busy)
        return ike->resend_at;
    for (size_t i = 0; i < ike->n_queue; i++)
        if (ike->queue[i].not_before < deadline)
            deadline = MAX(ike->queue[i].not_before, r->now + 1);
    if (ike->n_queue > 0)
        return deadline;
    if (ike->state == RESPONDER_REPLACED)
        return ike->since + RESPONDER_REPLACED_FOR;
    if (ike->state != RESPONDER_ESTABLISHED)
        return deadline;
    deadline = MIN(deadline, after(ike->heard, r->switches.liveness));
    return ike->aged ? deadline : MIN(deadline, after(ike->since, r->switches.ike_lifetime));
}

static usec_t child_deadline(const Responder *r, const ResponderChild *child) {
    switch (child->state) {
    case CHILD_NONE:
    case CHILD_DELETING:
        return USEC_NEVER;
    case CHILD_ACTIVE:
        return child->aged || child->sa.spi_in != r->in_use ? USEC_NEVER
                                                            : after(child->since, r->switches.child_lifetime);
    case CHILD_GONE:
        return child->since + RESPONDER_LINGER;
    }
    return USEC_NEVER;
}

usec_t responder_deadline(const Responder *r) {
    usec_t deadline = USEC_NEVER;
    for (size_t i = 0; i < RESPONDER_IKES; i++)
        deadline = MIN(deadline, ike_deadline(r, r->ike[i]));
    for (size_t i = 0; i < RESPONDER_CHILDREN; i++)
        deadline = MIN(deadline, child_deadline(r, &r->children[i]));
    return deadline;
}

static void ike_tick(Responder *r, size_t i) {
    ResponderIke *ike = r->ike[i];

    if (ike_deadline(r, ike) > r->now)
        return;
    if (!ike_is_alive(ike))
        ike_free(r, i);
    else if (ike->busy && ike->tries == RESPONDER_TRIES) {
        r->lost++;
        gw_ike_drop(r, ike);
    } else if (ike->busy) {
        ike->tries++;
        ike->resend_at = r->now + resend_wait(ike);
        gw_send_packets(r, &ike->sent, &ike->local, &ike->peer);
    } else if (ike->state == RESPONDER_REPLACED && ike->n_queue == 0)
        gw_ike_drop(r, ike);
    else if (ike->state == RESPONDER_ESTABLISHED && ike->n_queue == 0) {
        if (!ike->aged && after(ike->since, r->switches.ike_lifetime) <= r->now) {
            ike->aged = true;
            gw_want(r, ike, REQUEST_REKEY_IKE, 0, 0);
        } else
            gw_want(r, ike, REQUEST_LIVENESS, 0, 0);
    }
}

void responder_tick(Responder *r) {
    for (size_t i = 0; i < RESPONDER_IKES; i++)
        ike_tick(r, i);
    for (size_t i = 0; i < RESPONDER_CHILDREN; i++) {
        ResponderChild *child = &r->children[i];
        if (child_deadline(r, child) > r->now)
            continue;
        if (child->state == CHILD_GONE)
            child->state = CHILD_NONE;
        else {
            child->aged = true;
            gw_want(r, child->ike, REQUEST_REKEY_CHILD, child->sa.spi_in, 0);
        }
    }
    gw_proceed(r);
}
