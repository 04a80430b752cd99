# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's scenarios, in the order they are played."""

from . import (  # noqa: F401
    selftest, serving, initial, public, registration, sessions, tree, transfers, deregistration, families, certificates,
    failures, outage, longlived, hosting,
    revocation, power, clock,
    box, stack, readme, neighbours, repeats, demo, rtt, rekey_bench)
