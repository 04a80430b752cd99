/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See ike-sa.h. A datagram goes through header -> decrypt -> split -> rules -> handler: a handler never sees
 * a message that broke a rule. What the SA wants to send next is a set of bits with a priority table, since
 * the window is one request (RFC 7296 2.3). */
#include "ike/ike-sa.h"

#include <stdarg.h>
#include <stdio.h>

#include "ike/auth.h"
#include "ike/keys.h"
#include "ike/selectors.h"

#define ACTIONS_MAX      8
#define REPLAY_WINDOW    128
#define REQUEST_INIT_MAX 2048 /* a gateway's answer to IKE_SA_INIT that is longer is malformed to us */

typedef enum State {
    STATE_INIT, /* IKE_SA_INIT is under way */
    STATE_SPI,  /* waiting for the kernel's SPI */
    STATE_AUTH, /* IKE_AUTH is under way */
    STATE_ESTABLISHED,
    STATE_CLOSING, /* DELETE is wanted or under way */
    STATE_ENDED,
} State;

typedef enum Want {
    WANT_DELETE = 1 << 0,
    WANT_LIVENESS = 1 << 1,
} Want;

/* The one request that is not answered yet. */
typedef struct Request {
    Blob message; /* empty: none */
    uint8_t exchange;
    uint32_t id;
    unsigned sent; /* times */
    usec_t wait;   /* before it is sent again, without jitter */
    usec_t deadline;
} Request;

typedef struct Queued {
    IkeAction action;
    uint8_t *data; /* of a send, owned */
} Queued;

struct IkeSa {
    IkeConfig config;
    State state;
    uint64_t spi_i, spi_r;
    Endpoint local, remote; /* ports move to 4500 with NAT */
    bool nat_local, nat_remote;

    KeyExchange *key_exchange;
    Nonces nonces;
    uint8_t cookie[IKE_COOKIE_MAX];
    size_t cookie_size;
    unsigned cookies, groups;
    Blob init_request, init_response; /* signed by AUTH */
    IkeProposal offered[IKE_PROPOSALS_MAX];
    size_t n_offered;
    HashSet peer_hashes;

    Suite suite;
    IkeKeys keys;
    uint64_t seal_counter;
    PeerChain chain; /* of the gateway, whose dates are to be judged when the time is known; else none */
    IkeProposal esp_offered[IKE_PROPOSALS_MAX];
    size_t n_esp_offered;
    ChildSa child;
    IkeConfiguration configuration;

    unsigned wants;
    Request request;
    uint32_t next_id;      /* of our next request */
    uint32_t peer_next_id; /* of the peer's next request */
    Blob response;         /* to the peer's last request */
    usec_t heard;          /* last authenticated message */
    usec_t grace;          /* with a possibly forged error: give up then; USEC_NEVER */

    IkeCounters counters;
    IkeEnd end;
    char ended_text[ERROR_MAX_BYTES];
    size_t n_actions;
    Queued actions[ACTIONS_MAX];
    uint8_t *handed_out;   /* data of the send that was taken last */
    bool child_handed_out; /* the last action was IKE_CHILD_UP */
};

static void blob_free(Blob *b) {
    free(b->data);
    *b = (Blob){};
}

static int blob_copy(Blob *ret, const void *data, size_t size) {
    uint8_t *copy = malloc(size ?: 1);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, data, size);
    free(ret->data);
    *ret = (Blob){copy, size};
    return 0;
}

/* The only place that writes the state. */
static void ike_sa_set_state(IkeSa *sa, State state) {
    sa->state = state;
}

static void push(IkeSa *sa, IkeAction action, uint8_t *data) {
    assert(sa->n_actions < ACTIONS_MAX);
    sa->actions[sa->n_actions++] = (Queued){action, data};
}

bool ike_sa_next(IkeSa *sa, IkeAction *ret) {
    free(TAKE_PTR(sa->handed_out));
    if (sa->child_handed_out) { /* the kernel has them now */
        child_sa_wipe_keys(&sa->child);
        sa->child_handed_out = false;
    }
    if (sa->n_actions == 0)
        return false;
    *ret = sa->actions[0].action;
    sa->handed_out = sa->actions[0].data;
    sa->child_handed_out = ret->type == IKE_CHILD_UP;
    sa->n_actions--;
    memmove(sa->actions, sa->actions + 1, sa->n_actions * sizeof sa->actions[0]);
    return true;
}

static void request_forget(IkeSa *sa) {
    blob_free(&sa->request.message);
    sa->request.deadline = USEC_NEVER;
}

static void reason_set(IkeSa *sa, IkeEnd end, const char *format, va_list ap) _printf_(3, 0);
static void reason_set(IkeSa *sa, IkeEnd end, const char *format, va_list ap) {
    sa->end = end;
    vsnprintf(sa->ended_text, sizeof sa->ended_text, format, ap);
}

static void ike_sa_end(IkeSa *sa, IkeEnd end, const char *format, ...) _printf_(3, 4);
static void ike_sa_end(IkeSa *sa, IkeEnd end, const char *format, ...) {
    va_list ap;

    if (sa->state == STATE_ENDED)
        return;
    va_start(ap, format);
    reason_set(sa, end, format, ap);
    va_end(ap);
    request_forget(sa);
    sa->wants = 0;
    sa->grace = USEC_NEVER;
    ike_keys_wipe(&sa->keys);
    child_sa_wipe(&sa->child);
    peer_chain_free(&sa->chain);
    crypto_forget_caches();
    ike_sa_set_state(sa, STATE_ENDED);
    push(sa, (IkeAction){.type = IKE_ENDED, .ended = {end, sa->ended_text}}, NULL);
}

/* Says why and deletes what the gateway believes is up; IKE_ENDED follows with this reason, not the
 * deletion's. An SA that is being deleted stays with its first reason. */
static void ike_sa_refuse(IkeSa *sa, IkeEnd end, const char *format, ...) _printf_(3, 4);
static void ike_sa_refuse(IkeSa *sa, IkeEnd end, const char *format, ...) {
    va_list ap;

    if (sa->state == STATE_CLOSING || sa->state == STATE_ENDED)
        return;
    va_start(ap, format);
    reason_set(sa, end, format, ap);
    va_end(ap);
    if (sa->state == STATE_ESTABLISHED && end != IKE_END_CLOSED)
        push(sa, (IkeAction){.type = IKE_CHILD_DOWN, .ended = {end, sa->ended_text}}, NULL);
    sa->wants = WANT_DELETE;
    ike_sa_set_state(sa, STATE_CLOSING);
}

