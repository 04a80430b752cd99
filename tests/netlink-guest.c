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

/* What the HeNB's kernel said by itself. */
typedef struct Heard {
    size_t n_soft, n_hard, n_mappings;
    uint32_t soft[8], hard[8], mapped;
    Endpoint from;
} Heard;
static Heard heard;

static void on_expired(void *userdata, uint32_t spi, bool hard) {
    size_t *n = hard ? &heard.n_hard : &heard.n_soft;
    if (*n < ARRAY_SIZE(heard.soft))
        (hard ? heard.hard : heard.soft)[*n] = spi;
    ++*n;
}

static void on_mapping(void *userdata, uint32_t spi_in, const Endpoint *from) {
    heard.n_mappings++;
    heard.mapped = spi_in;
    heard.from = *from;
}

static bool heard_spi(const uint32_t spis[8], size_t n, uint32_t spi) {
    for (size_t i = 0; i < MIN(n, (size_t)8); i++)
        if (spis[i] == spi)
            return true;
    return false;
}

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

static int box_start_with(Box *box, int event_buffer) {
    box_enter(box);
    return netlink_io_new(&box->io, event,
                          &(NetlinkConfig){.interface = "henb0",
                                           .id = ID,
                                           .expired = box == &henb ? on_expired : NULL,
                                           .mapping = box == &henb ? on_mapping : NULL,
                                           .event_buffer = event_buffer});
}

static int box_start(Box *box) {
    return box_start_with(box, 0);
}

