# SPDX-License-Identifier: GPL-3.0-or-later
"""TS 32.593 5.1.2.3: by an Initial HeMS inside the operator's network to the serving pair."""

import places
from contents import URL_SERVING, acs, assigns, s1, serving
from gateways import Gateway
from machine import expect, wait_for
from scenario import scenario
from servers import INITIAL_HEMS, MOVED_HEMS, SERVING_HEMS
from steps import (FAILURE, asked_of, associated, clauses, in_order, informed, mme_list, ping, properties, sent_to, silent,
                   trouble, tunnels_made)
from ways import PRIVATE_NAMES, inside

NAMED_IN_PUBLIC = {places.SEGW_INITIAL_NAME: [places.INITIAL.segw], places.SEGW_SERVING_NAME: [places.SEGW]}


def registered(lab, **wanted):
    """On the serving side, with the initial one left alone."""
    lab.agent.start()
    lab.agent.registered(FAILURE)
    lab.agent.tunnel()
    properties(lab, **{"Mme": mme_list(places.MME), "LastError": "", **wanted})
    ping()


@scenario("initial", "5.1.2.3 by names, steps 1.1 to 6.5, then 5.1.3; which DNS each name was asked of", **inside())
def initial(lab):
    registered(lab, SeGW=places.SEGW_SERVING_NAME, SeGWAddress=places.SEGW, HeMS=URL_SERVING, InnerAddresses=[places.INNER])
    in_order(clauses(lab), r"5\.1\.2\.3.*\b1\.1", r"5\.1\.2\.3.*\b1\.3", r"5\.1\.2\.3.*\b1\.4", r"5\.1\.2\.3.*\b2\.1",
             r"5\.1\.2\.3.*\b6\.1", r"5\.1\.2\.3.*\b6\.3", r"5\.1\.2\.3.*\b6\.4", r"5\.1\.3.*\b1\.1", r"5\.1\.3")
    informed(lab, INITIAL_HEMS, 1, "0 BOOTSTRAP", "1 BOOT")
    informed(lab, SERVING_HEMS, 1, "0 BOOTSTRAP")
    asked_of(lab, "dns-public", places.SEGW_INITIAL_NAME)
    asked_of(lab, "dns-initial", places.HEMS_INITIAL_NAME, places.SEGW_SERVING_NAME)
    asked_of(lab, "dns-private", places.HEMS_SERVING_NAME)

    # Step 4 comes before step 6: nothing for the Serving HeMS before the first session has ended.
    ended = next(line.split()[0] for line in lab.boxes.hems_says(INITIAL_HEMS).splitlines() if "session ok" in line)
    begun = next(line.split()[0] for line in lab.boxes.hems_says().splitlines() if "<- Inform" in line)
    expect(ended < begun, f"the initial session ended at {ended}, the Serving HeMS got an Inform at {begun}")
    wait_for("the initial gateway to be left", lambda: not lab.boxes.segw_sas("segw-initial"), 10)
    expect(len(lab.boxes.segw_sas()) == 1, "the serving SeGW has not one IKE SA")
    associated(lab)
    silent(lab, "while registered")


@scenario("initial-by-address", "5.1.2.3 by addresses: no DNS at all", **inside(
    factory={"Initial": {"SeGW": places.INITIAL.segw, "HeMS": places.INITIAL.hems}}, names=[], public_names={},
    initial_names={}, private_names={}, initial=Gateway("segw-initial-address", identity=places.INITIAL.segw),
    gateway=Gateway("segw-address", identity=places.SEGW),
    hems_initial=assigns(places.SEGW, url=f"http://{places.HEMS}:{places.HEMS_PORT}/")))
def initial_by_address(lab):
    registered(lab, SeGW=places.SEGW, HeMS=f"http://{places.HEMS}:{places.HEMS_PORT}/")
    lab.agent.stop()
    expect("DNS" not in lab.judge().seen, "it asked the DNS")