static void send_bytes(IkeSa *sa, const Blob *message) {
    uint8_t *copy = malloc(message->size);
    if (!copy)
        return; /* as good as a lost datagram */
    memcpy(copy, message->data, message->size);
    push(sa,
         (IkeAction){.type = IKE_SEND,
                     .send = {.local = sa->local, .remote = sa->remote, .data = copy, .size = message->size}},
         copy);
}

static void request_send(IkeSa *sa, Moment now) {
    Request *q = &sa->request;
    uint64_t jitter = rng_below(&sa->config.rng, q->wait / 5 + 1);

    send_bytes(sa, &q->message);
    q->deadline = now.mono + q->wait - q->wait / 10 + jitter;
    q->wait *= 2;
    q->sent++;
}

static int request_start(IkeSa *sa, Moment now, uint8_t exchange, uint32_t id, const void *message,
                         size_t size) {
    int r = blob_copy(&sa->request.message, message, size);
    if (r < 0)
        return r;
    sa->request.exchange = exchange;
    sa->request.id = id;
    sa->request.sent = 0;
    sa->request.wait = IKE_RETRANSMIT_FIRST;
    request_send(sa, now);
    return 0;
}

/* A message under construction whose payloads go into an SK payload. */
typedef struct Sealer {
    IkeWriter m;
    uint8_t buffer[IKE_MESSAGE_MAX];
    size_t sk, iv, plain; /* offsets */
} Sealer;

static void sealer_start(Sealer *s, const IkeSa *sa, uint8_t exchange, uint8_t flags, uint32_t id) {
    IkeHeader h = {.spi_i = sa->spi_i,
                   .spi_r = sa->spi_r,
                   .exchange = exchange,
                   .message_id = id,
                   .flags = (uint8_t)(IKE_FLAG_INITIATOR | flags)};

    ike_writer_start(&s->m, s->buffer, sizeof s->buffer, &h);
    ike_writer_begin(&s->m, IKE_PAYLOAD_SK);
    s->sk = s->m.payload;
    s->iv = s->m.w.len;
    writer_reserve(&s->m.w, sa->keys.initiator.encr->iv_size);
    s->plain = s->m.w.len;
}

static int sealer_finish(Sealer *s, IkeSa *sa) {
    const SealKeys *keys = &sa->keys.initiator;
    size_t plain_size = s->m.w.len - s->plain;

    writer_reserve(&s->m.w, seal_overhead(keys, plain_size) - keys->encr->iv_size);
    writer_patch_u16(&s->m.w, s->sk + 2, (uint16_t)(s->m.w.len - s->sk));
    int r = ike_writer_finish(&s->m);
    if (r < 0)
        return r;
    return crypto_seal(keys, s->buffer, s->m.w.len, s->iv, plain_size, sa->seal_counter++, &sa->config.rng);
}

static int sealed_request(IkeSa *sa, Moment now, Sealer *s, uint8_t exchange) {
    int r = sealer_finish(s, sa);
    return r < 0 ? r : request_start(sa, now, exchange, sa->next_id++, s->buffer, s->m.w.len);
}

/* IKE_SA_INIT ------------------------------------------------------------------------------------------- */

/* 2.23: SHA-1(SPIi | SPIr | address | port). */
static int nat_hash(const IkeSa *sa, uint64_t spi_r, const Endpoint *e, uint8_t ret[static HASH_SIZE_MAX]) {
    uint8_t buffer[2 * IKE_SPI_SIZE + 16 + 2];
    Writer w = writer_new(buffer, sizeof buffer);

    writer_u64(&w, sa->spi_i);
    writer_u64(&w, spi_r);
    writer_bytes(&w, e->address.bytes, address_size(e->address.family));
    writer_u16(&w, e->port);
    return crypto_hash(HASH_SHA1, &(struct iovec){buffer, w.len}, 1, ret);
}

static int nat_detection_write(const IkeSa *sa, IkeWriter *m) {
    uint8_t hash[HASH_SIZE_MAX];
    int r = nat_hash(sa, 0, &sa->local, hash);
    if (r < 0)
        return r;
    ike_notify_write(m, IKE_PROTOCOL_NONE, IKE_NOTIFY_NAT_DETECTION_SOURCE_IP, hash, hash_size(HASH_SHA1));
    r = nat_hash(sa, 0, &sa->remote, hash);
    if (r < 0)
        return r;
    ike_notify_write(m, IKE_PROTOCOL_NONE, IKE_NOTIFY_NAT_DETECTION_DESTINATION_IP, hash,
                     hash_size(HASH_SHA1));
    return 0;
}

/* 1.2: HDR, [N(COOKIE)], SAi1, KEi, Ni, notifies. */
static int init_start(IkeSa *sa, Moment now) {
    uint8_t buffer[REQUEST_INIT_MAX];
    IkeHeader h = {.spi_i = sa->spi_i, .exchange = IKE_EXCHANGE_SA_INIT, .flags = IKE_FLAG_INITIATOR};
    IkeWriter m;
    size_t size;

    ike_writer_start(&m, buffer, sizeof buffer, &h);
    if (sa->cookie_size > 0) /* 2.6: first, the rest unchanged */
        ike_notify_write(&m, IKE_PROTOCOL_NONE, IKE_NOTIFY_COOKIE, sa->cookie, sa->cookie_size);
    ike_sa_payload_write(&m, sa->offered, sa->n_offered);
    const uint8_t *public_value = key_exchange_public(sa->key_exchange, &size);
    ike_ke_write(&m, key_exchange_group(sa->key_exchange), public_value, size);
    ike_blob_write(&m, IKE_PAYLOAD_NONCE, sa->nonces.i, sa->nonces.i_size);
    int r = nat_detection_write(sa, &m);
    if (r < 0)
        return r;
    ike_notify_write(&m, IKE_PROTOCOL_NONE, IKE_NOTIFY_SIGNATURE_HASH_ALGORITHMS, auth_hashes,
                     sizeof auth_hashes);
    r = ike_writer_finish(&m);
    if (r < 0)
        return r;
    r = blob_copy(&sa->init_request, buffer, m.w.len);
    if (r < 0)
        return r;
    sa->grace = USEC_NEVER;
    return request_start(sa, now, IKE_EXCHANGE_SA_INIT, 0, buffer, m.w.len);
}

