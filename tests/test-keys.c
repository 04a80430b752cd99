/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Key derivation of rekeyings (RFC 7296 2.17, 2.18) against values that were computed apart from this
 * program, by a few lines of another language on its own HMAC. Those of the first SAs are in test-strongswan.
 */
#include <check.h>

#include "ike-responder.h"
#include "suite.h"

static void count(uint8_t *ret, size_t n, unsigned first, unsigned step) {
    for (size_t i = 0; i < n; i++)
        ret[i] = (uint8_t)(first + i * step);
}

static void assert_hex(const uint8_t *data, const char *hex) {
    Blob expected = test_unhex(hex);
    ck_assert_mem_eq(data, expected.data, expected.size);
    free(expected.data);
}

static Nonces nonces_make(void) {
    Nonces nonces = {.i_size = 32, .r_size = 37};
    count(nonces.i, nonces.i_size, 0, 3);
    count(nonces.r, nonces.r_size, 9, 5);
    return nonces;
}

static Suite suite_make(uint16_t encr, uint16_t prf, uint16_t integ) {
    Suite s = {.by_type = {[IKE_TRANSFORM_ENCR] = transform_find(IKE_TRANSFORM_ENCR, encr, 256),
                           [IKE_TRANSFORM_PRF] = transform_find(IKE_TRANSFORM_PRF, prf, 0)}};
    if (integ)
        s.by_type[IKE_TRANSFORM_INTEG] = transform_find(IKE_TRANSFORM_INTEG, integ, 0);
    return s;
}

/* The PRF changes in both: SKEYSEED is the old one's. */
START_TEST(ike_sa_rekeyed) {
    static const struct {
        uint16_t encr, old_prf, prf, integ;
        unsigned first; /* of the old SK_d */
        const char *sk_d, *ai, *ar, *ei, *er, *pi, *pr;
    } cases[] = {
        {IKE_ENCR_AES_GCM_16, IKE_PRF_HMAC_SHA2_256, IKE_PRF_HMAC_SHA2_384, 0, 0x10,
         "c275002ef5b386fd0e9c50de807dee257c37c01558225adfb611c29d6f04bb3a"
         "2d256942efc889d1bb71e1ee784d73cf",
         "", "",
         "bbd8d3c91c17271951cb6c32f6b760d5bbb5cac2d3eba7dd1e772ac322429518"
         "a001269d",
         "644cdb77a71bea51c9a93ac9976636389e0b6ce4f4f347eced328a6e5c2344c0"
         "553c5c61",
         "9cedb0700e99dd3e7b1d9328485581f78399478505d50375bf2e8dd94a5bc82c"
         "93a4bae5559ec3ce8019a07921e9e5c8",
         "77660159d3e8972d688e3bbc76dac9ccb99391d279d046924ba10ebe2532cafe"
         "6462716dfe691bf4c1e402a6bd764b99"},
        {IKE_ENCR_AES_CBC, IKE_PRF_HMAC_SHA2_384, IKE_PRF_HMAC_SHA2_256, IKE_INTEG_HMAC_SHA2_256_128, 0x40,
         "21f0d14c18995d3ccb313051362508cd9b9086f7407ce6df3ab18f5571617379",
         "896b61357c5b2f47744bb6a312e0d94e4ba46af925fa47553b7d1b1762dad1f5",
         "79ab6606b68eeed790c3f5aa03390f30f3c083c6b9bc8194db777f19b9d3bdcc",
         "bdc207d98debc70a80c756b8290de98576f8eff8d4e8dd241e212551970f1c97",
         "201117d01c2f1f40b20ac717ffdb7011a36ba1f1280d6f7fac1ce62e18b06099",
         "655a9dd5c0cd509d124a374ba352e10de84ac2e78311a6acd76563fed3658e23",
         "2f6b1a02ffb9a421ed0e3c4063a49a861239bbb9d863dfcbce2cf136c6c61063"},
    };
    Nonces nonces = nonces_make();
    uint8_t secret[96];

    count(secret, sizeof secret, 1, 7);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Suite old = suite_make(IKE_ENCR_AES_GCM_16, cases[i].old_prf, 0),
              suite = suite_make(cases[i].encr, cases[i].prf, cases[i].integ);
        uint8_t sk_d[48];
        IkeKeys keys;
        count(sk_d, sizeof sk_d, cases[i].first, 1);
        ck_assert_int_eq(ike_keys_rekey(&old, sk_d, &suite, secret, sizeof secret, &nonces,
                                        UINT64_C(0x0102030405060708), UINT64_C(0x1112131415161718), &keys),
                         0);
        assert_hex(keys.sk_d, cases[i].sk_d);
        assert_hex(keys.sk_pi, cases[i].pi);
        assert_hex(keys.sk_pr, cases[i].pr);
        assert_hex(keys.initiator.encryption, cases[i].ei);
        assert_hex(keys.responder.encryption, cases[i].er);
        assert_hex(keys.initiator.integrity, cases[i].ai);
        assert_hex(keys.responder.integrity, cases[i].ar);
        ck_assert(keys.initiator.encr == suite.by_type[IKE_TRANSFORM_ENCR] &&
                  keys.responder.integ == suite.by_type[IKE_TRANSFORM_INTEG]);
    }
}
END_TEST

