#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What policy/50-henb-agent.rules gives, by the JavaScript interpreter that polkit has. usage: test_rules.py RULES"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

UNIT = "henb-install@0123456789abcdef.service"
MANAGE = "org.freedesktop.systemd1.manage-units"
CASES = [  # user ("member": somebody in the group henb), action, its details, granted
    ("henb", "org.freedesktop.login1.reboot", {}, True),
    ("henb", "org.freedesktop.login1.reboot-multiple-sessions", {}, True),
    ("henb", "org.freedesktop.login1.reboot-ignore-inhibit", {}, False),
    ("henb", "org.freedesktop.login1.power-off", {}, False),
    ("henb", "org.freedesktop.login1.set-reboot-parameter", {}, False),
    ("henb", "org.freedesktop.timesync1.set-runtime-servers", {}, True),
    ("henb", "org.freedesktop.timedate1.set-time", {}, False),
    ("henb", MANAGE, {"verb": "start", "unit": UNIT}, True),
    ("henb", MANAGE, {"verb": "stop", "unit": UNIT}, False),
    ("henb", MANAGE, {"verb": "start", "unit": "ssh.service"}, False),
    ("henb", MANAGE, {"verb": "start", "unit": "x" + UNIT}, False),
    ("henb", MANAGE, {"verb": "start", "unit": UNIT + "\n"}, False),
    ("henb", MANAGE, {"verb": "start", "unit": "henb-install@.service"}, False),
    ("henb", MANAGE, {"unit": UNIT}, False),
    ("henb", MANAGE, {}, False),
    ("henb", "org.freedesktop.systemd1.manage-unit-files", {"verb": "start", "unit": UNIT}, False),
    ("other", "org.freedesktop.login1.reboot", {}, False),
    ("other", "org.freedesktop.timesync1.set-runtime-servers", {}, False),
    ("other", MANAGE, {"verb": "start", "unit": UNIT}, False),
    ("member", MANAGE, {"verb": "start", "unit": UNIT}, False),
    ("member", "org.henb.agent1.reconnect", {}, True),
    ("member", "org.henb.agent1.inform", {}, True),
    ("member", "org.henb.agent1.reload", {}, True),
    ("member", "org.henb.agent1.deregister", {}, False),
    ("member", "org.henb.agent1.clear-deregistration", {}, False),
    ("member", "org.henb.agent1.inform2", {}, False),
    ("other", "org.henb.agent1.reconnect", {}, False),
]
PROGRAM = """
var rules = [], polkit = {Result: {YES: "yes", NOT_HANDLED: null}, addRule: function(f) { rules.push(f); }};
%s
print(JSON.stringify(%s.map(function(c) {
    var action = {id: c[1], lookup: function(key) { return c[2][key]; }};
    var subject = {user: c[0], isInGroup: function(group) { return c[0] === "member" && group === "henb"; }};
    return rules.some(function(f) { return f(action, subject) === "yes"; });
})));
"""

with tempfile.NamedTemporaryFile("w", suffix=".js") as program:
    program.write(PROGRAM % (Path(sys.argv[1]).read_text(), json.dumps(CASES)))
    program.flush()
    answers = json.loads(subprocess.run(["duk", program.name], check=True, capture_output=True).stdout)
wrong = [case for case, answer in zip(CASES, answers, strict=True) if case[3] != answer]
print("\n".join(f"wrong: {case}" for case in wrong) or f"{len(CASES)} cases")
sys.exit(1 if wrong else 0)
