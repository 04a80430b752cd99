/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of algorithms, and how suites are called. */
#include <check.h>

#include "base/macro.h"
#include "ike/proposal.h"
#include "suite.h"

START_TEST(suites_as_the_field_writes_them) {
    const Suite aead = {{[IKE_TRANSFORM_ENCR] = transform_find(IKE_TRANSFORM_ENCR, IKE_ENCR_AES_GCM_16, 128),
                         [IKE_TRANSFORM_PRF] = transform_find(IKE_TRANSFORM_PRF, IKE_PRF_HMAC_SHA2_384, 0),
                         [IKE_TRANSFORM_DH] = transform_find(IKE_TRANSFORM_DH, IKE_DH_CURVE25519, 0)}};
    const Suite cbc = {
        {[IKE_TRANSFORM_ENCR] = transform_find(IKE_TRANSFORM_ENCR, IKE_ENCR_AES_CBC, 256),
         [IKE_TRANSFORM_INTEG] = transform_find(IKE_TRANSFORM_INTEG, IKE_INTEG_HMAC_SHA2_512_256, 0)}};
    char text[SUITE_STR_MAX];

    ck_assert_str_eq(suite_format(&aead, text), "aes128gcm16-prfsha384-x25519");
    ck_assert_str_eq(suite_format(&cbc, text), "aes256-sha512");
    ck_assert_str_eq(suite_format(&(Suite){}, text), "");
    EspAlgorithms a = suite_esp_algorithms(&cbc);
    ck_assert_ptr_null(a.aead);
    ck_assert_str_eq(a.encryption, "cbc(aes)");
    ck_assert_str_eq(a.integrity, "hmac(sha512)");
    ck_assert_uint_eq(a.truncation_bits, 256);
    ck_assert_ptr_null(transform_find(IKE_TRANSFORM_ENCR, IKE_ENCR_AES_GCM_16, 192));
    ck_assert_ptr_null(transform_find(IKE_TRANSFORM_DH, 2, 0));
}
END_TEST

/* RFC 7634: no key length attribute, 32 bytes of key and 4 of salt; the kernel's name. */
START_TEST(chacha_in_esp) {
    Suite suite = {{[IKE_TRANSFORM_ENCR] = transform_find(IKE_TRANSFORM_ENCR, IKE_ENCR_CHACHA20_POLY1305, 0),
                    [IKE_TRANSFORM_ESN] = transform_find(IKE_TRANSFORM_ESN, IKE_ESN_YES, 0)}};
    EspAlgorithms a = suite_esp_algorithms(&suite);
    char text[SUITE_STR_MAX];

    ck_assert_str_eq(a.aead, "rfc7539esp(chacha20,poly1305)");
    ck_assert_uint_eq(a.icv_bits, 128);
    ck_assert_uint_eq(
        suite.by_type[IKE_TRANSFORM_ENCR]->key_size + suite.by_type[IKE_TRANSFORM_ENCR]->salt_size, 36);
    ck_assert_ptr_null(transform_find(IKE_TRANSFORM_ENCR, IKE_ENCR_CHACHA20_POLY1305, 256));
    ck_assert(suite_has_esn(&suite));
    ck_assert_str_eq(suite_format(&suite, text), "chacha20poly1305-esn");
    suite.by_type[IKE_TRANSFORM_ESN] = transform_find(IKE_TRANSFORM_ESN, IKE_ESN_NO, 0);
    ck_assert(!suite_has_esn(&suite) && !suite_has_esn(&(Suite){}));
    ck_assert_str_eq(suite_format(&suite, text), "chacha20poly1305");
}
END_TEST

SUITE("transform", suites_as_the_field_writes_them, chacha_in_esp)
