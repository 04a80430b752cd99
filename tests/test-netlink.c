/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel's side of the tunnel as far as any kernel with XFRM netlink goes, ESP or not: each test in a
 * network namespace of its own, judged by ip(8). What needs ESP and XFRM interfaces is in netlink-guest.c. */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <systemd/sd-event.h>

#include "netlink/channel-io.h"
#include "netlink/former-io.h"
#include "netlink/link.h"
#include "netlink/netlink-io.h"
#include "netlink/sad-io.h"
#include "netlink/uplink-io.h"
#include "netns.h"
#include "suite.h"

#define ID 32593

static void namespace_enter(void) {
    ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
    ck_assert(netns_try("ip link set lo up"));
}

#define RUN(...)                                                                                             \
    do {                                                                                                     \
        int _status;                                                                                         \
        char *_output = netns_run(&_status, __VA_ARGS__);                                                    \
        ck_assert_msg(_status == 0, "%s", _output);                                                          \
    } while (0)
#define SAYS(command, text)                                                                                  \
    do {                                                                                                     \
        char *_output = netns_output("%s", command);                                                         \
        ck_assert_msg(strstr(_output, text), "%s: no \"%s\" in:\n%s", command, text, _output);               \
    } while (0)
#define SILENT(command) ck_assert_str_eq(netns_output("%s", command), "")

static Sad *sad_open(void) {
    Sad *sad;
    ck_assert_int_eq(sad_new(&sad, ID), 0);
    return sad;
}

static NetlinkChannel *route_open(void) {
    NetlinkChannel *route;
    ck_assert_int_eq(channel_new(&route, NETLINK_ROUTE), 0);
    return route;
}

static ChildSa child(const char *aead, uint32_t spi_in) {
    return (ChildSa){
        .spi_in = spi_in,
        .spi_out = 0xc0ffee01,
        .local = {.address = address("192.0.2.1")},
        .remote = {.address = address("192.0.2.2")},
        .algorithms = {.aead = aead, .icv_bits = 128},
        .keys_in = {.encryption_size = 20},
        .keys_out = {.encryption_size = 20},
        .n_local_ts = 1,
        .n_remote_ts = 1,
        .local_ts = {{.address = address("10.1.0.1"), .prefix = 32, .port_max = 65535}},
        .remote_ts = {{.address = address("0.0.0.0"), .port_max = 65535}},
    };
}

/* -- SAs and policies -- */

START_TEST(spi_is_reserved_and_given_back) {
    namespace_enter();
    _cleanup_(sad_freep) Sad *sad = sad_open();
    Address remote = address("192.0.2.2"), local = address("192.0.2.1");
    uint32_t first = 0, second = 0;
    ck_assert_int_eq(sad_allocate_spi(sad, &remote, &local, &first), 0);
    ck_assert_int_eq(sad_allocate_spi(sad, &remote, &local, &second), 0);
    ck_assert_uint_ge(first, 256);
    ck_assert_uint_ne(first, second);

    char spi[32];
    snprintf(spi, sizeof spi, "spi 0x%08x reqid 32593", first);
    SAYS("ip xfrm state", spi);
    SAYS("ip xfrm state", "src 192.0.2.2 dst 192.0.2.1");
    SAYS("ip xfrm state", "if_id 0x7f51");
    ck_assert_int_eq(sad_remove_sa(sad, &local, first), 0);
    ck_assert_int_eq(sad_remove_sa(sad, &local, first), 0); /* gone is gone */
    ck_assert_uint_eq(netns_count("proto esp", "ip xfrm state"), 1);
    ck_assert_int_eq(sad_remove_sa(sad, &local, second), 0);
    SILENT("ip xfrm state");
}
END_TEST

START_TEST(spi_for_ipv6) {
    namespace_enter();
    _cleanup_(sad_freep) Sad *sad = sad_open();
    Address remote = address("2001:db8::2"), local = address("2001:db8::1");
    uint32_t spi = 0;
    ck_assert_int_eq(sad_allocate_spi(sad, &remote, &local, &spi), 0);
    SAYS("ip xfrm state", "src 2001:db8::2 dst 2001:db8::1");
    ck_assert_int_eq(sad_remove_sa(sad, &local, spi), 0);
    SILENT("ip xfrm state");
}
END_TEST

/* No kernel has this algorithm: both SAs are refused while the policies were taken, and all goes. */
START_TEST(refused_pair_leaves_nothing) {
    namespace_enter();
    _cleanup_(sad_freep) Sad *sad = sad_open();
    Address remote = address("192.0.2.2"), local = address("192.0.2.1");
    for (int i = 0; i < 20; i++) {
        uint32_t spi = 0;
        int r = 0;
        ck_assert_int_eq(sad_allocate_spi(sad, &remote, &local, &spi), 0);
        ChildSa c = child("rfc4106(gcm(nonsense))", spi);
        LOG_OF(r = sad_install(sad, &c, CHILD_IN | CHILD_OUT), "refuses the inbound SA");
        ck_assert_int_lt(r, 0);
        SILENT("ip xfrm state");
        SILENT("ip xfrm policy");
    }
}
END_TEST

START_TEST(impossible_selectors_give_the_spi_back) {
    namespace_enter();
    _cleanup_(sad_freep) Sad *sad = sad_open();
    Address remote = address("192.0.2.2"), local = address("192.0.2.1");
    uint32_t spi = 0;
    ck_assert_int_eq(sad_allocate_spi(sad, &remote, &local, &spi), 0);
    ChildSa c = child("rfc4106(gcm(aes))", spi);
    c.remote_ts[0].port_min = 1024;
    ck_assert_int_eq(sad_install(sad, &c, CHILD_IN | CHILD_OUT), -EOPNOTSUPP);
    SILENT("ip xfrm state");
}
END_TEST

