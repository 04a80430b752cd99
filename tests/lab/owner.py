# SPDX-License-Identifier: GPL-3.0-or-later
"""A daemon of the box that owns a part of the data model (dbus/API.md, org.henb.Agent1.Owner)."""

import queue
import threading

from agent import BUS, INTERFACE, OBJECT, owners_may
from bus import Bus, BusError
from machine import Failure

PARAMETERS = f"{INTERFACE}.Parameters"


class Owner:
    """Takes the name and wants to be asked. *judge*(changes), [[name, kind, value]...], gives what it has against them,
    [(name, reason)...], or None: then it does not answer. It has *seen* (member, arguments) of what it was asked and
    told, of Changed as well."""

    def __init__(self, name, judge=lambda changes: []):
        owners_may()
        self.judge, self.seen = judge, []
        self.orders, self.results = queue.Queue(), queue.Queue()
        self.bus = Bus()
        self.bus.own(name)
        self.bus.match(f"type='signal',interface='{PARAMETERS}',member='Changed'")
        self.bus.call(BUS, OBJECT, PARAMETERS, "Own")
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        """The connection belongs to this thread: what the name stands for is the connection that reports."""
        while True:
            heard = self.bus.signal(0.05, self._answer)
            if heard and heard[2] in ("Commit", "Abort", "Changed"):
                self.seen.append((heard[2], heard[3]))
            while not self.orders.empty():
                values = self.orders.get()
                if values is None:
                    self.bus.close()
                    return
                self.results.put(self._report(values))

    def _answer(self, member, arguments):
        if member != "Prepare":
            return None
        self.seen.append((member, arguments))
        objections = self.judge(arguments[1])
        return None if objections is None else (not objections, objections)

    def _report(self, values):
        try:
            self.bus.call(BUS, OBJECT, PARAMETERS, "Report", list(values.items()))
        except BusError as error:
            return str(error)
        return None

    def report(self, values):
        """Tells parameters, {path: value}. Failure if they are not taken."""
        self.orders.put(values)
        refusal = self.results.get(timeout=60)
        if refusal:
            raise Failure(f"Report of {values}: {refusal}")

    def leave(self):
        """Leaves the bus, as a daemon that ends."""
        if self.thread.is_alive():
            self.orders.put(None)
            self.thread.join(30)