def same_gateway(name, what, *segws):
    """The Serving HeMS is behind the gateway that the box has come by."""
    @scenario(name, what, **inside(
        initial_names={places.HEMS_INITIAL_NAME: [places.INITIAL.hems], places.HEMS_SERVING_NAME: [places.INITIAL.hems],
                       places.MME_NAME: [places.INITIAL.mme]},
        hems=None, gateway=None, mme=False,
        hems_initial=acs(*serving(f"http://{places.HEMS_SERVING_NAME}:{places.HEMS_MOVED_PORT}/", *segws))))
    def steps(lab):
        lab.boxes.hems_moved(acs(*s1(places.MME_NAME)), places.INITIAL)
        lab.agent.start()
        lab.agent.registered(FAILURE)
        properties(lab, SeGW=places.SEGW_INITIAL_NAME, InnerAddresses=[places.INITIAL.inner],
                   Mme=mme_list((places.MME_NAME, places.INITIAL.mme)))
        informed(lab, INITIAL_HEMS, 1, "0 BOOTSTRAP", "1 BOOT")
        informed(lab, MOVED_HEMS, 1, "0 BOOTSTRAP")
        expect(tunnels_made(lab, "segw-initial") == 1, "the tunnel was not kept")


same_gateway("initial-no-segw", "the Initial HeMS names a HeMS and no SeGW: the present SeGW, and the tunnel, are kept")
same_gateway("initial-same-segw", "the Initial HeMS names the SeGW the box has come by: the tunnel is kept",
             places.SEGW_INITIAL_NAME.upper())


@scenario("initial-no-url", "the Initial HeMS names a SeGW and no HeMS: the URL is kept, without 0 BOOTSTRAP", **inside(
    hems_initial=assigns(url=None), hems=acs(*s1()),
    private_names={**PRIVATE_NAMES, places.HEMS_INITIAL_NAME: [places.HEMS]}))
def initial_no_url(lab):
    # What it hears is that it is reached another way now; the name may be another machine's there.
    registered(lab, SeGW=places.SEGW_SERVING_NAME, HeMS=f"http://{places.HEMS_INITIAL_NAME}:{places.HEMS_PORT}/")
    informed(lab, INITIAL_HEMS, 1, "0 BOOTSTRAP", "1 BOOT")
    informed(lab, SERVING_HEMS, 1, "4 VALUE CHANGE")
    expect("0 BOOTSTRAP" not in lab.boxes.informs()[0], "0 BOOTSTRAP for the same URL")


@scenario("initial-mme-only", "the S1 far end comes from the Initial HeMS only; published after the serving session", **inside(
    hems_initial=assigns(also=s1(places.MME)), hems=acs()))
def initial_mme_only(lab):
    registered(lab)
    informed(lab, SERVING_HEMS, 1, "0 BOOTSTRAP")
    ended = next((when for when, _, values in lab.agent.watch.changes if values.get("Mme")), None)
    expect(ended and "session ok" in lab.boxes.hems_says(), "the MME was published before the session with the Serving HeMS")
    associated(lab)


@scenario("initial-mme-both", "both HeMSs name an S1 far end: the Serving HeMS's counts", **inside(
    hems_initial=assigns(also=s1(places.MME_SECOND)), hems=acs(*s1(places.MME))))
def initial_mme_both(lab):
    registered(lab)
    seen = [values["Mme"] for _, _, values in lab.agent.watch.changes if values.get("Mme")]
    expect(seen == [mme_list(places.MME)], f"Mme was {seen}")


@scenario("initial-overlap", "both gateways give the same inner address, the networks behind them have the same addresses",
          **inside(places.OVERLAPPING))
def initial_overlap(lab):
    registered(lab, InnerAddresses=[places.INNER], SeGW=places.SEGW_SERVING_NAME)
    informed(lab, INITIAL_HEMS, 1, "0 BOOTSTRAP", "1 BOOT")
    informed(lab, SERVING_HEMS, 1, "0 BOOTSTRAP")
    associated(lab)
    silent(lab, "while registered")


@scenario("uplink-overlaps", "5.1.2.2 from an uplink whose own network is the operator's 10.0.0.0/24, its router 10.0.0.1",
          overlap=True)
def uplink_overlaps(lab):
    lab.agent.start()
    lab.agent.registered()
    lab.agent.tunnel()
    ping()
    associated(lab)


# Which resolver.

@scenario("initial-public-segw", "step 6.1: the private DNS says NXDOMAIN for the serving SeGW, the public one does not", **inside(
    initial_names={places.HEMS_INITIAL_NAME: [places.INITIAL.hems]}, public_names=NAMED_IN_PUBLIC, names=list(NAMED_IN_PUBLIC)))
def initial_public_segw(lab):
    registered(lab)
    asked_of(lab, "dns-initial", places.HEMS_INITIAL_NAME, places.SEGW_SERVING_NAME)
    asked_of(lab, "dns-public", places.SEGW_INITIAL_NAME, places.SEGW_SERVING_NAME)


