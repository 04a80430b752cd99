/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Proposals: the field's notation and its mistakes, what goes out, what of a gateway's answer is accepted,
 * and what is chosen of a gateway's offer. */
#include <check.h>

#include "base/log.h"
#include "base/macro.h"
#include "ike/proposal.h"
#include "seeded.h"
#include "suite.h"

static ProposalSet parse(uint8_t protocol, const char *text) {
    char error[ERROR_MAX_BYTES] = "";
    ProposalSet set;
    int r = proposals_parse(&set, protocol, text, error);
    ck_assert_msg(r == 0 && !*error, "%s: %s", text, error);
    return set;
}

static ProposalSet esp(const char *text, Esn esn) {
    ProposalSet set = parse(IKE_PROTOCOL_ESP, text);
    proposals_complete(&set, esn);
    return set;
}

/* The notation ------------------------------------------------------------------------------------------- */

START_TEST(what_is_written_is_read) {
    static const struct {
        uint8_t protocol;
        const char *text, *written; /* NULL: the same */
    } cases[] = {
        {IKE_PROTOCOL_IKE, "aes256gcm16-prfsha384-ecp384", NULL},
        {IKE_PROTOCOL_IKE, "aes256-sha256-modp2048", "aes256-sha256-prfsha256-modp2048"},
        {IKE_PROTOCOL_IKE, "aes128-sha384-prfsha512-ecp521", NULL},
        {IKE_PROTOCOL_IKE, "ecp256-sha512-aes192-sha256-ecp384",
         "aes192-sha512-sha256-prfsha512-prfsha256-ecp256-ecp384"},
        {IKE_PROTOCOL_IKE, "aes128gcm16-sha256-x25519",
         "aes128gcm16-prfsha256-x25519"}, /* as the field does */
        {IKE_PROTOCOL_IKE, "chacha20poly1305-aes256gcm16-prfsha256-curve25519",
         "chacha20poly1305-aes256gcm16-prfsha256-x25519"},
        {IKE_PROTOCOL_IKE, " aes-sha2_256-modp3072,AES256GCM128-PRFSHA512-MODP4096\t, ",
         "aes128-sha256-prfsha256-modp3072 aes256gcm16-prfsha512-modp4096"},
        {IKE_PROTOCOL_ESP, "aes256gcm16", NULL},
        {IKE_PROTOCOL_ESP, "aes256gcm16-aes128gcm16-ecp256-esn-noesn", NULL},
        {IKE_PROTOCOL_ESP, "aes128-sha256-noesn chacha20poly1305-x25519", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char buf[PROPOSALS_STR_MAX], again[PROPOSALS_STR_MAX];
        ProposalSet set = parse(cases[i].protocol, cases[i].text);
        ck_assert_str_eq(proposals_format(&set, buf), cases[i].written ?: cases[i].text);
        for (size_t k = 0; k < set.n; k++) {
            ck_assert_uint_eq(set.items[k].number, k + 1);
            ck_assert_uint_eq(set.items[k].protocol, cases[i].protocol);
        }
        set = parse(cases[i].protocol, buf);
        ck_assert_str_eq(proposals_format(&set, again), buf);
    }
}
END_TEST

START_TEST(mistakes_are_told) {
    static const struct {
        const char *text, *error;
    } ike[] =
        {
            {"", "no proposal"},
            {" , ", "no proposal"},
            {"aes256-sha1-modp2048", "sha1 is too weak (RFC 8247)"},
            {"aes256-sha-modp2048", "sha is too weak (RFC 8247)"},
            {"aes256-md5-modp2048", "md5 is too weak (RFC 8247)"},
            {"3des-sha256-modp2048", "3des is too weak (RFC 8247)"},
            {"3DES-sha256-modp2048", "3DES is too weak (RFC 8247)"},
            {"des-sha256-modp2048", "des is too weak (RFC 8247)"},
            {"null-sha256-modp2048", "null is too weak (it encrypts nothing)"},
            {"aes256gmac-prfsha256-ecp256", "aes256gmac is too weak (it encrypts nothing)"},
            {"blowfish256-sha256-modp2048", "blowfish256 is too weak (RFC 8221)"},
            {"cast128-sha256-modp2048", "cast128 is too weak (RFC 8221)"},
            {"aes256-sha256-modp768", "modp768 is too weak (RFC 8247)"},
            {"aes256-sha256-modp1024", "modp1024 is too weak (RFC 8247)"},
            {"aes256-sha256-modp1024s160", "modp1024s160 is too weak (RFC 8247)"},
            {"aes256-sha256-modp1536", "modp1536 is too weak (RFC 8247)"},
            {"aes256-sha256-modp2048s256", "modp2048s256 is too weak (RFC 8247)"},
            {"aes256-sha256-ecp192", "ecp192 is too weak (RFC 8247)"},
            {"aes256gcm8-prfsha256-ecp256", "aes256gcm8 is too weak (its checksum has 64 bits)"},
            {"aes128ccm64-prfsha256-ecp256", "aes128ccm64 is too weak (its checksum has 64 bits)"},
            {"aes256gcm12-prfsha256-ecp256", "aes256gcm12 is too weak (its checksum has 96 bits)"},
            {"aes128-aesxcbc-modp2048", "aesxcbc is too weak (its checksum has 96 bits)"},
            {"aes128-aes128xcbc-modp2048", "aes128xcbc is too weak (its checksum has 96 bits)"},
            {"aes128-sha256_96-modp2048", "sha256_96 is too weak (its checksum has 96 bits)"},
            {"aes128-aescmac-modp2048", "aescmac is too weak (its checksum has 96 bits)"},
            {"aes256gcm16-prfaesxcbc-ecp256",
             "prfaesxcbc is too weak (a key of 128 bits with any encryption)"},
            {"aes256gcm16-prfsha1-ecp256", "prfsha1 is too weak (RFC 8247)"},
            {"aes256-sha256-modp6144", "modp6144 is no algorithm we know"},
            {"aes512-sha256-modp2048", "aes512 is no algorithm we know"},
            {"aes256-sha256-modp2048!", "modp2048! is no algorithm we know"},
            {"aes256-sha256-ecp256-esn", "esn is of ESP, not of IKE"},
            {"aes256--ecp256", "a word is missing in aes256--ecp256"},
            {"aes256-sha256-ecp256-", "a word is missing in aes256-sha256-ecp256-"},
            {"-aes256", "a word is missing in -aes256"},
            {"aes256-aes256-sha256-ecp256", "aes256 is named twice in one proposal"},
            {"aes256-sha256-ecp256-x25519-curve25519", "x25519 is named twice in one proposal"},
            {"sha256-ecp256", "sha256-ecp256 names no encryption, as aes256gcm16"},
            {"aes256-ecp256", "aes256 needs an integrity algorithm beside it, as sha256"},
            {"aes256-prfsha256-ecp256", "aes256 needs an integrity algorithm beside it, as sha256"},
            {"aes256gcm16-ecp256", "aes256gcm16-ecp256 names no PRF, as prfsha256"},
            {"aes256-sha256", "aes256-sha256 names no group, as ecp256"},
            {"aes256gcm16-prfsha256-aes128-sha256-ecp256",
             "aes256gcm16 and aes128 cannot stand in one proposal (RFC 5282 8)"},
            {"aes256-sha256-ecp256 aes256-sha256", "aes256-sha256 names no group, as ecp256"},
            {"aes-sha256-ecp256,aes-sha256-ecp256,aes-sha256-ecp256,aes-sha256-ecp256,aes-sha256-ecp256,"
             "aes-sha256-ecp256,aes-sha256-ecp256,aes-sha256-ecp256,aes-sha256-ecp256",
             "more proposals than 8"},
        },
      of_esp[] = {
          {"aes256", "aes256 needs an integrity algorithm beside it, as sha256"},
          {"aes256gcm16-sha256", "sha256 has no place beside aes256gcm16, which needs none"},
          {"aes256gcm16-prfsha256", "prfsha256 is of IKE, not of ESP"},
          {"null-sha256", "null is too weak (it encrypts nothing)"},
          {"aes128gcm16-modp1024", "modp1024 is too weak (RFC 8247)"},
          {"ecp256", "ecp256 names no encryption, as aes256gcm16"},
          {"aes128-sha256-aes128gcm16", "aes128 and aes128gcm16 cannot stand in one proposal (RFC 5282 8)"},
      };
    for (size_t i = 0; i < ARRAY_SIZE(ike) + ARRAY_SIZE(of_esp); i++) {
        bool is_esp = i >= ARRAY_SIZE(ike);
        const char *text = is_esp ? of_esp[i - ARRAY_SIZE(ike)].text : ike[i].text;
        char error[ERROR_MAX_BYTES] = "";
        ProposalSet set = {.n = 77};
        ck_assert_int_eq(proposals_parse(&set, is_esp ? IKE_PROTOCOL_ESP : IKE_PROTOCOL_IKE, text, error),
                         -EINVAL);
        ck_assert_str_eq(error, is_esp ? of_esp[i - ARRAY_SIZE(ike)].error : ike[i].error);
        ck_assert_uint_eq(set.n, 77);
    }
}
END_TEST

/* Nothing that is written is too long for the line, or for the parser. */
START_TEST(long_words) {
    char text[4096], error[ERROR_MAX_BYTES];
    ProposalSet set;

    for (size_t len = 1; len < sizeof text; len += len < 100 ? 1 : 500) {
        memset(text, 'x', len);
        text[len] = 0;
        ck_assert_int_eq(proposals_parse(&set, IKE_PROTOCOL_IKE, text, error), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error, "no algorithm we know"));
        memset(text, '-', len);
        ck_assert_int_eq(proposals_parse(&set, IKE_PROTOCOL_IKE, text, error), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error, "a word is missing"));
    }
}
END_TEST

