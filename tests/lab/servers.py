# SPDX-License-Identifier: GPL-3.0-or-later
"""What the HeNB talks to beyond the gateway: HeMSs and the MME; and the S1 stand-in on the box itself."""

import ast
import json
import re
import subprocess
from pathlib import Path

import acs
import files
import mme
import places
from machine import CERTIFICATES, HERE, Failure, inside, wait_for

# The HeMSs: the child's name, and that of the ACS's log.
SERVING_HEMS, INITIAL_HEMS, PUBLIC_HEMS, MOVED_HEMS = "hems", "hems-initial", "hems-public", "hems-moved"
ACS_LOG = {SERVING_HEMS: "acs", INITIAL_HEMS: "acs-initial", PUBLIC_HEMS: "acs-public", MOVED_HEMS: "acs-moved"}


def listening(namespace, port):
    """Does a TCP socket listen on the port there?"""
    with inside(namespace):
        lines = [line for table in ("tcp", "tcp6") for line in
                 Path(f"/proc/thread-self/net/{table}").read_text().splitlines()[1:]]
    return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in lines)


class Servers:
    def mme(self, side=places.SERVING):
        """Listens for S1 on both families; one program each, so that neither tells the other's addresses."""
        for name, listen in (("mme", f"{side.mme}:{places.S1_PORT}"), ("mme6", f"[{side.mme6}]:{places.S1_PORT}")):
            self.fork(f"{name}-output", side.network, mme.main, "--listen", listen, "--log", self.logs / f"{name}.log")
        for name in ("mme", "mme6"):
            wait_for("the MME to listen", lambda: self.alive(f"{name}-output") and "listening" in self.log(name))

    def hems(self, scenario, name=SERVING_HEMS, side=places.SERVING):
        """A HeMS behind a gateway, of both families, with a scenario of the ACS: the name of a file under acs/, or its
        content."""
        self.acs(name, side.network, f"[::]:{places.HEMS_PORT}", scenario)

    def hems_initial(self, scenario, side=places.INITIAL):
        self.hems(scenario, INITIAL_HEMS, side)

    def hems_public(self, scenario, certificate="hems-good", options=()):
        """The HeMS on the internet, with TLS and the client's certificate asked for."""
        self.acs(PUBLIC_HEMS, "internet", f"{places.PUBLIC_HEMS}:{places.TLS_PORT}", scenario, "--tls",
                 CERTIFICATES / f"{certificate}.pem", CERTIFICATES / f"{certificate}-key.pem", "--client-ca",
                 CERTIFICATES / "ca.pem", *options)

    def hems_moved(self, scenario, side=places.SERVING):
        """Another HeMS behind a gateway, on the next port."""
        self.acs(MOVED_HEMS, side.network, f"[::]:{places.HEMS_MOVED_PORT}", scenario)

    def acs(self, name, namespace, listen, scenario, *options):
        path = HERE / "acs" / scenario if isinstance(scenario, str) else HERE / "acs" / f"of-{name}.json"
        if not isinstance(scenario, str):
            path.write_text(json.dumps(scenario, indent=4))
        self.fork(name, namespace, acs.main, "--listen", listen, "--scenario", path, "--log",
                  self.logs / f"{ACS_LOG[name]}.log", *options)
        port = int(listen.rpartition(":")[2])
        wait_for(f"{name} to listen", lambda: self.alive(name) and listening(namespace, port))

    def files(self, side=places.SERVING):
        """A file server where the HeMS is; the folder of what is sent to it."""
        folder = self.logs / "files"
        folder.mkdir()
        self.fork("files", side.network, files.main, "--listen", f"{side.hems}:{places.FILES_PORT}", "--folder", folder,
                  "--log", self.logs / "files.log")
        wait_for("the file server", lambda: self.alive("files") and listening(side.network, places.FILES_PORT))
        return folder

    def hems_says(self, name=SERVING_HEMS):
        """The log of a HeMS."""
        return self.log(ACS_LOG[name])

    def informs(self, name=SERVING_HEMS):
        """The events of each Inform that opened a session with a HeMS, in order."""
        return [ast.literal_eval(events) for events in re.findall(r"<- Inform (\[.*?\]) .* from ", self.hems_says(name))]

    def hems_verdict(self, *names):
        """Ends HeMSs; Failure unless they are content with the HeNB."""
        for name in names or ACS_LOG:
            if name not in self.children:
                continue
            self.end(name)
            lines = self.hems_says(name).strip().splitlines() or ["(no log)"]
            if lines[-1].split("VERDICT", 1)[-1].strip() != "ok":
                raise Failure(f"the HeMS ({name}) says: {lines[-1]}")

    def s1_stack(self, timeout=90):
        """Runs the S1 stand-in to its end: (status, what it printed)."""
        program = next((path for path in (Path("/usr/lib/henb-lab/s1-stack"), HERE / "s1-stack") if path.exists()), None)
        if program is None:
            raise Failure("the S1 stand-in is not installed")
        done = subprocess.run([str(program), "--timeout", str(timeout)], text=True, capture_output=True, timeout=timeout + 30)
        with open(self.logs / "s1-stack.log", "a", encoding="utf-8") as log:
            log.write(done.stdout + done.stderr)
        return done.returncode, done.stdout + done.stderr
