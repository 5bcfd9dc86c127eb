# SPDX-License-Identifier: MIT
"""Counts, in one transaction of its own, the keys below /at/x and /at/y."""
import sys

from store_client import DIRECTORY, Store

store = Store(sys.argv[1])
for _ in range(30):
    while True:
        tx = store.start()
        count = 0
        for name in b'x', b'y':
            try:
                count += len(store.call(DIRECTORY, b'/at/' + name + b'\0', tx).split(b'\0')) - 1
            except FileNotFoundError:
                pass
        try:
            store.commit(tx)
            break
        except BlockingIOError:
            pass
    if count != 3:
        sys.exit(f'{count} keys')
print(count)
