# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of TR-069 Amendment 6 that the lab's HeMS holds a CPE to, in one table.

A rule's id is what the verdict, the log and a scenario's "allow" list name. A clause number stands for TR-069,
unless the text names another document.
"""

RULES = {
    # id: (clause, what the CPE has to do)
    "HTTP-POST": ("3.4.1", "a request is one well-formed POST of HTTP/1.1 to an absolute path"),
    "HTTP-HOST": ("RFC 7230 5.4", "exactly one Host, naming the HeMS as in its URL, with the port unless it is 80"),
    "HTTP-LENGTH": ("3.4.1", "Content-Length is there once and right, and the body is not chunked"),
    "HTTP-EXPECT": ("3.4.1", "no Expect: 100-continue: the HeMS need not answer it"),
    "HTTP-TYPE": ("3.4.1", "Content-Type text/xml, in UTF-8 where it says so, with an envelope"),
    "HTTP-ENCODING": ("3.4.7", "no Content-Encoding that was not agreed on"),
    "HTTP-ACTION": ("3.4.1", "SOAPAction without a value (not even quotes) with an envelope"),
    "HTTP-EMPTY": ("3.4.1", "an empty POST has neither SOAPAction nor Content-Type"),
    "HTTP-PIPELINE": ("3.4.2", "no request before the answer to the one before"),
    "HTTP-CLOSED": ("3.4.1", "nothing is sent on a connection that the HeMS has closed"),
    "COOKIE-BACK": ("3.4.6", "each cookie of the session that fits the path comes back as name=value, in one header"),
    "COOKIE-OLD": ("3.4.6", "cookies end with their session"),
    "AUTH-ANSWER": ("3.4.4", "a digest challenge is answered by the same request again, with credentials"),
    "AUTH-DIGEST": ("RFC 2617 3.2.2", "the digest's fields and response are right"),
    "AUTH-CLEAR": ("3.4.4", "no Basic credentials without TLS"),
    "AUTH-LOOP": ("3.4.4", "refused credentials end the session"),
    "AUTH-KEEP": ("3.4.4", "each request of an authenticated session carries the credentials"),
    "XML-FORM": ("3.5", "the body is exactly one well-formed XML document in UTF-8"),
    "XML-PLAIN": ("SOAP 1.1 3", "no document type and no processing instruction"),
    "XML-QUOTES": ("3.5", "attributes stand in double quotes (peers exist that read nothing else)"),
    "SOAP-ENVELOPE": ("3.5", "one SOAP 1.1 Envelope: Header, then Body with exactly one element"),
    "SOAP-NAMESPACE": ("3.5", "the CWMP namespace is the one agreed on, cwmp-1-0 in the first Inform"),
    "SOAP-HEADER": ("3.5", "only known header elements; SupportedCWMPVersions must not be mustUnderstand"),
    "SOAP-ID": ("3.5", "cwmp:ID with mustUnderstand=\"1\" in SOAP's namespace, in each envelope"),
    "SOAP-ECHO": ("3.5", "a response carries the request's cwmp:ID, unchanged"),
    "SOAP-FIELDS": ("A.2.1, xsd", "a message has exactly its fields, unqualified, in the schema's order"),
    "SOAP-ARRAY": ("3.5", "soap-enc:arrayType names the type of the items and their number"),
    "SOAP-TYPE": ("A.2.1", "a Value has an xsi:type of XML Schema that its text and the data model agree with"),
    "SOAP-FAULT": ("3.5", "a fault: faultcode Client or Server, faultstring \"CWMP fault\", detail with cwmp:Fault"),
    "FAULT-CODE": ("A.5.1", "the fault code is a CPE's, and Client or Server as its table says"),
    "INFORM-FIRST": ("3.7.1.1", "a session begins with a POST that holds an Inform"),
    "INFORM-ONCE": ("3.7.1.1", "one Inform in a session"),
    "INFORM-DEVICE": ("A.3.3.1", "DeviceId: Manufacturer, OUI of 6 upper-case hex digits, ProductClass, SerialNumber"),
    "INFORM-EVENT": ("A.3.3.1", "event codes are known and not doubled, CommandKey is empty but for M events"),
    "INFORM-BOOTSTRAP": ("3.7.1.5", "0 BOOTSTRAP is not repeated after it was delivered"),
    "INFORM-ENVELOPES": ("A.3.3.1", "MaxEnvelopes is 1"),
    "INFORM-TIME": ("A.3.3.1", "CurrentTime is a dateTime with its zone"),
    "INFORM-RETRY": ("3.2.1.1", "RetryCount is a number, and the one of the retry policy"),
    "INFORM-DEREGISTERED": ("TS 32.593 5.1.4", "a de-registered HeNB does not register again"),
    "INFORM-FORCED": ("A.3.3.1, TR-181, TR-196", "the forced parameters are in each Inform, none twice"),
    "RPC-ANSWER": ("3.7.1.2", "a request is answered by its response or a fault, in the next POST"),
    "RPC-NAMES": ("A.3.2.3", "GetParameterNames lists what is under the path, at the depth asked for, once each"),
    "RPC-VALUES": ("A.3.2.2", "GetParameterValues gives what was asked for, no more, no less"),
    "RPC-LISTED": ("A.3.2.3", "a partial path reads as what GetParameterNames lists below it, no more, no less"),
    "RPC-ATTRIBUTES": ("A.3.2.5", "GetParameterAttributes gives what was asked for, once each, with its notification"),
    "OBJECT-NUMBER": ("A.3.2.6", "AddObject gives an instance number that the table has not had"),
    "TRANSFER-EVENT": ("A.3.3.2, A.3.3.3", "an outcome is told in a session that the Inform says it of, and one is"),
    "TRANSFER-ASKED": ("A.3.3.2", "TransferComplete has the CommandKey of a transfer that was asked for"),
    "TRANSFER-ONCE": ("A.3.3.2", "an outcome that the HeMS has answered is not told again"),
    "RESET-LAST": ("TS 32.593 5.1.4", "nothing follows a FactoryResetResponse that the HeMS has taken"),
    "SESSION-ONE": ("3.7.1.1", "one session at a time"),
    "SESSION-END": ("3.7.1.4", "the CPE does not leave before the HeMS's empty answer"),
    "SESSION-REUSE": ("3.7.1.4", "a connection is not used again after its session has ended"),
    "SESSION-GO-ON": ("3.4.2", "a session whose connection the HeMS closed goes on over a new one, without an Inform"),
    "SESSION-SILENT": ("3.7.1.2", "the CPE answers in time"),
    "SCENARIO": ("scenario", "what this scenario expects of the CPE"),
}

# A.5.1: CPE fault codes and the faultcode of each.
FAULTS = {code: "Server" for code in range(9000, 9033)}
FAULTS.update({code: "Client" for code in (9003, 9005, 9006, 9007, 9008, 9022, 9023, 9026, 9028, 9029, 9031)})

# A.3.3.1, Table 8: those without a command key, and those with.
PLAIN_EVENTS = {
    "0 BOOTSTRAP", "1 BOOT", "2 PERIODIC", "3 SCHEDULED", "4 VALUE CHANGE", "5 KICKED", "6 CONNECTION REQUEST",
    "7 TRANSFER COMPLETE", "8 DIAGNOSTICS COMPLETE", "9 REQUEST DOWNLOAD", "10 AUTONOMOUS TRANSFER COMPLETE",
    "11 DU STATE CHANGE COMPLETE", "12 AUTONOMOUS DU STATE CHANGE COMPLETE", "13 WAKEUP", "14 HEARTBEAT",
}
KEYED_EVENTS = {"M Reboot", "M ScheduleInform", "M Download", "M ScheduleDownload", "M Upload", "M ChangeDUState"}

# The parameters that are in each Inform (forcedInform in TR-181 Issue 2 and TR-196 Issue 2).
LTE = "Device.Services.FAPService.1.FAPControl.LTE."
FORCED = (
    "Device.RootDataModelVersion",
    "Device.DeviceInfo.HardwareVersion",
    "Device.DeviceInfo.SoftwareVersion",
    "Device.DeviceInfo.ProvisioningCode",
    "Device.ManagementServer.ParameterKey",
    "Device.ManagementServer.ConnectionRequestURL",
    LTE + "OpState",
    LTE + "RFTxStatus",
)

# A cell of the radio environment measurement.
REM = "Device.Services.FAPService.1.REM.LTE."
CELL = {
    "RF.EUTRACarrierARFCN": "unsignedInt",
    "RF.PhyCellID": "unsignedInt",
    "RF.RSRP": "int",
    "RF.RSRQ": "int",
    "BCCH.TAC": "unsignedInt",
    "BCCH.CellID": "unsignedInt",
    "BCCH.PLMNList.1.PLMNID": "string",
}

# What the data model says about the parameters that scenarios look at.
MODEL = {
    **{name: "string" for name in FORCED},
    LTE + "OpState": "boolean",
    LTE + "RFTxStatus": "boolean",
    LTE + "AdminState": "boolean",
    LTE + "Gateway.S1SigLinkServerList": "string",
    LTE + "Gateway.S1ConnectionMode": "string",
    LTE + "Gateway.S1SigLinkPort": "unsignedInt",
    **{f"{LTE}Gateway.SecGWServer{i}": "string" for i in (1, 2, 3)},
    "Device.DeviceInfo.SerialNumber": "string",
    "Device.DeviceInfo.ManufacturerOUI": "string",
    "Device.ManagementServer.URL": "string",
    "Device.ManagementServer.PeriodicInformEnable": "boolean",
    "Device.ManagementServer.PeriodicInformInterval": "unsignedInt",
    "Device.ManagementServer.AliasBasedAddressing": "boolean",
    "Device.FAP.GPS.ScanStatus": "string",
    "Device.FAP.GPS.LastSuccessfulScanTime": "dateTime",
    "Device.FAP.GPS.LockedLatitude": "int",
    "Device.FAP.GPS.LockedLongitude": "int",
    "Device.FAP.GPS.NumberOfSatellites": "unsignedInt",
    **{f"Device.IPsec.IKEv2SA.1.{name}": "string" for name in ("LocalAddress", "RemoteAddress", "NATDetected")},
    **{f"{REM}Cell.{i}.{name}": kind for i in (1, 2, 3, 4) for name, kind in CELL.items()},
}
