# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosting party behind the box's certificate: RFC 4739 with EAP-AKA (TS 33.320 5.3, 7.3)."""

import re

import agent as henb
import hosting
from gateways import Gateway
from hosting import HostingParty, credential
from machine import expect
from scenario import scenario
from steps import down, refused, up

CREDENTIAL = henb.CONFIG / "usim.conf"
FACTORY = {"HostingParty": {"USIM": f"milenage:{CREDENTIAL}"}}
MAC_WRONG = r"EAP-AKA: the USIM refuses the network: the MAC in AUTN is wrong"


def asked(lab, *patterns):
    """The AuC was asked exactly this, in this order."""
    lines = [line for line in lab.boxes.log("segw-auc").splitlines() if line.startswith("AKA-")]
    expect(len(lines) == len(patterns) and all(map(re.search, patterns, lines)), f"the AuC was asked {lines}, not {patterns}")


def both_rounds(lab):
    """The SeGW has seen the certificate and the hosting party."""
    log = lab.boxes.log("segw-charon")
    for fact in ("with ECDSA_WITH_SHA", f"authentication of '{hosting.NAI}' with EAP successful"):
        expect(fact in log, f"the SeGW's log does not say: {fact}")


@scenario("hosting-party", "the USIM authenticates the hosting party behind the certificate", gateway=Gateway(hosting=HostingParty()),
          factory=FACTORY)
def hosting_party(lab):
    lab.agent.credential(CREDENTIAL, credential())
    up(lab)
    both_rounds(lab)
    asked(lab, "AKA-REQ-AUTH .*vector")
    journal = lab.agent.journal().lower()
    expect(hosting.K not in journal and hosting.OPC not in journal, "a secret of the USIM is in the journal")
    down(lab)


@scenario("hosting-plain", "the same without a protected success, and another realm",
          gateway=Gateway(hosting=HostingParty(result_ind=False)), long=True,
          factory={"HostingParty": {**FACTORY["HostingParty"], "Realm": "nai.epc.mnc001.mcc001.3gppnetwork.org"}})
def hosting_plain(lab):
    lab.agent.credential(CREDENTIAL, credential())
    up(lab)
    expect(f"0{hosting.IMSI}@nai.epc.mnc001.mcc001.3gppnetwork.org" in lab.boxes.log("segw-charon"),
           "the SeGW has not seen the identity with Realm=")
    down(lab)


@scenario("hosting-resync", "the USIM's sequence number is ahead of the network's: resynchronisation, also after a restart",
          gateway=Gateway(hosting=HostingParty()), factory=FACTORY)
def hosting_resync(lab):
    lab.agent.credential(CREDENTIAL, credential(sqn=0xabcde5))
    up(lab)
    asked(lab, "AKA-REQ-AUTH .*vector", "AKA-AUTS .*SQN 000000abcde0", "AKA-REQ-AUTH .*vector")
    lab.agent.stop()
    lab.boxes.subscription(HostingParty())  # an AuC out of an old backup; the USIM has kept what it has seen
    lab.agent.start()
    lab.agent.registered()
    again = ("AKA-REQ-AUTH .*vector", "AKA-AUTS .*SQN 000000abce00", "AKA-REQ-AUTH .*vector")
    asked(lab, "AKA-REQ-AUTH .*vector", "AKA-AUTS .*SQN 000000abcde0", "AKA-REQ-AUTH .*vector", *again)
    down(lab)


@scenario("hosting-wrong-key", "the network has another key than the USIM", hems=None,
          gateway=Gateway(hosting=HostingParty(k="00" * 16)), factory=FACTORY)
def hosting_wrong_key(lab):
    lab.agent.credential(CREDENTIAL, credential())
    refused(lab, MAC_WRONG)


@scenario("hosting-wrong-mac", "somebody plays the hosting party's network: AUTN does not verify", hems=None, long=True,
          gateway=Gateway(hosting=HostingParty(fault="wrong-mac")), factory=FACTORY)
def hosting_wrong_mac(lab):
    lab.agent.credential(CREDENTIAL, credential())
    refused(lab, MAC_WRONG)


@scenario("hosting-old-sqn", "a network that goes on with old sequence numbers", hems=None, long=True,
          gateway=Gateway(hosting=HostingParty(fault="old-sqn")), factory=FACTORY)
def hosting_old_sqn(lab):
    lab.agent.credential(CREDENTIAL, credential())
    refused(lab, "EAP-AKA: sequence numbers are still old after resynchronisation")


@scenario("hosting-unknown", "a hosting party nobody knows", hems=None, long=True,
          gateway=Gateway(hosting=HostingParty(imsi="001019999999999")), factory=FACTORY)
def hosting_unknown(lab):
    lab.agent.credential(CREDENTIAL, credential())
    refused(lab, r"EAP-AKA: the server notifies: general failure \(16384\)")


@scenario("hosting-not-offered", "a gateway that knows no second authentication", hems=None, long=True, factory=FACTORY)
def hosting_not_offered(lab):
    """strongSwan always says that it does; without a second round it is content with the first, and AUTH, CP, SA, TS
    come where the agent does not take them."""
    lab.agent.credential(CREDENTIAL, credential())
    refused(lab, "hosting party")
