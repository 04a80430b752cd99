# SPDX-License-Identifier: GPL-3.0-or-later
"""henb-agentd as an operator's engineer meets it: its configuration, systemd, D-Bus, the journal, the kernel."""

import configparser
import json
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path

import places
from machine import CERTIFICATES, Failure, run, wait_for

UNIT = "henb-agent.service"
BUS, OBJECT, INTERFACE = "org.henb.Agent1", "/org/henb/Agent1", "org.henb.Agent1"
CONFIG, STATE = Path("/etc/henb-agent"), Path("/var/lib/henb-agent")
ID = 32593  # XFRM if_id and reqid, routing table, priority of rules and policies
TUNNEL = "henb0"
STATES = {"idle", "waiting-network", "discovering", "registering", "registered-without-mme", "registered", "retrying",
          "deregistered", "failed-config"}
FACTORY = {
    "Identity": {"Manufacturer": "Example", "OUI": "00A0BC", "ProductClass": "HeNB", "SerialNumber": "000001"},
    "Serving": {"SeGW": places.SEGW_NAME, "HeMS": places.HEMS_NAME},
    "Trust": {"CA": f"{CONFIG}/ca.pem", "Certificate": f"{CONFIG}/henb.pem", "Key": f"{CONFIG}/henb-key.pem"},
    "Network": {"PublicDNS": places.PUBLIC_DNS},
    "Log": {"Level": "debug"},
}
# Registering takes a few round trips; what takes time in the guest is its emulated processor.
REGISTER_SECONDS = 90
FAILURE_SECONDS = 120


