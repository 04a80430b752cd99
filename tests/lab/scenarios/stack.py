# SPDX-License-Identifier: GPL-3.0-or-later
"""The example of an S1 stack (dbus/examples) under its own unit, on a box with systemd as it is."""

import contextlib
import shutil
from pathlib import Path

import agent as henb
import places
from bus import Journal, job, manager, unit_property
from gateways import Gateway
from machine import expect, wait_for
from scenario import scenario
from steps import FAILURE, gateway_dies, killed, mme_list, properties

from .outage import NOTICED

STACK, WAIT = "s1-stack.service", "henb-wait-registered.service"
UNIT, PROGRAM = Path("/run/systemd/system") / STACK, Path("/usr/local/sbin/s1-stack")
UP = f"S1 up: on {henb.TUNNEL} from {places.INNER}, to one of {places.MME} ({places.MME}) port {places.S1_PORT}"


class Stack:
    """What the example says, read line by line."""

    def __init__(self):
        self.journal = Journal(STACK)
        self.read = 0

    def says(self, wanted, timeout=FAILURE):
        """Reads on to a line that fits; the lines before it."""
        begin = self.read

        def look():
            lines = [line for line in self.journal.lines() if line.startswith("S1 ")]
            found = [number for number, line in enumerate(lines) if number >= begin and wanted(line)]
            self.read = found[0] + 1 if found else begin
            return [lines[begin:self.read]] if found else None
        return wait_for("a line of the S1 stack", look, timeout)[0][:-1]

    def is_up(self, timeout=FAILURE):
        return self.says(lambda line: line == UP, timeout)

    def is_down(self, why, timeout=FAILURE):
        return self.says(lambda line: line == f"S1 down: {why}", timeout)


@contextlib.contextmanager
def installed():
    """As its author would install it."""
    shutil.copy(Path("/usr/share/doc/henb-agent/examples") / STACK, UNIT)
    PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy("/usr/lib/henb-lab/s1-example", PROGRAM)
    manager("Reload")
    stack = Stack()
    try:
        yield stack
    finally:
        for unit in (STACK, WAIT):
            job("StopUnit", unit)
        stack.journal.close()
        UNIT.unlink()
        PROGRAM.unlink()
        manager("Reload")


def starts_registered(lab, stack):
    """Waits with its start until the box is registered."""
    lab.agent.start()
    lab.agent.wait("State", "waiting-network")
    manager("StartUnit", STACK, "replace")
    wait_for("the unit that waits", lambda: unit_property(WAIT, "ActiveState") == "activating")
    expect(unit_property(STACK, "ActiveState") == "inactive", "the stack does not wait for the registration")
    lab.boxes.uplink()
    before = stack.is_up()
    expect(not before, f"the stack was started too early: {before}")
    expect(unit_property(STACK, "ActiveState") == "active", "the stack is not active")


def sees_a_dead_gateway(lab, stack):
    gateway_dies(lab)
    stack.is_down("retrying", NOTICED)
    lab.boxes.hear("segw")
    lab.boxes.segw(Gateway())
    stack.is_up(NOTICED)
    properties(lab, Mme=mme_list(places.MME))


@scenario("stack-unit", "the example of an S1 stack under its unit: starts when registered, sees loss and return",
          uplink=False, hems="again.json")
def stack_unit(lab):
    with installed() as stack:
        starts_registered(lab, stack)
        pid = unit_property(STACK, "MainPID")
        sees_a_dead_gateway(lab, stack)
        killed(lab)
        stack.is_down("the agent is not on the bus")
        stack.is_up()
        lab.agent.stop()
        stack.is_down("the agent is not on the bus")
        expect(unit_property(STACK, "MainPID") == pid, "something has restarted the stack")

        # Started without an agent it runs, and waits for it itself.
        job("StopUnit", STACK)
        stack.is_down("this program ends")
        expect(job("StartUnit", STACK) == "done", "the stack does not start without the agent")
        stack.is_down("the agent is not on the bus")
        lab.agent.start()
        stack.is_up()
