# SPDX-License-Identifier: GPL-3.0-or-later
"""What a build with -Dkey-export=true gives away, for Wireshark. tests/run --long plays it with such a build."""

import re

import agent as henb
from machine import expect, run, wait_for
from scenario import scenario
from steps import ping, up

KEYS = henb.STATE / "keys"


def esp():
    """{SPI: key} of Wireshark's table."""
    line = r'^"IPv4","\*","\*","(0x\w{8})","AES-GCM with 16 octet ICV \[RFC4106\]","(0x\w+)","NULL",""$'
    return dict(re.findall(line, (KEYS / "esp_sa").read_text(), re.M))


def kernel():
    """The same of the kernel."""
    state = r"proto esp spi (0x\w{8}) .*?aead rfc4106\(gcm\(aes\)\) (0x\w+) 128"
    return dict(re.findall(state, run("ip", "xfrm", "state"), re.S))


@scenario("keys", "a build for laboratories writes the keys of each SA, for Wireshark", demo=True)
def keys(lab):
    up(lab)
    lab.agent.wait_journal("THIS BUILD GIVES ALL KEYS AWAY")
    expect(kernel(), "there are no SAs")
    expect(kernel().items() <= esp().items(), f"the kernel has {kernel()}, written is {esp()}")
    lab.boxes.rekey()
    wait_for("another pair", lambda: len(esp()) >= 4, 60)
    ping()
    expect(kernel().items() <= esp().items(), f"after rekeying the kernel has {kernel()}, written is {esp()}")
    with lab.boxes.control("segw") as charon:
        (sa,) = [sa for event in charon.listed("list-sas", "list-sa") for sa in event.values()]
    spis = f"{sa['initiator-spi']},{sa['responder-spi']},"
    lines = (KEYS / "ikev2_decryption_table").read_text().splitlines()
    expect([line for line in lines if line.startswith(spis)], f"the gateway has the IKE SA {spis} which is not written")
    expect(len(lines) == len(set(lines)), "an IKE SA is written twice")
    for path, mode in (KEYS, 0o700), (KEYS / "esp_sa", 0o600), (KEYS / "ikev2_decryption_table", 0o600):
        expect(path.stat().st_mode & 0o777 == mode, f"{path} is for others")