/* Every word at once, eight times: the most there can be. */
START_TEST(largest_set) {
    static const char one[] =
        "aes256-aes192-aes128-sha256-sha384-sha512-prfsha256-prfsha384-prfsha512-ecp256-x25519-"
        "ecp384-ecp521-modp2048-modp3072-modp4096 ";
    static const char one_esp[] =
        "aes256-aes192-aes128-sha256-sha384-sha512-ecp256-x25519-ecp384-ecp521-modp2048-"
        "modp3072-modp4096-esn-noesn ";
    char text[2048] = "", buf[PROPOSALS_STR_MAX];
    IkeProposal offer[IKE_PROPOSALS_MAX];
    uint16_t groups[PROPOSAL_GROUPS_MAX];

    for (unsigned i = 0; i < PROPOSAL_SET_MAX; i++)
        strcat(text, one);
    ProposalSet set = parse(IKE_PROTOCOL_IKE, text);
    ck_assert_uint_eq(set.n, PROPOSAL_SET_MAX);
    ck_assert_uint_eq(strlen(proposals_format(&set, buf)), strlen(text) - 1);
    ck_assert_uint_eq(proposals_groups_of(&set, groups), 7);
    *text = 0;
    for (unsigned i = 0; i < PROPOSAL_SET_MAX; i++)
        strcat(text, one_esp);
    set = parse(IKE_PROTOCOL_ESP, text);
    ck_assert_uint_eq(proposals_child(&set, PFS_PREFER, 0, 1, offer), IKE_PROPOSALS_MAX);
}
END_TEST

