/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fragmentation (RFC 7383): sealed and read against vectors of another implementation
 * (tests/data/ike/vectors.hex), every suite and size there and back in any order, and what must not disturb
 * it: loss, copies, forgeries, hostile numbers, other messages, too much. */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>

#include "ike-responder.h"
#include "ike/fragment.h"
#include "seeded.h"
#include "suite.h"
#include "vector-keys.h"
#include "vectors.h"

#define PLAIN_MAX 16384

static const IkeHeader header = {.spi_i = 0x0102030405060708,
                                 .spi_r = 0x1112131415161718,
                                 .exchange = IKE_EXCHANGE_INFORMATIONAL,
                                 .flags = IKE_FLAG_INITIATOR,
                                 .message_id = 0};

/* One suite with keys out of *rng*. */
typedef struct Suites {
    size_t n;
    SealKeys keys[128];
} Suites;

static void suites_add(Suites *s, const Transform *encr, const Transform *integ, const Rng *rng) {
    ck_assert_uint_lt(s->n, ARRAY_SIZE(s->keys));
    SealKeys *k = &s->keys[s->n++];
    *k = (SealKeys){.encr = encr, .integ = integ};
    rng->fill(rng->userdata, k->encryption, sizeof k->encryption);
    rng->fill(rng->userdata, k->integrity, sizeof k->integrity);
}

/* All that the table of transforms can make. */
static void suites_all(Suites *s, const Rng *rng) {
    s->n = 0;
    for (uint16_t id = 1; id < 64; id++)
        for (uint16_t bits = 0; bits <= 256; bits = (uint16_t)(bits + 64)) {
            const Transform *encr = transform_find(IKE_TRANSFORM_ENCR, id, bits);
            if (!encr || encr->key_bits != bits)
                continue;
            if (transform_is_aead(encr))
                suites_add(s, encr, NULL, rng);
            for (uint16_t i = 1; i < 64 && !transform_is_aead(encr); i++)
                if (transform_find(IKE_TRANSFORM_INTEG, i, 0))
                    suites_add(s, encr, transform_find(IKE_TRANSFORM_INTEG, i, 0), rng);
        }
    ck_assert_uint_ge(s->n, 2 + 6); /* AES-GCM with two key lengths, AES-CBC with three HMACs each */
}

static SealKeys keys_of(bool aead) {
    return vector_keys(aead ? "aes256gcm16" : "aes256");
}

/* A datagram through header and split into *re*, in memory of exactly its size. Nothing of the plaintext may
 * be left in it. */
static FragmentVerdict feed(Reassembly *re, const SealKeys *keys, const uint8_t *data, size_t size,
                            Reassembled *ret) {
    _cleanup_free_ uint8_t *copy = malloc(size);
    IkePayloads payloads;
    uint8_t critical;
    IkeHeader h;

    memcpy(copy, data, size);
    Reader r = reader_new(copy, size);
    ck_assert_int_eq(ike_header_decode(&r, &h), 0);
    ck_assert_int_eq(ike_payloads_split(r, h.next_payload, &payloads, &critical), 0);
    FragmentVerdict verdict = reassembly_add(re, keys, &h, &payloads, copy, size, ret);
    if (verdict == FRAGMENT_COMPLETED && ret->plain.size >= 16)
        ck_assert_ptr_null(memmem(copy, size, ret->plain.data, 16));
    return verdict;
}

static FragmentVerdict feed_blob(Reassembly *re, const SealKeys *keys, const Blob *b, Reassembled *ret) {
    return feed(re, keys, b->data, b->size, ret);
}

static bool holds_nothing(const Reassembly *re) {
    static const Reassembly nothing;
    return memcmp(re, &nothing, sizeof nothing) == 0;
}

/* What is held is what the numbers say. */
static void assert_consistent(const Reassembly *re) {
    size_t n = 0, bytes = 0;
    for (size_t i = 0; i < FRAGMENTS_MAX; i++)
        if (re->parts[i].data) {
            n++;
            bytes += re->parts[i].size;
        }
    ck_assert_uint_eq(n, re->n);
    ck_assert_uint_eq(bytes, re->bytes);
    ck_assert_uint_le(bytes, REASSEMBLY_MAX);
    ck_assert(n == 0 || n < re->total);
}

/* Sealed by hand, with whatever numbers. Returns the size. */
static size_t seal_by_hand(const SealKeys *keys, const IkeHeader *h, uint16_t number, uint16_t total,
                           uint8_t first, const void *plain, size_t plain_size, uint8_t *ret) {
    static uint64_t counter, random = 1;
    size_t size = 36 + plain_size + seal_overhead(keys, plain_size);
    IkeWriter m;

    ike_writer_start(&m, ret, size, h);
    ike_writer_begin(&m, IKE_PAYLOAD_SKF);
    writer_u16(&m.w, number);
    writer_u16(&m.w, total);
    ret[28] = first;
    writer_reserve(&m.w, keys->encr->iv_size);
    writer_bytes(&m.w, plain, plain_size);
    writer_reserve(&m.w, size - m.w.len);
    ike_writer_end(&m);
    ck_assert_int_eq(ike_writer_finish(&m), 0);
    ck_assert_int_eq(crypto_seal(keys, ret, size, 36, plain_size, counter++, &(Rng){seeded_fill, &random}),
                     0);
    return size;
}

