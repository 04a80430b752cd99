# SPDX-License-Identifier: GPL-3.0-or-later
"""What the box tells its HeMS of itself: its faults (Device.FaultMgmt), what the kernel knows of it, and who gives it the
time."""

import contextlib
import re
import time
from pathlib import Path

import agent as henb
import places
from bus import Bus
from contents import acs, s1, spv
from gateways import Gateway
from machine import expect, run, wait_for
from scenario import scenario
from servers import SERVING_HEMS
from steps import ping, up

from .outage import NOTICED
from .sessions import ASKER, CREDENTIALS, URL_PARAMETER, connection_request

ALARMS = f"{henb.INTERFACE}.Alarms"
FAN = ("Equipment Alarm", "Heating/Ventilation/Cooling System Problem", "fan 1 stands still")
FM = "Device.FaultMgmt."
SEGW = "Security gateway unreachable"
LAST = {"expect": {"informs": ">=1", "sessions_ok": ">=1", "sessions_failed": 0}}


def read(*names, **values):
    return {"rpc": "GetParameterValues", "names": list(names), **values}


def asked_for(lab, url, count):
    """The HeMS asks for its session number *count*, and has it."""
    expect(connection_request(url, ASKER) == 200, "the connection request was not taken")
    session_had(lab, count)


def session_had(lab, count, timeout=30):
    wait_for(f"the end of session {count}", lambda: lab.boxes.hems_says().count("session ok") >= count, timeout)


def raise_fan(lab, severity):
    error = lab.agent.call("RaiseAlarm", "sssssss", *FAN, severity, "Device.DeviceInfo.", "no rotation", "",
                           interface=ALARMS)
    expect(error is None, f"RaiseAlarm: {error}")


@scenario("alarms", "another daemon's alarm is told with the next session, or at once where the HeMS wants that; the "
          "agent's own one of an outage is there when the SeGW is back",
          hems={"sessions": {
              "1": {"steps": [spv("first", *s1(), *CREDENTIALS)]},
              "2": {"inform": {"events": ["4 VALUE CHANGE", "6 CONNECTION REQUEST"]},
                    "steps": [read(FM + "CurrentAlarm.", FM + "SupportedAlarm.6.SpecificProblem",
                                   values={FM + "CurrentAlarm.1.PerceivedSeverity": "Major",
                                           FM + "CurrentAlarm.1.AdditionalText": "no rotation",
                                           FM + "SupportedAlarm.6.SpecificProblem": FAN[2]}),
                              spv("expedite", (FM + "SupportedAlarm.6.ReportingMechanism", "xsd:string", "0 Expedited"))]},
              "3": {"inform": {"events": ["4 VALUE CHANGE"],
                               "parameters": {FM + "ExpeditedEvent.1.PerceivedSeverity": "Critical",
                                              FM + "ExpeditedEvent.1.SpecificProblem": FAN[2]}},
                    "steps": [read(FM + "CurrentAlarm.", values={FM + "CurrentAlarm.1.PerceivedSeverity": "Critical"})]},
              "4": {"inform": {"events": ["4 VALUE CHANGE", "6 CONNECTION REQUEST"]},
                    "steps": [read(FM + "HistoryEvent.", values={
                        FM + "HistoryEvent.2.NotificationType": "ChangedAlarm",
                        FM + "HistoryEvent.3.SpecificProblem": SEGW,
                        FM + "HistoryEvent.3.NotificationType": "NewAlarm",
                        FM + "HistoryEvent.4.NotificationType": "ClearedAlarm"})]}}, **LAST})
def alarms(lab):
    up(lab)
    session_had(lab, 1)
    url = lab.agent.parameters(URL_PARAMETER)[URL_PARAMETER]
    raise_fan(lab, "Major")
    asked_for(lab, url, 2)
    raise_fan(lab, "Critical")
    session_had(lab, 3)
    lab.boxes.end("segw")
    lab.boxes.silence("segw", "udp dport { 500, 4500 }")
    wait_for("the agent's own alarm", lambda: SEGW in lab.agent.parameters(FM + "CurrentAlarm.").values(), NOTICED)
    lab.boxes.hear("segw")
    lab.boxes.segw(Gateway())
    lab.agent.registered(NOTICED)
    asked_for(lab, url, 4)
    expect(SEGW not in lab.agent.parameters(FM + "CurrentAlarm.").values(), "the alarm has outlived the outage")