START_TEST(flush_takes_only_what_is_ours) {
    namespace_enter();
    _cleanup_(sad_freep) Sad *sad = sad_open();
    Address remote = address("192.0.2.2"), local = address("192.0.2.1"), inner = address("10.1.0.1");
    uint32_t spi;
    static const char *foreign[] = {
        "src 10.9.0.0/16 dst 0.0.0.0/0 dir out",
        "src 10.1.0.1/32 dst 0.0.0.0/0 dir out if_id 5",
        "src 10.1.0.1/32 dst 0.0.0.0/0 dir out priority 32593",
        "src 2001:db8::/32 dst ::/0 dir fwd action block priority 32593",
    };
    size_t removed = 0;

    for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
        RUN("ip xfrm policy add %s", foreign[i]);
    RUN("ip xfrm state allocspi src 192.0.2.2 dst 192.0.2.1 proto esp reqid 32593");
    ck_assert_int_eq(sad_guard(sad, &inner), 0);
    char before[NETNS_OUTPUT_MAX];
    strcpy(before, netns_output("ip xfrm policy; ip xfrm state"));

    for (int i = 0; i < 100; i++) /* more than one datagram of a dump holds */
        ck_assert_int_eq(sad_allocate_spi(sad, &remote, &local, &spi), 0);
    for (int i = 0; i < 100; i++)
        RUN("ip xfrm policy add src 10.1.0.1/32 dst 10.2.0.%d/32 dir out if_id 32593 tmpl src 192.0.2.1 "
            "dst 192.0.2.2 proto esp mode tunnel",
            i);
    ck_assert_int_eq(sad_flush(sad, &removed), 0);
    ck_assert_uint_eq(removed, 200);
    ck_assert_str_eq(netns_output("ip xfrm policy; ip xfrm state"), before);
    ck_assert_int_eq(sad_flush(sad, &removed), 0);
    ck_assert_uint_eq(removed, 0);
}
END_TEST

static void take_address(const Address *inner, void *userdata) {
    AddressList *list = userdata;
    list->items[list->n++] = *inner;
}

START_TEST(guards_come_and_go) {
    namespace_enter();
    _cleanup_(sad_freep) Sad *sad = sad_open();
    Address v4 = address("10.1.0.1"), v6 = address("2001:db8:1::1");
    AddressList guarded = {0};
    RUN("ip xfrm policy add src 0.0.0.0/0 dst 10.1.0.9/32 dir in action block priority 7");

    for (int i = 0; i < 2; i++) { /* the second time they are there */
        ck_assert_int_eq(sad_guard(sad, &v4), 0);
        ck_assert_int_eq(sad_guard(sad, &v6), 0);
    }
    SAYS("ip xfrm policy", "src 0.0.0.0/0 dst 10.1.0.1/32 \n\tdir in action block priority 32593");
    SAYS("ip xfrm policy", "src ::/0 dst 2001:db8:1::1/128 \n\tdir in action block priority 32593");
    ck_assert_int_eq(sad_guarded(sad, take_address, &guarded), 0);
    ck_assert_uint_eq(guarded.n, 2);

    ck_assert_int_eq(sad_unguard(sad, &v4), 0);
    ck_assert_int_eq(sad_unguard(sad, &v4), 0);
    ck_assert_int_eq(sad_unguard(sad, &v6), 0);
    ck_assert_uint_eq(netns_count("dir in", "ip xfrm policy"), 1);
}
END_TEST

START_TEST(foreign_policies_in_the_guards_place) {
    namespace_enter();
    _cleanup_(sad_freep) Sad *sad = sad_open();
    Address blocked = address("10.1.0.9"), allowed = address("10.1.0.8");
    RUN("ip xfrm policy add src 0.0.0.0/0 dst 10.1.0.9/32 dir in action block priority 7");
    RUN("ip xfrm policy add src 0.0.0.0/0 dst 10.1.0.8/32 dir in action allow");
    ck_assert_int_eq(sad_guard(sad, &blocked), 0);
    ck_assert_int_eq(sad_unguard(sad, &blocked), 0);
    SAYS("ip xfrm policy", "dst 10.1.0.9/32 \n\tdir in action block priority 7");
    LOG_OF(ck_assert_int_eq(sad_guard(sad, &allowed), -EEXIST), "10.1.0.8");
}
END_TEST

/* -- links, addresses, routes, rules -- */

static int route_do(NetlinkChannel *route, int made, LinkRequest *request) {
    ck_assert_int_eq(made, 0);
    int r = channel_request(route, nlmsg_hdr(request), NULL, NULL);
    nlmsg_free(request);
    return r;
}
#define DO(name, ...)                                                                                        \
    ({                                                                                                       \
        LinkRequest *_request = NULL;                                                                        \
        int _made = link_request_##name(__VA_ARGS__, &_request);                                             \
        route_do(route, _made, _request);                                                                    \
    })

/* Uplink `wan` with a default route, `henb0` (a veth here) for the interface; returns its index. */
static int links_make(void) {
    namespace_enter();
    RUN("ip link add wan type veth peer name gw && ip link add henb0 type veth peer name hole");
    RUN("ip link set gw up && ip link set wan up && ip link set hole up");
    RUN("ip addr add 192.0.2.1/24 dev wan && ip route add default via 192.0.2.254");
    RUN("ip addr add 2001:db8::1/64 dev wan nodad && ip -6 route add default via 2001:db8::fe");
    return (int)if_nametoindex("henb0");
}

