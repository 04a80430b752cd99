/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The XFRM codec against what iproute2 sends for the same thing (data/xfrm.txt), read by a parser of its own,
 * and its decoders against bytes that are short or foreign. */
#include <arpa/inet.h>
#include <linux/xfrm.h>
#include <stdio.h>

#include "base/macro.h"
#include "netlink/esp-mtu.h"
#include "netlink/xfrm.h"
#include "suite.h"

#define ID      32593
#define SPI_IN  0x11223344
#define SPI_OUT 0xc0ffee01

typedef struct Bytes {
    uint16_t type; /* of the message */
    size_t size;
    uint8_t data[XFRM_MESSAGE_MAX];
} Bytes;

static TrafficSelector ts(const char *text, uint8_t prefix) {
    return (TrafficSelector){.address = address(text), .prefix = prefix, .port_max = 65535};
}

static ChildSa child(const char *local, const char *remote) {
    ChildSa c = {
        .spi_in = SPI_IN,
        .spi_out = SPI_OUT,
        .local = {.address = address(local), .port = 40000},
        .remote = {.address = address(remote), .port = 4500},
        .n_local_ts = 1,
        .n_remote_ts = 1,
        .local_ts = {ts("10.1.0.1", 32)},
        .remote_ts = {ts("0.0.0.0", 0)},
    };
    return c;
}

static EspKeys keys(size_t encryption, size_t integrity) {
    EspKeys k = {.encryption_size = encryption, .integrity_size = integrity};
    for (size_t i = 0; i < encryption; i++)
        k.encryption[i] = (uint8_t)i;
    for (size_t i = 0; i < integrity; i++)
        k.integrity[i] = (uint8_t)(0x40 + i);
    return k;
}

static ChildSa child_gcm(void) {
    ChildSa c = child("192.0.2.1", "192.0.2.2");
    c.algorithms = (EspAlgorithms){.aead = "rfc4106(gcm(aes))", .icv_bits = 128};
    c.keys_in = c.keys_out = keys(20, 0);
    return c;
}

static ChildSa child_cbc(const char *local, const char *remote) {
    ChildSa c = child(local, remote);
    c.algorithms = (EspAlgorithms){
        .encryption = "cbc(aes)",
        .integrity = "hmac(sha256)",
        .truncation_bits = 128,
    };
    c.keys_in = c.keys_out = keys(16, 32);
    return c;
}

/* -- what ip xfrm sends -- */

static void hex_read(const char *hex, Bytes *ret) {
    for (ret->size = 0; sscanf(hex + 2 * ret->size, "%2hhx", &ret->data[ret->size]) == 1; ret->size++)
        ck_assert_uint_lt(ret->size, sizeof ret->data);
}

static Bytes captured(const char *name) {
    static char line[8192];
    Bytes b = {0};
    uint16_t type;
    char path[4096], found[64], hex[8192];
    snprintf(path, sizeof path, "%s/xfrm.txt", getenv("TEST_DATA"));
    FILE *f = fopen(path, "re");
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "%63s %hx %8191s", found, &type, hex) == 3 && streq(found, name)) {
            b.type = type;
            hex_read(hex, &b);
        }
    fclose(f);
    ck_assert_msg(b.size > 0, "no %s in %s", name, path);
    return b;
}

/* The attribute of *type* behind *fixed* bytes, as "length and payload", or NULL. */
static const uint8_t *attribute_find(const uint8_t *data, size_t size, size_t fixed, uint16_t type) {
    for (size_t at = fixed; at + 4 <= size;) {
        uint16_t header[2];
        memcpy(header, data + at, sizeof header);
        ck_assert_uint_ge(header[0], 4);
        ck_assert_uint_le(at + header[0], size);
        if (header[1] == type)
            return data + at;
        at += (header[0] + 3u) & ~3u;
    }
    return NULL;
}

/* ip has no word for what ends where sequence numbers do. */
static void limit(Bytes *b) {
    struct xfrm_usersa_info info;
    memcpy(&info, b->data, sizeof info);
    info.lft.soft_packet_limit = SEQUENCE_SOFT;
    info.lft.hard_packet_limit = SEQUENCE_HARD;
    memcpy(b->data, &info, sizeof info);
}

/* The fixed part and every attribute must be the same, in whatever order; *theirs_only* is one that only ip
 * sends, *ours_only* one that it cannot. 0: none. */
