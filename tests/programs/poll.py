# SPDX-License-Identifier: MIT
"""poll() on values in one mount, while another mount and the store change them."""
import errno
import os
import select
import subprocess
import sys
import time

from store_client import PATIENCE, Store, check

mnt, other = sys.argv[1:3]
store = Store()
READY, GONE = select.POLLPRI | select.POLLERR, select.POLLHUP
PATIENCE = 1000 * PATIENCE  # in milliseconds, as poll wants it

class Key:
    """An open file, with poll()."""
    def __init__(self, path, mount=mnt):
        self.fd = os.open(mount + path, os.O_RDONLY)
        self.poller = select.poll()
        self.poller.register(self.fd, select.POLLPRI)

    def poll(self, ms=0):
        """What is ready, of those three."""
        events = self.poller.poll(ms)
        return events[0][1] & (READY | GONE) if events else 0

    def read(self):
        try:
            return os.pread(self.fd, 4096, 0)
        except OSError as e:
            return errno.errorcode[e.errno]

    def quiet(self):
        """Reads until nothing comes any more: there may be events of what was done before."""
        while True:
            value = self.read()
            sync()
            if not self.poll() & READY:
                return value

    def wakes(self, name, value, ready=READY):
        """One assertion: it becomes ready, and reads so."""
        deadline, woken = time.monotonic() + PATIENCE / 1000, False
        while time.monotonic() < deadline and not woken:
            woken = self.poll(1000) & ready == ready
        got = self.read()
        while time.monotonic() < deadline and got != value:
            if self.poll(1000) & READY:
                got = self.read()
        check((woken, got), (True, value), name)
        self.quiet()

    def close(self):
        os.close(self.fd)

def write(path, value):
    store.write(path, value.encode())

marker, marks = None, 0

def at_rest():
    """Whether the store has answered everything, the request for a watch, too."""
    with open(mnt + '/.xsfs/stats') as stats:
        of = dict(line.strip().split(' ', 1) for line in stats)
    return of['in_flight'] == of['queued'] == '0'

def sync():
    """Waits until the events of all that was done so far have come, which come in order, and the last of them is
    that of a key of our own. Without that key: until the watch is set which the first poll has asked for."""
    global marks
    if not marker:
        deadline = time.monotonic() + PATIENCE / 1000
        while not at_rest() and time.monotonic() < deadline:
            time.sleep(0.01)
        return
    marks += 1
    write('/marker', str(marks))
    if not marker.poll(PATIENCE) & READY or marker.read() != b'%d\n' % marks:
        check('no event', 'an event', 'a change of another key is told')

write('/p/a', 'one')
key = Key('/p/a')
check(key.poll(), READY, 'the first poll is ready: it was not read')
check(key.quiet(), b'one\n', 'it reads the value')
check(key.poll(), 0, 'and is not ready until something happens')
write('/marker', '0')
new = Key('/marker')
new.quiet()
marker = new
check(select.select([key.fd], [key.fd], [key.fd], 0)[:2], ([key.fd], [key.fd]), 'it can be read and written at any time')

again, same = Key('/p/a'), os.dup(key.fd)
check(again.poll(), READY, 'another open has not seen anything yet')
again.quiet()
write('/p/a', 'two')
key.wakes('woken up by another client', b'two\n')
check(select.select([], [], [same], 0), ([], [], []), 'a dup shares what was seen')
check(again.poll(1000), READY, 'a separate open does not')
os.pread(again.fd, 1, 1)
check(again.poll(), READY, 'a read in the middle does not count')
again.quiet()

with open(mnt + '/p/a', 'w') as f:
    f.write('three')
key.wakes('woken up by a write through this mount', b'three\n')
with open(other + '/p/a', 'w') as f:
    f.write('four')
key.wakes('woken up by a write through another mount', b'four\n')
subprocess.run(['xenstore-write', '/p/a', 'five'], check=True)
key.wakes('woken up by xenstore-write', b'five\n')
tx = store.start()
store.write('/p/a', b'six', tx)
sync()
check(key.poll(), 0, 'what is written in a transaction wakes nobody')
store.commit(tx)
key.wakes('its commit does', b'six\n')
write('/p/a', 'six')
key.wakes('the same value again is a change', b'six\n')

again.quiet()
write('/p/a', 'seven')
check(select.select([], [], [again.fd], PATIENCE / 1000), ([], [], [again.fd]), 'select says so too')
for edge in 0, select.EPOLLET:
    name = 'edge' if edge else 'level'
    epoll = select.epoll()
    again.read()
    epoll.register(again.fd, select.EPOLLPRI | edge)
    sync()
    while epoll.poll(0):
        again.read()
    write('/p/a', 'epoll ' + name)
    check([e & READY for _, e in epoll.poll(PATIENCE / 1000)], [READY], f'epoll, {name}-triggered: woken up')
    sync()
    check([e & READY for _, e in epoll.poll(0)], [] if edge else [READY], f'epoll, {name}-triggered: unread')
    again.read()
    sync()
    while epoll.poll(0):
        again.read()
    write('/p/a', 'epoll ' + name)
    check([e & READY for _, e in epoll.poll(PATIENCE / 1000)], [READY], f'epoll, {name}-triggered: again')
    epoll.close()