START_TEST(inside_is_laid_out) {
    int ifindex = links_make();
    _cleanup_(channel_freep) NetlinkChannel *route = route_open();
    const Address inner[] = {address("10.1.0.1"), address("2001:db8:1::1")};

    ck_assert_int_eq(DO(quiet, ifindex), 0);
    for (int again = 0; again < 2; again++) {
        ck_assert_int_eq(DO(up, ifindex, 1400), 0);
        for (size_t i = 0; i < ARRAY_SIZE(inner); i++) {
            ck_assert_int_eq(DO(route_unreachable, inner[i].family, ID), 0);
            ck_assert_int_eq(DO(rule_interface, inner[i].family, "henb0", ID), again ? -EEXIST : 0);
            ck_assert_int_eq(DO(rule_source, true, &inner[i], ID), again ? -EEXIST : 0);
            ck_assert_int_eq(DO(address, true, ifindex, &inner[i]), 0);
            ck_assert_int_eq(DO(route_default, ifindex, &inner[i], ID, 1360), 0);
        }
    }
    SAYS("ip link show henb0", "mtu 1400");
    SAYS("ip link show henb0", ",UP");
    SAYS("ip addr show henb0", "inet 10.1.0.1/32 scope link henb0");
    SAYS("ip addr show henb0", "inet6 2001:db8:1::1/128 scope global nodad deprecated noprefixroute");
    ck_assert_ptr_null(strstr(netns_output("ip addr show henb0"), "fe80"));
    ck_assert_str_eq(netns_output("ip rule show priority 32593"),
                     "32593:\tfrom all oif henb0 lookup 32593\n32593:\tfrom 10.1.0.1 lookup 32593\n");
    ck_assert_str_eq(netns_output("ip -6 rule show priority 32593"),
                     "32593:\tfrom all oif henb0 lookup 32593\n32593:\tfrom 2001:db8:1::1 lookup 32593\n");
    ck_assert_str_eq(netns_output("ip route show table 32593"),
                     "default dev henb0 proto static scope link src 10.1.0.1 advmss 1360 \n"
                     "unreachable default proto static metric 4000 \n");
    SAYS("ip -6 route show table 32593", "default dev henb0 proto static src 2001:db8:1::1 metric 1024");
    SAYS("ip -6 route show table 32593", "advmss 1360");
    SAYS("ip -6 route show table 32593", "unreachable default dev lo proto static metric 4000");

    /* Inner goes inside, the rest keeps its way, and with the interface down inner goes nowhere. */
    SAYS("ip route get 203.0.113.9 from 10.1.0.1", "dev henb0");
    SAYS("ip route get 203.0.113.9 oif henb0", "dev henb0 table 32593 src 10.1.0.1");
    SAYS("ip route get 203.0.113.9", "dev wan src 192.0.2.1");
    SAYS("ip route get 2001:db8:9::9 from 2001:db8:1::1", "dev henb0");
    SAYS("ip route get 2001:db8:9::9", "dev wan");
    RUN("ip link set henb0 down");
    SAYS("ip route get 203.0.113.9 from 10.1.0.1", "No route to host");
    SAYS("ip route get 2001:db8:9::9 from 2001:db8:1::1", "No route to host");
}
END_TEST

START_TEST(inner_address_never_stands_in_for_the_uplinks) {
    int ifindex = links_make();
    _cleanup_(channel_freep) NetlinkChannel *route = route_open();
    Address inner = address("10.1.0.1");
    RUN("ip addr add 10.7.7.7/32 dev henb0"); /* what an address of scope global would do */
    ck_assert_int_eq(DO(up, ifindex, 1400), 0);
    ck_assert_int_eq(DO(address, true, ifindex, &inner), 0);
    RUN("ip addr flush dev wan && ip route replace default dev wan");
    SAYS("ip route get 203.0.113.9", "src 10.7.7.7");
    RUN("ip addr del 10.7.7.7/32 dev henb0");
    ck_assert_ptr_null(strstr(netns_output("ip route get 203.0.113.9"), "10.1.0.1"));
}
END_TEST

START_TEST(inside_is_taken_back) {
    int ifindex = links_make();
    _cleanup_(channel_freep) NetlinkChannel *route = route_open();
    const Address inner[] = {address("10.1.0.1"), address("2001:db8:1::1")};
    RUN("ip rule add from 10.1.0.1 lookup 99 priority 50");
    for (size_t i = 0; i < ARRAY_SIZE(inner); i++) {
        ck_assert_int_eq(DO(rule_source, true, &inner[i], ID), 0);
        ck_assert_int_eq(DO(address, true, ifindex, &inner[i]), 0);
        ck_assert_int_eq(DO(address, false, ifindex, &inner[i]), 0);
        ck_assert_int_eq(DO(address, false, ifindex, &inner[i]), -EADDRNOTAVAIL);
        ck_assert_int_eq(DO(rule_source, false, &inner[i], ID), 0);
        ck_assert_int_eq(DO(rule_source, false, &inner[i], ID), -ENOENT);
    }
    SILENT("ip rule show priority 32593; ip -6 rule show priority 32593; ip -o addr show dev henb0");
    SAYS("ip rule", "from 10.1.0.1 lookup 99");
}
END_TEST

typedef struct Seen {
    size_t n;
    int ifindex;
} Seen;

static int see_address(struct nlmsghdr *answer, void *userdata) {
    Seen *seen = userdata;
    Address a;
    ck_assert_int_eq(link_read_address(answer, &seen->ifindex, &a), 0);
    ck_assert(a.family == AF_INET || a.family == AF_INET6);
    seen->n++;
    return 0;
}

START_TEST(only_one_interface_is_asked) {
    int ifindex = links_make();
    _cleanup_(channel_freep) NetlinkChannel *route = route_open();
    Address inner = address("10.1.0.1");
    Seen seen = {0};
    LinkRequest *request = NULL;
    ck_assert_int_eq(DO(address, true, ifindex, &inner), 0);
    ck_assert_int_eq(link_request_addresses(ifindex, &request), 0);
    ck_assert_int_eq(channel_request(route, nlmsg_hdr(request), see_address, &seen), 0);
    nlmsg_free(request);
    ck_assert_uint_eq(seen.n, 1);
    ck_assert_int_eq(seen.ifindex, ifindex);
}
END_TEST

