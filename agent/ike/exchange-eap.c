/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The second authentication of IKE_AUTH: the hosting party by EAP-AKA, behind the box's certificate (RFC
 * 4739, RFC 7296 2.16, TS 33.320 7.3). CP, SA and TS come with the gateway's last AUTH, which the MSK makes.
 */
#include "ike/ike-sa-internal.h"

static const char key_pad[] = "Key Pad for IKEv2"; /* RFC 7296 2.15 */

static int hosting_send(IkeSa *sa, Moment now, Sealer *s, HostingStage next) {
    sa->hosting = next;
    return request_seal(sa, sa->current, now, s, TASK_SET_UP);
}

/* The gateway has proved who it is, the box too: now who lives there. */
static int identity_send(IkeSa *sa, Moment now) {
    _cleanup_(sealer_freep) Sealer *s =
        sealer_begin(sa->current, IKE_EXCHANGE_AUTH, false, sa->current->next_id);
    const char *identity = eap_aka_identity(sa->eap);

    if (!s)
        return -ENOMEM;
    ike_typed_blob_write(&s->m, IKE_PAYLOAD_IDI, IKE_ID_RFC822_ADDR, 3, identity, strlen(identity));
    return hosting_send(sa, now, TAKE_PTR(s), HOSTING_EAP);
}

static int response_send(IkeSa *sa, Moment now, const uint8_t *response, size_t size) {
    _cleanup_(sealer_freep) Sealer *s =
        sealer_begin(sa->current, IKE_EXCHANGE_AUTH, false, sa->current->next_id);

    if (!s)
        return -ENOMEM;
    ike_blob_write(&s->m, IKE_PAYLOAD_EAP, response, size);
    return hosting_send(sa, now, TAKE_PTR(s), HOSTING_EAP);
}

/* prf(prf(MSK, "Key Pad for IKEv2"), signed octets), RFC 7296 2.15, 2.16. *id*: the ID payload's body. */
static int msk_auth(IkeSa *sa, bool ours, const void *id, size_t id_size, uint8_t ret[static PRF_SIZE_MAX]) {
    const Transform *prf = sa->current->suite.by_type[IKE_TRANSFORM_PRF];
    uint8_t key[PRF_SIZE_MAX], mac[PRF_SIZE_MAX];
    struct iovec octets[3];

    int r = crypto_prf(prf, eap_aka_msk(sa->eap), EAP_MSK_BYTES,
                       &(struct iovec){(void *)key_pad, sizeof key_pad - 1}, 1, key);
    if (r == 0)
        r = auth_signed_octets(sa, ours, id, id_size, mac, octets);
    if (r == 0)
        r = crypto_prf(prf, key, prf->key_size, octets, ARRAY_SIZE(octets), ret);
    explicit_bzero(key, sizeof key);
    explicit_bzero(mac, sizeof mac);
    return r;
}

static int msk_auth_send(IkeSa *sa, Moment now) {
    _cleanup_(sealer_freep) Sealer *s =
        sealer_begin(sa->current, IKE_EXCHANGE_AUTH, false, sa->current->next_id);
    uint8_t id[4 + NAI_MAX_BYTES] = {IKE_ID_RFC822_ADDR}, auth[PRF_SIZE_MAX];
    const char *identity = eap_aka_identity(sa->eap);

    if (!s)
        return -ENOMEM;
    memcpy(id + 4, identity, strlen(identity));
    int r = msk_auth(sa, true, id, 4 + strlen(identity), auth);
    if (r < 0)
        return r;
    ike_typed_blob_write(&s->m, IKE_PAYLOAD_AUTH, IKE_AUTH_SHARED_KEY, 3, auth,
                         sa->current->suite.by_type[IKE_TRANSFORM_PRF]->key_size);
    explicit_bzero(auth, sizeof auth);
    return hosting_send(sa, now, TAKE_PTR(s), HOSTING_AUTH);
}

/* The gateway's last AUTH is of the MSK and of the IDr it had with its certificate. */
static bool msk_auth_is_good(IkeSa *sa, const IkePayload *payload) {
    size_t size = sa->current->suite.by_type[IKE_TRANSFORM_PRF]->key_size;
    uint8_t auth[PRF_SIZE_MAX], method;
    Reader data;

    bool good = ike_auth_decode(payload, &method, &data) == 0 && method == IKE_AUTH_SHARED_KEY &&
                data.left == size && msk_auth(sa, false, sa->idr.data, sa->idr.size, auth) == 0 &&
                crypto_equal(auth, data.data, size);
    explicit_bzero(auth, sizeof auth);
    return good;
}

