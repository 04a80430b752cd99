# SPDX-License-Identifier: GPL-3.0-or-later
"""henb-agentd as an operator's engineer meets it: its configuration, systemd, D-Bus, the journal, the kernel."""

import configparser
import contextlib
import json
import os
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path

import places
from bus import Bus, BusError, Journal, bus, job, kill_unit, manager, unit_property
from machine import CERTIFICATES, Failure, run, wait_for

UNIT = "henb-agent.service"
BUS, OBJECT, INTERFACE = "org.henb.Agent1", "/org/henb/Agent1", "org.henb.Agent1"
PROPERTIES = "org.freedesktop.DBus.Properties"
CONFIG, STATE = Path("/etc/henb-agent"), Path("/var/lib/henb-agent")
ID = 32593  # XFRM if_id and reqid, routing table, priority of rules and policies
TUNNEL = "henb0"
RULES = 8  # of ours in a family: no more than this
STATES = {"idle", "waiting-network", "discovering", "registering", "registered-without-mme", "registered", "retrying",
          "deregistered", "failed-config"}
FACTORY = {
    "Identity": {"Manufacturer": "Example", "OUI": "00A0BC", "ProductClass": "HeNB", "SerialNumber": "000001"},
    "Serving": {"SeGW": places.SEGW_NAME, "HeMS": places.HEMS_NAME},
    "Trust": {"CA": f"{CONFIG}/ca.pem", "Certificate": f"{CONFIG}/henb.pem", "Key": f"{CONFIG}/henb-key.pem"},
    "Network": {"PublicDNS": places.PUBLIC_DNS},
    "Owners": {"Device.FAP.GPS.": "org.example.Location", "Device.Services.FAPService.1.REM.": "org.example.Location"},
    "Log": {"Level": "debug"},
}
OWNER = "org.example.Location"  # whom report() speaks for
OWNER_POLICY = Path("/etc/dbus-1/system.d/org.example.conf")  # what the bus has to allow owners
OWNER_POLICY_TEXT = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><policy user="root"><allow own_prefix="org.example"/></policy></busconfig>
"""
# Registering takes a few round trips; what takes time in the guest is its emulated processor.
REGISTER_SECONDS = 90
FAILURE_SECONDS = 120


def owners_may():
    """The bus lets daemons of the box take their names."""
    if not OWNER_POLICY.exists():
        OWNER_POLICY.parent.mkdir(parents=True, exist_ok=True)
        OWNER_POLICY.write_text(OWNER_POLICY_TEXT)
        bus().call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "ReloadConfig")


class Watch(threading.Thread):
    """Every PropertiesChanged of the agent, in order, as anybody on the bus gets it."""

    def __init__(self, log):
        super().__init__(daemon=True)
        self.log = log
        self.changes = []  # (monotonic time, sender, {property: value})
        self.listeners = []
        self.ending = False
        self.bus = Bus()
        self.bus.match(f"type='signal',interface='{PROPERTIES}',member='PropertiesChanged',path='{OBJECT}'")
        self.start()

    def run(self):
        while not self.ending:
            seen = self.bus.signal(0.5)
            if seen is None or seen[2] != "PropertiesChanged" or seen[1] != OBJECT:
                continue
            sender, _, _, (name, values, _) = seen
            self.log.write(json.dumps([round(time.monotonic(), 3), sender, name, values]) + "\n")
            self.log.flush()
            if name != INTERFACE:
                continue
            self.changes.append((time.monotonic(), sender, values))
            for listener in self.listeners:
                listener(values)

    def stop(self):
        self.ending = True
        self.join(10)
        self.bus.close()
        self.log.close()

    def states(self):
        return [values["State"] for _, _, values in self.changes if "State" in values]

    def moments(self):
        """What readers of the bus saw after each change: {property: value}."""
        known, moments = {}, []
        for _, sender, values in list(self.changes):
            known.setdefault(sender, {}).update(values)
            moments.append(dict(known[sender]))
        return moments

    def check(self):
        """What has to be true of every change the agent ever publishes."""
        known = {}  # sender -> {property: value}
        for _, sender, values in self.changes:
            before = known.setdefault(sender, {})
            for name, value in values.items():
                if name in before and before[name] == value:
                    raise Failure(f"PropertiesChanged names {name}, which did not change: {value!r}")
            before.update(values)
            state, mme = before.get("State"), before.get("Mme")
            if state is not None and state not in STATES:
                raise Failure(f"unknown State {state!r}")
            if mme and state not in ("registered", None):
                raise Failure(f"Mme {mme!r} in State {state}")


class Agent:
    def __init__(self, logs):
        self.logs = logs
        self.messages = None
        self.watch = None
        self.owner = None
        self.begun = 0  # the change the last start() came before

    # Factory data, and running.

    def configure(self, device, overrides):
        """Writes factory data: FACTORY with *overrides* {section: {key: value or None} or None}, certificates of
        *device*."""
        shutil.rmtree(CONFIG / "agent.conf.d", ignore_errors=True)
        (CONFIG / "agent.conf.d").mkdir(parents=True)  # the package's
        config = configparser.ConfigParser(interpolation=None)
        config.optionxform = str
        for section in {**FACTORY, **overrides}:
            if section in overrides and overrides[section] is None:
                continue
            values = {**FACTORY.get(section, {}), **overrides.get(section, {})}
            config[section] = {key: value for key, value in values.items() if value is not None}
        with open(CONFIG / "agent.conf", "w", encoding="utf-8") as file:
            config.write(file, space_around_delimiters=False)
        for name in ("ca.pem", "crl.pem"):
            shutil.copy(CERTIFICATES / name, CONFIG / name)
        self.certificate(device)

    def certificate(self, device):
        """Another certificate and key, as a renewal puts them there."""
        shutil.copy(CERTIFICATES / f"henb-{device}.pem", CONFIG / "henb.pem")
        shutil.copy(CERTIFICATES / f"henb-{device}-key.pem", CONFIG / "henb-key.pem")
        (CONFIG / "henb-key.pem").chmod(0o400)
        shutil.chown(CONFIG / "henb-key.pem", "henb")

    @staticmethod
    def credential(path, text):
        """A file with secrets that only root and the agent may read."""
        path.write_text(text)
        path.chmod(0o640)
        shutil.chown(path, group="henb")

    def watch_begin(self):
        self.journal_begin()
        self.watch = Watch(open(self.logs / "bus.log", "w", encoding="utf-8"))

    def watch_end(self):
        if self.owner:
            self.owner.close()
            self.owner = None
        if self.watch:
            self.watch.stop()
        if self.messages:
            self.messages.close()

    def journal_begin(self):
        """From here on journal() tells what is new."""
        if self.messages:
            self.messages.close()
        self.messages = Journal(UNIT)

    def start(self, wait=True):
        """Starts the unit; with *wait* until systemd calls it started."""
        self.begun = len(self.watch.changes) if self.watch else 0
        self.reset_failed()
        if not wait:
            manager("StartUnit", UNIT, "replace")
            return
        result = job("StartUnit", UNIT)
        if result != "done":
            raise Failure(f"systemd starts {UNIT}: {result}")

    def stop(self):
        result = job("StopUnit", UNIT, 30)
        if result != "done":
            raise Failure(f"systemd stops {UNIT}: {result}")

    def crash(self):
        """kill -9, and systemd does not start it again."""
        with contextlib.suppress(BusError):
            kill_unit(UNIT)
        job("StopUnit", UNIT)

    def reset_failed(self):
        with contextlib.suppress(BusError):  # a unit that is not loaded has not failed
            manager("ResetFailedUnit", UNIT)

    def unit(self, *properties):
        """Properties of the unit: a dictionary of texts."""
        return {name: str(unit_property(UNIT, name)) for name in properties}

    def pid(self):
        return unit_property(UNIT, "MainPID")

    def journal(self):
        return "\n".join(self.messages.lines())

    def wait_journal(self, pattern, timeout=60):
        """The first line of this scenario's journal that matches."""
        found = []

        def look():
            found[:] = [line for line in self.journal().splitlines() if re.search(pattern, line, re.IGNORECASE)]
            return found
        wait_for(f"the journal to say /{pattern}/", look, timeout)
        return found[0]

    # D-Bus.

    def get(self, name):
        """A property; None while the agent is not on the bus."""
        try:
            return bus().call(BUS, OBJECT, PROPERTIES, "Get", INTERFACE, name)[0]
        except BusError:
            return None

    def call(self, method, *arguments, user=None, interface=INTERFACE, timeout=60):
        """Calls a method of the agent, as *user*; None if it was done, else the error as busctl says it."""
        done = subprocess.run([*(["runuser", "-u", user, "--"] if user else []), "busctl", f"--timeout={timeout}", "--", "call", BUS,
                               OBJECT, interface, method, *map(str, arguments)], text=True, capture_output=True,
                              timeout=timeout + 30)
        return (done.stderr.strip() or f"status {done.returncode}") if done.returncode else None

    def report(self, values):
        """The daemon of the box that knows where it is tells parameters, {path: value}; None if they were taken, else
        the error."""
        if not self.owner:
            owners_may()
            self.owner = Bus()
            self.owner.own(OWNER)
        try:
            self.owner.call(BUS, OBJECT, f"{INTERFACE}.Parameters", "Report", list(values.items()))
        except BusError as error:
            return str(error)
        return None

    def parameters(self, *names):
        """What Parameters.Get tells root of names and partial paths: {name: value}."""
        with contextlib.closing(Bus()) as client:
            return {name: value for name, _, value in client.call(BUS, OBJECT, f"{INTERFACE}.Parameters", "Get", list(names))[0]}

    def mark(self):
        """A moment that wait() can look back to: the number of the next change."""
        return len(self.watch.changes)

    def wait(self, name, wanted, timeout=REGISTER_SECONDS, since=None):
        """Waits until the property has the value, or wanted(value) is true; returns the value. What the watch has
        recorded since the call, or since mark(), counts as well: a value may be gone before it is asked for."""
        fits = wanted if callable(wanted) else lambda value: value == wanted
        begin = self.mark() if since is None else since
        seen, asked = [None], []

        def look():
            told = [values[name] for _, _, values in self.watch.changes[begin:] if name in values and fits(values[name])]
            if told:
                seen[:] = told[:1]
            elif not asked or time.monotonic() > asked[-1] + 0.5:
                asked[:] = [time.monotonic()]
                seen[:] = [self.get(name)]
            return seen[0] is not None and fits(seen[0])
        try:
            wait_for(name, look, timeout, 0.02)
        except Failure:
            state = {key: self.get(key) for key in ("State", "Step", "Clause", "LastError")}
            raise Failure(f"{name} is {seen[0]!r} after {timeout} s, wanted "
                          f"{'something else' if callable(wanted) else repr(wanted)}; {state}") from None
        return seen[0]

    def registered(self, timeout=REGISTER_SECONDS):
        self.wait("State", "registered", timeout)

    def has_registered(self, timeout=REGISTER_SECONDS):
        """Registered at any moment since start(): for what has a HeMS that ends it soon."""
        self.wait("State", "registered", timeout, self.begun)

    def failed(self, pattern, state="retrying", timeout=FAILURE_SECONDS):
        """Waits until *state* and a LastError that matches *pattern* were published together, with an empty Mme."""
        matches = re.compile(pattern, re.IGNORECASE)

        def look():
            moments = [*self.watch.moments(), {key: self.get(key) for key in ("State", "LastError", "Mme")}]
            return [one for one in moments if one.get("State") == state and matches.search(one.get("LastError") or "")]
        try:
            moment = wait_for("the failure", look, timeout, 0.1)[0]
        except Failure:
            errors = [values["LastError"] for _, _, values in self.watch.changes if "LastError" in values]
            raise Failure(f"no {state} with LastError /{pattern}/ in {timeout} s; states {self.watch.states()}, "
                          f"errors {errors}") from None
        if moment.get("Mme"):
            raise Failure(f"Mme is not empty in {state}")
        return moment

    # The kernel.

    def no_tunnel(self, when=lambda: True):
        """No SA, larval SA or tunnel policy of ours; *when* says whether the moment counts (not in a new attempt)."""
        seen = []

        def look():
            before = when()
            seen[:] = tunnel_leftovers()
            return before and when() and not seen
        try:
            wait_for("a clean kernel", look, 30, 0.5)
        except Failure:
            raise Failure("left in the kernel: " + " | ".join(seen)) from None

    def tunnel(self):
        """Failure unless SAs, policies, link, rules and routes are what a tunnel needs."""
        inner = self.inner()
        seen = kernel(inner)
        _, sas, rules = seen
        ours = [text for text in sas if f"reqid {ID} " in text]
        if len(ours) != 2 or not all("proto esp" in text and "mode tunnel" in text for text in ours):
            raise Failure(f"not one SA each way with our reqid: {ours}")
        if not all(f"if_id {ID:#x}" in text for text in ours):
            raise Failure(f"SAs without our if_id: {ours}")
        for direction in ("in", "out"):
            if not any(f"dir {direction} priority {ID} " in text and f"if_id {ID:#x}" in text for text in rules):
                raise Failure(f"no policy {direction} with our priority and if_id: {rules}")
        self.guard(inner, seen)

    def inner(self):
        """The inner address, or the one it is going to have."""
        return (self.get("InnerAddresses") or [places.INNER])[0]

    def whole_or_none(self):
        """Failure unless there is one whole tunnel or nothing of one: no larval SA, no half."""
        if tunnel_leftovers():
            self.tunnel()

    def guard(self, inner=None, seen=None):
        """Failure unless what keeps inner traffic inside is there: it outlives the tunnel."""
        inner = inner or self.inner()
        bits, word = (128, "inet6") if ":" in inner else (32, "inet")
        text, _, rules = seen or kernel(inner)
        lines = text.splitlines()
        if not re.search(rf"^\d+: {TUNNEL}[@:]", text) or "xfrm" not in text or f"if_id {ID:#x}" not in text:
            raise Failure(f"{TUNNEL} is no XFRM interface of ours: {text}")
        if f"{word} {inner}/{bits}" not in text:
            raise Failure(f"{inner} is not on {TUNNEL}")
        ours = [line for line in lines if line.startswith(f"{ID}:")]
        for wanted in (f"oif {TUNNEL}", f"from {inner}"):
            if not any(wanted in line and f"lookup {ID}" in line for line in ours):
                raise Failure(f"no rule '{wanted}': {ours}")
        if not any(line.startswith("unreachable default") for line in lines):
            raise Failure(f"table {ID} does not end in unreachable: {text}")
        blocks = [text for text in rules if "action block" in text and "dir in" in text]
        if not any(f"dst {inner}/{bits}" in text and "if_id" not in text for text in blocks):
            raise Failure(f"no block policy guards {inner}: {blocks}")

    def forget(self):
        """Takes the agent off the box with all it leaves: unit stopped, kernel, state and configuration."""
        if self.unit("ActiveState")["ActiveState"] != "inactive":
            self.crash()
            self.reset_failed()
        rules = f"rule del priority {ID}\n" * RULES
        for family, lines in (("-4", f"link del {TUNNEL}\nxfrm state flush\nxfrm policy flush\n"), ("-6", "")):
            run("ip", family, "-force", "-batch", "-", stdin=f"{lines}{rules}route flush table {ID}\n", check=False)
        if os.path.ismount(STATE):
            run("umount", STATE)
        shutil.rmtree(STATE, ignore_errors=True)
        shutil.rmtree(CONFIG, ignore_errors=True)


