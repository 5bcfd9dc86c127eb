# SPDX-License-Identifier: MIT
"""Another client of the store that changes what is in a directory, as fast as it gets its answers, until it is ended:
values, new and removed keys, subtrees."""
import random
import sys
import time

from store_client import Store, heard

top, mnt = sys.argv[1:3]
keys = 20
store = Store()
rnd = random.Random(1)
for n in range(keys):
    store.write(f'{top}/v{n}', b'0')
store.write(f'{top}/ready', b'')
n = 0
while True:
    n += 1
    store.write(f'{top}/v{rnd.randrange(keys)}', b'%d' % n)
    key, tree = f'{top}/k{rnd.randrange(4)}', f'{top}/t{rnd.randrange(4)}'
    if rnd.randrange(2):
        store.write(key, b'1')
        store.write(f'{tree}/a/b', b'%d' % n)
    else:
        for path in key, tree:
            if store.exists(path):
                store.remove(path)
    if n % 50 == 0:
        heard(mnt)
    time.sleep(0.0005)
