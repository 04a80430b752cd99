/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See key-exchange.h. */
#include "ike/key-exchange.h"

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/curve25519.h>
#include <wolfssl/wolfcrypt/dh.h>
#include <wolfssl/wolfcrypt/ecc.h>

#include "ike/wolf.h"

/* RFC 3526: a prime of n bits is 2^n - 2^(n-64) - 1 + 2^64 * (floor(2^(n-130) pi) + addend): 64 ones, the
 * first n-128 bits of pi plus the addend less one, 64 ones. These are pi's first bits; the generator is 2. */
static const uint8_t pi[(4096 - 128) / 8] = {
    0xc9, 0x0f, 0xda, 0xa2, 0x21, 0x68, 0xc2, 0x34, 0xc4, 0xc6, 0x62, 0x8b, 0x80, 0xdc, 0x1c, 0xd1, 0x29,
    0x02, 0x4e, 0x08, 0x8a, 0x67, 0xcc, 0x74, 0x02, 0x0b, 0xbe, 0xa6, 0x3b, 0x13, 0x9b, 0x22, 0x51, 0x4a,
    0x08, 0x79, 0x8e, 0x34, 0x04, 0xdd, 0xef, 0x95, 0x19, 0xb3, 0xcd, 0x3a, 0x43, 0x1b, 0x30, 0x2b, 0x0a,
    0x6d, 0xf2, 0x5f, 0x14, 0x37, 0x4f, 0xe1, 0x35, 0x6d, 0x6d, 0x51, 0xc2, 0x45, 0xe4, 0x85, 0xb5, 0x76,
    0x62, 0x5e, 0x7e, 0xc6, 0xf4, 0x4c, 0x42, 0xe9, 0xa6, 0x37, 0xed, 0x6b, 0x0b, 0xff, 0x5c, 0xb6, 0xf4,
    0x06, 0xb7, 0xed, 0xee, 0x38, 0x6b, 0xfb, 0x5a, 0x89, 0x9f, 0xa5, 0xae, 0x9f, 0x24, 0x11, 0x7c, 0x4b,
    0x1f, 0xe6, 0x49, 0x28, 0x66, 0x51, 0xec, 0xe4, 0x5b, 0x3d, 0xc2, 0x00, 0x7c, 0xb8, 0xa1, 0x63, 0xbf,
    0x05, 0x98, 0xda, 0x48, 0x36, 0x1c, 0x55, 0xd3, 0x9a, 0x69, 0x16, 0x3f, 0xa8, 0xfd, 0x24, 0xcf, 0x5f,
    0x83, 0x65, 0x5d, 0x23, 0xdc, 0xa3, 0xad, 0x96, 0x1c, 0x62, 0xf3, 0x56, 0x20, 0x85, 0x52, 0xbb, 0x9e,
    0xd5, 0x29, 0x07, 0x70, 0x96, 0x96, 0x6d, 0x67, 0x0c, 0x35, 0x4e, 0x4a, 0xbc, 0x98, 0x04, 0xf1, 0x74,
    0x6c, 0x08, 0xca, 0x18, 0x21, 0x7c, 0x32, 0x90, 0x5e, 0x46, 0x2e, 0x36, 0xce, 0x3b, 0xe3, 0x9e, 0x77,
    0x2c, 0x18, 0x0e, 0x86, 0x03, 0x9b, 0x27, 0x83, 0xa2, 0xec, 0x07, 0xa2, 0x8f, 0xb5, 0xc5, 0x5d, 0xf0,
    0x6f, 0x4c, 0x52, 0xc9, 0xde, 0x2b, 0xcb, 0xf6, 0x95, 0x58, 0x17, 0x18, 0x39, 0x95, 0x49, 0x7c, 0xea,
    0x95, 0x6a, 0xe5, 0x15, 0xd2, 0x26, 0x18, 0x98, 0xfa, 0x05, 0x10, 0x15, 0x72, 0x8e, 0x5a, 0x8a, 0xaa,
    0xc4, 0x2d, 0xad, 0x33, 0x17, 0x0d, 0x04, 0x50, 0x7a, 0x33, 0xa8, 0x55, 0x21, 0xab, 0xdf, 0x1c, 0xba,
    0x64, 0xec, 0xfb, 0x85, 0x04, 0x58, 0xdb, 0xef, 0x0a, 0x8a, 0xea, 0x71, 0x57, 0x5d, 0x06, 0x0c, 0x7d,
    0xb3, 0x97, 0x0f, 0x85, 0xa6, 0xe1, 0xe4, 0xc7, 0xab, 0xf5, 0xae, 0x8c, 0xdb, 0x09, 0x33, 0xd7, 0x1e,
    0x8c, 0x94, 0xe0, 0x4a, 0x25, 0x61, 0x9d, 0xce, 0xe3, 0xd2, 0x26, 0x1a, 0xd2, 0xee, 0x6b, 0xf1, 0x2f,
    0xfa, 0x06, 0xd9, 0x8a, 0x08, 0x64, 0xd8, 0x76, 0x02, 0x73, 0x3e, 0xc8, 0x6a, 0x64, 0x52, 0x1f, 0x2b,
    0x18, 0x17, 0x7b, 0x20, 0x0c, 0xbb, 0xe1, 0x17, 0x57, 0x7a, 0x61, 0x5d, 0x6c, 0x77, 0x09, 0x88, 0xc0,
    0xba, 0xd9, 0x46, 0xe2, 0x08, 0xe2, 0x4f, 0xa0, 0x74, 0xe5, 0xab, 0x31, 0x43, 0xdb, 0x5b, 0xfc, 0xe0,
    0xfd, 0x10, 0x8e, 0x4b, 0x82, 0xd1, 0x20, 0xa9, 0x21, 0x08, 0x01, 0x1a, 0x72, 0x3c, 0x12, 0xa7, 0x87,
    0xe6, 0xd7, 0x88, 0x71, 0x9a, 0x10, 0xbd, 0xba, 0x5b, 0x26, 0x99, 0xc3, 0x27, 0x18, 0x6a, 0xf4, 0xe2,
    0x3c, 0x1a, 0x94, 0x68, 0x34, 0xb6, 0x15, 0x0b, 0xda, 0x25, 0x83, 0xe9, 0xca, 0x2a, 0xd4, 0x4c, 0xe8,
    0xdb, 0xbb, 0xc2, 0xdb, 0x04, 0xde, 0x8e, 0xf9, 0x2e, 0x8e, 0xfc, 0x14, 0x1f, 0xbe, 0xca, 0xa6, 0x28,
    0x7c, 0x59, 0x47, 0x4e, 0x6b, 0xc0, 0x5d, 0x99, 0xb2, 0x96, 0x4f, 0xa0, 0x90, 0xc3, 0xa2, 0x23, 0x3b,
    0xa1, 0x86, 0x51, 0x5b, 0xe7, 0xed, 0x1f, 0x61, 0x29, 0x70, 0xce, 0xe2, 0xd7, 0xaf, 0xb8, 0x1b, 0xdd,
    0x76, 0x21, 0x70, 0x48, 0x1c, 0xd0, 0x06, 0x91, 0x27, 0xd5, 0xb0, 0x5a, 0xa9, 0x93, 0xb4, 0xea, 0x98,
    0x8d, 0x8f, 0xdd, 0xc1, 0x86, 0xff, 0xb7, 0xdc, 0x90, 0xa6, 0xc0, 0x8f, 0x4d, 0xf4, 0x35, 0xc9, 0x34,
    0x02, 0x84, 0x92,
};
static const struct {
    uint16_t group;
    uint32_t addend;
} modp_addends[] = {{IKE_DH_MODP_2048, 124476}, {IKE_DH_MODP_3072, 1690314}, {IKE_DH_MODP_4096, 240904}};
static const uint8_t modp_generator[] = {2};

