# SPDX-License-Identifier: GPL-3.0-or-later
"""Security gateways: strongSwan, as many as a scenario wants at once."""

import os
import shutil
import subprocess
from dataclasses import dataclass

import places
from machine import CERTIFICATES, RUN, Failure, wait_for


@dataclass
class Gateway:
    """How a SeGW is set up in a scenario."""
    certificate: str = "segw-ecdsa"
    intermediates: tuple = ()
    identity: str = places.SEGW_NAME
    ike: str = "aes128gcm16-prfsha256-ecp256,aes256-sha256-ecp256,aes128-sha256-ecp256,aes256-sha256-modp2048"
    esp: str = "aes128gcm16,aes256gcm16"
    selector: str = "0.0.0.0/0"
    inside: str = "4"  # families of the addresses it gives: 4, 6, 46
    dns: object = None  # what it says the DNS is; None: its network's, in these families; "": nothing
    options: tuple = ()  # more lines of the connection
    hosting: object = None  # the hosting party of a second authentication: hosting.HostingParty


class Gateways:
    def segw(self, gateway, side=places.SERVING):
        pools = []
        for family, addresses, server in (("4", side.pool + "0/24", side.dns), ("6", side.pool6 + "/64", side.dns6)):
            if family in gateway.inside:
                server = server if gateway.dns is None else gateway.dns if family == gateway.inside[0] else ""
                pools.append(f"inner{family} {{\naddrs = {addresses}\n{f'dns = {server}' if server else ''}\n}}")
        names = ", ".join(f"inner{family}" for family in gateway.inside)
        selector = gateway.selector if gateway.inside == "4" else ",".join(
            {"4": gateway.selector, "6": "::/0"}[family] for family in gateway.inside)
        newline = "\n"
        hosting = gateway.hosting
        if hosting:
            self.hosting_party(hosting, side)
        remotes = hosting.remotes if hosting else "remote {\nauth = pubkey\n}"
        self.charon(side.box, side.box, gateway.certificate, gateway.intermediates, f"""
            connections {{
                henb {{
                    version = 2
                    local_addrs = {side.segw}, {side.segw6}
                    proposals = {gateway.ike}
                    pools = {names}
                    send_cert = always
                    {newline.join(gateway.options)}
                    local {{
                        auth = pubkey
                        certs = {gateway.certificate}.pem
                        id = {gateway.identity}
                    }}
                    {remotes}
                    children {{
                        all {{
                            local_ts = {selector}
                            esp_proposals = {gateway.esp}
                            mode = tunnel
                        }}
                    }}
                }}
            }}
            pools {{
                {newline.join(pools)}
            }}
        """, **({"plugins": "eap-radius", "plugin": hosting.plugin} if hosting else {}))

    def charon(self, name, namespace, certificate, intermediates, configuration, plugins="", plugin=""):
        """strongSwan with its own folder and control socket; None is the HeNB's own namespace. *plugins*: more of them,
        *plugin*: their settings."""
        folder = RUN / name
        for part in ("x509", "x509ca", "private"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        shutil.copy(CERTIFICATES / f"{certificate}.pem", folder / "x509")
        shutil.copy(CERTIFICATES / f"{certificate}-key.pem", folder / "private")
        for authority in ("root-ecdsa", "root-rsa", *intermediates):
            shutil.copy(CERTIFICATES / f"{authority}.pem", folder / "x509ca")
        (folder / "swanctl.conf").write_text(configuration)
        (folder / "strongswan.conf").write_text(f"""
            charon-systemd {{
                load = random nonce x509 constraints pubkey pkcs1 pkcs8 pem openssl kdf hmac gcm sha2 sha1 aes kernel-netlink socket-default vici {plugins}
                retransmit_timeout = 1.0
                plugins {{
                    vici {{
                        socket = unix://{folder}/charon.vici
                    }}
                    {plugin}
                }}
                journal {{
                    default = -1
                }}
                filelog {{
                    file {{
                        path = {self.logs}/{name}-charon.log
                        append = yes
                        default = 1
                        ike = 2
                        cfg = 2
                        flush_line = yes
                    }}
                }}
            }}
        """)
        (folder / "charon.vici").unlink(missing_ok=True)
        self.spawn(name, namespace, "/usr/sbin/charon-systemd",
                   environment={"STRONGSWAN_CONF": f"{folder}/strongswan.conf"})
        wait_for(f"{name}'s control socket", lambda: self.alive(name) and (folder / "charon.vici").exists())
        self.swanctl(name, "--load-all", "--file", folder / "swanctl.conf")

    def swanctl(self, name, *argv, check=True):
        done = subprocess.run(
            ["swanctl", argv[0], "--uri", f"unix://{RUN}/{name}/charon.vici", *map(str, argv[1:])], text=True,
            capture_output=True, env={**os.environ, "SWANCTL_DIR": str(RUN / name),
                                      "STRONGSWAN_CONF": f"{RUN}/{name}/strongswan.conf"}, timeout=60)
        if check and done.returncode != 0:
            raise Failure(f"swanctl {argv[0]} at {name}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def segw_sas(self, name="segw"):
        """Established IKE SAs at a SeGW, one line each."""
        return [line for line in self.swanctl(name, "--list-sas").splitlines() if "ESTABLISHED" in line]
