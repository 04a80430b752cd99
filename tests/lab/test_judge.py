#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the capture's judge on packets made here: each allowed kind passes, each leak is found."""

import dataclasses
import ipaddress
import struct
import unittest

import judge

HENB_MAC, ROUTER_MAC = bytes.fromhex("020000000010"), bytes.fromhex("020000000001")
HENB, ROUTER, DNS, SEGW, INNER, HEMS = "192.0.2.10", "192.0.2.1", "192.0.2.53", "203.0.113.1", "10.1.0.1", "10.0.0.10"
RULES = judge.Rules(
    mac="02:00:00:00:00:10", inner=["10.0.0.0/24", "10.1.0.0/24", "fd00:1::/64"], segws=[SEGW, "2001:db8:1::1"],
    resolvers=[DNS], names=["segw.operator.example"], private_names=["hems.operator.example"],
    hosts=[INNER, HEMS], extra=[(judge.UDP, ROUTER, 4000)])


def packed(address):
    return ipaddress.ip_address(address).packed


def ether(kind, payload, source=HENB_MAC):
    return ROUTER_MAC + source + struct.pack("!H", kind) + payload


def ipv4(source, destination, protocol, payload, fragment=0, identification=1, source_mac=HENB_MAC):
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), identification, fragment, 64, protocol, 0)
    return ether(0x0800, header + packed(source) + packed(destination) + payload, source_mac)


def ipv6(source, destination, protocol, payload):
    header = struct.pack("!IHBB", 6 << 28, len(payload), protocol, 255)
    return ether(0x86DD, header + packed(source) + packed(destination) + payload)


def udp(sport, dport, body):
    return struct.pack("!HHHH", sport, dport, 8 + len(body), 0) + body


def question(name, kind=1):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    return struct.pack("!HHHHHH", 1, 0x100, 1, 0, 0, 0) + labels + struct.pack("!HH", kind, 1)


def ike(exchange, first, body=b"", version=0x20):
    return bytes(8) + bytes(8) + bytes([first, version, exchange, 8]) + struct.pack("!II", 0, 28 + len(body)) + body


def arp(sender, target):
    return ether(0x0806, struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + HENB_MAC + packed(sender) + bytes(6) + packed(target))


def pcap(*frames):
    data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for number, frame in enumerate(frames):
        data += struct.pack("<IIII", 1000 + number, 0, len(frame), len(frame)) + frame
    return data


def verdict(*frames):
    return judge.Judge(RULES).judge(pcap(*frames))


class Allowed(unittest.TestCase):
    def allowed(self, kind, *frames):
        result = verdict(*frames)
        self.assertEqual(result.objections, [])
        self.assertEqual(result.judged, len(frames))
        self.assertIn(kind, result.seen)

    def test_arp(self):
        self.allowed("ARP", arp(HENB, ROUTER))

    def test_neighbours(self):
        self.allowed("IPv6 neighbours", ipv6("fe80::1", "ff02::2", 58, bytes([133, 0, 0, 0]) + bytes(4)))

    def test_mld_behind_hop_by_hop(self):
        self.allowed("IPv6 neighbours", ipv6("fe80::1", "ff02::16", 0, bytes([58, 0, 5, 2, 0, 0, 1, 0, 143, 0]) + bytes(6)))

    def test_dns_id_like_an_inner_network(self):
        self.allowed("DNS", ipv4(HENB, DNS, 17, udp(4711, 53, b"\x10\x0a" + question("segw.operator.example")[2:])))

    def test_dns(self):
        self.allowed("DNS", ipv4(HENB, DNS, 17, udp(4711, 53, question("SeGW.operator.example", 28))))

    def test_ike(self):
        self.allowed("IKE", ipv4(HENB, SEGW, 17, udp(500, 500, ike(34, 33, bytes(100)))),
                     ipv4(HENB, SEGW, 17, udp(4500, 4500, bytes(4) + ike(35, 46, bytes(100)))))

    def test_ike_version_6(self):
        self.allowed("IKE", ipv6("2001:db8::10", "2001:db8:1::1", 17, udp(500, 500, ike(34, 33))))

    def test_esp(self):
        self.allowed("ESP", ipv4(HENB, SEGW, 50, b"\0\0\1\1" + bytes(60)))

    def test_esp_may_look_like_anything(self):
        self.allowed("ESP", ipv4(HENB, SEGW, 50, b"\0\0\1\1" + packed(INNER) + b"hems.operator.example"))

    def test_esp_in_udp_and_keepalive(self):
        self.allowed("ESP in UDP", ipv4(HENB, SEGW, 17, udp(4500, 4500, b"\0\0\1\1" + bytes(60))),
                     ipv4(HENB, SEGW, 17, udp(4500, 4500, b"\xff")))

    def test_dhcp_and_ntp(self):
        self.allowed("DHCP", ipv4("0.0.0.0", "255.255.255.255", 17, udp(68, 67, bytes(240))),
                     ipv4(HENB, "192.0.2.123", 17, udp(123, 123, bytes(48))))

    def test_icmp_error(self):
        embedded = ipv4(ROUTER, HENB, 17, udp(1, 2, b""))[14:]
        self.allowed("ICMP error", ipv4(HENB, ROUTER, 1, bytes([3, 3, 0, 0]) + bytes(4) + embedded))

    def test_fragments_of_ike(self):
        self.allowed("fragment", ipv4(HENB, SEGW, 17, udp(500, 500, ike(35, 46, bytes(1400))), fragment=0x2000, identification=9),
                     ipv4(HENB, SEGW, 17, bytes(200), fragment=180, identification=9))

    def test_uplink_in_an_inner_network(self):
        rules = dataclasses.replace(RULES, outer=["10.0.0.99", "10.0.0.1"])
        packet = udp(500, 500, ike(34, 33, bytes(100)))
        for target, objections in (("10.0.0.1", 0), ("10.0.0.10", 1)):
            frames = arp("10.0.0.99", target), ipv4("10.0.0.99", SEGW, 17, packet)
            result = judge.Judge(rules).judge(pcap(*frames))
            self.assertEqual(len(result.objections), objections, result.objections)
        self.assertEqual([(kind, where) for _, kind, where in result.packets], [("ARP", None), ("IKE", SEGW)])
        self.assertEqual(result.size, sum(map(len, frames)))

    def test_declared(self):
        self.allowed("declared", ipv4(HENB, ROUTER, 17, udp(500, 4000, b"hello")))

    def test_others_are_not_judged(self):
        result = verdict(ipv4(HEMS, INNER, 6, bytes(20), source_mac=ROUTER_MAC))
        self.assertEqual((result.judged, result.objections), (0, []))


