#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HLR/AuC behind hostapd's EAP-AKA: the other end of the hosting party's USIM.

usage: auc.py SOCKET SUBSCRIBERS
SUBSCRIBERS is a file of lines  IMSI K OPc AMF SQN [FAULT]  (hexadecimal but for IMSI and FAULT), read again at each
request and written with the new SQN after it. FAULT: wrong-mac (AUTN's MAC is wrong), old-sqn (every SQN is one that
was there before, resynchronised or not). hostapd asks on a UNIX datagram socket (eap_sim_db=unix:SOCKET):

    AKA-REQ-AUTH IMSI            ->  AKA-RESP-AUTH IMSI RAND AUTN IK CK RES   or  AKA-RESP-AUTH IMSI FAILURE
    AKA-AUTS IMSI AUTS RAND      ->  nothing; the next SQN follows that of the USIM

Each request and what was made of it is a line on standard output. Milenage (TS 35.206) and AES-128 are here, without a
library; test_auc.py holds them against TS 35.208 and FIPS 197."""

import os
import socket
import sys
from pathlib import Path

SQN_STEP = 32  # TS 33.102 C.1.2: SEQ one up, IND the same


def _gf(a, b):
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = a << 1 ^ (0x11b if a & 0x80 else 0)
        b >>= 1
    return product


def _sbox():
    inverse = {0: 0}
    for a in range(1, 256):
        inverse[a] = next(b for b in range(1, 256) if _gf(a, b) == 1) if a not in inverse else inverse[a]
        inverse.setdefault(inverse[a], a)
    rotate = lambda x, n: (x << n | x >> 8 - n) & 0xff
    return bytes(x ^ rotate(x, 1) ^ rotate(x, 2) ^ rotate(x, 3) ^ rotate(x, 4) ^ 0x63
                 for x in (inverse[a] for a in range(256)))


SBOX = _sbox()
DOUBLE = bytes(_gf(a, 2) for a in range(256))


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def aes_encrypt(key, block):
    """One block of AES-128 (FIPS 197)."""
    words, power = [key[i:i + 4] for i in range(0, 16, 4)], 1
    for i in range(4, 44):
        word = words[-1]
        if i % 4 == 0:
            word = bytes(SBOX[b] for b in word[1:] + word[:1])
            word, power = bytes([word[0] ^ power]) + word[1:], DOUBLE[power]
        words.append(xor(words[-4], word))
    state = xor(block, b"".join(words[:4]))
    for turn in range(1, 11):
        state = [SBOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]  # SubBytes and ShiftRows
        if turn < 10:
            mixed = []
            for column in (state[i:i + 4] for i in range(0, 16, 4)):
                everything = column[0] ^ column[1] ^ column[2] ^ column[3]
                mixed += [column[i] ^ everything ^ DOUBLE[column[i] ^ column[(i + 1) % 4]] for i in range(4)]
            state = mixed
        state = xor(bytes(state), b"".join(words[4 * turn:4 * turn + 4]))
    return state


class Milenage:
    """f1 to f5*, TS 35.206 4.1."""

    def __init__(self, k, opc):
        self.k, self.opc = k, opc

    @staticmethod
    def opc_of(k, op):
        return xor(aes_encrypt(k, op), op)

    def _temp(self, rand):
        return aes_encrypt(self.k, xor(rand, self.opc))

    def _out(self, rand, rotation, constant):
        block = xor(self._temp(rand), self.opc)
        block = block[rotation:] + block[:rotation]
        return xor(aes_encrypt(self.k, block[:15] + bytes([block[15] ^ constant])), self.opc)

    def f1(self, rand, sqn, amf):
        """MAC-A, MAC-S (f1*)."""
        block = xor((sqn + amf) * 2, self.opc)
        out = xor(aes_encrypt(self.k, xor(self._temp(rand), block[8:] + block[:8])), self.opc)
        return out[:8], out[8:]

    def f2(self, rand):
        return self._out(rand, 0, 1)[8:]

    def f3(self, rand):
        return self._out(rand, 4, 2)

    def f4(self, rand):
        return self._out(rand, 8, 4)

    def f5(self, rand):
        return self._out(rand, 0, 1)[:6]

    def f5_resync(self, rand):
        return self._out(rand, 12, 8)[:6]

    def autn(self, rand, sqn, amf):
        return xor(sqn, self.f5(rand)) + amf + self.f1(rand, sqn, amf)[0]

    def sqn_of_auts(self, rand, auts):
        """The USIM's SQN, or None where AUTS is not genuine (TS 33.102 6.3.5)."""
        sqn = xor(auts[:6], self.f5_resync(rand))
        return sqn if self.f1(rand, sqn, bytes(2))[1] == auts[6:] else None


