/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See eap-aka.h. Clauses are those of RFC 4187 unless said otherwise. */
#include "ike/eap-aka.h"

#include <stdarg.h>
#include <stdio.h>

#include "ike/crypto.h"
#include "ike/eap-aka-attributes.h"

#define AKA_MAC_SIZE 16 /* HMAC-SHA1-128: 10.15 */
#define RESERVED     2  /* bytes in front of most values */
/* All AKA-Identity packets one after the other: what AT_CHECKCODE is the hash of. */
#define IDENTITIES_MAX (EAP_AKA_IDENTITIES * (EAP_REQUEST_MAX + EAP_RESPONSE_MAX))

enum { /* 10.19 */
       NOTIFY_SUCCESS_BIT = 0x8000,
       NOTIFY_BEFORE_BIT = 0x4000, /* P: before the challenge round, without AT_MAC */
};

typedef enum AkaState {
    AKA_IDENTIFYING, /* nothing yet, or AKA-Identity */
    AKA_RESYNCING,   /* a synchronisation failure was sent */
    AKA_ANSWERED,    /* the challenge was genuine and is answered */
    AKA_CONFIRMED,   /* the server's protected success notification is acknowledged (6.2) */
    AKA_FAILED,      /* we have refused, or the server has: EAP-Failure is to come */
    AKA_OVER,        /* a verdict was given */
} AkaState;
#define IN(state) (1u << (state))

struct EapAka {
    const Usim *usim;
    char identity[NAI_MAX_BYTES];
    AkaState state;
    bool began;      /* there was a request of EAP-AKA: no other method any more (RFC 3748 2.1) */
    bool result_ind; /* protected success was agreed upon */
    bool notified;
    bool done;          /* success: the MSK may be had */
    uint8_t id_request; /* the last AT_*_ID_REQ, 0: none yet */
    unsigned rounds, resyncs;
    EapAkaKeys keys;
    char text[EAP_AKA_TEXT_MAX];

    uint8_t identities[IDENTITIES_MAX];
    size_t identities_size;

    /* The last request and our response to it. */
    bool responded;
    uint8_t identifier;
    uint8_t digest[SHA1_BYTES];
    uint8_t response[EAP_RESPONSE_MAX];
    size_t response_size;
};

/* A request of EAP-AKA being handled, and the response being written. */
typedef struct AkaRequest {
    const uint8_t *packet; /* whole */
    size_t size;
    uint8_t identifier;
    AkaAttributes attributes;
    Writer out;
} AkaRequest;

static const AkaValue *value_of(const AkaRequest *q, size_t index) {
    return &q->attributes.at[index];
}

static bool has(const AkaRequest *q, size_t index) {
    return value_of(q, index)->data;
}

/* The line for the log. The first reason of a failure stays. */
static void text_set(EapAka *e, const char *format, ...) _printf_(2, 3);
static void text_set(EapAka *e, const char *format, ...) {
    va_list ap;

    if (e->state == AKA_FAILED && *e->text)
        return;
    va_start(ap, format);
    vsnprintf(e->text, sizeof e->text, format, ap);
    va_end(ap);
}

static Writer aka_begin(EapAka *e, uint8_t identifier, uint8_t subtype) {
    Writer w = eap_begin(e->response, sizeof e->response, identifier, EAP_TYPE_AKA);

    writer_u8(&w, subtype);
    writer_u16(&w, 0);
    return w;
}

/* 9.9, 10.20: "unable to process packet". */
static int client_error(EapAka *e, AkaRequest *q, const char *why) {
    static const uint8_t code[2] = {0, 0};

    text_set(e, "EAP-AKA: %s", why);
    e->state = AKA_FAILED;
    q->out = aka_begin(e, q->identifier, AKA_CLIENT_ERROR);
    aka_attribute_write(&q->out, AT_CLIENT_ERROR_CODE, code, sizeof code);
    return 0;
}