/* Works off what was said until now. */
static void settle(void) {
    while (sd_event_run(event, 0) > 0)
        ;
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
    return netlink_io_install(henb.io, &p->henb, BOTH) == 0 &&
           netlink_io_install(segw.io, &p->segw, BOTH) == 0;
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

/* -- one part after the other -- */

static bool nothing_lost(FILE *ping) {
    char line[256];
    bool all = false;
    while (fgets(line, sizeof line, ping))
        all |= strstr(line, " 0% packet loss") != NULL;
    return pclose(ping) == 0 && all;
}

static size_t drops(const Box *box) {
    static const char *const names[] = {"XfrmInNoStates",      "XfrmOutNoStates",    "XfrmInTmplMismatch",
                                        "XfrmOutStateInvalid", "XfrmInNoPols",       "XfrmOutBundleGenError",
                                        "XfrmInStateSeqError", "XfrmOutStateExpired"};
    size_t sum = 0;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        sum += statistic(box, names[i]);
    return sum;
}

/* As IKE does it: whoever asks has both directions first, then stops sending by the old one; whoever is asked
 * can receive before it answers. What is received by the old one may be on its way still. */
static bool pair_replace(const Pair *old, const Pair *new) {
    bool ok = netlink_io_install(segw.io, &new->segw, CHILD_IN) == 0 &&
              netlink_io_install(henb.io, &new->henb, BOTH) == 0 &&
              netlink_io_remove(henb.io, &old->henb, CHILD_OUT) == 0 &&
              netlink_io_install(segw.io, &new->segw, CHILD_OUT) == 0 &&
              netlink_io_remove(segw.io, &old->segw, CHILD_OUT) == 0;
    usleep(100000);
    return ok && netlink_io_remove(henb.io, &old->henb, CHILD_IN) == 0 &&
           netlink_io_remove(segw.io, &old->segw, CHILD_IN) == 0;
}

static void rekeys_lose_nothing(void) {
    Pair old = pair_reserve(&variants[0], 0, false);
    pair_install(&old);
    char command[256];
    size_t before = drops(&henb) + drops(&segw), rekeys = 0;
    FILE *flows[2];
    for (int i = 0; i < 2; i++) {
        const Box *from = i ? &segw : &henb, *to = i ? &henb : &segw;
        snprintf(command, sizeof command, "ip netns exec %s ping -n -q -i 0.01 -c 300 -W 5 -I %s %s 2>&1",
                 from->name, from->inner[i], to->inner[i]);
        flows[i] = popen(command, "re");
    }
    usleep(300000);
    bool ok = true;
    for (; rekeys < 10 && ok; rekeys++) {
        Pair new = pair_reserve(&variants[rekeys % 2 ? 0 : 2], 0, false);
        ok = pair_replace(&old, &new);
        old = new;
    }
    check(ok, "pairs are replaced part by part, %zu times", rekeys);
    bool first = nothing_lost(flows[0]), second = nothing_lost(flows[1]);
    check(first && second, "no packet is lost either way");
    size_t dropped = drops(&henb) + drops(&segw) - before;
    if (!check(dropped == 0, "and none is counted as dropped (%zu)", dropped)) {
        show("cat /proc/net/xfrm_stat");
        show("ip netns exec n-henb cat /proc/net/xfrm_stat");
    }
    check(netns_count("proto esp spi", "ip -n n-henb xfrm state") == 2, "one pair is left");
    check(netns_count("if_id", "ip -n n-henb xfrm policy") == 4, "with one set of policies");
    check(pair_remove(&old) && nothing_left(&henb) && nothing_left(&segw), "and nothing after it");
}

static bool carried(const Pair *p, uint64_t packets) {
    ChildTraffic t;
    return netlink_io_traffic(henb.io, &p->henb, &t) == 0 && t.packets_in == packets &&
           t.packets_out == packets && t.bytes_in == t.bytes_out && t.bytes_in > packets * 20;
}

static void newest_is_used_at_once(void) {
    Pair old = pair_reserve(&variants[0], 0, false), new = pair_reserve(&variants[0], 0, false);
    ChildTraffic traffic;
    pair_install(&old);
    pings(0);
    check(carried(&old, 2), "counters of a pair are told");
    pair_install(&new);
    pings(0);
    check(carried(&new, 2), "a second pair within the same second carries all from then on");
    check(carried(&old, 2), "the first nothing");
    pair_remove(&old);
    pair_remove(&new);
    check(netlink_io_traffic(henb.io, &new.henb, &traffic) == -ESRCH, "of none left there are no counters");
}

/* A part that is refused goes alone. */
static void refused_part_goes_alone(void) {
    Pair p = pair_reserve(&variants[0], 0, false);
    check(netlink_io_install(henb.io, &p.henb, CHILD_IN) == 0, "an inbound SA alone is installed");
    check(netns_count("dir in", "ip -n n-henb xfrm policy") == 4 &&
              netns_count("dir out", "ip -n n-henb xfrm policy") == 0,
          "with inbound policies alone");
    ChildSa bad = p.henb;
    bad.keys_out.encryption_size = 7;
    check(netlink_io_install(henb.io, &bad, CHILD_OUT) < 0,
          "an outbound one with an impossible key is refused");
    check(netns_count("proto esp spi", "ip -n n-henb xfrm state") == 1, "the inbound one stays");
    check(netns_count("dir out", "ip -n n-henb xfrm policy") == 0, "no outbound policy does");
    check(netlink_io_install(henb.io, &p.henb, BOTH) == 0, "the good one completes the pair");
    netlink_io_install(segw.io, &p.segw, BOTH);
    check(pings(0) && pings(1), "which carries traffic");
    check(pair_remove(&p) && nothing_left(&henb), "and is removed");
}

/* -- windows and numbers -- */

static void wide_windows_and_long_numbers(void) {
    static const uint32_t windows[] = {32, 128, 4096};
    for (size_t i = 0; i < ARRAY_SIZE(windows); i++)
        for (int esn = 0; esn < 2; esn++) {
            Pair p = pair_reserve(&variants[i % ARRAY_SIZE(variants)], 0, false);
            p.henb.esn = p.segw.esn = esn;
            p.henb.replay_window = p.segw.replay_window = windows[i];
            char text[64];
            snprintf(text, sizeof text, "replay_window %u, bitmap-length %u", windows[i], windows[i] / 32);
            bool ok = pair_install(&p);
            ok = check(ok && pings(0) && pings(1), "window %u%s carries traffic", windows[i],
                       esn ? " and ESN" : "");
            ok &= check(netns_count(text, "ip -n n-henb xfrm state") >= 1, "the window is there");
            ok &= check(netns_count("esn", "ip -n n-henb xfrm state") >= (esn ? 2 : 0) &&
                            (esn || netns_count("flag af-unspec esn", "ip -n n-henb xfrm state") == 0),
                        "and ESN as agreed");
            if (!ok)
                show("ip -n n-henb xfrm state");
            pair_remove(&p);
        }
}

/* -- what is on the wire -- */

typedef struct Packet {
    uint8_t data[2048]; /* from the IP header */
    size_t size;
} Packet;

/* The first packet of the HeNB's with ESP, IPv4. */
static bool esp_seen(int capture, Packet *ret) {
    ssize_t n;
    const Address from = address(henb.outer[0]);
    while ((n = recv(capture, ret->data, sizeof ret->data, 0)) >= 0) {
        ret->size = (size_t)n;
        if (n > 28 && ret->data[0] == 0x45 && ret->data[9] == IPPROTO_ESP &&
            memcmp(ret->data + 12, from.bytes, 4) == 0)
            return true;
    }
    return false;
}

static void send_raw(const Box *box, int protocol, const void *data, size_t size, const char *to) {
    const Address a = address(to);
    const struct sockaddr_in destination = {.sin_family = AF_INET, .sin_addr = a.in};
    box_enter(box);
    int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (fd < 0 || sendto(fd, data, size, 0, (const struct sockaddr *)&destination, sizeof destination) < 0)
        check(false, "raw packet: %s", strerror(errno));
    close(fd);
}

/* The very packet once more, which the SeGW must count as a replay. */
static bool replay_is_refused(const Packet *packet) {
    size_t before = statistic(&segw, "XfrmInStateSeqError");
    send_raw(&henb, IPPROTO_ESP, packet->data + 20, packet->size - 20, segw.outer[0]);
    usleep(100000);
    return statistic(&segw, "XfrmInStateSeqError") == before + 1;
}

/* What the SeGW has received of the SA, in the low half. */
static uint32_t received_number(const char *from, uint32_t spi) {
    const char *key = ", seq 0x";
    char *at =
        netns_output("ip -n n-segw xfrm state get src %s dst 192.0.2.2 proto esp spi 0x%08x", from, spi);
    at = strstr(at, key);
    return at ? (uint32_t)strtoul(at + strlen(key), NULL, 16) : 0;
}

static bool pair_move(Pair *p, const char *local, uint16_t port, bool udp) {
    const Pair old = *p;
    p->henb.local = p->segw.remote = (Endpoint){.address = address(local), .port = port};
    p->henb.encapsulate = p->segw.encapsulate = udp;
    child_sa_wipe_keys(&p->henb);
    child_sa_wipe_keys(&p->segw);
    return netlink_io_move(henb.io, &p->henb, &old.henb.local, &old.henb.remote) == 0 &&
           netlink_io_move(segw.io, &p->segw, &old.segw.local, &old.segw.remote) == 0;
}

static void moved_pair_keeps_its_state(uint32_t window, bool esn, const Variant *v) {
    Pair p = pair_reserve(v, 0, false);
    Packet packet = {0};
    ChildTraffic before = {}, after = {};
    char what[128];
    snprintf(what, sizeof what, "%s, window %u%s", v->name, window, esn ? ", ESN" : "");
    p.henb.esn = p.segw.esn = esn;
    p.henb.replay_window = p.segw.replay_window = window;
    pair_install(&p);
    int capture = capture_open();
    check(pings(0) && pings(1) && esp_seen(capture, &packet), "%s: traffic passes", what);
    check(replay_is_refused(&packet), "%s: a packet passes once", what);
    netlink_io_traffic(segw.io, &p.segw, &before);
    check(before.replayed > 0, "%s: the replay was counted", what);
    uint32_t seq = received_number("192.0.2.1", p.segw.spi_in);

    check(pair_move(&p, "192.0.2.77", 4500, false), "%s: moved", what);
    check(received_number("192.0.2.77", p.segw.spi_in) == seq && seq > 0,
          "%s: received numbers are kept (%u)", what, seq);
    check(netlink_io_traffic(segw.io, &p.segw, &after) == 0 && after.packets_in == before.packets_in &&
              after.packets_out == before.packets_out,
          "%s: counters are kept (%llu, %llu)", what, (unsigned long long)before.packets_in,
          (unsigned long long)before.packets_out);
    bool ok = check(replay_is_refused(&packet), "%s: a packet from before the move is still a replay", what);
    ok &= check(pings(0) && pings(1), "%s: traffic passes", what);
    ok &= check(netns_count("192.0.2.1 ", "ip -n n-henb xfrm state; ip -n n-henb xfrm policy") == 0,
                "%s: nothing has the old address", what);
    ok &= check(pair_move(&p, "192.0.2.1", 4500, true) && pings(0) && pings(1), "%s: into UDP", what);
    ok &= check(netns_count("espinudp", "ip -n n-henb xfrm state") == 2, "%s: both directions", what);
    ok &= check(pair_move(&p, "192.0.2.1", 4500, false) && pings(0) && pings(1), "%s: and out of it", what);
    ok &= check(netns_count("espinudp", "ip -n n-henb xfrm state") == 0, "%s: both directions", what);
    if (!ok) {
        show("ip -n n-henb -s xfrm state");
        show("ip -n n-segw -s xfrm state");
        show("ip netns exec n-segw cat /proc/net/xfrm_stat");
    }
    check(pair_remove(&p) && nothing_left(&henb) && nothing_left(&segw), "%s: removed", what);
    close(capture);
}

static void pairs_move(void) {
    NEED("ip -n n-henb addr add 192.0.2.77/24 dev wan");
    moved_pair_keeps_its_state(32, false, &variants[0]);
    moved_pair_keeps_its_state(128, true, &variants[1]);
    moved_pair_keeps_its_state(4096, true, &variants[0]);
    moved_pair_keeps_its_state(4096, false, &variants[3]);

    Pair p = pair_reserve(&variants[0], 0, false), other = pair_reserve(&variants[0], 0, false);
    ChildSa absent = other.henb;
    check(netlink_io_move(henb.io, &absent, &absent.local, &absent.remote) == -ENOENT,
          "what is not installed is not moved");
    pair_install(&p);
    NEED("ip -n n-henb xfrm state delete dst 192.0.2.1 proto esp spi 0x%08x", p.henb.spi_in);
    ChildSa moved = p.henb;
    moved.local.address = address("192.0.2.77");
    check(netlink_io_move(henb.io, &moved, &p.henb.local, &p.henb.remote) == -ESRCH,
          "a pair of which one SA is gone is not moved");
    netlink_io_remove(segw.io, &p.segw, BOTH);
    netlink_io_remove_sa(henb.io, &other.henb.local.address, other.henb.spi_in);
    netlink_io_remove_sa(segw.io, &other.segw.local.address, other.segw.spi_in);
    check(nothing_left(&henb), "but removed");
    NEED("ip -n n-henb addr del 192.0.2.77/24 dev wan");
}

/* -- packets that overtake each other -- */

#define OVERTAKEN 64

/* What the SeGW has taken of this SA. */
static size_t packets_taken(const Pair *p) {
    ChildTraffic traffic = {};
    netlink_io_traffic(segw.io, &p->segw, &traffic);
    return (size_t)traffic.packets_in;
}

/* OVERTAKEN packets of the HeNB arrive behind the next one, the latest of them first: those which the window
 * has left behind are refused, and no other. They are caught while the SeGW knows no SA for them. */
static void overtaken_packets(uint32_t window, bool esn) {
    static Packet packets[OVERTAKEN + 1];
    size_t behind = window > OVERTAKEN ? 0 : OVERTAKEN + 1 - window;
    Pair p = pair_reserve(&variants[0], 0, false);
    char what[64];

    snprintf(what, sizeof what, "window %u%s", window, esn ? ", ESN" : "");
    p.henb.esn = p.segw.esn = esn;
    p.henb.replay_window = p.segw.replay_window = window;
    check(netlink_io_install(henb.io, &p.henb, BOTH) == 0, "%s: the HeNB sends", what);
    int capture = capture_open();
    netns_try("ip netns exec n-henb ping -n -c %d -i 0.02 -W 1 -I %s %s", OVERTAKEN + 1, henb.inner[0],
              segw.inner[0]);
    size_t n = 0;
    while (n < ARRAY_SIZE(packets) && esp_seen(capture, &packets[n]))
        n++;
    close(capture);
    bool ok = check(n == ARRAY_SIZE(packets), "%s: %zu packets are caught", what, n);
    check(netlink_io_install(segw.io, &p.segw, BOTH) == 0, "%s: and the SeGW receives", what);

    size_t refused = statistic(&segw, "XfrmInStateSeqError");
    for (size_t i = n; i-- > 0;)
        send_raw(&henb, IPPROTO_ESP, packets[i].data + 20, packets[i].size - 20, segw.outer[0]);
    for (int i = 0; i < 50 && packets_taken(&p) + statistic(&segw, "XfrmInStateSeqError") - refused < n; i++)
        usleep(20000);
    refused = statistic(&segw, "XfrmInStateSeqError") - refused;
    size_t taken = packets_taken(&p);
    ok &= check(refused == behind && taken == n - behind,
                "%s: of %zu packets in reverse %zu are taken, %zu refused (XfrmInStateSeqError)", what, n,
                taken, refused);
    if (!ok) {
        show("ip -n n-segw -s xfrm state");
        show("ip netns exec n-segw cat /proc/net/xfrm_stat");
    }
    check(pair_remove(&p) && nothing_left(&henb) && nothing_left(&segw), "%s: removed", what);
}

static void reordered_packets_are_taken(void) {
    overtaken_packets(32, false);
    overtaken_packets(128, false);
    overtaken_packets(128, true);
    overtaken_packets(4096, true);
}

/* -- a link without a gateway -- */

static bool uplink_is(const char *expected) {
    Address a = {0};
    return netlink_io_uplink(henb.io, AF_INET, &a) == 0 && streq(ADDRESS_STR(&a), expected);
}

/* As PPPoE leaves it: one address and that of a peer, no neighbours to be asked for (the Ethernet addresses
 * of both ends are the same for that), a default route with no gateway, and 1492 bytes. */
static void link_without_a_gateway(void) {
    static const char *const boxes[] = {"n-henb", "n-segw"};
    for (size_t i = 0; i < ARRAY_SIZE(boxes); i++)
        NEED("ip -n %s link set wan arp off address 02:00:00:00:00:99 mtu 1492", boxes[i]);
    NEED(
        "ip -n n-henb -4 addr flush dev wan && "
        "ip -n n-henb addr add 192.0.2.1 peer 198.51.100.1/32 dev wan && ip -n n-henb route add default dev "
        "wan");
    settle();
    const char *command = "ip -n n-henb rule; ip -n n-henb route show table main";
    char rules[NETNS_OUTPUT_MAX];
    strcpy(rules, netns_output("%s", command));
    bool ok = check(uplink_is("192.0.2.1"), "a link without a gateway is a way out");
    Pair p = pair_reserve(&variants[0], 0, false);
    ok &= check(pair_install(&p) && pings(0) && pings(1), "traffic passes there");
    ok &= check(ping(&henb, henb.inner[0], segw.inner[0], "-M do -s 1372"), "and a packet of the whole MTU");
    ok &= check(netns_count("default dev henb0", "ip -n n-henb route show table 32593") == 1,
                "inside has its route");
    ok &= check(streq(netns_output("%s", command), rules), "no route or rule was added for the way there");
    if (!ok) {
        show("ip -n n-henb addr; ip -n n-henb route show table all; ip -n n-henb rule");
        show("ip -n n-henb -s xfrm state");
    }
    check(pair_remove(&p) && nothing_left(&henb) && nothing_left(&segw), "removed");
    NEED(
        "ip -n n-henb route del default dev wan && ip -n n-henb -4 addr flush dev wan && "
        "ip -n n-henb addr add 192.0.2.1/24 dev wan");
    for (size_t i = 0; i < ARRAY_SIZE(boxes); i++)
        NEED(
            "ip -n %s link set wan arp on address 02:00:00:00:00:%02zx mtu 1500 && "
            "ip -n %s neigh flush dev wan",
            boxes[i], i + 1, boxes[i]);
    settle();
}

/* RFC 4301 5.1.2: DSCP goes out. ECN is what RFC 6040 4.1 wants but for "congestion experienced" inside,
 * which Linux makes ECT(0) outside, as RFC 3168 9.1.1 had it; a sender says no such thing, and the inner mark
 * stays. */
static void outer_header_follows_the_inner(void) {
    static const struct {
        const char *option;
        uint8_t outer;
    } cases[] = {{"-Q 0xb8", 0xb8}, {"-Q 0x02", 0x02}, {"-Q 0xb9", 0xb9}, {"-Q 0xbb", 0xba}, {"", 0}};
    Pair p = pair_reserve(&variants[0], 0, false);
    Packet packet;
    pair_install(&p);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int capture = capture_open();
        bool ok = ping(&henb, henb.inner[0], segw.inner[0], cases[i].option) && esp_seen(capture, &packet);
        check(ok && packet.data[1] == cases[i].outer, "ping %s: outer DSCP and ECN are %02x", cases[i].option,
              packet.data[1]);
        close(capture);
    }
    pair_remove(&p);
}

