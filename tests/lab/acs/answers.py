# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab's HeMS holds a CPE's answers to: the step of the scenario that asked, and what it was told before."""

import re

METHODS = ["GetRPCMethods", "SetParameterValues", "GetParameterValues", "GetParameterNames", "FactoryReset"]


class BadScenario(Exception):
    """The scenario file is wrong."""


def compare(value, wanted):
    match = re.fullmatch(r"(==|>=|<=|>|<)?\s*(\d+)", str(wanted))
    if not match:
        raise BadScenario(f"comparison {wanted!r}")
    sign, limit = match[1] or "==", int(match[2])
    return {"==": value == limit, ">=": value >= limit, "<=": value <= limit, ">": value > limit,
            "<": value < limit}[sign]


def fits(value, pattern):
    return re.fullmatch(pattern[1:], value) is not None if pattern.startswith("~") else value == pattern


def one_of(value, wanted):
    return value in wanted if isinstance(wanted, list) else value == wanted


class Answers:
    """The part of the HeMS that judges responses. It has check() of rules.py, the *session* that runs, and *instances*,
    the (device, table, number) of rows that AddObject has made."""

    def judge_methods(self, step, methods):
        missing = [method for method in METHODS + step.get("contains", []) if method not in methods]
        self.check(not missing, "SCENARIO", f"GetRPCMethodsResponse without {missing}")

    def judge_names(self, step, names):
        path = step["path"]
        below = re.escape(path) + (r"[^.]+\.?" if step["next_level"] else r".*")
        for name in names:
            self.check(re.fullmatch(below, name), "RPC-NAMES", f"{name} for {path!r} {step['next_level']}")
            parent = name.rstrip(".").rpartition(".")[0] + "."
            self.check(step["next_level"] or len(parent) <= max(len(path), 1) or parent in names, "RPC-NAMES",
                       f"{name} without {parent}")
        missing = [name for name in step.get("contains", []) if name not in names]
        self.check(not missing, "SCENARIO", f"GetParameterNamesResponse without {missing}")
        for name, wanted in step.get("writable", {}).items():
            self.check(names.get(name) == wanted, "SCENARIO", f"{name} Writable {names.get(name)}, not {wanted}")
        self.note_names(step, [name for name in names if not name.endswith(".")])

    def note_names(self, step, parameters):
        """What was listed is read as the step wants it, and has to be what partial paths read as."""
        if not step["next_level"]:
            self.session.listed[step["path"]] = set(parameters)
        if "read_in" in step:
            size = step["read_in"]
            self.session.steps[:0] = [{"rpc": "GetParameterValues", "names": parameters[i:i + size]}
                                      for i in range(0, len(parameters), size)]

    def judge_added(self, step, instance, state):
        one = self.session.inform["DeviceId"], step["object"], int(instance) if instance.isdecimal() else 0
        self.check(one not in self.instances, "OBJECT-NUMBER", f"{step['object']}{instance}. again")
        self.instances.add(one)
        wanted = step.get("instance", ">0")
        self.check(compare(one[2], wanted), "SCENARIO", f"{step['object']}{instance}., not {wanted}")
        self.session.listed.clear()

    def judge_deleted(self, step, state):
        self.session.listed.clear()

    def judge_attributes(self, step, attributes):
        paths = tuple(name for name in step["names"] if name == "" or name.endswith("."))
        missing = [name for name in step["names"] if name not in attributes and name not in paths]
        self.check(not missing, "RPC-ATTRIBUTES", f"no {missing}")
        for name in attributes:
            self.check(name in step["names"] or name.startswith(paths), "RPC-ATTRIBUTES", f"{name} was not asked for")
        for name, wanted in step.get("notifications", {}).items():
            notification, _ = attributes.get(name, (None, None))
            self.check(notification == str(wanted), "SCENARIO", f"{name} has notification {notification}, not {wanted}")

    def judge_values(self, step, values):
        for name in step["names"]:
            self.check(name in values or name == "" or name.endswith("."), "RPC-VALUES", f"no {name}")
        paths = tuple(name for name in step["names"] if name == "" or name.endswith("."))
        for name in values:
            self.check(name in step["names"] or name.startswith(paths), "RPC-VALUES", f"{name} was not asked for")
        for path in paths:
            listed = self.session.listed.get(path)
            other = sorted((listed or set()) ^ {name for name in values if name.startswith(path)})
            self.check(listed is None or not other, "RPC-LISTED", f"{path!r} as listed or as read: {other[:8]}")
        self.check_values(values, step.get("values", {}))
        missing = [name for name in step.get("contains", []) if name not in values]
        self.check(not missing, "SCENARIO", f"GetParameterValuesResponse without {missing}")

    def check_values(self, values, wanted):
        for name, pattern in wanted.items():
            value = values.get(name)
            self.check(value is not None and fits(value, pattern), "SCENARIO", f"{name} is {value!r}, not {pattern!r}")
