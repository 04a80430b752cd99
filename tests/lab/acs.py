#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's HeMS: a TR-069 ACS that plays one scenario and fails it when the CPE breaks a rule.

    python3 acs.py --listen 10.0.0.10:7547 --scenario acs/register.json --log FILE [--host NAME]... [--allow RULE]...
        [--set NAME=VALUE]... [--tls CERTIFICATE KEY [--client-ca CA] [--tls-max 1.1|1.2|1.3]]

With --tls it speaks https; --client-ca makes it ask for a certificate and take only one of that CA, --tls-max 1.1 makes
it too old for a HeNB. Each handshake has a line in the log, `TLS with PEER: TLSv1.3 SUITE, SNI NAME, ALPN http/1.1,
client certificate CN` or `TLS with PEER failed: why`; one that failed is no session and breaks no rule.

The log has a line for each message: time, session, what. A broken rule (acs/rules.py) is logged at once as
`VERDICT fail: ...`; the last line, written on SIGTERM after a running session got five seconds to end, is
`VERDICT ok` or the first failure again. The exit status is 0 or 1; 2 for a scenario that cannot be read.

A scenario is a JSON object. What belongs to a session may stand at the top (for all) or in "sessions" under its
number ("1", "2-4", "5-", "*": the first that fits), counted in attempts that reached the HeMS. SESSION, STEP, FAULT
and EXPECT below name every key; a key that is not there is an error. "extends" names a file to start from.
Comparisons are a number or "==1", ">=1", "<=1", ">1", "<1"; "counted" for a RetryCount is as many as sessions failed.
Patterns are the whole value, or "~REGEX". SHORT names what may begin a parameter's name in place of a long path;
$NAME stands for a value of VALUES, or of --set.
"""

import argparse
import faulthandler
import json
import os
import re
import select
import signal
import socket
import sys
import threading
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "acs"))
import soap  # noqa: E402
import web  # noqa: E402
from answers import METHODS, Answers, BadScenario, compare, fits, one_of  # noqa: E402
from rules import LTE, RULES  # noqa: E402

TOP = {
    "comment": "what it shows, for the reader",
    "extends": "a scenario file to start from; keys here replace its keys",
    "hosts": "names and addresses the Host header may have (also --host); none: any with the right port",
    "allow": "rules that are not judged here (also --allow)",
    "sessions": "what differs by session",
    "expect": "what has to be true in the end",
}
SESSION = {
    "namespace": "CWMP namespace of the HeMS's messages, default that of cwmp-1-0",
    "inform_namespaces": "those an Inform may have; default cwmp-1-0 first, later also the HeMS's",
    "inform": "what the Inform has to hold: events (list; '4 VALUE CHANGE?' may be there), retry_count (comparison or counted),"
              " parameters ({name: pattern}); and absent (names and partial paths), which it must not hold",
    "steps": "the requests of the HeMS, in order; what comes after a FactoryReset is sent and must not be answered",
    "cases": "instead of steps: [{parameters: {name: pattern}, steps: ...}...], the first one that the Inform fits",
    "then": "how the session ends: 204, 200-empty, 200-chunked-empty, close",
    "answer": "how answers are sent: length, chunked, close (a new connection for each), eof",
    "odd": "true: other prefixes, comments and white space in the envelopes",
    "inform_response_id": "a text instead of the Inform's ID, null for none",
    "max_envelopes": "the number in the InformResponse, default 1",
    "cookies": "Set-Cookie values of the InformResponse; %n becomes the session's number",
    "auth": "type digest or basic, username, password, realm; reject true: no credentials are good",
    "fault": "what goes wrong, once",
    "silence": "seconds the CPE may take to answer, default 30",
    "refuse_seconds": "so long the port is closed before this session",
}
STEP = {
    "rpc": "the method",
    "path": "of GetParameterNames", "next_level": "of GetParameterNames",
    "read_in": "of GetParameterNames: then all parameters it has listed are read by their names, so many at a time",
    "names": "of GetParameterValues and GetParameterAttributes",
    "set": "of SetParameterValues: [name, xsi:type, value]...",
    "attributes": "of SetParameterAttributes: [name, notification, who else may write]...; null: no change",
    "object": "of AddObject and DeleteObject",
    "parameter_key": "of SetParameterValues, AddObject and DeleteObject",
    "transfer": "of Download, Upload and ScheduleDownload: {argument: value}, the others empty or 0; TimeWindowList:"
                " [start, end, mode, retries]...",
    "queued": "of Get(All)QueuedTransfers: the CommandKeys in the answer, sorted",
    "args": "[element, text]... of any other method",
    "id": "the cwmp:ID to send, null for none; default a new one",
    "contains": "names that have to be in the answer",
    "writable": "{name: true or false} in a GetParameterNamesResponse",
    "values": "{name: pattern} in a GetParameterValuesResponse",
    "notifications": "{name: number} in a GetParameterAttributesResponse",
    "instance": "comparison: the InstanceNumber of an AddObjectResponse",
    "status": "of the response",
    "fault": "the fault code expected instead of a response, or a list of them",
    "parameter_faults": "{name: code or list of codes}: exactly these SetParameterValuesFault",
    "parameter_texts": "{name: pattern}: what these say",
}
FAULT = {
    "on": "the CPE's message that meets it, default Inform; 'empty' is the empty POST",
    "kind": "status, html, malformed, truncated, namespace, fault, drop, cut, reset, hold",
    "status": "of kind status", "headers": "of kind status: [name, value]...", "body": "of kind status",
    "bytes": "of kind cut: so many bytes of the right answer",
    "seconds": "of kind hold", "code": "of kind fault: the ACS's fault code",
}
EXPECT = {
    "informs": "comparison: Informs that opened a session",
    "sessions_ok": "comparison", "sessions_failed": "comparison",
    "factory_resets": "comparison: FactoryResetResponses that the HeMS has taken",
    "events": "the events of the first Informs, a list for each",
    "requested": "all RequestDownloads, answered or not: [FileType, {name: value}]...",
    "transfers": "all TransferCompletes that were answered, sorted: [CommandKey, FaultCode]...",
    "autonomous": "comparison: AutonomousTransferCompletes that were answered",
}
SHORT = {"$LTE.": LTE, "$GW.": LTE + "Gateway.", "$MS.": "Device.ManagementServer.", "$GPS.": "Device.FAP.GPS.",
         "$CELL.": "Device.Services.FAPService.1.REM.LTE.Cell."}
VALUES = {
    "SERVING_URL": "http://hems-serving.operator.example:7547/",
    "SEGW1": "segw-serving.operator.example", "SEGW2": "", "SEGW3": "",
    "MME": "10.0.0.20",
}
HTML = b"<!DOCTYPE html>\n<html><head><title>It works</title></head><body><p>Not a HeMS.<br></body></html>\n"
THEN = {
    "204": lambda: web.Answer(204),
    "200-empty": lambda: web.Answer(200),
    "200-chunked-empty": lambda: web.Answer(200, style="chunked"),
    "close": lambda: web.Answer(204, close=True),
}
TOLD = {"TransferComplete": "7 TRANSFER COMPLETE", "AutonomousTransferComplete": "10 AUTONOMOUS TRANSFER COMPLETE"}
WANTS = "9 REQUEST DOWNLOAD"
ACS_METHODS = ["Inform", *TOLD, "GetRPCMethods", "RequestDownload"]
FINISH_SECONDS = 5


def known(what, keys, table):
    for key in keys:
        if key not in table:
            raise BadScenario(f"{what} has no key {key!r}")


def check_steps(what, steps):
    for number, step in enumerate(steps, 1):
        known(f"{what} step {number}", step, STEP)
        soap.request(step)


def check_session(what, spec):
    known(what, spec, SESSION)
    known(f"{what} inform", spec.get("inform", {}), ("events", "retry_count", "parameters", "absent"))
    known(f"{what} fault", spec.get("fault", {}), FAULT)
    known(f"{what} auth", spec.get("auth") or {}, ("type", "username", "password", "realm", "reject"))
    for number, case in enumerate(spec.get("cases", []), 1):
        known(f"{what} case {number}", case, ("parameters", "steps"))
        check_steps(f"{what} case {number}", case["steps"])
    check_steps(what, spec.get("steps", []))
    known("then", [spec.get("then", "204")], THEN)
    known("answer", [spec.get("answer", "length")], ("length", "chunked", "close", "eof"))


def load(path, values=None):
    """The scenario in a file, with what it extends; *values* replace some of VALUES. Raises BadScenario."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        for short, name in SHORT.items():
            text = text.replace(short, name)
        for name, value in {**VALUES, **(values or {})}.items():
            text = text.replace("$" + name, value)
        scenario = json.loads(text)
        if "extends" in scenario:
            scenario = {**load(Path(path).parent / scenario["extends"], values), **scenario}
        known("the scenario", scenario, {**TOP, **SESSION})
        check_session("the scenario", {key: scenario[key] for key in SESSION if key in scenario})
        for key, spec in scenario.get("sessions", {}).items():
            if not re.fullmatch(r"\*|\d+(-\d*)?", key):
                raise BadScenario(f"session number {key!r}")
            check_session(f"session {key}", spec)
        known("expect", scenario.get("expect", {}), EXPECT)
        known("allow", scenario.get("allow", []), RULES)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadScenario(f"{path}: {error!r}") from error
    return scenario


