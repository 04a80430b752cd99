/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel's side of the tunnel with real ESP and real XFRM interfaces: run as root on a kernel that has
 * both, such as the guest's. Both ends are ours, each in a namespace, with keys made up here; prints TAP.
 *
 *   namespace n-henb                                   namespace n-segw
 *   henb0 10.1.0.1 2001:db8:1::1                       henb0 10.2.0.1 2001:db8:2::1
 *   wan 192.0.2.1 2001:db8::1 ------- veth ----------- wan 192.0.2.2 2001:db8::2
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdarg.h>
#include <systemd/sd-event.h>

#include "netlink/netlink-io.h"
#include "netns.h"

#define ID   32593
#define BOTH (CHILD_IN | CHILD_OUT)

typedef struct Box {
    const char *name;
    const char *outer[2], *inner[2]; /* IPv4, IPv6 */
    NetlinkIo *io;
    int udp; /* decapsulates port 4500 */
} Box;

static Box henb = {"n-henb", {"192.0.2.1", "2001:db8::1"}, {"10.1.0.1", "2001:db8:1::1"}, NULL, -1};
static Box segw = {"n-segw", {"192.0.2.2", "2001:db8::2"}, {"10.2.0.1", "2001:db8:2::1"}, NULL, -1};
static sd_event *event;

/* -- TAP -- */

static unsigned checks, failures;

_printf_(2, 3) static bool check(bool ok, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    printf("%s %u - ", ok ? "ok" : "not ok", ++checks);
    vprintf(format, ap);
    putchar('\n');
    va_end(ap);
    failures += !ok;
    return ok;
}

static void show(const char *what) {
    for (char *line = strtok(netns_output("%s", what), "\n"); line; line = strtok(NULL, "\n"))
        printf("#   %s\n", line);
}

/* Set-up that has to work for the rest to mean anything. */
#define NEED(...)                                                                                            \
    do {                                                                                                     \
        int _status;                                                                                         \
        char *_output = netns_run(&_status, __VA_ARGS__);                                                    \
        if (_status != 0) {                                                                                  \
            printf("Bail out! %s\n", _output);                                                               \
            exit(EXIT_FAILURE);                                                                              \
        }                                                                                                    \
    } while (0)

/* -- the two boxes -- */

static void box_enter(const Box *box) {
    char path[64];
    snprintf(path, sizeof path, "/run/netns/%s", box->name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) < 0) {
        printf("Bail out! %s: %s\n", path, strerror(errno));
        exit(EXIT_FAILURE);
    }
    close(fd);
}

static int box_start(Box *box) {
    box_enter(box);
    return netlink_io_new(&box->io, event, &(NetlinkConfig){.interface = "henb0", .id = ID});
}

static void box_stop(Box *box) {
    netlink_io_free(box->io);
    box->io = NULL;
}

static Address address(const char *text) {
    Address a;
    if (address_parse(text, &a) < 0)
        abort();
    return a;
}

static AddressList list(const char *const texts[2]) {
    return (AddressList){.n = 2, .items = {address(texts[0]), address(texts[1])}};
}

static void box_listen(Box *box) {
    const int encap = UDP_ENCAP_ESPINUDP;
    const struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(4500)};
    box_enter(box);
    box->udp = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (box->udp < 0 || bind(box->udp, (const struct sockaddr *)&any, sizeof any) < 0 ||
        setsockopt(box->udp, IPPROTO_UDP, UDP_ENCAP, &encap, sizeof encap) < 0) {
        printf("Bail out! UDP_ENCAP: %s\n", strerror(errno));
        exit(EXIT_FAILURE);
    }
}

static void box_make(const Box *box) {
    NEED("ip -n %s link set lo up && ip -n %s link set wan addrgenmode none up", box->name, box->name);
    NEED("ip -n %s addr add %s/24 dev wan && ip -n %s addr add %s/64 dev wan nodad", box->name, box->outer[0],
         box->name, box->outer[1]);
}

static void namespaces_remove(void) {
    netns_try("ip netns del n-henb");
    netns_try("ip netns del n-segw");
}

static void namespaces_make(void) {
    namespaces_remove();
    NEED("ip netns add n-henb && ip netns add n-segw");
    NEED("ip link add wan netns n-henb type veth peer name wan netns n-segw");
    box_make(&henb);
    box_make(&segw);
    box_listen(&henb);
    box_listen(&segw);
}

/* -- pairs of SAs -- */

typedef struct Variant {
    const char *name;
    EspAlgorithms algorithms;
    size_t encryption, integrity; /* bytes of key */
} Variant;

