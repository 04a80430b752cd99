/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The chain of payloads and all that may stand in it: a byte for the type of the first one, a byte for the
 * kind of message, then the chain. What can be written comes back the same. */
#include "base/macro.h"
#include "fuzz.h"
#include "ike/payload.h"

#define BUFFER_MAX (64 * 1024)

/* One payload, written into *buffer*, read back. */
static void read_back(IkeWriter *m, IkePayloads *ret) {
    uint8_t critical;
    IkeHeader h;
    MUST(ike_writer_finish(m) == 0);
    Reader r = reader_new(m->w.data, m->w.len);
    MUST(ike_header_decode(&r, &h) == 0);
    MUST(ike_payloads_split(r, h.next_payload, ret, &critical) == 0);
    MUST(ret->n == 1);
}

static IkeWriter writer_begin(void) {
    static const IkeHeader h = {.spi_i = 1};
    static uint8_t buffer[BUFFER_MAX];
    IkeWriter m;
    ike_writer_start(&m, buffer, sizeof buffer, &h);
    return m;
}

static bool same(const void *a, size_t a_size, const void *b, size_t b_size) {
    return a_size == b_size && (a_size == 0 || memcmp(a, b, a_size) == 0);
}

static void sa(const IkePayload *p) {
    static IkeProposal proposals[IKE_PROPOSALS_MAX], again[IKE_PROPOSALS_MAX];
    IkePayloads back;
    size_t n, n_again;

    if (ike_sa_payload_decode(p, proposals, &n) != 0)
        return;
    MUST(n >= 1 && n <= IKE_PROPOSALS_MAX);
    IkeWriter m = writer_begin();
    ike_sa_payload_write(&m, proposals, n);
    read_back(&m, &back);
    MUST(ike_sa_payload_decode(&back.items[0], again, &n_again) == 0 && n_again == n);
    for (size_t i = 0; i < n; i++) {
        const IkeProposal *a = &proposals[i], *b = &again[i];
        MUST(a->n_transforms <= IKE_TRANSFORMS_MAX && a->n_transforms == b->n_transforms);
        MUST(a->number == b->number && a->protocol == b->protocol && a->spi_size == b->spi_size);
        MUST(a->spi == b->spi);
        for (size_t t = 0; t < a->n_transforms; t++) {
            const IkeTransform *x = &a->transforms[t], *y = &b->transforms[t];
            MUST(x->type == y->type && x->id == y->id && x->key_bits == y->key_bits && !y->unknown);
        }
    }
}

static void ke(const IkePayload *p) {
    uint16_t group, group_again;
    Reader value, value_again;
    IkePayloads back;

    if (ike_ke_decode(p, &group, &value) != 0)
        return;
    MUST(value.left >= 1 && value.left <= IKE_KE_MAX);
    IkeWriter m = writer_begin();
    ike_ke_write(&m, group, value.data, value.left);
    read_back(&m, &back);
    MUST(ike_ke_decode(&back.items[0], &group_again, &value_again) == 0 && group_again == group);
    MUST(same(value.data, value.left, value_again.data, value_again.left));
}

static void notify(const IkePayload *p) {
    IkePayloads back;
    IkeNotify n, again;

    if (ike_notify_decode(p, &n) != 0)
        return;
    const char *name = ike_notify_name(n.type);
    MUST(!name || name[0]);
    IkeWriter m = writer_begin();
    ike_notify_write(&m, n.protocol, n.type, n.data, n.size);
    read_back(&m, &back);
    MUST(ike_notify_decode(&back.items[0], &again) == 0);
    MUST(again.protocol == n.protocol && again.type == n.type && again.spi == 0);
    MUST(same(n.data, n.size, again.data, again.size));
}

static void delete (const IkePayload *p) {
    IkePayloads back;
    IkeDelete d, again;

    if (ike_delete_decode(p, &d) != 0)
        return;
    MUST(d.n_spis <= IKE_SPIS_MAX);
    IkeWriter m = writer_begin();
    ike_delete_write(&m, d.protocol, d.spis, d.n_spis);
    read_back(&m, &back);
    MUST(ike_delete_decode(&back.items[0], &again) == 0);
    MUST(again.protocol == d.protocol);
    MUST(same(d.spis, d.n_spis * sizeof d.spis[0], again.spis, again.n_spis * sizeof d.spis[0]));
}

static void typed_blob(const IkePayload *p, size_t reserved,
                       int (*decode)(const IkePayload *p, uint8_t *ret_kind, Reader *ret_data)) {
    Reader data, data_again;
    uint8_t kind, again;
    IkePayloads back;

    if (decode(p, &kind, &data) != 0)
        return;
    IkeWriter m = writer_begin();
    ike_typed_blob_write(&m, p->type, kind, reserved, data.data, data.left);
    read_back(&m, &back);
    MUST(back.items[0].type == p->type);
    MUST(decode(&back.items[0], &again, &data_again) == 0 && again == kind);
    MUST(same(data.data, data.left, data_again.data, data_again.left));
}

static void skf(const IkePayload *p) {
    uint16_t number, total;
    Reader sealed;

    if (ike_skf_decode(p, &number, &total, &sealed) == 0)
        MUST(number >= 1 && number <= total && sealed.left == p->size - 4);
}