static int key_exchange_replace(IkeSa *sa, uint16_t group) {
    KeyExchange *k;
    int r = key_exchange_new(&k, transform_find(IKE_TRANSFORM_DH, group, 0), &sa->config.rng);
    if (r < 0)
        return r;
    key_exchange_free(sa->key_exchange);
    sa->key_exchange = k;
    return 0;
}

static bool group_is_offered(uint16_t group) {
    for (const uint16_t *g = proposals_groups(); *g; g++)
        if (*g == group)
            return true;
    return false;
}

/* SPI, nonce and key pair: those made ahead when they are of the group that is offered first. */
static int prepared_take(IkeSa *sa, IkePrepared **ahead) {
    uint16_t group = group_is_offered(sa->config.group) ? sa->config.group : proposals_groups()[0];
    _cleanup_(ike_prepared_freep) IkePrepared *p = NULL;

    if (ahead && *ahead && key_exchange_group((*ahead)->key_exchange) == group)
        p = TAKE_PTR(*ahead);
    else {
        int r = ike_prepared_new(&p, group, &sa->config.rng);
        if (r < 0)
            return r;
    }
    sa->spi_i = p->spi_i;
    memcpy(sa->nonces.i, p->nonce, sizeof p->nonce);
    sa->nonces.i_size = sizeof p->nonce;
    sa->key_exchange = TAKE_PTR(p->key_exchange);
    return 0;
}

int ike_sa_new(IkeSa **ret, const IkeConfig *config, Moment now) {
    _cleanup_(ike_sa_freep) IkeSa *sa = calloc(1, sizeof *sa);

    if (!sa)
        return -ENOMEM;
    assert(!address_is_unspecified(&config->local) && config->local.family == config->remote.family);
    sa->config = *config;
    sa->config.prepared = NULL;
    sa->local = (Endpoint){config->local, IKE_PORT};
    sa->remote = (Endpoint){config->remote, IKE_PORT};
    sa->request.deadline = sa->grace = USEC_NEVER;
    sa->heard = now.mono;
    sa->n_offered = proposals_ike(sa->offered);
    int r = prepared_take(sa, config->prepared);
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
        free(sa->actions[i].data);
    free(sa->handed_out);
    key_exchange_free(sa->key_exchange);
    peer_chain_free(&sa->chain);
    blob_free(&sa->init_request);
    blob_free(&sa->init_response);
    blob_free(&sa->request.message);
    blob_free(&sa->response);
    explicit_bzero(sa, sizeof *sa);
    free(sa);
}

/* An error that anybody on the path could have sent: remembered, and believed if nothing better comes. */
static void init_doubt(IkeSa *sa, Moment now, IkeEnd end, const char *format, ...) _printf_(4, 5);
static void init_doubt(IkeSa *sa, Moment now, IkeEnd end, const char *format, ...) {
    va_list ap;

    if (sa->grace != USEC_NEVER)
        return;
    va_start(ap, format);
    reason_set(sa, end, format, ap);
    va_end(ap);
    sa->grace = now.mono + IKE_ERROR_GRACE;
}

static const char *notify_text(unsigned type, char buf[static 64]) {
    const char *name = ike_notify_name(type);
    if (name)
        snprintf(buf, 64, "%s", name);
    else
        snprintf(buf, 64, "error notify %u", type);
    return buf;
}

#define NOTIFY_TEXT(type) notify_text((type), (char[64]){0})

/* 2.6: the same request again with the cookie first. The cookie we have already is a copy that came late. */
static bool init_cookie(IkeSa *sa, Moment now, const IkeNotify *n) {
    if (n->size == sa->cookie_size && memcmp(n->data, sa->cookie, n->size) == 0)
        return false;
    if (n->size < 1 || n->size > IKE_COOKIE_MAX || sa->cookies == IKE_COOKIES_MAX)
        return false;
    sa->cookies++;
    memcpy(sa->cookie, n->data, n->size);
    sa->cookie_size = n->size;
    if (init_start(sa, now) < 0)
        ike_sa_end(sa, IKE_END_FAILED, "out of memory");
    return true;
}

/* 1.2, 2.7: the gateway wants another of the groups we offered. */
static bool init_group(IkeSa *sa, Moment now, const IkeNotify *n) {
    Reader r = reader_new(n->data, n->size);
    uint16_t group = reader_u16(&r);

    if (!reader_done(&r) || !group_is_offered(group) || sa->groups == IKE_GROUPS_MAX)
        return false;
    if (group == key_exchange_group(sa->key_exchange)) {
        if (sa->groups == 0)
            return false;
        /* A copy that came late; a gateway that means it will repeat itself until it is believed. */
        sa->groups++;
        sa->counters.unexpected++;
        return true;
    }
    sa->groups++;
    if (key_exchange_replace(sa, group) < 0 || init_start(sa, now) < 0)
        ike_sa_end(sa, IKE_END_FAILED, "the key pair for another Diffie-Hellman group could not be made");
    return true;
}

typedef struct NatSeen {
    bool source, source_matches, destination, destination_matches;
} NatSeen;

static void nat_look(const IkeSa *sa, uint64_t spi_r, const IkeNotify *n, NatSeen *seen) {
    bool source = n->type == IKE_NOTIFY_NAT_DETECTION_SOURCE_IP;
    uint8_t hash[HASH_SIZE_MAX];

    if (nat_hash(sa, spi_r, source ? &sa->remote : &sa->local, hash) < 0)
        return;
    bool matches = n->size == hash_size(HASH_SHA1) && memcmp(n->data, hash, n->size) == 0;
    *(source ? &seen->source : &seen->destination) = true;
    *(source ? &seen->source_matches : &seen->destination_matches) |= matches;
}

/* Goes through the notifies of an IKE_SA_INIT response. True: it was an answer of another kind and is dealt
 * with. */
