# SPDX-License-Identifier: GPL-3.0-or-later
"""A tunnel that lives long: rekeyed from either side, behind a NAT that forgets, with an address that changes, with
gateways that restart, move their peers, limit their lives, split their messages. Traffic runs both ways meanwhile."""

import contextlib
import random
import re
import threading
import time
from pathlib import Path

import agent as henb
import judge
import places
import vici
from gateways import Gateway
from machine import expect, inside, run, wait_for
from openiked import Iked
from scenario import scenario
from steps import FAILURE, associated, down, gateway_dies, mme_list, ping, properties, tunnels_made, up

# Rekeyings take a few round trips and public-key operations of the emulated processor.
REKEYED = 90
PFS = "aes128gcm16-ecp256"
IPSEC = "IPsec"


def spis(lab):
    """The SPIs of our ESP SAs in the kernel."""
    return {match[1] for text in henb.states() if f"reqid {henb.ID} " in text
            for match in [re.search(r"spi (0x[0-9a-f]+)", text)] if match}


def one_pair(lab):
    """One SA each way, and nothing left of those before: an old inbound SA stays for some seconds."""
    wait_for("one SA each way", lambda: len(spis(lab)) == 2, 30)
    lab.agent.tunnel()


def rekeyed(lab, what, count, name="segw"):
    """The gateway has seen so many rekeyings since the start."""
    wait_for(f"{count} rekeyings ({what})",
             lambda: lab.boxes.rekeyings(name)[("child", "ike").index(what)] >= count, REKEYED)


def thrown_away(namespace=None):
    """What XFRM has thrown away there so far: {counter: packets}."""
    with inside(namespace):
        return {name: int(count) for name, count in map(str.split, Path("/proc/thread-self/net/xfrm_stat").read_text().splitlines())}


# iked sends the DELETE of the old pair first, then loads the new one, then takes the old one away: for so long its kernel
# knows neither what a HeNB that takes the DELETE sends nor what one sends that has not got it yet.
IKED_SECONDS = 0.5


def flows(lab, act, rate=100, lose=0, authenticates=False, iked=False):
    """Traffic both ways while act() is done, of which at most *lose* packets each way are lost, and none comes twice. What
    the gateway's own kernel did not send for want of an SA, or sent without ESP for want of a policy, in a rekeying of
    strongSwan's, is not ours to lose; nor is, with *authenticates*, what it sends by a new IKE SA's pair before the HeNB
    could find out who it is; nor, with *iked*, what the gateway's own kernel got and had no SA for, each time for no longer
    than IKED_SECONDS."""
    lab.boxes.count_plain(lab.agent.inner())
    before, gateway = thrown_away(), thrown_away("segw")
    lab.boxes.traffic(lab.agent.inner(), rate)
    time.sleep(0.5)
    act()
    time.sleep(1)
    up_flow, down_flow = lab.boxes.traffic_end()
    ours = {name: count - before[name] for name, count in thrown_away().items() if count != before[name]}
    theirs = {name: count - gateway[name] for name, count in thrown_away("segw").items() if count != gateway[name]}
    theirs["without ESP"] = lab.boxes.plain()
    (lab.logs / "traffic-xfrm.txt").write_text(f"HeNB: {ours}\nSeGW: {theirs}\n")
    down_flow.lost -= sum(count for name, count in theirs.items() if name.startswith("XfrmOut") or name == "without ESP")
    if authenticates:
        down_flow.lost -= ours.get("XfrmAcquireError", 0)
    if iked:
        expect(up_flow.silence <= IKED_SECONDS, f"up: nothing came for longer than in a rekeying of iked's: {up_flow}")
        # Its SAs of the old pair are gone before those of the new one are there; and it answers us before it has loaded them.
        up_flow.lost -= theirs.get("XfrmInNoStates", 0) + theirs.get("XfrmAcquireError", 0)
    for name, flow in (("up", up_flow), ("down", down_flow)):
        (lab.logs / f"traffic-{name}.txt").write_text(f"{flow}\n")
        expect(flow.sent > rate / 2, f"{name}: no traffic: {flow}")
        expect(flow.lost <= lose and not flow.twice, f"{name}: {flow}; XFRM threw away: {ours} here, {theirs} at the SeGW")
    return up_flow, down_flow


def same_registration(lab):
    """Registered all the time since the first time, with one tunnel."""
    states = lab.agent.watch.states()
    expect(states[-1] == "registered" and states.count("registered") == 1, f"the states were {states}")
    expect(len(lab.boxes.informs()) == 1, f"it was registered anew: {lab.boxes.informs()}")


# Rekeyings.

