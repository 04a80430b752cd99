/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See hash.h. */
#include "cwmp/hash.h"

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/hash.h>

#include "base/macro.h"

static const struct {
    enum wc_HashType wolf;
    size_t size;
} hashes[DIGEST_ALGORITHMS_] = {
    [DIGEST_MD5] = {WC_HASH_TYPE_MD5, 16},
    [DIGEST_SHA_256] = {WC_HASH_TYPE_SHA256, 32},
};

int digest_hash(DigestAlgorithm algorithm, const struct iovec *parts, size_t n,
                char ret[static DIGEST_HEX_MAX]) {
    static const char digits[] = "0123456789abcdef";
    enum wc_HashType type = hashes[algorithm].wolf;
    uint8_t hash[DIGEST_HASH_MAX];
    wc_HashAlg state;

    int e = wc_HashInit(&state, type);
    if (e != 0)
        return -EIO;
    for (size_t i = 0; i < n && e == 0; i++)
        e = wc_HashUpdate(&state, type, parts[i].iov_base, (word32)parts[i].iov_len);
    if (e == 0)
        e = wc_HashFinal(&state, type, hash);
    wc_HashFree(&state, type);
    explicit_bzero(&state, sizeof state);
    if (e != 0)
        return -EIO;
    for (size_t i = 0; i < hashes[algorithm].size; i++) {
        ret[2 * i] = digits[hash[i] >> 4];
        ret[2 * i + 1] = digits[hash[i] & 15];
    }
    ret[2 * hashes[algorithm].size] = 0;
    explicit_bzero(hash, sizeof hash);
    return 0;
}
