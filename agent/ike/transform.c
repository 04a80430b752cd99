/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See transform.h. */
#include "ike/transform.h"

#include <stdio.h>

#include "base/macro.h"

static const Transform transforms[] = {
    /* type, id, key bits, keyword, key, salt, IV, ICV (DH: public value), kernel */
    {IKE_TRANSFORM_ENCR, IKE_ENCR_AES_GCM_16, 256, "aes256gcm16", 32, 4, 8, 16, "rfc4106(gcm(aes))"},
    {IKE_TRANSFORM_ENCR, IKE_ENCR_AES_GCM_16, 128, "aes128gcm16", 16, 4, 8, 16, "rfc4106(gcm(aes))"},
    {IKE_TRANSFORM_ENCR, IKE_ENCR_AES_CBC, 256, "aes256", 32, 0, 16, 0, "cbc(aes)"},
    {IKE_TRANSFORM_ENCR, IKE_ENCR_AES_CBC, 128, "aes128", 16, 0, 16, 0, "cbc(aes)"},
    {IKE_TRANSFORM_PRF, IKE_PRF_HMAC_SHA2_256, 0, "prfsha256", 32, 0, 0, 0, NULL},
    {IKE_TRANSFORM_PRF, IKE_PRF_HMAC_SHA2_384, 0, "prfsha384", 48, 0, 0, 0, NULL},
    {IKE_TRANSFORM_PRF, IKE_PRF_HMAC_SHA2_512, 0, "prfsha512", 64, 0, 0, 0, NULL},
    {IKE_TRANSFORM_INTEG, IKE_INTEG_HMAC_SHA2_256_128, 0, "sha256", 32, 0, 0, 16, "hmac(sha256)"},
    {IKE_TRANSFORM_INTEG, IKE_INTEG_HMAC_SHA2_384_192, 0, "sha384", 48, 0, 0, 24, "hmac(sha384)"},
    {IKE_TRANSFORM_INTEG, IKE_INTEG_HMAC_SHA2_512_256, 0, "sha512", 64, 0, 0, 32, "hmac(sha512)"},
    {IKE_TRANSFORM_DH, IKE_DH_ECP_256, 0, "ecp256", 0, 0, 0, 64, NULL},
    {IKE_TRANSFORM_DH, IKE_DH_CURVE25519, 0, "x25519", 0, 0, 0, 32, NULL},
    {IKE_TRANSFORM_DH, IKE_DH_ECP_384, 0, "ecp384", 0, 0, 0, 96, NULL},
    {IKE_TRANSFORM_DH, IKE_DH_MODP_2048, 0, "modp2048", 0, 0, 0, 256, NULL},
    {IKE_TRANSFORM_ESN, IKE_ESN_NO, 0, "noesn", 0, 0, 0, 0, NULL},
};

const Transform *transform_find(uint8_t type, uint16_t id, uint16_t key_bits) {
    for (size_t i = 0; i < ARRAY_SIZE(transforms); i++)
        if (transforms[i].type == type && transforms[i].id == id && transforms[i].key_bits == key_bits)
            return &transforms[i];
    return NULL;
}

#define GCM(bits)                                                                                            \
    { IKE_TRANSFORM_ENCR, IKE_ENCR_AES_GCM_16, bits }
#define CBC(bits)                                                                                            \
    { IKE_TRANSFORM_ENCR, IKE_ENCR_AES_CBC, bits }
#define PRFS                                                                                                 \
    {IKE_TRANSFORM_PRF, IKE_PRF_HMAC_SHA2_256}, {IKE_TRANSFORM_PRF, IKE_PRF_HMAC_SHA2_384}, {                \
        IKE_TRANSFORM_PRF, IKE_PRF_HMAC_SHA2_512                                                             \
    }
/* P-256 first: TS 33.210 makes it mandatory, so that no gateway of the profile costs us an
 * INVALID_KE_PAYLOAD. */
#define GROUPS                                                                                               \
    {IKE_TRANSFORM_DH, IKE_DH_ECP_256}, {IKE_TRANSFORM_DH, IKE_DH_CURVE25519},                               \
        {IKE_TRANSFORM_DH, IKE_DH_ECP_384}, {                                                                \
        IKE_TRANSFORM_DH, IKE_DH_MODP_2048                                                                   \
    }
#define INTEGS                                                                                               \
    {IKE_TRANSFORM_INTEG, IKE_INTEG_HMAC_SHA2_256_128}, {IKE_TRANSFORM_INTEG, IKE_INTEG_HMAC_SHA2_384_192},  \
    {                                                                                                        \
        IKE_TRANSFORM_INTEG, IKE_INTEG_HMAC_SHA2_512_256                                                     \
    }
#define NO_ESN                                                                                               \
    { IKE_TRANSFORM_ESN, IKE_ESN_NO }