/* -- how much fits -- */

static bool link_has(const char *text) {
    return netns_count(text, "ip -n n-henb link show henb0") == 1;
}

static void wan_mtu(unsigned mtu) {
    NEED("ip -n n-henb link set wan mtu %u && ip -n n-segw link set wan mtu %u", mtu, mtu);
}

static void inside_fits_the_way(void) {
    wan_mtu(1400);
    Pair p = pair_reserve(&variants[0], 0, true);
    check(pair_install(&p) && link_has("mtu 1338"), "a way of 1400 bytes leaves 1338 for inner packets");
    check(netns_count("advmss 1298", "ip -n n-henb route show table 32593") == 1 &&
              netns_count("advmss 1278", "ip -n n-henb -6 route show table 32593") == 1,
          "and TCP is told so");
    check(ping(&henb, henb.inner[0], segw.inner[0], "-M do -s 1310"), "such a packet passes in one piece");
    check(!ping(&henb, henb.inner[0], segw.inner[0], "-M do -s 1311"), "a larger one does not");
    pair_remove(&p);

    wan_mtu(1280);
    p = pair_reserve(&variants[0], 0, true);
    check(pair_install(&p) && link_has("mtu 1280"), "a way of 1280 bytes leaves what IPv6 needs");
    check(netns_count("advmss 1178", "ip -n n-henb route show table 32593") == 1,
          "and TCP needs no fragments");
    check(ping(&henb, henb.inner[0], segw.inner[0], "-M dont -s 1252"),
          "IPv4 of 1280 bytes passes all the same");
    /* Linux 6.1 takes no more of a local IPv6 sender than fits, whatever the interface says. */
    check(ping(&henb, henb.inner[1], segw.inner[1], "-s 1170"), "IPv6 of 1218 bytes as well");
    pair_remove(&p);

    wan_mtu(1500);
    p = pair_reserve(&variants[0], 0, true);
    check(pair_install(&p) && link_has("mtu 1400"), "a way of 1500 bytes has no more than the widest wrap");
    pair_remove(&p);
}

