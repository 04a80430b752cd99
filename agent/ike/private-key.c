/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See private-key.h. */
#include "ike/private-key.h"

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/rsa.h>
#include <wolfssl/wolfcrypt/signature.h>

#include "ike/wolf.h"

#define RSA_BITS_MIN        2048 /* TS 33.310 6.1 */
#define RSA_BITS_MAX        4096 /* what Debian's wolfSSL can compute */
#define SPKI_MAX            640
#define ECDSA_SIGNATURE_MAX (3 + 2 * (2 + 67)) /* DER of P-521: a sequence of two integers */

struct PrivateKey {
    KeyKind kind;
    union {
        ecc_key ecc;
        RsaKey rsa;
        ed25519_key ed25519;
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
        const Curve *curve = curve_of_wolf(wc_ecc_get_curve_id(key->ecc.idx));
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

/* The file has the seed alone, or with the public half (RFC 8410 7), which is computed again. */
static int ed25519_private_decode(PrivateKey *key, const uint8_t *der, word32 size) {
    uint8_t seed[ED25519_KEY_SIZE], public_value[ED25519_PUB_KEY_SIZE];
    word32 index = 0, seed_size = sizeof seed;
    ed25519_key *k = &key->ed25519;

    if (wc_ed25519_init(k) != 0)
        return -ENOMEM;
    bool good = wc_Ed25519PrivateKeyDecode(der, &index, k, size) == 0 &&
                wc_ed25519_export_private_only(k, seed, &seed_size) == 0 &&
                wc_ed25519_make_public(k, public_value, sizeof public_value) == 0 &&
                wc_ed25519_import_private_key(seed, sizeof seed, public_value, sizeof public_value, k) == 0;
    explicit_bzero(seed, sizeof seed);
    if (good) {
        key->kind = KEY_ED25519;
        return 0;
    }
    wc_ed25519_free(k);
    return -EINVAL;
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
    if (n > 0 && r == -EINVAL)
        r = ed25519_private_decode(key, der, (word32)n);
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
    switch (key->kind) {
    case KEY_RSA:
        wc_FreeRsaKey(&key->rsa);
        break;
    case KEY_ED25519:
        wc_ed25519_free(&key->ed25519);
        break;
    case KEY_ECDSA_P256:
    case KEY_ECDSA_P384:
    case KEY_ECDSA_P521:
    case KEY_KINDS_:
        wc_ecc_free(&key->ecc);
    }
    explicit_bzero(key, sizeof *key);
    free(key);
}

KeyKind private_key_kind(const PrivateKey *key) {
    return key->kind;
}

bool private_key_matches(const PrivateKey *key, const uint8_t *spki, size_t spki_size) {
    PrivateKey *k = (PrivateKey *)key; /* wolfSSL's encoders only read, but do not say so */
    uint8_t ours[SPKI_MAX];
    int n = k->kind == KEY_RSA       ? wc_RsaKeyToPublicDer(&k->rsa, ours, sizeof ours)
            : k->kind == KEY_ED25519 ? wc_Ed25519PublicKeyToDer(&k->ed25519, ours, sizeof ours, 1)
                                     : wc_EccPublicKeyToDer(&k->ecc, ours, sizeof ours, 1);
    return n > 0 && (size_t)n == spki_size && memcmp(ours, spki, spki_size) == 0;
}

/* The DigestInfo of PKCS#1 v1.5 (RFC 8017 9.2). */
static word32 digest_info(HashAlgorithm hash, const uint8_t *digest, uint8_t ret[static 128]) {
    return wc_EncodeSignature(ret, digest, (word32)wolf_hash(hash)->size,
                              wc_HashGetOID(wolf_hash(hash)->wolf));
}

static int rsa_sign(RsaKey *rsa, SignatureForm form, HashAlgorithm hash, const uint8_t *digest, WolfRng *rng,
                    uint8_t *ret, size_t *ret_size) {
    uint8_t info[128];
    int n;

    wc_RsaSetRNG(rsa, &rng->wolf); /* blinding */
    if (form == SIGNATURE_RSA_PSS)
        n = wc_RsaPSS_Sign(digest, (word32)wolf_hash(hash)->size, ret, SIGNATURE_SIZE_MAX,
                           wolf_hash(hash)->wolf, wolf_hash(hash)->mgf, rsa, &rng->wolf);
    else
        n = wc_RsaSSL_Sign(info, digest_info(hash, digest, info), ret, SIGNATURE_SIZE_MAX, rsa, &rng->wolf);
    wc_RsaSetRNG(rsa, NULL);
    if (n <= 0)
        return -EIO;
    *ret_size = (size_t)n;
    return 0;
}

static int ecdsa_sign(ecc_key *ecc, const Curve *curve, SignatureForm form, HashAlgorithm hash,
                      const uint8_t *digest, WolfRng *rng, uint8_t *ret, size_t *ret_size) {
    word32 size = SIGNATURE_SIZE_MAX;

    if (wc_ecc_sign_hash(digest, (word32)wolf_hash(hash)->size, ret, &size, &rng->wolf, ecc) != 0)
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

/* Ed25519 reads its octets twice, so it wants them in one piece. NULL: no memory, or too many. */
static uint8_t *parts_join(const struct iovec *parts, size_t n, size_t *ret_size) {
    size_t size = 0;

    for (size_t i = 0; i < n; i++) {
        if (parts[i].iov_len > SIGNED_SIZE_MAX - size)
            return NULL;
        size += parts[i].iov_len;
    }
    uint8_t *joined = malloc(size + 1), *p = joined;
    for (size_t i = 0; i < n && joined; i++) {
        memcpy(p, parts[i].iov_base, parts[i].iov_len);
        p += parts[i].iov_len;
    }
    *ret_size = size;
    return joined;
}

static int ed25519_sign(ed25519_key *key, const struct iovec *parts, size_t n, uint8_t *ret,
                        size_t *ret_size) {
    word32 out = ED25519_SIG_SIZE;
    size_t size;
    _cleanup_free_ uint8_t *octets = parts_join(parts, n, &size);

    if (!octets || wc_ed25519_sign_msg(octets, (word32)size, ret, &out, key) != 0)
        return -EIO;
    *ret_size = out;
    return 0;
}

int private_key_sign(const PrivateKey *key, SignatureForm form, HashAlgorithm hash, const struct iovec *parts,
                     size_t n, const Rng *rng, uint8_t *ret, size_t *ret_size) {
    PrivateKey *k = (PrivateKey *)key; /* only its RNG pointer changes, and back */
    const Curve *curve = curve_of_kind(k->kind);
    uint8_t digest[HASH_SIZE_MAX];
    WolfRng wolf;

    assert((form == SIGNATURE_ECDSA_DER || form == SIGNATURE_ECDSA_RAW) == !!curve);
    assert((form == SIGNATURE_ED25519) == (k->kind == KEY_ED25519));
    assert((form == SIGNATURE_ED25519) == (hash == HASH_IDENTITY));
    if (form == SIGNATURE_ED25519) /* the nonce is derived, no randomness in it */
        return ed25519_sign(&k->ed25519, parts, n, ret, ret_size);
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
    if (wc_RsaPublicKeyDecode(spki, &index, &rsa, (word32)spki_size) == 0 && rsa_size_is_fine(&rsa) &&
        signature_size == (size_t)wc_RsaEncryptSize(&rsa)) {
        memcpy(copy, signature, signature_size);
        if (form == SIGNATURE_RSA_PSS)
            good = wc_RsaPSS_VerifyCheck(copy, (word32)signature_size, out, sizeof out, digest,
                                         (word32)wolf_hash(hash)->size, wolf_hash(hash)->wolf,
                                         wolf_hash(hash)->mgf, &rsa) > 0;
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
        const Curve *curve = curve_of_wolf(wc_ecc_get_curve_id(ecc.idx));
        if (curve && signature_size > ECDSA_SIGNATURE_MAX)
            curve = NULL;
        if (curve && form == SIGNATURE_ECDSA_RAW) {
            if (signature_size == 2 * curve->size &&
                wc_ecc_rs_raw_to_sig(signature, (word32)curve->size, signature + curve->size,
                                     (word32)curve->size, der, &der_size) == 0) {
                signature = der;
                signature_size = der_size;
            } else
                curve = NULL;
        }
        if (curve && wc_ecc_verify_hash(signature, (word32)signature_size, digest,
                                        (word32)wolf_hash(hash)->size, &result, &ecc) != 0)
            result = 0;
    }
    wc_ecc_free(&ecc);
    return result == 1 ? 0 : IKE_NOTIFY_AUTHENTICATION_FAILED;
}

static int ed25519_verify(const uint8_t *spki, size_t spki_size, const struct iovec *parts, size_t n,
                          const uint8_t *signature, size_t signature_size) {
    size_t size;
    _cleanup_free_ uint8_t *octets = parts_join(parts, n, &size);
    word32 index = 0;
    ed25519_key key;
    int result = 0;

    if (!octets || wc_ed25519_init(&key) != 0)
        return -ENOMEM;
    if (signature_size == ED25519_SIG_SIZE &&
        wc_Ed25519PublicKeyDecode(spki, &index, &key, (word32)spki_size) == 0 &&
        wc_ed25519_verify_msg(signature, ED25519_SIG_SIZE, octets, (word32)size, &result, &key) != 0)
        result = 0;
    wc_ed25519_free(&key);
    return result == 1 ? 0 : IKE_NOTIFY_AUTHENTICATION_FAILED;
}

int crypto_verify(const uint8_t *spki, size_t spki_size, SignatureForm form, HashAlgorithm hash,
                  const struct iovec *parts, size_t n, const uint8_t *signature, size_t signature_size) {
    uint8_t digest[HASH_SIZE_MAX];

    if (form == SIGNATURE_ED25519)
        return hash == HASH_IDENTITY ? ed25519_verify(spki, spki_size, parts, n, signature, signature_size)
                                     : IKE_NOTIFY_AUTHENTICATION_FAILED;
    if (hash == HASH_IDENTITY)
        return IKE_NOTIFY_AUTHENTICATION_FAILED;
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
    case SIGNATURE_ED25519:
        break;
    }
    return IKE_NOTIFY_AUTHENTICATION_FAILED;
}
