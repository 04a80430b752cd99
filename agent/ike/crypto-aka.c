/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See crypto-aka.h. */
#include "ike/crypto-aka.h"

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/hmac.h>
#include <wolfssl/wolfcrypt/sha.h>

int aka_aes_encrypt(const uint8_t key[static AES_128_BYTES], const uint8_t plain[static AES_BLOCK_BYTES],
                    uint8_t ret[static AES_BLOCK_BYTES]) {
    Aes aes;

    if (wc_AesInit(&aes, NULL, INVALID_DEVID) != 0)
        return -EIO;
    int r = wc_AesSetKeyDirect(&aes, key, AES_128_BYTES, NULL, AES_ENCRYPTION);
    if (r == 0)
        r = wc_AesEncryptDirect(&aes, ret, plain);
    wc_AesFree(&aes);
    explicit_bzero(&aes, sizeof aes);
    return r == 0 ? 0 : -EIO;
}

int aka_aes_cbc_decrypt(const uint8_t key[static AES_128_BYTES], const uint8_t iv[static AES_BLOCK_BYTES],
                        uint8_t *data, size_t size) {
    Aes aes;

    assert(size % AES_BLOCK_BYTES == 0);
    if (wc_AesInit(&aes, NULL, INVALID_DEVID) != 0)
        return -EIO;
    int r = wc_AesSetKey(&aes, key, AES_128_BYTES, iv, AES_DECRYPTION);
    if (r == 0)
        r = wc_AesCbcDecrypt(&aes, data, data, (word32)size);
    wc_AesFree(&aes);
    explicit_bzero(&aes, sizeof aes);
    return r == 0 ? 0 : -EIO;
}

int aka_hmac_sha1(const uint8_t *key, size_t key_size, const struct iovec *parts, size_t n,
                  uint8_t ret[static SHA1_BYTES]) {
    Hmac hmac;

    if (wc_HmacInit(&hmac, NULL, INVALID_DEVID) != 0)
        return -EIO;
    int r = wc_HmacSetKey(&hmac, WC_SHA, key, (word32)key_size);
    for (size_t i = 0; i < n && r == 0; i++)
        r = wc_HmacUpdate(&hmac, parts[i].iov_base, (word32)parts[i].iov_len);
    if (r == 0)
        r = wc_HmacFinal(&hmac, ret);
    wc_HmacFree(&hmac);
    explicit_bzero(&hmac, sizeof hmac);
    return r == 0 ? 0 : -EIO;
}

int aka_sha1_compress(const uint8_t block[static SHA1_BLOCK_BYTES], uint8_t ret[static SHA1_BYTES]) {
    wc_Sha sha;

    if (wc_InitSha(&sha) != 0)
        return -EIO;
    int r = wc_ShaUpdate(&sha, block, SHA1_BLOCK_BYTES);
    if (r == 0)
        r = wc_ShaFinalRaw(&sha, ret);
    wc_ShaFree(&sha);
    explicit_bzero(&sha, sizeof sha);
    return r == 0 ? 0 : -EIO;
}