static uint16_t checksum(const uint8_t *data, size_t size) {
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < size; i += 2)
        sum += (uint32_t)(data[i] << 8 | data[i + 1]);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* A router on the way says that 1200 bytes are all it takes (RFC 1191), quoting an ESP packet: the kernel
 * finds the SA and tells whoever sends too much inside. */
static void narrower_way_is_learnt(void) {
    Pair p = pair_reserve(&variants[0], 0, false);
    Packet packet = {0};
    pair_install(&p);
    int capture = capture_open();
    check(ping(&henb, henb.inner[0], segw.inner[0], "-M do -s 1372") && esp_seen(capture, &packet),
          "1400 bytes pass in one piece");
    uint8_t icmp[8 + 28] = {3, 4, [6] = 1200 >> 8, 1200 & 0xff};
    memcpy(icmp + 8, packet.data, 28);
    uint16_t sum = checksum(icmp, sizeof icmp);
    icmp[2] = (uint8_t)(sum >> 8);
    icmp[3] = (uint8_t)sum;
    send_raw(&segw, IPPROTO_ICMP, icmp, sizeof icmp, henb.outer[0]);
    usleep(100000);
    check(netns_count("mtu 1200", "ip -n n-henb route get 192.0.2.2") == 1, "a narrower way is learnt");
    char *output = netns_output("ip netns exec n-henb ping -n -c 2 -W 1 -M do -s 1372 -I %s %s",
                                henb.inner[0], segw.inner[0]);
    check(strstr(output, "essage too long") || strstr(output, "rag needed"),
          "who sends too much inside is told");
    check(ping(&henb, henb.inner[0], segw.inner[0], "-M dont -s 1372"), "or has it fragmented");
    pair_remove(&p);
    p = pair_reserve(&variants[0], 0, false);
    check(pair_install(&p) && link_has("mtu 1280"), "the next pair makes the interface fit");
    pair_remove(&p);
    close(capture);
    NEED("ip -n n-henb route flush cache && ip -n n-henb link set wan down && ip -n n-henb link set wan up");
    NEED("ip -n n-henb addr replace 2001:db8::1/64 dev wan nodad");
}

