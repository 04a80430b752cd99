#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the example for S1 stacks (dbus/examples) and of the lab's S1 stack, which is made with it, on a private bus
with a puppet for the agent.

    test_s1_stack.py S1-STACK S1-EXAMPLE FAKE-AGENT

Of the lab's stack it is tested here that it tries the MMEs in their order; the association itself needs the tunnel's
interface and is tested in the guest.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent.parent / "dbus/examples"
STACK, EXAMPLE, AGENT = sys.argv[1:4] if len(sys.argv) > 3 else ("", "", "")
SECONDS = 30
CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={}/bus</listen><auth>EXTERNAL</auth><policy context="default">
<allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_destination="*"/>
<allow receive_sender="*"/></policy></busconfig>
"""
READY = ("InnerAddresses 10.64.0.1", "Mme mme.operator.example 36412 10.0.0.20", "State registered")


UP = "S1 up: on henb0 from 10.64.0.1, to one of mme.operator.example (10.0.0.20) port 36412\n"
ABSENT = "S1 down: the agent is not on the bus\n"


def too_long(*_):
    raise TimeoutError(f"nothing for {SECONDS} s")


class OnABus(unittest.TestCase):
    def setUp(self):
        signal.signal(signal.SIGALRM, too_long)
        signal.alarm(SECONDS)
        self.addCleanup(signal.alarm, 0)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        config = folder.name + "/bus.conf"
        with open(config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(folder.name))
        self.daemon = self.start(["dbus-daemon", "--nofork", "--print-address", "--config-file", config])
        self.environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": self.daemon.stdout.readline().strip()}
        self.agent_start()

    def agent_start(self):
        self.agent = self.start([AGENT], stdin=subprocess.PIPE)

    def start(self, command, **options):
        process = subprocess.Popen(command, env=getattr(self, "environment", None), text=True, bufsize=1,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
        self.addCleanup(self.end, process)
        return process

    def end(self, process):
        process.kill()
        process.wait()
        process.stdout.close()
        if process.stdin:
            process.stdin.close()

    def tell(self, *lines):
        for line in lines:
            self.agent.stdin.write(line + "\n")
            self.assertEqual(self.agent.stdout.readline(), "ok\n", line)

    def assert_says(self, program, *lines):
        for line in lines:
            self.assertEqual(program.stdout.readline(), line)


class S1Stack(OnABus):
    def stack(self, *options):
        return self.start([STACK, "--timeout", str(SECONDS), *options])

    def assert_tries(self, stack):
        self.assertRegex(stack.stdout.readline(), "^no association 10.64.0.1 -> 10.0.0.20 port 36412: ")
        self.assertRegex(stack.stdout.readline(), "^no association with any MME: ")
        self.assertEqual(stack.wait(SECONDS), 1)

    def test_agent_already_registered(self):
        self.tell("take", *READY)
        self.assert_tries(self.stack())

    def test_agent_comes_later(self):
        stack = self.stack()
        self.assert_says(stack, "S1 is down: the agent is not on the bus\n")
        self.tell("State registering", "take")
        self.assert_says(stack, "S1 is down: registering\n")
        self.tell(*READY)
        self.assert_tries(stack)

    def test_each_address_in_order_and_by_family(self):
        self.tell("take", "InnerAddresses 10.64.0.1 2001:db8::1", "Mme a 36412 2001:db8::20 10.0.0.20",
                  "Mme+ b 5 10.0.0.21", "State registered")
        stack = self.stack()
        tried = [stack.stdout.readline().partition(": ")[0] for _ in range(3)]
        self.assertEqual(tried, ["no association 2001:db8::1 -> 2001:db8::20 port 36412",
                                 "no association 10.64.0.1 -> 10.0.0.20 port 36412",
                                 "no association 10.64.0.1 -> 10.0.0.21 port 5"])
        self.assertEqual(stack.wait(SECONDS), 1)

    def test_it_says_what_it_waited_for(self):
        self.tell("take", *READY, "AdminState 0")
        stack = self.start([STACK, "--timeout", "1"])
        self.assert_says(stack, "S1 is down: AdminState is false\n", "no association in time\n")
        self.assertEqual(stack.wait(SECONDS), 1)


class Example(OnABus):
    def example(self, *expected):
        example = self.start([EXAMPLE])
        self.assert_says(example, *expected)
        return example

    def test_start_before_the_agent(self):
        example = self.example(ABSENT)
        self.tell("take")
        self.assert_says(example, "S1 down: idle\n")
        for state in ("waiting-network", "discovering", "registering"):
            self.tell(f"State {state}")
            self.assert_says(example, f"S1 down: {state}\n")
        self.tell(*READY)
        self.assert_says(example, UP)

    def test_start_when_registered(self):
        self.tell("take", *READY)
        self.example(UP)

    def test_loss_and_return(self):
        self.tell("take", *READY)
        example = self.example(UP)
        for lose, regain, loss in (("State retrying", "State registered", "retrying"),
                                   ("AdminState 0", "AdminState 1", "AdminState is false"),
                                   ("Mme", READY[1], "there is no MME"),
                                   ("drop", "take", "the agent is not on the bus")):
            self.tell(lose)
            self.assert_says(example, f"S1 down: {loss}\n")
            self.tell(regain)
            self.assert_says(example, UP)

    def test_other_ends(self):
        self.tell("take", *READY)
        example = self.example(UP)
        for change, ends in (
                ("Mme a 7 10.0.0.21", "on henb0 from 10.64.0.1, to one of a (10.0.0.21) port 7"),
                ("Mme+ b 5 ::2 10.0.0.2",
                 "on henb0 from 10.64.0.1, to one of a (10.0.0.21) port 7, b (::2 10.0.0.2) port 5"),
                ("Mme c 6 10.0.0.3", "on henb0 from 10.64.0.1, to one of c (10.0.0.3) port 6"),
                ("InnerAddresses ::1", "on henb0 from ::1, to one of c (10.0.0.3) port 6"),
                ("TunnelInterface h", "on h from ::1, to one of c (10.0.0.3) port 6"),
                ("S1ConnectionMode All", "on h from ::1, to all of c (10.0.0.3) port 6")):
            self.tell(change, change if "+" not in change else "State registered")  # what is told twice changes nothing
            self.assert_says(example, "S1 down: MME, inner address or interface have changed\n", f"S1 up: {ends}\n")

    def test_agent_is_killed_and_returns(self):
        self.tell("take", *READY)
        example = self.example(UP)
        self.end(self.agent)
        self.assert_says(example, ABSENT)
        self.agent_start()
        self.tell("take")
        self.assert_says(example, "S1 down: idle\n")
        self.tell(*READY)
        self.assert_says(example, UP)

    def test_changes_while_it_starts(self):
        """None falls between its subscription and its reading: whatever it sees on the way, it ends with the last."""
        self.tell("take", *READY)
        for _ in range(20):
            example = self.start([EXAMPLE])
            for _ in range(20):
                self.tell("State retrying", "State registered")
            self.tell("State deregistered")
            while (line := example.stdout.readline()) != "S1 down: deregistered\n":
                self.assertIn(line, (UP, "S1 down: retrying\n"))
            self.end(example)
            self.tell("State registered")

    def test_it_ends_with_s1_down(self):
        self.tell("take", *READY)
        example = self.example(UP)
        example.send_signal(signal.SIGTERM)
        self.assert_says(example, "S1 down: this program ends\n", "")
        self.assertEqual(example.wait(SECONDS), 0)

    def test_without_the_bus_nothing_is_known(self):
        self.tell("take", *READY)
        example = self.example(UP)
        self.end(self.daemon)
        self.assert_says(example, "S1 down: this program ends\n", "")
        self.assertEqual(example.wait(SECONDS), 1)


class ExampleFiles(unittest.TestCase):
    def test_the_line_that_compiles_it(self):
        line = re.search(r"^ \*\s+(cc .*)$", (EXAMPLES / "s1-watch.c").read_text(encoding="utf-8"), re.M)[1]
        with tempfile.TemporaryDirectory() as folder:
            for path in EXAMPLES.glob("*.[ch]"):
                shutil.copy(path, folder)
            done = subprocess.run(["sh", "-c", line + " -Wextra -Werror"], cwd=folder, text=True, capture_output=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertTrue((Path(folder) / "s1-watch").exists())

    def test_unit(self):
        keys = re.findall(r"^(\w+)=(.*)$", (EXAMPLES / "s1-stack.service").read_text(encoding="utf-8"), re.M)
        for key in ("Wants", "After"):
            self.assertIn((key, "henb-wait-registered.service"), keys)
        self.assertFalse({key for key, _ in keys} & {"Requires", "Requisite", "BindsTo", "PartOf", "Upholds"})


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[4:])
