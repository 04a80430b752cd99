/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See xfrm.h. Layouts and their meaning: linux/xfrm.h and the kernel's net/xfrm/xfrm_user.c. */
#include "netlink/xfrm.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/udp.h>

#include "base/macro.h"

/* Newer than the headers of Debian 12; the numbers are the kernel's (include/uapi/linux/xfrm.h). */
#define ATTRIBUTE_SA_DIR        33 /* u8 */
#define ATTRIBUTE_NAT_KEEPALIVE 34 /* u32, seconds */

#define OUTBOUND_WINDOW 32 /* with ESN a kernel that knows no directions wants one, and never looks at it */

static struct nlmsghdr *message_new(XfrmMessage buf, uint16_t type, uint16_t flags) {
    struct nlmsghdr *m = mnl_nlmsg_put_header(buf);
    m->nlmsg_type = type;
    m->nlmsg_flags = NLM_F_REQUEST | flags;
    return m;
}

/* An attribute of zeroes for the caller to fill in place, so that keys are written once and nowhere else. */
static void *message_reserve(struct nlmsghdr *m, uint16_t type, size_t size) {
    struct nlattr *attr = mnl_nlmsg_get_payload_tail(m);
    assert(m->nlmsg_len + MNL_ATTR_HDRLEN + MNL_ALIGN(size) <= XFRM_MESSAGE_MAX);
    memset(attr, 0, MNL_ATTR_HDRLEN + MNL_ALIGN(size));
    attr->nla_type = type;
    attr->nla_len = (uint16_t)(MNL_ATTR_HDRLEN + size);
    m->nlmsg_len += (uint32_t)(MNL_ATTR_HDRLEN + MNL_ALIGN(size));
    return mnl_attr_get_payload(attr);
}

static void message_put_if_id(struct nlmsghdr *m, uint32_t if_id) {
    if (if_id != 0)
        mnl_attr_put_u32(m, XFRMA_IF_ID, if_id);
}

static xfrm_address_t kernel_address(const Address *a) {
    xfrm_address_t k = {0};
    memcpy(&k, a->bytes, address_size(a->family));
    return k;
}

/* Seconds of 0 mean never: the clock is the IKE engine's. */
static struct xfrm_lifetime_cfg lifetime_endless(void) {
    return (struct xfrm_lifetime_cfg){
        .soft_byte_limit = XFRM_INF,
        .hard_byte_limit = XFRM_INF,
        .soft_packet_limit = XFRM_INF,
        .hard_packet_limit = XFRM_INF,
    };
}

static struct xfrm_lifetime_cfg lifetime_of(const ChildSa *child) {
    struct xfrm_lifetime_cfg limits = lifetime_endless();
    if (child->byte_limit)
        limits.soft_byte_limit = child->byte_limit;
    if (child->packet_limit)
        limits.soft_packet_limit = child->packet_limit;
    if (!child->esn) {
        limits.soft_packet_limit = MIN(limits.soft_packet_limit, (__u64)SEQUENCE_SOFT);
        limits.hard_packet_limit = SEQUENCE_HARD;
    }
    return limits;
}

/* What names an SA of ours, larval or full. */
static void sa_fill(struct xfrm_usersa_info *info, const Address *source, const Address *destination,
                    uint32_t spi, uint32_t id) {
    info->id.daddr = kernel_address(destination);
    info->id.spi = htonl(spi);
    info->id.proto = IPPROTO_ESP;
    info->saddr = kernel_address(source);
    info->reqid = id;
    info->family = (uint16_t)destination->family;
    info->mode = XFRM_MODE_TUNNEL;
}

static void sa_put_direction(struct nlmsghdr *m, unsigned part, unsigned features) {
    if (features & NETLINK_SA_DIR)
        mnl_attr_put_u8(m, ATTRIBUTE_SA_DIR, part == CHILD_IN ? XFRM_DIRECTION_IN : XFRM_DIRECTION_OUT);
}

struct nlmsghdr *xfrm_encode_allocate_spi(XfrmMessage buf, const Address *remote, const Address *local,
                                          uint32_t id, unsigned features) {
    struct nlmsghdr *m = message_new(buf, XFRM_MSG_ALLOCSPI, NLM_F_ACK);
    struct xfrm_userspi_info *spi = mnl_nlmsg_put_extra_header(m, sizeof *spi);
    sa_fill(&spi->info, remote, local, 0, id);
    spi->min = XFRM_SPI_MIN;
    spi->max = XFRM_SPI_MAX;
    message_put_if_id(m, id);
    sa_put_direction(m, CHILD_IN, features);
    return m;
}

