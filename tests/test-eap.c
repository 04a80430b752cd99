/* SPDX-License-Identifier: GPL-3.0-or-later */
/* EAP packets: what is one, and Nak (RFC 3748). */
#include "hex.h"
#include "ike/eap.h"
#include "suite.h"

START_TEST(packets) {
    static const struct {
        const char *bytes;
        int result;
        uint8_t code, type;
        size_t size;
    } cases[] = {
        {"0107000501", 0, EAP_REQUEST, EAP_TYPE_IDENTITY, 0},
        {"010700080168656a", 0, EAP_REQUEST, EAP_TYPE_IDENTITY, 3},
        {"02070006171d", 0, EAP_RESPONSE, EAP_TYPE_AKA, 1},
        {"03070004", 0, EAP_SUCCESS, 0, 0},
        {"04070004", 0, EAP_FAILURE, 0, 0},
        {"0107000cfe00000000000017", 0, EAP_REQUEST, EAP_TYPE_EXPANDED, 7},
        {"", -EBADMSG},
        {"010700", -EBADMSG},
        {"01070004", -EBADMSG},               /* no type */
        {"0107000500", -EBADMSG},             /* type 0 */
        {"0107000601", -EBADMSG},             /* longer than it is */
        {"010700050102", -EBADMSG},           /* shorter */
        {"0107000301", -EBADMSG},             /* shorter than a header */
        {"0307000501", -EBADMSG},             /* a success with data */
        {"0007000501", -EBADMSG},             /* codes there are not */
        {"0507000501", -EBADMSG},             /* Initiate of RFC 6696 */
        {"0107000bfe000000000000", -EBADMSG}, /* Expanded, cut */
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t bytes[64];
        size_t size = hex_bytes(cases[i].bytes, bytes, sizeof bytes);
        EapPacket p = {};
        ck_assert_msg(eap_decode(bytes, size, &p) == cases[i].result, "%s", cases[i].bytes);
        if (cases[i].result < 0)
            continue;
        ck_assert_uint_eq(p.code, cases[i].code);
        ck_assert_uint_eq(p.identifier, 7);
        ck_assert_uint_eq(p.type, cases[i].type);
        ck_assert_uint_eq(p.size, cases[i].size);
    }
}
END_TEST

START_TEST(naks) {
    static const struct {
        const char *request, *response;
    } cases[] = {
        {"0109000532", "020900060317"}, /* AKA' */
        {"0109000cfe00000000000032", "02090014fe00000000000003fe00000000000017"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t bytes[64], response[64];
        size_t size = hex_bytes(cases[i].request, bytes, sizeof bytes);
        EapPacket p;
        ck_assert_int_eq(eap_decode(bytes, size, &p), 0);
        Writer w = eap_nak(response, sizeof response, &p, EAP_TYPE_AKA);
        ck_assert_int_eq(eap_end(&w, &size), 0);
        ck_assert_hex_eq(response, size, cases[i].response);
    }
}
END_TEST

START_TEST(a_response_that_does_not_fit) {
    uint8_t response[4];
    size_t size = 7;

    Writer w = eap_begin(response, sizeof response, 1, EAP_TYPE_AKA);
    ck_assert_int_eq(eap_end(&w, &size), -ENOBUFS);
    ck_assert_uint_eq(size, 7);
}
END_TEST

SUITE("eap", packets, naks, a_response_that_does_not_fit)