def session_spec(scenario, number):
    """What holds for the session of this number."""
    spec = {key: scenario[key] for key in SESSION if key in scenario}
    for key, own in scenario.get("sessions", {}).items():
        first, dash, last = key.partition("-")
        if key == "*" or int(first) <= number <= (int(last) if last else 10**9 if dash else int(first)):
            return {**spec, **own}
    return spec


def are_events(events, wanted):
    """Are these the events wanted? Those that end with a "?" may be there."""
    needed = sorted(one for one in wanted if not one.endswith("?"))
    may = [one[:-1] for one in wanted if one.endswith("?")]
    return sorted(one for one in events if one not in may) == needed


class Session:
    """One session from its first POST. Its state: first, challenged, informed, asked (a request is out), ending
    (the empty answer goes out), leaving (a FactoryResetResponse was taken, the CPE has to go), over."""

    def __init__(self, number, spec, connection):
        self.number, self.spec, self.connection = number, spec, connection
        self.state = "first"
        self.cookies = web.Cookies()
        self.digest = web.Digest(spec["auth"]) if spec.get("auth") else None
        self.refused = 0  # challenges sent
        self.inform = None
        self.steps = list(spec.get("steps", []))
        self.step = None  # the request that is out
        self.reset = False  # it was a FactoryReset, and is answered
        self.ident = None  # and its cwmp:ID
        self.asked = 0  # requests so far
        self.reconnects = False  # the HeMS closed the connection, another has to follow
        self.moved = False  # and has followed
        self.listed = {}  # what GetParameterNames has listed as it still is: {partial path: parameters}
        self.told = 0  # outcomes of transfers
        self.namespace = spec.get("namespace", soap.CWMP + "0")

    def envelope(self, ident, message, content="", namespace=None):
        return soap.envelope(namespace or self.namespace, ident, message, content, self.spec.get("odd", False))