static const Variant variants[] = {
    {"AES-GCM-16, 128 bits", {.aead = "rfc4106(gcm(aes))", .icv_bits = 128}, 20, 0},
    {"AES-GCM-16, 256 bits", {.aead = "rfc4106(gcm(aes))", .icv_bits = 128}, 36, 0},
    {"AES-CBC, 128 bits, HMAC-SHA2-256-128",
     {.encryption = "cbc(aes)", .integrity = "hmac(sha256)", .truncation_bits = 128},
     16,
     32},
    {"AES-CBC, 256 bits, HMAC-SHA2-256-128",
     {.encryption = "cbc(aes)", .integrity = "hmac(sha256)", .truncation_bits = 128},
     32,
     32},
};

static EspKeys keys(const Variant *v, uint8_t seed) {
    EspKeys k = {.encryption_size = v->encryption, .integrity_size = v->integrity};
    for (size_t i = 0; i < ESP_KEY_MAX; i++) {
        k.encryption[i] = (uint8_t)(seed + i);
        k.integrity[i] = (uint8_t)(seed ^ (0x80 + i));
    }
    return k;
}

/* What *box* is to install for its end: traffic of both families from its inner addresses to anywhere (the
 * SeGW: from anywhere to the HeNB's). */
static ChildSa child(const Box *box, const Box *peer, const Variant *v, int outer, bool udp) {
    ChildSa c = {
        .local = {.address = address(box->outer[outer]), .port = 4500},
        .remote = {.address = address(peer->outer[outer]), .port = 4500},
        .encapsulate = udp,
        .algorithms = v->algorithms,
        .n_local_ts = 2,
        .n_remote_ts = 2,
    };
    for (int i = 0; i < 2; i++) {
        TrafficSelector mine = {
            .address = address(henb.inner[i]),
            .prefix = i == 0 ? 32 : 128,
            .port_max = 65535,
        };
        TrafficSelector any = {.address = address(i == 0 ? "0.0.0.0" : "::"), .port_max = 65535};
        c.local_ts[i] = box == &henb ? mine : any;
        c.remote_ts[i] = box == &henb ? any : mine;
    }
    return c;
}

typedef struct Pair {
    ChildSa henb, segw;
} Pair;

static Pair pair_reserve(const Variant *v, int outer, bool udp) {
    Pair p = {child(&henb, &segw, v, outer, udp), child(&segw, &henb, v, outer, udp)};
    if (netlink_io_allocate_spi(henb.io, &p.henb.remote.address, &p.henb.local.address, &p.henb.spi_in) < 0 ||
        netlink_io_allocate_spi(segw.io, &p.segw.remote.address, &p.segw.local.address, &p.segw.spi_in) < 0)
        check(false, "SPIs are reserved");
    p.henb.spi_out = p.segw.spi_in;
    p.segw.spi_out = p.henb.spi_in;
    p.henb.keys_out = p.segw.keys_in = keys(v, 0x11);
    p.henb.keys_in = p.segw.keys_out = keys(v, 0x77);
    return p;
}

static bool pair_install(const Pair *p) {
    return netlink_io_install(henb.io, &p->henb, BOTH) == 0 && netlink_io_install(segw.io, &p->segw, BOTH) == 0;
}

static bool pair_remove(const Pair *p) {
    return netlink_io_remove(henb.io, &p->henb, BOTH) == 0 && netlink_io_remove(segw.io, &p->segw, BOTH) == 0;
}

/* -- traffic -- */

static bool ping(const Box *from, const char *source, const char *to, const char *options) {
    return netns_try("ip netns exec %s ping -n -c 1 -W 3 -I %s %s %s", from->name, source, options, to);
}

static bool pings(int family) {
    return ping(&henb, henb.inner[family], segw.inner[family], "") &&
           ping(&segw, segw.inner[family], henb.inner[family], "");
}

/* Packets that went through SAs of *box*, one number an SA. */
static size_t esp_packets(const Box *box) {
    char command[128];
    size_t sum = 0;
    snprintf(command, sizeof command, "ip -n %s -s xfrm state", box->name);
    for (char *at = netns_output("%s", command); (at = strstr(at, "lifetime current:")); at++) {
        unsigned long bytes, packets;
        if (sscanf(at, "lifetime current: %lu(bytes), %lu(packets)", &bytes, &packets) == 2)
            sum += packets;
    }
    return sum;
}

static size_t statistic(const Box *box, const char *name) {
    char *at = strstr(netns_output("ip netns exec %s cat /proc/net/xfrm_stat", box->name), name);
    return at ? strtoul(at + strlen(name), NULL, 10) : 0;
}

