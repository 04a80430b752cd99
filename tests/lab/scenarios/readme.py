# SPDX-License-Identifier: GPL-3.0-or-later
"""The session that README.md shows, on a box."""

import os
import subprocess

import readme
from contents import acs, periodic, s1
from machine import expect
from scenario import scenario
from steps import FAILURE, ping, up
import places


def played(command):
    """What a person sees of a command in a terminal of 110 columns."""
    done = subprocess.run(command, shell=True, text=True, capture_output=True, timeout=FAILURE,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "COLUMNS": "110"})
    expect(done.returncode == 0, f"{command}: status {done.returncode}: {done.stderr}")
    return done.stdout.splitlines()


@scenario("readme", "each command of README.md's session prints what README.md shows; session.txt has it",
          hems=acs(*s1(places.MME_NAME), *periodic(86400)))
def session(lab):
    up(lab)
    lab.agent.wait_journal("TR-069 session ended", 30)
    ping()
    shown = readme.session()
    with open(lab.logs / "session.txt", "w", encoding="utf-8") as file:
        for command, _ in shown:
            print(f"$ {command}", *played(command), sep="\n", file=file)
    for command, lines in shown:
        seen = played(command)
        kinds = readme.kinds(command, seen)
        absent = [kind for kind in readme.kinds(command, lines) if kind not in kinds]
        expect(lines and not absent, f"{command} does not print {absent}, but\n" + "\n".join(seen))
