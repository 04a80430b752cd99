/* SPDX-License-Identifier: GPL-3.0-or-later */
/* IKE_SA_INIT (RFC 7296 1.2): cookies, the group, NAT detection, redirection, keys. Nothing in an answer is
 * proved before IKE_AUTH, so an error is only doubted. */
#include <stdio.h>

#include "ike/ike-sa-internal.h"

#define REQUEST_INIT_MAX 2048 /* bytes */

/* NAT detection -------------------------------------------------------------------------------------------
 */

/* 2.23: SHA-1(SPIi | SPIr | address | port). */
static int nat_hash(uint64_t spi_i, uint64_t spi_r, const Endpoint *e, uint8_t ret[static HASH_SIZE_MAX]) {
    uint8_t buffer[2 * IKE_SPI_SIZE + 16 + 2];
    Writer w = writer_new(buffer, sizeof buffer);

    writer_u64(&w, spi_i);
    writer_u64(&w, spi_r);
    writer_bytes(&w, e->address.bytes, address_size(e->address.family));
    writer_u16(&w, e->port);
    return crypto_hash(HASH_SHA1, &(struct iovec){buffer, w.len}, 1, ret);
}

int nat_detection_write(const IkeSa *sa, const Generation *g, IkeWriter *m) {
    uint8_t hash[HASH_SIZE_MAX];
    int r = nat_hash(g->spi_i, g->spi_r, &sa->local, hash);
    if (r < 0)
        return r;
    ike_notify_write(m, IKE_PROTOCOL_NONE, IKE_NOTIFY_NAT_DETECTION_SOURCE_IP, hash, hash_size(HASH_SHA1));
    r = nat_hash(g->spi_i, g->spi_r, &sa->remote, hash);
    if (r < 0)
        return r;
    ike_notify_write(m, IKE_PROTOCOL_NONE, IKE_NOTIFY_NAT_DETECTION_DESTINATION_IP, hash,
                     hash_size(HASH_SHA1));
    return 0;
}

bool nat_detection_read(const IkeSa *sa, uint64_t spi_i, uint64_t spi_r, const IkePayloads *payloads,
                        bool *ret_local, bool *ret_remote) {
    bool source = false, source_matches = false, destination = false, destination_matches = false;
    uint8_t ours[HASH_SIZE_MAX], theirs[HASH_SIZE_MAX];
    const IkePayload *p;
    IkeNotify n;

    if (nat_hash(spi_i, spi_r, &sa->local, ours) < 0 || nat_hash(spi_i, spi_r, &sa->remote, theirs) < 0)
        return false;
    for (size_t i = 0; (p = ike_payloads_find(payloads, IKE_PAYLOAD_NOTIFY, i)); i++) {
        if (ike_notify_decode(p, &n) != 0)
            continue;
        bool fits = n.size == hash_size(HASH_SHA1);
        if (n.type == IKE_NOTIFY_NAT_DETECTION_SOURCE_IP) {
            source = true;
            source_matches |= fits && memcmp(n.data, theirs, n.size) == 0;
        } else if (n.type == IKE_NOTIFY_NAT_DETECTION_DESTINATION_IP) {
            destination = true;
            destination_matches |= fits && memcmp(n.data, ours, n.size) == 0;
        }
    }
    *ret_local = !destination_matches;
    *ret_remote = !source_matches;
    return source && destination;
}

bool nat_detection_changed(IkeSa *sa, const IkePayloads *payloads) {
    Mobility *m = &sa->mobility;
    IkeNotify n;

    if (!ike_notify_find(payloads, IKE_NOTIFY_NAT_DETECTION_DESTINATION_IP, &n) || n.size != sizeof m->seen)
        return false;
    bool changed = m->seen_by == sa->current && memcmp(m->seen, n.data, n.size) != 0;
    m->seen_by = sa->current;
    memcpy(m->seen, n.data, n.size);
    return changed;
}

/* The request ---------------------------------------------------------------------------------------------
 */

