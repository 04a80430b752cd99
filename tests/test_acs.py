#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the lab's HeMS (lab/acs.py) with a small CPE that behaves well, or breaks one rule at a time.

A judge that lets a fault pass is worse than none, so each rule has CPEs that break it.
"""

import hashlib
import io
import json
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

LAB = Path(__file__).resolve().parent / "lab"
sys.path.insert(0, str(LAB))
import acs  # noqa: E402
import web  # noqa: E402
from rules import FORCED, LTE, RULES  # noqa: E402

LIST = LTE + "Gateway.S1SigLinkServerList"
PORT = LTE + "Gateway.S1SigLinkPort"
KEY = "Device.ManagementServer.ParameterKey"
URL = "Device.ManagementServer.URL"
SEGWS = [f"{LTE}Gateway.SecGWServer{i}" for i in (1, 2, 3)]
GPS = "Device.FAP.GPS."
HEMS = "hems-initial.example.net"
CELLS = "Device.Services.FAPService.1.CellConfig.LTE.RAN.NeighborList.LTECell."
INTERVAL = "Device.ManagementServer.PeriodicInformInterval"
BOOLEANS = (LTE + "OpState", LTE + "RFTxStatus", LTE + "AdminState", "Device.ManagementServer.PeriodicInformEnable")
READ_ONLY = (LTE + "OpState", LTE + "RFTxStatus", "Device.DeviceInfo.SoftwareVersion", "Device.RootDataModelVersion",
             KEY)
CELL1 = "Device.Services.FAPService.1.REM.LTE.Cell.1."
UNSIGNED = (PORT, INTERVAL, CELL1 + "RF.PhyCellID")
INTS = (GPS + "LockedLatitude", GPS + "LockedLongitude")
SPACES = ('xmlns:soap-env="http://schemas.xmlsoap.org/soap/envelope/" '
          'xmlns:soap-enc="http://schemas.xmlsoap.org/soap/encoding/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
          'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:cwmp="urn:dslforum-org:cwmp-1-0"')


def kind(name):
    return ("xsd:boolean" if name in BOOLEANS else "xsd:unsignedInt" if name in UNSIGNED else
            "xsd:int" if name in INTS else "xsd:string")


def structs(values):
    items = "".join(f'<ParameterValueStruct><Name>{n}</Name><Value xsi:type="{kind(n)}">{v}</Value>'
                    "</ParameterValueStruct>" for n, v in values.items())
    return f'<ParameterList soap-enc:arrayType="cwmp:ParameterValueStruct[{len(values)}]">{items}</ParameterList>'


def envelope(ident, body):
    return (f'<?xml version="1.0" encoding="UTF-8"?><soap-env:Envelope {SPACES}><soap-env:Header>'
            f'<cwmp:ID soap-env:mustUnderstand="1">{ident}</cwmp:ID></soap-env:Header>'
            f"<soap-env:Body>{body}</soap-env:Body></soap-env:Envelope>")


def rpc(name, content=""):
    return f"<cwmp:{name}>{content}</cwmp:{name}>"


def fault(code, parameters=()):
    side = "Server" if code in (9000, 9001, 9002, 9004, 9009) else "Client"
    each = "".join(f"<SetParameterValuesFault><ParameterName>{n}</ParameterName><FaultCode>{c}</FaultCode>"
                   "<FaultString>bad</FaultString></SetParameterValuesFault>" for n, c in parameters)
    return (f"<soap-env:Fault><faultcode>{side}</faultcode><faultstring>CWMP fault</faultstring><detail><cwmp:Fault>"
            f"<FaultCode>{code}</FaultCode><FaultString>bad</FaultString>{each}</cwmp:Fault></detail></soap-env:Fault>")


class Cpe:
    """A CPE with a handful of parameters. *mangle*(name, head lines, body) may change each message on its way.
    *extra* is what its Informs hold besides the forced parameters. *tls*: an SSLContext, for https."""

    def __init__(self, address, mangle=None, credentials=None, patience=10, extra=None, tls=None):
        self.extra = extra or {}
        self.address, self.mangle, self.credentials, self.patience = address, mangle, credentials, patience
        self.tls = tls
        self.values = {name: "" for name in FORCED}
        self.values.update({LIST: "", URL: "", **{name: "" for name in SEGWS}, PORT: "36412", LTE + "Gateway.S1ConnectionMode": "One", INTERVAL: "3600",
                            **{name: "0" for name in BOOLEANS}})
        self.values.update({"Device.RootDataModelVersion": "2.17", "Device.DeviceInfo.SoftwareVersion": "0.1.0"})
        self.attributes, self.added = {}, 0
        self.retries = 0
        self.bootstrap = True
        self.sock = None
        self.cookies = {}
        self.digest = None
        self.count = 0

    # ---- HTTP

    def connect(self):
        self.close()
        self.sock = socket.create_connection(self.address, self.patience)
        if self.tls:
            self.sock = self.tls.wrap_socket(self.sock, server_hostname=HEMS)
        self.count = 0

    def close(self):
        if self.sock:
            self.sock.close()
        self.sock = None

    def post(self, name, body):
        """Sends one POST, gives (status, headers, body). Raises OSError when there is no whole answer."""
        if self.sock is None:
            self.connect()
        lines = ["POST /acs HTTP/1.1", f"Host: {self.address[0]}:{self.address[1]}"]
        if body:
            lines += ["Content-Type: text/xml; charset=utf-8", "SOAPAction:"]
        if self.cookies:
            lines.append("Cookie: " + "; ".join(f"{n}={v}" for n, v in self.cookies.items()))
        if self.digest:
            lines.append("Authorization: " + self.authorization())
        lines.append("Content-Length: LENGTH")
        if self.mangle:
            lines, body = self.mangle(name, lines, body)
        data = body.encode("utf-8", "surrogateescape")
        lines = [line.replace("LENGTH", str(len(data))) for line in lines]
        self.sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
        return self.receive()

    def receive(self):
        with self.sock.makefile("rb") as stream:
            return self.receive_from(stream)

    def receive_from(self, stream):
        status, headers = stream.readline(), []
        while (line := stream.readline()) != b"\r\n":
            if not line:
                raise OSError("closed")
            headers.append(tuple(line.decode().strip().split(": ", 1)))
        named = dict(headers)
        if "Transfer-Encoding" in named:
            body = b""
            while size := int(stream.readline(), 16):
                body += stream.read(size + 2)[:-2]
            stream.readline()
        else:
            length = int(named.get("Content-Length", 0)) if not status.startswith(b"HTTP/1.0") else -1
            body = stream.read(length)
            if length > len(body):
                raise OSError("truncated")
        for name, value in headers:
            if name == "Set-Cookie":
                cookie, _, value = value.partition(";")[0].partition("=")
                self.cookies[cookie] = value
        if named.get("Connection") == "close":
            self.close()
        return int(status.split()[1]), named, body.decode()

    def authorization(self):
        self.count += 1
        user, password = self.credentials
        md5 = lambda text: hashlib.md5(text.encode()).hexdigest()  # noqa: E731
        a1, a2 = md5(f"{user}:{self.digest['realm']}:{password}"), md5("POST:/acs")
        nonce, count = self.digest["nonce"], f"{self.count:08x}"
        return (f'Digest username="{user}", realm="{self.digest["realm"]}", nonce="{nonce}", uri="/acs", '
                f'cnonce="c", nc={count}, qop=auth, opaque="{self.digest["opaque"]}", '
                f'response="{md5(f"{a1}:{nonce}:{count}:c:auth:{a2}")}"')

    # ---- CWMP

    def inform(self):
        codes = ["0 BOOTSTRAP", "1 BOOT"] if self.bootstrap else ["2 PERIODIC"]
        items = "".join(f"<EventStruct><EventCode>{code}</EventCode><CommandKey></CommandKey></EventStruct>"
                        for code in codes)
        return rpc("Inform", "<DeviceId><Manufacturer>Example</Manufacturer><OUI>0A1B2C</OUI><ProductClass>HeNB"
                   "</ProductClass><SerialNumber>1</SerialNumber></DeviceId>"
                   f'<Event soap-enc:arrayType="cwmp:EventStruct[{len(codes)}]">{items}</Event>'
                   "<MaxEnvelopes>1</MaxEnvelopes><CurrentTime>2026-11-23T10:00:00Z</CurrentTime>"
                   f"<RetryCount>{self.retries}</RetryCount>" + structs({**{n: self.values[n] for n in FORCED}, **self.extra}))

    def attempt(self):
        """One session. Gives whether it went well."""
        self.cookies, self.digest = {}, None
        try:
            self.connect()
            ok = self.session()
        except OSError:
            ok = False
        self.close()
        self.retries = 0 if ok else self.retries + 1
        return ok

    def session(self):
        inform = envelope("me", self.inform())
        status, headers, body = self.post("Inform", inform)
        if status == 401 and self.credentials:
            self.digest = dict(re.findall(r'(\w+)="([^"]*)"', headers["WWW-Authenticate"]))
            status, headers, body = self.post("Inform", inform)
        if status != 200 or "InformResponse" not in body or ":Boddy" in body or "dslforum-org:cwmp-1-0" not in body:
            return False
        self.bootstrap = False
        status, headers, body = self.post("empty", "")
        while status == 200 and body:
            ident = re.search(r":ID [^>]*>([^<]*)<|$", body)[1] or ""
            answer = self.answer(body)
            name = "Fault" if "soap-env:Fault" in answer else re.search(r"<cwmp:(\w+)", answer)[1]
            status, headers, body = self.post(name, envelope(ident, answer))
            if name == "FactoryResetResponse":
                self.close()
                return 200 <= status < 300
        return status in (200, 204)

    def answer(self, body):
        name = re.search(r"Body.*?>\s*<\w+:(\w+)>", body, re.S)[1]
        return getattr(self, name, lambda unused: fault(9000))(body)

    def GetRPCMethods(self, body):
        names = acs.METHODS
        items = "".join(f"<string>{n}</string>" for n in names)
        return rpc("GetRPCMethodsResponse",
                   f'<MethodList soap-enc:arrayType="xsd:string[{len(names)}]">{items}</MethodList>')

    def GetParameterNames(self, body):
        path = re.search(r"<ParameterPath>\s*([^<]*)<", body)[1]
        below = [re.findall(r"[^.]+\.?", n[len(path):]) for n in self.values if n.startswith(path)]
        depth = 1 if re.search("<NextLevel>(1|true)<", body) else 99
        names = {path + "".join(parts[:i]) for parts in below for i in range(1, min(len(parts), depth) + 1)}
        items = "".join(f"<ParameterInfoStruct><Name>{n}</Name><Writable>0</Writable></ParameterInfoStruct>"
                        for n in sorted(names))
        return rpc("GetParameterNamesResponse",
                   f'<ParameterList soap-enc:arrayType="cwmp:ParameterInfoStruct[{len(names)}]">{items}'
                   "</ParameterList>")

    def GetParameterValues(self, body):
        found = {}
        for name in re.findall(r"<string>([^<]*)<", body):
            matches = [n for n in self.values if n == name or name.endswith(".") and n.startswith(name)]
            if not matches:
                return fault(9005)
            found.update({n: self.values[n] for n in matches})
        return rpc("GetParameterValuesResponse", structs(found))

    def AddObject(self, body):
        table = re.search(r"<ObjectName>([^<]*)<", body)[1]
        if table != CELLS:
            return fault(9005)
        self.added += 1
        self.values[f"{table}{self.added}.Enable"] = "0"
        return rpc("AddObjectResponse", f"<InstanceNumber>{self.added}</InstanceNumber><Status>0</Status>")

    def DeleteObject(self, body):
        row = re.search(r"<ObjectName>([^<]*)<", body)[1]
        if not [self.values.pop(name) for name in list(self.values) if name.startswith(row)]:
            return fault(9005)
        return rpc("DeleteObjectResponse", "<Status>0</Status>")

    def SetParameterAttributes(self, body):
        self.attributes.update(re.findall(r"<Name>([^<]*)</Name><NotificationChange>1</NotificationChange>"
                                          r"<Notification>(\d)<", body))
        return rpc("SetParameterAttributesResponse")

    def GetParameterAttributes(self, body):
        names = [n for path in re.findall(r"<string>([^<]*)<", body) for n in self.values
                 if n == path or path in ("", "Device.")]
        items = "".join(f"<ParameterAttributeStruct><Name>{n}</Name><Notification>{self.attributes.get(n, 0)}"
                        '</Notification><AccessList soap-enc:arrayType="xsd:string[1]"><string>Subscriber</string>'
                        "</AccessList></ParameterAttributeStruct>" for n in names)
        return rpc("GetParameterAttributesResponse", f'<ParameterList soap-enc:arrayType="cwmp:ParameterAttributeStruct'
                   f'[{len(names)}]">{items}</ParameterList>')

    def FactoryReset(self, body):
        return rpc("FactoryResetResponse")

    def SetParameterValues(self, body):
        pairs = re.findall(r"<Name>([^<]*)</Name><Value[^>]*>([^<]*)<", body)
        faults = []
        for name, value in pairs:
            bad = (9005 if name not in self.values else 9008 if name in READ_ONLY else
                   9007 if kind(name) == "xsd:unsignedInt" and not value.isdecimal() else
                   9007 if kind(name) == "xsd:boolean" and value not in ("0", "1", "true", "false") else
                   9007 if name == PORT and int(value) > 65535 else
                   9003 if [n for n, v in pairs].count(name) > 1 else None)
            if bad and (name, bad) not in faults:
                faults.append((name, bad))
        if faults:
            return fault(9003, faults)
        self.values.update(pairs)
        self.values[KEY] = re.search(r"<ParameterKey>([^<]*)<", body)[1]
        return rpc("SetParameterValuesResponse", "<Status>0</Status>")


class Lab(unittest.TestCase):
    """An ACS in a thread, with its verdict."""

    server_tls = None  # a web.Tls

    def start(self, scenario):
        if isinstance(scenario, str):
            scenario = acs.load(LAB / "acs" / scenario)
        self.log = io.StringIO()
        self.acs = acs.Acs(("127.0.0.1", 0), scenario, self.log, self.server_tls)
        self.acs.open()
        self.thread = threading.Thread(target=self.acs.serve, daemon=True)
        self.thread.start()
        return self.acs.listen

    def cpe(self, scenario, **options):
        cpe = Cpe(self.start(scenario), **options)
        self.addCleanup(cpe.close)
        return cpe

    def finish(self):
        self.acs.stop()
        self.thread.join()
        return self.log.getvalue().splitlines()[-1]

    def play(self, scenario, attempts=1, **options):
        """The results of the attempts, and the verdict."""
        cpe = self.cpe(scenario, **options)
        results = [cpe.attempt() for _ in range(attempts)]
        return results, self.finish(), cpe

    def assert_broken(self, rule, verdict):
        self.assertEqual(verdict.split(" (")[0], f"VERDICT fail: {rule}", self.log.getvalue())


class Scenarios(Lab):
    """The scenario files, played by a CPE that does right."""

    FAILS_ONCE = [False, True]
    EXPECTED = {  # file: what becomes of the CPE's sessions, and what the CPE is like
        "register.json": ([True], {}),
        "again.json": ([True], {}),
        "mme-by-name.json": ([True], {}),
        "admin-false.json": ([True], {}),
        "no-mme.json": ([True], {}),
        "late-mme.json": ([True, True, True], {}),
        "break-after-spv.json": (FAILS_ONCE, {}),
        "spv-faults.json": ([True], {}),
        "cookies.json": ([True, True, True], {}),
        "chunked.json": ([True], {}),
        "close-each.json": ([True], {}),
        "old-http.json": ([True], {}),
        "odd-xml.json": ([True], {}),
        "digest.json": ([True, True], {"credentials": ("0A1B2C-HeNB-1", "not a secret")}),
        "hems-404.json": ([False, False, True], {}),
        "hems-500.json": (FAILS_ONCE, {}),
        "hems-503.json": (FAILS_ONCE, {}),
        "hems-401.json": (FAILS_ONCE, {}),
        "hems-401-basic.json": (FAILS_ONCE, {}),
        "hems-html.json": (FAILS_ONCE, {}),
        "hems-malformed-xml.json": (FAILS_ONCE, {}),
        "hems-truncated.json": (FAILS_ONCE, {}),
        "hems-namespace.json": (FAILS_ONCE, {}),
        "hems-fault.json": (FAILS_ONCE, {}),
        "hems-reset.json": (FAILS_ONCE, {}),
        "hems-cut.json": (FAILS_ONCE, {}),
        "hems-silent.json": (FAILS_ONCE, {"patience": 0.5}),
        "initial.json": ([True], {}),
        "initial-with-mme.json": ([True], {}),
        "factory-reset.json": ([True, True], {}),
        "factory-reset-after-spv.json": ([True], {}),
        "factory-reset-broken.json": (FAILS_ONCE, {}),
        "locate.json": ([True], {"extra": {GPS + "LockedLatitude": "52520008", GPS + "LockedLongitude": "13404954"}}),
    }

    def test_all(self):
        files = {path.name for path in (LAB / "acs").glob("*.json")}
        self.assertEqual(files, {"hems-down.json", *self.EXPECTED})
        for name, (expected, options) in self.EXPECTED.items():
            with self.subTest(name):
                results, verdict, _ = self.play(name, len(expected), **options)
                self.assertEqual((results, verdict), (expected, "VERDICT ok"), self.log.getvalue())

    def test_closed_port(self):
        scenario = acs.load(LAB / "acs" / "hems-down.json")
        scenario["sessions"]["1"]["refuse_seconds"] = 0.3
        cpe = self.cpe(scenario)
        refused = 0
        while not cpe.attempt():
            refused += 1
        self.assertEqual(self.finish(), "VERDICT ok", self.log.getvalue())
        self.assertGreater(refused, 0)

    def test_register_sets_what_it_says(self):
        _, _, cpe = self.play("register.json")
        self.assertEqual((cpe.values[LIST], cpe.values[PORT], cpe.values[KEY]), ("10.0.0.20", "36412", "registered"))

    def test_places_are_told_apart(self):
        for extra, url in (({GPS + "LockedLatitude": "52520008", GPS + "LockedLongitude": "13404954"}, "serving"),
                           ({GPS + "LockedLatitude": "48000000", GPS + "LockedLongitude": "13404954"}, "elsewhere"),
                           ({CELL1 + "BCCH.PLMNList.1.PLMNID": "00101", CELL1 + "RF.PhyCellID": "7"}, "serving"),
                           ({}, None)):
            with self.subTest(extra):
                _, verdict, cpe = self.play("locate.json", extra=extra)
                self.assertEqual(verdict, "VERDICT ok", self.log.getvalue())
                self.assertEqual(cpe.values[URL], f"http://hems-{url}.operator.example:7547/" if url else "")
                self.assertEqual(cpe.values[SEGWS[0]], f"segw-{url}.operator.example" if url else "")

    def test_values_of_the_lab_in_a_scenario(self):
        text = json.dumps(acs.load(LAB / "acs" / "initial-with-mme.json", {"MME": "10.0.0.77", "SEGW2": "192.0.2.7"}))
        for value in (acs.VALUES["SERVING_URL"], acs.VALUES["SEGW1"], "10.0.0.77", "192.0.2.7"):
            self.assertIn(f'"{value}"', text)
        self.assertNotIn("$", text)

    def test_wrong_scenarios_are_refused(self):
        for text in ('{"step": []}', '{"steps": [{"rpc": "GetParameterNames", "path": ""}]}', '{"then": "404"}', "[",
                     '{"sessions": {"one": {}}}', '{"sessions": {"1": {"expect": 1}}}', '{"allow": ["NO-RULE"]}',
                     '{"extends": "missing.json"}', '{"cases": [{"steps": []}, {"if": {}, "steps": []}]}',
                     '{"fault": {"on": "Inform", "when": 1}}'):
            with self.subTest(text), tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                file.write(text)
                file.flush()
                self.assertRaises(acs.BadScenario, acs.load, file.name)


def head(old, new):
    """Changes the lines of a request's head."""
    return lambda lines, body: ([line for line in "\n".join(lines).replace(old, new).split("\n") if line], body)