static bool init_notifies(IkeSa *sa, Moment now, const IkeHeader *h, const IkePayloads *payloads,
                          NatSeen *seen) {
    const IkePayload *p;
    IkeNotify n;

    for (size_t i = 0; (p = ike_payloads_find(payloads, IKE_PAYLOAD_NOTIFY, i)); i++) {
        if (ike_notify_decode(p, &n) != 0)
            continue;
        if (n.type == IKE_NOTIFY_COOKIE)
            return init_cookie(sa, now, &n) || (sa->counters.unexpected++, true);
        if (n.type == IKE_NOTIFY_INVALID_KE_PAYLOAD && init_group(sa, now, &n))
            return true;
        if (n.type < IKE_NOTIFY_STATUS_MIN) {
            init_doubt(sa, now, IKE_END_REFUSED, "the gateway answered IKE_SA_INIT with %s",
                       NOTIFY_TEXT(n.type));
            return true;
        }
        if (n.type == IKE_NOTIFY_NAT_DETECTION_SOURCE_IP || n.type == IKE_NOTIFY_NAT_DETECTION_DESTINATION_IP)
            nat_look(sa, h->spi_r, &n, seen);
        else if (n.type == IKE_NOTIFY_SIGNATURE_HASH_ALGORITHMS)
            sa->peer_hashes = auth_hashes_decode(n.data, n.size);
    }
    return false;
}

static int init_keys(IkeSa *sa, const IkePayload *ke, const IkePayload *nonce, uint64_t spi_r) {
    uint8_t secret[SHARED_SECRET_MAX];
    size_t secret_size;
    uint16_t group;
    Reader value;

    if (ike_ke_decode(ke, &group, &value) != 0 || group != key_exchange_group(sa->key_exchange) ||
        nonce->size < IKE_NONCE_MIN || nonce->size > IKE_NONCE_MAX)
        return IKE_NOTIFY_INVALID_SYNTAX;
    int r = key_exchange_agree(sa->key_exchange, value.data, value.left, secret, &secret_size);
    if (r == 0) {
        memcpy(sa->nonces.r, nonce->data, nonce->size);
        sa->nonces.r_size = nonce->size;
        r = ike_keys_derive(&sa->suite, secret, secret_size, &sa->nonces, sa->spi_i, spi_r, &sa->keys);
    }
    explicit_bzero(secret, sizeof secret);
    return r;
}

static void init_response(IkeSa *sa, Moment now, const IkeHeader *h, const IkePayloads *payloads,
                          const uint8_t *datagram, size_t size) {
    const IkePayload *sa_payload = ike_payloads_find(payloads, IKE_PAYLOAD_SA, 0),
                     *ke = ike_payloads_find(payloads, IKE_PAYLOAD_KE, 0),
                     *nonce = ike_payloads_find(payloads, IKE_PAYLOAD_NONCE, 0);
    IkeProposal chosen[IKE_PROPOSALS_MAX];
    size_t n_chosen;
    NatSeen seen = {};

    sa->peer_hashes = 0;
    if (init_notifies(sa, now, h, payloads, &seen))
        return;
    if (!sa_payload || !ke || !nonce || h->spi_r == 0 ||
        ike_sa_payload_decode(sa_payload, chosen, &n_chosen) != 0) {
        sa->counters.malformed++;
        return;
    }
    if (proposal_accept(sa->offered, sa->n_offered, chosen, n_chosen, &sa->suite) != 0 ||
        sa->suite.by_type[IKE_TRANSFORM_DH]->id != key_exchange_group(sa->key_exchange)) {
        init_doubt(sa, now, IKE_END_UNACCEPTABLE, "the gateway chose IKE algorithms that were not offered");
        return;
    }
    int r = init_keys(sa, ke, nonce, h->spi_r);
    if (r > 0) {
        init_doubt(sa, now, IKE_END_UNACCEPTABLE,
                   "the gateway's Diffie-Hellman value or nonce is not acceptable");
        return;
    }
    if (r < 0 || blob_copy(&sa->init_response, datagram, size) < 0) {
        ike_sa_end(sa, IKE_END_FAILED, "keys could not be derived");
        return;
    }

    sa->spi_r = h->spi_r;
    sa->next_id = 1;
    sa->heard = now.mono;
    sa->grace = USEC_NEVER;
    request_forget(sa);
    key_exchange_free(TAKE_PTR(sa->key_exchange));
    /* 2.23: without both notifies the gateway knows no NAT traversal. */
    if (seen.source && seen.destination) {
        sa->nat_local = !seen.destination_matches;
        sa->nat_remote = !seen.source_matches;
    }
    if (sa->nat_local || sa->nat_remote)
        sa->local.port = sa->remote.port = IKE_NAT_PORT;
    ike_sa_set_state(sa, STATE_SPI);
    push(sa, (IkeAction){.type = IKE_ALLOCATE_SPI}, NULL);
}

/* IKE_AUTH ---------------------------------------------------------------------------------------------- */

/* 2.15: message | nonce of the other side | prf(SK_p, ID payload without its generic header). */
static int signed_octets(const IkeSa *sa, bool ours, const uint8_t *id, size_t id_size,
                         uint8_t mac[static PRF_SIZE_MAX], struct iovec ret[static 3]) {
    const Transform *prf = sa->suite.by_type[IKE_TRANSFORM_PRF];
    const Blob *message = ours ? &sa->init_request : &sa->init_response;
    int r = crypto_prf(prf, ours ? sa->keys.sk_pi : sa->keys.sk_pr, prf->key_size,
                       &(struct iovec){(void *)id, id_size}, 1, mac);

    ret[0] = (struct iovec){message->data, message->size};
    ret[1] = ours ? (struct iovec){(void *)sa->nonces.r, sa->nonces.r_size}
                  : (struct iovec){(void *)sa->nonces.i, sa->nonces.i_size};
    ret[2] = (struct iovec){mac, prf->key_size};
    return r;
}

static int auth_write(IkeSa *sa, IkeWriter *m) {
    const Credential *c = sa->config.credential;
    uint8_t id[4 + HOST_MAX_BYTES] = {IKE_ID_FQDN}, mac[PRF_SIZE_MAX], data[AUTH_MAX], method;
    size_t id_size = 4 + strlen(c->identity), size;
    struct iovec octets[3];

    memcpy(id + 4, c->identity, id_size - 4);
    int r = signed_octets(sa, true, id, id_size, mac, octets);
    if (r == 0)
        r = auth_sign(c->key, sa->peer_hashes, octets, 3, &sa->config.rng, &method, data, &size);
    explicit_bzero(mac, sizeof mac);
    if (r < 0)
        return r;
    ike_typed_blob_write(m, IKE_PAYLOAD_AUTH, method, 3, data, size);
    return 0;
}

