#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""org.henb.Agent1 keeps what it has promised (data/org.henb.Agent1.members: once there, a member stays as it is), and
API.md has a place for each member, with its types and a busctl line to try it. With --list: the members of the XML files."""

import re
import sys
import unittest
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
XML, API = ROOT / "dbus/org.henb.Agent1.xml", ROOT / "dbus/API.md"
OWNER = ROOT / "dbus/org.henb.Agent1.Owner.xml"  # what the agent calls, and does not have itself
OWNERS_TEST = ROOT / "tests/test-bus-parameters.c"
MEMBERS = ROOT / "tests/data/org.henb.Agent1.members"
EMITS = "org.freedesktop.DBus.Property.EmitsChangedSignal"
FIRST = "org.henb.Agent1"  # whose sections in API.md come before those with a name of an interface


def arguments(member, direction):
    """[(type, name)...] of a method or a signal."""
    return [(one.get("type"), one.get("name")) for one in member.iter("arg") if one.get("direction", "out") == direction]


def types(parts):
    return "".join(kind for kind, _ in parts) or "-"


def promise(interface, member):
    """One member as a line: all that a program which uses it relies on."""
    words = [interface.get("name"), member.tag, member.get("name")]
    if member.tag == "property":
        emits = next((one.get("value") for one in member.iter("annotation") if one.get("name") == EMITS), "true")
        words += [member.get("type"), member.get("access"), f"emits={emits}"]
    elif member.tag == "method":
        words += [types(arguments(member, "in")), "->", types(arguments(member, "out"))]
    else:
        words.append(types(arguments(member, "out")))
    return " ".join(words)


def members(xml):
    return [promise(interface, member) for interface in ElementTree.fromstring(xml).iter("interface")
            for member in interface if member.tag != "annotation"]


def broken(recorded, *xmls):
    """What the XML files do to the members that are recorded."""
    now = [line for xml in xmls for line in members(xml)]
    return ([f"gone, or changed (that takes org.henb.Agent2): {line}" for line in recorded if line not in now]
            + [f"new, and not in {MEMBERS.name}: {line}" for line in now if line not in recorded])


def title(member):
    """How API.md heads a member."""
    def said(parts):
        return ", ".join(f"`{kind}` {name}" for kind, name in parts)
    name = member.get("name")
    if member.tag == "property":
        return f"### {name} — `{member.get('type')}`"
    if member.tag == "signal":
        return f"### {name}({said(arguments(member, 'out'))}), a signal"
    returns = said(arguments(member, "out"))
    return f"### {name}({said(arguments(member, 'in'))})" + (f" → {returns}" if returns else "")


def section(api, interface):
    """The part of API.md that is about an interface."""
    if interface == FIRST:
        return api.partition("\n## Properties\n")[2].partition("\n## The interface ")[0]
    return api.partition(f"\n## The interface {interface}\n")[2].partition("\n## ")[0]


def unexplained(api, xml):
    """What API.md does not say."""
    found = []
    for interface in ElementTree.fromstring(xml).iter("interface"):
        name, text = interface.get("name"), section(api, interface.get("name"))
        if interface.find("method") is not None and "| Error | What it means |" not in text:
            found.append(f"{name}: its errors")
        for member in interface:
            part = re.search(rf"^{re.escape(title(member))}\n(.*?)(?=^##|\Z)", text, re.M | re.S)
            if not part:
                found.append(f"{name}: {title(member)}")
                continue
            lines = part[1].splitlines()
            commands = " ".join(line for line in lines if line.startswith("    "))
            if not re.search(rf"busctl .*\b{re.escape(name)}\b.*\b{member.get('name')}\b", commands):
                found.append(f"{name}: a busctl line for {member.get('name')}")
            if not any(line and not line.startswith((" ", "|")) for line in lines):
                found.append(f"{name}: what {member.get('name')} means")
    return found


class Interface(unittest.TestCase):
    xml, api = XML.read_text(encoding="utf-8"), API.read_text(encoding="utf-8")
    owner = OWNER.read_text(encoding="utf-8")
    recorded = MEMBERS.read_text(encoding="utf-8").splitlines()

    def test_promises(self):
        self.assertEqual(broken(self.recorded, self.xml, self.owner), [])
        self.assertEqual(len(self.recorded), len(set(self.recorded)))
        self.assertGreater(len(self.recorded), 50)

    def test_promises_can_be_broken(self):
        for old, new, line in (
                ('<property name="State" type="s"', '<property name="State" type="u"', "property State s read emits=true"),
                ('<method name="Inform"/>', "", "method Inform - -> -"),
                ('<arg name="ages" type="a(st)"', '<arg name="ages" type="a(su)"', "Parameters method Ages as -> a(st)"),
                ('<signal name="Changed">', '<signal name="Change">', "signal Changed a(sss)"),
                (f'<annotation name="{EMITS}" value="false"/>', "", "property Timeline a(ttssss) read emits=false")):
            self.assertIn(old, self.xml)
            found = broken(self.recorded, self.xml.replace(old, new, 1), self.owner)
            self.assertTrue(found and found[0].startswith("gone") and found[0].endswith(line), found)
        more = self.xml.replace('<method name="Inform"/>', '<method name="Inform"/><method name="More"/>')
        self.assertEqual(broken(self.recorded, more, self.owner),
                         [f"new, and not in {MEMBERS.name}: {FIRST} method More - -> -"])

    def test_everything_is_explained(self):
        self.assertEqual(unexplained(self.api, self.xml), [])
        self.assertEqual(unexplained(self.api, self.owner), [])

    def test_what_an_owner_implements(self):
        """What the agent calls at the daemons of test-bus-parameters: a call that does not fit their table fails there."""
        table = re.search(r"owner_vtable\[\] = \{(.*?)\};", OWNERS_TEST.read_text(encoding="utf-8"), re.S)[1]
        called = [f"{FIRST}.Owner method {name} {takes} -> {gives or '-'}"
                  for name, takes, gives in re.findall(r'SD_BUS_METHOD\("(\w+)", "([^"]*)", "([^"]*)"', table)]
        self.assertEqual(len(called), 3)
        self.assertEqual(members(self.owner), called)
        self.assertNotEqual(members(self.owner.replace('type="t"', 'type="u"', 1)), called)

    def test_explanations_can_be_missing(self):
        for old, new, expected in (
                ("### Nat — `s`", "### Nat — `u`", "org.henb.Agent1.Tunnel: ### Nat — `s`"),
                ("org.henb.Agent1.Tunnel InnerAddresses", "org.henb.Agent1 InnerAddresses",
                 "org.henb.Agent1.Tunnel: a busctl line for InnerAddresses"),
                ("\nWhat the box is, one of the words in the table above.\n", "\n", "org.henb.Agent1: what State means")):
            self.assertIn(old, self.api)
            self.assertEqual(unexplained(self.api.replace(old, new), self.xml), [expected])

    def test_without_an_owner_s1_is_down(self):
        row = next(line for line in self.api.splitlines() if line.startswith("| no owner of the name |"))
        self.assertRegex(row, r"MME and tunnel are unknown.*\| down, .*\| unknown \|")
        self.assertIn("there is no D-Bus activation", self.api)


if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        print("\n".join(members(Interface.xml) + members(Interface.owner)))
    else:
        unittest.main()
