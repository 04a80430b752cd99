/* SPDX-License-Identifier: GPL-3.0-or-later */
/* IKE_AUTH of the responder: certificates, then EAP where RFC 4739's second round is wanted, and in the last
 * answer configuration, selectors and the first Child SA. */
#include "responder-internal.h"

static void octets_make(ResponderIke *ike, bool ours, const uint8_t *id, size_t id_size,
                        uint8_t mac[static PRF_SIZE_MAX], struct iovec ret[static 3]) {
    const Transform *prf = ike->suite.by_type[IKE_TRANSFORM_PRF];
    Message *m = ours ? &ike->init_response : &ike->init_request;

    ck_assert_int_eq(crypto_prf(prf, ours ? ike->keys.sk_pr : ike->keys.sk_pi, prf->key_size,
                                &(struct iovec){(void *)id, id_size}, 1, mac),
                     0);
    ret[0] = (struct iovec){m->bytes, m->size};
    ret[1] = ours ? (struct iovec){ike->nonces.i, ike->nonces.i_size}
                  : (struct iovec){ike->nonces.r, ike->nonces.r_size};
    ret[2] = (struct iovec){mac, prf->key_size};
}

/* Whether the initiator proved to hold the key of the certificate it sent. */
static bool peer_verify(Responder *r, ResponderIke *ike, const IkePayloads *payloads) {
    const IkePayload *id = ike_payloads_find(payloads, IKE_PAYLOAD_IDI, 0),
                     *auth = ike_payloads_find(payloads, IKE_PAYLOAD_AUTH, 0), *p;
    uint8_t encoding, mac[PRF_SIZE_MAX], type;
    char verdict[ERROR_MAX_BYTES];
    Certificate certificate = {};
    struct iovec octets[3];
    Reader data;

    ck_assert(id && auth);
    r->peer_certificates = 0;
    for (size_t i = 0; (p = ike_payloads_find(payloads, IKE_PAYLOAD_CERT, i)); i++) {
        ck_assert_int_eq(ike_cert_decode(p, &encoding, &data), 0);
        ck_assert_uint_eq(encoding, IKE_CERT_X509_SIGNATURE);
        if (r->peer_certificates++ == 0)
            ck_assert_int_eq(x509_parse(data.data, data.left, &certificate), 0);
    }
    ck_assert_int_eq(ike_id_decode(id, &type, &data), 0);
    ck_assert(type == IKE_ID_FQDN && data.left < sizeof r->peer_id);
    memcpy(r->peer_id, data.data, r->peer_id_size = data.left);
    memcpy(ike->identity, id->data, ike->identity_size = id->size);
    octets_make(ike, false, id->data, id->size, mac, octets);
    ck_assert_int_eq(ike_auth_decode(auth, &r->peer_auth_method, &data), 0);
    return auth_verify(&certificate, r->peer_auth_method, data, octets, 3, verdict) == 0;
}

static size_t idr_make(const Switches *s, uint8_t id[static 4 + HOST_MAX_BYTES]) {
    const char *name = s->id ?: "segw.operator.example";
    size_t size = s->id_type ? s->id_data.size : strlen(name);

    memset(id, 0, 4);
    id[0] = s->id_type ?: IKE_ID_FQDN;
    memcpy(id + 4, s->id_type ? s->id_data.data : (const uint8_t *)name, size);
    return 4 + size;
}

