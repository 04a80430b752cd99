# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbered packets through the tunnel, both ways at once (traffic.c), and what became of them."""

import json
import signal
from dataclasses import dataclass
from pathlib import Path

import places
from machine import HERE, Failure, wait_for

PORT = 5004  # of both ends
ENDS = ("traffic-henb", "traffic-peer")


@dataclass
class Flow:
    """One direction. Late and swapped packets have come; lost ones have not, and nobody knows where they went."""
    sent: int
    refused: int  # the kernel did not take them at first
    lost: int
    twice: int
    swapped: int  # came after a later one
    latest: float  # seconds the slowest took
    silence: float  # the longest time without any

    def __str__(self):
        return (f"{self.sent} sent, {self.lost} lost, {self.twice} twice, {self.swapped} out of order, {self.refused} refused, "
                f"the slowest took {self.latest:.2f} s, the longest pause {self.silence:.2f} s")


class Traffic:
    def traffic(self, inner, rate=100, size=200, host=places.HEMS, namespace="operator"):
        """Begins: *rate* packets a second between the HeNB's inner address and a host behind the gateway."""
        program = next((path for path in (Path("/usr/lib/henb-lab/traffic"), HERE / "traffic") if path.exists()), None)
        if program is None:
            raise Failure("the traffic helper is not installed")
        for name in ENDS:
            (self.logs / f"{name}.log").unlink(missing_ok=True)
        for name, where, own, other in ((ENDS[1], namespace, host, inner), (ENDS[0], None, inner, host)):
            self.spawn(name, where, program, own, PORT, other, PORT, rate, size)
            wait_for(f"{name}", lambda: self.alive(name) and "ready" in self.log(name), interval=0.01)
        for name in ENDS:  # both listen now
            self.children[name].send_signal(signal.SIGUSR1)

    def traffic_end(self):
        """Ends it: (up, down), Flows."""
        for name in ENDS:
            self.children[name].send_signal(signal.SIGTERM)
        ends = []
        for name in ENDS:
            status = self.children.pop(name).wait(30)
            lines = self.log(name).splitlines()
            if status != 0 or not lines or not lines[-1].startswith("{"):
                raise Failure(f"{name}: status {status}: {self.log(name)[-300:]}")
            ends.append(json.loads(lines[-1]))
        henb, peer = ends
        return tuple(Flow(one["sent"], one["refused"], one["sent"] - other["got"], other["twice"], other["swapped"], other["latest"],
                          other["silence"]) for one, other in ((henb, peer), (peer, henb)))
