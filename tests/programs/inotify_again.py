# SPDX-License-Identifier: MIT
"""What another client has removed and made again is there for users as soon as the store has said so to that client,
though the teller may just be about to tell that it is gone.

So a user works in what the kernel still knows from before.  There is always something else in a directory that is
to be one: an empty node counts as a file, which the kernel may believe for a moment."""
import collections
import os
import random
import sys
import threading
import time

from inotify_reader import Reader
from store_client import Store, check

mnt, rounds = sys.argv[1], int(sys.argv[2])
PLACES = 3
store = Store()
wrong = collections.Counter()


def make(client, top, value):
    client.write(f'{top}/d/e/leaf', value)
    client.write(f'{top}/d/e/keep', value)
    client.write(f'{top}/d/keep', value)
    client.write(f'{top}/f', value)


def read(client, top, value):
    with open(f'{mnt}{top}/d/e/leaf', 'rb') as file:
        return (file.read(), value + b'\n')


def listed(client, top, value):
    # The list may be the one from before that the daemon remembers.
    return ('keep' in os.listdir(f'{mnt}{top}/d/e'), True)


def stand(client, top, value):
    """By a path that leads through a descriptor of the directory above."""
    fd = os.open(f'{mnt}{top}', os.O_PATH)
    try:
        return (os.path.basename(os.readlink(f'/proc/self/fd/{fd}')), top[-1]) if os.stat('d/e/leaf', dir_fd=fd) else None
    finally:
        os.close(fd)


def write(client, top, value):
    with open(f'{mnt}{top}/d/e/leaf', 'w', encoding='ascii') as file:
        file.write('mine')
    return (client.read(f'{top}/d/e/leaf'), b'mine')


def append(client, top, value):
    with open(f'{mnt}{top}/f', 'a', encoding='ascii') as file:
        file.write('mine')
    return (client.read(f'{top}/f'), value + b'\nmine')


def directory(client, top, value):
    path = f'{top}/d/e/new'
    os.mkdir(mnt + path)
    made = client.exists(path)
    os.rmdir(mnt + path)
    return ((made, client.exists(path)), (True, False))


def create(client, top, value):
    old, new = f'{top}/d/e/made', f'{top}/d/moved'
    with open(mnt + old, 'x', encoding='ascii') as file:
        file.write('mine')
    got = [client.exists(old)]
    os.rename(mnt + old, mnt + new)
    got += [client.exists(old), client.exists(new)]
    os.unlink(mnt + new)
    return (got + [client.exists(new)], [True, False, True, False])


def attribute(client, top, value):
    return (os.getxattr(f'{mnt}{top}/f', 'user.xenstore.perms')[:2], b'n0')


def unlink(client, top, value):
    os.unlink(f'{mnt}{top}/d/e/leaf')
    return (client.exists(f'{top}/d/e/leaf'), False)


USES = (read, listed, stand, write, append, directory, create, attribute, unlink)


def work(number):
    rnd, client, top = random.Random(number), Store(), f'/again/{number}'
    make(client, top, b'0')
    for n in range(rounds):
        for path in rnd.choice((('d',), ('d/e',), ('f',), ('d/e/leaf', 'f'))):
            if client.exists(f'{top}/{path}'):
                client.remove(f'{top}/{path}')
        if rnd.randrange(3):
            time.sleep(rnd.random() * 0.008)
        make(client, top, b'%d' % n)
        if rnd.randrange(2):
            time.sleep(rnd.random() * 0.001)
        use = rnd.choice(USES)
        try:
            got, expected = use(client, top, b'%d' % n)
            if got != expected:
                wrong[use.__name__, str(got), str(expected)] += 1
        except OSError as e:
            wrong[use.__name__, e.strerror] += 1


def watch():
    reader = Reader()
    while True:
        reader.know(f'{mnt}/again')
        for _ in range(5):
            reader.read(0.005)


watcher = os.fork()
if watcher == 0:
    watch()
threads = [threading.Thread(target=work, args=(n,)) for n in range(PLACES)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
os.kill(watcher, 9)
os.waitpid(watcher, 0)
check(dict(wrong), {}, 'what is made again can be used at once')
