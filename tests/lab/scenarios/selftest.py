# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab itself: its boxes, judge and prober work, and the kernel side of the tunnel alone."""

import re
import shutil
import socket
import struct
import time

import judge
import places
from contents import acs
from gateways import Gateway
from machine import IPPROTO_SCTP, expect, run, wait_for
from names import dns_ask
from openiked import Iked
from scenario import scenario
from ways import SECOND, inside


def inner_sctp(source, message=b"hello", host=places.MME):
    """An SCTP association to the MME from *source* with one message of PPID 18; the echo of it."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    client = socket.socket(family, socket.SOCK_STREAM, IPPROTO_SCTP)
    with client:
        client.settimeout(20)
        client.bind((source, 0))
        client.connect((host, places.S1_PORT))
        client.sendmsg([message], [(IPPROTO_SCTP, 2, struct.pack("=HHIII", 0, 0, socket.htonl(18), 0, 0))])


def strongswan(lab, segw=places.SEGW, identity=places.SEGW_NAME, networks=(places.PRIVATE,), families="4",
               ike="aes128gcm16-prfsha256-ecp256", esp="aes128gcm16", device="ecdsa", rekey_child=0, rekey_ike=0, child_options=()):
    """strongSwan as the HeNB."""
    vips = ", ".join({"4": "0.0.0.0", "6": "::"}[family] for family in families)
    newline = "\n"
    lines = [f"rekey_time = {rekey_ike}s", "rand_time = 0s", "over_time = 3600s"] if rekey_ike else []
    child_lines = [*child_options, *([f"rekey_time = {rekey_child}s", "rand_time = 0s", "life_time = 3600s"] if rekey_child else [])]
    lab.boxes.charon("client", None, f"henb-{device}", (), f"""
        connections {{
            lab {{
                version = 2
                remote_addrs = {segw}
                vips = {vips}
                proposals = {ike}
                {newline.join(lines)}
                local {{
                    auth = pubkey
                    certs = henb-{device}.pem
                    id = henb-000001.operator.example
                }}
                remote {{
                    auth = pubkey
                    id = {identity}
                }}
                children {{
                    all {{
                        remote_ts = {",".join(networks)}
                        esp_proposals = {esp}
                        {newline.join(child_lines)}
                    }}
                }}
            }}
        }}
    """, ("retransmit_tries = 8",))
    # Gateways answer the first time or never; a link that loses packets does not.
    with lab.boxes.control("client") as charon:
        charon.listed("initiate", "control-log", {"child": "all", "timeout": "60000", "loglevel": "-1"})


@scenario("lab-selftest", "the lab alone: tunnel, DNS, SCTP, and a judge and a prober that find leaks", agent=False, hems=None)
def lab_selftest(lab):
    strongswan(lab)
    expect(len(lab.boxes.segw_sas()) == 1, "the SeGW has no SA")
    run("ping", "-c", "2", "-i", "0.2", "-W", "5", "-I", places.INNER, places.HEMS)
    answer = dns_ask(None, places.PRIVATE_DNS, places.HEMS_NAME, timeout=5)
    expect(answer == (0, [places.HEMS]), f"private DNS answers {answer}")
    answer = dns_ask(None, places.PUBLIC_DNS, places.SEGW_NAME, timeout=5)
    expect(answer == (0, [places.SEGW]), f"public DNS answers {answer}")
    inner_sctp(places.INNER)
    wait_for("the MME to see it", lambda: f"association from {places.INNER} ppid 18" in lab.boxes.log("mme"))
    lab.boxes.end("client")
    wait_for("the SeGW to forget the SA", lambda: not lab.boxes.segw_sas())
    verdict = lab.judge()
    expect(verdict.seen.get("ESP", 0) >= 5 and verdict.seen.get("IKE", 0) >= 2 and verdict.seen.get("DNS") == 1,
           f"the capture shows {verdict.seen}")

    # An inner address that nothing guards: the prober has to get answers and the judge to object.
    lab.boxes.capture("leak")
    run("sysctl", "-q", "net.ipv4.conf.all.arp_ignore=0")
    run("ip", "addr", "add", f"{places.INNER}/32", "dev", "lo")
    answers = lab.boxes.probe(places.INNER)
    run("ip", "addr", "del", f"{places.INNER}/32", "dev", "lo")
    run("sysctl", "-q", "net.ipv4.conf.all.arp_ignore=1")
    lab.boxes.capture_end("leak")
    for wanted in ("ARP: an answer", "TCP 22: Connection refused", "UDP 53: Connection refused", "ICMP type 0 from 10.1.0.1"):
        expect(wanted in answers, f"the prober cannot see an answer '{wanted}': {answers}")
    leak = judge.judge_file(lab.logs / "leak.pcap", lab.rules())
    expect(leak.objections and leak.seen.get("inner", 0) >= 3, f"the judge does not see the leak: {leak}")


@scenario("lab-selftest-here", "the lab without a guest: a container on the kernel that is there, which here is the guest's",
          long=True, agent=False, hems=None, gateway=None, mme=False, traffic=False)
def lab_selftest_here(lab):
    here = lab.logs / "here"
    root, given, results = here / "root", here / "input", here / "results"
    root.mkdir(parents=True)
    shutil.copytree("/input", given, ignore=shutil.ignore_patterns("lost+found"))
    clock = time.time() - time.monotonic()
    run("mount", "--bind", "/", root)
    try:
        said = run(given / "here", root, given, results, "register", "clock-wait", timeout=1800)
    finally:
        run("umount", root)
        shutil.rmtree(given)
    seen = [line.split()[:2] for line in (results / "results").read_text(encoding="utf-8").splitlines()]
    expect(seen == [["ok", "register"], ["skip", "clock-wait"]], f"in the container: {seen}: {said}")
    expect(abs(time.time() - time.monotonic() - clock) < 60, "the container has set the clock")
    expect("henb0" not in run("ip", "link") and not run("ip", "xfrm", "state"), "the container's tunnel is outside of it")


def reached(address, port):
    """A TCP connection, as from a program of the HeNB; reset, so that nothing of it outlives the tunnel."""
    with socket.create_connection((address, port), timeout=10) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def gone(lab, name):
    lab.boxes.end("client")
    wait_for("the SeGW to forget the SA", lambda: not lab.boxes.segw_sas(name))


@scenario("lab-selftest-sides", "the lab alone: an initial side, a second gateway, IPv6, delay, the uplink",
          agent=False, families="46", second=SECOND, **inside(
              places.OVERLAPPING, gateway=Gateway("segw-serving", identity=places.SEGW_SERVING_NAME, inside="46"),
              private_names={places.HEMS_SERVING_NAME: [places.HEMS, places.HEMS6]}, hems=acs(expect={}),
              hems_initial=acs(expect={})),
          declared=[(judge.ICMP, places.ROUTER, None), (judge.ICMPV6, places.ROUTER6, None)])
def lab_selftest_sides(lab):
    side = places.OVERLAPPING
    strongswan(lab, side.segw, places.SEGW_INITIAL_NAME)
    answer = dns_ask(None, side.dns, places.HEMS_INITIAL_NAME, timeout=5)
    expect(answer == (0, [side.hems]), f"the initial network's DNS answers {answer}")
    answer = dns_ask(None, side.dns, places.HEMS_SERVING_NAME, timeout=5)
    expect(answer == (3, []), f"the initial network's DNS knows the Serving HeMS: {answer}")
    reached(side.hems, places.HEMS_PORT)
    gone(lab, "segw-initial")

    strongswan(lab, places.SECOND.segw, places.SEGW_SECOND_NAME)
    reached(places.HEMS, places.HEMS_PORT)
    gone(lab, "segw-2")

    strongswan(lab, places.SEGW6, places.SEGW_SERVING_NAME, ("10.0.0.0/24", "fd00::/64"), "46")
    answer = dns_ask(None, places.PRIVATE_DNS6, places.HEMS_SERVING_NAME, 28, timeout=5)
    expect(answer == (0, [places.HEMS6]), f"private DNS over IPv6 answers {answer}")
    for address in (places.HEMS, places.HEMS6):
        reached(address, places.HEMS_PORT)
    inner_sctp(places.INNER6, host=places.MME6)
    inner_sctp(places.INNER)
    for name, inner in (("mme", places.INNER), ("mme6", places.INNER6)):
        wait_for("the MME to see it", lambda: f"association from {inner} ppid 18" in lab.boxes.log(name))
    gone(lab, "segw")
    for server in (places.PUBLIC_DNS, places.PUBLIC_DNS6):
        answer = dns_ask(None, server, places.SEGW_INITIAL_NAME, timeout=5)
        expect(answer == (0, [side.segw]), f"public DNS {server} answers {answer}")
    expect({name for name, _ in lab.boxes.dns_asked("dns-public")} == {places.SEGW_INITIAL_NAME}, "dns_asked is wrong")

    lab.boxes.delay(100)
    times = re.findall(r"time=([\d.]+) ms", run("ping", "-c", "3", "-i", "0.3", places.ROUTER))
    expect(len(times) == 3 and all(100 <= float(one) < 150 for one in times), f"with a delay of 100 ms ping takes {times}")
    lab.boxes.delay(0)
    lab.boxes.uplink_moves()
    run("ping", "-c", "1", "-W", "5", places.ROUTER)
    lab.boxes.uplink_down()
    expect("192.0.2" not in run("ip", "addr", "show", "dev", "uplink"), "an address is left on the uplink")
    lab.boxes.uplink()
    lab.boxes.unplug()
    wait_for("the carrier to go", lambda: "NO-CARRIER" in run("ip", "link", "show", "uplink"))
    lab.boxes.plug()
    run("ping", "-c", "1", "-W", "5", places.ROUTER)
    run("ping", "-c", "1", "-W", "5", places.ROUTER6)
    lab.boxes.hems_verdict()
    verdict = lab.judge()
    expect(verdict.seen.get("ESP", 0) >= 5, f"the capture shows {verdict.seen}")


def carried(lab, act, rate=100, inner=places.INNER):
    """Traffic of the lab's own while act() is done: (up, down)."""
    lab.boxes.traffic(inner, rate)
    act()
    return lab.boxes.traffic_end()


