# SPDX-License-Identifier: GPL-3.0-or-later
"""TS 32.593 5.1.4: out of service by the HeMS or by a reset button, and what brings a box back."""

import threading

import agent as henb
import places
from contents import QUIET, acs, periodic, s1, serving, sessions, spv
from gateways import Gateway
from machine import expect, run, wait_for
from scenario import scenario
from servers import INITIAL_HEMS, SERVING_HEMS
from steps import FAILURE, informed, killed, mme_list, nothing_leaves, ping, properties, silent, trouble, up
from ways import OPERATOR

RESET = {"rpc": "FactoryReset"}
# What a box that comes back after ClearDeregistration breaks in the eyes of this HeMS.
AGAIN = {"allow": ["INFORM-DEREGISTERED"]}


def registered(lab):
    """It has been, that is: the HeMS's FactoryReset comes at its own time, which may be before anybody looks."""
    lab.agent.start()
    lab.agent.has_registered()


def deregistered(lab):
    """Out of service: nothing on the bus, in the kernel, at the gateway."""
    lab.agent.wait("State", "deregistered")
    properties(lab, Mme=[], MmeStored=[], InnerAddresses=[])
    trouble("De-registered by the operator")
    expect("5.1.4" in lab.agent.get("Clause"), f"Clause is {lab.agent.get('Clause')!r}, wanted 5.1.4")
    lab.agent.no_tunnel()
    wait_for("the SeGW to have no IKE SA", lambda: not lab.boxes.segw_sas(), 10)


def still_deregistered(lab, seconds=4):
    lab.agent.wait("State", "deregistered")
    nothing_leaves(lab, seconds)
    properties(lab, State="deregistered", Mme=[])


@scenario("factory-reset", "5.1.4: FactoryReset in a session of its own; stays through restart, kill -9, loss of the store",
          hems=sessions([spv("first", *s1(), *periodic(10))], [RESET], [spv("again", *s1())], **AGAIN))
def factory_reset(lab):
    registered(lab)
    deregistered(lab)
    informed(lab, SERVING_HEMS, 2, "0 BOOTSTRAP", "1 BOOT")
    silent(lab, "out of service")
    still_deregistered(lab, 12)  # longer than the interval of its periodic Informs was
    run("systemctl", "restart", henb.UNIT)
    still_deregistered(lab)
    killed(lab)
    still_deregistered(lab)
    for name, damage in (("gone", None), ("damaged", b"no database " * 400)):
        lab.agent.stop()
        for path in henb.STATE.glob("state.db*"):
            path.unlink()
        if damage:
            (henb.STATE / "state.db").write_bytes(damage)
        lab.agent.start()
        lab.agent.wait("State", "deregistered", 30)
        still_deregistered(lab)
    # And the mark beside the database is gone: the one in the database is enough, and heals the other.
    lab.agent.stop()
    mark = henb.STATE / "deregistered"
    expect(mark.exists(), f"there is no {mark}")
    mark.unlink()
    lab.agent.start()
    still_deregistered(lab)
    expect(mark.exists(), "the mark beside the database was not made again")
    informed(lab, SERVING_HEMS, 2, "0 BOOTSTRAP")

    why = lab.agent.call("ClearDeregistration", user="nobody")
    expect(why and "denied" in why.lower() + why, f"ClearDeregistration by nobody: {why}")
    properties(lab, State="deregistered")
    why = lab.agent.call("ClearDeregistration")
    expect(why is None, f"ClearDeregistration by root: {why}")
    lab.agent.registered(FAILURE)
    properties(lab, Mme=mme_list(places.MME))
    expect("0 BOOTSTRAP" in lab.boxes.informs()[2], f"the Informs were {lab.boxes.informs()}")
    expect(not mark.exists(), f"{mark} is still there")
    ping()


@scenario("factory-reset-after-rpcs", "5.1.4: FactoryReset after other RPCs counts at the session's end; no RPC after it", long=True,
          hems=sessions([spv("first", *s1(), *periodic(10))],
                        [spv("more", *s1(places.MME_SECOND)), RESET, {"rpc": "GetRPCMethods"}],
                        allow=["SESSION-END"], expect={}))
def factory_reset_after_rpcs(lab):
    registered(lab)
    deregistered(lab)
    expect("<- GetRPCMethodsResponse" not in lab.boxes.hems_says(), "the RPC after FactoryReset was executed")
    still_deregistered(lab)


@scenario("factory-reset-broken", "5.1.4: the session breaks before the response is taken: nothing has changed", hems={
    "sessions": {"1": {"steps": [spv("first", *s1(), *periodic(10))]},
                 "2": {"steps": [RESET], "fault": {"on": "FactoryResetResponse", "kind": "drop"}},
                 "3-": {"steps": [QUIET]}},
    "expect": {"informs": ">=3", "sessions_ok": ">=2", "sessions_failed": 1}})
