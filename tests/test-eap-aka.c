/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The peer of EAP-AKA against a server that the tests write out: conversations computed elsewhere
 * (data/eap/generate.py), then each rule of RFC 4187 broken on its own. */
#include "files.h"
#include "hex.h"
#include "ike/eap-aka-attributes.h"
#include "ike/eap-aka.h"
#include "ike/usim-milenage.h"
#include "suite.h"

#define IDENTITY "0234150123456789@wlan.mnc015.mcc234.3gppnetwork.org"
#define CREDENTIAL                                                                                           \
    "IMSI=234150123456789\nK=465b5ce8b199b49faa5f0a2ee238a6bc\nOPc=cd63cb71954a9f4e48a5994e37a02baf\n"

/* Both ends. */
typedef struct Lab {
    UsimMilenage usim_state;
    Usim usim;
    EapAka *eap;

    uint64_t sqn; /* of the next challenge */
    uint8_t identifier;
    EapAkaKeys keys; /* of the last challenge */
    uint8_t res[8];

    uint8_t packet[EAP_REQUEST_MAX];
    Writer w;
    uint8_t response[EAP_RESPONSE_MAX];
    size_t response_size;
} Lab;

static void lab_start(Lab *lab) {
    char text[CREDENTIAL_TEXT];

    *lab = (Lab){.sqn = 0x1000, .identifier = 40};
    ck_assert_int_eq(usim_milenage_parse(&lab->usim_state, CREDENTIAL, strlen(CREDENTIAL), text), 0);
    lab->usim = usim_milenage_driver(&lab->usim_state);
    ck_assert_int_eq(eap_aka_new(&lab->eap, &lab->usim, ""), 0);
}

static void lab_end(Lab *lab) {
    eap_aka_free(lab->eap);
}

static void lab_restart(Lab *lab) {
    lab_end(lab);
    lab_start(lab);
}

static int lab_input(Lab *lab, const void *packet, size_t size) {
    /* On the heap, for the sanitizer to see a read beyond. */
    uint8_t *copy = malloc(size + !size);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, packet, size);
    lab->response_size = 0;
    int r = eap_aka_input(lab->eap, copy, size, lab->response, &lab->response_size);
    free(copy);
    return r;
}

static void request_begin(Lab *lab, uint8_t subtype) {
    lab->w = writer_new(lab->packet, sizeof lab->packet);
    writer_bytes(&lab->w, (uint8_t[]){EAP_REQUEST, ++lab->identifier, 0, 0, EAP_TYPE_AKA, subtype, 0, 0}, 8);
}

static uint8_t *request_add(Lab *lab, uint8_t type, const void *value, size_t size) {
    uint8_t *at = aka_attribute_write(&lab->w, type, value, size);
    ck_assert_ptr_nonnull(at);
    return at;
}

static void request_lengths(Lab *lab) {
    writer_patch_u16(&lab->w, 2, (uint16_t)lab->w.len);
}

static void mac_of(const Lab *lab, const uint8_t *packet, size_t size, const uint8_t *at,
                   uint8_t ret[static 20]) {
    static const uint8_t zeroes[16];

    ck_assert_int_eq(aka_hmac_sha1(lab->keys.aut, 16,
                                   (struct iovec[]){{(void *)packet, (size_t)(at - packet)},
                                                    {(void *)zeroes, 16},
                                                    {(void *)(at + 16), size - (size_t)(at + 16 - packet)}},
                                   3, ret),
                     0);
}

static void request_mac(Lab *lab) {
    uint8_t mac[20], *at = request_add(lab, AT_MAC, NULL, 18) + 2;

    request_lengths(lab);
    mac_of(lab, lab->packet, lab->w.len, at, mac);
    memcpy(at, mac, 16);
}

static int request_send(Lab *lab) {
    request_lengths(lab);
    return lab_input(lab, lab->packet, lab->w.len);
}

/* RAND, AUTN of the next sequence number. */
static void challenge_begin(Lab *lab) {
    uint8_t rand[18] = {}, autn[18] = {}, sqn[6], mac_s[8];
    const Milenage *m = &lab->usim_state.milenage;
    MilenageAnswer f;

    lab->sqn += 32;
    memset(rand + 2, 0x5a, 16);
    rand[17] = lab->identifier;
    ck_assert_int_eq(milenage_f2345(m, rand + 2, &f), 0);
    for (size_t i = 0; i < 6; i++) {
        sqn[i] = (uint8_t)(lab->sqn >> 8 * (5 - i));
        autn[2 + i] = sqn[i] ^ f.ak[i];
    }
    autn[8] = 0x80;
    ck_assert_int_eq(milenage_f1(m, rand + 2, sqn, autn + 8, autn + 10, mac_s), 0);
    ck_assert_int_eq(eap_aka_keys_derive(IDENTITY, f.ik, f.ck, &lab->keys), 0);
    memcpy(lab->res, f.res, 8);
    request_begin(lab, AKA_CHALLENGE);
    request_add(lab, AT_RAND, rand, 18);
    request_add(lab, AT_AUTN, autn, 18);
}

static int challenge_send(Lab *lab) {
    challenge_begin(lab);
    request_mac(lab);
    return request_send(lab);
}

