/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The IKEv2 codec: what it writes it reads back, hand-written bytes of RFC 7296 clause 3, limits, rules,
 * truncation and mutation. Foreign bytes: test-strongswan. */
#include <check.h>
#include <stdio.h>

#include "ike-responder.h"
#include "ike/payload.h"
#include "ike/proposal.h"
#include "seeded.h"
#include "suite.h"

/* A body in memory of exactly its size, so that a sanitizer sees what runs past it. */
typedef struct Body {
    IkePayload payload;
    uint8_t *memory;
} Body;

static Body body(const void *data, size_t size) {
    Body b = {.memory = malloc(size ?: 1)};
    if (size > 0)
        memcpy(b.memory, data, size);
    b.payload = (IkePayload){.data = b.memory, .size = size};
    return b;
}

#define BODY(...) body((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* Header and chain --------------------------------------------------------------------------------------- */

static const uint8_t header[] = {1,  2,  3, 4,    5,  6,    7, 8, 11, 12, 13, 14, 15, 16,
                                 17, 18, 0, 0x20, 37, 0x28, 0, 0, 1,  2,  0,  0,  0,  28};

START_TEST(headers) {
    static const struct {
        size_t at;
        uint8_t value;
        int result;
    } changes[] = {
        {0, 1, 0}, /* as it is */
        {17, 0x2f, 0},
        {17, 0x30, IKE_NOTIFY_INVALID_MAJOR_VERSION},
        {17, 0x10, IKE_NOTIFY_INVALID_MAJOR_VERSION},
        {19, 0xff, 0},
        {27, 27, -EBADMSG},
        {27, 29, -EBADMSG},
        {24, 1, -EBADMSG},
    };
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        uint8_t bytes[sizeof header];
        IkeHeader h;
        memcpy(bytes, header, sizeof header);
        bytes[changes[i].at] = changes[i].value;
        Reader r = reader_new(bytes, sizeof bytes);
        ck_assert_int_eq(ike_header_decode(&r, &h), changes[i].result);
        if (changes[i].result)
            continue;
        ck_assert_uint_eq(h.spi_i, 0x0102030405060708);
        ck_assert_uint_eq(h.spi_r, 0x0b0c0d0e0f101112);
        ck_assert_uint_eq(h.exchange, IKE_EXCHANGE_INFORMATIONAL);
        ck_assert_uint_eq(h.message_id, 0x102);
        ck_assert_uint_eq(h.length, 28);
    }
    uint8_t zero[28] = {[17] = 0x20, [27] = 28}; /* 2.6: the initiator's SPI is never zero */
    IkeHeader h;
    Reader r = reader_new(zero, sizeof zero);
    ck_assert_int_eq(ike_header_decode(&r, &h), -EBADMSG);
    for (size_t size = 0; size < sizeof header; size++) {
        r = reader_new(header, size);
        ck_assert_int_eq(ike_header_decode(&r, &h), -EBADMSG);
    }
}
END_TEST

static int split(const void *data, size_t size, uint8_t first, IkePayloads *ret, uint8_t *ret_critical) {
    Body b = body(data, size);
    int r = ike_payloads_split(reader_new(b.memory, size), first, ret, ret_critical);
    free(b.memory);
    return r;
}

START_TEST(chains) {
    static const struct {
        uint8_t first;
        size_t size;
        uint8_t bytes[32];
        int result;
        size_t n;
    } cases[] = {
        {IKE_PAYLOAD_NONE, 0, {}, 0, 0},
        {IKE_PAYLOAD_NONE, 1, {0}, -EBADMSG, 0}, /* bytes behind the last payload */
        {IKE_PAYLOAD_NONCE, 0, {}, -EBADMSG, 0},
        {IKE_PAYLOAD_NONCE, 4, {0, 0, 0, 4}, 0, 1},
        {IKE_PAYLOAD_NONCE, 4, {0, 0x7f, 0, 4}, 0, 1}, /* reserved bits */
        {IKE_PAYLOAD_NONCE, 4, {0, 0x80, 0, 4}, 0, 1}, /* critical and known */
        {IKE_PAYLOAD_NONCE, 4, {0, 0, 0, 3}, -EBADMSG, 0},
        {IKE_PAYLOAD_NONCE, 4, {0, 0, 0, 0}, -EBADMSG, 0},
        {IKE_PAYLOAD_NONCE, 4, {0, 0, 0, 5}, -EBADMSG, 0},
        {IKE_PAYLOAD_NONCE, 4, {0, 0, 0xff, 0xff}, -EBADMSG, 0},
        {IKE_PAYLOAD_NONCE, 5, {0, 0, 0, 4, 9}, -EBADMSG, 0},
        {IKE_PAYLOAD_NONCE, 8, {IKE_PAYLOAD_KE, 0, 0, 4, 0, 0, 0, 4}, 0, 2},
        {IKE_PAYLOAD_NONCE, 4, {IKE_PAYLOAD_KE, 0, 0, 4}, -EBADMSG, 0},
        {1, 4, {0, 0, 0, 4}, 0, 0},
        {32, 4, {0, 0, 0, 4}, 0, 0},
        {49, 4, {0, 0, 0, 4}, 0, 0},
        {255, 4, {0, 0x7f, 0, 4}, 0, 0},
        {1, 4, {0, 0x80, 0, 4}, IKE_NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD, 0},
        {32, 4, {0, 0xff, 0, 4}, IKE_NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD, 0},
        {49, 4, {0, 0x80, 0, 4}, IKE_NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD, 0},
        {255, 4, {0, 0x80, 0, 4}, IKE_NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD, 0},
        {255, 4, {0, 0x80, 0, 5}, -EBADMSG, 0},
        {IKE_PAYLOAD_SK, 6, {IKE_PAYLOAD_IDR, 0, 0, 6, 1, 2}, 0, 1},
        {IKE_PAYLOAD_SK, 7, {IKE_PAYLOAD_IDR, 0, 0, 6, 1, 2, 3}, -EBADMSG, 0}, /* 3.14: the last */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        IkePayloads p;
        uint8_t critical = 0;
        int r = split(cases[i].bytes, cases[i].size, cases[i].first, &p, &critical);
        ck_assert_msg(r == cases[i].result, "case %zu: %d", i, r);
        if (r == 0)
            ck_assert_uint_eq(p.n, cases[i].n);
        if (r > 0)
            ck_assert_uint_eq(critical, cases[i].first);
        if (r == 0 && cases[i].first == IKE_PAYLOAD_SK)
            ck_assert_uint_eq(p.inner_type, IKE_PAYLOAD_IDR);
    }
}
END_TEST

