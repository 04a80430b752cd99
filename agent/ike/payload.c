/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See payload.h. */
#include "ike/payload.h"

#include "base/macro.h"

const char *ike_notify_name(unsigned type) {
    static const struct {
        unsigned type;
        const char *name;
    } names[] = {
#define X(name, number) {number, #name},
        IKE_NOTIFIES(X)
#undef X
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (names[i].type == type)
            return names[i].name;
    return NULL;
}

int ike_header_decode(Reader *r, IkeHeader *ret) {
    size_t size = r->left;
    IkeHeader h = {};

    h.spi_i = reader_u64(r);
    h.spi_r = reader_u64(r);
    h.next_payload = reader_u8(r);
    h.version = reader_u8(r);
    h.exchange = reader_u8(r);
    h.flags = reader_u8(r);
    h.message_id = reader_u32(r);
    h.length = reader_u32(r);
    if (r->bad || h.length != size || h.spi_i == 0)
        return -EBADMSG;
    if (h.version >> 4 != IKE_VERSION >> 4)
        return IKE_NOTIFY_INVALID_MAJOR_VERSION;
    *ret = h;
    return 0;
}

static bool payload_is_known(uint8_t type) {
    return (type >= IKE_PAYLOAD_SA && type <= IKE_PAYLOAD_EAP) || type == IKE_PAYLOAD_SKF;
}

int ike_payloads_split(Reader r, uint8_t first_type, IkePayloads *ret, uint8_t *ret_critical) {
    IkePayloads payloads = {};
    uint8_t type = first_type;

    while (type != IKE_PAYLOAD_NONE) {
        uint8_t next = reader_u8(&r);
        bool critical = reader_u8(&r) & 0x80; /* 2.5: the other bits are reserved and ignored */
        size_t length = reader_u16(&r);
        if (r.bad || length < 4)
            return -EBADMSG;
        Reader body = reader_sub(&r, length - 4);
        if (body.bad)
            return -EBADMSG;

        if (payload_is_known(type)) {
            if (payloads.n == IKE_PAYLOADS_MAX)
                return -EBADMSG;
            payloads.items[payloads.n++] = (IkePayload){.type = type, .data = body.data, .size = body.left};
        } else if (critical) {
            *ret_critical = type;
            return IKE_NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD;
        }
        /* 3.14, RFC 7383 2.5: the last one; "next" is the first one inside it */
        if (type == IKE_PAYLOAD_SK || type == IKE_PAYLOAD_SKF) {
            payloads.inner_type = next;
            break;
        }
        type = next;
    }
    if (!reader_done(&r))
        return -EBADMSG;
    *ret = payloads;
    return 0;
}

const IkePayload *ike_payloads_find(const IkePayloads *payloads, uint8_t type, size_t i) {
    for (size_t k = 0; k < payloads->n; k++)
        if (payloads->items[k].type == type && i-- == 0)
            return &payloads->items[k];
    return NULL;
}

/* RFC 7296 appendix C, as far as an initiator meets it. Payloads without a row may not be there; the payloads
 * of a response that only carries an error notify are all optional, which is why the minima of responses are
 * 0 and the handlers name what they miss. */
static const struct Rule {
    uint8_t exchange;
    bool response, sealed;
    uint8_t type, min, max;
} rules[] = {
    {IKE_EXCHANGE_SA_INIT, true, false, IKE_PAYLOAD_SA, 0, 1},
    {IKE_EXCHANGE_SA_INIT, true, false, IKE_PAYLOAD_KE, 0, 1},
    {IKE_EXCHANGE_SA_INIT, true, false, IKE_PAYLOAD_NONCE, 0, 1},
    {IKE_EXCHANGE_SA_INIT, true, false, IKE_PAYLOAD_CERTREQ, 0, 16},
    {IKE_EXCHANGE_SA_INIT, true, false, IKE_PAYLOAD_NOTIFY, 0, 32},
    {IKE_EXCHANGE_SA_INIT, true, false, IKE_PAYLOAD_VENDOR, 0, 32},
    {IKE_EXCHANGE_AUTH, true, true, IKE_PAYLOAD_IDR, 0, 1},
    {IKE_EXCHANGE_AUTH, true, true, IKE_PAYLOAD_CERT, 0, 16},
    {IKE_EXCHANGE_AUTH, true, true, IKE_PAYLOAD_AUTH, 0, 1},
    {IKE_EXCHANGE_AUTH, true, true, IKE_PAYLOAD_CP, 0, 1},
    {IKE_EXCHANGE_AUTH, true, true, IKE_PAYLOAD_SA, 0, 1},
    {IKE_EXCHANGE_AUTH, true, true, IKE_PAYLOAD_TSI, 0, 1},
    {IKE_EXCHANGE_AUTH, true, true, IKE_PAYLOAD_TSR, 0, 1},
    {IKE_EXCHANGE_AUTH, true, true, IKE_PAYLOAD_EAP, 0, 1},
    {IKE_EXCHANGE_AUTH, true, true, IKE_PAYLOAD_NOTIFY, 0, 32},
    {IKE_EXCHANGE_AUTH, true, true, IKE_PAYLOAD_VENDOR, 0, 32},
    {IKE_EXCHANGE_CREATE_CHILD_SA, false, true, IKE_PAYLOAD_SA, 1, 1},
    {IKE_EXCHANGE_CREATE_CHILD_SA, false, true, IKE_PAYLOAD_NONCE, 1, 1},
    {IKE_EXCHANGE_CREATE_CHILD_SA, false, true, IKE_PAYLOAD_KE, 0, 1},
    {IKE_EXCHANGE_CREATE_CHILD_SA, false, true, IKE_PAYLOAD_TSI, 0, 1},
    {IKE_EXCHANGE_CREATE_CHILD_SA, false, true, IKE_PAYLOAD_TSR, 0, 1},
    {IKE_EXCHANGE_CREATE_CHILD_SA, false, true, IKE_PAYLOAD_NOTIFY, 0, 32},
    {IKE_EXCHANGE_CREATE_CHILD_SA, false, true, IKE_PAYLOAD_VENDOR, 0, 32},
    {IKE_EXCHANGE_CREATE_CHILD_SA, true, true, IKE_PAYLOAD_SA, 0, 1},
    {IKE_EXCHANGE_CREATE_CHILD_SA, true, true, IKE_PAYLOAD_NONCE, 0, 1},
    {IKE_EXCHANGE_CREATE_CHILD_SA, true, true, IKE_PAYLOAD_KE, 0, 1},
    {IKE_EXCHANGE_CREATE_CHILD_SA, true, true, IKE_PAYLOAD_TSI, 0, 1},
    {IKE_EXCHANGE_CREATE_CHILD_SA, true, true, IKE_PAYLOAD_TSR, 0, 1},
    {IKE_EXCHANGE_CREATE_CHILD_SA, true, true, IKE_PAYLOAD_NOTIFY, 0, 32},
    {IKE_EXCHANGE_CREATE_CHILD_SA, true, true, IKE_PAYLOAD_VENDOR, 0, 32},
    {IKE_EXCHANGE_INFORMATIONAL, false, true, IKE_PAYLOAD_NOTIFY, 0, 32},
    {IKE_EXCHANGE_INFORMATIONAL, false, true, IKE_PAYLOAD_DELETE, 0, 32},
    {IKE_EXCHANGE_INFORMATIONAL, false, true, IKE_PAYLOAD_CP, 0, 1},
    {IKE_EXCHANGE_INFORMATIONAL, false, true, IKE_PAYLOAD_VENDOR, 0, 32},
    {IKE_EXCHANGE_INFORMATIONAL, true, true, IKE_PAYLOAD_NOTIFY, 0, 32},
    {IKE_EXCHANGE_INFORMATIONAL, true, true, IKE_PAYLOAD_DELETE, 0, 32},
    {IKE_EXCHANGE_INFORMATIONAL, true, true, IKE_PAYLOAD_CP, 0, 1},
    {IKE_EXCHANGE_INFORMATIONAL, true, true, IKE_PAYLOAD_VENDOR, 0, 32},
};

int ike_payloads_check(const IkePayloads *payloads, uint8_t exchange, bool response, bool sealed,
                       uint8_t *ret_type) {
    size_t counted = 0;

    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        const struct Rule *rule = &rules[i];
        if (rule->exchange != exchange || rule->response != response || rule->sealed != sealed)
            continue;
        size_t n = 0;
        for (size_t k = 0; k < payloads->n; k++)
            n += payloads->items[k].type == rule->type;
        if (n < rule->min || n > rule->max) {
            *ret_type = rule->type;
            return IKE_NOTIFY_INVALID_SYNTAX;
        }
        counted += n;
    }
    if (counted == payloads->n)
        return 0;

    /* Some payload has no row: name the first such. */
    for (size_t k = 0; k < payloads->n; k++) {
        bool allowed = false;
        for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
            allowed |= rules[i].exchange == exchange && rules[i].response == response &&
                       rules[i].sealed == sealed && rules[i].type == payloads->items[k].type;
        if (!allowed) {
            *ret_type = payloads->items[k].type;
            break;
        }
    }
    return IKE_NOTIFY_INVALID_SYNTAX;
}