START_TEST(refusals_come_with_the_kernels_words) {
    namespace_enter();
    _cleanup_(channel_freep) NetlinkChannel *route = route_open();
    Address a = address("10.1.0.1");
    ck_assert_int_eq(DO(address, true, 4711, &a), -ENODEV);
    ck_assert_ptr_nonnull(strstr(channel_reason(route, -ENODEV), "No such device"));
    ck_assert_int_eq(DO(route_default, 4711, &a, ID, 1360), -ENODEV);
    ck_assert_int_eq(DO(up, 4711, 1400), -ENODEV);
}
END_TEST

/* -- rules of former inner addresses -- */

/* What is on the list, in words. */
static const char *former_text(const Former *former) {
    static char text[64 * (FORMER_MAX + ADDRESSES_MAX)];
    text[0] = 0;
    for (size_t i = 0; i < former->n; i++) {
        strcat(text, i ? " " : "");
        strcat(text, ADDRESS_STR(&former->items[i]));
    }
    return text;
}

static Former former_now(NetlinkChannel *route, const AddressList *inner) {
    Former former = {0};
    ck_assert_int_eq(former_read(route, ID, inner, &former), 0);
    return former;
}

START_TEST(former_rules_are_found) {
    links_make();
    _cleanup_(channel_freep) NetlinkChannel *route = route_open();
    const Address old[] = {address("10.1.0.2"), address("2001:db8:1::2"), address("10.1.0.1")};
    const AddressList none = {0}, current = {.n = 1, .items = {address("10.1.0.2")}};
    RUN("ip rule add from 10.9.0.0/16 lookup %d priority %d", ID, ID);
    RUN("ip rule add from 10.9.0.1 lookup 99 priority %d", ID);
    RUN("ip rule add from 10.9.0.2 lookup %d priority 99", ID);
    ck_assert_int_eq(DO(rule_interface, AF_INET, "henb0", ID), 0);
    for (size_t i = 0; i < ARRAY_SIZE(old); i++)
        ck_assert_int_eq(DO(rule_source, true, &old[i], ID), 0);

    Former former = former_now(route, &current);
    ck_assert_str_eq(former_text(&former), "10.1.0.1 2001:db8:1::2");
    SAYS("ip rule", "32593:\tfrom 10.1.0.2 lookup 32593\n"); /* in use */
    SAYS("ip rule", "32593:\tfrom 10.1.0.1 unreachable\n");
    SAYS("ip -6 rule show priority 32593", "from 2001:db8:1::2 unreachable");
    former = former_now(route, &none);
    ck_assert_str_eq(former_text(&former), "10.1.0.2 10.1.0.1 2001:db8:1::2");
    former_forget(&former, &current);
    ck_assert_str_eq(former_text(&former), "10.1.0.1 2001:db8:1::2");
    ck_assert_uint_eq(netns_count("lookup 32593", "ip rule; ip -6 rule"),
                      3); /* by oif; two that are not ours */
    ck_assert_uint_eq(netns_count("lookup 99", "ip rule"), 1);

    ck_assert_int_eq(DO(rule_source, true, &old[1], ID), 0);
    ck_assert_int_eq(former_revive(route, ID, &old[1]), 0);
    ck_assert_int_eq(former_revive(route, ID, &old[1]), 0);
    ck_assert_str_eq(netns_output("ip -6 rule show priority 32593"),
                     "32593:\tfrom 2001:db8:1::2 lookup 32593\n");
}
END_TEST

static int udp_bound(const Address *to) {
    const struct sockaddr_in6 local = {.sin6_family = AF_INET6, .sin6_addr = to->in6};
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&local, sizeof local), 0);
    return fd;
}

/* How many packets with *what* anywhere in them the uplink carries when *fd* sends one. */
static size_t seen_of(const Address *what, int capture, int fd) {
    const Address beyond = address("2001:db8:9::9");
    const struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_addr = beyond.in6};
    uint8_t packet[2048];
    size_t seen = 0;
    ssize_t n;
    (void)sendto(fd, "x", 1, 0, (const struct sockaddr *)&to, sizeof to);
    while ((n = recv(capture, packet, sizeof packet, MSG_DONTWAIT)) >= 0)
        seen += memmem(packet, (size_t)n, what->bytes, 16) != NULL;
    return seen;
}

/* IPv6 sends from an address the box has no more. */
START_TEST(former_address_sends_nothing) {
    int ifindex = links_make();
    _cleanup_(channel_freep) NetlinkChannel *route = route_open();
    const Address inner = address("2001:db8:1::1"), outer = address("2001:db8::1");
    const struct sockaddr_ll wan = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex("wan")};
    RUN("ip -6 neigh add 2001:db8::fe lladdr 02:00:00:00:00:fe dev wan"); /* nothing waits for an answer */
    int capture = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0), outside = udp_bound(&outer);
    ck_assert_int_eq(bind(capture, (const struct sockaddr *)&wan, sizeof wan), 0);
    ck_assert_uint_eq(seen_of(&outer, capture, outside), 1);

    ck_assert_int_eq(DO(up, ifindex, 1400), 0);
    ck_assert_int_eq(DO(rule_source, true, &inner, ID), 0);
    ck_assert_int_eq(DO(address, true, ifindex, &inner), 0);
    ck_assert_int_eq(DO(route_default, ifindex, &inner, ID, 1360), 0);
    int inside = udp_bound(&inner);
    ck_assert_uint_eq(seen_of(&inner, capture, inside), 0);
    ck_assert_int_eq(former_retire(route, ID, &inner), 0);
    ck_assert_int_eq(former_retire(route, ID, &inner), 0);
    ck_assert_int_eq(DO(address, false, ifindex, &inner), 0);
    ck_assert_uint_eq(seen_of(&inner, capture, inside), 0);
    RUN("ip -6 rule del from 2001:db8:1::1"); /* and this is what it is for */
    ck_assert_uint_eq(seen_of(&inner, capture, inside), 1);
    close(inside);
    close(outside);
    close(capture);
}
END_TEST

