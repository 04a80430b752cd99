#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's AuC: AES against FIPS 197, Milenage against TS 35.208, and what it answers hostapd."""

import tempfile
import unittest
from pathlib import Path

from auc import SQN_STEP, Auc, Milenage, Subscribers, aes_encrypt, xor

# TS 35.208 4.3, test sets 1 to 6: K, RAND, SQN, AMF, OP, OPc, f1, f1*, f2, f5, f3, f4, f5*
SETS = [line.split() for line in (Path(__file__).parent.parent / "data/eap/milenage.txt").read_text().splitlines()
        if line and line[0] != "#"]
IMSI = "001010123456789"


class Functions(unittest.TestCase):
    def test_aes(self):
        """FIPS 197 appendix B and C.1."""
        for key, plain, cipher in (
                ("2b7e151628aed2a6abf7158809cf4f3c", "3243f6a8885a308d313198a2e0370734", "3925841d02dc09fbdc118597196a0b32"),
                ("000102030405060708090a0b0c0d0e0f", "00112233445566778899aabbccddeeff", "69c4e0d86a7b0430d8cdb78070b4c55a")):
            self.assertEqual(aes_encrypt(bytes.fromhex(key), bytes.fromhex(plain)).hex(), cipher)

    def test_milenage(self):
        self.assertEqual(len(SETS), 6)
        for row in SETS:
            k, rand, sqn, amf, op, opc = (bytes.fromhex(part) for part in row[:6])
            self.assertEqual(Milenage.opc_of(k, op), opc)
            m = Milenage(k, opc)
            found = [*m.f1(rand, sqn, amf), m.f2(rand), m.f5(rand), m.f3(rand), m.f4(rand), m.f5_resync(rand)]
            self.assertEqual([part.hex() for part in found], row[6:])


class Answers(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.file = Path(self.folder.name) / "subscribers"
        self.milenage = Milenage(bytes.fromhex(SETS[0][0]), bytes.fromhex(SETS[0][5]))

    def auc(self, sqn="000000001000", fault=""):
        self.file.write_text(f"# IMSI K OPc AMF SQN\n{IMSI} {SETS[0][0]} {SETS[0][5]} 8000 {sqn} {fault}\n")
        return Auc(Subscribers(self.file), random=lambda size: bytes.fromhex(SETS[0][1])[:size])

    def vector(self, auc):
        reply, _ = auc.answer(f"AKA-REQ-AUTH {IMSI}")
        self.assertTrue(reply.startswith(f"AKA-RESP-AUTH {IMSI} "))
        return [bytes.fromhex(part) for part in reply.split()[2:]]

    def sqn(self, rand, autn):
        return int.from_bytes(xor(autn[:6], self.milenage.f5(rand)), "big")

    def test_a_vector(self):
        auc = self.auc()
        rand, autn, ik, ck, res = self.vector(auc)
        self.assertEqual((rand.hex(), ik.hex(), ck.hex(), res.hex()), (SETS[0][1], SETS[0][11], SETS[0][10], SETS[0][8]))
        sqn = xor(autn[:6], self.milenage.f5(rand))
        self.assertEqual(int.from_bytes(sqn, "big"), 0x1000 + SQN_STEP)
        self.assertEqual(autn[8:], self.milenage.f1(rand, sqn, autn[6:8])[0])
        rand, autn, *_ = self.vector(auc)
        self.assertEqual(self.sqn(rand, autn), 0x1000 + 2 * SQN_STEP)

    def test_resynchronisation(self):
        auc = self.auc()
        rand, theirs = bytes.fromhex(SETS[0][1]), bytes.fromhex("000000abc025")
        auts = xor(theirs, self.milenage.f5_resync(rand)) + self.milenage.f1(rand, theirs, bytes(2))[1]
        self.assertEqual(auc.answer(f"AKA-AUTS {IMSI} {auts.hex()} {rand.hex()}"), (None, f"AKA-AUTS {IMSI}: SQN {theirs.hex()}"))
        rand, autn, *_ = self.vector(auc)
        self.assertEqual(self.sqn(rand, autn), 0xabc025 + SQN_STEP)

    def test_a_forged_auts_changes_nothing(self):
        auc = self.auc()
        self.assertEqual(auc.answer(f"AKA-AUTS {IMSI} {'00' * 14} {SETS[0][1]}"), (None, f"AKA-AUTS {IMSI}: refused"))
        rand, autn, *_ = self.vector(auc)
        self.assertEqual(self.sqn(rand, autn), 0x1000 + SQN_STEP)

    def test_faults(self):
        rand, autn, *_ = self.vector(self.auc(fault="wrong-mac"))
        sqn = xor(autn[:6], self.milenage.f5(rand))
        self.assertNotEqual(autn[8:], self.milenage.f1(rand, sqn, autn[6:8])[0])
        auc = self.auc(fault="old-sqn")
        for _ in range(2):
            rand, autn, *_ = self.vector(auc)
            self.assertEqual(self.sqn(rand, autn), 1)

    def test_who_is_not_there(self):
        auc = self.auc()
        self.assertEqual(auc.answer("AKA-REQ-AUTH 999")[0], "AKA-RESP-AUTH 999 FAILURE")
        self.assertEqual(auc.answer("AKA-AUTS 999 00 00"), (None, "AKA-AUTS 999: refused"))
        self.assertIsNone(auc.answer("SIM-REQ-AUTH 999 3")[0])


if __name__ == "__main__":
    unittest.main()
