# SPDX-License-Identifier: GPL-3.0-or-later
"""CWMP's envelopes for the lab's HeMS: a strict reader of what a CPE sends, a writer of what the HeMS answers.

Every check goes through check(ok, rule, offending text), which notes a broken rule of rules.py and goes on;
Unreadable ends the reading where nothing more can be said.
"""

import re
from xml.parsers import expat
from xml.sax.saxutils import escape

from rules import FAULTS, FORCED, KEYED_EVENTS, MODEL, PLAIN_EVENTS

ENV = "http://schemas.xmlsoap.org/soap/envelope/"
ENC = "http://schemas.xmlsoap.org/soap/encoding/"
XSD = "http://www.w3.org/2001/XMLSchema"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
CWMP = "urn:dslforum-org:cwmp-1-"

ZONED = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"
LEXICAL = {
    (XSD, "string"): r"(?s:.*)",
    (XSD, "boolean"): r"0|1|true|false",
    (XSD, "int"): r"[+-]?\d+",
    (XSD, "long"): r"[+-]?\d+",
    (XSD, "unsignedInt"): r"\d+",
    (XSD, "unsignedLong"): r"\d+",
    (XSD, "dateTime"): ZONED,
    (XSD, "base64Binary"): r"[A-Za-z0-9+/=\s]*",
    (XSD, "hexBinary"): r"([0-9A-Fa-f]{2})*",
    (ENC, "base64"): r"[A-Za-z0-9+/=\s]*",
}


class Unreadable(Exception):
    """The message cannot be judged any further; the rule has been noted."""


class Node:
    """An element: its name, attributes, text, children, and the prefixes in scope (for names inside values)."""

    def __init__(self, name, attrs, scope):
        self.space, self.local = split(name)
        self.attrs = {split(key): value for key, value in attrs.items()}
        self.scope = scope
        self.text = ""
        self.children = []

    def child(self, local):
        return next((c for c in self.children if c.local == local), None)

    def content(self, local):
        child = self.child(local)
        return child.text if child else ""

    def qname(self, text):
        """'xsd:string' with the prefixes in scope here, as (namespace, local name)."""
        prefix, colon, local = text.rpartition(":")
        return self.scope.get(prefix if colon else "", ""), local

    def __str__(self):
        return f"<{self.local}>{self.text.strip()[:80]}"


def split(name):
    space, _, local = name.rpartition(" ")
    return space, local


def parse(body, check):
    """The document's root Node. Raises Unreadable after noting why."""
    stack, root, pending = [], [], {}
    parser = expat.ParserCreate(None, " ")

    def declare(prefix, uri):
        pending[prefix or ""] = uri or ""

    def start(name, attrs):
        scope = stack[-1].scope if stack else {}
        node = Node(name, attrs, {**scope, **pending} if pending else scope)
        pending.clear()
        (stack[-1].children if stack else root).append(node)
        stack.append(node)

    def text(data):
        stack[-1].text += data

    parser.buffer_text = True
    parser.StartNamespaceDeclHandler = declare
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda name: stack.pop()
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = lambda *a: check(False, "XML-PLAIN", f"<!DOCTYPE {a[0]}")
    parser.ProcessingInstructionHandler = lambda target, data: check(False, "XML-PLAIN", f"<?{target}")
    try:
        decoded = body.decode("utf-8")
        parser.Parse(body, True)
    except (UnicodeDecodeError, expat.ExpatError) as error:
        check(False, "XML-FORM", f"{error}: {body[:200]!r}")
        raise Unreadable from error
    declared = re.match(r"<\?xml[^>]*encoding=[\"']([^\"']*)", decoded)
    check(not declared or declared[1].lower() == "utf-8", "XML-FORM", declared and declared[0])
    bare = re.sub(r"(?s)<!--.*?-->|<!\[CDATA\[.*?\]\]>", "", decoded)
    tags = re.findall(r"<[A-Za-z_](?:\"[^\"]*\"|'[^']*'|[^<>\"'])*>", bare)
    single = next((tag for tag in tags if "'" in re.sub(r'"[^"]*"', "", tag)), None)
    check(single is None, "XML-QUOTES", single)
    return root[0]