/* The first 16 bytes of HMAC-SHA1 over the packet with the MAC itself as zeroes (10.15). */
static int mac_compute(const EapAka *e, const uint8_t *packet, size_t size, const uint8_t *mac,
                       uint8_t ret[static SHA1_BYTES]) {
    static const uint8_t zeroes[AKA_MAC_SIZE];
    const struct iovec parts[] = {
        {(void *)packet, (size_t)(mac - packet)},
        {(void *)zeroes, sizeof zeroes},
        {(void *)(mac + AKA_MAC_SIZE), size - (size_t)(mac - packet) - AKA_MAC_SIZE}};

    return aka_hmac_sha1(e->keys.aut, sizeof e->keys.aut, parts, ARRAY_SIZE(parts), ret);
}

/* 1: genuine, 0: not, -EIO. */
static int mac_check(const EapAka *e, const AkaRequest *q) {
    const uint8_t *mac = value_of(q, AT_INDEX_MAC)->data + RESERVED;
    uint8_t computed[SHA1_BYTES];
    int r = mac_compute(e, q->packet, q->size, mac, computed);

    return r < 0 ? r : crypto_equal(computed, mac, AKA_MAC_SIZE);
}

/* Ends the response with AT_MAC over all of it. */
static int mac_append(EapAka *e, AkaRequest *q) {
    uint8_t computed[SHA1_BYTES], *at = aka_attribute_write(&q->out, AT_MAC, NULL, RESERVED + AKA_MAC_SIZE);
    size_t size;
    int r = eap_end(&q->out, &size);

    if (r == 0)
        r = mac_compute(e, q->out.data, size, at + RESERVED, computed);
    if (r == 0)
        memcpy(at + RESERVED, computed, AKA_MAC_SIZE);
    return r;
}

static void identities_add(EapAka *e, const uint8_t *packet, size_t size) {
    assert(size <= sizeof e->identities - e->identities_size);
    memcpy(e->identities + e->identities_size, packet, size);
    e->identities_size += size;
}

/* 4.1.6: any identity, then a full authentication's, then the permanent one; never back, none twice. *e*
 * keeps the packets for AT_CHECKCODE. */
static int handle_identity(EapAka *e, AkaRequest *q) {
    static const struct {
        size_t index;
        uint8_t type;
    } order[] = {
        {AT_INDEX_ANY_ID_REQ, AT_ANY_ID_REQ},
        {AT_INDEX_FULLAUTH_ID_REQ, AT_FULLAUTH_ID_REQ},
        {AT_INDEX_PERMANENT_ID_REQ, AT_PERMANENT_ID_REQ},
    };
    uint8_t identity[2 + NAI_MAX_BYTES];
    size_t n = 0, rank = 0, size;

    for (size_t i = 0; i < ARRAY_SIZE(order); i++)
        if (has(q, order[i].index)) {
            n++;
            rank = i + 1;
        }
    if (n != 1)
        return client_error(e, q,
                            n ? "AKA-Identity asks for two identities" : "AKA-Identity asks for no identity");
    if (rank <= e->id_request)
        return client_error(e, q, "AKA-Identity asks for what it has asked for before");
    e->id_request = (uint8_t)rank;

    Writer w = writer_new(identity, sizeof identity);
    writer_u16(&w, (uint16_t)strlen(e->identity));
    writer_bytes(&w, e->identity, strlen(e->identity));
    q->out = aka_begin(e, q->identifier, AKA_IDENTITY);
    aka_attribute_write(&q->out, AT_IDENTITY, identity, w.len);
    int r = eap_end(&q->out, &size);
    if (r == 0) {
        identities_add(e, q->packet, q->size);
        identities_add(e, q->out.data, size);
    }
    return r;
}

/* 10.13. *ret* gets reserved bytes and hash; *ret_size* is without the hash where there were no AKA-Identity
 * packets. */
static int checkcode_compute(const EapAka *e, uint8_t ret[static RESERVED + HASH_SIZE_MAX],
                             size_t *ret_size) {
    const struct iovec part = {(void *)e->identities, e->identities_size};

    memset(ret, 0, RESERVED);
    *ret_size = RESERVED;
    if (e->identities_size == 0)
        return 0;
    *ret_size = AKA_CHECKCODE_BYTES;
    return crypto_hash(HASH_SHA1, &part, 1, ret + RESERVED);
}

