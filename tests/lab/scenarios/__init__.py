# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's scenarios, in the order they are played."""

from . import (  # noqa: F401
    selftest, serving, initial, public, registration, sessions, tree, transfers, deregistration, families, certificates,
    failures, outage, longlived, reload, hosting,
    revocation, power, clock,
    access, box, henbctl, journal, keys, neighbours, package, stack, readme, repeats, demo, rtt, rekey_bench)