static void failed(IkeSa *sa, int error) {
    ike_sa_end(sa, IKE_END_FAILED, "the hosting party could not be authenticated: %s", strerror(-error));
}

bool hosting_accept(IkeSa *sa, const IkePayloads *payloads) {
    const IkePayload *idr = ike_payloads_find(payloads, IKE_PAYLOAD_IDR, 0);

    if (ike_payloads_find(payloads, IKE_PAYLOAD_SA, 0) || ike_payloads_find(payloads, IKE_PAYLOAD_EAP, 0)) {
        ike_sa_refuse(sa, IKE_END_UNACCEPTABLE,
                      "the gateway does not wait for the hosting party's authentication");
        return false;
    }
    if (blob_copy(&sa->idr, idr->data, idr->size) < 0) {
        ike_sa_refuse(sa, IKE_END_FAILED, "out of memory");
        return false;
    }
    return true;
}

void hosting_begin(IkeSa *sa, Moment now) {
    ike_sa_set_state(sa, STATE_AUTH);
    int r = eap_aka_new(&sa->eap, sa->config.usim, sa->config.realm);
    if (r == 0)
        r = identity_send(sa, now);
    if (r < 0) /* the gateway waits for us: it is told */
        ike_sa_refuse(sa, IKE_END_FAILED, "hosting party: USIM %s: %s", sa->config.usim->name, strerror(-r));
}

static void eap_response(IkeSa *sa, Moment now, const IkePayload *payload) {
    uint8_t response[EAP_RESPONSE_MAX];
    size_t size = 0;
    int r = eap_aka_input(sa->eap, payload->data, payload->size, response, &size);

    if (r == EAP_CONTINUE)
        r = response_send(sa, now, response, size);
    else if (r == EAP_DONE)
        r = msk_auth_send(sa, now);
    explicit_bzero(response, sizeof response);
    if (r == EAP_REFUSED) /* EAP-Failure: the gateway has no SA that could be deleted (2.21.2) */
        ike_sa_end(sa, IKE_END_REFUSED, "hosting party: %s", eap_aka_text(sa->eap));
    else if (r == EAP_DISCARDED)
        ike_sa_refuse(sa, IKE_END_UNACCEPTABLE, "hosting party: %s", eap_aka_text(sa->eap));
    else if (r < 0)
        failed(sa, r);
}

/* What a notify alone says, with what EAP had said before. */
static void refused(IkeSa *sa, unsigned error) {
    const char *text = eap_aka_text(sa->eap);

    ike_sa_end(sa, IKE_END_REFUSED, "the gateway answered the hosting party's IKE_AUTH with %s%s%s",
               NOTIFY_TEXT(error), *text ? ": " : "", text);
}

void hosting_response(IkeSa *sa, Moment now, const IkePayloads *payloads) {
    const IkePayload *eap = ike_payloads_find(payloads, IKE_PAYLOAD_EAP, 0),
                     *auth = ike_payloads_find(payloads, IKE_PAYLOAD_AUTH, 0);
    unsigned error = ike_notify_error(payloads);

    if (sa->hosting == HOSTING_EAP && eap)
        eap_response(sa, now, eap);
    else if (sa->hosting == HOSTING_AUTH && auth && !eap) {
        if (msk_auth_is_good(sa, auth))
            auth_proved(sa, now, payloads);
        else
            ike_sa_refuse(sa, IKE_END_UNTRUSTED,
                          "gateway not trusted: its AUTH is not of the hosting party's keys");
        hosting_forget(sa);
    } else if (error)
        refused(sa, error);
    else
        ike_sa_refuse(sa, IKE_END_UNACCEPTABLE, "the gateway's IKE_AUTH has no %s for the hosting party",
                      sa->hosting == HOSTING_EAP ? "EAP" : "AUTH");
}

void hosting_forget(IkeSa *sa) {
    eap_aka_free(TAKE_PTR(sa->eap));
    blob_free(&sa->idr);
}
