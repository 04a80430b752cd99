/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See fragment.h. */
#include "ike/fragment.h"

#define PAYLOAD_HEADER_SIZE 4
#define UDP_HEADER_SIZE     8
#define SKF_NUMBERS_SIZE    4 /* fragment number, total: RFC 7383 2.5 */

static void blob_wipe(Blob *b) {
    if (b->data)
        explicit_bzero(b->data, b->size);
    free(b->data);
    *b = (Blob){};
}

/* Splitting ---------------------------------------------------------------------------------------------- */

size_t fragment_limit(int family, size_t datagram) {
    size_t around = (family == AF_INET6 ? 40 : 20) + UDP_HEADER_SIZE + IKE_NON_ESP_MARKER;
    return datagram > around ? datagram - around : 0;
}

static size_t message_size(const SealKeys *keys, bool fragment, size_t plain_size) {
    return IKE_HEADER_SIZE + PAYLOAD_HEADER_SIZE + (fragment ? SKF_NUMBERS_SIZE : 0) + plain_size +
           seal_overhead(keys, plain_size);
}

/* Whether the message fits, and its payload's length into that field. */
static bool message_fits(const FragmentSource *s, bool fragment, size_t plain_size) {
    return message_size(s->keys, fragment, plain_size) <= MIN(s->limit, (size_t)IKE_HEADER_SIZE + UINT16_MAX);
}

/* The parts differ by a byte at most, which any number of them can be made to do. */
static size_t part_end(size_t plain_size, size_t n, size_t i) {
    return plain_size * i / n;
}

/* The number of datagrams, 1 meaning SK; 0 when there is none. */
static size_t fragments_count(const FragmentSource *s) {
    if (s->more_than == 0 && message_fits(s, false, s->plain_size))
        return 1;
    if (s->limit == SIZE_MAX)
        return 0;
    for (size_t n = MAX((size_t)2, s->more_than + 1); n <= FRAGMENTS_MAX && n <= s->plain_size; n++)
        if (message_fits(s, true, (s->plain_size + n - 1) / n))
            return n;
    return 0;
}

/* Writes and seals the part from *start* to *end* as fragment *number* of *total*; 0 of 0: everything, in
 * SK. */
static int datagram_seal(const FragmentSource *s, size_t start, size_t end, size_t number, size_t total,
                         uint64_t counter, const Rng *rng, Blob *ret) {
    bool fragment = total > 0;
    size_t plain_size = end - start, size = message_size(s->keys, fragment, plain_size);
    uint8_t *data = malloc(size);
    IkeWriter m;

    if (!data)
        return -ENOMEM;
    ike_writer_start(&m, data, size, &s->header);
    ike_writer_begin(&m, fragment ? IKE_PAYLOAD_SKF : IKE_PAYLOAD_SK);
    if (fragment) {
        writer_u16(&m.w, (uint16_t)number);
        writer_u16(&m.w, (uint16_t)total);
    }
    data[m.next_offset] = number <= 1 ? s->first_type : IKE_PAYLOAD_NONE;
    size_t iv = m.w.len;
    writer_reserve(&m.w, s->keys->encr->iv_size);
    writer_bytes(&m.w, s->plain + start, plain_size);
    writer_reserve(&m.w, size - m.w.len);
    ike_writer_end(&m);
    int r = ike_writer_finish(&m);
    if (r == 0)
        r = crypto_seal(s->keys, data, size, iv, plain_size, counter, rng);
    *ret = (Blob){data, size};
    if (r < 0)
        blob_wipe(ret);
    return r;
}

int fragments_seal(const FragmentSource *source, uint64_t *counter, const Rng *rng, Fragments *ret) {
    size_t n = fragments_count(source);
    Fragments made = {};

    if (n == 0)
        return -EMSGSIZE;
    for (size_t i = 0; i < n; i++) {
        int r =
            datagram_seal(source, part_end(source->plain_size, n, i), part_end(source->plain_size, n, i + 1),
                          n == 1 ? 0 : i + 1, n == 1 ? 0 : n, (*counter)++, rng, &made.items[i]);
        if (r < 0) {
            fragments_free(&made);
            return r;
        }
        made.n++;
    }
    *ret = made;
    return 0;
}

