# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests/bench/rtt measures: round trips from the start of the unit to the MME on the bus.

The uplink is given a delay; the time it takes is then a constant (the emulated processor) plus the round trips times the
delay. The exchanges are counted as well, in captures of the uplink and of the networks behind the gateways."""

import shutil
import time

import agent as henb
import places
from contents import acs, assigns, s1
from exchanges import count
from gateways import Gateway
from machine import expect, say
from scenario import scenario
from servers import PUBLIC_HEMS
from steps import FAILURE
from ways import OPERATOR, inside, outside

DELAYS = (0, 50, 100)
REPEATS = 5  # the least counts: the emulated processor only ever adds
TITLE = (f"  {'':46} {'round':>6} {'at':>5} {'seconds at a delay of':>24} {'ex-':>8}\n"
         f"  {'from start to Mme on the bus':46} {'trips':>6} {'most':>5} {'0 ms   50 ms  100 ms':>24} {'changes':>8}")

ALWAYS = {"allow": ["INFORM-BOOTSTRAP", "INFORM-RETRY"], "expect": {}}
BY_ADDRESS = {"names": [], "public_names": {}, "private_names": {}}
SERVING_BY_ADDRESS = Gateway("segw-address", identity=places.SEGW)
NAMES = {places.SEGW_INITIAL_NAME: [places.INITIAL.segw], places.SEGW_SERVING_NAME: [places.SEGW]}


def once(lab, keep):
    """Seconds from the start of the unit to the MME, and what was exchanged until then."""
    spaces = {"outside": ("internet", "henb"), "operator": ("operator", "op")}
    if lab.scenario.initial:
        spaces["initial"] = ("initial", "op")
    if not keep:
        shutil.rmtree(henb.STATE, ignore_errors=True)
    for name, where in spaces.items():
        lab.boxes.capture(name, *where)
    public = lab.boxes.hems_says(PUBLIC_HEMS).count("<- ")
    begin = len(lab.agent.watch.changes)
    lab.agent.start(wait=False)
    lab.agent.registered(FAILURE)
    until = time.time()
    started = int(lab.agent.unit("ExecMainStartTimestampMonotonic")["ExecMainStartTimestampMonotonic"]) / 1e6
    told = next(when for when, _, values in lab.agent.watch.changes[begin:] if values.get("Mme"))
    total, again = 0, 0
    parts = []
    for name in spaces:
        lab.boxes.capture_end(name)
        network = f"{places.HENB}/32" if name == "outside" else \
            (places.SERVING if name == "operator" else places.INITIAL).pool + "0/24"
        seen, twice = count((lab.logs / f"{name}.pcap").read_bytes(), network, until)
        parts += [f"{kind} {number}" for kind, number in seen.items() if kind != "other IKE"]
        total += sum(number for kind, number in seen.items() if kind != "other IKE")
        again += twice
    hidden = lab.boxes.hems_says(PUBLIC_HEMS).count("<- ") - public  # HTTP within TLS
    if hidden:
        parts.append(f"HTTP in TLS {hidden}")
    lab.agent.stop()
    return told - started, total + hidden, again, ", ".join(parts)


def slope(points):
    """Of the line through (x, y)... with the least squares."""
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points))
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)


def bench(name, what, most, keep=False, **parts):
    parts["factory"] = {**parts.get("factory", {}), "Log": {"Level": None}}

    @scenario(f"rtt-{name}", what, demo=True, **parts)
    def steps(lab):
        if keep:
            once(lab, False)
        times, exchanges, repeated = {}, set(), 0
        for delay in DELAYS:
            lab.boxes.delay(delay)
            runs = [once(lab, keep) for _ in range(REPEATS)]
            times[delay] = min(seconds for seconds, *_ in runs)
            exchanges |= {(total, text) for _, total, _, text in runs}
            repeated += sum(again for _, _, again, _ in runs)
        trips = slope([(delay / 1000, seconds) for delay, seconds in times.items()])
        seconds = "  ".join(f"{times[delay]:6.2f}" for delay in DELAYS)
        counted = "/".join(str(total) for total in sorted({total for total, _ in exchanges}))
        say(f"  {what:46} {trips:6.1f} {most:5} {seconds:>24} {counted:>8}" + (f"  ({repeated} sent again)" if repeated else ""))
        for _, text in sorted(exchanges):
            say(f"      {text}")
        # The count is exact and decides; the slope says that nothing else waits, as well as a busy machine lets it.
        worst = max(total for total, _ in exchanges)
        expect(worst <= most, f"{worst} exchanges, at most {most}")


bench("5.1.2.2-names", "5.1.2.2 by names", 8, hems=acs(*s1(), **ALWAYS))
bench("5.1.2.2-addresses", "5.1.2.2 by addresses", 6, hems=acs(*s1(), **ALWAYS), gateway=SERVING_BY_ADDRESS, **BY_ADDRESS,
      factory={"Identity": OPERATOR, "Serving": {"SeGW": places.SEGW, "HeMS": places.HEMS}})
bench("5.1.2.3-names", "5.1.2.3 by names", 16, **inside(hems=acs(*s1(), **ALWAYS), hems_initial=assigns(**ALWAYS)))
bench("5.1.2.4-names", "5.1.2.4 by names, TLS 1.3", 14, **outside(hems=acs(*s1(), **ALWAYS), hems_public=assigns(**ALWAYS)))
bench("restart-names", "restart with saved serving data, by names", 8, keep=True, **inside(
    public_names=NAMES, names=list(NAMES), hems=acs(*s1(), **ALWAYS), hems_initial=assigns(**ALWAYS)))
bench("restart-addresses", "restart with saved serving data, by addresses", 6, keep=True, **inside(
    factory={"Initial": {"SeGW": places.INITIAL.segw, "HeMS": places.INITIAL.hems}}, initial_names={}, **BY_ADDRESS,
    initial=Gateway("segw-initial-address", identity=places.INITIAL.segw), gateway=SERVING_BY_ADDRESS,
    hems=acs(*s1(), **ALWAYS), hems_initial=assigns(places.SEGW, url=f"http://{places.HEMS}:{places.HEMS_PORT}/", **ALWAYS)))