def read(body, namespaces, check):
    """Reads an envelope whose CWMP namespace has to be one of *namespaces* and gives (id or None, element of the
    Body); the id's rules are checked, the element's fields are not yet."""
    root = parse(body, check)
    check((root.space, root.local) == (ENV, "Envelope"), "SOAP-ENVELOPE", f"the root is {root.space} {root.local}")
    parts = [(c.space, c.local) for c in root.children]
    check(parts == [(ENV, "Header"), (ENV, "Body")], "SOAP-ENVELOPE", f"in the Envelope: {parts}")
    content = root.child("Body")
    if content is None or len(content.children) != 1:
        check(False, "SOAP-ENVELOPE", f"in the Body: {[str(c) for c in content.children] if content else None}")
        raise Unreadable
    message = content.children[0]
    if (message.space, message.local) != (ENV, "Fault"):
        check(message.space in namespaces, "SOAP-NAMESPACE", f"{message.local} in {message.space!r}")
    return read_header(root.child("Header"), namespaces, check), message


def read_header(header, namespaces, check):
    ident = None
    for element in header.children if header else []:
        must = element.attrs.get((ENV, "mustUnderstand"))
        check(element.space.startswith(CWMP), "SOAP-HEADER", f"{element.local} in {element.space!r}")
        if element.local == "ID":
            check(ident is None and must == "1", "SOAP-ID", f"mustUnderstand={must!r} (attributes {element.attrs})")
            check(element.space in namespaces, "SOAP-NAMESPACE", f"ID in {element.space!r}")
            ident = element.text
        elif element.local == "SupportedCWMPVersions":
            check(must in (None, "0"), "SOAP-HEADER", f"SupportedCWMPVersions mustUnderstand={must!r}")
            check(re.fullmatch(r"1\.\d(,1\.\d)*", element.text), "SOAP-HEADER", str(element))
        else:
            check(element.local in ("SessionTimeout", "NoMoreRequests"), "SOAP-HEADER", element.local)
    check(ident is not None, "SOAP-ID", "no cwmp:ID")
    return ident


def fields(node, names, check):
    """The element has exactly these children, unqualified, in this order."""
    found = [c.local if not c.space else f"{c.space}:{c.local}" for c in node.children]
    if found != list(names):
        check(False, "SOAP-FIELDS", f"in {node.local}: {found}, not {list(names)}")
        raise Unreadable


def array(node, item, check):
    """The items of a SOAP array of 'string' or a CWMP structure."""
    kind = node.attrs.get((ENC, "arrayType"), "")
    match = re.fullmatch(r"([^\[\]]+)\[(\d+)\]", kind)
    check(match, "SOAP-ARRAY", f"{node.local} arrayType={kind!r}")
    if match:
        space, local = node.qname(match[1])
        right = space == XSD if item == "string" else space.startswith(CWMP)
        check(right and local == item, "SOAP-ARRAY", f"{node.local} arrayType={kind!r}: {item} in {space!r}")
        check(int(match[2]) == len(node.children), "SOAP-ARRAY", f"{node.local} {kind} has {len(node.children)} items")
    for child in node.children:
        check(child.local == item and not child.space, "SOAP-FIELDS", f"in {node.local}: {child}")
    return node.children


def read_values(node, check):
    """A list of ParameterValueStruct as {name: value}; a name given twice is in it once."""
    values = {}
    for item in array(node, "ParameterValueStruct", check):
        fields(item, ("Name", "Value"), check)
        name, value = item.children
        kind = value.qname(value.attrs.get((XSI, "type"), ""))
        check(0 < len(name.text) <= 256 and not name.text.endswith("."), "SOAP-FIELDS", f"Name {name.text[:300]!r}")
        check(kind in LEXICAL, "SOAP-TYPE", f"{name.text} xsi:type={value.attrs.get((XSI, 'type'))!r}")
        check(re.fullmatch(LEXICAL.get(kind, ""), value.text) or kind not in LEXICAL, "SOAP-TYPE",
              f"{name.text} {kind[1]} {value.text[:80]!r}")
        want = MODEL.get(name.text)
        check(want in (None, kind[1]), "SOAP-TYPE", f"{name.text} is {want} in the model, not {kind[1]}")
        check(not value.children, "SOAP-FIELDS", f"{name.text}'s Value has elements")
        check(name.text not in values, "SOAP-FIELDS", f"{name.text} twice in {node.local}")
        values[name.text] = value.text
    return values