/* -- what the kernel says by itself -- */

static void limits_are_told(void) {
    Pair p = pair_reserve(&variants[0], 0, false);
    p.henb.packet_limit = 5;
    pair_install(&p);
    heard = (Heard){0};
    pings(0);
    settle();
    check(heard.n_soft == 0, "below its limit a pair is silent");
    for (int i = 0; i < 3; i++)
        pings(0);
    settle();
    check(heard.n_soft == 2 && heard_spi(heard.soft, 2, p.henb.spi_in) &&
              heard_spi(heard.soft, 2, p.henb.spi_out),
          "then each direction says so, once (%zu)", heard.n_soft);
    check(heard.n_hard == 0 && pings(0), "and goes on");
    pair_remove(&p);

    p = pair_reserve(&variants[0], 0, false);
    p.henb.byte_limit = 2000;
    pair_install(&p);
    heard = (Heard){0};
    ping(&henb, henb.inner[0], segw.inner[0], "-s 1000");
    settle();
    check(heard.n_soft == 0, "below its bytes a pair is silent");
    ping(&henb, henb.inner[0], segw.inner[0], "-s 1300");
    ping(&henb, henb.inner[0], segw.inner[0], "");
    settle();
    check(heard.n_soft == 2, "then each direction says so (%zu)", heard.n_soft);
    pair_remove(&p);
}

