# SPDX-License-Identifier: MIT
"""Exclusive creations of one key through several mounts and the store at once: one wins."""
import multiprocessing
import os
import sys

from store_client import PATIENCE, Store, check

mounts, rounds = sys.argv[1:3], 25

def through(mount, path, who):
    fd = os.open(mount + path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    os.write(fd, who + b'\n')
    os.close(fd)

def racer(number, barrier, results):
    store = Store()
    who = b'racer-%d' % number
    for i in range(rounds):
        path = f'/race/k{i}'
        barrier.wait(PATIENCE)
        try:
            if number < 6:
                through(mounts[number % 2], path, who)
            else:
                store.create(path, who)
            results.put((i, who, None))
        except FileExistsError:
            results.put((i, who, 'exists'))
        except OSError as e:
            results.put((i, who, str(e)))

def appender(number, barrier):
    barrier.wait(PATIENCE)
    for i in range(20):
        with open(mounts[number % 2] + '/race/log', 'a') as f:
            f.write(f'{number}.{i}\n')

store = Store()
store.write('/race/first', b'')
barrier, results = multiprocessing.Barrier(8), multiprocessing.Queue()
racers = [multiprocessing.Process(target=racer, args=(n, barrier, results)) for n in range(8)]
for r in racers:
    r.start()
outcome = [results.get(timeout=PATIENCE) for _ in range(8 * rounds)]
for r in racers:
    r.join()
check(sorted({o for _, _, o in outcome if o and o != 'exists'}), [], '8 racing creators: no other error than EEXIST')
winners = {i: [w for j, w, o in outcome if i == j and o is None] for i in range(rounds)}
check([i for i in winners if len(winners[i]) != 1], [], 'exactly one wins each of the rounds')
check([i for i in winners if [store.read(f'/race/k{i}')] != winners[i]], [], 'and the value is its own')
check(len({w for ws in winners.values() for w in ws}) > 1, True, 'not always the same one')

barrier = multiprocessing.Barrier(4)
writers = [multiprocessing.Process(target=appender, args=(n, barrier)) for n in range(4)]
for w in writers:
    w.start()
for w in writers:
    w.join()
lines = store.read('/race/log').decode().split('\n')
check(sorted(lines), sorted(f'{n}.{i}' for n in range(4) for i in range(20)), '4 appenders: no line is lost')
