# SPDX-License-Identifier: MIT
"""inotify(7) by its system calls, for the programs of t_inotify: nothing that a library would merge, add or leave out."""
import collections
import ctypes
import os
import select
import struct
import time

from store_client import PATIENCE

MODIFY, ATTRIB, CLOSE_WRITE, CLOSE_NOWRITE, OPEN = 0x2, 0x4, 0x8, 0x10, 0x20
MOVED_FROM, MOVED_TO, CREATE, DELETE, DELETE_SELF, MOVE_SELF = 0x40, 0x80, 0x100, 0x200, 0x400, 0x800
Q_OVERFLOW, IGNORED, ISDIR = 0x4000, 0x8000, 0x40000000
NAMES = {value: name for name, value in globals().items() if name.isupper() and isinstance(value, int) and name != 'PATIENCE'}
CHANGES = MODIFY | ATTRIB | CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE | DELETE_SELF | MOVE_SELF

libc = ctypes.CDLL(None, use_errno=True)


def words(mask):
    """The names of the bits, as inotifywait writes them."""
    return ','.join(name for value, name in sorted(NAMES.items()) if mask & value)


def gather(settle, enough):
    """What settle() returns, called again until that is enough.  A change that follows another one of the same name
    within 50 ms is told later, on a busy machine after what was done then."""
    events, deadline = settle(), time.monotonic() + PATIENCE
    while not enough(events) and time.monotonic() < deadline:
        events += settle()
    return events


def gather_late(settle):
    """What settle() returns, with all that was to be told later."""
    events = settle()
    time.sleep(0.06)
    # What is due by now may come after the first of these.
    return events + settle() + settle()


def has_all(*expected):
    """For gather(): whether each of these is among the events, as often as it is here."""
    return lambda events: not collections.Counter(expected) - collections.Counter(events)


class Reader:
    """One inotify instance."""

    def __init__(self):
        self.fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self.paths = {}
        self.left = []  # read, but not returned yet

    def add(self, path, label, mask=CHANGES):
        """Watches a path; its events are reported under `label`."""
        watch = libc.inotify_add_watch(self.fd, os.fsencode(path), mask)
        if watch < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
        self.paths[watch] = label
        return watch

    def know(self, top):
        """Watches all directories there, and has the kernel know what is in them, as far as it is there by then."""
        for path, dirs, files in os.walk(top):
            try:
                self.add(path, path)
                for name in files + dirs:
                    os.stat(f'{path}/{name}')
            except OSError:
                pass

    def read(self, seconds=0.0):
        """The events that are there, or come first within so many seconds: [(label/name, mask)]."""
        if self.left:
            events, self.left = self.left, []
            return events
        if not select.select([self.fd], [], [], seconds)[0]:
            return []
        data, events, at = os.read(self.fd, 1 << 16), [], 0
        while at < len(data):
            watch, mask, _, size = struct.unpack_from('iIII', data, at)
            name = data[at + 16:at + 16 + size].rstrip(b'\0').decode()
            at += 16 + size
            events.append((self.paths.get(watch, '') + ('/' + name if name else ''), mask))
        return events

    def until(self, path, mask):
        """All events before the first of `path` that has one of these bits; what came if it does not come."""
        events, deadline = [], time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            came = self.read(1.0)
            for i, event in enumerate(came):
                if event[0] == path and event[1] & mask:
                    self.left = came[i + 1:]
                    return events
                events.append(event)
        return events + [('nothing more', 0)]

    def close(self):
        os.close(self.fd)
