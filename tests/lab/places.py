# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's plan: which box has which addresses and names. lab.py has the picture."""

from dataclasses import dataclass

UPLINK_MAC = "02:00:00:00:00:10"
# The internet: the HeNB's uplink, its router with the public DNS, a HeMS anybody can reach; the gateways' network.
HENB, HENB_MOVED, ROUTER, PUBLIC_DNS, PUBLIC_HEMS = "192.0.2.10", "192.0.2.11", "192.0.2.1", "192.0.2.53", "192.0.2.80"
HENB6, ROUTER6, PUBLIC_DNS6, PUBLIC_HEMS6 = "2001:db8::10", "2001:db8::1", "2001:db8::53", "2001:db8::80"
NAT, NAT6, NAT_MOVED = "203.0.113.254", "2001:db8:1::fe", "203.0.113.253"
# An uplink whose own network is the operator's private one; its router has the address of the gateway inside.
HENB_OVERLAPPING, ROUTER_OVERLAPPING = "10.0.0.99", "10.0.0.1"

HEMS_PORT, HEMS_MOVED_PORT, FILES_PORT, TLS_PORT, S1_PORT = 7547, 7548, 8080, 443, 36412


@dataclass(frozen=True)
class Side:
    """A gateway, and the operator's network behind it: 10.0.0.0/24 and fd00::/64 unless it says otherwise."""
    box: str  # the gateway: its namespace, and its strongSwan
    network: str  # the namespace behind it
    segw: str
    segw6: str
    private: str = "10.0.0."
    pool: str = "10.1.0."
    private6: str = "fd00::"
    pool6: str = "fd00:1::"
    gateway: str = "1"  # the last part of the gateway's address inside

    @property
    def inner(self):
        """The first address of the pool."""
        return self.pool + "1"

    @property
    def inner6(self):
        return self.pool6 + "1"

    @property
    def hems(self):
        return self.private + "10"

    @property
    def hems6(self):
        return self.private6 + "10"

    @property
    def mme(self):
        return self.private + "20"

    @property
    def mme_second(self):
        """Another that listens nowhere."""
        return self.private + "21"

    @property
    def mme6(self):
        return self.private6 + "20"

    @property
    def dns(self):
        return self.private + "53"

    @property
    def dns6(self):
        return self.private6 + "53"

    @property
    def router(self):
        return self.private + self.gateway

    @property
    def router6(self):
        return self.private6 + self.gateway

    @property
    def networks(self):
        """What lives inside the tunnel."""
        return [self.private + "0/24", self.pool + "0/24", self.private6 + "/64", self.pool6 + "/64"]

    @property
    def hosts(self):
        return [self.inner, self.hems, self.mme, self.dns, self.inner6, self.hems6, self.mme6, self.dns6]


SERVING = Side("segw", "operator", "203.0.113.1", "2001:db8:1::1")
# Another gateway to the same network, as SecGWServer2 names one.
SECOND = Side("segw-2", "operator", "203.0.113.3", "2001:db8:1::3", pool="10.1.1.", pool6="fd00:1:0:1::", gateway="2")
INITIAL = Side("segw-initial", "initial", "203.0.113.2", "2001:db8:1::2", private="10.2.0.", pool="10.3.0.",
               private6="fd00:2::", pool6="fd00:3::")
# The same gateway, with the very addresses of the serving side behind it.
OVERLAPPING = Side("segw-initial", "initial", "203.0.113.2", "2001:db8:1::2")

SEGW, SEGW6 = SERVING.segw, SERVING.segw6
INNER, INNER6, HEMS, HEMS6, MME, MME6 = SERVING.inner, SERVING.inner6, SERVING.hems, SERVING.hems6, SERVING.mme, SERVING.mme6
MME_SECOND, PRIVATE_DNS, PRIVATE_DNS6 = SERVING.mme_second, SERVING.dns, SERVING.dns6
PRIVATE, POOL = SERVING.private + "0/24", SERVING.pool + "0/24"

SEGW_NAME, HEMS_NAME, MME_NAME = "segw.operator.example", "hems.operator.example", "mme.operator.example"
SEGW_INITIAL_NAME, HEMS_INITIAL_NAME = "segw-initial.operator.example", "hems-initial.operator.example"
SEGW_SERVING_NAME, HEMS_SERVING_NAME = "segw-serving.operator.example", "hems-serving.operator.example"
SEGW_SECOND_NAME = "segw-2.operator.example"
HEMS_PUBLIC_NAME = "hems-initial.example.net"
# Somebody else's.
SEGW_OTHER_NAME, HEMS_OTHER_NAME = "segw.other.example", "hems.other.example"
PRIVATE_NAMES = (HEMS_NAME, HEMS_SERVING_NAME, HEMS_INITIAL_NAME, HEMS_OTHER_NAME, MME_NAME)