/* Appendix C.2: IDi, CERT+, N(INITIAL_CONTACT), CERTREQ, AUTH, CP(CFG_REQUEST), SA, TSi, TSr. No IDr: which
 * identity we expect is checked on the certificate, and a gateway's own notion of its ID must not matter. */
static int auth_start(IkeSa *sa, Moment now) {
    const Credential *c = sa->config.credential;
    const TrustStore *trust = sa->config.trust;
    _cleanup_free_ Sealer *s = malloc(sizeof *s);
    TrafficSelector any[2];

    if (!s)
        return -ENOMEM;
    sealer_start(s, sa, IKE_EXCHANGE_AUTH, 0, sa->next_id);
    ike_typed_blob_write(&s->m, IKE_PAYLOAD_IDI, IKE_ID_FQDN, 3, c->identity, strlen(c->identity));
    for (size_t i = 0; i < c->n; i++)
        ike_typed_blob_write(&s->m, IKE_PAYLOAD_CERT, IKE_CERT_X509_SIGNATURE, 0, c->chain[i].data,
                             c->chain[i].size);
    ike_notify_write(&s->m, IKE_PROTOCOL_NONE, IKE_NOTIFY_INITIAL_CONTACT, NULL, 0);
    ike_typed_blob_write(&s->m, IKE_PAYLOAD_CERTREQ, IKE_CERT_X509_SIGNATURE, 0, trust->key_hashes,
                         trust->n * sizeof trust->key_hashes[0]);
    int r = auth_write(sa, &s->m);
    if (r < 0)
        return r;
    ike_cp_request_write(&s->m);
    sa->n_esp_offered = proposals_esp(sa->esp_offered, sa->child.spi_in);
    ike_sa_payload_write(&s->m, sa->esp_offered, sa->n_esp_offered);
    size_t n = selectors_any(any);
    ike_ts_write(&s->m, IKE_PAYLOAD_TSI, any, n);
    ike_ts_write(&s->m, IKE_PAYLOAD_TSR, any, n);
    return sealed_request(sa, now, s, IKE_EXCHANGE_AUTH);
}

void ike_sa_spi(IkeSa *sa, Moment now, uint32_t spi) {
    if (sa->state != STATE_SPI)
        return;
    if (spi == 0) {
        ike_sa_end(sa, IKE_END_FAILED, "the kernel reserved no SPI");
        return;
    }
    sa->child.spi_in = spi;
    ike_sa_set_state(sa, STATE_AUTH);
    int r = auth_start(sa, now);
    if (r == -ENOTSUP)
        ike_sa_end(sa, IKE_END_UNACCEPTABLE,
                   "the gateway takes no signature that this box's key can make (RFC 7427)");
    else if (r < 0)
        ike_sa_end(sa, IKE_END_FAILED, "IKE_AUTH could not be made: %s", strerror(-r));
}

/* TS 33.320 7.2.3, RFC 4945 3.1: what the gateway calls itself must stand in its certificate. */
static bool id_matches(const Certificate *certificate, uint8_t type, Reader data) {
    char name[HOST_MAX_BYTES];
    Address a;

    switch (type) {
    case IKE_ID_FQDN:
        if (data.left == 0 || data.left >= sizeof name || memchr(data.data, 0, data.left))
            return false;
        memcpy(name, data.data, data.left);
        name[data.left] = 0;
        return !address_is_literal(name) && x509_has_identity(certificate, name);
    case IKE_ID_IPV4_ADDR:
    case IKE_ID_IPV6_ADDR:
        a.family = type == IKE_ID_IPV4_ADDR ? AF_INET : AF_INET6;
        if (data.left != address_size(a.family))
            return false;
        a = address_from_bytes(a.family, data.data);
        return x509_has_identity(certificate, ADDRESS_STR(&a));
    case IKE_ID_DER_ASN1_DN:
        return data.left == certificate->subject_size &&
               memcmp(data.data, certificate->subject, data.left) == 0;
    }
    return false;
}

/* Proves that the gateway is who it must be. 0, or the SA has been told to end. */
static int auth_check_peer(IkeSa *sa, Moment now, const IkePayloads *payloads, const IkePayload *idr,
                           const IkePayload *auth) {
    Reader chain[CHAIN_MAX], id, data;
    uint8_t encoding, id_type, method, mac[PRF_SIZE_MAX];
    char verdict[ERROR_MAX_BYTES];
    struct iovec octets[3];
    Certificate certificate;
    const IkePayload *p;
    size_t n = 0;
    bool undated = sa->config.clock_lenient && now.real < sa->config.clock_floor;

    for (size_t i = 0; (p = ike_payloads_find(payloads, IKE_PAYLOAD_CERT, i)) && n < CHAIN_MAX; i++)
        if (ike_cert_decode(p, &encoding, &chain[n]) == 0 && encoding == IKE_CERT_X509_SIGNATURE)
            n++;
    if (ike_id_decode(idr, &id_type, &id) != 0 || ike_auth_decode(auth, &method, &data) != 0) {
        ike_sa_refuse(sa, IKE_END_UNACCEPTABLE, "the gateway's IKE_AUTH is malformed");
        return -EBADMSG;
    }
    int r = certificate_verify(sa->config.trust, chain, n, sa->config.identity,
                               undated ? CERTIFICATE_UNDATED : now.real, &certificate, verdict);
    if (r == 0 && !id_matches(&certificate, id_type, id)) {
        snprintf(verdict, sizeof verdict,
                 "the gateway's IKE identity (type %u) does not stand in its certificate of %s (expected "
                 "identity: %s)",
                 id_type, x509_format_names(&certificate, (char[256]){0}, 256), sa->config.identity);
        r = IKE_NOTIFY_AUTHENTICATION_FAILED;
    }
    if (r == 0)
        r = signed_octets(sa, false, idr->data, idr->size, mac, octets);
    if (r == 0)
        r = auth_verify(&certificate, method, data, octets, 3, verdict);
    explicit_bzero(mac, sizeof mac);
    if (r == 0 && undated)
        r = peer_chain_keep(&sa->chain, chain, n);
    if (r > 0)
        ike_sa_refuse(sa, IKE_END_UNTRUSTED, "gateway not trusted: %s", verdict);
    else if (r < 0)
        ike_sa_refuse(sa, IKE_END_FAILED, "the gateway could not be authenticated: %s", strerror(-r));
    return r;
}