struct KeyExchange {
    const Transform *group;
    uint8_t public_value[IKE_KE_MAX];
    union {
        ecc_key ecp;
        curve25519_key x25519;
        struct {
            DhKey parameters;
            uint8_t secret[IKE_KE_MAX];
            word32 secret_size;
        } modp;
    };
    WolfRng rng; /* ECC blinding needs it as long as the key lives */
    Rng source;  /* of rng */
};

static int ecp_generate(KeyExchange *k) {
    const Curve *curve = curve_of_group(k->group->id);
    uint8_t point[1 + 2 * 66];
    word32 size = sizeof point;

    if (wc_ecc_init(&k->ecp) != 0 || wc_ecc_set_rng(&k->ecp, &k->rng.wolf) != 0 ||
        wc_ecc_make_key_ex(&k->rng.wolf, (int)curve->size, &k->ecp, curve->wolf) != 0 ||
        wc_ecc_export_x963(&k->ecp, point, &size) != 0 || size != 1 + k->group->icv_size)
        return -EIO;
    memcpy(k->public_value, point + 1, size - 1); /* RFC 5903 7: x | y without the leading 4 */
    return 0;
}

static int x25519_generate(KeyExchange *k) {
    word32 size = 32;
    if (wc_curve25519_init(&k->x25519) != 0 || wc_curve25519_make_key(&k->rng.wolf, 32, &k->x25519) != 0 ||
        wc_curve25519_export_public_ex(&k->x25519, k->public_value, &size, EC25519_LITTLE_ENDIAN) != 0)
        return -EIO;
    return 0;
}

