/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Milenage against the test sets of TS 35.208. */
#include "files.h"
#include "hex.h"
#include "ike/crypto-aka.h"
#include "ike/milenage.h"
#include "suite.h"

enum { K, RAND, SQN, AMF, OP, OPC, F1, F1_STAR, F2, F5, F3, F4, F5_STAR, COLUMNS };

static void set_check(char *const columns[static COLUMNS]) {
    uint8_t op[16], rand[16], sqn[6], amf[2], mac_a[8], mac_s[8];
    MilenageAnswer a;
    Milenage m;

    hex_bytes(columns[K], m.k, sizeof m.k);
    hex_bytes(columns[OP], op, sizeof op);
    hex_bytes(columns[RAND], rand, sizeof rand);
    hex_bytes(columns[SQN], sqn, sizeof sqn);
    hex_bytes(columns[AMF], amf, sizeof amf);
    ck_assert_int_eq(milenage_opc(m.k, op, m.opc), 0);
    ck_assert_hex_eq(m.opc, sizeof m.opc, columns[OPC]);
    ck_assert_int_eq(milenage_f1(&m, rand, sqn, amf, mac_a, mac_s), 0);
    ck_assert_hex_eq(mac_a, sizeof mac_a, columns[F1]);
    ck_assert_hex_eq(mac_s, sizeof mac_s, columns[F1_STAR]);
    ck_assert_int_eq(milenage_f2345(&m, rand, &a), 0);
    ck_assert_hex_eq(a.res, sizeof a.res, columns[F2]);
    ck_assert_hex_eq(a.ck, sizeof a.ck, columns[F3]);
    ck_assert_hex_eq(a.ik, sizeof a.ik, columns[F4]);
    ck_assert_hex_eq(a.ak, sizeof a.ak, columns[F5]);
    ck_assert_hex_eq(a.ak_resync, sizeof a.ak_resync, columns[F5_STAR]);
}

START_TEST(test_sets) {
    char *file = data_read("eap", "milenage.txt", NULL), *save = NULL;
    size_t n = 0;

    for (char *line = strtok_r(file, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *columns[COLUMNS], *rest = NULL;
        if (*line == '#')
            continue;
        for (size_t i = 0; i < COLUMNS; i++) {
            columns[i] = strtok_r(i == 0 ? line : NULL, " ", &rest);
            ck_assert_ptr_nonnull(columns[i]);
        }
        set_check(columns);
        n++;
    }
    ck_assert_uint_eq(n, 6);
    free(file);
}
END_TEST

/* NIST SP 800-38A F.2.1, backwards; RFC 2202 case 2; FIPS 180's "abc", its padding done by hand. */
START_TEST(primitives) {
    uint8_t key[16], iv[16], data[32], mac[20], block[64] = {'a', 'b', 'c', 0x80, [63] = 24};

    hex_bytes("2b7e151628aed2a6abf7158809cf4f3c", key, sizeof key);
    hex_bytes("000102030405060708090a0b0c0d0e0f", iv, sizeof iv);
    hex_bytes("7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2", data, sizeof data);
    ck_assert_int_eq(aka_aes_cbc_decrypt(key, iv, data, sizeof data), 0);
    ck_assert_hex_eq(data, sizeof data, "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
    ck_assert_int_eq(
        aka_hmac_sha1((const uint8_t *)"Jefe", 4,
                      (struct iovec[]){{(void *)"what do ya want ", 16}, {(void *)"for nothing?", 12}}, 2,
                      mac),
        0);
    ck_assert_hex_eq(mac, sizeof mac, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    ck_assert_int_eq(aka_sha1_compress(block, mac), 0);
    ck_assert_hex_eq(mac, sizeof mac, "a9993e364706816aba3e25717850c26c9cd0d89d");
}
END_TEST

SUITE("milenage", test_sets, primitives)