/* RFC 5685 3 and 10: who has sent us here, as a gateway identity. */
static void redirected_from_write(const IkeSa *sa, IkeWriter *m) {
    const Address *a = &sa->config.redirected_from;
    uint8_t data[2 + 16];
    size_t size = address_size(a->family);

    data[0] = a->family == AF_INET ? IKE_GATEWAY_IPV4 : IKE_GATEWAY_IPV6;
    data[1] = (uint8_t)size;
    memcpy(data + 2, a->bytes, size);
    ike_notify_write(m, IKE_PROTOCOL_NONE, IKE_NOTIFY_REDIRECTED_FROM, data, 2 + size);
}

/* HDR, [N(COOKIE)], SAi1, KEi, Ni, notifies. */
int init_start(IkeSa *sa, Moment now) {
    Generation *g = sa->current;
    uint8_t buffer[REQUEST_INIT_MAX];
    IkeHeader h = {.spi_i = g->spi_i, .exchange = IKE_EXCHANGE_SA_INIT, .flags = IKE_FLAG_INITIATOR};
    IkeWriter m;
    size_t size;

    ike_writer_start(&m, buffer, sizeof buffer, &h);
    if (sa->cookie_size > 0) /* 2.6: first, the rest unchanged */
        ike_notify_write(&m, IKE_PROTOCOL_NONE, IKE_NOTIFY_COOKIE, sa->cookie, sa->cookie_size);
    ike_sa_payload_write(&m, sa->ike_offered, sa->n_ike_offered);
    const uint8_t *public_value = key_exchange_public(sa->key_exchange, &size);
    ike_ke_write(&m, key_exchange_group(sa->key_exchange), public_value, size);
    ike_blob_write(&m, IKE_PAYLOAD_NONCE, sa->nonces.i, sa->nonces.i_size);
    int r = nat_detection_write(sa, g, &m);
    if (r < 0)
        return r;
    ike_notify_write(&m, IKE_PROTOCOL_NONE, IKE_NOTIFY_IKEV2_FRAGMENTATION_SUPPORTED, NULL, 0);
    ike_notify_write(&m, IKE_PROTOCOL_NONE, IKE_NOTIFY_SIGNATURE_HASH_ALGORITHMS, auth_hashes,
                     sizeof auth_hashes);
    if (sa->config.redirected_from.family != AF_UNSPEC)
        redirected_from_write(sa, &m);
    else
        ike_notify_write(&m, IKE_PROTOCOL_NONE, IKE_NOTIFY_REDIRECT_SUPPORTED, NULL, 0);
    r = ike_writer_finish(&m);
    if (r < 0)
        return r;
    r = blob_copy(&sa->init_request, buffer, m.w.len);
    if (r < 0)
        return r;
    sa->grace = USEC_NEVER;
    return request_start(sa, g, now, TASK_SET_UP, IKE_EXCHANGE_SA_INIT, 0, buffer, m.w.len);
}

/* *wanted* if it is offered, else the first one. */
static uint16_t group_or_first(const IkeSa *sa, uint16_t wanted) {
    uint16_t groups[PROPOSAL_GROUPS_MAX];
    size_t n = proposals_groups_of(&sa->ike_proposals, groups);

    for (size_t i = 0; i < n; i++)
        if (groups[i] == wanted)
            return wanted;
    return groups[0];
}

int init_prepare(IkeSa *sa, IkePrepared **ahead) {
    uint16_t group = group_or_first(sa, sa->config.group);
    _cleanup_(ike_prepared_freep) IkePrepared *p = NULL;

    if (ahead && *ahead && key_exchange_group((*ahead)->key_exchange) == group)
        p = TAKE_PTR(*ahead);
    else {
        int r = ike_prepared_new(&p, group, &sa->config.rng);
        if (r < 0)
            return r;
    }
    sa->current->spi_i = p->spi_i;
    memcpy(sa->nonces.i, p->nonce, sizeof p->nonce);
    sa->nonces.i_size = sizeof p->nonce;
    sa->key_exchange = TAKE_PTR(p->key_exchange);
    sa->group = group;
    return 0;
}

