# SPDX-License-Identifier: MIT
"""Fills /src with as many keys as asked for, of many kinds of values and permissions; prints how many."""
import sys

from store_client import SET_PERMS, Store, check

keys = int(sys.argv[1])
store = Store()
values = [b'', b'one line', b'two\nlines', b'a newline\n', b'\n', bytes(range(256)), b'x' * 1500]
perms = [b'n0\0', b'n0\0r5\0', b'n5\0r0\0b7\0', b'b0\0']
made = 0
for i in range(keys // 100):
    directory = f'/src/d{i % 10}/e{i}'
    for j in range(100 - (i % 3 > 0)):
        path = f'{directory}/k_{j}-@{j}'
        store.write(path, values[(i + j) % len(values)] + b'%d' % j * (j % 2))
        store.call(SET_PERMS, path.encode() + b'\0' + perms[(i * j) % len(perms)])
        made += 1
    if i % 3 > 0:
        store.write(directory, values[i % len(values)] + b'own')
        made += 1
    store.call(SET_PERMS, directory.encode() + b'\0' + perms[i % len(perms)])
check(made, keys, 'keys with values')
