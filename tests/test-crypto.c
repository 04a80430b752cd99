/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The cryptography against known answers (tests/data/ike/vectors.hex: RFC 4231, 5903, 7634, 7748; prf+,
 * primes and SK payloads computed by another implementation when this was written), and against what must be
 * refused. */
#include <check.h>

#include "ike-responder.h"
#include "seeded.h"
#include "suite.h"
#include "vector-keys.h"
#include "vectors.h"

static const Transform *group(uint16_t id) {
    return transform_find(IKE_TRANSFORM_DH, id, 0);
}

static const Transform *prf(uint16_t id) {
    return transform_find(IKE_TRANSFORM_PRF, id, 0);
}

/* Hashes ------------------------------------------------------------------------------------------------- */

static const struct {
    uint16_t id;
    const char *name;
} prfs[] = {
    {IKE_PRF_HMAC_SHA2_256, "sha256"}, {IKE_PRF_HMAC_SHA2_384, "sha384"}, {IKE_PRF_HMAC_SHA2_512, "sha512"}};

START_TEST(hmac_rfc4231) {
    static const struct {
        unsigned number;
        uint8_t fill;
        size_t key_size;
        const char *key, *data;
    } cases[] = {
        {1, 0x0b, 20, NULL, "Hi There"},
        {2, 0, 4, "Jefe", "what do ya want for nothing?"},
        {6, 0xaa, 131, NULL, "Test Using Larger Than Block-Size Key - Hash Key First"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        for (size_t k = 0; k < ARRAY_SIZE(prfs); k++) {
            Blob expected = vector("hmac-%s-%u", prfs[k].name, cases[i].number);
            const char *data = cases[i].data;
            uint8_t key[131], mac[PRF_SIZE_MAX];

            memset(key, cases[i].fill, sizeof key);
            if (cases[i].key)
                memcpy(key, cases[i].key, cases[i].key_size);
            /* In two parts, which must not matter. */
            struct iovec parts[] = {{(void *)data, 3}, {(void *)(data + 3), strlen(data) - 3}};
            ck_assert_int_eq(crypto_prf(prf(prfs[k].id), key, cases[i].key_size, parts, 2, mac), 0);
            ck_assert_uint_eq(expected.size, prf(prfs[k].id)->key_size);
            ck_assert_mem_eq(mac, expected.data, expected.size);
            free(expected.data);
        }
}
END_TEST

START_TEST(prf_plus) {
    for (size_t i = 0; i < ARRAY_SIZE(prfs); i++) {
        const Transform *t = prf(prfs[i].id);
        Blob expected = vector("prf+%s", prfs[i].name);
        struct iovec seed[] = {{(void *)"seed of", 7}, {(void *)" prf+", 5}};
        uint8_t key[64], out[200];

        for (uint8_t k = 0; k < sizeof key; k++)
            key[k] = k;
        ck_assert_uint_eq(expected.size, 200);
        for (size_t size = 1; size <= 200; size++) {
            memset(out, 0xee, sizeof out);
            ck_assert_int_eq(crypto_prf_plus(t, key, t->key_size, seed, 2, out, size), 0);
            ck_assert_mem_eq(out, expected.data, size);
            ck_assert(size == 200 || out[size] == 0xee);
        }
        free(expected.data);
    }
}
END_TEST

START_TEST(sha1) {
    struct iovec parts[] = {{(void *)"a", 1}, {(void *)"bc", 2}};
    Blob expected = test_unhex("a9993e364706816aba3e25717850c26c9cd0d89d"); /* FIPS 180 */
    uint8_t hash[HASH_SIZE_MAX];
    ck_assert_int_eq(crypto_hash(HASH_SHA1, parts, 2, hash), 0);
    ck_assert_mem_eq(hash, expected.data, 20);
    free(expected.data);
}
END_TEST

START_TEST(equal) {
    ck_assert(crypto_equal("abc", "abd", 2) && !crypto_equal("abc", "abd", 3) && crypto_equal("", "x", 0));
}
END_TEST

/* Key exchange ------------------------------------------------------------------------------------------- */

/* Hands out given bytes to whoever asks for just so many, and a sequence to others. */
typedef struct Script {
    Blob bytes;
    bool used;
    uint64_t random;
    Rng rest;
} Script;

static void script_fill(void *userdata, void *ret, size_t size) {
    Script *s = userdata;
    if (!s->used && size == s->bytes.size) {
        memcpy(ret, s->bytes.data, size);
        s->used = true;
    } else
        s->rest.fill(s->rest.userdata, ret, size);
}

static KeyExchange *scripted_key(uint16_t id, Blob bytes) {
    Script script = {.bytes = bytes};
    KeyExchange *key;
    script.rest = seeded_rng(&script.random, 1);
    Rng rng = {script_fill, &script};
    ck_assert_int_eq(key_exchange_new(&key, group(id), &rng), 0);
    ck_assert(script.used);
    free(bytes.data);
    return key;
}

START_TEST(agreements_of_the_rfcs) {
    static const struct {
        uint16_t group;
        const char *name;
        bool public_value;
    } cases[] = {
        {IKE_DH_ECP_256, "ecp256", true},        {IKE_DH_ECP_384, "ecp384", true},
        {IKE_DH_ECP_521, "ecp521", true},        {IKE_DH_CURVE25519, "x25519", true},
        {IKE_DH_CURVE25519, "x25519top", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        KeyExchange *key = scripted_key(cases[i].group, vector("%s-random", cases[i].name));
        Blob peer = vector("%s-peer", cases[i].name), shared = vector("%s-shared", cases[i].name);
        uint8_t secret[SHARED_SECRET_MAX];
        size_t size;

        if (cases[i].public_value) {
            Blob expected = vector("%s-public", cases[i].name);
            const uint8_t *value = key_exchange_public(key, &size);
            ck_assert_uint_eq(size, expected.size);
            ck_assert_mem_eq(value, expected.data, size);
            free(expected.data);
        }
        ck_assert_int_eq(key_exchange_agree(key, peer.data, peer.size, secret, &size), 0);
        ck_assert_uint_eq(size, shared.size);
        ck_assert_mem_eq(secret, shared.data, size);
        key_exchange_free(key);
        free(peer.data), free(shared.data);
    }
}
END_TEST

static const uint16_t groups[] = {IKE_DH_ECP_256,   IKE_DH_ECP_384,   IKE_DH_ECP_521,  IKE_DH_CURVE25519,
                                  IKE_DH_MODP_2048, IKE_DH_MODP_3072, IKE_DH_MODP_4096};
#define N_ECP 3 /* of them, the first */

static KeyExchange *new_key(uint16_t id, const Rng *rng) {
    KeyExchange *key;
    ck_assert_int_eq(key_exchange_new(&key, group(id), rng), 0);
    ck_assert_uint_eq(key_exchange_group(key), id);
    return key;
}

static size_t agree_with(KeyExchange *key, const KeyExchange *peer, uint8_t ret[static SHARED_SECRET_MAX]) {
    size_t size, secret_size;
    const uint8_t *value = key_exchange_public(peer, &size);
    ck_assert_int_eq(key_exchange_agree(key, value, size, ret, &secret_size), 0);
    return secret_size;
}

START_TEST(both_sides_agree) {
    uint64_t random;
    Rng rng = seeded_rng(&random, 7);

    for (size_t i = 0; i < 40; i++) {
        KeyExchange *a = new_key(groups[i % ARRAY_SIZE(groups)], &rng),
                    *b = new_key(groups[i % ARRAY_SIZE(groups)], &rng);
        uint8_t ab[SHARED_SECRET_MAX], ba[SHARED_SECRET_MAX];
        size_t size = agree_with(a, b, ab);
        ck_assert_uint_eq(size, agree_with(b, a, ba));
        ck_assert_mem_eq(ab, ba, size);
        key_exchange_free(a), key_exchange_free(b);
    }
}
END_TEST

/* Randomness comes from the argument and nowhere else. */
START_TEST(keys_follow_the_seed) {
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
        uint64_t random;
        KeyExchange *keys[3];
        const uint8_t *values[3];
        size_t size;
        for (unsigned k = 0; k < 3; k++) {
            Rng rng = seeded_rng(&random, k / 2);
            keys[k] = new_key(groups[i], &rng);
            values[k] = key_exchange_public(keys[k], &size);
        }
        ck_assert_mem_eq(values[0], values[1], size);
        ck_assert_mem_ne(values[0], values[2], size);
        for (unsigned k = 0; k < 3; k++)
            key_exchange_free(keys[k]);
    }
}
END_TEST

/* RFC 7296 2.14: numbers shorter than the modulus are padded in front, public values and secrets. With the
 * generator as the peer's value the secret is our own public value: one shows the other. */
START_TEST(short_numbers_are_padded) {
    uint8_t two[256] = {[255] = 2}, secret[SHARED_SECRET_MAX], other[SHARED_SECRET_MAX];
    unsigned found = 0;
    uint64_t random;
    Rng rng = seeded_rng(&random, 3);

    for (unsigned i = 0; i < 3000 && found < 3; i++) {
        KeyExchange *a = new_key(IKE_DH_MODP_2048, &rng);
        size_t size;
        const uint8_t *value = key_exchange_public(a, &size);
        ck_assert_uint_eq(size, 256);
        if (value[0] == 0) {
            found++;
            ck_assert_int_eq(key_exchange_agree(a, two, 256, secret, &size), 0);
            ck_assert_uint_eq(size, 256);
            ck_assert_mem_eq(secret, value, 256);
            KeyExchange *b = new_key(IKE_DH_MODP_2048, &rng);
            ck_assert_uint_eq(agree_with(a, b, secret), 256);
            ck_assert_uint_eq(agree_with(b, a, other), 256);
            ck_assert_mem_eq(secret, other, 256);
            key_exchange_free(b);
        }
        key_exchange_free(a);
    }
    ck_assert_uint_eq(found, 3);
}
END_TEST

static int agree(uint16_t id, const uint8_t *peer, size_t size) {
    uint64_t random;
    Rng rng = seeded_rng(&random, 5);
    uint8_t secret[SHARED_SECRET_MAX];
    size_t secret_size = 0;
    KeyExchange *key = new_key(id, &rng);
    int r = key_exchange_agree(key, peer, size, secret, &secret_size);
    key_exchange_free(key);
    return r;
}

/* RFC 6989 2.1: from 2 to p-2. With p from elsewhere this also says that p is ours. */
START_TEST(bad_modp_values) {
    static const struct {
        uint16_t group;
        const char *name;
    } primes[] = {
        {IKE_DH_MODP_2048, "modp2048"}, {IKE_DH_MODP_3072, "modp3072"}, {IKE_DH_MODP_4096, "modp4096"}};

    for (size_t i = 0; i < ARRAY_SIZE(primes); i++) {
        Blob p = vector("%s", primes[i].name);
        uint8_t value[IKE_KE_MAX];

        ck_assert_uint_eq(p.size, group(primes[i].group)->icv_size);
        for (int k = -3; k <= 0; k++) {
            memcpy(value, p.data, p.size);
            value[p.size - 1] = (uint8_t)(value[p.size - 1] + k);
            int r = agree(primes[i].group, value, p.size);
            ck_assert_msg(r == (k < -1 ? 0 : IKE_NOTIFY_INVALID_SYNTAX), "%s%+d: %d", primes[i].name, k, r);
        }
        for (uint8_t k = 0; k <= 3; k++) {
            memset(value, 0, p.size);
            value[p.size - 1] = k;
            int r = agree(primes[i].group, value, p.size);
            ck_assert_msg(r == (k >= 2 ? 0 : IKE_NOTIFY_INVALID_SYNTAX), "%u: %d", k, r);
        }
        memcpy(value, p.data, p.size); /* above p */
        value[8] = 0xff;
        ck_assert_int_eq(agree(primes[i].group, value, p.size), IKE_NOTIFY_INVALID_SYNTAX);
        memset(value, 0xff, p.size);
        ck_assert_int_eq(agree(primes[i].group, value, p.size), IKE_NOTIFY_INVALID_SYNTAX);
        free(p.data);
    }
}
END_TEST

START_TEST(wrong_lengths) {
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
        uint64_t random;
        Rng rng = seeded_rng(&random, 9);
        uint8_t value[IKE_KE_MAX] = {};
        KeyExchange *key = new_key(groups[i], &rng);
        size_t size;
        memcpy(value, key_exchange_public(key, &size), group(groups[i])->icv_size);
        size = group(groups[i])->icv_size;
        ck_assert_int_eq(agree(groups[i], value, size), 0);
        ck_assert_int_eq(agree(groups[i], value, size - 1), IKE_NOTIFY_INVALID_SYNTAX);
        ck_assert_int_eq(agree(groups[i], value, size + 1), IKE_NOTIFY_INVALID_SYNTAX);
        ck_assert_int_eq(agree(groups[i], value, 1), IKE_NOTIFY_INVALID_SYNTAX);
        key_exchange_free(key);
    }
}
END_TEST

/* RFC 6989 2.3: on the curve, not at infinity, coordinates below p. */
START_TEST(points_off_the_curve) {
    for (size_t i = 0; i < N_ECP; i++) {
        uint64_t random;
        Rng rng = seeded_rng(&random, 11);
        uint8_t value[132];
        KeyExchange *key = new_key(groups[i], &rng);
        size_t size;
        const uint8_t *good = key_exchange_public(key, &size);
        for (size_t at = 0; at < size; at += 7) {
            memcpy(value, good, size);
            value[at] ^= 1;
            ck_assert_int_eq(agree(groups[i], value, size), IKE_NOTIFY_INVALID_SYNTAX);
        }
        memset(value, 0, size);
        ck_assert_int_eq(agree(groups[i], value, size), IKE_NOTIFY_INVALID_SYNTAX);
        memset(value, 0xff, size);
        ck_assert_int_eq(agree(groups[i], value, size), IKE_NOTIFY_INVALID_SYNTAX);
        memcpy(value, good, size / 2); /* x with y = 0 */
        memset(value + size / 2, 0, size / 2);
        ck_assert_int_eq(agree(groups[i], value, size), IKE_NOTIFY_INVALID_SYNTAX);
        key_exchange_free(key);
    }
}
END_TEST

/* RFC 8031 3.1, RFC 7748 6.1: the points of small order, also as numbers above p and with the top bit set. */
START_TEST(x25519_points_of_low_order) {
    static const char *points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    for (size_t i = 0; i < 2 * ARRAY_SIZE(points); i++) {
        Blob value = test_unhex(points[i / 2]);
        value.data[31] |= (uint8_t)(i % 2 << 7);
        int r = agree(IKE_DH_CURVE25519, value.data, 32);
        ck_assert_msg(r == IKE_NOTIFY_INVALID_SYNTAX, "%s (%zu): %d", points[i / 2], i % 2, r);
        free(value.data);
    }
}
END_TEST

/* The SK payload ----------------------------------------------------------------------------------------- */

static const uint8_t notify[] = {0, 0, 0, 12, 0, 0, 0x40, 1, 0, 1, 2, 3};

static const struct {
    const char *encryption, *name;
    int result;
    size_t size; /* of the plaintext */
} sealed[] = {
    {"aes256gcm16", "gcm", 0, 12},
    {"aes256", "cbc", 0, 12},
    {"aes192", "cbc192", 0, 12},
    {"chacha20poly1305", "chacha", 0, 12},
    /* padded unlike ours, by peers that hold the keys (3.14) */
    {"aes256gcm16", "gcm-random-padding", 0, 12},
    {"aes256", "cbc-more-padding", 0, 12},
    {"chacha20poly1305", "chacha-random-padding", 0, 12},
    {"aes256gcm16", "gcm-only-padding", 0, 0},
    {"aes256gcm16", "gcm-padding-255", -EBADMSG, 0},
    {"aes256gcm16", "gcm-padding-too-long", -EBADMSG, 0},
    {"chacha20poly1305", "chacha-padding-too-long", -EBADMSG, 0},
    {"aes256", "cbc-padding-too-long", -EBADMSG, 0},
    {"aes256", "cbc-padding-255", -EBADMSG, 0},
};
#define N_SEALED_AS_WE_DO 4 /* of them, the first */

static int open_copy(const SealKeys *keys, const uint8_t *message, size_t size, uint8_t *ret,
                     size_t *ret_size) {
    _cleanup_free_ uint8_t *copy = malloc(size ?: 1);
    uint8_t *plain;

    memcpy(copy, message, size);
    int r = crypto_open(keys, copy, size, 32, &plain, ret_size);
    if (r == 0 && ret)
        memcpy(ret, plain, *ret_size);
    return r;
}

START_TEST(open_known_messages) {
    for (size_t i = 0; i < ARRAY_SIZE(sealed); i++) {
        SealKeys keys = vector_keys(sealed[i].encryption);
        Blob m = vector("%s", sealed[i].name);
        uint8_t plain[256];
        size_t size;
        int r = open_copy(&keys, m.data, m.size, plain, &size);
        ck_assert_msg(r == sealed[i].result, "%s: %d", sealed[i].name, r);
        if (r == 0) {
            ck_assert_uint_eq(size, sealed[i].size);
            ck_assert_mem_eq(plain, notify, size);
        }
        free(m.data);
    }
}
END_TEST

static void sequence_fill(void *userdata, void *ret, size_t size) {
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)ret)[i] = (uint8_t)(0x40 + i);
}