SILENT_DNS = "meta l4proto { tcp, udp } th dport 53"


@scenario("initial-dns-silent", "the DNS of the initial network does not answer: no name goes to the public one; later it does",
          **inside())
def initial_dns_silent(lab):
    lab.boxes.silence("initial", SILENT_DNS)
    lab.agent.start()
    lab.agent.failed(places.HEMS_INITIAL_NAME)
    lab.boxes.hear("initial")
    lab.agent.registered(FAILURE)
    asked_of(lab, "dns-public", places.SEGW_INITIAL_NAME)


@scenario("serving-dns-silent", "the DNS of the serving network does not answer: no name goes to the public one; later it does", long=True)
def serving_dns_silent(lab):
    lab.boxes.silence("operator", SILENT_DNS)
    lab.agent.start()
    lab.agent.failed(places.HEMS_NAME)
    lab.boxes.hear("operator")
    lab.agent.registered(FAILURE)
    asked_of(lab, "dns-public", places.SEGW_NAME)


@scenario("no-private-dns", "the gateway names no DNS: an error says so; with PrivateDNS= it works", gateway=Gateway(dns=""))
def no_private_dns(lab):
    lab.agent.start()
    lab.agent.failed(r"PrivateDNS|no DNS|names no|DNS server")
    trouble("the SeGW named no DNS server for the inside")
    lab.agent.stop()
    lab.agent.configure("ecdsa", {"Network": {"PrivateDNS": places.PRIVATE_DNS}})
    lab.agent.start()
    lab.agent.registered()
    ping()
    asked_of(lab, "dns-public", places.SEGW_NAME)


# What comes back later.

@scenario("restart-saved", "restarted with saved serving data: straight to the serving pair; MmeStored first, then Mme", **inside(
    public_names=NAMED_IN_PUBLIC, names=list(NAMED_IN_PUBLIC)))
def restart_saved(lab):
    registered(lab)
    lab.agent.stop()
    lab.boxes.capture("restart")
    lab.boxes.silence("operator", f"tcp dport {places.HEMS_PORT}")
    lab.agent.start()
    lab.agent.wait("MmeStored", mme_list(places.MME))
    lab.agent.wait("InnerAddresses", [places.INNER])
    properties(lab, Mme=[])
    lab.boxes.hear("operator")
    lab.agent.registered(FAILURE)
    properties(lab, Mme=mme_list(places.MME), SeGW=places.SEGW_SERVING_NAME)
    ping()
    _, where = sent_to(lab, "restart")
    expect(places.INITIAL.segw not in where, "the initial gateway was asked")
    informed(lab, INITIAL_HEMS, 1)
    names = {name for name, _ in lab.boxes.dns_asked("dns-public")}
    expect(places.SEGW_SERVING_NAME in names, "the public DNS was not asked for the serving SeGW")


@scenario("fallback", "the serving side is dead for FallbackRounds=, FallbackTime=: back to the Initial HeMS, and elsewhere",
          second=Gateway("segw-2", identity=places.SEGW_SECOND_NAME), **inside(
              factory={"Registration": {"FallbackRounds": "1", "FallbackTime": "5"}},
              initial_names={places.HEMS_INITIAL_NAME: [places.INITIAL.hems], places.SEGW_SERVING_NAME: [places.SEGW],
                             places.SEGW_SECOND_NAME: [places.SECOND.segw]},
              names=[places.SEGW_INITIAL_NAME, places.SEGW_SERVING_NAME],
              # 0 BOOTSTRAP again: the URL was the Initial HeMS's in between.
              hems=acs(*s1(), allow=["SESSION-END", "INFORM-BOOTSTRAP"]),
              hems_initial={"allow": ["INFORM-BOOTSTRAP"], "sessions": {
                  "1": {"steps": assigns()["steps"]},
                  "2-": {"steps": assigns(places.SEGW_SECOND_NAME)["steps"]}},
                  "expect": {"sessions_failed": 0, "informs": "==2"}}))
def fallback(lab):
    registered(lab)
    lab.boxes.silence("segw", "meta l4proto { udp, esp } iifname wan")
    lab.boxes.terminate(force=True)
    lab.agent.wait("State", lambda state: state != "registered", 300)
    properties(lab, Mme=[])
    lab.agent.wait("SeGW", places.SEGW_SECOND_NAME, 300)
    lab.agent.registered(FAILURE)
    properties(lab, SeGWAddress=places.SECOND.segw, InnerAddresses=[places.SECOND.inner], LastError="")
    ping()
