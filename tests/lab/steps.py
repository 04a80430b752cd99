# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps that many scenarios share."""

import os
import re
import signal
import time
from pathlib import Path

import agent as henb
import judge
import places
import readme
from gateways import Gateway
from machine import Failure, expect, run, wait_for

FAILURE = henb.FAILURE_SECONDS
URL = f"http://{places.HEMS_NAME}:{places.HEMS_PORT}/"
RSA = Gateway("segw-rsa", ike="aes256-sha256-ecp256", esp="aes128-sha256,aes256-sha256")


def ping(address=places.HEMS, answers=True):
    """Echo through the tunnel, as a program of the box sends it."""
    output = run("ping", "-c", "2", "-i", "0.2", "-W", "5" if answers else "1", "-I", henb.TUNNEL, address, check=False)
    got = re.search(r"(\d+) received", output)
    expect(bool(got and int(got[1])) == answers, f"ping {address} by {henb.TUNNEL}: {output.strip()}")


def properties(lab, **wanted):
    for name, value in wanted.items():
        seen = lab.agent.get(name)
        expect(seen == value, f"{name} is {seen!r}, wanted {value!r}")


def silent(lab, when):
    """The prober must get no answer from the inner address."""
    answers = lab.boxes.probe((lab.agent.get("InnerAddresses") or [places.INNER])[0])
    expect(not answers, f"{when}, the inner address answers the prober: {answers}")


def associated(lab):
    """The S1 stand-in finds what it needs on the bus and gets its association."""
    status, output = lab.boxes.s1_stack()
    expect(status == 0 and "association" in output, f"the S1 stand-in: status {status}: {output.strip()}")
    inner = lab.agent.get("InnerAddresses")
    wait_for("the MME to see PPID 18", lambda: any(
        f"association from {address} ppid 18" in lab.boxes.log("mme") + lab.boxes.log("mme6") for address in inner))


def up(lab):
    """Started and registered, and the tunnel carries traffic."""
    lab.agent.start()
    lab.agent.registered()
    lab.agent.tunnel()
    ping()


def down(lab):
    """Stopped: nothing at the SeGW, no tunnel here, and what guards inner traffic still there."""
    inner = (lab.agent.get("InnerAddresses") or [places.INNER])[0]
    begin = time.monotonic()
    lab.agent.stop()
    seconds = time.monotonic() - begin
    expect(seconds < 10, f"stopping took {seconds:.1f} s")
    lab.agent.no_tunnel()
    lab.agent.guard(inner)
    wait_for("the SeGW to have no IKE SA", lambda: not lab.boxes.segw_sas(), 5)
    result = lab.agent.unit("ActiveState", "Result", "ExecMainStatus")
    expect(result == {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}, f"after stop: {result}")


def network_settings():
    """What a well-behaved daemon leaves alone: the kernel's settings of the other links."""
    settings = {}
    for family in ("ipv4", "ipv6"):
        for link in ("all", "default", "uplink", "lo"):
            for path in Path(f"/proc/sys/net/{family}/conf/{link}").iterdir():
                try:
                    settings[str(path)] = path.read_text()
                except OSError:
                    pass
    settings["forward"] = Path("/proc/sys/net/ipv4/ip_forward").read_text()
    return settings


def process_facts(lab):
    """The daemon runs as its own user with the two capabilities it needs and no more."""
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{lab.agent.pid()}/status").read_text().splitlines()
                  if ":\t" in line)
    expect(status["Uid"].split()[0] != "0", "the daemon runs as root")
    allowed = 1 << 12 | 1 << 10  # CAP_NET_ADMIN, CAP_NET_BIND_SERVICE
    for name in ("CapEff", "CapPrm", "CapBnd"):
        expect(int(status[name], 16) & ~allowed == 0, f"the daemon has {name} {status[name]}")


def trouble(quote, timeout=FAILURE):
    """henbctl status shows what the row with this quote in README.md's table of troubles says it does."""
    wanted = next(words for words in (readme.quotes(row[1]) for row in readme.troubles()) if quote in words)
    seen = []

    def look():
        seen[:] = [run("henbctl", "status", check=False)]
        return all(words in seen[0] for words in wanted)
    try:
        wait_for(quote, look, timeout)
    except Failure:
        raise Failure(f"henbctl status does not show {wanted}, but\n{seen[0]}") from None


