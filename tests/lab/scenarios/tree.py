# SPDX-License-Identifier: GPL-3.0-or-later
"""The data model as HeMSs use it, and the daemons of the box that own parts of it (dbus/API.md)."""

from contents import s1, sessions, spv
from machine import expect, wait_for
from owner import Owner
from scenario import scenario
from steps import properties, up

from .sessions import ASKER, CREDENTIALS, URL_PARAMETER, connection_request

SERVICE = "Device.Services.FAPService.1."
RADIO = "org.example.Radio"
ON_AIR = {"$LTE.OpState": "~1|true", "$LTE.RFTxStatus": "~1|true"}
OFF_AIR = {"$LTE.OpState": "~0|false", "$LTE.RFTxStatus": "~0|false"}
OP_STATE, RF = (f"{SERVICE}FAPControl.LTE.{name}" for name in ("OpState", "RFTxStatus"))
CELLS = f"{SERVICE}CellConfig.LTE.RAN.NeighborList.LTECell."
PORTS = f"{SERVICE}CellConfig.LTE.RAN.PHY.AntennaInfo.AntennaPortsCount"
TAC = f"{SERVICE}CellConfig.LTE.EPC.TAC"
ADMIN = f"{SERVICE}FAPControl.LTE.AdminState"


def informing(hems, number, events, parameters):
    """What the Inform of this session has to be."""
    hems["sessions"][str(number)]["inform"] = {"events": events, "parameters": parameters}
    return hems


def reads(**values):
    return {"rpc": "GetParameterValues", "names": [*values], "values": values}


def had(lab, count, seconds=60):
    """So many sessions have come to a good end; the events of the last one."""
    wait_for(f"session {count}", lambda: lab.boxes.hems_says().count("session ok") == count, seconds)
    return lab.boxes.informs()[-1]


WALKED = sessions(
    [spv("first", *s1(), *CREDENTIALS),
     {"rpc": "AddObject", "object": CELLS, "parameter_key": "row", "instance": 1, "status": 0},
     spv("cell", (f"{CELLS}1.PLMNID", "xsd:string", "00101")),
     {"rpc": "SetParameterAttributes", "attributes": [[PORTS, 2, None]]}],
    [{"rpc": "GetParameterNames", "path": "", "next_level": False, "read_in": 32},
     {"rpc": "GetParameterValues", "names": [""], "contains": [f"{CELLS}1.PLMNID", PORTS]}],
    [],
    [reads(**{f"{CELLS}1.PLMNID": "00101", "$MS.ParameterKey": "cell"}),
     {"rpc": "GetParameterAttributes", "names": [PORTS], "notifications": {PORTS: 2}},
     {"rpc": "DeleteObject", "object": f"{CELLS}1.", "status": 0},
     {"rpc": "AddObject", "object": CELLS, "instance": 2, "status": 0}])


@scenario("tree", "a row and an attribute outlive a restart, the whole tree reads as it is listed, another daemon puts the cell on the air: 4 VALUE CHANGE",
          factory={"Owners": {SERVICE: RADIO}}, hems=informing(WALKED, 3, ["4 VALUE CHANGE"], {**ON_AIR, PORTS: "2"}))
def tree(lab):
    up(lab)
    had(lab, 1)
    url = lab.agent.parameters(URL_PARAMETER)[URL_PARAMETER]
    expect(connection_request(url, ASKER) == 200, "the connection request was not taken")
    had(lab, 2, 120)
    properties(lab, State="registered")
    radio = Owner(RADIO)
    try:
        radio.report({OP_STATE: "true", RF: "true", PORTS: "2"})
        had(lab, 3)
        told = lab.agent.parameters(PORTS, OP_STATE)
        expect(told == {PORTS: "2", OP_STATE: "true"}, f"what was reported is {told}")
        lab.agent.stop()
        lab.agent.start()
        lab.agent.registered()
        expect("1 BOOT" in had(lab, 4), f"the Informs: {lab.boxes.informs()}")
    finally:
        radio.leave()


def still(tac, key):
    return reads(**{TAC: tac, ADMIN: "~1|true", "$MS.ParameterKey": key})


def asks(key, tac, *more, **expected):
    return {**spv(key, (TAC, "xsd:unsignedInt", tac), *more), **expected}


JUDGED = sessions(
    [spv("first", *s1(), (TAC, "xsd:unsignedInt", "1"))],
    [asks("vetoed", "13", (ADMIN, "xsd:boolean", "0"), fault=9003, parameter_faults={TAC: 9001, ADMIN: 9001},
          parameter_texts={TAC: "~.*no such area.*", ADMIN: "~.*a call is on.*"}), still("1", "first"),
     asks("silent", "99", fault=9003, parameter_faults={TAC: 9002}), still("1", "first"),
     asks("agreed", "2", status=0), still("2", "agreed")],
    [still("2", "agreed")])


def judge(changes):
    tac = {name: value for name, _, value in changes}.get(TAC)
    return None if tac == "99" else [(TAC, "no such area"), (ADMIN, "a call is on")] if tac == "13" else []


@scenario("owners", "a daemon of the box refuses a set, says nothing, agrees: exactly that reaches the HeMS; when it leaves, the cell is off the air",
          factory={"Owners": {SERVICE: RADIO}},
          hems=informing(informing(JUDGED, 2, ["4 VALUE CHANGE"], ON_AIR), "3-", ["4 VALUE CHANGE"], OFF_AIR))
def owners(lab):
    up(lab)
    had(lab, 1)
    refusal = lab.agent.report({OP_STATE: "true"})
    expect(refusal and f"it belongs to {RADIO}" in refusal, f"a stranger's report: {refusal}")
    lab.agent.wait_journal(rf"Report of {OP_STATE} by \S+ is refused: it belongs to {RADIO}")
    radio = Owner(RADIO, judge)
    try:
        radio.report({OP_STATE: "true", RF: "true"})
        had(lab, 2)
        properties(lab, State="registered")
        wait_for("Changed", lambda: any(member == "Changed" for member, _ in radio.seen))
    finally:
        radio.leave()
    had(lab, 3)
    asked = [(member, *arguments) for member, arguments in radio.seen if member != "Changed"]
    expect([member for member, *_ in asked] == ["Prepare", "Abort", "Prepare", "Abort", "Prepare", "Commit"],
           f"the owner was asked and told: {asked}")
    expect(all(one[1] == two[1] for one, two in zip(asked[::2], asked[1::2])), f"the ends of other sets: {asked}")
    expect(asked[4][2] == [[TAC, "set", "2"]], f"the owner was asked about {asked[4]}")
    told = [changes for member, (changes, *_) in radio.seen if member == "Changed"]
    expect(len(told) == 1 and [TAC, "set", "2"] in told[0], f"Changed: {told}")
    left = lab.agent.parameters(OP_STATE, RF)
    expect(set(left.values()) == {"false"}, f"the cell is on the air without its owner: {left}")
