/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See eap-aka-keys.h. */
#include "ike/eap-aka-keys.h"

#include "ike/crypto.h"

/* XKEY = (1 + XKEY + w) mod 2^160. */
static void key_advance(uint8_t key[static SHA1_BYTES], const uint8_t w[static SHA1_BYTES]) {
    unsigned carry = 1;

    for (size_t i = SHA1_BYTES; i-- > 0; carry >>= 8) {
        carry += (unsigned)key[i] + w[i];
        key[i] = (uint8_t)carry;
    }
}

int fips186_generate(const uint8_t key[static SHA1_BYTES], uint8_t *ret, size_t size) {
    uint8_t block[SHA1_BLOCK_BYTES] = {};
    int r = 0;

    assert(size % SHA1_BYTES == 0);
    memcpy(block, key, SHA1_BYTES);
    for (size_t at = 0; at < size && r == 0; at += SHA1_BYTES) {
        r = aka_sha1_compress(block, ret + at);
        if (r == 0)
            key_advance(block, ret + at);
    }
    explicit_bzero(block, sizeof block);
    return r;
}

int eap_aka_keys_derive(const char *identity, const uint8_t ik[static AKA_KEY_BYTES],
                        const uint8_t ck[static AKA_KEY_BYTES], EapAkaKeys *ret) {
    uint8_t master[HASH_SIZE_MAX], material[sizeof(EapAkaKeys)];
    const struct iovec parts[] = {
        {(void *)identity, strlen(identity)}, {(void *)ik, AKA_KEY_BYTES}, {(void *)ck, AKA_KEY_BYTES}};

    static_assert(sizeof material == 160, "K_encr, K_aut, MSK, EMSK: eight times 20 bytes");
    int r = crypto_hash(HASH_SHA1, parts, ARRAY_SIZE(parts), master);
    if (r == 0)
        r = fips186_generate(master, material, sizeof material);
    if (r == 0)
        memcpy(ret, material, sizeof *ret);
    explicit_bzero(master, sizeof master);
    explicit_bzero(material, sizeof material);
    return r;
}

void eap_aka_keys_wipe(EapAkaKeys *keys) {
    explicit_bzero(keys, sizeof *keys);
}
