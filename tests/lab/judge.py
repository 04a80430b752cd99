# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges a capture of the uplink: what the HeNB sends may be what it needs to reach the SeGW, and nothing inner.

Allowed: ARP, neighbour and router discovery, MLD, DHCP, NTP, DNS to the public resolvers for the names on a list, IKE
and ESP (bare and in UDP) with the SeGWs, ICMP errors without inner addresses, endpoints that the caller declares.
Everything else is an objection, and so is an inner address or a private name anywhere in clear.
"""

import ipaddress
import struct
from dataclasses import dataclass, field

ETHERTYPE_IPV4, ETHERTYPE_ARP, ETHERTYPE_IPV6 = 0x0800, 0x0806, 0x86DD
ICMP, TCP, UDP, ESP, ICMPV6, SCTP = 1, 6, 17, 50, 58, 132
PROTOCOLS = {ICMP: "ICMP", TCP: "TCP", UDP: "UDP", ESP: "ESP", ICMPV6: "ICMPv6", SCTP: "SCTP"}
ICMP_ERRORS = {3, 11, 12}
ICMPV6_ERRORS = {1, 2, 3, 4}
ICMPV6_LOCAL = {131, 132, 133, 135, 136, 143}  # MLD reports and done, RS, NS, NA, MLDv2 report
HOP_BY_HOP, FRAGMENT = 0, 44
IKE_SA_INIT, IKE_AUTH, CREATE_CHILD_SA, INFORMATIONAL = 34, 35, 36, 37
PAYLOAD_SK, PAYLOAD_SKF = 46, 53


class Broken(Exception):
    """A packet or capture that cannot be read."""


@dataclass
class Rules:
    mac: str  # the HeNB's: frames from it are judged, others are not
    inner: list  # networks that live inside the tunnel
    segws: list  # addresses IKE and ESP may go to
    resolvers: list  # public DNS servers
    names: list  # what may be asked there
    private_names: list = field(default_factory=list)  # must be visible nowhere
    hosts: list = field(default_factory=list)  # inner addresses in use: their bytes must be visible nowhere
    outer: list = field(default_factory=list)  # addresses of the uplink, though an inner network has them too
    extra: list = field(default_factory=list)  # (protocol number, address, port or None) the scenario declares


@dataclass
class Verdict:
    judged: int = 0  # packets the HeNB sent
    seen: dict = field(default_factory=dict)  # kind -> number of packets
    size: int = 0  # bytes of all these packets, from Ethernet on
    packets: list = field(default_factory=list)  # (time, kind, where to) of each, in order
    objections: list = field(default_factory=list)


def read_pcap(data):
    """(time, bytes) of each packet of a pcap file of Ethernet frames."""
    if len(data) < 24:
        raise Broken("no pcap header")
    order, unit = {
        b"\xd4\xc3\xb2\xa1": ("<", 1e-6), b"\xa1\xb2\xc3\xd4": (">", 1e-6),
        b"\x4d\x3c\xb2\xa1": ("<", 1e-9), b"\xa1\xb2\x3c\x4d": (">", 1e-9),
    }.get(data[:4], (None, None))
    if order is None:
        raise Broken("not a pcap file")
    if struct.unpack(order + "I", data[20:24])[0] & 0xFFFF != 1:
        raise Broken("not a capture of Ethernet frames")
    offset = 24
    while offset < len(data):
        if offset + 16 > len(data):
            raise Broken("cut in a record header")
        seconds, fraction, kept, length = struct.unpack_from(order + "IIII", data, offset)
        offset += 16
        if offset + kept > len(data):
            raise Broken("cut in a packet")
        if kept < length:
            raise Broken("packets were captured in part")
        yield seconds + fraction * unit, data[offset:offset + kept]
        offset += kept


def need(data, length, what):
    if len(data) < length:
        raise Broken(f"{what} cut short")


def dns_question(data):
    """(name, type) of a DNS message's only question."""
    need(data, 12, "DNS header")
    _, flags, questions = struct.unpack_from("!HHH", data)
    if flags & 0x8000:
        raise Broken("a DNS answer")
    if questions != 1:
        raise Broken(f"{questions} DNS questions")
    labels, offset = [], 12
    while True:
        need(data, offset + 1, "DNS name")
        length = data[offset]
        offset += 1
        if length == 0:
            break
        if length > 63:
            raise Broken("compressed DNS question")
        need(data, offset + length, "DNS name")
        labels.append(data[offset:offset + length].decode("latin-1").lower())
        offset += length
    need(data, offset + 4, "DNS question")
    return ".".join(labels), struct.unpack_from("!H", data, offset)[0]