/* The offer ------------------------------------------------------------------------------------------- */

/* As the field would write an offer. */
static const char *offer_format(const IkeProposal *offer, size_t n, char buf[static PROPOSALS_STR_MAX]) {
    ProposalSet set = {.n = n};
    for (size_t i = 0; i < n; i++) {
        ck_assert_uint_eq(offer[i].number, i + 1);
        set.items[i] = offer[i];
    }
    return proposals_format(&set, buf);
}

START_TEST(defaults) {
    char buf[PROPOSALS_STR_MAX];
    IkeProposal offer[IKE_PROPOSALS_MAX];
    uint16_t groups[PROPOSAL_GROUPS_MAX];
    ProposalSet set;

    proposals_default(&set, IKE_PROTOCOL_IKE, ESN_NO);
    ck_assert_str_eq(
        proposals_format(&set, buf),
        "aes256gcm16-aes128gcm16-prfsha256-prfsha384-prfsha512-ecp256-x25519-ecp384-modp2048 "
        "aes256-aes128-sha256-sha384-sha512-prfsha256-prfsha384-prfsha512-ecp256-x25519-ecp384-modp2048");
    ck_assert_uint_eq(proposals_groups_of(&set, groups), 4);
    ck_assert_mem_eq(groups, proposals_groups(), 5 * sizeof *groups);
    size_t n = proposals_ike(offer);
    ck_assert_uint_eq(n, 2);
    ck_assert_uint_eq(offer[1].spi_size, 0);
    n = proposals_offer(&set, UINT64_C(0x1122334455667788), offer);
    ck_assert_uint_eq(n, 2);
    ck_assert_uint_eq(offer[1].spi_size, 8);
    ck_assert_uint_eq(offer[1].spi, UINT64_C(0x1122334455667788));
    proposals_default(&set, IKE_PROTOCOL_ESP, ESN_PREFER);
    ck_assert_str_eq(proposals_format(&set, buf),
                     "aes256gcm16-aes128gcm16-esn-noesn aes256-aes128-sha256-sha384-sha512-esn-noesn");
    n = proposals_esp(offer, 0xcafe);
    ck_assert_str_eq(offer_format(offer, n, buf),
                     "aes256gcm16-aes128gcm16-noesn aes256-aes128-sha256-sha384-sha512-noesn");
    ck_assert_uint_eq(offer[1].spi, 0xcafe);
}
END_TEST

