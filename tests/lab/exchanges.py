# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts in captures what a registration costs: each question to a DNS, IKE request, TCP connection and HTTP request is
one round trip. A and AAAA of a name are asked together, and count once."""

import ipaddress
import struct
from collections import Counter

import judge

IKE_NAMES = {judge.IKE_SA_INIT: "IKE", judge.IKE_AUTH: "IKE", judge.CREATE_CHILD_SA: "other IKE",
             judge.INFORMATIONAL: "other IKE"}


def packets(data):
    """(time, source, destination, protocol, payload) of the unfragmented IPv4 packets of a capture."""
    for when, frame in judge.read_pcap(data):
        if frame[12:14] != b"\x08\x00" or len(frame) < 34:
            continue
        header, total = (frame[14] & 15) * 4, struct.unpack_from("!H", frame, 16)[0]
        yield (when, str(ipaddress.ip_address(frame[26:30])), str(ipaddress.ip_address(frame[30:34])), frame[23],
               frame[14 + header:14 + total])


def count(data, network, until):
    """What hosts of *network* asked for, in a capture, up to a moment: (Counter, how many were sent twice)."""
    network, seen, again, connections = ipaddress.ip_network(network), Counter(), 0, {}
    known = set()
    for when, source, destination, protocol, payload in packets(data):
        if when > until or ipaddress.ip_address(source) not in network:
            continue
        kind, what = None, None
        if protocol == judge.UDP:
            sport, dport = struct.unpack_from("!HH", payload)
            body = payload[8:]
            if dport == 53:
                name, question = judge.dns_question(body)
                if ("DNS", name, destination) in known and ("DNS", name, question) not in known:
                    known.add(("DNS", name, question))
                    continue
                known.add(("DNS", name, question))
                kind, what = "DNS", (name, destination)
            elif dport in (500, 4500):
                ike = body[4:] if dport == 4500 else body
                if (dport == 4500 and body[:4] != bytes(4)) or len(ike) < 28 or ike[19] & 0x20:
                    continue
                kind, what = IKE_NAMES.get(ike[18]), (ike[:8], ike[20:24], ike[18])
        elif protocol == judge.TCP:
            sport, dport, sequence = struct.unpack_from("!HHI", payload)
            flags, body = payload[13], payload[(payload[12] >> 4) * 4:]
            if flags & 2:
                kind, what = "TCP", (source, sport, destination)
            elif body and body[:5] == b"POST ":
                kind, what = "HTTP", (source, sport, sequence)
            elif body and dport == 443 and body[:1] == b"\x16" and (sport, destination) not in connections:
                connections[sport, destination] = True
                kind, what = "TLS", (source, sport)
        if kind is None:
            continue
        if (kind, *what) in known:
            again += 1
            continue
        known.add((kind, *what))
        seen[kind] += 1
    return seen, again
