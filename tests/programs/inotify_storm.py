# SPDX-License-Identifier: MIT
"""Another client of the store that changes what is in a directory, as fast as it gets its answers, until it is ended:
values, new and removed keys, subtrees."""
import random
import sys
import time

from store_client import Store

top = sys.argv[1]
keys, pause = 20, float(sys.argv[2]) if len(sys.argv) > 2 else 0.0005
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
    # oxenstored stops serving a writer for good whose events others are too slow for.
    time.sleep(pause)
