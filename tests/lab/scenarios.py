# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's scenarios: how the boxes are set up, and the steps that show what has to be seen."""

import os
import re
import signal
import socket
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import agent as henb
import boxes
import judge
from boxes import Failure, Gateway, inside, run, say, wait_for

SCENARIOS = []


@dataclass
class Scenario:
    name: str
    what: str  # one line: what it shows
    steps: Callable
    long: bool = False
    demo: bool = False  # for tests/demo only
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
    traffic: bool = True  # does the HeNB have to send something?
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
    return [known[name] for name in names] if names else [
        one for one in SCENARIOS if not one.demo and (with_long or not one.long)]


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
    run("sysctl", "-q", "net.ipv4.conf.all.arp_ignore=0")
    run("ip", "addr", "add", f"{boxes.INNER}/32", "dev", "lo")
    answers = lab.boxes.probe(boxes.INNER)
    run("ip", "addr", "del", f"{boxes.INNER}/32", "dev", "lo")
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


# The main job, TS 32.593 5.1.2.2 and 5.1.3.

URL = f"http://{boxes.HEMS_NAME}:{boxes.HEMS_PORT}/"
RSA = Gateway("segw-rsa", ike="aes256-sha256-ecp256", esp="aes128-sha256,aes256-sha256")


def ping(address=boxes.HEMS, answers=True):
    """Echo through the tunnel, as a program of the box sends it."""
    output = run("ping", "-c", "2", "-i", "0.2", "-W", "5" if answers else "1", "-I", henb.TUNNEL, address, check=False)
    got = re.search(r"(\d+) received", output)
    expect(bool(got and int(got[1])) == answers, f"ping {address} by {henb.TUNNEL}: {output.strip()}")


def properties(lab, **wanted):
    for name, value in wanted.items():
        seen = lab.agent.get(name)
        expect(seen == value, f"{name} is {seen!r}, wanted {value!r}")


def silent(lab, when):
    """The prober must get no answer from the inner address."""
    answers = lab.boxes.probe((lab.agent.get("InnerAddresses") or [boxes.INNER])[0])
    expect(not answers, f"{when}, the inner address answers the prober: {answers}")


def associated(lab):
    """The S1 stand-in finds what it needs on the bus and gets its association."""
    status, output = lab.boxes.s1_stack()
    expect(status == 0 and "association" in output, f"the S1 stand-in: status {status}: {output.strip()}")
    inner = lab.agent.get("InnerAddresses")[0]
    wait_for("the MME to see PPID 18", lambda: f"association from {inner} ppid 18" in lab.boxes.log("mme"))


def up(lab):
    """Started and registered, and the tunnel carries traffic."""
    lab.agent.start()
    lab.agent.registered()
    lab.agent.tunnel()
    ping()


def down(lab):
    """Stopped: nothing at the SeGW, no tunnel here, and what guards inner traffic still there."""
    inner = (lab.agent.get("InnerAddresses") or [boxes.INNER])[0]
    begin = time.monotonic()
    lab.agent.stop()
    seconds = time.monotonic() - begin
    expect(seconds < 10, f"stopping took {seconds:.1f} s")
    lab.agent.no_tunnel()
    lab.agent.guard(inner)
    wait_for("the SeGW to have no IKE SA", lambda: not lab.boxes.segw_sas(), 5)
    result = lab.agent.unit("ActiveState", "Result", "ExecMainStatus")
    expect(result == {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}, f"after stop: {result}")


def network_settings():
    """What a well-behaved daemon leaves alone: the kernel's settings of the other links."""
    settings = {}
    for family in ("ipv4", "ipv6"):
        for link in ("all", "default", "uplink", "lo"):
            for path in Path(f"/proc/sys/net/{family}/conf/{link}").iterdir():
                try:
                    settings[str(path)] = path.read_text()
                except OSError:
                    pass
    settings["forward"] = Path("/proc/sys/net/ipv4/ip_forward").read_text()
    return settings


def process_facts(lab):
    """The daemon runs as its own user with the two capabilities it needs and no more."""
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{lab.agent.pid()}/status").read_text().splitlines()
                  if ":\t" in line)
    expect(status["Uid"].split()[0] != "0", "the daemon runs as root")
    allowed = 1 << 12 | 1 << 10  # CAP_NET_ADMIN, CAP_NET_BIND_SERVICE
    for name in ("CapEff", "CapPrm", "CapBnd"):
        expect(int(status[name], 16) & ~allowed == 0, f"the daemon has {name} {status[name]}")


