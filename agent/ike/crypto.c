/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See crypto.h. */
#include "ike/crypto.h"

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/chacha20_poly1305.h>
#include <wolfssl/wolfcrypt/cryptocb.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/hmac.h>
#include <wolfssl/wolfcrypt/wc_port.h>

#include "ike/wolf.h"

static const WolfHash hashes[HASH_ALGORITHMS_] = {
    [HASH_SHA1] = {WC_HASH_TYPE_SHA, WC_SHA, 20, WC_MGF1SHA1},
    [HASH_SHA2_256] = {WC_HASH_TYPE_SHA256, WC_SHA256, 32, WC_MGF1SHA256},
    [HASH_SHA2_384] = {WC_HASH_TYPE_SHA384, WC_SHA384, 48, WC_MGF1SHA384},
    [HASH_SHA2_512] = {WC_HASH_TYPE_SHA512, WC_SHA512, 64, WC_MGF1SHA512},
};

static const Curve curves[] = {
    {ECC_SECP256R1, 32, IKE_DH_ECP_256, KEY_ECDSA_P256},
    {ECC_SECP384R1, 48, IKE_DH_ECP_384, KEY_ECDSA_P384},
    {ECC_SECP521R1, 66, IKE_DH_ECP_521, KEY_ECDSA_P521},
};

const WolfHash *wolf_hash(HashAlgorithm hash) {
    return &hashes[hash];
}

const Curve *curve_of_wolf(int wolf) {
    for (size_t i = 0; i < ARRAY_SIZE(curves); i++)
        if (curves[i].wolf == wolf)
            return &curves[i];
    return NULL;
}

const Curve *curve_of_group(uint16_t group) {
    for (size_t i = 0; i < ARRAY_SIZE(curves); i++)
        if (curves[i].group == group)
            return &curves[i];
    return NULL;
}

const Curve *curve_of_kind(KeyKind kind) {
    for (size_t i = 0; i < ARRAY_SIZE(curves); i++)
        if (curves[i].kind == kind)
            return &curves[i];
    return NULL;
}

size_t hash_size(HashAlgorithm hash) {
    return hashes[hash].size;
}

/* wolfSSL draws its randomness from ours: a crypto callback device that answers nothing but RNG, and the seed
 * that it would otherwise read off /dev/urandom. */
#define RNG_DEVICE 0x48654e42

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

int wolf_rng_init(WolfRng *r, const Rng *source) {
    static bool registered;

    /* The library's own initialization empties its table of devices. */
    if (!registered &&
        (wolfCrypt_Init() != 0 || wc_CryptoCb_RegisterDevice(RNG_DEVICE, rng_device, NULL) != 0))
        return -EIO;
    registered = true;
    r->source = source;
    return wc_InitRng_ex(&r->wolf, NULL, RNG_DEVICE) == 0 ? 0 : -EIO;
}

void wolf_rng_free(WolfRng *r) {
    wc_FreeRng(&r->wolf);
}

int crypto_hash(HashAlgorithm hash, const struct iovec *parts, size_t n, uint8_t *ret) {
    assert(hash != HASH_IDENTITY);
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

static int gcm_seal(const SealKeys *keys, const Sealed *s, bool open) {
    uint8_t nonce[12];
    Aes aes;

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

/* RFC 7634 2: nonce and associated data as with GCM. */
static int chacha_seal(const SealKeys *keys, const Sealed *s, bool open) {
    uint8_t nonce[12];

    aead_nonce(keys, s->iv, nonce);
    if (open)
        return wc_ChaCha20Poly1305_Decrypt(keys->encryption, nonce, s->message, (word32)s->aad, s->text,
                                           (word32)s->size, s->icv, s->text) == 0
                   ? 0
                   : -EBADMSG;
    return wc_ChaCha20Poly1305_Encrypt(keys->encryption, nonce, s->message, (word32)s->aad, s->text,
                                       (word32)s->size, s->text, s->icv) == 0
               ? 0
               : -EIO;
}

static int aead_seal(const SealKeys *keys, const Sealed *s, bool open) {
    return keys->encr->id == IKE_ENCR_CHACHA20_POLY1305 ? chacha_seal(keys, s, open)
                                                        : gcm_seal(keys, s, open);
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
