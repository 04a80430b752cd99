# SPDX-License-Identifier: GPL-3.0-or-later
"""Who watches the uplink: the capture, and a prober that asks an inner address for answers."""

import os
import re
import select
import signal
import socket
import struct
import time

from machine import Failure, inside, run, wait_for
from places import HENB, ROUTER


class Watchers:
    def capture(self, name="uplink", namespace="internet", link="henb"):
        """Records what goes over a link; by default the uplink's wire, seen from the router."""
        path = self.logs / f"{name}.pcap"
        self.spawn(f"capture-{name}", namespace, "tcpdump", "-i", link, "-n", "-U", "-s", "0", "-B", "8192", "-Z",
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
        self.batch("internet", f"route replace {target}/32 via {HENB} dev henb")
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
        return answers
