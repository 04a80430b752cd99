# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests/demo shows: each procedure for a person to watch."""

import re
import time

import agent as henb
import places
from contents import periodic, s1, sessions, spv
from machine import expect, parameters, run, say
from scenario import scenario
from steps import FAILURE, associated, nothing_leaves
from ways import inside, outside

QUIET = {"Log": {"Level": None}}


def show(title, *lines):
    say("")
    say(f"--- {title}")
    for line in lines:
        say(f"    {line}")


def factory_data():
    for line in (henb.CONFIG / "agent.conf").read_text().splitlines():
        if line.startswith(("[Initial]", "[Serving]", "SeGW=", "HeMS=", "Certificate=", "PublicDNS=")):
            say(f"    {line}")


def watched(lab):
    """Prints each step as the bus tells it, from now on."""
    begin, last = time.monotonic(), {}

    def tell(values):
        last.update(values)
        if values.keys() & {"State", "Step", "Clause"}:
            say(f"    {time.monotonic() - begin:5.2f} s  {last.get('State', ''):23} {last.get('Clause', ''):23} "
                f"{last.get('Step', '')}")
        if values.get("LastError"):
            say(f"             error: {values['LastError']}")
    lab.agent.watch.listeners.append(tell)


TERMINAL = parameters(colours=0, columns=124, utf8=0)  # of the person who watches


def henbctl(*verbs):
    """What a person without privileges sees who asks henbctl."""
    look = (f"SYSTEMD_COLORS={TERMINAL['colours']}", f"COLUMNS={TERMINAL['columns'] - 4}",
            f"LC_ALL={'C.UTF-8' if TERMINAL['utf8'] else 'C'}")
    for verb in verbs:
        text = run("runuser", "-u", "nobody", "--", "env", *look, "henbctl", verb)
        show(f"henbctl {verb}", *text.rstrip().splitlines())


def left(lab):
    """What the judge has seen leave the box; the agent goes on."""
    lab.agent.watch.listeners.clear()
    verdict = lab.judge()
    show("what left the HeNB on the uplink, by packets", ", ".join(f"{kind} {n}" for kind, n in verdict.seen.items()))


def mme_on_the_bus():
    show("busctl get-property ... Mme",
         run("busctl", "get-property", henb.BUS, henb.OBJECT, henb.INTERFACE, "Mme").strip())


@scenario("demo-5.1.2.2", "straight to the serving pair", demo=True, factory=QUIET)
def demo_serving(lab):
    say("5.1.2.2. A HeNB is switched on. It knows its SeGW and HeMS by name, and has a certificate:")
    factory_data()
    show("systemctl start henb-agent; what it publishes on D-Bus, as it happens")
    watched(lab)
    lab.agent.start()
    lab.agent.registered()
    associated(lab)
    show("busctl introspect org.henb.Agent1 /org/henb/Agent1", *[
        line.strip() for line in run("busctl", "--no-pager", "introspect", henb.BUS, henb.OBJECT, henb.INTERFACE).splitlines()])
    mme_on_the_bus()
    show("ip xfrm state list nokeys", *run("ip", "xfrm", "state", "list", "nokeys").rstrip().splitlines())
    show(f"ping -I {henb.TUNNEL} {places.HEMS}, the HeMS through the tunnel",
         *run("ping", "-c", "3", "-i", "0.3", "-I", henb.TUNNEL, places.HEMS).strip().splitlines())
    output = lab.boxes.log("s1-stack").strip().splitlines()
    show("the S1 stand-in, a client of the bus, and the MME's log", *output,
         *[f"MME: {line}" for line in lab.boxes.log("mme").splitlines() if "association" in line])
    show("the SeGW's view", *lab.boxes.segw_sas())
    state = lab.agent.get("State")
    left(lab)
    say("")
    say(f"State {state}, MME on the bus, S1 association up: the main job is done.")
    henbctl("status", "timeline")


def sessions_seen(lab, *names):
    """What HeMSs logged, from Inform to the session's end."""
    for name in names:
        lines = [line for line in lab.boxes.hems_says(name).splitlines() if re.search(r" s\d+ (<-|->|session)", line)]
        show(f"the log of {name}", *(line[:150] for line in lines))


def resolvers(lab, *servers):
    asked = {server: dict.fromkeys(name for name, _ in lab.boxes.dns_asked(server)) for server in servers}
    show("which name was asked of which DNS", *(f"{server:12} {', '.join(names)}" for server, names in asked.items()))


@scenario("demo-5.1.2.3", "by an Initial HeMS inside the operator's network", demo=True, **inside(factory=QUIET))
def demo_inside(lab):
    say("5.1.2.3. This HeNB knows an Initial SeGW and an Initial HeMS behind it; they know where it belongs:")
    factory_data()
    show("systemctl start henb-agent; what it publishes on D-Bus, as it happens")
    watched(lab)
    lab.agent.start()
    lab.agent.registered(FAILURE)
    associated(lab)
    sessions_seen(lab, "hems-initial", "hems")
    resolvers(lab, "dns-public", "dns-initial", "dns-private")
    mme_on_the_bus()
    show("the gateways' view", f"segw-initial: {lab.boxes.segw_sas('segw-initial') or 'no IKE SA any more'}",
         *(f"segw-serving: {line}" for line in lab.boxes.segw_sas()))
    left(lab)
    say("")
    say("From the initial side to the serving side, registered there: MME on the bus, S1 association up.")
    henbctl("status", "timeline")


@scenario("demo-5.1.2.4", "by an Initial HeMS on the internet", demo=True, **outside(factory=QUIET))
def demo_outside(lab):
    say("5.1.2.4. This HeNB knows a HeMS on the internet. TLS: each shows a certificate, and the HeNB looks well:")
    factory_data()
    show("systemctl start henb-agent; what it publishes on D-Bus, as it happens")
    watched(lab)
    lab.agent.start()
    lab.agent.registered(FAILURE)
    associated(lab)
    sessions_seen(lab, "hems-public", "hems")
    resolvers(lab, "dns-public", "dns-private")
    mme_on_the_bus()
    left(lab)
    say("")
    say("By TLS to the Initial HeMS, by IPsec to the serving side: MME on the bus, S1 association up.")
    henbctl("status", "timeline")


@scenario("demo-5.1.4", "out of service, and back", demo=True, factory=QUIET, hems=sessions(
    [spv("first", *s1(), *periodic(8))], [{"rpc": "FactoryReset"}], [spv("again", *s1())], allow=["INFORM-DEREGISTERED"]))
def demo_deregistration(lab):
    say("5.1.4. A registered HeNB is taken out of service by its HeMS, in a session of its own:")
    watched(lab)
    lab.agent.start()
    lab.agent.has_registered()
    lab.agent.wait("State", "deregistered")
    sessions_seen(lab, "hems")
    mme_on_the_bus()
    lab.agent.no_tunnel()
    show("systemctl restart henb-agent; and ten seconds of listening on the uplink")
    run("systemctl", "restart", henb.UNIT)
    lab.agent.wait("State", "deregistered")
    nothing_leaves(lab, 10)
    say("             not a packet: no DNS, no IKE")
    show("as somebody else: busctl call ... ClearDeregistration",
         lab.agent.call("ClearDeregistration", user="nobody") or "done, which must not be")
    show("as root: busctl call ... ClearDeregistration")
    why = lab.agent.call("ClearDeregistration")
    expect(why is None, f"ClearDeregistration: {why}")
    lab.agent.registered(FAILURE)
    mme_on_the_bus()
    left(lab)
    say("")
    say("Out of service, silent through a restart, and back by root's word only.")
    henbctl("status", "timeline")
