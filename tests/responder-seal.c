/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The SK payload and RFC 7383's fragments of it, as the responder writes and takes them. */
#include "responder-internal.h"

void gw_unknown_payload_write(Responder *r, IkeWriter *m, bool critical) {
    ike_blob_write(m, r->switches.unknown_type ?: TYPE_UNKNOWN, "odd", 3);
    if (critical)
        m->w.data[m->payload + 1] |= 0x80;
}

static const SealKeys *own_keys(const ResponderIke *ike) {
    return ike->initiator ? &ike->keys.initiator : &ike->keys.responder;
}

static const SealKeys *peer_keys(const ResponderIke *ike) {
    return ike->initiator ? &ike->keys.responder : &ike->keys.initiator;
}

void gw_packets_free(Packets *packets) {
    for (size_t i = 0; i < packets->n; i++)
        free(packets->items[i].data);
    packets->n = 0;
}

static void packets_add(Packets *packets, const void *data, size_t size) {
    ck_assert_uint_lt(packets->n, RESPONDER_FRAGMENTS);
    Blob *b = &packets->items[packets->n++];
    *b = (Blob){malloc(size), size};
    memcpy(b->data, data, size);
}

void gw_build_start(Build *b, ResponderIke *ike, uint8_t exchange, bool response, uint32_t id) {
    IkeHeader h = {
        .spi_i = ike->spi_i,
        .spi_r = ike->spi_r,
        .exchange = exchange,
        .message_id = id,
        .flags = (uint8_t)((ike->initiator ? IKE_FLAG_INITIATOR : 0) | (response ? IKE_FLAG_RESPONSE : 0))};
    b->ike = ike;
    ike_writer_start(&b->m, b->bytes, sizeof b->bytes, &h);
    ike_writer_begin(&b->m, IKE_PAYLOAD_SK);
    b->sk = b->m.payload;
    b->iv = b->m.w.len;
    writer_reserve(&b->m.w, own_keys(ike)->encr->iv_size);
    b->plain = b->m.w.len;
}

/* 2.5: header, generic header, number and total, then as SK. The type of the first payload inside stands in
 * the first fragment alone. */
static void fragment_add(Responder *r, Build *b, const uint8_t *plain, size_t size, unsigned number,
                         unsigned total, Packets *ret) {
    const SealKeys *keys = own_keys(b->ike);
    uint8_t bytes[RESPONDER_MESSAGE_MAX];
    Writer w = writer_new(bytes, sizeof bytes);

    writer_bytes(&w, b->bytes, IKE_HEADER_SIZE);
    writer_u8(&w, number == 1 ? b->bytes[b->sk] : IKE_PAYLOAD_NONE);
    writer_u8(&w, 0);
    writer_u16(&w, 0);
    writer_u16(&w, (uint16_t)number);
    writer_u16(&w, (uint16_t)total);
    size_t iv = w.len;
    writer_reserve(&w, keys->encr->iv_size);
    writer_bytes(&w, plain, size);
    writer_reserve(&w, seal_overhead(keys, size) - keys->encr->iv_size);
    ck_assert(!w.bad);
    bytes[IKE_NEXT_PAYLOAD_OFFSET] = TYPE_SKF;
    writer_patch_u16(&w, IKE_HEADER_SIZE + 2, (uint16_t)(w.len - IKE_HEADER_SIZE));
    bytes[IKE_LENGTH_OFFSET] = bytes[IKE_LENGTH_OFFSET + 1] = 0;
    writer_patch_u16(&w, IKE_LENGTH_OFFSET + 2, (uint16_t)w.len);
    ck_assert_int_eq(crypto_seal(keys, bytes, w.len, iv, size, b->ike->seal_counter++, &r->rng), 0);
    packets_add(ret, bytes, w.len);
    r->fragments_out++;
}

