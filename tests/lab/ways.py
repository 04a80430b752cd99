# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways in through an Initial HeMS: what boxes and factory data of TS 32.593 5.1.2.3 and 5.1.2.4 are."""

import places
from contents import acs, assigns, s1
from gateways import Gateway

SERVING = Gateway("segw-serving", identity=places.SEGW_SERVING_NAME)
SECOND = Gateway("segw-2", identity=places.SEGW_SECOND_NAME)
INITIAL = Gateway("segw-initial", identity=places.SEGW_INITIAL_NAME)
OPERATOR = {"Operator": "operator.example"}
PUBLIC_URL = f"https://{places.HEMS_PUBLIC_NAME}/"

PRIVATE_NAMES = {places.HEMS_SERVING_NAME: [places.HEMS], places.MME_NAME: [places.MME]}


def inside(side=places.INITIAL, **changes):
    """5.1.2.3: the Initial HeMS inside the operator's network. The serving SeGW's name is in that network's DNS only."""
    parts = {
        "factory": {"Serving": None, "Identity": OPERATOR,
                    "Initial": {"SeGW": places.SEGW_INITIAL_NAME, "HeMS": places.HEMS_INITIAL_NAME}},
        "gateway": SERVING, "initial": INITIAL, "initial_side": side,
        "public_names": {places.SEGW_INITIAL_NAME: [side.segw]}, "names": [places.SEGW_INITIAL_NAME],
        "initial_names": {places.HEMS_INITIAL_NAME: [side.hems], places.SEGW_SERVING_NAME: [places.SEGW]},
        "private_names": PRIVATE_NAMES, "hems_initial": assigns(), "hems": acs(*s1())}
    return merged(parts, changes)


def outside(**changes):
    """5.1.2.4: the Initial HeMS on the internet."""
    names = {places.HEMS_PUBLIC_NAME: [places.PUBLIC_HEMS], places.SEGW_SERVING_NAME: [places.SEGW]}
    parts = {
        "factory": {"Serving": None, "Identity": OPERATOR, "Initial": {"HeMS": PUBLIC_URL}},
        "gateway": SERVING, "public_names": names, "names": list(names), "private_names": PRIVATE_NAMES,
        "hems_public": assigns(), "hems": acs(*s1())}
    return merged(parts, changes)


def merged(parts, changes):
    """*changes* replace parts; of factory data, sections are added."""
    factory = {**parts["factory"], **changes.get("factory", {})}
    return {**parts, **changes, "factory": factory}