def _texts(output):
    """Of a list of states or policies: one text each, states without counters."""
    output = re.sub(r"anti-replay.*(\n\s+\d.*|\n\s+seq-hi.*|\n\s+replay_window.*|\n\s+[0-9a-f]{8} .*)*", "", output)
    return [" ".join(text.split()) for text in re.split(r"(?:^|\n)(?=src )", output) if text.startswith("src ")]


def policies():
    """XFRM policies of the HeNB but those of sockets, one text each."""
    return _texts(run("ip", "xfrm", "policy", "list", "nosock"))


def states():
    """XFRM states of the HeNB without keys and counters, one text each."""
    return _texts(run("ip", "xfrm", "state", "list", "nokeys"))


def kernel(inner):
    """What there is of a tunnel: (link, addresses, rules and our table of its family as one text, states, policies)."""
    commands = (f"addr show dev {TUNNEL}", "rule", f"route show table {ID}")
    # -force: the link and the table may be missing, which is for the caller to say.
    text = run("ip", "-6" if ":" in inner else "-4", "-d", "-force", "-batch", "-", stdin="\n".join(commands) + "\n",
               check=False)
    return text, states(), policies()


def tunnel_leftovers():
    """SAs, larval ones too, and policies that are not foreign (reqid or priority of somebody else) and no block."""
    ours = [text for text in states() if f"reqid {ID} " in text + " " or f"if_id {ID:#x}" in text or "reqid 0 " in text]
    return ours + [text for text in policies() if "action block" not in text and
                   (f"priority {ID} " in text + " " or f"if_id {ID:#x}" in text or f"reqid {ID} " in text)]