static Reader payload_reader(const IkePayload *p) {
    return reader_new(p->data, p->size);
}

/* 3.3.5: attributes; only Key Length has a meaning. */
static void transform_attributes_decode(Reader *r, IkeTransform *t) {
    while (r->left > 0 && !r->bad) {
        uint16_t type = reader_u16(r), value = reader_u16(r);
        bool fixed = type & 0x8000;
        if (!fixed)
            reader_bytes(r, value);
        if (fixed && (type & 0x7fff) == IKE_ATTRIBUTE_KEY_LENGTH)
            t->key_bits = value;
        else
            t->unknown = true;
    }
}

static int proposal_decode(Reader *r, bool *ret_last, IkeProposal *ret) {
    IkeProposal p = {};
    uint8_t last = reader_u8(r);
    reader_u8(r);
    size_t length = reader_u16(r);
    if (r->bad || (last != 0 && last != 2) || length < 8)
        return -EBADMSG;
    Reader body = reader_sub(r, length - 4);
    p.number = reader_u8(&body);
    p.protocol = reader_u8(&body);
    p.spi_size = reader_u8(&body);
    size_t n = reader_u8(&body);
    if (p.spi_size == 4)
        p.spi = reader_u32(&body);
    else if (p.spi_size == 8)
        p.spi = reader_u64(&body);
    else if (p.spi_size != 0)
        return -EBADMSG;

    for (size_t i = 0; i < n; i++) {
        uint8_t more = reader_u8(&body);
        reader_u8(&body);
        size_t size = reader_u16(&body);
        if (body.bad || size < 8 || (more != 0 && more != 3) || (more == 0) != (i == n - 1))
            return -EBADMSG;
        Reader attributes = reader_sub(&body, size - 4);
        IkeTransform t = {.type = reader_u8(&attributes)};
        reader_u8(&attributes);
        t.id = reader_u16(&attributes);
        transform_attributes_decode(&attributes, &t);
        if (attributes.bad || i >= IKE_TRANSFORMS_MAX)
            return -EBADMSG;
        p.transforms[p.n_transforms++] = t;
    }
    if (!reader_done(&body))
        return -EBADMSG;
    *ret_last = last == 0;
    *ret = p;
    return 0;
}

