/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The second authentication of IKE_AUTH (RFC 4739): the hosting party's USIM against a gateway with an AAA
 * server. */
#include "ike-link.h"
#include "ike/eap-aka-attributes.h"
#include "ike/eap-aka.h"
#include "ike/usim-milenage.h"
#include "suite.h"

#define NAI "0234150123456789@wlan.mnc015.mcc234.3gppnetwork.org"
#define CREDENTIAL                                                                                           \
    "IMSI=234150123456789\nK=465b5ce8b199b49faa5f0a2ee238a6bc\nOPc=cd63cb71954a9f4e48a5994e37a02baf\n"

typedef enum Fault {
    FAULT_NONE,
    FAULT_KEY,      /* of the network is another */
    FAULT_DISCARD,  /* a success before anything */
    FAULT_NO_ANSWER /* of use: EAP-Failure at once */
} Fault;

/* The AAA server: asks for the identity, challenges, is content with the right RES. */
typedef struct Aaa {
    Fault fault;
    Milenage milenage;
    unsigned packets;
    uint8_t res[8];
    EapAkaKeys keys;
} Aaa;

static void challenge_write(Aaa *a, Writer *w) {
    uint8_t rand[18] = {0, 0, 0xab}, autn[18] = {}, mac_s[8], mac[20];
    static const uint8_t sqn[6] = {0, 0, 0, 0, 1, 0};
    MilenageAnswer f;

    ck_assert_int_eq(milenage_f2345(&a->milenage, rand + 2, &f), 0);
    for (size_t i = 0; i < 6; i++)
        autn[2 + i] = sqn[i] ^ f.ak[i];
    ck_assert_int_eq(milenage_f1(&a->milenage, rand + 2, sqn, autn + 8, autn + 10, mac_s), 0);
    ck_assert_int_eq(eap_aka_keys_derive(NAI, f.ik, f.ck, &a->keys), 0);
    memcpy(a->res, f.res, sizeof a->res);
    aka_attribute_write(w, AT_RAND, rand, 18);
    aka_attribute_write(w, AT_AUTN, autn, 18);
    uint8_t *at = aka_attribute_write(w, AT_MAC, NULL, 18);
    writer_patch_u16(w, 2, (uint16_t)w->len);
    ck_assert_int_eq(aka_hmac_sha1(a->keys.aut, 16, &(struct iovec){w->data, w->len}, 1, mac), 0);
    memcpy(at + 2, mac, 16);
}

static bool aaa_eap(void *userdata, const uint8_t *packet, size_t size, uint8_t *ret, size_t *ret_size,
                    uint8_t ret_msk[static 64]) {
    Aaa *a = userdata;
    Writer w = writer_new(ret, 512);
    bool done = false;

    switch (a->packets++) {
    case 0:
        writer_bytes(&w, (uint8_t[]){EAP_REQUEST, 1, 0, 12, EAP_TYPE_AKA, AKA_IDENTITY, 0, 0}, 8);
        aka_attribute_write(&w, AT_ANY_ID_REQ, NULL, 2);
        if (a->fault == FAULT_DISCARD)
            w.len = 0, writer_bytes(&w, (uint8_t[]){EAP_SUCCESS, 1, 0, 4}, 4);
        break;
    case 1:
        ck_assert(size > 8 && packet[5] == AKA_IDENTITY && memmem(packet, size, NAI, strlen(NAI)));
        if (a->fault == FAULT_NO_ANSWER) {
            writer_bytes(&w, (uint8_t[]){EAP_FAILURE, 1, 0, 4}, 4);
            break;
        }
        writer_bytes(&w, (uint8_t[]){EAP_REQUEST, 2, 0, 0, EAP_TYPE_AKA, AKA_CHALLENGE, 0, 0}, 8);
        challenge_write(a, &w);
        break;
    default:
        done = size > 8 && packet[5] == AKA_CHALLENGE && memcmp(packet + 12, a->res, 8) == 0;
        writer_bytes(&w, (uint8_t[]){done ? EAP_SUCCESS : EAP_FAILURE, 2, 0, 4}, 4);
        memcpy(ret_msk, a->keys.msk, 64);
    }
    *ret_size = w.len;
    return done;
}

typedef struct Party {
    UsimMilenage state;
    Usim usim;
    Aaa aaa;
    Link *link;
} Party;

static void party_start(Party *p, Fault fault, Switches switches) {
    char text[CREDENTIAL_TEXT];

    *p = (Party){.aaa.fault = fault};
    ck_assert_int_eq(usim_milenage_parse(&p->state, CREDENTIAL, strlen(CREDENTIAL), text), 0);
    p->usim = usim_milenage_driver(&p->state);
    p->aaa.milenage = p->state.milenage;
    p->aaa.milenage.k[0] ^= fault == FAULT_KEY;
    switches.eap = aaa_eap;
    switches.userdata = &p->aaa;
    p->link = link_new(&switches, NULL, 4739);
    p->link->config.usim = &p->usim;
}

static void party_end(Party *p) {
    link_free(p->link);
}

START_TEST(both_rounds) {
    Party p;

    party_start(&p, FAULT_NONE, (Switches){.multiple_auth = true});
    link_assert_up(p.link);
    link_assert_agreed(p.link);
    ck_assert_uint_eq(link_count(p.link, IKE_EXCHANGE_AUTH, false), 5);
    ck_assert_uint_eq(p.aaa.packets, 3);
    party_end(&p);
}
END_TEST

static void fails(Fault fault, Switches switches, IkeEnd end, const char *text) {
    Party p;

    party_start(&p, fault, switches);
    link_assert_ended(p.link, end, text);
    ck_assert_uint_eq(p.link->ups, 0);
    party_end(&p);
}

START_TEST(failures) {
    fails(FAULT_KEY, (Switches){.multiple_auth = true}, IKE_END_REFUSED, "the MAC in AUTN is wrong");
    fails(FAULT_NO_ANSWER, (Switches){.multiple_auth = true}, IKE_END_REFUSED,
          "the server refuses the hosting party");
    fails(FAULT_DISCARD, (Switches){.multiple_auth = true}, IKE_END_UNACCEPTABLE, "another identifier");
    fails(FAULT_NONE, (Switches){.multiple_auth = true, .bad_msk = true}, IKE_END_UNTRUSTED,
          "its AUTH is not of the hosting party's keys");
    fails(FAULT_NONE, (Switches){.multiple_auth = true, .bad_auth = true}, IKE_END_UNTRUSTED, "signature");
    fails(FAULT_NONE, (Switches){}, IKE_END_UNACCEPTABLE, "knows no second authentication");
}
END_TEST

static int no_card(void *userdata, char imsi[static IMSI_MAX + 1], size_t *ret_mnc_size) {
    return -ENOMEDIUM;
}

START_TEST(no_usim) {
    Party p;

    party_start(&p, FAULT_NONE, (Switches){.multiple_auth = true});
    p.usim.identity = no_card;
    link_assert_ended(p.link, IKE_END_FAILED, "hosting party: USIM milenage: No medium found");
    party_end(&p);
}
END_TEST

SUITE("hosting", both_rounds, failures, no_usim)
