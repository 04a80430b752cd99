/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See crypto.h. */
#include "ike/crypto.h"

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/cryptocb.h>
#include <wolfssl/wolfcrypt/curve25519.h>
#include <wolfssl/wolfcrypt/dh.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/hash.h>
#include <wolfssl/wolfcrypt/hmac.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/rsa.h>
#include <wolfssl/wolfcrypt/signature.h>
#include <wolfssl/wolfcrypt/wc_port.h>

/* RFC 3526 clause 3: 2^2048 - 2^1984 - 1 + 2^64 * (floor(2^1918 pi) + 124476); the generator is 2. */
static const uint8_t modp_2048[256] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc9, 0x0f, 0xda, 0xa2, 0x21, 0x68, 0xc2, 0x34,
    0xc4, 0xc6, 0x62, 0x8b, 0x80, 0xdc, 0x1c, 0xd1, 0x29, 0x02, 0x4e, 0x08, 0x8a, 0x67, 0xcc, 0x74,
    0x02, 0x0b, 0xbe, 0xa6, 0x3b, 0x13, 0x9b, 0x22, 0x51, 0x4a, 0x08, 0x79, 0x8e, 0x34, 0x04, 0xdd,
    0xef, 0x95, 0x19, 0xb3, 0xcd, 0x3a, 0x43, 0x1b, 0x30, 0x2b, 0x0a, 0x6d, 0xf2, 0x5f, 0x14, 0x37,
    0x4f, 0xe1, 0x35, 0x6d, 0x6d, 0x51, 0xc2, 0x45, 0xe4, 0x85, 0xb5, 0x76, 0x62, 0x5e, 0x7e, 0xc6,
    0xf4, 0x4c, 0x42, 0xe9, 0xa6, 0x37, 0xed, 0x6b, 0x0b, 0xff, 0x5c, 0xb6, 0xf4, 0x06, 0xb7, 0xed,
    0xee, 0x38, 0x6b, 0xfb, 0x5a, 0x89, 0x9f, 0xa5, 0xae, 0x9f, 0x24, 0x11, 0x7c, 0x4b, 0x1f, 0xe6,
    0x49, 0x28, 0x66, 0x51, 0xec, 0xe4, 0x5b, 0x3d, 0xc2, 0x00, 0x7c, 0xb8, 0xa1, 0x63, 0xbf, 0x05,
    0x98, 0xda, 0x48, 0x36, 0x1c, 0x55, 0xd3, 0x9a, 0x69, 0x16, 0x3f, 0xa8, 0xfd, 0x24, 0xcf, 0x5f,
    0x83, 0x65, 0x5d, 0x23, 0xdc, 0xa3, 0xad, 0x96, 0x1c, 0x62, 0xf3, 0x56, 0x20, 0x85, 0x52, 0xbb,
    0x9e, 0xd5, 0x29, 0x07, 0x70, 0x96, 0x96, 0x6d, 0x67, 0x0c, 0x35, 0x4e, 0x4a, 0xbc, 0x98, 0x04,
    0xf1, 0x74, 0x6c, 0x08, 0xca, 0x18, 0x21, 0x7c, 0x32, 0x90, 0x5e, 0x46, 0x2e, 0x36, 0xce, 0x3b,
    0xe3, 0x9e, 0x77, 0x2c, 0x18, 0x0e, 0x86, 0x03, 0x9b, 0x27, 0x83, 0xa2, 0xec, 0x07, 0xa2, 0x8f,
    0xb5, 0xc5, 0x5d, 0xf0, 0x6f, 0x4c, 0x52, 0xc9, 0xde, 0x2b, 0xcb, 0xf6, 0x95, 0x58, 0x17, 0x18,
    0x39, 0x95, 0x49, 0x7c, 0xea, 0x95, 0x6a, 0xe5, 0x15, 0xd2, 0x26, 0x18, 0x98, 0xfa, 0x05, 0x10,
    0x15, 0x72, 0x8e, 0x5a, 0x8a, 0xac, 0xaa, 0x68, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
};
static const uint8_t modp_generator[] = {2};

