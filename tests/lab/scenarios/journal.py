# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engineer finds in the journal: lines by their MESSAGE_ID, their fields, and what the catalog says of them."""

import json
import re
from pathlib import Path

import agent as henb
import places
from machine import expect, run, wait_for
from scenario import scenario
from steps import URL, up

from .reload import reload_unit

CATALOG = Path("/usr/lib/systemd/catalog/henb-agent.catalog")


def journal(lab, message, *options):
    """journalctl's words on the lines with that MESSAGE_ID that this start of the unit has written."""
    number = re.search(rf"^# {message}\n-- (\w+)\n", CATALOG.read_text(encoding="utf-8"), re.M)[1]
    return run("journalctl", "-q", "--no-pager", *options, f"MESSAGE_ID={number}", f"_PID={lab.agent.pid()}")


def told(lab, message, count=1, **wanted):
    """Waits for line number *count* of that message; Failure unless it has the fields wanted, {name: pattern}."""
    def look():
        lines = [json.loads(line) for line in journal(lab, message, "-o", "json").splitlines()]
        return lines if len(lines) >= count else None
    line = wait_for(f"{count} of {message} in the journal", look, 60, 0.5)[count - 1]
    wanted = {"_SYSTEMD_UNIT": re.escape(henb.UNIT), "SYSLOG_IDENTIFIER": "henb-agentd", **wanted}
    wrong = {name: line.get(name) for name, pattern in wanted.items()
             if not re.fullmatch(pattern, line.get(name) or "")}
    expect(not wrong, f"{message} has {wrong}, wanted {wanted}; {line}")
    return line


@scenario("journal", "the journal has the registration, the tunnel and their loss by MESSAGE_ID, with their fields and "
          "the catalog's words; no line stands there twice")
def journal_fields(lab):
    run("journalctl", "--update-catalog")  # as dpkg's trigger does
    up(lab)
    segw, hems, mme = (re.escape(word) for word in (places.SEGW, URL, places.MME))
    states = run("ip", "xfrm", "state")
    spi = "|".join(f"{int(number, 16):08x}" for number in re.findall(r"\n\tproto esp spi (0x[0-9a-f]+)", states))
    told(lab, "STARTED", PRIORITY="6", VERSION=r"\d.*", IDENTITY=".+")
    told(lab, "TUNNEL_UP", PEER=segw, SPI=spi, SPI_OUT=spi, IKE_SPI="[0-9a-f]{16}", IKE_ALGORITHMS=".+",
         ESP_ALGORITHMS=".+")
    line = told(lab, "REGISTERED", PRIORITY="5", STEP="Registered with the Serving HeMS", CLAUSE=r"5\.1\.3 steps 3-4",
                STATE="registered", PEER=hems, MME=mme)["MESSAGE"]
    times = lab.agent.journal().splitlines().count(line)
    expect(times == 1, f"{line!r} is there {times} times")
    explained = journal(lab, "REGISTERED", "-x")
    for words in ("The box is registered", places.MME, "Nothing needs to be done"):
        expect(words in explained, f"journalctl -x does not say {words!r}: {explained}")
    expect("@" not in explained.partition("Support:")[2], f"journalctl -x leaves fields open: {explained}")

    (henb.CONFIG / "henb.pem").write_text("no certificate\n", encoding="utf-8")
    done, _ = reload_unit()
    expect(not done, "a reload with what is no certificate is done")
    told(lab, "RELOAD_REFUSED", PRIORITY="3")

    lab.boxes.terminate()
    told(lab, "TUNNEL_LOST", PRIORITY="4", STEP=".+", CLAUSE=r"5\.1\..+", PEER=segw, ERROR=".*deleted.*")
    told(lab, "REGISTRATION_LOST", PEER=hems, MME=mme)
    told(lab, "RETRY", STATE="retrying", ERROR=".*deleted.*", RETRY_SEC=r"\d+")
    lab.agent.registered()
    told(lab, "REGISTERED", 2, PEER=hems)
