# SPDX-License-Identifier: MIT
"""With format=raw and another root, a read of .next gives a line all the same."""
import os
import sys

from store_client import Store, check

mnt, store = sys.argv[1], Store()
fd = os.open(mnt + '/.xsfs/nodes/key/.next', os.O_RDONLY)
for value in b'', b'raw':
    store.write('/r/key', value)
    got = None
    while got != value + b'\n':
        got = os.read(fd, 100)
    check(got, value + b'\n', f'format=raw, root=: a line all the same, {value}')