def read_names(node, check):
    """A list of ParameterInfoStruct as {name: writable}."""
    names = {}
    for item in array(node, "ParameterInfoStruct", check):
        fields(item, ("Name", "Writable"), check)
        name, writable = (c.text for c in item.children)
        check(re.fullmatch(LEXICAL[XSD, "boolean"], writable), "SOAP-TYPE", f"{name} Writable {writable!r}")
        check(name not in names, "RPC-NAMES", f"{name} twice")
        names[name] = writable in ("1", "true")
    return names


def read_strings(node, check):
    return [item.text for item in array(node, "string", check)]


def read_attributes(node, check):
    """A list of ParameterAttributeStruct as {name: (notification, [who else may write])}."""
    attributes = {}
    for item in array(node, "ParameterAttributeStruct", check):
        fields(item, ("Name", "Notification", "AccessList"), check)
        name, notification, access = item.children
        check(re.fullmatch("[0-6]", notification.text), "RPC-ATTRIBUTES", f"{name.text} {notification}")
        check(name.text not in attributes, "RPC-ATTRIBUTES", f"{name.text} twice")
        attributes[name.text] = notification.text, read_strings(access, check)
    return attributes


def matching(rule, pattern):
    """A reader of a text that has to fit the pattern whole."""

    def reader(node, check):
        check(re.fullmatch(pattern, node.text) and not node.children, rule, f"{node.local} {node.text[:80]!r}")
        return node.text

    return reader


def read_device(node, check):
    fields(node, ("Manufacturer", "OUI", "ProductClass", "SerialNumber"), check)
    for part in node.children:
        check(len(part.text) <= 64 and (part.text or part.local == "ProductClass"), "INFORM-DEVICE", str(part))
    check(re.fullmatch("[0-9A-F]{6}", node.content("OUI")), "INFORM-DEVICE", f"OUI {node.content('OUI')!r}")
    return tuple(part.text for part in node.children)


def read_events(node, check):
    events = []
    for item in array(node, "EventStruct", check):
        fields(item, ("EventCode", "CommandKey"), check)
        code, key = (c.text for c in item.children)
        keyed = code in KEYED_EVENTS or re.fullmatch(r"M X_\S+", code)
        vendor = re.fullmatch(r"X [0-9A-F]{6} .*", code)
        check(code in PLAIN_EVENTS or keyed or vendor, "INFORM-EVENT", f"EventCode {code!r}")
        check(keyed or not key, "INFORM-EVENT", f"{code} with CommandKey {key!r}")
        check(len(key) <= 32 and (keyed or code not in events), "INFORM-EVENT", f"{code} CommandKey {key!r}")
        events.append(code)
    check(len(events) <= 64, "INFORM-EVENT", f"{len(events)} events")
    return events


def read_transfer_fault(node, check):
    fields(node, ("FaultCode", "FaultString"), check)
    return node.content("FaultCode")


def read_transfers(*names):
    """A reader of a TransferList whose items have these fields: [{field: text}...]."""
    kind = "AllQueuedTransferStruct" if "IsDownload" in names else "QueuedTransferStruct"

    def reader(node, check):
        rows = array(node, kind, check)
        for row in rows:
            fields(row, names, check)
            check(row.content("State") in ("1", "2", "3"), "SOAP-FIELDS", f"State {row.content('State')!r}")
        return [{part.local: part.text for part in row.children} for row in rows]

    return reader


def read_file_arguments(node, check):
    """{name: value}"""
    arguments = array(node, "ArgStruct", check)
    for argument in arguments:
        fields(argument, ("Name", "Value"), check)
    return {argument.content("Name"): argument.content("Value") for argument in arguments}


text = matching("SOAP-FIELDS", r"(?s:.*)")
number = matching("SOAP-FIELDS", r"\d+")
status = matching("SOAP-FIELDS", "[01]")
key = matching("SOAP-FIELDS", r"(?s:.{0,32})")
time = matching("SOAP-FIELDS", ZONED)

