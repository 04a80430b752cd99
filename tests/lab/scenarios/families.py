# SPDX-License-Identifier: GPL-3.0-or-later
"""IPv6 outside and inside; two families of which one is dead; names with several addresses."""

import places
from contents import acs, s1
from gateways import Gateway
from machine import expect
from scenario import scenario
from steps import FAILURE, associated, mme_list, ping, properties
from ways import OPERATOR

DNS6 = {"Network": {"PublicDNS": places.PUBLIC_DNS6}}
DNS46 = {"Network": {"PublicDNS": f"{places.PUBLIC_DNS} {places.PUBLIC_DNS6}"}}
DUAL_PUBLIC = {places.SEGW_NAME: [places.SEGW, places.SEGW6]}
DUAL_PRIVATE = {places.HEMS_NAME: [places.HEMS, places.HEMS6], places.MME_NAME: [places.MME, places.MME6]}
IKE4, IKE6 = "ip daddr 203.0.113.1 udp dport { 500, 4500 }", "ip6 daddr 2001:db8:1::1 udp dport { 500, 4500 }"


def registered(lab, address, inner, host):
    lab.agent.start()
    lab.agent.registered(FAILURE)
    properties(lab, SeGWAddress=address, InnerAddresses=inner)
    lab.agent.tunnel()
    ping(host)


@scenario("ipv6", "IPv6 alone, outside and inside", families="6", factory=DNS6, gateway=Gateway(inside="6"),
          public_names={places.SEGW_NAME: [places.SEGW6]}, hems=acs(*s1(places.MME_NAME)),
          private_names={places.HEMS_NAME: [places.HEMS6], places.MME_NAME: [places.MME6]})
def ipv6(lab):
    registered(lab, places.SEGW6, [places.INNER6], places.HEMS6)
    properties(lab, Mme=mme_list((places.MME_NAME, places.MME6)))
    associated(lab)


@scenario("ipv6-by-address", "IPv6 addresses instead of names", families="6", names=[], hems=acs(*s1(places.MME6)),
          factory={**DNS6, "Identity": OPERATOR, "Serving": {"SeGW": places.SEGW6, "HeMS": f"http://[{places.HEMS6}]:7547/"}},
          gateway=Gateway("segw-address6", identity=places.SEGW6, inside="6"))
def ipv6_by_address(lab):
    registered(lab, places.SEGW6, [places.INNER6], places.HEMS6)
    properties(lab, Mme=mme_list(places.MME6))
    lab.agent.stop()
    expect("DNS" not in lab.judge().seen, "it asked the DNS")


def mixed(name, what, families, gateway, private, address, inner, host, servers):
    @scenario(name, what, families=families, factory=DNS46 if families == "46" else DNS6, gateway=gateway,
              public_names=DUAL_PUBLIC, private_names=private, hems=acs(*s1(servers)))
    def steps(lab):
        registered(lab, address, inner, host)
        properties(lab, Mme=mme_list(servers))
        associated(lab)


mixed("ipv6-outside", "an IPv6 uplink, IPv4 inside", "6", Gateway(), {places.HEMS_NAME: [places.HEMS]}, places.SEGW6,
      [places.INNER], places.HEMS, places.MME)


@scenario("dual-stack", "both families everywhere", families="46", factory=DNS46, gateway=Gateway(inside="46"),
          public_names=DUAL_PUBLIC, private_names=DUAL_PRIVATE, hems=acs(*s1(places.MME_NAME)))
def dual_stack(lab):
    lab.agent.start()
    lab.agent.registered(FAILURE)
    expect(sorted(lab.agent.get("InnerAddresses")) == sorted([places.INNER, places.INNER6]),
           f"InnerAddresses is {lab.agent.get('InnerAddresses')}")
    mme = lab.agent.get("Mme")
    expect(len(mme) == 1 and sorted(mme[0][1]) == sorted([places.MME, places.MME6]), f"Mme is {mme}")
    lab.agent.tunnel()
    ping(places.HEMS)
    ping(places.HEMS6)
    associated(lab)


def half_dead(name, what, dead_ike, dead_hems, address, long=False):
    """Dual stack of which the gateway and the HeMS answer in one family."""
    @scenario(name, what, long=long, families="46", factory=DNS46, gateway=Gateway(inside="46"), public_names=DUAL_PUBLIC,
              private_names=DUAL_PRIVATE)
    def steps(lab):
        lab.boxes.silence("segw", dead_ike)
        lab.boxes.silence("operator", dead_hems)
        lab.agent.start()
        lab.agent.registered(FAILURE)
        properties(lab, SeGWAddress=address)
        expect("retrying" not in lab.agent.watch.states(), f"the states were {lab.agent.watch.states()}")
        ping()


half_dead("dual-dead-6", "dual stack, IPv6 dead outside and inside: IPv4 is used without a retry", IKE6,
          "ip6 daddr fd00::10 tcp dport 7547", places.SEGW)
half_dead("dual-dead-4", "dual stack, IPv4 dead outside and inside: IPv6 is used without a retry", IKE4,
          "ip daddr 10.0.0.10 tcp dport 7547", places.SEGW6, long=True)


@scenario("several-addresses", "a SeGW's name with three addresses of which one answers", long=True,
          public_names={places.SEGW_NAME: ["203.0.113.8", "203.0.113.9", places.SEGW]},
          declared=[(17, address, port) for address in ("203.0.113.8", "203.0.113.9") for port in (500, 4500)])
def several_addresses(lab):
    # Nobody has these addresses: the router would say so, and a dead gateway says nothing.
    lab.boxes.firewall("internet", """
        table inet quiet {
            chain out { type filter hook forward priority 0; ip daddr { 203.0.113.8, 203.0.113.9 } drop; }
        }""")
    lab.agent.start()
    lab.agent.registered(2 * FAILURE)
    properties(lab, SeGWAddress=places.SEGW)
    expect("retrying" not in lab.agent.watch.states(), f"the states were {lab.agent.watch.states()}")