def change(pattern, new):
    """Changes the first match in the body."""
    return lambda lines, body: (lines, re.sub(pattern, new, body, count=1, flags=re.S))


def emptied(lines, body):
    """Sends an empty POST instead."""
    return [line for line in lines if line[0] not in "CS"] + ["Content-Length: 0"], ""


AUTH = {"auth": {"type": "digest", "username": "u", "password": "p"}}
COOKIES = {"cookies": ["a=1", "b=2; Path=/"]}
FAULTS = {"steps": [{"rpc": "GetParameterValues", "names": ["Device.No"], "fault": 9005}]}
SPV = {"steps": [{"rpc": "SetParameterValues", "set": [["Device.No", "xsd:string", ""]], "fault": 9003}]}
TWO_FAULTS = {"steps": [{"rpc": "SetParameterValues", "set": [["Device.No", "xsd:string", ""]], "fault": 9003,
                         "parameter_faults": {"Device.No": 9007}}]}
SAID = {"steps": [{"rpc": "SetParameterValues", "set": [["Device.No", "xsd:string", ""]], "fault": 9003,
                   "parameter_texts": {"Device.No": "~b.d"}}]}
GPN = {"steps": [{"rpc": "GetParameterNames", "path": "Device.", "next_level": True}]}
WALK = {"steps": [{"rpc": "GetParameterNames", "path": "Device.", "next_level": False}]}
GPV = {"steps": [{"rpc": "GetParameterValues", "names": [KEY]}]}
SET = {"steps": [{"rpc": "SetParameterValues", "set": [[LIST, "xsd:string", "x"]], "status": 0}]}
READ_ALL = {"steps": [WALK["steps"][0], {"rpc": "GetParameterValues", "names": ["Device."]}]}
READ_EACH = {"steps": [{**WALK["steps"][0], "read_in": 3}]}
ADD = {"rpc": "AddObject", "object": CELLS, "parameter_key": "k"}
ROWS = {"steps": [
    {**ADD, "instance": 1, "status": 0}, {**ADD, "instance": ">1"}, WALK["steps"][0],
    {"rpc": "DeleteObject", "object": CELLS + "1.", "status": 0},
    {"rpc": "DeleteObject", "object": CELLS + "1.", "fault": 9005},
    {"rpc": "AddObject", "object": "Device.DeviceInfo.", "fault": 9005},
    {"rpc": "GetParameterValues", "names": ["Device."], "contains": [CELLS + "2.Enable"]}]}
