/* SPDX-License-Identifier: GPL-3.0-or-later */
/* In place of ike/crypto.c for the fuzzer: seals of the same sizes that anybody can make, for what is around
 * them to be tried a hundred times as often. The ordinary test of the same corpus has the real ones. */
#include "fuzz.h"
#include "ike/crypto.h"

static _plain_ size_t padding(const SealKeys *keys, size_t size) {
    size_t block = transform_is_aead(keys->encr) ? 1 : keys->encr->iv_size;
    return (block - (size + 1) % block) % block;
}

static _plain_ size_t icv_size(const SealKeys *keys) {
    return transform_is_aead(keys->encr) ? keys->encr->icv_size : keys->integ->icv_size;
}

_plain_ size_t seal_overhead(const SealKeys *keys, size_t size) {
    return keys->encr->iv_size + padding(keys, size) + 1 + icv_size(keys);
}

static _plain_ void checksum(const uint8_t *data, size_t size, uint8_t ret[static 8]) {
    uint64_t sum = size;
    for (; size >= 8; data += 8, size -= 8) {
        uint64_t word;
        __builtin_memcpy(&word, data, 8);
        sum = (sum ^ word) * UINT64_C(0x100000001b3);
        sum ^= sum >> 29;
    }
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ data[i]) * UINT64_C(0x100000001b3);
    sum ^= sum >> 32;
    __builtin_memcpy(ret, &sum, 8);
}

static _plain_ void cipher(uint8_t *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        text[i] ^= 0x5c;
}

_plain_ int crypto_seal(const SealKeys *keys, uint8_t *message, size_t message_size, size_t iv_offset,
                        size_t plain_size, uint64_t counter, const Rng *rng) {
    uint8_t *text = message + iv_offset + keys->encr->iv_size;
    size_t pad = padding(keys, plain_size), icv = icv_size(keys);

    assert(text + plain_size + pad + 1 + icv == message + message_size);
    memset(text - keys->encr->iv_size, 0, keys->encr->iv_size);
    memcpy(text - keys->encr->iv_size, &counter, sizeof counter);
    memset(text + plain_size, 0, pad);
    text[plain_size + pad] = (uint8_t)pad;
    cipher(text, plain_size + pad + 1);
    memset(text + plain_size + pad + 1, 0, icv);
    checksum(message, message_size - icv, message + message_size - 8);
    return 0;
}

_plain_ int crypto_open(const SealKeys *keys, uint8_t *message, size_t message_size, size_t iv_offset,
                        uint8_t **ret_plain, size_t *ret_size) {
    size_t around = keys->encr->iv_size + icv_size(keys), body = message_size - iv_offset;
    uint8_t sum[8], *text = message + iv_offset + keys->encr->iv_size;

    if (body < around + 1)
        return -EBADMSG;
    checksum(message, message_size - icv_size(keys), sum);
    if (memcmp(sum, message + message_size - 8, 8) != 0)
        return -EBADMSG;
    size_t size = body - around;
    cipher(text, size);
    if (text[size - 1] + 1U > size)
        return -EBADMSG;
    *ret_plain = text;
    *ret_size = size - text[size - 1] - 1;
    return 0;
}