class Subscribers:
    def __init__(self, path):
        self.path = Path(path)

    def _rows(self):
        return [line.split() for line in self.path.read_text().splitlines() if line.strip() and line[0] != "#"]

    def find(self, imsi):
        return next((row for row in self._rows() if row[0] == imsi), None)

    def keep_sqn(self, imsi, sqn):
        rows = [row[:4] + [f"{sqn:012x}"] + row[5:] if row[0] == imsi else row for row in self._rows()]
        new = self.path.with_suffix(".new")
        new.write_text("".join(" ".join(row) + "\n" for row in rows))
        new.rename(self.path)


class Auc:
    def __init__(self, subscribers, random=os.urandom):
        self.subscribers, self.random = subscribers, random

    def _open(self, imsi):
        row = self.subscribers.find(imsi)
        if not row:
            return None
        k, opc, amf, sqn = (bytes.fromhex(part) for part in row[1:5])
        return Milenage(k, opc), amf, int.from_bytes(sqn, "big"), row[5] if len(row) > 5 else ""

    def vector(self, imsi):
        found = self._open(imsi)
        if not found:
            return f"AKA-RESP-AUTH {imsi} FAILURE"
        milenage, amf, sqn, fault = found
        rand = self.random(16)
        if fault != "old-sqn":
            sqn = (sqn + SQN_STEP) % (1 << 48)
            self.subscribers.keep_sqn(imsi, sqn)
        autn = milenage.autn(rand, (1 if fault == "old-sqn" else sqn).to_bytes(6, "big"), amf)
        if fault == "wrong-mac":
            autn = autn[:15] + bytes([autn[15] ^ 1])
        parts = (rand, autn, milenage.f4(rand), milenage.f3(rand), milenage.f2(rand))
        return f"AKA-RESP-AUTH {imsi} {' '.join(part.hex() for part in parts)}"

    def resynchronise(self, imsi, auts, rand):
        found = self._open(imsi)
        sqn = found and found[0].sqn_of_auts(bytes.fromhex(rand), bytes.fromhex(auts))
        if sqn is None:
            return "refused"
        if found[3] != "old-sqn":
            self.subscribers.keep_sqn(imsi, int.from_bytes(sqn, "big"))
        return f"SQN {sqn.hex()}"

    def answer(self, request):
        """(what to send back or None, the line for the log without keys)"""
        match request.split():
            case ["AKA-REQ-AUTH", imsi]:
                reply = self.vector(imsi)
                return reply, f"AKA-REQ-AUTH {imsi}: {'unknown' if reply.endswith('FAILURE') else 'vector'}"
            case ["AKA-AUTS", imsi, auts, rand]:
                return None, f"AKA-AUTS {imsi}: {self.resynchronise(imsi, auts, rand)}"
        return None, f"not understood: {request[:40]!r}"


def main(path, subscribers):
    auc = Auc(Subscribers(subscribers))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        Path(path).unlink(missing_ok=True)
        server.bind(path)
        print(f"listening on {path}", flush=True)
        while True:
            data, peer = server.recvfrom(4096)
            reply, line = auc.answer(data.decode(errors="replace"))
            print(line, flush=True)
            if reply and peer:
                server.sendto(reply.encode(), peer)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
