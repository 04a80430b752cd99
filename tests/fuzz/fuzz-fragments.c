/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fragments, in three ways that the first byte chooses from: datagrams as they are; records of which this
 * file seals fragments, so that they get past the checksum, held against a plain model of RFC 7383 2.6; and a
 * plaintext that is split and put together again. The keys are those of tests/data/ike/make-vectors. */
#include "base/macro.h"
#include "fuzz.h"
#include "vector-keys.h"
#include "ike/fragment.h"

#define RECORDS_MAX 96          /* a few more than fragments */
#define BYTES_MAX   (80 * 1024) /* and a little more than is kept */
#define PART_MAX    14000
#define PART_LARGE  0xff00 /* of a record's size: seldom, for its cost */

static SealKeys keys_make(bool aead) {
    return vector_keys(aead ? "aes256gcm16" : "aes256");
}

static void iv_fill(void *userdata, void *ret, size_t size) {
    memset(ret, 0x40, size);
}

static const Rng rng = {iv_fill, NULL};

static _plain_ void consistent(const Reassembly *re) {
    size_t n = 0, bytes = 0;
    for (size_t i = 0; i < FRAGMENTS_MAX; i++)
        if (re->parts[i].data) {
            n++;
            bytes += re->parts[i].size;
        }
    MUST(n == re->n && bytes == re->bytes && bytes <= REASSEMBLY_MAX);
    MUST(re->total <= FRAGMENTS_MAX && (n == 0 || n < re->total));
}

/* True when it got as far as *ret_verdict*. */
static bool feed(Reassembly *re, const SealKeys *keys, const uint8_t *data, size_t size,
                 FragmentVerdict *ret_verdict, Reassembled *ret) {
    _cleanup_free_ uint8_t *copy = malloc(size ?: 1);
    IkePayloads payloads;
    uint8_t critical;
    IkeHeader h;

    if (size > 0)
        memcpy(copy, data, size);
    Reader r = reader_new(copy, size);
    if (ike_header_decode(&r, &h) != 0 || ike_payloads_split(r, h.next_payload, &payloads, &critical) != 0)
        return false;
    (void)fragment_repeats(&payloads);
    *ret_verdict = reassembly_add(re, keys, &h, &payloads, copy, size, ret);
    consistent(re);
    MUST(!ret->plain.data || (*ret_verdict == FRAGMENT_COMPLETED && ret->plain.size <= REASSEMBLY_MAX));
    return true;
}

/* Datagrams, each behind its length. */
static void raw(const SealKeys *keys, Reader r) {
    Reassembly re = {};

    while (r.left > 0) {
        size_t size = reader_u16(&r);
        FragmentVerdict verdict;
        Reassembled message = {};
        size = MIN(size, r.left);
        const uint8_t *data = reader_bytes(&r, size);
        if (data)
            feed(&re, keys, data, size, &verdict, &message);
        reassembled_free(&message);
    }
    reassembly_reset(&re);
}

typedef struct Record {
    uint8_t number, total;
    bool forged, in_chain, whole; /* checksum wrong; behind a notify; SK */
    uint8_t first_type;
    IkeHeader header;
    size_t size;
    uint8_t fill; /* of the plaintext */
} Record;

static _plain_ Record record_read(Reader *r, uint8_t fill) {
    Record c = {.number = reader_u8(r), .total = reader_u8(r), .fill = fill};
    uint8_t kind = reader_u8(r), message = reader_u8(r);
    c.forged = kind & 1;
    c.in_chain = kind & 2 && kind & 4;
    c.whole = kind & 2 && kind & 8;
    c.first_type = kind >> 4;
    c.header = (IkeHeader){.spi_i = 1,
                           .spi_r = 2,
                           .exchange = (uint8_t)(IKE_EXCHANGE_INFORMATIONAL - (message >> 1 & 1)),
                           .flags = (uint8_t)(message & 4 ? IKE_FLAG_RESPONSE : 0),
                           .message_id = message & 1};
    c.size = reader_u16(r);
    c.size = c.size >= PART_LARGE ? PART_MAX : c.size % 256;
    return c;
}

/* Returns the size of the datagram in *ret*. */
static _plain_ size_t record_seal(const SealKeys *keys, const Record *c, uint8_t *ret, size_t capacity) {
    static uint64_t counter;
    IkeWriter m;

    ike_writer_start(&m, ret, capacity, &c->header);
    if (c->in_chain)
        ike_notify_write(&m, 0, IKE_NOTIFY_COOKIE, "", 0);
    ike_writer_begin(&m, c->whole ? IKE_PAYLOAD_SK : IKE_PAYLOAD_SKF);
    if (!c->whole) {
        writer_u16(&m.w, c->number);
        writer_u16(&m.w, c->total);
    }
    ret[m.next_offset] = c->first_type;
    size_t iv = m.w.len;
    writer_reserve(&m.w, keys->encr->iv_size);
    uint8_t *plain = writer_reserve(&m.w, c->size);
    memset(plain, c->fill, c->size);
    writer_reserve(&m.w, seal_overhead(keys, c->size) - keys->encr->iv_size);
    ike_writer_end(&m);
    MUST(ike_writer_finish(&m) == 0);
    MUST(crypto_seal(keys, ret, m.w.len, iv, c->size, counter++, &rng) == 0);
    ret[m.w.len - 1] ^= c->forged;
    return m.w.len;
}

