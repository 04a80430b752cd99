# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenarios of the ACS as Python data, for what a file of acs/ does not have: see acs.py for the words."""

import places

URL_SERVING = f"http://{places.HEMS_SERVING_NAME}:{places.HEMS_PORT}/"
# What a box that is cut off in a session, or starts anew, cannot help doing.
CUT_OFF = ["SESSION-END", "SESSION-ONE", "INFORM-BOOTSTRAP"]


def spv(key, *values):
    """A SetParameterValues: (name, type, value)..."""
    return {"rpc": "SetParameterValues", "parameter_key": key, "set": [list(value) for value in values]}


def s1(servers=places.MME, mode=None, port=places.S1_PORT):
    """The far end of S1, and the cell is wanted."""
    values = [("$GW.S1SigLinkServerList", "xsd:string", servers), ("$GW.S1SigLinkPort", "xsd:unsignedInt", str(port)),
              ("$LTE.AdminState", "xsd:boolean", "1")]
    return values + ([("$GW.S1ConnectionMode", "xsd:string", mode)] if mode else [])


def serving(url=URL_SERVING, *segws):
    """The serving side: ManagementServer.URL unless None, SecGWServer1..3."""
    return ([("$MS.URL", "xsd:string", url)] if url else []) + [
        (f"$GW.SecGWServer{number}", "xsd:string", segw) for number, segw in enumerate(segws, 1)]


def periodic(seconds=5):
    return [("$MS.PeriodicInformEnable", "xsd:boolean", "true"),
            ("$MS.PeriodicInformInterval", "xsd:unsignedInt", str(seconds))]


def acs(*values, **more):
    """A HeMS that sets these values in each session, and is content with any number of good ones."""
    return {"steps": [spv("lab", *values)] if values else [],
            "expect": {"informs": ">=1", "sessions_ok": ">=1", "sessions_failed": 0}, **more}


def assigns(*segws, url=URL_SERVING, also=(), **more):
    """An Initial HeMS."""
    return acs(*serving(url, *(segws or (places.SEGW_SERVING_NAME,))), *also, **more)


# Ends what periodic() began, so that a scenario that is over does not end in the middle of a session.
QUIET = spv("quiet", *periodic(86400))


def sessions(*steps, **more):
    """A HeMS with other steps in each session; the last ones stay, and end periodic sessions but for a FactoryReset."""
    last = len(steps)
    if not any(step["rpc"] == "FactoryReset" for step in steps[-1]):
        steps = [*steps[:-1], [*steps[-1], QUIET]]
    return {"sessions": {**{str(number): {"steps": one} for number, one in enumerate(steps, 1) if number < last},
                         f"{last}-": {"steps": steps[-1]}},
            "expect": {"informs": ">=1", "sessions_ok": ">=1", "sessions_failed": 0}, **more}