ATTRIBUTES = {"steps": [
    {"rpc": "SetParameterAttributes", "attributes": [[KEY, 2, ["Subscriber"]], [LIST, 1, None], [URL, None, []]]},
    {"rpc": "GetParameterAttributes", "names": [KEY, LIST, URL], "notifications": {KEY: 2, LIST: 1, URL: 0}},
    {"rpc": "GetParameterAttributes", "names": ["Device."], "notifications": {KEY: 2, LIST: 1, URL: 0}}]}
METHODS = {"steps": [{"rpc": "GetRPCMethods"}]}
BAD_EVENT = "<EventStruct><EventCode>1 BOOT</EventCode><CommandKey></CommandKey></EventStruct>"

# rule, the message that breaks it, how, and the scenario (none: no steps)
BREAKERS = [
    ("HTTP-POST", "Inform", head("POST ", "PUT "), {}),
    ("HTTP-POST", "Inform", head("HTTP/1.1", "HTTP/1.0"), {}),
    ("HTTP-POST", "empty", head("POST /", "POST http://hems/"), {}),
    ("HTTP-POST", "Inform", head("Host:", "Bad header: x\nHost:"), {}),
    ("HTTP-HOST", "Inform", head("Host: ", "X: "), {}),
    ("HTTP-HOST", "empty", head("Host: 127.0.0.1:", "Host: 127.0.0.1:1"), {}),
    ("HTTP-HOST", "Inform", head("Host: 127.0.0.1", "Host: other.example"), {"hosts": ["hems.operator.example"]}),
    ("HTTP-HOST", "Inform", head("Host:", "Host: 127.0.0.1\nHost:"), {}),
    ("HTTP-LENGTH", "empty", head("Content-Length: LENGTH", "X: y"), {}),
    ("HTTP-LENGTH", "Inform", head("Content-Length:", "Transfer-Encoding: chunked\nContent-Length:"), {}),
    ("HTTP-LENGTH", "Inform", head("Content-Length: LENGTH", "Content-Length: LENGTH\nContent-Length: LENGTH"), {}),
    ("HTTP-EXPECT", "Inform", head("Host:", "Expect: 100-continue\nHost:"), {}),
    ("HTTP-TYPE", "Inform", head("text/xml", "application/soap+xml"), {}),
    ("HTTP-TYPE", "Inform", head("charset=utf-8", "charset=iso-8859-1"), {}),
    ("HTTP-TYPE", "GetRPCMethodsResponse", head("Content-Type", "X-Type"), METHODS),
    ("HTTP-ENCODING", "Inform", head("Host:", "Content-Encoding: gzip\nHost:"), {}),
    ("HTTP-ACTION", "Inform", head("SOAPAction:", 'SOAPAction: ""'), {}),
    ("HTTP-ACTION", "Inform", head("SOAPAction:", "X:"), {}),
    ("HTTP-EMPTY", "empty", head("Host:", "SOAPAction:\nHost:"), {}),
    ("HTTP-EMPTY", "empty", head("Host:", "Content-Type: text/xml\nHost:"), {}),
    ("HTTP-PIPELINE", "Inform", lambda lines, body: ([line.replace("LENGTH", str(len(body))) for line in lines],
                                                     body + "POST / HTTP/1.1\r\n\r\n"), {}),
    ("COOKIE-BACK", "empty", head("; b=2", ""), COOKIES),
    ("COOKIE-BACK", "empty", head("b=2", "b=2; Path=/"), COOKIES),
    ("COOKIE-BACK", "empty", head("; b=2", "\nCookie: b=2"), COOKIES),
    ("COOKIE-BACK", "GetRPCMethodsResponse", head("a=1", "a=2"), {**COOKIES, **METHODS}),
    ("COOKIE-OLD", "Inform", head("Host:", "Cookie: a=1\nHost:"), COOKIES),
    ("AUTH-DIGEST", "empty", head('username="u"', 'username="v"'), AUTH),
    ("AUTH-DIGEST", "empty", head('uri="/acs"', 'uri="/"'), AUTH),
    ("AUTH-DIGEST", "empty", head("qop=auth", 'qop="auth"'), AUTH),
    ("AUTH-DIGEST", "empty", head("nc=00000002", "nc=00000001"), AUTH),
    ("AUTH-DIGEST", "empty", head('cnonce="c"', 'cnonce="d"'), AUTH),
    ("AUTH-DIGEST", "empty", head("opaque", "opague"), AUTH),
    ("AUTH-CLEAR", "Inform", head("Authorization: Digest", "Authorization: Basic"), AUTH),
    ("AUTH-KEEP", "empty", head("Authorization", "X"), AUTH),
    ("XML-FORM", "Inform", change("</cwmp:Inform>", "</cwmp:Infrom>"), {}),
    ("XML-FORM", "Inform", change("$", "<again/>"), {}),
    ("XML-FORM", "Inform", change("Example", "\udcff"), {}),
    ("XML-FORM", "Inform", change("UTF-8", "ISO-8859-1"), {}),
    ("XML-PLAIN", "Inform", change("<soap-env:Envelope", "<!DOCTYPE x><soap-env:Envelope"), {}),
    ("XML-PLAIN", "Inform", change("<soap-env:Envelope", "<?x y?><soap-env:Envelope"), {}),
    ("XML-QUOTES", "Inform", change('"xsd:string"', "'xsd:string'"), {}),
    ("SOAP-ENVELOPE", "Inform", change("schemas.xmlsoap.org/soap/envelope/", "www.w3.org/2003/05/soap-envelope"), {}),
    ("SOAP-ENVELOPE", "Inform", change("<soap-env:Header>.*</soap-env:Header>", ""), {}),
    ("SOAP-ENVELOPE", "Inform", change("</soap-env:Body>", "<x/></soap-env:Body>"), {}),
    ("SOAP-NAMESPACE", "Inform", change("cwmp-1-0", "cwmp-1-4"), {}),
    ("SOAP-NAMESPACE", "Inform", change("cwmp-1-0", "cwmp-1-2"), {}),
    ("SOAP-NAMESPACE", "Fault", change("cwmp-1-0", "cwmp-1-1"), FAULTS),
    ("SOAP-HEADER", "Inform", change("</soap-env:Header>", "<x/></soap-env:Header>"), {}),
    ("SOAP-HEADER", "Inform", change("</cwmp:ID>", "</cwmp:ID><cwmp:HoldRequests>0</cwmp:HoldRequests>"), {}),
    ("SOAP-HEADER", "Inform", change("</soap-env:Header>", '<cwmp:SupportedCWMPVersions soap-env:mustUnderstand="1">1.0'
                                     "</cwmp:SupportedCWMPVersions></soap-env:Header>"), {}),
    ("SOAP-ID", "Inform", change(' soap-env:mustUnderstand="1"', ""), {}),
    ("SOAP-ID", "Inform", change("soap-env:mustUnderstand", "cwmp:mustUnderstand"), {}),
    ("SOAP-ID", "Inform", change("<cwmp:ID.*</cwmp:ID>", ""), {}),
    ("SOAP-ECHO", "GetRPCMethodsResponse", change(">1-1<", "> 1-1<"), METHODS),
    ("SOAP-FIELDS", "Inform", change("<MaxEnvelopes>1</MaxEnvelopes>", ""), {}),
    ("SOAP-FIELDS", "Inform", change("(<MaxEnvelopes>.*)(<RetryCount>.*</RetryCount>)", r"\2\1"), {}),
    ("SOAP-FIELDS", "Inform", change("<Manufacturer>Example</Manufacturer>", ""), {}),
    ("SOAP-FIELDS", "Inform", change("<Name>[^<]*</Name>", ""), {}),
    ("SOAP-FIELDS", "Inform", change("RetryCount>0</RetryCount", "cwmp:RetryCount>0</cwmp:RetryCount"), {}),
    ("SOAP-FIELDS", "SetParameterValuesResponse", change("<Status>0", "<Status>2"), SET),
    ("SOAP-FIELDS", "GetParameterValuesResponse", change("(<ParameterValueStruct>.*</ParameterValueStruct>)", r"\1\1"),
     {**GPV, "allow": ["SOAP-ARRAY"]}),
    ("SOAP-ARRAY", "Inform", change(r"EventStruct\[2\]", "EventStruct[1]"), {}),
    ("SOAP-ARRAY", "Inform", change("cwmp:EventStruct", "xsd:EventStruct"), {}),
    ("SOAP-ARRAY", "Inform", change(' soap-enc:arrayType="cwmp:Par[^"]*"', ""), {}),
    ("SOAP-ARRAY", "GetRPCMethodsResponse", change('"xsd:string', '"cwmp:string'), METHODS),
    ("SOAP-TYPE", "Inform", change(' xsi:type="xsd:string"', ""), {}),
    ("SOAP-TYPE", "Inform", change("xsd:string", "xsd:json"), {}),
    ("SOAP-TYPE", "Inform", change("xsd:string", "string"), {}),
    ("SOAP-TYPE", "Inform", change('"xsd:boolean">0', '"xsd:boolean">no'), {}),
    ("SOAP-TYPE", "Inform", change('"xsd:boolean"', '"xsd:int"'), {}),
    ("SOAP-FAULT", "Fault", change("CWMP fault", "CWMP Fault"), FAULTS),
    ("SOAP-FAULT", "Fault", change("<faultcode>Client", "<faultcode>soap-env:Client"),
     {**FAULTS, "allow": ["FAULT-CODE"]}),
    ("SOAP-FAULT", "Fault", change("<detail>.*</detail>", "<detail></detail>"), FAULTS),
    ("FAULT-CODE", "Fault", change("<faultcode>Client", "<faultcode>Server"), FAULTS),
    ("FAULT-CODE", "Fault", change("9005", "8005"), FAULTS),
    ("FAULT-CODE", "Fault", change("<FaultCode>9005", "<FaultCode>x"), SPV),
    ("INFORM-FIRST", "Inform", emptied, {}),
    ("INFORM-FIRST", "Inform", change("<cwmp:Inform>.*</cwmp:Inform>", "<cwmp:GetRPCMethods/>"), {}),
    ("INFORM-ONCE", "GetRPCMethodsResponse", change("GetRPCMethodsResponse>.*GetRPCMethodsResponse>", "Inform></cwmp:Inform>"),
     METHODS),
    ("INFORM-DEVICE", "Inform", change("0A1B2C", "0a1b2c"), {}),
    ("INFORM-DEVICE", "Inform", change("<SerialNumber>1", "<SerialNumber>"), {}),
    ("INFORM-EVENT", "Inform", change("1 BOOT<", "1 REBOOT<"), {}),
    ("INFORM-EVENT", "Inform", change("<CommandKey></", "<CommandKey>k</"), {}),
    ("INFORM-EVENT", "Inform", change(r"\[2\](.*)</Event>", r"[3]\1" + BAD_EVENT + "</Event>"), {}),
    ("INFORM-ENVELOPES", "Inform", change("Envelopes>1<", "Envelopes>2<"), {}),
    ("INFORM-TIME", "Inform", change("10:00:00Z", "10:00:00"), {}),
    ("INFORM-RETRY", "Inform", change("<RetryCount>0", "<RetryCount>"), {}),
    ("INFORM-RETRY", "Inform", change("<RetryCount>0", "<RetryCount>1"), {"inform": {"retry_count": "counted"}}),
    ("INFORM-FORCED", "Inform", change("RFTxStatus", "Other"), {}),
    ("INFORM-FORCED", "Inform", change("(ConnectionRequestURL</Name><[^>]*>)", r"\1https://10.64.0.1:7547/"), {}),
    ("RPC-ANSWER", "GetRPCMethodsResponse", emptied, METHODS),
    ("RPC-ANSWER", "GetRPCMethodsResponse", change("GetRPCMethodsResponse>.*</cwmp:GetRPCMethodsResponse",
                                                   "RebootResponse></cwmp:RebootResponse"), METHODS),
    ("RPC-ANSWER", "GetRPCMethodsResponse", change("GetRPCMethodsResponse>(.*)GetRPCMethodsResponse>", r"Foo>\1Foo>"),
     METHODS),
    ("RPC-NAMES", "GetParameterNamesResponse", change("Device.DeviceInfo.<", "Device.DeviceInfo.X<"), GPN),
    ("RPC-NAMES", "GetParameterNamesResponse", change("Device.DeviceInfo.<", "Device.<"), GPN),
    ("RPC-NAMES", "GetParameterNamesResponse", change("Device.DeviceInfo.<", "Device.DeviceInfo.X<"), WALK),
    ("RPC-VALUES", "GetParameterValuesResponse", change("ParameterKey", "Other"), GPV),
    ("RPC-VALUES", "GetParameterValuesResponse",
     change(r"\[1\](.*)(<ParameterValueStruct>)", r"[2]\1\2<Name>Device.X</Name>" r'<Value xsi:type="xsd:string"></Value></ParameterValueStruct>\2'), GPV),
    ("RPC-LISTED", "GetParameterValuesResponse", change("RFTxStatus", "Other"), {**READ_ALL, "allow": ["RPC-VALUES"]}),
    ("RPC-LISTED", "GetParameterNamesResponse", change("RFTxStatus", "Other"), READ_ALL),
    ("RPC-VALUES", "GetParameterValuesResponse", change("RFTxStatus", "Other"), READ_EACH),
    ("RPC-ATTRIBUTES", "GetParameterAttributesResponse", change("ParameterKey", "Other"), ATTRIBUTES),
    ("RPC-ATTRIBUTES", "GetParameterAttributesResponse", change(re.escape(LIST), KEY), ATTRIBUTES),
    ("RPC-ATTRIBUTES", "GetParameterAttributesResponse", change("<Notification>2", "<Notification>7"), ATTRIBUTES),
    ("SOAP-ARRAY", "GetParameterAttributesResponse", change(r"xsd:string\[1", "xsd:string[2"), ATTRIBUTES),
    ("SCENARIO", "GetParameterAttributesResponse", change("<Notification>2", "<Notification>1"), ATTRIBUTES),
    ("OBJECT-NUMBER", "AddObjectResponse", change("Number>2<", "Number>1<"), ROWS),
    ("SOAP-FIELDS", "AddObjectResponse", change("Number>1<", "Number>0<"), ROWS),
    ("SCENARIO", "AddObjectResponse", change("Number>1<", "Number>3<"), ROWS),
    ("SCENARIO", "DeleteObjectResponse", change("<Status>0", "<Status>1"), ROWS),
    ("SCENARIO", "SetParameterValuesResponse", change("<Status>0", "<Status>1"), SET),
    ("SCENARIO", "GetRPCMethodsResponse", change("GetParameterNames", "GetOptions"), METHODS),
    ("SCENARIO", "Fault", change("9005", "9003"), FAULTS),
    ("SCENARIO", "Fault", change("x^", ""), TWO_FAULTS),
    ("SCENARIO", "Fault", change("bad(.*)bad", r"bad\1good"), SAID),
    ("SCENARIO", "Inform", change("1 BOOT<", "2 PERIODIC<"), {"inform": {"events": ["0 BOOTSTRAP", "1 BOOT"]}}),
    ("SCENARIO", "Inform", change("1 BOOT<", "2 PERIODIC<"), {"inform": {"events": ["0 BOOTSTRAP", "1 BOOT", "2 PERIODIC?"]}}),
    ("SCENARIO", "Inform", change("x^", ""), {"expect": {"informs": 2}}),
    ("SCENARIO", "Inform", change("x^", ""), {"expect": {"events": [["1 BOOT"]]}}),
    ("SCENARIO", "Inform", change("x^", ""), {"inform": {"parameters": {KEY: "x"}}}),
    ("SCENARIO", "Inform", change("x^", ""), {"inform": {"absent": [KEY]}}),
    ("SCENARIO", "Inform", change("x^", ""), {"inform": {"absent": ["Device.DeviceInfo."]}}),
    ("SCENARIO", "Inform", change("x^", ""), {"cases": [{"parameters": {KEY: "x"}, "steps": []}]}),
    ("SCENARIO", "Inform", change("x^", ""), {"expect": {"factory_resets": 1}}),
    ("SCENARIO", "GetParameterValuesResponse", change("x^", ""),
     {"steps": [{"rpc": "GetParameterValues", "names": [KEY], "values": {KEY: "~.+"}}]}),
    ("SCENARIO", "GetParameterNamesResponse", change("x^", ""),
     {"steps": [{**GPN["steps"][0], "writable": {"Device.DeviceInfo.": True}}]}),
]