def no_key_in_journal(lab):
    keys = re.findall(r"(?:aead|auth|auth-trunc|enc) \S+ 0x([0-9a-f]{16,})", run("ip", "xfrm", "state"))
    expect(keys, "ip xfrm state shows no key")
    journal = lab.agent.journal().lower()
    expect(not any(key in journal for key in keys), "an SA's key is in the journal")


@scenario("register", "5.1.2.2 and 5.1.3 with ECDSA, AES-GCM and names; then what each part looks like")
def register(lab):
    before = network_settings()
    up(lab)
    properties(
        lab, Mme=[[boxes.MME, [boxes.MME], boxes.S1_PORT]], AdminState=True, InnerAddresses=[boxes.INNER],
        TunnelInterface=henb.TUNNEL, SeGW=boxes.SEGW_NAME, SeGWAddress=boxes.SEGW, HeMS=URL, LastError="")
    expect(lab.agent.get("S1ConnectionMode") in ("One", "All"), "S1ConnectionMode is neither One nor All")
    expect(lab.agent.get("Step"), "Step is empty")
    expect("5.1.3" in lab.agent.get("Clause"), f"Clause is {lab.agent.get('Clause')!r}, wanted 5.1.3")

    # Registered and MME come in one signal, after each earlier state in order.
    changes = [values for _, _, values in lab.agent.watch.changes if values.get("State") == "registered"]
    expect(len(changes) == 1 and changes[0].get("Mme"), f"registered and Mme are not in one signal: {changes}")
    order = [state for state in lab.agent.watch.states() if state in ("discovering", "registering", "registered")]
    expect(order == ["discovering", "registering", "registered"], f"the states were {lab.agent.watch.states()}")

    process_facts(lab)
    no_key_in_journal(lab)
    for clause in ("5.1.2.2", "5.1.3"):
        lab.agent.wait_journal(re.escape(clause), 5)
    run("runuser", "-u", "nobody", "--", "busctl", "get-property", henb.BUS, henb.OBJECT, henb.INTERFACE, "Mme")
    expect(len(lab.boxes.segw_sas()) == 1, "the SeGW has not one IKE SA")
    associated(lab)
    ping(boxes.MME)
    after = network_settings()
    changed = [name for name in before if before[name] != after.get(name)]
    expect(not changed, f"settings of the kernel changed: {changed}")
    silent(lab, "while registered")
    down(lab)
    silent(lab, "after stop")
    ping(answers=False)


@scenario("register-rsa-cbc", "RSA-2048 both ways, ESP with AES-CBC and HMAC-SHA2-256", device="rsa", gateway=RSA)
def register_rsa_cbc(lab):
    up(lab)
    expect("hmac(sha256)" in run("ip", "xfrm", "state", "list", "nokeys"), "ESP does not use HMAC-SHA2-256")
    associated(lab)


@scenario("register-by-address", "SeGW and HeMS as addresses: no DNS at all, the certificate has an iPAddress",
          factory={"Serving": {"SeGW": boxes.SEGW, "HeMS": boxes.HEMS}}, names=[],
          gateway=Gateway("segw-address", identity=boxes.SEGW))
def register_by_address(lab):
    up(lab)
    properties(lab, SeGW=boxes.SEGW, SeGWAddress=boxes.SEGW, HeMS=f"http://{boxes.HEMS}:{boxes.HEMS_PORT}/")
    lab.agent.stop()
    verdict = lab.judge()
    expect("DNS" not in verdict.seen, "it asked the DNS")


@scenario("segw-identity", "SeGWIdentity= instead of the gateway's name",
          factory={"Serving": {"SeGWIdentity": "other.operator.example"}},
          gateway=Gateway("segw-wrong-name", identity="other.operator.example"))
def segw_identity(lab):
    up(lab)


@scenario("resolv-conf", "public DNS from /etc/resolv.conf; its search list and the hosts file are not used",
          factory={"Network": {"PublicDNS": None}})
def resolv_conf(lab):
    hosts, resolv = Path("/etc/hosts"), Path("/etc/resolv.conf")
    kept = hosts.read_text(), resolv.read_text()
    hosts.write_text(kept[0] + f"198.51.100.9 {boxes.SEGW_NAME} {boxes.HEMS_NAME}\n")
    resolv.write_text(f"nameserver {boxes.PUBLIC_DNS}\nsearch lan.example\noptions ndots:9\n")
    try:
        up(lab)
    finally:
        hosts.write_text(kept[0])
        resolv.write_text(kept[1])


