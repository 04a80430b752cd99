# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenIKED as a gateway: a second program of IKEv2 that shares no line with strongSwan."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import places
from machine import CERTIFICATES, RUN, run, wait_for

# Debian's 7.2 loads these of its ESP suites into Linux, and no AES-GCM; with HMAC-SHA2-256 it says it did and did not.
ESP = "enc aes-256 auth hmac-sha2-384"


@dataclass
class Iked:
    """How it is set up in a scenario."""
    certificate: str = "segw-ecdsa"
    identity: str = places.SEGW_NAME
    ike: str = "enc aes-256 prf hmac-sha2-256 auth hmac-sha2-256 group ecp256"
    esp: str = ESP
    ike_seconds: int = 0  # it rekeys before; 0: its own default
    child_seconds: int = 0
    fragments: bool = False  # it has them at 548 bytes


class OpenIked:
    def iked(self, gateway, side=places.SERVING):
        """In its gateway's namespace; its files are where its own ones are, for this namespace only."""
        folder = Path("/etc/netns") / side.box / "iked"
        for part in ("ca", "certs", "crls", "private", "pubkeys"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        Path("/etc/iked").mkdir(exist_ok=True)
        shutil.copy(CERTIFICATES / "ca.pem", folder / "ca" / "ca.crt")
        shutil.copy(CERTIFICATES / f"{gateway.certificate}.pem", folder / "certs" / f"{gateway.identity}.crt")
        shutil.copy(CERTIFICATES / f"{gateway.certificate}-key.pem", folder / "private" / "local.key")
        (folder / "private" / "local.key").chmod(0o600)
        life = (f"ikelifetime {gateway.ike_seconds} " if gateway.ike_seconds else "") + (
            f"lifetime {gateway.child_seconds} " if gateway.child_seconds else "")
        configuration = RUN / f"{side.box}-iked.conf"
        configuration.write_text(
            ("set fragmentation\n" if gateway.fragments else "") +
            f'ikev2 "henb" passive esp from 0.0.0.0/0 to dynamic local {side.segw} peer any '
            f"ikesa {gateway.ike} childsa {gateway.esp} srcid {gateway.identity} {life}"
            f"config address {side.pool}0/24 config name-server {side.dns}\n")
        configuration.chmod(0o600)
        # It adds no route to the addresses it gives.
        self.batch(side.box, f"route replace {side.pool}0/24 via {places.NAT} dev wan")
        self.spawn(side.box, None, "ip", "netns", "exec", side.box, "/usr/sbin/iked", "-d", "-v", "-v", "-f", configuration,
                   "-s", RUN / f"{side.box}-iked.sock")
        # Before this it answers an IKE_SA_INIT, and ignores the IKE_AUTH that follows for ever.
        wait_for("iked", lambda: self.alive(side.box) and "config_getstatic: no stickyaddress" in self.log(side.box), 60)

    def iked_control(self, *words, side=places.SERVING):
        return run("ip", "netns", "exec", side.box, "ikectl", "-s", RUN / f"{side.box}-iked.sock", *words)

    def iked_end(self):
        shutil.rmtree("/etc/netns", ignore_errors=True)
