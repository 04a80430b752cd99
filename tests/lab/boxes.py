# SPDX-License-Identifier: GPL-3.0-or-later
"""The boxes around the HeNB: namespaces and links, DNS, the SeGW, the operator's network, the capture, the prober.

Everything is started as a child in its namespace, waited for by a fact (a socket, an answer), and ended by stop().
"""

import contextlib
import ctypes
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
RUN = Path("/run/lab")

UPLINK_MAC = "02:00:00:00:00:10"
HENB, ROUTER, PUBLIC_DNS = "192.0.2.10", "192.0.2.1", "192.0.2.53"
SEGW, NAT = "203.0.113.1", "203.0.113.254"
POOL, INNER = "10.1.0.0/24", "10.1.0.1"
PRIVATE, PRIVATE_GATEWAY = "10.0.0.0/24", "10.0.0.1"
HEMS, HEMS_PORT, MME, PRIVATE_DNS = "10.0.0.10", 7547, "10.0.0.20", "10.0.0.53"
S1_PORT = 36412
SEGW_NAME, HEMS_NAME, MME_NAME = "segw.operator.example", "hems.operator.example", "mme.operator.example"
NAMESPACES = ("internet", "segw", "operator")
MODULES = ("veth", "xfrm_user", "xfrm_interface", "esp4", "esp6", "xfrm4_tunnel", "sctp", "nf_tables", "nft_chain_nat",
           "nft_masq", "nft_reject_inet", "dummy", "gcm", "ccm", "echainiv", "seqiv", "authenc", "cbc", "sha256_generic")

CLONE_NEWNET = 0x40000000
IPPROTO_SCTP = 132
_libc = ctypes.CDLL(None, use_errno=True)


class Failure(Exception):
    """A scenario failed: what was expected and what was seen."""


def say(text):
    print(text, flush=True)


