# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody on the bus who is not root. A process of its own, since the bus and polkit look at the process; it lets its
starter use its connection (bus.py): a line of JSON in, a line out."""

import json
import subprocess
import sys
from pathlib import Path

from bus import Bus, BusError


class Caller:
    """Connects as *user*, with the groups the user has. Its methods are those of Bus."""

    def __init__(self, user):
        argv = ["runuser", "-u", user, "--", sys.executable, "-B", Path(__file__).resolve()]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __getattr__(self, method):
        def ask(*arguments, **options):
            self.process.stdin.write(json.dumps([method, arguments, options]) + "\n")
            self.process.stdin.flush()
            answer, error = json.loads(self.process.stdout.readline())
            if error:
                raise BusError(error)
            return answer
        return ask

    def leave(self):
        self.process.communicate(timeout=30)


def main():
    own = Bus()
    for line in sys.stdin:
        method, arguments, options = json.loads(line)
        try:
            answer = [getattr(own, method)(*arguments, **options), None]
        except (BusError, OSError) as error:
            answer = [None, str(error)]
        print(json.dumps(answer), flush=True)
    own.close()


if __name__ == "__main__":
    main()