static void modp_prime(const Transform *group, uint8_t ret[static IKE_KE_MAX]) {
    size_t size = group->icv_size, at = size - 8;
    uint64_t carry = 0;

    for (size_t i = 0; i < ARRAY_SIZE(modp_addends); i++)
        if (modp_addends[i].group == group->id)
            carry = modp_addends[i].addend - 1;
    assert(carry && size <= sizeof pi + 16);
    memset(ret, 0xff, size);
    memcpy(ret + 8, pi, size - 16);
    while (carry > 0) {
        carry += ret[--at];
        ret[at] = (uint8_t)carry;
        carry >>= 8;
    }
}

static int modp_generate(KeyExchange *k) {
    size_t full = k->group->icv_size;
    uint8_t prime[IKE_KE_MAX];
    word32 size = (word32)full;

    modp_prime(k->group, prime);
    k->modp.secret_size = sizeof k->modp.secret;
    if (wc_InitDhKey(&k->modp.parameters) != 0 ||
        wc_DhSetKey(&k->modp.parameters, prime, (word32)full, modp_generator, sizeof modp_generator) != 0 ||
        wc_DhGenerateKeyPair(&k->modp.parameters, &k->rng.wolf, k->modp.secret, &k->modp.secret_size,
                             k->public_value, &size) != 0 ||
        size > full)
        return -EIO;
    pad_left(k->public_value, size, full);
    return 0;
}

int key_exchange_new(KeyExchange **ret, const Transform *group, const Rng *rng) {
    _cleanup_(key_exchange_freep) KeyExchange *k = calloc(1, sizeof *k);

    if (!k)
        return -ENOMEM;
    k->group = group;
    k->source = *rng; /* the key pair may change hands */
    int r = wolf_rng_init(&k->rng, &k->source);
    if (r < 0)
        return r;
    r = curve_of_group(group->id)        ? ecp_generate(k)
        : group->id == IKE_DH_CURVE25519 ? x25519_generate(k)
                                         : modp_generate(k);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(k);
    return 0;
}

int key_exchange_renew(KeyExchange **key, uint16_t group, const Rng *rng) {
    KeyExchange *k;
    int r = key_exchange_new(&k, transform_find(IKE_TRANSFORM_DH, group, 0), rng);
    if (r < 0)
        return r;
    key_exchange_free(*key);
    *key = k;
    return 0;
}