class Watch(threading.Thread):
    """Every PropertiesChanged of the agent, in order, as busctl monitor saw it."""

    def __init__(self, log):
        super().__init__(daemon=True)
        self.log = log
        self.changes = []  # (monotonic time, sender, {property: value})
        self.listeners = []
        self.process = subprocess.Popen(
            ["busctl", "monitor", "--json=short", "--match",
             f"type='signal',interface='org.freedesktop.DBus.Properties',path='{OBJECT}'"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        # It says so when it listens.
        self.process.stderr.readline()
        self.start()

    def run(self):
        for line in self.process.stdout:
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if message.get("member") != "PropertiesChanged" or message.get("path") != OBJECT:
                continue
            self.log.write(line)
            self.log.flush()
            name, changed, _ = message["payload"]["data"]
            if name != INTERFACE:
                continue
            values = {key: value["data"] for key, value in changed.items()}
            self.changes.append((time.monotonic(), message["sender"], values))
            for listener in self.listeners:
                listener(values)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.join(10)
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
        self.cursor = None
        self.watch = None

    # Factory data, and running.

    def configure(self, device, overrides):
        """Writes factory data: FACTORY with *overrides* {section: {key: value or None} or None}, certificates of
        *device*."""
        shutil.rmtree(CONFIG / "agent.conf.d", ignore_errors=True)
        CONFIG.mkdir(exist_ok=True)
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
        shutil.copy(CERTIFICATES / f"henb-{device}.pem", CONFIG / "henb.pem")
        shutil.copy(CERTIFICATES / f"henb-{device}-key.pem", CONFIG / "henb-key.pem")
        (CONFIG / "henb-key.pem").chmod(0o640)
        shutil.chown(CONFIG / "henb-key.pem", group="henb")

    @staticmethod
    def credential(path, text):
        """A file with secrets that only root and the agent may read."""
        path.write_text(text)
        path.chmod(0o640)
        shutil.chown(path, group="henb")

    def watch_begin(self):
        self.journal_begin()
        self.watch = Watch(open(self.logs / "bus.log", "w", encoding="utf-8"))

    def journal_begin(self):
        """From here on journal() tells what is new."""
        output = run("journalctl", "-n", "0", "--show-cursor", "-q")
        self.cursor = output.split("cursor:", 1)[1].strip() if "cursor:" in output else None

    def start(self, wait=True):
        """Starts the unit; with *wait* until systemd calls it started."""
        run("systemctl", "reset-failed", UNIT, check=False)
        run("systemctl", "start", *([] if wait else ["--no-block"]), UNIT)

    def stop(self):
        run("systemctl", "stop", UNIT, timeout=30)

    def unit(self, *properties):
        """Properties of the unit: a dictionary of texts."""
        output = run("systemctl", "show", UNIT, *(f"--property={name}" for name in properties))
        return dict(line.split("=", 1) for line in output.splitlines() if "=" in line)

    def pid(self):
        return int(self.unit("MainPID").get("MainPID", "0"))

    def journal(self):
        since = ["--after-cursor", self.cursor] if self.cursor else []
        return run("journalctl", "-q", "-u", UNIT, "-o", "cat", "--no-pager", *since, check=False)

    def wait_journal(self, pattern, timeout=60):
        """The first line of this scenario's journal that matches."""
        found = []

        def look():
            found[:] = [line for line in self.journal().splitlines() if re.search(pattern, line, re.IGNORECASE)]
            return found
        wait_for(f"the journal to say /{pattern}/", look, timeout, 0.5)
        return found[0]

    # D-Bus.

    def get(self, name):
        """A property; None while the agent is not on the bus."""
        done = subprocess.run(["busctl", "--json=short", "get-property", BUS, OBJECT, INTERFACE, name], text=True,
                              capture_output=True, timeout=60)
        return json.loads(done.stdout)["data"] if done.returncode == 0 else None

    def call(self, method, *arguments, user=None, interface=INTERFACE, timeout=60):
        """Calls a method of the agent, as *user*; None if it was done, else the error as busctl says it."""
        done = subprocess.run([*(["runuser", "-u", user, "--"] if user else []), "busctl", f"--timeout={timeout}", "--", "call", BUS,
                               OBJECT, interface, method, *map(str, arguments)], text=True, capture_output=True,
                              timeout=timeout + 30)
        return (done.stderr.strip() or f"status {done.returncode}") if done.returncode else None

    def report(self, values):
        """Other daemons of the box tell parameters: {path: value}."""
        words = [word for pair in values.items() for word in pair]
        return self.call("Report", "a(ss)", len(values), *words, interface=f"{INTERFACE}.Parameters")

    def wait(self, name, wanted, timeout=REGISTER_SECONDS):
        """Waits until the property has the value, or wanted(value) is true; returns the value."""
        fits = wanted if callable(wanted) else lambda value: value == wanted
        seen = []

        def look():
            seen[:] = [self.get(name)]
            return seen[0] is not None and fits(seen[0])
        try:
            wait_for(name, look, timeout, 0.25)
        except Failure:
            state = {key: self.get(key) for key in ("State", "Step", "Clause", "LastError")}
            raise Failure(f"{name} is {seen[0]!r} after {timeout} s, wanted "
                          f"{'something else' if callable(wanted) else repr(wanted)}; {state}") from None
        return seen[0]

    def registered(self, timeout=REGISTER_SECONDS):
        self.wait("State", "registered", timeout)

    def failed(self, pattern, state="retrying", timeout=FAILURE_SECONDS):
        """Waits until *state* and a LastError that matches *pattern* were published together, with an empty Mme."""
        matches = re.compile(pattern, re.IGNORECASE)

        def look():
            moments = [*self.watch.moments(), {key: self.get(key) for key in ("State", "LastError", "Mme")}]
            return [one for one in moments if one.get("State") == state and matches.search(one.get("LastError") or "")]
        try:
            moment = wait_for("the failure", look, timeout, 0.5)[0]
        except Failure:
            errors = [values["LastError"] for _, _, values in self.watch.changes if "LastError" in values]
            raise Failure(f"no {state} with LastError /{pattern}/ in {timeout} s; states {self.watch.states()}, "
                          f"errors {errors}") from None
        if moment.get("Mme"):
            raise Failure(f"Mme is not empty in {state}")

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
        ours = [text for text in states() if f"reqid {ID} " in text]
        if len(ours) != 2 or not all("proto esp" in text and "mode tunnel" in text for text in ours):
            raise Failure(f"not one SA each way with our reqid: {ours}")
        if not all(f"if_id {ID:#x}" in text for text in ours):
            raise Failure(f"SAs without our if_id: {ours}")
        for direction in ("in", "out"):
            if not any(f"dir {direction} priority {ID} " in text and f"if_id {ID:#x}" in text for text in policies()):
                raise Failure(f"no policy {direction} with our priority and if_id: {policies()}")
        self.guard()

    def whole_or_none(self):
        """Failure unless there is one whole tunnel or nothing of one: no larval SA, no half."""
        if tunnel_leftovers():
            self.tunnel()

    def guard(self, inner=None):
        """Failure unless what keeps inner traffic inside is there: it outlives the tunnel."""
        inner = inner or (self.get("InnerAddresses") or [places.INNER])[0]
        family, bits, word = ("-6", 128, "inet6") if ":" in inner else ("-4", 32, "inet")
        link = run("ip", "-d", "link", "show", TUNNEL)
        if "xfrm" not in link or f"if_id {ID:#x}" not in link:
            raise Failure(f"{TUNNEL} is no XFRM interface of ours: {link}")
        if f"{word} {inner}/{bits}" not in run("ip", family, "addr", "show", "dev", TUNNEL):
            raise Failure(f"{inner} is not on {TUNNEL}")
        rules = [line for line in run("ip", family, "rule").splitlines() if line.startswith(f"{ID}:")]
        for wanted in (f"oif {TUNNEL}", f"from {inner}"):
            if not any(wanted in line and f"lookup {ID}" in line for line in rules):
                raise Failure(f"no rule '{wanted}': {rules}")
        table = run("ip", family, "route", "show", "table", ID)
        if "unreachable default" not in table:
            raise Failure(f"table {ID} does not end in unreachable: {table}")
        blocks = [text for text in policies() if "action block" in text and "dir in" in text]
        if not any(f"dst {inner}/{bits}" in text and "if_id" not in text for text in blocks):
            raise Failure(f"no block policy guards {inner}: {blocks}")

    def forget(self):
        """Takes the agent off the box with all it leaves: unit stopped, kernel, state and configuration."""
        run("systemctl", "kill", "-s", "KILL", UNIT, check=False)
        run("systemctl", "stop", UNIT, check=False)
        run("systemctl", "reset-failed", UNIT, check=False)
        run("ip", "link", "del", TUNNEL, check=False)
        for family in ("-4", "-6"):
            while str(ID) in run("ip", family, "rule"):
                run("ip", family, "rule", "del", "priority", ID)
            run("ip", family, "route", "flush", "table", ID, check=False)
        run("ip", "xfrm", "state", "flush")
        run("ip", "xfrm", "policy", "flush")
        run("umount", STATE, check=False)
        shutil.rmtree(STATE, ignore_errors=True)
        shutil.rmtree(CONFIG, ignore_errors=True)


def policies():
    """XFRM policies of the HeNB but those of sockets, one text each."""
    return [" ".join(text.split()) for text in re.split(r"\n(?=src )", run("ip", "xfrm", "policy", "list", "nosock"))
            if text.strip()]


def states():
    """XFRM states of the HeNB without keys and counters, one text each."""
    output = re.sub(r"anti-replay.*(\n\s+\d.*|\n\s+seq-hi.*|\n\s+replay_window.*|\n\s+[0-9a-f]{8} .*)*", "",
                    run("ip", "xfrm", "state", "list", "nokeys"))
    return [" ".join(text.split()) for text in re.split(r"\n(?=src )", output) if text.strip()]


def tunnel_leftovers():
    """SAs, larval ones too, and policies that are not foreign (reqid or priority of somebody else) and no block."""
    ours = [text for text in states() if f"reqid {ID} " in text + " " or f"if_id {ID:#x}" in text or "reqid 0 " in text]
    return ours + [text for text in policies() if "action block" not in text and
                   (f"priority {ID} " in text + " " or f"if_id {ID:#x}" in text or f"reqid {ID} " in text)]