START_TEST(too_many_payloads) {
    uint8_t bytes[4 * (IKE_PAYLOADS_MAX + 1)], type;
    IkePayloads p;

    for (size_t i = 0; i < sizeof bytes; i += 4)
        memcpy(bytes + i, (uint8_t[]){IKE_PAYLOAD_NOTIFY, 0, 0, 4}, 4);
    for (size_t n = IKE_PAYLOADS_MAX; n <= IKE_PAYLOADS_MAX + 1; n++) {
        bytes[4 * n - 4] = IKE_PAYLOAD_NONE;
        ck_assert_int_eq(split(bytes, 4 * n, IKE_PAYLOAD_NOTIFY, &p, &type),
                         n > IKE_PAYLOADS_MAX ? -EBADMSG : 0);
        bytes[4 * n - 4] = IKE_PAYLOAD_NOTIFY;
    }
}
END_TEST

START_TEST(finding) {
    const IkePayloads p = {.n = 3,
                           .items = {{IKE_PAYLOAD_CERT, (uint8_t *)"a", 1},
                                     {IKE_PAYLOAD_AUTH, (uint8_t *)"b", 1},
                                     {IKE_PAYLOAD_CERT, (uint8_t *)"c", 1}}};
    ck_assert_ptr_eq(ike_payloads_find(&p, IKE_PAYLOAD_CERT, 0), &p.items[0]);
    ck_assert_ptr_eq(ike_payloads_find(&p, IKE_PAYLOAD_CERT, 1), &p.items[2]);
    ck_assert_ptr_null(ike_payloads_find(&p, IKE_PAYLOAD_CERT, 2));
    ck_assert_ptr_null(ike_payloads_find(&p, IKE_PAYLOAD_NONCE, 0));
}
END_TEST

/* What may stand where ----------------------------------------------------------------------------------- */

#define SA    IKE_PAYLOAD_SA
#define KE    IKE_PAYLOAD_KE
#define NO    IKE_PAYLOAD_NONCE
#define N     IKE_PAYLOAD_NOTIFY
#define V     IKE_PAYLOAD_VENDOR
#define CR    IKE_PAYLOAD_CERTREQ
#define CE    IKE_PAYLOAD_CERT
#define D     IKE_PAYLOAD_DELETE
#define SK    IKE_PAYLOAD_SK
#define CP    IKE_PAYLOAD_CP
#define IDR   IKE_PAYLOAD_IDR
#define AUTH  IKE_PAYLOAD_AUTH
#define TSI   IKE_PAYLOAD_TSI
#define TSR   IKE_PAYLOAD_TSR
#define INIT  IKE_EXCHANGE_SA_INIT
#define AUTHX IKE_EXCHANGE_AUTH
#define CHILD IKE_EXCHANGE_CREATE_CHILD_SA
#define INFO  IKE_EXCHANGE_INFORMATIONAL

