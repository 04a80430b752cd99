#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit's sandbox in systemd's own marks: no worse than it is, and each point that is left has its word in the unit's
comments.

    test_unit.py SYSTEMD-ANALYZE UNIT
"""

import json
import re
import subprocess
import sys
import unittest

ANALYZE, UNIT = sys.argv[1:3] if len(sys.argv) > 2 else ("", "")
TENTHS = 17  # systemd marks from 0 to 100; 2.0 is what was asked for
# What is left, and the word by which the comments explain it.
LEFT = {
    "AmbientCapabilities": "ambient",
    "CapabilityBoundingSet_CAP_NET_ADMIN": "CAP_NET_ADMIN",
    "CapabilityBoundingSet_CAP_NET_BIND_SERVICE_BROADCAST_RAW)": "CAP_NET_BIND_SERVICE",
    "DeviceAllow": "DeviceAllow=",
    "IPAddressDeny": "IPAddressDeny=",
    "PrivateNetwork": "Host network",
    "PrivateUsers": "PrivateUsers=",
    "ProcSubset": "ProcSubset=",
    "RestrictAddressFamilies_AF_INET_INET6": "AF_INET6",
    "RestrictAddressFamilies_AF_NETLINK": "AF_NETLINK",
    "RestrictAddressFamilies_AF_UNIX": "AF_UNIX",
    "RootDirectoryOrRootImage": "Root folder",
    "SupplementaryGroups": "SupplementaryGroups=",
}


class Unit(unittest.TestCase):
    def analyze(self, *options):
        return subprocess.run([ANALYZE, "security", "--offline=true", "--no-pager", *options, UNIT], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)

    def test_mark(self):
        ended = self.analyze(f"--threshold={TENTHS}")
        self.assertEqual(ended.returncode, 0, ended.stdout)
        self.assertNotEqual(self.analyze(f"--threshold={TENTHS - 1}").returncode, 0, "it has become better: lower TENTHS")

    def test_what_is_left_is_explained(self):
        points = json.loads(self.analyze("--json=short").stdout)
        left = {one["json_field"] for one in points if one["exposure"] not in (None, "0.0")}
        self.assertEqual(left, set(LEFT))
        with open(UNIT, encoding="utf-8") as file:
            comments = "".join(re.findall(r"^#.*\n", file.read(), re.M))
        self.assertEqual([word for word in LEFT.values() if word not in comments], [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
