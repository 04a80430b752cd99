# SPDX-License-Identifier: GPL-3.0-or-later
"""Power cuts, and a store that is damaged, full or read-only."""

import shutil
import time

import agent as henb
import places
from contents import CUT_OFF, acs, assigns, periodic, s1, sessions, spv
from machine import expect, run, wait_for
from scenario import scenario
from servers import INITIAL_HEMS
from steps import FAILURE, killed_at, mme_list, ping, properties, silent, up
from ways import inside

# Every step of 5.1.2.3 and 5.1.3 that takes time, as Clause names it.
STEPS = (r"5\.1\.2\.3.*\b1\.1", r"5\.1\.2\.3.*\b1\.3", r"5\.1\.2\.3.*\b1\.4", r"5\.1\.2\.3.*\b2\.1", r"5\.1\.2\.3.*\b6\.1",
         r"5\.1\.2\.3.*\b6\.3", r"5\.1\.2\.3.*\b6\.4", r"5\.1\.3.*\b1\.1")
NAMES = {places.SEGW_INITIAL_NAME: [places.INITIAL.segw], places.SEGW_SERVING_NAME: [places.SEGW]}
KILLED = {"hems_initial": assigns(expect={}, allow=CUT_OFF), "hems": acs(*s1(places.MME_NAME), expect={}, allow=CUT_OFF),
          "public_names": NAMES, "names": list(NAMES)}


def registered(lab):
    lab.agent.registered(FAILURE)
    lab.agent.tunnel()
    properties(lab, SeGW=places.SEGW_SERVING_NAME, Mme=mme_list((places.MME_NAME, places.MME)))
    ping()
    wait_for("one IKE SA at the SeGW", lambda: len(lab.boxes.segw_sas()) == 1, 10)


@scenario("kill-in-way", "killed in step 1.3, in the session with the Initial HeMS, in step 6.3: it finds its way all the same",
          **inside(**KILLED))
def kill_in_way(lab):
    lab.agent.start()
    number = 0
    # Killed in the session, it may know the serving side already, and comes there by 5.1.2.2.
    for step in (STEPS[1], STEPS[3], r"5\.1\.2\.(3 step 6\.3|2 step 3)"):
        number = killed_at(lab, step, number)
        silent(lab, f"killed at {step}")
    registered(lab)


@scenario("long-kill-in-way", "killed at every step of 5.1.2.3, each time from the beginning, and twice on the serving side",
          long=True, **inside(**KILLED))
def long_kill_in_way(lab):
    for step in STEPS:
        number = len(lab.agent.watch.changes)
        lab.agent.start()
        killed_at(lab, step, number)
        registered(lab)
        lab.agent.stop()
        shutil.rmtree(henb.STATE)
    number = len(lab.agent.watch.changes)
    lab.agent.start()
    for step in (r"5\.1\.3.*\b1\.1", r"5\.1\.2\..*(\b3|6\.3)", r"5\.1\.3.*\b1\.1"):
        number = killed_at(lab, step, number)
    registered(lab)


@scenario("long-kill-while-storing", "killed at thirty moments around the SetParameterValues: nothing half", long=True,
          **inside(**KILLED))
def long_kill_while_storing(lab):
    for number in range(30):
        lab.agent.start()
        wait_for("the session", lambda: any("2.1" in one.get("Clause", "") or "5.1.3" in one.get("Clause", "") for one in
                                            lab.agent.watch.moments()[-3:]), FAILURE, 0.005)
        time.sleep(0.02 * number)
        lab.agent.crash()
        run("sqlite3", henb.STATE / "state.db", "pragma integrity_check")
    lab.agent.start()
    registered(lab)


@scenario("store-damaged", "a truncated database, then one that is none: set aside, said, made anew",
          **inside(**KILLED))
def store_damaged(lab):
    lab.agent.start()
    registered(lab)
    store = henb.STATE / "state.db"
    for number, damage in enumerate((lambda data: data[:len(data) * 2 // 3 + 100], lambda data: b"\0garbage" * 500), 2):
        lab.agent.stop()
        data = store.read_bytes()
        for path in henb.STATE.glob("state.db-*"):
            path.unlink()
        store.write_bytes(damage(data))
        before = {path.name for path in henb.STATE.iterdir()}
        lab.agent.journal_begin()
        lab.agent.start()
        registered(lab)
        lab.agent.wait_journal(r"state\.db.*(damaged|malformed|corrupt|not a database|aside)", 10)
        kept = {path.name for path in henb.STATE.iterdir()} - before
        kept = [name for name in kept if not name.endswith(("-wal", "-shm", "-journal"))]
        expect(kept, "the damaged file was not kept")
        informs = lab.boxes.informs(INITIAL_HEMS)
        expect(len(informs) == number, f"the Initial HeMS was asked {len(informs)} times, wanted {number}")


def small_store():
    """A file system of its own under the store, 512 kB, ours to fill."""
    henb.STATE.mkdir(mode=0o700, exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", "size=512k,mode=0700", "lab", henb.STATE)
    shutil.chown(henb.STATE, "henb", "henb")


def fill():
    with open(henb.STATE / "filler", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(512))
        except OSError:
            pass


FAILS = [9002, 9001, 9004, 9003]


@scenario("store-full", "a full disk: SetParameterValues fails and changes nothing; with room again it is taken", hems=sessions(
    [spv("first", *s1(), *periodic(6))], [{**spv("full", *s1(places.MME_SECOND)), "fault": FAILS}],
    [spv("second", *s1(places.MME_NAME))], []))
def store_full(lab):
    small_store()
    lab.agent.start()
    lab.agent.has_registered()
    fill()  # before the next session
    ping()
    wait_for("a session with a full disk", lambda: lab.boxes.hems_says().count("session ok") >= 2, FAILURE)
    (henb.STATE / "filler").unlink()
    lab.agent.wait_journal(r"full|no space|disk", 10)
    lab.agent.wait("Mme", mme_list((places.MME_NAME, places.MME)), FAILURE, lab.agent.begun)
    seen = [values["Mme"] for _, _, values in lab.agent.watch.changes if values.get("Mme")]
    expect(seen == [mme_list(places.MME), mme_list((places.MME_NAME, places.MME))], f"Mme was {seen}")
    # The alarm of it is expedited: a session when the disk was full, and one when it was not any more.
    wait_for("the HeMS to hear that the disk has room", lambda: lab.boxes.hems_says().count("session ok") >= 4, FAILURE)
    properties(lab, State="registered")


@scenario("store-read-only", "started on a read-only disk: said, and nothing is taken that cannot be kept; then with a good one", hems=sessions(
    [{**spv("read-only", *s1()), "fault": FAILS}], [spv("good", *s1())], allow=["INFORM-BOOTSTRAP"]))
def store_read_only(lab):
    small_store()
    run("mount", "-o", "remount,ro", henb.STATE)
    lab.agent.start(wait=False)
    lab.agent.wait_journal(r"read.?only", 60)
    # The HeMS hears that what it sets cannot be stored.
    lab.agent.wait("State", "registered-without-mme")
    lab.agent.wait_journal(r"fault 9002", 10)
    run("mount", "-o", "remount,rw", henb.STATE)
    lab.agent.stop()
    lab.agent.start()
    lab.agent.registered(FAILURE)
    ping()