static int identity_send(Lab *lab, uint8_t asks) {
    request_begin(lab, AKA_IDENTITY);
    if (asks)
        request_add(lab, asks, NULL, 2);
    return request_send(lab);
}

static int notification_send(Lab *lab, uint16_t code, bool mac) {
    request_begin(lab, AKA_NOTIFICATION);
    request_add(lab, AT_NOTIFICATION, (uint8_t[]){(uint8_t)(code >> 8), (uint8_t)code}, 2);
    if (mac)
        request_mac(lab);
    return request_send(lab);
}

static int result_send(Lab *lab, uint8_t code) {
    return lab_input(lab, (uint8_t[]){code, lab->identifier, 0, 4}, 4);
}

/* The response is of EAP-AKA, to the last request, of that subtype. */
static void response_is(const Lab *lab, uint8_t subtype) {
    ck_assert_msg(lab->response_size >= 8, "%s", eap_aka_text(lab->eap));
    ck_assert_uint_eq(lab->response[0], EAP_RESPONSE);
    ck_assert_uint_eq(lab->response[1], lab->identifier);
    ck_assert_uint_eq(lab->response[2] << 8 | lab->response[3], lab->response_size);
    ck_assert_uint_eq(lab->response[4], EAP_TYPE_AKA);
    ck_assert_msg(lab->response[5] == subtype, "subtype %u: %s", lab->response[5], eap_aka_text(lab->eap));
}

/* Where the value of an attribute of the response stands, NULL: not there. */
static const uint8_t *response_value(const Lab *lab, uint8_t type) {
    for (size_t at = 8; at < lab->response_size; at += 4u * lab->response[at + 1])
        if (lab->response[at] == type)
            return lab->response + at + 2;
    return NULL;
}

static void response_mac_is_good(const Lab *lab) {
    const uint8_t *mac = response_value(lab, AT_MAC);
    uint8_t computed[20];

    ck_assert_ptr_nonnull(mac);
    mac_of(lab, lab->response, lab->response_size, mac + 2, computed);
    ck_assert_mem_eq(mac + 2, computed, 16);
}

static void response_is_answer(const Lab *lab) {
    const uint8_t *res = response_value(lab, AT_RES);

    response_is(lab, AKA_CHALLENGE);
    ck_assert_ptr_nonnull(res);
    ck_assert_uint_eq(res[0] << 8 | res[1], 64);
    ck_assert_mem_eq(res + 2, lab->res, 8);
    response_mac_is_good(lab);
}

/* AKA-Client-Error, a text with *why* in it, never a success afterwards, and EAP-Failure ends it with that
 * text. */
static void refused(Lab *lab, int result, const char *why) {
    ck_assert_int_eq(result, EAP_CONTINUE);
    response_is(lab, AKA_CLIENT_ERROR);
    ck_assert_hex_eq(lab->response + 8, lab->response_size - 8, "16010000");
    ck_assert_msg(strstr(eap_aka_text(lab->eap), why), "\"%s\", not \"%s\"", eap_aka_text(lab->eap), why);
    ck_assert_int_eq(result_send(lab, EAP_SUCCESS), EAP_DISCARDED);
    ck_assert_ptr_null(eap_aka_msk(lab->eap));
    ck_assert_int_eq(result_send(lab, EAP_FAILURE), EAP_REFUSED);
    ck_assert_msg(strstr(eap_aka_text(lab->eap), why), "\"%s\", not \"%s\"", eap_aka_text(lab->eap), why);
    ck_assert_int_eq(result_send(lab, EAP_SUCCESS), EAP_DISCARDED);
    ck_assert_ptr_null(eap_aka_msk(lab->eap));
}

static void discarded(Lab *lab, int result, const char *why) {
    ck_assert_int_eq(result, EAP_DISCARDED);
    ck_assert_msg(strstr(eap_aka_text(lab->eap), why), "\"%s\", not \"%s\"", eap_aka_text(lab->eap), why);
}

static void succeeds(Lab *lab) {
    ck_assert_ptr_null(eap_aka_msk(lab->eap));
    ck_assert_msg(result_send(lab, EAP_SUCCESS) == EAP_DONE, "%s", eap_aka_text(lab->eap));
    ck_assert_mem_eq(eap_aka_msk(lab->eap), lab->keys.msk, EAP_MSK_BYTES);
    ck_assert_str_eq(eap_aka_text(lab->eap), "");
}

/* One word and what follows of a line of conversations.txt. */
static void conversation_line(Lab *lab, const char *name, const char *value) {
    uint8_t bytes[EAP_REQUEST_MAX];
    size_t size;

    if (streq(name, "conversation")) {
        lab_restart(lab);
    } else if (streq(name, "sqn")) {
        uint64_t sqn = strtoull(value, NULL, 16);
        ck_assert(sqn == 0 || sqn_array_accept(&lab->usim_state.sqn, sqn));
    } else if (streq(name, ">")) {
        size = hex_bytes(value, bytes, sizeof bytes);
        int r = lab_input(lab, bytes, size);
        ck_assert_msg(r == (bytes[0] == EAP_SUCCESS ? EAP_DONE : EAP_CONTINUE), "%d %s", r,
                      eap_aka_text(lab->eap));
    } else if (streq(name, "<")) {
        ck_assert_hex_eq(lab->response, lab->response_size, value);
    } else if (streq(name, "msk")) {
        ck_assert_ptr_nonnull(eap_aka_msk(lab->eap));
        ck_assert_hex_eq(eap_aka_msk(lab->eap), EAP_MSK_BYTES, value);
    } else if (streq(name, "identity")) {
        ck_assert_str_eq(eap_aka_identity(lab->eap), value);
    }
}