int ike_sa_payload_decode(const IkePayload *payload, IkeProposal ret[static IKE_PROPOSALS_MAX],
                          size_t *ret_n) {
    Reader r = payload_reader(payload);
    size_t n = 0;

    for (bool last = false; !last; n++) {
        if (n == IKE_PROPOSALS_MAX)
            return -EBADMSG;
        int e = proposal_decode(&r, &last, &ret[n]);
        if (e != 0)
            return e;
    }
    if (!reader_done(&r))
        return -EBADMSG;
    *ret_n = n;
    return 0;
}

int ike_ke_decode(const IkePayload *p, uint16_t *ret_group, Reader *ret_public) {
    Reader r = payload_reader(p);
    uint16_t group = reader_u16(&r);
    reader_u16(&r);
    if (r.bad || r.left == 0 || r.left > IKE_KE_MAX)
        return -EBADMSG;
    *ret_group = group;
    *ret_public = r;
    return 0;
}

int ike_notify_decode(const IkePayload *p, IkeNotify *ret) {
    Reader r = payload_reader(p);
    IkeNotify n = {.protocol = reader_u8(&r)};
    size_t spi_size = reader_u8(&r);
    n.type = reader_u16(&r);
    if (spi_size == 4)
        n.spi = reader_u32(&r);
    else
        reader_bytes(&r, spi_size);
    if (r.bad)
        return -EBADMSG;
    n.size = r.left;
    n.data = reader_bytes(&r, r.left);
    *ret = n;
    return 0;
}