static void shuffle(size_t *order, size_t n, const Rng *rng) {
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t i = n; i > 1; i--) {
        size_t k = rng_below(rng, i), swap = order[i - 1];
        order[i - 1] = order[k];
        order[k] = swap;
    }
}

/* *n* fragments of random plaintext, *plain* with PLAIN_MAX bytes. */
static FragmentSource random_source(const SealKeys *keys, uint8_t *plain, size_t size, const Rng *rng) {
    rng->fill(rng->userdata, plain, size);
    return (FragmentSource){.header = header,
                            .first_type = IKE_PAYLOAD_IDI,
                            .plain = plain,
                            .plain_size = size,
                            .keys = keys,
                            .limit = SIZE_MAX};
}

/* Foreign bytes ------------------------------------------------------------------------------------------ */

static const uint8_t notify[] = {0, 0, 0, 12, 0, 0, 0x40, 1, 0, 1, 2, 3};

START_TEST(reads_vectors) {
    static const uint8_t orders[6][3] = {{1, 2, 3}, {1, 3, 2}, {2, 1, 3}, {2, 3, 1}, {3, 1, 2}, {3, 2, 1}};

    for (size_t kind = 0; kind < 4; kind++)
        for (size_t o = 0; o < ARRAY_SIZE(orders); o++) {
            SealKeys keys = keys_of(kind % 2);
            Reassembly re = {};
            Reassembled message = {};
            for (size_t i = 0; i < 3; i++) {
                Blob b = vector("skf-%s-%s-%u", kind < 2 ? "even" : "uneven", kind % 2 ? "gcm" : "cbc",
                                orders[o][i]);
                ck_assert_int_eq(feed_blob(&re, &keys, &b, &message),
                                 i == 2 ? FRAGMENT_COMPLETED : FRAGMENT_KEPT);
                free(b.data);
            }
            ck_assert_uint_eq(message.first_type, IKE_PAYLOAD_NOTIFY);
            ck_assert_uint_eq(message.plain.size, sizeof notify);
            ck_assert_mem_eq(message.plain.data, notify, sizeof notify);
            ck_assert(holds_nothing(&re));
            reassembled_free(&message);
        }
}
END_TEST

static void sequence_fill(void *userdata, void *ret, size_t size) {
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)ret)[i] = (uint8_t)(0x40 + i);
}

START_TEST(writes_vectors) {
    for (size_t aead = 0; aead < 2; aead++) {
        SealKeys keys = keys_of(aead);
        FragmentSource source = {.header = header,
                                 .first_type = IKE_PAYLOAD_NOTIFY,
                                 .plain = notify,
                                 .plain_size = sizeof notify,
                                 .keys = &keys,
                                 .limit = 200,
                                 .more_than = 2};
        uint64_t counter = 7;
        Fragments made;

        ck_assert_int_eq(fragments_seal(&source, &counter, &(Rng){sequence_fill, NULL}, &made), 0);
        ck_assert_uint_eq(made.n, 3);
        ck_assert_uint_eq(counter, 10);
        for (unsigned i = 0; i < 3; i++) {
            Blob b = vector("skf-even-%s-%u", aead ? "gcm" : "cbc", i + 1);
            ck_assert_uint_eq(made.items[i].size, b.size);
            ck_assert_mem_eq(made.items[i].data, b.data, b.size);
            free(b.data);
        }
        fragments_free(&made);
        ck_assert_uint_eq(made.n, 0);
    }
}
END_TEST

/* Splitting ---------------------------------------------------------------------------------------------- */

START_TEST(limits) {
    ck_assert_uint_eq(fragment_limit(AF_INET, DATAGRAM_FIRST_MAX), 1248);
    ck_assert_uint_eq(fragment_limit(AF_INET6, DATAGRAM_FIRST_MAX), 1228);
    ck_assert_uint_eq(fragment_limit(AF_INET, DATAGRAM_SMALL_MAX), 544);
    ck_assert_uint_eq(fragment_limit(AF_INET, 33), 1);
    ck_assert_uint_eq(fragment_limit(AF_INET, 32), 0);
    ck_assert_uint_eq(fragment_limit(AF_INET6, 0), 0);
}
END_TEST

