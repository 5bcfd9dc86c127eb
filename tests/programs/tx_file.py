# SPDX-License-Identifier: MIT
"""The file of a transaction: its name, in pieces or at once, and what else it does."""
import os
import select
import sys

fd = os.open(sys.argv[1], os.O_RDWR)
poller = select.poll()
poller.register(fd)
print(poller.poll(0) == [(fd, select.POLLIN | select.POLLOUT)])
name = b''
while not name.endswith(b'\n'):
    name += os.read(fd, 1)
print(os.read(fd, 1), os.fstat(fd).st_size)
other = os.open(sys.argv[1], os.O_RDWR)
print(os.read(other, 4096) != name, os.read(other, 4096))
view = os.path.dirname(sys.argv[1]) + '/tx/' + name.decode().strip()
copy = os.dup(fd)
os.close(fd)
open(view + '/w/python', 'w').write('1')
print(os.write(copy, b'commit\n'))