static void algorithm_name(char ret[static 64], const char *name) {
    assert(strlen(name) < 64);
    memcpy(ret, name, strlen(name)); /* the rest is zero already */
}

static void sa_put_aead(struct nlmsghdr *m, const EspAlgorithms *algorithms, const EspKeys *keys) {
    struct xfrm_algo_aead *aead = message_reserve(m, XFRMA_ALG_AEAD, sizeof *aead + keys->encryption_size);
    algorithm_name(aead->alg_name, algorithms->aead);
    aead->alg_key_len = (unsigned)keys->encryption_size * 8;
    aead->alg_icv_len = algorithms->icv_bits;
    memcpy(aead->alg_key, keys->encryption, keys->encryption_size);
}

/* XFRMA_ALG_AUTH_TRUNC, never XFRMA_ALG_AUTH: with the latter the kernel truncates HMAC-SHA2-256 to the 96
 * bits of a draft instead of the 128 of RFC 4868. */
static void sa_put_cipher_and_integrity(struct nlmsghdr *m, const EspAlgorithms *algorithms,
                                        const EspKeys *keys) {
    struct xfrm_algo *cipher = message_reserve(m, XFRMA_ALG_CRYPT, sizeof *cipher + keys->encryption_size);
    algorithm_name(cipher->alg_name, algorithms->encryption);
    cipher->alg_key_len = (unsigned)keys->encryption_size * 8;
    memcpy(cipher->alg_key, keys->encryption, keys->encryption_size);

    struct xfrm_algo_auth *auth =
        message_reserve(m, XFRMA_ALG_AUTH_TRUNC, sizeof *auth + keys->integrity_size);
    algorithm_name(auth->alg_name, algorithms->integrity);
    auth->alg_key_len = (unsigned)keys->integrity_size * 8;
    auth->alg_trunc_len = algorithms->truncation_bits;
    memcpy(auth->alg_key, keys->integrity, keys->integrity_size);
}

static void sa_put_encapsulation(struct nlmsghdr *m, uint16_t source_port, uint16_t destination_port) {
    struct xfrm_encap_tmpl *encap = message_reserve(m, XFRMA_ENCAP, sizeof *encap);
    encap->encap_type = UDP_ENCAP_ESPINUDP;
    encap->encap_sport = htons(source_port);
    encap->encap_dport = htons(destination_port);
}

/* The bitmap form takes windows beyond the 32 packets of xfrm_usersa_info.replay_window, which must then be
 * 0; without XFRM_STATE_ESN it counts plain 32-bit sequence numbers. The empty bitmap itself is the kernel's
 * to make. */
static void sa_put_replay(struct nlmsghdr *m, uint32_t window) {
    assert(window <= REPLAY_WINDOW_MAX);
    struct xfrm_replay_state_esn *replay = message_reserve(m, XFRMA_REPLAY_ESN_VAL, sizeof *replay);
    replay->bmp_len = (window + 31) / 32;
    replay->replay_window = window;
}

/* The window is the receiver's, and kernels that know directions refuse one for an outbound SA. But numbers
 * of 64 bits are kept in this form alone. */
static void sa_put_sequence(struct nlmsghdr *m, const ChildSa *child, unsigned part, unsigned features) {
    if (part == CHILD_IN)
        sa_put_replay(m, child->replay_window ? child->replay_window : REPLAY_WINDOW_DEFAULT);
    else if (child->esn)
        sa_put_replay(m, features & NETLINK_SA_DIR ? 0 : OUTBOUND_WINDOW);
}

/* What depends on the outer path. */
static void sa_put_path(struct nlmsghdr *m, const ChildSa *child, unsigned part, unsigned features) {
    if (!child->encapsulate)
        return;
    if (part == CHILD_IN) {
        sa_put_encapsulation(m, child->remote.port, child->local.port);
        /* Linux 5.17; before, each packet from elsewhere is an event. */
        mnl_attr_put_u32(m, XFRMA_MTIMER_THRESH, MAPPING_SECONDS);
        return;
    }
    sa_put_encapsulation(m, child->local.port, child->remote.port);
    if (child->nat_keepalive && features & NETLINK_NAT_KEEPALIVE)
        mnl_attr_put_u32(m, ATTRIBUTE_NAT_KEEPALIVE, child->nat_keepalive);
}

