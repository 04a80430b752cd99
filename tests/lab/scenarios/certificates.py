# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates the gateway must not get away with; and where the box may keep its own."""

import re
import shutil
from pathlib import Path

import agent as henb
import places
from gateways import Gateway
from machine import expect, run
from scenario import scenario
from steps import refused, trouble, up

CREDSTORE = Path("/etc/credstore")
CREDENTIALS = f"/run/credentials/{henb.UNIT}/henb-agent"


def refusal(names, check):
    """LastError of a refused certificate: whose it is, which check failed, and what was expected, in one line."""
    return rf"certificate of {names}: {check}.*expected identity: {re.escape(places.SEGW_NAME)}"


@scenario("cert-wrong-name", "the gateway's name is in the CN only", hems=None, gateway=Gateway("segw-wrong-name"))
def cert_wrong_name(lab):
    refused(lab, refusal("other.operator.example", "subjectAltName does not carry the expected identity"))
    trouble("subjectAltName does not carry the expected identity")


@scenario("cert-unknown-ca", "the gateway's certificate is from a stranger with our root's name", hems=None,
          gateway=Gateway("segw-unknown-ca"))
def cert_unknown_ca(lab):
    refused(lab, refusal(places.SEGW_NAME, "(issued by a CA that is not trusted|signature of the issuer is wrong)"))


@scenario("cert-expired", "the gateway's certificate ended yesterday", hems=None, gateway=Gateway("segw-expired"))
def cert_expired(lab):
    refused(lab, refusal(places.SEGW_NAME, "expired"))
    trouble("expired")


@scenario("cert-ca-false", "the gateway's certificate is under one that is no CA", hems=None,
          gateway=Gateway("segw-ca-false", ("ca-false",)))
def cert_ca_false(lab):
    # strongSwan sends no issuer that is no CA; the unit tests hand the agent the whole chain.
    refused(lab, refusal(places.SEGW_NAME, "issued by a CA that is not trusted"))
    trouble("issued by a CA that is not trusted")


def sent(lab, issuer):
    """The gateway has sent the issuer's certificate: the refusal is the agent's own judgement."""
    expect(f'sending issuer cert "O=Operator, CN={issuer}"' in lab.boxes.log("segw-charon"),
           f"the SeGW did not send the certificate of {issuer}")


@scenario("cert-no-cert-sign", "the gateway's certificate is under a CA that may not sign certificates", hems=None,
          gateway=Gateway("segw-no-cert-sign", ("no-cert-sign",)))
def cert_no_cert_sign(lab):
    refused(lab, refusal(".*No Signer.*", ".*may not sign certificates"))
    sent(lab, "No Signer")


@scenario("cert-path-length", "the gateway's chain is longer than a CA in it allows", hems=None,
          gateway=Gateway("segw-path-length", ("intermediate", "path-length")))
def cert_path_length(lab):
    refused(lab, refusal(".*", ".*path length"))
    sent(lab, "Too Deep")


@scenario("cert-intermediate-ok", "the gateway sends a proper intermediate CA",
          gateway=Gateway("segw-intermediate", ("intermediate",)))
def cert_intermediate_ok(lab):
    up(lab)


@scenario("credentials", "key, certificate and root are systemd's credentials, which root alone can read where they are kept",
          factory={"Trust": {"CA": f"{CREDENTIALS}.ca", "Certificate": f"{CREDENTIALS}.certificate", "Key": f"{CREDENTIALS}.key"}})
def credentials(lab):
    CREDSTORE.mkdir(mode=0o700, exist_ok=True)
    try:
        for name, file in ("ca", "ca.pem"), ("certificate", "henb.pem"), ("key", "henb-key.pem"):
            kept = CREDSTORE / f"henb-agent.{name}"
            shutil.move(henb.CONFIG / file, kept)
            shutil.chown(kept, "root", "root")
            kept.chmod(0o400)
        up(lab)
        for user, reads in ("henb", True), ("nobody", False):
            said = run("setpriv", "--reuid", user, "--clear-groups", "cat", f"{CREDENTIALS}.key", check=False)
            expect(("PRIVATE KEY" in said) == reads, f"the key is read by {user}: {not reads}")
    finally:
        shutil.rmtree(CREDSTORE)