@scenario("lab-selftest-variants", "the lab alone: cookies, fragments, rekeyings, a NAT that forgets, DPD; and what the traffic tells",
          agent=False, hems=None, mme=False, nat=True, gateway=Gateway(cookie=True, fragment_size=576, rekey_child=5, dpd=3))
def lab_selftest_variants(lab):
    strongswan(lab)
    log = lambda: lab.boxes.log("segw-charon")  # noqa: E731
    expect("N(COOKIE)" in log(), "the SeGW asked for no cookie")
    expect(re.search(r"splitting IKE message .* into \d+ fragments", log()), "the SeGW sent no fragments")
    up_flow, down_flow = carried(lab, lambda: wait_for("two rekeyings", lambda: lab.boxes.rekeyings()[0] >= 2, 60))
    # strongSwan does lose some in a rekeying.
    expect(up_flow.sent > 200 and down_flow.sent > 200 and up_flow.lost < up_flow.sent / 10 and
           down_flow.lost < down_flow.sent / 10, f"up: {up_flow}; down: {down_flow}")
    wait_for("a question of the SeGW", lambda: "sending DPD request" in log(), 30)
    # What is lost has to be seen as lost, and on its own side only.
    lab.boxes.silence("segw", "meta l4proto udp iifname wan udp dport 4500")
    up_flow, down_flow = carried(lab, lambda: time.sleep(1))
    expect(up_flow.lost == up_flow.sent and down_flow.lost < down_flow.sent / 4, f"silenced upwards: up: {up_flow}; down: {down_flow}")
    lab.boxes.hear("segw")
    lab.boxes.impair(100)
    up_flow, down_flow = carried(lab, lambda: time.sleep(2))
    expect(0.05 <= up_flow.latest < 0.5 and 0.05 <= down_flow.latest < 0.5, f"50 ms each way: up: {up_flow}; down: {down_flow}")
    lab.boxes.impair(0)
    lab.boxes.nat_moves()
    run("ping", "-c", "2", "-i", "0.2", "-W", "5", "-I", places.INNER, places.HEMS, check=False)
    wait_for("the SeGW to follow", lambda: any(places.NAT_MOVED in line for line in lab.boxes.segw_sas()), 90)
    run("ping", "-c", "2", "-i", "0.2", "-W", "5", "-I", places.INNER, places.HEMS)
    lab.boxes.rekey(what="ike")
    wait_for("the IKE SA to be rekeyed", lambda: lab.boxes.rekeyings()[1] == 1, 30)
    lab.boxes.terminate()
    gone(lab, "segw")