@scenario("rekey-child", "the gateway rekeys the child every 5 s under traffic: no packet is lost", gateway=Gateway(rekey_child=5))
def rekey_child(lab):
    up(lab)
    before = spis(lab)
    flows(lab, lambda: rekeyed(lab, "child", 3))
    expect(not before & spis(lab), f"the SAs of the beginning are still there: {before & spis(lab)}")
    expect(tunnels_made(lab, "segw") == 1, "there was another IKE SA")
    same_registration(lab)
    lab.boxes.terminate()
    lab.agent.failed("deleted")


@scenario("rekey-ike", "the gateway rekeys the IKE SA every 5 s under traffic: no packet is lost, the children stay",
          gateway=Gateway(rekey_ike=5))
def rekey_ike(lab):
    up(lab)
    before = spis(lab)
    flows(lab, lambda: rekeyed(lab, "ike", 3))
    expect(before == spis(lab), f"the children changed: {before ^ spis(lab)}")
    wait_for("one IKE SA at the SeGW", lambda: len(lab.boxes.segw_sas()) == 1, 15)
    same_registration(lab)
    down(lab)


@scenario("rekey-ours", "ChildLifetime= and IKELifetime= of 10 s: the agent rekeys both under traffic, no packet is lost",
          factory={IPSEC: {"ChildLifetime": "10", "IKELifetime": "10"}})
def rekey_ours(lab):
    up(lab)

    def both():
        rekeyed(lab, "child", 2)
        rekeyed(lab, "ike", 2)
    flows(lab, both)
    one_pair(lab)
    same_registration(lab)
    down(lab)


@scenario("rekey-by-volume", "ChildPackets=: rekeyed by the kernel's soft limit, no packet is lost",
          factory={IPSEC: {"ChildPackets": "400"}})
def rekey_by_volume(lab):
    up(lab)
    flows(lab, lambda: rekeyed(lab, "child", 2))
    one_pair(lab)
    same_registration(lab)


def watched(lab, rekeys):
    """Looks at our SAs again and again while rekeys() runs: packets go out on one, the other of two is there only while the
    kernel changes over; those that come may come on IN_AT_MOST."""
    ended, seen = threading.Event(), []

    def look():
        while not ended.wait(0.2):
            texts = [text for text in henb.states() if f"reqid {henb.ID} " in text]
            out = {text for text in texts if text.startswith(f"src {places.HENB} ")}
            seen.append(({re.search(r"spi (\S+)", text)[1] for text in out}, len(texts) - len(out)))
    looks = threading.Thread(target=look)
    looks.start()
    try:
        rekeys()
    finally:
        ended.set()
        looks.join()
    expect(len(seen) > 20, f"the SAs were looked at {len(seen)} times only")
    both = [(number, out) for number, (out, _) in enumerate(seen) if len(out) != 1]
    expect(all(len(out) == 2 for _, out in both), f"outbound SAs that were there at once: {[len(out) for _, out in both]}")
    again = [out for number, out in both if number + 1 < len(seen) and seen[number + 1][0] == out]
    expect(not again, f"two outbound SAs stay: {again}")
    most = max(count for _, count in seen)
    expect(most <= IN_AT_MOST, f"{most} inbound SAs at once")
    return most


# The one in use, what replaces it, what has lost against that in a collision; or the one in use, and for 5 s what it has
# replaced and what has lost. Rekeyings of the same pair are more than those 5 s apart.
IN_AT_MOST = 3


@scenario("rekey-both", "both sides rekey children and IKE SAs every 16 to 18 s, often at the same moment: one tunnel stays", long=True,
          factory={IPSEC: {"ChildLifetime": "20", "IKELifetime": "20"}})
def rekey_both(lab):
    up(lab)
    chance = random.Random(4)
    lab.boxes.impair(200)  # so that messages cross
    begun = []

    def gateway():
        for _ in range(4):
            # Not of the gateway's own accord: that cannot be switched off.
            time.sleep(chance.uniform(16, 18))
            for what in ("child", "ike"):
                with contextlib.suppress(vici.ViciError):  # the HeNB's own is under way: none can be rekeyed just now
                    lab.boxes.rekey(what=what)
                    begun.append(what)
    flows(lab, lambda: watched(lab, gateway))
    lab.boxes.impair(0)
    expect(begun.count("child") >= 2 and begun.count("ike") >= 2, f"the gateway began {begun} only")
    one_pair(lab)
    same_registration(lab)
    wait_for("one IKE SA at the SeGW", lambda: len(lab.boxes.segw_sas()) == 1, 30)
    down(lab)


