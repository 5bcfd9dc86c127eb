# SPDX-License-Identifier: MIT
"""Users who make, remove and rename in the mount what others make and remove in the store, at the same time.

For an event the teller removes and makes by itself, and is only nodded to.  Were one of these requests taken
for a user's, a key would vanish that somebody has made again; were a user's taken for one of these, it would
not do what it reports."""
import errno
import os
import random
import sys
import threading

from inotify_reader import Reader
from store_client import Store, check, heard

mnt, rounds = sys.argv[1], int(sys.argv[2])
store = Store()
random.seed(1)
problems = []
stop = threading.Event()
# Keys that only others change; keys that only users change; keys of both.
for base in ('theirs', 'users', 'both'):
    for n in range(8):
        store.write(f'/x/{base}/{n}/leaf', b'1')
reader = Reader()


def watch():
    """Has the kernel know everything, again and again, and reads the events."""
    while not stop.is_set():
        reader.know(f'{mnt}/x')
        while reader.read(0):
            pass


def others(base):
    """Another client: at the end each of its keys is there."""
    client = Store()
    for _ in range(rounds):
        heard(mnt)
        for n in range(8):
            top = f'/x/{base}/{n}'
            kind = random.randrange(4)
            try:
                if kind == 0:
                    client.remove(top)
                elif kind == 1:
                    client.remove(f'{top}/leaf')
            except OSError as e:
                # A user may have removed the directory as well.
                if base == 'theirs' or e.errno != errno.ENOENT:
                    problems.append(f'{top}: {e}')
            try:
                client.write(f'{top}/leaf', b'%d' % kind)
            except OSError as e:
                problems.append(f'{top}: {e}')
            if base == 'theirs' and not client.exists(f'{top}/leaf'):
                problems.append(f'{top}/leaf vanished')


def users():
    """A user in the mount, alone with these keys in the store: what succeeds has happened."""
    client = Store()
    for n in range(rounds * 8):
        name = f'users/{n % 8}/leaf'
        path = f'{mnt}/x/{name}'
        kind = random.randrange(4)
        try:
            if kind == 0:
                os.unlink(path)
                expected = False
            elif kind == 1:
                os.rename(path, path + '2')
                expected = False
                if not client.exists(f'/x/{name}2'):
                    problems.append(f'{name}2: not there after a rename')
                os.unlink(path + '2')
            else:
                with open(path, 'w', encoding='ascii') as file:
                    file.write(str(n))
                expected = True
        except FileNotFoundError:
            expected = False
        if client.exists(f'/x/{name}') != expected:
            problems.append(f'{name}: {kind}: {expected} was expected')


def disturb():
    """A user among the keys that others change: errors are his, and he may hit anything there."""
    for n in range(rounds * 8):
        path = f'{mnt}/x/both/{n % 8}'
        try:
            kind = random.randrange(4)
            if kind == 0:
                os.unlink(path + '/leaf')
            elif kind == 1:
                os.rmdir(path)
            elif kind == 2:
                os.mkdir(path)
            else:
                os.rename(path + '/leaf', path + '/other')
        except OSError:
            pass


follower = threading.Thread(target=watch)
follower.start()
workers = [threading.Thread(target=others, args=('theirs',)), threading.Thread(target=others, args=('both',)),
           threading.Thread(target=users), threading.Thread(target=disturb)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
stop.set()
follower.join()
check(problems[:5], [], 'no key vanishes that nobody removed, and none stays that a user removed')
left = sorted(n for n in range(8) if store.exists(f'/x/theirs/{n}/leaf'))
check(left, list(range(8)), 'in the end all are there')