void gw_build_finish(Responder *r, Build *b, Packets *ret) {
    const SealKeys *keys = own_keys(b->ike);
    IkeWriter *m = &b->m;

    gw_packets_free(ret);
    if (r->switches.unknown_payloads) {
        gw_unknown_payload_write(r, m, false);
        m->w.data[m->payload + 1] |= 0x7f; /* reserved bits */
        ike_notify_write(m, IKE_PROTOCOL_NONE,
                         (uint16_t)(r->switches.unknown_notify ?: NOTIFY_UNKNOWN_STATUS), NULL, 0);
    }
    size_t plain = m->w.len - b->plain;
    if (r->switches.mangle_inner)
        r->switches.mangle_inner(r->switches.userdata, b->bytes[18], b->bytes + b->plain, plain);

    size_t limit = r->switches.fragment,
           whole = b->plain - keys->encr->iv_size + plain + seal_overhead(keys, plain);
    if (limit > 0 && b->ike->fragments && whole > limit) {
        size_t piece = limit - IKE_HEADER_SIZE - 8 - seal_overhead(keys, 0) - 16;
        unsigned total = (unsigned)((plain + piece - 1) / piece);
        for (unsigned i = 0; i < total; i++)
            fragment_add(r, b, b->bytes + b->plain + i * piece, MIN(piece, plain - i * piece), i + 1, total,
                         ret);
        return;
    }
    writer_reserve(&m->w, seal_overhead(keys, plain) - keys->encr->iv_size);
    writer_patch_u16(&m->w, b->sk + 2, (uint16_t)(m->w.len - b->sk));
    ck_assert_int_eq(ike_writer_finish(m), 0);
    ck_assert_int_eq(crypto_seal(keys, b->bytes, m->w.len, b->iv, plain, b->ike->seal_counter++, &r->rng), 0);
    packets_add(ret, b->bytes, m->w.len);
}

static void fragments_forget(ResponderIke *ike) {
    for (size_t i = 0; i < ARRAY_SIZE(ike->fragment); i++) {
        free(ike->fragment[i].data);
        ike->fragment[i] = (Blob){};
    }
    ike->fragment_total = 0;
}

/* True when that was the last one: the plaintext is in *ret*. */
static bool fragment_take(ResponderIke *ike, const IkeHeader *h, unsigned number, unsigned total,
                          uint8_t first, const uint8_t *plain, size_t size, Blob *ret) {
    bool response = h->flags & IKE_FLAG_RESPONSE;

    ck_assert(number >= 1 && number <= total && total <= RESPONDER_FRAGMENTS);
    ck_assert(number == 1 ? first != 0 : first == 0); /* 2.5 */
    if (ike->fragment_total != total || ike->fragment_id != h->message_id ||
        ike->fragment_response != response) {
        if (ike->fragment_id == h->message_id && ike->fragment_response == response &&
            total < ike->fragment_total)
            return false; /* 2.6: the greater total is the newer one */
        fragments_forget(ike);
    }
    ike->fragment_total = (uint16_t)total;
    ike->fragment_id = h->message_id;
    ike->fragment_response = response;
    if (ike->fragment[number].data)
        return false;
    ike->fragment[number] = (Blob){malloc(size ?: 1), size};
    memcpy(ike->fragment[number].data, plain, size);
    if (number == 1)
        ike->fragment_first = first;
    size_t whole = 0;
    for (unsigned i = 1; i <= total; i++) {
        if (!ike->fragment[i].data)
            return false;
        whole += ike->fragment[i].size;
    }
    *ret = (Blob){malloc(whole ?: 1), 0};
    for (unsigned i = 1; i <= total; i++) {
        memcpy(ret->data + ret->size, ike->fragment[i].data, ike->fragment[i].size);
        ret->size += ike->fragment[i].size;
    }
    fragments_forget(ike);
    return true;
}

bool gw_seal_open(Responder *r, ResponderIke *ike, const IkeHeader *h, uint8_t *datagram, size_t size,
                  IkePayloads *ret, uint8_t **ret_plain, size_t *ret_size) {
    bool fragment = h->next_payload == TYPE_SKF;
    size_t body = IKE_HEADER_SIZE + 4 + (fragment ? 4 : 0), plain_size;
    Reader reader = reader_new(datagram + IKE_HEADER_SIZE, size - IKE_HEADER_SIZE);
    uint8_t *plain, unknown;

    if (h->next_payload != IKE_PAYLOAD_SK && !fragment)
        return false;
    uint8_t first = reader_u8(&reader);
    reader_u8(&reader);
    ck_assert_uint_eq(reader_u16(&reader), size - IKE_HEADER_SIZE);
    unsigned number = fragment ? reader_u16(&reader) : 0, total = fragment ? reader_u16(&reader) : 0;
    ck_assert(!reader.bad);
    if (crypto_open(peer_keys(ike), datagram, size, body, &plain, &plain_size) != 0)
        return false;
    ike->heard = r->now;
    if (fragment) {
        static Blob whole; /* until the next call */
        ck_assert(ike->fragments);
        r->fragments_in++;
        free(TAKE_PTR(whole.data));
        if (!fragment_take(ike, h, number, total, first, plain, plain_size, &whole))
            return false;
        first = ike->fragment_first;
        plain = whole.data;
        plain_size = whole.size;
    }
    /* Whatever an initiator sends must be well-formed. */
    ck_assert_int_eq(ike_payloads_split(reader_new(plain, plain_size), first, ret, &unknown), 0);
    ret->inner_type = first;
    *ret_plain = plain;
    *ret_size = plain_size;
    return true;
}