@scenario("pfs", "rekeyed from both sides with a fresh Diffie-Hellman exchange each time",
          gateway=Gateway(esp=PFS, rekey_child=7), factory={IPSEC: {"PFS": "yes", "ChildLifetime": "11"}})
def pfs(lab):
    up(lab)
    flows(lab, lambda: rekeyed(lab, "child", 3))
    with lab.boxes.control("segw") as charon:
        groups = {child.get("dh-group") for event in charon.listed("list-sas", "list-sa") for sa in event.values()
                  for child in sa.get("child-sas", {}).values() if child["state"] == "INSTALLED"}
    expect(groups == {"ECP_256"}, f"the groups of the children at the SeGW: {groups}")
    same_registration(lab)


# How messages come.

@scenario("fragments", "the gateway sends its IKE messages in fragments of 576 bytes; ours are taken as well",
          gateway=Gateway("segw-rsa", fragment_size=576, ike="aes256-sha256-ecp256"), device="rsa")
def fragments(lab):
    up(lab)
    lab.boxes.rekey()
    rekeyed(lab, "child", 1)
    ping()
    expect(re.search(r"splitting IKE message .* into \d+ fragments", lab.boxes.log("segw-charon")), "the SeGW sent no fragments")


@scenario("cookie", "the gateway wants a cookie from everybody", gateway=Gateway(cookie=True))
def cookie(lab):
    up(lab)
    expect("N(COOKIE)" in lab.boxes.log("segw-charon"), "the SeGW asked for no cookie")
    associated(lab)


@scenario("ike-loss", "one packet in five of the uplink is lost: registered, rekeyed, and one tunnel in the end",
          hems="again.json", gateway=Gateway(rekey_child=10, rekey_ike=15))
def ike_loss(lab):
    lab.boxes.impair(40, loss=20)
    lab.agent.start()
    lab.agent.registered(240)
    rekeyed(lab, "child", 2)
    lab.boxes.impair(0)
    ping()
    wait_for("one IKE SA at the SeGW", lambda: len(lab.boxes.segw_sas()) == 1, 60)


@scenario("long-mtu", "an uplink of 1280 bytes: nothing leaves as an IP fragment, TCP and IKE come through", long=True,
          gateway=Gateway("segw-rsa", ike="aes256-sha256-ecp256"), device="rsa")
def long_mtu(lab):
    lab.boxes.batch("internet", "link set henb mtu 1280")
    run("ip", "link", "set", "uplink", "mtu", "1280")
    up(lab)
    associated(lab)
    down(lab)
    fragmented = [packet for _, packet in judge.read_pcap((lab.logs / "uplink.pcap").read_bytes())
                  if packet[12:14] == b"\x08\x00" and (packet[20] & 0x3F or packet[21])]
    expect(not fragmented, f"{len(fragmented)} IP fragments on the uplink")


# Where the box is.

@scenario("nat-mapping", "the NAT forgets its mapping and makes another: the same tunnel goes on", nat=True)
def nat_mapping(lab):
    up(lab)
    lab.boxes.nat_moves()
    # A liveness check at the latest tells the box, and the box the gateway.
    wait_for("the SeGW to follow", lambda: any(places.NAT_MOVED in line for line in lab.boxes.segw_sas()), 150)
    ping()
    lab.boxes.rekey()
    rekeyed(lab, "child", 1)
    flows(lab, lambda: time.sleep(2))
    expect(tunnels_made(lab, "segw") == 1, "the tunnel was built anew")
    same_registration(lab)


@scenario("mobike", "the uplink's address changes: the same IKE SA goes on from there, no new registration",
          declared=[(judge.UDP, places.SEGW, 500), (judge.UDP, places.SEGW, 4500)])
def mobike(lab):
    up(lab)
    inner, before = lab.agent.get("InnerAddresses"), spis(lab)
    lab.boxes.uplink_moves()
    wait_for("the SeGW to follow", lambda: any(places.HENB_MOVED in line for line in lab.boxes.segw_sas()), FAILURE)
    wait_for("the SAs to be of the new address", lambda: all(
        places.HENB_MOVED in text for text in henb.states() if f"reqid {henb.ID} " in text), 30)
    ping()
    expect(spis(lab) == before, "the SAs are others")
    properties(lab, InnerAddresses=inner)
    expect(tunnels_made(lab, "segw") == 1, "the tunnel was built anew")
    lab.boxes.rekey()
    rekeyed(lab, "child", 1)
    associated(lab)
    same_registration(lab)


@scenario("mobike-no", "the uplink's address changes and the gateway has no MOBIKE: registered anew from there", hems="again.json",
          gateway=Gateway(mobike=False), declared=[(judge.UDP, places.SEGW, 500), (judge.UDP, places.SEGW, 4500)])
