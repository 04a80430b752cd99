# SPDX-License-Identifier: GPL-3.0-or-later
"""The clock of a box without a battery. The lab's roots and the HeNB's certificate are older than all of it: only
what the gateways and HeMSs show begins this year."""

import contextlib
import time

import places
from contents import acs, s1
from gateways import Gateway
from machine import set_clock
from scenario import scenario
from steps import FAILURE, mme_list, ping, properties, trouble, up
from ways import outside

LENIENT = {"Trust": {"ClockPolicy": "lenient"}}
LONG_AGO = 1577836800  # 2020
# The lab's gateways share the box's clock, and the kernel counts the life of an SA by it: they must not think theirs is
# over when the box's clock is set.
AGELESS = "rekey_time = 0s", "life_time = 0s"


@contextlib.contextmanager
def past():
    """The clock stands in 2020 until now() is called, or the block ends."""
    real, mono = time.time(), time.monotonic()
    ended = []

    def now():
        ended.append(True)
        set_clock(real + time.monotonic() - mono)
    set_clock(LONG_AGO)
    try:
        yield now
    finally:
        if not ended:
            now()


@scenario("clock-wait", "ClockPolicy=wait: before the day of the build nothing begins; when the time is known it registers")
def clock_wait(lab):
    with past() as now:
        lab.agent.start()
        lab.agent.wait("State", "waiting-network")
        properties(lab, ClockTrusted=False)
        lab.agent.failed("clock", "waiting-network")
        trouble("Wait for a plausible clock")
        now()
        lab.agent.registered()
        properties(lab, ClockTrusted=True)
        ping()


@scenario("clock-lenient", "ClockPolicy=lenient: registered before the time is known; judged when it is, and good",
          factory=LENIENT, gateway=Gateway(child_options=AGELESS))
def clock_lenient(lab):
    with past() as now:
        up(lab)
        properties(lab, ClockTrusted=False)
        now()
        lab.agent.wait("ClockTrusted", True, 90)
        time.sleep(5)
        properties(lab, State="registered", Mme=mme_list(places.MME))
        ping()


@scenario("clock-lenient-expired", "ClockPolicy=lenient: expired, as it turns out when the time is known: the tunnel goes",
          factory=LENIENT, gateway=Gateway("segw-expired", child_options=AGELESS))
def clock_lenient_expired(lab):
    with past() as now:
        up(lab)
        now()
        lab.agent.failed("expired")
        lab.agent.no_tunnel(lambda: lab.agent.get("State") == "retrying")
        properties(lab, Mme=[])


@scenario("clock-lenient-public", "ClockPolicy=lenient: nor is the HeMS's certificate judged by an unknown time", long=True, **outside(
    factory=LENIENT, hems=acs(*s1())))
def clock_lenient_public(lab):
    with past():
        lab.agent.start()
        lab.agent.registered(FAILURE)
        properties(lab, ClockTrusted=False)


@scenario("clock-goes-back", "a clock before the last time known as good is not believed, after the build or not",
          hems="again.json")
def clock_goes_back(lab):
    up(lab)
    properties(lab, ClockTrusted=True)
    lab.agent.stop()
    real, mono = time.time(), time.monotonic()
    try:
        # The build is of today or yesterday: an hour is enough to be before, and after the build if that is older.
        set_clock(real - 3600)
        lab.agent.start()
        lab.agent.wait("State", "waiting-network")
        properties(lab, ClockTrusted=False)
    finally:
        set_clock(real + time.monotonic() - mono)
    lab.agent.registered()