class Breakers(Lab):
    """A CPE that breaks a rule, for each rule. What needs more than a change of a message has a test of its own,
    named after the rule."""

    def test_changed_messages(self):
        for rule, message, how, scenario in BREAKERS:
            with self.subTest(rule, message=message, scenario=scenario):
                changed = []

                def mangle(name, lines, body):
                    if name != message:
                        return lines, body
                    changed.append(name)
                    return how(lines, body)

                credentials = ("u", "p") if "auth" in scenario else None
                _, verdict, _ = self.play(scenario, mangle=mangle, credentials=credentials, patience=2)
                self.assertTrue(changed)
                self.assert_broken(rule, verdict)

    def test_each_rule_has_a_breaker(self):
        own = {name[5:].replace("_", "-") for name in dir(self) if re.match("test_[A-Z]", name)}
        self.assertEqual({rule for rule, *_ in BREAKERS} | own, set(RULES))

    def test_good_cpe_with_each_scenario_of_the_breakers(self):
        for scenario in (AUTH, COOKIES, FAULTS, SPV, SAID, GPN, WALK, READ_ALL, READ_EACH, ROWS, ATTRIBUTES, GPV, SET,
                         METHODS, {}):
            with self.subTest(scenario=scenario):
                results, verdict, _ = self.play(scenario, credentials=("u", "p"))
                self.assertEqual((results, verdict), ([True], "VERDICT ok"), self.log.getvalue())

    def test_allowed_rule(self):
        _, verdict, _ = self.play({"allow": ["HTTP-EXPECT"]},
                                  mangle=lambda name, lines, body: (lines + ["Expect: 100-continue"], body))
        self.assertEqual(verdict, "VERDICT ok")

    def tell(self, *keys, event="7 TRANSFER COMPLETE"):
        """A session in which these outcomes are told; "k" was asked for."""
        cpe = self.cpe({})
        self.acs.asked_transfers.add("k")
        cpe.post("Inform", envelope("me", cpe.inform().replace("1 BOOT", event)))
        for key in keys:
            time = "<{0}>2026-11-23T10:00:00Z</{0}>"
            status, _, body = cpe.post("TransferComplete", envelope("you", rpc(
                "TransferComplete", f"<CommandKey>{key}</CommandKey><FaultStruct><FaultCode>0</FaultCode><FaultString>"
                "</FaultString></FaultStruct>" + time.format("StartTime") + time.format("CompleteTime"))))
            self.assertEqual(status, 200)
            self.assertRegex(body, ">you<.*TransferCompleteResponse")
        cpe.post("empty", "")
        return self.finish()

    def test_TRANSFER_EVENT(self):
        self.assertEqual(self.tell("k"), "VERDICT ok", self.log.getvalue())
        self.assert_broken("TRANSFER-EVENT", self.tell())
        self.assert_broken("TRANSFER-EVENT", self.tell("k", event="1 BOOT"))

    def test_TRANSFER_ASKED(self):
        self.assert_broken("TRANSFER-ASKED", self.tell("other"))

    def test_TRANSFER_ONCE(self):
        self.assert_broken("TRANSFER-ONCE", self.tell("k", "k"))

    def test_HTTP_CLOSED(self):
        cpe = self.cpe({"then": "close"})
        cpe.connect()
        sock = cpe.sock.dup()  # stays open when the CPE closes
        self.addCleanup(sock.close)
        self.assertTrue(cpe.session())
        sock.sendall(b"POST / HTTP/1.1\r\n")
        self.assert_broken("HTTP-CLOSED", self.finish())

    def test_AUTH_ANSWER(self):
        cpe = self.cpe(AUTH)
        for _ in range(2):
            self.assertEqual(cpe.post("Inform", envelope("me", cpe.inform()))[0], 401)
        self.assert_broken("AUTH-ANSWER", self.finish())

    def test_AUTH_LOOP(self):
        cpe = self.cpe({"auth": {**AUTH["auth"], "reject": True}}, credentials=("u", "p"))
        inform = envelope("me", cpe.inform())
        for _ in range(3):
            status, headers, _ = cpe.post("Inform", inform)
            self.assertEqual(status, 401)
            self.assertIsNone(self.acs.verdict if cpe.count < 2 else None)
            cpe.digest = dict(re.findall(r'(\w+)="([^"]*)"', headers["WWW-Authenticate"]))
        self.assert_broken("AUTH-LOOP", self.finish())

    def test_INFORM_BOOTSTRAP(self):
        cpe = self.cpe({})
        self.assertTrue(cpe.attempt())
        cpe.bootstrap = True
        self.assertTrue(cpe.attempt())
        self.assert_broken("INFORM-BOOTSTRAP", self.finish())

    def test_bootstrap_that_was_not_delivered_comes_again(self):
        results, verdict, _ = self.play({"sessions": {"1": {"fault": {"kind": "drop"}}}}, 2)
        self.assertEqual((results, verdict), ([False, True], "VERDICT ok"), self.log.getvalue())

    def test_RESET_LAST(self):
        cpe = self.cpe("factory-reset-after-spv.json")
        cpe.post("Inform", envelope("me", cpe.inform()))
        body = cpe.post("empty", "")[2]
        for status in (200, 200, 200, 400):  # the last but one is the answer to the FactoryResetResponse
            ident = re.search(r":ID [^>]*>([^<]*)<", body)[1]
            got, _, body = cpe.post("any", envelope(ident, cpe.answer(body)))
            self.assertEqual(got, status)
        self.assert_broken("RESET-LAST", self.finish())

    def test_INFORM_DEREGISTERED(self):
        cpe = self.cpe({"steps": [{"rpc": "FactoryReset"}]})
        self.assertTrue(cpe.attempt())
        self.assertTrue(cpe.attempt())
        self.assert_broken("INFORM-DEREGISTERED", self.finish())

    def test_a_reset_box_may_bootstrap_again(self):
        """And its rows begin with 1 again."""
        cpe = self.cpe({"steps": [ADD, {"rpc": "FactoryReset"}, {"rpc": "GetRPCMethods"}],
                        "allow": ["INFORM-DEREGISTERED"], "expect": {"factory_resets": 2, "sessions_ok": 2}})
        for _ in range(2):
            cpe.bootstrap, cpe.added = True, 0
            self.assertTrue(cpe.attempt())
        self.assertEqual(self.finish(), "VERDICT ok", self.log.getvalue())

    def test_SESSION_ONE(self):
        address = self.start({})
        first, second = Cpe(address), Cpe(address)
        for cpe, status in ((first, 200), (second, 503)):
            self.assertEqual(cpe.post("Inform", envelope("me", cpe.inform()))[0], status)
        second.close()
        first.close()
        self.assert_broken("SESSION-ONE", self.finish())

    def test_agent_that_died_without_a_word(self):
        address = self.start("again.json")
        first, second = Cpe(address), Cpe(address)
        self.addCleanup(first.close)
        self.assertEqual(first.post("Inform", envelope("me", first.inform()))[0], 200)
        self.assertTrue(second.attempt())
        self.assertEqual(self.finish(), "VERDICT ok", self.log.getvalue())

    def test_SESSION_END(self):
        cpe = self.cpe({})
        cpe.post("Inform", envelope("me", cpe.inform()))
        cpe.close()
        with self.acs.lock:
            self.assertTrue(self.acs.changed.wait_for(lambda: self.acs.verdict, 10))
        self.assert_broken("SESSION-END", self.finish())

    def test_end_by_reset(self):
        cpe = self.cpe({})
        cpe.post("Inform", envelope("me", cpe.inform()))
        cpe.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        cpe.close()
        self.assertTrue(Cpe(self.acs.listen).attempt())
        self.assert_broken("SESSION-END", self.finish())

    def test_SESSION_REUSE(self):
        cpe = self.cpe({})
        for _ in range(2):
            self.assertTrue(cpe.session())
        self.assert_broken("SESSION-REUSE", self.finish())

    def test_SESSION_GO_ON(self):
        cpe = self.cpe({"answer": "close"})
        for _ in range(2):
            cpe.post("Inform", envelope("me", cpe.inform()))
        self.assert_broken("SESSION-GO-ON", self.finish())

    def test_SESSION_SILENT(self):
        cpe = self.cpe({"silence": 0.2})
        cpe.post("Inform", envelope("me", cpe.inform()))
        with self.acs.lock:
            self.assertTrue(self.acs.changed.wait_for(lambda: self.acs.session is None, 10))
        self.assert_broken("SESSION-SILENT", self.finish())

    def test_stale_nonce(self):
        cpe = self.cpe(AUTH, credentials=("u", "p"))
        inform = envelope("me", cpe.inform())
        cpe.digest = {"realm": "hems", "nonce": "old", "opaque": ""}
        status, headers, _ = cpe.post("Inform", inform)
        self.assertEqual(status, 401)
        self.assertIn("stale=true", headers["WWW-Authenticate"])
        cpe.digest = dict(re.findall(r'(\w+)="([^"]*)"', headers["WWW-Authenticate"]))
        cpe.count = 0
        self.assertEqual(cpe.post("Inform", inform)[0], 200)
        self.assertEqual(cpe.post("empty", "")[0], 204)
        self.assertEqual(self.finish(), "VERDICT ok", self.log.getvalue())

    def test_requests_of_the_cpe(self):
        cpe = self.cpe({})
        cpe.post("Inform", envelope("me", cpe.inform()))
        status, _, body = cpe.post("GetRPCMethods", envelope("you", "<cwmp:GetRPCMethods/>"))
        self.assertEqual(status, 200)
        self.assertRegex(body, ">you<.*GetRPCMethodsResponse.*<string>TransferComplete<")
        self.assertEqual(cpe.post("empty", "")[0], 204)
        self.assertEqual(self.finish(), "VERDICT ok", self.log.getvalue())

    def test_junk_does_not_stop_it(self):
        address = self.start({"allow": sorted(RULES)})
        for junk in (b"\0" * 70000, b"GET / HTTP/1.1\r\n\r\n", b"x\r\n\r\n",
                     b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n<"):
            with socket.create_connection(address, 10) as sock:
                sock.sendall(junk)
                sock.shutdown(socket.SHUT_WR)
                try:
                    while sock.recv(65536):
                        pass
                except ConnectionResetError:
                    pass
        self.assertTrue(Cpe(address).attempt())
        self.assertEqual(self.finish(), "VERDICT ok", self.log.getvalue())


def make_certificates(case):
    """The lab's certificates, in a folder that goes with the test class."""
    folder = tempfile.TemporaryDirectory()
    case.addClassCleanup(folder.cleanup)
    subprocess.run([LAB / "make-certificates", folder.name], check=True)
    return Path(folder.name)


def client_tls(folder, certificate="henb-ecdsa", version=None):
    """A HeNB's side of TLS."""
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    context.hostname_checks_common_name = False
    if certificate:
        context.load_cert_chain(folder / f"{certificate}.pem", folder / f"{certificate}-key.pem")
    if version:
        context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["http/1.1"])
    return context


