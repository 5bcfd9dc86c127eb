# SPDX-License-Identifier: MIT
"""The same without the newline: bytes continue bytes."""
import os
import sys

from store_client import Store, check

store = Store()
store.write('/g/key', b'a')
fd = os.open(sys.argv[1] + '/g/key', os.O_RDONLY)
check((os.read(fd, 9), os.read(fd, 9), os.read(fd, 9)), (b'a', b'', b''), 'format=raw: read to the end')
store.write('/g/key', b'a\0b')
check((os.read(fd, 9), os.read(fd, 9)), (b'\0b', b''), 'format=raw: what was added')
store.write('/g/key', b'b')
check((os.read(fd, 9), os.read(fd, 9)), (b'', b''), 'format=raw: another value')
