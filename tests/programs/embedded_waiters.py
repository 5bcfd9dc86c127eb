# SPDX-License-Identifier: MIT
"""Waits in each way for something to happen in the store, and then the store dies: embedded_waiters.py MOUNT SERVER."""
import errno
import os
import select
import signal
import sys
import threading
import time

from store_client import check

MOUNT, SERVER = sys.argv[1], int(sys.argv[2])
# Less than what this program has.
PATIENCE = int(os.environ.get('XSFS_TEST_PATIENCE', '120')) / 2


def operations():
    for line in open(MOUNT + '/.xsfs/stats'):
        if line.startswith('fuse_operations_now '):
            return int(line.split()[1])


class Read(threading.Thread):
    """A read(2) that has to wait."""

    def __init__(self, name, fd):
        super().__init__(daemon=True)
        self.name, self.fd, self.got = name, fd, None
        self.start()

    def run(self):
        try:
            self.got = os.read(self.fd, 100)
        except OSError as error:
            self.got = errno.errorcode[error.errno]


subtree = os.open(MOUNT + '/tool/.watch', os.O_RDONLY)
stream = os.open(MOUNT + '/.xsfs/watch', os.O_RDWR)
os.write(stream, b'/tool\n')
raw = os.open(MOUNT + '/.xsfs/xenbus', os.O_RDWR)
polled = {'a stream': os.open(MOUNT + '/tool/.watch', os.O_RDONLY),
          'a raw client': os.open(MOUNT + '/.xsfs/xenbus', os.O_RDWR),
          'a key': os.open(MOUNT + '/local/domain/1/name', os.O_RDONLY)}
pollers = {}
for name, fd in polled.items():
    pollers[name] = select.poll()
    pollers[name].register(fd, select.POLLPRI if name == 'a key' else select.POLLIN)
while pollers['a key'].poll(200):
    os.pread(polled['a key'], 100, 0)
assert not any(poller.poll(200) for poller in pollers.values())

reads = [Read('.watch', subtree), Read('.xsfs/watch', stream), Read('.xsfs/xenbus', raw)]
deadline = time.monotonic() + PATIENCE
# The look itself is one more.
while operations() < len(reads) + 1 and time.monotonic() < deadline:
    time.sleep(0.01)
os.kill(SERVER, signal.SIGKILL)
for read in reads:
    read.join(max(0, deadline - time.monotonic()))
    check(read.got, 'EIO', 'a dead server: read of ' + read.name)
for name, poller in pollers.items():
    check(bool(poller.poll(1000 * max(0, deadline - time.monotonic()))), True, 'a dead server: poll of ' + name)
