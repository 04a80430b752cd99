# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine the lab runs on: commands, namespaces, children, waiting for facts."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
RUN = Path("/run/lab")
CERTIFICATES = HERE.parent / "certificates"

NAMESPACES = Path("/run/netns")
CLONE_NEWNET, MS_BIND, MNT_DETACH = 0x40000000, 0x1000, 2
IPPROTO_SCTP = 132
_libc = ctypes.CDLL(None, use_errno=True)


def parameters(**defaults):
    """Numbers for this run, as tests/guest was told them: {name: number}."""
    path = HERE / "parameters"
    words = path.read_text(encoding="utf-8").split() if path.exists() else []
    told = {name: float(value) for name, _, value in (word.partition("=") for word in words)}
    return {name: type(value)(told.get(name, value)) for name, value in defaults.items()}


class Failure(Exception):
    """A scenario failed: what was expected and what was seen."""


class Skip(Exception):
    """A scenario cannot be played here: why."""


def in_container():
    """Is the kernel that of somebody else's machine (tests/vm/here)?"""
    return Path("/run/systemd/container").exists()


def set_clock(seconds):
    """Sets the guest's clock."""
    if in_container():
        raise Skip("it sets the clock, which is this machine's")
    run("date", "-s", f"@{seconds:.0f}")


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
    there = os.open(NAMESPACES / namespace, os.O_RDONLY)
    try:
        if _libc.setns(there, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
        yield
    finally:
        _libc.setns(home, CLONE_NEWNET)
        os.close(there)
        os.close(home)


def namespace_add(name, sysctls=()):
    """A new network namespace where `ip netns` has its own: {file under /proc/sys/net: value} is set in it."""
    failures = []

    def make():
        try:
            if _libc.unshare(CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "unshare")
            if _libc.mount(b"/proc/thread-self/ns/net", os.fsencode(place), b"none", MS_BIND, None) != 0:
                raise OSError(ctypes.get_errno(), f"mount {place}")
            for path, value in dict(sysctls).items():
                (Path("/proc/sys/net") / path).write_text(value)
        except OSError as error:
            failures.append(error)
    place = NAMESPACES / name
    NAMESPACES.mkdir(exist_ok=True)
    place.touch()
    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if failures:
        raise Failure(f"namespace {name}: {failures[0]}")


def namespace_delete(name):
    """Ends a namespace; its links go as soon as nobody uses it."""
    place = NAMESPACES / name
    if place.exists():
        _libc.umount2(os.fsencode(place), MNT_DETACH)
        place.unlink()


def wait_for(what, fact, timeout=30, interval=0.05):
    """The first true value of fact(); Failure when there is none in time."""
    end = time.monotonic() + timeout
    while True:
        value = fact()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"waited {timeout} s for {what}")
        time.sleep(interval)


class Forked:
    """A child that is a copy of this process: what Popen has of its children. Python itself, and what the lab has
    imported, need not be started again, which takes the emulated processor most of a second."""

    def __init__(self, function, argv, log):
        self.returncode = None
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._be(function, argv, log)

    @staticmethod
    def _be(function, argv, log):
        status = 1
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            null = os.open(os.devnull, os.O_RDONLY)
            for there, here in ((null, 0), (log.fileno(), 1), (log.fileno(), 2)):
                os.dup2(there, here)
            # What other threads have open just now, ends of pipes to their children for one, is none of its business, and
            # would never end. The numbers stay taken: objects that were copied close them some day.
            for number in map(int, os.listdir("/proc/self/fd")):
                if number > 2 and number != null:
                    with contextlib.suppress(OSError):
                        os.fstat(number)
                        os.dup2(null, number)
            sys.stdout = open(1, "w", buffering=1, encoding="utf-8", closefd=False)
            sys.stderr = open(2, "w", buffering=1, encoding="utf-8", closefd=False)
            sys.argv = argv
            try:
                status = function() or 0
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else int(end.code is not None)
            except BaseException:
                traceback.print_exc()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)

    def poll(self):
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout=None):
        end = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired(self.pid, timeout)
            time.sleep(0.01)
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


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

    def fork(self, name, namespace, function, *argv):
        """The same for a program of the lab's own in Python: its main()."""
        with open(self.logs / f"{name}.log", "ab") as log, inside(namespace):
            self.children[name] = Forked(function, [name, *map(str, argv)], log)
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