/* 10.12: what AT_ENCR_DATA hides is looked at and not used: we take no pseudonym and no fast
 * re-authentication. NULL, or what is wrong with it. */
static int encrypted_check(EapAka *e, const AkaRequest *q, const char **ret_wrong) {
    const AkaValue *iv = value_of(q, AT_INDEX_IV), *data = value_of(q, AT_INDEX_ENCR_DATA);
    uint8_t plain[EAP_REQUEST_MAX];
    char text[AKA_TEXT_MAX];
    AkaAttributes inside;
    size_t size = data->size - RESERVED;

    *ret_wrong = NULL;
    if (!iv->data && !data->data)
        return 0;
    if (!iv->data || !data->data || size == 0 || size % AES_BLOCK_BYTES != 0) {
        *ret_wrong = "AT_IV and AT_ENCR_DATA do not fit";
        return 0;
    }
    memcpy(plain, data->data + RESERVED, size);
    int r = aka_aes_cbc_decrypt(e->keys.encr, iv->data + RESERVED, plain, size);
    if (r == 0 && aka_attributes_parse(&inside, IN_ENCRYPTED, plain, size, text) < 0)
        *ret_wrong = "AT_ENCR_DATA hides no attributes";
    if (r == 0 && !*ret_wrong) {
        const AkaValue *padding = &inside.at[AT_INDEX_PADDING];
        for (size_t i = 0; i < padding->size; i++)
            if (padding->data[i] != 0)
                *ret_wrong = "AT_PADDING is not of zeroes";
    }
    explicit_bzero(plain, sizeof plain);
    return r;
}

/* What is verified of a challenge once its keys are there; NULL, or what is wrong. */
static int challenge_check(EapAka *e, const AkaRequest *q, const uint8_t *checkcode, size_t checkcode_size,
                           const char **ret_wrong) {
    const AkaValue *theirs = value_of(q, AT_INDEX_CHECKCODE);
    int r = mac_check(e, q);

    if (r < 0)
        return r;
    if (r == 0) {
        *ret_wrong = "AT_MAC of the challenge is wrong";
        return 0;
    }
    if (theirs->data &&
        (theirs->size != checkcode_size ||
         !crypto_equal(theirs->data + RESERVED, checkcode + RESERVED, checkcode_size - RESERVED))) {
        *ret_wrong = "AT_CHECKCODE is wrong: somebody has changed the AKA-Identity packets";
        return 0;
    }
    return encrypted_check(e, q, ret_wrong);
}

/* 9.4: AT_RES with its length in bits, AT_CHECKCODE and AT_RESULT_IND where the server has them, AT_MAC. */
static int challenge_answer(EapAka *e, AkaRequest *q, const UsimAnswer *answer, const uint8_t *checkcode,
                            size_t checkcode_size) {
    uint8_t res[2 + AKA_RES_MAX];
    Writer w = writer_new(res, sizeof res);

    writer_u16(&w, (uint16_t)(answer->res_size * 8));
    writer_bytes(&w, answer->res, answer->res_size);
    q->out = aka_begin(e, q->identifier, AKA_CHALLENGE);
    aka_attribute_write(&q->out, AT_RES, res, w.len);
    if (has(q, AT_INDEX_CHECKCODE) || e->identities_size > 0)
        aka_attribute_write(&q->out, AT_CHECKCODE, checkcode, checkcode_size);
    e->result_ind = has(q, AT_INDEX_RESULT_IND);
    if (e->result_ind)
        aka_attribute_write(&q->out, AT_RESULT_IND, NULL, RESERVED);
    e->state = AKA_ANSWERED;
    *e->text = '\0';
    explicit_bzero(res, sizeof res);
    return mac_append(e, q);
}

