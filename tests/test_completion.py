#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""henbctl's completion in bash, as Tab has it: what it offers for which words, with a henbctl that has a small tree.
usage: test_completion.py HENBCTL [unittest's arguments]"""

import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

COMPLETION = Path(__file__).resolve().parent.parent / "dbus/ctl/henbctl.bash"
HENBCTL = sys.argv.pop(1)
TREE = ["Device.DeviceInfo.UpTime", "Device.ManagementServer.URL", "Device.ManagementServer.Username",
        "Device.Time.NTPServer1", "Device.Time.Enable", "Device.Services.FAPService.1.REM.LTE.Cell.1.RF.RSRP",
        "Device.Services.FAPService.1.REM.LTE.Cell.2.RF.RSRP", "Device.RootDataModelVersion"]
# A stand-in for `henbctl --names list PATH`, which says what it was asked for.
STAND_IN = """#!/bin/sh
echo "$@" >>"$(dirname "$0")/asked"
if [ -e "$(dirname "$0")/denied" ]; then echo "henbctl: the data model is for root and the group henb" >&2; exit 1; fi
grep -- "^$3" "$(dirname "$0")/tree"
"""
SCRIPT = """
compopt() { told+="$*"; }
set -u
source "$0"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) told=
_henbctl
echo "$told"
((${#COMPREPLY[@]})) && printf '%s\\n' "${COMPREPLY[@]}"
exit 0
"""


class Completion(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "henbctl").write_text(STAND_IN)
        (self.folder / "henbctl").chmod(0o755)
        (self.folder / "tree").write_text("\n".join(TREE) + "\n")

    def complete(self, line):
        """(what compopt was told, what is offered) for a line; its last word is the one Tab is pressed behind."""
        words = re.split(r" |(=)", f"henbctl {line}")  # "=" breaks words, COMP_WORDBREAKS says
        words = [word for index, word in enumerate(words) if word or (word == "" and index == len(words) - 1)]
        done = subprocess.run(["bash", "-c", SCRIPT, COMPLETION, *words], text=True, capture_output=True, check=True,
                              cwd=self.folder, env={"PATH": f"{self.folder}:/usr/bin:/bin"})
        self.assertEqual(done.stderr, "")
        options, *offered = done.stdout.splitlines()
        return options, sorted(offered)

    def offers(self, line, *wanted, options=""):
        self.assertEqual(self.complete(line), (options, sorted(wanted)), line)

    def test_verbs(self):
        text = subprocess.run([HENBCTL, "--help"], text=True, capture_output=True, check=True).stdout
        self.offers("", *re.findall(r"^  ([a-z][a-z-]+)", text, re.M))
        self.offers("t", "timeline", "tunnels")
        self.offers("--json st", "status")
        self.offers("--timeout=5 wa", "wait")
        self.offers("status ")
        self.offers("frobnicate ")

    def test_options(self):
        text = subprocess.run([HENBCTL, "--help"], text=True, capture_output=True, check=True).stdout
        self.offers("-", *(option.partition("=")[0] + "=" * ("=" in option)
                           for option in re.findall(r"(--[a-z]+=?)", text)))
        self.offers("timeline --s", "--svg")
        self.offers("status --s")
        self.offers("wait --t", "--timeout=", options="-o nospace")
        self.offers("wait --timeout=")
        self.offers("wait --timeout=1")

    def test_every_option_offered_is_taken(self):
        for verb in ("status", "timeline", "get", "wait"):
            for option in self.complete(f"{verb} --")[1]:
                done = subprocess.run([HENBCTL, verb, option + "1" * option.endswith("="), *["X"] * (verb == "get")],
                                      text=True, capture_output=True, check=False,
                                      env={"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nowhere"})
                self.assertNotEqual(done.returncode, 64, f"{verb} {option}: {done.stderr}")

    def test_parameters(self):
        top = ["Device.DeviceInfo.", "Device.ManagementServer.", "Device.RootDataModelVersion", "Device.Services.",
               "Device.Time."]
        self.offers("get ", *top)
        self.offers("list Dev", *top)
        self.offers("get Device.T", "Device.Time.", options="-o nospace")
        self.offers("list Device.Time.", "Device.Time.Enable", "Device.Time.NTPServer1")
        self.offers("get Device.Time.E", "Device.Time.Enable")
        self.offers("get Device.Time.Enable Device.R", "Device.RootDataModelVersion")
        self.offers("get Device.Services.FAPService.1.REM.LTE.Cell.", "Device.Services.FAPService.1.REM.LTE.Cell.1.",
                    "Device.Services.FAPService.1.REM.LTE.Cell.2.")
        self.offers("--names list Device.Nothing.")
        # Asked of the agent is only what lies below.
        self.assertEqual((self.folder / "asked").read_text().splitlines()[2], "--names list Device.")
        self.assertEqual((self.folder / "asked").read_text().splitlines()[3], "--names list Device.Time.")

    def test_set(self):
        self.offers("set Device.Time.E", "Device.Time.Enable=", options="-o nospace")
        self.offers("set Device.Time.Enable=")
        self.offers("set Device.Time.Enable=t")
        self.offers("set Device.Time.Enable=1 Device.RootD", "Device.RootDataModelVersion=", options="-o nospace")

    def test_denied(self):
        (self.folder / "denied").touch()
        self.offers("get Device.")

    def test_files(self):
        (self.folder / "agent conf").touch()
        self.offers("check-config a", "agent conf", options="-o filenames")


if __name__ == "__main__":
    unittest.main()