/* Fields and size of each fragment; as few as fit. */
static void assert_split(const FragmentSource *s, const Fragments *made, int family, size_t datagram) {
    size_t around = (family == AF_INET ? 20 : 40) + 8 + 4;

    for (size_t i = 0; i < made->n; i++) {
        const Blob *b = &made->items[i];
        uint16_t number, total;
        IkePayloads payloads;
        uint8_t critical;
        Reader sealed;
        IkeHeader h;

        ck_assert_uint_le(b->size + around, datagram);
        Reader r = reader_new(b->data, b->size);
        ck_assert_int_eq(ike_header_decode(&r, &h), 0);
        ck_assert_uint_eq(h.spi_i, header.spi_i);
        ck_assert_uint_eq(h.spi_r, header.spi_r);
        ck_assert_uint_eq(h.exchange, header.exchange);
        ck_assert_uint_eq(h.flags, header.flags);
        ck_assert_uint_eq(h.message_id, header.message_id);
        ck_assert_int_eq(ike_payloads_split(r, h.next_payload, &payloads, &critical), 0);
        ck_assert_uint_eq(payloads.n, 1);
        ck_assert_uint_eq(payloads.inner_type, i == 0 ? s->first_type : IKE_PAYLOAD_NONE);
        ck_assert_uint_eq(payloads.items[0].type, made->n == 1 ? IKE_PAYLOAD_SK : IKE_PAYLOAD_SKF);
        if (made->n == 1)
            continue;
        ck_assert_int_eq(ike_skf_decode(&payloads.items[0], &number, &total, &sealed), 0);
        ck_assert_uint_eq(number, i + 1);
        ck_assert_uint_eq(total, made->n);
        for (size_t k = 0; k < i; k++) /* an IV of its own */
            ck_assert_mem_ne(sealed.data, made->items[k].data + 36, s->keys->encr->iv_size);
    }
    size_t fewer = made->n - 1;
    if (fewer > s->more_than && fewer >= 2) {
        size_t part = (s->plain_size + fewer - 1) / fewer;
        ck_assert_uint_gt(36 + part + seal_overhead(s->keys, part) + around, datagram);
    }
    if (made->n > 1 && s->more_than == 0)
        ck_assert_uint_gt(32 + s->plain_size + seal_overhead(s->keys, s->plain_size) + around, datagram);
}

/* In a random order and with copies, the datagrams give the plaintext back. */
static void assert_back(const FragmentSource *s, const Fragments *made, const Rng *rng) {
    size_t order[FRAGMENTS_MAX];
    Reassembled message = {};
    Reassembly re = {};

    shuffle(order, made->n, rng);
    for (size_t i = 0; i < made->n; i++) {
        size_t copies = i + 1 < made->n ? rng_below(rng, 3) : 0;
        ck_assert_int_eq(feed_blob(&re, s->keys, &made->items[order[i]], &message),
                         i + 1 < made->n ? FRAGMENT_KEPT : FRAGMENT_COMPLETED);
        for (size_t k = 0; k < copies; k++)
            ck_assert_int_eq(feed_blob(&re, s->keys, &made->items[order[rng_below(rng, i + 1)]], &message),
                             FRAGMENT_REPEATED);
        assert_consistent(&re);
    }
    ck_assert(holds_nothing(&re));
    ck_assert_uint_eq(message.first_type, s->first_type);
    ck_assert_uint_eq(message.plain.size, s->plain_size);
    ck_assert_mem_eq(message.plain.data, s->plain, s->plain_size);
    reassembled_free(&message);
    ck_assert_ptr_null(message.plain.data);
}

/* The same of the one SK payload. */
static void assert_back_whole(const FragmentSource *s, const Blob *b) {
    _cleanup_free_ uint8_t *copy = malloc(b->size);
    uint8_t *plain;
    size_t size;

    memcpy(copy, b->data, b->size);
    ck_assert_int_eq(crypto_open(s->keys, copy, b->size, 32, &plain, &size), 0);
    ck_assert_uint_eq(size, s->plain_size);
    ck_assert(size == 0 || memcmp(plain, s->plain, size) == 0);
}

START_TEST(any_suite_and_size_there_and_back) {
    static const size_t datagrams[] = {1280, 576, 1500, 160, 9000, 1280};
    static uint8_t plain[PLAIN_MAX];
    static Suites suites;
    uint64_t random;
    Rng rng = seeded_rng(&random, 7383);
    size_t whole = 0, split = 0, refused = 0;

    suites_all(&suites, &rng);
    for (size_t round = 0; round < 1500; round++) {
        const SealKeys *keys = &suites.keys[round % suites.n];
        size_t size = round % 3 == 0 ? rng_below(&rng, 64) : rng_below(&rng, PLAIN_MAX + 1);
        size_t datagram = datagrams[rng_below(&rng, ARRAY_SIZE(datagrams))];
        int family = round % 2 ? AF_INET : AF_INET6;
        FragmentSource s = random_source(keys, plain, size, &rng);
        uint64_t counter = 1000 * round, before = counter;
        Fragments made;

        s.limit = fragment_limit(family, datagram);
        int r = fragments_seal(&s, &counter, &rng, &made);
        if (r == -EMSGSIZE) {
            size_t part = (size + FRAGMENTS_MAX - 1) / FRAGMENTS_MAX;
            ck_assert_uint_gt(36 + part + seal_overhead(keys, part), s.limit);
            refused++;
            continue;
        }
        ck_assert_int_eq(r, 0);
        ck_assert_uint_eq(counter, before + made.n);
        assert_split(&s, &made, family, datagram);
        if (made.n == 1)
            assert_back_whole(&s, &made.items[0]);
        else
            assert_back(&s, &made, &rng);
        *(made.n == 1 ? &whole : &split) += 1;
        fragments_free(&made);
    }
    ck_assert_uint_gt(whole, 100);
    ck_assert_uint_gt(split, 100);
    ck_assert_uint_gt(refused, 10);
}
END_TEST

