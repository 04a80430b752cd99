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
    return dict(re.findall(r'^"IPv4","\*","\*","(0x\w{8})","AES-GCM with 16 octet ICV \[RFC4106\]","(0x\w+)","NULL",""$',
                           (KEYS / "esp_sa").read_text(), re.M))


def kernel():
    """The same of the kernel."""
    return dict(re.findall(r"proto esp spi (0x\w{8}) .*?aead rfc4106\(gcm\(aes\)\) (0x\w+) 128", run("ip", "xfrm", "state"), re.S))


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
    table = (KEYS / "ikev2_decryption_table").read_text()
    with lab.boxes.control("segw") as charon:
        (sa,) = [sa for event in charon.listed("list-sas", "list-sa") for sa in event.values()]
    expect(table.startswith(f"{sa['initiator-spi']},{sa['responder-spi']},") and table.count("\n") == 1,
           f"the gateway has {sa['initiator-spi']}, {sa['responder-spi']}")
    for path, mode in (KEYS, 0o700), (KEYS / "esp_sa", 0o600), (KEYS / "ikev2_decryption_table", 0o600):
        expect(path.stat().st_mode & 0o777 == mode, f"{path} is for others")