bool ike_notify_find(const IkePayloads *payloads, unsigned type, IkeNotify *ret) {
    const IkePayload *p;

    for (size_t i = 0; (p = ike_payloads_find(payloads, IKE_PAYLOAD_NOTIFY, i)); i++)
        if (ike_notify_decode(p, ret) == 0 && ret->type == type)
            return true;
    return false;
}

unsigned ike_notify_error(const IkePayloads *payloads) {
    const IkePayload *p;
    IkeNotify n;

    for (size_t i = 0; (p = ike_payloads_find(payloads, IKE_PAYLOAD_NOTIFY, i)); i++)
        if (ike_notify_decode(p, &n) == 0 && n.type < IKE_NOTIFY_STATUS_MIN)
            return n.type;
    return 0;
}

int ike_delete_decode(const IkePayload *p, IkeDelete *ret) {
    Reader r = payload_reader(p);
    IkeDelete d = {.protocol = reader_u8(&r)};
    size_t spi_size = reader_u8(&r), n = reader_u16(&r);

    /* 3.11: the IKE SA is deleted by protocol alone, ESP and AH by SPIs of four bytes. */
    if (d.protocol == IKE_PROTOCOL_IKE) {
        if (spi_size != 0 || n != 0)
            return -EBADMSG;
    } else if (spi_size != 4 || n > IKE_SPIS_MAX)
        return -EBADMSG;
    for (size_t i = 0; i < n; i++)
        d.spis[d.n_spis++] = reader_u32(&r);
    if (!reader_done(&r))
        return -EBADMSG;
    *ret = d;
    return 0;
}

static int typed_blob_decode(const IkePayload *p, size_t reserved, uint8_t *ret_kind, Reader *ret_data) {
    Reader r = payload_reader(p);
    uint8_t kind = reader_u8(&r);
    reader_bytes(&r, reserved);
    if (r.bad)
        return -EBADMSG;
    *ret_kind = kind;
    *ret_data = r;
    return 0;
}

int ike_id_decode(const IkePayload *p, uint8_t *ret_type, Reader *ret_data) {
    return typed_blob_decode(p, 3, ret_type, ret_data);
}

int ike_cert_decode(const IkePayload *p, uint8_t *ret_encoding, Reader *ret_data) {
    return typed_blob_decode(p, 0, ret_encoding, ret_data);
}

int ike_auth_decode(const IkePayload *p, uint8_t *ret_method, Reader *ret_data) {
    return typed_blob_decode(p, 3, ret_method, ret_data);
}

int ike_skf_decode(const IkePayload *p, uint16_t *ret_number, uint16_t *ret_total, Reader *ret_sealed) {
    Reader r = payload_reader(p);
    uint16_t number = reader_u16(&r), total = reader_u16(&r);
    if (r.bad || number == 0 || number > total)
        return -EBADMSG;
    *ret_number = number;
    *ret_total = total;
    *ret_sealed = r;
    return 0;
}