/* The answer ----------------------------------------------------------------------------------------------
 */

/* An error that anybody on the path could have sent: remembered, and believed if nothing better comes. */
static void init_doubt(IkeSa *sa, Moment now, IkeEnd end, const char *format, ...) _printf_(4, 5);
static void init_doubt(IkeSa *sa, Moment now, IkeEnd end, const char *format, ...) {
    va_list ap;

    if (sa->grace != USEC_NEVER)
        return;
    va_start(ap, format);
    ike_sa_reason(sa, end, format, ap);
    va_end(ap);
    sa->grace = now.mono + IKE_ERROR_GRACE;
}

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

    if (!reader_done(&r) || group_or_first(sa, group) != group || sa->groups == IKE_GROUPS_MAX)
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
    int made = key_exchange_renew(&sa->key_exchange, group, &sa->config.rng);
    if (made == 0)
        sa->group = group;
    if (made < 0 || init_start(sa, now) < 0)
        ike_sa_end(sa, IKE_END_FAILED, "the key pair for another Diffie-Hellman group could not be made");
    return true;
}

static bool host_read(Reader id, char ret[static HOST_MAX_BYTES]) {
    if (id.left == 0 || id.left >= HOST_MAX_BYTES || memchr(id.data, 0, id.left))
        return false;
    memcpy(ret, id.data, id.left);
    ret[id.left] = 0;
    return host_is_valid(ret);
}

bool redirect_read(IkeSa *sa, const IkeNotify *n, const uint8_t *nonce, size_t nonce_size) {
    Reader r = reader_new(n->data, n->size);
    uint8_t type = reader_u8(&r);
    Reader id = reader_sub(&r, reader_u8(&r));
    IkeRedirect to = {};

    /* RFC 5685 3: our nonce proves that it answers this request. */
    if (r.bad || r.left != nonce_size || (nonce_size && memcmp(r.data, nonce, nonce_size) != 0))
        return false;
    if (type == IKE_GATEWAY_IPV4 && id.left == 4)
        to.address = address_from_bytes(AF_INET, id.data);
    else if (type == IKE_GATEWAY_IPV6 && id.left == 16)
        to.address = address_from_bytes(AF_INET6, id.data);
    else if (type != IKE_GATEWAY_FQDN || !host_read(id, to.name))
        return false;
    if (type != IKE_GATEWAY_FQDN && address_is_unspecified(&to.address))
        return false;
    sa->redirect = to;
    snprintf(sa->redirect_text, sizeof sa->redirect_text, "%s",
             to.name[0] ? to.name : ADDRESS_STR(&to.address));
    return true;
}

static void init_redirect(IkeSa *sa, Moment now, const IkeNotify *n) {
    if (!redirect_read(sa, n, sa->nonces.i, sa->nonces.i_size)) {
        sa->counters.malformed++;
        return;
    }
    ike_sa_end(sa, IKE_END_REDIRECTED, "the gateway redirects to %s", sa->redirect_text);
}

/* Goes through the notifies of an IKE_SA_INIT response. True: it was an answer of another kind and is dealt
 * with. */
static bool init_notifies(IkeSa *sa, Moment now, const IkePayloads *payloads) {
    const IkePayload *p;
    IkeNotify n;

    sa->peer_hashes = 0;
    sa->fragmentation = sa->multiple_auth = false;
    for (size_t i = 0; (p = ike_payloads_find(payloads, IKE_PAYLOAD_NOTIFY, i)); i++) {
        if (ike_notify_decode(p, &n) != 0)
            continue;
        if (n.type == IKE_NOTIFY_COOKIE)
            return init_cookie(sa, now, &n) || (sa->counters.unexpected++, true);
        if (n.type == IKE_NOTIFY_INVALID_KE_PAYLOAD && init_group(sa, now, &n))
            return true;
        if (n.type == IKE_NOTIFY_REDIRECT) {
            init_redirect(sa, now, &n);
            return true;
        }
        if (n.type < IKE_NOTIFY_STATUS_MIN) {
            init_doubt(sa, now, IKE_END_REFUSED, "the gateway answered IKE_SA_INIT with %s",
                       NOTIFY_TEXT(n.type));
            return true;
        }
        if (n.type == IKE_NOTIFY_SIGNATURE_HASH_ALGORITHMS)
            sa->peer_hashes = auth_hashes_decode(n.data, n.size);
        sa->multiple_auth |= n.type == IKE_NOTIFY_MULTIPLE_AUTH_SUPPORTED;
        sa->fragmentation |= n.type == IKE_NOTIFY_IKEV2_FRAGMENTATION_SUPPORTED;
    }
    return false;
}