START_TEST(rules) {
    static const struct {
        uint8_t exchange;
        bool response, sealed;
        uint8_t types[12];
        uint8_t wrong; /* 0: fine */
    } cases[] = {
        {INIT, true, false, {SA, KE, NO, N, N, N, CR, V}, 0},
        {INIT, true, false, {N}, 0},
        {INIT, true, false, {N, SA, V, KE, NO}, 0}, /* any order */
        {INIT, true, false, {SA, SA, KE, NO}, SA},
        {INIT, true, false, {SA, KE, KE, NO}, KE},
        {INIT, true, false, {SA, KE, NO, NO}, NO},
        {INIT, true, false, {SA, KE, NO, AUTH}, AUTH},
        {INIT, true, false, {SA, KE, NO, SK}, SK},
        {INIT, true, true, {SA, KE, NO}, SA}, /* never sealed */
        {INIT, false, false, {SA, KE, NO}, SA},
        {AUTHX, true, true, {IDR, CE, CE, AUTH, CP, SA, TSI, TSR, N}, 0},
        {AUTHX, true, true, {N}, 0},
        {AUTHX, true, true, {IDR, IDR, AUTH}, IDR},
        {AUTHX, true, true, {IDR, AUTH, AUTH}, AUTH},
        {AUTHX, true, true, {IDR, AUTH, CP, CP}, CP},
        {AUTHX, true, true, {IDR, AUTH, SA, TSI, TSI, TSR}, TSI},
        {AUTHX, true, true, {IDR, AUTH, D}, D},
        {AUTHX, true, true, {IDR, AUTH, SK}, SK},
        {AUTHX, true, true, {IDR, AUTH, KE}, KE},
        {AUTHX, true, false, {IDR, AUTH}, IDR},
        {AUTHX, false, true, {AUTH}, AUTH},
        {CHILD, false, true, {N, SA, NO, KE, TSI, TSR}, 0},
        {CHILD, false, true, {SA, NO, KE}, 0},
        {CHILD, false, true, {NO, TSI, TSR}, SA},
        {CHILD, false, true, {SA, TSI, TSR}, NO},
        {CHILD, false, true, {SA, NO, AUTH}, AUTH},
        {CHILD, true, true, {SA, NO, KE, TSI, TSR, N}, 0},
        {CHILD, true, true, {N}, 0},
        {CHILD, true, true, {SA, NO, NO}, NO},
        {CHILD, true, true, {SA, NO, CP}, CP},
        {INFO, false, true, {0}, 0},
        {INFO, false, true, {D, N, CP, V}, 0},
        {INFO, false, true, {D, D, D}, 0},
        {INFO, false, true, {SA}, SA},
        {INFO, true, true, {0}, 0},
        {INFO, true, true, {D}, 0},
        {INFO, true, true, {IDR}, IDR},
        {INFO, true, false, {N}, N},
        {38, true, true, {N}, N}, /* an exchange we do not know */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        IkePayloads p = {};
        uint8_t type = 0;
        while (cases[i].types[p.n])
            p.items[p.n] = (IkePayload){.type = cases[i].types[p.n], .data = (uint8_t *)""}, p.n++;
        int r = ike_payloads_check(&p, cases[i].exchange, cases[i].response, cases[i].sealed, &type);
        ck_assert_msg(r == (cases[i].wrong ? IKE_NOTIFY_INVALID_SYNTAX : 0), "case %zu: %d", i, r);
        ck_assert_msg(type == cases[i].wrong, "case %zu: type %u", i, type);
    }
}
END_TEST

/* SA -------------------------------------------------------------------------------------------------- */

static void assert_same_proposal(const IkeProposal *a, const IkeProposal *b) {
    ck_assert_uint_eq(a->number, b->number);
    ck_assert_uint_eq(a->protocol, b->protocol);
    ck_assert_uint_eq(a->spi_size, b->spi_size);
    ck_assert_uint_eq(a->spi, b->spi);
    ck_assert_uint_eq(a->n_transforms, b->n_transforms);
    for (size_t i = 0; i < a->n_transforms; i++) {
        ck_assert_uint_eq(a->transforms[i].type, b->transforms[i].type);
        ck_assert_uint_eq(a->transforms[i].id, b->transforms[i].id);
        ck_assert_uint_eq(a->transforms[i].key_bits, b->transforms[i].key_bits);
        ck_assert(!b->transforms[i].unknown);
    }
}

/* Writes with *write* into a message and hands out its payloads. */
static IkePayloads written(uint8_t *buffer, size_t size, void (*write)(IkeWriter *m)) {
    IkeHeader h = {.spi_i = 1, .exchange = IKE_EXCHANGE_INFORMATIONAL};
    IkePayloads payloads;
    IkeWriter m;
    uint8_t type;

    ike_writer_start(&m, buffer, size, &h);
    write(&m);
    ck_assert_int_eq(ike_writer_finish(&m), 0);
    Reader r = reader_new(buffer, m.w.len);
    ck_assert_int_eq(ike_header_decode(&r, &h), 0);
    ck_assert_int_eq(ike_payloads_split(r, h.next_payload, &payloads, &type), 0);
    return payloads;
}

static void write_offers(IkeWriter *m) {
    IkeProposal p[IKE_PROPOSALS_MAX];
    ike_sa_payload_write(m, p, proposals_ike(p));
    ike_sa_payload_write(m, p, proposals_esp(p, 0xdeadbeef));
}

START_TEST(offers_come_back) {
    IkeProposal ours[IKE_PROPOSALS_MAX], back[IKE_PROPOSALS_MAX];
    uint8_t buffer[2048];
    size_t n;
    IkePayloads payloads = written(buffer, sizeof buffer, write_offers);

    ck_assert_uint_eq(payloads.n, 2);
    for (size_t i = 0; i < 2; i++) {
        size_t n_ours = i ? proposals_esp(ours, 0xdeadbeef) : proposals_ike(ours);
        ck_assert_int_eq(ike_sa_payload_decode(&payloads.items[i], back, &n), 0);
        ck_assert_uint_eq(n, n_ours);
        for (size_t k = 0; k < n; k++)
            assert_same_proposal(&ours[k], &back[k]);
    }
}
END_TEST

/* One ESP proposal by hand: number 1, SPI, AES-CBC-256, no ESN. */
static const uint8_t proposal[] = {0, 0, 0, 32, 1,    3,  4, 2, 0xca, 0xfe, 0xba, 0xbe, 3, 0, 0, 12,
                                   1, 0, 0, 12, 0x80, 14, 1, 0, 0,    0,    0,    8,    5, 0, 0, 0};

