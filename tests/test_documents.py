#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The man pages say what the program has: each key of agent.conf with its default, each option, each interface. What
README.md quotes of its words it says, and what it shows of the bus there is. debian/control has what packages.txt has."""

import re
import subprocess
import sys
import unittest
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/lab"))

import readme  # noqa: E402

KEY = re.compile(r'^    \{"(\w+)", "(\w+)", parse_\w+, FIELD\([\w.]+\), (true|false), ("[^"]*"|\w+)', re.M)
INTERFACES = sorted((ROOT / "dbus").glob("*.xml"))
# Defaults that are no text of the table, or that the page has to say in words.
MACROS = {"VERSION": "the version of the agent"}
IN_WORDS = {("Network", "PublicDNS"), ("Network", "PrivateDNS"), ("Identity", "Operator"), ("HostingParty", "Realm"),
            ("Registration", "InformParameters")}


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def table(source):
    """{(section, key): (required, default or None)} of config.c's table."""
    return {(section, key): (required == "true", None if default == "NULL" else default.strip('"'))
            for section, key, required, default in KEY.findall(source)}


def entries(page):
    """{(section, key): text} of agent.conf(5), without the marks of roff."""
    found = {}
    for part in re.split(r"^\.SS \[", page.partition("\n.SH EXAMPLES")[0], flags=re.M)[1:]:
        section, _, rest = part.partition("]")
        for entry in re.split(r"^\.TP\n", rest, flags=re.M)[1:]:
            head, _, text = entry.partition("\n")
            key = re.fullmatch(r"\.B (\w+)=", head)
            text = re.sub(r"^\.(nf|fi|BI?R?) ?", "", text, flags=re.M)
            found[section, key[1] if key else head] = " ".join(text.split())
    return found


def default_of(word):
    if word in MACROS:
        return MACROS[word]
    for header in ("agent/ike/ikev2.h", "agent/config.h", "agent/ike/proposal.h"):
        macro = re.search(rf"#define {word}\s*((?:\s*\\?\s*\"[^\"]*\")+)", read(header))
        if macro:
            return "".join(re.findall(r'"([^"]*)"', macro[1]))
    return word


def mistakes(source, page):
    keys, said, found = table(source), entries(page), []
    found += [f"{one} is not in the page" for one in keys if one not in said]
    found += [f"{one} is not in the program" for one in said if one not in keys]
    for one in keys.keys() & said.keys():
        required, default = keys[one]
        if required:
            found += [] if said[one].endswith("Needed.") else [f"{one} is needed"]
        elif default is not None and not re.search(rf"Default: {re.escape(default_of(default))}\.?$", said[one]):
            found.append(f"{one}: the default is {default_of(default)}")
        elif default is None and one not in IN_WORDS and "Default: " not in said[one]:
            found.append(f"{one}: no default")
    return found


class AgentConf(unittest.TestCase):
    source, page = read("agent/config.c"), read("docs/agent.conf.5")

    def test_whole_table(self):
        self.assertEqual(len(table(self.source)), len(re.findall(r"^    \{\"\w+\", \"\w+\", parse_", self.source, re.M)))
        self.assertGreater(len(table(self.source)), 30)

    def test_page(self):
        self.assertEqual(mistakes(self.source, self.page), [])

    def test_it_can_fail(self):
        for old, new, expected in ((".B NATKeepalive=", ".B NATKeepalife=", "('IPsec', 'NATKeepalive') is not in the page"),
                                   ("Default: 14400.", "Default: 1440.", "('IPsec', 'ChildLifetime'): the default is 14400"),
                                   ("Six hexadecimal digits in upper case. Needed.", "Six digits.", "('Identity', 'OUI') is needed"),
                                   ("Default: none, no second authentication.", "", "('HostingParty', 'USIM'): no default")):
            self.assertIn(old, self.page)
            self.assertIn(expected, mistakes(self.source, self.page.replace(old, new)))
        self.assertEqual(mistakes(self.source + '    {"Log", "New", parse_text, FIELD(new), false, NULL},\n', self.page),
                         ["('Log', 'New') is not in the page"])

    def test_reload(self):
        """What the page says is in force at once is what the program takes while everything goes on."""
        in_place = re.findall(r'^    \{"\w+", "(\w+)", IN_PLACE,', read("agent/config-compare.c"), re.M)
        said = re.search(r"in force at once are\n(.*?)\nFor another value of any other key", self.page, re.S)[1]
        self.assertEqual(re.findall(r"^\.BR (\w+)=", said, re.M), in_place)
        self.assertIn("Level", in_place)


