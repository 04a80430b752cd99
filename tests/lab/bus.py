# SPDX-License-Identifier: GPL-3.0-or-later
"""The system bus and the journal, by libsystemd within this process: starting busctl, systemctl or journalctl costs the
emulated processor more than what they are asked for."""

import ctypes
import threading
import time

_lib = ctypes.CDLL("libsystemd.so.0")
_pointer, _text, _usec = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint64
_uint64 = ctypes.c_uint64
BASIC = {"y": ctypes.c_uint8, "b": ctypes.c_int, "n": ctypes.c_int16, "q": ctypes.c_uint16, "i": ctypes.c_int32,
         "u": ctypes.c_uint32, "x": ctypes.c_int64, "t": ctypes.c_uint64, "d": ctypes.c_double, "s": _text, "o": _text,
         "g": _text, "h": ctypes.c_int}
CONTAINERS = {"a", "v", "r", "e"}


class _Error(ctypes.Structure):
    _fields_ = [("name", _text), ("message", _text), ("need_free", ctypes.c_int)]


def _declare(result, name, *arguments):
    function = getattr(_lib, name)
    function.restype, function.argtypes = result, arguments
    return function


_int = ctypes.c_int
_open = _declare(_int, "sd_bus_open_system", _pointer)
_close = _declare(_pointer, "sd_bus_flush_close_unref", _pointer)
_new_call = _declare(_int, "sd_bus_message_new_method_call", _pointer, _pointer, _text, _text, _text, _text)
_append = _declare(_int, "sd_bus_message_append_basic", _pointer, ctypes.c_char, _pointer)
_call = _declare(_int, "sd_bus_call", _pointer, _pointer, _usec, _pointer, _pointer)
_error_free = _declare(None, "sd_bus_error_free", _pointer)
_request_name = _declare(_int, "sd_bus_request_name", _pointer, _text, _uint64)
_allow_interaction = _declare(_int, "sd_bus_message_set_allow_interactive_authorization", _pointer, _int)
_open_container = _declare(_int, "sd_bus_message_open_container", _pointer, ctypes.c_char, _text)
_close_container = _declare(_int, "sd_bus_message_close_container", _pointer)
_unref = _declare(_pointer, "sd_bus_message_unref", _pointer)
_peek = _declare(_int, "sd_bus_message_peek_type", _pointer, _pointer, _pointer)
_enter = _declare(_int, "sd_bus_message_enter_container", _pointer, ctypes.c_char, _text)
_exit = _declare(_int, "sd_bus_message_exit_container", _pointer)
_read = _declare(_int, "sd_bus_message_read_basic", _pointer, ctypes.c_char, _pointer)
_process = _declare(_int, "sd_bus_process", _pointer, _pointer)
_wait = _declare(_int, "sd_bus_wait", _pointer, _usec)
_sender = _declare(_text, "sd_bus_message_get_sender", _pointer)
_path = _declare(_text, "sd_bus_message_get_path", _pointer)
_member = _declare(_text, "sd_bus_message_get_member", _pointer)
_is_call = _declare(_int, "sd_bus_message_is_method_call", _pointer, _text, _text)
_new_return = _declare(_int, "sd_bus_message_new_method_return", _pointer, _pointer)
_send = _declare(_int, "sd_bus_send", _pointer, _pointer, _pointer)
_flush = _declare(_int, "sd_bus_flush", _pointer)


class Variant(str):
    """A text that goes in a variant, as the value of a property."""


class BusError(Exception):
    """What a method answered instead of doing it: the error's name and message."""


def _checked(code):
    if code < 0:
        raise OSError(-code, f"libsystemd: {-code}")
    return code


def _arguments(message):
    """What is left to read in a message, or in the container that was entered: a list."""
    values = []
    kind, contents = ctypes.c_char(), _text()
    while _checked(_peek(message, ctypes.byref(kind), ctypes.byref(contents))):
        letter = kind.value.decode()
        if letter in CONTAINERS:
            inside = contents.value
            _checked(_enter(message, kind, inside))
            parts = _arguments(message)
            _checked(_exit(message))
            if letter == "v":
                parts = parts[0]
            elif letter == "a" and inside.startswith(b"{"):
                parts = dict(parts)
            values.append(parts)
            continue
        place = BASIC[letter]()
        _checked(_read(message, kind, ctypes.byref(place)))
        value = place.value
        values.append(value.decode() if isinstance(value, bytes) else bool(value) if letter == "b" else value)
    return values


