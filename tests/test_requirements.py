#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""REQUIREMENTS.md names tests that exist, and leaves out nothing: threads 1 to 25, TAHI's numbers, no empty cell. The same
for EXPECTATIONS.md, and for docs/CLAUSES.md, which names code as well.
Its rules are tried on broken copies as well: a check that cannot fail is worthless."""

import functools
import re
import subprocess
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE / "REQUIREMENTS.md"
CLAUSES = HERE.parent / "docs/CLAUSES.md"
SENTENCES = 93  # of TS 32.593 clause 5.1
THREADS = [str(i) for i in range(1, 26)]


def numbers(prefix, last, without=()):
    return [f"{prefix}.{i}" for i in range(1, last + 1) if i not in without]


TAHI = (numbers("1.1.1", 3) + numbers("1.1.2", 4) + numbers("1.1.3", 8) + numbers("1.1.4", 2) + numbers("1.1.5", 3)
        + numbers("1.1.6", 11) + ["1.1.7.x", "1.1.8.x"] + numbers("1.1.9", 2) + numbers("1.1.10", 3)
        + numbers("1.1.11", 5) + ["1.2.1.x", "1.2.2.x"] + numbers("1.2.3", 6) + numbers("1.2.4", 5, without=[2])
        + numbers("1.2.5", 2) + numbers("1.2.6", 12) + ["1.3.1.x", "1.3.2.1", "2.1.1.1", "2.1.1.2", "2.1.2.1", "2.1.2.2"])
# Section: its ids, or how they begin; None: those of other sections.
SECTIONS = {"Protocol": "P", "Kernel": "K", "Peers": "L", "Simulation and what shows it": "S", "Threads": THREADS,
            "TAHI": TAHI, "Not tested yet": None}
LATER = "not tested yet"


def c_tests(text):
    """The cases of a test program: declared by START_TEST, and in a SUITE(), or named in a main() of its own."""
    suites = re.findall(r"^SUITE\w*\((.*?)\)\s*$", text, re.M | re.S) or re.findall(r"^int main\(.*", text, re.M | re.S)
    used = set(re.findall(r"\w+", " ".join(suites)))
    return {name for name in re.findall(r"^START_TEST\((\w+)\)", text, re.M) if name in used}


@functools.cache
def existing():
    """Every name that a cell may have, but for files of this folder."""
    names = {f"{path.stem}:{case}" for path in HERE.glob("test-*.c") for case in c_tests(path.read_text())}
    names |= {f"kernel:{step}" for step in re.findall(r"^ +STEP\((\w+)\)", (HERE / "netlink-guest.c").read_text(), re.M)}
    listed = subprocess.run([sys.executable, "-B", HERE / "lab/lab.py", "--list", "--long"], check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    names |= {f"lab:{line.split()[0]}" for line in listed.splitlines() if line.strip()}
    targets = (HERE / "fuzz/targets").read_text().splitlines()
    return names | {f"fuzz-{line.split()[0]}" for line in targets if line and not line.startswith("#")}


def sections(document):
    """{heading: rows of cells}, without the head of each table."""
    tables = {}
    for part in re.split(r"^## ", document, flags=re.M)[1:]:
        lines = [line for line in part.splitlines() if line.startswith("|")]
        tables[part.splitlines()[0].strip()] = [[cell.strip() for cell in line.strip().strip("|").split("|")]
                                               for line in lines[2:]]
    return tables


def exists(name, names):
    return name in names or (":" not in name and (HERE / name).is_file())


def mistakes(document, names):
    found, tables, later = [], sections(document), set()
    for heading, ids in SECTIONS.items():
        rows = tables.get(heading, [])
        if not rows:
            found += [f"{heading}: no table"] if ids else []
            continue
        have = [row[0] for row in rows]
        if isinstance(ids, str):
            ids = [f"{ids}{i}" for i in range(1, len(rows) + 1)]
        for one in sorted(set(ids or []) - set(have)):
            found.append(f"{heading}: {one} is missing")
        for one in {one for one in have if have.count(one) > 1}:
            found.append(f"{heading}: {one} is there twice")
        width = len(rows[0])
        for row in rows:
            if len(row) != width or not all(row):
                found.append(f"{heading}: {row[0]} has an empty cell, or not {width} cells")
            if heading == "Not tested yet":
                continue
            key = {"Threads": "thread ", "TAHI": "TAHI "}.get(heading, "") + row[0]
            shown = re.findall(r"`([^`]+)`", row[-1])
            if row[-1].startswith(LATER):
                later.add(key)
            elif not shown and not re.match(r"not ours: \w+", row[-1]):
                found.append(f"{heading}: {row[0]} names no test")
            found += [f"{heading}: {row[0]}: there is no {name}" for name in shown if not exists(name, names)]
    listed = {row[0] for row in tables.get("Not tested yet", [])}
    return found + [f"{one} is not tested and not listed" for one in sorted(later - listed)]


def expectation_mistakes(document, names):
    """EXPECTATIONS.md: each of 1 to 50 once, with tests that exist, or listed as not tested yet."""
    tables = sections(document)
    tested, later = tables.get("Expectations", []), tables.get("Not tested yet", [])
    found = [f"{row[0]} has an empty cell" for row in tested + later if not all(row)]
    have = [row[0] for row in tested + later]
    found += [f"{i} is there {have.count(str(i))} times" for i in range(1, 51) if have.count(str(i)) != 1]
    for row in tested:
        shown = re.findall(r"`([^`]+)`", row[-1])
        found += [] if shown else [f"{row[0]} names no test"]
        found += [f"{row[0]}: there is no {name}" for name in shown if not exists(name, names)]
    return found


def code_exists(name):
    """A file of the tree, or FILE:NAME with a name that stands in it."""
    path, _, symbol = name.partition(":")
    file = HERE.parent / path
    return file.is_file() and (not symbol or re.search(rf"\b{re.escape(symbol)}\b", file.read_text()) is not None)


def clause_mistakes(document, names):
    """CLAUSES.md: each sentence once and in order, with code that exists or whose it is, and tests that exist."""
    rows = [row for table in sections(document).values() for row in table]
    found = [f"{row[0]} has an empty cell, or not 4" for row in rows if len(row) != 4 or not all(row)]
    if [row[0] for row in rows] != [str(i) for i in range(1, SENTENCES + 1)]:
        found.append(f"not 1 to {SENTENCES}, each once, in order")
    for row in rows:
        code, shown = (re.findall(r"`([^`]+)`", cell) for cell in row[-2:])
        found += [] if code or re.match(r"not ours: \w+", row[-2]) else [f"{row[0]} names no code"]
        found += [] if shown else [f"{row[0]} names no test"]
        found += [f"{row[0]}: there is no {name}" for name in code if not code_exists(name)]
        found += [f"{row[0]}: there is no {name}" for name in shown if not exists(name, names)]
    return found


class Clauses(unittest.TestCase):
    def test_document(self):
        document, names = CLAUSES.read_text(), existing()
        self.assertEqual(clause_mistakes(document, names), [])
        for old, new, expected in (("| 19 | 1: who", "| 18 | 1: who", "not 1 to 93"),
                                   ("procedure.c:release_do`", "procedure.c:release_dos`", "53: there is no agent/"),
                                   ("`agent/names.c:public_new` | `lab:initial` |", "names.c | `lab:initial` |", "36 names no code"),
                                   ("`lab:no-mme`", "`lab:no-mmes`", "82: there is no lab:no-mmes"),
                                   ("`test_s1_stack.py`", "a stack", "8 names no test"),
                                   ("| 2: DNS answers |", "| |", "21 has an empty cell")):
            self.assertIn(old, document)
            found = clause_mistakes(document.replace(old, new), names)
            self.assertTrue(any(expected in one for one in found), f"{expected!r} is not in {found}")


class Expectations(unittest.TestCase):
    def test_document(self):
        document, names = (HERE / "EXPECTATIONS.md").read_text(), existing()
        self.assertEqual(expectation_mistakes(document, names), [])
        for old, new, expected in (("| 7 | the first", "| 6 | the first", "7 is there 0 times"),
                                   ("`fuzz-digest`", "`fuzz-digests`", "39: there is no fuzz-digests"),
                                   ("`test-tls.c`", "tests", "45 names no test"),
                                   ("the first Inform is never empty", "", "7 has an empty cell")):
            self.assertIn(expected, expectation_mistakes(document.replace(old, new), names))


class Requirements(unittest.TestCase):
    document = DOCUMENT.read_text()
    names = existing()

    def assert_breaks(self, old, new, expected):
        self.assertIn(old, self.document)
        found = mistakes(self.document.replace(old, new), self.names)
        self.assertTrue(any(expected in one for one in found), f"{expected!r} is not in {found}")

    def test_document(self):
        self.assertEqual(mistakes(self.document, self.names), [])

    def test_each_kind_of_test_is_found(self):
        for one in "test-ike-sa:plain_handshake test-netlink:spi_for_ipv6 lab:register kernel:pairs_move fuzz-header".split():
            self.assertIn(one, self.names)

    def test_a_test_must_be_run(self):
        for run in 'SUITE("x", one, three)', "int main(void) {\n    add(one);\n}":
            self.assertEqual(c_tests(f"START_TEST(one) {{\n}}\nSTART_TEST(two) {{\n}}\n{run}\n"), {"one"})

    def test_names_that_do_not_exist(self):
        for old in "`test-ike-sa:liveness`", "`lab:cookie`", "`kernel:pairs_move`", "`fuzz-eap`", "`bench/rekey`":
            self.assert_breaks(old, old[:-1] + "x`", "there is no " + old[1:-1] + "x")

    def test_numbers_that_are_missing(self):
        for heading, one in [("Threads", "17"), ("Threads", "25"), ("TAHI", "1.1.8.x"), ("TAHI", "1.2.6.12"), ("Protocol", "P3")]:
            line = re.search(rf"^\| {re.escape(one)} \|.*\n", self.document, re.M).group()
            self.assert_breaks(line, "", f"{heading}: ")
            self.assert_breaks(line, line + line, f"{heading}: {one} is there twice")

    def test_empty_cells(self):
        for heading, one in ("Threads", "9"), ("TAHI", "1.1.3.4"), ("Kernel", "K4"):
            line = re.search(rf"^\| {re.escape(one)} \|.*\n", self.document, re.M).group()
            cells = line.split("|")
            for i in range(2, len(cells) - 1):
                self.assert_breaks(line, "|".join(cells[:i] + ["  "] + cells[i + 1:]), f"{heading}: {one} has an empty cell")
            self.assert_breaks(line, "|".join(cells[:-2] + [" yes ", "\n"]), f"{heading}: {one} names no test")

    def test_what_is_not_tested_is_listed(self):
        line = re.search(r"^\| P9 \|.*\n", self.document, re.M).group()
        self.assert_breaks(line, "|".join(line.split("|")[:-2] + [f" {LATER} ", "\n"]), "P9 is not tested and not listed")

    def test_a_table_that_is_missing(self):
        self.assert_breaks("## Threads", "## Other", "Threads: no table")


if __name__ == "__main__":
    unittest.main()
