# SPDX-License-Identifier: GPL-3.0-or-later
"""systemctl reload: what runs takes what it can and the tunnel stays; for the rest all begins again in the same
process. It returns when that is done, and fails when it was refused."""

import re
import subprocess

import agent as henb
import places
from contents import CUT_OFF, URL_SERVING, acs, s1
from machine import expect, run, wait_for
from scenario import scenario
from steps import FAILURE, URL, ping, properties, tunnels_made, up

from .longlived import RELOAD_RATE, flows, one_pair, spis

CONF, DROPINS = henb.CONFIG / "agent.conf", henb.CONFIG / "agent.conf.d"
NOTHING = "reload: nothing has changed"
WATCHDOG = "WatchdogTimestampMonotonic"
# The agent feeds systemd's watchdog at least that often, with WatchdogSec=60s.
FED = 60


def reload_unit():
    """(succeeded, what it said)"""
    done = subprocess.run(["systemctl", "reload", henb.UNIT], text=True, capture_output=True, timeout=120)
    return done.returncode == 0, done.stderr


def reloaded():
    good, said = reload_unit()
    expect(good, f"systemctl reload: {said}")


def dropin(name, text):
    DROPINS.mkdir(exist_ok=True)
    (DROPINS / name).write_text(text)


def times(lab, line):
    return lab.agent.journal().count(line)


class Box:
    """What a reload must leave as it is."""

    def __init__(self, lab):
        self.lab, self.pid, self.tunnels = lab, lab.agent.pid(), tunnels_made(lab, "segw")
        self.spis, self.changes = spis(lab), len(lab.agent.watch.changes)
        self.unit = lab.agent.unit("ActiveState", "SubState", "StatusText")
        expect(self.unit["ActiveState"] == "active" and self.unit["SubState"] == "running", f"the unit: {self.unit}")

    def same_process(self):
        expect(self.lab.agent.pid() == self.pid, "another process runs")
        seen = self.lab.agent.unit(*self.unit, "NRestarts")
        expect(seen == {**self.unit, "NRestarts": "0"}, f"the unit is {seen}, was {self.unit}")

    def untouched(self):
        """The same SAs, and nobody at the bus has seen anything."""
        self.same_process()
        expect(spis(self.lab) == self.spis, "the SAs are others")
        expect(tunnels_made(self.lab, "segw") == self.tunnels, "it has authenticated anew")
        told = [values for _, _, values in self.lab.agent.watch.changes[self.changes:] if "State" in values]
        expect(not told, f"told on the bus: {told}")
        properties(self.lab, State="registered")
        ping()


def refused(lab, box, name, text, where):
    """Such a drop-in keeps all as it is, and is named by whoever asked for the reload."""
    dropin(name, text)
    good, said = reload_unit()
    expect(not good, "systemctl reload takes what cannot be used")
    expect(henb.UNIT in said, f"systemctl reload says {said}")
    lab.agent.wait_journal(re.escape(f"reload refused, nothing has changed: {DROPINS}/{name}:{where}"))
    answer = lab.agent.call("Reload")
    expect(answer and f"{DROPINS}/{name}:{where}" in answer, f"the bus answers {answer}")
    box.untouched()
    (DROPINS / name).unlink()


def signalled(lab):
    """SIGHUP does the same, and systemd sees the end of it."""
    before = times(lab, NOTHING)
    run("systemctl", "kill", "--kill-who=main", "--signal=HUP", henb.UNIT)
    wait_for("the reload by a signal", lambda: times(lab, NOTHING) == before + 1, 30)
    wait_for("the unit to be active again", lambda: lab.agent.unit("ActiveState") == {"ActiveState": "active"}, 30)


def fed(lab):
    before = lab.agent.unit(WATCHDOG)
    wait_for("systemd's watchdog to be fed", lambda: lab.agent.unit(WATCHDOG) != before, FED)


@scenario("reload", "systemctl reload without a change, with another log level, with what cannot be used, by a signal: "
          "the tunnel is not touched")
def reload_keeps(lab):
    up(lab)
    box = Box(lab)
    reloaded()
    lab.agent.wait_journal(NOTHING)
    box.untouched()

    dropin("50-level.conf", "[Log]\nLevel=info\n")
    reloaded()
    lab.agent.wait_journal(r"reload: in force from now on: \[Log\] Level=")
    level = run("systemctl", "service-log-level", henb.UNIT).strip()
    expect(level == "info", f"the log level is {level}")
    box.untouched()

    refused(lab, box, "60-pfs.conf", "# no such word\n[IPsec]\nPFS=perhaps\n", "3: [IPsec] PFS=: ")
    refused(lab, box, "60-ca.conf", f"[Trust]\nCA={henb.CONFIG}/henb-key.pem\n", "2: [Trust] CA=")
    signalled(lab)
    box.untouched()
    fed(lab)


@scenario("reload-again", "systemctl reload with another HeMS: the tunnel goes, registered with that one by the same "
          "process; with an interface that is not ours: goes on as before", hems=acs(*s1(), allow=CUT_OFF),
          private_names={places.HEMS_NAME: [places.HEMS], places.HEMS_SERVING_NAME: [places.HEMS],
                         places.MME_NAME: [places.MME]})
def reload_again(lab):
    up(lab)
    box = Box(lab)
    properties(lab, HeMS=URL)
    dropin("60-hems.conf", f"[Serving]\nHeMS={places.HEMS_SERVING_NAME}\n")
    reloaded()
    lab.agent.wait_journal(r"reload: what runs cannot take another \[Serving\] HeMS=")
    expect(not box.spis & spis(lab), "SAs of before are still there")
    lab.agent.registered(FAILURE)
    properties(lab, HeMS=URL_SERVING, LastError="")
    whole(lab, box, 2)
    fed(lab)

    dropin("70-interface.conf", "[Network]\nTunnelInterface=uplink\n")
    expect(lab.agent.call("Reload") is None, "the bus refuses what it cannot know")
    lab.agent.wait_journal(r"70-interface\.conf:2: \[Network\] TunnelInterface=uplink: an interface of this name exists")
    lab.agent.wait_journal("the agent goes on with the previous one")
    lab.agent.registered(FAILURE)
    properties(lab, HeMS=URL_SERVING)
    whole(lab, box, 3)


def whole(lab, box, tunnels):
    """Registered anew, and nothing is left of before."""
    box.same_process()
    one_pair(lab)
    expect(tunnels_made(lab, "segw") == tunnels, f"{tunnels_made(lab, 'segw')} IKE SAs, not {tunnels}")
    expect(len(lab.boxes.segw_sas()) == 1, "the SeGW has an IKE SA of before")
    ping()


@scenario("reload-certificate", "a renewed certificate under another name, by a drop-in: authenticated anew with it, "
          "make before break")
def reload_certificate(lab):
    up(lab)
    box = Box(lab)
    renewed = henb.CONFIG / "henb-2.pem"

    def renew():
        renewed.write_bytes((henb.CERTIFICATES / "henb-renewed.pem").read_bytes())
        lab.agent.certificate("renewed")
        dropin("50-renewed.conf", f"[Trust]\nCertificate={renewed}\n")
        reloaded()
        wait_for("another IKE SA", lambda: tunnels_made(lab, "segw") == box.tunnels + 1, FAILURE)
    flows(lab, renew, RELOAD_RATE, authenticates=True)
    one_pair(lab)
    box.same_process()
    properties(lab, State="registered")
    again = Box(lab)
    reloaded()
    lab.agent.wait_journal(NOTHING)
    again.untouched()
