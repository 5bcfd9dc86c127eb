# SPDX-License-Identifier: MIT
"""An open directory is one snapshot, and rewinding takes another."""
import ctypes
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.fdopendir.restype = ctypes.c_void_p
libc.readdir.restype = ctypes.c_void_p
libc.readdir.argtypes = libc.rewinddir.argtypes = [ctypes.c_void_p]
def read(d):
    names = []
    while True:
        e = libc.readdir(d)
        if not e:
            return sorted(n for n in names if n not in ('.', '..'))
        names.append(ctypes.string_at(e + 19).decode())
os.mkdir(sys.argv[1])
for i in range(3):
    open(f'{sys.argv[1]}/k{i}', 'w').write('1')
d = libc.fdopendir(os.open(sys.argv[1], os.O_DIRECTORY))
os.unlink(sys.argv[1] + '/k1')
open(sys.argv[1] + '/new', 'w').write('1')
print(*read(d))
libc.rewinddir(d)
print(*read(d))
