/* SPDX-License-Identifier: GPL-3.0-or-later */
/* IKE_AUTH (RFC 7296 1.2, appendix C.2): both ends prove who they are, and the first Child SA comes along. */
#include <stdio.h>

#include "ike/ike-sa-internal.h"
#include "ike/selectors.h"

/* Signatures ----------------------------------------------------------------------------------------------
 */

/* 2.15: message | nonce of the other side | prf(SK_p, ID payload without its generic header). */
int auth_signed_octets(const IkeSa *sa, bool ours, const uint8_t *id, size_t id_size,
                       uint8_t mac[static PRF_SIZE_MAX], struct iovec ret[static 3]) {
    const Transform *prf = sa->current->suite.by_type[IKE_TRANSFORM_PRF];
    const Blob *message = ours ? &sa->init_request : &sa->init_response;
    int r = crypto_prf(prf, ours ? sa->current->keys.sk_pi : sa->current->keys.sk_pr, prf->key_size,
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
    int r = auth_signed_octets(sa, true, id, id_size, mac, octets);
    if (r == 0)
        r = auth_sign(c->key, sa->peer_hashes, octets, 3, &sa->config.rng, &method, data, &size);
    explicit_bzero(mac, sizeof mac);
    if (r < 0)
        return r;
    ike_typed_blob_write(m, IKE_PAYLOAD_AUTH, method, 3, data, size);
    return 0;
}

/* The request ---------------------------------------------------------------------------------------------
 */

static void certreq_write(const IkeSa *sa, IkeWriter *m) {
    const TrustStore *trust = sa->config.trust;

    ike_typed_blob_write(m, IKE_PAYLOAD_CERTREQ, IKE_CERT_X509_SIGNATURE, 0, trust->key_hashes,
                         trust->n * sizeof trust->key_hashes[0]);
    if (sa->config.check_revocation) /* RFC 4806 3.1: any responder will do, its certificate is looked at */
        ike_typed_blob_write(m, IKE_PAYLOAD_CERTREQ, IKE_CERT_OCSP, 0, NULL, 0);
}

/* IDi, CERT+, N(INITIAL_CONTACT), CERTREQ+, AUTH, CP(CFG_REQUEST), SA, TSi, TSr, N(MOBIKE_SUPPORTED). No IDr:
 * which identity we expect is checked on the certificate, and a gateway's own notion of its ID must not
 * matter. */
static int auth_request_write(IkeSa *sa, const Child *child, IkeWriter *m) {
    const Credential *c = sa->config.credential;
    TrafficSelector any[2];

    ike_typed_blob_write(m, IKE_PAYLOAD_IDI, IKE_ID_FQDN, 3, c->identity, strlen(c->identity));
    for (size_t i = 0; i < c->n; i++)
        ike_typed_blob_write(m, IKE_PAYLOAD_CERT, IKE_CERT_X509_SIGNATURE, 0, c->chain[i].data,
                             c->chain[i].size);
    if (!sa->config.successor)
        ike_notify_write(m, IKE_PROTOCOL_NONE, IKE_NOTIFY_INITIAL_CONTACT, NULL, 0);
    certreq_write(sa, m);
    int r = auth_write(sa, m);
    if (r < 0)
        return r;
    ike_cp_request_write(m, &sa->config.inner);
    sa->n_esp_offered = proposals_child(&sa->esp_proposals, PFS_NO, 0, child->sa.spi_in, sa->esp_offered);
    ike_sa_payload_write(m, sa->esp_offered, sa->n_esp_offered);
    size_t n = selectors_any(any);
    ike_ts_write(m, IKE_PAYLOAD_TSI, any, n);
    ike_ts_write(m, IKE_PAYLOAD_TSR, any, n);
    if (sa->local.port == IKE_NAT_PORT)
        ike_notify_write(m, IKE_PROTOCOL_NONE, IKE_NOTIFY_MOBIKE_SUPPORTED, NULL, 0);
    if (sa->config.usim) { /* RFC 4739 3.1 */
        ike_notify_write(m, IKE_PROTOCOL_NONE, IKE_NOTIFY_MULTIPLE_AUTH_SUPPORTED, NULL, 0);
        ike_notify_write(m, IKE_PROTOCOL_NONE, IKE_NOTIFY_ANOTHER_AUTH_FOLLOWS, NULL, 0);
    }
    return 0;
}

int auth_start(IkeSa *sa, Moment now) {
    _cleanup_(sealer_freep) Sealer *s = NULL;
    const Child *child = child_reserve(sa);

    if (!child)
        return -ENOSPC;
    ike_sa_set_state(sa, STATE_AUTH);
    s = sealer_begin(sa->current, IKE_EXCHANGE_AUTH, false, sa->current->next_id);
    if (!s)
        return -ENOMEM;
    int r = auth_request_write(sa, child, &s->m);
    return r < 0 ? r : request_seal(sa, sa->current, now, TAKE_PTR(s), TASK_SET_UP);
}

/* Who the gateway is --------------------------------------------------------------------------------------
 */

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

/* Its certificates, and the OCSP responses it sent along (RFC 4806). */
static size_t certs_collect(IkeSa *sa, const IkePayloads *payloads, Reader ret[static CHAIN_MAX]) {
    const IkePayload *p;
    uint8_t encoding;
    size_t n = 0;
    Reader data;

    for (size_t i = 0; (p = ike_payloads_find(payloads, IKE_PAYLOAD_CERT, i)); i++) {
        if (ike_cert_decode(p, &encoding, &data) != 0)
            continue;
        if (encoding == IKE_CERT_X509_SIGNATURE && n < CHAIN_MAX)
            ret[n++] = data;
        else if (encoding == IKE_CERT_OCSP && sa->n_ocsp < OCSP_MAX && sa->config.check_revocation &&
                 blob_copy(&sa->ocsp[sa->n_ocsp], data.data, data.left) == 0)
            sa->n_ocsp++;
    }
    return n;
}

/* When a certificate that is in use should be replaced by what its owner may have by then: well before its
 * end, and at the latest then. */
static usec_t renewal(IkeSa *sa, usec_t now, usec_t not_after) {
    usec_t left = not_after > now ? not_after - now : 0;

    if (left == 0)
        return USEC_NEVER;
    if (left < IKE_RENEWAL_LEAST)
        return not_after;
    return not_after - left / 10 - rng_below(&sa->config.rng, left / 10 + 1);
}

static void renewal_set(IkeSa *sa, Moment now, const Certificate *peer) {
    const Credential *c = sa->config.credential;
    usec_t at = renewal(sa, now.real, peer->not_after);
    Certificate own;

    if (x509_parse(c->chain[0].data, c->chain[0].size, &own) == 0)
        at = MIN(at, renewal(sa, now.real, own.not_after));
    sa->reauthenticate_real = at;
    sa->reauthenticate_text = "a certificate in use comes to its end";
}

/* Proves that the gateway is who it must be. 0, or the SA has been told to end. */
static int auth_check_peer(IkeSa *sa, Moment now, const IkePayloads *payloads, const IkePayload *idr,
                           const IkePayload *auth) {
    uint8_t id_type, method, mac[PRF_SIZE_MAX];
    Reader chain[CHAIN_MAX], id, data;
    char verdict[ERROR_MAX_BYTES];
    struct iovec octets[3];
    Certificate certificate;
    size_t n = certs_collect(sa, payloads, chain);

    sa->undated = sa->config.clock_lenient && now.real < sa->config.clock_floor;
    if (ike_id_decode(idr, &id_type, &id) != 0 || ike_auth_decode(auth, &method, &data) != 0) {
        ike_sa_refuse(sa, IKE_END_UNACCEPTABLE, "the gateway's IKE_AUTH is malformed");
        return -EBADMSG;
    }
    int r = certificate_verify(sa->config.trust, chain, n, sa->config.identity,
                               sa->undated ? CERTIFICATE_UNDATED : now.real, &certificate, verdict);
    if (r == 0 && !id_matches(&certificate, id_type, id)) {
        snprintf(verdict, sizeof verdict,
                 "the gateway's IKE identity (type %u) does not stand in its certificate of %s (expected "
                 "identity: %s)",
                 id_type, x509_format_names(&certificate, (char[256]){0}, 256), sa->config.identity);
        r = IKE_NOTIFY_AUTHENTICATION_FAILED;
    }
    if (r == 0)
        r = auth_signed_octets(sa, false, idr->data, idr->size, mac, octets);
    if (r == 0)
        r = auth_verify(&certificate, method, data, octets, 3, verdict);
    explicit_bzero(mac, sizeof mac);
    if (r == 0)
        r = peer_chain_keep(&sa->chain, chain, n);
    if (r == 0 && !sa->undated)
        renewal_set(sa, now, &certificate);
    if (r > 0)
        ike_sa_refuse(sa, IKE_END_UNTRUSTED, "gateway not trusted: %s", verdict);
    else if (r < 0)
        ike_sa_refuse(sa, IKE_END_FAILED, "the gateway could not be authenticated: %s", strerror(-r));
    return r;
}

void auth_judge_dates(IkeSa *sa, Moment now) {
    char verdict[ERROR_MAX_BYTES];
    Certificate certificate;

    if (sa->state != STATE_ESTABLISHED || !sa->undated || now.real < sa->config.clock_floor)
        return;
    sa->undated = false;
    int r = peer_chain_verify(&sa->chain, sa->config.trust, sa->config.identity, now.real, verdict);
    crypto_forget_caches();
    if (r == 0 &&
        x509_parse(sa->chain.certificates[0].data, sa->chain.certificates[0].size, &certificate) == 0)
        renewal_set(sa, now, &certificate);
    if (r == 0 && sa->config.check_revocation)
        ike_sa_reauthenticate(sa, now, "the time is known now, and revocation is judged by it");
    if (r > 0)
        ike_sa_refuse(sa, IKE_END_UNTRUSTED, "gateway not trusted now that the time is known: %s", verdict);
    else if (r < 0)
        ike_sa_refuse(sa, IKE_END_FAILED, "the gateway's certificate could not be verified again: %s",
                      strerror(-r));
    ike_sa_proceed(sa, now);
}

/* What comes along ----------------------------------------------------------------------------------------
 */

/* Takes over CP, SA, TSi and TSr. NULL, or what is wrong with them. */
static const char *child_accept(IkeSa *sa, Child *c, const IkePayloads *payloads) {
    const IkePayload *cp = ike_payloads_find(payloads, IKE_PAYLOAD_CP, 0),
                     *sa_payload = ike_payloads_find(payloads, IKE_PAYLOAD_SA, 0),
                     *tsi = ike_payloads_find(payloads, IKE_PAYLOAD_TSI, 0),
                     *tsr = ike_payloads_find(payloads, IKE_PAYLOAD_TSR, 0);
    const Generation *g = sa->current;
    ChildSa *child = &c->sa;
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
    if (child_keys_derive(&g->suite, &g->keys, &esp, NULL, 0, &sa->nonces, &child->keys_out,
                          &child->keys_in) < 0)
        return "ESP keys could not be derived";
    child_fill(sa, c, &esp);
    return NULL;
}

/* What the gateway says about the SA beside its parts. */
static void notifies_take(IkeSa *sa, Moment now, const IkePayloads *payloads) {
    const IkePayload *p;
    IkeNotify n;

    for (size_t i = 0; (p = ike_payloads_find(payloads, IKE_PAYLOAD_NOTIFY, i)); i++)
        if (ike_notify_decode(p, &n) == 0) {
            sa->mobility.supported |= n.type == IKE_NOTIFY_MOBIKE_SUPPORTED && sa->local.port == IKE_NAT_PORT;
            status_take(sa, now, &n);
        }
}

static void established(IkeSa *sa, Moment now) {
    Child *c = sa->children;
    usec_t lifetime = sa->config.ike_lifetime ?: IKE_LIFETIME_DEFAULT;

    blob_free(&sa->init_request);
    blob_free(&sa->init_response);
    explicit_bzero(&sa->nonces, sizeof sa->nonces);
    crypto_forget_caches();
    sa->expires = now.mono + lifetime;
    sa->rekey_at = now.mono + rekey_time(sa, lifetime);
    sa->traffic_at = now.mono + IKE_TRAFFIC_INTERVAL;
    sa->deaf_at = now.mono;
    child_begin(sa, c, now);
    c->parts = CHILD_IN | CHILD_OUT;
    ike_sa_set_state(sa, STATE_ESTABLISHED);
    ike_sa_push(sa, (IkeAction){.type = IKE_CHILD_UP, .up = {&c->sa, &sa->configuration, sa->undated}});
}

void ike_sa_revocation(IkeSa *sa, Moment now, bool good, const char *text) {
    if (sa->state != STATE_REVOCATION)
        return;
    if (!good)
        ike_sa_refuse(sa, IKE_END_UNTRUSTED, "gateway not trusted: %s", text);
    else if (sa->config.usim && sa->hosting == HOSTING_NONE)
        hosting_begin(sa, now);
    else
        established(sa, now);
    ike_sa_proceed(sa, now);
}

/* Before anything is told to the gateway that a thief of its key should not know. */
static void revocation_ask(IkeSa *sa, Moment now) {
    ike_sa_set_state(sa, STATE_REVOCATION);
    if (sa->config.check_revocation)
        ike_sa_push(sa,
                    (IkeAction){.type = IKE_REVOCATION, .revocation = {&sa->chain, sa->ocsp, sa->n_ocsp}});
    else
        ike_sa_revocation(sa, now, true, "");
}

void auth_proved(IkeSa *sa, Moment now, const IkePayloads *payloads) {
    unsigned error = ike_notify_error(payloads);
    IkeNotify n;

    if (ike_notify_find(payloads, IKE_NOTIFY_REDIRECT, &n) && redirect_read(sa, &n, NULL, 0)) {
        ike_sa_refuse(sa, IKE_END_REDIRECTED, "the gateway redirects to %s", sa->redirect_text);
        return;
    }
    /* Beside a Child SA it is about the one inner family that the gateway does not give (3.15.4). */
    if (error &&
        !(error == IKE_NOTIFY_INTERNAL_ADDRESS_FAILURE && ike_payloads_find(payloads, IKE_PAYLOAD_SA, 0))) {
        ike_sa_refuse(sa, IKE_END_REFUSED, "the gateway refused the Child SA with %s", NOTIFY_TEXT(error));
        return;
    }
    if (sa->config.usim && sa->hosting == HOSTING_NONE) {
        if (hosting_accept(sa, payloads))
            revocation_ask(sa, now);
        return;
    }
    notifies_take(sa, now, payloads);
    const char *problem = child_accept(sa, sa->children, payloads);
    if (problem) {
        ike_sa_refuse(sa, IKE_END_UNACCEPTABLE, "%s", problem);
        return;
    }
    if (sa->hosting == HOSTING_NONE)
        revocation_ask(sa, now);
    else /* that was before the hosting party was named */
        established(sa, now);
}

void auth_response(IkeSa *sa, Moment now, const IkePayloads *payloads) {
    const IkePayload *idr = ike_payloads_find(payloads, IKE_PAYLOAD_IDR, 0),
                     *auth = ike_payloads_find(payloads, IKE_PAYLOAD_AUTH, 0);
    unsigned error = ike_notify_error(payloads);

    if (sa->hosting != HOSTING_NONE) {
        hosting_response(sa, now, payloads);
    } else if (idr && auth) {
        if (auth_check_peer(sa, now, payloads, idr, auth) == 0)
            auth_proved(sa, now, payloads);
    } else if (error) /* the gateway has no SA that could be deleted (2.21.2) */
        ike_sa_end(sa, IKE_END_REFUSED, "the gateway answered IKE_AUTH with %s", NOTIFY_TEXT(error));
    else
        ike_sa_refuse(sa, IKE_END_UNACCEPTABLE, "the gateway's IKE_AUTH has no %s",
                      ike_payloads_find(payloads, IKE_PAYLOAD_EAP, 0) ? "AUTH but EAP, which is not supported"
                      : idr                                           ? "AUTH"
                                                                      : "IDr");
}
