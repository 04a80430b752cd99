#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The generator of the data model: each mistake in a table is named with its line."""

import importlib.machinery
import importlib.util
import io
import unittest
from pathlib import Path

AGENT = Path(__file__).resolve().parent.parent / "agent/cwmp"
loader = importlib.machinery.SourceFileLoader("make_datamodel", str(AGENT / "make-datamodel"))
loader_spec = importlib.util.spec_from_loader("make_datamodel", loader)
make = importlib.util.module_from_spec(loader_spec)
loader.exec_module(make)

TABLE = """# comment
Device.

Device.A.
    BNumberOfEntries  unsignedInt  R  0
Device.A.B.{i}.  create  rows 1..4  initial 2  counted BNumberOfEntries  unique Name+Size
    Name  string ..8  W  -
    Size  unsignedInt 1..4,8  W  8  CANDENY
    Kind  enum 0 One|1 Two  R  1 Two  REPORTED
    Tags  list enum A|B / ..16  W  -
"""


class Generator(unittest.TestCase):
    def test_a_table(self):
        objects = make.parse(TABLE.splitlines())
        row = objects["Device.A.B.{i}."]
        self.assertEqual(row["rows"], (1, 4))
        self.assertEqual(row["unique"], [["Name", "Size"]])
        self.assertEqual([p["name"] for p in row["parameters"]], ["Name", "Size", "Kind", "Tags"])
        self.assertEqual(row["parameters"][1]["ranges"], [(1, 4), (8, 8)])
        self.assertEqual(row["parameters"][3]["size"], (0, 16))
        self.assertEqual(objects["Device.A."]["parameters"][0]["flags"], ["COUNT"])
        out = io.StringIO()
        make.write(objects, out)
        self.assertIn('.values = "0 One|1 Two", .initial = "1 Two"', out.getvalue())

    def test_mistakes(self):
        for old, new, line, why in (
                ("    Size  unsignedInt 1..4,8  W  8", "    Size  unsignedInt 1..4,8  W  5", 8, "not in the range"),
                ("1..4,8", "4..1", 8, "empty range"),
                ("1..4,8", "1..4294967296", 8, "beyond"),
                ("unsignedInt 1..4,8", "unsigned", 8, "no type"),
                ("  CANDENY", "  CANDANY", 8, "no flag"),
                ("R  1 Two", "R  2 Two", 9, "not one of the values"),
                ("R  1 Two", "X  1 Two", 9, "access is R or W"),
                ("R  1 Two", "W  1 Two", 9, "REPORTED and LIVE are for R"),
                ("    Kind", "    Size", 9, "twice"),
                ("unique Name+Size", "unique Name+Colour", 6, "has no Colour"),
                ("counted B", "counted C", 6, "has no C"),
                ("initial 2", "initial 5", 6, "more initial rows"),
                ("create", "creates", 6, "what is creates"),
                ("Device.A.B.{i}.", "Device.Z.B.{i}.", 6, "before Device.Z."),
                ("Device.A.\n", "Device.A\n", 4, "no object"),
                ("# comment\nDevice.\n", "# comment\n    X  boolean  R  true\n", 2, "before any object"),
                ("  W  -\n    Size", "\n    Size", 7, "a parameter has name"),
        ):
            with self.subTest(new=new):
                self.assertIn(old, TABLE)
                with self.assertRaises(make.Mistake) as raised:
                    make.parse(TABLE.replace(old, new, 1).splitlines())
                self.assertEqual(raised.exception.args[1], line)
                self.assertIn(why, raised.exception.args[0])

    def test_the_table_of_the_project(self):
        objects = make.parse((AGENT / "datamodel.txt").read_text().splitlines())
        self.assertGreater(sum(len(o["parameters"]) for o in objects.values()), 700)
        self.assertTrue(all(o["counted"] for o in objects.values() if o["table"]))


if __name__ == "__main__":
    unittest.main()