def plain(page):
    """A man page without roff's marks: a heading or a term is a line of its own."""
    lines = []
    for line in page.replace("\\-", "-").splitlines():
        macro, _, rest = line.partition(" ")
        if macro in (".SH", ".TP", ".B", ".I", ".BI", ".BR", ".IR", ".RI"):
            words = re.findall(r'"([^"]*)"|(\S+)', re.sub(r"\\f.", "", rest))
            text = "".join(quoted or word for quoted, word in words) if macro[2:3] in "IR" and len(macro) == 3 else rest
            lines.append(macro if macro == ".TP" else text.strip('"'))
        else:
            lines.append(re.sub(r"\\f.", "", line))
    return "\n".join(lines)


def head(page, section):
    """The terms (.TP) of a section of a page that plain() has seen."""
    text = re.search(rf"^{section}\n(.*?)(?=^[A-Z][A-Z ]+$|\Z)", page, re.M | re.S)[1]
    return re.findall(r"^\.TP\n(.*)$", text, re.M)


class Pages(unittest.TestCase):
    def test_options(self):
        page = read("docs/henb-agentd.8").replace("\\-", "-")
        options = re.findall(r'\{"(\w+)", \w+_argument', read("agent/main.c"))
        self.assertIn("config", options)
        for option in options:
            self.assertIn(f"--{option}", page)
        for status in re.findall(r"(\d+) ", re.search(r"Exit status: (.*?);\n", read("agent/main.c"), re.S)[1]):
            self.assertIn(f"\n.B {status}\n", page)

    def test_henbctl(self):
        """Each verb with its arguments, each option with its verbs and each exit status of --help, and nothing else."""
        source, page = read("dbus/ctl/henbctl.c"), plain(read("docs/henbctl.1"))
        verbs = re.findall(r'^    \{"([a-z-]+)", "([^"]*)", "[^"]+", \d+, \d+, verb_', source, re.M)
        self.assertGreater(len(verbs), 12)
        self.assertEqual(sorted(head(page, "VERBS TO LOOK") + head(page, "VERBS TO ACT")),
                         sorted(verb + arguments for verb, arguments in verbs))
        options = re.findall(r'^        "  (?:(-\w), |    )(--\w+)(=\w+)? +(?:([a-z, ]+): )?', source, re.M)
        self.assertGreater(len(options), 4)
        said = head(page, "OPTIONS")
        self.assertEqual(said, [f"{short}, {long}" if short else long + value for short, long, value, _ in options])
        for _, long, _, of in options:
            entry = " ".join(page.partition("\nOPTIONS\n")[2].partition(long)[2].split())
            self.assertTrue(re.match(rf"\S* ?{of}", entry), f"{long} is for {of or 'all'}")
        statuses = re.search(r'"Exit status: (.*?)\."', source)[1]
        self.assertEqual(sorted(head(page, "EXIT STATUS")), sorted(re.findall(r"\b\d+\b", statuses)))

    def test_roff(self):
        """groff has nothing to object to, and each page that is named under SEE ALSO is there or of somebody else."""
        pages = sorted((ROOT / "docs").glob("*.[0-9]"))
        self.assertGreater(len(pages), 4)
        installed = re.findall(r"'([^']+\.\d)'", read("docs/meson.build"))
        self.assertEqual(sorted(installed), [page.name for page in pages])
        for page in pages:
            done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", page], text=True, capture_output=True,
                                  check=True)
            self.assertEqual(done.stderr, "", page.name)
            for name, section in re.findall(r"^\.BR (henb[\w.-]*|org\.henb\.\w+|agent\.conf) \((\d)\)",
                                            page.read_text(encoding="utf-8").replace("\\-", "-"), re.M):
                self.assertIn(f"{name}.{section}", installed, page.name)

    def test_interfaces(self):
        page = read("docs/org.henb.Agent1.5")
        for interface in (one for file in INTERFACES for one in ElementTree.parse(file).getroot().iter("interface")):
            self.assertIn(f"\n.B {interface.get('name')}\n", page)

    def test_each_member_is_told_of(self):
        page = read("dbus/API.md")
        for xml in map(read, INTERFACES):
            for line in undocumented(xml):
                self.fail(f"no comment before {line}")
            for member in re.findall(r'<(?:property|method|signal) name="(\w+)"', xml):
                self.assertRegex(page, rf"(?m)^### {member}\b")

    def test_it_can_fail(self):
        self.assertEqual(undocumented('<!-- Up. -->\n<property name="Up"/>\n<property name="Down"/>'), ['<property name="Down"/>'])


