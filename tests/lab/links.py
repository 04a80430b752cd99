# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespaces, links, addresses and routes of the boxes; NAT, silence, delay; what happens to the HeNB's uplink."""

import json
from pathlib import Path

import places
from machine import inside, run, wait_for

MODULES = ("veth", "bridge", "xfrm_user", "xfrm_interface", "esp4", "esp6", "xfrm4_tunnel", "sctp", "nf_tables",
           "nft_chain_nat", "nft_masq", "nft_reject_inet", "dummy", "sch_netem", "gcm", "ccm", "echainiv", "seqiv",
           "authenc", "cbc", "sha256_generic")
NAMESPACES = ("internet", "segw", "segw-2", "segw-initial", "operator", "initial")


class Links:
    def network(self, sides, uplink=True, families="4"):
        """Namespaces, links and routes: the internet, the gateways of these sides, the networks behind them. The HeNB's
        uplink has *families* outside; without *uplink* it has no address yet."""
        self.families = families
        run("ip", "link", "set", "lo", "up")
        self.namespace("internet")
        run("ip", "-batch", "-", stdin=f"link add uplink address {places.UPLINK_MAC} type veth peer name henb netns internet\n")
        run("ethtool", "-K", "uplink", "tx-checksum-sctp", "off")
        run("ip", "-n", "internet", "-batch", "-", stdin=f"""
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
            addr add {places.NAT6}/64 dev wan nodad
        """)
        for side in sides:
            self.side(side)
        if uplink:
            self.uplink()

    def namespace(self, name):
        if Path(f"/run/netns/{name}").exists():
            return False
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")
        with inside(name):
            Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
            Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")
        return True

    def side(self, side):
        """The gateway of a side between the internet and its network; the network's own boxes with the first gateway."""
        self.namespace(side.box)
        first = self.namespace(side.network)
        run("ip", "-batch", "-", stdin=f"""
            link add {side.box} netns internet type veth peer name wan netns {side.box}
            link add lan netns {side.box} type veth peer name {side.box} netns {side.network}
        """)
        run("ip", "-n", "internet", "link", "set", side.box, "master", "wan", "up")
        run("ip", "-n", side.box, "-batch", "-", stdin=f"""
            link set wan up
            link set lan up
            addr add {side.segw}/24 dev wan
            addr add {side.segw6}/64 dev wan nodad
            addr add {side.router}/24 dev lan
            addr add {side.router6}/64 dev lan nodad
            route add default via {places.NAT}
            route add default via {places.NAT6}
        """)
        # veth promises the SCTP checksum to the other end, ESP then carries a wrong one.
        for namespace, link in ((side.box, "lan"), (side.network, side.box)):
            with inside(namespace):
                run("ethtool", "-K", link, "tx-checksum-sctp", "off")
        if first:
            addresses = (f"addr add {side.private}{host}/24 dev op\naddr add {side.private6}{host}/64 dev op nodad\n"
                         for host in (10, 20, 53))
            run("ip", "-n", side.network, "-batch", "-", stdin="link add op type bridge\nlink set op up\n" + "".join(addresses))
        run("ip", "-n", side.network, "link", "set", side.box, "master", "op", "up")
        run("ip", "-n", side.network, "-batch", "-", stdin=f"""
            route add {side.pool}0/24 via {side.router}
            route add {side.pool6}/64 via {side.router6}
        """)

    def links_end(self):
        for namespace in NAMESPACES:
            run("ip", "netns", "del", namespace, check=False)
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

    def silence(self, namespace, match):
        """Drops what matches on its way in, without an answer; hear() ends it."""
        self.firewall(namespace, f"""
            table inet silence {{
                chain in {{ type filter hook input priority 0; {match} drop; }}
            }}""")

    def hear(self, namespace):
        with inside(namespace):
            run("nft", "delete", "table", "inet", "silence")

    def firewall(self, namespace, rules):
        with inside(namespace):
            run("nft", "-f", "-", stdin=rules)
