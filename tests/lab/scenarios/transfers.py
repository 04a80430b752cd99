# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that a HeMS sends to the box and has sent by it (TR-069 A.3.2.8, A.4.1.5, A.3.3.2)."""

import contextlib
import shutil
from pathlib import Path

import agent as henb
import files
import places
from contents import s1, sessions, spv
from machine import expect, run, wait_for
from scenario import scenario
from steps import killed, up

URL = f"http://{places.HEMS_NAME}:{places.FILES_PORT}/"
FIRMWARE = "1 Firmware Upgrade Image"
DONE = ["7 TRANSFER COMPLETE", "M Download"]
RESULTS, UNITS = Path("/var/lib/henb-install"), Path("/run/systemd/system")
INSTALLED, GO = Path("/run/lab-installed"), Path("/run/lab-install-go")
# The manufacturer's installer: it keeps what it got, and says so when it may.
INSTALLER = f"""[Service]
Type=oneshot
ExecStart=/bin/sh -ec 'cp {henb.STATE}/spool/%i.file {INSTALLED}/image; cp {henb.STATE}/spool/%i.type {INSTALLED}/type; \\
    echo %i >>{INSTALLED}/ids; until [ -e {GO} ]; do sleep 0.1; done; echo 0 >{RESULTS}/%i.new; mv {RESULTS}/%i.new {RESULTS}/%i.result'
StateDirectory=henb-install
"""


@contextlib.contextmanager
def installer():
    """The box has one; it is not to end before GO is there."""
    GO.unlink(missing_ok=True)
    shutil.rmtree(INSTALLED, ignore_errors=True)
    INSTALLED.mkdir()
    (UNITS / "henb-install@.service").write_text(INSTALLER)
    run("systemctl", "daemon-reload")
    try:
        yield
    finally:
        GO.touch()
        (UNITS / "henb-install@.service").unlink()
        run("systemctl", "daemon-reload")
        shutil.rmtree(RESULTS, ignore_errors=True)


def transfer(rpc, key, kind, url):
    return {"rpc": rpc, "transfer": {"CommandKey": key, "FileType": kind, "URL": url}, "status": 1}


def asks(*steps, told):
    """A HeMS that wants these in its first session, and has been told these outcomes in the end."""
    return sessions([spv("first", *s1()), *steps], [], namespace="urn:dslforum-org:cwmp-1-2",
                    expect={"sessions_failed": 0, "transfers": told})


def told(lab, events):
    """The session with these events is over."""
    wait_for(f"a session with {events}", lambda: events in lab.boxes.informs(), 120)
    number = lab.boxes.informs().index(events) + 1
    wait_for("its end", lambda: f"s{number} session ok" in lab.boxes.hems_says(), 60)


def installed():
    """What the installer got is what the server has, once."""
    expect((INSTALLED / "image").read_bytes() == files.image(), "the installer has got another file")
    expect((INSTALLED / "type").read_text() == FIRMWARE + "\n\n", (INSTALLED / "type").read_text())
    expect(len((INSTALLED / "ids").read_text().split()) == 1, "the installer was started again")
    left = list((henb.STATE / "spool").iterdir())
    expect(not left, f"left in the spool: {left}")


@scenario("download", "a firmware comes through the tunnel, in two parts, and goes to the installer; the HeMS is told once",
          hems=asks(transfer("Download", "fw", FIRMWARE, URL + "cut/image"), told=[["fw", 0]]))
def download(lab):
    lab.boxes.files()
    GO.unlink(missing_ok=True)
    with installer():
        up(lab)
        wait_for("the installer", (INSTALLED / "ids").exists, 120)
        expect(DONE not in lab.boxes.informs(), "the HeMS is told before the installer is done")
        GO.touch()
        told(lab, DONE)
        said = lab.boxes.log("files")
        half = files.SIZE // 2
        expect(f"cut at {half}" in said and "from 0" not in said, f"the download did not go on where it was: {said}")
        installed()
        lab.agent.stop()
        count = len(lab.boxes.informs())
        lab.agent.start()  # and tells nothing again
        wait_for("the next session", lambda: len(lab.boxes.informs()) > count, 90)
        expect(DONE[0] not in lab.boxes.informs()[-1], f"the Informs: {lab.boxes.informs()}")


@scenario("download-killed", "killed while the firmware comes, and while it is installed: it goes on, installs once, tells once", long=True,
          hems=asks(transfer("Download", "fw", FIRMWARE, URL + "held/image"), told=[["fw", 0]]))
def download_killed(lab):
    lab.boxes.files()
    with installer():
        up(lab)
        wait_for("half of the file", lambda: "held at" in lab.boxes.log("files"), 120)
        wait_for("the first session's end", lambda: "session ok" in lab.boxes.hems_says(), 60)
        killed(lab)
        wait_for("the installer", (INSTALLED / "ids").exists, 180)
        expect("from 0" not in lab.boxes.log("files"), f"it began anew: {lab.boxes.log('files')}")
        wait_for("the session after the start", lambda: lab.boxes.hems_says().count("session ok") == 2, 120)
        killed(lab)
        wait_for("another session", lambda: lab.boxes.hems_says().count("session ok") == 3, 120)
        GO.touch()
        told(lab, DONE)
        installed()


@scenario("upload", "the HeMS has the log of the whole box and the configuration sent, without secrets",
          hems=asks(transfer("Upload", "log", "4 Vendor Log File 1", URL + "log"),
                    transfer("Upload", "config", "3 Vendor Configuration File 1", URL + "config"),
                    told=[["log", 0], ["config", 0]]))
def upload(lab):
    folder = lab.boxes.files()
    up(lab)
    for name in ("log", "config"):
        wait_for(f"the {name}", (folder / name).exists, 120)
    wait_for("both reports", lambda: lab.boxes.hems_says().count("<- TransferComplete") == 2, 120)
    wait_for("their session's end", lambda: lab.boxes.hems_says().count("session ok") == len(lab.boxes.informs()), 60)
    log, config = ((folder / name).read_text() for name in ("log", "config"))
    for writer in ("henb-agentd", "systemd"):
        expect(f" {writer}[" in log, f"nothing of {writer} is in the log")
    expect("Device.ManagementServer.PeriodicInformInterval=86400\n" in config, "the configuration is not there")
    expect("Password=" not in config, "secrets are in the configuration")