/* The prefix length of the range first..last, or -1 when it is none. */
static int range_prefix(const uint8_t *first, const uint8_t *last, size_t size) {
    size_t prefix = 0, bits = size * 8;
    while (prefix < bits && ((first[prefix / 8] ^ last[prefix / 8]) >> (7 - prefix % 8) & 1) == 0)
        prefix++;
    for (size_t i = prefix; i < bits; i++)
        if ((first[i / 8] >> (7 - i % 8) & 1) != 0 || (last[i / 8] >> (7 - i % 8) & 1) != 1)
            return -1;
    return (int)prefix;
}

int ike_ts_decode(const IkePayload *p, TrafficSelector ret[static TS_MAX], size_t *ret_n) {
    Reader r = payload_reader(p);
    size_t n = reader_u8(&r), kept = 0;

    reader_bytes(&r, 3);
    for (size_t i = 0; i < n; i++) {
        uint8_t type = reader_u8(&r), protocol = reader_u8(&r);
        size_t length = reader_u16(&r);
        if (r.bad || length < 8)
            return -EBADMSG;
        Reader body = reader_sub(&r, length - 4);
        TrafficSelector ts = {.protocol = protocol};
        ts.port_min = reader_u16(&body);
        ts.port_max = reader_u16(&body);
        int family = type == IKE_TS_IPV4_ADDR_RANGE   ? AF_INET
                     : type == IKE_TS_IPV6_ADDR_RANGE ? AF_INET6
                                                      : AF_UNSPEC;
        if (family == AF_UNSPEC && !body.bad)
            continue;
        const uint8_t *first = reader_bytes(&body, address_size(family));
        const uint8_t *last = reader_bytes(&body, address_size(family));
        if (!reader_done(&body))
            return -EBADMSG;
        int prefix = range_prefix(first, last, address_size(family));
        if (prefix < 0 || kept == TS_MAX)
            continue;
        ts.address = address_from_bytes(family, first);
        ts.prefix = (uint8_t)prefix;
        ret[kept++] = ts;
    }
    if (!reader_done(&r) || n == 0)
        return -EBADMSG;
    *ret_n = kept;
    return 0;
}

/* 3.15.1, what we ask for; INTERNAL_IP6_ADDRESS has a prefix length behind the address. */
static const struct {
    uint16_t type;
    int family;
    size_t trailing;
    size_t list; /* offset in IkeConfiguration */
} cp_attributes[] = {
    {IKE_CP_INTERNAL_IP4_ADDRESS, AF_INET, 0, offsetof(IkeConfiguration, addresses)},
    {IKE_CP_INTERNAL_IP4_DNS, AF_INET, 0, offsetof(IkeConfiguration, dns)},
    {IKE_CP_INTERNAL_IP6_ADDRESS, AF_INET6, 1, offsetof(IkeConfiguration, addresses)},
    {IKE_CP_INTERNAL_IP6_DNS, AF_INET6, 0, offsetof(IkeConfiguration, dns)},
};

int ike_cp_decode(const IkePayload *p, IkeConfiguration *ret) {
    Reader r = payload_reader(p);
    IkeConfiguration c = {};
    uint8_t cfg_type = reader_u8(&r);

    reader_bytes(&r, 3);
    while (r.left > 0) {
        uint16_t type = reader_u16(&r) & 0x7fff;
        size_t length = reader_u16(&r);
        Reader value = reader_sub(&r, length);
        for (size_t i = 0; i < ARRAY_SIZE(cp_attributes) && length > 0; i++) {
            if (cp_attributes[i].type != type)
                continue;
            const uint8_t *bytes = reader_bytes(&value, address_size(cp_attributes[i].family));
            reader_bytes(&value, cp_attributes[i].trailing);
            if (!bytes || !reader_done(&value))
                return -EBADMSG;
            AddressList *list = (AddressList *)((uint8_t *)&c + cp_attributes[i].list);
            if (list->n < ADDRESSES_MAX)
                list->items[list->n++] = address_from_bytes(cp_attributes[i].family, bytes);
        }
    }
    if (!reader_done(&r) || cfg_type != IKE_CFG_REPLY)
        return -EBADMSG;
    *ret = c;
    return 0;
}

