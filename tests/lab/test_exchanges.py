#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the counting of round trips, on packets made here."""

import struct
import unittest

import exchanges
from test_judge import DNS, HEMS, HENB, INNER, SEGW, ipv4, pcap, question, udp

HERE = f"{HENB}/32"


def ike(exchange, number, flags=0x08, spi=b"\1" * 8, port=500):
    body = spi + bytes(8) + bytes([33, 0x20, exchange, flags]) + struct.pack("!II", number, 28)
    return udp(port, port, (bytes(4) if port == 4500 else b"") + body)


def tcp(sport, dport, flags, body=b"", sequence=1):
    return struct.pack("!HHIIBBHHH", sport, dport, sequence, 0, 0x50, flags, 0, 0, 0) + body


class Counts(unittest.TestCase):
    def counted(self, network, *frames, until=2000):
        seen, again = exchanges.count(pcap(*frames), network, until)
        return dict(seen), again

    def test_both_families_of_a_name_are_one(self):
        frames = [ipv4(HENB, DNS, 17, udp(4000, 53, question("segw.operator.example", kind))) for kind in (1, 28)]
        self.assertEqual(self.counted(HERE, *frames), ({"DNS": 1}, 0))
        self.assertEqual(self.counted(HERE, *frames, frames[0]), ({"DNS": 1}, 1))

    def test_ike(self):
        frames = (ipv4(HENB, SEGW, 17, ike(34, 0)), ipv4(SEGW, HENB, 17, ike(34, 0, 0x20)),
                  ipv4(HENB, SEGW, 17, ike(35, 1, port=4500)), ipv4(HENB, SEGW, 17, ike(35, 1, port=4500)),
                  ipv4(HENB, SEGW, 17, udp(4500, 4500, b"\0\0\1\1" + bytes(60))), ipv4(HENB, SEGW, 17, ike(37, 2)))
        self.assertEqual(self.counted(HERE, *frames), ({"IKE": 2, "other IKE": 1}, 1))

    def test_session(self):
        post = b"POST / HTTP/1.1\r\n\r\n"
        frames = (ipv4(INNER, HEMS, 6, tcp(4000, 7547, 2)), ipv4(INNER, HEMS, 6, tcp(4000, 7547, 16)),
                  *(ipv4(INNER, HEMS, 6, tcp(4000, 7547, 24, post, number)) for number in (2, 30, 60)),
                  ipv4(HEMS, INNER, 6, tcp(7547, 4000, 24, b"HTTP/1.1 200 OK")))
        self.assertEqual(self.counted("10.1.0.0/24", *frames), ({"TCP": 1, "HTTP": 3}, 0))

    def test_tls(self):
        frames = (ipv4(HENB, "192.0.2.80", 6, tcp(4000, 443, 2)), ipv4(HENB, "192.0.2.80", 6, tcp(4000, 443, 24, b"\x16\3\1")),
                  ipv4(HENB, "192.0.2.80", 6, tcp(4000, 443, 24, b"\x16\3\3", 50)))
        self.assertEqual(self.counted(HERE, *frames), ({"TCP": 1, "TLS": 1}, 0))

    def test_until(self):
        self.assertEqual(self.counted(HERE, ipv4(HENB, SEGW, 17, ike(34, 0)), until=999), ({}, 0))


if __name__ == "__main__":
    unittest.main()
