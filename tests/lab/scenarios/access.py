# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what with org.henb.Agent1, on the system bus with polkit: everybody reads, the group henb has the data
model and an engineer's daily work, root the rest. And nobody starts the agent by reading."""

from pathlib import Path
from xml.etree import ElementTree

import agent as henb
from bus import BusError, bus
from caller import Caller
from contents import acs, s1
from machine import expect, run, wait_for
from scenario import scenario
from steps import FAILURE, properties, up

XML = Path(__file__).resolve().parent.parent / "org.henb.Agent1.xml"  # of henb-agent-dev: tests/guest
ROOT, TUNNEL, SESSION = "/org/henb", f"{henb.OBJECT}/tunnel/0", f"{henb.OBJECT}/session"
LOG, LOG_OBJECT = "org.freedesktop.LogControl1", "/org/freedesktop/LogControl1"
OBJECT_OF = {f"{henb.INTERFACE}.Tunnel": TUNNEL, f"{henb.INTERFACE}.Session": SESSION}
PARAMETERS, CHANGED = f"{henb.INTERFACE}.Parameters", "Changed"
CHANGED_RULE = f"type='signal',interface='{PARAMETERS}',member='{CHANGED}'"
DAILY, RARE = ("Inform", "Reload", "Reconnect"), ("Deregister", "ClearDeregistration")
OF_DAEMONS = [(PARAMETERS, "Get", ["Device."]), (PARAMETERS, "Ages", ["Device."]),
              (PARAMETERS, "Report", [["Device.FAP.GPS.LockedLatitude", "1"]]), (PARAMETERS, "Own"),
              (f"{henb.INTERFACE}.Alarms", "RaiseAlarm"), (f"{henb.INTERFACE}.Alarms", "ClearAlarm"),
              (f"{henb.INTERFACE}.Counters", "Count"), (f"{henb.INTERFACE}.Counters", "Measure"),
              (f"{henb.INTERFACE}.Downloads", "Request")]
DENIED = "org.freedesktop.DBus.Error.AccessDenied"
NOBODY_ASKED = f"{DENIED}: polkit wants a password and has nobody to ask for it"
ASKS = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
READ_ONLY = "org.freedesktop.DBus.Error.PropertyReadOnly"
INVALID = "org.freedesktop.DBus.Error.InvalidArgs"
UNKNOWN = "org.freedesktop.DBus.Error.ServiceUnknown"
# Less than a person has to type a password, and than sd-bus waits for polkit: who is refused hears it, or this ends.
SOON = 20
BUS_DAEMON = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
ENGINEER = "lab-engineer"


def call(caller, interface, method, *arguments, path=henb.OBJECT, **options):
    return caller.call(henb.BUS, path, interface, method, *arguments, timeout=SOON, **options)


def refused(error, what, function, *arguments, **options):
    """Failure unless it raises that error of the bus."""
    try:
        answer = function(*arguments, **options)
    except BusError as seen:
        expect(str(seen).startswith(f"{error}:"), f"{what}: {seen}, wanted {error}")
        return
    expect(False, f"{what} is done: {answer}")


def may_not_set(caller, who):
    for path, interface, name in ((LOG_OBJECT, LOG, "LogLevel"), (henb.OBJECT, henb.INTERFACE, "State"),
                                  (TUNNEL, f"{henb.INTERFACE}.Tunnel", "PeerAddress"),
                                  (SESSION, f"{henb.INTERFACE}.Session", "Url")):
        refused(DENIED, f"{name} set by {who}", caller.set, henb.BUS, path, interface, name, "debug")


def may_not_control(caller, who, methods):
    for method in methods:
        refused(ASKS, f"{method} by {who}", call, caller, henb.INTERFACE, method)
        refused(NOBODY_ASKED, f"{method} by {who}", call, caller, henb.INTERFACE, method, interactive=True)