START_TEST(proposals_by_hand) {
    static const struct {
        size_t at;
        uint8_t value;
        int result;
    } changes[] = {
        {1, 0x55, 0},      /* reserved */
        {0, 1, -EBADMSG},  /* neither last nor more */
        {0, 2, -EBADMSG},  /* more that is not there */
        {3, 31, -EBADMSG}, /* lengths that do not add up */
        {3, 33, -EBADMSG},  {3, 7, -EBADMSG},
        {3, 0, -EBADMSG},   {2, 0xff, -EBADMSG},
        {6, 3, -EBADMSG}, /* SPI sizes */
        {6, 8, -EBADMSG},   {6, 255, -EBADMSG},
        {7, 1, -EBADMSG}, /* transform counts */
        {7, 3, -EBADMSG},   {7, 0, -EBADMSG},
        {7, 255, -EBADMSG}, {12, 0, -EBADMSG}, /* last, but it is not */
        {12, 2, -EBADMSG},  {24, 3, -EBADMSG}, /* more, but there is not */
        {15, 11, -EBADMSG},                    /* transform lengths */
        {15, 7, -EBADMSG},  {15, 20, -EBADMSG},
        {20, 0, -EBADMSG}, /* a long attribute that runs past the end */
    };
    IkeProposal p[IKE_PROPOSALS_MAX];
    size_t n;

    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        Body b = body(proposal, sizeof proposal);
        b.memory[changes[i].at] = changes[i].value;
        int r = ike_sa_payload_decode(&b.payload, p, &n);
        ck_assert_msg(r == changes[i].result, "change %zu: %d", i, r);
        free(b.memory);
    }
    Body b = body(proposal, sizeof proposal);
    ck_assert_int_eq(ike_sa_payload_decode(&b.payload, p, &n), 0);
    ck_assert(n == 1 && p[0].spi == 0xcafebabe && p[0].n_transforms == 2);
    ck_assert_uint_eq(p[0].transforms[0].key_bits, 256);
    b.memory[21] = 15; /* an attribute we do not know: 3.3.6 */
    ck_assert_int_eq(ike_sa_payload_decode(&b.payload, p, &n), 0);
    ck_assert(p[0].transforms[0].unknown);
    for (size_t size = 0; size < sizeof proposal; size++) {
        b.payload.size = size;
        ck_assert_int_eq(ike_sa_payload_decode(&b.payload, p, &n), -EBADMSG);
    }
    free(b.memory);
}
END_TEST

START_TEST(proposal_limits) {
    uint8_t many[8 * (IKE_PROPOSALS_MAX + 1)] = {}, wide[8 + 8 * (IKE_TRANSFORMS_MAX + 1)] = {};
    IkeProposal p[IKE_PROPOSALS_MAX];
    size_t count;

    for (size_t n = IKE_PROPOSALS_MAX; n <= IKE_PROPOSALS_MAX + 1; n++) {
        for (size_t i = 0; i < n; i++)
            memcpy(many + 8 * i, (uint8_t[]){i == n - 1 ? 0 : 2, 0, 0, 8, 1, 1, 0, 0}, 8);
        Body b = body(many, 8 * n);
        ck_assert_int_eq(ike_sa_payload_decode(&b.payload, p, &count), n > IKE_PROPOSALS_MAX ? -EBADMSG : 0);
        free(b.memory);
    }
    for (uint8_t n = IKE_TRANSFORMS_MAX; n <= IKE_TRANSFORMS_MAX + 1; n++) {
        size_t size = 8 + 8 * (size_t)n;
        memcpy(wide, (uint8_t[]){0, 0, (uint8_t)(size >> 8), (uint8_t)size, 1, 1, 0, n}, 8);
        for (size_t i = 0; i < n; i++)
            memcpy(wide + 8 + 8 * i, (uint8_t[]){i == n - 1U ? 0 : 3, 0, 0, 8, 4, 0, 0, 19}, 8);
        Body b = body(wide, size);
        ck_assert_int_eq(ike_sa_payload_decode(&b.payload, p, &count), n > IKE_TRANSFORMS_MAX ? -EBADMSG : 0);
        free(b.memory);
    }
}
END_TEST

/* The small ones -------------------------------------------------------------------------------------- */

static void write_small(IkeWriter *m) {
    ike_ke_write(m, IKE_DH_CURVE25519, (const uint8_t *)"public", 6);
    ike_blob_write(m, IKE_PAYLOAD_NONCE, "0123456789abcdef", 16);
    ike_notify_write(m, IKE_PROTOCOL_NONE, IKE_NOTIFY_COOKIE, "cookie", 6);
    ike_notify_write(m, IKE_PROTOCOL_NONE, IKE_NOTIFY_INITIAL_CONTACT, NULL, 0);
    ike_typed_blob_write(m, IKE_PAYLOAD_IDI, IKE_ID_FQDN, 3, "a.example", 9);
    ike_typed_blob_write(m, IKE_PAYLOAD_CERT, IKE_CERT_X509_SIGNATURE, 0, "der", 3);
    ike_typed_blob_write(m, IKE_PAYLOAD_AUTH, IKE_AUTH_DIGITAL_SIGNATURE, 3, "sig", 3);
    ike_delete_write(m, IKE_PROTOCOL_IKE, NULL, 0);
    ike_delete_write(m, IKE_PROTOCOL_ESP, (const uint32_t[]){0x11223344, 5}, 2);
}

