# SPDX-License-Identifier: MIT
"""cache=full: which open files the kernel answers for, and what mapping them does."""
import errno
import mmap
import os
import sys
import time

from store_client import PATIENCE, Store, check, refused

mnt = sys.argv[1]
store = Store()

def operations():
    """READs that have reached the daemon."""
    with open(mnt + '/.xsfs/metrics') as f:
        for line in f:
            if line.startswith('xsfs_operations_total{') and '"read"' in line.lower():
                return int(float(line.split()[-1]))
    raise SystemExit('no number of reads')

def rereads(fd, times=20):
    """How many of so many reads reach the daemon, apart from those of the number itself."""
    own = operations()
    own = operations() - own
    before = operations()
    for _ in range(times):
        os.pread(fd, 4096, 0)
    return operations() - before - own

def until(look, want, name):
    deadline = time.monotonic() + PATIENCE
    while (got := look()) != want and time.monotonic() < deadline:
        pass
    check(got, want, name)

store.write('/kinds/key', b'one')
store.write('/kinds/dir/child', b'1')
store.write('/kinds/dir', b'value')
place = mnt + '/kinds/key'

def cached(path):
    """An open file that the kernel answers for: there has to be no news of it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        os.stat(path)
        fd = os.open(path, os.O_RDONLY)
        os.pread(fd, 4096, 0)
        if rereads(fd) == 0 or time.monotonic() > deadline:
            return fd
        os.close(fd)

fd = cached(place)
check(rereads(fd), 0, 'a file that is only read: the kernel answers')
nodes = cached(mnt + '/kinds/dir/.value')
check(rereads(nodes), 0, '.value: the kernel answers')
uniform = cached(mnt + '/.xsfs/nodes/kinds/key/.value')
check(rereads(uniform), 0, '.value in .xsfs/nodes: the kernel answers')
for flags, name in ((os.O_DIRECT, 'O_DIRECT'), (os.O_RDWR, 'O_RDWR')):
    other = os.open(place, os.O_RDWR if flags == os.O_RDWR else flags)
    check(rereads(other), 20, f'{name}: each read reaches the store')
    os.close(other)
# Each of those opens has dropped what the kernel had.
os.pread(fd, 4096, 0)
check(rereads(fd), 0, 'which changes nothing for the others')
with open(mnt + '/.xsfs/stats') as f:
    check(rereads(f.fileno()), 20, 'a file of .xsfs: each read is answered anew')
tx = os.open(mnt + '/.xsfs/transaction', os.O_RDWR)
view = mnt + '/.xsfs/tx/' + os.read(tx, 100).decode().strip()
inside = os.open(view + '/kinds/key', os.O_RDONLY)
check(rereads(inside), 20, 'in a transaction: each read is answered anew')
os.close(inside)
os.close(tx)

# Mapped: as of any file system, and no worse.
page = mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ)
check(page[:4], b'one\n', 'mapped, to be read')
store.write('/kinds/key', b'two')
until(lambda: page[:4], b'two\n', 'a mapping shows what another client writes')
with open(place, 'r+b', buffering=0) as f:
    f.write(b'six\n')
until(lambda: page[:4], b'six\n', 'and what is written through the mount')
deadline = time.monotonic() + PATIENCE
for n in range(20):
    store.write('/kinds/key', b'%03d' % n)
    while page[:4] != b'%03d\n' % n and time.monotonic() < deadline:
        pass
check(page[:4], b'019\n', 'again and again, though nobody asks for the size')
page.close()

def map_it(file, kind, access):
    mmap.mmap(file, 4, kind, access).close()

both = os.open(place, os.O_RDWR)
refused('ENODEV', 'shared and writable: refused', map_it, both, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
refused('EACCES', 'through a descriptor that only reads, too', map_it, fd, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
private = mmap.mmap(fd, 4, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
private[:4] = b'mine'
until(lambda: os.pread(fd, 4096, 0), b'019\n', 'private and written to: the file keeps its value')
check(store.read('/kinds/key'), b'019', 'in the store, too')
os.close(both)

# Gone, and back.
def read():
    try:
        return os.pread(fd, 4096, 0)
    except OSError as e:
        return errno.errorcode[e.errno]

store.remove('/kinds/key')
until(read, 'ENOENT', 'removed by another client: ENOENT')
store.write('/kinds/key', b'')
until(read, b'', 'made again, empty')
store.write('/kinds/key', b'again')
until(read, b'again\n', 'and written')
store.write('/kinds/key/child', b'1')
store.write('/kinds/key', b'dir')
until(read, b'dir\n', 'a directory meanwhile: its value')
store.remove('/kinds')
until(read, 'ENOENT', 'removed with what is above it')
os.mkdir(mnt + '/kinds')
for name, value in (('key', 'last'), ('new', 'other')):
    with open(f'{mnt}/kinds/{name}', 'w') as f:
        f.write(value)
os.close(fd)
fd = cached(place)
os.unlink(place)
until(read, 'ENOENT', 'unlinked here: ENOENT')
with open(place, 'w') as f:
    f.write('replaced')
os.close(fd)
fd = cached(place)
os.rename(mnt + '/kinds/new', place)
until(read, b'replaced\n', 'replaced by a rename: it reads what it had')
os.close(fd)
fd = cached(place)
check(read(), b'other\n', 'by its name: the new one')