@scenario("nat", "behind a NAT: ESP in UDP", nat=True)
def nat(lab):
    up(lab)
    expect("espinudp" in run("ip", "xfrm", "state", "list", "nokeys"), "ESP is not encapsulated in UDP")
    associated(lab)
    lab.agent.stop()
    verdict = lab.judge()
    expect(verdict.seen.get("ESP in UDP") and not verdict.seen.get("ESP"), f"on the wire: {verdict.seen}")


@scenario("mme-by-name", "the S1 far end as a list of a name and an address", hems="mme-by-name.json")
def mme_by_name(lab):
    up(lab)
    properties(lab, Mme=[[boxes.MME_NAME, [boxes.MME], boxes.S1_PORT], ["10.0.0.21", ["10.0.0.21"], boxes.S1_PORT]])
    associated(lab)


@scenario("admin-false", "AdminState false is published, and the S1 stand-in keeps away", hems="admin-false.json")
def admin_false(lab):
    up(lab)
    properties(lab, AdminState=False)
    status, output = lab.boxes.s1_stack(timeout=5)
    expect(status == 1 and "AdminState" in output, f"the S1 stand-in: status {status}: {output.strip()}")
    expect("association" not in lab.boxes.log("mme"), "the MME got an association")


@scenario("no-mme", "a session without an S1 far end: registered-without-mme", hems="no-mme.json")
def no_mme(lab):
    lab.agent.start()
    lab.agent.wait("State", "registered-without-mme")
    properties(lab, Mme=[])
    lab.agent.tunnel()
    ping()


@scenario("late-mme", "the S1 far end comes in a later, periodic session", hems="late-mme.json")
def late_mme(lab):
    up(lab)
    expect("registered-without-mme" in lab.agent.watch.states(), f"the states were {lab.agent.watch.states()}")
    associated(lab)


@scenario("break-after-spv", "a session that breaks after SetParameterValues: stored, and not published",
          hems="break-after-spv.json")
def break_after_spv(lab):
    lab.agent.start()
    lab.agent.failed(".")
    lab.agent.registered()
    first = [index for index, one in enumerate(lab.agent.watch.moments()) if one.get("Mme")]
    broken = [index for index, one in enumerate(lab.agent.watch.moments()) if one.get("State") == "retrying"]
    expect(broken and broken[0] < first[0], "the MME was published before the broken session was repeated")


# Stopping, dying, starting.

@scenario("stop-and-start", "stop deletes the IKE SA and keeps the guard; start and restart register again")
def stop_and_start(lab):
    up(lab)
    down(lab)
    silent(lab, "after stop")
    up(lab)
    run("systemctl", "restart", henb.UNIT, timeout=120)
    lab.agent.registered()
    lab.agent.tunnel()
    ping()
    wait_for("one IKE SA at the SeGW", lambda: len(lab.boxes.segw_sas()) == 1, 10)
    down(lab)


@scenario("stop-silent-segw", "a SeGW that does not answer the DELETE holds up a stop for 2 s and no longer")
def stop_silent_segw(lab):
    up(lab)
    lab.boxes.silence("segw", "udp dport { 500, 4500 }")
    begin = time.monotonic()
    lab.agent.stop()
    seconds = time.monotonic() - begin
    expect(1.9 <= seconds < 6, f"stopping took {seconds:.1f} s")
    lab.agent.wait_journal("did not answer the DELETE in time", 10)
    lab.agent.no_tunnel()
    lab.agent.guard(boxes.INNER)
    result = lab.agent.unit("ActiveState", "Result")
    expect(result == {"ActiveState": "inactive", "Result": "success"}, f"after stop: {result}")


@scenario("segw-deletes", "the SeGW deletes the IKE SA: the MME goes off the bus at once, and comes back by itself")
def segw_deletes(lab):
    up(lab)
    lab.boxes.swanctl("segw", "--terminate", "--ike", "henb")
    lab.agent.wait("State", "retrying")
    properties(lab, Mme=[], InnerAddresses=[])
    expect("deleted" in lab.agent.get("LastError"), f"LastError is {lab.agent.get('LastError')!r}")
    silent(lab, "without a tunnel")
    lab.agent.registered()
    lab.agent.tunnel()
    properties(lab, Mme=[[boxes.MME, [boxes.MME], boxes.S1_PORT]], LastError="")
    ping()
    associated(lab)