START_TEST(child_sa_derived) {
    static const struct {
        uint16_t encr, integ;
        bool pfs;
        const char *out_encryption, *out_integrity, *in_encryption, *in_integrity;
    } cases[] = {
        {IKE_ENCR_AES_CBC, IKE_INTEG_HMAC_SHA2_256_128, false,
         "76c9a5c315fa1472e6d0671eb1194f79ded93f2005dfc3501dfba244721c6a42",
         "8607c685eb48119e526983282f047d8c8934f8719f04d8baa7912e8ea697dd18",
         "09c7901b09cc2ba846427ed4cb3e7b166e4c7665529fc9706f5dac46c581b54b",
         "b7f9cb97e3c1a030db7285a487d1af547bcf0e3e17df79074de9e45b9a994b2c"},
        {IKE_ENCR_AES_GCM_16, 0, false,
         "76c9a5c315fa1472e6d0671eb1194f79ded93f2005dfc3501dfba244721c6a42"
         "8607c685",
         "",
         "eb48119e526983282f047d8c8934f8719f04d8baa7912e8ea697dd1809c7901b"
         "09cc2ba8",
         ""},
        {IKE_ENCR_AES_CBC, IKE_INTEG_HMAC_SHA2_256_128, true,
         "8cdac2d1d64980fb579e8562785fc67b0aeff64875879ff1381599b9d8802232",
         "da027b8107b7bf83d34bd697bab96c960eb02e762586200871f3940303149caa",
         "a8c3b28d22717d36ea4c02568cbe79ef671fd8e0b2449d4c5d2deda2168a760a",
         "a5bf81e4b5a2e00e99ad15d58fbe5b5df9029214dd4d9c741f1801ff826ba3d8"},
        {IKE_ENCR_AES_GCM_16, 0, true,
         "8cdac2d1d64980fb579e8562785fc67b0aeff64875879ff1381599b9d8802232"
         "da027b81",
         "",
         "07b7bf83d34bd697bab96c960eb02e762586200871f3940303149caaa8c3b28d"
         "22717d36",
         ""},
    };
    Suite ike = suite_make(IKE_ENCR_AES_GCM_16, IKE_PRF_HMAC_SHA2_256, 0);
    Nonces nonces = nonces_make();
    IkeKeys keys = {};
    uint8_t secret[96];
    EspKeys out, in;

    count(secret, sizeof secret, 1, 7);
    count(keys.sk_d, 32, 0x10, 1);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Suite esp = suite_make(cases[i].encr, IKE_PRF_HMAC_SHA2_256, cases[i].integ);
        ck_assert_int_eq(child_keys_derive(&ike, &keys, &esp, cases[i].pfs ? secret : NULL, sizeof secret,
                                           &nonces, &out, &in),
                         0);
        assert_hex(out.encryption, cases[i].out_encryption);
        assert_hex(out.integrity, cases[i].out_integrity);
        assert_hex(in.encryption, cases[i].in_encryption);
        assert_hex(in.integrity, cases[i].in_integrity);
        ck_assert_uint_eq(out.encryption_size, cases[i].integ ? 32 : 36);
        ck_assert_uint_eq(in.integrity_size, cases[i].integ ? 32 : 0);
    }
}
END_TEST

SUITE("keys", ike_sa_rekeyed, child_sa_derived)