static bool nothing_left(const Box *box) {
    char states[64], policies[64];
    snprintf(states, sizeof states, "ip -n %s xfrm state", box->name);
    snprintf(policies, sizeof policies, "ip -n %s xfrm policy", box->name);
    bool ok = netns_count("proto esp", states) == 0 && netns_count("if_id", policies) == 0;
    if (!ok) {
        show(states);
        show(policies);
    }
    return ok;
}

/* -- what is shown -- */

static void interface_is_made(void) {
    check(box_start(&henb) == 0 && box_start(&segw) == 0, "both boxes make their interface");
    const AddressList a = list(henb.inner), b = list(segw.inner);
    check(netlink_io_set_inner(henb.io, &a) == 0 && netlink_io_set_inner(segw.io, &b) == 0,
          "and their inner addresses");
    check(netns_count("if_id 0x7f51", "ip -n n-henb -d link show henb0") == 1, "henb0 has our if_id");
    check(netns_count("mtu 1400", "ip -n n-henb link show henb0") == 1, "henb0 has the MTU");
    check(netns_count("fe80", "ip -n n-henb addr show henb0") == 0, "henb0 has no link-local address");
    check(netns_count("action block priority 32593", "ip -n n-henb xfrm policy") == 2,
          "block policies guard");
    check(!pings(0), "without SAs nothing passes");
}

static void pair_carries(const Variant *v, int outer, bool udp) {
    static const char *outers[] = {"IPv4", "IPv6"};
    char what[128];
    snprintf(what, sizeof what, "%s over %s%s", v->name, udp ? "UDP and " : "", outers[outer]);
    Pair p = pair_reserve(v, outer, udp);
    if (!check(pair_install(&p), "%s: installed", what))
        return;
    bool ok = check(pings(0), "%s: inner IPv4 passes both ways", what);
    ok &= check(pings(1), "%s: inner IPv6 passes both ways", what);
    ok &= check(ping(&henb, henb.inner[0], segw.inner[0], "-M do -s 1372"),
                "%s: a packet of the whole MTU passes in one piece", what);
    /* Two pings of each family and the large one, there and back, counted in both of our SAs. */
    size_t packets = esp_packets(&henb);
    ok &= check(packets == 10, "%s: all of it through ESP (%zu packets)", what, packets);
    ok &= check(statistic(&henb, "XfrmInError") + statistic(&henb, "XfrmInStateProtoError") == 0,
                "%s: no errors counted", what);
    if (!ok) {
        show("ip -n n-henb -s xfrm state");
        show("ip netns exec n-henb cat /proc/net/xfrm_stat");
    }
    check(pair_remove(&p), "%s: removed", what);
    check(nothing_left(&henb) && nothing_left(&segw), "%s: nothing left", what);
}

static void wrong_key_passes_nothing(void) {
    Pair p = pair_reserve(&variants[2], 0, false);
    p.segw.keys_in.integrity[31] ^= 1; /* the last bit of the key counts, so nothing is cut off */
    check(pair_install(&p), "SAs with one different bit of the integrity key are installed");
    size_t before = statistic(&segw, "XfrmInStateProtoError");
    check(!ping(&henb, henb.inner[0], segw.inner[0], ""), "and pass nothing");
    check(statistic(&segw, "XfrmInStateProtoError") > before, "because the integrity check fails");
    pair_remove(&p);
}

static void replay_window_is_there(void) {
    Pair p = pair_reserve(&variants[0], 0, false);
    pair_install(&p);
    char *state = netns_output("ip -n n-henb xfrm state get src 192.0.2.2 dst 192.0.2.1 proto esp spi 0x%08x",
                               p.henb.spi_in);
    if (!check(strstr(state, "replay_window 128, bitmap-length 4"), "the inbound SA has a window of 128"))
        printf("#   %s\n", state);
    check(!strstr(state, "flag af-unspec esn"), "without ESN");
    check(netns_count("replay_window 128", "ip -n n-henb xfrm state") == 1, "the outbound SA has none");
    pair_remove(&p);
}

/* Plain packets from the uplink to the inner address get no answer; with the policy taken away they do, which
 * is what makes the first half mean something. */