def mobike_no(lab):
    up(lab)
    lab.boxes.uplink_moves()
    wait_for("an SA from the new address", lambda: any(places.HENB_MOVED in line for line in lab.boxes.segw_sas()), FAILURE)
    lab.agent.registered(FAILURE)
    lab.agent.tunnel()
    ping()


# What gateways do.

@scenario("gateway-restarts", "the gateway is started anew and has forgotten everything: noticed, and a new tunnel", hems="again.json")
def gateway_restarts(lab):
    up(lab)
    begin = lab.agent.mark()
    gateway_dies(lab)
    lab.boxes.hear("segw")
    lab.boxes.segw(Gateway())
    lab.agent.wait("State", lambda state: state not in ("registered", None), 240, begin)
    lab.agent.registered(240)
    lab.agent.tunnel()
    ping()
    associated(lab)


@scenario("dpd", "the gateway asks every 3 s whether anybody is there: answered, and nothing else happens", gateway=Gateway(dpd=3))
def dpd(lab):
    up(lab)
    before = len(lab.agent.watch.changes)
    wait_for("three questions", lambda: lab.boxes.log("segw-charon").count("sending DPD request") >= 3, 60)
    ping()
    expect(len(lab.agent.watch.changes) == before, f"the published state changed: {lab.agent.watch.changes[before:]}")
    expect("giving up after" not in lab.boxes.log("segw-charon"), "a question was not answered")


@scenario("redirect", "an established SA is redirected to another gateway: the tunnel goes there, under the identity policy",
          hems="again.json", second=Gateway("segw-ecdsa"))
def redirect(lab):
    up(lab)
    lab.boxes.redirect(places.SECOND.segw)
    wait_for("the tunnel at the other gateway", lambda: lab.boxes.segw_sas("segw-2"), FAILURE)
    lab.agent.wait("SeGWAddress", places.SECOND.segw, FAILURE)
    lab.agent.registered(FAILURE)
    lab.agent.tunnel()
    ping()
    wait_for("the first gateway to be left", lambda: not lab.boxes.segw_sas(), 30)


@scenario("redirect-stranger", "redirected to a gateway with another name: refused, and back at the configured one", hems="again.json", long=True,
          second=Gateway("segw-2", identity=places.SEGW_SECOND_NAME))
def redirect_stranger(lab):
    up(lab)
    lab.boxes.redirect(places.SECOND.segw)
    wait_for("a new tunnel at the configured gateway", lambda: tunnels_made(lab, "segw") >= 2, FAILURE)
    lab.agent.registered(FAILURE)
    properties(lab, SeGWAddress=places.SEGW)
    expect(not lab.boxes.segw_sas("segw-2"), "the stranger has an IKE SA")
    ping()


@scenario("reauth", "AUTH_LIFETIME of a minute: authenticated anew in time, make before break",
          gateway=Gateway(reauthenticate=60), long=True)
def reauth(lab):
    up(lab)
    before = spis(lab)
    flows(lab, lambda: wait_for("another IKE SA", lambda: tunnels_made(lab, "segw") >= 2, 120), authenticates=True)
    wait_for("one IKE SA at the SeGW", lambda: len(lab.boxes.segw_sas()) == 1, 30)
    one_pair(lab)
    expect(not before & spis(lab), "the SAs of before are still there")
    properties(lab, Mme=mme_list(places.MME), State="registered")


# systemctl and busctl want their share of the emulated processor as well.
RELOAD_RATE = 25


@scenario("certificate-replaced", "the certificate is replaced and the unit reloaded: authenticated anew with it, make before break")
def certificate_replaced(lab):
    up(lab)

    def replace():
        lab.agent.certificate("renewed")
        run("systemctl", "reload", henb.UNIT)
        wait_for("another IKE SA", lambda: tunnels_made(lab, "segw") >= 2, FAILURE)
    flows(lab, replace, RELOAD_RATE, authenticates=True)
    one_pair(lab)
    properties(lab, Mme=mme_list(places.MME), State="registered")


# Other gateways, other suites.

def at_iked(lab, gateway):
    lab.boxes.iked(gateway)
    lab.agent.start()
    lab.agent.registered()
    one_pair(lab)  # it may have rekeyed already
    ping()


@scenario("openiked", "OpenIKED as the gateway, which rekeys both and has fragments of 548 bytes", gateway=None,
          factory={IPSEC: {"ESPProposals": "aes256-sha384"}}, long=True)