START_TEST(small_ones_come_back) {
    uint8_t buffer[512], kind;
    uint16_t group;
    IkeNotify n;
    IkeDelete d;
    Reader r;
    IkePayloads p = written(buffer, sizeof buffer, write_small);

    ck_assert_uint_eq(p.n, 9);
    ck_assert_int_eq(ike_ke_decode(&p.items[0], &group, &r), 0);
    ck_assert(group == IKE_DH_CURVE25519 && r.left == 6 && memcmp(r.data, "public", 6) == 0);
    ck_assert(p.items[1].size == 16 && memcmp(p.items[1].data, "0123456789abcdef", 16) == 0);
    ck_assert_int_eq(ike_notify_decode(&p.items[2], &n), 0);
    ck_assert(n.type == IKE_NOTIFY_COOKIE && n.size == 6 && memcmp(n.data, "cookie", 6) == 0);
    ck_assert_int_eq(ike_notify_decode(&p.items[3], &n), 0);
    ck_assert(n.type == IKE_NOTIFY_INITIAL_CONTACT && n.size == 0);
    ck_assert_int_eq(ike_id_decode(&p.items[4], &kind, &r), 0);
    ck_assert(kind == IKE_ID_FQDN && r.left == 9 && memcmp(r.data, "a.example", 9) == 0);
    ck_assert_int_eq(ike_cert_decode(&p.items[5], &kind, &r), 0);
    ck_assert(kind == IKE_CERT_X509_SIGNATURE && r.left == 3);
    ck_assert_int_eq(ike_auth_decode(&p.items[6], &kind, &r), 0);
    ck_assert(kind == IKE_AUTH_DIGITAL_SIGNATURE && r.left == 3 && memcmp(r.data, "sig", 3) == 0);
    ck_assert_int_eq(ike_delete_decode(&p.items[7], &d), 0);
    ck_assert(d.protocol == IKE_PROTOCOL_IKE && d.n_spis == 0);
    ck_assert_int_eq(ike_delete_decode(&p.items[8], &d), 0);
    ck_assert(d.protocol == IKE_PROTOCOL_ESP && d.n_spis == 2 && d.spis[0] == 0x11223344 && d.spis[1] == 5);
}
END_TEST

START_TEST(notifies_by_hand) {
    IkeNotify n;
    Body b = BODY(3, 4, 0x40, 9, 0xca, 0xfe, 0xba, 0xbe, 7); /* REKEY_SA with its SPI */

    ck_assert_int_eq(ike_notify_decode(&b.payload, &n), 0);
    ck_assert(n.protocol == 3 && n.type == 16393 && n.spi == 0xcafebabe && n.size == 1 && n.data[0] == 7);
    for (b.payload.size = 0; b.payload.size < 8; b.payload.size++)
        ck_assert_int_eq(ike_notify_decode(&b.payload, &n), -EBADMSG);
    b.payload.size = 9;
    b.memory[1] = 6; /* an SPI of no size we know is stepped over, not past the end */
    ck_assert_int_eq(ike_notify_decode(&b.payload, &n), -EBADMSG);
    b.memory[1] = 5;
    ck_assert_int_eq(ike_notify_decode(&b.payload, &n), 0);
    ck_assert_uint_eq(n.size, 0);
    free(b.memory);
    ck_assert_str_eq(ike_notify_name(IKE_NOTIFY_NO_PROPOSAL_CHOSEN), "NO_PROPOSAL_CHOSEN");
    ck_assert_ptr_null(ike_notify_name(16383));
}
END_TEST

START_TEST(deletes_by_hand) {
    static const struct {
        size_t size;
        uint8_t bytes[16];
        int result;
    } cases[] = {
        {4, {IKE_PROTOCOL_IKE, 0, 0, 0}, 0},
        {4, {IKE_PROTOCOL_IKE, 8, 0, 0}, -EBADMSG},
        {4, {IKE_PROTOCOL_IKE, 0, 0, 1}, -EBADMSG},
        {12, {IKE_PROTOCOL_IKE, 8, 0, 1}, -EBADMSG},
        {5, {IKE_PROTOCOL_IKE, 0, 0, 0, 0}, -EBADMSG},
        {3, {IKE_PROTOCOL_IKE, 0, 0}, -EBADMSG},
        {4, {IKE_PROTOCOL_ESP, 4, 0, 0}, 0},
        {8, {IKE_PROTOCOL_ESP, 4, 0, 1}, 0},
        {8, {IKE_PROTOCOL_AH, 4, 0, 1}, 0},
        {8, {IKE_PROTOCOL_ESP, 4, 0, 2}, -EBADMSG},
        {12, {IKE_PROTOCOL_ESP, 4, 0, 1}, -EBADMSG},
        {12, {IKE_PROTOCOL_ESP, 8, 0, 1}, -EBADMSG},
        {8, {IKE_PROTOCOL_ESP, 4, 0xff, 0xff}, -EBADMSG},
        {0, {}, -EBADMSG},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Body b = body(cases[i].bytes, cases[i].size);
        IkeDelete d;
        int r = ike_delete_decode(&b.payload, &d);
        ck_assert_msg(r == cases[i].result, "case %zu: %d", i, r);
        free(b.memory);
    }
    uint8_t many[4 + 4 * (IKE_SPIS_MAX + 1)] = {IKE_PROTOCOL_ESP, 4};
    for (uint8_t n = IKE_SPIS_MAX; n <= IKE_SPIS_MAX + 1; n++) {
        IkeDelete d;
        many[3] = n;
        Body b = body(many, 4 + 4 * (size_t)n);
        ck_assert_int_eq(ike_delete_decode(&b.payload, &d), n > IKE_SPIS_MAX ? -EBADMSG : 0);
        free(b.memory);
    }
}
END_TEST

