# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine the lab runs on: commands, namespaces, children, waiting for facts."""

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
RUN = Path("/run/lab")
CERTIFICATES = HERE.parent / "certificates"

CLONE_NEWNET = 0x40000000
IPPROTO_SCTP = 132
_libc = ctypes.CDLL(None, use_errno=True)


class Failure(Exception):
    """A scenario failed: what was expected and what was seen."""


def say(text):
    print(text, flush=True)


def expect(true, otherwise):
    if not true:
        raise Failure(otherwise)


def run(*argv, check=True, timeout=120, stdin=None):
    """Standard output of a command that has to succeed."""
    done = subprocess.run([str(word) for word in argv], input=stdin, text=True, capture_output=True, timeout=timeout)
    if check and done.returncode != 0:
        raise Failure(f"{' '.join(map(str, argv))}: status {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


@contextlib.contextmanager
def inside(namespace):
    """Sockets and children made in this block live in the namespace (None: where we are)."""
    if namespace is None:
        yield
        return
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        if _libc.setns(there, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
        yield
    finally:
        _libc.setns(home, CLONE_NEWNET)
        os.close(there)
        os.close(home)


def wait_for(what, fact, timeout=30, interval=0.1):
    """The first true value of fact(); Failure when there is none in time."""
    end = time.monotonic() + timeout
    while True:
        value = fact()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"waited {timeout} s for {what}")
        time.sleep(interval)


class Children:
    """Programs of the lab, each with a name. What they say goes to NAME.log in the folder *logs*."""

    def __init__(self, logs):
        self.logs = logs
        self.children = {}

    def spawn(self, name, namespace, *argv, environment=None):
        with open(self.logs / f"{name}.log", "ab") as log, inside(namespace):
            self.children[name] = subprocess.Popen(
                [str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **(environment or {})})
        return self.children[name]

    def log(self, name):
        path = self.logs / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def alive(self, name):
        if self.children[name].poll() is not None:
            raise Failure(f"{name} ended: {self.log(name).strip()[-500:]}")
        return True

    def end(self, name, number=signal.SIGTERM, timeout=20):
        """Ends a child, returns its status; None if it does not run."""
        child = self.children.pop(name, None)
        if child is None:
            return None
        if child.poll() is None:
            child.send_signal(number)
        try:
            return child.wait(timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            raise Failure(f"{name} did not end on signal {number}") from None

    def end_all(self):
        for name in reversed(list(self.children)):
            with contextlib.suppress(Failure):
                self.end(name)