class Https(Lab):
    """The HeMS on the public internet."""

    @classmethod
    def setUpClass(cls):
        cls.folder = make_certificates(cls)

    def serve_tls(self, certificate="hems-good", client_ca="ca.pem", newest=None):
        self.server_tls = web.Tls(self.folder / f"{certificate}.pem", self.folder / f"{certificate}-key.pem",
                                  client_ca and self.folder / client_ca, newest)

    def test_registration(self):
        for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            with self.subTest(name):
                self.serve_tls()
                tls = client_tls(self.folder, version=version)
                results, verdict, _ = self.play("register.json", tls=tls)
                self.assertEqual((results, verdict), ([True], "VERDICT ok"), self.log.getvalue())
                self.assertRegex(self.log.getvalue(), f"TLS with 127.0.0.1:[0-9]+: {name} [A-Z0-9_-]+, SNI {HEMS}, "
                                 "ALPN http/1.1, client certificate henb-000001.operator.example\n")

    def test_scenarios(self):
        self.serve_tls()
        for name, (expected, options) in Scenarios.EXPECTED.items():
            with self.subTest(name):
                options = {**options, "tls": client_tls(self.folder)}
                results, verdict, _ = self.play(name, len(expected), **options)
                self.assertEqual((results, verdict), (expected, "VERDICT ok"), self.log.getvalue())

    def test_client_without_a_certificate(self):
        tls = client_tls(self.folder, None)
        self.serve_tls()
        results, verdict, _ = self.play({"expect": {"informs": 0}}, tls=tls)
        self.assertEqual((results, verdict), ([False], "VERDICT ok"), self.log.getvalue())
        self.assertRegex(self.log.getvalue(), "TLS with .* failed: .*peer did not return a certificate")
        self.serve_tls(client_ca=None)
        results, verdict, _ = self.play({}, tls=tls)
        self.assertEqual((results, verdict), ([True], "VERDICT ok"), self.log.getvalue())
        self.assertIn("client certificate none\n", self.log.getvalue())

    def test_client_of_another_ca(self):
        self.serve_tls(client_ca="root-unknown.pem")
        results, _, _ = self.play({}, tls=client_tls(self.folder))
        self.assertEqual(results, [False])
        self.assertRegex(self.log.getvalue(), "TLS with .* failed: .*certificate verify failed")

    def refusal(self, tls=None):
        """What a careful client says of this HeMS."""
        address = self.start({})
        with self.assertRaises(ssl.SSLError) as refused:
            Cpe(address, tls=tls or client_tls(self.folder)).connect()
        self.finish()
        self.assertRegex(self.log.getvalue(), "TLS with .* failed: ")
        return str(refused.exception)

    def test_bad_certificates(self):
        for name, why in (("hems-wrong-name", "not valid for 'hems-initial.example.net'"),
                          ("hems-unknown-ca", "unable to get local issuer"), ("hems-expired", "has expired"),
                          ("hems-not-yet", "is not yet valid")):
            with self.subTest(name):
                self.serve_tls(name)
                self.assertIn(why, self.refusal())

    def test_wrong_name_is_right_in_the_cn(self):
        self.serve_tls("hems-wrong-name")
        tls = client_tls(self.folder)
        tls.hostname_checks_common_name = True
        self.assertEqual(self.play({}, tls=tls)[0], [True])

    def test_too_old(self):
        self.serve_tls(newest="1.1")
        self.assertRegex(self.refusal(), "protocol version|legacy sigalg")  # OpenSSL, by its configuration
        tls = client_tls(self.folder)
        with self.assertWarns(DeprecationWarning):
            tls.minimum_version = ssl.TLSVersion.TLSv1
        tls.set_ciphers("DEFAULT:@SECLEVEL=0")
        self.assertEqual(self.play({}, tls=tls)[0], [True])
        self.assertIn("TLSv1.1", self.log.getvalue())

    def test_newest_version(self):
        self.serve_tls(newest="1.2")
        self.assertEqual(self.play({}, tls=client_tls(self.folder))[0], [True])
        self.assertIn("TLSv1.2", self.log.getvalue())

    def test_one_session_at_a_time(self):
        self.serve_tls()
        for leaves in (False, True):
            with self.subTest(leaves=leaves):
                address = self.start({"allow": ["SESSION-END"]})
                first, second = (Cpe(address, tls=client_tls(self.folder)) for _ in range(2))
                self.addCleanup(second.close)
                self.assertEqual(first.post("Inform", envelope("me", first.inform()))[0], 200)
                if leaves:
                    first.close()
                self.assertEqual(second.post("Inform", envelope("me", second.inform()))[0], 200 if leaves else 503)
                first.close()
                self.finish()

    def test_HTTP_CLOSED_over_tls(self):
        self.serve_tls()
        cpe = self.cpe({"then": "close"}, tls=client_tls(self.folder))
        cpe.connect()
        sock = cpe.sock
        cpe.close = lambda: None  # the CPE stays
        self.addCleanup(sock.close)
        self.assertTrue(cpe.session())
        sock.sendall(b"POST / HTTP/1.1\r\n")
        self.assert_broken("HTTP-CLOSED", self.finish())

    def test_plain_http(self):
        self.serve_tls()
        results, verdict, _ = self.play({"expect": {"informs": 0}})
        self.assertEqual((results, verdict), ([False], "VERDICT ok"), self.log.getvalue())

    def test_default_port(self):
        for port, default, host, right in ((443, 443, "a", True), (443, 443, "a:443", False), (443, 80, "a", False),
                                           (80, 80, "a", True), (7547, 443, "a:7547", True)):
            broken = []
            request = web.Request("POST", "/", "HTTP/1.1", [("host", host), ("content-length", "0")], b"")
            web.check_request(request, ["a"], port, default, lambda ok, rule, text: ok or broken.append(rule))
            self.assertEqual(broken, [] if right else ["HTTP-HOST"], (port, default, host))


