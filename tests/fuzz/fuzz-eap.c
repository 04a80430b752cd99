/* SPDX-License-Identifier: GPL-3.0-or-later */
/* EAP: a server's packets to the peer of EAP-AKA, and a card's answers. The first byte chooses: an answer of
 * the card; or packets, each behind two bytes of size and flags, with the flags' fields made right, so that
 * they get past the MAC. The USIM does as the first bytes of RAND say. */
#include "base/macro.h"
#include "fuzz.h"
#include "ike/crypto.h"
#include "ike/eap-aka-attributes.h"
#include "ike/eap-aka.h"
#include "ike/usim-apdu.h"

#define PACKET_MAX     1100 /* a little more than is looked at */
#define ATTRIBUTES_AT  8    /* EAP's header, type, subtype, reserved */
#define VALUE_AT       4    /* type, length, reserved */
#define IDENTITIES_MAX 4096

enum {
    FIX_MAC = 1 << 12,
    FIX_HIDDEN = 1 << 13, /* AT_CHECKCODE's hash, AT_ENCR_DATA encrypted */
    FIX_IDENTIFIER = 1 << 14,
    FIX_LENGTH = 1 << 15,
};

typedef struct Server {
    EapAkaKeys keys;
    uint8_t identifier;
    bool accepted; /* the USIM has a challenge */
    uint8_t identities[IDENTITIES_MAX];
    size_t identities_size;
} Server;

static int usim_identity(void *userdata, char imsi[static IMSI_MAX + 1], size_t *ret_mnc_size) {
    strcpy(imsi, "234150123456789");
    *ret_mnc_size = 2;
    return 0;
}

static int usim_authenticate(void *userdata, const uint8_t rand[static AKA_RAND_BYTES],
                             const uint8_t autn[static AKA_AUTN_BYTES], UsimAnswer *ret) {
    Server *s = userdata;

    *ret = (UsimAnswer){.res_size = rand[1] % (AKA_RES_MAX + 2)};
    switch (rand[0] & 3) {
    case 0:
        s->accepted = true;
        ret->verdict = USIM_ACCEPTED;
        return 0;
    case 1:
        ret->verdict = USIM_SYNC_FAILURE;
        return 0;
    case 2:
        ret->verdict = USIM_MAC_FAILURE;
        return 0;
    }
    return -EACCES;
}

/* Where what follows type and length of an attribute starts; NULL without it. */
static uint8_t *attribute_find(uint8_t *packet, size_t size, uint8_t type, size_t *ret_size) {
    for (size_t at = ATTRIBUTES_AT; at + VALUE_AT <= size;) {
        size_t bytes = packet[at + 1] * 4U;
        if (bytes < VALUE_AT || bytes > size - at)
            return NULL;
        if (packet[at] == type) {
            *ret_size = bytes - 2;
            return packet + at + 2;
        }
        at += bytes;
    }
    return NULL;
}

static void hidden_fix(const Server *s, uint8_t *packet, size_t size) {
    size_t iv_size, data_size, code_size;
    uint8_t *iv = attribute_find(packet, size, AT_IV, &iv_size),
            *data = attribute_find(packet, size, AT_ENCR_DATA, &data_size),
            *code = attribute_find(packet, size, AT_CHECKCODE, &code_size), hash[HASH_SIZE_MAX];

    if (code && code_size == AKA_CHECKCODE_BYTES) {
        struct iovec all = {(void *)s->identities, s->identities_size};
        MUST(crypto_hash(HASH_SHA1, &all, 1, hash) == 0);
        memcpy(code + 2, hash, SHA1_BYTES);
    }
    if (!iv || iv_size != 18 || !data)
        return;
    const uint8_t *before = iv + 2;
    for (uint8_t *block = data + 2; block + AES_BLOCK_BYTES <= data + data_size; block += AES_BLOCK_BYTES) {
        for (size_t i = 0; i < AES_BLOCK_BYTES; i++)
            block[i] ^= before[i];
        MUST(aka_aes_encrypt(s->keys.encr, block, block) == 0);
        before = block;
    }
}

static void mac_fix(const Server *s, uint8_t *packet, size_t size) {
    uint8_t computed[SHA1_BYTES];
    size_t mac_size;
    uint8_t *mac = attribute_find(packet, size, AT_MAC, &mac_size);

    if (!mac || mac_size != 18)
        return;
    memset(mac + 2, 0, 16);
    struct iovec whole = {packet, size};
    MUST(aka_hmac_sha1(s->keys.aut, sizeof s->keys.aut, &whole, 1, computed) == 0);
    memcpy(mac + 2, computed, 16);
}

