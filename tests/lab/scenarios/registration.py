# SPDX-License-Identifier: GPL-3.0-or-later
"""TS 32.593 5.1.3 in its variants, and the location that steps 2.1 and 1.1 may carry."""

import time

import places
from contents import acs, assigns, periodic, s1, serving, sessions, spv
from machine import expect
from scenario import scenario
from servers import INITIAL_HEMS, MOVED_HEMS, SERVING_HEMS
from steps import FAILURE, associated, informed, mme_list, ping, properties, tunnels_made, up
from ways import PRIVATE_NAMES, SECOND, inside

BOOT = [["0 BOOTSTRAP", "1 BOOT"]]


@scenario("mmes-all", "several MMEs and S1ConnectionMode All; a later session makes it One", hems=sessions(
    [spv("all", *s1(f"{places.MME},{places.MME_NAME},{places.MME_SECOND}", "All"), *periodic())],
    [spv("one", ("$GW.S1ConnectionMode", "xsd:string", "One"))]))
def mmes_all(lab):
    up(lab)
    properties(lab, Mme=mme_list(places.MME, (places.MME_NAME, places.MME), places.MME_SECOND))
    moments = lab.agent.watch.moments
    lab.agent.wait("S1ConnectionMode", "One")
    expect(any(one.get("Mme") and one.get("S1ConnectionMode") == "All" for one in moments()), "no MMEs together with All")
    properties(lab, State="registered", Mme=mme_list(places.MME, (places.MME_NAME, places.MME), places.MME_SECOND))
    associated(lab)


@scenario("mme-changes", "a later session changes the MME: the bus tells it at once", hems=sessions(
    [spv("first", *s1(places.MME_SECOND), *periodic())], [spv("second", *s1(places.MME, port=36413))], [spv("third", *s1(""))],
    []))
def mme_changes(lab):
    lab.agent.start()
    lab.agent.has_registered()
    lab.agent.wait("State", "registered-without-mme")
    seen = [values["Mme"] for _, _, values in lab.agent.watch.changes if "Mme" in values]
    wanted = [mme_list(places.MME_SECOND), mme_list(places.MME, port=36413), []]
    expect(seen[-3:] == wanted, f"Mme was {seen}")
    states = lab.agent.watch.states()
    expect(states[-2:] == ["registered", "registered-without-mme"], f"the states were {states}")
    expect(tunnels_made(lab, "segw") == 1, "the tunnel was built anew")
    ping()


@scenario("moved-later", "a later session names another SeGW and HeMS: the box moves there, with 0 BOOTSTRAP",
          second=SECOND, public_names={places.SEGW_NAME: [places.SEGW], places.SEGW_SECOND_NAME: [places.SECOND.segw]},
          private_names={places.HEMS_NAME: [places.HEMS], places.SEGW_SECOND_NAME: [places.SECOND.segw], **PRIVATE_NAMES},
          names=[places.SEGW_NAME, places.SEGW_SECOND_NAME],
          hems=sessions([spv("first", *s1(places.MME_SECOND), *periodic())],
                        [spv("move", *serving(f"http://{places.HEMS_SERVING_NAME}:{places.HEMS_MOVED_PORT}/",
                                              places.SEGW_SECOND_NAME))]))
def moved_later(lab):
    lab.boxes.hems_moved(acs(*s1(places.MME)))
    lab.agent.start()
    lab.agent.has_registered()
    lab.agent.wait("SeGW", places.SEGW_SECOND_NAME)
    lab.agent.wait("Mme", mme_list(places.MME), FAILURE)
    properties(lab, State="registered", SeGWAddress=places.SECOND.segw, InnerAddresses=[places.SECOND.inner],
               HeMS=f"http://{places.HEMS_SERVING_NAME}:{places.HEMS_MOVED_PORT}/")
    informed(lab, MOVED_HEMS, 1, "0 BOOTSTRAP")
    informed(lab, SERVING_HEMS, 2, "0 BOOTSTRAP", "1 BOOT")
    lab.agent.tunnel()
    ping()
    expect(not lab.boxes.segw_sas(), "the gateway of before still has an IKE SA")