/* As when the uplink's DHCP server has the same private network as the operator. */
START_TEST(former_rule_gives_way_to_the_uplink) {
    links_make();
    _cleanup_(channel_freep) NetlinkChannel *route = route_open();
    const Address old[] = {address("10.1.0.1"), address("10.1.0.2"), address("2001:db8:1::1"),
                           address("2001:db8:1::2")};
    const AddressList none = {0};
    for (size_t i = 0; i < ARRAY_SIZE(old); i++)
        ck_assert_int_eq(former_retire(route, ID, &old[i]), 0);
    Former former = former_now(route, &none);
    former_yield(route, ID, &former);
    ck_assert_uint_eq(former.n, 4);

    RUN("ip addr add 10.1.0.1/24 dev wan && ip addr add 2001:db8:1::2/64 dev wan nodad");
    SAYS("ip route get 203.0.113.9 from 10.1.0.1", "unreachable"); /* swallowed */
    LOG_OF(former_yield(route, ID, &former), "2001:db8:1::2 is another link's now");
    ck_assert_str_eq(former_text(&former), "10.1.0.2 2001:db8:1::1");
    SAYS("ip route get 203.0.113.9 from 10.1.0.1", "dev wan");
    SAYS("ip route get 2001:db8:9::9 from 2001:db8:1::2", "dev wan");
    SAYS("ip route get 2001:db8:9::9 from 2001:db8:1::1", "unreachable");
    former = former_now(route, &none);
    ck_assert_str_eq(former_text(&former), "10.1.0.2 2001:db8:1::1");
}
END_TEST

START_TEST(former_rules_have_a_limit) {
    namespace_enter();
    _cleanup_(channel_freep) NetlinkChannel *route = route_open();
    const AddressList none = {0};
    RUN("for i in $(seq 1 %d); do echo rule add from 2001:db8:1::$i unreachable priority %d; done | ip -6 "
        "-batch -",
        FORMER_MAX, ID);
    RUN("ip rule add from 10.1.0.1 unreachable priority %d", ID);
    Former former = former_now(route, &none);
    ck_assert_uint_eq(former.n, FORMER_MAX + 1);
    ck_assert_int_eq(former_trim(route, ID, &former), 0);
    SILENT("ip rule show priority 32593"); /* the younger, but IPv4's */
    ck_assert_uint_eq(netns_count("unreachable", "ip -6 rule"), FORMER_MAX);

    RUN("ip -6 rule add from 2001:db8:1::aaaa lookup %d priority %d", ID, ID);
    former = former_now(route, &none);
    ck_assert_int_eq(former_trim(route, ID, &former), 0);
    ck_assert_uint_eq(former.n, FORMER_MAX);
    ck_assert_uint_eq(netns_count("unreachable", "ip -6 rule"), FORMER_MAX);
    ck_assert_uint_eq(netns_count("from 2001:db8:1::1 ", "ip -6 rule"), 0);
    SAYS("ip -6 rule", "from 2001:db8:1::2 ");
    SAYS("ip -6 rule", "from 2001:db8:1::aaaa ");
}
END_TEST

/* -- the uplink -- */

static int uplink(int family, char ret[static ADDRESS_STR_MAX]) {
    _cleanup_(channel_freep) NetlinkChannel *route = route_open();
    _cleanup_(sd_event_unrefp) sd_event *event = NULL;
    _cleanup_(uplink_freep) Uplink *watch = NULL;
    Address a = {0};
    ck_assert_int_eq(sd_event_new(&event), 0);
    ck_assert_int_eq(uplink_new(&watch, event, NULL, NULL), 0);
    int r = uplink_find(watch, route, NULL, family, &a);
    address_format(&a, ret);
    return r;
}

#define UPLINK_IS(family, text)                                                                              \
    do {                                                                                                     \
        char _a[ADDRESS_STR_MAX];                                                                            \
        ck_assert_int_eq(uplink(family, _a), 0);                                                             \
        ck_assert_str_eq(_a, text);                                                                          \
    } while (0)
#define NO_UPLINK(family)                                                                                    \
    do {                                                                                                     \
        char _a[ADDRESS_STR_MAX];                                                                            \
        ck_assert_int_eq(uplink(family, _a), -ENETUNREACH);                                                  \
    } while (0)

START_TEST(uplink_is_address_and_default_route) {
    namespace_enter();
    RUN("ip link add wan type veth peer name gw && ip link set gw up");
    NO_UPLINK(AF_INET);
    RUN("ip addr add 192.0.2.1/24 dev wan && ip link set wan up");
    NO_UPLINK(AF_INET); /* a network is no way out */
    RUN("ip route add default via 192.0.2.254");
    UPLINK_IS(AF_INET, "192.0.2.1");
    NO_UPLINK(AF_INET6);
    RUN("ip link set wan down");
    NO_UPLINK(AF_INET);
    RUN("ip link set wan up && ip route add default dev wan"); /* no gateway, as on PPP */
    UPLINK_IS(AF_INET, "192.0.2.1");
    RUN("ip addr flush dev wan && ip route replace default dev wan");
    NO_UPLINK(AF_INET); /* a route alone has no source */
    RUN("ip addr add 169.254.3.4/16 dev wan scope global");
    NO_UPLINK(AF_INET);
}
END_TEST

