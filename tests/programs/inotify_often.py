# SPDX-License-Identifier: MIT
"""Keys that are written all the time, through the mount or by others: the store is asked about them now and then, not
for each write, or telling readers would cost more than writing."""
import os
import sys
import time

from store_client import Store, check

mnt = sys.argv[1]
KEYS, WRITES = 2, 6000
# A name is looked at this often at most, in seconds: 50 ms, by a clock that goes in steps.
EVERY = 0.045


def figures():
    """Returns how many changes the store has reported, and how many of them had a name looked at."""
    with open(f'{mnt}/.xsfs/stats') as stats:
        of = dict(line.split() for line in stats)
    return int(of['events']), int(of['events']) - int(of['inotify_merged'])


def often(whose, ways, write):
    """Writes each key in turn.  What others write is looked at in two ways: at once, if nothing came before, or later."""
    begin, (events, looks) = time.monotonic(), figures()
    for n in range(WRITES):
        write(n % KEYS, b'%d' % n)
        # The answer comes after all reports before it; oxenstored has little room for them.
        if n % 100 == 99:
            os.pread(asking, 100, 0)
    reported, looks = figures()[0] - events, figures()[1] - looks
    check(reported > 0, True, f'{whose}: the store reports what is written')
    most = KEYS * ways * ((time.monotonic() - begin) / EVERY + 1)
    check(looks if looks > most else 'few', 'few', f'{whose}: a look at each key now and then')


store = Store()
for key in range(KEYS):
    store.write(f'/o/k{key}', b'first')
files = [os.open(f'{mnt}/o/k{key}', os.O_WRONLY | os.O_TRUNC) for key in range(KEYS)]
asking = os.open(f'{mnt}/o/k0', os.O_RDONLY)
often('own', 1, lambda key, value: os.pwrite(files[key], value, 0))
often('others', 2, lambda key, value: store.write(f'/o/k{key}', value))
