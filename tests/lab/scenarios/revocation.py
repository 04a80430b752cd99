# SPDX-License-Identifier: GPL-3.0-or-later
"""Gateways whose certificates are revoked or not, and who says so: an OCSP responder and a CRL on the internet, asked
before the tunnel is there. Each policy with the answer, and with nobody who answers."""

import re
import shutil
import sys

import judge
import places
from gateways import Gateway
from machine import CERTIFICATES, HERE, RUN, expect, wait_for
from scenario import scenario
from servers import listening
from steps import refused, trouble, up

PKI_NAME, OCSP_PORT, CRL_PORT = "pki.operator.example", 8888, 8889
POLICIES = ("off", "if-available", "strict")


def outside(certificate, policy, **parts):
    """A gateway with this certificate, and the agent with this policy; the PKI is on the internet."""
    return {"gateway": Gateway(certificate), "factory": {"Trust": {"Revocation": policy}},
            "public_names": {places.SEGW_NAME: [places.SEGW], PKI_NAME: [places.PUBLIC_HEMS]},
            "names": [places.SEGW_NAME, PKI_NAME],
            "declared": [(judge.TCP, places.PUBLIC_HEMS, OCSP_PORT), (judge.TCP, places.PUBLIC_HEMS, CRL_PORT)], **parts}


def pki(lab):
    """The responder, of openssl, and the CRL by http."""
    folder = RUN / "pki"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(CERTIFICATES / "segw.crl", folder)
    lab.boxes.spawn("ocsp", "internet", "openssl", "ocsp", "-port", OCSP_PORT, "-index", CERTIFICATES / "pki-index.txt",
                    "-CA", CERTIFICATES / "root-ecdsa.pem", "-rsigner", CERTIFICATES / "root-ecdsa.pem", "-rkey",
                    CERTIFICATES / "root-ecdsa-key.pem", "-nmin", 10, "-rmd", "sha256")
    lab.boxes.spawn("crl", "internet", sys.executable, HERE / "pki.py", "--listen", f"{places.PUBLIC_HEMS}:{CRL_PORT}",
                    "--folder", folder)
    for name, port in (("ocsp", OCSP_PORT), ("crl", CRL_PORT)):
        wait_for(f"{name} to listen", lambda: lab.boxes.alive(name) and listening("internet", port))


def silent_pki(lab):
    """Takes every request and answers none."""
    for name, port in (("ocsp", OCSP_PORT), ("crl", CRL_PORT)):
        lab.boxes.spawn(name, "internet", sys.executable, HERE / "pki.py", "--listen", f"{places.PUBLIC_HEMS}:{port}",
                        "--folder", RUN, "--silent")
        wait_for(f"{name} to listen", lambda: lab.boxes.alive(name) and listening("internet", port))


def good(kind, policy):
    @scenario(f"revocation-{kind}-good-{policy}", f"Revocation={policy}, and {kind.upper()} says that the gateway's is good",
              long=policy != "strict", **outside(f"segw-{kind}", policy))
    def steps(lab):
        pki(lab)
        up(lab)
        if kind == "crl":
            asked = "GET /segw.crl" in lab.boxes.log("crl")
            expect(asked == (policy != "off"), f"the CRL was {'' if asked else 'not '}fetched under {policy}")


def revoked(kind, policy):
    parts = outside(f"segw-{kind}-revoked", policy, long=policy != "strict")
    if policy != "off":
        parts["hems"] = None

    @scenario(f"revocation-{kind}-revoked-{policy}", f"Revocation={policy}, and {kind.upper()} says that the gateway's is revoked",
              **parts)
    def steps(lab):
        pki(lab)
        if policy == "off":
            up(lab)
        else:
            refused(lab, rf"{re.escape(places.SEGW_NAME)} \(serial [0-9a-f]+\) was revoked on .* \(keyCompromise\)")


def dead(policy, how):
    parts = outside("segw-ocsp", policy, long=how == "silent")
    if policy == "strict":
        parts["hems"] = None

    @scenario(f"revocation-{how}-{policy}", f"Revocation={policy}, and the responder is {how}", **parts)
    def steps(lab):
        if how == "silent":
            silent_pki(lab)
        if policy == "strict":
            refused(lab, r"revocation of the certificate of .* cannot be checked: OCSP http://pki\.operator\.example:8888/: ")
            trouble("cannot be checked")
            return
        up(lab)
        if policy == "if-available":
            lab.agent.wait_journal(r"revocation of the certificate of .* cannot be checked", 10)


for one_policy in POLICIES:
    for one_kind in ("ocsp", "crl"):
        good(one_kind, one_policy)
        revoked(one_kind, one_policy)
    for one_way in ("absent", "silent"):
        dead(one_policy, one_way)
