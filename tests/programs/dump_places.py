# SPDX-License-Identifier: MIT
"""Reads of a .dump at other places than where the last one ended, and of one that has grown."""
import os
import sys

fd = os.open(sys.argv[1], os.O_RDONLY)
whole = b''
while part := os.pread(fd, 99999, len(whole)):
    whole += part
print(os.pread(fd, 100, len(whole) - 1000) == whole[-1000:-900], os.pread(fd, 100, len(whole)))
for off in (1, len(whole) // 2):
    try:
        os.pread(fd, 100, off)
    except OSError as e:
        print(e.strerror)
print(os.pread(fd, 100, 0) == whole[:100], os.pread(fd, 100, len(whole) - 100) == whole[-100:])
print(os.pread(fd, 100, len(whole) + 12345), os.pread(fd, 100, 2 ** 63 - 1000))
fd = os.open(sys.argv[2], os.O_RDONLY)
print(os.read(fd, 1000))
open(os.path.dirname(sys.argv[2]) + '/k', 'w').write('2\n')
print(os.read(fd, 1000), os.lseek(fd, 0, 0), os.read(fd, 1000))
