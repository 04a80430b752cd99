# SPDX-License-Identifier: GPL-3.0-or-later
"""The Debian package as systemd and the kernel meet it: what runs is the package's; upgraded while registered; purged.
tests/package has what needs no running system."""

import os
import pwd
import re
import shutil
from pathlib import Path

import agent as henb
import places
from bus import job, unit_property
from contents import acs, s1
from machine import HERE, expect, run, wait_for
from scenario import scenario
from steps import informed, mme_list, ping, properties, up

NAME = "henb-agent"
WAIT_UNIT = "henb-wait-registered.service"
DEB = Path("/input/henb-agent.deb")  # what the guest has installed
STORE = henb.STATE / "state.db"
EARLIER = HERE / "version-1.db"  # written by the release before
INFORM = "Device.ManagementServer.InformParameter."


def dpkg(*argv):
    """Some of what it starts is Perl, and the agent: in an emulated guest beside others that takes its time."""
    run("dpkg", *argv, timeout=600)


def owner(path):
    """The package a file belongs to."""
    return run("dpkg", "-S", path).partition(":")[0]


def access(path):
    status = path.stat()
    return pwd.getpwuid(status.st_uid).pw_name, f"{status.st_mode & 0o7777:o}"


@scenario("package", "what runs is the package's, nothing of it was changed; its user, its folder, enabled for the next boot")
def package(lab):
    up(lab)
    expect("Status: install ok installed" in run("dpkg", "-s", NAME), "the package is not installed")
    changed = run("dpkg", "-V", NAME, check=False)
    expect(not changed, f"the package's files are not as they were: {changed}")
    unit = lab.agent.unit("FragmentPath", "UnitFileState", "DropInPaths")
    expect(unit["UnitFileState"] == "enabled" and unit["DropInPaths"] == "[]", f"the unit: {unit}")
    for path in (os.readlink(f"/proc/{lab.agent.pid()}/exe"), unit["FragmentPath"]):
        expect(owner(path) == NAME, f"{path} is of {owner(path)}")
    user = pwd.getpwnam("henb")
    expect((user.pw_dir, user.pw_shell) == (str(henb.STATE), "/usr/sbin/nologin"), f"the user: {user}")
    expect(Path(f"/proc/{lab.agent.pid()}").stat().st_uid == user.pw_uid, "it does not run as henb")
    seen = {path.name: access(path) for path in (henb.STATE, STORE)}
    expect(seen == {henb.STATE.name: ("henb", "700"), STORE.name: ("henb", "600")}, f"the state's owner and mode: {seen}")


def place_earlier():
    """The store of a box that has run the release before, and was not de-registered."""
    henb.STATE.mkdir(mode=0o700)
    shutil.copy(EARLIER, STORE)
    run("sqlite3", STORE, "DELETE FROM meta WHERE key='deregistered'")
    STORE.chmod(0o600)
    for path in (henb.STATE, STORE):
        shutil.chown(path, "henb", "henb")


@scenario("package-upgrade", "an upgrade brings a registered box back with its store, also that of the release before; it "
          "waits for no registration, and starts none that was stopped", hems=acs(*s1()))
def package_upgrade(lab):
    place_earlier()
    up(lab)
    lab.agent.wait_journal("brought from version 1 to 2", 10)
    kept = lab.agent.parameters(INFORM)
    expect(any(value.endswith("Cell.8.RF.RSRP") for value in kept.values()), f"of the store before there is {kept}")
    expect(job("StartUnit", WAIT_UNIT) == "done", f"{WAIT_UNIT} does not start")
    before, lab.agent.begun = lab.agent.pid(), lab.agent.mark()
    lab.boxes.uplink_down()  # an upgrade that waited for the registration would never end
    dpkg("-i", DEB)
    expect(lab.agent.pid() not in (0, before), "the upgrade has not started the new program")
    lab.boxes.uplink()
    lab.agent.has_registered()
    lab.agent.registered()
    wait_for("the unit that waits", lambda: unit_property(WAIT_UNIT, "ActiveState") == "active", 30)
    lab.agent.tunnel()
    ping()
    properties(lab, Mme=mme_list(places.MME))
    expect(lab.agent.parameters(INFORM) == kept, "the upgrade has lost something of the store")
    informed(lab, "hems", 2, "1 BOOT")
    expect("0 BOOTSTRAP" not in lab.boxes.informs()[1], f"after the upgrade it is a new box: {lab.boxes.informs()}")
    lab.agent.stop()
    dpkg("-i", DEB)
    state = lab.agent.unit("ActiveState")
    expect(state == {"ActiveState": "inactive"}, f"the upgrade of a stopped agent: {state}")


def way_to_clean():
    """The commands by which BEHAVIOUR.md has a person take away what guards inner traffic."""
    text = Path("/usr/share/doc/henb-agent/BEHAVIOUR.md").read_text(encoding="utf-8")
    return re.search(rf"^ +ip link del {henb.TUNNEL}\n(?: +\S.*\n)+", text, re.M)[0]


@scenario("package-purge", "purged while registered: the gateway hears of it, no tunnel and no state are left; what guards "
          "inner traffic goes by BEHAVIOUR.md's commands")
def package_purge(lab):
    up(lab)
    inner, clean = lab.agent.inner(), way_to_clean()
    try:
        dpkg("--purge", NAME)
        lab.agent.no_tunnel()
        wait_for("the SeGW to have no IKE SA", lambda: not lab.boxes.segw_sas(), 5)
        left = [str(path) for path in (henb.STATE, Path("/usr/sbin/henb-agentd"), Path("/lib/systemd/system") / henb.UNIT,
                                       Path("/etc/systemd/system/multi-user.target.wants") / henb.UNIT) if path.exists()]
        expect(not left, f"left on the disk: {left}")
        expect((henb.CONFIG / "henb-key.pem").exists(), "purging has taken the key away")
        expect(run("dpkg", "-s", NAME, check=False) == "", "the package is still known")
        lab.agent.guard(inner)
        run("sh", "-c", clean)
        text, states, policies = henb.kernel(inner)
        expect(not (text + run("ip", "-6", "rule")).count(str(henb.ID)) and henb.TUNNEL not in run("ip", "link"),
               f"BEHAVIOUR.md's commands leave {text}")
        expect(not states and not policies, f"BEHAVIOUR.md's commands leave {states} {policies}")
    finally:
        dpkg("-i", DEB)
