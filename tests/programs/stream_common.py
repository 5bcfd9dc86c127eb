# SPDX-License-Identifier: MIT
"""What the programs about streams share."""
import os
import select
import sys
import time

from store_client import PATIENCE, Store, check

mnt = sys.argv[1]
store = Store()

def write(path, value='x'):
    store.write(path, value.encode())

def stat(name):
    with open(mnt + '/.xsfs/stats') as f:
        return int(dict(line.split(' ', 1) for line in f)[name])

def comes_true(name, function):
    deadline = time.monotonic() + PATIENCE
    while not function() and time.monotonic() < deadline:
        time.sleep(0.01)
    check(bool(function()), True, name)

class Marker:
    """A key of our own, polled: events come in order, so that when its own has come all before it have."""
    def __init__(self):
        write('/marker')
        self.fd = os.open(mnt + '/marker', os.O_RDONLY)
        self.poll = select.poll()
        self.poll.register(self.fd, select.POLLPRI)
        self.seen()

    def seen(self):
        while self.poll.poll(0):
            os.pread(self.fd, 100, 0)

    def sync(self):
        write('/marker')
        if not self.poll.poll(1000 * PATIENCE):
            check('no event', 'an event', 'a change of another key is told')
        self.seen()

marker = None

def sync():
    """Waits until the events of all that was done so far have come."""
    global marker
    marker = marker or Marker()
    marker.sync()

class Stream:
    """An open stream file."""
    def __init__(self, path, flags=os.O_RDONLY):
        self.fd = os.open(mnt + path, flags)
        self.buffer = b''

    def subscribe(self, *paths):
        os.write(self.fd, ''.join(p + '\n' for p in paths).encode())

    def ready(self, seconds=0):
        return bool(select.select([self.fd], [], [], seconds)[0])

    def line(self, seconds=PATIENCE):
        """The next line, or None."""
        while b'\n' not in self.buffer:
            if not self.ready(seconds):
                return None
            self.buffer += os.read(self.fd, 4096)
        line, _, self.buffer = self.buffer.partition(b'\n')
        return line.decode()

    def until(self, last, seconds=PATIENCE):
        """All lines up to `last`, or to the end."""
        lines = []
        while last not in lines:
            line = self.line(seconds)
            if line is None:
                break
            lines.append(line)
        return lines

    def quiet(self):
        """What has come of all that was done so far."""
        lines = []
        sync()
        while (line := self.line(0)) is not None:
            lines.append(line)
        return lines

    def close(self):
        os.close(self.fd)

def final(lines):
    """The last line of each path: its state."""
    return {line.split()[1]: line.split()[0] for line in lines if ' ' in line}
