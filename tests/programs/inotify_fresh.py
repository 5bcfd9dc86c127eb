# SPDX-License-Identifier: MIT
"""Whoever looks at a key at each of its events sees the change that the event is for: its size and its time, which the
kernel remembers, and its value.  Another client changes each of many keys again only after that was seen, so an event
that came too early for one of these, with no other to follow, stops it for good.  And all of 64 readers are told."""
import os
import sys
import threading
import time

from inotify_reader import CHANGES, CLOSE_WRITE, Q_OVERFLOW, Reader
from store_client import PATIENCE, Store, check

mnt, rounds = sys.argv[1], int(sys.argv[2])
KEYS, READERS = 24, 64
names = [f'k{n}' for n in range(KEYS)]
store = Store()
for name in names:
    store.write(f'/fresh/{name}', b'')
for name in os.listdir(f'{mnt}/fresh'):
    os.stat(f'{mnt}/fresh/{name}')
readers = [Reader() for _ in range(READERS)]
for reader in readers:
    reader.add(f'{mnt}/fresh', '', CHANGES)
lock = threading.Condition()
seen = {name: 0 for name in names}  # the length of the value that was seen last: each is longer than the one before
sent = {}
times = {name: os.stat(f'{mnt}/fresh/{name}').st_mtime_ns for name in names}
problems = []
done = False


def look(name):
    path = f'{mnt}/fresh/{name}'
    st = os.stat(path)
    with open(path, encoding='ascii') as file:
        value = file.read().rstrip('\n')
    with lock:
        length, expected = len(value), sent[name][0]
        # One that is older is what this event, or the next one, has yet to make good.
        if length != expected or st.st_size != length + 1:
            return
        if seen[name] != expected:
            # Half a second, as clocks are coarse and one is read before the other.
            if st.st_mtime_ns == times[name] or st.st_mtime_ns < sent[name][1] - 500_000_000:
                problems.append(f'{name}: length {length}: the time is {st.st_mtime_ns}, it was {times[name]}')
            times[name] = st.st_mtime_ns
            seen[name] = expected
            lock.notify_all()


def follow():
    while not done:
        for path, mask in readers[0].read(0.2):
            if mask & Q_OVERFLOW:
                for name in names:
                    look(name)
            elif mask & CLOSE_WRITE:
                look(path.lstrip('/'))


def change(mine):
    client = Store()
    for n in range(1, rounds + 1):
        for name in mine:
            with lock:
                sent[name] = n, time.time_ns()
            client.write(f'/fresh/{name}', b'v' * n)
        for name in mine:
            with lock:
                # pylint: disable=cell-var-from-loop
                if not lock.wait_for(lambda: seen[name] == n, PATIENCE):
                    problems.append(f'{name}: length {n}: seen: {seen[name]}')
                    return


with lock:
    for name in names:
        sent[name] = 0, 0
follower = threading.Thread(target=follow)
follower.start()
writers = [threading.Thread(target=change, args=(names[n::3],)) for n in range(3)]
for writer in writers:
    writer.start()
for writer in writers:
    writer.join()
done = True
follower.join()
check(problems[:3], [], 'the size, the time and the value after an event are those of the change')
deaf = 0
for reader in readers[1:]:
    got, events = set(), reader.read()
    while events:
        got |= set(names) if any(mask & Q_OVERFLOW for _, mask in events) else {path.lstrip('/') for path, _ in events}
        events = reader.read()
    # They may be told more: the directory itself counts as changed where everything was compared.
    deaf += not got.issuperset(names)
check(deaf, 0, f'each of {READERS} readers is told of each key')
