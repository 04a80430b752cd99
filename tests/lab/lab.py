#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab: plays scenarios around the agent. Runs in the guest (tests/vm), as root, with systemd and the system bus.

    the guest's own namespace         namespace internet                 namespace segw          namespace operator
  +----------------------------+    +-------------------------+    +------------------------+    +----------------------+
  | henb-agentd, systemd, bus  |    | router    192.0.2.1     |    | strongSwan 203.0.113.1 |    | HeMS     10.0.0.10   |
  | S1 stand-in                |    | DNS       192.0.2.53    |    | pool      10.1.0.0/24  |    | MME      10.0.0.20   |
  |     uplink 192.0.2.10  ----+----+-- henb   NAT     wan ---+-+--+-- wan            lan --+----+-- op                 |
  |     henb0  10.1.0.1        |    | HeMS, TLS 192.0.2.80    | |  |           10.0.0.1     |    | DNS      10.0.0.53   |
  +-----:----------------------+    | capture, prober, delay  | |  +-----------:------------+    +--+-------------------+
        :                           +-------------------------+ |              :                    |
        :........................ ESP, in UDP behind the NAT ...|..............:                    |
                                                                |    namespace segw-2               |
                                          if the scenario says  |  +------------------------+       |
                                          so, these as well     +--+ strongSwan 203.0.113.3 +-------+
                                                                |  | pool      10.1.1.0/24  |
                                                                |  +------------------------+
                                                                |    namespace segw-initial       namespace initial
                                                                |  +------------------------+    +----------------------+
                                                                +--+ strongSwan 203.0.113.2 +----+ HeMS     10.2.0.10   |
                                                                   | pool      10.3.0.0/24  |    | DNS      10.2.0.53   |
                                                                   +------------------------+    +----------------------+
        public network 192.0.2.0/24         203.0.113.0/24                          operator's private networks

places.py has all addresses and names, those of IPv6 too; the initial side may have the very addresses of the serving one.
A scenario (scenarios/) says how the boxes are set up and what has to be seen. Each starts from nothing and leaves
nothing. During all of it the uplink is captured, and what the HeNB sent is judged (judge.py).
"""

import argparse
import concurrent.futures
import contextlib
import os
import shutil
import subprocess
import sys
import time
import traceback
from pathlib import Path

import agent as henb
import judge
import links
import places
import scenarios  # noqa: F401
from boxes import Boxes
from machine import RUN, Failure, Skip, in_container, run, say
from scenario import choose

RESULTS = Path("/results")


class Lab:
    """What a scenario's steps get: its boxes, its agent."""

    def __init__(self, scenario, logs):
        self.scenario = scenario
        self.logs = logs
        self.boxes = Boxes(logs)
        self.agent = henb.Agent(logs)
        self.verdict = None

    def rules(self):
        scenario = self.scenario
        sides = scenario.sides()
        private = {*places.PRIVATE_NAMES, *scenario.private_names, *scenario.initial_names} - {*scenario.names}
        tls = [(judge.TCP, places.PUBLIC_HEMS, places.TLS_PORT)] if scenario.hems_public is not None else []
        return judge.Rules(
            mac=places.UPLINK_MAC, inner=[network for side in sides for network in side.networks],
            hosts=[host for side in sides for host in side.hosts],
            segws=[address for side in sides for address in (side.segw, side.segw6)],
            resolvers=[places.PUBLIC_DNS, places.PUBLIC_DNS6], names=scenario.names, private_names=sorted(private),
            outer=[places.HENB_OVERLAPPING, places.ROUTER_OVERLAPPING] if scenario.overlap else [],
            extra=[*scenario.declared, *tls])

    def set_up(self):
        scenario = self.scenario
        self.boxes.network(scenario.sides(), scenario.uplink and not scenario.overlap, scenario.families)
        if scenario.overlap:
            self.boxes.overlap()
        if scenario.nat:
            self.boxes.nat()
        boxes, initial = self.boxes, scenario.initial_side
        start = [boxes.capture, self.agent.watch_begin, lambda: boxes.dns_public(scenario.public_names),
                 lambda: boxes.dns_of(places.SERVING, scenario.private_names)]
        if scenario.gateway:
            start.append(lambda: boxes.segw(scenario.gateway))
        if scenario.second:
            start.append(lambda: boxes.segw(scenario.second, places.SECOND))
        if scenario.initial:
            start += [lambda: boxes.dns_of(initial, scenario.initial_names), lambda: boxes.segw(scenario.initial, initial)]
        if scenario.mme:
            start.append(boxes.mme)
        if scenario.hems is not None:
            start.append(lambda: boxes.hems(scenario.hems))
        if scenario.hems_initial is not None:
            start.append(lambda: boxes.hems_initial(scenario.hems_initial, initial))
        if scenario.hems_public is not None:
            start.append(lambda: boxes.hems_public(scenario.hems_public, scenario.hems_certificate, scenario.hems_options))
        # Most of the time each of them takes is waiting for another program to start.
        with concurrent.futures.ThreadPoolExecutor(len(start)) as pool:
            for done in [pool.submit(one) for one in start]:
                done.result()
        if scenario.agent:
            self.agent.configure(scenario.device, scenario.factory)

    def judge(self):
        """Ends the capture; Failure when the HeNB sent something it may not."""
        if self.verdict:
            return self.verdict
        self.boxes.capture_end()
        verdict = judge.judge_file(self.logs / "uplink.pcap", self.rules())
        with open(self.logs / "judge.log", "w", encoding="utf-8") as log:
            print(verdict.judged, "packets of the HeNB:", verdict.seen, file=log)
            print(*verdict.objections, sep="\n", file=log)
        if verdict.objections:
            raise Failure(f"on the uplink: {len(verdict.objections)} packets that must not be there, the first: "
                          f"{verdict.objections[0]}")
        if not verdict.judged and self.scenario.traffic:
            raise Failure("on the uplink: no packet of the HeNB was captured")
        self.verdict = verdict
        return verdict

    def collect(self):
        """What somebody wants to read after a failure."""
        commands = {
            "journal": ["journalctl", "-q", "--no-pager", "-o", "short-monotonic",
                        *(["--after-cursor", self.agent.messages.cursor] if self.agent.messages else [])],
            "state": ["sh", "-c", "ip -d addr; ip rule; ip route show table all; ip -s xfrm state list nokeys; "
                      "ip -s xfrm policy; cat /proc/net/xfrm_stat; systemctl status --no-pager henb-agent; "
                      f"busctl introspect {henb.BUS} {henb.OBJECT}"],
        }
        for name, command in commands.items():
            with contextlib.suppress(Failure, OSError):
                (self.logs / f"{name}.txt").write_text(run(*command, check=False))
        with contextlib.suppress(OSError):
            shutil.copytree(henb.STATE, self.logs / "store", dirs_exist_ok=True)

    def tear_down(self):
        self.agent.watch_end()
        if self.scenario.agent:
            self.agent.forget()
        self.boxes.stop()
        for path in RUN.iterdir():
            if path.name in ("lab", "certificates"):
                continue
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def play(scenario, phase=lambda name: None, keep=False, look=False):
    """Plays one scenario: ("ok", None), or ("FAIL" or "skip", why). phase() is told what begins. *keep*: a good one leaves
    what a bad one leaves. *look*: behind its steps, good or bad, there is a shell for a person who wants to see it alive."""
    logs = RESULTS / scenario.name
    logs.mkdir(parents=True, exist_ok=True)
    lab = Lab(scenario, logs)
    result, why = "ok", None
    try:
        phase("set-up")
        lab.set_up()
        phase("steps")
        try:
            scenario.steps(lab)
        finally:
            if look:
                subprocess.run(["bash", "-i"], check=False)
        phase("end")
        if keep:
            lab.collect()
        if scenario.agent:
            if lab.agent.unit("ActiveState")["ActiveState"] == "active":
                lab.agent.stop()
            lab.agent.watch.check()
        lab.boxes.hems_verdict()
        lab.judge()
    except Skip as skip:
        result, why = "skip", str(skip)
    except Failure as failure:
        result, why = "FAIL", str(failure)
    except Exception:  # a mistake in the lab is a failure of the scenario, not of the run
        result, why = "FAIL", traceback.format_exc()
    if why:
        lab.collect()
        with contextlib.suppress(Failure):
            lab.boxes.capture_end()
    try:
        lab.tear_down()
    except Exception:
        result, why = "FAIL", (why or "") + "\ntaking down: " + traceback.format_exc()
    if not why and not keep:
        for path in logs.glob("*.pcap"):
            path.unlink()
    os.sync()
    return result, why


