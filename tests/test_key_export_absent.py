#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon has nothing of what gives keys away, unless it was built to do so.

    test_key_export_absent.py HENB-AGENTD TEST-KEY-EXPORT WANTED
"""

import sys
import unittest
from pathlib import Path

AGENT, TEST, WANTED = sys.argv[1:4] if len(sys.argv) > 3 else ("", "", "false")
# Names of functions (in the table of symbols and in what a debugger reads), of files and of Wireshark's algorithms.
TRACES = (b"key_export", b"key_line", b"ikev2_decryption_table", b"esp_sa", b"[RFC5282]", b"GIVES ALL KEYS AWAY")


def traces(path):
    program = Path(path).read_bytes()
    return [trace for trace in TRACES if trace in program]


class KeyExport(unittest.TestCase):
    def test_where_it_is(self):
        self.assertEqual(traces(TEST), list(TRACES))
        if WANTED == "true":
            self.assertEqual(traces(AGENT), list(TRACES))

    def test_where_it_is_not(self):
        if WANTED == "false":
            self.assertEqual(traces(AGENT), [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
