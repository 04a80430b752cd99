# SPDX-License-Identifier: GPL-3.0-or-later
"""henbctl as an engineer uses it, without privileges to look and as root to act; and the unit that waits."""

import contextlib
import json
import os
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import agent as henb
import places
from bus import job, manager, unit_property
from contents import acs, s1
from machine import RUN, expect, run, wait_for
from scenario import scenario
from steps import FAILURE, mme_list, ping, properties, tunnels_made

ENGINEER = "engineer"  # in the group henb
WAIT_UNIT = "henb-wait-registered.service"
STACK = "lab-stack.service"
STARTED = RUN / "stack-started"
# As a stack's unit has it. What it writes is what the bus says when it starts.
STACK_UNIT = f"""[Unit]
Wants={WAIT_UNIT}
After={WAIT_UNIT}
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'busctl get-property {henb.BUS} {henb.OBJECT} {henb.INTERFACE} State >{STARTED}'
"""


def henbctl(*words, user=None, status=0, environment=None):
    """Runs it as *user*; (standard output, standard error) of a run that ends with *status*."""
    done = subprocess.run([*(["runuser", "-u", user, "--"] if user else []), "henbctl", *words], text=True,
                          capture_output=True, timeout=120, env={**os.environ, **(environment or {})})
    expect(done.returncode == status, f"henbctl {' '.join(words)} by {user or 'root'}: status {done.returncode}, not "
                                      f"{status}: {done.stdout}{done.stderr}")
    return done.stdout, done.stderr


def says(words, *texts, **more):
    output = "".join(henbctl(*words.split(), **more))
    for text in texts:
        expect(text in output, f"henbctl {words} does not say {text!r} but {output!r}")


def parsed(words, **more):
    return json.loads(henbctl("--json", *words.split(), **more)[0])


def looks(lab):
    """Everything that can be read, as nobody."""
    inner = lab.agent.get("InnerAddresses")[0]
    says("status", "henb-agent - registered\n", "5.1.3", places.MME, places.SEGW, inner, user="nobody")
    says("", "henb-agent - registered\n", user="nobody")
    says("tunnels", "ESP in ", inner, "Packets: ", user="nobody")
    says("session", "Session: succeeded ", "Next: in ", user="nobody")
    says("timeline", "Registration completed, ", "Establish the IPsec tunnel to the Serving SeGW", user="nobody")
    svg = ElementTree.fromstring(henbctl("timeline", "--svg", user="nobody")[0])
    expect(len(svg.findall("{*}rect[@class='done']")) >= 4, "the picture has no steps")
    tree = parsed("status", user="nobody")
    expect(tree["agent"]["State"] == "registered" and tree["agent"]["Mme"] == mme_list(places.MME), f"status: {tree}")
    tunnel = parsed("tunnels", user="nobody")[0]
    expect(tunnel["Up"] and tunnel["PacketsIn"] > 0 and tunnel["BytesIn"] > 0, f"tunnels: {tunnel}")
    expect(parsed("session", user="nobody")["LastOutcome"] == "succeeded", "session: no success")
    expect({step["outcome"] for step in parsed("timeline", user="nobody")} == {"done"}, "timeline: a step is not done")
    narrow = henbctl("status", user="nobody", environment={"COLUMNS": "40", "LC_ALL": "C", "SYSTEMD_COLORS": "0"})[0]
    expect(max(map(len, narrow.splitlines())) <= 40 and narrow.isascii(), f"wider than 40 columns: {narrow}")


def reads_parameters():
    denied = "henbctl: the data model is for root and the group henb\n"
    says("list Device.ManagementServer.", denied, user="nobody", status=1)
    says("set Device.FAP.GPS.LockedLatitude=1", "henbctl: ", user="nobody", status=1)
    url = f"http://{places.HEMS_NAME}:{places.HEMS_PORT}/"
    says("list Device.ManagementServer.", f"Device.ManagementServer.URL={url}\n", user=ENGINEER)
    says("get Device.ManagementServer.URL", f"Device.ManagementServer.URL={url}\n", user=ENGINEER)
    says("get Device.None", "henbctl: Device.None: there is no such parameter\n", status=1)
    tree = parsed("get Device.ManagementServer.URL", user=ENGINEER)
    expect(tree["Device.ManagementServer.URL"]["value"] == url, f"get: {tree}")
    names = henbctl("--names", "list", user=ENGINEER)[0].splitlines()
    expect(len(names) > 100 and all(name.startswith("Device.") for name in names), "list of all names")
    script = "source /usr/share/bash-completion/completions/henbctl; COMP_CWORD=2; " \
             "COMP_WORDS=(henbctl get Device.ManagementServer.UR); _henbctl; printf '%s\\n' \"${COMPREPLY[@]}\""
    expect(run("runuser", "-u", ENGINEER, "--", "bash", "-c", script) == "Device.ManagementServer.URL\n", "completion")


