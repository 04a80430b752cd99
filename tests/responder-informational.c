/* SPDX-License-Identifier: GPL-3.0-or-later */
/* INFORMATIONAL in both roles: deletes, liveness, MOBIKE (RFC 4555), redirects (RFC 5685). */
#include "responder-internal.h"

static void delete_ike(Responder *r, ResponderIke *ike) {
    r->deletes_ike++;
    /* 2.8.2: one that was being rekeyed by both is gone; what the initiator made inherits. */
    if (ike->peers_new && ike->peers_new->state == RESPONDER_ESTABLISHED)
        for (size_t i = 0; i < RESPONDER_CHILDREN; i++)
            if (r->children[i].state != CHILD_NONE && r->children[i].ike == ike)
                r->children[i].ike = ike->peers_new;
    gw_ike_drop(r, ike);
}

/* 1.4.1: the answer names the other halves, except of those whose DELETE is under way already. */
static void delete_children(Responder *r, ResponderIke *ike, const IkeDelete *d, IkeWriter *m) {
    uint32_t spis[IKE_SPIS_MAX];
    size_t n = 0;

    r->deletes_child++;
    for (size_t i = 0; i < d->n_spis; i++) {
        ResponderChild *child = gw_child_by_spi_out(r, d->spis[i]);
        if (!child || child->ike != ike || child->state == CHILD_GONE)
            continue;
        if (child->state == CHILD_ACTIVE)
            spis[n++] = child->sa.spi_in;
        gw_child_gone(r, child);
    }
    if (n > 0)
        ike_delete_write(m, IKE_PROTOCOL_ESP, spis, n);
}

static void children_move(Responder *r, ResponderIke *ike) {
    for (size_t i = 0; i < RESPONDER_CHILDREN; i++)
        if (r->children[i].state != CHILD_NONE && r->children[i].ike == ike) {
            r->children[i].sa.local = ike->local;
            r->children[i].sa.remote = ike->peer;
        }
}

/* RFC 4555 3.5 */
static void update_addresses(Responder *r, ResponderIke *ike, const Endpoint *from, IkeWriter *m) {
    r->updates++;
    if (r->switches.unacceptable_addresses) {
        ike_notify_write(m, IKE_PROTOCOL_NONE, NOTIFY_UNACCEPTABLE_ADDRESSES, NULL, 0);
        return;
    }
    gw_nat_notify(r, m, ike->spi_i, ike->spi_r, IKE_NOTIFY_NAT_DETECTION_SOURCE_IP, &r->local,
                  r->switches.nat_responder);
    gw_nat_notify(r, m, ike->spi_i, ike->spi_r, IKE_NOTIFY_NAT_DETECTION_DESTINATION_IP, from,
                  r->switches.nat_initiator);
    ike->peer = *from;
    ike->local = r->local;
    children_move(r, ike);
    if (!r->switches.no_routability)
        gw_want(r, ike, REQUEST_ROUTABILITY, 0, 0);
}

void gw_informational_input(Responder *r, ResponderIke *ike, const IkePayloads *payloads,
                            const Endpoint *from, IkeWriter *m) {
    const IkePayload *p;
    IkeDelete d;
    IkeNotify n;

    r->liveness += payloads->n == 0;
    for (size_t i = 0; (p = ike_payloads_find(payloads, IKE_PAYLOAD_DELETE, i)); i++) {
        ck_assert_int_eq(ike_delete_decode(p, &d), 0);
        if (d.protocol == IKE_PROTOCOL_IKE) {
            delete_ike(r, ike);
            return;
        }
        delete_children(r, ike, &d, m);
    }
    if (gw_find_notify(payloads, NOTIFY_UPDATE_SA_ADDRESSES, &n)) {
        ck_assert(ike->mobike);
        update_addresses(r, ike, from, m);
    }
    if (gw_find_notify(payloads, NOTIFY_COOKIE2, &n))
        ike_notify_write(m, IKE_PROTOCOL_NONE, NOTIFY_COOKIE2, n.data, n.size);
}

/* Its own ------------------------------------------------------------------------------------------------ */

void gw_additional_write(Responder *r, IkeWriter *m) {
    for (size_t i = 0; i < 3 && r->switches.additional[i]; i++) {
        Address a;
        ck_assert_int_eq(address_parse(r->switches.additional[i], &a), 0);
        ike_notify_write(m, IKE_PROTOCOL_NONE,
                         a.family == AF_INET ? NOTIFY_ADDITIONAL_IP4_ADDRESS : NOTIFY_ADDITIONAL_IP6_ADDRESS,
                         a.bytes, address_size(a.family));
    }
}

static void addresses_write(Responder *r, IkeWriter *m) {
    if (!r->switches.additional[0])
        ike_notify_write(m, IKE_PROTOCOL_NONE, NOTIFY_NO_ADDITIONAL_ADDRESSES, NULL, 0);
    gw_additional_write(r, m);
}

void gw_informational_request(Responder *r, ResponderIke *ike, ResponderRequest *q, IkeWriter *m) {
    ResponderChild *child;

    switch (q->type) {
    case REQUEST_DELETE_CHILD:
        child = responder_child(r, q->child);
        q->child = child->sa.spi_in;
        child->state = CHILD_DELETING;
        ike_delete_write(m, IKE_PROTOCOL_ESP, &q->child, 1);
        break;
    case REQUEST_DELETE_IKE:
        ike_delete_write(m, IKE_PROTOCOL_IKE, NULL, 0);
        break;
    case REQUEST_ROUTABILITY:
        r->rng.fill(r->rng.userdata, q->cookie2, sizeof q->cookie2);
        ike_notify_write(m, IKE_PROTOCOL_NONE, NOTIFY_COOKIE2, q->cookie2, sizeof q->cookie2);
        break;
    case REQUEST_REDIRECT:
        gw_redirect_write(m, q->target, NULL, 0);
        break;
    case REQUEST_ADDRESSES:
        addresses_write(r, m);
        break;
    case REQUEST_RAW:
    case REQUEST_LIVENESS:
    case REQUEST_NEW_CHILD:
    case REQUEST_REKEY_CHILD:
    case REQUEST_REKEY_IKE:
        break;
    }
}

void gw_informational_response(Responder *r, ResponderIke *ike, ResponderRequest *q,
                               const IkePayloads *payloads) {
    ResponderChild *child;
    IkeNotify n;

    if (q->type == REQUEST_DELETE_IKE)
        gw_ike_drop(r, ike);
    else if (q->type == REQUEST_DELETE_CHILD) {
        child = responder_child(r, q->child);
        if (child && child->state == CHILD_DELETING)
            gw_child_gone(r, child);
    } else if (q->type == REQUEST_ROUTABILITY) {
        bool good = gw_find_notify(payloads, NOTIFY_COOKIE2, &n) && n.size == sizeof q->cookie2 &&
                    memcmp(n.data, q->cookie2, n.size) == 0;
        r->cookies2_good += good;
        r->cookies2_bad += !good;
    }
}