/* AEAD and non-AEAD may not share a proposal (RFC 5282 8). */
static const IkeProposal ike_offer[] = {
    {.number = 1,
     .protocol = IKE_PROTOCOL_IKE,
     .n_transforms = 9,
     .transforms = {GCM(256), GCM(128), PRFS, GROUPS}},
    {.number = 2,
     .protocol = IKE_PROTOCOL_IKE,
     .n_transforms = 12,
     .transforms = {CBC(256), CBC(128), INTEGS, PRFS, GROUPS}},
};
static const IkeProposal esp_offer[] = {
    {.number = 1,
     .protocol = IKE_PROTOCOL_ESP,
     .spi_size = 4,
     .n_transforms = 3,
     .transforms = {GCM(256), GCM(128), NO_ESN}},
    {.number = 2,
     .protocol = IKE_PROTOCOL_ESP,
     .spi_size = 4,
     .n_transforms = 6,
     .transforms = {CBC(256), CBC(128), INTEGS, NO_ESN}},
};

size_t proposals_ike(IkeProposal ret[static IKE_PROPOSALS_MAX]) {
    memcpy(ret, ike_offer, sizeof ike_offer);
    return ARRAY_SIZE(ike_offer);
}

size_t proposals_esp(IkeProposal ret[static IKE_PROPOSALS_MAX], uint32_t spi) {
    memcpy(ret, esp_offer, sizeof esp_offer);
    for (size_t i = 0; i < ARRAY_SIZE(esp_offer); i++)
        ret[i].spi = spi;
    return ARRAY_SIZE(esp_offer);
}

const uint16_t *proposals_groups(void) {
    static const uint16_t groups[] = {IKE_DH_ECP_256, IKE_DH_CURVE25519, IKE_DH_ECP_384, IKE_DH_MODP_2048, 0};
    return groups;
}

static bool proposal_offers(const IkeProposal *offer, const IkeTransform *t) {
    for (size_t i = 0; i < offer->n_transforms; i++)
        if (offer->transforms[i].type == t->type && offer->transforms[i].id == t->id &&
            offer->transforms[i].key_bits == t->key_bits)
            return true;
    return false;
}

static bool proposal_has_type(const IkeProposal *offer, uint8_t type) {
    for (size_t i = 0; i < offer->n_transforms; i++)
        if (offer->transforms[i].type == type)
            return true;
    return false;
}

/* Transform IDs that say "nothing": a peer may spell them out instead of leaving the type away
 * (3.3.2, 3.3.3). */
static bool transform_is_none(const IkeTransform *t) {
    return t->id == 0 && (t->type == IKE_TRANSFORM_INTEG || t->type == IKE_TRANSFORM_DH);
}

int proposal_accept(const IkeProposal *offered, size_t n_offered, const IkeProposal *chosen, size_t n_chosen,
                    Suite *ret) {
    const IkeProposal *offer = NULL;
    Suite suite = {};

    if (n_chosen != 1)
        return IKE_NOTIFY_NO_PROPOSAL_CHOSEN;
    for (size_t i = 0; i < n_offered; i++)
        if (offered[i].number == chosen->number && offered[i].protocol == chosen->protocol)
            offer = &offered[i];
    if (!offer || offer->spi_size != chosen->spi_size)
        return IKE_NOTIFY_NO_PROPOSAL_CHOSEN;

    for (size_t i = 0; i < chosen->n_transforms; i++) {
        const IkeTransform *t = &chosen->transforms[i];
        if (transform_is_none(t) && !proposal_has_type(offer, t->type))
            continue;
        if (t->unknown || t->type >= IKE_TRANSFORM_TYPES_ || suite.by_type[t->type] ||
            !proposal_offers(offer, t))
            return IKE_NOTIFY_NO_PROPOSAL_CHOSEN;
        suite.by_type[t->type] = transform_find(t->type, t->id, t->key_bits);
        assert(suite.by_type[t->type]);
    }
    for (uint8_t type = 0; type < IKE_TRANSFORM_TYPES_; type++)
        if (proposal_has_type(offer, type) && !suite.by_type[type])
            return IKE_NOTIFY_NO_PROPOSAL_CHOSEN;
    *ret = suite;
    return 0;
}

const char *suite_format(const Suite *suite, char buf[static SUITE_STR_MAX]) {
    /* As the field writes it: encryption, integrity, PRF, group. */
    static const uint8_t order[] = {IKE_TRANSFORM_ENCR, IKE_TRANSFORM_INTEG, IKE_TRANSFORM_PRF,
                                    IKE_TRANSFORM_DH};
    size_t len = 0;

    buf[0] = 0;
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        const Transform *t = suite->by_type[order[i]];
        if (t && len < SUITE_STR_MAX)
            len += (size_t)snprintf(buf + len, SUITE_STR_MAX - len, "%s%s", len ? "-" : "", t->keyword);
    }
    return buf;
}

EspAlgorithms suite_esp_algorithms(const Suite *suite) {
    const Transform *encr = suite->by_type[IKE_TRANSFORM_ENCR], *integ = suite->by_type[IKE_TRANSFORM_INTEG];

    if (transform_is_aead(encr))
        return (EspAlgorithms){.aead = encr->kernel, .icv_bits = (uint16_t)(8 * encr->icv_size)};
    return (EspAlgorithms){.encryption = encr->kernel,
                           .integrity = integ->kernel,
                           .truncation_bits = (uint16_t)(8 * integ->icv_size)};
}