/* A NAT before the gateway gives it another port. */
static void mappings_are_told(void) {
    Pair p = pair_reserve(&variants[0], 0, true);
    pair_install(&p);
    heard = (Heard){0};
    check(pings(0), "ESP in UDP passes");
    settle();
    check(heard.n_mappings == 0, "with the ports agreed nothing is said");
    const Endpoint local = p.segw.local;
    p.segw.local.port = 4501;
    check(netlink_io_move(segw.io, &p.segw, &local, &p.segw.remote) == 0, "the gateway's port changes");
    ping(&henb, henb.inner[0], segw.inner[0], "");
    settle();
    check(heard.n_mappings >= 1 && heard.mapped == p.henb.spi_in && heard.from.port == 4501 &&
              address_equal(&heard.from.address, &local.address),
          "which is told (%zu, port %u)", heard.n_mappings, heard.from.port);
    const Endpoint remote = p.henb.remote;
    p.henb.remote.port = 4501;
    check(netlink_io_move(henb.io, &p.henb, &p.henb.local, &remote) == 0, "and followed");
    heard = (Heard){0};
    ping(&segw, segw.inner[0], henb.inner[0], "");
    settle();
    check(heard.n_mappings == 0, "then nothing is said any more");
    pair_remove(&p);
}

/* Others' events fill a small buffer, and something of ours goes meanwhile. */
static void lost_events_are_made_up_for(void) {
    box_stop(&henb);
    check(box_start_with(&henb, 1) == 0, "a start with room for hardly an event");
    Pair p = pair_reserve(&variants[0], 0, false), waiting = pair_reserve(&variants[0], 0, false);
    check(pair_install(&p) && pings(0), "a pair carries traffic");
    settle();
    heard = (Heard){0};
    NEED("ip netns exec n-henb sysctl -qw net.core.xfrm_acq_expires=1");
    NEED(
        "for i in $(seq 40); do ip -n n-henb xfrm state allocspi src 192.0.2.9 dst 192.0.2.1 proto esp "
        ">/dev/null; done");
    usleep(2500000); /* for the kernel's timers */
    NEED("ip netns exec n-henb sysctl -qw net.core.xfrm_acq_expires=30");
    NEED("ip -n n-henb xfrm policy delete src 10.1.0.1/32 dst 0.0.0.0/0 dir out if_id 32593");
    NEED("ip -n n-henb xfrm policy delete src 0.0.0.0/0 dst 10.1.0.1/32 dir in");
    NEED("ip -n n-henb xfrm policy add src 10.1.0.9/32 dst 0.0.0.0/0 dir out if_id 32593");
    NEED("ip -n n-henb xfrm state delete dst 192.0.2.1 proto esp spi 0x%08x", p.henb.spi_in);
    NEED(
        "ip -n n-henb xfrm state add src 192.0.2.9 dst 192.0.2.1 proto esp spi 0x900 mode tunnel aead "
        "'rfc4106(gcm(aes))' 0x000102030405060708090a0b0c0d0e0f10111213 128 if_id 32593");
    settle();
    bool ok = check(heard.n_hard == 1 && heard.hard[0] == p.henb.spi_in,
                    "an SA that vanished is told as expired (%zu)", heard.n_hard);
    ok &= check(netns_count("if_id", "ip -n n-henb xfrm policy") == 4, "the policies are ours");
    ok &= check(netns_count("src 10.1.0.1/32 dst 0.0.0.0/0", "ip -n n-henb xfrm policy") == 1,
                "the one that vanished is back");
    ok &= check(netns_count("action block", "ip -n n-henb xfrm policy") == 2, "and the guard");
    ok &= check(netns_count("spi 0x00000900", "ip -n n-henb xfrm state") == 0, "what nobody knows is gone");
    if (!ok) {
        show("ip -n n-henb xfrm state");
        show("ip -n n-henb xfrm policy");
    }
    heard = (Heard){0};
    check(netlink_io_remove(henb.io, &p.henb, BOTH) == 0, "the rest of the pair is removed");
    check(netlink_io_resync(henb.io) == 0 && heard.n_hard == 0, "and then there is nothing to be found");
    netlink_io_remove(segw.io, &p.segw, BOTH);
    netlink_io_remove_sa(henb.io, &waiting.henb.local.address, waiting.henb.spi_in);
    netlink_io_remove_sa(segw.io, &waiting.segw.local.address, waiting.segw.spi_in);
    box_stop(&henb);
    check(box_start(&henb) == 0, "a start with the usual room");
}