static void block_policy_blocks(void) {
    Pair p = pair_reserve(&variants[0], 0, false);
    pair_install(&p);
    NEED("ip -n n-segw route add 10.1.0.1/32 via 192.0.2.1");
    size_t before = statistic(&henb, "XfrmInPolBlock");
    check(!ping(&segw, "192.0.2.2", "10.1.0.1", ""), "a plain packet to the inner address gets no answer");
    check(statistic(&henb, "XfrmInPolBlock") > before, "because the block policy drops it");
    check(pings(0), "while the tunnel carries traffic");

    pair_remove(&p);
    check(!ping(&segw, "192.0.2.2", "10.1.0.1", ""), "nor without the tunnel");
    NEED("ip -n n-henb xfrm policy delete src 0.0.0.0/0 dst 10.1.0.1/32 dir in");
    /* Its answer goes by the rule into henb0 and is lost there, but it is received and answered. */
    before = statistic(&henb, "XfrmInPolBlock");
    ping(&segw, "192.0.2.2", "10.1.0.1", "");
    check(statistic(&henb, "XfrmInPolBlock") == before, "without the policy the packet is taken in");
    const AddressList a = list(henb.inner);
    check(netlink_io_set_inner(henb.io, &a) == 0, "setting the same inner addresses again");
    check(netns_count("action block priority 32593", "ip -n n-henb xfrm policy") == 2,
          "brings the missing policy back");
    NEED("ip -n n-segw route del 10.1.0.1/32 via 192.0.2.1");
}

/* Listens at the far end of the uplink. */
static int capture_open(void) {
    box_enter(&segw);
    const struct sockaddr_ll wan = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL),
        .sll_ifindex = (int)if_nametoindex("wan"),
    };
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&wan, sizeof wan) < 0) {
        printf("Bail out! packet socket: %s\n", strerror(errno));
        exit(EXIT_FAILURE);
    }
    return fd;
}

/* Packets seen so far, in *ret_inner* those with an inner address of the HeNB anywhere in them, ARP and
 * neighbour discovery included. */
static size_t capture_read(int fd, size_t *ret_inner) {
    const Address v4 = address(henb.inner[0]), v6 = address(henb.inner[1]);
    uint8_t packet[2048];
    size_t all = 0;
    ssize_t n;
    for (*ret_inner = 0; (n = recv(fd, packet, sizeof packet, 0)) >= 0; all++)
        *ret_inner += memmem(packet, (size_t)n, v4.bytes, 4) || memmem(packet, (size_t)n, v6.bytes, 16);
    return all;
}

static void nothing_inner_leaves_in_clear(void) {
    size_t inner;
    int capture = capture_open();
    ping(&henb, henb.outer[0], segw.outer[0], "");
    check(capture_read(capture, &inner) >= 2 && inner == 0, "a plain ping is seen on the uplink");
    check(!ping(&henb, henb.inner[0], "203.0.113.9", "") && !ping(&henb, henb.inner[1], "2001:db8:9::9", ""),
          "without SAs packets from the inner address go nowhere");
    NEED("ip -n n-henb link set henb0 down");
    check(!ping(&henb, henb.inner[0], "203.0.113.9", ""), "nor with the interface down");
    capture_read(capture, &inner);
    check(inner == 0, "and nothing with an inner address is seen on the uplink (%zu)", inner);
    const AddressList a = list(henb.inner);
    check(netlink_io_set_inner(henb.io, &a) == 0, "setting the inner addresses");
    check(netns_count("LOWER_UP", "ip -n n-henb link show henb0") == 1, "brings the interface up again");
    check(netns_count("2001:db8:1::1/128", "ip -n n-henb addr show henb0") == 1, "with the address it lost");

    NEED("ip -n n-henb rule del from 10.1.0.1 && ip -n n-henb route add default via 192.0.2.2");
    ping(&henb, henb.inner[0], "203.0.113.9", "");
    capture_read(capture, &inner);
    check(inner > 0, "while without the rule it would be seen");
    NEED("ip -n n-henb route del default");
    check(netlink_io_set_inner(henb.io, &a) == 0, "setting the inner addresses brings the rule back");
    check(netns_count("from 10.1.0.1 lookup 32593", "ip -n n-henb rule") == 1, "and there it is");
    close(capture);
}

static void pairs_share_policies(void) {
    Pair old = pair_reserve(&variants[0], 0, false), new = pair_reserve(&variants[2], 1, false);
    check(pair_install(&old) && pair_install(&new), "a second pair goes in beside the first");
    check(netns_count("if_id", "ip -n n-henb xfrm policy") == 4, "with the same policies");
    check(pings(0), "traffic passes");
    check(pair_remove(&old), "the old pair is removed");
    check(netns_count("if_id", "ip -n n-henb xfrm policy") == 4, "the policies stay");
    check(pings(0), "traffic passes by the new one");
    check(pair_remove(&new) && nothing_left(&henb), "and with it the policies go");
}

