#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of tests/layering: small trees, a good one and each way to break it. A check that cannot fail is worthless."""

import importlib.machinery
import importlib.util
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
loader = importlib.machinery.SourceFileLoader("layering", str(HERE / "layering"))
layering = importlib.util.module_from_spec(importlib.util.spec_from_loader("layering", loader))
loader.exec_module(layering)

SPDX = "/* SPDX-License-Identifier: GPL-3.0-or-later */\n"
PURE = "agent/discovery/procedure.c"
# One file of each kind, each doing all that it may.
GOOD = {
    "agent/main.c": '#include <signal.h>\n#include "manager.h"\nint main(void) { return open(getenv("X"), 0); }\n',
    "agent/manager.c": '#include "ike/ike-sa.h"\n#include "cwmp/session.h"\n#include "dbus/bus.h"\n',
    "agent/status.h": '#include "base/address.h"\n',
    "agent/base/wire.c": '#include <string.h>\n#include "base/wire.h"\n',
    "agent/base/log.c": "#include <unistd.h>\n",
    "agent/ike/crypto.c": '#include <wolfssl/options.h>\n#include "ike/crypto.h"\n',
    "agent/ike/ike-sa.c": '#include "ike/ike-sa.h"\n#include "base/moment.h"\n',
    "agent/ike/ike-io.c": "#include <sys/socket.h>\n#include <unistd.h>\nvoid f(void) { socket(1, 2, 3); }\n",
    "agent/cwmp/soap-read.c": "#include <libxml/parser.h>\n",
    "agent/curl-io.h": "#include <curl/curl.h>\n",
    "agent/cwmp/cwmp-io.c": '#include "curl-io.h"\n#include "cwmp/cwmp-io.h"\n#include "status.h"\n',
    "agent/cwmp/tls.c": '#include <openssl/ssl.h>\n#include <time.h>\nlong f(void) { return time(0); }\n',
    "agent/store/store.c": '#include <sqlite3.h>\n#include "store/store.h"\n',
    PURE: '#include "discovery/procedure.h"\n#include "status.h"\n/* calls time() and\n open() never */\n'
          'const char *text = "sleep(1) \\" time(0)";\nint mean_time(int a);\nint g(void) { return mean_time(1); }\n',
    "agent/discovery/resolve-io.c": "#include <ares.h>\n",
    "netlink/xfrm.c": '#include <libmnl/libmnl.h>\n#include "ike/child-sa.h"\n',
    "netlink/link.c": "#include <netlink/route/rule.h>\n",
    "dbus/bus.c": '#include <systemd/sd-bus.h>\n#include "status.h"\n',
}

WORLDLY = """systemd/sd-event.h curl/curl.h ares.h sqlite3.h ini.h microhttpd.h unistd.h fcntl.h poll.h signal.h dirent.h
    sys/epoll.h sys/random.h sys/stat.h sys/time.h sys/timerfd.h sys/inotify.h sys/ioctl.h sys/mman.h sys/wait.h sys/un.h
    netdb.h arpa/nameser.h netlink/netlink.h""".split()
CALLS = """socket connect bind sendto sendmsg recvfrom open fopen getrandom random rand time clock_gettime gettimeofday
    getenv system sleep usleep""".split()


