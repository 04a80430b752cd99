# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests/demo shows."""

import time

import agent as henb
import places
from machine import run, say
from scenario import scenario
from steps import associated


def show(title, *lines):
    say("")
    say(f"--- {title}")
    for line in lines:
        say(f"    {line}")


@scenario("demo", "the main job, for a person to watch", demo=True, factory={"Log": {"Level": None}})
def demo(lab):
    say("A HeNB is switched on. It knows its SeGW and HeMS by name, and has a certificate:")
    for line in (henb.CONFIG / "agent.conf").read_text().splitlines():
        if line.startswith(("SeGW=", "HeMS=", "Certificate=", "PublicDNS=")):
            say(f"    {line}")
    show("systemctl start henb-agent; what it publishes on D-Bus, as it happens")
    begin, last = time.monotonic(), {}

    def tell(values):
        last.update(values)
        if values.keys() & {"State", "Step", "Clause"}:
            say(f"    {time.monotonic() - begin:5.2f} s  {last.get('State', ''):23} {last.get('Clause', ''):21} "
                f"{last.get('Step', '')}")
        if values.get("LastError"):
            say(f"             error: {values['LastError']}")
    lab.agent.watch.listeners.append(tell)
    lab.agent.start()
    lab.agent.registered()
    associated(lab)
    show("busctl introspect org.henb.Agent1 /org/henb/Agent1", *[
        line.strip() for line in run("busctl", "--no-pager", "introspect", henb.BUS, henb.OBJECT, henb.INTERFACE).splitlines()])
    show("busctl get-property ... Mme",
         run("busctl", "get-property", henb.BUS, henb.OBJECT, henb.INTERFACE, "Mme").strip())
    show("ip xfrm state list nokeys", *run("ip", "xfrm", "state", "list", "nokeys").rstrip().splitlines())
    show(f"ping -I {henb.TUNNEL} {places.HEMS}, the HeMS through the tunnel",
         *run("ping", "-c", "3", "-i", "0.3", "-I", henb.TUNNEL, places.HEMS).strip().splitlines())
    output = lab.boxes.log("s1-stack").strip().splitlines()
    show("the S1 stand-in, a client of the bus, and the MME's log", *output,
         *[f"MME: {line}" for line in lab.boxes.log("mme").splitlines() if "association" in line])
    show("the SeGW's view", *lab.boxes.segw_sas())
    state = lab.agent.get("State")
    lab.agent.watch.listeners.clear()
    lab.agent.stop()
    verdict = lab.judge()
    show("what left the HeNB on the uplink, by packets", ", ".join(f"{kind} {n}" for kind, n in verdict.seen.items()))
    say("")
    say(f"State {state}, MME on the bus, S1 association up: the main job is done.")