/* Two tunnels in a row, to different gateways that give the very same inner address and selectors: one if_id,
 * so the second one's policies are in the slots of the first one's. Which is gone by then, whatever becomes
 * of its DELETE; and if it were removed late, the second one would not notice. */
static void tunnels_in_a_row(void) {
    const AddressList a = list(henb.inner);
    Pair first = pair_reserve(&variants[0], 0, false);
    check(pair_install(&first) && pings(0), "a first tunnel carries traffic");
    check(pair_remove(&first) && nothing_left(&henb), "closed, nothing of it is left");
    Pair second = pair_reserve(&variants[2], 1, false);
    check(netlink_io_set_inner(henb.io, &a) == 0, "the second gateway gives the same inner address");
    check(pair_install(&second) && pings(0) && pings(1), "and its tunnel carries traffic");
    check(netns_count("tmpl src 2001:db8::1 dst 2001:db8::2", "ip -n n-henb xfrm policy") == 2,
          "through the second gateway alone");
    check(pair_remove(&first), "the first one removed once more");
    check(netns_count("if_id", "ip -n n-henb xfrm policy") == 4, "leaves the second one's policies");
    check(pings(0) && pings(1), "and its traffic");
    check(pair_remove(&second) && nothing_left(&henb), "which is removed as well");
}

/* The kernel refuses the outbound SA after it took the inbound one. */
static void refusal_is_taken_back(void) {
    Pair good = pair_reserve(&variants[0], 0, false), bad = pair_reserve(&variants[0], 1, false);
    pair_install(&good);
    bad.henb.keys_out.encryption_size = 7;
    check(netlink_io_install(henb.io, &bad.henb, BOTH) < 0, "a pair with an impossible key is refused");
    check(netns_count("proto esp spi", "ip -n n-henb xfrm state") == 2, "of it no SA stays");
    check(netns_count("tmpl src 2001:db8::", "ip -n n-henb xfrm policy") == 0, "and no policy");
    check(pings(0), "while the pair in use goes on");
    netlink_io_remove_sa(segw.io, &bad.segw.local.address, bad.segw.spi_in);
    check(pair_remove(&good) && nothing_left(&henb) && nothing_left(&segw), "and is removed");
}

static void expired_reservation_is_renewed(void) {
    NEED("ip netns exec n-henb sysctl -qw net.core.xfrm_acq_expires=1");
    Pair p = pair_reserve(&variants[0], 0, false);
    for (int i = 0; i < 100 && netns_count("proto esp", "ip -n n-henb xfrm state") > 0; i++)
        usleep(100000); /* the kernel's own timer is what is waited for */
    check(netns_count("proto esp", "ip -n n-henb xfrm state") == 0, "the kernel has forgotten the SPI");
    check(pair_install(&p) && pings(0), "the pair is installed all the same");
    check(pair_remove(&p) && nothing_left(&henb), "and removed");
    NEED("ip netns exec n-henb sysctl -qw net.core.xfrm_acq_expires=30");
}