class Bus:
    """A connection to the system bus, for one thread."""

    def __init__(self):
        self.bus = _pointer()
        _checked(_open(ctypes.byref(self.bus)))

    def call(self, destination, path, interface, member, *words, timeout=60, interactive=False):
        """Calls a method with strings, integers of 32 bits, variants, and lists of strings or of pairs of them as
        arguments; what it answers, a list. *interactive*: polkit may ask somebody for a password."""
        message, reply, error = _pointer(), _pointer(), _Error()
        _checked(_new_call(self.bus, ctypes.byref(message), destination.encode(), path.encode(), interface.encode(),
                           member.encode()))
        try:
            _checked(_allow_interaction(message, interactive))
            for word in words:
                if isinstance(word, int):
                    _checked(_append(message, b"i", ctypes.byref(ctypes.c_int32(word))))
                elif isinstance(word, list):
                    self._list(message, word)
                elif isinstance(word, Variant):
                    _checked(_open_container(message, b"v", b"s"))
                    _checked(_append(message, b"s", ctypes.c_char_p(word.encode())))
                    _checked(_close_container(message))
                else:
                    _checked(_append(message, b"s", ctypes.c_char_p(word.encode())))
            if _call(self.bus, message, int(timeout * 1e6), ctypes.byref(error), ctypes.byref(reply)) < 0:
                raise BusError(f"{(error.name or b'').decode()}: {(error.message or b'').decode()}")
            return _arguments(reply)
        finally:
            _error_free(ctypes.byref(error))
            _unref(message)
            _unref(reply)

    @staticmethod
    def _list(message, items, pairs=None):
        pairs = bool(items) and not isinstance(items[0], str) if pairs is None else pairs
        _checked(_open_container(message, b"a", b"(ss)" if pairs else b"s"))
        for item in items:
            if pairs:
                _checked(_open_container(message, b"r", b"ss"))
            for text in item if pairs else (item,):
                _checked(_append(message, b"s", ctypes.c_char_p(text.encode())))
            if pairs:
                _checked(_close_container(message))
        _checked(_close_container(message))

    def call_blindly(self, times, destination, path, interface, member):
        """Calls a method without arguments, so often, and reads none of the answers it wants."""
        cookie = ctypes.c_uint64()
        for _ in range(times):
            message = _pointer()
            _checked(_new_call(self.bus, ctypes.byref(message), destination.encode(), path.encode(), interface.encode(),
                               member.encode()))
            _checked(_send(self.bus, message, ctypes.byref(cookie)))
            _unref(message)
        _checked(_flush(self.bus))

    def set(self, destination, path, interface, name, text):
        """Sets a property that is a text."""
        self.call(destination, path, "org.freedesktop.DBus.Properties", "Set", interface, name, Variant(text))

    def own(self, name):
        """Takes a well-known name."""
        _checked(_request_name(self.bus, name.encode(), 0))

    def match(self, rule):
        """Signals that fit are among those signal() returns."""
        self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", rule)

    def signal(self, timeout, answer=None):
        """The next message that came: (sender, path, member, arguments), or None after *timeout* seconds. If it is a call
        of a method, *answer*(member, arguments) is asked for its reply, a boolean and a list of pairs; None: there is
        none."""
        end = time.monotonic() + timeout
        while True:
            message = _pointer()
            more = _checked(_process(self.bus, ctypes.byref(message)))
            if message:
                try:
                    words = [(part(message) or b"").decode() for part in (_sender, _path, _member)]
                    arguments = _arguments(message)
                    if answer and _is_call(message, None, None) > 0:
                        self._reply(message, answer(words[2], arguments))
                    return (*words, arguments)
                finally:
                    _unref(message)
            left = end - time.monotonic()
            if left <= 0:
                return None
            if not more:
                _checked(_wait(self.bus, int(left * 1e6)))

    def _reply(self, message, answer):
        if answer is None:
            return
        reply, (yes, pairs) = _pointer(), answer
        _checked(_new_return(message, ctypes.byref(reply)))
        try:
            _checked(_append(reply, b"b", ctypes.byref(ctypes.c_int(yes))))
            self._list(reply, pairs, pairs=True)
            _checked(_send(self.bus, reply, None))
        finally:
            _unref(reply)

    def close(self):
        _close(self.bus)


