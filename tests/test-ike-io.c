/* SPDX-License-Identifier: GPL-3.0-or-later */
/* IKE's sockets in a network namespace of their own, the other end a plain socket on the same loopback. */
#include <linux/xfrm.h>
#include <netinet/in.h>

#include "ike/ike-io.h"
#include "ike/ikev2.h"
#include <poll.h>

#include "netns.h"
#include "suite.h"

static const char *const near[] = {"192.0.2.1", "2001:db8::1"}, *const far[] = {"192.0.2.2", "2001:db8::2"};

static struct {
    unsigned n;
    Endpoint from;
    size_t size;
    uint8_t bytes[64];
} heard;

static void on_datagram(void *userdata, uint8_t *datagram, size_t size, const Endpoint *from) {
    heard.n++;
    heard.from = *from;
    heard.size = size;
    memcpy(heard.bytes, datagram, MIN(size, sizeof heard.bytes));
}

static const char *unable(void) {
    const char *why = netns_unable();
    if (why)
        return why;
    struct xfrm_userpolicy_info policy = {}; /* of no family: refused as such where there is XFRM */
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    int r = setsockopt(fd, IPPROTO_IP, IP_XFRM_POLICY, &policy, sizeof policy) < 0 ? errno : 0;
    close(fd);
    return r == ENOPROTOOPT || r == EOPNOTSUPP ? "needs XFRM" : NULL;
}

static void namespace_enter(void) {
    ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
    ck_assert(
        netns_try("ip link set lo up && ip addr add 192.0.2.1/32 dev lo && ip addr add 192.0.2.2/32 dev lo"));
    ck_assert(
        netns_try("ip addr add 2001:db8::1/128 dev lo nodad && ip addr add 2001:db8::2/128 dev lo nodad"));
}

static IkeIo *io_open(sd_event **ret_event) {
    IkeIo *io;
    ck_assert_int_eq(sd_event_new(ret_event), 0);
    ck_assert_int_eq(ike_io_new(&io, *ret_event, on_datagram, NULL), 0);
    return io;
}

/* The other end: on a port of its own, since the far address is this very box's. */
static int far_socket(const Address *a, Endpoint *ret) {
    struct sockaddr_storage ss;
    Endpoint any = {*a, 0};
    socklen_t size = endpoint_to_sockaddr(&any, &ss);
    int fd = socket(a->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, size), 0);
    size = sizeof ss;
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&ss, &size), 0);
    ck_assert_int_eq(endpoint_from_sockaddr((struct sockaddr *)&ss, ret), 0);
    return fd;
}

/* From either port over either family: the source is the address that was asked for, port 4500 has the marker
 * in both directions, and what lacks it there is ESP's or nobody's. */
START_TEST(both_families_both_ports) {
    sd_event *event;
    namespace_enter();
    IkeIo *io = io_open(&event);

    for (unsigned i = 0; i < 4; i++) {
        Endpoint local = {address(near[i % 2]), i < 2 ? IKE_PORT : IKE_NAT_PORT}, remote, from;
        size_t marker = i < 2 ? 0 : IKE_NON_ESP_MARKER;
        struct sockaddr_storage ss;
        socklen_t size = sizeof ss;
        uint8_t bytes[64] = {};
        Address far_address = address(far[i % 2]);
        int fd = far_socket(&far_address, &remote);

        /* UDP may lose it while the new namespace settles. */
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        for (unsigned tries = 0; tries < 100 && readable.revents == 0; tries++) {
            ck_assert_int_eq(ike_io_send(io, &local, &remote, (const uint8_t *)"hello", 5), 0);
            ck_assert_int_ge(poll(&readable, 1, 300), 0);
        }
        ck_assert_int_eq(recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&ss, &size), 5 + marker);
        ck_assert_mem_eq(bytes, "\0\0\0\0", marker);
        ck_assert_mem_eq(bytes + marker, "hello", 5);
        ck_assert_int_eq(endpoint_from_sockaddr((struct sockaddr *)&ss, &from), 0);
        ck_assert(endpoint_equal(&from, &local));

        heard.n = 0;
        if (marker)
            ck_assert_int_eq(sendto(fd, "\0\0\0\1x", 5, 0, (struct sockaddr *)&ss, size), 5);
        memcpy(bytes + marker, "world", 5);
        ck_assert_int_eq(sendto(fd, bytes, 5 + marker, 0, (struct sockaddr *)&ss, size), 5 + marker);
        while (heard.n == 0)
            ck_assert_int_gt(sd_event_run(event, 5000000), 0);
        ck_assert_uint_eq(heard.n, 1);
        ck_assert_uint_eq(heard.size, 5);
        ck_assert_mem_eq(heard.bytes, "world", 5);
        ck_assert(endpoint_equal(&heard.from, &remote));
        close(fd);
    }
    ike_io_free(io);
    sd_event_unref(event);
}
END_TEST

/* A family without a route fails before anything is sent; the other one does not mind. */
START_TEST(source_by_family) {
    Address four = address("203.0.113.1"), six = address("2001:db8:9::1"), source;
    namespace_enter();
    ck_assert_int_lt(ike_io_source(&four, &source), 0);
    ck_assert_int_lt(ike_io_source(&six, &source), 0);
    ck_assert(
        netns_try("ip link add wan type veth peer name other && ip link set wan up && ip link set other up"));
    ck_assert(netns_try("ip addr add 198.51.100.7/24 dev wan && ip route add default via 198.51.100.1"));
    ck_assert_int_eq(ike_io_source(&four, &source), 0);
    ck_assert_str_eq(ADDRESS_STR(&source), "198.51.100.7");
    ck_assert_int_lt(ike_io_source(&six, &source), 0);
    ck_assert(
        netns_try("ip addr add 2001:db8:2::9/64 dev wan nodad && ip route add default via 2001:db8:2::1"));
    ck_assert_int_eq(ike_io_source(&six, &source), 0);
    ck_assert_str_eq(ADDRESS_STR(&source), "2001:db8:2::9");
    ck_assert(netns_try("ip route del default && ip route add unreachable default"));
    ck_assert_int_lt(ike_io_source(&four, &source), 0);
    ck_assert_int_eq(ike_io_source(&six, &source), 0);
}
END_TEST

/* What nobody listens to costs the budget: an ICMP error, which anybody can forge, is not even seen. */
START_TEST(unreachable_is_not_heard) {
    sd_event *event;
    namespace_enter();
    IkeIo *io = io_open(&event);

    for (unsigned i = 0; i < 2; i++) {
        Endpoint local = {address(near[i]), IKE_PORT}, remote;
        Address far_address = address(far[i]);
        close(far_socket(&far_address, &remote)); /* a port that is closed now */
        heard.n = 0;
        for (unsigned k = 0; k < 3; k++) {
            ck_assert_int_eq(ike_io_send(io, &local, &remote, (const uint8_t *)"hello", 5), 0);
            ck_assert_int_eq(sd_event_run(event, 20000), 0);
        }
        ck_assert_uint_eq(heard.n, 0);
    }
    ike_io_free(io);
    sd_event_unref(event);
}
END_TEST

SUITE_IF_ABLE(unable, "ike-io", both_families_both_ports, source_by_family, unreachable_is_not_heard)