static void check_same(const struct nlmsghdr *ours, const char *name, size_t fixed, uint16_t theirs_only,
                       uint16_t ours_only) {
    const uint8_t *data = (const uint8_t *)(ours + 1);
    size_t size = ours->nlmsg_len - sizeof *ours;
    Bytes ip = captured(name);

    if (ip.type == XFRM_MSG_NEWSA || ip.type == XFRM_MSG_UPDSA)
        limit(&ip);
    ck_assert_uint_eq(ours->nlmsg_type, ip.type);
    ck_assert_uint_eq(ours->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
    ck_assert_uint_ge(size, fixed);
    ck_assert_mem_eq(data, ip.data, fixed);
    for (uint16_t type = 1; type <= XFRMA_MAX; type++) {
        const uint8_t *a = attribute_find(data, size, fixed, type);
        const uint8_t *b = attribute_find(ip.data, ip.size, fixed, type);
        uint16_t length;
        if (type == theirs_only || type == ours_only) {
            ck_assert_msg(!a == (type == theirs_only), "%s: attribute %u", name, type);
            ck_assert_msg(!b == (type == ours_only), "%s: attribute %u", name, type);
            continue;
        }
        ck_assert_msg(!a == !b, "%s: attribute %u: ours %d, theirs %d", name, type, !!a, !!b);
        if (!a)
            continue;
        memcpy(&length, b, sizeof length);
        ck_assert_mem_eq(a, b, length);
    }
}

START_TEST(sas_are_what_ip_sends) {
    const size_t fixed = sizeof(struct xfrm_usersa_info);
    XfrmMessage buf;
    ChildSa gcm = child_gcm(), cbc = child_cbc("192.0.2.1", "192.0.2.2");
    ChildSa v6 = child_cbc("2001:db8::1", "2001:db8::2");
    cbc.encapsulate = true;

    check_same(xfrm_encode_sa_in(buf, XFRM_MSG_UPDSA, &gcm, ID, 0), "sa-in-gcm", fixed, 0, 0);
    check_same(xfrm_encode_sa_out(buf, &gcm, ID, 0), "sa-out-gcm", fixed, 0, 0);
    check_same(xfrm_encode_sa_in(buf, XFRM_MSG_UPDSA, &cbc, ID, 0), "sa-in-cbc-udp", fixed, 0,
               XFRMA_MTIMER_THRESH);
    check_same(xfrm_encode_sa_out(buf, &v6, ID, 0), "sa-out-cbc-v6", fixed, 0, 0);
}
END_TEST

START_TEST(requests_about_sas_are_what_ip_sends) {
    XfrmMessage buf;
    Address local = address("192.0.2.1"), remote = address("192.0.2.2");
    Bytes ip = captured("allocate-spi");
    ck_assert_uint_eq(ip.size, sizeof(struct xfrm_userspi_info));
    check_same(xfrm_encode_allocate_spi(buf, &remote, &local, ID, 0), "allocate-spi", ip.size, 0,
               XFRMA_IF_ID);
    check_same(xfrm_encode_sa_id(buf, XFRM_MSG_DELSA, &local, SPI_IN, IPPROTO_ESP), "delete-sa",
               sizeof(struct xfrm_usersa_id), XFRMA_SRCADDR, 0);
}
END_TEST

START_TEST(policies_are_what_ip_sends) {
    const size_t fixed = sizeof(struct xfrm_userpolicy_info);
    XfrmMessage buf;
    XfrmPolicy policies[XFRM_POLICIES_MAX];
    size_t n = 0;
    ChildSa c = child_gcm();
    Address inner = address("10.1.0.1");

    ck_assert_int_eq(xfrm_policies_of_child(&c, ID, policies, &n), 0);
    ck_assert_uint_eq(n, 2);
    check_same(xfrm_encode_policy(buf, XFRM_MSG_UPDPOLICY, &policies[0]), "policy-out", fixed, 0, 0);
    check_same(xfrm_encode_policy(buf, XFRM_MSG_UPDPOLICY, &policies[1]), "policy-in", fixed, 0, 0);
    check_same(xfrm_encode_policy_id(buf, XFRM_MSG_DELPOLICY, &policies[0]), "delete-policy",
               sizeof(struct xfrm_userpolicy_id), 0, 0);

    XfrmPolicy block = xfrm_block_policy(&inner, ID);
    check_same(xfrm_encode_policy(buf, XFRM_MSG_NEWPOLICY, &block), "policy-block", fixed, 0, 0);

    /* Inner IPv6 in outer IPv4, one port, and host bits that must not be told. */
    c.local_ts[0] = ts("2001:db8:1::1", 128);
    c.remote_ts[0] = ts("2001:db8:2::ffff", 48);
    c.local_ts[0].protocol = IPPROTO_SCTP;
    c.remote_ts[0].port_min = c.remote_ts[0].port_max = 36412;
    ck_assert_int_eq(xfrm_policies_of_child(&c, ID, policies, &n), 0);
    check_same(xfrm_encode_policy(buf, XFRM_MSG_UPDPOLICY, &policies[0]), "policy-out-sctp-v6", fixed, 0, 0);
}
END_TEST

/* -- what ip does not show -- */

static const struct xfrm_encap_tmpl *encapsulation(const struct nlmsghdr *m) {
    const uint8_t *a = attribute_find((const uint8_t *)(m + 1), m->nlmsg_len - sizeof *m,
                                      sizeof(struct xfrm_usersa_info), XFRMA_ENCAP);
    ck_assert_ptr_nonnull(a);
    return (const struct xfrm_encap_tmpl *)(const void *)(a + 4);
}

START_TEST(udp_ports_follow_the_direction) {
    XfrmMessage buf;
    ChildSa c = child_gcm();
    c.encapsulate = true;
    const struct xfrm_encap_tmpl *in = encapsulation(xfrm_encode_sa_in(buf, XFRM_MSG_NEWSA, &c, ID, 0));
    ck_assert_uint_eq(ntohs(in->encap_sport), 4500);
    ck_assert_uint_eq(ntohs(in->encap_dport), 40000);
    const struct xfrm_encap_tmpl *out = encapsulation(xfrm_encode_sa_out(buf, &c, ID, 0));
    ck_assert_uint_eq(ntohs(out->encap_sport), 40000);
    ck_assert_uint_eq(ntohs(out->encap_dport), 4500);
}
END_TEST

START_TEST(each_direction_has_its_key) {
    XfrmMessage buf;
    ChildSa c = child_gcm();
    memset(c.keys_in.encryption, 0xaa, 20);
    memset(c.keys_out.encryption, 0xbb, 20);
    static const uint8_t in[20] = {[0 ... 19] = 0xaa}, out[20] = {[0 ... 19] = 0xbb};
    struct nlmsghdr *m = xfrm_encode_sa_in(buf, XFRM_MSG_NEWSA, &c, ID, 0);
    ck_assert_ptr_nonnull(memmem(m, m->nlmsg_len, in, sizeof in));
    ck_assert_ptr_null(memmem(m, m->nlmsg_len, out, sizeof out));
    m = xfrm_encode_sa_out(buf, &c, ID, 0);
    ck_assert_ptr_nonnull(memmem(m, m->nlmsg_len, out, sizeof out));
    ck_assert_ptr_null(memmem(m, m->nlmsg_len, in, sizeof in));
}
END_TEST

START_TEST(replay_window_is_a_bitmap) {
    static const struct {
        uint32_t asked, window, words;
    } cases[] = {{0, 128, 4}, {1, 1, 1}, {32, 32, 1}, {33, 33, 2}, {4096, 4096, 128}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        XfrmMessage buf;
        ChildSa c = child_cbc("2001:db8::1", "2001:db8::2");
        /* The largest message there is. */
        c.keys_in = keys(ESP_KEY_MAX, ESP_KEY_MAX);
        c.encapsulate = true;
        c.replay_window = cases[i].asked;
        struct nlmsghdr *m = xfrm_encode_sa_in(buf, XFRM_MSG_NEWSA, &c, ID, 0);
        const struct xfrm_usersa_info *info = (const void *)(m + 1);
        ck_assert_uint_eq(info->replay_window, 0);
        ck_assert_uint_eq(info->flags & XFRM_STATE_ESN, 0);

        const uint8_t *a = attribute_find((const uint8_t *)(m + 1), m->nlmsg_len - sizeof *m, sizeof *info,
                                          XFRMA_REPLAY_ESN_VAL);
        struct xfrm_replay_state_esn replay;
        uint16_t length;
        ck_assert_ptr_nonnull(a);
        memcpy(&length, a, sizeof length);
        memcpy(&replay, a + 4, sizeof replay);
        ck_assert_uint_eq(replay.replay_window, cases[i].window);
        ck_assert_uint_eq(replay.bmp_len, cases[i].words);
        ck_assert_uint_eq(length, 4 + sizeof replay);
    }
}
END_TEST

START_TEST(selectors_pair_by_family_and_protocol) {
    XfrmPolicy policies[XFRM_POLICIES_MAX];
    size_t n = 0;
    ChildSa c = child_gcm();
    c.n_local_ts = 2;
    c.local_ts[1] = ts("2001:db8:1::1", 128);
    c.n_remote_ts = 3;
    c.remote_ts[1] = ts("::", 0);
    c.remote_ts[2] = ts("::", 0);
    c.remote_ts[2].protocol = IPPROTO_SCTP;
    ck_assert_int_eq(xfrm_policies_of_child(&c, ID, policies, &n), 0);
    ck_assert_uint_eq(n, 6);
    ck_assert_uint_eq(policies[0].selector.family, AF_INET);
    ck_assert_uint_eq(policies[2].selector.family, AF_INET6);
    ck_assert_uint_eq(policies[4].selector.proto, IPPROTO_SCTP);
    ck_assert_uint_eq(policies[5].direction, XFRM_POLICY_IN);
    ck_assert_uint_eq(policies[5].selector.prefixlen_d, 128);

    c.local_ts[1].protocol = IPPROTO_UDP; /* and SCTP have nothing in common */
    ck_assert_int_eq(xfrm_policies_of_child(&c, ID, policies, &n), 0);
    ck_assert_uint_eq(n, 4);
}
END_TEST

START_TEST(selectors_that_cannot_be) {
    XfrmPolicy policies[XFRM_POLICIES_MAX];
    size_t n = 77;
    ChildSa c = child_gcm();
    c.remote_ts[0] = ts("::", 0);
    ck_assert_int_eq(xfrm_policies_of_child(&c, ID, policies, &n), -EINVAL);

    c = child_gcm();
    c.remote_ts[0].prefix = 33;
    ck_assert_int_eq(xfrm_policies_of_child(&c, ID, policies, &n), -EINVAL);

    static const uint16_t ranges[][2] = {{1024, 65535}, {0, 1023}, {65535, 0}};
    for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
        c = child_gcm();
        c.remote_ts[0].port_min = ranges[i][0];
        c.remote_ts[0].port_max = ranges[i][1];
        ck_assert_int_eq(xfrm_policies_of_child(&c, ID, policies, &n), -EOPNOTSUPP);
    }
    ck_assert_uint_eq(n, 77);

    c = child_gcm();
    c.n_local_ts = c.n_remote_ts = TS_MAX;
    for (size_t i = 0; i < TS_MAX; i++) {
        c.local_ts[i] = ts("10.1.0.1", 32);
        c.remote_ts[i] = ts("0.0.0.0", 0);
    }
    ck_assert_int_eq(xfrm_policies_of_child(&c, ID, policies, &n), 0);
    ck_assert_uint_eq(n, XFRM_POLICIES_MAX);
}
END_TEST