class Cost:
    """What each phase of a scenario takes: seconds, seconds of the processor (of both if there are two), new processes."""

    def __init__(self):
        self.last = None
        self.parts = []

    def phase(self, name):
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
        ticks = [int(word) for word in lines[0].split()[1:9]]
        now = (time.monotonic(), (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK"),
               next(int(line.split()[1]) for line in lines if line.startswith("processes ")))
        if self.last:
            before, at = self.last
            self.parts.append(f"{before} {now[0] - at[0]:.1f} s {now[1] - at[1]:.1f} s {now[2] - at[2]}")
        self.last = (name, now) if name else None

    def __str__(self):
        return ", ".join(self.parts)


def main():
    parser = argparse.ArgumentParser(description="Plays scenarios of the lab; without names the default ones.")
    parser.add_argument("--long", action="store_true", help="the long ones too")
    parser.add_argument("--keep", action="store_true", help="good ones leave captures, journal and state, too")
    parser.add_argument("--look", action="store_true", help="a shell behind the steps of each, before it is taken down")
    parser.add_argument("--list", action="store_true", help="say which there are")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args([argument for argument in sys.argv[1:] if argument])
    chosen = choose(arguments.names, arguments.long)
    if arguments.list:
        for scenario in chosen:
            say(f"{scenario.name:24} {scenario.what}")
        return 0
    if not in_container():
        for module in links.MODULES:
            run("modprobe", module)
    with open(RESULTS / "results", "w", encoding="utf-8") as results:
        for scenario in chosen:
            begin = time.monotonic()
            cost = Cost()
            result, why = play(scenario, cost.phase, arguments.keep, arguments.look)
            cost.phase(None)
            seconds = time.monotonic() - begin
            say(f"  {result:5} {scenario.name:24} {seconds:5.1f} s  {scenario.what}")
            if why:
                say("        " + why.replace("\n", "\n        "))
            print(result, scenario.name, f"{seconds:.1f}", cost, file=results, flush=True)
            os.sync()
    return 0


if __name__ == "__main__":
    sys.exit(main())