START_TEST(children) {
    static const struct {
        const char *set;
        Esn esn;
        Pfs pfs;
        uint16_t group;
        const char *offer;
        uint16_t ke; /* the group of the KE payload */
    } cases[] = {
        {"aes256gcm16", ESN_PREFER, PFS_NO, 0, "aes256gcm16-esn-noesn", 0},
        {"aes256gcm16", ESN_YES, PFS_NO, IKE_DH_ECP_384, "aes256gcm16-esn", 0},
        {"aes256gcm16-noesn aes256-sha256", ESN_YES, PFS_NO, 0, "aes256gcm16-noesn aes256-sha256-esn", 0},
        {"aes256gcm16-ecp384", ESN_NO, PFS_NO, 0, "aes256gcm16-noesn", 0}, /* in IKE_AUTH */
        {"aes256gcm16", ESN_NO, PFS_YES, 0, "aes256gcm16-ecp256-x25519-ecp384-modp2048-noesn",
         IKE_DH_ECP_256},
        {"aes256gcm16", ESN_NO, PFS_YES, IKE_DH_ECP_384, "aes256gcm16-ecp384-ecp256-x25519-modp2048-noesn",
         IKE_DH_ECP_384},
        {"aes256gcm16", ESN_NO, PFS_YES, IKE_DH_MODP_4096,
         "aes256gcm16-modp4096-ecp256-x25519-ecp384-modp2048-noesn", IKE_DH_MODP_4096},
        {"aes256gcm16 aes128-sha256", ESN_NO, PFS_PREFER, IKE_DH_ECP_256,
         "aes256gcm16-ecp256-x25519-ecp384-modp2048-noesn aes128-sha256-ecp256-x25519-ecp384-modp2048-noesn "
         "aes256gcm16-noesn aes128-sha256-noesn",
         IKE_DH_ECP_256},
        {"aes256gcm16-ecp384-x25519", ESN_NO, PFS_PREFER, IKE_DH_ECP_256,
         "aes256gcm16-ecp384-x25519-noesn aes256gcm16-noesn", IKE_DH_ECP_384},
        {"aes256gcm16-ecp384-x25519", ESN_NO, PFS_YES, IKE_DH_CURVE25519, "aes256gcm16-ecp384-x25519-noesn",
         IKE_DH_CURVE25519},
        {"aes256gcm16-ecp384 aes128gcm16", ESN_NO, PFS_YES, 0, "aes256gcm16-ecp384-noesn", IKE_DH_ECP_384},
        {"aes256gcm16-ecp384 aes128gcm16", ESN_NO, PFS_PREFER, 0,
         "aes256gcm16-ecp384-noesn aes256gcm16-noesn aes128gcm16-noesn", IKE_DH_ECP_384},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        ProposalSet set = esp(cases[i].set, cases[i].esn);
        IkeProposal offer[IKE_PROPOSALS_MAX];
        char buf[PROPOSALS_STR_MAX];
        size_t n = proposals_child(&set, cases[i].pfs, cases[i].group, 0xdeadbeef, offer);
        ck_assert_str_eq(offer_format(offer, n, buf), cases[i].offer);
        ck_assert_uint_eq(proposals_child_group(&set, cases[i].pfs, cases[i].group), cases[i].ke);
        for (size_t k = 0; k < n; k++) {
            ck_assert_uint_eq(offer[k].spi, 0xdeadbeef);
            ck_assert_uint_eq(offer[k].spi_size, 4);
        }
    }
}
END_TEST