void fragments_free(Fragments *fragments) {
    for (size_t i = 0; i < fragments->n; i++)
        free(fragments->items[i].data);
    *fragments = (Fragments){};
}

/* Reassembly --------------------------------------------------------------------------------------------- */

void reassembled_free(Reassembled *message) {
    blob_wipe(&message->plain);
    *message = (Reassembled){};
}

void reassembly_reset(Reassembly *re) {
    for (size_t i = 0; i < re->total; i++)
        blob_wipe(&re->parts[i]);
    *re = (Reassembly){};
}

/* All parts in one piece, which is then all that is left of them. 0 or -ENOMEM. */
static int reassembly_join(Reassembly *re, Reassembled *ret) {
    Blob plain = {.data = malloc(re->bytes)};

    if (plain.data)
        for (size_t i = 0; i < re->total; i++) {
            memcpy(plain.data + plain.size, re->parts[i].data, re->parts[i].size);
            plain.size += re->parts[i].size;
        }
    *ret = (Reassembled){re->first_type, plain};
    reassembly_reset(re);
    return plain.data ? 0 : -ENOMEM;
}

static bool same_message(const Reassembly *re, const IkeHeader *h) {
    return re->total > 0 && re->message_id == h->message_id && re->exchange == h->exchange &&
           re->flags == h->flags;
}

/* An authentic fragment. */
static FragmentVerdict fragment_keep(Reassembly *re, const IkeHeader *h, uint16_t number, uint16_t total,
                                     uint8_t first_type, const uint8_t *plain, size_t size,
                                     Reassembled *ret) {
    if (size == 0)
        return FRAGMENT_REFUSED;
    if (!same_message(re, h) || total > re->total) {
        reassembly_reset(re);
        *re = (Reassembly){
            .exchange = h->exchange, .flags = h->flags, .message_id = h->message_id, .total = total};
    }
    if (size > REASSEMBLY_MAX - re->bytes) {
        reassembly_reset(re);
        return FRAGMENT_REFUSED;
    }
    uint8_t *copy = malloc(size);
    if (!copy)
        return FRAGMENT_LOST;
    memcpy(copy, plain, size);
    re->parts[number - 1] = (Blob){copy, size};
    re->bytes += size;
    if (number == 1) /* 2.5: the others have none */
        re->first_type = first_type;
    if (++re->n < re->total)
        return FRAGMENT_KEPT;
    return reassembly_join(re, ret) < 0 ? FRAGMENT_LOST : FRAGMENT_COMPLETED;
}

FragmentVerdict reassembly_add(Reassembly *re, const SealKeys *keys, const IkeHeader *h,
                               const IkePayloads *payloads, uint8_t *datagram, size_t size,
                               Reassembled *ret) {
    const IkePayload *skf = &payloads->items[0];
    uint16_t number, total;
    size_t plain_size;
    uint8_t *plain;
    Reader sealed;

    if (payloads->n != 1 || skf->type != IKE_PAYLOAD_SKF ||
        ike_skf_decode(skf, &number, &total, &sealed) != 0 || total > FRAGMENTS_MAX)
        return FRAGMENT_MALFORMED;
    assert(sealed.data >= datagram && sealed.data + sealed.left == datagram + size);
    if (same_message(re, h) && (total < re->total || (total == re->total && re->parts[number - 1].data)))
        return FRAGMENT_REPEATED;
    if (crypto_open(keys, datagram, size, (size_t)(sealed.data - datagram), &plain, &plain_size) < 0)
        return FRAGMENT_FORGED;
    FragmentVerdict verdict =
        fragment_keep(re, h, number, total, payloads->inner_type, plain, plain_size, ret);
    explicit_bzero(plain, plain_size);
    return verdict;
}

bool fragment_repeats(const IkePayloads *payloads) {
    uint16_t number, total;
    Reader sealed;

    for (size_t i = 0; i < payloads->n; i++)
        if (payloads->items[i].type == IKE_PAYLOAD_SKF &&
            (ike_skf_decode(&payloads->items[i], &number, &total, &sealed) != 0 || number != 1))
            return false;
    return true;
}