/* A process that starts, reserves an SPI, installs a pair and is killed. */
static void predecessor_run(void) {
    pid_t pid = fork();
    if (pid == 0) {
        if (sd_event_new(&event) < 0 || box_start(&henb) < 0)
            exit(EXIT_FAILURE);
        Pair p = pair_reserve(&variants[0], 0, false);
        pair_reserve(&variants[0], 0, false);
        if (netlink_io_install(henb.io, &p.henb, BOTH) < 0)
            exit(EXIT_FAILURE);
        raise(SIGKILL);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    check(WIFSIGNALED(status), "a predecessor is killed at work");
}

static void killed_predecessor_is_cleaned_up(void) {
    NEED(
        "ip -n n-henb xfrm state add src 192.0.2.9 dst 192.0.2.1 proto esp spi 0x900 mode tunnel aead "
        "'rfc4106(gcm(aes))' 0x000102030405060708090a0b0c0d0e0f10111213 128 if_id 9");
    NEED("ip -n n-henb xfrm policy add src 10.9.0.0/16 dst 0.0.0.0/0 dir out if_id 9");
    box_stop(&henb);
    predecessor_run();
    check(netns_count("proto esp", "ip -n n-henb xfrm state") == 4, "its SAs are left over");
    check(netns_count("if_id", "ip -n n-henb xfrm policy") == 5, "and its policies");

    check(box_start(&henb) == 0, "a new start adopts the interface");
    check(netns_count("proto esp", "ip -n n-henb xfrm state") == 1 &&
              netns_count("spi 0x00000900", "ip -n n-henb xfrm state") == 1,
          "and removes our SAs, not the foreign one");
    check(netns_count("if_id", "ip -n n-henb xfrm policy") == 1, "and our policies, not the foreign one");
    check(netns_count("action block", "ip -n n-henb xfrm policy") == 2, "the block policies stay");
    check(netns_count("10.1.0.1/32", "ip -n n-henb addr show henb0") == 1, "the inner address stays");
    NEED("ip -n n-henb xfrm state delete dst 192.0.2.1 proto esp spi 0x900");
    NEED("ip -n n-henb xfrm policy delete src 10.9.0.0/16 dst 0.0.0.0/0 dir out if_id 9");
    box_stop(&segw);
    check(box_start(&segw) == 0, "the other end starts anew as well");
}

static void inner_address_changes(void) {
    const char *const others[] = {"10.1.0.77", "2001:db8:1::77"};
    const AddressList next = list(others), back = list(henb.inner);
    AddressList elsewhere = list(henb.outer);
    check(netlink_io_set_inner(henb.io, &next) == 0, "the inner addresses change");
    check(netns_count("10.1.0.77/32", "ip -n n-henb addr show henb0") == 1, "the new one is there");
    check(netns_count("src 10.1.0.77", "ip -n n-henb route show table 32593") == 1, "and in the table");
    check(netns_count("10.1.0.1/", "ip -n n-henb addr; ip -n n-henb xfrm policy") +
                  netns_count("10.1.0.1 ", "ip -n n-henb route show table 32593") ==
              0,
          "of the old one nothing is left");
    check(netns_count("2001:db8:1::1",
                      "ip -n n-henb addr; ip -n n-henb xfrm policy; "
                      "ip -n n-henb -6 route show table all") == 0,
          "nor of the old IPv6 one");
    check(netns_count("from 10.1.0.1 unreachable", "ip -n n-henb rule") +
                  netns_count("from 2001:db8:1::1 unreachable", "ip -n n-henb -6 rule") ==
              2,
          "but rules that lead nowhere");
    check(netns_count("action block", "ip -n n-henb xfrm policy") == 2, "two block policies");
    check(netlink_io_set_inner(henb.io, &elsewhere) == -EADDRINUSE,
          "the uplink's own address is refused as an inner one");
    static const char *const nobodys[] = {"192.0.2.255", "127.0.0.1", "224.0.0.1",
                                          "0.0.0.0",     "::1",       "ff02::1"};
    for (size_t i = 0; i < ARRAY_SIZE(nobodys); i++) {
        const AddressList one = {.n = 1, .items = {address(nobodys[i])}};
        check(netlink_io_set_inner(henb.io, &one) == -EADDRINUSE, "so is %s", nobodys[i]);
    }
    check(netns_count("192.0.2.1", "ip -n n-henb xfrm policy; ip -n n-henb rule") == 0, "and not guarded");
    check(netlink_io_set_inner(henb.io, &back) == 0, "and back");

    Pair p = pair_reserve(&variants[0], 0, false);
    check(pair_install(&p) && pings(0) && pings(1), "traffic passes again");
    pair_remove(&p);
    NEED("ip -n n-henb rule del from 10.1.0.77 && ip -n n-henb -6 rule del from 2001:db8:1::77");
}

/* UDP from the inner IPv6 address to beyond; *connected*: with a way the socket remembers. */
static int inner_socket(bool connected) {
    const Address inner = address(henb.inner[1]), beyond = address("2001:db8:9::9");
    const struct sockaddr_in6 from = {.sin6_family = AF_INET6, .sin6_addr = inner.in6};
    const struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_addr = beyond.in6};
    box_enter(&henb);
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&from, sizeof from) < 0 ||
        (connected && connect(fd, (const struct sockaddr *)&to, sizeof to) < 0)) {
        printf("Bail out! socket inside: %s\n", strerror(errno));
        exit(EXIT_FAILURE);
    }
    return fd;
}

/* How many packets with the old inner address are seen on the uplink when each socket sends one. The ping
 * after them is seen after them. */
static size_t inner_seen(int capture, const int sockets[2]) {
    const Address beyond = address("2001:db8:9::9");
    const struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_addr = beyond.in6};
    size_t inner;
    int refused; /* of the packet before, which would keep this one from being sent */
    for (int i = 0; i < 2; i++)
        getsockopt(sockets[i], SOL_SOCKET, SO_ERROR, &refused, &(socklen_t){sizeof refused});
    (void)sendto(sockets[0], "x", 1, 0, (const struct sockaddr *)&to, sizeof to);
    (void)send(sockets[1], "x", 1, 0);
    bool pinged = ping(&henb, henb.outer[1], segw.outer[1], "");
    size_t all = capture_read(capture, &inner);
    check(pinged && all >= 2, "the uplink carries a plain ping");
    return inner;
}

