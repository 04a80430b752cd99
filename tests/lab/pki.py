#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP server for CRLs that can be told to be silent: takes a request and never answers.

usage: pki.py --listen ADDRESS:PORT --folder FOLDER [--silent]"""

import argparse
import functools
import http.server
import time


class Silent(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        self.log_message("silent about %s", self.path)
        time.sleep(3600)

    do_POST = do_GET


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--silent", action="store_true")
    options = parser.parse_args()
    host, _, port = options.listen.rpartition(":")
    handler = functools.partial(Silent if options.silent else http.server.SimpleHTTPRequestHandler, directory=options.folder)
    http.server.ThreadingHTTPServer((host, int(port)), handler).serve_forever()


if __name__ == "__main__":
    main()