START_TEST(small_ones_by_hand) {
    uint8_t large[4 + IKE_KE_MAX + 1] = {0, 14}, kind;
    uint16_t group;
    Reader r;

    for (size_t size = 0; size <= sizeof large; size++) {
        Body b = body(large, size);
        ck_assert_int_eq(ike_ke_decode(&b.payload, &group, &r),
                         size > 4 && size <= 4 + IKE_KE_MAX ? 0 : -EBADMSG);
        ck_assert_int_eq(ike_id_decode(&b.payload, &kind, &r), size >= 4 ? 0 : -EBADMSG);
        ck_assert_int_eq(ike_auth_decode(&b.payload, &kind, &r), size >= 4 ? 0 : -EBADMSG);
        ck_assert_int_eq(ike_cert_decode(&b.payload, &kind, &r), size >= 1 ? 0 : -EBADMSG);
        free(b.memory);
    }
}
END_TEST

/* TS and CP ------------------------------------------------------------------------------------------- */

static void write_ts(IkeWriter *m) {
    TrafficSelector ts[3] = {{.prefix = 0, .port_max = UINT16_MAX, .address.family = AF_INET},
                             {.prefix = 24, .protocol = 132, .port_min = 36412, .port_max = 36412},
                             {.prefix = 65, .port_max = UINT16_MAX}};
    address_parse("10.1.2.0", &ts[1].address);
    address_parse("2001:db8::8000:0:0:0", &ts[2].address);
    ike_ts_write(m, IKE_PAYLOAD_TSI, ts, 3);
}

START_TEST(selectors_come_back) {
    TrafficSelector ts[TS_MAX];
    uint8_t buffer[256];
    size_t n;
    IkePayloads p = written(buffer, sizeof buffer, write_ts);

    ck_assert_int_eq(ike_ts_decode(&p.items[0], ts, &n), 0);
    ck_assert_uint_eq(n, 3);
    ck_assert(ts[0].prefix == 0 && ts[0].address.family == AF_INET && ts[0].port_max == UINT16_MAX);
    ck_assert(ts[1].prefix == 24 && ts[1].protocol == 132 && ts[1].port_min == 36412);
    ck_assert_str_eq(ADDRESS_STR(&ts[1].address), "10.1.2.0");
    ck_assert(ts[2].prefix == 65 && ts[2].address.family == AF_INET6);
}
END_TEST

START_TEST(ranges) {
    static const struct {
        uint8_t first[4], last[4];
        int prefix; /* -1: none */
    } cases[] = {
        {{0, 0, 0, 0}, {255, 255, 255, 255}, 0},  {{10, 0, 0, 0}, {10, 255, 255, 255}, 8},
        {{10, 0, 0, 5}, {10, 0, 0, 5}, 32},       {{10, 0, 0, 4}, {10, 0, 0, 5}, 31},
        {{0, 0, 0, 0}, {127, 255, 255, 255}, 1},  {{255, 255, 255, 255}, {255, 255, 255, 255}, 32},
        {{10, 0, 0, 5}, {10, 0, 0, 6}, -1},       {{10, 0, 0, 1}, {10, 0, 0, 255}, -1},
        {{10, 0, 0, 0}, {10, 0, 0, 254}, -1},     {{10, 0, 0, 9}, {10, 0, 0, 1}, -1},
        {{0, 0, 0, 0}, {255, 255, 255, 254}, -1}, {{1, 0, 0, 0}, {0, 255, 255, 255}, -1},
        {{10, 0, 1, 0}, {10, 0, 2, 255}, -1},     {{0, 0, 0, 0}, {0, 0, 0, 0}, 32},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t bytes[20] = {1, 0, 0, 0, IKE_TS_IPV4_ADDR_RANGE, 0, 0, 16, 0, 0, 0xff, 0xff};
        TrafficSelector ts[TS_MAX];
        size_t n;
        memcpy(bytes + 12, cases[i].first, 4);
        memcpy(bytes + 16, cases[i].last, 4);
        Body b = body(bytes, sizeof bytes);
        ck_assert_int_eq(ike_ts_decode(&b.payload, ts, &n), 0);
        ck_assert_msg(n == (cases[i].prefix >= 0), "case %zu", i);
        if (n)
            ck_assert_int_eq(ts[0].prefix, cases[i].prefix);
        free(b.memory);
    }
}
END_TEST