class Layering(unittest.TestCase):
    def broken(self, changes):
        """What the check says of GOOD with *changes*: {file: lines put behind its own, or None for no such file}."""
        with tempfile.TemporaryDirectory() as folder:
            for name in {**GOOD, **changes}:
                if changes.get(name, "") is None:
                    continue
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(SPDX + GOOD.get(name, "") + changes.get(name, ""))
            return layering.check(Path(folder))

    def assert_breaks(self, name, lines, *expected):
        self.assertEqual(self.broken({name: lines}), [f"{name} {text}" for text in expected])

    def test_the_good_tree_holds(self):
        self.assertEqual(self.broken({}), [])

    def test_a_folder_without_sources(self):
        self.assertEqual(self.broken({name: None for name in GOOD}), ["no sources found"])

    def test_headers_of_the_world(self):
        for header in WORLDLY:
            with self.subTest(header):
                self.assertIn(f"{PURE} is pure and includes <{header}>", self.broken({PURE: f"#include <{header}>\n"}))
        self.assertIn(f"{PURE} is pure and includes <poll.h>", self.broken({PURE: "#  include<poll.h>\n"}))
        self.assert_breaks("agent/discovery/procedure.h", "#include <poll.h>\n", "is pure and includes <poll.h>")
        self.assert_breaks("agent/status.c", "#include <poll.h>\n", "is pure and includes <poll.h>")
        self.assert_breaks("agent/ike/link.c", "#include <poll.h>\n", "is pure and includes <poll.h>")

    def test_calls_to_the_world(self):
        for call in CALLS:
            with self.subTest(call):
                self.assert_breaks(PURE, f"int f(void) {{ return {call} (0); }}\n", f"is pure and calls {call}()")
        self.assert_breaks("agent/discovery/procedure.h", "static inline int f(void) { return time(0); }\n",
                           "is pure and calls time()")
        # What stands between two comments is code.
        self.assert_breaks(PURE, "/* one */ int f(void) { return time(0); } /* two */\n", "is pure and calls time()")

    def test_headers_of_ours_that_touch_the_world(self):
        self.assert_breaks(PURE, '#include "discovery/resolve-io.h"\n', "is pure and includes discovery/resolve-io.h")
        self.assert_breaks("agent/status.c", '#include "clock.h"\n', "is pure and includes clock.h")
        self.assert_breaks("netlink/xfrm.c", '#include "netlink/link.h"\n', "is pure and includes netlink/link.h")

    def test_each_library_has_its_files(self):
        # A file that may touch the world is still not every library's. libmnl and libxml are harmless but bound.
        for library, header in (("wolfssl/", "wolfssl/ssl.h"), ("libxml/", "libxml/tree.h"), ("curl/", "curl/curl.h"),
                                ("openssl/", "openssl/ssl.h"),
                                ("ares\\.h", "ares.h"), ("sqlite3\\.h", "sqlite3.h"), ("libmnl/", "libmnl/libmnl.h"),
                                ("systemd/sd-bus\\.h", "systemd/sd-bus.h"), ("winscard\\.h", "winscard.h"),
                                ("json-c/", "json-c/json.h"),
                                ("microhttpd\\.h", "microhttpd.h")):
            with self.subTest(header):
                owners = ", ".join(sorted(layering.LIBRARIES[library]))
                self.assert_breaks("agent/manager.c", f"#include <{header}>\n", f"includes <{header}>, which is for {owners}")
                for owner in layering.LIBRARIES[library]:
                    self.assertEqual(self.broken({owner: f"#include <{header}>\n"}), [])

    def test_every_library_is_tested(self):
        self.assertEqual(len(layering.LIBRARIES), 11)

    def test_what_folders_may_include(self):
        for name, header, folder in (
                ("agent/base/wire.c", "status.h", "agent/base"),
                ("agent/base/wire.c", "ike/payload.h", "agent/base"),
                ("agent/ike/ike-sa.c", "cwmp/session.h", "agent/ike"),
                ("agent/ike/ike-sa.c", "status.h", "agent/ike"),
                ("agent/cwmp/soap.c", "ike/ike-sa.h", "agent/cwmp"),
                ("agent/cwmp/soap.c", "soap.h", "agent/cwmp"),  # by its folder's name only
                ("agent/cwmp/soap.c", "../ike/ike-sa.h", "agent/cwmp"),
                ("agent/store/store.c", "status.h", "agent/store"),
                (PURE, "ike/ike-sa.h", "agent/discovery"),
                ("netlink/xfrm.c", "ike/ike-sa.h", "netlink"),
                ("netlink/xfrm.c", "status.h", "netlink"),
                ("dbus/bus.c", "cwmp/model.h", "dbus")):
            with self.subTest(f"{name} {header}"):
                allowed = ", ".join(sorted(layering.MAY_INCLUDE[folder]))
                self.assert_breaks(name, f'#include "{header}"\n', f"includes {header}: {folder} may include {allowed}")

    def test_a_folder_nothing_is_said_about(self):
        self.assertEqual(self.broken({"agent/eap/eap.c": "\n"}),
                         ["agent/eap/eap.c: nothing is said about what its folder may include"])

    def test_length(self):
        self.assertEqual(self.broken({"agent/base/wire.c": "\n" * 797}), [])
        self.assert_breaks("agent/base/wire.c", "\n" * 798, "has 801 lines, more than 800")
        there = (SPDX + GOOD[PURE]).count("\n")
        self.assertEqual(self.broken({PURE: "\n" * (900 - there)}), [])
        self.assert_breaks(PURE, "\n" * (901 - there), "has 901 lines, more than 900")

    def test_license(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "dbus", "bus.c")
            path.parent.mkdir()
            for text in ("", "\n" + SPDX, "/* SPDX-License-Identifier: MIT */\n"):
                path.write_text(text)
                self.assertEqual(layering.check(Path(folder)), ["dbus/bus.c has no SPDX line at its top"])


if __name__ == "__main__":
    unittest.main()