@scenario("session-stays-open", "the HeMS has more requests after the MME: published at the session's end", hems=acs(
    expect={"informs": ">=1", "sessions_failed": 0}, steps=[
        spv("mme", *s1()), *({"rpc": "GetParameterValues", "names": ["$GW."]} for _ in range(20))]))
def session_stays_open(lab):
    up(lab)
    expect("session ok" in lab.boxes.hems_says(), "published before the session's end")


# Location.

GPS = {"Device.FAP.GPS.ScanStatus": "Success", "Device.FAP.GPS.LastSuccessfulScanTime": "2026-01-02T03:04:05Z",
       "Device.FAP.GPS.LockedLatitude": "52520008", "Device.FAP.GPS.LockedLongitude": "13404954"}
CELL = "Device.Services.FAPService.1.REM.LTE.Cell.1."
REM = {CELL + "RF.EUTRACarrierARFCN": "1300", CELL + "RF.PhyCellID": "17", CELL + "RF.RSRP": "-90", CELL + "BCCH.TAC": "4711",
       CELL + "BCCH.CellID": "12345678", CELL + "BCCH.PLMNList.1.PLMNID": "26201"}
WANTED = {"Device.FAP.GPS.LockedLatitude": "52520008", "Device.FAP.GPS.LockedLongitude": "13404954", CELL + "RF.PhyCellID": "17",
          "Device.IPsec.IKEv2SA.1.LocalAddress": places.HENB}


@scenario("location", "the first Inform waits for the location, and carries position, outer address and cells",
          **inside(factory={"Registration": {"WaitForLocation": "300"}}, hems_initial=assigns(inform={"parameters": WANTED}),
                   hems=acs(*s1(), inform={"parameters": WANTED})))
def location(lab):
    lab.agent.start()
    lab.agent.wait("State", "discovering")
    time.sleep(10)
    informed(lab, INITIAL_HEMS, 0)
    refused = lab.agent.report({"Device.ManagementServer.URL": "http://evil.example/"})
    expect(refused, "Report takes a parameter that nobody may report")
    refused = lab.agent.report({"Device.FAP.GPS.LockedLatitude": "north"})
    expect(refused, "Report takes a latitude that is no number")
    # In one report, which is one piece of news: a cell alone would be a location, too.
    refused = lab.agent.report({**REM, **GPS})
    expect(refused is None, f"Report: {refused}")
    lab.agent.registered(FAILURE)
    informed(lab, INITIAL_HEMS, 1, "0 BOOTSTRAP")


@scenario("location-unknown", "WaitForLocation= ends: the Inform goes without, and with what InformParameters= names", long=True, factory={
    "Registration": {"WaitForLocation": "8", "InformParameters": "Device.ManagementServer.PeriodicInformInterval"}},
    hems=acs(*s1(), inform={"parameters": {"Device.ManagementServer.PeriodicInformInterval": "86400"}}))
def location_unknown(lab):
    begin = time.monotonic()
    lab.agent.start()
    lab.agent.registered()
    seconds = time.monotonic() - begin
    expect(seconds >= 8, f"registered after {seconds:.1f} s")


@scenario("location-assigns", "the Initial HeMS assigns the serving side by the location it is told", **inside(
    factory={"Registration": {"WaitForLocation": "300"}}, hems_initial="locate.json"))
def location_assigns(lab):
    lab.agent.start()
    lab.agent.wait("State", "discovering")
    refused = lab.agent.report({**GPS, **REM})
    expect(refused is None, f"Report: {refused}")
    lab.agent.registered(FAILURE)
    properties(lab, SeGW=places.SEGW_SERVING_NAME)
    informed(lab, INITIAL_HEMS, 1, "0 BOOTSTRAP")