def run(*argv, check=True, timeout=120, stdin=None):
    """Standard output of a command that has to succeed."""
    done = subprocess.run([str(word) for word in argv], input=stdin, text=True, capture_output=True, timeout=timeout)
    if check and done.returncode != 0:
        raise Failure(f"{' '.join(map(str, argv))}: status {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


@contextlib.contextmanager
def inside(namespace):
    """Sockets and children made in this block live in the namespace (None: where we are)."""
    if namespace is None:
        yield
        return
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        if _libc.setns(there, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
        yield
    finally:
        _libc.setns(home, CLONE_NEWNET)
        os.close(there)
        os.close(home)


def wait_for(what, fact, timeout=30, interval=0.1):
    """The first true value of fact(); Failure when there is none in time."""
    end = time.monotonic() + timeout
    while True:
        value = fact()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"waited {timeout} s for {what}")
        time.sleep(interval)


def dns_ask(namespace, server, name, kind=1, timeout=1.0):
    """Answers to one DNS question: (rcode, [address...]), or None when there is no answer."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    question = struct.pack("!HHHHHH", 0x4E42, 0x100, 1, 0, 0, 0) + labels + struct.pack("!HH", kind, 1)
    with inside(namespace):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with client:
        client.settimeout(timeout)
        try:
            client.connect((server, 53))
            client.send(question)
            answer = client.recv(4096)
        except OSError:
            return None
    rcode, count, offset = answer[3] & 15, struct.unpack_from("!H", answer, 6)[0], len(question)
    addresses = []
    for _ in range(count):
        offset += 2 if answer[offset] >= 0xC0 else len(labels)
        rtype, _, _, length = struct.unpack_from("!HHIH", answer, offset)
        offset += 10
        if rtype == 1:
            addresses.append(socket.inet_ntoa(answer[offset:offset + 4]))
        offset += length
    return rcode, addresses


def listening(namespace, port):
    """Does a TCP socket listen on the port there?"""
    with inside(namespace):
        lines = Path("/proc/thread-self/net/tcp").read_text().splitlines()[1:]
    return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in lines)


@dataclass
class Gateway:
    """How the SeGW is set up in a scenario."""
    certificate: str = "segw-ecdsa"
    intermediates: tuple = ()
    identity: str = SEGW_NAME
    ike: str = "aes128gcm16-prfsha256-ecp256,aes256-sha256-ecp256,aes128-sha256-ecp256,aes256-sha256-modp2048"
    esp: str = "aes128gcm16,aes256gcm16"
    selector: str = "0.0.0.0/0"
    dns: str = PRIVATE_DNS
    options: tuple = ()  # more lines of the connection


class Boxes:
    """Everything around the HeNB, for one scenario. Logs go to *logs*."""

    def __init__(self, logs):
        self.logs = logs
        self.children = {}

    # Children.

    def spawn(self, name, namespace, *argv, environment=None):
        with open(self.logs / f"{name}.log", "ab") as log, inside(namespace):
            self.children[name] = subprocess.Popen(
                [str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **(environment or {})})
        return self.children[name]

    def log(self, name):
        path = self.logs / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def alive(self, name):
        if self.children[name].poll() is not None:
            raise Failure(f"{name} ended: {self.log(name).strip()[-500:]}")
        return True

    def end(self, name, number=signal.SIGTERM, timeout=20):
        """Ends a child, returns its status; None if it does not run."""
        child = self.children.pop(name, None)
        if child is None:
            return None
        if child.poll() is None:
            child.send_signal(number)
        try:
            return child.wait(timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            raise Failure(f"{name} did not end on signal {number}") from None

    def stop(self):
        """Ends what runs and removes namespaces; afterwards nothing of the lab is left."""
        for name in reversed(list(self.children)):
            with contextlib.suppress(Failure):
                self.end(name)
        for namespace in NAMESPACES:
            run("ip", "netns", "del", namespace, check=False)
        run("ip", "link", "del", "uplink", check=False)
        wait_for("the uplink to go", lambda: not Path("/sys/class/net/uplink").exists())

    # Links.

    def network(self, uplink=True):
        """Namespaces, links and routes; without *uplink* the HeNB's side has no address yet."""
        for namespace in NAMESPACES:
            run("ip", "netns", "add", namespace)
        run("ip", "-batch", "-", stdin=f"""
            link add uplink address {UPLINK_MAC} type veth peer name henb netns internet
            link add segw netns internet type veth peer name wan netns segw
            link add lan netns segw type veth peer name op netns operator
        """)
        run("ip", "-n", "internet", "-batch", "-", stdin=f"""
            link set lo up
            link set henb up
            link set segw up
            addr add {ROUTER}/24 dev henb
            addr add {PUBLIC_DNS}/24 dev henb
            addr add {NAT}/24 dev segw
        """)
        run("ip", "-n", "segw", "-batch", "-", stdin=f"""
            link set lo up
            link set wan up
            link set lan up
            addr add {SEGW}/24 dev wan
            addr add {PRIVATE_GATEWAY}/24 dev lan
            route add default via {NAT}
        """)
        run("ip", "-n", "operator", "-batch", "-", stdin=f"""
            link set lo up
            link set op up
            addr add {HEMS}/24 dev op
            addr add {MME}/24 dev op
            addr add {PRIVATE_DNS}/24 dev op
            route add default via {PRIVATE_GATEWAY}
        """)
        for namespace in ("internet", "segw"):
            with inside(namespace):
                Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        # veth promises the SCTP checksum to the other end, ESP then carries a wrong one.
        for namespace, link in ((None, "uplink"), ("segw", "lan"), ("operator", "op")):
            with inside(namespace):
                run("ethtool", "-K", link, "tx-checksum-sctp", "off")
        run("ip", "link", "set", "lo", "up")
        if uplink:
            self.uplink()

    def uplink(self):
        run("ip", "-batch", "-", stdin=f"""
            link set uplink up
            addr add {HENB}/24 dev uplink
            route add default via {ROUTER} dev uplink
        """)

    def nat(self):
        self.firewall("internet", """
            table ip nat {
                chain out { type nat hook postrouting priority 100; oifname "segw" masquerade; }
            }""")

    def silence(self, namespace, match):
        """Drops what matches on its way in, without an answer; hear() ends it."""
        self.firewall(namespace, f"""
            table inet silence {{
                chain in {{ type filter hook input priority 0; {match} drop; }}
            }}""")

    def hear(self, namespace):
        with inside(namespace):
            run("nft", "delete", "table", "inet", "silence")

    def firewall(self, namespace, rules):
        with inside(namespace):
            run("nft", "-f", "-", stdin=rules)

    # DNS.

    def dns(self, public, private):
        """Two unbounds that know nothing but these: name -> addresses."""
        self.unbound("dns-public", "internet", PUBLIC_DNS, public)
        self.unbound("dns-private", "operator", PRIVATE_DNS, private)
        for namespace, server in (("internet", PUBLIC_DNS), ("operator", PRIVATE_DNS)):
            wait_for(f"the DNS server {server}", lambda: dns_ask(namespace, server, "ready.test", timeout=0.5))

    def unbound(self, name, namespace, address, names):
        lines = ['local-data: "ready.test. A 127.0.0.1"']
        for host, addresses in names.items():
            for one in addresses:
                lines.append(f'local-data: "{host}. {"AAAA" if ":" in one else "A"} {one}"')
        path = RUN / f"{name}.conf"
        path.write_text("\n".join([
            "server:", 'chroot: ""', 'username: ""', 'directory: "/run/lab"', 'pidfile: ""', "do-daemonize: no",
            "use-syslog: no", "verbosity: 1", "log-queries: yes", f"interface: {address}", "do-ip6: no",
            "access-control: 0.0.0.0/0 allow", 'module-config: "iterator"', 'local-zone: "." static', *lines,
            "remote-control:", "control-enable: no", ""]))
        self.spawn(name, namespace, "unbound", "-d", "-c", path)

    # The SeGW.

    def segw(self, gateway):
        self.charon("segw", "segw", gateway.certificate, gateway.intermediates, f"""
            connections {{
                henb {{
                    version = 2
                    local_addrs = {SEGW}
                    proposals = {gateway.ike}
                    pools = inner
                    send_cert = always
                    {chr(10).join(gateway.options)}
                    local {{
                        auth = pubkey
                        certs = {gateway.certificate}.pem
                        id = {gateway.identity}
                    }}
                    remote {{
                        auth = pubkey
                    }}
                    children {{
                        all {{
                            local_ts = {gateway.selector}
                            esp_proposals = {gateway.esp}
                            mode = tunnel
                        }}
                    }}
                }}
            }}
            pools {{
                inner {{
                    addrs = {POOL}
                    dns = {gateway.dns}
                }}
            }}
        """)

    def charon(self, name, namespace, certificate, intermediates, configuration):
        """strongSwan with its own folder and control socket; None is the HeNB's own namespace."""
        folder = RUN / name
        certificates = HERE.parent / "certificates"
        for part in ("x509", "x509ca", "private"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        shutil.copy(certificates / f"{certificate}.pem", folder / "x509")
        shutil.copy(certificates / f"{certificate}-key.pem", folder / "private")
        for authority in ("root-ecdsa", "root-rsa", *intermediates):
            shutil.copy(certificates / f"{authority}.pem", folder / "x509ca")
        (folder / "swanctl.conf").write_text(configuration)
        (folder / "strongswan.conf").write_text(f"""
            charon-systemd {{
                load = random nonce x509 constraints pubkey pkcs1 pkcs8 pem openssl kdf hmac gcm sha2 sha1 aes kernel-netlink socket-default vici
                retransmit_timeout = 1.0
                plugins {{
                    vici {{
                        socket = unix://{folder}/charon.vici
                    }}
                }}
                journal {{
                    default = -1
                }}
                filelog {{
                    file {{
                        path = {self.logs}/{name}-charon.log
                        default = 1
                        ike = 2
                        cfg = 2
                        flush_line = yes
                    }}
                }}
            }}
        """)
        self.spawn(name, namespace, "/usr/sbin/charon-systemd",
                   environment={"STRONGSWAN_CONF": f"{folder}/strongswan.conf"})
        wait_for(f"{name}'s control socket", lambda: self.alive(name) and (folder / "charon.vici").exists())
        self.swanctl(name, "--load-all", "--file", folder / "swanctl.conf")

    def swanctl(self, name, *argv, check=True):
        done = subprocess.run(
            ["swanctl", argv[0], "--uri", f"unix://{RUN}/{name}/charon.vici", *map(str, argv[1:])], text=True,
            capture_output=True, env={**os.environ, "SWANCTL_DIR": str(RUN / name),
                                      "STRONGSWAN_CONF": f"{RUN}/{name}/strongswan.conf"}, timeout=60)
        if check and done.returncode != 0:
            raise Failure(f"swanctl {argv[0]} at {name}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def segw_sas(self):
        """Established IKE SAs at the SeGW, one line each."""
        return [line for line in self.swanctl("segw", "--list-sas").splitlines() if "ESTABLISHED" in line]

    # The operator's network.

    def mme(self):
        self.spawn("mme-output", "operator", sys.executable, HERE / "mme.py", "--listen", f"{MME}:{S1_PORT}", "--log",
                   self.logs / "mme.log")
        wait_for("the MME to listen", lambda: self.alive("mme-output") and "listening" in self.log("mme"))

    def hems(self, scenario):
        """The ACS with a scenario: the name of a file under acs/, or its content."""
        path = HERE / "acs" / scenario if isinstance(scenario, str) else HERE / "acs" / "of-this-scenario.json"
        if not isinstance(scenario, str):
            path.write_text(json.dumps(scenario, indent=4))
        self.spawn("hems", "operator", sys.executable, HERE / "acs.py", "--listen", f"{HEMS}:{HEMS_PORT}", "--scenario",
                   path, "--log", self.logs / "acs.log")
        wait_for("the HeMS to listen", lambda: self.alive("hems") and listening("operator", HEMS_PORT))

    def hems_verdict(self):
        """Ends the ACS; Failure unless it is content with the HeNB."""
        if "hems" not in self.children:
            return
        self.end("hems")
        lines = self.log("acs").strip().splitlines() or ["(no log)"]
        if lines[-1].split("VERDICT", 1)[-1].strip() != "ok":
            raise Failure(f"the HeMS says: {lines[-1]}")

    def s1_stack(self, timeout=90):
        """Runs the S1 stand-in to its end: (status, what it printed)."""
        program = next((path for path in (Path("/usr/lib/henb-lab/s1-stack"), HERE / "s1-stack") if path.exists()), None)
        if program is None:
            raise Failure("the S1 stand-in is not installed")
        done = subprocess.run([str(program), "--timeout", str(timeout)], text=True, capture_output=True, timeout=timeout + 30)
        with open(self.logs / "s1-stack.log", "a", encoding="utf-8") as log:
            log.write(done.stdout + done.stderr)
        return done.returncode, done.stdout + done.stderr

    # Watching.

    def capture(self, name="uplink"):
        """Records what goes over the uplink's wire, seen from the router."""
        path = self.logs / f"{name}.pcap"
        self.spawn(f"capture-{name}", "internet", "tcpdump", "-i", "henb", "-n", "-U", "-s", "0", "-B", "8192", "-Z",
                   "root", "--immediate-mode", "-w", path)
        wait_for("the capture", lambda: self.alive(f"capture-{name}") and "listening on" in self.log(f"capture-{name}"))
        return path

    def capture_end(self, name="uplink"):
        if f"capture-{name}" not in self.children:
            return
        self.end(f"capture-{name}", signal.SIGINT)
        dropped = re.search(r"(\d+) packets? dropped by kernel", self.log(f"capture-{name}"))
        if dropped and int(dropped[1]):
            raise Failure(f"the capture lost {dropped[1]} packets")

    def probe(self, target, tcp=(22, 53, 80, 443, 500, 4500, 7547, 7548, 36412, 2152), udp=(53, 500, 2152, 4500, 5000),
              patience=1.5):
        """Answers the prober gets from *target* over the HeNB's uplink address, in words."""
        run("ip", "-n", "internet", "route", "replace", f"{target}/32", "via", HENB, "dev", "henb")
        answers, waiting = [], {}
        with inside("internet"):
            for port in tcp:
                one = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
                one.bind((ROUTER, 0))
                one.connect_ex((target, port))
                waiting[one] = f"TCP {port}"
            for port in udp:
                one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
                one.bind((ROUTER, 0))
                one.connect((target, port))
                one.send(b"probe")
                waiting[one] = f"UDP {port}"
            arp = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(0x0806))
            arp.bind(("henb", 0x0806))
            echo = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMP)
            sniff = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMP)
        waiting[arp] = "ARP"
        mac = arp.getsockname()[4]
        arp.send(b"\xff" * 6 + mac + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1) + mac +
                 socket.inet_aton(ROUTER) + bytes(6) + socket.inet_aton(target))
        echo.bind((ROUTER, 0))
        body = struct.pack("!HH", 0x4E42, 1) + b"probe-probe-"
        header = struct.pack("!BBH", 8, 0, 0) + body
        total = sum(struct.unpack(f"!{len(header) // 2}H", header))
        total = (total & 0xFFFF) + (total >> 16)
        echo.sendto(struct.pack("!BBH", 8, 0, ~(total + (total >> 16)) & 0xFFFF) + body, (target, 0))
        waiting[sniff] = "ICMP"

        poller = select.poll()
        numbers = {one.fileno(): one for one in waiting}
        for one, what in waiting.items():
            poller.register(one, select.POLLIN | (select.POLLOUT if what.startswith("TCP") else 0))
        end = time.monotonic() + patience
        while (left := end - time.monotonic()) > 0:
            for number, events in poller.poll(left * 1000):
                one = numbers[number]
                if waiting[one] == "ICMP":
                    packet, sender = one.recvfrom(2048)
                    if packet[20] != 8:
                        answers.append(f"ICMP type {packet[20]} from {sender[0]}")
                    continue
                if waiting[one] == "ARP":
                    frame = one.recv(128)
                    if frame[20:22] == b"\0\2" and frame[28:32] == socket.inet_aton(target):
                        answers.append("ARP: an answer")
                    continue
                error = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                answers.append(f"{waiting[one]}: {os.strerror(error) if error else 'an answer'}")
                poller.unregister(one)
        for one in (*waiting, echo):
            one.close()
        run("ip", "-n", "internet", "route", "del", f"{target}/32")
        return answers