/* The choice ------------------------------------------------------------------------------------------ */

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

static const char *chosen_format(const IkeProposal *chosen, char buf[static PROPOSALS_STR_MAX]) {
    ProposalSet set = {.n = 1, .items = {*chosen}};
    return proposals_format(&set, buf);
}

/* What the other side offers, in the notation; its SPI is 0x1000 and its proposal's number. */
static size_t their_offer(uint8_t protocol, const char *text, IkeProposal ret[static IKE_PROPOSALS_MAX]) {
    ProposalSet set = parse(protocol, text);
    for (size_t i = 0; i < set.n; i++) {
        ret[i] = set.items[i];
        ret[i].spi_size = protocol == IKE_PROTOCOL_ESP ? 4 : 8;
        ret[i].spi = 0x1000 + ret[i].number;
    }
    return set.n;
}

START_TEST(choosing) {
    static const struct {
        uint8_t protocol;
        const char *ours, *theirs;
        Pfs pfs;
        const char *chosen; /* NULL: none */
        uint8_t number;
    } cases[] = {
        /* our order, in types and in proposals */
        {IKE_PROTOCOL_IKE, "aes256gcm16-aes128gcm16-prfsha384-prfsha256-ecp384-ecp256",
         "aes128gcm16-aes256gcm16-prfsha256-prfsha384-ecp256-ecp384", PFS_NO, "aes256gcm16-prfsha384-ecp384",
         1},
        {IKE_PROTOCOL_IKE, "aes256gcm16-prfsha256-ecp256 aes256-sha256-ecp256",
         "aes256-sha256-ecp256 aes256gcm16-prfsha256-ecp256", PFS_NO, "aes256gcm16-prfsha256-ecp256", 2},
        {IKE_PROTOCOL_IKE, "aes256gcm16-prfsha256-ecp256", "aes256gcm16-prfsha256-ecp384", PFS_NO, NULL},
        {IKE_PROTOCOL_IKE, "aes256gcm16-prfsha256-ecp256", "aes256-sha256-ecp256", PFS_NO, NULL},
        {IKE_PROTOCOL_ESP, "aes256gcm16", "aes128-sha256-noesn aes256gcm16-noesn", PFS_PREFER,
         "aes256gcm16-noesn", 2},
        {IKE_PROTOCOL_ESP, "aes256gcm16", "aes256gcm16-noesn-esn", PFS_PREFER, "aes256gcm16-esn", 1},
        {IKE_PROTOCOL_ESP, "aes256gcm16-noesn", "aes256gcm16-noesn-esn", PFS_PREFER, "aes256gcm16-noesn", 1},
        {IKE_PROTOCOL_ESP, "aes256gcm16-noesn", "aes256gcm16-esn", PFS_PREFER, NULL},
        {IKE_PROTOCOL_ESP, "aes256gcm16", "aes256gcm16", PFS_PREFER, NULL}, /* ESN is no option: 3.3.3 */
        {IKE_PROTOCOL_ESP, "aes256gcm16", "aes256gcm16-modp2048-ecp384-noesn", PFS_PREFER,
         "aes256gcm16-ecp384-noesn", 1},
        {IKE_PROTOCOL_ESP, "aes256gcm16", "aes256gcm16-noesn aes256gcm16-ecp256-noesn", PFS_PREFER,
         "aes256gcm16-ecp256-noesn", 2},
        {IKE_PROTOCOL_ESP, "aes256gcm16", "aes256gcm16-noesn", PFS_YES, NULL},
        {IKE_PROTOCOL_ESP, "aes256gcm16", "aes256gcm16-ecp256-noesn", PFS_NO, NULL},
        {IKE_PROTOCOL_ESP, "aes256gcm16-ecp521", "aes256gcm16-ecp256-noesn", PFS_PREFER, NULL},
        {IKE_PROTOCOL_ESP, "aes256gcm16-ecp521", "aes256gcm16-ecp256-ecp521-noesn", PFS_NO, NULL},
        {IKE_PROTOCOL_ESP, "aes256gcm16-ecp521", "aes256gcm16-ecp256-ecp521-noesn", PFS_YES,
         "aes256gcm16-ecp521-noesn", 1},
        {IKE_PROTOCOL_ESP, "chacha20poly1305-aes128gcm16", "aes128gcm16-chacha20poly1305-noesn", PFS_NO,
         "chacha20poly1305-noesn", 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        ProposalSet ours = cases[i].protocol == IKE_PROTOCOL_ESP ? esp(cases[i].ours, ESN_PREFER)
                                                                 : parse(IKE_PROTOCOL_IKE, cases[i].ours);
        IkeProposal theirs[IKE_PROPOSALS_MAX], chosen;
        char buf[PROPOSALS_STR_MAX];
        Suite suite;
        size_t n = their_offer(cases[i].protocol, cases[i].theirs, theirs);
        int r = proposal_select(&ours, theirs, n, cases[i].pfs, &chosen, &suite);
        ck_assert_msg(r == (cases[i].chosen ? 0 : IKE_NOTIFY_NO_PROPOSAL_CHOSEN), "case %zu: %d", i, r);
        if (r != 0)
            continue;
        ck_assert_str_eq(chosen_format(&chosen, buf), cases[i].chosen);
        ck_assert_uint_eq(chosen.number, cases[i].number);
        ck_assert_uint_eq(chosen.spi, 0x1000 + cases[i].number);
        ck_assert_uint_eq(chosen.spi_size, cases[i].protocol == IKE_PROTOCOL_ESP ? 4 : 8);
        ck_assert(suite_has_esn(&suite) == (strstr(cases[i].chosen, "-esn") != NULL));
    }
}
END_TEST

/* What does not fit the notation: NONE spelled out, types and attributes we do not know, other protocols. */
START_TEST(choosing_of_odd_offers) {
    static const IkeTransform gcm = {IKE_TRANSFORM_ENCR, IKE_ENCR_AES_GCM_16, 256},
                              strange = {IKE_TRANSFORM_ENCR, IKE_ENCR_AES_GCM_16, 256, true},
                              noesn = {IKE_TRANSFORM_ESN, IKE_ESN_NO}, no_integ = {IKE_TRANSFORM_INTEG, 0},
                              sha = {IKE_TRANSFORM_INTEG, IKE_INTEG_HMAC_SHA2_256_128},
                              no_dh = {IKE_TRANSFORM_DH, IKE_DH_NONE},
                              p256 = {IKE_TRANSFORM_DH, IKE_DH_ECP_256}, modp6144 = {IKE_TRANSFORM_DH, 17},
                              kyber = {6, 36}, no_kyber = {6, 0};
    const struct {
        uint8_t protocol, spi_size;
        size_t n;
        IkeTransform transforms[6];
        Pfs pfs;
        const char *chosen;
    } cases[] = {
        {3, 4, 3, {gcm, noesn, no_integ}, PFS_PREFER, "aes256gcm16-noesn"},
        {3, 4, 4, {gcm, noesn, no_integ, sha}, PFS_PREFER, "aes256gcm16-noesn"},
        {3, 4, 3, {gcm, noesn, sha}, PFS_PREFER, NULL}, /* an AEAD and a checksum */
        {3, 4, 3, {gcm, noesn, no_dh}, PFS_NO, "aes256gcm16-noesn"},
        {3, 4, 4, {gcm, noesn, p256, no_dh}, PFS_NO, "aes256gcm16-noesn"},
        {3, 4, 4, {gcm, noesn, no_dh, p256}, PFS_PREFER, "aes256gcm16-ecp256-noesn"},
        {3, 4, 3, {gcm, noesn, no_dh}, PFS_YES, NULL},
        {3, 4, 3, {gcm, noesn, modp6144}, PFS_PREFER, NULL},
        {3, 4, 2, {strange, noesn}, PFS_PREFER, NULL},
        {3, 4, 3, {strange, noesn, gcm}, PFS_PREFER, "aes256gcm16-noesn"},
        {3, 4, 3, {gcm, noesn, kyber}, PFS_PREFER, NULL},
        {3, 4, 3, {gcm, noesn, no_kyber}, PFS_PREFER, NULL},
        {3, 8, 2, {gcm, noesn}, PFS_PREFER, NULL},
        {2, 4, 2, {gcm, noesn}, PFS_PREFER, NULL},
        {1, 4, 2, {gcm, noesn}, PFS_PREFER, NULL},
        {3, 4, 0, {}, PFS_PREFER, NULL},
    };
    ProposalSet ours = esp(ESP_PROPOSALS_DEFAULT, ESN_PREFER);

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        IkeProposal theirs = {.number = 9,
                              .protocol = cases[i].protocol,
                              .spi_size = cases[i].spi_size,
                              .n_transforms = cases[i].n},
                    chosen;
        char buf[PROPOSALS_STR_MAX];
        Suite suite;
        memcpy(theirs.transforms, cases[i].transforms, sizeof cases[i].transforms);
        int r = proposal_select(&ours, &theirs, 1, cases[i].pfs, &chosen, &suite);
        ck_assert_msg(r == (cases[i].chosen ? 0 : IKE_NOTIFY_NO_PROPOSAL_CHOSEN), "case %zu: %d", i, r);
        if (r == 0)
            ck_assert_str_eq(chosen_format(&chosen, buf), cases[i].chosen);
        ck_assert_int_eq(proposal_select(&ours, &theirs, 0, cases[i].pfs, &chosen, &suite),
                         IKE_NOTIFY_NO_PROPOSAL_CHOSEN);
    }
}
END_TEST