START_TEST(seal_known_messages) {
    for (size_t i = 0; i < N_SEALED_AS_WE_DO; i++) {
        SealKeys keys = vector_keys(sealed[i].encryption);
        Blob m = vector("%s", sealed[i].name);
        uint8_t message[256] = {};

        ck_assert_uint_eq(32 + sizeof notify + seal_overhead(&keys, sizeof notify), m.size);
        memcpy(message, m.data, 32);
        memcpy(message + 32 + keys.encr->iv_size, notify, sizeof notify);
        ck_assert_int_eq(
            crypto_seal(&keys, message, m.size, 32, sizeof notify, 7, &(Rng){sequence_fill, NULL}), 0);
        ck_assert_mem_eq(message, m.data, m.size);
        free(m.data);
    }
}
END_TEST

/* RFC 7634 appendix B: key, salt and IV of its own. */
START_TEST(chacha_of_the_rfc) {
    Blob m = vector("rfc7634");
    SealKeys keys = vector_keys("chacha20poly1305");
    uint8_t plain[64], message[128] = {};
    size_t size;

    for (uint8_t i = 0; i < 32; i++)
        keys.encryption[i] = (uint8_t)(0x80 + i);
    ck_assert_int_eq(open_copy(&keys, m.data, m.size, plain, &size), 0);
    ck_assert_uint_eq(size, 12);
    ck_assert_mem_eq(plain, "\0\0\0\x0c\0\0\x40\x01\0\0\0\x0a", 12);
    ck_assert_uint_eq(m.size, 32 + 12 + seal_overhead(&keys, 12));
    memcpy(message, m.data, 32);
    memcpy(message + 40, plain, 12);
    ck_assert_int_eq(crypto_seal(&keys, message, m.size, 32, 12, UINT64_C(0x1011121314151617), NULL), 0);
    ck_assert_mem_eq(message, m.data, m.size);
    free(m.data);
}
END_TEST

