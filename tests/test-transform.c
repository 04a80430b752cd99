/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What of a gateway's choice is accepted, and how suites are called. */
#include <check.h>

#include "base/macro.h"
#include "ike/proposal.h"
#include "suite.h"

/* 2.7, 3.3: one proposal, by our number, one transform of each type that we offered, and nothing else. */
START_TEST(accepting_proposals) {
    static const IkeTransform gcm = {IKE_TRANSFORM_ENCR, IKE_ENCR_AES_GCM_16, 256},
                              cbc = {IKE_TRANSFORM_ENCR, IKE_ENCR_AES_CBC, 128},
                              sha = {IKE_TRANSFORM_INTEG, IKE_INTEG_HMAC_SHA2_256_128},
                              no_integ = {IKE_TRANSFORM_INTEG, IKE_INTEG_NONE},
                              prf = {IKE_TRANSFORM_PRF, IKE_PRF_HMAC_SHA2_256},
                              dh = {IKE_TRANSFORM_DH, IKE_DH_ECP_256},
                              no_dh = {IKE_TRANSFORM_DH, IKE_DH_NONE};
    const struct {
        size_t n;
        uint8_t number, protocol, spi_size;
        size_t n_transforms;
        IkeTransform transforms[6];
        bool good;
    } cases[] = {
        {1, 1, 1, 0, 3, {gcm, prf, dh}, true},
        {1, 1, 1, 0, 3, {dh, gcm, prf}, true},
        {1, 1, 1, 0, 4, {gcm, prf, dh, no_integ}, true}, /* spelled out */
        {1, 2, 1, 0, 4, {cbc, sha, prf, dh}, true},
        {1, 2, 1, 0, 3, {gcm, prf, dh}, false}, /* of another proposal */
        {1, 1, 1, 0, 4, {cbc, sha, prf, dh}, false},
        {1, 2, 1, 0, 3, {cbc, prf, dh}, false}, /* a type missing */
        {1, 2, 1, 0, 4, {cbc, no_integ, prf, dh}, false},
        {1, 1, 1, 0, 2, {gcm, prf}, false},
        {1, 1, 1, 0, 3, {gcm, prf, no_dh}, false},
        {1, 1, 1, 0, 4, {gcm, gcm, prf, dh}, false}, /* two of a type */
        {1, 1, 1, 0, 4, {gcm, sha, prf, dh}, false},
        {2, 1, 1, 0, 3, {gcm, prf, dh}, false}, /* two proposals */
        {0, 1, 1, 0, 3, {gcm, prf, dh}, false},
        {1, 3, 1, 0, 3, {gcm, prf, dh}, false},                         /* no such number */
        {1, 1, 3, 0, 3, {gcm, prf, dh}, false},                         /* another protocol */
        {1, 1, 1, 8, 3, {gcm, prf, dh}, false},                         /* a SPI where none belongs */
        {1, 1, 1, 0, 3, {{1, IKE_ENCR_AES_GCM_16, 0}, prf, dh}, false}, /* without its key length */
        {1, 1, 1, 0, 3, {{1, IKE_ENCR_AES_GCM_16, 192}, prf, dh}, false},
        {1, 1, 1, 0, 3, {{1, IKE_ENCR_AES_GCM_16, 256, true}, prf, dh}, false}, /* unknown attribute */
        {1, 1, 1, 0, 4, {gcm, prf, dh, {200, 1}}, false},                       /* unknown type */
        {1, 1, 1, 0, 3, {gcm, prf, {IKE_TRANSFORM_DH, 2}}, false},
    };
    IkeProposal ours[IKE_PROPOSALS_MAX];
    size_t n = proposals_ike(ours);

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        IkeProposal chosen[2] = {{.number = cases[i].number,
                                  .protocol = cases[i].protocol,
                                  .spi_size = cases[i].spi_size,
                                  .n_transforms = cases[i].n_transforms}};
        Suite suite;
        memcpy(chosen[0].transforms, cases[i].transforms, sizeof cases[i].transforms);
        chosen[1] = chosen[0];
        int r = proposal_accept(ours, n, chosen, cases[i].n, &suite);
        ck_assert_msg(r == (cases[i].good ? 0 : IKE_NOTIFY_NO_PROPOSAL_CHOSEN), "case %zu: %d", i, r);
    }
}
END_TEST

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

SUITE("transform", accepting_proposals, suites_as_the_field_writes_them)
