# SPDX-License-Identifier: GPL-3.0-or-later
"""The box and its neighbours: what others see, send and keep; and what keeps the agent from starting."""

import re
import socket
import struct
import time
from pathlib import Path

import agent as henb
import judge
import places
from machine import expect, inside, run, wait_for
from scenario import scenario
from steps import down, killed, ping, properties, silent, trouble, up


@scenario("prober", "the inner address never answers outside: before, while registered, after stop, after a crash")
def prober(lab):
    silent(lab, "before the start")
    up(lab)
    silent(lab, "while registered")
    # With the source's rules tried as well: a spoofed inner peer.
    answers = spoofed(lab)
    expect(not answers, f"a packet in clear from {places.HEMS} to the inner address is answered: {answers}")
    down(lab)
    silent(lab, "after stop")
    lab.agent.start()
    lab.agent.registered()
    lab.agent.crash()
    silent(lab, "after a crash")


def spoofed(lab):
    """Echo requests in clear that claim to come from the HeMS; what of an answer the tunnel's far end saw."""
    with inside("operator"):
        ears = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    with inside("internet"):
        mouth = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        run("ip", "-n", "internet", "route", "replace", f"{places.INNER}/32", "via", places.HENB, "dev", "henb")
    ears.settimeout(2)
    echo = bytes.fromhex("0800f7fd00010001")
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 1, 0, 64, 1, 0, socket.inet_aton(places.HEMS),
                         socket.inet_aton(places.INNER))
    with ears, mouth:
        mouth.sendto(header + echo, (places.INNER, 0))
        try:
            return ears.recv(2048).hex()
        except TimeoutError:
            return None


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
          declared=[(judge.UDP, places.ROUTER, None)])
def ike_port_junk(lab):
    up(lab)
    before = lab.agent.pid(), len(lab.agent.watch.changes), set(henb.states())
    with inside("internet"):
        mouth = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    replay = []
    for _, frame in judge.read_pcap((lab.logs / "uplink.pcap").read_bytes()):
        if frame[12:14] == b"\x08\x00" and frame[23] == 17 and frame[26:30] == socket.inet_aton(places.SEGW):
            replay.append(frame[14:])
    expect(len(replay) >= 2, "the capture has no IKE from the SeGW to replay")
    spis = next(packet[28:44] for packet in reversed(replay) if packet[36:44] != bytes(8))
    with mouth:
        for port in (500, 4500):
            mark = bytes(4) if port == 4500 else b""
            for body in junk():
                for source in (places.SEGW, places.ROUTER):
                    mouth.sendto(udp_packet(source, port, places.HENB, port, mark + body), (places.HENB, 0))
                    if len(body) >= 28:  # and with the SPIs of the IKE SA, as far as a listener knows them
                        mouth.sendto(udp_packet(source, port, places.HENB, port, mark + spis + body[16:]), (places.HENB, 0))
        mouth.sendto(udp_packet(places.SEGW, 4500, places.HENB, 4500, b"\xff"), (places.HENB, 0))
        mouth.sendto(udp_packet(places.SEGW, 4500, places.HENB, 4500, b"\0\0\0\5" + bytes(60)), (places.HENB, 0))
        for packet in replay:
            mouth.sendto(packet, (places.HENB, 0))
    ping()
    ping(places.MME)
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
            henb.TUNNEL, places.INNER)
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
        (good.replace("[Serving]", "[Initial]"), "", r"agent\.conf:\d+\b.*HeMS.*Operator"),
        (re.sub(r"\[Serving\]\nSeGW=\S+\nHeMS=\S+", "[Initial]\nHeMS=http://hems.operator.example/", good), "",
         r"agent\.conf:\d+\b.*HeMS.*https"),
        (re.sub(r"\[Serving\]\n", "[Serving]\nSeGWIdentity=x.example\n", re.sub(r"SeGW=\S+\n", "", good)), "", r"SeGW"),
        ("", "", r"agent\.conf"),
    ]
    for text, extra, pattern in cases:
        main.write_text(text)
        drop_in.parent.mkdir(exist_ok=True)
        drop_in.write_text(extra)
        no_start(lab, 78, pattern)
    main.unlink()
    no_start(lab, 78, r"agent\.conf")
    trouble("henb-agent - not running")
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
