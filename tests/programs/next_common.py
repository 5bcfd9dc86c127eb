# SPDX-License-Identifier: MIT
"""What the programs about .next share."""
import errno
import os
import select
import sys

from store_client import Store, check

mnt = sys.argv[1]
store = Store()
PATIENCE = int(os.environ['XSFS_TEST_PATIENCE'])

def write(path, value):
    store.write(path, value.encode())

def next_of(path):
    return f'{mnt}/.xsfs/nodes{path}/.next'

class Next:
    """An open .next."""
    def __init__(self, file, flags=os.O_NONBLOCK):
        self.fd = os.open(file, os.O_RDONLY | flags)

    def ready(self, seconds=0):
        poller = select.poll()
        poller.register(self.fd, select.POLLIN)
        return bool(poller.poll(1000 * seconds))

    def now(self, size=65536):
        """What a read gives that does not wait."""
        try:
            return os.read(self.fd, size)
        except OSError as e:
            return errno.errorcode[e.errno]

    def read(self, size=65536):
        """What the next read gives once there is something, or None after a long time."""
        return self.now(size) if self.ready(PATIENCE) else None

    def until(self, last):
        """What the reads give up to `last`."""
        got = []
        while not got or got[-1] not in (last, None):
            got.append(self.read())
        return got

    def close(self):
        os.close(self.fd)

write('/marker', '0')
marker, marks = Next(next_of('/marker')), 0

def sync():
    """Returns when the events of all that was done so far have been taken: they come in order."""
    global marks
    marks += 1
    write('/marker', f'm{marks}')
    if marker.until(b'm%d\n' % marks)[-1] is None:
        check('no event', 'an event', 'a change of another key is told')

def opened(file, flags=os.O_NONBLOCK):
    """An open .next that has nothing to tell yet: not what was done before it was opened."""
    it = Next(file, flags)
    sync()
    while it.ready():
        os.read(it.fd, 65536)
        sync()
    return it