def sets_parameters(lab):
    henb.owners_may()
    says("set Device.FAP.GPS.LockedLatitude=59330000 Device.FAP.GPS.LockedLongitude=18060000")
    seen = lab.agent.parameters("Device.FAP.GPS.LockedLatitude")
    expect(seen == {"Device.FAP.GPS.LockedLatitude": "59330000"}, f"set: {seen}")
    says("set Device.FAP.GPS.LockedLatitude=north", "henbctl: Device.FAP.GPS.LockedLatitude: ", status=1)
    says("set Device.ManagementServer.URL=http://evil.example/", "it belongs to nobody", status=1)
    lab.agent.report({"Device.FAP.GPS.LockedLatitude": "1"})  # its owner runs from now on
    says("set Device.FAP.GPS.LockedLatitude=2", f"it belongs to {henb.OWNER}, which runs", status=1)


@contextlib.contextmanager
def engineer():
    run("useradd", "--no-create-home", "--groups", "henb", ENGINEER)
    try:
        yield
    finally:
        run("userdel", ENGINEER)


def monitored(lab):
    """The states that a monitor has told of."""
    changes = [json.loads(line) for line in lab.boxes.log("monitor").splitlines()]
    return [one["changed"]["State"] for one in changes if "State" in one.get("changed", {})]


# A box that was out of service begins with 0 BOOTSTRAP again.
@scenario("henbctl", "what henbctl tells nobody and an engineer, and does for root",
          hems=acs(*s1(), allow=["INFORM-BOOTSTRAP"]))
def henbctl_works(lab):
    says("status", "henb-agent - not running\n", user="nobody", status=3)
    says("session", "henbctl: the agent is not running\n", user="nobody", status=3)
    says("wait --timeout=1", "henbctl: not registered in time\n", user="nobody", status=1)
    says("check-config", "/etc/henb-agent/agent.conf: ok\n", user="nobody")
    lab.boxes.spawn("monitor", None, "runuser", "-u", "nobody", "--", "henbctl", "--json", "monitor")
    wait_for("the monitor", lambda: '"running":false' in lab.boxes.log("monitor"))
    lab.boxes.spawn("waiting", None, "runuser", "-u", "nobody", "--", "henbctl", "wait")
    lab.agent.start()
    lab.agent.registered()
    expect(lab.boxes.children["waiting"].wait(30) == 0, f"henbctl wait: {lab.boxes.log('waiting')}")
    ping()
    with engineer():
        looks(lab)
        reads_parameters()
        says("reconnect", "henbctl: ", user="nobody", status=1)
        says("deregister", "henbctl: ", user=ENGINEER, status=1)
        sets_parameters(lab)
        before = len(lab.boxes.informs())
        says("inform", user=ENGINEER)
        wait_for("the session that was asked for", lambda: len(lab.boxes.informs()) == before + 1, FAILURE)
        expect("2 PERIODIC" in lab.boxes.informs()[-1], f"the Informs: {lab.boxes.informs()}")
    mark = lab.agent.mark()
    says("reconnect")
    lab.agent.wait("State", "registered", FAILURE, mark)
    expect(tunnels_made(lab, "segw") == 2, "no new tunnel")
    ping()
    says("deregister")
    properties(lab, State="deregistered", Mme=[])
    says("status", "henb-agent - deregistered\n", "Tunnel: down\n", user="nobody")
    says("inform", "henbctl: ", status=1)
    says("wait --timeout=1", "henbctl: not registered in time\n", status=1)
    says("clear-deregistration")
    says("clear-deregistration", "henbctl: ", status=1)
    lab.agent.registered(FAILURE)
    says("wait", user="nobody")
    says("reload")
    states = monitored(lab)
    rest = iter(states)
    for state in ("discovering", "registered") * 2 + ("deregistered", "discovering", "registered"):
        expect(state in rest, f"the monitor has told of {states}")
    lab.agent.stop()
    wait_for("the monitor to tell", lambda: lab.boxes.log("monitor").count('"running":false') == 2)


@scenario("wait-registered", "a unit with Wants= and After= on henb-wait-registered.service starts once registered",
          uplink=False)
def wait_registered(lab):
    STARTED.unlink(missing_ok=True)
    path = Path("/run/systemd/system") / STACK
    path.write_text(STACK_UNIT)
    run("systemctl", "daemon-reload")
    try:
        expect(job("StartUnit", WAIT_UNIT) == "dependency", "it waits for an agent that does not run")
        lab.agent.start()
        lab.agent.wait("State", "waiting-network")
        manager("StartUnit", STACK, "replace")
        wait_for("the unit to wait", lambda: unit_property(WAIT_UNIT, "ActiveState") == "activating")
        expect(unit_property(STACK, "ActiveState") == "inactive" and not STARTED.exists(), "the stack did not wait")
        lab.boxes.uplink()
        lab.agent.registered(FAILURE)
        wait_for("the stack", lambda: unit_property(STACK, "ActiveState") == "active", 30)
        expect(STARTED.read_text() == 's "registered"\n', f"at the stack's start State was {STARTED.read_text()}")
        expect(unit_property(WAIT_UNIT, "ActiveState") == "active", f"{WAIT_UNIT} is not active")
        lab.agent.stop()
        wait_for("it to go down with the agent", lambda: unit_property(WAIT_UNIT, "ActiveState") == "inactive")
    finally:
        for unit in (STACK, WAIT_UNIT):
            job("StopUnit", unit)
        path.unlink()
        run("systemctl", "daemon-reload")