#define SA_DIR        33 /* of the kernel's include/uapi/linux/xfrm.h, 6.10 and 6.11 */
#define NAT_KEEPALIVE 34

/* The attribute of an SA, or NULL; *ret_size* may be NULL. */
static const uint8_t *sa_attribute(const struct nlmsghdr *m, uint16_t type, size_t *ret_size) {
    uint16_t length;
    const uint8_t *a = attribute_find((const uint8_t *)(m + 1), m->nlmsg_len - sizeof *m,
                                      sizeof(struct xfrm_usersa_info), type);
    if (!a)
        return NULL;
    memcpy(&length, a, sizeof length);
    if (ret_size)
        *ret_size = length - 4u;
    return a + 4;
}

static const struct xfrm_usersa_info *sa_info(const struct nlmsghdr *m) {
    return (const void *)(m + 1);
}

static struct xfrm_replay_state_esn sa_replay(const struct nlmsghdr *m) {
    struct xfrm_replay_state_esn replay;
    const uint8_t *a = sa_attribute(m, XFRMA_REPLAY_ESN_VAL, NULL);
    ck_assert_ptr_nonnull(a);
    memcpy(&replay, a, sizeof replay);
    return replay;
}

START_TEST(directions_are_for_kernels_that_know_them) {
    XfrmMessage buf;
    ChildSa c = child_gcm();
    ck_assert_ptr_null(sa_attribute(xfrm_encode_sa_in(buf, XFRM_MSG_UPDSA, &c, ID, 0), SA_DIR, NULL));
    struct nlmsghdr *m = xfrm_encode_sa_in(buf, XFRM_MSG_UPDSA, &c, ID, NETLINK_SA_DIR);
    ck_assert_uint_eq(*sa_attribute(m, SA_DIR, NULL), 1);
    m = xfrm_encode_sa_out(buf, &c, ID, NETLINK_SA_DIR);
    ck_assert_uint_eq(*sa_attribute(m, SA_DIR, NULL), 2);
    ck_assert_ptr_null(sa_attribute(m, XFRMA_REPLAY_ESN_VAL, NULL));
    m = xfrm_encode_allocate_spi(buf, &c.remote.address, &c.local.address, ID, NETLINK_SA_DIR);
    const uint8_t *a = attribute_find((const uint8_t *)(m + 1), m->nlmsg_len - sizeof *m,
                                      sizeof(struct xfrm_userspi_info), SA_DIR);
    ck_assert_ptr_nonnull(a);
    ck_assert_uint_eq(a[4], 1);
}
END_TEST

