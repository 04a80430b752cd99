# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scenario is: how the boxes are set up, and the steps that show what has to be seen."""

from dataclasses import dataclass, field
from typing import Callable

import places
from gateways import Gateway

SCENARIOS = []


@dataclass
class Scenario:
    name: str
    what: str  # one line: what it shows
    steps: Callable
    long: bool = False
    demo: bool = False  # for tests/demo or tests/bench only
    agent: bool = True  # does henb-agentd take part?
    device: str = "ecdsa"  # the HeNB's certificate
    factory: dict = field(default_factory=dict)  # changes to agent.FACTORY: {section: {key: value} or None}
    gateway: Gateway = field(default_factory=Gateway)  # the serving SeGW; None: it does not run
    second: Gateway = None  # another one to the same network
    initial: Gateway = None  # the Initial SeGW
    initial_side: places.Side = places.INITIAL
    hems: object = "register.json"  # the ACS's scenario (a file of acs/ or its content); None: no HeMS runs
    hems_initial: object = None  # of the Initial HeMS behind the Initial SeGW
    hems_public: object = None  # of the Initial HeMS on the internet
    hems_certificate: str = "hems-good"  # its certificate
    hems_options: tuple = ()  # and more options of its ACS
    mme: bool = True
    nat: bool = False
    uplink: bool = True  # has the uplink its address from the start?
    families: str = "4"  # of the uplink: 4, 6, 46
    overlap: bool = False  # is the uplink's own network 10.0.0.0/24 as well?
    # What each DNS knows: {name: [address...]}.
    public_names: dict = field(default_factory=lambda: {places.SEGW_NAME: [places.SEGW]})
    private_names: dict = field(default_factory=lambda: {places.HEMS_NAME: [places.HEMS], places.MME_NAME: [places.MME]})
    initial_names: dict = field(default_factory=dict)
    names: list = field(default_factory=lambda: [places.SEGW_NAME])  # may be asked of the public DNS
    traffic: bool = True  # does the HeNB have to send something?
    declared: list = field(default_factory=list)  # may be sent as well: (protocol, address, port)

    def sides(self):
        """The gateways that are there, with their networks."""
        return [places.SERVING, *([places.SECOND] if self.second else []), *([self.initial_side] if self.initial else [])]


def scenario(name, what, **parts):
    """Decorates the function that has the steps."""
    def add(steps):
        SCENARIOS.append(Scenario(name, what, steps, **parts))
        return steps
    return add


def choose(names, with_long):
    known = {one.name: one for one in SCENARIOS}
    for name in names:
        if name not in known:
            raise SystemExit(f"no scenario {name}; there are: {' '.join(known)}")
    return [known[name] for name in names] if names else [
        one for one in SCENARIOS if not one.demo and (with_long or not one.long)]