START_TEST(conversations_computed_elsewhere) {
    char *file = data_read("eap", "conversations.txt", NULL), *save = NULL;
    unsigned n = 0;
    Lab lab;

    lab_start(&lab);
    for (char *line = strtok_r(file, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *value = strchr(line, ' ');
        ck_assert_ptr_nonnull(value);
        *value++ = '\0';
        conversation_line(&lab, line, value);
        n += streq(line, "msk");
    }
    ck_assert_uint_eq(n, 3);
    lab_end(&lab);
    free(file);
}
END_TEST

/* FIPS 186-2, the example of the general purpose generator; and the keys of a conversation, which include
 * EMSK. */
START_TEST(generator) {
    uint8_t key[20], x[40], ik[16], ck[16];
    EapAkaKeys keys;

    hex_bytes("bd029bbe7f51960bcf9edb2b61f06f0feb5a38b6", key, sizeof key);
    ck_assert_int_eq(fips186_generate(key, x, sizeof x), 0);
    ck_assert_hex_eq(x, sizeof x,
                     "2070b3223dba372fde1c0ffc7b2e3b498b2606143c6c18bacb0f6c55babb13788e20d737a3275116");
    hex_bytes("f769bcd751044604127672711c6d3441", ik, sizeof ik);
    hex_bytes("b40ba9a3c58b2a05bbf0d987b21bf8cb", ck, sizeof ck);
    ck_assert_int_eq(eap_aka_keys_derive(IDENTITY, ik, ck, &keys), 0);
    ck_assert_hex_eq(keys.encr, 16, "798f364a3245b1e338f43ec1d54dea94");
    ck_assert_hex_eq(keys.aut, 16, "5634fb3271df0ea0049e91e2f3e3a4e0");
    ck_assert_hex_eq(keys.emsk, 64,
                     "c681ba33e031cff07dea42379fd92cede490ffeadf545344cb19a759a05d27f9"
                     "430a541ea3c416f73fb4201d952fed765e6f35d14c921b62fa354636604f60ce");
    memset(key, 0xff, sizeof key); /* the carry goes all the way */
    ck_assert_int_eq(fips186_generate(key, x, sizeof x), 0);
}
END_TEST

START_TEST(identity_and_other_methods) {
    Lab lab;

    lab_start(&lab);
    ck_assert_int_eq(lab_input(&lab, "\1\1\0\6\2!", 6), EAP_CONTINUE); /* Notification */
    ck_assert_hex_eq(lab.response, lab.response_size, "0201000502");
    ck_assert_int_eq(lab_input(&lab, "\1\2\0\5\1", 5), EAP_CONTINUE);
    ck_assert_uint_eq(lab.response_size, 5 + strlen(IDENTITY));
    ck_assert_mem_eq(lab.response + 5, IDENTITY, strlen(IDENTITY));
    ck_assert_int_eq(lab_input(&lab, "\1\3\0\5\62", 5), EAP_CONTINUE); /* AKA' */
    ck_assert_hex_eq(lab.response, lab.response_size, "020300060317");
    ck_assert_str_eq(eap_aka_text(lab.eap), "EAP: the server wants type 50, we do EAP-AKA");
    ck_assert_int_eq(challenge_send(&lab), EAP_CONTINUE);
    discarded(&lab, lab_input(&lab, "\1\4\0\5\1", 5), "in the midst of EAP-AKA");
    discarded(&lab, lab_input(&lab, "\1\4\0\5\62", 5), "in the midst of EAP-AKA");
    ck_assert_int_eq(lab_input(&lab, "\1\4\0\5\2", 5), EAP_CONTINUE);
    lab.identifier = 4;
    succeeds(&lab);

    lab_restart(&lab); /* nothing but a Nak is possible: the failure says so */
    ck_assert_int_eq(lab_input(&lab, "\1\51\0\5\4", 5), EAP_CONTINUE);
    lab.identifier = 41;
    ck_assert_int_eq(result_send(&lab, EAP_FAILURE), EAP_REFUSED);
    ck_assert_str_eq(eap_aka_text(lab.eap), "EAP: the server wants type 4, we do EAP-AKA");

    lab_restart(&lab);
    ck_assert_int_eq(lab_input(&lab, "\1\51\0\5\1", 5), EAP_CONTINUE);
    lab.identifier = 41;
    ck_assert_int_eq(result_send(&lab, EAP_FAILURE), EAP_REFUSED);
    ck_assert_str_eq(eap_aka_text(lab.eap), "EAP: the server refuses the hosting party (EAP-Failure)");
    lab_end(&lab);
}
END_TEST

START_TEST(what_rfc_3748_discards) {
    uint8_t big[EAP_REQUEST_MAX + 1] = {EAP_REQUEST, 1, sizeof big >> 8, sizeof big & 0xff,
                                        EAP_TYPE_IDENTITY};
    Lab lab;

    lab_start(&lab);
    discarded(&lab, lab_input(&lab, "", 0), "malformed");
    discarded(&lab, lab_input(&lab, "\1\1\0\6\1", 5), "malformed");
    discarded(&lab, lab_input(&lab, big, sizeof big), "malformed");
    discarded(&lab, lab_input(&lab, "\2\1\0\5\1", 5), "a response from the server");
    discarded(&lab, lab_input(&lab, "\1\1\0\6\3\27", 6), "a request cannot be a Nak");
    discarded(&lab, result_send(&lab, EAP_SUCCESS), "another identifier"); /* before anything */
    discarded(&lab, result_send(&lab, EAP_FAILURE), "another identifier");
    ck_assert_int_eq(identity_send(&lab, AT_ANY_ID_REQ), EAP_CONTINUE);
    discarded(&lab, result_send(&lab, EAP_SUCCESS), "EAP-Success before the server is authenticated");
    ck_assert_int_eq(challenge_send(&lab), EAP_CONTINUE);
    lab.identifier++;
    discarded(&lab, result_send(&lab, EAP_SUCCESS), "another identifier");
    discarded(&lab, result_send(&lab, EAP_FAILURE), "another identifier");
    lab.identifier--;
    succeeds(&lab);
    discarded(&lab, result_send(&lab, EAP_SUCCESS), "after the end");
    discarded(&lab, challenge_send(&lab), "after the end");
    lab_end(&lab);
}
END_TEST

/* RFC 3748 4.1: again the same bytes, and neither the USIM nor AT_CHECKCODE is any the wiser. */
START_TEST(retransmissions) {
    uint8_t first[EAP_RESPONSE_MAX];
    size_t first_size;
    Lab lab;

    lab_start(&lab);
    for (unsigned i = 0; i < 2 * EAP_AKA_ROUNDS_MAX; i++)
        ck_assert_int_eq(i == 0 ? identity_send(&lab, AT_ANY_ID_REQ) : request_send(&lab), EAP_CONTINUE);
    ck_assert_int_eq(challenge_send(&lab), EAP_CONTINUE);
    memcpy(first, lab.response, lab.response_size);
    first_size = lab.response_size;
    ck_assert_int_eq(request_send(&lab), EAP_CONTINUE);
    ck_assert_uint_eq(lab.response_size, first_size);
    ck_assert_mem_eq(lab.response, first, first_size);
    response_is_answer(&lab);
    lab.packet[lab.w.len - 1] ^= 1;
    discarded(&lab, request_send(&lab), "another request with the identifier");
    succeeds(&lab);
    lab_end(&lab);
}
END_TEST

START_TEST(endless_requests) {
    Lab lab;

    lab_start(&lab);
    for (uint8_t i = 0; i < EAP_AKA_ROUNDS_MAX; i++)
        ck_assert_int_eq(lab_input(&lab, (uint8_t[]){EAP_REQUEST, i, 0, 5, EAP_TYPE_IDENTITY}, 5),
                         EAP_CONTINUE);
    ck_assert_int_eq(lab_input(&lab, (uint8_t[]){EAP_REQUEST, 99, 0, 5, EAP_TYPE_IDENTITY}, 5), EAP_REFUSED);
    ck_assert_str_eq(eap_aka_text(lab.eap), "EAP: more than 16 requests");
    discarded(&lab, challenge_send(&lab), "after the end");
    lab_end(&lab);
}
END_TEST

/* 4.1.6 */
START_TEST(order_of_identities) {
    static const struct {
        uint8_t asks[4];
        const char *why; /* NULL: fine */
    } cases[] = {
        {{AT_ANY_ID_REQ, AT_FULLAUTH_ID_REQ, AT_PERMANENT_ID_REQ}},
        {{AT_ANY_ID_REQ, AT_PERMANENT_ID_REQ}},
        {{AT_FULLAUTH_ID_REQ, AT_PERMANENT_ID_REQ}},
        {{AT_PERMANENT_ID_REQ}},
        {{AT_FULLAUTH_ID_REQ}},
        {{AT_ANY_ID_REQ, AT_ANY_ID_REQ}, "asked for before"},
        {{AT_FULLAUTH_ID_REQ, AT_ANY_ID_REQ}, "asked for before"},
        {{AT_FULLAUTH_ID_REQ, AT_FULLAUTH_ID_REQ}, "asked for before"},
        {{AT_PERMANENT_ID_REQ, AT_FULLAUTH_ID_REQ}, "asked for before"},
        {{AT_ANY_ID_REQ, AT_FULLAUTH_ID_REQ, AT_PERMANENT_ID_REQ, AT_PERMANENT_ID_REQ}, "asked for before"},
    };
    Lab lab;

    lab_start(&lab);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t n = 0;
        while (n < ARRAY_SIZE(cases[i].asks) && cases[i].asks[n])
            n++;
        lab_restart(&lab);
        for (size_t k = 0; k < n; k++) {
            int r = identity_send(&lab, cases[i].asks[k]);
            if (k == n - 1 && cases[i].why) {
                refused(&lab, r, cases[i].why);
                break;
            }
            ck_assert_int_eq(r, EAP_CONTINUE);
            response_is(&lab, AKA_IDENTITY);
            const uint8_t *identity = response_value(&lab, AT_IDENTITY);
            ck_assert_uint_eq(identity[0] << 8 | identity[1], strlen(IDENTITY));
            ck_assert_mem_eq(identity + 2, IDENTITY, strlen(IDENTITY));
        }
        if (cases[i].why)
            continue;
        ck_assert_int_eq(challenge_send(&lab), EAP_CONTINUE);
        response_is_answer(&lab);
        ck_assert_ptr_nonnull(response_value(&lab, AT_CHECKCODE)); /* there is something to protect */
        succeeds(&lab);
    }
    lab_restart(&lab);
    refused(&lab, identity_send(&lab, 0), "asks for no identity");
    lab_restart(&lab);
    request_begin(&lab, AKA_IDENTITY);
    request_add(&lab, AT_ANY_ID_REQ, NULL, 2);
    request_add(&lab, AT_PERMANENT_ID_REQ, NULL, 2);
    refused(&lab, request_send(&lab), "asks for two identities");
    lab_end(&lab);
}
END_TEST

