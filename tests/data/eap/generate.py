#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Computes conversations of EAP-AKA, both sides of them, with Python's hashlib and the Milenage of lab/auc.py: known
answers that owe nothing to the agent's own code. RFC 4187 has none. usage: generate.py >conversations.txt

"> BYTES" is what the server sends, "< BYTES" what the peer must answer; "= TEXT" how it ends; other lines are names
and values."""

import hashlib
import hmac
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lab"))
from auc import Milenage, aes_encrypt, xor  # noqa: E402

IMSI = "234150123456789"
IDENTITY = f"0{IMSI}@wlan.mnc015.mcc234.3gppnetwork.org".encode()
K = bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc")
OPC = bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf")
AMF = bytes.fromhex("8000")
MILENAGE = Milenage(K, OPC)
CHALLENGE, SYNC_FAILURE, IDENTITY_TYPE, NOTIFICATION = 1, 4, 5, 12


def sha1_compress(block):
    """FIPS 180 6.1.2, one block from the initial state, no padding."""
    rol = lambda x, n: (x << n | x >> 32 - n) & 0xffffffff
    start = (0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0)
    w = list(struct.unpack(">16I", block))
    for i in range(16, 80):
        w.append(rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1))
    a, b, c, d, e = start
    for i in range(80):
        f, k = ((b & c | ~b & d, 0x5a827999), (b ^ c ^ d, 0x6ed9eba1), (b & c | b & d | c & d, 0x8f1bbcdc),
                (b ^ c ^ d, 0xca62c1d6))[i // 20]
        a, b, c, d, e = (rol(a, 5) + (f & 0xffffffff) + e + k + w[i]) & 0xffffffff, a, rol(b, 30), c, d
    return struct.pack(">5I", *((x + y) & 0xffffffff for x, y in zip(start, (a, b, c, d, e))))


def fips186(key, size):
    """FIPS 186-2 appendix 3.1 with change notice 1, G of SHA-1, no mod q, no seed."""
    x, out = int.from_bytes(key, "big"), b""
    while len(out) < size:
        w = sha1_compress(x.to_bytes(20, "big") + bytes(44))
        x = (1 + x + int.from_bytes(w, "big")) % (1 << 160)
        out += w
    return out[:size]


def packet(code, identifier, body):
    return struct.pack(">BBH", code, identifier, 4 + len(body)) + body


def attribute(number, value):
    value += bytes(-(2 + len(value)) % 4)
    return bytes([number, (2 + len(value)) // 4]) + value


def aka(code, identifier, subtype, *attributes):
    return packet(code, identifier, bytes([23, subtype, 0, 0]) + b"".join(attributes))


def with_mac(key, message):
    """AT_MAC is the last attribute and still zero."""
    return message[:-16] + hmac.new(key, message, "sha1").digest()[:16]


def cbc_encrypt(key, iv, plain):
    out = b""
    for i in range(0, len(plain), 16):
        iv = aes_encrypt(key, xor(plain[i:i + 16], iv))
        out += iv
    return out


class Vector:
    def __init__(self, rand, sqn):
        self.rand, self.autn = rand, MILENAGE.autn(rand, sqn.to_bytes(6, "big"), AMF)
        self.res, ck, ik = MILENAGE.f2(rand), MILENAGE.f3(rand), MILENAGE.f4(rand)
        material = fips186(hashlib.sha1(IDENTITY + ik + ck).digest(), 160)
        self.k_encr, self.k_aut, self.msk, self.emsk = material[:16], material[16:32], material[32:96], material[96:]

    def auts(self, sqn):
        sqn = sqn.to_bytes(6, "big")
        return xor(sqn, MILENAGE.f5_resync(self.rand)) + MILENAGE.f1(self.rand, sqn, bytes(2))[1]


MAC = attribute(11, bytes(18))
RESULT_IND = attribute(135, bytes(2))


def challenge(identifier, vector, *more):
    return with_mac(vector.k_aut, aka(1, identifier, CHALLENGE, attribute(1, bytes(2) + vector.rand),
                                      attribute(2, bytes(2) + vector.autn), *more, MAC))


def answer(identifier, vector, *more):
    return with_mac(vector.k_aut, aka(2, identifier, CHALLENGE,
                                      attribute(3, struct.pack(">H", 8 * len(vector.res)) + vector.res), *more, MAC))


def show(name, sqn, lines):
    print(f"\nconversation {name}\nsqn {sqn:012x}")
    for kind, value in lines:
        print(kind, value if isinstance(value, str) else value.hex())


def ends(vector):
    return [("=", "success"), ("k_encr", vector.k_encr), ("k_aut", vector.k_aut), ("msk", vector.msk), ("emsk", vector.emsk)]


def short():
    v = Vector(bytes.fromhex("23553cbe9637a89d218ae64dae47bf35"), 0x20)
    show("short", 0, [(">", challenge(7, v)), ("<", answer(7, v)), (">", packet(3, 7, b"")), *ends(v)])


def full():
    """All there is: EAP-Identity, three identities asked for, AT_CHECKCODE, AT_BIDDING, AT_ENCR_DATA, AT_RESULT_IND."""
    v = Vector(bytes.fromhex("c00d603103dcee52c4478119494202e8"), 0x12345678)
    lines = [(">", packet(1, 1, b"\1")), ("<", packet(2, 1, b"\1" + IDENTITY))]
    rounds = b""
    for identifier, asks in ((2, 13), (3, 17), (4, 10)):
        request = aka(1, identifier, IDENTITY_TYPE, attribute(asks, bytes(2)))
        response = aka(2, identifier, IDENTITY_TYPE, attribute(14, struct.pack(">H", len(IDENTITY)) + IDENTITY))
        lines += [(">", request), ("<", response)]
        rounds += request + response
    checkcode = attribute(134, bytes(2) + hashlib.sha1(rounds).digest())
    pseudonym = b"2pseudonym-of"
    hidden = attribute(132, struct.pack(">H", len(pseudonym)) + pseudonym)
    hidden += attribute(6, bytes(-len(hidden) % 16 - 2)) if len(hidden) % 16 else b""
    iv = bytes(range(16))
    more = (attribute(129, bytes(2) + iv), attribute(130, bytes(2) + cbc_encrypt(v.k_encr, iv, hidden)), checkcode,
            attribute(136, b"\x80\0"), RESULT_IND, attribute(200, b"\xff\xff"))
    notification = with_mac(v.k_aut, aka(1, 6, NOTIFICATION, attribute(12, struct.pack(">H", 32768)), MAC))
    show("full", 0, [*lines, (">", challenge(5, v, *more)), ("<", answer(5, v, checkcode, RESULT_IND)), (">", notification),
                     ("<", with_mac(v.k_aut, aka(2, 6, NOTIFICATION, MAC))), (">", packet(3, 6, b"")), *ends(v)])


def resynchronised():
    old, sqn = Vector(bytes.fromhex("9f7c8d021accf4db213ccff0c7f71a6a"), 0x40), 0xabcde0
    v = Vector(bytes.fromhex("ce83dbc54ac0274a157c17f80d017bd6"), sqn + 0x20)
    empty = attribute(134, bytes(2))
    show("resynchronised", sqn, [
        (">", challenge(0xfe, old)), ("<", aka(2, 0xfe, SYNC_FAILURE, attribute(4, old.auts(sqn)))),
        (">", challenge(0xff, v, empty)), ("<", answer(0xff, v, empty)), (">", packet(3, 0xff, b"")), *ends(v)])


if __name__ == "__main__":
    print("# Made by generate.py.")
    print(f"imsi {IMSI}\nidentity {IDENTITY.decode()}\nk {K.hex()}\nopc {OPC.hex()}")
    short()
    full()
    resynchronised()
    # The example of FIPS 186-2's PRF that is published with the change notice.
    assert fips186(bytes.fromhex("bd029bbe7f51960bcf9edb2b61f06f0feb5a38b6"), 40).hex() == (
        "2070b3223dba372fde1c0ffc7b2e3b498b2606143c6c18bacb0f6c55babb13788e20d737a3275116")
