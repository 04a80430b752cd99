# SPDX-License-Identifier: GPL-3.0-or-later
"""Failure and return: gateways that die, an uplink that goes, comes and changes. Nobody helps the agent."""

import time
from pathlib import Path

import judge
import places
from contents import assigns, s1, serving, sessions, spv
from gateways import Gateway
from machine import expect, wait_for
from scenario import scenario
from steps import FAILURE, associated, gateway_dies, mme_list, ping, properties, sent_to, silent, up
from ways import SECOND, inside

# Dead peers are found by what goes unanswered; the agent's own pace, and the guest's, are in these.
NOTICED = 240


def lost(lab, timeout=NOTICED):
    """The bus tells that the registration is lost."""
    lab.agent.wait("State", lambda state: state not in ("registered", None), timeout)
    properties(lab, Mme=[])


def back(lab, timeout=FAILURE):
    lab.agent.registered(timeout)
    lab.agent.tunnel()
    properties(lab, Mme=mme_list(places.MME), LastError="")
    ping()


@scenario("second-segw", "SecGWServer1 does not answer: SecGWServer2 is tried, and is good", second=SECOND, **inside(
    initial_names={places.HEMS_INITIAL_NAME: [places.INITIAL.hems], places.SEGW_SERVING_NAME: [places.SEGW],
                   places.SEGW_SECOND_NAME: [places.SECOND.segw]},
    hems_initial=assigns(places.SEGW_SERVING_NAME, places.SEGW_SECOND_NAME)))
def second_segw(lab):
    lab.boxes.silence("segw", "udp dport { 500, 4500 }")
    lab.agent.start()
    lab.agent.registered(NOTICED)
    properties(lab, SeGW=places.SEGW_SECOND_NAME, SeGWAddress=places.SECOND.segw, InnerAddresses=[places.SECOND.inner])
    lab.agent.tunnel()
    ping()
    associated(lab)


@scenario("gateway-dies", "the gateway dies without a word after the registration: noticed, and registered again when it is back",
          hems="again.json")
def gateway_dead(lab):
    up(lab)
    gateway_dies(lab)
    lost(lab)
    silent(lab, "without a gateway")
    lab.boxes.hear("segw")
    lab.boxes.segw(Gateway())
    back(lab, NOTICED)
    associated(lab)


@scenario("second-segw-later", "the gateway dies after the registration: the next of SecGWServer1..3 takes over", long=True, second=SECOND,
          public_names={places.SEGW_NAME: [places.SEGW], places.SEGW_SECOND_NAME: [places.SECOND.segw]},
          names=[places.SEGW_NAME, places.SEGW_SECOND_NAME], hems=sessions(
              [spv("first", *s1(), *serving(None, places.SEGW_NAME, places.SEGW_SECOND_NAME))], [], allow=["SESSION-END"]))
def second_segw_later(lab):
    up(lab)
    gateway_dies(lab)
    lost(lab)
    back(lab, NOTICED)
    properties(lab, SeGW=places.SEGW_SECOND_NAME, InnerAddresses=[places.SECOND.inner])


@scenario("link-flaps", "the uplink goes down, loses its address, and comes back", hems="again.json")
def link_flaps(lab):
    up(lab)
    lab.boxes.uplink_down()
    lost(lab, 60)
    lab.boxes.uplink()
    back(lab)


@scenario("cable", "the uplink loses its carrier for half a minute and keeps its address", long=True, hems="again.json")
def cable(lab):
    up(lab)
    lab.boxes.unplug()
    time.sleep(30)
    lab.boxes.plug()
    wait_for("the tunnel to carry traffic", lambda: lab.agent.get("State") == "registered" and carries(), NOTICED, 1)
    back(lab)


def carries():
    try:
        ping()
    except Exception:
        return False
    return True


@scenario("uplink-moves", "the uplink gets another address: registered from there", hems="again.json",
          declared=[(judge.UDP, places.SEGW, 500), (judge.UDP, places.SEGW, 4500)])
def uplink_moves(lab):
    up(lab)
    begin = len(lab.agent.watch.changes)
    lab.boxes.capture("moved")
    lab.boxes.uplink_moves()
    wait_for("an SA from the new address", lambda: any(
        places.HENB_MOVED in line for line in lab.boxes.segw_sas()), FAILURE)
    back(lab)
    lab.boxes.capture_end("moved")
    errors = [values["LastError"] for _, _, values in lab.agent.watch.changes[begin:] if values.get("LastError")]
    expect(not [one for one in errors if "answer" in one], f"the gateway was blamed: {errors}")
    associated(lab)


@scenario("resolv-conf-changes", "a resolv.conf that changes while DNS fails is used at once",
          factory={"Network": {"PublicDNS": None}})
def resolv_conf_changes(lab):
    resolv = Path("/etc/resolv.conf")
    kept = resolv.read_text()
    resolv.write_text("nameserver 192.0.2.54\n")
    try:
        lab.agent.start()
        lab.agent.failed(r"dns|resolv|segw\.operator\.example")
        # Replaced as a DHCP client does, and as soon as the agent waits long.
        lab.agent.wait("State", "retrying")
        new = resolv.with_name("resolv.conf.new")
        new.write_text(f"nameserver {places.PUBLIC_DNS}\n")
        begin = time.monotonic()
        new.rename(resolv)
        wait_for("the new resolver to be asked", lambda: lab.boxes.dns_asked("dns-public"), 4)
        seconds = time.monotonic() - begin
        expect(seconds < 4, f"the new resolver was asked after {seconds:.1f} s")
        lab.agent.registered()
    finally:
        resolv.write_text(kept)


@scenario("resolver-returns", "the public DNS is silent for minutes, then back; so is the box", long=True)
def resolver_returns(lab):
    lab.boxes.silence("internet", "udp dport 53")
    lab.agent.start()
    time.sleep(180)
    lab.boxes.hear("internet")
    lab.agent.registered(700)


@scenario("long-outage", "nothing answers for ten minutes: the box stays quiet enough (200 kB an hour at most)", long=True)
def long_outage(lab):
    lab.boxes.silence("segw", "meta l4proto { udp, esp } iifname wan")
    lab.boxes.capture("outage")
    lab.agent.start()
    time.sleep(600)
    verdict, _ = sent_to(lab, "outage")
    # The delays grow: the first minutes are the loudest, an hour has at most six times as much.
    expect(verdict.size < 200_000 / 6 * 2, f"{verdict.size} bytes in ten minutes: {verdict.seen}")
    lab.boxes.hear("segw")
    lab.agent.registered(900)


@scenario("all-dead", "5.1.2.3 with everything dead at first, then all well: registered", long=True, **inside())
def all_dead(lab):
    for gateway in ("segw", "segw-initial"):
        lab.boxes.silence(gateway, "meta l4proto { udp, esp } iifname wan")
    lab.agent.start()
    lab.agent.failed(r"answer|respon|timed? ?out|silent")
    for gateway in ("segw-initial", "segw"):
        lab.boxes.hear(gateway)
    lab.agent.registered(300)