def undocumented(xml):
    """Members in introspection format without a comment before them."""
    lines = [line.strip() for line in xml.splitlines()]
    return [line for before, line in zip(lines, lines[1:])
            if re.match("<(property|method|signal) ", line) and not before.endswith("-->")]


def unsaid(rows, program):
    """What the second column quotes and the program never says."""
    return [text for row in rows for text in readme.quotes(row[1]) if text not in program]


class Packages(unittest.TestCase):
    def test_build_dependencies(self):
        """debian/control and packages.txt name the same libraries and tools."""
        field = re.search(r"^Build-Depends:((?:\n?[ ].*)+)", read("debian/control"), re.M)[1]
        control = {re.split(r"[\s(<]", one.strip())[0] for one in field.split(",") if one.strip()}
        listed = {line.split()[1] for line in read("tests/packages.txt").splitlines() if line.startswith("build ")}
        self.assertEqual(listed - control, {"gcc", "libc6-dev", "ninja-build"})  # build-essential, meson
        self.assertEqual(control - listed, {"debhelper-compat", "dh-sequence-installsysusers", "dbus-daemon", "dpkg-dev", "openssl",
                                            "python3", "systemd"})


def sources(*folders):
    """The program's texts, those over several lines as one."""
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.[ch]"))]
    return re.sub(r'"\s*\n\s*"', "", "".join(path.read_text(encoding="utf-8") for path in paths))


class Readme(unittest.TestCase):
    def test_troubles_are_in_the_programs_words(self):
        """Here that it has the words; the lab's scenarios look whether it says them (steps.trouble)."""
        # What is put together from parts: a label and a text, a number, the name of an exchange.
        program = sources("agent", "dbus", "netlink") + " MME: none HTTP 404 from does not answer IKE_SA_INIT henb-agent - not running"
        rows = readme.troubles()
        self.assertGreater(len(rows), 20)
        self.assertEqual(unsaid(rows, program), [])
        self.assertEqual(unsaid([["x", "`no answer for ever`", "y"]], program), ["no answer for ever"])

    def interface(self, name):
        """{member: (kind, signature)} of an interface in the XML."""
        found = next(one for one in ElementTree.parse(ROOT / "dbus/org.henb.Agent1.xml").getroot().iter("interface")
                     if one.get("name") == name)
        members = {one.get("name"): ("property", one.get("type")) for one in found.iter("property")}
        for one in found.iter("method"):
            arguments = "".join(part.get("type") for part in one.iter("arg") if part.get("direction", "in") == "in")
            members[one.get("name")] = ("method", arguments or "-")
        return members

    def test_session_shows_the_interface(self):
        seen = {command: lines for command, lines in readme.session()}
        tree = next(lines for command, lines in seen.items() if command.startswith("busctl tree"))
        api = read("dbus/API.md")
        paths = [re.search(r"/org\S*", line)[0] for line in tree if "/org/henb" in line]
        self.assertGreaterEqual(len(paths), 4)
        for path in paths:
            self.assertTrue(path == "/org/henb/Agent1/tunnel" or f"`{path}`" in api, path)
        shown = next(lines for command, lines in seen.items() if command.startswith("busctl introspect"))[1:]
        members = {line.split()[0].lstrip("."): tuple(line.split()[1:3]) for line in shown}
        self.assertGreater(len(members), 15)
        self.assertLessEqual(members.items(), self.interface("org.henb.Agent1").items())

    def test_session_shows_properties_with_their_types(self):
        for command, lines in readme.session():
            if " get-property " not in command:
                continue
            interface, *names = command.split()[4:]
            members = self.interface(interface)
            self.assertEqual([line.split()[0] for line in lines], [members[name][1] for name in names], command)

    def test_session_shows_the_labels_of_henbctl(self):
        program = sources("dbus/ctl")
        lines = next(lines for command, lines in readme.session() if command == "henbctl status")
        for line in lines[1:]:
            label = line.partition(":")[0].strip()
            self.assertTrue(not re.match(r" *[A-Z][A-Za-z1 ]*:", line) or f'"{label}"' in program, line)


if __name__ == "__main__":
    unittest.main()
