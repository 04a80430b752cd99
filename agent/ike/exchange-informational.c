/* SPDX-License-Identifier: GPL-3.0-or-later */
/* INFORMATIONAL (RFC 7296 1.4): deletions, liveness, addresses (RFC 4555), and what the gateway announces
 * (RFC 4478, RFC 5685). */
#include "ike/ike-sa-internal.h"

/* Our request ---------------------------------------------------------------------------------------------
 */

/* RFC 4555 3.5, 3.7: our new address, and a cookie that only who is reached can return. */
static int address_write(IkeSa *sa, const Generation *g, IkeWriter *m) {
    Mobility *mobility = &sa->mobility;

    sa->config.rng.fill(sa->config.rng.userdata, mobility->cookie2, sizeof mobility->cookie2);
    ike_notify_write(m, IKE_PROTOCOL_NONE, IKE_NOTIFY_UPDATE_SA_ADDRESSES, NULL, 0);
    ike_notify_write(m, IKE_PROTOCOL_NONE, IKE_NOTIFY_COOKIE2, mobility->cookie2, sizeof mobility->cookie2);
    return nat_detection_write(sa, g, m);
}

int informational_start(IkeSa *sa, Generation *g, Moment now, Task task, const Child *child) {
    _cleanup_(sealer_freep) Sealer *s = sealer_begin(g, IKE_EXCHANGE_INFORMATIONAL, false, g->next_id);
    int r = 0;

    if (!s)
        return -ENOMEM;
    switch (task) {
    case TASK_DELETE:
        g->delete_wanted = false;
        ike_delete_write(&s->m, IKE_PROTOCOL_IKE, NULL, 0);
        break;
    case TASK_DELETE_CHILD:
        ike_delete_write(&s->m, IKE_PROTOCOL_ESP, &child->sa.spi_in, 1);
        break;
    case TASK_ADDRESS:
        sa->mobility.wanted = false;
        r = address_write(sa, g, &s->m);
        break;
    default: /* the liveness check: empty, unless it is to tell whether a NAT still maps us to the same */
        sa->liveness_wanted = false;
        if (sa->mobility.supported && sa->nat_local)
            r = nat_detection_write(sa, g, &s->m);
    }
    if (r == 0)
        r = request_seal(sa, g, now, TAKE_PTR(s), task);
    if (r == 0 && child)
        g->request.child = child->sa.spi_in;
    return r;
}

/* Addresses -----------------------------------------------------------------------------------------------
 */

void addresses_move(IkeSa *sa, const Endpoint *local, const Endpoint *remote) {
    sa->local = *local;
    sa->remote = *remote;
    bool encapsulate = sa->nat_local || sa->nat_remote;

    for (size_t i = 0; i < IKE_CHILDREN_MAX; i++) {
        Child *c = &sa->children[i];
        Endpoint old_local = c->sa.local, old_remote = c->sa.remote;
        if (c->state == CHILD_FREE || c->state == CHILD_GONE ||
            (c->sa.encapsulate == encapsulate && endpoint_equal(&old_local, local) &&
             endpoint_equal(&old_remote, remote)))
            continue;
        c->sa.local = *local;
        c->sa.remote = *remote;
        c->sa.encapsulate = encapsulate;
        if (c->parts)
            ike_sa_push(
                sa, (IkeAction){.type = IKE_CHILD_MOVED, .child = {&c->sa, c->parts, old_local, old_remote}});
    }
}

/* What is under way is sent again at once, on the new path and with a new budget. */
static void request_restart(IkeSa *sa, Moment now) {
    Request *q = &sa->current->request;

    if (generation_busy(sa->current)) {
        q->sent = 0;
        q->wait = IKE_RETRANSMIT_FIRST;
        q->deadline = now.mono;
    }
}

/* An address of the gateway in our family, other than the present one. */
static bool peer_address_next(IkeSa *sa) {
    Mobility *m = &sa->mobility;

    while (m->tried < m->n_others) {
        const Address *a = &m->others[m->tried++];
        if (a->family == sa->local.address.family && !address_equal(a, &sa->remote.address)) {
            sa->remote.address = *a;
            return true;
        }
    }
    return false;
}

