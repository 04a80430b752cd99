# SPDX-License-Identifier: GPL-3.0-or-later
"""Security gateways: strongSwan, as many as a scenario wants at once."""

import os
import re
import shutil
import socket
import struct
from dataclasses import dataclass

import places
import vici
from machine import CERTIFICATES, RUN, Failure, inside, wait_for


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
    # What it does of its own accord, in seconds; 0: nothing. A re-authentication below a minute is for its peer to do.
    rekey_child: int = 0
    rekey_ike: int = 0
    reauthenticate: int = 0
    dpd: int = 0
    cookie: bool = False  # each IKE_SA_INIT has to come again with a cookie
    fragment_size: int = 0  # of its IKE messages, which are in fragments then whenever the peer allows it
    mobike: bool = True
    pss: bool = False  # signs with RSA-PSS
    options: tuple = ()  # more lines of the connection
    hosting: object = None  # the hosting party of a second authentication: hosting.HostingParty
    child_options: tuple = ()  # of its child
    settings: tuple = ()  # of charon itself

    def connection_lines(self):
        timers = {"rekey_time": self.rekey_ike, "reauth_time": self.reauthenticate, "dpd_delay": self.dpd}
        lines = [f"{name} = {seconds}s" for name, seconds in timers.items() if seconds]
        if self.rekey_ike or self.reauthenticate:
            lines += ["rand_time = 0s", "over_time = 60s"]
        if self.fragment_size:
            lines.append("fragmentation = force")
        if not self.mobike:
            lines.append("mobike = no")
        return (*lines, *self.options)

    def child_lines(self):
        lines = [f"rekey_time = {self.rekey_child}s", "life_time = 3600s", "rand_time = 0s"] if self.rekey_child else []
        return (*lines, *self.child_options)

    def charon_lines(self):
        lines = ["cookie_threshold = 1", "cookie_threshold_ip = 0", "half_open_timeout = 86400"] if self.cookie else []
        if self.fragment_size:
            lines.append(f"fragment_size = {self.fragment_size}")
        if self.pss:
            lines.append("rsa_pss = yes")
        return (*lines, *self.settings)


# A point everybody knows to be on P-256: its generator.
P256 = bytes.fromhex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
                     "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")


