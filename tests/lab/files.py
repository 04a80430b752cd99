# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's file server: what a HeMS has fetched and sent by TR-069.

    files.py --listen ADDRESS:PORT --folder FOLDER --log FILE

GET gives the bytes of image(), by ranges, too. The path says what goes wrong: /cut/... breaks off in the middle the first
time, /held/... says no more in the middle the first time, until the other side leaves. PUT keeps the body in FOLDER under the
last part of its path. Each answer has a line in the log.
"""

import argparse
import http.server
import re
import sys
from pathlib import Path

SIZE = 400000
TAG = '"one"'


def image():
    return bytes(i * 7 % 251 for i in range(SIZE))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder, log, spoiled = None, None, set()

    def log_message(self, *args):
        pass

    def note(self, text):
        print(f"{self.command} {self.path} {text}", file=self.log, flush=True)

    def do_GET(self):
        data, begin = image(), 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and self.headers.get("If-Range") in (None, TAG):
            begin = int(asked[1])
        self.send_response(206 if begin else 200)
        self.send_header("ETag", TAG)
        self.send_header("Content-Length", str(SIZE - begin))
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{SIZE - 1}/{SIZE}")
        self.end_headers()
        kind = self.path.split("/")[1]
        if kind in ("cut", "held") and self.path not in self.spoiled:
            self.spoiled.add(self.path)
            self.wfile.write(data[:SIZE // 2])
            self.wfile.flush()
            self.note(f"{kind} at {SIZE // 2}")
            if kind == "held":
                self.connection.recv(1)
            self.close_connection = True
            return
        self.wfile.write(data[begin:])
        self.note(f"from {begin}")

    def do_PUT(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        (self.folder / Path(self.path).name).write_bytes(body)
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.note(f"{len(body)} bytes")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # the other side hung up


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", required=True)
    parser.add_argument("--folder", required=True, type=Path)
    parser.add_argument("--log", required=True)
    args = parser.parse_args()
    address, _, port = args.listen.rpartition(":")
    Handler.folder, Handler.log = args.folder, open(args.log, "a", encoding="utf-8")
    Server((address, int(port)), Handler).serve_forever()


if __name__ == "__main__":
    sys.exit(main())