static void cert_and_auth_write(Responder *r, ResponderIke *ike, IkeWriter *m) {
    const Switches *s = &r->switches;
    uint8_t id[4 + HOST_MAX_BYTES], mac[PRF_SIZE_MAX], data[AUTH_MAX], method;
    size_t id_size = idr_make(s, id), size, n;
    struct iovec octets[3];

    if (!s->no_idr)
        ike_typed_blob_write(m, IKE_PAYLOAD_IDR, id[0], 3, id + 4, id_size - 4);
    if (s->unknown_payloads) { /* the reserved bytes count for AUTH (2.15) */
        id[1] = m->w.data[m->payload + 5] = 0x55;
    }
    const Blob *chain = s->chain ? s->chain->der : s->credential->chain;
    n = s->chain ? s->chain->n : s->credential->n;
    for (size_t i = 0; i < n; i++)
        ike_typed_blob_write(m, IKE_PAYLOAD_CERT, IKE_CERT_X509_SIGNATURE, 0, chain[i].data, chain[i].size);
    if (s->ocsp && r->peer_certreq_ocsp)
        ike_typed_blob_write(m, IKE_PAYLOAD_CERT, CERT_OCSP, 0, s->ocsp->data, s->ocsp->size);

    octets_make(ike, true, id, id_size, mac, octets);
    ck_assert_int_eq(auth_sign(s->credential->key, s->classic_auth ? 0 : ike->peer_hashes, octets, 3, &r->rng,
                               &method, data, &size),
                     0);
    if (s->bad_auth)
        data[size - 1] ^= 1;
    if (!s->no_auth)
        ike_typed_blob_write(m, IKE_PAYLOAD_AUTH, method, 3, data, size);
}

static void cp_addresses_write(Writer *w, const char *const texts[3], uint16_t v4_type, uint16_t v6_type,
                               bool v6_prefix) {
    for (size_t i = 0; i < 3 && texts[i]; i++) {
        Address a;
        ck_assert_int_eq(address_parse(texts[i], &a), 0);
        size_t size = address_size(a.family);
        bool prefix = a.family == AF_INET6 && v6_prefix;
        writer_u16(w, a.family == AF_INET6 ? v6_type : v4_type);
        writer_u16(w, (uint16_t)(size + prefix));
        writer_bytes(w, a.bytes, size);
        if (prefix)
            writer_u8(w, 64);
    }
}

static const char *const *inner_addresses(const Responder *r) {
    static const char *const defaults[3] = {"10.1.0.7"};
    return r->switches.inner[0] ? r->switches.inner : defaults;
}

static void cp_write(Responder *r, IkeWriter *m) {
    static const char *const dns[3] = {"10.0.0.53"};
    const Switches *s = &r->switches;
    uint8_t buffer[256];
    Writer w = writer_new(buffer, sizeof buffer);

    writer_u32(&w, (uint32_t)IKE_CFG_REPLY << 24);
    cp_addresses_write(&w, inner_addresses(r), IKE_CP_INTERNAL_IP4_ADDRESS, IKE_CP_INTERNAL_IP6_ADDRESS,
                       true);
    cp_addresses_write(&w, s->dns[0] ? s->dns : dns, IKE_CP_INTERNAL_IP4_DNS, IKE_CP_INTERNAL_IP6_DNS, false);
    if (s->refuses) {
        bool v6 = s->refuses == AF_INET6;
        writer_u32(&w, (uint32_t)(v6 ? IKE_CP_INTERNAL_IP6_ADDRESS : IKE_CP_INTERNAL_IP4_ADDRESS) << 16);
        writer_u32(&w, (uint32_t)(v6 ? IKE_CP_INTERNAL_IP6_DNS : IKE_CP_INTERNAL_IP4_DNS) << 16);
    }
    writer_u32(&w, 7 << 16 | 3); /* APPLICATION_VERSION, which nobody asked for */
    writer_bytes(&w, "gw1", 3);
    ike_blob_write(m, IKE_PAYLOAD_CP, buffer, w.len);
}