/* Every size around a boundary: the limit is reached and never passed. */
START_TEST(sizes_around_the_limit) {
    static uint8_t plain[4096];
    static Suites suites;
    uint64_t random;
    Rng rng = seeded_rng(&random, 1);
    bool reached = false;

    suites_all(&suites, &rng);
    for (size_t k = 0; k < suites.n; k++)
        for (size_t size = 1100; size < 1300; size++) {
            FragmentSource s = random_source(&suites.keys[k], plain, 2 * size, &rng);
            uint64_t counter = 0;
            Fragments made;
            s.limit = fragment_limit(AF_INET6, DATAGRAM_FIRST_MAX);
            ck_assert_int_eq(fragments_seal(&s, &counter, &rng, &made), 0);
            for (size_t i = 0; i < made.n; i++)
                reached |= made.items[i].size == s.limit;
            assert_split(&s, &made, AF_INET6, DATAGRAM_FIRST_MAX);
            assert_back(&s, &made, &rng);
            fragments_free(&made);
        }
    ck_assert(reached);
}
END_TEST

START_TEST(whole_when_it_fits) {
    static uint8_t plain[PLAIN_MAX];
    uint64_t random, counter = 0;
    Rng rng = seeded_rng(&random, 2);
    SealKeys keys = keys_of(true);
    Fragments made;

    FragmentSource s = random_source(&keys, plain, PLAIN_MAX, &rng);
    ck_assert_int_eq(fragments_seal(&s, &counter, &rng, &made), 0); /* to a peer that takes no fragments */
    ck_assert_uint_eq(made.n, 1);
    assert_back_whole(&s, &made.items[0]);
    fragments_free(&made);
    s.more_than = 1;
    ck_assert_int_eq(fragments_seal(&s, &counter, &rng, &made), -EMSGSIZE);
    s.more_than = 0;

    s.limit = 32 + PLAIN_MAX + seal_overhead(&keys, PLAIN_MAX);
    ck_assert_int_eq(fragments_seal(&s, &counter, &rng, &made), 0);
    ck_assert_uint_eq(made.n, 1);
    fragments_free(&made);
    s.limit--;
    ck_assert_int_eq(fragments_seal(&s, &counter, &rng, &made), 0);
    ck_assert_uint_eq(made.n, 2);
    fragments_free(&made);

    s.plain_size = 0; /* an empty INFORMATIONAL, which has no parts */
    s.first_type = IKE_PAYLOAD_NONE;
    s.limit = 1248;
    ck_assert_int_eq(fragments_seal(&s, &counter, &rng, &made), 0);
    ck_assert_uint_eq(made.n, 1);
    ck_assert_uint_eq(made.items[0].data[28], 0);
    assert_back_whole(&s, &made.items[0]);
    fragments_free(&made);
    s.more_than = 1;
    ck_assert_int_eq(fragments_seal(&s, &counter, &rng, &made), -EMSGSIZE);
}
END_TEST

START_TEST(does_not_fit) {
    static uint8_t plain[70000];
    uint64_t random, counter = 5;
    Rng rng = seeded_rng(&random, 3);
    SealKeys keys = keys_of(false);
    Fragments made = {.n = 77};

    FragmentSource s = random_source(&keys, plain, sizeof plain, &rng);
    ck_assert_int_eq(fragments_seal(&s, &counter, &rng, &made), -EMSGSIZE); /* no payload is that long */
    for (s.limit = 0; s.limit < 100; s.limit++)
        ck_assert_int_eq(fragments_seal(&s, &counter, &rng, &made), -EMSGSIZE);
    s.limit = 1248;
    s.more_than = FRAGMENTS_MAX;
    ck_assert_int_eq(fragments_seal(&s, &counter, &rng, &made), -EMSGSIZE);
    ck_assert_uint_eq(counter, 5);
    ck_assert_uint_eq(made.n, 77);
    s.more_than = FRAGMENTS_MAX - 1;
    ck_assert_int_eq(fragments_seal(&s, &counter, &rng, &made), 0);
    ck_assert_uint_eq(made.n, FRAGMENTS_MAX);
    assert_split(&s, &made, AF_INET, 1280);
    fragments_free(&made);
}
END_TEST

/* 2.5.2: nobody answers, so it goes again in smaller ones. Total grows even where the size alone would not do
 * it, and whatever order both sets arrive in, they are never mixed. */
START_TEST(split_again_smaller) {
    static const size_t datagrams[] = {1500, 1280, 1270, 1000, 576, 576};
    static uint8_t plain[PLAIN_MAX];
    uint64_t random;
    Rng rng = seeded_rng(&random, 4);
    SealKeys keys = keys_of(true);

    for (size_t round = 0; round < 200; round++) {
        FragmentSource s = random_source(&keys, plain, 2000 + rng_below(&rng, 6000), &rng);
        Fragments made[ARRAY_SIZE(datagrams)] = {};
        size_t order[ARRAY_SIZE(datagrams) * FRAGMENTS_MAX], n = 0;
        const Blob *all[ARRAY_SIZE(datagrams) * FRAGMENTS_MAX];
        Reassembled message = {};
        Reassembly re = {};
        uint64_t counter = 0;
        bool completed = false;

        for (size_t i = 0; i < ARRAY_SIZE(datagrams); i++) {
            s.limit = fragment_limit(AF_INET, datagrams[i]);
            s.more_than = i == 0 ? 0 : made[i - 1].n;
            ck_assert_int_eq(fragments_seal(&s, &counter, &rng, &made[i]), 0);
            ck_assert_uint_gt(made[i].n, s.more_than);
            for (size_t k = 0; k < made[i].n; k++)
                all[n++] = &made[i].items[k];
        }
        shuffle(order, n, &rng);
        for (size_t i = 0; i < n && !completed; i++) {
            completed = feed_blob(&re, &keys, all[order[i]], &message) == FRAGMENT_COMPLETED;
            assert_consistent(&re);
        }
        /* The last set is complete at the end, if no other was before. */
        ck_assert(completed);
        ck_assert_uint_eq(message.plain.size, s.plain_size);
        ck_assert_mem_eq(message.plain.data, plain, s.plain_size);
        reassembled_free(&message);
        reassembly_reset(&re);
        for (size_t i = 0; i < ARRAY_SIZE(datagrams); i++)
            fragments_free(&made[i]);
    }
}
END_TEST