def factory_reset_broken(lab):
    up(lab)
    wait_for("a session after the broken one", lambda: len(lab.boxes.informs()) >= 3, FAILURE)
    lab.agent.registered()
    expect("deregistered" not in lab.agent.watch.states(), f"the states were {lab.agent.watch.states()}")
    properties(lab, Mme=mme_list(places.MME))
    expect("0 BOOTSTRAP" not in lab.boxes.informs()[2], "0 BOOTSTRAP after a FactoryReset that was not taken")
    ping()


@scenario("deregister", "5.1.4: the reset button waits for a session's end, is refused when it fails, and works", hems={
    "sessions": {"1": {"steps": [spv("first", *s1(), *periodic(8))]},
                 "2": {"steps": [], "fault": {"kind": "hold", "seconds": 600}},
                 "3-": {"steps": [QUIET]}}})
def deregister(lab):
    up(lab)
    why = lab.agent.call("Deregister", user="nobody")
    expect(why, "Deregister by nobody is done")
    properties(lab, State="registered")
    wait_for("a session that stays open", lambda: len(lab.boxes.informs()) >= 2, FAILURE)
    answers = []
    call = threading.Thread(target=lambda: answers.append(lab.agent.call("Deregister", timeout=150)))
    call.start()
    call.join(160)
    expect(answers and answers[0], f"Deregister while a session failed: {answers}")
    expect("deregistered" not in lab.agent.watch.states(), "it is out of service though its session failed")
    wait_for("the next session", lambda: lab.boxes.hems_says().count("session ok") >= 2, FAILURE)
    why = lab.agent.call("Deregister")
    expect(why is None, f"Deregister by root: {why}")
    deregistered(lab)
    still_deregistered(lab)


@scenario("deregister-waits", "5.1.4: the reset button is pressed during a session that ends well: done then, and told so",
          hems=acs(*s1(), *periodic(8)))
def deregister_waits(lab):
    up(lab)
    lab.boxes.delay(1500)  # a session of some seconds
    before = len(lab.boxes.informs())
    wait_for("another session", lambda: len(lab.boxes.informs()) > before, FAILURE)
    good = lab.boxes.hems_says().count("session ok")
    expect(good == before, "the session was over too soon for this")
    why = lab.agent.call("Deregister", timeout=150)
    expect(why is None, f"Deregister during a session that ended well: {why}")
    expect(lab.boxes.hems_says().count("session ok") == good + 1, "it was done before the session had ended")
    lab.boxes.delay(0)
    deregistered(lab)


OTHER = {"Identity": {"Operator": "other.example"}, "Serving": {"SeGW": places.SEGW_OTHER_NAME, "HeMS": places.HEMS_OTHER_NAME}}


@scenario("operators", "5.1.4: another operator's factory data register and may not send the box back; the same one's do not",
          factory={"Identity": OPERATOR}, initial=Gateway("segw-other", identity=places.SEGW_OTHER_NAME),
          public_names={places.SEGW_NAME: [places.SEGW], places.SEGW_OTHER_NAME: [places.INITIAL.segw]},
          initial_names={places.HEMS_OTHER_NAME: [places.INITIAL.hems]}, names=[places.SEGW_NAME, places.SEGW_OTHER_NAME],
          hems=sessions([spv("first", *s1(), *periodic(10))], [RESET]),
          hems_initial=acs(steps=[
              {**spv("back", *serving(f"http://{places.HEMS_NAME.upper()}:{places.HEMS_PORT}/")), "fault": [9001, 9003]},
              {**spv("back", *serving(None, places.SEGW_NAME)), "fault": [9001, 9003]},
              spv("other", *s1(places.INITIAL.mme))]))
def operators(lab):
    registered(lab)
    deregistered(lab)
    lab.agent.stop()
    lab.agent.configure("ecdsa", OTHER)
    lab.agent.start()
    lab.agent.registered(FAILURE)
    properties(lab, Mme=mme_list(places.INITIAL.mme), SeGW=places.SEGW_OTHER_NAME)
    informed(lab, INITIAL_HEMS, 1, "0 BOOTSTRAP")
    lab.agent.stop()
    # Operator= of the other one does not help: the HeMS's name is under a suffix the mark knows.
    for identity in ({"Operator": "OPERATOR.example"}, {"Operator": "third.example"}):
        lab.agent.configure("ecdsa", {"Identity": identity})
        lab.agent.start()
        still_deregistered(lab)
        lab.agent.stop()
    informed(lab, SERVING_HEMS, 2, "0 BOOTSTRAP")
