#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of what keeps the agent from starting: its exit status, and that its line names file, line and key. And that
the factory data of each way in do not.

    test_start.py HENB-AGENTD
"""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

AGENT = sys.argv[1] if len(sys.argv) > 1 else ""
DATA = Path(os.environ.get("TEST_DATA", Path(__file__).parent / "data")) / "ike"
SECONDS = 30
CONFIG = """[Identity]
Manufacturer=Example
OUI=00A0BC
ProductClass=HeNB
SerialNumber=000001
[Serving]
SeGW=segw.operator.example
HeMS=hems.operator.example
[Trust]
CA={ca}
Certificate={certificate}
Key={key}
"""


class Start(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def run_agent(self, *options, more="", dropin="", **files):
        """Runs it with these files in place of the good ones; returns its exit status and what it said."""
        files = {"ca": "ca.pem", "certificate": "device-ecdsa.pem", "key": "device-ecdsa.key.pem", **files}
        self.config = self.folder + "/agent.conf"
        Path(self.config).write_text(CONFIG.format(**{key: DATA / name for key, name in files.items()}) + more)
        self.dropin = Path(self.config + ".d/50-way.conf")
        self.dropin.parent.mkdir(exist_ok=True)
        self.dropin.write_text(dropin)
        ended = subprocess.run([AGENT, "--config", self.config, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env={"STATE_DIRECTORY": self.folder}, text=True, timeout=SECONDS)
        return ended.returncode, ended.stdout

    def assert_refused(self, line, name, file, reason, **files):
        status, said = self.run_agent("--check", **files)
        self.assertEqual(status, 78, said)
        self.assertEqual(said.partition(reason)[:2], (f"<3>{self.config}:{line}: [Trust] {name}={DATA / file}: ", reason))

    def test_good(self):
        status, said = self.run_agent("--check")
        self.assertEqual((status, said), (0, f"{self.config}: ok, this box is henb-000001.operator.example\n"))

    def test_ways_in(self):
        """5.1.2.3 and 5.1.2.4, by names and by addresses, alone and beside the serving pair."""
        alone = "[Serving]\nSeGW=\nHeMS=\n"
        for initial in ("SeGW=segw0.operator.example\nHeMS=hems0.operator.example\n", "HeMS=hems0.operator.example\n",
                        "SeGW=2001:db8::1\nHeMS=https://10.0.0.1/\n", "HeMS=192.0.2.7\n"):
            for serving in ("", alone):
                with self.subTest(initial=initial, serving=serving):
                    status, said = self.run_agent("--check", dropin=f"{serving}[Identity]\nOperator=Tel\n[Initial]\n{initial}")
                    self.assertEqual((status, said), (0, f"{self.config}: ok, this box is henb-000001.operator.example\n"))

    def test_operator_is_not_known(self):
        status, said = self.run_agent("--check", dropin="[Initial]\nHeMS=hems0.operator.example\n")
        self.assertEqual((status, said), (78, f"<3>{self.dropin}:2: [Initial] HeMS=: [Identity] Operator= is needed with it\n"))
        status, said = self.run_agent("--check", dropin="[Serving]\nHeMS=192.0.2.7\n")
        self.assertEqual((status, said),
                         (78, f"<3>{self.dropin}:2: [Serving] HeMS=: [Identity] Operator= is needed with an address\n"))

    def test_initial_hems_in_clear(self):
        status, said = self.run_agent("--check", dropin="[Identity]\nOperator=Tel\n[Initial]\nHeMS=http://hems0.operator.example/\n")
        self.assertEqual((status, said), (78, f"<3>{self.dropin}:4: [Initial] HeMS=: http: without a SeGW in front of it; "
                                              "https: is needed\n"))

    def test_crl_that_is_not_looked_at(self):
        status, said = self.run_agent("--check", dropin=f"[Trust]\nCRL={DATA}/ca.pem\nRevocation=off\n")
        self.assertEqual((status, said), (0, f"<4>{self.dropin}:2: [Trust] CRL={DATA}/ca.pem: not looked at, because of "
                                             f"Revocation=off\n{self.config}: ok, this box is henb-000001.operator.example\n"))

    def test_ca(self):
        self.assert_refused(10, "CA", "ca.key.pem", "holds no PEM certificate", ca="ca.key.pem")
        self.assert_refused(10, "CA", "not-ca.pem", "certificate 1 (", ca="not-ca.pem")

    def test_certificate(self):
        self.assert_refused(11, "Certificate", "device-ecdsa.key.pem", "holds no PEM certificate",
                            certificate="device-ecdsa.key.pem")
        self.assert_refused(11, "Certificate", "gateway-address.pem", "the first certificate has no dNSName",
                            certificate="gateway-address.pem", key="gateway.key.pem")

    def test_key(self):
        self.assert_refused(12, "Key", "gateway.key.pem", "the key does not belong", key="gateway.key.pem")
        self.assert_refused(12, "Key", "device-encrypted.key.pem", "the key file holds no", key="device-encrypted.key.pem")

    def test_file_too_large(self):
        large = self.folder + "/large.pem"
        Path(large).write_bytes(bytes(300 * 1024))
        self.assert_refused(12, "Key", large, "File too large", key=large)

    def test_password(self):
        """What is wrong with the file is told, nothing of what is in it."""
        password = Path(self.folder, "password")
        for content, wrong in (("", "there is no password in it"), ("secret\nsecret\n", "holds more than one line"),
                               ("secret\0", "holds a NUL byte"), ("secret" * 50, "more than 256 bytes")):
            password.write_text(content)
            ended = self.run_agent("--check", more=f"[Registration]\nPasswordFile={password}\n")
            self.assertEqual(ended, (78, f"<3>{self.config}:14: [Registration] PasswordFile={password}: {wrong}\n"))
        password.write_text("secret\n")
        ended = self.run_agent("--check", more=f"[Registration]\nPasswordFile={password}\n")
        self.assertEqual(ended, (0, f"{self.config}: ok, this box is henb-000001.operator.example\n"))

    def test_interface_of_somebody_else(self):
        """The loopback interface is none of ours, anywhere."""
        status, said = self.run_agent(more="[Network]\nTunnelInterface=lo\n")
        if status == 69:
            self.skipTest("no XFRM netlink here")
        self.assertEqual(status, 78, said)
        self.assertIn(f"<3>{self.config}:14: [Network] TunnelInterface=lo: an interface of this name exists", said)


if __name__ == "__main__":
    result = unittest.main(argv=sys.argv[:1], exit=False).result
    sys.exit(1 if not result.wasSuccessful() else 77 if result.skipped else 0)
