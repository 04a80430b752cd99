# SPDX-License-Identifier: GPL-3.0-or-later
"""TS 32.593 5.1.2.2 and 5.1.3: straight to the serving pair; stopping, dying, starting."""

import re
import time
from pathlib import Path

import agent as henb
import places
from gateways import Gateway
from machine import expect, run, wait_for
from scenario import scenario
from steps import (RSA, URL, associated, down, killed, network_settings, no_key_in_journal, ping, process_facts, properties,
                   silent, trouble, up)
from ways import OPERATOR


@scenario("register", "5.1.2.2 and 5.1.3 with ECDSA, AES-GCM and names; then what each part looks like")
def register(lab):
    before = network_settings()
    up(lab)
    properties(
        lab, Mme=[[places.MME, [places.MME], places.S1_PORT]], AdminState=True, InnerAddresses=[places.INNER],
        TunnelInterface=henb.TUNNEL, SeGW=places.SEGW_NAME, SeGWAddress=places.SEGW, HeMS=URL, LastError="")
    expect(lab.agent.get("S1ConnectionMode") in ("One", "All"), "S1ConnectionMode is neither One nor All")
    expect(lab.agent.get("Step"), "Step is empty")
    expect("5.1.3" in lab.agent.get("Clause"), f"Clause is {lab.agent.get('Clause')!r}, wanted 5.1.3")

    # Registered and MME come in one signal, after each earlier state in order.
    changes = [values for _, _, values in lab.agent.watch.changes if values.get("State") == "registered"]
    expect(len(changes) == 1 and changes[0].get("Mme"), f"registered and Mme are not in one signal: {changes}")
    order = [state for state in lab.agent.watch.states() if state in ("discovering", "registering", "registered")]
    expect(order == ["discovering", "registering", "registered"], f"the states were {lab.agent.watch.states()}")

    process_facts(lab)
    no_key_in_journal(lab)
    for clause in ("5.1.2.2", "5.1.3"):
        lab.agent.wait_journal(re.escape(clause), 5)
    run("runuser", "-u", "nobody", "--", "busctl", "get-property", henb.BUS, henb.OBJECT, henb.INTERFACE, "Mme")
    expect(len(lab.boxes.segw_sas()) == 1, "the SeGW has not one IKE SA")
    associated(lab)
    ping(places.MME)
    after = network_settings()
    changed = [name for name in before if before[name] != after.get(name)]
    expect(not changed, f"settings of the kernel changed: {changed}")
    silent(lab, "while registered")
    down(lab)
    silent(lab, "after stop")
    ping(answers=False)


@scenario("register-rsa-cbc", "RSA-2048 both ways, ESP with AES-CBC and HMAC-SHA2-256", device="rsa", gateway=RSA)
def register_rsa_cbc(lab):
    up(lab)
    expect("hmac(sha256)" in run("ip", "xfrm", "state", "list", "nokeys"), "ESP does not use HMAC-SHA2-256")
    associated(lab)


@scenario("register-by-address", "SeGW and HeMS as addresses: no DNS at all, the certificate has an iPAddress",
          factory={"Identity": OPERATOR, "Serving": {"SeGW": places.SEGW, "HeMS": places.HEMS}}, names=[],
          gateway=Gateway("segw-address", identity=places.SEGW))
def register_by_address(lab):
    up(lab)
    properties(lab, SeGW=places.SEGW, SeGWAddress=places.SEGW, HeMS=f"http://{places.HEMS}:{places.HEMS_PORT}/")
    lab.agent.stop()
    verdict = lab.judge()
    expect("DNS" not in verdict.seen, "it asked the DNS")


@scenario("segw-identity", "SeGWIdentity= instead of the gateway's name",
          factory={"Serving": {"SeGWIdentity": "other.operator.example"}},
          gateway=Gateway("segw-wrong-name", identity="other.operator.example"))
def segw_identity(lab):
    up(lab)


@scenario("resolv-conf", "public DNS from /etc/resolv.conf; its search list and the hosts file are not used",
          factory={"Network": {"PublicDNS": None}})
def resolv_conf(lab):
    hosts, resolv = Path("/etc/hosts"), Path("/etc/resolv.conf")
    kept = hosts.read_text(), resolv.read_text()
    hosts.write_text(kept[0] + f"198.51.100.9 {places.SEGW_NAME} {places.HEMS_NAME}\n")
    resolv.write_text(f"nameserver {places.PUBLIC_DNS}\nsearch lan.example\noptions ndots:9\n")
    try:
        up(lab)
    finally:
        hosts.write_text(kept[0])
        resolv.write_text(kept[1])


@scenario("nat", "behind a NAT: ESP in UDP", nat=True)
def nat(lab):
    up(lab)
    expect("espinudp" in run("ip", "xfrm", "state", "list", "nokeys"), "ESP is not encapsulated in UDP")
    associated(lab)
    lab.agent.stop()
    verdict = lab.judge()
    expect(verdict.seen.get("ESP in UDP") and not verdict.seen.get("ESP"), f"on the wire: {verdict.seen}")