static const struct {
    enum wc_HashType wolf;
    int hmac;
    size_t size;
    int mgf;
} hashes[HASH_ALGORITHMS_] = {
    [HASH_SHA1] = {WC_HASH_TYPE_SHA, WC_SHA, 20, WC_MGF1SHA1},
    [HASH_SHA2_256] = {WC_HASH_TYPE_SHA256, WC_SHA256, 32, WC_MGF1SHA256},
    [HASH_SHA2_384] = {WC_HASH_TYPE_SHA384, WC_SHA384, 48, WC_MGF1SHA384},
    [HASH_SHA2_512] = {WC_HASH_TYPE_SHA512, WC_SHA512, 64, WC_MGF1SHA512},
};

/* Elliptic curves by their coordinate size: groups of IKE and kinds of key. */
static const struct Curve {
    int wolf;
    size_t size;
    uint16_t group; /* 0: not offered */
    KeyKind kind;
} curves[] = {
    {ECC_SECP256R1, 32, IKE_DH_ECP_256, KEY_ECDSA_P256},
    {ECC_SECP384R1, 48, IKE_DH_ECP_384, KEY_ECDSA_P384},
    {ECC_SECP521R1, 66, 0, KEY_ECDSA_P521},
};

static const struct Curve *curve_find(int wolf) {
    for (size_t i = 0; i < ARRAY_SIZE(curves); i++)
        if (curves[i].wolf == wolf)
            return &curves[i];
    return NULL;
}

size_t hash_size(HashAlgorithm hash) {
    return hashes[hash].size;
}

/* wolfSSL draws its randomness from ours: a crypto callback device that answers nothing but RNG, and the seed
 * that it would otherwise read off /dev/urandom. */
#define RNG_DEVICE 0x48654e42

typedef struct WolfRng {
    WC_RNG wolf; /* must be first, and its seed first in it: the device gets pointers to them */
    const Rng *source;
} WolfRng;
static_assert(offsetof(WolfRng, wolf.seed) == 0, "the device finds WolfRng by its first member");

static int rng_device(int device, wc_CryptoInfo *info, void *context) {
    if (info->algo_type == WC_ALGO_TYPE_RNG) {
        const Rng *source = ((WolfRng *)info->rng.rng)->source;
        source->fill(source->userdata, info->rng.out, info->rng.sz);
        return 0;
    }
    if (info->algo_type == WC_ALGO_TYPE_SEED) {
        const Rng *source = ((WolfRng *)info->seed.os)->source;
        source->fill(source->userdata, info->seed.seed, info->seed.sz);
        return 0;
    }
    return CRYPTOCB_UNAVAILABLE;
}

static int wolf_rng_init(WolfRng *r, const Rng *source) {
    static bool registered;

    /* The library's own initialization empties its table of devices. */
    if (!registered &&
        (wolfCrypt_Init() != 0 || wc_CryptoCb_RegisterDevice(RNG_DEVICE, rng_device, NULL) != 0))
        return -EIO;
    registered = true;
    r->source = source;
    return wc_InitRng_ex(&r->wolf, NULL, RNG_DEVICE) == 0 ? 0 : -EIO;
}

static void wolf_rng_free(WolfRng *r) {
    wc_FreeRng(&r->wolf);
}

int crypto_hash(HashAlgorithm hash, const struct iovec *parts, size_t n, uint8_t *ret) {
    wc_HashAlg h;
    int r = wc_HashInit(&h, hashes[hash].wolf);

    if (r != 0)
        return -EIO;
    for (size_t i = 0; i < n && r == 0; i++)
        r = wc_HashUpdate(&h, hashes[hash].wolf, parts[i].iov_base, (word32)parts[i].iov_len);
    if (r == 0)
        r = wc_HashFinal(&h, hashes[hash].wolf, ret);
    wc_HashFree(&h, hashes[hash].wolf);
    return r == 0 ? 0 : -EIO;
}

/* PRF and INTEG rows are HMACs over the hash of their key size. */
static HashAlgorithm transform_hash(const Transform *t) {
    switch (t->key_size) {
    case 48:
        return HASH_SHA2_384;
    case 64:
        return HASH_SHA2_512;
    }
    return HASH_SHA2_256;
}