static bool has(const IkeProposal *p, const IkeTransform *t) {
    for (size_t i = 0; i < p->n_transforms; i++)
        if (p->transforms[i].type == t->type && p->transforms[i].id == t->id &&
            p->transforms[i].key_bits == t->key_bits && !p->transforms[i].unknown)
            return true;
    return false;
}

/* A random set in the notation. */
static void random_text(const Rng *rng, uint8_t protocol, char *ret) {
    static const char *const words[][4] = {{"aes256gcm16", "aes128gcm16", "chacha20poly1305"},
                                           {"aes256", "aes192", "aes128"},
                                           {"sha256", "sha384", "sha512"},
                                           {"prfsha256", "prfsha384", "prfsha512"},
                                           {"ecp256", "x25519", "ecp384", "modp2048"},
                                           {"esn", "noesn"}};
    bool ike = protocol == IKE_PROTOCOL_IKE;

    *ret = 0;
    for (uint64_t n = 1 + rng_below(rng, 3); n > 0; n--) {
        bool aead = rng_below(rng, 2), first = true;
        if (*ret)
            strcat(ret, " ");
        for (unsigned kind = 0; kind < ARRAY_SIZE(words); kind++) {
            bool wanted = kind == 0   ? aead
                          : kind <= 2 ? !aead
                          : kind == 3 ? ike
                          : kind == 4 ? ike || rng_below(rng, 2)
                                      : !ike;
            uint64_t mask = 1 + rng_below(rng, kind == 4 ? 15 : kind == 5 ? 3 : 7);
            for (unsigned w = 0; w < 4 && wanted; w++)
                if (mask & 1 << w) {
                    strcat(ret, first ? "" : "-");
                    strcat(ret, words[kind][w]);
                    first = false;
                }
        }
    }
}