/* A kernel without directions refuses ESN with no window at all, one with them refuses any for an outbound
 * SA. */
START_TEST(extended_numbers_go_both_ways) {
    static const struct {
        unsigned features;
        uint32_t window_out, words_out;
    } cases[] = {{0, 32, 1}, {NETLINK_SA_DIR, 0, 0}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        XfrmMessage buf;
        ChildSa c = child_gcm();
        c.esn = true;
        c.replay_window = 4096;
        struct nlmsghdr *m = xfrm_encode_sa_in(buf, XFRM_MSG_UPDSA, &c, ID, cases[i].features);
        ck_assert_uint_eq(sa_info(m)->flags, XFRM_STATE_AF_UNSPEC | XFRM_STATE_ESN);
        ck_assert_uint_eq(sa_replay(m).replay_window, 4096);
        ck_assert_uint_eq(sa_replay(m).bmp_len, 128);
        m = xfrm_encode_sa_out(buf, &c, ID, cases[i].features);
        ck_assert_uint_eq(sa_info(m)->flags, XFRM_STATE_AF_UNSPEC | XFRM_STATE_ESN);
        ck_assert_uint_eq(sa_info(m)->replay_window, 0);
        ck_assert_uint_eq(sa_replay(m).replay_window, cases[i].window_out);
        ck_assert_uint_eq(sa_replay(m).bmp_len, cases[i].words_out);
    }
}
END_TEST

