# SPDX-License-Identifier: GPL-3.0-or-later
"""Long ones: what multiplies or repeats."""

import time

import agent as henb
from gateways import Gateway
from machine import run
from scenario import scenario
from steps import associated, down, killed, ping, silent, up


def matrix(device, certificate, esp):
    @scenario(f"long-{device}-{certificate}-{esp}", f"{device} certificates with ESP {esp}", long=True, device=device,
              gateway=Gateway(certificate, esp=esp))
    def steps(lab):
        up(lab)
        associated(lab)
        down(lab)


for _device, _certificate in (("ecdsa", "segw-ecdsa"), ("rsa", "segw-rsa"), ("ecdsa", "segw-rsa"), ("rsa", "segw-ecdsa")):
    for _esp in ("aes128gcm16", "aes256gcm16", "aes128-sha256", "aes256-sha256"):
        matrix(_device, _certificate, _esp)


@scenario("long-kill-loop", "killed at twenty different moments of its way", long=True, hems="again.json")
def long_kill_loop(lab):
    lab.agent.start()
    for number in range(20):
        time.sleep(0.15 * number)
        killed(lab)
        run("systemctl", "reset-failed", henb.UNIT)
        silent(lab, f"after kill {number + 1}")
    lab.agent.registered()
    lab.agent.tunnel()
    ping()
    down(lab)


@scenario("long-restart-loop", "stopped and started twenty times", long=True)
def long_restart_loop(lab):
    for _ in range(20):
        run("systemctl", "reset-failed", henb.UNIT, check=False)
        up(lab)
        down(lab)
