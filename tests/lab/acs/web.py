# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP for the lab's HeMS: one connection that reads requests strictly and sends answers in several styles, over TLS
when it has to, cookies (RFC 6265 4), digest authentication (RFC 2617)."""

import contextlib
import hashlib
import re
import secrets
import select
import socket
import ssl
import struct
import warnings
from dataclasses import dataclass, field

HEAD_MAX = 65536
BODY_MAX = 32 << 20


class Gone(Exception):
    """The peer closed the connection, or broke off in the middle of a request."""


class Silent(Exception):
    """The peer said nothing for as long as it may."""


@dataclass
class Request:
    method: str
    target: str
    version: str
    headers: list  # of (lower-case name, value)
    body: bytes

    def all(self, name):
        return [value for key, value in self.headers if key == name]

    def get(self, name):
        return next(iter(self.all(name)), None)


@dataclass
class Answer:
    status: int
    body: bytes = b""
    headers: list = field(default_factory=list)
    style: str = "length"  # how the body's end is shown: length, chunked, close (and length), eof
    close: bool = False  # close the connection afterwards
    cut: int | None = None  # send only so many bytes, then close
    reset: bool = False  # with a reset instead of a FIN
    hold: float | None = None  # say nothing for so many seconds, or until the peer leaves, then close
    lie: int = 0  # add to Content-Length


REASONS = {200: "OK", 204: "No Content", 302: "Found", 307: "Temporary Redirect", 400: "Bad Request",
           401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
           500: "Internal Server Error", 503: "Service Unavailable"}


class Tls:
    """The HeMS's side of TLS. *client_ca*: the file of the CA that a client's certificate has to be of, None: no
    certificate is asked for. *newest*: the newest version, of VERSIONS, None for what OpenSSL has."""

    VERSIONS = {"1.1": ssl.TLSVersion.TLSv1_1, "1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
    SECONDS = 30  # for a handshake

    def __init__(self, certificate, key, client_ca=None, newest=None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.context.set_alpn_protocols(["http/1.1"])
        self.context.sni_callback = self.note_name
        if client_ca:
            self.context.load_verify_locations(client_ca)
            self.context.verify_mode = ssl.CERT_REQUIRED
        if newest == "1.1":  # Debian's OpenSSL has it below its usual level of security only
            self.context.set_ciphers("DEFAULT:@SECLEVEL=0")
        if newest:
            with warnings.catch_warnings():  # of versions that are out of use, which is the point
                warnings.simplefilter("ignore", DeprecationWarning)
                self.context.minimum_version = min(self.VERSIONS[newest], ssl.TLSVersion.TLSv1_2)
                self.context.maximum_version = self.VERSIONS[newest]

    @staticmethod
    def note_name(sock, name, context):
        sock.server_name = name

    def accept(self, sock):
        """The TLS socket of a connection, and a line about it for the log. Raises OSError; it is closed then."""
        sock.settimeout(self.SECONDS)
        sock = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        sock.server_name = None
        try:
            sock.do_handshake()
        except OSError:
            with contextlib.suppress(OSError):  # what is unread would make a reset that overtakes the alert
                sock.settimeout(2)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(65536):
                    pass
            sock.close()
            raise
        sock.settimeout(None)
        subject = dict(pair for part in (sock.getpeercert() or {}).get("subject", ()) for pair in part)
        return sock, (f": {sock.version()} {sock.cipher()[0]}, SNI {sock.server_name}, "
                      f"ALPN {sock.selected_alpn_protocol()}, client certificate {subject.get('commonName', 'none')}")


class Connection:
    """A TCP connection of a CPE, perhaps with TLS. check(ok, rule, text) as in soap.py."""

    def __init__(self, sock, peer, check):
        self.sock, self.peer, self.check = sock, peer, check
        self.buffer = b""
        self.used_up = False  # a session has ended here: no further request may come
        self.nonces = {}  # the digest nonces given out on this connection, with the last count used

    def waiting(self, timeout):
        """Whether there is something to read, within *timeout* seconds."""
        pending = isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()  # TLS has read whole records
        return pending or select.select([self.sock], [], [], timeout)[0] != []

    def more(self, timeout):
        if not self.waiting(timeout):
            raise Silent
        try:
            data = self.sock.recv(65536)
        except OSError as error:
            raise Gone(str(error)) from error
        if not data:
            raise Gone("closed")
        self.buffer += data

    def read(self, timeout):
        """The next request. *timeout* in seconds, None for ever. Raises Gone, Silent."""
        while b"\r\n\r\n" not in self.buffer:
            if len(self.buffer) > HEAD_MAX:
                self.check(False, "HTTP-POST", f"a head of more than {HEAD_MAX} bytes")
                raise Gone("endless head")
            self.more(30 if self.buffer else timeout)
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        line, *rest = head.decode("latin-1").split("\r\n")
        headers = []
        for header in rest:
            match = re.fullmatch(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*", header)
            self.check(match, "HTTP-POST", f"header {header!r}")
            if match:
                headers.append((match[1].lower(), match[2]))
        match = re.fullmatch(r"(\S+) (\S+) (HTTP/\d\.\d)", line)
        if not match:
            self.check(False, "HTTP-POST", line)
            raise Gone("no request line")
        request = Request(match[1], match[2], match[3], headers, b"")
        length = request.get("content-length") or ""
        if length.isdecimal() and int(length) <= BODY_MAX:
            while len(self.buffer) < int(length):
                self.more(30)
            request.body, self.buffer = self.buffer[:int(length)], self.buffer[int(length):]
        return request

    def early(self):
        """Whether bytes have come after the last request."""
        if not self.buffer and self.waiting(0):
            try:
                self.buffer = self.sock.recv(65536)
            except OSError:
                return False
        return self.buffer != b""

    def closed(self):
        """Whether the peer has closed it, as far as is known here."""
        if isinstance(self.sock, ssl.SSLSocket):  # which cannot be looked into without reading
            poll = select.poll()
            poll.register(self.sock, select.POLLRDHUP)
            return poll.poll(0) != []
        if not select.select([self.sock], [], [], 0)[0]:
            return False
        try:
            return self.sock.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

    def send(self, answer):
        """Sends the answer. False if the connection is closed by it."""
        if answer.hold is not None:
            try:
                self.more(answer.hold)
                self.check(False, "HTTP-PIPELINE", f"while the HeMS was silent: {self.buffer[:80]!r}")
            except (Gone, Silent):
                pass
            return self.close(answer.reset)
        data = encode(answer)
        if self.early():
            self.check(False, "HTTP-PIPELINE", f"before the answer: {self.buffer[:80]!r}")
        try:
            self.sock.sendall(data if answer.cut is None else data[:answer.cut])
        except OSError:
            return self.close()
        if answer.cut is not None or answer.close or answer.style in ("close", "eof"):
            return self.close(answer.reset)
        return True

    def close(self, reset=False):
        """Says that it is the end, and sees to it that nothing comes any more."""
        try:
            if reset:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                if isinstance(self.sock, ssl.SSLSocket):
                    self.sock.settimeout(10)
                    self.sock = self.sock.unwrap()  # says close_notify, without which an end is no end
                self.sock.shutdown(socket.SHUT_WR)
                self.more(10)
                self.check(False, "HTTP-CLOSED", f"after the HeMS closed: {self.buffer[:80]!r}")
        except (OSError, Gone, Silent) as error:
            late = getattr(error, "reason", None) == "APPLICATION_DATA_AFTER_CLOSE_NOTIFY"
            self.check(not late, "HTTP-CLOSED", "after the HeMS closed, over TLS")
        self.sock.close()
        return False


def encode(answer):
    """The bytes of an answer in its style."""
    reason = REASONS.get(answer.status, "Other")
    lines = [f"{'HTTP/1.0' if answer.style == 'eof' else 'HTTP/1.1'} {answer.status} {reason}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    body = answer.body
    if answer.style == "chunked" and answer.status != 204:
        lines.append("Transfer-Encoding: chunked")
        chunks = [body[i:i + 100] for i in range(0, len(body), 100)] + [b""]
        body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    elif answer.style != "eof" and answer.status != 204:
        lines.append(f"Content-Length: {len(body) + answer.lie}")
    if answer.close or answer.style in ("close", "eof"):
        lines.append("Connection: close")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def check_request(request, hosts, port, default_port, check):
    """Everything about a request that does not depend on the session. *port* is the HeMS's, *default_port* that of its
    scheme."""
    check(request.method == "POST" and request.version == "HTTP/1.1" and request.target.startswith("/"), "HTTP-POST",
          f"{request.method} {request.target} {request.version}")
    host = request.all("host")
    names = [name if port == default_port else f"{name}:{port}" for name in hosts]
    right = len(host) == 1 and (host[0] in names if names else re.fullmatch(
        r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)" + (f":{port}" if port != default_port else f"(:{port})?"), host[0]))
    check(right, "HTTP-HOST", f"Host {host}, not {names or f'NAME:{port}'}")
    length = request.all("content-length")
    check(len(length) == 1 and length[0].isdecimal() and int(length[0]) == len(request.body), "HTTP-LENGTH",
          f"Content-Length {length} with a body of {len(request.body)} bytes")
    check(not request.all("transfer-encoding"), "HTTP-LENGTH", f"Transfer-Encoding {request.all('transfer-encoding')}")
    check(not request.all("expect"), "HTTP-EXPECT", f"Expect {request.all('expect')}")
    check(not request.all("content-encoding"), "HTTP-ENCODING", f"Content-Encoding {request.all('content-encoding')}")
    kind, action = request.all("content-type"), request.all("soapaction")
    if request.body:
        right = len(kind) == 1 and re.fullmatch(r'(?i)text/xml(\s*;\s*charset="?utf-8"?)?', kind[0])
        check(right, "HTTP-TYPE", f"Content-Type {kind}")
        check(action == [""], "HTTP-ACTION", f"SOAPAction {action}")
    else:
        check(not kind and not action, "HTTP-EMPTY", f"Content-Type {kind}, SOAPAction {action}")


class Cookies:
    """The cookies of one session as a careful CPE keeps them."""

    def __init__(self):
        self.jar = {}  # (name, path): value

    def set(self, text, target):
        """Takes what a Set-Cookie header gives, sent in the answer to a request for *target*."""
        pair, *attributes = [part.strip() for part in text.split(";")]
        name, _, value = pair.partition("=")
        path = target.partition("?")[0].rpartition("/")[0] or "/"
        for attribute in attributes:
            if attribute.lower().startswith("path=/"):
                path = attribute[5:]
        self.jar[name, path] = value

    def check(self, request, check):
        target = request.target.partition("?")[0]
        due = [f"{name}={value}" for (name, path), value in self.jar.items()
               if target == path or target.startswith(path.rstrip("/") + "/")]
        given = [f"{name}={value}" for (name, path), value in self.jar.items()]
        headers = request.all("cookie")
        got = [part.strip() for part in headers[0].split(";")] if headers else []
        right = len(headers) <= 1 and len(got) == len(set(got)) and set(due) <= set(got) <= set(given)
        check(right, "COOKIE-BACK" if self.jar else "COOKIE-OLD", f"Cookie {headers}, not {due}")


class Digest:
    """The challenges of one session: {"type", "username", "password", "realm", "reject"} of a scenario."""

    def __init__(self, auth):
        self.auth = auth
        self.realm = auth.get("realm", "hems")

    def challenge(self, connection, stale=False):
        if self.auth["type"] == "basic":
            return [("WWW-Authenticate", f'Basic realm="{self.realm}"')]
        nonce = secrets.token_hex(16)
        connection.nonces[nonce] = 0
        parts = f'Digest realm="{self.realm}", qop="auth", nonce="{nonce}", opaque="{nonce[:8]}"'
        return [("WWW-Authenticate", parts + (", stale=true" if stale else ""))]

    def judge(self, request, connection, check):
        """'good', 'stale' (a nonce that was not given out on this connection), 'bad' or 'none'."""
        header = request.get("authorization")
        if header is None:
            return "none"
        scheme, _, rest = header.partition(" ")
        check(scheme.lower() != "basic", "AUTH-CLEAR", "Authorization: Basic")
        if scheme.lower() != "digest" or self.auth.get("reject"):
            return "bad"
        given = {name.lower(): quoted if mark else token for name, token, mark, quoted in
                 re.findall(r'(\w+)\s*=\s*(?:([^\s",]+)|(")((?:[^"\\]|\\.)*)")', rest)}
        nonce, count = given.get("nonce"), given.get("nc", "")
        if nonce not in connection.nonces:
            return "stale"
        right = {"username": self.auth["username"], "realm": self.realm, "uri": request.target, "qop": "auth",
                 "opaque": nonce[:8]}
        for name, value in right.items():
            check(given.get(name) == value, "AUTH-DIGEST", f"{name} is {given.get(name)!r}, not {value!r}")
        check(re.search(r"[ ,]qop=auth(,|\s|$)", rest) and re.search(r"[ ,]nc=[0-9a-f]{8}(,|\s|$)", rest),
              "AUTH-DIGEST", f"qop and nc (8 hex digits) without quotes: {header}")
        counted = re.fullmatch("[0-9a-f]{8}", count) and int(count, 16) == connection.nonces[nonce] + 1
        check(counted, "AUTH-DIGEST", f"nc is {count!r} after {connection.nonces[nonce]}")
        connection.nonces[nonce] += 1
        a1 = md5(f"{given.get('username')}:{self.realm}:{self.auth['password']}")
        a2 = md5(f"{request.method}:{given.get('uri')}")
        want = md5(f"{a1}:{nonce}:{count}:{given.get('cnonce', '')}:{given.get('qop', '')}:{a2}")
        check(given.get("response") == want, "AUTH-DIGEST", f"response is {given.get('response')!r}, not {want!r}")
        return "good" if given.get("response") == want else "bad"


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()