/* -- others -- */

/* All but lines that tell how long ago something was. */
static char *all_there_is(void) {
    return strdup(
        netns_output("ip -n n-henb xfrm state | grep -v -e lastused; ip -n n-henb xfrm policy; "
                     "ip -n n-henb rule; ip -n n-henb -6 rule; ip -n n-henb route show table all; "
                     "ip -n n-henb link show other"));
}

static void others_are_left_alone(void) {
    static const char *const make[] = {
        "xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x901 mode tunnel reqid 32593 aead "
        "'rfc4106(gcm(aes))' 0x000102030405060708090a0b0c0d0e0f10111213 128",
        "xfrm state add src 192.0.2.2 dst 192.0.2.1 proto esp spi 0x902 mode tunnel aead "
        "'rfc4106(gcm(aes))' 0x000102030405060708090a0b0c0d0e0f10111213 128 if_id 9",
        "xfrm policy add src 10.1.0.1/32 dst 0.0.0.0/0 dir out priority 32593 if_id 9",
        "xfrm policy add src 10.9.0.0/16 dst 10.8.0.0/16 dir fwd action block priority 32593",
        "link add other type xfrm if_id 9",
        "rule add fwmark 7 lookup 7 priority 32593",
        "-6 rule add from 2001:db8:77::/48 lookup 7 priority 32593",
        "route add 10.77.0.0/16 via 192.0.2.2 table 7",
        "route add 10.78.0.0/16 via 192.0.2.2",
    };
    static const char *const unmake[] = {
        "xfrm state delete dst 192.0.2.2 proto esp spi 0x901",
        "xfrm state delete dst 192.0.2.1 proto esp spi 0x902",
        "xfrm policy delete src 10.1.0.1/32 dst 0.0.0.0/0 dir out if_id 9",
        "xfrm policy delete src 10.9.0.0/16 dst 10.8.0.0/16 dir fwd",
        "link del other",
        "rule del fwmark 7",
        "-6 rule del from 2001:db8:77::/48",
        "route del 10.77.0.0/16 table 7",
        "route del 10.78.0.0/16",
    };
    for (size_t i = 0; i < ARRAY_SIZE(make); i++)
        NEED("ip -n n-henb %s", make[i]);
    NEED("ip -n n-henb addr add 192.0.2.77/24 dev wan");
    _cleanup_free_ char *before = all_there_is();

    const AddressList a = list(henb.inner);
    Pair old = pair_reserve(&variants[0], 0, false), new = pair_reserve(&variants[0], 0, false);
    bool ok = netlink_io_set_inner(henb.io, &a) == 0 && pair_install(&old) && pings(0) &&
              pair_replace(&old, &new) && pair_move(&new, "192.0.2.77", 4500, true) &&
              netlink_io_resync(henb.io) == 0 && pings(0) && pair_remove(&new);
    check(ok, "installed, replaced, moved, looked at and removed beside things of others");
    _cleanup_free_ char *after = all_there_is();
    if (!check(streq(before, after), "which are as they were")) {
        printf("# before:\n%s\n# after:\n%s\n", before, after);
        fflush(stdout);
    }
    Pair last = pair_reserve(&variants[0], 0, false);
    pair_install(&last);
    box_stop(&henb);
    _cleanup_free_ char *stopped = all_there_is();
    check(streq(before, stopped), "and after a stop");
    check(box_start(&henb) == 0, "and a start");
    _cleanup_free_ char *started = all_there_is();
    check(streq(before, started), "as well");
    netlink_io_remove(segw.io, &last.segw, BOTH);
    NEED("ip -n n-henb addr del 192.0.2.77/24 dev wan");
    for (size_t i = 0; i < ARRAY_SIZE(unmake); i++)
        NEED("ip -n n-henb %s", unmake[i]);
}

