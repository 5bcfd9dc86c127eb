# SPDX-License-Identifier: MIT
"""Somebody else's domain, over a ring of its own."""
import os
import select
import sys

from store_client import PATIENCE, check

path, write = sys.argv[1], sys.argv[2]
fd = os.open(path, os.O_RDONLY)
poller = select.poll()
poller.register(fd, select.POLLPRI)
os.pread(fd, 100, 0)
while poller.poll(200):
    os.pread(fd, 100, 0)
with open(write, 'w') as f:
    f.write('by the guest')
check(bool(poller.poll(1000 * PATIENCE)), True, 'woken up by another domain over its ring')
check(os.pread(fd, 100, 0), b'by the guest\n', 'and reads what it wrote')