/* What RFC 7383 2.6 makes of records, without any bytes. */
typedef struct Model {
    Record first; /* its message */
    size_t n, bytes, total;
    bool held[FRAGMENTS_MAX];
    Record parts[FRAGMENTS_MAX];
} Model;

static _plain_ FragmentVerdict model_add(Model *m, const Record *c) {
    const IkeHeader *a = &m->first.header, *b = &c->header;
    bool same =
        m->total > 0 && a->exchange == b->exchange && a->flags == b->flags && a->message_id == b->message_id;

    if (c->whole || c->in_chain || c->number == 0 || c->number > c->total || c->total > FRAGMENTS_MAX)
        return FRAGMENT_MALFORMED;
    if (same && (c->total < m->total || (c->total == m->total && m->held[c->number - 1])))
        return FRAGMENT_REPEATED;
    if (c->forged)
        return FRAGMENT_FORGED;
    if (c->size == 0)
        return FRAGMENT_REFUSED;
    if (!same || c->total != m->total)
        *m = (Model){.first = *c, .total = c->total};
    if (m->bytes + c->size > REASSEMBLY_MAX) {
        *m = (Model){};
        return FRAGMENT_REFUSED;
    }
    m->held[c->number - 1] = true;
    m->parts[c->number - 1] = *c;
    m->bytes += c->size;
    return ++m->n == m->total ? FRAGMENT_COMPLETED : FRAGMENT_KEPT;
}

static _plain_ void model_compare(const Model *m, const Reassembled *message) {
    size_t at = 0;

    MUST(message->plain.size == m->bytes && message->first_type == m->parts[0].first_type);
    for (size_t i = 0; i < m->total; at += m->parts[i++].size) {
        const uint8_t *part = message->plain.data + at;
        MUST(part[0] == m->parts[i].fill && memcmp(part, part + 1, m->parts[i].size - 1) == 0);
    }
}

static void sealed(const SealKeys *keys, Reader r) {
    static uint8_t datagram[PART_MAX + 128];
    Reassembly re = {};
    Model model = {};
    size_t bytes = 0;

    for (uint8_t i = 0; i < RECORDS_MAX && r.left >= 6; i++) {
        Record c = record_read(&r, i);
        FragmentVerdict verdict;
        Reassembled message = {};
        bytes += c.size;
        if (bytes > BYTES_MAX)
            break;
        size_t size = record_seal(keys, &c, datagram, sizeof datagram);
        MUST(feed(&re, keys, datagram, size, &verdict, &message));
        MUST(verdict == model_add(&model, &c));
        if (verdict == FRAGMENT_COMPLETED) {
            model_compare(&model, &message);
            model = (Model){};
        }
        MUST(re.n == model.n && re.bytes == model.bytes && re.total == model.total);
        reassembled_free(&message);
    }
    reassembly_reset(&re);
    consistent(&re);
}

static void split(const SealKeys *keys, Reader r) {
    bool v6 = reader_u8(&r) & 1;
    size_t datagram = reader_u16(&r) % 1600, step = reader_u8(&r) | 1;
    FragmentSource s = {.header = {.spi_i = 1, .spi_r = 2, .exchange = IKE_EXCHANGE_AUTH, .message_id = 1},
                        .first_type = IKE_PAYLOAD_IDI,
                        .keys = keys,
                        .limit = fragment_limit(v6 ? AF_INET6 : AF_INET, datagram),
                        .more_than = reader_u8(&r) % (FRAGMENTS_MAX + 2)};
    Reassembled message = {};
    Reassembly re = {};
    uint64_t counter = 0;
    Fragments made;

    if (r.bad)
        return;
    s.plain = r.data;
    s.plain_size = r.left;
    int e = fragments_seal(&s, &counter, &rng, &made);
    MUST(e == 0 || e == -EMSGSIZE);
    if (e != 0)
        return;
    MUST(counter == made.n && made.n > s.more_than && made.n <= FRAGMENTS_MAX);
    for (size_t i = 0, k = 0; i < made.n; i++, k = (k + step) % made.n) {
        const Blob *b = &made.items[k];
        FragmentVerdict verdict;
        MUST(b->size + (v6 ? 52 : 32) <= datagram);
        MUST(feed(&re, keys, b->data, b->size, &verdict, &message));
        if (made.n == 1) {
            MUST(verdict == FRAGMENT_MALFORMED); /* SK */
            break;
        }
        if (verdict == FRAGMENT_REPEATED) { /* *step* has a divisor in common with n */
            k = (k + 1) % made.n;
            i--;
            continue;
        }
        MUST(verdict == (i == made.n - 1 ? FRAGMENT_COMPLETED : FRAGMENT_KEPT));
    }
    if (made.n > 1) {
        MUST(message.first_type == s.first_type && message.plain.size == s.plain_size);
        MUST(memcmp(message.plain.data, s.plain, s.plain_size) == 0);
    }
    reassembled_free(&message);
    fragments_free(&made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const ways[])(const SealKeys *keys, Reader r) = {raw, sealed, split};
    static SealKeys keys[2];

    if (size == 0)
        return 0;
    if (!keys[0].encr) {
        keys[0] = keys_make(false);
        keys[1] = keys_make(true);
    }
    ways[(data[0] >> 1) % ARRAY_SIZE(ways)](&keys[data[0] & 1], reader_new(data + 1, size - 1));
    return 0;
}