bool mobility_try_other(IkeSa *sa, Moment now) {
    if (sa->state != STATE_ESTABLISHED || !sa->mobility.supported || !peer_address_next(sa))
        return false;
    sa->mobility.wanted = true;
    request_restart(sa, now);
    return true;
}

bool ike_sa_moved(IkeSa *sa, Moment now, const Address *local) {
    Mobility *m = &sa->mobility;

    if (sa->state != STATE_ESTABLISHED || !m->supported)
        return false;
    Address before = sa->local.address;
    sa->local.address = *local;
    m->tried = 0;
    if (local->family != sa->remote.address.family && !peer_address_next(sa)) {
        sa->local.address = before;
        return false;
    }
    m->wanted = true;
    sa->heard = now.mono;
    request_restart(sa, now);
    ike_sa_proceed(sa, now);
    return true;
}

/* The gateway has taken our new address, or not (RFC 4555 3.5, 3.9). */
static void address_answered(IkeSa *sa, const IkePayloads *payloads) {
    unsigned error = ike_notify_error(payloads);
    IkeNotify n;

    if (error) {
        ike_sa_refuse(sa, IKE_END_REFUSED, "the gateway does not take our new address: %s",
                      NOTIFY_TEXT(error));
        return;
    }
    if (!ike_notify_find(payloads, IKE_NOTIFY_COOKIE2, &n) || n.size != sizeof sa->mobility.cookie2 ||
        !crypto_equal(n.data, sa->mobility.cookie2, n.size)) {
        ike_sa_refuse(sa, IKE_END_UNACCEPTABLE, "the gateway did not return the cookie of our new address");
        return;
    }
    sa->mobility.tried = 0;
    (void)nat_detection_changed(sa, payloads);
    (void)nat_detection_read(sa, sa->current->spi_i, sa->current->spi_r, payloads, &sa->nat_local,
                             &sa->nat_remote);
    addresses_move(sa, &sa->local, &sa->remote);
}

void informational_response(IkeSa *sa, Moment now, const Request *q, const IkePayloads *payloads) {
    if (q->task == TASK_DELETE_CHILD)
        child_delete_done(sa, q->child, now);
    else if (q->task == TASK_LIVENESS)
        sa->mobility.wanted |= sa->mobility.supported && sa->nat_local && nat_detection_changed(sa, payloads);
    else if (q->task == TASK_ADDRESS && !sa->mobility.wanted) /* else they have changed again */
        address_answered(sa, payloads);
}

/* The gateway's request -----------------------------------------------------------------------------------
 */

/* RFC 1918, RFC 6598, RFC 4193, and what reaches no further than a link. */
static bool address_is_private(const Address *a) {
    const uint8_t *b = a->bytes;

    if (a->family == AF_INET)
        return b[0] == 10 || b[0] == 127 || (b[0] == 172 && b[1] >> 4 == 1) || (b[0] == 192 && b[1] == 168) ||
               (b[0] == 169 && b[1] == 254) || (b[0] == 100 && b[1] >> 6 == 1) || b[0] == 0 || b[0] >= 224;
    return b[0] >> 1 == 0xfe >> 1 || b[0] >> 1 == 0xfc >> 1 || b[0] == 0xff || b[0] == 0;
}

/* Gateways name all addresses they have, those of the operator's network among them: of a gateway on the
 * internet only such on the internet count, or what is inner would be talked to outside. */
static bool other_is_usable(const IkeSa *sa, const Address *a) {
    return !address_is_private(a) || address_is_private(&sa->config.remote);
}

static void other_address_take(IkeSa *sa, const IkeNotify *n) {
    Mobility *m = &sa->mobility;
    int family = n->type == IKE_NOTIFY_ADDITIONAL_IP4_ADDRESS ? AF_INET : AF_INET6;

    if (n->size != address_size(family) || m->n_others == PEERS_MAX)
        return;
    Address a = address_from_bytes(family, n->data);
    if (other_is_usable(sa, &a))
        m->others[m->n_others++] = a;
}

