# SPDX-License-Identifier: GPL-3.0-or-later
"""What fails on the way, and gets well again."""

from gateways import Gateway
from machine import wait_for
from scenario import scenario
from steps import FAILURE, ping, refused, trouble


@scenario("segw-silent", "the SeGW does not answer; later it does")
def segw_silent(lab):
    lab.boxes.silence("segw", "udp dport { 500, 4500 }")
    lab.agent.start()
    lab.agent.failed(r"answer|respon|timed? ?out|silent")
    lab.agent.no_tunnel(lambda: lab.agent.get("State") == "retrying")
    trouble("does not answer IKE_SA_INIT")
    lab.boxes.hear("segw")
    lab.agent.registered(FAILURE)
    ping()


@scenario("segw-refuses", "the SeGW accepts none of our proposals", hems=None,
          gateway=Gateway(ike="aes128-sha1-modp1024"))
def segw_refuses(lab):
    refused(lab, r"NO_PROPOSAL_CHOSEN|proposal")
    trouble("NO_PROPOSAL_CHOSEN")


@scenario("segw-refuses-esp", "the SeGW accepts the IKE SA and none of our ESP proposals", hems=None,
          gateway=Gateway(esp="3des-sha1"))
def segw_refuses_esp(lab):
    refused(lab, r"NO_PROPOSAL_CHOSEN|proposal")
    wait_for("no IKE SA at the SeGW", lambda: not lab.boxes.segw_sas(), 30)


@scenario("dns-silent", "the public DNS does not answer; later it does")
def dns_silent(lab):
    lab.boxes.silence("internet", "udp dport 53")
    lab.agent.start()
    lab.agent.failed(r"dns|resolv|segw\.operator\.example")
    trouble("no server answered")
    lab.boxes.hear("internet")
    lab.agent.registered(FAILURE)


@scenario("dns-nxdomain", "the public DNS does not know the SeGW", public_names={}, hems=None)
def dns_nxdomain(lab):
    refused(lab, r"segw\.operator\.example")
    trouble("the name does not exist (NXDOMAIN)")


@scenario("hems-nxdomain", "the private DNS does not know the HeMS", private_names={}, hems=None)
def hems_nxdomain(lab):
    lab.agent.start()
    lab.agent.failed(r"hems\.operator\.example")
    lab.agent.whole_or_none()


@scenario("hems-down", "nothing listens at the HeMS; later it does", hems=None)
def hems_down(lab):
    lab.agent.start()
    lab.agent.failed(r"hems|refused|connect")
    lab.agent.whole_or_none()
    lab.boxes.hems("again.json")
    lab.agent.registered(FAILURE)
    ping()


def hems_fails(name, what, pattern, long=False, shows=None):
    """The HeMS fails two sessions, and the third is good: nothing was lost (the ACS checks events and RetryCount).
    tests/test_cpe.py plays all of them on loopback, too."""
    @scenario(f"hems-{name}", what, long=long, hems=f"hems-{name}.json")
    def steps(lab):
        lab.agent.start()
        lab.agent.failed(pattern)
        if shows:
            trouble(shows)
        lab.agent.whole_or_none()
        lab.agent.registered(FAILURE)
        ping()


hems_fails("404", "the HeMS answers 404, then 204", "404", long=True, shows="HTTP 404 from")
hems_fails("503", "the HeMS answers 503 with Retry-After, then well", "503")
hems_fails("401", "the HeMS takes no credentials, then needs none", "401|credential|unauthori[sz]ed", long=True,
           shows="HTTP 401 from")
hems_fails("html", "the HeMS answers with a web page, then well", "html|soap|content|xml|envelope", long=True)
hems_fails("malformed-xml", "the HeMS answers with broken XML, then well", "xml|soap|well-formed", long=True)
hems_fails("reset", "the HeMS resets the connection, then does not", "reset|connection|recv", long=True)
