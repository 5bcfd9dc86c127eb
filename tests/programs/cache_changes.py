# SPDX-License-Identifier: MIT
"""Random changes, by this mount and others, while readers look everywhere; then everything has to be as the store has it."""
import os
import random
import sys
import threading
import time

from store_client import PATIENCE, Store, check

mnt, changes = sys.argv[1], int(sys.argv[2])
store, rng, stop = Store(), random.Random(7), False
NAMES = [f'/r/{a}{b}{c}' for a in 'abc' for b in ('', '/d', '/e') for c in ('', '/f', '/g', '/f/h')]

def look():
    r = random.Random()
    while not stop:
        try:
            if r.random() < 0.02:
                for _ in os.walk(mnt + '/r'):
                    pass
            else:
                os.lstat(mnt + r.choice(NAMES))
        except OSError:
            pass
lookers = [threading.Thread(target=look, daemon=True) for _ in range(4)]
for t in lookers:
    t.start()
for n in range(changes):
    path = rng.choice(NAMES)
    what = rng.random()
    try:
        if what < 0.3:
            # Our own, of whose events those of the others may be taken for.
            with open(mnt + path, 'w') as file:
                file.write('y' * rng.randrange(5))
        elif what < 0.6:
            store.write(path, b'x' * rng.randrange(5))
        elif what < 0.85:
            store.remove(path)
        else:
            tx = store.start()
            store.remove(path, tx)
            store.write(rng.choice(NAMES), b'tx', tx)
            store.commit(tx)
    except OSError:
        if what >= 0.85:
            try:
                store.call(7, b'F\0', tx)
            except OSError:
                pass
    if n % 500 == 499:
        time.sleep(rng.random() / 50)
stop = True
for t in lookers:
    t.join(PATIENCE)
check(any(t.is_alive() for t in lookers), False, 'the lookers end')