class Refused(unittest.TestCase):
    def refused(self, words, *frames):
        result = verdict(arp(HENB, ROUTER), *frames)
        self.assertEqual(len(result.objections), 1, result.objections)
        self.assertIn(words, result.objections[0])
        self.assertIn("packet 2", result.objections[0])

    def test_inner_source(self):
        self.refused("from an inner address", ipv4(INNER, ROUTER, 1, bytes([0, 0, 0, 0]) + bytes(20)))

    def test_inner_destination(self):
        self.refused("to an inner address", ipv4(HENB, HEMS, 6, struct.pack("!HH", 4000, 7547) + bytes(16)))

    def test_inner_reset(self):
        self.refused("from an inner address", ipv4(INNER, ROUTER, 6, bytes(20)))

    def test_inner_version_6(self):
        self.refused("from an inner address", ipv6("fd00:1::5", "2001:db8:1::1", 50, bytes(60)))

    def test_inner_esp(self):
        self.refused("from an inner address", ipv4(INNER, SEGW, 50, bytes(60)))

    def test_arp_for_inner(self):
        self.refused("ARP about the inner address 10.0.0.10", arp(HENB, HEMS))

    def test_arp_of_inner(self):
        self.refused("ARP about the inner address 10.1.0.1", arp(INNER, ROUTER))

    def test_neighbour_of_inner(self):
        self.refused("about the inner address", ipv6("fe80::1", "ff02::1", 58, bytes([135, 0, 0, 0]) + bytes(4) + packed("fd00:1::5")))

    def test_private_name(self):
        self.refused("hems.operator.example", ipv4(HENB, DNS, 17, udp(4711, 53, question("hems.operator.example"))))

    def test_search_list(self):
        self.refused("asks the public DNS", ipv4(HENB, DNS, 17, udp(4711, 53, question("segw.operator.example.lan"))))

    def test_other_resolver(self):
        self.refused("port 53 not allowed", ipv4(HENB, "192.0.2.54", 17, udp(4711, 53, question("segw.operator.example"))))

    def test_dns_over_tcp(self):
        self.refused("not allowed", ipv4(HENB, DNS, 6, struct.pack("!HH", 4711, 53) + bytes(16)))

    def test_http_in_clear(self):
        self.refused("not allowed (port 7547)", ipv4(HENB, "203.0.113.9", 6, struct.pack("!HH", 4711, 7547) + bytes(16)))

    def test_esp_elsewhere(self):
        self.refused("not to a SeGW", ipv4(HENB, ROUTER, 50, bytes(60)))

    def test_ike_elsewhere(self):
        self.refused("port 500 not allowed", ipv4(HENB, ROUTER, 17, udp(500, 500, ike(34, 33))))

    def test_ike_auth_in_clear(self):
        self.refused("in clear", ipv4(HENB, SEGW, 17, udp(4500, 4500, bytes(4) + ike(35, 35, bytes(50)))))

    def test_ike_version_1(self):
        self.refused("IKE version 1", ipv4(HENB, SEGW, 17, udp(500, 500, ike(34, 33, version=0x10))))

    def test_icmp_error_with_inner(self):
        embedded = ipv4(ROUTER, INNER, 17, udp(1, 2, b""))[14:]
        self.refused("quotes the inner address 10.1.0.1", ipv4(HENB, ROUTER, 1, bytes([3, 3, 0, 0]) + bytes(4) + embedded))

    def test_inner_in_bytes(self):
        self.refused("shows the inner address 10.0.0.10", ipv4(HENB, SEGW, 17, udp(500, 500, ike(34, 33, packed(HEMS)))))

    def test_echo_reply(self):
        self.refused("type 0 not allowed", ipv4(HENB, ROUTER, 1, bytes(16)))

    def test_inner_in_letters(self):
        self.refused("in letters", ipv4(HENB, ROUTER, 17, udp(500, 4000, b"http://10.0.0.10:7547/")))

    def test_stray_fragment(self):
        self.refused("stray fragment", ipv4(HENB, SEGW, 17, bytes(200), fragment=180, identification=10))

    def test_unknown_ethertype(self):
        self.refused("ethertype 0x88cc", ether(0x88CC, bytes(40)))

    def test_truncated(self):
        self.refused("unreadable", ether(0x0800, bytes(10)))

    def test_sctp(self):
        self.refused("not allowed (port 36412)", ipv4(HENB, "203.0.113.7", 132, struct.pack("!HH", 1, 36412) + bytes(8)))


class Captures(unittest.TestCase):
    def test_cut_file(self):
        with self.assertRaises(judge.Broken):
            judge.Judge(RULES).judge(pcap(arp(HENB, ROUTER))[:-1])

    def test_not_a_capture(self):
        with self.assertRaises(judge.Broken):
            judge.Judge(RULES).judge(bytes(100))


if __name__ == "__main__":
    unittest.main()
