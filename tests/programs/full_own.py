# SPDX-License-Identifier: MIT
"""cache=full: whoever writes through a file reads what the store then has, at once, in every way to write and to read."""
import os
import random
import sys

from store_client import Store, check

mnt, rounds = sys.argv[1], int(sys.argv[2])
store = Store()
random.seed(int(sys.argv[3]))
PATH = '/own/key'
PLACES = {'file': mnt + PATH, 'uniform': mnt + '/.xsfs/nodes' + PATH + '/.value'}

def text(value):
    return value + b'\n' if value else b''

def value_of(content):
    return content[:-1] if content.endswith(b'\n') else content

def put(fd, data, off):
    assert os.pwrite(fd, data, off) == len(data)

def whole(place, new):
    with open(place, 'wb', buffering=0) as f:
        f.write(new)
    return new

def append(place, new):
    with open(place, 'ab', buffering=0) as f:
        f.write(new)
    return content + new

def middle(place, new):
    off = random.randrange(len(content) + 3)
    fd = os.open(place, os.O_RDWR)
    put(fd, new, off)
    os.close(fd)
    return content[:off].ljust(off, b'\0') + new + content[off + len(new):]

def cut(place, new):
    size = random.randrange(12)
    os.truncate(place, size)
    return content[:size].ljust(size, b'\0')

def attribute(place, new):
    if place != PLACES['file']:
        return whole(place, new)
    os.setxattr(place, 'user.xenstore.value', value_of(new))
    return text(value_of(new))

def looks(fd, place):
    """The content in each way to read it, and its size."""
    with open(place, 'rb') as f:
        opened = f.read()
    return [opened, os.pread(fd, 4096, 0), os.pread(fd, len(opened) or 1, 0), os.stat(place).st_size, os.fstat(fd).st_size]

store.write(PATH, b'begin')
content = b'begin\n'
kept = {}
for where, place in PLACES.items():
    os.stat(place)
    kept[where] = os.open(place, os.O_RDONLY)
    os.pread(kept[where], 4096, 0)
bad, kinds = [], [whole, append, middle, cut, attribute]
for n in range(rounds):
    where = random.choice(list(PLACES))
    place, kind = PLACES[where], random.choice(kinds)
    new = bytes(random.choice(b'abcdefgh\n') for _ in range(random.randrange(1, 9)))
    content = kind(place, new)
    # One newline at the end is the file's, not the value's.
    stored = value_of(content)
    content = text(stored)
    if store.read(PATH) != stored:
        bad.append((n, kind.__name__, where, 'the store', store.read(PATH), stored))
    # An attribute is not the file's content, as far as a program knows that has the file open.
    seen = looks(kept[where], place) if kind != attribute else [open(place, 'rb').read(), content, content, len(content), len(content)]
    want = [content, content, content, len(content), len(content)]
    if seen != want:
        bad.append((n, kind.__name__, where, seen, content))
    # By its other name whoever opens it reads the same.
    for other in PLACES.values():
        if stored and open(other, 'rb').read() != content:
            bad.append((n, kind.__name__, where, 'opened by another name', other))
    # For the next write the file is cached in one half of the cases.
    if n % 2:
        open(place, 'rb').read()
check(bad[:2], [], f'{rounds} writes of all kinds: each is read at once')