# What a CPE sends: the fields of each message in order, and what reads them.
MESSAGES = {
    "Inform": {
        "DeviceId": read_device,
        "Event": read_events,
        "MaxEnvelopes": matching("INFORM-ENVELOPES", "1"),
        "CurrentTime": matching("INFORM-TIME", ZONED),
        "RetryCount": matching("INFORM-RETRY", r"\d+"),
        "ParameterList": read_values,
    },
    "GetRPCMethods": {},
    "RequestDownload": {"FileType": text, "FileTypeArg": read_file_arguments},
    "TransferComplete": {
        "CommandKey": key, "FaultStruct": read_transfer_fault, "StartTime": time, "CompleteTime": time},
    "AutonomousTransferComplete": {
        "AnnounceURL": text, "TransferURL": text, "IsDownload": matching("SOAP-FIELDS", "0|1|true|false"),
        "FileType": text, "FileSize": number, "TargetFileName": text, "FaultStruct": read_transfer_fault,
        "StartTime": time, "CompleteTime": time},
    "GetRPCMethodsResponse": {"MethodList": read_strings},
    "GetParameterNamesResponse": {"ParameterList": read_names},
    "GetParameterValuesResponse": {"ParameterList": read_values},
    "SetParameterValuesResponse": {"Status": status},
    "SetParameterAttributesResponse": {},
    "GetParameterAttributesResponse": {"ParameterList": read_attributes},
    "AddObjectResponse": {"InstanceNumber": matching("SOAP-FIELDS", r"[1-9]\d*"), "Status": status},
    "DeleteObjectResponse": {"Status": status},
    "RebootResponse": {},
    "FactoryResetResponse": {},
    "ScheduleInformResponse": {},
    "DownloadResponse": {"Status": status, "StartTime": time, "CompleteTime": time},
    "UploadResponse": {"Status": status, "StartTime": time, "CompleteTime": time},
    "ScheduleDownloadResponse": {},
    "CancelTransferResponse": {},
    "GetQueuedTransfersResponse": {"TransferList": read_transfers("CommandKey", "State")},
    "GetAllQueuedTransfersResponse": {"TransferList": read_transfers(
        "CommandKey", "State", "IsDownload", "FileType", "FileSize", "TargetFileName")},
}


def read_fields(message, check):
    """The fields of a known message as {field: value}. Raises Unreadable."""
    layout = MESSAGES.get(message.local)
    if layout is None:
        check(False, "RPC-ANSWER", f"{message.local} is not known")
        raise Unreadable
    fields(message, layout, check)
    return {child.local: layout[child.local](child, check) for child in message.children}


def read_inform(message, check):
    inform = read_fields(message, check)
    for name in FORCED:
        check(name in inform["ParameterList"], "INFORM-FORCED", f"{name} is missing")
    url = inform["ParameterList"].get("Device.ManagementServer.ConnectionRequestURL", "")
    check(re.fullmatch(r"(http://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:\d+)?(/\S*)?)?", url), "INFORM-FORCED",
          f"ConnectionRequestURL {url!r}")
    return inform


def read_fault(message, namespaces, check):
    """A SOAP fault as (code, {parameter: code}, {parameter: text})."""
    fields(message, ("faultcode", "faultstring", "detail"), check)
    side, words, detail = message.children
    check(words.text == "CWMP fault", "SOAP-FAULT", f"faultstring {words.text!r}")
    if len(detail.children) != 1 or detail.children[0].local != "Fault" or not detail.children[0].children:
        check(False, "SOAP-FAULT", f"in the detail: {[str(c) for c in detail.children]}")
        raise Unreadable
    fault = detail.children[0]
    check(fault.space in namespaces, "SOAP-NAMESPACE", f"Fault in {fault.space!r}")
    per_parameter = fault.children[2:]
    fields(fault, ["FaultCode", "FaultString"] + ["SetParameterValuesFault"] * len(per_parameter), check)
    code = read_fault_code(fault, check)
    check(side.text in ("Client", "Server"), "SOAP-FAULT", f"faultcode {side.text!r}")
    check(FAULTS.get(code, side.text) == side.text, "FAULT-CODE", f"{code} as {side.text}")
    for item in per_parameter:
        fields(item, ("ParameterName", "FaultCode", "FaultString"), check)
    names = [item.content("ParameterName") for item in per_parameter]
    return (code, {name: read_fault_code(item, check) for name, item in zip(names, per_parameter)},
            {name: item.content("FaultString") for name, item in zip(names, per_parameter)})


def read_fault_code(node, check):
    code = node.content("FaultCode")
    right = code.isdecimal() and (int(code) in FAULTS or 9800 <= int(code) <= 9899)
    check(right, "FAULT-CODE", f"FaultCode {code!r}")
    return int(code) if code.isdecimal() else 0


# ---- what the HeMS sends

def element(name, content="", attributes=""):
    return f"<{name}{attributes}>{content}</{name}>"


def typed_array(name, kind, items):
    return element(name, "".join(items), f' soap-enc:arrayType="{kind}[{len(items)}]"')