static struct nlmsghdr *sa_encode(XfrmMessage buf, uint16_t type, const ChildSa *child, unsigned part,
                                  uint32_t id, unsigned features) {
    bool in = part == CHILD_IN;
    uint32_t spi = in ? child->spi_in : child->spi_out;
    const EspKeys *keys = in ? &child->keys_in : &child->keys_out;
    const Address *source = in ? &child->remote.address : &child->local.address;
    const Address *destination = in ? &child->local.address : &child->remote.address;
    assert(spi >= XFRM_SPI_MIN);
    assert(keys->encryption_size <= ESP_KEY_MAX && keys->integrity_size <= ESP_KEY_MAX);

    struct nlmsghdr *m = message_new(buf, type, NLM_F_ACK);
    struct xfrm_usersa_info *info = mnl_nlmsg_put_extra_header(m, sizeof *info);
    sa_fill(info, source, destination, spi, id);
    info->lft = lifetime_of(child);
    /* With this flag and no selector one SA carries inner IPv4 and IPv6, whatever the outer family; which
     * packets may pass is the policies' business. No flag says anything of DSCP and ECN: the kernel then
     * copies DSCP to the outer header, leaves the inner one alone, and does ECN by RFC 6040. */
    info->flags = XFRM_STATE_AF_UNSPEC | (child->esn ? XFRM_STATE_ESN : 0);
    if (child->algorithms.aead)
        sa_put_aead(m, &child->algorithms, keys);
    else
        sa_put_cipher_and_integrity(m, &child->algorithms, keys);
    message_put_if_id(m, id);
    sa_put_direction(m, part, features);
    sa_put_path(m, child, part, features);
    sa_put_sequence(m, child, part, features);
    return m;
}

struct nlmsghdr *xfrm_encode_sa_in(XfrmMessage buf, uint16_t type, const ChildSa *child, uint32_t id,
                                   unsigned features) {
    return sa_encode(buf, type, child, CHILD_IN, id, features);
}

struct nlmsghdr *xfrm_encode_sa_out(XfrmMessage buf, const ChildSa *child, uint32_t id, unsigned features) {
    return sa_encode(buf, XFRM_MSG_NEWSA, child, CHILD_OUT, id, features);
}

/* What of a told SA is said again as it is; the rest depends on the path or is for the kernel to say. */
static bool attribute_moves(uint16_t type) {
    switch (type) {
    case XFRMA_ALG_AEAD:
    case XFRMA_ALG_CRYPT:
    case XFRMA_ALG_AUTH_TRUNC:
    case XFRMA_REPLAY_VAL:
    case XFRMA_REPLAY_ESN_VAL:
    case XFRMA_IF_ID:
    case ATTRIBUTE_SA_DIR:
        return true;
    default:
        return false;
    }
}

static void sequence_skip(struct nlattr *attr, bool esn) {
    if (mnl_attr_get_type(attr) == XFRMA_REPLAY_ESN_VAL &&
        mnl_attr_get_payload_len(attr) >= sizeof(struct xfrm_replay_state_esn)) {
        struct xfrm_replay_state_esn *replay = mnl_attr_get_payload(attr);
        uint64_t next = ((uint64_t)replay->oseq_hi << 32 | replay->oseq) + SEQUENCE_SKIP;
        if (!esn)
            next = MIN(next, (uint64_t)UINT32_MAX);
        replay->oseq = (uint32_t)next;
        replay->oseq_hi = (uint32_t)(next >> 32);
    } else if (mnl_attr_get_type(attr) == XFRMA_REPLAY_VAL &&
               mnl_attr_get_payload_len(attr) >= sizeof(struct xfrm_replay_state)) {
        struct xfrm_replay_state *replay = mnl_attr_get_payload(attr);
        replay->oseq = (uint32_t)MIN((uint64_t)replay->oseq + SEQUENCE_SKIP, (uint64_t)UINT32_MAX);
    }
}