class Acs(Answers):
    """The HeMS. Its connections run in threads; whatever they do to a session happens under the lock."""

    def __init__(self, listen, scenario, log, tls=None):
        self.listen, self.scenario, self.log, self.tls = listen, scenario, log, tls
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.listener = None
        self.wake_read, self.wake_write = os.pipe()
        os.set_blocking(self.wake_write, False)
        self.stopping = False
        self.session = None
        self.number = 0
        self.busy = 0  # answers being sent
        self.count = {"informs": 0, "sessions_ok": 0, "sessions_failed": 0, "factory_resets": 0, "autonomous": 0}
        self.failures = 0  # failed sessions since the last good one
        self.events = []
        self.bootstrapped = set()
        self.deregistered = set()
        self.instances = set()  # that were given: (device, table, number)
        self.asked_transfers = set()  # CommandKeys
        self.requested = []  # [FileType, {name: value}] of each RequestDownload
        self.transfers = []  # [CommandKey, FaultCode] of each that is complete
        self.verdict = None
        self.concluded = False

    # ---- log and verdict

    def write(self, text, session=None):
        with self.lock:
            if self.concluded:  # the verdict is the last line
                return
            now = time.time()
            stamp = time.strftime("%H:%M:%S", time.localtime(now)) + f".{int(now * 1000) % 1000:03}"
            print(stamp, f"s{session.number}" if session else "-", text, file=self.log, flush=True)

    def check(self, ok, rule, text=""):
        """Notes a broken rule: the first is the verdict."""
        if ok or rule in self.scenario.get("allow", []):
            return
        with self.lock:
            clause, demand = RULES[rule]
            why = f"{rule} ({clause}: {demand}): {text}".replace("\n", "\\n").replace("\r", "\\r")
            self.write(f"broken {why}", self.session)
            if self.verdict is None and not self.concluded:
                self.verdict = why
                print(f"VERDICT fail: {why}", file=self.log, flush=True)

    def conclude(self):
        """Judges what the scenario expects in the end and writes the last line. Returns the exit status."""
        with self.lock:
            expect = self.scenario.get("expect", {})
            for name, count in self.count.items():
                wanted = expect.get(name, ">=0")
                self.check(compare(count, wanted), "SCENARIO", f"{name}: {count}, not {wanted}")
            for number, wanted in enumerate(expect.get("events", [])):
                got = self.events[number] if number < len(self.events) else None
                self.check(got is not None and are_events(got, wanted), "SCENARIO",
                           f"events of Inform {number + 1}: {got}, not {wanted}")
            wanted = expect.get("requested", self.requested)
            self.check(self.requested == wanted, "SCENARIO", f"requested: {self.requested}, not {wanted}")
            wanted = expect.get("transfers")
            self.check(wanted is None or sorted(self.transfers) == sorted(wanted), "SCENARIO",
                       f"transfers: {self.transfers}, not {wanted}")
            self.concluded = True
            print(f"VERDICT fail: {self.verdict}" if self.verdict else "VERDICT ok", file=self.log, flush=True)
            return 1 if self.verdict else 0

    # ---- sessions

    def over(self, session, ok, why):
        """The session has ended."""
        session.state = "over"
        session.connection.used_up = True
        self.session = None
        self.failures = 0 if ok else self.failures + 1
        self.count["sessions_ok" if ok else "sessions_failed"] += 1
        self.write(f"session {'ok' if ok else 'failed'}: {why}", session)
        self.changed.notify_all()
        os.write(self.wake_write, b"s")

    def gone(self, connection, why):
        """The CPE closed a connection."""
        with self.lock:
            session = self.session
            if session is None or session.connection is not connection or session.reconnects:
                return
            self.left(session, why)

    def left(self, session, why):
        if session.state == "leaving":
            self.over(session, True, why + " after its FactoryResetResponse")
            return
        self.check(session.state == "challenged", "SESSION-END", f"{why} in state {session.state}")
        self.over(session, False, why)

    def enter(self, connection):
        """The session that a request on this connection belongs to, a new one if there is none; None if there is
        another one that cannot be given up for it."""
        session = self.session
        if session and session.connection is connection:
            return session
        if session and session.reconnects:
            session.connection, session.reconnects, session.moved = connection, False, True
            self.write(f"goes on over a connection from {connection.peer}", session)
            return session
        if session and session.state != "challenged" and not session.connection.closed():
            self.check(False, "SESSION-ONE", f"{connection.peer} while {session.connection.peer} is in a session")
            if "SESSION-ONE" not in self.scenario.get("allow", []):
                return None
        if session:
            self.left(session, "the CPE has left its connection")
        self.check(not connection.used_up, "SESSION-REUSE", f"by {connection.peer}")
        self.number += 1
        self.session = Session(self.number, session_spec(self.scenario, self.number), connection)
        return self.session

    def handle(self, connection, request):
        """The Answer to a request."""
        with self.lock:
            self.busy += 1
            web.check_request(request, self.scenario.get("hosts", []), self.listen[1],
                              443 if self.tls else 80, self.check)
            session = self.enter(connection)
            if session is None:
                return web.Answer(503)
            session.cookies.check(request, self.check)
            try:
                answer = self.judge(session, connection, request)
            except soap.Unreadable:
                answer = self.give_up(session, "a message that cannot be judged")
            if session.state != "over":
                answer.style = session.spec.get("answer", "length") if answer.style == "length" else answer.style
                session.reconnects = answer.style in ("close", "eof") and session.state != "leaving"
            return answer

    def give_up(self, session, why):
        self.over(session, False, why)
        return web.Answer(400, why.encode() + b"\n", [("Content-Type", "text/plain")])

    def judge(self, session, connection, request):
        name, ident, message = "empty", None, None
        if request.body:
            before = session.state in ("first", "challenged")
            spaces = self.inform_namespaces(session) if before else [session.namespace]
            ident, message = soap.read(request.body, spaces, self.check)
            name = message.local
        if session.state in ("first", "challenged"):
            self.check(name == "Inform", "INFORM-FIRST", name)
            if name != "Inform":
                return self.give_up(session, f"{name} without an Inform")
            answer = self.on_inform(session, connection, request, ident, message)
        else:
            refusal = self.check_authorization(session, connection, request)
            if refusal:
                return refusal
            answer = self.on_message(session, name, ident, message)
        fault = session.spec.get("fault")
        if fault and fault.get("on", "Inform") == name and answer.status < 300 and session.state != "over":
            return self.spoil(session, fault, answer, ident)
        if session.reset and session.state in ("asked", "ending"):
            self.take_reset(session)
        if session.state == "ending":
            self.over(session, True, "all steps done")
        return answer

    def take_reset(self, session):
        """The answer to a FactoryResetResponse goes out: it is taken, and whatever else the answer holds, that was
        the CPE's last word."""
        device = session.inform["DeviceId"]
        self.count["factory_resets"] += 1
        self.deregistered.add(device)
        self.bootstrapped.discard(device)
        self.instances = {one for one in self.instances if one[0] != device}
        if session.state == "asked":
            session.state = "leaving"

    def inform_namespaces(self, session):
        first = [soap.CWMP + "0"]
        return session.spec.get("inform_namespaces", first if self.number == 1 else first + [session.namespace])

    # ---- Inform

    def on_inform(self, session, connection, request, ident, message):
        inform = soap.read_inform(message, self.check)
        again = session.inform is not None
        self.write(f"<- Inform {inform['Event']} RetryCount {inform['RetryCount']} of {inform['DeviceId']}"
                   + (" again" if again else f" from {connection.peer}"), session)
        if not again:
            self.check_inform(session, inform)
        session.inform = inform
        refusal = self.authorize(session, connection, request)
        if refusal:
            return refusal
        session.state = "informed"
        ident = session.spec.get("inform_response_id", ident)
        content = soap.element("MaxEnvelopes", str(session.spec.get("max_envelopes", 1)))
        answer = self.xml(session, ident, "InformResponse", content)
        for cookie in session.spec.get("cookies", []):
            cookie = cookie.replace("%n", str(session.number))
            session.cookies.set(cookie, request.target)
            answer.headers.append(("Set-Cookie", cookie))
        return answer

    def check_inform(self, session, inform):
        events, retries = inform["Event"], inform["RetryCount"]
        self.count["informs"] += 1
        self.events.append(events)
        repeated = "0 BOOTSTRAP" in events and inform["DeviceId"] in self.bootstrapped
        self.check(not repeated, "INFORM-BOOTSTRAP", f"{events} of {inform['DeviceId']}")
        gone = inform["DeviceId"] in self.deregistered
        self.check(not gone, "INFORM-DEREGISTERED", f"{events} of {inform['DeviceId']}")
        spec = session.spec.get("inform", {})
        wanted = spec.get("retry_count", ">=0")
        retries = int(retries) if re.fullmatch("[0-9]{1,9}", retries) else -1
        self.check(compare(retries, self.failures if wanted == "counted" else wanted), "INFORM-RETRY",
                   f"RetryCount {retries}, not {wanted} ({self.failures} sessions failed)")
        wanted = spec.get("events")
        self.check(wanted is None or are_events(events, wanted), "SCENARIO", f"events {events}, not {wanted}")
        values = inform["ParameterList"]
        self.check_values(values, spec.get("parameters", {}))
        for path in spec.get("absent", []):
            held = [name for name in values if name == path or path.endswith(".") and name.startswith(path)]
            self.check(not held, "SCENARIO", f"the Inform holds {held}")
        if "cases" in session.spec:
            self.choose(session, values)

    def choose(self, session, values):
        """The steps of this session, by what the Inform says."""
        for case in session.spec["cases"]:
            if all(name in values and fits(values[name], pattern) for name, pattern in case["parameters"].items()):
                session.steps = list(case["steps"])
                self.write(f"the case of {case['parameters']}", session)
                return
        self.check(False, "SCENARIO", f"the Inform fits no case: {values}")

    def authorize(self, session, connection, request):
        """None, or the 401 that the Inform gets."""
        if not session.digest:
            return None
        judged = session.digest.judge(request, connection, self.check)
        if judged == "good":
            return None
        self.check(judged != "none" or not session.refused, "AUTH-ANSWER", "the same again without credentials")
        self.check(session.refused < 2, "AUTH-LOOP", f"{session.refused} refusals, and another try")
        session.refused += 1
        session.state = "challenged"
        if session.refused > 2:
            self.over(session, False, "too many tries to authenticate")
        self.write(f"-> 401 (credentials: {judged})", session)
        return web.Answer(401, b"", session.digest.challenge(connection, judged == "stale"))

    def check_authorization(self, session, connection, request):
        """None, or the 401 for a nonce that is not this connection's."""
        judged = session.digest.judge(request, connection, self.check) if session.digest else "good"
        if judged == "stale" and session.refused < 4:
            session.refused += 1
            self.write("-> 401 stale", session)
            return web.Answer(401, b"", session.digest.challenge(connection, True))
        self.check(judged == "good", "AUTH-KEEP", f"credentials: {judged}")
        return None

    # ---- after the Inform

    def on_message(self, session, name, ident, message):
        if "0 BOOTSTRAP" in session.inform["Event"]:
            self.bootstrapped.add(session.inform["DeviceId"])
        if session.state == "leaving":
            self.check(False, "RESET-LAST", f"{name} after FactoryResetResponse")
            return self.give_up(session, f"{name} after FactoryResetResponse")
        if name == "Inform":
            self.check(False, "SESSION-GO-ON" if session.moved else "INFORM-ONCE", "a second Inform")
            return self.give_up(session, "a second Inform")
        if session.state == "informed" and name in ACS_METHODS:
            content = soap.read_fields(message, self.check)
            self.write(f"<- {name} {summary(content)}".rstrip(), session)
            if name in TOLD:
                self.judge_outcome(session, name, content)
            if name == "RequestDownload":
                self.check(WANTS in session.inform["Event"], "TRANSFER-EVENT", f"{name} without {WANTS}")
                self.requested.append([*content.values()])
            content = soap.strings("MethodList", ACS_METHODS) if name == "GetRPCMethods" else ""
            return self.xml(session, ident, name + "Response", content)
        if session.state == "informed" and name != "empty":
            self.check(False, "RPC-ANSWER", f"{name} where the empty POST was due")
            fault = soap.element("FaultCode", "8000") + soap.element("FaultString", "Method not supported")
            return self.xml(session, ident, "Fault", fault)
        if session.state == "informed":
            self.write("<- empty POST", session)
            said = [event for event in TOLD.values() if event in session.inform["Event"]]
            self.check(not said or session.told, "TRANSFER-EVENT", f"{said}, and nothing is told")
        elif name == "empty":
            self.check(False, "RPC-ANSWER", f"an empty POST instead of {session.step['rpc']}Response")
            return self.give_up(session, "an empty POST instead of an answer")
        else:
            self.judge_answer(session, name, ident, message)
        return self.next_step(session)

    def next_step(self, session):
        if not session.steps:
            then = session.spec.get("then", "204")
            session.state = "ending"
            self.write(f"-> {then}", session)
            return THEN[then]()
        session.state, session.step = "asked", session.steps.pop(0)
        session.asked += 1
        session.ident = session.step.get("id", f"{session.number}-{session.asked}")
        return self.xml(session, session.ident, session.step["rpc"], soap.request(session.step))

    def xml(self, session, ident, message, content):
        self.write(f"-> {message}", session)
        return web.Answer(200, session.envelope(ident, message, content),
                          [("Content-Type", 'text/xml; charset="utf-8"')])

    # ---- answers to the HeMS's requests

    def judge_answer(self, session, name, ident, message):
        step = session.step
        self.check(session.ident is None or ident == session.ident, "SOAP-ECHO", f"{ident!r}, not {session.ident!r}")
        if name == "Fault":
            code, parameters, texts = soap.read_fault(message, [session.namespace], self.check)
            self.write(f"<- Fault {code} {parameters or ''} {texts or ''}".rstrip(), session)
            wanted = step.get("fault")
            self.check(one_of(code, wanted), "SCENARIO", f"{step['rpc']}: fault {code} {parameters}, not {wanted}")
            wanted = step.get("parameter_faults")
            right = wanted is None or (parameters.keys() == wanted.keys() and
                                       all(one_of(parameters[key], wanted[key]) for key in wanted))
            self.check(right, "SCENARIO", f"{step['rpc']}: parameter faults {parameters}, not {wanted}")
            self.check_values(texts, step.get("parameter_texts", {}))
            return
        self.check(name == step["rpc"] + "Response", "RPC-ANSWER", f"{name} to {step['rpc']}")
        content = soap.read_fields(message, self.check)
        self.write(f"<- {name} {summary(content)}", session)
        self.check("fault" not in step, "SCENARIO", f"{name}, not fault {step.get('fault')}")
        wanted = step.get("status")
        self.check(wanted is None or content.get("Status") == str(wanted), "SCENARIO",
                   f"{name} Status {content.get('Status')}, not {wanted}")
        if step["rpc"] in soap.TRANSFERS and name == step["rpc"] + "Response":
            self.asked_transfers.add(step.get("transfer", {}).get("CommandKey"))
        session.reset = name == "FactoryResetResponse" and step["rpc"] == "FactoryReset"
        judge = {"GetRPCMethods": self.judge_methods, "GetParameterNames": self.judge_names,
                 "GetParameterValues": self.judge_values, "GetParameterAttributes": self.judge_attributes,
                 "AddObject": self.judge_added, "DeleteObject": self.judge_deleted,
                 "GetQueuedTransfers": self.judge_queued,
                 "GetAllQueuedTransfers": self.judge_queued}.get(step["rpc"])
        if judge and name == step["rpc"] + "Response":
            judge(step, *content.values())

    def judge_outcome(self, session, name, content):
        """TransferComplete, or the CPE's own."""
        events = session.inform["Event"]
        self.check(TOLD[name] in events, "TRANSFER-EVENT", f"{name} after {events}")
        session.told += 1
        if (session.spec.get("fault") or {}).get("on") == name:  # it will not be answered
            return
        if name != "TransferComplete":
            self.count["autonomous"] += 1
            return
        key = content["CommandKey"]
        self.check(key in self.asked_transfers, "TRANSFER-ASKED", f"{key!r}, not one of {self.asked_transfers}")
        self.check(key not in [told for told, _ in self.transfers], "TRANSFER-ONCE", f"{key!r} again")
        self.transfers.append([key, int(content["FaultStruct"])])

    def judge_queued(self, step, rows):
        keys = sorted(row["CommandKey"] for row in rows)
        self.check(keys == step.get("queued", keys), "SCENARIO", f"queued: {rows}, not {step.get('queued')}")

    # ---- what goes wrong on purpose

    def spoil(self, session, fault, answer, ident):
        """The answer that this fault makes of the right one. The session has failed with it."""
        kind = fault["kind"]
        make = {
            "status": lambda: web.Answer(fault["status"], fault.get("body", "").encode(),
                                         [tuple(header) for header in fault.get("headers", [])]),
            "html": lambda: web.Answer(200, HTML, [("Content-Type", "text/html")]),
            "malformed": lambda: web.Answer(200, answer.body.replace(b"</soap-env:Body>", b"</soap-env:Boddy>"),
                                            answer.headers),
            "truncated": lambda: web.Answer(200, answer.body[:len(answer.body) // 2], answer.headers, close=True,
                                            lie=len(answer.body) - len(answer.body) // 2),
            "namespace": lambda: web.Answer(200, session.envelope(
                ident, "InformResponse", soap.element("MaxEnvelopes", "1"), "urn:example-org:other-1-0"), answer.headers),
            "fault": lambda: web.Answer(200, session.envelope(ident, "Fault", soap.element(
                "FaultCode", str(fault.get("code", 8001))) + soap.element("FaultString", "By the scenario")),
                answer.headers),
            "drop": lambda: web.Answer(200, cut=0),
            "cut": lambda: web.Answer(200, answer.body, answer.headers, cut=fault["bytes"]),
            "reset": lambda: web.Answer(200, cut=0, reset=True),
            "hold": lambda: web.Answer(200, hold=fault.get("seconds", 600)),
        }[kind]
        self.write(f"-> by the scenario: {kind} {fault.get('status', fault.get('code', ''))}", session)
        self.over(session, False, f"by the scenario: {kind}")
        return make()

    # ---- connections

    def accept_tls(self, sock, peer):
        """The socket to go on with; None: there is none."""
        with self.lock:
            self.busy += 1
        try:
            sock, about = self.tls.accept(sock)
        except OSError as error:
            sock, about = None, f" failed: {error}"
        with self.lock:
            self.write(f"TLS with {peer}{about}")
            self.busy -= 1
            self.changed.notify_all()
        return sock

    def serve_connection(self, sock, peer):
        if self.tls:
            sock = self.accept_tls(sock, peer)
            if sock is None:
                return
        connection = web.Connection(sock, peer, self.check)
        try:
            alive = True
            while alive:
                answer = self.handle(connection, connection.read(self.patience(connection)))
                alive = connection.send(answer)
                with self.lock:
                    self.busy -= 1
                    self.changed.notify_all()
            why = "the HeMS closed the connection"
        except web.Gone as gone:
            why = f"the CPE closed the connection ({gone})"
        except web.Silent:
            with self.lock:
                self.check(False, "SESSION-SILENT", f"{peer} said nothing")
            why = "silence"
        except Exception:  # a mistake in this program must not pass for a good CPE
            why = traceback.format_exc()
            self.check(False, "SCENARIO", f"the HeMS itself failed: {why}")
        self.gone(connection, why)
        sock.close()

    def patience(self, connection):
        """Seconds to wait for the next request on this connection."""
        with self.lock:
            session = self.session
            if session is None or session.connection is not connection or session.state == "challenged":
                return None
            return session.spec.get("silence", 30)

    def open(self):
        family = socket.AF_INET6 if ":" in self.listen[0] else socket.AF_INET
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(self.listen)
        self.listener.listen(16)
        self.listener.setblocking(False)
        self.listen = self.listener.getsockname()[:2]

    def refuse(self, number):
        """Closes the port for as long as the session of this number wants it."""
        seconds = session_spec(self.scenario, number).get("refuse_seconds", 0)
        if seconds:
            self.write(f"the port is closed for {seconds} s")
            self.listener.close()
            until = time.monotonic() + seconds
            while not self.stopping and time.monotonic() < until:
                if select.select([self.wake_read], [], [], until - time.monotonic())[0]:
                    os.read(self.wake_read, 4096)
            self.open()

    def serve(self):
        """Until stop(); open() comes first."""
        refused = 0
        while not self.stopping:
            if self.session is None and refused <= self.number:
                refused = self.number + 1
                self.refuse(refused)
                continue
            ready, _, _ = select.select([self.listener, self.wake_read], [], [])
            if self.wake_read in ready:
                os.read(self.wake_read, 4096)
            elif not self.stopping:
                try:
                    sock, peer = self.listener.accept()
                except BlockingIOError:  # it has gone again
                    continue
                sock.setblocking(True)
                peer = f"[{peer[0]}]:{peer[1]}" if ":" in peer[0] else f"{peer[0]}:{peer[1]}"
                threading.Thread(target=self.serve_connection, args=(sock, peer), daemon=True).start()
        with self.lock:
            self.changed.wait_for(self.quiet, FINISH_SECONDS)
        self.listener.close()
        return self.conclude()

    def quiet(self):
        """Nothing is going on; a refused CPE need not come back."""
        return not self.busy and (self.session is None or self.session.state == "challenged")

    def stop(self):
        self.stopping = True
        os.write(self.wake_write, b"q")


def summary(content):
    """A response's content for the log."""
    parts = []
    for name, value in content.items():
        parts.append(f"{name} {value}" if isinstance(value, str) else f"{len(value)} items")
    return ", ".join(parts)


def address(text):
    match = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\]:(\d+)|([0-9.]+):(\d+)", text)
    if not match:
        raise argparse.ArgumentTypeError("ADDRESS:PORT or [ADDRESS]:PORT")
    return match[1] or match[3], int(match[2] or match[4])


def assignment(text):
    name, sign, value = text.partition("=")
    if not sign or name not in VALUES:
        raise argparse.ArgumentTypeError(f"NAME=VALUE with one of {', '.join(VALUES)}")
    return name, value


def main():
    parser = argparse.ArgumentParser(description="A TR-069 HeMS that plays a scenario and judges the CPE.")
    parser.add_argument("--listen", type=address, required=True, metavar="ADDRESS:PORT")
    parser.add_argument("--scenario", required=True, metavar="FILE")
    parser.add_argument("--log", required=True, metavar="FILE")
    parser.add_argument("--host", action="append", default=[], metavar="NAME", help="a name the Host header may have")
    parser.add_argument("--allow", action="append", default=[], choices=sorted(RULES), metavar="RULE")
    parser.add_argument("--set", type=assignment, action="append", default=[], metavar="NAME=VALUE",
                        help="what $NAME stands for in the scenario")
    parser.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"), help="PEM files: https instead of http")
    parser.add_argument("--client-ca", metavar="CA", help="PEM file: a client needs a certificate of it")
    parser.add_argument("--tls-max", choices=sorted(web.Tls.VERSIONS), help="the newest version of TLS")
    args = parser.parse_args()
    if (args.client_ca or args.tls_max) and not args.tls:
        parser.error("--client-ca and --tls-max need --tls")
    try:
        scenario = load(args.scenario, dict(args.set))
        tls = web.Tls(*args.tls, args.client_ca, args.tls_max) if args.tls else None
    except (BadScenario, OSError) as error:
        print(f"acs.py: {error}", file=sys.stderr)
        return 2
    scenario["hosts"] = scenario.get("hosts", []) + args.host
    scenario["allow"] = scenario.get("allow", []) + args.allow
    faulthandler.enable()  # SIGABRT says where it hangs
    with open(args.log, "w", encoding="utf-8") as log:
        acs = Acs(args.listen, scenario, log, tls)
        signal.set_wakeup_fd(acs.wake_write)  # a signal just before select() is not left until another one comes
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *unused: acs.stop())
        acs.open()
        acs.write(f"{scenario.get('comment', args.scenario)} on {acs.listen[0]} port {acs.listen[1]}")
        status = acs.serve()
    sys.stderr.flush()
    os._exit(status)  # without waiting for what connections' threads still do


if __name__ == "__main__":
    sys.exit(main())
