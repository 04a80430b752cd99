# SPDX-License-Identifier: GPL-3.0-or-later
"""How a HeMS gets its sessions: by asking for them (TR-069 3.2.2), and where it sends them (3.4.6)."""

import http.client
import socket
import urllib.error
import urllib.request
from pathlib import Path

import places
from contents import acs, s1, sessions, spv
from machine import expect, inside, run, wait_for
from scenario import scenario
from servers import MOVED_HEMS, SERVING_HEMS
from steps import URL, down, informed, properties, silent, up
from ways import PRIVATE_NAMES

URL_PARAMETER = "Device.ManagementServer.ConnectionRequestURL"
ASKER = ("acs", "s3cret")
CREDENTIALS = [("$MS.ConnectionRequestUsername", "xsd:string", ASKER[0]),
               ("$MS.ConnectionRequestPassword", "xsd:string", ASKER[1])]


def listeners(port):
    """The IPv4 addresses of the box at which somebody listens on a TCP port; "IPv6" for any of the other family."""
    found = []
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(path).read_text().splitlines()[1:]:
            address, _, number = line.split()[1].rpartition(":")
            if line.split()[3] == "0A" and int(number, 16) == port:
                found.append(socket.inet_ntoa(bytes.fromhex(address)[::-1]) if len(address) == 8 else "IPv6")
    return found


def connection_request(url, credentials=None):
    """The status of a GET, with a digest if there are credentials; None: nobody listens."""
    keys = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    if credentials:
        keys.add_password(None, url, *credentials)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPDigestAuthHandler(keys))
    with inside("operator"):
        try:
            with opener.open(url, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except (urllib.error.URLError, http.client.HTTPException, OSError):
            return None


@scenario("connection-request", "the HeMS asks for a session, by digest at the inner address; nobody else can, and not from outside",
          hems=sessions([spv("first", *s1(), *CREDENTIALS)], []))
def asked(lab):
    up(lab)
    url = lab.agent.parameters(URL_PARAMETER)[URL_PARAMETER]
    expect(url.startswith(f"http://{places.INNER}:{places.HEMS_PORT}/"), f"{URL_PARAMETER} is {url!r}")
    wait_for("the first session's end", lambda: "session ok" in lab.boxes.hems_says(), 30)
    for what, status, more in ((url, 401, {}), (url, 401, {"credentials": ("acs", "wrong")}), (url[:-1], 404, {"credentials": ASKER})):
        seen = connection_request(what, **more)
        expect(seen == status, f"a connection request to {what} with {more}: {seen}, not {status}")
    informed(lab, SERVING_HEMS, 1)
    silent(lab, "while connection requests are answered inside")
    expect(listeners(places.HEMS_PORT) == [places.INNER], f"who listens on the port: {listeners(places.HEMS_PORT)}")
    for count in (2, 3):
        expect(connection_request(url, ASKER) == 200, "the connection request was not taken")
        wait_for("the session that was asked for", lambda: len(lab.boxes.informs()) == count, 30)
    expect(lab.boxes.informs()[1:] == [["6 CONNECTION REQUEST"]] * 2, f"the Informs: {lab.boxes.informs()}")
    properties(lab, State="registered")
    down(lab)
    expect(not listeners(places.HEMS_PORT), "somebody listens without a tunnel")


MOVED_URL = f"http://{places.HEMS_SERVING_NAME}:{places.HEMS_MOVED_PORT}/here"


@scenario("hems-redirects", "the HeMS redirects each session to another host, which the private DNS knows; its URL stays what it was",
          private_names={places.HEMS_NAME: [places.HEMS], **PRIVATE_NAMES},
          hems=acs(fault={"kind": "status", "status": 302, "headers": [["Location", MOVED_URL]]}, expect={"informs": 1}))
def redirected(lab):
    lab.boxes.hems_moved(acs(*s1()))
    up(lab)
    informed(lab, MOVED_HEMS, 1, "0 BOOTSTRAP", "1 BOOT")
    properties(lab, HeMS=URL, LastError="")
    kept = lab.agent.parameters("Device.ManagementServer.URL")
    expect(list(kept.values()) == [URL], f"the redirect was stored: {kept}")
    expect(f"redirects to {MOVED_URL}" in lab.agent.journal(), "the journal does not tell of the redirect")


REBOOTED = Path("/run/lab-rebooted")
# What login1 starts: here it only starts the agent again, as a boot would.
REBOOT_UNITS = {
    "reboot.target": "[Unit]\nDescription=Lab reboot\nRequires=lab-reboot.service\nAfter=lab-reboot.service\n",
    "lab-reboot.service": f"[Service]\nType=oneshot\nExecStart=touch {REBOOTED}\nExecStart=systemctl --no-block restart henb-agent.service\n",
}


@scenario("reboot", "the HeMS wants a reboot: login1 is asked once the HeMS has the answer, polkit lets the agent, and M Reboot follows",
          hems=sessions([spv("first", *s1()), {"rpc": "Reboot", "args": [["CommandKey", "why not"]]}], []))
def rebooted(lab):
    REBOOTED.unlink(missing_ok=True)
    for name, text in REBOOT_UNITS.items():
        (Path("/run/systemd/system") / name).write_text(text)
    run("systemctl", "daemon-reload")
    try:
        lab.agent.start()
        wait_for("login1 to reboot", REBOOTED.exists, 90)
        wait_for("the session after the reboot", lambda: len(lab.boxes.informs()) == 2, 90)
        expect(lab.boxes.informs()[1] == ["1 BOOT", "M Reboot"], f"the Informs: {lab.boxes.informs()}")
        said = lab.boxes.hems_says()
        expect(said.index("RebootResponse") < said.index("session ok"), "the HeMS did not get the answer first")
        lab.agent.registered()
    finally:
        for name in REBOOT_UNITS:
            (Path("/run/systemd/system") / name).unlink()
        run("systemctl", "daemon-reload")


@scenario("schedule-inform", "ScheduleInform: the session comes when it is due, with 3 SCHEDULED and M ScheduleInform",
          hems=sessions([spv("first", *s1()), {"rpc": "ScheduleInform", "args": [["DelaySeconds", "3"], ["CommandKey", "later"]]}], []))
def scheduled(lab):
    up(lab)
    wait_for("the scheduled session", lambda: len(lab.boxes.informs()) == 2, 60)
    expect(lab.boxes.informs()[1] == ["3 SCHEDULED", "M ScheduleInform"], f"the Informs: {lab.boxes.informs()}")

