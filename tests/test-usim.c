/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The USIM of a credential file, and what is said to a card: TS 33.102 annex C, TS 31.102 7.1.2. */
#include "hex.h"
#include "ike/usim-apdu.h"
#include "ike/usim-milenage.h"
#include "suite.h"

#define K_TEXT   "K=465b5ce8b199b49faa5f0a2ee238a6bc\n"
#define OPC_TEXT "OPc=cd63cb71954a9f4e48a5994e37a02baf\n"
#define GOOD     "IMSI=234150123456789\n" K_TEXT OPC_TEXT

static UsimMilenage parsed(const char *file) {
    char text[CREDENTIAL_TEXT] = "";
    UsimMilenage u;

    ck_assert_msg(usim_milenage_parse(&u, file, strlen(file), text) == 0, "%s", text);
    return u;
}

START_TEST(credentials) {
    UsimMilenage u = parsed("# a lab's\r\n\n  IMSI=234150123456789 \r\nMNCLength=3\n" K_TEXT
                            "OP=CDC202D5123E20F62B6D676AC72CB318\nSQN=000000000045");

    ck_assert_str_eq(u.imsi, "234150123456789");
    ck_assert_uint_eq(u.mnc_size, 3);
    ck_assert_hex_eq(u.milenage.k, 16, "465b5ce8b199b49faa5f0a2ee238a6bc");
    ck_assert_hex_eq(u.milenage.opc, 16, "cd63cb71954a9f4e48a5994e37a02baf");
    ck_assert_uint_eq(u.sqn.seq[0], 2);
    ck_assert_uint_eq(u.sqn.seq[31], 2);
    usim_milenage_wipe(&u);
    ck_assert_uint_eq(u.milenage.k[0], 0);
    u = parsed(GOOD);
    ck_assert_uint_eq(u.mnc_size, 2);
    ck_assert_hex_eq(u.milenage.opc, 16, "cd63cb71954a9f4e48a5994e37a02baf");
    ck_assert_uint_eq(sqn_array_highest(&u.sqn), 0);
}
END_TEST

START_TEST(bad_credentials) {
    static const struct {
        const char *file, *text;
    } cases[] = {
        {"", "missing: IMSI="},
        {"IMSI=234150123456789\n", "missing: K="},
        {"IMSI=234150123456789\n" K_TEXT, "missing: OP= or OPc="},
        {GOOD "OP=cdc202d5123e20f62b6d676ac72cb318\n", "OP= and OPc= are there"},
        {"IMSI=23415a123456789\n", "line 1: IMSI=: not 6 to 15 digits"},
        {"IMSI=2341501234567890\n", "line 1: IMSI=: not 6 to 15 digits"},
        {"\nIMSI=23415\n", "line 2: IMSI=: not 6 to 15 digits"},
        {GOOD "MNCLength=4\n", "line 4: MNCLength=: not 2 or 3"},
        {"K=465b\n", "line 1: K=: not of so many hexadecimal digits"},
        {"K=465b5ce8b199b49faa5f0a2ee238a6bc0\n", "line 1: K=: not of so many hexadecimal digits"},
        {"K=465b5ce8b199b49faa5f0a2ee238a6bg\n", "line 1: K=: not of so many hexadecimal digits"},
        {GOOD "SQN=1\n", "line 4: SQN=: not of so many hexadecimal digits"},
        {GOOD "IMSI=234150123456789\n", "line 4: IMSI=: is there twice"},
        {GOOD "Ki=1\n", "line 4: no such key"},
        {GOOD "hello\n", "line 4: not Key=Value"},
    };
    char text[CREDENTIAL_TEXT], big[CREDENTIAL_MAX + 1];
    UsimMilenage u;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        ck_assert_int_eq(usim_milenage_parse(&u, cases[i].file, strlen(cases[i].file), text), -EINVAL);
        ck_assert_str_eq(text, cases[i].text);
    }
    memset(big, '#', sizeof big);
    ck_assert_int_eq(usim_milenage_parse(&u, big, sizeof big, text), -EINVAL);
    ck_assert_str_eq(text, "longer than 4096 bytes");
    ck_assert_int_eq(usim_milenage_parse(&u, big, 300, text), -EINVAL);
    ck_assert_str_eq(text, "line 1: too long, or not text");
    ck_assert_int_eq(usim_milenage_parse(&u, "IMSI=\0", 6, text), -EINVAL);
}
END_TEST

