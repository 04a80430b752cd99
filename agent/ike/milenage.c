/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See milenage.h. The constants c1..c5 and r1..r5 are those of TS 35.206 4.1: ci is a single bit of the last
 * byte, ri a whole number of bytes. */
#include "ike/milenage.h"

#include "ike/crypto-aka.h"

#define BLOCK AES_BLOCK_BYTES

static void block_xor(uint8_t ret[static BLOCK], const uint8_t other[static BLOCK]) {
    for (size_t i = 0; i < BLOCK; i++)
        ret[i] ^= other[i];
}

/* E_K(rot(in, r) ^ c ^ extra) ^ OPc. *extra* NULL: none. */
static int milenage_out(const Milenage *m, const uint8_t in[static BLOCK], size_t rotation, uint8_t c,
                        const uint8_t *extra, uint8_t ret[static BLOCK]) {
    uint8_t block[BLOCK];

    for (size_t i = 0; i < BLOCK; i++)
        block[i] = in[(i + rotation) % BLOCK];
    block[BLOCK - 1] ^= c;
    if (extra)
        block_xor(block, extra);
    int r = aka_aes_encrypt(m->k, block, ret);
    if (r == 0)
        block_xor(ret, m->opc);
    explicit_bzero(block, sizeof block);
    return r;
}

/* TEMP = E_K(RAND ^ OPc). */
static int milenage_temp(const Milenage *m, const uint8_t rand[static BLOCK], uint8_t ret[static BLOCK]) {
    memcpy(ret, rand, BLOCK);
    block_xor(ret, m->opc);
    return aka_aes_encrypt(m->k, ret, ret);
}

int milenage_opc(const uint8_t k[static MILENAGE_KEY_BYTES], const uint8_t op[static MILENAGE_KEY_BYTES],
                 uint8_t ret[static MILENAGE_KEY_BYTES]) {
    int r = aka_aes_encrypt(k, op, ret);

    if (r == 0)
        block_xor(ret, op);
    return r;
}

int milenage_f1(const Milenage *m, const uint8_t rand[static AKA_RAND_BYTES],
                const uint8_t sqn[static AKA_SQN_BYTES], const uint8_t amf[static AKA_AMF_BYTES],
                uint8_t ret_mac_a[static AKA_MAC_BYTES], uint8_t ret_mac_s[static AKA_MAC_BYTES]) {
    uint8_t temp[BLOCK], in1[BLOCK], out1[BLOCK];

    for (size_t half = 0; half < BLOCK; half += BLOCK / 2) {
        memcpy(in1 + half, sqn, AKA_SQN_BYTES);
        memcpy(in1 + half + AKA_SQN_BYTES, amf, AKA_AMF_BYTES);
    }
    block_xor(in1, m->opc);
    int r = milenage_temp(m, rand, temp);
    if (r == 0)
        r = milenage_out(m, in1, 8, 0, temp, out1); /* r1 = 64 */
    if (r == 0) {
        memcpy(ret_mac_a, out1, AKA_MAC_BYTES);
        memcpy(ret_mac_s, out1 + AKA_MAC_BYTES, AKA_MAC_BYTES);
    }
    explicit_bzero(temp, sizeof temp);
    explicit_bzero(in1, sizeof in1);
    explicit_bzero(out1, sizeof out1);
    return r;
}

int milenage_f2345(const Milenage *m, const uint8_t rand[static AKA_RAND_BYTES], MilenageAnswer *ret) {
    uint8_t in[BLOCK], out2[BLOCK], out5[BLOCK];
    MilenageAnswer a = {};

    int r = milenage_temp(m, rand, in);
    block_xor(in, m->opc);
    if (r == 0)
        r = milenage_out(m, in, 0, 1, NULL, out2);
    if (r == 0)
        r = milenage_out(m, in, 4, 2, NULL, a.ck);
    if (r == 0)
        r = milenage_out(m, in, 8, 4, NULL, a.ik);
    if (r == 0)
        r = milenage_out(m, in, 12, 8, NULL, out5);
    if (r == 0) {
        memcpy(a.ak, out2, sizeof a.ak);
        memcpy(a.res, out2 + 8, sizeof a.res);
        memcpy(a.ak_resync, out5, sizeof a.ak_resync);
        *ret = a;
    }
    explicit_bzero(in, sizeof in);
    explicit_bzero(out2, sizeof out2);
    explicit_bzero(out5, sizeof out5);
    explicit_bzero(&a, sizeof a);
    return r;
}