START_TEST(limits_are_soft_until_numbers_end) {
    static const struct {
        bool esn;
        uint64_t bytes, packets, soft_bytes, soft_packets, hard_packets;
    } cases[] = {
        {false, 0, 0, XFRM_INF, 0xf0000000, 0xffffffff},
        {true, 0, 0, XFRM_INF, XFRM_INF, XFRM_INF},
        {false, 5000000000, 7000, 5000000000, 7000, 0xffffffff},
        {true, 5000000000, 1ull << 40, 5000000000, 1ull << 40, XFRM_INF},
        {false, 0, 1ull << 40, XFRM_INF, 0xf0000000, 0xffffffff},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        for (int out = 0; out < 2; out++) {
            XfrmMessage buf;
            ChildSa c = child_gcm();
            c.esn = cases[i].esn;
            c.byte_limit = cases[i].bytes;
            c.packet_limit = cases[i].packets;
            struct nlmsghdr *m =
                out ? xfrm_encode_sa_out(buf, &c, ID, 0) : xfrm_encode_sa_in(buf, XFRM_MSG_UPDSA, &c, ID, 0);
            const struct xfrm_lifetime_cfg *limits = &sa_info(m)->lft;
            ck_assert_uint_eq(limits->soft_byte_limit, cases[i].soft_bytes);
            ck_assert_uint_eq(limits->hard_byte_limit, XFRM_INF);
            ck_assert_uint_eq(limits->soft_packet_limit, cases[i].soft_packets);
            ck_assert_uint_eq(limits->hard_packet_limit, cases[i].hard_packets);
            ck_assert_uint_eq(limits->soft_add_expires_seconds | limits->hard_add_expires_seconds |
                                  limits->soft_use_expires_seconds | limits->hard_use_expires_seconds,
                              0);
        }
}
END_TEST

/* The kernel refuses an interval for what is inbound or not in UDP. */
START_TEST(keepalives_are_for_outbound_udp) {
    const unsigned all = NETLINK_SA_DIR | NETLINK_NAT_KEEPALIVE;
    XfrmMessage buf;
    ChildSa c = child_gcm();
    uint32_t seconds;
    c.nat_keepalive = 20;
    ck_assert_ptr_null(sa_attribute(xfrm_encode_sa_out(buf, &c, ID, all), NAT_KEEPALIVE, NULL));
    c.encapsulate = true;
    ck_assert_ptr_null(sa_attribute(xfrm_encode_sa_out(buf, &c, ID, NETLINK_SA_DIR), NAT_KEEPALIVE, NULL));
    ck_assert_ptr_null(
        sa_attribute(xfrm_encode_sa_in(buf, XFRM_MSG_NEWSA, &c, ID, all), NAT_KEEPALIVE, NULL));
    const uint8_t *a = sa_attribute(xfrm_encode_sa_out(buf, &c, ID, all), NAT_KEEPALIVE, NULL);
    ck_assert_ptr_nonnull(a);
    memcpy(&seconds, a, sizeof seconds);
    ck_assert_uint_eq(seconds, 20);
    c.nat_keepalive = 0;
    ck_assert_ptr_null(sa_attribute(xfrm_encode_sa_out(buf, &c, ID, all), NAT_KEEPALIVE, NULL));
}
END_TEST

/* -- moving -- */

static void put(struct nlmsghdr *m, uint16_t type, const void *data, size_t size) {
    uint16_t header[2] = {(uint16_t)(4 + size), type};
    uint8_t *at = (uint8_t *)m + m->nlmsg_len;
    ck_assert_uint_le(m->nlmsg_len + 4 + size + 3, XFRM_MESSAGE_MAX);
    memset(at, 0, (4 + size + 3) & ~3u);
    memcpy(at, header, sizeof header);
    memcpy(at + 4, data, size);
    m->nlmsg_len += (uint32_t)((4 + size + 3) & ~3u);
}

#define BITMAP_WORDS 128 /* of the widest window */

/* What a kernel tells of an SA in use, in the order it tells. */
static struct nlmsghdr *told_sa(XfrmMessage buf, bool esn, size_t words, uint32_t oseq, uint32_t oseq_hi) {
    static const uint8_t key[72 + 64 + 4] = {[0 ... 139] = 0x5a};
    union {
        struct xfrm_replay_state_esn esn;
        uint8_t bytes[sizeof(struct xfrm_replay_state_esn) + 4 * BITMAP_WORDS];
    } replay = {.esn = {.bmp_len = (uint32_t)words,
                        .replay_window = (uint32_t)(32 * words),
                        .oseq = oseq,
                        .oseq_hi = oseq_hi,
                        .seq = 4711,
                        .seq_hi = esn ? 3 : 0}};
    for (size_t i = 0; i < 4 * words; i++)
        replay.bytes[sizeof replay.esn + i] = (uint8_t)i;
    struct nlmsghdr *m = (struct nlmsghdr *)(void *)buf;
    struct xfrm_usersa_info *info = (void *)(m + 1);
    memset(buf, 0, XFRM_MESSAGE_MAX);
    *m = (struct nlmsghdr){.nlmsg_len = sizeof *m + sizeof *info, .nlmsg_type = XFRM_MSG_NEWSA};
    info->id.spi = htonl(SPI_IN);
    info->id.proto = IPPROTO_ESP;
    info->family = AF_INET;
    info->reqid = ID;
    info->mode = XFRM_MODE_TUNNEL;
    info->flags = (uint8_t)(XFRM_STATE_AF_UNSPEC | (esn ? XFRM_STATE_ESN : 0));
    info->lft.soft_packet_limit = 12345;
    info->curlft = (struct xfrm_lifetime_cur){.bytes = 1000, .packets = 10, .add_time = 77, .use_time = 78};
    put(m, XFRMA_LASTUSED, &(uint64_t){99}, 8);
    put(m, XFRMA_ALG_AUTH, key, sizeof key - 4);
    put(m, XFRMA_ALG_AUTH_TRUNC, key, sizeof key);
    put(m, XFRMA_ALG_CRYPT, key, 68 + 64);
    put(m, XFRMA_ENCAP, &(struct xfrm_encap_tmpl){.encap_type = 2, .encap_sport = htons(1)},
        sizeof(struct xfrm_encap_tmpl));
    if (words)
        put(m, XFRMA_REPLAY_ESN_VAL, replay.bytes, sizeof replay.esn + 4 * words);
    else
        put(m, XFRMA_REPLAY_VAL, &(struct xfrm_replay_state){.oseq = oseq}, sizeof(struct xfrm_replay_state));
    put(m, XFRMA_IF_ID, &(uint32_t){ID}, 4);
    return m;
}

static void attribute_is_kept(const struct nlmsghdr *told, const struct nlmsghdr *moved, uint16_t type) {
    size_t before, after;
    const uint8_t *a = sa_attribute(told, type, &before), *b = sa_attribute(moved, type, &after);
    ck_assert_msg(!a == !b, "attribute %u", type);
    if (!a)
        return;
    ck_assert_uint_eq(before, after);
    ck_assert_mem_eq(a, b, before);
}

/* Also with the widest window, where others' messages are too small (strongswan#1967). */
START_TEST(moved_sa_keeps_its_state) {
    for (size_t words = 1; words <= BITMAP_WORDS; words *= 2)
        for (int esn = 0; esn < 2; esn++) {
            XfrmMessage buf, ours;
            ChildSa c = child("192.0.2.77", "192.0.2.2");
            struct nlmsghdr *told = told_sa(buf, esn, words, 0, 0), *moved;
            ck_assert_int_eq(xfrm_encode_moved_sa(ours, told, &c, CHILD_IN, 0, &moved), 0);
            ck_assert_uint_eq(moved->nlmsg_type, XFRM_MSG_NEWSA);
            ck_assert_uint_eq(moved->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
            ck_assert_uint_eq(sa_info(moved)->id.spi, sa_info(told)->id.spi);
            ck_assert_uint_eq(sa_info(moved)->reqid, ID);
            ck_assert_uint_eq(sa_info(moved)->flags, sa_info(told)->flags);
            ck_assert_mem_eq(&sa_info(moved)->lft, &sa_info(told)->lft, sizeof(struct xfrm_lifetime_cfg));
            ck_assert_mem_eq(&sa_info(moved)->id.daddr, &c.local.address.in, 4);
            ck_assert_mem_eq(&sa_info(moved)->saddr, &c.remote.address.in, 4);
            static const uint16_t kept[] = {XFRMA_ALG_AUTH_TRUNC, XFRMA_ALG_CRYPT, XFRMA_REPLAY_ESN_VAL,
                                            XFRMA_IF_ID};
            for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
                attribute_is_kept(told, moved, kept[i]);
            size_t size;
            const uint8_t *current = sa_attribute(moved, XFRMA_LTIME_VAL, &size);
            ck_assert_uint_eq(size, sizeof(struct xfrm_lifetime_cur));
            ck_assert_mem_eq(current, &sa_info(told)->curlft, size);
            ck_assert_ptr_null(sa_attribute(moved, XFRMA_ALG_AUTH, NULL));
            ck_assert_ptr_null(sa_attribute(moved, XFRMA_LASTUSED, NULL));
            ck_assert_ptr_null(sa_attribute(moved, XFRMA_ENCAP, NULL)); /* the NAT is left behind */
        }
}
END_TEST

START_TEST(moved_sa_has_the_new_ports) {
    XfrmMessage buf, ours;
    ChildSa c = child("192.0.2.77", "192.0.2.2");
    struct nlmsghdr *moved;
    c.encapsulate = true;
    c.nat_keepalive = 20;
    struct nlmsghdr *told = told_sa(buf, false, 4, 0, 0);
    ck_assert_int_eq(
        xfrm_encode_moved_sa(ours, told, &c, CHILD_OUT, NETLINK_SA_DIR | NETLINK_NAT_KEEPALIVE, &moved), 0);
    ck_assert_uint_eq(ntohs(encapsulation(moved)->encap_sport), 40000);
    ck_assert_uint_eq(ntohs(encapsulation(moved)->encap_dport), 4500);
    ck_assert_ptr_nonnull(sa_attribute(moved, NAT_KEEPALIVE, NULL));
    ck_assert_mem_eq(&sa_info(moved)->saddr, &c.local.address.in, 4);

    const uint8_t direction = 1;
    put(told, SA_DIR, &direction, 1);
    ck_assert_int_eq(xfrm_encode_moved_sa(ours, told, &c, CHILD_IN, NETLINK_SA_DIR, &moved), 0);
    ck_assert_uint_eq(*sa_attribute(moved, SA_DIR, NULL), 1);
    ck_assert_uint_eq(ntohs(encapsulation(moved)->encap_sport), 4500);
}
END_TEST

/* What was sent between being read and being removed must not be said again: the peer takes a number once. */
START_TEST(moved_sa_leaves_numbers_out) {
    static const struct {
        bool esn;
        uint32_t oseq, oseq_hi, then, then_hi;
    } cases[] = {
        {false, 100, 0, 132, 0},
        {true, 100, 7, 132, 7},
        {true, 0xfffffff0, 7, 0x10, 8},
        {false, 0xfffffff0, 0, 0xffffffff, 0},
    };
    XfrmMessage buf, ours;
    ChildSa c = child("192.0.2.77", "192.0.2.2");
    struct nlmsghdr *moved;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct nlmsghdr *told = told_sa(buf, cases[i].esn, 4, cases[i].oseq, cases[i].oseq_hi);
        ck_assert_int_eq(xfrm_encode_moved_sa(ours, told, &c, CHILD_OUT, 0, &moved), 0);
        ck_assert_uint_eq(sa_replay(moved).oseq, cases[i].then);
        ck_assert_uint_eq(sa_replay(moved).oseq_hi, cases[i].then_hi);
        ck_assert_uint_eq(sa_replay(moved).seq, 4711);
    }
    struct xfrm_replay_state plain;
    ck_assert_int_eq(xfrm_encode_moved_sa(ours, told_sa(buf, false, 0, 100, 0), &c, CHILD_OUT, 0, &moved), 0);
    memcpy(&plain, sa_attribute(moved, XFRMA_REPLAY_VAL, NULL), sizeof plain);
    ck_assert_uint_eq(plain.oseq, 132);
}
END_TEST

START_TEST(what_is_no_sa_of_ours_is_not_moved) {
    XfrmMessage buf, ours;
    ChildSa c = child("192.0.2.77", "192.0.2.2");
    struct nlmsghdr *moved = NULL, *told = told_sa(buf, true, BITMAP_WORDS, 0, 0);
    told->nlmsg_type = XFRM_MSG_EXPIRE;
    ck_assert_int_eq(xfrm_encode_moved_sa(ours, told, &c, CHILD_IN, 0, &moved), -EBADMSG);
    told->nlmsg_type = XFRM_MSG_NEWSA;
    static const uint8_t more[128] = {0};
    told->nlmsg_len = sizeof *told + sizeof(struct xfrm_usersa_info);
    while (told->nlmsg_len + 4 + sizeof more + 3 <= XFRM_MESSAGE_MAX)
        put(told, XFRMA_ALG_AEAD, more, sizeof more);
    ck_assert_int_eq(xfrm_encode_moved_sa(ours, told, &c, CHILD_IN, 0, &moved), -EBADMSG);
    told->nlmsg_len = sizeof *told + sizeof(struct xfrm_usersa_info) - 8;
    ck_assert_int_eq(xfrm_encode_moved_sa(ours, told, &c, CHILD_IN, 0, &moved), -EBADMSG);
}
END_TEST

/* -- what a kernel can do -- */

START_TEST(features_are_what_is_told_back) {
    XfrmMessage buf;
    XfrmSa told;
    struct nlmsghdr *m = xfrm_encode_probe(buf, 0x1234, ID);
    ck_assert_uint_eq(ntohl(sa_info(m)->id.spi), 0x1234);
    ck_assert_ptr_nonnull(sa_attribute(m, XFRMA_ENCAP, NULL));
    ck_assert_ptr_nonnull(sa_attribute(m, XFRMA_IF_ID, NULL)); /* left behind by a crash, it is flushed */
    ck_assert_int_eq(xfrm_decode_sa(m, &told), 0);
    ck_assert_uint_eq(told.direction, XFRM_DIRECTION_OUT);
    ck_assert_uint_eq(xfrm_features(&told), NETLINK_SA_DIR | NETLINK_NAT_KEEPALIVE);

    m = xfrm_encode_sa_in(buf, XFRM_MSG_NEWSA, &(ChildSa){.spi_in = 256, .algorithms = {.aead = "x"}}, ID,
                          NETLINK_SA_DIR);
    ck_assert_int_eq(xfrm_decode_sa(m, &told), 0);
    ck_assert_uint_eq(xfrm_features(&told), NETLINK_SA_DIR);

    m = told_sa(buf, false, 4, 0, 0);
    ck_assert_int_eq(xfrm_decode_sa(m, &told), 0);
    ck_assert_uint_eq(xfrm_features(&told), 0);
    ck_assert(!told.is_larval);
    ck_assert_uint_eq(told.packets, 10);
    m->nlmsg_len = sizeof *m + sizeof(struct xfrm_usersa_info);
    put(m, SA_DIR, "", 0); /* short */
    put(m, NAT_KEEPALIVE, "\1", 2);
    ck_assert_int_eq(xfrm_decode_sa(m, &told), 0);
    ck_assert_uint_eq(xfrm_features(&told), 0);
    ck_assert(told.is_larval);
}
END_TEST

/* -- what the kernel says by itself -- */

START_TEST(events_are_read) {
    XfrmMessage buf = {0};
    XfrmExpiry expiry;
    XfrmMapping mapping;
    Address v4 = address("192.0.2.1"), from = address("198.51.100.7");
    struct nlmsghdr *m = (struct nlmsghdr *)(void *)buf;

    struct xfrm_user_expire *expire = (void *)(m + 1);
    *m = (struct nlmsghdr){.nlmsg_len = sizeof *m + sizeof *expire, .nlmsg_type = XFRM_MSG_EXPIRE};
    memcpy(&expire->state.id.daddr, &v4.in, 4);
    expire->state.id.spi = htonl(SPI_IN);
    expire->state.id.proto = IPPROTO_ESP;
    expire->state.family = AF_INET;
    expire->hard = 1;
    put(m, XFRMA_IF_ID, &(uint32_t){ID}, 4);
    ck_assert_int_eq(xfrm_decode_expiry(m, &expiry), 0);
    ck_assert(address_equal(&expiry.sa.destination, &v4));
    ck_assert_uint_eq(expiry.sa.spi, SPI_IN);
    ck_assert_uint_eq(expiry.sa.if_id, ID);
    ck_assert(expiry.hard);
    ck_assert_int_eq(xfrm_decode_mapping(m, &mapping), -EBADMSG);
    m->nlmsg_len = sizeof *m + sizeof *expire - 8;
    ck_assert_int_eq(xfrm_decode_expiry(m, &expiry), -EBADMSG);

    memset(buf, 0, sizeof buf);
    struct xfrm_user_mapping *changed = (void *)(m + 1);
    *m = (struct nlmsghdr){.nlmsg_len = sizeof *m + sizeof *changed, .nlmsg_type = XFRM_MSG_MAPPING};
    memcpy(&changed->id.daddr, &v4.in, 4);
    changed->id.spi = htonl(SPI_IN);
    changed->id.family = AF_INET;
    changed->reqid = ID;
    memcpy(&changed->new_saddr, &from.in, 4);
    changed->new_sport = htons(61000);
    changed->old_sport = htons(4500);
    ck_assert_int_eq(xfrm_decode_mapping(m, &mapping), 0);
    ck_assert(address_equal(&mapping.destination, &v4));
    ck_assert(address_equal(&mapping.from.address, &from));
    ck_assert_uint_eq(mapping.from.port, 61000);
    ck_assert_uint_eq(mapping.spi, SPI_IN);
    ck_assert_uint_eq(mapping.reqid, ID);
    ck_assert_int_eq(xfrm_decode_expiry(m, &expiry), -EBADMSG);
    m->nlmsg_len -= 4;
    ck_assert_int_eq(xfrm_decode_mapping(m, &mapping), -EBADMSG);
}
END_TEST

START_TEST(policies_are_equal_when_all_of_them_is) {
    XfrmPolicy policies[XFRM_POLICIES_MAX], other;
    size_t n;
    ChildSa c = child_gcm();
    ck_assert_int_eq(xfrm_policies_of_child(&c, ID, policies, &n), 0);
    other = policies[0];
    ck_assert(xfrm_policy_equal(&policies[0], &other));
    other.tunnel_destination = address("192.0.2.3");
    ck_assert(!xfrm_policy_equal(&policies[0], &other));
    ck_assert(xfrm_policy_same(&policies[0], &other));
    other = policies[0];
    other.action = XFRM_POLICY_BLOCK;
    ck_assert(!xfrm_policy_equal(&policies[0], &other));
    ck_assert(!xfrm_policy_equal(&policies[0], &policies[1]));
}
END_TEST

/* -- how much fits -- */

/* By hand: outer header, UDP, SPI and sequence number, IV, what is encrypted in whole blocks, ICV. */
START_TEST(inner_packets_fill_outer_ones) {
    const EspAlgorithms gcm = {.aead = "rfc4106(gcm(aes))", .icv_bits = 128};
    const EspAlgorithms chacha = {.aead = "rfc7539esp(chacha20,poly1305)", .icv_bits = 128};
    const EspAlgorithms sha256 = {
        .encryption = "cbc(aes)", .integrity = "hmac(sha256)", .truncation_bits = 128};
    const EspAlgorithms sha512 = {
        .encryption = "cbc(aes)", .integrity = "hmac(sha512)", .truncation_bits = 256};
    const struct {
        unsigned outer;
        const EspAlgorithms *algorithms;
        bool udp;
        int family;
        unsigned inner;
    } cases[] = {
        {1500, &gcm, false, AF_INET, 1446},    {1500, &gcm, true, AF_INET, 1438},
        {1500, &gcm, false, AF_INET6, 1426},   {1500, &gcm, true, AF_INET6, 1418},
        {1500, &chacha, true, AF_INET6, 1418}, {1500, &sha256, false, AF_INET, 1438},
        {1500, &sha256, true, AF_INET6, 1406}, {1500, &sha512, true, AF_INET6, 1390},
        {1280, &gcm, true, AF_INET6, 1198},    {1280, &sha256, true, AF_INET6, 1182},
        {9000, &gcm, false, AF_INET, 8946},    {100, &gcm, true, AF_INET6, 18},
        {80, &gcm, true, AF_INET6, 0},         {0, &sha512, true, AF_INET6, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        ck_assert_msg(esp_inner_mtu(cases[i].outer, cases[i].algorithms, cases[i].udp, cases[i].family) ==
                          cases[i].inner,
                      "case %zu: %u", i,
                      esp_inner_mtu(cases[i].outer, cases[i].algorithms, cases[i].udp, cases[i].family));
}
END_TEST

/* -- decoding -- */

static struct nlmsghdr *message(XfrmMessage buf, const char *name, uint16_t type) {
    Bytes b = captured(name);
    struct nlmsghdr *m = (struct nlmsghdr *)(void *)buf;
    *m = (struct nlmsghdr){.nlmsg_len = (uint32_t)(sizeof *m + b.size), .nlmsg_type = type};
    memcpy(m + 1, b.data, b.size);
    return m;
}

START_TEST(told_sas_are_read) {
    XfrmMessage buf;
    XfrmSa sa;
    Address source = address("2001:db8::1"), destination = address("2001:db8::2");
    ck_assert_int_eq(xfrm_decode_sa(message(buf, "sa-out-cbc-v6", XFRM_MSG_NEWSA), &sa), 0);
    ck_assert(address_equal(&sa.source, &source));
    ck_assert(address_equal(&sa.destination, &destination));
    ck_assert_uint_eq(sa.spi, SPI_OUT);
    ck_assert_uint_eq(sa.protocol, IPPROTO_ESP);
    ck_assert_uint_eq(sa.reqid, ID);
    ck_assert_uint_eq(sa.if_id, ID);
    ck_assert_int_eq(xfrm_decode_sa(message(buf, "policy-in", XFRM_MSG_NEWPOLICY), &sa), -EBADMSG);
}
END_TEST

START_TEST(told_policies_are_read) {
    XfrmMessage buf;
    XfrmPolicy policy, policies[XFRM_POLICIES_MAX];
    size_t n;
    ChildSa c = child_gcm();
    ck_assert_int_eq(xfrm_policies_of_child(&c, ID, policies, &n), 0);
    ck_assert_int_eq(xfrm_decode_policy(message(buf, "policy-in", XFRM_MSG_NEWPOLICY), &policy), 0);
    ck_assert(xfrm_policy_same(&policy, &policies[1]));
    ck_assert(!xfrm_policy_same(&policy, &policies[0]));
    ck_assert_uint_eq(policy.action, XFRM_POLICY_ALLOW);
    ck_assert_uint_eq(policy.priority, ID);
    ck_assert_uint_eq(policy.if_id, ID);
    ck_assert_uint_eq(policy.reqid, ID);
    ck_assert(address_equal(&policy.tunnel_source, &c.remote.address));
    ck_assert(address_equal(&policy.tunnel_destination, &c.local.address));
}
END_TEST

START_TEST(short_messages_are_refused) {
    XfrmMessage buf;
    XfrmSa sa;
    XfrmPolicy policy;
    struct nlmsghdr *m = message(buf, "sa-in-gcm", XFRM_MSG_NEWSA);
    m->nlmsg_len = sizeof *m + sizeof(struct xfrm_usersa_info) - 4;
    ck_assert_int_eq(xfrm_decode_sa(m, &sa), -EBADMSG);
    m->nlmsg_len += 4; /* whole, but without attributes */
    ck_assert_int_eq(xfrm_decode_sa(m, &sa), 0);
    ck_assert_uint_eq(sa.if_id, 0);
    m = message(buf, "policy-in", XFRM_MSG_NEWPOLICY);
    m->nlmsg_len = sizeof *m + sizeof(struct xfrm_userpolicy_info) - 8;
    ck_assert_int_eq(xfrm_decode_policy(m, &policy), -EBADMSG);
}
END_TEST

START_TEST(only_our_block_policies_are_ours) {
    XfrmMessage buf;
    XfrmPolicy policy;
    Address inner, expected = address("10.1.0.1");
    ck_assert_int_eq(xfrm_decode_policy(message(buf, "policy-block", XFRM_MSG_NEWPOLICY), &policy), 0);
    ck_assert(xfrm_policy_is_block(&policy, ID, &inner));
    ck_assert(address_equal(&inner, &expected));

    XfrmPolicy other = policy;
    ck_assert(!xfrm_policy_is_block(&policy, ID + 1, &inner));
    other.action = XFRM_POLICY_ALLOW;
    ck_assert(!xfrm_policy_is_block(&other, ID, &inner));
    other = policy;
    other.direction = XFRM_POLICY_FWD;
    ck_assert(!xfrm_policy_is_block(&other, ID, &inner));
    other = policy;
    other.if_id = ID;
    ck_assert(!xfrm_policy_is_block(&other, ID, &inner));
    other = policy;
    other.selector.prefixlen_d = 24;
    ck_assert(!xfrm_policy_is_block(&other, ID, &inner));
    other = policy;
    other.selector.proto = IPPROTO_TCP;
    ck_assert(!xfrm_policy_is_block(&other, ID, &inner));
    other = policy;
    other.selector.family = AF_UNSPEC;
    ck_assert(!xfrm_policy_is_block(&other, ID, &inner));
}
END_TEST

SUITE("xfrm", sas_are_what_ip_sends, requests_about_sas_are_what_ip_sends, policies_are_what_ip_sends,
      udp_ports_follow_the_direction, each_direction_has_its_key, replay_window_is_a_bitmap,
      selectors_pair_by_family_and_protocol, selectors_that_cannot_be, told_sas_are_read,
      told_policies_are_read, short_messages_are_refused, only_our_block_policies_are_ours,
      directions_are_for_kernels_that_know_them, extended_numbers_go_both_ways,
      limits_are_soft_until_numbers_end, keepalives_are_for_outbound_udp, moved_sa_keeps_its_state,
      moved_sa_has_the_new_ports, moved_sa_leaves_numbers_out, what_is_no_sa_of_ours_is_not_moved,
      features_are_what_is_told_back, events_are_read, policies_are_equal_when_all_of_them_is,
      inner_packets_fill_outer_ones)