START_TEST(tampered_messages) {
    for (size_t i = 0; i < N_SEALED_AS_WE_DO; i++) {
        SealKeys keys = vector_keys(sealed[i].encryption);
        Blob m = vector("%s", sealed[i].name);
        size_t size;
        for (size_t bit = 0; bit < m.size * 8; bit++) {
            m.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            ck_assert_msg(open_copy(&keys, m.data, m.size, NULL, &size) == -EBADMSG, "bit %zu", bit);
            m.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t cut = 32; cut < m.size; cut++)
            ck_assert_int_eq(open_copy(&keys, m.data, cut, NULL, &size), -EBADMSG);
        (keys.integ ? keys.integrity : keys.encryption)[0] ^= 1;
        ck_assert_int_eq(open_copy(&keys, m.data, m.size, NULL, &size), -EBADMSG);
        free(m.data);
    }
}
END_TEST

START_TEST(seal_and_open_every_size) {
    static const struct {
        const char *encryption, *integrity;
    } kinds[] = {
        {"aes128gcm16", NULL}, {"aes256gcm16", NULL}, {"chacha20poly1305", NULL}, {"aes128", "sha256"},
        {"aes192", "sha256"},  {"aes256", "sha256"},  {"aes128", "sha384"},       {"aes256", "sha512"},
    };
    uint64_t random;
    Rng rng = seeded_rng(&random, 1);

    for (size_t kind = 0; kind < ARRAY_SIZE(kinds); kind++)
        for (size_t size = 0; size < 70; size++) {
            const char *integ = kinds[kind].integrity;
            SealKeys keys = vector_keys(kinds[kind].encryption);
            uint8_t message[512], plain[128], back[512];
            size_t back_size;
            if (integ)
                keys.integ = transform_by_keyword(integ, strlen(integ));
            rng.fill(rng.userdata, keys.encryption, sizeof keys.encryption);
            rng.fill(rng.userdata, keys.integrity, sizeof keys.integrity);
            rng.fill(rng.userdata, message, sizeof message);
            rng.fill(rng.userdata, plain, sizeof plain);
            size_t total = 32 + size + seal_overhead(&keys, size);
            memcpy(message + 32 + keys.encr->iv_size, plain, size);
            ck_assert_int_eq(crypto_seal(&keys, message, total, 32, size, size, &rng), 0);
            ck_assert_int_eq(open_copy(&keys, message, total, back, &back_size), 0);
            ck_assert_uint_eq(back_size, size);
            ck_assert_mem_eq(back, plain, size);
            ck_assert(size < 16 || memmem(message, total, plain, 16) == NULL);
        }
}
END_TEST

SUITE("crypto", hmac_rfc4231, prf_plus, sha1, equal, agreements_of_the_rfcs, both_sides_agree,
      keys_follow_the_seed, short_numbers_are_padded, bad_modp_values, wrong_lengths, points_off_the_curve,
      x25519_points_of_low_order, open_known_messages, seal_known_messages, chacha_of_the_rfc,
      tampered_messages, seal_and_open_every_size)
