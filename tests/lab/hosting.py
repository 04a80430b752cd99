# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosting party's home: hostapd as RADIUS server for EAP-AKA and the AuC behind it (auc.py), beside a SeGW.

    henb-agentd  --IKE_AUTH, EAP-->  strongSwan (eap-radius)  --RADIUS on lo-->  hostapd  --UNIX socket-->  auc.py
"""

from dataclasses import dataclass

from machine import HERE, RUN, run, wait_for

IMSI, MNC_LENGTH = "001010123456789", 2
NAI = f"0{IMSI}@wlan.mnc001.mcc001.3gppnetwork.org"
# TS 35.208 test set 1.
K, OPC = "465b5ce8b199b49faa5f0a2ee238a6bc", "cd63cb71954a9f4e48a5994e37a02baf"
SQN = 0x1000  # of the last vector, on both sides
SECRET = "between-segw-and-hostapd"


@dataclass
class HostingParty:
    """The subscription as the AuC has it."""
    imsi: str = IMSI
    k: str = K
    sqn: int = SQN
    fault: str = ""  # as auc.py has them
    result_ind: bool = True  # does the server end with a protected success (RFC 4187 6.2)?

    def row(self):
        return f"{self.imsi} {self.k} {OPC} 8000 {self.sqn:012x} {self.fault}\n"

    @property
    def remotes(self):
        """Both rounds of the SeGW (RFC 4739): the box's certificate, then the USIM."""
        return """
            remote-1 {
                round = 1
                auth = pubkey
            }
            remote-2 {
                round = 2
                auth = eap-radius
                id = %any
            }
        """

    @property
    def plugin(self):
        return f"""
            eap-radius {{
                accounting = no
                servers {{
                    hostapd {{
                        address = 127.0.0.1
                        secret = {SECRET}
                    }}
                }}
            }}
        """


def credential(k=K, sqn=SQN, imsi=IMSI):
    """The USIM's side of it: what the agent's milenage:FILE reads."""
    return f"IMSI={imsi}\nMNCLength={MNC_LENGTH}\nK={k}\nOPc={OPC}\nSQN={sqn:012x}\n"


class Hosting:
    """Mixed into Boxes."""

    def hosting_party(self, party, side):
        """hostapd and AuC in a gateway's namespace."""
        folder = RUN / f"{side.box}-hosting"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "users").write_text('"0"* AKA\n')
        (folder / "clients").write_text(f"127.0.0.1/32 {SECRET}\n")
        (folder / "hostapd.conf").write_text(f"""\
driver=none
interface=lo
logger_stdout=-1
logger_stdout_level=0
ieee8021x=1
eap_server=1
eap_user_file={folder}/users
eap_sim_db=unix:{folder}/auc
eap_sim_id=0
eap_sim_aka_result_ind={int(party.result_ind)}
radius_server_clients={folder}/clients
radius_server_auth_port=1812
""")
        self.subscription(party, side.box)
        self.spawn(f"{side.box}-auc", side.box, "python3", "-B", HERE / "auc.py", folder / "auc", folder / "subscribers")
        wait_for("the AuC's socket", lambda: self.alive(f"{side.box}-auc") and (folder / "auc").exists())
        self.spawn(f"{side.box}-hostapd", side.box, "/usr/sbin/hostapd", "-dd", folder / "hostapd.conf")
        wait_for("hostapd's RADIUS port", lambda: self.alive(f"{side.box}-hostapd") and run(
            "ip", "netns", "exec", side.box, "ss", "-Hlun", "sport", "=", ":1812"))

    @staticmethod
    def subscription(party, box="segw"):
        """What the AuC knows from here on."""
        (RUN / f"{box}-hosting" / "subscribers").write_text(party.row())