class Command(unittest.TestCase):
    """The program as the lab runs it."""

    def run_acs(self, listen, attempts, options=(), tls=None):
        with tempfile.NamedTemporaryFile("r", suffix=".log") as log:
            process = subprocess.Popen([sys.executable, "-B", LAB / "acs.py", "--listen", listen, "--scenario",
                                        LAB / "acs" / "register.json", "--log", log.name, *options])
            try:
                text = ""
                while " port " not in text:  # its first line, written when it listens
                    self.assertIsNone(process.poll())
                    text += log.read()
                address = (listen.rpartition(":")[0].strip("[]"), int(text.split(" port ")[1].split()[0]))
                results = [Cpe(address, tls=tls).attempt() for _ in range(attempts)]
                process.send_signal(signal.SIGTERM)
                return results, process.wait(30), (text + log.read()).splitlines()[-1]
            finally:
                process.kill()

    def test_good(self):
        self.assertEqual(self.run_acs("127.0.0.1:0", 1), ([True], 0, "VERDICT ok"))

    def test_https(self):
        folder = make_certificates(type(self))
        options = ["--tls", folder / "hems-good.pem", folder / "hems-good-key.pem", "--client-ca", folder / "ca.pem"]
        tls = client_tls(folder)
        self.assertEqual(self.run_acs("127.0.0.1:0", 1, options, tls), ([True], 0, "VERDICT ok"))
        results, status, _ = self.run_acs("127.0.0.1:0", 1, options + ["--tls-max", "1.1"], tls)
        self.assertEqual((results, status), ([False], 1))

    def test_nobody_came(self):
        results, status, verdict = self.run_acs("127.0.0.1:0", 0)
        self.assertEqual((results, status), ([], 1))
        self.assertRegex(verdict, "^VERDICT fail: SCENARIO .*informs: 0, not >=1")

    def test_bad_scenario(self):
        run = subprocess.run([sys.executable, "-B", LAB / "acs.py", "--listen", "127.0.0.1:0", "--scenario", os.devnull,
                              "--log", os.devnull], stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(run.returncode, 2)
        self.assertIn(os.devnull, run.stderr)

    def test_bad_options(self):
        for options in (["--tls", os.devnull, os.devnull], ["--client-ca", os.devnull], ["--tls-max", "1.1"]):
            run = subprocess.run([sys.executable, "-B", LAB / "acs.py", "--listen", "127.0.0.1:0", "--scenario",
                                  LAB / "acs" / "register.json", "--log", os.devnull, *options], check=False,
                                 stderr=subprocess.PIPE, text=True)
            self.assertEqual(run.returncode, 2, options)
            self.assertNotIn("Traceback", run.stderr)


if __name__ == "__main__":
    unittest.main()