# What is above.
write('/p/x/y/z', 'deep')
deep = Key('/p/x/y/z')
check(deep.quiet(), b'deep\n', 'a key further down')
write('/p/x/y/other', '1')
sync()
check(deep.poll(), 0, 'a sibling wakes nobody')
store.remove('/p/x')
deep.wakes('removing what is above it wakes up', 'ENOENT', READY | GONE)
check(deep.poll() & GONE, GONE, 'POLLHUP while it is gone')
write('/p/x/y/z', 'back')
deep.wakes('it comes back with the node', b'back\n')
check(deep.poll(), 0, 'and then is not ready')
store.remove('/p/x')
deep.wakes('gone again', 'ENOENT', READY | GONE)
write('/p/x/y', 'above')
check(deep.quiet(), 'ENOENT', 'a value above it')
check(deep.poll() & GONE, GONE, 'leaves it gone')
write('/p/x/y/z/w', 'below')
deep.wakes('it comes back, made on the way to what is below', b'')
store.remove('/p/x')
deep.quiet()
write('/p/x/y/z', 'x')
deep.quiet()
for n in range(50):
    tx = store.start()
    store.remove('/p/x', tx)
    store.write('/p/x/y/z', b'%d' % n, tx)
    store.commit(tx)
    ok = deep.poll(PATIENCE) & READY == READY
    deadline = time.monotonic() + PATIENCE / 1000
    while deep.read() != b'%d\n' % n and time.monotonic() < deadline:
        ok = deep.poll(PATIENCE) & READY == READY and ok
    if not ok or deep.read() != b'%d\n' % n:
        break
check(n, 49, 'removed and made again at once, 50 times')
key.quiet()
store.remove('/p/a')
key.wakes('removing it wakes up', 'ENOENT', READY | GONE)
write('/p/a', 'last')
key.wakes('writing it again too', b'last\n')

# Values of directories.
write('/p/d/child', '1')
write('/p/d', 'dir')
value, uniform = Key('/p/d/.value'), Key('/.xsfs/nodes/p/d/.value')
check((value.quiet(), uniform.quiet()), (b'dir\n', b'dir\n'), '.value, here and in .xsfs/nodes')
write('/p/d', 'dir two')
value.wakes('.value wakes up', b'dir two\n')
uniform.wakes('.value in .xsfs/nodes wakes up', b'dir two\n')
write('/p/d/child', '2')
sync()
check((value.poll(), uniform.poll()), (0, 0), 'a child wakes none of them')
store.remove('/p/d')
value.wakes('.value: gone with its directory', 'ENOENT', READY | GONE)
write('/p/d/child', '3')
value.wakes('.value: back with it, as it came on the way', b'')

# A leaf that gets children.
write('/p/leaf', 'v')
leaf = Key('/p/leaf')
leaf.quiet()
write('/p/leaf/child', 'c')
leaf.quiet()
write('/p/leaf', 'w')
leaf.wakes('a key that has become a directory meanwhile', b'w\n')

# Names that change.
write('/p/from', 'moved')
write('/p/to', 'replaced')
source, target = Key('/p/from'), Key('/p/to')
source.quiet(), target.quiet()
os.rename(mnt + '/p/from', mnt + '/p/to')
check(target.poll(PATIENCE), READY | GONE, 'replaced by a rename: gone')
check(target.read(), b'replaced\n', 'replaced by a rename: it reads what it had')
check(source.quiet(), b'moved\n', 'moved: it goes on')
write('/p/to', 'after')
source.wakes('moved: woken up by a change at its new place', b'after\n')
check((target.poll(), target.read()), (READY | GONE, b'replaced\n'), 'replaced by a rename: it stays so')
store.remove('/p/to')
source.wakes('moved, then removed', 'ENOENT', READY | GONE)
# The kernel is told that it is a directory a little later than the poll.
deadline = time.monotonic() + PATIENCE / 1000
while not os.path.isdir(mnt + '/p/leaf') and time.monotonic() < deadline:
    time.sleep(0.01)
os.rename(mnt + '/p/leaf/child', mnt + '/p/unlinked')
unlinked = Key('/p/unlinked')
unlinked.quiet()
os.unlink(mnt + '/p/unlinked')
check((unlinked.poll(PATIENCE), unlinked.read()), (READY | GONE, 'ENOENT'), 'unlinked: gone')
write('/p/unlinked', 'again')
check((unlinked.poll(), unlinked.read()), (READY | GONE, 'ENOENT'), 'unlinked: for good, also when there is another')
unlinked.close()
for k in key, again, deep, value, uniform, leaf, source, target:
    k.close()
os.close(same)