int crypto_prf(const Transform *prf, const uint8_t *key, size_t key_size, const struct iovec *parts, size_t n,
               uint8_t *ret) {
    Hmac hmac;

    if (wc_HmacInit(&hmac, NULL, INVALID_DEVID) != 0)
        return -EIO;
    int r = wc_HmacSetKey(&hmac, hashes[transform_hash(prf)].hmac, key, (word32)key_size);
    for (size_t i = 0; i < n && r == 0; i++)
        r = wc_HmacUpdate(&hmac, parts[i].iov_base, (word32)parts[i].iov_len);
    if (r == 0)
        r = wc_HmacFinal(&hmac, ret);
    wc_HmacFree(&hmac);
    return r == 0 ? 0 : -EIO;
}

int crypto_prf_plus(const Transform *prf, const uint8_t *key, size_t key_size, const struct iovec *seed,
                    size_t n, uint8_t *ret, size_t size) {
    uint8_t block[PRF_SIZE_MAX];
    struct iovec parts[8];

    assert(n + 2 <= ARRAY_SIZE(parts) && size <= 255 * prf->key_size);
    /* T1 = prf(K, S | 0x01), Tn = prf(K, Tn-1 | S | n) */
    uint8_t counter = 1;
    for (size_t done = 0; done < size; counter++) {
        size_t k = 0;
        if (counter > 1)
            parts[k++] = (struct iovec){block, prf->key_size};
        for (size_t i = 0; i < n; i++)
            parts[k++] = seed[i];
        parts[k++] = (struct iovec){&counter, 1};
        int r = crypto_prf(prf, key, key_size, parts, k, block);
        if (r < 0)
            return r;
        size_t take = MIN(size - done, prf->key_size);
        memcpy(ret + done, block, take);
        done += take;
    }
    explicit_bzero(block, sizeof block);
    return 0;
}

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

static const struct Curve *group_curve(uint16_t group) {
    for (size_t i = 0; i < ARRAY_SIZE(curves); i++)
        if (curves[i].group == group)
            return &curves[i];
    return NULL;
}