def no_key_in_journal(lab):
    keys = re.findall(r"(?:aead|auth|auth-trunc|enc) \S+ 0x([0-9a-f]{16,})", run("ip", "xfrm", "state"))
    expect(keys, "ip xfrm state shows no key")
    journal = lab.agent.journal().lower()
    expect(not any(key in journal for key in keys), "an SA's key is in the journal")


def killed(lab):
    """kill -9; systemd starts it again."""
    before = lab.agent.pid()
    os.kill(before, signal.SIGKILL)
    wait_for("systemd to start it again", lambda: lab.agent.pid() not in (0, before), 60, 0.2)


def refused(lab, pattern, *identities):
    """The tunnel is refused: LastError says why, the journal names the identities, nothing is left in the kernel."""
    lab.agent.start()
    lab.agent.failed(pattern)
    for identity in identities:
        lab.agent.wait_journal(re.escape(identity), 10)
    lab.agent.no_tunnel()
    expect(not lab.agent.watch or "registering" not in lab.agent.watch.states(), "it went on to register")


def mme_list(*entries, port=places.S1_PORT):
    """Mme as the bus shows it, of addresses or (name, address...)."""
    return [[entry, [entry], port] if isinstance(entry, str) else [entry[0], list(entry[1:]), port] for entry in entries]


def in_order(seen, *patterns):
    """Each pattern fits something in *seen*, one after the other."""
    rest = iter(seen)
    for pattern in patterns:
        expect(any(re.search(pattern, one) for one in rest), f"/{pattern}/ is not where it should be in {seen}")


def clauses(lab):
    """The values of Clause so far."""
    return [values["Clause"] for _, _, values in lab.agent.watch.changes if values.get("Clause")]


def asked_of(lab, dns, *names):
    """Exactly these names were asked of a DNS server of the lab."""
    seen = {name.lower() for name, _ in lab.boxes.dns_asked(dns)}
    expect(seen == set(names), f"{dns} was asked for {sorted(seen)}, not {sorted(names)}")


def informed(lab, name, count=1, *events):
    """A HeMS has had so many sessions, the first with (at least) these events."""
    informs = lab.boxes.informs(name)
    expect(len(informs) == count, f"{name} has had {len(informs)} sessions, not {count}: {informs}")
    expect(not count or set(events) <= set(informs[0]), f"{name}'s first Inform has {informs[0] if informs else None}")


def tunnels_made(lab, gateway):
    """How many IKE SAs a gateway has had."""
    return len(re.findall(r"IKE_SA henb\[\d+\] established between", lab.boxes.log(f"{gateway}-charon")))


def nothing_leaves(lab, seconds=15, name="quiet", but=()):
    """For so long the HeNB sends nothing but what a host without any program sends."""
    lab.boxes.capture(name)
    time.sleep(seconds)
    lab.boxes.capture_end(name)
    verdict = judge.judge_file(lab.logs / f"{name}.pcap", lab.rules())
    sent = {kind: count for kind, count in verdict.seen.items() if kind not in ("ARP", "IPv6 neighbours", *but)}
    expect(not sent and not verdict.objections, f"the HeNB sends {sent} {verdict.objections[:1]}")


def sent_to(lab, name):
    """The verdict on a capture that has ended, and the addresses the HeNB sent to."""
    lab.boxes.capture_end(name)
    verdict = judge.judge_file(lab.logs / f"{name}.pcap", lab.rules())
    return verdict, {where for _, _, where in verdict.packets if where}


def killed_at(lab, pattern, begin, timeout=FAILURE):
    """kill -9 as soon as Clause fits in what the bus has told since change number *begin*; the number at the kill."""
    wait_for(f"Clause /{pattern}/", lambda: any(re.search(pattern, values.get("Clause", "")) for _, _, values in
                                               lab.agent.watch.changes[begin:]), timeout, 0.005)
    number = len(lab.agent.watch.changes)
    killed(lab)
    return number


def gateway_dies(lab, name="segw"):
    """Without a word, as in a power cut."""
    lab.boxes.silence(name, "meta l4proto { udp, esp } iifname wan")
    lab.boxes.end(name, signal.SIGKILL)