/* Takes over CP, SA, TSi and TSr. NULL, or what is wrong with them. */
static const char *child_accept(IkeSa *sa, const IkePayloads *payloads) {
    const IkePayload *cp = ike_payloads_find(payloads, IKE_PAYLOAD_CP, 0),
                     *sa_payload = ike_payloads_find(payloads, IKE_PAYLOAD_SA, 0),
                     *tsi = ike_payloads_find(payloads, IKE_PAYLOAD_TSI, 0),
                     *tsr = ike_payloads_find(payloads, IKE_PAYLOAD_TSR, 0);
    ChildSa *child = &sa->child;
    IkeProposal chosen[IKE_PROPOSALS_MAX];
    size_t n_chosen;
    Suite esp;

    if (!cp || ike_cp_decode(cp, &sa->configuration) != 0 || sa->configuration.addresses.n == 0)
        return "no inner address in the gateway's configuration payload";
    if (!sa_payload || !tsi || !tsr)
        return "SA or TS payload missing in the gateway's IKE_AUTH";
    if (ike_sa_payload_decode(sa_payload, chosen, &n_chosen) != 0 ||
        proposal_accept(sa->esp_offered, sa->n_esp_offered, chosen, n_chosen, &esp) != 0 ||
        chosen[0].spi < 256)
        return "the gateway chose ESP algorithms that were not offered, or an invalid SPI";
    if (ike_ts_decode(tsi, child->local_ts, &child->n_local_ts) != 0 ||
        ike_ts_decode(tsr, child->remote_ts, &child->n_remote_ts) != 0 || child->n_remote_ts == 0)
        return "the gateway's traffic selectors cannot be used";
    if (!selectors_settle(child, &sa->configuration))
        return "the inner address from the gateway is unusable or outside its traffic selectors";
    child->spi_out = (uint32_t)chosen[0].spi;
    child->local = sa->local;
    child->remote = sa->remote;
    child->encapsulate = sa->nat_local || sa->nat_remote;
    child->replay_window = REPLAY_WINDOW;
    child->algorithms = suite_esp_algorithms(&esp);
    if (child_keys_derive(&sa->suite, &sa->keys, &esp, NULL, 0, &sa->nonces, &child->keys_out, &child->keys_in) < 0)
        return "ESP keys could not be derived";
    return NULL;
}

/* The first error notify of a message, 0 without one. */
static unsigned error_notify(const IkePayloads *payloads) {
    const IkePayload *p;
    IkeNotify n;

    for (size_t i = 0; (p = ike_payloads_find(payloads, IKE_PAYLOAD_NOTIFY, i)); i++)
        if (ike_notify_decode(p, &n) == 0 && n.type < IKE_NOTIFY_STATUS_MIN)
            return n.type;
    return 0;
}

static void auth_response(IkeSa *sa, Moment now, const IkePayloads *payloads) {
    const IkePayload *idr = ike_payloads_find(payloads, IKE_PAYLOAD_IDR, 0),
                     *auth = ike_payloads_find(payloads, IKE_PAYLOAD_AUTH, 0);
    unsigned error = error_notify(payloads);

    if (!idr || !auth) {
        /* With an error the gateway has no SA that could be deleted (2.21.2). */
        if (error)
            ike_sa_end(sa, IKE_END_REFUSED, "the gateway answered IKE_AUTH with %s", NOTIFY_TEXT(error));
        else
            ike_sa_refuse(sa, IKE_END_UNACCEPTABLE, "the gateway's IKE_AUTH has no %s",
                          ike_payloads_find(payloads, IKE_PAYLOAD_EAP, 0)
                              ? "AUTH but EAP, which is not supported"
                          : idr ? "AUTH"
                                : "IDr");
        return;
    }
    if (auth_check_peer(sa, now, payloads, idr, auth) != 0)
        return;
    /* Beside a Child SA it is about the one inner family that the gateway does not give (3.15.4). */
    bool half =
        error == IKE_NOTIFY_INTERNAL_ADDRESS_FAILURE && ike_payloads_find(payloads, IKE_PAYLOAD_SA, 0);
    if (error && !half) {
        ike_sa_refuse(sa, IKE_END_REFUSED, "the gateway refused the Child SA with %s", NOTIFY_TEXT(error));
        return;
    }
    const char *problem = child_accept(sa, payloads);
    if (problem) {
        ike_sa_refuse(sa, IKE_END_UNACCEPTABLE, "%s", problem);
        return;
    }
    blob_free(&sa->init_request);
    blob_free(&sa->init_response);
    crypto_forget_caches();
    ike_sa_set_state(sa, STATE_ESTABLISHED);
    push(sa, (IkeAction){.type = IKE_CHILD_UP, .up = {&sa->child, &sa->configuration, sa->chain.n > 0}},
         NULL);
}

/* INFORMATIONAL and CREATE_CHILD_SA --------------------------------------------------------------------- */

static int delete_start(IkeSa *sa, Moment now) {
    _cleanup_free_ Sealer *s = malloc(sizeof *s);
    if (!s)
        return -ENOMEM;
    sealer_start(s, sa, IKE_EXCHANGE_INFORMATIONAL, 0, sa->next_id);
    ike_delete_write(&s->m, IKE_PROTOCOL_IKE, NULL, 0);
    return sealed_request(sa, now, s, IKE_EXCHANGE_INFORMATIONAL);
}

static int liveness_start(IkeSa *sa, Moment now) {
    _cleanup_free_ Sealer *s = malloc(sizeof *s);
    if (!s)
        return -ENOMEM;
    sealer_start(s, sa, IKE_EXCHANGE_INFORMATIONAL, 0, sa->next_id);
    return sealed_request(sa, now, s, IKE_EXCHANGE_INFORMATIONAL);
}

