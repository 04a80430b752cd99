/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The XFRM codec against what iproute2 sends for the same thing (data/xfrm.txt), read by a parser of its own,
 * and its decoders against bytes that are short or foreign. */
#include <arpa/inet.h>
#include <linux/xfrm.h>
#include <stdio.h>

#include "base/macro.h"
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

/* The fixed part and every attribute must be the same, in whatever order; *theirs_only* is one that only ip
 * sends, *ours_only* one that it cannot. 0: none. */
static void check_same(const struct nlmsghdr *ours, const char *name, size_t fixed, uint16_t theirs_only,
                       uint16_t ours_only) {
    const uint8_t *data = (const uint8_t *)(ours + 1);
    size_t size = ours->nlmsg_len - sizeof *ours;
    Bytes ip = captured(name);

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

    check_same(xfrm_encode_sa_in(buf, XFRM_MSG_UPDSA, &gcm, ID), "sa-in-gcm", fixed, 0, 0);
    check_same(xfrm_encode_sa_out(buf, &gcm, ID), "sa-out-gcm", fixed, 0, 0);
    check_same(xfrm_encode_sa_in(buf, XFRM_MSG_UPDSA, &cbc, ID), "sa-in-cbc-udp", fixed, 0, 0);
    check_same(xfrm_encode_sa_out(buf, &v6, ID), "sa-out-cbc-v6", fixed, 0, 0);
}
END_TEST

START_TEST(requests_about_sas_are_what_ip_sends) {
    XfrmMessage buf;
    Address local = address("192.0.2.1"), remote = address("192.0.2.2");
    Bytes ip = captured("allocate-spi");
    ck_assert_uint_eq(ip.size, sizeof(struct xfrm_userspi_info));
    check_same(xfrm_encode_allocate_spi(buf, &remote, &local, ID), "allocate-spi", ip.size, 0, XFRMA_IF_ID);
    check_same(xfrm_encode_delete_sa(buf, &local, SPI_IN, IPPROTO_ESP), "delete-sa",
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
    const struct xfrm_encap_tmpl *in = encapsulation(xfrm_encode_sa_in(buf, XFRM_MSG_NEWSA, &c, ID));
    ck_assert_uint_eq(ntohs(in->encap_sport), 4500);
    ck_assert_uint_eq(ntohs(in->encap_dport), 40000);
    const struct xfrm_encap_tmpl *out = encapsulation(xfrm_encode_sa_out(buf, &c, ID));
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
    struct nlmsghdr *m = xfrm_encode_sa_in(buf, XFRM_MSG_NEWSA, &c, ID);
    ck_assert_ptr_nonnull(memmem(m, m->nlmsg_len, in, sizeof in));
    ck_assert_ptr_null(memmem(m, m->nlmsg_len, out, sizeof out));
    m = xfrm_encode_sa_out(buf, &c, ID);
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
        struct nlmsghdr *m = xfrm_encode_sa_in(buf, XFRM_MSG_NEWSA, &c, ID);
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
      told_policies_are_read, short_messages_are_refused, only_our_block_policies_are_ours)