def killed(lab):
    """kill -9; systemd starts it again."""
    before = lab.agent.pid()
    os.kill(before, signal.SIGKILL)
    wait_for("systemd to start it again", lambda: lab.agent.pid() not in (0, before), 60, 0.2)


@scenario("kill-9", "killed while registered: what was left is removed, it registers again")
def kill_9(lab):
    up(lab)
    old = set(re.findall(r"spi (0x[0-9a-f]+)", run("ip", "xfrm", "state")))
    killed(lab)
    silent(lab, "after kill -9")
    lab.agent.registered()
    lab.agent.tunnel()
    new = set(re.findall(r"spi (0x[0-9a-f]+)", run("ip", "xfrm", "state")))
    expect(not old & new, f"SAs of the killed one are still there: {old & new}")
    ping()
    wait_for("one IKE SA at the SeGW", lambda: len(lab.boxes.segw_sas()) == 1, 10)
    down(lab)


@scenario("late-network", "started before the uplink has an address and a route", uplink=False)
def late_network(lab):
    lab.agent.start()
    lab.agent.wait("State", "waiting-network")
    lab.boxes.uplink()
    lab.agent.registered()
    lab.agent.tunnel()
    ping()


# Certificates the gateway must not get away with.

def refused(lab, pattern, *identities):
    """The tunnel is refused: LastError says why, the journal names the identities, nothing is left in the kernel."""
    lab.agent.start()
    lab.agent.failed(pattern)
    for identity in identities:
        lab.agent.wait_journal(re.escape(identity), 10)
    lab.agent.no_tunnel()
    expect(not lab.agent.watch or "registering" not in lab.agent.watch.states(), "it went on to register")


def refusal(names, check):
    """LastError of a refused certificate: whose it is, which check failed, and what was expected, in one line."""
    return rf"certificate of {names}: {check}.*expected identity: {re.escape(boxes.SEGW_NAME)}"


@scenario("cert-wrong-name", "the gateway's name is in the CN only", hems=None, gateway=Gateway("segw-wrong-name"))
def cert_wrong_name(lab):
    refused(lab, refusal("other.operator.example", "subjectAltName does not carry the expected identity"))


@scenario("cert-unknown-ca", "the gateway's certificate is from a stranger with our root's name", hems=None,
          gateway=Gateway("segw-unknown-ca"))
def cert_unknown_ca(lab):
    refused(lab, refusal(boxes.SEGW_NAME, "(issued by a CA that is not trusted|signature of the issuer is wrong)"))


@scenario("cert-expired", "the gateway's certificate ended yesterday", hems=None, gateway=Gateway("segw-expired"))
def cert_expired(lab):
    refused(lab, refusal(boxes.SEGW_NAME, "expired"))


@scenario("cert-ca-false", "the gateway's certificate is under one that is no CA", hems=None,
          gateway=Gateway("segw-ca-false", ("ca-false",)))
def cert_ca_false(lab):
    # strongSwan sends no issuer that is no CA; the unit tests hand the agent the whole chain.
    refused(lab, refusal(boxes.SEGW_NAME, "issued by a CA that is not trusted"))


def sent(lab, issuer):
    """The gateway has sent the issuer's certificate: the refusal is the agent's own judgement."""
    expect(f'sending issuer cert "O=Operator, CN={issuer}"' in lab.boxes.log("segw-charon"),
           f"the SeGW did not send the certificate of {issuer}")


@scenario("cert-no-cert-sign", "the gateway's certificate is under a CA that may not sign certificates", hems=None,
          gateway=Gateway("segw-no-cert-sign", ("no-cert-sign",)))
def cert_no_cert_sign(lab):
    refused(lab, refusal(".*No Signer.*", ".*may not sign certificates"))
    sent(lab, "No Signer")


@scenario("cert-path-length", "the gateway's chain is longer than a CA in it allows", hems=None,
          gateway=Gateway("segw-path-length", ("intermediate", "path-length")))
def cert_path_length(lab):
    refused(lab, refusal(".*", ".*path length"))
    sent(lab, "Too Deep")


@scenario("cert-intermediate-ok", "the gateway sends a proper intermediate CA",
          gateway=Gateway("segw-intermediate", ("intermediate",)))
def cert_intermediate_ok(lab):
    up(lab)


