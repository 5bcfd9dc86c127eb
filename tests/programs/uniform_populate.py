# SPDX-License-Identifier: MIT
"""Fills /src with values and permissions of all kinds."""

from store_client import SET_PERMS, Store

store = Store()
values = [b'', b'one line', b'two\nlines', b'a newline\n', b'\n', bytes(range(256)), b'x' * 1500]
perms = [b'n0\0', b'n0\0r5\0', b'n5\0r0\0b7\0']
for i, value in enumerate(values):
    for j, path in enumerate(('/src/leaf%d', '/src/both%d', '/src/both%d/below', '/src/empty/%d')):
        store.write(path % i, b'' if j == 3 else value)
        store.call(SET_PERMS, (path % i).encode() + b'\0' + perms[(i + j) % 3])