TIMESYNC = "org.freedesktop.timesync1"
TIMESYNC_POLICY = Path("/etc/dbus-1/system.d/lab-timesync1.conf")
TIMESYNC_POLICY_TEXT = f"""<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <policy user="root"><allow own="{TIMESYNC}"/></policy>
  <policy context="default"><allow send_destination="{TIMESYNC}"/></policy>
</busconfig>
"""
NTP = ("ntp1.operator.example", "10.0.0.123")


@contextlib.contextmanager
def timesync():
    """In the place of systemd-timesyncd, which no guest has: takes its name, and answers nobody."""
    TIMESYNC_POLICY.write_text(TIMESYNC_POLICY_TEXT)
    with contextlib.closing(Bus()) as fake:
        fake.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "ReloadConfig")
        fake.own(TIMESYNC)
        try:
            yield fake
        finally:
            TIMESYNC_POLICY.unlink()


def servers_told(fake, seconds=30):
    """The NTP servers that timesync1 is told next."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        message = fake.signal(end - time.monotonic())
        if message and message[2] == "SetRuntimeNTPServers":
            return message[3][0]
    return None


def kernel_facts():
    """What a HeMS has to find, {name: pattern}, as ip and /proc have it; of counters, what they have grown beyond."""
    states = run("ip", "-s", "xfrm", "state")
    spi, addresses = {}, {}
    for source, destination, number in re.findall(r"src (\S+) dst (\S+)\n\tproto esp spi (0x[0-9a-f]+)", states):
        addresses[destination], spi[destination] = source, str(int(number, 16))
    remote = next(address for address in spi if f"inet {address}/" not in run("ip", "address"))
    local = addresses[remote]
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    sa, child = "Device.IPsec.IKEv2SA.1.", "Device.IPsec.IKEv2SA.1.ChildSA.1."
    return {
        sa + "Status": "Up", sa + "LocalAddress": local, sa + "RemoteAddress": remote, sa + "NATDetected": "None",
        sa + "EncryptionAlgorithm": "AES-GCM-16", sa + "EncryptionKeyLength": "128",
        sa + "CreationTime": f"~{time.gmtime().tm_year}-.*",
        child + "InboundSPI": spi[local], child + "OutboundSPI": spi[remote],
        child + "Stats.PacketsSent": "~[1-9][0-9]*", child + "Stats.BytesReceived": "~[1-9][0-9]*",
        child + "Stats.ReplayErrors": "0",
        "Device.DeviceInfo.MemoryStatus.Total": memory[1],
        "Device.DeviceInfo.ProcessStatus.CPUUsage": "~[0-9]{1,3}"}


def row_of(values, table, name, value):
    """The row of a table in which a parameter has this value, with its dot."""
    rows = [path.removesuffix(name) for path, seen in values.items()
            if re.fullmatch(re.escape(table) + r"\d+\." + re.escape(name), path) and seen == value]
    expect(len(rows) == 1, f"{table} has {len(rows)} rows with {name} {value!r}")
    return rows[0]


def interface_facts(lab):
    """The tunnel's interface with its address, and the agent's own process."""
    values = lab.agent.parameters("Device.IP.", "Device.DeviceInfo.")
    link = row_of(values, "Device.IP.Interface.", "Name", henb.TUNNEL)
    process = row_of(values, "Device.DeviceInfo.ProcessStatus.Process.", "PID", str(lab.agent.pid()))
    mtu = re.search(r"mtu (\d+)", run("ip", "link", "show", henb.TUNNEL))
    return {link + "Type": "Tunnel", link + "Status": "Up", link + "MaxMTUSize": mtu[1],
            link + "IPv4Address.1.IPAddress": places.INNER, link + "IPv4Address.1.AddressingType": "IKEv2",
            process + "Command": "henb-agentd"}


@scenario("box-values", "the HeMS finds tunnel, addresses, memory and processes as the kernel has them; NTP servers that it "
          "sets are told to timesync1",
          hems=acs(*s1(), *CREDENTIALS, *((f"Device.Time.NTPServer{number}", "xsd:string", server)
                                          for number, server in enumerate(NTP, 1))))
def box_values(lab):
    with timesync() as fake:
        up(lab)
        session_had(lab, 1)
        told = servers_told(fake)
        expect(told == list(NTP), f"timesync1 was told of {told}, not {NTP}")
    ping()
    url = lab.agent.parameters(URL_PARAMETER)[URL_PARAMETER]
    facts = {**kernel_facts(), **interface_facts(lab)}
    lab.boxes.hems_verdict(SERVING_HEMS)
    lab.boxes.hems(acs(steps=[read("Device.IPsec.", "Device.IP.", "Device.DeviceInfo.", values=facts)]))
    asked_for(lab, url, 1)