# What fails on the way, and gets well again.

@scenario("segw-silent", "the SeGW does not answer; later it does")
def segw_silent(lab):
    lab.boxes.silence("segw", "udp dport { 500, 4500 }")
    lab.agent.start()
    lab.agent.failed(r"answer|respon|timed? ?out|silent")
    lab.agent.no_tunnel(lambda: lab.agent.get("State") == "retrying")
    lab.boxes.hear("segw")
    lab.agent.registered(FAILURE)
    ping()


@scenario("segw-refuses", "the SeGW accepts none of our proposals", hems=None,
          gateway=Gateway(ike="aes128-sha1-modp1024"))
def segw_refuses(lab):
    refused(lab, r"NO_PROPOSAL_CHOSEN|proposal")


@scenario("segw-refuses-esp", "the SeGW accepts the IKE SA and none of our ESP proposals", hems=None,
          gateway=Gateway(esp="3des-sha1"))
def segw_refuses_esp(lab):
    refused(lab, r"NO_PROPOSAL_CHOSEN|proposal")
    wait_for("no IKE SA at the SeGW", lambda: not lab.boxes.segw_sas(), 30)


@scenario("dns-silent", "the public DNS does not answer; later it does")
def dns_silent(lab):
    lab.boxes.silence("internet", "udp dport 53")
    lab.agent.start()
    lab.agent.failed(r"dns|resolv|segw\.operator\.example")
    lab.boxes.hear("internet")
    lab.agent.registered(FAILURE)


@scenario("dns-nxdomain", "the public DNS does not know the SeGW", public_names={}, hems=None)
def dns_nxdomain(lab):
    refused(lab, r"segw\.operator\.example")


@scenario("hems-nxdomain", "the private DNS does not know the HeMS", private_names={}, hems=None)
def hems_nxdomain(lab):
    lab.agent.start()
    lab.agent.failed(r"hems\.operator\.example")
    lab.agent.whole_or_none()


@scenario("hems-down", "nothing listens at the HeMS; later it does", hems=None)
def hems_down(lab):
    lab.agent.start()
    lab.agent.failed(r"hems|refused|connect")
    lab.agent.whole_or_none()
    lab.boxes.hems("again.json")
    lab.agent.registered(FAILURE)
    ping()


def hems_fails(name, what, pattern):
    """The HeMS fails two sessions, and the third is good: nothing was lost (the ACS checks events and RetryCount)."""
    @scenario(f"hems-{name}", what, hems=f"hems-{name}.json")
    def steps(lab):
        lab.agent.start()
        lab.agent.failed(pattern)
        lab.agent.whole_or_none()
        lab.agent.registered(FAILURE)
        ping()


FAILURE = henb.FAILURE_SECONDS
hems_fails("404", "the HeMS answers 404, then 204", "404")
hems_fails("503", "the HeMS answers 503 with Retry-After, then well", "503")
hems_fails("401", "the HeMS takes no credentials, then needs none", "401|credential|unauthori[sz]ed")
hems_fails("html", "the HeMS answers with a web page, then well", "html|soap|content|xml|envelope")
hems_fails("malformed-xml", "the HeMS answers with broken XML, then well", "xml|soap|well-formed")
hems_fails("reset", "the HeMS resets the connection, then does not", "reset|connection|recv")


# The box and its neighbours.

@scenario("prober", "the inner address never answers outside: before, while registered, after stop, after a crash")
def prober(lab):
    silent(lab, "before the start")
    up(lab)
    silent(lab, "while registered")
    # With the source's rules tried as well: a spoofed inner peer.
    answers = spoofed(lab)
    expect(not answers, f"a packet in clear from {boxes.HEMS} to the inner address is answered: {answers}")
    down(lab)
    silent(lab, "after stop")
    lab.agent.start()
    lab.agent.registered()
    run("systemctl", "kill", "-s", "KILL", henb.UNIT)
    run("systemctl", "stop", henb.UNIT)
    silent(lab, "after a crash")


