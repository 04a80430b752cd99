/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The hashes of HTTP digest authentication on wolfSSL: hash.c is CWMP's only file that sees it. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

typedef enum DigestAlgorithm {
    DIGEST_MD5,
    DIGEST_SHA_256,
    DIGEST_ALGORITHMS_,
} DigestAlgorithm;

#define DIGEST_HASH_MAX 32                        /* bytes */
#define DIGEST_HEX_MAX  (2 * DIGEST_HASH_MAX + 1) /* as text, with its NUL */

/* Hashes the *n* parts; *ret* gets lower-case hexadecimal digits and a NUL. 0 or -EIO (the library failed).
 */
int digest_hash(DigestAlgorithm algorithm, const struct iovec *parts, size_t n,
                char ret[static DIGEST_HEX_MAX]);