/* Whatever both sides have: what is chosen is of one proposal of theirs and of one of ours, one transform a
 * type, and we would accept it ourselves as an answer to their offer. And where nothing is chosen, nothing
 * could be: no pair of proposals has a transform of each type in common. */
START_TEST(never_what_is_not_of_both) {
    unsigned chosen_times = 0, refused = 0;
    uint64_t random;
    Rng rng = seeded_rng(&random, 1);

    for (unsigned round = 0; round < 20000; round++) {
        uint8_t protocol = rng_below(&rng, 2) ? IKE_PROTOCOL_IKE : IKE_PROTOCOL_ESP;
        Pfs pfs = (Pfs)rng_below(&rng, 3);
        char a[1024], b[1024], buf[PROPOSALS_STR_MAX];
        IkeProposal theirs[IKE_PROPOSALS_MAX], offers[IKE_PROPOSALS_MAX], chosen;
        Suite suite, accepted;

        random_text(&rng, protocol, a);
        random_text(&rng, protocol, b);
        ProposalSet ours = parse(protocol, a);
        size_t n = their_offer(protocol, b, theirs);
        size_t n_offers = protocol == IKE_PROTOCOL_ESP ? proposals_child(&ours, pfs, 0, 0, offers)
                                                       : proposals_offer(&ours, 0, offers);
        if (proposal_select(&ours, theirs, n, pfs, &chosen, &suite) != 0) {
            refused++;
            for (size_t i = 0; i < n_offers; i++)
                for (size_t k = 0; k < n; k++) {
                    unsigned types = 0, common = 0;
                    for (size_t t = 0; t < offers[i].n_transforms; t++) {
                        types |= 1u << offers[i].transforms[t].type;
                        if (has(&theirs[k], &offers[i].transforms[t]))
                            common |= 1u << offers[i].transforms[t].type;
                    }
                    for (size_t t = 0; t < theirs[k].n_transforms; t++)
                        types |= 1u << theirs[k].transforms[t].type;
                    ck_assert_msg(types != common, "%s / %s", a, b);
                }
            continue;
        }
        chosen_times++;
        bool of_ours = false;
        for (size_t i = 0; i < n_offers; i++) {
            bool all = true;
            for (size_t t = 0; t < chosen.n_transforms; t++)
                all &= has(&offers[i], &chosen.transforms[t]);
            of_ours |= all;
        }
        ck_assert_msg(of_ours, "%s / %s: %s", a, b, chosen_format(&chosen, buf));
        ck_assert_int_eq(proposal_accept(theirs, n, &chosen, 1, &accepted), 0);
        ck_assert_mem_eq(&accepted, &suite, sizeof suite);
        if (protocol == IKE_PROTOCOL_ESP && pfs != PFS_PREFER)
            ck_assert((pfs == PFS_YES) == (suite.by_type[IKE_TRANSFORM_DH] != NULL));
    }
    ck_assert_uint_gt(chosen_times, 2000);
    ck_assert_uint_gt(refused, 2000);
}
END_TEST

SUITE("proposal", what_is_written_is_read, mistakes_are_told, long_words, largest_set, defaults, children,
      accepting_proposals, choosing, choosing_of_odd_offers, never_what_is_not_of_both)