_of_thread = threading.local()


def bus():
    """This thread's connection."""
    if not hasattr(_of_thread, "bus"):
        _of_thread.bus = Bus()
    return _of_thread.bus


SYSTEMD, MANAGER = "org.freedesktop.systemd1", "org.freedesktop.systemd1.Manager"
OF_UNIT = {"ActiveState", "DropInPaths", "FragmentPath", "SubState", "UnitFileState"}


def unit_property(unit, name):
    """A property of a service."""
    path = "/org/freedesktop/systemd1/unit/" + "".join(
        letter if letter.isalnum() else f"_{ord(letter):02x}" for letter in unit)
    interface = f"{SYSTEMD}.{'Unit' if name in OF_UNIT else 'Service'}"
    return bus().call(SYSTEMD, path, "org.freedesktop.DBus.Properties", "Get", interface, name)[0]


def manager(method, *words):
    return bus().call(SYSTEMD, "/org/freedesktop/systemd1", MANAGER, method, *words)


def kill_unit(unit):
    """kill -9 for all of its processes."""
    manager("KillUnit", unit, "all", 9)


def job(method, unit, timeout=120):
    """StartUnit or StopUnit: the job's result, "done" if all is well; None when it has none in time."""
    own = Bus()
    try:
        own.match(f"type='signal',interface='{MANAGER}',member='JobRemoved'")
        path = own.call(SYSTEMD, "/org/freedesktop/systemd1", MANAGER, method, unit, "replace")[0]
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            seen = own.signal(left)
            if seen and seen[2] == "JobRemoved" and seen[3][1] == path:
                return seen[3][3]
        return None
    finally:
        own.close()


_journal_open = _declare(_int, "sd_journal_open", _pointer, _int)
_journal_close = _declare(None, "sd_journal_close", _pointer)
_journal_tail = _declare(_int, "sd_journal_seek_tail", _pointer)
_journal_previous = _declare(_int, "sd_journal_previous", _pointer)
_journal_next = _declare(_int, "sd_journal_next", _pointer)
_journal_wait = _declare(_int, "sd_journal_wait", _pointer, _usec)
_journal_data = _declare(_int, "sd_journal_get_data", _pointer, _text, _pointer, _pointer)
_journal_cursor = _declare(_int, "sd_journal_get_cursor", _pointer, _pointer)
_free = ctypes.CDLL(None).free
_free.restype, _free.argtypes = None, [_pointer]
LOCAL_ONLY = 1


class Journal:
    """What the journal tells of a unit from now on."""

    def __init__(self, unit):
        self.unit = unit
        self.seen = []
        self.lock = threading.Lock()
        self.journal = _pointer()
        _checked(_journal_open(ctypes.byref(self.journal), LOCAL_ONLY))
        _checked(_journal_tail(self.journal))
        _checked(_journal_previous(self.journal))
        cursor = _pointer()
        _checked(_journal_cursor(self.journal, ctypes.byref(cursor)))
        self.cursor = ctypes.string_at(cursor).decode()
        _free(cursor)

    def _field(self, name):
        data, size = _pointer(), ctypes.c_size_t()
        if _journal_data(self.journal, name, ctypes.byref(data), ctypes.byref(size)) < 0:
            return None
        return ctypes.string_at(data, size.value).decode(errors="replace").partition("=")[2]

    def lines(self):
        """Messages of the unit, and of systemd about it."""
        with self.lock:
            _checked(_journal_wait(self.journal, 0))
            while _checked(_journal_next(self.journal)):
                if self.unit in (self._field(b"_SYSTEMD_UNIT"), self._field(b"UNIT")):
                    self.seen.append(self._field(b"MESSAGE") or "")
            return list(self.seen)

    def close(self):
        _journal_close(self.journal)