START_TEST(identities) {
    static const struct {
        const char *credential, *realm, *nai; /* NULL: -EINVAL */
    } cases[] = {
        {GOOD, "", "0234150123456789@wlan.mnc015.mcc234.3gppnetwork.org"},
        {GOOD "MNCLength=3\n", "", "0234150123456789@wlan.mnc150.mcc234.3gppnetwork.org"},
        {GOOD, "nai.epc.mnc015.mcc234.3gppnetwork.org",
         "0234150123456789@nai.epc.mnc015.mcc234.3gppnetwork.org"},
    };
    char nai[NAI_MAX_BYTES];

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        UsimMilenage u = parsed(cases[i].credential);
        Usim usim = usim_milenage_driver(&u);
        ck_assert_int_eq(usim_nai(&usim, cases[i].realm, nai), 0);
        ck_assert_str_eq(nai, cases[i].nai);
    }
    UsimMilenage u = parsed(GOOD);
    Usim usim = usim_milenage_driver(&u);
    u.mnc_size = 4;
    ck_assert_int_eq(usim_nai(&usim, "", nai), -EINVAL);
    u.mnc_size = 2;
    strcpy(u.imsi, "12345");
    ck_assert_int_eq(usim_nai(&usim, "", nai), -EINVAL);
}
END_TEST

#define SQN(seq, ind) ((uint64_t)(seq) << SQN_IND_BITS | (ind))

/* C.2.2: fresh is what is beyond the highest of its own place, whatever the others have, but not too far. */
START_TEST(sequence_numbers) {
    SqnArray sqn = {};

    ck_assert(!sqn_array_accept(&sqn, SQN(0, 0)));
    ck_assert(sqn_array_accept(&sqn, SQN(10, 3)));
    ck_assert(!sqn_array_accept(&sqn, SQN(10, 3)));
    ck_assert(!sqn_array_accept(&sqn, SQN(9, 3)));
    ck_assert(sqn_array_accept(&sqn, SQN(9, 4)));
    ck_assert(sqn_array_accept(&sqn, SQN(1, 31)));
    ck_assert_uint_eq(sqn_array_highest(&sqn), SQN(10, 3));
    ck_assert(!sqn_array_accept(&sqn, SQN(11 + SQN_DELTA, 0)));
    ck_assert(sqn_array_accept(&sqn, SQN(10 + SQN_DELTA, 0)));
    ck_assert_uint_eq(sqn_array_highest(&sqn), SQN(10 + SQN_DELTA, 0));
}
END_TEST

static void autn_make(const Milenage *m, const uint8_t rand[static 16], uint64_t number,
                      uint8_t ret[static 16]) {
    MilenageAnswer a;
    uint8_t sqn[6], mac_s[8];

    ck_assert_int_eq(milenage_f2345(m, rand, &a), 0);
    for (size_t i = 0; i < 6; i++) {
        sqn[i] = (uint8_t)(number >> 8 * (5 - i));
        ret[i] = sqn[i] ^ a.ak[i];
    }
    ret[6] = 0x80;
    ret[7] = 0;
    ck_assert_int_eq(milenage_f1(m, rand, sqn, ret + 6, ret + 8, mac_s), 0);
}

typedef struct Keeper {
    int result;
    unsigned calls;
    SqnArray sqn;
} Keeper;

static int keeper_keep(void *userdata, const SqnArray *sqn) {
    Keeper *k = userdata;
    k->calls++;
    k->sqn = *sqn;
    return k->result;
}