void ike_writer_start(IkeWriter *m, void *buffer, size_t size, const IkeHeader *h) {
    *m = (IkeWriter){.w = writer_new(buffer, size), .next_offset = IKE_NEXT_PAYLOAD_OFFSET};
    writer_u64(&m->w, h->spi_i);
    writer_u64(&m->w, h->spi_r);
    writer_u8(&m->w, IKE_PAYLOAD_NONE);
    writer_u8(&m->w, IKE_VERSION);
    writer_u8(&m->w, h->exchange);
    writer_u8(&m->w, h->flags);
    writer_u32(&m->w, h->message_id);
    writer_u32(&m->w, 0);
}

void ike_writer_begin(IkeWriter *m, uint8_t type) {
    if (m->w.bad)
        return;
    m->w.data[m->next_offset] = type;
    m->payload = m->next_offset = m->w.len;
    writer_u32(&m->w, 0); /* next payload, critical bit, length */
}

void ike_writer_end(IkeWriter *m) {
    if (m->w.len - m->payload > UINT16_MAX)
        m->w.bad = true;
    writer_patch_u16(&m->w, m->payload + 2, (uint16_t)(m->w.len - m->payload));
}

int ike_writer_finish(IkeWriter *m) {
    writer_patch_u32(&m->w, IKE_LENGTH_OFFSET, (uint32_t)m->w.len);
    return m->w.bad ? -ENOBUFS : 0;
}

void ike_notify_write(IkeWriter *m, uint8_t protocol, uint16_t type, const void *data, size_t size) {
    ike_writer_begin(m, IKE_PAYLOAD_NOTIFY);
    writer_u8(&m->w, protocol);
    writer_u8(&m->w, 0);
    writer_u16(&m->w, type);
    writer_bytes(&m->w, data, size);
    ike_writer_end(m);
}

void ike_notify_spi_write(IkeWriter *m, uint8_t protocol, uint32_t spi, uint16_t type) {
    ike_writer_begin(m, IKE_PAYLOAD_NOTIFY);
    writer_u8(&m->w, protocol);
    writer_u8(&m->w, 4);
    writer_u16(&m->w, type);
    writer_u32(&m->w, spi);
    ike_writer_end(m);
}

static void transform_write(Writer *w, const IkeTransform *t, bool last) {
    writer_u8(w, last ? 0 : 3);
    writer_u8(w, 0);
    writer_u16(w, t->key_bits ? 12 : 8);
    writer_u8(w, t->type);
    writer_u8(w, 0);
    writer_u16(w, t->id);
    if (t->key_bits) {
        writer_u16(w, 0x8000 | IKE_ATTRIBUTE_KEY_LENGTH);
        writer_u16(w, t->key_bits);
    }
}

void ike_sa_payload_write(IkeWriter *m, const IkeProposal *proposals, size_t n) {
    ike_writer_begin(m, IKE_PAYLOAD_SA);
    for (size_t i = 0; i < n; i++) {
        const IkeProposal *p = &proposals[i];
        size_t start = m->w.len;
        writer_u8(&m->w, i == n - 1 ? 0 : 2);
        writer_u8(&m->w, 0);
        writer_u16(&m->w, 0);
        writer_u8(&m->w, p->number);
        writer_u8(&m->w, p->protocol);
        writer_u8(&m->w, p->spi_size);
        writer_u8(&m->w, (uint8_t)p->n_transforms);
        if (p->spi_size == 4)
            writer_u32(&m->w, (uint32_t)p->spi);
        else if (p->spi_size == 8)
            writer_u64(&m->w, p->spi);
        for (size_t t = 0; t < p->n_transforms; t++)
            transform_write(&m->w, &p->transforms[t], t == p->n_transforms - 1);
        writer_patch_u16(&m->w, start + 2, (uint16_t)(m->w.len - start));
    }
    ike_writer_end(m);
}

