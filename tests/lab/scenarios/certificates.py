# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates the gateway must not get away with; and where the box may keep its own."""

import re
import shutil
from pathlib import Path

import agent as henb
import places
from contents import acs, s1
from gateways import Gateway
from machine import expect, run, wait_for
from scenario import scenario
from steps import refused, trouble, up

CREDSTORE, ENCRYPTED = Path("/etc/credstore"), Path("/etc/credstore.encrypted")
CREDENTIALS = f"/run/credentials/{henb.UNIT}/henb-agent"

LOGIN = {"type": "digest", "username": "00A0BC-000001", "password": "of this box alone"}


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


def kept(ending=""):
    """Of a scenario: agent.conf names systemd's credentials with this ending, and the HeMS wants the password."""
    path = f"{CREDENTIALS}.{{}}{ending}".format
    return {"factory": {"Trust": {"CA": path("ca"), "Certificate": path("certificate"), "Key": path("key")},
                        "Registration": {"Username": LOGIN["username"], "PasswordFile": path("password")}},
            "hems": acs(*s1(), auth=LOGIN)}


def files():
    """{name of the credential: its file of factory data}."""
    (henb.CONFIG / "password").write_text(LOGIN["password"] + "\n")
    return {"ca": henb.CONFIG / "ca.pem", "certificate": henb.CONFIG / "henb.pem", "key": henb.CONFIG / "henb-key.pem",
            "password": henb.CONFIG / "password"}


def hidden(lab, store, ending=""):
    """The agent alone has the secrets, and not in its environment, which others may inherit."""
    environment = Path(f"/proc/{lab.agent.pid()}/environ").read_text()
    expect("CREDENTIALS_DIRECTORY=" in environment, f"that is not the agent's environment: {environment}")
    for name, secret in ("key", "PRIVATE KEY"), ("password", LOGIN["password"]):
        expect(secret not in environment, f"the {name} is in the environment")
        given, stored = f"{CREDENTIALS}.{name}{ending}", store / f"henb-agent.{name}{ending}"
        for user, path, reads in ("henb", given, True), ("nobody", given, False), ("henb", stored, False):
            said = run("setpriv", "--reuid", user, "--clear-groups", "cat", path, check=False)
            expect((secret in said) == reads, f"{path} is read by {user}: {not reads}")
    said = run("setpriv", "--reuid", "nobody", "--clear-groups", "ls", Path(CREDENTIALS).parent, check=False)
    expect("henb-agent." not in said, f"nobody sees which credentials there are: {said}")
    expect(LOGIN["password"] not in lab.agent.journal(), "the password is in the journal")


@scenario("credentials", "key, certificate, root and password are systemd's credentials: root alone reads them where they are kept",
          **kept())
def credentials(lab):
    CREDSTORE.mkdir(mode=0o700, exist_ok=True)
    try:
        for name, file in files().items():
            path = CREDSTORE / f"henb-agent.{name}"
            shutil.move(file, path)
            shutil.chown(path, "root", "root")
            path.chmod(0o400)
        up(lab)
        hidden(lab, CREDSTORE)
    finally:
        shutil.rmtree(CREDSTORE)


@scenario("credentials-encrypted", "the same, encrypted to the box by systemd-creds; a damaged one keeps the agent from starting",
          **kept(".encrypted"))
def credentials_encrypted(lab):
    ENCRYPTED.mkdir(mode=0o700, exist_ok=True)
    try:
        for name, file in files().items():
            path = ENCRYPTED / f"henb-agent.{name}.encrypted"
            run("systemd-creds", "encrypt", "--with-key=host", file, path)
            file.unlink()
        up(lab)
        hidden(lab, ENCRYPTED, ".encrypted")
        lab.agent.stop()
        up(lab)
        lab.agent.stop()
        run("systemd-creds", "encrypt", "--with-key=host", "--name=another", "-", path, stdin=LOGIN["password"])
        lab.agent.start(wait=False)
        wait_for("systemd to refuse it", lambda: lab.agent.unit("ExecMainStatus")["ExecMainStatus"] == "243", 30)
    finally:
        shutil.rmtree(ENCRYPTED)