/* TS 33.102 6.3.3: MAC before sequence number; only a fresh one is kept, and before there is an answer. */
START_TEST(authentication) {
    static const uint8_t rand[16] = {0x23, 0x55, 0x3c, 0xbe, 0x96, 0x37, 0xa8, 0x9d,
                                     0x21, 0x8a, 0xe6, 0x4d, 0xae, 0x47, 0xbf, 0x35};
    UsimMilenage u = parsed(GOOD "SQN=000000000100\n");
    Usim usim = usim_milenage_driver(&u);
    Keeper keeper = {};
    uint8_t autn[16], auts_sqn[6], mac_a[8], mac_s[8];
    MilenageAnswer f;
    UsimAnswer a;

    u.keep = keeper_keep;
    u.userdata = &keeper;
    autn_make(&u.milenage, rand, 0x120, autn);
    for (size_t bit = 0; bit < 128; bit++) {
        autn[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert_int_eq(usim.authenticate(usim.userdata, rand, autn, &a), 0);
        ck_assert_int_eq(a.verdict, USIM_MAC_FAILURE);
        ck_assert_uint_eq(a.res_size, 0);
        autn[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    ck_assert_uint_eq(keeper.calls, 0);

    keeper.result = -EROFS;
    ck_assert_int_eq(usim.authenticate(usim.userdata, rand, autn, &a), -EROFS);
    ck_assert_uint_eq(a.ck[0], 0);
    keeper.result = 0;
    ck_assert_int_eq(usim.authenticate(usim.userdata, rand, autn, &a), 0);
    ck_assert_int_eq(a.verdict, USIM_ACCEPTED);
    ck_assert_hex_eq(a.res, a.res_size, "a54211d5e3ba50bf");
    ck_assert_hex_eq(a.ck, 16, "b40ba9a3c58b2a05bbf0d987b21bf8cb");
    ck_assert_hex_eq(a.ik, 16, "f769bcd751044604127672711c6d3441");
    ck_assert_uint_eq(keeper.calls, 2);
    ck_assert_uint_eq(keeper.sqn.seq[0], 9);

    ck_assert_int_eq(usim.authenticate(usim.userdata, rand, autn, &a), 0);
    ck_assert_int_eq(a.verdict, USIM_SYNC_FAILURE);
    ck_assert_uint_eq(a.res_size, 0);
    ck_assert_uint_eq(keeper.calls, 2);
    ck_assert_int_eq(milenage_f2345(&u.milenage, rand, &f), 0);
    for (size_t i = 0; i < 6; i++)
        auts_sqn[i] = a.auts[i] ^ f.ak_resync[i];
    ck_assert_hex_eq(auts_sqn, 6, "000000000120");
    ck_assert_int_eq(milenage_f1(&u.milenage, rand, auts_sqn, (uint8_t[2]){}, mac_a, mac_s), 0);
    ck_assert_mem_eq(a.auts + 6, mac_s, 8);
}
END_TEST

static ApduReply reply_of(const char *digits) {
    static uint8_t bytes[APDU_REPLY_MAX];
    ApduReply reply;
    size_t size = hex_bytes(digits, bytes, sizeof bytes);

    ck_assert_int_eq(apdu_reply_parse(bytes, size, &reply), 0);
    return reply;
}

START_TEST(commands) {
    uint8_t rand[16], autn[16];
    ApduReply reply;
    Apdu a, next;

    memset(rand, 0x11, sizeof rand);
    memset(autn, 0x22, sizeof autn);
    a = apdu_select_application(0);
    ck_assert_hex_eq(a.bytes, a.size, "00a4040c07a000000087100a");
    a = apdu_select_application(1);
    ck_assert_hex_eq(a.bytes, a.size, "00a4040c07a0000000871002");
    a = apdu_select_file(EF_IMSI);
    ck_assert_hex_eq(a.bytes, a.size, "00a4000c026f07");
    a = apdu_authenticate(rand, autn, true);
    ck_assert_hex_eq(a.bytes, a.size,
                     "00880081221011111111111111111111111111111111102222222222222222222222222222222200");
    a = apdu_authenticate(rand, autn, false);
    ck_assert_hex_eq(a.bytes, a.size,
                     "008800812210111111111111111111111111111111111022222222222222222222222222222222");
    reply = reply_of("6135");
    ck_assert(apdu_follow(&a, &reply, &next));
    ck_assert_hex_eq(next.bytes, next.size, "00c0000035");
    reply = reply_of("6c10");
    ck_assert(!apdu_follow(&a, &reply, &next));
    a = apdu_read_binary(9);
    ck_assert_hex_eq(a.bytes, a.size, "00b0000009");
    reply = reply_of("6c04");
    ck_assert(apdu_follow(&a, &reply, &next));
    ck_assert_hex_eq(next.bytes, next.size, "00b0000004");
    reply = reply_of("08299000");
    ck_assert(!apdu_follow(&a, &reply, &next));
    ck_assert_uint_eq(reply.size, 2);
    ck_assert_int_eq(apdu_reply_parse((uint8_t[]){0x90}, 1, &reply), -EBADMSG);
}
END_TEST

START_TEST(files_of_the_card) {
    static const struct {
        const char *file, *imsi; /* NULL: -EBADMSG */
    } imsis[] = {
        {"0829431510325476989000", "234510123456789"},
        {"08214315103254769f9000", NULL},
        {"0821431510325476f89000", "23451012345678"},
        {"0329430190009000", NULL},
        {"04294305f19000", NULL},
        {"04214305f19000", "234501"},
        {"08294315103254769000", NULL},
        {"0929431510325476989000", NULL},
        {"009000", NULL},
        {"082a431510325476989000", NULL},
        {"08294a1510325476989000", NULL},
        {"9000", NULL},
    };
    static const struct {
        const char *file;
        size_t size; /* 0: -EBADMSG */
    } ads[] = {{"000000029000", 2},   {"000000039000", 3}, {"0000009000", 2},
               {"00000002aa9000", 2}, {"00009000", 0},     {"000000049000", 0}};
    char imsi[IMSI_MAX + 1];

    for (size_t i = 0; i < ARRAY_SIZE(imsis); i++) {
        ApduReply reply = reply_of(imsis[i].file);
        int r = apdu_imsi_parse(&reply, imsi);
        ck_assert_msg(r == (imsis[i].imsi ? 0 : -EBADMSG), "%s: %d", imsis[i].file, r);
        if (imsis[i].imsi)
            ck_assert_str_eq(imsi, imsis[i].imsi);
    }
    for (size_t i = 0; i < ARRAY_SIZE(ads); i++) {
        ApduReply reply = reply_of(ads[i].file);
        size_t size = 0;
        ck_assert_int_eq(apdu_mnc_size_parse(&reply, &size), ads[i].size ? 0 : -EBADMSG);
        ck_assert_uint_eq(size, ads[i].size);
    }
}
END_TEST

#define CK "10b40ba9a3c58b2a05bbf0d987b21bf8cb"
#define IK "10f769bcd751044604127672711c6d3441"

START_TEST(answers_of_the_card) {
    static const struct {
        const char *reply;
        int result;
        UsimVerdict verdict;
        size_t res_size;
    } cases[] = {
        {"db08a54211d5e3ba50bf" CK IK "9000", 0, USIM_ACCEPTED, 8},
        {"db08a54211d5e3ba50bf" CK IK "0800112233445566779000", 0, USIM_ACCEPTED, 8},
        {"db04a54211d5" CK IK "9000", 0, USIM_ACCEPTED, 4},
        {"dc0e00112233445566778899aabbccdd9000", 0, USIM_SYNC_FAILURE, 0},
        {"9862", 0, USIM_MAC_FAILURE, 0},
        {"6982", -EACCES},
        {"6a82", -ENOENT},
        {"6985", -EPROTO},
        {"9000", -EBADMSG},
        {"de9000", -EBADMSG},
        {"db03a54211" CK IK "9000", -EBADMSG},
        {"db11a54211d5e3ba50bfa54211d5e3ba50bf00" CK IK "9000", -EBADMSG},
        {"db08a54211d5e3ba50bf" CK "9000", -EBADMSG},
        {"db08a54211d5e3ba50bf" CK "0ff769bcd751044604127672711c6d349000", -EBADMSG},
        {"dc0d00112233445566778899aabbcc9000", -EBADMSG},
        {"dc0e00112233445566778899aabbcc9000", -EBADMSG},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        ApduReply reply = reply_of(cases[i].reply);
        UsimAnswer a = {};
        ck_assert_msg(apdu_authenticate_parse(&reply, &a) == cases[i].result, "%s", cases[i].reply);
        ck_assert_int_eq(a.verdict, cases[i].verdict);
        ck_assert_uint_eq(a.res_size, cases[i].res_size);
        if (a.res_size > 0)
            ck_assert_hex_eq(a.ik, 16, "f769bcd751044604127672711c6d3441");
    }
}
END_TEST

SUITE("usim", credentials, bad_credentials, identities, sequence_numbers, authentication, commands,
      files_of_the_card, answers_of_the_card)