/* Starts the most urgent wanted exchange when none is under way. */
static void ike_sa_proceed(IkeSa *sa, Moment now) {
    static const struct {
        Want want;
        int (*start)(IkeSa *sa, Moment now);
    } priorities[] = {
        {WANT_DELETE, delete_start},
        {WANT_LIVENESS, liveness_start},
    };

    if (sa->request.message.data || sa->state == STATE_ENDED)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(priorities); i++) {
        if (!(sa->wants & priorities[i].want))
            continue;
        sa->wants &= ~(unsigned)priorities[i].want;
        if (priorities[i].start(sa, now) < 0)
            ike_sa_end(sa, IKE_END_FAILED, "an IKE request could not be made");
        return;
    }
}

/* The answer to our DELETE, or that none came: what ike_sa_refuse() said is the reason. */
static void closing_done(IkeSa *sa) {
    char text[ERROR_MAX_BYTES];
    memcpy(text, sa->ended_text, sizeof text);
    ike_sa_end(sa, sa->end, "%s", text);
}

/* Writes the answer to a peer's request into *m*; returns what happens to the SA. */
typedef enum Verdict {
    VERDICT_STAYS,
    VERDICT_DELETED,
    VERDICT_CHILD_DELETED,
} Verdict;

static Verdict answer_deletes(IkeSa *sa, const IkePayloads *payloads, IkeWriter *m) {
    Verdict verdict = VERDICT_STAYS;
    const IkePayload *p;
    IkeDelete d;

    for (size_t i = 0; (p = ike_payloads_find(payloads, IKE_PAYLOAD_DELETE, i)); i++) {
        if (ike_delete_decode(p, &d) != 0)
            continue;
        if (d.protocol == IKE_PROTOCOL_IKE) /* 1.4.1: answered by an empty response */
            return VERDICT_DELETED;
        for (size_t k = 0; k < d.n_spis; k++)
            if (d.protocol == IKE_PROTOCOL_ESP && d.spis[k] == sa->child.spi_out &&
                verdict == VERDICT_STAYS) {
                ike_delete_write(m, IKE_PROTOCOL_ESP, &sa->child.spi_in, 1);
                verdict = VERDICT_CHILD_DELETED;
            }
    }
    return verdict;
}

static void peer_request(IkeSa *sa, Moment now, const IkeHeader *h, const IkePayloads *payloads, int error,
                         uint8_t error_type) {
    _cleanup_free_ Sealer *s = malloc(sizeof *s);
    Verdict verdict = VERDICT_STAYS;

    if (!s)
        return;
    sealer_start(s, sa, h->exchange, IKE_FLAG_RESPONSE, h->message_id);
    if (error == IKE_NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD)
        ike_notify_write(&s->m, IKE_PROTOCOL_NONE, (uint16_t)error, &error_type, 1);
    else if (error > 0)
        ike_notify_write(&s->m, IKE_PROTOCOL_NONE, (uint16_t)error, NULL, 0);
    else if (h->exchange == IKE_EXCHANGE_CREATE_CHILD_SA)
        /* One Child SA is all we keep, and neither SA is rekeyed on request: when the gateway's lifetime ends
         * it deletes the SA and we build a new one (1.3, 4). */
        ike_notify_write(&s->m, IKE_PROTOCOL_NONE, IKE_NOTIFY_NO_ADDITIONAL_SAS, NULL, 0);
    else
        verdict = answer_deletes(sa, payloads, &s->m);
    if (sealer_finish(s, sa) < 0 || blob_copy(&sa->response, s->buffer, s->m.w.len) < 0)
        return;
    sa->peer_next_id++;
    send_bytes(sa, &sa->response);

    if (error == IKE_NOTIFY_INVALID_SYNTAX) /* 2.21.3: this is fatal */
        ike_sa_refuse(sa, IKE_END_UNACCEPTABLE, "the gateway sent a request with invalid syntax");
    else if (verdict == VERDICT_DELETED)
        sa->state == STATE_CLOSING ? closing_done(sa)
                                   : ike_sa_end(sa, IKE_END_DELETED, "the gateway deleted the IKE SA");
    else if (verdict == VERDICT_CHILD_DELETED && sa->state == STATE_ESTABLISHED)
        ike_sa_refuse(sa, IKE_END_DELETED, "the gateway deleted the Child SA");
}

/* The time has become known: the dates that were passed over are judged. */
static void dates_judge(IkeSa *sa, Moment now) {
    char verdict[ERROR_MAX_BYTES];

    if (now.real < ike_sa_real_deadline(sa))
        return;
    int r = peer_chain_verify(&sa->chain, sa->config.trust, sa->config.identity, now.real, verdict);
    peer_chain_free(&sa->chain);
    crypto_forget_caches();
    if (r > 0)
        ike_sa_refuse(sa, IKE_END_UNTRUSTED, "gateway not trusted now that the time is known: %s", verdict);
    else if (r < 0)
        ike_sa_refuse(sa, IKE_END_FAILED, "the gateway's certificate could not be verified again: %s",
                      strerror(-r));
    ike_sa_proceed(sa, now);
}

/* Input ------------------------------------------------------------------------------------------------- */

/* An answer that ends what was being closed: to our DELETE, whatever it holds, or an IKE_AUTH by which the
 * gateway set nothing up. */
static bool closing_is_done(const IkeSa *sa, const IkeHeader *h, const IkePayloads *payloads, int error) {
    if (h->exchange == IKE_EXCHANGE_AUTH)
        return !error && error_notify(payloads) && !ike_payloads_find(payloads, IKE_PAYLOAD_AUTH, 0);
    return !(sa->wants & WANT_DELETE);
}