/* Reassembly --------------------------------------------------------------------------------------------- */

/* 64 fragments of a message of *plain*, PLAIN_MAX bytes. */
static FragmentSource sixty_four(const SealKeys *keys, uint8_t *plain, const Rng *rng, Fragments *ret) {
    FragmentSource s = random_source(keys, plain, PLAIN_MAX, rng);
    uint64_t counter = 0;
    s.limit = 1248;
    s.more_than = FRAGMENTS_MAX - 1;
    ck_assert_int_eq(fragments_seal(&s, &counter, rng, ret), 0);
    ck_assert_uint_eq(ret->n, 64);
    return s;
}

START_TEST(sixty_four_in_any_order) {
    static uint8_t plain[PLAIN_MAX];
    uint64_t random;
    Rng rng = seeded_rng(&random, 5);

    for (size_t aead = 0; aead < 2; aead++) {
        SealKeys keys = keys_of(aead);
        Fragments made;
        FragmentSource s = sixty_four(&keys, plain, &rng, &made);

        for (size_t round = 0; round < 100; round++)
            assert_back(&s, &made, &rng);
        for (unsigned step = 1; step < 64; step += 2) { /* forwards, backwards, and interleaved */
            Reassembled message = {};
            Reassembly re = {};
            for (size_t i = 0; i < 64; i++)
                ck_assert_int_eq(feed_blob(&re, &keys, &made.items[i * step % 64], &message),
                                 i < 63 ? FRAGMENT_KEPT : FRAGMENT_COMPLETED);
            ck_assert_mem_eq(message.plain.data, plain, PLAIN_MAX);
            reassembled_free(&message);
        }
        fragments_free(&made);
    }
}
END_TEST

START_TEST(any_one_lost) {
    static uint8_t plain[PLAIN_MAX];
    uint64_t random;
    Rng rng = seeded_rng(&random, 6);
    SealKeys keys = keys_of(true);
    Fragments made;

    sixty_four(&keys, plain, &rng, &made);
    for (size_t lost = 0; lost < 64; lost++) {
        Reassembled message = {};
        Reassembly re = {};
        for (size_t pass = 0; pass < 2; pass++) /* the set is retransmitted, and loses the same one */
            for (size_t i = 0; i < 64; i++)
                if (i != lost)
                    ck_assert_int_eq(feed_blob(&re, &keys, &made.items[i], &message),
                                     pass == 0 ? FRAGMENT_KEPT : FRAGMENT_REPEATED);
        ck_assert_uint_eq(re.n, 63);
        assert_consistent(&re);
        ck_assert_int_eq(feed_blob(&re, &keys, &made.items[lost], &message), FRAGMENT_COMPLETED);
        ck_assert_mem_eq(message.plain.data, plain, PLAIN_MAX);
        reassembled_free(&message);
    }
    fragments_free(&made);
}
END_TEST

static const struct {
    uint16_t number, total;
    FragmentVerdict verdict;
} numbers[] = {
    {1, 2, FRAGMENT_KEPT},           {64, 64, FRAGMENT_KEPT},        {0, 0, FRAGMENT_MALFORMED},
    {0, 1, FRAGMENT_MALFORMED},      {0, 64, FRAGMENT_MALFORMED},    {1, 0, FRAGMENT_MALFORMED},
    {2, 1, FRAGMENT_MALFORMED},      {65, 64, FRAGMENT_MALFORMED},   {1, 65, FRAGMENT_MALFORMED},
    {65, 65, FRAGMENT_MALFORMED},    {1, 65535, FRAGMENT_MALFORMED}, {65535, 65535, FRAGMENT_MALFORMED},
    {65535, 0, FRAGMENT_MALFORMED},  {256, 512, FRAGMENT_MALFORMED}, {0x8001, 3, FRAGMENT_MALFORMED},
    {1, 0x8001, FRAGMENT_MALFORMED}, {1, 1, FRAGMENT_COMPLETED},
};

