# SPDX-License-Identifier: MIT
"""A key that is open while its value grows or is replaced: tail -f and shells that go on reading."""
import os
import select
import sys

from store_client import PATIENCE, Store, check

mnt, layout = sys.argv[1:3]
store = Store()

def set_value(text):
    store.write('/g/key', text)

def key(flags=os.O_RDONLY):
    return os.open(mnt + '/g/key', flags)

def rest(fd):
    """Reads on, in small pieces, up to the first end of the file."""
    got = b''
    while piece := os.read(fd, 3):
        got += piece
    return got

def reads(name='READ'):
    for line in open(mnt + '/.xsfs/stats'):
        if line.startswith(f'requests_{name} '):
            return int(line.split()[1])
    return 0

set_value(b'one')
fd = key()
check(rest(fd), b'one\n', 'a value is read to its end')
check((rest(fd), rest(fd)), (b'', b''), 'and has nothing more, however often it is asked')
set_value(b'one\ntwo')
check(rest(fd), b'two\n', 'a line is added by another client: it is read')
check(rest(fd), b'', 'and then is the end again')
with open(mnt + '/g/key', 'a') as f:
    f.write('three\n')
check(rest(fd), b'three\n', 'a line is appended through the mount')
set_value(b'one\ntwo\nthree\n' + b'x' * 1500)
check(rest(fd), b'x' * 1500 + b'\n', 'a long one')
os.close(fd)

# What is no continuation.
set_value(b'a')
fd = key()
check(rest(fd), b'a\n', 'a value of one letter')
check(rest(fd), b'', 'nothing more')
set_value(b'ab')
check((rest(fd), rest(fd)), (b'', b''), 'a letter more does not continue the line that was read: the end')
set_value(b'b\nc')
check((rest(fd), rest(fd)), (b'', b''), 'another value, longer: the end')
set_value(b'')
check((rest(fd), rest(fd)), (b'', b''), 'an empty one: the end')
store.remove('/g/key')
check((rest(fd), rest(fd)), (b'', b''), 'no such key any more: the end')
set_value(b'a\nback')
check(rest(fd), b'back\n', 'a value that continues what was read, after all that')
set_value(b'new')
check(os.pread(fd, 99, 0), b'new\n', 'from the start: whatever there is')
check(rest(fd), b'', 'its snapshot is shorter than what was read before: the end')
os.close(fd)

# In pieces, with changes in between.
set_value(b'0123456789')
fd = key()
check(os.read(fd, 4), b'0123', 'a piece of a value')
set_value(b'0123456789\nmore')
check(rest(fd), b'456789\n', 'the rest is of that value, although it has grown meanwhile')
check(rest(fd), b'more\n', 'what was added comes after its end')
os.close(fd)
fd = key()
check(os.read(fd, 4), b'0123', 'a piece again')
set_value(b'ABCDEFGHIJKLMNOPQRSTUVWXYZ')
check(rest(fd), b'456789\nmore\n', 'the rest is of that value, although there is another')
check((rest(fd), rest(fd)), (b'', b''), 'of which nothing is read before the start is')
check(os.pread(fd, 99, 5000), b'', 'nor far behind the end')
os.close(fd)

# An open file of its own for each reader; a dup shares.
set_value(b'1')
one, two = key(), key()
same = os.dup(one)
rest(one), rest(one), rest(two)
set_value(b'1\n2')
check((rest(one), rest(same)), (b'2\n', b''), 'a dup shares the place and what was read')
check((rest(two), rest(two)), (b'2\n', b''), 'another open file reads for itself')

# poll: ready until all of the present value was read.
poller = select.poll()
poller.register(one, select.POLLPRI)
while poller.poll(150):
    os.pread(one, 99, 0)
rest(one)
set_value(b'1\n2\n3')
check(bool(poller.poll(1000 * PATIENCE)), True, 'poll tells of the growth')
check(rest(one), b'3\n', 'it is read from where the reader stands')
rest(one)
while poller.poll(150) and rest(one):
    pass
check(poller.poll(0), [], 'which counts as read')
set_value(b'other')
check(bool(poller.poll(1000 * PATIENCE)), True, 'poll tells of another value')
check((rest(one), rest(one), bool(poller.poll(0))), (b'', b'', True), 'which reading on does not get, and does not count')
check(os.pread(one, 99, 0), b'other\n', 'but from the start')
for f in one, two, same:
    os.close(f)

# In a transaction, which sees its own changes.
set_value(b'1')
tx = os.open(mnt + '/.xsfs/transaction', os.O_RDWR)
inside = f'{mnt}/.xsfs/tx/{os.read(tx, 99).decode().strip()}/g/key'
fd = os.open(inside, os.O_RDONLY)
check((rest(fd), rest(fd)), (b'1\n', b''), 'in a transaction: read to the end')
with open(inside, 'a') as f:
    f.write('2\n')
check(rest(fd), b'2\n', 'and on')
os.close(fd)
os.close(tx)

# .value, here and in the uniform view.
store.write('/g/dir/child', b'')
store.write('/g/dir', b'1')
for path in '/g/dir/.value', '/.xsfs/nodes/g/dir/.value':
    store.write('/g/dir', b'1')
    fd = os.open(mnt + path, os.O_RDONLY)
    rest(fd), rest(fd)
    store.write('/g/dir', b'1\n2')
    check(rest(fd), b'2\n', path)
    os.close(fd)

# Who reads to the end once asks the store once.
set_value(b'text')
fd = key()
before = reads()
check((rest(fd), reads() - before), (b'text\n', 1), 'a value in pieces to its end: one request')
check((rest(fd), reads() - before), (b'', 2), 'each further look at the end: another')
os.close(fd)
