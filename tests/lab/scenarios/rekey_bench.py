# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests/bench/rekey measures: packets that rekeyings lose, of the agent's and of strongSwan's as the initiator."""

import time
from pathlib import Path

import places
from gateways import Gateway
from machine import expect, parameters, say, wait_for
from scenario import scenario
from scenarios.longlived import thrown_away
from scenarios.selftest import strongswan
from steps import FAILURE, up

WANTED = parameters(children=100, ikes=20, rate=1000, delay=100, jitter=20, reorder=1.0)
# Seconds between rekeyings of one kind: a few round trips of the link, and what the emulated processor takes. The agent's
# children are rekeyed by packets, since a lifetime below 10 s is refused; its IKE SA when 80 to 90 % of the lifetime are over.
CHILD_SECONDS, IKE_SECONDS, IKE_LIFETIME = 4, 20, 25
# Nothing but a rekeying may lose a packet, so no replay window may: 1 % of them overtake the others by 50 ms, and the
# emulated processor sends what several ticks owe at once. strongSwan's default is 32.
WINDOW = 1024
# Nor may a queue that is full: what the emulated processor cannot do at once is late.
BACKLOG = Path("/proc/sys/net/core/netdev_max_backlog")
SUITE = {"ike": "aes128gcm16-prfsha256-ecp256", "esp": "aes128gcm16"}
CHILD = (f"replay_window = {WINDOW}",)
GATEWAY = Gateway(**SUITE, child_options=CHILD)


def measured(lab, who, inner, lose):
    """Traffic until there were as many rekeyings as are wanted; then without, for as long as the last packets take."""
    lab.boxes.capture_end()  # of what came before: a quarter of a million packets a minute fill the disk
    before = {name: thrown_away(name) for name in (None, "segw")}
    lab.boxes.traffic(inner, WANTED["rate"])
    begin = time.monotonic()
    try:
        wait_for("the rekeyings", lambda: all(have >= want for have, want in zip(lab.boxes.rekeyings(), (WANTED["children"], WANTED["ikes"]))),
                 3 * max(CHILD_SECONDS * WANTED["children"], IKE_SECONDS * WANTED["ikes"]) + 120, 1)
    finally:
        seconds = time.monotonic() - begin
        flows = dict(zip(("up", "down"), lab.boxes.traffic_end()))
        children, ikes = lab.boxes.rekeyings()
        say(f"  {who}: {children} rekeyings of the child, {ikes} of the IKE SA in {seconds:.0f} s")
        for name, flow in flows.items():
            say(f"  {'':12} {name:5} {flow.sent / seconds:.0f} a second (wanted: {WANTED['rate']}): {flow}")
        for name, where in ((None, "HeNB"), ("segw", "SeGW")):
            counts = {key: count - before[name][key] for key, count in thrown_away(name).items() if count != before[name][key]}
            say(f"  {'':12} thrown away by XFRM at the {where}: {counts or 'nothing'}")
    for name, flow in flows.items():
        expect(lose is None or flow.lost <= lose, f"{name}: {flow.lost} packets lost, at most {lose}")


def link(lab):
    BACKLOG.write_text("20000")
    lab.boxes.impair(WANTED["delay"], WANTED["jitter"], WANTED["reorder"])


@scenario("rekey-bench-ours", "henb-agentd as the initiator", demo=True, gateway=GATEWAY, factory={
    "IPsec": {"ChildPackets": str(CHILD_SECONDS * WANTED["rate"]), "IKELifetime": str(IKE_LIFETIME), "ReplayWindow": str(WINDOW)},
    "Log": {"Level": None}})
def rekey_bench_ours(lab):
    up(lab)
    link(lab)
    measured(lab, "henb-agentd", lab.agent.inner(), 0)
    lab.boxes.impair(0)
    lab.agent.registered(FAILURE)


@scenario("rekey-bench-strongswan", "strongSwan as the initiator", demo=True, agent=False, hems=None, mme=False, gateway=GATEWAY)
def rekey_bench_strongswan(lab):
    strongswan(lab, rekey_child=CHILD_SECONDS, rekey_ike=IKE_SECONDS, child_options=CHILD, **SUITE)
    link(lab)
    measured(lab, "strongSwan", places.INNER, None)
    lab.boxes.impair(0)
    lab.boxes.end("client")
