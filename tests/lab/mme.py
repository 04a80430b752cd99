#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's MME: an SCTP listener that logs who associates and the payload protocol of the first message.

    python3 mme.py --listen 10.0.0.20:36412 --log FILE

Lines of the log: `listening on ADDRESS port PORT`, `association from ADDRESS ppid N`, `association from ADDRESS
without a message`. S1AP itself is not spoken. Until SIGTERM.
"""

import argparse
import re
import signal
import socket
import struct
import sys
import threading
import time

IPPROTO_SCTP = 132
SCTP_SNDRCV = 1  # ancillary data, RFC 6458 5.3.2
SCTP_EVENTS = 11  # socket option, RFC 6458 6.2.1
DATA_IO_EVENT = b"\x01" + bytes(7)  # struct sctp_event_subscribe begins with sctp_data_io_event
SNDRCV = struct.Struct("=HHHxxIIIIIi")  # stream, ssn, flags, ppid, context, timetolive, tsn, cumtsn, assoc_id
MESSAGE_MAX = 65536


def address(text):
    match = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\]:(\d+)|([0-9.]+):(\d+)", text)
    if not match:
        raise argparse.ArgumentTypeError("ADDRESS:PORT or [ADDRESS]:PORT")
    return match[1] or match[3], int(match[2] or match[4])


def say(log, text):
    print(time.strftime("%H:%M:%S"), text, file=log, flush=True)


def payload_protocol(ancillary):
    """The PPID, which travels and is handed over in network byte order; None if it is not there."""
    for level, kind, data in ancillary:
        if level == IPPROTO_SCTP and kind == SCTP_SNDRCV:
            return socket.ntohl(SNDRCV.unpack(data[:SNDRCV.size])[3])
    return None


def serve(sock, peer, log):
    told = False
    with sock:
        try:
            while True:
                data, ancillary, _, _ = sock.recvmsg(MESSAGE_MAX, 1024)
                if not data:
                    break
                if not told:
                    say(log, f"association from {peer[0]} ppid {payload_protocol(ancillary)}")
                told = True
        except OSError as error:
            say(log, f"association from {peer[0]} broken: {error}")
    if not told:
        say(log, f"association from {peer[0]} without a message")


def main():
    parser = argparse.ArgumentParser(description="An SCTP listener that stands for an MME.")
    parser.add_argument("--listen", type=address, required=True, metavar="ADDRESS:PORT")
    parser.add_argument("--log", required=True, metavar="FILE")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(0))
    family = socket.AF_INET6 if ":" in args.listen[0] else socket.AF_INET
    server = socket.socket(family, socket.SOCK_STREAM, IPPROTO_SCTP)
    with open(args.log, "w", encoding="utf-8") as log, server:
        server.setsockopt(IPPROTO_SCTP, SCTP_EVENTS, DATA_IO_EVENT)
        server.bind(args.listen)
        server.listen(16)
        say(log, f"listening on {args.listen[0]} port {args.listen[1]}")
        while True:
            sock, peer = server.accept()
            threading.Thread(target=serve, args=(sock, peer, log), daemon=True).start()


if __name__ == "__main__":
    main()