/* Sealed with the right keys: only the numbers are wrong. What is held stays. */
START_TEST(hostile_numbers) {
    SealKeys keys = keys_of(true);
    uint8_t bytes[256];

    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        Reassembled message = {};
        Reassembly re = {};
        size_t size = seal_by_hand(&keys, &header, numbers[i].number, numbers[i].total, IKE_PAYLOAD_NOTIFY,
                                   notify, sizeof notify, bytes);
        FragmentVerdict verdict = feed(&re, &keys, bytes, size, &message);
        ck_assert_msg(verdict == numbers[i].verdict, "%u of %u: %d", numbers[i].number, numbers[i].total,
                      verdict);
        assert_consistent(&re);
        ck_assert(verdict == FRAGMENT_KEPT || holds_nothing(&re));
        reassembled_free(&message);
        reassembly_reset(&re);

        if (numbers[i].verdict != FRAGMENT_MALFORMED)
            continue;
        uint8_t first[256], second[256];
        size_t first_size = seal_by_hand(&keys, &header, 1, 2, IKE_PAYLOAD_NOTIFY, notify, 6, first),
               second_size = seal_by_hand(&keys, &header, 2, 2, 0, notify + 6, 6, second);
        ck_assert_int_eq(feed(&re, &keys, first, first_size, &message), FRAGMENT_KEPT);
        ck_assert_int_eq(feed(&re, &keys, bytes, size, &message), FRAGMENT_MALFORMED);
        ck_assert_int_eq(feed(&re, &keys, second, second_size, &message), FRAGMENT_COMPLETED);
        ck_assert_mem_eq(message.plain.data, notify, sizeof notify);
        reassembled_free(&message);
    }
}
END_TEST

START_TEST(single_fragment_is_a_message) {
    SealKeys keys = keys_of(false);
    Reassembled message = {};
    Reassembly re = {};
    uint8_t bytes[256];

    size_t size = seal_by_hand(&keys, &header, 1, 1, IKE_PAYLOAD_NOTIFY, notify, sizeof notify, bytes);
    ck_assert_int_eq(feed(&re, &keys, bytes, size, &message), FRAGMENT_COMPLETED);
    ck_assert_uint_eq(message.first_type, IKE_PAYLOAD_NOTIFY);
    ck_assert_mem_eq(message.plain.data, notify, sizeof notify);
    reassembled_free(&message);
}
END_TEST

/* 2.5: the type is that of number 1; what the others say is nothing. */
START_TEST(type_is_of_the_first) {
    SealKeys keys = keys_of(true);
    for (uint16_t last = 1; last <= 2; last++) {
        Reassembled message = {};
        Reassembly re = {};
        for (uint16_t i = 0; i < 2; i++) {
            uint16_t number = i == 0 ? (uint16_t)(3 - last) : last;
            uint8_t bytes[256];
            size_t size =
                seal_by_hand(&keys, &header, number, 2, number == 1 ? IKE_PAYLOAD_NOTIFY : IKE_PAYLOAD_DELETE,
                             notify + 6 * (number - 1), 6, bytes);
            feed(&re, &keys, bytes, size, &message);
        }
        ck_assert_uint_eq(message.first_type, IKE_PAYLOAD_NOTIFY);
        ck_assert_mem_eq(message.plain.data, notify, sizeof notify);
        reassembled_free(&message);
    }
}
END_TEST

/* Whatever bit is wrong, of header, numbers, IV, text or checksum: what is held stays, a larger total does
 * not throw it away, and the good one completes it. */
START_TEST(forgeries) {
    for (size_t aead = 0; aead < 2; aead++) {
        SealKeys keys = keys_of(aead), other = keys;
        Blob b[3];
        for (unsigned i = 0; i < 3; i++)
            b[i] = vector("skf-uneven-%s-%u", aead ? "gcm" : "cbc", i + 1);
        (aead ? other.encryption : other.integrity)[0] ^= 1;

        Reassembled message = {};
        Reassembly re = {};
        ck_assert_int_eq(feed_blob(&re, &keys, &b[0], &message), FRAGMENT_KEPT);
        ck_assert_int_eq(feed_blob(&re, &keys, &b[2], &message), FRAGMENT_KEPT);
        for (size_t bit = 0; bit < b[1].size * 8; bit++) {
            size_t at = bit / 8;
            if ((at >= 24 && at < 28) || at == 16 || at == 30 || at == 31 || (at == 17 && bit % 8 >= 4))
                continue; /* length, payload type and version do not get this far */
            b[1].data[at] ^= (uint8_t)(1 << bit % 8);
            FragmentVerdict verdict = feed_blob(&re, &keys, &b[1], &message);
            ck_assert_msg(verdict == FRAGMENT_FORGED || verdict == FRAGMENT_MALFORMED ||
                              verdict == FRAGMENT_REPEATED,
                          "bit %zu: %d", bit, verdict);
            ck_assert_msg(verdict == FRAGMENT_FORGED || (at >= 32 && at < 36), "bit %zu: %d", bit, verdict);
            ck_assert_uint_eq(re.n, 2);
            assert_consistent(&re);
            b[1].data[at] ^= (uint8_t)(1 << bit % 8);
        }
        ck_assert_int_eq(feed_blob(&re, &other, &b[1], &message), FRAGMENT_FORGED);
        for (size_t cut = 1; cut < b[1].size - 36; cut++) { /* shorter, with lengths that say so */
            _cleanup_free_ uint8_t *copy = malloc(b[1].size);
            memcpy(copy, b[1].data, b[1].size);
            Writer w = {copy, b[1].size, b[1].size, false};
            writer_patch_u32(&w, 24, (uint32_t)(b[1].size - cut));
            writer_patch_u16(&w, 30, (uint16_t)(b[1].size - cut - 28));
            ck_assert_int_eq(feed(&re, &keys, copy, b[1].size - cut, &message), FRAGMENT_FORGED);
        }
        ck_assert_int_eq(feed_blob(&re, &keys, &b[1], &message), FRAGMENT_COMPLETED);
        ck_assert_mem_eq(message.plain.data, notify, sizeof notify);
        reassembled_free(&message);
        for (size_t i = 0; i < 3; i++)
            free(b[i].data);
    }
}
END_TEST