void gw_ts_write(Responder *r, IkeWriter *m, bool own) {
    const char *const only[3] = {r->switches.ts_local};
    const char *const *locals = r->switches.ts_local ? only : inner_addresses(r);
    TrafficSelector near[3], far[3];
    size_t n_near = 0, n_far = 0;

    for (size_t i = 0; i < 3 && locals[i]; i++) {
        TrafficSelector ts = {.port_max = UINT16_MAX};
        ck_assert_int_eq(address_parse(locals[i], &ts.address), 0);
        int family = ts.address.family;
        TrafficSelector any = {.address = {.family = family}, .port_max = UINT16_MAX};
        if (family == r->switches.without_ts)
            continue;
        if (r->switches.narrow && family == AF_INET) {
            any.address.bytes[0] = 10;
            any.prefix = 8;
        }
        ts.prefix = (uint8_t)(8 * address_size(family));
        near[n_near++] = r->switches.ts_wide ? any : ts;
        if (family != r->switches.without_tsr)
            far[n_far++] = any;
    }
    if (own) { /* an exchange that the responder starts */
        ike_ts_write(m, IKE_PAYLOAD_TSI, far, n_far);
        ike_ts_write(m, IKE_PAYLOAD_TSR, near, n_near);
        return;
    }
    ike_ts_write(m, IKE_PAYLOAD_TSI, near, n_near);
    ike_ts_write(m, IKE_PAYLOAD_TSR, far, n_far);
    if (r->switches.ts_odd)
        m->w.data[m->w.len - 1] = 0xfe; /* 0.0.0.0 to 255.255.255.254 */
}

static void child_write(Responder *r, ResponderIke *ike, const IkePayloads *payloads, IkeWriter *m) {
    const IkePayload *sa = ike_payloads_find(payloads, IKE_PAYLOAD_SA, 0);
    IkeProposal offered[IKE_PROPOSALS_MAX], chosen;
    size_t n_offered;

    ck_assert_ptr_nonnull(sa);
    ck_assert_int_eq(ike_sa_payload_decode(sa, offered, &n_offered), 0);
    for (size_t i = 0; i < n_offered; i++) /* 1.2: no group in IKE_AUTH */
        for (size_t t = 0; t < offered[i].n_transforms; t++)
            ck_assert(offered[i].transforms[t].type != IKE_TRANSFORM_DH || offered[i].transforms[t].id == 0);
    ck_assert(gw_choose(r, offered, n_offered, r->switches.esp_proposal ?: 1, 0, &chosen));
    Suite esp = gw_chosen_suite(&chosen);
    ResponderChild *child = gw_child_add(r, ike);
    child->sa.spi_out = (uint32_t)offered[0].spi;
    child->sa.algorithms = suite_esp_algorithms(&esp);
    child->nonces = ike->nonces;
    child->esp = esp;
    chosen.spi = r->switches.esp_zero_spi ? 0 : child->sa.spi_in;
    /* The initiator's outbound keys are our inbound ones. */
    ck_assert_int_eq(child_keys_derive(&ike->suite, &ike->keys, &esp, NULL, 0, &ike->nonces,
                                       &child->sa.keys_in, &child->sa.keys_out),
                     0);
    gw_child_use(r, child);
    if (r->switches.esp_foreign)
        chosen.transforms[0].key_bits = 192;
    if (!r->switches.no_cp)
        cp_write(r, m);
    ike_sa_payload_write(m, &chosen, 1);
    gw_ts_write(r, m, false);
}

/* RFC 4555 3.1, 3.4 */
static void mobike_write(Responder *r, ResponderIke *ike, const IkePayloads *payloads, IkeWriter *m) {
    IkeNotify n;

    ike->mobike = r->switches.mobike && gw_find_notify(payloads, NOTIFY_MOBIKE_SUPPORTED, &n);
    if (!ike->mobike)
        return;
    ike_notify_write(m, IKE_PROTOCOL_NONE, NOTIFY_MOBIKE_SUPPORTED, NULL, 0);
    gw_additional_write(r, m);
}

/* 2.4: the other SAs of this identity are remnants. */
static void initial_contact(Responder *r, ResponderIke *ike) {
    for (size_t i = 0; i < RESPONDER_IKES; i++) {
        ResponderIke *old = r->ike[i];
        if (old && old != ike && !r->switches.forgets_initial_contact &&
            (old->state == RESPONDER_ESTABLISHED || old->state == RESPONDER_REPLACED) &&
            old->identity_size == ike->identity_size &&
            memcmp(old->identity, ike->identity, ike->identity_size) == 0)
            gw_ike_drop(r, old);
    }
}

