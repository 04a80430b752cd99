# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespaces, links, addresses and routes of the boxes; NAT, silence, delay; what happens to the HeNB's uplink."""

import re
import json
import os
import socket
import struct
from pathlib import Path

import places
from machine import Failure, inside, namespace_add, namespace_delete, run, wait_for

MODULES = ("veth", "bridge", "xfrm_user", "xfrm_interface", "esp4", "esp6", "xfrm4_tunnel", "sctp", "nf_tables",
           "nft_chain_nat", "nft_masq", "nft_reject_inet", "dummy", "sch_netem", "gcm", "ccm", "echainiv", "seqiv",
           "authenc", "cbc", "sha256_generic", "nf_conntrack_netlink", "chacha20poly1305")
NETLINK_NETFILTER, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE = 12, 1, 2
NLM_F_REQUEST, NLM_F_ACK = 1, 4
FORWARDING = {"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1"}
NAMESPACES = ("internet", "segw", "segw-2", "segw-initial", "operator", "initial")


def conntrack_flush():
    """All connections the namespace we are in knows of, and so all mappings of its NAT, are gone."""
    request = struct.pack("=IHHIIBBH", 20, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, NLM_F_REQUEST | NLM_F_ACK, 1, 0,
                          socket.AF_UNSPEC, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as netlink:
        netlink.bind((0, 0))
        netlink.send(request)
        error = struct.unpack_from("=i", netlink.recv(4096), 16)[0]
    if error:
        raise Failure(f"conntrack is not flushed: {os.strerror(-error)}")


class Links:
    def network(self, sides, uplink=True, families="4"):
        """Namespaces, links and routes: the internet, the gateways of these sides, the networks behind them. The HeNB's
        uplink has *families* outside; without *uplink* it has no address yet."""
        self.families = families
        run("ip", "link", "set", "lo", "up")
        for name in {"internet": 0, **{side.box: 0 for side in sides}, **{side.network: 0 for side in sides}}:
            namespace_add(name, FORWARDING)
        self.batch(None, f"link add uplink address {places.UPLINK_MAC} type veth peer name henb netns internet", *(f"""
            link add {side.box} netns internet type veth peer name wan netns {side.box}
            link add lan netns {side.box} type veth peer name {side.box} netns {side.network}""" for side in sides))
        self.batch("internet", f"""
            link set lo up
            link add wan type bridge
            link set henb up
            link set wan up
            addr add {places.ROUTER}/24 dev henb
            addr add {places.PUBLIC_DNS}/24 dev henb
            addr add {places.PUBLIC_HEMS}/24 dev henb
            addr add {places.ROUTER6}/64 dev henb nodad
            addr add {places.PUBLIC_DNS6}/64 dev henb nodad
            addr add {places.PUBLIC_HEMS6}/64 dev henb nodad
            addr add {places.NAT}/24 dev wan
            addr add {places.NAT6}/64 dev wan nodad""", *(f"link set {side.box} master wan up" for side in sides))
        for side in sides:
            self.gateway_links(side)
        for network in dict.fromkeys(side.network for side in sides):
            self.network_links([side for side in sides if side.network == network])
        # veth promises the SCTP checksum to the other end, ESP then carries a wrong one.
        for namespace, link in ((None, "uplink"), *((side.box, "lan") for side in sides),
                                *((side.network, side.box) for side in sides)):
            with inside(namespace):
                run("ethtool", "-K", link, "tx-checksum-sctp", "off")
        if uplink:
            self.uplink()

    def batch(self, namespace, *texts):
        """Lines for ip in a namespace (None: where we are)."""
        lines = [line.strip() for text in texts for line in text.splitlines() if line.strip()]
        with inside(namespace):
            run("ip", "-batch", "-", stdin="\n".join(lines) + "\n")

    def gateway_links(self, side):
        self.batch(side.box, f"""
            link set lo up
            link set wan up
            link set lan up
            addr add {side.segw}/24 dev wan
            addr add {side.segw6}/64 dev wan nodad
            addr add {side.router}/24 dev lan
            addr add {side.router6}/64 dev lan nodad
            route add default via {places.NAT}
            route add default via {places.NAT6}""")

    def network_links(self, sides):
        """The network behind gateways, with the addresses of its own boxes."""
        first = sides[0]
        self.batch(first.network, "link set lo up\nlink add op type bridge\nlink set op up", *(f"""
            addr add {first.private}{host}/24 dev op
            addr add {first.private6}{host}/64 dev op nodad""" for host in (10, 20, 53)), *(f"""
            link set {side.box} master op up
            route add {side.pool}0/24 via {side.router}
            route add {side.pool6}/64 via {side.router6}""" for side in sides))

    def links_end(self):
        for namespace in NAMESPACES:
            namespace_delete(namespace)
        run("ip", "link", "del", "uplink", check=False)
        wait_for("the uplink to go", lambda: not Path("/sys/class/net/uplink").exists())

    # The HeNB's uplink.

    def uplink(self, address=places.HENB, router=places.ROUTER):
        """Gives the uplink its addresses and default routes, as a DHCP client and a router's advertisement do."""
        lines = ["link set uplink up"]
        if "4" in self.families:
            lines += [f"addr add {address}/24 dev uplink", f"route add default via {router} dev uplink"]
        if "6" in self.families:
            lines += [f"addr add {places.HENB6}/64 dev uplink nodad", f"route add default via {places.ROUTER6} dev uplink"]
        run("ip", "-batch", "-", stdin="\n".join(lines) + "\n")

    def uplink_down(self):
        """The link itself goes: addresses of IPv6 and all routes with it."""
        run("ip", "link", "set", "uplink", "down")
        run("ip", "addr", "flush", "dev", "uplink")

    def uplink_moves(self, address=places.HENB_MOVED):
        """Another address, as after a lease that could not be renewed."""
        run("ip", "-batch", "-", stdin=f"""
            addr del {places.HENB}/24 dev uplink
            addr add {address}/24 dev uplink
            route replace default via {places.ROUTER} dev uplink
        """)

    def unplug(self):
        """The cable: the other end of the uplink goes down, and with it the carrier."""
        run("ip", "-n", "internet", "link", "set", "henb", "down")

    def plug(self):
        run("ip", "-n", "internet", "-batch", "-", stdin=f"""
            link set henb up
            addr replace {places.ROUTER6}/64 dev henb nodad
            addr replace {places.PUBLIC_DNS6}/64 dev henb nodad
            addr replace {places.PUBLIC_HEMS6}/64 dev henb nodad
        """)

    def overlap(self):
        """The uplink's network is 10.0.0.0/24, as the operator's is: the router has another address, and does NAT."""
        run("ip", "-n", "internet", "addr", "add", f"{places.ROUTER_OVERLAPPING}/24", "dev", "henb")
        self.nat()
        self.uplink(places.HENB_OVERLAPPING, places.ROUTER_OVERLAPPING)

    def nat(self):
        self.firewall("internet", """
            table ip nat {
                chain out { type nat hook postrouting priority 100; oifname "wan" masquerade; }
            }""")

    # What packets meet.

    def delay(self, milliseconds):
        """Every packet to the HeNB takes so long; no neighbour has to be asked for, which would take it again."""
        macs = {}
        for namespace, link in ((None, "uplink"), ("internet", "henb")):
            with inside(namespace):
                macs[link] = json.loads(run("ip", "-json", "link", "show", "dev", link))[0]["address"]
        pinned = {None: ("uplink", macs["henb"], (places.ROUTER, places.PUBLIC_DNS, places.PUBLIC_HEMS)),
                  "internet": ("henb", macs["uplink"], (places.HENB,))}
        for namespace, (link, mac, addresses) in pinned.items():
            with inside(namespace):
                for address in addresses:
                    run("ip", "neigh", "replace", address, "lladdr", mac, "dev", link, "nud", "permanent")
        with inside("internet"):
            run("tc", "qdisc", "replace", "dev", "henb", "root", "netem", "delay", f"{milliseconds}ms", "limit", "10000")

    def impair(self, delay, jitter=0, reorder=0.0, loss=0.0):
        """Both directions of the uplink: each packet takes half of *delay* (milliseconds) and of *jitter* more or less;
        *reorder* and *loss* are in percent. impair(0) ends it."""
        words = [] if not delay else ["netem", "delay", f"{delay / 2}ms", *([f"{jitter / 2}ms"] if jitter else []),
                                      *(["reorder", f"{reorder}%"] if reorder else []),
                                      *(["loss", f"{loss}%"] if loss else []), "limit", "20000"]
        for namespace, link in ((None, "uplink"), ("internet", "henb")):
            with inside(namespace):
                if delay:
                    run("tc", "qdisc", "replace", "dev", link, "root", *words)
                else:
                    run("tc", "qdisc", "del", "dev", link, "root", check=False)

    def nat_moves(self):
        """The NAT forgets its mappings, and makes new ones with another address and other ports."""
        self.batch("internet", f"addr replace {places.NAT_MOVED}/24 dev wan")
        self.firewall("internet", f"""
            flush table ip nat
            table ip nat {{
                chain out {{ type nat hook postrouting priority 100; oifname "wan" ip protocol udp snat to {places.NAT_MOVED}:20000-40000; }}
            }}""")
        with inside("internet"):
            conntrack_flush()

    def silence(self, namespace, match):
        """Drops what matches on its way in, without an answer; hear() ends it."""
        self.firewall(namespace, f"""
            table inet silence {{
                chain in {{ type filter hook input priority 0; {match} drop; }}
            }}""")

    def count_plain(self, inner):
        """Counts from now on what comes to the router for an inner address: what a gateway sent without ESP."""
        family = "ip6" if ":" in inner else "ip"
        self.firewall("internet", f"""
            table inet plain
            delete table inet plain
            table inet plain {{
                chain in {{ type filter hook prerouting priority -300; {family} daddr {inner} counter; }}
            }}""")

    def plain(self):
        """How many that were."""
        with inside("internet"):
            return int(re.search(r"packets (\d+)", run("nft", "list", "table", "inet", "plain"))[1])

    def hear(self, namespace):
        with inside(namespace):
            run("nft", "delete", "table", "inet", "silence")

    def firewall(self, namespace, rules):
        with inside(namespace):
            run("nft", "-f", "-", stdin=rules)