/* RFC 4478 3: in seconds. */
static void lifetime_take(IkeSa *sa, Moment now, const IkeNotify *n) {
    Reader r = reader_new(n->data, n->size);
    usec_t lifetime = reader_u32(&r) * USEC_PER_SEC;

    if (!reader_done(&r) || lifetime == 0)
        return;
    sa->reauthenticate_at = now.mono + rekey_time(sa, MAX(lifetime, IKE_AUTH_LIFETIME_MIN));
    sa->reauthenticate_text = "the gateway limits how long it believes us";
}

void status_take(IkeSa *sa, Moment now, const IkeNotify *n) {
    switch (n->type) {
    case IKE_NOTIFY_AUTH_LIFETIME:
        lifetime_take(sa, now, n);
        return;
    case IKE_NOTIFY_ADDITIONAL_IP4_ADDRESS:
    case IKE_NOTIFY_ADDITIONAL_IP6_ADDRESS:
        other_address_take(sa, n);
        return;
    }
}

/* RFC 4555 3.6: each such message replaces what was said before. */
static void others_reset(IkeSa *sa, const IkePayloads *payloads) {
    IkeNotify n;

    if (ike_notify_find(payloads, IKE_NOTIFY_ADDITIONAL_IP4_ADDRESS, &n) ||
        ike_notify_find(payloads, IKE_NOTIFY_ADDITIONAL_IP6_ADDRESS, &n) ||
        ike_notify_find(payloads, IKE_NOTIFY_NO_ADDITIONAL_ADDRESSES, &n))
        sa->mobility.n_others = sa->mobility.tried = 0;
}

static void notifies_answer(IkeSa *sa, Moment now, const IkePayloads *payloads, IkeWriter *m) {
    const IkePayload *p;
    IkeNotify n;

    others_reset(sa, payloads);
    for (size_t i = 0; (p = ike_payloads_find(payloads, IKE_PAYLOAD_NOTIFY, i)); i++) {
        if (ike_notify_decode(p, &n) != 0)
            continue;
        if (n.type == IKE_NOTIFY_COOKIE2 && n.size >= 8 && n.size <= IKE_COOKIE_MAX)
            ike_notify_write(m, IKE_PROTOCOL_NONE, IKE_NOTIFY_COOKIE2, n.data, n.size);
        else if (n.type == IKE_NOTIFY_REDIRECT && sa->state == STATE_ESTABLISHED &&
                 redirect_read(sa, &n, NULL, 0))
            ike_sa_push(sa, (IkeAction){.type = IKE_REAUTHENTICATE,
                                        .reauthenticate = {"the gateway redirects us", true}});
        else
            status_take(sa, now, &n);
    }
}

Verdict informational_answer(IkeSa *sa, Generation *g, Moment now, const IkePayloads *payloads,
                             IkeWriter *m) {
    Verdict verdict = VERDICT_STAYS;
    const IkePayload *p;
    IkeDelete d;

    for (size_t i = 0; (p = ike_payloads_find(payloads, IKE_PAYLOAD_DELETE, i)); i++) {
        if (ike_delete_decode(p, &d) != 0)
            continue;
        if (d.protocol == IKE_PROTOCOL_IKE) /* 1.4.1: answered by an empty response */
            return VERDICT_GENERATION_DELETED;
        for (size_t k = 0; k < d.n_spis && d.protocol == IKE_PROTOCOL_ESP; k++) {
            Child *c = child_find_out(sa, d.spis[k]);
            if (sa->state == STATE_REVOCATION && d.spis[k] == sa->children[0].sa.spi_out)
                verdict = VERDICT_TUNNEL_DELETED;
            if (c && child_deleted(sa, c, now, m))
                verdict = VERDICT_TUNNEL_DELETED;
        }
    }
    if (g == sa->current)
        notifies_answer(sa, now, payloads, m);
    return verdict;
}