/* 10.13 */
START_TEST(checkcodes) {
    static const uint8_t none[2], zeroes[22];
    Lab lab;

    lab_start(&lab);
    challenge_begin(&lab); /* none, and nothing to protect: none in the answer */
    request_mac(&lab);
    ck_assert_int_eq(request_send(&lab), EAP_CONTINUE);
    ck_assert_ptr_null(response_value(&lab, AT_CHECKCODE));

    lab_restart(&lab); /* a hash of nothing */
    challenge_begin(&lab);
    request_add(&lab, AT_CHECKCODE, zeroes, sizeof zeroes);
    request_mac(&lab);
    refused(&lab, request_send(&lab), "AT_CHECKCODE is wrong");

    lab_restart(&lab); /* nothing, though there was an identity asked for: somebody has put that in */
    ck_assert_int_eq(identity_send(&lab, AT_ANY_ID_REQ), EAP_CONTINUE);
    challenge_begin(&lab);
    request_add(&lab, AT_CHECKCODE, none, sizeof none);
    request_mac(&lab);
    refused(&lab, request_send(&lab), "AT_CHECKCODE is wrong");

    lab_restart(&lab);
    ck_assert_int_eq(identity_send(&lab, AT_ANY_ID_REQ), EAP_CONTINUE);
    challenge_begin(&lab);
    request_add(&lab, AT_CHECKCODE, zeroes, sizeof zeroes);
    request_mac(&lab);
    refused(&lab, request_send(&lab), "AT_CHECKCODE is wrong");

    lab_restart(&lab);
    challenge_begin(&lab);
    request_add(&lab, AT_CHECKCODE, zeroes, 6);
    request_mac(&lab);
    refused(&lab, request_send(&lab), "AT_CHECKCODE has a wrong length");
    lab_end(&lab);
}
END_TEST