def strings(name, values):
    return typed_array(name, "xsd:string", [element("string", escape(v)) for v in values])


def attributes_to_set(rows):
    """A ParameterList of [name, notification, who else may write]..., each of the last two null for no change."""
    items = []
    for name, notification, access in rows:
        changes = (("NotificationChange", int(notification is not None)), ("Notification", notification or 0),
                   ("AccessListChange", int(access is not None)))
        items.append(element("SetParameterAttributesStruct", element("Name", escape(name)) + "".join(
            element(field, str(value)) for field, value in changes) + strings("AccessList", access or [])))
    return typed_array("ParameterList", "cwmp:SetParameterAttributesStruct", items)


TRANSFERS = {  # what of a step goes where
    "Download": ("CommandKey", "FileType", "URL", "Username", "Password", "FileSize", "TargetFileName", "DelaySeconds",
                 "SuccessURL", "FailureURL"),
    "Upload": ("CommandKey", "FileType", "URL", "Username", "Password", "DelaySeconds"),
    "ScheduleDownload": ("CommandKey", "FileType", "URL", "Username", "Password", "FileSize", "TargetFileName",
                         "TimeWindowList"),
}


def windows(rows):
    """A TimeWindowList of [start, end, mode, retries]..."""
    names = "WindowStart", "WindowEnd", "WindowMode", "UserMessage", "MaxRetries"
    return typed_array("TimeWindowList", "cwmp:TimeWindowStruct", [element("TimeWindowStruct", "".join(
        element(name, escape(str(value))) for name, value in zip(names, (*row[:3], "", row[3])))) for row in rows])


def request(step):
    """The content of the request that a scenario's step asks for."""
    rpc = step["rpc"]
    if rpc in TRANSFERS and "transfer" in step:
        given = {"FileSize": 0, "DelaySeconds": 0, **step["transfer"]}
        return "".join(windows(given[name]) if name == "TimeWindowList" else
                       element(name, escape(str(given.get(name, "")))) for name in TRANSFERS[rpc])
    if rpc == "GetParameterNames":
        return element("ParameterPath", escape(step["path"])) + element("NextLevel", str(step["next_level"]).lower())
    if rpc in ("GetParameterValues", "GetParameterAttributes"):
        return strings("ParameterNames", step["names"])
    if rpc in ("AddObject", "DeleteObject"):
        return (element("ObjectName", escape(step["object"])) +
                element("ParameterKey", escape(step.get("parameter_key", ""))))
    if rpc == "SetParameterAttributes":
        return attributes_to_set(step["attributes"])
    if rpc == "SetParameterValues":
        items = [element("ParameterValueStruct", element("Name", escape(name)) +
                         element("Value", escape(value), f' xsi:type="{kind}"')) for name, kind, value in step["set"]]
        return (typed_array("ParameterList", "cwmp:ParameterValueStruct", items) +
                element("ParameterKey", escape(step.get("parameter_key", ""))))
    return "".join(element(name, escape(value)) for name, value in step.get("args", []))


def envelope(namespace, ident, message, content="", odd=False):
    """The bytes of an envelope. *odd* writes the same with other prefixes, comments and white space."""
    header = f'<cwmp:ID soap-env:mustUnderstand="1">{escape(ident)}</cwmp:ID>' if ident is not None else ""
    if message == "Fault":
        body = ("<soap-env:Fault><faultcode>Client</faultcode><faultstring>CWMP fault</faultstring><detail>"
                f"<cwmp:Fault>{content}</cwmp:Fault></detail></soap-env:Fault>")
    else:
        body = element("cwmp:" + message, content)
    document = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<soap-env:Envelope xmlns:soap-env="{ENV}" xmlns:soap-enc="{ENC}" xmlns:xsd="{XSD}" xmlns:xsi="{XSI}"'
        f' xmlns:cwmp="{namespace}"><soap-env:Header>{header}</soap-env:Header>'
        f"<soap-env:Body>{body}</soap-env:Body></soap-env:Envelope>\n")
    if odd:
        for old, new in (("soap-env", "E"), ("soap-enc", "arrays"), ("xsd", "types"), ("xmlns:cwmp", "xmlns:_c"),
                         ("cwmp:", "_c:"), ("<E:Body>", "<!-- <E:Body> -->\n  <E:Body xmlns:unused='urn:x'>\n"),
                         ("<ParameterPath>", "<ParameterPath>\n ")):
            document = document.replace(old, new)
    return document.encode()