static int init_keys(IkeSa *sa, const IkePayload *ke, const IkePayload *nonce, uint64_t spi_r) {
    Generation *g = sa->current;
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
        r = ike_keys_derive(&g->suite, secret, secret_size, &sa->nonces, g->spi_i, spi_r, &g->keys);
    }
    explicit_bzero(secret, sizeof secret);
    return r;
}

void init_response(IkeSa *sa, Moment now, const IkeHeader *h, const IkePayloads *payloads,
                   const uint8_t *datagram, size_t size) {
    const IkePayload *sa_payload = ike_payloads_find(payloads, IKE_PAYLOAD_SA, 0),
                     *ke = ike_payloads_find(payloads, IKE_PAYLOAD_KE, 0),
                     *nonce = ike_payloads_find(payloads, IKE_PAYLOAD_NONCE, 0);
    Generation *g = sa->current;
    IkeProposal chosen[IKE_PROPOSALS_MAX];
    size_t n_chosen;

    if (init_notifies(sa, now, payloads))
        return;
    if (!sa_payload || !ke || !nonce || h->spi_r == 0 ||
        ike_sa_payload_decode(sa_payload, chosen, &n_chosen) != 0) {
        sa->counters.malformed++;
        return;
    }
    if (proposal_accept(sa->ike_offered, sa->n_ike_offered, chosen, n_chosen, &g->suite) != 0 ||
        g->suite.by_type[IKE_TRANSFORM_DH]->id != key_exchange_group(sa->key_exchange)) {
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

    g->spi_r = h->spi_r;
    g->next_id = 1;
    sa->heard = now.mono;
    sa->grace = USEC_NEVER;
    request_forget(&g->request);
    key_exchange_free(TAKE_PTR(sa->key_exchange));
    /* 2.23: without both notifies the gateway knows no NAT traversal. With them port 4500 is used from here
     * on, since a MOBIKE update (RFC 4555 3.3) may bring us behind a NAT at any time. */
    if (nat_detection_read(sa, g->spi_i, g->spi_r, payloads, &sa->nat_local, &sa->nat_remote))
        sa->local.port = sa->remote.port = IKE_NAT_PORT;
    else
        sa->nat_local = sa->nat_remote = false;
    (void)nat_detection_changed(sa, payloads);
    if (sa->config.usim && !sa->multiple_auth) {
        ike_sa_end(sa, IKE_END_UNACCEPTABLE,
                   "the gateway knows no second authentication for the hosting party (RFC 4739)");
        return;
    }
    r = auth_start(sa, now);
    if (r == -ENOTSUP)
        ike_sa_end(sa, IKE_END_UNACCEPTABLE,
                   "the gateway takes no signature that this box's key can make (RFC 7427)");
    else if (r == -ENOSPC)
        ike_sa_end(sa, IKE_END_FAILED, "the kernel reserved no SPI");
    else if (r < 0)
        ike_sa_end(sa, IKE_END_FAILED, "IKE_AUTH could not be made: %s", strerror(-r));
}

bool ike_sa_nat_local(const IkeSa *sa) {
    return sa->nat_local;
}

bool ike_sa_nat_remote(const IkeSa *sa) {
    return sa->nat_remote;
}