/* 2.6: a larger total starts anew, a smaller one is of the past. */
START_TEST(totals_that_change) {
    SealKeys keys = keys_of(true);
    Reassembled message = {};
    Reassembly re = {};
    uint8_t two[2][256], three[3][256];
    size_t two_size[2], three_size[3];

    for (uint16_t i = 0; i < 2; i++)
        two_size[i] = seal_by_hand(&keys, &header, (uint16_t)(i + 1), 2, i ? 0 : IKE_PAYLOAD_NOTIFY,
                                   notify + 6 * i, 6, two[i]);
    for (uint16_t i = 0; i < 3; i++)
        three_size[i] = seal_by_hand(&keys, &header, (uint16_t)(i + 1), 3, i ? 0 : IKE_PAYLOAD_NOTIFY,
                                     notify + 4 * i, 4, three[i]);
    ck_assert_int_eq(feed(&re, &keys, two[1], two_size[1], &message), FRAGMENT_KEPT);
    ck_assert_int_eq(feed(&re, &keys, three[1], three_size[1], &message), FRAGMENT_KEPT);
    ck_assert_uint_eq(re.n, 1);
    ck_assert_uint_eq(re.total, 3);
    ck_assert_uint_eq(re.bytes, 4);
    for (size_t i = 0; i < 2; i++)
        ck_assert_int_eq(feed(&re, &keys, two[i], two_size[i], &message), FRAGMENT_REPEATED);
    ck_assert_int_eq(feed(&re, &keys, three[2], three_size[2], &message), FRAGMENT_KEPT);
    ck_assert_int_eq(feed(&re, &keys, three[0], three_size[0], &message), FRAGMENT_COMPLETED);
    ck_assert_mem_eq(message.plain.data, notify, sizeof notify);
    reassembled_free(&message);
}
END_TEST

/* The caller asks only for the message that is due. When another one is, what is left of the former goes, but
 * not before the new one has proved itself. */
START_TEST(another_message_replaces) {
    static const IkeHeader others[] = {
        {1, 2, 0, 0, IKE_EXCHANGE_INFORMATIONAL, IKE_FLAG_INITIATOR, 1, 0},
        {1, 2, 0, 0, IKE_EXCHANGE_CREATE_CHILD_SA, IKE_FLAG_INITIATOR, 0, 0},
        {1, 2, 0, 0, IKE_EXCHANGE_INFORMATIONAL, IKE_FLAG_INITIATOR | IKE_FLAG_RESPONSE, 0, 0},
    };
    SealKeys keys = keys_of(true);
    uint8_t mine[256], other[256];

    size_t mine_size = seal_by_hand(&keys, &header, 1, 2, IKE_PAYLOAD_NOTIFY, notify, 6, mine);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        Reassembled message = {};
        Reassembly re = {};
        size_t size = seal_by_hand(&keys, &others[i], 2, 2, 0, notify + 6, 6, other);
        ck_assert_int_eq(feed(&re, &keys, mine, mine_size, &message), FRAGMENT_KEPT);
        other[size - 1] ^= 1;
        ck_assert_int_eq(feed(&re, &keys, other, size, &message), FRAGMENT_FORGED);
        ck_assert_uint_eq(re.message_id, header.message_id);
        ck_assert_ptr_nonnull(re.parts[0].data);
        other[size - 1] ^= 1;
        ck_assert_int_eq(feed(&re, &keys, other, size, &message), FRAGMENT_KEPT);
        ck_assert_uint_eq(re.message_id, others[i].message_id);
        ck_assert_ptr_null(re.parts[0].data);
        assert_consistent(&re);
        reassembly_reset(&re);
        ck_assert(holds_nothing(&re));
    }
}
END_TEST

START_TEST(memory_is_bounded) {
    static uint8_t plain[UINT16_MAX], bytes[36 + UINT16_MAX + 64];
    static const size_t sizes[] = {1, 1024, 1025, 1200, 16384, 60000};
    SealKeys keys = keys_of(true);

    memset(plain, 0xa5, sizeof plain);
    for (size_t k = 0; k < ARRAY_SIZE(sizes); k++) {
        bool fits = FRAGMENTS_MAX * sizes[k] <= REASSEMBLY_MAX;
        FragmentVerdict verdict = FRAGMENT_KEPT;
        Reassembled message = {};
        Reassembly re = {};
        size_t refused = 0;
        for (uint16_t i = 1; i <= FRAGMENTS_MAX; i++) {
            size_t size = seal_by_hand(&keys, &header, i, FRAGMENTS_MAX, 0, plain, sizes[k], bytes);
            verdict = feed(&re, &keys, bytes, size, &message);
            refused += verdict == FRAGMENT_REFUSED;
            ck_assert(verdict != FRAGMENT_REFUSED || holds_nothing(&re));
            assert_consistent(&re);
        }
        ck_assert_int_eq(verdict == FRAGMENT_COMPLETED, fits);
        ck_assert_int_eq(refused == 0, fits);
        ck_assert_uint_eq(message.plain.size, fits ? FRAGMENTS_MAX * sizes[k] : 0);
        reassembled_free(&message);
        reassembly_reset(&re);
    }
}
END_TEST