START_TEST(uplink_of_ipv6) {
    namespace_enter();
    RUN("ip link add wan type veth peer name gw && ip link set gw up && ip link set wan addrgenmode none");
    RUN("ip link set wan up && ip addr add fe80::1/64 dev wan nodad");
    NO_UPLINK(AF_INET6);
    RUN("ip -6 route add default via fe80::2 dev wan");
    NO_UPLINK(AF_INET6); /* only a link-local source */
    RUN("ip addr add 2001:db8::1/64 dev wan nodad");
    UPLINK_IS(AF_INET6, "2001:db8::1");
    NO_UPLINK(AF_INET);
}
END_TEST

START_TEST(dead_ends_are_no_uplink) {
    namespace_enter();
    static const char *types[] = {"unreachable", "blackhole", "prohibit"};
    RUN("ip link add wan type veth peer name gw && ip link set gw up && ip link set wan up");
    RUN("ip addr add 192.0.2.1/24 dev wan && ip addr add 2001:db8::1/64 dev wan nodad");
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        RUN("ip route replace %s default", types[i]);
        RUN("ip -6 route replace %s default", types[i]);
        NO_UPLINK(AF_INET);
        NO_UPLINK(AF_INET6);
    }
}
END_TEST

/* *call* logs nothing. */
#define LOGS_NOTHING(call)                                                                                   \
    do {                                                                                                     \
        int _pipe[2], _saved = dup(STDERR_FILENO);                                                           \
        char _byte;                                                                                          \
        ck_assert_int_eq(pipe(_pipe), 0);                                                                    \
        dup2(_pipe[1], STDERR_FILENO);                                                                       \
        close(_pipe[1]);                                                                                     \
        call;                                                                                                \
        dup2(_saved, STDERR_FILENO);                                                                         \
        close(_saved);                                                                                       \
        ck_assert_int_eq(read(_pipe[0], &_byte, 1), 0);                                                      \
        close(_pipe[0]);                                                                                     \
    } while (0)

/* A default route is there, but a filter of bogons catches the probe. */
START_TEST(forbidden_probe_is_told_once) {
    static const struct {
        const char *type, *says[2];
    } cases[] = {
        {"blackhole",
         {"198.19.255.254, and the kernel says it is blackhole", "2001:2::fffe, and the kernel"}},
        {"unreachable", {"198.19.255.254, and the kernel says it is unreachable", "says it is unreachable"}},
        {"prohibit", {"198.19.255.254, and the kernel says it is prohibit", "says it is prohibit"}},
    };
    links_make();
    _cleanup_(channel_freep) NetlinkChannel *route = route_open();
    _cleanup_(sd_event_unrefp) sd_event *event = NULL;
    _cleanup_(uplink_freep) Uplink *watch = NULL;
    Address a;
    ck_assert_int_eq(sd_event_new(&event), 0);
    ck_assert_int_eq(uplink_new(&watch, event, NULL, NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        LOGS_NOTHING(ck_assert_int_eq(uplink_find(watch, route, NULL, AF_INET, &a), 0));
        LOGS_NOTHING(ck_assert_int_eq(uplink_find(watch, route, NULL, AF_INET6, &a), 0));
        RUN("ip route add %s 198.18.0.0/15 && ip route add %s 2001:2::/48", cases[i].type, cases[i].type);
        LOG_OF(uplink_find(watch, route, NULL, AF_INET, &a), cases[i].says[0]);
        LOG_OF(uplink_find(watch, route, NULL, AF_INET6, &a), cases[i].says[1]);
        LOGS_NOTHING(ck_assert_int_eq(uplink_find(watch, route, NULL, AF_INET, &a), -ENETUNREACH));
        LOGS_NOTHING(ck_assert_int_eq(uplink_find(watch, route, NULL, AF_INET6, &a), -ENETUNREACH));
        RUN("ip route del %s 198.18.0.0/15 && ip route del %s 2001:2::/48", cases[i].type, cases[i].type);
    }
    RUN("ip route del default && ip -6 route del default");
    LOGS_NOTHING(uplink_find(watch, route, NULL, AF_INET, &a)); /* no route: every box without a cable */
    LOGS_NOTHING(uplink_find(watch, route, NULL, AF_INET6, &a));
}
END_TEST

START_TEST(arp_for_the_inner_address_is_warned_of) {
    namespace_enter();
    RUN("sysctl -qw net.ipv4.conf.all.arp_ignore=0");
    LOG_OF(uplink_warn_of_arp(),
           "Linux answers ARP for the inner address on other links "
           "(net.ipv4.conf.all.arp_ignore=0)");
    RUN("sysctl -qw net.ipv4.conf.all.arp_ignore=1");
    LOGS_NOTHING(uplink_warn_of_arp());
}
END_TEST

static void count(void *userdata) {
    ++*(unsigned *)userdata;
}

/* Runs the loop until it has nothing more to do. */
static void settle(sd_event *event) {
    int r;
    while ((r = sd_event_run(event, 0)) > 0)
        ;
    ck_assert_int_eq(r, 0);
}

START_TEST(changes_are_told) {
    namespace_enter();
    _cleanup_(sd_event_unrefp) sd_event *event = NULL;
    _cleanup_(uplink_freep) Uplink *watch = NULL;
    unsigned calls = 0;
    static const char *changes[] = {
        "ip link add wan type veth peer name gw",
        "ip link set wan up && ip link set gw up",
        "ip addr add 192.0.2.1/24 dev wan",
        "ip route add default via 192.0.2.254",
        "ip addr add 2001:db8::1/64 dev wan nodad",
        "ip -6 route add default via 2001:db8::fe",
        "ip route del default",
    };
    ck_assert_int_eq(sd_event_new(&event), 0);
    ck_assert_int_eq(uplink_new(&watch, event, count, &calls), 0);
    settle(event);
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        calls = 0;
        RUN("%s", changes[i]);
        ck_assert_int_gt(sd_event_run(event, 5000000), 0);
        ck_assert_uint_eq(calls, 1);
        settle(event);
    }
}
END_TEST

