/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The cryptography of EAP-AKA and Milenage on wolfSSL: blocks of AES-128, HMAC-SHA1, and SHA-1's compression
 * function alone, which the generator of FIPS 186-2 is made of. SHA-1 is what RFC 4187 has; nothing else uses
 * this. All return 0 or -EIO (the library failed). */
#pragma once

#include <sys/uio.h>

#include "base/macro.h"

#define AES_BLOCK_BYTES  16
#define AES_128_BYTES    16
#define SHA1_BYTES       20
#define SHA1_BLOCK_BYTES 64

/* One block, no mode. *ret* may be *plain*. */
int aka_aes_encrypt(const uint8_t key[static AES_128_BYTES], const uint8_t plain[static AES_BLOCK_BYTES],
                    uint8_t ret[static AES_BLOCK_BYTES]);
/* CBC in place; *size* is a multiple of the block. */
int aka_aes_cbc_decrypt(const uint8_t key[static AES_128_BYTES], const uint8_t iv[static AES_BLOCK_BYTES],
                        uint8_t *data, size_t size);
int aka_hmac_sha1(const uint8_t *key, size_t key_size, const struct iovec *parts, size_t n,
                  uint8_t ret[static SHA1_BYTES]);
/* SHA-1's compression of one block from its initial state, without padding: G(t, c) of FIPS 186-2 3.3. */
int aka_sha1_compress(const uint8_t block[static SHA1_BLOCK_BYTES], uint8_t ret[static SHA1_BYTES]);
