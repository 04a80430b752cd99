#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's messages in the journal: the table of agent/base/log-messages.h against the calls of log_message(), the
catalog and the man page.

    test_journal.py [JOURNALCTL]
"""

import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
JOURNALCTL = sys.argv[1] if len(sys.argv) > 1 else ""
CATALOG = ROOT / "units/henb-agent.catalog"
ROW = re.compile(r'\bX\((\w+),\s*"([^"]*)",\s*"([^"]*)"\)')
CALL = re.compile(r"\blog_message\(\s*\w+,\s*(\w+),\s*&\(LogFields\)\{(.*?)\}\s*,", re.S)
ENTRY = re.compile(r"\n# (\w+)\n-- ([0-9a-f]{32})\n((?:[\w-]+: .*\n)+)\n((?:.*\n)*?)(?=\n#|\Z)")


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def messages():
    """[(name, id, fields)] of the table."""
    table = read("agent/base/log-messages.h").partition("#define LOG_MESSAGES(X)")[2].partition("typedef enum")[0]
    return [(name, number, fields.split()) for name, number, fields in ROW.findall(table.replace("\\\n", ""))]


def members():
    """{member of LogFields: its name in the journal}."""
    fields = read("agent/base/log-messages.h").partition("#define LOG_FIELDS(X)")[2]
    return dict(re.findall(r'X\((\w+), "([A-Z_]+)"\)', fields))


def sources():
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for folder in ("agent", "dbus", "netlink")
            for path in sorted((ROOT / folder).rglob("*.c"))}


def calls(source):
    """[(message or variable, {fields})] of each log_message() of a source."""
    known = members()
    return [(message, {known[member] for member in re.findall(r"\.(\w+) = ", fields)})
            for message, fields in CALL.findall(source)]


def entries(catalog):
    """[(name, id, {header: value}, text)] of a catalog."""
    return [(name, number, dict(line.split(": ", 1) for line in headers.splitlines()), text)
            for name, number, headers, text in ENTRY.findall(catalog)]


def call_mistakes(found):
    """What [(message, fields)] has that the table has not, and the other way round."""
    mistakes, literal = [], {}
    for message, fields in found:
        literal.setdefault(message, []).append(fields)
    variable = [fields for message, each in literal.items() if not message.startswith("MESSAGE_") for fields in each]
    for name, _, fields in messages():
        said = literal.get(f"MESSAGE_{name}", [])
        mistakes += [f"{name} is logged with {sorted(one)}" for one in said if one != set(fields)]
        if not said and not any(set(fields) <= one for one in variable):
            mistakes.append(f"{name} is logged nowhere")
    return mistakes


def catalog_mistakes(found):
    mistakes, table = [], messages()
    for name, number, fields in table:
        mine = [one for one in found if one[1] == number]
        if len(mine) != 1:
            mistakes.append(f"{name} has {len(mine)} entries")
            continue
        other, _, headers, text = mine[0]
        mistakes += [f"{name} is called {other}"] if other != name else []
        mistakes += [f"{name} has no {one}" for one in ("Subject", "Defined-By", "Support") if not headers.get(one)]
        used = re.findall(r"@(\w+)@", text + headers.get("Subject", ""))
        mistakes += [f"{name} has no field {field}" for field in used if field not in fields]
        sentences = len(re.findall(r"[.](?:\s|$)", text))
        mistakes += [] if 2 <= sentences <= 6 else [f"{name} has {sentences} sentences"]
    known = {number for _, number, _ in table}
    return mistakes + [f"{name} is not in the table" for name, number, _, _ in found if number not in known]


class Messages(unittest.TestCase):
    def test_table(self):
        table = messages()
        self.assertEqual(len(table), read("agent/base/log-messages.h").partition("typedef enum")[0].count("    X("))
        self.assertGreater(len(table), 20)
        for name, number, _ in table:
            self.assertRegex(number, r"^[0-9a-f]{32}$", name)
        self.assertEqual(len({number for _, number, _ in table}), len(table), "two with the same id")
        self.assertEqual(set(members().values()), {field for _, _, fields in table for field in fields})

    def test_calls(self):
        found = [call for source in sources().values() for call in calls(source)]
        written = sum(len(re.findall(r"\blog_message\(\s*LOG_", source)) for source in sources().values())
        self.assertEqual(len(found), written, "a log_message() without its fields as a literal")
        self.assertEqual(call_mistakes(found), [])

    def test_each_is_meant_somewhere(self):
        program = "".join(sources().values())
        self.assertEqual([name for name, _, _ in messages() if not re.search(rf"\bMESSAGE_{name}\b", program)], [])

    def test_wrong_calls_are_found(self):
        found = [call for source in sources().values() for call in calls(source)]
        without = [call for call in found if call[0] != "MESSAGE_TUNNEL_UP"]
        self.assertEqual(call_mistakes(without), ["TUNNEL_UP is logged nowhere"])
        self.assertEqual(call_mistakes(without + [("MESSAGE_TUNNEL_UP", {"PEER"})]),
                         ["TUNNEL_UP is logged with ['PEER']"])


class Catalog(unittest.TestCase):
    text = CATALOG.read_text(encoding="utf-8")

    def test_entries(self):
        self.assertEqual(len(entries(self.text)), len(re.findall(r"^-- ", self.text, re.M)))
        self.assertEqual(catalog_mistakes(entries(self.text)), [])

    def test_mistakes_are_found(self):
        for old, new, expected in (("@RETRY_SEC@", "@SPI@", "RETRY has no field SPI"),
                                   ("# STORE_WORKS\n", "# STORE_WORK\n", "STORE_WORKS is called STORE_WORK"),
                                   (messages()[0][1], "0" * 32, "STARTED has 0 entries")):
            self.assertIn(old, self.text)
            self.assertIn(expected, catalog_mistakes(entries(self.text.replace(old, new))))
        twice = entries(self.text) + entries(self.text)[:1]
        self.assertEqual(catalog_mistakes(twice), [f"{twice[0][0]} has 2 entries"])

    @unittest.skipUnless(JOURNALCTL, "no journalctl")
    def test_systemd_takes_it(self):
        with tempfile.TemporaryDirectory() as root:
            for folder in ("usr/lib/systemd/catalog", "var/lib/systemd/catalog"):
                Path(root, folder).mkdir(parents=True)
            Path(root, "usr/lib/systemd/catalog", CATALOG.name).write_bytes(CATALOG.read_bytes())
            updated, listed = (subprocess.run([JOURNALCTL, f"--root={root}", option], capture_output=True, text=True)
                               for option in ("--update-catalog", "--list-catalog"))
            self.assertEqual((updated.returncode, updated.stderr), (0, ""))
            self.assertEqual(sorted(listed.stdout.splitlines()),
                             sorted(f"{number} henb-agent: {headers['Subject']}"
                                    for _, number, headers, _ in entries(self.text)))


class Page(unittest.TestCase):
    """JOURNAL in henb-agentd(8)."""

    def test_fields(self):
        page = read("docs/henb-agentd.8").partition("\n.SH JOURNAL\n")[2].partition("\n.SH ")[0]
        heads = " ".join(re.findall(r"^\.TP\n\.BR? (.*)", page, re.M))
        said = set(re.findall(r"[A-Z_]{3,}", heads))
        self.assertEqual(said, set(members().values()))
        named = set(re.findall(r"MESSAGE_ID=(\w+)", page + read("README.md")))
        self.assertGreater(len(named), 2)
        self.assertEqual(named - {number for _, number, _ in messages()}, set())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