static int ecp_generate(KeyExchange *k) {
    const struct Curve *curve = group_curve(k->group->id);
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

/* Moves a number of *size* bytes to the end of *full* bytes and zeroes those before it (RFC 7296 2.14). */
static void pad_left(uint8_t *number, size_t size, size_t full) {
    memmove(number + full - size, number, size);
    memset(number, 0, full - size);
}

static int modp_generate(KeyExchange *k) {
    size_t full = k->group->icv_size;
    word32 size = (word32)full;

    k->modp.secret_size = sizeof k->modp.secret;
    if (wc_InitDhKey(&k->modp.parameters) != 0 ||
        wc_DhSetKey(&k->modp.parameters, modp_2048, sizeof modp_2048, modp_generator,
                    sizeof modp_generator) != 0 ||
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
    r = group_curve(group->id)           ? ecp_generate(k)
        : group->id == IKE_DH_CURVE25519 ? x25519_generate(k)
                                         : modp_generate(k);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(k);
    return 0;
}

void key_exchange_free(KeyExchange *k) {
    if (!k)
        return;
    if (group_curve(k->group->id))
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
    const struct Curve *curve = group_curve(k->group->id);
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
    const struct Curve *curve = group_curve(k->group->id);
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

/* RFC 7296 3.14: padding fills a block; an AEAD needs none but the pad length byte (RFC 5282 3). */
static size_t seal_padding(const SealKeys *keys, size_t size) {
    size_t block = transform_is_aead(keys->encr) ? 1 : keys->encr->iv_size;
    return (block - (size + 1) % block) % block;
}

static size_t seal_icv_size(const SealKeys *keys) {
    return transform_is_aead(keys->encr) ? keys->encr->icv_size : keys->integ->icv_size;
}

size_t seal_overhead(const SealKeys *keys, size_t size) {
    return keys->encr->iv_size + seal_padding(keys, size) + 1 + seal_icv_size(keys);
}

static void aead_nonce(const SealKeys *keys, const uint8_t *iv, uint8_t nonce[static 12]) {
    memcpy(nonce, keys->encryption + keys->encr->key_size, 4);
    memcpy(nonce + 4, iv, 8);
}

/* What the SK payload's checksum covers: *aad* bytes before the IV, the IV, *size* bytes of text. */
typedef struct Sealed {
    uint8_t *message;
    size_t aad;
    uint8_t *iv, *text;
    size_t size;
    uint8_t *icv;
} Sealed;

static int aead_seal(const SealKeys *keys, const Sealed *s, bool open) {
    Aes aes;
    uint8_t nonce[12];

    if (wc_AesInit(&aes, NULL, INVALID_DEVID) != 0)
        return -EIO;
    aead_nonce(keys, s->iv, nonce);
    int r = wc_AesGcmSetKey(&aes, keys->encryption, (word32)keys->encr->key_size);
    if (r == 0)
        r = open ? wc_AesGcmDecrypt(&aes, s->text, s->text, (word32)s->size, nonce, sizeof nonce, s->icv,
                                    (word32)keys->encr->icv_size, s->message, (word32)s->aad)
                 : wc_AesGcmEncrypt(&aes, s->text, s->text, (word32)s->size, nonce, sizeof nonce, s->icv,
                                    (word32)keys->encr->icv_size, s->message, (word32)s->aad);
    wc_AesFree(&aes);
    return r == 0 ? 0 : open ? -EBADMSG : -EIO;
}

static int cbc_crypt(const SealKeys *keys, const Sealed *s, bool open) {
    Aes aes;

    if (wc_AesInit(&aes, NULL, INVALID_DEVID) != 0)
        return -EIO;
    int r = wc_AesSetKey(&aes, keys->encryption, (word32)keys->encr->key_size, s->iv,
                         open ? AES_DECRYPTION : AES_ENCRYPTION);
    if (r == 0)
        r = open ? wc_AesCbcDecrypt(&aes, s->text, s->text, (word32)s->size)
                 : wc_AesCbcEncrypt(&aes, s->text, s->text, (word32)s->size);
    wc_AesFree(&aes);
    return r == 0 ? 0 : -EIO;
}

static int integrity_checksum(const SealKeys *keys, const Sealed *s, uint8_t ret[static PRF_SIZE_MAX]) {
    struct iovec covered = {s->message, (size_t)(s->icv - s->message)};
    return crypto_prf(keys->integ, keys->integrity, keys->integ->key_size, &covered, 1, ret);
}

int crypto_seal(const SealKeys *keys, uint8_t *message, size_t message_size, size_t iv_offset,
                size_t plain_size, uint64_t counter, const Rng *rng) {
    size_t padding = seal_padding(keys, plain_size);
    Sealed s = {.message = message,
                .aad = iv_offset,
                .iv = message + iv_offset,
                .text = message + iv_offset + keys->encr->iv_size,
                .size = plain_size + padding + 1};
    s.icv = s.text + s.size;
    assert(s.icv + seal_icv_size(keys) == message + message_size);

    memset(s.text + plain_size, 0, padding);
    s.text[plain_size + padding] = (uint8_t)padding;
    if (transform_is_aead(keys->encr)) {
        Writer w = writer_new(s.iv, 8);
        writer_u64(&w, counter);
        return aead_seal(keys, &s, false);
    }
    rng->fill(rng->userdata, s.iv, keys->encr->iv_size);
    int r = cbc_crypt(keys, &s, false);
    if (r < 0)
        return r;
    uint8_t icv[PRF_SIZE_MAX];
    r = integrity_checksum(keys, &s, icv);
    if (r == 0)
        memcpy(s.icv, icv, keys->integ->icv_size);
    return r;
}

int crypto_open(const SealKeys *keys, uint8_t *message, size_t message_size, size_t iv_offset,
                uint8_t **ret_plain, size_t *ret_size) {
    size_t around = keys->encr->iv_size + seal_icv_size(keys), body = message_size - iv_offset;
    bool aead = transform_is_aead(keys->encr);
    int r;

    if (body < around + 1)
        return -EBADMSG;
    Sealed s = {.message = message,
                .aad = iv_offset,
                .iv = message + iv_offset,
                .text = message + iv_offset + keys->encr->iv_size,
                .size = body - around};
    s.icv = s.text + s.size;

    if (aead)
        r = aead_seal(keys, &s, true);
    else if (s.size % keys->encr->iv_size != 0)
        r = -EBADMSG;
    else {
        uint8_t icv[PRF_SIZE_MAX];
        r = integrity_checksum(keys, &s, icv);
        if (r == 0 && !crypto_equal(icv, s.icv, keys->integ->icv_size))
            r = -EBADMSG;
        if (r == 0)
            r = cbc_crypt(keys, &s, true);
    }
    if (r < 0)
        return r;
    size_t padding = s.text[s.size - 1];
    if (padding + 1 > s.size)
        return -EBADMSG;
    *ret_plain = s.text;
    *ret_size = s.size - padding - 1;
    return 0;
}

bool crypto_equal(const void *a, const void *b, size_t size) {
    const volatile uint8_t *x = a, *y = b;
    uint8_t differ = 0;
    for (size_t i = 0; i < size; i++)
        differ = (uint8_t)(differ | (x[i] ^ y[i]));
    return differ == 0;
}

void crypto_forget_caches(void) {
    wc_ecc_fp_free();
}

#define RSA_BITS_MIN 2048 /* TS 33.310 6.1 */
#define RSA_BITS_MAX 4096 /* what Debian's wolfSSL can compute */
#define SPKI_MAX     640

struct PrivateKey {
    KeyKind kind;
    union {
        ecc_key ecc;
        RsaKey rsa;
    };
};

static bool rsa_size_is_fine(RsaKey *key) {
    int bits = 8 * wc_RsaEncryptSize(key);
    return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX;
}

/* 0, -EINVAL when *der* is no such key, -ENOTSUP. */
static int ecc_private_decode(PrivateKey *key, const uint8_t *der, word32 size) {
    word32 index = 0;
    int r = -EINVAL;

    if (wc_ecc_init(&key->ecc) != 0)
        return -ENOMEM;
    if (wc_EccPrivateKeyDecode(der, &index, &key->ecc, size) == 0) {
        const struct Curve *curve = curve_find(wc_ecc_get_curve_id(key->ecc.idx));
        /* A file may leave the public point out (RFC 5915 3); we need it to match the certificate. */
        if (!curve)
            r = -ENOTSUP;
        else if (key->ecc.type == ECC_PRIVATEKEY || wc_ecc_make_pub(&key->ecc, NULL) == 0) {
            key->kind = curve->kind;
            return 0;
        }
    }
    wc_ecc_free(&key->ecc);
    return r;
}

static int rsa_private_decode(PrivateKey *key, const uint8_t *der, word32 size) {
    word32 index = 0;
    int r = -EINVAL;

    if (wc_InitRsaKey(&key->rsa, NULL) != 0)
        return -ENOMEM;
    if (wc_RsaPrivateKeyDecode(der, &index, &key->rsa, size) == 0) {
        if (rsa_size_is_fine(&key->rsa)) {
            key->kind = KEY_RSA;
            return 0;
        }
        r = -ENOTSUP;
    }
    wc_FreeRsaKey(&key->rsa);
    return r;
}

int private_key_load(PrivateKey **ret, const uint8_t *pem, size_t size) {
    _cleanup_free_ uint8_t *der = malloc(size + 1);
    PrivateKey *key = calloc(1, sizeof *key);

    if (!der || !key || size > INT32_MAX) {
        free(key);
        return -ENOMEM;
    }
    int n = wc_KeyPemToDer(pem, (int)size, der, (int)size, NULL);
    int r = n <= 0 ? -EINVAL : ecc_private_decode(key, der, (word32)n);
    if (n > 0 && r == -EINVAL)
        r = rsa_private_decode(key, der, (word32)n);
    explicit_bzero(der, size);
    if (r < 0) {
        free(key);
        return r;
    }
    *ret = key;
    return 0;
}

void private_key_free(PrivateKey *key) {
    if (!key)
        return;
    if (key->kind == KEY_RSA)
        wc_FreeRsaKey(&key->rsa);
    else
        wc_ecc_free(&key->ecc);
    explicit_bzero(key, sizeof *key);
    free(key);
}

KeyKind private_key_kind(const PrivateKey *key) {
    return key->kind;
}

bool private_key_matches(const PrivateKey *key, const uint8_t *spki, size_t spki_size) {
    PrivateKey *k = (PrivateKey *)key; /* wolfSSL's encoders only read, but do not say so */
    uint8_t ours[SPKI_MAX];
    int n = k->kind == KEY_RSA ? wc_RsaKeyToPublicDer(&k->rsa, ours, sizeof ours)
                               : wc_EccPublicKeyToDer(&k->ecc, ours, sizeof ours, 1);
    return n > 0 && (size_t)n == spki_size && memcmp(ours, spki, spki_size) == 0;
}

static const struct Curve *kind_curve(KeyKind kind) {
    for (size_t i = 0; i < ARRAY_SIZE(curves); i++)
        if (curves[i].kind == kind)
            return &curves[i];
    return NULL;
}

/* The DigestInfo of PKCS#1 v1.5 (RFC 8017 9.2). */
static word32 digest_info(HashAlgorithm hash, const uint8_t *digest, uint8_t ret[static 128]) {
    return wc_EncodeSignature(ret, digest, (word32)hashes[hash].size, wc_HashGetOID(hashes[hash].wolf));
}

static int rsa_sign(RsaKey *rsa, SignatureForm form, HashAlgorithm hash, const uint8_t *digest, WolfRng *rng,
                    uint8_t *ret, size_t *ret_size) {
    uint8_t info[128];
    int n;

    wc_RsaSetRNG(rsa, &rng->wolf); /* blinding */
    if (form == SIGNATURE_RSA_PSS)
        n = wc_RsaPSS_Sign(digest, (word32)hashes[hash].size, ret, SIGNATURE_SIZE_MAX, hashes[hash].wolf,
                           hashes[hash].mgf, rsa, &rng->wolf);
    else
        n = wc_RsaSSL_Sign(info, digest_info(hash, digest, info), ret, SIGNATURE_SIZE_MAX, rsa, &rng->wolf);
    wc_RsaSetRNG(rsa, NULL);
    if (n <= 0)
        return -EIO;
    *ret_size = (size_t)n;
    return 0;
}

static int ecdsa_sign(ecc_key *ecc, const struct Curve *curve, SignatureForm form, HashAlgorithm hash,
                      const uint8_t *digest, WolfRng *rng, uint8_t *ret, size_t *ret_size) {
    word32 size = SIGNATURE_SIZE_MAX;

    if (wc_ecc_sign_hash(digest, (word32)hashes[hash].size, ret, &size, &rng->wolf, ecc) != 0)
        return -EIO;
    *ret_size = size;
    if (form == SIGNATURE_ECDSA_DER)
        return 0;
    uint8_t r[66], s[66];
    word32 r_size = sizeof r, s_size = sizeof s;
    if (wc_ecc_sig_to_rs(ret, size, r, &r_size, s, &s_size) != 0 || r_size > curve->size ||
        s_size > curve->size)
        return -EIO;
    memcpy(ret, r, r_size);
    pad_left(ret, r_size, curve->size);
    memcpy(ret + curve->size, s, s_size);
    pad_left(ret + curve->size, s_size, curve->size);
    *ret_size = 2 * curve->size;
    return 0;
}

int private_key_sign(const PrivateKey *key, SignatureForm form, HashAlgorithm hash, const struct iovec *parts,
                     size_t n, const Rng *rng, uint8_t *ret, size_t *ret_size) {
    PrivateKey *k = (PrivateKey *)key; /* only its RNG pointer changes, and back */
    const struct Curve *curve = kind_curve(k->kind);
    uint8_t digest[HASH_SIZE_MAX];
    WolfRng wolf;

    assert((form == SIGNATURE_ECDSA_DER || form == SIGNATURE_ECDSA_RAW) == !!curve);
    int r = crypto_hash(hash, parts, n, digest);
    if (r < 0)
        return r;
    r = wolf_rng_init(&wolf, rng);
    if (r < 0)
        return r;
    r = curve ? ecdsa_sign(&k->ecc, curve, form, hash, digest, &wolf, ret, ret_size)
              : rsa_sign(&k->rsa, form, hash, digest, &wolf, ret, ret_size);
    wolf_rng_free(&wolf);
    return r;
}

static int rsa_verify(const uint8_t *spki, size_t spki_size, SignatureForm form, HashAlgorithm hash,
                      const uint8_t *digest, const uint8_t *signature, size_t signature_size) {
    uint8_t copy[SIGNATURE_SIZE_MAX], out[SIGNATURE_SIZE_MAX], info[128];
    word32 index = 0;
    RsaKey rsa;
    bool good = false;

    if (wc_InitRsaKey(&rsa, NULL) != 0)
        return -ENOMEM;
    if (signature_size <= sizeof copy && wc_RsaPublicKeyDecode(spki, &index, &rsa, (word32)spki_size) == 0 &&
        rsa_size_is_fine(&rsa)) {
        memcpy(copy, signature, signature_size);
        if (form == SIGNATURE_RSA_PSS)
            good = wc_RsaPSS_VerifyCheck(copy, (word32)signature_size, out, sizeof out, digest,
                                         (word32)hashes[hash].size, hashes[hash].wolf, hashes[hash].mgf,
                                         &rsa) > 0;
        else {
            /* Compared whole with what we would have encoded: nothing is parsed out of the signature. */
            int n = wc_RsaSSL_Verify(copy, (word32)signature_size, out, sizeof out, &rsa);
            word32 expected = digest_info(hash, digest, info);
            good = n > 0 && (word32)n == expected && memcmp(out, info, expected) == 0;
        }
    }
    wc_FreeRsaKey(&rsa);
    return good ? 0 : IKE_NOTIFY_AUTHENTICATION_FAILED;
}

static int ecdsa_verify(const uint8_t *spki, size_t spki_size, SignatureForm form, HashAlgorithm hash,
                        const uint8_t *digest, const uint8_t *signature, size_t signature_size) {
    uint8_t der[SIGNATURE_SIZE_MAX];
    word32 index = 0, der_size = sizeof der;
    ecc_key ecc;
    int result = 0;

    if (wc_ecc_init(&ecc) != 0)
        return -ENOMEM;
    if (wc_EccPublicKeyDecode(spki, &index, &ecc, (word32)spki_size) == 0 && wc_ecc_check_key(&ecc) == 0) {
        const struct Curve *curve = curve_find(wc_ecc_get_curve_id(ecc.idx));
        if (curve && form == SIGNATURE_ECDSA_RAW) {
            if (signature_size == 2 * curve->size &&
                wc_ecc_rs_raw_to_sig(signature, (word32)curve->size, signature + curve->size,
                                     (word32)curve->size, der, &der_size) == 0) {
                signature = der;
                signature_size = der_size;
            } else
                curve = NULL;
        }
        if (curve && wc_ecc_verify_hash(signature, (word32)signature_size, digest, (word32)hashes[hash].size,
                                        &result, &ecc) != 0)
            result = 0;
    }
    wc_ecc_free(&ecc);
    return result == 1 ? 0 : IKE_NOTIFY_AUTHENTICATION_FAILED;
}

int crypto_verify(const uint8_t *spki, size_t spki_size, SignatureForm form, HashAlgorithm hash,
                  const struct iovec *parts, size_t n, const uint8_t *signature, size_t signature_size) {
    uint8_t digest[HASH_SIZE_MAX];

    int r = crypto_hash(hash, parts, n, digest);
    if (r < 0)
        return r;
    switch (form) {
    case SIGNATURE_RSA_PKCS1:
    case SIGNATURE_RSA_PSS:
        return rsa_verify(spki, spki_size, form, hash, digest, signature, signature_size);
    case SIGNATURE_ECDSA_DER:
    case SIGNATURE_ECDSA_RAW:
        return ecdsa_verify(spki, spki_size, form, hash, digest, signature, signature_size);
    }
    return IKE_NOTIFY_AUTHENTICATION_FAILED;
}