/* The last answer: everything is proved. */
static void auth_finish(Responder *r, ResponderIke *ike, const IkePayloads *payloads, IkeWriter *m) {
    const Switches *s = &r->switches;
    uint8_t seconds[] = {(uint8_t)(s->lifetime >> 24), (uint8_t)(s->lifetime >> 16),
                         (uint8_t)(s->lifetime >> 8), (uint8_t)s->lifetime};
    IkeNotify n;

    gw_ike_set_state(r, ike, RESPONDER_ESTABLISHED);
    if (gw_find_notify(payloads, IKE_NOTIFY_INITIAL_CONTACT, &n)) {
        r->init_contacts++;
        initial_contact(r, ike);
    }
    if (s->critical_auth)
        gw_unknown_payload_write(r, m, true);
    if (s->redirect_auth)
        gw_redirect_write(m, s->redirect_auth, NULL, 0);
    else if (s->child_error)
        ike_notify_write(m, IKE_PROTOCOL_NONE, (uint16_t)s->child_error, NULL, 0);
    else
        child_write(r, ike, payloads, m);
    if (s->child_notify)
        ike_notify_write(m, IKE_PROTOCOL_NONE, (uint16_t)s->child_notify, NULL, 0);
    if (s->lifetime)
        ike_notify_write(m, IKE_PROTOCOL_NONE, NOTIFY_AUTH_LIFETIME, seconds, sizeof seconds);
    mobike_write(r, ike, payloads, m);
    if (s->bad_inner)
        m->w.data[m->payload + 3] ^= 0x40;
}

static void auth_refuse(Responder *r, ResponderIke *ike, unsigned error, IkeWriter *m) {
    ike_notify_write(m, IKE_PROTOCOL_NONE, (uint16_t)error, NULL, 0);
    gw_ike_set_state(r, ike, RESPONDER_DELETED);
}

/* 2.16: AUTH of both sides is a MAC by a key derived from the MSK. */
static void msk_auth(ResponderIke *ike, bool ours, const uint8_t *id, size_t id_size, const uint8_t msk[64],
                     uint8_t ret[static PRF_SIZE_MAX]) {
    const Transform *prf = ike->suite.by_type[IKE_TRANSFORM_PRF];
    uint8_t mac[PRF_SIZE_MAX], key[PRF_SIZE_MAX];
    struct iovec octets[3];

    octets_make(ike, ours, id, id_size, mac, octets);
    ck_assert_int_eq(crypto_prf(prf, msk, 64, &(struct iovec){(void *)"Key Pad for IKEv2", 17}, 1, key), 0);
    ck_assert_int_eq(crypto_prf(prf, key, prf->key_size, octets, 3, ret), 0);
}

static void eap_input(Responder *r, ResponderIke *ike, const IkePayloads *payloads, IkeWriter *m) {
    const IkePayload *eap = ike_payloads_find(payloads, IKE_PAYLOAD_EAP, 0),
                     *id = ike_payloads_find(payloads, IKE_PAYLOAD_IDI, 0);
    uint8_t packet[1024];
    size_t size = 0;

    if (id) { /* RFC 4739 2: the identity of this round */
        ck_assert_uint_le(id->size, sizeof ike->identity);
        memcpy(ike->identity, id->data, ike->identity_size = id->size);
    }
    ck_assert(eap || id);
    ike->eap_done = r->switches.eap(r->switches.userdata, eap ? eap->data : NULL, eap ? eap->size : 0, packet,
                                    &size, ike->msk);
    ike_blob_write(m, IKE_PAYLOAD_EAP, packet, size);
}