def destination_of(frame):
    """Where a packet goes; None if it is not IP."""
    ethertype = frame[12:14]
    if ethertype == b"\x08\x00" and len(frame) >= 34:
        return str(ipaddress.ip_address(frame[30:34]))
    if ethertype == b"\x86\xdd" and len(frame) >= 54:
        return str(ipaddress.ip_address(frame[38:54]))
    return None


class Judge:
    def __init__(self, rules):
        self.rules = rules
        self.mac = bytes.fromhex(rules.mac.replace(":", ""))
        self.hosts = {ipaddress.ip_address(address) for address in rules.hosts}
        self.outer = {ipaddress.ip_address(address) for address in rules.outer}
        self.inner = [ipaddress.ip_network(network) for network in rules.inner]
        self.segws = {ipaddress.ip_address(address) for address in rules.segws}
        self.resolvers = {ipaddress.ip_address(address) for address in rules.resolvers}
        self.names = {name.lower().rstrip(".") for name in rules.names}
        self.extra = {(protocol, ipaddress.ip_address(address), port) for protocol, address, port in rules.extra}
        self.fragments = set()  # (source, destination, protocol, identification) whose first fragment was allowed

    def judge(self, data):
        verdict = Verdict()
        for number, (when, frame) in enumerate(read_pcap(data), 1):
            if len(frame) < 14 or frame[6:12] != self.mac:
                continue
            verdict.judged += 1
            try:
                kind, objection = self.frame(frame)
            except Broken as broken:
                kind, objection = "broken", f"unreadable: {broken}"
            verdict.seen[kind] = verdict.seen.get(kind, 0) + 1
            verdict.size += len(frame)
            verdict.packets.append((when, kind, destination_of(frame)))
            if objection:
                verdict.objections.append(f"packet {number} at {when:.6f}: {objection} [{frame[:64].hex()}]")
        return verdict

    def is_inner(self, address):
        return address not in self.outer and any(
            address in network for network in self.inner if network.version == address.version)

    def clear_text(self, data):
        """An inner address or a private name written in *data*, in bytes or letters."""
        lower = data.lower()
        for name in self.rules.private_names:
            encoded = b"".join(bytes([len(label)]) + label.encode() for label in name.lower().split("."))
            if name.lower().encode() in lower or encoded in lower:
                return f"shows the private name {name}"
        for address in self.hosts:
            if address.packed in data:
                return f"shows the inner address {address}"
        for network in self.inner:
            packed = network.network_address.packed[:network.prefixlen // 8]
            if network.version == 4 and ".".join(str(byte) for byte in packed).encode() + b"." in data:
                return f"shows an address of {network} in letters"
        return None

    def quoted(self, data):
        """What an ICMP error says about the packet it quotes."""
        if data[:1] and data[0] >> 4 == 4 and len(data) >= 20:
            addresses = data[12:16], data[16:20]
        elif data[:1] and data[0] >> 4 == 6 and len(data) >= 40:
            addresses = data[8:24], data[24:40]
        else:
            return "quotes no packet"
        for address in map(ipaddress.ip_address, addresses):
            if self.is_inner(address):
                return f"quotes the inner address {address}"
        return self.clear_text(data)

    def frame(self, frame):
        ethertype = struct.unpack_from("!H", frame, 12)[0]
        payload = frame[14:]
        if ethertype == ETHERTYPE_ARP:
            return "ARP", self.arp(payload)
        if ethertype == ETHERTYPE_IPV4:
            return self.ipv4(payload)
        if ethertype == ETHERTYPE_IPV6:
            return self.ipv6(payload)
        return "other", f"ethertype {ethertype:#06x}"

    def arp(self, data):
        need(data, 28, "ARP")
        for address in (ipaddress.ip_address(data[14:18]), ipaddress.ip_address(data[24:28])):
            if self.is_inner(address):
                return f"ARP about the inner address {address}"
        return None

    def ipv4(self, data):
        need(data, 20, "IPv4 header")
        header = (data[0] & 15) * 4
        total, identification, fragment = struct.unpack_from("!HHH", data, 2)
        if data[0] >> 4 != 4 or header < 20 or total < header:
            raise Broken("IPv4 header")
        need(data, total, "IPv4 packet")
        source, destination = ipaddress.ip_address(data[12:16]), ipaddress.ip_address(data[16:20])
        return self.packet(source, destination, data[9], data[header:total], (fragment & 0x1FFF) * 8,
                           bool(fragment & 0x2000), identification)

    def ipv6(self, data):
        need(data, 40, "IPv6 header")
        length, protocol = struct.unpack_from("!HB", data, 4)
        need(data, 40 + length, "IPv6 packet")
        source, destination = ipaddress.ip_address(data[8:24]), ipaddress.ip_address(data[24:40])
        payload = data[40:40 + length]
        offset, more, identification = 0, False, 0
        while protocol in (HOP_BY_HOP, FRAGMENT):
            need(payload, 8, "IPv6 extension header")
            if protocol == FRAGMENT:
                position, identification = struct.unpack_from("!HI", payload, 2)
                offset, more = position & 0xFFF8, bool(position & 1)
            size = 8 if protocol == FRAGMENT else (payload[1] + 1) * 8
            protocol = payload[0]
            need(payload, size, "IPv6 extension header")
            payload = payload[size:]
            if offset:
                break
        return self.packet(source, destination, protocol, payload, offset, more, identification)

    def packet(self, source, destination, protocol, payload, offset, more, identification):
        name = PROTOCOLS.get(protocol, f"protocol {protocol}")
        for address, role in ((source, "from"), (destination, "to")):
            if self.is_inner(address):
                return "inner", f"{name} {source} -> {destination}, {role} an inner address, in clear"
        flow = (source, destination, protocol, identification)
        if offset:
            return "fragment", None if flow in self.fragments else f"stray fragment {name} {source} -> {destination}"
        handler = {ICMP: self.icmp, ICMPV6: self.icmpv6, UDP: self.udp, ESP: self.esp}.get(protocol, self.other)
        kind, objection = handler(source, destination, protocol, payload)
        if objection:
            return kind, f"{name} {source} -> {destination}: {objection}"
        if more:
            self.fragments.add(flow)
        return kind, None

    def declared(self, protocol, address, port):
        return (protocol, address, port) in self.extra or (protocol, address, None) in self.extra

    def other(self, source, destination, protocol, payload):
        port = None
        if protocol in (TCP, SCTP):
            need(payload, 4, "ports")
            port = struct.unpack_from("!H", payload, 2)[0]
        if self.declared(protocol, destination, port):
            return "declared", self.clear_text(payload)
        return "other", f"not allowed (port {port})"

    def icmp(self, source, destination, protocol, payload):
        need(payload, 8, "ICMP")
        if payload[0] in ICMP_ERRORS:
            return "ICMP error", self.quoted(payload[8:])
        if self.declared(protocol, destination, None):
            return "declared", self.clear_text(payload)
        return "ICMP", f"type {payload[0]} not allowed"

    def icmpv6(self, source, destination, protocol, payload):
        need(payload, 4, "ICMPv6")
        if payload[0] in ICMPV6_LOCAL:
            target = ipaddress.ip_address(payload[8:24]) if payload[0] in (135, 136) and len(payload) >= 24 else None
            if target is not None and self.is_inner(target):
                return "IPv6 neighbours", f"about the inner address {target}"
            return "IPv6 neighbours", self.clear_text(payload)
        if payload[0] in ICMPV6_ERRORS:
            return "ICMP error", self.quoted(payload[8:])
        if self.declared(protocol, destination, None):
            return "declared", self.clear_text(payload)
        return "ICMPv6", f"type {payload[0]} not allowed"

    def esp(self, source, destination, protocol, payload):
        need(payload, 8, "ESP")
        if destination not in self.segws:
            return "ESP", "not to a SeGW"
        return "ESP", None

    def udp(self, source, destination, protocol, payload):
        need(payload, 8, "UDP")
        sport, dport = struct.unpack_from("!HH", payload)
        body = payload[8:]
        if destination in self.segws and dport == 500:
            return "IKE", self.ike(body)
        if destination in self.segws and dport == 4500:
            if body == b"\xff":
                return "NAT keepalive", None
            need(body, 4, "UDP encapsulation")
            return ("IKE", self.ike(body[4:])) if body[:4] == bytes(4) else ("ESP in UDP", None)
        if destination in self.resolvers and dport == 53:
            return "DNS", self.dns(body)
        if (sport, dport) in ((68, 67), (546, 547)):
            return "DHCP", self.clear_text(body)
        if dport == 123:
            return "NTP", self.clear_text(body)
        if self.declared(protocol, destination, dport):
            return "declared", self.clear_text(body)
        return "UDP", f"port {dport} not allowed"

    def dns(self, body):
        name, _ = dns_question(body)
        if name not in self.names:
            return f"asks the public DNS for {name}"
        return self.clear_text(body)

    def ike(self, body):
        need(body, 28, "IKE header")
        first, version, exchange = body[16], body[17], body[18]
        if version >> 4 != 2:
            return f"IKE version {version >> 4}"
        if exchange in (IKE_AUTH, CREATE_CHILD_SA):
            return None if first in (PAYLOAD_SK, PAYLOAD_SKF) else f"IKE exchange {exchange} in clear"
        if exchange not in (IKE_SA_INIT, INFORMATIONAL):
            return f"IKE exchange {exchange}"
        return None if first in (PAYLOAD_SK, PAYLOAD_SKF) else self.clear_text(body)


def judge_file(path, rules):
    with open(path, "rb") as file:
        return Judge(rules).judge(file.read())