@scenario("mme-by-name", "the S1 far end as a list of a name and an address", hems="mme-by-name.json")
def mme_by_name(lab):
    up(lab)
    properties(lab, Mme=[[places.MME_NAME, [places.MME], places.S1_PORT], ["10.0.0.21", ["10.0.0.21"], places.S1_PORT]])
    associated(lab)


@scenario("admin-false", "AdminState false is published, and the S1 stand-in keeps away", hems="admin-false.json")
def admin_false(lab):
    up(lab)
    properties(lab, AdminState=False)
    trouble("has not let the cell on the air")
    status, output = lab.boxes.s1_stack(timeout=5)
    expect(status == 1 and "AdminState" in output, f"the S1 stand-in: status {status}: {output.strip()}")
    expect("association" not in lab.boxes.log("mme"), "the MME got an association")


@scenario("no-mme", "a session without an S1 far end: registered-without-mme", hems="no-mme.json")
def no_mme(lab):
    lab.agent.start()
    lab.agent.wait("State", "registered-without-mme")
    properties(lab, Mme=[])
    trouble("registered-without-mme")
    lab.agent.tunnel()
    ping()


@scenario("late-mme", "the S1 far end comes in a later, periodic session", hems="late-mme.json")
def late_mme(lab):
    up(lab)
    expect("registered-without-mme" in lab.agent.watch.states(), f"the states were {lab.agent.watch.states()}")
    associated(lab)


@scenario("break-after-spv", "a session that breaks after SetParameterValues: stored, and not published",
          hems="break-after-spv.json")
def break_after_spv(lab):
    lab.agent.start()
    lab.agent.failed(".")
    lab.agent.registered()
    first = [index for index, one in enumerate(lab.agent.watch.moments()) if one.get("Mme")]
    broken = [index for index, one in enumerate(lab.agent.watch.moments()) if one.get("State") == "retrying"]
    expect(broken and broken[0] < first[0], "the MME was published before the broken session was repeated")


@scenario("stop-and-start", "stop deletes the IKE SA and keeps the guard; start and restart register again")
def stop_and_start(lab):
    up(lab)
    down(lab)
    silent(lab, "after stop")
    up(lab)
    run("systemctl", "restart", henb.UNIT, timeout=120)
    lab.agent.registered()
    lab.agent.tunnel()
    ping()
    wait_for("one IKE SA at the SeGW", lambda: len(lab.boxes.segw_sas()) == 1, 10)
    down(lab)


@scenario("stop-silent-segw", "a SeGW that does not answer the DELETE holds up a stop for 2 s and no longer")
def stop_silent_segw(lab):
    up(lab)
    lab.boxes.silence("segw", "udp dport { 500, 4500 }")
    begin = time.monotonic()
    lab.agent.stop()
    seconds = time.monotonic() - begin
    expect(1.9 <= seconds < 6, f"stopping took {seconds:.1f} s")
    lab.agent.wait_journal("did not answer the DELETE in time", 10)
    lab.agent.no_tunnel()
    lab.agent.guard(places.INNER)
    result = lab.agent.unit("ActiveState", "Result")
    expect(result == {"ActiveState": "inactive", "Result": "success"}, f"after stop: {result}")


@scenario("segw-deletes", "the SeGW deletes the IKE SA: the MME goes off the bus at once, and comes back by itself")
def segw_deletes(lab):
    up(lab)
    begin = lab.agent.mark()
    lab.boxes.terminate()
    moment = lab.agent.failed("deleted")
    expect(not moment.get("InnerAddresses"), f"at the loss of the tunnel: {moment}")
    lab.agent.wait("InnerAddresses", [], since=begin)
    silent(lab, "without a tunnel")
    lab.agent.registered()
    lab.agent.tunnel()
    properties(lab, Mme=[[places.MME, [places.MME], places.S1_PORT]], LastError="")
    ping()
    associated(lab)


@scenario("kill-9", "killed while registered: what was left is removed, it registers again")
def kill_9(lab):
    up(lab)
    old = set(re.findall(r"spi (0x[0-9a-f]+)", run("ip", "xfrm", "state")))
    killed(lab)
    silent(lab, "after kill -9")
    lab.agent.registered()
    lab.agent.tunnel()
    new = set(re.findall(r"spi (0x[0-9a-f]+)", run("ip", "xfrm", "state")))
    expect(not old & new, f"SAs of the killed one are still there: {old & new}")
    ping()
    wait_for("one IKE SA at the SeGW", lambda: len(lab.boxes.segw_sas()) == 1, 10)
    down(lab)


@scenario("late-network", "started before the uplink has an address and a route", uplink=False)
def late_network(lab):
    lab.agent.start()
    lab.agent.wait("State", "waiting-network")
    trouble("Wait for the network")
    lab.boxes.uplink()
    lab.agent.registered()
    lab.agent.tunnel()
    ping()