int xfrm_encode_moved_sa(XfrmMessage buf, const struct nlmsghdr *told, const ChildSa *child, unsigned part,
                         unsigned features, struct nlmsghdr **ret) {
    struct xfrm_usersa_info info_told, *before = &info_told;
    const size_t path_size = 128; /* room for what is said of the path and of lifetimes */
    const struct nlattr *attr;
    if (told->nlmsg_type != XFRM_MSG_NEWSA || mnl_nlmsg_get_payload_len(told) < sizeof *before)
        return -EBADMSG;
    memcpy(before, mnl_nlmsg_get_payload(told), sizeof *before);

    bool in = part == CHILD_IN;
    const Address *source = in ? &child->remote.address : &child->local.address;
    const Address *destination = in ? &child->local.address : &child->remote.address;
    struct nlmsghdr *m = message_new(buf, XFRM_MSG_NEWSA, NLM_F_ACK);
    struct xfrm_usersa_info *info = mnl_nlmsg_put_extra_header(m, sizeof *info);
    sa_fill(info, source, destination, ntohl(before->id.spi), before->reqid);
    info->lft = before->lft;
    info->flags = before->flags;

    const uint8_t *end = mnl_nlmsg_get_payload_tail(told);
    for (attr = mnl_nlmsg_get_payload_offset(told, sizeof *before);
         mnl_attr_ok(attr, (int)(end - (const uint8_t *)attr)); attr = mnl_attr_next(attr)) {
        if (!attribute_moves(mnl_attr_get_type(attr)))
            continue;
        if (m->nlmsg_len + MNL_ALIGN(attr->nla_len) + path_size > XFRM_MESSAGE_MAX)
            return -EBADMSG;
        struct nlattr *copy = mnl_nlmsg_get_payload_tail(m);
        memset(copy, 0, MNL_ALIGN(attr->nla_len));
        memcpy(copy, attr, attr->nla_len);
        m->nlmsg_len += MNL_ALIGN(attr->nla_len);
        if (!in)
            sequence_skip(copy, before->flags & XFRM_STATE_ESN);
    }
    mnl_attr_put(m, XFRMA_LTIME_VAL, sizeof before->curlft, &before->curlft);
    sa_put_path(m, child, part, features);
    *ret = m;
    return 0;
}

struct nlmsghdr *xfrm_encode_sa_id(XfrmMessage buf, uint16_t type, const Address *destination, uint32_t spi,
                                   uint8_t protocol) {
    struct nlmsghdr *m = message_new(buf, type, NLM_F_ACK);
    struct xfrm_usersa_id *sa = mnl_nlmsg_put_extra_header(m, sizeof *sa);
    sa->daddr = kernel_address(destination);
    sa->spi = htonl(spi);
    sa->family = (uint16_t)destination->family;
    sa->proto = protocol;
    return m;
}

struct nlmsghdr *xfrm_encode_probe(XfrmMessage buf, uint32_t spi, uint32_t id) {
    static const uint8_t loopback[] = {127, 0, 0, 1};
    const Endpoint here = {.address = address_from_bytes(AF_INET, loopback), .port = 4500};
    const ChildSa probe = {
        .spi_out = spi,
        .local = here,
        .remote = here,
        .encapsulate = true,
        .algorithms = {.aead = "rfc4106(gcm(aes))", .icv_bits = 128},
        .keys_out = {.encryption_size = 20}, /* zeroes: no policy leads here */
        .nat_keepalive = 3600,
    };
    return xfrm_encode_sa_out(buf, &probe, id, NETLINK_SA_DIR | NETLINK_NAT_KEEPALIVE);
}

unsigned xfrm_features(const XfrmSa *told) {
    return (told->direction ? NETLINK_SA_DIR : 0u) | (told->nat_keepalive ? NETLINK_NAT_KEEPALIVE : 0u);
}

/* *a* with the bits beyond *prefix* cleared: the kernel ignores them when it matches packets, but not when it
 * compares policies. */
static xfrm_address_t network_address(const Address *a, uint8_t prefix) {
    Address network = *a;
    for (size_t i = 0; i < address_size(a->family); i++) {
        size_t bits = prefix > 8 * i ? MIN(prefix - 8 * i, (size_t)8) : 0;
        network.bytes[i] &= (uint8_t)(0xff00 >> bits);
    }
    return kernel_address(&network);
}

static int port_mask(const TrafficSelector *ts, __be16 *ret_port, __be16 *ret_mask) {
    if (ts->port_min == 0 && ts->port_max == UINT16_MAX)
        *ret_port = *ret_mask = 0;
    else if (ts->port_min == ts->port_max) {
        *ret_port = htons(ts->port_min);
        *ret_mask = htons(UINT16_MAX);
    } else
        return -EOPNOTSUPP;
    return 0;
}