/* What may be in a challenge and what may not; each with a good MAC. */
START_TEST(attributes) {
    static const struct {
        uint8_t type;
        size_t size;
        const char *why; /* NULL: accepted */
    } cases[] = {
        {AT_BIDDING, 2, NULL},
        {AT_RESULT_IND, 2, NULL},
        {140, 10, NULL}, /* may be skipped */
        {255, 2, NULL},
        {AT_NEXT_PSEUDONYM, 6, NULL}, /* not hidden: skipped */
        {127, 2, "attribute 127 (unknown) does not belong there"},
        {23, 2, "attribute 23 (unknown) does not belong there"}, /* AT_KDF_INPUT */
        {AT_RES, 10, "attribute 3 (RES) does not belong there"},
        {AT_PERMANENT_ID_REQ, 2, "(PERMANENT_ID_REQ) does not belong there"},
        {AT_NOTIFICATION, 2, "(NOTIFICATION) does not belong there"},
        {AT_RAND, 18, "AT_RAND is there twice"},
        {AT_AUTN, 18, "AT_AUTN is there twice"},
        {AT_IV, 18, "AT_IV and AT_ENCR_DATA do not fit"},
        {AT_ENCR_DATA, 18, "AT_IV and AT_ENCR_DATA do not fit"},
        {AT_IV, 14, "AT_IV has a wrong length"},
        {AT_RESULT_IND, 6, "AT_RESULT_IND has a wrong length"},
        {AT_BIDDING, 6, "AT_BIDDING has a wrong length"},
    };
    Lab lab;

    lab_start(&lab);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        lab_restart(&lab);
        challenge_begin(&lab);
        request_add(&lab, cases[i].type, NULL, cases[i].size);
        request_mac(&lab);
        int r = request_send(&lab);
        if (cases[i].why) {
            refused(&lab, r, cases[i].why);
            continue;
        }
        ck_assert_int_eq(r, EAP_CONTINUE);
        response_is_answer(&lab);
    }
    lab_end(&lab);
}
END_TEST

