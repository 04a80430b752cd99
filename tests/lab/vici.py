# SPDX-License-Identifier: GPL-3.0-or-later
"""strongSwan's control interface (its plugin vici), spoken directly: each start of swanctl costs the emulated processor
as much as a tunnel does."""

import socket
import struct
import time

REQUEST, RESPONSE, UNKNOWN, REGISTER, _, CONFIRM, _, EVENT = range(8)
SECTION_START, SECTION_END, KEY_VALUE, LIST_START, LIST_ITEM, LIST_END = range(1, 7)
# What is a list in a configuration, where strongSwan's own files write commas.
LISTS = {"proposals", "esp_proposals", "ah_proposals", "local_addrs", "remote_addrs", "vips", "pools", "local_ts",
         "remote_ts", "dns", "groups"}


class ViciError(Exception):
    """charon said no."""


def _name(text):
    data = text.encode()
    return bytes([len(data)]) + data


def _value(value):
    data = value if isinstance(value, bytes) else str(value).encode()
    return struct.pack("!H", len(data)) + data


def encode(message):
    """Dictionaries are sections, lists are lists, what is left are values."""
    parts = []
    for key, value in message.items():
        if isinstance(value, dict):
            parts += [bytes([SECTION_START]), _name(key), encode(value), bytes([SECTION_END])]
        elif isinstance(value, (list, tuple)):
            parts += [bytes([LIST_START]), _name(key), *(bytes([LIST_ITEM]) + _value(one) for one in value),
                      bytes([LIST_END])]
        else:
            parts += [bytes([KEY_VALUE]), _name(key), _value(value)]
    return b"".join(parts)


def decode(data):
    top, offset, one = {}, 0, None
    stack = [top]

    def name():
        nonlocal offset
        length = data[offset]
        offset += 1 + length
        return data[offset - length:offset].decode()

    def value():
        nonlocal offset
        length = struct.unpack_from("!H", data, offset)[0]
        offset += 2 + length
        return data[offset - length:offset].decode(errors="replace")

    while offset < len(data):
        kind = data[offset]
        offset += 1
        if kind == SECTION_START:
            stack.append(stack[-1].setdefault(name(), {}))
        elif kind == SECTION_END:
            stack.pop()
        elif kind == KEY_VALUE:
            key = name()
            stack[-1][key] = value()
        elif kind == LIST_START:
            one = stack[-1].setdefault(name(), [])
        elif kind == LIST_ITEM:
            one.append(value())
    return top


def parse(text):
    """A configuration as swanctl.conf has it, one key or brace a line, as dictionaries."""
    top = {}
    stack = [top]
    for line in map(str.strip, text.splitlines()):
        if line.endswith("{"):
            stack.append(stack[-1].setdefault(line[:-1].strip(), {}))
        elif line == "}":
            stack.pop()
        elif line:
            key, _, value = (part.strip() for part in line.partition("="))
            stack[-1][key] = [one.strip() for one in value.split(",")] if key in LISTS else value
    return top


class Vici:
    def __init__(self, path, timeout=60):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        end = time.monotonic() + timeout
        while True:
            try:
                self.socket.connect(str(path))
                return
            except ConnectionRefusedError:  # bound already, and not listening yet
                if time.monotonic() >= end:
                    raise
                time.sleep(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.socket.close()

    def _send(self, kind, name, message=b""):
        packet = bytes([kind]) + _name(name) + message
        self.socket.sendall(struct.pack("!I", len(packet)) + packet)

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise ViciError("charon closed the connection")
            data += part
        return data

    def _receive(self):
        packet = self._exactly(struct.unpack("!I", self._exactly(4))[0])
        return packet[0], packet[1:]

    def request(self, command, message=None):
        """Has a command done; what it answers."""
        self._send(REQUEST, command, encode(message or {}))
        kind, data = self._receive()
        if kind != RESPONSE:
            raise ViciError(f"{command}: no such command")
        answer = decode(data)
        if answer.get("success", "yes") != "yes":
            raise ViciError(f"{command}: {answer.get('errmsg', answer)}")
        return answer

    def listed(self, command, event, message=None):
        """A command that answers by events: all of them. ViciError when it fails in the end."""
        self._send(REGISTER, event)
        if self._receive()[0] != CONFIRM:
            raise ViciError(f"{event}: no such event")
        self._send(REQUEST, command, encode(message or {}))
        events = []
        while True:
            kind, data = self._receive()
            if kind == RESPONSE:
                answer = decode(data)
                if answer.get("success", "yes") != "yes":
                    raise ViciError(f"{command}: {answer.get('errmsg', answer)}")
                return events
            if kind == EVENT:
                events.append(decode(data[1 + data[0]:]))
