#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of what keeps the agent from starting: its exit status, and that its line names file, line and key.

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

    def run_agent(self, *options, more="", **files):
        """Runs it with these files in place of the good ones; returns its exit status and what it said."""
        files = {"ca": "ca.pem", "certificate": "device-ecdsa.pem", "key": "device-ecdsa.key.pem", **files}
        self.config = self.folder + "/agent.conf"
        Path(self.config).write_text(CONFIG.format(**{key: DATA / name for key, name in files.items()}) + more)
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