static void ts(const IkePayload *p) {
    TrafficSelector selectors[TS_MAX], again[TS_MAX];
    IkePayloads back;
    size_t n, n_again;

    if (ike_ts_decode(p, selectors, &n) != 0)
        return;
    MUST(n <= TS_MAX);
    if (n == 0) /* all were left out: the writer has no word for that */
        return;
    IkeWriter m = writer_begin();
    ike_ts_write(&m, p->type, selectors, n);
    read_back(&m, &back);
    MUST(ike_ts_decode(&back.items[0], again, &n_again) == 0 && n_again == n);
    for (size_t i = 0; i < n; i++) {
        const TrafficSelector *a = &selectors[i], *b = &again[i];
        MUST(address_equal(&a->address, &b->address) && a->prefix == b->prefix);
        MUST(a->protocol == b->protocol && a->port_min == b->port_min && a->port_max == b->port_max);
    }
}

static void cp(const IkePayload *p) {
    IkeConfiguration c;
    IkePayloads back;

    if (ike_cp_decode(p, &c) == 0)
        MUST(c.addresses.n <= ADDRESSES_MAX && c.dns.n <= ADDRESSES_MAX);
    /* Our request is none that a reply could be taken for. */
    IkeWriter m = writer_begin();
    ike_cp_request_write(&m, &(AddressList){});
    read_back(&m, &back);
    MUST(ike_cp_decode(&back.items[0], &c) == -EBADMSG);
}

static void body(const IkePayload *p) {
    switch (p->type) {
    case IKE_PAYLOAD_SA:
        sa(p);
        return;
    case IKE_PAYLOAD_KE:
        ke(p);
        return;
    case IKE_PAYLOAD_IDI:
    case IKE_PAYLOAD_IDR:
        typed_blob(p, 3, ike_id_decode);
        return;
    case IKE_PAYLOAD_CERT:
    case IKE_PAYLOAD_CERTREQ:
        typed_blob(p, 0, ike_cert_decode);
        return;
    case IKE_PAYLOAD_AUTH:
        typed_blob(p, 3, ike_auth_decode);
        return;
    case IKE_PAYLOAD_NOTIFY:
        notify(p);
        return;
    case IKE_PAYLOAD_DELETE:
        delete (p);
        return;
    case IKE_PAYLOAD_TSI:
    case IKE_PAYLOAD_TSR:
        ts(p);
        return;
    case IKE_PAYLOAD_CP:
        cp(p);
        return;
    case IKE_PAYLOAD_SKF:
        skf(p);
        return;
    }
}

/* The chain with all that was left out of it gone. */
static void rewrite(const IkePayloads *payloads, size_t capacity) {
    static const IkeHeader h = {.spi_i = 1};
    _cleanup_free_ uint8_t *buffer = malloc(capacity);
    size_t needed = IKE_HEADER_SIZE;
    IkePayloads again;
    uint8_t critical;
    IkeWriter m;

    ike_writer_start(&m, buffer, capacity, &h);
    for (size_t i = 0; i < payloads->n; i++) {
        const IkePayload *p = &payloads->items[i];
        ike_blob_write(&m, p->type, p->data, p->size);
        if (!m.w.bad && (p->type == IKE_PAYLOAD_SK || p->type == IKE_PAYLOAD_SKF))
            m.w.data[m.next_offset] = payloads->inner_type;
        needed += 4 + p->size;
    }
    MUST(ike_writer_finish(&m) == (needed > capacity ? -ENOBUFS : 0));
    if (needed > capacity)
        return;
    Reader r = reader_new(buffer + IKE_HEADER_SIZE, m.w.len - IKE_HEADER_SIZE);
    MUST(ike_payloads_split(r, buffer[IKE_NEXT_PAYLOAD_OFFSET], &again, &critical) == 0);
    MUST(again.n == payloads->n && again.inner_type == payloads->inner_type);
    for (size_t i = 0; i < again.n; i++) {
        const IkePayload *a = &payloads->items[i], *b = &again.items[i];
        MUST(a->type == b->type && same(a->data, a->size, b->data, b->size));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t critical = 0, broken = 0;
    IkePayloads payloads;

    if (size < 2)
        return 0;
    int e = ike_payloads_split(reader_new(data + 2, size - 2), data[0], &payloads, &critical);
    MUST(e == 0 || e == -EBADMSG || (e == IKE_NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD && critical != 0));
    if (e != 0)
        return 0;
    MUST(payloads.n <= IKE_PAYLOADS_MAX);

    uint8_t exchange = (uint8_t)(IKE_EXCHANGE_SA_INIT + (data[1] & 3));
    e = ike_payloads_check(&payloads, exchange, data[1] & 4, data[1] & 8, &broken);
    MUST(e == 0 || (e == IKE_NOTIFY_INVALID_SYNTAX && broken != 0));
    for (size_t i = 0; i < payloads.n; i++) {
        const IkePayload *p = &payloads.items[i];
        MUST(p->data >= data && p->data + p->size <= data + size);
        MUST(ike_payloads_find(&payloads, p->type, 0) <= p);
        body(p);
    }
    MUST(!ike_payloads_find(&payloads, payloads.n ? payloads.items[0].type : 1, payloads.n));
    rewrite(&payloads, IKE_HEADER_SIZE + size);
    rewrite(&payloads, IKE_HEADER_SIZE + size / 2);
    return 0;
}
