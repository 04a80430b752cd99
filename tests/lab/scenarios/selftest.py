# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab itself: its boxes, judge and prober work, and the kernel side of the tunnel alone."""

import re
import socket
import struct

import judge
import places
from contents import acs
from gateways import Gateway
from machine import IPPROTO_SCTP, expect, run, wait_for
from names import dns_ask
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


def strongswan(lab, segw=places.SEGW, identity=places.SEGW_NAME, networks=(places.PRIVATE,), families="4"):
    """strongSwan as the HeNB."""
    vips = ", ".join({"4": "0.0.0.0", "6": "::"}[family] for family in families)
    lab.boxes.charon("client", None, "henb-ecdsa", (), f"""
        connections {{
            lab {{
                version = 2
                remote_addrs = {segw}
                vips = {vips}
                proposals = aes128gcm16-prfsha256-ecp256
                local {{
                    auth = pubkey
                    certs = henb-ecdsa.pem
                    id = henb-000001.operator.example
                }}
                remote {{
                    auth = pubkey
                    id = {identity}
                }}
                children {{
                    all {{
                        remote_ts = {",".join(networks)}
                        esp_proposals = aes128gcm16
                    }}
                }}
            }}
        }}
    """)
    lab.boxes.swanctl("client", "--initiate", "--child", "all", "--timeout", "30")


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


@scenario("kernel", "the kernel side of the tunnel alone, between two namespaces: netlink-guest's own checks", agent=False,
          hems=None, gateway=None, mme=False, traffic=False)
def kernel(lab):
    output = run("/usr/lib/henb-lab/netlink-guest", check=False, timeout=900)
    (lab.logs / "netlink-guest.log").write_text(output)
    bad = [line for line in output.splitlines() if line.startswith(("not ok", "Bail out"))]
    planned = re.search(r"^1\.\.(\d+)$", output, re.MULTILINE)
    good = len(re.findall(r"^ok ", output, re.MULTILINE))
    expect(not bad and planned and good == int(planned[1]) and good, f"{bad or output.strip()[-500:]}")
