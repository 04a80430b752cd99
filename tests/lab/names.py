# SPDX-License-Identifier: GPL-3.0-or-later
"""DNS: unbounds that know nothing but what a scenario tells them, and a client."""

import re
import socket
import struct

import places
from machine import RUN, inside, wait_for


def dns_ask(namespace, server, name, kind=1, timeout=1.0):
    """Answers to one DNS question: (rcode, [address...]), or None when there is no answer."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    question = struct.pack("!HHHHHH", 0x4E42, 0x100, 1, 0, 0, 0) + labels + struct.pack("!HH", kind, 1)
    with inside(namespace):
        client = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
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
        if rtype in (1, 28):
            family = socket.AF_INET if rtype == 1 else socket.AF_INET6
            addresses.append(socket.inet_ntop(family, answer[offset:offset + length]))
        offset += length
    return rcode, addresses


class Names:
    def dns(self, name, namespace, addresses, names):
        """An unbound with what it knows: {name: [address...]}. "NAME TTL" is a name with a TTL of its own."""
        lines = ['local-data: "ready.test. A 127.0.0.1"']
        for host, values in names.items():
            host, _, ttl = host.partition(" ")
            for one in values:
                lines.append(f'local-data: "{host}. {ttl or 3600} {"AAAA" if ":" in one else "A"} {one}"')
        path = RUN / f"{name}.conf"
        path.write_text("\n".join([
            "server:", 'chroot: ""', 'username: ""', 'directory: "/run/lab"', 'pidfile: ""', "do-daemonize: no",
            "use-syslog: no", "verbosity: 1", "log-queries: yes", *(f"interface: {one}" for one in addresses),
            "access-control: 0.0.0.0/0 allow", "access-control: ::/0 allow", 'module-config: "iterator"',
            'local-zone: "." static', *lines, "remote-control:", "control-enable: no", ""]))
        self.spawn(name, namespace, "unbound", "-d", "-c", path)
        for address in addresses:
            wait_for(f"the DNS server {address}",
                     lambda: self.alive(name) and dns_ask(namespace, address, "ready.test", timeout=0.5))

    def dns_public(self, names):
        self.dns("dns-public", "internet", [places.PUBLIC_DNS, places.PUBLIC_DNS6], names)

    def dns_of(self, side, names):
        """The private DNS behind a side's gateway."""
        self.dns("dns-private" if side.network == "operator" else f"dns-{side.network}", side.network, [side.dns, side.dns6],
                 names)

    def dns_asked(self, name):
        """What an unbound of ours was asked by others than the lab: [(name, type)...] in order."""
        asked = re.findall(r"info: (\S+) (\S+)\. (A|AAAA) IN", self.log(name))
        return [(host, kind) for _, host, kind in asked if host != "ready.test"]
