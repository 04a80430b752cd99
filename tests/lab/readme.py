# SPDX-License-Identifier: GPL-3.0-or-later
"""What README.md shows and promises: the session at a terminal, the table of troubles. For the guest, and for the tests
of documents."""

import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
# tests/guest puts it beside the lab.
README = next(path for path in (HERE / "README.md", HERE.parent.parent / "README.md") if path.exists())


def text():
    return README.read_text(encoding="utf-8")


def session(readme=None):
    """[(command, [line it prints...])...] of the block that shows a session."""
    block = (readme or text()).partition("```console\n")[2].partition("```")[0]
    parts = [part.splitlines() for part in re.split(r"^\$ ", block, flags=re.M)[1:]]
    return [(command, lines) for command, *lines in parts]


def kinds(command, lines):
    """Of the lines a command prints, what does not change from box to box and from time to time."""
    if " introspect " in command:
        return [line.split()[:3] for line in lines]
    if " get-property " in command:
        return [line.split()[0] for line in lines]
    if command.startswith("henbctl status"):
        return [re.split(r": | \d", line.strip())[0] for line in lines]
    if command.startswith("henbctl timeline"):
        return [word for line in lines for word in re.findall(r"\((5\.1.*?)\)", line)]
    return lines


def troubles(readme=None):
    """The rows of the table of troubles: [symptom, what henbctl status shows, what to do]."""
    table = (readme or text()).partition("## When it does not work")[2].partition("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def quotes(cell):
    """The program's own words in a cell."""
    return re.findall(r"`([^`]+)`", cell)