def openiked(lab):
    at_iked(lab, Iked(ike_seconds=20, child_seconds=12, fragments=True))
    before = spis(lab)
    flows(lab, lambda: wait_for("other SAs", lambda: not before & spis(lab), REKEYED), iked=True)
    associated(lab)
    same_registration(lab)
    lab.agent.stop()
    lab.agent.no_tunnel()


@scenario("openiked-ours", "OpenIKED as the gateway; the agent rekeys both", gateway=None, long=True,
          factory={IPSEC: {"ESPProposals": "aes256-sha384", "ChildLifetime": "10", "IKELifetime": "15"}})
def openiked_ours(lab):
    at_iked(lab, Iked())
    flows(lab, lambda: time.sleep(40), iked=True)
    one_pair(lab)
    same_registration(lab)


@scenario("openiked-rsa-nat", "OpenIKED as the gateway, RSA both ways, behind a NAT", gateway=None, long=True, nat=True, device="rsa",
          factory={IPSEC: {"ESPProposals": "aes256-sha512"}})
def openiked_rsa_nat(lab):
    at_iked(lab, Iked("segw-rsa", esp="enc aes-256 auth hmac-sha2-512"))
    associated(lab)


@scenario("openiked-half", "OpenIKED accepts HMAC-SHA2-256 and loads nothing: a tunnel that carries nothing is told from a good one",
          gateway=None, long=True, hems="again.json", factory={IPSEC: {"ESPProposals": "aes256-sha256"}})
def openiked_half(lab):
    lab.boxes.iked(Iked(esp="enc aes-256 auth hmac-sha2-256"))
    lab.agent.start()
    lab.agent.failed(".")
    lab.agent.whole_or_none()


@scenario("esn", "extended sequence numbers with a replay window of 1024, through a rekeying",
          gateway=Gateway(esp="aes128gcm16-esn", child_options=("replay_window = 1024",)),
          factory={IPSEC: {"ESN": "yes", "ReplayWindow": "1024"}})
def esn(lab):
    up(lab)
    ours = run("ip", "-d", "xfrm", "state", "list", "nokeys")
    expect("flag" in ours and "esn" in ours, f"no ESN in the kernel: {ours}")
    expect("replay_window 1024" in ours, f"the replay window is another: {ours}")
    lab.boxes.rekey()
    flows(lab, lambda: rekeyed(lab, "child", 1))


# What IKEProposals= and ESPProposals= say, and what gateways have.
SUITES = {
    "ecp384": ("aes256gcm16-prfsha384-ecp384", "aes256gcm16", "segw-p384", "p384"),
    "ecp521": ("aes256-sha512-ecp521", "aes256-sha512", "segw-p521", "p521"),
    "x25519": ("aes128gcm16-prfsha256-x25519", "aes128gcm16", "segw-ed25519", "ed25519"),
    "chacha20": ("chacha20poly1305-prfsha256-ecp256", "chacha20poly1305", "segw-ecdsa", "ecdsa"),
    "modp3072": ("aes256-sha256-modp3072", "aes256-sha256", "segw-rsa", "rsa"),
    "modp4096": ("aes256-sha384-modp4096", "aes256-sha384", "segw-pss", "rsa"),
    "gcm-sha384": ("aes256gcm16-prfsha384-ecp256", "aes256gcm16-esn", "segw-ecdsa", "p384"),
    "modp2048": ("aes128-sha256-modp2048", "aes128-sha256", "segw-rsa", "ecdsa"),
}


def suite(name, ike, esp, certificate, device):
    # One in the default set shows that the keys reach the engine; the others are the matrix.
    @scenario(f"suites-{name}", f"IKE {ike}, ESP {esp}, {certificate} and henb-{device}; both rekeyed", long=name != "x25519",
              device=device, gateway=Gateway(certificate, ike=ike, esp=esp, pss=certificate == "segw-pss"),
              factory={IPSEC: {"IKEProposals": ike, "ESPProposals": esp.removesuffix("-esn"),
                               **({"ESN": "yes"} if esp.endswith("-esn") else {})}})
    def steps(lab):
        up(lab)
        lab.boxes.rekey()
        rekeyed(lab, "child", 1)
        lab.boxes.rekey(what="ike")
        rekeyed(lab, "ike", 1)
        ping()
        down(lab)


for _name, _parts in SUITES.items():
    suite(_name, *_parts)


@scenario("weak-suites", "the gateway has weak algorithms only: refused, and said so", hems=None,
          gateway=Gateway(ike="aes128-sha1-modp1024,3des-sha1-modp1536", esp="3des-sha1"))
def weak_suites(lab):
    lab.agent.start()
    lab.agent.failed(r"NO_PROPOSAL_CHOSEN|proposal")
    lab.agent.no_tunnel()