START_TEST(incomplete_challenges) {
    static const uint8_t all[] = {AT_RAND, AT_AUTN, AT_MAC};
    Lab lab;

    lab_start(&lab);
    for (size_t without = 0; without < ARRAY_SIZE(all); without++) {
        lab_restart(&lab);
        request_begin(&lab, AKA_CHALLENGE);
        for (size_t i = 0; i < ARRAY_SIZE(all); i++)
            if (i != without)
                request_add(&lab, all[i], NULL, 18);
        refused(&lab, request_send(&lab), "without AT_RAND, AT_AUTN or AT_MAC");
    }
    for (size_t size = 1; size < 64; size++) { /* attributes cut anywhere */
        lab_restart(&lab);
        challenge_begin(&lab);
        request_mac(&lab);
        lab.w.len -= size;
        int r = request_send(&lab);
        if (size <= 60)
            refused(&lab, r, size % 20 == 0 ? "without AT_" : "is cut");
        else
            refused(&lab, r, "a request without subtype");
    }
    lab_restart(&lab);
    challenge_begin(&lab);
    writer_bytes(&lab.w, (uint8_t[]){200, 0, 0, 0}, 4); /* of no length */
    refused(&lab, request_send(&lab), "attribute 200 is cut");
    lab_end(&lab);
}
END_TEST

static void cbc_encrypt(const Lab *lab, const uint8_t iv[static 16], uint8_t *data, size_t size) {
    const uint8_t *before = iv;

    for (size_t at = 0; at < size; at += 16) {
        for (size_t i = 0; i < 16; i++)
            data[at + i] ^= before[i];
        ck_assert_int_eq(aka_aes_encrypt(lab->keys.encr, data + at, data + at), 0);
        before = data + at;
    }
}

/* 10.12: what is hidden must be attributes that may be hidden, though we use none. */
START_TEST(hidden_attributes) {
    static const struct {
        const char *plain, *why;
    } cases[] = {
        {"84040009326e616d6565656565000000", NULL},
        {"85030004326e616d00000000060100000000000000000000", "do not fit"}, /* not whole blocks */
        {"85030004326e616d0000000006010000", NULL},
        {"85030004326e616d0000000006010001", "AT_PADDING is not of zeroes"},
        {"84ff0009326e616d6565656565000000", "AT_ENCR_DATA hides no attributes"},
        {"0b040009326e616d6565656565000000", "AT_ENCR_DATA hides no attributes"},
        {"00000000000000000000000000000000", "AT_ENCR_DATA hides no attributes"},
        {"", "do not fit"},
    };
    Lab lab;

    lab_start(&lab);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t iv[18] = {0, 0, 1, 2, 3}, data[66] = {};
        size_t size = hex_bytes(cases[i].plain, data + 2, 64);
        lab_restart(&lab);
        challenge_begin(&lab);
        if (size % 16 == 0)
            cbc_encrypt(&lab, iv + 2, data + 2, size);
        request_add(&lab, AT_IV, iv, sizeof iv);
        request_add(&lab, AT_ENCR_DATA, data, 2 + size);
        request_mac(&lab);
        int r = request_send(&lab);
        if (cases[i].why)
            refused(&lab, r, cases[i].why);
        else
            response_is_answer(&lab);
    }
    lab_end(&lab);
}
END_TEST

/* No challenge with a bit changed leads to success, whatever the server says afterwards. */
START_TEST(every_changed_bit) {
    Lab lab;
    size_t size;

    lab_start(&lab);
    challenge_begin(&lab);
    request_add(&lab, AT_RESULT_IND, NULL, 2);
    request_add(&lab, AT_BIDDING, "\x80", 2);
    request_mac(&lab);
    size = lab.w.len;
    for (size_t bit = 0; bit < 8 * size; bit++) {
        uint8_t packet[EAP_REQUEST_MAX];
        Lab other;
        lab_start(&other);
        memcpy(packet, lab.packet, size);
        packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
        int r = lab_input(&other, packet, size);
        ck_assert(r != EAP_DONE);
        if (r == EAP_CONTINUE)
            ck_assert_msg(other.response[4] == EAP_TYPE_NAK || other.response[4] == EAP_TYPE_NOTIFICATION ||
                              other.response[4] == EAP_TYPE_IDENTITY ||
                              other.response[5] == AKA_CLIENT_ERROR ||
                              other.response[5] == AKA_AUTHENTICATION_REJECT,
                          "bit %zu", bit);
        other.keys = lab.keys;
        other.identifier = packet[1];
        ck_assert_int_ne(result_send(&other, EAP_SUCCESS), EAP_DONE);
        (void)notification_send(&other, 32768, true);
        ck_assert_int_ne(result_send(&other, EAP_SUCCESS), EAP_DONE);
        ck_assert_ptr_null(eap_aka_msk(other.eap));
        lab_end(&other);
    }
    ck_assert_int_eq(lab_input(&lab, lab.packet, size), EAP_CONTINUE); /* unchanged it is good */
    response_is_answer(&lab);
    lab_end(&lab);
}
END_TEST