void ike_ke_write(IkeWriter *m, uint16_t group, const uint8_t *public_value, size_t size) {
    ike_writer_begin(m, IKE_PAYLOAD_KE);
    writer_u16(&m->w, group);
    writer_u16(&m->w, 0);
    writer_bytes(&m->w, public_value, size);
    ike_writer_end(m);
}

void ike_blob_write(IkeWriter *m, uint8_t type, const void *data, size_t size) {
    ike_writer_begin(m, type);
    writer_bytes(&m->w, data, size);
    ike_writer_end(m);
}

void ike_typed_blob_write(IkeWriter *m, uint8_t type, uint8_t kind, size_t reserved, const void *data,
                          size_t size) {
    ike_writer_begin(m, type);
    writer_u8(&m->w, kind);
    for (size_t i = 0; i < reserved; i++)
        writer_u8(&m->w, 0);
    writer_bytes(&m->w, data, size);
    ike_writer_end(m);
}

void ike_delete_write(IkeWriter *m, uint8_t protocol, const uint32_t *spis, size_t n) {
    ike_writer_begin(m, IKE_PAYLOAD_DELETE);
    writer_u8(&m->w, protocol);
    writer_u8(&m->w, protocol == IKE_PROTOCOL_IKE ? 0 : 4);
    writer_u16(&m->w, (uint16_t)n);
    for (size_t i = 0; i < n; i++)
        writer_u32(&m->w, spis[i]);
    ike_writer_end(m);
}

/* The last address of the prefix: its first one with all host bits set. */
static void prefix_last(const TrafficSelector *ts, uint8_t ret[static 16]) {
    size_t bits = address_size(ts->address.family) * 8;
    memcpy(ret, ts->address.bytes, bits / 8);
    for (size_t i = ts->prefix; i < bits; i++)
        ret[i / 8] = (uint8_t)(ret[i / 8] | 0x80 >> i % 8);
}

void ike_ts_write(IkeWriter *m, uint8_t type, const TrafficSelector *ts, size_t n) {
    ike_writer_begin(m, type);
    writer_u8(&m->w, (uint8_t)n);
    writer_u8(&m->w, 0);
    writer_u16(&m->w, 0);
    for (size_t i = 0; i < n; i++) {
        size_t size = address_size(ts[i].address.family);
        uint8_t last[16];
        prefix_last(&ts[i], last);
        writer_u8(&m->w, size == 4 ? IKE_TS_IPV4_ADDR_RANGE : IKE_TS_IPV6_ADDR_RANGE);
        writer_u8(&m->w, ts[i].protocol);
        writer_u16(&m->w, (uint16_t)(8 + 2 * size));
        writer_u16(&m->w, ts[i].port_min);
        writer_u16(&m->w, ts[i].port_max);
        writer_bytes(&m->w, ts[i].address.bytes, size);
        writer_bytes(&m->w, last, size);
    }
    ike_writer_end(m);
}

void ike_cp_request_write(IkeWriter *m, const AddressList *inner) {
    ike_writer_begin(m, IKE_PAYLOAD_CP);
    writer_u32(&m->w, (uint32_t)IKE_CFG_REQUEST << 24);
    for (size_t i = 0; i < ARRAY_SIZE(cp_attributes); i++) {
        int family = cp_attributes[i].family;
        bool address = cp_attributes[i].list == offsetof(IkeConfiguration, addresses);
        const Address *a = address ? address_list_find(inner, family) : NULL;
        writer_u16(&m->w, cp_attributes[i].type);
        writer_u16(&m->w, (uint16_t)(a ? address_size(family) + (family == AF_INET6) : 0));
        if (a)
            writer_bytes(&m->w, a->bytes, address_size(family));
        if (a && family == AF_INET6)
            writer_u8(&m->w, 128); /* 3.15.1: the prefix length */
    }
    ike_writer_end(m);
}
