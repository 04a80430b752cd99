/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See usim-apdu.h. */
#include "ike/usim-apdu.h"

#include "base/wire.h"

#define CLASS            0x00
#define SELECT           0xa4
#define READ_BINARY      0xb0
#define AUTHENTICATE     0x88
#define GET_RESPONSE     0xc0
#define BY_NAME          0x04
#define BY_FILE          0x00
#define NO_ANSWER        0x0c /* of SELECT: no control parameters */
#define CONTEXT_3G       0x81 /* specific reference data, 3G: TS 31.102 7.1.2 */
#define TAG_SUCCESS      0xdb /* 7.1.2.1 */
#define TAG_SYNC_FAILURE 0xdc
#define BCD_ODD          0x08 /* in the first byte of an IMSI: an odd number of digits (TS 24.008 10.5.1.4) */
#define BCD_IMSI         0x01
#define AD_MNC_OFFSET    3

/* AID of 3GPP's applications up to the application code. */
static const uint8_t applications[APDU_APPLICATIONS][7] = {
    {0xa0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x0a}, /* HPSIM, TS 31.104 */
    {0xa0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02}, /* USIM, TS 31.102 */
};

static Writer apdu_begin(Apdu *a, uint8_t instruction, uint8_t p1, uint8_t p2) {
    Writer w = writer_new(a->bytes, sizeof a->bytes);

    writer_u8(&w, CLASS);
    writer_u8(&w, instruction);
    writer_u8(&w, p1);
    writer_u8(&w, p2);
    return w;
}

static Apdu apdu_end(Apdu *a, const Writer *w) {
    assert(!w->bad);
    a->size = w->len;
    return *a;
}

static Apdu apdu_select(uint8_t p1, const uint8_t *name, size_t size) {
    Apdu a = {};
    Writer w = apdu_begin(&a, SELECT, p1, NO_ANSWER);

    writer_u8(&w, (uint8_t)size);
    writer_bytes(&w, name, size);
    return apdu_end(&a, &w);
}

Apdu apdu_select_application(size_t i) {
    assert(i < APDU_APPLICATIONS);
    return apdu_select(BY_NAME, applications[i], sizeof applications[i]);
}

Apdu apdu_select_file(uint16_t file) {
    const uint8_t name[] = {(uint8_t)(file >> 8), (uint8_t)file};

    return apdu_select(BY_FILE, name, sizeof name);
}

Apdu apdu_read_binary(uint8_t size) {
    Apdu a = {};
    Writer w = apdu_begin(&a, READ_BINARY, 0, 0);

    writer_u8(&w, size);
    return apdu_end(&a, &w);
}

Apdu apdu_authenticate(const uint8_t rand[static AKA_RAND_BYTES], const uint8_t autn[static AKA_AUTN_BYTES],
                       bool le) {
    Apdu a = {};
    Writer w = apdu_begin(&a, AUTHENTICATE, 0, CONTEXT_3G);

    writer_u8(&w, 1 + AKA_RAND_BYTES + 1 + AKA_AUTN_BYTES);
    writer_u8(&w, AKA_RAND_BYTES);
    writer_bytes(&w, rand, AKA_RAND_BYTES);
    writer_u8(&w, AKA_AUTN_BYTES);
    writer_bytes(&w, autn, AKA_AUTN_BYTES);
    if (le)
        writer_u8(&w, 0);
    return apdu_end(&a, &w);
}

int apdu_reply_parse(const uint8_t *bytes, size_t size, ApduReply *ret) {
    if (size < 2)
        return -EBADMSG;
    *ret = (ApduReply){bytes, size - 2, (uint16_t)(bytes[size - 2] << 8 | bytes[size - 1])};
    return 0;
}