def spoofed(lab):
    """Echo requests in clear that claim to come from the HeMS; what of an answer the tunnel's far end saw."""
    with inside("operator"):
        ears = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    with inside("internet"):
        mouth = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        run("ip", "-n", "internet", "route", "replace", f"{boxes.INNER}/32", "via", boxes.HENB, "dev", "henb")
    ears.settimeout(2)
    echo = bytes.fromhex("0800f7fd00010001")
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 1, 0, 64, 1, 0, socket.inet_aton(boxes.HEMS),
                         socket.inet_aton(boxes.INNER))
    with ears, mouth:
        mouth.sendto(header + echo, (boxes.INNER, 0))
        try:
            return ears.recv(2048).hex()
        except TimeoutError:
            return None
        finally:
            run("ip", "-n", "internet", "route", "del", f"{boxes.INNER}/32")


def udp_packet(source, sport, destination, dport, body):
    """An IPv4 datagram without UDP checksum, for a raw socket."""
    return struct.pack("!BBHHHBBH4s4sHHHH", 0x45, 0, 28 + len(body), 0, 0, 64, 17, 0, socket.inet_aton(source),
                       socket.inet_aton(destination), sport, dport, 8 + len(body), 0) + body


def junk():
    """Malformed and unwanted IKE messages, as RFC 7296 2.21 and 2.4 have in mind."""
    def header(first, exchange, flags, length=None, version=0x20, body=b"", spi_i=b"\x11" * 8, spi_r=b"\x22" * 8):
        size = 28 + len(body) if length is None else length
        return spi_i + spi_r + bytes([first, version, exchange, flags]) + struct.pack("!II", 0, size) + body
    notify = bytes.fromhex("0000000800004000")
    yield b""
    yield b"\0"
    yield bytes(27)
    yield bytes(28)
    yield b"\xff" * 1400
    yield header(33, 34, 0x20, length=0xFFFFFFFF)
    yield header(33, 34, 0x20, length=28, body=notify)
    yield header(41, 34, 0x20, body=bytes.fromhex("0000000000004000"))  # a payload of length 0
    yield header(41, 34, 0x20, body=bytes.fromhex("0000ffff00004000"))  # and one longer than the message
    yield header(41, 34, 0x20, body=bytes.fromhex("2900000800004000") * 100)  # a chain that does not end
    yield header(200, 34, 0x20, body=bytes.fromhex("0080000400000000"))  # unknown and critical
    yield header(33, 34, 0x08, body=bytes(40), spi_r=bytes(8))  # a request to us, who are no responder
    yield header(46, 35, 0x20, body=bytes(60))
    yield header(46, 37, 0x00, body=bytes.fromhex("0000002000000000") + bytes(24))
    yield header(53, 35, 0x20, body=bytes.fromhex("00000008ffffffff"))
    yield header(41, 37, 0x20, body=notify)
    yield header(41, 37, 0x20, body=bytes.fromhex("0000000800000004"))  # INVALID_IKE_SPI in clear
    yield header(42, 37, 0x00, body=bytes.fromhex("0000000801000000"))  # Delete in clear
    yield header(33, 34, 0x20, version=0x10)
    yield header(33, 34, 0x20, version=0x30)
    yield header(33, 250, 0x20)


@scenario("ike-port-junk", "malformed, foreign and replayed IKE datagrams while registered",
          declared=[(judge.UDP, boxes.ROUTER, None)])
def ike_port_junk(lab):
    up(lab)
    before = lab.agent.pid(), len(lab.agent.watch.changes), set(henb.states())
    with inside("internet"):
        mouth = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    replay = []
    for _, frame in judge.read_pcap((lab.logs / "uplink.pcap").read_bytes()):
        if frame[12:14] == b"\x08\x00" and frame[23] == 17 and frame[26:30] == socket.inet_aton(boxes.SEGW):
            replay.append(frame[14:])
    expect(len(replay) >= 2, "the capture has no IKE from the SeGW to replay")
    spis = next(packet[28:44] for packet in reversed(replay) if packet[36:44] != bytes(8))
    with mouth:
        for port in (500, 4500):
            mark = bytes(4) if port == 4500 else b""
            for body in junk():
                for source in (boxes.SEGW, boxes.ROUTER):
                    mouth.sendto(udp_packet(source, port, boxes.HENB, port, mark + body), (boxes.HENB, 0))
                    if len(body) >= 28:  # and with the SPIs of the IKE SA, as far as a listener knows them
                        mouth.sendto(udp_packet(source, port, boxes.HENB, port, mark + spis + body[16:]), (boxes.HENB, 0))
        mouth.sendto(udp_packet(boxes.SEGW, 4500, boxes.HENB, 4500, b"\xff"), (boxes.HENB, 0))
        mouth.sendto(udp_packet(boxes.SEGW, 4500, boxes.HENB, 4500, b"\0\0\0\5" + bytes(60)), (boxes.HENB, 0))
        for packet in replay:
            mouth.sendto(packet, (boxes.HENB, 0))
    ping()
    ping(boxes.MME)
    after = lab.agent.pid(), len(lab.agent.watch.changes), set(henb.states())
    expect(before[0] == after[0], "the daemon was restarted")
    expect(before[1] == after[1], f"its published state changed: {lab.agent.watch.changes[before[1]:]}")
    expect(before[2] == after[2], f"SAs changed: {before[2] ^ after[2]}")
    properties(lab, State="registered")
    down(lab)
    lab.agent.wait_journal(r"dropped [1-9]\d* malformed, [1-9]\d* foreign", 10)