/* 6.3.1, 9.5, 9.6 */
START_TEST(wrong_network) {
    Lab lab;

    lab_start(&lab);
    lab.usim_state.milenage.k[0] ^= 1;
    challenge_begin(&lab);
    request_mac(&lab);
    lab.usim_state.milenage.k[0] ^= 1;
    ck_assert_int_eq(request_send(&lab), EAP_CONTINUE);
    response_is(&lab, AKA_AUTHENTICATION_REJECT);
    ck_assert_uint_eq(lab.response_size, 8);
    ck_assert_msg(strstr(eap_aka_text(lab.eap), "the MAC in AUTN is wrong"), "%s", eap_aka_text(lab.eap));
    ck_assert_int_eq(result_send(&lab, EAP_SUCCESS), EAP_DISCARDED);
    ck_assert_int_eq(challenge_send(&lab), EAP_CONTINUE); /* no second chance */
    response_is(&lab, AKA_CLIENT_ERROR);
    ck_assert_int_eq(notification_send(&lab, 16384, false), EAP_CONTINUE);
    response_is(&lab, AKA_NOTIFICATION);
    ck_assert_int_eq(result_send(&lab, EAP_FAILURE), EAP_REFUSED);
    ck_assert_msg(strstr(eap_aka_text(lab.eap), "the MAC in AUTN is wrong"), "%s", eap_aka_text(lab.eap));
    lab_end(&lab);
}
END_TEST

START_TEST(resynchronisation) {
    Lab lab;

    lab_start(&lab);
    lab.sqn = 0x100;
    ck_assert(sqn_array_accept(&lab.usim_state.sqn, 0x123456));
    ck_assert(sqn_array_accept(&lab.usim_state.sqn, 0x1020 << 5));
    ck_assert_int_eq(challenge_send(&lab), EAP_CONTINUE);
    response_is(&lab, AKA_SYNCHRONIZATION_FAILURE);
    ck_assert_uint_eq(lab.response_size, 8 + 16);
    ck_assert_ptr_nonnull(response_value(&lab, AT_AUTS));
    ck_assert_msg(strstr(eap_aka_text(lab.eap), "resynchronisation"), "%s", eap_aka_text(lab.eap));
    discarded(&lab, result_send(&lab, EAP_SUCCESS), "before the server is authenticated");
    lab.sqn = 0x123456;
    ck_assert_int_eq(challenge_send(&lab), EAP_CONTINUE);
    response_is_answer(&lab);
    succeeds(&lab);

    lab_restart(&lab); /* a server that does not listen */
    ck_assert(sqn_array_accept(&lab.usim_state.sqn, 0x123456));
    for (unsigned i = 0; i <= EAP_AKA_RESYNCS_MAX; i++) {
        lab.sqn = 0x123456 - 32;
        int r = challenge_send(&lab);
        if (i == EAP_AKA_RESYNCS_MAX)
            refused(&lab, r, "still old after resynchronisation");
        else
            response_is(&lab, AKA_SYNCHRONIZATION_FAILURE);
    }

    lab_restart(&lab); /* one that gives up */
    ck_assert(sqn_array_accept(&lab.usim_state.sqn, 0x123440));
    ck_assert_int_eq(challenge_send(&lab), EAP_CONTINUE);
    ck_assert_int_eq(result_send(&lab, EAP_FAILURE), EAP_REFUSED);
    ck_assert_msg(strstr(eap_aka_text(lab.eap), "resynchronisation"), "%s", eap_aka_text(lab.eap));

    lab_restart(&lab); /* identities are not asked for again behind it */
    ck_assert(sqn_array_accept(&lab.usim_state.sqn, 0x123440));
    ck_assert_int_eq(challenge_send(&lab), EAP_CONTINUE);
    refused(&lab, identity_send(&lab, AT_ANY_ID_REQ), "not expected at this point");
    lab_end(&lab);
}
END_TEST

/* 6.1, 6.2, 10.19 */
START_TEST(protected_success) {
    Lab lab;

    for (int how = 0; how < 5; how++) {
        lab_start(&lab);
        challenge_begin(&lab);
        request_add(&lab, AT_RESULT_IND, NULL, 2);
        request_mac(&lab);
        ck_assert_int_eq(request_send(&lab), EAP_CONTINUE);
        response_is_answer(&lab);
        ck_assert_ptr_nonnull(response_value(&lab, AT_RESULT_IND));
        discarded(&lab, result_send(&lab, EAP_SUCCESS), "before the server is authenticated");
        switch (how) {
        case 0:
            ck_assert_int_eq(notification_send(&lab, 32768, true), EAP_CONTINUE);
            response_is(&lab, AKA_NOTIFICATION);
            response_mac_is_good(&lab);
            discarded(&lab, result_send(&lab, EAP_FAILURE), "after a protected success");
            succeeds(&lab);
            break;
        case 1: /* not protected */
            refused(&lab, notification_send(&lab, 32768, false), "does not fit to where we are");
            break;
        case 2: /* by somebody else */
            lab.keys.aut[0] ^= 1;
            refused(&lab, notification_send(&lab, 32768, true), "AT_MAC of a notification is wrong");
            break;
        case 3: /* as if before the challenge */
            refused(&lab, notification_send(&lab, 0xc000, false), "does not fit to where we are");
            break;
        case 4:
            ck_assert_int_eq(notification_send(&lab, 32768, true), EAP_CONTINUE);
            refused(&lab, notification_send(&lab, 32768, true), "not expected at this point");
            break;
        }
        lab_end(&lab);
    }
}
END_TEST

