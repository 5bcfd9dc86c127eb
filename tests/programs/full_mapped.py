# SPDX-License-Identifier: MIT
"""cache=full: what is not a read: seeking to the end, after which a poll still tells of the change, and looking at a mapping,
which is kept as it is while nothing changes, and shows no older value than a read."""
import mmap
import os
import select
import sys
import time

from store_client import PATIENCE, Store, check

mnt = sys.argv[1]
store = Store()
PATH = '/mapped/key'
place = mnt + PATH

def cached(value):
    """An open file that the kernel answers for: only such a one can be mapped shared."""
    store.write(PATH, value)
    deadline = time.monotonic() + PATIENCE
    while True:
        os.stat(place)
        fd = os.open(place, os.O_RDONLY)
        try:
            mapped = mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ)
            if os.pread(fd, 4096, 0) == value + b'\n':
                return fd, mapped
            mapped.close()
        except OSError:
            if time.monotonic() > deadline:
                raise
        os.close(fd)

def until(look, want, name):
    deadline = time.monotonic() + PATIENCE
    while (got := look()) != want and time.monotonic() < deadline:
        time.sleep(.001)
    check(got, want, name)

def invalidations():
    with open(mnt + '/.xsfs/stats') as f:
        return next(int(line.split()[1]) for line in f if line.startswith('invalidations '))

# Who seeks to the end asks for the size, as a read does, and has read nothing.
for value in b'x' * 50, b'x' * 3, b'y' * 3:
    fd, mapped = cached(b'begin')
    poll = select.poll()
    poll.register(fd, select.POLLPRI)
    until(lambda: os.pread(fd, 4096, 0) and poll.poll(50), [], 'read: there is no news')
    store.write(PATH, value)
    until(lambda: len(poll.poll(1000)), 1, f'{len(value)} bytes: there is news')
    for _ in range(2):
        os.lseek(fd, 0, os.SEEK_END)
        check(len(poll.poll(0)), 1, 'after seeking to the end, too')
    until(lambda: os.pread(fd, 4096, 0), value + b'\n', 'it is read')
    until(lambda: os.pread(fd, 4096, 0) and poll.poll(50), [], 'and then there is none')
    mapped.close()
    os.close(fd)

# A value of another length, which is only looked at.
fd, mapped = cached(b'begin')
store.write(PATH, b'longer than it was')
until(lambda: mapped[:6], b'longer', 'a mapping shows the longer value')
deadline = time.monotonic() + PATIENCE
before, after = 0, 1
# The kernel is told of each change again, up to a second later.
while before != after and time.monotonic() < deadline:
    before = invalidations()
    until_ms = time.monotonic() + .3
    while time.monotonic() < until_ms:
        mapped[:6]
    after = invalidations()
check(before, after, 'and is left alone then')
mapped.close()
os.close(fd)