START_TEST(selectors_by_hand) {
    uint8_t good[4 + 40 + 9] = {2, 0, 0, 0, 8, 0, 0, 40, 0, 0, 0xff, 0xff};
    memset(good + 28, 0xff, 16);                                   /* ::/0 */
    memcpy(good + 44, (uint8_t[]){99, 0, 0, 9, 0, 0, 0, 0, 1}, 9); /* a type of the future, left out */
    TrafficSelector ts[TS_MAX];
    size_t n;
    Body b = body(good, sizeof good);

    ck_assert_int_eq(ike_ts_decode(&b.payload, ts, &n), 0);
    ck_assert_uint_eq(n, 1);
    for (size_t size = 0; size < sizeof good; size++) {
        b.payload.size = size;
        ck_assert_int_eq(ike_ts_decode(&b.payload, ts, &n), -EBADMSG);
    }
    b.payload.size = sizeof good;
    b.memory[7] = 39;
    ck_assert_int_eq(ike_ts_decode(&b.payload, ts, &n), -EBADMSG);
    b.memory[7] = 16; /* the length of an IPv4 selector */
    ck_assert_int_eq(ike_ts_decode(&b.payload, ts, &n), -EBADMSG);
    b.memory[0] = 0; /* 3.13: at least one */
    b.payload.size = 4;
    ck_assert_int_eq(ike_ts_decode(&b.payload, ts, &n), -EBADMSG);
    free(b.memory);

    uint8_t many[4 + 16 * 255] = {255};
    for (size_t i = 0; i < 255; i++)
        memcpy(many + 4 + 16 * i, (uint8_t[]){7, 0, 0, 16, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1}, 16);
    b = body(many, sizeof many);
    ck_assert_int_eq(ike_ts_decode(&b.payload, ts, &n), 0);
    ck_assert_uint_eq(n, TS_MAX);
    free(b.memory);
}
END_TEST

START_TEST(configurations) {
    static const struct {
        size_t size;
        uint8_t bytes[40];
        int result;
        size_t addresses, dns;
    } cases[] = {
        {4, {2, 0, 0, 0}, 0, 0, 0},
        {4, {1, 0, 0, 0}, -EBADMSG, 0, 0}, /* a request */
        {4, {2, 9, 9, 9}, 0, 0, 0},
        {3, {2, 0, 0}, -EBADMSG, 0, 0},
        {12, {2, 0, 0, 0, 0, 1, 0, 4, 10, 1, 0, 7}, 0, 1, 0},
        {12, {2, 0, 0, 0, 0x80, 1, 0, 4, 10, 1, 0, 7}, 0, 1, 0}, /* the reserved bit */
        {8, {2, 0, 0, 0, 0, 1, 0, 0}, 0, 0, 0},                  /* no value */
        {11, {2, 0, 0, 0, 0, 1, 0, 4, 10, 1, 0}, -EBADMSG, 0, 0},
        {11, {2, 0, 0, 0, 0, 1, 0, 3, 10, 1, 0}, -EBADMSG, 0, 0},
        {13, {2, 0, 0, 0, 0, 1, 0, 5, 10, 1, 0, 7, 0}, -EBADMSG, 0, 0},
        {7, {2, 0, 0, 0, 0, 1, 0}, -EBADMSG, 0, 0},
        {20, {2, 0, 0, 0, 0, 1, 0, 4, 10, 1, 0, 7, 0, 3, 0, 4, 10, 0, 0, 53}, 0, 1, 1},
        {25, {2, 0, 0, 0, 0, 8, 0, 17, 0x20, 1}, 0, 1, 0},
        {24, {2, 0, 0, 0, 0, 8, 0, 16, 0x20, 1}, -EBADMSG, 0, 0}, /* without its prefix length */
        {24, {2, 0, 0, 0, 0, 10, 0, 16, 0x20, 1}, 0, 0, 1},
        {11, {2, 0, 0, 0, 0x7f, 0xff, 0, 3, 1, 2, 3}, 0, 0, 0}, /* unknown */
        {8, {2, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff}, -EBADMSG, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Body b = body(cases[i].bytes, cases[i].size);
        IkeConfiguration c;
        int r = ike_cp_decode(&b.payload, &c);
        ck_assert_msg(r == cases[i].result, "case %zu: %d", i, r);
        if (r == 0)
            ck_assert(c.addresses.n == cases[i].addresses && c.dns.n == cases[i].dns);
        free(b.memory);
    }
    uint8_t many[4 + 8 * (ADDRESSES_MAX + 5)] = {2};
    for (size_t i = 4; i < sizeof many; i += 8)
        memcpy(many + i, (uint8_t[]){0, 3, 0, 4, 10, 0, 0, (uint8_t)i}, 8);
    Body b = body(many, sizeof many);
    IkeConfiguration c;
    ck_assert_int_eq(ike_cp_decode(&b.payload, &c), 0);
    ck_assert_uint_eq(c.dns.n, ADDRESSES_MAX);
    free(b.memory);
}
END_TEST

static void write_cp(IkeWriter *m) {
    ike_cp_request_write(m, &(AddressList){});
}

START_TEST(configuration_request) {
    static const uint8_t expected[] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 8, 0, 0, 0, 10, 0, 0};
    uint8_t buffer[128];
    IkePayloads p = written(buffer, sizeof buffer, write_cp);
    ck_assert_uint_eq(p.items[0].size, sizeof expected);
    ck_assert_mem_eq(p.items[0].data, expected, sizeof expected);
}
END_TEST

/* Writing where there is no room, and bytes at random ------------------------------------------------- */

static void write_all(IkeWriter *m) {
    write_offers(m);
    write_small(m);
    write_ts(m);
    write_cp(m);
}