static int challenge_accept(EapAka *e, AkaRequest *q, const UsimAnswer *answer) {
    uint8_t checkcode[RESERVED + HASH_SIZE_MAX];
    size_t checkcode_size;
    const char *wrong = NULL;

    if (answer->res_size < AKA_RES_MIN || answer->res_size > AKA_RES_MAX)
        return client_error(e, q, "the USIM's RES has no size that RES can have");
    int r = eap_aka_keys_derive(e->identity, answer->ik, answer->ck, &e->keys);
    if (r == 0)
        r = checkcode_compute(e, checkcode, &checkcode_size);
    if (r == 0)
        r = challenge_check(e, q, checkcode, checkcode_size, &wrong);
    if (r == 0 && !wrong)
        return challenge_answer(e, q, answer, checkcode, checkcode_size);
    eap_aka_keys_wipe(&e->keys);
    return r < 0 ? r : client_error(e, q, wrong);
}

/* 6.3.1, 9.6 */
static int challenge_resync(EapAka *e, AkaRequest *q, const UsimAnswer *answer) {
    if (e->resyncs++ == EAP_AKA_RESYNCS_MAX)
        return client_error(e, q, "sequence numbers are still old after resynchronisation");
    text_set(e, "EAP-AKA: the sequence number of AUTN is old: resynchronisation");
    e->state = AKA_RESYNCING;
    q->out = aka_begin(e, q->identifier, AKA_SYNCHRONIZATION_FAILURE);
    aka_attribute_write(&q->out, AT_AUTS, answer->auts, AKA_AUTS_BYTES);
    return 0;
}

/* 9.5: nothing but the subtype. */
static int challenge_reject(EapAka *e, AkaRequest *q) {
    text_set(
        e,
        "EAP-AKA: the USIM refuses the network: the MAC in AUTN is wrong (another key than the network's?)");
    e->state = AKA_FAILED;
    q->out = aka_begin(e, q->identifier, AKA_AUTHENTICATION_REJECT);
    return 0;
}

static int handle_challenge(EapAka *e, AkaRequest *q) {
    UsimAnswer answer = {};

    if (!has(q, AT_INDEX_RAND) || !has(q, AT_INDEX_AUTN) || !has(q, AT_INDEX_MAC))
        return client_error(e, q, "AKA-Challenge without AT_RAND, AT_AUTN or AT_MAC");
    int r = e->usim->authenticate(e->usim->userdata, value_of(q, AT_INDEX_RAND)->data + RESERVED,
                                  value_of(q, AT_INDEX_AUTN)->data + RESERVED, &answer);
    if (r < 0) {
        char text[AKA_TEXT_MAX];
        snprintf(text, sizeof text, "USIM %s: %s", e->usim->name, strerror(-r));
        r = client_error(e, q, text);
    } else {
        switch (answer.verdict) {
        case USIM_ACCEPTED:
            r = challenge_accept(e, q, &answer);
            break;
        case USIM_SYNC_FAILURE:
            r = challenge_resync(e, q, &answer);
            break;
        case USIM_MAC_FAILURE:
            r = challenge_reject(e, q);
            break;
        }
    }
    usim_answer_wipe(&answer);
    return r;
}