FOREIGN = """
    link add foreign0 type xfrm if_id 99
    link set foreign0 up
    addr add 198.51.100.1/32 dev foreign0
    route add 198.51.100.0/24 dev foreign0 table 77
    rule add from 198.51.100.1 lookup 77 priority 100
    rule add oif foreign0 lookup 77 priority 32600
    xfrm state add src 192.0.2.10 dst 198.51.100.9 proto esp spi 0x1000 reqid 99 mode tunnel if_id 99 enc cbc(aes) 0x00112233445566778899aabbccddeeff auth hmac(sha1) 0x00112233445566778899aabbccddeeff00112233
    xfrm state add src 198.51.100.9 dst 192.0.2.10 proto esp spi 0x1001 reqid 98 mode tunnel enc cbc(aes) 0x00112233445566778899aabbccddeeff auth hmac(sha1) 0x00112233445566778899aabbccddeeff00112233
    xfrm policy add src 198.51.100.0/24 dst 198.51.101.0/24 dir out priority 500 if_id 99 tmpl src 192.0.2.10 dst 198.51.100.9 proto esp reqid 99 mode tunnel
    xfrm policy add src 198.51.101.0/24 dst 198.51.100.0/24 dir in priority 500 tmpl src 198.51.100.9 dst 192.0.2.10 proto esp reqid 98 mode tunnel
    xfrm policy add src 198.51.102.0/24 dst 198.51.100.0/24 dir in action block priority 7
"""


def foreign():
    """All that is in the kernel and not ours, as texts."""
    ours = (f"reqid {henb.ID}", f"if_id {henb.ID:#x}", f"priority {henb.ID} ", f"priority {henb.ID}", f"{henb.ID}:",
            henb.TUNNEL, boxes.INNER)
    routes = [line.strip() for line in run("ip", "route", "show", "table", "all").splitlines()
              if f"table {henb.ID}" not in line]
    texts = [*henb.states(), *henb.policies(), *run("ip", "rule").splitlines(), *routes,
             *run("ip", "-6", "rule").splitlines(), run("ip", "link", "show", "foreign0").strip()]
    return sorted(text for text in texts if not any(word in text for word in ours))


@scenario("foreign-untouched", "states, policies, rules, routes and links of others stay as they are")
def foreign_untouched(lab):
    run("ip", "-batch", "-", stdin=FOREIGN)
    try:
        before = foreign()
        expect(len([text for text in before if "198.51.100" in text]) >= 8, f"the foreign part is not there: {before}")
        up(lab)
        same(before, "while registered")
        killed(lab)
        lab.agent.registered()
        same(before, "after kill -9")
        lab.agent.stop()
        lab.agent.no_tunnel()
        same(before, "after stop")
    finally:
        run("ip", "rule", "del", "priority", "100", check=False)
        run("ip", "rule", "del", "priority", "32600", check=False)
        run("ip", "link", "del", "foreign0", check=False)


def same(before, when):
    now = foreign()
    expect(now == before, f"{when}: gone {[text for text in before if text not in now]}, "
                          f"new {[text for text in now if text not in before]}")


# What keeps it from starting.

def no_start(lab, status, *words):
    """It exits with *status*, says each of *words*, and is not started again."""
    lab.agent.journal_begin()
    begin = time.monotonic()
    lab.agent.start(wait=False)
    wait_for("the unit to fail", lambda: lab.agent.unit("ActiveState")["ActiveState"] == "failed", 60, 0.2)
    unit = lab.agent.unit("ExecMainStatus", "NRestarts")
    expect(unit == {"ExecMainStatus": str(status), "NRestarts": "0"}, f"after {time.monotonic() - begin:.1f} s: {unit}")
    for word in words:
        lab.agent.wait_journal(word, 10)