def ike_sa_init():
    """An IKE_SA_INIT request that offers AES-128-GCM, SHA2-256 and P-256."""
    def payload(following, body):
        return struct.pack("!BBH", following, 0, 4 + len(body)) + body
    transforms = [(1, 20, struct.pack("!HH", 0x800E, 128)), (2, 5, b""), (4, 19, b"")]
    body = b"".join(struct.pack("!BBHBBH", 3 if number < len(transforms) else 0, 0, 8 + len(attribute), kind, 0, value) + attribute
                    for number, (kind, value, attribute) in enumerate(transforms, 1))
    proposal = struct.pack("!BBHBBBB", 0, 0, 8 + len(body), 1, 1, 0, len(transforms)) + body
    message = payload(34, proposal) + payload(40, struct.pack("!HH", 19, 0) + P256) + payload(0, os.urandom(32))
    return os.urandom(8) + bytes(8) + bytes([33, 0x20, 34, 8]) + struct.pack("!II", 0, 28 + len(message)) + message


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
                    {newline.join(gateway.connection_lines())}
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
                            {newline.join(gateway.child_lines())}
                            mode = tunnel
                        }}
                    }}
                }}
            }}
            pools {{
                {newline.join(pools)}
            }}
        """, gateway.charon_lines(), **({"plugins": "eap-radius", "plugin": hosting.plugin} if hosting else {}))
        if gateway.cookie:
            self.half_open(side.segw)

    def half_open(self, segw):
        """One IKE_SA_INIT from elsewhere that is not gone on with: from now on the gateway asks everybody for a cookie."""
        with inside("internet"):
            mouth = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with mouth:
            mouth.settimeout(1)
            for _ in range(20):
                mouth.sendto(ike_sa_init(), (segw, 500))
                try:
                    mouth.recv(4096)
                    return
                except OSError:
                    continue
        raise Failure(f"{segw} does not answer an IKE_SA_INIT")

    def charon(self, name, namespace, certificate, intermediates, configuration, settings=(), plugins="", plugin=""):
        """strongSwan with its own folder and control socket, *settings* more lines of strongswan.conf; None is the HeNB's
        own namespace. *plugins*: more of them, *plugin*: their settings."""
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
                install_routes = {"yes" if namespace is None else "no"}
                {chr(10).join(settings)}
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
        self.load(name, vici.parse(configuration))

    def control(self, name):
        """charon's control interface."""
        return vici.Vici(RUN / name / "charon.vici")

    def load(self, name, configuration):
        """Certificates and keys of its folder, pools, connections: what swanctl --load-all does."""
        folder = RUN / name
        with self.control(name) as charon:
            for part, flag in (("x509", "NONE"), ("x509ca", "CA")):
                for path in sorted((folder / part).iterdir()):
                    try:
                        charon.request("load-cert", {"type": "X509", "flag": flag, "data": path.read_bytes()})
                    except vici.ViciError:  # no CA, and it is to send it as if it were one
                        charon.request("load-cert", {"type": "X509", "flag": "NONE", "data": path.read_bytes()})
            for path in sorted((folder / "private").iterdir()):
                charon.request("load-key", {"type": "any", "data": path.read_bytes()})
            for pool, parts in configuration.get("pools", {}).items():
                charon.request("load-pool", {pool: parts})
            for connection, parts in configuration["connections"].items():
                for end in parts.values():
                    if isinstance(end, dict) and "certs" in end:
                        end["certs"] = [(folder / "x509" / one.strip()).read_bytes() for one in end["certs"].split(",")]
                charon.request("load-conn", {connection: parts})

    def rekey(self, name="segw", what="child", connection=None):
        """The gateway begins a rekeying of its "child" or its "ike" SA."""
        with self.control(name) as charon:
            charon.request("rekey", {what: connection or ("all" if what == "child" else "henb")})

    def terminate(self, name="segw", force=False):
        """The gateway deletes the IKE SA; with *force* it does not wait for an answer."""
        with self.control(name) as charon:
            try:
                charon.listed("terminate", "control-log", {"ike": "henb", "timeout": "20000", "loglevel": "-1",
                                                           "force": "yes" if force else "no"})
            except vici.ViciError:
                # With force it is gone, and nobody has answered its DELETE. Without, one that a rekeying has replaced and
                # that is on its way out already may count as a failure: what counts is that none is left.
                if not force:
                    wait_for("the gateway's IKE SA to go", lambda: not self.segw_sas(name), 20)

    def redirect(self, gateway, name="segw"):
        """The gateway sends its peers to another address or name, in an established SA."""
        with self.control(name) as charon:
            charon.request("redirect", {"ike": "henb", "gateway": gateway})

    def rekeyings(self, name="segw"):
        """(children, IKE SAs) that were rekeyed at a gateway so far."""
        log = self.log(f"{name}-charon")
        children = set(re.findall(r"CHILD_SA all\{(\d+)\} established with SPIs", log))
        return len(children) - 1, len(re.findall(r"IKE_SA henb\[\d+\] rekeyed between", log))

    def segw_sas(self, name="segw"):
        """Established IKE SAs at a SeGW, one line each."""
        with self.control(name) as charon:
            seen = [(connection, sa) for event in charon.listed("list-sas", "list-sa") for connection, sa in event.items()]
        return [f"{connection}: #{sa['uniqueid']}, ESTABLISHED, {sa['local-host']} and {sa['remote-host']} "
                f"({sa.get('remote-id')}), inner {', '.join(sa.get('remote-vips', []))}"
                for connection, sa in seen if sa["state"] == "ESTABLISHED"]