/* A gateway that gives another address, and no IPv6 any more: sockets bound to the old one must not notice
 * that table main has a way for them too. */
static void former_address_stays_inside(void) {
    const AddressList next = {.n = 1, .items = {address("10.1.0.77")}}, back = list(henb.inner);
    const int sockets[] = {inner_socket(false), inner_socket(true)};
    int capture = capture_open();
    size_t seen;
    NEED("ip -n n-henb -6 route add default via 2001:db8::2");
    seen = inner_seen(capture, sockets);
    check(seen == 0, "an inner address stays inside (%zu seen)", seen);
    check(netlink_io_set_inner(henb.io, &next) == 0, "it goes, and no other IPv6 address comes");
    check(netns_count("2001:db8:1::1", "ip -n n-henb addr; ip -n n-henb xfrm policy") == 0, "it is gone");
    seen = inner_seen(capture, sockets);
    check(seen == 0, "its sockets stay inside (%zu seen)", seen);
    NEED("ip -n n-henb link set henb0 down");
    seen = inner_seen(capture, sockets);
    check(seen == 0, "also with the interface down (%zu seen)", seen);
    NEED("ip -n n-henb link set henb0 up");
    NEED("ip -n n-henb -6 route add default dev henb0 table 32593");
    NEED("ip -n n-henb -6 rule add from 2001:db8:1::1 lookup 32593 priority 32592");
    seen = inner_seen(capture, sockets);
    check(seen > 0, "a rule into henb0 alone would not do (%zu seen)", seen);
    NEED("ip -n n-henb -6 rule del priority 32592 && ip -n n-henb -6 rule del from 2001:db8:1::1");
    seen = inner_seen(capture, sockets);
    check(seen >= 2, "while without the rule they are seen (%zu)", seen);
    close(sockets[0]);
    close(sockets[1]);
    close(capture);
    NEED("ip -n n-henb -6 route del default");
    check(netlink_io_set_inner(henb.io, &back) == 0, "and back");
}

/* Runs the event loop until the rules say so. */
static bool rules_become(const char *what, size_t n) {
    for (int i = 0; i < 50; i++) {
        if (netns_count(what, "ip -n n-henb rule; ip -n n-henb -6 rule") == n)
            return true;
        sd_event_run(event, 100000);
    }
    return false;
}

static void former_rule_gives_way(void) {
    const char *const others[] = {"10.1.0.77", "2001:db8:1::77"};
    const AddressList next = list(others), back = list(henb.inner);
    check(netlink_io_set_inner(henb.io, &next) == 0, "the inner addresses change");
    check(rules_become("from 10.1.0.1 ", 1) && rules_become("from 2001:db8:1::1 ", 1), "the old rules stay");
    NEED("ip -n n-henb addr add 10.1.0.1/24 dev wan && ip -n n-henb addr add 2001:db8:1::1/64 dev wan");
    check(rules_become("from 10.1.0.1 ", 0) && rules_become("from 2001:db8:1::1 ", 0),
          "until the uplink gets the old addresses");
    check(rules_become("from 10.1.0.77 ", 1) && rules_become("from 2001:db8:1::77 ", 1),
          "those in use keep theirs");
    check(netlink_io_set_inner(henb.io, &back) == -EADDRINUSE, "the uplink's are refused as inner ones");
    check(rules_become("from 10.1.0.1 ", 0), "and get no rule");
    NEED("ip -n n-henb addr del 10.1.0.1/24 dev wan && ip -n n-henb addr del 2001:db8:1::1/64 dev wan");
    check(netlink_io_set_inner(henb.io, &back) == 0, "and back");

    box_stop(&henb);
    check(box_start(&henb) == 0, "a new start");
    check(rules_become("from 10.1.0.77 ", 1), "keeps a former address's rule");
    NEED("ip -n n-henb addr add 10.1.0.77/24 dev wan");
    check(rules_become("from 10.1.0.77 ", 0), "and gives it up as well");
    NEED("ip -n n-henb addr del 10.1.0.77/24 dev wan && ip -n n-henb -6 rule del from 2001:db8:1::77");
}

static void interface_comes_back(void) {
    NEED("ip -n n-henb link del henb0");
    const AddressList a = list(henb.inner);
    check(netlink_io_set_inner(henb.io, &a) == 0, "an interface that somebody deleted is made again");
    Pair p = pair_reserve(&variants[0], 0, false);
    check(pair_install(&p) && pings(0) && pings(1), "and carries traffic");
    pair_remove(&p);
}