bool apdu_follow(const Apdu *sent, const ApduReply *reply, Apdu *ret) {
    const uint8_t sw1 = (uint8_t)(reply->status >> 8), sw2 = (uint8_t)reply->status;

    if (sw1 == APDU_MORE) {
        Apdu a = {};
        Writer w = apdu_begin(&a, GET_RESPONSE, 0, 0);
        writer_u8(&w, sw2);
        *ret = apdu_end(&a, &w);
        return true;
    }
    if (sw1 == APDU_AGAIN && sent->size == 5) { /* only a command that asks for a number of bytes */
        *ret = *sent;
        ret->bytes[4] = sw2;
        return true;
    }
    return false;
}

int apdu_status_error(uint16_t status) {
    switch (status) {
    case APDU_WANTS_PIN:
        return -EACCES;
    case APDU_NO_FILE:
        return -ENOENT;
    default:
        return -EPROTO;
    }
}

int apdu_imsi_parse(const ApduReply *reply, char imsi[static IMSI_MAX + 1]) {
    Reader r = reader_new(reply->data, reply->size);
    size_t size = reader_u8(&r), n = 0;
    char digits[IMSI_MAX + 1] = "";

    if (size < 1 || size > 8)
        return -EBADMSG;
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = reader_u8(&r), nibbles[] = {byte & 0x0f, byte >> 4};
        if (i == 0 && (nibbles[0] & ~BCD_ODD) != BCD_IMSI)
            return -EBADMSG;
        for (size_t k = i == 0; k < 2; k++) {
            if (nibbles[k] == 0x0f && i == size - 1 && k == 1) /* the filler of an even number */
                break;
            if (nibbles[k] > 9)
                return -EBADMSG;
            digits[n++] = (char)('0' + nibbles[k]);
        }
    }
    if (r.bad || !imsi_is_valid(digits) || n % 2 != (reply->data[1] & BCD_ODD ? 1 : 0))
        return -EBADMSG;
    strcpy(imsi, digits);
    return 0;
}

int apdu_mnc_size_parse(const ApduReply *reply, size_t *ret) {
    size_t size = reply->size > AD_MNC_OFFSET ? reply->data[AD_MNC_OFFSET] & 0x0f : 2;

    if (reply->size < AD_MNC_OFFSET || (size != 2 && size != 3))
        return -EBADMSG;
    *ret = size;
    return 0;
}

/* A length and as many bytes, between *min* and *max*. Returns how many; bad in *r* otherwise. */
static size_t field_read(Reader *r, uint8_t *ret, size_t min, size_t max) {
    size_t size = reader_u8(r);

    if (size < min || size > max) {
        r->bad = true;
        return 0;
    }
    reader_copy(r, ret, size);
    return size;
}

int apdu_authenticate_parse(const ApduReply *reply, UsimAnswer *ret) {
    Reader r = reader_new(reply->data, reply->size);
    UsimAnswer a = {};

    if (reply->status == APDU_WRONG_MAC) {
        *ret = (UsimAnswer){.verdict = USIM_MAC_FAILURE};
        return 0;
    }
    if (reply->status != APDU_OK)
        return apdu_status_error(reply->status);
    switch (reader_u8(&r)) {
    case TAG_SUCCESS: /* a Kc for GSM may follow */
        a.verdict = USIM_ACCEPTED;
        a.res_size = field_read(&r, a.res, AKA_RES_MIN, AKA_RES_MAX);
        field_read(&r, a.ck, AKA_KEY_BYTES, AKA_KEY_BYTES);
        field_read(&r, a.ik, AKA_KEY_BYTES, AKA_KEY_BYTES);
        break;
    case TAG_SYNC_FAILURE:
        a.verdict = USIM_SYNC_FAILURE;
        field_read(&r, a.auts, AKA_AUTS_BYTES, AKA_AUTS_BYTES);
        break;
    default:
        r.bad = true;
    }
    if (!r.bad)
        *ret = a;
    usim_answer_wipe(&a);
    return r.bad ? -EBADMSG : 0;
}