START_TEST(lost_notifications_are_a_change) {
    namespace_enter();
    _cleanup_(sd_event_unrefp) sd_event *event = NULL;
    _cleanup_(uplink_freep) Uplink *watch = NULL;
    unsigned calls = 0;
    ck_assert_int_eq(sd_event_new(&event), 0);
    ck_assert_int_eq(uplink_new(&watch, event, count, &calls), 0);
    RUN("ip link add wan type veth peer name gw && ip link set gw up && ip link set wan up");
    settle(event);
    RUN("for i in $(seq 0 4095); do echo route add 10.$((i / 256)).$((i %% 256)).0/24 dev wan; done | "
        "ip -batch -");
    calls = 0;
    settle(event);
    ck_assert_uint_ge(calls, 1);
    calls = 0;
    RUN("ip link set wan down"); /* and the socket still works */
    settle(event);
    ck_assert_uint_ge(calls, 1);
}
END_TEST

/* strongswan#3138: a large foreign routing table cost another daemon a gigabyte. Here a decision is one
 * request however many routes there are. */
START_TEST(foreign_routes_cost_nothing) {
    namespace_enter();
    _cleanup_(sd_event_unrefp) sd_event *event = NULL;
    _cleanup_(uplink_freep) Uplink *watch = NULL;
    _cleanup_(channel_freep) NetlinkChannel *route = route_open();
    Address source, expected = address("192.0.2.1");
    ck_assert_int_eq(sd_event_new(&event), 0);
    ck_assert_int_eq(uplink_new(&watch, event, NULL, NULL), 0);
    RUN("ip link add wan type veth peer name gw && ip link set gw up && ip link set wan up");
    RUN("ip addr add 192.0.2.1/24 dev wan && ip route add default via 192.0.2.254");
    for (int many = 0; many < 2; many++) {
        if (many)
            RUN("for i in $(seq 0 1999); do echo route add 10.$((i / 256)).$((i %% 256)).0/24 dev wan; done "
                "| "
                "ip -batch -");
        ChannelCount before = channel_count(route);
        ck_assert_int_eq(uplink_find(watch, route, NULL, AF_INET, &source), 0);
        ck_assert(address_equal(&source, &expected));
        ck_assert_uint_eq(channel_count(route).messages - before.messages, 1);
        ck_assert_uint_eq(channel_count(route).dumps, 0);
    }
    RUN("ip route del default");
    ck_assert_int_eq(uplink_find(watch, route, NULL, AF_INET, &source), -ENETUNREACH);
    ck_assert_uint_eq(channel_count(route).messages, 3);
    ck_assert_uint_eq(channel_count(route).dumps, 0);
}
END_TEST

/* -- what the kernel can do, and says by itself -- */

static bool kernel_has_directions(void) {
    unsigned major = 0, minor = 0;
    ck_assert_int_eq(sscanf(netns_output("uname -r"), "%u.%u", &major, &minor), 2);
    return major > 6 || (major == 6 && minor >= 10);
}

START_TEST(probe_leaves_nothing) {
    namespace_enter();
    RUN("ip link set lo up");
    _cleanup_(sad_freep) Sad *sad = sad_open();
    ck_assert(!sad_has(sad, NETLINK_SA_DIR));
    sad_probe(sad);
    ck_assert_int_eq(sad_has(sad, NETLINK_SA_DIR), kernel_has_directions());
    SILENT("ip xfrm state");
    SILENT("ip xfrm policy");

    /* And what was learnt is used. */
    Address remote = address("192.0.2.2"), local = address("192.0.2.1");
    uint32_t spi = 0;
    ck_assert_int_eq(sad_allocate_spi(sad, &remote, &local, &spi), 0);
    ck_assert_int_eq(sad_remove_sa(sad, &local, spi), 0);
    SILENT("ip xfrm state");
}
END_TEST

typedef struct Heard {
    unsigned expired, mappings, lost;
    int lost_result;
} Heard;

static void hear_expired(void *userdata, uint32_t spi, bool hard) {
    ((Heard *)userdata)->expired++;
}

static void hear_mapping(void *userdata, uint32_t spi_in, const Endpoint *from) {
    ((Heard *)userdata)->mappings++;
}

static int hear_lost(void *userdata) {
    Heard *heard = userdata;
    heard->lost++;
    return heard->lost_result;
}

static void sad_hear(Sad *sad, sd_event *event, Heard *heard, int receive_buffer) {
    const SadListener listener = {hear_expired, hear_mapping, hear_lost, heard, receive_buffer};
    ck_assert_int_eq(sad_listen(sad, event, &listener), 0);
}

/* Reserved SPIs expire within a second here, which the kernel tells everybody. */
static void reservations_expire(unsigned n) {
    RUN("sysctl -qw net.core.xfrm_acq_expires=1");
    RUN("for i in $(seq %u); do ip xfrm state allocspi src 192.0.2.2 dst 192.0.2.1 proto esp reqid 32593 "
        ">/dev/null || exit 1; done",
        n);
    for (int i = 0; i < 100 && netns_count("proto esp", "ip xfrm state") > 0; i++)
        usleep(100000); /* for the kernel's own timer */
    SILENT("ip xfrm state");
}

START_TEST(others_events_are_not_told) {
    namespace_enter();
    _cleanup_(sd_event_unrefp) sd_event *event = NULL;
    _cleanup_(sad_freep) Sad *sad = sad_open();
    Heard heard = {0};
    ck_assert_int_eq(sd_event_new(&event), 0);
    sad_hear(sad, event, &heard, 0);
    reservations_expire(20);
    ck_assert_int_gt(sd_event_run(event, 0), 0); /* it was heard */
    settle(event);
    ck_assert_uint_eq(heard.expired + heard.mappings + heard.lost, 0);
}
END_TEST