static void uplink_is_not_ourselves(void) {
    Address a;
    check(netlink_io_uplink(henb.io, AF_INET, &a) == -ENETUNREACH, "no default route, no uplink");
    NEED("ip -n n-henb route add default via 192.0.2.2 && ip -n n-henb -6 route add default via 2001:db8::2");
    check(netlink_io_uplink(henb.io, AF_INET, &a) == 0 && streq(ADDRESS_STR(&a), "192.0.2.1"), "IPv4 uplink");
    check(netlink_io_uplink(henb.io, AF_INET6, &a) == 0 && streq(ADDRESS_STR(&a), "2001:db8::1"),
          "IPv6 uplink");
    NEED(
        "ip -n n-henb route replace default dev henb0 && ip -n n-henb -6 route del default && "
        "ip -n n-henb -6 route add default dev henb0");
    check(netlink_io_uplink(henb.io, AF_INET, &a) == -ENETUNREACH, "a route through henb0 is none (IPv4)");
    check(netlink_io_uplink(henb.io, AF_INET6, &a) == -ENETUNREACH, "a route through henb0 is none (IPv6)");

    NEED(
        "ip -n n-henb addr flush dev wan && ip -n n-henb addr add fe80::1/64 dev wan nodad && "
        "ip -n n-henb route replace default dev wan && ip -n n-henb -6 route del default && "
        "ip -n n-henb -6 route add default via fe80::2 dev wan");
    check(netlink_io_uplink(henb.io, AF_INET, &a) == -ENETUNREACH, "nor one without an address (IPv4)");
    check(netlink_io_uplink(henb.io, AF_INET6, &a) == -ENETUNREACH, "nor one without an address (IPv6)");
    check(netns_count("10.1.0.1", "ip -n n-henb route get 203.0.113.9") == 0,
          "and IPv4 does not borrow the inner address for it");
    NEED("ip -n n-henb addr flush dev wan && ip -n n-henb route flush table main");
    box_make(&henb);
}

static void stop_leaves_the_guards(void) {
    Pair p = pair_reserve(&variants[0], 0, false), waiting = pair_reserve(&variants[0], 1, false);
    pair_install(&p);
    (void)waiting; /* a larval SA each */
    box_stop(&henb);
    box_stop(&segw);
    check(nothing_left(&henb) && nothing_left(&segw), "stop leaves no SA, no larval one and no policy");
    check(netns_count("action block", "ip -n n-henb xfrm policy") == 2, "but the block policies");
    check(netns_count("10.1.0.1/32", "ip -n n-henb addr show henb0") == 1, "the inner address");
    check(netns_count("unreachable default", "ip -n n-henb route show table 32593") == 1, "the table");
    check(netns_count("lookup 32593", "ip -n n-henb rule; ip -n n-henb -6 rule") == 4, "and the rules");
}

static void foreign_interfaces_are_refused(void) {
    NEED("ip -n n-henb link del henb0 && ip -n n-henb link add henb0 type xfrm if_id 5");
    check(box_start(&henb) == -EEXIST, "henb0 with another if_id is refused");
    check(netns_count("if_id 0x5", "ip -n n-henb -d link show henb0") == 1, "and left alone");
    NEED("ip -n n-henb link del henb0 && ip -n n-henb link add henb0 type dummy");
    check(box_start(&henb) == -EEXIST, "a dummy interface henb0 is refused");
    NEED("ip -n n-henb link del henb0 && ip -n n-henb link add other type xfrm if_id 32593");
    check(box_start(&henb) == -ENOTUNIQ, "another interface with our if_id is named");
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (sd_event_new(&event) < 0)
        return EXIT_FAILURE;
    namespaces_make();
    interface_is_made();
    for (size_t i = 0; i < ARRAY_SIZE(variants); i++)
        for (int outer = 0; outer < 2; outer++)
            for (int udp = 0; udp < 2; udp++)
                pair_carries(&variants[i], outer, udp);
    wrong_key_passes_nothing();
    replay_window_is_there();
    block_policy_blocks();
    nothing_inner_leaves_in_clear();
    pairs_share_policies();
    tunnels_in_a_row();
    refusal_is_taken_back();
    expired_reservation_is_renewed();
    killed_predecessor_is_cleaned_up();
    inner_address_changes();
    former_address_stays_inside();
    former_rule_gives_way();
    interface_comes_back();
    uplink_is_not_ourselves();
    stop_leaves_the_guards();
    foreign_interfaces_are_refused();
    namespaces_remove();
    printf("1..%u\n%u passed, %u failed\n", checks, checks - failures, failures);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