static bool selectors_pair(const TrafficSelector *local, const TrafficSelector *remote) {
    return local->address.family == remote->address.family &&
           (local->protocol == remote->protocol || local->protocol == 0 || remote->protocol == 0);
}

static int selector_from_ts(const TrafficSelector *source, const TrafficSelector *destination,
                            struct xfrm_selector *ret) {
    size_t bits = 8 * address_size(source->address.family);
    if (bits == 0 || source->prefix > bits || destination->prefix > bits)
        return -EINVAL;

    struct xfrm_selector s = {
        .saddr = network_address(&source->address, source->prefix),
        .daddr = network_address(&destination->address, destination->prefix),
        .family = (uint16_t)source->address.family,
        .prefixlen_s = source->prefix,
        .prefixlen_d = destination->prefix,
        .proto = source->protocol ? source->protocol : destination->protocol,
    };
    int r = port_mask(source, &s.sport, &s.sport_mask);
    if (r == 0)
        r = port_mask(destination, &s.dport, &s.dport_mask);
    if (r < 0)
        return r;
    *ret = s;
    return 0;
}

static XfrmPolicy policy_of_tunnel(uint8_t direction, const struct xfrm_selector *selector,
                                   const Endpoint *from, const Endpoint *to, uint32_t id) {
    return (XfrmPolicy){
        .selector = *selector,
        .direction = direction,
        .action = XFRM_POLICY_ALLOW,
        .priority = id,
        .if_id = id,
        .reqid = id,
        .tunnel_source = from->address,
        .tunnel_destination = to->address,
    };
}

int xfrm_policies_of_child(const ChildSa *child, uint32_t id, XfrmPolicy ret[static XFRM_POLICIES_MAX],
                           size_t *ret_n) {
    assert(child->n_local_ts <= TS_MAX && child->n_remote_ts <= TS_MAX);
    size_t n = 0;

    for (size_t i = 0; i < child->n_local_ts; i++)
        for (size_t j = 0; j < child->n_remote_ts; j++) {
            const TrafficSelector *local = &child->local_ts[i], *remote = &child->remote_ts[j];
            struct xfrm_selector out, in;
            if (!selectors_pair(local, remote))
                continue;
            int r = selector_from_ts(local, remote, &out);
            if (r == 0)
                r = selector_from_ts(remote, local, &in);
            if (r < 0)
                return r;
            ret[n++] = policy_of_tunnel(XFRM_POLICY_OUT, &out, &child->local, &child->remote, id);
            ret[n++] = policy_of_tunnel(XFRM_POLICY_IN, &in, &child->remote, &child->local, id);
        }
    if (n == 0)
        return -EINVAL;
    *ret_n = n;
    return 0;
}

XfrmPolicy xfrm_block_policy(const Address *inner, uint32_t id) {
    return (XfrmPolicy){
        .selector =
            {
                .daddr = kernel_address(inner),
                .family = (uint16_t)inner->family,
                .prefixlen_d = (uint8_t)(8 * address_size(inner->family)),
            },
        .direction = XFRM_POLICY_IN,
        .action = XFRM_POLICY_BLOCK,
        .priority = id,
    };
}

bool xfrm_policy_is_block(const XfrmPolicy *policy, uint32_t id, Address *ret_inner) {
    Address inner = address_from_bytes(policy->selector.family, &policy->selector.daddr);
    XfrmPolicy ours = xfrm_block_policy(&inner, id);
    if (address_size(inner.family) == 0 || !xfrm_policy_same(policy, &ours) ||
        policy->action != ours.action || policy->priority != ours.priority)
        return false;
    *ret_inner = inner;
    return true;
}

static bool selector_equal(const struct xfrm_selector *a, const struct xfrm_selector *b) {
    return a->family == b->family && memcmp(&a->saddr, &b->saddr, sizeof a->saddr) == 0 &&
           memcmp(&a->daddr, &b->daddr, sizeof a->daddr) == 0 && a->prefixlen_s == b->prefixlen_s &&
           a->prefixlen_d == b->prefixlen_d && a->proto == b->proto && a->sport == b->sport &&
           a->sport_mask == b->sport_mask && a->dport == b->dport && a->dport_mask == b->dport_mask &&
           a->ifindex == b->ifindex && a->user == b->user;
}

