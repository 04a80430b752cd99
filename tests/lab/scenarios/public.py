# SPDX-License-Identifier: GPL-3.0-or-later
"""TS 32.593 5.1.2.4: by an Initial HeMS on the public internet, over TLS, to the serving pair."""

import places
from contents import URL_SERVING, acs, assigns, serving
from machine import expect
from scenario import scenario
from servers import PUBLIC_HEMS, SERVING_HEMS
from steps import FAILURE, asked_of, associated, clauses, in_order, informed, mme_list, ping, properties, tunnels_made
from ways import outside


@scenario("public", "5.1.2.4 by names: the Initial HeMS over TLS with both certificates, then the serving pair", **outside())
def public(lab):
    lab.agent.start()
    lab.agent.registered(FAILURE)
    lab.agent.tunnel()
    properties(lab, SeGW=places.SEGW_SERVING_NAME, HeMS=URL_SERVING, Mme=mme_list(places.MME), LastError="")
    ping()
    in_order(clauses(lab), r"5\.1\.2\.4.*\b1", r"5\.1\.2\.4.*\b2", r"5\.1\.2\.4.*\b5\.1", r"5\.1\.2\.4.*\b5\.3",
             r"5\.1\.2\.4.*\b5\.4", r"5\.1\.3")
    informed(lab, PUBLIC_HEMS, 1, "0 BOOTSTRAP", "1 BOOT")
    informed(lab, SERVING_HEMS, 1, "0 BOOTSTRAP")
    asked_of(lab, "dns-public", places.HEMS_PUBLIC_NAME, places.SEGW_SERVING_NAME)
    asked_of(lab, "dns-private", places.HEMS_SERVING_NAME)
    associated(lab)


REVOCATION = {"Trust": {"CRL": "/etc/henb-agent/crl.pem", "Revocation": "strict"}}


def refused(lab, pattern):
    """The HeMS is refused: LastError names the check; it got no message, and there is no tunnel."""
    lab.agent.start()
    lab.agent.failed(pattern)
    expect(places.HEMS_PUBLIC_NAME in (lab.agent.get("LastError") or ""), f"LastError is {lab.agent.get('LastError')!r}")
    informed(lab, PUBLIC_HEMS, 0)
    expect(tunnels_made(lab, "segw") == 0, "it built a tunnel")


def bad_hems(name, what, pattern, **parts):
    @scenario(f"public-{name}", what, **outside(hems=None, mme=False, hems_public={}, **parts))
    def steps(lab):
        refused(lab, pattern)


bad_hems("wrong-name", "the HeMS's certificate has the right name in the CN only", r"subjectAltName does not carry the expected identity",
         hems_certificate="hems-wrong-name")
bad_hems("unknown-ca", "the HeMS's certificate is from a stranger with our root's name",
         r"not trusted|signature of the issuer", hems_certificate="hems-unknown-ca")
bad_hems("expired", "the HeMS's certificate ended yesterday", r"expired", hems_certificate="hems-expired")
bad_hems("not-yet", "the HeMS's certificate begins in a month", r"not yet valid|not valid yet", hems_certificate="hems-not-yet")
bad_hems("tls11", "the HeMS has TLS 1.1 and nothing newer", r"TLS version|TLS 1\.1", hems_options=("--tls-max", "1.1"))


bad_hems("revoked", "the HeMS's certificate is in its issuer's revocation list", r"revoked", hems_certificate="hems-revoked",
         factory=REVOCATION)


@scenario("public-crl-good", "Revocation=strict with the issuer's list, in which the HeMS is not", **outside(factory=REVOCATION))
def public_crl_good(lab):
    lab.agent.start()
    lab.agent.registered(FAILURE)


@scenario("public-no-segw", "the Initial HeMS on the internet names a HeMS and no SeGW: a stated error", **outside(
    hems_public=acs(*serving(URL_SERVING), expect={}), hems=None, mme=False))
def public_no_segw(lab):
    lab.agent.start()
    lab.agent.failed(r"SecGWServer|SeGW|gateway")
    informed(lab, PUBLIC_HEMS, len(lab.boxes.informs(PUBLIC_HEMS)), "0 BOOTSTRAP")
    expect(tunnels_made(lab, "segw") == 0, "it built a tunnel")


@scenario("public-hems-returns", "nothing listens at the HeMS on the internet; later it does", long=True, **outside(hems_public=None),
          declared=[(6, places.PUBLIC_HEMS, places.TLS_PORT)])
def public_hems_returns(lab):
    lab.agent.start()
    lab.agent.failed(r"refused|connect")
    lab.boxes.hems_public(assigns())
    lab.agent.registered(FAILURE)
    ping()