static const char *notification_text(unsigned code) {
    static const struct {
        unsigned code;
        const char *text;
    } texts[] = {
        /* 10.19 */
        {0, "general failure after authentication"},
        {1026, "the hosting party is temporarily denied access"},
        {1031, "the hosting party has not subscribed to the service"},
        {16384, "general failure"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (texts[i].code == code)
            return texts[i].text;
    return "failure";
}

/* 6.1, 6.2, 10.19: P says whether there are keys, and with them AT_MAC; S, whether it went well. */
static int handle_notification(EapAka *e, AkaRequest *q) {
    const uint8_t *value = value_of(q, AT_INDEX_NOTIFICATION)->data;
    unsigned code = value ? (unsigned)value[0] << 8 | value[1] : 0;
    const bool success = code & NOTIFY_SUCCESS_BIT, before = code & NOTIFY_BEFORE_BIT;
    int r = 1;

    if (!value || e->notified)
        return client_error(e, q,
                            value ? "a second notification" : "AKA-Notification without AT_NOTIFICATION");
    if (before ? e->state == AKA_ANSWERED || has(q, AT_INDEX_MAC) || success
               : e->state != AKA_ANSWERED || !has(q, AT_INDEX_MAC))
        return client_error(e, q, "a notification that does not fit to where we are");
    if (!before)
        r = mac_check(e, q);
    if (r < 0)
        return r;
    if (r == 0)
        return client_error(e, q, "AT_MAC of a notification is wrong");
    if (success && !e->result_ind)
        return client_error(e, q, "a success notification that was not agreed upon");

    e->notified = true;
    if (!success)
        text_set(e, "EAP-AKA: the server notifies: %s (%u)", notification_text(code), code);
    e->state = success ? AKA_CONFIRMED : AKA_FAILED;
    q->out = aka_begin(e, q->identifier, AKA_NOTIFICATION);
    return before ? 0 : mac_append(e, q);
}

/* Which requests there are, and when. */
static const struct {
    uint8_t subtype;
    unsigned where;  /* which attributes it may have */
    unsigned states; /* in which it is expected */
    int (*handle)(EapAka *e, AkaRequest *q);
} requests[] = {
    {AKA_IDENTITY, IN_IDENTITY, IN(AKA_IDENTIFYING), handle_identity},
    {AKA_CHALLENGE, IN_CHALLENGE, IN(AKA_IDENTIFYING) | IN(AKA_RESYNCING), handle_challenge},
    {AKA_NOTIFICATION, IN_NOTIFICATION,
     IN(AKA_IDENTIFYING) | IN(AKA_RESYNCING) | IN(AKA_ANSWERED) | IN(AKA_FAILED), handle_notification},
};

static int aka_handle(EapAka *e, AkaRequest *q, const EapPacket *packet) {
    Reader r = reader_new(packet->data, packet->size);
    uint8_t subtype = reader_u8(&r);
    char text[AKA_TEXT_MAX];
    size_t i = 0;

    (void)reader_u16(&r); /* reserved */
    if (r.bad)
        return client_error(e, q, "a request without subtype");
    while (i < ARRAY_SIZE(requests) && requests[i].subtype != subtype)
        i++;
    if (i == ARRAY_SIZE(requests))
        return client_error(e, q,
                            subtype == AKA_REAUTHENTICATION
                                ? "fast re-authentication, which was not agreed upon"
                                : "a request of an unknown subtype");
    if (!(requests[i].states & IN(e->state)))
        return client_error(e, q, "a request that is not expected at this point");
    if (aka_attributes_parse(&q->attributes, requests[i].where, r.data, r.left, text) < 0)
        return client_error(e, q, text);
    return requests[i].handle(e, q);
}

static int discard(EapAka *e, const char *why) {
    text_set(e, "EAP: %s", why);
    return EAP_DISCARDED;
}

/* Writes the response to a request that is new. EapVerdict or negative errno. */
static int request_handle(EapAka *e, const EapPacket *packet, AkaRequest *q) {
    switch (packet->type) {
    case EAP_TYPE_NAK:
        return discard(e, "a request cannot be a Nak");
    case EAP_TYPE_NOTIFICATION: /* RFC 3748 5.2: for people; always answered */
        q->out = eap_begin(e->response, sizeof e->response, q->identifier, EAP_TYPE_NOTIFICATION);
        return 0;
    case EAP_TYPE_AKA:
        e->began = true;
        return aka_handle(e, q, packet);
    default:
        break;
    }
    if (e->began)
        return discard(e, "a request of another type in the midst of EAP-AKA");
    if (packet->type == EAP_TYPE_IDENTITY) {
        q->out = eap_begin(e->response, sizeof e->response, q->identifier, EAP_TYPE_IDENTITY);
        writer_bytes(&q->out, e->identity, strlen(e->identity));
    } else {
        text_set(e, "EAP: the server wants type %u, we do EAP-AKA", packet->type);
        q->out = eap_nak(e->response, sizeof e->response, packet, EAP_TYPE_AKA);
    }
    return 0;
}

static int request_input(EapAka *e, const EapPacket *packet, const uint8_t *data, size_t size) {
    AkaRequest q = {.packet = data, .size = size, .identifier = packet->identifier};
    const struct iovec whole = {(void *)data, size};
    uint8_t digest[HASH_SIZE_MAX];

    int r = crypto_hash(HASH_SHA1, &whole, 1, digest);
    if (r < 0)
        return r;
    /* RFC 3748 4.1: the same identifier is the same request again. */
    if (e->responded && e->identifier == packet->identifier)
        return memcmp(e->digest, digest, SHA1_BYTES) == 0
                   ? 0
                   : discard(e, "another request with the identifier of the one before");
    if (e->rounds++ == EAP_AKA_ROUNDS_MAX) {
        text_set(e, "EAP: more than %d requests", EAP_AKA_ROUNDS_MAX);
        e->state = AKA_OVER;
        return EAP_REFUSED;
    }
    r = request_handle(e, packet, &q);
    if (r != 0)
        return r;
    r = eap_end(&q.out, &e->response_size);
    if (r < 0)
        return r;
    e->responded = true;
    e->identifier = packet->identifier;
    memcpy(e->digest, digest, SHA1_BYTES);
    return 0;
}

/* RFC 3748 4.2: success and failure have the identifier of the response before. Success counts only where we
 * have authenticated the server, and with result indications only after the protected one (6.2). */
static int result_input(EapAka *e, const EapPacket *packet) {
    const bool success = packet->code == EAP_SUCCESS;

    if (!e->responded || e->identifier != packet->identifier)
        return discard(e, "a result with another identifier than our response's");
    if (success) {
        if (e->state != AKA_CONFIRMED && (e->state != AKA_ANSWERED || e->result_ind))
            return discard(e, "EAP-Success before the server is authenticated");
        e->state = AKA_OVER;
        e->done = true;
        *e->text = '\0';
        return EAP_DONE;
    }
    if (e->state == AKA_CONFIRMED)
        return discard(e, "EAP-Failure after a protected success");
    if (e->state == AKA_ANSWERED)
        text_set(e, "EAP-AKA: the server refuses our answer to its challenge (EAP-Failure)");
    else if (e->state == AKA_RESYNCING)
        text_set(e, "EAP-AKA: the server refuses resynchronisation of sequence numbers (EAP-Failure)");
    else if (!*e->text)
        text_set(e, "EAP: the server refuses the hosting party (EAP-Failure)");
    eap_aka_keys_wipe(&e->keys);
    e->state = AKA_OVER;
    return EAP_REFUSED;
}

int eap_aka_input(EapAka *e, const uint8_t *data, size_t size, uint8_t response[static EAP_RESPONSE_MAX],
                  size_t *ret_size) {
    EapPacket packet;
    int r;

    if (e->state == AKA_OVER)
        return discard(e, "a packet after the end");
    if (size > EAP_REQUEST_MAX || eap_decode(data, size, &packet) < 0)
        return discard(e, "a malformed packet");
    if (packet.code == EAP_RESPONSE)
        return discard(e, "a response from the server");
    r = packet.code == EAP_REQUEST ? request_input(e, &packet, data, size) : result_input(e, &packet);
    if (r == EAP_CONTINUE) {
        memcpy(response, e->response, e->response_size);
        *ret_size = e->response_size;
    }
    return r;
}

int eap_aka_new(EapAka **ret, const Usim *usim, const char *realm) {
    _cleanup_(eap_aka_freep) EapAka *e = calloc(1, sizeof *e);

    if (!e)
        return -ENOMEM;
    e->usim = usim;
    int r = usim_nai(usim, realm, e->identity);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(e);
    return 0;
}

void eap_aka_free(EapAka *e) {
    if (!e)
        return;
    explicit_bzero(e, sizeof *e);
    free(e);
}

const char *eap_aka_identity(const EapAka *e) {
    return e->identity;
}

const char *eap_aka_text(const EapAka *e) {
    return e->text;
}

const uint8_t *eap_aka_msk(const EapAka *e) {
    return e->done ? e->keys.msk : NULL;
}