START_TEST(failure_notifications) {
    Lab lab;

    lab_start(&lab); /* before the challenge, in clear */
    ck_assert_int_eq(identity_send(&lab, AT_ANY_ID_REQ), EAP_CONTINUE);
    ck_assert_int_eq(notification_send(&lab, 16384, false), EAP_CONTINUE);
    response_is(&lab, AKA_NOTIFICATION);
    ck_assert_uint_eq(lab.response_size, 8);
    refused(&lab, challenge_send(&lab), "the server notifies: general failure (16384)");

    lab_restart(&lab); /* after it, protected */
    ck_assert_int_eq(challenge_send(&lab), EAP_CONTINUE);
    ck_assert_int_eq(notification_send(&lab, 1031, true), EAP_CONTINUE);
    response_is(&lab, AKA_NOTIFICATION);
    response_mac_is_good(&lab);
    discarded(&lab, result_send(&lab, EAP_SUCCESS), "has not subscribed");
    ck_assert_int_eq(result_send(&lab, EAP_FAILURE), EAP_REFUSED);
    ck_assert_str_eq(
        eap_aka_text(lab.eap),
        "EAP-AKA: the server notifies: the hosting party has not subscribed to the service (1031)");

    lab_restart(&lab);
    refused(&lab, notification_send(&lab, 1031, false), "does not fit to where we are");
    lab_restart(&lab);
    refused(&lab, notification_send(&lab, 0xc000, false), "does not fit to where we are");
    lab_restart(&lab);
    refused(&lab, notification_send(&lab, 16384, true),
            "does not fit to where we are"); /* with a MAC of no key */
    lab_restart(&lab);
    ck_assert_int_eq(challenge_send(&lab), EAP_CONTINUE);
    refused(&lab, notification_send(&lab, 32768, true), "not agreed upon");
    lab_restart(&lab);
    request_begin(&lab, AKA_NOTIFICATION);
    refused(&lab, request_send(&lab), "AKA-Notification without AT_NOTIFICATION");
    lab_restart(&lab);
    ck_assert_int_eq(notification_send(&lab, 16384, false), EAP_CONTINUE);
    refused(&lab, notification_send(&lab, 16384, false), "general failure");
    lab_end(&lab);
}
END_TEST

START_TEST(unexpected_requests) {
    Lab lab;

    lab_start(&lab);
    ck_assert_int_eq(challenge_send(&lab), EAP_CONTINUE);
    refused(&lab, challenge_send(&lab), "not expected at this point");
    lab_restart(&lab);
    ck_assert_int_eq(challenge_send(&lab), EAP_CONTINUE);
    refused(&lab, identity_send(&lab, AT_ANY_ID_REQ), "not expected at this point");
    lab_restart(&lab);
    request_begin(&lab, AKA_REAUTHENTICATION);
    refused(&lab, request_send(&lab), "fast re-authentication");
    lab_restart(&lab);
    request_begin(&lab, 99);
    refused(&lab, request_send(&lab), "unknown subtype");
    lab_restart(&lab);
    ck_assert_int_eq(challenge_send(&lab), EAP_CONTINUE);
    ck_assert_int_eq(result_send(&lab, EAP_FAILURE), EAP_REFUSED);
    ck_assert_msg(strstr(eap_aka_text(lab.eap), "refuses our answer"), "%s", eap_aka_text(lab.eap));
    ck_assert_ptr_null(eap_aka_msk(lab.eap));
    lab_end(&lab);
}
END_TEST

static int no_card(void *userdata, const uint8_t rand[static AKA_RAND_BYTES],
                   const uint8_t autn[static AKA_AUTN_BYTES], UsimAnswer *ret) {
    return -ENOMEDIUM;
}

static int no_identity(void *userdata, char imsi[static IMSI_MAX + 1], size_t *ret_mnc_size) {
    return -EACCES;
}

static int odd_card(void *userdata, const uint8_t rand[static AKA_RAND_BYTES],
                    const uint8_t autn[static AKA_AUTN_BYTES], UsimAnswer *ret) {
    *ret = (UsimAnswer){.verdict = USIM_ACCEPTED, .res_size = 3};
    return 0;
}

START_TEST(cards_that_fail) {
    EapAka *eap = NULL;
    Lab lab;

    lab_start(&lab);
    lab.usim.authenticate = no_card;
    refused(&lab, challenge_send(&lab), "USIM milenage: No medium found");
    lab_restart(&lab);
    lab.usim.authenticate = odd_card;
    refused(&lab, challenge_send(&lab), "RES has no size");
    lab.usim.identity = no_identity;
    ck_assert_int_eq(eap_aka_new(&eap, &lab.usim, ""), -EACCES);
    ck_assert_ptr_null(eap);
    lab_end(&lab);
}
END_TEST

SUITE("eap-aka", conversations_computed_elsewhere, generator, identity_and_other_methods,
      what_rfc_3748_discards, retransmissions, endless_requests, order_of_identities, checkcodes, attributes,
      incomplete_challenges, hidden_attributes, every_changed_bit, wrong_network, resynchronisation,
      protected_success, failure_notifications, unexpected_requests, cards_that_fail)