START_TEST(lost_events_are_noticed) {
    namespace_enter();
    _cleanup_(sd_event_unrefp) sd_event *event = NULL;
    _cleanup_(sad_freep) Sad *sad = sad_open();
    Heard heard = {.lost_result = -ENOMEM};
    ck_assert_int_eq(sd_event_new(&event), 0);
    sad_hear(sad, event, &heard, 1);
    reservations_expire(40);
    LOG_OF(settle(event), "cannot be looked at now");
    ck_assert_uint_eq(heard.lost, 1);
    heard.lost_result = 0;
    for (int i = 0; i < 5 && heard.lost < 2; i++)
        sd_event_run(event, 1000000);
    ck_assert_uint_eq(heard.lost, 2); /* what failed is tried again */
    ck_assert_int_eq(sd_event_run(event, 1500000), 0);
    ck_assert_uint_eq(heard.lost, 2);
}
END_TEST

START_TEST(resync_removes_what_nobody_knows) {
    namespace_enter();
    _cleanup_(sad_freep) Sad *sad = sad_open();
    Address remote = address("192.0.2.2"), local = address("192.0.2.1"), inner = address("10.1.0.1");
    uint32_t spi;
    RUN("ip xfrm policy add src 10.9.0.0/16 dst 0.0.0.0/0 dir out if_id 9");
    RUN("ip xfrm policy add src 10.9.0.0/16 dst 0.0.0.0/0 dir out priority 32593");
    ck_assert_int_eq(sad_guard(sad, &inner), 0);
    ck_assert_int_eq(sad_allocate_spi(sad, &remote, &local, &spi), 0);
    char before[NETNS_OUTPUT_MAX];
    strcpy(before, netns_output("ip xfrm policy; ip xfrm state"));
    RUN("ip xfrm policy add src 10.1.0.1/32 dst 0.0.0.0/0 dir out if_id 32593 tmpl src 192.0.2.1 "
        "dst 192.0.2.2 proto esp mode tunnel");
    LOG_OF(ck_assert_int_eq(sad_resync(sad), 0), "0 policies restored, 0 SAs gone, 1 of ours");
    ck_assert_str_eq(netns_output("ip xfrm policy; ip xfrm state"), before);
}
END_TEST

START_TEST(what_is_not_installed_is_not_moved) {
    namespace_enter();
    _cleanup_(sad_freep) Sad *sad = sad_open();
    ChildSa c = child("rfc4106(gcm(aes))", 0x1000);
    const Endpoint local = c.local, remote = c.remote;
    ChildTraffic traffic = {.packets_in = 1, .packets_out = 2};
    c.local.address = address("192.0.2.77");
    ck_assert_int_eq(sad_move(sad, &c, &local, &remote), -ENOENT);
    ck_assert_int_eq(sad_remove(sad, &c, CHILD_IN | CHILD_OUT), 0);
    LOG_OF(ck_assert_int_lt(sad_traffic(sad, &c, &traffic), 0), "does not tell its counters");
    ck_assert_uint_eq(traffic.packets_in, 1);
    ck_assert_uint_eq(traffic.packets_out, 2);
    SILENT("ip xfrm state; ip xfrm policy");
}
END_TEST

/* -- starting -- */

static int netlink_start(void) {
    _cleanup_(sd_event_unrefp) sd_event *event = NULL;
    NetlinkIo *io = NULL;
    ck_assert_int_eq(sd_event_new(&event), 0);
    int r = netlink_io_new(&io, event, &(NetlinkConfig){.interface = "henb0", .id = ID});
    if (r == 0)
        netlink_io_free(io);
    return r;
}

START_TEST(foreign_interface_is_left_alone) {
    namespace_enter();
    RUN("ip link add henb0 type veth peer name other");
    RUN("ip xfrm policy add src 10.1.0.1/32 dst 0.0.0.0/0 dir out if_id 32593");
    LOG_OF(ck_assert_int_eq(netlink_start(), -EEXIST), "is no XFRM interface");
    SAYS("ip -d link show henb0", "state DOWN");
    SAYS("ip -d link show henb0", "mtu 1500");
    SAYS("ip xfrm policy", "if_id 0x7f51");
}
END_TEST

START_TEST(kernel_without_xfrm_interfaces_is_named) {
    namespace_enter();
    if (netns_try("ip link add probe type xfrm if_id 1"))
        return; /* nothing to see on this kernel */
    LOG_OF(ck_assert_int_eq(netlink_start(), -EOPNOTSUPP), "CONFIG_XFRM_INTERFACE");
}
END_TEST

SUITE_IF_ABLE(netns_unable, "netlink", spi_is_reserved_and_given_back, spi_for_ipv6,
              refused_pair_leaves_nothing, impossible_selectors_give_the_spi_back,
              flush_takes_only_what_is_ours, guards_come_and_go, foreign_policies_in_the_guards_place,
              inside_is_laid_out, inner_address_never_stands_in_for_the_uplinks, inside_is_taken_back,
              former_rules_are_found, former_address_sends_nothing, former_rule_gives_way_to_the_uplink,
              former_rules_have_a_limit, only_one_interface_is_asked, refusals_come_with_the_kernels_words,
              uplink_is_address_and_default_route, uplink_of_ipv6, dead_ends_are_no_uplink,
              forbidden_probe_is_told_once, arp_for_the_inner_address_is_warned_of, changes_are_told,
              lost_notifications_are_a_change, foreign_routes_cost_nothing, probe_leaves_nothing,
              others_events_are_not_told, lost_events_are_noticed, resync_removes_what_nobody_knows,
              what_is_not_installed_is_not_moved, foreign_interface_is_left_alone,
              kernel_without_xfrm_interfaces_is_named)