START_TEST(writing_without_room) {
    uint8_t whole[2048];
    IkeHeader h = {.spi_i = 1};
    IkeWriter m;

    ike_writer_start(&m, whole, sizeof whole, &h);
    write_all(&m);
    ck_assert_int_eq(ike_writer_finish(&m), 0);
    for (size_t size = 0; size <= m.w.len; size++) {
        uint8_t *buffer = malloc(size ?: 1);
        IkeWriter part;
        ike_writer_start(&part, buffer, size, &h);
        write_all(&part);
        ck_assert_int_eq(ike_writer_finish(&part), size < m.w.len ? -ENOBUFS : 0);
        free(buffer);
    }
    /* A payload of more than 65535 bytes has no length (3.2). */
    uint8_t *large = calloc(1, 200000);
    ike_writer_start(&m, large, 100000, &h);
    ike_blob_write(&m, IKE_PAYLOAD_VENDOR, large + 100000, 65536 - 4);
    ck_assert_int_eq(ike_writer_finish(&m), -ENOBUFS);
    ike_writer_start(&m, large, 100000, &h);
    ike_blob_write(&m, IKE_PAYLOAD_VENDOR, large + 100000, 65535 - 4);
    ck_assert_int_eq(ike_writer_finish(&m), 0);
    free(large);
}
END_TEST

/* Every decoder on every payload, whatever its type says. */
static void decode_everything(const uint8_t *data, size_t size) {
    IkeProposal proposals[IKE_PROPOSALS_MAX];
    TrafficSelector ts[TS_MAX];
    IkeConfiguration c;
    IkePayloads payloads;
    IkeNotify notify;
    IkeDelete deletion;
    uint16_t group;
    IkeHeader h;
    uint8_t kind;
    size_t n;
    Reader r = reader_new(data, size), value;

    if (ike_header_decode(&r, &h) != 0 || ike_payloads_split(r, h.next_payload, &payloads, &kind) != 0)
        return;
    for (unsigned way = 0; way < 4; way++)
        ike_payloads_check(&payloads, h.exchange, way & 1, way & 2, &kind);
    for (size_t i = 0; i < payloads.n; i++) {
        const IkePayload *p = &payloads.items[i];
        ck_assert(p->data >= data && p->data + p->size <= data + size);
        if (ike_sa_payload_decode(p, proposals, &n) == 0)
            ck_assert_uint_le(n, IKE_PROPOSALS_MAX);
        if (ike_ts_decode(p, ts, &n) == 0)
            ck_assert_uint_le(n, TS_MAX);
        if (ike_notify_decode(p, &notify) == 0)
            ck_assert(notify.data + notify.size == p->data + p->size);
        if (ike_cp_decode(p, &c) == 0)
            ck_assert(c.addresses.n <= ADDRESSES_MAX && c.dns.n <= ADDRESSES_MAX);
        if (ike_delete_decode(p, &deletion) == 0)
            ck_assert_uint_le(deletion.n_spis, IKE_SPIS_MAX);
        if (ike_ke_decode(p, &group, &value) == 0)
            ck_assert_uint_le(value.left, IKE_KE_MAX);
        ike_id_decode(p, &kind, &value);
        ike_cert_decode(p, &kind, &value);
        ike_auth_decode(p, &kind, &value);
    }
}

START_TEST(every_truncation) {
    uint8_t whole[2048];
    IkeHeader h = {.spi_i = 1}, back;
    IkeWriter m;

    ike_writer_start(&m, whole, sizeof whole, &h);
    write_all(&m);
    ck_assert_int_eq(ike_writer_finish(&m), 0);
    for (size_t size = 0; size < m.w.len; size++) {
        Body b = body(whole, size);
        IkePayloads payloads;
        uint8_t type;
        Reader r = reader_new(b.memory, size);
        ck_assert_int_eq(ike_header_decode(&r, &back), -EBADMSG);
        if (size >= IKE_HEADER_SIZE) { /* the same with the length put right */
            b.memory[26] = (uint8_t)(size >> 8);
            b.memory[27] = (uint8_t)size;
            r = reader_new(b.memory, size);
            ck_assert_int_eq(ike_header_decode(&r, &back), 0);
            ck_assert_int_eq(ike_payloads_split(r, back.next_payload, &payloads, &type), -EBADMSG);
        }
        free(b.memory);
    }
}
END_TEST

START_TEST(random_mutations) {
    uint64_t random;
    Rng rng = seeded_rng(&random, 20261123);
    uint8_t whole[2048];
    IkeHeader h = {.spi_i = 1, .exchange = IKE_EXCHANGE_AUTH};
    IkeWriter m;

    ike_writer_start(&m, whole, sizeof whole, &h);
    write_all(&m);
    ck_assert_int_eq(ike_writer_finish(&m), 0);
    for (unsigned i = 0; i < 30000; i++) {
        Body b = body(whole, m.w.len);
        for (uint64_t k = 1 + rng_below(&rng, 5); k > 0; k--) {
            size_t at = IKE_HEADER_SIZE + rng_below(&rng, m.w.len - IKE_HEADER_SIZE);
            uint64_t value = rng_below(&rng, 256);
            b.memory[at] = (uint8_t)(rng_below(&rng, 2) ? value : b.memory[at] ^ UINT64_C(1) << value % 8);
        }
        decode_everything(b.memory, m.w.len);
        free(b.memory);
    }
}
END_TEST

SUITE("payload", headers, chains, too_many_payloads, finding, rules, offers_come_back, proposals_by_hand,
      proposal_limits, small_ones_come_back, notifies_by_hand, deletes_by_hand, small_ones_by_hand,
      selectors_come_back, ranges, selectors_by_hand, configurations, configuration_request,
      writing_without_room, every_truncation, random_mutations)