@scenario("bad-config", "bad factory data: exit status 78, file, line and key are named, no restart", traffic=False, hems=None,
          gateway=None, mme=False)
def bad_config(lab):
    main, drop_in = henb.CONFIG / "agent.conf", henb.CONFIG / "agent.conf.d" / "50-test.conf"
    good = main.read_text()
    line = good.splitlines().index("OUI=00A0BC") + 1
    cases = [
        (good.replace("OUI=00A0BC", "OUI=00A0B"), "", rf"agent\.conf:{line}\b.*OUI"),
        (good.replace("OUI=", "OUJ="), "", rf"agent\.conf:{line}\b.*OUJ"),
        (good.replace("SerialNumber=000001\n", ""), "", r"agent\.conf.*SerialNumber"),
        (good.replace("HeMS=hems", "HeMS=ftp://hems"), "", r"agent\.conf:\d+\b.*HeMS"),
        (good.replace("henb-key.pem", "absent.pem"), "", r"agent\.conf:\d+\b.*Key"),
        (good, "[Network]\nPublicDNS=nonsense\n", r"50-test\.conf:2\b.*PublicDNS"),
        (re.sub(r"\[Serving\]\nSeGW=\S+", "[Initial]\nSeGW=segw.operator.example", good), "", r"5\.1\.2\.3"),
        (re.sub(r"\[Serving\]\nSeGW=\S+\nHeMS=\S+", "[Initial]\nHeMS=https://hems.operator.example/", good), "",
         r"5\.1\.2\.4"),
        ("", "", r"agent\.conf"),
    ]
    for text, extra, pattern in cases:
        main.write_text(text)
        drop_in.parent.mkdir(exist_ok=True)
        drop_in.write_text(extra)
        no_start(lab, 78, pattern)
    main.unlink()
    no_start(lab, 78, r"agent\.conf")
    expect(not lab.agent.watch.changes, f"it was on the bus: {lab.agent.watch.changes}")


@scenario("no-xfrm-interface", "a kernel without XFRM interfaces: exit status 69, CONFIG_XFRM_INTERFACE is named",
          traffic=False, hems=None, gateway=None, mme=False)
def no_xfrm_interface(lab):
    hidden = Path("/etc/modprobe.d/hidden.conf")
    run("modprobe", "-r", "xfrm_interface")
    hidden.write_text("install xfrm_interface /bin/false\n")
    try:
        no_start(lab, 69, "CONFIG_XFRM_INTERFACE")
    finally:
        hidden.unlink()
        run("modprobe", "xfrm_interface")
    expect(not henb.tunnel_leftovers(), f"left in the kernel: {henb.tunnel_leftovers()}")


# Long ones: what multiplies.

def matrix(device, certificate, esp):
    @scenario(f"long-{device}-{certificate}-{esp}", f"{device} certificates with ESP {esp}", long=True, device=device,
              gateway=Gateway(certificate, esp=esp))
    def steps(lab):
        up(lab)
        associated(lab)
        down(lab)


for _device, _certificate in (("ecdsa", "segw-ecdsa"), ("rsa", "segw-rsa"), ("ecdsa", "segw-rsa"), ("rsa", "segw-ecdsa")):
    for _esp in ("aes128gcm16", "aes256gcm16", "aes128-sha256", "aes256-sha256"):
        matrix(_device, _certificate, _esp)


@scenario("long-kill-loop", "killed at twenty different moments of its way", long=True, hems="again.json")
def long_kill_loop(lab):
    lab.agent.start()
    for number in range(20):
        time.sleep(0.15 * number)
        killed(lab)
        run("systemctl", "reset-failed", henb.UNIT)
        silent(lab, f"after kill {number + 1}")
    lab.agent.registered()
    lab.agent.tunnel()
    ping()
    down(lab)


@scenario("long-restart-loop", "stopped and started twenty times", long=True)
def long_restart_loop(lab):
    for _ in range(20):
        run("systemctl", "reset-failed", henb.UNIT, check=False)
        up(lab)
        down(lab)


# What tests/demo shows.

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
    show(f"ping -I {henb.TUNNEL} {boxes.HEMS}, the HeMS through the tunnel",
         *run("ping", "-c", "3", "-i", "0.3", "-I", henb.TUNNEL, boxes.HEMS).strip().splitlines())
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