@scenario("lab-selftest-openiked", "the lab alone: OpenIKED as the gateway, which rekeys", long=True, agent=False, hems=None, mme=False,
          gateway=None)
def lab_selftest_openiked(lab):
    lab.boxes.iked(Iked(ike_seconds=14, child_seconds=6, fragments=True))
    strongswan(lab, networks=("0.0.0.0/0",), ike="aes256-sha256-ecp256", esp="aes256-sha384")
    # Which one of its pool it gives is for it to choose.
    inner = re.search(r"inet (10\.1\.0\.\d+)/32", run("ip", "addr"))
    expect(inner, f"no inner address: {lab.boxes.log('client-charon')[-500:]}")
    run("ping", "-c", "2", "-i", "0.2", "-W", "5", "-I", inner[1], places.HEMS)
    spis = set(re.findall(r"spi (0x[0-9a-f]+)", run("ip", "xfrm", "state")))
    up_flow, down_flow = carried(lab, lambda: wait_for("other SAs", lambda: not spis & set(
        re.findall(r"spi (0x[0-9a-f]+)", run("ip", "xfrm", "state"))), 60, 0.5), inner=inner[1])
    expect(up_flow.lost < up_flow.sent / 2 and down_flow.lost < down_flow.sent / 2, f"up: {up_flow}; down: {down_flow}")
    lab.boxes.end("client")


@scenario("kernel", "the kernel side of the tunnel alone, between two namespaces: netlink-guest's own checks", agent=False,
          hems=None, gateway=None, mme=False, traffic=False)
def kernel(lab):
    output = run("/usr/lib/henb-lab/netlink-guest", check=False, timeout=900)
    (lab.logs / "netlink-guest.log").write_text(output)
    bad = [line for line in output.splitlines() if line.startswith(("not ok", "Bail out"))]
    planned = re.search(r"^1\.\.(\d+)$", output, re.MULTILINE)
    good = len(re.findall(r"^ok ", output, re.MULTILINE))
    expect(not bad and planned and good == int(planned[1]) and good, f"{bad or output.strip()[-500:]}")
