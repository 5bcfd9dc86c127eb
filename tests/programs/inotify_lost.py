# SPDX-License-Identifier: MIT
"""Random changes by another client to many watched keys: each key's last state is followed by an event.

Whoever re-reads a key at each of its events, and never otherwise, then has what the store has; and the daemon is as
large as before."""
import os
import random
import sys
import threading
import time

from inotify_reader import CHANGES, ISDIR, Q_OVERFLOW, Reader
from store_client import PATIENCE, Store, check

mnt, changes, keys, daemon, measured = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
store = Store()
# In several directories: oxenstored cannot list a large one over a ring.
DIRS = 10
names = [f'{n % DIRS}/k{n}' for n in range(keys)]
for name in names:
    store.write(f'/l/{name}', b'first')
for n in range(DIRS):
    os.listdir(f'{mnt}/l/{n}')
for name in names:
    os.stat(f'{mnt}/l/{name}')
reader = Reader()
for n in range(DIRS):
    reader.add(f'{mnt}/l/{n}', str(n), CHANGES)
seen = {name: 'first' for name in names}  # what was read at its last event
last = dict(seen)                         # what the store has
sent = {}                                 # when that was sent,
delays = []                               # and how much later it was read
counts = {'events': 0, 'overflows': 0}
done = threading.Event()
lock = threading.Lock()


def value_of(name):
    try:
        with open(f'{mnt}/l/{name}', encoding='ascii') as file:
            return file.read().rstrip('\n')
    except FileNotFoundError:
        return None


def look(name):
    value = value_of(name)
    seen[name] = value
    with lock:
        if name in sent and value == last[name]:
            delays.append(time.monotonic() - sent.pop(name))


def follow():
    while not done.is_set():
        for path, mask in reader.read(0.2):
            counts['events'] += 1
            if mask & Q_OVERFLOW:
                counts['overflows'] += 1
                for name in names:
                    look(name)
            elif not mask & ISDIR:
                look(path)


def stat(name):
    with open(f'{mnt}/.xsfs/stats', encoding='ascii') as file:
        return int(dict(line.split(' ', 1) for line in file)[name])


def size():
    """What the daemon takes: KiB of memory, and descriptors."""
    with open(f'/proc/{daemon}/status', encoding='ascii') as file:
        rss = next(line for line in file if line.startswith('VmRSS:'))
    return int(rss.split()[1]), len(os.listdir(f'/proc/{daemon}/fd'))


follower = threading.Thread(target=follow)
follower.start()
random.seed(int(os.environ.get('XSFS_INOTIFY_SEED', 1)))
began = time.monotonic()
for n in range(changes):
    if n == changes // 5:
        before = size()
    name = random.choice(names)
    value = None if random.random() < 0.1 else f'v{n}'
    with lock:
        last[name] = value
        sent[name] = time.monotonic()
    if value is not None:
        store.write(f'/l/{name}', value.encode())
    elif store.exists(f'/l/{name}'):
        store.remove(f'/l/{name}')
    # oxenstored stops serving a writer for good whose events others are too slow for.  This answer comes after those.
    if n % 500 == 499:
        value_of(name)
took = time.monotonic() - began
deadline = time.monotonic() + PATIENCE
while seen != last and time.monotonic() < deadline:
    time.sleep(0.05)
done.set()
follower.join()
wrong = {name: (seen[name], last[name]) for name in names if seen[name] != last[name]}
check(wrong, {}, 'the last state of each key was followed by an event')
actual = {name: store.read(f'/l/{name}').decode() if store.exists(f'/l/{name}') else None for name in names}
check(actual, last, 'and the store has what was written, no more and no less')
after = size()
# It opens some for a moment.
check(max(after[1] - before[1], 4), 4, 'the daemon has no more descriptors than before')
# What else the kernel knows: the directories, what is above them and .xsfs, and what the test looks at.
check(max(stat('inodes') - keys - DIRS, 20), 20, 'and the kernel knows the keys, and no more')
if measured == 'rss':
    check(max(after[0] - before[0], 2048), 2048, 'it has taken no more than 2 MiB of memory')
delays.sort()
print(f"{changes} changes in {took:.2f} s, {counts['events']} events, {counts['overflows']} overflows of the kernel's queue; "
      f"{after[0] - before[0]:+d} KiB; "
      f"delay ms p50 {1000 * delays[len(delays) // 2]:.2f} p99 {1000 * delays[len(delays) * 99 // 100]:.2f}")
