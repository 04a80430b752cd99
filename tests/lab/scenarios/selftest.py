# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab itself: its boxes, judge and prober work, and the kernel side of the tunnel alone."""

import re
import socket
import struct

import judge
import places
from machine import IPPROTO_SCTP, expect, run, wait_for
from names import dns_ask
from scenario import scenario


def inner_sctp(source, message=b"hello"):
    """An SCTP association to the MME from *source* with one message of PPID 18; the echo of it."""
    client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_SCTP)
    with client:
        client.settimeout(20)
        client.bind((source, 0))
        client.connect((places.MME, places.S1_PORT))
        client.sendmsg([message], [(IPPROTO_SCTP, 2, struct.pack("=HHIII", 0, 0, socket.htonl(18), 0, 0))])


@scenario("lab-selftest", "the lab alone: tunnel, DNS, SCTP, and a judge and a prober that find leaks", agent=False, hems=None)
def lab_selftest(lab):
    lab.boxes.charon("client", None, "henb-ecdsa", (), f"""
        connections {{
            lab {{
                version = 2
                remote_addrs = {places.SEGW}
                vips = 0.0.0.0
                proposals = aes128gcm16-prfsha256-ecp256
                local {{
                    auth = pubkey
                    certs = henb-ecdsa.pem
                    id = henb-000001.operator.example
                }}
                remote {{
                    auth = pubkey
                    id = {places.SEGW_NAME}
                }}
                children {{
                    all {{
                        remote_ts = {places.PRIVATE}
                        esp_proposals = aes128gcm16
                    }}
                }}
            }}
        }}
    """)
    lab.boxes.swanctl("client", "--initiate", "--child", "all", "--timeout", "30")
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


@scenario("kernel", "the kernel side of the tunnel alone, between two namespaces: netlink-guest's own checks", agent=False,
          hems=None, gateway=None, mme=False, traffic=False)
def kernel(lab):
    output = run("/usr/lib/henb-lab/netlink-guest", check=False, timeout=400)
    (lab.logs / "netlink-guest.log").write_text(output)
    bad = [line for line in output.splitlines() if line.startswith(("not ok", "Bail out"))]
    planned = re.search(r"^1\.\.(\d+)$", output, re.MULTILINE)
    good = len(re.findall(r"^ok ", output, re.MULTILINE))
    expect(not bad and planned and good == int(planned[1]) and good, f"{bad or output.strip()[-500:]}")