static void sealed_response(IkeSa *sa, Moment now, const IkeHeader *h, const IkePayloads *payloads,
                            int error) {
    request_forget(sa);
    if (sa->state == STATE_CLOSING) {
        if (closing_is_done(sa, h, payloads, error))
            closing_done(sa);
    } else if (error) /* protected, so it is the gateway's own doing (2.21.2) */
        ike_sa_refuse(sa, IKE_END_UNACCEPTABLE, "the gateway's answer breaks the protocol (%s)",
                      error > 0 ? NOTIFY_TEXT(error) : "malformed");
    else if (h->exchange == IKE_EXCHANGE_AUTH)
        auth_response(sa, now, payloads);
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

/* Opens the SK payload and goes on with what is in it. */
static void sealed_input(IkeSa *sa, Moment now, const IkeHeader *h, uint8_t *datagram, size_t size,
                         size_t sk_offset, uint8_t inner_type) {
    bool response = h->flags & IKE_FLAG_RESPONSE;
    uint8_t *plain, type = 0;
    size_t plain_size;
    IkePayloads payloads = {};

    if (crypto_open(&sa->keys.responder, datagram, size, sk_offset, &plain, &plain_size) < 0) {
        sa->counters.forged++;
        return;
    }
    sa->heard = now.mono;
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
        sealed_response(sa, now, h, &payloads, error);
    else
        peer_request(sa, now, h, &payloads, error, type);
    ike_sa_proceed(sa, now);
}

/* Whether a message with this ID and exchange is due; answers a repeated request with the same bytes (2.1).
 */
static bool message_is_due(IkeSa *sa, const IkeHeader *h) {
    const Request *q = &sa->request;

    if (h->flags & IKE_FLAG_RESPONSE)
        return q->message.data && h->message_id == q->id && h->exchange == q->exchange;
    if (sa->state != STATE_ESTABLISHED && sa->state != STATE_CLOSING)
        return false;
    if (sa->response.data && h->message_id + 1 == sa->peer_next_id)
        send_bytes(sa, &sa->response);
    return h->message_id == sa->peer_next_id &&
           (h->exchange == IKE_EXCHANGE_INFORMATIONAL || h->exchange == IKE_EXCHANGE_CREATE_CHILD_SA);
}

void ike_sa_input(IkeSa *sa, Moment now, uint8_t *datagram, size_t size, const Endpoint *from) {
    Reader r = reader_new(datagram, size);
    IkePayloads payloads;
    uint8_t type;
    IkeHeader h;

    if (sa->state == STATE_ENDED)
        return;
    dates_judge(sa, now);
    if (ike_header_decode(&r, &h) != 0) {
        sa->counters.malformed++;
        return;
    }
    /* Before the gateway's SPI is known any will do; an error may come without one. */
    bool init =
        sa->state == STATE_INIT && h.exchange == IKE_EXCHANGE_SA_INIT && (h.flags & IKE_FLAG_RESPONSE);
    if (h.spi_i != sa->spi_i || (!init && h.spi_r != sa->spi_r) || (h.flags & IKE_FLAG_INITIATOR) ||
        !address_equal(&from->address, &sa->remote.address)) {
        sa->counters.foreign++;
        return;
    }
    if (!message_is_due(sa, &h)) {
        sa->counters.unexpected++;
        return;
    }
    int error = ike_payloads_split(r, h.next_payload, &payloads, &type);
    if (init) {
        if (error == 0)
            error = ike_payloads_check(&payloads, h.exchange, true, false, &type);
        if (error)
            sa->counters.malformed++; /* may be anybody's: wait for a better one */
        else
            init_response(sa, now, &h, &payloads, datagram, size);
        return;
    }
    /* Nothing but SK may stand in the clear of what follows IKE_SA_INIT. */
    if (error || h.exchange == IKE_EXCHANGE_SA_INIT || payloads.n != 1 ||
        payloads.items[0].type != IKE_PAYLOAD_SK) {
        sa->counters.malformed++;
        return;
    }
    sealed_input(sa, now, &h, datagram, size, (size_t)(payloads.items[0].data - datagram),
                 payloads.inner_type);
}

/* Time -------------------------------------------------------------------------------------------------- */

void ike_sa_close(IkeSa *sa, Moment now) {
    switch (sa->state) {
    case STATE_INIT:
    case STATE_SPI:
        ike_sa_end(sa, IKE_END_CLOSED, "closed");
        return;
    case STATE_AUTH: /* the gateway may have set it up already: deleted once it has answered */
    case STATE_ESTABLISHED:
        ike_sa_refuse(sa, IKE_END_CLOSED, "closed");
        ike_sa_proceed(sa, now);
        return;
    case STATE_CLOSING:
    case STATE_ENDED:
        return;
    }
}

static void request_expired(IkeSa *sa, Moment now) {
    if (sa->request.sent < IKE_RETRANSMIT_TRIES) {
        sa->counters.retransmitted++;
        request_send(sa, now);
    } else if (sa->state == STATE_CLOSING)
        closing_done(sa);
    else
        ike_sa_end(sa, IKE_END_SILENT, "the gateway %s does not answer %s", ADDRESS_STR(&sa->remote.address),
                   sa->request.exchange == IKE_EXCHANGE_SA_INIT ? "IKE_SA_INIT"
                   : sa->request.exchange == IKE_EXCHANGE_AUTH  ? "IKE_AUTH"
                                                                : "the liveness check");
}

void ike_sa_tick(IkeSa *sa, Moment now) {
    dates_judge(sa, now);
    if (now.mono >= sa->grace)
        closing_done(sa);
    else if (now.mono >= sa->request.deadline)
        request_expired(sa, now);
    else if (sa->state == STATE_ESTABLISHED && now.mono >= sa->heard + IKE_LIVENESS_INTERVAL &&
             !sa->request.message.data) {
        sa->wants |= WANT_LIVENESS;
        ike_sa_proceed(sa, now);
    }
}

usec_t ike_sa_deadline(const IkeSa *sa) {
    usec_t deadline = MIN(sa->request.deadline, sa->grace);
    if (sa->state == STATE_ESTABLISHED && !sa->request.message.data)
        deadline = MIN(deadline, sa->heard + IKE_LIVENESS_INTERVAL);
    return deadline;
}

const Suite *ike_sa_suite(const IkeSa *sa) {
    return sa->spi_r ? &sa->suite : NULL;
}

const IkeCounters *ike_sa_counters(const IkeSa *sa) {
    return &sa->counters;
}

uint64_t ike_sa_spi_i(const IkeSa *sa) {
    return sa->spi_i;
}

usec_t ike_sa_real_deadline(const IkeSa *sa) {
    return sa->state == STATE_ESTABLISHED && sa->chain.n > 0 ? sa->config.clock_floor : USEC_NEVER;
}

uint16_t ike_sa_group(const IkeSa *sa) {
    return sa->key_exchange ? key_exchange_group(sa->key_exchange) : sa->suite.by_type[IKE_TRANSFORM_DH]->id;
}

bool ike_sa_nat_local(const IkeSa *sa) {
    return sa->nat_local;
}

bool ike_sa_nat_remote(const IkeSa *sa) {
    return sa->nat_remote;
}
