#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the agent's CPE (agent/cpe.h: session, HTTP, schedule, store) against the lab's HeMS (lab/acs.py), on
loopback, without a tunnel.

    test_cpe.py CPE-DRIVER

Each play has a HeMS of its own. What counts: that the HeMS found nothing broken, what the CPE reported, and what is in
the store afterwards. Nearly all of the time is waits of TR-069 3.2.1.1, so the plays run side by side.
"""

import concurrent.futures
import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import unittest
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCENARIOS = HERE / "lab/acs"
sys.path.insert(0, str(SCENARIOS))
from rules import LTE  # noqa: E402

DRIVER = sys.argv[1] if len(sys.argv) > 1 else ""
NO_BUS = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent"}
SECONDS = 60
AT_ONCE = 8
ADDRESS = "127.0.0.2"  # not the one the CPE calls from: a closed port there cannot meet a call from the same port
CLOSED = "127.0.0.3"  # nobody listens there
NAME = "hems.operator.example"
LIST = LTE + "Gateway.S1SigLinkServerList"
ADMIN = LTE + "AdminState"
SEGW1 = LTE + "Gateway.SecGWServer1"
TAMPERED = "Device.Services.FAPService.1.FAPControl.EnclosureTamperingDetected"
GPS = "Device.FAP.GPS."
MS = "Device.ManagementServer."
WAIT = MS + "CWMPRetryMinimumWaitInterval"

# What the reports look like; @ stands for the HeMS's URL. The wait before a session is in milliseconds.
MMES = "10.0.0.20 36412 One 1"
UNSET = " 0 One 0"
AT_START = 0, 5000
PERIODIC = 0, 8000
LATE = 600  # the driver of a busy machine may note so late that a wait has begun
RETRY = 900, 5000  # the driver draws the lower end of the first wait, 1 s, and counts from a moment later
NO_CREDENTIALS = "HTTP 401 from @: it wants a user name and password"


def answered(s1):
    return ["ACCEPTED", "ANSWERED " + s1, "ENDED " + s1]


def failed(text, s1=UNSET):
    return [f"FAILED {s1} TR-069 session: {text}"]


def unreached(text):
    return ["UNREACHED TR-069 session: " + text]


GOOD = ["ACCEPTED", "ENDED " + UNSET]
SET = answered(MMES)
IN_SESSION = {"ACCEPTED": SET[:1], "ANSWERED": SET[:2]}
STILL_SET = ["ACCEPTED", "ENDED " + MMES]
SERVING = "http://hems-serving.operator.example:7547/"
ASSIGNED = [f"ASSIGNED {SERVING} segw-serving.operator.example"]
REFUSED_HOST = "hems-serving.operator.example"


def assigned(key, **changes):
    """The store after initial.json, and what extends it."""
    gateway = LTE + "Gateway.SecGWServer"
    return {WAIT: "1", MS + "ParameterKey": key, MS + "URL": SERVING, SEGW1: "segw-serving.operator.example",
            gateway + "2": "", gateway + "3": "", **changes}


def values(key, **changes):
    """The store after a SetParameterValues as most scenarios have it. What has its initial value is not stored."""
    return {WAIT: "1", MS + "ParameterKey": key, LIST: "10.0.0.20", ADMIN: "true", **changes}


def periodic(key, **changes):
    return values(key, **{MS + "PeriodicInformInterval": "5"}, **changes)


class Hems:
    """lab/acs.py with a scenario on a port of the kernel's choice."""

    def __init__(self, scenario, *options):
        self.process = subprocess.Popen(
            [sys.executable, "-B", HERE / "lab/acs.py", "--listen", ADDRESS + ":0", "--scenario", scenario, "--host",
             NAME, "--log", "/dev/stdout", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.log, port = [], None
        waits_closed = Path(scenario).name == "hems-down.json"
        while port is None or waits_closed and not re.search("the port is closed", self.log[-1]):
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError(f"the HeMS does not start: {scenario}")
            self.log.append(line.rstrip("\n"))
            port = port or (re.search(rf" on {re.escape(ADDRESS)} port (\d+)$", self.log[0]) or [None, None])[1]
        self.url = f"http://{NAME}:{port}/"

    def end(self):
        """Its last line and exit status."""
        self.process.terminate()
        try:
            out, err = self.process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # it says where it hangs, and nothing of it stays
            out, err = self.process.communicate()
        self.log += out.splitlines() + err.splitlines()
        if err:
            print(f"the HeMS says:\n{err}", file=sys.stderr)
        return self.log[-1], self.process.returncode


def drive(hems, addresses, store, last, *options):
    """A run of the CPE until the report *last* ("WORD COUNT"): its reports, with its exit status at the end."""
    command = [DRIVER, "-p", WAIT + "=1", *options, hems.url, ",".join(addresses), store, *last.split()]
    with open(store + ".log", "a", encoding="utf-8") as log:
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, timeout=SECONDS, env=NO_BUS)
            out, end = done.stdout, f"exit {done.returncode}"
        except subprocess.TimeoutExpired as late:
            out, end = late.stdout or b"", f"no end in {SECONDS} s"
    return [line.replace(hems.url, "@") for line in out.decode().splitlines()] + [end]


def stored(store):
    """Parameters and facts of a store's file, without those that each box has."""
    database = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    tables = [dict(database.execute(f"select * from {table}")) for table in ("parameter", "meta")]
    database.close()
    own = "connection-request-path", "told-software-version", "told-connection-request-url"
    return tables[0], {name: value for name, value in tables[1].items() if name not in own}


def informs(hems):
    """Events and retry count of each Inform."""
    found = [re.search(r" <- Inform (\[.*?\]) RetryCount (\d+) ", line) for line in hems.log]
    return [(json.loads(one[1].replace("'", '"')), int(one[2])) for one in found if one]


class Play:
    """One HeMS and the runs of a CPE against it: *runs* is [LAST, option...] each, on the store of *folder*. The
    addresses of the HeMS begin with those that are *closed*."""

    def __init__(self, folder, scenario, *runs, options=(), closed=()):
        store = folder + "/state.db"
        self.hems = Hems(SCENARIOS / scenario, *options)
        try:
            self.reports = [drive(self.hems, [*closed, ADDRESS], store, *run) for run in runs]
        finally:
            self.verdict = self.hems.end()
        self.parameters, self.facts = stored(store)
        self.log = "\n".join(self.hems.log) + "\n\n" + Path(store + ".log").read_text(encoding="utf-8")

    def informs(self):
        return informs(self.hems)


FIRST = ["0 BOOTSTRAP", "1 BOOT"], 0
DONE = "ENDED 1"
AT_LAST = values("at-last")
UNLOCKED = {name: value for name, value in values("locked").items() if name != ADMIN}

# What becomes of each scenario: its sessions, each with the wait before it; what the store has then; and the last
# report, if it is not the end of the first good session. Those with the longest waits come first.
EXPECTED = {
    "hems-503.json": ([(AT_START, failed("HTTP 503 from @")), ((6900, 10000), SET)], AT_LAST),
    "late-mme.json": ([(AT_START, GOOD), (PERIODIC, SET)], periodic("late"), "ENDED 2"),
    "cookies.json": ([(AT_START, SET), (PERIODIC, STILL_SET)], periodic("cookies"), "ENDED 2"),
    "hems-404.json": ([(AT_START, failed("HTTP 404 from @")), (RETRY, failed("HTTP 404 from @")), ((1900, 6000), SET)],
                      AT_LAST),
    "register.json": ([(AT_START, SET)], values("registered")),
    "again.json": ([(AT_START, SET)], values("registered")),
    "mme-by-name.json": ([(AT_START, answered("mme.operator.example,10.0.0.21 36412 One 1"))],
                         values("by-name", **{LIST: "mme.operator.example,10.0.0.21"})),
    "no-mme.json": ([(AT_START, GOOD)], {WAIT: "1"}),
    "admin-false.json": ([(AT_START, answered("10.0.0.20 36412 One 0"))], UNLOCKED),
    "chunked.json": ([(AT_START, SET)], values("registered")),
    "close-each.json": ([(AT_START, SET)], values("registered")),
    "odd-xml.json": ([(AT_START, SET)], values("odd")),
    "old-http.json": ([(AT_START, SET)], values("registered")),
    "spv-faults.json": ([(AT_START, SET)], values("good")),
    "break-after-spv.json": ([(AT_START, ["ACCEPTED", *failed("@: .+", MMES)]), (RETRY, STILL_SET)],
                             values("kept")),
    "hems-401.json": ([(AT_START, failed(NO_CREDENTIALS)), (RETRY, SET)], AT_LAST),
    "hems-401-basic.json": ([(AT_START, failed(NO_CREDENTIALS)), (RETRY, SET)], AT_LAST),
    "hems-500.json": ([(AT_START, failed("HTTP 500 from @")), (RETRY, SET)], AT_LAST),
    "hems-cut.json": ([(AT_START, failed("(@: .+|nothing from @ instead of an InformResponse)")), (RETRY, SET)],
                      AT_LAST),
    "hems-truncated.json": ([(AT_START, failed("@: .*clos.*")), (RETRY, SET)], AT_LAST),
    "hems-fault.json": ([(AT_START, failed("HTTP 200 from @: fault 8002 By the scenario")), (RETRY, SET)], AT_LAST),
    "hems-namespace.json": ([(AT_START, failed(r"not CWMP: InformResponse in the Body \(text/xml.* from @\)")),
                             (RETRY, SET)], AT_LAST),
    "hems-reset.json": ([(AT_START, unreached("@: .*reset.*")), (RETRY, SET)], AT_LAST),
    "hems-html.json": ([(AT_START, failed(r"not SOAP: a document type declaration \(text/html from @\)")),
                        (RETRY, SET)], AT_LAST),
    "initial.json": ([(AT_START, [*GOOD, *ASSIGNED])], assigned("assigned")),
    "initial-with-mme.json": ([(AT_START, [*SET, *ASSIGNED])],
                              assigned("assigned", **{LIST: "10.0.0.20", ADMIN: "true"})),
    # Without a place known nothing is assigned; "located" has one.
    "locate.json": ([(AT_START, GOOD)], {WAIT: "1"}),
    "factory-reset.json": ([(AT_START, SET), (PERIODIC, [*STILL_SET, "RESET"])], {}, "RESET 1"),
    "factory-reset-after-spv.json": ([(AT_START, [*SET, "RESET"])], {}, "RESET 1"),
    "factory-reset-broken.json": ([(AT_START, [*SET[:2], *failed("@: .+", MMES)]), (RETRY, STILL_SET)],
                                  values("registered")),
    "hems-malformed-xml.json": ([(AT_START, failed(r"XML: line \d+: .* \(text/xml.* from @\)")), (RETRY, SET)],
                                AT_LAST),
}
# Not among them: digest.json, which wants credentials (see below); a silent HeMS, which takes as long as an answer may.
NOT_EXPECTED = {"hems-down.json", "digest.json", "hems-silent.json"}


def break_at(folder, message, fault):
    """A scenario that is register.json with a fault at a message of the first session."""
    Path(folder + "/broken.json").write_text(json.dumps({
        "extends": str(SCENARIOS / "register.json"),
        "sessions": {"1": {"fault": {"on": message, **fault}}, "*": {"inform": {"events": [], "retry_count": 1}}},
        "expect": {"informs": 2, "sessions_ok": 1, "sessions_failed": 1},
    }), encoding="utf-8")
    return Play(folder, folder + "/broken.json", [DONE])


def credentials(password):
    return ["-p", MS + "Username=0A1B2C-HeNB-1", "-p", MS + "Password=" + password]


def set_twice(folder):
    """Two SetParameterValues: the HTTP answer that brings the second also says that the first is answered."""
    steps = [[[LIST, "xsd:string", "10.0.0.20"], [ADMIN, "xsd:boolean", "1"]], [[ADMIN, "xsd:boolean", "0"]]]
    Path(folder + "/twice.json").write_text(json.dumps({"steps": [
        {"rpc": "SetParameterValues", "parameter_key": "twice", "set": step} for step in steps]}), encoding="utf-8")
    return Play(folder, folder + "/twice.json", [DONE])


def scenario(folder, name, **content):
    """A file with this scenario."""
    path = f"{folder}/{name}.json"
    Path(path).write_text(json.dumps(content), encoding="utf-8")
    return path


class HandedOver:
    """From the initial HeMS to the serving one, whose first answer is 500; a restart; and back to the initial one."""

    def __init__(self, folder):
        store = folder + "/state.db"
        serving = Hems(scenario(folder, "serving", extends=str(SCENARIOS / "register.json"),
                                sessions={"1": {"fault": {"kind": "status", "status": 500}}},
                                inform={"retry_count": "counted"}, expect={"sessions_ok": 3, "sessions_failed": 1}),
                       "--allow", "INFORM-BOOTSTRAP")
        initial = None
        try:
            initial = Hems(SCENARIOS / "initial.json", "--set", "SERVING_URL=" + serving.url, "--allow",
                           "INFORM-BOOTSTRAP")
            self.reports = [[line.replace(serving.url, "SERVING") for line in drive(initial, [ADDRESS], store, *run)]
                            for run in (["ENDED 2", "-i"], ["ENDED 1", "-i"], ["ENDED 2", "-i", "-f"])]
        finally:
            self.hemses = [hems for hems in (initial, serving) if hems]
            verdicts = [hems.end() for hems in self.hemses]
        self.verdict = next((verdict for verdict in verdicts if verdict != ("VERDICT ok", 0)), ("VERDICT ok", 0))
        self.parameters, self.facts = stored(store)
        self.log = "\n".join(line for hems in self.hemses for line in hems.log)
        self.log += "\n\n" + Path(store + ".log").read_text(encoding="utf-8")


def barred(folder):
    """A set that names a host of an operator from which the box is de-registered, as HeMS and as SeGW: refused."""
    steps = [{"rpc": "SetParameterValues", "parameter_key": "barred", "fault": 9003, "parameter_faults": {name: 9001},
              "set": [[name, "xsd:string", value], [ADMIN, "xsd:boolean", "1"]]}
             for name, value in ((MS + "URL", f"https://{REFUSED_HOST.upper()}/"), (SEGW1, REFUSED_HOST))]
    check = {"rpc": "GetParameterValues", "names": [SEGW1, ADMIN, MS + "ParameterKey"],
             "values": {SEGW1: "segw.operator.example", ADMIN: "false", MS + "ParameterKey": ""}}
    return Play(folder, scenario(folder, "barred", steps=[*steps, check]), [DONE, "-b", REFUSED_HOST])


def same_again(folder):
    """A HeMS that assigns what is there already has assigned it; one that says nothing of the kind has not. Other
    factory data do not matter then."""
    step = {"rpc": "SetParameterValues", "parameter_key": "same", "set": [[SEGW1, "xsd:string", "segw.operator.example"]]}
    return Play(folder, scenario(folder, "same", sessions={"1": {"steps": [step]}}), [DONE], [DONE, "-i"])


def again_new(folder):
    """The box is assigned and reset in one session, and goes on as a new one."""
    left = {SEGW1: "segw.operator.example", MS + "ParameterKey": "", TAMPERED: "~true|1"}
    assign = json.loads((SCENARIOS / "initial.json").read_text(encoding="utf-8"))["steps"][0]
    path = scenario(folder, "reset", sessions={
        "1": {"steps": [assign, {"rpc": "FactoryReset"}]},
        "2": {"inform": {"events": FIRST[0], "retry_count": 0, "parameters": {GPS + "LockedLatitude": "7"}},
              "steps": [{"rpc": "GetParameterValues", "names": [*left], "values": left}]},
        "3": {"inform": {"events": ["1 BOOT"]}}}, expect={"factory_resets": 1, "informs": 3})
    return Play(folder, path, ["ENDED 2", "-p", TAMPERED + "=true", *place(7, 7)], [DONE],
                options=("--allow", "INFORM-DEREGISTERED"))


def place(latitude, longitude):
    return ["-r", f"{GPS}LockedLatitude={latitude}", "-r", f"{GPS}LockedLongitude={longitude}"]


def asked_parameters(folder):
    """The Inform holds what the factory data name, and later what the HeMS puts into its table."""
    table = MS + "InformParameter."
    put = {"rpc": "SetParameterValues", "parameter_key": "table", "set": [
        [MS + "PeriodicInformInterval", "xsd:unsignedInt", "5"],
        [table + "1.Enable", "xsd:boolean", "1"], [table + "1.ParameterName", "xsd:string", GPS],
        [table + "1.EventList", "xsd:string", "2 PERIODIC"],
        [table + "2.Enable", "xsd:boolean", "1"], [table + "2.ParameterName", "xsd:string", MS + "URL"],
        [table + "2.EventList", "xsd:string", "1 BOOT"],
        [table + "8.Enable", "xsd:boolean", "1"], [table + "8.ParameterName", "xsd:string", "Device.Absent"]]}
    named = {MS + "PeriodicInformEnable": "~true|1", "Device.DeviceInfo.ProductClass": "HeNB"}
    return Play(folder, scenario(folder, "asked", sessions={
        "1": {"inform": {"parameters": named, "absent": [GPS, MS + "URL"]}, "steps": [put]},
        "2": {"inform": {"parameters": {**named, GPS + "LockedLatitude": "-1", GPS + "LockedLongitude": "0"},
                         "absent": [MS + "URL", GPS + "ScanStatus"]}}}),
                ["ENDED 2", *place(-1, 0), "-n", f"Device.DeviceInfo. {MS}PeriodicInformEnable"])


def upgraded(folder):
    """Another version of the software than the HeMS has heard of: 4 VALUE CHANGE with the boot, once."""
    version = {"Device.DeviceInfo.SoftwareVersion": "2"}
    boot = {"inform": {"events": ["1 BOOT"], "parameters": version}}
    path = scenario(folder, "upgraded", sessions={
        "2": {"inform": {"events": ["1 BOOT", "4 VALUE CHANGE"], "parameters": version}}, "3": boot},
        expect={"informs": 3})
    return Play(folder, path, [DONE], *[[DONE, "-s", "2"]] * 2)


def nothing_there(folder):
    """Factory data that name a parameter which is not there."""
    return Play(folder, scenario(folder, "none", expect={"informs": 0}), [DONE, "-n", MS + "URL Device.Absent"])


CELLS = "Device.Services.FAPService.1.CellConfig.LTE.RAN.NeighborList.LTECell."
PLMN = "2.PLMNID"


def rows(folder):
    """Rows outlive restarts with their numbers, which come again neither then nor at once."""
    empty = {"rpc": "GetParameterValues", "names": [CELLS]}

    def add(number, **more):
        return {"rpc": "AddObject", "object": CELLS, "parameter_key": f"added-{number}", "instance": number,
                "status": 0, **more}

    def delete(number, **more):
        return {"rpc": "DeleteObject", "object": f"{CELLS}{number}.", "parameter_key": f"deleted-{number}", **more}

    def names(*numbers):
        return [{"rpc": "GetParameterNames", "path": CELLS, "next_level": True, "contains": [
                    f"{CELLS}{number}." for number in numbers]},
                {"rpc": "GetParameterValues", "names": [f"{CELLS[:-8]}LTECellNumberOfEntries"],
                 "values": {f"{CELLS[:-8]}LTECellNumberOfEntries": str(len(numbers))}}]

    def has(key, number, plmn):
        names = {f"{CELLS}{number}.PLMNID": plmn, f"{CELLS}{number}.Enable": "~0|false", MS + "ParameterKey": key}
        return {"rpc": "GetParameterValues", "names": [*names], "values": names}

    steps = {"1": [empty, *names(), add(1), add(2), add(3),
                   {"rpc": "SetParameterValues", "parameter_key": "set",
                    "set": [[CELLS + PLMN, "xsd:string", "00101"]]},
                   has("set", 2, "00101"), delete(3, status=0), delete(3, fault=9005), add(4), *names(1, 2, 4),
                   {"rpc": "AddObject", "object": "Device.DeviceInfo.", "parameter_key": "none", "fault": 9005},
                   {"rpc": "AddObject", "object": CELLS + "1.", "parameter_key": "none", "fault": 9005},
                   delete(4, status=0), has("deleted-4", 2, "00101")],
             "2": [*names(1, 2), has("deleted-4", 2, "00101"), add(5), delete(2, status=0), delete(5, status=0),
                   {"rpc": "GetParameterValues", "names": [CELLS + PLMN], "fault": 9005}],
             "3": [*names(1), has("deleted-5", 1, ""), add(6)]}
    return Play(folder, scenario(folder, "rows", sessions={number: {"steps": each} for number, each in steps.items()},
                                 expect={"informs": 3}), *[[DONE]] * 3)


PHY = "Device.Services.FAPService.1.CellConfig.LTE.RAN.PHY."
ACTIVE, PASSIVE, REFUSED = PHY + "AntennaInfo.AntennaPortsCount", PHY + "PUCCH.NCSAN", GPS + "LockedLatitude"


def attributes(folder):
    """What the HeMS wants to hear of by itself, and with the next Inform; nothing of what it sets. Another HeMS begins
    anew."""
    interval = MS + "PeriodicInformInterval"

    def have(**notifications):
        wanted = dict(zip((ACTIVE, PASSIVE, interval, LTE + "OpState"), notifications["are"]))
        return {"rpc": "GetParameterAttributes", "names": [*wanted], "notifications": wanted}

    def inform(*events, absent=(), **parameters):
        return {"events": [*events], "parameters": parameters, "absent": [*absent]}

    steps = [have(are=(0, 0, 0, 2)),
             {"rpc": "SetParameterAttributes",
              "attributes": [[ACTIVE, 2, None], [PASSIVE, 1, []], [interval, 2, None]]},
             {"rpc": "SetParameterAttributes", "fault": 9005,
              "attributes": [[ACTIVE, 0, None], ["Device.Absent", 2, None]]},
             *({"rpc": "SetParameterAttributes", "attributes": [[name, notification, None]], "fault": 9009}
               for name, notification in (("Device.DeviceInfo.SoftwareVersion", 0), (REFUSED, 2))),
             {"rpc": "SetParameterValues", "parameter_key": "set", "set": [[interval, "xsd:unsignedInt", "4"]]},
             have(are=(2, 1, 2, 2))]
    first = scenario(folder, "attributes", sessions={
        "1": {"inform": {"events": FIRST[0]}, "steps": steps},
        "2": {"inform": inform("4 VALUE CHANGE", absent=[PASSIVE, interval], **{ACTIVE: "2"})},
        "3": {"inform": inform("2 PERIODIC", "4 VALUE CHANGE", absent=[ACTIVE, interval], **{PASSIVE: "7"})},
        "4": {"inform": inform("2 PERIODIC", absent=[ACTIVE, PASSIVE])},
        "5": {"inform": inform("1 BOOT", "4 VALUE CHANGE", absent=[PASSIVE], **{ACTIVE: "4"}),
              "steps": [have(are=(2, 1, 2, 2))]}}, expect={"informs": 5})
    second = scenario(folder, "attributes-gone", steps=[have(are=(0, 0, 0, 2))], expect={"informs": 1})
    reports = ["-l", ACTIVE + "=2", "-l", PASSIVE + "=7"], ["-r", ACTIVE + "=4"]
    return (Play(folder, first, ["ENDED 4", *reports[0]], [DONE, *reports[1]]),
            Play(folder, second, [DONE]))


def walk(folder):
    """The whole tree as HeMSs read it: all at once, and by names."""
    steps = [{"rpc": "GetParameterNames", "path": "", "next_level": False, "read_in": 32, "contains": [
                 "Device.", LTE, ADMIN, "Device.DeviceInfo.UpTime", "Device.FaultMgmt.", "Device.IPsec."],
              "writable": {LTE: False, CELLS: True, ADMIN: True, LTE + "OpState": False}}]
    whole = {"rpc": "GetParameterValues", "names": [""], "contains": [ADMIN, "Device.DeviceInfo.UpTime"]}
    again = {"rpc": "GetParameterNames", "path": "Device.", "next_level": False}
    return Play(folder, scenario(folder, "walk", steps=[
        steps[0], whole, again, {**whole, "names": ["Device."]}]), [DONE])


class Files:
    """transfer-server.py."""

    def __enter__(self):
        self.process = subprocess.Popen([sys.executable, "-B", HERE / "transfer-server.py"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}/"
        return self

    def __exit__(self, *unused):
        self.process.communicate(timeout=SECONDS)

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=SECONDS) as answer:
            return answer.read().decode()


FIRMWARE, CONFIGURATION = "1 Firmware Upgrade Image", "3 Vendor Configuration File 1"
WITH_TRANSFERS = {"namespace": "urn:dslforum-org:cwmp-1-2"}


def transfer(rpc, key, kind, url, more=None, **step):
    return {"rpc": rpc, "transfer": {"CommandKey": key, "FileType": kind, "URL": url, **(more or {})}, **step}


def transfers(folder):
    """Each method of transfers; an upload, then a download that no installer takes, whose report has to be repeated."""
    with Files() as files:
        windows = {"TimeWindowList": [[3600, 7200, "1 At Any Time", 0]]}
        steps = [
            {"rpc": "GetRPCMethods", "contains": ["Download", "Upload", "ScheduleDownload", "CancelTransfer",
                                                  "GetQueuedTransfers", "GetAllQueuedTransfers"]},
            transfer("Download", "none", FIRMWARE, "ftp://127.0.0.1/image", fault=9013),
            transfer("Download", "none", "9 Elephant", files.url + "whole", fault=9003),
            transfer("ScheduleDownload", "later", FIRMWARE, files.url + "whole", windows),
            transfer("Download", "late", FIRMWARE, files.url + "whole", {"DelaySeconds": 3600}, status=1),
            {"rpc": "GetAllQueuedTransfers", "queued": ["late", "later"]},
            {"rpc": "GetQueuedTransfers", "queued": ["late"]},
            *({"rpc": "CancelTransfer", "args": [["CommandKey", key]]} for key in ("late", "later")),
            {"rpc": "CancelTransfer", "args": [["CommandKey", "later"]], "fault": 9001},
            {"rpc": "GetAllQueuedTransfers", "queued": []},
            transfer("Upload", "config", CONFIGURATION, files.url + "config", status=1)]
        sessions = {"1": {"steps": steps},
                    "2": {"inform": {"events": ["7 TRANSFER COMPLETE", "M Upload"]},
                          "steps": [transfer("Download", "fw", FIRMWARE, files.url + "whole", status=1)]},
                    "3": {"inform": {"events": ["7 TRANSFER COMPLETE", "M Download"]},
                          "fault": {"on": "TransferComplete", "kind": "drop"}},
                    "4": {"inform": {"events": ["7 TRANSFER COMPLETE"], "retry_count": 1}}}
        play = Play(folder, scenario(folder, "transfers", **WITH_TRANSFERS, sessions=sessions,
                                     expect={"informs": 4, "transfers": [["config", 0], ["fw", 9010]]}),
                    ["ENDED 3", "-t", *credentials("hidden")])
        play.uploaded = files.get("stored/config")
        play.spool = sorted(path.name for path in Path(folder, "spool").iterdir())
        return play


def wants(folder):
    """The box wants a file: asked with its event, and again after a session that broke off."""
    asks = {"events": ["1 BOOT", "9 REQUEST DOWNLOAD"]}
    path = scenario(folder, "wants", sessions={
        "2": {"inform": asks, "fault": {"on": "RequestDownload", "kind": "drop"}},
        "3": {"inform": {"events": ["9 REQUEST DOWNLOAD"], "retry_count": 1}},
        "4": {"inform": {"events": ["1 BOOT"]}}},
        expect={"informs": 4, "requested": [[FIRMWARE, {"Version": "2.1"}]] * 2})
    return Play(folder, path, [DONE], [DONE, "-d", FIRMWARE], [DONE])


def transfer_restarted(folder):
    """The CPE ends before it is time for the file; the next one fetches it, tells so, and is started once more."""
    with Files() as files:
        late = {"DelaySeconds": 2}
        sessions = {"1": {"steps": [transfer("Download", "fw", FIRMWARE, files.url + "whole", late, status=1)]}}
        short = ["-t", "-p", MS + "PeriodicInformInterval=25"]  # if the file was there before the first session
        return Play(folder, scenario(folder, "restarted", sessions=sessions, expect={"transfers": [["fw", 9010]]}),
                    [DONE, *short], ["ENDED 2", *short], [DONE, *short])


CUT = {"kind": "cut", "bytes": 20}
# Plays by name: what makes them in a folder.
PLAYS = {
    "down": lambda folder: Play(folder, "hems-down.json", [DONE]),
    **{name: lambda folder, name=name, last=more[0] if more else DONE: Play(folder, name, [last])
       for name, (_, _, *more) in EXPECTED.items()},
    "next address": lambda folder: Play(folder, "register.json", [DONE], closed=[CLOSED]),
    "digest": lambda folder: Play(folder, "digest.json", [DONE, *credentials("not a secret")]),
    "digest, wrong password": lambda folder: Play(folder, "hems-401.json", [DONE, *credentials("wrong")]),
    "basic without TLS": lambda folder: Play(folder, "hems-401-basic.json", [DONE, *credentials("not a secret")]),
    "set twice": set_twice,
    "restarted": lambda folder: Play(folder, "register.json", [DONE], [DONE]),
    "refused, restarted": lambda folder: Play(folder, "hems-500.json", ["FAILED 1"], [DONE], [DONE],
                                              options=("--allow", "INFORM-RETRY")),
    "another HeMS": lambda folder: (Play(folder, "register.json", [DONE]), Play(folder, "admin-false.json", [DONE])),
    "stopped at ACCEPTED": lambda folder: Play(folder, "again.json", ["ACCEPTED 1"], [DONE]),
    "stopped at ANSWERED": lambda folder: Play(folder, "again.json", ["ANSWERED 1"], [DONE]),
    "aborted at ACCEPTED": lambda folder: Play(folder, "again.json", [DONE, "-a", "ACCEPTED"]),
    "aborted at ANSWERED": lambda folder: Play(folder, "again.json", [DONE, "-a", "ANSWERED"]),
    "cut at empty": lambda folder: break_at(folder, "empty", CUT),
    "cut at set": lambda folder: break_at(folder, "SetParameterValuesResponse", CUT),
    "reset at empty": lambda folder: break_at(folder, "empty", {"kind": "reset"}),
    "reset at set": lambda folder: break_at(folder, "SetParameterValuesResponse", {"kind": "reset"}),
    "truncated at set": lambda folder: break_at(folder, "SetParameterValuesResponse", {"kind": "truncated"}),
    "handed over": HandedOver,
    "barred": barred,
    "same again": same_again,
    "located": lambda folder: Play(folder, "locate.json", [DONE, "-i", *place(52520008, 13404954)]),
    "located elsewhere": lambda folder: Play(folder, "locate.json", [DONE, "-i", *place(-1, -1), "-r", "Device.X=1",
                                                                     "-r", ADMIN + "=1", "-r", GPS + "ScanStatus=x"]),
    "asked parameters": asked_parameters,
    "nothing there": nothing_there,
    "upgraded": upgraded,
    "reset, again new": again_new,
    "rows": rows,
    "attributes": attributes,
    "walk": walk,
    "transfers": transfers,
    "wants a file": wants,
    "transfer, restarted": transfer_restarted,
    "500 at set": lambda folder: break_at(folder, "SetParameterValuesResponse", {"kind": "status", "status": 500}),
}


def make(name):
    with tempfile.TemporaryDirectory() as folder:
        return PLAYS[name](folder)


class Cpe(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
        cls.addClassCleanup(pool.shutdown, cancel_futures=True)
        cls.plays = {name: pool.submit(make, name) for name in PLAYS}

    @contextlib.contextmanager
    def play(self, name):
        """The play of this name, in which the HeMS found nothing broken. Its log is shown with what fails."""
        play = self.plays[name].result()
        try:
            self.assertEqual(play.verdict, ("VERDICT ok", 0))
            yield play
        except AssertionError:
            print(f"{name}:\n{play.log}", file=sys.stderr)
            raise

    def assert_run(self, reports, *sessions):
        """The reports of a run that ended well are those of these sessions: (wait, reports)..."""
        wanted = [line for _, lines in sessions for line in ["DUE \\d+", *lines]] + ["exit 0"]
        right = len(reports) == len(wanted) and all(map(re.fullmatch, wanted, reports))
        self.assertTrue(right, f"{reports}, not {wanted}")
        dues = [int(line.split()[1]) for line in reports if line.startswith("DUE ")]
        for due, ((least, most), _) in zip(dues, sessions):
            self.assertTrue(least - LATE <= due <= most, f"due after {due} ms, not {least} to {most}")

    def test_expectation_06_credentials(self):
        """A session that has to authenticate; one 401 after the credentials ends an attempt, and Basic is not for http."""
        with self.play("digest") as play:
            self.assert_run(play.reports[0], (AT_START, SET))
        for name in "digest, wrong password", "basic without TLS":
            with self.play(name) as play:
                self.assert_run(play.reports[0], (AT_START, failed("HTTP 401 from @: .+")), (RETRY, SET))

    def test_scenarios(self):
        files = {path.name for path in SCENARIOS.glob("*.json")}
        self.assertEqual(files, {*EXPECTED, *NOT_EXPECTED})
        for name, (sessions, parameters, *_) in EXPECTED.items():
            with self.subTest(name), self.play(name) as play:
                self.assert_run(play.reports[0], *sessions)
                self.assertEqual(play.parameters, parameters)
                self.assertEqual(play.facts, {"bootstrapped-url": play.hems.url} if parameters else {})

    def test_port_closed_at_first(self):
        with self.play("down") as play:
            refused = sum(line.startswith("UNREACHED") for line in play.reports[0])
            waits = [AT_START] + [(900 * 2**i, 5000 * 2**i) for i in range(refused)]
            self.assert_run(play.reports[0], *zip(waits, [unreached("@: .*connect.*")] * refused + [SET]))
            self.assertEqual(play.informs(), [(FIRST[0], refused)])
            self.assertEqual(play.parameters, values("up"))

    def test_next_address_belongs_to_the_same_session(self):
        with self.play("next address") as play:
            self.assert_run(play.reports[0], (AT_START, unreached("@: .*connect.*") + SET))
            self.assertEqual(play.informs(), [FIRST])

    def test_each_set_is_reported_as_it_left_the_parameters(self):
        with self.play("set twice") as play:
            locked = "10.0.0.20 36412 One 0"
            self.assert_run(play.reports[0], (AT_START, ["ACCEPTED", "ANSWERED " + MMES,
                                                         f"ANSWERED {locked} without MMEs", "ENDED " + locked]))
            self.assertEqual(play.parameters, values("twice", **{ADMIN: "false"}))

    def test_bootstrap_is_not_repeated_after_a_restart(self):
        with self.play("restarted") as play:
            for reports in play.reports:
                self.assert_run(reports, (AT_START, SET))
            self.assertEqual(play.informs(), [FIRST, (["1 BOOT"], 0)])
            self.assertEqual(play.parameters, values("registered"))

    def test_bootstrap_is_repeated_until_accepted(self):
        with self.play("refused, restarted") as play:
            self.assert_run(play.reports[0], (AT_START, failed("HTTP 500 from @")))
            self.assertEqual(play.informs(), [FIRST, FIRST, (["1 BOOT"], 0)])

    def test_another_hems_gets_bootstrap(self):
        first, second = self.plays["another HeMS"].result()
        self.assertEqual((first.verdict, second.verdict), (("VERDICT ok", 0),) * 2, second.log)
        self.assertEqual((first.informs(), second.informs()), ([FIRST], [FIRST]))
        self.assertEqual(first.parameters, values("registered"))
        self.assertEqual(second.parameters, values("locked", **{ADMIN: "false"}))
        self.assertEqual(second.facts, {"bootstrapped-url": second.hems.url})

    def test_stopped_in_a_session(self):
        for word, reports in IN_SESSION.items():
            with self.subTest(word), self.play("stopped at " + word) as play:
                self.assert_run(play.reports[0], (AT_START, reports))
                self.assert_run(play.reports[1], (AT_START, SET))
                self.assertEqual(play.informs(), [FIRST, (["1 BOOT"], 0)])

    def test_aborted_in_a_session(self):
        for word, reports in IN_SESSION.items():
            with self.subTest(word), self.play("aborted at " + word) as play:
                self.assert_run(play.reports[0], (AT_START, reports), (RETRY, SET))
                self.assertEqual(play.informs(), [FIRST, ([], 1)])
                self.assertEqual(play.parameters, values("registered"))

    def test_broken_in_a_session(self):
        # Any part of an answer shows that the HeMS has what the POST carried.
        for name, first, s1 in (("cut at empty", SET[:1], UNSET), ("cut at set", SET[:2], MMES),
                                ("reset at empty", SET[:1], UNSET), ("reset at set", SET[:1], MMES),
                                ("truncated at set", SET[:2], MMES), ("500 at set", SET[:2], MMES)):
            with self.subTest(name), self.play(name) as play:
                self.assert_run(play.reports[0], (AT_START, [*first, *failed(".*@.*", s1)]), (RETRY, SET))
                self.assertEqual(play.parameters, values("registered"))

    def test_from_the_initial_hems_to_the_serving_one(self):
        with self.play("handed over") as play:
            ended = ["ACCEPTED", f"ENDED {UNSET}", "ASSIGNED SERVING segw-serving.operator.example"]
            again = ["ACCEPTED", f"ANSWERED {MMES}", f"ENDED {MMES}", ended[2]]
            still = ["ACCEPTED", f"ENDED {MMES}", ended[2]]
            refused = [f"FAILED {UNSET} TR-069 session: HTTP 500 from SERVING", ended[2]]
            self.assert_run(play.reports[0], (AT_START, ended), (AT_START, refused), (RETRY, again))
            self.assert_run(play.reports[1], (AT_START, again))
            self.assert_run(play.reports[2], (AT_START, still), (AT_START, again))
            self.assertEqual([informs(hems) for hems in play.hemses], [
                [FIRST, FIRST],
                [(["0 BOOTSTRAP"], 0), (["0 BOOTSTRAP"], 1), (["1 BOOT"], 0), (["0 BOOTSTRAP"], 0)]])
            self.assertEqual(play.facts, {"bootstrapped-url": play.hemses[1].url})

    def test_no_way_to_the_operator_it_is_deregistered_from(self):
        with self.play("barred") as play:
            self.assert_run(play.reports[0], (AT_START, GOOD))
            self.assertEqual(play.parameters, {WAIT: "1"})

    def test_what_is_there_already_can_be_assigned(self):
        with self.play("same again") as play:
            ended = [*GOOD, "ASSIGNED @ segw.operator.example"]
            self.assert_run(play.reports[0], (AT_START, ended))
            self.assert_run(play.reports[1], (AT_START, ended))
            self.assertEqual(play.parameters, {WAIT: "1", MS + "ParameterKey": "same", SEGW1: "segw.operator.example"})

    def test_the_place_decides(self):
        elsewhere = "ASSIGNED http://hems-elsewhere.operator.example:7547/ segw-elsewhere.operator.example"
        for name, first, site in (("located", ["REPORTED here"], ASSIGNED[0]), ("located elsewhere", [
                "REPORTED Device.X: there is no such parameter",
                f"REPORTED {ADMIN}: this parameter is not one that is reported",
                f"REPORTED {GPS}ScanStatus: the value does not fit the type or range of the parameter",
                "REPORTED here"], elsewhere)):
            with self.subTest(name), self.play(name) as play:
                self.assertEqual(play.reports[0][:len(first)], first)
                self.assert_run(play.reports[0][len(first):], (AT_START, [*GOOD, site]))
                self.assertFalse([path for path in play.parameters if path.startswith(GPS)])

    def test_the_inform_holds_what_is_asked_for(self):
        with self.play("asked parameters") as play:
            self.assert_run(play.reports[0][1:], (AT_START, GOOD), (PERIODIC, GOOD))
            self.assertIn('InformParameter.8. is ignored: there is no parameter "Device.Absent"', play.log)

    def test_a_new_version_is_told_once(self):
        with self.play("upgraded") as play:
            for reports in play.reports:
                self.assert_run(reports, (AT_START, GOOD))

    def test_factory_data_that_name_what_is_not_there(self):
        with self.play("nothing there") as play:
            self.assertEqual(play.reports[0], ["exit 1"])
            self.assertRegex(play.log, "Device.Absent is no parameter of this box")

    def test_expectation_32_rows(self):
        with self.play("rows") as play:
            for reports in play.reports:
                self.assert_run(reports, (AT_START, GOOD))
            self.assertEqual(play.parameters, {WAIT: "1", MS + "ParameterKey": "added-6"})

    def test_expectation_30_attributes(self):
        first, second = self.plays["attributes"].result()
        self.assertEqual((first.verdict, second.verdict), (("VERDICT ok", 0),) * 2, f"{first.log}\n{second.log}")
        self.assert_run(first.reports[0], (AT_START, GOOD), (AT_START, GOOD), (PERIODIC, GOOD), (PERIODIC, GOOD))

    def test_expectation_26_the_whole_tree(self):
        with self.play("walk") as play:
            self.assert_run(play.reports[0], (AT_START, GOOD))
            self.assertGreater("\n".join(play.hems.log).count("-> GetParameterValues"), 20)

    def test_expectation_36_transfers(self):
        with self.play("transfers") as play:
            self.assert_run(play.reports[0], (AT_START, GOOD), (AT_START, GOOD),
                            (AT_START, ["ACCEPTED", *failed(".*@.*")]), (RETRY, GOOD))
            self.assertIn(MS + "PeriodicInformInterval=", play.uploaded)
            self.assertNotIn("hidden", play.uploaded)
            self.assertEqual(play.spool, [])

    def test_a_file_is_wanted_until_the_hems_answers(self):
        with self.play("wants a file") as play:
            self.assert_run(play.reports[1], (AT_START, ["ACCEPTED", *failed(".*@.*")]), (RETRY, GOOD))

    def test_expectation_36_a_transfer_is_told_once_through_restarts(self):
        with self.play("transfer, restarted") as play:
            self.assertEqual([reports[-1] for reports in play.reports], ["exit 0"] * 3)

    def test_a_reset_makes_a_new_box(self):
        with self.play("reset, again new") as play:
            self.assert_run(play.reports[0][1:], (AT_START, [*GOOD, *ASSIGNED, "RESET"]), (AT_START, GOOD))
            self.assert_run(play.reports[1], (AT_START, GOOD))
            self.assertEqual(play.parameters, {TAMPERED: "true", WAIT: "1"})


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
