#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the S1 stack's stand-in (lab/s1-stack.c) on a private bus, with a puppet for the agent.

    test_s1_stack.py S1-STACK FAKE-AGENT

What it waits for is tested here, and that it tries the MMEs in their order; the association itself needs the
tunnel's interface and is tested in the guest.
"""

import os
import subprocess
import sys
import tempfile
import unittest

STACK, AGENT = sys.argv[1:3] if len(sys.argv) > 2 else ("", "")
SECONDS = 30
CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={}/bus</listen><auth>EXTERNAL</auth><policy context="default">
<allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_destination="*"/>
<allow receive_sender="*"/></policy></busconfig>
"""
READY = ("InnerAddresses 10.64.0.1", "Mme mme.operator.example 36412 10.0.0.20", "State registered")


class S1Stack(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        config = folder.name + "/bus.conf"
        with open(config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(folder.name))
        bus = self.start(["dbus-daemon", "--nofork", "--print-address", "--config-file", config])
        self.environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": bus.stdout.readline().strip()}
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

    def stack(self, *options):
        return self.start([STACK, "--timeout", str(SECONDS), *options])

    def assert_tries(self, stack):
        self.assertRegex(stack.stdout.readline(), "^no association 10.64.0.1 -> 10.0.0.20 port 36412: ")
        self.assertRegex(stack.stdout.readline(), "^no association with any MME: ")

    def test_agent_already_registered(self):
        self.tell("take", *READY)
        stack = self.stack()
        self.assert_tries(stack)
        self.assertEqual(stack.wait(SECONDS), 1)

    def test_agent_comes_later(self):
        stack = self.stack("--watch")
        self.tell("take", "State registering", *READY)
        self.assertRegex(stack.stdout.readline(), "^there: registered, MME mme.operator.example port 36412")
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

    def test_locked_is_said_once_and_waited_for(self):
        self.tell("take", "AdminState 0", *READY)
        stack = self.stack()
        self.assertEqual(stack.stdout.readline(), "AdminState is false: waiting\n")
        self.tell("TunnelInterface henb1", "AdminState 1")
        self.assert_tries(stack)
        self.assertEqual(stack.wait(SECONDS), 1)

    def test_nothing_without_registered_or_without_mme(self):
        for lines, reason in (((*READY, "State retrying"), "retrying"), ((*READY, "Mme"), "Mme is empty"),
                              (("drop",), "the agent is not on the bus")):
            with self.subTest(reason):
                self.tell("take", *lines)
                stack = self.start([STACK, "--timeout", "1"])
                self.assertEqual(stack.stdout.read(), f"no association in time: {reason}\n")
                self.assertEqual(stack.wait(SECONDS), 1)
                self.tell("drop") if "drop" not in lines else None

    def test_watch_says_each_loss_and_return(self):
        self.tell("take", *READY)
        stack = self.stack("--watch")
        there = "there: registered, MME mme.operator.example port 36412\n"
        self.assertEqual(stack.stdout.readline(), there)
        self.assert_tries(stack)
        for lose, regain, loss in (("State retrying", "State registered", "retrying"),
                                   ("drop", "take", "the agent is not on the bus"),
                                   ("AdminState 0", "AdminState 1", "AdminState is false"),
                                   ("Mme", READY[1], "Mme is empty")):
            self.tell(lose)
            self.assertEqual(stack.stdout.readline(), f"lost: {loss}\n")
            if lose == "AdminState 0":
                self.assertEqual(stack.stdout.readline(), "AdminState is false: waiting\n")
            self.tell(regain)
            self.assertEqual(stack.stdout.readline(), there)
            self.assert_tries(stack)
        self.tell("Mme mme.operator.example 36412 10.0.0.20 10.0.0.21")
        self.assertEqual(stack.stdout.readline(), "lost: Mme, inner address or interface have changed\n")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