START_TEST(empty_ones) {
    SealKeys keys = keys_of(true);
    Reassembled message = {};
    Reassembly re = {};
    uint8_t bytes[256];

    for (uint16_t total = 1; total <= 2; total++) {
        size_t size = seal_by_hand(&keys, &header, 1, total, IKE_PAYLOAD_NOTIFY, NULL, 0, bytes);
        ck_assert_int_eq(feed(&re, &keys, bytes, size, &message), FRAGMENT_REFUSED);
        ck_assert(holds_nothing(&re));
    }
    /* Not even that: too short for numbers, or for IV and checksum. */
    for (size_t size = 0; size < 4 + 8 + 1 + 16; size++) {
        IkeWriter m;
        ike_writer_start(&m, bytes, sizeof bytes, &header);
        ike_blob_write(&m, IKE_PAYLOAD_SKF, "\0\1\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", size);
        ck_assert_int_eq(ike_writer_finish(&m), 0);
        ck_assert_int_eq(feed(&re, &keys, bytes, m.w.len, &message),
                         size < 4 ? FRAGMENT_MALFORMED : FRAGMENT_FORGED);
        ck_assert(holds_nothing(&re));
    }
}
END_TEST

/* The chain: SKF ends it, nothing may stand before it, and SK is no fragment. */
START_TEST(chains) {
    SealKeys keys = keys_of(true);
    IkePayloads payloads;
    Reassembled message = {};
    Reassembly re = {};
    uint8_t bytes[256], critical = 0;
    IkeWriter m;

    Blob sk = vector("gcm");
    ck_assert_int_eq(feed_blob(&re, &keys, &sk, &message), FRAGMENT_MALFORMED);
    free(sk.data);

    ike_writer_start(&m, bytes, sizeof bytes, &header);
    ike_notify_write(&m, 0, IKE_NOTIFY_COOKIE, "", 0);
    ike_blob_write(&m, IKE_PAYLOAD_SKF, "\0\1\0\1", 4);
    ck_assert_int_eq(ike_writer_finish(&m), 0);
    ck_assert_int_eq(feed(&re, &keys, bytes, m.w.len, &message), FRAGMENT_MALFORMED);

    /* "Next" of an SKF is what is sealed in it, and nothing may follow. */
    static const uint8_t ends[] = {41, 0x80, 0, 8, 0, 1, 0, 1},
                         goes_on[] = {41, 0, 0, 8, 0, 1, 0, 1, 0, 0, 0, 4};
    ck_assert_int_eq(ike_payloads_split(reader_new(ends, sizeof ends), IKE_PAYLOAD_SKF, &payloads, &critical),
                     0);
    ck_assert_uint_eq(payloads.inner_type, 41);
    ck_assert_int_eq(
        ike_payloads_split(reader_new(goes_on, sizeof goes_on), IKE_PAYLOAD_SKF, &payloads, &critical),
        -EBADMSG);
    /* A fragment in a sealed message is against the rules of every exchange. */
    for (uint8_t exchange = IKE_EXCHANGE_SA_INIT; exchange <= IKE_EXCHANGE_INFORMATIONAL; exchange++)
        for (unsigned k = 0; k < 4; k++) {
            IkePayloads inner = {.n = 1, .items = {{IKE_PAYLOAD_SKF, ends, sizeof ends}}};
            ck_assert_int_eq(ike_payloads_check(&inner, exchange, k & 1, k & 2, &critical),
                             IKE_NOTIFY_INVALID_SYNTAX);
        }
}
END_TEST

/* 2.6.1 */
START_TEST(repeated_requests) {
    static const uint8_t first[] = {0, 1, 0, 2}, second[] = {0, 2, 0, 2}, bad[] = {0, 0, 0, 2};
    IkePayloads p = {.n = 1, .items = {{IKE_PAYLOAD_SKF, first, 4}}};
    ck_assert(fragment_repeats(&p));
    p.items[0].data = second;
    ck_assert(!fragment_repeats(&p));
    p.items[0].data = bad;
    ck_assert(!fragment_repeats(&p));
    p.items[0].type = IKE_PAYLOAD_SK;
    ck_assert(fragment_repeats(&p));
}
END_TEST

SUITE("fragment", reads_vectors, writes_vectors, limits, any_suite_and_size_there_and_back,
      sizes_around_the_limit, whole_when_it_fits, does_not_fit, split_again_smaller, sixty_four_in_any_order,
      any_one_lost, hostile_numbers, single_fragment_is_a_message, type_is_of_the_first, forgeries,
      totals_that_change, another_message_replaces, memory_is_bounded, empty_ones, chains, repeated_requests)