def reads(caller):
    """All that API.md says is for everybody."""
    for interface in ElementTree.parse(XML).getroot().iter("interface"):
        name = interface.get("name")
        path = OBJECT_OF.get(name, henb.OBJECT)
        known = {one.get("name") for one in interface.iter("property")}
        for one in known:
            call(caller, henb.PROPERTIES, "Get", name, one, path=path)
        got = set(call(caller, henb.PROPERTIES, "GetAll", name, path=path)[0])
        expect(known - got <= {"Timeline"} and got <= known, f"GetAll of {name}: {sorted(got)}")
    level = call(caller, henb.PROPERTIES, "GetAll", LOG, path=LOG_OBJECT)[0]
    expect(set(level) == {"LogLevel", "LogTarget", "SyslogIdentifier"}, f"GetAll of {LOG}: {level}")
    objects = call(caller, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", path=ROOT)[0]
    expect({henb.OBJECT, TUNNEL, SESSION} <= set(objects), f"GetManagedObjects: {sorted(objects)}")
    for path in (ROOT, henb.OBJECT, TUNNEL, SESSION, LOG_OBJECT):
        text = call(caller, "org.freedesktop.DBus.Introspectable", "Introspect", path=path)[0]
        expect(text.startswith("<!DOCTYPE node"), f"Introspect of {path}: {text[:80]}")


def hears(caller, member, timeout):
    """Whether that signal comes, or has come."""
    heard = caller.signal(timeout)
    while heard and heard[2] != member:
        heard = caller.signal(timeout)
    return bool(heard)


def everybody(lab, nobody):
    reads(nobody)
    for interface, method, *arguments in OF_DAEMONS:
        refused(DENIED, f"{method} by nobody", call, nobody, interface, method, *arguments)
    may_not_control(nobody, "nobody", (*DAILY, *RARE))
    may_not_set(nobody, "nobody")
    # The bus gave all of them what it gave anybody, and these calls came after it.
    expect(not hears(nobody, CHANGED, 0), "nobody has heard what a HeMS sets")
    properties(lab, State="registered")


def of_the_group(lab, engineer):
    reads(engineer)
    values = call(engineer, PARAMETERS, "Get", ["Device.Services.FAPService.1.FAPControl.LTE.AdminState"])[0]
    expect([value for _, _, value in values] == ["true"], f"Parameters.Get: {values}")
    expect(hears(engineer, CHANGED, SOON), "what a HeMS has set was not heard")
    call(engineer, f"{henb.INTERFACE}.Alarms", "ClearAlarm", "Equipment Alarm", "Fan", "none")
    may_not_control(engineer, "the group", RARE)
    may_not_set(engineer, "the group")
    properties(lab, State="registered")

    before = len(lab.boxes.informs())
    call(engineer, henb.INTERFACE, "Inform")
    wait_for("a session", lambda: len(lab.boxes.informs()) > before, FAILURE)
    call(engineer, henb.INTERFACE, "Reload")
    begin = lab.agent.mark()
    call(engineer, henb.INTERFACE, "Reconnect")
    lab.agent.wait("State", "discovering", since=begin)
    lab.agent.wait("State", "registered", since=begin)


def of_root():
    def level(text):
        bus().set(henb.BUS, LOG_OBJECT, LOG, "LogLevel", text)

    def read():
        return call(bus(), henb.PROPERTIES, "Get", LOG, "LogLevel", path=LOG_OBJECT)[0]
    level("notice")
    expect(read() == "notice", f"LogLevel is {read()}")
    refused(INVALID, "a LogLevel that is none", level, "loud")
    level("debug")
    refused(READ_ONLY, "LogTarget set by root", bus().set, henb.BUS, LOG_OBJECT, LOG, "LogTarget", "console")
    refused(DENIED, "State set by root", bus().set, henb.BUS, henb.OBJECT, henb.INTERFACE, "State", "registered")
    for method in ("Inform", "Reload"):
        call(bus(), henb.INTERFACE, method)


def deaf(lab, engineer):
    """Somebody who calls and reads nothing is found out, for which the bus has to tell the agent, and nobody else is
    worse off."""
    stranger = Caller("nobody")

    def look():
        stranger.call_blindly(50, henb.BUS, henb.OBJECT, "org.freedesktop.DBus.Introspectable", "Introspect")
        call(bus(), "org.freedesktop.DBus.Peer", "Ping")
        return "bytes unread" in lab.agent.journal()
    try:
        wait_for("the agent to see that its answers are not read", look, FAILURE)
        reads(engineer)
    finally:
        stranger.process.kill()
        stranger.process.wait()


@scenario("access", "everybody reads all of the status and is refused the rest; the group henb has the data model and "
          "the daily methods, root the log level", hems=acs(*s1()))
def access(lab):
    run("systemd-sysusers", "--inline", f'u {ENGINEER} - "An engineer of the lab"', f"m {ENGINEER} henb")
    nobody, engineer = Caller("nobody"), Caller(ENGINEER)
    try:
        for one in (nobody, engineer):
            one.match(CHANGED_RULE)
        up(lab)
        everybody(lab, nobody)
        of_the_group(lab, engineer)
        of_root()
        deaf(lab, engineer)
    finally:
        nobody.leave()
        engineer.leave()


@scenario("no-activation", "reading does not start an agent that is stopped, and who listens hears it go",
          gateway=None, hems=None, mme=False, traffic=False)
def no_activation(lab):
    nobody = Caller("nobody")
    try:
        nobody.match(f"type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='{henb.BUS}'")
        lab.agent.start()
        call(nobody, henb.PROPERTIES, "Get", henb.INTERFACE, "State")
        lab.agent.stop()
        expect(hears(nobody, "NameOwnerChanged", SOON) and hears(nobody, "NameOwnerChanged", SOON),
               "the name's coming and going was not heard")
        names = nobody.call(*BUS_DAEMON, "ListActivatableNames")[0]
        expect(henb.BUS not in names, "the bus would start it")
        refused(UNKNOWN, "Get of a stopped agent", call, nobody, henb.PROPERTIES, "Get", henb.INTERFACE, "State")
        refused(UNKNOWN, "Reconnect of a stopped agent", call, bus(), henb.INTERFACE, "Reconnect")
        state = lab.agent.unit("ActiveState")["ActiveState"]
        expect(state == "inactive", f"the agent is {state} after somebody has read")
    finally:
        nobody.leave()