bool xfrm_policy_same(const XfrmPolicy *a, const XfrmPolicy *b) {
    return a->direction == b->direction && a->if_id == b->if_id && selector_equal(&a->selector, &b->selector);
}

bool xfrm_policy_equal(const XfrmPolicy *a, const XfrmPolicy *b) {
    return xfrm_policy_same(a, b) && a->action == b->action && a->priority == b->priority &&
           a->reqid == b->reqid && address_equal(&a->tunnel_source, &b->tunnel_source) &&
           address_equal(&a->tunnel_destination, &b->tunnel_destination);
}

/* Field by field into zeroed bytes: the kernel compares selectors with memcmp(), padding included, and
 * copying a struct says nothing about its padding. */
static void selector_write(struct xfrm_selector *to, const struct xfrm_selector *from) {
    memcpy(&to->saddr, &from->saddr, sizeof to->saddr);
    memcpy(&to->daddr, &from->daddr, sizeof to->daddr);
    to->sport = from->sport;
    to->sport_mask = from->sport_mask;
    to->dport = from->dport;
    to->dport_mask = from->dport_mask;
    to->family = from->family;
    to->prefixlen_s = from->prefixlen_s;
    to->prefixlen_d = from->prefixlen_d;
    to->proto = from->proto;
    to->ifindex = from->ifindex;
    to->user = from->user;
}

static void policy_put_template(struct nlmsghdr *m, const XfrmPolicy *policy) {
    struct xfrm_user_tmpl *template = message_reserve(m, XFRMA_TMPL, sizeof *template);
    template->id.daddr = kernel_address(&policy->tunnel_destination);
    template->id.proto = IPPROTO_ESP;
    template->family = (uint16_t)policy->tunnel_destination.family;
    template->saddr = kernel_address(&policy->tunnel_source);
    template->reqid = policy->reqid;
    template->mode = XFRM_MODE_TUNNEL;
    /* Which algorithms is the SA's business. */
    template->aalgos = template->ealgos = template->calgos = UINT32_MAX;
}

struct nlmsghdr *xfrm_encode_policy(XfrmMessage buf, uint16_t type, const XfrmPolicy *policy) {
    struct nlmsghdr *m = message_new(buf, type, NLM_F_ACK);
    struct xfrm_userpolicy_info *info = mnl_nlmsg_put_extra_header(m, sizeof *info);
    selector_write(&info->sel, &policy->selector);
    info->lft = lifetime_endless();
    info->priority = policy->priority;
    info->dir = policy->direction;
    info->action = policy->action;
    if (policy->tunnel_destination.family != AF_UNSPEC)
        policy_put_template(m, policy);
    message_put_if_id(m, policy->if_id);
    return m;
}

struct nlmsghdr *xfrm_encode_policy_id(XfrmMessage buf, uint16_t type, const XfrmPolicy *policy) {
    struct nlmsghdr *m = message_new(buf, type, NLM_F_ACK);
    struct xfrm_userpolicy_id *policy_id = mnl_nlmsg_put_extra_header(m, sizeof *policy_id);
    selector_write(&policy_id->sel, &policy->selector);
    policy_id->dir = policy->direction;
    message_put_if_id(m, policy->if_id);
    return m;
}

struct nlmsghdr *xfrm_encode_dump(XfrmMessage buf, uint16_t type) {
    return message_new(buf, type, NLM_F_DUMP);
}

/* What decoders want of the attributes: pointers into the message, NULL where absent. */
typedef struct Attributes {
    const struct nlattr *if_id, *template, *direction, *nat_keepalive;
    bool keyed;
} Attributes;

static int attributes_take(const struct nlattr *attr, void *userdata) {
    Attributes *a = userdata;
    size_t size = mnl_attr_get_payload_len(attr);
    switch (mnl_attr_get_type(attr)) {
    case XFRMA_IF_ID:
        if (size >= sizeof(uint32_t))
            a->if_id = attr;
        break;
    case XFRMA_TMPL:
        if (size >= sizeof(struct xfrm_user_tmpl))
            a->template = attr;
        break;
    case ATTRIBUTE_SA_DIR:
        if (size >= sizeof(uint8_t))
            a->direction = attr;
        break;
    case ATTRIBUTE_NAT_KEEPALIVE:
        if (size >= sizeof(uint32_t))
            a->nat_keepalive = attr;
        break;
    case XFRMA_ALG_AEAD:
    case XFRMA_ALG_CRYPT:
        a->keyed = true;
        break;
    default:
        break;
    }
    return MNL_CB_OK;
}