static void packet_fix(Server *s, unsigned flags, uint8_t *packet, size_t size) {
    if (flags & FIX_LENGTH && size >= EAP_HEADER_SIZE) {
        packet[2] = (uint8_t)(size >> 8);
        packet[3] = (uint8_t)size;
    }
    /* Success and failure have that of the response before. */
    if (flags & FIX_IDENTIFIER && size >= EAP_HEADER_SIZE)
        packet[1] = packet[0] == EAP_REQUEST ? ++s->identifier : s->identifier;
    if (flags & FIX_HIDDEN)
        hidden_fix(s, packet, size);
    if (flags & FIX_MAC)
        mac_fix(s, packet, size);
}

static void text_check(const char *text) {
    MUST(strlen(text) < EAP_AKA_TEXT_MAX);
    for (; *text; text++)
        MUST(*text >= ' ' && *text <= '~');
}

static void response_check(Server *s, const uint8_t *packet, size_t size, const uint8_t *response,
                           size_t response_size) {
    EapPacket request, answer;

    MUST(response_size <= EAP_RESPONSE_MAX);
    MUST(eap_decode(packet, size, &request) == 0 && request.code == EAP_REQUEST);
    MUST((size_t)(packet[2] << 8 | packet[3]) == size);
    MUST(eap_decode(response, response_size, &answer) == 0);
    MUST(answer.code == EAP_RESPONSE && answer.identifier == request.identifier);
    if (answer.type != EAP_TYPE_AKA || answer.data[0] != AKA_IDENTITY ||
        size + response_size > IDENTITIES_MAX - s->identities_size)
        return;
    memcpy(s->identities + s->identities_size, packet, size);
    memcpy(s->identities + s->identities_size + size, response, response_size);
    s->identities_size += size + response_size;
}

static void conversation(Reader r) {
    Server s = {};
    Usim usim = {
        .name = "fuzz", .identity = usim_identity, .authenticate = usim_authenticate, .userdata = &s};
    static const uint8_t zero[AKA_KEY_BYTES];
    _cleanup_(eap_aka_freep) EapAka *eap = NULL;
    bool over = false;

    MUST(eap_aka_new(&eap, &usim, "") == 0);
    MUST(eap_aka_keys_derive(eap_aka_identity(eap), zero, zero, &s.keys) == 0);
    while (r.left >= 2) {
        uint16_t head = reader_u16(&r);
        size_t size = MIN(head & 0x7ffU, r.left), response_size = 0;
        uint8_t response[EAP_RESPONSE_MAX];
        size = MIN(size, (size_t)PACKET_MAX);
        _cleanup_free_ uint8_t *packet = malloc(size ?: 1);
        reader_copy(&r, packet, size);
        packet_fix(&s, head, packet, size);
        int verdict = eap_aka_input(eap, packet, size, response, &response_size);
        MUST(verdict >= EAP_CONTINUE && verdict <= EAP_DISCARDED);
        MUST(!over || verdict == EAP_DISCARDED);
        if (verdict == EAP_CONTINUE)
            response_check(&s, packet, size, response, response_size);
        else if (verdict != EAP_DISCARDED)
            over = true;
        MUST(verdict != EAP_DONE ||
             (s.accepted && eap_aka_msk(eap) && memcmp(eap_aka_msk(eap), s.keys.msk, EAP_MSK_BYTES) == 0));
        MUST(over || !eap_aka_msk(eap));
        text_check(eap_aka_text(eap));
    }
}

static void card(Reader r) {
    static const uint8_t zero[AKA_RAND_BYTES];
    Apdu sent[] = {apdu_select_application(0), apdu_select_application(APDU_APPLICATIONS - 1),
                   apdu_select_file(EF_IMSI), apdu_read_binary(9), apdu_authenticate(zero, zero, true)};
    char imsi[IMSI_MAX + 1];
    UsimAnswer answer;
    ApduReply reply;
    size_t mnc_size;
    Apdu next;

    if (apdu_reply_parse(r.data, r.left, &reply) < 0)
        return;
    MUST(reply.size == r.left - 2);
    MUST(apdu_status_error(reply.status) < 0);
    for (size_t i = 0; i < ARRAY_SIZE(sent); i++) {
        MUST(sent[i].size <= APDU_MAX);
        if (apdu_follow(&sent[i], &reply, &next))
            MUST(next.size >= 5 && next.size <= APDU_MAX);
    }
    if (apdu_imsi_parse(&reply, imsi) == 0)
        MUST(imsi_is_valid(imsi));
    if (apdu_mnc_size_parse(&reply, &mnc_size) == 0)
        MUST(mnc_size == 2 || mnc_size == 3);
    if (apdu_authenticate_parse(&reply, &answer) == 0)
        MUST(answer.verdict != USIM_ACCEPTED ||
             (answer.res_size >= AKA_RES_MIN && answer.res_size <= AKA_RES_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 0)
        (data[0] & 1 ? card : conversation)(reader_new(data + 1, size - 1));
    return 0;
}