/* Debian 12's kernel has neither; what was tried is gone. */
static void features_are_probed(void) {
    unsigned major = 0, minor = 0;
    sscanf(netns_output("uname -r"), "%u.%u", &major, &minor);
    bool directions = major > 6 || (major == 6 && minor >= 10),
         keepalives = major > 6 || (major == 6 && minor >= 11);
    check(netlink_io_has(henb.io, NETLINK_SA_DIR) == directions, "directions of SAs: %s",
          directions ? "yes" : "no");
    check(netlink_io_has(henb.io, NETLINK_NAT_KEEPALIVE) == keepalives, "keepalives by the kernel: %s",
          keepalives ? "yes" : "no");
    check(netns_count("127.0.0.1", "ip -n n-henb xfrm state") == 0, "nothing of the probe is left");
}

static void all_variants_carry(void) {
    for (size_t i = 0; i < ARRAY_SIZE(variants); i++)
        for (int outer = 0; outer < 2; outer++)
            for (int udp = 0; udp < 2; udp++)
                pair_carries(&variants[i], outer, udp);
}

#define STEP(name)                                                                                           \
    { #name, name }
static const struct {
    const char *name;
    void (*run)(void);
} steps[] = {
    STEP(features_are_probed),
    STEP(all_variants_carry),
    STEP(wrong_key_passes_nothing),
    STEP(replay_window_is_there),
    STEP(block_policy_blocks),
    STEP(nothing_inner_leaves_in_clear),
    STEP(newest_is_used_at_once),
    STEP(rekeys_lose_nothing),
    STEP(refused_part_goes_alone),
    STEP(wide_windows_and_long_numbers),
    STEP(reordered_packets_are_taken),
    STEP(pairs_move),
    STEP(link_without_a_gateway),
    STEP(outer_header_follows_the_inner),
    STEP(inside_fits_the_way),
    STEP(narrower_way_is_learnt),
    STEP(limits_are_told),
    STEP(mappings_are_told),
    STEP(lost_events_are_made_up_for),
    STEP(others_are_left_alone),
    STEP(pairs_share_policies),
    STEP(tunnels_in_a_row),
    STEP(refusal_is_taken_back),
    STEP(expired_reservation_is_renewed),
    STEP(killed_predecessor_is_cleaned_up),
    STEP(inner_address_changes),
    STEP(former_address_stays_inside),
    STEP(former_rule_gives_way),
    STEP(interface_comes_back),
    STEP(uplink_is_not_ourselves),
    STEP(stop_leaves_the_guards),
    STEP(foreign_interfaces_are_refused),
};

static bool wanted(const char *name, int argc, char *argv[]) {
    bool any = argc < 2;
    for (int i = 1; i < argc; i++)
        any |= streq(name, argv[i]);
    return any;
}

/* usage: netlink-guest [STEP...]; those after stop_leaves_the_guards need it. */
int main(int argc, char *argv[]) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (sd_event_new(&event) < 0)
        return EXIT_FAILURE;
    namespaces_make();
    interface_is_made();
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
        if (wanted(steps[i].name, argc, argv))
            steps[i].run();
    namespaces_remove();
    printf("1..%u\n%u passed, %u failed\n", checks, checks - failures, failures);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
