#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file server that goes wrong, for test-transfer-io: the path says how. Prints its port and ends with standard input."""

import hashlib
import http.server
import re
import sys
import threading
import time

FILE = bytes(i * 7 % 251 for i in range(100000))
OTHER = bytes(i * 11 % 241 for i in range(90000))
seen = {}
stored = {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, status, body=b"", length=None, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self):
        self.wfile.flush()
        self.close_connection = True

    def part(self, data, tag):
        """What a Range asks for, if it is still this file."""
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not asked or self.headers.get("If-Range") != tag:
            return 200, data, [("ETag", tag)] if tag else []
        start = int(asked[1])
        return 206, data[start:], [("ETag", tag), ("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")]

    def digest_is_right(self):
        fields = dict(re.findall(r'(\w+)="?([^",]+)"?', self.headers.get("Authorization", "")))
        if not self.headers.get("Authorization", "").startswith("Digest "):
            return False
        md5 = lambda text: hashlib.md5(text.encode()).hexdigest()
        return fields.get("response") == md5(":".join((
            md5("user:realm:s3cret"), fields["nonce"], fields["nc"], fields["cnonce"], fields["qop"],
            md5(f"{self.command}:{self.path}"))))

    def challenge(self, scheme):
        self.reply(401, b"who?", headers=[("WWW-Authenticate", scheme)])

    def do_GET(self):
        n = seen[self.path] = seen.get(self.path, 0) + 1
        kind = self.path.strip("/")
        if kind == "whole":
            self.reply(200, FILE)
        elif kind == "empty":
            self.reply(200)
        elif kind == "chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for i in range(0, len(FILE), 5000):
                self.wfile.write(b"%x\r\n" % len(FILE[i:i + 5000]) + FILE[i:i + 5000] + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
        elif kind.startswith("breaks"):  # "breaks-N": 30000 bytes a connection, N connections with none
            status, body, headers = self.part(FILE, '"one"')
            self.reply(status, body[:30000], len(body), headers)
            if len(body) > 30000:
                self.hang_up()
        elif kind == "untagged":
            status, body, headers = self.part(FILE, None)
            self.reply(status, body[:30000] if n == 1 else body, len(body), headers)
            if n == 1:
                self.hang_up()
        elif kind == "changes":
            status, body, headers = self.part(FILE, '"one"') if n == 1 else self.part(OTHER, '"two"')
            self.reply(status, body[:30000] if n == 1 else body, len(body), headers)
            if n == 1:
                self.hang_up()
        elif kind == "wrong-part":
            if n == 1:
                self.reply(200, FILE[:30000], len(FILE), [("ETag", '"one"')])
                self.hang_up()
            else:
                self.reply(206, FILE[50000:], headers=[("ETag", '"one"'), ("Content-Range", "bytes 50000-99999/100000")])
        elif kind == "dead":
            self.hang_up()
        elif kind == "stalls":
            self.reply(200, FILE[:1000], len(FILE))
            time.sleep(5)
            self.hang_up()
        elif kind == "huge":
            self.reply(200, b"x", 1 << 40)
            self.hang_up()
        elif kind == "endless":
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            while True:
                self.wfile.write(FILE)
        elif kind == "headers":
            self.send_response(200)
            for i in range(90):
                self.send_header(f"X-{i}", "x" * 1000)
            self.end_headers()
        elif kind == "digest":
            if self.digest_is_right():
                self.reply(200, FILE)
            else:
                self.challenge('Digest realm="realm", nonce="abc", qop="auth", algorithm=MD5')
        elif kind == "basic":
            if "Authorization" in self.headers:
                seen["basic-shown"] = 1
            self.challenge('Basic realm="realm"')
        elif kind == "redirect":
            self.reply(302, headers=[("Location", "/whole")])
        elif kind.isdigit():
            self.reply(int(kind), b"no")
        elif kind.startswith("count/"):
            self.reply(200, str(seen.get(kind[5:], seen.get(kind[6:], 0))).encode())
        elif kind.startswith("stored/"):
            self.reply(200, stored.get(kind[6:], b"nothing"))
        else:
            self.reply(404)

    def do_PUT(self):
        seen[self.path] = seen.get(self.path, 0) + 1
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        kind = self.path.strip("/")
        if kind == "put-digest" and not self.digest_is_right():
            stored.setdefault("/probed", b"yes" if not body else b"no")
            self.challenge('Digest realm="realm", nonce="abc", qop="auth", algorithm=MD5')
        elif kind.isdigit():
            self.reply(int(kind))
        else:
            stored[self.path] = body
            self.reply(201)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # the other side hung up


server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