void key_exchange_free(KeyExchange *k) {
    if (!k)
        return;
    if (curve_of_group(k->group->id))
        wc_ecc_free(&k->ecp);
    else if (k->group->id == IKE_DH_CURVE25519)
        wc_curve25519_free(&k->x25519);
    else
        wc_FreeDhKey(&k->modp.parameters);
    wolf_rng_free(&k->rng);
    explicit_bzero(k, sizeof *k);
    free(k);
}

const uint8_t *key_exchange_public(const KeyExchange *k, size_t *ret_size) {
    *ret_size = k->group->icv_size;
    return k->public_value;
}

uint16_t key_exchange_group(const KeyExchange *k) {
    return k->group->id;
}

static int ecp_agree(KeyExchange *k, const uint8_t *peer, uint8_t *ret, word32 *size) {
    const Curve *curve = curve_of_group(k->group->id);
    uint8_t point[1 + 2 * 66] = {4};
    ecc_key other;
    int r = IKE_NOTIFY_INVALID_SYNTAX;

    memcpy(point + 1, peer, 2 * curve->size);
    if (wc_ecc_init(&other) != 0)
        return -EIO;
    /* The import checks nothing by itself: point on the curve, of the right order, not at infinity (RFC
     * 6989 2.3). */
    if (wc_ecc_import_x963_ex(point, (word32)(1 + 2 * curve->size), &other, curve->wolf) == 0 &&
        wc_ecc_check_key(&other) == 0)
        r = wc_ecc_shared_secret(&k->ecp, &other, ret, size) == 0 ? 0 : -EIO;
    wc_ecc_free(&other);
    return r;
}

static int x25519_agree(KeyExchange *k, const uint8_t *peer, uint8_t *ret, word32 *size) {
    uint8_t masked[32];
    curve25519_key other;
    int r = IKE_NOTIFY_INVALID_SYNTAX;

    if (wc_curve25519_init(&other) != 0)
        return -EIO;
    memcpy(masked, peer, sizeof masked);
    masked[31] &= 0x7f; /* RFC 7748 5; the library refuses the bit instead */
    if (wc_curve25519_import_public_ex(masked, sizeof masked, &other, EC25519_LITTLE_ENDIAN) == 0 &&
        wc_curve25519_shared_secret_ex(&k->x25519, &other, ret, size, EC25519_LITTLE_ENDIAN) == 0)
        r = 0;
    wc_curve25519_free(&other);
    return r;
}

static int modp_agree(KeyExchange *k, const uint8_t *peer, uint8_t *ret, word32 *size) {
    /* wc_DhAgree() takes 0, p-1 and p; the check must come first. */
    if (wc_DhCheckPubKey(&k->modp.parameters, peer, (word32)k->group->icv_size) != 0)
        return IKE_NOTIFY_INVALID_SYNTAX;
    return wc_DhAgree(&k->modp.parameters, ret, size, k->modp.secret, k->modp.secret_size, peer,
                      (word32)k->group->icv_size) == 0
               ? 0
               : -EIO;
}

int key_exchange_agree(KeyExchange *k, const uint8_t *peer, size_t peer_size, uint8_t *ret,
                       size_t *ret_size) {
    const Curve *curve = curve_of_group(k->group->id);
    word32 size = SHARED_SECRET_MAX;
    size_t full;
    int r;

    if (peer_size != k->group->icv_size)
        return IKE_NOTIFY_INVALID_SYNTAX;
    if (curve) {
        full = curve->size; /* RFC 5903 7: the x coordinate */
        r = ecp_agree(k, peer, ret, &size);
    } else if (k->group->id == IKE_DH_CURVE25519) {
        full = 32;
        r = x25519_agree(k, peer, ret, &size);
    } else {
        full = k->group->icv_size;
        r = modp_agree(k, peer, ret, &size);
    }
    if (r != 0)
        return r;
    assert(size <= full);
    pad_left(ret, size, full);

    uint8_t any = 0; /* X25519 with a point of low order succeeds with zero (RFC 8031 3.1) */
    for (size_t i = 0; i < full; i++)
        any |= ret[i];
    if (!any)
        return IKE_NOTIFY_INVALID_SYNTAX;
    *ret_size = full;
    return 0;
}