/* The fixed part of *message*, *size* bytes long, with the attributes behind it. It is copied: in a datagram
 * with several messages it lies at a multiple of 4. 0, or -EBADMSG when it is short. */
static int message_open(const struct nlmsghdr *message, uint16_t type, void *ret, size_t size,
                        Attributes *ret_attributes) {
    *ret_attributes = (Attributes){0};
    if (message->nlmsg_type != type || mnl_nlmsg_get_payload_len(message) < size)
        return -EBADMSG;
    memcpy(ret, mnl_nlmsg_get_payload(message), size);
    mnl_attr_parse(message, (unsigned)size, attributes_take, ret_attributes);
    return 0;
}

static uint32_t attribute_u32(const struct nlattr *attr) {
    return attr ? mnl_attr_get_u32(attr) : 0;
}

static XfrmSa sa_read(const struct xfrm_usersa_info *info, const Attributes *attributes) {
    return (XfrmSa){
        .source = address_from_bytes(info->family, &info->saddr),
        .destination = address_from_bytes(info->family, &info->id.daddr),
        .spi = ntohl(info->id.spi),
        .protocol = info->id.proto,
        .reqid = info->reqid,
        .if_id = attribute_u32(attributes->if_id),
        .is_larval = !attributes->keyed,
        .bytes = info->curlft.bytes,
        .packets = info->curlft.packets,
        .replayed = info->stats.replay + info->stats.replay_window,
        .forged = info->stats.integrity_failed,
        .direction = attributes->direction ? mnl_attr_get_u8(attributes->direction) : 0,
        .nat_keepalive = attribute_u32(attributes->nat_keepalive),
    };
}

int xfrm_decode_sa(const struct nlmsghdr *message, XfrmSa *ret) {
    Attributes attributes;
    struct xfrm_usersa_info info;
    int r = message_open(message, XFRM_MSG_NEWSA, &info, sizeof info, &attributes);
    if (r < 0)
        return r;
    *ret = sa_read(&info, &attributes);
    return 0;
}

int xfrm_decode_expiry(const struct nlmsghdr *message, XfrmExpiry *ret) {
    Attributes attributes;
    struct xfrm_user_expire expire;
    int r = message_open(message, XFRM_MSG_EXPIRE, &expire, sizeof expire, &attributes);
    if (r < 0)
        return r;
    *ret = (XfrmExpiry){.sa = sa_read(&expire.state, &attributes), .hard = expire.hard};
    return 0;
}

int xfrm_decode_mapping(const struct nlmsghdr *message, XfrmMapping *ret) {
    Attributes attributes;
    struct xfrm_user_mapping mapping;
    int r = message_open(message, XFRM_MSG_MAPPING, &mapping, sizeof mapping, &attributes);
    if (r < 0)
        return r;
    *ret = (XfrmMapping){
        .destination = address_from_bytes(mapping.id.family, &mapping.id.daddr),
        .spi = ntohl(mapping.id.spi),
        .reqid = mapping.reqid,
        .from =
            {
                .address = address_from_bytes(mapping.id.family, &mapping.new_saddr),
                .port = ntohs(mapping.new_sport),
            },
    };
    return 0;
}

int xfrm_decode_policy(const struct nlmsghdr *message, XfrmPolicy *ret) {
    Attributes attributes;
    struct xfrm_userpolicy_info info;
    int r = message_open(message, XFRM_MSG_NEWPOLICY, &info, sizeof info, &attributes);
    if (r < 0)
        return r;
    XfrmPolicy policy = {
        .selector = info.sel,
        .direction = info.dir,
        .action = info.action,
        .priority = info.priority,
        .if_id = attribute_u32(attributes.if_id),
    };
    if (attributes.template) {
        const struct xfrm_user_tmpl *template = mnl_attr_get_payload(attributes.template);
        policy.reqid = template->reqid;
        policy.tunnel_source = address_from_bytes(template->family, &template->saddr);
        policy.tunnel_destination = address_from_bytes(template->family, &template->id.daddr);
    }
    *ret = policy;
    return 0;
}
