#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the lab's HeMS (lab/acs.py) with a small CPE that behaves well, or breaks one rule at a time.

A judge that lets a fault pass is worse than none, so each rule has a CPE that breaks it.
"""

import hashlib
import io
import os
import re
import signal
import socket
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
from rules import FORCED, LTE, RULES  # noqa: E402

LIST = LTE + "Gateway.S1SigLinkServerList"
PORT = LTE + "Gateway.S1SigLinkPort"
KEY = "Device.ManagementServer.ParameterKey"
INTERVAL = "Device.ManagementServer.PeriodicInformInterval"
BOOLEANS = (LTE + "OpState", LTE + "RFTxStatus", LTE + "AdminState", "Device.ManagementServer.PeriodicInformEnable")
READ_ONLY = (LTE + "OpState", LTE + "RFTxStatus", "Device.DeviceInfo.SoftwareVersion", "Device.RootDataModelVersion", KEY)
SPACES = ('xmlns:soap-env="http://schemas.xmlsoap.org/soap/envelope/" '
          'xmlns:soap-enc="http://schemas.xmlsoap.org/soap/encoding/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
          'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:cwmp="urn:dslforum-org:cwmp-1-0"')


def kind(name):
    return "xsd:boolean" if name in BOOLEANS else "xsd:unsignedInt" if name in (PORT, INTERVAL) else "xsd:string"


def structs(values):
    items = "".join(f'<ParameterValueStruct><Name>{n}</Name><Value xsi:type="{kind(n)}">{v}</Value></ParameterValueStruct>'
                    for n, v in values.items())
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
    """A CPE with a handful of parameters. *mangle*(name, head lines, body) may change each message on its way."""

    def __init__(self, address, mangle=None, credentials=None):
        self.address, self.mangle, self.credentials = address, mangle, credentials
        self.values = {name: "" for name in FORCED}
        self.values.update({LIST: "", PORT: "36412", LTE + "Gateway.S1ConnectionMode": "One", INTERVAL: "3600",
                            **{name: "0" for name in BOOLEANS}})
        self.values.update({"Device.RootDataModelVersion": "2.17", "Device.DeviceInfo.SoftwareVersion": "0.1.0"})
        self.retries = 0
        self.bootstrap = True
        self.sock = None
        self.cookies = {}
        self.digest = None
        self.count = 0

    # ---- HTTP

    def connect(self):
        self.close()
        self.sock = socket.create_connection(self.address, 10)
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
        stream = self.sock.makefile("rb")
        status = stream.readline()
        if not status:
            raise OSError("closed")
        headers = []
        while (line := stream.readline()) not in (b"\r\n", b""):
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
        items = "".join(f"<EventStruct><EventCode>{c}</EventCode><CommandKey></CommandKey></EventStruct>" for c in codes)
        return rpc("Inform", "<DeviceId><Manufacturer>Example</Manufacturer><OUI>0A1B2C</OUI><ProductClass>HeNB"
                   "</ProductClass><SerialNumber>1</SerialNumber></DeviceId>"
                   f'<Event soap-enc:arrayType="cwmp:EventStruct[{len(codes)}]">{items}</Event>'
                   "<MaxEnvelopes>1</MaxEnvelopes><CurrentTime>2026-11-23T10:00:00Z</CurrentTime>"
                   f"<RetryCount>{self.retries}</RetryCount>" + structs({n: self.values[n] for n in FORCED}))

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
        if status != 200 or "InformResponse" not in body or "</soap-env:Envelope>" not in body.replace("E:", "soap-env:"):
            return False
        if ":Boddy" in body or "urn:dslforum-org:cwmp-1-0" not in body:
            return False
        self.bootstrap = False
        status, headers, body = self.post("empty", "")
        while status == 200 and body:
            ident = re.search(r":ID [^>]*>([^<]*)<", body)[1]
            answer = self.answer(body)
            name = "Fault" if "soap-env:Fault" in answer else re.search(r"<cwmp:(\w+)", answer)[1]
            status, headers, body = self.post(name, envelope(ident, answer))
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
        names = {path + n[len(path):].partition(".")[0] + n[len(path):].partition(".")[1] for n in self.values}
        items = "".join(f"<ParameterInfoStruct><Name>{n}</Name><Writable>0</Writable></ParameterInfoStruct>"
                        for n in sorted(names))
        return rpc("GetParameterNamesResponse",
                   f'<ParameterList soap-enc:arrayType="cwmp:ParameterInfoStruct[{len(names)}]">{items}</ParameterList>')

    def GetParameterValues(self, body):
        found = {}
        for name in re.findall(r"<string>([^<]*)<", body):
            matches = [n for n in self.values if n == name or name.endswith(".") and n.startswith(name)]
            if not matches:
                return fault(9005)
            found.update({n: self.values[n] for n in matches})
        return rpc("GetParameterValuesResponse", structs(found))

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

    def start(self, scenario):
        if isinstance(scenario, str):
            scenario = acs.load(LAB / "acs" / scenario)
        self.log = io.StringIO()
        self.acs = acs.Acs(("127.0.0.1", 0), scenario, self.log)
        self.acs.open()
        self.thread = threading.Thread(target=self.acs.serve)
        self.thread.start()
        return self.acs.listen

    def finish(self):
        self.acs.stop()
        self.thread.join()
        return self.log.getvalue().splitlines()[-1]

    def play(self, scenario, attempts=1, **options):
        """The results of the attempts, and the verdict."""
        cpe = Cpe(self.start(scenario), **options)
        results = [cpe.attempt() for _ in range(attempts)]
        return results, self.finish(), cpe

    def assert_broken(self, rule, verdict):
        self.assertEqual(verdict.split(" (")[0], f"VERDICT fail: {rule}", self.log.getvalue())


class Scenarios(Lab):
    """The scenario files, played by a CPE that does right."""

    EXPECTED = {  # file: what becomes of the CPE's sessions
        "register.json": [True],
    }

    def test_all(self):
        files = {path.name for path in (LAB / "acs").glob("*.json")}
        self.assertEqual(files, set(self.EXPECTED))
        for name, expected in self.EXPECTED.items():
            with self.subTest(name):
                results, verdict, _ = self.play(name, len(expected))
                self.assertEqual((results, verdict), (expected, "VERDICT ok"), self.log.getvalue())

    def test_register_sets_what_it_says(self):
        _, _, cpe = self.play("register.json")
        self.assertEqual((cpe.values[LIST], cpe.values[PORT], cpe.values[KEY]), ("10.0.0.20", "36412", "registered"))


if __name__ == "__main__":
    unittest.main()