static void eap_finish(Responder *r, ResponderIke *ike, const IkePayloads *payloads, IkeWriter *m) {
    const IkePayload *auth = ike_payloads_find(payloads, IKE_PAYLOAD_AUTH, 0);
    size_t size = ike->suite.by_type[IKE_TRANSFORM_PRF]->key_size;
    uint8_t expected[PRF_SIZE_MAX], id[4 + HOST_MAX_BYTES], method, unknown;
    IkePayloads first;
    Reader data;

    ck_assert(auth && payloads->n == 1);
    ck_assert_int_eq(ike_auth_decode(auth, &method, &data), 0);
    msk_auth(ike, false, ike->identity, ike->identity_size, ike->msk, expected);
    if (method != 2 || data.left != size || memcmp(data.data, expected, size) != 0) {
        r->peer_authenticated = false;
        auth_refuse(r, ike, IKE_NOTIFY_AUTHENTICATION_FAILED, m);
        return;
    }
    size_t id_size = idr_make(&r->switches, id);
    msk_auth(ike, true, id, id_size, ike->msk, expected);
    expected[0] ^= r->switches.bad_msk;
    ike_typed_blob_write(m, IKE_PAYLOAD_AUTH, 2, 3, expected, size);
    ck_assert_int_eq(ike_payloads_split(reader_new(ike->auth_request.bytes, ike->auth_request.size),
                                        ike->auth_first, &first, &unknown),
                     0);
    auth_finish(r, ike, &first, m);
}

/* CERTREQ of RFC 4806 3.1 */
static void certreqs_note(Responder *r, const IkePayloads *payloads) {
    const IkePayload *p;
    uint8_t encoding;
    Reader data;

    r->peer_certreq = r->peer_certreq_ocsp = false;
    r->peer_authorities = 0;
    for (size_t i = 0; (p = ike_payloads_find(payloads, IKE_PAYLOAD_CERTREQ, i)); i++) {
        ck_assert_int_eq(ike_cert_decode(p, &encoding, &data), 0);
        r->peer_certreq |= encoding == IKE_CERT_X509_SIGNATURE;
        if (encoding == IKE_CERT_X509_SIGNATURE) {
            ck_assert_uint_eq(data.left % 20, 0); /* 3.7: SHA-1 of each authority's key */
            r->peer_authorities += data.left / 20;
        }
        r->peer_certreq_ocsp |= encoding == CERT_OCSP;
    }
}

void gw_auth_input(Responder *r, ResponderIke *ike, const IkePayloads *payloads, const uint8_t *plain,
                   size_t plain_size, uint8_t first, IkeWriter *m) {
    const IkePayload *cp = ike_payloads_find(payloads, IKE_PAYLOAD_CP, 0);
    bool another;
    IkeNotify n;

    if (ike->rounds++ > 0) {
        if (ike->eap_done)
            eap_finish(r, ike, payloads, m);
        else
            eap_input(r, ike, payloads, m);
        return;
    }
    r->peer_authenticated = peer_verify(r, ike, payloads);
    certreqs_note(r, payloads);
    r->peer_asked_address = cp && cp->size > 4 && cp->data[0] == IKE_CFG_REQUEST;
    r->peer_asked = (Address){};
    if (r->peer_asked_address && cp->size >= 12 && cp->data[5] == IKE_CP_INTERNAL_IP4_ADDRESS &&
        cp->data[7] == 4)
        r->peer_asked = address_from_bytes(AF_INET, cp->data + 8);
    another = gw_find_notify(payloads, NOTIFY_ANOTHER_AUTH_FOLLOWS, &n);
    ck_assert(!another || gw_find_notify(payloads, NOTIFY_MULTIPLE_AUTH_SUPPORTED, &n)); /* RFC 4739 2 */
    ck_assert(!another || r->switches.multiple_auth);
    if (r->switches.auth_error) {
        auth_refuse(r, ike, r->switches.auth_error, m);
        return;
    }
    if (r->switches.multiple_auth && !another) {
        auth_refuse(r, ike, IKE_NOTIFY_AUTHENTICATION_FAILED, m);
        return;
    }
    cert_and_auth_write(r, ike, m);
    if (another) {
        memcpy(ike->auth_request.bytes, plain, ike->auth_request.size = plain_size);
        ike->auth_first = first;
    } else
        auth_finish(r, ike, payloads, m);
}
