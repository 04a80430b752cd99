# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's scenarios: how the boxes are set up, and the steps that show what has to be seen."""

import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Callable

import agent as henb
import boxes
import judge
from boxes import Failure, Gateway, inside, run, wait_for

SCENARIOS = []


@dataclass
class Scenario:
    name: str
    what: str  # one line: what it shows
    steps: Callable
    long: bool = False
    agent: bool = True  # does henb-agentd take part?
    device: str = "ecdsa"  # the HeNB's certificate
    factory: dict = field(default_factory=dict)  # changes to agent.FACTORY: {section: {key: value}}
    gateway: Gateway = field(default_factory=Gateway)  # None: no SeGW runs
    hems: object = "register.json"  # the ACS's scenario (a file of acs/ or its content); None: no HeMS runs
    mme: bool = True
    nat: bool = False
    uplink: bool = True  # has the uplink its address from the start?
    public_names: dict = field(default_factory=lambda: {boxes.SEGW_NAME: [boxes.SEGW]})
    private_names: dict = field(default_factory=lambda: {boxes.HEMS_NAME: [boxes.HEMS], boxes.MME_NAME: [boxes.MME]})
    names: list = field(default_factory=lambda: [boxes.SEGW_NAME])  # may be asked of the public DNS
    declared: list = field(default_factory=list)  # may be sent as well: (protocol, address, port)


def scenario(name, what, **parts):
    """Decorates the function that has the steps."""
    def add(steps):
        SCENARIOS.append(Scenario(name, what, steps, **parts))
        return steps
    return add


def choose(names, with_long):
    known = {one.name: one for one in SCENARIOS}
    for name in names:
        if name not in known:
            raise SystemExit(f"no scenario {name}; there are: {' '.join(known)}")
    return [known[name] for name in names] if names else [one for one in SCENARIOS if with_long or not one.long]


def expect(true, otherwise):
    if not true:
        raise Failure(otherwise)


# The lab itself.

def inner_sctp(source, message=b"hello"):
    """An SCTP association to the MME from *source* with one message of PPID 18; the echo of it."""
    client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, boxes.IPPROTO_SCTP)
    with client:
        client.settimeout(20)
        client.bind((source, 0))
        client.connect((boxes.MME, boxes.S1_PORT))
        client.sendmsg([message], [(boxes.IPPROTO_SCTP, 2, struct.pack("=HHIII", 0, 0, socket.htonl(18), 0, 0))])


@scenario("lab-selftest", "the lab alone: tunnel, DNS, SCTP, and a judge and a prober that find leaks", agent=False, hems=None)
def lab_selftest(lab):
    lab.boxes.charon("client", None, "henb-ecdsa", (), f"""
        connections {{
            lab {{
                version = 2
                remote_addrs = {boxes.SEGW}
                vips = 0.0.0.0
                proposals = aes128gcm16-prfsha256-ecp256
                local {{
                    auth = pubkey
                    certs = henb-ecdsa.pem
                    id = henb-000001.operator.example
                }}
                remote {{
                    auth = pubkey
                    id = {boxes.SEGW_NAME}
                }}
                children {{
                    all {{
                        remote_ts = {boxes.PRIVATE}
                        esp_proposals = aes128gcm16
                    }}
                }}
            }}
        }}
    """)
    lab.boxes.swanctl("client", "--initiate", "--child", "all", "--timeout", "30")
    expect(len(lab.boxes.segw_sas()) == 1, "the SeGW has no SA")
    run("ping", "-c", "2", "-i", "0.2", "-W", "5", "-I", boxes.INNER, boxes.HEMS)
    answer = boxes.dns_ask(None, boxes.PRIVATE_DNS, boxes.HEMS_NAME, timeout=5)
    expect(answer == (0, [boxes.HEMS]), f"private DNS answers {answer}")
    answer = boxes.dns_ask(None, boxes.PUBLIC_DNS, boxes.SEGW_NAME, timeout=5)
    expect(answer == (0, [boxes.SEGW]), f"public DNS answers {answer}")
    inner_sctp(boxes.INNER)
    wait_for("the MME to see it", lambda: f"association from {boxes.INNER} ppid 18" in lab.boxes.log("mme"))
    lab.boxes.end("client")
    wait_for("the SeGW to forget the SA", lambda: not lab.boxes.segw_sas())
    verdict = lab.judge()
    expect(verdict.seen.get("ESP", 0) >= 5 and verdict.seen.get("IKE", 0) >= 2 and verdict.seen.get("DNS") == 1,
           f"the capture shows {verdict.seen}")

    # An inner address that nothing guards: the prober has to get answers and the judge to object.
    lab.boxes.capture("leak")
    run("ip", "addr", "add", f"{boxes.INNER}/32", "dev", "lo")
    answers = lab.boxes.probe(boxes.INNER)
    run("ip", "addr", "del", f"{boxes.INNER}/32", "dev", "lo")
    lab.boxes.capture_end("leak")
    for wanted in ("TCP 22: Connection refused", "UDP 53: Connection refused", "ICMP type 0 from 10.1.0.1"):
        expect(wanted in answers, f"the prober cannot see an answer '{wanted}': {answers}")
    leak = judge.judge_file(lab.logs / "leak.pcap", lab.rules())
    expect(leak.objections and leak.seen.get("inner", 0) >= 3, f"the judge does not see the leak: {leak}")
